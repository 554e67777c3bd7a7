/* check_annotators.c - annotators one by one: sides, agreement with the others, diligence. */
#include "base/mem.h"
#include "base/scoped.h"
#include "base/special.h"
#include "data/check_judgements.h"

#include <math.h>
#include <stdlib.h>

#define FEW_COMPARISONS 5
#define SIDE_PAIRS_MIN  10   /* fewer say nothing about a habit */
#define SIDE_SHARE_MIN  0.9  /* "nearly always" */
#define JUDGED_MIN      20   /* verdicts shared with others */
#define CHANCE_SHARE    0.55 /* agreement of a coin, and a little */
#define SIGNIFICANCE    0.01 /* over all annotators (Holm) */

enum err_code check_annotators_init(struct check *check, struct check_annotators *annotators,
                                    struct error *err) {
    int64_t count = check->report->annotator_count;
    annotators->list = mem_array_zero((size_t)count, sizeof *annotators->list);
    if (!annotators->list) {
        return err_oom(err, "annotators");
    }
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(check->db, "SELECT id FROM annotator ORDER BY id", &stmt, err));
    bool has_row = false;
    TRY(db_stmt_step(stmt, &has_row, err));
    while (has_row && annotators->count < count) {
        TRY(db_column_i64(stmt, 0, &annotators->list[annotators->count].id, err));
        annotators->count++;
        TRY(db_stmt_step(stmt, &has_row, err));
    }
    return ERR_OK;
}

void check_annotators_deinit(struct check_annotators *annotators) {
    mem_free(annotators->list);
    *annotators = (struct check_annotators){.list = NULL};
}

struct check_annotator *check_annotators_find(const struct check_annotators *annotators,
                                              int64_t id) {
    int64_t low = 0, high = annotators->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (annotators->list[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < annotators->count && annotators->list[low].id == id;
    return found ? &annotators->list[low] : NULL;
}

/* Which side a strict pair fell to. */
static void add_side(struct check_annotator *annotator, const struct check_member *members) {
    const struct check_member *a = &members[0], *b = &members[1];
    if (a->rank == b->rank) {
        return;
    }
    bool first_won = a->rank < b->rank;
    if (a->position > 0 && b->position > 0 && a->position != b->position) {
        annotator->shown++;
        annotator->shown_first += first_won == (a->position < b->position);
    } else {
        annotator->slots++;
        annotator->slots_first += first_won;
    }
}

void check_annotators_add(struct check *check, struct check_annotators *annotators,
                          const struct check_group *group) {
    for (int64_t i = 0; i < group->count; i++) {
        const struct check_judgement *judgement = &group->judgements[i];
        struct check_annotator *annotator =
            check_annotators_find(annotators, judgement->annotator_id);
        if (!annotator) {
            continue;
        }
        if (annotator->comparisons++ == 0) {
            annotator->place = check_group_place(check, judgement);
        }
        if (judgement->count == 2) {
            add_side(annotator, group->members + judgement->first);
        }
    }
}

/* ---- how surprising ---- */

/* P(X >= k) for X of n trials with probability p, 0 < p < 1. */
static double binomial_tail(int64_t k, int64_t n, double p) {
    double log_term = special_log_gamma((double)n + 1) - special_log_gamma((double)k + 1) -
                      special_log_gamma((double)(n - k) + 1) + (double)k * log(p) +
                      (double)(n - k) * log1p(-p);
    double term = exp(log_term), sum = 0.0;
    for (int64_t i = k; i <= n && term > 0.0 && term > sum * 1e-17; i++) {
        sum += term;
        term *= (double)(n - i) / (double)(i + 1) * (p / (1.0 - p));
    }
    return sum < 1.0 ? sum : 1.0;
}

/* One annotator's habit against what the others do. */
struct suspicion {
    const struct check_annotator *annotator;
    const char *habit;
    int64_t hits, trials;
    double others; /* the others' share */
    double p;      /* probability of so many, or so few, by accident */
};

static int compare_suspicions(const void *left, const void *right) {
    const struct suspicion *a = left, *b = right;
    int order = (a->p > b->p) - (a->p < b->p);
    return order ? order : (a->annotator->id > b->annotator->id) - 1;
}

struct habit {
    const char *text; /* "chose the one shown first in" */
    enum check_finding finding;
    int64_t trials_min;
    /* The hits and trials of an annotator. */
    void (*count)(const struct check_annotator *annotator, int64_t *out_hits, int64_t *out_trials);
    double share_min, share_max; /* which shares are suspicious */
    bool too_few;                /* hits are fewer than those of the others, not more */
};

static void count_shown_first(const struct check_annotator *a, int64_t *hits, int64_t *trials) {
    *hits = a->shown_first;
    *trials = a->shown;
}

static void count_shown_last(const struct check_annotator *a, int64_t *hits, int64_t *trials) {
    *hits = a->shown - a->shown_first;
    *trials = a->shown;
}

static void count_slot_first(const struct check_annotator *a, int64_t *hits, int64_t *trials) {
    *hits = a->slots_first;
    *trials = a->slots;
}

static void count_slot_last(const struct check_annotator *a, int64_t *hits, int64_t *trials) {
    *hits = a->slots - a->slots_first;
    *trials = a->slots;
}

static void count_agreement(const struct check_annotator *a, int64_t *hits, int64_t *trials) {
    *hits = a->agreed;
    *trials = a->judged;
}

static const struct habit habits[] = {
    {"chose the one shown first in", CHECK_ONE_SIDED_ANNOTATOR, SIDE_PAIRS_MIN, count_shown_first,
     SIDE_SHARE_MIN, 1.0, false},
    {"chose the one shown last in", CHECK_ONE_SIDED_ANNOTATOR, SIDE_PAIRS_MIN, count_shown_last,
     SIDE_SHARE_MIN, 1.0, false},
    {"chose the first column in", CHECK_ONE_SIDED_ANNOTATOR, SIDE_PAIRS_MIN, count_slot_first,
     SIDE_SHARE_MIN, 1.0, false},
    {"chose the second column in", CHECK_ONE_SIDED_ANNOTATOR, SIDE_PAIRS_MIN, count_slot_last,
     SIDE_SHARE_MIN, 1.0, false},
    {"agreed with the others in", CHECK_CHANCE_ANNOTATOR, JUDGED_MIN, count_agreement, 0.0,
     CHANCE_SHARE, true},
};

/* Fills in how far `s` is from the others; false if that says nothing: where all the others do the
 * same, the columns are "chosen" and "rejected" and not what was shown. */
static bool weigh(const struct habit *habit, int64_t all_hits, int64_t all_trials,
                  struct suspicion *s) {
    int64_t others = all_trials - s->trials;
    if (s->trials < habit->trials_min || others < habit->trials_min) {
        return false;
    }
    double rate = (double)(all_hits - s->hits) / (double)others;
    double share = (double)s->hits / (double)s->trials;
    s->others = rate;
    if (rate <= 0.0 || rate >= 1.0) {
        return false;
    }
    s->p = habit->too_few ? binomial_tail(s->trials - s->hits, s->trials, 1.0 - rate)
                          : binomial_tail(s->hits, s->trials, rate);
    return share >= habit->share_min && share <= habit->share_max;
}

static enum err_code add_example(struct check *check, enum check_finding finding,
                                 const struct suspicion *s, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    const char *name = NULL;
    size_t count = 0;
    bool has_row = false;
    TRY(db_stmt_open(check->db, "SELECT name FROM annotator WHERE id = ?1", &stmt, err));
    db_bind_i64(stmt, 1, s->annotator->id);
    TRY(db_stmt_step(stmt, &has_row, err));
    TRY(db_column_text(stmt, 0, &name, &count, err));
    struct check_example *example = check_example_add(check, finding);
    example->place = s->annotator->place;
    if (s->habit) {
        check_example_set_detail(example, "%s %lld of %lld, the others in %.1f %%", s->habit,
                                 (long long)s->hits, (long long)s->trials, 100.0 * s->others);
    } else {
        check_example_set_detail(example, "%lld comparisons", (long long)s->hits);
    }
    check_example_set_excerpt(example, name, count);
    return ERR_OK;
}

/* Holm's procedure: the i-th least probability may be at most SIGNIFICANCE / (m - i), and the first
 * that is not ends it. All who could be tested count in m. */
static enum err_code look_for_habit(struct check *check, const struct check_annotators *annotators,
                                    const struct habit *habit, struct suspicion *list,
                                    struct error *err) {
    int64_t all_hits = 0, all_trials = 0, tested = 0, count = 0;
    for (int64_t i = 0; i < annotators->count; i++) {
        int64_t hits = 0, trials = 0;
        habit->count(&annotators->list[i], &hits, &trials);
        all_hits += hits;
        all_trials += trials;
        tested += trials >= habit->trials_min;
    }
    for (int64_t i = 0; i < annotators->count; i++) {
        struct suspicion s = {.annotator = &annotators->list[i], .habit = habit->text};
        habit->count(s.annotator, &s.hits, &s.trials);
        if (weigh(habit, all_hits, all_trials, &s)) {
            list[count++] = s;
        }
    }
    if (count > 1) {
        qsort(list, (size_t)count, sizeof *list, compare_suspicions);
    }
    for (int64_t i = 0; i < count && list[i].p <= SIGNIFICANCE / (double)(tested - i); i++) {
        if (check_count(check, habit->finding)) {
            TRY(add_example(check, habit->finding, &list[i], err));
        }
    }
    return ERR_OK;
}

static enum err_code look_for_few(struct check *check, const struct check_annotators *annotators,
                                  struct error *err) {
    for (int64_t i = 0; i < annotators->count; i++) {
        const struct check_annotator *annotator = &annotators->list[i];
        bool is_few = annotator->comparisons > 0 && annotator->comparisons < FEW_COMPARISONS;
        if (is_few && check_count(check, CHECK_FEW_JUDGEMENTS)) {
            const struct suspicion s = {.annotator = annotator, .hits = annotator->comparisons};
            TRY(add_example(check, CHECK_FEW_JUDGEMENTS, &s, err));
        }
    }
    return ERR_OK;
}

enum err_code check_annotators_finish(struct check *check, struct check_annotators *annotators,
                                      struct error *err) {
    check->report->results[CHECK_ONE_SIDED_ANNOTATOR].of = annotators->count;
    check->report->results[CHECK_CHANCE_ANNOTATOR].of = annotators->count;
    check->report->results[CHECK_FEW_JUDGEMENTS].of = annotators->count;
    SCOPED(mem)
    struct suspicion *list = mem_array((size_t)annotators->count, sizeof *list);
    if (!list) {
        return err_oom(err, "annotators");
    }
    for (size_t i = 0; i < sizeof habits / sizeof *habits; i++) {
        TRY(look_for_habit(check, annotators, &habits[i], list, err));
    }
    return look_for_few(check, annotators, err);
}
