/* lm_run.c - see lm_run.h. */
#include "trainer/lm_run.h"

#include "base/number.h"

#include <inttypes.h>
#include <stdlib.h>

#define TRACE_OFF    0
#define TRACE_OPS    2 /* every op is logged */
#define TRACE_VALUES 3

static void write_trace_line(void *context, const char *line) {
    struct run *run = context;
    log_trace(run->log, LOG_TRACE_TENSOR, "%s", line);
}

/* TT_TRACE chooses a level of tt.h by hand: 1 makes error messages tell the last ops, and 3, with
 * --trace tensor, adds what the values are. */
static enum err_code choose_trace_level(const struct run *run, int64_t *out, struct error *err) {
    const char *text = getenv("TT_TRACE");
    if (!text || !*text) {
        *out = log_traces(run->log, LOG_TRACE_TENSOR) ? TRACE_OPS : TRACE_OFF;
        return ERR_OK;
    }
    int64_t level = 0;
    if (!number_parse_i64(text, &level) || level < TRACE_OFF || level > TRACE_VALUES) {
        return err_set(err, ERR_CONFIG,
                       "TT_TRACE='%s' is not a trace level in [%d, %d]; unset or correct it", text,
                       TRACE_OFF, TRACE_VALUES);
    }
    *out = level;
    return ERR_OK;
}

enum err_code lm_run_open(struct run *run, struct tt_device *out_device, struct error *err) {
    struct thread_count threads = {.threads = 0};
    int64_t trace = TRACE_OFF;
    TRY(run_threads(run, &threads, err));
    TRY(choose_trace_level(run, &trace, err));
    const struct tt_runtime runtime = {
        .threads = threads.threads,
        .deterministic = true,
        .trace = trace,
        .trace_line = write_trace_line,
        .trace_context = run,
    };
    TRY(tt_runtime_set(&runtime, err));
    log_debug(run->log, "run", "%" PRId64 " threads (%s), device %s", threads.threads,
              threads.reason, run->settings->device);
    TRY(tt_device_parse(run->settings->device, out_device, err));
    return tt_device_open(*out_device, err);
}
