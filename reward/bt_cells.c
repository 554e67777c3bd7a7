/* bt_cells.c - see bt_cells.h. */
#include "reward/bt_cells.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "reward/newton.h"

#include <math.h>
#include <string.h>

#define SPARSE_BELOW 5.0 /* the usual rule for chi-square */
/* Of rewards, in nats: G2 is off by its square. */
#define TOLERANCE      1e-6
#define LOOKS_PER_STEP 4 /* of Newton: value, gradient, diagonal, and a trial step */

enum err_code bt_cells_init(struct bt_cells *cells, int64_t item_count, int64_t count,
                            struct error *err) {
    *cells = (struct bt_cells){.item_count = item_count, .count = count};
    cells->i = mem_array((size_t)count, sizeof *cells->i);
    cells->j = mem_array((size_t)count, sizeof *cells->j);
    cells->sides = mem_array_zero((size_t)count, sizeof *cells->sides);
    cells->wins = mem_array_zero((size_t)count, sizeof *cells->wins);
    cells->losses = mem_array_zero((size_t)count, sizeof *cells->losses);
    if (!cells->i || !cells->j || !cells->sides || !cells->wins || !cells->losses) {
        bt_cells_deinit(cells);
        return err_oom(err, "cells of pairs");
    }
    return ERR_OK;
}

void bt_cells_deinit(struct bt_cells *cells) {
    mem_free(cells->i);
    mem_free(cells->j);
    mem_free(cells->sides);
    mem_free(cells->wins);
    mem_free(cells->losses);
    mem_free(cells->starts);
    mem_free(cells->incident);
    mem_free(cells->groups);
    mem_free(cells->x);
    mem_free(cells->inside);
    mem_free(cells->curvature);
    mem_free(cells->scratch);
    *cells = (struct bt_cells)BT_CELLS_INIT;
}

enum err_code bt_cells_prepare(struct bt_cells *cells, struct error *err) {
    size_t items = (size_t)cells->item_count;
    size_t count = (size_t)cells->count;
    cells->starts = mem_array_zero(items + 2, sizeof *cells->starts);
    cells->incident = mem_array(2 * count, sizeof *cells->incident);
    cells->groups = mem_array(items, sizeof *cells->groups);
    cells->x = mem_array_zero(items + 1, sizeof *cells->x);
    cells->inside = mem_array(count, sizeof *cells->inside);
    cells->curvature = mem_array(count, sizeof *cells->curvature);
    cells->scratch = mem_array(5 * items, sizeof *cells->scratch);
    if (!cells->starts || !cells->incident || !cells->groups || !cells->x || !cells->inside ||
        !cells->curvature || !cells->scratch) {
        return err_oom(err, "cells of pairs");
    }
    /* Counted two places on, so that filling moves each start to where it belongs. */
    for (int64_t c = 0; c < cells->count; c++) {
        cells->starts[cells->i[c] + 2]++;
        cells->starts[cells->j[c] + 2]++;
    }
    for (int64_t k = 2; k <= cells->item_count; k++) {
        cells->starts[k] += cells->starts[k - 1];
    }
    for (int64_t c = 0; c < cells->count; c++) {
        cells->incident[cells->starts[cells->i[c] + 1]++] = (int32_t)c;
        cells->incident[cells->starts[cells->j[c] + 1]++] = (int32_t)c;
    }
    return ERR_OK;
}

/* ---- groups: Tarjan 1972, without recursion ---- */

enum { NOT_SEEN = -1 };

struct search {
    struct bt_cells *cells;
    int32_t *order, *low, *stack, *path, *next; /* [I] each */
    int32_t seen, stacked, path_length, group_count;
};

/* Whom `item` has beaten at the cell, or NOT_SEEN. */
static int32_t beaten_at(const struct bt_cells *cells, int32_t item, int32_t cell) {
    if (cells->i[cell] == item) {
        return cells->wins[cell] > 0.0 ? cells->j[cell] : NOT_SEEN;
    }
    return cells->losses[cell] > 0.0 ? cells->i[cell] : NOT_SEEN;
}

static void enter(struct search *s, int32_t item) {
    s->order[item] = s->low[item] = s->seen++;
    s->next[item] = 0;
    s->stack[s->stacked++] = item;
    s->path[s->path_length++] = item;
}

/* All on the stack down to `item` are a group. */
static void close_group(struct search *s, int32_t item) {
    int32_t member = NOT_SEEN;
    while (member != item) {
        member = s->stack[--s->stacked];
        s->cells->groups[member] = s->group_count;
    }
    s->group_count++;
}

static void lower(struct search *s, int32_t item, int32_t value) {
    s->low[item] = value < s->low[item] ? value : s->low[item];
}

/* One look from the end of the path: deeper, along, or back. */
static void step(struct search *s) {
    const struct bt_cells *cells = s->cells;
    int32_t item = s->path[s->path_length - 1];
    int64_t at = cells->starts[item] + s->next[item];
    if (at < cells->starts[item + 1]) {
        s->next[item]++;
        int32_t other = beaten_at(cells, item, cells->incident[at]);
        if (other == NOT_SEEN) {
            return;
        }
        if (s->order[other] == NOT_SEEN) {
            enter(s, other);
        } else if (cells->groups[other] == NOT_SEEN) {
            lower(s, item, s->order[other]);
        }
        return;
    }
    s->path_length--;
    if (s->low[item] == s->order[item]) {
        close_group(s, item);
    }
    if (s->path_length > 0) {
        lower(s, s->path[s->path_length - 1], s->low[item]);
    }
}

static void find_groups(struct bt_cells *cells) {
    int64_t n = cells->item_count;
    struct search s = {.cells = cells,
                       .order = cells->scratch,
                       .low = cells->scratch + n,
                       .stack = cells->scratch + 2 * n,
                       .path = cells->scratch + 3 * n,
                       .next = cells->scratch + 4 * n};
    for (int64_t k = 0; k < n; k++) {
        s.order[k] = NOT_SEEN;
        cells->groups[k] = NOT_SEEN;
    }
    for (int32_t k = 0; k < n; k++) {
        if (s.order[k] == NOT_SEEN) {
            enter(&s, k);
        }
        while (s.path_length > 0) {
            step(&s);
        }
    }
}

/* ---- the fit within groups ---- */

static double logit_of(const struct bt_cells *cells, const double *x, int64_t c) {
    double logit = x[cells->i[c]] - x[cells->j[c]];
    return cells->position ? logit + cells->sides[c] * x[cells->item_count] : logit;
}

static double value_at(void *context, const double *x) {
    const struct bt_cells *cells = context;
    double sum = 0.0;
    for (int64_t k = 0; k < cells->inside_count; k++) {
        int64_t c = cells->inside[k];
        double d = logit_of(cells, x, c);
        sum += (cells->wins[c] + cells->losses[c]) * log1p(exp(-fabs(d))) +
               (d > 0.0 ? cells->losses[c] * d : -cells->wins[c] * d);
    }
    return sum;
}

static double logistic(double d) {
    double e = exp(-fabs(d));
    return d > 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
}

static int64_t size_of(const struct bt_cells *cells) {
    return cells->item_count + (cells->position ? 1 : 0);
}

static void gradient_at(void *context, const double *x, double *out_gradient) {
    struct bt_cells *cells = context;
    memset(out_gradient, 0, (size_t)size_of(cells) * sizeof *out_gradient);
    for (int64_t k = 0; k < cells->inside_count; k++) {
        int64_t c = cells->inside[k];
        double n = cells->wins[c] + cells->losses[c];
        double p = logistic(logit_of(cells, x, c));
        double slope = n * p - cells->wins[c];
        cells->curvature[k] = n * p * (1.0 - p);
        out_gradient[cells->i[c]] += slope;
        out_gradient[cells->j[c]] -= slope;
        if (cells->position) {
            out_gradient[cells->item_count] += cells->sides[c] * slope;
        }
    }
}

static void hessian_times(void *context, const double *x, const double *v, double *out) {
    (void)x;
    const struct bt_cells *cells = context;
    memset(out, 0, (size_t)size_of(cells) * sizeof *out);
    for (int64_t k = 0; k < cells->inside_count; k++) {
        int64_t c = cells->inside[k];
        double t = cells->curvature[k] * logit_of(cells, v, c);
        out[cells->i[c]] += t;
        out[cells->j[c]] -= t;
        if (cells->position) {
            out[cells->item_count] += cells->sides[c] * t;
        }
    }
}

static void diagonal_at(void *context, const double *x, double *out) {
    (void)x;
    const struct bt_cells *cells = context;
    memset(out, 0, (size_t)size_of(cells) * sizeof *out);
    for (int64_t k = 0; k < cells->inside_count; k++) {
        int64_t c = cells->inside[k];
        out[cells->i[c]] += cells->curvature[k];
        out[cells->j[c]] += cells->curvature[k];
        if (cells->position) {
            out[cells->item_count] += cells->sides[c] * cells->sides[c] * cells->curvature[k];
        }
    }
}

/* Lists the cells within groups that have data. */
static void list_inside(struct bt_cells *cells, struct bt_cells_fit *fit) {
    cells->inside_count = 0;
    for (int64_t c = 0; c < cells->count; c++) {
        double n = cells->wins[c] + cells->losses[c];
        if (cells->groups[cells->i[c]] != cells->groups[cells->j[c]]) {
            fit->settled += n;
        } else if (n > 0.0) {
            cells->inside[cells->inside_count++] = (int32_t)c;
            fit->weight += n;
        }
    }
    fit->cells = cells->inside_count;
}

/* Items in groups of two and more, less one for each such group; one more for the position. */
static int64_t count_parameters(struct bt_cells *cells) {
    int32_t *sizes = cells->scratch;
    memset(sizes, 0, (size_t)cells->item_count * sizeof *sizes);
    for (int64_t k = 0; k < cells->item_count; k++) {
        sizes[cells->groups[k]]++;
    }
    int64_t parameters = 0;
    for (int64_t g = 0; g < cells->item_count; g++) {
        parameters += sizes[g] > 1 ? sizes[g] - 1 : 0;
    }
    bool sided = false;
    for (int64_t k = 0; cells->position && k < cells->inside_count; k++) {
        sided = sided || cells->sides[cells->inside[k]] != 0;
    }
    return parameters + (sided ? 1 : 0);
}

static double log_share(double part, double n) {
    return part > 0.0 ? part * log(part / n) : 0.0;
}

static void add_cell(const struct bt_cells *cells, int64_t c, struct bt_cells_fit *fit) {
    double n = cells->wins[c] + cells->losses[c];
    double share = cells->wins[c] / n;
    double p = bt_cells_probability(cells, c);
    fit->g2 += 2.0 * (log_share(cells->wins[c], n) + log_share(cells->losses[c], n));
    fit->sparse += n * fmin(p, 1.0 - p) < SPARSE_BELOW;
    if (n > 1.5) {
        fit->repeated += n;
        fit->distance += n * (share - p) * (share - p);
        fit->noise += n * share * (1.0 - share) / (n - 1.0);
    }
}

void bt_cells_count(struct bt_cells *cells, struct bt_cells_fit *out_fit) {
    *out_fit = (struct bt_cells_fit){.g2 = 0.0};
    find_groups(cells);
    list_inside(cells, out_fit);
    out_fit->degrees = out_fit->cells - count_parameters(cells);
}

enum err_code bt_cells_fit(struct bt_cells *cells, struct bt_cells_fit *out_fit,
                           struct error *err) {
    struct bt_cells_fit fit;
    bt_cells_count(cells, &fit);
    struct newton_problem problem = {.size = size_of(cells),
                                     .context = cells,
                                     .value = value_at,
                                     .gradient = gradient_at,
                                     .hessian_times = hessian_times,
                                     .diagonal = diagonal_at};
    struct newton_options options = NEWTON_OPTIONS_DEFAULT;
    options.gradient_tolerance = TOLERANCE;
    struct newton_result result = {.value = 0.0};
    if (fit.cells > 0) {
        TRY(newton_minimise(&problem, &options, cells->x, &result, err));
    }
    for (int64_t k = 0; k < cells->inside_count; k++) {
        add_cell(cells, cells->inside[k], &fit);
    }
    fit.g2 = fmax(0.0, fit.g2 + 2.0 * result.value);
    fit.looks = (double)(result.products + LOOKS_PER_STEP * result.iterations) *
                (double)(cells->count + cells->item_count);
    fit.position = cells->position ? cells->x[cells->item_count] : 0.0;
    *out_fit = fit;
    return ERR_OK;
}

double bt_cells_probability(const struct bt_cells *cells, int64_t cell) {
    return logistic(logit_of(cells, cells->x, cell));
}
