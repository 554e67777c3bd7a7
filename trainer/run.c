/* run.c - see run.h. */
#include "trainer/run.h"

#include "base/mem.h"
#include "base/scoped.h"

#include <unistd.h>

/* Options that stand for one key. */
static const struct {
    const char *option, *name, *key;
} shorthands[] = {
    {"seed", "--seed", "run.seed"},
    {"threads", "--threads", "run.threads"},
    {"device", "--device", "run.device"},
};

#define SHORTHAND_COUNT ((int64_t)(sizeof shorthands / sizeof *shorthands))

static int64_t find_shorthands(const struct command_args *args,
                               struct config_option out_options[SHORTHAND_COUNT]) {
    int64_t count = 0;
    for (int64_t i = 0; i < SHORTHAND_COUNT; i++) {
        const char *value = command_args_text(args, shorthands[i].option);
        if (value) {
            out_options[count++] = (struct config_option){
                .name = shorthands[i].name, .key = shorthands[i].key, .value = value};
        }
    }
    return count;
}

/* The texts of --set, in order; `*out_texts` is owned by the caller. */
static enum err_code find_assignments(const struct command_args *args, const char ***out_texts,
                                      int64_t *out_count, struct error *err) {
    const char **texts = mem_array((size_t)args->use_count, sizeof *texts);
    if (!texts) {
        return err_oom(err, "configuration");
    }
    int64_t count = 0;
    const char *text = NULL;
    while ((text = command_args_repeated(args, "set", count)) != NULL) {
        texts[count++] = text;
    }
    *out_texts = texts;
    *out_count = count;
    return ERR_OK;
}

static enum err_code load_config(struct run *run, const struct command_args *args,
                                 struct error *err) {
    SCOPED(mem) const char **assignments = NULL;
    int64_t assignment_count = 0;
    struct config_option options[SHORTHAND_COUNT];
    TRY(find_assignments(args, &assignments, &assignment_count, err));
    const struct config_table *own = command_path_leaf(&args->path)->config;
    run->config_table = own ? own : &plain_config_table;
    run->config = mem_array_zero(1, run->config_table->struct_bytes);
    if (!run->config) {
        return err_oom(err, "configuration");
    }
    const struct config_source source = {
        .path = command_args_text(args, "config"),
        .assignments = assignments,
        .assignment_count = assignment_count,
        .options = options,
        .option_count = find_shorthands(args, options),
    };
    TRY(config_load(run->config_table, &source, run->config, err));
    run->settings = run->config;
    return ERR_OK;
}

static enum err_code open_log(struct run *run, const struct command_args *args, struct error *err) {
    struct log_options options = {
        .clock = run->clock,
        .terminal_fd = STDERR_FILENO,
        .terminal_level = run->settings->log_level,
    };
    if (command_args_has(args, "quiet")) {
        options.terminal_level = LOG_LEVEL_WARN;
    } else if (command_args_has(args, "verbose")) {
        options.terminal_level = LOG_LEVEL_DEBUG;
    }
    const char *channels = command_args_text(args, "trace");
    if (channels) {
        TRY(err_wrap(err, log_trace_parse(channels, &options.trace_mask, err), "--trace"));
    }
    return log_open(&options, &run->log, err);
}

enum err_code run_init(struct run *run, struct output *output, const struct command_args *args,
                       struct error *err) {
    run->output = output;
    run->clock = clock_real();
    run->quiet = command_args_has(args, "quiet");
    TRY(load_config(run, args, err));
    return open_log(run, args, err);
}

void run_deinit(struct run *run) {
    log_close(run->log);
    if (run->config) {
        config_deinit(run->config_table, run->config);
        mem_free(run->config);
    }
    *run = (struct run)RUN_INIT;
}

enum err_code run_threads(const struct run *run, struct thread_count *out, struct error *err) {
    struct thread_count_inputs inputs = thread_count_look();
    inputs.wanted = run->settings->threads;
    return thread_count_choose(&inputs, out, err);
}

void run_progress_open(struct run *run, const char *label, const char *unit, int64_t total,
                       struct progress *out) {
    progress_open(
        &(struct progress_options){
            .clock = &run->clock,
            .log = run->log,
            .fd = STDERR_FILENO,
            .mode = run->quiet ? PROGRESS_MODE_QUIET : progress_mode_for(STDERR_FILENO),
            .label = label,
            .unit = unit,
            .total = total,
        },
        out);
}
