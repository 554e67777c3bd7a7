#include "data/json_rows.h"

#include "base/arena.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

#include <inttypes.h>
#include <stdio.h>

#define OUT_MAX  (4 * MIB)
#define TEXT_MAX (200 * MIB)

static void add_row(const struct json_row *row, struct strbuf *out) {
    const struct json_node *first = json_first(json_root(row->doc));
    double value = 0.0;
    struct error err = ERROR_INIT;
    strbuf_addf(out, "%" PRId64 ":%" PRId64 " ", row->line, row->column);
    if (first && json_as_f64(row->doc, first, &value, &err) == ERR_OK) {
        strbuf_addf(out, "%s=%g", json_key(first), value);
    } else {
        strbuf_add(out, first ? json_key(first) : "{}");
    }
    strbuf_add_char(out, '\n');
}

/* The rows as "line:column key=value", refusals as "! message", and "stop" where it is not known
 * how to go on. */
static enum err_code read_rows(const char *text, size_t count, struct strbuf *out,
                               struct error *err) {
    SCOPED(mem) char *copy = mem_strndup(text, count);
    SCOPED(input_stream) struct input_stream *in = NULL;
    SCOPED(json_rows) struct json_rows *rows = NULL;
    if (!copy) {
        return err_oom(err, "a copy");
    }
    TRY(input_stream_open_bytes(copy, count, "f.json", &in, err));
    TRY(json_rows_open(in, &rows, err));
    bool has_row = true;
    while (has_row) {
        struct json_row row;
        struct error bad = ERROR_INIT;
        enum err_code code = json_rows_next(rows, &row, &has_row, &bad);
        if (code == ERR_DATA) {
            strbuf_addf(out, "! %s\n", bad.msg);
            has_row = json_rows_can_go_on(rows);
            strbuf_add(out, has_row ? "" : "stop\n");
        } else if (code != ERR_OK) {
            *err = bad;
            return code;
        } else if (has_row) {
            add_row(&row, out);
        }
    }
    return ERR_OK;
}

static void check_bytes(const char *text, size_t count, const char *expected) {
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(OUT_MAX);
    struct error err = ERROR_INIT;
    if (read_rows(text, count, &out, &err) != ERR_OK) {
        strbuf_addf(&out, "!! %s\n", err.msg);
    }
    if (strcmp(strbuf_text(&out), expected) != 0) {
        fail_msg("%.200s\nexpected\n%sgot\n%s", text, expected, strbuf_text(&out));
    }
}

static void check(const char *text, const char *expected) {
    check_bytes(text, strlen(text), expected);
}

/* ---- layouts ---- */

static void test_json_rows__reads_json_lines(void **state) {
    (void)state;
    check("{\"a\":1}\n{\"a\":2}\n", "1:1 a=1\n2:1 a=2\n");
    check("{\"a\":1}", "1:1 a=1\n");
    check("{\"a\":1}\r\n{\"a\":2}\r\n", "1:1 a=1\n2:1 a=2\n");
    check("\n \t\n  {\"a\":1}  \n\n\r\n{}\n\n", "3:3 a=1\n6:1 {}\n");
    check("\xEF\xBB\xBF{\"a\":1}\n", "1:1 a=1\n");
    check("", "");
    check(" \n\n ", "");
}

static void test_json_rows__reads_one_array_however_laid_out(void **state) {
    (void)state;
    check("[]", "");
    check(" [ ] \n", "");
    check("[{\"a\":1},{\"a\":2}]", "1:2 a=1\n1:10 a=2\n");
    check("[{\"\xC3\xA9\":1}, {\"a\":2}]\n",
          "1:2 \xC3\xA9=1\n1:11 a=2\n"); /* columns: characters */
    check("[\n  {\n    \"a\": 1,\n    \"b\": [1, {\"c\": \"]}\"}]\n  },\n  {\"a\": 2}\n]\n",
          "2:3 a=1\n6:3 a=2\n");
    check("[\r\n{\"a\":\"\\\"}\"}\r\n,\r\n{}\r\n]", "2:1 a\n4:1 {}\n");
}

static void test_json_rows__reads_objects_over_several_lines(void **state) {
    (void)state;
    check("{\n  \"a\": 1\n}\n", "1:1 a=1\n");
    check("{\"a\": 1,\n \"b\": {\"c\": 2}}", "1:1 a=1\n");
    check("{\"a\":\n{\"b\": 1}}\n{\"c\": 2}", "1:1 a\n3:1 c=2\n");
    check("{\n\"a\": 1\n}\n\n{\n\"a\": 2\n} {\"a\": 3}\n", "1:1 a=1\n5:1 a=2\n7:3 a=3\n");
}

/* ---- bad rows ---- */

static void test_json_rows__passes_over_bad_lines(void **state) {
    (void)state;
    check("{\"a\":1}\n{\"a\":}\n{\"a\":3}\n",
          "1:1 a=1\n! f.json:2:6: expected a value, found '}'\n3:1 a=3\n");
    check("{\"a\":1\n{\"a\":2}\n", "! f.json:1:7: expected ',' or '}', found the end of the text\n"
                                   "2:1 a=2\n");
    check("{\"a\":\"x\n{\"a\":2}\n", "! f.json:1:6: string without a closing '\"'\n2:1 a=2\n");
    check("{\"a\":1,\n{\"a\":2}\n",
          "! f.json:1:8: expected a key in double quotes after ',', found "
          "the end of the text\n2:1 a=2\n");
    check("{\"a\":1}\n7\n[{}]\n\"x\"\n{\"a\":2}\n",
          "1:1 a=1\n! f.json:2:1: $: expected object, found number 7\n"
          "! f.json:3:1: $: expected object, found array\n"
          "! f.json:4:1: $: expected object, found string 'x'\n5:1 a=2\n");
    check("{\"a\":1}{\"a\":2}\n{\"a\":3}\n",
          "! f.json:1:8: expected nothing more after the outermost value, found '{'\n2:1 a=3\n");
}

static void test_json_rows__refuses_encodings_with_their_place(void **state) {
    (void)state;
    check("{}\n{\"\xC3\xA9\":\"\xFF\"}\n{}\n",
          "1:1 {}\n! f.json:2:7: invalid UTF-8 at byte 0xff\n3:1 {}\n");
    const char nul[] = "{\"a\":1}\n{\"a\":\"x\0y\"}\n{\"a\":2}\n";
    check_bytes(nul, sizeof nul - 1,
                "1:1 a=1\n! f.json:2:8: control character in a string; write it as '\\u0000'\n"
                "3:1 a=2\n");
    const char between[] = "{\"a\":1}\n\0\n{\"a\":2}\n";
    check_bytes(between, sizeof between - 1,
                "1:1 a=1\n! f.json:2:1: expected a value, found '\\u0000'\n3:1 a=2\n");
}

static void test_json_rows__goes_on_in_an_array_while_brackets_match(void **state) {
    (void)state;
    check("[{\"a\":1}, {\"a\":}, {\"a\":3}]",
          "1:2 a=1\n! f.json:1:16: expected a value, found '}'\n1:19 a=3\n");
    check("[1, \"x\", null, [2], {\"a\":1}]",
          "! f.json:1:2: $: expected object, found number 1\n"
          "! f.json:1:5: $: expected object, found string 'x'\n"
          "! f.json:1:10: $: expected object, found null\n"
          "! f.json:1:16: $: expected object, found array\n1:21 a=1\n");
    check("[{\"a\":1}\n{\"a\":2}]",
          "1:2 a=1\n! f.json:2:1: expected ',' or ']' behind a row, found "
          "'{'\nstop\n");
    check("[{\"a\":1},]",
          "1:2 a=1\n! f.json:1:10: expected an object after ',', found ']'\nstop\n");
    check("[{\"a\":1}", "1:2 a=1\n! f.json:1:9: expected ',' or ']' behind a row, found the end of "
                        "the file\nstop\n");
    check("[{\"a\":1,\n", "! f.json:2:1: expected a key in double quotes after ',', found the end "
                          "of the text\nstop\n");
    check("[{\"a\":\"x\n\"}, {}]", "! f.json:1:9: line break in a string; close it with '\"' or "
                                   "write '\\n'\nstop\n");
    check("[{}] {}", "1:2 {}\n! f.json:1:6: expected nothing more behind the array, found "
                     "'{'\nstop\n");
    check("[", "! f.json:1:2: expected an object or ']', found the end of the file\nstop\n");
}

static void test_json_rows__stops_where_objects_over_lines_are_broken(void **state) {
    (void)state;
    check("{\n\"a\": 1\n}\nx\n{}", "1:1 a=1\n! f.json:4:1: expected an object, found 'x'\nstop\n");
    check("{\n\"a\": 1]\n}", "! f.json:2:7: expected ',' or '}', found ']'\n"
                             "! f.json:3:1: expected an object, found '}'\nstop\n");
}

static void test_json_rows_open__refuses_other_texts(void **state) {
    (void)state;
    check("prompt,chosen\n", "!! f.json:1:1: expected '{' or '[', with which JSON begins, found "
                             "'p'\n");
    check("\n  7", "!! f.json:2:3: expected '{' or '[', with which JSON begins, found '7'\n");
}

/* ---- places of what is refused later ---- */

static void test_json_rows__know_the_place_of_every_value(void **state) {
    (void)state;
    static const char text[] = "[{\"a\":1},\n {\"b\" : [{\"c\":\"x\"},\n {\"c\":3}]}]";
    struct error err = ERROR_INIT;
    SCOPED(input_stream) struct input_stream *in = NULL;
    SCOPED(json_rows) struct json_rows *rows = NULL;
    struct json_row row;
    bool has_row = false;
    assert_ok(input_stream_open_bytes(text, sizeof text - 1, "f.json", &in, &err), &err);
    assert_ok(json_rows_open(in, &rows, &err), &err);
    assert_ok(json_rows_next(rows, &row, &has_row, &err), &err);
    assert_ok(json_rows_next(rows, &row, &has_row, &err), &err);
    const struct json_node *list = json_find(row.doc, json_root(row.doc), "b");
    const struct json_node *second = json_at(row.doc, list, 1);
    const char *c = NULL;
    assert_fails(json_get_string(row.doc, second, "c", &c, &err), ERR_DATA,
                 "f.json:3:7: $.b[1].c: expected string, found number 3", &err);
    assert_fails(json_get_string(row.doc, second, "d", &c, &err), ERR_DATA,
                 "f.json:3:2: $.b[1]: missing key 'd', expected string", &err);
    assert_fails(json_refuse(row.doc, list, &err, "no"), ERR_DATA, "f.json:2:9: $.b: no", &err);
    const struct json_row *last = json_rows_last(rows);
    assert_int_equal(last->line, 2);
    assert_int_equal(last->column, 2);
    assert_int_equal(last->text.count, strlen("{\"b\" : [{\"c\":\"x\"},\n {\"c\":3}]}"));
}

/* ---- size ---- */

static void add_big_object(struct strbuf *text, size_t count, int number) {
    strbuf_addf(text, "{\"a\":%d,\"t\":\"", number);
    strbuf_add_repeated(text, 'x', count);
    strbuf_add(text, "\"}");
}

static void test_json_rows__reads_rows_longer_than_any_buffer(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf lines = STRBUF_INIT(TEXT_MAX), array = STRBUF_INIT(TEXT_MAX);
    strbuf_add_char(&array, '[');
    for (int i = 1; i <= 4; i++) {
        add_big_object(&lines, 3 * MIB, i);
        strbuf_add_char(&lines, '\n');
        strbuf_add(&array, i > 1 ? ",\n" : "");
        add_big_object(&array, 3 * MIB, i);
    }
    strbuf_add_char(&array, ']');
    check_bytes(lines.bytes, lines.length, "1:1 a=1\n2:1 a=2\n3:1 a=3\n4:1 a=4\n");
    check_bytes(array.bytes, array.length, "1:2 a=1\n2:1 a=2\n3:1 a=3\n4:1 a=4\n");
}

static void test_json_rows__keeps_the_limit_of_a_row(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
    strbuf_add(&text, "{\"a\":1}\n");
    add_big_object(&text, INPUT_ROW_BYTES_MAX, 2);
    strbuf_add(&text, "\n{\"a\":3}\n");
    check_bytes(text.bytes, text.length,
                "1:1 a=1\n! f.json:2: a line of more than 64 MiB, the limit of a row\n3:1 a=3\n");
    strbuf_reset(&text);
    strbuf_add(&text, "[{\"a\":1},\n ");
    add_big_object(&text, INPUT_ROW_BYTES_MAX, 2);
    strbuf_add(&text, ", {\"a\":3}]\n");
    check_bytes(text.bytes, text.length,
                "1:2 a=1\n! f.json:2:2: the row that begins here is longer than 64 MiB, or a quote "
                "or bracket in it is never closed\nstop\n");
}

static void test_json_rows__keeps_the_limits_of_values_and_depth(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
    strbuf_add(&text, "{\"a\":[0");
    for (int i = 2; i < JSON_ROWS_VALUES_MAX; i++) {
        strbuf_add(&text, ",0");
    }
    strbuf_add(&text, "]}\n{}\n");
    /* The object and the array are two; element n, in column 7 + 2 (n - 1), is value n + 2. */
    check_bytes(text.bytes, text.length, "! f.json:1:2000003: more than 1000000 values\n2:1 {}\n");
    check("{\"a\":"
          "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]"
          "]]]"
          "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}\n{}\n",
          "! f.json:1:69: more than 64 levels of nesting\n2:1 {}\n");
}

/* A text in memory is read in two halves (input_stream.c): the rows move over the middle. */
static void test_json_rows__do_not_depend_on_where_reads_end(void **state) {
    (void)state;
    static const char row[] = "{\"a\":1,\"t\":\"\\\\\\\"}{\\\\\"}";
    for (size_t padding = 300; padding < 500; padding++) {
        SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
        strbuf_add_char(&text, '[');
        add_big_object(&text, padding, 0);
        strbuf_addf(&text, ",%s,\n%s,\n", row, row);
        add_big_object(&text, 400, 2);
        strbuf_add_char(&text, ']');
        char expected[96];
        (void)snprintf(expected, sizeof expected, "1:2 a=0\n1:%zu a=1\n2:1 a=1\n3:1 a=2\n",
                       padding + strlen("[{\"a\":0,\"t\":\"\"},") + 1);
        check_bytes(text.bytes, text.length, expected);
    }
}

/* ---- failures ---- */

static enum err_code read_some(void *context, struct error *err) {
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(OUT_MAX);
    TRY(read_rows(context, strlen(context), &out, err));
    return strbuf_check(&out, "output", err);
}

static void test_json_rows__survive_every_failed_allocation(void **state) {
    (void)state;
    char lines[] = "{\"a\":1}\n{\"b\":[{},2]}\nx\n{}";
    char array[] = "[{\"a\":1}, 7, {\"b\":[{},2]}]";
    alloc_loop_check(read_some, lines);
    alloc_loop_check(read_some, array);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_rows__reads_json_lines),
        cmocka_unit_test(test_json_rows__reads_one_array_however_laid_out),
        cmocka_unit_test(test_json_rows__reads_objects_over_several_lines),
        cmocka_unit_test(test_json_rows__passes_over_bad_lines),
        cmocka_unit_test(test_json_rows__refuses_encodings_with_their_place),
        cmocka_unit_test(test_json_rows__goes_on_in_an_array_while_brackets_match),
        cmocka_unit_test(test_json_rows__stops_where_objects_over_lines_are_broken),
        cmocka_unit_test(test_json_rows_open__refuses_other_texts),
        cmocka_unit_test(test_json_rows__know_the_place_of_every_value),
        cmocka_unit_test(test_json_rows__reads_rows_longer_than_any_buffer),
        cmocka_unit_test(test_json_rows__keeps_the_limit_of_a_row),
        cmocka_unit_test(test_json_rows__keeps_the_limits_of_values_and_depth),
        cmocka_unit_test(test_json_rows__do_not_depend_on_where_reads_end),
        cmocka_unit_test(test_json_rows__survive_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
