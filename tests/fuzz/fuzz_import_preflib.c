/* fuzz_import_preflib.c - a PrefLib file: every order that is read passes preference_check, every
 * other line is refused with its place, and the sums at the end are those of the orders read. */
#include "data/import_format.h"
#include "tests/fuzz/fuzz_target.h"

static const struct import_settings settings = {.path = "v.toi"};

static void check_batch(const struct import_batch *batch) {
    struct error err = ERROR_INIT;
    FUZZ_CHECK(batch->row_count <= 1);
    for (int64_t i = 0; i < batch->row_count; i++) {
        const struct preference *row = batch->rows[i];
        FUZZ_CHECK(preference_check(row, &err) == ERR_OK);
        FUZZ_CHECK(row->response_count >= 2 && row->weight >= 1.0);
        for (int64_t m = 1; m < row->response_count; m++) {
            int64_t step = row->responses[m].rank - row->responses[m - 1].rank;
            FUZZ_CHECK(step == 0 || step == 1);
        }
    }
}

/* Lines are cut here, since the window of a stream costs more than all the rest. */
static void read_lines(const char *text, size_t count, void *state, struct import_batch *batch) {
    int64_t number = 0;
    while (count > 0) {
        const char *end = memchr(text, '\n', count);
        struct text_span line = {text, end ? (size_t)(end - text) : count};
        struct error err = ERROR_INIT;
        char why[IMPORT_WHY_BYTES];
        (void)import_preflib.recognise_line(&line, why);
        enum err_code code = import_preflib.read_line(state, ++number, &line, batch, &err);
        FUZZ_CHECK(code == ERR_OK || code == ERR_DATA || code == ERR_LIMIT);
        FUZZ_CHECK(code != ERR_DATA || strncmp(err.msg, "v.toi:", strlen("v.toi:")) == 0);
        if (code == ERR_OK) {
            check_batch(batch);
        }
        import_batch_reset(batch);
        size_t taken = line.count + (end ? 1 : 0);
        text += taken;
        count -= taken;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct error err = ERROR_INIT;
    void *state = NULL;
    FUZZ_CHECK(import_preflib.open(&settings, NULL, &state, &err) == ERR_OK);
    struct import_batch batch = IMPORT_BATCH_INIT;
    read_lines((const char *)bytes, count, state, &batch);
    enum err_code code = import_preflib.finish(state, &batch, &err);
    FUZZ_CHECK(code == ERR_OK || code == ERR_DATA);
    import_batch_deinit(&batch);
    import_preflib.close(state);
    return 0;
}
