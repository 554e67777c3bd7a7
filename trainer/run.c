/* run.c - see run.h. */
#include "trainer/run.h"

#include "base/mem.h"
#include "base/scoped.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ASSIGNMENT_BYTES_MAX ((size_t)4096)
#define ASSIGNMENT_VALUE_MAX ((size_t)4000)

/* Options that stand for one key. */
static const struct {
    const char *option, *key;
} shorthands[] = {
    {"seed", "run.seed"},
    {"threads", "run.threads"},
    {"device", "run.device"},
};

#define SHORTHAND_COUNT ((int64_t)(sizeof shorthands / sizeof *shorthands))

/* --set in order, and behind them the shorthands, as "key=value". */
struct assignments {
    const char **items; /* owned; the texts of --set are borrowed */
    int64_t count;
    struct strbuf shorthand_texts[SHORTHAND_COUNT];
};

static void assignments_deinit(struct assignments *a) {
    mem_free(a->items);
    for (int64_t i = 0; i < SHORTHAND_COUNT; i++) {
        strbuf_deinit(&a->shorthand_texts[i]);
    }
    *a = (struct assignments){.items = NULL};
}

static inline void assignments_scoped_end(struct assignments *a) {
    assignments_deinit(a);
}

static enum err_code assignments_add_shorthands(struct assignments *a,
                                                const struct command_args *args,
                                                struct error *err) {
    for (int64_t i = 0; i < SHORTHAND_COUNT; i++) {
        const char *value = command_args_text(args, shorthands[i].option);
        if (value) {
            struct strbuf *text = &a->shorthand_texts[i];
            *text = (struct strbuf)STRBUF_INIT(ASSIGNMENT_BYTES_MAX);
            strbuf_addf(text, "%s=%s", shorthands[i].key, value);
            if (strlen(value) > ASSIGNMENT_VALUE_MAX) {
                return err_set(err, ERR_USAGE, "--%s has a value of %zu bytes, limit %zu",
                               shorthands[i].option, strlen(value), ASSIGNMENT_VALUE_MAX);
            }
            TRY(strbuf_check(text, "an option's value", err));
            a->items[a->count++] = strbuf_text(text);
        }
    }
    return ERR_OK;
}

/* `a` is zeroed, and owned by the caller also after a failure. */
static enum err_code assignments_init(struct assignments *a, const struct command_args *args,
                                      struct error *err) {
    a->items = mem_array((size_t)(args->use_count + SHORTHAND_COUNT), sizeof *a->items);
    if (!a->items) {
        return err_oom(err, "configuration");
    }
    const char *text = NULL;
    while ((text = command_args_repeated(args, "set", a->count)) != NULL) {
        a->items[a->count++] = text;
    }
    return assignments_add_shorthands(a, args, err);
}

static enum err_code load_config(struct run *run, const struct command_args *args,
                                 struct error *err) {
    SCOPED(assignments) struct assignments assignments = {.items = NULL};
    TRY(assignments_init(&assignments, args, err));
    const struct config_table *own = command_path_leaf(&args->path)->config;
    run->config_table = own ? own : &plain_config_table;
    run->config = mem_array_zero(1, run->config_table->struct_bytes);
    if (!run->config) {
        return err_oom(err, "configuration");
    }
    const struct config_source source = {
        .path = command_args_text(args, "config"),
        .assignments = assignments.items,
        .assignment_count = assignments.count,
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
