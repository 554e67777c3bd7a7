/* fuzz_table_rows.c - records of any bytes: what is read, written as CSV with every cell in quotes,
 * reads back the same. */
#include "base/arena.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "data/table_rows.h"
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

#define TEXT_BYTES_MAX (64 * MIB)

static void write_record(const struct table_record *record, struct strbuf *out) {
    for (int64_t i = 0; i < record->count; i++) {
        strbuf_add(out, i > 0 ? ",\"" : "\"");
        for (size_t k = 0; k < record->cells[i].count; k++) {
            char c = record->cells[i].bytes[k];
            strbuf_add(out, c == '"' ? "\"" : "");
            strbuf_add_char(out, c);
        }
        strbuf_add_char(out, '"');
    }
    strbuf_add(out, "\r\n");
}

static void check_record(const struct table_record *record, int64_t columns) {
    FUZZ_CHECK(record->count == columns);
    for (int64_t i = 0; i < record->count; i++) {
        const struct text_span *cell = &record->cells[i];
        FUZZ_CHECK(cell->bytes && utf8_find_invalid(cell->bytes, cell->count) == cell->count);
        FUZZ_CHECK(!memchr(cell->bytes, '\0', cell->count));
        FUZZ_CHECK(record->lines[i] >= record->line && record->columns[i] >= 1);
        FUZZ_CHECK(i == 0 || record->lines[i] >= record->lines[i - 1]);
    }
}

/* All good records as CSV; false if the file has no header. */
static bool read_all(const char *text, size_t count, char delimiter, struct strbuf *out,
                     bool may_fail) {
    struct error err = ERROR_INIT;
    SCOPED(input_stream) struct input_stream *in = NULL;
    SCOPED(table_rows) struct table_rows *rows = NULL;
    if (input_stream_open_bytes(text, count, "input", &in, &err) != ERR_OK ||
        table_rows_open(in, delimiter, &rows, &err) != ERR_OK) {
        FUZZ_CHECK(may_fail && err.code == ERR_DATA && strncmp(err.msg, "input:", 6) == 0);
        return false;
    }
    write_record(table_rows_header(rows), out);
    bool has_record = true;
    while (has_record) {
        struct table_record record;
        enum err_code code = table_rows_next(rows, &record, &has_record, &err);
        if (code != ERR_OK) {
            FUZZ_CHECK(may_fail && code == ERR_DATA && strncmp(err.msg, "input:", 6) == 0);
            has_record = table_rows_can_go_on(rows);
        } else if (has_record) {
            check_record(&record, table_rows_header(rows)->count);
            write_record(&record, out);
        }
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    static const char delimiters[] = {TABLE_DELIMITER_FROM_HEADER, ',', ';', '\t'};
    SCOPED(strbuf) struct strbuf first = STRBUF_INIT(TEXT_BYTES_MAX);
    SCOPED(strbuf) struct strbuf again = STRBUF_INIT(TEXT_BYTES_MAX);
    for (size_t i = 0; i < sizeof delimiters; i++) {
        strbuf_reset(&first);
        strbuf_reset(&again);
        if (read_all((const char *)bytes, count, delimiters[i], &first, true)) {
            FUZZ_CHECK(read_all(first.bytes, first.length, ',', &again, false));
            FUZZ_CHECK(first.length == again.length &&
                       memcmp(first.bytes, again.bytes, first.length) == 0);
        }
    }
    return 0;
}
