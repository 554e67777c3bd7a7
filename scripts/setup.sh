#!/usr/bin/env bash
# setup.sh - everything needed to build: Debian 12 packages, and libtorch in a per-user cache.
#
# Use:  bash scripts/setup.sh        again at any time: does only what is missing
#       ACCORD_CACHE=DIR             where libtorch is kept (default: ~/.cache/accord)
#       ACCORD_TORCH_DIR=DIR         an existing torch package folder, instead of fetching one
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/libtorch.sh"

# What a build and its tests use: tools, which may come from elsewhere, and libraries, each behind
# its wrapper in base/.
packages=(
    cmake:cmake
    g++:g++
    gcc:gcc
    git:git # names the version in every report
    ninja-build:ninja
    pkg-config:pkg-config
    python3:python3 # scripts/tidy.py
    libcjson-dev
    libcmocka-dev
    libpcre2-dev
    libsodium-dev
    libsqlite3-dev
    zlib1g-dev
)

ensure_packages "${packages[@]}"
libtorch_ensure
say "libtorch $libtorch_version is in '$(libtorch_dir)'"
