#!/usr/bin/env bash
# generate_docs.sh - writes the files that the program's own tables define.
#
# Use:  bash scripts/generate_docs.sh [--check] [PROGRAM]
#       PROGRAM is an accord already built; without it, it is built (preset of test.sh).
#       --check writes nothing, and fails naming each file that is not current.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/libtorch.sh"

# File, and the arguments of accord that print it.
generated=(
    "docs/CLI.md                 help --markdown"
    "docs/CONFIG.md              config --markdown"
    "docs/accord_completion.bash completion bash"
)

is_check=false
if [[ ${1:-} == --check ]]; then
    is_check=true
    shift
fi
program=${1:-$root/build/$(default_preset)/bin/accord}
if (($# == 0)); then
    build_program "$(default_preset)"
fi

fresh=$(mktemp --directory)
trap 'rm -rf "$fresh"' EXIT
outdated=()
for entry in "${generated[@]}"; do
    read -r file arguments <<<"$entry"
    # shellcheck disable=SC2086 # several words
    "$program" $arguments >"$fresh/text" || die "'accord $arguments' failed, which prints $file"
    if ! cmp -s "$fresh/text" "$root/$file"; then
        outdated+=("$file")
        $is_check || cp "$fresh/text" "$root/$file"
    fi
done

if ((${#outdated[@]} == 0)); then
    say "generated files are current"
elif $is_check; then
    die "not current: ${outdated[*]}; run 'bash scripts/generate_docs.sh' and commit them"
else
    say "written: ${outdated[*]}"
fi
