/* fold_plan.c - see fold_plan.h. */
#include "reward/fold_plan.h"

#include "base/mem.h"
#include "base/regex.h"
#include "base/scoped.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char sql_prompt[] = "SELECT kind, hash, content, coalesce(topic, content)"
                                 " FROM prompt WHERE id = ?1";

enum { COLUMN_KIND, COLUMN_HASH, COLUMN_CONTENT, COLUMN_TOPIC };

/* To the row of a block's prompt; db_stmt_reset when done. */
static enum err_code find_prompt(struct db_stmt *stmt, const struct comparison_set *set,
                                 int64_t block, struct error *err) {
    db_bind_i64(stmt, 1, set->block_prompt_ids[block]);
    bool has_row = false;
    TRY(db_stmt_step(stmt, &has_row, err));
    return has_row ? ERR_OK : err_set(err, ERR_INTERNAL, "a prompt of a comparison is gone");
}

static enum err_code allocate_folds(const struct comparison_set *set, int32_t **out_folds,
                                    struct error *err) {
    *out_folds = mem_array((size_t)set->block_count, sizeof **out_folds);
    return *out_folds ? ERR_OK : err_oom(err, "folds");
}

enum err_code fold_plan_splits(struct db *db, const struct comparison_set *set,
                               const struct split_shares *shares, int32_t **out_split_of_block,
                               struct error *err) {
    SCOPED(mem) int32_t *splits = NULL;
    TRY(allocate_folds(set, &splits, err));
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db, sql_prompt, &stmt, err));
    for (int64_t b = 0; b < set->block_count; b++) {
        TRY(find_prompt(stmt, set, b, err));
        enum split split = SPLIT_TRAIN;
        TRY(split_read(stmt, COLUMN_KIND, shares, &split, err));
        db_stmt_reset(stmt);
        splits[b] = (int32_t)split;
    }
    *out_split_of_block = MOVE(splits);
    return ERR_OK;
}

enum err_code fold_plan_by_split(struct db *db, const struct comparison_set *set,
                                 const struct split_shares *shares, int32_t **out_fold_of_block,
                                 struct error *err) {
    SCOPED(mem) int32_t *folds = NULL;
    TRY(fold_plan_splits(db, set, shares, &folds, err));
    for (int64_t b = 0; b < set->block_count; b++) {
        folds[b] = folds[b] == (int32_t)SPLIT_TEST ? 0 : folds[b] == (int32_t)SPLIT_TRAIN ? 1 : -1;
    }
    *out_fold_of_block = MOVE(folds);
    return ERR_OK;
}

/* ---- groups ---- */

struct member {
    char *group; /* owned */
    int64_t block;
};

struct members {
    struct member *list; /* [count] */
    int64_t count;
};

static void members_scoped_end(struct members *members) {
    for (int64_t i = 0; members->list && i < members->count; i++) {
        mem_free(members->list[i].group);
    }
    mem_free(members->list);
}

static enum err_code match_group(struct regex *regex, const char *content, size_t bytes,
                                 char **out_group, struct error *err) {
    const struct regex_text text = {.bytes = content, .count = bytes, .known_utf8 = true};
    bool found = false;
    TRY(regex_search(regex, &text, &found, err));
    if (!found) {
        char excerpt[UTF8_EXCERPT_BYTES];
        return err_set(err, ERR_DATA,
                       "the pattern of the groups matches nothing in the prompt '%s'; let it match "
                       "something in every prompt",
                       utf8_excerpt(content, bytes, excerpt));
    }
    struct regex_span span = regex_group(regex, 0);
    *out_group = mem_strndup(content + span.start, span.end - span.start);
    return *out_group ? ERR_OK : err_oom(err, "names of groups");
}

static enum err_code load_group(struct db_stmt *stmt, struct regex *regex, char **out_group,
                                struct error *err) {
    const char *text = NULL;
    size_t bytes = 0;
    if (regex) {
        TRY(db_column_text(stmt, COLUMN_CONTENT, &text, &bytes, err));
        return match_group(regex, text, bytes, out_group, err);
    }
    TRY(db_column_text(stmt, COLUMN_TOPIC, &text, &bytes, err));
    *out_group = mem_strndup(text, bytes);
    return *out_group ? ERR_OK : err_oom(err, "names of groups");
}

static enum err_code load_members(struct db *db, const struct comparison_set *set,
                                  struct regex *regex, struct members *members, struct error *err) {
    members->list = mem_array_zero((size_t)set->block_count, sizeof *members->list);
    if (!members->list) {
        return err_oom(err, "groups");
    }
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db, sql_prompt, &stmt, err));
    for (int64_t b = 0; b < set->block_count; b++) {
        TRY(find_prompt(stmt, set, b, err));
        members->list[members->count++].block = b;
        TRY(load_group(stmt, regex, &members->list[b].group, err));
        db_stmt_reset(stmt);
    }
    return ERR_OK;
}

static int compare_members(const void *left, const void *right) {
    const struct member *l = left;
    const struct member *r = right;
    int order = strcmp(l->group, r->group);
    return order != 0 ? order : (l->block > r->block) - (l->block < r->block);
}

enum err_code fold_plan_by_group(struct db *db, const struct comparison_set *set,
                                 int64_t fold_count, const char *pattern,
                                 int32_t **out_fold_of_block, struct error *err) {
    SCOPED(mem) int32_t *folds = NULL;
    TRY(allocate_folds(set, &folds, err));
    SCOPED(regex) struct regex *regex = NULL;
    if (pattern) {
        struct regex_options options = REGEX_OPTIONS_DEFAULT;
        options.utf = true;
        TRY(regex_new(pattern, &options, &regex, err));
    }
    SCOPED(members) struct members members = {.list = NULL};
    TRY(load_members(db, set, regex, &members, err));
    qsort(members.list, (size_t)members.count, sizeof *members.list, compare_members);
    int64_t group = -1;
    for (int64_t i = 0; i < members.count; i++) {
        const struct member *m = &members.list[i];
        group += i == 0 || strcmp(m->group, members.list[i - 1].group) != 0;
        folds[m->block] = (int32_t)(group % fold_count);
    }
    if (group + 1 < fold_count) {
        return err_set(err, ERR_DATA, "%" PRId64 " groups of prompts cannot make %" PRId64 " folds",
                       group + 1, fold_count);
    }
    *out_fold_of_block = MOVE(folds);
    return ERR_OK;
}
