/* hash_blocks.c - see hash_blocks.h. */
#include "base/hash_blocks.h"

#include "base/invariant.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>
#include <stdalign.h>

#define WITH_SHA __attribute__((target("sha,sse4.1,ssse3")))

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const alignas(16) uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

bool hash_blocks_supported(void) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    bool has_sse41 = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1) && (c & bit_SSSE3);
    return has_sse41 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

/* The eight words of the state as the instructions want them. */
struct halves {
    __m128i abef, cdgh;
};

/* Four rounds on `words`, the words number `at` to `at` + 3 of the message schedule. */
WITH_SHA static inline void four_rounds(struct halves *s, __m128i words, int at) {
    __m128i constants = _mm_load_si128((const __m128i *)(const void *)&round_constants[at]);
    __m128i sum = _mm_add_epi32(words, constants);
    s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, sum);
    s->abef = _mm_sha256rnds2_epu32(s->abef, s->cdgh, _mm_shuffle_epi32(sum, 0x0E));
}

/* The next four words of the schedule, from the sixteen before: W[t-16], W[t-12], W[t-8], W[t-4].
 */
WITH_SHA static inline __m128i next_words(__m128i w16, __m128i w12, __m128i w8, __m128i w4) {
    __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w16, w12), _mm_alignr_epi8(w4, w8, 4));
    return _mm_sha256msg2_epu32(sum, w4);
}

/* Four big-endian words. */
WITH_SHA static inline __m128i load_words(const unsigned char *bytes) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)bytes), swap);
}

WITH_SHA static inline void compress_block(struct halves *s, const unsigned char *bytes) {
    const struct halves before = *s;
    __m128i w0 = load_words(bytes);
    __m128i w1 = load_words(bytes + 16);
    __m128i w2 = load_words(bytes + 32);
    __m128i w3 = load_words(bytes + 48);
    four_rounds(s, w0, 0);
    four_rounds(s, w1, 4);
    four_rounds(s, w2, 8);
    four_rounds(s, w3, 12);
    for (int at = 16; at < 64; at += 16) {
        w0 = next_words(w0, w1, w2, w3);
        four_rounds(s, w0, at);
        w1 = next_words(w1, w2, w3, w0);
        four_rounds(s, w1, at + 4);
        w2 = next_words(w2, w3, w0, w1);
        four_rounds(s, w2, at + 8);
        w3 = next_words(w3, w0, w1, w2);
        four_rounds(s, w3, at + 12);
    }
    s->abef = _mm_add_epi32(s->abef, before.abef);
    s->cdgh = _mm_add_epi32(s->cdgh, before.cdgh);
}

WITH_SHA void hash_blocks_compress(uint32_t state[8], const unsigned char *bytes,
                                   size_t block_count) {
    __m128i *words = (__m128i *)(void *)state;
    __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128(&words[0]), 0xB1);
    __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128(&words[1]), 0x1B);
    struct halves s = {
        .abef = _mm_alignr_epi8(badc, hgfe, 8),
        .cdgh = _mm_blend_epi16(hgfe, badc, 0xF0),
    };
    for (size_t i = 0; i < block_count; i++) {
        compress_block(&s, bytes + i * HASH_BLOCK_BYTES);
    }
    __m128i feba = _mm_shuffle_epi32(s.abef, 0x1B);
    __m128i dchg = _mm_shuffle_epi32(s.cdgh, 0xB1);
    _mm_storeu_si128(&words[0], _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128(&words[1], _mm_alignr_epi8(dchg, feba, 8));
}

#else

bool hash_blocks_supported(void) {
    return false;
}

void hash_blocks_compress(uint32_t state[8], const unsigned char *bytes, size_t block_count) {
    (void)state;
    (void)bytes;
    ASSERT(block_count == 0); /* not supported */
}

#endif
