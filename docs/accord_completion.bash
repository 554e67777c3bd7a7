# bash completion for accord, made by `accord completion bash`; do not edit.

# _accord_command PATH: sets subcommands, options, operand.
_accord_command() {
    case $1 in
    'accord')
        subcommands='demo doctor init import check stats export backup reward model tokenizer sft align generate eval bench config help version completion '
        options='--help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord demo')
        subcommands=''
        options='--output --quick --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord doctor')
        subcommands=''
        options='--no-torch --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord init')
        subcommands=''
        options='--help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord import')
        subcommands=''
        options='--format --map --texts --name --prompt --topic --prefer --skip-bad --dry-run --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord check')
        subcommands=''
        options='--strict --only --examples --near --long-bytes --no-integrity --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord stats')
        subcommands=''
        options='--aspect --population --split --from-ratings --annotators --sources --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord export')
        subcommands=''
        options='--format --kind --split --aspect --population --topic --output --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord backup')
        subcommands=''
        options='--replace --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord reward')
        subcommands='fit rank predict list show baseline score eval '
        options='--help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord reward fit')
        subcommands=''
        options='--kind --trunk --tokenizer --output --epochs --resume --dry-run --model --estimator --ridge --ties --position-effect --reliability-good --reliability-bad --items --from --aspect --population --by-population --topic --split --name --replace --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord reward rank')
        subcommands=''
        options='--fit --top --reference --confidence --format --output --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord reward predict')
        subcommands=''
        options='--fit --position --confidence --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord reward list')
        subcommands=''
        options='--help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord reward show')
        subcommands=''
        options='--fit --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord reward baseline')
        subcommands=''
        options='--folds --group --ridge --aspect --population --topic --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord reward score')
        subcommands=''
        options='--reward --output --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord reward eval')
        subcommands=''
        options='--split --folds --fold --group --html --match --aspect --population --topic --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord model')
        subcommands='info convert merge '
        options='--help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord model info')
        subcommands=''
        options='--help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord model convert')
        subcommands=''
        options='--dtype --tokenizer --shard-size --pad --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord model merge')
        subcommands=''
        options='--dtype --tokenizer --shard-size --pad --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord tokenizer')
        subcommands='train encode decode info '
        options='--help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord tokenizer train')
        subcommands=''
        options='--output --vocabulary --min-frequency --pattern --special --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord tokenizer encode')
        subcommands=''
        options='--show --special --chat --template --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='folder'
        ;;
    'accord tokenizer decode')
        subcommands=''
        options='--skip-special --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='folder'
        ;;
    'accord tokenizer info')
        subcommands=''
        options='--help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='folder'
        ;;
    'accord sft')
        subcommands=''
        options='--model --tokenizer --data --output --epochs --resume --dry-run --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord align')
        subcommands=''
        options='--model --tokenizer --method --reward --output --epochs --resume --dry-run --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord generate')
        subcommands=''
        options='--prompts --system --template --adapter --max-new-tokens --samples --temperature --top-k --top-p --min-p --stop --slots --context --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord eval')
        subcommands=''
        options='--model --reward --held-out --reference --split --prompts --samples --max-new-tokens --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
        ;;
    'accord bench')
        subcommands='start fit torch adamw scope head linear '
        options='--help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord bench start')
        subcommands=''
        options='--repeats --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord bench fit')
        subcommands=''
        options='--model --position-effect --map --repeats --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand='file'
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
    'accord bench head')
        subcommands=''
        options='--rows --inputs --outputs --forward --only --repeats --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
        operand=''
        ;;
    'accord bench linear')
        subcommands=''
        options='--rows --inputs --outputs --forward --only --repeats --help --version --json --quiet --verbose --trace --seed --threads --device --config --set '
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
        -o | --output) value='folder' ;;
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
    'accord init')
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
    'accord import')
        case $2 in
        -f | --format) value='' ;;
        -m | --map) value='' ;;
        --texts) value='file' ;;
        --name) value='' ;;
        --prompt) value='' ;;
        --topic) value='' ;;
        --prefer) value='better safer ' ;;
        --skip-bad) value='file' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord check')
        case $2 in
        --only) value='' ;;
        --examples) value='' ;;
        --near) value='' ;;
        --long-bytes) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord stats')
        case $2 in
        --aspect) value='' ;;
        --population) value='' ;;
        --split) value='train validation test ' ;;
        --annotators) value='' ;;
        --sources) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord export')
        case $2 in
        -f | --format) value='trl csv ' ;;
        -k | --kind) value='comparisons ratings labels demonstrations prompts pairs works ' ;;
        --split) value='train validation test ' ;;
        --aspect) value='' ;;
        --population) value='' ;;
        --topic) value='' ;;
        -o | --output) value='file' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord backup')
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
    'accord reward')
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
    'accord reward fit')
        case $2 in
        --kind) value='tabular lm ' ;;
        --trunk) value='file' ;;
        --tokenizer) value='file' ;;
        -o | --output) value='folder' ;;
        --epochs) value='' ;;
        -m | --model) value='bradley-terry davidson rao-kupper plackett-luce crowd-bt ' ;;
        --estimator) value='ml map firth ' ;;
        --ridge) value='' ;;
        --ties) value='refuse half drop ' ;;
        --reliability-good) value='' ;;
        --reliability-bad) value='' ;;
        --items) value='responses origins ' ;;
        --from) value='comparisons ratings ' ;;
        --aspect) value='' ;;
        --population) value='' ;;
        --topic) value='' ;;
        --split) value='train validation test all ' ;;
        -n | --name) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord reward rank')
        case $2 in
        -f | --fit) value='' ;;
        -n | --top) value='' ;;
        --reference) value='' ;;
        --confidence) value='' ;;
        --format) value='text csv json svg ' ;;
        -o | --output) value='file' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord reward predict')
        case $2 in
        -f | --fit) value='' ;;
        --position) value='first second unknown ' ;;
        --confidence) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord reward list')
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
    'accord reward show')
        case $2 in
        -f | --fit) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord reward baseline')
        case $2 in
        -k | --folds) value='' ;;
        --group) value='' ;;
        --ridge) value='' ;;
        --aspect) value='' ;;
        --population) value='' ;;
        --topic) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord reward score')
        case $2 in
        -r | --reward) value='' ;;
        -o | --output) value='file' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord reward eval')
        case $2 in
        --split) value='train validation test all ' ;;
        --folds) value='' ;;
        --fold) value='' ;;
        --group) value='' ;;
        --html) value='file' ;;
        --match) value='' ;;
        --aspect) value='' ;;
        --population) value='' ;;
        --topic) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord model')
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
    'accord model info')
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
    'accord model convert')
        case $2 in
        --dtype) value='f32 bf16 f16 ' ;;
        --tokenizer) value='file' ;;
        --shard-size) value='' ;;
        --pad) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord model merge')
        case $2 in
        --dtype) value='f32 bf16 f16 ' ;;
        --tokenizer) value='file' ;;
        --shard-size) value='' ;;
        --pad) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord tokenizer')
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
    'accord tokenizer train')
        case $2 in
        -o | --output) value='folder' ;;
        --vocabulary) value='' ;;
        --min-frequency) value='' ;;
        --pattern) value='gpt2 smollm2 llama3 qwen2 ' ;;
        --special) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord tokenizer encode')
        case $2 in
        --template) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord tokenizer decode')
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
    'accord tokenizer info')
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
    'accord sft')
        case $2 in
        -m | --model) value='file' ;;
        --tokenizer) value='file' ;;
        -d | --data) value='file' ;;
        -o | --output) value='folder' ;;
        --epochs) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord align')
        case $2 in
        -m | --model) value='file' ;;
        --tokenizer) value='file' ;;
        --method) value='' ;;
        -r | --reward) value='' ;;
        -o | --output) value='folder' ;;
        --epochs) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord generate')
        case $2 in
        -p | --prompts) value='file' ;;
        --system) value='' ;;
        --template) value='' ;;
        --adapter) value='folder' ;;
        -n | --max-new-tokens) value='' ;;
        --samples) value='' ;;
        -t | --temperature) value='' ;;
        --top-k) value='' ;;
        --top-p) value='' ;;
        --min-p) value='' ;;
        --stop) value='' ;;
        --slots) value='' ;;
        --context) value='' ;;
        --trace) value='' ;;
        --seed) value='' ;;
        -j | --threads) value='' ;;
        --device) value='' ;;
        -c | --config) value='file' ;;
        -s | --set) value='' ;;
        *) value=flag ;;
        esac
        ;;
    'accord eval')
        case $2 in
        -m | --model) value='file' ;;
        -r | --reward) value='' ;;
        --held-out) value='' ;;
        --reference) value='file' ;;
        --split) value='' ;;
        --prompts) value='' ;;
        --samples) value='' ;;
        -n | --max-new-tokens) value='' ;;
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
    'accord bench fit')
        case $2 in
        --model) value='bradley-terry davidson rao-kupper plackett-luce crowd-bt ' ;;
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
    'accord bench head')
        case $2 in
        --rows) value='' ;;
        --inputs) value='' ;;
        --outputs) value='' ;;
        --only) value='' ;;
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
    'accord bench linear')
        case $2 in
        --rows) value='' ;;
        --inputs) value='' ;;
        --outputs) value='' ;;
        --only) value='' ;;
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
