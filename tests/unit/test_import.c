/* The import driver, over small files of real formats; what each format reads is tested with it. */
#include "data/import.h"

#include "base/arena.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/project.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/gzip_bytes.h"
#include "tests/support/io_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#define NOW_MS 1700000000000

#define GOOD                                                             \
    "{\"prompt\":\"Drink?\",\"chosen\":\"Tea.\",\"rejected\":\"No.\"}\n" \
    "{\"prompt\":\"Eat?\",\"chosen\":\"Yes.\",\"rejected\":\"No.\"}\n"
#define BAD_SECOND                                                       \
    "{\"prompt\":\"Drink?\",\"chosen\":\"Tea.\",\"rejected\":\"No.\"}\n" \
    "{\"prompt\":\"Eat?\",\"chosen\":\"Yes.\",\"rejected\":7}\n"         \
    "{\"prompt\":\"Sleep?\",\"chosen\":\"Yes.\",\"rejected\":\"No.\"}\n"

/* ---- one project ---- */

static struct db *open_project(struct scratch *scratch, const char *name) {
    struct db *db = NULL;
    struct error err = ERROR_INIT;
    assert_ok(project_open(scratch_path(scratch, name), DB_MODE_CREATE, NULL, &db, &err), &err);
    return db;
}

static int64_t count_of(struct db *db, const char *sql) {
    int64_t count = -1;
    struct error err = ERROR_INIT;
    assert_ok(db_query_i64(db, sql, &count, &err), &err);
    return count;
}

static int64_t comparisons(struct db *db) {
    return count_of(db, "SELECT count(*) FROM comparison");
}

/* Nothing at all is in the project. */
static void check_empty(struct db *db) {
    assert_int_equal(comparisons(db), 0);
    assert_int_equal(count_of(db, "SELECT count(*) FROM source"), 0);
    assert_int_equal(count_of(db, "SELECT count(*) FROM prompt"), 0);
    assert_int_equal(count_of(db, "SELECT count(*) FROM response"), 0);
}

static struct import_options options_for(const char *const *paths, int64_t count) {
    return (struct import_options){.paths = paths, .path_count = count, .now_ms = NOW_MS};
}

/* ---- good runs ---- */

static void test_import_files__takes_all_and_says_what(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a.jsonl", GOOD);
    scratch_write(scratch, "b.csv",
                  "prompt,chosen,rejected\nDrink?,Tea.,Water.\nDrink?,Water.,\"Tea,\n.\"\n");
    const char *const paths[] = {scratch_path(scratch, "a.jsonl"), scratch_path(scratch, "b.csv")};
    struct import_options options = options_for(paths, 2);
    SCOPED(db) struct db *db = open_project(scratch, "p.db");
    SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
    struct error err = ERROR_INIT;
    assert_ok(import_files(db, &options, &report, &err), &err);
    assert_int_equal(report.file_count, 2);
    assert_string_equal(report.files[0].path, paths[0]);
    assert_string_equal(report.files[0].format->name, "trl");
    assert_string_not_equal(report.files[0].why, "");
    assert_int_equal(report.files[0].bytes, sizeof GOOD - 1);
    assert_int_equal(report.files[0].rows, 2);
    assert_int_equal(report.files[0].made[PREFERENCE_COMPARISON], 2);
    assert_int_equal(report.files[0].ties, 0);
    assert_string_equal(report.files[1].format->name, "table");
    assert_int_equal(report.files[1].rows, 2);
    assert_int_equal(report.new_prompts, 2);
    assert_int_equal(report.new_responses, 6); /* Tea No / Yes No / Water, "Tea,\n." */
    assert_int_equal(comparisons(db), 4);
    assert_int_equal(count_of(db, "SELECT sum(line) FROM comparison"), 1 + 2 + 2 + 3);
    assert_int_equal(count_of(db, "SELECT imported_at FROM source WHERE id = 1"), NOW_MS);
    assert_int_equal(count_of(db, "SELECT rows FROM source WHERE id = 2"), 2);
}

static void test_import_files__counts_ties(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a.jsonl",
                  "{\"context\":[{\"role\":\"user\",\"content\":\"q\"}],\"completions\":["
                  "{\"rank\":0,\"completion\":[{\"role\":\"assistant\",\"content\":\"a\"}]},"
                  "{\"rank\":1,\"completion\":[{\"role\":\"assistant\",\"content\":\"b\"}]},"
                  "{\"rank\":0,\"completion\":[{\"role\":\"assistant\",\"content\":\"c\"}]}]}\n");
    const char *const paths[] = {scratch_path(scratch, "a.jsonl")};
    struct import_options options = options_for(paths, 1);
    SCOPED(db) struct db *db = open_project(scratch, "p.db");
    SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
    struct error err = ERROR_INIT;
    assert_ok(import_files(db, &options, &report, &err), &err);
    assert_string_equal(report.files[0].format->name, "nemo");
    assert_int_equal(report.files[0].made[PREFERENCE_COMPARISON], 1);
    assert_int_equal(report.files[0].ties, 1);
}

/* ---- again ---- */

static void test_import_files__passes_over_what_it_has(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a.jsonl", GOOD);
    scratch_write(scratch, "other name.jsonl", GOOD);
    scratch_write(scratch, "same size.jsonl",
                  "{\"prompt\":\"Drinx?\",\"chosen\":\"Tea.\",\"rejec"
                  "ted\":\"No.\"}\n"
                  "{\"prompt\":\"Eat?\",\"chosen\":\"Yes.\",\"rejected"
                  "\":\"No.\"}\n");
    const char *const first[] = {scratch_path(scratch, "a.jsonl")};
    const char *const again[] = {
        scratch_path(scratch, "a.jsonl"), scratch_path(scratch, "other name.jsonl"),
        scratch_path(scratch, "same size.jsonl"), scratch_path(scratch, "same size.jsonl")};
    SCOPED(db) struct db *db = open_project(scratch, "p.db");
    struct error err = ERROR_INIT;
    struct import_options options = options_for(first, 1);
    struct import_report report = IMPORT_REPORT_INIT;
    assert_ok(import_files(db, &options, &report, &err), &err);
    import_report_deinit(&report);
    options = options_for(again, 4);
    options.now_ms = NOW_MS + 5;
    assert_ok(import_files(db, &options, &report, &err), &err);
    static const bool was_imported[] = {true, true, false, true}; /* the last in this very call */
    for (int64_t i = 0; i < 4; i++) {
        assert_int_equal(report.files[i].was_imported, was_imported[i]);
    }
    assert_int_equal(report.files[1].imported_at_ms, NOW_MS);
    assert_int_equal(report.files[3].imported_at_ms, NOW_MS + 5);
    assert_int_equal(comparisons(db), 4);
    import_report_deinit(&report);
    options = options_for(first, 1);
    options.settings.topic = "drinks"; /* another mapping is another import */
    assert_ok(import_files(db, &options, &report, &err), &err);
    assert_false(report.files[0].was_imported);
    assert_int_equal(report.new_prompts, 0);
    assert_int_equal(comparisons(db), 6);
    import_report_deinit(&report);
}

/* ---- all or nothing ---- */

static void test_import_files__keeps_nothing_after_a_bad_row(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a.jsonl", GOOD);
    scratch_write(scratch, "b.jsonl", BAD_SECOND);
    const char *const paths[] = {scratch_path(scratch, "a.jsonl"),
                                 scratch_path(scratch, "b.jsonl")};
    struct import_options options = options_for(paths, 2);
    SCOPED(db) struct db *db = open_project(scratch, "p.db");
    SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
    struct error err = ERROR_INIT;
    assert_fails(import_files(db, &options, &report, &err), ERR_DATA,
                 "b.jsonl:2:45: $.rejected: expected ", &err);
    assert_memory_equal(err.msg, paths[1], strlen(paths[1]));
    assert_null(report.files);
    check_empty(db);
    scratch_write(scratch, "b.jsonl", GOOD "{}");
    assert_fails(import_files(db, &options, &report, &err), ERR_DATA, "b.jsonl:3:1: $: ", &err);
    check_empty(db);
}

static void test_import_files__keeps_nothing_of_a_dry_run(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a.jsonl", GOOD);
    const char *const paths[] = {scratch_path(scratch, "a.jsonl")};
    struct import_options options = options_for(paths, 1);
    options.dry_run = true;
    SCOPED(db) struct db *db = open_project(scratch, "p.db");
    SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
    struct error err = ERROR_INIT;
    assert_ok(import_files(db, &options, &report, &err), &err);
    assert_int_equal(report.files[0].made[PREFERENCE_COMPARISON], 2);
    assert_int_equal(report.new_prompts, 2);
    check_empty(db);
}

static void test_import_files__keeps_nothing_when_interrupted(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a.jsonl", GOOD);
    const char *const paths[] = {scratch_path(scratch, "a.jsonl")};
    struct import_options options = options_for(paths, 1);
    SCOPED(db) struct db *db = open_project(scratch, "p.db");
    SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
    struct error err = ERROR_INIT;
    (void)signal(SIGINT, SIG_DFL); /* ignored by what a shell has put into the background */
    assert_ok(interrupt_install(NULL, &err), &err);
    assert_int_equal(raise(SIGINT), 0);
    assert_fails(import_files(db, &options, &report, &err), ERR_INTERRUPTED,
                 "a.jsonl': nothing of this import was kept", &err);
    assert_ok(interrupt_install(NULL, &err), &err); /* forgets the signal */
    interrupt_uninstall();
    check_empty(db);
}

/* ---- rows left out ---- */

static void test_import_files__leaves_out_bad_rows_with_reasons(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a.jsonl", BAD_SECOND "\"x\xFF\x01\n{\"prompt\":\n");
    const char *const paths[] = {scratch_path(scratch, "a.jsonl")};
    struct import_options options = options_for(paths, 1);
    SCOPED(strbuf) struct strbuf bad = STRBUF_INIT(4096);
    strbuf_add(&bad, scratch_path(scratch, "bad.jsonl"));
    options.skip_bad = strbuf_text(&bad);
    SCOPED(db) struct db *db = open_project(scratch, "p.db");
    SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
    struct error err = ERROR_INIT;
    assert_ok(import_files(db, &options, &report, &err), &err);
    assert_int_equal(report.files[0].rows, 5);
    assert_int_equal(report.files[0].rejected, 3);
    assert_int_equal(comparisons(db), 2);
    assert_int_equal(count_of(db, "SELECT rejected FROM source"), 3);
    char expected[4096];
    (void)snprintf(
        expected, sizeof expected,
        "{\"file\":\"%s\",\"line\":2,\"column\":45,\"reason\":\"$.rejected: expected string, found "
        "number 7\",\"row\":\"{\\\"prompt\\\":\\\"Eat?\\\",\\\"chosen\\\":"
        "\\\"Yes.\\\",\\\"rejected\\\":7}\"}\n"
        "{\"file\":\"%s\",\"line\":4,\"column\":3,\"reason\":\"invalid UTF-8 at byte 0xff\","
        "\"row\":\"\\\"x\xEF\xBF\xBD\\u0001\"}\n"
        "{\"file\":\"%s\",\"line\":5,\"column\":11,\"reason\":\"expected a value, found the end of "
        "the text\",\"row\":\"{\\\"prompt\\\":\"}\n",
        paths[0], paths[0], paths[0]);
    assert_string_equal(scratch_read(scratch, "bad.jsonl"), expected);
}

static void test_import_files__stops_where_the_next_row_is_not_known(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a.json", "[{\"prompt\":\"p\",\"chosen\":\"x\",\"rejected\":\"y\"} 7]");
    const char *const paths[] = {scratch_path(scratch, "a.json")};
    struct import_options options = options_for(paths, 1);
    SCOPED(strbuf) struct strbuf bad = STRBUF_INIT(4096);
    strbuf_add(&bad, scratch_path(scratch, "bad.jsonl"));
    options.skip_bad = strbuf_text(&bad);
    SCOPED(db) struct db *db = open_project(scratch, "p.db");
    SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
    struct error err = ERROR_INIT;
    assert_fails(import_files(db, &options, &report, &err), ERR_DATA,
                 "a.json:1:45: expected ',' or ']' behind a row, found '7'; it cannot be left out, "
                 "since it is not known where the next row begins",
                 &err);
    check_empty(db);
    assert_null(strstr(scratch_list(scratch), "bad.jsonl"));
}

static void test_import_files__refuses_to_overwrite_its_input(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a.jsonl", GOOD);
    const char *const paths[] = {scratch_path(scratch, "a.jsonl")};
    struct import_options options = options_for(paths, 1);
    options.skip_bad = paths[0];
    SCOPED(db) struct db *db = open_project(scratch, "p.db");
    SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
    struct error err = ERROR_INIT;
    assert_fails(import_files(db, &options, &report, &err), ERR_USAGE, "would overwrite the input",
                 &err);
    assert_string_equal(scratch_read(scratch, "a.jsonl"), GOOD);
}

/* A row of several judgements, of which the last contradicts what was said before, leaves none. */
static void test_import_files__leaves_out_rows_as_a_whole(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a.jsonl",
                  "{\"prompt\":\"p\",\"responses\":[{\"text\":\"x\"},{\"text\":\"y\"}],"
                  "\"votes\":[{\"annotator\":\"ann\",\"population\":\"A\",\"choice\":1}]}\n"
                  "{\"prompt\":\"q\",\"responses\":[{\"text\":\"x\"},{\"text\":\"y\"}],"
                  "\"votes\":[{\"annotator\":\"bob\",\"population\":\"B\",\"choice\":1},"
                  "{\"annotator\":\"ann\",\"population\":\"B\",\"choice\":1}]}\n"
                  "{\"prompt\":\"r\",\"responses\":[{\"text\":\"x\"},{\"text\":\"y\"}],"
                  "\"votes\":[{\"annotator\":\"cleo\",\"population\":\"C\",\"choice\":1},"
                  "{\"annotator\":\"cleo\",\"population\":\"D\",\"choice\":0}]}\n");
    const char *const paths[] = {scratch_path(scratch, "a.jsonl")};
    struct import_options options = options_for(paths, 1);
    SCOPED(strbuf) struct strbuf bad = STRBUF_INIT(4096);
    strbuf_add(&bad, scratch_path(scratch, "bad.jsonl"));
    options.skip_bad = strbuf_text(&bad);
    options.format = "judgements";
    SCOPED(db) struct db *db = open_project(scratch, "p.db");
    SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
    struct error err = ERROR_INIT;
    assert_ok(import_files(db, &options, &report, &err), &err);
    const char *rejected = scratch_read(scratch, "bad.jsonl");
    assert_non_null(strstr(rejected, "\"line\":2,\"reason\":\"annotator 'ann': population 'B' "
                                     "here, but 'A' before\""));
    assert_non_null(strstr(rejected, "\"line\":3,\"reason\":\"annotator 'cleo': population 'D' "
                                     "here, but 'C' before\""));
    assert_int_equal(report.files[0].rejected, 2);
    assert_int_equal(comparisons(db), 1);
    assert_int_equal(count_of(db, "SELECT count(*) FROM annotator"), 1);
    assert_int_equal(count_of(db, "SELECT count(*) FROM prompt"), 1);
}

/* Ten voters are announced and nine are there: a complaint about the file, not about a row. */
static void test_import_files__keeps_the_rows_before_a_bad_end(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "tea.soi",
                  "# DATA TYPE: soi\n# NUMBER VOTERS: 10\n# ALTERNATIVE NAME 1: Green\n"
                  "# ALTERNATIVE NAME 2: Black\n# ALTERNATIVE NAME 3: None\n7: 1,2\n2: 3,2,1\n");
    const char *const paths[] = {scratch_path(scratch, "tea.soi")};
    struct import_options options = options_for(paths, 1);
    SCOPED(strbuf) struct strbuf bad = STRBUF_INIT(4096);
    strbuf_add(&bad, scratch_path(scratch, "bad.jsonl"));
    SCOPED(db) struct db *db = open_project(scratch, "p.db");
    SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
    struct error err = ERROR_INIT;
    assert_fails(import_files(db, &options, &report, &err), ERR_DATA,
                 "tea.soi: NUMBER VOTERS is 10, but the file holds 9", &err);
    check_empty(db);
    options.skip_bad = strbuf_text(&bad);
    assert_ok(import_files(db, &options, &report, &err), &err);
    assert_int_equal(report.files[0].rows, 7);
    assert_int_equal(report.files[0].rejected, 1);
    assert_int_equal(comparisons(db), 2);
    assert_int_equal(count_of(db, "SELECT CAST(sum(weight) AS INTEGER) FROM comparison"), 9);
    assert_int_equal(count_of(db, "SELECT rejected FROM source"), 1);
    char expected[4096];
    (void)snprintf(expected, sizeof expected,
                   "{\"file\":\"%s\",\"reason\":\"NUMBER VOTERS is 10, but the file holds 9: it "
                   "is cut short, or was edited; if so, correct that line\",\"row\":null}\n",
                   paths[0]);
    assert_string_equal(scratch_read(scratch, "bad.jsonl"), expected);
}

/* ---- what is asked for ---- */

static void test_import_files__says_what_it_saw_of_an_unknown_file(void **state) {
    struct scratch *scratch = *state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"x\":1,\"y\":2}\n", "f: no format recognised: the keys of its first row are 'x', 'y': "
                                "choose a format with --format, or name the columns with --map; "
                                "'accord help import' lists the formats"},
        {"x,y\n1,2\n", "f: no format recognised: its columns are 'x', 'y': choose "},
        {"hello world\n", "f: no format recognised: its first line begins 'hello world': choose "},
        {"", "f: the file is empty"},
        {"\n\n", "f: the file is empty"},
        {"[]", "f: the file holds no rows"},
        {"{\"x\" 1}\n", "f:1:6: expected ':' after the key, found '1'"},
    };
    SCOPED(db) struct db *db = open_project(scratch, "p.db");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scratch_write(scratch, "f", cases[i].text);
        const char *const paths[] = {scratch_path(scratch, "f")};
        struct import_options options = options_for(paths, 1);
        struct import_report report = IMPORT_REPORT_INIT;
        struct error err = ERROR_INIT;
        assert_fails(import_files(db, &options, &report, &err), ERR_DATA, cases[i].message, &err);
    }
    check_empty(db);
}

/* The first rows may be bad, or lack what tells the format. */
static void test_import_files__looks_at_several_rows(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a.jsonl", "{\"x\n{}\n" GOOD);
    const char *const paths[] = {scratch_path(scratch, "a.jsonl")};
    struct import_options options = options_for(paths, 1);
    SCOPED(strbuf) struct strbuf bad = STRBUF_INIT(4096);
    strbuf_add(&bad, scratch_path(scratch, "bad.jsonl"));
    options.skip_bad = strbuf_text(&bad);
    SCOPED(db) struct db *db = open_project(scratch, "p.db");
    SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
    struct error err = ERROR_INIT;
    assert_ok(import_files(db, &options, &report, &err), &err);
    assert_string_equal(report.files[0].format->name, "trl");
    assert_int_equal(report.files[0].rejected, 2);
    assert_int_equal(comparisons(db), 2);
}

static void test_import_files__takes_the_format_and_mapping_given(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a.jsonl", "{\"prompt\":\"p\",\"w\":\"x\",\"l\":\"y\"}\n");
    const char *const paths[] = {scratch_path(scratch, "a.jsonl")};
    const struct import_map_entry map[] = {
        {"rejected", "l"}, {"chosen", "w"}, {"choosen", "w"}, {"chosen", "l"}};
    struct import_options options = options_for(paths, 1);
    options.format = "trl";
    options.settings.map = map;
    options.settings.map_count = 3;
    SCOPED(db) struct db *db = open_project(scratch, "p.db");
    struct error err = ERROR_INIT;
    struct import_report report = IMPORT_REPORT_INIT;
    assert_fails(import_files(db, &options, &report, &err), ERR_USAGE,
                 "--map choosen=w: no row of '", &err);
    check_empty(db);
    options.settings.map_count = 4;
    assert_fails(import_files(db, &options, &report, &err), ERR_USAGE,
                 "--map chosen is given twice: ", &err);
    options.settings.map_count = 2;
    assert_ok(import_files(db, &options, &report, &err), &err);
    assert_string_equal(report.files[0].why, "");
    import_report_deinit(&report);
    assert_int_equal(count_of(db,
                              "SELECT mapping = '{\"map\":{\"chosen\":\"w\",\"rejected\":\"l\"}}' "
                              "FROM source"),
                     1);
    options.format = "trll";
    assert_fails(import_files(db, &options, &report, &err), ERR_USAGE,
                 "unknown format 'trll': 'accord help import' lists them", &err);
}

/* ---- progress ---- */

struct seen_progress {
    int64_t done, total, calls;
};

static void see_progress(void *context, int64_t done, int64_t total) {
    struct seen_progress *seen = context;
    assert_true(done >= seen->done);
    *seen = (struct seen_progress){.done = done, .total = total, .calls = seen->calls + 1};
}

static void test_import_files__tells_how_far_it_is(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a.jsonl", GOOD);
    scratch_write(scratch, "b.jsonl", GOOD "\n");
    const char *const paths[] = {scratch_path(scratch, "a.jsonl"),
                                 scratch_path(scratch, "b.jsonl")};
    struct import_options options = options_for(paths, 2);
    struct seen_progress seen = {.calls = 0};
    options.on_progress = see_progress;
    options.context = &seen;
    SCOPED(db) struct db *db = open_project(scratch, "p.db");
    SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
    struct error err = ERROR_INIT;
    assert_ok(import_files(db, &options, &report, &err), &err);
    assert_int_equal(seen.total, 2 * (sizeof GOOD - 1) + 1);
    assert_int_equal(seen.done, seen.total);
    assert_int_equal(seen.calls, 2);
}

/* ---- failures ---- */

/* With a project that is opened for it: SQLite keeps blocks for a connection that stays open. */
static enum err_code import_some(void *context, struct error *err) {
    struct scratch *scratch = context;
    const char *const paths[] = {scratch_path(scratch, "a.jsonl.gz"),
                                 scratch_path(scratch, "b.csv")};
    struct import_options options = options_for(paths, 2);
    options.skip_bad = scratch_path(scratch, "bad.jsonl");
    SCOPED(db) struct db *db = NULL;
    SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
    TRY(project_open(scratch_path(scratch, "p.db"), DB_MODE_WRITE, NULL, &db, err));
    return import_files(db, &options, &report, err);
}

/* All of it or nothing; what is there goes, for the next turn. */
static void check_and_clear(void *context) {
    struct scratch *scratch = context;
    SCOPED(db) struct db *db = open_project(scratch, "p.db");
    struct error err = ERROR_INIT;
    int64_t sources = count_of(db, "SELECT count(*) FROM source");
    assert_true(sources == 0 || sources == 2);
    assert_int_equal(comparisons(db), sources == 0 ? 0 : 4);
    static const char *const scripts[] = {
        "DELETE FROM comparison_item", "DELETE FROM comparison", "DELETE FROM response",
        "DELETE FROM prompt",          "DELETE FROM source",
    };
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        SCOPED(db_stmt) struct db_stmt *stmt = NULL;
        assert_ok(db_stmt_open(db, scripts[i], &stmt, &err), &err);
        assert_ok(db_stmt_run(stmt, &err), &err);
    }
}

static void write_inputs(struct scratch *scratch) {
    SCOPED(strbuf) struct strbuf packed = STRBUF_INIT(1 * MIB);
    gzip_bytes_add(&packed, BAD_SECOND, sizeof BAD_SECOND - 1);
    FILE *f = fopen(scratch_path(scratch, "a.jsonl.gz"), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(packed.bytes, 1, packed.length, f), packed.length);
    assert_int_equal(fclose(f), 0);
    scratch_write(scratch, "b.csv",
                  "prompt,chosen,rejected\nDrink?,Tea.,Water.\nEat?,\"a\"\"b\",c\n");
    db_close(open_project(scratch, "p.db"));
}

/* What a failed turn were to leave behind, the next good one would find too much. */
static enum err_code import_and_check(void *context, struct error *err) {
    enum err_code code = import_some(context, err);
    if (code == ERR_OK && mem_fail_reached()) {
        check_and_clear(context);
    }
    return code;
}

static void test_import_files__survives_every_failed_allocation(void **state) {
    write_inputs(*state);
    alloc_loop_check_tolerant(import_and_check, *state);
    check_and_clear(*state);
}

static void test_import_files__keeps_nothing_when_the_disk_fails(void **state) {
    write_inputs(*state);
    io_loop_check(import_some, check_and_clear, *state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_import_files__takes_all_and_says_what),
        SCRATCH_TEST(test_import_files__counts_ties),
        SCRATCH_TEST(test_import_files__passes_over_what_it_has),
        SCRATCH_TEST(test_import_files__keeps_nothing_after_a_bad_row),
        SCRATCH_TEST(test_import_files__keeps_nothing_of_a_dry_run),
        SCRATCH_TEST(test_import_files__keeps_nothing_when_interrupted),
        SCRATCH_TEST(test_import_files__leaves_out_bad_rows_with_reasons),
        SCRATCH_TEST(test_import_files__stops_where_the_next_row_is_not_known),
        SCRATCH_TEST(test_import_files__refuses_to_overwrite_its_input),
        SCRATCH_TEST(test_import_files__leaves_out_rows_as_a_whole),
        SCRATCH_TEST(test_import_files__keeps_the_rows_before_a_bad_end),
        SCRATCH_TEST(test_import_files__says_what_it_saw_of_an_unknown_file),
        SCRATCH_TEST(test_import_files__looks_at_several_rows),
        SCRATCH_TEST(test_import_files__takes_the_format_and_mapping_given),
        SCRATCH_TEST(test_import_files__tells_how_far_it_is),
        SCRATCH_TEST(test_import_files__survives_every_failed_allocation),
        SCRATCH_TEST(test_import_files__keeps_nothing_when_the_disk_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
