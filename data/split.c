/* split.c - see split.h. */
#include "data/split.h"

#include <math.h>
#include <string.h>

enum split split_of(enum prompt_kind kind, const struct hash_key *prompt,
                    const struct split_shares *shares) {
    if (kind == PROMPT_ITEMS) {
        return SPLIT_TRAIN;
    }
    uint64_t leading = 0;
    for (int i = 0; i < 8; i++) {
        leading = leading << 8 | prompt->bytes[i];
    }
    double place = ldexp((double)(leading >> 11), -53);
    if (place < shares->test) {
        return SPLIT_TEST;
    }
    return place < shares->test + shares->validation ? SPLIT_VALIDATION : SPLIT_TRAIN;
}

enum err_code split_read(struct db_stmt *row, int column, const struct split_shares *shares,
                         enum split *out_split, struct error *err) {
    const char *name = NULL;
    const void *hash = NULL;
    size_t count = 0;
    enum prompt_kind kind = PROMPT_TEXT;
    struct hash_key key;
    TRY(db_column_text(row, column, &name, &count, err));
    TRY(prompt_kind_of_name(name, &kind, err));
    TRY(db_column_blob(row, column + 1, &hash, &count, err));
    if (count != sizeof key.bytes) {
        return err_set(err, ERR_DATA, "the hash of a prompt has %zu bytes, expected %zu", count,
                       sizeof key.bytes);
    }
    memcpy(key.bytes, hash, sizeof key.bytes);
    *out_split = split_of(kind, &key, shares);
    return ERR_OK;
}

const char *split_name(enum split split) {
    static const char *const names[] = {
#define SPLIT_TEXT(name, text) [SPLIT_##name] = (text),
        SPLITS(SPLIT_TEXT)
#undef SPLIT_TEXT
    };
    return names[split];
}
