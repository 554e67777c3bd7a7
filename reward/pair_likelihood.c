/* pair_likelihood.c - see pair_likelihood.h. */
#include "reward/pair_likelihood.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "reward/pair_outcome.h"

#include <string.h>

/* ---- making ---- */

static enum err_code count_blocks(struct pair_likelihood *model, struct error *err) {
    const struct comparison_set *set = model->set;
    model->block_sums = mem_array_zero((size_t)set->block_count, sizeof *model->block_sums);
    model->block_sizes = mem_array_zero((size_t)set->block_count, sizeof *model->block_sizes);
    if (!model->block_sums || !model->block_sizes) {
        return err_oom(err, "sums of blocks");
    }
    for (int64_t i = 0; i < set->item_count; i++) {
        model->block_sizes[set->item_blocks[i]]++;
    }
    return ERR_OK;
}

enum err_code pair_likelihood_init(struct pair_likelihood *model, const struct comparison_set *set,
                                   const struct pair_table *table,
                                   const struct tabular_options *options, struct error *err) {
    SCOPED(pair_likelihood)
    struct pair_likelihood made = {
        .set = set, .table = table, .model = options->model, .position = -1, .tie = -1};
    made.size = table->item_count;
    if (options->position_effect) {
        made.position = made.size++;
    }
    if (pair_has_ties(options->model)) {
        made.tie = made.size++;
    }
    made.curvatures = mem_array_zero((size_t)table->count, sizeof *made.curvatures);
    if (made.tie >= 0) {
        made.cross = mem_array_zero((size_t)table->count, sizeof *made.cross);
    }
    if (!made.curvatures || (made.tie >= 0 && !made.cross)) {
        return err_oom(err, "curvatures of pairs");
    }
    if (options->estimator == TABULAR_MAXIMUM_POSTERIOR) {
        made.ridge = options->ridge;
        TRY(count_blocks(&made, err));
    }
    *model = made;
    made = (struct pair_likelihood)PAIR_LIKELIHOOD_INIT;
    return ERR_OK;
}

void pair_likelihood_deinit(struct pair_likelihood *model) {
    mem_free(model->curvatures);
    mem_free(model->cross);
    mem_free(model->block_sums);
    mem_free(model->block_sizes);
    *model = (struct pair_likelihood)PAIR_LIKELIHOOD_INIT;
}

/* ---- the prior ---- */

static void sum_blocks(const struct pair_likelihood *model, const double *v) {
    const struct comparison_set *set = model->set;
    memset(model->block_sums, 0, (size_t)set->block_count * sizeof *model->block_sums);
    for (int64_t i = 0; i < set->item_count; i++) {
        model->block_sums[set->item_blocks[i]] += v[i];
    }
}

/* v_i minus the mean of its block, after sum_blocks. */
static double from_mean(const struct pair_likelihood *model, const double *v, int64_t i) {
    int32_t block = model->set->item_blocks[i];
    return v[i] - model->block_sums[block] / (double)model->block_sizes[block];
}

static double prior_value(const struct pair_likelihood *model, const double *x) {
    if (model->ridge <= 0.0) {
        return 0.0;
    }
    sum_blocks(model, x);
    double sum = 0.0;
    for (int64_t i = 0; i < model->set->item_count; i++) {
        double off = from_mean(model, x, i);
        sum += off * off;
    }
    return 0.5 * model->ridge * sum;
}

/* Adds the gradient at v, which is also the Hessian times v. */
static void add_prior(const struct pair_likelihood *model, const double *v, double *io) {
    if (model->ridge <= 0.0) {
        return;
    }
    sum_blocks(model, v);
    for (int64_t i = 0; i < model->set->item_count; i++) {
        io[i] += model->ridge * from_mean(model, v, i);
    }
}

/* ---- value and derivatives ---- */

static struct pair_outcome weights_of(const struct pair_table *table, int64_t c) {
    return (struct pair_outcome){
        .win = table->wins[c], .loss = table->losses[c], .tie = table->ties[c]};
}

static double variable(const double *x, int64_t place) {
    return place >= 0 ? x[place] : 0.0;
}

#define PRODUCT_MAX 1e280 /* times 2^FACTORS_MAX it is still a double */
#define FACTORS_MAX 8.0

/* The sum of n log(1 + e). Most cells of large tables hold a few comparisons; of these the
 * logarithm is taken of a product of many, with what 1 + e rounds off summed beside. It halves the
 * time of a sparse fit (2026-11). */
struct log_sum {
    double sum, product, rounded_off;
};

static inline void add_logs(struct log_sum *logs, double n, double e) {
    double factor = 1.0 + e;
    if (!(n <= FACTORS_MAX) || n != floor(n)) {
        logs->sum += n * pair_log1p(e);
        return;
    }
    logs->rounded_off += n * (e - (factor - 1.0));
    for (int k = (int)n; k > 0; k--) {
        logs->product *= factor;
    }
    if (logs->product > PRODUCT_MAX) {
        logs->sum += log(logs->product);
        logs->product = 1.0;
    }
}

/* Bradley-Terry alone: n log(1 + e^-|D|), and what the loser lies behind. */
static double value_of_wins(const struct pair_likelihood *model, const double *x) {
    const struct pair_table *table = model->table;
    double position = variable(x, model->position);
    struct log_sum logs = {.product = 1.0};
    double sum = 0.0;
    for (int64_t i = 0; i < table->item_count; i++) {
        double row = 0.0;
        for (int64_t c = table->starts[i]; c < table->starts[i + 1]; c++) {
            double difference = x[i] - x[table->others[c]] + position * table->sides[c];
            double apart = fabs(difference);
            row += 0.5 * ((apart + difference) * table->losses[c] +
                          (apart - difference) * table->wins[c]);
            add_logs(&logs, table->wins[c] + table->losses[c], exp(-apart));
        }
        sum += row + logs.sum + logs.rounded_off;
        logs.sum = logs.rounded_off = 0.0;
    }
    return sum + log(logs.product);
}

static double value_of_pairs(const struct pair_likelihood *model, const double *x) {
    if (model->tie < 0) {
        return value_of_wins(model, x);
    }
    const struct pair_table *table = model->table;
    double position = variable(x, model->position);
    double tie = variable(x, model->tie);
    double sum = 0.0;
    for (int64_t i = 0; i < table->item_count; i++) {
        double row = 0.0;
        for (int64_t c = table->starts[i]; c < table->starts[i + 1]; c++) {
            double difference = x[i] - x[table->others[c]] + position * table->sides[c];
            row += pair_value_of(model->model, difference, tie, weights_of(table, c));
        }
        sum += row;
    }
    return sum;
}

static double value_at(void *context, const double *x) {
    const struct pair_likelihood *model = context;
    return value_of_pairs(model, x) + prior_value(model, x);
}

double pair_likelihood_log(struct pair_likelihood *model, const double *x) {
    return -value_of_pairs(model, x);
}

static void gradient_at(void *context, const double *x, double *out_gradient) {
    struct pair_likelihood *model = context;
    const struct pair_table *table = model->table;
    double position = variable(x, model->position);
    double tie = variable(x, model->tie);
    double position_sum = 0.0;
    double tie_sum = 0.0;
    model->tie_curvature = 0.0;
    memset(out_gradient, 0, (size_t)model->size * sizeof *out_gradient);
    for (int64_t i = 0; i < table->item_count; i++) {
        double row = 0.0;
        for (int64_t c = table->starts[i]; c < table->starts[i + 1]; c++) {
            double difference = x[i] - x[table->others[c]] + position * table->sides[c];
            struct pair_terms terms =
                pair_terms_of(model->model, difference, tie, weights_of(table, c));
            row += terms.d;
            out_gradient[table->others[c]] -= terms.d;
            position_sum += table->sides[c] * terms.d;
            model->curvatures[c] = terms.dd;
            if (model->cross) {
                tie_sum += terms.e;
                model->cross[c] = terms.de;
                model->tie_curvature += terms.ee;
            }
        }
        out_gradient[i] += row;
    }
    add_prior(model, x, out_gradient);
    if (model->position >= 0) {
        out_gradient[model->position] = position_sum;
    }
    if (model->tie >= 0) {
        out_gradient[model->tie] = tie_sum;
    }
}

/* Rewards alone: what most fits consist of. */
static void times_rewards(const struct pair_likelihood *model, const double *v, double *out) {
    const struct pair_table *table = model->table;
    for (int64_t i = 0; i < table->item_count; i++) {
        double row = 0.0;
        for (int64_t c = table->starts[i]; c < table->starts[i + 1]; c++) {
            double part = model->curvatures[c] * (v[i] - v[table->others[c]]);
            row += part;
            out[table->others[c]] -= part;
        }
        out[i] += row;
    }
}

static void times_all(const struct pair_likelihood *model, const double *v, double *out) {
    const struct pair_table *table = model->table;
    double position = variable(v, model->position);
    double tie = variable(v, model->tie);
    double position_sum = 0.0;
    double tie_sum = model->tie_curvature * tie;
    for (int64_t i = 0; i < table->item_count; i++) {
        double row = 0.0;
        for (int64_t c = table->starts[i]; c < table->starts[i + 1]; c++) {
            double change = v[i] - v[table->others[c]] + position * table->sides[c];
            double part = model->curvatures[c] * change;
            if (model->cross) {
                part += model->cross[c] * tie;
                tie_sum += model->cross[c] * change;
            }
            row += part;
            out[table->others[c]] -= part;
            position_sum += table->sides[c] * part;
        }
        out[i] += row;
    }
    if (model->position >= 0) {
        out[model->position] = position_sum;
    }
    if (model->tie >= 0) {
        out[model->tie] = tie_sum;
    }
}

static void hessian_times(void *context, const double *x, const double *v, double *out) {
    const struct pair_likelihood *model = context;
    (void)x;
    memset(out, 0, (size_t)model->size * sizeof *out);
    if (model->size == model->table->item_count) {
        times_rewards(model, v, out);
    } else {
        times_all(model, v, out);
    }
    add_prior(model, v, out);
}

static void diagonal_at(void *context, const double *x, double *out) {
    const struct pair_likelihood *model = context;
    const struct pair_table *table = model->table;
    (void)x;
    double position_sum = 0.0;
    memset(out, 0, (size_t)model->size * sizeof *out);
    for (int64_t i = 0; i < table->item_count; i++) {
        for (int64_t c = table->starts[i]; c < table->starts[i + 1]; c++) {
            out[i] += model->curvatures[c];
            out[table->others[c]] += model->curvatures[c];
            position_sum += table->sides[c] != 0 ? model->curvatures[c] : 0.0;
        }
    }
    for (int64_t i = 0; i < table->item_count && model->ridge > 0.0; i++) {
        double size = (double)model->block_sizes[model->set->item_blocks[i]];
        out[i] += model->ridge * (1.0 - 1.0 / size);
    }
    if (model->position >= 0) {
        out[model->position] = position_sum;
    }
    if (model->tie >= 0) {
        out[model->tie] = model->tie_curvature;
    }
}

/* Place of (row, column) in a lower triangle by rows. */
static double *entry(double *triangle, int64_t row, int64_t column) {
    return row >= column ? &triangle[row * (row + 1) / 2 + column]
                         : &triangle[column * (column + 1) / 2 + row];
}

static void add_cell(const struct pair_likelihood *model, int64_t i, int64_t c, double *out) {
    int64_t j = model->table->others[c];
    double side = model->table->sides[c];
    double h = model->curvatures[c];
    *entry(out, i, i) += h;
    *entry(out, j, j) += h;
    *entry(out, j, i) -= h;
    if (model->position >= 0) {
        *entry(out, model->position, i) += side * h;
        *entry(out, model->position, j) -= side * h;
        *entry(out, model->position, model->position) += side * side * h;
    }
    if (model->tie >= 0) {
        *entry(out, model->tie, i) += model->cross[c];
        *entry(out, model->tie, j) -= model->cross[c];
    }
    if (model->tie >= 0 && model->position >= 0) {
        *entry(out, model->tie, model->position) += side * model->cross[c];
    }
}

static void dense_at(void *context, const double *x, double *out) {
    const struct pair_likelihood *model = context;
    const struct pair_table *table = model->table;
    (void)x;
    memset(out, 0, (size_t)(model->size * (model->size + 1) / 2) * sizeof *out);
    for (int64_t i = 0; i < table->item_count; i++) {
        for (int64_t c = table->starts[i]; c < table->starts[i + 1]; c++) {
            add_cell(model, i, c, out);
        }
    }
    if (model->tie >= 0) {
        *entry(out, model->tie, model->tie) = model->tie_curvature;
    }
    const int32_t *blocks = model->set->item_blocks;
    for (int64_t i = 0; i < table->item_count && model->ridge > 0.0; i++) {
        *entry(out, i, i) += model->ridge;
        for (int64_t j = 0; j <= i; j++) {
            if (blocks[i] == blocks[j]) {
                *entry(out, i, j) -= model->ridge / (double)model->block_sizes[blocks[i]];
            }
        }
    }
}

struct newton_problem pair_likelihood_problem(struct pair_likelihood *model) {
    return (struct newton_problem){.size = model->size,
                                   .context = model,
                                   .value = value_at,
                                   .gradient = gradient_at,
                                   .hessian_times = hessian_times,
                                   .diagonal = diagonal_at,
                                   .dense = dense_at};
}

/* ---- the start ---- */

static double log_odds(double wins, double losses) {
    return log((wins + 0.5) / (losses + 0.5));
}

static void guess_parameters(const struct pair_likelihood *model, double *out_x) {
    const struct pair_table *table = model->table;
    double first = 0.0, second = 0.0;
    double decided = 0.0, ties = 0.0;
    for (int64_t c = 0; c < table->count; c++) {
        decided += table->wins[c] + table->losses[c];
        ties += table->ties[c];
        if (table->sides[c] != 0) {
            bool is_first = table->sides[c] > 0;
            first += (is_first ? table->wins[c] : table->losses[c]) + 0.5 * table->ties[c];
            second += (is_first ? table->losses[c] : table->wins[c]) + 0.5 * table->ties[c];
        }
    }
    if (model->position >= 0) {
        out_x[model->position] = log_odds(first, second);
    }
    if (model->tie >= 0) {
        /* of equal items: P(tie) = nu / (2 + nu), or tanh(eta / 2) */
        double share = (ties + 0.5) / (decided + ties + 1.0);
        out_x[model->tie] = model->model == TABULAR_DAVIDSON ? log(2.0 * share / (1.0 - share))
                                                             : 2.0 * atanh(share);
    }
}

enum err_code pair_likelihood_guess(const struct pair_likelihood *model, double *out_x,
                                    struct error *err) {
    const struct pair_table *table = model->table;
    size_t items = (size_t)table->item_count;
    SCOPED(mem) double *wins = mem_array_zero(items, sizeof *wins);
    SCOPED(mem) double *losses = mem_array_zero(items, sizeof *losses);
    if (!wins || !losses) {
        return err_oom(err, "first guess of rewards");
    }
    for (int64_t i = 0; i < table->item_count; i++) {
        for (int64_t c = table->starts[i]; c < table->starts[i + 1]; c++) {
            double won = table->wins[c] + 0.5 * table->ties[c];
            double lost = table->losses[c] + 0.5 * table->ties[c];
            wins[i] += won;
            losses[i] += lost;
            wins[table->others[c]] += lost;
            losses[table->others[c]] += won;
        }
    }
    for (int64_t i = 0; i < table->item_count; i++) {
        out_x[i] = log_odds(wins[i], losses[i]);
    }
    guess_parameters(model, out_x);
    return ERR_OK;
}
