/* stats_people.c - see stats_people.h. */
#include "data/stats_people.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "base/sorted.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct loader {
    struct db *db;
    const struct comparison_set *set;
    const struct stats_pairs *pairs;
    const int64_t *lengths;
    uint64_t seed;
    struct stats_people *people;
    int32_t *part_of;    /* [C] scratch */
    int32_t *population; /* [A] number, or -1 */
};

static void loader_scoped_end(struct loader *l) {
    mem_free(l->part_of);
    mem_free(l->population);
}

/* The text of a column, kept; NULL for NULL. */
static enum err_code keep_text(struct loader *l, struct db_stmt *row, int column,
                               const char **out_text, struct error *err) {
    *out_text = NULL;
    if (db_column_is_null(row, column)) {
        return ERR_OK;
    }
    const char *text = NULL;
    size_t bytes = 0;
    TRY(db_column_text(row, column, &text, &bytes, err));
    *out_text = arena_strndup(&l->people->texts, text, bytes);
    return *out_text ? ERR_OK : err_oom(err, "names");
}

static struct stats_part *tally_parts(struct loader *l, int64_t count, struct error *err) {
    struct stats_part *parts = mem_array_zero((size_t)count, sizeof *parts);
    if (!parts) {
        (void)err_oom(err, "parts of the comparisons");
        return NULL;
    }
    stats_bias_by_part(l->set, l->pairs, l->lengths, l->part_of, parts);
    return parts;
}

/* Row in an array sorted by id; -1 if it is not there. */
static int64_t find_id(const int64_t *ids, int64_t count, int64_t id) {
    int64_t low = 0;
    int64_t high = count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (ids[middle] < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && ids[low] == id ? low : -1;
}

/* ---- annotators ---- */

static int by_judgements(const struct stats_part *a, const struct stats_part *b) {
    return (a->comparisons < b->comparisons) - (a->comparisons > b->comparisons);
}

static int compare_annotators(const void *left, const void *right) {
    const struct stats_annotator *a = left;
    const struct stats_annotator *b = right;
    int order = by_judgements(&a->part, &b->part);
    return order != 0 ? order : (a->id > b->id) - (a->id < b->id);
}

/* In the order of the set's numbers; those without judgements leave later. */
static enum err_code read_annotators(struct loader *l, struct error *err) {
    const struct comparison_set *set = l->set;
    struct stats_people *people = l->people;
    people->annotators = mem_array_zero((size_t)set->annotator_count, sizeof *people->annotators);
    if (!people->annotators) {
        return err_oom(err, "annotators");
    }
    people->annotator_count = set->annotator_count;
    SCOPED(db_stmt) struct db_stmt *rows = NULL;
    TRY(db_stmt_open(l->db, "SELECT id, name, population FROM annotator ORDER BY id", &rows, err));
    bool has_row = false;
    TRY(db_stmt_step(rows, &has_row, err));
    while (has_row) {
        int64_t id = 0;
        TRY(db_column_i64(rows, 0, &id, err));
        int64_t a = find_id(set->annotator_ids, set->annotator_count, id);
        if (a >= 0) {
            struct stats_annotator *annotator = &people->annotators[a];
            *annotator = (struct stats_annotator){.id = id, .seconds_median = (double)NAN};
            TRY(keep_text(l, rows, 1, &annotator->name, err));
            TRY(keep_text(l, rows, 2, &annotator->population, err));
        }
        TRY(db_stmt_step(rows, &has_row, err));
    }
    return ERR_OK;
}

static enum err_code tally_annotators(struct loader *l, struct error *err) {
    struct stats_people *people = l->people;
    int64_t count = people->annotator_count;
    memcpy(l->part_of, l->set->annotators, (size_t)l->set->count * sizeof *l->part_of);
    SCOPED(mem) struct stats_part *parts = tally_parts(l, count, err);
    SCOPED(mem) double *agreed = mem_array_zero((size_t)count, sizeof *agreed);
    SCOPED(mem) double *judged = mem_array_zero((size_t)count, sizeof *judged);
    if (!parts || !agreed || !judged) {
        return err_oom(err, "annotators");
    }
    TRY(stats_agreement_with_others(l->set, l->pairs, agreed, judged, err));
    for (int64_t a = 0; a < count; a++) {
        people->annotators[a].part = parts[a];
        people->annotators[a].agreed = agreed[a];
        people->annotators[a].judged = judged[a];
    }
    return ERR_OK;
}

/* ---- time ---- */

struct moment {
    int64_t annotator; /* number */
    int64_t ms;
};

static int compare_moments(const void *left, const void *right) {
    const struct moment *a = left;
    const struct moment *b = right;
    int by_annotator = (a->annotator > b->annotator) - (a->annotator < b->annotator);
    return by_annotator != 0 ? by_annotator : (a->ms > b->ms) - (a->ms < b->ms);
}

/* Of the gaps between `count` moments, in order; `gaps` is scratch. */
static double median_gap(const struct moment *moments, int64_t count, double *gaps) {
    if (count < 2) {
        return (double)NAN;
    }
    for (int64_t i = 0; i + 1 < count; i++) {
        gaps[i] = ((double)moments[i + 1].ms - (double)moments[i].ms) / 1000.0;
    }
    int64_t n = count - 1;
    sorted_make(gaps, n);
    return n % 2 == 1 ? gaps[n / 2] : 0.5 * (gaps[n / 2 - 1] + gaps[n / 2]);
}

/* Over the whole log: how fast somebody works does not depend on what is looked at. */
static enum err_code read_moments(struct loader *l, struct moment *moments, int64_t *out_count,
                                  struct error *err) {
    SCOPED(db_stmt) struct db_stmt *rows = NULL;
    TRY(db_stmt_open(l->db,
                     "SELECT annotator_id, asked_at FROM comparison"
                     " WHERE asked_at IS NOT NULL AND annotator_id IS NOT NULL",
                     &rows, err));
    int64_t count = 0;
    bool has_row = false;
    TRY(db_stmt_step(rows, &has_row, err));
    while (has_row) {
        int64_t id = 0;
        struct moment *moment = &moments[count];
        TRY(db_column_i64(rows, 0, &id, err));
        TRY(db_column_i64(rows, 1, &moment->ms, err));
        moment->annotator = find_id(l->set->annotator_ids, l->set->annotator_count, id);
        count += moment->annotator >= 0;
        TRY(db_stmt_step(rows, &has_row, err));
    }
    *out_count = count;
    return ERR_OK;
}

static enum err_code read_times(struct loader *l, struct error *err) {
    int64_t most = 0;
    TRY(db_query_i64(l->db, "SELECT count(asked_at) FROM comparison", &most, err));
    if (most == 0) {
        return ERR_OK;
    }
    SCOPED(mem) struct moment *moments = mem_array((size_t)most, sizeof *moments);
    SCOPED(mem) double *gaps = mem_array((size_t)most, sizeof *gaps);
    if (!moments || !gaps) {
        return err_oom(err, "times of judgements");
    }
    int64_t count = 0;
    TRY(read_moments(l, moments, &count, err));
    qsort(moments, (size_t)count, sizeof *moments, compare_moments);
    for (int64_t begin = 0; begin < count;) {
        int64_t end = begin + 1;
        while (end < count && moments[end].annotator == moments[begin].annotator) {
            end++;
        }
        l->people->annotators[moments[begin].annotator].seconds_median =
            median_gap(moments + begin, end - begin, gaps);
        begin = end;
    }
    return ERR_OK;
}

/* ---- populations ---- */

/* One more annotator with a population; they come population by population. */
static enum err_code add_to_population(struct loader *l, struct db_stmt *row, struct error *err) {
    struct stats_people *people = l->people;
    int64_t id = 0;
    const char *name = NULL;
    size_t bytes = 0;
    TRY(db_column_i64(row, 0, &id, err));
    TRY(db_column_text(row, 1, &name, &bytes, err));
    int64_t a = find_id(l->set->annotator_ids, l->set->annotator_count, id);
    if (a < 0 || people->annotators[a].part.comparisons <= 0.0) {
        return ERR_OK;
    }
    int64_t last = people->population_count - 1;
    const char *before = last >= 0 ? people->populations[last].name : NULL;
    if (!before || strcmp(before, name) != 0) {
        last = people->population_count++;
        TRY(keep_text(l, row, 1, &people->populations[last].name, err));
    }
    l->population[a] = (int32_t)last;
    people->populations[last].annotators++;
    return ERR_OK;
}

static enum err_code number_populations(struct loader *l, struct error *err) {
    struct stats_people *people = l->people;
    int64_t limit = 0;
    TRY(db_query_i64(l->db, "SELECT count(DISTINCT population) FROM annotator", &limit, err));
    people->populations = mem_array_zero((size_t)limit, sizeof *people->populations);
    l->population = mem_array((size_t)people->annotator_count, sizeof *l->population);
    if (!people->populations || !l->population) {
        return err_oom(err, "populations");
    }
    for (int64_t a = 0; a < people->annotator_count; a++) {
        l->population[a] = -1;
    }
    SCOPED(db_stmt) struct db_stmt *rows = NULL;
    TRY(db_stmt_open(l->db,
                     "SELECT id, population FROM annotator WHERE population IS NOT NULL"
                     " ORDER BY population, id",
                     &rows, err));
    bool has_row = false;
    TRY(db_stmt_step(rows, &has_row, err));
    while (has_row) {
        TRY(add_to_population(l, rows, err));
        TRY(db_stmt_step(rows, &has_row, err));
    }
    return ERR_OK;
}

/* Comparisons of the smallest population whose agreement is still worked out. */
static enum err_code least_judged(const struct stats_people *people, double *out_least,
                                  struct error *err) {
    int64_t count = people->population_count;
    SCOPED(mem) double *sizes = mem_array((size_t)count, sizeof *sizes);
    if (!sizes) {
        return err_oom(err, "populations");
    }
    for (int64_t p = 0; p < count; p++) {
        sizes[p] = people->populations[p].part.comparisons;
    }
    sorted_make(sizes, count);
    *out_least = count > STATS_POPULATIONS_JUDGED ? sizes[count - STATS_POPULATIONS_JUDGED] : 0.0;
    return ERR_OK;
}

static enum err_code judge_population(struct loader *l, int64_t p, bool *members,
                                      struct error *err) {
    for (int64_t a = 0; a < l->people->annotator_count; a++) {
        members[a] = l->population[a] == p;
    }
    const struct stats_agreement_options options = {
        .annotators = members, .seed = l->seed, .stream = STATS_PEOPLE_STREAM + p};
    return stats_agreement_of_pairs(l->set, l->pairs, &options,
                                    &l->people->populations[p].agreement, err);
}

static int compare_populations(const void *left, const void *right) {
    const struct stats_population *a = left;
    const struct stats_population *b = right;
    int order = by_judgements(&a->part, &b->part);
    return order != 0 ? order : strcmp(a->name, b->name);
}

static enum err_code load_populations(struct loader *l, struct error *err) {
    struct stats_people *people = l->people;
    TRY(number_populations(l, err));
    for (int64_t c = 0; c < l->set->count; c++) {
        int32_t annotator = l->set->annotators[c];
        l->part_of[c] = annotator < 0 ? -1 : l->population[annotator];
    }
    SCOPED(mem) struct stats_part *parts = tally_parts(l, people->population_count, err);
    SCOPED(mem) bool *members = mem_array((size_t)people->annotator_count, sizeof *members);
    if (!parts || !members) {
        return err_oom(err, "populations");
    }
    for (int64_t p = 0; p < people->population_count; p++) {
        people->populations[p].part = parts[p];
        people->populations[p].agreement.alpha.value = (double)NAN;
        people->populations[p].agreement.raw.value = (double)NAN;
    }
    double least = 0.0;
    TRY(least_judged(people, &least, err));
    for (int64_t p = 0; p < people->population_count; p++) {
        if (parts[p].comparisons >= least) {
            TRY(judge_population(l, p, members, err));
        }
    }
    qsort(people->populations, (size_t)people->population_count, sizeof *people->populations,
          compare_populations);
    return ERR_OK;
}

/* ---- sources ---- */

static int compare_sources(const void *left, const void *right) {
    const struct stats_source *a = left;
    const struct stats_source *b = right;
    int order = by_judgements(&a->part, &b->part);
    return order != 0 ? order : (a->id > b->id) - (a->id < b->id);
}

static enum err_code read_sources(struct loader *l, struct error *err) {
    struct stats_people *people = l->people;
    int64_t limit = 0;
    TRY(db_query_i64(l->db, "SELECT count(*) FROM source", &limit, err));
    people->sources = mem_array_zero((size_t)limit, sizeof *people->sources);
    if (!people->sources) {
        return err_oom(err, "sources");
    }
    SCOPED(db_stmt) struct db_stmt *rows = NULL;
    TRY(db_stmt_open(l->db, "SELECT id, path, format, rows, rejected FROM source ORDER BY id",
                     &rows, err));
    bool has_row = false;
    TRY(db_stmt_step(rows, &has_row, err));
    while (has_row && people->source_count < limit) {
        struct stats_source *source = &people->sources[people->source_count];
        TRY(db_column_i64(rows, 0, &source->id, err));
        TRY(keep_text(l, rows, 1, &source->path, err));
        TRY(keep_text(l, rows, 2, &source->format, err));
        TRY(db_column_i64(rows, 3, &source->rows, err));
        TRY(db_column_i64(rows, 4, &source->rejected, err));
        people->source_count++;
        TRY(db_stmt_step(rows, &has_row, err));
    }
    return ERR_OK;
}

/* Number of the source of every comparison in the log, by id of the comparison. */
static enum err_code read_sources_of(struct loader *l, const int64_t *source_ids, int32_t *of,
                                     int64_t size, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *rows = NULL;
    TRY(db_stmt_open(l->db, "SELECT id, source_id FROM comparison", &rows, err));
    bool has_row = false;
    TRY(db_stmt_step(rows, &has_row, err));
    while (has_row) {
        int64_t id = 0;
        int64_t source = 0;
        TRY(db_column_i64(rows, 0, &id, err));
        TRY(db_column_i64(rows, 1, &source, err));
        if (id >= 0 && id < size) {
            of[id] = (int32_t)find_id(source_ids, l->people->source_count, source);
        }
        TRY(db_stmt_step(rows, &has_row, err));
    }
    return ERR_OK;
}

static enum err_code part_by_source(struct loader *l, struct error *err) {
    int64_t size = 0;
    TRY(db_query_i64(l->db, "SELECT coalesce(max(id), 0) + 1 FROM comparison", &size, err));
    SCOPED(mem) int32_t *of = mem_array((size_t)size, sizeof *of);
    SCOPED(mem) int64_t *ids = mem_array((size_t)l->people->source_count, sizeof *ids);
    if (!of || !ids) {
        return err_oom(err, "sources of comparisons");
    }
    memset(of, -1, (size_t)size * sizeof *of);
    for (int64_t s = 0; s < l->people->source_count; s++) {
        ids[s] = l->people->sources[s].id;
    }
    TRY(read_sources_of(l, ids, of, size, err));
    for (int64_t c = 0; c < l->set->count; c++) {
        int64_t id = l->set->comparison_ids[c]; /* 0: made from ratings, and nobody's id */
        l->part_of[c] = id > 0 && id < size ? of[id] : -1;
    }
    return ERR_OK;
}

static enum err_code load_sources(struct loader *l, struct error *err) {
    struct stats_people *people = l->people;
    TRY(read_sources(l, err));
    TRY(part_by_source(l, err));
    SCOPED(mem) struct stats_part *parts = tally_parts(l, people->source_count, err);
    if (!parts) {
        return err->code;
    }
    int64_t kept = 0;
    for (int64_t s = 0; s < people->source_count; s++) {
        people->sources[s].part = parts[s];
        if (parts[s].comparisons > 0.0) {
            people->sources[kept++] = people->sources[s];
        }
    }
    people->source_count = kept;
    qsort(people->sources, (size_t)kept, sizeof *people->sources, compare_sources);
    return ERR_OK;
}

/* Those with judgements, in order of how many. */
static void keep_annotators(struct stats_people *people) {
    int64_t kept = 0;
    for (int64_t a = 0; a < people->annotator_count; a++) {
        if (people->annotators[a].part.comparisons > 0.0) {
            people->annotators[kept++] = people->annotators[a];
        }
    }
    people->annotator_count = kept;
    qsort(people->annotators, (size_t)kept, sizeof *people->annotators, compare_annotators);
}

enum err_code stats_people_load(struct db *db, const struct stats_people_inputs *inputs,
                                struct stats_people *out_people, struct error *err) {
    SCOPED(stats_people) struct stats_people people = STATS_PEOPLE_INIT;
    SCOPED(loader)
    struct loader l = {.db = db,
                       .set = inputs->set,
                       .pairs = inputs->pairs,
                       .lengths = inputs->lengths,
                       .seed = inputs->seed,
                       .people = &people};
    l.part_of = mem_array((size_t)inputs->set->count, sizeof *l.part_of);
    if (!l.part_of) {
        return err_oom(err, "parts of the comparisons");
    }
    TRY(read_annotators(&l, err));
    TRY(tally_annotators(&l, err));
    TRY(read_times(&l, err));
    TRY(load_populations(&l, err));
    TRY(load_sources(&l, err));
    keep_annotators(&people);
    *out_people = people;
    people = (struct stats_people)STATS_PEOPLE_INIT;
    return ERR_OK;
}

void stats_people_deinit(struct stats_people *people) {
    arena_deinit(&people->texts);
    mem_free(people->annotators);
    mem_free(people->populations);
    mem_free(people->sources);
    *people = (struct stats_people)STATS_PEOPLE_INIT;
}
