#include "tensor/kernels/kernel_matmul.h"

#include "base/mem.h"
#include "base/rng.h"
#include "tensor/kernels/kernel_convert.h"
#include "tests/support/kernel_sets.h"
#include "tests/support/near.h"

/* Legend: M rows, N outputs, K inputs. */

struct product {
    int64_t m, n, k;
    enum kernel_operand operand;
    struct kernel_matrix matrix;
    float *weights; /* [N, K], as they are packed */
    float *x;       /* [M, K] */
    void *packed_x; /* [M, stride] */
    float *bias;    /* [N] */
};

static void *zeros(int64_t count, size_t bytes) {
    void *block = mem_array_zero((size_t)count, bytes);
    assert_non_null(block);
    return block;
}

/* A value that the operand can hold. */
static float held(enum kernel_operand operand, float value) {
    return operand == KERNEL_OPERAND_BF16 ? kernel_f32_of_bf16(kernel_bf16_of_f32(value)) : value;
}

static void store(enum kernel_operand operand, void *to, int64_t at, float value) {
    if (operand == KERNEL_OPERAND_BF16) {
        ((uint16_t *)to)[at] = kernel_bf16_of_f32(value);
    } else {
        ((float *)to)[at] = value;
    }
}

static struct product product_new(int64_t m, int64_t n, int64_t k, enum kernel_operand operand) {
    struct product p = {.m = m, .n = n, .k = k, .operand = operand};
    int64_t stride = kernel_operand_stride(operand, k);
    p.weights = zeros(n * k, sizeof(float));
    p.x = zeros(m * k, sizeof(float));
    p.packed_x = zeros(m * stride, sizeof(float));
    p.bias = zeros(n, sizeof(float));
    struct rng rng = rng_stream(1, RNG_TEST, m, n * 1000 + k);
    rng_fill_normal_f32(&rng, p.weights, n * k);
    rng_fill_normal_f32(&rng, p.x, m * k);
    rng_fill_normal_f32(&rng, p.bias, n);
    p.matrix = kernel_matrix_of(n, k, operand);
    p.matrix.packed = zeros((int64_t)kernel_matrix_bytes(&p.matrix), 1);
    int64_t half = n / 2; /* in two pieces, as queries and keys are */
    struct kernel_cpu cpu = {.threads = 2};
    kernel_matrix_pack(&p.matrix, half, n - half, p.weights + half * k, cpu);
    kernel_matrix_pack(&p.matrix, 0, half, p.weights, cpu);
    for (int64_t i = 0; i < n * k; i++) {
        p.weights[i] = held(operand, p.weights[i]);
    }
    for (int64_t i = 0; i < m * k; i++) {
        store(operand, p.packed_x, i / k * stride + i % k, p.x[i]);
        p.x[i] = held(operand, p.x[i]);
    }
    return p;
}

static void product_free(struct product *p) {
    mem_free(p->weights);
    mem_free(p->x);
    mem_free(p->packed_x);
    mem_free(p->bias);
    mem_free(p->matrix.packed);
}

struct run {
    struct kernel_matmul_args args;
};

static void run_share(void *context, const struct kernel_team *team) {
    const struct run *run = context;
    kernel_matmul(&run->args, team);
}

/* y [rows, N] of rows [first, first + rows) */
static void multiply(const struct product *p, int64_t first, int64_t rows, struct kernel_cpu cpu,
                     /* NOLINTNEXTLINE(readability-non-const-parameter): args.y writes it */
                     float *y, bool accumulate) {
    size_t row_bytes =
        (size_t)kernel_operand_stride(p->operand, p->k) * kernel_operand_bytes(p->operand);
    struct run run = {.args = {.w = &p->matrix,
                               .x = (const char *)p->packed_x + (size_t)first * row_bytes,
                               .rows = rows,
                               .bias = p->bias,
                               .y = y,
                               .y_stride = p->n,
                               .accumulate = accumulate}};
    kernel_team_run(cpu, run_share, &run);
}

/* Sums of K products with K roundings of at most 2^-24 of the partial sums each. */
static void check_against_double(const struct product *p, const float *y, double extra) {
    for (int64_t m = 0; m < p->m; m++) {
        for (int64_t n = 0; n < p->n; n++) {
            double sum = (double)p->bias[n] + extra;
            double size = 0.0;
            for (int64_t k = 0; k < p->k; k++) {
                double term = (double)p->x[m * p->k + k] * (double)p->weights[n * p->k + k];
                sum += term;
                size += term < 0.0 ? -term : term;
            }
            assert_near((double)y[m * p->n + n], sum, (size + 10.0) * (double)(p->k + 2) * 0x1p-24);
        }
    }
}

static const int64_t sizes[][3] = {{1, 1, 1},   {1, 48, 2},   {2, 49, 7},   {7, 47, 33},
                                   {8, 96, 64}, {9, 131, 15}, {17, 53, 31}, {35, 145, 66}};
#define SIZES ((int64_t)(sizeof sizes / sizeof sizes[0]))

static void test_kernel_matmul__equals_sums_in_double(void **state) {
    (void)state;
    struct kernel_cpu sets[KERNEL_SETS_MAX];
    int64_t count = kernel_sets_list(sets);
    for (int64_t s = 0; s < SIZES; s++) {
        for (int64_t operand = 0; operand < 2; operand++) {
            struct product p =
                product_new(sizes[s][0], sizes[s][1], sizes[s][2], (enum kernel_operand)operand);
            float *y = zeros(p.m * p.n, sizeof *y);
            for (int64_t i = 0; i < count; i++) {
                multiply(&p, 0, p.m, sets[i], y, false);
                check_against_double(&p, y, 0.0);
            }
            for (int64_t i = 0; i < p.m * p.n; i++) {
                y[i] = 3.0F;
            }
            multiply(&p, 0, p.m, sets[0], y, true);
            check_against_double(&p, y, 3.0);
            product_free(&p);
            mem_free(y);
        }
    }
}

/* The last `rows` rows alone, on one to three threads. */
static void check_rows_alone(const struct product *p, int64_t rows, enum kernel_isa isa,
                             const float *whole) {
    float *part = zeros(rows * p->n, sizeof *part);
    int64_t first = p->m - rows;
    for (int threads = 1; threads <= 3; threads++) {
        multiply(p, first, rows, (struct kernel_cpu){.threads = threads, .isa = isa}, part, false);
        assert_memory_equal(part, whole + first * p->n, (size_t)(rows * p->n) * sizeof *part);
    }
    mem_free(part);
}

static void test_kernel_matmul__same_bits_for_any_rows_and_threads(void **state) {
    (void)state;
    struct kernel_cpu sets[KERNEL_SETS_MAX];
    int64_t count = kernel_sets_list(sets);
    for (int64_t operand = 0; operand < 2; operand++) {
        struct product p = product_new(35, 145, 67, (enum kernel_operand)operand);
        float *whole = zeros(p.m * p.n, sizeof *whole);
        for (int64_t i = 0; i < count; i++) {
            multiply(&p, 0, p.m, sets[i], whole, false);
            for (int64_t rows = 1; rows <= 17; rows += 4) {
                check_rows_alone(&p, rows, sets[i].isa, whole);
            }
        }
        product_free(&p);
        mem_free(whole);
    }
}

static void test_kernel_matrix_row__gives_back_what_was_packed(void **state) {
    (void)state;
    for (int64_t operand = 0; operand < 2; operand++) {
        struct product p = product_new(1, 101, 13, (enum kernel_operand)operand);
        float row[13];
        for (int64_t n = 0; n < p.n; n++) {
            kernel_matrix_row(&p.matrix, n, row);
            assert_memory_equal(row, p.weights + n * p.k, sizeof row);
        }
        product_free(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_matmul__equals_sums_in_double),
        cmocka_unit_test(test_kernel_matmul__same_bits_for_any_rows_and_threads),
        cmocka_unit_test(test_kernel_matrix_row__gives_back_what_was_packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
