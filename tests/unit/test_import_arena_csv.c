/* test_import_arena_csv.c - Chatbot Arena's CSV file, record by record. */
#include "base/mem.h"
#include "base/scoped.h"
#include "data/import_format.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/preference_text.h"
#include "tests/support/test.h"

#define COLUMNS       9
#define TEXT_BYTES    ((size_t)4096)
#define BATTLE(flags) "1", "m1", "m2", "[\"Tea?\"]", "[\"Yes.\"]", "[\"No.\"]", flags

static const char *const names[COLUMNS] = {
    "id",         "model_a",        "model_b",        "prompt",    "response_a",
    "response_b", "winner_model_a", "winner_model_b", "winner_tie"};

static const struct import_settings settings = {.path = "train.csv"};

struct record {
    const char *cells[COLUMNS];
};

static struct import_table_row row_of(const char *const *texts, struct text_span *cells,
                                      const int64_t *columns) {
    for (int i = 0; i < COLUMNS; i++) {
        cells[i] = text_span_of(texts[i]);
    }
    return (struct import_table_row){.settings = &settings,
                                     .place = "train.csv",
                                     .cells = cells,
                                     .columns = columns,
                                     .cell_count = COLUMNS,
                                     .line = 17};
}

/* Two records in turn, since the second replaces what the first borrowed from. */
static enum err_code read_twice(const struct record *record, struct strbuf *out,
                                struct error *err) {
    static const int64_t columns[COLUMNS] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct text_span header_cells[COLUMNS];
    struct text_span cells[COLUMNS];
    struct import_table_row header = row_of(names, header_cells, columns);
    struct import_table_row row = row_of(record->cells, cells, columns);
    SCOPED(import_batch) struct import_batch batch = IMPORT_BATCH_INIT;
    void *state = NULL;
    TRY(import_arena_csv.open(&settings, &header, &state, err));
    enum err_code code = ERR_OK;
    for (int i = 0; i < 2 && code == ERR_OK; i++) {
        import_batch_reset(&batch);
        code = import_arena_csv.read_cells(state, &row, &batch, err);
    }
    if (code == ERR_OK) {
        preference_text_add_batch(out, &batch);
        code = strbuf_check(out, "preferences", err);
    }
    import_arena_csv.close(state);
    return code;
}

static void test_records__as_the_json_rows(void **state) {
    (void)state;
    static const struct {
        struct record record;
        const char *expected;
    } cases[] = {
        {{{BATTLE("1"), "0", "0"}},
         "17 comparison [user 'Tea?'] | 1@1 'Yes.' ~m1 | 2@2 'No.' ~m2\n"},
        {{{BATTLE("0"), "0", "1"}},
         "17 comparison [user 'Tea?'] | 1@1 'Yes.' ~m1 | 1@2 'No.' ~m2\n"},
        {{{BATTLE("0"), "0", "0"}},
         "train.csv:17: $: expected one of 'winner_model_a', 'winner_model_b' and 'winner_tie' to "
         "be 1, found 0"},
        {{{BATTLE("yes"), "0", "0"}},
         "train.csv:17: $.winner_model_a: expected boolean, found string 'yes'"},
        {{{BATTLE(""), "0", "1"}},
         "train.csv:17: $: missing key 'winner_model_a', expected 1 or 0"},
        {{{"1", "m1", "m2", "Tea?", "[\"Yes.\"]", "[\"No.\"]", "1", "0", "0"}},
         "train.csv:17: $.prompt: expected turns as a JSON list: turns:1:1: expected a value, "
         "found "
         "'Tea'"},
        {{{"1", "m1", "\xff", "[\"Tea?\"]", "[\"Yes.\"]", "[\"No.\"]", "1", "0", "0"}},
         "train.csv:17: cannot write JSON: 'model_b': invalid UTF-8 at byte 0 of a string"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = ERROR_INIT;
        SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES);
        enum err_code code = read_twice(&cases[i].record, &text, &err);
        assert_true(code == ERR_OK || code == ERR_DATA);
        assert_string_equal(code == ERR_OK ? strbuf_text(&text) : err.msg, cases[i].expected);
    }
}

static void test_recognise__by_its_columns(void **state) {
    (void)state;
    static const int64_t columns[COLUMNS] = {0};
    struct text_span cells[COLUMNS];
    char why[IMPORT_WHY_BYTES];
    struct import_table_row header = row_of(names, cells, columns);
    assert_true(import_arena_csv.recognise_table(&header, why));
    assert_string_equal(why, "the columns 'response_a', 'response_b' and 'winner_model_a'");
    cells[6] = text_span_of("winner");
    assert_false(import_arena_csv.recognise_table(&header, why));
}

static enum err_code read_one(void *context, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES);
    return read_twice(context, &text, err);
}

static void test_memory__every_allocation_may_fail(void **state) {
    (void)state;
    struct record record = {{BATTLE("1"), "0", "0"}};
    alloc_loop_check(read_one, &record);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records__as_the_json_rows),
        cmocka_unit_test(test_recognise__by_its_columns),
        cmocka_unit_test(test_memory__every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
