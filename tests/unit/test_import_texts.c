#include "data/import_texts.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/io_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <stdio.h>

static void assert_text(const struct import_texts *texts, const char *id, const char *text,
                        const char *origin) {
    struct text_span wanted = text_span_of(id);
    const struct import_text *found = import_texts_find(texts, &wanted);
    struct text_span expected = text_span_of(text);
    struct text_span expected_origin = text_span_of(origin);
    assert_non_null(found);
    assert_true(text_span_equal(&found->text, &expected));
    assert_true(text_span_equal(&found->origin, &expected_origin));
}

static void assert_absent(const struct import_texts *texts, const char *id) {
    struct text_span wanted = text_span_of(id);
    assert_null(import_texts_find(texts, &wanted));
}

static void test_import_texts__reads_json(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    scratch_write(scratch, "t.jsonl",
                  "{\"id\": \"b\", \"text\": \"Bee.\", \"author\": \"ann\", \"topic\": \"t\"}\n"
                  "{\"id\": 12, \"name\": \"Twelve\"}\n"
                  "\n"
                  "{\"id\": \"a\", \"title\": \"\", \"author\": \"\"}\n");
    SCOPED(import_texts) struct import_texts *texts = NULL;
    assert_ok(import_texts_open(scratch_path(scratch, "t.jsonl"), &texts, &err), &err);
    assert_int_equal(import_texts_count(texts), 3);
    assert_text(texts, "a", "", NULL);
    assert_text(texts, "b", "Bee.", "ann");
    assert_text(texts, "12", "Twelve", NULL);
    assert_absent(texts, "");
    assert_absent(texts, "aa");
    assert_absent(texts, "c");
    struct text_span b = text_span_of("b");
    assert_int_equal(import_texts_find(texts, &b)->line, 1);
    assert_int_equal(import_texts_find(texts, &b)->topic.count, 1);
}

static void test_import_texts__reads_tables(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    scratch_write(scratch, "two.csv", "id,driver\n1,Austin Cameron\n2,\"Dale, Jr.\"\n");
    scratch_write(scratch, "many.tsv", "votes\tText\tID\tmodel\n3\tHello\tx\tgpt\n");
    SCOPED(import_texts) struct import_texts *two = NULL;
    SCOPED(import_texts) struct import_texts *many = NULL;
    assert_ok(import_texts_open(scratch_path(scratch, "two.csv"), &two, &err), &err);
    assert_text(two, "1", "Austin Cameron", NULL);
    assert_text(two, "2", "Dale, Jr.", NULL);
    assert_ok(import_texts_open(scratch_path(scratch, "many.tsv"), &many, &err), &err);
    assert_text(many, "x", "Hello", "gpt");
    assert_ok(import_texts_check_distinct(two, &err), &err);
}

static void test_import_texts__says_what_is_wrong(void **state) {
    struct scratch *scratch = *state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"id,text\n1,a\n2,b\n1,c\n", "t:4: id '1' stands in line 2 already"},
        {"id,text\n,a\n", "t:2: the id is empty"},
        {"key,text,x\n1,a,b\n", "t:1: expected a column 'id' and a column 'text'"},
        {"id,a,b\n1,a,b\n", "t:1: expected a column 'id' and a column 'text'"},
        {"{\"text\": \"a\"}\n", "t:1:1: $: expected a key 'id'"},
        {"{\"id\": 1}\n", "t:1:1: $: expected a key 'text'"},
        {"{\"id\": 1.5, \"text\": \"a\"}\n", "$.id"},
        {"{\"id\": [1], \"text\": \"a\"}\n", "$.id: expected string, found array"},
        {"{\"id\": 1, \"text\": 2}\n", "$.text: expected string, found number 2"},
        {"{\"id\": 1\n", "expected ',' or '}'"},
        {"", "column names"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = ERROR_INIT;
        struct import_texts *texts = NULL;
        scratch_write(scratch, "t", cases[i].text);
        enum err_code code = import_texts_open(scratch_path(scratch, "t"), &texts, &err);
        if (code != ERR_DATA || !strstr(err.msg, cases[i].message)) {
            fail_msg("'%s': %s (%s)", cases[i].text, err.msg, err_name(code));
        }
        assert_null(texts);
    }
    struct error err = ERROR_INIT;
    struct import_texts *texts = NULL;
    assert_fails(import_texts_open(scratch_path(scratch, "none"), &texts, &err), ERR_IO, "none",
                 &err);
}

static void test_import_texts_check_distinct__names_both(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    scratch_write(scratch, "t", "id,name\n3,Ann\n1,Bob\n2,Ann\n");
    SCOPED(import_texts) struct import_texts *texts = NULL;
    assert_ok(import_texts_open(scratch_path(scratch, "t"), &texts, &err), &err);
    assert_fails(import_texts_check_distinct(texts, &err), ERR_DATA,
                 "ids '2' and '3' both stand for 'Ann'", &err);
}

/* A thousand ids in a shuffled order: all are found, no other is. */
static void test_import_texts__finds_each_of_many(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf file = STRBUF_INIT((size_t)1 << 20);
    strbuf_add(&file, "id,text\n");
    for (int i = 0; i < 1000; i++) {
        strbuf_addf(&file, "%d,text %d\n", 2 * (i * 7919 % 1000), i * 7919 % 1000);
    }
    scratch_write(scratch, "t", strbuf_text(&file));
    SCOPED(import_texts) struct import_texts *texts = NULL;
    assert_ok(import_texts_open(scratch_path(scratch, "t"), &texts, &err), &err);
    assert_int_equal(import_texts_count(texts), 1000);
    for (int i = 0; i < 1000; i++) {
        char id[16];
        char text[32];
        snprintf(id, sizeof id, "%d", 2 * i);
        snprintf(text, sizeof text, "text %d", i);
        assert_text(texts, id, text, NULL);
        snprintf(id, sizeof id, "%d", 2 * i + 1);
        assert_absent(texts, id);
    }
}

static enum err_code open_and_check(void *path, struct error *err) {
    SCOPED(import_texts) struct import_texts *texts = NULL;
    TRY(import_texts_open(path, &texts, err));
    return import_texts_check_distinct(texts, err);
}

static void test_import_texts__survives_failing_memory_and_files(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "t.csv", "id,text\n1,a\n2,b\n");
    scratch_write(scratch, "t.jsonl", "{\"id\": 1, \"text\": \"a\", \"author\": \"b\"}\n");
    alloc_loop_check(open_and_check, scratch_path(scratch, "t.csv"));
    alloc_loop_check(open_and_check, scratch_path(scratch, "t.jsonl"));
    io_loop_check(open_and_check, NULL, scratch_path(scratch, "t.csv"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_import_texts__reads_json),
        SCRATCH_TEST(test_import_texts__reads_tables),
        SCRATCH_TEST(test_import_texts__says_what_is_wrong),
        SCRATCH_TEST(test_import_texts_check_distinct__names_both),
        SCRATCH_TEST(test_import_texts__finds_each_of_many),
        SCRATCH_TEST(test_import_texts__survives_failing_memory_and_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
