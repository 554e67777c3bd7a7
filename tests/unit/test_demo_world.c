#include "trainer/demo_world.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/scoped.h"
#include "tests/support/near.h"

#include <stdio.h>
#include <stdlib.h>

#define ROWS_MAX (64 * MIB)
#define PETS     3 /* d = 2.4 on the coast, -2.4 in the hills */
#define RAIN     5 /* utilities 1.6, 1, 0 of all */

/* --- truth ------------------------------------------------------------------------------------ */

/* Davidson with d = 2.4, nu = 1/4: e^1.2 = 3.320117, e^-1.2 = 0.301194, sum 3.871311:
 *   win 0.857621, tie 0.064578, loss 0.077802
 * Reliability of the coast: voters 0-35 in turns of 0.98, 0.98, 0.95, 0.9, 0.8 (sum 4.61), seven
 * turns and 0.98, of which voter 11 has 0.5 for 0.98: (7 x 4.61 + 0.98 - 0.48) / 36 = 0.910278. Of
 * the hills: 36-59 are 0.98, 0.95, 0.9, 0.8 and four turns, voter 46 with 0.5:
 *   (3.63 + 4 x 4.61 - 0.48) / 24 = 0.899583
 * A vote, which the hills cast the other way round:
 *   win = (36 (0.910278 x 0.857621 + 0.089722 x 0.077802)
 *        + 24 (0.899583 x 0.077802 + 0.100417 x 0.857621)) / 60 = 0.535036
 *   loss = 1 - 0.535036 - 0.064578 = 0.400387,   log(win / loss) = 0.289902
 * Share of the dog: 1 / (1 + 0.400387 / 0.535036) = 0.571972. */
static void test_demo_world__hand_worked(void **state) {
    (void)state;
    const struct demo_topic *pets = demo_world_topic(PETS);
    const struct demo_odds odds = demo_world_odds(pets, 0, 1);
    double rewards[DEMO_ANSWERS_MAX];
    double shares[DEMO_ANSWERS_MAX];
    assert_near(odds.win, 0.535036, 1e-6);
    assert_near(odds.tie, 0.064578, 1e-6);
    assert_near(odds.loss, 0.400387, 1e-6);
    demo_world_rewards(pets, rewards);
    demo_world_shares(pets, shares);
    assert_near(rewards[0] - rewards[1], 0.289902, 1e-6);
    assert_near(shares[0], 0.571972, 1e-6);
}

static void test_demo_world__sides_can_be_swapped_and_sums_hold(void **state) {
    (void)state;
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        const struct demo_topic *topic = demo_world_topic(t);
        double rewards[DEMO_ANSWERS_MAX];
        double shares[DEMO_ANSWERS_MAX];
        double reward_sum = 0.0;
        double share_sum = 0.0;
        demo_world_rewards(topic, rewards);
        demo_world_shares(topic, shares);
        for (int64_t i = 0; i < topic->answer_count; i++) {
            reward_sum += rewards[i];
            share_sum += shares[i];
            for (int64_t j = 0; j < topic->answer_count; j++) {
                const struct demo_odds one = demo_world_odds(topic, i, j);
                const struct demo_odds other = demo_world_odds(topic, j, i);
                assert_near(one.win, other.loss, 1e-15);
                assert_near(one.win + one.tie + one.loss, 1.0, 1e-15);
            }
        }
        assert_near(reward_sum, 0.0, 1e-14);
        assert_near(share_sum, 1.0, 1e-14);
    }
}

/* Slope of the expected log-likelihood of Davidson's model in each reward, and in log nu. */
static void slopes(double rewards[DEMO_TOPICS][DEMO_ANSWERS_MAX], double log_nu,
                   double out_rewards[DEMO_TOPICS][DEMO_ANSWERS_MAX], double *out_log_nu) {
    *out_log_nu = 0.0;
    memset(out_rewards, 0, sizeof(double[DEMO_TOPICS][DEMO_ANSWERS_MAX]));
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        const struct demo_topic *topic = demo_world_topic(t);
        const double n = (double)topic->answer_count;
        const double weight = 2.0 / (n * (n - 1.0)); /* every topic has as many votes */
        for (int64_t i = 0; i < topic->answer_count; i++) {
            for (int64_t j = i + 1; j < topic->answer_count; j++) {
                const struct demo_odds seen = demo_world_odds(topic, i, j);
                const double win = exp(0.5 * (rewards[t][i] - rewards[t][j]));
                const double sum = win + exp(log_nu) + 1.0 / win;
                const double slope =
                    weight * 0.5 * (seen.win - seen.loss - (win - 1.0 / win) / sum);
                out_rewards[t][i] += slope;
                out_rewards[t][j] -= slope;
                *out_log_nu += weight * (seen.tie - exp(log_nu) / sum);
            }
        }
    }
}

/* One nu for all topics, two populations and wrong votes: Davidson's model is not quite the
 * world's, and its maximum likelihood with infinitely many votes not quite the truth. The furthest
 * are Dance and Sing, 0.0204 of 1.09 nats: 0.3 points of a share. */
static void test_demo_world__truth_is_what_endless_votes_fit(void **state) {
    (void)state;
    double fitted[DEMO_TOPICS][DEMO_ANSWERS_MAX] = {0};
    double step[DEMO_TOPICS][DEMO_ANSWERS_MAX];
    double log_nu = 0.0;
    double log_nu_step = 0.0;
    for (int64_t round = 0; round < 2000; round++) {
        slopes(fitted, log_nu, step, &log_nu_step);
        log_nu += log_nu_step;
        for (int64_t t = 0; t < DEMO_TOPICS; t++) {
            for (int64_t i = 0; i < DEMO_ANSWERS_MAX; i++) {
                fitted[t][i] += 2.0 * step[t][i];
            }
        }
    }
    assert_near(log_nu_step, 0.0, 1e-12);
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        double truth[DEMO_ANSWERS_MAX];
        demo_world_rewards(demo_world_topic(t), truth);
        for (int64_t i = 0; i < demo_world_topic(t)->answer_count; i++) {
            assert_near(fitted[t][i] - fitted[t][0], truth[i] - truth[0], 0.021);
        }
    }
}

/* --- standard errors -------------------------------------------------------------------------- */

static double variance(const struct demo_odds *odds) {
    const double mean = 0.5 * (odds->win - odds->loss);
    return 0.25 * (odds->win + odds->loss) - mean * mean;
}

/* Two answers: 1 / sqrt(1000 x variance). Three: the information of the rewards of answers 1 and 2
 * beside answer 0 is [[w01 + w12, -w12], [-w12, w02 + w12]], and its inverse their covariance. */
static void test_demo_world__errors_are_those_of_the_information(void **state) {
    (void)state;
    const struct demo_odds pets = demo_world_odds(demo_world_topic(PETS), 0, 1);
    assert_near(demo_world_error(demo_world_topic(PETS), 0, 1, 1000.0),
                1.0 / sqrt(1000.0 * variance(&pets)), 1e-12);
    const struct demo_topic *rain = demo_world_topic(RAIN);
    double w[3]; /* of 01, 02, 12, each with a third of the votes */
    for (int64_t k = 0; k < 3; k++) {
        const struct demo_odds odds = demo_world_odds(rain, k == 2 ? 1 : 0, k == 0 ? 1 : 2);
        w[k] = 500.0 * variance(&odds);
    }
    const double determinant = (w[0] + w[2]) * (w[1] + w[2]) - w[2] * w[2];
    assert_near(demo_world_error(rain, 0, 1, 1500.0), sqrt((w[1] + w[2]) / determinant), 1e-12);
    assert_near(demo_world_error(rain, 2, 0, 1500.0), sqrt((w[0] + w[2]) / determinant), 1e-12);
}

/* --- rows ------------------------------------------------------------------------------------- */

/* Votes of each outcome, by topic and pair with first < second. */
struct tally {
    double win[DEMO_TOPICS][DEMO_ANSWERS_MAX][DEMO_ANSWERS_MAX];
    double tie[DEMO_TOPICS][DEMO_ANSWERS_MAX][DEMO_ANSWERS_MAX];
    double shown[DEMO_TOPICS][DEMO_ANSWERS_MAX];
    int64_t rows;
};

static const char *text_of(const struct json *doc, const struct json_node *node, const char *key) {
    const char *text = NULL;
    struct error err = ERROR_INIT;
    assert_ok(json_get_string(doc, node, key, &text, &err), &err);
    return text;
}

static int64_t answer_of(int64_t topic, const char *text) {
    for (int64_t i = 0; i < demo_world_topic(topic)->answer_count; i++) {
        if (strcmp(demo_world_topic(topic)->answers[i], text) == 0) {
            return i;
        }
    }
    fail_msg("'%s' is no answer", text);
    return 0;
}

static int64_t topic_of(const char *name) {
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        if (strcmp(demo_world_topic(t)->name, name) == 0) {
            return t;
        }
    }
    fail_msg("'%s' is no topic", name);
    return 0;
}

static void count_vote(struct tally *tally, const struct json *doc, int64_t t) {
    struct error err = ERROR_INIT;
    const struct json_node *responses = NULL;
    int64_t answers[2];
    int64_t ranks[2];
    assert_ok(json_get_array(doc, json_root(doc), "responses", &responses, &err), &err);
    assert_int_equal(json_count(doc, responses), 2);
    for (int64_t side = 0; side < 2; side++) {
        const struct json_node *response = json_at(doc, responses, side);
        answers[side] = answer_of(t, text_of(doc, response, "text"));
        assert_ok(json_get_i64(doc, response, "rank", &ranks[side], &err), &err);
    }
    assert_int_not_equal(answers[0], answers[1]);
    const int64_t low = answers[0] < answers[1] ? answers[0] : answers[1];
    const int64_t high = answers[0] + answers[1] - low;
    tally->tie[t][low][high] += ranks[0] == ranks[1];
    if (ranks[0] != ranks[1]) {
        const int64_t winner = answers[ranks[0] < ranks[1] ? 0 : 1];
        tally->win[t][winner][low + high - winner] += 1.0;
    }
}

static void count_rows(const struct strbuf *rows, struct tally *tally) {
    const char *line = strbuf_text(rows);
    memset(tally, 0, sizeof *tally);
    while (*line) {
        const char *end = strchr(line, '\n');
        SCOPED(json) struct json *doc = NULL;
        struct error err = ERROR_INIT;
        assert_ok(json_parse(line, (size_t)(end - line), "row", NULL, &doc, &err), &err);
        const int64_t t = topic_of(text_of(doc, json_root(doc), "topic"));
        if (strcmp(text_of(doc, json_root(doc), "judgement"), "comparison") == 0) {
            count_vote(tally, doc, t);
        } else {
            tally->shown[t][answer_of(t, text_of(doc, json_root(doc), "completion"))] += 1.0;
        }
        tally->rows++;
        line = end + 1;
    }
}

static void check_share(double count, double total, double expected) {
    const double error = sqrt(expected * (1.0 - expected) / total);
    assert_near(count / total, expected, 5.0 * error);
}

/* 6 topics x 66 pairs of 12 names x 50 votes = 19800; of each outcome within 5 standard errors. */
static void test_demo_world__votes_fall_as_the_odds_say(void **state) {
    (void)state;
    const struct demo_size size = {.names = 12, .votes_per_prompt = 50};
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf rows = STRBUF_INIT(ROWS_MAX);
    struct tally tally;
    assert_int_equal(demo_world_prompts(&size), 66);
    assert_ok(demo_world_add_votes(&size, 3, &rows, &err), &err);
    count_rows(&rows, &tally);
    assert_int_equal(tally.rows, 19800);
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        const struct demo_topic *topic = demo_world_topic(t);
        for (int64_t i = 0; i < topic->answer_count; i++) {
            for (int64_t j = i + 1; j < topic->answer_count; j++) {
                const struct demo_odds odds = demo_world_odds(topic, i, j);
                const double total = tally.win[t][i][j] + tally.win[t][j][i] + tally.tie[t][i][j];
                check_share(tally.win[t][i][j], total, odds.win);
                check_share(tally.tie[t][i][j], total, odds.tie);
            }
        }
    }
}

/* 66 prompts: of every eight one shows the second answer, of every sixteen two each of three
 * answers. */
static void test_demo_world__demonstrations_have_their_shares(void **state) {
    (void)state;
    const struct demo_size size = {.names = 12, .votes_per_prompt = 1};
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf rows = STRBUF_INIT(ROWS_MAX);
    struct tally tally;
    assert_ok(demo_world_add_demonstrations(&size, 3, &rows, &err), &err);
    count_rows(&rows, &tally);
    assert_int_equal(tally.rows, 6 * 66);
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        for (int64_t i = 1; i < demo_world_topic(t)->answer_count; i++) {
            assert_near(tally.shown[t][i], 66.0 / 8.0, 2.0);
        }
    }
}

static void test_demo_world__follows_from_the_seed(void **state) {
    (void)state;
    const struct demo_size size = {.names = 3, .votes_per_prompt = 60};
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf first = STRBUF_INIT(ROWS_MAX);
    SCOPED(strbuf) struct strbuf again = STRBUF_INIT(ROWS_MAX);
    SCOPED(strbuf) struct strbuf other = STRBUF_INIT(ROWS_MAX);
    assert_ok(demo_world_add_votes(&size, 1, &first, &err), &err);
    assert_ok(demo_world_add_votes(&size, 1, &again, &err), &err);
    assert_ok(demo_world_add_votes(&size, 2, &other, &err), &err);
    assert_string_equal(strbuf_text(&first), strbuf_text(&again));
    assert_string_not_equal(strbuf_text(&first), strbuf_text(&other));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_demo_world__hand_worked),
        cmocka_unit_test(test_demo_world__sides_can_be_swapped_and_sums_hold),
        cmocka_unit_test(test_demo_world__truth_is_what_endless_votes_fit),
        cmocka_unit_test(test_demo_world__errors_are_those_of_the_information),
        cmocka_unit_test(test_demo_world__votes_fall_as_the_odds_say),
        cmocka_unit_test(test_demo_world__demonstrations_have_their_shares),
        cmocka_unit_test(test_demo_world__follows_from_the_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
