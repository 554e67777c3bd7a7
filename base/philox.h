/* philox.h - the generator behind base/rng.h and its kernels, as portable arithmetic.
 *
 * Source:   Philox4x32-10, of Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
 *           Deviation: none.
 * Threads:  no state.
 */
#ifndef BASE_PHILOX_H
#define BASE_PHILOX_H

#include "base/portable.h"

#include <stdint.h>

#define PHILOX_ROUNDS 10

/* One block: ten rounds on a 128-bit counter under a 64-bit key. */
static PORTABLE_INLINE void philox4x32(const uint32_t counter[4], const uint32_t key[2],
                                       uint32_t out_words[4]) {
    uint32_t c0 = counter[0];
    uint32_t c1 = counter[1];
    uint32_t c2 = counter[2];
    uint32_t c3 = counter[3];
    uint32_t k0 = key[0];
    uint32_t k1 = key[1];
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uint64_t product_0 = (uint64_t)0xD2511F53U * c0;
        uint64_t product_1 = (uint64_t)0xCD9E8D57U * c2;
        c0 = (uint32_t)(product_1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)product_1;
        c2 = (uint32_t)(product_0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)product_0;
        k0 += 0x9E3779B9U; /* golden ratio */
        k1 += 0xBB67AE85U; /* sqrt(3) - 1 */
    }
    out_words[0] = c0;
    out_words[1] = c1;
    out_words[2] = c2;
    out_words[3] = c3;
}

/* What a word or two become; base/rng.h says which numbers these are. */
static PORTABLE_INLINE float philox_uniform_f32(uint32_t word) {
    return (float)(int32_t)(word >> 8) * 0x1p-24F;
}

static PORTABLE_INLINE double philox_uniform_open(uint32_t low, uint32_t high) {
    uint64_t bits = low | (uint64_t)high << 32;
    return (portable_f64_of_u52(bits >> 12) + 0.5) * 0x1p-52;
}

#endif
