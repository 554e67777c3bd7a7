/* crc32c.h - the Castagnoli checksum, as TFRecord files use it.
 *
 * Source:   RFC 3720 (iSCSI), section 12.1: polynomial 0x1EDC6F41, reflected, inverted before and
 *           after. Test vectors: its appendix B.4.
 * Speed:    half a byte per table look-up, about 300 MB/s: for records of some kilobytes.
 * Threads:  no state.
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *bytes, size_t count);

/* As TFRecord stores it: a checksum of data that hold checksums themselves would be weak, so it is
 * rotated and offset (tensorflow/core/lib/hash/crc32c.h, Mask). */
uint32_t crc32c_masked(const void *bytes, size_t count);

#endif
