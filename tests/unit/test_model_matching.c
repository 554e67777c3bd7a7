/* test_model_matching.c - the base beside its adapted self, and the regulariser of preference
 * matching between two models. */
#include "base/rng.h"
#include "base/scoped.h"
#include "policy/lora_adapter.h"
#include "policy/model.h"
#include "tests/support/model_case.h"
#include "tests/support/near.h"
#include "tests/support/tensor.h"

#include <math.h>

/* Logits of sums in another order. */
#define TOL_NATS 1e-5

static const struct lora_config lora = {
    .rank = 2, .alpha = 4, .target_roles = 1U << MODEL_Q | 1U << MODEL_MLP_DOWN};
static const struct tt_matching matching = {.beta_in = 0.9, .beta_out = 1.2, .log_alpha = -3.0};

static struct model *open_case(const char *name, const struct model_options *options) {
    struct error err = ERROR_INIT;
    struct model *model = NULL;
    assert_ok(model_open(model_case_path(name), options, &model, &err), &err);
    return model;
}

/* B random too, so that the adapters do something. */
static void set_adapters(struct model *model) {
    struct error err = ERROR_INIT;
    SCOPED(lora_adapter) struct lora_adapter *adapter = NULL;
    assert_ok(model_take_adapter(model, &adapter, &err), &err);
    struct rng rng = rng_stream(8, RNG_TEST, 0, 0);
    for (int64_t layer = 0; layer < model_config_of(model)->layers; layer++) {
        for (enum model_role role = 0; role < MODEL_ROLE_COUNT; role++) {
            const struct lora_pair pair = lora_adapter_pair(adapter, role, layer);
            for (int64_t i = 0; pair.b && i < pair.out * lora.rank; i++) {
                pair.b[i] = (float)(0.3 * rng_normal(&rng));
            }
        }
    }
    assert_ok(model_put_adapter(model, adapter, &err), &err);
}

/* A prompt of two tokens and an answer of three, and a shorter pair behind it. */
static void fill_batch(struct packed_batch *batch) {
    struct error err = ERROR_INIT;
    static const int32_t ids[] = {7, 1, 9, 4, 12, 3, 5, 8};
    static const bool learnt[] = {false, false, true, true, true, false, true, true};
    assert_ok(packed_batch_add(batch, ids, 5, learnt, &err), &err);
    assert_ok(packed_batch_add(batch, ids + 5, 3, learnt + 5, &err), &err);
}

static void assert_same_bits(tt_scope *s, const tt_tensor *a, const tt_tensor *b) {
    tensor_check_near(s, a, b, 0, TENSOR_HERE);
}

/* In f32 and bf16, recorded or not, layers recomputed or not; the adapted states differ. */
static void test_hidden_base__is_the_base_models_bit_for_bit(void **state) {
    tt_scope *s = tensor_test_scope(state);
    const enum tt_dtype dtypes[] = {TT_F32, TT_BF16};
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    fill_batch(&batch);
    for (int i = 0; i < 4; i++) {
        struct model_options options = {.compute = dtypes[i / 2]};
        SCOPED(model) struct model *base = open_case("llama", &options);
        options.training = MODEL_TRAIN_LORA;
        options.lora = lora;
        options.recompute = i % 2 == 1;
        SCOPED(model) struct model *adapted = open_case("llama", &options);
        set_adapters(adapted);
        tt_tensor *expected = model_hidden(s, base, &batch);
        assert_same_bits(s, model_hidden_base(s, adapted, &batch), expected);
        assert_same_bits(s, model_hidden_base(s, base, &batch), expected);
        struct error err = ERROR_INIT;
        double change = 0;
        tt_tensor *apart = tt_sub(s, model_hidden(s, adapted, &batch), expected);
        assert_ok(tt_item_f64(s, tt_max(s, tt_abs(s, apart)), &change, &err), &err);
        assert_true(change > 0.01);
    }
}

static void test_hidden_base__refuses_a_model_without_its_base(void **state) {
    (void)state;
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    fill_batch(&batch);
    SCOPED(model)
    struct model *model =
        open_case("llama", &(struct model_options){.compute = TT_F32, .training = MODEL_TRAIN_ALL});
    assert_refused(r, model_hidden_base(r, model, &batch), ERR_INTERNAL,
                   "the base of a model whose weights are all trained: load it beside");
}

static tt_tensor *target_logits(tt_scope *s, struct model *model, const tt_tensor *hidden,
                                const struct packed_batch *batch) {
    return model_logits(s, model, hidden, batch->target_rows, batch->targets);
}

/* Against the formulas on whole rows of logits. */
static void check_matching(tt_scope *s, struct token_matching got, const tt_tensor *logits,
                           const tt_tensor *other, const struct packed_batch *batch) {
    tt_tensor *targets = tt_from_i64(s, batch->target_ids, TT_SHAPE(batch->targets));
    tt_tensor *log_p = tt_log_softmax(s, logits, 1); /* [M, V] */
    tt_tensor *log_q = tt_log_softmax(s, other, 1);
    tt_tensor *ratio = tt_sub(s, log_p, log_q);
    tt_tensor *in = tt_gt(s, log_q, tt_scalar(s, TT_F32, matching.log_alpha));
    tt_tensor *penalty = tt_where(s, in, tt_scale(s, log_p, matching.beta_in),
                                  tt_scale(s, ratio, matching.beta_out));
    tt_tensor *p = tt_exp(s, log_p);
    const struct token_matching expected = {
        .logp = tt_token_logp(s, logits, targets),
        .ref_logp = tt_token_logp(s, other, targets),
        .entropy = tt_entropy(s, logits),
        .kl = tt_sum_dim(s, tt_mul(s, p, ratio), 1, TT_DROP_DIM),
        .matching = tt_neg(s, tt_sum_dim(s, tt_mul(s, p, penalty), 1, TT_DROP_DIM)),
    };
    tensor_check_near(s, got.logp, expected.logp, TOL_NATS, TENSOR_FOR("logp"));
    tensor_check_near(s, got.ref_logp, expected.ref_logp, TOL_NATS, TENSOR_FOR("ref_logp"));
    tensor_check_near(s, got.entropy, expected.entropy, TOL_NATS, TENSOR_FOR("entropy"));
    tensor_check_near(s, got.kl, expected.kl, TOL_NATS, TENSOR_FOR("kl"));
    tensor_check_near(s, got.matching, expected.matching, TOL_NATS, TENSOR_FOR("matching"));
}

/* The same model with its adapters off; and a model of all weights beside another family's, which
 * has another width. */
static void test_token_matching__equals_the_formulas(void **state) {
    tt_scope *s = tensor_test_scope(state);
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    fill_batch(&batch);
    SCOPED(model)
    struct model *adapted = open_case(
        "llama",
        &(struct model_options){.compute = TT_F32, .training = MODEL_TRAIN_LORA, .lora = lora});
    set_adapters(adapted);
    tt_tensor *hidden = model_hidden(s, adapted, &batch);
    const struct model_reference itself = {adapted, model_hidden_base(s, adapted, &batch)};
    check_matching(s, model_token_matching(s, adapted, hidden, &itself, &matching, &batch),
                   target_logits(s, adapted, hidden, &batch),
                   target_logits(s, adapted, itself.hidden, &batch), &batch);

    SCOPED(model)
    struct model *whole =
        open_case("gpt2", &(struct model_options){.compute = TT_F32, .training = MODEL_TRAIN_ALL});
    SCOPED(model)
    struct model *other = open_case("gpt2_untied", &(struct model_options){.compute = TT_F32});
    hidden = model_hidden(s, whole, &batch);
    const struct model_reference beside = {other, model_hidden(s, other, &batch)};
    check_matching(s, model_token_matching(s, whole, hidden, &beside, &matching, &batch),
                   target_logits(s, whole, hidden, &batch),
                   target_logits(s, other, beside.hidden, &batch), &batch);
}

/* Adapters take the gradient of the whole regulariser, the same as through the formulas. */
static void test_token_matching__gradient_reaches_the_adapters(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    fill_batch(&batch);
    SCOPED(model)
    struct model *model = open_case(
        "qwen3",
        &(struct model_options){.compute = TT_F32, .training = MODEL_TRAIN_LORA, .lora = lora});
    set_adapters(model);
    float grads[2][64];
    const char *name = "layers.1.attn.q.lora_b"; /* [H d, r] */
    for (int plain = 0; plain < 2; plain++) {
        SCOPED(tt_scope) tt_scope *s = tt_scope_open(TT_GRAD);
        assert_ok(tt_params_zero_grad(model_trained(model), &err), &err);
        tt_tensor *hidden = model_hidden(s, model, &batch);
        const struct model_reference itself = {model, model_hidden_base(s, model, &batch)};
        const struct tt_matching kl = {.beta_in = 1, .beta_out = 1, .log_alpha = 0};
        tt_tensor *loss = NULL;
        if (plain) {
            tt_tensor *log_p = tt_log_softmax(s, target_logits(s, model, hidden, &batch), 1);
            tt_tensor *log_q = tt_log_softmax(s, target_logits(s, model, itself.hidden, &batch), 1);
            loss = tt_sum(s, tt_mul(s, tt_exp(s, log_p), tt_sub(s, log_q, log_p)));
        } else {
            loss = tt_sum(s, model_token_matching(s, model, hidden, &itself, &kl, &batch).matching);
        }
        assert_ok(tt_backward(s, loss, &err), &err);
        tt_tensor *grad = tt_param_grad(s, model_trained(model), name);
        assert_true(tt_count_of(grad) >= 64);
        assert_ok(
            tt_read_f32(s, tt_narrow(s, tt_reshape(s, grad, TT_SHAPE(tt_count_of(grad))), 0, 0, 64),
                        grads[plain], 64, &err),
            &err);
    }
    double largest = 0;
    for (int i = 0; i < 64; i++) {
        assert_near((double)grads[0][i], (double)grads[1][i], 1e-5);
        largest = fmax(largest, fabs((double)grads[1][i]));
    }
    assert_true(largest > 1e-3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        tensor_test(test_hidden_base__is_the_base_models_bit_for_bit),
        tensor_test(test_hidden_base__refuses_a_model_without_its_base),
        tensor_test(test_token_matching__equals_the_formulas),
        tensor_test(test_token_matching__gradient_reaches_the_adapters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
