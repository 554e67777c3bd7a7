/* demo_report.c - see demo_report.h. */
#include "trainer/demo_report.h"

#include "base/json_writer.h"
#include "base/scoped.h"
#include "base/text_wrap.h"
#include "trainer/text_table.h"

#include <inttypes.h>
#include <math.h>

#define NORMAL_95    1.959964 /* standard errors of half an interval */
#define ERRORS_MAX   3.0
#define REWARD_SLACK 0.05 /* nats */
#define SHARE_SLACK  0.02
#define WIDTH        80
#define NAME_COLUMNS 14 /* of an answer */

static const char *const policy_keys[DEMO_POLICY_COUNT] = {
#define POLICY_KEY(name, key, title) key,
    DEMO_POLICIES(POLICY_KEY)
#undef POLICY_KEY
};

/* --- limits ----------------------------------------------------------------------------------- */

static double half_width(struct cluster_interval interval) {
    return 0.5 * (interval.high - interval.low);
}

/* Standard error of the fitted difference of answer i to the first. */
static double reward_error(const struct demo_result *result, int64_t t, int64_t i) {
    return demo_world_error(demo_world_topic(t), i, 0, result->votes[t]);
}

static double reward_limit(const struct demo_result *result, int64_t t, int64_t i) {
    return ERRORS_MAX * reward_error(result, t, i) + REWARD_SLACK;
}

/* What votes leave of a share p_i = exp r_i / sum: dp_i = p_i sum_j p_j (dr_i - dr_j), a mean of
 * the differences times p_i (1 - p_i), so that the largest of their errors bounds it. */
static double vote_error(const struct demo_result *result, int64_t t, int64_t i, double share) {
    const struct demo_topic *topic = demo_world_topic(t);
    double most = 0.0;
    for (int64_t j = 0; j < topic->answer_count; j++) {
        if (j != i) {
            most = fmax(most, demo_world_error(topic, i, j, result->votes[t]));
        }
    }
    return share * (1.0 - share) * most;
}

static double share_limit(const struct demo_result *result, int64_t t, int64_t i, double truth) {
    const struct demo_share *found = &result->shares[DEMO_POLICY_MATCHED].of[t][i];
    const double of_prompts = half_width(found->interval) / NORMAL_95;
    return ERRORS_MAX * hypot(vote_error(result, t, i, truth), of_prompts) + SHARE_SLACK;
}

static enum err_code check_reward(const struct demo_result *result, int64_t t, int64_t i,
                                  const double *truth, struct error *err) {
    const struct demo_topic *topic = demo_world_topic(t);
    const double *found = result->rewards.of[t];
    const double limit = reward_limit(result, t, i);
    const double distance = fabs(found[i] - found[0] - (truth[i] - truth[0]));
    if (!(distance <= limit)) { /* also when not a number */
        return err_set(err, ERR_LIMIT,
                       "demo: '%s' has a reward of %+.3f nats beside '%s', and the truth is %+.3f: "
                       "%.3f apart, limit %.3f",
                       topic->answers[i], found[i] - found[0], topic->answers[0],
                       truth[i] - truth[0], distance, limit);
    }
    return ERR_OK;
}

static enum err_code check_share(const struct demo_result *result, int64_t t, int64_t i,
                                 double truth, struct error *err) {
    const double found = result->shares[DEMO_POLICY_MATCHED].of[t][i].share;
    const double limit = share_limit(result, t, i, truth);
    if (!(fabs(found - truth) <= limit)) {
        return err_set(err, ERR_LIMIT,
                       "demo: the matched policy says '%s' %.1f %% of the time, people %.1f %%: "
                       "%.1f points apart, limit %.1f",
                       demo_world_topic(t)->answers[i], 100.0 * found, 100.0 * truth,
                       100.0 * fabs(found - truth), 100.0 * limit);
    }
    return ERR_OK;
}

enum err_code demo_report_check(const struct demo_result *result, struct error *err) {
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        double rewards[DEMO_ANSWERS_MAX];
        double shares[DEMO_ANSWERS_MAX];
        demo_world_rewards(demo_world_topic(t), rewards);
        demo_world_shares(demo_world_topic(t), shares);
        for (int64_t i = 0; i < demo_world_topic(t)->answer_count; i++) {
            if (i > 0) {
                TRY(check_reward(result, t, i, rewards, err));
            }
            TRY(check_share(result, t, i, shares[i], err));
        }
    }
    return ERR_OK;
}

double demo_report_distance(const struct demo_result *result, enum demo_policy policy) {
    double sum = 0.0;
    double count = 0.0;
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        double shares[DEMO_ANSWERS_MAX];
        demo_world_shares(demo_world_topic(t), shares);
        for (int64_t i = 0; i < demo_world_topic(t)->answer_count; i++) {
            sum += fabs(result->shares[policy].of[t][i].share - shares[i]);
            count += 1.0;
        }
    }
    return sum / count;
}

/* --- text ------------------------------------------------------------------------------------- */

static void add_share(struct strbuf *out, const struct demo_share *share) {
    strbuf_addf(out, " %5.1f \u00b1%4.1f", 100.0 * share->share,
                100.0 * half_width(share->interval));
}

static void add_answer(struct strbuf *out, const struct demo_result *result, int64_t t, int64_t i,
                       const double *rewards, const double *shares) {
    const double *found = result->rewards.of[t];
    strbuf_add(out, "  ");
    text_cell(out, demo_world_topic(t)->answers[i], NAME_COLUMNS);
    if (i == 0) {
        strbuf_addf(out, " %5.2f %11s", 0.0, "");
    } else {
        strbuf_addf(out, " %5.2f %5.2f \u00b1%.2f", rewards[i] - rewards[0], found[i] - found[0],
                    NORMAL_95 * reward_error(result, t, i));
    }
    strbuf_addf(out, "  %5.1f", 100.0 * shares[i]);
    for (int64_t p = 0; p < DEMO_POLICY_COUNT; p++) {
        add_share(out, &result->shares[p].of[t][i]);
    }
    strbuf_add_char(out, '\n');
}

static double mean_else(const struct demo_result *result, int64_t policy) {
    double sum = 0.0;
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        sum += result->shares[policy].of[t][DEMO_ELSE].share;
    }
    return sum / DEMO_TOPICS;
}

/* Under the columns of shares: a figure of each policy. */
static void add_figures(struct strbuf *out, const char *name, const struct demo_result *result,
                        double (*figure)(const struct demo_result *result, int64_t policy)) {
    strbuf_addf(out, "  %-39s", name);
    for (int64_t p = 0; p < DEMO_POLICY_COUNT; p++) {
        strbuf_addf(out, "%s %5.1f", p > 0 ? "      " : "", 100.0 * figure(result, p));
    }
    strbuf_add_char(out, '\n');
}

static double distance_of(const struct demo_result *result, int64_t policy) {
    return demo_report_distance(result, (enum demo_policy)policy);
}

static void add_table(struct strbuf *out, const struct demo_result *result) {
    strbuf_addf(out, "%19s%-18s%s\n", "", "reward, nats", "share of the answers, %");
    strbuf_addf(out, "%17s%5s %-11s  %5s", "", "true", "fitted", "true");
    strbuf_addf(out, "  %-11s %-11s %s\n", "start", "KL", "matched");
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        double rewards[DEMO_ANSWERS_MAX];
        double shares[DEMO_ANSWERS_MAX];
        demo_world_rewards(demo_world_topic(t), rewards);
        demo_world_shares(demo_world_topic(t), shares);
        strbuf_addf(out, "%s\n", demo_world_topic(t)->question);
        for (int64_t i = 0; i < demo_world_topic(t)->answer_count; i++) {
            add_answer(out, result, t, i, rewards, shares);
        }
    }
    strbuf_add_char(out, '\n');
    add_figures(out, "anything else", result, mean_else);
    add_figures(out, "mean distance from the truth, points", result, distance_of);
}

static void add_paragraph(struct strbuf *out, const char *text) {
    strbuf_add_char(out, '\n');
    text_wrap_add(out, text, 0, WIDTH);
    strbuf_add_char(out, '\n');
}

/* What KL found where the reward model knows nothing, if that is more than noise. */
static void add_hacked(struct strbuf *out, const struct demo_result *result) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(4 * KIB);
    const struct demo_other *favourite = &result->shares[DEMO_POLICY_KL].favourite;
    const double share = mean_else(result, DEMO_POLICY_KL);
    if (share < 2.0 * mean_else(result, DEMO_POLICY_START) + SHARE_SLACK) {
        return;
    }
    strbuf_addf(&text,
                "%.0f %% of what KL says nobody voted on, such as '%s' to '%s': there the "
                "reward model has to guess, and a lucky guess counts ten times.",
                100.0 * share, favourite->text, demo_world_topic(favourite->topic)->question);
    add_paragraph(out, strbuf_text(&text));
}

static void add_next(struct strbuf *out, const struct demo_result *result) {
    strbuf_add(out, "\nThe same with preferences and a model of your own:\n"
                    "  accord init my.db\n"
                    "  accord import my.db preferences.jsonl\n"
                    "  accord check my.db\n"
                    "  accord stats my.db\n"
                    "  accord reward fit my.db --trunk MODEL -o runs/reward\n"
                    "  accord reward eval my.db lm:runs/reward/final\n"
                    "  accord align my.db -m MODEL -r lm:runs/reward/final -o runs/aligned\n"
                    "  accord generate runs/aligned/final \"What shall we drink?\" --samples 8\n");
    if (result->folder) {
        strbuf_addf(out,
                    "The files of this run are in %s, a picture of the shares in %s/" DEMO_PICTURE
                    "\n",
                    result->folder, result->folder);
    } else {
        strbuf_add(out, "To keep the files of this run: accord demo --output demo\n");
    }
}

void demo_report_add_text(struct strbuf *out, const struct demo_result *result, bool bold) {
    text_heading(out, "What people prefer, and what the models say", bold);
    add_paragraph(out, "true: what the votes of these people say in expectation. start: imitates "
                       "examples in which the first answer stands too often. KL: ordinary RLHF, "
                       "beta 0.1. matched: preference matching, accord's default.");
    strbuf_add_char(out, '\n');
    add_table(out, result);
    SCOPED(strbuf) struct strbuf how = STRBUF_INIT(4 * KIB);
    strbuf_addf(&how,
                "Rewards count from the first answer. Shares are of %" PRId64
                " answers to each of %" PRId64
                " prompts that nothing was learnt from. \u00b1 is half an interval of 95 %%: of "
                "rewards what so few votes leave open, of shares by resampling prompts. The run "
                "fails if a reward is 3 standard errors and 0.05 nats from the truth, or a share "
                "of the matched policy 3 standard errors and 2 points.",
                result->samples, result->prompts);
    add_paragraph(out, strbuf_text(&how));
    strbuf_reset(&how);
    strbuf_addf(&how,
                "The start was %.1f points from people's shares. Ordinary RLHF ended %.1f points "
                "from them: what fewer people prefer is hardly ever said. Preference matching "
                "ended %.1f points from them. All took %.0f seconds.",
                100.0 * demo_report_distance(result, DEMO_POLICY_START),
                100.0 * demo_report_distance(result, DEMO_POLICY_KL),
                100.0 * demo_report_distance(result, DEMO_POLICY_MATCHED), result->seconds);
    add_paragraph(out, strbuf_text(&how));
    add_hacked(out, result);
    add_next(out, result);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void put_share(struct json_writer *w, const char *key, const struct demo_share *share) {
    json_put_object_begin(w, key);
    json_put_f64_or_null(w, "share", share->share);
    json_put_f64_or_null(w, "low", share->interval.low);
    json_put_f64_or_null(w, "high", share->interval.high);
    json_write_object_end(w);
}

static void put_choice(struct json_writer *w, const struct demo_result *result, int64_t t,
                       int64_t choice) {
    for (int64_t p = 0; p < DEMO_POLICY_COUNT; p++) {
        put_share(w, policy_keys[p], &result->shares[p].of[t][choice]);
    }
}

static void put_topic(struct json_writer *w, const struct demo_result *result, int64_t t) {
    const struct demo_topic *topic = demo_world_topic(t);
    double rewards[DEMO_ANSWERS_MAX];
    double shares[DEMO_ANSWERS_MAX];
    demo_world_rewards(topic, rewards);
    demo_world_shares(topic, shares);
    json_write_object_begin(w);
    json_put_string(w, "name", topic->name);
    json_put_string(w, "question", topic->question);
    json_put_f64(w, "votes", result->votes[t]);
    json_put_array_begin(w, "answers");
    for (int64_t i = 0; i < topic->answer_count; i++) {
        json_write_object_begin(w);
        json_put_string(w, "text", topic->answers[i]);
        json_put_f64(w, "reward_true_nats", rewards[i] - rewards[0]);
        json_put_f64_or_null(w, "reward_nats", result->rewards.of[t][i] - result->rewards.of[t][0]);
        json_put_f64(w, "reward_error_nats", i > 0 ? reward_error(result, t, i) : 0.0);
        json_put_f64(w, "share_true", shares[i]);
        json_put_f64_or_null(w, "share_limit", share_limit(result, t, i, shares[i]));
        put_choice(w, result, t, i);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_put_object_begin(w, "else");
    put_choice(w, result, t, DEMO_ELSE);
    json_write_object_end(w);
    json_write_object_end(w);
}

enum err_code demo_report_add_json(struct strbuf *out, const struct demo_result *result,
                                   struct error *err) {
    struct error miss = ERROR_INIT;
    const bool is_met = demo_report_check(result, &miss) == ERR_OK;
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_u64(&w, "seed", result->seed);
    json_put_f64(&w, "seconds", result->seconds);
    json_put_string_or_null(&w, "folder", result->folder);
    json_put_i64(&w, "prompts", result->prompts);
    json_put_i64(&w, "samples", result->samples);
    json_put_array_begin(&w, "topics");
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        put_topic(&w, result, t);
    }
    json_write_array_end(&w);
    json_put_object_begin(&w, "distance_mean");
    for (int64_t p = 0; p < DEMO_POLICY_COUNT; p++) {
        json_put_f64_or_null(&w, policy_keys[p], distance_of(result, p));
    }
    json_write_object_end(&w);
    json_put_bool(&w, "truth_met", is_met);
    json_put_string_or_null(&w, "missed", is_met ? NULL : miss.msg);
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}
