#include "data/split.h"

#include "base/scoped.h"
#include "data/project.h"
#include "tests/support/test.h"

#include <math.h>

static const struct split_shares shares = SPLIT_SHARES_DEFAULT; /* test 0.1, validation 0.1 */

/* A key whose first eight bytes, read as a big-endian fraction of 2^64, begin with these. */
static struct hash_key key_of(uint8_t first, uint8_t second, uint8_t rest) {
    struct hash_key key;
    memset(key.bytes, rest, sizeof key.bytes);
    key.bytes[0] = first;
    key.bytes[1] = second;
    return key;
}

/* The place is the fraction 0.b0 b1 b2 ... in base 256:
 *   19 99 99 ...  0x1999.../2^64 = 0.0999999...  just below 0.1: test
 *   19 9a 00 ...  0.10000610                     just above: validation
 *   33 33 33 ...  0.1999999...                   just below 0.2: validation
 *   33 34 00 ...  0.20001220                     train */
static void test_split_of__places_by_hand(void **state) {
    (void)state;
    static const struct {
        uint8_t first, second, rest;
        enum split expected;
    } cases[] = {
        {0x00, 0x00, 0x00, SPLIT_TEST},       {0x19, 0x99, 0x99, SPLIT_TEST},
        {0x19, 0x9a, 0x00, SPLIT_VALIDATION}, {0x33, 0x33, 0x33, SPLIT_VALIDATION},
        {0x33, 0x34, 0x00, SPLIT_TRAIN},      {0xff, 0xff, 0xff, SPLIT_TRAIN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hash_key key = key_of(cases[i].first, cases[i].second, cases[i].rest);
        assert_int_equal(split_of(PROMPT_TEXT, &key, &shares), cases[i].expected);
    }
}

static void test_split_of__whole_range_may_be_one_part(void **state) {
    (void)state;
    struct hash_key low = key_of(0, 0, 0);
    struct hash_key high = key_of(0xff, 0xff, 0xff);
    const struct split_shares all_test = {.test = 1.0};
    const struct split_shares all_validation = {.validation = 1.0};
    const struct split_shares none = {.test = 0.0};
    assert_int_equal(split_of(PROMPT_TEXT, &low, &all_test), SPLIT_TEST);
    assert_int_equal(split_of(PROMPT_TEXT, &high, &all_test), SPLIT_TEST); /* places are below 1 */
    assert_int_equal(split_of(PROMPT_TEXT, &high, &all_validation), SPLIT_VALIDATION);
    assert_int_equal(split_of(PROMPT_TEXT, &low, &none), SPLIT_TRAIN);
}

/* Real keys: hashes of texts. A binomial count of n = 100000 at p = 0.1 has a standard deviation of
 * sqrt(n p (1 - p)) = 94.9. */
static void test_split_of__shares_are_met_within_four_sigma(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const int64_t n = 100000;
    int64_t counts[SPLIT_COUNT] = {0};
    for (int64_t i = 0; i < n; i++) {
        const struct hash_part part = {&i, sizeof i};
        struct hash_key key;
        assert_ok(hash_key_of(&part, 1, &key, &err), &err);
        counts[split_of(PROMPT_TEXT, &key, &shares)]++;
    }
    double sigma = sqrt((double)n * 0.1 * 0.9);
    assert_true(fabs((double)counts[SPLIT_TEST] - 0.1 * (double)n) < 4.0 * sigma);
    assert_true(fabs((double)counts[SPLIT_VALIDATION] - 0.1 * (double)n) < 4.0 * sigma);
}

/* A larger test share takes prompts from the others and gives none away. */
static void test_split_of__larger_test_share_keeps_the_smaller(void **state) {
    (void)state;
    const struct split_shares larger = {.validation = 0.1, .test = 0.3};
    for (int first = 0; first < 256; first++) {
        struct hash_key key = key_of((uint8_t)first, 0x77, 0x01);
        if (split_of(PROMPT_TEXT, &key, &shares) == SPLIT_TEST) {
            assert_int_equal(split_of(PROMPT_TEXT, &key, &larger), SPLIT_TEST);
        }
    }
}

/* One prompt that holds everything known of a league: never held out, even if all prompts are. */
static void test_split_of__sets_of_items_are_training(void **state) {
    (void)state;
    struct hash_key low = key_of(0, 0, 0);
    const struct split_shares all_test = {.test = 1.0};
    assert_int_equal(split_of(PROMPT_CHAT, &low, &all_test), SPLIT_TEST);
    assert_int_equal(split_of(PROMPT_ITEMS, &low, &all_test), SPLIT_TRAIN);
    assert_int_equal(split_of(PROMPT_ITEMS, &low, &shares), SPLIT_TRAIN);
}

static void read_row(const char *sql, enum err_code expected, enum split split) {
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = NULL;
    SCOPED(db_stmt) struct db_stmt *row = NULL;
    const struct db_options options = {
        .path = ":memory:", .mode = DB_MODE_CREATE, .schema = project_schema()};
    bool has_row = false;
    enum split found = SPLIT_VALIDATION;
    const struct split_shares all_test = {.test = 1.0};
    assert_ok(db_open(&options, &db, &err), &err);
    assert_ok(db_stmt_open(db, sql, &row, &err), &err);
    assert_ok(db_stmt_step(row, &has_row, &err), &err);
    assert_int_equal(split_read(row, 1, &all_test, &found, &err), expected);
    assert_int_equal(found, split);
}

static void test_split_read__kind_and_hash_of_a_row(void **state) {
    (void)state;
    read_row("SELECT 7, 'text', zeroblob(16)", ERR_OK, SPLIT_TEST);
    read_row("SELECT 7, 'items', zeroblob(16)", ERR_OK, SPLIT_TRAIN);
    read_row("SELECT 7, 'text', zeroblob(15)", ERR_DATA, SPLIT_VALIDATION); /* untouched */
    read_row("SELECT 7, 'song', zeroblob(16)", ERR_DATA, SPLIT_VALIDATION);
}

static void test_split_name__as_typed(void **state) {
    (void)state;
    assert_string_equal(split_name(SPLIT_TRAIN), "train");
    assert_string_equal(split_name(SPLIT_VALIDATION), "validation");
    assert_string_equal(split_name(SPLIT_TEST), "test");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_of__places_by_hand),
        cmocka_unit_test(test_split_of__whole_range_may_be_one_part),
        cmocka_unit_test(test_split_of__shares_are_met_within_four_sigma),
        cmocka_unit_test(test_split_of__larger_test_share_keeps_the_smaller),
        cmocka_unit_test(test_split_of__sets_of_items_are_training),
        cmocka_unit_test(test_split_read__kind_and_hash_of_a_row),
        cmocka_unit_test(test_split_name__as_typed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
