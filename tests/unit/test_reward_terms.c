#include "reward/reward_terms.h"

#include "base/scoped.h"
#include "reward/reward_findings.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/near.h"

#include <math.h>

#define TOL 1e-15

static const struct reward_terms_options defaults = {.reliability_unknown = 1.0};

static void make(const struct comparison_set *set, const struct reward_terms_options *options,
                 struct reward_terms *out) {
    struct error err = ERROR_INIT;
    assert_ok(reward_terms_make(set, options, out, &err), &err);
}

#define PAIR(first, second, wins, losses, ties)                                     \
    &(struct reward_pair) {                                                         \
        .i = (first), .j = (second), .win = (wins), .loss = (losses), .tie = (ties) \
    }

static void assert_pair(const struct reward_terms *terms, int64_t p,
                        const struct reward_pair *expected) {
    const struct reward_pair *pair = &terms->pairs[p];
    assert_int_equal(pair->i, expected->i);
    assert_int_equal(pair->j, expected->j);
    assert_near(pair->win, expected->win, TOL);
    assert_near(pair->loss, expected->loss, TOL);
    assert_near(pair->tie, expected->tie, TOL);
}

/* Two prompts of three and two answers; the first pair is judged four times in both orders. */
static void two_prompts(struct comparison_set *set) {
    comparison_sample_init(set, 5);
    comparison_sample_set_block(set, 3, 1);
    comparison_sample_set_block(set, 4, 1);
    comparison_sample_win(set, 0, 1);
    comparison_sample_win(set, 1, 0);
    comparison_sample_set_weight(set, 2.0);
    comparison_sample_win(set, 0, 1);
    comparison_sample_tie(set, 1, 0);
    comparison_sample_win(set, 2, 1);
    comparison_sample_win(set, 4, 3);
}

static void test_terms__merge_all_judgements_of_a_pair(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(reward_terms) struct reward_terms terms = REWARD_TERMS_INIT;
    two_prompts(&set);
    make(&set, &defaults, &terms);
    assert_int_equal(terms.block_count, 2);
    assert_int_equal(terms.pair_starts[1], 2);
    assert_int_equal(terms.pair_starts[2], 3);
    assert_pair(&terms, 0, PAIR(0, 1, 2.0, 2.0, 1.0));
    assert_pair(&terms, 1, PAIR(1, 2, 0.0, 1.0, 0.0));
    assert_pair(&terms, 2, PAIR(0, 1, 0.0, 1.0, 0.0)); /* items 3 and 4 of the set */
    assert_int_equal(reward_terms_items(&terms, 0), 3);
    assert_int_equal(terms.item_starts[1], 3);
    assert_near(terms.weights[0], 6.0, TOL);
    assert_near(terms.weight, 7.0, TOL);
    assert_int_equal(terms.counts.judgements, 6);
    assert_int_equal(terms.counts.tied_judgements, 1);
    assert_int_equal(terms.counts.used, 6);
    assert_int_equal(terms.counts.merged, 1);
    assert_int_equal(terms.counts.blocks, 2);
    assert_true(isinf(terms.pairs[0].reliability_log_odds));
}

/* Items 0 and 1 of one prompt, 2 of another: 0 is good by 1 + 1 and bad by 2, 1 bad by 1, 2 good by
 * 3 of annotator 0, and by another who weighs nothing. */
static void test_terms__labels_are_shares_of_an_item(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    comparison_sample_set_block(&set, 2, 1);
    comparison_sample_label(&set, 0, true);
    comparison_sample_label(&set, 0, false);
    comparison_sample_set_weight(&set, 2.0);
    comparison_sample_label(&set, 1, false);
    comparison_sample_label(&set, 0, true);
    comparison_sample_label(&set, 2, true);
    comparison_sample_set_weight(&set, 3.0);
    comparison_sample_set_annotator(&set, 0);
    comparison_sample_label(&set, 2, false);
    comparison_sample_set_annotator(&set, 1);
    static const struct {
        enum reward_count count;
        double good[3], bad[3], weights[2];
    } cases[] = {
        {REWARD_COUNT_JUDGEMENTS, {2.0, 0.0, 3.0}, {2.0, 1.0, 0.0}, {5.0, 3.0}},
        {REWARD_COUNT_PAIRS, {0.5, 0.0, 1.0}, {0.5, 1.0, 0.0}, {2.0, 1.0}},
        {REWARD_COUNT_PROMPTS, {0.4, 0.0, 1.0}, {0.4, 0.2, 0.0}, {1.0, 1.0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SCOPED(reward_terms) struct reward_terms terms = REWARD_TERMS_INIT;
        struct reward_terms_options options = defaults;
        options.count = cases[i].count;
        options.annotator_weights = (const double[]){1.0, 0.0};
        make(&set, &options, &terms);
        for (int k = 0; k < 3; k++) {
            assert_near(terms.labels[k].good, cases[i].good[k], TOL);
            assert_near(terms.labels[k].bad, cases[i].bad[k], TOL);
        }
        assert_near(terms.weights[0], cases[i].weights[0], TOL);
        assert_near(terms.weights[1], cases[i].weights[1], TOL);
        assert_near(terms.weight, cases[i].weights[0] + cases[i].weights[1], TOL);
        assert_true(terms.counts.labels == 6 && terms.counts.used == 5 &&
                    terms.counts.out_weightless == 1 && terms.counts.blocks == 2);
        assert_int_equal(terms.pair_starts[2] + terms.ranking_starts[2], 0);
    }
}

static void test_terms__ties_as_halves_or_dropped(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(reward_terms) struct reward_terms half = REWARD_TERMS_INIT;
    SCOPED(reward_terms) struct reward_terms drop = REWARD_TERMS_INIT;
    struct reward_terms_options options = defaults;
    two_prompts(&set);
    options.ties = PAIR_TIES_HALF;
    make(&set, &options, &half);
    assert_pair(&half, 0, PAIR(0, 1, 2.5, 2.5, 0.0));
    options.ties = PAIR_TIES_DROP;
    make(&set, &options, &drop);
    assert_pair(&drop, 0, PAIR(0, 1, 2.0, 2.0, 0.0));
    assert_int_equal(drop.counts.out_tied, 1);
    assert_int_equal(drop.counts.used, 5);
}

/* Votes 2 : 2 : 1 of five; of the prompt's two pairs each counts 1/2, or 5/6 and 1/6. */
static void test_terms__count_pairs_or_prompts_once(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(reward_terms) struct reward_terms pairs = REWARD_TERMS_INIT;
    SCOPED(reward_terms) struct reward_terms prompts = REWARD_TERMS_INIT;
    struct reward_terms_options options = defaults;
    two_prompts(&set);
    options.count = REWARD_COUNT_PAIRS;
    make(&set, &options, &pairs);
    assert_pair(&pairs, 0, PAIR(0, 1, 0.4, 0.4, 0.2));
    assert_pair(&pairs, 1, PAIR(1, 2, 0.0, 1.0, 0.0));
    assert_near(pairs.weight, 3.0, TOL);
    options.count = REWARD_COUNT_PROMPTS;
    make(&set, &options, &prompts);
    assert_pair(&prompts, 0, PAIR(0, 1, 2.0 / 6.0, 2.0 / 6.0, 1.0 / 6.0));
    assert_pair(&prompts, 2, PAIR(0, 1, 0.0, 1.0, 0.0));
    assert_near(prompts.weights[0], 1.0, TOL);
    assert_string_equal(reward_count_name(REWARD_COUNT_PROMPTS), "prompt");
}

/* Two blocks of prompt 7, of six judgements and of one, as a cut leaves them: in all they count
 * one, the judgement of the second 1/7 of it. Of another prompt it would count 1. */
static void test_terms__blocks_of_one_prompt_count_once(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(reward_terms) struct reward_terms one = REWARD_TERMS_INIT;
    SCOPED(reward_terms) struct reward_terms two = REWARD_TERMS_INIT;
    struct reward_terms_options options = defaults;
    options.count = REWARD_COUNT_PROMPTS;
    two_prompts(&set);
    set.block_prompt_ids = mem_array(2, sizeof *set.block_prompt_ids);
    assert_non_null(set.block_prompt_ids);
    set.block_prompt_ids[0] = set.block_prompt_ids[1] = 7;
    make(&set, &options, &one);
    assert_pair(&one, 2, PAIR(0, 1, 0.0, 1.0 / 7.0, 0.0));
    assert_near(one.weights[0], 6.0 / 7.0, TOL);
    assert_near(one.weight, 1.0, TOL);
    assert_int_equal(one.counts.blocks, 1);
    set.block_prompt_ids[1] = 8;
    make(&set, &options, &two);
    assert_pair(&two, 2, PAIR(0, 1, 0.0, 1.0, 0.0));
    assert_near(two.weight, 2.0, TOL);
    assert_int_equal(two.counts.blocks, 2);
}

/* 0 > 1 with margins 1 (weight 3) and 0.2 (weight 1): mean 0.8; 1 > 0 with none known. In nats half
 * of that. */
static void test_terms__margins_are_means_of_each_side(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(reward_terms) struct reward_terms terms = REWARD_TERMS_INIT;
    struct reward_terms_options options = defaults;
    struct error err = ERROR_INIT;
    comparison_sample_init(&set, 2);
    comparison_sample_win(&set, 0, 1);
    comparison_sample_set_weight(&set, 3.0);
    comparison_sample_win(&set, 0, 1);
    comparison_sample_win(&set, 1, 0);
    set.margins = mem_array(3, sizeof *set.margins);
    assert_non_null(set.margins);
    set.margins[0] = 1.0;
    set.margins[1] = 0.2;
    set.margins[2] = (double)NAN;
    options.margin_scale = 0.5;
    make(&set, &options, &terms);
    assert_pair(&terms, 0, PAIR(0, 1, 4.0, 1.0, 0.0));
    assert_near(terms.pairs[0].margin_win, 0.4, TOL);
    assert_near(terms.pairs[0].margin_loss, 0.0, 0.0);
    set.margins[1] = -0.2;
    struct reward_terms refused = REWARD_TERMS_INIT;
    assert_fails(reward_terms_make(&set, &options, &refused, &err), ERR_DATA,
                 "comparison 2 has margin -0.2", &err);
    assert_null(refused.pairs);
}

static void test_terms__annotators_weigh_and_err(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(reward_terms) struct reward_terms weighed = REWARD_TERMS_INIT;
    SCOPED(reward_terms) struct reward_terms mixed = REWARD_TERMS_INIT;
    comparison_sample_init(&set, 2);
    for (int32_t a = 0; a < 3; a++) {
        comparison_sample_win(&set, a == 1, a != 1);
        comparison_sample_set_annotator(&set, a);
    }
    comparison_sample_win(&set, 0, 1); /* nobody in particular */
    struct reward_terms_options options = defaults;
    options.annotator_weights = (const double[]){0.5, 0.25, 0.0};
    make(&set, &options, &weighed);
    assert_pair(&weighed, 0, PAIR(0, 1, 1.5, 0.25, 0.0));
    assert_int_equal(weighed.counts.out_weightless, 1);
    assert_null(weighed.options.annotator_weights);
    /* 0.9 and 0.9 together, ln 9; nobody's 0.8, ln 4, before them */
    options = defaults;
    options.annotator_reliabilities = (const double[]){0.9, 0.9, 1.0};
    options.reliability_unknown = 0.8;
    make(&set, &options, &mixed);
    assert_int_equal(mixed.pair_starts[1], 3);
    assert_pair(&mixed, 0, PAIR(0, 1, 1.0, 0.0, 0.0));
    assert_near(mixed.pairs[0].reliability_log_odds, log(4.0), 1e-14);
    assert_pair(&mixed, 1, PAIR(0, 1, 1.0, 1.0, 0.0));
    assert_near(mixed.pairs[1].reliability_log_odds, log(9.0), 1e-14);
    assert_true(isinf(mixed.pairs[2].reliability_log_odds));
}

static void rankings(struct comparison_set *set) {
    comparison_sample_init(set, 4);
    comparison_sample_add(set, 3, (int32_t[]){2, 3, 0}, (int32_t[]){1, 1, 2});
    comparison_sample_add(set, 4, (int32_t[]){1, 3, 2, 0}, (int32_t[]){1, 2, 2, 2});
    comparison_sample_set_last_unordered(set);
    comparison_sample_add(set, 3, (int32_t[]){3, 2, 0}, (int32_t[]){1, 1, 2});
    comparison_sample_set_weight(set, 2.0);
    comparison_sample_add(set, 3, (int32_t[]){0, 2, 3}, (int32_t[]){1, 2, 3});
    comparison_sample_add(set, 3, (int32_t[]){0, 1, 2}, (int32_t[]){1, 1, 1});
    comparison_sample_set_last_unordered(set);
}

/* Equal rankings, tied items in either order, are one; a ranking that orders nothing is none. */
static void test_terms__merge_equal_rankings(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(reward_terms) struct reward_terms terms = REWARD_TERMS_INIT;
    SCOPED(reward_terms) struct reward_terms once = REWARD_TERMS_INIT;
    rankings(&set);
    make(&set, &defaults, &terms);
    assert_int_equal(terms.rankings.count, 3);
    assert_int_equal(terms.counts.rankings, 5);
    assert_int_equal(terms.counts.tied_rankings, 2);
    assert_int_equal(terms.counts.out_unordered, 1);
    assert_int_equal(terms.counts.merged, 1);
    /* by size, items, ranks: {0, 2, 3} ranked 1 2 3; 2 1 1; then the four */
    const int32_t items[] = {0, 2, 3, 2, 3, 0, 1, 0, 2, 3};
    const int32_t ranks[] = {1, 2, 3, 1, 1, 2, 1, 2, 2, 2};
    assert_memory_equal(terms.rankings.items, items, sizeof items);
    assert_memory_equal(terms.rankings.ranks, ranks, sizeof ranks);
    assert_near(terms.rankings.weights[0], 1.0, 0.0);
    assert_near(terms.rankings.weights[1], 3.0, 0.0);
    assert_false(terms.rankings.last_unordered[1]);
    assert_true(terms.rankings.last_unordered[2]);
    /* Two answers to which is best of {0, 2, 3}: 1/4 and 3/4 of one question. */
    struct reward_terms_options options = defaults;
    options.count = REWARD_COUNT_PAIRS;
    make(&set, &options, &once);
    assert_near(once.rankings.weights[0], 0.25, TOL);
    assert_near(once.rankings.weights[1], 0.75, TOL);
    assert_near(once.rankings.weights[2], 1.0, TOL);
}

/* Of four ordered items six pairs share three choices: each 1/2. Of one chosen among four three
 * pairs share one: each 1/3. */
static void test_terms__split_rankings_share_their_choices(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(reward_terms) struct reward_terms terms = REWARD_TERMS_INIT;
    struct reward_terms_options options = defaults;
    comparison_sample_init(&set, 4);
    comparison_sample_add(&set, 4, (int32_t[]){3, 2, 1, 0}, (int32_t[]){1, 2, 3, 4});
    comparison_sample_add(&set, 4, (int32_t[]){3, 0, 1, 2}, (int32_t[]){1, 2, 2, 2});
    comparison_sample_set_last_unordered(&set);
    options.split_rankings = true;
    make(&set, &options, &terms);
    assert_int_equal(terms.rankings.count, 0);
    assert_int_equal(terms.pair_starts[1], 6);
    assert_pair(&terms, 0, PAIR(0, 1, 0.0, 0.5, 0.0));
    assert_pair(&terms, 2, PAIR(0, 3, 0.0, 0.5 + 1.0 / 3.0, 0.0));
    assert_near(terms.weight, 4.0, TOL);
}

static void assert_refused(const struct comparison_set *set,
                           const struct reward_terms_options *options, enum err_code code,
                           const char *part) {
    struct error err = ERROR_INIT;
    struct reward_terms terms = REWARD_TERMS_INIT;
    assert_fails(reward_terms_make(set, options, &terms, &err), code, part, &err);
    assert_null(terms.pairs);
}

static void test_terms__refuse_what_says_nothing(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    struct reward_terms_options options = defaults;
    comparison_sample_init(&set, 3);
    comparison_sample_tie(&set, 0, 1);
    comparison_sample_set_annotator(&set, 0);
    options.ties = PAIR_TIES_DROP;
    assert_refused(&set, &options, ERR_DATA, "of 1 comparisons 1 say nothing without their ties");
    options = defaults;
    options.margin_scale = -1.0;
    assert_refused(&set, &options, ERR_CONFIG, "margins are scaled by -1");
    options = defaults;
    options.annotator_weights = (const double[]){-2.0};
    assert_refused(&set, &options, ERR_CONFIG, "annotator 1 weighs -2");
    options = defaults;
    options.annotator_reliabilities = (const double[]){0.0};
    assert_refused(&set, &options, ERR_CONFIG, "reliability of annotator 1");
    comparison_sample_add(&set, 3, (int32_t[]){0, 1, 2}, (int32_t[]){1, 2, 3});
    options.annotator_reliabilities = (const double[]){0.9};
    assert_refused(&set, &options, ERR_CONFIG, "comparison 2 ranks 3 items; split rankings");
    set.weights[0] = 0.0;
    assert_refused(&set, &defaults, ERR_DATA, "comparison 1 has weight 0");
    set.weights[0] = 1.0;
    set.item_blocks[2] = 1;
    set.block_count = 2;
    assert_refused(&set, &defaults, ERR_DATA, "comparison 2 is not in the order of the prompts");
    set.item_blocks[0] = 1;
    assert_refused(&set, &defaults, ERR_DATA, "sort the set");
}

static enum err_code build(void *context, struct error *err) {
    SCOPED(reward_terms) struct reward_terms terms = REWARD_TERMS_INIT;
    TRY(reward_terms_make(context, &defaults, &terms, err));
    struct reward_findings findings;
    return reward_findings_of(context, &terms, &findings, err);
}

static void test_terms__out_of_memory(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    rankings(&set);
    comparison_sample_win(&set, 0, 1);
    alloc_loop_check(build, &set);
}

/* ---- findings ---- */

static struct reward_findings findings_of(const struct comparison_set *set,
                                          const struct reward_terms_options *options) {
    struct error err = ERROR_INIT;
    SCOPED(reward_terms) struct reward_terms terms = REWARD_TERMS_INIT;
    struct reward_findings findings;
    make(set, options, &terms);
    assert_ok(reward_findings_of(set, &terms, &findings, &err), &err);
    return findings;
}

/* Votes 3 to 1 and 1 to 0: 4/5 of the entropy of 1/4, -(ln(1/4) + 3 ln(3/4)) / 4. */
static void test_findings__divided_votes_have_a_least_loss(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 4);
    comparison_sample_set_block(&set, 2, 1);
    comparison_sample_set_block(&set, 3, 1);
    comparison_sample_wins(&set, 0, 1, 3);
    comparison_sample_win(&set, 1, 0);
    comparison_sample_win(&set, 2, 3);
    const struct reward_findings f = findings_of(&set, &defaults);
    assert_int_equal(f.counts[REWARD_FINDING_DIVIDED], 1);
    assert_int_equal(f.counts[REWARD_FINDING_ONE_PROMPT], 0);
    assert_int_equal(f.counts[REWARD_FINDING_SEPARABLE], 0);
    assert_int_equal(f.counts[REWARD_FINDING_ONE_SIDE], 0);
    assert_near(f.pair_loss_min, 0.8 * -(log(0.25) + 3.0 * log(0.75)) / 4.0, 1e-15);
}

/* Nobody contradicts, and what was shown first always won. */
static void test_findings__one_side_and_separable(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    for (int k = 0; k < 8; k++) {
        comparison_sample_win(&set, k % 2, 2);
        comparison_sample_set_positions(&set, (int32_t[]){1, 2});
    }
    struct reward_findings f = findings_of(&set, &defaults);
    assert_int_equal(f.counts[REWARD_FINDING_ONE_SIDE], 8);
    assert_int_equal(f.counts[REWARD_FINDING_SEPARABLE], 8);
    assert_int_equal(f.counts[REWARD_FINDING_ONE_PROMPT], 1);
    assert_near(f.pair_loss_min, 0.0, 0.0);
    comparison_sample_win(&set, 0, 1);
    comparison_sample_set_positions(&set, (int32_t[]){2, 1});
    f = findings_of(&set, &defaults);
    assert_int_equal(f.counts[REWARD_FINDING_ONE_SIDE], 0);
    assert_int_equal(f.counts[REWARD_FINDING_SEPARABLE], 9);
    comparison_sample_win(&set, 2, 0); /* a circle: 0 > 1 > 2 > 0 */
    f = findings_of(&set, &defaults);
    assert_int_equal(f.counts[REWARD_FINDING_SEPARABLE], 0);
}

static void test_findings__only_ties(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 2);
    comparison_sample_tie(&set, 0, 1);
    comparison_sample_tie(&set, 0, 1);
    const struct reward_findings f = findings_of(&set, &defaults);
    assert_int_equal(f.counts[REWARD_FINDING_ONLY_TIES], 2);
    assert_int_equal(f.counts[REWARD_FINDING_SEPARABLE], 0);
    assert_string_equal(reward_finding_key(REWARD_FINDING_ONLY_TIES), "only-ties");
    assert_non_null(strstr(reward_finding_text(REWARD_FINDING_ONLY_TIES), "all are ties"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terms__merge_all_judgements_of_a_pair),
        cmocka_unit_test(test_terms__labels_are_shares_of_an_item),
        cmocka_unit_test(test_terms__ties_as_halves_or_dropped),
        cmocka_unit_test(test_terms__count_pairs_or_prompts_once),
        cmocka_unit_test(test_terms__blocks_of_one_prompt_count_once),
        cmocka_unit_test(test_terms__margins_are_means_of_each_side),
        cmocka_unit_test(test_terms__annotators_weigh_and_err),
        cmocka_unit_test(test_terms__merge_equal_rankings),
        cmocka_unit_test(test_terms__split_rankings_share_their_choices),
        cmocka_unit_test(test_terms__refuse_what_says_nothing),
        cmocka_unit_test(test_terms__out_of_memory),
        cmocka_unit_test(test_findings__divided_votes_have_a_least_loss),
        cmocka_unit_test(test_findings__one_side_and_separable),
        cmocka_unit_test(test_findings__only_ties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
