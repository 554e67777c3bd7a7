/* kernel_dequant.h - weights as files store them, into f32: plain floats and ggml's block formats.
 *
 * Use:      kernel_dequant_cpu(&(struct kernel_dequant_args){.type = KERNEL_QUANT_Q4_0,
 *                                                            .blocks = data, .values = f, .n = n},
 *                              cpu);
 * Formats:  blocks of 32 values share an f16 scale d (and, in the _1 formats, an f16 minimum m):
 *               Q8_0: d q    Q4_0: d (q - 8)    Q4_1: d q + m    Q5_0: d (q - 16)    Q5_1: d q + m
 *           K formats have super-blocks of 256 with quantised scales s of 32 or 16 values each:
 *               Q4_K: (d s) q - (dmin min)    Q6_K: (d s) (q - 32)
 * Rounding: each product and sum to f32 on its own, in the order above, as ggml and its Python
 *           package do: the same bits, but for which NaN a NaN scale gives.
 * Twins:    kernel_dequant.c only; weights are read once.
 * Oracle:   gguf.quants.dequantize of the package gguf 0.19 (tests/golden/make_gguf.py).
 * Threads:  no state.
 */
#ifndef TENSOR_KERNELS_KERNEL_DEQUANT_H
#define TENSOR_KERNELS_KERNEL_DEQUANT_H

#include "tensor/kernels/kernel_cpu.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Name, values in a block, bytes of a block. */
#define KERNEL_QUANT_TYPES(X) \
    X(F32, 1, 4)              \
    X(F16, 1, 2)              \
    X(BF16, 1, 2)             \
    X(Q8_0, 32, 34)           \
    X(Q4_0, 32, 18)           \
    X(Q4_1, 32, 20)           \
    X(Q5_0, 32, 22)           \
    X(Q5_1, 32, 24)           \
    X(Q4_K, 256, 144)         \
    X(Q6_K, 256, 210)

enum kernel_quant_type {
#define KERNEL_QUANT_ENUM(name, values, bytes) KERNEL_QUANT_##name,
    KERNEL_QUANT_TYPES(KERNEL_QUANT_ENUM)
#undef KERNEL_QUANT_ENUM
        KERNEL_QUANT_TYPE_COUNT
};

struct kernel_dequant_args {
    enum kernel_quant_type type;
    const void *blocks; /* [n / values in a block], of any alignment */
    float *values;      /* [n] */
    int64_t n;          /* a multiple of the values in a block */
};

void kernel_dequant_cpu(const struct kernel_dequant_args *a, struct kernel_cpu cpu);

/* "Q4_K"; static. */
const char *kernel_quant_name(enum kernel_quant_type type);

int64_t kernel_quant_block_values(enum kernel_quant_type type);
int64_t kernel_quant_block_bytes(enum kernel_quant_type type);

#ifdef __cplusplus
}
#endif

#endif
