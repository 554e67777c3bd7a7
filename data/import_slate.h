/* import_slate.h - what was judged: a prompt and the responses to it, and ways of pointing at one.
 *
 * Use:      struct import_slate slate = {.count = 0};
 *           TRY(import_slate_read(row, batch, &slate, err));
 *           TRY(import_slate_find(row, &slate, node, &index, err));
 *           TRY(import_slate_compare(&slate, ranks, batch, &made, err));
 * Keys:     prompt (text or messages), or items (the name of a set of things that have no text, or
 *           the list of their names); without either it is a set named by --name or the file.
 *           responses: strings, lists of messages, or objects with text or messages, origin or
 *           model, position, rank. Or response_a and response_b, which were shown in this order.
 * Pointing: a number is an index from 0, a string the text of a response, or 'a' or 'b'.
 * Owns:     nothing; all lies in the batch or the row.
 * Threads:  no state.
 */
#ifndef DATA_IMPORT_SLATE_H
#define DATA_IMPORT_SLATE_H

#include "base/error.h"
#include "base/json.h"
#include "data/import_columns.h"
#include "data/import_format.h"

#include <stdbool.h>
#include <stdint.h>

struct import_slate {
    struct preference_prompt prompt;
    struct preference_response *responses; /* [count]; ranks 0 unless the row gives them */
    int64_t count;                         /* 0: named only by what is said of them */
    bool has_ranks;                        /* every response has its rank */
    bool is_ab;                            /* of response_a and response_b */
};

ERR_NODISCARD enum err_code import_slate_read(const struct import_json_row *row,
                                              struct import_batch *batch,
                                              struct import_slate *out_slate, struct error *err);

/* Responses without text for a slate that has none: `names` (strings or integers), a list. */
ERR_NODISCARD enum err_code import_slate_name(const struct import_json_row *row,
                                              const struct json_node *const *names, int64_t count,
                                              struct import_batch *batch,
                                              struct import_slate *slate, struct error *err);

/* The response that `node` points at. ERR_DATA if there is none. */
ERR_NODISCARD enum err_code import_slate_find(const struct import_json_row *row,
                                              const struct import_slate *slate,
                                              const struct json_node *node, int64_t *out_index,
                                              struct error *err);

/* A comparison of all responses with `ranks` [count]; columns are the caller's to apply. */
ERR_NODISCARD enum err_code import_slate_compare(const struct import_slate *slate,
                                                 const int64_t *ranks, struct import_batch *batch,
                                                 struct preference **out_made, struct error *err);

/* A judgement of the response `index` alone; so are its columns. */
ERR_NODISCARD enum err_code import_slate_judge(const struct import_slate *slate, int64_t index,
                                               enum preference_kind kind,
                                               struct import_batch *batch,
                                               struct preference **out_made, struct error *err);

#endif
