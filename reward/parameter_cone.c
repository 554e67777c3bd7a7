/* parameter_cone.c - see parameter_cone.h. */
#include "reward/parameter_cone.h"

#include "base/interrupt.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "reward/pair_outcome.h"

#include <stdlib.h>

#define CUTS_MAX 256

/* A direction of (position effect, tie parameter), or the normal of a half plane of them. */
struct ray {
    int64_t position, tie;
};

struct cone {
    const struct pair_table *table;
    bool is_rewards_free; /* d may be anything; otherwise it is 0 */
    bool both_ways;       /* every comparison bounds as won by either */
    int64_t cut_count;
    struct ray cuts[CUTS_MAX]; /* the cone is where each of them times the ray is >= 0 */
    /* of the search for cycles; [I] */
    int64_t *potentials;
    int32_t *parents;   /* -1: none */
    struct ray *bounds; /* of the edge from the parent */
    int32_t *marks;
};

static inline void cone_scoped_end(struct cone *cone) {
    mem_free(cone->potentials);
    mem_free(cone->parents);
    mem_free(cone->bounds);
    mem_free(cone->marks);
}

static int64_t times(struct ray a, struct ray b) {
    return a.position * b.position + a.tie * b.tie;
}

static int64_t greatest_divisor(int64_t a, int64_t b) {
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The shortest whole-numbered vector of that direction. */
static struct ray shortened(struct ray ray) {
    int64_t divisor = greatest_divisor(llabs(ray.position), llabs(ray.tie));
    if (divisor > 1) {
        ray.position /= divisor;
        ray.tie /= divisor;
    }
    return ray;
}

static void add_cut(struct cone *cone, struct ray cut) {
    cut = shortened(cut);
    for (int64_t k = 0; k < cone->cut_count; k++) {
        if (cone->cuts[k].position == cut.position && cone->cuts[k].tie == cut.tie) {
            return;
        }
    }
    if (cone->cut_count < CUTS_MAX) {
        cone->cuts[cone->cut_count++] = cut;
    }
}

static bool is_within_cuts(const struct cone *cone, struct ray ray) {
    if (ray.position == 0 && ray.tie == 0) {
        return false;
    }
    for (int64_t k = 0; k < cone->cut_count; k++) {
        if (times(cone->cuts[k], ray) < 0) {
            return false;
        }
    }
    return true;
}

/* A direction that no cut excludes, inside of the cone if it can; false where only 0 is left. */
static bool find_ray(const struct cone *cone, struct ray *out_ray) {
    struct ray edges[2 * CUTS_MAX];
    int64_t count = 0;
    for (int64_t k = 0; k < cone->cut_count; k++) {
        struct ray along = {.position = -cone->cuts[k].tie, .tie = cone->cuts[k].position};
        struct ray back = {.position = -along.position, .tie = -along.tie};
        if (is_within_cuts(cone, along)) {
            edges[count++] = along;
        }
        if (is_within_cuts(cone, back)) {
            edges[count++] = back;
        }
    }
    if (cone->cut_count == 0) {
        *out_ray = (struct ray){.position = 1, .tie = 0};
        return true;
    }
    struct ray sum = {.position = 0};
    for (int64_t k = 0; k < count; k++) {
        sum.position += edges[k].position;
        sum.tie += edges[k].tie;
    }
    if (is_within_cuts(cone, sum)) {
        *out_ray = shortened(sum);
    } else if (is_within_cuts(cone, cone->cuts[0])) { /* a half plane */
        *out_ray = cone->cuts[0];
    } else if (count > 0) {
        *out_ray = edges[0];
    }
    return count > 0;
}

/* ---- can the differences of rewards meet the bounds? ---- */

static int64_t side_of(const struct pair_table *table, int64_t c) {
    return (table->sides[c] > 0) - (table->sides[c] < 0);
}

/* d_head - d_tail <= bound . ray */
static bool relax(struct cone *cone, struct ray ray, int32_t tail, int32_t head, struct ray bound) {
    int64_t potential = cone->potentials[tail] + times(bound, ray);
    if (potential >= cone->potentials[head]) {
        return false;
    }
    cone->potentials[head] = potential;
    cone->parents[head] = tail;
    cone->bounds[head] = bound;
    return true;
}

/* One pass over all bounds; false when none was broken. */
static bool relax_all(struct cone *cone, struct ray ray) {
    const struct pair_table *table = cone->table;
    bool is_changed = false;
    for (int32_t i = 0; i < (int32_t)table->item_count; i++) {
        for (int64_t c = table->starts[i]; c < table->starts[i + 1]; c++) {
            int32_t j = table->others[c];
            int64_t side = side_of(table, c);
            if (cone->both_ways || table->wins[c] > 0.0) {
                is_changed |= relax(cone, ray, i, j, (struct ray){side, -1});
            }
            if (cone->both_ways || table->losses[c] > 0.0) {
                is_changed |= relax(cone, ray, j, i, (struct ray){-side, -1});
            }
            if (table->ties[c] > 0.0) {
                is_changed |= relax(cone, ray, i, j, (struct ray){side, 1});
                is_changed |= relax(cone, ray, j, i, (struct ray){-side, 1});
            }
        }
    }
    return is_changed;
}

/* A cycle among the parents has a negative sum. Its bounds, if there is one. */
static bool find_cycle(struct cone *cone, struct ray *out_bounds) {
    int64_t n = cone->table->item_count;
    for (int64_t v = 0; v < n; v++) {
        cone->marks[v] = -1;
    }
    for (int64_t start = 0; start < n; start++) {
        int32_t v = (int32_t)start;
        while (v >= 0 && cone->marks[v] < 0) {
            cone->marks[v] = (int32_t)start;
            v = cone->parents[v];
        }
        if (v >= 0 && cone->marks[v] == (int32_t)start) {
            struct ray sum = {.position = 0};
            int32_t at = v;
            do {
                sum.position += cone->bounds[at].position;
                sum.tie += cone->bounds[at].tie;
                at = cone->parents[at];
            } while (at != v);
            *out_bounds = sum;
            return true;
        }
    }
    return false;
}

/* Whether rewards can follow the ray for ever; otherwise a cut that excludes it. */
static enum err_code test_ray(struct cone *cone, struct ray ray, bool *out_met, struct error *err) {
    *out_met = true;
    if (!cone->is_rewards_free) {
        return ERR_OK; /* all cuts are known from the start */
    }
    for (int64_t v = 0; v < cone->table->item_count; v++) {
        cone->potentials[v] = 0;
        cone->parents[v] = -1;
    }
    while (relax_all(cone, ray)) {
        struct ray cut;
        if (find_cycle(cone, &cut)) {
            add_cut(cone, cut);
            *out_met = false;
            return ERR_OK;
        }
        if (interrupt_requested()) {
            return err_set(err, ERR_INTERRUPTED, "interrupted while looking for an estimate");
        }
    }
    return ERR_OK;
}

/* ---- making and telling ---- */

/* Parameters that the model does not have are 0, and with d = 0 every outcome is a bound. */
static void add_first_cuts(struct cone *cone, const struct tabular_options *options) {
    const struct pair_table *table = cone->table;
    if (!options->position_effect) {
        add_cut(cone, (struct ray){1, 0});
        add_cut(cone, (struct ray){-1, 0});
    }
    if (!pair_has_ties(options->model)) {
        add_cut(cone, (struct ray){0, 1});
        add_cut(cone, (struct ray){0, -1});
    }
    for (int64_t c = 0; c < table->count && !cone->is_rewards_free; c++) {
        int64_t side = side_of(table, c);
        if (table->wins[c] > 0.0) {
            add_cut(cone, (struct ray){side, -1});
        }
        if (table->losses[c] > 0.0) {
            add_cut(cone, (struct ray){-side, -1});
        }
        if (table->ties[c] > 0.0) {
            add_cut(cone, (struct ray){side, 1});
            add_cut(cone, (struct ray){-side, 1});
        }
    }
}

static enum err_code cone_init(struct cone *cone, const struct pair_table *table,
                               const struct tabular_options *options, struct error *err) {
    size_t items = (size_t)table->item_count;
    cone->table = table;
    cone->is_rewards_free = options->estimator != TABULAR_MAXIMUM_POSTERIOR;
    cone->both_ways = options->estimator == TABULAR_FIRTH;
    add_first_cuts(cone, options);
    cone->potentials = mem_array(items, sizeof *cone->potentials);
    cone->parents = mem_array(items, sizeof *cone->parents);
    cone->bounds = mem_array(items, sizeof *cone->bounds);
    cone->marks = mem_array(items, sizeof *cone->marks);
    if (!cone->potentials || !cone->parents || !cone->bounds || !cone->marks) {
        return err_oom(err, "bounds of parameters");
    }
    return ERR_OK;
}

static bool is_position_known(const struct pair_table *table) {
    for (int64_t c = 0; c < table->count; c++) {
        if (table->sides[c] != 0) {
            return true;
        }
    }
    return false;
}

static enum err_code complain_position(struct cone *cone, struct ray ray, const char *remedy,
                                       struct error *err) {
    bool is_free = false; /* in both directions */
    TRY(test_ray(cone, (struct ray){-ray.position, -ray.tie}, &is_free, err));
    if (is_free && is_within_cuts(cone, (struct ray){-ray.position, -ray.tie})) {
        return err_set(
            err, ERR_DATA,
            "no estimate of the position effect: the data cannot tell it from the "
            "rewards, since no cycle of items was shown in changing order; leave it out");
    }
    return err_set(err, ERR_DATA,
                   "no estimate of the position effect: the item shown %s always won%s; leave it "
                   "out%s",
                   ray.position > 0 ? "first" : "second",
                   cone->is_rewards_free ? ", as far as the rewards leave it open" : "", remedy);
}

static enum err_code complain(struct cone *cone, struct ray ray,
                              const struct tabular_options *options, struct error *err) {
    const char *remedy = cone->is_rewards_free ? ", or use --estimator map" : "";
    if (options->position_effect && !is_position_known(cone->table)) {
        return err_set(err, ERR_DATA,
                       "no estimate of the position effect: no comparison says what was shown "
                       "first; leave it out");
    }
    if (ray.tie < 0) {
        return err_set(err, ERR_DATA,
                       "no estimate of the tie parameter of %s: nothing was tied; use --model "
                       "bradley-terry",
                       tabular_model_name(options->model));
    }
    if (ray.position != 0) {
        return complain_position(cone, ray, remedy, err);
    }
    return err_set(err, ERR_DATA, "no estimate of the tie parameter of %s: %s%s",
                   tabular_model_name(options->model),
                   cone->is_rewards_free ? "some rewards explain every tie and every win at once"
                                         : "everything was tied",
                   remedy);
}

enum err_code parameter_cone_check(const struct pair_table *table,
                                   const struct tabular_options *options, struct error *err) {
    SCOPED(cone) struct cone cone = {.cut_count = 0};
    TRY(cone_init(&cone, table, options, err));
    struct ray ray;
    while (cone.cut_count < CUTS_MAX && find_ray(&cone, &ray)) {
        bool is_met = false;
        TRY(test_ray(&cone, ray, &is_met, err));
        if (is_met) {
            return complain(&cone, ray, options, err);
        }
    }
    return ERR_OK;
}
