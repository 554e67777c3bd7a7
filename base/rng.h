/* rng.h - random numbers that are keyed, not streamed.
 *
 * Use:      struct rng rng = rng_stream(run->seed, RNG_SAMPLE, step, prompt_id);
 *           double u = rng_uniform(&rng);
 *
 *           A stream is a pure function of (seed, purpose, step, item). So resuming, reordering, or
 *           adding a consumer does not shift anybody else's numbers, and nothing needs saving.
 *
 * Source:   Philox4x32-10, in base/philox.h.
 * Layout:   the 64-bit seed is the key; the 128-bit counter is, from its lowest bit,
 *
 *               block 32 | item 48 | step 40 | purpose 8
 *
 *           Fields do not overlap and their ranges are asserted, so two streams of one seed never
 *           share a block. A stream ends after 2^32 blocks (2^34 words of 32 bits), asserted too.
 * Repeats:  the same numbers on every machine, normals too: nothing goes through a function of the
 *           C library whose last bit it may choose (base/portable.h).
 * Threads:  no state; a `struct rng` belongs to its caller and is copied freely (the copy continues
 *           with the same numbers).
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a stream is for. The position in the list is part of the counter: only append, or every
 * random number of the program changes. */
#define RNG_PURPOSES(X)                               \
    X(INIT, "parameter initialisation")               \
    X(SHUFFLE, "order of training data")              \
    X(SAMPLE, "sampling of tokens")                   \
    X(DROPOUT, "dropout masks")                       \
    X(BOOTSTRAP, "resampling for intervals")          \
    X(COALITION, "choice of coalitions")              \
    X(WORLD, "synthetic worlds and demonstration")    \
    X(BENCH, "inputs of benchmarks")                  \
    X(TEST, "tests")                                  \
    X(STATS, "samples and simulations of statistics") \
    X(CUT, "examples of prompts with many answers")

enum rng_purpose {
#define RNG_ENUM(name, text) RNG_##name,
    RNG_PURPOSES(RNG_ENUM)
#undef RNG_ENUM
        RNG_PURPOSE_COUNT
};

/* Largest `step` and `item` of a stream. */
#define RNG_STEP_MAX ((INT64_C(1) << 40) - 1)
#define RNG_ITEM_MAX ((INT64_C(1) << 48) - 1)

#define RNG_BLOCK_WORDS 4

struct rng {
    uint32_t key[2];
    uint32_t counter[RNG_BLOCK_WORDS]; /* of the block in `words` */
    uint32_t words[RNG_BLOCK_WORDS];
    int32_t words_used; /* RNG_BLOCK_WORDS: the next draw makes a new block */
};

/* What a purpose is for, as in the list above. Static. */
const char *rng_purpose_text(enum rng_purpose purpose);

/* The stream of (seed, purpose, step, item), at its first number.
 *   step  in [0, RNG_STEP_MAX]: optimiser step, epoch, replicate
 *   item  in [0, RNG_ITEM_MAX]: prompt, sequence, parameter, row */
struct rng rng_stream(uint64_t seed, enum rng_purpose purpose, int64_t step, int64_t item);

/* One block of the generator, ten rounds. Kernels, which keep their own counters, inline it from
 * base/philox.h. */
void rng_philox4x32(const uint32_t counter[RNG_BLOCK_WORDS], const uint32_t key[2],
                    uint32_t out_words[RNG_BLOCK_WORDS]);

/* Uniform over all values; the 64-bit form is two words, the lower half drawn first. */
uint32_t rng_u32(struct rng *rng);
uint64_t rng_u64(struct rng *rng);

/* Uniform on [0, 1): a multiple of 2^-53 (from one u64). */
double rng_uniform(struct rng *rng);

/* Uniform on (0, 1): an odd multiple of 2^-53, so log() of it and of its complement is finite. */
double rng_uniform_open(struct rng *rng);

/* Uniform on [0, 1): a multiple of 2^-24 (from one u32). */
float rng_uniform_f32(struct rng *rng);

/* Uniform on {0, ..., bound - 1}, exactly: no modulo bias (Lemire 2019, arXiv 1805.10941).
 * bound >= 1. */
int64_t rng_below(struct rng *rng, int64_t bound);

/* Standard normal by inversion: normal_quantile(rng_uniform_open()). One u64 a number and no
 * rejection, so the n-th number does not depend on the values before it. */
double rng_normal(struct rng *rng);

/* `count` numbers, the same as that many single calls; the normals are rounded to float. */
void rng_fill_uniform_f32(struct rng *rng, float *out_values, int64_t count);
void rng_fill_normal_f32(struct rng *rng, float *out_values, int64_t count);

/* Puts `indices` into an order drawn uniformly from all orders (Fisher-Yates). */
void rng_shuffle(struct rng *rng, int64_t *indices, int64_t count);

#ifdef __cplusplus
}
#endif

#endif
