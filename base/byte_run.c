/* byte_run.c - see byte_run.h.
 *
 * Every x86-64 processor has SSE2; others look at one byte after the other.
 */
#include "base/byte_run.h"

#include <stdbool.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#define LANES ((size_t)16)
#endif

static bool is_ascii(char c) {
    return ((unsigned char)c & 0x80) == 0;
}

static bool is_plain(char c) {
    return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

size_t byte_run_ascii(const char *bytes, size_t count) {
    size_t run = 0;
#if defined(__SSE2__)
    for (; count - run >= LANES; run += LANES) {
        __m128i lanes = _mm_loadu_si128((const __m128i *)(const void *)(bytes + run));
        unsigned high = (unsigned)_mm_movemask_epi8(lanes);
        if (high != 0) {
            return run + (size_t)__builtin_ctz(high);
        }
    }
#endif
    while (run < count && is_ascii(bytes[run])) {
        run++;
    }
    return run;
}

#if defined(__SSE2__)
/* A bit for each byte that is not plain. */
static unsigned special_lanes(__m128i lanes) {
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(lanes, _mm_set1_epi8(0x1F)), lanes);
    __m128i quote = _mm_cmpeq_epi8(lanes, _mm_set1_epi8('"'));
    __m128i backslash = _mm_cmpeq_epi8(lanes, _mm_set1_epi8('\\'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash)));
}
#endif

size_t byte_run_plain(const char *bytes, size_t count) {
    size_t run = 0;
#if defined(__SSE2__)
    for (; count - run >= LANES; run += LANES) {
        unsigned special =
            special_lanes(_mm_loadu_si128((const __m128i *)(const void *)(bytes + run)));
        if (special != 0) {
            return run + (size_t)__builtin_ctz(special);
        }
    }
#endif
    while (run < count && is_plain(bytes[run])) {
        run++;
    }
    return run;
}
