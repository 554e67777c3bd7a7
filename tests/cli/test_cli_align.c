/* accord align and accord eval as their users meet them: a small model from nothing that likes tea
 * and mud alike, a reward that prefers tea, and what becomes of mud. */
#include "base/arena.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/near.h"
#include "tests/support/run_files.h"
#include "tests/support/test.h"

#include <signal.h>
#include <stdio.h>

#define PROMPTS            60
#define SAFETENSORS_HEADER 8 /* bytes before its text */

/* Half of the people have tea, half mud: the start. */
static void write_rows(struct project_case *p) {
    SCOPED(mem) char *rows = mem_alloc(1 * MIB);
    assert_non_null(rows);
    size_t used = 0;
    for (int i = 0; i < PROMPTS; i++) {
        for (int vote = 0; vote < 2; vote++) {
            used += (size_t)snprintf(rows + used, 1 * MIB - used,
                                     "{\"prompt\":\"What shall we drink on day %d?\","
                                     "\"completion\":\"%s\"}\n",
                                     i, vote == 0 ? "Tea." : "Mud.");
        }
    }
    project_case_import_rows(p, rows);
    scratch_write(p->scratch, "tea.txt", rows);
}

static void write_config(struct project_case *p, const char *name, const char *model,
                         const char *more) {
    char config[2048];
    const int length =
        snprintf(config, sizeof config,
                 "{\"run\": {\"dtype\": \"f32\", \"threads\": 1}, \"model\": \"%s\",\n"
                 " \"data\": {\"template\": \"human-assistant\", \"sequence_tokens_max\": 64},\n"
                 " \"log_every\": 1, \"save_dtype\": \"f32\", %s}\n",
                 model, more);
    assert_true(length < (int)sizeof config);
    scratch_write(p->scratch, name, config);
}

/* base.json: what aligns the start. */
static void write_start(struct project_case *p, const char *more) {
    char config[1024];
    (void)snprintf(config, sizeof config,
                   "\"eval_every\": 5, \"checkpoint_every\": 4, \"examples_per_step\": 4,"
                   "\"rollout\": {\"samples\": 8, \"new_tokens_max\": 8},"
                   "\"watch\": {\"prompts\": 4}, \"reward\": \"2*regex:^Tea\","
                   "\"optimiser\": {\"learning_rate\": 0.001}, %s",
                   more);
    write_config(p, "base.json", scratch_path(p->scratch, "sft/final"), config);
}

/* A start of 120 steps; what aligns it. Of all tests together: each has outputs of its own. */
static int setup(void **state) {
    if (project_case_setup(state) != 0) {
        return -1;
    }
    struct project_case *p = *state;
    write_rows(p);
    run_program(&p->r, "tokenizer", "train", scratch_path(p->scratch, "tea.txt"), "-o",
                scratch_path(p->scratch, "tok"), "--vocabulary", "300", "-q", NULL);
    program_check_ok(&p->r);
    write_config(p, "sft.json", "preset:tiny",
                 "\"examples_per_step\": 8, \"steps_max\": 120, \"eval_every\": 1000, "
                 "\"checkpoint_every\": 1000,"
                 "\"optimiser\": {\"learning_rate\": 0.003}");
    run_program(&p->r, "sft", "-c", scratch_path(p->scratch, "sft.json"), "--tokenizer",
                scratch_path(p->scratch, "tok"), "-d", p->db, "-o", scratch_path(p->scratch, "sft"),
                "-q", NULL);
    program_check_ok(&p->r);
    write_start(p, "\"steps_max\": 10");
    return p->r.status;
}

/* accord align <db> -c base.json -o <scratch>/<output> <more>... */
#define ALIGN(p, output, ...)                                                                   \
    run_program(&(p)->r, "align", (p)->db, "-c", scratch_path((p)->scratch, "base.json"), "-o", \
                scratch_path((p)->scratch, (output)), __VA_ARGS__)

/* Tea has 2 nats more. Preference matching makes that its odds, e^2, so tea is said in 88 % and the
 * reward is 2 * 0.881 = 1.76; KL at beta 0.1 multiplies the start's odds with e^20, so nothing but
 * tea is left, 2.0. Of 480 answers to 60 prompts the mean has a standard error of 0.03. */
static void test_align__mud_survives_preference_matching_and_not_kl(void **state) {
    struct project_case *p = *state;
    ALIGN(p, "pm", "-q", "-s", "steps_max=50", "-s", "optimiser.learning_rate=0.0003", NULL);
    program_check_ok(&p->r);
    ALIGN(p, "kl", "-q", "-s", "steps_max=40", "-s", "regulariser.kind=kl", "-s",
          "regulariser.beta_in=0.1", NULL);
    program_check_ok(&p->r);
    run_program(&p->r, "eval", p->db, "-r", "2*regex:^Tea", "-m",
                scratch_path(p->scratch, "sft/final"), "-m", scratch_path(p->scratch, "pm/final"),
                "-m", scratch_path(p->scratch, "kl/final"), "-s", "data.template=human-assistant",
                "-s", "run.dtype=f32", "--split", "train", "--prompts", "0", "-n", "8", "--json",
                NULL);
    program_check_ok(&p->r);
    const char *pm = strstr(p->r.out, "pm/final");
    const char *kl = strstr(p->r.out, "kl/final");
    assert_non_null(pm);
    assert_non_null(kl);
    assert_near(run_files_number(pm, "\"mean\": "), 1.762, 0.12);
    assert_near(run_files_number(kl, "\"mean\": "), 2.0, 0.04);
}

static void stop_run(struct project_case *p, const char *output, const char *when, int signal) {
    const char *const words[] = {"align", p->db,
                                 "-c",    scratch_path(p->scratch, "base.json"),
                                 "-o",    scratch_path(p->scratch, output),
                                 NULL};
    p->r.out[0] = '\0';
    p->r.err[0] = '\0';
    struct program program = program_start(&(struct program_options){.out_path = NULL}, words);
    program_wait_for_err(&program, &p->r, when);
    assert_int_equal(kill(program.pid, signal), 0);
    program_wait(&program, &p->r);
}

static void test_align__killed_goes_on_with_the_same_bits(void **state) {
    struct project_case *p = *state;
    ALIGN(p, "k-a", "-q", NULL);
    program_check_ok(&p->r);
    stop_run(p, "k-killed", "step 7/", SIGKILL);
    ALIGN(p, "k-killed", "--resume", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.err, "align: resumed after step 4"));
    run_files_check_same(p, "k-a/final/model.safetensors", "k-killed/final/model.safetensors");
    run_files_check_same(p, "k-a/checkpoint-10/state.json", "k-killed/checkpoint-10/state.json");
    stop_run(p, "k-interrupted", "step 2/", SIGINT);
    program_check_refused(&p->r, 130, "go on with --resume");
    ALIGN(p, "k-interrupted", "--resume", NULL);
    program_check_ok(&p->r);
    run_files_check_same(p, "k-a/final/model.safetensors", "k-interrupted/final/model.safetensors");
}

static void test_align__several_updates_of_a_round_are_taken_up_between_rounds(void **state) {
    struct project_case *p = *state;
    write_start(p, "\"policy\": {\"updates\": 3}, \"checkpoints_kept\": 9, \"steps_max\": 12");
    ALIGN(p, "u-a", NULL);
    program_check_ok(&p->r);
    assert_true(file_exists(scratch_path(p->scratch, "u-a/checkpoint-6/state.json")));
    assert_false(file_exists(scratch_path(p->scratch, "u-a/checkpoint-4/state.json")));
    assert_near(run_files_first(p, "u-a/metrics.jsonl", "\"ratio_deviation_max\":"), 0.0, 0.0);
    assert_true(run_files_last(p, "u-a/metrics.jsonl", "\"ratio_deviation_max\":") > 0.0);
    stop_run(p, "u-killed", "step 9/", SIGKILL);
    ALIGN(p, "u-killed", "--resume", "-q", NULL);
    program_check_ok(&p->r);
    run_files_check_same(p, "u-a/final/model.safetensors", "u-killed/final/model.safetensors");
    write_start(p, "\"steps_max\": 10");
}

/* It starts at a reward of 1 and comes to 1.76 (above). The critic is no part of the model that is
 * saved, and is one of the checkpoint. */
static void test_ppo__has_a_critic_that_learns(void **state) {
    struct project_case *p = *state;
    write_start(p, "\"policy\": {\"updates\": 2}, \"method\": \"ppo\", \"steps_max\": 20");
    ALIGN(p, "c-a", NULL);
    program_check_ok(&p->r);
    assert_near(run_files_first(p, "c-a/metrics.jsonl", "\"ratio_deviation_max\":"), 0.0, 0.0);
    assert_true(run_files_last_mean(p, "c-a/metrics.jsonl", "\"loss/value_avg\":", 8) <
                0.5 * run_files_first(p, "c-a/metrics.jsonl", "\"loss/value_avg\":"));
    assert_true(run_files_last_mean(p, "c-a/metrics.jsonl", "\"reward\":", 8) > 1.4);
    size_t bytes = 0;
    SCOPED(mem)
    char *checkpoint = run_files_read(p, "c-a/checkpoint-20/params.safetensors", &bytes);
    assert_non_null(strstr(checkpoint + SAFETENSORS_HEADER, "value.weight"));
    SCOPED(mem) char *model = run_files_read(p, "c-a/final/model.safetensors", &bytes);
    assert_null(strstr(model + SAFETENSORS_HEADER, "value.weight"));
    stop_run(p, "c-killed", "step 11/", SIGKILL);
    ALIGN(p, "c-killed", "--resume", "-q", NULL);
    program_check_ok(&p->r);
    run_files_check_same(p, "c-a/final/model.safetensors", "c-killed/final/model.safetensors");
    ALIGN(p, "c-exact", "-q", "-s", "steps_max=2", "-s", "regulariser.estimator=exact_token", "-s",
          "train=lora", NULL);
    program_check_ok(&p->r);
    write_start(p, "\"steps_max\": 10");
}

static void check_same_numbers(struct project_case *p, const char *method) {
    char set[64];
    char whole[32];
    char parts[32];
    char metrics[2][48];
    (void)snprintf(set, sizeof set, "method=%s", method);
    (void)snprintf(whole, sizeof whole, "whole-%s", method);
    (void)snprintf(parts, sizeof parts, "parts-%s", method);
    (void)snprintf(metrics[0], sizeof metrics[0], "%s/metrics.jsonl", whole);
    (void)snprintf(metrics[1], sizeof metrics[1], "%s/metrics.jsonl", parts);
    ALIGN(p, whole, "-q", "-s", "steps_max=1", "-s", set, NULL);
    program_check_ok(&p->r);
    ALIGN(p, parts, "-q", "-s", "steps_max=1", "-s", set, "-s", "micro_batch_tokens=64", NULL);
    program_check_ok(&p->r);
    const double norm = run_files_last(p, metrics[0], "\"grad_norm\":");
    assert_near(run_files_last(p, metrics[1], "\"grad_norm\":"), norm, 1e-4 * norm);
}

static void test_align__micro_batches_change_nothing(void **state) {
    struct project_case *p = *state;
    static const char *const methods[] = {"rloo", "grpo", "dr-grpo", "reinforce", "ppo", "logvar"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        check_same_numbers(p, methods[i]);
    }
}

/* Decoder and forward pass agree on what was drawn: in f32 to rounding. */
static void test_align__what_is_drawn_is_what_is_scored(void **state) {
    struct project_case *p = *state;
    ALIGN(p, "d-a", "-q", "-s", "steps_max=1", NULL);
    program_check_ok(&p->r);
    assert_true(run_files_last(p, "d-a/metrics.jsonl",
                               "\"sampling/sampling_logp_difference/max\":") < 1e-4);
    ALIGN(p, "d-b", "-q", "-s", "steps_max=2", "-s", "regulariser.kind=pm", "-s",
          "regulariser.estimator=exact_token", NULL);
    program_check_ok(&p->r);
    ALIGN(p, "d-c", "-q", "-s", "steps_max=2", "-s", "regulariser.estimator=exact_token", NULL);
    program_check_ok(&p->r);
    const double kl_sqrt = run_files_last(p, "d-c/metrics.jsonl", "\"kl_sqrt\":");
    assert_true(kl_sqrt > 0.0);
    assert_near(kl_sqrt * kl_sqrt, run_files_last(p, "d-c/metrics.jsonl", "\"kl\":"), 1e-9);
    ALIGN(p, "d-e", "-q", "-s", "steps_max=2", "-s", "regulariser.estimator=exact_token", "-s",
          "regulariser.kind=kl", "-s", "train=lora", NULL);
    program_check_ok(&p->r);
    /* New adapters change nothing, so the distance from the base below them is 0. */
    assert_near(run_files_first(p, "d-e/metrics.jsonl", "\"objective\":"),
                run_files_first(p, "d-e/metrics.jsonl", "\"reward\":"), 1e-4);
}

static void test_align__adapters_are_drawn_from_too(void **state) {
    struct project_case *p = *state;
    ALIGN(p, "l-a", "-q", "-s", "train=lora", "-s", "lora.rank=4", "-s",
          "optimiser.learning_rate=0.02", "-s", "steps_max=6", NULL);
    program_check_ok(&p->r);
    assert_true(run_files_last(p, "l-a/metrics.jsonl",
                               "\"sampling/sampling_logp_difference/max\":") < 1e-4);
    assert_true(file_exists(scratch_path(p->scratch, "l-a/final/adapter_config.json")));
    run_program(&p->r, "eval", p->db, "-r", "length", "-m", scratch_path(p->scratch, "l-a/final"),
                "-s", "data.template=human-assistant", "--split", "validation", "-n", "8", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, "PM divergence, own answers"));
    assert_null(strstr(p->r.out, "all answers"));
}

/* A reward model of one step, in <scratch>/<output>/final, of comparisons in a project beside ours.
 */
static void fit_reward(struct project_case *p, const char *output, const char *seed) {
    run_program(&p->r, "reward", "fit", scratch_path(p->scratch, "judged.db"), "--trunk",
                scratch_path(p->scratch, "sft/final"), "-o", scratch_path(p->scratch, output), "-s",
                "data.template=human-assistant", "-s", "run.dtype=f32", "-s", "steps_max=1", "-s",
                "run.threads=1", "--seed", seed, "-q", NULL);
    program_check_ok(&p->r);
}

static void move(struct project_case *p, const char *from, const char *to) {
    struct error err = ERROR_INIT;
    assert_ok(file_rename(scratch_path(p->scratch, from), scratch_path(p->scratch, to), &err),
              &err);
}

/* The same spec, other weights: another objective half way. The run is made unfinished again by
 * taking its model away. */
static void test_align__resume_refuses_another_reward(void **state) {
    struct project_case *p = *state;
    char rows[8192];
    char spec[400];
    int used = 0;
    for (int i = 0; i < 40; i++) {
        used += snprintf(rows + used, sizeof rows - (size_t)used,
                         "{\"prompt\":\"What shall we drink on day %d?\",\"chosen\":\"Tea.\","
                         "\"rejected\":\"Mud.\"}\n",
                         i);
    }
    scratch_write(p->scratch, "judged.jsonl", rows);
    run_program(&p->r, "init", scratch_path(p->scratch, "judged.db"), NULL);
    run_program(&p->r, "import", scratch_path(p->scratch, "judged.db"),
                scratch_path(p->scratch, "judged.jsonl"), "-q", NULL);
    program_check_ok(&p->r);
    fit_reward(p, "rm", "1");
    fit_reward(p, "other", "2");
    (void)snprintf(spec, sizeof spec, "mean(length,lm:%s)", scratch_path(p->scratch, "rm/final"));
    ALIGN(p, "w-a", "-s", "steps_max=2", "-r", spec, "-q", NULL);
    program_check_ok(&p->r);
    struct error err = ERROR_INIT;
    assert_ok(folder_remove_tree(scratch_path(p->scratch, "w-a/final"), &err), &err);
    ALIGN(p, "w-a", "-s", "steps_max=2", "-r", spec, "--resume", "-q", NULL);
    program_check_ok(&p->r);
    assert_ok(folder_remove_tree(scratch_path(p->scratch, "w-a/final"), &err), &err);
    assert_ok(folder_remove_tree(scratch_path(p->scratch, "rm"), &err), &err);
    move(p, "other", "rm");
    ALIGN(p, "w-a", "-s", "steps_max=2", "-r", spec, "--resume", "-q", NULL);
    program_check_refused(&p->r, 2, "model_sha256");
}

static void test_align__resume_refuses_another_reference(void **state) {
    struct project_case *p = *state;
    struct error err = ERROR_INIT;
    char reference[400];
    (void)snprintf(reference, sizeof reference, "reference=%s", scratch_path(p->scratch, "ref"));
    ALIGN(p, "ref-1", "-s", "steps_max=1", "-q", NULL);
    program_check_ok(&p->r);
    ALIGN(p, "ref-2", "-s", "steps_max=2", "-q", NULL);
    program_check_ok(&p->r);
    move(p, "ref-1/final", "ref");
    ALIGN(p, "ref-a", "-s", "steps_max=2", "-s", reference, "-q", NULL);
    program_check_ok(&p->r);
    assert_ok(folder_remove_tree(scratch_path(p->scratch, "ref-a/final"), &err), &err);
    move(p, "ref", "ref-1/final");
    move(p, "ref-2/final", "ref");
    ALIGN(p, "ref-a", "-s", "steps_max=2", "-s", reference, "-q", "--resume", NULL);
    program_check_refused(&p->r, 2, "model_sha256");
}

/* What was kept from training by these settings is what is to be asked next: without them eval
 * would take the splits of the log. */
static void test_align__says_how_to_evaluate_what_it_left_out(void **state) {
    struct project_case *p = *state;
    ALIGN(p, "n-a", "-s", "steps_max=1", "-s", "data.folds=6", "-s", "data.group=day \\d+", "-s",
          "data.validation_folds=1", "-s", "data.test_folds=0,5", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.err, " --reward '2*regex:^Tea' --set data.template=human-assistant "
                                     "--set data.sequence_tokens_max=64 --set data.folds=6 "
                                     "--set 'data.group=day \\d+' --set data.validation_folds=1 "
                                     "--set data.test_folds=0,5 -m "));
}

/* A program that takes its time is where Ctrl-C nearly always comes. The 40th question is of the
 * first step, behind the 32 of the evaluation before it. */
static void test_align__interrupted_in_a_reward_finishes_the_step(void **state) {
    static const char reward[] = "command:n=0; while read -r x; do n=$((n+1)); "
                                 "[ $n != 40 ] || { kill -INT $PPID; sleep 0.3; }; echo $n; done";
    struct project_case *p = *state;
    ALIGN(p, "i-a", "-s", "steps_max=3", "-r", reward, NULL);
    assert_int_equal(p->r.status, 130);
    assert_non_null(strstr(p->r.err, "stopped after step 1 of 3; go on with --resume"));
    assert_true(file_exists(scratch_path(p->scratch, "i-a/checkpoint-1/state.json")));
}

static void test_align__plans_and_writes_nothing(void **state) {
    struct project_case *p = *state;
    ALIGN(p, "p-a", "--dry-run", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, "are answers, at most"));
    assert_false(file_exists(scratch_path(p->scratch, "p-a")));
}

static void test_align__refuses_and_makes_nothing(void **state) {
    struct project_case *p = *state;
    ALIGN(p, "r-a", "-s", "reward=", NULL);
    program_check_refused(&p->r, 2, "what are answers rewarded for? give --reward");
    ALIGN(p, "r-a", "-s", "examples_per_step=1000000", "--dry-run", NULL);
    program_check_refused(&p->r, 2, "there are 46 prompts to learn from");
    ALIGN(p, "r-a", "-s", "rollout.samples=1", NULL);
    program_check_refused(&p->r, 2, "1 of each is too few, take 2 or more");
    ALIGN(p, "r-a", "-s", "regulariser.alpha=1", NULL);
    program_check_refused(&p->r, 2, "alpha");
    ALIGN(p, "r-a", "-s", "rollout.new_tokens_max=64", NULL);
    program_check_refused(&p->r, 2, "there is no room for a prompt");
    ALIGN(p, "r-a", "-s", "data.topic=none", NULL);
    program_check_refused(&p->r, 3, "no prompts to learn from");
    ALIGN(p, "r-a", "-r", "fit:none", NULL);
    program_check_refused(&p->r, 2, "there is no fit in this file yet");
    assert_false(file_exists(scratch_path(p->scratch, "r-a")));
    ALIGN(p, "r-a", "-r", "command:false", NULL);
    assert_int_not_equal(p->r.status, 0);
    ALIGN(p, "r-b", "-r", "command:yes no", NULL);
    assert_int_not_equal(p->r.status, 0);
}

static void test_eval__needs_policies_and_a_reward(void **state) {
    struct project_case *p = *state;
    run_program(&p->r, "eval", p->db, "-r", "length", NULL);
    program_check_refused(&p->r, 2, "which policies?");
    run_program(&p->r, "eval", p->db, "-m", scratch_path(p->scratch, "sft/final"), "-s",
                "data.template=human-assistant", NULL);
    program_check_refused(&p->r, 2, "what are answers rewarded for?");
}

int main(void) {
#define CASE(f) cmocka_unit_test(f)
    const struct CMUnitTest tests[] = {
        CASE(test_align__mud_survives_preference_matching_and_not_kl),
        CASE(test_align__killed_goes_on_with_the_same_bits),
        CASE(test_align__several_updates_of_a_round_are_taken_up_between_rounds),
        CASE(test_ppo__has_a_critic_that_learns),
        CASE(test_align__micro_batches_change_nothing),
        CASE(test_align__what_is_drawn_is_what_is_scored),
        CASE(test_align__adapters_are_drawn_from_too),
        CASE(test_align__resume_refuses_another_reward),
        CASE(test_align__resume_refuses_another_reference),
        CASE(test_align__says_how_to_evaluate_what_it_left_out),
        CASE(test_align__interrupted_in_a_reward_finishes_the_step),
        CASE(test_align__plans_and_writes_nothing),
        CASE(test_align__refuses_and_makes_nothing),
        CASE(test_eval__needs_policies_and_a_reward),
    };
    return cmocka_run_group_tests(tests, setup, project_case_teardown);
}
