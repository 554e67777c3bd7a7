/* aspect_list.c - see aspect_list.h. */
#include "data/aspect_list.h"

#include "base/scoped.h"

/* Rows without an aspect, mostly all, are not put through the grouping. */
#define ASPECTS(table)                                                                          \
    "SELECT aspect, count(*) FROM " table " WHERE aspect IS NOT NULL GROUP BY aspect UNION ALL" \
    " SELECT NULL, count(*) FROM " table " WHERE aspect IS NULL HAVING count(*) > 0"            \
    " ORDER BY 2 DESC, 1"

static const char *const sql_aspects[] = {
    [ASPECTS_OF_COMPARISONS] = ASPECTS("comparison"),
    [ASPECTS_OF_RATINGS] = ASPECTS("rating"),
    [ASPECTS_OF_LABELS] = ASPECTS("label"),
};

static enum err_code read_aspect(struct db_stmt *row, struct aspect_list *aspects,
                                 struct error *err) {
    if (aspects->count == ASPECT_LIST_MAX) {
        return err_set(err, ERR_LIMIT, "more than %d aspects are judged; choose one with --aspect",
                       ASPECT_LIST_MAX);
    }
    struct aspect *aspect = &aspects->items[aspects->count];
    *aspect = (struct aspect){.name = NULL};
    if (!db_column_is_null(row, 0)) {
        const char *name = NULL;
        size_t bytes = 0;
        TRY(db_column_text(row, 0, &name, &bytes, err));
        aspect->name = arena_strndup(&aspects->texts, name, bytes);
        if (!aspect->name) {
            return err_oom(err, "aspects");
        }
    }
    TRY(db_column_i64(row, 1, &aspect->count, err));
    aspects->count++;
    return ERR_OK;
}

enum err_code aspect_list_load(struct db *db, enum aspects_of of, struct aspect_list *out_list,
                               struct error *err) {
    SCOPED(aspect_list) struct aspect_list aspects = ASPECT_LIST_INIT;
    SCOPED(db_stmt) struct db_stmt *rows = NULL;
    aspects.items = arena_array(&aspects.texts, ASPECT_LIST_MAX, sizeof *aspects.items);
    if (!aspects.items) {
        return err_oom(err, "aspects");
    }
    TRY(db_stmt_open(db, sql_aspects[of], &rows, err));
    bool has_row = false;
    TRY(db_stmt_step(rows, &has_row, err));
    while (has_row) {
        TRY(read_aspect(rows, &aspects, err));
        TRY(db_stmt_step(rows, &has_row, err));
    }
    *out_list = aspects;
    aspects = (struct aspect_list)ASPECT_LIST_INIT;
    return ERR_OK;
}

void aspect_list_deinit(struct aspect_list *list) {
    arena_deinit(&list->texts);
    *list = (struct aspect_list)ASPECT_LIST_INIT;
}
