/* token_text.c - see token_text.h. */
#include "data/token_text.h"

#include "base/mem.h"
#include "data/unicode_classes.h"

#include <string.h>

struct token_place token_text_place_at(const struct token_text *text, uint32_t at) {
    if (text->places) {
        return text->places[at];
    }
    uint32_t begin = at;
    while (begin > 0 && ((unsigned char)text->bytes[begin] & 0xC0) == 0x80) {
        begin--;
    }
    uint32_t end = begin + (uint32_t)unicode_bytes_at(text->bytes + begin);
    return (struct token_place){text->offset + begin, text->offset + end};
}

struct token_text token_text_part(const struct token_text *text, struct token_span span) {
    return (struct token_text){
        .bytes = text->bytes + span.begin,
        .count = span.end - span.begin,
        .places = text->places ? text->places + span.begin : NULL,
        .offset = text->offset + span.begin,
    };
}

void token_edit_deinit(struct token_edit *edit) {
    mem_free(edit->bytes);
    mem_free(edit->places);
    *edit = (struct token_edit)TOKEN_EDIT_INIT;
}

void token_edit_reset(struct token_edit *edit) {
    edit->count = 0;
}

static enum err_code reserve(struct token_edit *edit, size_t more, struct error *err) {
    size_t needed = edit->count + more;
    if (needed > UINT32_MAX) {
        return err_set(err, ERR_LIMIT, "text for the tokenizer: more than 2^32 - 1 bytes");
    }
    if (needed <= edit->capacity) {
        return ERR_OK;
    }
    size_t capacity = mem_grown_capacity(edit->capacity, needed);
    char *bytes = mem_array_resize(edit->bytes, capacity, sizeof *bytes);
    if (!bytes) {
        return err_oom(err, "text for the tokenizer");
    }
    edit->bytes = bytes;
    struct token_place *places = mem_array_resize(edit->places, capacity, sizeof *places);
    if (!places) {
        return err_oom(err, "text for the tokenizer");
    }
    edit->places = places;
    edit->capacity = capacity;
    return ERR_OK;
}

enum err_code token_edit_copy(struct token_edit *edit, const struct token_text *text,
                              struct token_span span, struct error *err) {
    uint32_t count = span.end - span.begin;
    if (count == 0) {
        return ERR_OK; /* there may be no memory yet */
    }
    TRY(reserve(edit, count, err));
    memcpy(edit->bytes + edit->count, text->bytes + span.begin, count);
    if (text->places) {
        memcpy(edit->places + edit->count, text->places + span.begin, count * sizeof *edit->places);
    } else {
        for (uint32_t at = span.begin; at < span.end;) {
            struct token_place place = token_text_place_at(text, at);
            uint32_t end = place.end - text->offset;
            for (; at < end && at < span.end; at++) {
                edit->places[edit->count + at - span.begin] = place;
            }
        }
    }
    edit->count += count;
    return ERR_OK;
}

enum err_code token_edit_insert(struct token_edit *edit, const char *bytes, size_t count,
                                struct token_place place, struct error *err) {
    if (count == 0) {
        return ERR_OK;
    }
    TRY(reserve(edit, count, err));
    memcpy(edit->bytes + edit->count, bytes, count);
    for (size_t i = 0; i < count; i++) {
        edit->places[edit->count + i] = place;
    }
    edit->count += count;
    return ERR_OK;
}

struct token_text token_edit_text(const struct token_edit *edit) {
    return (struct token_text){.bytes = edit->count > 0 ? edit->bytes : "",
                               .count = (uint32_t)edit->count,
                               .places = edit->places,
                               .offset = 0};
}
