/* lora.c - see lora.h. */
#include "policy/lora.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Streams of adapters start here, behind those of the layout's own tensors. */
#define LORA_STREAM_FIRST (INT64_C(1) << 32)

void lora_name(char out_name[LORA_NAME_BYTES], const struct model_tensor *weight,
               enum lora_half half) {
    const int stem = (int)(strlen(weight->name) - strlen(".weight"));
    (void)snprintf(out_name, LORA_NAME_BYTES, "%.*s.lora_%c", stem, weight->name,
                   half == LORA_A ? 'a' : 'b');
}

/* Calls `each` for every adapted weight, in order of layers and roles. */
typedef enum err_code (*visit_weight)(void *context, const struct model_tensor *weight,
                                      int64_t index, struct error *err);

static enum err_code for_each(const struct model_config *config, const struct lora_config *lora,
                              visit_weight each, void *context, struct error *err) {
    int64_t index = 0;
    for (int64_t layer = 0; layer < config->layers; layer++) {
        for (enum model_role role = 0; role < MODEL_ROLE_COUNT; role++) {
            if (lora_targets(lora, role)) {
                const struct model_tensor weight = model_layout_of(config, role, layer);
                TRY(each(context, &weight, index, err));
                index++;
            }
        }
    }
    return ERR_OK;
}

struct adapters {
    struct tt_params *params;
    int64_t rank;
    uint64_t seed;
    const struct lora_adapter *outside; /* lora_take and lora_put */
};

static enum err_code declare_half(const struct adapters *adapters,
                                  const struct model_tensor *weight, enum lora_half half,
                                  struct error *err) {
    char name[LORA_NAME_BYTES];
    lora_name(name, weight, half);
    const bool is_a = half == LORA_A;
    const struct tt_param_spec spec = {
        .name = name,
        .dtype = TT_F32,
        .shape = is_a ? TT_SHAPE(adapters->rank, weight->shape[1])
                      : TT_SHAPE(weight->shape[0], adapters->rank),
        .trainable = true,
        .decay = true,
        .block = is_a ? weight->shape[1] : weight->block_rows * adapters->rank,
    };
    return tt_params_declare(adapters->params, &spec, err);
}

static enum err_code declare_one(void *context, const struct model_tensor *weight, int64_t index,
                                 struct error *err) {
    (void)index;
    TRY(declare_half(context, weight, LORA_A, err));
    return declare_half(context, weight, LORA_B, err);
}

static enum err_code start_one(void *context, const struct model_tensor *weight, int64_t index,
                               struct error *err) {
    const struct adapters *adapters = context;
    SCOPED(tt_scope) tt_scope *s = tt_scope_open(TT_NO_GRAD);
    char name[LORA_NAME_BYTES];
    lora_name(name, weight, LORA_A);
    tt_tensor *a = tt_param(s, adapters->params, name);
    const struct rng stream = rng_stream(adapters->seed, RNG_INIT, 0, LORA_STREAM_FIRST + index);
    const double bound = 1.0 / sqrt((double)weight->shape[1]);
    tt_tensor *uniform =
        tt_rand_uniform(s, &stream, TT_SHAPE(adapters->rank, weight->shape[1])); /* [0, 1) */
    tt_tensor *values = tt_scale(s, tt_shift(s, uniform, -0.5), 2.0 * bound);
    tt_copy_inplace(s, a, a ? tt_to_device(s, values, tt_device_of(a)) : NULL);
    return tt_scope_check(s, err);
}

enum err_code lora_declare(struct tt_params *params, const struct model_config *config,
                           const struct lora_config *lora, struct error *err) {
    struct adapters adapters = {.params = params, .rank = lora->rank};
    return for_each(config, lora, declare_one, &adapters, err);
}

enum err_code lora_init(struct tt_params *params, const struct model_config *config,
                        const struct lora_config *lora, uint64_t seed, struct error *err) {
    struct adapters adapters = {.params = params, .rank = lora->rank, .seed = seed};
    return for_each(config, lora, start_one, &adapters, err);
}

static const struct tt_device host = {TT_CPU, 0};

static tt_tensor *half_of(tt_scope *s, const struct adapters *adapters,
                          const struct model_tensor *weight, enum lora_half half) {
    char name[LORA_NAME_BYTES];
    lora_name(name, weight, half);
    return tt_param(s, adapters->params, name);
}

static enum err_code take_one(void *context, const struct model_tensor *weight, int64_t index,
                              struct error *err) {
    (void)index;
    const struct adapters *adapters = context;
    SCOPED(tt_scope) tt_scope *s = tt_scope_open(TT_NO_GRAD);
    const struct lora_pair pair = lora_adapter_pair(adapters->outside, weight->role, weight->layer);
    tt_tensor *a = half_of(s, adapters, weight, LORA_A);
    tt_tensor *b = half_of(s, adapters, weight, LORA_B);
    TRY(tt_read_f32(s, tt_to_device(s, a, host), pair.a, adapters->rank * pair.in, err));
    return tt_read_f32(s, tt_to_device(s, b, host), pair.b, adapters->rank * pair.out, err);
}

static enum err_code put_one(void *context, const struct model_tensor *weight, int64_t index,
                             struct error *err) {
    (void)index;
    const struct adapters *adapters = context;
    SCOPED(tt_scope) tt_scope *s = tt_scope_open(TT_NO_GRAD);
    const struct lora_pair pair = lora_adapter_pair(adapters->outside, weight->role, weight->layer);
    tt_tensor *a = half_of(s, adapters, weight, LORA_A);
    tt_tensor *b = half_of(s, adapters, weight, LORA_B);
    tt_tensor *new_a = tt_from_f32(s, pair.a, TT_SHAPE(adapters->rank, pair.in));
    tt_tensor *new_b = tt_from_f32(s, pair.b, TT_SHAPE(pair.out, adapters->rank));
    tt_copy_inplace(s, a, a ? tt_to_device(s, new_a, tt_device_of(a)) : NULL);
    tt_copy_inplace(s, b, b ? tt_to_device(s, new_b, tt_device_of(b)) : NULL);
    return tt_scope_check(s, err);
}

/* Both ways, for every adapted weight. */
static enum err_code exchange(struct tt_params *params, const struct lora_adapter *adapter,
                              visit_weight each, struct error *err) {
    const struct lora_config lora = lora_adapter_config(adapter);
    struct adapters adapters = {.params = params, .rank = lora.rank, .outside = adapter};
    return for_each(lora_adapter_model(adapter), &lora, each, &adapters, err);
}

static tt_tensor *score_of(tt_scope *s, const struct tt_params *params,
                           const struct lora_adapter *adapter) {
    const struct model_tensor score = model_layout_of(lora_adapter_model(adapter), MODEL_SCORE, -1);
    return tt_param(s, params, score.name); /* [1, D] */
}

enum err_code lora_take(struct tt_params *params, struct lora_adapter *adapter, struct error *err) {
    TRY(exchange(params, adapter, take_one, err));
    float *score = lora_adapter_score(adapter);
    if (!score) {
        return ERR_OK;
    }
    SCOPED(tt_scope) tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *weight = tt_to_device(s, score_of(s, params, adapter), host);
    return tt_read_f32(s, weight, score, lora_adapter_model(adapter)->hidden, err);
}

enum err_code lora_put(struct tt_params *params, const struct lora_adapter *adapter,
                       struct error *err) {
    TRY(exchange(params, adapter, put_one, err));
    const float *score = lora_adapter_score(adapter);
    if (!score) {
        return ERR_OK;
    }
    SCOPED(tt_scope) tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *weight = score_of(s, params, adapter);
    tt_tensor *values = tt_from_f32(s, score, TT_SHAPE(1, lora_adapter_model(adapter)->hidden));
    tt_copy_inplace(s, weight, weight ? tt_to_device(s, values, tt_device_of(weight)) : NULL);
    return tt_scope_check(s, err);
}
