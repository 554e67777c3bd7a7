/* Leaderboards: order, intervals and the ranks that stay open, by hand; the picture as XML. */
#include "reward/leaderboard.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "reward/leaderboard_svg.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/near.h"
#include "tests/support/xml_check.h"

#include <stdlib.h>

#define ITEMS 4

/* Independent errors 0.1: a difference has the error 0.1 sqrt 2 = 0.1414, and is sure at 95 % from
 * 0.2772 on. */
static double rewards[ITEMS] = {0.0, 1.0, 0.8, -2.0};
static double std_errors[ITEMS] = {0.1, 0.1, 0.1, 0.1};
static double covariance[] = {0.01, 0.0, 0.01, 0.0, 0.0, 0.01, 0.0, 0.0, 0.0, 0.01};
static char *origins[ITEMS] = {(char[]){"cy"}, (char[]){"ann"}, (char[]){"bob"}, (char[]){"dee"}};

static struct tabular_stored stored_of(void) {
    return (struct tabular_stored){
        .items = COMPARISON_ITEMS_ORIGINS,
        .origins = origins,
        .fit = {.item_count = ITEMS,
                .rewards = rewards,
                .std_errors = std_errors,
                .covariance = covariance,
                .covariance_size = ITEMS},
    };
}

static const struct leaderboard_options usual = {.confidence = 0.95,
                                                 .reference = LEADERBOARD_NO_REFERENCE};

static void make(const struct tabular_stored *stored, const struct leaderboard_options *options,
                 struct leaderboard *board) {
    struct error err = ERROR_INIT;
    assert_ok(leaderboard_make(stored, options, board, &err), &err);
}

static void check_row(const struct leaderboard_row *row, int64_t item, int64_t rank,
                      int64_t rank_best, int64_t rank_worst) {
    assert_int_equal(row->item, item);
    assert_int_equal(row->rank, rank);
    assert_int_equal(row->rank_best, rank_best);
    assert_int_equal(row->rank_worst, rank_worst);
}

static void test_make__leaves_open_what_differences_do(void **state) {
    (void)state;
    const struct tabular_stored stored = stored_of();
    SCOPED(leaderboard) struct leaderboard board = LEADERBOARD_INIT;
    make(&stored, &usual, &board);
    assert_int_equal(board.count, 4);
    assert_int_equal(board.group_count, 1);
    assert_int_equal(board.ranks, LEADERBOARD_RANKS_CONTRASTS);
    check_row(&board.rows[0], 1, 1, 1, 2); /* 1.0 against 0.8: open */
    check_row(&board.rows[1], 2, 2, 1, 2);
    check_row(&board.rows[2], 0, 3, 3, 3);
    check_row(&board.rows[3], 3, 4, 4, 4);
    assert_near(board.rows[0].low, 1.0 - 1.959963984540054 * 0.1, 1e-12);
    assert_near(board.rows[0].high, 1.0 + 1.959963984540054 * 0.1, 1e-12);
}

/* Rewards that move together: the difference is surer than either. */
static void test_make__uses_the_covariance(void **state) {
    (void)state;
    double together[] = {0.01, 0.0, 0.01, 0.0, 0.0095, 0.01, 0.0, 0.0, 0.0, 0.01};
    struct tabular_stored stored = stored_of();
    stored.fit.covariance = together;
    SCOPED(leaderboard) struct leaderboard board = LEADERBOARD_INIT;
    make(&stored, &usual, &board);
    check_row(&board.rows[0], 1, 1, 1, 1); /* variance 0.001: error 0.0316 */
    check_row(&board.rows[1], 2, 2, 2, 2);
}

static void test_make__falls_back_on_overlap_and_on_nothing(void **state) {
    (void)state;
    double close[ITEMS] = {0.0, 1.0, 0.65, -2.0}; /* apart by contrasts, not by overlap */
    struct tabular_stored stored = stored_of();
    stored.fit.rewards = close;
    stored.fit.covariance = NULL;
    stored.fit.covariance_size = 0;
    SCOPED(leaderboard) struct leaderboard overlap = LEADERBOARD_INIT;
    make(&stored, &usual, &overlap);
    assert_int_equal(overlap.ranks, LEADERBOARD_RANKS_OVERLAP);
    check_row(&overlap.rows[0], 1, 1, 1, 2);
    stored.fit.std_errors = NULL;
    SCOPED(leaderboard) struct leaderboard unknown = LEADERBOARD_INIT;
    make(&stored, &usual, &unknown);
    assert_int_equal(unknown.ranks, LEADERBOARD_RANKS_UNKNOWN);
    check_row(&unknown.rows[0], 1, 1, 0, 0);
    assert_true(isnan(unknown.rows[0].low));
}

static void test_make__takes_a_reference(void **state) {
    (void)state;
    const struct tabular_stored stored = stored_of();
    struct leaderboard_options options = {.confidence = 0.95, .reference = 2};
    SCOPED(leaderboard) struct leaderboard board = LEADERBOARD_INIT;
    make(&stored, &options, &board);
    assert_near(board.rows[0].reward, 0.2, 1e-15);
    assert_near(board.rows[0].std_error, 0.1 * sqrt(2.0), 1e-15);
    assert_near(board.rows[1].reward, 0.0, 0.0);
    assert_near(board.rows[1].std_error, 0.0, 0.0);
    check_row(&board.rows[0], 1, 1, 1, 2);
}

static void test_make__ranks_within_prompts(void **state) {
    (void)state;
    int64_t prompts[ITEMS] = {7, 3, 7, 3}, responses[ITEMS] = {1, 2, 3, 4};
    struct tabular_stored stored = stored_of();
    stored.origins = NULL;
    stored.prompt_ids = prompts;
    stored.response_ids = responses;
    SCOPED(leaderboard) struct leaderboard board = LEADERBOARD_INIT;
    make(&stored, &usual, &board);
    assert_int_equal(board.group_count, 2);
    check_row(&board.rows[0], 1, 1, 1, 1);
    check_row(&board.rows[1], 3, 2, 2, 2);
    check_row(&board.rows[2], 2, 1, 1, 1);
    assert_true(leaderboard_begins_group(&board, 2));
    assert_false(leaderboard_begins_group(&board, 3));
    struct leaderboard_options options = {.confidence = 0.95, .reference = 0};
    SCOPED(leaderboard) struct leaderboard one = LEADERBOARD_INIT;
    make(&stored, &options, &one);
    assert_int_equal(one.count, 2); /* only what can be compared with item 0 */
}

static void test_make__gives_equal_rewards_one_rank(void **state) {
    (void)state;
    double equal[ITEMS] = {1.0, 0.5, 0.5, 0.0};
    struct tabular_stored stored = stored_of();
    stored.fit.rewards = equal;
    SCOPED(leaderboard) struct leaderboard board = LEADERBOARD_INIT;
    make(&stored, &usual, &board);
    check_row(&board.rows[1], 1, 2, 2, 3);
    check_row(&board.rows[2], 2, 2, 2, 3);
    check_row(&board.rows[3], 3, 4, 4, 4);
}

/* ---- the picture ---- */

static void draw(const struct leaderboard *board, const char *const *names, int64_t rows,
                 struct strbuf *out) {
    struct error err = ERROR_INIT;
    const struct leaderboard_labels labels = {.title = "a & b",
                                              .subtitle = "four <items>",
                                              .axis = "reward",
                                              .names = names,
                                              .rows = rows};
    assert_ok(leaderboard_svg_write(board, &labels, out, &err), &err);
}

static int64_t count_of(const char *text, const char *part) {
    int64_t count = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

static void test_svg__holds_a_dot_and_a_whisker_an_item(void **state) {
    (void)state;
    static const char *const names[] = {"ann", "<bob> & co", "cy", "dee"};
    const struct tabular_stored stored = stored_of();
    SCOPED(leaderboard) struct leaderboard board = LEADERBOARD_INIT;
    make(&stored, &usual, &board);
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1 << 20);
    SCOPED(strbuf) struct strbuf again = STRBUF_INIT(1 << 20);
    draw(&board, names, 4, &text);
    draw(&board, names, 4, &again);
    const char *svg = strbuf_text(&text);
    assert_string_equal(svg, strbuf_text(&again));
    assert_int_equal(count_of(svg, "<circle"), 4);
    assert_int_equal(count_of(svg, "class=\"whisker\""), 4);
    assert_int_equal(count_of(svg, "class=\"first\""), 2);
    assert_int_equal(count_of(svg, ">&lt;bob&gt; &amp; co<"), 1);
    assert_int_equal(count_of(svg, ">a &amp; b<"), 2);
    assert_int_equal(count_of(svg, ">1\xE2\x80\x93"
                                   "2<"),
                     2);
    assert_int_equal(count_of(svg, ">\xE2\x88\x92"
                                   "2.000<"),
                     1);
    xml_check(svg);
}

static void test_svg__draws_what_it_is_given(void **state) {
    (void)state;
    static const char *const names[] = {
        "a name that is much longer than a picture has room for, by far", "b", "c", "\x01 d"};
    struct tabular_stored stored = stored_of();
    double equal[ITEMS] = {0.0, 0.0, 0.0, 0.0};
    stored.fit.rewards = equal;
    stored.fit.std_errors = NULL;
    stored.fit.covariance = NULL;
    SCOPED(leaderboard) struct leaderboard board = LEADERBOARD_INIT;
    make(&stored, &usual, &board);
    for (int64_t rows = 0; rows <= 4; rows++) {
        SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1 << 20);
        draw(&board, names, rows, &text);
        assert_int_equal(count_of(strbuf_text(&text), "<circle"), rows);
        assert_int_equal(count_of(strbuf_text(&text), "nan"), 0);
        assert_null(strchr(strbuf_text(&text), '\x01'));
        xml_check(strbuf_text(&text));
    }
}

static void test_svg__refuses_names_that_are_not_utf8(void **state) {
    (void)state;
    static const char *const names[] = {"ann", "b\xff", "cy", "dee"};
    const struct tabular_stored stored = stored_of();
    SCOPED(leaderboard) struct leaderboard board = LEADERBOARD_INIT;
    make(&stored, &usual, &board);
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1 << 20);
    const struct leaderboard_labels labels = {
        .title = "t", .subtitle = "s", .axis = "a", .names = names, .rows = 4};
    struct error err = ERROR_INIT;
    assert_fails(leaderboard_svg_write(&board, &labels, &text, &err), ERR_DATA,
                 "name of item 2 is not UTF-8 at byte 2", &err);
}

static enum err_code make_one(void *context, struct error *err) {
    (void)context;
    const struct tabular_stored stored = stored_of();
    SCOPED(leaderboard) struct leaderboard board = LEADERBOARD_INIT;
    return leaderboard_make(&stored, &usual, &board, err);
}

static void test_make__survives_the_failure_of_any_allocation(void **state) {
    (void)state;
    alloc_loop_check(make_one, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make__leaves_open_what_differences_do),
        cmocka_unit_test(test_make__uses_the_covariance),
        cmocka_unit_test(test_make__falls_back_on_overlap_and_on_nothing),
        cmocka_unit_test(test_make__takes_a_reference),
        cmocka_unit_test(test_make__ranks_within_prompts),
        cmocka_unit_test(test_make__gives_equal_rewards_one_rank),
        cmocka_unit_test(test_svg__holds_a_dot_and_a_whisker_an_item),
        cmocka_unit_test(test_svg__draws_what_it_is_given),
        cmocka_unit_test(test_svg__refuses_names_that_are_not_utf8),
        cmocka_unit_test(test_make__survives_the_failure_of_any_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
