/* kernel_decode_rows.c - see kernel_decode_rows.h. */
#include "tensor/kernels/kernel_decode_rows.h"

#include "base/invariant.h"
#include "tensor/kernels/kernel_exp_internal.h"
#include "tensor/kernels/kernel_rows_internal.h"

#include <math.h>

/* --- norms ------------------------------------------------------------------------------------ */

static KERNEL_INLINE void norm_with(const struct kernel_decode_norm_args *a, int64_t begin,
                                    int64_t end, enum kernel_operand operand) {
    const struct row_norm norm = {a->weight, a->bias, a->n, a->eps, a->is_rms};
    const int64_t stride = kernel_operand_stride(operand, a->n);
    for (int64_t row = begin; row < end; row++) {
        const float *x = a->x + (a->pick ? a->pick[row] : row) * a->n;
        (void)row_normalise(&norm, x, operand, a->out, row * stride);
        for (int64_t i = a->n; i < stride; i++) {
            row_store(operand, a->out, row * stride + i, 0.0F);
        }
    }
}

ROW_RANGE(norm, struct kernel_decode_norm_args, operand)
KERNEL_VARIANTS(norm, struct kernel_decode_norm_args)

void kernel_decode_norm(const struct kernel_decode_norm_args *a, const struct kernel_team *team) {
    struct kernel_span rows = kernel_team_share(team, a->rows);
    kernel_variant(&norm_variants, team->isa)(a, rows.begin, rows.end);
}

/* --- rotation and cache ----------------------------------------------------------------------- */

/* One head: its norm, then pairs (i, i + d / 2) turned by the angle of their position. */
static KERNEL_INLINE void turn_head(const struct kernel_decode_rotate_args *a, const float *x,
                                    const float *norm, int64_t position, float *out) {
    int64_t d = a->page->head_dim;
    float scale = norm ? 1.0F / sqrtf(row_sum(x, d, 0.0F, true) / (float)d + a->eps) : 1.0F;
    for (int64_t i = 0; i < d; i++) {
        out[i] = norm ? x[i] * scale * norm[i] : x[i];
    }
    if (!a->cos_sin) {
        return;
    }
    int64_t half = d / 2;
    const float *cosine = a->cos_sin + position * d;
    const float *sine = cosine + half;
    KERNEL_SIMD
    for (int64_t i = 0; i < half; i++) {
        float first = out[i];
        float second = out[i + half];
        out[i] = first * cosine[i] - second * sine[i];
        out[i + half] = second * cosine[i] + first * sine[i];
    }
}

static KERNEL_INLINE void store_queries(const struct kernel_decode_rotate_args *a, int64_t row) {
    const struct kernel_kv_page *page = a->page;
    int64_t dim = kernel_kv_page_dim(page);
    int64_t group = a->heads / page->kv_heads;
    const float *q = a->qkv + row * (a->heads + 2 * page->kv_heads) * page->head_dim;
    for (int64_t head = 0; head < a->heads; head++) {
        float turned[KERNEL_HEAD_DIM_MAX] = {0};
        turn_head(a, q + head * page->head_dim, a->q_norm, a->row[row].position, turned);
        int64_t at = ((head / group * a->rows + row) * group + head % group) * dim;
        for (int64_t i = 0; i < dim; i++) {
            row_store(page->operand, a->queries, at + i, turned[i]);
        }
    }
}

static KERNEL_INLINE void store_keys_and_values(const struct kernel_decode_rotate_args *a,
                                                int64_t row) {
    const struct kernel_kv_page *page = a->page;
    int64_t d = page->head_dim;
    int64_t dim = kernel_kv_page_dim(page);
    int64_t block = kernel_kv_page_block(page);
    int64_t pair = page->operand == KERNEL_OPERAND_BF16 ? 2 : 1;
    int64_t position = a->row[row].position;
    int64_t slot = position % KERNEL_PAGE_POSITIONS;
    int32_t page_number = a->row[row].pages[position / KERNEL_PAGE_POSITIONS];
    const float *k = a->qkv + row * (a->heads + 2 * page->kv_heads) * d + a->heads * d;
    const float *v = k + page->kv_heads * d;
    void *cache = a->cache + (size_t)page_number * a->page_stride;
    for (int64_t head = 0; head < page->kv_heads; head++) {
        int64_t keys = 2 * head * block;
        int64_t values = keys + block;
        float turned[KERNEL_HEAD_DIM_MAX] = {0};
        turn_head(a, k + head * d, a->k_norm, position, turned);
        for (int64_t i = 0; i < d; i++) {
            int64_t key_at = (i / pair * KERNEL_PAGE_POSITIONS + slot) * pair + i % pair;
            int64_t value_at = (slot / pair * dim + i) * pair + slot % pair;
            row_store(page->operand, cache, keys + key_at, turned[i]);
            row_store(page->operand, cache, values + value_at, v[head * d + i]);
        }
    }
}

static KERNEL_INLINE void rotate_range(const struct kernel_decode_rotate_args *a, int64_t begin,
                                       int64_t end) {
    for (int64_t row = begin; row < end; row++) {
        store_queries(a, row);
        store_keys_and_values(a, row);
    }
}

KERNEL_VARIANTS(rotate, struct kernel_decode_rotate_args)

void kernel_decode_rotate(const struct kernel_decode_rotate_args *a,
                          const struct kernel_team *team) {
    ASSERT_LE(a->page->head_dim, KERNEL_HEAD_DIM_MAX);
    struct kernel_span rows = kernel_team_share(team, a->rows);
    kernel_variant(&rotate_variants, team->isa)(a, rows.begin, rows.end);
}

/* --- activations ------------------------------------------------------------------------------ */

struct activate_plan {
    const struct kernel_decode_activate_args *args;
    int64_t row;
};

/* One loop for each activation: the function is a constant in it. `simd` is KERNEL_SIMD, or nothing
 * for a function that does not vectorise. */
#define ACTIVATE_LOOP(name, function, simd)                                                 \
    static KERNEL_INLINE void name##_range(const struct activate_plan *plan, int64_t begin, \
                                           int64_t end) {                                   \
        const struct kernel_decode_activate_args *a = plan->args;                           \
        const float *gate = a->gate + plan->row * a->n;                                     \
        const float *up = a->up ? a->up + plan->row * a->n : NULL;                          \
        int64_t at = plan->row * kernel_operand_stride(a->operand, a->n);                   \
        if (up) {                                                                           \
            simd for (int64_t i = begin; i < end; i++) {                                    \
                row_store(a->operand, a->out, at + i, function(gate[i]) * up[i]);           \
            }                                                                               \
        } else {                                                                            \
            simd for (int64_t i = begin; i < end; i++) {                                    \
                row_store(a->operand, a->out, at + i, function(gate[i]));                   \
            }                                                                               \
        }                                                                                   \
    }                                                                                       \
    KERNEL_VARIANTS(name, struct activate_plan)

static KERNEL_INLINE float relu_of(float x) {
    return x > 0.0F ? x : 0.0F;
}

/* Not vectorised: no family of models in use has it (GPT-2's is the tanh form). */
static float gelu_of(float x) {
    return (float)(0.5 * (double)x * (1.0 + erf((double)x * 0.70710678118654752440)));
}

ACTIVATE_LOOP(relu, relu_of, KERNEL_SIMD)
ACTIVATE_LOOP(gelu, gelu_of, )
ACTIVATE_LOOP(gelu_tanh, kernel_gelu_tanh, KERNEL_SIMD)
ACTIVATE_LOOP(silu, kernel_silu, KERNEL_SIMD)

static const struct kernel_variants *activate_variants(enum kernel_activation activation) {
    static const struct kernel_variants *const by_kind[] = {
        [KERNEL_ACTIVATION_RELU] = &relu_variants,
        [KERNEL_ACTIVATION_GELU] = &gelu_variants,
        [KERNEL_ACTIVATION_GELU_TANH] = &gelu_tanh_variants,
        [KERNEL_ACTIVATION_SILU] = &silu_variants,
    };
    return by_kind[activation];
}

void kernel_decode_activate(const struct kernel_decode_activate_args *a, struct kernel_span columns,
                            const struct kernel_team *team) {
    kernel_range range = kernel_variant(activate_variants(a->activation), team->isa);
    int64_t stride = kernel_operand_stride(a->operand, a->n);
    for (int64_t row = 0; row < a->rows; row++) {
        range(&(struct activate_plan){.args = a, .row = row}, columns.begin, columns.end);
        if (stride > a->n && columns.end == a->n) {
            row_store(a->operand, a->out, row * stride + a->n, 0.0F);
        }
    }
}
