# libtorch.sh - the pinned libtorch, kept in a per-user cache. Sourced, not run.
# shellcheck shell=bash
#
# Pins:    scripts/libtorch.sha256, one wheel a line. No Python code of them is used: pip is only
#          the downloader, and only libraries and headers are unpacked.
# Layout:  <cache>/libtorch-<version>/{torch,nvidia}   where cmake/torch.cmake looks
#          <cache>/libtorch-<version>/stamp            pins, library sizes, number of files
#          <cache>/wheels/                             downloads, deleted once unpacked
# Safety:  one fetch at a time (flock); the tree gets its name by a rename when it is whole, and a
#          tree that no longer agrees with its stamp is replaced.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

libtorch_version=2.11.0
libtorch_pins=$root/scripts/libtorch.sha256
libtorch_tries_max=3
libtorch_space_mb=2500 # wheels 0.5 GB, tree 1.1 GB, and room for the file system

# Relative to where the user stands, whatever folder a command runs in later.
for variable in ACCORD_TORCH_DIR ACCORD_CACHE; do
    if [[ -n ${!variable:-} ]]; then
        export "$variable=$(realpath --canonicalize-missing --no-symlinks "${!variable}")"
    fi
done

libtorch_cache() {
    local caches=${XDG_CACHE_HOME:-${HOME:-}/.cache}
    printf '%s' "${ACCORD_CACHE:-$caches/accord}"
}

# The torch package folder to build against.
libtorch_dir() {
    printf '%s' "${ACCORD_TORCH_DIR:-$(libtorch_cache)/libtorch-$libtorch_version/torch}"
}

# The version of the torch package folder `$1`, from the place of its headers since 2.10 or before.
libtorch_version_of() {
    local header
    for header in headeronly csrc/api/include/torch; do
        header=$1/include/torch/$header/version.h
        if [[ -f $header ]] && grep -q 'define TORCH_VERSION[ \]' "$header"; then
            grep -A1 'define TORCH_VERSION[ \]' "$header" | grep -m1 -o '[0-9][0-9.]*[0-9]'
            return
        fi
    done
}

# Refuses an ACCORD_TORCH_DIR that is not the version accord is written for.
libtorch_check_given() {
    local found
    found=$(libtorch_version_of "$ACCORD_TORCH_DIR")
    if [[ -z $found || ! -f $ACCORD_TORCH_DIR/lib/libtorch_cpu.so ]]; then
        die "no libtorch in '$ACCORD_TORCH_DIR': ACCORD_TORCH_DIR must name a torch" \
            "$libtorch_version package folder, with lib/ and include/; unset it to fetch one"
    fi
    if [[ $found != "$libtorch_version" ]]; then
        die "libtorch in '$ACCORD_TORCH_DIR' is version $found, and accord is written for" \
            "$libtorch_version: unset ACCORD_TORCH_DIR to fetch that one"
    fi
}

# What the stamp of the tree `$1` has to say: enough to notice a truncated library or a lost header
# without reading a gigabyte.
libtorch_stamp() {
    cat "$libtorch_pins"
    (cd "$1" && stat --format='%s %n' torch/lib/* nvidia/cu13/lib/* &&
        find torch nvidia -type f | wc -l)
}

libtorch_is_whole() {
    [[ -f $1/stamp ]] && libtorch_stamp "$1" 2>/dev/null | cmp -s - "$1/stamp"
}

# "torch==2.11.0" for a wheel's file name, whose fields are name, version, python, ABI, platforms.
wheel_requirement() {
    local name version rest
    IFS=- read -r name version rest <<<"$1"
    printf '%s==%s' "${name//_/-}" "$version"
}

# A Python that has pip: the one in PATH, or the system's, which python3-pip belongs to.
python_with_pip() {
    local python
    for python in python3 /usr/bin/python3; do
        if "$python" -m pip --version >/dev/null 2>&1; then
            printf '%s' "$python"
            return
        fi
    done
    return 1
}

# download_wheel FILE FOLDER: asks for the file's own tags, so that any Python 3 will do.
download_wheel() {
    local platforms=${1##*-} platform tags=()
    platforms=${platforms%.whl}
    for platform in ${platforms//./ }; do
        tags+=(--platform "$platform")
    done
    "$(python_with_pip)" -m pip --disable-pip-version-check download --no-deps --no-cache-dir \
        --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 --abi none \
        "${tags[@]}" --dest "$2" "$(wheel_requirement "$1")" >&2
}

# Whether the wheel of the pin "<sha256>  <file>" lies in folder `$2` undamaged.
wheel_is_good() {
    (cd "$2" && sha256sum --check --status 2>/dev/null <<<"$1")
}

# fetch_wheel PIN FOLDER
fetch_wheel() {
    local pin=$1 folder=$2 wheel=${1#*  } try
    for ((try = 1; try <= libtorch_tries_max; try++)); do
        if wheel_is_good "$pin" "$folder"; then
            return
        fi
        rm -f "$folder/$wheel"
        say "downloading $(wheel_requirement "$wheel") (try $try of $libtorch_tries_max)"
        if ! download_wheel "$wheel" "$folder"; then
            say "the download of '$wheel' failed"
        elif ! wheel_is_good "$pin" "$folder"; then
            say "'$wheel' arrived damaged: its SHA-256 is not ${pin%% *}"
        fi
    done
    if ! wheel_is_good "$pin" "$folder"; then
        rm -f "$folder/$wheel"
        die "cannot fetch $(wheel_requirement "$wheel") in $libtorch_tries_max tries: check the" \
            "network, or set ACCORD_TORCH_DIR to a torch $libtorch_version package folder"
    fi
}

# unpack_wheel FILE FOLDER: libraries and headers only.
unpack_wheel() {
    local members=('nvidia/cu13/lib/*')
    if [[ ${1##*/} == torch-* ]]; then
        members=('torch/lib/*' 'torch/include/*' torch/version.py)
    fi
    unzip -q -o "$1" "${members[@]}" -d "$2" >&2 || die "cannot unpack '$1' into '$2': see above"
}

libtorch_check_space() {
    local available_mb
    available_mb=$(df --output=avail -B1M "$1" | tail -n 1)
    if ((available_mb < libtorch_space_mb)); then
        die "'$1' has ${available_mb//[!0-9]/} MB free, and libtorch needs $libtorch_space_mb MB:" \
            "make room, or set ACCORD_CACHE to a folder elsewhere"
    fi
}

# Downloads and unpacks into `$1`.partial, then renames; the caller holds the lock.
libtorch_replace() {
    local tree=$1 wheels=${1%/*}/wheels pin pins
    mapfile -t pins <"$libtorch_pins"
    rm -rf "$tree.partial" "$tree.old"
    mkdir -p "$tree.partial" "$wheels"
    for pin in "${pins[@]}"; do
        fetch_wheel "$pin" "$wheels"
    done
    say "unpacking libtorch"
    for pin in "${pins[@]}"; do
        unpack_wheel "$wheels/${pin#*  }" "$tree.partial"
    done
    libtorch_stamp "$tree.partial" >"$tree.partial/stamp"
    if [[ -e $tree ]]; then
        mv "$tree" "$tree.old"
    fi
    mv "$tree.partial" "$tree"
    rm -rf "$tree.old" "$wheels"
}

# The cached tree, fetched or repaired if need be.
libtorch_ensure_cached() {
    local cache tree lock
    cache=$(libtorch_cache)
    tree=$cache/libtorch-$libtorch_version
    if libtorch_is_whole "$tree"; then
        return
    fi
    if [[ $(uname -m) != x86_64 ]]; then
        die "the pinned libtorch is for x86_64, and this is $(uname -m): set ACCORD_TORCH_DIR to" \
            "a torch $libtorch_version package folder for it"
    fi
    ensure_fetch_tools
    if ! mkdir -p "$cache" 2>/dev/null || [[ ! -w $cache ]]; then
        die "cannot write to '$cache': set ACCORD_CACHE to a folder that can be written"
    fi
    exec {lock}>"$cache/lock"
    if ! flock --nonblock "$lock"; then
        say "waiting for another fetch into '$cache' to end"
        flock "$lock"
    fi
    if ! libtorch_is_whole "$tree"; then
        if [[ -e $tree ]]; then
            say "'$tree' is incomplete or damaged: fetching it again"
        fi
        libtorch_check_space "$cache"
        libtorch_replace "$tree"
    fi
    exec {lock}>&-
}

ensure_fetch_tools() {
    if ! python_with_pip >/dev/null; then
        ensure_packages python3-pip
    fi
    ensure_packages ca-certificates unzip:unzip
}

# Makes the folder that libtorch_dir names ready to build against.
libtorch_ensure() {
    if [[ -n ${ACCORD_TORCH_DIR:-} ]]; then
        libtorch_check_given
    else
        libtorch_ensure_cached
    fi
}
