/* scoped.h - local owners that clean up on every way out of their block.
 *
 * Use:      SCOPED(strbuf) struct strbuf text = STRBUF_INIT(limit);
 *           SCOPED(mem) char *copy = mem_strdup(name);
 *           ...
 *           *out_copy = MOVE(copy);   // the local is now NULL: nothing is freed
 *
 *           Declare at first use, always initialise. A type joins by defining
 *           `static inline void <word>_scoped_end(<type> *variable)` next to its destructor.
 * Caution:  no `goto` in a function with scoped variables: gcc does not warn when a jump skips one.
 * Threads:  no state.
 */
#ifndef BASE_SCOPED_H
#define BASE_SCOPED_H

#include "base/mem.h"

#include <string.h>

#define SCOPED(word) __attribute__((cleanup(word##_scoped_end)))

/* The value of pointer `p`, which becomes NULL: ownership leaves the variable. */
#define MOVE(p)                    \
    __extension__({                \
        __typeof__(p) move_ = (p); \
        (p) = NULL;                \
        move_;                     \
    })

/* Any block of base/mem.h. The parameter is the address of some object pointer; it is copied rather
 * than cast, since `char **` and `void **` may not alias. */
static inline void mem_scoped_end(void *variable) {
    void *block = NULL;
    memcpy(&block, variable, sizeof block);
    mem_free(block);
}

#endif
