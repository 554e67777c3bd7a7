#include "reward/fold_plan.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "data/preference_log.h"
#include "data/project.h"
#include "tests/support/test.h"

#include <stdio.h>

static struct db *db;
static struct comparison_set set;

struct row {
    const char *prompt, *topic;
};

/* One comparison to each prompt. */
static void make_log(const struct row *rows, int64_t count) {
    struct error err = ERROR_INIT;
    const struct db_options options = {
        .path = ":memory:", .mode = DB_MODE_CREATE, .schema = project_schema()};
    assert_ok(db_open(&options, &db, &err), &err);
    struct preference_log *log = NULL;
    struct db_tx tx = DB_TX_INIT;
    assert_ok(preference_log_open(db, &log, &err), &err);
    assert_ok(db_tx_open(db, &tx, &err), &err);
    assert_ok(preference_log_begin_source(log, "a", "test", "{}", 0, &err), &err);
    for (int64_t i = 0; i < count; i++) {
        const struct preference_response sides[] = {{.text = text_span_of("A"), .rank = 1},
                                                    {.text = text_span_of("B"), .rank = 2}};
        const struct preference row = {.kind = PREFERENCE_COMPARISON,
                                       .line = i + 1,
                                       .prompt = {.kind = PROMPT_TEXT,
                                                  .text = text_span_of(rows[i].prompt),
                                                  .topic = text_span_of(rows[i].topic)},
                                       .responses = sides,
                                       .response_count = 2,
                                       .weight = 1.0};
        assert_ok(preference_log_append(log, &row, &err), &err);
    }
    const struct preference_source_summary summary = {.sha256 = {.bytes = {1}}, .rows = count};
    assert_ok(preference_log_end_source(log, &summary, &err), &err);
    assert_ok(db_tx_commit(&tx, &err), &err);
    preference_log_close(log);
    assert_ok(comparison_set_load(db, &(struct comparison_set_options){.aspect = NULL}, &set, &err),
              &err);
}

static int teardown(void **state) {
    (void)state;
    comparison_set_deinit(&set);
    db_close(db);
    db = NULL;
    return 0;
}

/* Debates a, b and c, in the order of their names: folds 0, 1, 0. */
static void test_group__sides_of_a_debate_stay_together(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"c_yes", NULL}, {"a_no", NULL}, {"b_yes", NULL}, {"a_yes", NULL}};
    make_log(rows, 4);
    struct error err = ERROR_INIT;
    SCOPED(mem) int32_t *folds = NULL;
    const struct fold_prompts prompts = fold_prompts_of(&set);
    assert_ok(fold_plan_by_group(db, &prompts, 2, "^[^_]*", &folds, &err), &err);
    const int32_t expected[] = {0, 0, 1, 0};
    assert_memory_equal(folds, expected, sizeof expected);
}

/* Topics x and y, and a prompt that is its own group: z. */
static void test_group__by_topic_or_prompt(void **state) {
    (void)state;
    static const struct row rows[] = {{"1", "y"}, {"2", "x"}, {"z", NULL}, {"3", "x"}};
    make_log(rows, 4);
    struct error err = ERROR_INIT;
    SCOPED(mem) int32_t *folds = NULL;
    const struct fold_prompts prompts = fold_prompts_of(&set);
    assert_ok(fold_plan_by_group(db, &prompts, 3, NULL, &folds, &err), &err);
    const int32_t expected[] = {1, 0, 2, 0};
    assert_memory_equal(folds, expected, sizeof expected);
}

static void test_group__refuses_what_makes_no_folds(void **state) {
    (void)state;
    static const struct row rows[] = {{"a_no", NULL}, {"a_yes", NULL}};
    make_log(rows, 2);
    struct error err = ERROR_INIT;
    int32_t *folds = NULL;
    const struct fold_prompts prompts = fold_prompts_of(&set);
    assert_fails(fold_plan_by_group(db, &prompts, 2, "^a", &folds, &err), ERR_DATA,
                 "1 groups of prompts cannot make 2 folds", &err);
    assert_fails(fold_plan_by_group(db, &prompts, 2, "yes", &folds, &err), ERR_DATA, "'a_no'",
                 &err);
    assert_fails(fold_plan_by_group(db, &prompts, 2, "(", &folds, &err), ERR_CONFIG, "", &err);
    assert_null(folds);
}

/* As split_of says for each prompt. */
static void test_split__follows_the_hash(void **state) {
    (void)state;
    static char names[100][8];
    static struct row rows[100];
    for (int i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "q%d", i);
        rows[i] = (struct row){.prompt = names[i]};
    }
    make_log(rows, 100);
    struct error err = ERROR_INIT;
    const struct split_shares shares = {.validation = 0.3, .test = 0.3};
    SCOPED(mem) int32_t *folds = NULL;
    const struct fold_prompts prompts = fold_prompts_of(&set);
    assert_ok(fold_plan_by_split(db, &prompts, &shares, &folds, &err), &err);
    int64_t counts[3] = {0, 0, 0};
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    assert_ok(db_stmt_open(db, "SELECT hash FROM prompt WHERE id = ?1", &stmt, &err), &err);
    for (int64_t b = 0; b < 100; b++) {
        bool has_row = false;
        const void *hash = NULL;
        size_t bytes = 0;
        struct hash_key key;
        db_bind_i64(stmt, 1, set.block_prompt_ids[b]);
        assert_ok(db_stmt_step(stmt, &has_row, &err), &err);
        assert_ok(db_column_blob(stmt, 0, &hash, &bytes, &err), &err);
        memcpy(key.bytes, hash, sizeof key.bytes);
        db_stmt_reset(stmt);
        static const int32_t fold_of_split[] = {
            [SPLIT_TRAIN] = 1, [SPLIT_VALIDATION] = -1, [SPLIT_TEST] = 0};
        assert_int_equal(folds[b], fold_of_split[split_of(PROMPT_TEXT, &key, &shares)]);
        counts[folds[b] + 1]++;
    }
    assert_true(counts[0] > 10 && counts[1] > 10 && counts[2] > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_group__sides_of_a_debate_stay_together, teardown),
        cmocka_unit_test_teardown(test_group__by_topic_or_prompt, teardown),
        cmocka_unit_test_teardown(test_group__refuses_what_makes_no_folds, teardown),
        cmocka_unit_test_teardown(test_split__follows_the_hash, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
