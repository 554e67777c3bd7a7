/* import_arena_csv.c - Chatbot Arena's 55k battles as they are published: a CSV file.
 *
 * Columns:  as the keys of import_arena.c, which reads them: each record is made an object of
 *           texts, the three winner columns numbers; empty cells are left out.
 * Errors:   name the line of the record and the column: "train.csv:17: $.response_a: ...".
 * Threads:  one per state.
 */
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/import_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROW_BYTES_MAX ((size_t)128 * 1024 * 1024) /* escapes can double what a record holds */

struct arena_csv {
    char **keys; /* [key_count] the header's names */
    int64_t key_count;
    struct strbuf text;
    struct json *doc; /* of the last record: what its preferences borrow from */
};

static void close_state(void *state) {
    struct arena_csv *csv = state;
    if (!csv) {
        return;
    }
    for (int64_t i = 0; i < csv->key_count; i++) {
        mem_free(csv->keys[i]);
    }
    mem_free(csv->keys);
    strbuf_deinit(&csv->text);
    json_free(csv->doc);
    mem_free(csv);
}

static void arena_csv_scoped_end(struct arena_csv **csv) {
    close_state(*csv);
}

static enum err_code open_state(const struct import_settings *settings,
                                const struct import_table_row *header, void **out_state,
                                struct error *err) {
    (void)settings;
    SCOPED(arena_csv) struct arena_csv *csv = mem_array_zero(1, sizeof *csv);
    if (!csv) {
        return err_oom(err, "a reader of battles");
    }
    csv->text = (struct strbuf)STRBUF_INIT(ROW_BYTES_MAX);
    csv->keys = mem_array_zero((size_t)header->cell_count, sizeof csv->keys[0]);
    if (!csv->keys) {
        return err_oom(err, "names of columns");
    }
    for (; csv->key_count < header->cell_count; csv->key_count++) {
        const struct text_span *name = &header->cells[csv->key_count];
        csv->keys[csv->key_count] = mem_strndup(name->bytes, name->count);
        if (!csv->keys[csv->key_count]) {
            return err_oom(err, "the name of a column");
        }
    }
    *out_state = MOVE(csv);
    return ERR_OK;
}

static bool is_digit(const struct text_span *cell) {
    return cell->count == 1 && (cell->bytes[0] == '0' || cell->bytes[0] == '1');
}

static void write_record(const struct arena_csv *csv, const struct import_table_row *row,
                         struct json_writer *w) {
    json_write_object_begin(w);
    for (int64_t i = 0; i < row->cell_count; i++) {
        const struct text_span *cell = &row->cells[i];
        bool is_flag = strncmp(csv->keys[i], "winner_", 7) == 0 && is_digit(cell);
        if (cell->count == 0) {
            continue;
        }
        json_write_key(w, csv->keys[i]);
        if (is_flag) {
            json_write_i64(w, cell->bytes[0] - '0');
        } else {
            json_write_string_bytes(w, cell->bytes, cell->count);
        }
    }
    json_write_object_end(w);
}

/* The record as JSON, named by its line. */
static enum err_code parse_record(struct arena_csv *csv, const struct import_table_row *row,
                                  struct error *err) {
    char place[256];
    (void)snprintf(place, sizeof place, "%.200s:%" PRId64, row->place, row->line);
    strbuf_reset(&csv->text);
    struct json_writer w = JSON_WRITER_INIT(&csv->text, JSON_COMPACT);
    write_record(csv, row, &w);
    TRY(err_wrap(err, json_writer_finish(&w, err), "%s", place));
    struct json *doc = NULL;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    limits.bytes_max = ROW_BYTES_MAX;
    TRY(json_parse(strbuf_text(&csv->text), csv->text.length, place, &limits, &doc, err));
    json_free(csv->doc);
    csv->doc = doc;
    return ERR_OK;
}

static enum err_code read_record(void *state, const struct import_table_row *row,
                                 struct import_batch *batch, struct error *err) {
    struct arena_csv *csv = state;
    TRY(parse_record(csv, row, err));
    struct import_json_row json_row = {
        .settings = row->settings, .doc = csv->doc, .node = json_root(csv->doc), .line = row->line};
    return import_arena.read_json(NULL, &json_row, batch, err);
}

static bool has_column(const struct import_table_row *header, const char *name) {
    struct text_span wanted = text_span_of(name);
    for (int64_t i = 0; i < header->cell_count; i++) {
        if (text_span_equal(&header->cells[i], &wanted)) {
            return true;
        }
    }
    return false;
}

static bool recognise(const struct import_table_row *header, char out_why[IMPORT_WHY_BYTES]) {
    if (!has_column(header, "response_a") || !has_column(header, "response_b") ||
        !has_column(header, "winner_model_a")) {
        return false;
    }
    (void)snprintf(out_why, IMPORT_WHY_BYTES,
                   "the columns 'response_a', 'response_b' and 'winner_model_a'");
    return true;
}

const struct import_format import_arena_csv = {
    .name = "arena-csv",
    .title = "Chatbot Arena, 55k: the CSV file",
    .container = IMPORT_TABLE,
    .recognise_table = recognise,
    .read_cells = read_record,
    .open = open_state,
    .close = close_state,
};
