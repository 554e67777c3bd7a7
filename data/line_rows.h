/* line_rows.h - the lines of a stream, one at a time.
 *
 * Use:      struct line_rows rows = LINE_ROWS_INIT(in);
 *           struct line_row line;
 *           bool has_line = true;
 *           for (;;) {
 *               TRY(line_rows_next(&rows, &line, &has_line, err));
 *               if (!has_line) { break; }
 *               use(line.number, line.text);
 *           }
 * Lines:    end in "\n" or "\r\n", the last one perhaps at the end of the file; the end is not part
 *           of the text. Their contents are not looked at: they may be anything.
 * Errors:   as input_stream_more; ERR_DATA for a line of more than INPUT_ROW_BYTES_MAX bytes, which
 *           is skipped, so that the next call reads the next line; ERR_LIMIT where no line end
 *           comes within LINE_SKIP_BYTES_MAX.
 * Owns:     nothing; the stream is borrowed, and nobody else reads from it meanwhile.
 * Threads:  no state.
 */
#ifndef DATA_LINE_ROWS_H
#define DATA_LINE_ROWS_H

#include "data/input_stream.h"

#define LINE_SKIP_BYTES_MAX ((size_t)1024 * 1024 * 1024)

struct line_rows {
    struct input_stream *in;
    int64_t number; /* of the line given last */
    size_t taken;   /* bytes of it, with its end, which the next call skips */
    bool was_long;  /* the last call failed for the length of a line only */
};

#define LINE_ROWS_INIT(stream) \
    { .in = (stream), .number = 0, .taken = 0, .was_long = false }

struct line_row {
    struct text_span text; /* borrowed until the next call */
    int64_t number;        /* from 1 */
};

ERR_NODISCARD enum err_code line_rows_next(struct line_rows *rows, struct line_row *out_line,
                                           bool *out_has_line, struct error *err);

#endif
