/* export_internal.h - what the export*.c files share; included by nobody else. */
#ifndef DATA_EXPORT_INTERNAL_H
#define DATA_EXPORT_INTERNAL_H

#include "base/arena.h"
#include "base/json_writer.h"
#include "base/strbuf.h"
#include "data/export.h"

/* Of the text of one row: far above what the log takes. */
#define EXPORT_ROW_BYTES_MAX ((size_t)16 * GIB)

/* Two responses with the ranks 1 and 2 that answer a prompt of the same sort. */
bool export_is_pair(const struct preference *row);

/* export_json.c: a member, if the text is there. */
void export_put_text(struct json_writer *w, const char *key, const struct text_span *text);

/* export_json.c: the object for a row, and a line end. */
ERR_NODISCARD enum err_code export_json_row(const struct preference *row, struct strbuf *out,
                                            struct error *err);

/* export_csv.c */
struct export_table {
    enum preference_kind kind;
    bool items;   /* of sets, not texts */
    bool ranking; /* comparisons with a line a response */
};

/* Looks at the log for what its columns will be.
 *   fails    ERR_DATA for one that no single table can hold */
ERR_NODISCARD enum err_code export_table_choose(struct db *db, const struct export_options *options,
                                                struct export_table *out_table, struct error *err);

void export_csv_header(const struct export_table *table, struct strbuf *out);

ERR_NODISCARD enum err_code export_csv_row(const struct export_table *table,
                                           const struct preference_record *record,
                                           struct strbuf *out, struct error *err);

#define EXPORT_TIME_BYTES 40

/* "2025-11-22T03:24:05.123Z"; the number itself outside the years 1678 to 2262. Returns `out`. */
const char *export_time_text(int64_t ms, char out[EXPORT_TIME_BYTES]);

/* A cell and the separator behind it. */
void export_csv_text(struct strbuf *out, const struct text_span *text, char separator);

#endif
