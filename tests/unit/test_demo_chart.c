#include "trainer/demo_chart.h"

#include "base/scoped.h"
#include "tests/support/near.h"
#include "tests/support/xml_check.h"

/* The start says the first answer only, KL the second; the matched policy what people do. */
static struct demo_result some_result(void) {
    struct demo_result result = {.prompts = 76, .samples = 64};
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        double shares[DEMO_ANSWERS_MAX];
        demo_world_shares(demo_world_topic(t), shares);
        result.shares[DEMO_POLICY_START].of[t][0] = (struct demo_share){1.0, {1.0, 1.0}};
        result.shares[DEMO_POLICY_KL].of[t][1] = (struct demo_share){1.0, {0.98, 1.0}};
        for (int64_t i = 0; i < demo_world_topic(t)->answer_count; i++) {
            result.shares[DEMO_POLICY_MATCHED].of[t][i] = (struct demo_share){
                .share = shares[i], .interval = {shares[i] - 0.01, shares[i] + 0.01}};
        }
    }
    return result;
}

static int64_t occurrences(const char *text, const char *part) {
    int64_t count = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

/* The axis runs from 170 to 688 pixels: 0 and 100 %. */
static void test_demo_chart__has_a_bar_and_three_marks_for_each_answer(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const struct demo_result result = some_result();
    SCOPED(strbuf) struct strbuf picture = STRBUF_INIT(1 * MIB);
    int64_t answers = 0;
    int64_t first_answers = 0;
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        answers += demo_world_topic(t)->answer_count;
        first_answers++;
    }
    assert_ok(demo_chart_add(&result, &picture, &err), &err);
    const char *text = strbuf_text(&picture);
    xml_check(text);
    assert_int_equal(occurrences(text, "<title>people: "), answers);
    assert_int_equal(occurrences(text, "<title>the start: "), answers);
    assert_int_equal(occurrences(text, "<title>KL, beta 0.1: "), answers);
    assert_int_equal(occurrences(text, "<title>matched: "), answers);
    assert_int_equal(occurrences(text, "the start: 100.0 % [100.0, 100.0]"), first_answers);
    assert_int_equal(occurrences(text, "class=\"start\" d=\"M688.0 "), first_answers);
    assert_int_equal(occurrences(text, "class=\"start\" d=\"M170.0 "), answers - first_answers);
    assert_non_null(strstr(text, "people: 44.6 %")); /* tea */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_demo_chart__has_a_bar_and_three_marks_for_each_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
