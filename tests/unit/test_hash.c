/* Vectors: NIST, "SHA-256 example computations" for FIPS 180-4 (one block, two blocks), the empty
 * message, and the million times 'a' of FIPS 180-2 appendix B.3. */
#include "base/hash.h"

#include "base/scoped.h"
#include "base/strbuf.h"
#include "tests/support/io_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <stdio.h>

#define EMPTY_HEX  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define NOT_HEX    "gg7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_HEX    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define TWO_BLOCKS "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
#define TWO_HEX    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
#define MILLION_AS "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

static void assert_digest(const struct hash_digest *digest, const char *expected_hex) {
    char hex[HASH_HEX_BYTES];
    hash_to_hex(digest, hex);
    assert_string_equal(hex, expected_hex);
}

static void test_hash_bytes__published_vectors(void **state) {
    (void)state;
    static const struct {
        const char *message, *hex;
    } vectors[] = {{"", EMPTY_HEX}, {"abc", ABC_HEX}, {TWO_BLOCKS, TWO_HEX}};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct error err = ERROR_INIT;
        struct hash_digest digest;
        assert_ok(hash_bytes(vectors[i].message, strlen(vectors[i].message), &digest, &err), &err);
        assert_digest(&digest, vectors[i].hex);
    }
}

/* In pieces of 1, 2, 3, ... bytes, so that pieces end everywhere within a block. */
static void test_hash_update__million_times_a_in_uneven_pieces(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    char piece[1500];
    memset(piece, 'a', sizeof piece);
    struct hash_state hash;
    assert_ok(hash_init(&hash, &err), &err);
    size_t left = 1000000;
    for (size_t count = 1; left > 0; count++) {
        size_t taken = count < left ? count : left;
        hash_update(&hash, piece, taken);
        left -= taken;
    }
    struct hash_digest digest = hash_final(&hash);
    assert_digest(&digest, MILLION_AS);
}

/* Large pieces take another way than small ones, from wherever in a block they begin. */
static void test_hash_update__large_pieces_agree_with_small_ones(void **state) {
    (void)state;
    static unsigned char text[40000];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (unsigned char)(i * 2654435761u >> 13);
    }
    for (size_t start = 0; start <= 130; start++) {
        struct error err = ERROR_INIT;
        struct hash_state large, small;
        assert_ok(hash_init(&large, &err), &err);
        assert_ok(hash_init(&small, &err), &err);
        hash_update(&large, text, start);
        hash_update(&large, text + start, sizeof text - 2 * start);
        hash_update(&large, text + sizeof text - start, start);
        for (size_t at = 0; at < sizeof text; at += 100) {
            hash_update(&small, text + at, 100);
        }
        struct hash_digest left = hash_final(&large), right = hash_final(&small);
        assert_true(hash_equal(&left, &right));
    }
}

static void test_hash_state__copies_go_separate_ways(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct hash_state first;
    assert_ok(hash_init(&first, &err), &err);
    hash_update(&first, "ab", 2);
    struct hash_state second = first;
    hash_update(&first, "c", 1);
    hash_update(&second, "cdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 54);
    struct hash_digest digest = hash_final(&first);
    assert_digest(&digest, ABC_HEX);
    digest = hash_final(&second);
    assert_digest(&digest, TWO_HEX);
}

static void test_hash_file__longer_than_one_read(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct hash_digest digest;
    SCOPED(strbuf) struct strbuf million = STRBUF_INIT(1000 * 1000);
    strbuf_add_repeated(&million, 'a', 1000 * 1000);
    scratch_write(scratch, "million", strbuf_text(&million));
    assert_ok(hash_file(scratch_path(scratch, "million"), &digest, &err), &err);
    assert_digest(&digest, MILLION_AS);
    scratch_write(scratch, "empty", "");
    assert_ok(hash_file(scratch_path(scratch, "empty"), &digest, &err), &err);
    assert_digest(&digest, EMPTY_HEX);
}

static void test_hash_file__what_cannot_be_read(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct hash_digest digest = {.bytes = {7}};
    assert_fails(hash_file("no/such/file", &digest, &err), ERR_IO, "'no/such/file': No such file",
                 &err);
    assert_fails(hash_file(".", &digest, &err), ERR_IO, "'.': Is a directory", &err);
    assert_int_equal(digest.bytes[0], 7);
}

static enum err_code hash_it(void *context, struct error *err) {
    struct hash_digest digest;
    return hash_file(context, &digest, err);
}

static void test_hash_file__survives_every_failed_read(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "abc", "abc");
    io_loop_check(hash_it, NULL, scratch_path(scratch, "abc"));
}

static void test_hash_from_hex__reads_what_to_hex_writes(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct hash_digest digest;
    struct hash_digest upper;
    assert_ok(hash_from_hex(ABC_HEX, &digest, &err), &err);
    assert_digest(&digest, ABC_HEX);
    assert_ok(hash_from_hex("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
                            &upper, &err),
              &err);
    assert_true(hash_equal(&digest, &upper));
    upper.bytes[HASH_BYTES - 1] ^= 1;
    assert_false(hash_equal(&digest, &upper));
}

static void test_hash_from_hex__refuses_the_rest(void **state) {
    (void)state;
    static const char *const texts[] = {"", "ba78", ABC_HEX "0", ABC_HEX " ", NOT_HEX};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct error err = ERROR_INIT;
        struct hash_digest digest = {.bytes = {7}};
        assert_fails(hash_from_hex(texts[i], &digest, &err), ERR_DATA,
                     "is not a SHA-256, which has 64 hexadecimal digits", &err);
        assert_int_equal(digest.bytes[0], 7);
    }
}

/* ---- keys ---- */

struct key_case {
    struct hash_part parts[3];
    int64_t count;
    const char *hex;
};

/* Goldens: Python 3.11, hashlib.blake2b(digest_size=16) over struct.pack('<Q', len(part)) + part
 * for each part. */
static void test_hash_key_of__as_blake2b_of_lengths_and_parts(void **state) {
    (void)state;
    uint8_t long_part[1280]; /* 0 to 255, five times: several blocks */
    for (size_t i = 0; i < sizeof long_part; i++) {
        long_part[i] = (uint8_t)i;
    }
    const struct key_case cases[] = {
        {.count = 0, .hex = "cae66941d9efbd404e4d88758ea67670"},
        {{{"", 0}}, 1, "c804ce198ec337e3dc762bdd1a09aece"},
        {{{"abc", 3}}, 1, "10366aba46518e2b9d040dde242bbc5a"},
        {{{"ab", 2}, {"c", 1}}, 2, "4826ed043ab3cdec576d8541fa5d5a80"},
        {{{"a", 1}, {"bc", 2}}, 2, "f14abc19c330e936bb9c8506d69bac9b"},
        {{{NULL, 0}, {"", 0}, {"", 0}}, 3, "941e0c502c87478811f1b6a130227018"},
        {{{"text", 4}, {"T\xc3\xbcr", 4}}, 2, "b846b104405171c78edb263ae060bb5c"},
        {{{long_part, sizeof long_part}}, 1, "51c509c45c39e476bd4d479f9446f9f7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = ERROR_INIT;
        struct hash_key key;
        char hex[2 * HASH_KEY_BYTES + 1];
        assert_ok(hash_key_of(cases[i].parts, cases[i].count, &key, &err), &err);
        for (size_t b = 0; b < HASH_KEY_BYTES; b++) {
            (void)snprintf(hex + 2 * b, 3, "%02x", key.bytes[b]);
        }
        assert_string_equal(hex, cases[i].hex);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_bytes__published_vectors),
        cmocka_unit_test(test_hash_update__million_times_a_in_uneven_pieces),
        cmocka_unit_test(test_hash_update__large_pieces_agree_with_small_ones),
        cmocka_unit_test(test_hash_state__copies_go_separate_ways),
        SCRATCH_TEST(test_hash_file__longer_than_one_read),
        cmocka_unit_test(test_hash_file__what_cannot_be_read),
        SCRATCH_TEST(test_hash_file__survives_every_failed_read),
        cmocka_unit_test(test_hash_from_hex__reads_what_to_hex_writes),
        cmocka_unit_test(test_hash_from_hex__refuses_the_rest),
        cmocka_unit_test(test_hash_key_of__as_blake2b_of_lengths_and_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
