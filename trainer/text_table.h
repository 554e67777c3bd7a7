/* text_table.h - numbers, bars and cells for reports that people read.
 *
 * Use:      text_count(out, 2312.0, 10);          // "     2,312"
 *           text_bar(out, 0.443, 20);             // "████████▊           "
 *           text_cell(out, name, 24);             // cut or filled up to 24 columns
 * Columns:  count code points.
 * Threads:  no state.
 */
#ifndef TRAINER_TEXT_TABLE_H
#define TRAINER_TEXT_TABLE_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

/* A count or a sum of weights: thousands parted by commas, one decimal if it is not whole; right
 * aligned in `columns`, 0 for as many as it takes. */
void text_count(struct strbuf *out, double count, int64_t columns);

/* `share` in [0, 1] of `columns`, in eighths of a block, filled up with spaces. */
void text_bar(struct strbuf *out, double share, int64_t columns);

/* A text from outside, made visible, cut to `columns` with "..." or filled up. */
void text_cell(struct strbuf *out, const char *text, int64_t columns);

/* A share as "44.3 %", right aligned in `columns`; "-" without one (NaN). */
void text_percent(struct strbuf *out, double share, int64_t columns);

/* A heading in its own line, after an empty one. */
void text_heading(struct strbuf *out, const char *title, bool bold);

#endif
