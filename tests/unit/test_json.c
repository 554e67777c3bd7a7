#include "base/json.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* Parses a copy of exactly `count` bytes, so that a sanitizer sees every byte read beyond. */
static enum err_code parse_bytes(const char *bytes, size_t count, struct json **out_doc,
                                 struct error *err) {
    SCOPED(mem) char *copy = mem_array(count, 1);
    assert_non_null(copy);
    memcpy(copy, bytes, count);
    return json_parse(copy, count, "f.json", NULL, out_doc, err);
}

static enum err_code parse_text(const char *text, struct json **out_doc, struct error *err) {
    return parse_bytes(text, strlen(text), out_doc, err);
}

static struct json *parsed(const char *text) {
    struct error err = ERROR_INIT;
    struct json *doc = NULL;
    assert_ok(parse_text(text, &doc, &err), &err);
    return doc;
}

struct refusal {
    const char *text, *message;
};

static void check_refusals(const struct refusal *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct error err = ERROR_INIT;
        struct json *doc = NULL;
        enum err_code code = parse_text(cases[i].text, &doc, &err);
        if (code != ERR_DATA || strcmp(err.msg, cases[i].message) != 0 || doc) {
            fail_msg("%s\nexpected %s\ngot      %s (%s)", cases[i].text, cases[i].message, err.msg,
                     err_name(code));
        }
    }
}

static void test_json_parse__accepts_all_of_the_grammar(void **state) {
    (void)state;
    const char *const texts[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.0",
        "10",
        "1.5",
        "1e3",
        "1E+3",
        "1e-3",
        "0.1e0",
        "-123.456e-78",
        "1e-400",
        "\"\"",
        "\"a\"",
        " \t\r\n1 \t\r\n",
        "[]",
        "[ ]",
        "{}",
        "{ }",
        "[[]]",
        "[{}]",
        "{\"\":[]}",
        "[1 , 2]",
        "{ \"a\" : 1 , \"b\" : 2 }",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\uABCD\\uabcd\"",
        "\"\\uD83D\\uDE00\"",
        "\"\x7F\xC2\x80\xE2\x82\xAC\xF0\x9F\x98\x80\"",
        "[null,true,false,0,\"\",[],{}]",
        "{\"a\":1,\"A\":2}",
        "[{\"a\":1},{\"a\":1}]",
        "123456789012345678901234567890123456789012345678901234567890123",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct error err = ERROR_INIT;
        SCOPED(json) struct json *doc = NULL;
        if (parse_text(texts[i], &doc, &err) != ERR_OK) {
            fail_msg("%s: %s", texts[i], err.msg);
        }
    }
}

/* --- keys --- */

static void test_json_parse__refuses_duplicate_keys_with_their_path(void **state) {
    (void)state;
    static const struct refusal cases[] = {
        {"{\"a\":1,\"a\":1}", "f.json: $.a: duplicate key"},
        {"{\"a\":1,\"\\u0061\":2}", "f.json: $.a: duplicate key"},
        {"{\"\":1,\"\":2}", "f.json: $[\"\"]: duplicate key"},
        {"{\"m\":{\"two words\":[0,{\"b\":1,\"c\":2,\"b\":3}]}}",
         "f.json: $.m[\"two words\"][1].b: duplicate key"},
        {"{\"a\\nb\":1,\"a\\nb\":1}", "f.json: $[\"a\\u000ab\"]: duplicate key"},
    };
    check_refusals(cases, COUNT_OF(cases));
}

#define MANY_KEYS 100000

static void build_many_keys(struct strbuf *text, const char *last_key) {
    strbuf_add(text, "{");
    for (int i = 0; i < MANY_KEYS; i++) {
        strbuf_addf(text, "\"a_rather_long_common_prefix_%d\":%d,", i, i);
    }
    strbuf_addf(text, "\"%s\":-1}", last_key);
}

static void test_json_find__finds_each_of_many_keys(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(16 * MIB);
    build_many_keys(&text, "last");
    SCOPED(json) struct json *doc = NULL;
    assert_ok(json_parse(text.bytes, text.length, "f.json", NULL, &doc, &err), &err);
    assert_int_equal(json_count(doc, json_root(doc)), MANY_KEYS + 1);
    for (int i = 0; i < MANY_KEYS; i++) {
        char key[64];
        (void)snprintf(key, sizeof key, "a_rather_long_common_prefix_%d", i);
        int64_t value = -1;
        assert_ok(json_get_i64(doc, json_root(doc), key, &value, &err), &err);
        assert_int_equal(value, i);
    }
}

static void test_json_parse__finds_a_duplicate_among_many_keys(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(16 * MIB);
    build_many_keys(&text, "a_rather_long_common_prefix_50000");
    struct json *doc = NULL;
    assert_int_equal(json_parse(text.bytes, text.length, "f.json", NULL, &doc, &err), ERR_DATA);
    assert_string_equal(err.msg, "f.json: $.a_rather_long_common_prefix_50000: duplicate key");
    assert_null(doc);
}

static void test_json_find__is_case_sensitive_and_may_miss(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(json) struct json *doc = parsed("{\"b\":1,\"B\":2,\"\":3,\"list\":[]}");
    const struct json_node *root = json_root(doc);
    int64_t value = 0;
    assert_ok(json_get_i64(doc, root, "B", &value, &err), &err);
    assert_int_equal(value, 2);
    assert_ok(json_get_i64(doc, root, "", &value, &err), &err);
    assert_int_equal(value, 3);
    assert_null(json_find(doc, root, "LIST"));
    assert_null(json_find(doc, root, "c"));
    assert_null(json_find(doc, json_find(doc, root, "list"), "b")); /* an array has no keys */
    assert_null(json_find(doc, json_find(doc, root, "b"), "b"));    /* nor has a number */
}

/* --- walking --- */

static void test_json_next__walks_in_document_order(void **state) {
    (void)state;
    SCOPED(json) struct json *doc = parsed("{\"z\":1,\"a\":[10,11,12],\"m\":null}");
    const char *const keys[] = {"z", "a", "m"};
    const enum json_kind kinds[] = {JSON_KIND_NUMBER, JSON_KIND_ARRAY, JSON_KIND_NULL};
    const struct json_node *member = json_first(json_root(doc));
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        assert_non_null(member);
        assert_string_equal(json_key(member), keys[i]);
        assert_int_equal(json_kind_of(member), kinds[i]);
        member = json_next(member);
    }
    assert_null(member);
    assert_null(json_key(json_root(doc)));
}

static void test_json_at__reaches_every_element_and_no_further(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(json) struct json *doc = parsed("[[3,1,2],{\"a\":0},7,[]]");
    const struct json_node *root = json_root(doc);
    const struct json_node *list = json_at(doc, root, 0);
    const double expected[] = {3, 1, 2};
    for (int64_t i = 0; i < 3; i++) {
        double value = 0;
        assert_ok(json_as_f64(doc, json_at(doc, list, i), &value, &err), &err);
        assert_true(value == expected[i]);
    }
    assert_null(json_at(doc, list, 3));
    assert_null(json_at(doc, list, -1));
    assert_null(json_at(doc, json_at(doc, root, 1), 0)); /* an object has no elements */
    assert_null(json_at(doc, json_at(doc, root, 2), 0));
    assert_null(json_at(doc, json_at(doc, root, 3), 0));
    assert_int_equal(json_count(doc, root), 4);
    assert_int_equal(json_count(doc, json_at(doc, root, 1)), 1);
    assert_int_equal(json_count(doc, json_at(doc, root, 2)), 0);
    assert_int_equal(json_count(doc, json_at(doc, root, 3)), 0);
}

/* --- typed access --- */

static void test_json_get__returns_values_of_each_type(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(json)
    struct json *doc =
        parsed("{\"s\":\"gr\\u00fc\\u00df \\ud83d\\ude00\",\"t\":true,\"f\":false,\"i\":-3,\"u\":4,"
               "\"d\":0.25,\"o\":{\"x\":1},\"a\":[1]}");
    const struct json_node *root = json_root(doc);
    const char *text = NULL;
    assert_ok(json_get_string(doc, root, "s", &text, &err), &err);
    assert_string_equal(text, "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80");
    bool truth = false;
    assert_ok(json_get_bool(doc, root, "t", &truth, &err), &err);
    assert_true(truth);
    assert_ok(json_get_bool(doc, root, "f", &truth, &err), &err);
    assert_false(truth);
    int64_t i = 0;
    assert_ok(json_get_i64(doc, root, "i", &i, &err), &err);
    assert_int_equal(i, -3);
    uint64_t u = 0;
    assert_ok(json_get_u64(doc, root, "u", &u, &err), &err);
    assert_int_equal(u, 4);
    double d = 0;
    assert_ok(json_get_f64(doc, root, "d", &d, &err), &err);
    assert_true(d == 0.25);
    const struct json_node *node = NULL;
    assert_ok(json_get_object(doc, root, "o", &node, &err), &err);
    assert_ptr_equal(node, json_find(doc, root, "o"));
    assert_ok(json_get_array(doc, root, "a", &node, &err), &err);
    assert_ptr_equal(node, json_find(doc, root, "a"));
}

static const char mixed[] = "{\"m\":{\"null\":null,\"yes\":true,\"half\":1.5,\"word\":\"ab\\nc\","
                            "\"list\":[1,[true]],\"neg\":-1,\"big\":9007199254740993,\"obj\":{}}}";

#define CHECK_GET(kind, type, key, message)                                     \
    do {                                                                        \
        struct error err_ = ERROR_INIT;                                         \
        type out_ = (type)7;                                                    \
        assert_int_equal(json_get_##kind(doc, m, key, &out_, &err_), ERR_DATA); \
        assert_string_equal(err_.msg, message);                                 \
        assert_true(out_ == (type)7);                                           \
    } while (0)

static void test_json_get__refuses_other_types_with_path_and_value(void **state) {
    (void)state;
    SCOPED(json) struct json *doc = parsed(mixed);
    const struct json_node *m = json_find(doc, json_root(doc), "m");
    CHECK_GET(i64, int64_t, "half", "f.json: $.m.half: expected integer, found number 1.5");
    CHECK_GET(i64, int64_t, "null", "f.json: $.m.null: expected integer, found null");
    CHECK_GET(i64, int64_t, "word",
              "f.json: $.m.word: expected 64-bit integer, found string 'ab\\u000ac'");
    CHECK_GET(u64, uint64_t, "neg", "f.json: $.m.neg: expected unsigned integer, found number -1");
    CHECK_GET(u64, uint64_t, "word",
              "f.json: $.m.word: expected unsigned 64-bit integer, found string 'ab\\u000ac'");
    CHECK_GET(f64, double, "yes", "f.json: $.m.yes: expected number, found boolean true");
    CHECK_GET(f64, double, "word", "f.json: $.m.word: expected number, found string 'ab\\u000ac'");
    CHECK_GET(bool, bool, "neg", "f.json: $.m.neg: expected boolean, found number -1");
    const struct json_node *node = NULL;
    struct error err = ERROR_INIT;
    assert_int_equal(json_get_object(doc, m, "list", &node, &err), ERR_DATA);
    assert_string_equal(err.msg, "f.json: $.m.list: expected object, found array");
    assert_int_equal(json_get_array(doc, m, "obj", &node, &err), ERR_DATA);
    assert_string_equal(err.msg, "f.json: $.m.obj: expected array, found object");
    assert_null(node);
    const char *text = NULL;
    assert_int_equal(json_get_string(doc, m, "half", &text, &err), ERR_DATA);
    assert_string_equal(err.msg, "f.json: $.m.half: expected string, found number 1.5");
    assert_null(text);
}

static void test_json_get__refuses_missing_keys_and_foreign_parents(void **state) {
    (void)state;
    SCOPED(json) struct json *doc = parsed(mixed);
    const struct json_node *m = json_find(doc, json_root(doc), "m");
    CHECK_GET(i64, int64_t, "steps", "f.json: $.m: missing key 'steps', expected integer");
    CHECK_GET(f64, double, "beta", "f.json: $.m: missing key 'beta', expected number");
    m = json_at(doc, json_find(doc, m, "list"), 1);
    CHECK_GET(bool, bool, "x", "f.json: $.m.list[1]: expected object, found array");
    m = json_at(doc, m, 0);
    CHECK_GET(bool, bool, "x", "f.json: $.m.list[1][0]: expected object, found boolean true");
}

static void test_json_refuse__names_file_and_path(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(json) struct json *doc = parsed("{\"beta\":-0.1}");
    const struct json_node *beta = json_find(doc, json_root(doc), "beta");
    assert_int_equal(json_refuse(doc, beta, &err, "%g is outside [%g, %d]", -0.1, 1e-6, 10),
                     ERR_DATA);
    assert_int_equal(err.code, ERR_DATA);
    assert_string_equal(err.msg, "f.json: $.beta: -0.1 is outside [1e-06, 10]");
    (void)json_refuse(doc, json_root(doc), &err, "empty");
    assert_string_equal(err.msg, "f.json: $: empty");
}

static void test_json_refuse__shows_the_end_of_a_long_path(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    limits.depth_max = JSON_DEPTH_CAP;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1 * MIB);
    for (int i = 0; i < JSON_DEPTH_CAP; i++) {
        strbuf_add(&text, "{\"a\":");
    }
    strbuf_add(&text, "0");
    strbuf_add_repeated(&text, '}', JSON_DEPTH_CAP);
    SCOPED(json) struct json *doc = NULL;
    assert_ok(json_parse(text.bytes, text.length, "f.json", &limits, &doc, &err), &err);
    const struct json_node *node = json_root(doc);
    while (json_first(node)) {
        node = json_first(node);
    }
    /* The path is longer than its room in a message, and shows its end. */
    (void)json_refuse(doc, node, &err, "x");
    assert_memory_equal(err.msg, "f.json: ....a.a", strlen("f.json: ....a.a"));
    assert_string_equal(err.msg + strlen(err.msg) - strlen(".a.a: x"), ".a.a: x");
}

/* --- rows of a larger file --- */

static void test_json_parse_row__counts_from_its_place(void **state) {
    (void)state;
    static const char text[] =
        "{\"\\u20ac\": \"\\\"\xE2\x82\xAC\", \"b\": [true,\n[], {\"c\": -1}]}";
    const struct json_place place = {.name = "p.jsonl", .line = 17, .column = 5};
    struct error err = ERROR_INIT;
    SCOPED(json) struct json *doc = NULL;
    assert_ok(json_parse_row(text, sizeof text - 1, &place, NULL, &doc, &err), &err);
    const struct json_node *root = json_root(doc), *b = json_find(doc, root, "b");
    const struct {
        const struct json_node *node;
        const char *message;
    } cases[] = {
        {root, "p.jsonl:17:5: $: no"},
        {json_first(root), "p.jsonl:17:16: $[\"\xE2\x82\xAC\"]: no"}, /* \u20ac is six there */
        {b, "p.jsonl:17:28: $.b: no"},
        {json_at(doc, b, 0), "p.jsonl:17:29: $.b[0]: no"},
        {json_at(doc, b, 1), "p.jsonl:18:1: $.b[1]: no"},
        {json_first(json_at(doc, b, 2)), "p.jsonl:18:11: $.b[2].c: no"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(json_refuse(doc, cases[i].node, &err, "no"), ERR_DATA);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void test_json_parse_row__refuses_with_the_place_in_the_file(void **state) {
    (void)state;
    const struct json_place place = {.name = "p.jsonl", .line = 17, .column = 5};
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"a\" 1}", "p.jsonl:17:10: expected ':' after the key, found '1'"},
        {"{\n\"a\" 1}", "p.jsonl:18:5: expected ':' after the key, found '1'"},
        {"{\"a\":1, \"a\":2}", "p.jsonl:17:17: $.a: duplicate key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = ERROR_INIT;
        struct json *doc = NULL;
        const char *text = cases[i].text;
        assert_int_equal(json_parse_row(text, strlen(text), &place, NULL, &doc, &err), ERR_DATA);
        assert_string_equal(err.msg, cases[i].message);
    }
}

/* --- numbers --- */

static void test_json_as_i64__is_the_double_exactly_or_refuses(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {
        {"0", 0},
        {"-0", 0},
        {"1.0", 1},
        {"12e2", 1200},
        {"9007199254740991", INT64_C(9007199254740991)},
        {"9007199254740991.4", INT64_C(9007199254740991)}, /* no double is between */
        {"-9007199254740991", -INT64_C(9007199254740991)},
        {"\"9007199254740993\"", INT64_C(9007199254740993)},
        {"\"9223372036854775807\"", INT64_MAX},
        {"\"-9223372036854775808\"", INT64_MIN},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error err = ERROR_INIT;
        SCOPED(json) struct json *doc = parsed(cases[i].text);
        int64_t value = 7;
        assert_ok(json_as_i64(doc, json_root(doc), &value, &err), &err);
        assert_true(value == cases[i].value);
    }
}

static void test_json_as_integer__refuses_what_it_cannot_hold(void **state) {
    (void)state;
    static const char advice[] = "f.json: $: integer near 9.01e+15 is beyond +-9007199254740991 "
                                 "and would be rounded; write it as a string, in double quotes";
    static const struct refusal cases[] = {
        {"9007199254740992", advice},
        {"9007199254740993", advice},
        {"9223372036854775807",
         "f.json: $: integer near 9.22e+18 is beyond +-9007199254740991 and would be rounded; "
         "write it as a string, in double quotes"},
        {"-1e300", "f.json: $: integer near -1e+300 is beyond +-9007199254740991 and would be "
                   "rounded; write it as a string, in double quotes"},
        {"\"9223372036854775808\"",
         "f.json: $: expected 64-bit integer, found string '9223372036854775808'"},
        {"\"1.0\"", "f.json: $: expected 64-bit integer, found string '1.0'"},
        {"\" 1\"", "f.json: $: expected 64-bit integer, found string ' 1'"},
        {"\"\"", "f.json: $: expected 64-bit integer, found string ''"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error err = ERROR_INIT;
        SCOPED(json) struct json *doc = parsed(cases[i].text);
        int64_t value = 7;
        assert_int_equal(json_as_i64(doc, json_root(doc), &value, &err), ERR_DATA);
        assert_string_equal(err.msg, cases[i].message);
        assert_int_equal(value, 7);
    }
}

static void test_json_as_u64__is_exact_or_refuses(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(json)
    struct json *doc =
        parsed("[9007199254740991,\"18446744073709551615\",\"18446744073709551616\",\"-1\",-1]");
    const struct json_node *list = json_root(doc);
    uint64_t value = 7;
    assert_ok(json_as_u64(doc, json_at(doc, list, 0), &value, &err), &err);
    assert_true(value == UINT64_C(9007199254740991));
    assert_ok(json_as_u64(doc, json_at(doc, list, 1), &value, &err), &err);
    assert_true(value == UINT64_MAX);
    assert_fails(json_as_u64(doc, json_at(doc, list, 2), &value, &err), ERR_DATA,
                 "f.json: $[2]: expected unsigned 64-bit integer, found string '1844", &err);
    assert_fails(json_as_u64(doc, json_at(doc, list, 3), &value, &err), ERR_DATA,
                 "f.json: $[3]: expected unsigned 64-bit integer, found string '-1'", &err);
    assert_fails(json_as_u64(doc, json_at(doc, list, 4), &value, &err), ERR_DATA,
                 "f.json: $[4]: expected unsigned integer, found number -1", &err);
    assert_true(value == UINT64_MAX);
}

static void test_json_as_f64__rounds_to_the_nearest_double(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"0.1", 0x1.999999999999ap-4},
        {"1.7976931348623157e308", 0x1.fffffffffffffp+1023},
        {"4.9406564584124654e-324", 0x1p-1074},
        {"2.2250738585072011e-308", 0x0.fffffffffffffp-1022}, /* once hung PHP and Java */
        {"1e-400", 0.0},
        {"9007199254740993", 0x1p53}, /* a tie, to even */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error err = ERROR_INIT;
        SCOPED(json) struct json *doc = parsed(cases[i].text);
        double value = 7;
        assert_ok(json_as_f64(doc, json_root(doc), &value, &err), &err);
        if (value != cases[i].value) {
            fail_msg("%s: %a instead of %a", cases[i].text, value, cases[i].value);
        }
    }
    SCOPED(json) struct json *doc = parsed("-0");
    struct error err = ERROR_INIT;
    double zero = 7;
    assert_ok(json_as_f64(doc, json_root(doc), &zero, &err), &err);
    assert_true(zero == 0.0 && signbit(zero));
}

/* --- resources --- */

static void test_json_parse_file__reads_and_names_the_file(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    scratch_write(scratch, "good.json", "{\"steps\": 12}\n");
    SCOPED(json) struct json *doc = NULL;
    assert_ok(json_parse_file(scratch_path(scratch, "good.json"), NULL, &doc, &err), &err);
    int64_t steps = 0;
    assert_ok(json_get_i64(doc, json_root(doc), "steps", &steps, &err), &err);
    assert_int_equal(steps, 12);
    struct json *none = NULL;
    scratch_write(scratch, "bad.json", "{\n\"steps\" 12}\n");
    assert_fails(json_parse_file(scratch_path(scratch, "bad.json"), NULL, &none, &err), ERR_DATA,
                 "/bad.json:2:9: expected ':' after the key, found '12'", &err);
    assert_fails(json_parse_file(scratch_path(scratch, "missing.json"), NULL, &none, &err), ERR_IO,
                 "/missing.json'", &err);
    const struct json_limits limits = {.bytes_max = 3, .depth_max = 1, .values_max = 2};
    assert_fails(json_parse_file(scratch_path(scratch, "good.json"), &limits, &none, &err),
                 ERR_LIMIT, "/good.json'", &err);
    assert_null(none);
}

static enum err_code parse_and_ask(void *context, struct error *err) {
    const char *text = context;
    SCOPED(json) struct json *doc = NULL;
    enum err_code code = json_parse(text, strlen(text), "f.json", NULL, &doc, err);
    assert_true((code == ERR_OK) == (doc != NULL)); /* outputs untouched on failure */
    TRY(code);
    int64_t value = 0;
    return json_get_i64(doc, json_root(doc), "n", &value, err);
}

static void test_json_parse__survives_every_failed_allocation(void **state) {
    (void)state;
    char text[] = "{\"n\":3,\"deep\":[[[{\"key\":\"va\\u00fclue\",\"k2\":[1,2.5,-1e9]}]],null],"
                  "\"b\":true,\"empty\":{},\"s\":\"\"}";
    alloc_loop_check(parse_and_ask, text);
}

static void test_json_parse__says_what_memory_was_for(void **state) {
    (void)state;
    for (int64_t n = 1; n <= 8; n++) {
        struct error err = ERROR_INIT;
        struct json *doc = NULL;
        mem_fail_nth(n);
        enum err_code code = json_parse("[1,2,\"x\"]", 9, "f.json", NULL, &doc, &err);
        mem_fail_nth(0);
        assert_int_equal(code, ERR_OOM);
        assert_string_equal(err.msg, "f.json: out of memory for 9 bytes of JSON");
        assert_null(doc);
    }
}

static void test_json_free__accepts_null(void **state) {
    (void)state;
    int64_t live = mem_live_blocks();
    json_free(NULL);
    json_free(parsed("[{\"a\":\"b\"}]"));
    assert_int_equal(mem_live_blocks(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_parse__accepts_all_of_the_grammar),
        cmocka_unit_test(test_json_parse__refuses_duplicate_keys_with_their_path),
        cmocka_unit_test(test_json_find__finds_each_of_many_keys),
        cmocka_unit_test(test_json_parse__finds_a_duplicate_among_many_keys),
        cmocka_unit_test(test_json_find__is_case_sensitive_and_may_miss),
        cmocka_unit_test(test_json_next__walks_in_document_order),
        cmocka_unit_test(test_json_at__reaches_every_element_and_no_further),
        cmocka_unit_test(test_json_get__returns_values_of_each_type),
        cmocka_unit_test(test_json_get__refuses_other_types_with_path_and_value),
        cmocka_unit_test(test_json_get__refuses_missing_keys_and_foreign_parents),
        cmocka_unit_test(test_json_refuse__names_file_and_path),
        cmocka_unit_test(test_json_refuse__shows_the_end_of_a_long_path),
        cmocka_unit_test(test_json_parse_row__counts_from_its_place),
        cmocka_unit_test(test_json_parse_row__refuses_with_the_place_in_the_file),
        cmocka_unit_test(test_json_as_i64__is_the_double_exactly_or_refuses),
        cmocka_unit_test(test_json_as_integer__refuses_what_it_cannot_hold),
        cmocka_unit_test(test_json_as_u64__is_exact_or_refuses),
        cmocka_unit_test(test_json_as_f64__rounds_to_the_nearest_double),
        SCRATCH_TEST(test_json_parse_file__reads_and_names_the_file),
        cmocka_unit_test(test_json_parse__survives_every_failed_allocation),
        cmocka_unit_test(test_json_parse__says_what_memory_was_for),
        cmocka_unit_test(test_json_free__accepts_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
