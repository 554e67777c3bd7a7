/* eval_slices.c - see eval_slices.h. */
#include "reward/eval_slices.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "base/sorted.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define FIFTHS      5
#define NAME_BYTES  96
#define SLICES_MAX  (2 * FIFTHS + 1 + 5 + 2 + EVAL_LABEL_FAMILIES * EVAL_LABELS_MAX)
#define MOST_PEOPLE 0.75
#define NOT_SAID    "(not said)"
#define NOBODY      (-1)

const char *eval_family_key(enum eval_family family) {
    static const char *const keys[] = {
#define EVAL_FAMILY_KEY(name, key, title) [EVAL_FAMILY_##name] = (key),
        EVAL_FAMILIES(EVAL_FAMILY_KEY)
#undef EVAL_FAMILY_KEY
    };
    return keys[family];
}

const char *eval_family_title(enum eval_family family) {
    static const char *const titles[] = {
#define EVAL_FAMILY_TITLE(name, key, title) [EVAL_FAMILY_##name] = (title),
        EVAL_FAMILIES(EVAL_FAMILY_TITLE)
#undef EVAL_FAMILY_TITLE
    };
    return titles[family];
}

static enum err_code add_slice(struct eval_slices *slices, enum eval_family family,
                               const char *name, struct error *err) {
    char *copy = mem_strdup(name);
    if (!copy) {
        return err_oom(err, "names of slices");
    }
    slices->list[slices->count++] = (struct eval_slice){.family = family, .name = copy};
    return ERR_OK;
}

/* ---- pairs: length -------------------------------------------------------------------------- */

double eval_length_ratio(const struct pair_texts *texts, int64_t p) {
    const int64_t *lengths = text_features_matrix(texts->features).lengths;
    const double first = fmax((double)lengths[texts->first[p]], 1.0);
    const double second = fmax((double)lengths[texts->second[p]], 1.0);
    return log(first / second);
}

/* The ratios of tested pairs whose lengths differ, sorted. */
static enum err_code set_fifths(const struct pair_texts *texts, const bool *is_tested,
                                struct eval_slices *slices, double *out_most, struct error *err) {
    SCOPED(mem) double *ratios = mem_array((size_t)texts->count, sizeof *ratios);
    if (!ratios) {
        return err_oom(err, "ratios of lengths");
    }
    int64_t count = 0;
    for (int64_t p = 0; p < texts->count; p++) {
        const double ratio = fabs(eval_length_ratio(texts, p));
        if (is_tested[texts->blocks[p]] && ratio > 0.0) {
            ratios[count++] = ratio;
        }
    }
    sorted_make(ratios, count);
    for (int64_t f = 1; f < FIFTHS; f++) {
        slices->fifths[f - 1] =
            count > 0 ? sorted_quantile(ratios, count, (double)f / FIFTHS) : 0.0;
    }
    *out_most = count > 0 ? ratios[count - 1] : 0.0;
    return ERR_OK;
}

static enum err_code add_length_slices(const struct pair_texts *texts, const bool *is_tested,
                                       struct eval_slices *slices, struct error *err) {
    double most = 0.0;
    TRY(set_fifths(texts, is_tested, slices, &most, err));
    for (int side = 0; side < 2; side++) {
        for (int64_t f = 0; f < FIFTHS; f++) {
            char name[NAME_BYTES];
            const double low = f > 0 ? slices->fifths[f - 1] : 0.0;
            const double high = f < FIFTHS - 1 ? slices->fifths[f] : most;
            (void)snprintf(name, sizeof name, "the %s, %.2f to %.2f times",
                           side == 0 ? "longer" : "shorter", exp(low), exp(high));
            TRY(add_slice(slices, EVAL_FAMILY_LENGTH, name, err));
        }
    }
    return add_slice(slices, EVAL_FAMILY_LENGTH, "equally long", err);
}

static int64_t length_slice(const struct eval_slices *slices, const struct pair_texts *texts,
                            int64_t p) {
    const double lead = texts->wins_first[p] - texts->wins_second[p];
    const double ratio = eval_length_ratio(texts, p);
    if (lead == 0.0) {
        return -1;
    }
    if (ratio == 0.0) {
        return slices->first[EVAL_FAMILY_LENGTH] + 2 * FIFTHS;
    }
    int64_t fifth = 0;
    while (fifth < FIFTHS - 1 && fabs(ratio) > slices->fifths[fifth]) {
        fifth++;
    }
    const bool is_longer = (ratio > 0.0) == (lead > 0.0);
    return slices->first[EVAL_FAMILY_LENGTH] + (is_longer ? 0 : FIFTHS) + fifth;
}

/* ---- pairs: people -------------------------------------------------------------------------- */

enum agreement { ONE_JUDGEMENT, ALL_AGREE, MOST_AGREE, FEWER_AGREE, DIVIDED };

static enum err_code add_people_slices(struct eval_slices *slices, struct error *err) {
    static const char *const agreement[] = {
        [ONE_JUDGEMENT] = "one judgement",
        [ALL_AGREE] = "all agree",
        [MOST_AGREE] = "three quarters or more",
        [FEWER_AGREE] = "fewer",
        [DIVIDED] = "evenly divided",
    };
    for (size_t i = 0; i < sizeof agreement / sizeof agreement[0]; i++) {
        TRY(add_slice(slices, EVAL_FAMILY_AGREEMENT, agreement[i], err));
    }
    slices->first[EVAL_FAMILY_TIES] = slices->count;
    TRY(add_slice(slices, EVAL_FAMILY_TIES, "nobody calls a tie", err));
    return add_slice(slices, EVAL_FAMILY_TIES, "somebody calls a tie", err);
}

static enum agreement agreement_of(const struct pair_texts *texts, int64_t p) {
    const double first = texts->wins_first[p] + 0.5 * texts->ties[p];
    const double second = texts->wins_second[p] + 0.5 * texts->ties[p];
    const double share = fmax(first, second) / (first + second);
    if (first == second) {
        return DIVIDED;
    }
    if (first + second <= 1.0) {
        return ONE_JUDGEMENT;
    }
    return share == 1.0 ? ALL_AGREE : share >= MOST_PEOPLE ? MOST_AGREE : FEWER_AGREE;
}

void eval_slices_of_pair(const struct eval_slices *slices, const struct pair_texts *texts,
                         int64_t p, int64_t out_slices[EVAL_PAIR_FAMILIES]) {
    out_slices[EVAL_FAMILY_LENGTH] = length_slice(slices, texts, p);
    out_slices[EVAL_FAMILY_AGREEMENT] =
        slices->first[EVAL_FAMILY_AGREEMENT] + (int64_t)agreement_of(texts, p);
    out_slices[EVAL_FAMILY_TIES] = slices->first[EVAL_FAMILY_TIES] + (texts->ties[p] > 0.0);
}

/* ---- judgements ----------------------------------------------------------------------------- */

/* Names, and which of them each comparison has. */
struct labels {
    char **names; /* [count] owned */
    int64_t count;
    int32_t *of; /* [C] in [0, count), or NOBODY */
};

static void labels_scoped_end(struct labels *labels) {
    for (int64_t l = 0; l < labels->count; l++) {
        mem_free(labels->names[l]);
    }
    mem_free(labels->names);
    mem_free(labels->of);
}

static enum err_code labels_init(struct labels *labels, const struct comparison_set *set,
                                 int64_t names_max, struct error *err) {
    labels->names = mem_array((size_t)names_max, sizeof *labels->names);
    labels->of = mem_array((size_t)set->count, sizeof *labels->of);
    if (!labels->names || !labels->of) {
        return err_oom(err, "names of slices");
    }
    for (int64_t c = 0; c < set->count; c++) {
        labels->of[c] = NOBODY;
    }
    return ERR_OK;
}

static enum err_code add_name(struct labels *labels, struct db_stmt *stmt, int column,
                              struct error *err) {
    const char *name = NOT_SAID;
    size_t bytes = strlen(name);
    if (!db_column_is_null(stmt, column)) {
        TRY(db_column_text(stmt, column, &name, &bytes, err));
    }
    labels->names[labels->count] = mem_strndup(name, bytes);
    if (!labels->names[labels->count]) {
        return err_oom(err, "names of slices");
    }
    labels->count++;
    return ERR_OK;
}

/* The number of a row's column `value` at the place of its column `id`, in [0, size). */
static enum err_code read_map(struct db *db, const char *sql, int64_t size, int32_t *out_map,
                              struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db, sql, &stmt, err));
    for (bool has_row = true;;) {
        int64_t id = 0, value = 0;
        TRY(db_stmt_step(stmt, &has_row, err));
        if (!has_row) {
            return ERR_OK;
        }
        TRY(db_column_i64(stmt, 0, &id, err));
        TRY(db_column_i64(stmt, 1, &value, err));
        if (id >= 0 && id < size && value >= 0 && value < INT32_MAX) {
            out_map[id] = (int32_t)value;
        }
    }
}

/* A map of [0, largest id], NOBODY everywhere. */
static enum err_code map_new(struct db *db, const char *sql_max, int64_t *out_size,
                             int32_t **out_map, struct error *err) {
    int64_t most = 0;
    TRY(db_query_i64(db, sql_max, &most, err));
    int32_t *map = mem_array((size_t)most + 1, sizeof *map);
    if (!map) {
        return err_oom(err, "numbers of slices");
    }
    for (int64_t i = 0; i <= most; i++) {
        map[i] = NOBODY;
    }
    *out_size = most + 1;
    *out_map = map;
    return ERR_OK;
}

static enum err_code load_names(struct db *db, const char *sql, struct labels *labels,
                                struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db, sql, &stmt, err));
    for (bool has_row = true;;) {
        TRY(db_stmt_step(stmt, &has_row, err));
        if (!has_row) {
            return ERR_OK;
        }
        TRY(add_name(labels, stmt, 0, err));
    }
}

/* What of a label family is read from where: names by number, and numbers by comparison or by
 * annotator. */
struct label_query {
    const char *sql_count, *sql_names, *sql_max, *sql_map;
    bool by_annotator;
};

static const struct label_query queries[EVAL_LABEL_FAMILIES] = {
    {"SELECT count(*) FROM source", "SELECT path FROM source ORDER BY id",
     "SELECT coalesce(max(id), 0) FROM comparison",
     "SELECT c.id, s.number FROM comparison c JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1"
     " AS number FROM source) s ON s.id = c.source_id",
     false},
    {"SELECT count(*) FROM annotator",
     "SELECT population FROM annotator GROUP BY population ORDER BY population",
     "SELECT coalesce(max(id), 0) FROM annotator",
     "SELECT id, dense_rank() OVER (ORDER BY population) - 1 FROM annotator", true},
    {"SELECT count(*) FROM annotator", "SELECT name FROM annotator ORDER BY id",
     "SELECT coalesce(max(id), 0) FROM annotator",
     "SELECT id, row_number() OVER (ORDER BY id) - 1 FROM annotator", true},
};

static enum err_code labels_load(struct db *db, const struct comparison_set *set,
                                 const struct label_query *query, struct labels *labels,
                                 struct error *err) {
    int64_t names_max = 0, size = 0;
    SCOPED(mem) int32_t *map = NULL;
    TRY(db_query_i64(db, query->sql_count, &names_max, err));
    TRY(labels_init(labels, set, names_max, err));
    TRY(load_names(db, query->sql_names, labels, err));
    TRY(map_new(db, query->sql_max, &size, &map, err));
    TRY(read_map(db, query->sql_map, size, map, err));
    for (int64_t c = 0; c < set->count; c++) {
        int64_t id = set->comparison_ids[c];
        if (query->by_annotator) {
            id = set->annotators[c] >= 0 ? set->annotator_ids[set->annotators[c]] : -1;
        }
        if (id >= 0 && id < size && map[id] < labels->count) {
            labels->of[c] = map[id];
        }
    }
    return ERR_OK;
}

/* Judgements of each label in what is tested: a comparison of k answers is k (k - 1) / 2 of them.
 */
static void count_judgements(const struct comparison_set *set, const bool *is_tested,
                             const struct labels *labels, double *out_counts) {
    for (int64_t c = 0; c < set->count; c++) {
        const int64_t begin = set->starts[c], members = set->starts[c + 1] - begin;
        const int64_t pairs = members * (members - 1) / 2;
        if (labels->of[c] != NOBODY && is_tested[set->item_blocks[set->items[begin]]]) {
            out_counts[labels->of[c]] += (double)pairs;
        }
    }
}

/* The label with the most judgements, `least` or more; NOBODY if there is none. */
static int64_t find_most(const double *counts, int64_t count, double least) {
    int64_t most = NOBODY;
    for (int64_t l = 0; l < count; l++) {
        if (counts[l] >= least && counts[l] > (most == NOBODY ? 0.0 : counts[most])) {
            most = l;
        }
    }
    return most;
}

static enum err_code add_label_slices(struct db *db, const struct comparison_set *set,
                                      const bool *is_tested, enum eval_family family,
                                      struct eval_slices *slices, struct error *err) {
    SCOPED(labels) struct labels labels = {.names = NULL};
    TRY(labels_load(db, set, &queries[family - EVAL_PAIR_FAMILIES], &labels, err));
    SCOPED(mem) double *counts = mem_array_zero((size_t)labels.count, sizeof *counts);
    SCOPED(mem) int32_t *slice_of = mem_array((size_t)labels.count, sizeof *slice_of);
    if (!counts || !slice_of) {
        return err_oom(err, "slices");
    }
    count_judgements(set, is_tested, &labels, counts);
    for (int64_t l = 0; l < labels.count; l++) {
        slice_of[l] = NOBODY;
    }
    const double least = family == EVAL_FAMILY_ANNOTATOR ? EVAL_ANNOTATOR_MIN : 1.0;
    for (int64_t chosen = 0; chosen < EVAL_LABELS_MAX; chosen++) {
        const int64_t most = find_most(counts, labels.count, least);
        if (most == NOBODY) {
            break;
        }
        slice_of[most] = (int32_t)slices->count;
        counts[most] = 0.0;
        TRY(add_slice(slices, family, labels.names[most], err));
    }
    for (int64_t c = 0; c < set->count; c++) {
        labels.of[c] = labels.of[c] == NOBODY ? NOBODY : slice_of[labels.of[c]];
    }
    slices->of_comparison[family - EVAL_PAIR_FAMILIES] = MOVE(labels.of);
    return ERR_OK;
}

/* ---- all of them ---------------------------------------------------------------------------- */

enum err_code eval_slices_make(struct db *db, const struct comparison_set *set,
                               const struct pair_texts *texts, const bool *is_tested,
                               struct eval_slices *out_slices, struct error *err) {
    SCOPED(eval_slices) struct eval_slices slices = EVAL_SLICES_INIT;
    slices.list = mem_array_zero(SLICES_MAX, sizeof *slices.list);
    if (!slices.list) {
        return err_oom(err, "slices");
    }
    TRY(add_length_slices(texts, is_tested, &slices, err));
    slices.first[EVAL_FAMILY_AGREEMENT] = slices.count;
    TRY(add_people_slices(&slices, err));
    for (enum eval_family family = EVAL_PAIR_FAMILIES; family < EVAL_FAMILY_COUNT; family++) {
        slices.first[family] = slices.count;
        TRY(add_label_slices(db, set, is_tested, family, &slices, err));
    }
    slices.first[EVAL_FAMILY_COUNT] = slices.count;
    *out_slices = slices;
    slices = (struct eval_slices)EVAL_SLICES_INIT;
    return ERR_OK;
}

void eval_slices_deinit(struct eval_slices *slices) {
    for (int64_t s = 0; s < slices->count; s++) {
        mem_free(slices->list[s].name);
    }
    mem_free(slices->list);
    for (int f = 0; f < EVAL_LABEL_FAMILIES; f++) {
        mem_free(slices->of_comparison[f]);
    }
    *slices = (struct eval_slices)EVAL_SLICES_INIT;
}
