#include "data/preference_reader.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "data/preference_key.h"
#include "data/preference_log.h"
#include "data/project.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/log_sample.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#define ROWS 600

struct fixture {
    struct db *db;
    struct log_sample sample;
};

static int setup(void **state) {
    struct fixture *f = mem_array_zero(1, sizeof *f);
    if (!f) {
        return -1;
    }
    struct error err = ERROR_INIT;
    *state = f;
    f->sample = (struct log_sample)LOG_SAMPLE_INIT;
    log_sample_fill(&f->sample, 11, ROWS);
    assert_ok(project_open(":memory:", DB_MODE_CREATE, NULL, &f->db, &err), &err);
    log_sample_append(f->db, &f->sample);
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    log_sample_deinit(&f->sample);
    db_close(f->db);
    mem_free(f);
    return 0;
}

/* ---- what a filter must let through, said once more in other words ---- */

static bool is_text(const struct text_span *text, const char *expected) {
    const struct text_span other = text_span_of(expected);
    return text_span_equal(text, &other);
}

static enum split split_of_prompt(const struct preference_prompt *prompt,
                                  const struct split_shares *shares) {
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf scratch = STRBUF_INIT(MIB);
    struct hash_key key;
    assert_ok(preference_key_of_prompt(prompt, &scratch, &key, &err), &err);
    const struct split_shares usual = SPLIT_SHARES_DEFAULT;
    return split_of(prompt->kind, &key, shares->test > 0.0 ? shares : &usual);
}

static bool passes(const struct preference_filter *filter, const struct preference *row) {
    return (filter->kinds == 0 || (filter->kinds & (1U << row->kind)) != 0) &&
           (!filter->aspect || is_text(&row->aspect, filter->aspect)) &&
           (!filter->population || is_text(&row->population, filter->population)) &&
           (!filter->topic || is_text(&row->prompt.topic, filter->topic)) &&
           (!filter->one_split ||
            split_of_prompt(&row->prompt, &filter->shares) == filter->split) &&
           (filter->source_id == 0 || filter->source_id == 1);
}

/* Reads everything, comparing with the sample: by kind, and within a kind in order. */
static int64_t check_read(struct fixture *f, const struct preference_filter *filter) {
    struct error err = ERROR_INIT;
    SCOPED(preference_reader) struct preference_reader *reader = NULL;
    assert_ok(preference_reader_open(f->db, filter, &reader, &err), &err);
    struct preference_record record;
    bool has_record = false;
    int64_t count = 0;
    for (int kind = 0; kind < PREFERENCE_KIND_COUNT; kind++) {
        for (int64_t i = 0; i < f->sample.count; i++) {
            const struct preference *expected = &f->sample.rows[i];
            if ((int)expected->kind == kind && passes(filter, expected)) {
                assert_ok(preference_reader_next(reader, &record, &has_record, &err), &err);
                assert_true(has_record);
                assert_preference_equal(&record.row, expected);
                assert_int_equal(record.row.line, expected->line);
                count++;
            }
        }
    }
    for (int again = 0; again < 2; again++) { /* the end stays the end */
        assert_ok(preference_reader_next(reader, &record, &has_record, &err), &err);
        assert_false(has_record);
    }
    return count;
}

static void test_reader__gives_back_what_was_appended(void **state) {
    assert_int_equal(check_read(*state, &(struct preference_filter){0}), ROWS);
}

static void test_reader__filters(void **state) {
    const struct preference_filter filters[] = {
        {.kinds = 1U << PREFERENCE_RATING},
        {.kinds = 1U << PREFERENCE_COMPARISON | 1U << PREFERENCE_PROMPT},
        {.aspect = "help"},
        {.population = "people 1"},
        {.topic = "topic 1"},
        {.one_split = true, .split = SPLIT_TRAIN},
        {.one_split = true, .split = SPLIT_TEST, .shares = {.validation = 0.2, .test = 0.5}},
        {.kinds = 1U << PREFERENCE_COMPARISON, .aspect = "harm", .population = "people 2"},
        {.source_id = 1},
    };
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        int64_t count = check_read(*state, &filters[i]);
        assert_true(count > 0 && (count < ROWS || filters[i].source_id == 1));
    }
    assert_int_equal(check_read(*state, &(struct preference_filter){.topic = "none such"}), 0);
    assert_int_equal(check_read(*state, &(struct preference_filter){.source_id = 2}), 0);
}

static void test_reader__splits_are_disjoint_and_complete(void **state) {
    int64_t count = 0;
    for (int split = 0; split < SPLIT_COUNT; split++) {
        const struct preference_filter filter = {.one_split = true, .split = (enum split)split};
        count += check_read(*state, &filter);
    }
    assert_int_equal(count, ROWS);
}

static void test_reader__says_where_a_row_came_from(void **state) {
    struct fixture *f = *state;
    struct error err = ERROR_INIT;
    SCOPED(preference_reader) struct preference_reader *reader = NULL;
    SCOPED(strbuf) struct strbuf scratch = STRBUF_INIT(MIB);
    SCOPED(db_stmt) struct db_stmt *find = NULL;
    assert_ok(preference_reader_open(f->db, &(struct preference_filter){0}, &reader, &err), &err);
    assert_ok(
        db_stmt_open(f->db, "SELECT prompt_id, hash FROM response WHERE id = ?1", &find, &err),
        &err);
    struct preference_record record;
    bool has_record = false;
    for (int64_t i = 0; i < 50; i++) {
        struct hash_key key;
        int64_t prompt_id = 0;
        assert_ok(preference_reader_next(reader, &record, &has_record, &err), &err);
        assert_string_equal(record.source_path, "sample");
        assert_int_equal(record.source_id, 1);
        assert_int_equal(record.id, i + 1);
        assert_ok(preference_key_of_prompt(&record.row.prompt, &scratch, &key, &err), &err);
        assert_memory_equal(key.bytes, record.prompt_hash.bytes, sizeof key.bytes);
        for (int64_t r = 0; r < record.row.response_count; r++) {
            bool found = false;
            const void *hash = NULL;
            size_t count = 0;
            db_bind_i64(find, 1, record.response_ids[r]);
            assert_ok(db_stmt_step(find, &found, &err), &err);
            assert_true(found);
            assert_ok(db_column_i64(find, 0, &prompt_id, &err), &err);
            assert_ok(db_column_blob(find, 1, &hash, &count, &err), &err);
            assert_int_equal(prompt_id, record.prompt_id);
            assert_ok(preference_key_of_response(&record.row.responses[r], &scratch, &key, &err),
                      &err);
            assert_memory_equal(hash, key.bytes, sizeof key.bytes);
            db_stmt_reset(find);
        }
    }
}

static void test_reader__comparison_without_responses_is_refused(void **state) {
    struct fixture *f = *state;
    struct error err = ERROR_INIT;
    SCOPED(db_stmt) struct db_stmt *cut = NULL;
    assert_ok(
        db_stmt_open(f->db, "DELETE FROM comparison_item WHERE comparison_id = 2", &cut, &err),
        &err);
    assert_ok(db_stmt_run(cut, &err), &err);
    SCOPED(preference_reader) struct preference_reader *reader = NULL;
    struct preference_record record;
    bool has_record = false;
    assert_ok(preference_reader_open(f->db, &(struct preference_filter){0}, &reader, &err), &err);
    assert_ok(preference_reader_next(reader, &record, &has_record, &err), &err);
    assert_fails(preference_reader_next(reader, &record, &has_record, &err), ERR_DATA,
                 "comparison 2 of the log has 0 responses", &err);
}

struct reading {
    char *path;
    struct preference_filter filter;
};

/* Opens the file too: what a connection keeps in its cache would look like a leak. */
static enum err_code read_all(void *context, struct error *err) {
    const struct reading *reading = context;
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(reading->path, DB_MODE_READ_ONLY, NULL, &db, err));
    SCOPED(preference_reader) struct preference_reader *reader = NULL;
    TRY(preference_reader_open(db, &reading->filter, &reader, err));
    bool has_record = true;
    while (has_record) {
        struct preference_record record;
        TRY(preference_reader_next(reader, &record, &has_record, err));
    }
    return ERR_OK;
}

static enum err_code only_open(void *context, struct error *err) {
    const struct reading *reading = context;
    SCOPED(db) struct db *db = NULL;
    return project_open(reading->path, DB_MODE_READ_ONLY, NULL, &db, err);
}

static void test_reader__survives_every_allocation_failing(void **state) {
    struct error err = ERROR_INIT;
    char *path = scratch_path(*state, "p.db");
    struct db *db = NULL;
    SCOPED(log_sample) struct log_sample sample = LOG_SAMPLE_INIT;
    log_sample_fill(&sample, 2, 12);
    assert_ok(project_open(path, DB_MODE_CREATE, NULL, &db, &err), &err);
    log_sample_append(db, &sample);
    db_close(db);
    for (uint32_t kind = 0; kind < PREFERENCE_KIND_COUNT; kind++) { /* quicker than all at once */
        struct reading plain = {.path = path, .filter = {.kinds = UINT32_C(1) << kind}};
        alloc_loop_check_after(only_open, read_all, &plain);
    }
    struct reading filtered = {.path = path,
                               .filter = {.kinds = UINT32_C(1) << PREFERENCE_LABEL,
                                          .aspect = "help",
                                          .population = "people 1",
                                          .topic = "topic 1"}};
    alloc_loop_check_after(only_open, read_all, &filtered);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_reader__gives_back_what_was_appended),
        CASE(test_reader__filters),
        CASE(test_reader__splits_are_disjoint_and_complete),
        CASE(test_reader__says_where_a_row_came_from),
        CASE(test_reader__comparison_without_responses_is_refused),
        SCRATCH_TEST(test_reader__survives_every_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
