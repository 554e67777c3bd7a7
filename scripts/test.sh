#!/usr/bin/env bash
# test.sh - from a bare Debian 12 machine to tested: set-up, configure, build, all tests.
#
# Use:  bash scripts/test.sh [--preset NAME] [arguments for ctest, such as -R json]
#       The preset is 'release', or 'ci' (the same with -Werror) where the variable CI is set.
#       The last lines are ctest's summary; the exit status is ctest's.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/libtorch.sh"

preset=$(default_preset)
if [[ ${1:-} == --preset ]]; then
    preset=${2:?names a preset of CMakePresets.json}
    shift 2
fi

phase "set-up" bash "$root/scripts/setup.sh"
phase "configure ($preset)" configure "$preset"
phase "build ($preset)" build "$preset"
say "== tests ($preset)"
cd "$root"
exec ctest --preset "$preset" --parallel "$(job_count)" "$@"
