/* run.h - what a command works with: all state of one run of the program.
 *
 * Use:      command_run.c makes one and hands it to the command. Nothing that a run needs is
 *           global, so a test can have two.
 *
 *               const struct align_config *config = run->config;
 *               log_info(run->log, "align", "seed %" PRIu64, run->settings->seed);
 *
 * Owns:     configuration and log; run_deinit releases them.
 * Threads:  main thread, except where a field's type says otherwise.
 */
#ifndef TRAINER_RUN_H
#define TRAINER_RUN_H

#include "base/clock.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/thread_count.h"
#include "trainer/command_parse.h"
#include "trainer/output.h"
#include "trainer/run_config.h"

struct run {
    struct output *output; /* borrowed: main.c prints errors through it afterwards */
    struct clock clock;
    struct log *log;
    bool quiet;                              /* --quiet: no progress */
    const struct config_table *config_table; /* of the command */
    void *config;                            /* its struct, filled; begins with run_config */
    const struct run_config *settings;       /* that beginning */
};

#define RUN_INIT \
    { .output = NULL, .log = NULL, .config_table = NULL, .config = NULL, .settings = NULL }

/* Reads the options that every command accepts, and the configuration: defaults, then --config,
 * then --set in order, then --seed, --threads and --device. `run` must be RUN_INIT, stays where it
 * is, and is owned by the caller (run_deinit), also after a failure; `output` must outlive it.
 *   fails  ERR_USAGE or ERR_CONFIG naming the option or key; ERR_IO for the file; ERR_OOM */
ERR_NODISCARD enum err_code run_init(struct run *run, struct output *output,
                                     const struct command_args *args, struct error *err);

void run_deinit(struct run *run);

/* How many threads this run computes with, and why.
 *   fails  ERR_CONFIG for an OMP_NUM_THREADS that is no number; ERR_OOM */
ERR_NODISCARD enum err_code run_threads(const struct run *run, struct thread_count *out,
                                        struct error *err);

/* Begins the progress of a long piece of work on standard error, or none with --quiet; `total` in
 * `unit` (plural). `out` is closed by progress_finish or progress_close, before `run` ends. */
void run_progress_open(struct run *run, const char *label, const char *unit, int64_t total,
                       struct progress *out);

/* The same, where an earlier process did `start` of `total`: they are no part of the rate. */
void run_progress_resume(struct run *run, const char *label, const char *unit, int64_t total,
                         int64_t start, struct progress *out);

static inline void run_scoped_end(struct run *run) {
    run_deinit(run);
}

#endif
