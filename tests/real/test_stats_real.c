/* accord stats on data of other people. Numbers not named otherwise were counted with a script of a
 * few lines in another language, from the files and not from the project. */
#include "base/json.h"
#include "base/scoped.h"
#include "tests/support/real_data.h"
#include "tests/support/run_program.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct stats_real {
    struct program_result r;
    void *scratch;
    struct json *doc;
    const struct json_node *judged; /* the first, and only, set of comparisons */
};

static int setup(void **state) {
    struct stats_real *c = calloc(1, sizeof *c);
    *state = c;
    return c && scratch_setup(&c->scratch) == 0 ? 0 : -1;
}

static int teardown(void **state) {
    struct stats_real *c = *state;
    json_free(c->doc);
    int failed = scratch_teardown(&c->scratch);
    free(c);
    return failed;
}

static void import_and_ask(struct stats_real *c, const char *relative) {
    const char *path = real_data_or_skip(relative);
    const char *project = scratch_path(c->scratch, "real.db");
    struct error err = ERROR_INIT;
    run_program(&c->r, "init", project, "--quiet", NULL);
    run_program(&c->r, "import", project, path, "--quiet", NULL);
    assert_int_equal(c->r.status, 0);
    run_program(&c->r, "stats", project, "--json", "--quiet", "--annotators", "5", NULL);
    assert_string_equal(c->r.err, "");
    assert_int_equal(c->r.status, 0);
    assert_ok(json_parse(c->r.out, strlen(c->r.out), "output", NULL, &c->doc, &err), &err);
    const struct json_node *list = NULL;
    assert_ok(json_get_array(c->doc, json_root(c->doc), "comparisons", &list, &err), &err);
    c->judged = json_first(list);
    assert_non_null(c->judged);
}

/* The number at "key" or "object.key" of the comparisons. */
static double number_at(const struct stats_real *c, const char *object, const char *key) {
    struct error err = ERROR_INIT;
    const struct json_node *node = c->judged;
    double value = 0.0;
    if (object) {
        assert_ok(json_get_object(c->doc, c->judged, object, &node, &err), &err);
    }
    assert_ok(json_get_f64(c->doc, node, key, &value, &err), &err);
    return value;
}

static double rate_part(const struct stats_real *c, const char *object, const char *rate,
                        const char *key) {
    struct error err = ERROR_INIT;
    const struct json_node *node = c->judged;
    double value = 0.0;
    if (object) {
        assert_ok(json_get_object(c->doc, c->judged, object, &node, &err), &err);
    }
    assert_ok(json_get_object(c->doc, node, rate, &node, &err), &err);
    assert_ok(json_get_f64(c->doc, node, key, &value, &err), &err);
    return value;
}

static void assert_number(double value, double expected) {
    if (value != expected) {
        fail_msg("expected %.17g, got %.17g", expected, value);
    }
}

/* 1,025 of all 2,312 rows, 44.3 %: by characters of the whole transcripts. Of what follows their
 * last "Assistant:" it would be 1,023: five pairs differ before. */
static void test_stats_of_hh__the_longer_is_chosen_in_44_percent(void **state) {
    struct stats_real *c = *state;
    import_and_ask(c, "hh-rlhf/harmless-base_test.jsonl.gz");
    assert_number(number_at(c, NULL, "strict_pairs"), 2312.0);
    double longer = rate_part(c, "length", "longer_wins", "hits");
    double shorter = rate_part(c, "length", "longer_wins", "trials") - longer;
    double equal = number_at(c, "length", "equal_length_left_out");
    assert_number(longer + shorter + equal, 2312.0);
    assert_number(longer, 1025.0);
    assert_number(round(1000.0 * longer / 2312.0), 443.0);
}

static void test_stats_of_finegrained__has_no_cycle(void **state) {
    struct stats_real *c = *state;
    import_and_ask(c, "finegrained-rlhf-qa/dev_feedback.json");
    assert_number(number_at(c, NULL, "strict_pairs"), 2616.0);
    assert_number(number_at(c, NULL, "tied_pairs"), 384.0);
    assert_number(number_at(c, "transitivity", "triples"), 2000.0);
    assert_number(number_at(c, "transitivity", "cyclic"), 0.0);
}

/* Not on neutral ground: 18,454 home wins, 8,309 draws, 9,601 home losses; 11,258 draws in all. */
static void test_stats_of_football__home_effect(void **state) {
    struct stats_real *c = *state;
    import_and_ask(c, "football-international/results.csv");
    assert_number(number_at(c, NULL, "comparisons"), 49520.0);
    assert_number(number_at(c, NULL, "tied_pairs"), 11258.0);
    assert_number(rate_part(c, NULL, "first_wins", "hits"), 18454.0);
    assert_number(rate_part(c, NULL, "first_wins", "trials"), 18454.0 + 9601.0);
    assert_number(number_at(c, NULL, "first_ties_left_out"), 8309.0);
}

int main(void) {
#define STATS_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        STATS_TEST(test_stats_of_hh__the_longer_is_chosen_in_44_percent),
        STATS_TEST(test_stats_of_finegrained__has_no_cycle),
        STATS_TEST(test_stats_of_football__home_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
