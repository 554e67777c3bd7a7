/* cache_folder.c - see cache_folder.h. */
#include "trainer/cache_folder.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

void cache_folder(char out[PATH_MAX]) {
    static const struct {
        const char *variable, *below;
    } places[] = {
        {"ACCORD_CACHE", ""},
        {"XDG_CACHE_HOME", "/accord"},
        {"HOME", "/.cache/accord"},
    };
    out[0] = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *value = getenv(places[i].variable);
        if (value && *value) {
            if (snprintf(out, PATH_MAX, "%s%s", value, places[i].below) >= PATH_MAX) {
                out[0] = '\0';
            }
            return;
        }
    }
}
