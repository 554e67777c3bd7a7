/* davidson_luce.c - see davidson_luce.h. */
#include "reward/davidson_luce_internal.h"

#include "base/mem.h"
#include "base/scoped.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Doubles in the tables of one ranking: 512 MiB in all. */
#define TABLE_NUMBERS_MAX (INT64_C(32) << 20)

/* ---- rankings and stages ---- */

struct davidson_luce_ranking davidson_luce_ranking_at(const struct davidson_luce *model,
                                                      int64_t comparison) {
    const struct comparison_set *set = model->set;
    int64_t start = set->starts[comparison];
    return (struct davidson_luce_ranking){
        .items = set->items + start,
        .ranks = set->ranks + start,
        .size = set->starts[comparison + 1] - start,
        .weight = set->weights[comparison],
        .last_unordered = set->last_unordered && set->last_unordered[comparison],
        .start = start,
    };
}

int64_t davidson_luce_stage_size(const struct davidson_luce_ranking *ranking, int64_t i) {
    if (ranking->size - i < 2 || (i > 0 && ranking->ranks[i] == ranking->ranks[i - 1])) {
        return 0;
    }
    int64_t end = i + 1;
    while (end < ranking->size && ranking->ranks[end] == ranking->ranks[i]) {
        end++;
    }
    return end == ranking->size && ranking->last_unordered ? 0 : end - i;
}

/* ---- making ---- */

/* `order_max` ties are in the model though no ranking be so long. */
static enum err_code find_longest(struct davidson_luce *model, int64_t order_max,
                                  struct error *err) {
    model->ranking_max = order_max;
    for (int64_t c = 0; c < model->set->count; c++) {
        int64_t size = model->set->starts[c + 1] - model->set->starts[c];
        model->ranking_max = size > model->ranking_max ? size : model->ranking_max;
    }
    model->order_index = mem_array_zero((size_t)model->ranking_max + 2, sizeof *model->order_index);
    return model->order_index ? ERR_OK : err_oom(err, "tie orders");
}

/* Those of the set, and the `extra` ones, ascending. */
static enum err_code find_orders(struct davidson_luce *model, const int64_t *extra,
                                 int64_t extra_count, struct error *err) {
    TRY(find_longest(model, extra_count > 0 ? extra[extra_count - 1] : 0, err));
    model->order_index[1] = 1;
    for (int64_t o = 0; o < extra_count; o++) {
        model->order_index[extra[o]] = 1;
    }
    for (int64_t c = 0; c < model->set->count; c++) {
        struct davidson_luce_ranking ranking = davidson_luce_ranking_at(model, c);
        for (int64_t i = 0; i < ranking.size; i++) {
            model->order_index[davidson_luce_stage_size(&ranking, i)] = 1;
        }
    }
    model->order_index[0] = -1;
    for (int64_t t = 1; t <= model->ranking_max; t++) {
        if (!model->order_index[t]) {
            model->order_index[t] = -1;
            continue;
        }
        if (model->order_count == DAVIDSON_LUCE_ORDERS_MAX || t > DAVIDSON_LUCE_ORDER_MAX) {
            return err_set(err, ERR_LIMIT,
                           "a tie of %" PRId64 " items is the tie size number %" PRId64
                           " in these rankings, limits %d items and %d sizes; items at the end of "
                           "a ranking that were not compared can be imported as such",
                           t, model->order_count, DAVIDSON_LUCE_ORDER_MAX,
                           DAVIDSON_LUCE_ORDERS_MAX - 1);
        }
        model->order_index[t] = (int32_t)model->order_count;
        model->orders[model->order_count++] = t;
    }
    if (model->order_count == 0) { /* no comparison at all */
        model->orders[model->order_count++] = 1;
    }
    return ERR_OK;
}

static enum err_code make_subset_counts(struct davidson_luce *model, struct error *err) {
    int64_t columns = model->ranking_max + 1;
    model->log_subsets =
        mem_array_zero((size_t)(model->order_count * columns), sizeof *model->log_subsets);
    double *log_factorials = mem_array_zero((size_t)columns, sizeof *log_factorials);
    SCOPED(mem) double *owned = log_factorials;
    if (!model->log_subsets || !owned) {
        return err_oom(err, "numbers of subsets");
    }
    for (int64_t n = 1; n < columns; n++) {
        log_factorials[n] = log_factorials[n - 1] + log((double)n);
    }
    for (int64_t o = 0; o < model->order_count; o++) {
        int64_t t = model->orders[o];
        for (int64_t n = t; n < columns; n++) {
            model->log_subsets[o * columns + n] =
                log_factorials[n] - log_factorials[t] - log_factorials[n - t];
        }
    }
    return ERR_OK;
}

static enum err_code make_scratch(struct davidson_luce *model, struct error *err) {
    int64_t numbers = 0;
    model->tables = mem_array((size_t)model->order_count, sizeof *model->tables);
    if (!model->tables) {
        return err_oom(err, "tables of rankings");
    }
    for (int64_t o = 0; o < model->order_count; o++) {
        model->tables[o] = numbers;
        numbers += (model->ranking_max + 1) * (model->orders[o] + 1);
    }
    if (numbers > TABLE_NUMBERS_MAX) {
        return err_set(
            err, ERR_LIMIT,
            "rankings of up to %" PRId64 " items with ties of up to %" PRId64
            " need more than %" PRId64 " numbers of memory: leave out the items at their end",
            model->ranking_max, model->orders[model->order_count - 1], TABLE_NUMBERS_MAX);
    }
    size_t members = (size_t)(model->set->starts[model->set->count] * model->order_count);
    size_t width = (size_t)model->orders[model->order_count - 1] + 1;
    model->ratios = mem_array(members, sizeof(double));
    model->injects = mem_array_zero(members, sizeof(double));
    model->sums = mem_array((size_t)numbers, sizeof(double));
    model->tangents = mem_array((size_t)numbers, sizeof(double));
    model->adjoint = mem_array(width, sizeof(double));
    model->adjoint_next = mem_array(width, sizeof(double));
    model->adjoint_tangent = mem_array(width, sizeof(double));
    model->adjoint_tangent_next = mem_array(width, sizeof(double));
    bool made = model->ratios && model->injects && model->sums && model->tangents &&
                model->adjoint && model->adjoint_next && model->adjoint_tangent &&
                model->adjoint_tangent_next;
    return made ? ERR_OK : err_oom(err, "tables of rankings");
}

static enum err_code make(const struct comparison_set *set, double ridge, const int64_t *extra,
                          int64_t extra_count, struct davidson_luce **out_model,
                          struct error *err) {
    SCOPED(davidson_luce) struct davidson_luce *model = mem_array_zero(1, sizeof *model);
    if (!model) {
        return err_oom(err, "ranking model");
    }
    model->set = set;
    model->ridge = ridge;
    TRY(find_orders(model, extra, extra_count, err));
    TRY(make_subset_counts(model, err));
    TRY(make_scratch(model, err));
    *out_model = MOVE(model);
    return ERR_OK;
}

enum err_code davidson_luce_new(const struct comparison_set *set, double ridge,
                                struct davidson_luce **out_model, struct error *err) {
    return make(set, ridge, NULL, 0, out_model, err);
}

enum err_code davidson_luce_new_beside_pairs(const struct comparison_set *set,
                                             const struct davidson_luce *like,
                                             struct davidson_luce **out_model, struct error *err) {
    static const int64_t pair = 2;
    int64_t count = 1;
    const int64_t *extra = like ? davidson_luce_tie_orders(like, &count) : &pair;
    return make(set, 0.0, extra, count, out_model, err);
}

void davidson_luce_free(struct davidson_luce *model) {
    if (!model) {
        return;
    }
    mem_free(model->order_index);
    mem_free(model->log_subsets);
    mem_free(model->ratios);
    mem_free(model->injects);
    mem_free(model->sums);
    mem_free(model->tangents);
    mem_free(model->adjoint);
    mem_free(model->adjoint_next);
    mem_free(model->adjoint_tangent);
    mem_free(model->adjoint_tangent_next);
    mem_free(model->tables);
    mem_free(model);
}

const int64_t *davidson_luce_tie_orders(const struct davidson_luce *model, int64_t *out_count) {
    *out_count = model->order_count - 1;
    return model->orders + 1;
}

/* Names of parameters are static, and tie orders come from the data: so all names exist. */
const char *davidson_luce_delta_name(int64_t order) {
#define ONES(tens)                                                                              \
    "log_delta_" tens "0", "log_delta_" tens "1", "log_delta_" tens "2", "log_delta_" tens "3", \
        "log_delta_" tens "4", "log_delta_" tens "5", "log_delta_" tens "6",                    \
        "log_delta_" tens "7", "log_delta_" tens "8", "log_delta_" tens "9"
#define TENS(h)                                                                                \
    ONES(h "0"), ONES(h "1"), ONES(h "2"), ONES(h "3"), ONES(h "4"), ONES(h "5"), ONES(h "6"), \
        ONES(h "7"), ONES(h "8"), ONES(h "9")
    static const char *const names[DAVIDSON_LUCE_ORDER_MAX + 1] = {
        ONES(""),  ONES("1"), ONES("2"), ONES("3"), ONES("4"), ONES("5"), ONES("6"),
        ONES("7"), ONES("8"), ONES("9"), TENS("1"), TENS("2"), TENS("3"), TENS("4"),
        TENS("5"), TENS("6"), TENS("7"), TENS("8"), TENS("9"),
    };
#undef ONES
#undef TENS
    return names[order];
}

/* For each order chosen, the greatest number of items that remained: then every order up to it was
 * possible. */
static void find_remaining(const struct davidson_luce *model, int64_t *out_remaining) {
    memset(out_remaining, 0, (size_t)model->order_count * sizeof *out_remaining);
    for (int64_t c = 0; c < model->set->count; c++) {
        struct davidson_luce_ranking ranking = davidson_luce_ranking_at(model, c);
        for (int64_t i = 0; i < ranking.size; i++) {
            int64_t chosen = davidson_luce_stage_size(&ranking, i);
            int64_t *most = &out_remaining[chosen > 0 ? model->order_index[chosen] : 0];
            *most = chosen > 0 && ranking.size - i > *most ? ranking.size - i : *most;
        }
    }
}

/* Every order leads to order 1, which is always possible. So what counts is which ones order 1
 * leads to: all up to the most items that remained where 1, or anything it leads to, was chosen. */
int64_t davidson_luce_undetermined_order(const struct davidson_luce *model) {
    int64_t remaining[DAVIDSON_LUCE_ORDERS_MAX];
    find_remaining(model, remaining);
    int64_t reach = remaining[0];
    for (int64_t o = 1; o < model->order_count; o++) {
        if (model->orders[o] > reach) {
            return model->orders[o];
        }
        reach = remaining[o] > reach ? remaining[o] : reach;
    }
    return 0;
}

/* ---- the recurrence ----
 *
 * Row i of an order's table holds E_0 .. E_t of the members from i to the last, each divided by its
 * number of terms, of the weights x_j = e^((r_j - m_i) / t) with m_i the largest reward among
 * them. With n members from i on,
 *     n E_k(i) = (n - k) s^k E_k(i+1) + k x_i s^(k-1) E_(k-1)(i+1),   s = e^((m_(i+1) - m_i) / t)
 * where either x_i or s is 1. `ratios` keeps the other: x_i as it is, s with a minus sign. */

struct step {
    double x, s;
    double x_dot; /* of x along a direction, where one is looked along */
};

static struct step step_of(double ratio) {
    return signbit(ratio) ? (struct step){.x = 1.0, .s = -ratio} /* -0.0 too */
                          : (struct step){.x = ratio, .s = 1.0};
}

static double *ratios_at(const struct davidson_luce *model,
                         const struct davidson_luce_ranking *ranking, int64_t order) {
    return model->ratios + ranking->start * model->order_count + order * ranking->size;
}

static double *injects_at(const struct davidson_luce *model,
                          const struct davidson_luce_ranking *ranking, int64_t order) {
    return model->injects + ranking->start * model->order_count + order * ranking->size;
}

/* `tops` of the last call stay in ratios only; the log of a stage's scale is found again from the
 * rewards. */
static void fill_ratios(struct davidson_luce *model, const struct davidson_luce_ranking *ranking,
                        const double *x) {
    for (int64_t o = 0; o < model->order_count; o++) {
        double *ratios = ratios_at(model, ranking, o);
        double divisor = (double)model->orders[o];
        double top = x[ranking->items[ranking->size - 1]];
        ratios[ranking->size - 1] = 1.0;
        for (int64_t i = ranking->size - 2; i >= 0; i--) {
            double reward = x[ranking->items[i]];
            if (reward > top) {
                ratios[i] = -exp((top - reward) / divisor);
                top = reward;
            } else {
                ratios[i] = exp((reward - top) / divisor);
            }
        }
    }
}

static void fill_sums(struct davidson_luce *model, const struct davidson_luce_ranking *ranking,
                      int64_t order) {
    const double *ratios = ratios_at(model, ranking, order);
    int64_t t = model->orders[order];
    double *row = model->sums + model->tables[order] + ranking->size * (t + 1);
    memset(row, 0, (size_t)(t + 1) * sizeof *row);
    row[0] = 1.0;
    for (int64_t i = ranking->size - 1; i >= 0; i--) {
        const double *below = row;
        row -= t + 1;
        struct step step = step_of(ratios[i]);
        double n = (double)(ranking->size - i), power = 1.0;
        row[0] = 1.0;
        for (int64_t k = 1; k <= t; k++) {
            row[k] = k > ranking->size - i ? 0.0
                                           : ((n - (double)k) * power * step.s * below[k] +
                                              (double)k * step.x * power * below[k - 1]) /
                                                 n;
            power *= step.s;
        }
    }
}

/* Minus the log-probability of the stages of one ranking, weighted; `injects` are filled, and the
 * weighted probabilities of tie orders above 1 are added to `out_order_sums` unless it is NULL. */
static double fill_stages(struct davidson_luce *model, const struct davidson_luce_ranking *ranking,
                          const double *x, double *out_order_sums) {
    const double *log_deltas = x + model->set->item_count - 1; /* by place in orders, from 1 */
    double loss = 0.0, top = -INFINITY;
    for (int64_t i = ranking->size - 1; i >= 0; i--) {
        double reward = x[ranking->items[i]];
        top = reward > top ? reward : top;
        int64_t chosen = davidson_luce_stage_size(ranking, i);
        if (chosen == 0) {
            continue;
        }
        double terms[DAVIDSON_LUCE_ORDERS_MAX], sums[DAVIDSON_LUCE_ORDERS_MAX];
        double largest = -INFINITY, total = 0.0, logit = -top;
        int64_t n = ranking->size - i;
        for (int64_t o = 0; o < model->order_count; o++) {
            int64_t t = model->orders[o];
            sums[o] = model->sums[model->tables[o] + i * (t + 1) + t];
            double log_count = model->log_subsets[o * (model->ranking_max + 1) + n];
            terms[o] = (o > 0 ? log_deltas[o] : 0.0) + log_count + log(sums[o]);
            largest = terms[o] > largest ? terms[o] : largest;
        }
        for (int64_t o = 0; o < model->order_count; o++) {
            total += exp(terms[o] - largest);
        }
        double log_z = largest + log(total);
        for (int64_t o = 0; o < model->order_count; o++) {
            double share = sums[o] > 0.0 ? ranking->weight * exp(terms[o] - log_z) : 0.0;
            injects_at(model, ranking, o)[i] = sums[o] > 0.0 ? share / sums[o] : 0.0;
            if (out_order_sums && o > 0) {
                out_order_sums[o - 1] += share;
            }
        }
        for (int64_t j = i; chosen > 1 && j < i + chosen; j++) {
            logit += x[ranking->items[j]] / (double)chosen;
        }
        logit += chosen > 1 ? log_deltas[model->order_index[chosen]] : reward;
        loss += ranking->weight * (log_z - logit);
    }
    return loss;
}

/* ---- value and gradient ---- */

static double penalty_at(const struct davidson_luce *model, const double *x) {
    double sum = 0.0;
    for (int64_t i = 0; model->ridge > 0.0 && i < model->set->item_count; i++) {
        sum += x[i] * x[i];
    }
    return model->ridge > 0.0 ? 0.5 * model->ridge * sum : 0.0;
}

static void subtract_chosen(const struct davidson_luce *model,
                            const struct davidson_luce_ranking *ranking, double *gradient) {
    for (int64_t i = 0; i < ranking->size; i++) {
        int64_t chosen = davidson_luce_stage_size(ranking, i);
        for (int64_t j = i; j < i + chosen; j++) {
            gradient[ranking->items[j]] -= ranking->weight / (double)chosen;
        }
        if (chosen > 1) {
            gradient[model->set->item_count + model->order_index[chosen] - 1] -= ranking->weight;
        }
    }
}

/* One row of the adjoint recurrence. `adjoint` holds d loss / d E_k(i) without the stages that
 * begin at i + 1 and later; returns d loss / d ln x_i and moves on to row i + 1. */
static double adjoint_step(struct davidson_luce *model, int64_t t, struct step step,
                           const double *below, double n) {
    double derivative = 0.0, power = 1.0; /* s^(k-1) */
    double *here = model->adjoint, *next = model->adjoint_next;
    int64_t k_max = (double)t < n ? t : (int64_t)n;
    memset(next, 0, (size_t)(t + 1) * sizeof *next);
    for (int64_t k = 1; k <= k_max; k++) {
        double by_x = (double)k / n * power; /* d E_k(i) / d (x_i E_(k-1)(i+1)) */
        derivative += here[k] * by_x * step.x * below[k - 1];
        next[k - 1] += here[k] * by_x * step.x;
        next[k] += here[k] * (n - (double)k) / n * power * step.s;
        power *= step.s;
    }
    model->adjoint = next;
    model->adjoint_next = here;
    return derivative;
}

/* Adds to out[item] the sum over the stages of w p_t times the probability that the item is in the
 * tie, divided by t^`times`. */
static void add_order(struct davidson_luce *model, const struct davidson_luce_ranking *ranking,
                      int64_t order, int times, double *out) {
    const double *ratios = ratios_at(model, ranking, order);
    const double *injects = injects_at(model, ranking, order);
    int64_t t = model->orders[order];
    double divisor = times == 2 ? (double)(t * t) : (double)t;
    const double *table = model->sums + model->tables[order];
    memset(model->adjoint, 0, (size_t)(t + 1) * sizeof *model->adjoint);
    for (int64_t i = 0; i < ranking->size; i++) {
        if (davidson_luce_stage_size(ranking, i)) {
            model->adjoint[t] += injects[i];
        }
        double derivative = adjoint_step(model, t, step_of(ratios[i]), table + (i + 1) * (t + 1),
                                         (double)(ranking->size - i));
        out[ranking->items[i]] += derivative / divisor;
    }
}

double davidson_luce_part(struct davidson_luce *model, int64_t begin, int64_t end, const double *x,
                          double *gradient) {
    double loss = 0.0;
    for (int64_t c = begin; c < end; c++) {
        struct davidson_luce_ranking ranking = davidson_luce_ranking_at(model, c);
        fill_ratios(model, &ranking, x);
        for (int64_t o = 0; o < model->order_count; o++) {
            fill_sums(model, &ranking, o);
        }
        loss +=
            fill_stages(model, &ranking, x, gradient ? gradient + model->set->item_count : NULL);
        for (int64_t o = 0; gradient && o < model->order_count; o++) {
            add_order(model, &ranking, o, 1, gradient);
        }
        if (gradient) {
            subtract_chosen(model, &ranking, gradient);
        }
    }
    return loss;
}

static double value_at(void *context, const double *x) {
    struct davidson_luce *model = context;
    return penalty_at(model, x) + davidson_luce_part(model, 0, model->set->count, x, NULL);
}

static void gradient_at(void *context, const double *x, double *out_gradient) {
    struct davidson_luce *model = context;
    int64_t items = model->set->item_count;
    for (int64_t i = 0; i < items; i++) {
        out_gradient[i] = model->ridge * x[i];
    }
    memset(out_gradient + items, 0, (size_t)(model->order_count - 1) * sizeof *out_gradient);
    (void)davidson_luce_part(model, 0, model->set->count, x, out_gradient);
}

/* ---- curvature ---- */

static void fill_tangents(struct davidson_luce *model, const struct davidson_luce_ranking *ranking,
                          int64_t order, const double *v) {
    const double *ratios = ratios_at(model, ranking, order);
    int64_t t = model->orders[order];
    const double *below_sums = model->sums + model->tables[order] + ranking->size * (t + 1);
    double *row = model->tangents + model->tables[order] + ranking->size * (t + 1);
    memset(row, 0, (size_t)(t + 1) * sizeof *row);
    for (int64_t i = ranking->size - 1; i >= 0; i--) {
        const double *below = row;
        row -= t + 1;
        struct step step = step_of(ratios[i]);
        double n = (double)(ranking->size - i), power = 1.0;
        double x_dot = step.x * v[ranking->items[i]] / (double)t;
        row[0] = 0.0;
        for (int64_t k = 1; k <= t; k++) {
            row[k] =
                k > ranking->size - i
                    ? 0.0
                    : ((n - (double)k) * power * step.s * below[k] +
                       (double)k * power * (step.x * below[k - 1] + x_dot * below_sums[k - 1])) /
                          n;
            power *= step.s;
        }
        below_sums -= t + 1;
    }
}

/* How ln Z of the stage at member `i` moves along v. */
static double stage_tangent(const struct davidson_luce *model,
                            const struct davidson_luce_ranking *ranking, int64_t i,
                            const double *v) {
    double moved = 0.0;
    for (int64_t o = 0; o < model->order_count; o++) {
        int64_t t = model->orders[o];
        int64_t place = model->tables[o] + i * (t + 1) + t;
        double inject = injects_at(model, ranking, o)[i];
        double v_delta = o > 0 ? v[model->set->item_count + o - 1] : 0.0;
        moved += inject * (v_delta * model->sums[place] + model->tangents[place]);
    }
    return moved / ranking->weight;
}

/* The derivative of adjoint_step along v, which must come before it. */
static double adjoint_tangent_step(struct davidson_luce *model, int64_t t, struct step step,
                                   const double *below, const double *below_dot, double n) {
    double derivative = 0.0, power = 1.0;
    const double *here = model->adjoint;
    double *dot = model->adjoint_tangent, *next = model->adjoint_tangent_next;
    int64_t k_max = (double)t < n ? t : (int64_t)n;
    memset(next, 0, (size_t)(t + 1) * sizeof *next);
    for (int64_t k = 1; k <= k_max; k++) {
        double by_x = (double)k / n * power;
        double along_x = dot[k] * step.x + here[k] * step.x_dot;
        derivative += by_x * (along_x * below[k - 1] + here[k] * step.x * below_dot[k - 1]);
        next[k - 1] += by_x * along_x;
        next[k] += dot[k] * (n - (double)k) / n * power * step.s;
        power *= step.s;
    }
    model->adjoint_tangent = next;
    model->adjoint_tangent_next = dot;
    return derivative;
}

static void add_order_product(struct davidson_luce *model,
                              const struct davidson_luce_ranking *ranking, int64_t order,
                              const double *v, double *out) {
    const double *ratios = ratios_at(model, ranking, order);
    const double *injects = injects_at(model, ranking, order);
    int64_t t = model->orders[order], items = model->set->item_count;
    const double *table = model->sums + model->tables[order];
    const double *tangents = model->tangents + model->tables[order];
    double v_delta = order > 0 ? v[items + order - 1] : 0.0;
    memset(model->adjoint, 0, (size_t)(t + 1) * sizeof *model->adjoint);
    memset(model->adjoint_tangent, 0, (size_t)(t + 1) * sizeof *model->adjoint_tangent);
    for (int64_t i = 0; i < ranking->size; i++) {
        if (davidson_luce_stage_size(ranking, i)) {
            double inject_dot = injects[i] * (v_delta - stage_tangent(model, ranking, i, v));
            model->adjoint[t] += injects[i];
            model->adjoint_tangent[t] += inject_dot;
            if (order > 0) {
                out[items + order - 1] +=
                    inject_dot * table[i * (t + 1) + t] + injects[i] * tangents[i * (t + 1) + t];
            }
        }
        struct step step = step_of(ratios[i]);
        step.x_dot = step.x * v[ranking->items[i]] / (double)t;
        double n = (double)(ranking->size - i);
        const double *below = table + (i + 1) * (t + 1);
        const double *below_dot = tangents + (i + 1) * (t + 1);
        double moved = adjoint_tangent_step(model, t, step, below, below_dot, n);
        (void)adjoint_step(model, t, step, below, n);
        out[ranking->items[i]] += moved / (double)t;
    }
}

static void hessian_times(void *context, const double *x, const double *v, double *out) {
    (void)x; /* ratios and injects are of this point */
    struct davidson_luce *model = context;
    int64_t items = model->set->item_count;
    for (int64_t i = 0; i < items; i++) {
        out[i] = model->ridge * v[i];
    }
    memset(out + items, 0, (size_t)(model->order_count - 1) * sizeof *out);
    for (int64_t c = 0; c < model->set->count; c++) {
        struct davidson_luce_ranking ranking = davidson_luce_ranking_at(model, c);
        for (int64_t o = 0; o < model->order_count; o++) {
            fill_sums(model, &ranking, o);
            fill_tangents(model, &ranking, o, v);
        }
        for (int64_t o = 0; o < model->order_count; o++) {
            add_order_product(model, &ranking, o, v, out);
        }
    }
}

/* Without ties, minus the sum over the stages of w p_i^2, which makes the bound exact. */
static void subtract_squares(const struct davidson_luce *model,
                             const struct davidson_luce_ranking *ranking, double *out) {
    const double *ratios = ratios_at(model, ranking, 0);
    const double *injects = injects_at(model, ranking, 0);
    double squares = 0.0;
    for (int64_t i = 0; i < ranking->size; i++) {
        if (davidson_luce_stage_size(ranking, i)) {
            squares += injects[i] * injects[i] / ranking->weight;
        }
        struct step step = step_of(ratios[i]);
        double n = (double)(ranking->size - i);
        out[ranking->items[i]] -= squares * (step.x / n) * (step.x / n);
        squares *= step.s * (n - 1.0) / n * step.s * (n - 1.0) / n;
    }
}

/* Of the orders' log delta: w p_t (1 - p_t) summed over the stages. */
static void add_order_variance(struct davidson_luce *model,
                               const struct davidson_luce_ranking *ranking, int64_t order,
                               double *out) {
    const double *injects = injects_at(model, ranking, order);
    int64_t t = model->orders[order];
    for (int64_t i = 0; i < ranking->size; i++) {
        if (davidson_luce_stage_size(ranking, i)) {
            double share = injects[i] * model->sums[model->tables[order] + i * (t + 1) + t];
            *out += share * (1.0 - share / ranking->weight);
        }
    }
}

static void diagonal_at(void *context, const double *x, double *out) {
    (void)x;
    struct davidson_luce *model = context;
    int64_t items = model->set->item_count;
    for (int64_t i = 0; i < items + model->order_count - 1; i++) {
        out[i] = i < items ? model->ridge : 0.0;
    }
    for (int64_t c = 0; c < model->set->count; c++) {
        struct davidson_luce_ranking ranking = davidson_luce_ranking_at(model, c);
        for (int64_t o = 0; o < model->order_count; o++) {
            fill_sums(model, &ranking, o);
            add_order(model, &ranking, o, 2, out);
            if (o > 0) {
                add_order_variance(model, &ranking, o, out + items + o - 1);
            }
        }
        if (model->order_count == 1) {
            subtract_squares(model, &ranking, out);
        }
    }
    for (int64_t i = 0; i < items + model->order_count - 1; i++) {
        out[i] = out[i] > 0.0 ? out[i] : 0.0; /* rounding */
    }
}

/* ---- the whole curvature, without ties ---- */

static void subtract_at(double *lower, int64_t i, int64_t j, double value) {
    lower[i >= j ? i * (i + 1) / 2 + j : j * (j + 1) / 2 + i] -= value;
}

/* Minus w p_i p_j summed over the stages at which both remain: those up to the better of the two.
 * At member i, `squares` / n^2 is the sum of w / Z^2 in the scale of the largest reward from i on.
 */
static void subtract_products(const struct davidson_luce *model,
                              const struct davidson_luce_ranking *ranking, const double *x,
                              double *lower) {
    const double *ratios = ratios_at(model, ranking, 0);
    const double *injects = injects_at(model, ranking, 0);
    double *tops = model->tangents, squares = 0.0, top = -(double)INFINITY;
    for (int64_t i = ranking->size - 1; i >= 0; i--) {
        top = fmax(top, x[ranking->items[i]]);
        tops[i] = top;
    }
    for (int64_t i = 0; i < ranking->size; i++) {
        if (davidson_luce_stage_size(ranking, i)) {
            squares += injects[i] * injects[i] / ranking->weight;
        }
        struct step step = step_of(ratios[i]);
        double n = (double)(ranking->size - i);
        double of_item = squares / (n * n) * step.x;
        for (int64_t j = i + 1; j < ranking->size; j++) {
            double of_other = exp(x[ranking->items[j]] - tops[i]);
            subtract_at(lower, ranking->items[i], ranking->items[j], of_item * of_other);
        }
        squares *= step.s * (n - 1.0) / n * step.s * (n - 1.0) / n;
    }
}

static void dense_at(void *context, const double *x, double *out) {
    struct davidson_luce *model = context;
    int64_t items = model->set->item_count;
    memset(out, 0, (size_t)(items * (items + 1) / 2) * sizeof *out);
    double *diagonal = out + items * (items - 1) / 2; /* the last row, until it is spread */
    diagonal_at(model, x, diagonal);
    for (int64_t i = 0; i + 1 < items; i++) {
        out[i * (i + 1) / 2 + i] = diagonal[i];
    }
    memset(diagonal, 0, (size_t)(items - 1) * sizeof *diagonal);
    for (int64_t c = 0; c < model->set->count; c++) {
        struct davidson_luce_ranking ranking = davidson_luce_ranking_at(model, c);
        subtract_products(model, &ranking, x, out);
    }
}

struct newton_problem davidson_luce_problem(struct davidson_luce *model) {
    return (struct newton_problem){
        .size = model->set->item_count + model->order_count - 1,
        .context = model,
        .value = value_at,
        .gradient = gradient_at,
        .hessian_times = hessian_times,
        .diagonal = diagonal_at,
        .dense = model->order_count == 1 && model->set->item_count > 0 ? dense_at : NULL,
    };
}
