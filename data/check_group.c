/* check_group.c - see check_group.h. */
#include "data/check_group.h"

#include "base/array.h"
#include "base/mem.h"
#include "data/text_fold.h"

#include <string.h>

static const char sql[] =
    "SELECT c.prompt_id, c.id, c.source_id, c.line, coalesce(c.annotator_id, 0), c.weight,"
    " c.last_unordered, c.aspect, i.response_id, i.rank, coalesce(i.position, 0),"
    " (SELECT kind = 'items' FROM prompt WHERE id = c.prompt_id)"
    " FROM comparison c JOIN comparison_item i ON i.comparison_id = c.id"
    " ORDER BY c.prompt_id, c.id, i.slot";

enum err_code check_group_open(struct check *check, struct check_group *group, struct error *err) {
    TRY(db_stmt_open(check->db, sql, &group->rows, err));
    return db_stmt_step(group->rows, &group->has_row, err);
}

void check_group_close(struct check_group *group) {
    mem_free(group->judgements);
    mem_free(group->members);
    db_stmt_close(group->rows);
    *group = (struct check_group)CHECK_GROUP_INIT;
}

static enum err_code reserve(struct check_group *group, struct error *err) {
    TRY(array_reserve(ARRAY_REF(group->judgements), &group->capacity, group->count + 1,
                      "comparisons of a prompt", err));
    return array_reserve(ARRAY_REF(group->members), &group->member_capacity,
                         group->member_count + 1, "comparisons of a prompt", err);
}

static enum err_code read_judgement(struct check_group *group, int64_t id, struct error *err) {
    struct db_stmt *row = group->rows;
    struct check_judgement judgement = {.id = id, .first = group->member_count};
    int64_t last_unordered = 0;
    TRY(db_column_i64(row, 2, &judgement.source_id, err));
    TRY(db_column_i64(row, 3, &judgement.line, err));
    TRY(db_column_i64(row, 4, &judgement.annotator_id, err));
    TRY(db_column_f64(row, 5, &judgement.weight, err));
    TRY(db_column_i64(row, 6, &last_unordered, err));
    judgement.last_unordered = last_unordered != 0;
    if (!db_column_is_null(row, 7)) {
        const char *aspect = NULL;
        size_t count = 0;
        TRY(db_column_text(row, 7, &aspect, &count, err));
        judgement.aspect = text_fold_key(aspect, count);
    }
    group->judgements[group->count++] = judgement;
    return ERR_OK;
}

/* Adds the row at hand; `*out_is_new` if it begins a comparison. */
static enum err_code add_row(struct check_group *group, bool *out_is_new, struct error *err) {
    int64_t id = 0, rank = 0, position = 0;
    struct check_member member = {.rank = 0};
    TRY(reserve(group, err));
    TRY(db_column_i64(group->rows, 1, &id, err));
    TRY(db_column_i64(group->rows, 8, &member.response_id, err));
    TRY(db_column_i64(group->rows, 9, &rank, err));
    TRY(db_column_i64(group->rows, 10, &position, err));
    member.rank = rank < INT32_MAX ? (int32_t)rank : INT32_MAX;
    member.position = position < INT32_MAX ? (int32_t)position : INT32_MAX;
    *out_is_new = group->count == 0 || group->judgements[group->count - 1].id != id;
    if (*out_is_new) {
        TRY(read_judgement(group, id, err));
    }
    group->members[group->member_count++] = member;
    group->judgements[group->count - 1].count++;
    return ERR_OK;
}

enum err_code check_group_next(struct check *check, struct check_group *group, bool *out_has_group,
                               struct error *err) {
    group->count = 0;
    group->member_count = 0;
    if (!group->has_row) {
        *out_has_group = false;
        return ERR_OK;
    }
    int64_t is_items = 0, prompt_id = 0;
    TRY(db_column_i64(group->rows, 0, &group->prompt_id, err));
    TRY(db_column_i64(group->rows, 11, &is_items, err));
    group->is_items = is_items != 0;
    do {
        bool is_new = false;
        TRY(add_row(group, &is_new, err));
        if (is_new) {
            TRY(check_tick(check, err));
        }
        TRY(db_stmt_step(group->rows, &group->has_row, err));
        if (group->has_row) {
            TRY(db_column_i64(group->rows, 0, &prompt_id, err));
        }
    } while (group->has_row && prompt_id == group->prompt_id);
    *out_has_group = true;
    return ERR_OK;
}

struct check_place check_group_place(const struct check *check,
                                     const struct check_judgement *judgement) {
    return check_place_of(check, judgement->source_id, judgement->line);
}

bool check_group_is_tie(const struct check_group *group, const struct check_judgement *judgement,
                        const struct check_member *left, const struct check_member *right) {
    if (left->rank != right->rank) {
        return false;
    }
    if (!judgement->last_unordered) {
        return true;
    }
    const struct check_member *members = group->members + judgement->first;
    for (int64_t i = 0; i < judgement->count; i++) {
        if (members[i].rank > left->rank) {
            return true;
        }
    }
    return false;
}
