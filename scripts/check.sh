#!/usr/bin/env bash
# check.sh - every check that a commit must pass, beyond what test.sh runs.
#
# Use:  bash scripts/check.sh            all of it: both compilers, sanitizers, a short fuzz run
#       bash scripts/check.sh --quick    what needs no full build: style, lint, generated files
#
# One line a check, with its time; all of them run, and the end lists those that failed. What a
# check printed is in build/check/<name>.log; of a failed one, the lines that name errors are shown.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/libtorch.sh"

fuzz_seconds=20
shown_lines_max=40
logs=$root/build/check
failed=()

quick_packages=(clang-format-14:clang-format-14 clang-tidy-14:clang-tidy-14 shellcheck:shellcheck)
full_packages=(clang-14:clang-14 libclang-rt-14-dev)

# check NAME COMMAND...
check() {
    local name=$1 start=$EPOCHREALTIME verdict=ok status
    shift
    # Not as a condition, inside which bash would ignore `set -e`.
    set +e
    (set -e && "$@") >"$logs/$name.log" 2>&1
    status=$?
    set -e
    ((status == 0)) || verdict=FAILED
    say "$(printf '%-7s %-22s %6s s' "$verdict" "$name" "$(seconds_since "$start")")"
    if [[ $verdict == FAILED ]]; then
        failed+=("$name")
        show_failure "$logs/$name.log" | sed 's/^/        /' >&2
    fi
}

# The lines of a log that name errors, or its end when there are none.
show_failure() {
    grep -m "$shown_lines_max" -E 'error: |ERROR: |FAILED|\(Failed\)|\[rule ' "$1" ||
        tail -n "$shown_lines_max" "$1"
}

# sources PATTERN...: the tree's files that match, separated by NULs.
sources() {
    local folder found=()
    for folder in base data tensor policy reward attribution trainer tests; do
        [[ -d $root/$folder ]] && found+=("$root/$folder")
    done
    find "${found[@]}" -type f -regextype posix-extended -regex "$1" -print0 | sort -z
}

check_format() {
    local report
    if ! report=$(sources '.*\.(c|h|cpp|hpp|cu)' |
        xargs -0 clang-format-14 --dry-run -Werror 2>&1); then
        grep ' error: ' <<<"$report" || echo "$report"
        die "run 'clang-format-14 -i' on these files"
    fi
}

# The sources that the build folder of preset `$1` compiles and whose names match `$2`.
compiled_sources() {
    sed -n 's/^ *"file": "\(.*\)",*$/\1/p' "$root/build/$1/compile_commands.json" |
        grep -E "$2" | sort -u
}

# lint PRESET SUFFIX PROCESSES CHECKS. CHECKS are added to those of .clang-tidy. One file a process:
# with several, clang-tidy 14 reports va_lists of one file as uninitialised in the next. gcc's own
# warning flags mean nothing to it.
lint() {
    compiled_sources "$1" "$2" | xargs -P "$3" -n 1 clang-tidy-14 --quiet -p "$root/build/$1" \
        --checks="$4" --extra-arg=-Wno-unknown-warning-option 2>&1 |
        { grep -v '^[0-9]* warnings\? generated' || true; }
}

build_and_test() {
    configure "$1"
    build "$1" -k 0
    (cd "$root" && ctest --preset "$1" --parallel "$(job_count)")
}

# What it finds, crashes among it, stays in build/fuzz/found/<target>/ for the next run.
fuzz_shortly() {
    local target found
    configure fuzz
    build fuzz
    for target in "$root"/build/fuzz/tests/fuzz_*; do
        [[ -x $target ]] || die "no fuzz targets were built"
        found=$root/build/fuzz/found/${target##*/fuzz_}
        mkdir -p "$found"
        echo "== $found"
        "$target" -max_total_time="$fuzz_seconds" -artifact_prefix="$found/" \
            "$found" "$root/tests/fuzz/corpus/${target##*/fuzz_}"
    done
}

quick_checks() {
    local preset
    preset=$(default_preset)
    check format check_format
    check tidy python3 -B "$root/scripts/tidy.py"
    check commits python3 -B "$root/scripts/check_commits.py"
    check shellcheck shellcheck "$root"/scripts/*.sh "$root/.ci/run"
    check program build_program "$preset"
    check generated_docs bash "$root/scripts/generate_docs.sh" --check \
        "$root/build/$preset/bin/accord"
    check lint_c lint "$preset" '\.c$' "$(nproc)" ''
}

full_checks() {
    check gcc build_and_test dev
    check clang build_and_test dev-clang
    # Without the analyzer, which would walk libtorch's headers: 20 s a file as it is.
    check lint_cpp lint dev-clang '\.cpp$' "$(job_count)" '-clang-analyzer-*'
    check sanitizers build_and_test asan
    check fuzz fuzz_shortly
}

is_quick=false
case "${1:-}" in
--quick) is_quick=true ;;
'') ;;
*) die "unknown argument '$1': check.sh takes --quick or nothing" ;;
esac

start=$EPOCHREALTIME
mkdir -p "$logs"
bash "$root/scripts/setup.sh"
ensure_packages "${quick_packages[@]}"
quick_checks
if ! $is_quick; then
    ensure_packages "${full_packages[@]}"
    full_checks
fi
if ((${#failed[@]} > 0)); then
    say "check: failed after $(seconds_since "$start") s: ${failed[*]} (logs in build/check/)"
    exit 1
fi
say "check: all passed in $(seconds_since "$start") s"
