/* kernel_random_internal.h - where in a stream of words each number lies, for both twins. */
#ifndef TENSOR_KERNELS_KERNEL_RANDOM_INTERNAL_H
#define TENSOR_KERNELS_KERNEL_RANDOM_INTERNAL_H

#include "base/normal_quantile_inline.h"
#include "base/philox.h"
#include "tensor/kernels/kernel_random.h"

#define RANDOM_WORDS_UNIFORM 1 /* of 32 bits, for one number */
#define RANDOM_WORDS_NORMAL  2

#ifdef __cplusplus
extern "C" {
#endif

/* Index of the first word that `rng` has not handed out yet. Asserts that the stream holds `n`
 * numbers of `words` words from there on. */
int64_t kernel_random_first_word(const struct rng *rng, int64_t n, int64_t words);

/* The four words [4 * block, 4 * block + 4) of the stream. */
static PORTABLE_INLINE void kernel_random_block(const struct rng *stream, int64_t block,
                                                uint32_t out_words[RNG_BLOCK_WORDS]) {
    const uint32_t counter[RNG_BLOCK_WORDS] = {(uint32_t)block, stream->counter[1],
                                               stream->counter[2], stream->counter[3]};
    philox4x32(counter, stream->key, out_words);
}

static PORTABLE_INLINE float kernel_random_normal(uint32_t low, uint32_t high) {
    return (float)normal_quantile_inline(philox_uniform_open(low, high));
}

#ifdef __cplusplus
}
#endif

#endif
