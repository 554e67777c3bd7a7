/* table_rows.c - see table_rows.h.
 *
 * A record is taken apart while it is looked for, since only its cells say where it ends. The
 * window of the stream may move when more is read, so cells are kept as offsets until the record is
 * whole.
 */
#include "data/table_rows.h"

#include "base/arena.h"
#include "base/array.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Of a record, from its first byte. */
struct cell {
    size_t start, count; /* without quotes around it */
    bool has_doubled;    /* quotes inside are written twice */
};

struct table_rows {
    struct input_stream *in;
    char delimiter;
    bool stops[256]; /* bytes that end a cell without quotes, or may not be in one */
    int64_t line;    /* of the first byte that is ready */
    size_t taken;    /* bytes of the last record, which the next call skips */
    size_t whole;    /* bytes of this record, without its line end; 0 until that is known */

    struct cell *cells; /* [capacity] */
    struct text_span *spans;
    int64_t *lines, *columns;
    int64_t count, capacity;
    char *unescaped; /* cells with doubled quotes, as they read */
    size_t unescaped_capacity;

    struct table_record header; /* of these: */
    struct text_span *header_cells;
    int64_t *header_lines, *header_columns;
    char *header_text;

    struct table_record last;
    bool can_go_on;
};

/* ---- looking at the record ---- */

static struct text_span ready_of(const struct table_rows *rows) {
    return input_stream_ready(rows->in);
}

/* Whether the record has a byte at `at`; reads more if need be. */
static enum err_code reach(struct table_rows *rows, size_t at, bool *out_there, struct error *err) {
    bool has_more = true;
    while (has_more && at >= ready_of(rows).count) {
        TRY(input_stream_more(rows->in, &has_more, err));
    }
    *out_there = at < ready_of(rows).count;
    return ERR_OK;
}

/* The byte at `at`, or NUL at the end of the file; a NUL in the file ends no cell either. */
static enum err_code look(struct table_rows *rows, size_t at, char *out_c, struct error *err) {
    bool there = false;
    TRY(reach(rows, at, &there, err));
    *out_c = there ? ready_of(rows).bytes[at] : '\0';
    return ERR_OK;
}

static int64_t count_newlines(const char *bytes, size_t count) {
    int64_t newlines = 0;
    const char *end = bytes + count;
    for (const char *at = bytes; (at = memchr(at, '\n', (size_t)(end - at))); at++) {
        newlines++;
    }
    return newlines;
}

struct place {
    int64_t line, column;
};

/* From the place of `from` to that of `to`, both offsets in the record. */
static void move_place(struct place *place, const char *record, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        if (record[i] == '\n') {
            place->line++;
            place->column = 1;
        } else if (((unsigned char)record[i] & 0xC0) != 0x80) {
            place->column++;
        }
    }
}

/* ---- refusing ---- */

/* A refused record ends with the line it was refused in, unless its end is known. */
static void end_refused(struct table_rows *rows, size_t at) {
    at = at > rows->whole ? at : rows->whole;
    struct error ignored = ERROR_INIT;
    const char *newline = NULL;
    bool there = true;
    while (there && !newline) {
        enum err_code code = reach(rows, at, &there, &ignored);
        struct text_span ready = ready_of(rows);
        if (code != ERR_OK || at > INPUT_ROW_BYTES_MAX) {
            rows->can_go_on = false; /* a broken stream, or a line without an end */
            rows->taken = 0;
            return;
        }
        newline = there ? memchr(ready.bytes + at, '\n', ready.count - at) : NULL;
        at = newline ? (size_t)(newline - ready.bytes) : ready.count;
    }
    struct text_span ready = ready_of(rows);
    rows->taken = at + (newline ? 1 : 0);
    rows->last.text = (struct text_span){.bytes = ready.bytes, .count = at};
    rows->can_go_on = true;
}

static ERR_FORMAT(4, 5) enum err_code
    refuse(struct table_rows *rows, size_t at, struct error *err, const char *fmt, ...) {
    char message[ERR_MSG_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    struct place place = {.line = rows->line, .column = 1};
    move_place(&place, ready_of(rows).bytes, 0, at);
    enum err_code code = err_set(err, ERR_DATA, "%s:%" PRId64 ":%" PRId64 ": %s",
                                 input_stream_name(rows->in), place.line, place.column, message);
    end_refused(rows, at);
    return code;
}

static enum err_code refuse_long(struct table_rows *rows, size_t quote, struct error *err) {
    enum err_code code =
        refuse(rows, quote, err, "the record is longer than %zu MiB, the limit of a row",
               INPUT_ROW_BYTES_MAX / MIB);
    rows->can_go_on = false;
    return code;
}

static enum err_code refuse_open_quote(struct table_rows *rows, size_t quote, struct error *err) {
    enum err_code code =
        refuse(rows, quote, err,
               "the quote that opens here is never closed; a quote that is part of the text is "
               "written twice, in a cell in quotes");
    rows->can_go_on = false;
    return code;
}

/* ---- cells ---- */

static enum err_code reserve_cell(struct table_rows *rows, struct error *err) {
    const struct array_ref arrays[] = {ARRAY_REF(rows->cells), ARRAY_REF(rows->spans),
                                       ARRAY_REF(rows->lines), ARRAY_REF(rows->columns)};
    return arrays_reserve(arrays, 4, &rows->capacity, rows->count + 1, "the cells of a record",
                          err);
}

static enum err_code add_cell(struct table_rows *rows, const struct cell *cell, struct error *err) {
    if (rows->count == TABLE_CELLS_MAX) {
        return refuse(rows, cell->start, err, "more than %d cells in a record, which is the limit",
                      TABLE_CELLS_MAX);
    }
    TRY(reserve_cell(rows, err));
    rows->cells[rows->count++] = *cell;
    return ERR_OK;
}

/* Whether the byte at `at` is a carriage return and ends the line: also the last of the file. */
static enum err_code is_line_end(struct table_rows *rows, size_t at, bool *out, struct error *err) {
    bool there = false;
    TRY(reach(rows, at + 1, &there, err));
    *out = !there || ready_of(rows).bytes[at + 1] == '\n';
    return ERR_OK;
}

/* A cell without quotes from `*at`, which moves behind it. */
static enum err_code read_plain(struct table_rows *rows, size_t *at, struct error *err) {
    size_t start = *at, end = *at;
    bool there = true;
    while (there) {
        struct text_span ready = ready_of(rows);
        while (end < ready.count && !rows->stops[(unsigned char)ready.bytes[end]]) {
            end++;
        }
        if (end > INPUT_ROW_BYTES_MAX) {
            return refuse_long(rows, 0, err);
        }
        if (end < ready.count) {
            break;
        }
        TRY(reach(rows, end, &there, err));
    }
    char c = there ? ready_of(rows).bytes[end] : '\n';
    if (c == '"') {
        return refuse(rows, end, err,
                      "a quote inside a cell; write the cell in quotes, and this one twice");
    }
    bool ends = true;
    if (c == '\r') {
        TRY(is_line_end(rows, end, &ends, err));
    }
    if (!ends) {
        return refuse(rows, end, err, "a carriage return without a line feed; lines end in one");
    }
    *at = end;
    return add_cell(rows, &(struct cell){.start = start, .count = end - start}, err);
}

/* The end of what the quote at `quote` opens; `*at` moves onto the closing quote. */
static enum err_code find_closing(struct table_rows *rows, size_t quote, size_t *at,
                                  bool *out_has_doubled, struct error *err) {
    size_t end = quote + 1;
    bool there = true;
    *out_has_doubled = false;
    for (;;) {
        struct text_span ready = ready_of(rows);
        const char *next = memchr(ready.bytes + end, '"', ready.count - end);
        end = next ? (size_t)(next - ready.bytes) : ready.count;
        if (end > INPUT_ROW_BYTES_MAX) {
            return refuse_open_quote(rows, quote, err);
        }
        if (next) {
            char c = '\0';
            TRY(look(rows, end + 1, &c, err));
            if (c != '"') {
                *at = end;
                return ERR_OK;
            }
            *out_has_doubled = true;
            end += 2;
        }
        TRY(reach(rows, end, &there, err));
        if (!there) {
            return refuse_open_quote(rows, quote, err);
        }
    }
}

static enum err_code read_quoted(struct table_rows *rows, size_t *at, struct error *err) {
    struct cell cell = {.start = *at + 1};
    size_t closing = 0;
    TRY(find_closing(rows, *at, &closing, &cell.has_doubled, err));
    cell.count = closing - cell.start;
    bool there = false;
    TRY(reach(rows, closing + 1, &there, err));
    char c = there ? ready_of(rows).bytes[closing + 1] : '\n';
    bool ends = c == rows->delimiter || c == '\n';
    if (c == '\r') {
        TRY(is_line_end(rows, closing + 1, &ends, err));
    }
    if (!ends) {
        return refuse(rows, closing + 1, err,
                      "text behind a closing quote; a quote that is part of the text is written "
                      "twice");
    }
    *at = closing + 1;
    return add_cell(rows, &cell, err);
}

/* The cells of the record that begins at the first byte that is ready; `*at` moves to its end. */
static enum err_code read_cells(struct table_rows *rows, size_t *at, struct error *err) {
    bool quotes = rows->delimiter != '\t';
    rows->count = 0;
    for (;;) {
        char c = '\0';
        TRY(look(rows, *at, &c, err));
        TRY(quotes && c == '"' ? read_quoted(rows, at, err) : read_plain(rows, at, err));
        TRY(look(rows, *at, &c, err));
        if (c != rows->delimiter) {
            return ERR_OK;
        }
        ++*at;
    }
}

/* ---- the whole record ---- */

/* Of a TSV: a cell that is quoted as a whole, with every quote inside written twice. */
static void unquote_whole(struct cell *cell, const char *record) {
    const char *text = record + cell->start;
    if (cell->count < 2 || text[0] != '"' || text[cell->count - 1] != '"') {
        return;
    }
    bool has_doubled = false;
    for (size_t i = 1; i + 1 < cell->count; i++) {
        if (text[i] == '"' && (text[i + 1] != '"' || i + 2 == cell->count)) {
            return;
        }
        has_doubled = has_doubled || text[i] == '"';
        i += text[i] == '"' ? 1 : 0;
    }
    *cell = (struct cell){
        .start = cell->start + 1, .count = cell->count - 2, .has_doubled = has_doubled};
}

static size_t unescape(const char *text, size_t count, char *out) {
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        out[length++] = text[i];
        i += text[i] == '"' ? 1 : 0;
    }
    return length;
}

static enum err_code reserve_unescaped(struct table_rows *rows, size_t count, struct error *err) {
    if (count <= rows->unescaped_capacity) {
        return ERR_OK;
    }
    size_t capacity = mem_grown_capacity(rows->unescaped_capacity, count);
    char *bytes = mem_array_resize(rows->unescaped, capacity, 1);
    if (!bytes) {
        return err_oom(err, "the cells of a record");
    }
    rows->unescaped = bytes;
    rows->unescaped_capacity = capacity;
    return ERR_OK;
}

/* Characters are bytes, all on one line. */
static bool is_plain_ascii(const char *record, size_t count) {
    unsigned char bits = 0;
    for (size_t i = 0; i < count; i++) {
        bits |= (unsigned char)record[i];
    }
    return bits < 0x80 && !memchr(record, '\n', count);
}

static void fill_places(struct table_rows *rows, const char *record, size_t count) {
    bool is_plain = is_plain_ascii(record, count);
    struct place place = {.line = rows->line, .column = 1};
    size_t at = 0;
    for (int64_t i = 0; i < rows->count; i++) {
        size_t start = rows->cells[i].start;
        start -= start > 0 && record[start - 1] == '"' ? 1 : 0;
        if (is_plain) {
            place.column = (int64_t)start + 1;
        } else {
            move_place(&place, record, at, start);
        }
        at = start;
        rows->lines[i] = place.line;
        rows->columns[i] = place.column;
    }
}

/* Cells as the user reads them, once the record lies where it stays. */
static enum err_code fill_spans(struct table_rows *rows, const char *record, size_t count,
                                struct error *err) {
    size_t used = 0;
    for (int64_t i = 0; i < rows->count; i++) {
        struct cell *cell = &rows->cells[i];
        if (rows->delimiter == '\t') {
            unquote_whole(cell, record);
        }
        struct text_span *span = &rows->spans[i];
        *span = (struct text_span){.bytes = record + cell->start, .count = cell->count};
        if (cell->has_doubled) {
            TRY(reserve_unescaped(rows, count, err)); /* once: the whole record fits */
            char *out = rows->unescaped + used;
            *span =
                (struct text_span){.bytes = out, .count = unescape(span->bytes, span->count, out)};
            used += span->count;
        }
    }
    return ERR_OK;
}

static enum err_code check_text(struct table_rows *rows, size_t count, struct error *err) {
    const char *record = ready_of(rows).bytes;
    size_t invalid = utf8_find_invalid(record, count);
    if (invalid < count) {
        return refuse(rows, invalid, err, "invalid UTF-8 at byte 0x%02x: save the file as UTF-8",
                      (unsigned)(unsigned char)record[invalid]);
    }
    const char *nul = memchr(record, '\0', count);
    if (nul) {
        return refuse(rows, (size_t)(nul - record), err, "a NUL byte, which no text holds");
    }
    return ERR_OK;
}

static enum err_code check_count(struct table_rows *rows, size_t end, struct error *err) {
    int64_t count = rows->count, expected = rows->header.count;
    if (expected == 0 || count == expected) { /* 0: this is the header */
        return ERR_OK;
    }
    size_t at = count > expected ? rows->cells[expected].start : end;
    return refuse(
        rows, at, err, "a record of %" PRId64 " cells, but the header has %" PRId64 " columns%s",
        count, expected, rows->delimiter == '\t' ? "; in TSV a cell has no tab or line break" : "");
}

/* The record that begins at the first byte that is ready, which there is. */
static enum err_code read_record(struct table_rows *rows, bool *out_is_blank, struct error *err) {
    size_t at = 0;
    rows->last = (struct table_record){.line = rows->line};
    rows->can_go_on = false;
    rows->whole = 0;
    TRY(read_cells(rows, &at, err));
    struct text_span ready = ready_of(rows);
    size_t end = at;
    rows->whole = end;
    at += at < ready.count && ready.bytes[at] == '\r' ? 1 : 0;
    at += at < ready.count && ready.bytes[at] == '\n' ? 1 : 0;
    *out_is_blank = end == 0;
    TRY(check_text(rows, end, err));
    if (end > 0) {
        TRY(check_count(rows, end, err));
    }
    fill_places(rows, ready.bytes, end);
    TRY(fill_spans(rows, ready.bytes, end, err));
    rows->taken = at;
    rows->last.text = (struct text_span){.bytes = ready.bytes, .count = end};
    rows->last.cells = rows->spans;
    rows->last.lines = rows->lines;
    rows->last.columns = rows->columns;
    rows->last.count = rows->count;
    rows->can_go_on = true;
    return ERR_OK;
}

/* ---- header ---- */

/* Reads on until the first line with anything in it is ready as a whole. */
static enum err_code find_header_line(struct table_rows *rows, struct text_span *out_line,
                                      struct error *err) {
    size_t start = 0;
    char c = '\0';
    TRY(look(rows, start, &c, err));
    while (c == '\n' || c == '\r') {
        start++;
        TRY(look(rows, start, &c, err));
    }
    size_t end = start;
    bool there = true;
    const char *newline = NULL;
    while (there && !newline && end <= INPUT_ROW_BYTES_MAX) {
        TRY(reach(rows, end, &there, err));
        struct text_span ready = ready_of(rows);
        newline = memchr(ready.bytes + end, '\n', ready.count - end);
        end = newline ? (size_t)(newline - ready.bytes) : ready.count;
    }
    *out_line = (struct text_span){.bytes = ready_of(rows).bytes + start, .count = end - start};
    return ERR_OK;
}

static char guess_delimiter(const struct text_span *line) {
    if (line->count > 0 && memchr(line->bytes, '\t', line->count)) {
        return '\t';
    }
    bool in_quotes = false;
    int64_t commas = 0, semicolons = 0;
    for (size_t i = 0; i < line->count; i++) {
        in_quotes ^= line->bytes[i] == '"';
        commas += !in_quotes && line->bytes[i] == ',' ? 1 : 0;
        semicolons += !in_quotes && line->bytes[i] == ';' ? 1 : 0;
    }
    return semicolons > commas ? ';' : ',';
}

static void set_delimiter(struct table_rows *rows, char delimiter) {
    rows->delimiter = delimiter;
    rows->stops[(unsigned char)delimiter] = true;
    rows->stops['\n'] = true;
    rows->stops['\r'] = true;
    rows->stops['"'] = delimiter != '\t';
}

/* A copy of the last record, which stays. */
static enum err_code keep_header(struct table_rows *rows, struct error *err) {
    const size_t count = (size_t)rows->count;
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += rows->spans[i].count;
    }
    rows->header_cells = mem_array(count, sizeof *rows->header_cells);
    rows->header_lines = mem_array(count, sizeof *rows->header_lines);
    rows->header_columns = mem_array(count, sizeof *rows->header_columns);
    rows->header_text = mem_array(bytes, 1);
    if (!rows->header_cells || !rows->header_lines || !rows->header_columns || !rows->header_text) {
        return err_oom(err, "the header of a table");
    }
    char *at = rows->header_text;
    for (size_t i = 0; i < count; i++) {
        rows->header_cells[i] = (struct text_span){.bytes = at, .count = rows->spans[i].count};
        memcpy(at, rows->spans[i].bytes, rows->spans[i].count);
        at += rows->spans[i].count;
    }
    memcpy(rows->header_lines, rows->lines, count * sizeof *rows->lines);
    memcpy(rows->header_columns, rows->columns, count * sizeof *rows->columns);
    rows->header = (struct table_record){
        .cells = rows->header_cells,
        .lines = rows->header_lines,
        .columns = rows->header_columns,
        .count = (int64_t)count,
        .line = rows->last.line,
    };
    return ERR_OK;
}

static enum err_code read_header(struct table_rows *rows, char delimiter, struct error *err) {
    struct text_span line = {0};
    TRY(find_header_line(rows, &line, err));
    set_delimiter(rows,
                  delimiter == TABLE_DELIMITER_FROM_HEADER ? guess_delimiter(&line) : delimiter);
    struct table_record record = {.count = 0};
    bool has_record = false;
    TRY(table_rows_next(rows, &record, &has_record, err));
    if (!has_record) {
        return err_set(err, ERR_DATA,
                       "%s: the file is empty, expected a line of column names first",
                       input_stream_name(rows->in));
    }
    return keep_header(rows, err);
}

/* ---- public ---- */

enum err_code table_rows_open(struct input_stream *in, char delimiter, struct table_rows **out_rows,
                              struct error *err) {
    SCOPED(table_rows) struct table_rows *rows = mem_array_zero(1, sizeof *rows);
    if (!rows) {
        return err_oom(err, "the rows of a table");
    }
    rows->in = in;
    rows->line = 1;
    TRY(read_header(rows, delimiter, err));
    *out_rows = MOVE(rows);
    return ERR_OK;
}

void table_rows_close(struct table_rows *rows) {
    if (!rows) {
        return;
    }
    mem_free(rows->cells);
    mem_free(rows->spans);
    mem_free(rows->lines);
    mem_free(rows->columns);
    mem_free(rows->unescaped);
    mem_free(rows->header_cells);
    mem_free(rows->header_lines);
    mem_free(rows->header_columns);
    mem_free(rows->header_text);
    mem_free(rows);
}

const struct table_record *table_rows_header(const struct table_rows *rows) {
    return &rows->header;
}

char table_rows_delimiter(const struct table_rows *rows) {
    return rows->delimiter;
}

enum err_code table_rows_next(struct table_rows *rows, struct table_record *out_record,
                              bool *out_has_record, struct error *err) {
    bool is_blank = true, there = true;
    rows->can_go_on = false; /* also when the stream breaks between two records */
    rows->last = (struct table_record){.line = rows->line};
    while (is_blank) {
        rows->line += count_newlines(ready_of(rows).bytes, rows->taken);
        input_stream_skip(rows->in, rows->taken);
        rows->taken = 0;
        TRY(reach(rows, 0, &there, err));
        if (!there) {
            break;
        }
        TRY(read_record(rows, &is_blank, err));
    }
    *out_has_record = there;
    if (there) {
        *out_record = rows->last;
    }
    return ERR_OK;
}

bool table_rows_can_go_on(const struct table_rows *rows) {
    return rows->can_go_on;
}

const struct table_record *table_rows_last(const struct table_rows *rows) {
    return &rows->last;
}
