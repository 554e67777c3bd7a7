/* accord sft, as its users meet it: a tokenizer and a model from nothing, killed, interrupted,
 * resumed, adapted, asked. */
#include "base/file.h"
#include "base/folder.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/scoped.h"
#include "tests/support/near.h"
#include "tests/support/run_files.h"
#include "tests/support/test.h"

#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>

#define STEPS       15 /* ceil(57 of 64 windows / 4), one epoch; 7 are kept for evaluation */
#define INTERRUPTED 130

/* In a scratch folder: tok/, tea.txt and base.json, which says all but the output. */
static void write_text(struct project_case *p) {
    FILE *f = fopen(scratch_path(p->scratch, "tea.txt"), "wb");
    assert_non_null(f);
    for (int i = 1; i <= 60; i++) {
        (void)fprintf(f,
                      "Tea number %d is drunk at %d o'clock by the people of the town, and coffee "
                      "is not.\n",
                      i, i % 12);
    }
    assert_int_equal(fclose(f), 0);
}

static void write_config(struct project_case *p) {
    char config[2048];
    const int length = snprintf(
        config, sizeof config,
        "{\"run\": {\"dtype\": \"f32\", \"threads\": 1}, \"model\": \"preset:tiny\",\n"
        " \"tokenizer\": \"%s\",\n \"data\": {\"files\": [\"%s\"], \"sequence_tokens_max\": 32},\n"
        " \"epochs\": 1, \"examples_per_step\": 4, \"log_every\": 1, \"eval_every\": 5,\n"
        " \"checkpoint_every\": 4, \"save_dtype\": \"f32\",\n"
        " \"optimiser\": {\"learning_rate\": 0.003}}\n",
        scratch_path(p->scratch, "tok"), scratch_path(p->scratch, "tea.txt"));
    assert_true(length < (int)sizeof config);
    scratch_write(p->scratch, "base.json", config);
}

static int setup(void **state) {
    if (project_case_setup(state) != 0) {
        return -1;
    }
    struct project_case *p = *state;
    write_text(p);
    write_config(p);
    run_program(&p->r, "tokenizer", "train", scratch_path(p->scratch, "tea.txt"), "-o",
                scratch_path(p->scratch, "tok"), "--vocabulary", "300", "-q", NULL);
    return p->r.status;
}

enum { WORDS_MAX = PROGRAM_WORDS_MAX };

/* accord sft -c base.json -o <scratch>/<output> <more>... */
static void sft_words(struct project_case *p, const char *output, const char *const *more,
                      const char *out[WORDS_MAX + 1]) {
    const char *const first[] = {"sft", "-c", scratch_path(p->scratch, "base.json"), "-o",
                                 scratch_path(p->scratch, output)};
    int64_t count = 0;
    for (; count < 5; count++) {
        out[count] = first[count];
    }
    for (; *more; more++) {
        assert_true(count < WORDS_MAX);
        out[count] = *more;
        count++;
    }
    out[count] = NULL;
}

static void sft_with(struct project_case *p, const char *output, const char *const *more) {
    const char *words[WORDS_MAX + 1];
    sft_words(p, output, more, words);
    run_program_with(&p->r, &(struct program_options){.out_path = NULL}, words);
}

#define SFT(p, output, ...) sft_with((p), (output), (const char *const[]){__VA_ARGS__, NULL})

#define TRAIN(p, output, ...)            \
    do {                                 \
        SFT((p), (output), __VA_ARGS__); \
        program_check_ok(&(p)->r);       \
    } while (0)

/* ---- what a run left ---- */

static void name_in(const char *output, const char *name, char out[64]) {
    assert_true(snprintf(out, 64, "%s/%s", output, name) < 64);
}

/* Takes a member that the clock decides out of every row, in place. */
static void cut_member(char *rows, const char *key) {
    char *from = NULL;
    while ((from = strstr(rows, key)) != NULL) {
        const size_t length = strcspn(from, ",}\n");
        memmove(from, from + length, strlen(from + length) + 1);
    }
}

static char *read_rows(struct project_case *p, const char *name) {
    size_t bytes = 0;
    char *rows = run_files_read(p, name, &bytes);
    cut_member(rows, "\"time\":");
    cut_member(rows, "\"tokens_per_second\":");
    return rows;
}

static void check_same_rows(struct project_case *p, const char *output, const char *name) {
    char a[64];
    char b[64];
    name_in("a", name, a);
    name_in(output, name, b);
    SCOPED(mem) char *a_rows = read_rows(p, a);
    SCOPED(mem) char *b_rows = read_rows(p, b);
    assert_string_equal(a_rows, b_rows);
}

/* The run is run a, bit for bit. */
static void check_same_run(struct project_case *p, const char *output) {
    char name[64];
    name_in(output, "final/model.safetensors", name);
    run_files_check_same(p, "a/final/model.safetensors", name);
    check_same_rows(p, output, "metrics.jsonl");
    check_same_rows(p, output, "eval_metrics.jsonl");
}

/* The values of one metric, whose name is given as `"loss":`. */
static int64_t read_metric(struct project_case *p, const char *name, const char *key,
                           double out[STEPS]) {
    SCOPED(mem) char *rows = read_rows(p, name);
    int64_t count = 0;
    for (const char *at = rows; (at = strstr(at, key)) != NULL; count++) {
        at += strlen(key);
        assert_true(count < STEPS);
        char value[32] = "";
        const size_t length = strcspn(at, ",}");
        assert_true(length < sizeof value);
        memcpy(value, at, length);
        assert_true(number_parse_f64(value, &out[count]));
    }
    return count;
}

/* ---- going on ---- */

static void test_sft__learns_and_answers(void **state) {
    struct project_case *p = *state;
    double losses[STEPS];
    TRAIN(p, "a", "-q");
    assert_int_equal(read_metric(p, "a/metrics.jsonl", "\"loss\":", losses), STEPS);
    assert_near(losses[0], log(300.0), 0.1); /* of a model that knows nothing: one of 300 tokens */
    assert_true(losses[STEPS - 1] < 0.6 * losses[0]);
    double accuracy[STEPS];
    assert_int_equal(read_metric(p, "a/metrics.jsonl", "\"mean_token_accuracy\":", accuracy),
                     STEPS);
    assert_true(accuracy[0] < 0.1 && accuracy[STEPS - 1] > 0.2 && accuracy[STEPS - 1] <= 1.0);
    assert_string_equal(scratch_list(p->scratch), "a/ base.json tea.txt tok/");
    run_program(&p->r, "generate", scratch_path(p->scratch, "a/final"), "Tea", "--template", "none",
                "-n", "5", "--json", NULL);
    SCOPED(json) struct json *doc = program_json(&p->r);
    const struct json_node *answer = json_at(doc, json_root(doc), 0);
    assert_true(program_number(doc, answer, "tokens") == 5.0);
    SFT(p, "a", "--resume"); /* there is nothing left to do */
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.err, "sft: the run is finished: '"));
}

/* Starts a run and sends a signal when standard error says so. */
static void stop_run_of(struct project_case *p, const char *output, const char *const *more,
                        const char *when, int signal_number) {
    const char *words[WORDS_MAX + 1];
    sft_words(p, output, more, words);
    p->r.out[0] = '\0';
    p->r.err[0] = '\0';
    struct program program = program_start(&(struct program_options){.out_path = NULL}, words);
    program_wait_for_err(&program, &p->r, when);
    assert_int_equal(kill(program.pid, signal_number), 0);
    program_wait(&program, &p->r);
}

static void stop_run(struct project_case *p, const char *output, const char *when,
                     int signal_number) {
    stop_run_of(p, output, (const char *const[]){NULL}, when, signal_number);
}

/* As a kill leaves it that came while the model was saved. */
static void leave_half_a_model(struct project_case *p) {
    struct error err = ERROR_INIT;
    assert_ok(file_make_folders(scratch_path(p->scratch, "killed/final.tmp"), &err), &err);
    scratch_write(p->scratch, "killed/final.tmp/model.safetensors", "half");
}

static int64_t count_lines(const char *text) {
    int64_t lines = 0;
    for (; *text; text++) {
        lines += *text == '\n';
    }
    return lines;
}

/* What each of its two processes was told to do, where, and what it said. */
static void check_records(struct project_case *p, const char *output) {
    char name[64];
    size_t bytes = 0;
    name_in(output, "command.txt", name);
    SCOPED(mem) char *commands = run_files_read(p, name, &bytes);
    assert_int_equal(count_lines(commands), 2);
    assert_int_equal(strncmp(commands, "accord sft --config ", strlen("accord sft --config ")), 0);
    assert_non_null(strstr(commands, " --resume\n"));
    name_in(output, "environments.jsonl", name);
    SCOPED(mem) char *environments = run_files_read(p, name, &bytes);
    assert_int_equal(count_lines(environments), 2);
    assert_non_null(strstr(environments, "\"libtorch\":\"2.11.0"));
    name_in(output, "log.txt", name);
    SCOPED(mem) char *log = run_files_read(p, name, &bytes);
    assert_non_null(strstr(log, " info sft: resumed after step "));
    assert_non_null(strstr(log, "/final', read back and compared\n"));
}

static void test_sft__stopped_goes_on_with_the_same_bits(void **state) {
    struct project_case *p = *state;
    TRAIN(p, "a", "-q");
    stop_run(p, "killed", "step 5/", SIGKILL); /* behind a checkpoint and an evaluation */
    assert_int_equal(p->r.status, 128 + SIGKILL);
    leave_half_a_model(p);
    TRAIN(p, "killed", "--resume");
    assert_non_null(strstr(p->r.err, "sft: resumed after step "));
    assert_false(file_exists(scratch_path(p->scratch, "killed/final.tmp")));
    check_same_run(p, "killed");
    check_records(p, "killed");
    stop_run(p, "early", "step 1/", SIGKILL); /* before any checkpoint */
    assert_int_equal(p->r.status, 128 + SIGKILL);
    TRAIN(p, "early", "--resume", "-q");
    check_same_run(p, "early");
    stop_run(p, "interrupted", "step 2/", SIGINT); /* saves at once */
    program_check_refused(&p->r, INTERRUPTED, "go on with --resume");
    assert_non_null(strstr(p->r.err, "stopping after this step; again to stop at once\n"));
    TRAIN(p, "interrupted", "--resume");
    assert_non_null(strstr(p->r.err, "sft: resumed after step "));
    check_same_run(p, "interrupted");
}

/* Its checkpoints hold one second moment for each block, and are no one else's. */
static void test_sft__adam_mini_is_resumed_with_the_same_bits(void **state) {
    struct project_case *p = *state;
    TRAIN(p, "a", "-q", "-s", "optimiser.kind=adam-mini");
    stop_run_of(p, "killed", (const char *const[]){"-s", "optimiser.kind=adam-mini", NULL},
                "step 5/", SIGKILL);
    assert_int_equal(p->r.status, 128 + SIGKILL);
    SFT(p, "killed", "--resume");
    program_check_refused(&p->r, 2, "another configuration");
    TRAIN(p, "killed", "--resume", "-q", "-s", "optimiser.kind=adam-mini");
    check_same_run(p, "killed");
}

static void test_sft__resume_refuses_another_run(void **state) {
    struct project_case *p = *state;
    stop_run(p, "b", "step 5/", SIGINT);
    assert_int_equal(p->r.status, INTERRUPTED);
    SFT(p, "b", "-q");
    program_check_refused(&p->r, 2, "' holds a run: go on with it by --resume");
    SFT(p, "b", "--resume", "-s", "epochs=2");
    program_check_refused(&p->r, 2, "another configuration, there \"epochs\": 1: resume it with");
    struct error err = ERROR_INIT;
    assert_ok(file_make_folders(scratch_path(p->scratch, "b/final"), &err), &err);
    scratch_write(p->scratch, "b/final/notes.txt", "no model");
    SFT(p, "b", "--resume");
    program_check_refused(&p->r, 2, "final' is there and not empty");
    assert_ok(folder_remove(scratch_path(p->scratch, "b/final"), &err), &err);
    SFT(p, "c", "--resume");
    program_check_refused(&p->r, 2, "' holds no run to resume");
    assert_false(file_exists(scratch_path(p->scratch, "c")));
    scratch_write(p->scratch, "tea.txt",
                  "Tea is drunk, and coffee is not. Coffee is not drunk.\n"
                  "Tea is drunk, and coffee is not. Coffee is not drunk.\n");
    SFT(p, "b", "--resume");
    program_check_refused(&p->r, 2, "data_sha256");
}

/* Its file is as long as before; the adapters were fitted to other weights. */
static void test_sft__resume_refuses_another_base(void **state) {
    struct project_case *p = *state;
    char set[PATH_MAX];
    TRAIN(p, "a", "-q");
    (void)snprintf(set, sizeof set, "model=%s", scratch_path(p->scratch, "a/final"));
    const char *const lora[] = {"-s", set, "-s", "train=lora", "-s", "lora.rank=4", NULL};
    stop_run_of(p, "b", lora, "step 5/", SIGINT);
    assert_int_equal(p->r.status, INTERRUPTED);
    FILE *f = fopen(scratch_path(p->scratch, "a/final/model.safetensors"), "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, -4, SEEK_END), 0); /* the lowest bits of the last value */
    const int byte = fgetc(f);
    assert_int_equal(fseek(f, -4, SEEK_END), 0);
    assert_int_equal(fputc(byte ^ 1, f), byte ^ 1);
    assert_int_equal(fclose(f), 0);
    SFT(p, "b", "--resume", "-s", set, "-s", "train=lora", "-s", "lora.rank=4");
    program_check_refused(&p->r, 2, "model_sha256");
}

/* ---- what is computed ---- */

/* The mean over a step's targets, however the step is cut: sums of f32 in another order. */
static void test_sft__micro_batches_change_nothing(void **state) {
    struct project_case *p = *state;
    double small[STEPS];
    double large[STEPS];
    TRAIN(p, "a", "-q", "-s", "micro_batch_tokens=64");
    TRAIN(p, "b", "-q", "-s", "micro_batch_tokens=4096");
    assert_int_equal(read_metric(p, "a/metrics.jsonl", "\"loss\":", small), STEPS);
    assert_int_equal(read_metric(p, "b/metrics.jsonl", "\"loss\":", large), STEPS);
    for (int64_t i = 0; i < STEPS; i++) {
        assert_near(small[i], large[i], 1e-4);
    }
}

static double answer_logp(struct project_case *p, const char *adapter) {
    const char *model = scratch_path(p->scratch, "a/final");
    const char *const plain[] = {
        "generate", model, "Tea", "--template",    "none",   "-n",
        "8",        "-q",  "-s",  "run.dtype=f32", "--json", adapter ? "--adapter" : NULL,
        adapter,    NULL};
    run_program_with(&p->r, &(struct program_options){.out_path = NULL}, plain);
    SCOPED(json) struct json *doc = program_json(&p->r);
    return program_number(doc, json_at(doc, json_root(doc), 0), "model_logp_nats");
}

static void test_sft__lora_writes_an_adapter_that_changes_answers(void **state) {
    struct project_case *p = *state;
    double losses[STEPS];
    TRAIN(p, "a", "-q");
    TRAIN(p, "b", "-q", "-m", scratch_path(p->scratch, "a/final"), "-s", "tokenizer=", "-s",
          "train=lora", "-s", "lora.rank=4");
    assert_int_equal(read_metric(p, "b/metrics.jsonl", "\"loss\":", losses), STEPS);
    assert_true(losses[STEPS - 1] < losses[0]);
    assert_true(file_exists(scratch_path(p->scratch, "b/final/adapter_model.safetensors")));
    assert_false(file_exists(scratch_path(p->scratch, "b/final/model.safetensors")));
    size_t bytes = 0;
    SCOPED(mem) char *config = run_files_read(p, "b/final/adapter_config.json", &bytes);
    assert_non_null(strstr(config, "\"peft_type\": \"LORA\""));
    assert_non_null(strstr(config, "\"r\": 4,"));
    const double without = answer_logp(p, NULL);
    const double with = answer_logp(p, scratch_path(p->scratch, "b/final"));
    assert_true(fabs(with - without) > 1e-3);
}

static void test_sft__dry_run_plans_and_writes_nothing(void **state) {
    struct project_case *p = *state;
    SFT(p, "a", "--dry-run", "--json");
    SCOPED(json) struct json *plan = program_json(&p->r);
    const struct json_node *root = json_root(plan);
    assert_true(program_number(plan, root, "steps") == (double)STEPS);
    assert_true(program_number(plan, root, "parameters") ==
                program_number(plan, root, "parameters_trained"));
    assert_true(program_number(plan, root, "target_tokens_per_epoch") <
                program_number(plan, root, "tokens_per_epoch"));
    const double training_rate = program_number(plan, root, "tokens_per_second");
    const double seconds = program_number(plan, root, "seconds");
    const double evaluation = program_number(plan, root, "evaluation_seconds");
    assert_true(program_number(plan, root, "evaluations") == 3.0); /* after steps 5, 10 and 15 */
    assert_true(training_rate > 0.0 && evaluation > 0.0);
    const double steps_seconds = program_number(plan, root, "tokens_per_epoch") * 4.0 * STEPS /
                                 program_number(plan, root, "examples") /
                                 training_rate; /* whole steps of 4 examples */
    assert_true(fabs(seconds - evaluation - steps_seconds) <= 1e-9 * seconds);
    const double parameters = program_number(plan, root, "parameters_trained");
    /* Two checkpoints are kept, and a third is being written. */
    assert_true(program_number(plan, root, "disk_bytes") == 3.0 * 12.0 * parameters);
    SFT(p, "a", "--dry-run", "--json", "-s", "optimiser.kind=adam-mini");
    SCOPED(json) struct json *mini = program_json(&p->r);
    const double mini_bytes = program_number(mini, json_root(mini), "disk_bytes");
    assert_true(mini_bytes > 3.0 * 8.0 * parameters && mini_bytes < 3.0 * 8.1 * parameters);
    assert_string_equal(scratch_list(p->scratch), "base.json tea.txt tok/");
}

/* Two demonstrations and the answer that was preferred: three conversations in ChatML. */
static void test_sft__imitates_a_project(void **state) {
    struct project_case *p = *state;
    project_case_import_rows(
        p, "{\"prompt\":\"What is drunk?\",\"completion\":\"Tea is drunk.\"}\n"
           "{\"prompt\":\"What is eaten?\",\"completion\":\"Cake is eaten.\"}\n"
           "{\"prompt\":\"Who comes?\",\"chosen\":\"Ann comes.\",\"rejected\":\"Nobody.\"}\n");
    SFT(p, "a", "-d", p->db, "-s", "data.template=chatml", "-s", "data.sequence_tokens_max=128",
        "--dry-run", "--json");
    SCOPED(json) struct json *plan = program_json(&p->r);
    assert_true(program_number(plan, json_root(plan), "examples") == 3.0);
    assert_true(program_number(plan, json_root(plan), "validation_examples") == 0.0);
    double losses[STEPS];
    TRAIN(p, "a", "-q", "-d", p->db, "-s", "data.sequence_tokens_max=128", "--epochs", "8");
    assert_int_equal(read_metric(p, "a/metrics.jsonl", "\"loss\":", losses),
                     6); /* ceil(8 * 3 / 4) */
    assert_true(losses[5] < losses[0]);
    run_program(&p->r, "generate", scratch_path(p->scratch, "a/final"), "What is drunk?", "-n", "3",
                NULL);
    program_check_ok(&p->r); /* by the template that the tokenizer brought */
    SFT(p, "b", "-d", p->db, "-s", "data.sequence_tokens_max=8");
    program_check_refused(&p->r, 3, "nothing is left to learn: 3 examples read, 3 too long");
    assert_false(file_exists(scratch_path(p->scratch, "b")));
}

/* The default of 1,024 tokens is more than the 512 that preset:tiny takes. */
static void test_sft__sequences_fit_the_model(void **state) {
    struct project_case *p = *state;
    SFT(p, "a", "--dry-run", "-s", "data.sequence_tokens_max=1024");
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.err, "sequences of at most 512 tokens, the model's context\n"));
    project_case_import_rows(p, "{\"prompt\":\"What?\",\"completion\":\"Tea is drunk by us.\"}\n");
    SFT(p, "a", "-d", p->db, "-s", "data.template=chatml", "-s", "data.sequence_tokens_max=8", "-s",
        "data.too_long=refuse");
    program_check_refused(&p->r, 3, "tokens, data.sequence_tokens_max is 8");
    scratch_write(p->scratch, "tea.txt", "Tea is drunk."); /* one window, drawn for evaluation */
    SFT(p, "a", "-s", "data.validation_share=0.5");
    program_check_refused(&p->r, 3, "1 examples read, 0 too long, 1 sequences kept for evaluation");
}

/* ---- what it refuses ---- */

static void test_sft__refuses_and_makes_nothing(void **state) {
    struct project_case *p = *state;
    run_program(&p->r, "sft", "-c", scratch_path(p->scratch, "base.json"), NULL);
    program_check_refused(&p->r, 2, "where to? give --output FOLDER, or --dry-run");
    SFT(p, "a", "-d", scratch_path(p->scratch, "milk.txt"));
    program_check_refused(&p->r, 1, "milk.txt': No such file or directory");
    SFT(p, "a", "-s", "data.template=chatmm");
    program_check_refused(&p->r, 2, "no chat template 'chatmm'");
    SFT(p, "a", "-s", "train=lora", "-s", "lora.targets=q,w");
    program_check_refused(&p->r, 2, "lora.targets: 'w' is not one of q, k, v, out, gate, up, down");
    SFT(p, "a", "-s", "train=lora");
    program_check_refused(&p->r, 2, "nobody would have the random weights of 'preset:tiny'");
    SFT(p, "a", "-s", "tokenizer=");
    program_check_refused(&p->r, 2, "'preset:tiny' has no tokenizer");
    SFT(p, "a", "-m", SOURCE_FOLDER "/tests/golden/models/llama_score");
    program_check_refused(&p->r, 3,
                          "LlamaForSequenceClassification gives scores of texts, no next");
    SFT(p, "a", "-m", "preset:tyni");
    program_check_refused(&p->r, 2, "tyni");
    assert_string_equal(scratch_list(p->scratch), "base.json tea.txt tok/");
}

static void test_sft__refuses_a_tokenizer_larger_than_the_model(void **state) {
    struct project_case *p = *state;
    TRAIN(p, "a", "-q", "-s", "epochs=0.1");
    run_program(&p->r, "tokenizer", "train", scratch_path(p->scratch, "tea.txt"), "-o",
                scratch_path(p->scratch, "larger"), "--vocabulary", "310", "-q", NULL);
    program_check_ok(&p->r);
    SFT(p, "b", "-m", scratch_path(p->scratch, "a/final"), "--tokenizer",
        scratch_path(p->scratch, "larger"));
    program_check_refused(&p->r, 3, "the tokenizer has 310 tokens, the model embeds 300");
}

/* At a rate that soon makes it worse, and stays: what is kept is what a run gives that ends with
 * the best step. */
static void write_overshooting(struct project_case *p, const char *epochs, const char *keep) {
    char config[1024];
    const int length = snprintf(
        config, sizeof config,
        "{\"run\": {\"dtype\": \"f32\", \"threads\": 1}, \"model\": \"preset:tiny\",\n"
        " \"tokenizer\": \"%s\",\n \"data\": {\"files\": [\"%s\"], \"sequence_tokens_max\": 32},\n"
        " \"epochs\": %s, \"examples_per_step\": 4, \"log_every\": 1, \"eval_every\": 1,\n"
        " \"checkpoint_every\": 2, \"save_dtype\": \"f32\", %s\n"
        " \"optimiser\": {\"learning_rate\": 0.02, \"schedule\": \"constant\"}}\n",
        scratch_path(p->scratch, "tok"), scratch_path(p->scratch, "tea.txt"), epochs, keep);
    assert_true(length < (int)sizeof config);
    scratch_write(p->scratch, "base.json", config);
}

static int64_t best_step_of(struct project_case *p, const char *name, int64_t *out_last) {
    double losses[STEPS];
    const int64_t count = read_metric(p, name, "\"eval_loss\":", losses);
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++) {
        best = losses[i] < losses[best] ? i : best;
    }
    *out_last = count;
    return best + 1;
}

static void test_sft__keeps_the_best_and_stops(void **state) {
    struct project_case *p = *state;
    write_overshooting(p, "1", "\"keep_best\": true, \"patience\": 3,");
    TRAIN(p, "a", NULL);
    int64_t last = 0;
    const int64_t best = best_step_of(p, "a/eval_metrics.jsonl", &last);
    assert_true(last < STEPS);
    assert_int_equal(last, best + 3);
    char said[96];
    (void)snprintf(said, sizeof said, "taking the weights of step %d, whose", (int)best);
    assert_non_null(strstr(p->r.err, said));
    stop_run(p, "killed", "after step 3:", SIGKILL);
    TRAIN(p, "killed", "--resume");
    check_same_run(p, "killed");
    char epochs[64];
    (void)snprintf(epochs, sizeof epochs, "%.4f", ((double)best - 0.5) * 4.0 / 57.0);
    write_overshooting(p, epochs, "");
    TRAIN(p, "short", NULL);
    size_t a_bytes = 0;
    size_t b_bytes = 0;
    SCOPED(mem) char *a = run_files_read(p, "a/final/model.safetensors", &a_bytes);
    SCOPED(mem) char *b = run_files_read(p, "short/final/model.safetensors", &b_bytes);
    assert_int_equal(a_bytes, b_bytes);
    assert_memory_equal(a, b, a_bytes);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, project_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_sft__learns_and_answers),
        CASE(test_sft__stopped_goes_on_with_the_same_bits),
        CASE(test_sft__keeps_the_best_and_stops),
        CASE(test_sft__adam_mini_is_resumed_with_the_same_bits),
        CASE(test_sft__resume_refuses_another_run),
        CASE(test_sft__resume_refuses_another_base),
        CASE(test_sft__micro_batches_change_nothing),
        CASE(test_sft__lora_writes_an_adapter_that_changes_answers),
        CASE(test_sft__dry_run_plans_and_writes_nothing),
        CASE(test_sft__imitates_a_project),
        CASE(test_sft__sequences_fit_the_model),
        CASE(test_sft__refuses_and_makes_nothing),
        CASE(test_sft__refuses_a_tokenizer_larger_than_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
