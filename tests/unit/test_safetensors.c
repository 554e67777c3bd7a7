#include "tensor/safetensors.h"

#include "base/file.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/io_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <stdio.h>

/* Written by the reference implementation; see tests/golden/make_safetensors.py. */
#define GOLDEN(name) GOLDEN_FOLDER "/safetensors/" name ".safetensors"

#define DATA_BYTES 64

/* What the generator puts into every tensor. */
static const unsigned char *counting_bytes(void) {
    static unsigned char bytes[DATA_BYTES];
    for (int i = 0; i < DATA_BYTES; i++) {
        bytes[i] = (unsigned char)i;
    }
    return bytes;
}

/* --- files in memory --- */

struct image {
    unsigned char bytes[4096];
    size_t count;
};

/* A file with this header, unpadded, and `data_bytes` bytes of data. */
static struct image image_of(const char *header, size_t data_bytes) {
    struct image image = {.count = 8 + strlen(header) + data_bytes};
    assert_true(image.count <= sizeof image.bytes);
    uint64_t length = strlen(header);
    memcpy(image.bytes, &length, sizeof length);
    memcpy(image.bytes + 8, header, length);
    for (size_t i = 0; i < data_bytes; i++) {
        image.bytes[8 + length + i] = (unsigned char)i;
    }
    return image;
}

static void assert_refused(const char *header, size_t data_bytes, const char *message) {
    struct error err = ERROR_INIT;
    struct image image = image_of(header, data_bytes);
    struct safetensors *st = NULL;
    assert_fails(safetensors_parse(image.bytes, image.count, "m.safetensors", &st, &err), ERR_DATA,
                 message, &err);
    assert_null(st);
    assert_memory_equal(err.msg, "m.safetensors:", 14);
}

/* --- reading --- */

static void test_safetensors_parse__reads_tensors_in_the_order_of_their_data(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct image image =
        image_of("{\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[8,11]},"
                 "\"__metadata__\":{\"format\":\"pt\",\"by\":\"hand\"},"
                 "\"a\":{\"data_offsets\":[0,8],\"shape\":[2,1],\"dtype\":\"F32\",\"more\":[]},"
                 "\"s\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[11,13]}}  ",
                 13);
    SCOPED(safetensors) struct safetensors *st = NULL;
    assert_ok(safetensors_parse(image.bytes, image.count, "m", &st, &err), &err);
    assert_int_equal(safetensors_count(st), 3);

    const struct safetensors_tensor *a = safetensors_at(st, 0);
    assert_string_equal(a->name, "a");
    assert_int_equal(a->dtype, SAFETENSORS_F32);
    assert_int_equal(a->dims, 2);
    assert_int_equal(a->shape[0], 2);
    assert_int_equal(a->shape[1], 1);
    assert_int_equal(a->bytes, 8);
    assert_memory_equal(a->data, counting_bytes(), 8);

    const struct safetensors_tensor *s = safetensors_at(st, 2);
    assert_string_equal(s->name, "s");
    assert_int_equal(s->dims, 0);
    assert_int_equal(s->bytes, 2);
    assert_memory_equal(s->data, counting_bytes() + 11, 2);

    assert_ptr_equal(safetensors_find(st, "b"), safetensors_at(st, 1));
    assert_null(safetensors_find(st, "c"));
    assert_null(safetensors_find(st, "__metadata__"));
    assert_int_equal(safetensors_metadata_count(st), 2);
    assert_string_equal(safetensors_metadata_at(st, 1).key, "by");
    assert_string_equal(safetensors_metadata_find(st, "format"), "pt");
    assert_null(safetensors_metadata_find(st, "a"));
}

static void test_safetensors_parse__allows_empty_tensors_at_one_place(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct image image =
        image_of("{\"full\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]},"
                 "\"e1\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[0,0]},"
                 "\"e2\":{\"dtype\":\"F64\",\"shape\":[3,0],"
                 "\"data_offsets\":[0,0]}}",
                 2);
    SCOPED(safetensors) struct safetensors *st = NULL;
    assert_ok(safetensors_parse(image.bytes, image.count, "m", &st, &err), &err);
    assert_string_equal(safetensors_at(st, 0)->name, "e1");
    assert_string_equal(safetensors_at(st, 1)->name, "e2");
    assert_string_equal(safetensors_at(st, 2)->name, "full");
    assert_int_equal(safetensors_find(st, "e2")->bytes, 0);
}

static void test_safetensors_parse__refuses_what_is_no_safetensors_file(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct safetensors *st = NULL;
    assert_fails(safetensors_parse("1234567", 7, "m", &st, &err), ERR_DATA,
                 "m: 7 bytes are too short", &err);
    assert_fails(safetensors_parse("", 0, "m", &st, &err), ERR_DATA, "0 bytes are too short", &err);
    assert_refused("", 0, "header of 0 bytes does not start with '{'");
    assert_refused(" {}", 0, "does not start with '{'");
    assert_refused("{", 0, "1:2");

    struct image image = image_of("{}", 0);
    image.bytes[0] = 3; /* one byte more than there is */
    assert_fails(safetensors_parse(image.bytes, image.count, "m", &st, &err), ERR_DATA,
                 "header length 3, but only 2 bytes follow; the file is cut short", &err);
    uint64_t length = 100000001;
    memcpy(image.bytes, &length, sizeof length);
    assert_fails(safetensors_parse(image.bytes, image.count, "m", &st, &err), ERR_DATA,
                 "header length 100000001 is above the limit of 100000000 bytes", &err);
    length = UINT64_MAX; /* 8 more would wrap around */
    memcpy(image.bytes, &length, sizeof length);
    assert_fails(safetensors_parse(image.bytes, image.count, "m", &st, &err), ERR_DATA,
                 "header length 18446744073709551615 is above", &err);
    assert_null(st);
}

#define TENSOR(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void test_safetensors_parse__refuses_tensors_that_do_not_cover_the_data(void **state) {
    (void)state;
    assert_refused("{" TENSOR("a", "U8", "[4]", "[0,4]") "," TENSOR("b", "U8", "[4]", "[3,7]") "}",
                   7, "$.b: begins at byte 3 inside another tensor, which ends at 4");
    assert_refused("{" TENSOR("a", "U8", "[4]", "[0,4]") "," TENSOR("b", "U8", "[4]", "[0,4]") "}",
                   4, "begins at byte 0 inside another tensor");
    assert_refused("{" TENSOR("a", "U8", "[4]", "[0,4]") "," TENSOR("b", "U8", "[2]", "[6,8]") "}",
                   8, "$.b: bytes [4, 6) before it belong to no tensor");
    assert_refused("{" TENSOR("a", "U8", "[4]", "[2,6]") "}", 6,
                   "$.a: bytes [0, 2) before it belong to no tensor");
    assert_refused("{" TENSOR("a", "U8", "[4]", "[0,4]") "}", 5,
                   "ends at byte 4 of the data, and 1 bytes follow that belong to no tensor");
    assert_refused("{}", 1, "1 bytes follow that belong to no tensor");
    assert_refused("{" TENSOR("a", "U8", "[4]", "[0,4]") "}", 3,
                   "$.a: ends at byte 4, and the file has 3 bytes of data; it is cut short");
}

static void test_safetensors_parse__refuses_shapes_and_sizes_that_disagree(void **state) {
    (void)state;
    assert_refused("{" TENSOR("a", "F32", "[2,3]", "[0,20]") "}", 20,
                   "$.a: F32 [2, 3] takes 24 bytes, and data_offsets [0, 20] give 20");
    assert_refused("{" TENSOR("a", "U8", "[]", "[0,0]") "}", 0,
                   "$.a: U8 [] takes 1 bytes, and data_offsets [0, 0] give 0");
    assert_refused("{" TENSOR("a", "U8", "[4]", "[4,0]") "}", 4, "begin 4 is behind end 0");
    assert_refused("{" TENSOR("a", "U8", "[4]", "[0]") "}", 4, "expected [begin, end], found 1");
    assert_refused("{" TENSOR("a", "U8", "[-4]", "[0,4]") "}", 4, "$.a.shape[0]: -4 is negative");
    assert_refused("{" TENSOR("a", "U8", "[4.5]", "[0,4]") "}", 4,
                   "$.a.shape[0]: expected integer");
    assert_refused("{" TENSOR("a", "U8", "[\"4\"]", "[0,4]") "}", 4,
                   "$.a.shape[0]: expected a number");
    assert_refused("{" TENSOR("a", "U8", "[1,1,1,1,1,1,1,1,4]", "[0,4]") "}", 4,
                   "$.a.shape: 9 dimensions, limit 8");
}

/* 2^32 * 2^31 elements are 2^63; 2^60 elements of 8 bytes are 2^63 bytes. A zero does not excuse a
 * product that overflows. */
static void test_safetensors_parse__refuses_sizes_beyond_64_bits(void **state) {
    (void)state;
    assert_refused("{" TENSOR("a", "U8", "[4294967296,2147483648]", "[0,0]") "}", 0,
                   "$.a: U8 [4294967296, 2147483648] takes more than 2^63 - 1 bytes");
    assert_refused("{" TENSOR("a", "F64", "[1048576,1099511627776]", "[0,0]") "}", 0,
                   "takes more than 2^63 - 1 bytes");
    assert_refused("{" TENSOR("a", "U8", "[4294967296,4294967296,0]", "[0,0]") "}", 0,
                   "takes more than 2^63 - 1 bytes");
    assert_refused("{" TENSOR("a", "U8", "[9223372036854775808]", "[0,0]") "}", 0,
                   "$.a.shape[0]: integer near 9.22e+18 is beyond");
    assert_refused("{" TENSOR("a", "U8", "[4]", "[0,18446744073709551616]") "}", 0,
                   "$.a.data_offsets[1]: integer near 1.84e+19 is beyond");
}

static void test_safetensors_parse__refuses_headers_of_another_form(void **state) {
    (void)state;
    assert_refused("{" TENSOR("a", "F4", "[2]", "[0,1]") "}", 1,
                   "dtype F4 packs elements smaller than a byte");
    assert_refused("{" TENSOR("a", "F128", "[1]", "[0,16]") "}", 16,
                   "$.a: dtype 'F128' is none of BOOL U8 I8");
    assert_refused("{" TENSOR("a", "f32", "[1]", "[0,4]") "}", 4, "dtype 'f32' is none of");
    assert_refused("{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype");
    assert_refused("{\"a\":[]}", 0, "$.a");
    assert_refused("{" TENSOR("a", "U8", "[0]", "[0,0]") "," TENSOR("a", "U8", "[0]", "[0,0]") "}",
                   0, "duplicate");
    assert_refused("{\"__metadata__\":{\"a\":1}}", 0, "$.__metadata__.a: expected string");
    assert_refused("{\"__metadata__\":[]}", 0, "$.__metadata__: expected object");
    assert_refused("{" TENSOR("a", "U8", "[[1]]", "[0,1]") "}", 1, "more than 3 levels");
    assert_refused("{\"\xff\":1}", 0, "UTF-8");
}

/* --- golden files --- */

static void assert_golden_tensor(const struct safetensors *st, const char *name,
                                 enum safetensors_dtype dtype, size_t bytes) {
    const struct safetensors_tensor *tensor = safetensors_find(st, name);
    assert_non_null(tensor);
    assert_int_equal(tensor->dtype, dtype);
    assert_int_equal(tensor->bytes, bytes);
    assert_memory_equal(tensor->data, counting_bytes(), bytes);
}

static void test_safetensors_open__reads_the_reference_implementations_files(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(safetensors) struct safetensors *every = NULL;
    assert_ok(safetensors_open(GOLDEN("every_dtype"), &every, &err), &err);
    assert_int_equal(safetensors_count(every), SAFETENSORS_DTYPE_COUNT);
    for (int i = 0; i < SAFETENSORS_DTYPE_COUNT; i++) {
        enum safetensors_dtype dtype = (enum safetensors_dtype)i;
        char name[32];
        (void)snprintf(name, sizeof name, "t.%s", safetensors_dtype_name(dtype));
        assert_golden_tensor(every, name, dtype, 3 * safetensors_dtype_bytes(dtype));
    }
    SCOPED(safetensors) struct safetensors *named = NULL;
    assert_ok(safetensors_open(GOLDEN("shapes_and_names"), &named, &err), &err);
    assert_int_equal(safetensors_count(named), 6);
    assert_golden_tensor(named, "quoted \"name\" \\ / \t\x01 \u00e9 \u6f22 \U0001f600",
                         SAFETENSORS_I64, 16);
    assert_golden_tensor(named, "model.norm", SAFETENSORS_BF16, 10);
    assert_string_equal(safetensors_metadata_find(named, "format"), "pt");
    SCOPED(safetensors) struct safetensors *none = NULL;
    assert_ok(safetensors_open(GOLDEN("no_tensors"), &none, &err), &err);
    assert_int_equal(safetensors_count(none), 0);
}

static void assert_same_file(const char *path, const char *expected_path) {
    struct error err = ERROR_INIT;
    SCOPED(mem) char *bytes = NULL;
    SCOPED(mem) char *expected = NULL;
    size_t count = 0;
    size_t expected_count = 0;
    assert_ok(file_read_all(path, 4096, &bytes, &count, &err), &err);
    assert_ok(file_read_all(expected_path, 4096, &expected, &expected_count, &err), &err);
    assert_int_equal(count, expected_count);
    assert_memory_equal(bytes, expected, count);
}

static void test_safetensors_write__same_bytes_as_the_reference_every_dtype(void **state) {
    struct error err = ERROR_INIT;
    struct safetensors_tensor tensors[SAFETENSORS_DTYPE_COUNT];
    char names[SAFETENSORS_DTYPE_COUNT][32];
    for (int i = 0; i < SAFETENSORS_DTYPE_COUNT; i++) {
        enum safetensors_dtype dtype = (enum safetensors_dtype)i;
        (void)snprintf(names[i], sizeof names[i], "t.%s", safetensors_dtype_name(dtype));
        tensors[i] = (struct safetensors_tensor){.name = names[i],
                                                 .dtype = dtype,
                                                 .dims = 1,
                                                 .shape = {3},
                                                 .data = counting_bytes(),
                                                 .bytes = 3 * safetensors_dtype_bytes(dtype)};
    }
    const char *path = scratch_path(*state, "out.safetensors");
    assert_ok(safetensors_write(path, tensors, SAFETENSORS_DTYPE_COUNT, NULL, 0, &err), &err);
    assert_same_file(path, GOLDEN("every_dtype"));
}

/* The tensors of shapes_and_names, not in the order of the file. */
static enum err_code write_shapes_and_names(void *path, struct error *err) {
    const void *data = counting_bytes();
    const struct safetensors_tensor tensors[] = {
        {.name = "scalar", .dtype = SAFETENSORS_F32, .data = data, .bytes = 4},
        {.name = "model.norm",
         .dtype = SAFETENSORS_BF16,
         .dims = 1,
         .shape = {5},
         .data = data,
         .bytes = 10},
        {.name = "model.layers.9.weight",
         .dtype = SAFETENSORS_F32,
         .dims = 2,
         .shape = {3, 2},
         .data = data,
         .bytes = 24},
        {.name = "model.layers.10.weight",
         .dtype = SAFETENSORS_F32,
         .dims = 2,
         .shape = {2, 3},
         .data = data,
         .bytes = 24},
        {.name = "quoted \"name\" \\ / \t\x01 \u00e9 \u6f22 \U0001f600",
         .dtype = SAFETENSORS_I64,
         .dims = 4,
         .shape = {1, 1, 1, 2},
         .data = data,
         .bytes = 16},
        {.name = "empty", .dtype = SAFETENSORS_F32, .dims = 2, .shape = {0, 4}, .data = data},
    };
    const struct safetensors_entry metadata[] = {{.key = "format", .value = "pt"}};
    return safetensors_write(path, tensors, 6, metadata, 1, err);
}

static void test_safetensors_write__same_bytes_as_the_reference_shapes_and_names(void **state) {
    struct error err = ERROR_INIT;
    char *path = scratch_path(*state, "out.safetensors");
    assert_ok(write_shapes_and_names(path, &err), &err);
    assert_same_file(path, GOLDEN("shapes_and_names"));
    const char *empty = scratch_path(*state, "empty.safetensors");
    assert_ok(safetensors_write(empty, NULL, 0, NULL, 0, &err), &err);
    assert_same_file(empty, GOLDEN("no_tensors"));
}

static void test_safetensors_write__refuses_what_cannot_be_read_back(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    const char *path = scratch_path(scratch, "out.safetensors");
    struct safetensors_tensor pair[] = {
        {.name = "a", .dtype = SAFETENSORS_U8, .dims = 1, .shape = {2}, .data = "xy", .bytes = 2},
        {.name = "a", .dtype = SAFETENSORS_I8, .dims = 1, .shape = {2}, .data = "xy", .bytes = 2},
    };
    assert_fails(safetensors_write(path, pair, 2, NULL, 0, &err), ERR_DATA,
                 "two tensors are named 'a'", &err);
    pair[1].name = "__metadata__";
    assert_fails(safetensors_write(path, pair, 2, NULL, 0, &err), ERR_DATA,
                 "a tensor cannot be named '__metadata__'", &err);
    pair[1].name = "\xc3(";
    assert_fails(safetensors_write(path, pair, 2, NULL, 0, &err), ERR_DATA, "UTF-8", &err);
    pair[1].name = "b";
    pair[1].shape[0] = 3;
    assert_fails(safetensors_write(path, pair, 2, NULL, 0, &err), ERR_SHAPE,
                 "tensor 'b' of 2 bytes cannot be I8 [3]", &err);
    pair[1].dims = 9;
    assert_fails(safetensors_write(path, pair, 2, NULL, 0, &err), ERR_SHAPE,
                 "tensor 'b' has 9 dimensions, limit 8", &err);
    const struct safetensors_entry twice[] = {{"k", "1"}, {"k", "2"}};
    assert_fails(safetensors_write(path, pair, 1, twice, 2, &err), ERR_DATA,
                 "two metadata entries are named 'k'", &err);
    assert_string_equal(scratch_list(scratch), "");
}

/* --- failures of the machine --- */

static enum err_code open_and_close(void *path, struct error *err) {
    SCOPED(safetensors) struct safetensors *st = NULL;
    return safetensors_open(path, &st, err);
}

static void test_safetensors__survives_every_failed_allocation(void **state) {
    char *path = scratch_path(*state, "out.safetensors");
    alloc_loop_check(write_shapes_and_names, path);
    alloc_loop_check(open_and_close, path);
}

static void check_whole_or_absent(void *context) {
    struct scratch *scratch = context;
    const char *list = scratch_list(scratch);
    if (strcmp(list, "") != 0) {
        assert_string_equal(list, "out.safetensors");
        assert_same_file(scratch_path(scratch, "out.safetensors"), GOLDEN("shapes_and_names"));
    }
}

static enum err_code write_into(void *context, struct error *err) {
    return write_shapes_and_names(scratch_path(context, "out.safetensors"), err);
}

static void test_safetensors_write__leaves_a_whole_file_or_none(void **state) {
    io_loop_check(write_into, check_whole_or_absent, *state);
}

static void test_safetensors_open__says_which_file_is_missing(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct safetensors *st = NULL;
    assert_fails(safetensors_open("no/such.safetensors", &st, &err), ERR_IO, "no/such.safetensors",
                 &err);
    assert_null(st);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safetensors_parse__reads_tensors_in_the_order_of_their_data),
        cmocka_unit_test(test_safetensors_parse__allows_empty_tensors_at_one_place),
        cmocka_unit_test(test_safetensors_parse__refuses_what_is_no_safetensors_file),
        cmocka_unit_test(test_safetensors_parse__refuses_tensors_that_do_not_cover_the_data),
        cmocka_unit_test(test_safetensors_parse__refuses_shapes_and_sizes_that_disagree),
        cmocka_unit_test(test_safetensors_parse__refuses_sizes_beyond_64_bits),
        cmocka_unit_test(test_safetensors_parse__refuses_headers_of_another_form),
        cmocka_unit_test(test_safetensors_open__reads_the_reference_implementations_files),
        SCRATCH_TEST(test_safetensors_write__same_bytes_as_the_reference_every_dtype),
        SCRATCH_TEST(test_safetensors_write__same_bytes_as_the_reference_shapes_and_names),
        SCRATCH_TEST(test_safetensors_write__refuses_what_cannot_be_read_back),
        SCRATCH_TEST(test_safetensors__survives_every_failed_allocation),
        SCRATCH_TEST(test_safetensors_write__leaves_a_whole_file_or_none),
        cmocka_unit_test(test_safetensors_open__says_which_file_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
