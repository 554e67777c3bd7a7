/* checkpoint.h - what a training run needs to go on bit for bit after kill -9.
 *
 * Use:      struct checkpoint_state state = {.step = 200, .config = hash, ...};
 *           TRY(checkpoint_save("runs/7", &state, params, adamw, err));
 *           TRY(checkpoint_keep_newest("runs/7", 2, err));
 *
 *           TRY(checkpoint_newest("runs/7", &step, err));            // -1: none
 *           expected.step = step;
 *           TRY(checkpoint_load("runs/7", &expected, params, adamw, numbers, err));
 * Folder:   runs/7/checkpoint-200/ with params.safetensors (every trainable parameter),
 *           optimizer.safetensors (the moments and step count) and state.json. It is written as
 *           "checkpoint-200.tmp" and renamed when whole, so a folder of the final name is whole.
 * Frozen:   parameters that are not trained come from the base model again and are not saved.
 * Refused:  a checkpoint of another configuration, data, base model, build, thread count,
 *           device, instruction set or dtype, naming what differs: the run would not continue with
 * the same bits. Likewise one whose files are not as they were saved, by the SHA-256 in state.json.
 * Threads:  no state.
 */
#ifndef TRAINER_CHECKPOINT_H
#define TRAINER_CHECKPOINT_H

#include "base/error.h"
#include "base/hash.h"
#include "tensor/tt.h"

#include <stdint.h>

#define CHECKPOINT_DEVICE_BYTES 16
#define CHECKPOINT_NUMBERS_MAX  16

/* A number of the recipe's own, such as the best evaluation so far. */
struct checkpoint_number {
    const char *name; /* static, or owned by whoever fills the state */
    double value;
};

struct checkpoint_state {
    int64_t step;              /* steps done */
    struct hash_digest config; /* of the effective configuration */
    struct hash_digest data;   /* of what is learnt, as the model sees it */
    struct hash_digest model;  /* of what is not saved with it: the base's sizes, frozen weights */
    char build[64];
    int64_t threads;
    char device[CHECKPOINT_DEVICE_BYTES];
    char processor[64];  /* the instruction sets that libtorch and our kernels use */
    const char *compute; /* dtype of matrix products */
    struct checkpoint_number numbers[CHECKPOINT_NUMBERS_MAX];
    int64_t numbers_count;
};

ERR_NODISCARD enum err_code checkpoint_save(const char *run_folder,
                                            const struct checkpoint_state *state,
                                            const struct tt_params *params,
                                            const struct tt_adamw *adamw, struct error *err);

/* The step of the newest whole checkpoint, -1 without one. */
ERR_NODISCARD enum err_code checkpoint_newest(const char *run_folder, int64_t *out_step,
                                              struct error *err);

/* Loads parameters and optimiser of step `expected->step`, after state.json has been compared with
 * `expected` (all but the numbers' values). On failure the store may hold a part: give up the run.
 *   out_numbers  [expected->numbers_count], by the names of `expected` */
ERR_NODISCARD enum err_code checkpoint_load(const char *run_folder,
                                            const struct checkpoint_state *expected,
                                            struct tt_params *params, struct tt_adamw *adamw,
                                            double *out_numbers, struct error *err);

/* Removes all but the `count` newest, and what a killed save left behind. */
ERR_NODISCARD enum err_code checkpoint_keep_newest(const char *run_folder, int64_t count,
                                                   struct error *err);

#endif
