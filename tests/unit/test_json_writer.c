#include "base/json_writer.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static void write_sample(struct json_writer *w) {
    json_write_object_begin(w);
    json_write_key(w, "name");
    json_write_string(w, "tiny");
    json_write_key(w, "sizes");
    json_write_array_begin(w);
    json_write_i64(w, -1);
    json_write_u64(w, 2);
    json_write_array_begin(w);
    json_write_array_end(w);
    json_write_object_begin(w);
    json_write_key(w, "x");
    json_write_null(w);
    json_write_object_end(w);
    json_write_array_end(w);
    json_write_key(w, "empty");
    json_write_object_begin(w);
    json_write_object_end(w);
    json_write_key(w, "beta");
    json_write_f64(w, 0.1);
    json_write_key(w, "on");
    json_write_bool(w, true);
    json_write_object_end(w);
}

static void test_json_writer__compact_layout(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1000);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
    write_sample(&w);
    assert_ok(json_writer_finish(&w, &err), &err);
    assert_string_equal(strbuf_text(&text), "{\"name\":\"tiny\",\"sizes\":[-1,2,[],{\"x\":null}],"
                                            "\"empty\":{},\"beta\":0.1,\"on\":true}");
}

static void test_json_writer__indented_layout(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1000);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_INDENTED);
    write_sample(&w);
    assert_ok(json_writer_finish(&w, &err), &err);
    assert_string_equal(strbuf_text(&text), "{\n"
                                            "  \"name\": \"tiny\",\n"
                                            "  \"sizes\": [\n"
                                            "    -1,\n"
                                            "    2,\n"
                                            "    [],\n"
                                            "    {\n"
                                            "      \"x\": null\n"
                                            "    }\n"
                                            "  ],\n"
                                            "  \"empty\": {},\n"
                                            "  \"beta\": 0.1,\n"
                                            "  \"on\": true\n"
                                            "}");
}

static void test_json_writer__puts_key_and_value(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1000);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
    json_write_object_begin(&w);
    json_put_object_begin(&w, "fit");
    json_put_string(&w, "name", "tea");
    json_put_string_or_null(&w, "population", NULL);
    json_put_string_or_null(&w, "aspect", "taste");
    json_write_object_end(&w);
    json_put_array_begin(&w, "notes");
    json_write_array_end(&w);
    json_put_i64(&w, "items", -3);
    json_put_u64(&w, "seed", UINT64_MAX);
    json_put_f64(&w, "reward", 0.25);
    json_put_f64_or_null(&w, "low", -0.5);
    json_put_f64_or_null(&w, "high", (double)NAN);
    json_put_bool(&w, "is_new", false);
    json_put_null(&w, "works");
    json_write_object_end(&w);
    assert_ok(json_writer_finish(&w, &err), &err);
    assert_string_equal(
        strbuf_text(&text),
        "{\"fit\":{\"name\":\"tea\",\"population\":null,\"aspect\":\"taste\"},"
        "\"notes\":[],\"items\":-3,\"seed\":\"18446744073709551615\",\"reward\":0.25,"
        "\"low\":-0.5,\"high\":null,\"is_new\":false,\"works\":null}");
}

static void test_json_writer__put_names_key_of_bad_number(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1000);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
    json_write_object_begin(&w);
    json_put_f64(&w, "loss", (double)INFINITY);
    json_write_object_end(&w);
    assert_int_equal(json_writer_finish(&w, &err), ERR_DATA);
    assert_string_equal(err.msg, "cannot write JSON: 'loss': inf is not a JSON number");
}

static void test_json_writer__lines_share_a_buffer(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1000);
    for (int64_t line = 1; line <= 2; line++) {
        struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
        json_write_i64(&w, line);
        assert_ok(json_writer_finish(&w, &err), &err);
        strbuf_add_char(&text, '\n');
    }
    assert_string_equal(strbuf_text(&text), "1\n2\n");
}

/* --- strings --- */

/* The JSON text of one string. */
static void check_string(const char *bytes, size_t count, const char *expected) {
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1000);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
    json_write_string_bytes(&w, bytes, count);
    assert_ok(json_writer_finish(&w, &err), &err);
    assert_string_equal(strbuf_text(&text), expected);
}

static void test_json_write_string__escapes_what_must_be(void **state) {
    (void)state;
    check_string("", 0, "\"\"");
    check_string("plain/ \x7F", 8, "\"plain/ \x7F\"");
    check_string("\"a\\", 3, "\"\\\"a\\\\\"");
    check_string("a\b\f\n\r\tz", 7, "\"a\\b\\f\\n\\r\\tz\"");
    check_string("\x01\x1F", 2, "\"\\u0001\\u001f\"");
    check_string("gr\xC3\xBC\xF0\x9F\x98\x80!", 9, "\"gr\xC3\xBC\xF0\x9F\x98\x80!\"");
    check_string("cut here", 3, "\"cut\"");
    check_string("\0a\0", 3, "\"\\u0000a\\u0000\"");
}

static void test_json_write_string__all_of_ascii_reads_back(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    char all[128];
    for (int i = 1; i < 128; i++) {
        all[i - 1] = (char)i;
    }
    all[127] = '\0';
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1000);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
    json_write_object_begin(&w);
    json_write_key(&w, all);
    json_write_string(&w, all);
    json_write_object_end(&w);
    assert_ok(json_writer_finish(&w, &err), &err);
    SCOPED(json) struct json *doc = NULL;
    assert_ok(json_parse(text.bytes, text.length, "t", NULL, &doc, &err), &err);
    const char *back = NULL;
    assert_ok(json_get_string(doc, json_root(doc), all, &back, &err), &err);
    assert_string_equal(back, all);
}

/* --- numbers --- */

static const int64_t signed_cases[] = {
    0,
    1,
    -1,
    JSON_INT_MAX - 1,
    JSON_INT_MAX,
    JSON_INT_MAX + 1,
    INT64_MAX,
    INT64_MIN,
    INT64_MIN + 1,
    -JSON_INT_MAX + 1,
    -JSON_INT_MAX,
    -JSON_INT_MAX - 1,
    INT32_MAX,
    INT32_MIN,
    1000000007,
};

static const uint64_t unsigned_cases[] = {
    0,          1,          (uint64_t)JSON_INT_MAX, (uint64_t)JSON_INT_MAX + 1, INT64_MAX,
    UINT64_MAX, UINT32_MAX, UINT64_MAX - 1,         UINT64_C(1) << 63,
};

static void test_json_write_integers__read_back_exactly(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(10000);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
    json_write_array_begin(&w);
    for (size_t i = 0; i < COUNT_OF(signed_cases); i++) {
        json_write_i64(&w, signed_cases[i]);
    }
    for (size_t i = 0; i < COUNT_OF(unsigned_cases); i++) {
        json_write_u64(&w, unsigned_cases[i]);
    }
    json_write_array_end(&w);
    assert_ok(json_writer_finish(&w, &err), &err);
    SCOPED(json) struct json *doc = NULL;
    assert_ok(json_parse(text.bytes, text.length, "t", NULL, &doc, &err), &err);
    const struct json_node *node = json_first(json_root(doc));
    for (size_t i = 0; i < COUNT_OF(signed_cases); i++, node = json_next(node)) {
        int64_t back = 0;
        assert_ok(json_as_i64(doc, node, &back, &err), &err);
        assert_true(back == signed_cases[i]);
    }
    for (size_t i = 0; i < COUNT_OF(unsigned_cases); i++, node = json_next(node)) {
        uint64_t back = 0;
        assert_ok(json_as_u64(doc, node, &back, &err), &err);
        assert_true(back == unsigned_cases[i]);
    }
    assert_null(node);
}

static void test_json_write_integers__become_strings_beyond_2_to_53(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1000);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
    json_write_array_begin(&w);
    json_write_i64(&w, JSON_INT_MAX);
    json_write_i64(&w, JSON_INT_MAX + 1);
    json_write_i64(&w, -JSON_INT_MAX - 1);
    json_write_u64(&w, UINT64_MAX);
    json_write_array_end(&w);
    assert_ok(json_writer_finish(&w, &err), &err);
    assert_string_equal(strbuf_text(&text), "[9007199254740991,\"9007199254740992\","
                                            "\"-9007199254740992\",\"18446744073709551615\"]");
}

static void test_json_format_f64__is_short_where_it_can_be(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1.0, "1"},
        {0.1, "0.1"},
        {-2.5, "-2.5"},
        {1e-6, "1e-06"},
        {1e22, "1e+22"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3.0, "0.3333333333333333"},
        {0x1p53, "9007199254740992"},
        {0x1.fffffffffffffp+1023, "1.7976931348623157e+308"},
        {0x1p-1074, "4.94065645841247e-324"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[JSON_F64_BYTES];
        assert_string_equal(json_format_f64(cases[i].value, out), cases[i].text);
    }
}

/* splitmix64 (Steele, Lea and Flood 2014). */
static uint64_t next_bits(uint64_t *seed) {
    uint64_t z = *seed += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

#define RANDOM_DOUBLES 50000

static double random_double(uint64_t *seed) {
    for (;;) {
        uint64_t bits = next_bits(seed);
        double value = 0.0;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) {
            return value;
        }
    }
}

static void test_json_write_f64__random_doubles_read_back_to_the_bit(void **state) {
    (void)state;
    const uint64_t seed = 20240229;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(4 * MIB);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
    json_write_array_begin(&w);
    uint64_t writing = seed;
    for (int i = 0; i < RANDOM_DOUBLES; i++) {
        json_write_f64(&w, random_double(&writing));
    }
    json_write_array_end(&w);
    assert_ok(json_writer_finish(&w, &err), &err);
    SCOPED(json) struct json *doc = NULL;
    assert_ok(json_parse(text.bytes, text.length, "t", NULL, &doc, &err), &err);
    uint64_t reading = seed;
    for (int64_t i = 0; i < RANDOM_DOUBLES; i++) {
        double expected = random_double(&reading);
        double back = 0.0;
        assert_ok(json_as_f64(doc, json_at(doc, json_root(doc), i), &back, &err), &err);
        if (back != expected || !signbit(back) != !signbit(expected)) {
            fail_msg("seed %" PRIu64 ", item %" PRId64 ": %a became %a", seed, i, expected, back);
        }
    }
}

/* --- failures --- */

static void test_json_write_f64__names_the_key_of_a_non_finite_number(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1000);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
    json_write_object_begin(&w);
    json_write_key(&w, "step");
    json_write_i64(&w, 3);
    json_write_key(&w, "loss");
    json_write_f64(&w, -(double)NAN); /* what 0.0 / 0.0 is on x86 */
    json_write_key(&w, "reward");
    json_write_f64(&w, -(double)INFINITY); /* the first failure counts */
    json_write_object_end(&w);
    assert_int_equal(json_writer_finish(&w, &err), ERR_DATA);
    assert_string_equal(err.msg, "cannot write JSON: 'loss': nan is not a JSON number");
}

static void test_json_write_f64__without_a_key_says_what_it_can(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1000);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
    json_write_array_begin(&w);
    json_write_object_begin(&w);
    json_write_key(&w, "not_me");
    json_write_null(&w);
    json_write_object_end(&w);
    json_write_f64(&w, (double)INFINITY);
    json_write_array_end(&w);
    assert_int_equal(json_writer_finish(&w, &err), ERR_DATA);
    assert_string_equal(err.msg, "cannot write JSON: inf is not a JSON number");
}

static void test_json_write_f64_or_null__writes_either(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1000);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
    json_write_array_begin(&w);
    json_write_f64_or_null(&w, 0.5);
    json_write_f64_or_null(&w, (double)NAN);
    json_write_f64_or_null(&w, (double)INFINITY);
    json_write_array_end(&w);
    assert_ok(json_writer_finish(&w, &err), &err);
    assert_string_equal(strbuf_text(&text), "[0.5,null,null]");
}

static void test_json_write_f64_point__tells_numbers_from_integers(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1000);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
    json_write_array_begin(&w);
    json_write_f64_point(&w, 8.0);
    json_write_f64_point(&w, -0.5);
    json_write_f64_point(&w, 1e300);
    json_write_array_end(&w);
    assert_ok(json_writer_finish(&w, &err), &err);
    assert_string_equal(strbuf_text(&text), "[8.0,-0.5,1e+300]");
}

static void test_json_write_string__refuses_what_is_no_text(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1000);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
    json_write_object_begin(&w);
    json_write_key(&w, "na\"me");
    json_write_string(&w, "ab\xFFz");
    json_write_object_end(&w);
    assert_int_equal(json_writer_finish(&w, &err), ERR_DATA);
    assert_string_equal(err.msg,
                        "cannot write JSON: 'na\\\"me': invalid UTF-8 at byte 2 of a string");

    struct json_writer key = JSON_WRITER_INIT(&text, JSON_COMPACT);
    json_write_object_begin(&key);
    json_write_key(&key, "\xC3");
    json_write_null(&key);
    json_write_object_end(&key);
    assert_int_equal(json_writer_finish(&key, &err), ERR_DATA);
    assert_string_equal(err.msg, "cannot write JSON: invalid UTF-8 at byte 0 of a string");
}

static void test_json_writer_finish__reports_a_full_buffer(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(20);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
    write_sample(&w);
    assert_int_equal(json_writer_finish(&w, &err), ERR_LIMIT);
    assert_string_equal(err.msg, "JSON text is longer than its limit of 20 bytes");
}

static enum err_code write_whole_sample(void *context, struct error *err) {
    (void)context;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1000);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_INDENTED);
    write_sample(&w);
    return json_writer_finish(&w, err);
}

static void test_json_writer__survives_every_failed_allocation(void **state) {
    (void)state;
    alloc_loop_check(write_whole_sample, NULL);
}

/* --- misuse --- */

static void value_without_key(struct json_writer *w) {
    json_write_object_begin(w);
    json_write_null(w);
}

static void key_in_array(struct json_writer *w) {
    json_write_array_begin(w);
    json_write_key(w, "a");
}

static void key_after_key(struct json_writer *w) {
    json_write_object_begin(w);
    json_write_key(w, "a");
    json_write_key(w, "b");
}

static void end_after_key(struct json_writer *w) {
    json_write_object_begin(w);
    json_write_key(w, "a");
    json_write_object_end(w);
}

static void end_of_the_other_kind(struct json_writer *w) {
    json_write_array_begin(w);
    json_write_object_end(w);
}

static void end_without_begin(struct json_writer *w) {
    json_write_array_end(w);
}

static void second_value(struct json_writer *w) {
    json_write_null(w);
    json_write_null(w);
}

static void finish_too_early(struct json_writer *w) {
    struct error err = ERROR_INIT;
    json_write_array_begin(w);
    assert_int_equal(json_writer_finish(w, &err), ERR_OK);
}

/* Runs in a child process, whose abort is the expected end. */
static bool aborts(void (*misuse)(struct json_writer *w)) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void)dup2(quiet, STDERR_FILENO);
        struct strbuf text = STRBUF_INIT(1000);
        struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
        misuse(&w);
        _exit(EXIT_SUCCESS);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void test_json_writer__asserts_on_misuse(void **state) {
    (void)state;
    assert_true(aborts(value_without_key));
    assert_true(aborts(key_in_array));
    assert_true(aborts(key_after_key));
    assert_true(aborts(end_after_key));
    assert_true(aborts(end_of_the_other_kind));
    assert_true(aborts(end_without_begin));
    assert_true(aborts(second_value));
    assert_true(aborts(finish_too_early));
    assert_false(aborts(write_sample));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_writer__compact_layout),
        cmocka_unit_test(test_json_writer__indented_layout),
        cmocka_unit_test(test_json_writer__puts_key_and_value),
        cmocka_unit_test(test_json_writer__put_names_key_of_bad_number),
        cmocka_unit_test(test_json_writer__lines_share_a_buffer),
        cmocka_unit_test(test_json_write_string__escapes_what_must_be),
        cmocka_unit_test(test_json_write_string__all_of_ascii_reads_back),
        cmocka_unit_test(test_json_write_integers__read_back_exactly),
        cmocka_unit_test(test_json_write_integers__become_strings_beyond_2_to_53),
        cmocka_unit_test(test_json_format_f64__is_short_where_it_can_be),
        cmocka_unit_test(test_json_write_f64__random_doubles_read_back_to_the_bit),
        cmocka_unit_test(test_json_write_f64__names_the_key_of_a_non_finite_number),
        cmocka_unit_test(test_json_write_f64__without_a_key_says_what_it_can),
        cmocka_unit_test(test_json_write_f64_or_null__writes_either),
        cmocka_unit_test(test_json_write_f64_point__tells_numbers_from_integers),
        cmocka_unit_test(test_json_write_string__refuses_what_is_no_text),
        cmocka_unit_test(test_json_writer_finish__reports_a_full_buffer),
        cmocka_unit_test(test_json_writer__survives_every_failed_allocation),
        cmocka_unit_test(test_json_writer__asserts_on_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
