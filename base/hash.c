/* hash.c - see hash.h. */
#include "base/hash.h"

#include "base/file.h"
#include "base/hash_blocks.h"
#include "base/interrupt.h"
#include "base/scoped.h"
#include "base/utf8.h"

#include <assert.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>

#define READ_BYTES 16384

/* From here on it pays to ask the processor for its instructions. */
#define BLOCKS_BYTES_MIN 8192

static_assert(HASH_BYTES == crypto_hash_sha256_BYTES, "a digest is what libsodium returns");
static_assert(HASH_STATE_BYTES == sizeof(crypto_hash_sha256_state),
              "a state must hold libsodium's");

/* The state is copied in and out instead of cast, since an array of bytes may not be read through a
 * pointer to another struct. 104 bytes cost less than one round of the hash. */
static crypto_hash_sha256_state load(const struct hash_state *state) {
    crypto_hash_sha256_state sodium;
    memcpy(&sodium, state->opaque, sizeof sodium);
    return sodium;
}

static void store(struct hash_state *state, const crypto_hash_sha256_state *sodium) {
    memcpy(state->opaque, sodium, sizeof *sodium);
}

static enum err_code update_from_file(struct hash_state *state, const char *path, bool may_stop,
                                      struct error *err) {
    SCOPED(file_fd) int fd = -1;
    TRY(file_open(path, O_RDONLY, &fd, err));
    unsigned char piece[READ_BYTES];
    size_t count = 0;
    do {
        TRY(file_read(fd, path, piece, sizeof piece, &count, err));
        hash_update(state, piece, count);
        if (may_stop && interrupt_requested()) {
            return err_set(err, ERR_INTERRUPTED, "interrupted while reading '%s'", path);
        }
    } while (count > 0);
    return ERR_OK;
}

/* sodium_init is safe to call from any thread, any number of times: later calls only find that the
 * library is ready. */
enum err_code hash_init(struct hash_state *state, struct error *err) {
    if (sodium_init() < 0) {
        return err_set(err, ERR_UNAVAILABLE, "libsodium cannot start");
    }
    crypto_hash_sha256_state sodium;
    (void)crypto_hash_sha256_init(&sodium);
    *state = (struct hash_state){.asked = false};
    store(state, &sodium);
    return ERR_OK;
}

/* Whole blocks go past libsodium, into its state; what stands before and behind them does not.
 * `count` of that state is in bits. */
static void update_blocks(crypto_hash_sha256_state *sodium, const unsigned char *bytes,
                          size_t count) {
    size_t buffered = (size_t)(sodium->count / 8 % HASH_BLOCK_BYTES);
    size_t head = buffered > 0 ? HASH_BLOCK_BYTES - buffered : 0;
    size_t blocks = (count - head) / HASH_BLOCK_BYTES;
    (void)crypto_hash_sha256_update(sodium, bytes, head);
    hash_blocks_compress(sodium->state, bytes + head, blocks);
    sodium->count += (uint64_t)blocks * HASH_BLOCK_BYTES * 8;
    size_t done = head + blocks * HASH_BLOCK_BYTES;
    (void)crypto_hash_sha256_update(sodium, bytes + done, count - done);
}

/* A virtual machine takes 30 microseconds to answer, twice what 16 KiB take to hash. */
static bool may_use_blocks(struct hash_state *state, size_t count) {
    if (count >= BLOCKS_BYTES_MIN && !state->asked) {
        state->has_blocks = hash_blocks_supported();
        state->asked = true;
    }
    return count >= BLOCKS_BYTES_MIN && state->has_blocks;
}

void hash_update(struct hash_state *state, const void *bytes, size_t count) {
    crypto_hash_sha256_state sodium = load(state);
    if (may_use_blocks(state, count)) {
        update_blocks(&sodium, bytes, count);
    } else {
        (void)crypto_hash_sha256_update(&sodium, bytes, count);
    }
    store(state, &sodium);
}

struct hash_digest hash_final(struct hash_state *state) {
    crypto_hash_sha256_state sodium = load(state);
    struct hash_digest digest;
    (void)crypto_hash_sha256_final(&sodium, digest.bytes);
    store(state, &sodium);
    return digest;
}

enum err_code hash_bytes(const void *bytes, size_t count, struct hash_digest *out_digest,
                         struct error *err) {
    struct hash_state state;
    TRY(hash_init(&state, err));
    hash_update(&state, bytes, count);
    *out_digest = hash_final(&state);
    return ERR_OK;
}

static enum err_code digest_file(const char *path, bool may_stop, struct hash_digest *out_digest,
                                 struct error *err) {
    struct hash_state state;
    TRY(hash_init(&state, err));
    TRY(update_from_file(&state, path, may_stop, err));
    *out_digest = hash_final(&state);
    return ERR_OK;
}

enum err_code hash_file(const char *path, struct hash_digest *out_digest, struct error *err) {
    return digest_file(path, true, out_digest, err);
}

enum err_code hash_file_whole(const char *path, struct hash_digest *out_digest, struct error *err) {
    return digest_file(path, false, out_digest, err);
}

void hash_to_hex(const struct hash_digest *digest, char out_hex[HASH_HEX_BYTES]) {
    (void)sodium_bin2hex(out_hex, HASH_HEX_BYTES, digest->bytes, HASH_BYTES);
}

enum err_code hash_from_hex(const char *hex, struct hash_digest *out_digest, struct error *err) {
    struct hash_digest digest;
    size_t digits = strlen(hex);
    size_t bytes = 0;
    if (digits != 2 * HASH_BYTES ||
        sodium_hex2bin(digest.bytes, HASH_BYTES, hex, digits, NULL, &bytes, NULL) != 0) {
        char excerpt[UTF8_EXCERPT_BYTES];
        return err_set(err, ERR_DATA, "'%s' is not a SHA-256, which has 64 hexadecimal digits",
                       utf8_excerpt(hex, digits, excerpt));
    }
    *out_digest = digest;
    return ERR_OK;
}

static void key_update(crypto_generichash_state *sodium, const struct hash_part *part) {
    uint8_t length[8];
    for (size_t i = 0; i < sizeof length; i++) {
        length[i] = (uint8_t)((uint64_t)part->count >> (8 * i));
    }
    (void)crypto_generichash_update(sodium, length, sizeof length);
    (void)crypto_generichash_update(sodium, part->bytes, part->count);
}

enum err_code hash_key_of(const struct hash_part *parts, int64_t part_count,
                          struct hash_key *out_key, struct error *err) {
    if (sodium_init() < 0) {
        return err_set(err, ERR_UNAVAILABLE, "libsodium cannot start");
    }
    crypto_generichash_state sodium;
    (void)crypto_generichash_init(&sodium, NULL, 0, HASH_KEY_BYTES);
    for (int64_t i = 0; i < part_count; i++) {
        key_update(&sodium, &parts[i]);
    }
    struct hash_key key;
    (void)crypto_generichash_final(&sodium, key.bytes, sizeof key.bytes);
    *out_key = key;
    return ERR_OK;
}

const char *hash_library_version(void) {
    return sodium_version_string();
}

bool hash_equal(const struct hash_digest *left, const struct hash_digest *right) {
    return memcmp(left->bytes, right->bytes, HASH_BYTES) == 0;
}
