/* xml_text.c - see xml_text.h. */
#include "base/xml_text.h"

#include "base/utf8.h"

#include <string.h>

/* XML 1.0, production 2: of all code points but the controls, only these are no characters. */
static bool is_no_character(uint32_t code_point) {
    return code_point == 0xFFFE || code_point == 0xFFFF;
}

void xml_text_add(struct strbuf *out, const char *text) {
    const size_t bytes = strlen(text);
    for (size_t at = 0; at < bytes;) {
        uint32_t code_point = 0;
        const size_t length = utf8_decode(text + at, bytes - at, &code_point);
        const char *entity = text[at] == '&'   ? "&amp;"
                             : text[at] == '<' ? "&lt;"
                             : text[at] == '>' ? "&gt;"
                             : text[at] == '"' ? "&quot;"
                                               : NULL;
        if (length == 0 || utf8_is_control(code_point) || is_no_character(code_point)) {
            strbuf_add_char(out, ' ');
        } else if (entity) {
            strbuf_add(out, entity);
        } else {
            strbuf_add_bytes(out, text + at, length);
        }
        at += length > 0 ? length : 1;
    }
}
