/* xml_text.h - texts from outside within XML and HTML.
 *
 * Use:      strbuf_add(out, "<text>");
 *           xml_text_add(out, name);
 *           strbuf_add(out, "</text>");
 * Threads:  no state.
 */
#ifndef BASE_XML_TEXT_H
#define BASE_XML_TEXT_H

#include "base/strbuf.h"

/* Escaped for an element or an attribute in double quotes. What XML does not allow, or what steers
 * a display (utf8_is_control), becomes a space; so do ill-formed bytes. */
void xml_text_add(struct strbuf *out, const char *text);

#endif
