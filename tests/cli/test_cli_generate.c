/* accord generate, as its users meet it: on stories260K (karpathy/tinyllamas), a llama2.c model of
 * 260,000 weights and 512 tokens that tells children's stories. */
#include "base/scoped.h"
#include "tests/support/project_case.h"
#include "tests/support/real_data.h"
#include "tests/support/test.h"

#include <stdio.h>

#define FOLDER "stories260k/"

/* Runs the program on the model, in exact arithmetic and without a template. */
static void run_stories(struct project_case *p, const char *const *words) {
    char model[512];
    (void)snprintf(model, sizeof model, "%s", real_data_or_skip(FOLDER "stories260K.bin"));
    const char *all[PROGRAM_WORDS_MAX + 1] = {"generate", model, "-q",           "--template",
                                              "none",     "-s",  "run.dtype=f32"};
    int64_t count = 7;
    for (; *words; words++) {
        assert_true(count < PROGRAM_WORDS_MAX);
        all[count] = *words;
        count++;
    }
    run_program_with(&p->r, &(struct program_options){.out_path = NULL}, all);
}

#define STORIES(p, ...) run_stories((p), (const char *const[]){__VA_ARGS__, NULL})

static void check_printed(struct project_case *p, const char *text) {
    program_check_ok(&p->r);
    assert_string_equal(p->r.out, text);
}

/* ---- what it says ---- */

/* An empty text is BOS alone. The text is that of llama2.c's own documentation. */
static void test_generate__is_the_published_greedy_text(void **state) {
    struct project_case *p = *state;
    char expected[1024] = "";
    FILE *f = fopen(real_data_or_skip(FOLDER "expected_greedy_256.txt"), "rb");
    assert_non_null(f);
    assert_true(fread(expected, 1, sizeof expected - 1, f) > 0);
    assert_int_equal(fclose(f), 0);
    STORIES(p, "", "-n", "256");
    check_printed(p, expected);
}

/* The blank in front of the first word said is part of the answer: "Once" + " upon". */
static void test_generate__goes_on_with_the_text(void **state) {
    struct project_case *p = *state;
    STORIES(p, "Once", "-n", "12");
    check_printed(p, " upon a time, there was a little girl named\n");
}

static void test_generate__stops_before_a_stop_text(void **state) {
    struct project_case *p = *state;
    STORIES(p, "Once", "--stop", "Lily", "--stop", " girl named Li"); /* held back, and cut */
    check_printed(p, " upon a time, there was a little\n");
    STORIES(p, "Once", "--stop", " girl named Tom", "-n", "14"); /* held back, and given out */
    check_printed(p, " upon a time, there was a little girl named Lily.\n");
    STORIES(p, "Once", "--stop", "Lily", "--json");
    SCOPED(json) struct json *doc = program_json(&p->r);
    const struct json_node *answer = json_at(doc, json_root(doc), 0);
    assert_string_equal(program_text(doc, answer, "finish"), "stop text");
    assert_string_equal(program_text(doc, answer, "text"),
                        " upon a time, there was a little girl named ");
}

/* Log-probabilities of greedy choices: 0 in what is sampled from, which is one token. */
static void test_generate__json_counts_and_measures(void **state) {
    struct project_case *p = *state;
    STORIES(p, "Once", "-n", "3", "--json");
    SCOPED(json) struct json *doc = program_json(&p->r);
    const struct json_node *answer = json_at(doc, json_root(doc), 0);
    assert_int_equal(json_count(doc, json_root(doc)), 1);
    assert_int_equal(json_count(doc, answer), 8);
    assert_string_equal(program_text(doc, answer, "text"), " upon a time");
    assert_string_equal(program_text(doc, answer, "finish"), "length");
    assert_true(program_number(doc, answer, "prompt_tokens") == 2.0); /* BOS, "Once" */
    assert_true(program_number(doc, answer, "tokens") == 3.0);
    assert_true(program_number(doc, answer, "logp_nats") == 0.0);
    const double logp = program_number(doc, answer, "model_logp_nats");
    assert_true(logp < 0.0 && logp > -1.0);
}

/* ---- many ---- */

static void write_prompts(struct project_case *p) {
    scratch_write(p->scratch, "prompts.jsonl",
                  "{\"prompt\":\"Once\"}\n"
                  "{\"prompt\":[{\"role\":\"user\",\"content\":\"The cat\"}]}\n"
                  "{\"messages\":[{\"role\":\"user\",\"content\":\"One day\"}]}\n");
}

enum { PROMPTS = 3, SAMPLES = 4 };

struct answers {
    char text[PROMPTS][SAMPLES][512];
    double logp_nats[PROMPTS][SAMPLES];
};

static void sample(struct project_case *p, const char *slots, const char *threads, const char *seed,
                   struct answers *out) {
    *out = (struct answers){.text = {{""}}};
    STORIES(p, "-p", scratch_path(p->scratch, "prompts.jsonl"), "-n30", "--samples=4", "--json",
            slots, threads, seed);
    SCOPED(json) struct json *doc = program_json(&p->r);
    assert_int_equal(json_count(doc, json_root(doc)), PROMPTS * SAMPLES);
    for (const struct json_node *n = json_first(json_root(doc)); n; n = json_next(n)) {
        const int prompt = (int)program_number(doc, n, "prompt");
        const int index = (int)program_number(doc, n, "sample");
        assert_in_range(prompt, 0, PROMPTS - 1);
        assert_in_range(index, 0, SAMPLES - 1);
        assert_string_equal(out->text[prompt][index], ""); /* each comes once */
        (void)snprintf(out->text[prompt][index], sizeof out->text[prompt][index], "%s",
                       program_text(doc, n, "text"));
        out->logp_nats[prompt][index] = program_number(doc, n, "logp_nats");
    }
}

/* Whatever is written beside an answer, and on however many threads. */
static void test_generate__samples_follow_from_the_seed_alone(void **state) {
    struct project_case *p = *state;
    struct answers one;
    struct answers many;
    struct answers other;
    write_prompts(p);
    sample(p, "--slots=1", "-j1", "--seed=7", &one);
    sample(p, "--slots=5", "-j2", "--seed=7", &many);
    sample(p, "--slots=5", "-j2", "--seed=8", &other);
    assert_memory_equal(&one, &many, sizeof one);
    for (int prompt = 0; prompt < PROMPTS; prompt++) {
        assert_string_not_equal(one.text[prompt][0], one.text[prompt][1]);
        assert_string_not_equal(one.text[prompt][0], other.text[prompt][0]);
    }
}

static void test_generate__answers_a_file(void **state) {
    struct project_case *p = *state;
    write_prompts(p);
    STORIES(p, "-p", scratch_path(p->scratch, "prompts.jsonl"), "-n5", "--slots=1");
    program_check_ok(&p->r);
    const char *first = "--- prompt 1: 5 tokens, 0.00 nats, length\n upon a time, there\n"
                        "--- prompt 2: 5 tokens, 0.00 nats, length\n";
    assert_int_equal(strncmp(p->r.out, first, strlen(first)), 0);
    assert_non_null(strstr(p->r.out, "--- prompt 3: 5 tokens, 0.00 nats, length\n"));
}

/* ---- what it refuses ---- */

static void test_generate__refuses_prompts_that_do_not_fit(void **state) {
    struct project_case *p = *state;
    STORIES(p, "Once upon a time", "--context", "4");
    program_check_refused(&p->r, 3, "and the context of 4 leaves no room for an answer");
    STORIES(p, "Once", "--context", "1000");
    program_check_refused(&p->r, 2, "1000 is outside [2, 512]");
    STORIES(p, "Once", "--system", "Be kind.");
    program_check_refused(&p->r, 3, "2 messages, and plain text has no roles: name a --template");
    scratch_write(p->scratch, "none.jsonl", "{\"prompt\":\"Once\"}\n{\"messages\":[]}\n");
    STORIES(p, "-p", scratch_path(p->scratch, "none.jsonl"));
    program_check_refused(&p->r, 3, "line 2: prompt 2 has 0 messages");
    scratch_write(p->scratch, "bad.jsonl", "{\"prompt\":\"Once\"}\n{\"text\":\"Once\"}\n");
    STORIES(p, "-p", scratch_path(p->scratch, "bad.jsonl"));
    program_check_refused(&p->r, 3, "a row has \"prompt\" or \"messages\"");
    scratch_write(p->scratch, "both.jsonl", "{\"prompt\":\"Once\",\"messages\":[]}\n");
    STORIES(p, "-p", scratch_path(p->scratch, "both.jsonl"));
    program_check_refused(&p->r, 3, "not both");
}

static void test_generate__refuses_wrong_use(void **state) {
    struct project_case *p = *state;
    write_prompts(p);
    STORIES(p, "-n3");
    program_check_refused(&p->r, 2, "give either a prompt or --prompts FILE");
    STORIES(p, "Once", "-p", scratch_path(p->scratch, "prompts.jsonl"));
    program_check_refused(&p->r, 2, "give either a prompt or --prompts FILE");
    STORIES(p, "Once", "--top-p", "1.5");
    program_check_refused(&p->r, 2, "--top-p = 1.5 is outside [1e-09, 1]");
    STORIES(p, "Once", "--top-k", "513");
    program_check_refused(&p->r, 2, "top_k 513 is outside [0, 512], the vocabulary");
    STORIES(p, "Once", "--stop", "");
    program_check_refused(&p->r, 2, "an empty stop text would end every answer");
    STORIES(p, "Once", "--device", "cuda");
    program_check_refused(&p->r, 2, "generate computes on the CPU");
    STORIES(p, "Once", "--adapter", scratch_path(p->scratch, "nothing"));
    program_check_refused(&p->r, 1, "No such file or directory");
}

static void test_generate__wants_a_template_it_knows(void **state) {
    struct project_case *p = *state;
    const char *model = real_data_or_skip(FOLDER "stories260K.bin");
    run_program(&p->r, "generate", model, "Once", NULL);
    program_check_refused(&p->r, 3, "the model has no chat template: name one with --template");
    run_program(&p->r, "generate", model, "Once", "--template", "chatmm", NULL);
    program_check_refused(&p->r, 2, "no chat template 'chatmm'");
    run_program(&p->r, "generate", model, "Once", "--template", "chatml", NULL);
    program_check_refused(&p->r, 3, "<|im_end|>"); /* no token of the model: it could not stop */
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, project_case_setup, project_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_generate__is_the_published_greedy_text),
        CASE(test_generate__goes_on_with_the_text),
        CASE(test_generate__stops_before_a_stop_text),
        CASE(test_generate__json_counts_and_measures),
        CASE(test_generate__samples_follow_from_the_seed_alone),
        CASE(test_generate__answers_a_file),
        CASE(test_generate__refuses_prompts_that_do_not_fit),
        CASE(test_generate__refuses_wrong_use),
        CASE(test_generate__wants_a_template_it_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
