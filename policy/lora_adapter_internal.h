/* lora_adapter_internal.h - an adapter as its own files see it. */
#ifndef POLICY_LORA_ADAPTER_INTERNAL_H
#define POLICY_LORA_ADAPTER_INTERNAL_H

#include "policy/lora_adapter.h"
#include "policy/model_family.h"

struct lora_adapter {
    struct model_config model;
    struct lora_config lora;
    float *values;           /* of all pairs, one after the other, and of score.weight */
    float *score;            /* [D]; NULL of a language model */
    struct lora_pair *pairs; /* [layers, MODEL_ROLE_COUNT] */
};

/* --- names in PEFT's files (lora_peft.c) --- */

#define LORA_CONFIG_NAME "adapter_config.json"
#define LORA_MODEL_NAME  "adapter_model.safetensors"
#define LORA_KEY_PREFIX  "base_model.model."
#define LORA_KEY_BYTES   (MODEL_PUBLISHED_BYTES + 48)
#define LORA_SCORE_KEY   LORA_KEY_PREFIX "score.weight"

/* How PEFT names the module of a weight: its published name without ".weight". */
void lora_module_name(const struct model_config *config, enum model_role role, int64_t layer,
                      char out[MODEL_PUBLISHED_BYTES]);

/* "base_model.model.<module>.lora_A.weight", with half 'A' or 'B'. */
void lora_key(const struct model_config *config, enum model_role role, int64_t layer, char half,
              char out[LORA_KEY_BYTES]);

/* Part of a joined module (gpt2's c_attn: 0 q, 1 k, 2 v), or -1. */
int64_t lora_part(const struct model_config *config, enum model_role role);

#endif
