/* import_polis.c - conversations exported from Polis (compdemocracy.org/polis): every participant's
 * votes on every statement.
 *
 * Files:     participants-votes.csv: participant, group-id, n-..., then a column per statement,
 *            whose name is its id; 1 agree, 0 pass, -1 disagree, empty: not voted on. Beside it
 *            comments.csv (comment-id, author-id, comment-body) and, if there, summary.csv, whose
 *            line 'topic' is the question.
 * Becomes:   a rating on the scale -1 to 1 per vote. Prompt: the question (--prompt, or the
 *            conversation's name where summary.csv is missing). Response: the statement; its origin
 *            is its author. Statements that moderators hid are kept, as their votes were given.
 * Names:     participants and groups are numbered anew in each conversation, so they are called
 *            "<conversation>/p<n>" and "<conversation>/group-<n>"; the conversation is --name, else
 *            the folder, else the question. A participant without a group has no population.
 * Time:      comments.csv has the time of a statement, not of the votes on it: not kept.
 * Left out:  votes on statements that comments.csv lacks, with a note.
 * Notes:     participants whose n-votes differs from the votes that are there.
 */
#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/import_format.h"
#include "data/import_path.h"
#include "data/import_texts.h"
#include "data/input_stream.h"
#include "data/table_cells.h"
#include "data/table_rows.h"

#include <inttypes.h>
#include <stdio.h>

#define COLUMN_ABSENT     (-1)
#define COLUMN_NAME_BYTES 40
#define NAME_BYTES_MAX    (64 * KIB)

struct polis_column {
    bool is_vote;
    const struct import_text *comment; /* NULL: comments.csv lacks it */
    char name[COLUMN_NAME_BYTES];      /* for messages: "comment 12" */
};

struct polis_reader {
    const struct import_settings *settings; /* borrowed */
    struct import_texts *comments;
    struct polis_column *columns; /* [column_count] */
    int64_t column_count;
    int64_t participant, group, votes; /* columns; the last two may be absent */
    char *topic;                       /* owned; NULL: none */
    struct text_span conversation;     /* borrowed from settings or topic */
    int64_t lost_votes, lost_comments, miscounted;
};

static bool is_called(const struct text_span *cell, const char *name) {
    return cell->count == strlen(name) && memcmp(cell->bytes, name, cell->count) == 0;
}

static int64_t find_column(const struct import_table_row *header, const char *name) {
    for (int64_t c = 0; c < header->cell_count; c++) {
        if (is_called(&header->cells[c], name)) {
            return c;
        }
    }
    return COLUMN_ABSENT;
}

/* Whether a column is a statement: its name is a number. */
static bool is_vote_column(const struct text_span *cell) {
    for (size_t i = 0; i < cell->count; i++) {
        if (cell->bytes[i] < '0' || cell->bytes[i] > '9') {
            return false;
        }
    }
    return cell->count > 0 && cell->count < 20;
}

static bool recognise(const struct import_table_row *header, char out_why[IMPORT_WHY_BYTES]) {
    if (find_column(header, "participant") < 0 || find_column(header, "group-id") < 0) {
        return false;
    }
    for (int64_t c = 0; c < header->cell_count; c++) {
        if (is_vote_column(&header->cells[c])) {
            (void)snprintf(out_why, IMPORT_WHY_BYTES,
                           "the columns are participant, group-id and numbered statements");
            return true;
        }
    }
    return false;
}

/* ---- files beside ---- */

/* The value of the line 'topic', of which summary.csv has one; NULL if there is none. */
static enum err_code find_topic(struct table_rows *rows, char **out_topic, struct error *err) {
    struct table_record record = *table_rows_header(rows);
    bool has_record = true;
    while (has_record) {
        if (record.count >= 2 && is_called(&record.cells[0], "topic")) {
            *out_topic = mem_strndup(record.cells[1].bytes, record.cells[1].count);
            return *out_topic ? ERR_OK : err_oom(err, "topic of a conversation");
        }
        TRY(table_rows_next(rows, &record, &has_record, err));
    }
    return ERR_OK;
}

static enum err_code read_summary(struct polis_reader *reader, struct error *err) {
    SCOPED(mem) char *path = import_path_beside(reader->settings->path, "summary.csv");
    if (!path) {
        return err_oom(err, "path of summary.csv");
    }
    if (!file_exists(path)) {
        return ERR_OK;
    }
    SCOPED(input_stream) struct input_stream *in = NULL;
    TRY(input_stream_open(path, &in, err));
    SCOPED(table_rows) struct table_rows *rows = NULL;
    TRY(table_rows_open(in, ',', &rows, err));
    return find_topic(rows, &reader->topic, err);
}

static enum err_code read_comments(struct polis_reader *reader, struct error *err) {
    static const char *const ids[] = {"comment-id", NULL};
    static const char *const bodies[] = {"comment-body", NULL};
    static const char *const authors[] = {"author-id", NULL};
    static const char *const none[] = {NULL};
    static const struct import_text_names names = {
        .id = ids, .text = bodies, .origin = authors, .topic = none};
    const char *given = reader->settings->texts;
    SCOPED(mem) char *beside = import_path_beside(reader->settings->path, "comments.csv");
    if (!beside) {
        return err_oom(err, "path of comments.csv");
    }
    if (!given && !file_exists(beside)) {
        return err_set(err, ERR_DATA,
                       "%s: the statements are missing: put comments.csv of the same "
                       "export beside it, or name it with --texts FILE",
                       reader->settings->path);
    }
    return import_texts_open_named(given ? given : beside, &names, &reader->comments, err);
}

/* ---- opening ---- */

static enum err_code name_conversation(struct polis_reader *reader, struct error *err) {
    const struct import_settings *settings = reader->settings;
    reader->conversation = import_path_folder_name(settings->path);
    if (settings->name) {
        reader->conversation = text_span_of(settings->name);
    } else if (!text_span_is_set(&reader->conversation)) {
        reader->conversation = text_span_of(reader->topic);
    }
    if (reader->conversation.count == 0) {
        return err_set(err, ERR_DATA,
                       "%s: participants of different conversations have the same "
                       "numbers: name this one with --name NAME",
                       settings->path);
    }
    return ERR_OK;
}

static enum err_code open_columns(struct polis_reader *reader,
                                  const struct import_table_row *header, struct error *err) {
    reader->participant = find_column(header, "participant");
    reader->group = find_column(header, "group-id");
    reader->votes = find_column(header, "n-votes");
    if (reader->participant < 0) {
        return err_set(err, ERR_DATA, "%s:%" PRId64 ": expected a column 'participant'",
                       header->place, header->line);
    }
    reader->columns = mem_array_zero((size_t)header->cell_count + 1, sizeof *reader->columns);
    if (!reader->columns) {
        return err_oom(err, "statements of a conversation");
    }
    reader->column_count = header->cell_count;
    for (int64_t c = 0; c < header->cell_count; c++) {
        struct polis_column *column = &reader->columns[c];
        column->is_vote = is_vote_column(&header->cells[c]);
        if (column->is_vote) {
            column->comment = import_texts_find(reader->comments, &header->cells[c]);
            reader->lost_comments += !column->comment;
            (void)snprintf(column->name, sizeof column->name, "comment %.*s",
                           (int)header->cells[c].count, header->cells[c].bytes);
        }
    }
    return ERR_OK;
}

static void close_reader(void *state) {
    struct polis_reader *reader = state;
    if (reader) {
        import_texts_close(reader->comments);
        mem_free(reader->columns);
        mem_free(reader->topic);
        mem_free(reader);
    }
}

static inline void polis_reader_scoped_end(struct polis_reader **reader) {
    close_reader(*reader);
}

static enum err_code open_reader(const struct import_settings *settings,
                                 const struct import_table_row *header, void **out_state,
                                 struct error *err) {
    SCOPED(polis_reader) struct polis_reader *reader = mem_array_zero(1, sizeof *reader);
    if (!reader) {
        return err_oom(err, "reader of a conversation");
    }
    reader->settings = settings;
    TRY(read_summary(reader, err));
    TRY(read_comments(reader, err));
    TRY(name_conversation(reader, err));
    TRY(open_columns(reader, header, err));
    *out_state = MOVE(reader);
    return ERR_OK;
}

/* ---- rows ---- */

/* "<conversation>/<prefix><cell>", in the batch; absent for an empty cell. */
static enum err_code make_name(const struct polis_reader *reader, const char *prefix,
                               const struct text_span *cell, struct import_batch *batch,
                               struct text_span *out, struct error *err) {
    *out = (struct text_span)TEXT_SPAN_NONE;
    if (cell->count == 0) {
        return ERR_OK;
    }
    SCOPED(strbuf) struct strbuf name = STRBUF_INIT(NAME_BYTES_MAX);
    strbuf_add_bytes(&name, reader->conversation.bytes, reader->conversation.count);
    strbuf_addf(&name, "/%s", prefix);
    strbuf_add_bytes(&name, cell->bytes, cell->count);
    TRY(strbuf_check(&name, "name of a participant", err));
    return import_batch_text(batch, name.bytes, name.length, out, err);
}

static void fill_prompt(const struct polis_reader *reader, struct preference_prompt *out) {
    const struct import_settings *settings = reader->settings;
    struct text_span question = text_span_of(reader->topic);
    question = question.count > 0 ? question : reader->conversation;
    out->kind = PROMPT_TEXT;
    out->text = settings->prompt ? text_span_of(settings->prompt) : question;
    out->topic = settings->topic ? text_span_of(settings->topic) : reader->conversation;
}

/* -1, 0 or 1. */
static enum err_code read_vote(const struct polis_reader *reader,
                               const struct import_table_row *row, int64_t column, double *out,
                               struct error *err) {
    const struct text_span *cell = &row->cells[column];
    if (is_called(cell, "1") || is_called(cell, "0")) {
        *out = *cell->bytes == '1' ? 1.0 : 0.0;
        return ERR_OK;
    }
    if (is_called(cell, "-1")) {
        *out = -1.0;
        return ERR_OK;
    }
    return import_cell_refuse(row, column, reader->columns[column].name, err,
                              "expected 1 (agree), 0 (pass), -1 (disagree) or nothing");
}

static enum err_code add_rating(const struct preference *like, const struct import_text *comment,
                                double vote, struct import_batch *batch, struct error *err) {
    struct preference *made = NULL;
    struct preference_response *response = NULL;
    TRY(import_batch_add(batch, PREFERENCE_RATING, 1, &made, &response, err));
    *made = *like;
    made->responses = response;
    made->response_count = 1;
    made->value = vote;
    response->text = comment->text;
    response->origin = comment->origin;
    return ERR_OK;
}

static enum err_code begin_row(const struct polis_reader *reader,
                               const struct import_table_row *row, struct import_batch *batch,
                               struct preference *like, struct error *err) {
    const struct text_span no_group = TEXT_SPAN_NONE;
    if (row->cell_count != reader->column_count) {
        return err_set(err, ERR_DATA, "%s:%" PRId64 ": %" PRId64 " cells; the header has %" PRId64,
                       row->place, row->line, row->cell_count, reader->column_count);
    }
    if (row->cells[reader->participant].count == 0) {
        return import_cell_refuse(row, reader->participant, "participant", err,
                                  "expected the number of a participant");
    }
    *like = (struct preference){.kind = PREFERENCE_RATING, .line = row->line, .weight = 1.0};
    like->has_scale = true;
    like->scale_low = -1.0;
    like->scale_high = 1.0;
    fill_prompt(reader, &like->prompt);
    TRY(make_name(reader, "p", &row->cells[reader->participant], batch, &like->annotator, err));
    return make_name(reader, "group-", reader->group >= 0 ? &row->cells[reader->group] : &no_group,
                     batch, &like->population, err);
}

static enum err_code read_cells(void *state, const struct import_table_row *row,
                                struct import_batch *batch, struct error *err) {
    struct polis_reader *reader = state;
    struct preference like;
    int64_t given = 0;
    int64_t lost = 0;
    TRY(begin_row(reader, row, batch, &like, err));
    for (int64_t c = 0; c < row->cell_count; c++) {
        const struct polis_column *column = &reader->columns[c];
        double vote = 0.0;
        if (!column->is_vote || row->cells[c].count == 0) {
            continue;
        }
        TRY(read_vote(reader, row, c, &vote, err));
        given++;
        lost += !column->comment;
        if (column->comment) {
            TRY(add_rating(&like, column->comment, vote, batch, err));
        }
    }
    double announced = (double)given;
    if (reader->votes >= 0) {
        TRY(table_cell_count(row, reader->votes, "n-votes", &announced, err));
    }
    reader->miscounted += announced != (double)given;
    reader->lost_votes += lost;
    return ERR_OK;
}

static void note(const void *state, struct strbuf *notes) {
    const struct polis_reader *reader = state;
    char excerpt[UTF8_EXCERPT_BYTES];
    strbuf_addf(notes, "conversation '%s' of %" PRId64 " statements\n",
                utf8_excerpt(reader->conversation.bytes, reader->conversation.count, excerpt),
                import_texts_count(reader->comments));
    if (reader->lost_votes > 0) {
        strbuf_addf(notes,
                    "%" PRId64 " votes on %" PRId64 " statements left out: comments.csv "
                    "lacks their texts\n",
                    reader->lost_votes, reader->lost_comments);
    }
    if (reader->miscounted > 0) {
        strbuf_addf(notes,
                    "%" PRId64 " participants whose n-votes is not the number of their "
                    "votes\n",
                    reader->miscounted);
    }
}

const struct import_format import_polis = {
    .name = "polis",
    .title = "Polis: participants-votes.csv with comments.csv beside it",
    .container = IMPORT_TABLE,
    .recognise_table = recognise,
    .read_cells = read_cells,
    .open = open_reader,
    .close = close_reader,
    .note = note,
};

/* ---- a folder ---- */

struct polis_folder {
    char *votes; /* path; NULL once given away */
};

static enum err_code join(const char *folder, const char *name, char **out_path,
                          struct error *err) {
    *out_path = import_path_in(folder, name);
    return *out_path ? ERR_OK : err_oom(err, "path of a file");
}

static bool folder_has(const char *folder, const char *name) {
    SCOPED(mem) char *path = import_path_in(folder, name);
    return path && file_exists(path);
}

static bool recognise_folder(const char *path, char out_why[IMPORT_WHY_BYTES]) {
    if (!folder_has(path, "participants-votes.csv") || !folder_has(path, "comments.csv")) {
        return false;
    }
    (void)snprintf(out_why, IMPORT_WHY_BYTES,
                   "the folder holds participants-votes.csv and comments.csv");
    return true;
}

static void close_folder(void *state) {
    struct polis_folder *folder = state;
    if (folder) {
        mem_free(folder->votes);
        mem_free(folder);
    }
}

static enum err_code open_folder(const struct import_settings *settings,
                                 const struct import_table_row *header, void **out_state,
                                 struct error *err) {
    (void)header;
    SCOPED(mem) struct polis_folder *folder = mem_array_zero(1, sizeof *folder);
    if (!folder) {
        return err_oom(err, "folder of a conversation");
    }
    TRY(join(settings->path, "participants-votes.csv", &folder->votes, err));
    *out_state = MOVE(folder);
    return ERR_OK;
}

static enum err_code next_file(void *state, char **out_path,
                               const struct import_format **out_format, bool *out_has_file,
                               struct error *err) {
    struct polis_folder *folder = state;
    (void)err;
    *out_has_file = folder->votes != NULL;
    if (*out_has_file) {
        *out_path = MOVE(folder->votes);
        *out_format = &import_polis;
    }
    return ERR_OK;
}

const struct import_format import_polis_folder = {
    .name = "polis-folder",
    .title = "Polis: the folder of a conversation",
    .container = IMPORT_FOLDER,
    .recognise_folder = recognise_folder,
    .open = open_folder,
    .close = close_folder,
    .next_file = next_file,
};
