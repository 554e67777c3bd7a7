/* unicode_nfc.c - see unicode_nfc.h. */
#include "data/unicode_nfc.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/unicode_classes.h"
#include "data/unicode_nfc_table.h"

/* Hangul syllables by arithmetic: The Unicode Standard, section 3.12. */
enum {
    HANGUL_S = 0xAC00,
    HANGUL_L = 0x1100,
    HANGUL_V = 0x1161,
    HANGUL_T = 0x11A7,
    HANGUL_L_COUNT = 19,
    HANGUL_V_COUNT = 21,
    HANGUL_T_COUNT = 28,
    HANGUL_S_COUNT = HANGUL_L_COUNT * HANGUL_V_COUNT * HANGUL_T_COUNT,
};

#define DECOMPOSED_MAX 4 /* characters of one: tested over the whole table */

/* A character of the decomposed text. `change` says how it relates to the text before: 0 in place
 * of the next character, 1 added, -n in place of the next and of n after it, which are gone. */
struct piece {
    uint32_t code_point;
    int32_t change;
    uint8_t combining_class;
};

struct pieces {
    struct piece *items;
    int64_t count;
};

static void pieces_scoped_end(struct pieces *pieces) {
    mem_free(pieces->items);
}

bool unicode_is_nfc(const char *bytes, size_t count) {
    size_t at = 0;
    while (at < count) {
        if ((unsigned char)bytes[at] < 0xCC) { /* below U+0300, or inside a character of these */
            at++;
            continue;
        }
        struct unicode_char c = unicode_char_at(bytes + at);
        if (c.flags & UNICODE_COMPOSING) {
            return false;
        }
        at += c.bytes;
    }
    return true;
}

static uint8_t combining_class_of(uint32_t c) {
    if (!(unicode_flags(c) & UNICODE_COMPOSING)) {
        return 0;
    }
    int64_t low = 0;
    int64_t high = nfc_class_run_count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (nfc_class_runs[middle].last < c) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < nfc_class_run_count && nfc_class_runs[low].first <= c;
    return found ? nfc_class_runs[low].combining_class : 0;
}

static const struct nfc_decomposition *decomposition_of(uint32_t c) {
    int64_t low = 0;
    int64_t high = nfc_decomposition_count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (nfc_decompositions[middle].whole < c) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < nfc_decomposition_count && nfc_decompositions[low].whole == c;
    return found ? &nfc_decompositions[low] : NULL;
}

/* Writes the full canonical decomposition of `c`; returns its length. */
static uint32_t decompose(uint32_t c, uint32_t out[DECOMPOSED_MAX]) {
    uint32_t s = c - HANGUL_S;
    if (s < HANGUL_S_COUNT) {
        out[0] = HANGUL_L + s / (HANGUL_V_COUNT * HANGUL_T_COUNT);
        out[1] = HANGUL_V + s / HANGUL_T_COUNT % HANGUL_V_COUNT;
        out[2] = HANGUL_T + s % HANGUL_T_COUNT;
        return s % HANGUL_T_COUNT ? 3 : 2;
    }
    /* Only the first of two decomposes further, so the rest is found from the end. */
    uint32_t tail[DECOMPOSED_MAX];
    uint32_t tail_count = 0;
    const struct nfc_decomposition *d = NULL;
    while (tail_count + 1 < DECOMPOSED_MAX && (d = decomposition_of(c)) != NULL) {
        if (d->second) {
            tail[tail_count++] = d->second;
        }
        c = d->first;
    }
    out[0] = c;
    for (uint32_t i = 0; i < tail_count; i++) {
        out[1 + i] = tail[tail_count - 1 - i];
    }
    return tail_count + 1;
}

/* The primary composite of a pair, or 0. */
static uint32_t compose(uint32_t first, uint32_t second) {
    uint32_t l = first - HANGUL_L;
    uint32_t v = second - HANGUL_V;
    if (l < HANGUL_L_COUNT && v < HANGUL_V_COUNT) {
        return HANGUL_S + (l * HANGUL_V_COUNT + v) * HANGUL_T_COUNT;
    }
    uint32_t s = first - HANGUL_S;
    uint32_t t = second - HANGUL_T;
    if (s < HANGUL_S_COUNT && s % HANGUL_T_COUNT == 0 && t > 0 && t < HANGUL_T_COUNT) {
        return first + t;
    }
    int64_t low = 0;
    int64_t high = nfc_composition_count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        const struct nfc_decomposition *d = &nfc_decompositions[nfc_compositions[middle]];
        if (d->first < first || (d->first == first && d->second < second)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == nfc_composition_count) {
        return 0;
    }
    const struct nfc_decomposition *d = &nfc_decompositions[nfc_compositions[low]];
    return d->first == first && d->second == second ? d->whole : 0;
}

/* Sorts marks by class, stably. Counting instead of insertion where a hostile text has many. */
static enum err_code order_marks(struct piece *marks, int64_t count, struct error *err) {
    enum { INSERTION_MAX = 32 };
    if (count <= INSERTION_MAX) {
        for (int64_t i = 1; i < count; i++) {
            struct piece piece = marks[i];
            int64_t at = i;
            for (; at > 0 && marks[at - 1].combining_class > piece.combining_class; at--) {
                marks[at] = marks[at - 1];
            }
            marks[at] = piece;
        }
        return ERR_OK;
    }
    SCOPED(mem) struct piece *sorted = mem_array((size_t)count, sizeof *sorted);
    if (!sorted) {
        return err_oom(err, "combining marks");
    }
    int64_t starts[257] = {0};
    for (int64_t i = 0; i < count; i++) {
        starts[marks[i].combining_class + 1]++;
    }
    for (int64_t c = 0; c < 256; c++) {
        starts[c + 1] += starts[c];
    }
    for (int64_t i = 0; i < count; i++) {
        sorted[starts[marks[i].combining_class]++] = marks[i];
    }
    memcpy(marks, sorted, (size_t)count * sizeof *marks);
    return ERR_OK;
}

static enum err_code read_pieces(const struct token_text *text, struct pieces *out,
                                 struct error *err) {
    int64_t chars = 0;
    for (uint32_t at = 0; at < text->count; at++) {
        chars += ((unsigned char)text->bytes[at] & 0xC0) != 0x80;
    }
    out->items = mem_array((size_t)chars * DECOMPOSED_MAX, sizeof *out->items);
    if (!out->items) {
        return err_oom(err, "decomposed text");
    }
    for (uint32_t at = 0; at < text->count;) {
        struct unicode_char c = unicode_char_at(text->bytes + at);
        uint32_t parts[DECOMPOSED_MAX] = {c.code_point};
        uint32_t part_count = c.code_point < 0xC0 ? 1 : decompose(c.code_point, parts);
        for (uint32_t i = 0; i < part_count; i++) {
            out->items[out->count++] =
                (struct piece){.code_point = parts[i],
                               .change = i == 0 ? 0 : 1,
                               .combining_class = combining_class_of(parts[i])};
        }
        at += c.bytes;
    }
    return ERR_OK;
}

static enum err_code order_pieces(struct pieces *pieces, struct error *err) {
    for (int64_t at = 0; at < pieces->count;) {
        if (pieces->items[at].combining_class == 0) {
            at++;
            continue;
        }
        int64_t end = at;
        while (end < pieces->count && pieces->items[end].combining_class != 0) {
            end++;
        }
        TRY(order_marks(pieces->items + at, end - at, err));
        at = end;
    }
    return ERR_OK;
}

/* Composes in place: a character joins the last starter unless one of no lower class lies between
 * them. */
static void compose_pieces(struct pieces *pieces) {
    struct piece *items = pieces->items;
    int64_t starter = -1;
    int64_t kept = 0;
    int32_t last_class = -1; /* of what lies between the starter and here; -1: nothing */
    for (int64_t i = 0; i < pieces->count; i++) {
        struct piece piece = items[i];
        uint32_t whole = 0;
        if (starter >= 0 && last_class < (int32_t)piece.combining_class) {
            whole = compose(items[starter].code_point, piece.code_point);
        }
        if (whole) {
            items[starter].code_point = whole;
            items[starter].change += piece.change - 1;
            continue;
        }
        last_class = piece.combining_class;
        if (piece.combining_class == 0) {
            starter = kept;
            last_class = -1;
        }
        items[kept++] = piece;
    }
    pieces->count = kept;
}

/* Writes the pieces with the places that their changes tell. */
static enum err_code write_pieces(const struct pieces *pieces, const struct token_text *text,
                                  struct token_edit *out, struct error *err) {
    uint32_t at = 0; /* in `text` */
    for (int64_t i = 0; i < pieces->count; i++) {
        int32_t change = pieces->items[i].change;
        struct token_place place = {0, 0};
        if (change <= 0 && at < text->count) {
            place = token_text_place_at(text, at);
        } else if (at > 0) {
            place = token_text_place_at(text, at - 1);
        }
        char bytes[UTF8_BYTES_MAX];
        size_t count = utf8_encode(pieces->items[i].code_point, bytes);
        TRY(token_edit_insert(out, bytes, count, place, err));
        for (int32_t used = change; used <= 0 && at < text->count; used++) {
            at += (uint32_t)unicode_bytes_at(text->bytes + at);
        }
    }
    return ERR_OK;
}

enum err_code unicode_nfc(const struct token_text *text, struct token_edit *out,
                          struct error *err) {
    SCOPED(pieces) struct pieces pieces = {.items = NULL};
    TRY(read_pieces(text, &pieces, err));
    TRY(order_pieces(&pieces, err));
    compose_pieces(&pieces);
    return write_pieces(&pieces, text, out, err);
}
