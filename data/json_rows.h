/* json_rows.h - the objects of a stream, one at a time, with the place where each begins.
 *
 * Use:      SCOPED(json_rows) struct json_rows *rows = NULL;
 *           TRY(json_rows_open(in, &rows, err));
 *           struct json_row row;
 *           bool has_row = true;
 *           for (;;) {
 *               TRY(json_rows_next(rows, &row, &has_row, err));
 *               if (!has_row) { break; }
 *               use(row.doc, json_root(row.doc), row.line);
 *           }
 *
 *           To go on after a bad row: if (code == ERR_DATA && json_rows_can_go_on(rows)), then
 *           json_rows_last says what and where it was, and the next call reads the row behind it.
 * Accepts:  JSON lines (blank lines are passed over), or one array of objects however it is laid
 *           out, or objects that are spread over several lines one after the other, of which a
 *           single object is the common case. Which of them it is, the first characters say.
 * Errors:   as input_stream_more, and ERR_DATA with file, line and column of the whole file:
 *               pairs.jsonl:17:23: $.chosen[1].role: expected string, found number 3
 *           also for what is refused later through row.doc (base/json.h).
 * Limits:   a row is at most INPUT_ROW_BYTES_MAX bytes, JSON_ROWS_VALUES_MAX values and 64 levels.
 * Owns:     one row at a time; the stream is borrowed, and nobody else reads from it meanwhile.
 * Threads:  one.
 */
#ifndef DATA_JSON_ROWS_H
#define DATA_JSON_ROWS_H

#include "base/json.h"
#include "data/input_stream.h"

#include <stdbool.h>
#include <stdint.h>

#define JSON_ROWS_VALUES_MAX (1000 * 1000)

struct json_rows;

struct json_row {
    const struct json *doc; /* an object is its root; NULL in json_rows_last after a failure */
    struct text_span text;  /* as it stands in the file; absent if it was too long */
    int64_t line, column;   /* where it begins, from 1; columns count characters */
};

/* ERR_DATA if the text begins as no JSON does. `*out_rows` is owned. */
ERR_NODISCARD enum err_code json_rows_open(struct input_stream *in, struct json_rows **out_rows,
                                           struct error *err);
void json_rows_close(struct json_rows *rows);

/* What `out_row` refers to is borrowed until the next call. */
ERR_NODISCARD enum err_code json_rows_next(struct json_rows *rows, struct json_row *out_row,
                                           bool *out_has_row, struct error *err);

/* After a failed call: whether it is known where the next row begins. In JSON lines it always is;
 * in an array unless brackets or quotes do not match. */
bool json_rows_can_go_on(const struct json_rows *rows);

/* The row that the last call gave or refused. Borrowed until the next. */
const struct json_row *json_rows_last(const struct json_rows *rows);

static inline void json_rows_scoped_end(struct json_rows **rows) {
    json_rows_close(*rows);
}

#endif
