/* exit_status.c - see exit_status.h. */
#include "trainer/exit_status.h"

enum exit_status exit_status_of(enum err_code code) {
    switch (code) {
    case ERR_OK:
        return EXIT_STATUS_DONE;
    case ERR_USAGE:
    case ERR_CONFIG:
        return EXIT_STATUS_USAGE;
    case ERR_DATA:
        return EXIT_STATUS_DATA;
    case ERR_VERIFY:
        return EXIT_STATUS_VERIFY;
    case ERR_INTERRUPTED:
        return EXIT_STATUS_INTERRUPTED;
    case ERR_OOM:
    case ERR_IO:
    case ERR_LIMIT:
    case ERR_SHAPE:
    case ERR_DTYPE:
    case ERR_BACKEND:
    case ERR_UNAVAILABLE:
    case ERR_INTERNAL:
    case ERR_CODE_COUNT:
        break;
    }
    return EXIT_STATUS_FAILED;
}
