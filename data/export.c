/* export.c - see export.h. */
#include "data/export.h"

#include "base/json_writer.h"
#include "base/scoped.h"
#include "data/export_internal.h"

bool export_is_pair(const struct preference *row) {
    if (row->kind != PREFERENCE_COMPARISON || row->response_count != 2 || row->last_unordered ||
        row->prompt.kind == PROMPT_ITEMS) {
        return false;
    }
    bool texts = row->responses[0].message_count == 0 && row->responses[1].message_count == 0;
    int64_t first = row->responses[0].rank;
    int64_t second = row->responses[1].rank;
    return ((first == 1 && second == 2) || (first == 2 && second == 1)) &&
           (texts || row->prompt.kind == PROMPT_CHAT);
}

/* ---- judgements ---- */

static enum err_code write_buffer(const struct export_sink *sink, const struct strbuf *text,
                                  struct error *err) {
    TRY(strbuf_check(text, "a row of the export", err));
    return text->length > 0 ? sink->write(sink->context, strbuf_text(text), text->length, err)
                            : ERR_OK;
}

static enum err_code write_record(const struct export_options *options,
                                  const struct export_table *table,
                                  const struct preference_record *record, struct strbuf *out,
                                  struct error *err) {
    strbuf_reset(out);
    return options->layout == EXPORT_CSV ? export_csv_row(table, record, out, err)
                                         : export_json_row(&record->row, out, err);
}

static enum err_code write_records(struct preference_reader *reader,
                                   const struct export_options *options,
                                   const struct export_table *table, const struct export_sink *sink,
                                   struct export_summary *summary, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(EXPORT_ROW_BYTES_MAX);
    if (options->layout == EXPORT_CSV) {
        export_csv_header(table, &text);
        TRY(write_buffer(sink, &text, err));
    }
    for (;;) {
        struct preference_record record;
        bool has_record = false;
        TRY(preference_reader_next(reader, &record, &has_record, err));
        if (!has_record) {
            return ERR_OK;
        }
        if (options->pairs_only && !export_is_pair(&record.row)) {
            summary->left_out++;
            continue;
        }
        TRY(write_record(options, table, &record, &text, err));
        TRY(write_buffer(sink, &text, err));
        summary->rows++;
    }
}

static enum err_code export_in_transaction(struct db *db, const struct export_options *options,
                                           const struct export_sink *sink,
                                           struct export_summary *summary, struct error *err) {
    struct export_table table = {.kind = PREFERENCE_COMPARISON};
    if (options->layout == EXPORT_CSV) {
        TRY(export_table_choose(db, options, &table, err));
    }
    SCOPED(preference_reader) struct preference_reader *reader = NULL;
    TRY(preference_reader_open(db, &options->filter, &reader, err));
    return write_records(reader, options, &table, sink, summary, err);
}

enum err_code export_log(struct db *db, const struct export_options *options,
                         const struct export_sink *sink, struct export_summary *out_summary,
                         struct error *err) {
    struct export_options chosen = *options;
    if (chosen.pairs_only) {
        chosen.filter.kinds = UINT32_C(1) << PREFERENCE_COMPARISON;
    }
    struct export_summary summary = {.rows = 0};
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT; /* one view, though somebody may be writing */
    TRY(db_tx_open(db, &tx, err));
    TRY(export_in_transaction(db, &chosen, sink, &summary, err));
    TRY(db_tx_commit(&tx, err));
    *out_summary = summary;
    return ERR_OK;
}

/* ---- works ---- */

enum work_column {
    WORK_OWNER,
    WORK_PAYEE,
    WORK_CLUSTER,
    WORK_TITLE,
    WORK_LICENCE,
    WORK_TEXT,
    WORK_TEXTS,
    WORK_OPT_OUT = WORK_TEXTS
};

/* Named as the importer `works` names them; "text" stands last in both layouts. */
static const char *const work_keys[] = {
    [WORK_OWNER] = "owner", [WORK_PAYEE] = "payee_ref", [WORK_CLUSTER] = "cluster",
    [WORK_TITLE] = "title", [WORK_LICENCE] = "licence", [WORK_TEXT] = "text",
};

static const char works_sql[] =
    "SELECT o.name, o.payee_ref, o.cluster, w.title, w.licence, t.content, w.opt_out_at"
    " FROM work w CROSS JOIN owner o ON o.id = w.owner_id CROSS JOIN work_text t ON t.work_id = "
    "w.id"
    " ORDER BY w.id";

struct work_row {
    struct text_span texts[WORK_TEXTS];
    struct text_span opt_out; /* absent, or in `opt_out_text` */
    char opt_out_text[EXPORT_TIME_BYTES];
};

static enum err_code read_work(struct db_stmt *works, struct work_row *out, struct error *err) {
    for (int column = 0; column < WORK_TEXTS; column++) {
        out->texts[column] = (struct text_span)TEXT_SPAN_NONE;
        if (!db_column_is_null(works, column)) {
            TRY(db_column_text(works, column, &out->texts[column].bytes, &out->texts[column].count,
                               err));
        }
    }
    out->opt_out = (struct text_span)TEXT_SPAN_NONE;
    if (!db_column_is_null(works, WORK_OPT_OUT)) {
        int64_t ms = 0;
        TRY(db_column_i64(works, WORK_OPT_OUT, &ms, err));
        out->opt_out = text_span_of(export_time_text(ms, out->opt_out_text));
    }
    return ERR_OK;
}

static enum err_code work_json(const struct work_row *work, struct strbuf *out, struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_COMPACT);
    json_write_object_begin(&w);
    for (int i = 0; i < WORK_TEXT; i++) {
        export_put_text(&w, work_keys[i], &work->texts[i]);
    }
    export_put_text(&w, "opt_out_at", &work->opt_out);
    export_put_text(&w, work_keys[WORK_TEXT], &work->texts[WORK_TEXT]);
    json_write_object_end(&w);
    TRY(json_writer_finish(&w, err));
    strbuf_add_char(out, '\n');
    return ERR_OK;
}

static void work_csv(const struct work_row *work, struct strbuf *out) {
    for (int i = 0; i < WORK_TEXT; i++) {
        export_csv_text(out, &work->texts[i], ',');
    }
    export_csv_text(out, &work->opt_out, ',');
    export_csv_text(out, &work->texts[WORK_TEXT], '\n');
}

enum err_code export_works(struct db *db, const struct export_options *options,
                           const struct export_sink *sink, struct export_summary *out_summary,
                           struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(EXPORT_ROW_BYTES_MAX);
    SCOPED(db_stmt) struct db_stmt *works = NULL;
    struct export_summary summary = {.rows = 0};
    TRY(db_stmt_open(db, works_sql, &works, err));
    if (options->layout == EXPORT_CSV) {
        strbuf_add(&text, "owner,payee_ref,cluster,title,licence,opt_out_at,text\n");
        TRY(write_buffer(sink, &text, err));
    }
    for (;;) {
        bool has_row = false;
        TRY(db_stmt_step(works, &has_row, err));
        if (!has_row) {
            break;
        }
        struct work_row work;
        TRY(read_work(works, &work, err));
        strbuf_reset(&text);
        if (options->layout == EXPORT_CSV) {
            work_csv(&work, &text);
        } else {
            TRY(work_json(&work, &text, err));
        }
        TRY(write_buffer(sink, &text, err));
        summary.rows++;
    }
    *out_summary = summary;
    return ERR_OK;
}
