/* import_settings.c - see import_format.h. */
#include "data/import_format.h"

#include <string.h>

const char *import_settings_column(const struct import_settings *settings, const char *role,
                                   const char *fallback) {
    for (int64_t i = 0; i < settings->map_count; i++) {
        if (strcmp(settings->map[i].role, role) == 0) {
            if (settings->asked) {
                settings->asked[i] = true;
            }
            return settings->map[i].column;
        }
    }
    return fallback;
}
