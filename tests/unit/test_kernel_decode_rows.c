#include "tensor/kernels/kernel_decode_rows.h"

#include "base/mem.h"
#include "base/rng.h"
#include "tensor/kernels/kernel_convert.h"
#include "tests/support/kernel_sets.h"
#include "tests/support/near.h"

#define ROWS 5
#define N    67 /* odd: bf16 rows have a value more */

static float x[ROWS * N];
static float weight[N];
static float bias[N];

static int fill(void **state) {
    (void)state;
    struct rng rng = rng_stream(4, RNG_TEST, 0, 0);
    rng_fill_normal_f32(&rng, x, ROWS * N);
    rng_fill_normal_f32(&rng, weight, N);
    rng_fill_normal_f32(&rng, bias, N);
    return 0;
}

static void norm_share(void *context, const struct kernel_team *team) {
    kernel_decode_norm(context, team);
}

static void check_norm(bool is_rms, const float *with_bias, struct kernel_cpu cpu) {
    const int64_t pick[] = {4, 0, 3};
    float out[3 * N];
    struct kernel_decode_norm_args args = {.x = x,
                                           .pick = pick,
                                           .rows = 3,
                                           .n = N,
                                           .weight = weight,
                                           .bias = with_bias,
                                           .is_rms = is_rms,
                                           .eps = 0.5F, /* large enough to be seen */
                                           .operand = KERNEL_OPERAND_F32,
                                           .out = out};
    kernel_team_run(cpu, norm_share, &args);
    for (int64_t r = 0; r < 3; r++) {
        const float *row = x + pick[r] * N;
        double mean = 0.0;
        double square = 0.0;
        for (int64_t i = 0; i < N && !is_rms; i++) {
            mean += (double)row[i] / N;
        }
        for (int64_t i = 0; i < N; i++) {
            square += ((double)row[i] - mean) * ((double)row[i] - mean) / N;
        }
        for (int64_t i = 0; i < N; i++) {
            double expected = ((double)row[i] - mean) / sqrt(square + 0.5) * (double)weight[i];
            expected += with_bias ? (double)with_bias[i] : 0.0;
            assert_near((double)out[r * N + i], expected, 2e-6);
        }
    }
}

static void test_kernel_decode_norm__equals_the_formula(void **state) {
    (void)state;
    struct kernel_cpu sets[KERNEL_SETS_MAX];
    int64_t count = kernel_sets_list(sets);
    for (int64_t i = 0; i < count; i++) {
        check_norm(true, NULL, sets[i]);
        check_norm(false, bias, sets[i]);
        check_norm(false, NULL, sets[i]);
    }
}

static void test_kernel_decode_norm__same_bits_everywhere_and_padded(void **state) {
    (void)state;
    enum { STRIDE = N + 1 };
    uint16_t first[ROWS * STRIDE];
    uint16_t other[ROWS * STRIDE];
    struct kernel_cpu sets[KERNEL_SETS_MAX];
    int64_t count = kernel_sets_list(sets);
    struct kernel_decode_norm_args args = {.x = x,
                                           .rows = ROWS,
                                           .n = N,
                                           .weight = weight,
                                           .is_rms = true,
                                           .eps = 1e-5F,
                                           .operand = KERNEL_OPERAND_BF16,
                                           .out = first};
    memset(first, 0xFF, sizeof first);
    kernel_team_run(sets[0], norm_share, &args);
    for (int64_t r = 0; r < ROWS; r++) {
        assert_int_equal(first[r * STRIDE + N], 0);
    }
    args.out = other;
    for (int64_t i = 0; i < count; i++) {
        for (int threads = 1; threads <= 3; threads++) {
            memset(other, 0xFF, sizeof other);
            kernel_team_run((struct kernel_cpu){.threads = threads, .isa = sets[i].isa}, norm_share,
                            &args);
            assert_memory_equal(other, first, sizeof first);
        }
    }
}

static double activation_of(enum kernel_activation activation, double v) {
    switch (activation) {
    case KERNEL_ACTIVATION_RELU:
        return v > 0.0 ? v : 0.0;
    case KERNEL_ACTIVATION_GELU:
        return 0.5 * v * (1.0 + erf(v * sqrt(0.5)));
    case KERNEL_ACTIVATION_GELU_TANH:
        return 0.5 * v * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (v + 0.044715 * v * v * v)));
    case KERNEL_ACTIVATION_SILU:
        break;
    }
    return v / (1.0 + exp(-v));
}

struct activate_run {
    struct kernel_decode_activate_args args;
};

static void activate_share(void *context, const struct kernel_team *team) {
    const struct activate_run *run = context;
    kernel_decode_activate(&run->args, kernel_team_share(team, N), team);
}

static void test_kernel_decode_activate__equals_the_formula(void **state) {
    (void)state;
    float gate[ROWS * N];
    float out[ROWS * N];
    for (int64_t i = 0; i < ROWS * N; i++) { /* -300 to 300, dense around 0 */
        double place = (double)i / (ROWS * N - 1) * 2.0 - 1.0;
        gate[i] = (float)(300.0 * place * place * place);
    }
    struct kernel_cpu sets[KERNEL_SETS_MAX];
    int64_t count = kernel_sets_list(sets);
    for (int64_t kind = 0; kind < 8; kind++) {
        enum kernel_activation activation = (enum kernel_activation)(kind / 2);
        bool is_gated = kind % 2 == 1;
        struct activate_run run = {.args = {.activation = activation,
                                            .gate = gate,
                                            .up = is_gated ? x : NULL,
                                            .rows = ROWS,
                                            .n = N,
                                            .operand = KERNEL_OPERAND_F32,
                                            .out = out}};
        for (int64_t s = 0; s < count; s++) {
            sets[s].threads = 1 + (int)(s % 3);
            kernel_team_run(sets[s], activate_share, &run);
            for (int64_t i = 0; i < ROWS * N; i++) {
                double expected = activation_of(activation, (double)gate[i]);
                expected *= is_gated ? (double)x[i] : 1.0;
                assert_near((double)out[i], expected, 1e-6 + 1e-6 * fabs(expected));
            }
        }
    }
}

static void rotate_share(void *context, const struct kernel_team *team) {
    kernel_decode_rotate(context, team);
}

/* d = 4, one head each, position 65: second page, slot 1. Norm over [3, 4, 0, 0] with eps 0 divides
 * by 5/2 and multiplies by the weights [1, 2, 1, 1]: [1.2, 3.2, 0, 0]. The pairs (0, 2) and (1, 3)
 * are turned by angles with cosines 0.6 and 0, sines 0.8 and 1:
 * [1.2 * 0.6, 0, 1.2 * 0.8, 3.2] = [0.72, 0, 0.96, 3.2]. */
static void test_kernel_decode_rotate__hand_worked(void **state) {
    (void)state;
    enum { D = 4, DIM = 16 };
    static float cache[2][2 * DIM * KERNEL_PAGE_POSITIONS];
    static float cos_sin[66 * D];
    const float qkv[3 * D] = {3, 4, 0, 0, 3, 4, 0, 0, 7, 8, 9, 10};
    const float turned[D] = {0.72F, 0.0F, 0.96F, 3.2F};
    const float norm[D] = {1, 2, 1, 1};
    const int32_t pages[] = {0, 1};
    const float angles[D] = {0.6F, 0.0F, 0.8F, 1.0F};
    memcpy(cos_sin + (ptrdiff_t)65 * D, angles, sizeof angles);
    float queries[DIM];
    memset(queries, 0xFF, sizeof queries);
    struct kernel_kv_page page = {KERNEL_OPERAND_F32, 1, D};
    struct kernel_kv_row row = {65, pages};
    struct kernel_decode_rotate_args args = {.qkv = qkv,
                                             .rows = 1,
                                             .heads = 1,
                                             .page = &page,
                                             .row = &row,
                                             .cache = (char *)cache,
                                             .page_stride = sizeof cache[0],
                                             .cos_sin = cos_sin,
                                             .q_norm = norm,
                                             .k_norm = norm,
                                             .queries = queries};
    kernel_team_run((struct kernel_cpu){.threads = 1}, rotate_share, &args);
    for (int64_t i = 0; i < DIM; i++) {
        assert_near((double)queries[i], i < D ? (double)turned[i] : 0.0, 1e-6);
    }
    const float *keys = cache[1];
    const float *values = cache[1] + (ptrdiff_t)DIM * KERNEL_PAGE_POSITIONS;
    for (int64_t i = 0; i < D; i++) {
        assert_near((double)keys[i * KERNEL_PAGE_POSITIONS + 1], (double)turned[i], 1e-6);
        assert_true(values[DIM + i] == qkv[2 * D + i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_decode_norm__equals_the_formula),
        cmocka_unit_test(test_kernel_decode_norm__same_bits_everywhere_and_padded),
        cmocka_unit_test(test_kernel_decode_activate__equals_the_formula),
        cmocka_unit_test(test_kernel_decode_rotate__hand_worked),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
