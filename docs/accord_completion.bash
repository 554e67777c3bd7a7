# bash completion for accord, made by `accord completion bash`; do not edit.

# _accord_command PATH: sets subcommands, options, operand.
_accord_command() {
    case $1 in
    'accord')
        subcommands='demo doctor bench config help version completion '
        options='--help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord demo')
        subcommands=''
        options='--points --steps --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord doctor')
        subcommands=''
        options='--no-torch --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord bench')
        subcommands='start torch adamw scope '
        options='--help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord bench start')
        subcommands=''
        options='--repeats --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord bench torch')
        subcommands=''
        options='--repeats --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord bench adamw')
        subcommands=''
        options='--parameters --tensors --repeats --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord bench scope')
        subcommands=''
        options='--cycles --repeats --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord config')
        subcommands=''
        options='--markdown --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord help')
        subcommands=''
        options='--markdown --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord version')
        subcommands=''
        options='--help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord completion')
        subcommands='bash '
        options='--help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord completion bash')
        subcommands=''
        options='--help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    esac
}

# _accord_value PATH OPTION: sets value; "flag" when none follows.
_accord_value() {
    case $1 in
    'accord')
        case $2 in
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord demo')
        case $2 in
        --points) value='' ;;
        -n | --steps) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord doctor')
        case $2 in
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord bench')
        case $2 in
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord bench start')
        case $2 in
        -r | --repeats) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord bench torch')
        case $2 in
        -r | --repeats) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord bench adamw')
        case $2 in
        -n | --parameters) value='' ;;
        --tensors) value='' ;;
        -r | --repeats) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord bench scope')
        case $2 in
        -n | --cycles) value='' ;;
        -r | --repeats) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord config')
        case $2 in
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord help')
        case $2 in
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord version')
        case $2 in
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord completion')
        case $2 in
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord completion bash')
        case $2 in
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    esac
}

_accord() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local path=accord subcommands= options= operand= value= word i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        _accord_command "$path"
        if [[ $word =~ ^[a-z-]+$ && $word != help && " $subcommands " == *" $word "* ]]; then
            path+=" $word"
        fi
    done
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    _accord_command "$path"
    _accord_value "$path" "$prev"
    case $value in
    flag) ;;
    file | folder) operand=$value subcommands= ;;
    *) operand= subcommands=$value ;;
    esac
    if [[ $value == flag && $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
    elif [[ $operand == file ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    elif [[ $operand == folder ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -W "$subcommands" -- "$cur")
    fi
}
complete -F _accord accord
