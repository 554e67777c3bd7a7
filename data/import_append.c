/* import_append.c - see import_append.h.
 *
 * The log takes one preference at a time, and one that it refuses leaves nothing behind. For a row
 * that makes several, everything that it may refuse is therefore looked for before the first.
 */
#include "data/import_append.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"

#include <stdlib.h>

struct import_append {
    struct preference_log *log;     /* borrowed */
    struct db_stmt *find_annotator; /* its population, by name */
};

enum err_code import_append_open(struct db *db, struct preference_log *log,
                                 struct import_append **out_append, struct error *err) {
    SCOPED(import_append) struct import_append *append = mem_array_zero(1, sizeof *append);
    if (!append) {
        return err_oom(err, "an import");
    }
    append->log = log;
    TRY(db_stmt_open(db, "SELECT population FROM annotator WHERE name = ?1",
                     &append->find_annotator, err));
    *out_append = MOVE(append);
    return ERR_OK;
}

void import_append_close(struct import_append *append) {
    if (append) {
        db_stmt_close(append->find_annotator);
        mem_free(append);
    }
}

/* ---- what the log would refuse ---- */

static enum err_code refuse_population(const struct preference *row, const struct text_span *before,
                                       struct error *err) {
    char name[UTF8_EXCERPT_BYTES], now[UTF8_EXCERPT_BYTES], then[UTF8_EXCERPT_BYTES];
    return err_set(err, ERR_DATA, "annotator '%s': population '%s' here, but '%s' before",
                   utf8_excerpt(row->annotator.bytes, row->annotator.count, name),
                   utf8_excerpt(row->population.bytes, row->population.count, now),
                   utf8_excerpt(before->bytes, before->count, then));
}

static enum err_code check_known(struct db_stmt *find, const struct preference *row,
                                 struct error *err) {
    if (db_column_is_null(find, 0)) {
        return ERR_OK;
    }
    struct text_span before = TEXT_SPAN_NONE;
    TRY(db_column_text(find, 0, &before.bytes, &before.count, err));
    return text_span_equal(&before, &row->population) ? ERR_OK
                                                      : refuse_population(row, &before, err);
}

static enum err_code check_in_log(struct import_append *append, const struct preference *row,
                                  struct error *err) {
    struct db_stmt *find = append->find_annotator;
    bool has_row = false;
    db_bind_text(find, 1, row->annotator.bytes, row->annotator.count);
    TRY(db_stmt_step(find, &has_row, err));
    enum err_code code = has_row ? check_known(find, row, err) : ERR_OK;
    db_stmt_reset(find);
    return code;
}

static int compare_annotators(const void *left, const void *right) {
    const struct preference *const *l = left;
    const struct preference *const *r = right;
    const struct text_span *a = &(*l)->annotator, *b = &(*r)->annotator;
    size_t shorter = a->count < b->count ? a->count : b->count;
    int order = shorter > 0 ? memcmp(a->bytes, b->bytes, shorter) : 0;
    return order != 0 ? order : (a->count > b->count) - (a->count < b->count);
}

/* Those of the batch that name a population; [count] in its arena. */
static enum err_code people_of(struct import_batch *batch, const struct preference ***out_people,
                               int64_t *out_count, struct error *err) {
    const struct preference **people =
        arena_array(&batch->arena, (size_t)batch->row_count, sizeof *people);
    if (!people) {
        return err_oom(err, "the annotators of a row");
    }
    int64_t count = 0;
    for (int64_t i = 0; i < batch->row_count; i++) {
        if (text_span_is_set(&batch->rows[i]->population)) {
            people[count++] = batch->rows[i];
        }
    }
    *out_people = people;
    *out_count = count;
    return ERR_OK;
}

static enum err_code check_people(struct import_append *append, struct import_batch *batch,
                                  struct error *err) {
    const struct preference **people = NULL;
    int64_t count = 0;
    TRY(people_of(batch, &people, &count, err));
    if (count == 0) {
        return ERR_OK;
    }
    qsort(people, (size_t)count, sizeof(const struct preference *), compare_annotators);
    for (int64_t i = 0; i < count; i++) {
        bool is_known = i > 0 && compare_annotators(&people[i - 1], &people[i]) == 0;
        if (is_known && !text_span_equal(&people[i - 1]->population, &people[i]->population)) {
            return refuse_population(people[i], &people[i - 1]->population, err);
        }
        if (!is_known) {
            TRY(check_in_log(append, people[i], err));
        }
    }
    return ERR_OK;
}

static enum err_code check_batch(struct import_append *append, struct import_batch *batch,
                                 struct error *err) {
    for (int64_t i = 0; i < batch->row_count; i++) {
        TRY(preference_check(batch->rows[i], err));
    }
    return check_people(append, batch, err);
}

/* ---- counting ---- */

static int compare_ranks(const void *left, const void *right) {
    const int64_t *l = left, *r = right;
    return (*l > *r) - (*l < *r);
}

static enum err_code has_tie(struct import_batch *batch, const struct preference *row, bool *out,
                             struct error *err) {
    int64_t count = row->response_count;
    int64_t *ranks = arena_array(&batch->arena, (size_t)count, sizeof *ranks);
    if (!ranks) {
        return err_oom(err, "the ranks of a row");
    }
    for (int64_t i = 0; i < count; i++) {
        ranks[i] = row->responses[i].rank;
    }
    qsort(ranks, (size_t)count, sizeof *ranks, compare_ranks);
    bool tie = false;
    for (int64_t i = 1; i < count; i++) {
        bool is_last = row->last_unordered && ranks[i] == ranks[count - 1];
        tie = tie || (ranks[i] == ranks[i - 1] && !is_last);
    }
    *out = tie;
    return ERR_OK;
}

static enum err_code count_row(struct import_batch *batch, const struct preference *row,
                               struct import_file_report *report, struct error *err) {
    report->made[row->kind]++;
    if (row->kind == PREFERENCE_COMPARISON) {
        bool tie = false;
        TRY(has_tie(batch, row, &tie, err));
        report->ties += tie ? 1 : 0;
    }
    return ERR_OK;
}

enum err_code import_append_batch(struct import_append *append, struct import_batch *batch,
                                  struct import_file_report *report, struct error *err) {
    if (batch->row_count + batch->work_count > 1) {
        TRY(check_batch(append, batch, err));
    }
    for (int64_t i = 0; i < batch->work_count; i++) {
        TRY(preference_log_append_work(append->log, batch->works[i], err));
        report->works++;
    }
    for (int64_t i = 0; i < batch->row_count; i++) {
        TRY(preference_log_append(append->log, batch->rows[i], err));
        TRY(count_row(batch, batch->rows[i], report, err));
    }
    return ERR_OK;
}
