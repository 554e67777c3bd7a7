/* rng.c - see rng.h. */
#include "base/rng.h"

#include "base/invariant.h"
#include "base/normal_quantile.h"
#include "base/philox.h"

#include <assert.h>

static_assert(RNG_PURPOSE_COUNT <= 256, "a purpose must fit its 8 bits of the counter");

static const char *const purpose_texts[] = {
#define RNG_TEXT(name, text) text,
    RNG_PURPOSES(RNG_TEXT)
#undef RNG_TEXT
};

struct wide {
    uint64_t high, low;
};

/* The 128-bit product by schoolbook multiplication of halves; ISO C has no 128-bit type. */
static struct wide multiply_wide(uint64_t a, uint64_t b) {
    uint64_t a_low = (uint32_t)a;
    uint64_t a_high = a >> 32;
    uint64_t b_low = (uint32_t)b;
    uint64_t b_high = b >> 32;
    uint64_t low = a_low * b_low;
    uint64_t middle_1 = a_high * b_low + (low >> 32);
    uint64_t middle_2 = a_low * b_high + (uint32_t)middle_1;
    return (struct wide){
        .high = a_high * b_high + (middle_1 >> 32) + (middle_2 >> 32),
        .low = a * b,
    };
}

const char *rng_purpose_text(enum rng_purpose purpose) {
    ASSERT_LT(purpose, RNG_PURPOSE_COUNT);
    return purpose_texts[purpose];
}

struct rng rng_stream(uint64_t seed, enum rng_purpose purpose, int64_t step, int64_t item) {
    ASSERT_LT(purpose, RNG_PURPOSE_COUNT);
    ASSERT_LE(0, step);
    ASSERT_LE(step, RNG_STEP_MAX);
    ASSERT_LE(0, item);
    ASSERT_LE(item, RNG_ITEM_MAX);
    uint64_t step_and_purpose = (uint64_t)step | (uint64_t)purpose << 40;
    struct rng rng = {
        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
        .counter = {0, (uint32_t)item,
                    (uint32_t)((uint64_t)item >> 32) | (uint32_t)(step_and_purpose << 16),
                    (uint32_t)(step_and_purpose >> 16)},
    };
    rng_philox4x32(rng.counter, rng.key, rng.words);
    return rng;
}

void rng_philox4x32(const uint32_t counter[RNG_BLOCK_WORDS], const uint32_t key[2],
                    uint32_t out_words[RNG_BLOCK_WORDS]) {
    philox4x32(counter, key, out_words);
}

uint32_t rng_u32(struct rng *rng) {
    if (rng->words_used == RNG_BLOCK_WORDS) {
        ASSERT_LT(rng->counter[0], UINT32_MAX); /* the stream is not exhausted */
        rng->counter[0]++;
        rng_philox4x32(rng->counter, rng->key, rng->words);
        rng->words_used = 0;
    }
    return rng->words[rng->words_used++];
}

uint64_t rng_u64(struct rng *rng) {
    uint64_t low = rng_u32(rng);
    return low | (uint64_t)rng_u32(rng) << 32;
}

double rng_uniform(struct rng *rng) {
    return (double)(rng_u64(rng) >> 11) * 0x1p-53;
}

/* 52 bits, not 53: with one more, the largest value would round to 1. */
double rng_uniform_open(struct rng *rng) {
    uint32_t low = rng_u32(rng);
    return philox_uniform_open(low, rng_u32(rng));
}

float rng_uniform_f32(struct rng *rng) {
    return philox_uniform_f32(rng_u32(rng));
}

/* The high half of draw * bound is the answer; the low half tells the few draws that would make
 * some answers more likely than others, and those are drawn again. */
int64_t rng_below(struct rng *rng, int64_t bound) {
    ASSERT_LE(1, bound);
    uint64_t range = (uint64_t)bound;
    struct wide product = multiply_wide(rng_u64(rng), range);
    if (product.low < range) {
        uint64_t low_min = (0 - range) % range; /* 2^64 mod range */
        while (product.low < low_min) {
            product = multiply_wide(rng_u64(rng), range);
        }
    }
    return (int64_t)product.high;
}

double rng_normal(struct rng *rng) {
    return normal_quantile(rng_uniform_open(rng));
}

void rng_fill_uniform_f32(struct rng *rng, float *out_values, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        out_values[i] = rng_uniform_f32(rng);
    }
}

void rng_fill_normal_f32(struct rng *rng, float *out_values, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        out_values[i] = (float)rng_normal(rng);
    }
}

void rng_shuffle(struct rng *rng, int64_t *indices, int64_t count) {
    for (int64_t last = count - 1; last > 0; last--) {
        int64_t chosen = rng_below(rng, last + 1);
        int64_t moved = indices[last];
        indices[last] = indices[chosen];
        indices[chosen] = moved;
    }
}
