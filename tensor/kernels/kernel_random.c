/* kernel_random.c - see kernel_random.h. */
#include "tensor/kernels/kernel_random.h"

#include "base/invariant.h"
#include "tensor/kernels/kernel_cpu_internal.h"
#include "tensor/kernels/kernel_random_internal.h"

/* Words are made a piece at a time, in whole blocks, and then become numbers: two loops that
 * vectorise, where one would have to shuffle words across numbers. 4 KiB stay in the first cache.
 */
#define PIECE_BLOCKS 256
#define PIECE_WORDS  (PIECE_BLOCKS * RNG_BLOCK_WORDS)

struct random_plan {
    const struct kernel_random_args *args;
    int64_t first_word; /* of number 0 */
};

/* Vectorises by itself; `omp simd` would give every lane a block[] of its own, in memory. */
static KERNEL_INLINE void make_words(const struct rng *stream, int64_t first_block,
                                     uint32_t words[PIECE_WORDS]) {
    const struct rng copy = *stream; /* out of the way of the stores */
    for (int64_t b = 0; b < PIECE_BLOCKS; b++) {
        uint32_t block[RNG_BLOCK_WORDS];
        kernel_random_block(&copy, first_block + b, block);
        words[RNG_BLOCK_WORDS * b] = block[0];
        words[RNG_BLOCK_WORDS * b + 1] = block[1];
        words[RNG_BLOCK_WORDS * b + 2] = block[2];
        words[RNG_BLOCK_WORDS * b + 3] = block[3];
    }
}

static KERNEL_INLINE int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Calls `become(words of the first number, out, count)` for each piece of [begin, end). */
static KERNEL_INLINE void draw_range(const struct random_plan *plan, int64_t begin, int64_t end,
                                     int64_t words_each,
                                     void (*become)(const uint32_t *, float *, int64_t)) {
    uint32_t words[PIECE_WORDS];
    int64_t i = begin;
    while (i < end) {
        int64_t word = plan->first_word + i * words_each;
        int64_t skipped = word % RNG_BLOCK_WORDS; /* handed out before */
        int64_t count = smaller((PIECE_WORDS - skipped) / words_each, end - i);
        make_words(&plan->args->rng, word / RNG_BLOCK_WORDS, words);
        become(words + skipped, plan->args->out + i, count);
        i += count;
    }
}

static KERNEL_INLINE void become_uniform(const uint32_t *words, float *out, int64_t count) {
    KERNEL_SIMD
    for (int64_t i = 0; i < count; i++) {
        out[i] = philox_uniform_f32(words[i]);
    }
}

static KERNEL_INLINE void become_normal(const uint32_t *words, float *out, int64_t count) {
    KERNEL_SIMD
    for (int64_t i = 0; i < count; i++) {
        out[i] = kernel_random_normal(words[2 * i], words[2 * i + 1]);
    }
}

static KERNEL_INLINE void uniform_range(const struct random_plan *plan, int64_t begin,
                                        int64_t end) {
    draw_range(plan, begin, end, RANDOM_WORDS_UNIFORM, become_uniform);
}

static KERNEL_INLINE void normal_range(const struct random_plan *plan, int64_t begin, int64_t end) {
    draw_range(plan, begin, end, RANDOM_WORDS_NORMAL, become_normal);
}

KERNEL_VARIANTS(uniform, struct random_plan)
KERNEL_VARIANTS(normal, struct random_plan)

static void run(const struct kernel_variants *variants, const struct kernel_random_args *a,
                int64_t words_each, struct kernel_cpu cpu) {
    struct random_plan plan = {
        .args = a,
        .first_word = kernel_random_first_word(&a->rng, a->n, words_each),
    };
    kernel_run(variants, &plan, a->n, cpu);
}

int64_t kernel_random_first_word(const struct rng *rng, int64_t n, int64_t words) {
    int64_t words_in_stream = (int64_t)RNG_BLOCK_WORDS << 32;
    int64_t first_word = (int64_t)rng->counter[0] * RNG_BLOCK_WORDS + rng->words_used;
    ASSERT_LE(0, n);
    ASSERT_LE(n, (words_in_stream - first_word) / words);
    return first_word;
}

void kernel_random_uniform_cpu(const struct kernel_random_args *a, struct kernel_cpu cpu) {
    run(&uniform_variants, a, RANDOM_WORDS_UNIFORM, cpu);
}

void kernel_random_normal_cpu(const struct kernel_random_args *a, struct kernel_cpu cpu) {
    run(&normal_variants, a, RANDOM_WORDS_NORMAL, cpu);
}
