/* stats_counts.c - see stats_counts.h. */
#include "data/stats_counts.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "data/stats_bias.h"

#include <inttypes.h>
#include <string.h>

/* ---- prompts ---- */

enum prompt_column { PROMPT_ID, PROMPT_KIND, PROMPT_HASH };

static enum err_code read_kind(struct db_stmt *row, enum prompt_kind *out_kind, struct error *err) {
    const char *name = NULL;
    size_t bytes = 0;
    TRY(db_column_text(row, PROMPT_KIND, &name, &bytes, err));
    return prompt_kind_of_name(name, out_kind, err);
}

/* Fills the splits by id, and `counts` if it is wanted. */
static enum err_code read_prompts(struct db *db, struct stats_prompt_splits *splits,
                                  struct stats_counts *counts, struct error *err) {
    const struct split_shares shares = SPLIT_SHARES_DEFAULT;
    SCOPED(db_stmt) struct db_stmt *rows = NULL;
    TRY(db_stmt_open(db, "SELECT id, kind, hash FROM prompt", &rows, err));
    bool has_row = false;
    TRY(db_stmt_step(rows, &has_row, err));
    while (has_row) {
        int64_t id = 0;
        enum split split = SPLIT_TRAIN;
        enum prompt_kind kind = PROMPT_TEXT;
        TRY(db_column_i64(rows, PROMPT_ID, &id, err));
        TRY(split_read(rows, PROMPT_KIND, &shares, &split, err));
        TRY(read_kind(rows, &kind, err));
        splits->splits[id] = (int8_t)split;
        if (counts) {
            counts->prompts++;
            counts->prompts_by_kind[kind]++;
            counts->by_split[split].prompts++;
        }
        TRY(db_stmt_step(rows, &has_row, err));
    }
    return ERR_OK;
}

static enum err_code splits_open(struct db *db, struct stats_prompt_splits *splits,
                                 struct error *err) {
    TRY(db_query_i64(db, "SELECT coalesce(max(id), 0) + 1 FROM prompt", &splits->size, err));
    splits->splits = mem_array((size_t)splits->size, sizeof *splits->splits);
    if (!splits->splits) {
        return err_oom(err, "splits of prompts");
    }
    memset(splits->splits, -1, (size_t)splits->size);
    return ERR_OK;
}

enum err_code stats_prompt_splits_load(struct db *db, struct stats_prompt_splits *out_splits,
                                       struct error *err) {
    SCOPED(stats_prompt_splits) struct stats_prompt_splits splits = {.splits = NULL};
    TRY(splits_open(db, &splits, err));
    TRY(read_prompts(db, &splits, NULL, err));
    *out_splits = splits;
    splits = (struct stats_prompt_splits){.splits = NULL};
    return ERR_OK;
}

void stats_prompt_splits_deinit(struct stats_prompt_splits *splits) {
    mem_free(splits->splits);
    *splits = (struct stats_prompt_splits){.splits = NULL};
}

/* ---- rows ---- */

const char *stats_rows_name(enum stats_rows rows) {
    static const char *const names[] = {
#define STATS_ROWS_NAME(name, text, table) text,
        STATS_ROWS(STATS_ROWS_NAME)
#undef STATS_ROWS_NAME
    };
    return names[rows];
}

#define BY_PROMPT(table) "SELECT prompt_id, count(*) FROM " table " GROUP BY prompt_id"
#define BY_RESPONSE(table)                                                                  \
    "SELECT r.prompt_id, count(*) FROM " table " j JOIN response r ON r.id = j.response_id" \
    " GROUP BY r.prompt_id"

static const char *const sql_by_prompt[STATS_ROWS_COUNT] = {
    [STATS_RESPONSES] = BY_PROMPT("response"),
    [STATS_COMPARISONS] = BY_PROMPT("comparison"),
    [STATS_RATINGS] = BY_RESPONSE("rating"),
    [STATS_LABELS] = BY_RESPONSE("label"),
    [STATS_DEMONSTRATIONS] = BY_RESPONSE("demonstration"),
};

static enum err_code count_rows(struct db *db, const struct stats_prompt_splits *splits,
                                enum stats_rows what, struct stats_counts *counts,
                                struct error *err) {
    SCOPED(db_stmt) struct db_stmt *rows = NULL;
    TRY(db_stmt_open(db, sql_by_prompt[what], &rows, err));
    bool has_row = false;
    TRY(db_stmt_step(rows, &has_row, err));
    while (has_row) {
        int64_t prompt = 0;
        int64_t count = 0;
        TRY(db_column_i64(rows, 0, &prompt, err));
        TRY(db_column_i64(rows, 1, &count, err));
        if (prompt < 0 || prompt >= splits->size || splits->splits[prompt] < 0) {
            return err_set(err, ERR_DATA, "prompt %" PRId64 " is missing from the project file",
                           prompt);
        }
        counts->rows[what] += count;
        counts->by_split[splits->splits[prompt]].rows[what] += count;
        TRY(db_stmt_step(rows, &has_row, err));
    }
    return ERR_OK;
}

enum err_code stats_counts_load(struct db *db, struct stats_counts *out_counts, struct error *err) {
    struct stats_counts counts = {.prompts = 0};
    SCOPED(stats_prompt_splits) struct stats_prompt_splits splits = {.splits = NULL};
    TRY(splits_open(db, &splits, err));
    TRY(read_prompts(db, &splits, &counts, err));
    for (int what = 0; what < STATS_ROWS_COUNT; what++) {
        TRY(count_rows(db, &splits, (enum stats_rows)what, &counts, err));
    }
    TRY(db_query_i64(db, "SELECT count(*) FROM comparison_item WHERE slot = 2", &counts.rankings,
                     err));
    TRY(db_query_i64(db, "SELECT count(DISTINCT origin) FROM response", &counts.origins, err));
    TRY(db_query_i64(db, "SELECT count(*) FROM annotator", &counts.annotators, err));
    TRY(db_query_i64(db, "SELECT count(DISTINCT population) FROM annotator", &counts.populations,
                     err));
    TRY(db_query_i64(db, "SELECT count(*) FROM source", &counts.sources, err));
    TRY(db_query_i64(db, "SELECT count(*) FROM work", &counts.works, err));
    TRY(db_query_i64(db, "SELECT count(*) FROM owner", &counts.owners, err));
    *out_counts = counts;
    return ERR_OK;
}

/* ---- lengths ---- */

/* SQL's length() counts code points up to a NUL, which the log does not take. */
static const char sql_lengths[] =
    "SELECT r.id, CASE r.kind WHEN 'chat'"
    " THEN (SELECT coalesce(sum(length(json_extract(m.value, '$.content'))), 0)"
    "       FROM json_each(r.content) m)"
    " ELSE length(r.content) END"
    " FROM response r JOIN prompt p ON p.id = r.prompt_id WHERE p.kind <> 'items'";

/* Numbers of the items by response id; -1: not in the set. */
static enum err_code index_items(struct db *db, const struct comparison_set *set,
                                 int32_t **out_items, int64_t *out_size, struct error *err) {
    int64_t size = 0;
    TRY(db_query_i64(db, "SELECT coalesce(max(id), 0) + 1 FROM response", &size, err));
    int32_t *items = mem_array((size_t)size, sizeof *items);
    if (!items) {
        return err_oom(err, "lengths");
    }
    for (int64_t id = 0; id < size; id++) {
        items[id] = -1;
    }
    for (int64_t i = 0; i < set->item_count; i++) {
        items[set->item_response_ids[i]] = (int32_t)i;
    }
    *out_items = items;
    *out_size = size;
    return ERR_OK;
}

enum err_code stats_lengths_load(struct db *db, const struct comparison_set *set,
                                 int64_t *out_lengths, struct error *err) {
    for (int64_t i = 0; i < set->item_count; i++) {
        out_lengths[i] = STATS_LENGTH_UNKNOWN;
    }
    if (!set->item_response_ids) {
        return ERR_OK;
    }
    SCOPED(mem) int32_t *items = NULL;
    int64_t size = 0;
    TRY(index_items(db, set, &items, &size, err));
    SCOPED(db_stmt) struct db_stmt *rows = NULL;
    TRY(db_stmt_open(db, sql_lengths, &rows, err));
    bool has_row = false;
    TRY(db_stmt_step(rows, &has_row, err));
    while (has_row) {
        int64_t id = 0;
        TRY(db_column_i64(rows, 0, &id, err));
        if (id >= 0 && id < size && items[id] >= 0) {
            TRY(db_column_i64(rows, 1, &out_lengths[items[id]], err));
        }
        TRY(db_stmt_step(rows, &has_row, err));
    }
    return ERR_OK;
}
