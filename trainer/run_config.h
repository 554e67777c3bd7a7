/* run_config.h - the keys that every command's configuration has, in its section "run".
 *
 * Use:      A command with keys of its own puts them behind this struct and names its table in its
 *           `struct command`:
 *
 *               struct align_config {
 *                   struct run_config run;     // first
 *                   double beta;
 *               };
 *               static const struct config_field align_fields[] = {
 *                   FIELD_SECTION(align_config, run, run_config, &run_config_table, "the run"),
 *                   FIELD_F64(align_config, beta, "0.1", 1e-6, 10.0, "..."),
 *               };
 *
 *           run.c loads it, and the function reads `const struct align_config *c = run->config`.
 * Threads:  constant.
 */
#ifndef TRAINER_RUN_CONFIG_H
#define TRAINER_RUN_CONFIG_H

#include "base/config.h"
#include "base/log.h"

#include <stdint.h>

enum run_dtype { RUN_DTYPE_AUTO, RUN_DTYPE_F32, RUN_DTYPE_BF16 };

struct run_config {
    uint64_t seed;
    int64_t threads; /* 0: chosen by base/thread_count.h */
    char *device;    /* "cpu", "cuda", "cuda:1" */
    enum run_dtype dtype;
    enum log_level log_level;
};

extern const struct config_table run_config_table;

/* The configuration of a command that has no keys of its own. */
struct plain_config {
    struct run_config run;
};

extern const struct config_table plain_config_table;

#endif
