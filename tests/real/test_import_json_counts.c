/* test_import_json_counts.c - real files through the JSON formats: the counts that are known.
 *
 * Known:    hh-rlhf, harmless test: 2,312 pairs, 5 that part before the last answer, 4 empty
 *           answers.
 *           FineGrainedRLHF: 500 questions, 2,616 strict and 384 tied pairs of answers; nobody
 *           says a > b > c > a. In 22 of them ties do not chain (a = b, b = c, but a > c), which no
 *           ranking with ties can say: these are kept as six pairs each.
 */
#include "base/scoped.h"
#include "data/import_format.h"
#include "data/input_stream.h"
#include "data/json_rows.h"
#include "tests/support/real_data.h"
#include "tests/support/test.h"

struct counts {
    int64_t rows, comparisons, strict, tied;
    int64_t of_four;    /* comparisons of four answers */
    int64_t with_turns; /* comparisons of which an answer spans several turns */
    int64_t empty;      /* answers */
};

static void count_preference(const struct preference *made, struct counts *counts) {
    bool has_turns = false;
    counts->comparisons++;
    counts->of_four += made->response_count == 4;
    for (int64_t i = 0; i < made->response_count; i++) {
        const struct preference_response *response = &made->responses[i];
        has_turns = has_turns || response->message_count > 0;
        counts->empty += response->message_count == 0 && response->text.count == 0;
        for (int64_t j = 0; j < i; j++) {
            bool is_tie = made->responses[j].rank == response->rank;
            counts->tied += is_tie;
            counts->strict += !is_tie;
        }
    }
    counts->with_turns += has_turns;
}

static enum err_code count_rows(const char *path, const struct import_format *format,
                                struct counts *counts, struct error *err) {
    struct import_settings settings = {.path = path};
    SCOPED(input_stream) struct input_stream *in = NULL;
    SCOPED(json_rows) struct json_rows *rows = NULL;
    SCOPED(import_batch) struct import_batch batch = IMPORT_BATCH_INIT;
    TRY(input_stream_open(path, &in, err));
    TRY(json_rows_open(in, &rows, err));
    bool has_row = true;
    while (has_row) {
        struct json_row row;
        char why[IMPORT_WHY_BYTES];
        TRY(json_rows_next(rows, &row, &has_row, err));
        if (!has_row) {
            break;
        }
        struct import_json_row json_row = {
            .settings = &settings, .doc = row.doc, .node = json_root(row.doc), .line = row.line};
        assert_true(format->recognise_json(&json_row, why));
        import_batch_reset(&batch);
        TRY(format->read_json(NULL, &json_row, &batch, err));
        for (int64_t i = 0; i < batch.row_count; i++) {
            TRY(preference_check(batch.rows[i], err));
            count_preference(batch.rows[i], counts);
        }
        counts->rows++;
    }
    return ERR_OK;
}

static void test_hh__known_counts(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct counts counts = {0};
    const char *path = real_data_or_skip("hh-rlhf/harmless-base_test.jsonl.gz");
    assert_ok(count_rows(path, &import_hh, &counts, &err), &err);
    assert_int_equal(counts.rows, 2312);
    assert_int_equal(counts.comparisons, 2312);
    assert_int_equal(counts.with_turns, 5);
    assert_int_equal(counts.empty, 4);
}

static void test_fine_grained__known_counts(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct counts counts = {0};
    const char *path = real_data_or_skip("finegrained-rlhf-qa/dev_feedback.json");
    assert_ok(count_rows(path, &import_fine_grained, &counts, &err), &err);
    assert_int_equal(counts.rows, 500);
    assert_int_equal(counts.of_four, 500 - 22);
    assert_int_equal(counts.comparisons, 500 - 22 + 6 * 22);
    assert_int_equal(counts.strict, 2616);
    assert_int_equal(counts.tied, 384);
    assert_int_equal(counts.empty, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hh__known_counts),
        cmocka_unit_test(test_fine_grained__known_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
