/* preference_reader.h - the log of preferences read again, row by row, in the order it was written.
 *
 * Use:      SCOPED(preference_reader) struct preference_reader *reader = NULL;
 *           TRY(preference_reader_open(db, &(struct preference_filter){0}, &reader, err));
 *           struct preference_record record;
 *           bool has_record = false;
 *           for (;;) {
 *               TRY(preference_reader_next(reader, &record, &has_record, err));
 *               if (!has_record) { break; }
 *               use(&record.row);
 *           }
 * Order:    all comparisons, then ratings, labels, demonstrations, prompts; each as they came.
 * Cost:     one walk through the tables, whatever the filter; memory for one row.
 * Errors:   as base/db.h; ERR_DATA for a log that contradicts itself.
 * Owns:     its statements: close it before the database. All that a record refers to is borrowed
 *           until the next call. For one view of a log that somebody writes to, open a transaction.
 * Threads:  one.
 */
#ifndef DATA_PREFERENCE_READER_H
#define DATA_PREFERENCE_READER_H

#include "base/db.h"
#include "base/error.h"
#include "data/preference.h"
#include "data/split.h"

#include <stdbool.h>
#include <stdint.h>

/* What is to be read; all zero: everything. */
struct preference_filter {
    uint32_t kinds; /* bits 1 << PREFERENCE_...; 0: all */
    bool one_split; /* only prompts of `split` */
    enum split split;
    struct split_shares shares; /* all zero: the defaults */
    const char *aspect;         /* NULL: all; so below */
    const char *population;     /* of the annotator */
    const char *topic;
    int64_t source_id; /* 0: all */
};

struct preference_record {
    struct preference row; /* what preference_log_append was given */
    int64_t id;            /* in the table of its kind */
    int64_t source_id;
    const char *source_path;
    int64_t prompt_id;
    struct hash_key prompt_hash;
    struct text_span prompt_content; /* as stored: the text, the name, the JSON of the messages */
    const int64_t *response_ids;     /* [row.response_count] */
};

struct preference_reader;

/* `db` is borrowed until closed; the texts of `filter` are copied. `*out_reader` is owned. */
ERR_NODISCARD enum err_code preference_reader_open(struct db *db,
                                                   const struct preference_filter *filter,
                                                   struct preference_reader **out_reader,
                                                   struct error *err);
void preference_reader_close(struct preference_reader *reader);

/* `*out_record` is written only if there is one. */
ERR_NODISCARD enum err_code preference_reader_next(struct preference_reader *reader,
                                                   struct preference_record *out_record,
                                                   bool *out_has_record, struct error *err);

static inline void preference_reader_scoped_end(struct preference_reader **reader) {
    preference_reader_close(*reader);
}

#endif
