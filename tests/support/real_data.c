/* real_data.c - see real_data.h. */
#include "tests/support/real_data.h"

#include "base/file.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

const char *real_data_or_skip(const char *relative) {
    static char path[1024];
    const char *folder = getenv("ACCORD_REAL_DATA");
    snprintf(path, sizeof path, "%s/%s", folder ? folder : REAL_DATA_FOLDER, relative);
    if (!file_exists(path)) {
        print_message("skipped: there is no '%s'\n", path);
        skip();
    }
    return path;
}
