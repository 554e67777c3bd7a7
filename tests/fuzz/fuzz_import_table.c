/* fuzz_import_table.c - a table with a mapping: the first byte chooses the mapping, the rest is the
 * file. Whatever is read passes preference_check, or is refused with a place. */
#include "base/scoped.h"
#include "data/import_format.h"
#include "data/input_stream.h"
#include "data/table_mapping.h"
#include "data/table_rows.h"
#include "tests/fuzz/fuzz_target.h"

#define MAP(...)                                                                    \
    .map = (const struct import_map_entry[]){__VA_ARGS__},                          \
    .map_count = (int64_t)(sizeof((const struct import_map_entry[]){__VA_ARGS__}) / \
                           sizeof(struct import_map_entry))

/* The name of an item set is not empty, which the path of the file sees to. */
static const struct import_settings settings[] = {
    {.path = "t.csv"},
    {.path = "t.csv", .prompt = "P", .topic = "T", .name = "N"},
    {.path = "t.csv", MAP({"item", "a"}, {"ratings", "*"})},
    {.path = "t.csv", MAP({"ratings", "*"}, {"annotator", "a"})},
    {.path = "t.csv", MAP({"ranking", "*"})},
    {.path = "t.csv", MAP({"item_a", "a"}, {"item_b", "b"}, {"winner_index", "c"})},
    {.path = "t.csv", MAP({"item_a", "a"}, {"item_b", "b"}, {"winner_name", "c"}, {"set", "d"})},
    {.path = "t.csv", MAP({"response_a", "a"}, {"response_b", "b"}, {"votes", "c"})},
};

static struct import_table_row row_of(const struct import_settings *chosen,
                                      const struct table_record *record) {
    return (struct import_table_row){
        .settings = chosen,
        .place = "t.csv",
        .cells = record->cells,
        .columns = record->columns,
        .lines = record->lines,
        .cell_count = record->count,
        .line = record->line,
    };
}

/* preference_check may refuse what only it knows: a text that is too long, too many responses. */
static void check_batch(const struct import_batch *batch) {
    struct error err = ERROR_INIT;
    for (int64_t i = 0; i < batch->row_count; i++) {
        const struct preference *row = batch->rows[i];
        enum err_code code = preference_check(row, &err);
        FUZZ_CHECK(code == ERR_OK);
        FUZZ_CHECK(row->line >= 1);
        FUZZ_CHECK(row->kind != PREFERENCE_COMPARISON || row->response_count >= 2);
    }
}

static void read_rows(const struct import_settings *chosen, struct table_rows *rows, void *state,
                      struct import_batch *batch) {
    bool has_record = true;
    while (has_record) {
        struct table_record record;
        struct error err = ERROR_INIT;
        enum err_code code = table_rows_next(rows, &record, &has_record, &err);
        if (code != ERR_OK && !table_rows_can_go_on(rows)) {
            return;
        }
        if (code != ERR_OK || !has_record) {
            has_record = code != ERR_OK;
            continue;
        }
        struct import_table_row row = row_of(chosen, &record);
        code = import_table.read_cells(state, &row, batch, &err);
        FUZZ_CHECK(code == ERR_OK || code == ERR_DATA || code == ERR_LIMIT);
        FUZZ_CHECK(code == ERR_OK || strncmp(err.msg, "t.csv:", strlen("t.csv:")) == 0);
        if (code == ERR_OK) {
            check_batch(batch);
        }
        import_batch_reset(batch);
    }
}

static void read_table(const struct import_settings *chosen, struct table_rows *rows) {
    struct error err = ERROR_INIT;
    struct import_table_row header = row_of(chosen, table_rows_header(rows));
    struct table_mapping recognised;
    char why[IMPORT_WHY_BYTES];
    bool is_table = table_mapping_recognise(&header, &recognised);
    FUZZ_CHECK(import_table.recognise_table(&header, why) == is_table);
    void *state = NULL;
    enum err_code code = import_table.open(chosen, &header, &state, &err);
    if (code != ERR_OK) {
        FUZZ_CHECK(code == ERR_DATA || code == ERR_USAGE);
        return;
    }
    FUZZ_CHECK(is_table);
    struct import_batch batch = IMPORT_BATCH_INIT;
    read_rows(chosen, rows, state, &batch);
    if (import_table.finish(state, &batch, &err) == ERR_OK) {
        check_batch(&batch);
    }
    SCOPED(strbuf) struct strbuf notes = STRBUF_INIT((size_t)1 << 20);
    import_table.note(state, &notes);
    FUZZ_CHECK(strbuf_check(&notes, "notes", &err) == ERR_OK);
    import_batch_deinit(&batch);
    import_table.close(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct error err = ERROR_INIT;
    SCOPED(input_stream) struct input_stream *in = NULL;
    SCOPED(table_rows) struct table_rows *rows = NULL;
    if (count < 1) {
        return 0;
    }
    const struct import_settings *chosen =
        &settings[bytes[0] % (sizeof settings / sizeof *settings)];
    const char *text = (const char *)bytes + 1;
    if (input_stream_open_bytes(text, count - 1, "t.csv", &in, &err) == ERR_OK &&
        table_rows_open(in, TABLE_DELIMITER_FROM_HEADER, &rows, &err) == ERR_OK) {
        read_table(chosen, rows);
    }
    return 0;
}
