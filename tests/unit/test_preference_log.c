#include "data/preference_log.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "data/preference_key.h"
#include "data/project.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/kill_loop.h"
#include "tests/support/log_sample.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- a log in memory, with a source begun ---- */

struct fixture {
    struct db *db;
    struct preference_log *log;
    struct db_tx tx;
    struct error err;
};

static void begin(struct fixture *f, const char *path) {
    assert_ok(preference_log_open(f->db, &f->log, &f->err), &f->err);
    assert_ok(db_tx_open(f->db, &f->tx, &f->err), &f->err);
    assert_ok(preference_log_begin_source(f->log, path, "trl", "{}", 1700000000000, &f->err),
              &f->err);
}

static int setup(void **state) {
    struct fixture *f = mem_array_zero(1, sizeof *f);
    if (!f) {
        return -1;
    }
    *state = f;
    assert_ok(project_open(":memory:", DB_MODE_CREATE, NULL, &f->db, &f->err), &f->err);
    begin(f, "a.jsonl");
    return 0;
}

static void end(struct fixture *f) {
    preference_log_close(f->log);
    f->log = NULL;
    db_tx_close(&f->tx);
}

static int teardown(void **state) {
    struct fixture *f = *state;
    end(f);
    db_close(f->db);
    mem_free(f);
    return 0;
}

static int64_t query(struct db *db, const char *sql) {
    struct error err = ERROR_INIT;
    int64_t value = -1;
    assert_ok(db_query_i64(db, sql, &value, &err), &err);
    return value;
}

static void add(struct fixture *f, const struct preference *row) {
    assert_ok(preference_log_append(f->log, row, &f->err), &f->err);
}

/* Two texts, the first better. */
struct pair {
    struct preference_response sides[2];
    struct preference row;
};

static struct pair *pair_of(struct pair *pair, const char *prompt, const char *chosen,
                            const char *rejected) {
    *pair = (struct pair){
        .sides = {{.text = text_span_of(chosen), .rank = 1},
                  {.text = text_span_of(rejected), .rank = 2}},
        .row = {.line = 1, .weight = 1.0, .prompt.text = text_span_of(prompt)},
    };
    pair->row.responses = pair->sides;
    pair->row.response_count = 2;
    return pair;
}

static const struct preference_source_summary summary = {
    .sha256.bytes = {7}, .bytes = 100, .rows = 3, .rejected = 1};

/* ---- rows ---- */

static void test_append__equal_content_is_stored_once(void **state) {
    struct fixture *f = *state;
    struct pair p;
    add(f, &pair_of(&p, "What?", "tea", "coffee")->row);
    add(f, &pair_of(&p, "What?", "coffee", "tea")->row);
    add(f, &pair_of(&p, "What?", "tea", "tea")->row);
    add(f, &pair_of(&p, "Why?", "tea", "coffee")->row); /* an answer belongs to its prompt */
    assert_int_equal(query(f->db, "SELECT count(*) FROM prompt"), 2);
    assert_int_equal(query(f->db, "SELECT count(*) FROM response"), 4);
    assert_int_equal(query(f->db, "SELECT count(*) FROM comparison"), 4);
    assert_int_equal(query(f->db, "SELECT count(*) FROM comparison_item"), 8);
    assert_int_equal(query(f->db, "SELECT count(DISTINCT response_id) FROM comparison_item"
                                  " WHERE comparison_id = 3"),
                     1);
}

/* Of what was met lately nothing is known any more: the same must come out. */
static void test_append__finds_content_of_earlier_sources(void **state) {
    struct fixture *f = *state;
    struct pair p;
    pair_of(&p, "What?", "tea", "coffee");
    p.row.annotator = text_span_of("ann");
    add(f, &p.row);
    assert_ok(preference_log_end_source(f->log, &summary, &f->err), &f->err);
    assert_ok(preference_log_begin_source(f->log, "b.jsonl", "trl", "{}", 1, &f->err), &f->err);
    p.row.population = text_span_of("uk");
    p.row.prompt.topic = text_span_of("drinks");
    add(f, &p.row);
    assert_int_equal(query(f->db, "SELECT count(*) FROM prompt WHERE topic = 'drinks'"), 1);
    assert_int_equal(query(f->db, "SELECT count(*) FROM response"), 2);
    assert_int_equal(query(f->db, "SELECT count(*) FROM annotator WHERE population = 'uk'"), 1);
    assert_int_equal(query(f->db, "SELECT count(*) FROM comparison WHERE prompt_id = 1 AND"
                                  " annotator_id = 1 AND source_id = id"),
                     2);
}

static void test_append__origin_makes_another_response(void **state) {
    struct fixture *f = *state;
    struct pair p;
    pair_of(&p, "What?", "tea", "tea");
    p.sides[0].origin = text_span_of("model-1");
    p.sides[1].origin = text_span_of("model-2");
    add(f, &p.row);
    add(f, &pair_of(&p, "What?", "tea", "coffee")->row);
    assert_int_equal(query(f->db, "SELECT count(*) FROM response WHERE content = 'tea'"), 3);
}

static void test_append__first_topic_stays(void **state) {
    struct fixture *f = *state;
    static const char *const topics[] = {NULL, "drinks", "food"};
    struct pair p;
    for (int i = 0; i < 3; i++) {
        pair_of(&p, "What?", "tea", "coffee");
        p.row.prompt.topic = text_span_of(topics[i]);
        add(f, &p.row);
    }
    assert_int_equal(query(f->db, "SELECT count(*) FROM prompt WHERE topic = 'drinks'"), 1);
}

static void test_append__one_assistant_message_is_its_text(void **state) {
    struct fixture *f = *state;
    static const struct message message = {{"assistant", 9}, {"tea", 3}};
    static const struct message user = {{"user", 4}, {"tea", 3}};
    struct pair p;
    pair_of(&p, "What?", "tea", "coffee");
    p.sides[1] = (struct preference_response){.messages = &message, .message_count = 1, .rank = 2};
    add(f, &p.row);
    assert_int_equal(query(f->db, "SELECT count(*) FROM response"), 1);
    p.sides[1].messages = &user;
    add(f, &p.row);
    assert_int_equal(query(f->db, "SELECT count(*) FROM response WHERE kind = 'chat' AND content ="
                                  " '[{\"role\":\"user\",\"content\":\"tea\"}]'"),
                     1);
}

static void test_append__hashes_are_preference_keys(void **state) {
    struct fixture *f = *state;
    SCOPED(strbuf) struct strbuf scratch = STRBUF_INIT(PREFERENCE_KEY_BYTES_MAX);
    SCOPED(db_stmt) struct db_stmt *find = NULL;
    struct hash_key prompt;
    struct hash_key response;
    struct pair p;
    bool found = false;
    pair_of(&p, "What?", "tea", "coffee");
    p.sides[0].origin = text_span_of("ann");
    add(f, &p.row);
    assert_ok(preference_key_of_prompt(&p.row.prompt, &scratch, &prompt, &f->err), &f->err);
    assert_ok(preference_key_of_response(&p.sides[0], &scratch, &response, &f->err), &f->err);
    assert_ok(db_stmt_open(f->db,
                           "SELECT 1 FROM response r JOIN prompt p ON p.id = r.prompt_id"
                           " WHERE p.hash = ?1 AND r.hash = ?2 AND r.content = 'tea'",
                           &find, &f->err),
              &f->err);
    db_bind_blob(find, 1, prompt.bytes, sizeof prompt.bytes);
    db_bind_blob(find, 2, response.bytes, sizeof response.bytes);
    assert_ok(db_stmt_step(find, &found, &f->err), &f->err);
    assert_true(found);
}

/* More prompts than are remembered, each twice, the second time in another order: a slot that was
 * taken over by another prompt must not answer for the first. */
static void test_append__forgetting_changes_nothing(void **state) {
    struct fixture *f = *state;
    const int64_t count = 33000; /* more than there is room for; those again are drawn from all */
    for (int64_t i = 0; i < count + 5000; i++) {
        int64_t index = i < count ? i : i * 7919 % count;
        char prompt[32];
        char item[32];
        struct pair p;
        (void)snprintf(prompt, sizeof prompt, "prompt %" PRId64, index);
        (void)snprintf(item, sizeof item, "answer %" PRId64, index % 10);
        add(f, &pair_of(&p, prompt, item, "none")->row);
    }
    assert_int_equal(query(f->db, "SELECT count(*) FROM prompt"), count);
    assert_int_equal(query(f->db, "SELECT count(*) FROM response"), 2 * count);
    assert_int_equal(query(f->db, "SELECT count(*) FROM comparison_item i"
                                  " JOIN comparison c ON c.id = i.comparison_id"
                                  " JOIN response r ON r.id = i.response_id"
                                  " WHERE r.prompt_id <> c.prompt_id"),
                     0);
    assert_int_equal(query(f->db, "SELECT count(*) FROM comparison_item i"
                                  " JOIN response r ON r.id = i.response_id JOIN prompt p"
                                  " ON p.id = r.prompt_id WHERE i.slot = 0 AND"
                                  " r.content <> 'answer ' || substr(p.content, -1)"),
                     0);
}

static void test_append__annotator_in_two_populations_leaves_nothing_behind(void **state) {
    struct fixture *f = *state;
    struct pair p;
    pair_of(&p, "What?", "tea", "coffee");
    p.row.annotator = text_span_of("ann");
    p.row.population = text_span_of("uk");
    add(f, &p.row);
    pair_of(&p, "Why?", "so", "no");
    p.row.annotator = text_span_of("ann");
    p.row.population = text_span_of("us");
    assert_fails(preference_log_append(f->log, &p.row, &f->err), ERR_DATA,
                 "annotator 'ann': population 'us' here, but 'uk' before", &f->err);
    assert_int_equal(query(f->db, "SELECT count(*) FROM prompt"), 1);
    assert_int_equal(query(f->db, "SELECT count(*) FROM response"), 2);
    p.row.population = (struct text_span)TEXT_SPAN_NONE; /* says nothing, so no contradiction */
    add(f, &p.row);
    assert_int_equal(query(f->db, "SELECT count(*) FROM annotator"), 1);
    assert_int_equal(query(f->db, "SELECT count(*) FROM comparison WHERE annotator_id = 1"), 2);
}

static void test_append__row_that_is_refused_leaves_nothing_behind(void **state) {
    struct fixture *f = *state;
    struct pair p;
    pair_of(&p, "What?", "tea", "coffee");
    p.row.annotator = text_span_of("ann");
    p.sides[1].rank = 0;
    assert_fails(preference_log_append(f->log, &p.row, &f->err), ERR_DATA, "rank 0", &f->err);
    assert_int_equal(query(f->db, "SELECT (SELECT count(*) FROM prompt)"
                                  " + (SELECT count(*) FROM annotator)"),
                     0);
}

static void test_append__columns_hold_what_the_row_says(void **state) {
    struct fixture *f = *state;
    struct pair p;
    pair_of(&p, "What?", "tea", "coffee");
    p.row.line = 17;
    p.row.weight = 2.5;
    p.row.margin = -0.5;
    p.row.has_margin = true;
    p.row.asked_at_ms = -3;
    p.row.has_asked_at = true;
    p.row.aspect = text_span_of("taste");
    p.sides[0].position = 2;
    add(f, &p.row);
    assert_int_equal(query(f->db, "SELECT count(*) FROM comparison WHERE line = 17 AND"
                                  " weight = 2.5 AND margin = -0.5 AND asked_at = -3 AND"
                                  " aspect = 'taste' AND annotator_id IS NULL AND source_id = 1"),
                     1);
    assert_int_equal(query(f->db, "SELECT count(*) FROM comparison_item WHERE slot = 0 AND"
                                  " rank = 1 AND position = 2"),
                     1);
    assert_int_equal(query(f->db, "SELECT count(*) FROM comparison_item WHERE slot = 1 AND"
                                  " rank = 2 AND position IS NULL"),
                     1);
}

/* ---- sources ---- */

static void test_end_source__sets_what_is_known_at_the_end(void **state) {
    struct fixture *f = *state;
    assert_ok(preference_log_end_source(f->log, &summary, &f->err), &f->err);
    assert_int_equal(query(f->db, "SELECT count(*) FROM source WHERE path = 'a.jsonl' AND"
                                  " format = 'trl' AND mapping = '{}' AND bytes = 100 AND"
                                  " rows = 3 AND rejected = 1 AND hex(sha256) LIKE '07%'"),
                     1);
}

static void test_end_source__same_file_in_the_same_format_is_refused(void **state) {
    struct fixture *f = *state;
    bool found = true;
    int64_t imported_at_ms = 0;
    assert_ok(preference_log_find_source(f->db, &summary.sha256, "trl", "{}", &found,
                                         &imported_at_ms, &f->err),
              &f->err);
    assert_false(found);
    assert_ok(preference_log_end_source(f->log, &summary, &f->err), &f->err);
    assert_ok(preference_log_find_source(f->db, &summary.sha256, "trl", "{}", &found,
                                         &imported_at_ms, &f->err),
              &f->err);
    assert_true(found);
    assert_true(imported_at_ms == 1700000000000);
    assert_ok(preference_log_begin_source(f->log, "b.jsonl", "hh", "{}", 1, &f->err), &f->err);
    assert_ok(preference_log_end_source(f->log, &summary, &f->err), &f->err);
    assert_ok(preference_log_begin_source(f->log, "b.jsonl", "trl", "{}", 1, &f->err), &f->err);
    assert_fails(preference_log_end_source(f->log, &summary, &f->err), ERR_DATA,
                 "'b.jsonl' has been imported before, as 'trl' at 2023-11-14T22:13:20Z", &f->err);
}

/* ---- works ---- */

static struct preference_work work_of(const char *owner, const char *title, const char *text) {
    return (struct preference_work){.line = 1,
                                    .owner = text_span_of(owner),
                                    .title = text_span_of(title),
                                    .text = text_span_of(text)};
}

static void test_append_work__owners_and_equal_texts_are_stored_once(void **state) {
    struct fixture *f = *state;
    const struct preference_work works[] = {work_of("Ann", "Tea", "abc"),
                                            work_of("Ann", "Tea again", "abc"),
                                            work_of("Bob", "Mine", "abc")};
    for (int i = 0; i < 3; i++) {
        assert_ok(preference_log_append_work(f->log, &works[i], &f->err), &f->err);
    }
    assert_int_equal(query(f->db, "SELECT count(*) FROM owner"), 2);
    assert_int_equal(query(f->db, "SELECT count(*) FROM work"), 2);
    /* FIPS 180-4: SHA-256 of "abc" */
    assert_int_equal(query(f->db, "SELECT count(*) FROM work w JOIN work_text t ON t.work_id = w.id"
                                  " WHERE title = 'Tea' AND bytes = 3 AND content = 'abc' AND"
                                  " hex(sha256) LIKE 'BA7816BF8F01CFEA414140DE5DAE2223%'"),
                     1);
}

static void test_append_work__later_rows_complete_and_the_earlier_opt_out_counts(void **state) {
    struct fixture *f = *state;
    static const int64_t opt_outs[] = {-1, 2000, 1000, 3000};
    for (int i = 0; i < 4; i++) {
        struct preference_work work = work_of("Ann", "Tea", "abc");
        work.has_opt_out = opt_outs[i] >= 0;
        work.opt_out_at_ms = opt_outs[i];
        work.licence = text_span_of(i == 2 ? "CC0-1.0" : NULL);
        work.payee_ref = text_span_of(i == 1 ? "IBAN 7" : NULL);
        assert_ok(preference_log_append_work(f->log, &work, &f->err), &f->err);
    }
    assert_int_equal(query(f->db, "SELECT opt_out_at FROM work WHERE licence = 'CC0-1.0'"), 1000);
    assert_int_equal(query(f->db, "SELECT count(*) FROM owner WHERE payee_ref = 'IBAN 7' AND"
                                  " cluster IS NULL"),
                     1);
}

static void test_append_work__contradictions_leave_nothing_behind(void **state) {
    struct fixture *f = *state;
    struct preference_work work = work_of("Ann", "Tea", "abc");
    work.licence = text_span_of("CC0-1.0");
    work.cluster = text_span_of("c1");
    assert_ok(preference_log_append_work(f->log, &work, &f->err), &f->err);
    work.licence = text_span_of("MIT");
    work.payee_ref = text_span_of("IBAN 7");
    assert_fails(preference_log_append_work(f->log, &work, &f->err), ERR_DATA,
                 "work 'Tea': licence 'MIT' here, but 'CC0-1.0' before", &f->err);
    work = work_of("Ann", "Other", "def");
    work.cluster = text_span_of("c2");
    assert_fails(preference_log_append_work(f->log, &work, &f->err), ERR_DATA,
                 "owner 'Ann': cluster 'c2' here, but 'c1' before", &f->err);
    assert_int_equal(query(f->db, "SELECT count(*) FROM work"), 1);
    assert_int_equal(query(f->db, "SELECT count(*) FROM owner WHERE payee_ref IS NULL"), 1);
}

/* ---- the whole ---- */

/* While the log is open, foreign keys are not checked: what it wrote is, and is again later. */
static void test_log__leaves_every_reference_right_and_checked(void **state) {
    struct fixture *f = *state;
    end(f);
    SCOPED(log_sample) struct log_sample sample = LOG_SAMPLE_INIT;
    log_sample_fill(&sample, 1, 2000);
    log_sample_append(f->db, &sample);
    assert_ok(db_check_integrity(f->db, &f->err), &f->err);
    SCOPED(db_stmt) struct db_stmt *bad = NULL;
    assert_ok(db_stmt_open(f->db,
                           "INSERT INTO prompt_only(prompt_id, source_id, line, weight)"
                           " VALUES (999999, 1, 1, 1)",
                           &bad, &f->err),
              &f->err);
    assert_fails(db_stmt_run(bad, &f->err), ERR_DATA, "FOREIGN KEY", &f->err);
}

struct small_log {
    char *path; /* of an empty project */
    struct log_sample *sample;
};

/* Rolled back at the end, so that the next time finds the same. */
static enum err_code write_small_log(void *context, struct error *err) {
    const struct small_log *small = context;
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(small->path, DB_MODE_WRITE, NULL, &db, err));
    SCOPED(preference_log) struct preference_log *log = NULL;
    TRY(preference_log_open(db, &log, err));
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    TRY(db_tx_open(db, &tx, err));
    TRY(preference_log_begin_source(log, "a", "b", "{}", 1, err));
    for (int64_t i = 0; i < small->sample->count; i++) {
        TRY(preference_log_append(log, &small->sample->rows[i], err));
    }
    const struct preference_work work = work_of("Ann", "Tea", "abc");
    TRY(preference_log_append_work(log, &work, err));
    return preference_log_end_source(log, &summary, err);
}

static enum err_code only_open(void *context, struct error *err) {
    const struct small_log *small = context;
    SCOPED(db) struct db *db = NULL;
    return project_open(small->path, DB_MODE_WRITE, NULL, &db, err);
}

static void test_log__survives_every_allocation_failing(void **state) {
    struct error err = ERROR_INIT;
    SCOPED(log_sample) struct log_sample sample = LOG_SAMPLE_INIT;
    log_sample_fill(&sample, 2, 12);
    struct small_log small = {scratch_path(*state, "p.db"), &sample};
    struct db *db = NULL;
    assert_ok(project_open(small.path, DB_MODE_CREATE, NULL, &db, &err), &err);
    db_close(db);
    alloc_loop_check_after(only_open, write_small_log, &small);
}

/* ---- kill -9 ---- */

struct killing {
    char *path;
    struct log_sample *sample;
};

#define KILLED_ROWS 300

/* One source of KILLED_ROWS rows after the other, a transaction each. */
static void write_for_ever(void *context, struct kill_loop_child *child) {
    const struct killing *k = context;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = NULL;
    assert_ok(project_open(k->path, DB_MODE_CREATE, NULL, &db, &err), &err);
    SCOPED(preference_log) struct preference_log *log = NULL;
    assert_ok(preference_log_open(db, &log, &err), &err);
    int64_t done = query(db, "SELECT count(*) FROM source");
    for (;; done++) {
        SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
        struct preference_source_summary here = {.rows = KILLED_ROWS};
        const int64_t number = done + 1;
        memcpy(here.sha256.bytes, &number, sizeof number);
        assert_ok(db_tx_open(db, &tx, &err), &err);
        assert_ok(preference_log_begin_source(log, "a", "b", "{}", 1, &err), &err);
        for (int64_t i = 0; i < KILLED_ROWS; i++) {
            assert_ok(preference_log_append(log, &k->sample->rows[i], &err), &err);
        }
        assert_ok(preference_log_end_source(log, &here, &err), &err);
        assert_ok(db_tx_commit(&tx, &err), &err);
        kill_loop_tell(child);
    }
}

static void check_whole_sources(void *context) {
    const struct killing *k = context;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = NULL;
    assert_ok(project_open(k->path, DB_MODE_CREATE, NULL, &db, &err), &err);
    assert_ok(db_check_integrity(db, &err), &err);
    assert_int_equal(query(db, "SELECT count(*) FROM source WHERE rows <> 300"), 0);
    int64_t rows = query(db, "SELECT (SELECT count(*) FROM comparison)"
                             " + (SELECT count(*) FROM rating) + (SELECT count(*) FROM label)"
                             " + (SELECT count(*) FROM demonstration)"
                             " + (SELECT count(*) FROM prompt_only)");
    assert_int_equal(rows, KILLED_ROWS * query(db, "SELECT count(*) FROM source"));
}

static void test_log__killed_writer_leaves_whole_sources(void **state) {
    SCOPED(log_sample) struct log_sample sample = LOG_SAMPLE_INIT;
    log_sample_fill(&sample, 3, KILLED_ROWS);
    struct killing k = {scratch_path(*state, "p.db"), &sample};
    kill_loop_check(write_for_ever, check_whole_sources, &k);
    SCOPED(db) struct db *db = NULL;
    struct error err = ERROR_INIT;
    assert_ok(project_open(k.path, DB_MODE_WRITE, NULL, &db, &err), &err);
    assert_true(query(db, "SELECT count(*) FROM source") > 0);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_append__equal_content_is_stored_once),
        CASE(test_append__finds_content_of_earlier_sources),
        CASE(test_append__origin_makes_another_response),
        CASE(test_append__first_topic_stays),
        CASE(test_append__one_assistant_message_is_its_text),
        CASE(test_append__hashes_are_preference_keys),
        CASE(test_append__forgetting_changes_nothing),
        CASE(test_append__annotator_in_two_populations_leaves_nothing_behind),
        CASE(test_append__row_that_is_refused_leaves_nothing_behind),
        CASE(test_append__columns_hold_what_the_row_says),
        CASE(test_end_source__sets_what_is_known_at_the_end),
        CASE(test_end_source__same_file_in_the_same_format_is_refused),
        CASE(test_append_work__owners_and_equal_texts_are_stored_once),
        CASE(test_append_work__later_rows_complete_and_the_earlier_opt_out_counts),
        CASE(test_append_work__contradictions_leave_nothing_behind),
        CASE(test_log__leaves_every_reference_right_and_checked),
        SCRATCH_TEST(test_log__survives_every_allocation_failing),
        SCRATCH_TEST(test_log__killed_writer_leaves_whole_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
