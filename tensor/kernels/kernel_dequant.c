/* kernel_dequant.c - see kernel_dequant.h. The layouts are those of ggml's ggml-common.h. */
#include "tensor/kernels/kernel_dequant.h"

#include "base/invariant.h"
#include "tensor/kernels/kernel_convert.h"
#include "tensor/kernels/kernel_cpu_internal.h"

#include <assert.h>
#include <string.h>

static const struct {
    const char *name;
    int64_t values, bytes;
} types[] = {
#define TYPE_ROW(name, values, bytes) {#name, values, bytes},
    KERNEL_QUANT_TYPES(TYPE_ROW)
#undef TYPE_ROW
};

#define TYPE_CHECK(name, values, bytes) \
    static_assert(KERNEL_PIECE_UNIT % (values) == 0, "pieces hold whole blocks of " #name);
KERNEL_QUANT_TYPES(TYPE_CHECK)
#undef TYPE_CHECK

/* Half a block: the low four bits of its bytes are the first 16 values, the high four the rest. */
#define HALF 16

static KERNEL_INLINE float f16_at(const unsigned char *bytes) {
    uint16_t f16;
    memcpy(&f16, bytes, sizeof f16);
    return kernel_f32_of_f16(f16);
}

static KERNEL_INLINE uint32_t u32_at(const unsigned char *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static KERNEL_INLINE int32_t signed_byte(unsigned char byte) {
    return (int32_t)(int8_t)byte;
}

/* ---- one block each: its bytes, its values ---- */

static KERNEL_INLINE void f32_block(const unsigned char *block, float *y) {
    memcpy(y, block, sizeof *y);
}

static KERNEL_INLINE void f16_block(const unsigned char *block, float *y) {
    *y = f16_at(block);
}

static KERNEL_INLINE void bf16_block(const unsigned char *block, float *y) {
    uint16_t bf16;
    memcpy(&bf16, block, sizeof bf16);
    *y = kernel_f32_of_bf16(bf16);
}

/* d; 32 signed bytes */
static KERNEL_INLINE void q8_0_block(const unsigned char *block, float *y) {
    float d = f16_at(block);
    const unsigned char *q = block + 2;
    KERNEL_SIMD
    for (int64_t i = 0; i < 32; i++) {
        y[i] = (float)signed_byte(q[i]) * d;
    }
}

/* d; 16 bytes of two values */
static KERNEL_INLINE void q4_0_block(const unsigned char *block, float *y) {
    float d = f16_at(block);
    const unsigned char *q = block + 2;
    KERNEL_SIMD
    for (int64_t i = 0; i < HALF; i++) {
        y[i] = (float)((q[i] & 0xF) - 8) * d;
        y[i + HALF] = (float)((q[i] >> 4) - 8) * d;
    }
}

/* d; m; 16 bytes of two values */
static KERNEL_INLINE void q4_1_block(const unsigned char *block, float *y) {
    float d = f16_at(block);
    float m = f16_at(block + 2);
    const unsigned char *q = block + 4;
    KERNEL_SIMD
    for (int64_t i = 0; i < HALF; i++) {
        y[i] = (float)(q[i] & 0xF) * d + m;
        y[i + HALF] = (float)(q[i] >> 4) * d + m;
    }
}

/* The fifth bit of value i is bit i of `high`. */
static KERNEL_INLINE int32_t fifth_bit(uint32_t high, int64_t i) {
    return (int32_t)(high >> i & 1U) << 4;
}

/* d; 32 fifth bits; 16 bytes of two values */
static KERNEL_INLINE void q5_0_block(const unsigned char *block, float *y) {
    float d = f16_at(block);
    uint32_t high = u32_at(block + 2);
    const unsigned char *q = block + 6;
    KERNEL_SIMD
    for (int64_t i = 0; i < HALF; i++) {
        y[i] = (float)(((q[i] & 0xF) | fifth_bit(high, i)) - 16) * d;
        y[i + HALF] = (float)((q[i] >> 4 | fifth_bit(high, i + HALF)) - 16) * d;
    }
}

/* d; m; 32 fifth bits; 16 bytes of two values */
static KERNEL_INLINE void q5_1_block(const unsigned char *block, float *y) {
    float d = f16_at(block);
    float m = f16_at(block + 2);
    uint32_t high = u32_at(block + 4);
    const unsigned char *q = block + 8;
    KERNEL_SIMD
    for (int64_t i = 0; i < HALF; i++) {
        y[i] = (float)((q[i] & 0xF) | fifth_bit(high, i)) * d + m;
        y[i + HALF] = (float)(q[i] >> 4 | fifth_bit(high, i + HALF)) * d + m;
    }
}

/* Scale and minimum of the j-th 32 values, six bits each in 12 bytes: of the first four in bytes
 * 0-3 and 4-7; of the last four the low bits in bytes 8-11, the high ones on top of the others. */
static KERNEL_INLINE void q4_k_scales(const unsigned char *packed, int64_t j, int32_t *scale,
                                      int32_t *minimum) {
    if (j < 4) {
        *scale = packed[j] & 63;
        *minimum = packed[j + 4] & 63;
    } else {
        *scale = (packed[j + 4] & 0xF) | packed[j - 4] >> 6 << 4;
        *minimum = packed[j + 4] >> 4 | packed[j] >> 6 << 4;
    }
}

/* d; dmin; 12 bytes of scales; four times 32 bytes, low halves before high ones */
static KERNEL_INLINE void q4_k_block(const unsigned char *block, float *y) {
    float d = f16_at(block);
    float dmin = f16_at(block + 2);
    for (int64_t j = 0; j < 8; j++) {
        int32_t scale, minimum;
        q4_k_scales(block + 4, j, &scale, &minimum);
        float step = d * (float)scale;
        float below = dmin * (float)minimum;
        const unsigned char *q = block + 16 + 32 * (j / 2);
        const int32_t shift = j % 2 == 0 ? 0 : 4;
        KERNEL_SIMD
        for (int64_t i = 0; i < 32; i++) {
            y[32 * j + i] = step * (float)(q[i] >> shift & 0xF) - below;
        }
    }
}

/* 128 bytes of low fours; 64 bytes of high twos; 16 signed scales; d. Each half of 128 values has
 * four rows of 32: the low halves of 64 bytes, then their high halves, with the twos of 32 bytes
 * in four layers. */
static KERNEL_INLINE void q6_k_block(const unsigned char *block, float *y) {
    float d = f16_at(block + 208);
    for (int64_t row = 0; row < 8; row++) {
        const int64_t half = row / 4;
        const int64_t r = row % 4;
        const unsigned char *low = block + 64 * half + 32 * (r % 2);
        const unsigned char *high = block + 128 + 32 * half;
        const unsigned char *scales = block + 192 + 2 * row;
        const int32_t low_shift = r < 2 ? 0 : 4;
        const int32_t high_shift = (int32_t)(2 * r);
        for (int64_t s = 0; s < 2; s++) {
            float step = d * (float)signed_byte(scales[s]);
            KERNEL_SIMD
            for (int64_t i = HALF * s; i < HALF * (s + 1); i++) {
                int32_t q = (low[i] >> low_shift & 0xF) | (high[i] >> high_shift & 3) << 4;
                y[32 * row + i] = step * (float)(q - 32);
            }
        }
    }
}

/* ---- all blocks of a range ---- */

#define DEQUANT_LOOP(name, block_values, block_bytes)                                          \
    static KERNEL_INLINE void name##_range(const struct kernel_dequant_args *a, int64_t begin, \
                                           int64_t end) {                                      \
        const unsigned char *blocks = (const unsigned char *)a->blocks;                        \
        for (int64_t b = begin / (block_values); b < end / (block_values); b++) {              \
            name##_block(blocks + b * (block_bytes), a->values + b * (block_values));          \
        }                                                                                      \
    }                                                                                          \
    KERNEL_VARIANTS(name, struct kernel_dequant_args)

DEQUANT_LOOP(f32, 1, 4)
DEQUANT_LOOP(f16, 1, 2)
DEQUANT_LOOP(bf16, 1, 2)
DEQUANT_LOOP(q8_0, 32, 34)
DEQUANT_LOOP(q4_0, 32, 18)
DEQUANT_LOOP(q4_1, 32, 20)
DEQUANT_LOOP(q5_0, 32, 22)
DEQUANT_LOOP(q5_1, 32, 24)
DEQUANT_LOOP(q4_k, 256, 144)
DEQUANT_LOOP(q6_k, 256, 210)

static const struct kernel_variants *variants_of(enum kernel_quant_type type) {
    static const struct kernel_variants *const by_type[] = {
        [KERNEL_QUANT_F32] = &f32_variants,   [KERNEL_QUANT_F16] = &f16_variants,
        [KERNEL_QUANT_BF16] = &bf16_variants, [KERNEL_QUANT_Q8_0] = &q8_0_variants,
        [KERNEL_QUANT_Q4_0] = &q4_0_variants, [KERNEL_QUANT_Q4_1] = &q4_1_variants,
        [KERNEL_QUANT_Q5_0] = &q5_0_variants, [KERNEL_QUANT_Q5_1] = &q5_1_variants,
        [KERNEL_QUANT_Q4_K] = &q4_k_variants, [KERNEL_QUANT_Q6_K] = &q6_k_variants,
    };
    return by_type[type];
}

void kernel_dequant_cpu(const struct kernel_dequant_args *a, struct kernel_cpu cpu) {
    ASSERT_EQ(a->n % types[a->type].values, 0);
    kernel_run(variants_of(a->type), a, a->n, cpu);
}

const char *kernel_quant_name(enum kernel_quant_type type) {
    return types[type].name;
}

int64_t kernel_quant_block_values(enum kernel_quant_type type) {
    return types[type].values;
}

int64_t kernel_quant_block_bytes(enum kernel_quant_type type) {
    return types[type].bytes;
}
