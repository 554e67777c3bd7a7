/* pair_metrics.c - see pair_metrics.h.
 *
 * Every score is a ratio of sums over pairs. A pair is turned into its terms once; a resample adds
 * up the terms of the clusters that it drew.
 */
#include "reward/pair_metrics.h"

#include "base/invariant.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "base/sorted.h"
#include "reward/pair_outcome.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TAIL 0.025 /* on either side of the interval */

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

/* What a pair adds to the sums. */
struct terms {
    double correct, decided;   /* pairs */
    double nll, brier, weight; /* judgements */
    double said, agreed;       /* judgements, into the sums of its bin */
    int64_t bin;
};

struct sums {
    double correct, decided;
    double nll, brier, weight;
    struct pair_bin bins[PAIR_BINS]; /* here `said` and `share` are sums */
};

static struct terms terms_of(const struct judged_pair *pair) {
    const double chance = pair_sigmoid(pair->margin);
    const double first = pair->wins_first + 0.5 * pair->ties;
    const double second = pair->wins_second + 0.5 * pair->ties;
    struct terms terms = {
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

static void add_terms(struct sums *sums, const struct terms *terms, double times) {
    struct pair_bin *bin = &sums->bins[terms->bin];
    sums->correct += times * terms->correct;
    sums->decided += times * terms->decided;
    sums->nll += times * terms->nll;
    sums->brier += times * terms->brier;
    sums->weight += times * terms->weight;
    bin->said += times * terms->said;
    bin->share += times * terms->agreed;
    bin->weight += times * terms->weight;
}

static double ece_of(const struct sums *sums) {
    double distance = 0.0;
    for (int64_t b = 0; b < PAIR_BINS; b++) {
        distance += fabs(sums->bins[b].said - sums->bins[b].share);
    }
    return distance / sums->weight;
}

/* ---- bins ---- */

struct sure_pair {
    double margin; /* without its sign */
    int64_t index;
};

static int compare_sure(const void *left, const void *right) {
    const struct sure_pair *l = left;
    const struct sure_pair *r = right;
    if (l->margin != r->margin) {
        return l->margin < r->margin ? -1 : 1;
    }
    return (l->index > r->index) - (l->index < r->index);
}

/* Equally sure pairs share a bin: the one in which the middle of their judgements lies. */
static void set_bins(const struct pair_metrics *metrics, struct sure_pair *order,
                     struct terms *terms) {
    double total = 0.0;
    for (int64_t p = 0; p < metrics->pair_count; p++) {
        order[p] = (struct sure_pair){fabs(metrics->pairs[p].margin), p};
        total += terms[p].weight;
    }
    qsort(order, (size_t)metrics->pair_count, sizeof *order, compare_sure);
    double before = 0.0;
    for (int64_t begin = 0; begin < metrics->pair_count;) {
        int64_t end = begin;
        double weight = 0.0;
        for (; end < metrics->pair_count && order[end].margin == order[begin].margin; end++) {
            weight += terms[order[end].index].weight;
        }
        const double middle = total > 0.0 ? (before + 0.5 * weight) / total : 0.0;
        const int64_t bin = (int64_t)fmin(PAIR_BINS * middle, PAIR_BINS - 1);
        for (; begin < end; begin++) {
            terms[order[begin].index].bin = bin;
        }
        before += weight;
    }
}

/* ---- scores ---- */

struct workspace {
    struct terms *terms;     /* [pairs] */
    struct sure_pair *order; /* [pairs] */
    double *times;           /* [clusters]: how often each is drawn */
    int64_t *used;           /* [clusters]: those that hold judgements */
    double *values;          /* [4 * PAIR_BOOTSTRAPS]: accuracy, NLL, Brier, ECE */
};

static void workspace_scoped_end(struct workspace *w) {
    mem_free(w->terms);
    mem_free(w->order);
    mem_free(w->times);
    mem_free(w->used);
    mem_free(w->values);
}

static enum err_code workspace_init(struct workspace *w, const struct pair_metrics *metrics,
                                    struct error *err) {
    const size_t pairs = (size_t)metrics->pair_count;
    const size_t clusters = (size_t)metrics->cluster_count;
    w->terms = mem_array(pairs, sizeof *w->terms);
    w->order = mem_array(pairs, sizeof *w->order);
    w->times = mem_array_zero(clusters, sizeof *w->times);
    w->used = mem_array(clusters, sizeof *w->used);
    w->values = mem_array(4 * PAIR_BOOTSTRAPS, sizeof *w->values);
    return w->terms && w->order && w->times && w->used && w->values
               ? ERR_OK
               : err_oom(err, "resamples of pairs");
}

/* All terms, each as often as its cluster. */
static struct sums add_up(const struct pair_metrics *metrics, const struct workspace *w) {
    struct sums sums = {.weight = 0.0};
    for (int64_t p = 0; p < metrics->pair_count; p++) {
        add_terms(&sums, &w->terms[p], w->times[metrics->pairs[p].cluster]);
    }
    return sums;
}

/* Resamples that counted nothing have no value, and are left out. */
static void set_interval(struct pair_score *score, double *values, int64_t count) {
    sorted_make(values, count);
    if (count > 0) {
        double last = (double)(count - 1);
        score->low = values[(int64_t)floor(TAIL * last)];
        score->high = values[(int64_t)ceil((1.0 - TAIL) * last)];
    }
}

static void resample(const struct pair_metrics *metrics, struct workspace *w, int64_t used,
                     uint64_t seed, struct pair_scores *scores) {
    double *accuracy = w->values;
    double *nll = w->values + PAIR_BOOTSTRAPS;
    double *brier = nll + PAIR_BOOTSTRAPS;
    double *ece = brier + PAIR_BOOTSTRAPS;
    int64_t decided = 0;
    for (int64_t b = 0; b < PAIR_BOOTSTRAPS; b++) {
        struct rng rng = rng_stream(seed, RNG_BOOTSTRAP, b, 0);
        memset(w->times, 0, (size_t)metrics->cluster_count * sizeof *w->times);
        for (int64_t k = 0; k < used; k++) {
            w->times[w->used[rng_below(&rng, used)]] += 1.0;
        }
        const struct sums sums = add_up(metrics, w);
        nll[b] = sums.nll / sums.weight;
        brier[b] = sums.brier / sums.weight;
        ece[b] = ece_of(&sums);
        if (sums.decided > 0.0) {
            accuracy[decided++] = sums.correct / sums.decided;
        }
    }
    set_interval(&scores->accuracy, accuracy, decided);
    set_interval(&scores->nll, nll, PAIR_BOOTSTRAPS);
    set_interval(&scores->brier, brier, PAIR_BOOTSTRAPS);
    set_interval(&scores->ece, ece, PAIR_BOOTSTRAPS);
}

/* A ratio without an interval yet. */
static struct pair_score score_of(double sum, double count) {
    const double unknown = (double)NAN;
    const double value = count > 0.0 ? sum / count : unknown;
    return (struct pair_score){.value = value, .low = unknown, .high = unknown};
}

static void set_scores(const struct pair_metrics *metrics, const struct sums *sums,
                       struct pair_scores *out) {
    *out = (struct pair_scores){
        .accuracy = score_of(sums->correct, sums->decided),
        .nll = score_of(sums->nll, sums->weight),
        .brier = score_of(sums->brier, sums->weight),
        .ece = score_of(sums->weight * ece_of(sums), sums->weight),
        .pairs = metrics->pair_count,
        .decided = sums->decided,
        .weight = sums->weight,
    };
    for (int64_t b = 0; b < PAIR_BINS; b++) {
        const struct pair_bin *bin = &sums->bins[b];
        out->bins[b] = (struct pair_bin){.said = score_of(bin->said, bin->weight).value,
                                         .share = score_of(bin->share, bin->weight).value,
                                         .weight = bin->weight};
    }
}

/* Clusters with judgements: drawn from by resampling, and counted once by the scores. */
static int64_t find_used(const struct pair_metrics *metrics, struct workspace *w) {
    int64_t used = 0;
    for (int64_t p = 0; p < metrics->pair_count; p++) {
        if (w->terms[p].weight > 0.0) {
            w->times[metrics->pairs[p].cluster] = 1.0;
        }
    }
    for (int64_t k = 0; k < metrics->cluster_count; k++) {
        if (w->times[k] > 0.0) {
            w->used[used++] = k;
        }
    }
    return used;
}

enum err_code pair_metrics_scores(const struct pair_metrics *metrics, uint64_t seed,
                                  struct pair_scores *out_scores, struct error *err) {
    SCOPED(workspace) struct workspace w = {.terms = NULL};
    TRY(workspace_init(&w, metrics, err));
    for (int64_t p = 0; p < metrics->pair_count; p++) {
        w.terms[p] = terms_of(&metrics->pairs[p]);
    }
    set_bins(metrics, w.order, w.terms);
    const int64_t used = find_used(metrics, &w);
    const struct sums sums = add_up(metrics, &w);
    struct pair_scores scores;
    set_scores(metrics, &sums, &scores);
    scores.clusters = used;
    if (used >= 2) {
        resample(metrics, &w, used, seed, &scores);
    }
    *out_scores = scores;
    return ERR_OK;
}
