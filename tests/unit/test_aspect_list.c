#include "data/aspect_list.h"

#include "base/scoped.h"
#include "data/preference_log.h"
#include "data/project.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

static int setup(void **state) {
    struct error err = ERROR_INIT;
    return project_open(":memory:", DB_MODE_CREATE, NULL, (struct db **)state, &err) == ERR_OK ? 0
                                                                                               : -1;
}

static int teardown(void **state) {
    db_close(*state);
    return 0;
}

static void rate(struct preference_log *log, const char *aspect, int64_t line) {
    struct error err = ERROR_INIT;
    const struct preference_response answer = {.text = text_span_of("Yes")};
    const struct preference row = {.kind = PREFERENCE_RATING,
                                   .prompt = {.kind = PROMPT_TEXT, .text = text_span_of("Tea?")},
                                   .responses = &answer,
                                   .response_count = 1,
                                   .aspect = text_span_of(aspect),
                                   .value = 1.0,
                                   .weight = 1.0,
                                   .line = line};
    assert_ok(preference_log_append(log, &row, &err), &err);
}

/* One rating in each of the aspects; NULL: in none. */
static void fill(struct db *db, const char *const *aspects, int64_t count) {
    struct error err = ERROR_INIT;
    SCOPED(preference_log) struct preference_log *log = NULL;
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    assert_ok(preference_log_open(db, &log, &err), &err);
    assert_ok(db_tx_open(db, &tx, &err), &err);
    assert_ok(preference_log_begin_source(log, "ratings.jsonl", "trl", "{}", 0, &err), &err);
    for (int64_t i = 0; i < count; i++) {
        rate(log, aspects[i], i + 1);
    }
    const struct preference_source_summary summary = {
        .sha256.bytes[0] = 1, .bytes = 1, .rows = count};
    assert_ok(preference_log_end_source(log, &summary, &err), &err);
    assert_ok(db_tx_commit(&tx, &err), &err);
}

static void test_load__most_first_then_by_name(void **state) {
    struct error err = ERROR_INIT;
    SCOPED(aspect_list) struct aspect_list aspects = ASPECT_LIST_INIT;
    fill(*state, (const char *const[]){"wit", "taste", NULL, "care", NULL, "taste", "taste"}, 7);
    assert_ok(aspect_list_load(*state, ASPECTS_OF_RATINGS, &aspects, &err), &err);
    assert_int_equal(aspects.count, 4);
    assert_string_equal(aspects.items[0].name, "taste");
    assert_int_equal(aspects.items[0].count, 3);
    assert_null(aspects.items[1].name);
    assert_int_equal(aspects.items[1].count, 2);
    assert_string_equal(aspects.items[2].name, "care");
    assert_string_equal(aspects.items[3].name, "wit");
    assert_int_equal(aspects.items[3].count, 1);
}

static void test_load__only_of_the_rows_asked_for(void **state) {
    struct error err = ERROR_INIT;
    fill(*state, (const char *const[]){"taste"}, 1);
    SCOPED(aspect_list) struct aspect_list compared = ASPECT_LIST_INIT;
    assert_ok(aspect_list_load(*state, ASPECTS_OF_COMPARISONS, &compared, &err), &err);
    assert_int_equal(compared.count, 0);
    SCOPED(aspect_list) struct aspect_list labelled = ASPECT_LIST_INIT;
    assert_ok(aspect_list_load(*state, ASPECTS_OF_LABELS, &labelled, &err), &err);
    assert_int_equal(labelled.count, 0);
}

static void test_load__refuses_more_than_the_maximum(void **state) {
    struct error err = ERROR_INIT;
    static char names[ASPECT_LIST_MAX + 1][8];
    const char *aspects[ASPECT_LIST_MAX + 1];
    for (int i = 0; i <= ASPECT_LIST_MAX; i++) {
        snprintf(names[i], sizeof names[i], "a%d", i);
        aspects[i] = names[i];
    }
    fill(*state, aspects, ASPECT_LIST_MAX + 1);
    SCOPED(aspect_list) struct aspect_list list = ASPECT_LIST_INIT;
    assert_fails(aspect_list_load(*state, ASPECTS_OF_RATINGS, &list, &err), ERR_LIMIT,
                 "more than 1024 aspects are judged", &err);
    assert_null(list.items);
}

/* A connection of its own each time: one that stays keeps what it learns, its memory too. */
static enum err_code load_afresh(void *path, struct error *err) {
    SCOPED(db) struct db *db = NULL;
    SCOPED(aspect_list) struct aspect_list list = ASPECT_LIST_INIT;
    TRY(project_open(path, DB_MODE_READ_ONLY, NULL, &db, err));
    return aspect_list_load(db, ASPECTS_OF_RATINGS, &list, err);
}

static void test_load__out_of_memory(void **state) {
    struct error err = ERROR_INIT;
    void *scratch = NULL;
    fill(*state, (const char *const[]){"taste", NULL}, 2);
    assert_int_equal(scratch_setup(&scratch), 0);
    char *path = scratch_path(scratch, "tea.db");
    assert_ok(db_copy(*state, path, &err), &err);
    alloc_loop_check_tolerant(load_afresh, path);
    assert_int_equal(scratch_teardown(&scratch), 0);
}

#define MADE_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        MADE_TEST(test_load__most_first_then_by_name),
        MADE_TEST(test_load__only_of_the_rows_asked_for),
        MADE_TEST(test_load__refuses_more_than_the_maximum),
        MADE_TEST(test_load__out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
