/* import, reward fit and reward rank on data of other people, as a new user would. */
#include "base/json.h"
#include "base/scoped.h"
#include "tests/support/near.h"
#include "tests/support/project_case.h"
#include "tests/support/real_data.h"

#include <stdio.h>
#include <stdlib.h>

static double reward_of(const struct json *doc, const char *item) {
    return program_number(
        doc, program_find(doc, json_find(doc, json_root(doc), "items"), "item", item), "reward");
}

static const struct json_node *first_fit(const struct json *doc) {
    return json_at(doc, json_find(doc, json_root(doc), "fits"), 0);
}

/* Agresti 2002, p. 438, as EXPECTED.json has it: estimates against Baltimore, to four digits. */
static void test_baseball__has_the_published_rewards(void **state) {
    struct project_case *p = *state;
    project_case_import(p, real_data_or_skip("item-only-classic/baseball_1987.csv"));
    run_program(&p->r, "reward", "fit", p->db, "--json", NULL);
    SCOPED(json) struct json *fit = program_json(&p->r);
    assert_near(program_number(fit, first_fit(fit), "deviance"), 44.053, 5e-4);
    assert_near(program_number(fit, first_fit(fit), "degrees_of_freedom"), 36.0, 0.0);
    run_program(&p->r, "reward", "rank", p->db, "--reference", "Baltimore", "--json", NULL);
    SCOPED(json) struct json *board = program_json(&p->r);
    assert_near(reward_of(board, "Milwaukee"), 1.5814, 5e-5);
    assert_near(reward_of(board, "Cleveland"), 0.6839, 5e-5);
    const struct json_node *items = json_find(board, json_root(board), "items");
    assert_near(program_number(board, program_find(board, items, "item", "Detroit"), "std_error"),
                0.3396, 5e-5);
}

static void test_baseball__has_the_published_home_effect(void **state) {
    struct project_case *p = *state;
    project_case_import(p, real_data_or_skip("item-only-classic/baseball_1987.csv"));
    run_program(&p->r, "reward", "fit", p->db, "--position-effect", "--json", NULL);
    SCOPED(json) struct json *fit = program_json(&p->r);
    const struct json_node *home =
        program_find(fit, json_find(fit, first_fit(fit), "parameters"), "name", "position");
    assert_near(program_number(fit, home, "value"), 0.3023, 5e-5);
    assert_near(program_number(fit, home, "std_error"), 0.1309, 5e-5);
    run_program(&p->r, "reward", "rank", p->db, "--reference", "Baltimore", "--json", NULL);
    SCOPED(json) struct json *board = program_json(&p->r);
    assert_near(reward_of(board, "Milwaukee"), 1.6195550, 5e-8);
}

static void test_puddings__have_their_tie_parameter_in_both_models(void **state) {
    struct project_case *p = *state;
    project_case_import(p, real_data_or_skip("item-only-classic/pudding_ties.csv"));
    static const char *const models[] = {"davidson", "plackett-luce"};
    for (int m = 0; m < 2; m++) {
        run_program(&p->r, "reward", "fit", p->db, "-m", models[m], "--json", NULL);
        SCOPED(json) struct json *fit = program_json(&p->r);
        const struct json_node *tie = json_at(fit, json_find(fit, first_fit(fit), "parameters"), 0);
        assert_near(program_number(fit, tie, "value"), -0.29192707, 5e-8); /* ln 0.7468230 */
    }
}

/* The slowest drivers never beat anybody: without them (test_rankings_known.c) there is an
 * estimate, with them there is none. */
static void test_nascar__with_all_drivers_has_no_estimate(void **state) {
    struct project_case *p = *state;
    project_case_import(p, real_data_or_skip("item-only-classic/nascar2002_orderings.csv"));
    run_program(&p->r, "reward", "fit", p->db, NULL);
    assert_int_equal(p->r.status, 3);
    assert_non_null(strstr(p->r.err, "use --estimator map"));
    run_program(&p->r, "reward", "fit", p->db, "--estimator", "map", NULL);
    program_check_ok(&p->r);
}

static void test_preflib__fits_every_kind_of_file(void **state) {
    static const struct {
        const char *file;
        const char *estimator;
        const char *words;
    } cases[] = {
        {"item-only-classic/preflib_netflix.soc", "ml", "plackett-luce of 4 items"},
        {"item-only-classic/preflib_cities.soi", "ml", "plackett-luce of 36 items"},
        {"item-only-classic/preflib_skaters.toc", "map", "plackett-luce of 30 items"},
        {"item-only-classic/preflib_education_qualities.toi", "map", "plackett-luce of"},
    };
    struct project_case *p = *state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        (void)snprintf(p->db, sizeof p->db, "%s/%d.db", p->scratch->folder, (int)c);
        project_case_import(p, real_data_or_skip(cases[c].file));
        run_program(&p->r, "reward", "fit", p->db, "--estimator", cases[c].estimator, NULL);
        program_check_ok(&p->r);
        assert_non_null(strstr(p->r.out, cases[c].words));
        run_program(&p->r, "reward", "rank", p->db, NULL);
        program_check_ok(&p->r);
    }
}

/* 60 people compared pictures of beaches: nobody is below a half, and both models agree who is
 * last. */
static void test_beaches__have_reliable_judges(void **state) {
    struct project_case *p = *state;
    const char *path = real_data_or_skip("item-only-classic/beach_preferences.csv");
    run_program(&p->r, "init", p->db, NULL);
    run_program(&p->r, "import", p->db, path, NULL);
    program_check_ok(&p->r);
    run_program(&p->r, "reward", "fit", p->db, "-m", "crowd-bt", "--estimator", "map", "--json",
                NULL);
    SCOPED(json) struct json *fit = program_json(&p->r);
    assert_near(program_number(fit, first_fit(fit), "annotators"), 60.0, 0.0);
    assert_near(program_number(fit, first_fit(fit), "annotators_below_half"), 0.0, 0.0);
    run_program(&p->r, "reward", "fit", p->db, NULL);
    program_check_ok(&p->r);
    run_program(&p->r, "reward", "rank", p->db, "-f", "bradley-terry", "--json", NULL);
    SCOPED(json) struct json *board = program_json(&p->r);
    run_program(&p->r, "reward", "rank", p->db, "-f", "crowd-bt", "--json", NULL);
    SCOPED(json) struct json *crowd = program_json(&p->r);
    assert_true(reward_of(board, "2") < -2.0 && reward_of(crowd, "2") < reward_of(crowd, "12"));
}

static void test_football__has_a_home_effect(void **state) {
    struct project_case *p = *state;
    project_case_import(p, real_data_or_skip("football-international/results.csv"));
    run_program(&p->r, "reward", "fit", p->db, "--position-effect", NULL);
    assert_int_equal(p->r.status, 3); /* some teams only ever met each other */
    assert_non_null(strstr(p->r.err, "were never compared with"));
    run_program(&p->r, "reward", "fit", p->db, "--position-effect", "--estimator", "map", "--json",
                NULL);
    SCOPED(json) struct json *fit = program_json(&p->r);
    assert_near(program_number(fit, first_fit(fit), "comparisons"), 49520.0, 0.0);
    const struct json_node *home =
        program_find(fit, json_find(fit, first_fit(fit), "parameters"), "name", "position");
    assert_true(program_number(fit, home, "value") > 20.0 * program_number(fit, home, "std_error"));
    run_program(&p->r, "reward", "predict", p->db, "Brazil", "Germany", "--position", "first",
                NULL);
    program_check_ok(&p->r);
}

#define PROJECT_TEST(function) \
    cmocka_unit_test_setup_teardown(function, project_case_setup, project_case_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        PROJECT_TEST(test_baseball__has_the_published_rewards),
        PROJECT_TEST(test_baseball__has_the_published_home_effect),
        PROJECT_TEST(test_puddings__have_their_tie_parameter_in_both_models),
        PROJECT_TEST(test_nascar__with_all_drivers_has_no_estimate),
        PROJECT_TEST(test_preflib__fits_every_kind_of_file),
        PROJECT_TEST(test_beaches__have_reliable_judges),
        PROJECT_TEST(test_football__has_a_home_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
