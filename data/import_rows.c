/* import_rows.c - see import_rows.h. */
#include "data/import_rows.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "data/json_rows.h"
#include "data/line_rows.h"
#include "data/table_rows.h"

#include <inttypes.h>

struct import_rows {
    const struct import_format *format;
    const struct import_settings *settings;
    struct input_stream *in;
    void *state; /* of the format */
    bool state_open;

    struct json_rows *json; /* one of the three, by the format's container */
    struct table_rows *table;
    struct line_rows lines;

    int64_t line;
    struct text_span text;
    bool is_row, can_go_on;
    bool finished; /* the format has said its last word */
};

static struct import_table_row row_of_record(const struct import_rows *rows,
                                             const struct table_record *record) {
    return (struct import_table_row){
        .settings = rows->settings,
        .place = input_stream_name(rows->in),
        .cells = record->cells,
        .columns = record->columns,
        .lines = record->lines,
        .cell_count = record->count,
        .line = record->line,
    };
}

/* ---- opening and closing ---- */

static enum err_code open_state(struct import_rows *rows, struct error *err) {
    const struct import_table_row *header = NULL;
    struct import_table_row header_row = {.place = NULL};
    if (rows->table) {
        header_row = row_of_record(rows, table_rows_header(rows->table));
        header = &header_row;
    }
    if (rows->format->open) {
        TRY(rows->format->open(rows->settings, header, &rows->state, err));
        rows->state_open = true;
    }
    return ERR_OK;
}

static enum err_code open_container(struct import_rows *rows, struct error *err) {
    switch (rows->format->container) {
    case IMPORT_JSON:
        return json_rows_open(rows->in, &rows->json, err);
    case IMPORT_TABLE:
        return table_rows_open(rows->in, TABLE_DELIMITER_FROM_HEADER, &rows->table, err);
    case IMPORT_LINES:
        rows->lines = (struct line_rows)LINE_ROWS_INIT(rows->in);
        return ERR_OK;
    case IMPORT_FOLDER:
        break;
    }
    return err_set(err, ERR_USAGE, "%s: the format '%s' reads a folder, and this is a file",
                   input_stream_name(rows->in), rows->format->name);
}

enum err_code import_rows_open(const struct import_format *format,
                               const struct import_settings *settings, struct input_stream *in,
                               struct import_rows **out_rows, struct error *err) {
    SCOPED(import_rows) struct import_rows *rows = mem_array_zero(1, sizeof *rows);
    if (!rows) {
        return err_oom(err, "the rows of a file");
    }
    rows->format = format;
    rows->settings = settings;
    rows->in = in;
    TRY(open_container(rows, err));
    TRY(open_state(rows, err));
    *out_rows = MOVE(rows);
    return ERR_OK;
}

void import_rows_close(struct import_rows *rows) {
    if (!rows) {
        return;
    }
    if (rows->state_open && rows->format->close) {
        rows->format->close(rows->state);
    }
    json_rows_close(rows->json);
    table_rows_close(rows->table);
    mem_free(rows);
}

/* ---- one row ---- */

static enum err_code next_json(struct import_rows *rows, struct import_batch *batch,
                               bool *out_has_row, struct error *err) {
    struct json_row row;
    enum err_code code = json_rows_next(rows->json, &row, out_has_row, err);
    const struct json_row *last = json_rows_last(rows->json);
    rows->line = last->line;
    rows->text = last->text;
    rows->can_go_on = json_rows_can_go_on(rows->json);
    if (code != ERR_OK || !*out_has_row) {
        return code;
    }
    const struct import_json_row given = {
        .settings = rows->settings,
        .doc = row.doc,
        .node = json_root(row.doc),
        .line = row.line,
    };
    return rows->format->read_json(rows->state, &given, batch, err);
}

static enum err_code next_record(struct import_rows *rows, struct import_batch *batch,
                                 bool *out_has_row, struct error *err) {
    struct table_record record;
    enum err_code code = table_rows_next(rows->table, &record, out_has_row, err);
    const struct table_record *last = table_rows_last(rows->table);
    rows->line = last->line;
    rows->text = last->text;
    rows->can_go_on = table_rows_can_go_on(rows->table);
    if (code != ERR_OK || !*out_has_row) {
        return code;
    }
    const struct import_table_row given = row_of_record(rows, &record);
    return rows->format->read_cells(rows->state, &given, batch, err);
}

static enum err_code next_line(struct import_rows *rows, struct import_batch *batch,
                               bool *out_has_row, struct error *err) {
    struct line_row line = {.number = 0};
    enum err_code code = line_rows_next(&rows->lines, &line, out_has_row, err);
    rows->line = rows->lines.number;
    rows->text = line.text;
    rows->can_go_on = code == ERR_OK || rows->lines.was_long;
    if (code != ERR_OK || !*out_has_row) {
        return code;
    }
    return rows->format->read_line(rows->state, line.number, &line.text, batch, err);
}

static enum err_code next_of_container(struct import_rows *rows, struct import_batch *batch,
                                       bool *out_has_row, struct error *err) {
    if (rows->json) {
        return next_json(rows, batch, out_has_row, err);
    }
    return rows->table ? next_record(rows, batch, out_has_row, err)
                       : next_line(rows, batch, out_has_row, err);
}

/* Behind the last row. */
static enum err_code finish(struct import_rows *rows, struct import_batch *batch, bool *out_has_row,
                            struct error *err) {
    rows->is_row = false;
    rows->can_go_on = true; /* whatever is wrong there: nothing comes behind it */
    rows->text = (struct text_span)TEXT_SPAN_NONE;
    *out_has_row = false;
    if (rows->finished || !rows->format->finish) {
        return ERR_OK;
    }
    rows->finished = true;
    TRY(rows->format->finish(rows->state, batch, err));
    *out_has_row = batch->row_count > 0 || batch->work_count > 0;
    return ERR_OK;
}

/* A format need not say where a judgement was. */
static void set_lines(const struct import_rows *rows, struct import_batch *batch) {
    for (int64_t i = 0; i < batch->row_count; i++) {
        batch->rows[i]->line = batch->rows[i]->line > 0 ? batch->rows[i]->line : rows->line;
    }
    for (int64_t i = 0; i < batch->work_count; i++) {
        batch->works[i]->line = batch->works[i]->line > 0 ? batch->works[i]->line : rows->line;
    }
}

enum err_code import_rows_next(struct import_rows *rows, struct import_batch *batch,
                               bool *out_has_row, struct error *err) {
    import_batch_reset(batch);
    bool has_row = false;
    rows->is_row = true;
    enum err_code code = rows->finished ? ERR_OK : next_of_container(rows, batch, &has_row, err);
    if (code == ERR_OK && !has_row) {
        code = finish(rows, batch, &has_row, err);
    }
    if (code != ERR_OK) {
        return import_rows_place(rows, code, err);
    }
    set_lines(rows, batch);
    *out_has_row = has_row;
    return ERR_OK;
}

bool import_rows_is_row(const struct import_rows *rows) {
    return rows->is_row;
}

bool import_rows_can_go_on(const struct import_rows *rows) {
    return rows->can_go_on;
}

int64_t import_rows_line(const struct import_rows *rows) {
    return rows->line;
}

struct text_span import_rows_text(const struct import_rows *rows) {
    return rows->text;
}

void import_rows_note(const struct import_rows *rows, struct strbuf *notes) {
    if (rows->format->note) {
        rows->format->note(rows->state, notes);
    }
}

enum err_code import_rows_place(const struct import_rows *rows, enum err_code code,
                                struct error *err) {
    if (code != ERR_DATA && code != ERR_LIMIT) {
        return code;
    }
    err->code = ERR_DATA; /* the limit of a row is its own fault, and the next may keep it */
    const char *name = input_stream_name(rows->in);
    size_t length = strlen(name);
    bool has_place = strncmp(err->msg, name, length) == 0 && err->msg[length] == ':';
    if (has_place) {
        return ERR_DATA;
    }
    return rows->is_row ? err_wrap(err, ERR_DATA, "%s:%" PRId64, name, rows->line)
                        : err_wrap(err, ERR_DATA, "%s", name);
}
