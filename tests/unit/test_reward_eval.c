/* Evaluations of rewards: answers scored once, slices, figures by hand, every failing allocation.
 * tests/cli/test_cli_reward_eval.c has the figures of an independent implementation. */
#include "reward/reward_eval.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "data/preference_log.h"
#include "data/project.h"
#include "reward/item_rewards.h"
#include "reward/reward_rule.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/near.h"
#include "tests/support/scratch.h"

#define PROMPTS 4

static struct scratch *scratch;
static const char *path;
static struct db *db;
static struct comparison_set set;
static struct pair_texts texts;
static const bool all_tested[PROMPTS] = {true, true, true, true};

struct row {
    const char *prompt, *annotator, *better, *worse;
};

/* Of four prompts: the longer side is preferred (4 : 2), the shorter one (2 : 8), by two of three
 * the longer (3 : 1), equally long ones. */
static const struct row rows[] = {
    {"p0", "ann", "aaaa", "bb"}, {"p1", "bob", "cc", "dddddddd"}, {"p2", "ann", "eee", "f"},
    {"p2", "bob", "eee", "f"},   {"p2", "cy", "f", "eee"},        {"p3", "cy", "gg", "hh"},
};
#define ROWS ((int64_t)(sizeof rows / sizeof rows[0]))

static void append(struct preference_log *log, const struct row *r, int64_t line) {
    struct error err = ERROR_INIT;
    const struct preference_response sides[] = {{.text = text_span_of(r->better), .rank = 1},
                                                {.text = text_span_of(r->worse), .rank = 2}};
    const struct preference row = {.kind = PREFERENCE_COMPARISON,
                                   .line = line,
                                   .prompt = {.kind = PROMPT_TEXT, .text = text_span_of(r->prompt)},
                                   .annotator = text_span_of(r->annotator),
                                   .responses = sides,
                                   .response_count = 2,
                                   .weight = 1.0};
    assert_ok(preference_log_append(log, &row, &err), &err);
}

static int setup(void **state) {
    struct error err = ERROR_INIT;
    struct preference_log *log = NULL;
    assert_int_equal(scratch_setup(state), 0);
    scratch = *state;
    path = scratch_path(scratch, "p.db");
    struct db_tx tx = DB_TX_INIT;
    const struct db_options options = {
        .path = path, .mode = DB_MODE_CREATE, .schema = project_schema()};
    assert_ok(db_open(&options, &db, &err), &err);
    assert_ok(preference_log_open(db, &log, &err), &err);
    assert_ok(db_tx_open(db, &tx, &err), &err);
    assert_ok(preference_log_begin_source(log, "tea.jsonl", "test", "{}", 0, &err), &err);
    for (int64_t i = 0; i < ROWS; i++) {
        append(log, &rows[i], i + 1);
    }
    const struct preference_source_summary summary = {.sha256 = {.bytes = {1}}, .rows = ROWS};
    assert_ok(preference_log_end_source(log, &summary, &err), &err);
    assert_ok(db_tx_commit(&tx, &err), &err);
    preference_log_close(log);
    const struct comparison_set_options all = {.aspect = NULL};
    assert_ok(comparison_set_load(db, &all, &set, &err), &err);
    assert_ok(pair_texts_load(db, &set, &texts, &err), &err);
    assert_int_equal(set.block_count, PROMPTS);
    return 0;
}

static int teardown(void **state) {
    pair_texts_deinit(&texts);
    comparison_set_deinit(&set);
    db_close(db);
    return scratch_teardown(state);
}

/* ---- answers scored ---- */

static enum err_code score_lengths(struct db *from, const bool *is_wanted, double *out,
                                   struct error *err) {
    SCOPED(reward) struct reward *reward = NULL;
    const struct item_rewards_options options = {.is_wanted = is_wanted};
    TRY(reward_rule_open("length", &reward, err));
    return item_rewards_score(from, &set, &options, reward, out, err);
}

static void test_item_rewards__of_wanted_answers_in_their_order(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    bool is_wanted[2 * PROMPTS];
    double rewards[2 * PROMPTS];
    for (int64_t i = 0; i < set.item_count; i++) {
        is_wanted[i] = set.item_blocks[i] != 1;
    }
    assert_int_equal(set.item_count, 2 * PROMPTS);
    assert_ok(score_lengths(db, is_wanted, rewards, &err), &err);
    for (int64_t i = 0; i < set.item_count; i++) {
        if (is_wanted[i]) {
            const int64_t length = text_features_matrix(texts.features).lengths[i];
            assert_near(rewards[i], (double)length, 0.0);
        } else {
            assert_true(isnan(rewards[i]));
        }
    }
}

/* ---- slices ---- */

static int64_t find_slice(const struct eval_slices *slices, const char *name) {
    for (int64_t s = 0; s < slices->count; s++) {
        if (strcmp(slices->list[s].name, name) == 0) {
            return s;
        }
    }
    fail_msg("no slice '%s'", name);
    return -1;
}

/* Ratios of lengths 2, 4, 3: ln 2, ln 3, ln 4 sorted, so the fifths lie at 0.4, 0.8, 1.2, 1.6
 * between their places; ln 2 is in the first, ln 3 in the third, ln 4 in the fifth. */
static void test_slices__of_pairs(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(eval_slices) struct eval_slices slices = EVAL_SLICES_INIT;
    assert_ok(eval_slices_make(db, &set, &texts, all_tested, &slices, &err), &err);
    assert_near(slices.fifths[0], log(2) + 0.4 * log(1.5), 1e-14);
    assert_near(slices.fifths[3], log(3) + 0.6 * log(4.0 / 3.0), 1e-14);
    static const int64_t length[] = {0, 5 + 4, 2, 10};
    static const char *const agreement[] = {"one judgement", "one judgement", "fewer",
                                            "one judgement"};
    for (int64_t p = 0; p < texts.count; p++) {
        int64_t of[EVAL_PAIR_FAMILIES];
        eval_slices_of_pair(&slices, &texts, p, of);
        assert_int_equal(of[EVAL_FAMILY_LENGTH], length[texts.blocks[p]]);
        assert_string_equal(slices.list[of[EVAL_FAMILY_AGREEMENT]].name,
                            agreement[texts.blocks[p]]);
        assert_string_equal(slices.list[of[EVAL_FAMILY_TIES]].name, "nobody calls a tie");
    }
    /* nobody has the judgements that it takes; all come from one source */
    assert_int_equal(slices.first[EVAL_FAMILY_ANNOTATOR], slices.count);
    const int64_t source = find_slice(&slices, "tea.jsonl");
    for (int64_t c = 0; c < set.count; c++) {
        assert_int_equal(slices.of_comparison[0][c], source);
        assert_int_equal(slices.of_comparison[2][c], -1);
    }
}

/* ---- figures ---- */

/* Two rewards: the length, and its negative, which does not know the answers of p1. */
static enum err_code evaluate_slices(const struct eval_slices *slices, const bool *is_tested,
                                     struct reward_eval *out, struct error *err) {
    double rewards[2 * 2 * PROMPTS];
    for (int64_t i = 0; i < set.item_count; i++) {
        rewards[i] = (double)text_features_matrix(texts.features).lengths[i];
        rewards[set.item_count + i] = set.item_blocks[i] == 1 ? (double)NAN : -rewards[i];
    }
    const struct reward_eval_input input = {.set = &set,
                                            .texts = &texts,
                                            .slices = slices,
                                            .is_tested = is_tested,
                                            .rewards = rewards,
                                            .reward_count = 2,
                                            .match_nats = log(2.5),
                                            .seed = 1};
    return reward_eval_run(&input, out, err);
}

static enum err_code evaluate(const bool *is_tested, struct reward_eval *out, struct error *err) {
    SCOPED(eval_slices) struct eval_slices slices = EVAL_SLICES_INIT;
    TRY(eval_slices_make(db, &set, &texts, all_tested, &slices, err));
    return evaluate_slices(&slices, is_tested, out, err);
}

/* Length is right on p0 and p2, wrong on p1, half right on p3: 2.5 of 4. Adjusted: 1 where the
 * longer side is preferred, 0 where the shorter: 1/2. Within 2.5 times: p0 and p3, 1.5 of 2. Its
 * negative knows p0, p2, p3: 0.5 of 3; there length has 2.5 of 3, so the difference is 2/3. */
static void test_eval__hand_worked(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(reward_eval) struct reward_eval eval = REWARD_EVAL_INIT;
    assert_ok(evaluate(all_tested, &eval, &err), &err);
    assert_int_equal(eval.pairs, 4);
    assert_int_equal(eval.common_pairs, 3);
    assert_int_equal(eval.prompts, 4);
    assert_near(eval.judgements, 6.0, 0.0);
    assert_near(eval.longer_preferred, 2.0 / 3.0, 1e-15);
    const struct reward_eval_row *length = &eval.rows[0], *negative = &eval.rows[1];
    assert_near(length->scores.accuracy.value, 2.5 / 4.0, 1e-15);
    assert_near(length->length_adjusted.value, 0.5, 1e-15);
    assert_near(length->length_matched.value, 0.75, 1e-15);
    assert_near(length->matched_pairs, 2.0, 0.0);
    assert_near(length->pearson.value, 1.0, 1e-15);
    assert_near(negative->spearman.value, -1.0, 1e-15);
    assert_int_equal(negative->pairs_unknown, 1);
    assert_int_equal(negative->answers_unknown, 2);
    assert_int_equal(negative->answers, 6);
    assert_near(negative->scores.accuracy.value, 0.5 / 3.0, 1e-15);
    assert_near(reward_eval_difference(&eval, 0, 1)->value, 2.0 / 3.0, 1e-15);
    assert_near(reward_eval_difference(&eval, 1, 0)->low,
                -reward_eval_difference(&eval, 0, 1)->high, 1e-15);
    assert_true(isnan(length->choice.value) && isnan(eval.choice_chance));
}

/* Length beats its negative on the pairs that both know; each margin is counted where it lies: 2,
 * -6, 2 and 0 of the length, whose outermost is 6. */
static void test_eval__best_and_margins(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(reward_eval) struct reward_eval eval = REWARD_EVAL_INIT;
    assert_ok(evaluate(all_tested, &eval, &err), &err);
    const struct eval_margins *margins = &eval.rows[0].margins;
    assert_near(margins->high, 6.0, 0.0);
    assert_int_equal(margins->counts[0], 1);
    assert_int_equal(margins->zeros, 1);
    assert_int_equal(margins->counts[12], 0);
    assert_int_equal(margins->counts[16], 2); /* 2 of 6: (1/3 + 1) / 2 of 24 */
    assert_int_equal(eval.rows[0].dot_count, 4);
    const bool both[] = {true, true}, one[] = {true, false};
    assert_int_equal(reward_eval_best(&eval, one), -1);
    eval.accuracy_gaps[0 * 2 + 1] = (struct pair_score){.value = 0.6, .low = 0.01, .high = 0.9};
    assert_int_equal(reward_eval_best(&eval, both), 0);
    eval.accuracy_gaps[0 * 2 + 1].low = 0.0;
    assert_int_equal(reward_eval_best(&eval, both), -1);
}

static void test_eval__refuses_to_judge_by_nothing(void **state) {
    (void)state;
    const bool none[PROMPTS] = {false};
    struct error err = ERROR_INIT;
    struct reward_eval eval = REWARD_EVAL_INIT;
    assert_fails(evaluate(none, &eval, &err), ERR_DATA, "no pair of answers", &err);
}

/* One prompt has figures, and no intervals. */
static void test_eval__one_prompt_has_no_intervals(void **state) {
    (void)state;
    const bool one[PROMPTS] = {true, false, false, false};
    struct error err = ERROR_INIT;
    SCOPED(reward_eval) struct reward_eval eval = REWARD_EVAL_INIT;
    assert_ok(evaluate(one, &eval, &err), &err);
    assert_near(eval.rows[0].scores.accuracy.value, 1.0, 0.0);
    assert_true(isnan(eval.rows[0].scores.accuracy.low));
    assert_true(isnan(reward_eval_difference(&eval, 0, 1)->low));
}

/* ---- memory ---- */

static enum err_code only_open(void *context, struct error *err) {
    (void)context;
    SCOPED(db) struct db *own = NULL;
    return project_open(path, DB_MODE_READ_ONLY, NULL, &own, err);
}

static enum err_code read_project(void *context, struct error *err) {
    (void)context;
    const bool is_wanted[2 * PROMPTS] = {true, true, true, true, true, true, true, true};
    double rewards[2 * PROMPTS];
    SCOPED(db) struct db *own = NULL;
    SCOPED(eval_slices) struct eval_slices slices = EVAL_SLICES_INIT;
    TRY(project_open(path, DB_MODE_READ_ONLY, NULL, &own, err));
    TRY(score_lengths(own, is_wanted, rewards, err));
    return eval_slices_make(own, &set, &texts, all_tested, &slices, err);
}

static enum err_code evaluate_again(void *context, struct error *err) {
    SCOPED(reward_eval) struct reward_eval eval = REWARD_EVAL_INIT;
    return evaluate_slices(context, all_tested, &eval, err);
}

static void test_every_failing_allocation__clean(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(eval_slices) struct eval_slices slices = EVAL_SLICES_INIT;
    assert_ok(eval_slices_make(db, &set, &texts, all_tested, &slices, &err), &err);
    alloc_loop_check(evaluate_again, &slices);
    alloc_loop_check_after(only_open, read_project, NULL);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_item_rewards__of_wanted_answers_in_their_order),
        CASE(test_slices__of_pairs),
        CASE(test_eval__hand_worked),
        CASE(test_eval__best_and_margins),
        CASE(test_eval__refuses_to_judge_by_nothing),
        CASE(test_eval__one_prompt_has_no_intervals),
        CASE(test_every_failing_allocation__clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
