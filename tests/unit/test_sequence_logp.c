/* Log-probabilities of whole answers: those of the logits, whatever shares their batch. */
#include "trainer/sequence_logp.h"

#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/model_case.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#include <math.h>

#define TEXTS 5
#define VOCAB 32

static const int32_t words[] = {4, 8, 15, 16, 23, 31, 1, 2, 3, 5, 7, 11, 13, 17, 19, 29};
static const bool behind_two[16] = {false, false, true, true, true, true, true, true,
                                    true,  true,  true, true, true, true, true, true};

#define TEXT(first, length) \
    { .ids = (first), .is_target = behind_two, .count = (length), .targets = (length)-2 }
static const struct token_sequence texts[TEXTS] = {
    TEXT(words, 3), TEXT(words + 1, 14), TEXT(words + 5, 4), TEXT(words + 2, 9), TEXT(words, 16),
};

static struct model *open_model(void) {
    struct error err = ERROR_INIT;
    struct model *model = NULL;
    assert_ok(model_open(model_case_path("gpt2"), &(struct model_options){.compute = TT_F32},
                         &model, &err),
              &err);
    return model;
}

/* From the logits [V] of the token before: ln p of `id`, with what else is to be known of it. */
static struct sequence_logp target_of(const float *logits, int32_t id, double log_alpha) {
    double sum = 0.0, entropy = 0.0, mean = 0.0;
    bool is_top = true;
    for (int v = 0; v < VOCAB; v++) {
        sum += exp((double)logits[v]);
        mean += (double)logits[v] / VOCAB;
        is_top = is_top && logits[v] <= logits[id];
    }
    for (int v = 0; v < VOCAB; v++) {
        const double p = exp((double)logits[v]) / sum;
        entropy -= p * log(p);
    }
    const double logp = (double)logits[id] - log(sum);
    return (struct sequence_logp){.logp = logp,
                                  .log_weight = logp > log_alpha ? 0.0 : logp,
                                  .entropy = entropy,
                                  .mean_logit = mean,
                                  .top = is_top ? 1.0 : 0.0};
}

/* A text by itself, by plain logits. */
static struct sequence_logp alone(struct model *model, const struct token_sequence *text,
                                  double log_alpha) {
    struct error err = ERROR_INIT;
    struct sequence_logp sum = {.logp = 0.0};
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    assert_ok(packed_batch_add(&batch, text->ids, text->count, NULL, &err), &err);
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *hidden = model_hidden(s, model, &batch);
    for (int64_t t = 2; t < text->count; t++) {
        float logits[VOCAB];
        const int64_t row = t - 1;
        assert_ok(tt_read_f32(s, model_logits(s, model, hidden, &row, 1), logits, VOCAB, &err),
                  &err);
        const struct sequence_logp target = target_of(logits, text->ids[t], log_alpha);
        sum.logp += target.logp;
        sum.log_weight += target.log_weight;
        sum.entropy += target.entropy;
        sum.mean_logit += target.mean_logit;
        sum.top += target.top;
    }
    tt_scope_close(s);
    return sum;
}

/* Forward passes of one text, of some, and of all; alpha 0, near the probabilities of these tokens,
 * and 1. */
static void test_all__is_that_of_the_logits(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    static const int64_t budgets[] = {1, 18, 1000};
    const double log_alphas[] = {-(double)INFINITY, log(1.0 / VOCAB), 0.0};
    SCOPED(model) struct model *model = open_model();
    const int64_t handles = tt_live_handles();
    for (size_t a = 0; a < 3; a++) {
        for (size_t b = 0; b < 3; b++) {
            const struct sequence_scorer scorer = {.model = model,
                                                   .tokens_max = budgets[b],
                                                   .log_alpha = log_alphas[a],
                                                   .has_mean_logit = b != 1};
            struct sequence_logp sums[TEXTS];
            assert_ok(sequence_logp_all(&scorer, texts, TEXTS, sums, &err), &err);
            for (int64_t i = 0; i < TEXTS; i++) {
                const struct sequence_logp known = alone(model, &texts[i], log_alphas[a]);
                assert_near(sums[i].logp, known.logp, 2e-5);
                assert_near(sums[i].log_weight, known.log_weight, 2e-5);
                assert_near(sums[i].entropy, known.entropy, 2e-5);
                assert_near(sums[i].mean_logit, b != 1 ? known.mean_logit : 0.0, 2e-5);
                assert_near(sums[i].top, known.top, 0.0);
            }
            if (a != 1) { /* every token is of the language, or none */
                assert_near(sums[4].log_weight, a == 0 ? 0.0 : sums[4].logp, 0.0);
            }
        }
    }
    assert_int_equal(tt_live_handles(), handles);
}

/* Three answers each to two prompts of 40 tokens, the prompts between each other; the answers to
 * the second begin alike. Alone each is computed whole. */
static void test_all__sharing_a_prompt_changes_nothing(void **state) {
    (void)state;
    enum { PROMPT = 40, ANSWER = 4, ALL = 6 };
    struct error err = ERROR_INIT;
    int32_t ids[ALL][PROMPT + ANSWER];
    bool is_target[PROMPT + ANSWER];
    struct token_sequence all[ALL];
    SCOPED(model) struct model *model = NULL;
    assert_ok(model_open("preset:tiny", &(struct model_options){.compute = TT_F32, .seed = 4},
                         &model, &err),
              &err);
    for (int32_t i = 0; i < ALL; i++) {
        for (int32_t t = 0; t < PROMPT + ANSWER; t++) {
            const bool is_common = t < PROMPT || (i % 2 == 1 && t == PROMPT);
            ids[i][t] = 3 + (7 * t + 11 * (i % 2) + (is_common ? 0 : 13 * i)) % 97;
            is_target[t] = t >= PROMPT;
        }
        all[i] = (struct token_sequence){.ids = ids[i],
                                         .is_target = is_target,
                                         .count = PROMPT + 2 + i % 3,
                                         .targets = 2 + i % 3};
    }
    for (int64_t tokens_max = 60; tokens_max < 500; tokens_max *= 2) {
        const struct sequence_scorer scorer = {
            .model = model, .tokens_max = tokens_max, .log_alpha = -(double)INFINITY};
        struct sequence_logp sums[ALL];
        assert_ok(sequence_logp_all(&scorer, all, ALL, sums, &err), &err);
        for (int64_t i = 0; i < ALL; i++) {
            struct sequence_logp known;
            assert_ok(sequence_logp_all(&scorer, &all[i], 1, &known, &err), &err);
            assert_near(sums[i].logp, known.logp, 1e-5);
            assert_near(sums[i].entropy, known.entropy, 1e-5);
        }
    }
}

static void test_all__refuses_what_the_model_cannot_read(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    static const int32_t strange[] = {0, 1, VOCAB};
    const struct token_sequence text = TEXT(strange, 3);
    SCOPED(model) struct model *model = open_model();
    const struct sequence_scorer scorer = {.model = model, .tokens_max = 100};
    struct sequence_logp sum;
    assert_int_equal(sequence_logp_all(&scorer, &text, 1, &sum, &err), ERR_DATA);
    assert_non_null(strstr(err.msg, "vocabulary"));
}

static enum err_code score_once(void *context, struct error *err) {
    const struct sequence_scorer scorer = {.model = context, .tokens_max = 20};
    struct sequence_logp sums[TEXTS];
    return sequence_logp_all(&scorer, texts, TEXTS, sums, err);
}

static void test_all__survives_failing_allocations(void **state) {
    (void)state;
    SCOPED(model) struct model *model = open_model();
    alloc_loop_check(score_once, model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all__is_that_of_the_logits),
        cmocka_unit_test(test_all__sharing_a_prompt_changes_nothing),
        cmocka_unit_test(test_all__refuses_what_the_model_cannot_read),
        cmocka_unit_test(test_all__survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
