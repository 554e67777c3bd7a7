/* sft_model.h - what `accord sft` starts from: a tokenizer, and a model that it fits.
 *
 * Threads:  main thread.
 */
#ifndef TRAINER_SFT_MODEL_H
#define TRAINER_SFT_MODEL_H

#include "base/hash.h"
#include "data/tokenizer.h"
#include "policy/model.h"
#include "trainer/run.h"
#include "trainer/sft_config.h"

/* The model's own, or that of `tokenizer` in the configuration: a preset has none. */
ERR_NODISCARD enum err_code sft_model_open_tokenizer(const struct sft_config *config,
                                                     struct tokenizer **out, struct error *err);

/* What is known of the model before its weights are loaded. */
struct sft_base {
    int64_t context; /* tokens that it takes */
    /* Of what a checkpoint of the run does not hold: the model's configuration, and with
     * train = lora its weights, which must not change before the run is resumed. */
    struct hash_digest hash;
};
ERR_NODISCARD enum err_code sft_model_look(const struct sft_config *config,
                                           struct sft_base *out_base, struct error *err);

/* Weights as they are, or random ones of a preset, whose vocabulary becomes the tokenizer's.
 *   fails    ERR_CONFIG for adapters' targets that are no weights; ERR_DATA when the tokenizer has
 *            more tokens than the model; what opening fails with */
ERR_NODISCARD enum err_code sft_model_open(struct run *run, const struct sft_config *config,
                                           struct tt_device device,
                                           const struct tokenizer *tokenizer, struct model **out,
                                           struct error *err);

#endif
