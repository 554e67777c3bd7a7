/* import_format.h - what an importer is: one table entry, with a function that reads one row.
 *
 * Use:      A format is a `const struct import_format` in its own file data/import_<name>.c, named
 *           in IMPORT_FORMATS below. import.h finds the rows, recognises the format, calls the
 *           format once a row and gives what it makes to the log:
 *
 *               static enum err_code read_row(const struct import_json_row *row,
 *                                             struct import_batch *batch, struct error *err) {
 *                   struct preference_response *sides = NULL;
 *                   struct preference *made = NULL;
 *                   TRY(import_batch_add(batch, PREFERENCE_COMPARISON, 2, &made, &sides, err));
 *                   ...
 *               }
 * Rows:     a row makes none, one or several preferences, or none at all if it fails: the batch of
 *           a failed row is thrown away.
 * Errors:   ERR_DATA says what is wrong with the row: JSON through json_refuse and the typed
 *           getters, which know file, line and column; cells through import_cell_refuse.
 * Threads:  formats are constant.
 */
#ifndef DATA_IMPORT_FORMAT_H
#define DATA_IMPORT_FORMAT_H

#include "base/error.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "data/import_batch.h"
#include "data/text_span.h"

#include <stdbool.h>
#include <stdint.h>

/* One line per file data/import_<name>.c, in the order in which `--format auto` asks. */
#define IMPORT_FORMATS(X) \
    X(pre_tokenised)      \
    X(arena)              \
    X(arena_csv)          \
    X(safe_rlhf)          \
    X(nemo)               \
    X(llama_factory)      \
    X(sharegpt)           \
    X(swift)              \
    X(fine_grained)       \
    X(judgements)         \
    X(hh)                 \
    X(works)              \
    X(works_table)        \
    X(trl)                \
    X(polis)              \
    X(table)              \
    X(preflib)            \
    X(polis_folder)       \
    X(works_folder)       \
    X(work_file)

/* A role of a mapping and the column or key that plays it: `--map chosen=answer_w`. */
struct import_map_entry {
    const char *role;
    const char *column;
};

/* What the user asked for; borrowed while an import runs. */
struct import_settings {
    const char *path; /* of the file or folder, for messages and for files beside it */
    const struct import_map_entry *map;
    int64_t map_count;
    bool *asked; /* [map_count] set by import_settings_column for a role it is asked for; or NULL */
    const char *texts;  /* a file that gives ids their text (import_texts.h); NULL: none */
    const char *name;   /* of the item set; NULL: from the file */
    const char *prompt; /* for rows that have none; NULL: none */
    const char *topic;  /* for rows that have none; NULL: none */
    const char *prefer; /* of several judgements in a row: "better", "safer"; NULL: the format's */
};

/* The column that plays `role`, or `fallback` (which may be NULL). */
const char *import_settings_column(const struct import_settings *settings, const char *role,
                                   const char *fallback);

struct import_json_row {
    const struct import_settings *settings;
    const struct json *doc;
    const struct json_node *node; /* an object */
    int64_t line;
};

struct import_table_row {
    const struct import_settings *settings;
    const char *place;             /* "football.csv" */
    const struct text_span *cells; /* [cell_count] without their quotes */
    const int64_t *columns;        /* [cell_count] where each begins in its line, from 1 */
    const int64_t *lines;          /* [cell_count] that line: a record may have several */
    int64_t cell_count;
    int64_t line;
};

/* ERR_DATA with "football.csv:17:23: home_score = 'x': expected an integer". `what` names the
 * column; the message follows the value. */
enum err_code import_cell_refuse(const struct import_table_row *row, int64_t cell, const char *what,
                                 struct error *err, const char *fmt, ...) ERR_FORMAT(5, 6);

enum import_container {
    IMPORT_JSON,   /* objects: JSON lines, or one array of objects */
    IMPORT_TABLE,  /* CSV or TSV with a header */
    IMPORT_LINES,  /* lines of text (PrefLib) */
    IMPORT_FOLDER, /* a folder as a whole */
};

#define IMPORT_WHY_BYTES 160

struct import_format {
    const char *name;  /* "trl"; --format */
    const char *title; /* "TRL: prompt, chosen, rejected", for help */
    enum import_container container;

    /* Whether this first row, header, line or folder is of this format, and by what:
     * "the keys 'chosen' and 'rejected' hold transcripts". NULL: never recognised. */
    bool (*recognise_json)(const struct import_json_row *row, char out_why[IMPORT_WHY_BYTES]);
    bool (*recognise_table)(const struct import_table_row *header, char out_why[IMPORT_WHY_BYTES]);
    bool (*recognise_line)(const struct text_span *line, char out_why[IMPORT_WHY_BYTES]);
    bool (*recognise_folder)(const char *path, char out_why[IMPORT_WHY_BYTES]);

    /* IMPORT_JSON: stateless, or with the state below. */
    enum err_code (*read_json)(void *state, const struct import_json_row *row,
                               struct import_batch *batch, struct error *err);
    /* IMPORT_TABLE */
    enum err_code (*read_cells)(void *state, const struct import_table_row *row,
                                struct import_batch *batch, struct error *err);
    /* IMPORT_LINES: line end and carriage return removed. */
    enum err_code (*read_line)(void *state, int64_t number, const struct text_span *line,
                               struct import_batch *batch, struct error *err);

    /* State over the rows of one file; both NULL: none. `header` is NULL but for tables. */
    enum err_code (*open)(const struct import_settings *settings,
                          const struct import_table_row *header, void **out_state,
                          struct error *err);
    void (*close)(void *state);
    /* What is only known at the end (a count announced in the header); NULL: nothing. */
    enum err_code (*finish)(void *state, struct import_batch *batch, struct error *err);
    /* What to tell the user once all rows are read, though nothing is wrong: lines that end in
     * '\n', such as "4 counts of an item against itself left out". NULL: nothing. */
    void (*note)(const void *state, struct strbuf *notes);

    /* IMPORT_FOLDER: names the files, one by one, that are to be imported and the format each is
     * to be read with; false at the end. */
    enum err_code (*next_file)(void *state, char **out_path,
                               const struct import_format **out_format, bool *out_has_file,
                               struct error *err);
};

#define IMPORT_DECLARE(name) extern const struct import_format import_##name;
IMPORT_FORMATS(IMPORT_DECLARE)
#undef IMPORT_DECLARE

#endif
