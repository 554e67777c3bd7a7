/* text_fold.h - texts as a reader compares them: without regard to case, blanks or punctuation.
 *
 * Use:      uint64_t same = text_fold_key(bytes, count);   // equal for "Hello  you" and "hello
 * you"
 *
 *           struct text_words words = TEXT_WORDS_INIT(bytes, count);
 *           uint64_t word = 0;
 *           while (text_words_next(&words, &word)) { use(word); }
 * Case:     simple one-to-one folding of ASCII, Latin-1, Latin Extended-A, Greek and Cyrillic;
 *           other letters stand as they are.
 * Words:    runs of letters and digits. Punctuation, symbols below U+00C0 and blanks part them;
 *           Chinese, Japanese kana and Thai, which are written without blanks, give one word a
 *           character.
 * Keys:     64 bits, not meant to withstand somebody who wants two texts to agree.
 * Threads:  no state.
 */
#ifndef DATA_TEXT_FOLD_H
#define DATA_TEXT_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text_words {
    const char *bytes; /* borrowed */
    size_t count, at;
};

#define TEXT_WORDS_INIT(text, length) \
    { .bytes = (text), .count = (length), .at = 0 }

/* The next word, case folded, as a key; false at the end. */
bool text_words_next(struct text_words *words, uint64_t *out_word);

/* Key of the text with its case folded, every run of blanks as one space, and none at the ends.
 * Punctuation counts. */
uint64_t text_fold_key(const char *bytes, size_t count);

/* The small letter of a capital; any other code point itself. */
uint32_t text_fold_case(uint32_t code_point);

/* Whether it shows nothing: blanks, line ends, no-break and zero-width spaces, byte order mark. */
bool text_is_blank(const char *bytes, size_t count);

/* Scrambles 64 bits: every bit of the result depends on every bit given. One to one.
 * Source: Steele, Lea, Flood 2014, SplitMix64, its output function. */
static inline uint64_t text_fold_mix(uint64_t bits) {
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94D049BB133111EB);
    return bits ^ (bits >> 31);
}

#endif
