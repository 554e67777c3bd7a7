/* Names from data that a terminal or a spreadsheet would obey, through accord reward and export. */
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "data/project.h"
#include "tests/support/project_case.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#define ESCAPE "\\u001b[31m" /* in JSON: red */
#define C1     "\\u009b2J"   /* clear the screen, in eight bits */
#define BIDI   "\\u202e"     /* what follows runs from right to left */
#define RED    "\x1b[31m"

/* Six items, each beating each of the others once and tied with it twice, whose names a spreadsheet
 * or a terminal obeys.
 */
static void make_hostile(struct project_case *p) {
    static const char *const names[] = {"=1+1" ESCAPE, "-2",       "+3e1",
                                        "@SUM(A1)",    "a,b" BIDI, "-x" C1};
    SCOPED(strbuf) struct strbuf rows = STRBUF_INIT(1 << 20);
    for (int k = 0; k < 72; k++) { /* the second half ties */
        int i = k / 6 % 6, j = k % 6;
        if (i != j) {
            strbuf_addf(&rows,
                        "{\"judgement\":\"comparison\",\"items\":\"lea" ESCAPE
                        "\",\"responses\":[{\"text\":\"%s\",\"origin\":\"" C1 ESCAPE
                        "%d\",\"rank\":1},{\"text\":\"%s\",\"origin\":\"" C1 ESCAPE
                        "%d\",\"rank\":%d}],\"annotator\":\"ann" ESCAPE
                        "\",\"population\":\"pop" BIDI ESCAPE "\"}\n",
                        names[i], i, names[j], j, k < 36 ? 2 : 1);
        }
    }
    project_case_import_rows(p, strbuf_text(&rows));
}

static void check_harmless(const char *what, const char *text) {
    size_t bytes = strlen(text);
    for (size_t at = 0; at < bytes;) {
        uint32_t code_point = 0;
        size_t length = utf8_decode(text + at, bytes - at, &code_point);
        if (length == 0 || (utf8_is_control(code_point) && code_point != '\n')) {
            fail_msg("%s: U+%04X at byte %zu of: %s", what, (unsigned)code_point, at, text);
        }
        at += length;
    }
}

static void run_harmless(struct project_case *p, int status, const char *const *words) {
    run_program_with(&p->r, &(struct program_options){.out_path = NULL}, words);
    if (p->r.status != status) {
        fail_msg("%s: status %d: %s", words[1], p->r.status, p->r.err);
    }
    check_harmless(words[1], p->r.out);
    check_harmless(words[1], p->r.err);
}

#define RUN_HARMLESS(p, status, ...) \
    run_harmless((p), (status), (const char *const[]){__VA_ARGS__, NULL})

static void test_names__do_not_steer_the_terminal(void **state) {
    struct project_case *p = *state;
    static const char first[] = "\xc2\x9b"
                                "2J" RED "0",
                      second[] = "\xc2\x9b"
                                 "2J" RED "1";
    make_hostile(p);
    RUN_HARMLESS(p, 0, "reward", "fit", p->db, "--name", "x");
    RUN_HARMLESS(p, 0, "reward", "fit", p->db, "--items", "origins", "--name", "o", "--json");
    RUN_HARMLESS(p, 0, "reward", "fit", p->db, "-m", "crowd-bt", "--ties", "half", "--name", "c",
                 "--by-population");
    assert_non_null(strstr(p->r.out, "as 'c/pop\\xe2\\x80\\xae\\x1b[31m'"));
    RUN_HARMLESS(p, 0, "reward", "list", p->db);
    RUN_HARMLESS(p, 0, "reward", "list", p->db, "--json");
    RUN_HARMLESS(p, 0, "reward", "show", p->db, "--fit", "o");
    static const char *const formats[] = {"text", "csv", "json", "svg"};
    for (int f = 0; f < 4; f++) {
        RUN_HARMLESS(p, 0, "reward", "rank", p->db, "--fit", "x", "--format", formats[f]);
        RUN_HARMLESS(p, 0, "reward", "rank", p->db, "--fit", "o", "--format", formats[f],
                     "--reference", first);
    }
    RUN_HARMLESS(p, 0, "reward", "rank", p->db, "--fit", "o", "--reference", first, "--json");
    RUN_HARMLESS(p, 0, "reward", "predict", p->db, first, second, "--fit", "o");
    RUN_HARMLESS(p, 0, "reward", "predict", p->db, first, second, "--fit", "o", "--json");
    RUN_HARMLESS(p, 2, "reward", "predict", p->db, first, RED, "--fit", "o");
    RUN_HARMLESS(p, 2, "reward", "predict", p->db, first, second, "--fit", RED, "--json");
    RUN_HARMLESS(p, 3, "reward", "baseline", p->db);
    RUN_HARMLESS(p, 0, "stats", p->db, "--json");
}

/* A file from elsewhere, whose fits are not called as this program would let them. */
static void test_names__of_fits_from_elsewhere_do_not_either(void **state) {
    struct project_case *p = *state;
    make_hostile(p);
    run_program(&p->r, "reward", "fit", p->db, NULL);
    program_check_ok(&p->r);
    static const char *const updates[] = {
        "UPDATE reward_fit SET name = 'f' || char(27) || '[31m', model = 'm' || char(27),"
        " result_json = json_set(result_json, '$.model_chosen_because', char(155))",
        "UPDATE reward_parameter SET name = char(27) || name || char(27)",
    };
    for (int u = 0; u < 2; u++) {
        struct error err = ERROR_INIT;
        SCOPED(db) struct db *db = NULL;
        SCOPED(db_stmt) struct db_stmt *stmt = NULL;
        assert_ok(project_open(p->db, DB_MODE_WRITE, NULL, &db, &err), &err);
        assert_ok(db_stmt_open(db, updates[u], &stmt, &err), &err);
        assert_ok(db_stmt_run(stmt, &err), &err);
    }
    RUN_HARMLESS(p, 0, "reward", "list", p->db);
    RUN_HARMLESS(p, 0, "reward", "show", p->db);
    RUN_HARMLESS(p, 0, "reward", "show", p->db, "--json");
    RUN_HARMLESS(p, 0, "reward", "rank", p->db);
    RUN_HARMLESS(p, 0, "reward", "rank", p->db, "--format", "svg");
    RUN_HARMLESS(p, 0, "reward", "predict", p->db, "#1", "#2");
    RUN_HARMLESS(p, 2, "reward", "rank", p->db, "--fit", "no");
}

/* "-2" and "+3e1" are numbers; what begins like a formula is marked as text, and only that. */
static void test_rank__csv_has_no_formulas(void **state) {
    struct project_case *p = *state;
    make_hostile(p);
    run_program(&p->r, "reward", "fit", p->db, NULL);
    run_program(&p->r, "reward", "rank", p->db, "--format", "csv", NULL);
    program_check_ok(&p->r);
    static const char *const cells[] = {
        ",'=1+1\\u001b[31m,0,", ",-2,0,",           ",+3e1,0,", ",'@SUM(A1),0,",
        ",\"a,b\\u202e\",0,",   ",'-x\\u009b2J,0,",
    };
    for (size_t c = 0; c < sizeof cells / sizeof *cells; c++) {
        if (!strstr(p->r.out, cells[c])) {
            fail_msg("no %s in: %s", cells[c], p->r.out);
        }
    }
}

/* An export is exact, formulas and all: read back, it is the same log. */
static void test_export__csv_keeps_what_looks_like_a_formula(void **state) {
    struct project_case *p = *state;
    static char exported[PROGRAM_TEXT_BYTES];
    make_hostile(p);
    run_program(&p->r, "export", p->db, "--format", "csv", NULL);
    program_check_ok(&p->r);
    memcpy(exported, p->r.out, sizeof exported);
    assert_non_null(strstr(exported, "@SUM(A1)"));
    assert_null(strstr(exported, "'@"));
    scratch_write(p->scratch, "again.csv", exported);
    (void)snprintf(p->db, sizeof p->db, "%s", scratch_path(p->scratch, "again.db"));
    project_case_import(p, scratch_path(p->scratch, "again.csv"));
    run_program(&p->r, "export", p->db, "--format", "csv", NULL);
    program_check_ok(&p->r);
    assert_string_equal(p->r.out, exported);
}

#define PROJECT_TEST(function) \
    cmocka_unit_test_setup_teardown(function, project_case_setup, project_case_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        PROJECT_TEST(test_names__do_not_steer_the_terminal),
        PROJECT_TEST(test_names__of_fits_from_elsewhere_do_not_either),
        PROJECT_TEST(test_rank__csv_has_no_formulas),
        PROJECT_TEST(test_export__csv_keeps_what_looks_like_a_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
