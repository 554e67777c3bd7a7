/* array.h - room in arrays that grow as items are appended.
 *
 * Use:      struct names { char **items; int64_t count, capacity; };
 *           TRY(array_reserve(ARRAY_REF(names->items), &names->capacity, names->count + 1, "names",
 *                             err));
 *           names->items[names->count++] = name;
 * Errors:   ERR_OOM naming `what`; the arrays then keep their items, and the capacity its value.
 * Owns:     nothing: the arrays (NULL with capacity 0 at first) are freed with mem_free by who has
 *           the pointers.
 * Threads:  no state.
 */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct array_ref {
    void *pointer;     /* where the pointer to the items stands */
    size_t item_bytes; /* of one item */
};

#define ARRAY_REF(array) ((struct array_ref){&(array), sizeof *(array)})

/* What arrays_reserve does when there is no room. */
ERR_NODISCARD enum err_code arrays_grow(const struct array_ref *arrays, int64_t count,
                                        int64_t *capacity, int64_t needed, const char *what,
                                        struct error *err);

/* Makes room for `needed` items in each of `count` arrays that share one capacity, which grows by
 * half again, so that n appends cost O(n). Costs a comparison while there is room. */
ERR_NODISCARD static inline enum err_code arrays_reserve(const struct array_ref *arrays,
                                                         int64_t count, int64_t *capacity,
                                                         int64_t needed, const char *what,
                                                         struct error *err) {
    return needed <= *capacity ? ERR_OK : arrays_grow(arrays, count, capacity, needed, what, err);
}

/* The same for one array. */
ERR_NODISCARD static inline enum err_code array_reserve(struct array_ref array, int64_t *capacity,
                                                        int64_t needed, const char *what,
                                                        struct error *err) {
    return arrays_reserve(&array, 1, capacity, needed, what, err);
}

#endif
