/* stats_agreement.c - see stats_agreement.h. */
#include "data/stats_agreement.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/sorted.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOBODY (-1)

enum { OUTCOME_HIGH, OUTCOME_TIE, OUTCOME_LOW, OUTCOMES };

/* ---- one unit of pair judgements ---- */

/* Works on one pair of items after the other. */
struct judging {
    const struct comparison_set *set;
    const struct stats_pairs *pairs;
    const bool *annotators;
    int64_t *seen_at;   /* [A] last unit an annotator judged, from 1 */
    int8_t *first_said; /* [A] and what that was */
    int64_t unit;
    double counts[OUTCOMES];    /* of the present one */
    double repeated, unchanged; /* over all */
};

static void judging_scoped_end(struct judging *j) {
    mem_free(j->seen_at);
    mem_free(j->first_said);
}

static enum err_code judging_init(struct judging *j, struct error *err) {
    j->seen_at = mem_array_zero((size_t)j->set->annotator_count, sizeof *j->seen_at);
    j->first_said = mem_array((size_t)j->set->annotator_count, sizeof *j->first_said);
    return j->seen_at && j->first_said ? ERR_OK : err_oom(err, "annotators");
}

/* The annotator whose first judgement of this unit pair p is, or NOBODY. */
static int32_t first_judge(struct judging *j, const struct stats_pair *p) {
    int32_t annotator = j->set->annotators[p->comparison];
    if (annotator < 0 || (j->annotators && !j->annotators[annotator])) {
        return NOBODY;
    }
    if (j->seen_at[annotator] == j->unit) {
        j->repeated += 1.0;
        j->unchanged += j->first_said[annotator] == p->outcome;
        return NOBODY;
    }
    j->seen_at[annotator] = j->unit;
    j->first_said[annotator] = p->outcome;
    return annotator;
}

/* Counts what was said of the pair of items at [begin, end). */
static double judge_unit(struct judging *j, int64_t begin, int64_t end) {
    memset(j->counts, 0, sizeof j->counts);
    j->unit++;
    double judgements = 0.0;
    for (int64_t i = begin; i < end; i++) {
        if (first_judge(j, &j->pairs->pairs[i]) != NOBODY) {
            j->counts[j->pairs->pairs[i].outcome + 1] += 1.0;
            judgements += 1.0;
        }
    }
    return judgements;
}

/* ---- alpha of pairs ---- */

enum { SUM_DISAGREE, SUM_JUDGEMENTS, SUM_TIES, SUM_AGREEING, SUM_PAIRS };

static void add_unit(double *sums, const double counts[OUTCOMES], double judgements) {
    double same = 0.0; /* ordered pairs of judgements that agree */
    for (int o = 0; o < OUTCOMES; o++) {
        same += counts[o] * (counts[o] - 1.0);
    }
    double all = judgements * (judgements - 1.0);
    sums[SUM_DISAGREE] += (all - same) / (judgements - 1.0);
    sums[SUM_JUDGEMENTS] += judgements;
    sums[SUM_TIES] += counts[OUTCOME_TIE];
    sums[SUM_AGREEING] += same;
    sums[SUM_PAIRS] += all;
}

static double alpha_of_sums(const double sums[STATS_SUMS_MAX]) {
    double n = sums[SUM_JUDGEMENTS];
    double ties = sums[SUM_TIES];
    double strict = n - ties;
    double all = n * (n - 1.0);
    double expected = 1.0 - ties * (ties - 1.0) / all - strict * (strict - 1.0) / (2.0 * all);
    return n > 1.0 && expected > 1e-12 ? 1.0 - sums[SUM_DISAGREE] / n / expected : (double)NAN;
}

static double raw_of_sums(const double sums[STATS_SUMS_MAX]) {
    return sums[SUM_PAIRS] > 0.0 ? sums[SUM_AGREEING] / sums[SUM_PAIRS] : (double)NAN;
}

/* Sums per unit, each with its prompt. */
struct unit_sums {
    double *sums;    /* [count][STATS_SUMS_MAX] */
    int32_t *blocks; /* [count] */
    int64_t count, capacity;
};

static void unit_sums_scoped_end(struct unit_sums *u) {
    mem_free(u->sums);
    mem_free(u->blocks);
}

static enum err_code gather_units(struct judging *j, struct unit_sums *units, struct error *err) {
    for (int64_t begin = 0; begin < j->pairs->count;) {
        int64_t end = stats_pairs_end(j->pairs, begin);
        double judgements = judge_unit(j, begin, end);
        if (judgements >= 2.0) {
            const struct array_ref arrays[] = {{&units->sums, STATS_SUMS_MAX * sizeof *units->sums},
                                               ARRAY_REF(units->blocks)};
            TRY(arrays_reserve(arrays, 2, &units->capacity, units->count + 1, "units of agreement",
                               err));
            double *sums = units->sums + STATS_SUMS_MAX * units->count;
            memset(sums, 0, STATS_SUMS_MAX * sizeof *sums);
            add_unit(sums, j->counts, judgements);
            units->blocks[units->count++] = j->set->item_blocks[j->pairs->pairs[begin].low];
        }
        begin = end;
    }
    return ERR_OK;
}

/* Adds the units of a prompt up in place, if enough prompts have some; true if so. The order of
 * units is that of their items, and so may return to a prompt. */
static enum err_code merge_by_prompt(struct unit_sums *units, int64_t block_count, bool *out_merged,
                                     struct error *err) {
    SCOPED(mem) int64_t *place = mem_array((size_t)block_count, sizeof *place);
    SCOPED(mem)
    double *merged = mem_array_zero((size_t)units->count, STATS_SUMS_MAX * sizeof *merged);
    if (!place || !merged) {
        return err_oom(err, "units of agreement");
    }
    int64_t prompts = 0;
    for (int64_t b = 0; b < block_count; b++) {
        place[b] = -1;
    }
    for (int64_t u = 0; u < units->count; u++) {
        int64_t *at = &place[units->blocks[u]];
        *at = *at < 0 ? prompts++ : *at;
        for (int s = 0; s < STATS_SUMS_MAX; s++) {
            merged[STATS_SUMS_MAX * *at + s] += units->sums[STATS_SUMS_MAX * u + s];
        }
    }
    *out_merged = prompts >= STATS_CLUSTERS_MIN;
    if (*out_merged) {
        memcpy(units->sums, merged, (size_t)prompts * STATS_SUMS_MAX * sizeof *merged);
        units->count = prompts;
    }
    return ERR_OK;
}

enum err_code stats_agreement_of_pairs(const struct comparison_set *set,
                                       const struct stats_pairs *pairs,
                                       const struct stats_agreement_options *options,
                                       struct stats_agreement *out_agreement, struct error *err) {
    SCOPED(judging)
    struct judging j = {.set = set, .pairs = pairs, .annotators = options->annotators};
    SCOPED(unit_sums) struct unit_sums units = {.sums = NULL};
    struct stats_agreement agreement = {.units = 0};
    TRY(judging_init(&j, err));
    TRY(gather_units(&j, &units, err));
    agreement.units = units.count;
    for (int64_t u = 0; u < units.count; u++) {
        agreement.judgements += (int64_t)units.sums[STATS_SUMS_MAX * u + SUM_JUDGEMENTS];
    }
    agreement.repeated = stats_rate_of(j.unchanged, j.repeated);
    TRY(merge_by_prompt(&units, set->block_count, &agreement.by_prompt, err));
    struct stats_bootstrap bootstrap = {.sums = units.sums,
                                        .clusters = units.count,
                                        .seed = options->seed,
                                        .stream = options->stream};
    TRY(stats_bootstrap_run(&bootstrap, raw_of_sums, &agreement.raw, err));
    TRY(stats_bootstrap_run(&bootstrap, alpha_of_sums, &agreement.alpha, err));
    *out_agreement = agreement;
    return ERR_OK;
}

/* ---- with the others ---- */

/* What most of them said; -1 if two outcomes come first. */
static int majority(const double counts[OUTCOMES]) {
    int best = 0;
    bool even = false;
    for (int o = 1; o < OUTCOMES; o++) {
        even = counts[o] == counts[best] || (even && counts[o] < counts[best]);
        best = counts[o] > counts[best] ? o : best;
    }
    return even ? -1 : best;
}

enum err_code stats_agreement_with_others(const struct comparison_set *set,
                                          const struct stats_pairs *pairs, double *agreed,
                                          double *judged, struct error *err) {
    SCOPED(judging) struct judging j = {.set = set, .pairs = pairs};
    TRY(judging_init(&j, err));
    for (int64_t begin = 0; begin < pairs->count;) {
        int64_t end = stats_pairs_end(pairs, begin);
        bool several = judge_unit(&j, begin, end) >= 2.0;
        j.unit++; /* so that the second look finds everybody's first judgement again */
        for (int64_t i = begin; several && i < end; i++) {
            int32_t annotator = first_judge(&j, &pairs->pairs[i]);
            if (annotator == NOBODY) {
                continue;
            }
            int said = pairs->pairs[i].outcome + 1;
            double others[OUTCOMES] = {j.counts[0], j.counts[1], j.counts[2]};
            others[said] -= 1.0;
            int most = majority(others);
            agreed[annotator] += most == said;
            judged[annotator] += most >= 0;
        }
        begin = end;
    }
    return ERR_OK;
}

/* ---- ratings ---- */

enum { SUM_DIFFERENCES, SUM_VALUES, SUM_FIRST_MOMENT, SUM_SECOND_MOMENT };

/* Differences from `centre` keep the cancellation in the second moment small. */
static double alpha_of_moments(const double sums[STATS_SUMS_MAX]) {
    double n = sums[SUM_VALUES];
    double mean = sums[SUM_FIRST_MOMENT] / n;
    double expected = 2.0 * (sums[SUM_SECOND_MOMENT] - mean * sums[SUM_FIRST_MOMENT]) / (n - 1.0);
    double scale = 1e-12 * fabs(sums[SUM_SECOND_MOMENT]);
    return n > 1.0 && expected > scale ? 1.0 - sums[SUM_DIFFERENCES] / n / expected : (double)NAN;
}

static int64_t unit_end(const struct stats_value *values, int64_t count, int64_t begin) {
    int64_t end = begin + 1;
    while (end < count && values[end].unit == values[begin].unit) {
        end++;
    }
    return end;
}

/* The moments of one unit of m >= 2 values; numbers[] are the values or their ranks. */
static void add_values(double *sums, const double *numbers, int64_t begin, int64_t end,
                       double centre) {
    double m = (double)(end - begin);
    double first = 0.0;
    double second = 0.0;
    for (int64_t i = begin; i < end; i++) {
        double v = numbers[i] - centre;
        first += v;
        second += v * v;
    }
    sums[SUM_DIFFERENCES] += fmax(0.0, 2.0 * (m * second - first * first)) / (m - 1.0);
    sums[SUM_VALUES] += m;
    sums[SUM_FIRST_MOMENT] += first;
    sums[SUM_SECOND_MOMENT] += second;
}

struct reliability {
    const struct stats_value *values;
    int64_t count;
    double *numbers;     /* [count] what alpha is taken of */
    double *sums;        /* [clusters][STATS_SUMS_MAX] */
    int64_t *cluster_of; /* [count] at the first value of a unit: where its sums go */
    int64_t clusters;
};

static void reliability_scoped_end(struct reliability *r) {
    mem_free(r->numbers);
    mem_free(r->sums);
    mem_free(r->cluster_of);
}

/* Prompts if there are enough, else units; both stand together in the order of the values. */
static void number_clusters(struct reliability *r) {
    int64_t prompts = 0;
    int64_t units = 0;
    int64_t last_cluster = -1;
    for (int pass = 0; pass < 2; pass++) {
        bool by_prompt = pass == 1 && prompts >= STATS_CLUSTERS_MIN;
        prompts = 0;
        units = 0;
        for (int64_t begin = 0; begin < r->count;) {
            int64_t end = unit_end(r->values, r->count, begin);
            if (end - begin >= 2) {
                prompts += prompts == 0 || r->values[begin].cluster != last_cluster;
                units++;
                last_cluster = r->values[begin].cluster;
                r->cluster_of[begin] = (by_prompt ? prompts : units) - 1;
            }
            begin = end;
        }
        r->clusters = by_prompt ? prompts : units;
    }
}

static enum err_code estimate(struct reliability *r, const struct stats_bootstrap *bootstrap,
                              struct stats_estimate *out_estimate, struct error *err) {
    double centre = 0.0;
    for (int64_t i = 0; i < r->count; i++) {
        centre += r->numbers[i] / (double)r->count;
    }
    memset(r->sums, 0, (size_t)r->clusters * STATS_SUMS_MAX * sizeof *r->sums);
    for (int64_t begin = 0; begin < r->count;) {
        int64_t end = unit_end(r->values, r->count, begin);
        if (end - begin >= 2) {
            add_values(r->sums + STATS_SUMS_MAX * r->cluster_of[begin], r->numbers, begin, end,
                       centre);
        }
        begin = end;
    }
    return stats_bootstrap_run(bootstrap, alpha_of_moments, out_estimate, err);
}

/* First place in sorted[] that holds `value` (or, `after`, a greater one). */
static int64_t place_of(const double *sorted, int64_t count, double value, bool after) {
    int64_t low = 0;
    int64_t high = count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (sorted[middle] < value || (after && sorted[middle] == value)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Replaces values by their mid-ranks among the values of units with two or more. */
static enum err_code rank_values(struct reliability *r, struct error *err) {
    SCOPED(mem) double *sorted = mem_array((size_t)r->count, sizeof *sorted);
    if (!sorted) {
        return err_oom(err, "ranks of ratings");
    }
    int64_t count = 0;
    for (int64_t begin = 0; begin < r->count;) {
        int64_t end = unit_end(r->values, r->count, begin);
        for (int64_t i = begin; end - begin >= 2 && i < end; i++) {
            sorted[count++] = r->values[i].value;
        }
        begin = end;
    }
    sorted_make(sorted, count);
    for (int64_t i = 0; i < r->count; i++) {
        double value = r->values[i].value;
        r->numbers[i] = 0.5 * (double)(place_of(sorted, count, value, false) +
                                       place_of(sorted, count, value, true));
    }
    return ERR_OK;
}

enum err_code stats_agreement_of_values(const struct stats_value *values, int64_t count,
                                        uint64_t seed, int64_t stream,
                                        struct stats_reliability *out_reliability,
                                        struct error *err) {
    SCOPED(reliability) struct reliability r = {.values = values, .count = count};
    r.numbers = mem_array((size_t)count, sizeof *r.numbers);
    r.cluster_of = mem_array((size_t)count, sizeof *r.cluster_of);
    if (!r.numbers || !r.cluster_of) {
        return err_oom(err, "ratings");
    }
    struct stats_reliability found = {.units = 0};
    for (int64_t begin = 0; begin < count;) {
        int64_t end = unit_end(values, count, begin);
        found.units += end - begin >= 2;
        found.values += end - begin >= 2 ? end - begin : 0;
        begin = end;
    }
    number_clusters(&r);
    r.sums = mem_array((size_t)r.clusters, STATS_SUMS_MAX * sizeof *r.sums);
    if (!r.sums) {
        return err_oom(err, "ratings");
    }
    struct stats_bootstrap bootstrap = {
        .sums = r.sums, .clusters = r.clusters, .seed = seed, .stream = stream};
    for (int64_t i = 0; i < count; i++) {
        r.numbers[i] = values[i].value;
    }
    TRY(estimate(&r, &bootstrap, &found.interval, err));
    TRY(rank_values(&r, err));
    TRY(estimate(&r, &bootstrap, &found.ordinal, err));
    *out_reliability = found;
    return ERR_OK;
}
