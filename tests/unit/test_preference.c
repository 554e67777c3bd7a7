#include "data/preference.h"

#include "base/mem.h"
#include "tests/support/test.h"

#include <math.h>

static const struct message hello[] = {{{"user", 4}, {"Hello", 5}}};

/* A row that is right, for each test to spoil. */
struct sample {
    struct preference_response responses[3];
    struct preference row;
};

static struct sample *sample_of(enum preference_kind kind, int64_t responses, void **state) {
    struct sample *s = *state;
    *s = (struct sample){.row = {.kind = kind, .line = 1, .weight = 1.0}};
    for (int64_t i = 0; i < 3; i++) {
        s->responses[i] = (struct preference_response){.text = text_span_of("tea"), .rank = i + 1};
    }
    s->row.prompt.text = text_span_of("What?");
    s->row.responses = s->responses;
    s->row.response_count = responses;
    return s;
}

static void refused(const struct sample *s, const char *message) {
    struct error err = ERROR_INIT;
    assert_int_equal(preference_check(&s->row, &err), ERR_DATA);
    assert_string_equal(err.msg, message);
}

static void accepted(const struct sample *s) {
    struct error err = ERROR_INIT;
    assert_ok(preference_check(&s->row, &err), &err);
}

static int setup(void **state) {
    *state = mem_array_zero(1, sizeof(struct sample));
    return *state ? 0 : -1;
}

static int teardown(void **state) {
    mem_free(*state);
    return 0;
}

static void test_names__are_those_of_the_database(void **state) {
    (void)state;
    assert_string_equal(prompt_kind_name(PROMPT_TEXT), "text");
    assert_string_equal(prompt_kind_name(PROMPT_CHAT), "chat");
    assert_string_equal(prompt_kind_name(PROMPT_ITEMS), "items");
    assert_string_equal(preference_kind_name(PREFERENCE_LABEL), "label");
    assert_string_equal(preference_kind_plural(PREFERENCE_PROMPT), "prompts");
}

static void test_preference_check__counts_responses(void **state) {
    refused(sample_of(PREFERENCE_COMPARISON, 1, state),
            "a comparison has 1 responses; expected 2 to 4096");
    refused(sample_of(PREFERENCE_RATING, 2, state), "a rating has 2 responses; expected 1");
    refused(sample_of(PREFERENCE_DEMONSTRATION, 0, state),
            "a demonstration has 0 responses; expected 1");
    refused(sample_of(PREFERENCE_PROMPT, 1, state), "a prompt has 1 responses; expected 0");
    accepted(sample_of(PREFERENCE_PROMPT, 0, state));
    accepted(sample_of(PREFERENCE_LABEL, 1, state));
    struct sample *s = sample_of(PREFERENCE_COMPARISON, 2, state);
    s->row.response_count = PREFERENCE_RESPONSES_MAX + 1; /* refused before one is looked at */
    refused(s, "a comparison has 4097 responses; expected 2 to 4096");
}

static void test_preference_check__ranks_begin_at_one(void **state) {
    struct sample *s = sample_of(PREFERENCE_COMPARISON, 3, state);
    accepted(s);
    s->responses[2].rank = 1;
    s->responses[1].rank = 7; /* gaps are allowed */
    accepted(s);
    s->responses[1].rank = 0;
    refused(s, "response 2: rank 0 is below 1");
    s->responses[0].rank = s->responses[1].rank = s->responses[2].rank = 2;
    refused(s, "no response has rank 1, the best");
}

static void test_preference_check__last_rank_may_be_unordered_if_there_is_another(void **state) {
    struct sample *s = sample_of(PREFERENCE_COMPARISON, 3, state);
    s->row.last_unordered = true;
    s->responses[2].rank = 2;
    accepted(s);
    s->responses[1].rank = s->responses[2].rank = 1;
    refused(s, "nothing is ordered: all responses share the last rank, whose responses were not "
               "compared");
}

static void test_preference_check__numbers_are_finite(void **state) {
    struct sample *s = sample_of(PREFERENCE_COMPARISON, 2, state);
    s->row.weight = 0.0;
    refused(s, "weight 0 is not a positive, finite number");
    s->row.weight = (double)INFINITY;
    refused(s, "weight inf is not a positive, finite number");
    s->row.weight = 1.0;
    s->row.margin = (double)NAN; /* not looked at: there is none */
    accepted(s);
    s->row.has_margin = true;
    assert_int_equal(preference_check(&s->row, &(struct error)ERROR_INIT), ERR_DATA);
}

static void test_preference_check__numbers_have_limits(void **state) {
    struct sample *s = sample_of(PREFERENCE_COMPARISON, 2, state);
    s->row.weight = 1e-9;
    accepted(s);
    s->row.weight = 9e-10;
    refused(s, "weight 9e-10 is outside the limits, 1e-09 to 1e+12");
    s->row.weight = 1e12;
    accepted(s);
    s->row.weight = 2e12;
    refused(s, "weight 2e+12 is outside the limits, 1e-09 to 1e+12");
    s->row.weight = 1.0;
    s->row.has_margin = true;
    s->row.margin = -1e12;
    accepted(s);
    s->row.margin = -2e12;
    refused(s, "margin -2e+12 is outside the limits, -1e+12 to 1e+12");
    s = sample_of(PREFERENCE_RATING, 1, state);
    s->row.value = 1e12;
    accepted(s);
    s->row.value = 1e13;
    refused(s, "rating 1e+13 is outside the limits, -1e+12 to 1e+12");
    s->row.value = 1.0;
    s->row.has_scale = true;
    s->row.scale_low = -1e300;
    refused(s, "the low end of the scale, -1e+300 is outside the limits, -1e+12 to 1e+12");
    s->row.scale_low = 0.0;
    s->row.scale_high = 1e300;
    refused(s, "the high end of the scale, 1e+300 is outside the limits, -1e+12 to 1e+12");
}

static void test_preference_check__rating_lies_on_its_scale(void **state) {
    struct sample *s = sample_of(PREFERENCE_RATING, 1, state);
    s->row.value = 5.5;
    accepted(s);
    s->row.has_scale = true;
    s->row.scale_low = 1.0;
    s->row.scale_high = 5.5;
    accepted(s);
    s->row.scale_high = 5.0;
    refused(s, "rating 5.5 is outside its scale from 1 to 5");
    s->row.scale_high = 1.0;
    refused(s, "the scale from 1 to 1 is empty");
    s->row.has_scale = false;
    s->row.value = (double)INFINITY;
    refused(s, "rating inf is not a finite number");
}

static void test_preference_check__text_is_utf8_without_nuls(void **state) {
    struct sample *s = sample_of(PREFERENCE_COMPARISON, 2, state);
    s->responses[1].text = (struct text_span){"te\xff", 3};
    refused(s, "response 2: the text is not UTF-8: byte 3 is \\xff");
    s->responses[1].text = (struct text_span){"te\0a", 4};
    refused(s, "response 2: the text has a NUL at byte 3");
    s->responses[1].text = (struct text_span){"", 0}; /* empty is not absent */
    accepted(s);
    s->responses[1].text = (struct text_span)TEXT_SPAN_NONE;
    refused(s, "response 2: the text is missing");
    s->responses[1].text = text_span_of("tea");
    s->row.prompt.text = (struct text_span)TEXT_SPAN_NONE;
    refused(s, "the prompt is missing");
    s->row.prompt.text = (struct text_span){"x", (size_t)PREFERENCE_TEXT_BYTES_MAX + 1};
    refused(s, "the prompt has 67108865 bytes; the limit is 67108864");
}

static void test_preference_check__messages_have_role_and_content(void **state) {
    struct sample *s = sample_of(PREFERENCE_COMPARISON, 2, state);
    struct message messages[2] = {hello[0], {{"", 0}, {"Hi", 2}}};
    s->row.prompt =
        (struct preference_prompt){.kind = PROMPT_CHAT, .messages = messages, .message_count = 1};
    accepted(s);
    s->row.prompt.message_count = 2;
    refused(s, "prompt: message 2: the role is empty");
    messages[1].role = text_span_of("assistant");
    messages[1].content = (struct text_span)TEXT_SPAN_NONE;
    refused(s, "prompt: message 2: the content is missing");
    s->row.prompt.message_count = 0;
    refused(s, "prompt: 0 messages; expected 1 to 4096");
    s->row.prompt = (struct preference_prompt){.text = text_span_of("What?")};
    s->responses[0].messages = messages;
    s->responses[0].message_count = 2;
    refused(s, "response 1: message 2: the content is missing");
}

static void test_preference_check__items_have_names(void **state) {
    struct sample *s = sample_of(PREFERENCE_COMPARISON, 2, state);
    s->row.prompt.kind = PROMPT_ITEMS;
    accepted(s);
    s->responses[0].text = text_span_of("");
    refused(s, "response 1: the name of the item is empty");
    s->responses[0].messages = hello;
    s->responses[0].message_count = 1;
    refused(s, "response 1: an item of a set has a name, not messages");
    s->row.prompt.text = text_span_of("");
    refused(s, "the name of the item set is empty");
}

static void test_preference_check__population_needs_an_annotator(void **state) {
    struct sample *s = sample_of(PREFERENCE_LABEL, 1, state);
    s->row.population = text_span_of("uk");
    refused(s, "population 'uk' without an annotator who belongs to it");
    s->row.annotator = text_span_of("ann");
    accepted(s);
    s->row.annotator = text_span_of("");
    refused(s, "the annotator is empty");
    s->row.annotator = text_span_of("ann");
    s->row.aspect = text_span_of("");
    refused(s, "the aspect is empty");
    s->row.aspect = (struct text_span)TEXT_SPAN_NONE;
    s->responses[0].position = -1;
    refused(s, "response 1: position -1 is below 1");
    s->responses[0].position = 0;
    s->responses[0].origin = text_span_of("");
    refused(s, "response 1: the origin is empty");
    s->row.prompt.topic = text_span_of("");
    refused(s, "the topic is empty");
}

static void test_preference_check_work__needs_owner_title_and_text(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct preference_work work = {.owner = text_span_of("Ann"),
                                   .title = text_span_of("Tea"),
                                   .text = text_span_of("A poem.")};
    assert_ok(preference_check_work(&work, &err), &err);
    work.text = text_span_of("");
    assert_fails(preference_check_work(&work, &err), ERR_DATA, "the text is empty", &err);
    work.title = (struct text_span)TEXT_SPAN_NONE;
    assert_fails(preference_check_work(&work, &err), ERR_DATA, "the title is missing", &err);
    work.owner = text_span_of("");
    assert_fails(preference_check_work(&work, &err), ERR_DATA, "the owner is empty", &err);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names__are_those_of_the_database),
        CASE(test_preference_check__counts_responses),
        CASE(test_preference_check__ranks_begin_at_one),
        CASE(test_preference_check__last_rank_may_be_unordered_if_there_is_another),
        CASE(test_preference_check__numbers_are_finite),
        CASE(test_preference_check__numbers_have_limits),
        CASE(test_preference_check__rating_lies_on_its_scale),
        CASE(test_preference_check__text_is_utf8_without_nuls),
        CASE(test_preference_check__messages_have_role_and_content),
        CASE(test_preference_check__items_have_names),
        CASE(test_preference_check__population_needs_an_annotator),
        cmocka_unit_test(test_preference_check_work__needs_owner_title_and_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
