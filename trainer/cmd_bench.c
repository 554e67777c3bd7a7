/* cmd_bench.c - accord bench: how fast the pieces are on this machine. Cases that need tensors are
 * in lm_bench.c. */
#include "reward/tabular_fit.h"
#include "trainer/bench.h"
#include "trainer/bench_fit.h"
#include "trainer/bench_start.h"
#include "trainer/command_table.h"

#include <stdio.h>

static enum err_code measure_starts(struct run *run, const struct command_args *args,
                                    const struct bench_case *cases, int64_t count,
                                    const char *title, struct error *err) {
    struct bench_report report = {.count = 0};
    (void)snprintf(report.title, sizeof report.title, "%s", title);
    int64_t repeats = command_args_integer(args, "repeats");
    TRY(bench_measure(run, cases, count, repeats, &report, err));
    return bench_finish(&report, run, err);
}

static enum err_code bench_start_run(struct run *run, const struct command_args *args,
                                     struct error *err) {
    char program[] = "accord", help[] = "--help", version[] = "version", doctor[] = "doctor",
         no_torch[] = "--no-torch";
    char *help_words[] = {program, help, NULL};
    char *version_words[] = {program, version, NULL};
    char *doctor_words[] = {program, doctor, no_torch, NULL};
    const struct bench_case cases[] = {
        {.name = "accord --help", .run = bench_start_program, .context = help_words},
        {.name = "accord version", .run = bench_start_program, .context = version_words},
        {.name = "accord doctor --no-torch", .run = bench_start_program, .context = doctor_words},
    };
    return measure_starts(run, args, cases, 3, "From start to exit, without libtorch", err);
}

static enum err_code bench_torch_run(struct run *run, const struct command_args *args,
                                     struct error *err) {
    char program[] = "accord", help[] = "--help", bench[] = "bench", one_op[] = "one-op";
    char *help_words[] = {program, help, NULL};
    char *one_op_words[] = {program, bench, one_op, NULL};
    const struct bench_case cases[] = {
        {.name = "accord --help", .run = bench_start_program, .context = help_words},
        {.name = "load libtorch, add two numbers",
         .run = bench_start_program,
         .context = one_op_words},
    };
    return measure_starts(run, args, cases, 2, "From start to exit, with libtorch", err);
}

#define REPEATS_OPTION                                                                \
    {                                                                                 \
        .name = "repeats", .short_name = 'r', .kind = OPTION_INTEGER, .metavar = "N", \
        .default_text = "7", .min = 1, .max = BENCH_REPEATS_MAX,                      \
        .help = "measured runs of each case"                                          \
    }

static const struct command_option repeats_options[] = {
    REPEATS_OPTION,
    {.name = NULL},
};

static const struct command_option adamw_options[] = {
    {.name = "parameters",
     .short_name = 'n',
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .default_text = "16000000",
     .min = 1000,
     .max = 4e9,
     .help = "parameters in the flat buffer, 16 bytes each"},
    {.name = "tensors",
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .default_text = "100",
     .min = 1,
     .max = 1e5,
     .help = "tensors that the per-tensor case cuts them into"},
    REPEATS_OPTION,
    {.name = NULL},
};

static const struct command_option scope_options[] = {
    {.name = "cycles",
     .short_name = 'n',
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .default_text = "20000",
     .min = 1,
     .max = 1e9,
     .help = "cycles of ten ops in each run"},
    REPEATS_OPTION,
    {.name = NULL},
};

/* Sizes of a matrix product: the defaults are one micro-batch of a model of 135M parameters. */
#define SIZE_OPTION(option_name, default_size, meaning)                         \
    {                                                                           \
        .name = (option_name), .kind = OPTION_INTEGER, .metavar = "N",          \
        .default_text = (default_size), .min = 1, .max = 1e6, .help = (meaning) \
    }
#define FUSED_OPTIONS(cases)                                                       \
    {.name = "forward", .kind = OPTION_FLAG, .help = "without the backward pass"}, \
        {.name = "only",                                                           \
         .kind = OPTION_INTEGER,                                                   \
         .metavar = "N",                                                           \
         .default_text = "0",                                                      \
         .min = 0,                                                                 \
         .max = (cases),                                                           \
         .help = "case N alone, to see its memory; 0 for all"},                    \
        REPEATS_OPTION, {                                                          \
        .name = NULL                                                               \
    }

static const struct command_option head_options[] = {
    SIZE_OPTION("rows", "1024", "tokens"),
    SIZE_OPTION("inputs", "576", "size of a hidden state"),
    SIZE_OPTION("outputs", "49152", "entries of the vocabulary"),
    FUSED_OPTIONS(6),
};

static const struct command_option linear_options[] = {
    SIZE_OPTION("rows", "1024", "tokens"),
    SIZE_OPTION("inputs", "576", "inputs of the layer"),
    SIZE_OPTION("outputs", "1536", "outputs of the layer"),
    FUSED_OPTIONS(3),
};

#define MODEL_NAME(name, text) text,
static const char *const models[] = {TABULAR_MODELS(MODEL_NAME) NULL};
#undef MODEL_NAME

static const struct command_option fit_options[] = {
    {.name = "model",
     .kind = OPTION_CHOICE,
     .choices = models,
     .default_text = "bradley-terry",
     .help = "the model; ties count half where it has none"},
    {.name = "position-effect", .kind = OPTION_FLAG, .help = "with an effect of the order shown"},
    {.name = "map",
     .kind = OPTION_FLAG,
     .help = "the posterior mode instead of maximum likelihood"},
    REPEATS_OPTION,
    {.name = NULL},
};

static const struct command_positional fit_positionals[] = {
    {.name = "project.db", .kind = OPTION_FILE, .help = "the project file"},
    {.name = NULL},
};

static const struct command bench_fit = {
    .name = "fit",
    .purpose = "time a tabular reward on the comparisons of a project",
    .options = fit_options,
    .positionals = fit_positionals,
    .function = bench_fit_run,
};

static const struct command bench_start = {
    .name = "start",
    .purpose = "time the start of commands that need no libtorch",
    .options = repeats_options,
    .function = bench_start_run,
};

static const struct command bench_torch = {
    .name = "torch",
    .purpose = "time the start of commands that load libtorch",
    .options = repeats_options,
    .function = bench_torch_run,
};

static const struct command bench_adamw = {
    .name = "adamw",
    .purpose = "time one AdamW step against memory bandwidth and against ATen",
    .description = "The step moves 28 bytes a parameter, so memory bounds it. The first case, the "
                   "yardstick, reads and writes as many streams of bytes and computes nothing.",
    .options = adamw_options,
    .lm_function = "bench adamw",
};

static const struct command bench_scope = {
    .name = "scope",
    .purpose = "time tensor ops through the shim against the same ops in C++",
    .description = "One cycle opens a scope, makes ten ops on tensors of one element, and closes "
                   "it: what is measured is the cost of the shim, not of the arithmetic.",
    .options = scope_options,
    .lm_function = "bench scope",
};

static const struct command bench_head = {
    .name = "head",
    .purpose = "time log-probabilities from hidden states against ATen",
    .description = "Rates count the products that the plain formula needs: 2 a row, input and "
                   "output forward, 4 backward.",
    .options = head_options,
    .lm_function = "bench head",
};

static const struct command bench_linear = {
    .name = "linear",
    .purpose = "time a linear layer in bf16 with an f32 weight against ATen",
    .options = linear_options,
    .lm_function = "bench linear",
};

static const struct command bench_one_op = {
    .name = "one-op",
    .hidden = true,
    .purpose = "load libtorch, add two numbers, and exit; what 'bench torch' times",
    .lm_function = "bench one-op",
};

static const struct command *const subcommands[] = {
    &bench_start, &bench_fit,    &bench_torch,  &bench_adamw, &bench_scope,
    &bench_head,  &bench_linear, &bench_one_op, NULL,
};

static const struct command_example examples[] = {
    {"accord bench start", "is `accord --help` below 20 ms here?"},
    {"accord bench adamw --json", "the optimiser's bytes per second, for a program"},
    {NULL, NULL},
};

const struct command cmd_bench = {
    .name = "bench",
    .group = COMMAND_GROUP_TOOLS,
    .purpose = "time the pieces on this machine",
    .description = "Cases that are compared take turns, and each is given by its best, median and "
                   "worst time. Stop other programs first: the worst time shows whether they "
                   "disturbed the measurement.",
    .subcommands = subcommands,
    .examples = examples,
};
