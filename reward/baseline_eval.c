/* baseline_eval.c - see baseline_eval.h. */
#include "reward/baseline_eval.h"

#include "base/mem.h"
#include "base/scoped.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

const char *baseline_name(enum baseline_kind kind) {
    static const char *const names[] = {
#define BASELINE_NAME(name, text, help) [BASELINE_##name] = (text),
        BASELINES(BASELINE_NAME)
#undef BASELINE_NAME
    };
    return names[kind];
}

const char *baseline_title(enum baseline_kind kind) {
    static const char *const titles[] = {
#define BASELINE_TITLE(name, text, help) [BASELINE_##name] = (help),
        BASELINES(BASELINE_TITLE)
#undef BASELINE_TITLE
    };
    return titles[kind];
}

/* The pairs to train on: indices into the texts, and the shape that baseline_fit takes. */
struct training {
    int32_t *first, *second;
    double *wins_first, *wins_second;
    int64_t count;
};

static void training_scoped_end(struct training *t) {
    mem_free(t->first);
    mem_free(t->second);
    mem_free(t->wins_first);
    mem_free(t->wins_second);
}

static enum err_code training_init(struct training *t, int64_t pairs, struct error *err) {
    size_t count = (size_t)pairs;
    t->first = mem_array(count, sizeof *t->first);
    t->second = mem_array(count, sizeof *t->second);
    t->wins_first = mem_array(count, sizeof *t->wins_first);
    t->wins_second = mem_array(count, sizeof *t->wins_second);
    if (!t->first || !t->second || !t->wins_first || !t->wins_second) {
        return err_oom(err, "pairs to train on");
    }
    return ERR_OK;
}

/* Everything that has a fold but this one. */
static void training_collect(struct training *t, const struct pair_texts *texts,
                             const int32_t *fold_of_block, int64_t fold) {
    t->count = 0;
    for (int64_t p = 0; p < texts->count; p++) {
        int32_t own = fold_of_block[texts->blocks[p]];
        if (own >= 0 && own != (int32_t)fold) {
            t->first[t->count] = texts->first[p];
            t->second[t->count] = texts->second[p];
            t->wins_first[t->count] = texts->wins_first[p] + 0.5 * texts->ties[p];
            t->wins_second[t->count] = texts->wins_second[p] + 0.5 * texts->ties[p];
            t->count++;
        }
    }
}

/* Adds what is tested in the fold, to its own scores and the pooled ones. */
static void test(const struct baseline *baseline, const struct pair_texts *texts,
                 const struct baseline_plan *plan, int64_t fold, struct pair_metrics *own,
                 struct pair_metrics *pooled) {
    const struct text_matrix matrix = text_features_matrix(texts->features);
    for (int64_t p = 0; p < texts->count; p++) {
        int32_t block = texts->blocks[p];
        if (plan->fold_of_block[block] == (int32_t)fold) {
            double margin = baseline_score(baseline, &matrix, texts->first[p]) -
                            baseline_score(baseline, &matrix, texts->second[p]);
            const struct judged_pair pair = {.cluster = block,
                                             .margin = margin,
                                             .wins_first = texts->wins_first[p],
                                             .wins_second = texts->wins_second[p],
                                             .ties = texts->ties[p]};
            pair_metrics_add(own, &pair);
            pair_metrics_add(pooled, &pair);
        }
    }
}

struct run_of_folds {
    const struct comparison_set *set;
    const struct pair_texts *texts;
    const struct baseline_plan *plan;
    struct training training;
    struct pair_metrics pooled[BASELINE_COUNT];
};

static void run_of_folds_scoped_end(struct run_of_folds *run) {
    training_scoped_end(&run->training);
    for (int k = 0; k < BASELINE_COUNT; k++) {
        pair_metrics_deinit(&run->pooled[k]);
    }
}

static struct baseline_pairs pairs_of(const struct training *t) {
    return (struct baseline_pairs){.count = t->count,
                                   .first = t->first,
                                   .second = t->second,
                                   .wins_first = t->wins_first,
                                   .wins_second = t->wins_second};
}

enum err_code baseline_eval_fit(const struct pair_texts *texts, const int32_t *fold_of_block,
                                int64_t fold, const struct baseline_options *options,
                                struct baseline *out_baseline, struct error *err) {
    SCOPED(training) struct training t = {.count = 0};
    TRY(training_init(&t, texts->count, err));
    training_collect(&t, texts, fold_of_block, fold);
    const struct text_matrix matrix = text_features_matrix(texts->features);
    const struct baseline_pairs pairs = pairs_of(&t);
    return baseline_fit(&matrix, &pairs, options, out_baseline, err);
}

static enum err_code run_baseline(struct run_of_folds *run, int64_t fold, enum baseline_kind kind,
                                  struct baseline_fold *out, struct error *err) {
    const struct text_matrix matrix = text_features_matrix(run->texts->features);
    const struct baseline_pairs pairs = pairs_of(&run->training);
    struct baseline_options options = BASELINE_OPTIONS_DEFAULT;
    options.words = kind == BASELINE_WORDS;
    options.ridge = run->plan->ridge;
    SCOPED(baseline) struct baseline baseline = BASELINE_INIT;
    TRY(baseline_fit(&matrix, &pairs, &options, &baseline, err));
    SCOPED(pair_metrics) struct pair_metrics own = PAIR_METRICS_INIT;
    TRY(pair_metrics_init(&own, run->set->block_count, run->texts->count, err));
    test(&baseline, run->texts, run->plan, fold, &own, &run->pooled[kind]);
    out->test_pairs = own.pair_count;
    out->length_weight[kind] = baseline.length_weight;
    return pair_metrics_scores(&own, run->plan->seed, &out->scores[kind], err);
}

/* One fold is the log's splits, which have names; of several it says the number. */
static enum err_code refuse_empty(const struct baseline_plan *plan, int64_t fold, bool is_test,
                                  struct error *err) {
    const char *what = is_test ? "test" : "train on";
    if (plan->fold_count > 1) {
        return err_set(err, ERR_DATA, "fold %" PRId64 " has no pairs to %s", fold, what);
    }
    return err_set(err, ERR_DATA,
                   "no prompt of the %s split has pairs to %s; cross-validate with --folds",
                   is_test ? "test" : "training", what);
}

static enum err_code run_fold(struct run_of_folds *run, int64_t fold, struct baseline_fold *out,
                              struct error *err) {
    training_collect(&run->training, run->texts, run->plan->fold_of_block, fold);
    out->train_pairs = run->training.count;
    if (out->train_pairs == 0) {
        return refuse_empty(run->plan, fold, false, err);
    }
    for (enum baseline_kind kind = 0; kind < BASELINE_COUNT; kind++) {
        TRY(run_baseline(run, fold, kind, out, err));
    }
    if (out->test_pairs == 0) {
        return refuse_empty(run->plan, fold, true, err);
    }
    return ERR_OK;
}

enum err_code baseline_eval_run(const struct comparison_set *set, const struct pair_texts *texts,
                                const struct baseline_plan *plan, struct baseline_eval *out_eval,
                                struct error *err) {
    SCOPED(baseline_eval) struct baseline_eval eval = {.fold_count = plan->fold_count};
    eval.folds = mem_array_zero((size_t)plan->fold_count, sizeof *eval.folds);
    if (!eval.folds) {
        return err_oom(err, "folds");
    }
    SCOPED(run_of_folds) struct run_of_folds run = {.set = set, .texts = texts, .plan = plan};
    TRY(training_init(&run.training, texts->count, err));
    for (enum baseline_kind kind = 0; kind < BASELINE_COUNT; kind++) {
        TRY(pair_metrics_init(&run.pooled[kind], set->block_count, texts->count, err));
    }
    for (int64_t fold = 0; fold < plan->fold_count; fold++) {
        TRY(run_fold(&run, fold, &eval.folds[fold], err));
    }
    for (enum baseline_kind kind = 0; kind < BASELINE_COUNT; kind++) {
        TRY(pair_metrics_scores(&run.pooled[kind], plan->seed, &eval.pooled[kind], err));
    }
    *out_eval = eval;
    memset(&eval, 0, sizeof eval);
    return ERR_OK;
}

void baseline_eval_deinit(struct baseline_eval *eval) {
    mem_free(eval->folds);
    *eval = (struct baseline_eval)BASELINE_EVAL_INIT;
}
