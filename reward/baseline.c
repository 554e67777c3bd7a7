/* baseline.c - see baseline.h. */
#include "reward/baseline.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "reward/pair_outcome.h"

#include <math.h>

/* Legend: F features, N rows, P pairs; x [F + 1] the weights, that of the length last. */
struct objective {
    const struct text_matrix *matrix;
    const struct baseline_pairs *pairs;
    const struct baseline_options *options;
    int64_t feature_count; /* F, or 0 for the length alone */
    double *log_lengths;   /* [N] */
    double *scores;        /* [N] of the x, or direction, being looked at */
    double *pulls;         /* [N] derivative with respect to the scores */
    double *margins;       /* [P] at the x of the last gradient */
};

static void objective_scoped_end(struct objective *o) {
    mem_free(o->log_lengths);
    mem_free(o->scores);
    mem_free(o->pulls);
    mem_free(o->margins);
}

static enum err_code objective_init(struct objective *o, struct error *err) {
    size_t rows = (size_t)o->matrix->row_count;
    o->log_lengths = mem_array(rows, sizeof *o->log_lengths);
    o->scores = mem_array(rows, sizeof *o->scores);
    o->pulls = mem_array(rows, sizeof *o->pulls);
    o->margins = mem_array((size_t)o->pairs->count, sizeof *o->margins);
    if (!o->log_lengths || !o->scores || !o->pulls || !o->margins) {
        return err_oom(err, "baseline");
    }
    for (int64_t n = 0; n < o->matrix->row_count; n++) {
        int64_t length = o->matrix->lengths[n];
        o->log_lengths[n] = log((double)(length > 0 ? length : 1));
    }
    return ERR_OK;
}

/* scores = [features, log length] x */
static void score_rows(struct objective *o, const double *x) {
    const struct text_matrix *m = o->matrix;
    for (int64_t n = 0; n < m->row_count; n++) {
        double score = x[o->feature_count] * o->log_lengths[n];
        for (int64_t e = m->starts[n]; o->feature_count > 0 && e < m->starts[n + 1]; e++) {
            score += x[m->entries[e].column] * (double)m->entries[e].value;
        }
        o->scores[n] = score;
    }
}

/* out = [features, log length]' pulls + ridge x */
static void gather(const struct objective *o, const double *x, double *out) {
    const struct text_matrix *m = o->matrix;
    for (int64_t f = 0; f < o->feature_count; f++) {
        out[f] = o->options->ridge * x[f];
    }
    out[o->feature_count] = o->options->ridge_length * x[o->feature_count];
    for (int64_t n = 0; n < m->row_count; n++) {
        out[o->feature_count] += o->pulls[n] * o->log_lengths[n];
        for (int64_t e = m->starts[n]; o->feature_count > 0 && e < m->starts[n + 1]; e++) {
            out[m->entries[e].column] += o->pulls[n] * (double)m->entries[e].value;
        }
    }
}

static double value_at(void *context, const double *x) {
    struct objective *o = context;
    score_rows(o, x);
    double value = 0.5 * o->options->ridge_length * x[o->feature_count] * x[o->feature_count];
    for (int64_t f = 0; f < o->feature_count; f++) {
        value += 0.5 * o->options->ridge * x[f] * x[f];
    }
    const struct baseline_pairs *pairs = o->pairs;
    for (int64_t p = 0; p < pairs->count; p++) {
        double margin = o->scores[pairs->first[p]] - o->scores[pairs->second[p]];
        value += pairs->wins_first[p] * pair_softplus(-margin) +
                 pairs->wins_second[p] * pair_softplus(margin);
    }
    return value;
}

static void clear_pulls(struct objective *o) {
    for (int64_t n = 0; n < o->matrix->row_count; n++) {
        o->pulls[n] = 0.0;
    }
}

static void gradient_at(void *context, const double *x, double *out_gradient) {
    struct objective *o = context;
    score_rows(o, x);
    clear_pulls(o);
    const struct baseline_pairs *pairs = o->pairs;
    for (int64_t p = 0; p < pairs->count; p++) {
        o->margins[p] = o->scores[pairs->first[p]] - o->scores[pairs->second[p]];
        double weight = pairs->wins_first[p] + pairs->wins_second[p];
        double pull = weight * pair_sigmoid(o->margins[p]) - pairs->wins_first[p];
        o->pulls[pairs->first[p]] += pull;
        o->pulls[pairs->second[p]] -= pull;
    }
    gather(o, x, out_gradient);
}

/* Weight of a pair's squared margin in the Hessian. */
static double curvature(const struct objective *o, int64_t p) {
    double win = pair_sigmoid(o->margins[p]);
    return (o->pairs->wins_first[p] + o->pairs->wins_second[p]) * win * (1.0 - win);
}

static void hessian_times(void *context, const double *x, const double *v, double *out) {
    (void)x; /* the margins are those of the last gradient, at the same x */
    struct objective *o = context;
    score_rows(o, v);
    clear_pulls(o);
    const struct baseline_pairs *pairs = o->pairs;
    for (int64_t p = 0; p < pairs->count; p++) {
        double pull = curvature(o, p) * (o->scores[pairs->first[p]] - o->scores[pairs->second[p]]);
        o->pulls[pairs->first[p]] += pull;
        o->pulls[pairs->second[p]] -= pull;
    }
    gather(o, v, out);
}

/* A preconditioner: exact for the length, and for words as if no pair had one on both sides. */
static void diagonal_at(void *context, const double *x, double *out) {
    (void)x;
    struct objective *o = context;
    const struct text_matrix *m = o->matrix;
    for (int64_t f = 0; f < o->feature_count; f++) {
        out[f] = o->options->ridge;
    }
    out[o->feature_count] = o->options->ridge_length;
    clear_pulls(o);
    for (int64_t p = 0; p < o->pairs->count; p++) {
        int32_t first = o->pairs->first[p];
        int32_t second = o->pairs->second[p];
        double curve = curvature(o, p);
        double difference = o->log_lengths[first] - o->log_lengths[second];
        o->pulls[first] += curve;
        o->pulls[second] += curve;
        out[o->feature_count] += curve * difference * difference;
    }
    for (int64_t n = 0; o->feature_count > 0 && n < m->row_count; n++) {
        for (int64_t e = m->starts[n]; e < m->starts[n + 1]; e++) {
            double value = (double)m->entries[e].value;
            out[m->entries[e].column] += o->pulls[n] * value * value;
        }
    }
}

enum err_code baseline_fit(const struct text_matrix *matrix, const struct baseline_pairs *pairs,
                           const struct baseline_options *options, struct baseline *out_baseline,
                           struct error *err) {
    if (pairs->count == 0) {
        return err_set(err, ERR_DATA, "no pairs of texts to fit a baseline to");
    }
    SCOPED(objective)
    struct objective o = {.matrix = matrix,
                          .pairs = pairs,
                          .options = options,
                          .feature_count = options->words ? matrix->feature_count : 0};
    TRY(objective_init(&o, err));
    SCOPED(mem) double *x = mem_array_zero((size_t)o.feature_count + 1, sizeof *x);
    if (!x) {
        return err_oom(err, "weights of words");
    }
    const struct newton_problem problem = {.size = o.feature_count + 1,
                                           .context = &o,
                                           .value = value_at,
                                           .gradient = gradient_at,
                                           .hessian_times = hessian_times,
                                           .diagonal = diagonal_at};
    struct newton_options newton = NEWTON_OPTIONS_DEFAULT;
    newton.iterations_max = options->iterations_max;
    newton.gradient_tolerance = 1e-10;
    struct newton_result result;
    TRY(err_wrap(err, newton_minimise(&problem, &newton, x, &result, err), "baseline"));
    *out_baseline = (struct baseline){
        .length_weight = x[o.feature_count], .feature_count = o.feature_count, .fit = result};
    out_baseline->weights = MOVE(x);
    return ERR_OK;
}

void baseline_deinit(struct baseline *baseline) {
    mem_free(baseline->weights);
    *baseline = (struct baseline)BASELINE_INIT;
}

double baseline_score(const struct baseline *baseline, const struct text_matrix *matrix,
                      int64_t row) {
    int64_t length = matrix->lengths[row];
    double score = baseline->length_weight * log((double)(length > 0 ? length : 1));
    for (int64_t e = matrix->starts[row]; e < matrix->starts[row + 1]; e++) {
        const struct text_entry *entry = &matrix->entries[e];
        if (entry->column < baseline->feature_count) {
            score += baseline->weights[entry->column] * (double)entry->value;
        }
    }
    return score;
}
