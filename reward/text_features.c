/* text_features.c - see text_features.h. */
#include "reward/text_features.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"

#include <math.h>
#include <stdbool.h>

#define SLOTS_START 1024 /* a power of two */
#define FNV_OFFSET  UINT64_C(14695981039346656037)
#define FNV_PRIME   UINT64_C(1099511628211)
#define NOT_HERE    (-1)

/* A feature is its 64-bit hash: among ten million, two agree with probability 3e-6, and then share
 * a weight. */
struct slot {
    uint64_t hash; /* 0: free */
    int32_t column;
};

struct text_features {
    struct slot *slots; /* open addressing, at most half full */
    size_t slot_count;
    int64_t feature_count;
    int64_t *entry_of; /* by column: its entry in the row being added, or one before that row */
    int64_t column_capacity;
    int64_t *starts; /* [row_count + 1] */
    int64_t *lengths;
    int64_t row_capacity; /* of both */
    int64_t row_count;
    struct text_entry *entries;
    int64_t entry_capacity;
};

enum err_code text_features_new(struct text_features **out_features, struct error *err) {
    SCOPED(text_features)
    struct text_features *features = mem_array_zero(1, sizeof *features);
    if (!features) {
        return err_oom(err, "text features");
    }
    features->slot_count = SLOTS_START;
    features->slots = mem_array_zero(SLOTS_START, sizeof *features->slots);
    features->starts = mem_array_zero(1, sizeof *features->starts);
    if (!features->slots || !features->starts) {
        return err_oom(err, "text features");
    }
    *out_features = MOVE(features);
    return ERR_OK;
}

void text_features_free(struct text_features *features) {
    if (!features) {
        return;
    }
    mem_free(features->slots);
    mem_free(features->entry_of);
    mem_free(features->starts);
    mem_free(features->lengths);
    mem_free(features->entries);
    mem_free(features);
}

/* ---- from a hash to its column ---- */

static struct slot *find_slot(struct slot *slots, size_t slot_count, uint64_t hash) {
    size_t at = (size_t)hash & (slot_count - 1);
    while (slots[at].hash != 0 && slots[at].hash != hash) {
        at = (at + 1) & (slot_count - 1);
    }
    return &slots[at];
}

static enum err_code double_slots(struct text_features *f, struct error *err) {
    size_t larger = f->slot_count * 2;
    struct slot *slots = mem_array_zero(larger, sizeof *slots);
    if (!slots) {
        return err_oom(err, "dictionary of words");
    }
    for (size_t i = 0; i < f->slot_count; i++) {
        if (f->slots[i].hash != 0) {
            *find_slot(slots, larger, f->slots[i].hash) = f->slots[i];
        }
    }
    mem_free(f->slots);
    f->slots = slots;
    f->slot_count = larger;
    return ERR_OK;
}

static enum err_code column_of(struct text_features *f, uint64_t hash, int32_t *out_column,
                               struct error *err) {
    struct slot *slot = find_slot(f->slots, f->slot_count, hash);
    if (slot->hash != 0) {
        *out_column = slot->column;
        return ERR_OK;
    }
    if (f->feature_count == INT32_MAX) {
        return err_set(err, ERR_LIMIT, "more than %d different words and pairs of words",
                       INT32_MAX);
    }
    const int64_t needed = f->feature_count + 1;
    TRY(array_reserve(ARRAY_REF(f->entry_of), &f->column_capacity, needed, "dictionary of words",
                      err));
    if (2 * (size_t)needed > f->slot_count) {
        TRY(double_slots(f, err));
        slot = find_slot(f->slots, f->slot_count, hash);
    }
    *slot = (struct slot){.hash = hash, .column = (int32_t)f->feature_count};
    f->entry_of[f->feature_count++] = NOT_HERE;
    *out_column = slot->column;
    return ERR_OK;
}

/* ---- rows ---- */

/* Counts one more of a feature in the row that ends at `*end`. */
static enum err_code count_feature(struct text_features *f, uint64_t hash, int64_t *end,
                                   struct error *err) {
    int32_t column = 0;
    TRY(column_of(f, hash != 0 ? hash : 1, &column, err));
    if (f->entry_of[column] >= f->starts[f->row_count]) {
        f->entries[f->entry_of[column]].value += 1.0F;
        return ERR_OK;
    }
    TRY(array_reserve(ARRAY_REF(f->entries), &f->entry_capacity, *end + 1, "words of texts", err));
    f->entry_of[column] = *end;
    f->entries[*end] = (struct text_entry){.column = column, .value = 1.0F};
    ++*end;
    return ERR_OK;
}

enum character { CHARACTER_BLANK, CHARACTER_WORD, CHARACTER_MARK };

/* Outside ASCII everything is a letter but blanks, controls and the blocks of punctuation. */
static enum character character_kind(uint32_t c) {
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (is_letter || (c >= '0' && c <= '9') || c == '_') {
        return CHARACTER_WORD;
    }
    if (c <= ' ' || (c >= 0x7F && c <= 0xA0) || (c >= 0x2000 && c <= 0x200B) || c == 0x3000 ||
        c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0xFEFF) {
        return CHARACTER_BLANK;
    }
    bool is_mark = c < 0xC0 || c == 0xD7 || c == 0xF7 || (c >= 0x2010 && c <= 0x2BFF) ||
                   (c >= 0x3001 && c <= 0x303F) || (c >= 0x1F000 && c <= 0x1FAFF);
    return is_mark && c != 0xAA && c != 0xB5 && c != 0xBA ? CHARACTER_MARK : CHARACTER_WORD;
}

static uint64_t hash_byte(uint64_t hash, uint8_t byte) {
    return (hash ^ byte) * FNV_PRIME;
}

/* The next word or mark of the text: its hash, and how far it reaches; false at the end. */
static bool next_token(const char *text, size_t bytes, size_t *at, int64_t *characters,
                       uint64_t *out_hash) {
    uint64_t hash = FNV_OFFSET;
    bool in_word = false;
    while (*at < bytes) {
        uint32_t c = 0;
        size_t size = utf8_decode(text + *at, bytes - *at, &c);
        size = size > 0 ? size : 1; /* ill-formed: cannot come from a project file */
        enum character kind = character_kind(c);
        if (in_word && kind != CHARACTER_WORD) {
            break;
        }
        for (size_t i = 0; i < size && kind != CHARACTER_BLANK; i++) {
            bool is_upper = c >= 'A' && c <= 'Z';
            hash = hash_byte(hash, (uint8_t)((uint8_t)text[*at + i] + (is_upper ? 32 : 0)));
        }
        *at += size;
        ++*characters;
        if (kind == CHARACTER_MARK) {
            *out_hash = hash;
            return true;
        }
        in_word = kind == CHARACTER_WORD;
    }
    *out_hash = hash;
    return in_word;
}

enum err_code text_features_add(struct text_features *features, const char *text, size_t bytes,
                                struct error *err) {
    struct text_features *f = features;
    const struct array_ref rows[] = {ARRAY_REF(f->starts), ARRAY_REF(f->lengths)};
    TRY(arrays_reserve(rows, 2, &f->row_capacity, f->row_count + 2, "words of texts", err));
    int64_t begin = f->starts[f->row_count];
    int64_t end = begin;
    int64_t characters = 0;
    size_t at = 0;
    uint64_t hash = 0;
    uint64_t before = 0;
    while (next_token(text, bytes, &at, &characters, &hash)) {
        TRY(count_feature(f, hash, &end, err));
        if (before != 0) {
            uint64_t pair = before ^ (hash << 1 | hash >> 63) * FNV_PRIME;
            TRY(count_feature(f, pair, &end, err));
        }
        before = hash;
    }
    for (int64_t e = begin; e < end; e++) {
        f->entries[e].value = (float)log1p((double)f->entries[e].value);
    }
    f->lengths[f->row_count] = characters;
    f->starts[++f->row_count] = end;
    return ERR_OK;
}

struct text_matrix text_features_matrix(const struct text_features *features) {
    return (struct text_matrix){
        .row_count = features->row_count,
        .feature_count = features->feature_count,
        .starts = features->starts,
        .entries = features->entries,
        .lengths = features->lengths,
    };
}
