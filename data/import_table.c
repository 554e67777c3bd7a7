/* import_table.c - CSV and TSV: comparisons, rankings, ratings and votes in columns.
 *
 * Roles, their names and the layouts they make up are in table_layout.c; import_table_pairs.c reads
 * pairs, import_table_lists.c rankings and ratings; this file what all rows have, and the face.
 *
 * Texts:    without a column for the prompt, --prompt is the prompt of every row; without that, the
 *           topic is (its column, --topic or the name of the file): what a debate's arguments have
 *           in common. Responses a and b are taken to have been shown in this order.
 * Items:    are items of one set: the column `set`, --name, or the name of the file. Spaces around
 *           their names do not count. Home and away are positions 1 and 2 but on neutral ground.
 * Itself:   a judgement between an item and itself is refused. Counts (wins, or ordered pairs with
 *           a weight) of an item against itself are the diagonal of a matrix, such as journals
 *           that cite themselves: left out, with a note. Equal texts are kept, for `accord check`.
 * Scores:   their difference is the margin. A match without any score is left out, with a note.
 * Codes:    0 is a tie beside 1 and 2. A column that holds 0 and never 2 is refused at the end: it
 *           may mean the first by 0.
 */
#include "data/import_table_internal.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/import_path.h"
#include "data/table_cells.h"

#include <inttypes.h>
#include <stdio.h>

#define TAKEN_BYTES_MAX (64 * KIB)

/* ---- what a row says beside its subjects ---- */

/* The cell of an optional role, trimmed; absent where there is no column or the cell is empty. */
struct text_span table_optional_text(const struct table_reader *reader,
                                     const struct import_table_row *row, enum table_role role) {
    int64_t column = reader->mapping.columns[role];
    if (column < 0) {
        return (struct text_span)TEXT_SPAN_NONE;
    }
    struct text_span text = table_cell_trimmed(&row->cells[column]);
    return text.count > 0 ? text : (struct text_span)TEXT_SPAN_NONE;
}

const char *table_name_of(const struct table_reader *reader, enum table_role role) {
    return reader->names[reader->mapping.columns[role]];
}

static struct text_span first_set(const struct text_span *one, const char *two) {
    return text_span_is_set(one) ? *one : text_span_of(two);
}

static enum err_code read_prompt_cell(const struct table_reader *reader,
                                      const struct import_table_row *row, struct text_span *out,
                                      struct error *err) {
    int64_t column = reader->mapping.columns[TABLE_PROMPT];
    *out = row->cells[column];
    if (!reader->mapping.prompt_by_id) {
        return ERR_OK;
    }
    struct table_subject prompt;
    TRY(table_read_subject(reader, row, column, &prompt, err));
    *out = prompt.text;
    return ERR_OK;
}

static enum err_code read_prompt(const struct table_reader *reader,
                                 const struct import_table_row *row, const struct text_span *topic,
                                 struct preference_prompt *out, struct error *err) {
    const struct import_settings *settings = reader->settings;
    out->topic = table_optional_text(reader, row, TABLE_TOPIC);
    out->topic = text_span_is_set(&out->topic) ? out->topic : *topic;
    out->topic = first_set(&out->topic, settings->topic);
    out->kind = PROMPT_TEXT;
    if (reader->mapping.columns[TABLE_PROMPT] >= 0) {
        return read_prompt_cell(reader, row, &out->text, err);
    }
    if (!settings->prompt && !text_span_is_set(&out->topic)) {
        out->topic = reader->stem;
    }
    out->text = settings->prompt ? text_span_of(settings->prompt) : out->topic;
    return ERR_OK;
}

static enum err_code read_set(const struct table_reader *reader, const struct import_table_row *row,
                              struct preference_prompt *out, struct error *err) {
    const struct import_settings *settings = reader->settings;
    int64_t column = reader->mapping.columns[TABLE_SET];
    out->kind = PROMPT_ITEMS;
    out->topic = text_span_of(settings->topic);
    if (column < 0) {
        out->text = settings->name ? text_span_of(settings->name) : reader->stem;
        return ERR_OK;
    }
    out->text = table_cell_trimmed(&row->cells[column]);
    if (out->text.count == 0) {
        return import_cell_refuse(row, column, reader->names[column], err,
                                  "expected the name of a set of items");
    }
    return ERR_OK;
}

static enum err_code read_numbers(const struct table_reader *reader,
                                  const struct import_table_row *row, struct preference *out,
                                  struct error *err) {
    const int64_t *columns = reader->mapping.columns;
    bool is_empty = false;
    out->weight = 1.0;
    if (columns[TABLE_WEIGHT] >= 0) {
        TRY(table_cell_count(row, columns[TABLE_WEIGHT], table_name_of(reader, TABLE_WEIGHT),
                             &out->weight, err));
    }
    if (columns[TABLE_MARGIN] >= 0) {
        TRY(table_cell_number(row, columns[TABLE_MARGIN], table_name_of(reader, TABLE_MARGIN),
                              &out->margin, &is_empty, err));
        out->has_margin = !is_empty;
    }
    if (columns[TABLE_TIME] >= 0) {
        TRY(table_cell_time(row, columns[TABLE_TIME], table_name_of(reader, TABLE_TIME),
                            &out->asked_at_ms, &is_empty, err));
        out->has_asked_at = !is_empty;
    }
    return ERR_OK;
}

enum err_code table_read_rest(const struct table_reader *reader, const struct import_table_row *row,
                              const struct text_span *topic, struct preference *out,
                              struct error *err) {
    *out = (struct preference){.kind = PREFERENCE_COMPARISON, .line = row->line};
    out->annotator = table_optional_text(reader, row, TABLE_ANNOTATOR);
    out->population = table_optional_text(reader, row, TABLE_POPULATION);
    out->aspect = table_optional_text(reader, row, TABLE_ASPECT);
    if (text_span_is_set(&out->population) && !text_span_is_set(&out->annotator)) {
        int64_t column = reader->mapping.columns[TABLE_ANNOTATOR];
        char excerpt[UTF8_EXCERPT_BYTES];
        return import_cell_refuse(
            row, column, reader->names[column], err, "expected who belongs to %s '%s'",
            table_name_of(reader, TABLE_POPULATION),
            utf8_excerpt(out->population.bytes, out->population.count, excerpt));
    }
    TRY(read_numbers(reader, row, out, err));
    if (reader->mapping.layout->texts) {
        return read_prompt(reader, row, topic, &out->prompt, err);
    }
    return read_set(reader, row, &out->prompt, err);
}

/* ---- subjects ---- */

enum err_code table_read_subject(const struct table_reader *reader,
                                 const struct import_table_row *row, int64_t column,
                                 struct table_subject *out, struct error *err) {
    bool is_text = reader->mapping.layout->texts;
    *out = (struct table_subject){.cell = table_cell_trimmed(&row->cells[column])};
    if (reader->texts) {
        const struct import_text *text = import_texts_find(reader->texts, &out->cell);
        if (!text) {
            return import_cell_refuse(row, column, reader->names[column], err, "no such id in '%s'",
                                      reader->settings->texts);
        }
        out->text = text->text;
        out->origin = text->origin;
        out->topic = text->topic;
        return ERR_OK;
    }
    out->text = is_text ? row->cells[column] : out->cell;
    if (!is_text && out->text.count == 0) {
        return import_cell_refuse(row, column, reader->names[column], err,
                                  "expected the name of an item");
    }
    return ERR_OK;
}

enum err_code table_add(struct import_batch *batch, const struct preference *like,
                        int64_t response_count, struct preference **out_row,
                        struct preference_response **out_responses, struct error *err) {
    struct preference *row = NULL;
    struct preference_response *responses = NULL;
    TRY(import_batch_add(batch, like->kind, response_count, &row, &responses, err));
    *row = *like;
    row->responses = responses;
    row->response_count = response_count;
    *out_row = row;
    *out_responses = responses;
    return ERR_OK;
}

/* ---- the face ---- */

static enum err_code read_cells(void *state, const struct import_table_row *row,
                                struct import_batch *batch, struct error *err) {
    struct table_reader *reader = state;
    if (row->cell_count != reader->column_count) {
        return err_set(err, ERR_DATA, "%s:%" PRId64 ": %" PRId64 " cells; the header has %" PRId64,
                       row->place, row->line, row->cell_count, reader->column_count);
    }
    switch (reader->mapping.layout->reading) {
    case TABLE_READ_ORDERED:
    case TABLE_READ_WINNER:
    case TABLE_READ_SCORES:
    case TABLE_READ_WINS:
    case TABLE_READ_VOTES:
        return table_read_pair(reader, row, batch, err);
    case TABLE_READ_RANKING_WIDE:
        return table_read_ranking_wide(reader, row, batch, err);
    case TABLE_READ_RANKING_LONG:
        return table_read_ranking_long(reader, row, batch, err);
    case TABLE_READ_LABEL:
    case TABLE_READ_RATING:
        return table_read_alone(reader, row, batch, err);
    case TABLE_READ_RATINGS:
        return table_read_ratings(reader, row, batch, err);
    }
    return err_set(err, ERR_INTERNAL, "table of an unknown layout");
}

static bool recognise(const struct import_table_row *header, char out_why[IMPORT_WHY_BYTES]) {
    struct table_mapping mapping;
    if (!table_mapping_recognise(header, &mapping)) {
        return false;
    }
    (void)snprintf(out_why, IMPORT_WHY_BYTES, "the columns are %s", mapping.layout->title);
    return true;
}

static void close_reader(void *state) {
    struct table_reader *reader = state;
    if (reader) {
        table_close_groups(reader);
        table_mapping_close(&reader->mapping);
        import_texts_close(reader->texts);
        arena_deinit(&reader->arena);
        strbuf_deinit(&reader->taken);
        strbuf_deinit(&reader->unused);
        mem_free(reader->names);
        mem_free(reader);
    }
}

static inline void table_reader_scoped_end(struct table_reader **reader) {
    close_reader(*reader);
}

static enum err_code copy_names(struct table_reader *reader, const struct import_table_row *header,
                                struct error *err) {
    reader->column_count = header->cell_count;
    reader->names = mem_array_zero((size_t)header->cell_count + 1, sizeof *reader->names);
    if (!reader->names) {
        return err_oom(err, "names of columns");
    }
    for (int64_t c = 0; c < header->cell_count; c++) {
        reader->names[c] =
            arena_strndup(&reader->arena, header->cells[c].bytes, header->cells[c].count);
        if (!reader->names[c]) {
            return err_oom(err, "names of columns");
        }
    }
    return ERR_OK;
}

/* A column of ratings is named after an item or an annotator. */
static enum err_code check_names(const struct table_reader *reader,
                                 const struct import_table_row *header, struct error *err) {
    const struct table_mapping *mapping = &reader->mapping;
    bool needs_names = mapping->layout->reading == TABLE_READ_RATINGS;
    for (int64_t i = 0; needs_names && i < mapping->many_count; i++) {
        if (table_cell_trimmed(&header->cells[mapping->many[i]]).count == 0) {
            return err_set(err, ERR_DATA,
                           "%s: column %" PRId64
                           " of the header has ratings and no name: whose they are is not known",
                           header->place, mapping->many[i] + 1);
        }
    }
    return ERR_OK;
}

static enum err_code open_texts(struct table_reader *reader, struct error *err) {
    if (!reader->settings->texts) {
        return ERR_OK;
    }
    TRY(import_texts_open(reader->settings->texts, &reader->texts, err));
    return reader->mapping.layout->texts ? ERR_OK : import_texts_check_distinct(reader->texts, err);
}

static enum err_code open_reader(const struct import_settings *settings,
                                 const struct import_table_row *header, void **out_state,
                                 struct error *err) {
    SCOPED(table_reader) struct table_reader *reader = mem_array_zero(1, sizeof *reader);
    if (!reader) {
        return err_oom(err, "table reader");
    }
    reader->settings = settings;
    reader->arena = (struct arena)ARENA_INIT(IMPORT_BATCH_BYTES_MAX);
    reader->taken = (struct strbuf)STRBUF_INIT(TAKEN_BYTES_MAX);
    reader->unused = (struct strbuf)STRBUF_INIT(TAKEN_BYTES_MAX);
    reader->stem = import_path_stem(settings->path);
    for (int i = 0; i < 2; i++) {
        reader->groups[i].arena = (struct arena)ARENA_INIT(IMPORT_BATCH_BYTES_MAX);
    }
    TRY(table_mapping_open(header, &reader->mapping, err));
    TRY(copy_names(reader, header, err));
    TRY(check_names(reader, header, err));
    TRY(open_texts(reader, err));
    table_mapping_describe(&reader->mapping, header, &reader->taken);
    table_mapping_describe_unused(&reader->mapping, header, &reader->unused);
    TRY(strbuf_check(&reader->taken, "list of columns", err));
    TRY(strbuf_check(&reader->unused, "list of columns", err));
    *out_state = MOVE(reader);
    return ERR_OK;
}

/* What only the whole column tells. */
static enum err_code check_codes(const struct table_reader *reader, struct error *err) {
    const struct table_counts *counts = &reader->counts;
    const char *path = reader->settings->path;
    if (counts->zeros > 0 && counts->twos == 0) {
        int64_t column = reader->mapping.columns[TABLE_WINNER];
        column = column >= 0 ? column : reader->mapping.columns[TABLE_VOTES];
        return err_set(err, ERR_DATA,
                       "%s: %s is 0 in %" PRId64 " places and never 2: if 0 and 1 "
                       "are the first and the second, say --map winner_index=%s; if 0 is a tie, "
                       "write 'tie'",
                       path, reader->names[column], counts->zeros, reader->names[column]);
    }
    if (counts->zeros_at_end > 0 && counts->zeros_inside > 0) {
        return err_set(err, ERR_DATA,
                       "%s: 0 stands at the end of %" PRId64 " rankings and before "
                       "other items in %" PRId64 ": if 0 is an item, leave cells without one "
                       "empty and give it another name",
                       path, counts->zeros_at_end, counts->zeros_inside);
    }
    return ERR_OK;
}

static enum err_code finish(void *state, struct import_batch *batch, struct error *err) {
    struct table_reader *reader = state;
    TRY(check_codes(reader, err));
    return table_finish_groups(reader, batch, err);
}

static void add_count(struct strbuf *notes, int64_t count, const char *what) {
    if (count > 0) {
        strbuf_addf(notes, "%" PRId64 " %s left out\n", count, what);
    }
}

static void note(const void *state, struct strbuf *notes) {
    const struct table_reader *reader = state;
    const struct table_counts *counts = &reader->counts;
    strbuf_addf(notes, "read as %s: %s\n", reader->mapping.layout->title,
                strbuf_text(&reader->taken));
    if (reader->unused.length > 0) {
        strbuf_addf(notes, "columns not used: %s\n", strbuf_text(&reader->unused));
    }
    if (reader->mapping.layout->texts && reader->mapping.columns[TABLE_PROMPT] < 0 &&
        !reader->settings->prompt) {
        strbuf_add(notes, "no column for the prompt: the topic stands for it; --prompt TEXT sets "
                          "another\n");
    }
    add_count(notes, counts->with_itself, "counts of an item against itself");
    add_count(notes, counts->unplayed, "rows without scores");
    add_count(notes, counts->weightless, "rows of weight 0");
    add_count(notes, counts->short_lists, "rankings of fewer than two");
    add_count(notes, counts->unrated, "rows without a rating or vote");
}

const struct import_format import_table = {
    .name = "table",
    .title = "CSV or TSV: comparisons, rankings, ratings or votes in columns (--map)",
    .container = IMPORT_TABLE,
    .recognise_table = recognise,
    .read_cells = read_cells,
    .open = open_reader,
    .close = close_reader,
    .finish = finish,
    .note = note,
};
