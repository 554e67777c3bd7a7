/* pair_metrics.c - see pair_metrics.h. */
#include "reward/pair_metrics.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "reward/pair_outcome.h"

#include <math.h>
#include <stdlib.h>

#define TAIL 0.025 /* on either side of the interval */

enum err_code pair_metrics_init(struct pair_metrics *metrics, int64_t cluster_count,
                                struct error *err) {
    metrics->clusters = mem_array_zero((size_t)cluster_count, sizeof *metrics->clusters);
    if (!metrics->clusters) {
        return err_oom(err, "sums of pairs");
    }
    metrics->cluster_count = cluster_count;
    metrics->pair_count = 0;
    return ERR_OK;
}

void pair_metrics_deinit(struct pair_metrics *metrics) {
    mem_free(metrics->clusters);
    *metrics = (struct pair_metrics)PAIR_METRICS_INIT;
}

void pair_metrics_add(struct pair_metrics *metrics, int64_t cluster, double margin,
                      double wins_first, double wins_second, double ties) {
    struct pair_sums *sums = &metrics->clusters[cluster];
    double chance = pair_sigmoid(margin);
    double win_cost = pair_softplus(-margin); /* -ln sigma(margin) */
    double loss_cost = pair_softplus(margin);
    sums->weight += wins_first + wins_second + ties;
    sums->nll += (wins_first + 0.5 * ties) * win_cost + (wins_second + 0.5 * ties) * loss_cost;
    sums->brier += wins_first * (1.0 - chance) * (1.0 - chance) + wins_second * chance * chance +
                   ties * (chance - 0.5) * (chance - 0.5);
    if (wins_first != wins_second) {
        double right = wins_first > wins_second ? margin : -margin;
        sums->correct += right > 0.0 ? 1.0 : right == 0.0 ? 0.5 : 0.0;
        sums->decided += 1.0;
    }
    metrics->pair_count++;
}

/* A mean without an interval yet. */
static struct pair_score mean_of(double sum, double count) {
    double unknown = (double)NAN;
    double value = count > 0.0 ? sum / count : unknown;
    return (struct pair_score){.value = value, .low = unknown, .high = unknown};
}

static void add_sums(struct pair_sums *total, const struct pair_sums *part) {
    total->correct += part->correct;
    total->decided += part->decided;
    total->nll += part->nll;
    total->brier += part->brier;
    total->weight += part->weight;
}

static int compare_doubles(const void *left, const void *right) {
    double l = *(const double *)left;
    double r = *(const double *)right;
    return (l > r) - (l < r);
}

/* Resamples that counted nothing have no value, and are left out. */
static void set_interval(struct pair_score *score, double *values, int64_t count) {
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    if (count > 0) {
        double last = (double)(count - 1);
        score->low = values[(int64_t)floor(TAIL * last)];
        score->high = values[(int64_t)ceil((1.0 - TAIL) * last)];
    }
}

/* Legend: K clusters with data, R resamples. */
struct resampling {
    int64_t *used;  /* [K] clusters */
    double *values; /* [3 * R]: accuracy, then NLL, then Brier */
};

static void resampling_scoped_end(struct resampling *r) {
    mem_free(r->used);
    mem_free(r->values);
}

static void resample(const struct pair_metrics *metrics, struct resampling *r, int64_t used,
                     uint64_t seed, struct pair_scores *scores) {
    double *accuracy = r->values;
    double *nll = r->values + PAIR_BOOTSTRAPS;
    double *brier = nll + PAIR_BOOTSTRAPS;
    int64_t decided = 0;
    for (int64_t b = 0; b < PAIR_BOOTSTRAPS; b++) {
        struct rng rng = rng_stream(seed, RNG_BOOTSTRAP, b, 0);
        struct pair_sums sums = {.weight = 0.0};
        for (int64_t k = 0; k < used; k++) {
            add_sums(&sums, &metrics->clusters[r->used[rng_below(&rng, used)]]);
        }
        nll[b] = sums.nll / sums.weight;
        brier[b] = sums.brier / sums.weight;
        if (sums.decided > 0.0) {
            accuracy[decided++] = sums.correct / sums.decided;
        }
    }
    set_interval(&scores->accuracy, accuracy, decided);
    set_interval(&scores->nll, nll, PAIR_BOOTSTRAPS);
    set_interval(&scores->brier, brier, PAIR_BOOTSTRAPS);
}

enum err_code pair_metrics_scores(const struct pair_metrics *metrics, uint64_t seed,
                                  struct pair_scores *out_scores, struct error *err) {
    SCOPED(resampling)
    struct resampling r = {
        .used = mem_array((size_t)metrics->cluster_count, sizeof *r.used),
        .values = mem_array(3 * PAIR_BOOTSTRAPS, sizeof *r.values),
    };
    if (!r.used || !r.values) {
        return err_oom(err, "resamples of pairs");
    }
    struct pair_sums sums = {.weight = 0.0};
    int64_t used = 0;
    for (int64_t k = 0; k < metrics->cluster_count; k++) {
        if (metrics->clusters[k].weight > 0.0) {
            r.used[used++] = k;
            add_sums(&sums, &metrics->clusters[k]);
        }
    }
    struct pair_scores scores = {
        .accuracy = mean_of(sums.correct, sums.decided),
        .nll = mean_of(sums.nll, sums.weight),
        .brier = mean_of(sums.brier, sums.weight),
        .pairs = metrics->pair_count,
        .decided = sums.decided,
        .weight = sums.weight,
        .clusters = used,
    };
    if (used >= 2) {
        resample(metrics, &r, used, seed, &scores);
    }
    *out_scores = scores;
    return ERR_OK;
}
