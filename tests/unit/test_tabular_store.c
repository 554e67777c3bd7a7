/* Fits into the project file and back, and as rewards. */
#include "reward/tabular_store.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "data/preference_log.h"
#include "data/project.h"
#include "reward/reward_tabular.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/near.h"
#include "tests/support/scratch.h"

#include <stdio.h>
#include <string.h>

#define NOW_MS INT64_C(1763781845000) /* 2025-11-22T03:24:05Z */

/* ---- a small log ---- */

static struct preference_prompt text_prompt(const char *text) {
    return (struct preference_prompt){.kind = PROMPT_TEXT, .text = text_span_of(text)};
}

static void append_pair(struct preference_log *log, const char *prompt, const char *better,
                        const char *worse, const char *annotator) {
    struct preference_response sides[2] = {
        {.text = text_span_of(better), .origin = text_span_of("writer one"), .rank = 1},
        {.text = text_span_of(worse), .origin = text_span_of("writer two"), .rank = 2},
    };
    struct preference row = {
        .kind = PREFERENCE_COMPARISON,
        .line = 1,
        .weight = 1.0,
        .prompt = text_prompt(prompt),
        .responses = sides,
        .response_count = 2,
        .annotator = text_span_of(annotator),
        .population = text_span_of("tasters"),
    };
    struct error err = ERROR_INIT;
    assert_ok(preference_log_append(log, &row, &err), &err);
}

static void fill_log(struct db *db) {
    struct error err = ERROR_INIT;
    SCOPED(preference_log) struct preference_log *log = NULL;
    assert_ok(preference_log_open(db, &log, &err), &err);
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    assert_ok(db_tx_open(db, &tx, &err), &err);
    assert_ok(preference_log_begin_source(log, "t.jsonl", "trl", "{}", NOW_MS, &err), &err);
    append_pair(log, "What to drink?", "Tea.", "Coffee.", "ann");
    append_pair(log, "What to drink?", "Tea.", "Coffee.", "bob");
    append_pair(log, "What to drink?", "Coffee.", "Tea.", "cy");
    append_pair(log, "What to eat?", "Cake.", "Bread.", "ann");
    append_pair(log, "What to eat?", "Bread.", "Cake.", "bob");
    append_pair(log, "What to eat?", "Bread.", "Tea.", "cy");
    append_pair(log, "What to eat?", "Tea.", "Bread.", "cy");
    struct preference_source_summary summary = {.sha256 = {{1}}, .bytes = 1, .rows = 7};
    assert_ok(preference_log_end_source(log, &summary, &err), &err);
    assert_ok(db_tx_commit(&tx, &err), &err);
}

struct fixture {
    struct db *db;
    struct comparison_set_options read;
    struct comparison_set set;
    struct tabular_fit fit;
};

static void fixture_deinit(struct fixture *f) {
    tabular_fit_deinit(&f->fit);
    comparison_set_deinit(&f->set);
    db_close(f->db);
}

static inline void fixture_scoped_end(struct fixture *f) {
    fixture_deinit(f);
}

static void fixture_init(struct fixture *f, const char *path, enum tabular_model model) {
    struct error err = ERROR_INIT;
    *f = (struct fixture){.db = NULL};
    assert_ok(project_open(path, DB_MODE_CREATE, NULL, &f->db, &err), &err);
    fill_log(f->db);
    assert_ok(comparison_set_load(f->db, &f->read, &f->set, &err), &err);
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    options.model = model;
    options.estimator = TABULAR_MAXIMUM_POSTERIOR;
    options.ridge = 0.25;
    assert_ok(tabular_fit_run(&f->set, &options, &f->fit, &err), &err);
}

static enum err_code save(struct fixture *f, const char *name, bool replace, struct error *err) {
    const struct tabular_record record = {.name = name,
                                          .why_model = "it was tried",
                                          .replace = replace,
                                          .read = &f->read,
                                          .now_ms = NOW_MS};
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    TRY(db_tx_open(f->db, &tx, err));
    TRY(tabular_store_save(f->db, &f->set, &f->fit, &record, err));
    return db_tx_commit(&tx, err);
}

/* ---- there and back ---- */

static void check_same_fit(const struct tabular_fit *read, const struct tabular_fit *saved) {
    assert_int_equal(read->options.model, saved->options.model);
    assert_int_equal(read->options.estimator, saved->options.estimator);
    assert_true(read->options.ridge == saved->options.ridge);
    assert_int_equal(read->item_count, saved->item_count);
    assert_int_equal(read->parameter_count, saved->parameter_count);
    assert_int_equal(read->annotator_count, saved->annotator_count);
    assert_int_equal(read->covariance_size, saved->covariance_size);
    assert_int_equal(read->free_parameters, saved->free_parameters);
    assert_int_equal(read->degrees_of_freedom, saved->degrees_of_freedom);
    assert_true(read->log_likelihood == saved->log_likelihood);
    assert_true(read->log_likelihood_null == saved->log_likelihood_null);
    assert_true(isnan(read->aic) && isnan(saved->aic)); /* map */
    assert_int_equal(read->comparisons, saved->comparisons);
    assert_int_equal(read->blocks, saved->blocks);
    assert_int_equal(read->identical, saved->identical);
    assert_int_equal(read->has_counts, saved->has_counts);
    for (int64_t i = 0; i < saved->item_count; i++) {
        assert_true(read->rewards[i] == saved->rewards[i]);
        assert_true(read->std_errors[i] == saved->std_errors[i]);
        for (int64_t j = 0; j < saved->item_count; j++) {
            assert_true(tabular_fit_covariance(read, i, j) == tabular_fit_covariance(saved, i, j));
        }
    }
    for (int64_t p = 0; p < saved->parameter_count; p++) {
        assert_string_equal(read->parameters[p].name, saved->parameters[p].name);
        assert_true(read->parameters[p].value == saved->parameters[p].value);
        assert_true(read->parameters[p].std_error == saved->parameters[p].std_error);
    }
    for (int64_t a = 0; a < saved->annotator_count && saved->reliabilities; a++) {
        assert_true(read->reliabilities[a] == saved->reliabilities[a]);
        assert_true(read->reliability_std_errors[a] == saved->reliability_std_errors[a]);
    }
}

static void check_there_and_back(struct scratch *scratch, const char *file,
                                 enum tabular_model model) {
    struct error err = ERROR_INIT;
    SCOPED(fixture) struct fixture f;
    fixture_init(&f, scratch_path(scratch, file), model);
    assert_ok(save(&f, "tea", false, &err), &err);
    SCOPED(tabular_stored) struct tabular_stored stored = TABULAR_STORED_INIT;
    assert_ok(tabular_store_load(f.db, "tea", &stored, &err), &err);
    check_same_fit(&stored.fit, &f.fit);
    assert_string_equal(stored.name, "tea");
    assert_string_equal(stored.why_model, "it was tried");
    assert_null(stored.population);
    assert_int_equal(stored.created_at_ms, NOW_MS);
    assert_int_equal(stored.items, COMPARISON_ITEMS_RESPONSES);
    for (int64_t i = 0; i < f.set.item_count; i++) {
        assert_int_equal(stored.response_ids[i], f.set.item_response_ids[i]);
        assert_int_equal(stored.prompt_ids[i], f.set.block_prompt_ids[f.set.item_blocks[i]]);
    }
    assert_true(tabular_stored_comparable(&stored, 0, 1));
    assert_false(tabular_stored_comparable(&stored, 0, f.set.item_count - 1));
}

static void test_store__gives_back_every_model(void **state) {
    check_there_and_back(*state, "bt.db", TABULAR_BRADLEY_TERRY);
    check_there_and_back(*state, "pl.db", TABULAR_PLACKETT_LUCE);
    check_there_and_back(*state, "crowd.db", TABULAR_CROWD_BT);
}

static void test_store__keeps_items_that_are_origins(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(fixture) struct fixture f;
    fixture_init(&f, scratch_path(scratch, "o.db"), TABULAR_BRADLEY_TERRY);
    comparison_set_deinit(&f.set);
    tabular_fit_deinit(&f.fit);
    f.read.items = COMPARISON_ITEMS_ORIGINS;
    f.read.population = "tasters";
    assert_ok(comparison_set_load(f.db, &f.read, &f.set, &err), &err);
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    options.estimator = TABULAR_MAXIMUM_POSTERIOR;
    assert_ok(tabular_fit_run(&f.set, &options, &f.fit, &err), &err);
    assert_ok(save(&f, "writers/tasters", false, &err), &err);
    SCOPED(tabular_stored) struct tabular_stored stored = TABULAR_STORED_INIT;
    assert_ok(tabular_store_load(f.db, NULL, &stored, &err), &err);
    assert_string_equal(stored.population, "tasters");
    assert_int_equal(stored.items, COMPARISON_ITEMS_ORIGINS);
    assert_string_equal(stored.origins[0], "writer one");
    assert_true(tabular_stored_comparable(&stored, 0, 1));
    int64_t item = -1;
    assert_ok(tabular_stored_find_item(f.db, &stored, "writer two", &item, &err), &err);
    assert_int_equal(item, 1);
}

static void check_same_set(const struct comparison_set *read, const struct comparison_set *set) {
    assert_int_equal(read->item_count, set->item_count);
    assert_int_equal(read->count, set->count);
    for (int64_t m = 0; m < set->starts[set->count]; m++) {
        assert_int_equal(read->items[m], set->items[m]);
        assert_int_equal(read->ranks[m], set->ranks[m]);
    }
}

static void test_load_set__reads_what_the_fit_was_made_from(void **state) {
    struct error err = ERROR_INIT;
    const struct comparison_set_options reads[] = {
        {.population = "tasters"},
        {.items = COMPARISON_ITEMS_ORIGINS},
        {.one_split = true, .split = SPLIT_TRAIN},
    };
    for (size_t k = 0; k < sizeof reads / sizeof *reads; k++) {
        SCOPED(fixture) struct fixture f;
        SCOPED(tabular_stored) struct tabular_stored stored = TABULAR_STORED_INIT;
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        char file[16];
        (void)snprintf(file, sizeof file, "set%zu.db", k);
        fixture_init(&f, scratch_path(*state, file), TABULAR_BRADLEY_TERRY);
        comparison_set_deinit(&f.set);
        tabular_fit_deinit(&f.fit);
        f.read = reads[k];
        assert_ok(comparison_set_load(f.db, &f.read, &f.set, &err), &err);
        struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
        options.estimator = TABULAR_MAXIMUM_POSTERIOR;
        assert_ok(tabular_fit_run(&f.set, &options, &f.fit, &err), &err);
        assert_ok(save(&f, "tea", false, &err), &err);
        assert_ok(tabular_store_load(f.db, "tea", &stored, &err), &err);
        assert_ok(tabular_stored_load_set(f.db, &stored, &set, &err), &err);
        check_same_set(&set, &f.set);
    }
}

static enum err_code load_set(void *context, struct error *err) {
    const struct fixture *f = context;
    SCOPED(tabular_stored) struct tabular_stored stored = TABULAR_STORED_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    TRY(tabular_store_load(f->db, "tea", &stored, err));
    return tabular_stored_load_set(f->db, &stored, &set, err);
}

static void test_load_set__refuses_a_log_that_has_changed(void **state) {
    struct error err = ERROR_INIT;
    SCOPED(fixture) struct fixture f;
    fixture_init(&f, scratch_path(*state, "changed.db"), TABULAR_BRADLEY_TERRY);
    assert_ok(save(&f, "tea", false, &err), &err);
    assert_ok(load_set(&f, &err), &err);
    static const char *const deletions[] = {"DELETE FROM comparison_item WHERE comparison_id = 1",
                                            "DELETE FROM comparison WHERE id = 1"};
    for (int d = 0; d < 2; d++) {
        SCOPED(db_stmt) struct db_stmt *stmt = NULL;
        assert_ok(db_stmt_open(f.db, deletions[d], &stmt, &err), &err);
        assert_ok(db_stmt_run(stmt, &err), &err);
    }
    assert_fails(load_set(&f, &err), ERR_DATA,
                 "the preferences have changed since fit 'tea' was made", &err);
}

/* ---- names ---- */

static void test_save__does_not_replace_unless_asked(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(fixture) struct fixture f;
    fixture_init(&f, scratch_path(scratch, "t.db"), TABULAR_BRADLEY_TERRY);
    assert_ok(save(&f, "tea", false, &err), &err);
    assert_fails(save(&f, "tea", false, &err), ERR_DATA,
                 "'tea' has been there since 2025-11-22T03:24:05Z", &err);
    f.fit.rewards[0] = 7.0;
    assert_ok(save(&f, "tea", true, &err), &err);
    SCOPED(tabular_stored) struct tabular_stored stored = TABULAR_STORED_INIT;
    assert_ok(tabular_store_load(f.db, "tea", &stored, &err), &err);
    assert_true(stored.fit.rewards[0] == 7.0);
    int64_t left = 0;
    assert_ok(db_query_i64(f.db, "SELECT count(*) FROM reward_item", &left, &err), &err);
    assert_int_equal(left, f.set.item_count);
    assert_ok(db_query_i64(f.db, "SELECT count(*) FROM reward_covariance", &left, &err), &err);
    assert_int_equal(left, 1);
}

static void test_save__refuses_names_that_cannot_be_typed(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(fixture) struct fixture f;
    fixture_init(&f, scratch_path(scratch, "t.db"), TABULAR_BRADLEY_TERRY);
    char longest[TABULAR_NAME_BYTES_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[TABULAR_NAME_BYTES_MAX + 1] = '\0';
    assert_fails(save(&f, "", false, &err), ERR_CONFIG, "has 0 bytes", &err);
    assert_fails(save(&f, "a\nb", false, &err), ERR_CONFIG, "at byte 2", &err);
    assert_fails(save(&f, "a\xff", false, &err), ERR_CONFIG, "at byte 2", &err);
    assert_fails(save(&f, longest, false, &err), ERR_CONFIG, "has 201 bytes", &err);
    longest[TABULAR_NAME_BYTES_MAX] = '\0';
    assert_ok(save(&f, longest, false, &err), &err);
}

static void test_load__says_which_fits_there_are(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(fixture) struct fixture f;
    fixture_init(&f, scratch_path(scratch, "t.db"), TABULAR_BRADLEY_TERRY);
    SCOPED(tabular_stored) struct tabular_stored stored = TABULAR_STORED_INIT;
    assert_fails(tabular_store_load(f.db, NULL, &stored, &err), ERR_CONFIG,
                 "make one with: accord reward fit", &err);
    assert_ok(save(&f, "one", false, &err), &err);
    assert_fails(tabular_store_load(f.db, "none", &stored, &err), ERR_CONFIG,
                 "no fit named 'none'; there is 'one'", &err);
    assert_ok(save(&f, "two", false, &err), &err);
    assert_fails(tabular_store_load(f.db, NULL, &stored, &err), ERR_CONFIG,
                 "there are 2 fits; say which with --fit: 'one', 'two'", &err);
    assert_null(stored.name);
    SCOPED(tabular_list) struct tabular_list list = TABULAR_LIST_INIT;
    assert_ok(tabular_store_list(f.db, &list, &err), &err);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.fits[0].name, "one");
    assert_string_equal(list.fits[1].model, "bradley-terry");
    assert_int_equal(list.fits[1].item_count, f.set.item_count);
}

static void test_find_item__wants_one_answer(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(fixture) struct fixture f;
    fixture_init(&f, scratch_path(scratch, "t.db"), TABULAR_BRADLEY_TERRY);
    assert_ok(save(&f, "one", false, &err), &err);
    SCOPED(tabular_stored) struct tabular_stored stored = TABULAR_STORED_INIT;
    assert_ok(tabular_store_load(f.db, NULL, &stored, &err), &err);
    int64_t item = -1;
    char number[32];
    (void)snprintf(number, sizeof number, "#%d", (int)stored.response_ids[1]);
    assert_ok(tabular_stored_find_item(f.db, &stored, number, &item, &err), &err);
    assert_int_equal(item, 1);
    assert_fails(tabular_stored_find_item(f.db, &stored, "Tea.", &item, &err), ERR_USAGE,
                 "an answer to", &err); /* one by each writer, to each prompt */
    assert_fails(tabular_stored_find_item(f.db, &stored, "Cofee.", &item, &err), ERR_USAGE,
                 "did you mean 'Coffee.'?", &err);
    assert_fails(tabular_stored_find_item(f.db, &stored, "#999", &item, &err), ERR_USAGE,
                 "no item '#999'", &err);
}

static void test_load__refuses_what_does_not_fit_together(void **state) {
    static const char *const damages[] = {
        "UPDATE reward_item SET item = 99 WHERE item = 0",
        "UPDATE reward_covariance SET lower = zeroblob(8)",
        "UPDATE reward_covariance SET size = 3",
        "UPDATE reward_fit SET config_json = '{}'",
        "UPDATE reward_fit SET config_json = replace(config_json, 'bradley-terry', 'elo')",
        "UPDATE reward_fit SET result_json = '['",
    };
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    for (size_t d = 0; d < sizeof damages / sizeof *damages; d++) {
        char file[16];
        (void)snprintf(file, sizeof file, "%d.db", (int)d);
        SCOPED(fixture) struct fixture f;
        fixture_init(&f, scratch_path(scratch, file), TABULAR_BRADLEY_TERRY);
        assert_ok(save(&f, "one", false, &err), &err);
        SCOPED(db_stmt) struct db_stmt *damage = NULL;
        assert_ok(db_stmt_open(f.db, damages[d], &damage, &err), &err);
        assert_ok(db_stmt_run(damage, &err), &err);
        SCOPED(tabular_stored) struct tabular_stored stored = TABULAR_STORED_INIT;
        assert_fails(tabular_store_load(f.db, "one", &stored, &err), ERR_DATA, "one", &err);
        assert_null(stored.fit.rewards);
    }
}

/* ---- as a reward ---- */

static double score(struct db *db, const struct preference_prompt *prompt,
                    const struct preference_response *response) {
    struct error err = ERROR_INIT;
    SCOPED(reward) struct reward *reward = NULL;
    double value = 0.0;
    assert_ok(reward_tabular_open(db, NULL, &reward, &err), &err);
    const struct reward_item item = {prompt, response};
    assert_ok(reward_score(reward, &item, 1, &value, &err), &err);
    return value;
}

/* The reward of a response of the fit; NaN if it is none. */
static double fitted(const struct fixture *f, const char *text, const char *origin) {
    struct error err = ERROR_INIT;
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    assert_ok(db_stmt_open(f->db,
                           "SELECT r.id FROM response r JOIN prompt p ON p.id = r.prompt_id WHERE"
                           " p.content = 'What to drink?' AND r.content = ?1 AND r.origin = ?2",
                           &stmt, &err),
              &err);
    db_bind_text(stmt, 1, text, strlen(text));
    db_bind_text(stmt, 2, origin, strlen(origin));
    bool has_row = false;
    int64_t id = 0;
    assert_ok(db_stmt_step(stmt, &has_row, &err), &err);
    assert_true(has_row);
    assert_ok(db_column_i64(stmt, 0, &id, &err), &err);
    for (int64_t i = 0; i < f->set.item_count; i++) {
        if (f->set.item_response_ids[i] == id) {
            return f->fit.rewards[i];
        }
    }
    return (double)NAN;
}

static void test_reward__is_that_of_the_same_prompt_and_answer(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(fixture) struct fixture f;
    fixture_init(&f, scratch_path(scratch, "t.db"), TABULAR_BRADLEY_TERRY);
    assert_ok(save(&f, "one", false, &err), &err);
    struct preference_prompt drink = text_prompt("What to drink?");
    struct preference_prompt other = text_prompt("What to drink");
    struct preference_response tea = {.text = text_span_of("Tea."),
                                      .origin = text_span_of("writer one")};
    double first = fitted(&f, "Tea.", "writer one"), second = fitted(&f, "Tea.", "writer two");
    assert_true(first > second);
    assert_true(score(f.db, &drink, &tea) == first);
    assert_true(isnan(score(f.db, &other, &tea)));
    tea.origin = text_span_of("writer three");
    assert_true(isnan(score(f.db, &drink, &tea)));
    tea.origin = (struct text_span)TEXT_SPAN_NONE;
    assert_near(score(f.db, &drink, &tea), 0.5 * (first + second), 1e-15);
    tea.text = text_span_of("Water.");
    assert_true(isnan(score(f.db, &drink, &tea)));
    /* as the one message of an assistant */
    struct message message = {text_span_of("assistant"), text_span_of("Tea.")};
    struct preference_response chat = {
        .messages = &message, .message_count = 1, .origin = text_span_of("writer two")};
    assert_true(score(f.db, &drink, &chat) == second);
}

/* ---- failures ---- */

struct operation {
    struct fixture *f;
    const char *path;
};

/* Opens the file itself: SQLite may keep memory for as long as it is open. What is saved need not
 * reach the disk, for which a thousand runs would wait. */
static enum err_code open_quickly(const struct operation *operation, struct db **out_db,
                                  struct error *err) {
    TRY(project_open(operation->path, DB_MODE_WRITE, NULL, out_db, err));
    SCOPED(db_stmt) struct db_stmt *pragma = NULL;
    TRY(db_stmt_open(*out_db, "PRAGMA synchronous = OFF", &pragma, err));
    return db_stmt_run(pragma, err);
}

static enum err_code only_open(void *context, struct error *err) {
    SCOPED(db) struct db *db = NULL;
    return open_quickly(context, &db, err);
}

static enum err_code replace(void *context, struct error *err) {
    struct operation *operation = context;
    struct fixture f = *operation->f;
    SCOPED(db) struct db *db = NULL;
    TRY(open_quickly(operation, &db, err));
    f.db = db;
    return save(&f, "one", true, err);
}

static enum err_code load(void *context, struct error *err) {
    SCOPED(db) struct db *db = NULL;
    TRY(open_quickly(context, &db, err));
    SCOPED(tabular_stored) struct tabular_stored stored = TABULAR_STORED_INIT;
    TRY(tabular_store_load(db, "one", &stored, err));
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    TRY(tabular_stored_load_set(db, &stored, &set, err));
    SCOPED(reward) struct reward *reward = NULL;
    return reward_tabular_open(db, "one", &reward, err);
}

static void test_store__survives_the_failure_of_any_allocation(void **state) {
    struct scratch *scratch = *state;
    SCOPED(fixture) struct fixture f;
    struct operation operation = {&f, scratch_path(scratch, "t.db")};
    fixture_init(&f, operation.path, TABULAR_CROWD_BT);
    db_close(f.db);
    f.db = NULL;
    alloc_loop_check_after(only_open, replace, &operation);
    alloc_loop_check_after(only_open, load, &operation);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_store__gives_back_every_model),
        SCRATCH_TEST(test_store__keeps_items_that_are_origins),
        SCRATCH_TEST(test_load_set__reads_what_the_fit_was_made_from),
        SCRATCH_TEST(test_load_set__refuses_a_log_that_has_changed),
        SCRATCH_TEST(test_save__does_not_replace_unless_asked),
        SCRATCH_TEST(test_save__refuses_names_that_cannot_be_typed),
        SCRATCH_TEST(test_load__says_which_fits_there_are),
        SCRATCH_TEST(test_find_item__wants_one_answer),
        SCRATCH_TEST(test_load__refuses_what_does_not_fit_together),
        SCRATCH_TEST(test_reward__is_that_of_the_same_prompt_and_answer),
        SCRATCH_TEST(test_store__survives_the_failure_of_any_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
