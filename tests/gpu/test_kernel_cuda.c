/* The CUDA twins against the CPU kernels: the same bits. Skipped, and reported so, where no device
 * is found. */
#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "tensor/kernels/kernel_adam_mini.h"
#include "tensor/kernels/kernel_adamw.h"
#include "tensor/kernels/kernel_logp.h"
#include "tensor/kernels/kernel_norm.h"
#include "tensor/kernels/kernel_random.h"
#include "tests/support/kernel_ways.h"
#include "tests/support/test.h"

#include <cuda_runtime_api.h>
#include <math.h>

static const struct kernel_cpu cpu = {.threads = 2};

/* Device copies of host arrays, freed by the teardown whatever the test does. */
#define DEVICE_ARRAYS 8

struct device {
    void *arrays[DEVICE_ARRAYS];
    int count;
};

static int device_setup(void **state) {
    static struct device device;
    device = (struct device){.count = 0};
    *state = &device;
    return 0;
}

static int device_teardown(void **state) {
    struct device *device = *state;
    for (int i = 0; i < device->count; i++) {
        (void)cudaFree(device->arrays[i]);
    }
    return 0;
}

static void skip_without_device(void) {
    int count = 0;
    cudaError_t status = cudaGetDeviceCount(&count);
    if (status != cudaSuccess || count == 0) {
        print_message("skipped, no CUDA device: %s\n", cudaGetErrorString(status));
        skip();
    }
}

static void *to_device(struct device *device, const void *host, size_t bytes) {
    void *copy = NULL;
    assert_int_equal(cudaMalloc(&copy, bytes), cudaSuccess);
    assert_true(device->count < DEVICE_ARRAYS);
    device->arrays[device->count++] = copy;
    assert_int_equal(cudaMemcpy(copy, host, bytes, cudaMemcpyHostToDevice), cudaSuccess);
    return copy;
}

/* Waits for the kernels before. */
static void assert_same_on_device(const void *device, const void *expected, size_t bytes) {
    SCOPED(mem) void *copy = mem_alloc(bytes);
    assert_int_equal(cudaMemcpy(copy, device, bytes, cudaMemcpyDeviceToHost), cudaSuccess);
    assert_memory_equal(copy, expected, bytes);
}

static float *draw(int64_t item, int64_t n, float low, float high) {
    float *values = mem_array((size_t)n, sizeof *values);
    struct rng rng = rng_stream(1, RNG_TEST, n, item);
    for (int64_t i = 0; i < n; i++) {
        values[i] = low + (high - low) * rng_uniform_f32(&rng);
    }
    return values;
}

/* AdamW, or with a block Adam-mini: n elements are then a multiple of it. */
static void check_adamw(struct device *device, int64_t n, int64_t block) {
    struct error err = ERROR_INIT;
    size_t bytes = (size_t)n * sizeof(float);
    SCOPED(mem) float *param = draw(0, n, -1.0F, 1.0F);
    SCOPED(mem) float *grad = draw(1, n, -0.1F, 0.1F);
    SCOPED(mem) float *exp_avg = draw(2, n, -0.1F, 0.1F);
    SCOPED(mem) float *exp_avg_sq = draw(3, n, 0.0F, 0.01F);
    SCOPED(mem) uint16_t *param_bf16 = mem_array_zero((size_t)n, sizeof *param_bf16);
    struct kernel_adamw_args args = {
        .param = param,
        .grad = grad,
        .exp_avg = exp_avg,
        .exp_avg_sq = exp_avg_sq,
        .param_bf16 = param_bf16,
        .n = n,
        .step = 3,
        .lr = 1e-3,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .eps = 1e-8,
        .weight_decay = 0.1,
        .grad_scale = 0.7,
    };
    struct kernel_adamw_args on_device = args;
    on_device.param = to_device(device, param, bytes);
    on_device.grad = to_device(device, grad, bytes);
    on_device.exp_avg = to_device(device, exp_avg, bytes);
    on_device.exp_avg_sq = to_device(device, exp_avg_sq, bytes);
    on_device.param_bf16 = to_device(device, param_bf16, bytes / 2);
    if (block > 0) {
        const struct kernel_adam_mini_part part = {.n = n, .block = block};
        kernel_adam_mini_cpu(&(struct kernel_adam_mini_args){args, &part, 1}, cpu);
        assert_ok(
            kernel_adam_mini_cuda(&(struct kernel_adam_mini_args){on_device, &part, 1}, NULL, &err),
            &err);
    } else {
        kernel_adamw_cpu(&args, cpu);
        assert_ok(kernel_adamw_cuda(&on_device, NULL, &err), &err);
    }
    assert_same_on_device(on_device.param, param, bytes);
    assert_same_on_device(on_device.exp_avg, exp_avg, bytes);
    assert_same_on_device(on_device.exp_avg_sq, exp_avg_sq, bytes);
    assert_same_on_device(on_device.param_bf16, param_bf16, bytes / 2);
}

static void test_kernel_adamw_cuda__same_bits_as_the_cpu(void **state) {
    skip_without_device();
    for (int s = 0; s < KERNEL_WAYS_SIZES; s++) {
        check_adamw(*state, kernel_ways_sizes[s], 0);
        (void)device_teardown(state);
        (void)device_setup(state);
    }
}

/* Blocks of one, of less than a warp, of a run and a bit, and of more runs than warps. */
static void test_kernel_adam_mini_cuda__same_bits_as_the_cpu(void **state) {
    skip_without_device();
    const int64_t blocks[] = {1, 7, 4096, 5001, 70001};
    for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++) {
        check_adamw(*state, 3 * blocks[b], blocks[b]);
        (void)device_teardown(state);
        (void)device_setup(state);
    }
}

static void check_norm(struct device *device, const float *x, int64_t n) {
    struct error err = ERROR_INIT;
    size_t scratch_bytes = kernel_norm_scratch(n) * sizeof(double);
    SCOPED(mem) double *scratch = mem_alloc(scratch_bytes);
    struct kernel_norm_args args = {.x = x, .n = n, .scratch = scratch};
    struct kernel_norm_result expected;
    struct kernel_norm_result got;
    kernel_norm_cpu(&args, cpu, &expected);
    args.x = to_device(device, x, (size_t)n * sizeof *x);
    args.scratch = to_device(device, scratch, scratch_bytes);
    assert_ok(kernel_norm_cuda(&args, NULL, &got, &err), &err);
    assert_int_equal(got.nonfinite_count, expected.nonfinite_count);
    assert_int_equal(got.nonfinite_first, expected.nonfinite_first);
    if (expected.nonfinite_count == 0) {
        assert_memory_equal(&got.sum_sq, &expected.sum_sq, sizeof(double));
    } else {
        assert_true(isfinite(got.sum_sq) == 0);
    }
}

static void test_kernel_norm_cuda__same_bits_as_the_cpu(void **state) {
    skip_without_device();
    for (int s = 0; s < KERNEL_WAYS_SIZES; s++) {
        int64_t n = kernel_ways_sizes[s];
        SCOPED(mem) float *x = draw(4, n, -3.0F, 3.0F);
        check_norm(*state, x, n);
        x[n / 2] = INFINITY;
        x[n - 1] = NAN;
        check_norm(*state, x, n);
        (void)device_teardown(state);
        (void)device_setup(state);
    }
}

static void test_kernel_random_cuda__same_bits_as_the_cpu(void **state) {
    skip_without_device();
    enum { N = 10001 };
    struct error err = ERROR_INIT;
    struct rng rng = rng_stream(6, RNG_TEST, 0, 0);
    SCOPED(mem) float *expected = mem_array_zero(N, sizeof *expected);
    struct kernel_random_args on_device = {.out = to_device(*state, expected, N * sizeof *expected),
                                           .n = N};
    for (int used = 0; used < 6; used++) {
        on_device.rng = rng;
        struct kernel_random_args args = {.out = expected, .n = N, .rng = rng};
        kernel_random_uniform_cpu(&args, cpu);
        assert_ok(kernel_random_uniform_cuda(&on_device, NULL, &err), &err);
        assert_same_on_device(on_device.out, expected, N * sizeof *expected);
        kernel_random_normal_cpu(&args, cpu);
        assert_ok(kernel_random_normal_cuda(&on_device, NULL, &err), &err);
        assert_same_on_device(on_device.out, expected, N * sizeof *expected);
        (void)rng_u32(&rng);
    }
}

/* The order of summation differs, so these agree to rounding. */
#define TOL_LOGP 1e-5F

static void assert_near_on_device(const float *device, const float *expected, int64_t n) {
    SCOPED(mem) float *copy = mem_array((size_t)n, sizeof *copy);
    assert_int_equal(cudaMemcpy(copy, device, (size_t)n * sizeof *copy, cudaMemcpyDeviceToHost),
                     cudaSuccess);
    for (int64_t i = 0; i < n; i++) {
        float scale = fmaxf(1.0F, fabsf(expected[i]));
        assert_float_equal(copy[i], expected[i], TOL_LOGP * scale);
    }
}

/* Results, one array of 4 [ROWS], then d z in f32. */
static void check_logp(struct device *device, int64_t columns) {
    enum { ROWS = 3 };
    struct error err = ERROR_INIT;
    size_t z_bytes = (size_t)(ROWS * columns) * sizeof(float);
    SCOPED(mem) float *z = draw(6, ROWS * columns, -8.0F, 8.0F);
    SCOPED(mem) float *grads = draw(7, 3 * ROWS, -1.0F, 1.0F);
    const int64_t target[ROWS] = {0, columns / 2, columns - 1};
    float sums[4 * ROWS];
    float out[4 * ROWS] = {0};
    struct kernel_logp_block block = {.z = to_device(device, z, z_bytes),
                                      .stride = columns,
                                      .rows = ROWS,
                                      .columns = columns,
                                      .scale = 0.5F,
                                      .target = to_device(device, target, sizeof target)};
    float *device_out = to_device(device, out, sizeof out);
    float *device_grads = to_device(device, grads, 3 * ROWS * sizeof *grads);
    const struct kernel_logp_result result = {device_out, device_out + ROWS, device_out + 2 * ROWS,
                                              device_out + 3 * ROWS};
    const struct kernel_logp_upstream up = {result.entropy,      result.max,
                                            result.log_sum,      device_grads,
                                            device_grads + ROWS, device_grads + 2 * ROWS};
    assert_ok(kernel_logp_cuda(&block, &result, NULL, &err), &err);
    const struct kernel_logp_grad grad = {.f32 = block.z, .stride = columns};
    assert_ok(kernel_logp_grad_cuda(&block, &up, &grad, NULL, &err), &err);

    const struct kernel_cpu one_thread = {.threads = 1};
    const struct kernel_logp_stats stats = {sums, sums + ROWS, sums + 2 * ROWS, sums + 3 * ROWS};
    const struct kernel_logp_result expected = {out, out + ROWS, out + 2 * ROWS, out + 3 * ROWS};
    SCOPED(mem) float *again = draw(6, ROWS * columns, -8.0F, 8.0F);
    const float *on_device = block.z;
    block.z = z;
    block.target = target;
    kernel_logp_start(&stats, ROWS);
    kernel_logp_add_cpu(&block, &stats, one_thread);
    kernel_logp_finish(&stats, ROWS, &expected);
    block.z = again;
    const struct kernel_logp_upstream up_cpu = {out + ROWS, out + 2 * ROWS, out + 3 * ROWS,
                                                grads,      grads + ROWS,   grads + 2 * ROWS};
    const struct kernel_logp_grad in_place = {.f32 = again, .stride = columns};
    kernel_logp_grad_cpu(&block, &up_cpu, &in_place, one_thread);
    assert_near_on_device(device_out, out, 4 * ROWS);
    assert_near_on_device(on_device, again, ROWS * columns);
}

static void test_kernel_logp_cuda__agrees_with_the_cpu(void **state) {
    skip_without_device();
    static const int64_t columns[] = {1, 33, 1000, 50257};
    for (int i = 0; i < 4; i++) {
        check_logp(*state, columns[i]);
        (void)device_teardown(state);
        (void)device_setup(state);
    }
}

#define DEVICE_TEST(function) \
    cmocka_unit_test_setup_teardown(function, device_setup, device_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_kernel_adamw_cuda__same_bits_as_the_cpu),
        DEVICE_TEST(test_kernel_adam_mini_cuda__same_bits_as_the_cpu),
        DEVICE_TEST(test_kernel_logp_cuda__agrees_with_the_cpu),
        DEVICE_TEST(test_kernel_norm_cuda__same_bits_as_the_cpu),
        DEVICE_TEST(test_kernel_random_cuda__same_bits_as_the_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
