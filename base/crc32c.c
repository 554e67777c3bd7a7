/* crc32c.c - see crc32c.h. */
#include "base/crc32c.h"

#define MASK_DELTA UINT32_C(0xa282ead8)

/* Entry i: the checksum register after shifting the four bits i through it, that is, four times
 * r = r >> 1 ^ (r & 1 ? 0x82f63b78 : 0) from r = i. The test recomputes it. */
static const uint32_t table[16] = {
    UINT32_C(0x00000000), UINT32_C(0x105ec76f), UINT32_C(0x20bd8ede), UINT32_C(0x30e349b1),
    UINT32_C(0x417b1dbc), UINT32_C(0x5125dad3), UINT32_C(0x61c69362), UINT32_C(0x7198540d),
    UINT32_C(0x82f63b78), UINT32_C(0x92a8fc17), UINT32_C(0xa24bb5a6), UINT32_C(0xb21572c9),
    UINT32_C(0xc38d26c4), UINT32_C(0xd3d3e1ab), UINT32_C(0xe330a81a), UINT32_C(0xf36e6f75),
};

uint32_t crc32c(const void *bytes, size_t count) {
    const unsigned char *next = bytes;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        crc ^= next[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

uint32_t crc32c_masked(const void *bytes, size_t count) {
    uint32_t crc = crc32c(bytes, count);
    return (crc >> 15 | crc << 17) + MASK_DELTA;
}
