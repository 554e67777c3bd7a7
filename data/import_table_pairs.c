/* import_table_pairs.c - rows of a table that compare two subjects; see import_table_internal.h. */
#include "base/utf8.h"
#include "data/import_table_internal.h"
#include "data/table_cells.h"

#include <math.h>

struct table_pair {
    struct table_subject sides[2];
    bool has_positions;
    struct preference like;
};

static enum err_code add_outcome(const struct table_pair *pair, enum table_outcome outcome,
                                 struct import_batch *batch, struct error *err) {
    struct preference *made = NULL;
    struct preference_response *sides = NULL;
    TRY(table_add(batch, &pair->like, 2, &made, &sides, err));
    for (int i = 0; i < 2; i++) {
        sides[i].text = pair->sides[i].text;
        sides[i].origin = pair->sides[i].origin;
        sides[i].position = pair->has_positions ? i + 1 : 0;
    }
    sides[0].rank = outcome == TABLE_SECOND ? 2 : 1;
    sides[1].rank = outcome == TABLE_FIRST ? 2 : 1;
    return ERR_OK;
}

static void read_origins(const struct table_reader *reader, const struct import_table_row *row,
                         struct table_pair *pair) {
    struct text_span origins[2] = {table_optional_text(reader, row, TABLE_ORIGIN_A),
                                   table_optional_text(reader, row, TABLE_ORIGIN_B)};
    for (int i = 0; i < 2; i++) {
        if (text_span_is_set(&origins[i])) {
            pair->sides[i].origin = origins[i];
        }
    }
}

/* Responses a and b, and home and away, are in the order shown; items in some order. */
static enum err_code read_positions(const struct table_reader *reader,
                                    const struct import_table_row *row, bool *out_has_positions,
                                    struct error *err) {
    enum table_role first = reader->mapping.layout->first;
    int64_t column = reader->mapping.columns[TABLE_NEUTRAL];
    bool neutral = false;
    if (column >= 0) {
        TRY(table_cell_bool(row, column, reader->names[column], &neutral, err));
    }
    *out_has_positions = (first == TABLE_RESPONSE_A || first == TABLE_HOME) && !neutral;
    return ERR_OK;
}

static enum err_code read_pair(const struct table_reader *reader,
                               const struct import_table_row *row, struct table_pair *out,
                               struct error *err) {
    const struct table_layout *layout = reader->mapping.layout;
    const int64_t *columns = reader->mapping.columns;
    *out = (struct table_pair){.has_positions = false};
    TRY(table_read_subject(reader, row, columns[layout->first], &out->sides[0], err));
    TRY(table_read_subject(reader, row, columns[layout->second], &out->sides[1], err));
    read_origins(reader, row, out);
    TRY(read_positions(reader, row, &out->has_positions, err));
    return table_read_rest(reader, row, &out->sides[0].topic, &out->like, err);
}

/* ---- the judgement ---- */

/* Which side goes by this name: as its cell, its text, or its column. Neither if both do. */
static enum table_outcome choice_of_name(const struct table_reader *reader,
                                         const struct table_pair *pair,
                                         const struct text_span *word) {
    const struct table_layout *layout = reader->mapping.layout;
    const enum table_role roles[2] = {layout->first, layout->second};
    bool matches[2] = {false, false};
    for (int i = 0; i < 2; i++) {
        struct text_span column = text_span_of(table_name_of(reader, roles[i]));
        matches[i] = table_same_text(word, &pair->sides[i].cell) ||
                     table_same_text(word, &pair->sides[i].text) || table_same_text(word, &column);
    }
    if (matches[0] == matches[1]) {
        return TABLE_UNKNOWN;
    }
    return matches[0] ? TABLE_FIRST : TABLE_SECOND;
}

static enum err_code read_index(const struct import_table_row *row, int64_t column,
                                const char *name, enum table_outcome *out, struct error *err) {
    const struct text_span word = table_cell_trimmed(&row->cells[column]);
    bool is_digit = word.count == 1 && (*word.bytes == '0' || *word.bytes == '1');
    if (is_digit) {
        *out = *word.bytes == '0' ? TABLE_FIRST : TABLE_SECOND;
        return ERR_OK;
    }
    if (table_choice_of_word(&word, false) != TABLE_TIE) {
        return import_cell_refuse(row, column, name, err, "expected 0, 1 or tie");
    }
    *out = TABLE_TIE;
    return ERR_OK;
}

static void count_codes(struct table_reader *reader, const struct text_span *word) {
    reader->counts.zeros += word->count == 1 && *word->bytes == '0';
    reader->counts.twos += word->count == 1 && *word->bytes == '2';
}

/* A winner_name is a name whatever else it may mean; 0 is then no tie, since nobody is sure. */
static enum err_code read_name(const struct table_reader *reader,
                               const struct import_table_row *row, const struct table_pair *pair,
                               int64_t column, enum table_outcome *out, struct error *err) {
    const struct text_span word = table_cell_trimmed(&row->cells[column]);
    enum table_outcome named = choice_of_name(reader, pair, &word);
    bool is_zero = word.count == 1 && *word.bytes == '0';
    if (named == TABLE_UNKNOWN && (is_zero || table_choice_of_word(&word, false) != TABLE_TIE)) {
        return import_cell_refuse(row, column, reader->names[column], err,
                                  "expected one of the two names, or tie");
    }
    *out = named != TABLE_UNKNOWN ? named : TABLE_TIE;
    return ERR_OK;
}

/* A cell that names one side and is the code of the other ("1" in a match of 2 against 1) is
 * refused: which of the two it means is not known. */
static enum err_code read_word(struct table_reader *reader, const struct import_table_row *row,
                               const struct table_pair *pair, enum table_outcome *out,
                               struct error *err) {
    int64_t column = reader->mapping.columns[TABLE_WINNER];
    const char *name = reader->names[column];
    const struct text_span word = table_cell_trimmed(&row->cells[column]);
    bool home = reader->mapping.layout->first == TABLE_HOME;
    enum table_outcome named = choice_of_name(reader, pair, &word);
    enum table_outcome coded = table_choice_of_word(&word, home);
    if (named == TABLE_UNKNOWN && coded == TABLE_UNKNOWN) {
        return import_cell_refuse(row, column, name, err,
                                  home ? "expected home, away, draw or a name"
                                       : "expected a, b, 1, 2, tie or a name");
    }
    if (named != TABLE_UNKNOWN && coded != TABLE_UNKNOWN && named != coded) {
        return import_cell_refuse(row, column, name, err,
                                  "the name of one side and the code of the other; say which with "
                                  "--map winner_name=%s, or write a and b",
                                  name);
    }
    count_codes(reader, &word);
    *out = named != TABLE_UNKNOWN ? named : coded;
    return ERR_OK;
}

static enum err_code read_winner(struct table_reader *reader, const struct import_table_row *row,
                                 const struct table_pair *pair, struct import_batch *batch,
                                 struct error *err) {
    const int64_t *columns = reader->mapping.columns;
    enum table_outcome outcome = TABLE_UNKNOWN;
    int64_t index = columns[TABLE_WINNER_INDEX];
    int64_t named = columns[TABLE_WINNER_NAME];
    if (index >= 0) {
        TRY(read_index(row, index, reader->names[index], &outcome, err));
    } else if (named >= 0) {
        TRY(read_name(reader, row, pair, named, &outcome, err));
    } else {
        TRY(read_word(reader, row, pair, &outcome, err));
    }
    return add_outcome(pair, outcome, batch, err);
}

static enum err_code read_scores(struct table_reader *reader, const struct import_table_row *row,
                                 struct table_pair *pair, struct import_batch *batch,
                                 struct error *err) {
    static const enum table_role roles[2] = {TABLE_SCORE_A, TABLE_SCORE_B};
    double scores[2] = {0.0, 0.0};
    bool is_empty[2] = {false, false};
    for (int i = 0; i < 2; i++) {
        int64_t column = reader->mapping.columns[roles[i]];
        TRY(table_cell_number(row, column, reader->names[column], &scores[i], &is_empty[i], err));
    }
    if (is_empty[0] && is_empty[1]) {
        reader->counts.unplayed++;
        return ERR_OK;
    }
    if (is_empty[0] || is_empty[1]) {
        int64_t column = reader->mapping.columns[roles[is_empty[0] ? 0 : 1]];
        return import_cell_refuse(row, column, reader->names[column], err,
                                  "expected a number, since the other side has a score");
    }
    double margin = fabs(scores[0] - scores[1]);
    pair->like.has_margin = isfinite(margin);
    pair->like.margin = isfinite(margin) ? margin : 0.0;
    enum table_outcome strict = scores[0] > scores[1] ? TABLE_FIRST : TABLE_SECOND;
    return add_outcome(pair, scores[0] == scores[1] ? TABLE_TIE : strict, batch, err);
}

static enum err_code check_total(const struct table_reader *reader,
                                 const struct import_table_row *row, double sum,
                                 struct error *err) {
    int64_t column = reader->mapping.columns[TABLE_TOTAL];
    double total = 0.0;
    if (column < 0) {
        return ERR_OK;
    }
    TRY(table_cell_count(row, column, reader->names[column], &total, err));
    if (total != sum) {
        return import_cell_refuse(row, column, reader->names[column], err,
                                  "wins and ties add up to %.15g", sum);
    }
    return ERR_OK;
}

static enum err_code read_wins(struct table_reader *reader, const struct import_table_row *row,
                               struct table_pair *pair, struct import_batch *batch,
                               struct error *err) {
    static const enum table_role roles[3] = {TABLE_WINS_A, TABLE_WINS_B, TABLE_TIES};
    static const enum table_outcome outcomes[3] = {TABLE_FIRST, TABLE_SECOND, TABLE_TIE};
    double counts[3] = {0.0, 0.0, 0.0};
    double weight = pair->like.weight;
    for (int i = 0; i < 3; i++) {
        int64_t column = reader->mapping.columns[roles[i]];
        if (column >= 0) {
            TRY(table_cell_count(row, column, reader->names[column], &counts[i], err));
        }
    }
    TRY(check_total(reader, row, counts[0] + counts[1] + counts[2], err));
    for (int i = 0; i < 3; i++) {
        pair->like.weight = weight * counts[i];
        if (pair->like.weight > 0.0) {
            TRY(add_outcome(pair, outcomes[i], batch, err));
        }
    }
    reader->counts.weightless += batch->row_count == 0;
    return ERR_OK;
}

/* "w1:a:0.3": who and what; what follows is not looked at. */
static enum err_code read_vote(struct table_reader *reader, const struct import_table_row *row,
                               struct table_pair *pair, const struct text_span *vote,
                               struct import_batch *batch, struct error *err) {
    int64_t column = reader->mapping.columns[TABLE_VOTES];
    const char *colon = memchr(vote->bytes, ':', vote->count);
    char excerpt[UTF8_EXCERPT_BYTES];
    if (!colon || colon == vote->bytes) {
        return import_cell_refuse(row, column, reader->names[column], err,
                                  "vote '%s': expected annotator:choice",
                                  utf8_excerpt(vote->bytes, vote->count, excerpt));
    }
    struct text_span who = {vote->bytes, (size_t)(colon - vote->bytes)};
    struct text_span choice = {colon + 1, vote->count - who.count - 1};
    const char *end = choice.count > 0 ? memchr(choice.bytes, ':', choice.count) : NULL;
    choice.count = end ? (size_t)(end - choice.bytes) : choice.count;
    enum table_outcome outcome = table_choice_of_word(&choice, false);
    if (outcome == TABLE_UNKNOWN) {
        return import_cell_refuse(row, column, reader->names[column], err,
                                  "vote '%s': expected a choice of a, b, 1, 2, tie or =",
                                  utf8_excerpt(vote->bytes, vote->count, excerpt));
    }
    count_codes(reader, &choice);
    pair->like.annotator = who;
    return add_outcome(pair, outcome, batch, err);
}

static enum err_code read_votes(struct table_reader *reader, const struct import_table_row *row,
                                struct table_pair *pair, struct import_batch *batch,
                                struct error *err) {
    struct text_span rest = table_cell_trimmed(&row->cells[reader->mapping.columns[TABLE_VOTES]]);
    if (table_cell_is_empty(&rest)) {
        reader->counts.unrated++;
        return ERR_OK;
    }
    while (rest.count > 0) {
        const char *end = memchr(rest.bytes, ';', rest.count);
        struct text_span vote = {rest.bytes, end ? (size_t)(end - rest.bytes) : rest.count};
        TRY(read_vote(reader, row, pair, &vote, batch, err));
        size_t taken = vote.count + (end ? 1 : 0); /* a ';' behind the last vote is no vote */
        rest.bytes += taken;
        rest.count -= taken;
    }
    return ERR_OK;
}

/* Counts of an item against itself are the diagonal of a matrix and say nothing; a judgement
 * between an item and itself is a mistake. `*out_skip` for the first. */
static enum err_code check_itself(struct table_reader *reader, const struct import_table_row *row,
                                  const struct table_pair *pair, bool *out_skip,
                                  struct error *err) {
    const struct table_layout *layout = reader->mapping.layout;
    *out_skip = false;
    if (layout->texts || !table_same_text(&pair->sides[0].text, &pair->sides[1].text)) {
        return ERR_OK;
    }
    bool counts =
        layout->reading == TABLE_READ_WINS ||
        (layout->reading == TABLE_READ_ORDERED && reader->mapping.columns[TABLE_WEIGHT] >= 0);
    if (!counts) {
        return import_cell_refuse(row, reader->mapping.columns[layout->second],
                                  table_name_of(reader, layout->second), err,
                                  "the same as %s: an item is not compared with itself",
                                  table_name_of(reader, layout->first));
    }
    reader->counts.with_itself++;
    *out_skip = true;
    return ERR_OK;
}

enum err_code table_read_pair(struct table_reader *reader, const struct import_table_row *row,
                              struct import_batch *batch, struct error *err) {
    struct table_pair pair;
    bool skip = false;
    TRY(read_pair(reader, row, &pair, err));
    TRY(check_itself(reader, row, &pair, &skip, err));
    if (!skip && pair.like.weight <= 0.0) {
        reader->counts.weightless++;
        skip = true;
    }
    if (skip) {
        return ERR_OK;
    }
    enum table_reading reading = reader->mapping.layout->reading;
    if (reading == TABLE_READ_WINNER) {
        return read_winner(reader, row, &pair, batch, err);
    }
    if (reading == TABLE_READ_SCORES) {
        return read_scores(reader, row, &pair, batch, err);
    }
    if (reading == TABLE_READ_WINS) {
        return read_wins(reader, row, &pair, batch, err);
    }
    if (reading == TABLE_READ_VOTES) {
        return read_votes(reader, row, &pair, batch, err);
    }
    return add_outcome(&pair, TABLE_FIRST, batch, err);
}
