/* lora.h - low-rank adapters of a model's linear weights: y = x W^T + scale (x A^T) B^T.
 *
 * Use:      model_new with MODEL_TRAIN_LORA declares and starts them; policy/lora_adapter.h reads,
 *           writes and merges them.
 * Names:    "layers.3.attn.q.lora_a" [r, in] and "layers.3.attn.q.lora_b" [out, r], in the model's
 *           store; f32, trainable.
 * Blocks:   those of Adam-mini are the rows of A, one for each direction that is read, and in B the
 *           rows that the adapted weight's own blocks have (policy/model_layout.h).
 * Source:   Hu et al. 2021 (arXiv 2106.09685), section 4.1; the scale alpha / sqrt(r) is that of
 *           Kalajdzievski 2023 (arXiv 2312.03732).
 * Threads:  no state.
 */
#ifndef POLICY_LORA_H
#define POLICY_LORA_H

#include "base/error.h"
#include "policy/lora_adapter.h"
#include "policy/lora_config.h"
#include "policy/model_config.h"
#include "policy/model_layout.h"
#include "tensor/tt.h"

#include <stdint.h>

#define LORA_NAME_BYTES (MODEL_TENSOR_NAME_BYTES + 8)

enum lora_half { LORA_A, LORA_B };

/* The parameter's name for a linear weight of the layout. */
void lora_name(char out_name[LORA_NAME_BYTES], const struct model_tensor *weight,
               enum lora_half half);

/* Declares both halves of every adapter, before tt_params_allocate. */
ERR_NODISCARD enum err_code lora_declare(struct tt_params *params,
                                         const struct model_config *config,
                                         const struct lora_config *lora, struct error *err);

/* A uniform in +-1/sqrt(in), as PEFT starts it (Kaiming uniform with a = sqrt 5), B zero: the
 * adapted model starts as the base. */
ERR_NODISCARD enum err_code lora_init(struct tt_params *params, const struct model_config *config,
                                      const struct lora_config *lora, uint64_t seed,
                                      struct error *err);

/* The trained values into an adapter of the same config, and an adapter's into the store, with
 * those of score.weight where there is one; `adapter` is of the same targets and rank as what was
 * declared. */
ERR_NODISCARD enum err_code lora_take(struct tt_params *params, struct lora_adapter *adapter,
                                      struct error *err);
ERR_NODISCARD enum err_code lora_put(struct tt_params *params, const struct lora_adapter *adapter,
                                     struct error *err);

#endif
