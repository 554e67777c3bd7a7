/* lora_adapter.h - an adapter outside tensor-land: what PEFT's files hold, and merging it into
 * weights. No torch.
 *
 * Use:      SCOPED(lora_adapter) struct lora_adapter *adapter = NULL;
 *           TRY(lora_adapter_read("runs/7/final", &config, &adapter, err));
 *           lora_adapter_merge(adapter, MODEL_Q, 3, weight);   // weight += scale B A
 * PEFT:     adapter_config.json and adapter_model.safetensors, peft_type LORA, as PEFT 0.21 reads
 *           and writes them. rank_pattern and alpha_pattern are honoured: ranks are filled up with
 *           zeros to the largest, and scales folded into B. Refused by name: DoRA, biases, other
 *           modules_to_save, adapters of embeddings, initialisations that change the base model.
 * Scores:   an adapter with task_type SEQ_CLS holds score.weight too, whole (modules_to_save
 *           "classifier" and "score"), and makes a model of scores of its base, whatever head that
 *           has: lora_adapter_model is of that model.
 * gpt2:     its q, k and v are one module, c_attn, with one A. Read, each of the three gets that A
 *           and its rows of B; written, they become one of three times the rank, with a
 *           rank_pattern that says so.
 * Owns:     its values.
 * Threads:  may be read by many.
 */
#ifndef POLICY_LORA_ADAPTER_H
#define POLICY_LORA_ADAPTER_H

#include "base/error.h"
#include "base/strbuf.h"
#include "policy/lora_config.h"
#include "policy/model_config.h"
#include "policy/model_layout.h"

#include <stdint.h>

struct lora_adapter;
struct weight_source;

/* One adapted weight [out, in]; both halves NULL where the adapter has none. */
struct lora_pair {
    float *a; /* [r, in] */
    float *b; /* [out, r] */
    int64_t out, in;
};

/* All zero. fails ERR_CONFIG as lora_config_check; ERR_OOM. */
ERR_NODISCARD enum err_code lora_adapter_new(const struct model_config *config,
                                             const struct lora_config *lora,
                                             struct lora_adapter **out, struct error *err);
void lora_adapter_free(struct lora_adapter *adapter); /* NULL is a no-op */

/* Of the model that the base and the adapter make. */
const struct model_config *lora_adapter_model(const struct lora_adapter *adapter);
struct lora_config lora_adapter_config(const struct lora_adapter *adapter);
struct lora_pair lora_adapter_pair(const struct lora_adapter *adapter, enum model_role role,
                                   int64_t layer);

/* score.weight [D] of a model of scores; NULL of a language model. Values as those of pairs. */
float *lora_adapter_score(const struct lora_adapter *adapter);

/* weight [out, in] += scale B A; nothing where there is no pair. Sums of the update in double. */
void lora_adapter_merge(const struct lora_adapter *adapter, enum model_role role, int64_t layer,
                        float *weight);

/* A weight of the base, with the adapter in it: as weight_source_read, in f32. `adapter` NULL: the
 * base's own. */
ERR_NODISCARD enum err_code lora_adapter_read_weight(const struct lora_adapter *adapter,
                                                     const struct weight_source *base,
                                                     const struct model_tensor *tensor,
                                                     int64_t threads, float *out_values,
                                                     struct error *err);

/* Whether `folder` holds an adapter (adapter_config.json). */
bool lora_adapter_is_in(const char *folder);

/* Appends what the adapter's files say it was trained on: a path, or a name that only the Hugging
 * Face hub knows.
 *   fails    ERR_DATA where they do not say; ERR_IO; ERR_OOM */
ERR_NODISCARD enum err_code lora_adapter_base(const char *folder, struct strbuf *out,
                                              struct error *err);

/* The adapter of a model of this config.
 *   fails    ERR_IO; ERR_DATA naming file and key, a tensor that fits no weight of the model, or an
 *            adapter of a language model for a model of scores */
ERR_NODISCARD enum err_code lora_adapter_read(const char *folder, const struct model_config *config,
                                              struct lora_adapter **out, struct error *err);

/* `base` is what adapter_config.json calls the base model. Each file is whole or absent. */
ERR_NODISCARD enum err_code lora_adapter_write(const struct lora_adapter *adapter, const char *base,
                                               const char *folder, struct error *err);

static inline void lora_adapter_scoped_end(struct lora_adapter **adapter) {
    lora_adapter_free(*adapter);
}

#endif
