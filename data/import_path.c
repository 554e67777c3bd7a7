/* import_path.c - see import_path.h. */
#include "data/import_path.h"

#include "base/mem.h"

static const char *after_last_slash(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool ends_with(const struct text_span *text, const char *end) {
    size_t count = strlen(end);
    return text->count > count && memcmp(text->bytes + text->count - count, end, count) == 0;
}

struct text_span import_path_stem(const char *path) {
    struct text_span stem = text_span_of(after_last_slash(path));
    if (strcmp(path, "-") == 0 || stem.count == 0) {
        return text_span_of("items");
    }
    if (ends_with(&stem, ".gz")) {
        stem.count -= strlen(".gz");
    }
    for (size_t i = stem.count; i > 1; i--) { /* ".csv" is a name, not an extension */
        if (stem.bytes[i - 1] == '.') {
            stem.count = i - 1;
            break;
        }
    }
    return stem;
}

struct text_span import_path_folder_name(const char *path) {
    size_t end = (size_t)(after_last_slash(path) - path);
    while (end > 0 && path[end - 1] == '/') {
        end--;
    }
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/') {
        begin--;
    }
    struct text_span name = {path + begin, end - begin};
    bool is_name = name.count > 0 && !(name.count == 1 && *name.bytes == '.') &&
                   !(name.count == 2 && memcmp(name.bytes, "..", 2) == 0);
    return is_name ? name : (struct text_span)TEXT_SPAN_NONE;
}

char *import_path_beside(const char *path, const char *name) {
    size_t folder_bytes = (size_t)(after_last_slash(path) - path);
    if (name[0] == '/') {
        return mem_strdup(name);
    }
    char *joined = mem_array(folder_bytes + strlen(name) + 1, 1);
    if (joined) {
        memcpy(joined, path, folder_bytes);
        memcpy(joined + folder_bytes, name, strlen(name) + 1);
    }
    return joined;
}

char *import_path_in(const char *folder, const char *name) {
    size_t folder_bytes = strlen(folder);
    while (folder_bytes > 1 && folder[folder_bytes - 1] == '/') {
        folder_bytes--;
    }
    char *joined = mem_array(folder_bytes + 1 + strlen(name) + 1, 1);
    if (joined) {
        memcpy(joined, folder, folder_bytes);
        joined[folder_bytes] = '/';
        memcpy(joined + folder_bytes + 1, name, strlen(name) + 1);
    }
    return joined;
}
