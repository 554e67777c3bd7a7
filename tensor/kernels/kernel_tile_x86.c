/* kernel_tile_x86.c - see kernel_tile_internal.h: the tiles with vector instructions.
 *
 * Rate:     on a Zen 4 core, whose peak is 236 GF/s for bf16 dot products and 118 for f32 multiply-
 *           add, tiles of 4 to 8 rows and 3 or 4 vectors reach 98 to 100 % of it from the second
 *           level cache; one row is bound by the weights' way there (114 GB/s). docs/BENCHMARKS.md.
 */
#include "tensor/kernels/kernel_tile_internal.h"

#if KERNEL_HAS_X86_VARIANTS

#include <immintrin.h>
#include <string.h>

#define TARGET_AVX2 __attribute__((target("avx2,fma")))
#define TARGET_DOT  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))

/* Loops over the registers of a tile, whose counts are constants after inlining. */
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* Calls `tile` with constants, so that its accumulators are registers. */
#define CASE_ROWS(tile, t, n, vectors) \
    case n:                            \
        tile(t, n, vectors);           \
        break;
#define SWITCH_ROWS(tile, t, vectors)  \
    switch ((t)->rows) {               \
        CASE_ROWS(tile, t, 1, vectors) \
        CASE_ROWS(tile, t, 2, vectors) \
        CASE_ROWS(tile, t, 3, vectors) \
        CASE_ROWS(tile, t, 4, vectors) \
        CASE_ROWS(tile, t, 5, vectors) \
        CASE_ROWS(tile, t, 6, vectors) \
        CASE_ROWS(tile, t, 7, vectors) \
    default:                           \
        tile(t, 8, vectors);           \
        break;                         \
    }
#define SWITCH_VECTORS(tile, t) \
    switch ((t)->vectors) {     \
    case 1:                     \
        SWITCH_ROWS(tile, t, 1) \
        break;                  \
    case 2:                     \
        SWITCH_ROWS(tile, t, 2) \
        break;                  \
    case 3:                     \
        SWITCH_ROWS(tile, t, 3) \
        break;                  \
    default:                    \
        SWITCH_ROWS(tile, t, 4) \
        break;                  \
    }

/* Two bf16 values side by side, as one 32-bit word. */
static KERNEL_INLINE int32_t load_pair(const uint16_t *x) {
    int32_t pair;
    memcpy(&pair, x, sizeof pair);
    return pair;
}

/* --- AVX-512 -------------------------------------------------------------------------------- */

/* Three bodies that differ in what a step does; `sum` is the tile's accumulators. */

KERNEL_TARGET_AVX512 static KERNEL_INLINE void
store_512(const struct kernel_tile *t, int64_t rows, int64_t vectors,
          __m512 sum[KERNEL_TILE_ROWS_MAX][KERNEL_TILE_VECTORS_MAX]) {
    UNROLL
    for (int64_t r = 0; r < rows; r++) {
        UNROLL
        for (int64_t v = 0; v < vectors; v++) {
            _mm512_storeu_ps(t->y + r * t->y_stride + v * KERNEL_TILE_LANES, sum[r][v]);
        }
    }
}

KERNEL_TARGET_AVX512 static KERNEL_INLINE void
zero_512(int64_t rows, int64_t vectors, __m512 sum[KERNEL_TILE_ROWS_MAX][KERNEL_TILE_VECTORS_MAX]) {
    UNROLL
    for (int64_t r = 0; r < rows; r++) {
        UNROLL
        for (int64_t v = 0; v < vectors; v++) {
            sum[r][v] = _mm512_setzero_ps();
        }
    }
}

KERNEL_TARGET_AVX512 static KERNEL_INLINE void f32_512(const struct kernel_tile *t, int64_t rows,
                                                       int64_t vectors) {
    const float *x = t->x;
    const float *w = t->w;
    const char *prefetch = t->prefetch;
    __m512 sum[KERNEL_TILE_ROWS_MAX][KERNEL_TILE_VECTORS_MAX];
    zero_512(rows, vectors, sum);
    for (int64_t step = 0; step < t->steps; step++) {
        __m512 weight[KERNEL_TILE_VECTORS_MAX];
        UNROLL
        for (int64_t v = 0; v < vectors; v++) {
            weight[v] = _mm512_loadu_ps(w + v * KERNEL_TILE_LANES);
        }
        UNROLL
        for (int64_t r = 0; r < rows; r++) {
            __m512 value = _mm512_set1_ps(x[r * t->x_stride + step]);
            UNROLL
            for (int64_t v = 0; v < vectors; v++) {
                sum[r][v] = _mm512_fmadd_ps(value, weight[v], sum[r][v]);
            }
        }
        _mm_prefetch(prefetch, _MM_HINT_T0);
        _mm_prefetch(prefetch + t->prefetch_gap, _MM_HINT_T0);
        prefetch += t->prefetch_stride;
        w += t->w_stride;
    }
    store_512(t, rows, vectors, sum);
}

/* A pair becomes two f32 vectors: its first values moved up, its second ones with the rest cut
 * off. */
KERNEL_TARGET_AVX512 static KERNEL_INLINE void bf16_512(const struct kernel_tile *t, int64_t rows,
                                                        int64_t vectors) {
    const uint16_t *x = t->x;
    const uint16_t *w = t->w;
    const __m512i upper = _mm512_set1_epi32((int32_t)0xFFFF0000U);
    __m512 sum[KERNEL_TILE_ROWS_MAX][KERNEL_TILE_VECTORS_MAX];
    zero_512(rows, vectors, sum);
    for (int64_t step = 0; step < t->steps; step++, w += t->w_stride) {
        __m512 first[KERNEL_TILE_VECTORS_MAX];
        __m512 second[KERNEL_TILE_VECTORS_MAX];
        UNROLL
        for (int64_t v = 0; v < vectors; v++) {
            __m512i pairs = _mm512_loadu_si512(w + v * 2 * KERNEL_TILE_LANES);
            first[v] = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
            second[v] = _mm512_castsi512_ps(_mm512_and_si512(pairs, upper));
        }
        UNROLL
        for (int64_t r = 0; r < rows; r++) {
            __m512i pair = _mm512_set1_epi32(load_pair(x + r * t->x_stride + 2 * step));
            __m512 x_first = _mm512_castsi512_ps(_mm512_slli_epi32(pair, 16));
            __m512 x_second = _mm512_castsi512_ps(_mm512_and_si512(pair, upper));
            UNROLL
            for (int64_t v = 0; v < vectors; v++) {
                sum[r][v] = _mm512_fmadd_ps(x_first, first[v], sum[r][v]);
                sum[r][v] = _mm512_fmadd_ps(x_second, second[v], sum[r][v]);
            }
        }
    }
    store_512(t, rows, vectors, sum);
}

TARGET_DOT static KERNEL_INLINE void bf16_dot(const struct kernel_tile *t, int64_t rows,
                                              int64_t vectors) {
    const uint16_t *x = t->x;
    const uint16_t *w = t->w;
    const char *prefetch = t->prefetch;
    __m512 sum[KERNEL_TILE_ROWS_MAX][KERNEL_TILE_VECTORS_MAX];
    zero_512(rows, vectors, sum);
    for (int64_t step = 0; step < t->steps; step++) {
        __m512i weight[KERNEL_TILE_VECTORS_MAX];
        UNROLL
        for (int64_t v = 0; v < vectors; v++) {
            weight[v] = _mm512_loadu_si512(w + v * 2 * KERNEL_TILE_LANES);
        }
        UNROLL
        for (int64_t r = 0; r < rows; r++) {
            __m512i pair = _mm512_set1_epi32(load_pair(x + r * t->x_stride + 2 * step));
            UNROLL
            for (int64_t v = 0; v < vectors; v++) {
                sum[r][v] = _mm512_dpbf16_ps(sum[r][v], (__m512bh)pair, (__m512bh)weight[v]);
            }
        }
        _mm_prefetch(prefetch, _MM_HINT_T0);
        _mm_prefetch(prefetch + t->prefetch_gap, _MM_HINT_T0);
        prefetch += t->prefetch_stride;
        w += t->w_stride;
    }
    store_512(t, rows, vectors, sum);
}

KERNEL_TARGET_AVX512 void kernel_tile_f32_avx512(const struct kernel_tile *t){
    SWITCH_VECTORS(f32_512, t)}

KERNEL_TARGET_AVX512
    void kernel_tile_bf16_avx512(const struct kernel_tile *t){SWITCH_VECTORS(bf16_512, t)}

TARGET_DOT void kernel_tile_bf16_dot(const struct kernel_tile *t){SWITCH_VECTORS(bf16_dot, t)}
/* --- AVX2 ----------------------------------------------------------------------------------- */

/* With 16 registers: up to four rows and one vector of columns (two registers) at a time. */
#define AVX2_ROWS_MAX 4

TARGET_AVX2 static KERNEL_INLINE
    void store_256(const struct kernel_tile *t, int64_t first_row, int64_t rows, int64_t vector,
                   __m256 sum[AVX2_ROWS_MAX][2]) {
    UNROLL
    for (int64_t r = 0; r < rows; r++) {
        float *y = t->y + (first_row + r) * t->y_stride + vector * KERNEL_TILE_LANES;
        _mm256_storeu_ps(y, sum[r][0]);
        _mm256_storeu_ps(y + 8, sum[r][1]);
    }
}

TARGET_AVX2 static KERNEL_INLINE void f32_256(const struct kernel_tile *t, int64_t first_row,
                                              int64_t rows, int64_t vector) {
    const float *x = (const float *)t->x + first_row * t->x_stride;
    const float *w = (const float *)t->w + vector * KERNEL_TILE_LANES;
    __m256 sum[AVX2_ROWS_MAX][2];
    UNROLL
    for (int64_t r = 0; r < rows; r++) {
        sum[r][0] = _mm256_setzero_ps();
        sum[r][1] = _mm256_setzero_ps();
    }
    for (int64_t step = 0; step < t->steps; step++, w += t->w_stride) {
        __m256 low = _mm256_loadu_ps(w);
        __m256 high = _mm256_loadu_ps(w + 8);
        UNROLL
        for (int64_t r = 0; r < rows; r++) {
            __m256 value = _mm256_set1_ps(x[r * t->x_stride + step]);
            sum[r][0] = _mm256_fmadd_ps(value, low, sum[r][0]);
            sum[r][1] = _mm256_fmadd_ps(value, high, sum[r][1]);
        }
    }
    store_256(t, first_row, rows, vector, sum);
}

TARGET_AVX2 static KERNEL_INLINE __m256 first_256(__m256i pairs) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
}

TARGET_AVX2 static KERNEL_INLINE __m256 second_256(__m256i pairs) {
    return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32((int32_t)0xFFFF0000U)));
}

TARGET_AVX2 static KERNEL_INLINE void bf16_256(const struct kernel_tile *t, int64_t first_row,
                                               int64_t rows, int64_t vector) {
    const uint16_t *x = (const uint16_t *)t->x + first_row * t->x_stride;
    const uint16_t *w = (const uint16_t *)t->w + vector * 2 * KERNEL_TILE_LANES;
    __m256 sum[AVX2_ROWS_MAX][2];
    UNROLL
    for (int64_t r = 0; r < rows; r++) {
        sum[r][0] = _mm256_setzero_ps();
        sum[r][1] = _mm256_setzero_ps();
    }
    for (int64_t step = 0; step < t->steps; step++, w += t->w_stride) {
        __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)w);
        __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(w + 16));
        UNROLL
        for (int64_t r = 0; r < rows; r++) {
            __m256i pair = _mm256_set1_epi32(load_pair(x + r * t->x_stride + 2 * step));
            __m256 x_first = first_256(pair);
            __m256 x_second = second_256(pair);
            sum[r][0] = _mm256_fmadd_ps(x_first, first_256(low), sum[r][0]);
            sum[r][1] = _mm256_fmadd_ps(x_first, first_256(high), sum[r][1]);
            sum[r][0] = _mm256_fmadd_ps(x_second, second_256(low), sum[r][0]);
            sum[r][1] = _mm256_fmadd_ps(x_second, second_256(high), sum[r][1]);
        }
    }
    store_256(t, first_row, rows, vector, sum);
}

#define CASE_ROWS_256(tile, t, row, n, vector) \
    case n:                                    \
        tile(t, row, n, vector);               \
        break;
#define LOOP_256(tile, t)                                           \
    for (int64_t row = 0; row < (t)->rows; row += AVX2_ROWS_MAX) {  \
        for (int64_t vector = 0; vector < (t)->vectors; vector++) { \
            switch ((t)->rows - row) {                              \
                CASE_ROWS_256(tile, t, row, 1, vector)              \
                CASE_ROWS_256(tile, t, row, 2, vector)              \
                CASE_ROWS_256(tile, t, row, 3, vector)              \
            default:                                                \
                tile(t, row, 4, vector);                            \
                break;                                              \
            }                                                       \
        }                                                           \
    }

TARGET_AVX2 void kernel_tile_f32_avx2(const struct kernel_tile *t){LOOP_256(f32_256, t)}

TARGET_AVX2 void kernel_tile_bf16_avx2(const struct kernel_tile *t) {
    LOOP_256(bf16_256, t)
}

#else

/* An empty translation unit is not C. */
typedef int kernel_tile_x86_unused;

#endif
