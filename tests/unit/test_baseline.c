#include "reward/baseline.h"

#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#include <math.h>

#define TOL 1e-8

static struct text_features *features_of(const char *const *texts, int64_t count) {
    struct error err = ERROR_INIT;
    struct text_features *features = NULL;
    assert_ok(text_features_new(&features, &err), &err);
    for (int64_t i = 0; i < count; i++) {
        assert_ok(text_features_add(features, texts[i], strlen(texts[i]), &err), &err);
    }
    return features;
}

static const int32_t firsts[] = {0};
static const int32_t seconds[] = {1};
static const double three[] = {3.0};
static const double one[] = {1.0};
static const struct baseline_pairs three_to_one = {
    .count = 1, .first = firsts, .second = seconds, .wins_first = three, .wins_second = one};

/* Lengths 4 and 2, and three of four prefer the longer: w ln(4 / 2) = ln 3, all but unpenalised. */
static void test_baseline_length__closed_form(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const char *const texts[] = {"abcd", "ab"};
    SCOPED(text_features) struct text_features *features = features_of(texts, 2);
    const struct text_matrix matrix = text_features_matrix(features);
    struct baseline_options options = BASELINE_OPTIONS_DEFAULT;
    options.ridge_length = 1e-12;
    SCOPED(baseline) struct baseline baseline = BASELINE_INIT;
    assert_ok(baseline_fit(&matrix, &three_to_one, &options, &baseline, &err), &err);
    assert_near(baseline.length_weight, log(3.0) / log(2.0), TOL);
    assert_int_equal(baseline.feature_count, 0);
    assert_near(baseline_score(&baseline, &matrix, 0) - baseline_score(&baseline, &matrix, 1),
                log(3.0), TOL);
}

/* Words a and b, equally long: weights w and -w. With the value ln 2 of a single word, margin
 * 2 w ln 2 and ridge 1, w solves (4 sigma(2 w ln 2) - 3) 2 ln 2 + 2 w = 0 (scipy's brentq). */
static void test_baseline_words__golden(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const char *const texts[] = {"a", "b", "c"};
    SCOPED(text_features) struct text_features *features = features_of(texts, 3);
    const struct text_matrix matrix = text_features_matrix(features);
    struct baseline_options options = BASELINE_OPTIONS_DEFAULT;
    options.words = true;
    options.ridge = 1.0;
    SCOPED(baseline) struct baseline baseline = BASELINE_INIT;
    assert_ok(baseline_fit(&matrix, &three_to_one, &options, &baseline, &err), &err);
    assert_int_equal(baseline.feature_count, 3);
    assert_near(baseline.weights[0], 0.35696758341878854, TOL);
    assert_near(baseline.weights[1], -0.35696758341878854, TOL);
    assert_near(baseline.weights[2], 0.0, 0.0); /* was in no pair */
    assert_near(baseline.length_weight, 0.0, TOL);
}

static void test_baseline__swapped_sides_give_the_same(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const char *const texts[] = {"tea with milk", "black coffee, hot", "water", "milk"};
    SCOPED(text_features) struct text_features *features = features_of(texts, 4);
    const struct text_matrix matrix = text_features_matrix(features);
    const int32_t first[] = {0, 1, 2, 0};
    const int32_t second[] = {1, 2, 3, 3};
    const double wins[] = {2.0, 1.0, 0.5, 3.0};
    const double losses[] = {1.0, 1.5, 2.0, 0.0};
    const struct baseline_pairs pairs = {4, first, second, wins, losses};
    const struct baseline_pairs swapped = {4, second, first, losses, wins};
    struct baseline_options options = BASELINE_OPTIONS_DEFAULT;
    options.words = true;
    SCOPED(baseline) struct baseline left = BASELINE_INIT;
    SCOPED(baseline) struct baseline right = BASELINE_INIT;
    assert_ok(baseline_fit(&matrix, &pairs, &options, &left, &err), &err);
    assert_ok(baseline_fit(&matrix, &swapped, &options, &right, &err), &err);
    for (int64_t row = 0; row < 4; row++) {
        assert_near(baseline_score(&left, &matrix, row), baseline_score(&right, &matrix, row),
                    1e-12);
    }
}

static void test_baseline_score__words_after_the_fit_count_nothing(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const char *const texts[] = {"a", "b"};
    SCOPED(text_features) struct text_features *features = features_of(texts, 2);
    struct text_matrix matrix = text_features_matrix(features);
    struct baseline_options options = BASELINE_OPTIONS_DEFAULT;
    options.words = true;
    SCOPED(baseline) struct baseline baseline = BASELINE_INIT;
    assert_ok(baseline_fit(&matrix, &three_to_one, &options, &baseline, &err), &err);
    assert_ok(text_features_add(features, "z", 1, &err), &err);
    matrix = text_features_matrix(features);
    assert_near(baseline_score(&baseline, &matrix, 2), 0.0, 0.0); /* ln 1 character too */
}

static void test_baseline_fit__nothing_to_fit_to(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const char *const texts[] = {"a"};
    SCOPED(text_features) struct text_features *features = features_of(texts, 1);
    const struct text_matrix matrix = text_features_matrix(features);
    const struct baseline_pairs none = {.count = 0};
    struct baseline_options options = BASELINE_OPTIONS_DEFAULT;
    struct baseline baseline = BASELINE_INIT;
    assert_fails(baseline_fit(&matrix, &none, &options, &baseline, &err), ERR_DATA, "no pairs",
                 &err);
    assert_null(baseline.weights);
}

static enum err_code fit(void *context, struct error *err) {
    const struct text_matrix *matrix = context;
    struct baseline_options options = BASELINE_OPTIONS_DEFAULT;
    options.words = true;
    SCOPED(baseline) struct baseline baseline = BASELINE_INIT;
    return baseline_fit(matrix, &three_to_one, &options, &baseline, err);
}

static void test_baseline_fit__out_of_memory(void **state) {
    (void)state;
    const char *const texts[] = {"a", "b"};
    SCOPED(text_features) struct text_features *features = features_of(texts, 2);
    struct text_matrix matrix = text_features_matrix(features);
    alloc_loop_check(fit, &matrix);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_baseline_length__closed_form),
        cmocka_unit_test(test_baseline_words__golden),
        cmocka_unit_test(test_baseline__swapped_sides_give_the_same),
        cmocka_unit_test(test_baseline_score__words_after_the_fit_count_nothing),
        cmocka_unit_test(test_baseline_fit__nothing_to_fit_to),
        cmocka_unit_test(test_baseline_fit__out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
