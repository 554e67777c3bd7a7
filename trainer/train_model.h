/* train_model.h - what a trainer starts from: a tokenizer, and a model that it fits.
 *
 * Threads:  main thread.
 */
#ifndef TRAINER_TRAIN_MODEL_H
#define TRAINER_TRAIN_MODEL_H

#include "base/hash.h"
#include "data/tokenizer.h"
#include "policy/model.h"
#include "trainer/run.h"
#include "trainer/train_config.h"

/* The model's own, or that of `tokenizer` in the configuration: a preset has none. */
ERR_NODISCARD enum err_code train_model_open_tokenizer(const struct train_config *config,
                                                       struct tokenizer **out, struct error *err);

/* What stands on the decoder; all zero: a language model's head. */
struct train_head {
    enum model_head_kind kind;
    double score_init_std, value_scale; /* policy/model.h */
};

/* What is known of the model before its weights are loaded. */
struct train_base {
    int64_t context; /* tokens that it takes */
    /* Of what a checkpoint of the run does not hold: the model's configuration, and with
     * train = lora its weights, which must not change before the run is resumed. */
    struct hash_digest hash;
};
ERR_NODISCARD enum err_code train_model_look(const struct train_config *config,
                                             enum model_head_kind head, struct train_base *out_base,
                                             struct error *err);

/* What matrix products compute in: as the run says, or what the device does faster. */
ERR_NODISCARD enum err_code train_model_compute_dtype(const struct run *run,
                                                      struct tt_device device, enum tt_dtype *out,
                                                      struct error *err);

/* What a model is opened from, and as. Borrowed. */
struct train_start {
    const struct train_config *config;
    struct tt_device device;
    const struct tokenizer *tokenizer;
    struct train_head head;
};

/* Weights as they are, or random ones of a preset, whose vocabulary becomes the tokenizer's.
 *   fails    ERR_CONFIG for adapters' targets that are no weights; ERR_DATA when the tokenizer has
 *            more tokens than the model; what opening fails with */
ERR_NODISCARD enum err_code train_model_open(struct run *run, const struct train_start *start,
                                             struct model **out, struct error *err);

#endif
