/* fuzz_import.c - any bytes as a file to be imported: recognised or read as some format, its rows
 * are refused by place, or are such as the log may be given. Without a database.
 *
 * A first byte below 32 that begins no text chooses the format; else it is recognised.
 */
#include "base/scoped.h"
#include "data/import.h"
#include "data/import_recognise.h"
#include "data/import_rows.h"
#include "data/preference.h"
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

#define ROWS_MAX 10000 /* more of a kind show nothing new */

/* In a folder that is not there, so that no file beside it is read. */
#define PATH "no such folder/input"

/* A format may make what the log refuses, but not crash on it. */
static void check_batch(const struct import_batch *batch) {
    struct error err = ERROR_INIT;
    for (int64_t i = 0; i < batch->row_count; i++) {
        enum err_code code = preference_check(batch->rows[i], &err);
        FUZZ_CHECK(code == ERR_OK || code == ERR_DATA);
    }
    for (int64_t i = 0; i < batch->work_count; i++) {
        FUZZ_CHECK(batch->works[i]->line >= 1);
    }
}

static void read_rows(struct import_rows *rows) {
    SCOPED(import_batch) struct import_batch batch = IMPORT_BATCH_INIT;
    bool has_row = true;
    for (int64_t n = 0; has_row && n < ROWS_MAX; n++) {
        struct error err = ERROR_INIT;
        enum err_code code = import_rows_next(rows, &batch, &has_row, &err);
        if (code != ERR_OK) {
            FUZZ_CHECK(code == ERR_DATA || code == ERR_IO); /* of texts in other files */
            FUZZ_CHECK(code == ERR_IO || strncmp(err.msg, PATH ":", strlen(PATH) + 1) == 0);
            has_row = code == ERR_DATA && import_rows_can_go_on(rows);
        } else {
            check_batch(&batch);
        }
    }
}

static const struct import_format *
choose_format(struct input_stream *in, const struct import_settings *settings, int chosen) {
    int64_t count = 0;
    const struct import_format *const *formats = import_formats(&count);
    if (chosen >= 0) {
        return chosen < count ? formats[chosen] : NULL;
    }
    struct error err = ERROR_INIT;
    struct import_recognition found;
    if (import_recognise(in, settings, &found, &err) != ERR_OK) {
        FUZZ_CHECK(err.code == ERR_DATA && strncmp(err.msg, PATH ":", strlen(PATH) + 1) == 0);
        return NULL;
    }
    FUZZ_CHECK(found.why[0] && memchr(found.why, '\0', sizeof found.why));
    return found.format;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    const struct import_settings settings = {.path = PATH};
    int chosen = -1;
    if (count > 0 && bytes[0] < 32 && !strchr("\t\n\r\x1F", bytes[0])) {
        chosen = bytes[0] - 1;
        bytes++;
        count--;
    }
    struct error err = ERROR_INIT;
    SCOPED(input_stream) struct input_stream *in = NULL;
    if (input_stream_open_bytes((const char *)bytes, count, PATH, &in, &err) != ERR_OK) {
        return 0;
    }
    const struct import_format *format = choose_format(in, &settings, chosen);
    SCOPED(import_rows) struct import_rows *rows = NULL;
    if (format && import_rows_open(format, &settings, in, &rows, &err) == ERR_OK) {
        read_rows(rows);
    }
    return 0;
}
