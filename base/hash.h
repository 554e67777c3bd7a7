/* hash.h - SHA-256 of memory, of streams and of files.
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
 * Source:   FIPS 180-4. Computed by libsodium, of which this module is the only caller.
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

/* 64 lower-case hexadecimal digits and a NUL. */
void hash_to_hex(const struct hash_digest *digest, char out_hex[HASH_HEX_BYTES]);

/* Reads 64 hexadecimal digits of either case; ERR_DATA for anything else. */
ERR_NODISCARD enum err_code hash_from_hex(const char *hex, struct hash_digest *out_digest,
                                          struct error *err);

/* Version of the linked libsodium library, such as "1.0.18". Static. */
const char *hash_library_version(void);

bool hash_equal(const struct hash_digest *left, const struct hash_digest *right);

#endif
