/* fuzz_json.c - whatever the parser accepts, the writer writes so that it reads back the same. */
#include "base/json.h"
#include "base/json_writer.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "tests/fuzz/fuzz_target.h"

#include <math.h>
#include <string.h>

#define TEXT_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* Recursion ends at the parser's depth limit, here and below. */
static void write_node(struct json_writer *w, const struct json *doc, const struct json_node *node);

static void write_children(struct json_writer *w, const struct json *doc,
                           const struct json_node *node) {
    for (const struct json_node *child = json_first(node); child; child = json_next(child)) {
        if (json_key(child)) {
            json_write_key(w, json_key(child));
        }
        write_node(w, doc, child);
    }
}

static void write_node(struct json_writer *w, const struct json *doc,
                       const struct json_node *node) {
    struct error err = ERROR_INIT;
    const char *text = NULL;
    bool truth = false;
    double number = 0.0;
    switch (json_kind_of(node)) {
    case JSON_KIND_NULL:
        json_write_null(w);
        break;
    case JSON_KIND_BOOL:
        FUZZ_CHECK(json_as_bool(doc, node, &truth, &err) == ERR_OK);
        json_write_bool(w, truth);
        break;
    case JSON_KIND_NUMBER:
        FUZZ_CHECK(json_as_f64(doc, node, &number, &err) == ERR_OK);
        json_write_f64(w, number);
        break;
    case JSON_KIND_STRING:
        FUZZ_CHECK(json_as_string(doc, node, &text, &err) == ERR_OK);
        json_write_string(w, text);
        break;
    case JSON_KIND_ARRAY:
        json_write_array_begin(w);
        write_children(w, doc, node);
        json_write_array_end(w);
        break;
    case JSON_KIND_OBJECT:
        json_write_object_begin(w);
        write_children(w, doc, node);
        json_write_object_end(w);
        break;
    }
}

static void check_scalars_equal(const struct json *left_doc, const struct json_node *left,
                                const struct json *right_doc, const struct json_node *right) {
    struct error err = ERROR_INIT;
    const char *texts[2] = {"", ""};
    bool truths[2] = {false, false};
    double numbers[2] = {0.0, 0.0};
    if (json_kind_of(left) == JSON_KIND_STRING) {
        FUZZ_CHECK(json_as_string(left_doc, left, &texts[0], &err) == ERR_OK);
        FUZZ_CHECK(json_as_string(right_doc, right, &texts[1], &err) == ERR_OK);
    } else if (json_kind_of(left) == JSON_KIND_BOOL) {
        FUZZ_CHECK(json_as_bool(left_doc, left, &truths[0], &err) == ERR_OK);
        FUZZ_CHECK(json_as_bool(right_doc, right, &truths[1], &err) == ERR_OK);
    } else if (json_kind_of(left) == JSON_KIND_NUMBER) {
        FUZZ_CHECK(json_as_f64(left_doc, left, &numbers[0], &err) == ERR_OK);
        FUZZ_CHECK(json_as_f64(right_doc, right, &numbers[1], &err) == ERR_OK);
    }
    FUZZ_CHECK(strcmp(texts[0], texts[1]) == 0);
    FUZZ_CHECK(truths[0] == truths[1]);
    FUZZ_CHECK(numbers[0] == numbers[1]);
    FUZZ_CHECK(!signbit(numbers[0]) == !signbit(numbers[1])); /* -0 stays -0 */
}

/* What reads as an integer is the same number as a double, or came as a string. */
static void check_integer(const struct json *doc, const struct json_node *node) {
    struct error err = ERROR_INIT;
    int64_t i = 0;
    uint64_t u = 0;
    double number = 0.0;
    bool is_i64 = json_as_i64(doc, node, &i, &err) == ERR_OK;
    bool is_u64 = json_as_u64(doc, node, &u, &err) == ERR_OK;
    if (json_as_f64(doc, node, &number, &err) == ERR_OK) {
        FUZZ_CHECK(!is_i64 || (double)i == number);
        FUZZ_CHECK(!is_u64 || (double)u == number);
    }
    FUZZ_CHECK(!is_i64 || !is_u64 || (uint64_t)i == u);
}

/* The index finds each child where the list has it. */
static void check_found(const struct json *doc, const struct json_node *parent,
                        const struct json_node *child, int64_t index) {
    const char *key = json_key(child);
    FUZZ_CHECK((key ? json_find(doc, parent, key) : json_at(doc, parent, index)) == child);
}

static void check_equal(const struct json *left_doc, const struct json_node *left,
                        const struct json *right_doc, const struct json_node *right) {
    FUZZ_CHECK(json_kind_of(left) == json_kind_of(right));
    check_scalars_equal(left_doc, left, right_doc, right);
    check_integer(left_doc, left);
    FUZZ_CHECK(json_count(left_doc, left) == json_count(right_doc, right));
    const struct json_node *r = json_first(right);
    int64_t index = 0;
    for (const struct json_node *l = json_first(left); l; l = json_next(l)) {
        const char *l_key = json_key(l) ? json_key(l) : "";
        FUZZ_CHECK(strcmp(l_key, json_key(r) ? json_key(r) : "") == 0);
        check_found(left_doc, left, l, index++);
        check_equal(left_doc, l, right_doc, r);
        r = json_next(r);
    }
    FUZZ_CHECK(index == json_count(left_doc, left));
}

static void check_round_trip(const struct json *doc, enum json_layout layout) {
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES_MAX);
    struct json_writer w = JSON_WRITER_INIT(&text, layout);
    write_node(&w, doc, json_root(doc));
    FUZZ_CHECK(json_writer_finish(&w, &err) == ERR_OK);
    SCOPED(json) struct json *again = NULL;
    FUZZ_CHECK(json_parse(text.bytes, text.length, "again", NULL, &again, &err) == ERR_OK);
    check_equal(doc, json_root(doc), again, json_root(again));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct error err = ERROR_INIT;
    SCOPED(json) struct json *doc = NULL;
    enum err_code code = json_parse((const char *)bytes, count, "input", NULL, &doc, &err);
    if (code != ERR_OK) {
        FUZZ_CHECK(code == ERR_DATA && err.code == ERR_DATA);
        FUZZ_CHECK(strncmp(err.msg, "input:", strlen("input:")) == 0);
        FUZZ_CHECK(!strchr(err.msg, '\n'));
        return 0;
    }
    check_round_trip(doc, JSON_COMPACT);
    check_round_trip(doc, JSON_INDENTED);
    return 0;
}
