/* bt_test.h - do Bradley-Terry rewards explain the pairs, or do people divide otherwise? The G2
 * test of the empirical pair proportions against the best Bradley-Terry model.
 *
 * Use:      struct bt_test test;
 *           TRY(bt_test_run(&set, &(struct bt_test_options){.seed = seed}, &test, err));
 *           if (test.skipped == BT_TEST_DONE && test.p_value < 0.05) { ... it is not enough ... }
 * Statistic: G2 (bt_cells.h): each pair of items of a prompt, and each way it was shown, is a cell;
 *           ties are left out. With the order shown known, an effect of it is fitted too, unless
 *           there are rankings, whose models have none.
 * p-value:  pairs: the tail of chi-square, unless more than a fifth of the cells expect fewer than
 *           5 wins or 5 losses. Then, and for rankings, a parametric bootstrap: data simulated from
 *           a fit (shrunk a little, bt_test.c says why) go through the same steps, groups included,
 *           and p = (1 + those with G2 at least as large) / (1 + all). It stops at BT_TEST_EXCEEDED
 *           of them (Besag and Clifford 1991), where p is their share.
 * Rankings: the pairs of one ranking are not independent, so G2 of them is not chi-square, and
 *           simulating pairs would be wrong too. The null is Plackett-Luce, of which every pair is
 *           Bradley-Terry, with the rewards of the fit, which are consistent under it; whole
 *           rankings are simulated, and which places are tied, or not looked into, stays with the
 *           place. So a rejection says: pairs vary more than one Plackett-Luce population allows.
 * Core:     comparisons that no other could contradict, as those of a prompt with two answers, fit
 *           exactly and are left out first (bt_core.h): G2 and its degrees of freedom are the same
 *           without them, while the limit, the rule for chi-square and the bootstrap are about the
 *           comparisons that decide.
 * Judged once: a cell with one judgement says nothing by itself: given how often each item won, the
 *           likelihood of the fit is what it is. Without a pair judged twice there is no test.
 * Limits:   BT_TEST_CELLS_MAX cells, those judged most; BT_TEST_RANKED_PAIRS_MAX pairs in rankings,
 *           rankings drawn by a keyed generator. Neither looks at who won.
 * Threads:  one.
 */
#ifndef REWARD_BT_TEST_H
#define REWARD_BT_TEST_H

#include "base/error.h"
#include "data/comparison_set.h"

#include <stdbool.h>
#include <stdint.h>

#define BT_TEST_CELLS_MAX        20000
#define BT_TEST_RANKED_PAIRS_MAX 300000
#define BT_TEST_REPLICATES_MAX   999
#define BT_TEST_REPLICATES_MIN   39
#define BT_TEST_EXCEEDED         50

/* Why there is no test. */
#define BT_TEST_REASONS(X)                                                              \
    X(DONE, "")                                                                         \
    X(WEIGHTS, "the weights are not all whole numbers, and so do not count judgements") \
    X(ONCE, "no pair of responses that others bear on was judged more than once")       \
    X(FREEDOM, "the rewards alone fit every pair: nothing is left to test")             \
    X(LONG, "every ranking is too long for it")                                         \
    X(LOOSE, "too few judgements a pair for chi-square, and too many pairs to simulate")

enum bt_test_reason {
#define BT_TEST_ENUM(name, text) BT_TEST_##name,
    BT_TEST_REASONS(BT_TEST_ENUM)
#undef BT_TEST_ENUM
        BT_TEST_REASON_COUNT
};

struct bt_test_options {
    uint64_t seed;
    bool bootstrap_always; /* also where chi-square would do */
};

struct bt_test {
    enum bt_test_reason skipped;
    bool rankings;          /* simulated as such */
    bool position;          /* an effect of the order shown was fitted */
    double position_effect; /* nats */
    double judgements;      /* of pairs, in cells that could be off */
    double settled;         /* in cells that always went the same way between groups */
    int64_t cells;          /* that could be off */
    int64_t cells_left_out; /* by the limit */
    double rankings_used;   /* share of rankings; 1 without a limit */
    double g2;
    int64_t degrees;     /* of freedom */
    double p_chi_square; /* NaN for rankings */
    double sparse;       /* share of cells that expect fewer than 5 */
    int64_t replicates;  /* simulated; 0: none needed */
    int64_t exceeded;    /* with G2 at least as large */
    double g2_expected;  /* mean of the simulated; NaN without */
    double p_value;      /* the one to use */
    double distance;     /* root mean square, over pairs judged more than once, of their proportion
                          * minus its probability, noise taken off */
};

ERR_NODISCARD enum err_code bt_test_run(const struct comparison_set *set,
                                        const struct bt_test_options *options,
                                        struct bt_test *out_test, struct error *err);

/* "no pair ...". Static. */
const char *bt_test_reason_text(enum bt_test_reason reason);

#endif
