/* fuzz_json_rows.c - rows of any bytes: each stands where it says, and reading always ends. */
#include "base/scoped.h"
#include "data/json_rows.h"
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

/* The byte at a place, or NULL; columns count code points. */
static const char *find_place(const char *text, size_t count, int64_t line, int64_t column) {
    const char *end = text + count;
    for (int64_t l = 1; l < line; l++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        if (!newline) {
            return NULL;
        }
        text = newline + 1;
    }
    for (int64_t c = 1; text < end; text++) {
        bool begins = ((unsigned char)*text & 0xC0) != 0x80;
        if (begins && c++ == column) {
            return text;
        }
    }
    return NULL;
}

/* Of a text that is read as it is: no gzip, no byte order mark. */
static void check_place(const char *text, size_t count, const struct json_row *row) {
    const char *at = find_place(text, count, row->line, row->column);
    FUZZ_CHECK(at && *at == '{');
    const char *inside = memchr(row->text.bytes, '{', row->text.count);
    FUZZ_CHECK(inside);
    size_t length = row->text.count - (size_t)(inside - row->text.bytes);
    FUZZ_CHECK(length <= count - (size_t)(at - text) && memcmp(at, inside, length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    const char *text = (const char *)bytes;
    bool is_plain = count < 2 || (memcmp(bytes, "\x1F\x8B", 2) != 0 && bytes[0] != 0xEF);
    struct error err = ERROR_INIT;
    SCOPED(input_stream) struct input_stream *in = NULL;
    SCOPED(json_rows) struct json_rows *rows = NULL;
    if (input_stream_open_bytes(text, count, "input", &in, &err) != ERR_OK ||
        json_rows_open(in, &rows, &err) != ERR_OK) {
        FUZZ_CHECK(err.code == ERR_DATA && strncmp(err.msg, "input:", 6) == 0);
        return 0;
    }
    bool has_row = true;
    int64_t line = 0;
    while (has_row) {
        struct json_row row;
        enum err_code code = json_rows_next(rows, &row, &has_row, &err);
        if (code != ERR_OK) {
            FUZZ_CHECK(code == ERR_DATA && strncmp(err.msg, "input:", 6) == 0);
            has_row = json_rows_can_go_on(rows);
        } else if (has_row) {
            FUZZ_CHECK(row.line >= line && json_kind_of(json_root(row.doc)) == JSON_KIND_OBJECT);
            line = row.line;
            (void)json_refuse(row.doc, json_root(row.doc), &err, "x"); /* looks for the place */
            if (is_plain) {
                check_place(text, count, &row);
            }
        }
    }
    return 0;
}
