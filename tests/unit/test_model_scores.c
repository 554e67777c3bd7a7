/* test_model_scores.c - scores of every family against transformers (tests/golden/make_models.py),
 * their gradients, and models of scores made from language models. */
#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "policy/model.h"
#include "policy/weight_source.h"
#include "tensor/safetensors.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/model_case.h"
#include "tests/support/near.h"
#include "tests/support/tensor.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Both sides compute in f32, in different orders; of gradients relative to their norm. */
#define TOL_SCORE    1e-5
#define TOL_GRADIENT 1e-5
#define TEXTS        4
#define TOKENS_MAX   64
#define ELEMENTS_MAX 1024

static const char *const families[] = {"gpt2_score",    "opt_score",   "llama_score",
                                       "mistral_score", "qwen2_score", "qwen3_score"};

#define FAMILY_COUNT (sizeof families / sizeof *families)

static const struct model_options frozen_f32 = {.compute = TT_F32, .head = MODEL_HEAD_SCORE};

/* --- goldens ---------------------------------------------------------------------------------- */

struct golden {
    struct safetensors *file;
    int32_t ids[TEXTS][TOKENS_MAX];
    int64_t lengths[TEXTS];
};

static const struct safetensors_tensor *find(const struct golden *golden, const char *name) {
    const struct safetensors_tensor *tensor = safetensors_find(golden->file, name);
    assert_non_null(tensor);
    return tensor;
}

static double value_at(const struct safetensors_tensor *tensor, int64_t index) {
    float value = 0;
    memcpy(&value, (const char *)tensor->data + (size_t)index * sizeof value, sizeof value);
    return (double)value;
}

static struct golden golden_open(const char *name) {
    struct error err = ERROR_INIT;
    struct golden golden = {.file = NULL};
    char path[600];
    (void)snprintf(path, sizeof path, "%s/scores.safetensors", model_case_path(name));
    assert_ok(safetensors_open(path, &golden.file, &err), &err);
    const struct safetensors_tensor *ids = find(&golden, "input_ids");
    assert_int_equal(find(&golden, "lengths")->bytes, sizeof golden.lengths);
    memcpy(golden.lengths, find(&golden, "lengths")->data, sizeof golden.lengths);
    const char *next = ids->data;
    for (int64_t i = 0; i < TEXTS; i++) {
        for (int64_t t = 0; t < golden.lengths[i]; t++, next += sizeof(int64_t)) {
            int64_t id = 0;
            memcpy(&id, next, sizeof id);
            golden.ids[i][t] = (int32_t)id;
        }
    }
    assert_ptr_equal(next, (const char *)ids->data + ids->bytes);
    return golden;
}

/* Texts `first` .. `first` + count - 1 of an order. */
static void add_texts(struct packed_batch *batch, const struct golden *golden,
                      const int64_t order[TEXTS], int64_t first, int64_t count) {
    struct error err = ERROR_INIT;
    for (int64_t i = first; i < first + count; i++) {
        assert_ok(
            packed_batch_add(batch, golden->ids[order[i]], golden->lengths[order[i]], NULL, &err),
            &err);
    }
}

static const int64_t in_order[TEXTS] = {0, 1, 2, 3};

static struct model *open_model(const char *name, const struct model_options *options) {
    struct error err = ERROR_INIT;
    struct model *model = NULL;
    assert_ok(model_open(model_case_path(name), options, &model, &err), &err);
    return model;
}

static void read_scores(struct model *model, const struct packed_batch *batch, float *out) {
    struct error err = ERROR_INIT;
    SCOPED(tt_scope) tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *scores = model_scores(s, model, model_hidden(s, model, batch), batch);
    assert_ok(tt_read_f32(s, scores, out, batch->added, &err), &err);
}

/* All texts of the golden in one batch, in their order. */
static void score_texts(const char *name, const struct model_options *options, float out[TEXTS]) {
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    SCOPED(model) struct model *model = open_model(name, options);
    struct golden golden = golden_open(name);
    add_texts(&batch, &golden, in_order, 0, TEXTS);
    read_scores(model, &batch, out);
    safetensors_close(golden.file);
}

static void test_scores__equal_those_of_transformers(void **state) {
    (void)state;
    for (size_t f = 0; f < FAMILY_COUNT; f++) {
        struct golden golden = golden_open(families[f]);
        float scores[TEXTS];
        score_texts(families[f], &frozen_f32, scores);
        for (int64_t i = 0; i < TEXTS; i++) {
            assert_near((double)scores[i], value_at(find(&golden, "scores"), i), TOL_SCORE);
        }
        safetensors_close(golden.file);
    }
}

/* --- gradients -------------------------------------------------------------------------------- */

/* sum of scores times the golden's weights: [] */
static tt_tensor *weighted_sum(tt_scope *s, struct model *model, const struct golden *golden,
                               const struct packed_batch *batch) {
    float weights[TEXTS];
    memcpy(weights, find(golden, "weights")->data, sizeof weights);
    tt_tensor *scores = model_scores(s, model, model_hidden(s, model, batch), batch); /* [A] */
    return tt_dot(s, scores, tt_from_f32(s, weights, TT_SHAPE(TEXTS)));
}

/* Against "grad.<name>": the norm of the difference over the golden's norm. */
static void check_gradient(tt_scope *s, struct model *model, const char *name,
                           const struct safetensors_tensor *expected) {
    struct error err = ERROR_INIT;
    float values[ELEMENTS_MAX];
    tt_tensor *gradient = tt_param_grad(s, model_trained(model), name);
    const int64_t count = tt_count_of(gradient);
    assert_true(count <= ELEMENTS_MAX);
    assert_int_equal((size_t)count * sizeof *values, expected->bytes);
    assert_ok(tt_read_f32(s, gradient, values, count, &err), &err);
    double difference = 0;
    double norm = 0;
    for (int64_t i = 0; i < count; i++) {
        const double value = value_at(expected, i);
        difference += ((double)values[i] - value) * ((double)values[i] - value);
        norm += value * value;
    }
    assert_true(norm > 0);
    if (!(sqrt(difference) <= TOL_GRADIENT * sqrt(norm))) {
        fail_msg("%s is off by %g of its norm", name, sqrt(difference / norm));
    }
}

static void check_gradients(const char *name, bool recompute) {
    struct error err = ERROR_INIT;
    struct model_options options = frozen_f32;
    options.training = MODEL_TRAIN_ALL;
    options.recompute = recompute;
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    SCOPED(model) struct model *model = open_model(name, &options);
    struct golden golden = golden_open(name);
    add_texts(&batch, &golden, in_order, 0, TEXTS);
    tt_scope *s = tt_scope_open(TT_GRAD);
    tt_tensor *loss = weighted_sum(s, model, &golden, &batch);
    double value = 0;
    assert_ok(tt_item_f64(s, loss, &value, &err), &err);
    assert_near(value, value_at(find(&golden, "loss"), 0), TEXTS * TOL_SCORE);
    assert_ok(tt_backward(s, loss, &err), &err);
    int64_t checked = 0;
    for (int64_t i = 0; i < safetensors_count(golden.file); i++) {
        const struct safetensors_tensor *expected = safetensors_at(golden.file, i);
        if (strncmp(expected->name, "grad.", 5) == 0) {
            check_gradient(s, model, expected->name + 5, expected);
            checked++;
        }
    }
    assert_int_equal(checked, 3);
    tt_scope_close(s);
    safetensors_close(golden.file);
}

static void test_gradients__equal_those_of_transformers(void **state) {
    (void)state;
    for (size_t f = 0; f < FAMILY_COUNT; f++) {
        check_gradients(families[f], false);
    }
    check_gradients("llama_score", true);
}

/* --- what else is in the batch ---------------------------------------------------------------- */

/* By text: `per_batch` at a time in this order, filled up to a multiple of 16 rows. */
static void score_packed(struct model *model, const struct golden *golden,
                         const int64_t order[TEXTS], int64_t per_batch, double out[TEXTS]) {
    struct error err = ERROR_INIT;
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    for (int64_t first = 0; first < TEXTS; first += per_batch) {
        float scores[TEXTS];
        packed_batch_reset(&batch);
        add_texts(&batch, golden, order, first, per_batch);
        assert_ok(packed_batch_fill(&batch, 16, 5, &err), &err);
        assert_int_equal(batch.added, per_batch);
        read_scores(model, &batch, scores);
        for (int64_t i = 0; i < per_batch; i++) {
            out[order[first + i]] = (double)scores[i];
        }
    }
}

static void test_scores__depend_on_nothing_else_in_the_batch(void **state) {
    (void)state;
    for (size_t f = 0; f < FAMILY_COUNT; f++) {
        SCOPED(model) struct model *model = open_model(families[f], &frozen_f32);
        struct golden golden = golden_open(families[f]);
        double scores[3][TEXTS];
        score_packed(model, &golden, in_order, 1, scores[0]);
        score_packed(model, &golden, in_order, 4, scores[1]);
        score_packed(model, &golden, (const int64_t[]){2, 0, 3, 1}, 2, scores[2]);
        for (int64_t i = 0; i < TEXTS; i++) {
            assert_near(scores[1][i], scores[0][i], TOL_SCORE);
            assert_near(scores[2][i], scores[0][i], TOL_SCORE);
        }
        safetensors_close(golden.file);
    }
}

/* A text that is added behind fillers, and one that ends in the pad id: by length. */
static void test_scores__are_at_the_last_token_added(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    SCOPED(model) struct model *model = open_model("llama_score", &frozen_f32);
    const int32_t padded[] = {5, 6, 0, 0}; /* 0 is the model's pad id */
    float alone[2];
    float together[2];
    assert_ok(packed_batch_add(&batch, padded, 4, NULL, &err), &err);
    read_scores(model, &batch, &alone[0]);
    packed_batch_reset(&batch);
    assert_ok(packed_batch_add(&batch, padded, 2, NULL, &err), &err);
    read_scores(model, &batch, &alone[1]);
    assert_true(fabs((double)alone[0] - (double)alone[1]) > 1e-3);
    packed_batch_reset(&batch);
    assert_ok(packed_batch_add(&batch, padded, 4, NULL, &err), &err);
    assert_ok(packed_batch_fill(&batch, 8, 3, &err), &err);
    assert_ok(packed_batch_add(&batch, padded, 2, NULL, &err), &err);
    assert_memory_equal(batch.last_rows, ((const int64_t[]){3, 9}), 2 * sizeof(int64_t));
    read_scores(model, &batch, together);
    assert_near((double)together[0], (double)alone[0], TOL_SCORE);
    assert_near((double)together[1], (double)alone[1], TOL_SCORE);
}

/* --- bf16 ---
 *
 * Products of 8-bit mantissas, each off by 2^-9 of itself; the scores here are between -1.8
 * and 1.2, and the largest difference measured is 0.011. */
#define TOL_BF16_SCORE 0.03

static void test_bf16__is_near_f32(void **state) {
    (void)state;
    for (size_t f = 0; f < FAMILY_COUNT; f++) {
        float wide[TEXTS];
        score_texts(families[f], &frozen_f32, wide);
        for (int way = 0; way < 2; way++) {
            struct model_options options = frozen_f32;
            float narrow[TEXTS];
            options.compute = TT_BF16;
            options.training = way == 0 ? MODEL_FROZEN : MODEL_TRAIN_ALL;
            score_texts(families[f], &options, narrow);
            for (int64_t i = 0; i < TEXTS; i++) {
                assert_near((double)narrow[i], (double)wide[i], TOL_BF16_SCORE);
            }
        }
    }
}

/* --- from a language model -------------------------------------------------------------------- */

static void read_head(const struct model *model, float *out) {
    struct error err = ERROR_INIT;
    const int64_t hidden = model_config_of(model)->hidden;
    assert_ok(model_read(model, MODEL_SCORE, -1, out, hidden, &err), &err);
}

/* llama: D 16, an lm_head of its own; qwen2: a tied one. The trunk's weights are the source's. */
static void test_new__takes_the_trunk_of_a_language_model(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    static const char *const names[] = {"llama", "qwen2", "gpt2_untied"};
    static const enum model_training ways[] = {MODEL_FROZEN, MODEL_TRAIN_ALL, MODEL_TRAIN_LORA};
    for (size_t c = 0; c < 9; c++) {
        struct model_options options = frozen_f32;
        options.training = ways[c / 3];
        options.score_init_std = 1.0;
        options.lora = (struct lora_config){.rank = 1, .alpha = 1, .target_roles = 1U << MODEL_Q};
        SCOPED(model) struct model *model = open_model(names[c % 3], &options);
        SCOPED(weight_source) struct weight_source *source = NULL;
        assert_ok(weight_source_open(model_case_path(names[c % 3]), &source, &err), &err);
        const struct model_config *config = model_config_of(model);
        assert_int_equal(config->head, MODEL_HEAD_SCORE);
        assert_int_equal(model_options_of(model).head, MODEL_HEAD_SCORE);
        for (int64_t i = 0; i + 1 < model_layout_count(config); i++) {
            const struct model_tensor tensor = model_layout_at(config, i);
            const int64_t count = model_tensor_elements(&tensor);
            float expected[ELEMENTS_MAX];
            float got[ELEMENTS_MAX];
            assert_true(count <= ELEMENTS_MAX);
            assert_ok(weight_source_read(source, &tensor, WEIGHT_F32, 1, expected, &err), &err);
            assert_ok(model_read(model, tensor.role, tensor.layer, got, count, &err), &err);
            assert_memory_equal(got, expected, (size_t)count * sizeof *got);
        }
    }
}

/* Preset tiny: D 128. A deviation of 2 / sqrt(128) = 0.1768: of 128 draws their root mean square is
 * within 4 / sqrt(256) = 25 % of it. The same seed gives the same bits, in every way of training.
 */
static void test_new__draws_the_head_by_the_seed(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    float heads[4][128];
    for (int i = 0; i < 4; i++) {
        SCOPED(model) struct model *model = NULL;
        const struct model_options options = {
            .compute = i == 1 ? TT_BF16 : TT_F32,
            .training = i == 2 ? MODEL_TRAIN_LORA : MODEL_TRAIN_ALL,
            .lora = {.rank = 1, .alpha = 1, .target_roles = 1U << MODEL_V},
            .seed = i == 3 ? 8 : 7,
            .head = MODEL_HEAD_SCORE,
            .score_init_std = 2.0,
        };
        assert_ok(model_open("preset:tiny", &options, &model, &err), &err);
        read_head(model, heads[i]);
    }
    double squares = 0;
    for (int i = 0; i < 128; i++) {
        squares += (double)heads[0][i] * (double)heads[0][i];
    }
    assert_near(sqrt(squares / 128), 2.0 / sqrt(128.0), 0.25 * 2.0 / sqrt(128.0));
    assert_memory_equal(heads[1], heads[0], sizeof heads[0]);
    assert_memory_equal(heads[2], heads[0], sizeof heads[0]);
    assert_true(memcmp(heads[3], heads[0], sizeof heads[0]) != 0);
}

static void test_new__a_head_of_zeros_scores_zero(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    SCOPED(model) struct model *model = open_model("llama", &frozen_f32);
    const int32_t ids[] = {1, 2, 3};
    float score = 1;
    assert_ok(packed_batch_add(&batch, ids, 3, NULL, &err), &err);
    read_scores(model, &batch, &score);
    assert_true(score == 0.0F);
}

/* --- adapters: trained with the head ---------------------------------------------------------- */

static void test_lora__trains_adapters_and_the_head(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct model_options options = {
        .compute = TT_BF16,
        .training = MODEL_TRAIN_LORA,
        .recompute = true,
        .lora = {.rank = 2, .alpha = 2, .target_roles = 1U << MODEL_V},
        .head = MODEL_HEAD_SCORE,
        .score_init_std = 1.0,
    };
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    SCOPED(model) struct model *model = open_model("llama", &options);
    const int32_t ids[] = {1, 2, 3};
    assert_ok(packed_batch_add(&batch, ids, 3, NULL, &err), &err);
    tt_scope *s = tt_scope_open(TT_GRAD);
    tt_tensor *scores = model_scores(s, model, model_hidden(s, model, &batch), &batch);
    assert_ok(tt_backward(s, tt_sum(s, scores), &err), &err);
    struct tt_params *trained = model_trained(model);
    assert_int_equal(tt_params_count(trained), 5); /* two layers, two halves; the head */
    for (int64_t i = 0; i < 5; i++) {
        double norm = 0;
        const char *name = tt_params_spec(trained, i).name;
        assert_ok(tt_item_f64(s, tt_norm(s, tt_param_grad(s, trained, name)), &norm, &err), &err);
        const bool is_a = strstr(name, "lora_a") != NULL;
        assert_true(is_a ? norm == 0.0 : norm > 1e-6); /* B is zero, and so is what A is given */
    }
    tt_scope_close(s);
}

/* --- values of states ------------------------------------------------------------------------- */

#define VALUE_SCALE 3.0
#define VALUE_COUNT 2

/* Begins at nothing; then value i is scale * w . h_i, and what its weight is pulled with is
 * scale * (h_0 + h_1), whether all weights are trained or adapters. */
static void check_values(enum model_training training) {
    struct error err = ERROR_INIT;
    const struct model_options options = {
        .compute = TT_F32,
        .training = training,
        .lora = {.rank = 2, .alpha = 2, .target_roles = 1U << MODEL_V},
        .value_scale = VALUE_SCALE,
    };
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    SCOPED(model) struct model *model = open_model("llama", &options);
    const int64_t width = model_config_of(model)->hidden;
    const int32_t ids[] = {1, 2, 3, 4};
    const bool is_target[] = {false, false, true, true}; /* drawn in the states of 2 and of 3 */
    double states[4 * ELEMENTS_MAX], slopes[ELEMENTS_MAX], values[VALUE_COUNT];
    float weight[ELEMENTS_MAX];
    assert_true(width <= ELEMENTS_MAX);
    assert_ok(packed_batch_add(&batch, ids, 4, is_target, &err), &err);
    assert_int_equal(batch.targets, VALUE_COUNT);
    for (int64_t d = 0; d < width; d++) {
        weight[d] = (float)(d % 7) / 8.0F - 0.25F;
    }
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *at_first = model_values(s, model, model_hidden(s, model, &batch), &batch);
    assert_ok(tt_read_f64(s, tt_cast(s, at_first, TT_F64), values, VALUE_COUNT, &err), &err);
    assert_near(values[0], 0.0, 0.0);
    tt_copy_inplace(s, tt_param(s, model_trained(model), "value.weight"),
                    tt_borrow(s, TT_F32, weight, TT_SHAPE(1, width)));
    tt_scope_close(s);
    s = tt_scope_open(TT_GRAD);
    tt_tensor *hidden = model_hidden(s, model, &batch);
    tt_tensor *valued = model_values(s, model, hidden, &batch);
    assert_ok(tt_read_f64(s, tt_cast(s, tt_detach(s, valued), TT_F64), values, VALUE_COUNT, &err),
              &err);
    assert_ok(tt_read_f64(s, tt_cast(s, tt_detach(s, hidden), TT_F64), states, 4 * width, &err),
              &err);
    assert_ok(tt_backward(s, tt_sum(s, valued), &err), &err);
    tt_tensor *pull = tt_param_grad(s, model_trained(model), "value.weight");
    assert_ok(tt_read_f64(s, tt_cast(s, pull, TT_F64), slopes, width, &err), &err);
    for (int64_t i = 0; i < VALUE_COUNT; i++) {
        double dot = 0.0;
        for (int64_t d = 0; d < width; d++) {
            dot += (double)weight[d] * states[(i + 1) * width + d];
        }
        assert_near(values[i], VALUE_SCALE * dot, 1e-4);
    }
    for (int64_t d = 0; d < width; d++) {
        assert_near(slopes[d], VALUE_SCALE * (states[width + d] + states[2 * width + d]), 1e-4);
    }
    tt_scope_close(s);
}

static void test_values__are_of_the_states_that_targets_were_drawn_in(void **state) {
    (void)state;
    check_values(MODEL_TRAIN_ALL);
    check_values(MODEL_TRAIN_LORA);
}

static void test_values__need_a_language_model_in_training(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct model *none = NULL;
    const struct model_options frozen = {.compute = TT_F32, .value_scale = 1.0};
    const struct model_options score = {.compute = TT_F32,
                                        .training = MODEL_TRAIN_ALL,
                                        .head = MODEL_HEAD_SCORE,
                                        .value_scale = 1.0};
    assert_fails(model_open(model_case_path("llama"), &frozen, &none, &err), ERR_CONFIG,
                 "only language models in training value states", &err);
    assert_fails(model_open(model_case_path("llama"), &score, &none, &err), ERR_CONFIG,
                 "only language models in training value states", &err);
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    SCOPED(model)
    struct model *plain = open_model("llama", &(struct model_options){.compute = TT_F32});
    assert_refused(r, model_values(r, plain, NULL, &batch), ERR_INTERNAL,
                   "the model was made without values");
}

/* --- refusals --------------------------------------------------------------------------------- */

static void test_heads__the_wrong_one_is_refused(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    SCOPED(model) struct model *lm = open_model("gpt2", &(struct model_options){.compute = TT_F32});
    SCOPED(model) struct model *score = open_model("gpt2_score", &frozen_f32);
    struct model *none = NULL;
    const int32_t ids[] = {1, 2};
    static const char says_lm[] = "GPT2LMHeadModel gives next tokens, no scores: name a reward "
                                  "model, such as 'accord reward fit' makes of it";
    static const char says_score[] = "GPT2ForSequenceClassification gives scores of texts, no next "
                                     "tokens: name a language model";
    assert_refused(r, model_scores(r, score, NULL, &batch), ERR_DATA, "scores of no sequences");
    assert_ok(packed_batch_add(&batch, ids, 2, NULL, &err), &err);
    assert_refused(r, model_scores(r, lm, model_hidden(r, lm, &batch), &batch), ERR_DATA, says_lm);
    const int64_t row = 0;
    assert_refused(r, model_logits(r, score, model_hidden(r, score, &batch), &row, 1), ERR_DATA,
                   says_score);
    assert_refused(r, model_token_logp(r, score, model_hidden(r, score, &batch), &batch).logp,
                   ERR_DATA, says_score);
    assert_fails(model_open(model_case_path("gpt2_score"),
                            &(struct model_options){.compute = TT_F32}, &none, &err),
                 ERR_DATA, says_score, &err);
    struct model_options options = frozen_f32;
    options.score_init_std = -1;
    assert_fails(model_open(model_case_path("gpt2"), &options, &none, &err), ERR_CONFIG,
                 "score_init_std -1 is negative", &err);
}

static void test_set_pad__keeps_what_files_need(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(model) struct model *model = open_model("llama", &frozen_f32); /* V 32, eos 2 */
    assert_fails(model_set_pad(model, 2, &err), ERR_DATA, "is an eos_token_id too", &err);
    assert_fails(model_set_pad(model, 32, &err), ERR_DATA, "outside the vocabulary of 32", &err);
    assert_int_equal(model_config_of(model)->pad, -1);
    assert_ok(model_set_pad(model, 31, &err), &err);
    assert_int_equal(model_config_of(model)->pad, 31);
}

static enum err_code open_once(void *context, struct error *err) {
    struct model *model = NULL;
    const struct model_options options = {
        .compute = TT_F32,
        .training = MODEL_TRAIN_LORA,
        .lora = {.rank = 1, .alpha = 1, .target_roles = 1U << MODEL_V},
        .head = MODEL_HEAD_SCORE,
    };
    TRY(model_open(context, &options, &model, err));
    model_free(model);
    return ERR_OK;
}

static void test_new__survives_failing_allocations(void **state) {
    (void)state;
    char path[512];
    (void)snprintf(path, sizeof path, "%s", model_case_path("qwen2"));
    alloc_loop_check(open_once, path);
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
        MODEL_TEST(test_scores__equal_those_of_transformers),
        MODEL_TEST(test_gradients__equal_those_of_transformers),
        MODEL_TEST(test_scores__depend_on_nothing_else_in_the_batch),
        MODEL_TEST(test_scores__are_at_the_last_token_added),
        MODEL_TEST(test_bf16__is_near_f32),
        MODEL_TEST(test_new__takes_the_trunk_of_a_language_model),
        MODEL_TEST(test_new__draws_the_head_by_the_seed),
        MODEL_TEST(test_new__a_head_of_zeros_scores_zero),
        MODEL_TEST(test_lora__trains_adapters_and_the_head),
        MODEL_TEST(test_values__are_of_the_states_that_targets_were_drawn_in),
        MODEL_TEST(test_values__need_a_language_model_in_training),
        MODEL_TEST(test_heads__the_wrong_one_is_refused),
        MODEL_TEST(test_set_pad__keeps_what_files_need),
        MODEL_TEST(test_new__survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
