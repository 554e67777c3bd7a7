/* Sketches against exact Jaccard indices, and the index against all pairs. */
#include "data/near_index.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/minhash.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/near.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TOL_EXACT 1e-15

static struct shingle_set read_set(const char *text) {
    struct shingle_set set = SHINGLE_SET_INIT;
    struct error err = ERROR_INIT;
    assert_ok(shingle_set_read(&set, text, strlen(text), &err), &err);
    return set;
}

static double jaccard_of(const char *left, const char *right) {
    SCOPED(shingle_set) struct shingle_set a = read_set(left);
    SCOPED(shingle_set) struct shingle_set b = read_set(right);
    return shingle_set_jaccard(&a, &b);
}

/* ---- shingles ---- */

static void test_shingles__hand_worked(void **state) {
    (void)state;
    /* {a b c, b c d} and {a b c, b c e}: 1 of 3 */
    assert_near(jaccard_of("a b c d", "a b c e"), 1.0 / 3.0, TOL_EXACT);
    assert_near(jaccard_of("A, b; C d!", "a b c d"), 1.0, TOL_EXACT);
    /* a b a, b a b, twice each: a set holds them once */
    assert_near(jaccard_of("a b a b a b", "a b a b"), 1.0, TOL_EXACT);
    /* fewer than three words are one shingle */
    assert_near(jaccard_of("yes", "Yes."), 1.0, TOL_EXACT);
    assert_near(jaccard_of("yes", "yes yes"), 0.0, TOL_EXACT);
    assert_near(jaccard_of("yes no", "no yes"), 0.0, TOL_EXACT);
    assert_near(jaccard_of("a b c", "c b a"), 0.0, TOL_EXACT);
    /* nothing is not like nothing */
    assert_near(jaccard_of("", ""), 0.0, TOL_EXACT);
    assert_near(jaccard_of("...", "a b c"), 0.0, TOL_EXACT);
}

static void test_shingles__are_sorted_and_unique(void **state) {
    (void)state;
    SCOPED(shingle_set)
    struct shingle_set set = read_set("the cat sat on the mat and the cat sat on the mat again");
    for (int64_t i = 1; i < set.count; i++) {
        assert_true(set.hashes[i - 1] < set.hashes[i]);
    }
    /* 14 words, 12 windows; "the cat sat", "cat sat on", "sat on the", "on the mat" come twice */
    assert_int_equal(set.count, 8);
}

/* ---- sketches ---- */

/* Two sets of n shingles each with `both` in common. */
static void make_sets(struct rng *rng, int64_t n, int64_t both, struct shingle_set *a,
                      struct shingle_set *b) {
    *a = (struct shingle_set){mem_array((size_t)n, sizeof(uint64_t)), n, n};
    *b = (struct shingle_set){mem_array((size_t)n, sizeof(uint64_t)), n, n};
    assert_true(a->hashes && b->hashes);
    for (int64_t i = 0; i < n; i++) {
        a->hashes[i] = rng_u64(rng);
        b->hashes[i] = i < both ? a->hashes[i] : rng_u64(rng);
    }
}

/* The estimate has the right mean and no more variance than 128 independent minima have, whatever
 * the size of the sets: below, at and above the number of bins. */
static void test_minhash__estimates_without_bias_and_with_stated_variance(void **state) {
    (void)state;
    static const int64_t sizes[] = {1, 2, 5, 12, 60, 128, 500, 3000};
    static const double shares[] = {0.0, 0.2, 0.5, 0.8, 1.0};
    const int64_t trials = 300;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (size_t k = 0; k < sizeof shares / sizeof *shares; k++) {
            int64_t n = sizes[s], both = (int64_t)(shares[k] * (double)n);
            double exact = (double)both / (double)(2 * n - both), sum = 0.0, squares = 0.0;
            for (int64_t trial = 0; trial < trials; trial++) {
                struct rng rng = rng_stream(11, RNG_TEST, n, trial);
                struct shingle_set a, b;
                make_sets(&rng, n, both, &a, &b);
                struct minhash x = minhash_of(&a), y = minhash_of(&b);
                double off = minhash_jaccard(&x, &y) - exact;
                sum += off;
                squares += off * off;
                shingle_set_deinit(&a);
                shingle_set_deinit(&b);
            }
            double variance = exact * (1.0 - exact) / MINHASH_BINS;
            double error = sqrt(variance / (double)trials);
            /* 4.5 standard errors: one false alarm in 4,000 runs of all 40 cases, and the numbers
             * are always the same. */
            if (fabs(sum / (double)trials) > 4.5 * error + 1e-12) {
                fail_msg("n %lld, J %.3f: bias %g, standard error %g", (long long)n, exact,
                         sum / (double)trials, error);
            }
            if (squares / (double)trials > 1.35 * variance + 1e-12) {
                fail_msg("n %lld, J %.3f: variance %g, stated %g", (long long)n, exact,
                         squares / (double)trials, variance);
            }
        }
    }
}

/* ---- the index ---- */

#define WORDS_MAX 400

struct text_list {
    char **texts;
    int64_t count;
    int64_t pairs_found;
    double least;
    bool *found; /* [count * count] */
};

static enum err_code fetch(void *context, int64_t text, struct shingle_set *out,
                           struct error *err) {
    const struct text_list *list = context;
    return shingle_set_read(out, list->texts[text], strlen(list->texts[text]), err);
}

static enum err_code note(void *context, int64_t earlier, int64_t later, double jaccard,
                          struct error *err) {
    struct text_list *list = context;
    (void)err;
    assert_true(earlier < later);
    assert_false(list->found[earlier * list->count + later]); /* each at most once */
    list->found[earlier * list->count + later] = true;
    list->pairs_found++;
    list->least = jaccard < list->least ? jaccard : list->least;
    return ERR_OK;
}

static bool want_all(void *context, int64_t earlier, int64_t later) {
    (void)context;
    (void)earlier;
    (void)later;
    return true;
}

static char *make_text(struct rng *rng, int64_t words) {
    struct strbuf text = STRBUF_INIT(64 * 1024);
    for (int64_t i = 0; i < words; i++) {
        strbuf_addf(&text, "w%lld ", (long long)rng_below(rng, 5000));
    }
    return strbuf_detach(&text);
}

/* The same with each word replaced with a probability. */
static char *vary_text(struct rng *rng, const char *original, double share) {
    struct strbuf text = STRBUF_INIT(64 * 1024);
    for (const char *word = original; *word;) {
        const char *end = strchr(word, ' ');
        if (rng_uniform(rng) < share) {
            strbuf_addf(&text, "x%lld ", (long long)rng_below(rng, 100000));
        } else {
            strbuf_add_bytes(&text, word, (size_t)(end - word) + 1);
        }
        word = end + 1;
    }
    return strbuf_detach(&text);
}

static void list_free(struct text_list *list) {
    for (int64_t i = 0; i < list->count; i++) {
        mem_free(list->texts[i]);
    }
    mem_free(list->texts);
    mem_free(list->found);
}

/* Originals and a variation of each, at even and odd places; rates of change from 0 to 8 %, of
 * which about half leave a Jaccard index of 0.8 or more. */
static struct text_list make_list(int64_t originals, uint64_t seed) {
    struct text_list list = {.count = 2 * originals, .least = 2.0};
    list.texts = mem_array((size_t)list.count, sizeof *list.texts);
    list.found = mem_array_zero((size_t)(list.count * list.count), sizeof *list.found);
    for (int64_t i = 0; i < originals; i++) {
        struct rng rng = rng_stream(seed, RNG_TEST, 1, i);
        int64_t words = 4 + rng_below(&rng, i % 2 ? 40 : WORDS_MAX);
        list.texts[2 * i] = make_text(&rng, words);
        list.texts[2 * i + 1] = vary_text(&rng, list.texts[2 * i], 0.08 * rng_uniform(&rng));
    }
    return list;
}

static enum err_code search_list(struct text_list *list, double threshold, bool all,
                                 struct error *err) {
    SCOPED(near_index) struct near_index index = NEAR_INDEX_INIT;
    SCOPED(shingle_set) struct shingle_set set = SHINGLE_SET_INIT;
    near_index_begin(&index, threshold, list->count);
    for (int64_t i = 0; i < list->count; i++) {
        TRY(fetch(list, i, &set, err));
        TRY(near_index_add(&index, &set, err));
    }
    const struct near_search search = {
        .fetch = fetch, .wanted = all ? want_all : NULL, .found = note, .context = list};
    return near_index_search(&index, &search, err);
}

static void test_near_index__finds_95_percent_and_nothing_wrong(void **state) {
    (void)state;
    static const double thresholds[] = {0.5, 0.8, 0.9};
    for (size_t t = 0; t < 3; t++) {
        struct error err = ERROR_INIT;
        struct text_list list = make_list(600, 21 + t);
        assert_ok(search_list(&list, thresholds[t], true, &err), &err);
        int64_t near = 0, found = 0;
        for (int64_t i = 0; i < list.count; i += 2) {
            bool is_near = jaccard_of(list.texts[i], list.texts[i + 1]) >= thresholds[t];
            near += is_near;
            found += is_near && list.found[i * list.count + i + 1];
        }
        assert_true(near > 200); /* the list holds what is looked for */
        if ((double)found < 0.95 * (double)near) {
            fail_msg("threshold %g: %lld of %lld found", thresholds[t], (long long)found,
                     (long long)near);
        }
        assert_int_equal(list.pairs_found, found); /* no pair of different originals */
        assert_true(list.least >= thresholds[t]);
        list_free(&list);
    }
}

/* A thousand copies cost as many comparisons, not half a million. */
static void test_near_index__copies_cost_one_comparison_each(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(near_index) struct near_index index = NEAR_INDEX_INIT;
    struct text_list list = {.count = 1000, .least = 2.0};
    list.texts = mem_array(1000, sizeof *list.texts);
    list.found = mem_array_zero(1000 * 1000, sizeof *list.found);
    near_index_begin(&index, 0.8, 1000);
    for (int64_t i = 0; i < list.count; i++) {
        list.texts[i] = mem_strdup("one question that everybody asks");
        SCOPED(shingle_set) struct shingle_set set = read_set(list.texts[i]);
        assert_ok(near_index_add(&index, &set, &err), &err);
    }
    const struct near_search search = {.fetch = fetch, .found = note, .context = &list};
    assert_ok(near_index_search(&index, &search, &err), &err);
    assert_int_equal(index.compared, 999);
    assert_int_equal(list.pairs_found, 999);
    for (int64_t i = 0; i < list.count; i++) {
        assert_int_equal(near_index_group(&index, i), 0);
    }
    list_free(&list);
}

static void test_near_index__leaves_out_what_is_beyond_its_limit(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(near_index) struct near_index index = NEAR_INDEX_INIT;
    SCOPED(shingle_set) struct shingle_set set = read_set("a b c d e");
    near_index_begin(&index, 0.8, 2);
    for (int i = 0; i < 5; i++) {
        assert_ok(near_index_add(&index, &set, &err), &err);
    }
    assert_int_equal(index.count, 2);
    assert_int_equal(index.left_out, 3);
}

static void test_near_index__texts_without_words_are_near_nothing(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct text_list list = {.count = 3, .least = 2.0};
    list.texts = mem_array(3, sizeof *list.texts);
    list.found = mem_array_zero(9, sizeof *list.found);
    for (int i = 0; i < 3; i++) {
        list.texts[i] = mem_strdup("...");
    }
    assert_ok(search_list(&list, 0.8, true, &err), &err);
    assert_int_equal(list.pairs_found, 0);
    list_free(&list);
}

static enum err_code search_once(void *context, struct error *err) {
    struct text_list *list = context;
    memset(list->found, 0, (size_t)(list->count * list->count) * sizeof *list->found);
    return search_list(list, 0.8, true, err);
}

static void test_near_index__fails_cleanly_without_memory(void **state) {
    (void)state;
    struct text_list list = make_list(4, 3);
    alloc_loop_check(search_once, &list);
    list_free(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shingles__hand_worked),
        cmocka_unit_test(test_shingles__are_sorted_and_unique),
        cmocka_unit_test(test_minhash__estimates_without_bias_and_with_stated_variance),
        cmocka_unit_test(test_near_index__finds_95_percent_and_nothing_wrong),
        cmocka_unit_test(test_near_index__copies_cost_one_comparison_each),
        cmocka_unit_test(test_near_index__leaves_out_what_is_beyond_its_limit),
        cmocka_unit_test(test_near_index__texts_without_words_are_near_nothing),
        cmocka_unit_test(test_near_index__fails_cleanly_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
