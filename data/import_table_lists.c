/* import_table_lists.c - rows of a table that hold rankings, ratings and labels; see
 * import_table_internal.h. */
#include "base/array.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/import_table_internal.h"
#include "data/table_cells.h"

#include <inttypes.h>
#include <stdlib.h>

/* Rankings beyond are not looked for again: 64 MiB of memory. */
#define SEEN_MAX (4 * 1024 * 1024)

/* ---- wide rankings ---- */

static bool is_nobody(const struct text_span *cell) {
    struct text_span text = table_cell_trimmed(cell);
    return table_cell_is_empty(&text) || (text.count == 1 && *text.bytes == '0');
}

/* How many of the ranking's cells hold items: those behind the last item are empty, NA or 0. A 0
 * before another item is an item, and both in one file is refused at the end. */
static enum err_code count_items(struct table_reader *reader, const struct import_table_row *row,
                                 int64_t *out_count, struct error *err) {
    const struct table_mapping *mapping = &reader->mapping;
    int64_t count = mapping->many_count;
    bool ends_in_zero = false;
    while (count > 0 && is_nobody(&row->cells[mapping->many[count - 1]])) {
        count--;
        ends_in_zero = ends_in_zero || !table_cell_is_empty(&row->cells[mapping->many[count]]);
    }
    bool has_zero = false;
    for (int64_t i = 0; i < count; i++) {
        int64_t column = mapping->many[i];
        if (table_cell_is_empty(&row->cells[column])) {
            return import_cell_refuse(row, column, reader->names[column], err,
                                      "expected an item, since others follow");
        }
        has_zero = has_zero || is_nobody(&row->cells[column]);
    }
    reader->counts.zeros_at_end += ends_in_zero;
    reader->counts.zeros_inside += has_zero;
    *out_count = count;
    return ERR_OK;
}

static int compare_responses(const void *left, const void *right) {
    const struct text_span *l = &(*(const struct preference_response *const *)left)->text;
    const struct text_span *r = &(*(const struct preference_response *const *)right)->text;
    size_t shared = l->count < r->count ? l->count : r->count;
    int order = shared > 0 ? memcmp(l->bytes, r->bytes, shared) : 0;
    return order != 0 ? order : (l->count > r->count) - (l->count < r->count);
}

/* An item has one place in a ranking. Equal texts may stand in several. */
static enum err_code check_once(const struct table_reader *reader,
                                const struct import_table_row *row,
                                const struct preference_response *items, int64_t count,
                                struct error *err) {
    SCOPED(mem)
    const struct preference_response **sorted = mem_array((size_t)count + 1, sizeof *sorted);
    if (!sorted) {
        return err_oom(err, "items of a ranking");
    }
    for (int64_t i = 0; i < count; i++) {
        sorted[i] = &items[i];
    }
    qsort((void *)sorted, (size_t)count, sizeof *sorted, compare_responses);
    for (int64_t i = 1; i < count; i++) {
        const struct preference_response *one = sorted[i - 1];
        const struct preference_response *two = sorted[i];
        if (table_same_text(&one->text, &two->text)) {
            int64_t first = reader->mapping.many[(one < two ? one : two) - items];
            int64_t second = reader->mapping.many[(one < two ? two : one) - items];
            return import_cell_refuse(row, second, reader->names[second], err,
                                      "the same item as in %s", reader->names[first]);
        }
    }
    return ERR_OK;
}

enum err_code table_read_ranking_wide(struct table_reader *reader,
                                      const struct import_table_row *row,
                                      struct import_batch *batch, struct error *err) {
    struct preference like;
    struct text_span no_topic = TEXT_SPAN_NONE;
    int64_t count = 0;
    TRY(table_read_rest(reader, row, &no_topic, &like, err));
    TRY(count_items(reader, row, &count, err));
    if (count < 2 || like.weight <= 0.0) {
        reader->counts.short_lists += count < 2;
        reader->counts.weightless += count >= 2;
        return ERR_OK;
    }
    struct preference *made = NULL;
    struct preference_response *items = NULL;
    TRY(table_add(batch, &like, count, &made, &items, err));
    for (int64_t i = 0; i < count; i++) {
        struct table_subject subject;
        TRY(table_read_subject(reader, row, reader->mapping.many[i], &subject, err));
        items[i].text = subject.text;
        items[i].origin = subject.origin;
        items[i].rank = i + 1;
    }
    return reader->mapping.layout->texts ? ERR_OK : check_once(reader, row, items, count, err);
}

/* ---- long rankings ---- */

static enum err_code copy_text(struct table_group *group, struct text_span *text,
                               struct error *err) {
    if (!text_span_is_set(text)) {
        return ERR_OK;
    }
    size_t room = group->arena.bytes_max - group->arena.bytes_reserved;
    char *copy = arena_strndup(&group->arena, text->bytes, text->count);
    if (!copy && text->count > room) {
        return err_set(err, ERR_LIMIT, "the texts of one ranking take more than %zu MiB",
                       group->arena.bytes_max / MIB);
    }
    if (!copy) {
        return err_oom(err, "texts of a ranking");
    }
    text->bytes = copy;
    return ERR_OK;
}

static void group_reset(struct table_group *group) {
    arena_reset(&group->arena);
    group->is_open = false;
    group->count = 0;
}

static enum err_code group_begin(struct table_group *group, const struct text_span *id,
                                 const struct preference *like, struct error *err) {
    group_reset(group);
    group->id = *id;
    group->like = *like;
    group->line = like->line;
    TRY(copy_text(group, &group->id, err));
    TRY(copy_text(group, &group->like.prompt.text, err));
    TRY(copy_text(group, &group->like.prompt.topic, err));
    TRY(copy_text(group, &group->like.annotator, err));
    TRY(copy_text(group, &group->like.population, err));
    TRY(copy_text(group, &group->like.aspect, err));
    group->is_open = true;
    return ERR_OK;
}

/* One item of a ranking, read from a row. */
struct table_place {
    struct text_span id;
    int64_t id_column;
    struct table_subject subject;
    int64_t subject_column;
    int64_t rank, position; /* position 0: not known */
    struct preference like;
};

static enum err_code group_add(struct table_group *group, const struct table_place *place,
                               struct error *err) {
    TRY(array_reserve(ARRAY_REF(group->items), &group->capacity, group->count + 1,
                      "items of a ranking", err));
    struct preference_response item = {.text = place->subject.text,
                                       .origin = place->subject.origin,
                                       .rank = place->rank,
                                       .position = place->position};
    TRY(copy_text(group, &item.text, err));
    TRY(copy_text(group, &item.origin, err));
    group->items[group->count++] = item;
    return ERR_OK;
}

/* The group as a preference whose best has rank 1. */
static enum err_code group_give(struct table_reader *reader, struct table_group *group,
                                struct import_batch *batch, struct error *err) {
    if (group->count < 2 || group->like.weight <= 0.0) {
        reader->counts.short_lists += group->count < 2;
        reader->counts.weightless += group->count >= 2;
        return ERR_OK;
    }
    struct preference *made = NULL;
    struct preference_response *items = NULL;
    TRY(table_add(batch, &group->like, group->count, &made, &items, err));
    int64_t best = group->items[0].rank;
    for (int64_t i = 1; i < group->count; i++) {
        best = group->items[i].rank < best ? group->items[i].rank : best;
    }
    for (int64_t i = 0; i < group->count; i++) {
        items[i] = group->items[i];
        items[i].rank += 1 - best;
    }
    return ERR_OK;
}

static enum err_code hash_of(const struct text_span *id, uint64_t *out, struct error *err) {
    const struct hash_part part = {id->bytes, id->count};
    struct hash_key key;
    TRY(hash_key_of(&part, 1, &key, err));
    memcpy(out, key.bytes, sizeof *out);
    *out += *out == 0; /* 0 is a free place */
    return ERR_OK;
}

/* Where `hash` stands in `seen`, or the free place where it belongs. */
static int64_t seen_place(const uint64_t *seen, int64_t capacity, uint64_t hash) {
    int64_t place = (int64_t)(hash % (uint64_t)capacity);
    while (seen[place] != 0 && seen[place] != hash) {
        place = (place + 1) % capacity;
    }
    return place;
}

static enum err_code seen_grow(struct table_reader *reader, struct error *err) {
    int64_t capacity = reader->seen_capacity > 0 ? 2 * reader->seen_capacity : 64;
    uint64_t *grown = mem_array_zero((size_t)capacity, sizeof *grown);
    if (!grown) {
        return err_oom(err, "ids of rankings");
    }
    for (int64_t i = 0; i < reader->seen_capacity; i++) {
        if (reader->seen[i] != 0) {
            grown[seen_place(grown, capacity, reader->seen[i])] = reader->seen[i];
        }
    }
    mem_free(reader->seen);
    reader->seen = grown;
    reader->seen_capacity = capacity;
    return ERR_OK;
}

static enum err_code seen_add(struct table_reader *reader, const struct text_span *id,
                              struct error *err) {
    uint64_t hash = 0;
    if (reader->seen_count >= SEEN_MAX) {
        return ERR_OK;
    }
    TRY(hash_of(id, &hash, err));
    if (2 * (reader->seen_count + 1) > reader->seen_capacity) {
        TRY(seen_grow(reader, err));
    }
    reader->seen[seen_place(reader->seen, reader->seen_capacity, hash)] = hash;
    reader->seen_count++;
    return ERR_OK;
}

static enum err_code seen_find(const struct table_reader *reader, const struct text_span *id,
                               bool *out_found, struct error *err) {
    uint64_t hash = 0;
    *out_found = false;
    if (reader->seen_count == 0) {
        return ERR_OK;
    }
    TRY(hash_of(id, &hash, err));
    *out_found = reader->seen[seen_place(reader->seen, reader->seen_capacity, hash)] == hash;
    return ERR_OK;
}

static enum err_code read_whole(const struct table_reader *reader,
                                const struct import_table_row *row, int64_t column, int64_t *out,
                                struct error *err) {
    double value = 0.0;
    TRY(table_cell_count(row, column, reader->names[column], &value, err));
    if (value > PREFERENCE_PLACE_MAX || value != (double)(int64_t)value) {
        return import_cell_refuse(row, column, reader->names[column], err,
                                  "expected a whole number up to %d", PREFERENCE_PLACE_MAX);
    }
    *out = (int64_t)value;
    return ERR_OK;
}

static enum err_code read_position(const struct table_reader *reader,
                                   const struct import_table_row *row, int64_t *out,
                                   struct error *err) {
    int64_t column = reader->mapping.columns[TABLE_POSITION];
    *out = 0;
    if (column < 0 || table_cell_is_empty(&row->cells[column])) {
        return ERR_OK;
    }
    TRY(read_whole(reader, row, column, out, err));
    return *out > 0 ? ERR_OK
                    : import_cell_refuse(row, column, reader->names[column], err,
                                         "expected 1 for what was shown first");
}

static enum err_code read_place(const struct table_reader *reader,
                                const struct import_table_row *row, struct table_place *out,
                                struct error *err) {
    const int64_t *columns = reader->mapping.columns;
    out->id_column = columns[TABLE_RANKING_ID];
    out->subject_column = columns[reader->mapping.layout->first];
    out->id = table_cell_trimmed(&row->cells[out->id_column]);
    if (out->id.count == 0) {
        return import_cell_refuse(row, out->id_column, reader->names[out->id_column], err,
                                  "expected which ranking the row belongs to");
    }
    TRY(table_read_subject(reader, row, out->subject_column, &out->subject, err));
    struct text_span origin = table_optional_text(reader, row, TABLE_ORIGIN);
    out->subject.origin = text_span_is_set(&origin) ? origin : out->subject.origin;
    TRY(read_whole(reader, row, columns[TABLE_RANK], &out->rank, err));
    TRY(read_position(reader, row, &out->position, err));
    return table_read_rest(reader, row, &out->subject.topic, &out->like, err);
}

/* What is said of a ranking must be the same in all of its rows, and an item stands there once. */
static enum err_code check_place(const struct table_reader *reader,
                                 const struct import_table_row *row,
                                 const struct table_group *group, const struct table_place *place,
                                 struct error *err) {
    const struct preference *like = &group->like;
    int64_t column = place->subject_column;
    if (!table_same_text(&like->prompt.text, &place->like.prompt.text) ||
        !table_same_text(&like->annotator, &place->like.annotator) ||
        !table_same_text(&like->aspect, &place->like.aspect) ||
        like->weight != place->like.weight) {
        return import_cell_refuse(row, place->id_column, reader->names[place->id_column], err,
                                  "this ranking has another prompt, annotator, aspect or weight in "
                                  "line %" PRId64,
                                  group->line);
    }
    if (group->count >= PREFERENCE_RESPONSES_MAX) {
        return import_cell_refuse(row, place->id_column, reader->names[place->id_column], err,
                                  "a ranking has at most %d items", PREFERENCE_RESPONSES_MAX);
    }
    for (int64_t i = 0; !reader->mapping.layout->texts && i < group->count; i++) {
        if (table_same_text(&group->items[i].text, &place->subject.text)) {
            return import_cell_refuse(row, column, reader->names[column], err,
                                      "this item is in the ranking already");
        }
    }
    return ERR_OK;
}

enum err_code table_read_ranking_long(struct table_reader *reader,
                                      const struct import_table_row *row,
                                      struct import_batch *batch, struct error *err) {
    struct table_group *group = &reader->groups[reader->growing];
    struct table_place place;
    TRY(read_place(reader, row, &place, err));
    if (group->is_open && table_same_text(&group->id, &place.id)) {
        TRY(check_place(reader, row, group, &place, err));
        return group_add(group, &place, err);
    }
    bool seen = false;
    TRY(seen_find(reader, &place.id, &seen, err));
    if (seen) {
        return import_cell_refuse(row, place.id_column, reader->names[place.id_column], err,
                                  "this ranking has ended further up: its rows must follow one "
                                  "another; sort the file by it");
    }
    if (group->is_open) {
        TRY(seen_add(reader, &group->id, err));
        TRY(group_give(reader, group, batch, err));
        group->is_open = false;
        reader->growing = 1 - reader->growing; /* its texts are in use until the row is taken */
        group = &reader->groups[reader->growing];
    }
    TRY(group_begin(group, &place.id, &place.like, err));
    return group_add(group, &place, err);
}

enum err_code table_finish_groups(struct table_reader *reader, struct import_batch *batch,
                                  struct error *err) {
    struct table_group *group = &reader->groups[reader->growing];
    return group->is_open ? group_give(reader, group, batch, err) : ERR_OK;
}

void table_close_groups(struct table_reader *reader) {
    for (int i = 0; i < 2; i++) {
        arena_deinit(&reader->groups[i].arena);
        mem_free(reader->groups[i].items);
        reader->groups[i].items = NULL;
    }
    mem_free(reader->seen);
    reader->seen = NULL;
}

/* ---- ratings and labels ---- */

/* What the row is about. */
static enum err_code read_rated(const struct table_reader *reader,
                                const struct import_table_row *row, struct table_subject *out,
                                struct error *err) {
    int64_t column = reader->mapping.columns[reader->mapping.layout->first];
    TRY(table_read_subject(reader, row, column, out, err));
    struct text_span origin = table_optional_text(reader, row, TABLE_ORIGIN);
    out->origin = text_span_is_set(&origin) ? origin : out->origin;
    return ERR_OK;
}

/* Both ends of the scale, or neither: a cell may be empty. */
static enum err_code read_scale(const struct table_reader *reader,
                                const struct import_table_row *row, struct preference *like,
                                struct error *err) {
    static const enum table_role roles[2] = {TABLE_SCALE_LOW, TABLE_SCALE_HIGH};
    double ends[2] = {0.0, 0.0};
    bool is_empty[2] = {true, true};
    for (int i = 0; i < 2; i++) {
        int64_t column = reader->mapping.columns[roles[i]];
        if (column >= 0) {
            TRY(table_cell_number(row, column, reader->names[column], &ends[i], &is_empty[i], err));
        }
    }
    if (is_empty[0] != is_empty[1]) {
        int64_t column = reader->mapping.columns[roles[is_empty[0] ? 1 : 0]];
        return import_cell_refuse(row, column, reader->names[column], err,
                                  "one end of the scale without the other: expected scale_low and "
                                  "scale_high, or neither");
    }
    like->has_scale = !is_empty[0];
    like->scale_low = ends[0];
    like->scale_high = ends[1];
    return ERR_OK;
}

enum err_code table_read_alone(struct table_reader *reader, const struct import_table_row *row,
                               struct import_batch *batch, struct error *err) {
    const struct table_layout *layout = reader->mapping.layout;
    bool is_label = layout->reading == TABLE_READ_LABEL;
    int64_t column = reader->mapping.columns[is_label ? TABLE_LABEL : TABLE_RATING];
    struct table_subject subject;
    struct preference like;
    bool is_empty = false;
    TRY(read_rated(reader, row, &subject, err));
    TRY(table_read_rest(reader, row, &subject.topic, &like, err));
    like.kind = is_label ? PREFERENCE_LABEL : PREFERENCE_RATING;
    if (is_label) {
        TRY(table_cell_bool(row, column, reader->names[column], &like.good, err));
    } else {
        TRY(table_cell_number(row, column, reader->names[column], &like.value, &is_empty, err));
        TRY(read_scale(reader, row, &like, err));
    }
    if (is_empty || like.weight <= 0.0) {
        reader->counts.unrated += is_empty;
        reader->counts.weightless += !is_empty;
        return ERR_OK;
    }
    struct preference *made = NULL;
    struct preference_response *response = NULL;
    TRY(table_add(batch, &like, 1, &made, &response, err));
    response->text = subject.text;
    response->origin = subject.origin;
    return ERR_OK;
}

/* The item that a column is named after. */
static enum err_code read_item_of_column(const struct table_reader *reader,
                                         const struct import_table_row *row, int64_t column,
                                         struct table_subject *out, struct error *err) {
    const struct text_span name = text_span_of(reader->names[column]);
    const struct text_span id = table_cell_trimmed(&name);
    *out = (struct table_subject){.cell = id, .text = id};
    if (!reader->texts) {
        return ERR_OK;
    }
    const struct import_text *text = import_texts_find(reader->texts, &id);
    if (!text) {
        return import_cell_refuse(row, column, reader->names[column], err,
                                  "the column's name is no id in '%s'", reader->settings->texts);
    }
    out->text = text->text;
    out->origin = text->origin;
    return ERR_OK;
}

/* A column is named after the annotator, or after the item, whichever the row does not say. */
enum err_code table_read_ratings(struct table_reader *reader, const struct import_table_row *row,
                                 struct import_batch *batch, struct error *err) {
    const struct table_mapping *mapping = &reader->mapping;
    struct table_subject subject = {.topic = TEXT_SPAN_NONE};
    struct preference like;
    bool by_annotators = mapping->layout->first != TABLE_ROLE_COUNT;
    if (by_annotators) {
        TRY(read_rated(reader, row, &subject, err));
    }
    TRY(table_read_rest(reader, row, &subject.topic, &like, err));
    like.kind = PREFERENCE_RATING;
    TRY(read_scale(reader, row, &like, err));
    for (int64_t i = 0; i < mapping->many_count; i++) {
        int64_t column = mapping->many[i];
        bool is_empty = false;
        TRY(table_cell_number(row, column, reader->names[column], &like.value, &is_empty, err));
        if (is_empty || like.weight <= 0.0) {
            continue;
        }
        if (by_annotators) {
            const struct text_span name = text_span_of(reader->names[column]);
            like.annotator = table_cell_trimmed(&name);
        } else {
            TRY(read_item_of_column(reader, row, column, &subject, err));
        }
        struct preference *made = NULL;
        struct preference_response *response = NULL;
        TRY(table_add(batch, &like, 1, &made, &response, err));
        response->text = subject.text;
        response->origin = subject.origin;
    }
    reader->counts.unrated += batch->row_count == 0;
    return ERR_OK;
}
