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

/* To the row of a prompt; db_stmt_reset when done. */
static enum err_code find_prompt(struct db_stmt *stmt, const struct fold_prompts *prompts,
                                 int64_t index, struct error *err) {
    db_bind_i64(stmt, 1, prompts->ids[index]);
    bool has_row = false;
    TRY(db_stmt_step(stmt, &has_row, err));
    return has_row ? ERR_OK : err_set(err, ERR_INTERNAL, "a prompt of the log is gone");
}

static enum err_code allocate_folds(const struct fold_prompts *prompts, int32_t **out_folds,
                                    struct error *err) {
    *out_folds = mem_array((size_t)prompts->count, sizeof **out_folds);
    return *out_folds ? ERR_OK : err_oom(err, "folds");
}

enum err_code fold_plan_splits(struct db *db, const struct fold_prompts *prompts,
                               const struct split_shares *shares, int32_t **out_splits,
                               struct error *err) {
    SCOPED(mem) int32_t *splits = NULL;
    TRY(allocate_folds(prompts, &splits, err));
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db, sql_prompt, &stmt, err));
    for (int64_t i = 0; i < prompts->count; i++) {
        TRY(find_prompt(stmt, prompts, i, err));
        enum split split = SPLIT_TRAIN;
        TRY(split_read(stmt, COLUMN_KIND, shares, &split, err));
        db_stmt_reset(stmt);
        splits[i] = (int32_t)split;
    }
    *out_splits = MOVE(splits);
    return ERR_OK;
}

enum err_code fold_plan_by_split(struct db *db, const struct fold_prompts *prompts,
                                 const struct split_shares *shares, int32_t **out_folds,
                                 struct error *err) {
    SCOPED(mem) int32_t *folds = NULL;
    TRY(fold_plan_splits(db, prompts, shares, &folds, err));
    for (int64_t i = 0; i < prompts->count; i++) {
        folds[i] = folds[i] == (int32_t)SPLIT_TEST ? 0 : folds[i] == (int32_t)SPLIT_TRAIN ? 1 : -1;
    }
    *out_folds = MOVE(folds);
    return ERR_OK;
}

/* ---- groups ---- */

struct member {
    char *group;   /* owned */
    int64_t index; /* of the prompt */
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

static enum err_code load_members(struct db *db, const struct fold_prompts *prompts,
                                  struct regex *regex, struct members *members, struct error *err) {
    members->list = mem_array_zero((size_t)prompts->count, sizeof *members->list);
    if (!members->list) {
        return err_oom(err, "groups");
    }
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db, sql_prompt, &stmt, err));
    for (int64_t i = 0; i < prompts->count; i++) {
        TRY(find_prompt(stmt, prompts, i, err));
        members->list[members->count++].index = i;
        TRY(load_group(stmt, regex, &members->list[i].group, err));
        db_stmt_reset(stmt);
    }
    return ERR_OK;
}

static int compare_members(const void *left, const void *right) {
    const struct member *l = left;
    const struct member *r = right;
    int order = strcmp(l->group, r->group);
    return order != 0 ? order : (l->index > r->index) - (l->index < r->index);
}

enum err_code fold_plan_by_group(struct db *db, const struct fold_prompts *prompts,
                                 int64_t fold_count, const char *pattern, int32_t **out_folds,
                                 struct error *err) {
    SCOPED(mem) int32_t *folds = NULL;
    TRY(allocate_folds(prompts, &folds, err));
    SCOPED(regex) struct regex *regex = NULL;
    if (pattern) {
        struct regex_options options = REGEX_OPTIONS_DEFAULT;
        options.utf = true;
        TRY(regex_new(pattern, &options, &regex, err));
    }
    SCOPED(members) struct members members = {.list = NULL};
    TRY(load_members(db, prompts, regex, &members, err));
    qsort(members.list, (size_t)members.count, sizeof *members.list, compare_members);
    int64_t group = -1;
    for (int64_t i = 0; i < members.count; i++) {
        const struct member *m = &members.list[i];
        group += i == 0 || strcmp(m->group, members.list[i - 1].group) != 0;
        folds[m->index] = (int32_t)(group % fold_count);
    }
    if (group + 1 < fold_count) {
        return err_set(err, ERR_DATA, "%" PRId64 " groups of prompts cannot make %" PRId64 " folds",
                       group + 1, fold_count);
    }
    *out_folds = MOVE(folds);
    return ERR_OK;
}
