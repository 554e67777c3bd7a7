/* text_fold.c - see text_fold.h. */
#include "data/text_fold.h"

#include "base/utf8.h"

/* FNV-1a over code points, scrambled in the end: its upper bits alone are weak. */
#define KEY_START UINT64_C(0xCBF29CE484222325)
#define KEY_PRIME UINT64_C(0x100000001B3)

static uint64_t key_add(uint64_t key, uint32_t code_point) {
    return (key ^ code_point) * KEY_PRIME;
}

/* One code point and its length; an ill-formed byte stands for itself. */
static size_t next_code_point(const char *bytes, size_t count, uint32_t *out) {
    unsigned char first = (unsigned char)bytes[0];
    if (first < 0x80) {
        *out = first;
        return 1;
    }
    size_t length = utf8_decode(bytes, count, out);
    if (length == 0) {
        *out = first;
        return 1;
    }
    return length;
}

static bool is_in(uint32_t code_point, uint32_t low, uint32_t high) {
    return code_point - low <= high - low;
}

static bool is_space(uint32_t c) {
    return c == ' ' || is_in(c, '\t', '\r') || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           is_in(c, 0x2000, 0x200B) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
           c == 0x3000 || c == 0xFEFF;
}

static bool is_word(uint32_t c) {
    if (c < 0x80) {
        return is_in(c | 0x20, 'a', 'z') || is_in(c, '0', '9');
    }
    return c >= 0xC0 && c != 0xD7 && c != 0xF7 && !is_in(c, 0x2000, 0x2BFF) &&
           !is_in(c, 0x3000, 0x3020) && !is_in(c, 0xFE10, 0xFE6F) && !is_in(c, 0xFF00, 0xFF0F) &&
           !is_in(c, 0xFF1A, 0xFF20) && c != 0xFEFF && !is_space(c);
}

/* Scripts without blanks between words. */
static bool is_word_alone(uint32_t c) {
    return is_in(c, 0x0E00, 0x0EFF) || is_in(c, 0x3040, 0x30FF) || is_in(c, 0x3400, 0x4DBF) ||
           is_in(c, 0x4E00, 0x9FFF) || is_in(c, 0xF900, 0xFAFF) || is_in(c, 0x20000, 0x3FFFF);
}

uint32_t text_fold_case(uint32_t c) {
    if (c < 0x80) {
        return is_in(c, 'A', 'Z') ? c | 0x20 : c;
    }
    if (is_in(c, 0xC0, 0xDE) && c != 0xD7) {
        return c + 0x20;
    }
    /* Latin Extended-A: pairs, even before odd but in two stretches. */
    if (is_in(c, 0x100, 0x137) && c != 0x130 && c != 0x131) {
        return c | 1;
    }
    if (is_in(c, 0x139, 0x148) || is_in(c, 0x179, 0x17E)) {
        return c + (c & 1);
    }
    if (is_in(c, 0x14A, 0x177)) {
        return c | 1;
    }
    if ((is_in(c, 0x391, 0x3A9) && c != 0x3A2) || is_in(c, 0x410, 0x42F)) {
        return c + 0x20;
    }
    return is_in(c, 0x400, 0x40F) ? c + 0x50 : c;
}

bool text_words_next(struct text_words *words, uint64_t *out_word) {
    uint64_t key = KEY_START;
    bool started = false;
    while (words->at < words->count) {
        uint32_t c = 0;
        size_t length = next_code_point(words->bytes + words->at, words->count - words->at, &c);
        bool alone = is_word_alone(c);
        if (started && (alone || !is_word(c))) {
            break; /* read again, or passed over, by the next call */
        }
        words->at += length;
        if (alone || is_word(c)) {
            key = key_add(key, text_fold_case(c));
            started = true;
        }
        if (alone) {
            break;
        }
    }
    if (started) {
        *out_word = text_fold_mix(key);
    }
    return started;
}

uint64_t text_fold_key(const char *bytes, size_t count) {
    uint64_t key = KEY_START;
    bool any = false, space_waits = false;
    for (size_t at = 0; at < count;) {
        uint32_t c = 0;
        at += next_code_point(bytes + at, count - at, &c);
        if (is_space(c)) {
            space_waits = any;
            continue;
        }
        if (space_waits) {
            key = key_add(key, ' ');
            space_waits = false;
        }
        key = key_add(key, text_fold_case(c));
        any = true;
    }
    return text_fold_mix(key);
}

bool text_is_blank(const char *bytes, size_t count) {
    for (size_t at = 0; at < count;) {
        uint32_t c = 0;
        at += next_code_point(bytes + at, count - at, &c);
        if (!is_space(c) && !is_in(c, 0x200C, 0x200D) && c != 0x2060) {
            return false;
        }
    }
    return true;
}
