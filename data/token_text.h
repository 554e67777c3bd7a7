/* token_text.h - a text on its way to tokens, and from where in the original its bytes came.
 *
 * Use:      struct token_text text = token_text_of(piece, bytes, offset);
 *           struct token_edit edit = TOKEN_EDIT_INIT;
 *           TRY(token_edit_begin(&edit, &text, err));
 *           TRY(token_edit_copy(&edit, &text, 0, 5, err));
 *           TRY(token_edit_insert(&edit, "_", 1, place, err));
 *           text = token_edit_text(&edit);
 * Places:   every byte has the place of a whole character of the original, [begin, end). What was
 *           inserted has that of a neighbour, as the normaliser that did it says.
 * Owns:     a text borrows; an edit owns its bytes until it begins again.
 * Threads:  no state.
 */
#ifndef DATA_TOKEN_TEXT_H
#define DATA_TOKEN_TEXT_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct token_place {
    uint32_t begin, end; /* bytes of the original */
};

struct token_text {
    const char *bytes; /* checked UTF-8 */
    uint32_t count;
    const struct token_place *places; /* [count]; NULL: the bytes are the original's own */
    uint32_t offset;                  /* in the original; only without `places` */
};

/* Bytes [begin, end) of a text. */
struct token_span {
    uint32_t begin, end;
};

static inline struct token_text token_text_of(const char *bytes, uint32_t count, uint32_t offset) {
    return (struct token_text){.bytes = bytes, .count = count, .places = NULL, .offset = offset};
}

/* The place of one byte. */
struct token_place token_text_place_at(const struct token_text *text, uint32_t at);

/* The place of a span that is not empty. */
static inline struct token_place token_text_place(const struct token_text *text,
                                                  struct token_span span) {
    struct token_place place = token_text_place_at(text, span.begin);
    place.end = token_text_place_at(text, span.end - 1).end;
    return place;
}

/* A part of a text as a text. */
struct token_text token_text_part(const struct token_text *text, struct token_span span);

struct token_edit {
    char *bytes;
    struct token_place *places;
    size_t count, capacity;
};

#define TOKEN_EDIT_INIT \
    { .bytes = NULL, .places = NULL, .count = 0, .capacity = 0 }

void token_edit_deinit(struct token_edit *edit);
void token_edit_reset(struct token_edit *edit);

/* Appends a span of `text`, with its places. Fails with ERR_OOM, and ERR_LIMIT from 2^32 bytes on;
 * so does the next. */
ERR_NODISCARD enum err_code token_edit_copy(struct token_edit *edit, const struct token_text *text,
                                            struct token_span span, struct error *err);

/* Appends bytes that stand at `place`. */
ERR_NODISCARD enum err_code token_edit_insert(struct token_edit *edit, const char *bytes,
                                              size_t count, struct token_place place,
                                              struct error *err);

/* What has been appended; borrowed until the next change. */
struct token_text token_edit_text(const struct token_edit *edit);

static inline void token_edit_scoped_end(struct token_edit *edit) {
    token_edit_deinit(edit);
}

#endif
