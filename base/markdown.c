/* markdown.c - see markdown.h. */
#include "base/markdown.h"

void markdown_add_cell(struct strbuf *out, const char *text) {
    for (; *text; text++) {
        strbuf_add(out, *text == '|' ? "\\" : "");
        strbuf_add_char(out, *text);
    }
}
