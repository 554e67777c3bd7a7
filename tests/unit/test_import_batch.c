/* test_import_batch.c - room for what one row makes. */
#include "data/import_batch.h"

#include "base/scoped.h"
#include "data/import_format.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/preference_text.h"
#include "tests/support/test.h"

#include <stdbool.h>

static void test_add__zeroed_and_linked(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(import_batch) struct import_batch batch = IMPORT_BATCH_INIT;
    for (int64_t i = 0; i < 100; i++) { /* beyond the first room for rows */
        struct preference *made = NULL;
        struct preference_response *responses = NULL;
        assert_ok(import_batch_add(&batch, PREFERENCE_COMPARISON, 3, &made, &responses, &err),
                  &err);
        assert_ptr_equal(made, batch.rows[i]);
        assert_ptr_equal(made->responses, responses);
        assert_int_equal(made->response_count, 3);
        assert_true(made->weight == 1.0 && !made->has_margin && !made->has_asked_at);
        for (int r = 0; r < 3; r++) {
            assert_true(!responses[r].text.bytes && responses[r].rank == 0);
            responses[r].rank = i;
        }
        made->line = i;
    }
    assert_int_equal(batch.row_count, 100);
    for (int64_t i = 0; i < 100; i++) { /* addresses have not moved */
        assert_int_equal(batch.rows[i]->line, i);
        assert_int_equal(batch.rows[i]->responses[2].rank, i);
    }
}

static void test_add_work__kept_beside_rows(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1024);
    SCOPED(import_batch) struct import_batch batch = IMPORT_BATCH_INIT;
    struct preference_work *work = NULL;
    assert_ok(import_batch_add_work(&batch, &work, &err), &err);
    *work = (struct preference_work){
        .line = 2, .owner = text_span_of("Burnett"), .title = text_span_of("Garden")};
    assert_ok(import_batch_text(&batch, "Tea.\nMore", 4, &work->text, &err), &err);
    preference_text_add_batch(&text, &batch);
    assert_string_equal(strbuf_text(&text), "2 work 'Garden' of 'Burnett' | 'Tea.'\n");
    import_batch_reset(&batch);
    assert_int_equal(batch.work_count, 0);
    assert_null(batch.works);
}

static void test_limits__refused_with_the_limit(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(import_batch) struct import_batch batch = IMPORT_BATCH_INIT;
    struct preference *made = NULL;
    struct preference_response *responses = NULL;
    struct message *messages = NULL;
    struct text_span text = TEXT_SPAN_NONE;
    assert_fails(import_batch_add(&batch, PREFERENCE_COMPARISON, 4097, &made, &responses, &err),
                 ERR_LIMIT, "4097 responses; the limit is 4096", &err);
    assert_fails(import_batch_messages(&batch, 4097, &messages, &err), ERR_LIMIT,
                 "4097 messages; the limit is 4096", &err);
    batch.arena.bytes_max = 1024;
    assert_fails(import_batch_text(&batch, "a", 4096, &text, &err), ERR_LIMIT,
                 "one row makes text of more than 0 MiB", &err);
    assert_null(made);
    assert_null(text.bytes);
    assert_int_equal(batch.row_count, 0);
}

static enum err_code fill(void *context, struct error *err) {
    (void)context;
    SCOPED(import_batch) struct import_batch batch = IMPORT_BATCH_INIT;
    for (int i = 0; i < 2000; i++) {
        struct preference *made = NULL;
        struct preference_response *responses = NULL;
        struct preference_work *work = NULL;
        TRY(import_batch_add(&batch, PREFERENCE_RATING, 1, &made, &responses, err));
        TRY(import_batch_add_work(&batch, &work, err));
    }
    return ERR_OK;
}

static void test_memory__every_allocation_may_fail(void **state) {
    (void)state;
    alloc_loop_check(fill, NULL);
}

static void test_settings_column__mapped_or_own(void **state) {
    (void)state;
    static const struct import_map_entry map[] = {{"chosen", "answer_w"}, {"prompt", ""}};
    static const struct import_settings settings = {.map = map, .map_count = 2};
    assert_string_equal(import_settings_column(&settings, "chosen", "chosen"), "answer_w");
    assert_string_equal(import_settings_column(&settings, "prompt", "prompt"), "");
    assert_string_equal(import_settings_column(&settings, "rejected", "rejected"), "rejected");
    assert_null(import_settings_column(&settings, "margin", NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add__zeroed_and_linked),
        cmocka_unit_test(test_add_work__kept_beside_rows),
        cmocka_unit_test(test_limits__refused_with_the_limit),
        cmocka_unit_test(test_memory__every_allocation_may_fail),
        cmocka_unit_test(test_settings_column__mapped_or_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
