/* Pair models on data that statistics books and packages print estimates of:
 *   citations   statistics journals citing each other (Stigler 1994; Agresti 2002, p. 448)
 *   baseball    American League 1987, who was at home (Agresti 2002, p. 438)
 *   puddings    with ties (Davidson 1970)
 *   choix       test cases of the Python package, printed to 8 digits or more
 * The numbers of the first two are those of the vignette of the R package BradleyTerry2 1.1-3,
 * those of the third come from its package PlackettLuce, and its tie parameter is our nu. */
#include "base/json.h"
#include "base/number.h"
#include "base/scoped.h"
#include "reward/tabular_fit.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"
#include "tests/support/real_data.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdio.h>

#define FIELDS_MAX 8
#define LINE_BYTES 512

/* Calls `take` with the fields of each row but the first. No field has a comma or quote in it. */
static void each_row(const char *relative, void (*take)(struct comparison_set *, char **),
                     struct comparison_set *set) {
    FILE *file = fopen(real_data_or_skip(relative), "r");
    assert_non_null(file);
    char line[LINE_BYTES];
    assert_non_null(fgets(line, sizeof line, file));
    while (fgets(line, sizeof line, file)) {
        char *fields[FIELDS_MAX] = {line};
        int count = 1;
        for (char *c = line; *c; c++) {
            if (*c == ',' && count < FIELDS_MAX) {
                fields[count++] = c + 1;
            }
            if (*c == ',' || *c == '\n') {
                *c = '\0';
            }
        }
        take(set, fields);
    }
    fclose(file);
}

static double number_of(const char *text) {
    double number = (double)NAN;
    assert_true(number_parse_f64(text, &number));
    return number;
}

static void add_weighted(struct comparison_set *set, const int32_t items[2], const int32_t ranks[2],
                         const char *count) {
    double weight = number_of(count);
    if (weight > 0.0) {
        comparison_sample_add(set, 2, items, ranks);
        comparison_sample_set_weight(set, weight);
    }
}

static double reward_over(const struct comparison_set *set, const struct tabular_fit *fit,
                          const char *item, const char *reference) {
    int64_t i = -1, r = -1;
    for (int64_t k = 0; k < set->item_count; k++) {
        i = strcmp(set->item_names[k], item) == 0 ? k : i;
        r = strcmp(set->item_names[k], reference) == 0 ? k : r;
    }
    assert_true(i >= 0 && r >= 0);
    return fit->rewards[i] - fit->rewards[r];
}

static double std_error_over(const struct comparison_set *set, const struct tabular_fit *fit,
                             const char *item, const char *reference) {
    int64_t i = -1, r = -1;
    for (int64_t k = 0; k < set->item_count; k++) {
        i = strcmp(set->item_names[k], item) == 0 ? k : i;
        r = strcmp(set->item_names[k], reference) == 0 ? k : r;
    }
    return tabular_fit_contrast_std_error(fit, i, r);
}

static void run(const struct comparison_set *set, struct tabular_options options,
                struct tabular_fit *fit) {
    struct error err = ERROR_INIT;
    assert_ok(tabular_fit_run(set, &options, fit, &err), &err);
}

/* ---- citations ---- */

static void take_citation(struct comparison_set *set, char **fields) {
    if (strcmp(fields[0], fields[1]) != 0) {
        const int32_t items[2] = {comparison_sample_item(set, fields[0]),
                                  comparison_sample_item(set, fields[1])};
        add_weighted(set, items, (int32_t[]){1, 2}, fields[2]);
    }
}

static void test_citations__as_published(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    comparison_sample_init(&set, 0);
    each_row("item-only-classic/citations.csv", take_citation, &set);
    run(&set, TABULAR_OPTIONS_DEFAULT, &fit);
    assert_near(reward_over(&set, &fit, "Comm Statist", "Biometrika"), -2.9491, 5e-5);
    assert_near(reward_over(&set, &fit, "JASA", "Biometrika"), -0.4796, 5e-5);
    assert_near(reward_over(&set, &fit, "JRSS-B", "Biometrika"), 0.2690, 5e-5);
    assert_near(fit.deviance, 4.293, 5e-4);
    assert_near(fit.null_deviance, 1925.0, 0.5);
    assert_int_equal(fit.degrees_of_freedom, 3);
    assert_near(fit.aic_counts, 46.39, 5e-3);
}

static void test_citations__firth_as_published(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    comparison_sample_init(&set, 0);
    each_row("item-only-classic/citations.csv", take_citation, &set);
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    options.estimator = TABULAR_FIRTH;
    run(&set, options, &fit);
    assert_near(reward_over(&set, &fit, "Comm Statist", "Biometrika"), -2.9444, 5e-5);
    assert_near(reward_over(&set, &fit, "JASA", "Biometrika"), -0.4791, 5e-5);
    assert_near(reward_over(&set, &fit, "JRSS-B", "Biometrika"), 0.2685, 5e-5);
}

/* ---- baseball ---- */

static void take_series(struct comparison_set *set, char **fields) {
    int32_t home = comparison_sample_item(set, fields[0]);
    int32_t away = comparison_sample_item(set, fields[1]);
    for (int k = 0; k < 2; k++) {
        const int32_t items[2] = {k == 0 ? home : away, k == 0 ? away : home};
        if (number_of(fields[2 + k]) > 0.0) {
            add_weighted(set, items, (int32_t[]){1, 2}, fields[2 + k]);
            comparison_sample_set_positions(set, k == 0 ? (int32_t[]){1, 2} : (int32_t[]){2, 1});
        }
    }
}

struct published {
    const char *team;
    double reward, std_error;
};

static void check_teams(const struct comparison_set *set, const struct tabular_fit *fit,
                        const struct published *teams, double reward_tolerance,
                        double std_error_tolerance) {
    for (int64_t t = 0; t < 6; t++) {
        assert_near(reward_over(set, fit, teams[t].team, "Baltimore"), teams[t].reward,
                    reward_tolerance);
        assert_near(std_error_over(set, fit, teams[t].team, "Baltimore"), teams[t].std_error,
                    std_error_tolerance);
    }
}

static void test_baseball__as_published(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    comparison_sample_init(&set, 0);
    each_row("item-only-classic/baseball_1987.csv", take_series, &set);
    run(&set, TABULAR_OPTIONS_DEFAULT, &fit);
    const struct published teams[] = {{"Boston", 1.1077, 0.3339},   {"Cleveland", 0.6839, 0.3319},
                                      {"Detroit", 1.4364, 0.3396},  {"Milwaukee", 1.5814, 0.3433},
                                      {"New York", 1.2476, 0.3359}, {"Toronto", 1.2945, 0.3367}};
    check_teams(&set, &fit, teams, 5e-5, 5e-5);
    assert_near(fit.deviance, 44.053, 5e-4);
    assert_int_equal(fit.degrees_of_freedom, 36);
    assert_near(fit.aic_counts, 140.52, 5e-3);
}

static void test_baseball__with_home_effect_as_published(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    comparison_sample_init(&set, 0);
    each_row("item-only-classic/baseball_1987.csv", take_series, &set);
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    options.position_effect = true;
    run(&set, options, &fit);
    const struct published teams[] = {
        {"Boston", 1.1438027, 0.3378422},   {"Cleveland", 0.7046945, 0.3350014},
        {"Detroit", 1.4753572, 0.3445518},  {"Milwaukee", 1.6195550, 0.3473653},
        {"New York", 1.2813404, 0.3404034}, {"Toronto", 1.3271104, 0.3403222}};
    /* glm() of R takes standard errors from where its last step began: up to 4e-7 off here. */
    check_teams(&set, &fit, teams, 6e-8, 1e-6);
    assert_near(tabular_fit_parameter(&fit, "position")->value, 0.3023, 5e-5);
    assert_near(tabular_fit_parameter(&fit, "position")->std_error, 0.1309, 5e-5);
    assert_near(fit.deviance, 38.643, 5e-4);
    assert_int_equal(fit.degrees_of_freedom, 35);
    assert_near(fit.aic_counts, 137.11, 5e-3);
}

/* ---- puddings ---- */

static void take_pudding(struct comparison_set *set, char **fields) {
    const int32_t items[2] = {comparison_sample_item(set, fields[0]),
                              comparison_sample_item(set, fields[1])};
    add_weighted(set, items, (int32_t[]){1, 2}, fields[3]);
    add_weighted(set, (int32_t[]){items[1], items[0]}, (int32_t[]){1, 2}, fields[4]);
    add_weighted(set, items, (int32_t[]){1, 1}, fields[5]);
}

static void test_puddings__davidson_to_seven_digits(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    comparison_sample_init(&set, 0);
    each_row("item-only-classic/pudding_ties.csv", take_pudding, &set);
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    options.model = TABULAR_DAVIDSON;
    run(&set, options, &fit);
    const double worths[] = {0.1388034, 0.1730015, 0.1617474, 0.1653730, 0.1586854, 0.2023893};
    double sum = 0.0;
    for (int64_t i = 0; i < 6; i++) {
        sum += exp(fit.rewards[i]);
    }
    for (int64_t i = 0; i < 6; i++) {
        assert_near(exp(fit.rewards[i]) / sum, worths[(int)number_of(set.item_names[i]) - 1], 5e-8);
    }
    assert_near(exp(tabular_fit_parameter(&fit, "log_nu")->value), 0.7468230, 5e-8);
}

/* ---- choix ---- */

static void check_choix(const char *relative) {
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    SCOPED(json) struct json *doc = NULL;
    struct error err = ERROR_INIT;
    assert_ok(json_parse_file(real_data_or_skip(relative), NULL, &doc, &err), &err);
    const struct json_node *pairs = json_find(doc, json_root(doc), "data");
    const struct json_node *expected = json_find(doc, json_root(doc), "ml_est");
    comparison_sample_init(&set, json_count(doc, expected));
    for (int64_t k = 0; k < json_count(doc, pairs); k++) {
        int64_t winner = 0, loser = 0;
        const struct json_node *pair = json_at(doc, pairs, k);
        assert_ok(json_as_i64(doc, json_at(doc, pair, 0), &winner, &err), &err);
        assert_ok(json_as_i64(doc, json_at(doc, pair, 1), &loser, &err), &err);
        comparison_sample_win(&set, (int32_t)winner, (int32_t)loser);
    }
    run(&set, TABULAR_OPTIONS_DEFAULT, &fit);
    for (int64_t i = 0; i < set.item_count; i++) {
        double reward = (double)NAN;
        assert_ok(json_as_f64(doc, json_at(doc, expected, i), &reward, &err), &err);
        assert_near(fit.rewards[i], reward, 5e-9);
    }
}

static void test_choix__pairwise_cases_to_eight_digits(void **state) {
    (void)state;
    check_choix("item-only-classic/choix_testcase-pairwise-1.json");
    check_choix("item-only-classic/choix_testcase-pairwise-2.json");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_citations__as_published),
        cmocka_unit_test(test_citations__firth_as_published),
        cmocka_unit_test(test_baseball__as_published),
        cmocka_unit_test(test_baseball__with_home_effect_as_published),
        cmocka_unit_test(test_puddings__davidson_to_seven_digits),
        cmocka_unit_test(test_choix__pairwise_cases_to_eight_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
