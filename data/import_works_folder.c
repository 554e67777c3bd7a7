/* import_works_folder.c - a folder of works; see import_works.c. */
#include "base/array.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "data/import_format.h"
#include "data/import_path.h"
#include "data/import_works_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

/* ---- one file ---- */

/* The lines are not looked at: a text is kept byte for byte, and lines have lost their ends. The
 * file is read once more, as a whole, when they have passed. */
static enum err_code read_line(void *state, int64_t number, const struct text_span *line,
                               struct import_batch *batch, struct error *err) {
    (void)state;
    (void)number;
    (void)line;
    (void)batch;
    (void)err;
    return ERR_OK;
}

static enum err_code open_file(const struct import_settings *settings,
                               const struct import_table_row *header, void **out_state,
                               struct error *err) {
    (void)header;
    const struct import_settings **state = mem_array_zero(1, sizeof *state);
    if (!state) {
        return err_oom(err, "reader of a work");
    }
    *state = settings;
    *out_state = state;
    return ERR_OK;
}

static void close_file(void *state) {
    mem_free(state);
}

static enum err_code finish_file(void *state, struct import_batch *batch, struct error *err) {
    const struct import_settings *settings = *(const struct import_settings *const *)state;
    struct text_span owner = import_path_folder_name(settings->path);
    struct text_span text = TEXT_SPAN_NONE;
    struct preference_work *work = NULL;
    if (!text_span_is_set(&owner)) {
        return err_set(err, ERR_DATA,
                       "'%s': the name of its folder is that of its owner: expected "
                       "<owner>/<title>.txt, or use a manifest",
                       settings->path);
    }
    TRY(import_work_read_file(settings->path, batch, &text, err));
    TRY(import_batch_add_work(batch, &work, err));
    work->line = 1;
    work->owner = owner;
    work->title = import_path_stem(settings->path);
    work->text = text;
    return ERR_OK;
}

const struct import_format import_work_file = {
    .name = "work-file",
    .title = "a work: <owner>/<title>.txt",
    .container = IMPORT_LINES,
    .read_line = read_line,
    .open = open_file,
    .close = close_file,
    .finish = finish_file,
};

/* ---- what lies in a folder ---- */

static bool is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool is_text_name(const char *name) {
    size_t count = strlen(name);
    return (count > 4 && strcmp(name + count - 4, ".txt") == 0) ||
           (count > 3 && strcmp(name + count - 3, ".md") == 0);
}

static enum err_code list_folder(const char *folder, struct folder_names *out, struct error *err) {
    enum err_code code = folder_list(folder, out, err);
    return code == ERR_LIMIT
               ? err_set(err, ERR_DATA, "folder '%s' has more than %d files: use a manifest",
                         folder, FOLDER_NAMES_MAX)
               : code;
}

/* ---- a folder ---- */

struct works_folder {
    char **paths; /* [count] owned: of files to be imported */
    int64_t count, capacity;
    const struct import_format *format;
    int64_t next;
    int64_t passed_over; /* files that are no texts */
};

static const struct {
    const char *name;
    const struct import_format *format;
} manifests[] = {
    {"manifest.jsonl", &import_works},
    {"manifest.json", &import_works},
    {"manifest.csv", &import_works_table},
    {"manifest.tsv", &import_works_table},
};

/* `path` is owned by the list, also after a failure. */
static enum err_code add_path(struct works_folder *works, char *path, struct error *err) {
    SCOPED(mem) char *owned = path;
    TRY(array_reserve(ARRAY_REF(works->paths), &works->capacity, works->count + 1, "names of files",
                      err));
    works->paths[works->count++] = MOVE(owned);
    return ERR_OK;
}

/* Its path, owned; NULL if there is none. */
static enum err_code find_manifest(const char *folder, char **out_path,
                                   const struct import_format **out_format, struct error *err) {
    *out_path = NULL;
    for (size_t i = 0; i < sizeof manifests / sizeof *manifests; i++) {
        SCOPED(mem) char *path = import_path_in(folder, manifests[i].name);
        if (!path) {
            return err_oom(err, "path of a manifest");
        }
        if (file_exists(path)) {
            *out_path = MOVE(path);
            *out_format = manifests[i].format;
            return ERR_OK;
        }
    }
    return ERR_OK;
}

/* The texts of one owner. */
static enum err_code add_owner(struct works_folder *works, const char *folder, struct error *err) {
    SCOPED(folder_names) struct folder_names names = FOLDER_NAMES_INIT;
    TRY(list_folder(folder, &names, err));
    for (int64_t i = 0; i < names.count; i++) {
        if (names.items[i][0] == '.') {
            continue; /* hidden */
        }
        SCOPED(mem) char *path = import_path_in(folder, names.items[i]);
        if (!path) {
            return err_oom(err, "path of a work");
        }
        if (is_folder(path)) {
            return err_set(err, ERR_DATA,
                           "'%s' is a folder in the folder of an owner: expected "
                           "<owner>/<title>.txt, or use a manifest",
                           path);
        }
        if (is_text_name(names.items[i])) {
            TRY(add_path(works, MOVE(path), err));
        } else {
            works->passed_over++;
        }
    }
    return ERR_OK;
}

static enum err_code find_texts(struct works_folder *works, const char *folder, struct error *err) {
    SCOPED(folder_names) struct folder_names names = FOLDER_NAMES_INIT;
    TRY(list_folder(folder, &names, err));
    for (int64_t i = 0; i < names.count; i++) {
        if (names.items[i][0] == '.') {
            continue; /* hidden */
        }
        SCOPED(mem) char *path = import_path_in(folder, names.items[i]);
        if (!path) {
            return err_oom(err, "path of an owner");
        }
        if (is_folder(path)) {
            TRY(add_owner(works, path, err));
        } else {
            works->passed_over++;
        }
    }
    if (works->count == 0) {
        return err_set(err, ERR_DATA,
                       "'%s': no manifest.jsonl, .json, .csv or .tsv, and no folder of "
                       "an owner with texts (.txt, .md)",
                       folder);
    }
    return ERR_OK;
}

static void close_folder(void *state) {
    struct works_folder *works = state;
    if (works) {
        for (int64_t i = 0; i < works->count; i++) {
            mem_free(works->paths[i]);
        }
        mem_free(works->paths);
        mem_free(works);
    }
}

static void works_folder_scoped_end(struct works_folder **works) {
    close_folder(*works);
}

static enum err_code open_folder(const struct import_settings *settings,
                                 const struct import_table_row *header, void **out_state,
                                 struct error *err) {
    (void)header;
    char *manifest = NULL;
    SCOPED(works_folder) struct works_folder *works = mem_array_zero(1, sizeof *works);
    if (!works) {
        return err_oom(err, "folder of works");
    }
    works->format = &import_work_file;
    TRY(find_manifest(settings->path, &manifest, &works->format, err));
    TRY(manifest ? add_path(works, manifest, err) : find_texts(works, settings->path, err));
    *out_state = MOVE(works);
    return ERR_OK;
}

static enum err_code next_file(void *state, char **out_path,
                               const struct import_format **out_format, bool *out_has_file,
                               struct error *err) {
    struct works_folder *works = state;
    *out_has_file = works->next < works->count;
    if (!*out_has_file) {
        return ERR_OK;
    }
    char *path = mem_strdup(works->paths[works->next]);
    if (!path) {
        return err_oom(err, "path of a work");
    }
    works->next++;
    *out_path = path;
    *out_format = works->format;
    return ERR_OK;
}

static bool recognise_folder(const char *path, char out_why[IMPORT_WHY_BYTES]) {
    const struct import_settings settings = {.path = path};
    struct error ignored = ERROR_INIT;
    void *state = NULL;
    if (open_folder(&settings, NULL, &state, &ignored) != ERR_OK) {
        return false;
    }
    SCOPED(works_folder) struct works_folder *works = state;
    bool has_manifest = works->format != &import_work_file;
    (void)snprintf(out_why, IMPORT_WHY_BYTES, "the folder holds %s",
                   has_manifest ? "a manifest" : "folders with texts: <owner>/<title>.txt");
    return true;
}

static void note(const void *state, struct strbuf *notes) {
    const struct works_folder *works = state;
    if (works->passed_over > 0) {
        strbuf_addf(notes, "%" PRId64 " files that are no works passed over\n", works->passed_over);
    }
}

const struct import_format import_works_folder = {
    .name = "works-folder",
    .title = "owners and works: a folder with a manifest, or <owner>/<title>.txt",
    .container = IMPORT_FOLDER,
    .recognise_folder = recognise_folder,
    .open = open_folder,
    .close = close_folder,
    .next_file = next_file,
    .note = note,
};
