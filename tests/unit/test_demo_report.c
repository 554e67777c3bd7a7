#include "trainer/demo_report.h"

#include "base/json.h"
#include "base/scoped.h"
#include "tests/support/near.h"

#include <stdio.h>

/* All as the world has it, but for the policies that are not judged; intervals of 2 points. */
static struct demo_result true_result(void) {
    struct demo_result result = {.seed = 1, .prompts = 76, .samples = 64, .seconds = 60.0};
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        double shares[DEMO_ANSWERS_MAX];
        result.votes[t] = 4000.0;
        demo_world_rewards(demo_world_topic(t), result.rewards.of[t]);
        demo_world_shares(demo_world_topic(t), shares);
        for (int64_t i = 0; i < demo_world_topic(t)->answer_count; i++) {
            result.shares[DEMO_POLICY_MATCHED].of[t][i] = (struct demo_share){
                .share = shares[i], .interval = {shares[i] - 0.01, shares[i] + 0.01}};
        }
        result.shares[DEMO_POLICY_KL].of[t][0].share = 1.0;
    }
    return result;
}

static void test_demo_report__truth_passes(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const struct demo_result result = true_result();
    assert_ok(demo_report_check(&result, &err), &err);
    assert_near(demo_report_distance(&result, DEMO_POLICY_MATCHED), 0.0, 1e-15);
}

/* Two answers, shares p and 1 - p, of one that gives the first always: both are 1 - p apart. */
static void test_demo_report__distance_is_the_mean_over_answers(void **state) {
    (void)state;
    const struct demo_result result = true_result();
    double sum = 0.0;
    double count = 0.0;
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        double shares[DEMO_ANSWERS_MAX];
        demo_world_shares(demo_world_topic(t), shares);
        sum += 2.0 * (1.0 - shares[0]); /* of three, the others together have 1 - p too */
        count += (double)demo_world_topic(t)->answer_count;
    }
    assert_near(demo_report_distance(&result, DEMO_POLICY_KL), sum / count, 1e-15);
}

/* Of 4000 votes the difference of two answers has a standard error of about 0.033 nats, a share
 * 0.8 points; with 0.5 points of prompts the limit is about 2 + 3 x 0.95 = 4.9 points. */
static void test_demo_report__what_is_too_far_is_named(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct demo_result result = true_result();
    result.shares[DEMO_POLICY_MATCHED].of[0][1].share += 0.045;
    assert_ok(demo_report_check(&result, &err), &err);
    result.shares[DEMO_POLICY_MATCHED].of[0][1].share += 0.01;
    assert_fails(demo_report_check(&result, &err), ERR_LIMIT,
                 "demo: the matched policy says 'Tea.' 50.1 % of the time, people 44.6 %: 5.5 "
                 "points apart, limit 4.",
                 &err);
    result = true_result();
    result.rewards.of[0][1] += 0.14;
    assert_ok(demo_report_check(&result, &err), &err);
    result.rewards.of[0][1] += 0.02;
    assert_fails(demo_report_check(&result, &err), ERR_LIMIT, "demo: 'Tea.' has a reward of ",
                 &err);
}

static void test_demo_report__no_number_is_too_far(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct demo_result result = true_result();
    result.rewards.of[2][0] = (double)NAN;
    assert_fails(demo_report_check(&result, &err), ERR_LIMIT, "nan", &err);
    result = true_result();
    result.shares[DEMO_POLICY_MATCHED].of[2][1].share = (double)NAN;
    assert_fails(demo_report_check(&result, &err), ERR_LIMIT, "nan", &err);
}

/* No line but commands is wider than a terminal, counted in characters. */
static void test_demo_report__text_fits_80_columns(void **state) {
    (void)state;
    const struct demo_result result = true_result();
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1 * MIB);
    demo_report_add_text(&text, &result, false);
    int64_t columns = 0;
    for (const char *c = strbuf_text(&text); *c; c++) {
        columns = *c == '\n' ? 0 : columns + ((*c & 0xC0) != 0x80);
        assert_in_range(columns, 0, 80);
    }
    assert_non_null(strstr(strbuf_text(&text), "  Tea.           -0.22 -0.22 "));
    assert_non_null(strstr(strbuf_text(&text), "accord import my.db preferences.jsonl\n"));
}

static void test_demo_report__json_holds_all(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const struct demo_result result = true_result();
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1 * MIB);
    SCOPED(json) struct json *doc = NULL;
    assert_ok(demo_report_add_json(&text, &result, &err), &err);
    assert_ok(json_parse(strbuf_text(&text), text.length, "report", NULL, &doc, &err), &err);
    const struct json_node *topics = NULL;
    bool is_met = false;
    assert_ok(json_get_array(doc, json_root(doc), "topics", &topics, &err), &err);
    assert_ok(json_get_bool(doc, json_root(doc), "truth_met", &is_met, &err), &err);
    assert_int_equal(json_count(doc, topics), DEMO_TOPICS);
    assert_true(is_met);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_demo_report__truth_passes),
        cmocka_unit_test(test_demo_report__distance_is_the_mean_over_answers),
        cmocka_unit_test(test_demo_report__what_is_too_far_is_named),
        cmocka_unit_test(test_demo_report__no_number_is_too_far),
        cmocka_unit_test(test_demo_report__text_fits_80_columns),
        cmocka_unit_test(test_demo_report__json_holds_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
