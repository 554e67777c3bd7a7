/* json_scan.c - see json_scan.h.
 *
 * A loop over states, not recursive descent: nesting costs a flag, not a stack frame, so hostile
 * depth cannot exhaust the stack whatever the limit.
 */
#include "base/json_scan.h"

#include "base/byte_run.h"
#include "base/invariant.h"
#include "base/json.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the scanner wants next, and how a message names it. */
#define STATES(X)                                 \
    X(VALUE, "a value")                           \
    X(ELEMENT, "a value after ','")               \
    X(FIRST_ELEMENT, "a value or ']'")            \
    X(KEY, "a key in double quotes after ','")    \
    X(FIRST_KEY, "a key in double quotes or '}'") \
    X(COLON, "':' after the key")                 \
    X(ELEMENT_END, "',' or ']'")                  \
    X(MEMBER_END, "',' or '}'")                   \
    X(TEXT_END, "nothing more after the outermost value")

enum state {
#define STATE_ENUM(name, expected) STATE_##name,
    STATES(STATE_ENUM)
#undef STATE_ENUM
};

static const char *const expected_texts[] = {
#define STATE_TEXT(name, expected) expected,
    STATES(STATE_TEXT)
#undef STATE_TEXT
};

struct scanner {
    const char *bytes;
    size_t count;
    size_t at;
    const struct json_place *origin; /* of the text */
    const struct json_limits *limits;
    struct error *err;
    enum state state;
    struct json_counts counts;
    int64_t depth;
    bool is_object[JSON_DEPTH_CAP]; /* one flag per open container */
};

static struct json_place place_of(const struct scanner *s, size_t offset) {
    struct json_place place = *s->origin;
    for (size_t i = 0; i < offset; i++) {
        if (s->bytes[i] == '\n') {
            place.line++;
            place.column = 1;
        } else if (((unsigned char)s->bytes[i] & 0xC0) != 0x80) {
            place.column++;
        }
    }
    return place;
}

static ERR_FORMAT(3, 4) enum err_code
    refuse(const struct scanner *s, size_t offset, const char *fmt, ...) {
    char message[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    struct json_place place = place_of(s, offset);
    return err_set(s->err, ERR_DATA, "%s:%" PRId64 ":%" PRId64 ": %s", place.name, place.line,
                   place.column, message);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_word(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The byte at `offset`, or NUL past the end; NUL itself is nowhere legal. */
static char byte_at(const struct scanner *s, size_t offset) {
    return offset < s->count ? s->bytes[offset] : '\0';
}

static size_t word_length(const struct scanner *s, size_t offset) {
    size_t length = 0;
    while (is_word(byte_at(s, offset + length))) {
        length++;
    }
    return length;
}

static enum err_code refuse_found(const struct scanner *s, const char *expected) {
    if (s->at == s->count) {
        return refuse(s, s->at, "expected %s, found the end of the text", expected);
    }
    uint32_t code_point = 0;
    size_t length = word_length(s, s->at);
    if (length == 0) {
        length = utf8_decode(s->bytes + s->at, s->count - s->at, &code_point);
    }
    char found[UTF8_EXCERPT_BYTES];
    return refuse(s, s->at, "expected %s, found '%s'", expected,
                  utf8_excerpt(s->bytes + s->at, length, found));
}

/* The 16-bit unit of "\uXXXX" at `offset`; -1 if there is none. */
static int32_t unit_at(const struct scanner *s, size_t offset) {
    if (byte_at(s, offset) != '\\' || byte_at(s, offset + 1) != 'u') {
        return -1;
    }
    int32_t unit = 0;
    for (size_t i = offset + 2; i < offset + 6; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        char c = byte_at(s, i);
        const char *digit = c ? strchr(digits, c) : NULL;
        if (!digit) {
            return -1;
        }
        unit = unit * 16 + (int32_t)((digit - digits) % 16);
    }
    return unit;
}

static enum err_code scan_unicode_escape(struct scanner *s) {
    int32_t unit = unit_at(s, s->at);
    if (unit < 0) {
        return refuse(s, s->at, "expected four hexadecimal digits after '\\u'");
    }
    if (unit == 0) {
        return refuse(s, s->at, "NUL (\\u0000) in a string is not supported");
    }
    if (unit < 0xD800 || unit > 0xDFFF) {
        s->at += 6;
        return ERR_OK;
    }
    int32_t low = unit_at(s, s->at + 6);
    if (unit > 0xDBFF || low < 0xDC00 || low > 0xDFFF) {
        return refuse(s, s->at,
                      "lone surrogate \\u%04x in a string; surrogates come in pairs, "
                      "such as \\ud83d\\ude00",
                      (unsigned)unit);
    }
    s->at += 12;
    return ERR_OK;
}

static enum err_code scan_escape(struct scanner *s) {
    char c = byte_at(s, s->at + 1);
    if (c == 'u') {
        return scan_unicode_escape(s);
    }
    if (c == '\0' || !strchr("\"\\/bfnrt", c)) {
        return refuse(s, s->at, "unknown escape in a string; a backslash is written '\\\\'");
    }
    s->at += 2;
    return ERR_OK;
}

static enum err_code refuse_control(const struct scanner *s, char c) {
    if (c == '\n' || c == '\r') {
        return refuse(s, s->at, "line break in a string; close it with '\"' or write '\\n'");
    }
    return refuse(s, s->at, "control character in a string; write it as '\\u%04x'", (unsigned)c);
}

static enum err_code scan_string(struct scanner *s) {
    size_t start = s->at++;
    while (s->at < s->count) {
        s->at += byte_run_plain(s->bytes + s->at, s->count - s->at);
        if (s->at == s->count) {
            break;
        }
        char c = s->bytes[s->at];
        if (c == '"') {
            s->at++;
            return ERR_OK;
        }
        if (c == '\\') {
            TRY(scan_escape(s));
        } else {
            return refuse_control(s, c);
        }
    }
    return refuse(s, start, "string without a closing '\"'");
}

static enum err_code scan_digits(struct scanner *s, const char *expected) {
    if (!is_digit(byte_at(s, s->at))) {
        return refuse_found(s, expected);
    }
    while (is_digit(byte_at(s, s->at))) {
        s->at++;
    }
    return ERR_OK;
}

static enum err_code scan_exponent(struct scanner *s) {
    s->at++;
    char c = byte_at(s, s->at);
    s->at += c == '+' || c == '-' ? 1 : 0;
    return scan_digits(s, "a digit in the exponent");
}

/* The number from `start` to here fits cJSON's buffer and a double. Without an exponent, a number
 * short enough is small enough. */
static enum err_code check_number(const struct scanner *s, size_t start, bool has_exponent) {
    size_t length = s->at - start;
    if (length > JSON_NUMBER_CHARS_MAX) {
        return refuse(s, start, "number of %zu characters, limit %d", length,
                      JSON_NUMBER_CHARS_MAX);
    }
    char text[JSON_NUMBER_CHARS_MAX + 1];
    memcpy(text, s->bytes + start, length);
    text[length] = '\0';
    if (has_exponent && !isfinite(strtod(text, NULL))) {
        return refuse(s, start, "number %s is too large for a double, limit 1.8e308", text);
    }
    return ERR_OK;
}

static enum err_code scan_number(struct scanner *s) {
    size_t start = s->at;
    s->at += s->bytes[s->at] == '-' ? 1 : 0;
    if (byte_at(s, s->at) == '0' && is_digit(byte_at(s, s->at + 1))) {
        return refuse(s, start, "number with a leading zero");
    }
    TRY(scan_digits(s, "a digit after '-'"));
    if (byte_at(s, s->at) == '.') {
        s->at++;
        TRY(scan_digits(s, "a digit after '.'"));
    }
    bool has_exponent = byte_at(s, s->at) == 'e' || byte_at(s, s->at) == 'E';
    if (has_exponent) {
        TRY(scan_exponent(s));
    }
    return check_number(s, start, has_exponent);
}

static enum err_code scan_literal(struct scanner *s) {
    static const char *const literals[] = {"true", "false", "null"};
    size_t length = word_length(s, s->at);
    for (size_t i = 0; i < sizeof literals / sizeof literals[0]; i++) {
        if (length == strlen(literals[i]) && !memcmp(s->bytes + s->at, literals[i], length)) {
            s->at += length;
            return ERR_OK;
        }
    }
    return refuse_found(s, expected_texts[s->state]);
}

static enum err_code scan_scalar(struct scanner *s) {
    char c = byte_at(s, s->at);
    if (c == '"') {
        return scan_string(s);
    }
    return c == '-' || is_digit(c) ? scan_number(s) : scan_literal(s);
}

/* The state after a whole value. */
static enum state value_end(const struct scanner *s) {
    if (s->depth == 0) {
        return STATE_TEXT_END;
    }
    return s->is_object[s->depth - 1] ? STATE_MEMBER_END : STATE_ELEMENT_END;
}

static enum err_code open_container(struct scanner *s, bool is_object) {
    if (s->depth == s->limits->depth_max) {
        return refuse(s, s->at, "more than %" PRId64 " levels of nesting", s->limits->depth_max);
    }
    s->is_object[s->depth++] = is_object;
    s->counts.containers++;
    s->state = is_object ? STATE_FIRST_KEY : STATE_FIRST_ELEMENT;
    s->at++;
    return ERR_OK;
}

static enum err_code close_container(struct scanner *s) {
    s->depth--;
    s->state = value_end(s);
    s->at++;
    return ERR_OK;
}

static enum err_code scan_value(struct scanner *s) {
    if (s->counts.values == s->limits->values_max) {
        return refuse(s, s->at, "more than %" PRId64 " values", s->limits->values_max);
    }
    s->counts.values++;
    char c = byte_at(s, s->at);
    if (c == '{' || c == '[') {
        return open_container(s, c == '{');
    }
    TRY(scan_scalar(s));
    s->state = value_end(s);
    return ERR_OK;
}

static enum err_code scan_key(struct scanner *s) {
    if (byte_at(s, s->at) != '"') {
        return refuse_found(s, expected_texts[s->state]);
    }
    TRY(scan_string(s));
    s->state = STATE_COLON;
    return ERR_OK;
}

/* Steps over `c` into state `next`. */
static enum err_code scan_mark(struct scanner *s, char c, enum state next) {
    if (byte_at(s, s->at) != c) {
        return refuse_found(s, expected_texts[s->state]);
    }
    s->at++;
    s->state = next;
    return ERR_OK;
}

static enum err_code scan_step(struct scanner *s) {
    char c = byte_at(s, s->at);
    switch (s->state) {
    case STATE_VALUE:
    case STATE_ELEMENT:
        return scan_value(s);
    case STATE_FIRST_ELEMENT:
        return c == ']' ? close_container(s) : scan_value(s);
    case STATE_KEY:
        return scan_key(s);
    case STATE_FIRST_KEY:
        return c == '}' ? close_container(s) : scan_key(s);
    case STATE_COLON:
        return scan_mark(s, ':', STATE_VALUE);
    case STATE_ELEMENT_END:
        return c == ']' ? close_container(s) : scan_mark(s, ',', STATE_ELEMENT);
    case STATE_MEMBER_END:
        return c == '}' ? close_container(s) : scan_mark(s, ',', STATE_KEY);
    case STATE_TEXT_END:
        break;
    }
    return refuse_found(s, expected_texts[STATE_TEXT_END]);
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(struct scanner *s) {
    while (is_space(byte_at(s, s->at))) {
        s->at++;
    }
}

static enum err_code scan_grammar(struct scanner *s) {
    skip_space(s);
    while (s->state != STATE_TEXT_END || s->at < s->count) {
        TRY(scan_step(s));
        skip_space(s);
    }
    return ERR_OK;
}

static enum err_code check_encoding(const struct scanner *s) {
    if (s->count >= 3 && !memcmp(s->bytes, "\xEF\xBB\xBF", 3)) {
        return refuse(s, 0, "byte order mark; save the file as UTF-8 without one");
    }
    size_t invalid = utf8_find_invalid(s->bytes, s->count);
    if (invalid < s->count) {
        return refuse(s, invalid, "invalid UTF-8 at byte 0x%02x",
                      (unsigned)(unsigned char)s->bytes[invalid]);
    }
    return ERR_OK;
}

enum err_code json_scan(const char *bytes, size_t count, const struct json_place *place,
                        const struct json_limits *limits, struct json_counts *out_counts,
                        struct error *err) {
    ASSERT_LE(limits->depth_max, JSON_DEPTH_CAP);
    ASSERT_LE(limits->values_max, INT32_MAX); /* json.c numbers containers in an int */
    if (count > limits->bytes_max) {
        return err_set(err, ERR_DATA, "%s: %zu bytes of JSON, limit %zu", place->name, count,
                       limits->bytes_max);
    }
    struct scanner s = {
        .bytes = bytes,
        .count = count,
        .origin = place,
        .limits = limits,
        .err = err,
        .state = STATE_VALUE,
    };
    TRY(check_encoding(&s));
    TRY(scan_grammar(&s));
    *out_counts = s.counts;
    return ERR_OK;
}

struct json_place json_scan_place_of_value(const char *bytes, size_t count,
                                           const struct json_place *place, int64_t ordinal) {
    const struct json_limits limits = {
        .bytes_max = count, .depth_max = JSON_DEPTH_CAP, .values_max = INT32_MAX};
    struct error err = ERROR_INIT;
    struct scanner s = {
        .bytes = bytes,
        .count = count,
        .origin = place,
        .limits = &limits,
        .err = &err,
        .state = STATE_VALUE,
    };
    size_t value_at = 0;
    enum err_code code = ERR_OK;
    while (s.counts.values <= ordinal && code == ERR_OK) {
        skip_space(&s);
        value_at = s.at; /* of a value in the end: the step that counts it begins at its start */
        code = scan_step(&s);
    }
    ASSERT_EQ(code, ERR_OK);
    return place_of(&s, value_at);
}
