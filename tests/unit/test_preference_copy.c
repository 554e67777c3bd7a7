/* test_preference_copy.c - prompts and answers that outlive the row they came in. */
#include "data/preference_copy.h"

#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

static const struct message messages[] = {
    {.role = {"user", 4}, .content = {"Tea?", 4}},
    {.role = {"assistant", 9}, .content = {"", 0}},
};

static void check_text(struct text_span copy, struct text_span from) {
    assert_true(text_span_equal(&copy, &from));
    assert_true(!from.bytes || copy.bytes != from.bytes);
}

static void check_messages(const struct message *copies) {
    assert_ptr_not_equal(copies, messages);
    for (int m = 0; m < 2; m++) {
        check_text(copies[m].role, messages[m].role);
        check_text(copies[m].content, messages[m].content);
    }
}

static void test_copy__has_all_texts_of_its_own(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(arena) struct arena arena = ARENA_INIT(1 * MIB);
    const struct preference_prompt prompt = {
        .kind = PROMPT_CHAT, .messages = messages, .message_count = 2, .topic = {"drinks", 6}};
    const struct preference_response turns = {
        .messages = messages, .message_count = 2, .rank = 3, .position = 2};
    const struct preference_response text = {.text = {"mud", 3}, .origin = {"", 0}, .rank = 1};
    struct preference_prompt prompt_copy;
    struct preference_response copy;
    assert_ok(preference_prompt_copy(&prompt, &arena, &prompt_copy, &err), &err);
    assert_true(prompt_copy.kind == PROMPT_CHAT && prompt_copy.message_count == 2);
    check_messages(prompt_copy.messages);
    check_text(prompt_copy.topic, prompt.topic);
    check_text(prompt_copy.text, prompt.text); /* absent */
    assert_ok(preference_response_copy(&turns, &arena, &copy, &err), &err);
    assert_true(copy.rank == 3 && copy.position == 2 && copy.message_count == 2);
    check_messages(copy.messages);
    assert_ok(preference_response_copy(&text, &arena, &copy, &err), &err);
    assert_true(copy.rank == 1 && copy.message_count == 0);
    check_text(copy.text, text.text);
    check_text(copy.origin, text.origin); /* empty, not absent */
}

static enum err_code copy_once(void *context, struct error *err) {
    (void)context;
    SCOPED(arena) struct arena arena = ARENA_INIT(1 * MIB);
    const struct preference_prompt prompt = {
        .kind = PROMPT_CHAT, .messages = messages, .message_count = 2};
    const struct preference_response text = {.text = {"mud", 3}};
    struct preference_prompt prompt_copy;
    struct preference_response copy;
    TRY(preference_prompt_copy(&prompt, &arena, &prompt_copy, err));
    return preference_response_copy(&text, &arena, &copy, err);
}

static void test_copy__survives_failing_allocations(void **state) {
    (void)state;
    alloc_loop_check(copy_once, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy__has_all_texts_of_its_own),
        cmocka_unit_test(test_copy__survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
