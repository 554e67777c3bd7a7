/* model_internal.h - a model as its own files see it. */
#ifndef POLICY_MODEL_INTERNAL_H
#define POLICY_MODEL_INTERNAL_H

#include "policy/model.h"

/* Handles into the store, by role; NULL where the config has none. Adapters are those of the linear
 * weight with the same role. */
struct model_handles {
    tt_tensor *role[MODEL_ROLE_COUNT];
    tt_tensor *shadow[MODEL_ROLE_COUNT]; /* bf16 copy of a trained matrix, for products in bf16 */
    tt_tensor *lora_a[MODEL_ROLE_COUNT]; /* [r, in] */
    tt_tensor *lora_b[MODEL_ROLE_COUNT]; /* [out, r] */
};

struct model {
    struct model_config config;
    struct model_options options;
    struct tt_params *params;       /* of the layout */
    struct tt_params *adapters;     /* NULL without */
    struct model_handles *layers;   /* [L] */
    struct model_handles outside;   /* embedding, final norm, head */
    tt_tensor *value;               /* value.weight [1, D] f32; NULL of a model without values */
    tt_tensor *inverse_frequencies; /* kept, [d/2] f32; NULL without rope */
    double lora_scale;              /* alpha / r, or alpha / sqrt(r) */
};

/* The handles that a tensor of the layout lives in. */
static inline struct model_handles *model_handles_of(struct model *model, int64_t layer) {
    return layer < 0 ? &model->outside : &model->layers[layer];
}

#endif
