/* folder.h - what stands in a folder, and whole folders removed.
 *
 * Use:      SCOPED(folder_names) struct folder_names names = FOLDER_NAMES_INIT;
 *           TRY(folder_list("runs/7", &names, err));
 *           for (int64_t i = 0; i < names.count; i++) { use(names.items[i]); }
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

static inline void folder_names_scoped_end(struct folder_names *names) {
    folder_names_deinit(names);
}

#endif
