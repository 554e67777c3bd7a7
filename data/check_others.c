/* check_others.c - what single queries find: labels, ratings, works. */
#include "base/scoped.h"
#include "data/check_internal.h"

#include <string.h>

/* Columns of `sql`: source, line, detail (text or NULL), excerpt (text or NULL). It may have one
 * parameter, ?1. */
struct query {
    enum check_finding finding;
    const char *sql;
    const char *of; /* how many there are in all */
    bool has_now;   /* ?1 is the present time, ms */
};

static const struct query queries[] = {
    {CHECK_LABEL_CONFLICT,
     "SELECT max(source_id), max(line), 'good and bad', content FROM"
     " (SELECT l.response_id AS response, l.annotator_id AS annotator, l.aspect AS aspect,"
     " l.source_id, l.line, l.good, r.content"
     " FROM label l JOIN response r ON r.id = l.response_id WHERE l.annotator_id IS NOT NULL)"
     " GROUP BY response, annotator, aspect HAVING min(good) <> max(good) ORDER BY response",
     "SELECT count(DISTINCT response_id) FROM label", false},
    {CHECK_RATING_SCALE,
     "SELECT g.source_id, g.line, printf('%g is outside [%g, %g]', g.value, g.low, g.high),"
     " r.content FROM rating g JOIN response r ON r.id = g.response_id"
     " WHERE g.value < g.low OR g.value > g.high ORDER BY g.id",
     "SELECT count(*) FROM rating", false},
    {CHECK_OPTED_OUT,
     "SELECT 0,"
     " r.id, w.title, r.content FROM response r JOIN work w ON w.id = r.work_id"
     " WHERE w.opt_out_at <= ?1 ORDER BY r.id",
     "SELECT count(*) FROM response WHERE work_id IS NOT NULL", true},
    {CHECK_SINGLE_ANSWER,
     "SELECT min(g.source_id), min(g.line), NULL, p.content FROM prompt p"
     " JOIN response r ON r.prompt_id = p.id JOIN rating g ON g.response_id = r.id"
     " GROUP BY p.id HAVING count(DISTINCT r.id) = 1"
     " AND (SELECT count(*) FROM response WHERE prompt_id = p.id) = 1 ORDER BY p.id",
     "SELECT count(*) FROM prompt", false},
};

static enum err_code copy_text(struct db_stmt *row, int column, const char **out_bytes,
                               size_t *out_count, struct error *err) {
    *out_bytes = "";
    *out_count = 0;
    return db_column_is_null(row, column) ? ERR_OK
                                          : db_column_text(row, column, out_bytes, out_count, err);
}

static enum err_code add_example(struct check *check, enum check_finding finding,
                                 struct db_stmt *row, struct error *err) {
    int64_t source_id = 0, line = 0;
    const char *detail = NULL, *excerpt = NULL;
    size_t detail_count = 0, excerpt_count = 0;
    TRY(db_column_i64(row, 0, &source_id, err));
    TRY(db_column_i64(row, 1, &line, err));
    TRY(copy_text(row, 2, &detail, &detail_count, err));
    TRY(copy_text(row, 3, &excerpt, &excerpt_count, err));
    struct check_example *example = check_example_add(check, finding);
    check_example_set_detail(example, "%s", detail);
    check_example_set_excerpt(example, excerpt, excerpt_count);
    if (finding == CHECK_OPTED_OUT) { /* the line is the response */
        return check_place_response(check, line, &example->place, err);
    }
    example->place = check_place_of(check, source_id, line);
    return ERR_OK;
}

static enum err_code ask(struct check *check, const struct query *query, struct error *err) {
    if (!check_wants(check, query->finding)) {
        return ERR_OK;
    }
    TRY(db_query_i64(check->db, query->of, &check->report->results[query->finding].of, err));
    SCOPED(db_stmt) struct db_stmt *rows = NULL;
    TRY(db_stmt_open(check->db, query->sql, &rows, err));
    if (query->has_now) {
        db_bind_i64(rows, 1, check->options->now_ms);
    }
    bool has_row = false;
    TRY(db_stmt_step(rows, &has_row, err));
    while (has_row) {
        if (check_count(check, query->finding)) {
            TRY(add_example(check, query->finding, rows, err));
        }
        TRY(db_stmt_step(rows, &has_row, err));
    }
    return ERR_OK;
}

enum err_code check_others(struct check *check, struct error *err) {
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        TRY(ask(check, &queries[i], err));
    }
    return ERR_OK;
}
