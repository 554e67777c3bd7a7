#include "policy/gguf.h"

#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/gguf_image.h"
#include "tests/support/io_loop.h"
#include "tests/support/near.h"

#include <stdio.h>

/* Written by llama.cpp's package (tests/golden/make_gguf.py). */
#define TYPES_FILE  GOLDEN_FOLDER "/gguf/types.gguf"
#define LLAMA3_FILE GOLDEN_FOLDER "/gguf/llama3.gguf"

static struct gguf_image image;

static enum err_code parse_image(struct error *err) {
    SCOPED(gguf) struct gguf *file = NULL;
    return gguf_parse(image.bytes, image.count, "test", &file, err);
}

static void assert_image_refused(const char *part) {
    struct error err = ERROR_INIT;
    assert_fails(parse_image(&err), ERR_DATA, part, &err);
}

/* ---- what llama.cpp's package writes ---- */

static void test_types__dequantised_as_ggml_does(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(gguf) struct gguf *file = NULL;
    assert_ok(gguf_open(TYPES_FILE, &file, &err), &err);
    for (int t = 0; t < (int)KERNEL_QUANT_TYPE_COUNT; t++) {
        enum kernel_quant_type type = (enum kernel_quant_type)t;
        char name[32];
        (void)snprintf(name, sizeof name, "%s.expected", kernel_quant_name(type));
        const struct gguf_tensor *stored = gguf_find_tensor(file, kernel_quant_name(type));
        const struct gguf_tensor *expected = gguf_find_tensor(file, name);
        assert_non_null(stored);
        assert_non_null(expected);
        assert_int_equal(stored->type, type);
        assert_int_equal(stored->shape[0], 2);
        assert_int_equal(stored->shape[1], 256);
        float values[512];
        kernel_dequant_cpu(
            &(struct kernel_dequant_args){
                .type = type, .blocks = stored->data, .values = values, .n = 512},
            (struct kernel_cpu){.threads = 1});
        assert_memory_equal(values, expected->data, sizeof values);
    }
}

static void test_metadata__by_type(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(gguf) struct gguf *file = NULL;
    assert_ok(gguf_open(LLAMA3_FILE, &file, &err), &err);
    int64_t layers = 0;
    assert_ok(gguf_get_i64(file, "llama.block_count", &layers, &err), &err);
    assert_int_equal(layers, 1);
    double theta = 0.0;
    assert_ok(gguf_read_f64(file, "llama.rope.freq_base", &theta, &err), &err);
    assert_near(theta, 500.0, 0.0);
    bool adds_bos = false;
    assert_ok(gguf_read_bool(file, "tokenizer.ggml.add_bos_token", &adds_bos, &err), &err);
    assert_true(adds_bos);
    struct gguf_text text;
    assert_ok(gguf_get_text(file, "general.architecture", &text, &err), &err);
    assert_true(gguf_text_equals(text, "llama"));
    const struct gguf_value *tokens = NULL;
    assert_ok(gguf_read_array(file, "tokenizer.ggml.tokens", GGUF_ARRAY_TEXTS, &tokens, &err),
              &err);
    assert_int_equal(gguf_count(tokens), 32);
    assert_true(gguf_text_equals(gguf_text_at(tokens, 10), "\xc4\xa0"));
    const struct gguf_value *types = NULL;
    assert_ok(gguf_read_array(file, "tokenizer.ggml.token_type", GGUF_ARRAY_INTEGERS, &types, &err),
              &err);
    assert_int_equal(gguf_i64_at(types, 0), 3);
}

static void test_metadata__wrong_types_are_named(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(gguf) struct gguf *file = NULL;
    assert_ok(gguf_open(LLAMA3_FILE, &file, &err), &err);
    int64_t number = 7;
    assert_fails(gguf_get_i64(file, "llama.none", &number, &err), ERR_DATA,
                 "the key 'llama.none' is missing", &err);
    assert_ok(gguf_read_i64(file, "llama.none", &number, &err), &err);
    assert_int_equal(number, 7);
    assert_fails(gguf_get_i64(file, "general.architecture", &number, &err), ERR_DATA,
                 "expected an integer, found STRING", &err);
    const struct gguf_value *array = NULL;
    assert_fails(gguf_read_array(file, "tokenizer.ggml.tokens", GGUF_ARRAY_FLOATS, &array, &err),
                 ERR_DATA, "expected an array of floats, found an array of STRING", &err);
}

/* ---- by hand ---- */

/* One key of every width and one tensor of 2 rows of 3. */
static void build_valid(uint32_t version) {
    gguf_image_header(&image, version, 1, 4);
    gguf_image_key(&image, "u64", 10);
    gguf_image_u64(&image, UINT64_MAX);
    gguf_image_key(&image, "i32", 5);
    gguf_image_u32(&image, (uint32_t)-5);
    gguf_image_key(&image, "f32s", 9);
    gguf_image_u32(&image, 6);
    gguf_image_u64(&image, 2);
    gguf_image_u32(&image, 0x3F800000U); /* 1 */
    gguf_image_u32(&image, 0xC0000000U); /* -2 */
    gguf_image_key(&image, "general.alignment", 4);
    gguf_image_u32(&image, 64);
    gguf_image_tensor(&image, "w", 2, (uint64_t[]){3, 2}, 0, 0);
    gguf_image_pad(&image, 64);
    gguf_image_zeros(&image, 24);
}

static void test_by_hand__numbers_alignment_and_version_2(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    for (uint32_t version = 2; version <= 3; version++) {
        build_valid(version);
        SCOPED(gguf) struct gguf *file = NULL;
        assert_ok(gguf_parse(image.bytes, image.count, "test", &file, &err), &err);
        int64_t number = 0;
        assert_fails(gguf_get_i64(file, "u64", &number, &err), ERR_DATA,
                     "18446744073709551615 passes 2^63 - 1", &err);
        assert_ok(gguf_get_i64(file, "i32", &number, &err), &err);
        assert_int_equal(number, -5);
        const struct gguf_value *floats = NULL;
        assert_ok(gguf_read_array(file, "f32s", GGUF_ARRAY_FLOATS, &floats, &err), &err);
        assert_near(gguf_f64_at(floats, 1), -2.0, 0.0);
        const struct gguf_tensor *w = gguf_find_tensor(file, "w");
        assert_int_equal(w->shape[0], 2);
        assert_int_equal(w->shape[1], 3);
        assert_int_equal((w->data - image.bytes) % 64, 0);
        assert_null(gguf_find_tensor(file, "v"));
    }
}

/* Every prefix of a valid file is refused, and says so. */
static void test_truncated__refused_at_every_byte(void **state) {
    (void)state;
    build_valid(3);
    size_t whole = image.count;
    for (size_t count = 0; count < whole; count++) {
        struct error err = ERROR_INIT;
        SCOPED(gguf) struct gguf *file = NULL;
        assert_int_equal(gguf_parse(image.bytes, count, "test", &file, &err), ERR_DATA);
        assert_true(err.msg[0] != '\0');
    }
}

static void test_header__refused(void **state) {
    (void)state;
    gguf_image_header(&image, 1, 0, 0);
    assert_image_refused("GGUF version 1 is not read");
    gguf_image_header(&image, 0x03000000U, 0, 0);
    assert_image_refused("a big-endian file");
    gguf_image_header(&image, 3, UINT64_MAX, 0);
    assert_image_refused("18446744073709551615 tensors cannot be in the 0 bytes left");
    gguf_image_header(&image, 3, 0, UINT64_MAX / 2);
    assert_image_refused("keys cannot be in");
    image.bytes[0] = 'X';
    assert_image_refused("no GGUF file");
}

static void test_metadata__hostile_values_are_refused(void **state) {
    (void)state;
    gguf_image_header(&image, 3, 0, 1);
    gguf_image_u64(&image, UINT64_MAX);
    gguf_image_zeros(&image, 16);
    assert_image_refused("a key of 18446744073709551615 bytes");
    gguf_image_header(&image, 3, 0, 1);
    gguf_image_key(&image, "k", 13);
    gguf_image_zeros(&image, 16);
    assert_image_refused("'k' has the unknown type 13");
    gguf_image_header(&image, 3, 0, 1);
    gguf_image_key(&image, "k", 9);
    gguf_image_u32(&image, 9);
    gguf_image_zeros(&image, 16);
    assert_image_refused("array of arrays");
    gguf_image_header(&image, 3, 0, 1);
    gguf_image_key(&image, "k", 9);
    gguf_image_u32(&image, 8);
    gguf_image_u64(&image, INT64_MAX);
    gguf_image_zeros(&image, 16);
    assert_image_refused("elements of an array cannot be in");
    gguf_image_header(&image, 3, 0, 2);
    for (int i = 0; i < 2; i++) {
        gguf_image_key(&image, "twin", 4);
        gguf_image_u32(&image, 1);
    }
    assert_image_refused("'twin' is twice there");
    gguf_image_header(&image, 3, 0, 1);
    gguf_image_key(&image, "bad\xff", 4);
    gguf_image_zeros(&image, 16);
    assert_image_refused("must be UTF-8");
    gguf_image_header(&image, 3, 0, 1);
    gguf_image_key(&image, "general.alignment", 4);
    gguf_image_u32(&image, 24);
    assert_image_refused("general.alignment 24 is no power of two");
}

static void build_tensors(uint32_t dims, const uint64_t *sizes, uint32_t type, uint64_t offset) {
    gguf_image_header(&image, 3, 1, 0);
    gguf_image_tensor(&image, "w", dims, sizes, type, offset);
    gguf_image_pad(&image, 32);
    gguf_image_zeros(&image, 64);
}

static void test_tensors__hostile_ones_are_refused(void **state) {
    (void)state;
    build_tensors(0, NULL, 0, 0);
    assert_image_refused("0 dimensions");
    build_tensors(5, (uint64_t[]){1, 1, 1, 1, 1}, 0, 0);
    assert_image_refused("5 dimensions");
    build_tensors(2, (uint64_t[]){4, 0}, 0, 0);
    assert_image_refused("dimension 1 of tensor 'w' is 0");
    build_tensors(2, (uint64_t[]){INT64_MAX, INT64_MAX}, 0, 0);
    assert_image_refused("passes 2^63 - 1");
    build_tensors(1, (uint64_t[]){33}, 8, 0);
    assert_image_refused("33 values in tensor 'w' are no whole blocks of Q8_0");
    build_tensors(1, (uint64_t[]){256}, 10, 0);
    assert_image_refused("stored as Q2_K, which is not read here");
    build_tensors(1, (uint64_t[]){8}, 5, 0);
    assert_image_refused("unknown type 5");
    build_tensors(1, (uint64_t[]){8}, 4000, 0);
    assert_image_refused("unknown type 4000");
    build_tensors(1, (uint64_t[]){8}, 0, 4);
    assert_image_refused("no multiple of the alignment 32");
    build_tensors(1, (uint64_t[]){17}, 0, 0);
    assert_image_refused("passes the end of the data");
    build_tensors(1, (uint64_t[]){8}, 0, UINT64_MAX - 31);
    assert_image_refused("passes the end of the data");
}

static void test_tensors__twins_and_overlaps_are_refused(void **state) {
    (void)state;
    gguf_image_header(&image, 3, 2, 0);
    gguf_image_tensor(&image, "a", 1, (uint64_t[]){12}, 0, 0);
    gguf_image_tensor(&image, "b", 1, (uint64_t[]){8}, 0, 32);
    gguf_image_pad(&image, 32);
    gguf_image_zeros(&image, 64);
    assert_image_refused("'a' and 'b' overlap");
    gguf_image_header(&image, 3, 2, 0);
    gguf_image_tensor(&image, "a", 1, (uint64_t[]){8}, 0, 0);
    gguf_image_tensor(&image, "a", 1, (uint64_t[]){8}, 0, 32);
    gguf_image_pad(&image, 32);
    gguf_image_zeros(&image, 64);
    assert_image_refused("two tensors are named 'a'");
}

/* ---- failures ---- */

static enum err_code open_llama3(void *context, struct error *err) {
    (void)context;
    SCOPED(gguf) struct gguf *file = NULL;
    return gguf_open(LLAMA3_FILE, &file, err);
}

static void test_open__survives_failing_allocations_and_files(void **state) {
    (void)state;
    alloc_loop_check(open_llama3, NULL);
    io_loop_check(open_llama3, NULL, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types__dequantised_as_ggml_does),
        cmocka_unit_test(test_metadata__by_type),
        cmocka_unit_test(test_metadata__wrong_types_are_named),
        cmocka_unit_test(test_by_hand__numbers_alignment_and_version_2),
        cmocka_unit_test(test_truncated__refused_at_every_byte),
        cmocka_unit_test(test_header__refused),
        cmocka_unit_test(test_metadata__hostile_values_are_refused),
        cmocka_unit_test(test_tensors__hostile_ones_are_refused),
        cmocka_unit_test(test_tensors__twins_and_overlaps_are_refused),
        cmocka_unit_test(test_open__survives_failing_allocations_and_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
