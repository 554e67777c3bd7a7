/* text_wrap.h - breaking text into lines of a given width.
 *
 * Use:      strbuf_add(&help, "  --seed N    ");
 *           text_wrap_add(&help, option->help, 14, 80);   // goes on at column 14
 *
 * Threads:  no state.
 */
#ifndef BASE_TEXT_WRAP_H
#define BASE_TEXT_WRAP_H

#include "base/strbuf.h"

#include <stdint.h>

/* Appends `text` word by word to the line begun in `out`, which stands at column `indent`. A line
 * never grows beyond `width` columns, unless a single word does; each new line starts with `indent`
 * spaces. Spaces and single newlines part words; a blank line parts paragraphs and is kept. The
 * last line is not ended. Columns count code points. */
void text_wrap_add(struct strbuf *out, const char *text, int64_t indent, int64_t width);

/* Columns of a UTF-8 text without line ends, one per code point. */
int64_t text_wrap_columns(const char *text);

#endif
