/* aspect_list.h - which aspects the judgements of a project file are about, counted.
 *
 * Use:      SCOPED(aspect_list) struct aspect_list aspects = ASPECT_LIST_INIT;
 *           TRY(aspect_list_load(db, ASPECTS_OF_COMPARISONS, &aspects, err));
 * Owns:     names and items (aspect_list_deinit).
 * Threads:  no state.
 */
#ifndef DATA_ASPECT_LIST_H
#define DATA_ASPECT_LIST_H

#include "base/arena.h"
#include "base/db.h"
#include "base/error.h"

#include <stdint.h>

/* What options call the aspect of judgements that name none. */
#define ASPECT_NONE "(none)"

struct aspect {
    const char *name; /* NULL: judgements that name none */
    int64_t count;
};

struct aspect_list {
    struct arena texts;
    struct aspect *items; /* by count, most first; lives in `texts` */
    int64_t count;
};

#define ASPECT_LIST_MAX 1024
#define ASPECT_LIST_INIT \
    { .texts = ARENA_INIT(16 * MIB), .items = NULL, .count = 0 }

enum aspects_of {
    ASPECTS_OF_COMPARISONS,
    ASPECTS_OF_RATINGS,
    ASPECTS_OF_LABELS,
};

/* Owned by the caller.
 *   fails  ERR_LIMIT beyond ASPECT_LIST_MAX of them */
ERR_NODISCARD enum err_code aspect_list_load(struct db *db, enum aspects_of of,
                                             struct aspect_list *out_list, struct error *err);
void aspect_list_deinit(struct aspect_list *list);

static inline void aspect_list_scoped_end(struct aspect_list *list) {
    aspect_list_deinit(list);
}

#endif
