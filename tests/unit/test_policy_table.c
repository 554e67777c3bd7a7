/* Measures of policies' answers, and their intervals. */
#include "trainer/policy_table.h"

#include "base/json.h"
#include "base/scoped.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#include <math.h>

/* Two prompts with two answers each: tokens 1 2, 1 2 | 3, 4 5 6. */
static const int64_t starts[] = {0, 2, 4, 5, 8};
static const int32_t ids[] = {1, 2, 1, 2, 3, 4, 5, 6};
static const bool ended[] = {true, true, false, true};
static const double logp[] = {-0.5, -0.5, -0.5, -0.5, -2.0, -1.0, -1.0, -1.0};
static const double reference_logp[] = {-1.0, -0.5, -1.0, -0.5, -2.0, -1.0, -2.0, -1.0};
static const double rewards[] = {1.0, 3.0, 0.0, 2.0};

static struct policy_sample sample_of(void) {
    return (struct policy_sample){
        .completions = {.starts = starts, .count = 4, .group_size = 2},
        .ids = ids,
        .ended = ended,
        .logp = logp,
        .reference_logp = reference_logp,
        .rewards = rewards,
        .beta = 2.0,
    };
}

/* Rewards over beta differ by 1 in both: of the first prompt log-probabilities by 0, so (1 - 0)^2;
 * of the second by -2 - -3 = 1 the other way round, (-1 - 1)^2 = 4, at lengths 1 and 3. */
static void test_measures__of_two_prompts(void **state) {
    (void)state;
    const struct policy_sample sample = sample_of();
    double first[POLICY_MEASURE_COUNT];
    double second[POLICY_MEASURE_COUNT];
    struct error err = ERROR_INIT;
    assert_ok(policy_measures_of(&sample, 0, first, &err), &err);
    assert_ok(policy_measures_of(&sample, 1, second, &err), &err);
    assert_near(first[POLICY_MEASURE_REWARD], 2.0, 0.0);
    assert_near(first[POLICY_MEASURE_LENGTH], 2.0, 0.0);
    assert_near(second[POLICY_MEASURE_CUT_OFF], 0.5, 0.0);
    assert_near(first[POLICY_MEASURE_ENTROPY], 0.5, 0.0);   /* 2 nats of 4 tokens */
    assert_near(second[POLICY_MEASURE_ENTROPY], 1.25, 0.0); /* 5 of 4 */
    assert_near(first[POLICY_MEASURE_KL], 0.5, 0.0);        /* -1 less -1.5, both */
    assert_near(second[POLICY_MEASURE_KL], 0.5, 0.0);       /* 0 and 1 */
    assert_near(first[POLICY_MEASURE_UNIQUE], 0.5, 0.0);
    assert_near(second[POLICY_MEASURE_UNIQUE], 1.0, 0.0);
    assert_near(first[POLICY_MEASURE_DISTINCT_2], 0.5, 0.0); /* 1 2 twice */
    assert_near(second[POLICY_MEASURE_DISTINCT_2], 1.0, 0.0);
    assert_near(first[POLICY_MEASURE_DIVERGENCE], 1.0, 1e-15);
    assert_near(second[POLICY_MEASURE_DIVERGENCE], 4.0, 1e-15);
    assert_near(second[POLICY_MEASURE_NEAR_DIVERGENCE], 4.0, 1e-15); /* a gap of 2 is close */
    assert_true(isnan(first[POLICY_MEASURE_HELD_OUT]));
    assert_true(isnan(first[POLICY_MEASURE_POOL_DIVERGENCE]));
}

static void test_measures__mean_leaves_out_what_is_not_there(void **state) {
    (void)state;
    const struct policy_sample sample = sample_of();
    double mean[POLICY_MEASURE_COUNT];
    struct error err = ERROR_INIT;
    assert_ok(policy_measures_mean(&sample, mean, &err), &err);
    assert_near(mean[POLICY_MEASURE_REWARD], 1.5, 0.0);
    assert_near(mean[POLICY_MEASURE_DIVERGENCE], 2.5, 1e-15);
    assert_true(isnan(mean[POLICY_MEASURE_HELD_OUT]));
}

/* The second policy has one nat more on every prompt: the difference is 1, whatever prompts are
 * drawn. */
static void test_table__differences_are_paired(void **state) {
    (void)state;
    static const char *const names[] = {"start", "aligned"};
    struct error err = ERROR_INIT;
    SCOPED(policy_table) struct policy_table table = POLICY_TABLE_INIT;
    assert_ok(policy_table_init(&table, names, 2, 50, &err), &err);
    for (int64_t p = 0; p < 50; p++) {
        policy_table_row(&table, 0, p)[POLICY_MEASURE_REWARD] = (double)p;
        policy_table_row(&table, 1, p)[POLICY_MEASURE_REWARD] = (double)p + 1.0;
        if (p % 2 == 0) {
            policy_table_row(&table, 1, p)[POLICY_MEASURE_NEAR_BOUNDED] = 0.25;
        }
    }
    assert_ok(policy_table_summarise(&table, 7, &err), &err);
    const struct policy_estimate *reward = &table.summaries[1].measures[POLICY_MEASURE_REWARD];
    const struct policy_estimate *gain = &table.summaries[1].differences[POLICY_MEASURE_REWARD];
    assert_near(reward->mean, 25.5, 1e-12);
    assert_true(reward->interval.low < 23.0 && reward->interval.high > 28.0); /* 2.04 a deviation */
    assert_near(gain->mean, 1.0, 1e-12);
    assert_near(gain->interval.low, 1.0, 1e-12);
    assert_near(gain->interval.high, 1.0, 1e-12);
    assert_near(table.summaries[1].measures[POLICY_MEASURE_NEAR_BOUNDED].mean, 0.25, 1e-15);
    assert_true(isnan(table.summaries[1].measures[POLICY_MEASURE_HELD_OUT].mean));
}

static void test_table__is_text_and_json(void **state) {
    (void)state;
    static const char *const names[] = {"start"};
    struct error err = ERROR_INIT;
    SCOPED(policy_table) struct policy_table table = POLICY_TABLE_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1 << 20);
    assert_ok(policy_table_init(&table, names, 1, 3, &err), &err);
    for (int64_t p = 0; p < 3; p++) {
        policy_table_row(&table, 0, p)[POLICY_MEASURE_REWARD] = 1.5;
    }
    assert_ok(policy_table_summarise(&table, 7, &err), &err);
    policy_table_print(&table, &text);
    assert_non_null(strstr(strbuf_text(&text), "1.5 [1.5, 1.5]"));
    assert_null(strstr(strbuf_text(&text), "held-out")); /* which nobody measured */
    strbuf_reset(&text);
    assert_ok(policy_table_json(&table, &text, &err), &err);
    assert_non_null(strstr(strbuf_text(&text), "\"held_out\": {\n"));
    assert_non_null(strstr(strbuf_text(&text), "\"mean\": null"));
}

/* Numbers as wide as they come: -0.0001234 +- 0.0000617, less 123456. */
static void test_table__keeps_its_columns(void **state) {
    (void)state;
    static const char *const names[] = {"start", "aligned"};
    struct error err = ERROR_INIT;
    SCOPED(policy_table) struct policy_table table = POLICY_TABLE_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1 << 20);
    assert_ok(policy_table_init(&table, names, 2, 4, &err), &err);
    for (int64_t p = 0; p < 4; p++) {
        policy_table_row(&table, 0, p)[POLICY_MEASURE_REWARD] = 123456.0 + (double)p;
        policy_table_row(&table, 1, p)[POLICY_MEASURE_REWARD] = -61.7e-6 * (double)(p + 1);
        policy_table_row(&table, 0, p)[POLICY_MEASURE_KL] = 0.0;
        policy_table_row(&table, 1, p)[POLICY_MEASURE_KL] = -61.7e-6 * (double)(p + 1);
    }
    assert_ok(policy_table_summarise(&table, 7, &err), &err);
    policy_table_print(&table, &text);
    int64_t with_differences = 0;
    for (const char *line = strbuf_text(&text); *line;) {
        const size_t length = strcspn(line, "\n");
        assert_true(length <= 100);
        assert_true(length == 0 || line[length - 1] == ']' || line[length - 1] == '%' ||
                    memchr(line, '[', length) == NULL);
        if (length > 64 && memchr(line + 64, '[', length - 64)) {
            assert_memory_equal(line + 64, " ", 1); /* 30 + 11 + 23 columns */
            with_differences++;
        }
        line += length + (line[length] == '\n');
    }
    assert_int_equal(with_differences, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measures__of_two_prompts),
        cmocka_unit_test(test_measures__mean_leaves_out_what_is_not_there),
        cmocka_unit_test(test_table__differences_are_paired),
        cmocka_unit_test(test_table__is_text_and_json),
        cmocka_unit_test(test_table__keeps_its_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
