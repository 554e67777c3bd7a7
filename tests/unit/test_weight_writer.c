#include "policy/weight_writer.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/io_loop.h"
#include "tests/support/kill_loop.h"
#include "tests/support/model_case.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static struct weight_source *open_source(const char *path) {
    struct error err = ERROR_INIT;
    struct weight_source *source = NULL;
    assert_ok(weight_source_open(path, &source, &err), &err);
    return source;
}

static enum err_code read_source(void *context, const struct model_tensor *tensor,
                                 float *out_values, struct error *err) {
    return weight_source_read(context, tensor, WEIGHT_F32, 1, out_values, err);
}

static struct weight_writer_job job_of(struct weight_source *source, enum weight_dtype dtype) {
    return (struct weight_writer_job){
        .config = weight_source_config(source),
        .dtype = dtype,
        .shard_bytes_max = WEIGHT_SHARD_BYTES,
        .read = read_source,
        .context = source,
    };
}

static enum err_code fill(void *context, const char *folder, struct error *err) {
    return weight_writer_fill(folder, context, err);
}

/* As its callers do. */
static enum err_code write_folder(const char *folder, struct weight_writer_job *job,
                                  struct error *err) {
    return folder_write_whole(folder, fill, job, err);
}

static void assert_same_file(const char *left, const char *right) {
    struct error err = ERROR_INIT;
    SCOPED(mem) char *a = NULL;
    SCOPED(mem) char *b = NULL;
    size_t a_bytes = 0;
    size_t b_bytes = 0;
    assert_ok(file_read_all(left, (size_t)1 << 20, &a, &a_bytes, &err), &err);
    assert_ok(file_read_all(right, (size_t)1 << 20, &b, &b_bytes, &err), &err);
    assert_int_equal(a_bytes, b_bytes);
    assert_memory_equal(a, b, a_bytes);
}

/* In the dtype that transformers stored, the file of weights has the same bytes. */
static void test_fill__the_bytes_of_transformers(void **state) {
    struct scratch *scratch = *state;
    static const struct {
        const char *model;
        enum weight_dtype dtype;
    } cases[] = {
        {"gpt2", WEIGHT_F32},         {"gpt2_untied", WEIGHT_BF16}, {"opt", WEIGHT_F16},
        {"opt_bare", WEIGHT_F32},     {"llama", WEIGHT_BF16},       {"llama_tied_bias", WEIGHT_F32},
        {"llama3", WEIGHT_F32},       {"llama_linear", WEIGHT_F16}, {"mistral", WEIGHT_BF16},
        {"qwen2", WEIGHT_BF16},       {"qwen3", WEIGHT_BF16},       {"gpt2_score", WEIGHT_F32},
        {"opt_score", WEIGHT_F16},    {"llama_score", WEIGHT_BF16}, {"mistral_score", WEIGHT_BF16},
        {"qwen2_score", WEIGHT_BF16}, {"qwen3_score", WEIGHT_F32},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = ERROR_INIT;
        SCOPED(weight_source)
        struct weight_source *source = open_source(model_case_path(cases[i].model));
        struct weight_writer_job job = job_of(source, cases[i].dtype);
        const char *folder = scratch_path(scratch, cases[i].model);
        assert_ok(write_folder(folder, &job, &err), &err);
        SCOPED(weight_source) struct weight_source *written = open_source(folder);
        assert_weights_of(written, cases[i].model);
        assert_same_config(weight_source_config(written), weight_source_config(source));
        char expected[600];
        char found[600];
        (void)snprintf(expected, sizeof expected, "%s/model.safetensors",
                       model_case_path(cases[i].model));
        (void)snprintf(found, sizeof found, "%s/model.safetensors", folder);
        assert_same_file(found, expected);
        assert_ok(folder_remove(folder, &err), &err);
    }
    assert_string_equal(scratch_list(scratch), "");
}

static void test_fill__shards_with_an_index(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(weight_source) struct weight_source *source = open_source(model_case_path("gpt2"));
    struct weight_writer_job job = job_of(source, WEIGHT_F32);
    job.shard_bytes_max = 4000;
    assert_ok(write_folder(scratch_path(scratch, "out/"), &job, &err), &err);
    SCOPED(weight_source)
    struct weight_source *written = open_source(scratch_path(scratch, "out"));
    assert_weights_of(written, "gpt2");
    assert_true(weight_source_describe(written).files > 2);
    assert_true(file_exists(scratch_path(scratch, "out/model.safetensors.index.json")));
    assert_false(file_exists(scratch_path(scratch, "out/model.safetensors")));
    assert_ok(folder_remove(scratch_path(scratch, "out"), &err), &err);
}

static void test_fill__never_over_something_else(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(weight_source) struct weight_source *source = open_source(model_case_path("llama3"));
    struct weight_writer_job job = job_of(source, WEIGHT_BF16);
    const char *folder = scratch_path(scratch, "out");
    assert_ok(write_folder(folder, &job, &err), &err);
    assert_fails(write_folder(folder, &job, &err), ERR_USAGE, "not empty", &err);
    assert_ok(folder_remove(folder, &err), &err);
    /* An empty folder, and what a killed run left beside it, are in nobody's way. */
    assert_ok(file_make_folders(folder, &err), &err);
    assert_ok(file_make_folders(scratch_path(scratch, "out.tmp"), &err), &err);
    scratch_write(scratch, "out.tmp/model.safetensors.tmp", "half");
    assert_ok(write_folder(folder, &job, &err), &err);
    assert_string_equal(scratch_list(scratch), "out/");
    assert_ok(folder_remove(folder, &err), &err);
}

/* transformers would take the last token of every text for padding. */
static void test_fill__scores_need_a_pad_id(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(weight_source)
    struct weight_source *source = open_source(model_case_path("llama_score"));
    struct model_config config = *weight_source_config(source);
    struct weight_writer_job job = job_of(source, WEIGHT_BF16);
    job.config = &config;
    config.pad = config.eos[0];
    assert_fails(write_folder(scratch_path(scratch, "out"), &job, &err), ERR_DATA,
                 "its pad_token_id 2 is an eos_token_id too", &err);
    config.pad = 5;
    assert_ok(write_folder(scratch_path(scratch, "out"), &job, &err), &err);
    const char *text = scratch_read(scratch, "out/config.json");
    assert_non_null(strstr(text, "\"LlamaForSequenceClassification\""));
    assert_non_null(strstr(text, "\"pad_token_id\": 5"));
    assert_non_null(strstr(text, "\"LABEL_0\": 0"));
    assert_false(file_exists(scratch_path(scratch, "out/generation_config.json")));
    assert_ok(folder_remove(scratch_path(scratch, "out"), &err), &err);
}

/* ---- values that are no weights ---- */

static enum err_code read_value(void *context, const struct model_tensor *tensor, float *out_values,
                                struct error *err) {
    (void)err;
    const float *value = context;
    for (int64_t i = 0; i < model_tensor_elements(tensor); i++) {
        out_values[i] = tensor->role == MODEL_V && i == 17 ? *value : 0.25F;
    }
    return ERR_OK;
}

static void test_fill__bad_values_leave_nothing(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    SCOPED(weight_source) struct weight_source *source = open_source(model_case_path("llama3"));
    struct weight_writer_job job = job_of(source, WEIGHT_F16);
    job.read = read_value;
    float value = INFINITY;
    job.context = &value;
    const char *folder = scratch_path(scratch, "out");
    assert_fails(write_folder(folder, &job, &err), ERR_DATA, "layers.0.attn.v.weight[1, 1] is inf",
                 &err);
    value = 65519.0F; /* rounds to 65504 */
    assert_ok(write_folder(folder, &job, &err), &err);
    assert_ok(folder_remove(folder, &err), &err);
    value = -65520.0F;
    assert_fails(write_folder(folder, &job, &err), ERR_DATA, "which f16 cannot", &err);
    assert_string_equal(scratch_list(scratch), "");
}

/* ---- failures ---- */

struct failing {
    struct scratch *scratch;
    struct weight_source *source;
    int64_t shard_bytes_max;
    int64_t tries; /* each has a name of its own: nothing of one is in the way of the next */
};

static const char *name_of(const struct failing *failing) {
    static char name[32];
    (void)snprintf(name, sizeof name, "out-%" PRId64, failing->tries);
    return name;
}

static enum err_code write_once(void *context, struct error *err) {
    struct failing *failing = context;
    struct weight_writer_job job = job_of(failing->source, WEIGHT_BF16);
    job.shard_bytes_max = failing->shard_bytes_max;
    failing->tries++;
    return write_folder(scratch_path(failing->scratch, name_of(failing)), &job, err);
}

/* Whole or not there, and nothing beside it. A failure of the very last step, syncing the folder
 * above, leaves the whole one. */
static void check_whole_or_absent(void *context) {
    struct failing *failing = context;
    struct error err = ERROR_INIT;
    const char *folder = scratch_path(failing->scratch, name_of(failing));
    if (file_exists(folder)) {
        weight_source_close(open_source(folder));
        assert_ok(folder_remove(folder, &err), &err);
    }
    assert_string_equal(scratch_list(failing->scratch), "");
}

static void test_fill__survives_a_failing_disk(void **state) {
    struct failing failing = {.scratch = *state,
                              .source = open_source(model_case_path("gpt2_old")),
                              .shard_bytes_max = 3000};
    io_loop_check(write_once, check_whole_or_absent, &failing);
    weight_source_close(failing.source);
}

static void test_fill__survives_failing_allocations(void **state) {
    struct failing failing = {.scratch = *state,
                              .source = open_source(model_case_path("opt_bare")),
                              .shard_bytes_max = WEIGHT_SHARD_BYTES};
    alloc_loop_check(write_once, &failing);
    weight_source_close(failing.source);
}

static void write_for_ever(void *context, struct kill_loop_child *child) {
    struct failing *failing = context;
    struct error err = ERROR_INIT;
    for (;;) {
        assert_ok(write_once(failing, &err), &err);
        kill_loop_tell(child);
        assert_ok(folder_remove(scratch_path(failing->scratch, name_of(failing)), &err), &err);
        failing->tries = 0; /* in the way of what the last kill left: that is the point */
    }
}

/* What the next run of the same name finds is removed by it. */
static void check_after_kill(void *context) {
    struct failing *failing = context;
    struct error err = ERROR_INIT;
    const char *folder = scratch_path(failing->scratch, "out-1");
    if (file_exists(folder) && file_exists(scratch_path(failing->scratch, "out-1/config.json"))) {
        SCOPED(weight_source) struct weight_source *written = open_source(folder);
        assert_weights_of(written, "gpt2_old");
    }
    assert_ok(folder_remove(folder, &err), &err);
    failing->tries = 0;
    assert_ok(write_once(failing, &err), &err);
    assert_string_equal(scratch_list(failing->scratch), "out-1/");
    assert_ok(folder_remove(folder, &err), &err);
    failing->tries = 0;
}

static void test_fill__survives_being_killed(void **state) {
    struct failing failing = {.scratch = *state,
                              .source = open_source(model_case_path("gpt2_old")),
                              .shard_bytes_max = 3000};
    kill_loop_check(write_for_ever, check_after_kill, &failing);
    weight_source_close(failing.source);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_fill__the_bytes_of_transformers),
        SCRATCH_TEST(test_fill__shards_with_an_index),
        SCRATCH_TEST(test_fill__never_over_something_else),
        SCRATCH_TEST(test_fill__scores_need_a_pad_id),
        SCRATCH_TEST(test_fill__bad_values_leave_nothing),
        SCRATCH_TEST(test_fill__survives_a_failing_disk),
        SCRATCH_TEST(test_fill__survives_failing_allocations),
        SCRATCH_TEST(test_fill__survives_being_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
