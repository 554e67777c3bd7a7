/* preference_reader.c - see preference_reader.h.
 *
 * Each kind is one statement that walks its table by id and looks prompt, response and annotator up
 * by id. What was imported together lies together, so these look-ups move through the file with the
 * walk. The responses of comparisons are a second walk beside the first, since joined to it they
 * would fetch the prompt anew for each response.
 */
#include "data/preference_reader.h"

#include "base/arena.h"
#include "base/array.h"
#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "data/message_json.h"

#include <inttypes.h>

#define ROW_BYTES_MAX ((size_t)2 * GIB)

/* ---- statements ---- */

enum column {
    COLUMN_ID,
    COLUMN_PROMPT_ID,
    COLUMN_SOURCE_ID,
    COLUMN_SOURCE_PATH,
    COLUMN_LINE,
    COLUMN_WEIGHT,
    COLUMN_ASKED_AT,
    COLUMN_ASPECT,
    COLUMN_ANNOTATOR,
    COLUMN_POPULATION,
    COLUMN_PROMPT_KIND,
    COLUMN_PROMPT_HASH, /* behind the kind: split_read */
    COLUMN_PROMPT_CONTENT,
    COLUMN_TOPIC,
    COLUMN_OWN /* of the kind, from here on */
};

#define SHARED(asked_at, aspect, annotator, population)                                       \
    "SELECT j.id, p.id, s.id, s.path, j.line, j.weight, " asked_at ", " aspect ", " annotator \
    ", " population ", p.kind, p.hash, p.content, p.topic"
#define JUDGED SHARED("j.asked_at", "j.aspect", "a.name", "a.population")

#define RESPONSE           ", r.id, r.kind, r.content, r.origin"
#define JOIN_PROMPT(owner) " CROSS JOIN prompt p ON p.id = " owner ".prompt_id"
#define JOIN_RESPONSE      " CROSS JOIN response r ON r.id = j.response_id" JOIN_PROMPT("r")
#define JOIN_SOURCE        " CROSS JOIN source s ON s.id = j.source_id"
#define JOIN_ANNOTATOR     JOIN_SOURCE " LEFT JOIN annotator a ON a.id = j.annotator_id"
#define WHERE(aspect, population)                                                    \
    " WHERE (?1 IS NULL OR " aspect " = ?1) AND (?2 IS NULL OR " population " = ?2)" \
    " AND (?3 IS NULL OR p.topic = ?3) AND (?4 IS NULL OR j.source_id = ?4) ORDER BY j.id"

static const char *const kind_sql[] = {
    [PREFERENCE_COMPARISON] = JUDGED ", j.margin, j.last_unordered FROM comparison j" JOIN_PROMPT(
        "j") JOIN_ANNOTATOR WHERE("j.aspect", "a.population"),
    [PREFERENCE_RATING] = JUDGED RESPONSE
    ", j.value, j.low, j.high FROM rating j" JOIN_RESPONSE JOIN_ANNOTATOR WHERE("j.aspect",
                                                                                "a.population"),
    [PREFERENCE_LABEL] = JUDGED RESPONSE
    ", j.good FROM label j" JOIN_RESPONSE JOIN_ANNOTATOR WHERE("j.aspect", "a.population"),
    [PREFERENCE_DEMONSTRATION] = SHARED("j.asked_at", "NULL", "a.name", "a.population") RESPONSE
    " FROM demonstration j" JOIN_RESPONSE JOIN_ANNOTATOR WHERE("NULL", "a.population"),
    [PREFERENCE_PROMPT] = SHARED("NULL", "NULL", "NULL", "NULL") " FROM prompt_only j" JOIN_PROMPT(
        "j") JOIN_SOURCE WHERE("NULL", "NULL"),
};

static const char items_sql[] =
    "SELECT i.comparison_id, i.rank, i.position, r.id, r.kind, r.content, r.origin"
    " FROM comparison_item i CROSS JOIN response r ON r.id = i.response_id"
    " ORDER BY i.comparison_id, i.slot";

enum item_column { ITEM_COMPARISON_ID, ITEM_RANK, ITEM_POSITION, ITEM_RESPONSE };

struct preference_reader {
    struct db *db; /* borrowed */
    struct preference_filter filter;
    char *aspect, *population, *topic; /* what the filter refers to */
    struct db_stmt *rows;              /* of `kind`; NULL: none is being walked */
    struct db_stmt *items;             /* of comparisons; NULL likewise */
    bool has_item;                     /* `items` stands on a row */
    enum preference_kind kind;
    struct arena arena;                    /* of one record */
    struct preference_response *responses; /* [response_capacity] */
    int64_t *response_ids;                 /* likewise */
    int64_t response_count, response_capacity;
};

/* ---- life ---- */

static enum err_code copy_text(const char *text, char **out_copy, struct error *err) {
    char *copy = text ? mem_strdup(text) : NULL;
    if (text && !copy) {
        return err_oom(err, "a filter");
    }
    *out_copy = copy;
    return ERR_OK;
}

enum err_code preference_reader_open(struct db *db, const struct preference_filter *filter,
                                     struct preference_reader **out_reader, struct error *err) {
    SCOPED(preference_reader)
    struct preference_reader *reader = mem_array_zero(1, sizeof *reader);
    if (!reader) {
        return err_oom(err, "a reader of preferences");
    }
    reader->db = db;
    reader->arena = (struct arena)ARENA_INIT(ROW_BYTES_MAX);
    TRY(copy_text(filter->aspect, &reader->aspect, err));
    TRY(copy_text(filter->population, &reader->population, err));
    TRY(copy_text(filter->topic, &reader->topic, err));
    reader->filter = *filter;
    if (filter->shares.validation == 0.0 && filter->shares.test == 0.0) {
        reader->filter.shares = (struct split_shares)SPLIT_SHARES_DEFAULT;
    }
    if (filter->kinds == 0) {
        reader->filter.kinds = (UINT32_C(1) << PREFERENCE_KIND_COUNT) - 1;
    }
    *out_reader = MOVE(reader);
    return ERR_OK;
}

static void leave_kind(struct preference_reader *reader) {
    db_stmt_close(reader->rows);
    db_stmt_close(reader->items);
    reader->rows = NULL;
    reader->items = NULL;
    reader->has_item = false;
}

void preference_reader_close(struct preference_reader *reader) {
    if (!reader) {
        return;
    }
    leave_kind(reader);
    arena_deinit(&reader->arena);
    mem_free(reader->aspect);
    mem_free(reader->population);
    mem_free(reader->topic);
    mem_free(reader->responses);
    mem_free(reader->response_ids);
    mem_free(reader);
}

static enum err_code enter_kind(struct preference_reader *reader, struct error *err) {
    TRY(db_stmt_open(reader->db, kind_sql[reader->kind], &reader->rows, err));
    db_bind_text_or_null(reader->rows, 1, reader->aspect);
    db_bind_text_or_null(reader->rows, 2, reader->population);
    db_bind_text_or_null(reader->rows, 3, reader->topic);
    if (reader->filter.source_id != 0) {
        db_bind_i64(reader->rows, 4, reader->filter.source_id);
    } else {
        db_bind_null(reader->rows, 4);
    }
    if (reader->kind != PREFERENCE_COMPARISON) {
        return ERR_OK;
    }
    TRY(db_stmt_open(reader->db, items_sql, &reader->items, err));
    return db_stmt_step(reader->items, &reader->has_item, err);
}

/* ---- values ---- */

static enum err_code read_text(struct db_stmt *stmt, int column, struct text_span *out,
                               struct error *err) {
    *out = (struct text_span)TEXT_SPAN_NONE;
    return db_column_is_null(stmt, column)
               ? ERR_OK
               : db_column_text(stmt, column, &out->bytes, &out->count, err);
}

static enum err_code read_optional_f64(struct db_stmt *stmt, int column, bool *out_has,
                                       double *out_value, struct error *err) {
    *out_has = !db_column_is_null(stmt, column);
    return *out_has ? db_column_f64(stmt, column, out_value, err) : ERR_OK;
}

static enum err_code read_flag(struct db_stmt *stmt, int column, bool *out, struct error *err) {
    int64_t value = 0;
    TRY(db_column_i64(stmt, column, &value, err));
    *out = value != 0;
    return ERR_OK;
}

/* A copy that outlives the statement's step. */
static enum err_code keep_text(struct preference_reader *reader, struct text_span *text,
                               struct error *err) {
    if (!text_span_is_set(text)) {
        return ERR_OK;
    }
    text->bytes = arena_strndup(&reader->arena, text->bytes, text->count);
    return text->bytes ? ERR_OK : err_oom(err, "a row of the log");
}

/* ---- one record ---- */

/* The four columns from `first` on: id, kind, content, origin. */
static enum err_code read_response(struct preference_reader *reader, struct db_stmt *stmt,
                                   int first, struct preference_response *out, int64_t *out_id,
                                   struct error *err) {
    struct text_span kind = TEXT_SPAN_NONE;
    TRY(db_column_i64(stmt, first, out_id, err));
    TRY(read_text(stmt, first + 1, &kind, err));
    TRY(read_text(stmt, first + 2, &out->text, err));
    TRY(read_text(stmt, first + 3, &out->origin, err));
    TRY(keep_text(reader, &out->origin, err));
    if (strcmp(kind.bytes, "chat") != 0) {
        return keep_text(reader, &out->text, err);
    }
    struct text_span json = out->text;
    out->text = (struct text_span)TEXT_SPAN_NONE;
    return message_json_read(&json, "messages of the log", &reader->arena, &out->messages,
                             &out->message_count, err);
}

static enum err_code add_response(struct preference_reader *reader,
                                  struct preference_response **out, int64_t **out_id,
                                  struct error *err) {
    const struct array_ref arrays[] = {ARRAY_REF(reader->responses),
                                       ARRAY_REF(reader->response_ids)};
    TRY(arrays_reserve(arrays, 2, &reader->response_capacity, reader->response_count + 1,
                       "responses", err));
    *out = &reader->responses[reader->response_count];
    *out_id = &reader->response_ids[reader->response_count];
    **out = (struct preference_response){.rank = 0};
    reader->response_count++;
    return ERR_OK;
}

static enum err_code read_item(struct preference_reader *reader, struct error *err) {
    struct db_stmt *items = reader->items;
    struct preference_response *response = NULL;
    int64_t *id = NULL;
    TRY(add_response(reader, &response, &id, err));
    TRY(db_column_i64(items, ITEM_RANK, &response->rank, err));
    if (!db_column_is_null(items, ITEM_POSITION)) {
        TRY(db_column_i64(items, ITEM_POSITION, &response->position, err));
    }
    return read_response(reader, items, ITEM_RESPONSE, response, id, err);
}

/* Goes on with the walk through the responses to those of this comparison. */
static enum err_code read_items(struct preference_reader *reader, int64_t comparison_id,
                                struct error *err) {
    while (reader->has_item) {
        int64_t at = 0;
        TRY(db_column_i64(reader->items, ITEM_COMPARISON_ID, &at, err));
        if (at > comparison_id) {
            break;
        }
        if (at == comparison_id) {
            TRY(read_item(reader, err));
        }
        TRY(db_stmt_step(reader->items, &reader->has_item, err));
    }
    return reader->response_count >= 2
               ? ERR_OK
               : err_set(err, ERR_DATA,
                         "comparison %" PRId64 " of the log has %" PRId64 " responses",
                         comparison_id, reader->response_count);
}

static enum err_code read_own(struct preference_reader *reader, int64_t id, struct preference *row,
                              struct error *err) {
    struct db_stmt *rows = reader->rows;
    const int own = COLUMN_OWN + 4; /* behind the response */
    struct preference_response *response = NULL;
    int64_t *response_id = NULL;
    if (row->kind == PREFERENCE_COMPARISON) {
        TRY(read_optional_f64(rows, COLUMN_OWN, &row->has_margin, &row->margin, err));
        TRY(read_flag(rows, COLUMN_OWN + 1, &row->last_unordered, err));
        return read_items(reader, id, err);
    }
    if (row->kind == PREFERENCE_PROMPT) {
        return ERR_OK;
    }
    TRY(add_response(reader, &response, &response_id, err));
    TRY(read_response(reader, rows, COLUMN_OWN, response, response_id, err));
    if (row->kind == PREFERENCE_LABEL) {
        return read_flag(rows, own, &row->good, err);
    }
    if (row->kind == PREFERENCE_RATING) {
        TRY(db_column_f64(rows, own, &row->value, err));
        TRY(read_optional_f64(rows, own + 1, &row->has_scale, &row->scale_low, err));
        return read_optional_f64(rows, own + 2, &row->has_scale, &row->scale_high, err);
    }
    return ERR_OK;
}

static enum err_code read_prompt(struct preference_reader *reader, struct preference_record *record,
                                 struct error *err) {
    struct db_stmt *rows = reader->rows;
    struct preference_prompt *prompt = &record->row.prompt;
    struct text_span kind = TEXT_SPAN_NONE;
    TRY(read_text(rows, COLUMN_PROMPT_KIND, &kind, err));
    TRY(read_text(rows, COLUMN_PROMPT_CONTENT, &record->prompt_content, err));
    TRY(read_text(rows, COLUMN_TOPIC, &prompt->topic, err));
    TRY(prompt_kind_of_name(kind.bytes, &prompt->kind, err));
    if (prompt->kind == PROMPT_CHAT) {
        return message_json_read(&record->prompt_content, "messages of the log", &reader->arena,
                                 &prompt->messages, &prompt->message_count, err);
    }
    prompt->text = record->prompt_content;
    return ERR_OK;
}

static enum err_code read_prompt_hash(struct db_stmt *rows, struct hash_key *out,
                                      struct error *err) {
    const void *bytes = NULL;
    size_t count = 0;
    TRY(db_column_blob(rows, COLUMN_PROMPT_HASH, &bytes, &count, err));
    if (count != sizeof out->bytes) {
        return err_set(err, ERR_DATA, "the hash of a prompt has %zu bytes, expected %zu", count,
                       sizeof out->bytes);
    }
    memcpy(out->bytes, bytes, count);
    return ERR_OK;
}

static enum err_code read_record(struct preference_reader *reader, struct preference_record *record,
                                 struct error *err) {
    struct db_stmt *rows = reader->rows;
    struct preference *row = &record->row;
    struct text_span path = TEXT_SPAN_NONE;
    row->kind = reader->kind;
    TRY(read_prompt_hash(rows, &record->prompt_hash, err));
    TRY(db_column_i64(rows, COLUMN_ID, &record->id, err));
    TRY(db_column_i64(rows, COLUMN_PROMPT_ID, &record->prompt_id, err));
    TRY(db_column_i64(rows, COLUMN_SOURCE_ID, &record->source_id, err));
    TRY(read_text(rows, COLUMN_SOURCE_PATH, &path, err));
    TRY(db_column_i64(rows, COLUMN_LINE, &row->line, err));
    TRY(db_column_f64(rows, COLUMN_WEIGHT, &row->weight, err));
    row->has_asked_at = !db_column_is_null(rows, COLUMN_ASKED_AT);
    if (row->has_asked_at) {
        TRY(db_column_i64(rows, COLUMN_ASKED_AT, &row->asked_at_ms, err));
    }
    TRY(read_text(rows, COLUMN_ASPECT, &row->aspect, err));
    TRY(read_text(rows, COLUMN_ANNOTATOR, &row->annotator, err));
    TRY(read_text(rows, COLUMN_POPULATION, &row->population, err));
    TRY(read_prompt(reader, record, err));
    TRY(read_own(reader, record->id, row, err));
    record->source_path = path.bytes;
    row->responses = reader->responses;
    row->response_count = reader->response_count;
    record->response_ids = reader->response_ids;
    return ERR_OK;
}

/* The next row of the present kind that the filter lets through. */
static enum err_code next_of_kind(struct preference_reader *reader, struct preference_record *out,
                                  bool *out_has_record, struct error *err) {
    for (;;) {
        bool has_row = false;
        TRY(db_stmt_step(reader->rows, &has_row, err));
        if (!has_row) {
            *out_has_record = false;
            return ERR_OK;
        }
        struct preference_record record = {.id = 0};
        enum split split = reader->filter.split;
        if (reader->filter.one_split) {
            TRY(split_read(reader->rows, COLUMN_PROMPT_KIND, &reader->filter.shares, &split, err));
        }
        if (split == reader->filter.split) {
            TRY(read_record(reader, &record, err));
            *out = record;
            *out_has_record = true;
            return ERR_OK;
        }
    }
}

enum err_code preference_reader_next(struct preference_reader *reader,
                                     struct preference_record *out_record, bool *out_has_record,
                                     struct error *err) {
    arena_reset(&reader->arena);
    reader->response_count = 0;
    for (; reader->kind < PREFERENCE_KIND_COUNT; reader->kind++) {
        if ((reader->filter.kinds >> reader->kind & 1) == 0) {
            continue;
        }
        if (!reader->rows) {
            TRY(enter_kind(reader, err));
        }
        bool has_record = false;
        TRY(next_of_kind(reader, out_record, &has_record, err));
        if (has_record) {
            *out_has_record = true;
            return ERR_OK;
        }
        leave_kind(reader);
    }
    *out_has_record = false;
    return ERR_OK;
}
