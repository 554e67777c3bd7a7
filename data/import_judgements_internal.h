/* import_judgements_internal.h - the two halves of the format 'judgements'.
 *
 * Use:      import_judgements.c chooses by the key "judgement", which accord's own export writes.
 * Threads:  no state.
 */
#ifndef DATA_IMPORT_JUDGEMENTS_INTERNAL_H
#define DATA_IMPORT_JUDGEMENTS_INTERNAL_H

#include "data/import_format.h"

/* Rows with ranking, ranks, winner, votes, ratings or labels (import_judgement_lists.c). */
ERR_NODISCARD enum err_code import_judgement_lists_read(const struct import_json_row *row,
                                                        struct import_batch *batch,
                                                        struct error *err);
bool import_judgement_lists_recognise(const struct import_json_row *row,
                                      char out_why[IMPORT_WHY_BYTES]);

#endif
