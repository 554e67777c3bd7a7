/* table_cells.h - cells of a table as what they stand for: numbers, truth, times, choices.
 *
 * Use:      double weight = 0.0;
 *           bool is_empty = false;
 *           TRY(table_cell_number(row, column, "weight", &weight, &is_empty, err));
 * Empty:    a cell without characters, or NA, N/A, NaN, null, None: data are missing.
 * Errors:   ERR_DATA through import_cell_refuse; `name` is the column's.
 * Threads:  no state.
 */
#ifndef DATA_TABLE_CELLS_H
#define DATA_TABLE_CELLS_H

#include "base/error.h"
#include "data/import_format.h"

#include <stdbool.h>
#include <stdint.h>

/* Without spaces at both ends. */
struct text_span table_cell_trimmed(const struct text_span *cell);

bool table_cell_is_empty(const struct text_span *cell);

/* A finite number; `*out_is_empty` for an empty cell, and then `*out` is left alone. */
ERR_NODISCARD enum err_code table_cell_number(const struct import_table_row *row, int64_t column,
                                              const char *name, double *out, bool *out_is_empty,
                                              struct error *err);

/* The same, 0 or greater, and not empty: a count. */
ERR_NODISCARD enum err_code table_cell_count(const struct import_table_row *row, int64_t column,
                                             const char *name, double *out, struct error *err);

/* "TRUE", "false", "yes", "n", "1", "0", "good", "bad". Not empty. */
ERR_NODISCARD enum err_code table_cell_bool(const struct import_table_row *row, int64_t column,
                                            const char *name, bool *out, struct error *err);

ERR_NODISCARD enum err_code table_cell_time(const struct import_table_row *row, int64_t column,
                                            const char *name, int64_t *out_ms, bool *out_is_empty,
                                            struct error *err);

enum table_outcome {
    TABLE_FIRST,
    TABLE_SECOND,
    TABLE_TIE,
    TABLE_UNKNOWN,
};

/* What a word says about two subjects, in any case: "a", "1", "model_b", "tie", "=". With `home`
 * the subjects are home and away: "h", "a", "d", "x". */
enum table_outcome table_choice_of_word(const struct text_span *word, bool home);

#endif
