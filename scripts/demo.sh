#!/usr/bin/env bash
# demo.sh - from a bare Debian 12 machine to the demonstration: set-up, configure, build, run.
#
# Use:  bash scripts/demo.sh [arguments for 'accord demo']
#       Shares its build folder with test.sh. Standard output is the program's own.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/libtorch.sh"

phase "set-up" bash "$root/scripts/setup.sh"
phase "configure (release)" configure release
phase "build (release)" build release
say "== demo"
exec "$root/build/release/bin/accord" demo "$@"
