/* import_texts.c - see import_texts.h. */
#include "data/import_texts.h"

#include "base/array.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/input_stream.h"
#include "data/json_rows.h"
#include "data/table_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define INTEGER_BYTES 24

struct import_texts {
    char *path;
    const struct import_text_names *names; /* while it is opened */
    struct arena arena;
    struct import_text *entries; /* [count] by id */
    int64_t count;
    int64_t capacity;
};

static int compare_spans(const struct text_span *left, const struct text_span *right) {
    size_t shared = left->count < right->count ? left->count : right->count;
    int order = shared > 0 ? memcmp(left->bytes, right->bytes, shared) : 0;
    return order != 0 ? order : (left->count > right->count) - (left->count < right->count);
}

static int compare_ids(const void *left, const void *right) {
    const struct import_text *l = left;
    const struct import_text *r = right;
    int order = compare_spans(&l->id, &r->id);
    return order != 0 ? order : (l->line > r->line) - (l->line < r->line);
}

static int compare_texts(const void *left, const void *right) {
    const struct import_text *const *l = left;
    const struct import_text *const *r = right;
    int order = compare_spans(&(*l)->text, &(*r)->text);
    return order != 0 ? order : compare_ids(*l, *r);
}

static const char *const default_ids[] = {"id", "#id", NULL};
static const char *const default_texts[] = {"text", "name", "title", NULL};
static const char *const default_origins[] = {"author", "origin", "model", NULL};
static const char *const default_topics[] = {"topic", NULL};
static const struct import_text_names default_names = {
    .id = default_ids,
    .text = default_texts,
    .origin = default_origins,
    .topic = default_topics,
};

/* ---- entries ---- */

/* An author or a topic without a name is none. */
static struct text_span not_empty(const struct text_span *span) {
    return span->count > 0 ? *span : (struct text_span)TEXT_SPAN_NONE;
}

static enum err_code copy_span(struct import_texts *texts, struct text_span *span,
                               struct error *err) {
    if (!text_span_is_set(span)) {
        return ERR_OK;
    }
    size_t reserved = texts->arena.bytes_reserved;
    char *copy = arena_strndup(&texts->arena, span->bytes, span->count);
    if (!copy && span->count > texts->arena.bytes_max - reserved) {
        return err_set(err, ERR_DATA, "'%s': texts of more than %zu MiB", texts->path,
                       IMPORT_TEXTS_BYTES_MAX / MIB);
    }
    if (!copy) {
        return err_oom(err, "texts of ids");
    }
    span->bytes = copy;
    return ERR_OK;
}

static enum err_code add_entry(struct import_texts *texts, struct import_text entry,
                               struct error *err) {
    TRY(array_reserve(ARRAY_REF(texts->entries), &texts->capacity, texts->count + 1, "texts of ids",
                      err));
    entry.origin = not_empty(&entry.origin);
    entry.topic = not_empty(&entry.topic);
    TRY(copy_span(texts, &entry.id, err));
    TRY(copy_span(texts, &entry.text, err));
    TRY(copy_span(texts, &entry.origin, err));
    TRY(copy_span(texts, &entry.topic, err));
    texts->entries[texts->count++] = entry;
    return ERR_OK;
}

/* ---- JSON ---- */

/* The first of several keys that is there, the last of which is NULL. */
static const struct json_node *find_any(const struct json *doc, const char *const *keys) {
    for (; *keys; keys++) {
        const struct json_node *node = json_find(doc, json_root(doc), *keys);
        if (node && json_kind_of(node) != JSON_KIND_NULL) {
            return node;
        }
    }
    return NULL;
}

static enum err_code optional_string(const struct json *doc, const char *const *keys,
                                     struct text_span *out, struct error *err) {
    const struct json_node *node = find_any(doc, keys);
    const char *text = NULL;
    if (node) {
        TRY(json_as_string(doc, node, &text, err));
        *out = text_span_of(text);
    }
    return ERR_OK;
}

static enum err_code add_object(struct import_texts *texts, const struct json_row *row,
                                struct error *err) {
    const struct json *doc = row->doc;
    const struct json_node *id = find_any(doc, texts->names->id);
    if (!id) {
        return json_refuse(doc, json_root(doc), err, "expected a key '%s'", texts->names->id[0]);
    }
    struct import_text entry = {.line = row->line};
    char digits[INTEGER_BYTES];
    const char *text = digits;
    if (json_kind_of(id) == JSON_KIND_NUMBER) {
        int64_t number = 0;
        TRY(json_as_i64(doc, id, &number, err));
        (void)snprintf(digits, sizeof digits, "%" PRId64, number);
    } else {
        TRY(json_as_string(doc, id, &text, err));
    }
    entry.id = text_span_of(text);
    TRY(optional_string(doc, texts->names->text, &entry.text, err));
    TRY(optional_string(doc, texts->names->origin, &entry.origin, err));
    TRY(optional_string(doc, texts->names->topic, &entry.topic, err));
    if (!text_span_is_set(&entry.text)) {
        return json_refuse(doc, json_root(doc), err, "expected a key '%s'", texts->names->text[0]);
    }
    return add_entry(texts, entry, err);
}

static enum err_code read_json(struct input_stream *in, struct import_texts *texts,
                               struct error *err) {
    SCOPED(json_rows) struct json_rows *rows = NULL;
    TRY(json_rows_open(in, &rows, err));
    struct json_row row;
    bool has_row = true;
    for (;;) {
        TRY(json_rows_next(rows, &row, &has_row, err));
        if (!has_row) {
            return ERR_OK;
        }
        TRY(add_object(texts, &row, err));
    }
}

/* ---- tables ---- */

#define COLUMN_ABSENT (-1)

struct text_columns {
    int64_t id, text, origin, topic;
};

static bool is_called(const struct text_span *cell, const char *name) {
    size_t count = strlen(name);
    if (cell->count != count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        char c = cell->bytes[i];
        if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != name[i]) {
            return false;
        }
    }
    return true;
}

static int64_t find_column(const struct table_record *header, const char *const *names) {
    for (; *names; names++) {
        for (int64_t c = 0; c < header->count; c++) {
            if (is_called(&header->cells[c], *names)) {
                return c;
            }
        }
    }
    return COLUMN_ABSENT;
}

/* A table of two columns, one of which is the id, has its texts in the other. */
static enum err_code find_columns(const struct import_texts *texts,
                                  const struct table_record *header, struct text_columns *out,
                                  struct error *err) {
    const struct import_text_names *names = texts->names;
    struct text_columns columns = {find_column(header, names->id), find_column(header, names->text),
                                   find_column(header, names->origin),
                                   find_column(header, names->topic)};
    if (columns.id >= 0 && columns.text < 0 && header->count == 2) {
        columns = (struct text_columns){columns.id, 1 - columns.id, COLUMN_ABSENT, COLUMN_ABSENT};
    }
    if (columns.id < 0 || columns.text < 0) {
        return err_set(err, ERR_DATA, "%s:%" PRId64 ": expected a column '%s' and a column '%s'",
                       texts->path, header->line, names->id[0], names->text[0]);
    }
    *out = columns;
    return ERR_OK;
}

static struct text_span cell_at(const struct table_record *record, int64_t column) {
    bool is_there = column >= 0 && column < record->count && record->cells[column].count > 0;
    return is_there ? record->cells[column] : (struct text_span)TEXT_SPAN_NONE;
}

static enum err_code add_record(struct import_texts *texts, const struct table_record *record,
                                const struct text_columns *columns, struct error *err) {
    struct import_text entry = {
        .id = cell_at(record, columns->id),
        .text = record->cells[columns->text],
        .origin = cell_at(record, columns->origin),
        .topic = cell_at(record, columns->topic),
        .line = record->line,
    };
    if (!text_span_is_set(&entry.id)) {
        return err_set(err, ERR_DATA, "%s:%" PRId64 ": the id is empty", texts->path, record->line);
    }
    return add_entry(texts, entry, err);
}

static enum err_code read_table(struct input_stream *in, struct import_texts *texts,
                                struct error *err) {
    SCOPED(table_rows) struct table_rows *rows = NULL;
    TRY(table_rows_open(in, TABLE_DELIMITER_FROM_HEADER, &rows, err));
    struct text_columns columns = {0};
    TRY(find_columns(texts, table_rows_header(rows), &columns, err));
    struct table_record record;
    bool has_record = true;
    for (;;) {
        TRY(table_rows_next(rows, &record, &has_record, err));
        if (!has_record) {
            return ERR_OK;
        }
        TRY(add_record(texts, &record, &columns, err));
    }
}

/* ---- both ---- */

/* Whether the first character that is not space begins JSON. */
static enum err_code is_json(struct input_stream *in, bool *out_is_json, struct error *err) {
    bool has_more = true;
    size_t i = 0;
    for (;;) {
        struct text_span ready = input_stream_ready(in);
        while (i < ready.count && ready.bytes[i] != '\0' && strchr(" \t\r\n", ready.bytes[i])) {
            i++;
        }
        if (i < ready.count || !has_more) {
            *out_is_json = i < ready.count && (ready.bytes[i] == '{' || ready.bytes[i] == '[');
            return ERR_OK;
        }
        TRY(input_stream_more(in, &has_more, err));
    }
}

static enum err_code sort_entries(struct import_texts *texts, struct error *err) {
    if (texts->count > 0) {
        qsort(texts->entries, (size_t)texts->count, sizeof texts->entries[0], compare_ids);
    }
    for (int64_t i = 1; i < texts->count; i++) {
        const struct import_text *entry = &texts->entries[i];
        const struct import_text *before = &texts->entries[i - 1];
        char excerpt[UTF8_EXCERPT_BYTES];
        if (text_span_equal(&entry->id, &before->id)) {
            return err_set(err, ERR_DATA,
                           "%s:%" PRId64 ": id '%s' stands in line %" PRId64 " already",
                           texts->path, entry->line,
                           utf8_excerpt(entry->id.bytes, entry->id.count, excerpt), before->line);
        }
    }
    return ERR_OK;
}

enum err_code import_texts_open_named(const char *path, const struct import_text_names *names,
                                      struct import_texts **out_texts, struct error *err) {
    SCOPED(import_texts) struct import_texts *texts = mem_array_zero(1, sizeof *texts);
    if (!texts) {
        return err_oom(err, "texts of ids");
    }
    texts->arena = (struct arena)ARENA_INIT(IMPORT_TEXTS_BYTES_MAX);
    texts->names = names;
    texts->path = mem_strdup(path);
    if (!texts->path) {
        return err_oom(err, "texts of ids");
    }
    SCOPED(input_stream) struct input_stream *in = NULL;
    TRY(input_stream_open(path, &in, err));
    bool json = false;
    TRY(is_json(in, &json, err));
    TRY(json ? read_json(in, texts, err) : read_table(in, texts, err));
    TRY(sort_entries(texts, err));
    texts->names = NULL;
    *out_texts = MOVE(texts);
    return ERR_OK;
}

enum err_code import_texts_open(const char *path, struct import_texts **out_texts,
                                struct error *err) {
    return import_texts_open_named(path, &default_names, out_texts, err);
}

void import_texts_close(struct import_texts *texts) {
    if (texts) {
        arena_deinit(&texts->arena);
        mem_free(texts->entries);
        mem_free(texts->path);
        mem_free(texts);
    }
}

int64_t import_texts_count(const struct import_texts *texts) {
    return texts->count;
}

const struct import_text *import_texts_find(const struct import_texts *texts,
                                            const struct text_span *id) {
    int64_t low = 0;
    int64_t high = texts->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int order = compare_spans(&texts->entries[middle].id, id);
        if (order == 0) {
            return &texts->entries[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

enum err_code import_texts_check_distinct(const struct import_texts *texts, struct error *err) {
    SCOPED(mem)
    const struct import_text **by_text = mem_array((size_t)texts->count + 1, sizeof *by_text);
    if (!by_text) {
        return err_oom(err, "texts of ids");
    }
    for (int64_t i = 0; i < texts->count; i++) {
        by_text[i] = &texts->entries[i];
    }
    qsort((void *)by_text, (size_t)texts->count, sizeof *by_text, compare_texts);
    for (int64_t i = 1; i < texts->count; i++) {
        const struct import_text *one = by_text[i - 1];
        const struct import_text *two = by_text[i];
        char excerpts[3][UTF8_EXCERPT_BYTES];
        if (text_span_equal(&one->text, &two->text)) {
            return err_set(err, ERR_DATA,
                           "%s:%" PRId64 ": ids '%s' and '%s' both stand for '%s': "
                           "items need names of their own",
                           texts->path, two->line,
                           utf8_excerpt(one->id.bytes, one->id.count, excerpts[0]),
                           utf8_excerpt(two->id.bytes, two->id.count, excerpts[1]),
                           utf8_excerpt(one->text.bytes, one->text.count, excerpts[2]));
        }
    }
    return ERR_OK;
}
