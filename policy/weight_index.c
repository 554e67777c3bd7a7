/* weight_index.c - see weight_index.h. */
#include "policy/weight_index.h"

#include "base/json.h"
#include "base/scoped.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const struct json_node *weight_map(const struct weight_index *index) {
    return json_find(index->doc, json_root(index->doc), "weight_map");
}

static bool is_plain_name(const char *file) {
    static const char end[] = ".safetensors";
    const size_t length = strlen(file);
    return length >= sizeof end && !strpbrk(file, "/\\") &&
           strcmp(file + length - (sizeof end - 1), end) == 0;
}

static int compare_texts(const void *left, const void *right) {
    const char *const *a = left;
    const char *const *b = right;
    return strcmp(*a, *b);
}

/* Sorted, each once. */
static int64_t make_unique(const char **files, int64_t count) {
    qsort(files, (size_t)count, sizeof *files, compare_texts);
    int64_t unique = 0;
    for (int64_t i = 0; i < count; i++) {
        if (unique == 0 || strcmp(files[unique - 1], files[i]) != 0) {
            files[unique++] = files[i];
        }
    }
    return unique;
}

static enum err_code read_files(struct weight_index *index, struct error *err) {
    const struct json *doc = index->doc;
    const struct json_node *map = NULL;
    TRY(json_get_object(doc, json_root(doc), "weight_map", &map, err));
    index->tensors = json_count(doc, map);
    if (index->tensors == 0) {
        return json_refuse(doc, map, err, "no tensors");
    }
    index->files = mem_array((size_t)index->tensors, sizeof *index->files);
    if (!index->files) {
        return err_oom(err, "files of an index");
    }
    int64_t count = 0;
    for (const struct json_node *m = json_first(map); m; m = json_next(m)) {
        TRY(json_as_string(doc, m, &index->files[count], err));
        if (!is_plain_name(index->files[count])) {
            return json_refuse(doc, m, err,
                               "'%s' is no name of a .safetensors file in the same folder",
                               index->files[count]);
        }
        count++;
    }
    index->files_count = make_unique(index->files, count);
    return ERR_OK;
}

/* Some writers state it as a float, 13476835328.0. */
static enum err_code read_total(struct weight_index *index, struct error *err) {
    const struct json *doc = index->doc;
    const struct json_node *metadata = json_find(doc, json_root(doc), "metadata");
    const struct json_node *total = metadata ? json_find(doc, metadata, "total_size") : NULL;
    index->total_size = -1;
    if (!total) {
        return ERR_OK;
    }
    TRY(json_as_i64(doc, total, &index->total_size, err));
    return index->total_size < 0 ? json_refuse(doc, total, err, "negative") : ERR_OK;
}

static enum err_code take_document(struct json **doc, struct weight_index **out,
                                   struct error *err) {
    SCOPED(weight_index) struct weight_index *index = mem_array_zero(1, sizeof *index);
    if (!index) {
        return err_oom(err, "an index of weights");
    }
    index->doc = MOVE(*doc);
    TRY(read_files(index, err));
    TRY(read_total(index, err));
    *out = MOVE(index);
    return ERR_OK;
}

enum err_code weight_index_open(const char *path, struct weight_index **out, struct error *err) {
    SCOPED(json) struct json *doc = NULL;
    TRY(json_parse_file(path, NULL, &doc, err));
    return take_document(&doc, out, err);
}

enum err_code weight_index_parse(const char *bytes, size_t count, const char *name,
                                 struct weight_index **out, struct error *err) {
    SCOPED(json) struct json *doc = NULL;
    TRY(json_parse(bytes, count, name, NULL, &doc, err));
    return take_document(&doc, out, err);
}

void weight_index_close(struct weight_index *index) {
    if (index) {
        json_free(index->doc);
        mem_free(index->files);
        mem_free(index);
    }
}

const char *weight_index_find(const struct weight_index *index, const char *tensor) {
    struct error ignored = ERROR_INIT;
    const char *file = NULL;
    const struct json_node *node = json_find(index->doc, weight_map(index), tensor);
    return node && json_as_string(index->doc, node, &file, &ignored) == ERR_OK ? file : NULL;
}
