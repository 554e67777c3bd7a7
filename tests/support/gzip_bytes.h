/* gzip_bytes.h - gzip data for tests.
 *
 * Use:      SCOPED(strbuf) struct strbuf packed = STRBUF_INIT(1 * MIB);
 *           gzip_bytes_add(&packed, text, strlen(text));   // one member; again for another
 */
#ifndef TESTS_SUPPORT_GZIP_BYTES_H
#define TESTS_SUPPORT_GZIP_BYTES_H

#include "base/strbuf.h"

#include <stddef.h>

/* Appends one member; fails the test if it cannot be made. */
void gzip_bytes_add(struct strbuf *out, const void *bytes, size_t count);

#endif
