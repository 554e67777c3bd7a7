/* test_kernel_train_rows.c - the same bits on every instruction set and any number of threads; the
 * formulas are checked where the kernels are ops, in test_tt_train_rows.c, and by hand here. */
#include "tensor/kernels/kernel_train_rows.h"

#include "base/rng.h"
#include "tests/support/kernel_sets.h"
#include "tests/support/near.h"

#include <string.h>

#define ROWS  150 /* two whole blocks of rows and a part */
#define N     130 /* not whole lanes; enough elements for two threads */
#define COUNT (ROWS * N)

static float x[COUNT];
static float dy[COUNT];
static float weight[N];
static float bias[N];

static int fill(void **state) {
    (void)state;
    struct rng rng = rng_stream(4, RNG_TEST, 0, 0);
    rng_fill_normal_f32(&rng, x, COUNT);
    rng_fill_normal_f32(&rng, dy, COUNT);
    rng_fill_normal_f32(&rng, weight, N);
    rng_fill_normal_f32(&rng, bias, N);
    return 0;
}

/* Everything that the kernels write, from the same inputs. */
struct outputs {
    float y[COUNT], scale[ROWS], mean[ROWS];
    float dx[COUNT], dweight[N], dbias[N];
    float turned[COUNT], gated[COUNT], dgate[COUNT], dup[COUNT], sum[COUNT];
};

static void run_norm(bool is_rms, struct kernel_cpu cpu, struct outputs *out) {
    static float scratch[(ROWS / KERNEL_TRAIN_BLOCK_ROWS + 1) * 2 * N];
    assert_int_equal(kernel_train_norm_scratch(ROWS, N), sizeof scratch / sizeof *scratch);
    kernel_train_norm(&(struct kernel_train_norm_args){.x = x,
                                                       .rows = ROWS,
                                                       .n = N,
                                                       .weight = weight,
                                                       .bias = is_rms ? NULL : bias,
                                                       .is_rms = is_rms,
                                                       .eps = 0.5F,
                                                       .operand = KERNEL_OPERAND_F32,
                                                       .y = out->y,
                                                       .scale = out->scale,
                                                       .mean = out->mean},
                      cpu);
    kernel_train_norm_grad(&(struct kernel_train_norm_grad_args){.x = x,
                                                                 .rows = ROWS,
                                                                 .n = N,
                                                                 .weight = weight,
                                                                 .is_rms = is_rms,
                                                                 .scale = out->scale,
                                                                 .mean = out->mean,
                                                                 .operand = KERNEL_OPERAND_F32,
                                                                 .dy = dy,
                                                                 .dx = out->dx,
                                                                 .dweight = out->dweight,
                                                                 .dbias = out->dbias,
                                                                 .scratch = scratch},
                           cpu);
}

static void run_others(struct kernel_cpu cpu, struct outputs *out) {
    enum { HEADS = 5, D = N / HEADS };
    const enum kernel_operand operand = KERNEL_OPERAND_F32;
    kernel_train_rotate(&(struct kernel_train_rotate_args){.operand = operand,
                                                           .x = x,
                                                           .rows = ROWS,
                                                           .heads = HEADS,
                                                           .d = D,
                                                           .cosine = dy,
                                                           .sine = dy + COUNT / 2,
                                                           .is_inverse = true,
                                                           .y = out->turned},
                        cpu);
    kernel_train_gate(
        &(struct kernel_train_gate_args){
            .operand = operand, .gate = x, .up = dy, .n = COUNT, .y = out->gated},
        cpu);
    kernel_train_gate_grad(&(struct kernel_train_gate_grad_args){.operand = operand,
                                                                 .gate = x,
                                                                 .up = dy,
                                                                 .dy = x,
                                                                 .n = COUNT,
                                                                 .dgate = out->dgate,
                                                                 .dup = out->dup},
                           cpu);
    kernel_train_residual(
        &(struct kernel_train_residual_args){
            .x = x, .operand = operand, .delta = dy, .n = COUNT, .y = out->sum},
        cpu);
}

static void run_all(bool is_rms, struct kernel_cpu cpu, struct outputs *out) {
    memset(out, 0, sizeof *out);
    run_norm(is_rms, cpu, out);
    run_others(cpu, out);
}

static void test_kernel_train_rows__same_bits_everywhere(void **state) {
    (void)state;
    static struct outputs first;
    static struct outputs other;
    struct kernel_cpu sets[KERNEL_SETS_MAX];
    const int64_t count = kernel_sets_list(sets);
    for (int is_rms = 0; is_rms < 2; is_rms++) {
        run_all(is_rms, sets[0], &first);
        for (int64_t i = 0; i < count; i++) {
            for (int threads = 1; threads <= 3; threads++) {
                run_all(is_rms, (struct kernel_cpu){.threads = threads, .isa = sets[i].isa},
                        &other);
                assert_memory_equal(&other, &first, sizeof first);
            }
        }
    }
}

/* RMS of [3, 4] with eps 0: sqrt(25 / 2), so h = [3, 4] sqrt(2) / 5. With weights [1, 2] and dy =
 * [1, 1]: g = [1, 2], mean(g h) = 11 sqrt(2) / 10, and dx = scale (g - h 11 sqrt(2) / 10)
 * = sqrt(2)/5 [1 - 3 * 22 / 50, 2 - 4 * 22 / 50] = sqrt(2)/5 [-0.32, 0.24]. dweight = dy h. */
static void test_kernel_train_norm_grad__hand_worked(void **state) {
    (void)state;
    const double root = sqrt(2.0);
    const float row[2] = {3, 4};
    const float weights[2] = {1, 2};
    const float ones[2] = {1, 1};
    const float scale[1] = {(float)(root / 5)};
    float dx[2];
    float dweight[2] = {10, 20}; /* is added to */
    float scratch[4];
    kernel_train_norm_grad(&(struct kernel_train_norm_grad_args){.x = row,
                                                                 .rows = 1,
                                                                 .n = 2,
                                                                 .weight = weights,
                                                                 .is_rms = true,
                                                                 .scale = scale,
                                                                 .operand = KERNEL_OPERAND_F32,
                                                                 .dy = ones,
                                                                 .dx = dx,
                                                                 .dweight = dweight,
                                                                 .scratch = scratch},
                           (struct kernel_cpu){.threads = 1});
    assert_near((double)dx[0], -0.32 * root / 5, 1e-6);
    assert_near((double)dx[1], 0.24 * root / 5, 1e-6);
    assert_near((double)dweight[0], 10 + 3 * root / 5, 1e-5);
    assert_near((double)dweight[1], 20 + 4 * root / 5, 1e-5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_train_rows__same_bits_everywhere),
        cmocka_unit_test(test_kernel_train_norm_grad__hand_worked),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
