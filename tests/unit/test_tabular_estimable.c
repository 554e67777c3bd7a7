#include "reward/tabular_estimable.h"

#include "base/scoped.h"
#include "reward/tabular_models.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/comparison_sample.h"
#include "tests/support/tabular_case.h"
#include "tests/support/test.h"

#include <math.h>

static enum err_code check(const struct comparison_set *set, const struct tabular_options *options,
                           struct error *err) {
    SCOPED(pair_table) struct pair_table table = PAIR_TABLE_INIT;
    bool is_half = options->ties == TABULAR_TIES_HALF;
    TRY(pair_table_build(set, is_half ? PAIR_TIES_HALF : PAIR_TIES_KEEP, &table, err));
    return tabular_check_pairs(set, &table, options, err);
}

static void refuse(const struct comparison_set *set, const struct tabular_options *options,
                   const char *message) {
    struct error err = ERROR_INIT;
    assert_int_equal(check(set, options, &err), ERR_DATA);
    assert_string_equal(err.msg, message);
}

static struct tabular_options plain(enum tabular_model model, bool position) {
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    options.model = model;
    options.position_effect = position;
    options.ties = model == TABULAR_BRADLEY_TERRY ? TABULAR_TIES_HALF : TABULAR_TIES_REFUSE;
    return options;
}

/* Whether linear programs find a direction in which the likelihood never falls; and the fit itself
 * agrees: an estimate is finite, and stays when it goes on. */
static void test_check_pairs__as_linear_programs_have_it(void **state) {
    (void)state;
    SCOPED(json) struct json *doc = NULL;
    struct error err = ERROR_INIT;
    int64_t counts[2] = {0, 0};
    assert_ok(json_parse_file(GOLDEN_FOLDER "/tabular/existence.json", NULL, &doc, &err), &err);
    for (const struct json_node *node = json_first(json_root(doc)); node; node = json_next(node)) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
        struct tabular_options options;
        struct error refused = ERROR_INIT;
        bool is_there = false;
        tabular_case_read(doc, node, &set, &options);
        assert_ok(json_as_bool(doc, json_find(doc, node, "exists"), &is_there, &err), &err);
        enum err_code code = check(&set, &options, &refused);
        counts[is_there]++;
        if ((code == ERR_OK) != is_there) {
            fail_msg("case %lld: expected %s, got '%s'", (long long)(counts[0] + counts[1] - 1),
                     is_there ? "an estimate" : "none", refused.msg);
        }
        code = tabular_fit_run(&set, &options, &fit, &refused);
        assert_int_equal(code, is_there ? ERR_OK : ERR_DATA);
        for (int64_t i = 0; i < fit.item_count; i++) {
            assert_true(fabs(fit.rewards[i]) < 20.0);
        }
    }
    assert_true(counts[0] >= 100 && counts[1] >= 100);
}

static void test_check_pairs__names_groups_never_compared(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 0);
    const char *const names[] = {"tea", "mate", "coffee", "cocoa", "milk", "water", "juice"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        comparison_sample_item(&set, names[k]);
    }
    comparison_sample_tie(&set, 0, 1);
    for (int32_t i = 3; i < 7; i++) {
        comparison_sample_tie(&set, 2, i);
    }
    struct tabular_options options = plain(TABULAR_BRADLEY_TERRY, false);
    const char *message = "no estimate: 'tea', 'mate' were never compared with 'coffee', 'cocoa', "
                          "'milk' and 2 more, not even through others; import comparisons that "
                          "connect them, or use --estimator map";
    refuse(&set, &options, message);
    options.estimator = TABULAR_FIRTH;
    refuse(&set, &options, message);
    options.estimator = TABULAR_MAXIMUM_POSTERIOR;
    struct error err = ERROR_INIT;
    assert_ok(check(&set, &options, &err), &err);
}

static void test_check_pairs__names_who_never_lost(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 4);
    comparison_sample_win(&set, 2, 0);
    comparison_sample_win(&set, 0, 1);
    comparison_sample_win(&set, 1, 3);
    comparison_sample_win(&set, 3, 0);
    struct tabular_options options = plain(TABULAR_BRADLEY_TERRY, false);
    refuse(&set, &options,
           "no maximum-likelihood estimate: item 3 never lost to any of the other 3, which only "
           "rewards infinitely far apart explain; use --estimator map or firth");
    options.estimator = TABULAR_FIRTH;
    struct error err = ERROR_INIT;
    assert_ok(check(&set, &options, &err), &err);
    for (int64_t m = 0; m < set.starts[set.count]; m += 2) { /* all the other way round */
        int32_t item = set.items[m];
        set.items[m] = set.items[m + 1];
        set.items[m + 1] = item;
    }
    options = plain(TABULAR_DAVIDSON, false);
    refuse(&set, &options,
           "no maximum-likelihood estimate: item 3 never won against any of the other 3, which "
           "only rewards infinitely far apart explain; use --estimator map");
}

static void test_check_pairs__counts_prompts(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 6);
    int64_t prompts[3] = {41, 42, 43}, responses[6] = {101, 102, 103, 104, 105, 106};
    for (int32_t i = 0; i < 6; i++) {
        comparison_sample_set_block(&set, i, i / 2);
    }
    comparison_sample_tie(&set, 0, 1);
    comparison_sample_win(&set, 3, 2);
    comparison_sample_win(&set, 5, 4);
    set.block_prompt_ids = prompts;
    set.item_response_ids = responses;
    struct tabular_options options = plain(TABULAR_BRADLEY_TERRY, false);
    refuse(&set, &options,
           "no maximum-likelihood estimate: response 104 never lost to response 103 "
           "(prompt 42, and 1 more like it), which only rewards infinitely far apart "
           "explain; use --estimator map or firth");
    set.block_prompt_ids = NULL; /* not the set's own */
    set.item_response_ids = NULL;
}

static void test_check_pairs__tie_parameters(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 3);
    comparison_sample_win(&set, 0, 1);
    comparison_sample_win(&set, 1, 2);
    comparison_sample_win(&set, 2, 0);
    struct tabular_options options = plain(TABULAR_DAVIDSON, false);
    const char *message = "no estimate of the tie parameter of davidson: nothing was tied; use "
                          "--model bradley-terry";
    refuse(&set, &options, message);
    options.estimator = TABULAR_MAXIMUM_POSTERIOR;
    refuse(&set, &options, message);
    comparison_sample_tie(&set, 0, 1);
    struct error err = ERROR_INIT;
    assert_ok(check(&set, &options, &err), &err);
    /* 0 beat 1, both tied with 2: rewards 1, -1 and 0 with nu between make all certain at last */
    SCOPED(comparison_set) struct comparison_set parted = COMPARISON_SET_INIT;
    comparison_sample_init(&parted, 3);
    comparison_sample_win(&parted, 0, 1);
    comparison_sample_tie(&parted, 0, 2);
    comparison_sample_tie(&parted, 1, 2);
    options = plain(TABULAR_RAO_KUPPER, false);
    refuse(&parted, &options,
           "no estimate of the tie parameter of rao-kupper: some rewards explain every tie and "
           "every win at once, or use --estimator map");
    options.estimator = TABULAR_MAXIMUM_POSTERIOR;
    assert_ok(check(&parted, &options, &err), &err);
}

static void add_shown(struct comparison_set *set, int32_t winner, int32_t loser, int32_t place) {
    comparison_sample_win(set, winner, loser);
    comparison_sample_set_positions(set, (int32_t[]){place, 3 - place});
}

static void test_check_pairs__position_effects(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    struct error err = ERROR_INIT;
    comparison_sample_init(&set, 2);
    comparison_sample_win(&set, 0, 1);
    comparison_sample_win(&set, 1, 0);
    struct tabular_options options = plain(TABULAR_BRADLEY_TERRY, true);
    refuse(&set, &options,
           "no estimate of the position effect: no comparison says what was shown first; leave it "
           "out");
    add_shown(&set, 0, 1, 1);
    add_shown(&set, 1, 0, 1);
    refuse(&set, &options,
           "no estimate of the position effect: the item shown first always won, as far as the "
           "rewards leave it open; leave it out, or use --estimator map");
    add_shown(&set, 1, 0, 2);
    add_shown(&set, 0, 1, 2);
    assert_ok(check(&set, &options, &err), &err);
    SCOPED(comparison_set) struct comparison_set fixed = COMPARISON_SET_INIT;
    comparison_sample_init(&fixed, 2);
    add_shown(&fixed, 0, 1, 1); /* 0 always first */
    add_shown(&fixed, 1, 0, 2);
    refuse(&fixed, &options,
           "no estimate of the position effect: the data cannot tell it from the rewards, since no "
           "cycle of items was shown in changing order; leave it out");
    options.estimator = TABULAR_FIRTH;
    refuse(&fixed, &options,
           "no estimate of the position effect: the data cannot tell it from the rewards, since no "
           "cycle of items was shown in changing order; leave it out");
}

static enum err_code check_ties(void *context, struct error *err) {
    struct tabular_options options = plain(TABULAR_DAVIDSON, true);
    return check(context, &options, err);
}

static enum err_code check_names(void *context, struct error *err) {
    enum err_code code = tabular_check_estimable(context, true, err);
    return code == ERR_DATA ? ERR_OK : code;
}

static void test_check_pairs__every_allocation_may_fail(void **state) {
    (void)state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    comparison_sample_init(&set, 2);
    add_shown(&set, 0, 1, 1);
    add_shown(&set, 1, 0, 1);
    add_shown(&set, 0, 1, 2);
    add_shown(&set, 1, 0, 2);
    comparison_sample_tie(&set, 0, 1);
    alloc_loop_check(check_ties, &set);
    set.count = 1;
    alloc_loop_check(check_names, &set);
    set.count = 0;
    alloc_loop_check(check_names, &set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_pairs__as_linear_programs_have_it),
        cmocka_unit_test(test_check_pairs__names_groups_never_compared),
        cmocka_unit_test(test_check_pairs__names_who_never_lost),
        cmocka_unit_test(test_check_pairs__counts_prompts),
        cmocka_unit_test(test_check_pairs__tie_parameters),
        cmocka_unit_test(test_check_pairs__position_effects),
        cmocka_unit_test(test_check_pairs__every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
