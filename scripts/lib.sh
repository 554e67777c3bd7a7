# lib.sh - what the scripts share: messages, timed phases, packages, configuring and building.
# Sourced, not run.
# shellcheck shell=bash

export LC_ALL=C
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Progress goes to standard error, so that a script's standard output is its result.
say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "accord: $*"
    exit 1
}

# Seconds since `$1` (an earlier $EPOCHREALTIME), with one decimal.
seconds_since() {
    local microseconds=$((${EPOCHREALTIME/./} - ${1/./}))
    printf '%d.%d' $((microseconds / 1000000)) $((microseconds / 100000 % 10))
}

# phase NAME COMMAND...: announces, runs and times one phase.
phase() {
    local name=$1 start=$EPOCHREALTIME
    shift
    say "== $name"
    "$@"
    say "== $name: $(seconds_since "$start") s"
}

# package_is_there PACKAGE[:COMMAND]: installed, or its command is in PATH from elsewhere.
package_is_there() {
    if [[ $1 == *:* ]] && command -v "${1#*:}" >/dev/null; then
        return 0
    fi
    [[ $(dpkg-query -W -f='${db:Status-Status}' "${1%:*}" 2>/dev/null) == installed ]]
}

# The packages among the arguments that are not there, on one line.
missing_packages() {
    local package missing=()
    for package in "$@"; do
        if ! package_is_there "$package"; then
            missing+=("${package%:*}")
        fi
    done
    printf '%s' "${missing[*]}"
}

is_root() {
    ((EUID == 0))
}

# Whether sudo works: without a password, or with a terminal to ask for one.
can_use_sudo() {
    command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }
}

as_root() {
    if is_root; then
        env "$@"
    else
        sudo env "$@"
    fi
}

# ensure_packages PACKAGE[:COMMAND]...: installs those that are missing; when none is, it does
# nothing and needs no root.
ensure_packages() {
    if ! command -v dpkg-query >/dev/null; then
        say "not a Debian system: assuming the equivalents of these packages are there: $*"
        return
    fi
    local missing
    missing=$(missing_packages "$@")
    if [[ -z $missing ]]; then
        return
    fi
    local install="apt-get install -y --no-install-recommends $missing"
    if ! is_root && ! can_use_sudo; then
        die "packages are missing, and installing them needs root or sudo: run '$install' as root"
    fi
    say "installing $missing"
    as_root DEBIAN_FRONTEND=noninteractive apt-get update -q >&2 ||
        say "warning: 'apt-get update' failed; trying with the package lists there are"
    # shellcheck disable=SC2086 # the words of $install are the command
    as_root DEBIAN_FRONTEND=noninteractive $install >&2 || die "'$install' failed: see above"
}

# Processes for building and testing: one a core, but no more than fit into memory, since a file
# that includes libtorch's headers takes up to 1.2 GB to compile.
job_count() {
    local cores available_gb
    cores=$(nproc)
    available_gb=$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
    local fitting=$((available_gb * 2 / 3))
    echo $((fitting < 1 ? 1 : fitting < cores ? fitting : cores))
}

# 'ci' is 'release' with -Werror.
default_preset() {
    if [[ -n ${CI:-} ]]; then
        echo ci
    else
        echo release
    fi
}

# configure PRESET [CMAKE ARGUMENTS...]: libtorch is named on every run, so that a changed
# ACCORD_TORCH_DIR takes effect in a build folder that remembers another.
configure() {
    local preset=$1
    shift
    (cd "$root" && cmake --preset "$preset" -DACCORD_TORCH_DIR="$(libtorch_dir)" "$@" >&2)
}

# build PRESET [ARGUMENTS FOR NINJA, such as a target...]
build() {
    local preset=$1
    shift
    (cd "$root" && cmake --build --preset "$preset" --parallel "$(job_count)" -- "$@" >&2)
}

# build_program PRESET: the program alone, without tests and without the tensor half.
build_program() {
    configure "$1"
    build "$1" accord
}
