/* text_span.h - some bytes of text that somebody else owns.
 *
 * Use:      struct text_span name = text_span_of("Scotland");
 *           if (text_span_is_set(&record->topic)) { ... }
 * Owns:     nothing: borrowed, and valid as long as its lender says. Not NUL-terminated.
 * Threads:  no state.
 */
#ifndef DATA_TEXT_SPAN_H
#define DATA_TEXT_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct text_span {
    const char *bytes; /* NULL: absent, which is not the same as empty */
    size_t count;
};

#define TEXT_SPAN_NONE \
    { .bytes = NULL, .count = 0 }

static inline struct text_span text_span_of(const char *text) {
    return (struct text_span){.bytes = text, .count = text ? strlen(text) : 0};
}

static inline bool text_span_is_set(const struct text_span *span) {
    return span->bytes != NULL;
}

static inline bool text_span_equal(const struct text_span *left, const struct text_span *right) {
    return left->count == right->count && (!left->bytes) == (!right->bytes) &&
           (left->count == 0 ||
            (left->bytes && right->bytes && memcmp(left->bytes, right->bytes, left->count) == 0));
}

/* Without the byte order mark that some programs put in front of UTF-8; it is no text. */
static inline struct text_span text_span_skip_bom(struct text_span span) {
    bool has_bom = span.count >= 3 && memcmp(span.bytes, "\xEF\xBB\xBF", 3) == 0;
    return has_bom ? (struct text_span){span.bytes + 3, span.count - 3} : span;
}

#endif
