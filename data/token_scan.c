/* token_scan.c - see token_scan.h. Each function is one alternative of a pattern, in its order. */
#include "data/token_scan.h"

#include "data/unicode_classes.h"

#include <stdbool.h>
#include <string.h>

enum { LETTER_OR_NUMBER = UNICODE_LETTER | UNICODE_NUMBER };

static const char *const patterns[TOKEN_SCAN_COUNT] = {
    [TOKEN_SCAN_GPT2] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+"
                        "|\\s+(?!\\S)|\\s+",
    [TOKEN_SCAN_LLAMA3] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
                          "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    [TOKEN_SCAN_QWEN2] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
                         "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
};

const char *token_scan_pattern(enum token_scan scan) {
    return patterns[scan];
}

enum token_scan token_scan_find(const char *pattern) {
    for (enum token_scan scan = TOKEN_SCAN_GPT2; scan < TOKEN_SCAN_COUNT; scan++) {
        if (strcmp(pattern, patterns[scan]) == 0) {
            return scan;
        }
    }
    return TOKEN_SCAN_NONE;
}

/* The end of a run of characters that have one of the flags `with`, or none of `without`. */
static uint32_t run_with(const char *bytes, uint32_t at, uint32_t end, unsigned with) {
    while (at < end) {
        struct unicode_char c = unicode_char_at(bytes + at);
        if (!(c.flags & with)) {
            break;
        }
        at += c.bytes;
    }
    return at;
}

static uint32_t run_without(const char *bytes, uint32_t at, uint32_t end, unsigned without) {
    while (at < end) {
        struct unicode_char c = unicode_char_at(bytes + at);
        if (c.flags & without) {
            break;
        }
        at += c.bytes;
    }
    return at;
}

/* 's 't 're 've 'm 'll 'd in small letters. Returns `at` for no match. */
static uint32_t contraction(const char *bytes, uint32_t at, uint32_t end) {
    char first = at + 1 < end ? bytes[at + 1] : '\0';
    char second = at + 2 < end ? bytes[at + 2] : '\0';
    if (first == 's' || first == 't' || first == 'm' || first == 'd') {
        return at + 2;
    }
    bool is_long =
        ((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l');
    return is_long ? at + 3 : at;
}

/* The same in either case. Of other characters only U+017F, the long s, folds to one of these. */
static uint32_t contraction_any_case(const char *bytes, uint32_t at, uint32_t end) {
    if (end - at >= 3 && memcmp(bytes + at + 1, "\xC5\xBF", 2) == 0) {
        return at + 3;
    }
    char folded[3] = {0};
    uint32_t count = end - at < 3 ? end - at : 3;
    for (uint32_t i = 0; i < count; i++) {
        char c = bytes[at + i];
        folded[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    return at + contraction(folded, 0, count);
}

/* \s+(?!\S)|\s+ at a space: all of a run but its last character, unless the text ends there or the
 * run is that character. `run_end` is the end of the run. */
static uint32_t spaces(const char *bytes, uint32_t at, uint32_t run_end, uint32_t end) {
    if (run_end == end) {
        return run_end;
    }
    uint32_t last = run_end - 1;
    while (((unsigned char)bytes[last] & 0xC0) == 0x80) {
        last--;
    }
    return last > at ? last : run_end;
}

static uint32_t next_gpt2(const char *bytes, uint32_t at, uint32_t end) {
    if (bytes[at] == '\'') {
        uint32_t next = contraction(bytes, at, end);
        if (next > at) {
            return next;
        }
    }
    uint32_t word = bytes[at] == ' ' && at + 1 < end ? at + 1 : at;
    struct unicode_char c = unicode_char_at(bytes + word);
    if (c.flags & UNICODE_LETTER) {
        return run_with(bytes, word + c.bytes, end, UNICODE_LETTER);
    }
    if (c.flags & UNICODE_NUMBER) {
        return run_with(bytes, word + c.bytes, end, UNICODE_NUMBER);
    }
    if (!(c.flags & UNICODE_SPACE)) {
        return run_without(bytes, word + c.bytes, end, LETTER_OR_NUMBER | UNICODE_SPACE);
    }
    return spaces(bytes, at, run_with(bytes, at, end, UNICODE_SPACE), end);
}

/* \s*[\r\n]+ and then as above: up to the last line end of a run of spaces, if it has one. */
static uint32_t spaces_to_line_end(const char *bytes, uint32_t at, uint32_t end) {
    uint32_t run_end = run_with(bytes, at, end, UNICODE_SPACE);
    for (uint32_t next = run_end; next > at; next--) {
        if (bytes[next - 1] == '\n' || bytes[next - 1] == '\r') {
            return next;
        }
    }
    return spaces(bytes, at, run_end, end);
}

static uint32_t digits(const char *bytes, uint32_t at, uint32_t end, uint32_t digits_max) {
    for (uint32_t n = 0; n < digits_max && at < end; n++) {
        struct unicode_char c = unicode_char_at(bytes + at);
        if (!(c.flags & UNICODE_NUMBER)) {
            break;
        }
        at += c.bytes;
    }
    return at;
}

static uint32_t next_llama3(const char *bytes, uint32_t at, uint32_t end, uint32_t digits_max) {
    if (bytes[at] == '\'') {
        uint32_t next = contraction_any_case(bytes, at, end);
        if (next > at) {
            return next;
        }
    }
    struct unicode_char c = unicode_char_at(bytes + at);
    uint32_t after = at + c.bytes;
    if (c.flags & UNICODE_LETTER) {
        return run_with(bytes, after, end, UNICODE_LETTER);
    }
    if (c.flags & UNICODE_NUMBER) {
        return digits(bytes, at, end, digits_max);
    }
    struct unicode_char following = {0};
    if (after < end) {
        following = unicode_char_at(bytes + after);
    }
    if ((following.flags & UNICODE_LETTER) && c.code_point != '\r' && c.code_point != '\n') {
        return run_with(bytes, after + following.bytes, end, UNICODE_LETTER);
    }
    bool is_sign = !(c.flags & UNICODE_SPACE);
    if (c.code_point == ' ' && after < end &&
        !(following.flags & (LETTER_OR_NUMBER | UNICODE_SPACE))) {
        after += following.bytes;
        is_sign = true;
    }
    if (is_sign) {
        after = run_without(bytes, after, end, LETTER_OR_NUMBER | UNICODE_SPACE);
        while (after < end && (bytes[after] == '\r' || bytes[after] == '\n')) {
            after++;
        }
        return after;
    }
    return spaces_to_line_end(bytes, at, end);
}

uint32_t token_scan_next(enum token_scan scan, const char *bytes, uint32_t at, uint32_t end) {
    if (scan == TOKEN_SCAN_GPT2) {
        return next_gpt2(bytes, at, end);
    }
    return next_llama3(bytes, at, end, scan == TOKEN_SCAN_LLAMA3 ? 3 : 1);
}
