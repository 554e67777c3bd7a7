/* test_model_save.c - models and adapters as folders: whole, verified, or not there. */
#include "policy/model_save.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/scoped.h"
#include "policy/lora_adapter.h"
#include "tests/support/io_loop.h"
#include "tests/support/model_case.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <math.h>

static const struct lora_config lora = {
    .rank = 2, .alpha = 4, .target_roles = 1U << MODEL_Q | 1U << MODEL_MLP_DOWN};

static struct model *open_headed(const char *name, enum model_training training,
                                 enum model_head_kind head) {
    struct error err = ERROR_INIT;
    struct model *model = NULL;
    const struct model_options options = {
        .compute = TT_F32, .training = training, .lora = lora, .head = head, .score_init_std = 1.0};
    assert_ok(model_open(model_case_path(name), &options, &model, &err), &err);
    return model;
}

static struct model *open_case(const char *name, enum model_training training) {
    return open_headed(name, training, MODEL_HEAD_LM);
}

/* Every element of every B, which starts as zero. */
static void set_b(struct model *model, float value) {
    struct error err = ERROR_INIT;
    SCOPED(lora_adapter) struct lora_adapter *adapter = NULL;
    assert_ok(model_take_adapter(model, &adapter, &err), &err);
    for (int64_t layer = 0; layer < model_config_of(model)->layers; layer++) {
        for (enum model_role role = 0; role < MODEL_ROLE_COUNT; role++) {
            const struct lora_pair pair = lora_adapter_pair(adapter, role, layer);
            for (int64_t i = 0; pair.b && i < pair.out * lora.rank; i++) {
                pair.b[i] = value;
            }
        }
    }
    assert_ok(model_put_adapter(model, adapter, &err), &err);
}

static enum err_code save(struct model *model, const char *folder, struct error *err) {
    const struct model_save_options options = {
        .folder = folder, .dtype = WEIGHT_F32, .base = "models/base"};
    return model_save(model, &options, err);
}

/* Of one text, to the rounding of sums in another order. */
static void assert_same_scores(struct model *a, struct model *b) {
    struct error err = ERROR_INIT;
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    static const int32_t ids[] = {7, 1, 9, 4};
    assert_ok(packed_batch_add(&batch, ids, 4, NULL, &err), &err);
    SCOPED(tt_scope) tt_scope *s = tt_scope_open(TT_NO_GRAD);
    double scores[2];
    tt_tensor *of_a = model_scores(s, a, model_hidden(s, a, &batch), &batch);
    tt_tensor *of_b = model_scores(s, b, model_hidden(s, b, &batch), &batch);
    assert_ok(tt_item_f64(s, of_a, &scores[0], &err), &err);
    assert_ok(tt_item_f64(s, of_b, &scores[1], &err), &err);
    assert_true(fabs(scores[0]) > 0.01);
    assert_true(fabs(scores[0] - scores[1]) <= 1e-5);
}

/* --- what is written --- */

static void test_save__a_model_keeps_every_weight(void **state) {
    static const char *const names[] = {"gpt2", "opt_bare", "llama3", "llama_tied_bias"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct error err = ERROR_INIT;
        SCOPED(model) struct model *model = open_case(names[i], MODEL_TRAIN_ALL);
        const char *folder = scratch_path(*state, names[i]);
        assert_ok(save(model, folder, &err), &err);
        SCOPED(weight_source) struct weight_source *source = NULL;
        assert_ok(weight_source_open(folder, &source, &err), &err);
        assert_weights_of(source, names[i]);
        assert_ok(folder_remove(folder, &err), &err);
    }
    assert_string_equal(scratch_list(*state), "");
}

/* Rank 2, alpha 4: scale 2. With all of B one, every row of the update is 2 (A[0] + A[1]). */
static void test_save__an_adapter_keeps_what_it_adds(void **state) {
    struct error err = ERROR_INIT;
    SCOPED(model) struct model *model = open_case("gpt2", MODEL_TRAIN_LORA);
    SCOPED(lora_adapter) struct lora_adapter *adapter = NULL;
    SCOPED(lora_adapter) struct lora_adapter *again = NULL;
    set_b(model, 1.0F);
    assert_ok(save(model, scratch_path(*state, "a"), &err), &err);
    assert_string_equal(scratch_list(*state), "a/");
    assert_non_null(strstr(scratch_read(*state, "a/adapter_config.json"), "models/base"));
    assert_ok(model_take_adapter(model, &adapter, &err), &err);
    const struct model_config *config = model_config_of(model);
    assert_ok(lora_adapter_read(scratch_path(*state, "a"), config, &again, &err), &err);
    const struct lora_pair pair = lora_adapter_pair(adapter, MODEL_MLP_DOWN, 0);
    const int64_t count = pair.out * pair.in;
    SCOPED(mem) float *update = mem_array_zero((size_t)count, sizeof *update);
    assert_non_null(update);
    lora_adapter_merge(again, MODEL_MLP_DOWN, 0, update);
    for (int64_t i = 0; i < count; i++) {
        const int64_t column = i % pair.in;
        const double sum = (double)pair.a[column] + (double)pair.a[pair.in + column];
        assert_true(fabs((double)update[i] - 2.0 * sum) <= 1e-6);
    }
}

static void test_save__scores_in_f32_and_bf16(void **state) {
    static const char *const names[] = {"gpt2_score", "opt_score", "llama_score"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct error err = ERROR_INIT;
        SCOPED(model)
        struct model *model = open_headed(names[i], MODEL_TRAIN_ALL, MODEL_HEAD_SCORE);
        const char *folder = scratch_path(*state, "bf16");
        assert_ok(model_save(model,
                             &(struct model_save_options){.folder = folder, .dtype = WEIGHT_BF16},
                             &err),
                  &err);
        assert_ok(folder_remove(folder, &err), &err);
        folder = scratch_path(*state, "f32");
        assert_ok(save(model, folder, &err), &err);
        SCOPED(weight_source) struct weight_source *source = NULL;
        assert_ok(weight_source_open(folder, &source, &err), &err);
        assert_weights_of(source, names[i]);
        assert_ok(folder_remove(folder, &err), &err);
    }
}

/* The base's eos hides the end of texts from transformers until another pad id is stated. */
static void test_save__a_new_head_needs_a_pad_id(void **state) {
    struct error err = ERROR_INIT;
    SCOPED(model) struct model *model = open_headed("llama", MODEL_TRAIN_ALL, MODEL_HEAD_SCORE);
    const char *folder = scratch_path(*state, "a");
    assert_fails(save(model, folder, &err), ERR_DATA, "no pad_token_id", &err);
    assert_string_equal(scratch_list(*state), "");
    assert_ok(model_set_pad(model, 0, &err), &err);
    assert_ok(save(model, folder, &err), &err);
    SCOPED(weight_source) struct weight_source *source = NULL;
    assert_ok(weight_source_open(folder, &source, &err), &err);
    assert_same_config(weight_source_config(source), model_config_of(model));
}

/* The head goes with the adapter, and both into one model. */
static void test_save__an_adapter_takes_the_head_along(void **state) {
    static const char *const names[] = {"gpt2", "qwen2"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct error err = ERROR_INIT;
        SCOPED(model)
        struct model *model = open_headed(names[i], MODEL_TRAIN_LORA, MODEL_HEAD_SCORE);
        SCOPED(model) struct model *merged = NULL;
        SCOPED(lora_adapter) struct lora_adapter *again = NULL;
        SCOPED(weight_source) struct weight_source *base = NULL;
        set_b(model, 0.5F);
        const char *folder = scratch_path(*state, names[i]);
        assert_ok(save(model, folder, &err), &err);
        assert_ok(weight_source_open(model_case_path(names[i]), &base, &err), &err);
        assert_ok(lora_adapter_read(folder, weight_source_config(base), &again, &err), &err);
        const struct model_options options = {.compute = TT_F32, .head = MODEL_HEAD_SCORE};
        assert_ok(model_new_merged(base, again, &options, &merged, &err), &err);
        assert_same_scores(model, merged);
        assert_fails(model_new_merged(base, again, &(struct model_options){.compute = TT_F32},
                                      &merged, &err),
                     ERR_DATA, "gives scores of texts, no next tokens", &err);
        assert_ok(folder_remove(folder, &err), &err);
    }
}

/* --- whole or not there --- */

static void test_save__replaces_what_a_kill_left(void **state) {
    static const enum model_training ways[] = {MODEL_TRAIN_ALL, MODEL_TRAIN_LORA};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct error err = ERROR_INIT;
        SCOPED(model) struct model *model = open_case("llama3", ways[i]);
        assert_ok(file_make_folders(scratch_path(*state, "a.tmp"), &err), &err);
        scratch_write(*state, "a.tmp/model.safetensors.index.json", "half");
        assert_ok(save(model, scratch_path(*state, "a"), &err), &err);
        assert_string_equal(scratch_list(*state), "a/");
        assert_false(file_exists(scratch_path(*state, "a/model.safetensors.index.json")));
        assert_ok(folder_remove(scratch_path(*state, "a"), &err), &err);
    }
}

static void test_save__never_over_something_else(void **state) {
    struct error err = ERROR_INIT;
    SCOPED(model) struct model *model = open_case("llama3", MODEL_TRAIN_LORA);
    assert_ok(file_make_folders(scratch_path(*state, "a"), &err), &err);
    scratch_write(*state, "a/notes", "mine");
    assert_fails(save(model, scratch_path(*state, "a"), &err), ERR_USAGE, "not empty", &err);
    assert_string_equal(scratch_read(*state, "a/notes"), "mine");
    assert_string_equal(scratch_list(*state), "a/");
}

static void test_save__an_adapter_that_diverged_leaves_nothing(void **state) {
    struct error err = ERROR_INIT;
    SCOPED(model) struct model *model = open_case("llama3", MODEL_TRAIN_LORA);
    set_b(model, NAN);
    assert_fails(save(model, scratch_path(*state, "a"), &err), ERR_DATA, "is not finite", &err);
    assert_string_equal(scratch_list(*state), "");
}

struct failing {
    struct scratch *scratch;
    struct model *model;
};

static enum err_code save_anew(void *context, struct error *err) {
    const struct failing *failing = context;
    return save(failing->model, scratch_path(failing->scratch, "a"), err);
}

/* A failure of the very last step, syncing the folder above, leaves the whole one. */
static void check_whole_or_absent(void *context) {
    const struct failing *failing = context;
    struct error err = ERROR_INIT;
    if (*scratch_list(failing->scratch)) {
        assert_string_equal(scratch_list(failing->scratch), "a/");
        assert_ok(folder_remove(scratch_path(failing->scratch, "a"), &err), &err);
    }
}

static void test_save__survives_a_failing_disk(void **state) {
    static const enum model_training ways[] = {MODEL_TRAIN_ALL, MODEL_TRAIN_LORA};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        SCOPED(model) struct model *model = open_case("opt_bare", ways[i]);
        struct failing failing = {.scratch = *state, .model = model};
        io_loop_check(save_anew, check_whole_or_absent, &failing);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_save__a_model_keeps_every_weight),
        SCRATCH_TEST(test_save__an_adapter_keeps_what_it_adds),
        SCRATCH_TEST(test_save__scores_in_f32_and_bf16),
        SCRATCH_TEST(test_save__a_new_head_needs_a_pad_id),
        SCRATCH_TEST(test_save__an_adapter_takes_the_head_along),
        SCRATCH_TEST(test_save__replaces_what_a_kill_left),
        SCRATCH_TEST(test_save__never_over_something_else),
        SCRATCH_TEST(test_save__an_adapter_that_diverged_leaves_nothing),
        SCRATCH_TEST(test_save__survives_a_failing_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
