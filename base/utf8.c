/* utf8.c - see utf8.h. */
#include "base/utf8.h"

#include "base/byte_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Rows of table 3-7 by lead byte: length, and the range that the second byte must lie in. All
 * overlong forms, surrogates and values too large are excluded there; the further bytes are always
 * 80..BF. Length 0: no sequence starts with this byte. */
struct lead {
    size_t length;
    unsigned char second_min, second_max;
};

static struct lead lead_of(unsigned char byte) {
    if (byte < 0x80) {
        return (struct lead){1, 0, 0};
    }
    if (byte < 0xC2 || byte > 0xF4) {
        return (struct lead){0, 0, 0};
    }
    if (byte < 0xE0) {
        return (struct lead){2, 0x80, 0xBF};
    }
    if (byte < 0xF0) {
        return (struct lead){3, byte == 0xE0 ? 0xA0 : 0x80, byte == 0xED ? 0x9F : 0xBF};
    }
    return (struct lead){4, byte == 0xF0 ? 0x90 : 0x80, byte == 0xF4 ? 0x8F : 0xBF};
}

static bool is_continuation(unsigned char byte) {
    return (byte & 0xC0) == 0x80;
}

/* Length of the well-formed sequence at `bytes`, 0 if there is none. */
static size_t sequence_length(const unsigned char *bytes, size_t count) {
    struct lead lead = count > 0 ? lead_of(bytes[0]) : (struct lead){0, 0, 0};
    if (lead.length <= 1) {
        return lead.length;
    }
    if (count < lead.length || bytes[1] < lead.second_min || bytes[1] > lead.second_max) {
        return 0;
    }
    for (size_t i = 2; i < lead.length; i++) {
        if (!is_continuation(bytes[i])) {
            return 0;
        }
    }
    return lead.length;
}

size_t utf8_find_invalid(const char *bytes, size_t count) {
    size_t at = 0;
    while (at < count) {
        at += byte_run_ascii(bytes + at, count - at);
        if (at == count) {
            break;
        }
        size_t length = sequence_length((const unsigned char *)bytes + at, count - at);
        if (length == 0) {
            return at;
        }
        at += length;
    }
    return count;
}

size_t utf8_decode(const char *bytes, size_t count, uint32_t *out_code_point) {
    const unsigned char *b = (const unsigned char *)bytes;
    size_t length = sequence_length(b, count);
    if (length == 0) {
        return 0;
    }
    uint32_t code_point = length == 1 ? b[0] : b[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        code_point = code_point << 6 | (b[i] & 0x3Fu);
    }
    *out_code_point = code_point;
    return length;
}

size_t utf8_encode(uint32_t code_point, char out[UTF8_BYTES_MAX]) {
    if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF)) {
        return 0;
    }
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    static const unsigned char lead_bits[] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code_point & 0x3F));
        code_point >>= 6;
    }
    out[0] = (char)(lead_bits[length] | code_point);
    return length;
}

bool utf8_is_control(uint32_t code_point) {
    bool c0_or_c1 = code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0);
    bool separator_or_direction = code_point >= 0x2028 && code_point <= 0x202E;
    return c0_or_c1 || separator_or_direction || (code_point >= 0x2066 && code_point <= 0x2069);
}

/* Writes what stands for the first code point (or ill-formed byte) of a text in a message, and
 * returns how many bytes of the text it is. */
static size_t excerpt_one(const char *bytes, size_t count, char piece[8]) {
    uint32_t code_point = 0;
    size_t length = utf8_decode(bytes, count, &code_point);
    if (length == 0) {
        (void)snprintf(piece, 8, "\\x%02x", (unsigned)(unsigned char)bytes[0]);
        return 1;
    }
    if (utf8_is_control(code_point)) {
        (void)snprintf(piece, 8, "\\u%04" PRIx32, code_point);
        return length;
    }
    memcpy(piece, bytes, length);
    piece[length] = '\0';
    return length;
}

const char *utf8_visible(const char *bytes, size_t count, char *out, size_t out_bytes) {
    static const char cut[] = "...";
    size_t used = 0;
    size_t used_with_cut = 0; /* the last length after which "..." still fits */
    for (size_t at = 0; at < count;) {
        char piece[8];
        at += excerpt_one(bytes + at, count - at, piece);
        size_t piece_length = strlen(piece);
        if (used + piece_length >= out_bytes) {
            memcpy(out + used_with_cut, cut, sizeof cut);
            return out;
        }
        memcpy(out + used, piece, piece_length);
        used += piece_length;
        if (used + sizeof cut <= out_bytes) {
            used_with_cut = used;
        }
    }
    out[used] = '\0';
    return out;
}

const char *utf8_excerpt(const char *bytes, size_t count, char out[UTF8_EXCERPT_BYTES]) {
    return utf8_visible(bytes, count, out, UTF8_EXCERPT_BYTES);
}
