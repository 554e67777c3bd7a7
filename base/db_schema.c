/* db_schema.c - whose file it is, which version, and the way to the newest. */
#include "base/db_internal.h"

#include "base/scoped.h"
#include "base/strbuf.h"

#include <inttypes.h>
#include <stdio.h>

#define BACKUP_PATH_BYTES_MAX ((size_t)8 * 1024)

struct state {
    int64_t application_id;
    int64_t version;
    bool empty; /* no tables, nothing */
};

static enum err_code read_state(struct db *db, struct state *out, struct error *err) {
    int64_t objects = 0;
    TRY(db_query_i64(db, "PRAGMA application_id", &out->application_id, err));
    TRY(db_query_i64(db, "PRAGMA user_version", &out->version, err));
    TRY(db_query_i64(db, "SELECT count(*) FROM sqlite_schema", &objects, err));
    out->empty = objects == 0 && out->application_id == 0 && out->version == 0;
    return ERR_OK;
}

static enum err_code check_state(const struct db *db, const struct db_schema *schema,
                                 const struct state *state, enum db_mode mode, struct error *err) {
    if (state->empty && mode == DB_MODE_CREATE) {
        return ERR_OK;
    }
    if (state->application_id != schema->application_id) {
        return err_set(err, ERR_DATA,
                       "'%s' is no %s file (application id %" PRId64 ", expected %" PRId32 ")",
                       db->path, schema->name, state->application_id, schema->application_id);
    }
    if (state->version < 0) {
        return err_set(err, ERR_DATA,
                       "'%s' claims to be a %s file of version %" PRId64
                       ", which there is none of: restore a copy",
                       db->path, schema->name, state->version);
    }
    if (state->version > schema->step_count) {
        return err_set(err, ERR_DATA,
                       "'%s' is a %s file of version %" PRId64
                       ", and this program knows versions up to %" PRId64 ": use a newer program",
                       db->path, schema->name, state->version, schema->step_count);
    }
    if (state->version < schema->step_count && mode == DB_MODE_READ_ONLY) {
        return err_set(err, ERR_DATA,
                       "'%s' is a %s file of version %" PRId64 ", and this program reads version "
                       "%" PRId64 ": open it once for writing to bring it up to date",
                       db->path, schema->name, state->version, schema->step_count);
    }
    return ERR_OK;
}

static enum err_code back_up(struct db *db, int64_t version, struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(BACKUP_PATH_BYTES_MAX);
    strbuf_addf(&path, "%s.v%" PRId64 ".bak", db->path, version);
    TRY(strbuf_check(&path, "a backup's file name", err));
    return err_wrap(err, db_copy(db, strbuf_text(&path), err), "backup before migration");
}

/* Step and version number in one transaction: a killed migration is redone from where it was. */
static enum err_code run_step(struct db *db, const struct db_schema *schema, int64_t index,
                              struct error *err) {
    /* PRAGMA takes no parameters; these two are integers of ours. */
    char header[96];
    (void)snprintf(header, sizeof header,
                   "PRAGMA application_id=%" PRId32 "; PRAGMA user_version=%" PRId64 ";",
                   schema->application_id, index + 1);
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    TRY(db_tx_open(db, &tx, err));
    TRY(db_run_script(db, schema->steps[index], err));
    TRY(db_run_script(db, header, err));
    return db_tx_commit(&tx, err);
}

enum err_code db_schema_check(struct db *db, const struct db_schema *schema, enum db_mode mode,
                              int64_t *out_version, struct error *err) {
    struct state state = {0};
    TRY(read_state(db, &state, err));
    TRY(check_state(db, schema, &state, mode, err));
    *out_version = state.version;
    return ERR_OK;
}

enum err_code db_schema_migrate(struct db *db, const struct db_schema *schema, int64_t version,
                                struct error *err) {
    if (version > 0 && version < schema->step_count) {
        TRY(back_up(db, version, err));
    }
    for (int64_t index = version; index < schema->step_count; index++) {
        TRY(err_wrap(err, run_step(db, schema, index, err), "to version %" PRId64, index + 1));
    }
    return ERR_OK;
}
