/* pair_metrics.c - see pair_metrics.h.
 *
 * Every score is a ratio of sums over pairs. The terms of a pair go into the sums of its cluster;
 * resamples add up those.
 */
#include "reward/pair_metrics.h"

#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "reward/cluster_bootstrap.h"
#include "reward/pair_outcome.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum err_code pair_metrics_init(struct pair_metrics *metrics, int64_t cluster_count,
                                int64_t pair_max, struct error *err) {
    *metrics = (struct pair_metrics){
        .cluster_count = cluster_count,
        .pairs = mem_array((size_t)pair_max, sizeof *metrics->pairs),
        .pair_max = pair_max,
    };
    return metrics->pairs ? ERR_OK : err_oom(err, "judged pairs");
}

void pair_metrics_deinit(struct pair_metrics *metrics) {
    mem_free(metrics->pairs);
    *metrics = (struct pair_metrics)PAIR_METRICS_INIT;
}

void pair_metrics_add(struct pair_metrics *metrics, const struct judged_pair *pair) {
    ASSERT_LT(metrics->pair_count, metrics->pair_max);
    ASSERT_LT(pair->cluster, metrics->cluster_count);
    metrics->pairs[metrics->pair_count++] = *pair;
}

/* ---- terms ---- */

struct judged_terms judged_terms_of(const struct judged_pair *pair) {
    const double chance = pair_sigmoid(pair->margin);
    const double first = pair->wins_first + 0.5 * pair->ties;
    const double second = pair->wins_second + 0.5 * pair->ties;
    struct judged_terms terms = {
        .nll = first * pair_softplus(-pair->margin) + second * pair_softplus(pair->margin),
        .brier = pair->wins_first * (1.0 - chance) * (1.0 - chance) +
                 pair->wins_second * chance * chance + pair->ties * (chance - 0.5) * (chance - 0.5),
        .weight = first + second,
        .said = (first + second) * pair_sigmoid(fabs(pair->margin)),
        .agreed = pair->margin > 0.0   ? first
                  : pair->margin < 0.0 ? second
                                       : 0.5 * (first + second),
    };
    if (pair->wins_first != pair->wins_second) {
        const double right = pair->wins_first > pair->wins_second ? pair->margin : -pair->margin;
        terms.correct = right > 0.0 ? 1.0 : right == 0.0 ? 0.5 : 0.0;
        terms.decided = 1.0;
    }
    return terms;
}

/* Columns of the sums; a bin takes three. */
enum column { CORRECT, DECIDED, NLL, BRIER, WEIGHT, BINS, COLUMN_COUNT = BINS + 3 * PAIR_BINS };
enum bin_column { SAID, AGREED, BIN_WEIGHT };

static void add_terms(struct cluster_sums *sums, int64_t cluster, const struct judged_terms *terms,
                      int64_t of_bin) {
    const int64_t bin = BINS + 3 * of_bin;
    cluster_sums_add(sums, cluster, CORRECT, terms->correct);
    cluster_sums_add(sums, cluster, DECIDED, terms->decided);
    cluster_sums_add(sums, cluster, NLL, terms->nll);
    cluster_sums_add(sums, cluster, BRIER, terms->brier);
    cluster_sums_add(sums, cluster, WEIGHT, terms->weight);
    cluster_sums_add(sums, cluster, bin + SAID, terms->said);
    cluster_sums_add(sums, cluster, bin + AGREED, terms->agreed);
    cluster_sums_add(sums, cluster, bin + BIN_WEIGHT, terms->weight);
}

static double ratio(double sum, double count) {
    return count > 0.0 ? sum / count : (double)NAN;
}

static double accuracy_of(const double *sums) {
    return ratio(sums[CORRECT], sums[DECIDED]);
}

static double nll_of(const double *sums) {
    return ratio(sums[NLL], sums[WEIGHT]);
}

static double brier_of(const double *sums) {
    return ratio(sums[BRIER], sums[WEIGHT]);
}

static double ece_of(const double *sums) {
    double distance = 0.0;
    for (int64_t b = 0; b < PAIR_BINS; b++) {
        const double *bin = sums + BINS + 3 * b;
        distance += fabs(bin[SAID] - bin[AGREED]);
    }
    return ratio(distance, sums[WEIGHT]);
}

/* ---- bins ---- */

struct sure_pair {
    double margin; /* without its sign */
    int64_t index;
};

struct workspace {
    struct judged_terms *terms; /* [pairs] */
    int64_t *bins;              /* [pairs] */
    struct sure_pair *order;    /* [pairs] */
    bool *is_used;              /* [clusters]: whether it holds judgements */
    struct cluster_sums sums;
    double *resamples; /* [CLUSTER_RESAMPLES, COLUMN_COUNT] */
    double *values;    /* [CLUSTER_RESAMPLES] */
};

static void workspace_scoped_end(struct workspace *w) {
    mem_free(w->terms);
    mem_free(w->bins);
    mem_free(w->order);
    mem_free(w->is_used);
    cluster_sums_deinit(&w->sums);
    mem_free(w->resamples);
    mem_free(w->values);
}

static enum err_code workspace_init(struct workspace *w, const struct pair_metrics *metrics,
                                    struct error *err) {
    const size_t pairs = (size_t)metrics->pair_count;
    w->terms = mem_array(pairs, sizeof *w->terms);
    w->bins = mem_array(pairs, sizeof *w->bins);
    w->order = mem_array(pairs, sizeof *w->order);
    w->is_used = mem_array_zero((size_t)metrics->cluster_count, sizeof *w->is_used);
    w->values = mem_array(CLUSTER_RESAMPLES, sizeof *w->values);
    return w->terms && w->bins && w->order && w->is_used && w->values
               ? ERR_OK
               : err_oom(err, "resamples of pairs");
}

static int compare_sure(const void *left, const void *right) {
    const struct sure_pair *l = left;
    const struct sure_pair *r = right;
    if (l->margin != r->margin) {
        return l->margin < r->margin ? -1 : 1;
    }
    return (l->index > r->index) - (l->index < r->index);
}

/* Equally sure pairs share a bin: the one in which the middle of their judgements lies. */
static void set_bins(const struct pair_metrics *metrics, struct workspace *w) {
    double total = 0.0;
    for (int64_t p = 0; p < metrics->pair_count; p++) {
        w->order[p] = (struct sure_pair){fabs(metrics->pairs[p].margin), p};
        total += w->terms[p].weight;
    }
    qsort(w->order, (size_t)metrics->pair_count, sizeof *w->order, compare_sure);
    const struct sure_pair *order = w->order;
    double before = 0.0;
    for (int64_t begin = 0; begin < metrics->pair_count;) {
        int64_t end = begin;
        double weight = 0.0;
        for (; end < metrics->pair_count && order[end].margin == order[begin].margin; end++) {
            weight += w->terms[order[end].index].weight;
        }
        const double middle = total > 0.0 ? (before + 0.5 * weight) / total : 0.0;
        const int64_t bin = (int64_t)fmin(PAIR_BINS * middle, PAIR_BINS - 1);
        for (; begin < end; begin++) {
            w->bins[order[begin].index] = bin;
        }
        before += weight;
    }
}

/* ---- scores ---- */

/* Pairs without judgements belong to no cluster that is drawn, and add nothing. */
static enum err_code add_up(const struct pair_metrics *metrics, struct workspace *w, uint64_t seed,
                            struct error *err) {
    for (int64_t p = 0; p < metrics->pair_count; p++) {
        w->is_used[metrics->pairs[p].cluster] |= w->terms[p].weight > 0.0;
    }
    TRY(cluster_sums_init(&w->sums, w->is_used, metrics->cluster_count, COLUMN_COUNT, seed, err));
    for (int64_t p = 0; p < metrics->pair_count; p++) {
        if (w->terms[p].weight > 0.0) {
            add_terms(&w->sums, metrics->pairs[p].cluster, &w->terms[p], w->bins[p]);
        }
    }
    return ERR_OK;
}

/* The figure with its interval, if there are resamples. */
static struct pair_score score_of(const struct workspace *w, const double *total,
                                  double (*figure)(const double *sums)) {
    struct cluster_interval interval = {(double)NAN, (double)NAN};
    if (w->resamples) {
        for (int64_t b = 0; b < CLUSTER_RESAMPLES; b++) {
            w->values[b] = figure(w->resamples + b * COLUMN_COUNT);
        }
        interval = cluster_interval_of(w->values, CLUSTER_RESAMPLES);
    }
    return (struct pair_score){.value = figure(total), .low = interval.low, .high = interval.high};
}

static struct pair_scores scores_of(const struct pair_metrics *metrics, const struct workspace *w) {
    double total[COLUMN_COUNT];
    cluster_sums_total(&w->sums, total);
    struct pair_scores scores = {
        .accuracy = score_of(w, total, accuracy_of),
        .nll = score_of(w, total, nll_of),
        .brier = score_of(w, total, brier_of),
        .ece = score_of(w, total, ece_of),
        .pairs = metrics->pair_count,
        .decided = total[DECIDED],
        .weight = total[WEIGHT],
    };
    for (int64_t b = 0; b < PAIR_BINS; b++) {
        const double *bin = total + BINS + 3 * b;
        scores.bins[b] = (struct pair_bin){.said = ratio(bin[SAID], bin[BIN_WEIGHT]),
                                           .share = ratio(bin[AGREED], bin[BIN_WEIGHT]),
                                           .weight = bin[BIN_WEIGHT]};
    }
    for (int64_t k = 0; k < metrics->cluster_count; k++) {
        scores.clusters += w->is_used[k];
    }
    return scores;
}

enum err_code pair_metrics_scores(const struct pair_metrics *metrics, uint64_t seed,
                                  struct pair_scores *out_scores, struct error *err) {
    SCOPED(workspace) struct workspace w = {.terms = NULL};
    TRY(workspace_init(&w, metrics, err));
    for (int64_t p = 0; p < metrics->pair_count; p++) {
        w.terms[p] = judged_terms_of(&metrics->pairs[p]);
    }
    set_bins(metrics, &w);
    TRY(add_up(metrics, &w, seed, err));
    if (w.sums.group_count >= 2) {
        TRY(cluster_sums_resample(&w.sums, seed, &w.resamples, err));
    }
    *out_scores = scores_of(metrics, &w);
    return ERR_OK;
}

/* ---- temperature ---- */

#define HALVINGS  60
#define DOUBLINGS 200

/* Derivative of the NLL of k margin in k, which rises with k. */
static double slope_at(const struct pair_metrics *metrics, double k) {
    double slope = 0.0;
    for (int64_t p = 0; p < metrics->pair_count; p++) {
        const struct judged_pair *pair = &metrics->pairs[p];
        const double first = pair->wins_first + 0.5 * pair->ties;
        const double second = pair->wins_second + 0.5 * pair->ties;
        slope += pair->margin * (second * pair_sigmoid(k * pair->margin) -
                                 first * pair_sigmoid(-k * pair->margin));
    }
    return slope;
}

static double nll_at(const struct pair_metrics *metrics, double k) {
    double nll = 0.0, weight = 0.0;
    for (int64_t p = 0; p < metrics->pair_count; p++) {
        struct judged_pair pair = metrics->pairs[p];
        pair.margin *= k;
        const struct judged_terms terms = judged_terms_of(&pair);
        nll += terms.nll;
        weight += terms.weight;
    }
    return nll / weight;
}

static double mean_margin(const struct pair_metrics *metrics) {
    double sum = 0.0;
    for (int64_t p = 0; p < metrics->pair_count; p++) {
        sum += fabs(metrics->pairs[p].margin) / (double)metrics->pair_count;
    }
    return sum;
}

double pair_metrics_temperature(const struct pair_metrics *metrics, double *out_nll) {
    *out_nll = (double)NAN;
    if (metrics->pair_count == 0 || slope_at(metrics, 0.0) >= 0.0) {
        return (double)NAN;
    }
    double low = 0.0, high = 1.0 / mean_margin(metrics);
    for (int i = 0; slope_at(metrics, high) <= 0.0; i++) {
        if (i == DOUBLINGS) {
            return (double)NAN;
        }
        low = high;
        high *= 2.0;
    }
    for (int i = 0; i < HALVINGS && high - low > 1e-12 * high; i++) {
        const double middle = 0.5 * (low + high);
        *(slope_at(metrics, middle) < 0.0 ? &low : &high) = middle;
    }
    *out_nll = nll_at(metrics, high);
    return 1.0 / high;
}
