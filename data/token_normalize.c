/* token_normalize.c - see token_normalize.h. */
#include "data/token_normalize.h"

#include "data/unicode_nfc.h"

#include <string.h>

/* The first place of `pattern` at or behind `at`; text->count where there is none. */
static uint32_t find(const struct token_text *text, uint32_t at, const char *pattern,
                     size_t count) {
    for (; text->count - at >= count; at++) {
        const char *found =
            memchr(text->bytes + at, pattern[0], text->count - at - (uint32_t)count + 1);
        if (!found) {
            break;
        }
        at = (uint32_t)(found - text->bytes);
        if (memcmp(found, pattern, count) == 0) {
            return at;
        }
    }
    return text->count;
}

static enum err_code replace(const struct token_normalizer *normalizer,
                             const struct token_text *text, struct token_edit *out,
                             struct error *err) {
    size_t count = strlen(normalizer->pattern);
    size_t text_count = strlen(normalizer->text);
    uint32_t at = 0;
    while (at < text->count) {
        uint32_t found = find(text, at, normalizer->pattern, count);
        TRY(token_edit_copy(out, text, (struct token_span){at, found}, err));
        at = found;
        if (found < text->count) {
            at = found + (uint32_t)count;
            TRY(token_edit_insert(out, normalizer->text, text_count,
                                  token_text_place_at(text, at - 1), err));
        }
    }
    return ERR_OK;
}

static enum err_code prepend(const struct token_normalizer *normalizer,
                             const struct token_text *text, struct token_edit *out,
                             struct error *err) {
    TRY(token_edit_insert(out, normalizer->text, strlen(normalizer->text),
                          token_text_place_at(text, 0), err));
    return token_edit_copy(out, text, (struct token_span){0, text->count}, err);
}

static bool changes(const struct token_normalizer *normalizer, const struct token_text *text) {
    switch (normalizer->kind) {
    case TOKEN_NORMALIZER_NFC:
        return !unicode_is_nfc(text->bytes, text->count);
    case TOKEN_NORMALIZER_PREPEND:
        return text->count > 0;
    case TOKEN_NORMALIZER_REPLACE:
        return normalizer->pattern[0] &&
               find(text, 0, normalizer->pattern, strlen(normalizer->pattern)) < text->count;
    }
    return false;
}

enum err_code token_normalize(const struct token_normalizer *normalizers, int64_t count,
                              struct token_edit edits[2], struct token_text *text,
                              struct error *err) {
    for (int64_t i = 0; i < count; i++) {
        const struct token_normalizer *normalizer = &normalizers[i];
        if (!changes(normalizer, text)) {
            continue;
        }
        bool stands_in_first = text->places && text->places == edits[0].places;
        struct token_edit *out = &edits[stands_in_first ? 1 : 0];
        token_edit_reset(out);
        switch (normalizer->kind) {
        case TOKEN_NORMALIZER_NFC:
            TRY(unicode_nfc(text, out, err));
            break;
        case TOKEN_NORMALIZER_PREPEND:
            TRY(prepend(normalizer, text, out, err));
            break;
        case TOKEN_NORMALIZER_REPLACE:
            TRY(replace(normalizer, text, out, err));
            break;
        }
        *text = token_edit_text(out);
    }
    return ERR_OK;
}
