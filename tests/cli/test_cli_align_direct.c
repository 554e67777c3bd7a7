/* accord align by direct methods, as its users meet it: from nothing, killed, resumed, with
 * adapters, and refused. */
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

/* Tea is preferred to mud in four of five prompts, and each tenth prompt is a tie. */
static void write_rows(struct project_case *p) {
    SCOPED(mem) char *rows = mem_alloc(1 * MIB);
    assert_non_null(rows);
    size_t used = 0;
    for (int i = 0; i < PROMPTS; i++) {
        const char *better = i % 5 == 0 ? "Mud" : "Tea";
        const char *worse = i % 5 == 0 ? "Tea" : "Mud";
        used += (size_t)snprintf(
            rows + used, 1 * MIB - used,
            "{\"judgement\":\"comparison\",\"prompt\":\"What shall we drink on day %d?\","
            "\"responses\":[{\"text\":\"%s number %d, please.\",\"rank\":1},"
            "{\"text\":\"%s number %d, please.\",\"rank\":%d}]}\n",
            i, better, i % 7, worse, i % 7, i % 10 == 3 ? 1 : 2);
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

/* accord align <db> --method <method> -c base.json -o <scratch>/<output> <more>... */
#define ALIGN(p, method, output, ...)                                  \
    run_program(&(p)->r, "align", (p)->db, "--method", (method), "-c", \
                scratch_path((p)->scratch, "base.json"), "-o",         \
                scratch_path((p)->scratch, (output)), __VA_ARGS__)

/* ---- what is learnt ---- */

/* At the first step policy and reference are one: rewards 0, loss ln 2. Then tea is preferred. */
static void test_dpo__starts_at_the_reference_and_learns(void **state) {
    struct project_case *p = *state;
    ALIGN(p, "dpo", "a", NULL);
    program_check_ok(&p->r);
    assert_near(run_files_first(p, "a/metrics.jsonl", "\"loss\":"), log(2.0), 1e-6);
    assert_near(run_files_first(p, "a/metrics.jsonl", "\"rewards/chosen\":"), 0.0, 1e-6);
    assert_near(run_files_first(p, "a/metrics.jsonl", "\"rewards/margins\":"), 0.0, 1e-6);
    assert_true(run_files_last(p, "a/eval_metrics.jsonl", "\"eval_rewards/accuracies\":") > 0.6);
    assert_true(run_files_last(p, "a/eval_metrics.jsonl", "\"eval_loss\":") < 0.69);
    const double chosen = run_files_last(p, "a/eval_metrics.jsonl", "\"eval_rewards/chosen\":");
    const double rejected = run_files_last(p, "a/eval_metrics.jsonl", "\"eval_rewards/rejected\":");
    assert_near(run_files_last(p, "a/eval_metrics.jsonl", "\"eval_rewards/margins\":"),
                chosen - rejected, 1e-9);
    assert_true(run_files_last(p, "a/eval_metrics.jsonl", "\"eval_mean_token_accuracy\":") <= 1.0);
    assert_near(run_files_first(p, "a/metrics.jsonl", "\"logits/chosen\":"),
                run_files_first(p, "a/metrics.jsonl", "\"logits/rejected\":"), 0.5);
    assert_non_null(strstr(p->r.err, "align: next: accord generate "));
    ALIGN(p, "dpo", "a", "--resume", NULL); /* there is nothing left to do */
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.err, "the run is finished: '"));
}

/* The start's log-probabilities of whole answers are its scores: margins that are not 0. */
static void test_pm_dpo__needs_no_reference(void **state) {
    struct project_case *p = *state;
    ALIGN(p, "pm-dpo", "a", "-s", "regulariser.kind=pm", "-s", "epochs=1", NULL);
    program_check_ok(&p->r);
    assert_near(run_files_first(p, "a/metrics.jsonl", "\"rewards/chosen\":"),
                run_files_first(p, "a/metrics.jsonl", "\"logps/chosen\":"), 1e-9);
    assert_true(run_files_first(p, "a/metrics.jsonl", "\"logps/chosen\":") < -10.0);
    ALIGN(p, "pm-dpo", "b", "-s", "epochs=1", "-s", "regulariser.alpha=0.999", NULL);
    program_check_ok(&p->r); /* no token is of the language: the reference is the start */
    assert_near(run_files_first(p, "b/metrics.jsonl", "\"rewards/chosen\":"), 0.0, 1e-5);
    ALIGN(p, "pm-dpo", "c", "-s", "epochs=1", "-s", "regulariser.alpha=1e-9", NULL);
    program_check_ok(&p->r); /* all are: as without a reference */
    run_files_check_same(p, "a/final/model.safetensors", "c/final/model.safetensors");
}

static void test_methods__all_learn(void **state) {
    struct project_case *p = *state;
    static const char *const methods[] = {"ipo", "cdpo", "robust-dpo", "kto", "simpo", "orpo"};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        const bool is_smoothed = m == 1 || m == 2;
        char file[64];
        ALIGN(p, methods[m], methods[m], "-s",
              is_smoothed ? "direct.loss.label_smoothing=0.1" : "direct.loss.label_smoothing=0",
              NULL);
        program_check_ok(&p->r);
        (void)snprintf(file, sizeof file, "%s/eval_metrics.jsonl", methods[m]);
        assert_true(run_files_last(p, file, "\"eval_loss\":") <
                    run_files_first(p, file, "\"eval_loss\":"));
        assert_true(run_files_last(p, file, "\"eval_rewards/accuracies\":") > 0.6);
    }
    assert_true(run_files_first(p, "kto/metrics.jsonl", "\"kl\":") >= 0.0);
}

/* Unpaired rows, as TRL's KTOTrainer takes them: tea is good and mud is bad, one of them to each
 * prompt, tea to two of three; every seventh row is there again with the other label. */
static void import_labels(struct project_case *p) {
    SCOPED(mem) char *rows = mem_alloc(1 * MIB);
    assert_non_null(rows);
    size_t used = 0;
    for (int i = 0; i < PROMPTS * 8 / 7; i++) {
        const int day = i < PROMPTS ? i : 7 * (i - PROMPTS);
        const bool is_tea = day % 3 != 0;
        used += (size_t)snprintf(rows + used, 1 * MIB - used,
                                 "{\"prompt\":\"What shall we drink on day %d?\","
                                 "\"completion\":\"%s number %d, please.\",\"label\":%s}\n",
                                 day, is_tea ? "Tea" : "Mud", day % 7,
                                 is_tea == (i < PROMPTS) ? "true" : "false");
    }
    project_case_import_rows(p, rows);
}

static void test_kto__learns_from_labels(void **state) {
    struct project_case *p = *state;
    import_labels(p);
    ALIGN(p, "kto", "a", "-s", "data.from=labels", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.err, " answers to learn from, by labels that weigh "));
    assert_non_null(strstr(p->r.err, "good answers weigh "));
    assert_near(run_files_first(p, "a/metrics.jsonl", "\"loss\":"), 0.5, 1e-6); /* sigma(0) */
    assert_true(run_files_last(p, "a/eval_metrics.jsonl", "\"eval_loss\":") <
                run_files_first(p, "a/eval_metrics.jsonl", "\"eval_loss\":"));
    assert_true(run_files_last(p, "a/eval_metrics.jsonl", "\"eval_rewards/margins\":") > 0.0);
    size_t bytes = 0;
    SCOPED(mem) char *metrics = run_files_read(p, "a/metrics.jsonl", &bytes);
    assert_null(strstr(metrics, "accuracies"));
    assert_null(strstr(p->r.err, "accuracy"));
    ALIGN(p, "dpo", "b", "-s", "data.from=labels", NULL);
    program_check_refused(&p->r, 2, "data.from=labels goes with method=kto");
}

/* Steps that are far too long take both sides down, which is told before any evaluation; what
 * simpo's answers started from is known of those for evaluation alone. */
static void test_align__warns_of_both_sides_falling(void **state) {
    struct project_case *p = *state;
    ALIGN(p, "dpo", "a", "-s", "optimiser.learning_rate=0.1", "-s", "eval_every=1000", NULL);
    program_check_ok(&p->r);
    const char *warning = strstr(p->r.err, "both became less likely over the last steps, by ");
    assert_non_null(warning);
    assert_null(strstr(warning + 1, "both became less likely")); /* once */
    ALIGN(p, "simpo", "b", "-s", "optimiser.learning_rate=0.1", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.err, "both became less likely in evaluation, by "));
}

/* Half of each tie, dropped, or of Davidson's model. */
static void test_ties__are_taken_as_asked(void **state) {
    struct project_case *p = *state;
    ALIGN(p, "dpo", "a", "-s", "direct.loss.ties=drop", "-s", "epochs=0.5", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.err, "comparisons left out: ties that are dropped"));
    ALIGN(p, "dpo", "b", "-s", "direct.loss.ties=keep", "-s", "direct.loss.likelihood=davidson",
          "-s", "epochs=0.5", NULL);
    program_check_ok(&p->r);
    /* at equal rewards a win has probability 1 / (2 + nu), so that the loss is above ln 2 */
    assert_true(run_files_first(p, "b/metrics.jsonl", "\"loss\":") > log(2.0));
}

/* ---- going on, packing, adapters, another reference ---- */

static void stop_run(struct project_case *p, const char *method, const char *output,
                     const char *when) {
    const char *const words[] = {"align",    p->db,
                                 "--method", method,
                                 "-c",       scratch_path(p->scratch, "base.json"),
                                 "-o",       scratch_path(p->scratch, output),
                                 NULL};
    p->r.out[0] = '\0';
    p->r.err[0] = '\0';
    struct program program = program_start(&(struct program_options){.out_path = NULL}, words);
    program_wait_for_err(&program, &p->r, when);
    assert_int_equal(kill(program.pid, SIGKILL), 0);
    program_wait(&program, &p->r);
}

/* kto, which has most to find again: the reference of answers, and of mismatched ones. */
static void test_align__killed_goes_on_with_the_same_bits(void **state) {
    struct project_case *p = *state;
    ALIGN(p, "kto", "a", "-q", NULL);
    program_check_ok(&p->r);
    stop_run(p, "kto", "killed", "step 7/");
    ALIGN(p, "kto", "killed", "--resume", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.err, "align: resumed after step "));
    run_files_check_same(p, "a/final/model.safetensors", "killed/final/model.safetensors");
}

static void test_align__micro_batches_change_nothing(void **state) {
    struct project_case *p = *state;
    ALIGN(p, "dpo", "a", "-q", "-s", "epochs=0.4", NULL);
    program_check_ok(&p->r);
    ALIGN(p, "dpo", "b", "-q", "-s", "epochs=0.4", "-s", "micro_batch_tokens=64", NULL);
    program_check_ok(&p->r);
    assert_near(run_files_last(p, "a/metrics.jsonl", "\"loss\":"),
                run_files_last(p, "b/metrics.jsonl", "\"loss\":"), 1e-5);
    assert_near(run_files_last(p, "a/metrics.jsonl", "\"grad_norm\":"),
                run_files_last(p, "b/metrics.jsonl", "\"grad_norm\":"), 1e-3);
}

/* The base without adapters is what both are measured against; given by name it is the same. */
static void test_align__adapters_and_a_reference_by_name(void **state) {
    struct project_case *p = *state;
    ALIGN(p, "dpo", "start", "-q", "-s", "epochs=0.4", NULL);
    program_check_ok(&p->r);
    write_config(p, scratch_path(p->scratch, "start/final"),
                 "\"epochs\": 0.4, \"train\": \"lora\", \"lora\": {\"rank\": 4}");
    ALIGN(p, "dpo", "a", "-q", NULL);
    program_check_ok(&p->r);
    char reference[400];
    (void)snprintf(reference, sizeof reference, "reference=%s",
                   scratch_path(p->scratch, "start/final"));
    ALIGN(p, "dpo", "c", "-q", "-s", reference, NULL);
    program_check_ok(&p->r);
    assert_near(run_files_first(p, "a/metrics.jsonl", "\"loss\":"), log(2.0), 1e-6);
    run_files_check_same(p, "a/final/adapter_model.safetensors",
                         "c/final/adapter_model.safetensors");
}

/* All weights are in the checkpoint, but what they are measured against is not. */
static void test_align__resume_refuses_another_reference(void **state) {
    struct project_case *p = *state;
    char reference[400];
    ALIGN(p, "simpo", "start", "-q", "-s", "epochs=0.1", NULL);
    program_check_ok(&p->r);
    (void)snprintf(reference, sizeof reference, "\"epochs\": 3, \"reference\": \"%s\"",
                   scratch_path(p->scratch, "start/final"));
    write_config(p, "preset:tiny", reference);
    stop_run(p, "dpo", "killed", "step 7/");
    FILE *f = fopen(scratch_path(p->scratch, "start/final/model.safetensors"), "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, -4, SEEK_END), 0); /* the lowest bits of the last value */
    const int byte = fgetc(f);
    assert_int_equal(fseek(f, -4, SEEK_END), 0);
    assert_int_equal(fputc(byte ^ 1, f), byte ^ 1);
    assert_int_equal(fclose(f), 0);
    ALIGN(p, "dpo", "killed", "--resume", NULL);
    program_check_refused(&p->r, 2, "model_sha256");
}

static void test_align__dry_run_writes_nothing(void **state) {
    struct project_case *p = *state;
    run_program(&p->r, "align", p->db, "--method", "kto", "-c",
                scratch_path(p->scratch, "base.json"), "--dry-run", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, " are of answers\n"));
    assert_non_null(strstr(p->r.err, "align: kto: "));
}

/* ---- refused ---- */

static void test_align__refuses_keys_that_do_not_go_together(void **state) {
    struct project_case *p = *state;
    static const struct {
        const char *method, *set, *message;
    } cases[] = {
        {"cdpo", "direct.beta=0.2", "method=cdpo needs direct.loss.label_smoothing, which is 0"},
        {"dpo", "direct.loss.label_smoothing=0.1", "goes with cdpo and robust-dpo"},
        {"dpo", "direct.beta=0", "direct.beta"},
        {"dpo", "direct.loss.label_smoothing=0.5", "label_smoothing"},
        {"dpo", "direct.loss.likelihood=davidson", "goes with loss.ties=keep"},
        {"dpo", "reward=length",
         "learns from the judgements of the log, not from rewards: leave --reward away"},
        {"simpo", "reference=somewhere", "method=simpo has no reference"},
        {"pm-dpo", "regulariser.kind=kl", "with kl it is dpo"},
        {"pm-dpo", "regulariser.beta_out=0.5", "make them equal"},
        {"pm-dpo", "regulariser.alpha=1", "regulariser.alpha"},
        {"dpoo", "direct.beta=1", "dpoo"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        ALIGN(p, cases[c].method, "a", "-s", cases[c].set, NULL);
        program_check_refused(&p->r, 2, cases[c].message);
    }
    ALIGN(p, "kto", "a", "-s", "direct.loss.likelihood=davidson", "-s", "direct.loss.ties=keep",
          NULL);
    program_check_refused(&p->r, 2, "method=kto has no probability for ties");
    ALIGN(p, "dpo", "a", "-s", "reference=/nowhere", NULL);
    program_check_refused(&p->r, 3, "reference: there is no '/nowhere'");
    assert_false(file_exists(scratch_path(p->scratch, "a")));
}

/* A project of its own with these rows, and what dpo says of it. */
static void check_project_refused(struct project_case *p, const char *name, const char *rows,
                                  const char *setting, const char *message) {
    char db[320], from[320];
    (void)snprintf(db, sizeof db, "%s", scratch_path(p->scratch, name));
    run_program(&p->r, "init", db, "-q", NULL);
    program_check_ok(&p->r);
    if (rows[0]) {
        scratch_write(p->scratch, "rows.jsonl", rows);
        (void)snprintf(from, sizeof from, "%s", scratch_path(p->scratch, "rows.jsonl"));
        run_program(&p->r, "import", db, from, "-q", NULL);
        program_check_ok(&p->r);
    }
    run_program(&p->r, "align", db, "--method", "dpo", "-c", scratch_path(p->scratch, "base.json"),
                "-o", scratch_path(p->scratch, "a"), "-s", setting, "-s", "data.folds=1", NULL);
    program_check_refused(&p->r, 3, message);
}

static void test_align__refuses_logs_without_judgements(void **state) {
    struct project_case *p = *state;
    const char *const tie = "{\"judgement\":\"comparison\",\"prompt\":\"And?\",\"responses\":"
                            "[{\"text\":\"Tea.\",\"rank\":1},{\"text\":\"Mud.\",\"rank\":1}]}\n";
    const char *const pair = "{\"prompt\":\"And?\",\"chosen\":\"Tea.\",\"rejected\":\"Mud.\"}\n";
    check_project_refused(p, "labels.db",
                          "{\"prompt\":\"And?\",\"completion\":\"Tea.\",\"label\":true}\n",
                          "direct.beta=0.1", "no comparisons, but 1 labels of single answers");
    check_project_refused(p, "empty.db", "", "direct.beta=0.1", "no comparisons");
    check_project_refused(p, "ties.db", tie, "direct.loss.ties=drop",
                          "nothing is left to learn from");
    check_project_refused(p, "test.db", pair, "data.test_folds=0", "nothing is left to learn from");
    assert_false(file_exists(scratch_path(p->scratch, "a")));
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, project_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_dpo__starts_at_the_reference_and_learns),
        CASE(test_pm_dpo__needs_no_reference),
        CASE(test_methods__all_learn),
        CASE(test_kto__learns_from_labels),
        CASE(test_align__warns_of_both_sides_falling),
        CASE(test_ties__are_taken_as_asked),
        CASE(test_align__killed_goes_on_with_the_same_bits),
        CASE(test_align__micro_batches_change_nothing),
        CASE(test_align__adapters_and_a_reference_by_name),
        CASE(test_align__resume_refuses_another_reference),
        CASE(test_align__dry_run_writes_nothing),
        CASE(test_align__refuses_keys_that_do_not_go_together),
        CASE(test_align__refuses_logs_without_judgements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
