/* model_layout.c - see model_layout.h. */
#include "policy/model_layout.h"

#include "base/invariant.h"

#include <inttypes.h>
#include <stdio.h>

#define FIRST_IN_LAYER MODEL_ATTN_NORM
#define LAST_IN_LAYER  MODEL_MLP_DOWN_BIAS

enum block { BLOCK_HEAD, BLOCK_ROW, BLOCK_TENSOR };

static const struct role_facts {
    const char *name;
    int64_t dims;
    bool decay;
    enum block block;
} roles[] = {
#define ROLE_FACTS(role, name, dims, decay, block) {name, dims, decay, BLOCK_##block},
    MODEL_ROLES(ROLE_FACTS)
#undef ROLE_FACTS
};

bool model_role_in_layer(enum model_role role) {
    return role >= FIRST_IN_LAYER && role <= LAST_IN_LAYER;
}

bool model_has_role(const struct model_config *config, enum model_role role) {
    switch (role) {
    case MODEL_POSITION:
        return config->position == MODEL_POSITION_LEARNED;
    case MODEL_ATTN_NORM_BIAS:
    case MODEL_MLP_NORM_BIAS:
    case MODEL_FINAL_NORM_BIAS:
        return config->norm == MODEL_NORM_LAYER;
    case MODEL_Q_BIAS:
    case MODEL_K_BIAS:
    case MODEL_V_BIAS:
        return config->qkv_bias;
    case MODEL_Q_NORM:
    case MODEL_K_NORM:
        return config->qk_norm;
    case MODEL_ATTN_OUT_BIAS:
        return config->attn_out_bias;
    case MODEL_MLP_GATE:
        return config->mlp == MODEL_MLP_SWIGLU;
    case MODEL_MLP_UP_BIAS:
    case MODEL_MLP_DOWN_BIAS:
        return config->mlp_bias;
    case MODEL_HEAD:
        return config->head == MODEL_HEAD_LM && !config->tied_head;
    case MODEL_SCORE:
        return config->head == MODEL_HEAD_SCORE;
    case MODEL_EMBED:
    case MODEL_ATTN_NORM:
    case MODEL_Q:
    case MODEL_K:
    case MODEL_V:
    case MODEL_ATTN_OUT:
    case MODEL_MLP_NORM:
    case MODEL_MLP_UP:
    case MODEL_MLP_DOWN:
    case MODEL_FINAL_NORM:
        return true;
    case MODEL_ROLE_COUNT:
        break;
    }
    return false;
}

/* [rows, columns], or [size] with one dimension. */
static void set_shape(const struct model_config *config, struct model_tensor *tensor) {
    const int64_t hidden = config->hidden;
    const int64_t q_width = config->heads * config->head_dim;
    const int64_t kv_width = config->kv_heads * config->head_dim;
    const int64_t shapes[][2] = {
        [MODEL_EMBED] = {config->vocab, hidden},
        [MODEL_POSITION] = {config->position_offset + config->context, hidden},
        [MODEL_ATTN_NORM] = {hidden},
        [MODEL_ATTN_NORM_BIAS] = {hidden},
        [MODEL_Q] = {q_width, hidden},
        [MODEL_Q_BIAS] = {q_width},
        [MODEL_K] = {kv_width, hidden},
        [MODEL_K_BIAS] = {kv_width},
        [MODEL_V] = {kv_width, hidden},
        [MODEL_V_BIAS] = {kv_width},
        [MODEL_Q_NORM] = {config->head_dim},
        [MODEL_K_NORM] = {config->head_dim},
        [MODEL_ATTN_OUT] = {hidden, q_width},
        [MODEL_ATTN_OUT_BIAS] = {hidden},
        [MODEL_MLP_NORM] = {hidden},
        [MODEL_MLP_NORM_BIAS] = {hidden},
        [MODEL_MLP_GATE] = {config->mlp_hidden, hidden},
        [MODEL_MLP_UP] = {config->mlp_hidden, hidden},
        [MODEL_MLP_UP_BIAS] = {config->mlp_hidden},
        [MODEL_MLP_DOWN] = {hidden, config->mlp_hidden},
        [MODEL_MLP_DOWN_BIAS] = {hidden},
        [MODEL_FINAL_NORM] = {hidden},
        [MODEL_FINAL_NORM_BIAS] = {hidden},
        [MODEL_HEAD] = {config->vocab, hidden},
        [MODEL_SCORE] = {1, hidden},
    };
    tensor->shape[0] = shapes[tensor->role][0];
    tensor->shape[1] = tensor->dims == 2 ? shapes[tensor->role][1] : 1;
}

static int64_t block_rows_of(const struct model_config *config, const struct model_tensor *tensor) {
    switch (roles[tensor->role].block) {
    case BLOCK_HEAD:
        return config->head_dim;
    case BLOCK_TENSOR:
        return tensor->shape[0];
    case BLOCK_ROW:
        break;
    }
    return 1;
}

struct model_tensor model_layout_of(const struct model_config *config, enum model_role role,
                                    int64_t layer) {
    ASSERT((unsigned)role < MODEL_ROLE_COUNT);
    const struct role_facts *facts = &roles[role];
    struct model_tensor tensor = {
        .role = role, .layer = -1, .dims = facts->dims, .decay = facts->decay};
    set_shape(config, &tensor);
    tensor.block_rows = block_rows_of(config, &tensor);
    if (model_role_in_layer(role)) {
        ASSERT(layer >= 0 && layer < config->layers);
        tensor.layer = layer;
        (void)snprintf(tensor.name, sizeof tensor.name, "layers.%" PRId64 ".%s", layer,
                       facts->name);
    } else {
        (void)snprintf(tensor.name, sizeof tensor.name, "%s", facts->name);
    }
    return tensor;
}

static int64_t count_roles(const struct model_config *config, enum model_role first,
                           enum model_role last) {
    int64_t count = 0;
    for (int64_t role = first; role <= (int64_t)last; role++) {
        count += model_has_role(config, (enum model_role)role);
    }
    return count;
}

/* The index-th role that the config has, from `first` on. */
static enum model_role find_role(const struct model_config *config, enum model_role first,
                                 int64_t index) {
    int64_t role = first;
    for (;; role++) {
        ASSERT(role < MODEL_ROLE_COUNT);
        if (model_has_role(config, (enum model_role)role) && index-- == 0) {
            return (enum model_role)role;
        }
    }
}

int64_t model_layout_count(const struct model_config *config) {
    return count_roles(config, MODEL_EMBED, FIRST_IN_LAYER - 1) +
           config->layers * count_roles(config, FIRST_IN_LAYER, LAST_IN_LAYER) +
           count_roles(config, LAST_IN_LAYER + 1, MODEL_ROLE_COUNT - 1);
}

struct model_tensor model_layout_at(const struct model_config *config, int64_t index) {
    ASSERT(index >= 0);
    int64_t before = count_roles(config, MODEL_EMBED, FIRST_IN_LAYER - 1);
    if (index < before) {
        return model_layout_of(config, find_role(config, MODEL_EMBED, index), -1);
    }
    index -= before;
    int64_t in_layer = count_roles(config, FIRST_IN_LAYER, LAST_IN_LAYER);
    int64_t layer = index / in_layer;
    if (layer < config->layers) {
        return model_layout_of(config, find_role(config, FIRST_IN_LAYER, index % in_layer), layer);
    }
    index -= config->layers * in_layer;
    return model_layout_of(config, find_role(config, LAST_IN_LAYER + 1, index), -1);
}

int64_t model_layout_index(const struct model_config *config, enum model_role role, int64_t layer) {
    ASSERT(model_has_role(config, role));
    if (role < FIRST_IN_LAYER) {
        return count_roles(config, MODEL_EMBED, role) - 1;
    }
    int64_t before = count_roles(config, MODEL_EMBED, FIRST_IN_LAYER - 1);
    int64_t in_layer = count_roles(config, FIRST_IN_LAYER, LAST_IN_LAYER);
    if (model_role_in_layer(role)) {
        return before + layer * in_layer + count_roles(config, FIRST_IN_LAYER, role) - 1;
    }
    return before + config->layers * in_layer + count_roles(config, LAST_IN_LAYER + 1, role) - 1;
}

int64_t model_tensor_elements(const struct model_tensor *tensor) {
    return tensor->shape[0] * tensor->shape[1];
}

int64_t model_parameters(const struct model_config *config) {
    int64_t parameters = 0;
    for (int64_t r = 0; r < MODEL_ROLE_COUNT; r++) {
        enum model_role role = (enum model_role)r;
        if (model_has_role(config, role)) {
            struct model_tensor tensor = model_layout_of(config, role, 0);
            parameters +=
                model_tensor_elements(&tensor) * (model_role_in_layer(role) ? config->layers : 1);
        }
    }
    return parameters;
}
