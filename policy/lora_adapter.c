/* lora_adapter.c - adapters in memory, and merging; see lora_adapter.h. */
#include "policy/lora_adapter_internal.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "policy/weight_source.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

double lora_scale_of(const struct lora_config *lora) {
    const double rank = (double)lora->rank;
    return lora->alpha / (lora->rank_scaled ? sqrt(rank) : rank);
}

bool lora_can_target(const struct model_config *config, enum model_role role) {
    return model_role_in_layer(role) && model_has_role(config, role) &&
           model_layout_of(config, role, 0).dims == 2;
}

enum err_code lora_config_check(const struct lora_config *lora, const struct model_config *config,
                                struct error *err) {
    if (lora->rank < 1 || lora->rank > LORA_RANK_MAX || !(lora->alpha > 0.0) ||
        !isfinite(lora->alpha)) {
        return err_set(err, ERR_CONFIG,
                       "lora: rank %" PRId64 " is outside [1, %d], or alpha %g is not positive",
                       lora->rank, LORA_RANK_MAX, lora->alpha);
    }
    if (lora->target_roles == 0) {
        return err_set(err, ERR_CONFIG, "lora: no target weights");
    }
    for (enum model_role role = 0; role < MODEL_ROLE_COUNT; role++) {
        if (lora_targets(lora, role)) {
            if (!lora_can_target(config, role)) {
                return err_set(err, ERR_CONFIG, "lora: a target is no linear weight of a %s model",
                               model_family_name(config->family));
            }
        }
    }
    return ERR_OK;
}

static int64_t place_of(enum model_role role, int64_t layer) {
    return layer * MODEL_ROLE_COUNT + (int64_t)role;
}

static int64_t pair_elements(const struct lora_adapter *adapter, enum model_role role) {
    const struct model_tensor weight = model_layout_of(&adapter->model, role, 0);
    return adapter->lora.rank * (weight.shape[0] + weight.shape[1]);
}

/* Hands the one block of values out to the pairs, layer by layer. */
static void place_pairs(struct lora_adapter *adapter) {
    float *next = adapter->values;
    for (int64_t layer = 0; layer < adapter->model.layers; layer++) {
        for (enum model_role role = 0; role < MODEL_ROLE_COUNT; role++) {
            if (lora_targets(&adapter->lora, role)) {
                const struct model_tensor weight = model_layout_of(&adapter->model, role, layer);
                struct lora_pair *pair = &adapter->pairs[place_of(role, layer)];
                *pair =
                    (struct lora_pair){.a = next, .out = weight.shape[0], .in = weight.shape[1]};
                pair->b = pair->a + adapter->lora.rank * pair->in;
                next = pair->b + adapter->lora.rank * pair->out;
            }
        }
    }
    adapter->score = adapter->model.head == MODEL_HEAD_SCORE ? next : NULL;
}

enum err_code lora_adapter_new(const struct model_config *config, const struct lora_config *lora,
                               struct lora_adapter **out, struct error *err) {
    TRY(lora_config_check(lora, config, err));
    SCOPED(lora_adapter) struct lora_adapter *adapter = mem_array_zero(1, sizeof *adapter);
    if (!adapter) {
        return err_oom(err, "adapter");
    }
    adapter->model = *config;
    adapter->lora = *lora;
    int64_t elements = config->head == MODEL_HEAD_SCORE ? config->hidden : 0;
    for (enum model_role role = 0; role < MODEL_ROLE_COUNT; role++) {
        elements += lora_targets(lora, role) ? config->layers * pair_elements(adapter, role) : 0;
    }
    adapter->values = mem_array_zero((size_t)elements, sizeof *adapter->values);
    adapter->pairs =
        mem_array_zero((size_t)(config->layers * MODEL_ROLE_COUNT), sizeof *adapter->pairs);
    if (!adapter->values || !adapter->pairs) {
        return err_oom(err, "adapter");
    }
    place_pairs(adapter);
    *out = MOVE(adapter);
    return ERR_OK;
}

void lora_adapter_free(struct lora_adapter *adapter) {
    if (adapter) {
        mem_free(adapter->pairs);
        mem_free(adapter->values);
        mem_free(adapter);
    }
}

const struct model_config *lora_adapter_model(const struct lora_adapter *adapter) {
    return &adapter->model;
}

struct lora_config lora_adapter_config(const struct lora_adapter *adapter) {
    return adapter->lora;
}

struct lora_pair lora_adapter_pair(const struct lora_adapter *adapter, enum model_role role,
                                   int64_t layer) {
    return adapter->pairs[place_of(role, layer)];
}

float *lora_adapter_score(const struct lora_adapter *adapter) {
    return adapter->score;
}

/* Columns whose sums are kept at a time. */
#define MERGE_COLUMNS 64

/* Row i of the update: weight_row[j] += scale sum_r b[i, r] a[r, j], for the columns from begin. */
static void merge_columns(const struct lora_pair *pair, int64_t rank, double scale, int64_t i,
                          int64_t begin, float *weight_row) {
    const float *b = pair->b + i * rank;
    const int64_t left = pair->in - begin;
    const int64_t count = left < MERGE_COLUMNS ? left : MERGE_COLUMNS;
    double sum[MERGE_COLUMNS] = {0};
    for (int64_t r = 0; r < rank; r++) {
        const float *a = pair->a + r * pair->in + begin;
        for (int64_t j = 0; j < count; j++) {
            sum[j] += (double)b[r] * (double)a[j];
        }
    }
    for (int64_t j = 0; j < count; j++) {
        weight_row[begin + j] = (float)((double)weight_row[begin + j] + scale * sum[j]);
    }
}

void lora_adapter_merge(const struct lora_adapter *adapter, enum model_role role, int64_t layer,
                        float *weight) {
    const struct lora_pair pair = lora_adapter_pair(adapter, role, layer);
    if (!pair.a) {
        return;
    }
    const int64_t rank = adapter->lora.rank;
    const double scale = lora_scale_of(&adapter->lora);
    for (int64_t i = 0; i < pair.out; i++) {
        for (int64_t j = 0; j < pair.in; j += MERGE_COLUMNS) {
            merge_columns(&pair, rank, scale, i, j, weight + i * pair.in);
        }
    }
}

enum err_code lora_adapter_read_weight(const struct lora_adapter *adapter,
                                       const struct weight_source *base,
                                       const struct model_tensor *tensor, int64_t threads,
                                       float *out_values, struct error *err) {
    if (adapter && adapter->score && tensor->role == MODEL_SCORE) {
        memcpy(out_values, adapter->score, (size_t)adapter->model.hidden * sizeof *out_values);
        return ERR_OK;
    }
    TRY(weight_source_read(base, tensor, WEIGHT_F32, threads, out_values, err));
    if (adapter && tensor->layer >= 0) {
        lora_adapter_merge(adapter, tensor->role, tensor->layer, out_values);
    }
    return ERR_OK;
}
