#include "reward/text_features.h"

#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#include <stdio.h>

#include <math.h>

#define TOL 1e-7 /* values are floats */

static void add(struct text_features *features, const char *text) {
    struct error err = ERROR_INIT;
    assert_ok(text_features_add(features, text, strlen(text), &err), &err);
}

static struct text_features *features_of(const char *const *texts, int64_t count) {
    struct error err = ERROR_INIT;
    struct text_features *features = NULL;
    assert_ok(text_features_new(&features, &err), &err);
    for (int64_t i = 0; i < count; i++) {
        add(features, texts[i]);
    }
    return features;
}

/* tea , tea ! -> words tea (2), "," and "!"; pairs "tea ,", ", tea", "tea !". In the order of first
 * appearance: tea, ",", "tea ,", [tea], ", tea", "!", "tea !". */
static void test_text_features__hand_worked(void **state) {
    (void)state;
    const char *const texts[] = {"Tea, tea!", "TEA tea", ""};
    SCOPED(text_features) struct text_features *features = features_of(texts, 3);
    const struct text_matrix m = text_features_matrix(features);
    assert_int_equal(m.row_count, 3);
    assert_int_equal(m.feature_count, 7); /* six, and "tea tea" of the second row */
    assert_int_equal(m.starts[1], 6);
    assert_int_equal(m.starts[2], 8);
    assert_int_equal(m.starts[3], 8);
    for (int64_t e = 0; e < 6; e++) {
        assert_int_equal(m.entries[e].column, e);
        assert_near((double)m.entries[e].value, e == 0 ? log(3.0) : log(2.0), TOL);
    }
    assert_int_equal(m.entries[6].column, 0); /* the same word, whatever its case */
    assert_near((double)m.entries[6].value, log(3.0), TOL);
    assert_int_equal(m.entries[7].column, 6);
    assert_near((double)m.entries[7].value, log(2.0), TOL);
    assert_int_equal(m.lengths[0], 9);
    assert_int_equal(m.lengths[1], 7);
    assert_int_equal(m.lengths[2], 0);
}

static int64_t feature_count(const char *text) {
    SCOPED(text_features) struct text_features *features = features_of(&text, 1);
    return text_features_matrix(features).feature_count;
}

/* Words and marks, and one pair between each two neighbours: 2 n - 1 features when all differ. */
static void test_text_features__what_is_a_word(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t features;
    } cases[] = {
        {"   \t\n ", 0},
        {"a b", 3},
        {"a_b2", 1},
        {"it's", 5},                             /* it ' s */
        {"na\xC3\xAFve caf\xC3\xA9", 3},         /* two words with letters outside ASCII */
        {"\xE2\x80\x9Cyes\xE2\x80\x9D", 5},      /* curly quotes are marks */
        {"yes\xC2\xA0no", 3},                    /* a no-break space parts */
        {"\xE3\x81\x82\xE3\x80\x82", 3},         /* hiragana, ideographic full stop */
        {"\xF0\x9F\x98\x80\xF0\x9F\x98\x81", 3}, /* two emoji are two marks */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(feature_count(cases[i].text), cases[i].features);
    }
}

static void test_text_features__pairs_have_an_order(void **state) {
    (void)state;
    const char *const texts[] = {"tea coffee", "coffee tea"};
    SCOPED(text_features) struct text_features *features = features_of(texts, 2);
    assert_int_equal(text_features_matrix(features).feature_count, 4);
}

/* More words than the first dictionary has room for. */
static void test_text_features__grows(void **state) {
    (void)state;
    SCOPED(text_features) struct text_features *features = features_of(NULL, 0);
    char text[32];
    for (int i = 0; i < 3000; i++) {
        snprintf(text, sizeof text, "w%d", i);
        add(features, text);
    }
    for (int i = 0; i < 3000; i++) {
        snprintf(text, sizeof text, "w%d", i);
        add(features, text);
    }
    const struct text_matrix m = text_features_matrix(features);
    assert_int_equal(m.feature_count, 3000);
    for (int64_t i = 0; i < 3000; i++) {
        assert_int_equal(m.entries[m.starts[i]].column, i);
        assert_int_equal(m.entries[m.starts[3000 + i]].column, i);
    }
}

static enum err_code build(void *context, struct error *err) {
    (void)context;
    SCOPED(text_features) struct text_features *features = NULL;
    TRY(text_features_new(&features, err));
    char text[64];
    for (int i = 0; i < 400; i++) {
        int length = snprintf(text, sizeof text, "word%d and word%d", i, i + 1);
        TRY(text_features_add(features, text, (size_t)length, err));
    }
    return ERR_OK;
}

static void test_text_features__out_of_memory(void **state) {
    (void)state;
    alloc_loop_check(build, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_features__hand_worked),
        cmocka_unit_test(test_text_features__what_is_a_word),
        cmocka_unit_test(test_text_features__pairs_have_an_order),
        cmocka_unit_test(test_text_features__grows),
        cmocka_unit_test(test_text_features__out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
