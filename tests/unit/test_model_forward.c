/* test_model_forward.c - the forward pass of every family against transformers
 * (tests/golden/make_models.py): logits, loss and gradients; and that packing changes nothing. */
#include "policy/model.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "policy/lora_adapter.h"
#include "policy/weight_source.h"
#include "tensor/safetensors.h"
#include "tests/support/near.h"
#include "tests/support/tensor.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Both sides compute in f32, in different orders. */
#define TOL_LOGIT    1e-5
#define TOL_GRADIENT 1e-5
#define TOKENS_MAX   64
#define VOCAB_MAX    64

static const char *const families[] = {"gpt2",    "gpt2_untied",     "opt",    "opt_bare",
                                       "llama",   "llama_tied_bias", "llama3", "llama_linear",
                                       "mistral", "qwen2",           "qwen3"};

struct golden {
    struct safetensors *file;
    struct model *model;
    struct packed_batch batch;
    int64_t tokens, vocab;
};

/* The elements of an i64 tensor, and how many. */
static int64_t read_i64(const struct safetensors *file, const char *name, int64_t out[TOKENS_MAX]) {
    const struct safetensors_tensor *tensor = safetensors_find(file, name);
    assert_non_null(tensor);
    assert_true(tensor->bytes <= TOKENS_MAX * sizeof *out);
    memcpy(out, tensor->data, tensor->bytes);
    return (int64_t)(tensor->bytes / sizeof *out);
}

static struct golden golden_open(const char *name, const struct model_options *options) {
    struct error err = ERROR_INIT;
    struct golden golden = {.batch = PACKED_BATCH_INIT};
    char path[512];
    (void)snprintf(path, sizeof path, GOLDEN_FOLDER "/models/%s", name);
    assert_ok(model_open(path, options, &golden.model, &err), &err);
    (void)snprintf(path, sizeof path, GOLDEN_FOLDER "/models/%s/logits.safetensors", name);
    assert_ok(safetensors_open(path, &golden.file, &err), &err);
    int64_t ids[TOKENS_MAX];
    int64_t positions[TOKENS_MAX];
    golden.tokens = read_i64(golden.file, "input_ids", ids);
    assert_int_equal(read_i64(golden.file, "positions", positions), golden.tokens);
    int32_t narrow[TOKENS_MAX];
    for (int64_t i = 0; i < golden.tokens; i++) {
        narrow[i] = (int32_t)ids[i];
    }
    assert_ok(packed_batch_add(&golden.batch, narrow, golden.tokens, NULL, &err), &err);
    /* Some goldens stand far out, where scaled rotations differ. */
    memcpy(golden.batch.positions, positions, (size_t)golden.tokens * sizeof *positions);
    golden.vocab = model_config_of(golden.model)->vocab;
    return golden;
}

static void golden_close(struct golden *golden) {
    packed_batch_deinit(&golden->batch);
    safetensors_close(golden->file);
    model_free(golden->model);
}

static double value_at(const struct safetensors_tensor *tensor, int64_t index) {
    float value = 0;
    memcpy(&value, (const char *)tensor->data + (size_t)index * sizeof value, sizeof value);
    return (double)value;
}

/* Largest difference between a tensor and a golden of as many elements. */
static double difference(tt_scope *s, const tt_tensor *a,
                         const struct safetensors_tensor *expected) {
    struct error err = ERROR_INIT;
    const int64_t count = tt_count_of(a);
    SCOPED(mem) float *values = mem_array((size_t)count, sizeof *values);
    assert_non_null(values);
    assert_int_equal((size_t)count * sizeof(float), expected->bytes);
    assert_ok(tt_read_f32(s, a, values, count, &err), &err);
    double largest = 0;
    for (int64_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs((double)values[i] - value_at(expected, i)));
    }
    return largest;
}

static tt_tensor *all_logits(tt_scope *s, struct golden *golden) {
    int64_t rows[TOKENS_MAX];
    for (int64_t i = 0; i < golden->tokens; i++) {
        rows[i] = i;
    }
    tt_tensor *hidden = model_hidden(s, golden->model, &golden->batch);
    return model_logits(s, golden->model, hidden, rows, golden->tokens);
}

static void test_logits__equal_those_of_transformers(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        struct golden golden = golden_open(families[i], &(struct model_options){.compute = TT_F32});
        tt_scope *s = tt_scope_open(TT_NO_GRAD);
        tt_tensor *logits = all_logits(s, &golden);
        assert_ok(tt_scope_check(s, &err), &err);
        const double off = difference(s, logits, safetensors_find(golden.file, "logits"));
        if (!(off <= TOL_LOGIT)) {
            fail_msg("%s: a logit is off by %g", families[i], off);
        }
        tt_scope_close(s);
        golden_close(&golden);
    }
}

/* Of every token but the last, whose row is the target's of the next. */
static void test_mean_logits__are_means_of_the_logits(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        struct golden golden = golden_open(families[i], &(struct model_options){.compute = TT_F32});
        tt_scope *s = tt_scope_open(TT_GRAD);
        tt_tensor *hidden = model_hidden(s, golden.model, &golden.batch);
        tt_tensor *means = model_mean_logits(s, golden.model, hidden, &golden.batch);
        float got[TOKENS_MAX];
        assert_ok(tt_read_f32(s, means, got, golden.batch.targets, &err), &err);
        assert_int_equal(golden.batch.targets, golden.tokens - 1);
        const struct safetensors_tensor *logits = safetensors_find(golden.file, "logits");
        for (int64_t t = 0; t < golden.batch.targets; t++) {
            double mean = 0.0;
            for (int64_t v = 0; v < golden.vocab; v++) {
                mean += value_at(logits, t * golden.vocab + v) / (double)golden.vocab;
            }
            if (!(fabs((double)got[t] - mean) <= TOL_LOGIT)) {
                fail_msg("%s: the mean logit of row %d is %g, not %g", families[i], (int)t,
                         (double)got[t], mean);
            }
        }
        tt_scope_close(s);
        golden_close(&golden);
    }
}

/* -mean log p of the next token. */
static tt_tensor *mean_nll(tt_scope *s, struct golden *golden) {
    tt_tensor *hidden = model_hidden(s, golden->model, &golden->batch);
    return tt_neg(s, tt_mean(s, model_token_logp(s, golden->model, hidden, &golden->batch).logp));
}

static void check_gradients(const char *name, bool recompute) {
    struct error err = ERROR_INIT;
    struct golden golden = golden_open(name, &(struct model_options){.compute = TT_F32,
                                                                     .training = MODEL_TRAIN_ALL,
                                                                     .recompute = recompute});
    tt_scope *s = tt_scope_open(TT_GRAD);
    tt_tensor *loss = mean_nll(s, &golden);
    double value = 0;
    assert_ok(tt_item_f64(s, loss, &value, &err), &err);
    assert_near(value, value_at(safetensors_find(golden.file, "loss"), 0), TOL_LOGIT);
    assert_ok(tt_backward(s, loss, &err), &err);
    int64_t checked = 0;
    for (int64_t i = 0; i < safetensors_count(golden.file); i++) {
        const struct safetensors_tensor *expected = safetensors_at(golden.file, i);
        if (strncmp(expected->name, "grad.", 5) != 0) {
            continue;
        }
        tt_tensor *gradient = tt_param_grad(s, model_trained(golden.model), expected->name + 5);
        assert_ok(tt_scope_check(s, &err), &err);
        const double off = difference(s, gradient, expected);
        if (!(off <= TOL_GRADIENT)) {
            fail_msg("%s: %s is off by %g", name, expected->name, off);
        }
        checked++;
    }
    assert_true(checked > 0);
    tt_scope_close(s);
    golden_close(&golden);
}

static void test_gradients__equal_those_of_transformers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        check_gradients(families[i], false);
    }
}

static void test_gradients__are_the_same_when_layers_are_recomputed(void **state) {
    (void)state;
    check_gradients("gpt2", true);
    check_gradients("qwen3", true);
}

/* --- bf16 ---

 * Products of 8-bit mantissas: relative errors of 2^-9 each, of logits of a few nats. */
#define TOL_BF16_LOGP 0.1

/* log p of the golden's tokens. */
static void golden_logp(const char *name, const struct model_options *options,
                        float out[TOKENS_MAX], int64_t *out_count) {
    struct error err = ERROR_INIT;
    struct golden golden = golden_open(name, options);
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *hidden = model_hidden(s, golden.model, &golden.batch);
    const struct token_logp token = model_token_logp(s, golden.model, hidden, &golden.batch);
    *out_count = golden.batch.targets;
    assert_ok(tt_read_f32(s, token.logp, out, *out_count, &err), &err);
    tt_scope_close(s);
    golden_close(&golden);
}

static void check_near_f32(const char *name, enum model_training training) {
    float wide[TOKENS_MAX];
    float narrow[TOKENS_MAX];
    int64_t count = 0;
    golden_logp(name, &(struct model_options){.compute = TT_F32}, wide, &count);
    golden_logp(name, &(struct model_options){.compute = TT_BF16, .training = training}, narrow,
                &count);
    for (int64_t i = 0; i < count; i++) {
        if (!(fabs((double)narrow[i] - (double)wide[i]) <= TOL_BF16_LOGP)) {
            fail_msg("%s, token %d: %g in bf16, %g in f32", name, (int)i, (double)narrow[i],
                     (double)wide[i]);
        }
    }
}

static void test_bf16__is_near_f32(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        check_near_f32(families[i], MODEL_FROZEN);
        check_near_f32(families[i], MODEL_TRAIN_ALL);
    }
}

/* Matrix products of libtorch may be cut otherwise; nothing else depends on the threads. */
static void test_threads__change_no_log_probability(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const int64_t before = tt_threads();
    float values[2][TOKENS_MAX];
    int64_t count = 0;
    for (int64_t threads = 1; threads <= 2; threads++) {
        assert_ok(
            tt_runtime_set(&(struct tt_runtime){.threads = threads, .deterministic = true}, &err),
            &err);
        golden_logp("llama", &(struct model_options){.compute = TT_F32}, values[threads - 1],
                    &count);
    }
    for (int64_t i = 0; i < count; i++) {
        assert_near((double)values[0][i], (double)values[1][i], 1e-6);
    }
    assert_ok(tt_runtime_set(&(struct tt_runtime){.threads = before, .deterministic = true}, &err),
              &err);
}

/* --- packing -----------------------------------------------------------------------------------
 */

#define SEQUENCES 4

static const int32_t texts[SEQUENCES][5] = {
    {1, 2, 3, 4, 5}, {9, 8, 7, 6, 5}, {3, 1, 4, 1, 5}, {2, 7, 1, 8, 2}};
static const int64_t lengths[SEQUENCES] = {5, 2, 4, 3};

/* Sums of log p of the sequences in `order`, packed `per_batch` at a time, by sequence. */
static void packed_sums(struct model *model, const int64_t order[SEQUENCES], int64_t per_batch,
                        double out[SEQUENCES]) {
    struct error err = ERROR_INIT;
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    for (int64_t first = 0; first < SEQUENCES; first += per_batch) {
        tt_scope *s = tt_scope_open(TT_NO_GRAD);
        packed_batch_reset(&batch);
        for (int64_t i = first; i < first + per_batch; i++) {
            assert_ok(packed_batch_add(&batch, texts[order[i]], lengths[order[i]], NULL, &err),
                      &err);
        }
        tt_tensor *hidden = model_hidden(s, model, &batch);
        float logp[SEQUENCES * 5];
        assert_ok(tt_read_f32(s, model_token_logp(s, model, hidden, &batch).logp, logp,
                              batch.targets, &err),
                  &err);
        for (int64_t i = first; i < first + per_batch; i++) {
            out[order[i]] = 0;
        }
        for (int64_t t = 0; t < batch.targets; t++) {
            out[order[first + batch.target_owners[t]]] += (double)logp[t];
        }
        tt_scope_close(s);
    }
}

static void test_packed_batch__lays_sequences_end_to_end(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    const int32_t first[] = {7, 8, 9};
    const int32_t second[] = {5, 6};
    const bool last_only[] = {true, false, true}; /* the first token is never a target */
    assert_ok(packed_batch_add(&batch, first, 3, last_only, &err), &err);
    assert_ok(packed_batch_add(&batch, second, 2, NULL, &err), &err);
    assert_memory_equal(batch.ids, ((const int64_t[]){7, 8, 9, 5, 6}), 5 * sizeof(int64_t));
    assert_memory_equal(batch.positions, ((const int64_t[]){0, 1, 2, 0, 1}), 5 * sizeof(int64_t));
    assert_memory_equal(batch.starts, ((const int64_t[]){0, 3, 5}), 3 * sizeof(int64_t));
    assert_int_equal(batch.targets, 2);
    assert_memory_equal(batch.target_rows, ((const int64_t[]){1, 3}), 2 * sizeof(int64_t));
    assert_memory_equal(batch.target_ids, ((const int64_t[]){9, 6}), 2 * sizeof(int64_t));
    assert_memory_equal(batch.target_owners, ((const int64_t[]){0, 1}), 2 * sizeof(int64_t));
    assert_ok(packed_batch_fill(&batch, 8, 2, &err), &err); /* two and one more */
    assert_ok(packed_batch_fill(&batch, 8, 2, &err), &err); /* nothing is missing */
    assert_memory_equal(batch.starts, ((const int64_t[]){0, 3, 5, 7, 8}), 5 * sizeof(int64_t));
    assert_memory_equal(batch.positions + 5, ((const int64_t[]){0, 1, 0}), 3 * sizeof(int64_t));
    assert_memory_equal(batch.ids + 5, ((const int64_t[]){0, 0, 0}), 3 * sizeof(int64_t));
    assert_true(batch.sequences == 4 && batch.tokens == 8 && batch.fillers == 3);
    assert_int_equal(batch.targets, 2);
    assert_fails(packed_batch_add(&batch, first, 0, NULL, &err), ERR_DATA,
                 "an empty sequence has nothing to predict from", &err);
    packed_batch_reset(&batch);
    assert_int_equal(batch.tokens + batch.sequences + batch.targets + batch.fillers, 0);
}

static void test_packing__changes_no_log_probability(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        char path[512];
        (void)snprintf(path, sizeof path, GOLDEN_FOLDER "/models/%s", families[f]);
        struct model *model = NULL;
        assert_ok(model_open(path, &(struct model_options){.compute = TT_F32}, &model, &err), &err);
        const int64_t plain[] = {0, 1, 2, 3};
        const int64_t other[] = {2, 0, 3, 1};
        double alone[SEQUENCES];
        double together[SEQUENCES];
        double mixed[SEQUENCES];
        packed_sums(model, plain, 1, alone);
        packed_sums(model, plain, 4, together);
        packed_sums(model, other, 2, mixed);
        for (int64_t i = 0; i < SEQUENCES; i++) {
            assert_near(together[i], alone[i], 1e-5);
            assert_near(mixed[i], alone[i], 1e-5);
        }
        model_free(model);
    }
}

/* --- adapters ----------------------------------------------------------------------------------
 */

/* B random too, so that the adapter does something. */
static struct lora_adapter *random_adapter(struct model *model, int64_t layers) {
    struct error err = ERROR_INIT;
    struct lora_adapter *adapter = NULL;
    assert_ok(model_take_adapter(model, &adapter, &err), &err);
    const struct lora_config lora = lora_adapter_config(adapter);
    struct rng rng = rng_stream(4, RNG_TEST, 0, 0);
    for (int64_t layer = 0; layer < layers; layer++) {
        for (enum model_role role = 0; role < MODEL_ROLE_COUNT; role++) {
            const struct lora_pair pair = lora_adapter_pair(adapter, role, layer);
            for (int64_t i = 0; pair.b && i < pair.out * lora.rank; i++) {
                pair.b[i] = (float)(0.3 * rng_normal(&rng));
            }
        }
    }
    return adapter;
}

/* Adds the adapter's updates to the parameters themselves. */
static void merge(struct model *model, const struct lora_adapter *adapter) {
    struct error err = ERROR_INIT;
    const struct model_config *config = model_config_of(model);
    for (int64_t i = 0; i < model_layout_count(config); i++) {
        const struct model_tensor tensor = model_layout_at(config, i);
        if (tensor.layer < 0 || !lora_adapter_pair(adapter, tensor.role, tensor.layer).a) {
            continue;
        }
        const int64_t count = tensor.shape[0] * tensor.shape[1];
        SCOPED(mem) float *values = mem_array((size_t)count, sizeof *values);
        assert_ok(model_read(model, tensor.role, tensor.layer, values, count, &err), &err);
        lora_adapter_merge(adapter, tensor.role, tensor.layer, values);
        tt_scope *s = tt_scope_open(TT_NO_GRAD);
        tt_copy_inplace(s, tt_param(s, model_trained(model), tensor.name),
                        tt_from_f32(s, values, TT_SHAPE(tensor.shape[0], tensor.shape[1])));
        assert_ok(tt_scope_check(s, &err), &err);
        tt_scope_close(s);
    }
}

static void test_adapter__computes_as_the_merged_weights_do(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const struct {
        const char *name;
        uint32_t roles;
    } cases[] = {
        {"gpt2", 1U << MODEL_Q | 1U << MODEL_V | 1U << MODEL_MLP_UP | 1U << MODEL_MLP_DOWN},
        {"qwen3", 1U << MODEL_Q | 1U << MODEL_K | 1U << MODEL_ATTN_OUT | 1U << MODEL_MLP_GATE},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const struct lora_config lora = {.rank = 3, .alpha = 6, .target_roles = cases[c].roles};
        struct golden adapted = golden_open(
            cases[c].name,
            &(struct model_options){.compute = TT_F32, .training = MODEL_TRAIN_LORA, .lora = lora});
        struct golden merged = golden_open(
            cases[c].name, &(struct model_options){.compute = TT_F32, .training = MODEL_TRAIN_ALL});
        const int64_t layers = model_config_of(adapted.model)->layers;
        struct lora_adapter *adapter = random_adapter(adapted.model, layers);
        tt_scope *s = tt_scope_open(TT_NO_GRAD);
        double off =
            difference(s, all_logits(s, &adapted), safetensors_find(adapted.file, "logits"));
        assert_true(off <= TOL_LOGIT); /* B starts as zero: the base model */
        assert_ok(model_put_adapter(adapted.model, adapter, &err), &err);
        merge(merged.model, adapter);
        tt_tensor *one = all_logits(s, &adapted);
        tt_tensor *other = all_logits(s, &merged);
        tt_tensor *largest = tt_max(s, tt_abs(s, tt_sub(s, one, other)));
        tt_tensor *change =
            tt_max(s, tt_abs(s, tt_sub(s, one, tt_share(s, all_logits(s, &adapted)))));
        assert_ok(tt_item_f64(s, largest, &off, &err), &err);
        assert_true(off <= TOL_LOGIT);
        assert_ok(tt_item_f64(s, change, &off, &err), &err);
        assert_true(off == 0.0); /* the same bits again */
        assert_true(difference(s, one, safetensors_find(adapted.file, "logits")) > 0.01);
        tt_scope_close(s);
        lora_adapter_free(adapter);
        golden_close(&adapted);
        golden_close(&merged);
    }
}

/* Only adapters take gradients, and both halves of each do. */
static void test_adapter__takes_all_the_gradient(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const struct lora_config lora = {.rank = 2, .alpha = 2, .target_roles = 1U << MODEL_V};
    struct golden golden = golden_open(
        "llama",
        &(struct model_options){
            .compute = TT_F32, .training = MODEL_TRAIN_LORA, .recompute = true, .lora = lora});
    struct lora_adapter *adapter = random_adapter(golden.model, 2);
    assert_ok(model_put_adapter(golden.model, adapter, &err), &err);
    tt_scope *s = tt_scope_open(TT_GRAD);
    assert_ok(tt_backward(s, mean_nll(s, &golden), &err), &err);
    struct tt_params *trained = model_trained(golden.model);
    assert_int_equal(tt_params_count(trained), 4); /* two layers, two halves */
    for (int64_t i = 0; i < 4; i++) {
        double norm = 0;
        const char *name = tt_params_spec(trained, i).name;
        assert_ok(tt_item_f64(s, tt_norm(s, tt_param_grad(s, trained, name)), &norm, &err), &err);
        assert_true(norm > 1e-6);
    }
    tt_scope_close(s);
    lora_adapter_free(adapter);
    golden_close(&golden);
}

static void test_hidden__refuses_what_the_model_cannot_read(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct golden golden = golden_open("gpt2", &(struct model_options){.compute = TT_F32});
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    const int32_t strange[] = {0, 32};
    int32_t long_text[25] = {0};
    assert_refused(r, model_hidden(r, golden.model, &batch), ERR_DATA,
                   "a forward pass over no sequences");
    assert_ok(packed_batch_add(&batch, strange, 2, NULL, &err), &err);
    assert_refused(r, model_hidden(r, golden.model, &batch), ERR_DATA,
                   "token 1 has id 32, outside the vocabulary of 32");
    packed_batch_reset(&batch);
    assert_ok(packed_batch_add(&batch, long_text, 25, NULL, &err), &err);
    assert_refused(r, model_hidden(r, golden.model, &batch), ERR_DATA,
                   "a sequence is longer than the model's context of 24 tokens");
    golden_close(&golden);
}

/* Handles that the model keeps are its own: none is left behind. */
static int count_handles(void **state) {
    static int64_t before;
    before = tt_live_handles();
    *state = &before;
    return 0;
}

static int check_handles(void **state) {
    return tt_live_handles() == *(const int64_t *)*state ? 0 : -1;
}

#define MODEL_TEST(function) cmocka_unit_test_setup_teardown(function, count_handles, check_handles)

int main(void) {
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_logits__equal_those_of_transformers),
        MODEL_TEST(test_mean_logits__are_means_of_the_logits),
        MODEL_TEST(test_gradients__equal_those_of_transformers),
        MODEL_TEST(test_gradients__are_the_same_when_layers_are_recomputed),
        MODEL_TEST(test_bf16__is_near_f32),
        MODEL_TEST(test_threads__change_no_log_probability),
        MODEL_TEST(test_packed_batch__lays_sequences_end_to_end),
        MODEL_TEST(test_packing__changes_no_log_probability),
        MODEL_TEST(test_adapter__computes_as_the_merged_weights_do),
        MODEL_TEST(test_adapter__takes_all_the_gradient),
        MODEL_TEST(test_hidden__refuses_what_the_model_cannot_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
