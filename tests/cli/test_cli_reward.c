/* accord reward as its users meet it: fit, rank, predict and list on a small league. */
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/project.h"
#include "reward/tabular_predict.h"
#include "tests/support/near.h"
#include "tests/support/project_case.h"

#include <stdio.h>
#include <stdlib.h>

/* Item-only rows of accord's own layout: `first` beats, or ties with, `second`. */
static void add_row(struct strbuf *out, const char *first, const char *second, bool tie,
                    const char *annotator) {
    strbuf_addf(out,
                "{\"judgement\": \"comparison\", \"items\": \"league\", \"responses\": [{\"text\": "
                "\"%s\", \"rank\": 1}, {\"text\": \"%s\", \"rank\": %d}], \"annotator\": \"%s\", "
                "\"population\": \"%s\"}\n",
                first, second, tie ? 1 : 2, annotator, annotator[0] == 'a' ? "young" : "old");
}

/* x beats y 6 to 2, y beats z 5 to 3, x beats z 7 to 1. */
static void make_league(struct project_case *p, bool ties) {
    static const char *const annotators[] = {"ann", "bob", "amy"};
    static const struct {
        const char *better, *worse;
        int wins;
    } games[] = {{"x", "y", 6}, {"y", "x", 2}, {"y", "z", 5},
                 {"z", "y", 3}, {"x", "z", 7}, {"z", "x", 1}};
    SCOPED(strbuf) struct strbuf rows = STRBUF_INIT(1 << 20);
    int row = 0;
    for (size_t g = 0; g < sizeof games / sizeof *games; g++) {
        for (int k = 0; k < games[g].wins; k++) {
            add_row(&rows, games[g].better, games[g].worse, false, annotators[row++ % 3]);
        }
    }
    for (int k = 0; ties && k < 4; k++) {
        add_row(&rows, "y", "z", true, annotators[row++ % 3]);
    }
    project_case_import_rows(p, strbuf_text(&rows));
}

/* ---- fit ---- */

static void test_fit__chooses_the_model_and_says_why(void **state) {
    struct project_case *p = *state;
    make_league(p, false);
    run_program(&p->r, "reward", "fit", p->db, NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, "bradley-terry of 3 items to 24 comparisons, maximum "
                                     "likelihood\n(this model because the comparisons are pairs"));
    assert_non_null(strstr(p->r.out, "stored          as 'bradley-terry'"));
    assert_non_null(strstr(p->r.out, "on 1 degrees of freedom, p = "));
}

static void test_fit__of_ties_is_davidson(void **state) {
    struct project_case *p = *state;
    make_league(p, true);
    run_program(&p->r, "reward", "fit", p->db, "--json", NULL);
    program_check_ok(&p->r);
    SCOPED(json) struct json *doc = program_json(&p->r);
    const struct json_node *fit = json_at(doc, json_find(doc, json_root(doc), "fits"), 0);
    assert_string_equal(program_text(doc, fit, "model"), "davidson");
    assert_string_equal(program_text(doc, fit, "model_chosen_because"),
                        "the comparisons hold ties");
    const struct json_node *tie = json_at(doc, json_find(doc, fit, "parameters"), 0);
    assert_string_equal(program_text(doc, tie, "name"), "log_nu");
    run_program(&p->r, "reward", "fit", p->db, "-m", "bradley-terry", NULL);
    program_check_refused(&p->r, 3, "ties");
    run_program(&p->r, "reward", "fit", p->db, "-m", "bradley-terry", "--ties", "drop", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, "4 tied pairs were left out"));
}

/* A prior keeps the likelihood from its maximum, which Akaike's criterion is about. */
static void test_fit__has_an_aic_where_it_is_one(void **state) {
    struct project_case *p = *state;
    make_league(p, false);
    run_program(&p->r, "reward", "fit", p->db, "--json", NULL);
    SCOPED(json) struct json *doc = program_json(&p->r);
    const struct json_node *fit = json_at(doc, json_find(doc, json_root(doc), "fits"), 0);
    double aic = program_number(doc, fit, "aic");
    assert_near(aic, 4.0 - 2.0 * program_number(doc, fit, "log_likelihood"), 1e-12);
    /* C(8, 2) C(8, 3) C(8, 1) = 28 * 56 * 8 */
    assert_near(program_number(doc, fit, "aic_counts"), aic - 2.0 * log(12544.0), 1e-10);
    static const char *const others[] = {"map", "firth"};
    for (size_t k = 0; k < 2; k++) {
        run_program(&p->r, "reward", "fit", p->db, "--estimator", others[k], "--replace", "--json",
                    NULL);
        program_check_ok(&p->r);
        assert_non_null(strstr(p->r.out, "\"aic\": null,"));
        assert_non_null(strstr(p->r.out, "\"aic_counts\": null,"));
    }
}

static void test_show__says_what_the_fit_said(void **state) {
    struct project_case *p = *state;
    make_league(p, true);
    static const struct {
        const char *model, *ties, *estimator;
    } cases[] = {
        {"davidson", "refuse", "ml"},
        {"bradley-terry", "half", "map"},
        {"plackett-luce", "refuse", "map"},
        {"crowd-bt", "drop", "map"},
    };
    static char said[PROGRAM_TEXT_BYTES];
    for (size_t k = 0; k < 2 * sizeof cases / sizeof *cases; k++) {
        const char *json = k % 2 == 0 ? "-q" : "--json";
        run_program(&p->r, "reward", "fit", p->db, "-m", cases[k / 2].model, "--ties",
                    cases[k / 2].ties, "--estimator", cases[k / 2].estimator, "--replace", "--name",
                    "x", json, NULL);
        program_check_ok(&p->r);
        memcpy(said, p->r.out, sizeof said);
        run_program(&p->r, "reward", "show", p->db, json, NULL);
        program_check_ok(&p->r);
        assert_string_equal(p->r.out, said);
    }
    run_program(&p->r, "reward", "fit", p->db, NULL); /* the model chosen, and why */
    memcpy(said, p->r.out, sizeof said);
    run_program(&p->r, "reward", "show", p->db, "--fit", "davidson", NULL);
    assert_string_equal(p->r.out, said);
    run_program(&p->r, "reward", "show", p->db, NULL);
    program_check_refused(&p->r, 2, "there are 2 fits; say which with --fit: 'davidson', 'x'");
}

/* The deviance is chi-squared of counts fitted by maximum likelihood; simulated from a true model,
 * a strong prior rejected it always, and ties as halves never. */
static void test_fit__gives_a_p_value_only_where_it_is_one(void **state) {
    struct project_case *p = *state;
    make_league(p, true);
    static const struct {
        const char *ties, *estimator, *said, *p_value;
    } cases[] = {
        {"drop", "map", "freedom, more than the data's own, by what ", "\"p_value\": null"},
        {"half", "ml", "freedom, but halves of ties vary less than wins", "\"p_value\": null"},
        {"drop", "ml", "freedom, p = ", "\"p_value\": 0."},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        run_program(&p->r, "reward", "fit", p->db, "-m", "bradley-terry", "--replace", "--ties",
                    cases[k].ties, "--estimator", cases[k].estimator, NULL);
        program_check_ok(&p->r);
        if (!strstr(p->r.out, cases[k].said)) {
            fail_msg("no '%s' in: %s", cases[k].said, p->r.out);
        }
        run_program(&p->r, "reward", "fit", p->db, "-m", "bradley-terry", "--replace", "--ties",
                    cases[k].ties, "--estimator", cases[k].estimator, "--json", NULL);
        program_check_ok(&p->r);
        if (!strstr(p->r.out, cases[k].p_value)) {
            fail_msg("no '%s' in: %s", cases[k].p_value, p->r.out);
        }
    }
}

/* Raters never compared; of the strict ones nobody ever preferred z. */
static void import_odd_populations(struct project_case *p) {
    project_case_import_rows(
        p, "{\"judgement\":\"rating\",\"prompt\":\"Tea?\",\"response\":\"Yes.\",\"rating\":4,"
           "\"annotator\":\"rita\",\"population\":\"raters\"}\n"
           "{\"judgement\":\"comparison\",\"items\":\"league\",\"responses\":[{\"text\":\"x\","
           "\"rank\":1},{\"text\":\"z\",\"rank\":2}],\"annotator\":\"stan\",\"population\":"
           "\"strict\"}\n");
}

static void test_fit__by_population_goes_on_without_what_has_none(void **state) {
    struct project_case *p = *state;
    make_league(p, false);
    import_odd_populations(p);
    run_program(&p->r, "reward", "fit", p->db, "--by-population", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, "'bradley-terry/old'"));
    assert_non_null(strstr(p->r.out, "'bradley-terry/young'"));
    assert_non_null(strstr(p->r.out, "no fit          of population 'raters': none of "));
    assert_non_null(strstr(p->r.out, "no fit          of population 'strict': fit of "));
    run_program(&p->r, "reward", "fit", p->db, "--by-population", "--replace", "--json", NULL);
    SCOPED(json) struct json *doc = program_json(&p->r);
    const struct json_node *gaps = json_find(doc, json_root(doc), "without_fit");
    assert_string_equal(program_text(doc, program_find(doc, gaps, "population", "strict"), "code"),
                        "DATA");
    assert_non_null(strstr(
        program_text(doc, program_find(doc, gaps, "population", "raters"), "message"), "none of"));
    assert_null(json_at(doc, gaps, 2));
    run_program(&p->r, "reward", "list", p->db, NULL);
    assert_non_null(strstr(p->r.out, "bradley-terry/old"));
    assert_null(strstr(p->r.out, "strict"));
    assert_null(strstr(p->r.out, "raters"));
}

static void test_fit__by_population_fails_where_none_has_a_fit(void **state) {
    struct project_case *p = *state;
    import_odd_populations(p);
    run_program(&p->r, "reward", "fit", p->db, "--by-population", NULL);
    program_check_refused(&p->r, 3, "none of 2 populations has a fit; 'raters': none of 1 ");
    run_program(&p->r, "reward", "list", p->db, NULL);
    assert_non_null(strstr(p->r.out, "no fit yet"));
}

/* A name that is taken is no matter of the data: nothing is stored. */
static void test_fit__by_population_stops_at_a_name_that_is_taken(void **state) {
    struct project_case *p = *state;
    make_league(p, false);
    run_program(&p->r, "reward", "fit", p->db, "--population", "young", "--name", "x/young", NULL);
    program_check_ok(&p->r);
    run_program(&p->r, "reward", "fit", p->db, "--by-population", "--name", "x", NULL);
    program_check_refused(&p->r, 3, "population 'young': a fit named 'x/young' has been there");
    run_program(&p->r, "reward", "list", p->db, NULL);
    assert_null(strstr(p->r.out, "x/old"));
}

static void test_fit__keeps_what_is_there_unless_told(void **state) {
    struct project_case *p = *state;
    make_league(p, false);
    run_program(&p->r, "reward", "fit", p->db, NULL);
    program_check_ok(&p->r);
    run_program(&p->r, "reward", "fit", p->db, NULL);
    program_check_refused(&p->r, 3, "give another --name, or --replace it");
    run_program(&p->r, "reward", "fit", p->db, "--replace", NULL);
    program_check_ok(&p->r);
    run_program(&p->r, "reward", "fit", p->db, "--name", "second", NULL);
    program_check_ok(&p->r);
    run_program(&p->r, "reward", "list", p->db, NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, "\nbradley-terry  bradley-terry"));
    assert_non_null(strstr(p->r.out, "\nsecond         bradley-terry"));
    run_program(&p->r, "reward", "list", p->db, "--json", NULL);
    program_check_ok(&p->r);
    SCOPED(json) struct json *doc = program_json(&p->r);
    const struct json_node *fit = json_at(doc, json_find(doc, json_root(doc), "fits"), 1);
    assert_near(program_number(doc, fit, "comparisons"), 24.0, 0.0);
}

static void test_fit__by_population_makes_one_for_each(void **state) {
    struct project_case *p = *state;
    make_league(p, false);
    run_program(&p->r, "reward", "fit", p->db, "--by-population", "--name", "taste", "--estimator",
                "map", NULL);
    program_check_ok(&p->r);
    run_program(&p->r, "reward", "list", p->db, NULL);
    assert_non_null(strstr(p->r.out, "\ntaste/old"));
    assert_non_null(strstr(p->r.out, "\ntaste/young"));
    run_program(&p->r, "reward", "rank", p->db, NULL);
    program_check_refused(&p->r, 2,
                          "there are 2 fits; say which with --fit: 'taste/old', 'taste/young'");
    run_program(&p->r, "reward", "rank", p->db, "--fit", "taste/old", NULL);
    program_check_ok(&p->r);
}

static void test_fit__of_a_crowd_gives_reliabilities(void **state) {
    struct project_case *p = *state;
    make_league(p, false);
    run_program(&p->r, "reward", "fit", p->db, "-m", "crowd-bt", "--estimator", "map", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, "reliability     of 3 annotators: mean 0."));
}

static void test_fit__refuses_what_does_not_go_together(void **state) {
    struct project_case *p = *state;
    make_league(p, false);
    run_program(&p->r, "reward", "fit", p->db, "--ridge", "1", NULL);
    program_check_refused(&p->r, 2, "add --estimator map");
    run_program(&p->r, "reward", "fit", p->db, "--population", "old", "--by-population", NULL);
    program_check_refused(&p->r, 2, "choose");
    run_program(&p->r, "reward", "fit", p->db, "--population", "odl", NULL);
    assert_int_not_equal(p->r.status, 0);
    run_program(&p->r, "reward", "fit", scratch_path(p->scratch, "none.db"), NULL);
    program_check_refused(&p->r, 1, "accord init");
    run_program(&p->r, "reward", "list", p->db, NULL);
    assert_string_equal(p->r.out, "no fit yet: accord reward fit makes one\n");
}

/* Nobody ever beat x: the message names it and says what to do, and nothing is stored. */
static void test_fit__names_who_never_lost(void **state) {
    struct project_case *p = *state;
    SCOPED(strbuf) struct strbuf rows = STRBUF_INIT(1 << 16);
    add_row(&rows, "x", "y", false, "ann");
    add_row(&rows, "y", "z", false, "ann");
    add_row(&rows, "z", "y", false, "ann");
    scratch_write(p->scratch, "rows.jsonl", strbuf_text(&rows));
    run_program(&p->r, "init", p->db, NULL);
    run_program(&p->r, "import", p->db, scratch_path(p->scratch, "rows.jsonl"), NULL);
    program_check_ok(&p->r);
    run_program(&p->r, "reward", "fit", p->db, NULL);
    program_check_refused(&p->r, 3, "'x' never lost");
    program_check_refused(&p->r, 3, "--estimator map");
    run_program(&p->r, "reward", "fit", p->db, "--estimator", "map", NULL);
    program_check_ok(&p->r);
}

/* ---- rank ---- */

static void test_rank__shows_order_intervals_and_open_ranks(void **state) {
    struct project_case *p = *state;
    make_league(p, false);
    run_program(&p->r, "reward", "fit", p->db, NULL);
    program_check_ok(&p->r);
    run_program(&p->r, "reward", "rank", p->db, NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, "p: bradley-terry, 3 items\n"));
    const char *x = strstr(p->r.out, "  x "), *y = strstr(p->r.out, "  y ");
    const char *z = strstr(p->r.out, "  z ");
    assert_true(x && y && z && x < y && y < z);
    run_program(&p->r, "reward", "rank", p->db, "--json", NULL);
    program_check_ok(&p->r);
    SCOPED(json) struct json *doc = program_json(&p->r);
    const struct json_node *items = json_find(doc, json_root(doc), "items");
    const struct json_node *first = json_at(doc, items, 0);
    assert_string_equal(program_text(doc, first, "item"), "x");
    assert_near(program_number(doc, first, "rank"), 1.0, 0.0);
    assert_true(program_number(doc, first, "low") < program_number(doc, first, "reward"));
    double sum = 0.0;
    for (int64_t i = 0; i < 3; i++) {
        sum += program_number(doc, json_at(doc, items, i), "reward");
    }
    assert_near(sum, 0.0, 1e-12);
}

static void test_rank__takes_a_reference_and_a_top(void **state) {
    struct project_case *p = *state;
    make_league(p, false);
    run_program(&p->r, "reward", "fit", p->db, NULL);
    run_program(&p->r, "reward", "rank", p->db, "--reference", "z", "--format", "csv", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, "rank,rank_best,rank_worst,item,reward,std_error,low,high,"));
    assert_non_null(strstr(p->r.out, ",z,0,0,0,0,"));
    run_program(&p->r, "reward", "rank", p->db, "--top", "1", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, "2 more items: --top N"));
    run_program(&p->r, "reward", "rank", p->db, "--reference", "q", NULL);
    program_check_refused(&p->r, 2, "no item 'q' in this fit");
}

static void test_rank__draws_a_picture_into_a_file(void **state) {
    struct project_case *p = *state;
    make_league(p, false);
    char path[320], kept[4096];
    (void)snprintf(path, sizeof path, "%s", scratch_path(p->scratch, "league.svg"));
    run_program(&p->r, "reward", "fit", p->db, NULL);
    run_program(&p->r, "reward", "rank", p->db, "--format", "svg", "-o", path, NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, "league.svg: "));
    (void)snprintf(kept, sizeof kept, "%s", scratch_read(p->scratch, "league.svg"));
    assert_memory_equal(kept, "<svg xmlns", 10);
    assert_non_null(strstr(kept, "p: bradley-terry"));
    run_program(&p->r, "reward", "rank", p->db, "--format", "svg", NULL);
    program_check_ok(&p->r);
    assert_string_equal(p->r.out, kept);
    run_program(&p->r, "reward", "rank", p->db, "--json", "--format", "svg", NULL);
    assert_int_equal(p->r.status, 2);
    assert_non_null(strstr(p->r.out, "add -o FILE"));
    run_program(&p->r, "reward", "rank", p->db, "--json", "--format", "svg", "-o", path, NULL);
    program_check_ok(&p->r);
    SCOPED(json) struct json *doc = program_json(&p->r);
    assert_non_null(json_find(doc, json_root(doc), "text"));
}

/* ---- fits too large for a covariance ---- */

#define MANY_ITEMS 2050

/* A ring, each beating the next two of three times, and chords that tie it together. */
static void make_large(struct project_case *p) {
    FILE *f = fopen(scratch_path(p->scratch, "large.csv"), "wb");
    assert_non_null(f);
    (void)fprintf(f, "item_a,item_b,winner\n");
    for (int i = 0; i < MANY_ITEMS; i++) {
        static const int steps[] = {1, 45, 1000};
        for (int k = 0; k < 9; k++) {
            int j = (i + steps[k / 3]) % MANY_ITEMS;
            (void)fprintf(f, "m%d,m%d,%s\n", i, j, (k + i / 7) % 3 == 0 ? "b" : "a");
        }
    }
    assert_int_equal(fclose(f), 0);
    project_case_import(p, scratch_path(p->scratch, "large.csv"));
}

/* 12 of "m12". */
static int64_t number_of(const char *name) {
    int64_t number = -1;
    assert_true(number_parse_i64(name + 1, &number) && number < MANY_ITEMS);
    return number;
}

/* The same fit with its covariance, and the items' numbers by name "m12". */
static void fit_dense(struct project_case *p, struct comparison_set *set, struct tabular_fit *fit,
                      int64_t *places) {
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = NULL;
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    options.covariance_items_max = MANY_ITEMS;
    assert_ok(project_open(p->db, DB_MODE_READ_ONLY, NULL, &db, &err), &err);
    assert_ok(comparison_set_load(db, &(struct comparison_set_options){.from = 0}, set, &err),
              &err);
    assert_ok(tabular_fit_run(set, &options, fit, &err), &err);
    for (int64_t i = 0; i < set->item_count; i++) {
        SCOPED(mem) char *name = NULL;
        assert_ok(comparison_set_item_text(db, set, i, 64, &name, &err), &err);
        places[number_of(name)] = i;
    }
}

static void test_large_fit__has_the_intervals_of_the_covariance(void **state) {
    struct project_case *p = *state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    static int64_t places[MANY_ITEMS];
    make_large(p);
    fit_dense(p, &set, &fit, places);
    run_program(&p->r, "reward", "fit", p->db, NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, "standard errors of more than 2000 items are not kept"));
    run_program(&p->r, "reward", "rank", p->db, "--top", "5", "--json", NULL);
    SCOPED(json) struct json *board = program_json(&p->r);
    const struct json_node *row = json_first(json_find(board, json_root(board), "items"));
    for (int64_t count = 0; count < 5; count++, row = json_next(row)) {
        int64_t item = places[number_of(program_text(board, row, "item"))];
        assert_near(program_number(board, row, "reward"), fit.rewards[item], 1e-9);
        assert_near(program_number(board, row, "std_error"), fit.std_errors[item], 1e-9);
    }
    run_program(&p->r, "reward", "predict", p->db, "m3", "m1200", "--json", NULL);
    SCOPED(json) struct json *answer = program_json(&p->r);
    struct tabular_question question = {.item = places[3], .other = places[1200], .level = 0.95};
    struct tabular_prediction expected;
    tabular_predict(&fit, &question, &expected);
    assert_near(program_number(answer, json_root(answer), "std_error"), expected.std_error, 1e-9);
    assert_near(program_number(answer, json_find(answer, json_root(answer), "win"), "low"),
                expected.win.low, 1e-9);
    run_program(&p->r, "reward", "rank", p->db, "--top", "1", "--reference", "m3", "--json", NULL);
    SCOPED(json) struct json *against = program_json(&p->r);
    row = json_first(json_find(against, json_root(against), "items"));
    int64_t item = places[number_of(program_text(against, row, "item"))];
    assert_near(program_number(against, row, "std_error"),
                tabular_fit_contrast_std_error(&fit, item, places[3]), 1e-9);
}

/* Intervals need the comparisons of the fit; with others there are none, and it says so. */
static void test_large_fit__has_no_intervals_from_other_comparisons(void **state) {
    struct project_case *p = *state;
    make_large(p);
    run_program(&p->r, "reward", "fit", p->db, NULL);
    program_check_ok(&p->r);
    scratch_write(p->scratch, "more.csv", "item_a,item_b,winner\nm1,m2,a\n");
    project_case_import(p, scratch_path(p->scratch, "more.csv"));
    run_program(&p->r, "reward", "rank", p->db, "--top", "1", "--json", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.err, "no intervals: the preferences have changed since fit"));
    assert_non_null(strstr(p->r.out, "\"std_error\": null"));
    assert_non_null(strstr(p->r.out, "\"no_intervals_because\": \"the preferences have changed"));
    run_program(&p->r, "reward", "predict", p->db, "m3", "m1200", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.err, "no intervals: "));
    assert_non_null(strstr(p->r.out, "nats.\n"));
}

/* ---- predict ---- */

static void test_predict__mirrors_itself(void **state) {
    struct project_case *p = *state;
    make_league(p, true);
    run_program(&p->r, "reward", "fit", p->db, NULL);
    run_program(&p->r, "reward", "predict", p->db, "x", "z", "--json", NULL);
    program_check_ok(&p->r);
    SCOPED(json) struct json *forth = program_json(&p->r);
    run_program(&p->r, "reward", "predict", p->db, "z", "x", "--json", NULL);
    program_check_ok(&p->r);
    SCOPED(json) struct json *back = program_json(&p->r);
    const struct json_node *win = json_find(forth, json_root(forth), "win");
    const struct json_node *tie = json_find(forth, json_root(forth), "tie");
    const struct json_node *loss = json_find(forth, json_root(forth), "loss");
    double total = program_number(forth, win, "value") + program_number(forth, tie, "value") +
                   program_number(forth, loss, "value");
    assert_near(total, 1.0, 1e-12);
    assert_near(program_number(back, json_find(back, json_root(back), "loss"), "value"),
                program_number(forth, win, "value"), 1e-12);
    assert_near(program_number(back, json_find(back, json_root(back), "loss"), "low"),
                program_number(forth, win, "low"), 1e-12);
    assert_true(program_number(forth, win, "low") < program_number(forth, win, "value"));
}

static void test_predict__refuses_what_it_cannot_compare(void **state) {
    struct project_case *p = *state;
    make_league(p, false);
    run_program(&p->r, "reward", "predict", p->db, "x", "y", NULL);
    program_check_refused(&p->r, 2, "make one with: accord reward fit");
    run_program(&p->r, "reward", "fit", p->db, NULL);
    run_program(&p->r, "reward", "predict", p->db, "x", "x", NULL);
    program_check_refused(&p->r, 2, "both items are 'x'");
    run_program(&p->r, "reward", "predict", p->db, "x", "y", "--position", "first", NULL);
    program_check_refused(&p->r, 2, "fit with --position-effect");
    run_program(&p->r, "reward", "predict", p->db, "x", "y", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, "x wins  0."));
    assert_null(strstr(p->r.out, "a tie"));
}

/* A chat is known by its last message, an answer of several turns by its first. */
static void test_rank__shows_what_was_said_in_chats(void **state) {
    struct project_case *p = *state;
    scratch_write(
        p->scratch, "chats.jsonl",
        "{\"judgement\": \"comparison\", \"prompt\": [{\"role\": \"user\", \"content\": "
        "\"Hello.\"}, {\"role\": \"assistant\", \"content\": \"Yes?\"}, {\"role\": \"user\", "
        "\"content\": \"What to drink?\"}], \"responses\": [{\"messages\": [{\"role\": "
        "\"assistant\", \"content\": \"Tea?\"}, {\"role\": \"user\", \"content\": \"No.\"}, "
        "{\"role\": \"assistant\", \"content\": \"Water.\"}], \"rank\": 1}, {\"text\": "
        "\"Milk.\", \"rank\": 2}]}\n");
    run_program(&p->r, "init", p->db, NULL);
    run_program(&p->r, "import", p->db, scratch_path(p->scratch, "chats.jsonl"), NULL);
    program_check_ok(&p->r);
    run_program(&p->r, "reward", "fit", p->db, "--estimator", "map", NULL);
    program_check_ok(&p->r);
    run_program(&p->r, "reward", "rank", p->db, NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, "  Tea?"));
    assert_null(strstr(p->r.out, "role"));
}

/* Names of teams are no answers whose words could be learned from. */
static void test_baseline__refuses_items_without_text(void **state) {
    struct project_case *p = *state;
    make_league(p, false);
    run_program(&p->r, "reward", "baseline", p->db, NULL);
    program_check_refused(&p->r, 3, "'league' is a set of items without text");
}

/* People always prefer the longer answer, and so does a weight on length: every bin's share is 1,
 * and the calibration error is what the chances lack of it. */
static void test_baseline__says_how_sure_it_was(void **state) {
    enum { PROMPTS = 20 };
    struct project_case *p = *state;
    SCOPED(strbuf) struct strbuf rows = STRBUF_INIT(1 << 16);
    for (int i = 0; i < PROMPTS; i++) {
        strbuf_addf(
            &rows,
            "{\"prompt\": \"Question %d?\", \"chosen\": \"An answer that goes on for %.*s\", "
            "\"rejected\": \"Short.\"}\n",
            i, 3 + i, "a very long while");
    }
    project_case_import_rows(p, strbuf_text(&rows));
    run_program(&p->r, "reward", "baseline", p->db, "--folds", "2", "--json", NULL);
    program_check_ok(&p->r);
    SCOPED(json) struct json *doc = program_json(&p->r);
    const struct json_node *length =
        json_find(doc, json_find(doc, json_root(doc), "pooled"), "length");
    double judgements = 0.0;
    double lacking = 0.0;
    for (const struct json_node *bin = json_first(json_find(doc, length, "reliability")); bin;
         bin = json_next(bin)) {
        assert_near(program_number(doc, bin, "share"), 1.0, 0.0);
        judgements += program_number(doc, bin, "judgements");
        lacking +=
            program_number(doc, bin, "judgements") * (1.0 - program_number(doc, bin, "said"));
    }
    assert_near(judgements, PROMPTS, 0.0);
    assert_near(program_number(doc, json_find(doc, length, "ece"), "value"), lacking / PROMPTS,
                1e-12);
    run_program(&p->r, "reward", "baseline", p->db, "--folds", "2", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, "\nlength in characters: calibration error 0."));
}

#define PROJECT_TEST(function) \
    cmocka_unit_test_setup_teardown(function, project_case_setup, project_case_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        PROJECT_TEST(test_fit__chooses_the_model_and_says_why),
        PROJECT_TEST(test_fit__of_ties_is_davidson),
        PROJECT_TEST(test_fit__gives_a_p_value_only_where_it_is_one),
        PROJECT_TEST(test_fit__keeps_what_is_there_unless_told),
        PROJECT_TEST(test_fit__has_an_aic_where_it_is_one),
        PROJECT_TEST(test_show__says_what_the_fit_said),
        PROJECT_TEST(test_fit__by_population_goes_on_without_what_has_none),
        PROJECT_TEST(test_fit__by_population_fails_where_none_has_a_fit),
        PROJECT_TEST(test_fit__by_population_stops_at_a_name_that_is_taken),
        PROJECT_TEST(test_fit__by_population_makes_one_for_each),
        PROJECT_TEST(test_fit__of_a_crowd_gives_reliabilities),
        PROJECT_TEST(test_fit__refuses_what_does_not_go_together),
        PROJECT_TEST(test_fit__names_who_never_lost),
        PROJECT_TEST(test_rank__shows_order_intervals_and_open_ranks),
        PROJECT_TEST(test_rank__takes_a_reference_and_a_top),
        PROJECT_TEST(test_rank__draws_a_picture_into_a_file),
        PROJECT_TEST(test_rank__shows_what_was_said_in_chats),
        PROJECT_TEST(test_large_fit__has_the_intervals_of_the_covariance),
        PROJECT_TEST(test_large_fit__has_no_intervals_from_other_comparisons),
        PROJECT_TEST(test_predict__mirrors_itself),
        PROJECT_TEST(test_predict__refuses_what_it_cannot_compare),
        PROJECT_TEST(test_baseline__refuses_items_without_text),
        PROJECT_TEST(test_baseline__says_how_sure_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
