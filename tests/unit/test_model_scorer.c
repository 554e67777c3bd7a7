/* test_model_scorer.c - many texts in few forward passes: the scores of one at a time. */
#include "policy/model_scorer.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/model_case.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#include <math.h>

#define TEXTS 7

static const int32_t words[] = {4, 8, 15, 16, 23, 31, 1, 2, 3, 5, 7, 11, 13, 17, 19, 29, 9, 6, 10};

/* Lengths 3, 18, 1, 3, 9, 12, 5, beginning at different words. */
#define TEXT(first, length) \
    { .ids = (first), .count = (length) }
static const struct token_sequence texts[TEXTS] = {
    TEXT(words, 3),     TEXT(words + 1, 18), TEXT(words + 5, 1), TEXT(words + 2, 3),
    TEXT(words + 4, 9), TEXT(words + 3, 12), TEXT(words + 6, 5),
};

static struct model *open_model(const char *name) {
    struct error err = ERROR_INIT;
    struct model *model = NULL;
    const struct model_options options = {.compute = TT_F32, .head = MODEL_HEAD_SCORE};
    assert_ok(model_open(model_case_path(name), &options, &model, &err), &err);
    return model;
}

/* Each by itself, without the scorer. */
static void score_alone(struct model *model, double out[TEXTS]) {
    struct error err = ERROR_INIT;
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    for (int64_t i = 0; i < TEXTS; i++) {
        SCOPED(tt_scope) tt_scope *s = tt_scope_open(TT_NO_GRAD);
        packed_batch_reset(&batch);
        assert_ok(packed_batch_add(&batch, texts[i].ids, texts[i].count, NULL, &err), &err);
        tt_tensor *scores = model_scores(s, model, model_hidden(s, model, &batch), &batch);
        assert_ok(tt_item_f64(s, scores, &out[i], &err), &err);
    }
}

/* Budgets below, at and above the lengths, and for all at once. */
static void test_score__in_the_order_asked(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    static const int64_t budgets[] = {1, 12, 13, 30, 1000};
    SCOPED(model) struct model *model = open_model("llama_score");
    const int64_t handles = tt_live_handles();
    double alone[TEXTS];
    score_alone(model, alone);
    assert_true(fabs(alone[0] - alone[3]) > 1e-3); /* equal lengths, other texts */
    for (size_t b = 0; b < sizeof budgets / sizeof *budgets; b++) {
        SCOPED(model_scorer)
        struct model_scorer scorer = {.model = model, .tokens_max = budgets[b]};
        double scores[TEXTS];
        for (int again = 0; again < 2; again++) {
            assert_ok(model_scorer_score(&scorer, texts, TEXTS, scores, &err), &err);
            for (int64_t i = 0; i < TEXTS; i++) {
                assert_near(scores[i], alone[i], 1e-5);
            }
        }
        assert_ok(model_scorer_score(&scorer, texts, 0, NULL, &err), &err);
        model_scorer_deinit(&scorer);
    }
    assert_int_equal(tt_live_handles(), handles);
}

/* Four prompts of 40 tokens with five answers each, their ends apart in the call; the first answers
 * are the prompts themselves. Equal texts are in one pass or in two. */
static void test_score__shares_prompts(void **state) {
    (void)state;
    enum { PROMPTS = 4, ANSWERS = 5, ALL = PROMPTS * ANSWERS, PROMPT = 40 };
    struct error err = ERROR_INIT;
    SCOPED(model) struct model *model = NULL;
    const struct model_options options = {
        .compute = TT_F32, .seed = 3, .head = MODEL_HEAD_SCORE, .score_init_std = 1.0};
    assert_ok(model_open("preset:tiny", &options, &model, &err), &err);
    static int32_t ids[ALL][PROMPT + 2 * ANSWERS];
    struct token_sequence all[ALL];
    double alone[ALL];
    SCOPED(model_scorer) struct model_scorer single = {.model = model, .tokens_max = 1};
    for (int32_t i = 0; i < ALL; i++) {
        const int32_t answer = i / PROMPTS;
        for (int32_t t = 0; t < PROMPT + 2 * answer; t++) {
            ids[i][t] = 5 + (t < PROMPT ? i % PROMPTS * 50 + t : 300 + answer + t);
        }
        all[i] = (struct token_sequence){.ids = ids[i], .count = PROMPT + 2 * answer};
        assert_ok(model_scorer_score(&single, &all[i], 1, &alone[i], &err), &err);
    }
    all[1] = all[5];
    alone[1] = alone[5];
    for (int64_t budget = 45; budget < 1000; budget = 2 * budget + 7) {
        SCOPED(model_scorer) struct model_scorer scorer = {.model = model, .tokens_max = budget};
        double scores[ALL];
        assert_ok(model_scorer_score(&scorer, all, ALL, scores, &err), &err);
        for (int64_t i = 0; i < ALL; i++) {
            assert_near(scores[i], alone[i], 1e-5);
        }
        if (budget >
            300) { /* 40 + 2 + 4 + 6 + 8 a prompt, and 2 for the answer that is there twice */
            assert_int_equal(scorer.batch.tokens - scorer.batch.fillers, 4 * 60 + 2);
        }
    }
}

static void test_score__names_the_text_that_is_wrong(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(model) struct model *model = open_model("gpt2_score"); /* V 32, 24 tokens */
    static const int32_t strange[] = {0, 32};
    static const int32_t long_text[25] = {0};
    const struct {
        struct token_sequence text;
        const char *part;
    } cases[] = {
        {TEXT(words, 0), "text 1 has 0 tokens; the model takes 1 to 24"},
        {TEXT(long_text, 25), "text 1 has 25 tokens"},
        {TEXT(strange, 2), "text 1: token 1 has id 32, outside the vocabulary of 32"},
    };
    SCOPED(model_scorer) struct model_scorer scorer = {.model = model, .tokens_max = 100};
    double scores[2];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct token_sequence both[] = {texts[0], cases[i].text};
        assert_fails(model_scorer_score(&scorer, both, 2, scores, &err), ERR_DATA, cases[i].part,
                     &err);
    }
    scorer.tokens_max = 0;
    assert_fails(model_scorer_score(&scorer, texts, 1, scores, &err), ERR_USAGE, "0 tokens", &err);
}

static void test_score__a_language_model_has_none(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(model) struct model *model = NULL;
    assert_ok(model_open(model_case_path("gpt2"), &(struct model_options){.compute = TT_F32},
                         &model, &err),
              &err);
    SCOPED(model_scorer) struct model_scorer scorer = {.model = model, .tokens_max = 100};
    double score = 0;
    assert_fails(model_scorer_score(&scorer, texts, 1, &score, &err), ERR_DATA,
                 "GPT2LMHeadModel gives next tokens, no scores", &err);
}

/* A trunk whose head is not a number. */
static void test_score__refuses_what_is_not_finite(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(model) struct model *model = NULL;
    const struct model_options options = {
        .compute = TT_F32, .training = MODEL_TRAIN_ALL, .head = MODEL_HEAD_SCORE};
    assert_ok(model_open(model_case_path("gpt2"), &options, &model, &err), &err);
    tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_fill_inplace(s, tt_param(s, model_trained(model), "score.weight"), (double)INFINITY);
    assert_ok(tt_scope_check(s, &err), &err);
    tt_scope_close(s);
    SCOPED(model_scorer) struct model_scorer scorer = {.model = model, .tokens_max = 100};
    double scores[TEXTS];
    assert_fails(model_scorer_score(&scorer, texts, 1, scores, &err), ERR_DATA, "text 0 scores ",
                 &err);
}

static enum err_code score_once(void *context, struct error *err) {
    SCOPED(model_scorer) struct model_scorer scorer = {.model = context, .tokens_max = 20};
    double scores[TEXTS];
    return model_scorer_score(&scorer, texts, TEXTS, scores, err);
}

static void test_score__survives_failing_allocations(void **state) {
    (void)state;
    SCOPED(model) struct model *model = open_model("opt_score");
    alloc_loop_check(score_once, model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_score__in_the_order_asked),
        cmocka_unit_test(test_score__shares_prompts),
        cmocka_unit_test(test_score__names_the_text_that_is_wrong),
        cmocka_unit_test(test_score__a_language_model_has_none),
        cmocka_unit_test(test_score__refuses_what_is_not_finite),
        cmocka_unit_test(test_score__survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
