#include "reward/reward_rule.h"

#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

static const struct preference_prompt no_prompt = {.kind = PROMPT_TEXT,
                                                   .text = {.bytes = "?", .count = 1}};

static enum err_code score(struct reward *reward, const struct preference_response *response,
                           double *out, struct error *err) {
    struct reward_item item = {.prompt = &no_prompt, .response = response};
    return reward_score(reward, &item, 1, out, err);
}

static void assert_reward(const char *spec, const char *answer, double expected) {
    struct error err = ERROR_INIT;
    SCOPED(reward) struct reward *reward = NULL;
    struct preference_response response = {.text = text_span_of(answer)};
    double value = -99.0;
    assert_ok(reward_rule_open(spec, &reward, &err), &err);
    assert_ok(score(reward, &response, &value, &err), &err);
    if (value != expected) {
        fail_msg("%s of '%s': %.17g, expected %.17g", spec, answer, value, expected);
    }
}

static void assert_bad_spec(const char *spec, const char *message) {
    struct error err = ERROR_INIT;
    struct reward *reward = NULL;
    assert_int_equal(reward_rule_open(spec, &reward, &err), ERR_CONFIG);
    assert_string_equal(err.msg, message);
    assert_null(reward);
}

static void test_length__characters(void **state) {
    (void)state;
    assert_reward("length", "", 0.0);
    assert_reward("length", "na\xC3\xAFve \xF0\x9F\x8D\xB5", 7.0); /* 12 bytes */
    assert_reward("length:0.25", "tea!", 1.0);
    assert_reward("-1*length:0.25", "tea!", -1.0);
    assert_reward("length:-0.25", "tea!", -1.0);
    /* target 6: 4 and 8 characters are both 2 away */
    assert_reward("length:0.5@6", "tea!", -1.0);
    assert_reward("length:0.5@6", "tea, tea", -1.0);
    assert_reward("length:0.5@6", "coffee", 0.0);
    assert_reward("2*length:0.5@0", "tea", -3.0);
}

static void test_regex__found_anywhere(void **state) {
    (void)state;
    assert_reward("regex:^Yes", "Yes, tea.", 1.0);
    assert_reward("regex:^Yes", "Oh Yes", 0.0);
    assert_reward("regex:(?i)YES", "oh yes", 1.0);
    assert_reward("3*regex:^.$", "\xC3\xAF", 3.0); /* one character of two bytes */
    assert_reward("regex:a:b*c", "a:bbc", 1.0);    /* ':' and '*' behind the first ':' */
    assert_reward("not-regex:^Sorry", "Sorry, no", 0.0);
    assert_reward("-2*not-regex:^Sorry", "Tea", -2.0);
    assert_reward("regex:^$", "", 1.0);
}

static void test_json__whole_answer(void **state) {
    (void)state;
    assert_reward("json", "{\"tea\": [1, 2.5e3, null, true, \"x\"]}", 1.0);
    assert_reward("json", " \n[]\n", 1.0);
    assert_reward("json", "42", 1.0);
    assert_reward("0.5*json", "\"tea\"", 0.5);
    assert_reward("json", "", 0.0);
    assert_reward("json", "{\"tea\": 1,}", 0.0);
    assert_reward("json", "```json\n{}\n```", 0.0);
    assert_reward("json", "{} and more", 0.0);
    assert_reward("json", "NaN", 0.0);
    assert_reward("json", "{\"a\": 1, \"a\": 2}", 0.0);
}

static void test_open__says_what_is_wrong(void **state) {
    (void)state;
    assert_bad_spec("", "reward '': no rule is called ''; there are length, regex, not-regex and "
                        "json");
    assert_bad_spec("lenght:1",
                    "reward 'lenght:1': no rule is called 'lenght', did you mean 'length'; there "
                    "are length, regex, not-regex and json");
    assert_bad_spec("x*json", "reward 'x*json': weight 'x' is not a number");
    assert_bad_spec("inf*json", "reward 'inf*json': weight 'inf' is not a number");
    assert_bad_spec("json:", "reward 'json:': json takes no ':'");
    assert_bad_spec("json:x", "reward 'json:x': json takes no ':x'");
    assert_bad_spec("regex", "reward 'regex': a pattern is missing: expected regex:PATTERN");
    assert_bad_spec("not-regex:",
                    "reward 'not-regex:': a pattern is missing: expected not-regex:PATTERN");
    assert_bad_spec("regex:(", "reward 'regex:(': pattern '(': at byte 1: missing closing "
                               "parenthesis");
    assert_bad_spec("length:", "reward 'length:': '' is not a number: expected "
                               "length:PER_CHARACTER[@TARGET]");
    assert_bad_spec("length:1@", "reward 'length:1@': target '' is not a number of characters");
    assert_bad_spec("length:1@-2",
                    "reward 'length:1@-2': target '-2' is not a number of characters");
}

/* "Tea." and "Milk?" of the assistant, 4 + 2 + 5 characters; the user's turn does not count. */
static void test_score__several_turns(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const struct message messages[] = {
        {.role = text_span_of("assistant"), .content = text_span_of("Tea.")},
        {.role = text_span_of("user"), .content = text_span_of("Sorry?")},
        {.role = text_span_of("assistant"), .content = text_span_of("Milk?")},
    };
    struct preference_response response = {.messages = messages, .message_count = 3};
    double value = -99.0;
    SCOPED(reward) struct reward *length = NULL;
    SCOPED(reward) struct reward *regex = NULL;
    assert_ok(reward_rule_open("length", &length, &err), &err);
    assert_ok(score(length, &response, &value, &err), &err);
    assert_true(value == 11.0);
    assert_ok(reward_rule_open("regex:Sorry", &regex, &err), &err);
    assert_ok(score(regex, &response, &value, &err), &err);
    assert_true(value == 0.0);
    response = (struct preference_response){.messages = messages + 1, .message_count = 1};
    assert_fails(score(length, &response, &value, &err), ERR_DATA,
                 "answer 1 of 1: none of its 1 messages is the assistant's", &err);
}

static void test_score__failures_name_the_answer(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct preference_response responses[2] = {
        {.text = text_span_of("tea")},
        {.text = text_span_of("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab")},
    };
    struct reward_item items[2] = {{&no_prompt, &responses[0]}, {&no_prompt, &responses[1]}};
    double values[2];
    SCOPED(reward) struct reward *regex = NULL;
    assert_ok(reward_rule_open("regex:(a+)+$", &regex, &err), &err);
    assert_fails(reward_score(regex, items, 2, values, &err), ERR_LIMIT, "answer 2 of 2: ", &err);
    responses[1].text = text_span_of("tea\xFF");
    assert_fails(reward_score(regex, items, 2, values, &err), ERR_DATA,
                 "answer 2 of 2: its text is not UTF-8 at byte 3", &err);
    SCOPED(reward) struct reward *huge = NULL;
    assert_ok(reward_rule_open("1e308*length:1e308", &huge, &err), &err);
    assert_fails(reward_score(huge, items, 1, values, &err), ERR_LIMIT, "beyond a double", &err);
}

static enum err_code open_and_score(void *spec, struct error *err) {
    SCOPED(reward) struct reward *reward = NULL;
    const struct message messages[] = {
        {.role = text_span_of("assistant"), .content = text_span_of("{}")},
    };
    struct preference_response response = {.messages = messages, .message_count = 1};
    double value = -99.0;
    TRY(reward_rule_open(spec, &reward, err));
    TRY(score(reward, &response, &value, err));
    return reward_finish(reward, err);
}

static void test_every_failing_allocation__clean(void **state) {
    (void)state;
    char specs[][24] = {"2*length:0.5@3", "not-regex:(.)\\1", "json"};
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        alloc_loop_check(open_and_score, specs[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_length__characters),
        cmocka_unit_test(test_regex__found_anywhere),
        cmocka_unit_test(test_json__whole_answer),
        cmocka_unit_test(test_open__says_what_is_wrong),
        cmocka_unit_test(test_score__several_turns),
        cmocka_unit_test(test_score__failures_name_the_answer),
        cmocka_unit_test(test_every_failing_allocation__clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
