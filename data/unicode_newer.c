/* unicode_newer.c - see unicode_newer.h. */
#include "data/unicode_newer.h"

#include "base/utf8.h"
#include "data/unicode_classes.h"

#include <string.h>

/* The stand-in of a character, or 0. */
static uint32_t stand_in_of(uint32_t c) {
    int64_t low = 0;
    int64_t high = unicode_newer_run_count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (unicode_newer_runs[middle].last < c) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < unicode_newer_run_count && unicode_newer_runs[low].first <= c;
    return found ? unicode_newer_runs[low].stand_in : 0;
}

static size_t find_from(const char *bytes, size_t at, size_t count, uint32_t *out_stand_in) {
    while (at < count) {
        if ((unsigned char)bytes[at] < 0xE0) { /* all are of three bytes or more */
            at++;
            continue;
        }
        struct unicode_char c = unicode_char_at(bytes + at);
        *out_stand_in = stand_in_of(c.code_point);
        if (*out_stand_in) {
            return at;
        }
        at += c.bytes;
    }
    return count;
}

size_t unicode_find_newer(const char *bytes, size_t count) {
    uint32_t stand_in = 0;
    return find_from(bytes, 0, count, &stand_in);
}

void unicode_replace_newer(char *bytes, size_t count) {
    uint32_t stand_in = 0;
    for (size_t at = 0; (at = find_from(bytes, at, count, &stand_in)) < count;) {
        char text[UTF8_BYTES_MAX];
        size_t length = utf8_encode(stand_in, text);
        memcpy(bytes + at, text, length);
        at += length;
    }
}

bool unicode_pattern_needs_newer(const char *pattern) {
    for (const char *p = strchr(pattern, '\\'); p && p[1]; p = strchr(p + 2, '\\')) {
        if ((p[1] != 'p' && p[1] != 'P') || p[2] != '{') {
            continue;
        }
        const char *name = p[3] == '^' ? p + 4 : p + 3;
        size_t length = strcspn(name, "}");
        bool is_category = length >= 1 && length <= 2 && strchr("CLMNPSZ", name[0]);
        bool is_han = length == 3 && memcmp(name, "Han", 3) == 0;
        if (!is_category && !is_han) {
            return true;
        }
    }
    return false;
}
