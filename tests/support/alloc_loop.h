/* alloc_loop.h - drives every out-of-memory path of one operation.
 *
 * Use:      static enum err_code build(void *context, struct error *err) { ...make, then free... }
 *           alloc_loop_check(build, NULL);
 *
 * The operation runs again and again with the first, the second, ... allocation failing, until it
 * gets through without reaching the failing one. Each failing run must return ERR_OOM and leave as
 * many live blocks as before.
 */
#ifndef TESTS_SUPPORT_ALLOC_LOOP_H
#define TESTS_SUPPORT_ALLOC_LOOP_H

#include "base/error.h"

typedef enum err_code (*alloc_loop_operation)(void *context, struct error *err);

void alloc_loop_check(alloc_loop_operation operation, void *context);

/* As above, for operations on a library that can do without some of its allocations (SQLite's
 * caches): a failing run may also succeed. */
void alloc_loop_check_tolerant(alloc_loop_operation operation, void *context);

/* Likewise, but spares the allocations of `prologue`, which is what the operation begins with and
 * has a loop of its own elsewhere: to open a project file takes more of them than most of what is
 * then done with it. */
void alloc_loop_check_after(alloc_loop_operation prologue, alloc_loop_operation operation,
                            void *context);

#endif
