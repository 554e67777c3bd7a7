/* reference_decoder.c - see reference_decoder.h.
 *
 * Legend: T tokens, D hidden, H query heads, d head_dim, F mlp_hidden, V vocab.
 */
#include "tests/support/reference_decoder.h"

#include "base/mem.h"
#include "base/rng.h"
#include "policy/model_layout.h"
#include "tensor/kernels/kernel_convert.h"
#include "tests/support/test.h"

#include <math.h>

static double *doubles(int64_t count) {
    double *values = mem_array_zero((size_t)count, sizeof *values);
    assert_non_null(values);
    return values;
}

static int64_t elements_of(const struct model_tensor *tensor) {
    return tensor->shape[0] * tensor->shape[1];
}

struct reference_decoder *reference_decoder_new(const struct model_config *config) {
    struct reference_decoder *model = mem_array_zero(1, sizeof *model);
    assert_non_null(model);
    model->config = *config;
    model->count = model_layout_count(config);
    model->values = mem_array_zero((size_t)model->count, sizeof *model->values);
    assert_non_null(model->values);
    for (int64_t i = 0; i < model->count; i++) {
        struct model_tensor tensor = model_layout_at(config, i);
        model->values[i] = mem_array_zero((size_t)elements_of(&tensor), sizeof(float));
        assert_non_null(model->values[i]);
    }
    return model;
}

struct reference_decoder *reference_decoder_random(const struct model_config *config,
                                                   uint64_t seed) {
    struct reference_decoder *model = reference_decoder_new(config);
    for (int64_t i = 0; i < model->count; i++) {
        struct model_tensor tensor = model_layout_at(config, i);
        struct rng rng = rng_stream(seed, RNG_TEST, 0, i);
        int64_t count = elements_of(&tensor);
        rng_fill_normal_f32(&rng, model->values[i], count);
        bool is_norm = tensor.dims == 1 && !strstr(tensor.name, "bias");
        double scale = tensor.dims == 2 ? 1.0 / sqrt((double)tensor.shape[1]) : 0.1;
        scale = tensor.role == MODEL_EMBED || tensor.role == MODEL_POSITION ? 0.5 : scale;
        for (int64_t j = 0; j < count; j++) {
            model->values[i][j] = (float)((double)model->values[i][j] * scale) + (is_norm ? 1 : 0);
        }
    }
    return model;
}

void reference_decoder_free(struct reference_decoder *model) {
    for (int64_t i = 0; i < model->count; i++) {
        mem_free(model->values[i]);
    }
    mem_free(model->values);
    mem_free(model);
}

void reference_decoder_round(struct reference_decoder *model) {
    for (int64_t i = 0; i < model->count; i++) {
        struct model_tensor tensor = model_layout_at(&model->config, i);
        for (int64_t j = 0; j < elements_of(&tensor); j++) {
            model->values[i][j] = kernel_f32_of_bf16(kernel_bf16_of_f32(model->values[i][j]));
        }
    }
}

/* NULL if the model has no such tensor. */
static const float *values_of(const struct reference_decoder *model, enum model_role role,
                              int64_t layer) {
    for (int64_t i = 0; i < model->count; i++) {
        struct model_tensor tensor = model_layout_at(&model->config, i);
        if (tensor.role == role && (tensor.layer < 0 || tensor.layer == layer)) {
            return model->values[i];
        }
    }
    return NULL;
}

/* y[r] = sum over c of w[r][c] x[c] (+ bias[r]) */
static void multiply(const float *w, const float *bias, int64_t rows, int64_t columns,
                     const double *x, double *y) {
    for (int64_t r = 0; r < rows; r++) {
        y[r] = bias ? (double)bias[r] : 0.0;
        for (int64_t c = 0; c < columns; c++) {
            y[r] += (double)w[r * columns + c] * x[c];
        }
    }
}

struct norm_kind {
    bool is_rms;
    double eps;
};

static struct norm_kind norm_of(const struct model_config *config) {
    return (struct norm_kind){config->norm == MODEL_NORM_RMS, config->norm_eps};
}

static void normalise(const double *x, int64_t n, const float *weight, const float *bias,
                      const struct norm_kind *kind, double *y) {
    bool is_rms = kind->is_rms;
    double mean = 0.0;
    double square = 0.0;
    for (int64_t i = 0; i < n && !is_rms; i++) {
        mean += x[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        square += (x[i] - mean) * (x[i] - mean) / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        y[i] = (x[i] - mean) / sqrt(square + kind->eps) * (double)weight[i];
        y[i] += bias ? (double)bias[i] : 0.0;
    }
}

static void rotate(const struct model_config *config, double *head, int64_t position) {
    float frequencies[256];
    int64_t half = config->head_dim / 2;
    model_rope_frequencies(config, frequencies);
    for (int64_t i = 0; i < half; i++) {
        double angle = (double)((float)position * frequencies[i]);
        double first = head[i];
        double second = head[i + half];
        head[i] = first * cos(angle) - second * sin(angle);
        head[i + half] = second * cos(angle) + first * sin(angle);
    }
}

/* Heads of q or k of one position: norm and rotation. */
static void turn_heads(const struct reference_decoder *model, double *x, int64_t heads,
                       const float *norm, int64_t position) {
    const struct model_config *config = &model->config;
    for (int64_t h = 0; h < heads; h++) {
        double *head = x + h * config->head_dim;
        if (norm) {
            struct norm_kind kind = {true, config->norm_eps};
            normalise(head, config->head_dim, norm, NULL, &kind, head);
        }
        if (config->position == MODEL_POSITION_ROPE) {
            rotate(config, head, position);
        }
    }
}

/* q [T, H d], k and v [T, H_kv d] */
struct projected {
    double *q, *k, *v;
};

/* Softmax attention of head h at position t. */
static void attend(const struct model_config *config, const struct projected *p, int64_t t,
                   int64_t h, double *out) {
    const double *q = p->q + t * config->heads * config->head_dim;
    const double *k = p->k;
    const double *v = p->v;
    int64_t d = config->head_dim;
    int64_t width = config->kv_heads * d;
    int64_t from = h / (config->heads / config->kv_heads) * d;
    double *weight = doubles(t + 1);
    double largest = -HUGE_VAL;
    double total = 0.0;
    for (int64_t s = 0; s <= t; s++) {
        for (int64_t i = 0; i < d; i++) {
            weight[s] += q[h * d + i] * k[s * width + from + i] / sqrt((double)d);
        }
        largest = fmax(largest, weight[s]);
    }
    for (int64_t s = 0; s <= t; s++) {
        weight[s] = exp(weight[s] - largest);
        total += weight[s];
    }
    for (int64_t i = 0; i < d; i++) {
        out[h * d + i] = 0.0;
        for (int64_t s = 0; s <= t; s++) {
            out[h * d + i] += weight[s] / total * v[s * width + from + i];
        }
    }
    mem_free(weight);
}

/* x [T, D] += attention(norm(x)) */
static void add_attention(const struct reference_decoder *model, int64_t l, int64_t count,
                          double *x) {
    const struct model_config *c = &model->config;
    struct norm_kind kind = norm_of(c);
    int64_t q_width = c->heads * c->head_dim;
    int64_t kv_width = c->kv_heads * c->head_dim;
    double *normed = doubles(c->hidden);
    double *q = doubles(count * q_width);
    double *k = doubles(count * kv_width);
    double *v = doubles(count * kv_width);
    double *out = doubles(q_width);
    double *y = doubles(c->hidden);
    for (int64_t t = 0; t < count; t++) {
        normalise(x + t * c->hidden, c->hidden, values_of(model, MODEL_ATTN_NORM, l),
                  values_of(model, MODEL_ATTN_NORM_BIAS, l), &kind, normed);
        multiply(values_of(model, MODEL_Q, l), values_of(model, MODEL_Q_BIAS, l), q_width,
                 c->hidden, normed, q + t * q_width);
        multiply(values_of(model, MODEL_K, l), values_of(model, MODEL_K_BIAS, l), kv_width,
                 c->hidden, normed, k + t * kv_width);
        multiply(values_of(model, MODEL_V, l), values_of(model, MODEL_V_BIAS, l), kv_width,
                 c->hidden, normed, v + t * kv_width);
        turn_heads(model, q + t * q_width, c->heads, values_of(model, MODEL_Q_NORM, l), t);
        turn_heads(model, k + t * kv_width, c->kv_heads, values_of(model, MODEL_K_NORM, l), t);
    }
    for (int64_t t = 0; t < count; t++) {
        for (int64_t h = 0; h < c->heads; h++) {
            attend(c, &(struct projected){q, k, v}, t, h, out);
        }
        multiply(values_of(model, MODEL_ATTN_OUT, l), values_of(model, MODEL_ATTN_OUT_BIAS, l),
                 c->hidden, q_width, out, y);
        for (int64_t i = 0; i < c->hidden; i++) {
            x[t * c->hidden + i] += y[i];
        }
    }
    mem_free(normed);
    mem_free(q);
    mem_free(k);
    mem_free(v);
    mem_free(out);
    mem_free(y);
}

static double activate(enum model_mlp_kind kind, double x) {
    switch (kind) {
    case MODEL_MLP_RELU:
        return x > 0.0 ? x : 0.0;
    case MODEL_MLP_GELU:
        return 0.5 * x * (1.0 + erf(x / sqrt(2.0)));
    case MODEL_MLP_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case MODEL_MLP_SWIGLU:
        break;
    }
    return x / (1.0 + exp(-x));
}

static void add_mlp(const struct reference_decoder *model, int64_t l, int64_t count, double *x) {
    const struct model_config *c = &model->config;
    struct norm_kind kind = norm_of(c);
    const float *gate_weight = values_of(model, MODEL_MLP_GATE, l);
    double *normed = doubles(c->hidden);
    double *gate = doubles(c->mlp_hidden);
    double *up = doubles(c->mlp_hidden);
    double *y = doubles(c->hidden);
    for (int64_t t = 0; t < count; t++) {
        normalise(x + t * c->hidden, c->hidden, values_of(model, MODEL_MLP_NORM, l),
                  values_of(model, MODEL_MLP_NORM_BIAS, l), &kind, normed);
        multiply(values_of(model, MODEL_MLP_UP, l), values_of(model, MODEL_MLP_UP_BIAS, l),
                 c->mlp_hidden, c->hidden, normed, up);
        if (gate_weight) {
            multiply(gate_weight, NULL, c->mlp_hidden, c->hidden, normed, gate);
        }
        for (int64_t i = 0; i < c->mlp_hidden; i++) {
            up[i] = gate_weight ? activate(c->mlp, gate[i]) * up[i] : activate(c->mlp, up[i]);
        }
        multiply(values_of(model, MODEL_MLP_DOWN, l), values_of(model, MODEL_MLP_DOWN_BIAS, l),
                 c->hidden, c->mlp_hidden, up, y);
        for (int64_t i = 0; i < c->hidden; i++) {
            x[t * c->hidden + i] += y[i];
        }
    }
    mem_free(normed);
    mem_free(gate);
    mem_free(up);
    mem_free(y);
}

void reference_decoder_run(const struct reference_decoder *model, const int32_t *tokens,
                           int64_t count, double *out_logits) {
    const struct model_config *c = &model->config;
    struct norm_kind kind = norm_of(c);
    const float *embed = values_of(model, MODEL_EMBED, -1);
    const float *position = values_of(model, MODEL_POSITION, -1);
    const float *head = c->tied_head ? embed : values_of(model, MODEL_HEAD, -1);
    double *x = doubles(count * c->hidden);
    double *normed = doubles(c->hidden);
    for (int64_t t = 0; t < count; t++) {
        for (int64_t i = 0; i < c->hidden; i++) {
            x[t * c->hidden + i] = (double)embed[tokens[t] * c->hidden + i];
            if (position) {
                int64_t row = t + c->position_offset;
                x[t * c->hidden + i] += (double)position[row * c->hidden + i];
            }
        }
    }
    for (int64_t l = 0; l < c->layers; l++) {
        add_attention(model, l, count, x);
        add_mlp(model, l, count, x);
    }
    for (int64_t t = 0; t < count; t++) {
        normalise(x + t * c->hidden, c->hidden, values_of(model, MODEL_FINAL_NORM, -1),
                  values_of(model, MODEL_FINAL_NORM_BIAS, -1), &kind, normed);
        multiply(head, NULL, c->vocab, c->hidden, normed, out_logits + t * c->vocab);
    }
    mem_free(x);
    mem_free(normed);
}

double reference_decoder_logp(const double *logits, int64_t vocab, int64_t token) {
    double largest = logits[0];
    for (int64_t i = 1; i < vocab; i++) {
        largest = fmax(largest, logits[i]);
    }
    double total = 0.0;
    for (int64_t i = 0; i < vocab; i++) {
        total += exp(logits[i] - largest);
    }
    return logits[token] - largest - log(total);
}

static enum err_code read_values(void *context, const struct model_tensor *tensor,
                                 float *out_values, struct error *err) {
    (void)err;
    const struct reference_decoder *model = context;
    const float *values = values_of(model, tensor->role, tensor->layer);
    assert_non_null(values);
    memcpy(out_values, values, (size_t)elements_of(tensor) * sizeof *out_values);
    return ERR_OK;
}

struct decoder_weights reference_decoder_weights(const struct reference_decoder *model) {
    return (struct decoder_weights){.read = read_values,
                                    .context = (void *)(uintptr_t)(const void *)model};
}
