/* token_case.c - see token_case.h. */
#include "tests/support/token_case.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/scoped.h"

#include <inttypes.h>
#include <string.h>

enum { AS_TEXT = 1, DECODE = 2, SKIP_SPECIAL = 4 };

static const char magic[] = "TOKCASE1";

struct token_case {
    uint64_t flags, bytes;
    const char *text;
    struct token_list expected; /* places in code points; owned */
};

static void token_case_scoped_end(struct token_case *c) {
    token_list_deinit(&c->expected);
}

/* What is left of the file. */
struct cursor {
    const unsigned char *at, *end;
};

static bool read_number(struct cursor *cursor, uint64_t *out) {
    *out = 0;
    for (uint32_t shift = 0; cursor->at < cursor->end && shift < 63; shift += 7) {
        unsigned char byte = *cursor->at++;
        *out |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

static bool read_difference(struct cursor *cursor, int64_t *out) {
    uint64_t number = 0;
    bool ok = read_number(cursor, &number);
    *out = number % 2 ? -(int64_t)(number / 2) - 1 : (int64_t)(number / 2);
    return ok;
}

static bool read_token(struct cursor *cursor, bool has_place, struct token_list *out) {
    uint64_t id = 0;
    int64_t begin = 0;
    int64_t length = 0;
    bool ok = read_number(cursor, &id) &&
              (!has_place || (read_difference(cursor, &begin) && read_difference(cursor, &length)));
    begin += out->count > 0 ? (int64_t)out->begins[out->count - 1] : 0;
    token_list_put(out, (int32_t)id, (uint32_t)begin, (uint32_t)(begin + length));
    return ok;
}

static enum err_code read_case(struct cursor *cursor, struct token_case *out, struct error *err) {
    uint64_t tokens = 0;
    bool ok = read_number(cursor, &out->flags) && read_number(cursor, &out->bytes) &&
              read_number(cursor, &tokens) && out->bytes <= (size_t)(cursor->end - cursor->at) &&
              tokens <= (size_t)(cursor->end - cursor->at);
    if (!ok) {
        return err_set(err, ERR_DATA, "cases are cut");
    }
    out->text = (const char *)cursor->at;
    cursor->at += out->bytes;
    token_list_reset(&out->expected);
    TRY(token_list_reserve(&out->expected, (int64_t)tokens, err));
    for (uint64_t i = 0; ok && i < tokens; i++) {
        ok = read_token(cursor, !(out->flags & DECODE), &out->expected);
    }
    return ok ? ERR_OK : err_set(err, ERR_DATA, "cases are cut");
}

static void show_list(FILE *log, const char *what, const struct token_list *list) {
    fprintf(log, "  %s", what);
    for (int64_t i = 0; i < list->count && i < 60; i++) {
        fprintf(log, " %" PRId32 "[%" PRIu32 ",%" PRIu32 ")", list->ids[i], list->begins[i],
                list->ends[i]);
    }
    fprintf(log, "\n");
}

static void show(FILE *log, const struct token_case *c, const char *what,
                 const struct token_list *got, int64_t differing) {
    if (differing >= 20) {
        return;
    }
    fprintf(log, "%s: \"", what);
    for (uint64_t i = 0; i < c->bytes && i < 300; i++) {
        unsigned char u = (unsigned char)c->text[i];
        fprintf(log, u >= 0x20 && u < 0x7F ? "%c" : "\\x%02x", u);
    }
    fprintf(log, "\"\n");
    show_list(log, "expected", &c->expected);
    if (got) {
        show_list(log, "got     ", got);
    }
}

/* Places in bytes as places in code points. */
static enum err_code count_code_points(const struct token_case *c, struct token_list *list,
                                       struct error *err) {
    SCOPED(mem) uint32_t *numbers = mem_array(c->bytes + 1, sizeof *numbers);
    if (!numbers) {
        return err_oom(err, "case");
    }
    uint32_t number = 0;
    for (uint64_t i = 0; i < c->bytes; i++) {
        numbers[i] = number - (((unsigned char)c->text[i] & 0xC0) == 0x80);
        number += ((unsigned char)c->text[i] & 0xC0) != 0x80;
    }
    numbers[c->bytes] = number;
    for (int64_t i = 0; i < list->count; i++) {
        list->begins[i] = numbers[list->begins[i]];
        list->ends[i] = numbers[list->ends[i]];
    }
    return ERR_OK;
}

static enum err_code compare_encoding(const struct tokenizer *tok, const struct token_case *c,
                                      struct token_list *list, struct token_case_counts *counts,
                                      FILE *log, struct error *err) {
    token_list_reset(list);
    enum tokenizer_encoding encoding =
        c->flags & AS_TEXT ? TOKENIZER_SPECIAL_AS_TEXT : TOKENIZER_PARSE_SPECIAL;
    TRY(tokenizer_encode(tok, c->text, c->bytes, encoding, list, err));
    TRY(count_code_points(c, list, err));
    const struct token_list *expected = &c->expected;
    size_t count = (size_t)expected->count;
    if (list->count == 0 && count == 0) {
        return ERR_OK;
    }
    if (list->count != expected->count ||
        memcmp(list->ids, expected->ids, count * sizeof *list->ids) != 0) {
        show(log, c, "ids", list, counts->ids++);
    } else if (list->dropped_bytes > 0) {
        counts->dropped++;
    } else if (memcmp(list->begins, expected->begins, count * sizeof *list->begins) != 0 ||
               memcmp(list->ends, expected->ends, count * sizeof *list->ends) != 0) {
        show(log, c, "places", list, counts->places++);
    }
    return ERR_OK;
}

static enum err_code compare_decoding(const struct tokenizer *tok, const struct token_case *c,
                                      struct strbuf *out, struct token_case_counts *counts,
                                      FILE *log, struct error *err) {
    strbuf_reset(out);
    enum tokenizer_decoding decoding =
        c->flags & SKIP_SPECIAL ? TOKENIZER_SKIP_SPECIAL : TOKENIZER_KEEP_SPECIAL;
    TRY(tokenizer_decode(tok, c->expected.ids, c->expected.count, decoding, out, err));
    if (out->length != c->bytes || memcmp(strbuf_text(out), c->text, c->bytes) != 0) {
        fprintf(log, "decoded '%s'\n", strbuf_text(out));
        show(log, c, "decoded", NULL, counts->decoded++);
    }
    return ERR_OK;
}

enum err_code token_cases_compare(const struct tokenizer *tok, const char *path,
                                  struct token_case_counts *counts, FILE *log, struct error *err) {
    SCOPED(mem) char *bytes = NULL;
    size_t count = 0;
    TRY(file_read_all(path, 4 * GIB, &bytes, &count, err));
    size_t head = sizeof magic - 1;
    if (count < head || memcmp(bytes, magic, head) != 0) {
        return err_set(err, ERR_DATA, "'%s' holds no cases", path);
    }
    const unsigned char *start = (const unsigned char *)bytes;
    struct cursor cursor = {.at = start + head, .end = start + count};
    SCOPED(token_list) struct token_list list = TOKEN_LIST_INIT;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(GIB);
    SCOPED(token_case) struct token_case c = {.expected = TOKEN_LIST_INIT};
    while (cursor.at < cursor.end) {
        TRY(read_case(&cursor, &c, err));
        counts->cases++;
        if (c.flags & DECODE) {
            TRY(compare_decoding(tok, &c, &out, counts, log, err));
        } else {
            TRY(compare_encoding(tok, &c, &list, counts, log, err));
        }
    }
    return ERR_OK;
}
