/* reward_eval.c - see reward_eval.h: figures and their intervals, from sums of whole prompts. */
#include "base/mem.h"
#include "base/scoped.h"
#include "reward/reward_eval_internal.h"

#include <math.h>
#include <string.h>

/* ---- figures --------------------------------------------------------------------------------- */

/* Sums of one reward and, where it takes two, of another; `at` is a column. */
struct view {
    const double *own, *other;
    int64_t at;
};

static double ratio(const double *sums, int64_t sum, int64_t count) {
    return sums[count] > 0.0 ? sums[sum] / sums[count] : (double)NAN;
}

/* The ratio of column `at` to the next. */
static double ratio_to_next(const struct view *v) {
    return ratio(v->own, v->at, v->at + 1);
}

static double gap_of_ratios(const struct view *v) {
    return ratio(v->own, v->at, v->at + 1) - ratio(v->other, v->at, v->at + 1);
}

static double length_adjusted(const struct view *v) {
    return 0.5 * (ratio(v->own, EVAL_LONGER_CORRECT, EVAL_LONGER_DECIDED) +
                  ratio(v->own, EVAL_SHORTER_CORRECT, EVAL_SHORTER_DECIDED));
}

/* Of the three columns from `at` on: xy, xx, yy. */
static double correlation(const struct view *v) {
    const double xx = v->own[v->at + 1], yy = v->own[v->at + 2];
    return xx > 0.0 && yy > 0.0 ? v->own[v->at] / sqrt(xx * yy) : (double)NAN;
}

static double tied_accurate(const struct view *v) {
    return ratio(v->own, EVAL_TIED_ACCURATE, EVAL_TIED);
}

static double tied_apart(const struct view *v) {
    return ratio(v->own, EVAL_TIED_APART, EVAL_TIED);
}

struct figures {
    int64_t columns;   /* of a reward */
    int64_t all;       /* of all rewards */
    double *total;     /* [all] */
    double *resamples; /* [CLUSTER_RESAMPLES, all]; NULL with fewer than two prompts */
    double *values;    /* [CLUSTER_RESAMPLES] */
};

static void figures_scoped_end(struct figures *f) {
    mem_free(f->total);
    mem_free(f->resamples);
    mem_free(f->values);
}

static struct view view_of(const struct figures *f, const double *sums, int64_t reward,
                           int64_t other, int64_t at) {
    return (struct view){
        .own = sums + reward * f->columns, .other = sums + other * f->columns, .at = at};
}

static struct pair_score figure(const struct figures *f, int64_t reward, int64_t other, int64_t at,
                                double (*of)(const struct view *)) {
    struct view view = view_of(f, f->total, reward, other, at);
    struct pair_score score = {of(&view), (double)NAN, (double)NAN};
    if (!f->resamples || isnan(score.value)) {
        return score;
    }
    for (int64_t b = 0; b < CLUSTER_RESAMPLES; b++) {
        view = view_of(f, f->resamples + b * f->all, reward, other, at);
        f->values[b] = of(&view);
    }
    const struct cluster_interval interval = cluster_interval_of(f->values, CLUSTER_RESAMPLES);
    score.low = interval.low;
    score.high = interval.high;
    return score;
}

static struct pair_score own_figure(const struct figures *f, int64_t reward, int64_t at,
                                    double (*of)(const struct view *)) {
    return figure(f, reward, reward, at, of);
}

static void set_slices(const struct figures *f, int64_t r, struct reward_eval *eval) {
    for (int64_t s = 0; s < eval->slice_count; s++) {
        const int64_t at = EVAL_SLICES + EVAL_SLICE_COLUMNS * s;
        const double *total = f->total + r * f->columns + at;
        eval->rows[r].slices[s] = (struct eval_slice_score){
            .accuracy = own_figure(f, r, at + EVAL_SLICE_CORRECT, ratio_to_next),
            .nll = own_figure(f, r, at + EVAL_SLICE_NLL, ratio_to_next),
            .decided = total[EVAL_SLICE_DECIDED],
            .weight = total[EVAL_SLICE_WEIGHT],
        };
    }
}

static void set_row(const struct figures *f, int64_t r, struct reward_eval *eval) {
    struct reward_eval_row *row = &eval->rows[r];
    const double *total = f->total + r * f->columns;
    row->common_accuracy = own_figure(f, r, EVAL_COMMON_CORRECT, ratio_to_next);
    row->common_nll = own_figure(f, r, EVAL_COMMON_NLL, ratio_to_next);
    row->length_adjusted = own_figure(f, r, 0, length_adjusted);
    row->length_matched = own_figure(f, r, EVAL_MATCHED_CORRECT, ratio_to_next);
    row->matched_pairs = total[EVAL_MATCHED_DECIDED];
    row->pearson = own_figure(f, r, EVAL_XY, correlation);
    row->spearman = own_figure(f, r, EVAL_RANK_XY, correlation);
    row->choice = own_figure(f, r, EVAL_CHOICE_HITS, ratio_to_next);
    row->choices = total[EVAL_CHOICES];
    row->tied_accurate = own_figure(f, r, 0, tied_accurate);
    row->tied_apart = own_figure(f, r, 0, tied_apart);
    row->tied = total[EVAL_TIED];
    row->order_nll = own_figure(f, r, EVAL_ORDER_NLL, ratio_to_next);
    row->orders = total[EVAL_ORDERS];
    for (int64_t other = 0; other < eval->reward_count; other++) {
        const int64_t at = r * eval->reward_count + other;
        eval->accuracy_gaps[at] = figure(f, r, other, EVAL_COMMON_CORRECT, gap_of_ratios);
        eval->nll_gaps[at] = figure(f, r, other, EVAL_COMMON_NLL, gap_of_ratios);
    }
    set_slices(f, r, eval);
}

static enum err_code set_figures(const struct cluster_sums *sums, uint64_t seed, int64_t columns,
                                 struct reward_eval *eval, struct error *err) {
    SCOPED(figures) struct figures f = {.columns = columns, .all = sums->column_count};
    f.total = mem_array((size_t)f.all, sizeof *f.total);
    f.values = mem_array(CLUSTER_RESAMPLES, sizeof *f.values);
    if (!f.total || !f.values) {
        return err_oom(err, "figures of rewards");
    }
    cluster_sums_total(sums, f.total);
    if (sums->group_count >= 2) {
        TRY(cluster_sums_resample(sums, seed, &f.resamples, err));
    }
    for (int64_t r = 0; r < eval->reward_count; r++) {
        set_row(&f, r, eval);
    }
    return ERR_OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum err_code allocate(const struct reward_eval_input *input, struct reward_eval *eval,
                              struct error *err) {
    const size_t rewards = (size_t)input->reward_count;
    eval->slice_count = input->slices->count;
    eval->rows = mem_array_zero(rewards, sizeof *eval->rows);
    eval->accuracy_gaps = mem_array(rewards * rewards, sizeof *eval->accuracy_gaps);
    eval->nll_gaps = mem_array(rewards * rewards, sizeof *eval->nll_gaps);
    if (!eval->rows || !eval->accuracy_gaps || !eval->nll_gaps) {
        return err_oom(err, "figures of rewards");
    }
    eval->reward_count = input->reward_count;
    for (int64_t r = 0; r < input->reward_count; r++) {
        struct reward_eval_row *row = &eval->rows[r];
        row->slices = mem_array_zero((size_t)eval->slice_count, sizeof *row->slices);
        row->dots = mem_array_zero(REWARD_EVAL_DOTS_MAX, sizeof *row->dots);
        if (!row->slices || !row->dots) {
            return err_oom(err, "figures of rewards");
        }
    }
    return ERR_OK;
}

static void reward_eval_sums_scoped_end(struct reward_eval_sums *sums) {
    cluster_sums_deinit(&sums->sums);
    for (int64_t r = 0; sums->metrics && r < sums->reward_count; r++) {
        pair_metrics_deinit(&sums->metrics[r]);
    }
    mem_free(sums->metrics);
}

/* Blocks that are tested and hold a pair are what is drawn. */
static enum err_code sums_init(const struct reward_eval_input *input, struct reward_eval_sums *sums,
                               struct error *err) {
    const int64_t blocks = input->set->block_count;
    SCOPED(mem) bool *is_used = mem_array_zero((size_t)blocks, sizeof *is_used);
    sums->metrics = mem_array_zero((size_t)input->reward_count, sizeof *sums->metrics);
    if (!is_used || !sums->metrics) {
        return err_oom(err, "sums of prompts");
    }
    sums->reward_count = input->reward_count;
    int64_t pairs = 0;
    for (int64_t p = 0; p < input->texts->count; p++) {
        const int32_t block = input->texts->blocks[p];
        is_used[block] = input->is_tested[block];
        pairs += input->is_tested[block];
    }
    if (pairs == 0) {
        return err_set(err, ERR_DATA, "no pair of answers is to be judged");
    }
    for (int64_t r = 0; r < input->reward_count; r++) {
        TRY(pair_metrics_init(&sums->metrics[r], blocks, pairs, err));
    }
    return cluster_sums_init(&sums->sums, is_used, blocks,
                             input->reward_count * reward_eval_columns(input->slices->count),
                             input->seed, err);
}

enum err_code reward_eval_run(const struct reward_eval_input *input, struct reward_eval *out_eval,
                              struct error *err) {
    SCOPED(reward_eval) struct reward_eval eval = REWARD_EVAL_INIT;
    SCOPED(reward_eval_sums) struct reward_eval_sums sums = {.metrics = NULL};
    TRY(allocate(input, &eval, err));
    TRY(sums_init(input, &sums, err));
    TRY(reward_eval_add_up(input, &sums, &eval, err));
    for (int64_t r = 0; r < input->reward_count; r++) {
        struct reward_eval_row *row = &eval.rows[r];
        TRY(pair_metrics_scores(&sums.metrics[r], input->seed, &row->scores, err));
        row->temperature = pair_metrics_temperature(&sums.metrics[r], &row->calibrated_nll);
    }
    TRY(set_figures(&sums.sums, input->seed, reward_eval_columns(eval.slice_count), &eval, err));
    *out_eval = eval;
    eval = (struct reward_eval)REWARD_EVAL_INIT;
    return ERR_OK;
}

void reward_eval_deinit(struct reward_eval *eval) {
    for (int64_t r = 0; r < eval->reward_count; r++) {
        mem_free(eval->rows[r].slices);
        mem_free(eval->rows[r].dots);
    }
    mem_free(eval->rows);
    mem_free(eval->accuracy_gaps);
    mem_free(eval->nll_gaps);
    *eval = (struct reward_eval)REWARD_EVAL_INIT;
}

const struct pair_score *reward_eval_difference(const struct reward_eval *eval, int64_t reward,
                                                int64_t other) {
    return &eval->accuracy_gaps[reward * eval->reward_count + other];
}

bool reward_eval_is_above(const struct pair_score *difference) {
    return difference->low > 0.0;
}

bool reward_eval_is_below(const struct pair_score *difference) {
    return difference->high < 0.0;
}

int64_t reward_eval_best(const struct reward_eval *eval, const bool *competes) {
    int64_t competing = 0;
    for (int64_t r = 0; r < eval->reward_count; r++) {
        competing += competes[r];
    }
    for (int64_t r = 0; r < eval->reward_count && competing > 1; r++) {
        int64_t beaten = 0;
        for (int64_t other = 0; other < eval->reward_count; other++) {
            beaten +=
                competes[other] && reward_eval_is_above(reward_eval_difference(eval, r, other));
        }
        if (competes[r] && beaten == competing - 1) {
            return r;
        }
    }
    return -1;
}
