#include "data/token_windows.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "data/bpe_train.h"
#include "data/preference_log.h"
#include "data/project.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <stdio.h>

#define NOW_MS 1000

/* ---- a tokenizer of 256 bytes and EOS, so that tokens can be counted by hand ---- */

static struct tokenizer *byte_tokenizer(void) {
    static const char *const special[] = {"<|endoftext|>"};
    struct error err = ERROR_INIT;
    struct bpe_train_options options = BPE_TRAIN_DEFAULT;
    struct bpe_train_report report;
    struct tokenizer *tok = NULL;
    options.vocabulary = 257;
    options.special = special;
    options.special_count = 1;
    options.eos = 0;
    SCOPED(bpe_trainer) struct bpe_trainer *trainer = NULL;
    assert_ok(bpe_trainer_new(&options, &trainer, &err), &err);
    assert_ok(bpe_trainer_add(trainer, "a", 1, &err), &err);
    assert_ok(bpe_trainer_finish(trainer, &tok, &report, &err), &err);
    return tok;
}

/* ---- works ---- */

static void add_work(struct preference_log *log, const char *owner, const char *title,
                     const char *text, int64_t opt_out_at_ms) {
    struct error err = ERROR_INIT;
    const struct preference_work work = {.line = 1,
                                         .owner = text_span_of(owner),
                                         .title = text_span_of(title),
                                         .text = text_span_of(text),
                                         .has_opt_out = opt_out_at_ms >= 0,
                                         .opt_out_at_ms = opt_out_at_ms};
    assert_ok(preference_log_append_work(log, &work, &err), &err);
}

/* Of three owners five, one and two works; one of the last two is opted out, one only later. With
 * EOS they have 6 + 4 + 9 + 2 + 3 = 24, 12 and 5 tokens. */
static void fill(struct db *db) {
    struct error err = ERROR_INIT;
    SCOPED(preference_log) struct preference_log *log = NULL;
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    assert_ok(preference_log_open(db, &log, &err), &err);
    assert_ok(db_tx_open(db, &tx, &err), &err);
    assert_ok(preference_log_begin_source(log, "works", "test", "{}", 0, &err), &err);
    add_work(log, "Ann", "1", "aaaaa", -1);
    add_work(log, "Bob", "1", "bbbbbbbbbbb", -1);
    add_work(log, "Ann", "2",
             "\xEF\xBB\xBF"
             "AAA",
             -1); /* a byte order mark is no text */
    add_work(log, "Ann", "3", "aAaAaAaA", -1);
    add_work(log, "Eve", "gone", "eeeeeee", NOW_MS);
    add_work(log, "Eve", "not yet", "EEEE", NOW_MS + 1);
    add_work(log, "Ann", "4", "x", -1);
    add_work(log, "Ann", "5", "yy", -1);
    const struct preference_source_summary summary = {.sha256 = {{1}}, .rows = 8};
    assert_ok(preference_log_end_source(log, &summary, &err), &err);
    assert_ok(db_tx_commit(&tx, &err), &err);
}

static struct db *open_works(void) {
    struct error err = ERROR_INIT;
    struct db *db = NULL;
    assert_ok(project_open(":memory:", DB_MODE_CREATE, NULL, &db, &err), &err);
    fill(db);
    return db;
}

static struct token_windows *make(struct db *db, const struct tokenizer *tok,
                                  const struct token_windows_options *options) {
    struct error err = ERROR_INIT;
    struct token_windows *windows = NULL;
    assert_ok(token_windows_new(db, tok, options, &windows, &err), &err);
    return windows;
}

/* The text of a window, EOS as '|'. */
static void add_text(const struct tokenizer *tok, const struct token_window *window,
                     struct strbuf *out) {
    for (int64_t t = 0; t < window->count; t++) {
        const struct text_span eos = {"|", 1};
        const struct text_span text =
            window->ids[t] == 0 ? eos : tokenizer_bytes_of(tok, window->ids[t]);
        strbuf_add_bytes(out, text.bytes, text.count);
    }
}

/* Letters of one owner only, and the parts say whose works they are. */
static void check_window(struct db *db, const struct tokenizer *tok,
                         const struct token_window *window, int64_t tokens_max) {
    struct error err = ERROR_INIT;
    SCOPED(db_stmt) struct db_stmt *find = NULL;
    assert_ok(db_stmt_open(db,
                           "SELECT w.owner_id, t.content FROM work w JOIN work_text t"
                           " ON t.work_id = w.id WHERE w.id = ?1",
                           &find, &err),
              &err);
    int64_t at = 0;
    for (int64_t p = 0; p < window->part_count; p++) {
        const struct token_window_part *part = &window->parts[p];
        struct token_window piece = *window;
        SCOPED(strbuf) struct strbuf text = STRBUF_INIT(KIB);
        SCOPED(strbuf) struct strbuf whole = STRBUF_INIT(KIB);
        int64_t owner_id = 0;
        const char *content = NULL;
        size_t bytes = 0;
        bool has_row = false;
        db_bind_i64(find, 1, part->work_id);
        assert_ok(db_stmt_step(find, &has_row, &err), &err);
        assert_ok(db_column_i64(find, 0, &owner_id, &err), &err);
        assert_ok(db_column_text(find, 1, &content, &bytes, &err), &err);
        assert_int_equal(owner_id, window->owner_id);
        assert_int_equal(part->begin, at);
        at += part->count;
        piece.ids += part->begin;
        piece.count = part->count;
        add_text(tok, &piece, &text);
        strbuf_addf(&whole, "%s|", content);
        assert_non_null(strstr(strbuf_text(&whole), strbuf_text(&text)));
        db_stmt_reset(find);
    }
    assert_int_equal(at, window->count);
    assert_true(window->count > 0 && window->count <= tokens_max);
}

/* Every token once: of each letter as many as in the works that may be used. */
static void test_token_windows__every_token_is_in_one_window(void **state) {
    (void)state;
    SCOPED(db) struct db *db = open_works();
    SCOPED(tokenizer) struct tokenizer *tok = byte_tokenizer();
    for (int64_t tokens = 2; tokens < 30; tokens++) {
        const struct token_windows_options options = {
            .tokens = tokens, .seed = (uint64_t)tokens, .now_ms = NOW_MS};
        SCOPED(token_windows) struct token_windows *windows = make(db, tok, &options);
        int64_t letters[256] = {0}, total = 0;
        for (int64_t w = 0; w < token_windows_count(windows); w++) {
            struct token_window window = token_windows_at(windows, w);
            SCOPED(strbuf) struct strbuf text = STRBUF_INIT(KIB);
            check_window(db, tok, &window, tokens);
            add_text(tok, &window, &text);
            for (size_t i = 0; i < text.length; i++) {
                letters[(unsigned char)text.bytes[i]]++;
            }
            total += window.count;
        }
        const struct token_windows_counts counts = token_windows_counts(windows);
        assert_int_equal(total, 24 + 12 + 5);
        assert_int_equal(counts.tokens, total);
        assert_int_equal(counts.owners, 3);
        assert_int_equal(counts.works, 7);
        assert_int_equal(counts.opted_out_works, 1);
        assert_int_equal(counts.dropped_tokens, 0);
        assert_int_equal(letters['|'], 7);
        assert_int_equal(letters['a'], 9);
        assert_int_equal(letters['A'], 7);
        assert_int_equal(letters['b'], 11);
        assert_int_equal(letters['e'], 0);
        assert_int_equal(letters['E'], 4);
    }
}

/* Windows of 10: Ann's 24 tokens are 10 + 10 + 4, Bob's 12 are 10 + 2, Eve's 5 are a tail. */
static void test_token_windows__tails_are_kept_or_counted(void **state) {
    (void)state;
    SCOPED(db) struct db *db = open_works();
    SCOPED(tokenizer) struct tokenizer *tok = byte_tokenizer();
    struct token_windows_options options = {.tokens = 10, .now_ms = NOW_MS};
    SCOPED(token_windows) struct token_windows *kept = make(db, tok, &options);
    options.drop_tails = true;
    SCOPED(token_windows) struct token_windows *dropped = make(db, tok, &options);
    assert_int_equal(token_windows_count(kept), 3 + 2 + 1);
    assert_int_equal(token_windows_count(dropped), 2 + 1);
    assert_int_equal(token_windows_counts(dropped).dropped_tokens, 4 + 2 + 5);
    assert_int_equal(token_windows_counts(dropped).tokens, 41);
    for (int64_t w = 0; w < 3; w++) {
        assert_int_equal(token_windows_at(dropped, w).count, 10);
    }
}

static void list(const struct token_windows *windows, const struct tokenizer *tok,
                 int64_t without_owner, struct strbuf *out) {
    for (int64_t w = 0; w < token_windows_count(windows); w++) {
        struct token_window window = token_windows_at(windows, w);
        if (window.owner_id != without_owner) {
            add_text(tok, &window, out);
            strbuf_add(out, "\n");
        }
    }
}

/* Leaving an owner out leaves what the others' windows hold, and their order. */
static void test_token_windows__owners_do_not_move_each_other(void **state) {
    (void)state;
    SCOPED(db) struct db *db = open_works();
    SCOPED(tokenizer) struct tokenizer *tok = byte_tokenizer();
    static const int64_t ids[] = {1, 2, 3};
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct token_windows_options options = {.tokens = 4, .seed = seed, .now_ms = NOW_MS};
        SCOPED(token_windows) struct token_windows *all = make(db, tok, &options);
        for (int64_t out = 0; out < 3; out++) {
            const int64_t rest[] = {ids[(out + 1) % 3], ids[(out + 2) % 3]};
            options.owner_ids = rest;
            options.owner_count = 2;
            SCOPED(token_windows) struct token_windows *some = make(db, tok, &options);
            SCOPED(strbuf) struct strbuf expected = STRBUF_INIT(KIB);
            SCOPED(strbuf) struct strbuf actual = STRBUF_INIT(KIB);
            list(all, tok, ids[out], &expected);
            list(some, tok, -1, &actual);
            assert_string_equal(strbuf_text(&actual), strbuf_text(&expected));
        }
    }
}

static void test_token_windows__order_follows_seed_and_epoch(void **state) {
    (void)state;
    SCOPED(db) struct db *db = open_works();
    SCOPED(tokenizer) struct tokenizer *tok = byte_tokenizer();
    struct strbuf texts[4] = {STRBUF_INIT(KIB), STRBUF_INIT(KIB), STRBUF_INIT(KIB),
                              STRBUF_INIT(KIB)};
    static const struct {
        uint64_t seed;
        int64_t epoch;
    } keys[] = {{1, 0}, {1, 0}, {2, 0}, {1, 1}};
    for (size_t k = 0; k < 4; k++) {
        const struct token_windows_options options = {
            .tokens = 3, .seed = keys[k].seed, .epoch = keys[k].epoch, .now_ms = NOW_MS};
        SCOPED(token_windows) struct token_windows *windows = make(db, tok, &options);
        list(windows, tok, -1, &texts[k]);
    }
    assert_string_equal(strbuf_text(&texts[0]), strbuf_text(&texts[1]));
    assert_string_not_equal(strbuf_text(&texts[0]), strbuf_text(&texts[2]));
    assert_string_not_equal(strbuf_text(&texts[0]), strbuf_text(&texts[3]));
    for (size_t k = 0; k < 4; k++) {
        strbuf_deinit(&texts[k]);
    }
}

static void test_token_windows__refuses_what_is_not_as_imported(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = open_works();
    SCOPED(tokenizer) struct tokenizer *tok = byte_tokenizer();
    SCOPED(db_stmt) struct db_stmt *change = NULL;
    struct token_windows *windows = NULL;
    static const int64_t nobody[] = {99};
    struct token_windows_options options = {.tokens = 1, .now_ms = NOW_MS};
    assert_fails(token_windows_new(db, tok, &options, &windows, &err), ERR_USAGE,
                 "windows of 1 tokens are outside [2, 1048576]", &err);
    options.tokens = 8;
    options.owner_ids = nobody;
    options.owner_count = 1;
    assert_fails(token_windows_new(db, tok, &options, &windows, &err), ERR_DATA,
                 "no work may be trained on: 0 have been opted out of it, and the project holds no "
                 "others of these owners",
                 &err);
    options.owner_ids = NULL;
    options.owner_count = 0;
    assert_ok(db_stmt_open(db, "UPDATE work_text SET content = 'bbbbbbbbbbc' WHERE work_id = 2",
                           &change, &err),
              &err);
    assert_ok(db_stmt_run(change, &err), &err);
    assert_fails(token_windows_new(db, tok, &options, &windows, &err), ERR_DATA,
                 "work '1' of 'Bob': its text is not the one that was imported", &err);
}

struct attempt {
    const char *path;
    const struct tokenizer *tok;
};

static enum err_code only_open(void *context, struct error *err) {
    const struct attempt *attempt = context;
    SCOPED(db) struct db *db = NULL;
    return project_open(attempt->path, DB_MODE_READ_ONLY, NULL, &db, err);
}

static enum err_code make_once(void *context, struct error *err) {
    const struct attempt *attempt = context;
    const struct token_windows_options options = {.tokens = 10, .now_ms = NOW_MS};
    SCOPED(db) struct db *db = NULL;
    SCOPED(token_windows) struct token_windows *windows = NULL;
    TRY(project_open(attempt->path, DB_MODE_READ_ONLY, NULL, &db, err));
    return token_windows_new(db, attempt->tok, &options, &windows, err);
}

static void test_token_windows__without_memory(void **state) {
    struct error err = ERROR_INIT;
    SCOPED(tokenizer) struct tokenizer *tok = byte_tokenizer();
    struct attempt attempt = {scratch_path(*state, "works.db"), tok};
    struct db *db = NULL;
    assert_ok(project_open(attempt.path, DB_MODE_CREATE, NULL, &db, &err), &err);
    fill(db);
    db_close(db);
    alloc_loop_check_after(only_open, make_once, &attempt);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_windows__every_token_is_in_one_window),
        cmocka_unit_test(test_token_windows__tails_are_kept_or_counted),
        cmocka_unit_test(test_token_windows__owners_do_not_move_each_other),
        cmocka_unit_test(test_token_windows__order_follows_seed_and_epoch),
        cmocka_unit_test(test_token_windows__refuses_what_is_not_as_imported),
        SCRATCH_TEST(test_token_windows__without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
