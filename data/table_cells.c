/* table_cells.c - see table_cells.h. */
#include "data/table_cells.h"

#include "base/number.h"
#include "data/timestamp.h"

#include <math.h>

#define NUMBER_BYTES_MAX 64

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_word(const struct text_span *text, const char *word) {
    size_t count = strlen(word);
    if (text->count != count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (lower(text->bytes[i]) != word[i]) {
            return false;
        }
    }
    return true;
}

/* Whether `text` is one of the words of a list that ends with NULL. */
static bool is_one_of(const struct text_span *text, const char *const *words) {
    for (; *words; words++) {
        if (is_word(text, *words)) {
            return true;
        }
    }
    return false;
}

struct text_span table_cell_trimmed(const struct text_span *cell) {
    struct text_span text = *cell;
    while (text.count > 0 && (text.bytes[0] == ' ' || text.bytes[0] == '\t')) {
        text.bytes++;
        text.count--;
    }
    while (text.count > 0 &&
           (text.bytes[text.count - 1] == ' ' || text.bytes[text.count - 1] == '\t')) {
        text.count--;
    }
    return text;
}

bool table_cell_is_empty(const struct text_span *cell) {
    static const char *const words[] = {"", "na", "n/a", "nan", "null", "none", NULL};
    struct text_span text = table_cell_trimmed(cell);
    return is_one_of(&text, words);
}

enum err_code table_cell_number(const struct import_table_row *row, int64_t column,
                                const char *name, double *out, bool *out_is_empty,
                                struct error *err) {
    const struct text_span text = table_cell_trimmed(&row->cells[column]);
    char digits[NUMBER_BYTES_MAX];
    double value = 0.0;
    *out_is_empty = table_cell_is_empty(&text);
    if (*out_is_empty) {
        return ERR_OK;
    }
    bool fits = text.count < sizeof digits && !memchr(text.bytes, '\0', text.count);
    if (fits) {
        memcpy(digits, text.bytes, text.count);
        digits[text.count] = '\0';
    }
    if (!fits || !number_parse_f64(digits, &value) || !isfinite(value)) {
        return import_cell_refuse(row, column, name, err, "expected a number");
    }
    *out = value;
    return ERR_OK;
}

enum err_code table_cell_count(const struct import_table_row *row, int64_t column, const char *name,
                               double *out, struct error *err) {
    double value = 0.0;
    bool is_empty = false;
    TRY(table_cell_number(row, column, name, &value, &is_empty, err));
    if (is_empty || value < 0.0) {
        return import_cell_refuse(row, column, name, err, "expected a number, 0 or greater");
    }
    *out = value;
    return ERR_OK;
}

enum err_code table_cell_bool(const struct import_table_row *row, int64_t column, const char *name,
                              bool *out, struct error *err) {
    static const char *const trues[] = {"true", "1", "yes",       "t", "y",
                                        "good", "+", "desirable", NULL};
    static const char *const falses[] = {"false", "0", "no",          "f", "n",
                                         "bad",   "-", "undesirable", NULL};
    const struct text_span text = table_cell_trimmed(&row->cells[column]);
    bool is_true = is_one_of(&text, trues);
    if (!is_true && !is_one_of(&text, falses)) {
        return import_cell_refuse(row, column, name, err, "expected true or false");
    }
    *out = is_true;
    return ERR_OK;
}

enum err_code table_cell_time(const struct import_table_row *row, int64_t column, const char *name,
                              int64_t *out_ms, bool *out_is_empty, struct error *err) {
    const struct text_span text = table_cell_trimmed(&row->cells[column]);
    *out_is_empty = table_cell_is_empty(&text);
    if (!*out_is_empty && !timestamp_parse(&text, out_ms)) {
        return import_cell_refuse(row, column, name, err, TIMESTAMP_EXPECTED);
    }
    return ERR_OK;
}

enum table_outcome table_choice_of_word(const struct text_span *word, bool home) {
    static const char *const ties[] = {
        "tie",           "draw",         "equal",    "=",       "0",
        "both",          "neither",      "same",     "tied",    "drawn",
        "tie (bothbad)", "tie(bothbad)", "both_bad", "bothbad", NULL};
    static const char *const firsts[] = {"a",       "1",          "first",    "left",
                                         "model_a", "response_a", "answer_a", NULL};
    static const char *const seconds[] = {"b",       "2",          "second",   "right",
                                          "model_b", "response_b", "answer_b", NULL};
    static const char *const home_ties[] = {"tie", "draw", "d", "x", "=", "0", NULL};
    static const char *const home_firsts[] = {"home", "h", "1", NULL};
    static const char *const home_seconds[] = {"away", "a", "2", NULL};
    if (is_one_of(word, home ? home_firsts : firsts)) {
        return TABLE_FIRST;
    }
    if (is_one_of(word, home ? home_seconds : seconds)) {
        return TABLE_SECOND;
    }
    return is_one_of(word, home ? home_ties : ties) ? TABLE_TIE : TABLE_UNKNOWN;
}
