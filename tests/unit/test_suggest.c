#include "base/suggest.h"

#include "tests/support/test.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *const keys[] = {"beta", "beta_in", "pairs_per_step", "temperature", "lr", "n"};

static const char *nearest(const char *word) {
    return suggest_nearest(word, keys, COUNT(keys));
}

/* Worked by hand; "kitten" and "ca" are the usual textbook pairs. */
static void test_suggest_distance__hand_worked(void **state) {
    (void)state;
    static const struct {
        const char *left, *right;
        int64_t edits;
    } cases[] = {
        {"", "", 0},          {"", "abc", 3},
        {"abc", "abc", 0},    {"kitten", "sitting", 3}, /* k->s, e->i, +g */
        {"beta", "betta", 1},                           /* +t */
        {"beta", "bta", 1},                             /* -e */
        {"beta", "bata", 1},                            /* e->a */
        {"beta", "ebta", 1},                            /* be swapped */
        {"beta", "bate", 2},                            /* not neighbours: two replacements */
        {"ca", "abc", 3},    /* 2 if the swapped pair could be edited again */
        {"abcd", "badc", 2}, /* two swaps */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(suggest_distance(cases[i].left, cases[i].right), cases[i].edits);
        assert_int_equal(suggest_distance(cases[i].right, cases[i].left), cases[i].edits);
    }
}

static void test_suggest_distance__longest_words(void **state) {
    (void)state;
    char a[SUGGEST_BYTES_MAX + 2];
    char b[SUGGEST_BYTES_MAX + 2];
    memset(a, 'a', sizeof a);
    memset(b, 'b', sizeof b);
    a[SUGGEST_BYTES_MAX] = '\0';
    b[SUGGEST_BYTES_MAX] = '\0';
    assert_int_equal(suggest_distance(a, b), SUGGEST_BYTES_MAX);
    a[SUGGEST_BYTES_MAX] = 'a';
    a[SUGGEST_BYTES_MAX + 1] = '\0';
    assert_int_equal(suggest_distance(a, b), INT64_MAX);
    assert_int_equal(suggest_distance(b, a), INT64_MAX);
    const char *const long_words[] = {a};
    assert_null(suggest_nearest(a, long_words, 1));
}

static void test_suggest_nearest__mistyped(void **state) {
    (void)state;
    assert_string_equal(nearest("btea"), "beta");
    assert_string_equal(nearest("betain"), "beta_in");
    assert_string_equal(nearest("pairs-per-step"), "pairs_per_step");
    assert_string_equal(nearest("pair_per_stp"), "pairs_per_step");
    assert_string_equal(nearest("lt"), "lr");
    assert_string_equal(nearest("beta_"), "beta"); /* one edit, as "beta_in": the first */
}

static void test_suggest_nearest__beginnings(void **state) {
    (void)state;
    assert_string_equal(nearest("temp"), "temperature");
    assert_string_equal(nearest("pairs"), "pairs_per_step");
    assert_null(nearest("te")); /* too short */
}

static void test_suggest_nearest__nothing_near(void **state) {
    (void)state;
    assert_null(nearest(""));
    assert_null(nearest("m")); /* every letter would change */
    assert_null(nearest("gamma"));
    assert_null(nearest("learning_rate"));
    assert_null(suggest_nearest("beta", NULL, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suggest_distance__hand_worked),
        cmocka_unit_test(test_suggest_distance__longest_words),
        cmocka_unit_test(test_suggest_nearest__mistyped),
        cmocka_unit_test(test_suggest_nearest__beginnings),
        cmocka_unit_test(test_suggest_nearest__nothing_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
