#include "data/sft_examples.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "data/preference_key.h"
#include "data/preference_log.h"
#include "data/project.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/log_sample.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- a small log ---- */

static const struct preference_prompt tea = {.kind = PROMPT_TEXT, .text = {"Tea?", 4}};
static const struct preference_prompt items = {.kind = PROMPT_ITEMS, .text = {"league", 6}};

static struct preference_response answer(const char *text, int64_t rank) {
    return (struct preference_response){
        .text = text_span_of(text), .rank = rank, .origin = text_span_of("bot")};
}

static void append(struct preference_log *log, enum preference_kind kind,
                   const struct preference_prompt *prompt,
                   const struct preference_response *responses, int64_t count, double value) {
    struct error err = ERROR_INIT;
    const struct preference row = {.kind = kind,
                                   .line = 1,
                                   .weight = 1.0,
                                   .prompt = *prompt,
                                   .responses = responses,
                                   .response_count = count,
                                   .value = value,
                                   .good = value > 0.0};
    assert_ok(preference_log_append(log, &row, &err), &err);
}

/* Of five comparisons two have the same best, one ties throughout, one is of items and one has two
 * best; the answers rated are 2 and 4; of the labels one is good; one demonstration is blank. */
static void fill(struct db *db) {
    struct error err = ERROR_INIT;
    SCOPED(preference_log) struct preference_log *log = NULL;
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    const struct preference_response yes_no[] = {answer("no", 2), answer("yes", 1)};
    const struct preference_response yes_maybe[] = {answer("yes", 1), answer("maybe", 2)};
    const struct preference_response tie[] = {answer("a", 1), answer("b", 1)};
    const struct preference_response teams[] = {answer("Rome", 1), answer("Bari", 2)};
    const struct preference_response two_best[] = {answer("c", 1), answer("d", 2), answer("e", 1)};
    const struct preference_response low = answer("low", 0), high = answer("high", 0);
    const struct preference_response good = answer("good", 0), bad = answer("bad", 0);
    const struct message turns[] = {{text_span_of("assistant"), text_span_of("shown")},
                                    {text_span_of("user"), text_span_of("go on")},
                                    {text_span_of("assistant"), text_span_of("more")}};
    const struct preference_response shown = {
        .messages = turns, .message_count = 3, .origin = text_span_of("person")};
    const struct preference_response blank = answer(" \n", 0);
    assert_ok(preference_log_open(db, &log, &err), &err);
    assert_ok(db_tx_open(db, &tx, &err), &err);
    assert_ok(preference_log_begin_source(log, "tea.jsonl", "test", "{}", 0, &err), &err);
    append(log, PREFERENCE_COMPARISON, &tea, yes_no, 2, 0.0);
    append(log, PREFERENCE_COMPARISON, &tea, yes_maybe, 2, 0.0);
    append(log, PREFERENCE_COMPARISON, &tea, tie, 2, 0.0);
    append(log, PREFERENCE_COMPARISON, &items, teams, 2, 0.0);
    append(log, PREFERENCE_COMPARISON, &tea, two_best, 3, 0.0);
    append(log, PREFERENCE_RATING, &tea, &low, 1, 2.0);
    append(log, PREFERENCE_RATING, &tea, &high, 1, 4.0);
    append(log, PREFERENCE_LABEL, &tea, &good, 1, 1.0);
    append(log, PREFERENCE_LABEL, &tea, &bad, 1, 0.0);
    append(log, PREFERENCE_DEMONSTRATION, &tea, &shown, 1, 0.0);
    append(log, PREFERENCE_DEMONSTRATION, &tea, &blank, 1, 0.0);
    append(log, PREFERENCE_PROMPT, &tea, NULL, 0, 0.0);
    const struct preference_source_summary summary = {.sha256 = {{1}}, .rows = 12};
    assert_ok(preference_log_end_source(log, &summary, &err), &err);
    assert_ok(db_tx_commit(&tx, &err), &err);
}

static struct db *open_tea(void) {
    struct error err = ERROR_INIT;
    struct db *db = NULL;
    assert_ok(project_open(":memory:", DB_MODE_CREATE, NULL, &db, &err), &err);
    fill(db);
    return db;
}

/* The first words of all answers, with a bar between. */
static struct sft_counts list(struct db *db, const struct sft_options *options,
                              struct strbuf *out) {
    struct error err = ERROR_INIT;
    SCOPED(sft_examples) struct sft_examples *examples = NULL;
    assert_ok(sft_examples_open(db, options, &examples, &err), &err);
    struct sft_example example;
    bool has_example = true;
    for (;;) {
        assert_ok(sft_examples_next(examples, &example, &has_example, &err), &err);
        if (!has_example) {
            return sft_examples_counts(examples);
        }
        const struct message *first = &example.messages[example.response_from];
        strbuf_addf(out, "%s%.*s", out->length > 0 ? "|" : "", (int)first->content.count,
                    first->content.bytes);
    }
}

static void check_choice(uint32_t choices, const char *origin, const char *expected,
                         struct sft_counts expected_counts) {
    SCOPED(db) struct db *db = open_tea();
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(KIB);
    const struct sft_options options = {.choices = choices, .rating_min = 3.0, .origin = origin};
    struct sft_counts counts = list(db, &options, &out);
    assert_string_equal(strbuf_text(&out), expected);
    assert_memory_equal(&counts, &expected_counts, sizeof counts);
}

static void test_sft_examples__choices_by_hand(void **state) {
    (void)state;
    const int64_t one = 1;
    check_choice(1U << SFT_BEST, NULL, "yes|c|e",
                 (struct sft_counts){.examples = 3, .repeated = 1, .items = one, .all_tied = 1});
    check_choice(1U << SFT_RATED, NULL, "high", (struct sft_counts){.examples = 1, .items = one});
    check_choice(1U << SFT_GOOD, NULL, "good", (struct sft_counts){.examples = 1, .items = one});
    check_choice(1U << SFT_SHOWN, NULL, "shown",
                 (struct sft_counts){.examples = 1, .blank = 1, .items = one});
    check_choice(
        SFT_CHOICES_DEFAULT, NULL, "yes|c|e|good|shown",
        (struct sft_counts){.examples = 5, .repeated = 1, .blank = 1, .items = one, .all_tied = 1});
    check_choice(1U << SFT_ALL, "bot", "no|yes|maybe|a|b|c|d|e|low|high|good|bad",
                 (struct sft_counts){.examples = 12, .repeated = 1, .blank = 1, .items = one});
    check_choice(1U << SFT_ALL, "person", "shown", (struct sft_counts){.examples = 1, .items = 1});
}

static void test_sft_examples__conversation_of_turns(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = open_tea();
    SCOPED(sft_examples) struct sft_examples *examples = NULL;
    const struct sft_options options = {.choices = 1U << SFT_SHOWN};
    struct sft_example example;
    bool has_example = false;
    assert_ok(sft_examples_open(db, &options, &examples, &err), &err);
    assert_ok(sft_examples_next(examples, &example, &has_example, &err), &err);
    assert_true(has_example);
    assert_int_equal(example.message_count, 4);
    assert_int_equal(example.response_from, 1);
    assert_memory_equal(example.messages[0].role.bytes, "user", 4);
    assert_memory_equal(example.messages[0].content.bytes, "Tea?", 4);
    assert_memory_equal(example.messages[3].content.bytes, "more", 4);
    assert_string_equal(example.source_path, "tea.jsonl");
    struct hash_key key;
    SCOPED(strbuf) struct strbuf scratch = STRBUF_INIT(KIB);
    assert_ok(preference_key_of_prompt(&tea, &scratch, &key, &err), &err);
    assert_memory_equal(example.prompt.bytes, key.bytes, sizeof key.bytes);
}

static void test_sft_examples_open__needs_a_choice(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct sft_examples *examples = NULL;
    const struct sft_options options = {.choices = 0};
    assert_fails(sft_examples_open(NULL, &options, &examples, &err), ERR_USAGE,
                 "no answers are chosen: shown, best, good, rated or all", &err);
    assert_string_equal(sft_choice_name(SFT_BEST), "best");
    assert_string_equal(sft_choice_help(SFT_SHOWN), "demonstrations");
}

/* The three parts together are the whole, and no prompt lies in two of them. */
static void test_sft_examples__parts_make_the_whole(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(log_sample) struct log_sample sample = LOG_SAMPLE_INIT;
    SCOPED(db) struct db *db = NULL;
    log_sample_fill(&sample, 5, 400);
    assert_ok(project_open(":memory:", DB_MODE_CREATE, NULL, &db, &err), &err);
    log_sample_append(db, &sample);
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(MIB);
    struct sft_options options = {.choices = 1U << SFT_ALL};
    int64_t whole = list(db, &options, &out).examples;
    int64_t parts = 0;
    options.one_split = true;
    options.shares = (struct split_shares){.validation = 0.3, .test = 0.3};
    for (int split = 0; split < SPLIT_COUNT; split++) {
        options.split = (enum split)split;
        int64_t part = list(db, &options, &out).examples;
        assert_true(part > 0 && part < whole);
        parts += part;
    }
    assert_true(whole > 50);
    assert_int_equal(parts, whole);
}

static enum err_code only_open(void *context, struct error *err) {
    SCOPED(db) struct db *db = NULL;
    return project_open(context, DB_MODE_READ_ONLY, NULL, &db, err);
}

static enum err_code read_all(void *context, struct error *err) {
    SCOPED(db) struct db *db = NULL;
    SCOPED(sft_examples) struct sft_examples *examples = NULL;
    const struct sft_options options = {.choices = 1U << SFT_SHOWN, .origin = "person"};
    TRY(project_open(context, DB_MODE_READ_ONLY, NULL, &db, err));
    TRY(sft_examples_open(db, &options, &examples, err));
    struct sft_example example;
    bool has_example = true;
    while (has_example) {
        TRY(sft_examples_next(examples, &example, &has_example, err));
    }
    return ERR_OK;
}

static void test_sft_examples__without_memory(void **state) {
    struct error err = ERROR_INIT;
    char *path = scratch_path(*state, "tea.db");
    struct db *db = NULL;
    assert_ok(project_open(path, DB_MODE_CREATE, NULL, &db, &err), &err);
    fill(db);
    db_close(db);
    alloc_loop_check_after(only_open, read_all, path);
}

/* ---- texts ---- */

static struct sft_counts list_file(const char *path, const struct sft_options *options,
                                   struct strbuf *out) {
    struct error err = ERROR_INIT;
    SCOPED(sft_examples) struct sft_examples *examples = NULL;
    assert_ok(sft_examples_open_file(path, options, &examples, &err), &err);
    struct sft_example example;
    bool has_example = true;
    for (;;) {
        assert_ok(sft_examples_next(examples, &example, &has_example, &err), &err);
        if (!has_example) {
            return sft_examples_counts(examples);
        }
        assert_int_equal(example.message_count, 0);
        strbuf_addf(out, "%" PRId64 ":%.*s|", example.line, (int)example.text.count,
                    example.text.bytes);
    }
}

static void test_sft_examples_open_file__rows_and_whole_files(void **state) {
    struct scratch *scratch = *state;
    const struct sft_options options = {.one_split = false};
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(KIB);
    scratch_write(scratch, "a.jsonl",
                  "{\"text\": \"one\"}\n\n{\"text\": \" \"}\n{\"text\": \"two\"}");
    struct sft_counts counts = list_file(scratch_path(scratch, "a.jsonl"), &options, &out);
    assert_string_equal(strbuf_text(&out), "1:one|4:two|");
    assert_int_equal(counts.blank, 1);
    strbuf_reset(&out);
    scratch_write(scratch, "b.txt", "{\"text\": \"one\"}\n\nmore\n");
    counts = list_file(scratch_path(scratch, "b.txt"), &options, &out);
    assert_string_equal(strbuf_text(&out), "1:{\"text\": \"one\"}\n\nmore\n|");
    assert_int_equal(counts.examples, 1);
    strbuf_reset(&out);
    scratch_write(scratch, "c.txt", "\n");
    counts = list_file(scratch_path(scratch, "c.txt"), &options, &out);
    assert_int_equal(counts.examples, 0);
    assert_int_equal(counts.blank, 1);
    strbuf_reset(&out);
    scratch_write(scratch, "d.txt", "\xEF\xBB\xBFtea"); /* a byte order mark */
    counts = list_file(scratch_path(scratch, "d.txt"), &options, &out);
    assert_string_equal(strbuf_text(&out), "1:tea|");
}

static void check_file_fails(struct scratch *scratch, const char *name, const char *text,
                             enum err_code code, const char *message) {
    struct error err = ERROR_INIT;
    SCOPED(sft_examples) struct sft_examples *examples = NULL;
    struct sft_example example;
    bool has_example = false;
    const struct sft_options options = {.one_split = false};
    scratch_write(scratch, name, text);
    assert_ok(sft_examples_open_file(scratch_path(scratch, name), &options, &examples, &err), &err);
    assert_fails(sft_examples_next(examples, &example, &has_example, &err), code, message, &err);
}

static void test_sft_examples_open_file__says_where_it_fails(void **state) {
    check_file_fails(*state, "a.txt", "tea \xff", ERR_DATA, "a.txt: byte 4 is no UTF-8");
    check_file_fails(*state, "a.jsonl", "{\"txt\": 1}", ERR_DATA,
                     "a.jsonl:1:1: $: missing key 'text'");
    struct error err = ERROR_INIT;
    struct sft_examples *examples = NULL;
    const struct sft_options options = {.one_split = false};
    assert_fails(sft_examples_open_file("/no/such.jsonl", &options, &examples, &err), ERR_IO,
                 "/no/such.jsonl", &err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sft_examples__choices_by_hand),
        cmocka_unit_test(test_sft_examples__conversation_of_turns),
        cmocka_unit_test(test_sft_examples_open__needs_a_choice),
        cmocka_unit_test(test_sft_examples__parts_make_the_whole),
        SCRATCH_TEST(test_sft_examples__without_memory),
        SCRATCH_TEST(test_sft_examples_open_file__rows_and_whole_files),
        SCRATCH_TEST(test_sft_examples_open_file__says_where_it_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
