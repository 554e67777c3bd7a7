/* import, reward fit and reward rank on data of other people, as a new user would. */
#include "base/json.h"
#include "base/scoped.h"
#include "tests/support/near.h"
#include "tests/support/real_data.h"
#include "tests/support/run_program.h"
#include "tests/support/scratch.h"

#include <stdio.h>
#include <stdlib.h>

struct world {
    struct scratch *scratch;
    struct program_result r;
    char db[320];
};

static int setup(void **state) {
    struct world *w = calloc(1, sizeof *w);
    if (!w || scratch_setup((void **)&w->scratch) != 0) {
        free(w);
        return -1;
    }
    (void)snprintf(w->db, sizeof w->db, "%s", scratch_path(w->scratch, "p.db"));
    *state = w;
    return 0;
}

static int teardown(void **state) {
    struct world *w = *state;
    int result = scratch_teardown((void **)&w->scratch);
    free(w);
    return result;
}

static void check_ok(const struct program_result *r) {
    if (r->status != 0) {
        fail_msg("status %d: %s%s", r->status, r->out, r->err);
    }
}

static void import(struct world *w, const char *relative) {
    const char *path = real_data_or_skip(relative);
    run_program(&w->r, "init", w->db, NULL);
    check_ok(&w->r);
    run_program(&w->r, "import", w->db, path, NULL);
    check_ok(&w->r);
}

static struct json *parsed(const struct program_result *r) {
    struct json *doc = NULL;
    struct error err = ERROR_INIT;
    check_ok(r);
    assert_ok(json_parse(r->out, strlen(r->out), "output", NULL, &doc, &err), &err);
    return doc;
}

static double number_of(const struct json *doc, const struct json_node *object, const char *key) {
    double value = 0.0;
    struct error err = ERROR_INIT;
    assert_ok(json_get_f64(doc, object, key, &value, &err), &err);
    return value;
}

/* The member of an array of objects whose `key` is this text. */
static const struct json_node *find(const struct json *doc, const struct json_node *array,
                                    const char *key, const char *text) {
    struct error err = ERROR_INIT;
    for (const struct json_node *n = json_first(array); n; n = json_next(n)) {
        const char *value = NULL;
        assert_ok(json_get_string(doc, n, key, &value, &err), &err);
        if (strcmp(value, text) == 0) {
            return n;
        }
    }
    fail_msg("no '%s' in the output", text);
    return NULL;
}

static double reward_of(const struct json *doc, const char *item) {
    return number_of(doc, find(doc, json_find(doc, json_root(doc), "items"), "item", item),
                     "reward");
}

static const struct json_node *first_fit(const struct json *doc) {
    return json_at(doc, json_find(doc, json_root(doc), "fits"), 0);
}

/* Agresti 2002, p. 438, as EXPECTED.json has it: estimates against Baltimore, to four digits. */
static void test_baseball__has_the_published_rewards(void **state) {
    struct world *w = *state;
    import(w, "item-only-classic/baseball_1987.csv");
    run_program(&w->r, "reward", "fit", w->db, "--json", NULL);
    SCOPED(json) struct json *fit = parsed(&w->r);
    assert_near(number_of(fit, first_fit(fit), "deviance"), 44.053, 5e-4);
    assert_near(number_of(fit, first_fit(fit), "degrees_of_freedom"), 36.0, 0.0);
    run_program(&w->r, "reward", "rank", w->db, "--reference", "Baltimore", "--json", NULL);
    SCOPED(json) struct json *board = parsed(&w->r);
    assert_near(reward_of(board, "Milwaukee"), 1.5814, 5e-5);
    assert_near(reward_of(board, "Cleveland"), 0.6839, 5e-5);
    const struct json_node *items = json_find(board, json_root(board), "items");
    assert_near(number_of(board, find(board, items, "item", "Detroit"), "std_error"), 0.3396, 5e-5);
}

static void test_baseball__has_the_published_home_effect(void **state) {
    struct world *w = *state;
    import(w, "item-only-classic/baseball_1987.csv");
    run_program(&w->r, "reward", "fit", w->db, "--position-effect", "--json", NULL);
    SCOPED(json) struct json *fit = parsed(&w->r);
    const struct json_node *home =
        find(fit, json_find(fit, first_fit(fit), "parameters"), "name", "position");
    assert_near(number_of(fit, home, "value"), 0.3023, 5e-5);
    assert_near(number_of(fit, home, "std_error"), 0.1309, 5e-5);
    run_program(&w->r, "reward", "rank", w->db, "--reference", "Baltimore", "--json", NULL);
    SCOPED(json) struct json *board = parsed(&w->r);
    assert_near(reward_of(board, "Milwaukee"), 1.6195550, 5e-8);
}

static void test_puddings__have_their_tie_parameter_in_both_models(void **state) {
    struct world *w = *state;
    import(w, "item-only-classic/pudding_ties.csv");
    static const char *const models[] = {"davidson", "plackett-luce"};
    for (int m = 0; m < 2; m++) {
        run_program(&w->r, "reward", "fit", w->db, "-m", models[m], "--json", NULL);
        SCOPED(json) struct json *fit = parsed(&w->r);
        const struct json_node *tie = json_at(fit, json_find(fit, first_fit(fit), "parameters"), 0);
        assert_near(number_of(fit, tie, "value"), -0.29192707, 5e-8); /* ln 0.7468230 */
    }
}

/* The slowest drivers never beat anybody: without them (test_rankings_known.c) there is an
 * estimate, with them there is none. */
static void test_nascar__with_all_drivers_has_no_estimate(void **state) {
    struct world *w = *state;
    import(w, "item-only-classic/nascar2002_orderings.csv");
    run_program(&w->r, "reward", "fit", w->db, NULL);
    assert_int_equal(w->r.status, 3);
    assert_non_null(strstr(w->r.err, "use --estimator map"));
    run_program(&w->r, "reward", "fit", w->db, "--estimator", "map", NULL);
    check_ok(&w->r);
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
    struct world *w = *state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        (void)snprintf(w->db, sizeof w->db, "%s/%d.db", w->scratch->folder, (int)c);
        import(w, cases[c].file);
        run_program(&w->r, "reward", "fit", w->db, "--estimator", cases[c].estimator, NULL);
        check_ok(&w->r);
        assert_non_null(strstr(w->r.out, cases[c].words));
        run_program(&w->r, "reward", "rank", w->db, NULL);
        check_ok(&w->r);
    }
}

/* 60 people compared pictures of beaches: nobody is below a half, and both models agree who is
 * last. */
static void test_beaches__have_reliable_judges(void **state) {
    struct world *w = *state;
    const char *path = real_data_or_skip("item-only-classic/beach_preferences.csv");
    run_program(&w->r, "init", w->db, NULL);
    run_program(&w->r, "import", w->db, path, NULL);
    check_ok(&w->r);
    run_program(&w->r, "reward", "fit", w->db, "-m", "crowd-bt", "--estimator", "map", "--json",
                NULL);
    SCOPED(json) struct json *fit = parsed(&w->r);
    assert_near(number_of(fit, first_fit(fit), "annotators"), 60.0, 0.0);
    assert_near(number_of(fit, first_fit(fit), "annotators_below_half"), 0.0, 0.0);
    run_program(&w->r, "reward", "fit", w->db, NULL);
    check_ok(&w->r);
    run_program(&w->r, "reward", "rank", w->db, "-f", "bradley-terry", "--json", NULL);
    SCOPED(json) struct json *board = parsed(&w->r);
    run_program(&w->r, "reward", "rank", w->db, "-f", "crowd-bt", "--json", NULL);
    SCOPED(json) struct json *crowd = parsed(&w->r);
    assert_true(reward_of(board, "2") < -2.0 && reward_of(crowd, "2") < reward_of(crowd, "12"));
}

static void test_football__has_a_home_effect(void **state) {
    struct world *w = *state;
    import(w, "football-international/results.csv");
    run_program(&w->r, "reward", "fit", w->db, "--position-effect", NULL);
    assert_int_equal(w->r.status, 3); /* some teams only ever met each other */
    assert_non_null(strstr(w->r.err, "were never compared with"));
    run_program(&w->r, "reward", "fit", w->db, "--position-effect", "--estimator", "map", "--json",
                NULL);
    SCOPED(json) struct json *fit = parsed(&w->r);
    assert_near(number_of(fit, first_fit(fit), "comparisons"), 49520.0, 0.0);
    const struct json_node *home =
        find(fit, json_find(fit, first_fit(fit), "parameters"), "name", "position");
    assert_true(number_of(fit, home, "value") > 20.0 * number_of(fit, home, "std_error"));
    run_program(&w->r, "reward", "predict", w->db, "Brazil", "Germany", "--position", "first",
                NULL);
    check_ok(&w->r);
}

#define WORLD_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_baseball__has_the_published_rewards),
        WORLD_TEST(test_baseball__has_the_published_home_effect),
        WORLD_TEST(test_puddings__have_their_tie_parameter_in_both_models),
        WORLD_TEST(test_nascar__with_all_drivers_has_no_estimate),
        WORLD_TEST(test_preflib__fits_every_kind_of_file),
        WORLD_TEST(test_beaches__have_reliable_judges),
        WORLD_TEST(test_football__has_a_home_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
