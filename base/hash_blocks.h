/* hash_blocks.h - the compression function of SHA-256 by the instructions that some processors have
 * for it. Only hash.c uses it.
 *
 * Why:      libsodium 1.0.18 computes SHA-256 in plain C, at 230 MB/s where these instructions
 *           reach 1.7 GB/s (AMD EPYC, 2026-11): of importing a file it was the largest single part.
 * Source:   FIPS 180-4; the instructions are those of Intel's manual, volume 2: SHA256RNDS2 and its
 *           kin.
 * Oracle:   libsodium, in tests/unit/test_hash.c.
 * Threads:  no state.
 */
#ifndef BASE_HASH_BLOCKS_H
#define BASE_HASH_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_BLOCK_BYTES 64

/* Asks the processor, which takes as long as hashing some blocks. */
bool hash_blocks_supported(void);

/* Moves `state` over whole blocks; only where supported. */
void hash_blocks_compress(uint32_t state[8], const unsigned char *bytes, size_t block_count);

#endif
