#include "reward/reward_command.h"

#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <stdio.h>

#define ITEMS 5

/* A line for each line: the first character of its completion, which is the number it deserves. */
#define ECHO_COMPLETION \
    "while read -r x; do x=${x##*\\\"completion\\\":\\\"}; echo \"${x%\\\"\\}}\"; done"

static const struct preference_prompt prompt = {.kind = PROMPT_TEXT,
                                                .text = {.bytes = "Tea?", .count = 4}};

static struct reward *open_command(const char *line, int64_t batch_max) {
    struct error err = ERROR_INIT;
    struct reward_command_options options = REWARD_COMMAND_OPTIONS_DEFAULT;
    options.batch_max = batch_max;
    struct reward *reward = NULL;
    assert_ok(reward_command_open(line, &options, &reward, &err), &err);
    return reward;
}

/* Five answers: "0.5", "-1e-3", "2", "3", "4". */
static enum err_code score_five(struct reward *reward, double out[ITEMS], struct error *err) {
    static const char *const texts[ITEMS] = {"0.5", "-1e-3", "2", "3", "4"};
    struct preference_response responses[ITEMS];
    struct reward_item items[ITEMS];
    for (int64_t i = 0; i < ITEMS; i++) {
        responses[i] = (struct preference_response){.text = text_span_of(texts[i])};
        items[i] = (struct reward_item){.prompt = &prompt, .response = &responses[i]};
    }
    return reward_score(reward, items, ITEMS, out, err);
}

static void assert_five(const double values[ITEMS]) {
    const double expected[ITEMS] = {0.5, -0.001, 2.0, 3.0, 4.0};
    for (int64_t i = 0; i < ITEMS; i++) {
        assert_true(values[i] == expected[i]);
    }
}

static void test_score__in_order_whatever_the_batch(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    for (int64_t batch_max = 1; batch_max <= ITEMS + 1; batch_max++) {
        double values[ITEMS] = {-99.0};
        SCOPED(reward) struct reward *reward = open_command(ECHO_COMPLETION, batch_max);
        assert_ok(score_five(reward, values, &err), &err);
        assert_five(values);
        assert_ok(score_five(reward, values, &err), &err); /* the same process again */
        assert_five(values);
        assert_ok(reward_finish(reward, &err), &err);
        assert_fails(score_five(reward, values, &err), ERR_IO, "was finished", &err);
    }
}

static void test_score__numbers_and_objects(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    double values[ITEMS];
    SCOPED(reward)
    struct reward *reward = open_command(
        "read -r x; echo .5; for i in 2 3 4 5; do read -r x; done; printf ' -1e-3\\t\\r\\n"
        "{\"reward\": 2, \"why\": \"x\"}\\n3.0\\n{\"reward\":4}'",
        ITEMS);
    assert_ok(score_five(reward, values, &err), &err);
    assert_five(values);
}

/* What the program is told, byte for byte. */
static void test_score__question(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    const struct message chat[] = {
        {.role = text_span_of("system"), .content = text_span_of("Be brief.")},
        {.role = text_span_of("user"), .content = text_span_of("Tea?")},
        {.role = text_span_of("assistant"), .content = text_span_of("Or\n\"coffee\"?")},
    };
    const struct message turns[] = {
        {.role = text_span_of("assistant"), .content = text_span_of("Yes.")},
        {.role = text_span_of("user"), .content = text_span_of("Milk?")},
        {.role = text_span_of("assistant"), .content = text_span_of("No.")},
    };
    struct preference_prompt prompts[] = {
        prompt,
        {.kind = PROMPT_CHAT, .messages = chat, .message_count = 3},
        {.kind = PROMPT_CHAT, .messages = chat, .message_count = 1},
    };
    struct preference_response responses[] = {
        {.text = text_span_of("Yes.")},
        {.messages = turns, .message_count = 3},
    };
    struct reward_item items[] = {
        {&prompts[0], &responses[0]}, {&prompts[1], &responses[1]}, {&prompts[2], &responses[0]}};
    char line[512];
    (void)snprintf(line, sizeof line,
                   "while read -r x; do printf '%%s\\n' \"$x\" >>%s; echo 1; done",
                   scratch_path(scratch, "seen"));
    double values[3];
    SCOPED(reward) struct reward *reward = open_command(line, 64);
    assert_ok(reward_score(reward, items, 3, values, &err), &err);
    assert_string_equal(scratch_read(scratch, "seen"),
                        "{\"messages\":[{\"role\":\"user\",\"content\":\"Tea?\"},"
                        "{\"role\":\"assistant\",\"content\":\"Yes.\"}],"
                        "\"prompt\":\"Tea?\",\"completion\":\"Yes.\"}\n"
                        "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"
                        "{\"role\":\"user\",\"content\":\"Tea?\"},"
                        "{\"role\":\"assistant\",\"content\":\"Or\\n\\\"coffee\\\"?\"},"
                        "{\"role\":\"assistant\",\"content\":\"Yes.\"},"
                        "{\"role\":\"user\",\"content\":\"Milk?\"},"
                        "{\"role\":\"assistant\",\"content\":\"No.\"}],"
                        "\"prompt\":\"Tea?\",\"completion\":\"Yes.\\n\\nNo.\"}\n"
                        "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"
                        "{\"role\":\"assistant\",\"content\":\"Yes.\"}],"
                        "\"prompt\":null,\"completion\":\"Yes.\"}\n");
}

/* Models say bytes that no person writes. */
static void test_score__an_answer_with_a_nul(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    const struct preference_response response = {.text = {.bytes = "a\0b", .count = 3}};
    const struct reward_item item = {&prompt, &response};
    char line[512];
    (void)snprintf(line, sizeof line, "read -r x; printf '%%s' \"$x\" >%s; echo 1",
                   scratch_path(scratch, "seen"));
    double value = 0.0;
    SCOPED(reward) struct reward *reward = open_command(line, 64);
    assert_ok(reward_score(reward, &item, 1, &value, &err), &err);
    assert_string_equal(scratch_read(scratch, "seen"),
                        "{\"messages\":[{\"role\":\"user\",\"content\":\"Tea?\"},"
                        "{\"role\":\"assistant\",\"content\":\"a\\u0000b\"}],"
                        "\"prompt\":\"Tea?\",\"completion\":\"a\\u0000b\"}");
}

/* Scoring five answers in batches of three fails so, and the program is not asked again. */
static void assert_refused(const char *line, enum err_code code, const char *part) {
    struct error err = ERROR_INIT;
    double values[ITEMS];
    SCOPED(reward) struct reward *reward = open_command(line, 3);
    assert_fails(score_five(reward, values, &err), code, part, &err);
    assert_fails(score_five(reward, values, &err), ERR_IO, "has failed before", &err);
    assert_fails(reward_finish(reward, &err), ERR_IO, "has failed before", &err);
}

static void test_score__wrong_answers_refused(void **state) {
    (void)state;
    assert_refused("while read -r x; do echo nan; done", ERR_DATA,
                   "answer 1 of 5: it wrote 'nan', expected a finite number");
    assert_refused("while read -r x; do echo 1e999; done", ERR_DATA, "it wrote '1e999', expected");
    assert_refused("while read -r x; do echo; done", ERR_DATA, "it wrote '', expected");
    assert_refused("read -r x; echo 1; read -r x; echo 'a fine answer'; read -r x; echo 2; cat",
                   ERR_DATA, "answer 2 of 5: it wrote 'a fine answer', expected");
    assert_refused("while read -r x; do echo '{\"score\": 1}'; done", ERR_DATA,
                   "answer 1 of 5: it wrote: $: missing");
    assert_refused("while read -r x; do echo '{\"reward\": \"1\"}'; done", ERR_DATA,
                   "$.reward: expected number, found string '1'");
    assert_refused("while read -r x; do echo '{\"reward\": NaN}'; done", ERR_DATA, "found 'NaN'");
    assert_refused("while read -r x; do printf '1\\0002\\n'; done", ERR_DATA, "with a NUL");
    assert_refused("read -r x; echo 1; read -r x; echo oops >&2; echo x; echo 2; echo 3; cat",
                   ERR_DATA, "; its last words: 'oops'");
}

static void test_score__wrong_programs_refused(void **state) {
    (void)state;
    assert_refused("echo 'no model' >&2; exit 3", ERR_IO,
                   "reward command 'echo 'no model' >&2; exit 3': answer 1 of 5: the program ended "
                   "with status 3 after 0 of 1 answers; its last words: 'no model'");
    assert_refused("for i in 1 2 3 4; do read -r x; echo $i; done", ERR_IO,
                   "answer 5 of 5: the program ended with status 0 after 0 of 1 answers");
    assert_refused("for i in 1 2 3; do read -r x; echo $i; done", ERR_IO,
                   "answers 2 to 4 of 5: the program ended with status 0 after 2 of 3 answers");
    assert_refused("while read -r x; do echo 1; echo 1; done", ERR_DATA,
                   "more lines than it was asked for");
    assert_refused("exec cat", ERR_DATA, "answer 1 of 5: it wrote: $: missing");
    assert_refused("read -r x; kill -9 $$", ERR_IO, "killed by signal 9");
}

static void test_score__hanging_program_refused(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    double values[ITEMS];
    struct reward_command_options options = {.timeout_ms = 100, .batch_max = 64};
    SCOPED(reward) struct reward *reward = NULL;
    assert_ok(reward_command_open("sleep 60", &options, &reward, &err), &err);
    assert_fails(score_five(reward, values, &err), ERR_LIMIT,
                 "the program's time was up after 0 of 1 answers", &err);
}

static void test_finish__extra_line_refused(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    double values[ITEMS];
    SCOPED(reward)
    struct reward *reward = open_command("while read -r x; do echo 1; done; echo 2", 64);
    assert_ok(score_five(reward, values, &err), &err);
    assert_fails(reward_finish(reward, &err), ERR_DATA, "more lines than", &err);
}

static void test_score__text_that_is_not_utf8(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct preference_response response = {.text = text_span_of("tea\xFF")};
    struct reward_item item = {&prompt, &response};
    double value = -99.0;
    SCOPED(reward) struct reward *reward = open_command("exec cat", 64);
    assert_fails(reward_score(reward, &item, 1, &value, &err), ERR_DATA,
                 "answer 1 of 1: its text is not UTF-8 at byte 3", &err);
}

static void test_open__says_what_is_wrong(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct reward *reward = NULL;
    assert_fails(reward_command_open(" ", NULL, &reward, &err), ERR_CONFIG, "is empty", &err);
    struct reward_command_options options = {.timeout_ms = 0, .batch_max = 64};
    assert_fails(reward_command_open("cat", &options, &reward, &err), ERR_CONFIG,
                 "a time limit of 0 ms and batches of 64 must both be at least 1", &err);
    assert_null(reward);
}

static enum err_code open_and_score(void *context, struct error *err) {
    (void)context;
    SCOPED(reward) struct reward *reward = NULL;
    double values[ITEMS];
    TRY(reward_command_open("while read -r x; do echo '{\"reward\": 1}'; done", NULL, &reward,
                            err));
    TRY(score_five(reward, values, err));
    return reward_finish(reward, err);
}

static void test_every_failing_allocation__clean(void **state) {
    (void)state;
    alloc_loop_check(open_and_score, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_score__in_order_whatever_the_batch),
        cmocka_unit_test(test_score__numbers_and_objects),
        SCRATCH_TEST(test_score__question),
        SCRATCH_TEST(test_score__an_answer_with_a_nul),
        cmocka_unit_test(test_score__wrong_answers_refused),
        cmocka_unit_test(test_score__wrong_programs_refused),
        cmocka_unit_test(test_score__hanging_program_refused),
        cmocka_unit_test(test_finish__extra_line_refused),
        cmocka_unit_test(test_score__text_that_is_not_utf8),
        cmocka_unit_test(test_open__says_what_is_wrong),
        cmocka_unit_test(test_every_failing_allocation__clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
