/* fuzz_import_polis.c - tables that need other files: votes of a Polis conversation, whose
 * statements are in a small file made once, and manifests of works, whose texts are in the table.
 * The first byte chooses between them. */
#include "base/scoped.h"
#include "data/import_format.h"
#include "data/input_stream.h"
#include "data/table_rows.h"
#include "tests/fuzz/fuzz_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COMMENTS "comment-id,author-id,comment-body\n0,7,Tea.\n1,,\"Coffee, black.\"\n12,8,\n"

static char comments_path[64];

static void remove_comments(void) {
    (void)unlink(comments_path);
}

/* Written on first use, removed at the end. */
static const char *comments(void) {
    if (comments_path[0] == '\0') {
        (void)snprintf(comments_path, sizeof comments_path, "/tmp/accord-fuzz-XXXXXX");
        int fd = mkstemp(comments_path);
        FUZZ_CHECK(fd >= 0);
        FUZZ_CHECK(write(fd, COMMENTS, strlen(COMMENTS)) == (ssize_t)strlen(COMMENTS));
        FUZZ_CHECK(close(fd) == 0);
        FUZZ_CHECK(atexit(remove_comments) == 0);
    }
    return comments_path;
}

static struct import_table_row row_of(const struct import_settings *settings,
                                      const struct table_record *record) {
    return (struct import_table_row){
        .settings = settings,
        .place = "t.csv",
        .cells = record->cells,
        .columns = record->columns,
        .lines = record->lines,
        .cell_count = record->count,
        .line = record->line,
    };
}

static void check_batch(const struct import_batch *batch) {
    struct error err = ERROR_INIT;
    for (int64_t i = 0; i < batch->row_count; i++) {
        FUZZ_CHECK(preference_check(batch->rows[i], &err) == ERR_OK);
        FUZZ_CHECK(batch->rows[i]->kind == PREFERENCE_RATING);
    }
    for (int64_t i = 0; i < batch->work_count; i++) {
        FUZZ_CHECK(preference_check_work(batch->works[i], &err) == ERR_OK);
    }
}

static void read_rows(const struct import_format *format, struct table_rows *rows,
                      const struct import_settings *settings, void *state) {
    struct import_batch batch = IMPORT_BATCH_INIT;
    bool has_record = true;
    while (has_record) {
        struct table_record record;
        struct error err = ERROR_INIT;
        enum err_code code = table_rows_next(rows, &record, &has_record, &err);
        has_record = code == ERR_OK ? has_record : table_rows_can_go_on(rows);
        if (code != ERR_OK || !has_record) {
            continue;
        }
        struct import_table_row row = row_of(settings, &record);
        code = format->read_cells(state, &row, &batch, &err);
        FUZZ_CHECK(code == ERR_OK || code == ERR_DATA || code == ERR_LIMIT || code == ERR_IO);
        if (code == ERR_OK) {
            check_batch(&batch);
        }
        import_batch_reset(&batch);
    }
    import_batch_deinit(&batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct error err = ERROR_INIT;
    SCOPED(input_stream) struct input_stream *in = NULL;
    SCOPED(table_rows) struct table_rows *rows = NULL;
    if (count < 1) {
        return 0;
    }
    bool is_polis = bytes[0] % 2 == 0;
    const struct import_format *format = is_polis ? &import_polis : &import_works_table;
    const struct import_settings settings = {.path = "/no/such/folder/t.csv",
                                             .texts = is_polis ? comments() : NULL};
    if (input_stream_open_bytes((const char *)bytes + 1, count - 1, "t.csv", &in, &err) != ERR_OK ||
        table_rows_open(in, TABLE_DELIMITER_FROM_HEADER, &rows, &err) != ERR_OK) {
        return 0;
    }
    struct import_table_row header = row_of(&settings, table_rows_header(rows));
    char why[IMPORT_WHY_BYTES];
    bool recognised = format->recognise_table(&header, why);
    void *state = NULL;
    enum err_code code = format->open(&settings, &header, &state, &err);
    FUZZ_CHECK(code == ERR_OK || code == ERR_DATA);
    FUZZ_CHECK(!recognised || code == ERR_OK);
    if (code == ERR_OK) {
        read_rows(format, rows, &settings, state);
        format->close(state);
    }
    return 0;
}
