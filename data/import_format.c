/* import_format.c - what formats share: see import_format.h. */
#include "data/import_format.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
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

/* A reason longer than this loses its end. */
#define REASON_BYTES 320

enum err_code import_cell_refuse(const struct import_table_row *row, int64_t cell, const char *what,
                                 struct error *err, const char *fmt, ...) {
    char reason[REASON_BYTES];
    char name[UTF8_EXCERPT_BYTES];
    char value[UTF8_EXCERPT_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(reason, sizeof reason, fmt, args);
    va_end(args);
    const struct text_span *text = &row->cells[cell];
    return err_set(err, ERR_DATA, "%s:%" PRId64 ":%" PRId64 ": %s = '%s': %s", row->place,
                   row->lines ? row->lines[cell] : row->line, row->columns[cell],
                   utf8_excerpt(what, strlen(what), name),
                   utf8_excerpt(text->bytes, text->count, value), reason);
}
