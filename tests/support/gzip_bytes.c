/* gzip_bytes.c - see gzip_bytes.h. */
#include "tests/support/gzip_bytes.h"

#include "tests/support/test.h"

#include <stdlib.h>
#include <zlib.h>

void gzip_bytes_add(struct strbuf *out, const void *bytes, size_t count) {
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)bytes, .avail_in = (uInt)count};
    assert_int_equal(
        deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t bound = deflateBound(&z, (uLong)count);
    unsigned char *packed = malloc(bound);
    assert_non_null(packed);
    z.next_out = packed;
    z.avail_out = (uInt)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    strbuf_add_bytes(out, packed, bound - z.avail_out);
    assert_int_equal(deflateEnd(&z), Z_OK);
    free(packed);
}
