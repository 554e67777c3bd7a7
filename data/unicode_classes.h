/* unicode_classes.h - the classes of characters by which tokenizers cut texts.
 *
 * Use:      uint8_t flags = unicode_flags(code_point);
 *           if (flags & (UNICODE_LETTER | UNICODE_NUMBER)) { ... }
 *
 *           struct unicode_char c = unicode_char_at(text + i);    // one lookup for ASCII
 * Versions: not the newest Unicode but what the tokenizers library answers, with which models were
 *           trained: see tests/golden/make_unicode_tables.py, which makes the tables. PCRE2's
 *           classes (base/regex.h) are those of Unicode 14.
 * Threads:  no state.
 */
#ifndef DATA_UNICODE_CLASSES_H
#define DATA_UNICODE_CLASSES_H

#include <stddef.h>
#include <stdint.h>

enum unicode_flag {
    UNICODE_LETTER = 0x01,      /* \p{L} */
    UNICODE_NUMBER = 0x02,      /* \p{N} */
    UNICODE_NUMERIC = 0x04,     /* \p{N} of a newer version, for the splitter of digits */
    UNICODE_SPACE = 0x08,       /* \s, White_Space */
    UNICODE_WORD = 0x10,        /* \w: letters, marks, digits, connectors, joiners */
    UNICODE_PUNCTUATION = 0x20, /* ASCII's, and \p{P} of an older version */
    UNICODE_COMPOSING = 0x40,   /* a text without any is in NFC */
};

/* Code points come in blocks of 128, a block as 128 nibbles, a nibble numbers a combination of
 * flags. From unicode_class_end on there are only the variation selectors of plane 14. */
extern const uint32_t unicode_class_end;
extern const uint8_t unicode_class_of_tail;
extern const uint8_t unicode_class_combinations[16];
extern const uint8_t unicode_class_ascii[128];
extern const uint8_t unicode_class_blocks[];
extern const uint64_t unicode_class_nibbles[];

static inline uint8_t unicode_flags(uint32_t code_point) {
    if (code_point < 128) {
        return unicode_class_ascii[code_point];
    }
    if (code_point >= unicode_class_end) {
        return code_point >= 0xE0100 && code_point < 0xE01F0 ? unicode_class_of_tail : 0;
    }
    uint32_t word = unicode_class_blocks[code_point >> 7] * 8U + (code_point >> 4 & 7U);
    uint64_t nibble = unicode_class_nibbles[word] >> (4 * (code_point & 15U)) & 15U;
    return unicode_class_combinations[nibble];
}

struct unicode_char {
    uint32_t code_point;
    uint8_t bytes, flags;
};

/* The character at `p`, in text that has been checked (base/utf8.h). */
static inline struct unicode_char unicode_char_at(const char *p) {
    const unsigned char *u = (const unsigned char *)p;
    if (u[0] < 0x80) {
        return (struct unicode_char){u[0], 1, unicode_class_ascii[u[0]]};
    }
    uint32_t c = 0;
    uint8_t bytes = 2;
    if (u[0] < 0xE0) {
        c = (u[0] & 0x1FU) << 6 | (u[1] & 0x3FU);
    } else if (u[0] < 0xF0) {
        c = (u[0] & 0x0FU) << 12 | (u[1] & 0x3FU) << 6 | (u[2] & 0x3FU);
        bytes = 3;
    } else {
        c = (u[0] & 0x07U) << 18 | (u[1] & 0x3FU) << 12 | (u[2] & 0x3FU) << 6 | (u[3] & 0x3FU);
        bytes = 4;
    }
    return (struct unicode_char){c, bytes, unicode_flags(c)};
}

/* Length of the character that `p` begins with, in checked text. */
static inline size_t unicode_bytes_at(const char *p) {
    unsigned char first = (unsigned char)*p;
    return first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

#endif
