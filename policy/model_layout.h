/* model_layout.h - the parameters of a decoder: names, shapes, order.
 *
 * Use:      int64_t count = model_layout_count(&config);
 *           for (int64_t i = 0; i < count; i++) {
 *               struct model_tensor tensor = model_layout_at(&config, i);
 *               use(tensor.name, tensor.role, tensor.layer, tensor.shape);
 *           }
 * Layout:   every linear weight is [out, in]; q, k and v are apart; rope turns pairs (i, i + d/2),
 *           the Hugging Face order. What a file stores otherwise (gpt2's transposed and joined
 *           c_attn, GGUF's and llama2.c's order of rope) is turned at reading and writing
 *           (policy/model_family.h).
 * Blocks:   those of Adam-mini (arXiv 2406.16793) as its authors' code cuts them since its version
 *           1.1: q and k by head (of keys: by key head), other matrices by row, which is an output
 *           neuron or a token, norms whole, biases by element, which is a row of theirs. Here each
 *           role says so itself; there names are searched, and a head is rows / heads wide, which
 *           is not head_dim in every family.
 * Threads:  no state.
 */
#ifndef POLICY_MODEL_LAYOUT_H
#define POLICY_MODEL_LAYOUT_H

#include "policy/model_config.h"

#include <stdbool.h>
#include <stdint.h>

/* Role, our name (in a layer: behind "layers.N."), number of dimensions, whether weight decay is
 * customary, what shares a second moment in Adam-mini. */
#define MODEL_ROLES(X)                                   \
    X(EMBED, "embed.weight", 2, true, ROW)               \
    X(POSITION, "position.weight", 2, true, ROW)         \
    X(ATTN_NORM, "attn_norm.weight", 1, false, TENSOR)   \
    X(ATTN_NORM_BIAS, "attn_norm.bias", 1, false, ROW)   \
    X(Q, "attn.q.weight", 2, true, HEAD)                 \
    X(Q_BIAS, "attn.q.bias", 1, false, ROW)              \
    X(K, "attn.k.weight", 2, true, HEAD)                 \
    X(K_BIAS, "attn.k.bias", 1, false, ROW)              \
    X(V, "attn.v.weight", 2, true, ROW)                  \
    X(V_BIAS, "attn.v.bias", 1, false, ROW)              \
    X(Q_NORM, "attn.q_norm.weight", 1, false, TENSOR)    \
    X(K_NORM, "attn.k_norm.weight", 1, false, TENSOR)    \
    X(ATTN_OUT, "attn.out.weight", 2, true, ROW)         \
    X(ATTN_OUT_BIAS, "attn.out.bias", 1, false, ROW)     \
    X(MLP_NORM, "mlp_norm.weight", 1, false, TENSOR)     \
    X(MLP_NORM_BIAS, "mlp_norm.bias", 1, false, ROW)     \
    X(MLP_GATE, "mlp.gate.weight", 2, true, ROW)         \
    X(MLP_UP, "mlp.up.weight", 2, true, ROW)             \
    X(MLP_UP_BIAS, "mlp.up.bias", 1, false, ROW)         \
    X(MLP_DOWN, "mlp.down.weight", 2, true, ROW)         \
    X(MLP_DOWN_BIAS, "mlp.down.bias", 1, false, ROW)     \
    X(FINAL_NORM, "final_norm.weight", 1, false, TENSOR) \
    X(FINAL_NORM_BIAS, "final_norm.bias", 1, false, ROW) \
    X(HEAD, "head.weight", 2, true, ROW)                 \
    X(SCORE, "score.weight", 2, true, ROW)

enum model_role {
#define MODEL_ROLE_ENUM(role, name, dims, decay, block) MODEL_##role,
    MODEL_ROLES(MODEL_ROLE_ENUM)
#undef MODEL_ROLE_ENUM
        MODEL_ROLE_COUNT
};

#define MODEL_TENSOR_NAME_BYTES 48

struct model_tensor {
    enum model_role role;
    int64_t layer; /* -1 outside the layers */
    char name[MODEL_TENSOR_NAME_BYTES];
    int64_t dims;     /* 1 or 2 */
    int64_t shape[2]; /* [out, in], [rows, D], or [size, 1] for one dimension */
    bool decay;
    int64_t block_rows; /* neighbouring rows that share a second moment in Adam-mini */
};

/* Whether there is one in each layer, or one in the model. */
bool model_role_in_layer(enum model_role role);

/* Whether this config has the tensor at all (in each layer, or once). */
bool model_has_role(const struct model_config *config, enum model_role role);

/* Embedding first, then layer by layer, then norm and head: score.weight [1, D] of a model of
 * scores, which has no other; else head.weight [V, D], unless it is tied. */
int64_t model_layout_count(const struct model_config *config);
struct model_tensor model_layout_at(const struct model_config *config, int64_t index);
struct model_tensor model_layout_of(const struct model_config *config, enum model_role role,
                                    int64_t layer);

/* The place of a tensor that the config has: model_layout_at of it is model_layout_of(role, layer).
 * `layer` is ignored outside the layers. */
int64_t model_layout_index(const struct model_config *config, enum model_role role, int64_t layer);

int64_t model_tensor_elements(const struct model_tensor *tensor);

/* Elements over all tensors. */
int64_t model_parameters(const struct model_config *config);

#endif
