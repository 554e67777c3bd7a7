/* table_rows.h - the records of a CSV or TSV file, one at a time, with the place of each cell.
 *
 * Use:      SCOPED(table_rows) struct table_rows *rows = NULL;
 *           TRY(table_rows_open(in, TABLE_DELIMITER_FROM_HEADER, &rows, err));
 *           const struct table_record *header = table_rows_header(rows);
 *           struct table_record record;
 *           bool has_record = true;
 *           for (;;) {
 *               TRY(table_rows_next(rows, &record, &has_record, err));
 *               if (!has_record) { break; }
 *               use(record.cells, record.count);
 *           }
 *
 *           After ERR_DATA the next call reads the record behind the bad one, if
 *           table_rows_can_go_on; table_rows_last says what was refused.
 * CSV:      RFC 4180, delimited by ',' or ';': a cell in double quotes may hold delimiters, line
 *           breaks and quotes written twice. A quote elsewhere in a cell is refused, and so is text
 *           behind a closing quote: both are what is left of broken quoting.
 * TSV:      text/tab-separated-values, where quotes are ordinary characters, since texts in such
 *           files hold them raw. Only a cell that is in quotes as a whole, on one line, with every
 *           quote inside written twice, is taken as quoted: what spreadsheets write.
 * Delimiter: unless given, a tab if the header line has one; else ',' or ';', whichever it has more
 *           of outside quotes.
 * Records:  all have as many cells as the header; lines without any character are passed over. Line
 *           ends are "\n" or "\r\n". Text is UTF-8 without NUL, and without
 *           carriage returns that end no line, but in quotes.
 * Errors:   as input_stream_more, and ERR_DATA with file, line and column:
 *               football.csv:17:23: text behind a closing quote: ...
 * Limits:   a record is at most INPUT_ROW_BYTES_MAX bytes and TABLE_CELLS_MAX cells.
 * Owns:     one record at a time and the header; the stream is borrowed, and nobody else reads from
 *           it meanwhile.
 * Threads:  one.
 */
#ifndef DATA_TABLE_ROWS_H
#define DATA_TABLE_ROWS_H

#include "base/error.h"
#include "data/input_stream.h"
#include "data/text_span.h"

#include <stdbool.h>
#include <stdint.h>

#define TABLE_CELLS_MAX             65536
#define TABLE_DELIMITER_FROM_HEADER '\0'

struct table_rows;

struct table_record {
    const struct text_span *cells; /* [count] without their quotes; empty, never absent */
    const int64_t *lines;          /* [count] where each begins: its line, from 1 */
    const int64_t *columns;        /* [count] and its column, in characters from 1 */
    int64_t count;
    int64_t line;          /* where the record begins */
    struct text_span text; /* as it stands in the file, without its line end; absent if too long */
};

/* Reads the header too. `delimiter` is ',', ';', '\t' or TABLE_DELIMITER_FROM_HEADER.
 *   fails    ERR_DATA also for a file without a header */
ERR_NODISCARD enum err_code table_rows_open(struct input_stream *in, char delimiter,
                                            struct table_rows **out_rows, struct error *err);
void table_rows_close(struct table_rows *rows);

/* Borrowed until closed. */
const struct table_record *table_rows_header(const struct table_rows *rows);

/* ',', ';' or '\t'. */
char table_rows_delimiter(const struct table_rows *rows);

/* What `out_record` refers to is borrowed until the next call. */
ERR_NODISCARD enum err_code table_rows_next(struct table_rows *rows,
                                            struct table_record *out_record, bool *out_has_record,
                                            struct error *err);

/* After a failed call: whether it is known where the next record begins. Not so when a quote is
 * never closed, or a gzip file is damaged. */
bool table_rows_can_go_on(const struct table_rows *rows);

/* The record that the last call gave or refused; of a refused one, line and text only. Borrowed
 * until the next. */
const struct table_record *table_rows_last(const struct table_rows *rows);

static inline void table_rows_scoped_end(struct table_rows **rows) {
    table_rows_close(*rows);
}

#endif
