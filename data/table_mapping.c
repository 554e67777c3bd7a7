/* table_mapping.c - see table_mapping.h. */
#include "data/table_mapping.h"

#include "base/scoped.h"
#include "base/suggest.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdlib.h>

/* In `columns`, beside indices. */
#define COLUMN_UNKNOWN (-1)
#define COLUMN_NONE    (-2) /* the user wants none */

#define NAMES_SHOWN 12 /* columns listed in a message */

#define BIT(role) (UINT64_C(1) << TABLE_##role)

/* ---- names ---- */

/* The part of a header cell that is its name: "#id" -> "id", "votes(a:b)" -> "votes". */
static struct text_span bare_name(const struct text_span *cell) {
    struct text_span name = *cell;
    while (name.count > 0 && (name.bytes[0] == ' ' || name.bytes[0] == '#')) {
        name.bytes++;
        name.count--;
    }
    const char *parenthesis = name.count > 0 ? memchr(name.bytes, '(', name.count) : NULL;
    if (parenthesis) {
        name.count = (size_t)(parenthesis - name.bytes);
    }
    while (name.count > 0 && name.bytes[name.count - 1] == ' ') {
        name.count--;
    }
    return name;
}

static char folded(char c) {
    if (c >= 'A' && c <= 'Z') {
        return (char)(c - 'A' + 'a');
    }
    return c == '.' || c == '-' || c == ' ' ? '_' : c;
}

/* How much of `name` is `word`, which has `count` bytes: all of it, or all but "_id". */
enum name_match { NAME_DIFFERS, NAME_IS, NAME_IS_ID };

static enum name_match match_name(const struct text_span *name, const char *word, size_t count) {
    if (name->count < count) {
        return NAME_DIFFERS;
    }
    for (size_t i = 0; i < count; i++) {
        if (folded(name->bytes[i]) != word[i]) {
            return NAME_DIFFERS;
        }
    }
    if (name->count == count) {
        return NAME_IS;
    }
    bool is_id = name->count == count + 3 && folded(name->bytes[count]) == '_' &&
                 folded(name->bytes[count + 1]) == 'i' && folded(name->bytes[count + 2]) == 'd';
    return is_id ? NAME_IS_ID : NAME_DIFFERS;
}

/* "rank12" and "rank_12" -> 12; 0 for anything else. */
static int64_t rank_number(const struct text_span *cell) {
    struct text_span name = bare_name(cell);
    if (name.count < 5 || name.count > 10) {
        return 0;
    }
    for (size_t i = 0; i < 4; i++) {
        if (folded(name.bytes[i]) != "rank"[i]) {
            return 0;
        }
    }
    size_t first = folded(name.bytes[4]) == '_' ? 5 : 4;
    int64_t number = 0;
    for (size_t i = first; i < name.count; i++) {
        if (name.bytes[i] < '0' || name.bytes[i] > '9') {
            return 0;
        }
        number = 10 * number + (name.bytes[i] - '0');
    }
    return number;
}

/* ---- finding columns ---- */

/* Whether a column plays a role; those of `ranking` and `ratings` but the first are is_of_many. */
static bool plays_any(const struct table_mapping *mapping, int64_t column) {
    for (int role = 0; role < TABLE_ROLE_COUNT; role++) {
        if (mapping->columns[role] == column) {
            return true;
        }
    }
    return false;
}

static bool plays_single(const struct table_mapping *mapping, int64_t column) {
    for (int role = 0; role < TABLE_ROLE_COUNT; role++) {
        if (mapping->columns[role] == column && !table_role_is_many((enum table_role)role)) {
            return true;
        }
    }
    return false;
}

/* The role called `word`; "..._id" is the role of that name with ids in it. */
static bool find_word(const char *word, enum table_role *out_role, bool *out_by_id) {
    struct text_span name = text_span_of(word);
    for (int r = 0; r < TABLE_ROLE_COUNT; r++) {
        enum table_role role = (enum table_role)r;
        enum name_match match =
            match_name(&name, table_role_word(role), strlen(table_role_word(role)));
        if (match == NAME_IS || (match == NAME_IS_ID && table_role_takes_ids(role))) {
            *out_role = role;
            *out_by_id = match == NAME_IS_ID;
            return true;
        }
    }
    return false;
}

static bool begins_with(const struct text_span *cell, const char *pattern) {
    size_t count = strlen(pattern) - 1; /* without the '*' */
    return cell->count >= count && memcmp(cell->bytes, pattern, count) == 0;
}

static const char *pattern_of(const struct import_settings *settings, enum table_role role) {
    for (int64_t i = 0; i < settings->map_count; i++) {
        enum table_role mapped = TABLE_ROLE_COUNT;
        bool by_id = false;
        if (find_word(settings->map[i].role, &mapped, &by_id) && mapped == role) {
            return settings->map[i].column;
        }
    }
    return NULL;
}

/* Whether column `c` is one of several that play a role: by name, since a search of `many` for each
 * of 65,536 columns would take a while. A column that has a role of its own is not. */
static bool is_of_many(const struct import_table_row *header, const struct table_mapping *mapping,
                       int64_t c) {
    bool is_ranking = mapping->columns[TABLE_RANKING] >= 0;
    if ((!is_ranking && mapping->columns[TABLE_RATINGS] < 0) || plays_single(mapping, c)) {
        return false;
    }
    const char *pattern = pattern_of(header->settings, is_ranking ? TABLE_RANKING : TABLE_RATINGS);
    return pattern ? begins_with(&header->cells[c], pattern) : rank_number(&header->cells[c]) > 0;
}

/* What the names in a header say, found once and used for every layout. No name belongs to two
 * roles of one layout, so a column that is found needs not be looked for again. */
struct named_columns {
    int64_t plain[TABLE_ROLE_COUNT], of_ids[TABLE_ROLE_COUNT]; /* or COLUMN_UNKNOWN */
    int64_t first_rank, rank_count;                            /* columns "rank1", "rank2", ... */
    bool has_texts;                                            /* ids can be looked up */
};

/* How far down the list of a role's names this one stands; -1 if it is none of them. */
static int64_t place_of_name(const struct text_span *name, enum table_role role,
                             enum name_match wanted) {
    const char *word = table_role_names(role);
    for (int64_t place = 0; *word; place++) {
        size_t count = strcspn(word, " ");
        if (match_name(name, word, count) == wanted) {
            return place;
        }
        word += count + strspn(word + count, " ");
    }
    return -1;
}

/* Notes column `c` for `role` if its name is likelier than that of the column noted before. */
static void note_name(const struct text_span *name, int64_t c, enum table_role role,
                      enum name_match wanted, int64_t places[TABLE_ROLE_COUNT],
                      int64_t columns[TABLE_ROLE_COUNT]) {
    int64_t place = place_of_name(name, role, wanted);
    if (place >= 0 && (columns[role] < 0 || place < places[role])) {
        places[role] = place;
        columns[role] = c;
    }
}

static void note_column(const struct text_span *cell, int64_t c,
                        int64_t places[2][TABLE_ROLE_COUNT], struct named_columns *out) {
    struct text_span name = bare_name(cell);
    for (int r = 0; r < TABLE_ROLE_COUNT; r++) {
        enum table_role role = (enum table_role)r;
        note_name(&name, c, role, NAME_IS, places[0], out->plain);
        if (table_role_takes_ids(role)) {
            note_name(&name, c, role, NAME_IS_ID, places[1], out->of_ids);
        }
    }
}

/* Columns that the user has given a role are not looked at. */
static void read_names(const struct import_table_row *header, const struct table_mapping *mapping,
                       struct named_columns *out) {
    int64_t places[2][TABLE_ROLE_COUNT] = {{0}};
    *out = (struct named_columns){.first_rank = COLUMN_UNKNOWN};
    out->has_texts = header->settings->texts != NULL;
    for (int role = 0; role < TABLE_ROLE_COUNT; role++) {
        out->plain[role] = COLUMN_UNKNOWN;
        out->of_ids[role] = COLUMN_UNKNOWN;
    }
    for (int64_t c = 0; c < header->cell_count; c++) {
        if (plays_any(mapping, c) || is_of_many(header, mapping, c)) {
            continue;
        }
        int64_t number = rank_number(&header->cells[c]);
        out->first_rank = number == 1 && out->first_rank < 0 ? c : out->first_rank;
        out->rank_count += number > 0;
        note_column(&header->cells[c], c, places, out);
    }
}

static bool find_role(const struct named_columns *names, struct table_mapping *mapping,
                      enum table_role role) {
    if (mapping->columns[role] != COLUMN_UNKNOWN) {
        return mapping->columns[role] >= 0;
    }
    if (role == TABLE_RANKING && names->first_rank >= 0 && names->rank_count >= 2) {
        mapping->columns[role] = names->first_rank;
        mapping->many_count = names->rank_count;
        return true;
    }
    bool is_prompt = role == TABLE_PROMPT;
    mapping->columns[role] = names->plain[role];
    if (names->plain[role] < 0 && (names->has_texts || !is_prompt)) {
        mapping->columns[role] = names->of_ids[role];
        mapping->prompt_by_id = mapping->prompt_by_id || (is_prompt && names->of_ids[role] >= 0);
        mapping->by_id = mapping->by_id || (!is_prompt && names->of_ids[role] >= 0);
    }
    return mapping->columns[role] >= 0;
}

/* A role is also played by one of its variants that the user has mapped. */
static uint64_t mapped_bits(const struct table_mapping *mapping) {
    uint64_t bits = 0;
    for (int role = 0; role < TABLE_ROLE_COUNT; role++) {
        if (mapping->columns[role] >= 0) {
            bits |= table_role_bit((enum table_role)role);
        }
    }
    return bits;
}

static bool is_winner_variant(uint64_t bits) {
    return (bits & (BIT(WINNER_INDEX) | BIT(WINNER_NAME))) != 0;
}

/* Roles that `layout` needs and nothing plays; those found are set in `mapping`. */
static uint64_t missing_bits(const struct named_columns *names, const struct table_layout *layout,
                             struct table_mapping *mapping) {
    uint64_t missing = 0;
    for (int r = 0; r < TABLE_ROLE_COUNT; r++) {
        enum table_role role = (enum table_role)r;
        bool given = role == TABLE_WINNER && is_winner_variant(mapped_bits(mapping)) &&
                     layout->reading == TABLE_READ_WINNER;
        if ((layout->required & table_role_bit(role)) && !given &&
            !find_role(names, mapping, role)) {
            missing |= table_role_bit(role);
        }
    }
    return missing;
}

/* Optional roles by their names. */
static void find_optional(const struct named_columns *names, struct table_mapping *mapping) {
    const struct table_layout *layout = mapping->layout;
    for (int r = 0; r < TABLE_ROLE_COUNT; r++) {
        enum table_role role = (enum table_role)r;
        if (layout->optional & table_role_bit(role)) {
            (void)find_role(names, mapping, role);
        }
    }
    /* A group of nobody in particular: the log keeps populations of annotators. */
    if (mapping->columns[TABLE_ANNOTATOR] < 0 && mapping->columns[TABLE_POPULATION] >= 0) {
        mapping->columns[TABLE_POPULATION] = COLUMN_UNKNOWN;
    }
}

/* ---- the user's mapping ---- */

static void mapping_init(struct table_mapping *mapping) {
    *mapping = (struct table_mapping)TABLE_MAPPING_INIT;
    for (int role = 0; role < TABLE_ROLE_COUNT; role++) {
        mapping->columns[role] = COLUMN_UNKNOWN;
    }
}

static bool is_pattern(const char *column) {
    size_t count = strlen(column);
    return count > 0 && column[count - 1] == '*';
}

static enum err_code refuse_word(const char *word, struct error *err) {
    const char *nearest = suggest_nearest(word, table_role_words(), TABLE_ROLE_COUNT);
    if (nearest) {
        return err_set(err, ERR_USAGE, "--map %s=...: no such role; did you mean '%s'?", word,
                       nearest);
    }
    return err_set(err, ERR_USAGE, "--map %s=...: no such role; 'accord help import' lists them",
                   word);
}

/* "date, home_team, away_team and 6 more" */
static void list_names(const struct import_table_row *header, struct strbuf *out) {
    for (int64_t c = 0; c < header->cell_count; c++) {
        char excerpt[UTF8_EXCERPT_BYTES];
        if (c == NAMES_SHOWN) {
            strbuf_addf(out, " and %" PRId64 " more", header->cell_count - c);
            return;
        }
        strbuf_addf(out, "%s%s", c > 0 ? ", " : "",
                    utf8_excerpt(header->cells[c].bytes, header->cells[c].count, excerpt));
    }
}

static enum err_code refuse_column(const struct import_table_row *header,
                                   const struct import_map_entry *entry, struct error *err) {
    SCOPED(strbuf) struct strbuf names = STRBUF_INIT(4096);
    list_names(header, &names);
    TRY(strbuf_check(&names, "list of columns", err));
    return err_set(err, ERR_USAGE, "%s: --map %s=%s: no column %s; there are: %s", header->place,
                   entry->role, entry->column,
                   is_pattern(entry->column) ? "begins so" : "has this name", strbuf_text(&names));
}

static enum err_code take_pattern(const struct import_table_row *header,
                                  const struct import_map_entry *entry, enum table_role role,
                                  struct table_mapping *mapping, struct error *err) {
    if (!is_pattern(entry->column)) {
        return err_set(err, ERR_USAGE,
                       "--map %s=%s: several columns play this role: write the "
                       "beginning of their names and a '*'",
                       entry->role, entry->column);
    }
    for (int64_t c = 0; c < header->cell_count; c++) {
        if (begins_with(&header->cells[c], entry->column) && !plays_single(mapping, c)) {
            mapping->columns[role] = mapping->many_count == 0 ? c : mapping->columns[role];
            mapping->many_count++;
        }
    }
    return mapping->many_count > 0 ? ERR_OK : refuse_column(header, entry, err);
}

static enum err_code take_column(const struct import_table_row *header,
                                 const struct import_map_entry *entry, int64_t *out_column,
                                 struct error *err) {
    struct text_span wanted = text_span_of(entry->column);
    if (wanted.count == 0) {
        *out_column = COLUMN_NONE;
        return ERR_OK;
    }
    int64_t found = COLUMN_UNKNOWN;
    for (int64_t c = 0; c < header->cell_count; c++) {
        bool equal = header->cells[c].count == wanted.count &&
                     memcmp(header->cells[c].bytes, wanted.bytes, wanted.count) == 0;
        if (equal && found >= 0) {
            return err_set(err, ERR_USAGE,
                           "%s: --map %s=%s: columns %" PRId64 " and %" PRId64
                           " both have this name",
                           header->place, entry->role, entry->column, found + 1, c + 1);
        }
        found = equal ? c : found;
    }
    if (found < 0) {
        return refuse_column(header, entry, err);
    }
    *out_column = found;
    return ERR_OK;
}

static enum err_code take_entry(const struct import_table_row *header,
                                const struct import_map_entry *entry, struct table_mapping *mapping,
                                struct error *err) {
    enum table_role role = TABLE_ROLE_COUNT;
    bool by_id = false;
    if (!find_word(entry->role, &role, &by_id)) {
        return refuse_word(entry->role, err);
    }
    if (mapping->columns[role] != COLUMN_UNKNOWN) {
        return err_set(err, ERR_USAGE, "--map %s=%s: this role is mapped twice", entry->role,
                       entry->column);
    }
    if (table_role_is_many(role)) {
        if (mapping->many_count > 0) {
            return err_set(err, ERR_USAGE,
                           "--map has both ranking=... and ratings=...: a table "
                           "holds the one or the other");
        }
        return take_pattern(header, entry, role, mapping, err);
    }
    TRY(take_column(header, entry, &mapping->columns[role], err));
    mapping->prompt_by_id = mapping->prompt_by_id || (by_id && role == TABLE_PROMPT);
    mapping->by_id = mapping->by_id || (by_id && role != TABLE_PROMPT);
    return ERR_OK;
}

static bool is_many_word(const char *word) {
    enum table_role role = TABLE_ROLE_COUNT;
    bool by_id = false;
    return find_word(word, &role, &by_id) && table_role_is_many(role);
}

/* Patterns come last: they leave out what has a role of its own. */
static enum err_code take_map(const struct import_table_row *header, struct table_mapping *mapping,
                              struct error *err) {
    const struct import_settings *settings = header->settings;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < settings->map_count; i++) {
            if (is_many_word(settings->map[i].role) == (pass == 1)) {
                TRY(take_entry(header, &settings->map[i], mapping, err));
            }
        }
    }
    return ERR_OK;
}

/* The user's mapping, and what the names of the other columns say. */
static enum err_code read_header(const struct import_table_row *header,
                                 struct table_mapping *mapping, struct named_columns *names,
                                 struct error *err) {
    mapping_init(mapping);
    TRY(take_map(header, mapping, err));
    read_names(header, mapping, names);
    struct table_mapping probe = *mapping;
    if (mapping->columns[TABLE_POPULATION] >= 0 && !find_role(names, &probe, TABLE_ANNOTATOR)) {
        return err_set(err, ERR_USAGE,
                       "%s: --map population=... needs an annotator, whose "
                       "population it is: add --map annotator=COLUMN",
                       header->place);
    }
    return ERR_OK;
}

/* ---- choosing the layout ---- */

static bool choose_layout(const struct named_columns *names, struct table_mapping *mapping) {
    uint64_t given = mapped_bits(mapping);
    const struct table_layout *layout = NULL;
    for (size_t i = 0; (layout = table_layout_at(i)); i++) {
        struct table_mapping tried = *mapping;
        if (given & ~table_layout_known(layout)) {
            continue;
        }
        if (missing_bits(names, layout, &tried) == 0) {
            tried.layout = layout;
            find_optional(names, &tried);
            *mapping = tried;
            return true;
        }
    }
    return false;
}

static int64_t count_bits(uint64_t bits) {
    int64_t count = 0;
    for (; bits != 0; bits &= bits - 1) {
        count++;
    }
    return count;
}

static void list_roles(uint64_t bits, struct strbuf *out) {
    const char *separator = "";
    for (int role = 0; role < TABLE_ROLE_COUNT; role++) {
        if (bits & table_role_bit((enum table_role)role)) {
            strbuf_addf(out, "%s%s", separator, table_role_word(role));
            separator = ", ";
        }
    }
}

/* Names the layout that comes nearest: the one that lacks the fewest roles. */
static enum err_code refuse_header(const struct import_table_row *header,
                                   const struct named_columns *names,
                                   const struct table_mapping *mapping, struct error *err) {
    uint64_t given = mapped_bits(mapping);
    uint64_t nearest_missing = UINT64_MAX;
    const struct table_layout *nearest = NULL;
    const struct table_layout *layout = NULL;
    for (size_t i = 0; (layout = table_layout_at(i)); i++) {
        struct table_mapping tried = *mapping;
        uint64_t missing = missing_bits(names, layout, &tried);
        bool has_some = missing != layout->required || given != 0;
        if (!(given & ~table_layout_known(layout)) && has_some &&
            count_bits(missing) < count_bits(nearest_missing)) {
            nearest = layout;
            nearest_missing = missing;
        }
    }
    SCOPED(strbuf) struct strbuf listed = STRBUF_INIT(4096);
    SCOPED(strbuf) struct strbuf lacking = STRBUF_INIT(4096);
    list_names(header, &listed);
    list_roles(nearest ? nearest_missing : given, &lacking);
    TRY(strbuf_check(&listed, "list of columns", err));
    TRY(strbuf_check(&lacking, "list of roles", err));
    if (!nearest && given != 0) {
        return err_set(err, ERR_USAGE, "%s: no table has all of these roles: %s", header->place,
                       strbuf_text(&lacking));
    }
    if (!nearest) {
        return err_set(err, ERR_DATA,
                       "%s: no column has a name that is known; there are: %s; say "
                       "what they are with --map role=column",
                       header->place, strbuf_text(&listed));
    }
    return err_set(err, ERR_DATA,
                   "%s: columns: %s; for '%s' there is no column for %s: name it "
                   "with --map role=column",
                   header->place, strbuf_text(&listed), nearest->title, strbuf_text(&lacking));
}

/* ---- one column, one meaning ---- */

/* Two sides from one column compare a thing with itself. */
static enum err_code check_sides(const struct import_table_row *header,
                                 const struct table_mapping *mapping, struct error *err) {
    const enum table_role sides[][2] = {
        {mapping->layout->first, mapping->layout->second},
        {TABLE_SCORE_A, TABLE_SCORE_B},
        {TABLE_WINS_A, TABLE_WINS_B},
    };
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        enum table_role a = sides[i][0], b = sides[i][1];
        if (a != TABLE_ROLE_COUNT && b != TABLE_ROLE_COUNT && mapping->columns[a] >= 0 &&
            mapping->columns[a] == mapping->columns[b]) {
            return err_set(err, ERR_USAGE, "%s: --map: column %" PRId64 " cannot be both %s and %s",
                           header->place, mapping->columns[a] + 1, table_role_word(a),
                           table_role_word(b));
        }
    }
    return ERR_OK;
}

/* Of two columns of one name either could be meant. */
static enum err_code check_names(const struct import_table_row *header,
                                 const struct table_mapping *mapping, struct error *err) {
    for (int role = 0; role < TABLE_ROLE_COUNT; role++) {
        int64_t column = mapping->columns[role];
        for (int64_t c = 0; column >= 0 && c < header->cell_count; c++) {
            const struct text_span *name = &header->cells[column];
            char excerpt[UTF8_EXCERPT_BYTES];
            if (c != column && text_span_equal(&header->cells[c], name)) {
                return err_set(err, ERR_DATA,
                               "%s:%" PRId64 ": columns %" PRId64 " and %" PRId64
                               " are both named '%s': rename one",
                               header->place, header->line, (c < column ? c : column) + 1,
                               (c < column ? column : c) + 1,
                               utf8_excerpt(name->bytes, name->count, excerpt));
            }
        }
    }
    return ERR_OK;
}

/* ---- several columns ---- */

struct numbered {
    int64_t column, number;
};

static int compare_numbered(const void *left, const void *right) {
    const struct numbered *l = left;
    const struct numbered *r = right;
    if (l->number != r->number) {
        return l->number < r->number ? -1 : 1;
    }
    return (l->column > r->column) - (l->column < r->column);
}

/* The number at the end of a name, or -1. */
static int64_t trailing_number(const struct text_span *name) {
    size_t first = name->count;
    while (first > 0 && name->bytes[first - 1] >= '0' && name->bytes[first - 1] <= '9') {
        first--;
    }
    if (first == name->count || name->count - first > 9) {
        return -1;
    }
    int64_t number = 0;
    for (size_t i = first; i < name->count; i++) {
        number = 10 * number + (name->bytes[i] - '0');
    }
    return number;
}

/* In the order of their numbers, where all have one: rank2 comes before rank10 wherever it stands.
 * Two of one number are refused: which of them is the second is anybody's guess. */
static enum err_code order_many(const struct import_table_row *header, struct numbered *found,
                                int64_t count, struct error *err) {
    for (int64_t i = 0; i < count; i++) {
        if (found[i].number < 0) {
            return ERR_OK;
        }
    }
    qsort(found, (size_t)count, sizeof *found, compare_numbered);
    for (int64_t i = 1; i < count; i++) {
        if (found[i].number == found[i - 1].number) {
            return err_set(err, ERR_DATA,
                           "%s: columns %" PRId64 " and %" PRId64 " of the header "
                           "both have number %" PRId64 ": their order is not clear",
                           header->place, found[i - 1].column + 1, found[i].column + 1,
                           found[i].number);
        }
    }
    return ERR_OK;
}

static enum err_code collect_many(const struct import_table_row *header, enum table_role role,
                                  struct table_mapping *mapping, struct error *err) {
    const char *pattern = pattern_of(header->settings, role);
    SCOPED(mem) struct numbered *found = mem_array((size_t)mapping->many_count, sizeof *found);
    SCOPED(mem) int64_t *many = mem_array((size_t)mapping->many_count, sizeof *many);
    if (!found || !many) {
        return err_oom(err, "columns of a table");
    }
    int64_t count = 0;
    for (int64_t c = 0; c < header->cell_count && count < mapping->many_count; c++) {
        const struct text_span *cell = &header->cells[c];
        if (is_of_many(header, mapping, c)) {
            int64_t number = pattern ? trailing_number(cell) : rank_number(cell);
            found[count++] = (struct numbered){c, number};
        }
    }
    TRY(order_many(header, found, count, err));
    for (int64_t i = 0; i < count; i++) {
        many[i] = found[i].column;
    }
    mapping->many = MOVE(many);
    mapping->many_count = count;
    return ERR_OK;
}

/* ---- faces ---- */

bool table_mapping_recognise(const struct import_table_row *header, struct table_mapping *mapping) {
    struct error ignored = ERROR_INIT;
    struct named_columns names;
    return read_header(header, mapping, &names, &ignored) == ERR_OK &&
           choose_layout(&names, mapping);
}

enum err_code table_mapping_open(const struct import_table_row *header,
                                 struct table_mapping *out_mapping, struct error *err) {
    struct table_mapping mapping;
    struct named_columns names;
    TRY(read_header(header, &mapping, &names, err));
    if (!choose_layout(&names, &mapping)) {
        return refuse_header(header, &names, &mapping, err);
    }
    TRY(check_sides(header, &mapping, err));
    TRY(check_names(header, &mapping, err));
    bool by_id = mapping.by_id || mapping.prompt_by_id;
    if (by_id && mapping.layout->texts && !header->settings->texts) {
        return err_set(err, ERR_DATA,
                       "%s: the columns of the texts hold ids: give the file that "
                       "has the texts with --texts FILE",
                       header->place);
    }
    if (mapping.layout->reading == TABLE_READ_RANKING_WIDE) {
        TRY(collect_many(header, TABLE_RANKING, &mapping, err));
    } else if (mapping.layout->reading == TABLE_READ_RATINGS) {
        TRY(collect_many(header, TABLE_RATINGS, &mapping, err));
    }
    *out_mapping = mapping;
    return ERR_OK;
}

void table_mapping_close(struct table_mapping *mapping) {
    mem_free(mapping->many);
    mapping->many = NULL;
    mapping->many_count = 0;
}

void table_mapping_describe(const struct table_mapping *mapping,
                            const struct import_table_row *header, struct strbuf *out) {
    const char *separator = "";
    for (int role = 0; role < TABLE_ROLE_COUNT; role++) {
        int64_t column = mapping->columns[role];
        if (column < 0) {
            continue;
        }
        char excerpt[UTF8_EXCERPT_BYTES];
        strbuf_addf(
            out, "%s%s '%s'", separator, table_role_word(role),
            utf8_excerpt(header->cells[column].bytes, header->cells[column].count, excerpt));
        if (table_role_is_many((enum table_role)role) && mapping->many_count > 1) {
            strbuf_addf(out, " and %" PRId64 " more", mapping->many_count - 1);
        }
        separator = ", ";
    }
}

void table_mapping_describe_unused(const struct table_mapping *mapping,
                                   const struct import_table_row *header, struct strbuf *out) {
    int64_t count = 0;
    for (int64_t c = 0; c < header->cell_count; c++) {
        char excerpt[UTF8_EXCERPT_BYTES];
        if (plays_any(mapping, c) || is_of_many(header, mapping, c)) {
            continue;
        }
        if (count == NAMES_SHOWN) {
            strbuf_add(out, ", ...");
            return;
        }
        strbuf_addf(out, "%s%s", count > 0 ? ", " : "",
                    utf8_excerpt(header->cells[c].bytes, header->cells[c].count, excerpt));
        count++;
    }
}
