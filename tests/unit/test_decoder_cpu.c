/* The backend against logits that transformers computed, and against its own instruction sets. */
#include "policy/decoder_cpu.h"

#include "base/mem.h"
#include "tensor/safetensors.h"
#include "tests/support/kernel_sets.h"
#include "tests/support/model_case.h"
#include "tests/support/near.h"

#include <stdio.h>

#define T 16 /* tokens of a golden text */

struct golden {
    struct weight_source *source;
    struct safetensors *file;
    int32_t tokens[T];
    float *logits; /* [T, V]; owned */
};

static void golden_open(const char *model, struct golden *out) {
    struct error err = ERROR_INIT;
    char path[512];
    (void)snprintf(path, sizeof path, "%s/logits.safetensors", model_case_path(model));
    assert_ok(weight_source_open(model_case_path(model), &out->source, &err), &err);
    assert_ok(safetensors_open(path, &out->file, &err), &err);
    const struct safetensors_tensor *ids = safetensors_find(out->file, "input_ids");
    const struct safetensors_tensor *logits = safetensors_find(out->file, "logits");
    assert_non_null(ids);
    assert_non_null(logits);
    int64_t wide[T];
    memcpy(wide, ids->data, sizeof wide);
    for (int64_t i = 0; i < T; i++) {
        out->tokens[i] = (int32_t)wide[i];
    }
    out->logits = mem_array(logits->bytes, 1);
    assert_non_null(out->logits);
    memcpy(out->logits, logits->data, logits->bytes);
}

static void golden_close(struct golden *golden) {
    weight_source_close(golden->source);
    safetensors_close(golden->file);
    mem_free(golden->logits);
}

/* Logits of all positions, in one forward pass. */
static void run_text(const struct golden *golden, enum kernel_operand operand,
                     struct kernel_cpu cpu, float *out) {
    struct error err = ERROR_INIT;
    struct decoder_weights weights = decoder_weights_of(golden->source);
    struct decoder_cpu_options options = {.context = T,
                                          .pages = 1,
                                          .rows_max = T,
                                          .wanted_max = T,
                                          .weights = operand,
                                          .cache = operand,
                                          .cpu = cpu};
    struct decoder_backend backend;
    assert_ok(
        decoder_cpu_open(weight_source_config(golden->source), &weights, &options, &backend, &err),
        &err);
    const int32_t page = 0;
    struct kernel_kv_row rows[T];
    int64_t wanted[T];
    for (int64_t i = 0; i < T; i++) {
        rows[i] = (struct kernel_kv_row){i, &page};
        wanted[i] = i;
    }
    struct kernel_attention_run run = {0, T, 1};
    struct decoder_batch batch = {.rows = T,
                                  .tokens = golden->tokens,
                                  .row = rows,
                                  .runs = &run,
                                  .run_count = 1,
                                  .wanted = wanted,
                                  .wanted_count = T};
    assert_ok(backend.functions->forward(backend.self, &batch, out, &err), &err);
    backend.functions->close(backend.self);
}

/* Not llama3, whose golden text stands at positions 0, 7, 14 ...: a cache has no such gaps. */
static const char *const models[] = {
    "gpt2",    "gpt2_untied", "llama",    "llama_linear", "llama_tied_bias",
    "mistral", "opt",         "opt_bare", "qwen2",        "qwen3"};
#define MODELS ((int64_t)(sizeof models / sizeof models[0]))

/* Relative to the largest logit. */
static double largest_gap(const struct golden *golden, enum kernel_operand operand,
                          struct kernel_cpu cpu) {
    int64_t count = T * weight_source_config(golden->source)->vocab;
    float *logits = mem_array((size_t)count, sizeof *logits);
    assert_non_null(logits);
    run_text(golden, operand, cpu, logits);
    double gap = 0.0;
    double size = 0.0;
    for (int64_t i = 0; i < count; i++) {
        gap = fmax(gap, fabs((double)logits[i] - (double)golden->logits[i]));
        size = fmax(size, fabs((double)golden->logits[i]));
    }
    mem_free(logits);
    return gap / size;
}

/* Both sides in f32: some ten roundings of 2^-24 between an id and a logit. */
static void test_decoder_cpu__f32_logits_equal_those_of_transformers(void **state) {
    (void)state;
    struct kernel_cpu sets[KERNEL_SETS_MAX];
    int64_t count = kernel_sets_list(sets);
    for (int64_t m = 0; m < MODELS; m++) {
        struct golden golden = {0};
        golden_open(models[m], &golden);
        for (int64_t i = 0; i < count; i++) {
            sets[i].threads = 1 + (int)(m % 3);
            double gap = largest_gap(&golden, KERNEL_OPERAND_F32, sets[i]);
            if (!(gap < 2e-6)) {
                fail_msg("%s, %s: logits differ by %g", models[m], kernel_isa_name(sets[i].isa),
                         gap);
            }
        }
        golden_close(&golden);
    }
}

/* bf16 rounds every operand by up to 2^-9; the largest gap measured is 0.026 (llama_linear). */
static void test_decoder_cpu__bf16_logits_are_near(void **state) {
    (void)state;
    struct kernel_cpu sets[KERNEL_SETS_MAX];
    int64_t count = kernel_sets_list(sets);
    for (int64_t m = 0; m < MODELS; m++) {
        struct golden golden = {0};
        golden_open(models[m], &golden);
        for (int64_t i = 0; i < count; i++) {
            double gap = largest_gap(&golden, KERNEL_OPERAND_BF16, sets[i]);
            if (!(gap < 0.04)) {
                fail_msg("%s, %s: logits differ by %g", models[m], kernel_isa_name(sets[i].isa),
                         gap);
            }
        }
        golden_close(&golden);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoder_cpu__f32_logits_equal_those_of_transformers),
        cmocka_unit_test(test_decoder_cpu__bf16_logits_are_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
