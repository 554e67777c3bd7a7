/* kernel_train_rows.c - see kernel_train_rows.h. */
#include "tensor/kernels/kernel_train_rows.h"

#include "base/invariant.h"
#include "tensor/kernels/kernel_exp_internal.h"
#include "tensor/kernels/kernel_rows_internal.h"

/* --- norm ------------------------------------------------------------------------------------- */

static KERNEL_INLINE void norm_row(const struct kernel_train_norm_args *a, int64_t row,
                                   enum kernel_operand operand) {
    const struct row_norm norm = {a->weight, a->bias, a->n, a->eps, a->is_rms};
    const int64_t at = row * a->n;
    const struct row_moments moments = row_normalise(&norm, a->x + at, operand, a->y, at);
    if (a->scale) {
        a->scale[row] = moments.scale;
    }
    if (a->mean && !a->is_rms) {
        a->mean[row] = moments.mean;
    }
}

ROW_LOOP(norm, struct kernel_train_norm_args, operand)
KERNEL_VARIANTS(norm, struct kernel_train_norm_args)

void kernel_train_norm(const struct kernel_train_norm_args *a, struct kernel_cpu cpu) {
    kernel_run_rows(&norm_variants, a, a->rows, a->n, 1, cpu);
}

/* What a row's gradient is made of: sum(g h), and sum(g) without is_rms. */
struct norm_sums {
    float gh;
    float g;
};

static KERNEL_INLINE struct norm_sums norm_row_sums(const struct kernel_train_norm_grad_args *a,
                                                    int64_t row, float mean,
                                                    enum kernel_operand operand) {
    const float *x = a->x + row * a->n;
    const int64_t at = row * a->n;
    const float scale = a->scale[row];
    float gh[ROW_LANES] = {0};
    float g[ROW_LANES] = {0};
    const int64_t whole = a->n - a->n % ROW_LANES;
    for (int64_t i = 0; i < whole; i += ROW_LANES) {
        KERNEL_SIMD
        for (int64_t l = 0; l < ROW_LANES; l++) {
            float value = row_load(operand, a->dy, at + i + l) * a->weight[i + l];
            g[l] += value;
            gh[l] += value * ((x[i + l] - mean) * scale);
        }
    }
    for (int64_t i = whole; i < a->n; i++) {
        float value = row_load(operand, a->dy, at + i) * a->weight[i];
        g[i - whole] += value;
        gh[i - whole] += value * ((x[i] - mean) * scale);
    }
    return (struct norm_sums){row_add_lanes(gh), row_add_lanes(g)};
}

static KERNEL_INLINE void norm_grad_row(const struct kernel_train_norm_grad_args *a, int64_t row,
                                        float *dweight, float *dbias, enum kernel_operand operand) {
    const float mean = a->is_rms ? 0.0F : a->mean[row];
    const float scale = a->scale[row];
    const struct norm_sums sums = norm_row_sums(a, row, mean, operand);
    const float gh_mean = sums.gh / (float)a->n;
    const float g_mean = a->is_rms ? 0.0F : sums.g / (float)a->n;
    const float *x = a->x + row * a->n;
    float *dx = a->dx + row * a->n;
    const int64_t at = row * a->n;
    KERNEL_SIMD
    for (int64_t i = 0; i < a->n; i++) {
        float h = (x[i] - mean) * scale;
        float g = row_load(operand, a->dy, at + i) * a->weight[i];
        dx[i] = scale * (g - g_mean - h * gh_mean);
    }
    if (dweight) {
        KERNEL_SIMD
        for (int64_t i = 0; i < a->n; i++) {
            dweight[i] += row_load(operand, a->dy, at + i) * ((x[i] - mean) * scale);
        }
    }
    if (dbias) {
        KERNEL_SIMD
        for (int64_t i = 0; i < a->n; i++) {
            dbias[i] += row_load(operand, a->dy, at + i);
        }
    }
}

/* Each block of rows sums into arrays of its own: dweight [n], then dbias [n]. */
static KERNEL_INLINE void norm_grad_with(const struct kernel_train_norm_grad_args *a, int64_t begin,
                                         int64_t end, enum kernel_operand operand) {
    for (int64_t row = begin; row < end; row++) {
        float *sums = a->scratch ? a->scratch + row / KERNEL_TRAIN_BLOCK_ROWS * 2 * a->n : NULL;
        norm_grad_row(a, row, a->dweight ? sums : NULL, a->dbias ? sums + a->n : NULL, operand);
    }
}

ROW_RANGE(norm_grad, struct kernel_train_norm_grad_args, operand)
KERNEL_VARIANTS(norm_grad, struct kernel_train_norm_grad_args)

int64_t kernel_train_norm_scratch(int64_t rows, int64_t n) {
    return (rows + KERNEL_TRAIN_BLOCK_ROWS - 1) / KERNEL_TRAIN_BLOCK_ROWS * 2 * n;
}

static void add_blocks(float *sum, const float *scratch, int64_t blocks, int64_t n) {
    for (int64_t block = 0; block < blocks && sum; block++) {
        KERNEL_SIMD
        for (int64_t i = 0; i < n; i++) {
            sum[i] += scratch[block * 2 * n + i];
        }
    }
}

void kernel_train_norm_grad(const struct kernel_train_norm_grad_args *a, struct kernel_cpu cpu) {
    ASSERT(a->scratch || (!a->dweight && !a->dbias));
    const int64_t floats = a->scratch ? kernel_train_norm_scratch(a->rows, a->n) : 0;
    for (int64_t i = 0; i < floats; i++) {
        a->scratch[i] = 0.0F;
    }
    kernel_run_rows(&norm_grad_variants, a, a->rows, a->n, KERNEL_TRAIN_BLOCK_ROWS, cpu);
    const int64_t blocks = floats / (2 * (a->n > 0 ? a->n : 1));
    add_blocks(a->dweight, a->scratch, blocks, a->n);
    add_blocks(a->dbias, a->scratch ? a->scratch + a->n : NULL, blocks, a->n);
}

/* --- rotation --------------------------------------------------------------------------------- */

static KERNEL_INLINE void rotate_row(const struct kernel_train_rotate_args *a, int64_t row,
                                     enum kernel_operand operand) {
    const int64_t half = a->d / 2;
    const float *cosine = a->cosine + row * half;
    const float *sine = a->sine + row * half;
    const float sign = a->is_inverse ? -1.0F : 1.0F;
    for (int64_t head = 0; head < a->heads; head++) {
        const int64_t at = (row * a->heads + head) * a->d;
        KERNEL_SIMD
        for (int64_t i = 0; i < half; i++) {
            float first = row_load(operand, a->x, at + i);
            float second = row_load(operand, a->x, at + half + i);
            float turn = sign * sine[i];
            row_store(operand, a->y, at + i, first * cosine[i] - second * turn);
            row_store(operand, a->y, at + half + i, second * cosine[i] + first * turn);
        }
    }
}

ROW_LOOP(rotate, struct kernel_train_rotate_args, operand)
KERNEL_VARIANTS(rotate, struct kernel_train_rotate_args)

void kernel_train_rotate(const struct kernel_train_rotate_args *a, struct kernel_cpu cpu) {
    ASSERT(a->d % 2 == 0);
    kernel_run_rows(&rotate_variants, a, a->rows, a->heads * a->d, 1, cpu);
}

/* --- gate ------------------------------------------------------------------------------------- */

static KERNEL_INLINE void gate_with(const struct kernel_train_gate_args *a, int64_t begin,
                                    int64_t end, enum kernel_operand operand) {
    KERNEL_SIMD
    for (int64_t i = begin; i < end; i++) {
        float gate = row_load(operand, a->gate, i);
        row_store(operand, a->y, i, kernel_silu(gate) * row_load(operand, a->up, i));
    }
}

ROW_RANGE(gate, struct kernel_train_gate_args, operand)
KERNEL_VARIANTS(gate, struct kernel_train_gate_args)

void kernel_train_gate(const struct kernel_train_gate_args *a, struct kernel_cpu cpu) {
    kernel_run(&gate_variants, a, a->n, cpu);
}

static KERNEL_INLINE void gate_grad_with(const struct kernel_train_gate_grad_args *a, int64_t begin,
                                         int64_t end, enum kernel_operand operand) {
    KERNEL_SIMD
    for (int64_t i = begin; i < end; i++) {
        float gate = row_load(operand, a->gate, i);
        float dy = row_load(operand, a->dy, i);
        float sigmoid = 1.0F / (1.0F + kernel_exp(-gate));
        float slope = sigmoid * (1.0F + gate * (1.0F - sigmoid));
        row_store(operand, a->dgate, i, dy * row_load(operand, a->up, i) * slope);
        row_store(operand, a->dup, i, dy * (gate * sigmoid));
    }
}

ROW_RANGE(gate_grad, struct kernel_train_gate_grad_args, operand)
KERNEL_VARIANTS(gate_grad, struct kernel_train_gate_grad_args)

void kernel_train_gate_grad(const struct kernel_train_gate_grad_args *a, struct kernel_cpu cpu) {
    kernel_run(&gate_grad_variants, a, a->n, cpu);
}

/* --- residual --------------------------------------------------------------------------------- */

static KERNEL_INLINE void residual_with(const struct kernel_train_residual_args *a, int64_t begin,
                                        int64_t end, enum kernel_operand operand) {
    KERNEL_SIMD
    for (int64_t i = begin; i < end; i++) {
        a->y[i] = a->x[i] + row_load(operand, a->delta, i);
    }
}

ROW_RANGE(residual, struct kernel_train_residual_args, operand)
KERNEL_VARIANTS(residual, struct kernel_train_residual_args)

void kernel_train_residual(const struct kernel_train_residual_args *a, struct kernel_cpu cpu) {
    kernel_run(&residual_variants, a, a->n, cpu);
}
