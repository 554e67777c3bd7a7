/* run_folder.h - the folder that a training run writes, made so that the run can be understood and
 * repeated.
 *
 * Use:      SCOPED(run_folder) struct run_folder folder = RUN_FOLDER_INIT;
 *           TRY(run_folder_open(run, &(struct run_folder_options){.path = "runs/7", .args = args,
 *                               .torch = tt_library_describe().version}, &folder, err));
 *           TRY(run_folder_metrics(&folder, "metrics.jsonl", first_step, &metrics, err));
 * Holds:    config.json (the effective configuration; --config takes it back), command.txt and
 *           environments.jsonl (build, libraries, processor, threads, device, seed) with a line for
 *           each process that worked in it, log.txt, metrics.jsonl and TensorBoard events,
 *           checkpoint-<step>/ (trainer/checkpoint.h) and, in the end, final/.
 * Refused:  a folder that holds a run already, unless it is resumed; resuming one with another
 *           configuration, naming the first key that differs; two runs in one folder (a lock).
 * Owns:     the path and the lock.
 * Threads:  main thread.
 */
#ifndef TRAINER_RUN_FOLDER_H
#define TRAINER_RUN_FOLDER_H

#include "base/error.h"
#include "base/hash.h"
#include "base/metrics.h"
#include "trainer/run.h"

#include <stdbool.h>
#include <stdint.h>

struct run_folder {
    char *path;
    char *lock_path;
    int lock_fd;
    struct hash_digest config; /* of config.json: what a checkpoint must agree with */
    const struct clock *clock; /* borrowed until closed */
};

#define RUN_FOLDER_INIT \
    { .path = NULL, .lock_path = NULL, .lock_fd = -1, .clock = NULL }

struct run_folder_options {
    const char *path;
    bool resume;
    const struct command_args *args;
    const char *torch; /* version of libtorch */
};

/* Makes or takes up the folder; from then on the run's log goes to its log.txt too. On failure
 * nothing of a run that was there has changed, but for a line in command.txt or environments.jsonl.
 */
ERR_NODISCARD enum err_code run_folder_open(struct run *run,
                                            const struct run_folder_options *options,
                                            struct run_folder *out_folder, struct error *err);
void run_folder_close(struct run_folder *folder);

/* A metrics file in the folder; with TensorBoard events beside it for "metrics.jsonl". Rows from
 * `first_step` on, left by a killed run, are cut off. */
ERR_NODISCARD enum err_code run_folder_metrics(const struct run_folder *folder, const char *name,
                                               int64_t first_step, struct metrics **out_metrics,
                                               struct error *err);

static inline void run_folder_scoped_end(struct run_folder *folder) {
    run_folder_close(folder);
}

#endif
