/* text_wrap.c - see text_wrap.h. */
#include "base/text_wrap.h"

#include <string.h>

#define SPACES " \n"

static int64_t columns_of(const char *bytes, size_t count) {
    int64_t columns = 0;
    for (size_t i = 0; i < count; i++) {
        columns += ((unsigned char)bytes[i] & 0xC0) != 0x80; /* not a UTF-8 continuation byte */
    }
    return columns;
}

static bool has_blank_line(const char *spaces, size_t count) {
    const char *first = memchr(spaces, '\n', count);
    return first && memchr(first + 1, '\n', count - (size_t)(first + 1 - spaces));
}

int64_t text_wrap_columns(const char *text) {
    return columns_of(text, strlen(text));
}

static void new_line(struct strbuf *out, const char *end, int64_t indent) {
    strbuf_add(out, end);
    strbuf_add_repeated(out, ' ', (size_t)indent);
}

void text_wrap_add(struct strbuf *out, const char *text, int64_t indent, int64_t width) {
    int64_t column = indent;
    text += strspn(text, SPACES);
    while (*text) {
        size_t length = strcspn(text, SPACES);
        int64_t columns = columns_of(text, length);
        if (column > indent && column + 1 + columns > width) {
            new_line(out, "\n", indent);
            column = indent;
        } else if (column > indent) {
            strbuf_add_char(out, ' ');
            column++;
        }
        strbuf_add_bytes(out, text, length);
        column += columns;

        text += length;
        size_t spaces = strspn(text, SPACES);
        if (text[spaces] && has_blank_line(text, spaces)) {
            new_line(out, "\n\n", indent);
            column = indent;
        }
        text += spaces;
    }
}
