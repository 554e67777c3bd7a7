/* markdown.h - pieces of generated reference pages.
 *
 * Use:      strbuf_add(&page, "| `alpha` | ");
 *           markdown_add_cell(&page, help);
 *           strbuf_add(&page, " |\n");
 * Threads:  no state.
 */
#ifndef BASE_MARKDOWN_H
#define BASE_MARKDOWN_H

#include "base/strbuf.h"

/* Text of a table cell: a bar, which would end the cell, is escaped. Without line ends. */
void markdown_add_cell(struct strbuf *out, const char *text);

#endif
