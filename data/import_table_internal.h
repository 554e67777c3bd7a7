/* import_table_internal.h - what the files of the table importer share: import_table.c (its face,
 * and pairs) and import_table_lists.c (rankings and ratings).
 *
 * Threads:  a reader belongs to one file that is being read.
 */
#ifndef DATA_IMPORT_TABLE_INTERNAL_H
#define DATA_IMPORT_TABLE_INTERNAL_H

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "data/import_format.h"
#include "data/import_texts.h"
#include "data/table_mapping.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* An empty cell and none are the same. */
static inline bool table_same_text(const struct text_span *left, const struct text_span *right) {
    return left->count == right->count &&
           (left->count == 0 || memcmp(left->bytes, right->bytes, left->count) == 0);
}

/* What was left out, or needs a word at the end. */
struct table_counts {
    int64_t with_itself; /* counts of an item against itself: the diagonal of a matrix */
    int64_t unplayed;    /* both scores missing */
    int64_t weightless;  /* weight 0, or no wins and no ties */
    int64_t short_lists; /* rankings of fewer than two */
    int64_t unrated;     /* rows without any rating or vote */
    int64_t zeros, twos; /* codes of a winner: is 0 a tie, or the first of 0 and 1? */
    int64_t zeros_at_end, zeros_inside; /* in rankings: is 0 nobody, or an item? */
};

/* A ranking of which a row gives one item: rows are added until another ranking begins. */
struct table_group {
    bool is_open;
    int64_t line;
    struct arena arena; /* texts of the group */
    struct text_span id;
    struct preference like;            /* all but its responses */
    struct preference_response *items; /* [count]; owned */
    int64_t count, capacity;
};

struct table_reader {
    const struct import_settings *settings; /* borrowed */
    struct table_mapping mapping;
    struct import_texts *texts; /* NULL: cells are the texts */
    struct arena arena;         /* names of columns */
    char **names;               /* [column_count] */
    int64_t column_count;
    struct text_span stem; /* of the file's name */
    struct strbuf taken, unused;
    struct table_counts counts;
    struct table_group groups[2]; /* the one that grows, and the one just given away */
    int64_t growing;
    uint64_t *seen; /* [seen_capacity] hashes of rankings that are finished; 0: free */
    int64_t seen_count, seen_capacity;
};

/* One of the things that are compared. */
struct table_subject {
    struct text_span cell; /* as it stands in the table */
    struct text_span text, origin, topic;
};

/* The column that plays `role`, which is played. Borrowed. */
const char *table_name_of(const struct table_reader *reader, enum table_role role);

/* The cell of an optional role, trimmed; absent where there is no column or the cell is empty. */
struct text_span table_optional_text(const struct table_reader *reader,
                                     const struct import_table_row *row, enum table_role role);

/* The subject in `column`, looked up among the texts if there are any. */
ERR_NODISCARD enum err_code table_read_subject(const struct table_reader *reader,
                                               const struct import_table_row *row, int64_t column,
                                               struct table_subject *out, struct error *err);

/* What the row says beside its subjects, as a comparison without responses. `topic` is
 * that of the subjects and may be absent. */
ERR_NODISCARD enum err_code table_read_rest(const struct table_reader *reader,
                                            const struct import_table_row *row,
                                            const struct text_span *topic, struct preference *out,
                                            struct error *err);

/* A preference like `like` with `response_count` responses, in `batch`. */
ERR_NODISCARD enum err_code table_add(struct import_batch *batch, const struct preference *like,
                                      int64_t response_count, struct preference **out_row,
                                      struct preference_response **out_responses,
                                      struct error *err);

ERR_NODISCARD enum err_code table_read_pair(struct table_reader *reader,
                                            const struct import_table_row *row,
                                            struct import_batch *batch, struct error *err);
ERR_NODISCARD enum err_code table_read_ranking_wide(struct table_reader *reader,
                                                    const struct import_table_row *row,
                                                    struct import_batch *batch, struct error *err);
ERR_NODISCARD enum err_code table_read_ranking_long(struct table_reader *reader,
                                                    const struct import_table_row *row,
                                                    struct import_batch *batch, struct error *err);
ERR_NODISCARD enum err_code table_read_ratings(struct table_reader *reader,
                                               const struct import_table_row *row,
                                               struct import_batch *batch, struct error *err);
ERR_NODISCARD enum err_code table_read_alone(struct table_reader *reader,
                                             const struct import_table_row *row,
                                             struct import_batch *batch, struct error *err);

/* Gives away the last ranking. */
ERR_NODISCARD enum err_code table_finish_groups(struct table_reader *reader,
                                                struct import_batch *batch, struct error *err);
void table_close_groups(struct table_reader *reader);

#endif
