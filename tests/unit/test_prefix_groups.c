/* test_prefix_groups.c - texts grouped by what they begin with, against all cuts of their order. */
#include "policy/prefix_groups.h"

#include "base/rng.h"
#include "base/scoped.h"
#include "policy/packed_batch.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

#define NO_LIMIT 1000000

#define TEXT_TOKENS_MAX 120
struct drawn_text {
    int32_t ids[TEXT_TOKENS_MAX];
    int64_t count;
};

static void extend(struct drawn_text *text, int32_t id, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        text->ids[text->count++] = id;
    }
}

static struct token_sequence sequence_of(const struct drawn_text *text) {
    return (struct token_sequence){.ids = text->ids, .count = text->count};
}

static int64_t tokens_of_group(const struct prefix_groups *groups, int64_t g) {
    const int64_t first = groups->starts[g];
    return packed_batch_tokens_of(PACKED_ENDS, groups->texts + first,
                                  groups->starts[g + 1] - first);
}

static int64_t tokens_of_all(const struct prefix_groups *groups) {
    int64_t tokens = 0;
    for (int64_t g = 0; g < groups->count; g++) {
        tokens += tokens_of_group(groups, g);
    }
    return tokens;
}

/* Prompts 1 and 2 of 40 tokens, each with answers; 3 shares only 31 tokens with its neighbour. */
static void test_groups__answers_to_one_prompt(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct drawn_text drawn[6] = {{.count = 0}};
    struct token_sequence texts[6];
    static const int32_t prompts[6] = {2, 1, 3, 2, 1, 3};
    for (int i = 0; i < 6; i++) {
        extend(&drawn[i], prompts[i], prompts[i] == 3 ? 31 : 40);
        extend(&drawn[i], 10 + i, 5);
        texts[i] = sequence_of(&drawn[i]);
    }
    SCOPED(prefix_groups) struct prefix_groups groups = PREFIX_GROUPS_INIT;
    assert_ok(prefix_groups_make(PACKED_ENDS, texts, 6, NO_LIMIT, &groups, &err), &err);
    static const int64_t indices[] = {1, 4, 0, 3, 2, 5};
    static const int64_t starts[] = {0, 2, 4, 5, 6};
    assert_int_equal(groups.count, 4);
    assert_memory_equal(groups.starts, starts, sizeof starts);
    assert_memory_equal(groups.indices, indices, sizeof indices);
    for (int i = 0; i < 6; i++) {
        assert_ptr_equal(groups.texts[i].ids, texts[indices[i]].ids);
    }
    prefix_groups_deinit(&groups);
    /* 50 tokens for two: not in 49 */
    assert_ok(prefix_groups_make(PACKED_ENDS, texts, 6, 50, &groups, &err), &err);
    assert_int_equal(groups.count, 4);
    prefix_groups_deinit(&groups);
    assert_ok(prefix_groups_make(PACKED_ENDS, texts, 6, 49, &groups, &err), &err);
    assert_int_equal(groups.count, 6);
}

/* Texts of 40 equal tokens and one more: 31 before the first target are too few to share, 32 are
 * not; each is told by the text with fewest. */
static void test_groups__share_what_lies_before_targets(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct drawn_text drawn[4] = {{.count = 0}};
    struct token_sequence texts[4];
    bool is_target[2][TEXT_TOKENS_MAX];
    for (int i = 0; i < TEXT_TOKENS_MAX; i++) {
        is_target[0][i] = i >= 31;
        is_target[1][i] = i >= 32;
    }
    for (int i = 0; i < 4; i++) {
        extend(&drawn[i], 7, 40);
        extend(&drawn[i], 10 + i, 1);
        texts[i] = sequence_of(&drawn[i]);
        texts[i].is_target = is_target[i > 0];
    }
    SCOPED(prefix_groups) struct prefix_groups groups = PREFIX_GROUPS_INIT;
    assert_ok(prefix_groups_make(PACKED_TARGETS, texts, 4, NO_LIMIT, &groups, &err), &err);
    static const int64_t starts[] = {0, 1, 4};
    assert_int_equal(groups.count, 2);
    assert_memory_equal(groups.starts, starts, sizeof starts);
    prefix_groups_deinit(&groups);
    /* 32 + 9 + 9 = 50 tokens for two */
    assert_ok(prefix_groups_make(PACKED_TARGETS, texts + 1, 2, 50, &groups, &err), &err);
    assert_int_equal(groups.count, 1);
    prefix_groups_deinit(&groups);
    assert_ok(prefix_groups_make(PACKED_TARGETS, texts + 1, 2, 49, &groups, &err), &err);
    assert_int_equal(groups.count, 2);
}

/* 130 times one text: 64, 64 and 2 of them. */
static void test_groups__are_of_at_most_64(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct drawn_text drawn = {.count = 0};
    struct token_sequence texts[130];
    extend(&drawn, 4, 50);
    for (int i = 0; i < 130; i++) {
        texts[i] = sequence_of(&drawn);
    }
    SCOPED(prefix_groups) struct prefix_groups groups = PREFIX_GROUPS_INIT;
    assert_ok(prefix_groups_make(PACKED_ENDS, texts, 130, NO_LIMIT, &groups, &err), &err);
    assert_int_equal(groups.count, 3);
    assert_int_equal(tokens_of_all(&groups), 150);
    for (int64_t i = 0; i < 130; i++) {
        assert_int_equal(groups.indices[i], i);
    }
}

/* --- against all cuts of the order --------------------------------------------------------------
 */

#define TEXTS 7

/* The tokens of groups that end where the bits of `cuts` are set, and at the end. */
static int64_t tokens_of_cuts(const struct token_sequence texts[TEXTS], unsigned cuts) {
    int64_t tokens = 0;
    int64_t first = 0;
    for (int64_t end = 1; end <= TEXTS; end++) {
        if (end == TEXTS || (cuts >> (end - 1) & 1U) != 0) {
            tokens += packed_batch_tokens_of(PACKED_ENDS, texts + first, end - first);
            first = end;
        }
    }
    return tokens;
}

static int64_t least_tokens(const struct token_sequence texts[TEXTS]) {
    int64_t least = INT64_MAX;
    for (unsigned cuts = 0; cuts < 1U << (TEXTS - 1); cuts++) {
        const int64_t tokens = tokens_of_cuts(texts, cuts);
        least = tokens < least ? tokens : least;
    }
    return least;
}

/* Texts of a tree whose branches are longer than the least prefix: two of three letters, one after
 * the other, in runs of 33 to 35; some are the beginning of others, some are equal. */
static void test_groups__no_other_cut_is_cheaper(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    for (int64_t seed = 0; seed < 300; seed++) {
        struct rng rng = rng_stream(3, RNG_TEST, 0, seed);
        struct drawn_text drawn[TEXTS] = {{.count = 0}};
        struct token_sequence texts[TEXTS];
        for (int64_t i = 0; i < TEXTS; i++) {
            for (int64_t run = 1 + rng_below(&rng, 3); run > 0; run--) {
                extend(&drawn[i], 1 + (int32_t)rng_below(&rng, 3), 33 + rng_below(&rng, 3));
            }
            texts[i] = sequence_of(&drawn[i]);
        }
        SCOPED(prefix_groups) struct prefix_groups groups = PREFIX_GROUPS_INIT;
        assert_ok(prefix_groups_make(PACKED_ENDS, texts, TEXTS, NO_LIMIT, &groups, &err), &err);
        const int64_t least = least_tokens(groups.texts);
        if (tokens_of_all(&groups) != least) {
            fail_msg("seed %d: %d tokens, but %d are enough", (int)seed,
                     (int)tokens_of_all(&groups), (int)least);
        }
    }
}

static enum err_code make_once(void *context, struct error *err) {
    (void)context;
    struct drawn_text drawn = {.count = 0};
    extend(&drawn, 4, 50);
    const struct token_sequence texts[] = {sequence_of(&drawn), sequence_of(&drawn)};
    SCOPED(prefix_groups) struct prefix_groups groups = PREFIX_GROUPS_INIT;
    return prefix_groups_make(PACKED_ENDS, texts, 2, NO_LIMIT, &groups, err);
}

static void test_groups__survive_failing_allocations(void **state) {
    (void)state;
    alloc_loop_check(make_once, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups__answers_to_one_prompt),
        cmocka_unit_test(test_groups__share_what_lies_before_targets),
        cmocka_unit_test(test_groups__are_of_at_most_64),
        cmocka_unit_test(test_groups__no_other_cut_is_cheaper),
        cmocka_unit_test(test_groups__survive_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
