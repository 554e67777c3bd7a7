/* Combinations of rewards: grammar, values by hand, what is refused and where. */
#include "reward/reward_formula.h"

#include "base/scoped.h"
#include "base/strbuf.h"
#include "reward/reward_spec.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/near.h"

/* Leaves have the values 1, 2, 4, 8, ... */
static const struct reward_sources no_sources = {.db = NULL};

static const double powers[] = {1, 2, 4, 8, 16, 32};

static void assert_value(const char *text, double expected) {
    struct error err = ERROR_INIT;
    SCOPED(reward_formula) struct reward_formula formula = REWARD_FORMULA_INIT;
    assert_ok(reward_formula_parse(text, &formula, &err), &err);
    assert_true(formula.leaf_count <= 6);
    assert_near(reward_formula_value(&formula, powers), expected, 1e-15);
}

static void assert_leaf(const char *text, int64_t leaf, const char *spec) {
    struct error err = ERROR_INIT;
    SCOPED(reward_formula) struct reward_formula formula = REWARD_FORMULA_INIT;
    assert_ok(reward_formula_parse(text, &formula, &err), &err);
    for (int64_t n = 0; n < formula.node_count; n++) {
        if (formula.nodes[n].spec && formula.nodes[n].leaf == leaf) {
            assert_string_equal(formula.nodes[n].spec, spec);
            return;
        }
    }
    fail_msg("'%s' has no leaf %d", text, (int)leaf);
}

static void assert_refused(const char *text, const char *message) {
    struct error err = ERROR_INIT;
    struct reward_formula formula = REWARD_FORMULA_INIT;
    assert_int_equal(reward_formula_parse(text, &formula, &err), ERR_CONFIG);
    assert_string_equal(err.msg, message);
    assert_null(formula.nodes);
}

static void test_value__hand_worked(void **state) {
    (void)state;
    assert_value("fit:a", 1.0);
    assert_value("-3*fit:a", -3.0);
    assert_value("/4*fit:a", 0.25);
    assert_value("3/4*fit:a", 0.75);
    assert_value("sum(a, b, c)", 7.0);
    assert_value("sum(0.5*a, -1/2*b)", 0.5 - 1.0);
    assert_value("mean(a, b, c)", 7.0 / 3.0);
    assert_value("median(a, b, c)", 2.0);
    assert_value("median(d,c,b,a)", 3.0); /* of 1, 2, 4, 8 */
    assert_value("worst(a, -1*b, c)", -2.0);
    /* 2 and 4 behind their factors: mean 3, sd 1 */
    assert_value("lcb:2(2*a, 2*b)", 1.0);
    assert_value("lcb:0(2*a, 2*b)", 3.0);
    /* 0, 2, 4: mean 2, sd sqrt(8 / 3) */
    assert_value("lcb:1.5(0*a, b, c)", 2.0 - 1.5 * sqrt(8.0 / 3.0));
    /* worst(1, 2 * mean(2, 4)) = 1; 3 * (1 + 8) = 27 */
    assert_value("3*sum(worst(a, 2*mean(b, c)), d)", 27.0);
}

static void test_value__nan_of_a_member_makes_nan(void **state) {
    (void)state;
    static const char *const texts[] = {"sum(a, 0*b)", "mean(a, b)", "median(a, b, c)",
                                        "worst(a, b)", "lcb:1(a, sum(b))"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct error err = ERROR_INIT;
        SCOPED(reward_formula) struct reward_formula formula = REWARD_FORMULA_INIT;
        assert_ok(reward_formula_parse(texts[i], &formula, &err), &err);
        const double values[] = {1.0, (double)NAN, 1.0};
        assert_true(isnan(reward_formula_value(&formula, values)));
    }
}

static void test_parse__leaves(void **state) {
    (void)state;
    assert_leaf("regex:^(a|b),*", 0, "regex:^(a|b),*"); /* outside parentheses, as it is */
    assert_leaf("command:x 'y, z' (1)", 0, "command:x 'y, z' (1)");
    assert_leaf("2*command:x 3*y", 0, "command:x 3*y");
    assert_leaf("mean( length:0.01@200 ,fit:two words )", 0, "length:0.01@200");
    assert_leaf("mean( length:0.01@200 ,fit:two words )", 1, "fit:two words");
    assert_leaf("mean('regex:^(a|b),', \"it's\")", 0, "regex:^(a|b),");
    assert_leaf("mean('regex:^(a|b),', \"it's\")", 1, "it's");
    assert_leaf("mean('it''s', a)", 0, "it's");
    assert_leaf("0.5*'2*json'", 0, "2*json");
    assert_leaf("sum(worst(a, b), mean(c, d))", 3, "d");
    assert_leaf("sum(models/7, a)", 0, "models/7");
    assert_leaf("lcb", 0, "lcb");
    assert_leaf("x*json", 0, "x*json"); /* the rule says what is wrong with it */
}

static void test_parse__says_what_is_wrong_and_where(void **state) {
    (void)state;
    assert_refused("mean(a, )", "reward 'mean(a, )': at byte 9: a reward is missing");
    assert_refused("mean()", "reward 'mean()': at byte 6: a reward is missing");
    assert_refused("mean(a", "reward 'mean(a': at byte 7: a ')' is missing");
    assert_refused("mean(a) b", "reward 'mean(a) b': at byte 8: nothing may follow here");
    assert_refused("mean('a' b)", "reward 'mean('a' b)': at byte 10: expected ',' or ')'");
    assert_refused("mean('a)", "reward 'mean('a)': at byte 6: the quote is not closed");
    assert_refused("mean('')", "reward 'mean('')': at byte 6: nothing is between the quotes");
    assert_refused("mean(a'b')",
                   "reward 'mean(a'b')': at byte 7: ''' inside a reward: put all of the reward "
                   "into quotes");
    assert_refused("sum(a, regex:(x))", "reward 'sum(a, regex:(x))': at byte 14: '(' inside a "
                                        "reward: put all of the reward into quotes");
    assert_refused("sum(maen(a, b), c)",
                   "reward 'sum(maen(a, b), c)': at byte 5: no combination is "
                   "called 'maen', did you mean 'mean'");
    assert_refused("sum(1-2*a)", "reward 'sum(1-2*a)': at byte 5: weight '1-2' is not a number");
    assert_refused("sum(1/*a)", "reward 'sum(1/*a)': at byte 7: scale '' is not a number");
    assert_refused("sum(1/-2*a)", "reward 'sum(1/-2*a)': at byte 7: a scale must be above 0");
    assert_refused("1e300/1e-300*a",
                   "reward '1e300/1e-300*a': at byte 1: the factor is beyond a double");
    assert_refused("lcb:(a, b)", "reward 'lcb:(a, b)': at byte 5: K '' is not a number");
    assert_refused("lcb:-1(a, b)", "reward 'lcb:-1(a, b)': at byte 5: K is -1, below 0");
    assert_refused("lcb:1(a)", "reward 'lcb:1(a)': at byte 7: lcb needs two rewards or more");
    assert_refused("sum(sum(sum(sum(sum(sum(sum(sum(sum(a)))))))))",
                   "reward 'sum(sum(sum(sum(sum(sum(sum(sum(sum(a)))))))))': at byte 37: nested "
                   "deeper than 8");
}

static void test_parse__refuses_too_many(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1024);
    strbuf_add(&text, "sum(a");
    for (int i = 0; i < REWARD_FORMULA_NODES_MAX; i++) {
        strbuf_add(&text, ",abcdef");
    }
    strbuf_add_char(&text, ')');
    struct error err = ERROR_INIT;
    struct reward_formula formula = REWARD_FORMULA_INIT;
    assert_fails(reward_formula_parse(strbuf_text(&text), &formula, &err), ERR_CONFIG,
                 "more than 64 rewards and combinations", &err);
    assert_non_null(strstr(err.msg, "...': at byte 447: more")); /* of a long text, the beginning */
}

/* "tea!" has 4 characters and is no JSON: (4 / 2 + 3 * 0) and worst. */
static void test_spec__combines_rules(void **state) {
    (void)state;
    static const struct {
        const char *spec;
        double reward;
    } cases[] = {
        {"sum(/2*length, 3*json)", 2.0}, {"worst(length, -1*length)", -4.0},
        {"lcb:1(length, json)", 0.0}, /* 4 and 0: mean 2, sd 2 */
        {"2*'not-regex:^(a|b)'", 2.0},   {"median(json, length, 'regex:t,|!$')", 1.0},
    };
    const struct preference_prompt prompt = {.kind = PROMPT_TEXT, .text = text_span_of("?")};
    const struct preference_response response = {.text = text_span_of("tea!")};
    const struct reward_item item = {.prompt = &prompt, .response = &response};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = ERROR_INIT;
        SCOPED(reward) struct reward *reward = NULL;
        double value = -99.0;
        assert_ok(reward_spec_open(cases[i].spec, &no_sources, &reward, &err), &err);
        assert_ok(reward_score(reward, &item, 1, &value, &err), &err);
        assert_near(value, cases[i].reward, 1e-15);
        assert_ok(reward_finish(reward, &err), &err);
    }
    struct error err = ERROR_INIT;
    struct reward *none = NULL;
    assert_fails(reward_spec_open("mean(length, lenght)", &no_sources, &none, &err), ERR_CONFIG,
                 "reward 'lenght': no rule is called 'lenght', did you mean 'length'", &err);
    SCOPED(reward) struct reward *huge = NULL;
    double value = 0.0;
    assert_ok(reward_spec_open("sum(1e308*length, 1e308*length)", &no_sources, &huge, &err), &err);
    assert_fails(reward_score(huge, &item, 1, &value, &err), ERR_LIMIT, "beyond a double", &err);
}

static void test_spec__knows_fits_inside(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    bool has = false;
    assert_ok(reward_spec_has_fit("mean(length, 2*fit:a)", &has, &err), &err);
    assert_true(has);
    assert_ok(reward_spec_has_fit("mean(length, 'regex:fit')", &has, &err), &err);
    assert_false(has);
    assert_ok(reward_spec_has_fit("fit", &has, &err), &err);
    assert_true(has);
}

static enum err_code open_and_score(void *context, struct error *err) {
    SCOPED(reward) struct reward *reward = NULL;
    const struct preference_prompt prompt = {.kind = PROMPT_TEXT, .text = text_span_of("?")};
    const struct preference_response response = {.text = text_span_of("tea!")};
    const struct reward_item item = {.prompt = &prompt, .response = &response};
    double value = 0.0;
    TRY(reward_spec_open(context, &no_sources, &reward, err));
    return reward_score(reward, &item, 1, &value, err);
}

static void test_every_failing_allocation__clean(void **state) {
    (void)state;
    char spec[] = "lcb:1(length, sum(json, 'regex:(a)'))";
    alloc_loop_check(open_and_score, spec);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value__hand_worked),
        cmocka_unit_test(test_value__nan_of_a_member_makes_nan),
        cmocka_unit_test(test_parse__leaves),
        cmocka_unit_test(test_parse__says_what_is_wrong_and_where),
        cmocka_unit_test(test_parse__refuses_too_many),
        cmocka_unit_test(test_spec__combines_rules),
        cmocka_unit_test(test_spec__knows_fits_inside),
        cmocka_unit_test(test_every_failing_allocation__clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
