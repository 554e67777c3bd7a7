/* folder.h - what stands in a folder; folders written whole or not at all, and removed.
 *
 * Use:      SCOPED(folder_names) struct folder_names names = FOLDER_NAMES_INIT;
 *           TRY(folder_list("runs/7", &names, err));
 *           for (int64_t i = 0; i < names.count; i++) { use(names.items[i]); }
 *
 *           TRY(folder_write_whole("runs/7/final", write_model, model, err));
 * Errors:   ERR_IO naming the path; ERR_LIMIT above FOLDER_NAMES_MAX entries; ERR_OOM.
 * Owns:     the names, until folder_names_deinit.
 * Threads:  no state.
 */
#ifndef BASE_FOLDER_H
#define BASE_FOLDER_H

#include "base/error.h"
#include "base/strbuf.h"

#include <stdint.h>

#define FOLDER_NAMES_MAX 1000000

struct folder_names {
    char **items; /* in order of their bytes, without "." and ".." */
    int64_t count, capacity;
};

#define FOLDER_NAMES_INIT \
    { .items = NULL, .count = 0, .capacity = 0 }

/* Replaces `out` by "<folder>/<name>"; ERR_LIMIT for a path longer than the buffer may be. */
ERR_NODISCARD enum err_code folder_path(const char *folder, const char *name, struct strbuf *out,
                                        struct error *err);

/* Replaces `out` by the names in `path`. */
ERR_NODISCARD enum err_code folder_list(const char *path, struct folder_names *out,
                                        struct error *err);
void folder_names_deinit(struct folder_names *names);

/* Removes the files in `path`, then `path`. A folder inside is refused (ERR_IO) before anything is
 * removed; a `path` that is not there is no error. */
ERR_NODISCARD enum err_code folder_remove(const char *path, struct error *err);

/* Removes `path` with all that is below it, as deep as a path can be long; links are removed, not
 * followed. For folders that the program itself made; one that is not there is no error. */
ERR_NODISCARD enum err_code folder_remove_tree(const char *path, struct error *err);

/* Whether folder_write_whole could write here; for commands that compute long before they do.
 *   fails    ERR_USAGE for an empty name, and where something stands */
ERR_NODISCARD enum err_code folder_check_free(const char *path, struct error *err);

/* Writes the files of a new folder; `folder` is where it is made, not its name to be. */
typedef enum err_code (*folder_fill)(void *context, const char *folder, struct error *err);

/* Makes a folder that has its name only when it is whole: `fill` works in "<path>.tmp", which is
 * then renamed. After kill -9 or a power cut `path` is not there or is whole, and what a killed try
 * left is replaced by the next. A try that fails leaves nothing, unless it was the very last step,
 * syncing the folder above, that failed: then `path` is whole.
 *   path     not there, or an empty folder; a slash at its end is no part of the name
 *   fails    ERR_USAGE when something stands there; as `fill` does; ERR_IO; ERR_OOM */
ERR_NODISCARD enum err_code folder_write_whole(const char *path, folder_fill fill, void *context,
                                               struct error *err);

static inline void folder_names_scoped_end(struct folder_names *names) {
    folder_names_deinit(names);
}

#endif
