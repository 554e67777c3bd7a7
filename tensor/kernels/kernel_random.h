/* kernel_random.h - many uniform or normal numbers of one keyed stream at once.
 *
 * Use:      struct rng rng = rng_stream(seed, RNG_INIT, 0, parameter);
 *           kernel_random_normal_cpu(&(struct kernel_random_args){.out = w, .n = n, .rng = rng},
 *                                    cpu);
 *           The numbers are those that rng_fill_uniform_f32 and rng_fill_normal_f32 would give from
 *           `rng` on, bit for bit: number i depends on the stream and i alone.
 * Twins:    kernel_random.c (OpenMP), kernel_random.cu; same bits.
 * Oracle:   base/rng.h
 * Threads:  no state. `rng` is taken by value: the caller's copy does not move on.
 */
#ifndef TENSOR_KERNELS_KERNEL_RANDOM_H
#define TENSOR_KERNELS_KERNEL_RANDOM_H

#include "base/error.h"
#include "base/rng.h"
#include "tensor/kernels/kernel_cpu.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kernel_random_args {
    float *out; /* [n] */
    int64_t n;
    struct rng rng; /* ends after 2^34 words, asserted: a uniform takes one, a normal two */
};

/* Uniform on [0, 1): multiples of 2^-24. */
void kernel_random_uniform_cpu(const struct kernel_random_args *a, struct kernel_cpu cpu);

/* Normal with mean 0 and variance 1. */
void kernel_random_normal_cpu(const struct kernel_random_args *a, struct kernel_cpu cpu);

/* `out` is device memory. Return when the kernel is queued; fail with ERR_BACKEND if the launch is
 * refused. */
ERR_NODISCARD enum err_code kernel_random_uniform_cuda(const struct kernel_random_args *a,
                                                       void *stream, struct error *err);
ERR_NODISCARD enum err_code kernel_random_normal_cuda(const struct kernel_random_args *a,
                                                      void *stream, struct error *err);

#ifdef __cplusplus
}
#endif

#endif
