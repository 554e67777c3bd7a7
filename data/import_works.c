/* import_works.c - owners and their works: a manifest, or a folder of texts.
 *
 * Manifest:  JSON objects or a table, a row per work: `owner`, and `text`, or `path` of a file
 *            beside the manifest (an absolute path is taken as it is). May have `title` (else the
 *            name of the file), `licence` or `license`, `opt_out` (a time, or true for always),
 *            `payee`, `cluster`. Other names: --map owner=author.
 * Folder:    manifest.jsonl, .json, .csv or .tsv in it; without one, <owner>/<title>.txt or .md.
 *            Hidden files are passed over, other files with a note.
 * Text:      UTF-8, at most IMPORT_WORK_BYTES_MAX, kept byte for byte, so that its digest is the
 *            file's.
 */
#include "base/file.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/import_format.h"
#include "data/import_path.h"
#include "data/import_works_internal.h"
#include "data/table_cells.h"
#include "data/timestamp.h"

#include <inttypes.h>
#include <stdio.h>

/* Fields of a work, in the order in which they are looked for. */
enum work_field {
    WORK_OWNER,
    WORK_TITLE,
    WORK_TEXT,
    WORK_PATH,
    WORK_LICENCE,
    WORK_OPT_OUT,
    WORK_PAYEE,
    WORK_CLUSTER,
    WORK_FIELD_COUNT
};

/* Role for --map, and what it is called otherwise. */
static const struct {
    const char *role, *other;
} fields[] = {
    [WORK_OWNER] = {"owner", NULL},
    [WORK_TITLE] = {"title", NULL},
    [WORK_TEXT] = {"text", NULL},
    [WORK_PATH] = {"path", "file"},
    [WORK_LICENCE] = {"licence", "license"},
    [WORK_OPT_OUT] = {"opt_out", "opt_out_at"},
    [WORK_PAYEE] = {"payee", "payee_ref"},
    [WORK_CLUSTER] = {"cluster", NULL},
};

/* What a row says; absent where it says nothing. */
struct work_row {
    struct text_span values[WORK_FIELD_COUNT];
    bool has_opt_out;
    int64_t opt_out_at_ms;
};

/* ---- reading a text ---- */

enum err_code import_work_check_text(const struct text_span *text, struct error *err) {
    if (text->count > IMPORT_WORK_BYTES_MAX) {
        return err_set(err, ERR_DATA,
                       "a work of %zu bytes; the limit is %zu MiB: cut it into parts", text->count,
                       IMPORT_WORK_BYTES_MAX / MIB);
    }
    size_t invalid = utf8_find_invalid(text->bytes, text->count);
    if (invalid < text->count) {
        return err_set(err, ERR_DATA, "byte %zu (\\x%02x) is not UTF-8: convert the text",
                       invalid + 1, (unsigned)(unsigned char)text->bytes[invalid]);
    }
    const char *nul = text->count > 0 ? memchr(text->bytes, '\0', text->count) : NULL;
    if (nul) {
        return err_set(err, ERR_DATA, "byte %zu is NUL: this is no text",
                       (size_t)(nul - text->bytes) + 1);
    }
    return text->count > 0 ? ERR_OK : err_set(err, ERR_DATA, "the text is empty");
}

enum err_code import_work_read_file(const char *path, struct import_batch *batch,
                                    struct text_span *out_text, struct error *err) {
    int64_t size = 0;
    if (!file_exists(path)) {
        return err_set(err, ERR_DATA, "no file '%s'", path);
    }
    TRY(file_size(path, &size, err));
    if (size > (int64_t)IMPORT_WORK_BYTES_MAX) {
        return err_set(err, ERR_DATA,
                       "'%s' has %" PRId64 " bytes; the limit is %zu MiB: cut it into "
                       "parts",
                       path, size, IMPORT_WORK_BYTES_MAX / MIB);
    }
    SCOPED(mem) char *bytes = NULL;
    struct text_span text = TEXT_SPAN_NONE;
    TRY(file_read_all(path, IMPORT_WORK_BYTES_MAX, &bytes, &text.count, err));
    text.bytes = bytes;
    TRY(err_wrap(err, import_work_check_text(&text, err), "'%s'", path));
    return import_batch_text(batch, text.bytes, text.count, out_text, err);
}

/* `manifest` is its path. */
static enum err_code read_text(const struct work_row *row, const char *manifest,
                               struct import_batch *batch, struct text_span *out,
                               struct error *err) {
    const struct text_span *path = &row->values[WORK_PATH];
    if (text_span_is_set(&row->values[WORK_TEXT])) {
        *out = row->values[WORK_TEXT];
        return import_work_check_text(out, err);
    }
    SCOPED(mem) char *name = mem_strndup(path->bytes, path->count);
    SCOPED(mem) char *full = name ? import_path_beside(manifest, name) : NULL;
    if (!full) {
        return err_oom(err, "path of a work");
    }
    return import_work_read_file(full, batch, out, err);
}

/* The field that is to blame goes to `*out_field`. */
static enum err_code add_work(const struct work_row *row, const char *manifest, int64_t line,
                              struct import_batch *batch, enum work_field *out_field,
                              struct error *err) {
    bool has_text = text_span_is_set(&row->values[WORK_TEXT]);
    struct preference_work *work = NULL;
    struct text_span text = TEXT_SPAN_NONE;
    *out_field = has_text ? WORK_TEXT : WORK_PATH;
    if (has_text == text_span_is_set(&row->values[WORK_PATH])) {
        return err_set(err, ERR_DATA, "expected a text, or the path of a file%s",
                       has_text ? ", not both" : "");
    }
    TRY(read_text(row, manifest, batch, &text, err));
    *out_field = WORK_TITLE;
    if (has_text && !text_span_is_set(&row->values[WORK_TITLE])) {
        return err_set(err, ERR_DATA, "expected the title of the work");
    }
    TRY(import_batch_add_work(batch, &work, err));
    work->line = line;
    work->owner = row->values[WORK_OWNER];
    work->title = row->values[WORK_TITLE];
    work->text = text;
    work->licence = row->values[WORK_LICENCE];
    work->payee_ref = row->values[WORK_PAYEE];
    work->cluster = row->values[WORK_CLUSTER];
    work->has_opt_out = row->has_opt_out;
    work->opt_out_at_ms = row->opt_out_at_ms;
    return ERR_OK;
}

/* A work of a file is called as the file, without folder and extension. */
static enum err_code fill_title(struct work_row *row, struct import_batch *batch,
                                struct error *err) {
    const struct text_span *path = &row->values[WORK_PATH];
    if (text_span_is_set(&row->values[WORK_TITLE]) || !text_span_is_set(path)) {
        return ERR_OK;
    }
    struct text_span copy = TEXT_SPAN_NONE;
    SCOPED(mem) char *name = mem_strndup(path->bytes, path->count);
    if (!name) {
        return err_oom(err, "path of a work");
    }
    struct text_span stem = import_path_stem(name);
    TRY(import_batch_text(batch, stem.bytes, stem.count, &copy, err));
    row->values[WORK_TITLE] = copy;
    return ERR_OK;
}

/* true, a time, or nothing. False if it is none of these. */
static bool parse_opt_out(const struct text_span *text, struct work_row *row) {
    static const char *const trues[] = {"true", "TRUE", "True", "yes"};
    static const char *const falses[] = {"false", "FALSE", "False", "no"};
    for (size_t i = 0; i < sizeof trues / sizeof *trues; i++) {
        struct text_span word = text_span_of(trues[i]);
        if (text_span_equal(text, &word)) {
            row->has_opt_out = true;
            row->opt_out_at_ms = 0;
            return true;
        }
        word = text_span_of(falses[i]);
        if (text_span_equal(text, &word)) {
            return true;
        }
    }
    row->has_opt_out = timestamp_parse(text, &row->opt_out_at_ms);
    return row->has_opt_out;
}

#define OPT_OUT_EXPECTED "expected true, false or a time such as 2023-04-05 from which it is out"

/* ---- JSON ---- */

static const struct json_node *find_field(const struct import_json_row *row,
                                          enum work_field field) {
    const char *mapped = import_settings_column(row->settings, fields[field].role, NULL);
    const char *names[2] = {mapped ? mapped : fields[field].role,
                            mapped ? NULL : fields[field].other};
    for (int i = 0; i < 2; i++) {
        const struct json_node *node = names[i] ? json_find(row->doc, row->node, names[i]) : NULL;
        if (node && json_kind_of(node) != JSON_KIND_NULL) {
            return node;
        }
    }
    return NULL;
}

static bool recognise_json(const struct import_json_row *row, char out_why[IMPORT_WHY_BYTES]) {
    const struct json_node *text = find_field(row, WORK_TEXT);
    const struct json_node *path = find_field(row, WORK_PATH);
    if (!find_field(row, WORK_OWNER) || (!text && !path)) {
        return false;
    }
    (void)snprintf(out_why, IMPORT_WHY_BYTES, "the rows have an owner and a %s",
                   text ? "text" : "path");
    return true;
}

static enum err_code read_json_opt_out(const struct import_json_row *row,
                                       const struct json_node *node, struct work_row *out,
                                       struct error *err) {
    double number = 0.0;
    bool truth = false;
    const char *text = NULL;
    if (json_kind_of(node) == JSON_KIND_BOOL) {
        TRY(json_as_bool(row->doc, node, &truth, err));
        out->has_opt_out = truth;
        return ERR_OK;
    }
    if (json_kind_of(node) == JSON_KIND_NUMBER) {
        TRY(json_as_f64(row->doc, node, &number, err));
        out->has_opt_out = timestamp_of_number(number, &out->opt_out_at_ms);
        return out->has_opt_out ? ERR_OK : json_refuse(row->doc, node, err, OPT_OUT_EXPECTED);
    }
    TRY(json_as_string(row->doc, node, &text, err));
    struct text_span span = text_span_of(text);
    if (span.count > 0 && !parse_opt_out(&span, out)) {
        return json_refuse(row->doc, node, err, OPT_OUT_EXPECTED);
    }
    return ERR_OK;
}

static enum err_code read_json_fields(const struct import_json_row *row, struct work_row *out,
                                      struct error *err) {
    for (int f = 0; f < WORK_FIELD_COUNT; f++) {
        const struct json_node *node = find_field(row, (enum work_field)f);
        const char *text = NULL;
        if (!node) {
            continue;
        }
        if (f == WORK_OPT_OUT) {
            TRY(read_json_opt_out(row, node, out, err));
            continue;
        }
        TRY(json_as_string(row->doc, node, &text, err));
        if (*text || f == WORK_TEXT) {
            out->values[f] = text_span_of(text);
        }
    }
    if (!text_span_is_set(&out->values[WORK_OWNER])) {
        return json_refuse(row->doc, row->node, err, "expected an owner");
    }
    return ERR_OK;
}

static enum err_code read_json(void *state, const struct import_json_row *row,
                               struct import_batch *batch, struct error *err) {
    struct work_row work = {.has_opt_out = false};
    struct error reason = ERROR_INIT;
    enum work_field blamed = WORK_OWNER;
    (void)state;
    TRY(read_json_fields(row, &work, err));
    TRY(fill_title(&work, batch, err));
    enum err_code code = add_work(&work, row->settings->path, row->line, batch, &blamed, &reason);
    if (code == ERR_DATA) {
        const struct json_node *node = find_field(row, blamed);
        return json_refuse(row->doc, node ? node : row->node, err, "%s", reason.msg);
    }
    if (code != ERR_OK) {
        *err = reason;
    }
    return code;
}

const struct import_format import_works = {
    .name = "works",
    .title = "owners and works: JSON rows with owner, title and text or path",
    .container = IMPORT_JSON,
    .recognise_json = recognise_json,
    .read_json = read_json,
};

/* ---- tables ---- */

#define COLUMN_ABSENT (-1)

struct works_reader {
    const struct import_settings *settings; /* borrowed */
    int64_t columns[WORK_FIELD_COUNT];
    int64_t column_count;
};

static int64_t find_called(const struct import_table_row *header, const char *name) {
    struct text_span wanted = text_span_of(name);
    for (int64_t c = 0; name && c < header->cell_count; c++) {
        struct text_span cell = table_cell_trimmed(&header->cells[c]);
        if (text_span_equal(&cell, &wanted)) {
            return c;
        }
    }
    return COLUMN_ABSENT;
}

static int64_t find_column(const struct import_table_row *header, enum work_field field) {
    const char *mapped = import_settings_column(header->settings, fields[field].role, NULL);
    if (mapped) {
        return find_called(header, mapped);
    }
    int64_t column = find_called(header, fields[field].role);
    return column >= 0 ? column : find_called(header, fields[field].other);
}

static bool recognise_table(const struct import_table_row *header, char out_why[IMPORT_WHY_BYTES]) {
    bool has_text = find_column(header, WORK_TEXT) >= 0;
    if (find_column(header, WORK_OWNER) < 0 || (!has_text && find_column(header, WORK_PATH) < 0)) {
        return false;
    }
    (void)snprintf(out_why, IMPORT_WHY_BYTES, "the columns have an owner and a %s",
                   has_text ? "text" : "path");
    return true;
}

static enum err_code open_table(const struct import_settings *settings,
                                const struct import_table_row *header, void **out_state,
                                struct error *err) {
    SCOPED(mem) struct works_reader *reader = mem_array_zero(1, sizeof *reader);
    if (!reader) {
        return err_oom(err, "reader of works");
    }
    reader->settings = settings;
    reader->column_count = header->cell_count;
    for (int f = 0; f < WORK_FIELD_COUNT; f++) {
        const char *mapped = import_settings_column(settings, fields[f].role, NULL);
        reader->columns[f] = find_column(header, (enum work_field)f);
        if (mapped && reader->columns[f] < 0) {
            return err_set(err, ERR_USAGE, "%s: --map %s=%s: no column has this name",
                           header->place, fields[f].role, mapped);
        }
    }
    if (reader->columns[WORK_OWNER] < 0 ||
        (reader->columns[WORK_TEXT] < 0 && reader->columns[WORK_PATH] < 0)) {
        return err_set(err, ERR_DATA,
                       "%s:%" PRId64 ": expected a column 'owner' and a column 'text' "
                       "or 'path'; name them with --map",
                       header->place, header->line);
    }
    *out_state = MOVE(reader);
    return ERR_OK;
}

static void close_table(void *state) {
    mem_free(state);
}

static enum err_code read_table_fields(const struct works_reader *reader,
                                       const struct import_table_row *row, struct work_row *out,
                                       struct error *err) {
    for (int f = 0; f < WORK_FIELD_COUNT; f++) {
        int64_t column = reader->columns[f];
        if (column < 0) {
            continue;
        }
        struct text_span cell = row->cells[column];
        struct text_span value = f == WORK_TEXT ? cell : table_cell_trimmed(&cell);
        if (value.count == 0) {
            continue;
        }
        if (f == WORK_OPT_OUT && !parse_opt_out(&value, out)) {
            return import_cell_refuse(row, column, fields[f].role, err, OPT_OUT_EXPECTED);
        }
        out->values[f] = value;
    }
    if (!text_span_is_set(&out->values[WORK_OWNER])) {
        return import_cell_refuse(row, reader->columns[WORK_OWNER], "owner", err,
                                  "expected an owner");
    }
    return ERR_OK;
}

static enum err_code read_cells(void *state, const struct import_table_row *row,
                                struct import_batch *batch, struct error *err) {
    const struct works_reader *reader = state;
    struct work_row work = {.has_opt_out = false};
    struct error reason = ERROR_INIT;
    enum work_field blamed = WORK_OWNER;
    if (row->cell_count != reader->column_count) {
        return err_set(err, ERR_DATA, "%s:%" PRId64 ": %" PRId64 " cells; the header has %" PRId64,
                       row->place, row->line, row->cell_count, reader->column_count);
    }
    TRY(read_table_fields(reader, row, &work, err));
    TRY(fill_title(&work, batch, err));
    enum err_code code =
        add_work(&work, reader->settings->path, row->line, batch, &blamed, &reason);
    if (code == ERR_DATA) {
        int64_t column = reader->columns[blamed];
        blamed = column >= 0 ? blamed : WORK_OWNER;
        return import_cell_refuse(row, reader->columns[blamed], fields[blamed].role, err, "%s",
                                  reason.msg);
    }
    if (code != ERR_OK) {
        *err = reason;
    }
    return code;
}

const struct import_format import_works_table = {
    .name = "works-table",
    .title = "owners and works: a table with owner, title and text or path",
    .container = IMPORT_TABLE,
    .recognise_table = recognise_table,
    .read_cells = read_cells,
    .open = open_table,
    .close = close_table,
};
