/* reward_evaluation.c - see reward_evaluation.h. */
#include "trainer/reward_evaluation.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "data/project.h"
#include "reward/fold_plan.h"
#include "reward/item_rewards.h"
#include "reward/reward_spec.h"
#include "trainer/reward_sources.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- what is tested -------------------------------------------------------------------------- */

/* Blocks by split, and what follows from it. */
struct plan {
    int32_t *split_of_block; /* [B] */
    int32_t *folds;          /* [B]; NULL: splits */
    int32_t *fitted;         /* [B] the fold whose baselines are not fitted to it; -1: none are */
    int64_t fitted_folds;
    bool *is_tested; /* [B] */
    bool *is_wanted; /* [I] answers to be scored */
    int32_t *topics; /* [B] or -1 */
};

static void plan_scoped_end(struct plan *plan) {
    mem_free(plan->split_of_block);
    mem_free(plan->folds);
    mem_free(plan->fitted);
    mem_free(plan->is_tested);
    mem_free(plan->is_wanted);
    mem_free(plan->topics);
}

static enum err_code load_topics(struct db *db, const struct comparison_set *set, int32_t *topics,
                                 struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db,
                     "SELECT id, dense_rank() OVER (ORDER BY topic) - 1 FROM prompt"
                     " WHERE topic IS NOT NULL ORDER BY id",
                     &stmt, err));
    int64_t b = 0, last = 0;
    for (int64_t i = 0; i < set->block_count; i++) {
        topics[i] = -1;
        last = set->block_prompt_ids[i] > last ? set->block_prompt_ids[i] : last;
    }
    SCOPED(mem) int32_t *block_of = mem_array((size_t)last + 1, sizeof *block_of);
    if (!block_of) {
        return err_oom(err, "topics");
    }
    memset(block_of, 0xff, ((size_t)last + 1) * sizeof *block_of);
    for (; b < set->block_count; b++) {
        block_of[set->block_prompt_ids[b]] = (int32_t)b;
    }
    for (bool has_row = true;;) {
        int64_t id = 0, topic = 0;
        TRY(db_stmt_step(stmt, &has_row, err));
        if (!has_row) {
            return ERR_OK;
        }
        TRY(db_column_i64(stmt, 0, &id, err));
        TRY(db_column_i64(stmt, 1, &topic, err));
        if (id >= 0 && id <= last && block_of[id] >= 0) {
            topics[block_of[id]] = (int32_t)topic;
        }
    }
}

/* The folds that are asked for are the test. */
static enum err_code split_by_folds(struct db *db, struct reward_evaluation *e, struct plan *plan,
                                    struct error *err) {
    const struct reward_evaluation_options *options = &e->options;
    const struct fold_prompts prompts = fold_prompts_of(&e->set);
    TRY(fold_plan_by_group(db, &prompts, options->fold_count, options->group, &plan->folds, err));
    plan->split_of_block = mem_array((size_t)prompts.count, sizeof *plan->split_of_block);
    if (!plan->split_of_block) {
        return err_oom(err, "prompts to judge by");
    }
    for (int64_t b = 0; b < prompts.count; b++) {
        const bool is_tested = options->is_crossed || options->is_test_fold[plan->folds[b]];
        plan->split_of_block[b] = is_tested ? SPLIT_TEST : SPLIT_TRAIN;
    }
    return ERR_OK;
}

static enum err_code plan_make(struct db *db, struct reward_evaluation *e, struct plan *plan,
                               struct error *err) {
    const struct split_shares shares = SPLIT_SHARES_DEFAULT;
    const struct fold_prompts prompts = fold_prompts_of(&e->set);
    const size_t blocks = (size_t)e->set.block_count;
    TRY(e->options.fold_count > 0
            ? split_by_folds(db, e, plan, err)
            : fold_plan_splits(db, &prompts, &shares, &plan->split_of_block, err));
    plan->fitted = mem_array(blocks, sizeof *plan->fitted);
    plan->fitted_folds = e->options.is_crossed ? e->options.fold_count : 1;
    plan->is_tested = mem_array(blocks, sizeof *plan->is_tested);
    plan->topics = mem_array(blocks, sizeof *plan->topics);
    plan->is_wanted = mem_array((size_t)e->set.item_count, sizeof *plan->is_wanted);
    if (!plan->fitted || !plan->is_tested || !plan->topics || !plan->is_wanted) {
        return err_oom(err, "prompts to judge by");
    }
    for (int64_t b = 0; b < e->set.block_count; b++) {
        const enum split split = (enum split)plan->split_of_block[b];
        plan->fitted[b] = e->options.is_crossed ? plan->folds[b] : split == SPLIT_TRAIN ? 1 : -1;
        plan->is_tested[b] = e->options.all_splits || split == e->options.split;
    }
    for (int64_t i = 0; i < e->set.item_count; i++) {
        plan->is_wanted[i] = plan->is_tested[e->set.item_blocks[i]];
    }
    for (int64_t p = 0; p < e->texts.count; p++) {
        e->train_pairs += plan->fitted[e->texts.blocks[p]] >= 0;
    }
    e->has_baselines = e->train_pairs > 0;
    return load_topics(db, &e->set, plan->topics, err);
}

static enum err_code refuse_empty(const struct reward_evaluation *e, const struct plan *plan,
                                  struct error *err) {
    int64_t counts[SPLIT_COUNT] = {0};
    for (int64_t p = 0; p < e->texts.count; p++) {
        const int32_t block = e->texts.blocks[p];
        if (plan->is_tested[block]) {
            return ERR_OK;
        }
        counts[plan->split_of_block[block]]++;
    }
    if (plan->folds) {
        return err_set(err, ERR_DATA, "no fold that is asked for has pairs to judge by");
    }
    return err_set(err, ERR_DATA,
                   "the %s split has no pairs to judge by; there are %" PRId64 " in train, %" PRId64
                   " in validation, %" PRId64 " in test: choose with --split, or --split all",
                   split_name(e->options.split), counts[SPLIT_TRAIN], counts[SPLIT_VALIDATION],
                   counts[SPLIT_TEST]);
}

/* ---- rewards --------------------------------------------------------------------------------- */

#define FOLD_MARK "{fold}"

static bool names_fold(const char *spec) {
    return strstr(spec, FOLD_MARK) != NULL;
}

static enum err_code open_of_fold(const char *spec, int64_t fold,
                                  const struct reward_sources *sources, struct reward **out,
                                  struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    for (const char *mark = NULL; (mark = strstr(spec, FOLD_MARK));
         spec = mark + strlen(FOLD_MARK)) {
        strbuf_add_bytes(&text, spec, (size_t)(mark - spec));
        strbuf_addf(&text, "%" PRId64, fold);
    }
    strbuf_add(&text, spec);
    TRY(strbuf_check(&text, "the reward of a fold", err));
    return reward_spec_open(strbuf_text(&text), sources, out, err);
}

/* Those of folds are opened when their turn comes: NULL. */
struct rewards {
    struct reward *list[REWARD_EVALUATION_SPECS_MAX];
    int64_t count;
};

static void rewards_scoped_end(struct rewards *rewards) {
    for (int64_t r = 0; r < rewards->count; r++) {
        reward_free(rewards->list[r]);
    }
}

/* That each can be opened is to be known before anything is scored. */
static enum err_code check_folds(const struct reward_evaluation *e, const char *spec,
                                 const struct reward_sources *sources, struct error *err) {
    if (e->options.fold_count == 0) {
        return err_set(err, ERR_USAGE,
                       "%s: " FOLD_MARK " is the fold of a prompt: say how many with --folds K",
                       spec);
    }
    for (int64_t fold = 0; fold < e->options.fold_count; fold++) {
        struct reward *reward = NULL;
        if (e->options.is_crossed || e->options.is_test_fold[fold]) {
            TRY(open_of_fold(spec, fold, sources, &reward, err));
            reward_free(reward);
        }
    }
    return ERR_OK;
}

static enum err_code open_rewards(struct run *run, struct db *db, struct reward_evaluation *e,
                                  struct rewards *rewards, struct error *err) {
    const struct reward_sources sources = reward_sources_of(run, db);
    for (int64_t r = 0; r < e->options.spec_count; r++) {
        const char *spec = e->options.specs[r];
        rewards->list[r] = NULL;
        TRY(names_fold(spec) ? check_folds(e, spec, &sources, err)
                             : reward_spec_open(spec, &sources, &rewards->list[r], err));
        rewards->count++;
        TRY(reward_spec_has_fit(spec, &e->has_fit[r], err));
    }
    return ERR_OK;
}

struct advance {
    struct progress progress;
    int64_t done;
};

static void advance_scoped_end(struct advance *advance) {
    progress_close(&advance->progress);
}

static void advance_by(void *context, int64_t count) {
    struct advance *advance = context;
    advance->done += count;
    progress_update(&advance->progress, advance->done);
}

struct scoring {
    struct run *run;
    struct db *db;
    const struct plan *plan;
    struct reward_evaluation *e;
    struct item_rewards_options options;
};

/* The answers that are wanted in one fold, by its own reward; `wanted` and `rewards` are scratch.
 */
static enum err_code score_fold(const struct scoring *s, int64_t r, int64_t fold, bool *wanted,
                                double *rewards, struct error *err) {
    const struct reward_sources sources = reward_sources_of(s->run, s->db);
    const struct comparison_set *set = &s->e->set;
    struct item_rewards_options options = s->options;
    SCOPED(rewards) struct rewards own = {.count = 0};
    bool has_any = false;
    for (int64_t i = 0; i < set->item_count; i++) {
        wanted[i] = s->plan->is_wanted[i] && s->plan->folds[set->item_blocks[i]] == fold;
        has_any = has_any || wanted[i];
    }
    if (!has_any) {
        return ERR_OK;
    }
    options.is_wanted = wanted;
    TRY(open_of_fold(s->e->options.specs[r], fold, &sources, &own.list[0], err));
    own.count = 1;
    TRY(item_rewards_score(s->db, set, &options, own.list[0], rewards, err));
    for (int64_t i = 0; i < set->item_count; i++) {
        if (wanted[i]) {
            s->e->rewards[r * set->item_count + i] = rewards[i];
        }
    }
    return ERR_OK;
}

static enum err_code score_by_folds(const struct scoring *s, int64_t r, struct error *err) {
    const size_t items = (size_t)s->e->set.item_count;
    SCOPED(mem) bool *wanted = mem_array(items, sizeof *wanted);
    SCOPED(mem) double *rewards = mem_array(items, sizeof *rewards);
    if (!wanted || !rewards) {
        return err_oom(err, "rewards of answers");
    }
    for (size_t i = 0; i < items; i++) {
        s->e->rewards[(size_t)r * items + i] = (double)NAN;
    }
    for (int64_t fold = 0; fold < s->e->options.fold_count; fold++) {
        TRY(score_fold(s, r, fold, wanted, rewards, err));
    }
    return ERR_OK;
}

static enum err_code score_all(struct run *run, struct db *db, const struct rewards *rewards,
                               const struct plan *plan, struct reward_evaluation *e,
                               struct error *err) {
    SCOPED(advance) struct advance advance = {.done = 0};
    int64_t wanted = 0;
    for (int64_t i = 0; i < e->set.item_count; i++) {
        wanted += plan->is_wanted[i];
    }
    run_progress_open(run, "score", "answers", wanted * rewards->count, &advance.progress);
    const struct scoring scoring = {
        run, db, plan, e, {plan->is_wanted, .advance = advance_by, .context = &advance}};
    for (int64_t r = 0; r < rewards->count; r++) {
        double *out = e->rewards + r * e->set.item_count;
        struct reward *reward = rewards->list[r];
        TRY(err_wrap(err,
                     reward ? item_rewards_score(db, &e->set, &scoring.options, reward, out, err)
                            : score_by_folds(&scoring, r, err),
                     "%s", e->options.specs[r]));
    }
    progress_finish(&advance.progress);
    return ERR_OK;
}

/* Crossed, each answer by what was fitted to the other folds. */
static enum err_code score_baseline(const struct plan *plan, enum baseline_kind kind,
                                    struct reward_evaluation *e, struct error *err) {
    struct baseline_options options = BASELINE_OPTIONS_DEFAULT;
    options.words = kind == BASELINE_WORDS;
    const struct text_matrix matrix = text_features_matrix(e->texts.features);
    double *out = e->rewards + reward_evaluation_baseline(e, kind) * e->set.item_count;
    for (int64_t fold = 0; fold < plan->fitted_folds; fold++) {
        SCOPED(baseline) struct baseline baseline = BASELINE_INIT;
        TRY(baseline_eval_fit(&e->texts, plan->fitted, fold, &options, &baseline, err));
        for (int64_t i = 0; i < e->set.item_count; i++) {
            if (plan->fitted_folds == 1 || plan->folds[e->set.item_blocks[i]] == fold) {
                out[i] = baseline_score(&baseline, &matrix, i);
            }
        }
    }
    return ERR_OK;
}

static enum err_code evaluate(struct run *run, struct db *db, const struct rewards *rewards,
                              struct reward_evaluation *e, struct error *err) {
    SCOPED(plan) struct plan plan = {.is_tested = NULL};
    TRY(comparison_set_load(db, &e->options.comparisons, &e->set, err));
    TRY(pair_texts_load(db, &e->set, &e->texts, err));
    TRY(plan_make(db, e, &plan, err));
    TRY(refuse_empty(e, &plan, err));
    e->reward_count = e->options.spec_count + (e->has_baselines ? BASELINE_COUNT : 0);
    e->rewards = mem_array((size_t)(e->reward_count * e->set.item_count), sizeof *e->rewards);
    if (!e->rewards) {
        return err_oom(err, "rewards of answers");
    }
    TRY(score_all(run, db, rewards, &plan, e, err));
    for (enum baseline_kind kind = 0; e->has_baselines && kind < BASELINE_COUNT; kind++) {
        TRY(score_baseline(&plan, kind, e, err));
    }
    TRY(eval_slices_make(db, &e->set, &e->texts, plan.is_tested, &e->slices, err));
    const struct reward_eval_input input = {
        .set = &e->set,
        .texts = &e->texts,
        .slices = &e->slices,
        .is_tested = plan.is_tested,
        .topics = plan.topics,
        .rewards = e->rewards,
        .reward_count = e->reward_count,
        .match_nats = log(e->options.match_factor),
        .seed = e->seed,
    };
    return reward_eval_run(&input, &e->eval, err);
}

enum err_code reward_evaluation_run(struct run *run,
                                    const struct reward_evaluation_options *options,
                                    struct reward_evaluation *out, struct error *err) {
    SCOPED(reward_evaluation) struct reward_evaluation e = {.options = *options};
    SCOPED(db) struct db *db = NULL;
    SCOPED(db_tx) struct db_tx snapshot = DB_TX_INIT;
    SCOPED(rewards) struct rewards rewards = {.count = 0};
    e.seed = run->settings->seed;
    TRY(project_open(options->project, DB_MODE_READ_ONLY, run->log, &db, err));
    /* One view of the log, whoever writes to it meanwhile; and locked once, not at every row. */
    TRY(db_tx_open(db, &snapshot, err));
    TRY(open_rewards(run, db, &e, &rewards, err));
    TRY(evaluate(run, db, &rewards, &e, err));
    *out = e;
    memset(&e, 0, sizeof e);
    return ERR_OK;
}

void reward_evaluation_deinit(struct reward_evaluation *e) {
    reward_eval_deinit(&e->eval);
    eval_slices_deinit(&e->slices);
    pair_texts_deinit(&e->texts);
    comparison_set_deinit(&e->set);
    mem_free(e->rewards);
    memset(e, 0, sizeof *e);
}

/* Whether the baselines were fitted to pairs that are tested. */
static bool have_seen(const struct reward_evaluation *e) {
    return e->has_baselines && e->options.fold_count == 0 &&
           (e->options.all_splits || e->options.split == SPLIT_TRAIN);
}

static bool has_seen(const struct reward_evaluation *e, int64_t reward) {
    return reward < e->options.spec_count ? e->has_fit[reward] : have_seen(e);
}

int64_t reward_evaluation_best(const struct reward_evaluation *e) {
    bool competes[REWARD_EVALUATION_SPECS_MAX + BASELINE_COUNT];
    int64_t unseen = 0;
    for (int64_t r = 0; r < e->reward_count; r++) {
        competes[r] = !has_seen(e, r);
        unseen += competes[r];
    }
    for (int64_t r = 0; unseen == 0 && r < e->options.spec_count; r++) {
        competes[r] = true;
    }
    return reward_eval_best(&e->eval, competes);
}

/* ---- in words -------------------------------------------------------------------------------- */

static const char *baseline_word(enum baseline_kind kind) {
    return kind == BASELINE_LENGTH ? "length only" : "bag of words";
}

const char *reward_evaluation_name(const struct reward_evaluation *e, int64_t reward) {
    return reward < e->options.spec_count
               ? e->options.specs[reward]
               : baseline_word((enum baseline_kind)(reward - e->options.spec_count));
}

void reward_evaluation_where(const struct reward_evaluation *e, struct strbuf *out) {
    const struct reward_evaluation_options *options = &e->options;
    int64_t tested = 0;
    for (int64_t fold = 0; fold < options->fold_count; fold++) {
        tested += options->is_test_fold[fold];
    }
    if (options->fold_count == 0) {
        strbuf_addf(out, "of the split %s",
                    options->all_splits ? "all" : split_name(options->split));
    } else if (options->is_crossed) {
        strbuf_addf(out, "of %" PRId64 " folds, each judged out of fold", options->fold_count);
    } else {
        strbuf_addf(out, "of %" PRId64 " of %" PRId64 " folds", tested, options->fold_count);
    }
}

int64_t reward_evaluation_baseline(const struct reward_evaluation *e, enum baseline_kind kind) {
    return e->has_baselines ? e->options.spec_count + (int64_t)kind : -1;
}

/* "4.2 points [2.9, 5.6]", with the sign of `sign`. */
static void add_points(struct strbuf *out, const struct pair_score *d, double sign) {
    const double low = sign > 0.0 ? d->low : -d->high, high = sign > 0.0 ? d->high : -d->low;
    strbuf_addf(out, "%.1f points", sign * 100.0 * d->value);
    if (!isnan(low)) {
        strbuf_addf(out, " [%.1f, %.1f]", 100.0 * low, 100.0 * high);
    }
}

static void add_against(const struct reward_evaluation *e, int64_t reward, enum baseline_kind kind,
                        struct strbuf *out) {
    const struct pair_score *d =
        reward_eval_difference(&e->eval, reward, reward_evaluation_baseline(e, kind));
    if (d->low == 0.0 && d->high == 0.0) {
        strbuf_addf(out, "it is right exactly as often as %s", baseline_word(kind));
    } else if (reward_eval_is_above(d)) {
        strbuf_addf(out, "it beats %s by ", baseline_word(kind));
        add_points(out, d, 1.0);
    } else if (reward_eval_is_below(d)) {
        strbuf_addf(out, "it falls short of %s by ", baseline_word(kind));
        add_points(out, d, -1.0);
    } else {
        strbuf_addf(out, "its difference from %s may be chance: ", baseline_word(kind));
        add_points(out, d, 1.0);
    }
}

void reward_evaluation_verdict(const struct reward_evaluation *e, int64_t reward,
                               struct strbuf *out) {
    if (!e->has_baselines) {
        strbuf_add(out, "Nothing says whether it has learned more than length: there are no pairs "
                        "in the training split to fit length to.");
        return;
    }
    const int64_t length = reward_evaluation_baseline(e, BASELINE_LENGTH);
    const struct pair_score *d = reward_eval_difference(&e->eval, reward, length);
    if (isnan(d->value)) {
        strbuf_add(out, "Nothing says whether it has learned more than length: no pair is known to "
                        "all rewards.");
        return;
    }
    strbuf_add(out, e->has_fit[reward]        ? "Fitted to these judgements, so this is no test: "
                    : reward_eval_is_above(d) ? "Has learned more than length: "
                    : reward_eval_is_below(d) ? "Knows less than length does: "
                                              : "Not shown to know more than length: ");
    add_against(e, reward, BASELINE_LENGTH, out);
    strbuf_add(out, "; ");
    add_against(e, reward, BASELINE_WORDS, out);
    strbuf_add_char(out, '.');
}

/* ---- notes ----------------------------------------------------------------------------------- */

static bool note_seen(const struct reward_evaluation *e, struct strbuf *out) {
    if (!have_seen(e)) {
        return false;
    }
    strbuf_add(out, "The baselines were fitted to the training split, and have seen ");
    strbuf_add(out, e->options.all_splits ? "part of these pairs." : "these very pairs.");
    return true;
}

static bool note_fit(const struct reward_evaluation *e, struct strbuf *out) {
    bool has_fit = false;
    for (int64_t r = 0; r < e->options.spec_count; r++) {
        has_fit = has_fit || e->has_fit[r];
    }
    if (has_fit) {
        strbuf_add(out, "A fit knows only answers that it was fitted to, so it has seen judgements "
                        "of these pairs: its figures say how well it describes them, not how well "
                        "it predicts.");
    }
    return has_fit;
}

static bool note_unknown(const struct reward_evaluation *e, struct strbuf *out) {
    if (e->eval.common_pairs == e->eval.pairs) {
        return false;
    }
    strbuf_addf(out,
                "Not every reward knows every answer: each is judged by the pairs that it knows, "
                "differences by the %" PRId64 " of %" PRId64 " pairs that all know. Unknown:",
                e->eval.common_pairs, e->eval.pairs);
    const char *comma = "";
    for (int64_t r = 0; r < e->reward_count; r++) {
        if (e->eval.rows[r].pairs_unknown > 0) {
            strbuf_addf(out, "%s %" PRId64 " pairs to %s", comma, e->eval.rows[r].pairs_unknown,
                        reward_evaluation_name(e, r));
            comma = ",";
        }
    }
    strbuf_add_char(out, '.');
    return true;
}

bool reward_evaluation_note(const struct reward_evaluation *e, int64_t index, struct strbuf *out) {
    static bool (*const notes[])(const struct reward_evaluation *,
                                 struct strbuf *) = {note_seen, note_fit, note_unknown};
    for (size_t n = 0, said = 0; n < sizeof notes / sizeof notes[0]; n++) {
        const size_t before = out->length;
        if (notes[n](e, out) && (int64_t)said++ == index) {
            return true;
        }
        strbuf_truncate(out, before);
    }
    return false;
}
