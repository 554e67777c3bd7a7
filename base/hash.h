/* hash.h - SHA-256 of memory, of streams and of files; short keys that find equal content again.
 *
 * Use:      struct hash_digest digest;
 *           TRY(hash_file(path, &digest, err));
 *           char hex[HASH_HEX_BYTES];
 *           hash_to_hex(&digest, hex);
 *
 *           struct hash_state state;
 *           TRY(hash_init(&state, err));
 *           hash_update(&state, header, sizeof header);
 *           hash_update(&state, body, body_bytes);
 *           digest = hash_final(&state);
 *
 *           const struct hash_part parts[] = {{kind, strlen(kind)}, {text, text_bytes}};
 *           struct hash_key key;
 *           TRY(hash_key_of(parts, 2, &key, err));
 * Source:   FIPS 180-4 (SHA-256), RFC 7693 (BLAKE2b). Computed by libsodium, of which this module
 *           is the only caller.
 * Caution:  a digest of parts does not say where one part ended: put lengths in front of parts
 *           whose boundaries matter.
 * Owns:     nothing; a state holds no memory and may be abandoned or copied.
 * Threads:  no state.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/error.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_BYTES       32
#define HASH_HEX_BYTES   (2 * HASH_BYTES + 1) /* with the terminating NUL */
#define HASH_STATE_BYTES 104

struct hash_digest {
    uint8_t bytes[HASH_BYTES];
};

/* What has been hashed so far; libsodium's own struct, which stays out of this header. */
struct hash_state {
    alignas(8) unsigned char opaque[HASH_STATE_BYTES];
    bool asked, has_blocks; /* the processor's instructions (hash_blocks.h), once they matter */
};

/* Ready for the first byte; fails (ERR_UNAVAILABLE) only if libsodium cannot start. */
ERR_NODISCARD enum err_code hash_init(struct hash_state *state, struct error *err);

void hash_update(struct hash_state *state, const void *bytes, size_t count);

/* The digest of everything given; `state` is used up and needs hash_init before it serves again. */
struct hash_digest hash_final(struct hash_state *state);

/* Digest of `count` bytes. */
ERR_NODISCARD enum err_code hash_bytes(const void *bytes, size_t count,
                                       struct hash_digest *out_digest, struct error *err);

/* Digest of the contents of a file, read in pieces. ERR_IO if it cannot be read. */
ERR_NODISCARD enum err_code hash_file(const char *path, struct hash_digest *out_digest,
                                      struct error *err);

/* The same, which a signal does not stop (base/interrupt.h): where it is one that asks for it. */
ERR_NODISCARD enum err_code hash_file_whole(const char *path, struct hash_digest *out_digest,
                                            struct error *err);

/* 64 lower-case hexadecimal digits and a NUL. */
void hash_to_hex(const struct hash_digest *digest, char out_hex[HASH_HEX_BYTES]);

/* Reads 64 hexadecimal digits of either case; ERR_DATA for anything else. */
ERR_NODISCARD enum err_code hash_from_hex(const char *hex, struct hash_digest *out_digest,
                                          struct error *err);

/* ---- keys ---- */

#define HASH_KEY_BYTES 16

/* Stands for content inside one program: equal keys mean equal content. 128 bits: by accident two
 * of 2^32 contents agree with probability 2^-65; somebody who wants two that agree needs 2^64
 * trials. What others are to verify gets a hash_digest. */
struct hash_key {
    uint8_t bytes[HASH_KEY_BYTES];
};

struct hash_part {
    const void *bytes;
    size_t count;
};

/* BLAKE2b of the parts, each with its length in front (8 bytes, little-endian), so that the
 * boundaries count. About four times as fast as SHA-256. */
ERR_NODISCARD enum err_code hash_key_of(const struct hash_part *parts, int64_t part_count,
                                        struct hash_key *out_key, struct error *err);

/* Version of the linked libsodium library, such as "1.0.18". Static. */
const char *hash_library_version(void);

bool hash_equal(const struct hash_digest *left, const struct hash_digest *right);

#endif
