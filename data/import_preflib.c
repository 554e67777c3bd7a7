/* import_preflib.c - PrefLib's orders: .soc, .soi, .toc, .toi.
 *
 * Source:    preflib.org/format (2022): lines "# KEY: value", then "count: 1,2,{3,4}", best first,
 *            braces around what is tied.
 * Items:     are named by "# ALTERNATIVE NAME n: ...", which must be there for every number and be
 *            different; the set is named by --name or the file, TITLE is its topic.
 * Weight:    the count. Only what an order holds is compared: an alternative that is missing is not
 *            taken to be worse than the others.
 * Left out:  orders of one alternative, with a note: they compare nothing.
 * Checked:   complete data (soc, toc) hold every alternative, strict data (soc, soi) no ties; the
 *            sums that the header announces (NUMBER ALTERNATIVES, NUMBER VOTERS, NUMBER UNIQUE
 *            ORDERS) are those of the file, unless rows were rejected.
 * Refused:   categories, matchings and tournament graphs (cat, wmd, wmg, pwg, ...), and the layout
 *            of before 2022, which begins with a number instead of "# ...".
 */
#include "base/arena.h"
#include "base/array.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/import_format.h"
#include "data/import_path.h"

#include <inttypes.h>
#include <stdio.h>

/* Of alternatives: numbers above are refused rather than given memory. */
#define NUMBER_MAX 1000000

#define COUNT_MAX INT64_C(1000000000000)

struct preflib_alternative {
    struct text_span name; /* absent: no such alternative */
    int64_t last_order;    /* in which it was met, from 1 */
};

struct preflib_reader {
    const struct import_settings *settings; /* borrowed */
    struct arena arena;
    struct preflib_alternative *alternatives; /* [alternative_count] by number, from 0 */
    int64_t alternative_count, alternative_capacity;
    int64_t named_count;
    struct text_span title;
    bool is_complete, is_strict; /* as DATA TYPE says */
    bool has_alternatives, has_voters, has_orders;
    int64_t announced_alternatives, announced_voters, announced_orders;
    int64_t voters, orders, single_orders, rejected;
};

/* A line that is being read from left to right. */
struct preflib_line {
    struct preflib_reader *reader;
    int64_t number;
    const char *begin, *at, *end;
};

/* ERR_DATA with "file:17:9: <what>, found '...'". */
static enum err_code refuse(const struct preflib_line *line, struct error *err, const char *what) {
    char excerpt[UTF8_EXCERPT_BYTES];
    const char *path = line->reader->settings->path;
    size_t column = (size_t)(line->at - line->begin) + 1;
    if (line->at == line->end) {
        return err_set(err, ERR_DATA, "%s:%" PRId64 ":%zu: expected %s, found the end of the line",
                       path, line->number, column, what);
    }
    return err_set(err, ERR_DATA, "%s:%" PRId64 ":%zu: expected %s, found '%s'", path, line->number,
                   column, what, utf8_excerpt(line->at, (size_t)(line->end - line->at), excerpt));
}

static void skip_spaces(struct preflib_line *line) {
    while (line->at < line->end && (*line->at == ' ' || *line->at == '\t')) {
        line->at++;
    }
}

static bool take(struct preflib_line *line, char c) {
    skip_spaces(line);
    bool is_there = line->at < line->end && *line->at == c;
    line->at += is_there;
    skip_spaces(line);
    return is_there;
}

/* Decimal digits up to `max`. */
static bool take_number(struct preflib_line *line, int64_t max, int64_t *out) {
    int64_t value = 0;
    skip_spaces(line);
    const char *first = line->at;
    const char *at = first;
    for (; at < line->end && *at >= '0' && *at <= '9'; at++) {
        value = 10 * value + (*at - '0');
        if (value > max) {
            return false;
        }
    }
    if (at == first) {
        return false;
    }
    line->at = at;
    skip_spaces(line);
    *out = value;
    return true;
}

static bool take_word(struct preflib_line *line, const char *word) {
    size_t count = strlen(word);
    if ((size_t)(line->end - line->at) < count || memcmp(line->at, word, count) != 0) {
        return false;
    }
    line->at += count;
    return true;
}

/* The rest of the line without spaces at its end. */
static struct text_span rest_of(struct preflib_line *line) {
    skip_spaces(line);
    struct text_span rest = {line->at, (size_t)(line->end - line->at)};
    while (rest.count > 0 && strchr(" \t\r", rest.bytes[rest.count - 1]) != NULL) {
        rest.count--;
    }
    return rest;
}

/* ---- header ---- */

static enum err_code keep_text(struct preflib_line *line, struct text_span *out,
                               struct error *err) {
    struct text_span rest = rest_of(line);
    size_t invalid = utf8_find_invalid(rest.bytes, rest.count);
    line->at += invalid;
    const char *nul = rest.count > 0 ? memchr(rest.bytes, '\0', rest.count) : NULL;
    if (invalid < rest.count) {
        return refuse(line, err, "UTF-8");
    }
    if (nul) {
        line->at = nul;
        return refuse(line, err, "text without NUL");
    }
    char *copy = arena_strndup(&line->reader->arena, rest.bytes, rest.count);
    if (!copy) {
        return err_oom(err, "header of a PrefLib file");
    }
    *out = (struct text_span){copy, rest.count};
    return ERR_OK;
}

static enum err_code reserve_alternatives(struct preflib_reader *reader, int64_t count,
                                          struct error *err) {
    TRY(array_reserve(ARRAY_REF(reader->alternatives), &reader->alternative_capacity, count,
                      "alternatives of a PrefLib file", err));
    for (; reader->alternative_count < count; reader->alternative_count++) {
        reader->alternatives[reader->alternative_count] =
            (struct preflib_alternative){.name = TEXT_SPAN_NONE};
    }
    return ERR_OK;
}

/* " 12: name" */
static enum err_code read_alternative(struct preflib_line *line, struct error *err) {
    struct preflib_reader *reader = line->reader;
    int64_t number = 0;
    skip_spaces(line);
    const char *start = line->at;
    if (!take_number(line, NUMBER_MAX, &number) || number < 1) {
        line->at = start;
        return refuse(line, err, "the number of an alternative, 1 to 1000000");
    }
    if (!take(line, ':')) {
        return refuse(line, err, "':'");
    }
    TRY(reserve_alternatives(reader, number, err));
    struct preflib_alternative *alternative = &reader->alternatives[number - 1];
    if (text_span_is_set(&alternative->name)) {
        return err_set(err, ERR_DATA, "%s:%" PRId64 ": alternative %" PRId64 " is named twice",
                       reader->settings->path, line->number, number);
    }
    if (rest_of(line).count == 0) {
        return refuse(line, err, "the name of the alternative");
    }
    TRY(keep_text(line, &alternative->name, err));
    reader->named_count++;
    return ERR_OK;
}

static enum err_code read_announced(struct preflib_line *line, bool *out_has, int64_t *out,
                                    struct error *err) {
    if (!take_number(line, COUNT_MAX, out) || line->at != line->end) {
        return refuse(line, err, "a whole number");
    }
    *out_has = true;
    return ERR_OK;
}

static enum err_code read_type(struct preflib_line *line, struct error *err) {
    static const char *const types[] = {"soc", "soi", "toc", "toi"};
    struct text_span type = rest_of(line);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (type.count == 3 && memcmp(type.bytes, types[i], 3) == 0) {
            line->reader->is_strict = types[i][0] == 's';
            line->reader->is_complete = types[i][2] == 'c';
            return ERR_OK;
        }
    }
    return refuse(line, err, "data of type soc, soi, toc or toi, which are orders");
}

/* "# KEY: value"; keys that say nothing of the orders, and remarks, pass. */
static enum err_code read_header(struct preflib_line *line, struct error *err) {
    struct preflib_reader *reader = line->reader;
    skip_spaces(line);
    if (take_word(line, "ALTERNATIVE NAME ")) {
        return read_alternative(line, err);
    }
    if (take_word(line, "TITLE:")) {
        return rest_of(line).count > 0 ? keep_text(line, &reader->title, err) : ERR_OK;
    }
    if (take_word(line, "DATA TYPE:")) {
        return read_type(line, err);
    }
    if (take_word(line, "NUMBER ALTERNATIVES:")) {
        return read_announced(line, &reader->has_alternatives, &reader->announced_alternatives,
                              err);
    }
    if (take_word(line, "NUMBER VOTERS:")) {
        return read_announced(line, &reader->has_voters, &reader->announced_voters, err);
    }
    if (take_word(line, "NUMBER UNIQUE ORDERS:")) {
        return read_announced(line, &reader->has_orders, &reader->announced_orders, err);
    }
    return ERR_OK;
}

/* ---- orders ---- */

/* Members of one order, in the arena of the batch. */
struct preflib_order {
    struct preference_response *items;
    int64_t count, capacity;
};

/* An order has at most as many members as its line has commas and one more. */
static int64_t count_members(const struct preflib_line *line) {
    int64_t count = 1;
    for (const char *at = line->at; at < line->end; at++) {
        count += *at == ',';
    }
    return count;
}

static enum err_code read_member(struct preflib_line *line, int64_t rank,
                                 struct preflib_order *order, struct error *err) {
    struct preflib_reader *reader = line->reader;
    int64_t number = 0;
    skip_spaces(line);
    const char *start = line->at;
    if (!take_number(line, NUMBER_MAX, &number)) {
        return refuse(line, err, "the number of an alternative");
    }
    bool known = number >= 1 && number <= reader->alternative_count &&
                 text_span_is_set(&reader->alternatives[number - 1].name);
    if (!known) {
        line->at = start;
        return refuse(line, err, "an alternative that the header names");
    }
    struct preflib_alternative *alternative = &reader->alternatives[number - 1];
    if (alternative->last_order == line->number) {
        line->at = start;
        return refuse(line, err, "each alternative once");
    }
    alternative->last_order = line->number;
    order->items[order->count++] =
        (struct preference_response){.text = alternative->name, .rank = rank};
    return ERR_OK;
}

/* "{3,4}" */
static enum err_code read_tied(struct preflib_line *line, int64_t rank, struct preflib_order *order,
                               struct error *err) {
    const char *start = line->at;
    int64_t before = order->count;
    if (!take(line, '{')) {
        return read_member(line, rank, order, err);
    }
    do {
        TRY(read_member(line, rank, order, err));
    } while (take(line, ','));
    if (!take(line, '}')) {
        return refuse(line, err, "',' or '}'");
    }
    if (line->reader->is_strict && order->count > before + 1) {
        line->at = start;
        return refuse(line, err, "no tie, since DATA TYPE is strict (soc or soi)");
    }
    return ERR_OK;
}

/* Ranks count the groups before: 1, 2, 2, 3 for 1,{2,3},4. */
static enum err_code read_members(struct preflib_line *line, struct preflib_order *order,
                                  struct error *err) {
    int64_t rank = 1;
    do {
        TRY(read_tied(line, rank, order, err));
        rank++;
    } while (take(line, ','));
    if (line->at != line->end) {
        return refuse(line, err, "',' or the end of the order");
    }
    const struct preflib_reader *reader = line->reader;
    if (reader->is_complete && order->count != reader->named_count) {
        return err_set(err, ERR_DATA,
                       "%s:%" PRId64 ": %" PRId64 " of %" PRId64 " alternatives, "
                       "though DATA TYPE is complete (soc or toc)",
                       reader->settings->path, line->number, order->count, reader->named_count);
    }
    return ERR_OK;
}

static enum err_code read_order(struct preflib_line *line, struct import_batch *batch,
                                struct error *err) {
    struct preflib_reader *reader = line->reader;
    const struct import_settings *settings = reader->settings;
    int64_t weight = 0;
    const char *start = line->at;
    if (!take_number(line, COUNT_MAX, &weight) || weight < 1) {
        line->at = start;
        return refuse(line, err, "how many gave this order, a whole number above 0");
    }
    if (!take(line, ':')) {
        return refuse(line, err, "':'");
    }
    struct preflib_order order = {.capacity = count_members(line)};
    struct preference *made = NULL;
    bool single = order.capacity < 2;
    struct preference_response alone;
    order.items = &alone;
    if (!single) {
        TRY(import_batch_add(batch, PREFERENCE_COMPARISON, order.capacity, &made, &order.items,
                             err));
        made->line = line->number;
        made->weight = (double)weight;
        made->prompt.kind = PROMPT_ITEMS;
        made->prompt.text =
            settings->name ? text_span_of(settings->name) : import_path_stem(settings->path);
        made->prompt.topic = settings->topic ? text_span_of(settings->topic) : reader->title;
    }
    TRY(read_members(line, &order, err));
    reader->single_orders += single;
    reader->voters += weight;
    reader->orders++;
    return ERR_OK;
}

/* ---- the face ---- */

static enum err_code read_text(struct preflib_line *line, struct import_batch *batch,
                               struct error *err) {
    if (line->number == 1) {
        int64_t first = 0;
        const char *start = line->at;
        if (take_number(line, INT64_C(1000000000), &first) && line->at == line->end) {
            line->at = start;
            return refuse(line, err,
                          "'# ...': this is the layout of before 2022; the data set as "
                          "preflib.org gives it now is read");
        }
        line->at = start;
    }
    if (line->at == line->end) {
        return ERR_OK;
    }
    return take(line, '#') ? read_header(line, err) : read_order(line, batch, err);
}

static enum err_code read_line(void *state, int64_t number, const struct text_span *text,
                               struct import_batch *batch, struct error *err) {
    struct preflib_reader *reader = state;
    struct preflib_line line = {.reader = reader, .number = number};
    line.begin = text->count > 0 ? text->bytes : "";
    line.at = line.begin;
    line.end = line.begin + text->count;
    skip_spaces(&line);
    enum err_code code = read_text(&line, batch, err);
    reader->rejected += code == ERR_DATA;
    return code;
}

/* Whether a remark or a key that PrefLib's files begin with stands in the line. */
static bool recognise_line(const struct text_span *line, char out_why[IMPORT_WHY_BYTES]) {
    static const char *const keys[] = {
        "FILE NAME:",           "TITLE:",           "DATA TYPE:", "DESCRIPTION:",
        "NUMBER ALTERNATIVES:", "ALTERNATIVE NAME "};
    if (line->count == 0 || line->bytes[0] != '#') {
        return false;
    }
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        size_t count = strlen(keys[k]);
        for (size_t i = 1; i + count <= line->count; i++) {
            if (memcmp(line->bytes + i, keys[k], count) == 0) {
                (void)snprintf(out_why, IMPORT_WHY_BYTES, "the first line is a remark with '%s'",
                               keys[k]);
                return true;
            }
        }
    }
    return false;
}

static enum err_code open_reader(const struct import_settings *settings,
                                 const struct import_table_row *header, void **out_state,
                                 struct error *err) {
    (void)header;
    struct preflib_reader *reader = mem_array_zero(1, sizeof *reader);
    if (!reader) {
        return err_oom(err, "PrefLib reader");
    }
    reader->settings = settings;
    reader->arena = (struct arena)ARENA_INIT(IMPORT_BATCH_BYTES_MAX);
    *out_state = reader;
    return ERR_OK;
}

static void close_reader(void *state) {
    struct preflib_reader *reader = state;
    if (reader) {
        arena_deinit(&reader->arena);
        mem_free(reader->alternatives);
        mem_free(reader);
    }
}

static enum err_code check_announced(const struct preflib_reader *reader, const char *key,
                                     int64_t announced, int64_t found, struct error *err) {
    if (announced == found) {
        return ERR_OK;
    }
    return err_set(err, ERR_DATA,
                   "%s: %s is %" PRId64 ", but the file holds %" PRId64 ": it is cut "
                   "short, or was edited; if so, correct that line",
                   reader->settings->path, key, announced, found);
}

static enum err_code finish(void *state, struct import_batch *batch, struct error *err) {
    const struct preflib_reader *reader = state;
    (void)batch;
    if (reader->rejected > 0) {
        return ERR_OK;
    }
    if (reader->has_alternatives) {
        TRY(check_announced(reader, "NUMBER ALTERNATIVES", reader->announced_alternatives,
                            reader->named_count, err));
    }
    if (reader->has_voters) {
        TRY(check_announced(reader, "NUMBER VOTERS", reader->announced_voters, reader->voters,
                            err));
    }
    if (reader->has_orders) {
        TRY(check_announced(reader, "NUMBER UNIQUE ORDERS", reader->announced_orders,
                            reader->orders, err));
    }
    return ERR_OK;
}

static void note(const void *state, struct strbuf *notes) {
    const struct preflib_reader *reader = state;
    if (reader->single_orders > 0) {
        strbuf_addf(notes, "%" PRId64 " orders of one alternative left out: they compare nothing\n",
                    reader->single_orders);
    }
}

const struct import_format import_preflib = {
    .name = "preflib",
    .title = "PrefLib: orders of named alternatives (.soc, .soi, .toc, .toi)",
    .container = IMPORT_LINES,
    .recognise_line = recognise_line,
    .read_line = read_line,
    .open = open_reader,
    .close = close_reader,
    .finish = finish,
    .note = note,
};
