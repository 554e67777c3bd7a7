#include "tensor/kernels/kernel_logp.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "tensor/kernels/kernel_convert.h"
#include "tensor/kernels/kernel_exp_internal.h"
#include "tests/support/kernel_ways.h"
#include "tests/support/near.h"

#include <string.h>

#define TOL_F32 1e-6

static const struct kernel_cpu plain = {.threads = 1};

/* Results and d z of a few rows of logits, which are given in blocks of `width` columns. */
struct rows {
    int64_t rows, columns, width;
    float scale;
    const float *z;    /* [rows, columns] */
    const float *bias; /* [columns], or NULL */
    const int64_t *target;
    const float *grads[3]; /* of logp, entropy and lse; [rows] */
};

/* [rows] each, then d z [rows, columns], then d bias [columns]. */
struct outcome {
    float *values;
    int64_t count;
};

static struct outcome outcome_new(const struct rows *in) {
    int64_t count = 4 * in->rows + (in->rows + 1) * in->columns;
    float *values = mem_array_zero((size_t)count, sizeof *values);
    assert_non_null(values);
    return (struct outcome){values, count};
}

static struct kernel_logp_block block_at(const struct rows *in, float *tile, int64_t first) {
    int64_t columns = in->columns - first < in->width ? in->columns - first : in->width;
    for (int64_t r = 0; r < in->rows; r++) {
        memcpy(tile + r * in->width, in->z + r * in->columns + first,
               (size_t)columns * sizeof *tile);
    }
    return (struct kernel_logp_block){.z = tile,
                                      .stride = in->width,
                                      .rows = in->rows,
                                      .columns = columns,
                                      .first_column = first,
                                      .bias = in->bias ? in->bias + first : NULL,
                                      .scale = in->scale,
                                      .target = in->target};
}

static struct outcome run(const struct rows *in, struct kernel_cpu cpu) {
    struct outcome out = outcome_new(in);
    int64_t n = in->rows;
    SCOPED(mem) float *sums = mem_array((size_t)n, 4 * sizeof *sums);
    SCOPED(mem) float *tile = mem_array((size_t)(n * in->width), sizeof *tile);
    const struct kernel_logp_stats stats = {sums, sums + n, sums + 2 * n, sums + 3 * n};
    const struct kernel_logp_result result = {out.values, out.values + n, out.values + 2 * n,
                                              out.values + 3 * n};
    kernel_logp_start(&stats, n);
    for (int64_t first = 0; first < in->columns; first += in->width) {
        const struct kernel_logp_block block = block_at(in, tile, first);
        kernel_logp_add_cpu(&block, &stats, cpu);
    }
    kernel_logp_finish(&stats, n, &result);
    const struct kernel_logp_upstream up = {result.entropy, result.max,   result.log_sum,
                                            in->grads[0],   in->grads[1], in->grads[2]};
    float *d = out.values + 4 * n;
    for (int64_t first = 0; first < in->columns; first += in->width) {
        const struct kernel_logp_block block = block_at(in, tile, first);
        const struct kernel_logp_grad grad = {
            .f32 = d + first, .stride = in->columns, .bias = d + n * in->columns + first};
        kernel_logp_grad_cpu(&block, &up, &grad, cpu);
    }
    return out;
}

/* Largest error over [-87, 88] in steps of about 1e-4, in units of the last place: 1.6 measured. */
static void test_kernel_exp__within_two_units(void **state) {
    (void)state;
    double worst = 0;
    for (int64_t i = 0; i <= 1750000; i++) {
        float x = -87.0F + 1e-4F * (float)i;
        double exact = exp((double)x);
        double unit = ldexp(1.0, ilogb(exact) - 23);
        worst = fmax(worst, fabs((double)kernel_exp(x) - exact) / unit);
    }
    assert_true(worst < 2.0);
    assert_true(kernel_exp(0.0F) == 1.0F);
    assert_true(kernel_exp(-1000.0F) < 2e-38F && kernel_exp(-INFINITY) < 2e-38F);
    assert_true(isnan(kernel_exp(NAN)));
}

/* scale 0.5, z + bias = 0, 2 log 3: x = 0, log 3, p = 1/4, 3/4, L = log 4,
 * H = log 4 - 3/4 log 3. Upstream gradients 2, 3, 5, target 0:
 *     d x_0 = 1/4 (5 - 2 - 3 (H - log 4)) + 2,  d x_1 = 3/4 (5 - 2 - 3 (H + log 3 - log 4))
 * and d z is half of that. One column a block, so that the maximum changes in between. */
static void test_kernel_logp__hand_worked(void **state) {
    (void)state;
    const double log3 = log(3), log4 = log(4), entropy = log4 - 0.75 * log3;
    const struct rows in = {.rows = 1,
                            .columns = 2,
                            .width = 1,
                            .scale = 0.5F,
                            .z = (const float[]){1, -1},
                            .bias = (const float[]){-1, (float)(2 * log(3)) + 1},
                            .target = (const int64_t[]){0},
                            .grads = {(const float[]){2}, (const float[]){3}, (const float[]){5}}};
    struct outcome out = run(&in, plain);
    assert_near((double)out.values[0], -log4, TOL_F32);
    assert_near((double)out.values[1], entropy, TOL_F32);
    assert_near((double)out.values[2] + (double)out.values[3], log4, TOL_F32);
    const double d0 = 0.5 * (0.25 * (3 - 3 * (entropy - log4)) + 2);
    const double d1 = 0.5 * (0.75 * (3 - 3 * (entropy + log3 - log4)));
    assert_near((double)out.values[4], d0, TOL_F32);
    assert_near((double)out.values[5], d1, TOL_F32);
    assert_near((double)out.values[6], d0, TOL_F32); /* d bias of one row */
    assert_near((double)out.values[7], d1, TOL_F32);
    mem_free(out.values);
}

/* One probability of 1 beside an impossible entry, and logits far apart: nothing is NaN. */
static void test_kernel_logp__certain_and_impossible(void **state) {
    (void)state;
    const struct rows in = {
        .rows = 2,
        .columns = 3,
        .width = 2,
        .scale = 1,
        .z = (const float[]){-INFINITY, 1e30F, -1e30F, 0, -1e4F, -INFINITY},
        .target = (const int64_t[]){1, 1},
        .grads = {(const float[]){1, 1}, (const float[]){1, 1}, (const float[]){1, 1}}};
    struct outcome out = run(&in, plain);
    assert_true(out.values[0] == 0.0F && out.values[1] == -1e4F);
    assert_near((double)out.values[2], 0, 1e-30);
    assert_near((double)out.values[3], 0, 1e-30);
    const double d[] = {0, 1, 0, 0, 1, 0}; /* p (1 - 1 - 0) + 1 at the target */
    for (int i = 0; i < 6; i++) {
        assert_near((double)out.values[8 + i], d[i], 1e-30);
    }
    mem_free(out.values);
}

static void test_kernel_logp__no_finite_logit_is_nan(void **state) {
    (void)state;
    const float rows[][3] = {{-INFINITY, -INFINITY, -INFINITY}, {0, NAN, 1}, {0, 1, INFINITY}};
    for (int i = 0; i < 3; i++) {
        const struct rows in = {
            .rows = 1,
            .columns = 3,
            .width = 2,
            .scale = 1,
            .z = rows[i],
            .target = (const int64_t[]){0},
            .grads = {(const float[]){1}, (const float[]){1}, (const float[]){1}}};
        struct outcome out = run(&in, plain);
        for (int j = 0; j < 7; j++) {
            assert_true(j == 2 || isnan(out.values[j])); /* all but the maximum */
        }
        mem_free(out.values);
    }
}

static float *draw(int64_t item, int64_t n, float factor) {
    float *values = mem_array((size_t)n, sizeof *values);
    struct rng rng = rng_stream(5, RNG_TEST, n, item);
    rng_fill_normal_f32(&rng, values, n);
    for (int64_t i = 0; i < n; i++) {
        values[i] *= factor;
    }
    return values;
}

/* Odd numbers of columns, below and above the 32 lanes; blocks that do and do not divide them. */
static void check_every_way(int64_t columns, int64_t width) {
    enum { ROWS = 3 };
    SCOPED(mem) float *z = draw(1, ROWS * columns, 4);
    SCOPED(mem) float *bias = draw(2, columns, 1);
    SCOPED(mem) float *grads = draw(3, 3 * ROWS, 1);
    const int64_t target[ROWS] = {0, columns / 2, columns - 1};
    const struct rows in = {ROWS, columns, width,  0.7F,
                            z,    bias,    target, {grads, grads + ROWS, grads + 2 * ROWS}};
    struct kernel_cpu ways[KERNEL_WAYS_MAX];
    int count = kernel_ways_list(ways);
    struct outcome expected = run(&in, ways[0]);
    for (int w = 1; w < count; w++) {
        struct outcome got = run(&in, (struct kernel_cpu){.threads = 1, .isa = ways[w].isa});
        assert_memory_equal(got.values, expected.values,
                            (size_t)expected.count * sizeof *expected.values);
        mem_free(got.values);
    }
    const struct rows in_one = {ROWS, columns, columns, 0.7F,
                                z,    bias,    target,  {grads, grads + ROWS, grads + 2 * ROWS}};
    struct outcome whole = run(&in_one, plain);
    for (int64_t i = 0; i < expected.count; i++) {
        double tolerance = 4 * TOL_F32 * fmax(1, fabs((double)whole.values[i]));
        if (i / ROWS == 2 || i / ROWS == 3) {
            continue; /* maximum and log(sum) of it: the same by definition, up to rounding */
        }
        assert_near((double)expected.values[i], (double)whole.values[i], tolerance);
    }
    mem_free(whole.values);
    mem_free(expected.values);
}

static void test_kernel_logp__same_bits_in_every_way_and_any_blocks_agree(void **state) {
    (void)state;
    check_every_way(1, 1);
    check_every_way(31, 7);
    check_every_way(33, 32);
    check_every_way(1000, 256);
    check_every_way(50257, 1024);
}

/* bf16 gradients are the f32 ones, rounded. */
static void test_kernel_logp_grad__bf16_is_rounded_f32(void **state) {
    (void)state;
    enum { N = 77 };
    SCOPED(mem) float *z = draw(1, N, 3);
    float f32[N];
    uint16_t bf16[N];
    const float entropy = 2, max = 5, log_sum = 1, one = 1;
    const struct kernel_logp_upstream up = {&entropy, &max, &log_sum, &one, &one, &one};
    const int64_t target = 9;
    struct kernel_logp_block block = {
        .z = z, .stride = N, .rows = 1, .columns = N, .scale = 1, .target = &target};
    float again[N];
    memcpy(again, z, sizeof again);
    kernel_logp_grad_cpu(&block, &up, &(struct kernel_logp_grad){.f32 = f32, .stride = N}, plain);
    block.z = again;
    kernel_logp_grad_cpu(&block, &up, &(struct kernel_logp_grad){.bf16 = bf16, .stride = N}, plain);
    for (int i = 0; i < N; i++) {
        assert_int_equal(bf16[i], kernel_bf16_of_f32(f32[i]));
    }
}

/* Segments joined in order know what one walk knows. */
static void test_kernel_logp_merge__joins_columns(void **state) {
    (void)state;
    float first[] = {3, 1, 0, 3}; /* one column, x = 3, the target */
    float second[] = {3 + (float)log(3), 1, 0, NAN};
    const struct kernel_logp_stats into = {first, first + 1, first + 2, first + 3};
    const struct kernel_logp_stats more = {second, second + 1, second + 2, second + 3};
    kernel_logp_merge_cpu(&into, &more, 1, plain);
    float out[4];
    const struct kernel_logp_result result = {out, out + 1, out + 2, out + 3};
    kernel_logp_finish(&into, 1, &result);
    assert_near((double)out[0], log(0.25), TOL_F32);
    assert_near((double)out[1], log(4) - 0.75 * log(3), TOL_F32);
    assert_near((double)out[2] + (double)out[3], 3 + log(4), TOL_F32 * 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_exp__within_two_units),
        cmocka_unit_test(test_kernel_logp__hand_worked),
        cmocka_unit_test(test_kernel_logp__certain_and_impossible),
        cmocka_unit_test(test_kernel_logp__no_finite_logit_is_nan),
        cmocka_unit_test(test_kernel_logp__same_bits_in_every_way_and_any_blocks_agree),
        cmocka_unit_test(test_kernel_logp_grad__bf16_is_rounded_f32),
        cmocka_unit_test(test_kernel_logp_merge__joins_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
