/* stats_ratings.c - see stats_ratings.h. */
#include "data/stats_ratings.h"

#include "base/array.h"
#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "data/stats_counts.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum column { COLUMN_RESPONSE, COLUMN_ANNOTATOR, COLUMN_VALUE, COLUMN_PROMPT };

#define SQL(table, value)                                                      \
    "SELECT g.response_id, g.annotator_id, " value ", r.prompt_id FROM " table \
    " g JOIN response r ON r.id = g.response_id"                               \
    " LEFT JOIN annotator a ON a.id = g.annotator_id"                          \
    " WHERE g.aspect IS ?1 AND (?2 IS NULL OR a.population IS ?2)"             \
    " ORDER BY g.response_id, g.annotator_id, g.id"

struct reading {
    const struct stats_ratings_options *options;
    struct stats_prompt_splits splits;
    struct stats_ratings *ratings;
    struct stats_value *values; /* of named annotators */
    int64_t value_count, value_capacity;
    bool levels_full;
    int64_t response, annotator; /* of the row before; 0: none */
    double sum, squares, origin; /* moments about the first value */
    double good_sum;
};

static void reading_scoped_end(struct reading *r) {
    stats_prompt_splits_deinit(&r->splits);
    mem_free(r->values);
}

/* ---- one value ---- */

static void add_level(struct reading *r, double value) {
    struct stats_ratings *s = r->ratings;
    int64_t at = 0;
    while (at < s->level_count && s->levels[at].value < value) {
        at++;
    }
    if (at < s->level_count && s->levels[at].value == value) {
        s->levels[at].count++;
        return;
    }
    if (r->levels_full || s->level_count == STATS_LEVELS_MAX) {
        r->levels_full = true;
        return;
    }
    memmove(&s->levels[at + 1], &s->levels[at], (size_t)(s->level_count - at) * sizeof *s->levels);
    s->levels[at] = (struct stats_level){.value = value, .count = 1};
    s->level_count++;
}

static void add_moments(struct reading *r, double value) {
    struct stats_ratings *s = r->ratings;
    bool first = s->count == 0;
    r->origin = first ? value : r->origin;
    s->least = first ? value : fmin(s->least, value);
    s->greatest = first ? value : fmax(s->greatest, value);
    s->count++;
    double v = value - r->origin;
    r->sum += v;
    r->squares += v * v;
    r->good_sum += value;
}

/* The last rating of an annotator takes the place of earlier ones. */
static enum err_code keep_value(struct reading *r, const struct stats_value *value, bool again,
                                struct error *err) {
    if (again) {
        ASSERT(r->values); /* the earlier one is in it */
        r->values[r->value_count - 1] = *value;
        return ERR_OK;
    }
    TRY(array_reserve(ARRAY_REF(r->values), &r->value_capacity, r->value_count + 1, "ratings",
                      err));
    r->values[r->value_count++] = *value;
    return ERR_OK;
}

static bool is_wanted(const struct reading *r, int64_t prompt) {
    if (!r->options->one_split) {
        return true;
    }
    return prompt >= 0 && prompt < r->splits.size &&
           r->splits.splits[prompt] == (int8_t)r->options->split;
}

static enum err_code read_row(struct reading *r, struct db_stmt *row, struct error *err) {
    struct stats_value value = {.unit = 0};
    int64_t annotator = 0;
    TRY(db_column_i64(row, COLUMN_RESPONSE, &value.unit, err));
    TRY(db_column_f64(row, COLUMN_VALUE, &value.value, err));
    TRY(db_column_i64(row, COLUMN_PROMPT, &value.cluster, err));
    if (!is_wanted(r, value.cluster)) {
        return ERR_OK;
    }
    bool same_response = r->ratings->count > 0 && value.unit == r->response;
    add_moments(r, value.value);
    add_level(r, value.value);
    r->ratings->responses += !same_response;
    if (!db_column_is_null(row, COLUMN_ANNOTATOR)) {
        TRY(db_column_i64(row, COLUMN_ANNOTATOR, &annotator, err));
        bool again = same_response && annotator == r->annotator;
        TRY(keep_value(r, &value, again, err));
    }
    r->response = value.unit;
    r->annotator = annotator;
    return ERR_OK;
}

/* ---- all of them ---- */

static enum err_code read_rows(struct db *db, struct reading *r, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *rows = NULL;
    TRY(db_stmt_open(db, r->options->labels ? SQL("label", "g.good") : SQL("rating", "g.value"),
                     &rows, err));
    db_bind_text_or_null(rows, 1, r->options->aspect);
    db_bind_text_or_null(rows, 2, r->options->population);
    bool has_row = false;
    TRY(db_stmt_step(rows, &has_row, err));
    while (has_row) {
        TRY(read_row(r, rows, err));
        TRY(db_stmt_step(rows, &has_row, err));
    }
    return ERR_OK;
}

static void summarise(const struct reading *r) {
    struct stats_ratings *s = r->ratings;
    double n = (double)s->count;
    s->level_count = r->levels_full ? 0 : s->level_count;
    s->mean = s->count > 0 ? r->origin + r->sum / n : (double)NAN;
    double squares = fmax(r->squares - r->sum * r->sum / n, 0.0);
    s->sd = s->count > 1 ? sqrt(squares / (n - 1.0)) : (double)NAN;
    if (r->options->labels) {
        s->good = stats_rate_of(r->good_sum, n);
    }
}

enum err_code stats_ratings_load(struct db *db, const struct stats_ratings_options *options,
                                 struct stats_ratings *out_ratings, struct error *err) {
    struct stats_ratings ratings = {.count = 0};
    SCOPED(reading) struct reading r = {.options = options, .ratings = &ratings};
    if (options->one_split) {
        TRY(stats_prompt_splits_load(db, &r.splits, err));
    }
    TRY(read_rows(db, &r, err));
    summarise(&r);
    TRY(stats_agreement_of_values(r.values, r.value_count, options->seed, options->stream,
                                  &ratings.reliability, err));
    *out_ratings = ratings;
    return ERR_OK;
}
