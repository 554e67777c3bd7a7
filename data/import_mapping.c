/* import_mapping.c - see import_mapping.h. */
#include "data/import_mapping.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/scoped.h"

#include <stdlib.h>
#include <string.h>

static int compare_roles(const void *left, const void *right) {
    const struct import_map_entry *l = left;
    const struct import_map_entry *r = right;
    return strcmp(l->role, r->role);
}

static enum err_code write_map(struct json_writer *w, const struct import_settings *settings,
                               struct error *err) {
    size_t count = (size_t)settings->map_count;
    SCOPED(mem) struct import_map_entry *sorted = mem_array(count, sizeof *sorted);
    if (!sorted) {
        return err_oom(err, "a mapping");
    }
    memcpy(sorted, settings->map, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_roles);
    json_put_object_begin(w, "map");
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && compare_roles(&sorted[i - 1], &sorted[i]) == 0) {
            return err_set(err, ERR_USAGE, "--map %s is given twice: '%s' and '%s'", sorted[i].role,
                           sorted[i - 1].column, sorted[i].column);
        }
        json_put_string(w, sorted[i].role, sorted[i].column);
    }
    json_write_object_end(w);
    return ERR_OK;
}

static void write_text(struct json_writer *w, const char *key, const char *text) {
    if (text) {
        json_put_string(w, key, text);
    }
}

/* The file is read here and once more for its texts: a pipe would be empty by then. */
static enum err_code write_texts_digest(struct json_writer *w, const char *path,
                                        struct error *err) {
    int64_t bytes = 0;
    struct hash_digest digest;
    char hex[HASH_HEX_BYTES];
    TRY(err_wrap(err, file_size(path, &bytes, err), "--texts"));
    TRY(hash_file(path, &digest, err));
    hash_to_hex(&digest, hex);
    write_text(w, "texts_sha256", hex);
    return ERR_OK;
}

enum err_code import_mapping_write(const struct import_settings *settings, struct strbuf *out,
                                   struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_COMPACT);
    json_write_object_begin(&w);
    if (settings->map_count > 0) {
        TRY(write_map(&w, settings, err));
    }
    write_text(&w, "name", settings->name);
    write_text(&w, "prefer", settings->prefer);
    write_text(&w, "prompt", settings->prompt);
    if (settings->texts) {
        TRY(write_texts_digest(&w, settings->texts, err));
    }
    write_text(&w, "topic", settings->topic);
    json_write_object_end(&w);
    return json_writer_finish(&w, err);
}
