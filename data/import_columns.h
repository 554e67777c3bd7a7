/* import_columns.h - what JSON formats share besides prompts and answers: who judged, when, how
 * much it counts.
 *
 * Use:      struct import_columns columns;
 *           TRY(import_columns_read(row, batch, &columns, err));
 *           ...
 *           import_columns_apply(row, &columns, made);
 * Columns:  by role, with the keys tried in this order; a key of `--map role=key` is tried alone.
 *             annotator   annotator, annotator_id      population  population
 *             asked_at    asked_at, timestamp, tstamp, time
 *             weight      weight                       margin      margin
 *             aspect      aspect                       topic       topic
 *             origin      origin, model                (of one answer)
 *             chosen_origin, rejected_origin           also chosen_model, rejected_model
 *             chosen_position, rejected_position
 *           null and empty text count as absent; numbers as names (an annotator 17) become text.
 * Errors:   ERR_DATA for values of the wrong kind, with their place.
 * Owns:     nothing; what is read lives as long as the row and the batch.
 * Threads:  no state.
 */
#ifndef DATA_IMPORT_COLUMNS_H
#define DATA_IMPORT_COLUMNS_H

#include "base/error.h"
#include "base/json.h"
#include "data/import_format.h"

#include <stdbool.h>
#include <stdint.h>

struct import_columns {
    struct text_span annotator, population, aspect, topic;
    double weight, margin;
    bool has_margin, has_asked_at;
    int64_t asked_at_ms;
};

ERR_NODISCARD enum err_code import_columns_read(const struct import_json_row *row,
                                                struct import_batch *batch,
                                                struct import_columns *out_columns,
                                                struct error *err);

/* The same without the time. */
ERR_NODISCARD enum err_code import_columns_read_timeless(const struct import_json_row *row,
                                                         struct import_batch *batch,
                                                         struct import_columns *out_columns,
                                                         struct error *err);

/* Sets the line, and every field of `made` that has a column. A topic that is set already stays. */
void import_columns_apply(const struct import_json_row *row, const struct import_columns *columns,
                          struct preference *made);

/* The member that plays `role`: mapped, else `key`. NULL if it is missing or null. */
const struct json_node *import_json_find(const struct import_json_row *row, const char *role,
                                         const char *key);

/* The same, which must be there: "missing key 'chosen', expected text". */
ERR_NODISCARD enum err_code import_json_need(const struct import_json_row *row, const char *role,
                                             const char *key, const char *expected,
                                             const struct json_node **out_node, struct error *err);

/* Text, or an integer as text, of `node`; absent if `node` is NULL or an empty string. */
ERR_NODISCARD enum err_code import_json_name(const struct import_json_row *row,
                                             const struct json_node *node,
                                             struct import_batch *batch, struct text_span *out_name,
                                             struct error *err);

/* The text of `node`, "" if it is NULL or no string: for looking, before reading. */
const char *import_json_peek(const struct import_json_row *row, const struct json_node *node);

/* true or false, also as 1 or 0. */
ERR_NODISCARD enum err_code import_json_flag(const struct import_json_row *row,
                                             const struct json_node *node, bool *out_flag,
                                             struct error *err);

/* Who wrote the answer of a row with one answer, if it says so. */
ERR_NODISCARD enum err_code import_json_origin(const struct import_json_row *row,
                                               struct import_batch *batch,
                                               struct preference_response *response,
                                               struct error *err);

/* The same for a pair, and the order shown. */
ERR_NODISCARD enum err_code import_json_pair_origins(const struct import_json_row *row,
                                                     struct import_batch *batch,
                                                     struct preference_response sides[2],
                                                     struct error *err);

/* ERR_DATA if the row has pictures, sound or tools, which the log cannot hold: to leave them out
 * would change the question. */
ERR_NODISCARD enum err_code import_json_refuse_media(const struct import_json_row *row,
                                                     struct error *err);

#endif
