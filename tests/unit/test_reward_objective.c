/* Losses by hand and of other programs; derivatives in every mode are in
 * test_reward_objective_modes.c. */
#include "reward/reward_objective.h"

#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"

#include <math.h>

#define TOL         1e-14
#define TOL_PRINTED 5e-9 /* of values with eight decimals */
#define FAR         1e6  /* nats: as good as never chosen */

#define BRADLEY_TERRY ((struct reward_objective_options){.model = TABULAR_BRADLEY_TERRY})
#define DAVIDSON      ((struct reward_objective_options){.model = TABULAR_DAVIDSON})
#define RAO_KUPPER    ((struct reward_objective_options){.model = TABULAR_RAO_KUPPER})

struct fixture {
    struct comparison_set set;
    struct reward_terms_options options;
    struct reward_terms terms;
    struct reward_objective *objective;
};

static void fixture_open(struct fixture *f, int64_t items) {
    *f = (struct fixture){.terms = REWARD_TERMS_INIT, .options = {.reliability_unknown = 1.0}};
    comparison_sample_init(&f->set, items);
}

static void fixture_scoped_end(struct fixture *f) {
    reward_objective_free(f->objective);
    reward_terms_deinit(&f->terms);
    comparison_set_deinit(&f->set);
}

static void prepare(struct fixture *f, struct reward_objective_options options) {
    struct error err = ERROR_INIT;
    reward_objective_free(f->objective);
    f->objective = NULL;
    reward_terms_deinit(&f->terms);
    assert_ok(reward_terms_make(&f->set, &f->options, &f->terms, &err), &err);
    assert_ok(reward_objective_new(&f->terms, &options, &f->objective, &err), &err);
}

static double loss_of(struct fixture *f, int64_t block, const double *scores, const double *ties) {
    return reward_objective_block(f->objective, block, scores, ties, NULL, NULL);
}

static double sigma(double x) {
    return 1.0 / (1.0 + exp(-x));
}

/* ---- as TRL computes them ---- */

static const double chosen[] = {1.2, -0.3, 0.5, 2.0};
static const double rejected[] = {0.7, 0.4, 0.5, -1.0};

/* Four prompts of two answers, the first chosen; the mean loss over them. */
static double mean_loss(struct fixture *f, double out_losses[4]) {
    double sum = 0.0;
    for (int64_t b = 0; b < 4; b++) {
        const double scores[] = {chosen[b], rejected[b]};
        out_losses[b] = loss_of(f, b, scores, NULL);
        sum += out_losses[b];
    }
    return sum / f->terms.weight;
}

static void four_prompts(struct fixture *f) {
    fixture_open(f, 8);
    for (int32_t b = 0; b < 4; b++) {
        comparison_sample_set_block(&f->set, 2 * b, b);
        comparison_sample_set_block(&f->set, 2 * b + 1, b);
        comparison_sample_win(&f->set, 2 * b, 2 * b + 1);
    }
}

static void test_bradley_terry__is_that_of_trl(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    double losses[4];
    four_prompts(&f);
    prepare(&f, BRADLEY_TERRY);
    assert_near(mean_loss(&f, losses), 0.57974939, TOL_PRINTED);
    const double expected[] = {0.47407698, 1.10318605, 0.69314718, 0.04858735};
    for (int b = 0; b < 4; b++) {
        assert_near(losses[b], expected[b], TOL_PRINTED);
    }
}

static void test_margins__are_those_of_trl(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    double losses[4];
    four_prompts(&f);
    f.set.margins = mem_array(4, sizeof *f.set.margins);
    assert_non_null(f.set.margins);
    memcpy(f.set.margins, (const double[]){0.0, 0.5, 0.0, 1.0}, 4 * sizeof(double));
    f.options.margin_scale = 1.0;
    prepare(&f, BRADLEY_TERRY);
    assert_near(mean_loss(&f, losses), 0.68935866, TOL_PRINTED);
    const double expected[] = {0.47407698, 1.46328247, 0.69314718, 0.12692801};
    for (int b = 0; b < 4; b++) {
        assert_near(losses[b], expected[b], TOL_PRINTED);
    }
}

/* Mean squared sum 1.405: 0.57974939 + 0.01 * 1.405. */
static void test_centring__is_that_of_trl(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    double losses[4];
    struct reward_objective_options options = BRADLEY_TERRY;
    options.centring = 0.01;
    four_prompts(&f);
    prepare(&f, options);
    assert_near(mean_loss(&f, losses), 0.59379939, TOL_PRINTED);
    const double scores[] = {chosen[0], rejected[0]};
    assert_near(reward_objective_nll(f.objective, 0, scores, NULL), 0.47407698, TOL_PRINTED);
}

/* Four votes to one are one term with five times the regulariser, and so as many rows would be. */
static void test_centring__goes_with_the_weight(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    struct reward_objective_options options = BRADLEY_TERRY;
    options.centring = 0.01;
    fixture_open(&f, 2);
    comparison_sample_wins(&f.set, 0, 1, 4);
    comparison_sample_win(&f.set, 1, 0);
    prepare(&f, options);
    const double scores[] = {2.0, 1.0};
    /* 4 ln(1 + 1/e) + ln(1 + e) + 5 * 0.01 * 3^2 */
    assert_near(loss_of(&f, 0, scores, NULL), 5.0 * log1p(exp(-1.0)) + 1.0 + 0.45, TOL);
}

/* ---- ties ---- */

/* D = 1: davidson nu 0.5, rao-kupper eta 0.5; win, loss, tie. */
static void test_ties__known_probabilities(void **state) {
    (void)state;
    static const double known[2][3] = {{0.5983922024, 0.2201361890, 0.1814716086},
                                       {0.6224593312, 0.1824255238, 0.1951151450}};
    const double scores[] = {0.3, -0.7};
    for (int m = 0; m < 2; m++) {
        const double tie = m == 0 ? log(0.5) : 0.5;
        double sum = 0.0;
        for (int outcome = 0; outcome < 3; outcome++) {
            SCOPED(fixture) struct fixture f;
            fixture_open(&f, 2);
            if (outcome == 2) {
                comparison_sample_tie(&f.set, 0, 1);
            } else {
                comparison_sample_win(&f.set, outcome, 1 - outcome);
            }
            prepare(&f, m == 0 ? DAVIDSON : RAO_KUPPER);
            assert_int_equal(reward_objective_tie_count(f.objective), 1);
            const double p = exp(-loss_of(&f, 0, scores, &tie));
            assert_near(p, known[m][outcome], 1e-10);
            sum += p;
        }
        assert_near(sum, 1.0, 1e-15);
    }
}

/* 3 of 8 judgements are ties: with half a judgement more of them, and half of the others, 3.5 / 9.
 * At the start all scores are equal: nu / (2 + nu) and tanh(eta / 2) give that share. */
static void test_start__gives_the_share_of_ties(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    double tie = 0.0;
    fixture_open(&f, 2);
    comparison_sample_wins(&f.set, 0, 1, 5);
    for (int k = 0; k < 3; k++) {
        comparison_sample_tie(&f.set, 0, 1);
    }
    prepare(&f, DAVIDSON);
    reward_objective_start(f.objective, &tie);
    assert_near(exp(tie) / (2.0 + exp(tie)), 3.5 / 9.0, TOL);
    prepare(&f, RAO_KUPPER);
    reward_objective_start(f.objective, &tie);
    assert_near(tanh(0.5 * tie), 3.5 / 9.0, TOL);
}

static void test_tie_of__has_no_bounds_and_comes_back(void **state) {
    (void)state;
    double slope = 0.0;
    assert_near(reward_tie_of(TABULAR_DAVIDSON, -3.0, &slope), -3.0, 0.0);
    assert_near(slope, 1.0, 0.0);
    assert_near(reward_tie_of(TABULAR_RAO_KUPPER, 0.0, &slope), log(2.0), TOL);
    assert_near(slope, 0.5, TOL);
    for (int k = 0; k < 9; k++) {
        const double raw = -20.0 + 7.5 * k;
        const double eta = reward_tie_of(TABULAR_RAO_KUPPER, raw, &slope);
        assert_true(eta > 0.0);
        assert_near(reward_tie_raw(TABULAR_RAO_KUPPER, eta), raw, 1e-7);
    }
}

/* ---- regularisers and reliabilities ---- */

/* A win by 1 of margin 0.5, smoothed by 0.1: 0.9 (-ln s(0.5)) + 0.1 (-ln s(-1.5)), s the logistic
 * function: the opposite would have been a loss by the same margin. */
static void test_smoothing__hand_worked(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    struct reward_objective_options options = BRADLEY_TERRY;
    options.label_smoothing = 0.1;
    fixture_open(&f, 2);
    comparison_sample_win(&f.set, 0, 1);
    f.set.margins = mem_array(1, sizeof *f.set.margins);
    assert_non_null(f.set.margins);
    f.set.margins[0] = 0.5;
    f.options.margin_scale = 1.0;
    prepare(&f, options);
    const double scores[] = {1.0, 0.0};
    assert_near(loss_of(&f, 0, scores, NULL), -0.9 * log(sigma(0.5)) - 0.1 * log(sigma(-1.5)), TOL);
    assert_near(reward_objective_nll(f.objective, 0, scores, NULL), -log(sigma(1.0)), TOL);
}

/* Its slope is zero at D = logit(1 - e) = ln 9, and positive beyond. */
static void test_smoothing__has_its_minimum_at_finite_difference(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    struct reward_objective_options options = BRADLEY_TERRY;
    options.label_smoothing = 0.1;
    fixture_open(&f, 2);
    comparison_sample_win(&f.set, 0, 1);
    prepare(&f, options);
    for (int k = 0; k < 3; k++) {
        const double scores[] = {log(9.0) + (k - 1), 0.0};
        double slopes[2] = {0.0, 0.0};
        (void)reward_objective_block(f.objective, 0, scores, NULL, slopes, NULL);
        assert_near(slopes[0], sigma(scores[0]) - 0.9, TOL);
        assert_near(slopes[1], -slopes[0], 0.0);
    }
}

/* Three of ten labels flipped, e = -0.3 / (1 - 0.6): ten times the loss of the true label. */
static void test_smoothing__negative_undoes_flips(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    struct reward_objective_options options = BRADLEY_TERRY;
    options.label_smoothing = -0.3 / (1.0 - 2.0 * 0.3);
    fixture_open(&f, 2);
    comparison_sample_wins(&f.set, 0, 1, 7);
    comparison_sample_wins(&f.set, 1, 0, 3);
    prepare(&f, options);
    const double scores[] = {0.8, -0.5};
    double slopes[2] = {0.0, 0.0};
    assert_near(reward_objective_block(f.objective, 0, scores, NULL, slopes, NULL),
                -10.0 * log(sigma(1.3)), TOL);
    assert_near(slopes[0], 10.0 * (sigma(1.3) - 1.0), TOL);
}

static void test_reliability__is_a_mixture(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    fixture_open(&f, 2);
    comparison_sample_win(&f.set, 0, 1);
    comparison_sample_set_annotator(&f.set, 0);
    f.options.annotator_reliabilities = (const double[]){0.9};
    prepare(&f, BRADLEY_TERRY);
    const double scores[] = {0.5, -0.5}, wrong[] = {-100.0, 0.0};
    assert_near(loss_of(&f, 0, scores, NULL), -log(0.9 * sigma(1.0) + 0.1 * sigma(-1.0)), TOL);
    double slopes[2] = {0.0, 0.0};
    assert_near(reward_objective_block(f.objective, 0, wrong, NULL, slopes, NULL), -log(0.1), TOL);
    assert_near(slopes[0], 0.0, 1e-30);
}

/* ---- rankings ---- */

static void rank_three(struct fixture *f, const int32_t *ranks) {
    fixture_open(f, 3);
    comparison_sample_add(&f->set, 3, (int32_t[]){0, 1, 2}, ranks);
}

static void test_ranking__is_plackett_luce(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    rank_three(&f, (int32_t[]){1, 2, 3});
    prepare(&f, BRADLEY_TERRY);
    /* e / (e + 1 + 1/e) * 1 / (1 + 1/e) = 0.4863301076 */
    const double scores[] = {1.0, 0.0, -1.0};
    assert_near(exp(-loss_of(&f, 0, scores, NULL)), 0.4863301076, 1e-10);
}

/* With a third item that nobody would choose, it is a pair: won, and tied. */
static void test_ranking__of_two_is_bradley_terry(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture won;
    SCOPED(fixture) struct fixture tied;
    const double scores[] = {0.3, -0.9, -FAR};
    double slopes[3] = {0.0, 0.0, 0.0};
    rank_three(&won, (int32_t[]){1, 2, 3});
    prepare(&won, BRADLEY_TERRY);
    assert_near(reward_objective_block(won.objective, 0, scores, NULL, slopes, NULL),
                log1p(exp(-1.2)), TOL);
    assert_near(slopes[0], -sigma(-1.2), TOL);
    assert_near(slopes[2], 0.0, 0.0);
    rank_three(&tied, (int32_t[]){1, 1, 2});
    tied.options.ties = PAIR_TIES_HALF;
    prepare(&tied, BRADLEY_TERRY);
    assert_near(loss_of(&tied, 0, scores, NULL), 0.5 * log1p(exp(-1.2)) + 0.5 * log1p(exp(1.2)),
                1e-9); /* scores of 1e6 are near */
}

/* Tied items 0 and 1 before 2, scores ln 4, ln 1, ln 9. Orders 0 1 2 and 1 0 2 have probabilities
 * 4/14 * 1/10 and 1/14 * 4/13: half the log of each. Dropped: 4/(4 + 9) and 1/(1 + 9). */
static void test_ranking__ties_as_halves_or_dropped(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    const double scores[] = {log(4.0), 0.0, log(9.0)};
    rank_three(&f, (int32_t[]){1, 1, 2});
    f.options.ties = PAIR_TIES_HALF;
    prepare(&f, BRADLEY_TERRY);
    assert_near(loss_of(&f, 0, scores, NULL), -0.5 * log(4.0 / 140.0) - 0.5 * log(4.0 / 182.0),
                TOL);
    f.options.ties = PAIR_TIES_DROP;
    prepare(&f, BRADLEY_TERRY);
    assert_near(loss_of(&f, 0, scores, NULL), log(13.0 / 4.0) + log(10.0), TOL);
    /* smoothed by 0.1: 0.2 (r_i - (r_i + r_2) / 2) of either: 0.1 (ln 4 + 0 - 2 ln 9) */
    struct reward_objective_options options = BRADLEY_TERRY;
    options.label_smoothing = 0.1;
    prepare(&f, options);
    assert_near(loss_of(&f, 0, scores, NULL),
                log(13.0 / 4.0) + log(10.0) + 0.1 * (log(4.0) - 2.0 * log(9.0)), TOL);
}

/* One chosen among three, and nothing said about the others: 9 / 14. */
static void test_ranking__last_items_that_were_not_compared(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    const double scores[] = {log(9.0), log(4.0), 0.0};
    rank_three(&f, (int32_t[]){1, 2, 2});
    comparison_sample_set_last_unordered(&f.set);
    for (enum pair_ties ties = PAIR_TIES_KEEP; ties <= PAIR_TIES_DROP; ties++) {
        f.options.ties = ties;
        prepare(&f, BRADLEY_TERRY);
        assert_near(loss_of(&f, 0, scores, NULL), log(14.0 / 9.0), TOL);
    }
}

/* As test_davidson_luce.c: 4 / 36; with a pair beside it, nu = 2 of the same parameter: a tie of
 * items of equal score has 2 / (2 + 2). */
static void test_ranking__ties_by_davidson_luce(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    rank_three(&f, (int32_t[]){1, 1, 2});
    comparison_sample_tie(&f.set, 0, 1);
    prepare(&f, DAVIDSON);
    const double scores[] = {log(4.0), 0.0, log(9.0)}, equal[] = {1.0, 1.0, -FAR};
    const double tie = log(2.0);
    /* the pair: sqrt 4, 1 / sqrt 4 and 2: 2 / 4.5 */
    assert_near(loss_of(&f, 0, scores, &tie), log(9.0) + log(4.5 / 2.0), TOL);
    assert_near(loss_of(&f, 0, equal, &tie), 2.0 * log(2.0), TOL);
}

/* 0.2 goes from the chosen to all that remain: at the first stage 0.2 (1.5 - 0.5), the mean of
 * three, at the second 0.2 (0.5 - 0), of two. Centring: the mean 0.5 costs 0.01 (2 * 0.5)^2. */
static void test_ranking__smoothed_and_centred(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    struct reward_objective_options options = BRADLEY_TERRY;
    options.label_smoothing = 0.1;
    options.centring = 0.01;
    rank_three(&f, (int32_t[]){1, 2, 3});
    prepare(&f, options);
    const double scores[] = {1.5, 0.5, -0.5};
    assert_near(loss_of(&f, 0, scores, NULL), -log(0.48633010763) + 0.2 + 0.1 + 0.01, 1e-9);
}

/* A prompt's loss and slopes are those of a set that holds it alone, whatever the prompt before it,
 * of more answers, has left in the scratch memory. */
static void test_block__is_that_of_the_prompt_alone(void **state) {
    (void)state;
    const double four[] = {0.3, 2.0, -1.0, 0.8}, three[] = {1.0, -0.5, 0.2}, tie = -0.3;
    for (int m = 0; m < 2; m++) {
        SCOPED(fixture) struct fixture both;
        SCOPED(fixture) struct fixture alone;
        double slopes[3] = {0.0}, expected[3] = {0.0}, unused[4] = {0.0}, ties[2] = {0.0};
        fixture_open(&both, 7);
        for (int32_t i = 4; i < 7; i++) {
            comparison_sample_set_block(&both.set, i, 1);
        }
        comparison_sample_add(&both.set, 4, (int32_t[]){1, 0, 2, 3}, (int32_t[]){1, 1, 2, 3});
        comparison_sample_add(&both.set, 3, (int32_t[]){6, 4, 5}, (int32_t[]){1, 2, 2});
        rank_three(&alone, (int32_t[]){1, 2, 2});
        memcpy(alone.set.items, (int32_t[]){2, 0, 1}, 3 * sizeof(int32_t));
        both.options.ties = alone.options.ties = m == 0 ? PAIR_TIES_HALF : PAIR_TIES_KEEP;
        prepare(&both, m == 0 ? BRADLEY_TERRY : DAVIDSON);
        prepare(&alone, m == 0 ? BRADLEY_TERRY : DAVIDSON);
        (void)reward_objective_block(both.objective, 0, four, &tie, unused, NULL);
        const double value =
            reward_objective_block(both.objective, 1, three, &tie, slopes, &ties[0]);
        assert_near(value,
                    reward_objective_block(alone.objective, 0, three, &tie, expected, &ties[1]),
                    0.0);
        assert_memory_equal(slopes, expected, sizeof slopes);
        assert_near(ties[0], ties[1], 0.0);
    }
}

static void test_block__is_finite_far_apart(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    fixture_open(&f, 4);
    comparison_sample_add(&f.set, 4, (int32_t[]){3, 1, 2, 0}, (int32_t[]){1, 2, 2, 3});
    comparison_sample_win(&f.set, 3, 0);
    f.options.ties = PAIR_TIES_HALF;
    prepare(&f, BRADLEY_TERRY);
    const double scores[] = {5000.0, 2000.0, -2000.0, 0.0};
    double slopes[4] = {0.0};
    /* stages: 5000 above item 3; above 1 and 2, in both orders, half of 3000 + 7000 and as much
     * again for whichever is left, 7000 or 3000; the pair 5000 */
    assert_near(reward_objective_block(f.objective, 0, scores, NULL, slopes, NULL),
                5000.0 + 5000.0 + 5000.0 + 5000.0, 1e-9);
    assert_near(slopes[0], 4.0, TOL);
    assert_near(slopes[1], -1.0, TOL);
    assert_near(slopes[2], -1.0, TOL);
    assert_near(slopes[3], -2.0, TOL);
}

/* ---- refusals ---- */

static void assert_refused(struct fixture *f, struct reward_objective_options options,
                           enum err_code code, const char *part) {
    struct error err = ERROR_INIT;
    struct reward_objective *objective = NULL;
    reward_terms_deinit(&f->terms);
    assert_ok(reward_terms_make(&f->set, &f->options, &f->terms, &err), &err);
    assert_fails(reward_objective_new(&f->terms, &options, &objective, &err), code, part, &err);
    assert_null(objective);
}

static void test_new__refuses_options(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    struct reward_objective_options options = BRADLEY_TERRY;
    fixture_open(&f, 2);
    comparison_sample_win(&f.set, 0, 1);
    options.label_smoothing = 0.5;
    assert_refused(&f, options, ERR_CONFIG, "label smoothing is 0.5; expected less than 0.5");
    options = BRADLEY_TERRY;
    options.centring = -1.0;
    assert_refused(&f, options, ERR_CONFIG, "centring coefficient is -1");
    options = BRADLEY_TERRY;
    options.model = TABULAR_CROWD_BT;
    assert_refused(&f, options, ERR_CONFIG, "not by 'crowd-bt'");
    f.options.ties = PAIR_TIES_HALF;
    assert_refused(&f, DAVIDSON, ERR_CONFIG, "davidson estimates how likely ties are");
}

static void test_new__refuses_terms_that_do_not_go_with_it(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture ties;
    SCOPED(fixture) struct fixture ranked;
    SCOPED(fixture) struct fixture crowd;
    SCOPED(fixture) struct fixture long_tie;
    fixture_open(&ties, 2);
    comparison_sample_tie(&ties.set, 0, 1);
    assert_refused(&ties, BRADLEY_TERRY, ERR_DATA, "1 comparisons hold ties");
    rank_three(&ranked, (int32_t[]){1, 2, 3});
    assert_refused(&ranked, RAO_KUPPER, ERR_CONFIG, "rao-kupper has no form for rankings");
    fixture_open(&crowd, 2);
    comparison_sample_win(&crowd.set, 0, 1);
    comparison_sample_set_annotator(&crowd.set, 0);
    crowd.options.annotator_reliabilities = (const double[]){0.9};
    assert_refused(&crowd, DAVIDSON, ERR_CONFIG, "reliabilities of annotators go with");
    crowd.set.margins = mem_array(1, sizeof *crowd.set.margins);
    assert_non_null(crowd.set.margins);
    crowd.set.margins[0] = 1.0;
    crowd.options.margin_scale = 1.0;
    assert_refused(&crowd, BRADLEY_TERRY, ERR_CONFIG, "do not go together");
    int32_t items[12], ranks[12];
    fixture_open(&long_tie, 12);
    for (int32_t i = 0; i < 12; i++) {
        items[i] = i;
        ranks[i] = i < 11 ? 1 : 2;
    }
    comparison_sample_add(&long_tie.set, 12, items, ranks);
    long_tie.options.ties = PAIR_TIES_HALF;
    assert_refused(&long_tie, BRADLEY_TERRY, ERR_LIMIT, "a ranking ties 11 items");
}

static enum err_code build(void *context, struct error *err) {
    SCOPED(reward_objective) struct reward_objective *objective = NULL;
    return reward_objective_new(context, &DAVIDSON, &objective, err);
}

static void test_new__out_of_memory(void **state) {
    (void)state;
    SCOPED(fixture) struct fixture f;
    rank_three(&f, (int32_t[]){1, 1, 2});
    prepare(&f, DAVIDSON);
    alloc_loop_check(build, &f.terms);
}

/* ---- rankings kept apart ---- */

/* Learnt: ties of two and of three. Of three items the first of 7 sets of up to three is chosen,
 * then one of 3: ln 21 where all scores and log delta are 0. By the ties of the ranking's own,
 * none, there would be 6 sets of up to two: ln 18. A tie of four was never learnt. */
static void test_ties_of__gives_kept_rankings_the_ties_that_are_learnt(void **state) {
    (void)state;
    const double zeros[4] = {0.0};
    SCOPED(fixture) struct fixture learnt;
    SCOPED(fixture) struct fixture kept;
    SCOPED(fixture) struct fixture strange;
    fixture_open(&learnt, 4);
    comparison_sample_add(&learnt.set, 4, (int32_t[]){0, 1, 2, 3}, (int32_t[]){1, 1, 1, 2});
    prepare(&learnt, DAVIDSON);
    assert_int_equal(reward_objective_tie_count(learnt.objective), 2);
    struct reward_objective_options like = DAVIDSON;
    like.ties_of = learnt.objective;
    rank_three(&kept, (int32_t[]){1, 2, 3});
    prepare(&kept, like);
    assert_int_equal(reward_objective_tie_count(kept.objective), 2);
    assert_near(reward_objective_nll(kept.objective, 0, zeros, zeros), log(21.0), TOL);
    fixture_open(&strange, 5);
    comparison_sample_add(&strange.set, 5, (int32_t[]){0, 1, 2, 3, 4}, (int32_t[]){1, 1, 1, 1, 2});
    assert_refused(&strange, like, ERR_DATA,
                   "a ranking ties 4 items, and none of those to learn from does");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bradley_terry__is_that_of_trl),
        cmocka_unit_test(test_margins__are_those_of_trl),
        cmocka_unit_test(test_centring__is_that_of_trl),
        cmocka_unit_test(test_centring__goes_with_the_weight),
        cmocka_unit_test(test_ties__known_probabilities),
        cmocka_unit_test(test_start__gives_the_share_of_ties),
        cmocka_unit_test(test_tie_of__has_no_bounds_and_comes_back),
        cmocka_unit_test(test_ties_of__gives_kept_rankings_the_ties_that_are_learnt),
        cmocka_unit_test(test_smoothing__hand_worked),
        cmocka_unit_test(test_smoothing__has_its_minimum_at_finite_difference),
        cmocka_unit_test(test_smoothing__negative_undoes_flips),
        cmocka_unit_test(test_reliability__is_a_mixture),
        cmocka_unit_test(test_ranking__is_plackett_luce),
        cmocka_unit_test(test_ranking__of_two_is_bradley_terry),
        cmocka_unit_test(test_ranking__ties_as_halves_or_dropped),
        cmocka_unit_test(test_ranking__last_items_that_were_not_compared),
        cmocka_unit_test(test_ranking__ties_by_davidson_luce),
        cmocka_unit_test(test_ranking__smoothed_and_centred),
        cmocka_unit_test(test_block__is_that_of_the_prompt_alone),
        cmocka_unit_test(test_block__is_finite_far_apart),
        cmocka_unit_test(test_new__refuses_options),
        cmocka_unit_test(test_new__refuses_terms_that_do_not_go_with_it),
        cmocka_unit_test(test_new__out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
