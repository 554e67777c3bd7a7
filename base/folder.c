/* folder.c - see folder.h. */
#include "base/folder.h"

#include "base/array.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum err_code folder_path(const char *folder, const char *name, struct strbuf *out,
                          struct error *err) {
    strbuf_reset(out);
    strbuf_addf(out, "%s/%s", folder, name);
    return strbuf_check(out, "a path", err);
}

static inline void dir_scoped_end(DIR **dir) {
    if (*dir) {
        (void)closedir(*dir);
    }
}

static enum err_code add_name(struct folder_names *names, const char *name, struct error *err) {
    SCOPED(mem) char *copy = mem_strdup(name);
    TRY(array_reserve(ARRAY_REF(names->items), &names->capacity, names->count + 1,
                      "names in a folder", err));
    if (!copy) {
        return err_oom(err, "names in a folder");
    }
    names->items[names->count] = MOVE(copy);
    names->count++;
    return ERR_OK;
}

static int compare_names(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

enum err_code folder_list(const char *path, struct folder_names *out, struct error *err) {
    folder_names_deinit(out);
    SCOPED(dir) DIR *dir = opendir(path);
    if (!dir) {
        return err_set_errno(err, errno, "cannot open folder '%s'", path);
    }
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (out->count >= FOLDER_NAMES_MAX) {
            return err_set(err, ERR_LIMIT, "folder '%s' has more than %d entries", path,
                           FOLDER_NAMES_MAX);
        }
        TRY(add_name(out, entry->d_name, err));
    }
    if (out->count > 0) {
        qsort(out->items, (size_t)out->count, sizeof *out->items, compare_names);
    }
    return ERR_OK;
}

void folder_names_deinit(struct folder_names *names) {
    for (int64_t i = 0; i < names->count; i++) {
        mem_free(names->items[i]);
    }
    mem_free(names->items);
    *names = (struct folder_names)FOLDER_NAMES_INIT;
}

typedef enum err_code (*visit_path)(const char *path, struct error *err);

static enum err_code for_each_entry(const char *folder, const struct folder_names *names,
                                    visit_path visit, struct error *err) {
    for (int64_t i = 0; i < names->count; i++) {
        SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
        TRY(folder_path(folder, names->items[i], &path, err));
        TRY(visit(strbuf_text(&path), err));
    }
    return ERR_OK;
}

static bool is_folder(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static enum err_code refuse_folder(const char *path, struct error *err) {
    if (is_folder(path)) {
        return err_set(err, ERR_IO, "'%s' is a folder: not removed", path);
    }
    return ERR_OK;
}

static enum err_code remove_empty(const char *path, struct error *err) {
    if (rmdir(path) != 0) {
        return err_set_errno(err, errno, "cannot remove folder '%s'", path);
    }
    return ERR_OK;
}

enum err_code folder_remove(const char *path, struct error *err) {
    if (!file_exists(path)) {
        return ERR_OK;
    }
    SCOPED(folder_names) struct folder_names names = FOLDER_NAMES_INIT;
    TRY(folder_list(path, &names, err));
    TRY(for_each_entry(path, &names, refuse_folder, err));
    TRY(for_each_entry(path, &names, file_remove, err));
    return remove_empty(path, err);
}

enum err_code folder_remove_tree(const char *path, struct error *err) {
    if (!is_folder(path)) {
        return file_remove(path, err);
    }
    SCOPED(folder_names) struct folder_names names = FOLDER_NAMES_INIT;
    TRY(folder_list(path, &names, err));
    TRY(for_each_entry(path, &names, folder_remove_tree, err));
    return remove_empty(path, err);
}

/* --- whole or not at all --- */

enum err_code folder_check_free(const char *path, struct error *err) {
    if (path[0] == '\0') {
        return err_set(err, ERR_USAGE, "the name of the folder to write is empty");
    }
    if (!file_exists(path)) {
        return ERR_OK;
    }
    SCOPED(folder_names) struct folder_names names = FOLDER_NAMES_INIT;
    TRY(folder_list(path, &names, err));
    return names.count == 0
               ? ERR_OK
               : err_set(err, ERR_USAGE,
                         "'%s' is there and not empty: choose another, or remove it", path);
}

static enum err_code fill_and_rename(const char *unfinished, const char *path, folder_fill fill,
                                     void *context, struct error *err) {
    TRY(file_make_folders(unfinished, err));
    TRY(fill(context, unfinished, err));
    return file_rename(unfinished, path, err);
}

enum err_code folder_write_whole(const char *path, folder_fill fill, void *context,
                                 struct error *err) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    SCOPED(mem) char *place = mem_strndup(path, length);
    SCOPED(mem) char *unfinished = place ? mem_strjoin(place, ".tmp") : NULL;
    if (!unfinished) {
        return err_oom(err, "a path");
    }
    TRY(folder_check_free(place, err));
    TRY(folder_remove(unfinished, err)); /* of a try that was killed */
    if (fill_and_rename(unfinished, place, fill, context, err) != ERR_OK) {
        struct error ignored = ERROR_INIT;
        (void)!folder_remove(unfinished, &ignored);
        return err->code;
    }
    return file_sync_folder_of(place, err);
}
