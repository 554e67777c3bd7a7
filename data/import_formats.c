/* import_formats.c - the table of formats: see import.h. */
#include "data/import.h"

#include <string.h>

static const struct import_format *const formats[] = {
#define FORMAT_ENTRY(name) &import_##name,
    IMPORT_FORMATS(FORMAT_ENTRY)
#undef FORMAT_ENTRY
};

const struct import_format *const *import_formats(int64_t *out_count) {
    *out_count = (int64_t)(sizeof formats / sizeof *formats);
    return formats;
}

const struct import_format *import_format_find(const char *name) {
    int64_t count = 0;
    const struct import_format *const *all = import_formats(&count);
    for (int64_t i = 0; i < count; i++) {
        if (strcmp(all[i]->name, name) == 0) {
            return all[i];
        }
    }
    return NULL;
}
