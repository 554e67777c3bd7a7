/* accord reward fit on a language model, as its users meet it: fitted from nothing, killed,
 * resumed, calibrated, asked. */
#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/near.h"
#include "tests/support/run_files.h"
#include "tests/support/test.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>

#define PROMPTS 90

/* Tea is preferred to mud in four of five prompts, each judged twice, the second time the other way
 * round in every third. */
static void write_rows(struct project_case *p) {
    SCOPED(mem) char *rows = mem_alloc(1 * MIB);
    assert_non_null(rows);
    size_t used = 0;
    for (int i = 0; i < PROMPTS; i++) {
        const char *better = i % 5 == 0 ? "Mud" : "Tea";
        const char *worse = i % 5 == 0 ? "Tea" : "Mud";
        for (int vote = 0; vote < 2; vote++) {
            const bool is_turned = vote == 1 && i % 3 == 0;
            used += (size_t)snprintf(rows + used, 1 * MIB - used,
                                     "{\"prompt\":\"What shall we drink on day "
                                     "%d?\",\"chosen\":\"%s number %d, please.\","
                                     "\"rejected\":\"%s number %d, please.\"}\n",
                                     i, is_turned ? worse : better, i % 7,
                                     is_turned ? better : worse, i % 7);
        }
    }
    project_case_import_rows(p, rows);
    scratch_write(p->scratch, "tea.txt", rows);
}

static void write_config(struct project_case *p, const char *model, const char *more) {
    char config[2048];
    const int length =
        snprintf(config, sizeof config,
                 "{\"run\": {\"dtype\": \"f32\", \"threads\": 1}, \"model\": \"%s\",\n"
                 " \"tokenizer\": \"%s\",\n \"data\": {\"template\": \"human-assistant\", "
                 "\"sequence_tokens_max\": 64},\n"
                 " \"examples_per_step\": 8, \"log_every\": 1, \"eval_every\": 5,\n"
                 " \"checkpoint_every\": 4, \"save_dtype\": \"f32\", %s,\n"
                 " \"optimiser\": {\"learning_rate\": 0.003}}\n",
                 model, scratch_path(p->scratch, "tok"), more);
    assert_true(length < (int)sizeof config);
    scratch_write(p->scratch, "base.json", config);
}

static int setup(void **state) {
    if (project_case_setup(state) != 0) {
        return -1;
    }
    struct project_case *p = *state;
    write_rows(p);
    write_config(p, "preset:tiny", "\"epochs\": 3");
    run_program(&p->r, "tokenizer", "train", scratch_path(p->scratch, "tea.txt"), "-o",
                scratch_path(p->scratch, "tok"), "--vocabulary", "300", "-q", NULL);
    return p->r.status;
}

/* accord reward fit <db> --kind lm -c base.json -o <scratch>/<output> <more>... */
#define FIT(p, output, ...)                                              \
    run_program(&(p)->r, "reward", "fit", (p)->db, "--kind", "lm", "-c", \
                scratch_path((p)->scratch, "base.json"), "-o",           \
                scratch_path((p)->scratch, (output)), __VA_ARGS__)

/* What it learns is that tea is better than mud: of judgements that is 4/5 of those not turned plus
 * 1/5 of those turned, 4/5 * 5/6 + 1/5 * 1/6 = 0.7, at an entropy of 0.61 nats. */
static void test_fit__learns_and_is_calibrated(void **state) {
    struct project_case *p = *state;
    FIT(p, "a", NULL);
    program_check_ok(&p->r);
    assert_true(run_files_last(p, "a/eval_metrics.jsonl", "\"eval_accuracy\":") > 0.55);
    assert_true(run_files_last(p, "a/eval_metrics.jsonl", "\"eval_loss\":") < 0.68);
    assert_non_null(strstr(p->r.err, "taking the weights of step "));
    assert_non_null(strstr(p->r.err, "reward: temperature "));
    size_t bytes = 0;
    SCOPED(mem) char *config = run_files_read(p, "a/final/config.json", &bytes);
    assert_non_null(strstr(config, "LlamaForSequenceClassification"));
    SCOPED(mem) char *file = run_files_read(p, "a/final/accord_reward.json", &bytes);
    assert_non_null(strstr(file, "\"template\": \"human-assistant\""));
    FIT(p, "a", "--resume", NULL); /* there is nothing left to do */
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.err, "the run is finished: '"));
}

static void test_fit__gives_a_reward_like_any_other(void **state) {
    struct project_case *p = *state;
    FIT(p, "a", "-q", NULL);
    program_check_ok(&p->r);
    char spec[400];
    (void)snprintf(spec, sizeof spec, "lm:%s", scratch_path(p->scratch, "a/final"));
    run_program(&p->r, "reward", "score", p->db, "--reward", spec, "--reward", "length", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, "\"rewards\":["));
    run_program(&p->r, "reward", "eval", p->db, spec, "--split", "all", "--json", NULL);
    SCOPED(json) struct json *doc = program_json(&p->r);
    assert_non_null(doc);
    (void)snprintf(spec, sizeof spec, "lm:%s", scratch_path(p->scratch, "tok"));
    run_program(&p->r, "reward", "score", p->db, "--reward", spec, NULL);
    program_check_refused(&p->r, 3, "config.json");
}

static void stop_run(struct project_case *p, const char *output, const char *when) {
    const char *const words[] = {"reward",
                                 "fit",
                                 p->db,
                                 "--kind",
                                 "lm",
                                 "-c",
                                 scratch_path(p->scratch, "base.json"),
                                 "-o",
                                 scratch_path(p->scratch, output),
                                 NULL};
    p->r.out[0] = '\0';
    p->r.err[0] = '\0';
    struct program program = program_start(&(struct program_options){.out_path = NULL}, words);
    program_wait_for_err(&program, &p->r, when);
    assert_int_equal(kill(program.pid, SIGKILL), 0);
    program_wait(&program, &p->r);
}

static void test_fit__killed_goes_on_with_the_same_bits(void **state) {
    struct project_case *p = *state;
    FIT(p, "a", "-q", NULL);
    program_check_ok(&p->r);
    stop_run(p, "killed", "step 7/");
    FIT(p, "killed", "--resume", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.err, "reward: resumed after step "));
    run_files_check_same(p, "a/final/model.safetensors", "killed/final/model.safetensors");
    run_files_check_same(p, "a/final/accord_reward.json", "killed/final/accord_reward.json");
}

static void test_fit__micro_batches_change_nothing(void **state) {
    struct project_case *p = *state;
    FIT(p, "a", "-q", "-s", "epochs=0.4", NULL);
    program_check_ok(&p->r);
    FIT(p, "b", "-q", "-s", "epochs=0.4", "-s", "micro_batch_tokens=64", NULL);
    program_check_ok(&p->r);
    assert_near(run_files_last(p, "a/metrics.jsonl", "\"loss\":"),
                run_files_last(p, "b/metrics.jsonl", "\"loss\":"), 1e-5);
    assert_near(run_files_last(p, "a/metrics.jsonl", "\"grad_norm\":"),
                run_files_last(p, "b/metrics.jsonl", "\"grad_norm\":"), 1e-4);
}

static void test_fit__adapters_are_saved_with_their_head(void **state) {
    struct project_case *p = *state;
    FIT(p, "a", "-q", "-s", "epochs=0.4", NULL);
    program_check_ok(&p->r);
    write_config(p, scratch_path(p->scratch, "a/final"),
                 "\"epochs\": 0.4, \"train\": \"lora\", \"lora\": {\"rank\": 4}");
    FIT(p, "b", "-q", NULL);
    program_check_ok(&p->r);
    size_t bytes = 0;
    SCOPED(mem) char *config = run_files_read(p, "b/final/adapter_config.json", &bytes);
    assert_non_null(strstr(config, "\"task_type\": \"SEQ_CLS\""));
    char spec[400];
    (void)snprintf(spec, sizeof spec, "lm:%s", scratch_path(p->scratch, "b/final"));
    run_program(&p->r, "reward", "score", p->db, "--reward", spec, NULL);
    program_check_ok(&p->r); /* on the base that the adapter names */
}

/* Six more prompts, before the others by name: every other one, of fold 0, is tied. */
static void import_ties(struct project_case *p) {
    char rows[2048];
    size_t used = 0;
    for (int i = 0; i < 6; i++) {
        used += (size_t)snprintf(rows + used, sizeof rows - used,
                                 "{\"judgement\":\"comparison\",\"prompt\":\"And day %d?\","
                                 "\"responses\":[{\"text\":\"Tea.\",\"rank\":1},"
                                 "{\"text\":\"Mud.\",\"rank\":%d}]}\n",
                                 i, 1 + i % 2);
    }
    project_case_import_rows(p, rows);
}

/* No tie is kept for evaluation, so no temperature can be fitted with one: the model is saved all
 * the same, with the tie parameter that goes with its weights, which are not those of the end. */
static void test_fit__is_saved_where_it_cannot_be_calibrated(void **state) {
    struct project_case *p = *state;
    import_ties(p);
    FIT(p, "a", "-s", "loss.likelihood=davidson", "-s", "loss.ties=keep", "-s", "data.folds=2",
        "-s", "data.validation_folds=1", "-s", "optimiser.learning_rate=0.05", "-s",
        "checkpoint_every=5", "-s", "checkpoints_kept=99", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.err, "reward: not calibrated: no judgement is a tie"));
    char checkpoint[64];
    (void)snprintf(checkpoint, sizeof checkpoint, "a/checkpoint-%.0f/state.json",
                   run_files_last(p, "a/log.txt", "taking the weights of step "));
    const double tie = run_files_last(p, "a/final/accord_reward.json", "\"tie_parameter\": ");
    assert_near(tie, run_files_last(p, checkpoint, "\"tie_1\": "), 0.0);
    assert_true(tie != run_files_last(p, "a/checkpoint-18/state.json", "\"tie_1\": "));
}

/* A prompt is cut to make room; where the answer alone is too long, it is dropped. */
static void test_fit__drops_answers_that_no_cut_helps(void **state) {
    struct project_case *p = *state;
    project_case_import_rows(
        p, "{\"prompt\":\"And?\",\"rejected\":\"Tea.\",\"chosen\":\"0123456789012345678901234"
           "567890123456789012345678901234567890123456789012345678901234567890123456789\"}\n");
    FIT(p, "a", "--dry-run", "-s", "data.too_long=cut", "-s", "data.folds=2", "-s",
        "data.validation_folds=1", NULL); /* the first by name is of fold 0 */
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.err, "1 answers dropped with their comparisons: longer than "));
    assert_non_null(strstr(p->r.err, "1 comparisons left out with their answers"));
}

static void test_fit__is_of_a_language_model_where_the_configuration_names_one(void **state) {
    struct project_case *p = *state;
    run_program(&p->r, "reward", "fit", p->db, "-c", scratch_path(p->scratch, "base.json"),
                "--dry-run", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, " give a score\n"));
    run_program(&p->r, "reward", "fit", p->db, "--kind", "lm", "--dry-run", NULL);
    program_check_refused(&p->r, 2, "start from what? give --trunk FOLDER, FILE or preset:NAME");
}

static void test_fit__refuses_and_makes_nothing(void **state) {
    struct project_case *p = *state;
    FIT(p, "a", "--estimator", "map", NULL);
    program_check_refused(&p->r, 2, "--estimator is not for this kind of reward");
    run_program(&p->r, "reward", "fit", p->db, "--resume", NULL);
    program_check_refused(&p->r, 2, "--resume is not for this kind of reward: give --kind lm");
    FIT(p, "a", "-s", "loss.likelihood=davidson", NULL);
    program_check_refused(&p->r, 2, "loss.likelihood=davidson goes with loss.ties=keep");
    FIT(p, "a", "-s", "data.from=labels", NULL);
    program_check_refused(&p->r, 2, "data.from=labels compares nothing");
    FIT(p, "a", "-s", "data.folds=4", "-s", "data.test_folds=4", NULL);
    program_check_refused(&p->r, 2, "data.test_folds has 4: data.folds makes 0 to 3");
    FIT(p, "a", "-s", "data.group=day", NULL);
    program_check_refused(&p->r, 2, "data.group needs data.folds, which is 0");
    FIT(p, "a", "-s", "loss.likelihood=davidson", "-s", "loss.ties=keep", NULL);
    program_check_refused(&p->r, 3, "no judgement is a tie");
    FIT(p, "a", "-s", "data.sequence_tokens_max=8", NULL);
    program_check_refused(&p->r, 3, "nothing is left to learn from: ");
    assert_false(file_exists(scratch_path(p->scratch, "a")));
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, project_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_fit__learns_and_is_calibrated),
        CASE(test_fit__gives_a_reward_like_any_other),
        CASE(test_fit__killed_goes_on_with_the_same_bits),
        CASE(test_fit__micro_batches_change_nothing),
        CASE(test_fit__adapters_are_saved_with_their_head),
        CASE(test_fit__is_saved_where_it_cannot_be_calibrated),
        CASE(test_fit__drops_answers_that_no_cut_helps),
        CASE(test_fit__is_of_a_language_model_where_the_configuration_names_one),
        CASE(test_fit__refuses_and_makes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
