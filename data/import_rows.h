/* import_rows.h - the rows of one file, each through its format.
 *
 * Use:      SCOPED(import_rows) struct import_rows *rows = NULL;
 *           TRY(import_rows_open(format, &settings, in, &rows, err));
 *           SCOPED(import_batch) struct import_batch batch = IMPORT_BATCH_INIT;
 *           bool has_row = true;
 *           for (;;) {
 *               TRY(import_rows_next(rows, &batch, &has_row, err));
 *               if (!has_row) { break; }
 *               use(batch.rows, batch.row_count);
 *           }
 *
 *           After ERR_DATA the next call reads the row behind the bad one, if
 *           import_rows_can_go_on.
 * Errors:   ERR_DATA for everything that is wrong with a row, limits included, beginning with file
 *           and line. ERR_USAGE and ERR_DATA from opening, for a mapping that does not fit.
 * Owns:     the readers and the format's state. What a batch refers to is borrowed until the next
 *           call. The stream is borrowed, and nobody else reads from it meanwhile.
 * Threads:  one.
 */
#ifndef DATA_IMPORT_ROWS_H
#define DATA_IMPORT_ROWS_H

#include "base/error.h"
#include "base/strbuf.h"
#include "data/import_batch.h"
#include "data/import_format.h"
#include "data/input_stream.h"

#include <stdbool.h>
#include <stdint.h>

struct import_rows;

/* `format` reads files, not folders; `settings` is borrowed until closed. `*out_rows` is owned. */
ERR_NODISCARD enum err_code import_rows_open(const struct import_format *format,
                                             const struct import_settings *settings,
                                             struct input_stream *in, struct import_rows **out_rows,
                                             struct error *err);
void import_rows_close(struct import_rows *rows);

/* What the next row makes, which may be nothing. After the last row comes, perhaps, what the format
 * knows only then: no row of its own (import_rows_is_row). */
ERR_NODISCARD enum err_code import_rows_next(struct import_rows *rows, struct import_batch *batch,
                                             bool *out_has_row, struct error *err);

/* Whether the last call was about a row of the file. */
bool import_rows_is_row(const struct import_rows *rows);

/* After ERR_DATA: whether it is known where the next row begins. */
bool import_rows_can_go_on(const struct import_rows *rows);

/* Where the last row begins, from 1, and its text, borrowed until the next call; absent if it was
 * too long. */
int64_t import_rows_line(const struct import_rows *rows);
struct text_span import_rows_text(const struct import_rows *rows);

/* What the format has to say once all rows are read (import_format.note). */
void import_rows_note(const struct import_rows *rows, struct strbuf *notes);

/* Puts "<file>:<line>: " in front of a message of ERR_DATA or ERR_LIMIT about the last row, unless
 * its place is there already, and makes it ERR_DATA. Returns the code. */
enum err_code import_rows_place(const struct import_rows *rows, enum err_code code,
                                struct error *err);

static inline void import_rows_scoped_end(struct import_rows **rows) {
    import_rows_close(*rows);
}

#endif
