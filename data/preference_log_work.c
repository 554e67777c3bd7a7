/* preference_log_work.c - owners and their works: see preference_log.h. */
#include "base/invariant.h"
#include "data/preference_log_internal.h"

/* What the log knows already; looked up first, so that a refused work leaves nothing behind. */
struct known_work {
    int64_t owner_id; /* 0: not there yet */
    int64_t work_id;
    struct hash_digest sha256; /* of its text */
};

static enum err_code check_owner(struct db_stmt *find, const struct preference_work *work,
                                 int64_t *out_id, struct error *err) {
    const struct preference_log_field payee = {"payee", "owner", &work->owner};
    const struct preference_log_field cluster = {"cluster", "owner", &work->owner};
    struct text_span before = TEXT_SPAN_NONE;
    TRY(preference_log_column_text(find, 1, &before, err));
    TRY(preference_log_check_same(&payee, &before, &work->payee_ref, err));
    TRY(preference_log_column_text(find, 2, &before, err));
    TRY(preference_log_check_same(&cluster, &before, &work->cluster, err));
    return db_column_i64(find, 0, out_id, err);
}

static enum err_code find_owner(struct preference_log *log, const struct preference_work *work,
                                struct known_work *known, struct error *err) {
    struct db_stmt *find = log->statements[STMT_OWNER_FIND];
    bool has_row = false;
    preference_log_bind_text(find, 1, &work->owner);
    TRY(db_stmt_step(find, &has_row, err));
    enum err_code code = has_row ? check_owner(find, work, &known->owner_id, err) : ERR_OK;
    db_stmt_reset(find);
    return code;
}

static enum err_code check_work(struct db_stmt *find, const struct preference_work *work,
                                int64_t *out_id, struct error *err) {
    const struct preference_log_field licence = {"licence", "work", &work->title};
    struct text_span before = TEXT_SPAN_NONE;
    TRY(preference_log_column_text(find, 1, &before, err));
    TRY(preference_log_check_same(&licence, &before, &work->licence, err));
    return db_column_i64(find, 0, out_id, err);
}

static enum err_code find_work(struct preference_log *log, const struct preference_work *work,
                               struct known_work *known, struct error *err) {
    if (known->owner_id == 0) {
        return ERR_OK;
    }
    struct db_stmt *find = log->statements[STMT_WORK_FIND];
    bool has_row = false;
    db_bind_i64(find, 1, known->owner_id);
    db_bind_blob(find, 2, known->sha256.bytes, sizeof known->sha256.bytes);
    TRY(db_stmt_step(find, &has_row, err));
    enum err_code code = has_row ? check_work(find, work, &known->work_id, err) : ERR_OK;
    db_stmt_reset(find);
    return code;
}

static enum err_code write_owner(struct preference_log *log, const struct preference_work *work,
                                 struct known_work *known, struct error *err) {
    bool is_new = known->owner_id == 0;
    struct db_stmt *write = log->statements[is_new ? STMT_OWNER_ADD : STMT_OWNER_COMPLETE];
    preference_log_bind_text(write, 1, &work->owner);
    preference_log_bind_text(write, 2, &work->payee_ref);
    preference_log_bind_text(write, 3, &work->cluster);
    TRY(db_stmt_run(write, err));
    if (is_new) {
        known->owner_id = db_last_insert_id(log->db);
    }
    return ERR_OK;
}

static enum err_code add_work(struct preference_log *log, const struct preference_work *work,
                              const struct known_work *known, struct error *err) {
    struct db_stmt *add = log->statements[STMT_WORK_ADD];
    db_bind_i64(add, 1, known->owner_id);
    db_bind_i64(add, 2, log->source_id);
    db_bind_i64(add, 3, work->line);
    preference_log_bind_text(add, 4, &work->title);
    db_bind_blob(add, 5, known->sha256.bytes, sizeof known->sha256.bytes);
    db_bind_i64(add, 6, (int64_t)work->text.count);
    preference_log_bind_text(add, 7, &work->licence);
    preference_log_bind_i64(add, 8, work->has_opt_out, work->opt_out_at_ms);
    TRY(db_stmt_run(add, err));
    struct db_stmt *add_text = log->statements[STMT_WORK_TEXT_ADD];
    db_bind_i64(add_text, 1, db_last_insert_id(log->db));
    preference_log_bind_text(add_text, 2, &work->text);
    return db_stmt_run(add_text, err);
}

/* The same text of the same owner again: what was not known is added, and of two opt-outs the
 * earlier one counts. */
static enum err_code complete_work(struct preference_log *log, const struct preference_work *work,
                                   int64_t work_id, struct error *err) {
    struct db_stmt *complete = log->statements[STMT_WORK_COMPLETE];
    db_bind_i64(complete, 1, work_id);
    preference_log_bind_text(complete, 2, &work->licence);
    preference_log_bind_i64(complete, 3, work->has_opt_out, work->opt_out_at_ms);
    return db_stmt_run(complete, err);
}

enum err_code preference_log_append_work(struct preference_log *log,
                                         const struct preference_work *work, struct error *err) {
    ASSERT(log->source_id != 0);
    TRY(preference_check_work(work, err));
    struct known_work known = {.owner_id = 0};
    TRY(hash_bytes(work->text.bytes, work->text.count, &known.sha256, err));
    TRY(find_owner(log, work, &known, err));
    TRY(find_work(log, work, &known, err));
    TRY(write_owner(log, work, &known, err));
    return known.work_id == 0 ? add_work(log, work, &known, err)
                              : complete_work(log, work, known.work_id, err);
}
