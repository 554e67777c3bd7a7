/* run.c - see run.h. */
#include "trainer/run.h"

#include "base/arena.h"
#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEY_OPTIONS_MAX   32
#define OPTION_TEXTS_MAX  (1 * MIB)
#define OPTION_NAME_BYTES 32

/* Options that stand for one key, as given. */
struct key_options {
    struct config_option items[KEY_OPTIONS_MAX];
    char names[KEY_OPTIONS_MAX][OPTION_NAME_BYTES];
    struct strbuf lists[KEY_OPTIONS_MAX]; /* values of repeatable ones, joined */
    int64_t count;
};

static void key_options_scoped_end(struct key_options *options) {
    for (int64_t i = 0; i < options->count; i++) {
        strbuf_deinit(&options->lists[i]);
    }
}

/* The values of a repeatable option as --set takes a list. */
static enum err_code join_values(const struct command_args *args, const char *option,
                                 struct strbuf *out, struct error *err) {
    const char *value = NULL;
    for (int64_t n = 0; (value = command_args_repeated(args, option, n)) != NULL; n++) {
        if (strchr(value, ',')) {
            return err_set(err, ERR_USAGE,
                           "--%s '%s': a comma parts list entries; name it in a --config file",
                           option, value);
        }
        strbuf_addf(out, "%s%s", n > 0 ? "," : "", value);
    }
    return strbuf_check(out, "an option's values", err);
}

static enum err_code add_key_option(const struct command_args *args,
                                    const struct command_option *option, struct key_options *out,
                                    struct error *err) {
    const char *value = command_args_text(args, option->name);
    if (!value) {
        return ERR_OK;
    }
    ASSERT_LT(out->count, KEY_OPTIONS_MAX);
    const int64_t place = out->count;
    (void)snprintf(out->names[place], OPTION_NAME_BYTES, "--%s", option->name);
    out->lists[place] = (struct strbuf)STRBUF_INIT(OPTION_TEXTS_MAX);
    out->count++;
    if (option->repeatable) {
        TRY(join_values(args, option->name, &out->lists[place], err));
        value = strbuf_text(&out->lists[place]);
    }
    out->items[place] = (struct config_option){
        .name = out->names[place], .key = option->config_key, .value = value};
    return ERR_OK;
}

/* From the root's options down to the command's own. */
static enum err_code find_key_options(const struct command_args *args, struct key_options *out,
                                      struct error *err) {
    for (int64_t level = 0; level < args->path.length; level++) {
        const struct command_option *option = args->path.commands[level]->options;
        for (; option && option->name; option++) {
            if (option->config_key) {
                TRY(add_key_option(args, option, out, err));
            }
        }
    }
    return ERR_OK;
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
    SCOPED(key_options) struct key_options options = {.count = 0};
    TRY(find_assignments(args, &assignments, &assignment_count, err));
    TRY(find_key_options(args, &options, err));
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
        .options = options.items,
        .option_count = options.count,
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

void run_progress_resume(struct run *run, const char *label, const char *unit, int64_t total,
                         int64_t start, struct progress *out) {
    progress_open(
        &(struct progress_options){
            .clock = &run->clock,
            .log = run->log,
            .fd = STDERR_FILENO,
            .mode = run->quiet ? PROGRESS_MODE_QUIET : progress_mode_for(STDERR_FILENO),
            .label = label,
            .unit = unit,
            .total = total,
            .start = start,
        },
        out);
}

void run_progress_open(struct run *run, const char *label, const char *unit, int64_t total,
                       struct progress *out) {
    run_progress_resume(run, label, unit, total, 0, out);
}
