/* line_rows.c - see line_rows.h. */
#include "data/line_rows.h"

#include "base/arena.h"

#include <inttypes.h>

/* Skips up to and with the next line end, as far as there can be one: /dev/zero has none. */
static enum err_code skip_line(const struct line_rows *rows, struct error *err) {
    struct input_stream *in = rows->in;
    size_t skipped = 0;
    bool has_more = true;
    while (has_more) {
        struct text_span ready = input_stream_ready(in);
        if (ready.count > LINE_SKIP_BYTES_MAX - skipped) {
            return err_set(err, ERR_LIMIT,
                           "%s:%" PRId64 ": no line end in %zu MiB, the limit of what is skipped "
                           "for the next line",
                           input_stream_name(in), rows->number, LINE_SKIP_BYTES_MAX / MIB);
        }
        skipped += ready.count;
        const char *end = memchr(ready.bytes, '\n', ready.count);
        if (end) {
            input_stream_skip(in, (size_t)(end - ready.bytes) + 1);
            return ERR_OK;
        }
        input_stream_skip(in, ready.count);
        TRY(input_stream_more(in, &has_more, err));
    }
    return ERR_OK;
}

/* The line is what is ready before `end`. */
static void give(struct line_rows *rows, size_t count, bool has_end, struct line_row *out_line) {
    struct text_span text = {.bytes = input_stream_ready(rows->in).bytes, .count = count};
    rows->taken = count + (has_end ? 1 : 0);
    if (has_end && count > 0 && text.bytes[count - 1] == '\r') {
        text.count--;
    }
    *out_line = (struct line_row){.text = text, .number = rows->number};
}

/* Where the rest of the line cannot be had, in a cut file or while the stream is to go back to a
 * mark, its length is still the first thing that is wrong. */
static enum err_code refuse_long(struct line_rows *rows, struct error *err) {
    enum err_code code = skip_line(rows, err);
    if (code != ERR_OK && code != ERR_DATA) {
        return code;
    }
    rows->was_long = code == ERR_OK;
    return err_set(err, ERR_DATA, "%s:%" PRId64 ": a line of more than %zu MiB, the limit of a row",
                   input_stream_name(rows->in), rows->number, INPUT_ROW_BYTES_MAX / MIB);
}

enum err_code line_rows_next(struct line_rows *rows, struct line_row *out_line, bool *out_has_line,
                             struct error *err) {
    input_stream_skip(rows->in, rows->taken);
    rows->taken = 0;
    rows->was_long = false;
    rows->number++;
    bool has_more = true;
    size_t looked_at = 0;
    while (has_more) {
        struct text_span ready = input_stream_ready(rows->in);
        const char *end = memchr(ready.bytes + looked_at, '\n', ready.count - looked_at);
        size_t count = end ? (size_t)(end - ready.bytes) : ready.count;
        if (count > INPUT_ROW_BYTES_MAX) {
            return refuse_long(rows, err);
        }
        if (end) {
            *out_has_line = true;
            give(rows, count, true, out_line);
            return ERR_OK;
        }
        looked_at = count;
        TRY(input_stream_more(rows->in, &has_more, err));
    }
    size_t count = input_stream_ready(rows->in).count;
    *out_has_line = count > 0;
    if (count > 0) {
        give(rows, count, false, out_line);
    }
    return ERR_OK;
}
