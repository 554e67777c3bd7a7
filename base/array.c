/* array.c - see array.h. */
#include "base/array.h"

#include "base/mem.h"

#include <string.h>

enum err_code arrays_grow(const struct array_ref *arrays, int64_t count, int64_t *capacity,
                          int64_t needed, const char *what, struct error *err) {
    const size_t grown = mem_grown_capacity((size_t)*capacity, (size_t)needed);
    for (int64_t i = 0; i < count; i++) {
        void *items = NULL;
        memcpy(&items, arrays[i].pointer, sizeof items);
        items = mem_array_resize(items, grown, arrays[i].item_bytes);
        if (!items) {
            return err_oom(err, what);
        }
        memcpy(arrays[i].pointer, &items, sizeof items); /* larger than `capacity` says: no harm */
    }
    *capacity = (int64_t)grown;
    return ERR_OK;
}
