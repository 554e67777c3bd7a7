/* lora_config.h - which adapters a model carries (LoRA, arXiv 2106.09685), in PEFT's terms. Plain
 * data: policy/lora.h trains adapters, policy/lora_adapter.h reads, writes and merges them.
 *
 * Threads:  no state.
 */
#ifndef POLICY_LORA_CONFIG_H
#define POLICY_LORA_CONFIG_H

#include "base/error.h"
#include "policy/model_config.h"
#include "policy/model_layout.h"

#include <stdbool.h>
#include <stdint.h>

#define LORA_RANK_MAX 65536

struct lora_config {
    int64_t rank;     /* r >= 1 */
    double alpha;     /* the update is scaled by alpha / r, or alpha / sqrt(r) with rank_scaled */
    bool rank_scaled; /* rsLoRA (arXiv 2312.03732) */
    uint32_t
        target_roles; /* bit 1 << role for each adapted linear weight: MODEL_Q ... MODEL_MLP_DOWN */
};

/* alpha / r, or alpha / sqrt(r) with rank_scaled. */
double lora_scale_of(const struct lora_config *lora);

/* Whether the role is a linear weight of the model's layers. */
bool lora_can_target(const struct model_config *config, enum model_role role);

/* fails ERR_CONFIG for a rank out of range, an alpha that is not positive and finite, no targets,
 * or a target that is no linear weight of this model. */
ERR_NODISCARD enum err_code lora_config_check(const struct lora_config *lora,
                                              const struct model_config *config, struct error *err);

/* Whether weights of this role are adapted. */
static inline bool lora_targets(const struct lora_config *lora, enum model_role role) {
    return (lora->target_roles >> role & 1U) != 0;
}

#endif
