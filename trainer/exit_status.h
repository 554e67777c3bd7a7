/* exit_status.h - what the process tells its caller, and which error means which.
 *
 * Threads:  no state.
 */
#ifndef TRAINER_EXIT_STATUS_H
#define TRAINER_EXIT_STATUS_H

#include "base/error.h"

/* Name, status, meaning. A contract with scripts: statuses are only ever added. */
#define EXIT_STATUSES(X)                                                 \
    X(DONE, 0, "done")                                                   \
    X(FAILED, 1, "failed: memory, files, limits, libtorch, or a defect") \
    X(USAGE, 2, "wrong usage or configuration: nothing was done")        \
    X(DATA, 3, "bad input data")                                         \
    X(VERIFY, 4, "verification failed")                                  \
    X(INTERRUPTED, 130, "interrupted by a signal")

enum exit_status {
#define EXIT_STATUS_ENUM(name, value, text) EXIT_STATUS_##name = (value),
    EXIT_STATUSES(EXIT_STATUS_ENUM)
#undef EXIT_STATUS_ENUM
};

enum exit_status exit_status_of(enum err_code code);

#endif
