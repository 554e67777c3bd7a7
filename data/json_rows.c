/* json_rows.c - see json_rows.h.
 *
 * Of JSON lines each line is parsed. In the other layouts the end of a row is found first, by its
 * brackets and quotes alone; the parser then sees the row as a whole, and says what is wrong in it.
 */
#include "data/json_rows.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/line_rows.h"

#include <inttypes.h>

enum layout {
    LAYOUT_LINES,
    LAYOUT_ARRAY,  /* one array of objects */
    LAYOUT_SPREAD, /* objects over several lines, one after the other */
};

enum stage {
    STAGE_START,   /* of an array: its first element or its end */
    STAGE_BETWEEN, /* behind a row */
    STAGE_OVER,
};

struct json_rows {
    struct input_stream *in;
    enum layout layout;
    struct line_rows lines;  /* LAYOUT_LINES */
    enum stage stage;        /* the other layouts, and so the rest */
    struct json_place place; /* of the first byte that is ready */
    size_t taken;            /* bytes of the last row, which the next call skips */

    struct json *doc; /* of `last` */
    struct json_row last;
    bool can_go_on;
};

static const struct json_limits row_limits = {
    .bytes_max = INPUT_ROW_BYTES_MAX,
    .depth_max = 64,
    .values_max = JSON_ROWS_VALUES_MAX,
};

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t space_length(const struct text_span *text, size_t from) {
    size_t at = from;
    while (at < text->count && is_space(text->bytes[at])) {
        at++;
    }
    return at - from;
}

/* ---- where a value ends ---- */

struct value_scan {
    size_t at; /* looked at up to here */
    int64_t depth;
    bool in_string;
    bool has_newline; /* a line ended outside strings */
};

enum value_end {
    VALUE_END_UNKNOWN, /* not in these bytes */
    VALUE_END_HERE,    /* at `at` */
    VALUE_END_BROKEN,  /* a line ends in a string: whatever follows, this is no JSON */
};

/* Whether a quote at `at` is written as \". */
static bool is_escaped(const struct text_span *text, size_t at) {
    size_t backslashes = 0;
    while (backslashes < at && text->bytes[at - backslashes - 1] == '\\') {
        backslashes++;
    }
    return backslashes % 2 == 1;
}

/* Out of the string, behind its closing quote. */
static enum value_end scan_string_end(struct value_scan *scan, const struct text_span *text) {
    const char *from = text->bytes + scan->at;
    const char *quote = memchr(from, '"', text->count - scan->at);
    size_t count = quote ? (size_t)(quote - from) : text->count - scan->at;
    const char *newline = memchr(from, '\n', count);
    if (newline) {
        scan->at += (size_t)(newline - from);
        return VALUE_END_BROKEN;
    }
    scan->at += count;
    if (quote) {
        scan->in_string = is_escaped(text, scan->at);
        scan->at++;
    }
    return !scan->in_string && scan->depth == 0 ? VALUE_END_HERE : VALUE_END_UNKNOWN;
}

/* One character outside strings. */
static enum value_end scan_mark(struct value_scan *scan, char c) {
    bool at_end = scan->depth == 0 && scan->at > 0 && (c == ',' || c == ']' || is_space(c));
    if (at_end) { /* of a number or a word */
        return VALUE_END_HERE;
    }
    scan->at++;
    scan->in_string = c == '"';
    scan->has_newline = scan->has_newline || c == '\n';
    scan->depth += c == '{' || c == '[' ? 1 : 0;
    scan->depth -= c == '}' || c == ']' ? 1 : 0;
    bool closed = (c == '}' || c == ']') && scan->depth <= 0;
    return closed ? VALUE_END_HERE : VALUE_END_UNKNOWN;
}

/* Goes on from `scan->at` in a value that begins at the first byte of `text`. */
static enum value_end scan_value(struct value_scan *scan, const struct text_span *text) {
    enum value_end end = VALUE_END_UNKNOWN;
    while (scan->at < text->count && end == VALUE_END_UNKNOWN) {
        end =
            scan->in_string ? scan_string_end(scan, text) : scan_mark(scan, text->bytes[scan->at]);
    }
    return end;
}

/* ---- which layout ---- */

/* An object whose first line ends outside a string and before the object does goes on in the next
 * line; unless that begins with an object of its own, where none can stand: then this is JSON lines
 * and the first of them is cut. */
static enum layout layout_of_object(const struct text_span *text) {
    struct value_scan scan = {.at = 0};
    char last = '\0';
    while (scan.at < text->count && !scan.has_newline) {
        char c = text->bytes[scan.at];
        last = is_space(c) ? last : c;
        enum value_end end = scan.in_string ? scan_string_end(&scan, text) : scan_mark(&scan, c);
        if (end != VALUE_END_UNKNOWN) {
            return LAYOUT_LINES;
        }
    }
    bool next_is_object = scan.at < text->count && text->bytes[scan.at] == '{';
    bool may_be_inside = last == '[' || last == ':';
    return scan.has_newline && (!next_is_object || may_be_inside) ? LAYOUT_SPREAD : LAYOUT_LINES;
}

/* For an object, its first line and a character of the second. */
static bool shows_layout(const struct text_span *text, size_t at) {
    return at < text->count &&
           (text->bytes[at] != '{' || memchr(text->bytes + at, '\n', text->count - at - 1));
}

/* The text from its first character that is no space, with as much as shows the layout. */
static enum err_code read_start(struct json_rows *rows, struct text_span *out_text,
                                struct error *err) {
    bool has_more = true;
    struct text_span text = input_stream_ready(rows->in);
    size_t at = space_length(&text, 0);
    while (has_more && text.count < INPUT_ROW_BYTES_MAX && !shows_layout(&text, at)) {
        TRY(input_stream_more(rows->in, &has_more, err));
        text = input_stream_ready(rows->in);
        at += space_length(&text, at);
    }
    *out_text = (struct text_span){.bytes = text.bytes + at, .count = text.count - at};
    return ERR_OK;
}

static enum err_code refuse(struct json_rows *rows, struct error *err, const char *expected) {
    struct text_span ready = input_stream_ready(rows->in);
    uint32_t code_point = 0;
    size_t length = utf8_decode(ready.bytes, ready.count, &code_point);
    char found[UTF8_EXCERPT_BYTES];
    rows->can_go_on = false;
    if (ready.count == 0) {
        return err_set(err, ERR_DATA,
                       "%s:%" PRId64 ":%" PRId64 ": expected %s, found the end of "
                       "the file",
                       rows->place.name, rows->place.line, rows->place.column, expected);
    }
    return err_set(err, ERR_DATA, "%s:%" PRId64 ":%" PRId64 ": expected %s, found '%s'",
                   rows->place.name, rows->place.line, rows->place.column, expected,
                   utf8_excerpt(ready.bytes, length > 0 ? length : 1, found));
}

/* ---- walking, where rows are not lines ---- */

static void move_place(struct json_place *place, const char *bytes, size_t count) {
    const char *end = bytes + count;
    for (const char *newline = NULL; (newline = memchr(bytes, '\n', (size_t)(end - bytes)));) {
        place->line++;
        place->column = 1;
        bytes = newline + 1;
    }
    int64_t characters = 0;
    for (; bytes < end; bytes++) {
        characters += ((unsigned char)*bytes & 0xC0) != 0x80 ? 1 : 0;
    }
    place->column += characters;
}

static void skip(struct json_rows *rows, size_t count) {
    move_place(&rows->place, input_stream_ready(rows->in).bytes, count);
    input_stream_skip(rows->in, count);
}

/* To the next character that is no space; `*out_c` is NUL at the end of the file, and for a NUL,
 * which is as little expected. */
static enum err_code skip_space(struct json_rows *rows, char *out_c, struct error *err) {
    bool has_more = true;
    for (;;) {
        struct text_span ready = input_stream_ready(rows->in);
        size_t spaces = space_length(&ready, 0);
        skip(rows, spaces);
        if (spaces < ready.count || !has_more) {
            *out_c = spaces < ready.count ? ready.bytes[spaces] : '\0';
            return ERR_OK;
        }
        TRY(input_stream_more(rows->in, &has_more, err));
    }
}

/* The value that begins at the first byte that is ready: how many bytes it is. */
static enum err_code find_value(struct json_rows *rows, size_t *out_count, enum value_end *out_end,
                                struct error *err) {
    struct value_scan scan = {.at = 0};
    enum value_end end = VALUE_END_UNKNOWN;
    bool has_more = true;
    while (has_more && end == VALUE_END_UNKNOWN) {
        struct text_span ready = input_stream_ready(rows->in);
        end = scan_value(&scan, &ready);
        if (scan.at > INPUT_ROW_BYTES_MAX) {
            return err_set(err, ERR_DATA,
                           "%s:%" PRId64 ":%" PRId64 ": the row that begins here is longer than "
                           "%zu MiB, or a quote or bracket in it is never closed",
                           rows->place.name, rows->place.line, rows->place.column,
                           INPUT_ROW_BYTES_MAX / MIB);
        }
        if (end == VALUE_END_UNKNOWN) {
            TRY(input_stream_more(rows->in, &has_more, err));
        }
    }
    *out_count = scan.at;
    *out_end = end;
    return ERR_OK;
}

/* The row of `text`, which begins at `place`; it is an object. */
static enum err_code parse_row(struct json_rows *rows, const struct text_span *text,
                               const struct json_place *place, struct error *err) {
    TRY(json_parse_row(text->bytes, text->count, place, &row_limits, &rows->doc, err));
    const struct json_node *root = NULL;
    TRY(json_as_object(rows->doc, json_root(rows->doc), &root, err));
    rows->last.doc = rows->doc;
    return ERR_OK;
}

static enum err_code next_value(struct json_rows *rows, struct error *err) {
    size_t count = 0;
    enum value_end end = VALUE_END_UNKNOWN;
    TRY(find_value(rows, &count, &end, err));
    rows->taken = count;
    rows->stage = STAGE_BETWEEN;
    rows->last.text = (struct text_span){input_stream_ready(rows->in).bytes, count};
    rows->last.line = rows->place.line;
    rows->last.column = rows->place.column;
    rows->can_go_on = end == VALUE_END_HERE;
    if (end == VALUE_END_BROKEN) {
        rows->last.text.count++; /* with the line end, which the parser is to point at */
    }
    return parse_row(rows, &rows->last.text, &rows->place, err);
}

/* Behind the array there is nothing. */
static enum err_code end_array(struct json_rows *rows, struct error *err) {
    char c = '\0';
    skip(rows, 1);
    TRY(skip_space(rows, &c, err));
    rows->stage = STAGE_OVER;
    if (input_stream_ready(rows->in).count > 0) {
        return refuse(rows, err, "nothing more behind the array");
    }
    return ERR_OK;
}

/* Steps to the next element of the array, or over its end. */
static enum err_code enter_element(struct json_rows *rows, struct error *err) {
    char c = '\0';
    TRY(skip_space(rows, &c, err));
    if (c == ']') {
        return end_array(rows, err);
    }
    if (rows->stage == STAGE_START) {
        return c == '\0' ? refuse(rows, err, "an object or ']'") : ERR_OK;
    }
    if (c != ',') {
        return refuse(rows, err, "',' or ']' behind a row");
    }
    skip(rows, 1);
    TRY(skip_space(rows, &c, err));
    return c == ']' || c == ',' || c == '\0' ? refuse(rows, err, "an object after ','") : ERR_OK;
}

static enum err_code enter_object(struct json_rows *rows, struct error *err) {
    char c = '\0';
    TRY(skip_space(rows, &c, err));
    if (input_stream_ready(rows->in).count == 0) {
        rows->stage = STAGE_OVER;
        return ERR_OK;
    }
    return c == '{' ? ERR_OK : refuse(rows, err, "an object");
}

/* ---- JSON lines ---- */

static enum err_code next_line(struct json_rows *rows, bool *out_has_row, struct error *err) {
    struct line_row line = {.number = 0};
    bool has_line = true;
    size_t spaces = 0;
    do {
        enum err_code code = line_rows_next(&rows->lines, &line, &has_line, err);
        if (code != ERR_OK) {
            rows->can_go_on = rows->lines.was_long;
            rows->last.line = rows->lines.number;
            rows->last.column = 1;
            return code;
        }
        spaces = has_line ? space_length(&line.text, 0) : 0;
    } while (has_line && spaces == line.text.count);
    *out_has_row = has_line;
    if (!has_line) {
        return ERR_OK;
    }
    rows->can_go_on = true;
    rows->last.text = line.text;
    rows->last.line = line.number;
    rows->last.column = (int64_t)spaces + 1;
    const struct json_place place = {
        .name = input_stream_name(rows->in), .line = line.number, .column = 1};
    return parse_row(rows, &line.text, &place, err);
}

/* ---- public ---- */

enum err_code json_rows_open(struct input_stream *in, struct json_rows **out_rows,
                             struct error *err) {
    SCOPED(json_rows) struct json_rows *rows = mem_array_zero(1, sizeof *rows);
    if (!rows) {
        return err_oom(err, "rows of JSON");
    }
    rows->in = in;
    rows->lines = (struct line_rows)LINE_ROWS_INIT(in);
    rows->place = (struct json_place){.name = input_stream_name(in), .line = 1, .column = 1};
    struct text_span text = {0};
    TRY(read_start(rows, &text, err));
    char c = text.count > 0 ? text.bytes[0] : '{';
    if (c == '{') {
        rows->layout = layout_of_object(&text);
    } else if (c == '[') {
        rows->layout = LAYOUT_ARRAY;
        TRY(skip_space(rows, &c, err));
        skip(rows, 1);
    } else {
        TRY(skip_space(rows, &c, err));
        return refuse(rows, err, "'{' or '[', with which JSON begins");
    }
    *out_rows = MOVE(rows);
    return ERR_OK;
}

void json_rows_close(struct json_rows *rows) {
    if (rows) {
        json_free(rows->doc);
        mem_free(rows);
    }
}

enum err_code json_rows_next(struct json_rows *rows, struct json_row *out_row, bool *out_has_row,
                             struct error *err) {
    json_free(rows->doc);
    rows->doc = NULL;
    rows->last = (struct json_row){.doc = NULL};
    bool has_row = true;
    if (rows->layout == LAYOUT_LINES) {
        TRY(next_line(rows, &has_row, err));
    } else {
        rows->can_go_on = false;
        skip(rows, rows->taken);
        rows->taken = 0;
        if (rows->stage != STAGE_OVER) {
            TRY(rows->layout == LAYOUT_ARRAY ? enter_element(rows, err) : enter_object(rows, err));
        }
        has_row = rows->stage != STAGE_OVER;
        if (has_row) {
            TRY(next_value(rows, err));
        }
    }
    *out_has_row = has_row;
    if (has_row) {
        *out_row = rows->last;
    }
    return ERR_OK;
}

bool json_rows_can_go_on(const struct json_rows *rows) {
    return rows->can_go_on;
}

const struct json_row *json_rows_last(const struct json_rows *rows) {
    return &rows->last;
}
