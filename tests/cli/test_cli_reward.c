/* accord reward as its users meet it: fit, rank, predict and list on a small league. */
#include "base/json.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "tests/support/near.h"
#include "tests/support/run_program.h"
#include "tests/support/scratch.h"

#include <stdio.h>
#include <stdlib.h>

struct world {
    struct scratch *scratch;
    struct program_result r;
    char db[320];
};

static int setup(void **state) {
    struct world *w = calloc(1, sizeof *w);
    if (!w || scratch_setup((void **)&w->scratch) != 0) {
        free(w);
        return -1;
    }
    (void)snprintf(w->db, sizeof w->db, "%s", scratch_path(w->scratch, "league.db"));
    *state = w;
    return 0;
}

static int teardown(void **state) {
    struct world *w = *state;
    int result = scratch_teardown((void **)&w->scratch);
    free(w);
    return result;
}

static void check_ok(const struct program_result *r) {
    if (r->status != 0) {
        fail_msg("status %d: %s%s", r->status, r->out, r->err);
    }
}

static void check_refused(const struct program_result *r, int status, const char *part) {
    if (r->status != status || !strstr(r->err, part)) {
        fail_msg("expected %d and '%s', got %d: %s%s", status, part, r->status, r->out, r->err);
    }
}

/* Item-only rows of accord's own layout: `first` beats, or ties with, `second`. */
static void add_row(struct strbuf *out, const char *first, const char *second, bool tie,
                    const char *annotator) {
    strbuf_addf(out,
                "{\"judgement\": \"comparison\", \"items\": \"league\", \"responses\": [{\"text\": "
                "\"%s\", \"rank\": 1}, {\"text\": \"%s\", \"rank\": %d}], \"annotator\": \"%s\", "
                "\"population\": \"%s\"}\n",
                first, second, tie ? 1 : 2, annotator, annotator[0] == 'a' ? "young" : "old");
}

/* x beats y 6 to 2, y beats z 5 to 3, x beats z 7 to 1. */
static void make_league(struct world *w, bool ties) {
    static const char *const annotators[] = {"ann", "bob", "amy"};
    static const struct {
        const char *better, *worse;
        int wins;
    } games[] = {{"x", "y", 6}, {"y", "x", 2}, {"y", "z", 5},
                 {"z", "y", 3}, {"x", "z", 7}, {"z", "x", 1}};
    SCOPED(strbuf) struct strbuf rows = STRBUF_INIT(1 << 20);
    int row = 0;
    for (size_t g = 0; g < sizeof games / sizeof *games; g++) {
        for (int k = 0; k < games[g].wins; k++) {
            add_row(&rows, games[g].better, games[g].worse, false, annotators[row++ % 3]);
        }
    }
    for (int k = 0; ties && k < 4; k++) {
        add_row(&rows, "y", "z", true, annotators[row++ % 3]);
    }
    scratch_write(w->scratch, "rows.jsonl", strbuf_text(&rows));
    run_program(&w->r, "init", w->db, NULL);
    check_ok(&w->r);
    run_program(&w->r, "import", w->db, scratch_path(w->scratch, "rows.jsonl"), NULL);
    check_ok(&w->r);
}

static struct json *parsed(const char *text) {
    struct json *doc = NULL;
    struct error err = ERROR_INIT;
    assert_ok(json_parse(text, strlen(text), "output", NULL, &doc, &err), &err);
    return doc;
}

static double number_of(const struct json *doc, const struct json_node *object, const char *key) {
    double value = 0.0;
    struct error err = ERROR_INIT;
    assert_ok(json_get_f64(doc, object, key, &value, &err), &err);
    return value;
}

static const char *text_of(const struct json *doc, const struct json_node *object,
                           const char *key) {
    const char *text = NULL;
    struct error err = ERROR_INIT;
    assert_ok(json_get_string(doc, object, key, &text, &err), &err);
    return text;
}

/* ---- fit ---- */

static void test_fit__chooses_the_model_and_says_why(void **state) {
    struct world *w = *state;
    make_league(w, false);
    run_program(&w->r, "reward", "fit", w->db, NULL);
    check_ok(&w->r);
    assert_non_null(strstr(w->r.out, "bradley-terry of 3 items to 24 comparisons, maximum "
                                     "likelihood\n(this model because the comparisons are pairs"));
    assert_non_null(strstr(w->r.out, "stored          as 'bradley-terry'"));
    assert_non_null(strstr(w->r.out, "on 1 degrees of freedom, p = "));
}

static void test_fit__of_ties_is_davidson(void **state) {
    struct world *w = *state;
    make_league(w, true);
    run_program(&w->r, "reward", "fit", w->db, "--json", NULL);
    check_ok(&w->r);
    SCOPED(json) struct json *doc = parsed(w->r.out);
    const struct json_node *fit = json_at(doc, json_find(doc, json_root(doc), "fits"), 0);
    assert_string_equal(text_of(doc, fit, "model"), "davidson");
    assert_string_equal(text_of(doc, fit, "model_chosen_because"), "the comparisons hold ties");
    const struct json_node *tie = json_at(doc, json_find(doc, fit, "parameters"), 0);
    assert_string_equal(text_of(doc, tie, "name"), "log_nu");
    run_program(&w->r, "reward", "fit", w->db, "-m", "bradley-terry", NULL);
    check_refused(&w->r, 3, "ties");
    run_program(&w->r, "reward", "fit", w->db, "-m", "bradley-terry", "--ties", "drop", NULL);
    check_ok(&w->r);
    assert_non_null(strstr(w->r.out, "4 tied pairs were left out"));
}

/* The deviance is chi-squared of counts fitted by maximum likelihood; simulated from a true model,
 * a strong prior rejected it always, and ties as halves never. */
static void test_fit__gives_a_p_value_only_where_it_is_one(void **state) {
    struct world *w = *state;
    make_league(w, true);
    static const struct {
        const char *ties, *estimator, *said, *p_value;
    } cases[] = {
        {"drop", "map", "freedom, more than the data's own, by what ", "\"p_value\": null"},
        {"half", "ml", "freedom, but halves of ties vary less than wins", "\"p_value\": null"},
        {"drop", "ml", "freedom, p = ", "\"p_value\": 0."},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        run_program(&w->r, "reward", "fit", w->db, "-m", "bradley-terry", "--replace", "--ties",
                    cases[k].ties, "--estimator", cases[k].estimator, NULL);
        check_ok(&w->r);
        if (!strstr(w->r.out, cases[k].said)) {
            fail_msg("no '%s' in: %s", cases[k].said, w->r.out);
        }
        run_program(&w->r, "reward", "fit", w->db, "-m", "bradley-terry", "--replace", "--ties",
                    cases[k].ties, "--estimator", cases[k].estimator, "--json", NULL);
        check_ok(&w->r);
        if (!strstr(w->r.out, cases[k].p_value)) {
            fail_msg("no '%s' in: %s", cases[k].p_value, w->r.out);
        }
    }
}

static void test_fit__keeps_what_is_there_unless_told(void **state) {
    struct world *w = *state;
    make_league(w, false);
    run_program(&w->r, "reward", "fit", w->db, NULL);
    check_ok(&w->r);
    run_program(&w->r, "reward", "fit", w->db, NULL);
    check_refused(&w->r, 3, "give another --name, or --replace it");
    run_program(&w->r, "reward", "fit", w->db, "--replace", NULL);
    check_ok(&w->r);
    run_program(&w->r, "reward", "fit", w->db, "--name", "second", NULL);
    check_ok(&w->r);
    run_program(&w->r, "reward", "list", w->db, NULL);
    check_ok(&w->r);
    assert_non_null(strstr(w->r.out, "\nbradley-terry  bradley-terry"));
    assert_non_null(strstr(w->r.out, "\nsecond         bradley-terry"));
    run_program(&w->r, "reward", "list", w->db, "--json", NULL);
    check_ok(&w->r);
    SCOPED(json) struct json *doc = parsed(w->r.out);
    const struct json_node *fit = json_at(doc, json_find(doc, json_root(doc), "fits"), 1);
    assert_near(number_of(doc, fit, "comparisons"), 24.0, 0.0);
}

static void test_fit__by_population_makes_one_for_each(void **state) {
    struct world *w = *state;
    make_league(w, false);
    run_program(&w->r, "reward", "fit", w->db, "--by-population", "--name", "taste", "--estimator",
                "map", NULL);
    check_ok(&w->r);
    run_program(&w->r, "reward", "list", w->db, NULL);
    assert_non_null(strstr(w->r.out, "\ntaste/old"));
    assert_non_null(strstr(w->r.out, "\ntaste/young"));
    run_program(&w->r, "reward", "rank", w->db, NULL);
    check_refused(&w->r, 2, "there are 2 fits; say which with --fit: 'taste/old', 'taste/young'");
    run_program(&w->r, "reward", "rank", w->db, "--fit", "taste/old", NULL);
    check_ok(&w->r);
}

static void test_fit__of_a_crowd_gives_reliabilities(void **state) {
    struct world *w = *state;
    make_league(w, false);
    run_program(&w->r, "reward", "fit", w->db, "-m", "crowd-bt", "--estimator", "map", NULL);
    check_ok(&w->r);
    assert_non_null(strstr(w->r.out, "reliability     of 3 annotators: mean 0."));
}

static void test_fit__refuses_what_does_not_go_together(void **state) {
    struct world *w = *state;
    make_league(w, false);
    run_program(&w->r, "reward", "fit", w->db, "--ridge", "1", NULL);
    check_refused(&w->r, 2, "add --estimator map");
    run_program(&w->r, "reward", "fit", w->db, "--population", "old", "--by-population", NULL);
    check_refused(&w->r, 2, "choose");
    run_program(&w->r, "reward", "fit", w->db, "--population", "odl", NULL);
    assert_int_not_equal(w->r.status, 0);
    run_program(&w->r, "reward", "fit", scratch_path(w->scratch, "none.db"), NULL);
    check_refused(&w->r, 1, "accord init");
    run_program(&w->r, "reward", "list", w->db, NULL);
    assert_string_equal(w->r.out, "no fit yet: accord reward fit makes one\n");
}

/* Nobody ever beat x: the message names it and says what to do, and nothing is stored. */
static void test_fit__names_who_never_lost(void **state) {
    struct world *w = *state;
    SCOPED(strbuf) struct strbuf rows = STRBUF_INIT(1 << 16);
    add_row(&rows, "x", "y", false, "ann");
    add_row(&rows, "y", "z", false, "ann");
    add_row(&rows, "z", "y", false, "ann");
    scratch_write(w->scratch, "rows.jsonl", strbuf_text(&rows));
    run_program(&w->r, "init", w->db, NULL);
    run_program(&w->r, "import", w->db, scratch_path(w->scratch, "rows.jsonl"), NULL);
    check_ok(&w->r);
    run_program(&w->r, "reward", "fit", w->db, NULL);
    check_refused(&w->r, 3, "'x' never lost");
    check_refused(&w->r, 3, "--estimator map");
    run_program(&w->r, "reward", "fit", w->db, "--estimator", "map", NULL);
    check_ok(&w->r);
}

/* ---- rank ---- */

static void test_rank__shows_order_intervals_and_open_ranks(void **state) {
    struct world *w = *state;
    make_league(w, false);
    run_program(&w->r, "reward", "fit", w->db, NULL);
    check_ok(&w->r);
    run_program(&w->r, "reward", "rank", w->db, NULL);
    check_ok(&w->r);
    assert_non_null(strstr(w->r.out, "league: bradley-terry, 3 items\n"));
    const char *x = strstr(w->r.out, "  x "), *y = strstr(w->r.out, "  y ");
    const char *z = strstr(w->r.out, "  z ");
    assert_true(x && y && z && x < y && y < z);
    run_program(&w->r, "reward", "rank", w->db, "--json", NULL);
    check_ok(&w->r);
    SCOPED(json) struct json *doc = parsed(w->r.out);
    const struct json_node *items = json_find(doc, json_root(doc), "items");
    const struct json_node *first = json_at(doc, items, 0);
    assert_string_equal(text_of(doc, first, "item"), "x");
    assert_near(number_of(doc, first, "rank"), 1.0, 0.0);
    assert_true(number_of(doc, first, "low") < number_of(doc, first, "reward"));
    double sum = 0.0;
    for (int64_t i = 0; i < 3; i++) {
        sum += number_of(doc, json_at(doc, items, i), "reward");
    }
    assert_near(sum, 0.0, 1e-12);
}

static void test_rank__takes_a_reference_and_a_top(void **state) {
    struct world *w = *state;
    make_league(w, false);
    run_program(&w->r, "reward", "fit", w->db, NULL);
    run_program(&w->r, "reward", "rank", w->db, "--reference", "z", "--format", "csv", NULL);
    check_ok(&w->r);
    assert_non_null(strstr(w->r.out, "rank,rank_best,rank_worst,item,reward,std_error,low,high,"));
    assert_non_null(strstr(w->r.out, ",z,0,0,0,0,"));
    run_program(&w->r, "reward", "rank", w->db, "--top", "1", NULL);
    check_ok(&w->r);
    assert_non_null(strstr(w->r.out, "2 more items: --top N"));
    run_program(&w->r, "reward", "rank", w->db, "--reference", "q", NULL);
    check_refused(&w->r, 2, "no item 'q' in this fit");
}

static void test_rank__draws_a_picture_into_a_file(void **state) {
    struct world *w = *state;
    make_league(w, false);
    char path[320], kept[4096];
    (void)snprintf(path, sizeof path, "%s", scratch_path(w->scratch, "league.svg"));
    run_program(&w->r, "reward", "fit", w->db, NULL);
    run_program(&w->r, "reward", "rank", w->db, "--format", "svg", "-o", path, NULL);
    check_ok(&w->r);
    assert_non_null(strstr(w->r.out, "league.svg: "));
    (void)snprintf(kept, sizeof kept, "%s", scratch_read(w->scratch, "league.svg"));
    assert_memory_equal(kept, "<svg xmlns", 10);
    assert_non_null(strstr(kept, "league: bradley-terry"));
    run_program(&w->r, "reward", "rank", w->db, "--format", "svg", NULL);
    check_ok(&w->r);
    assert_string_equal(w->r.out, kept);
    run_program(&w->r, "reward", "rank", w->db, "--json", "--format", "svg", NULL);
    assert_int_equal(w->r.status, 2);
    assert_non_null(strstr(w->r.out, "add -o FILE"));
    run_program(&w->r, "reward", "rank", w->db, "--json", "--format", "svg", "-o", path, NULL);
    check_ok(&w->r);
    SCOPED(json) struct json *doc = parsed(w->r.out);
    assert_non_null(json_find(doc, json_root(doc), "text"));
}

/* ---- predict ---- */

static void test_predict__mirrors_itself(void **state) {
    struct world *w = *state;
    make_league(w, true);
    run_program(&w->r, "reward", "fit", w->db, NULL);
    run_program(&w->r, "reward", "predict", w->db, "x", "z", "--json", NULL);
    check_ok(&w->r);
    SCOPED(json) struct json *forth = parsed(w->r.out);
    run_program(&w->r, "reward", "predict", w->db, "z", "x", "--json", NULL);
    check_ok(&w->r);
    SCOPED(json) struct json *back = parsed(w->r.out);
    const struct json_node *win = json_find(forth, json_root(forth), "win");
    const struct json_node *tie = json_find(forth, json_root(forth), "tie");
    const struct json_node *loss = json_find(forth, json_root(forth), "loss");
    double total = number_of(forth, win, "value") + number_of(forth, tie, "value") +
                   number_of(forth, loss, "value");
    assert_near(total, 1.0, 1e-12);
    assert_near(number_of(back, json_find(back, json_root(back), "loss"), "value"),
                number_of(forth, win, "value"), 1e-12);
    assert_near(number_of(back, json_find(back, json_root(back), "loss"), "low"),
                number_of(forth, win, "low"), 1e-12);
    assert_true(number_of(forth, win, "low") < number_of(forth, win, "value"));
}

static void test_predict__refuses_what_it_cannot_compare(void **state) {
    struct world *w = *state;
    make_league(w, false);
    run_program(&w->r, "reward", "predict", w->db, "x", "y", NULL);
    check_refused(&w->r, 2, "make one with: accord reward fit");
    run_program(&w->r, "reward", "fit", w->db, NULL);
    run_program(&w->r, "reward", "predict", w->db, "x", "x", NULL);
    check_refused(&w->r, 2, "both items are 'x'");
    run_program(&w->r, "reward", "predict", w->db, "x", "y", "--position", "first", NULL);
    check_refused(&w->r, 2, "fit with --position-effect");
    run_program(&w->r, "reward", "predict", w->db, "x", "y", NULL);
    check_ok(&w->r);
    assert_non_null(strstr(w->r.out, "x wins  0."));
    assert_null(strstr(w->r.out, "a tie"));
}

/* A chat is known by its last message, an answer of several turns by its first. */
static void test_rank__shows_what_was_said_in_chats(void **state) {
    struct world *w = *state;
    scratch_write(
        w->scratch, "chats.jsonl",
        "{\"judgement\": \"comparison\", \"prompt\": [{\"role\": \"user\", \"content\": "
        "\"Hello.\"}, {\"role\": \"assistant\", \"content\": \"Yes?\"}, {\"role\": \"user\", "
        "\"content\": \"What to drink?\"}], \"responses\": [{\"messages\": [{\"role\": "
        "\"assistant\", \"content\": \"Tea?\"}, {\"role\": \"user\", \"content\": \"No.\"}, "
        "{\"role\": \"assistant\", \"content\": \"Water.\"}], \"rank\": 1}, {\"text\": "
        "\"Milk.\", \"rank\": 2}]}\n");
    run_program(&w->r, "init", w->db, NULL);
    run_program(&w->r, "import", w->db, scratch_path(w->scratch, "chats.jsonl"), NULL);
    check_ok(&w->r);
    run_program(&w->r, "reward", "fit", w->db, "--estimator", "map", NULL);
    check_ok(&w->r);
    run_program(&w->r, "reward", "rank", w->db, NULL);
    check_ok(&w->r);
    assert_non_null(strstr(w->r.out, "  Tea?"));
    assert_null(strstr(w->r.out, "role"));
}

/* Names of teams are no answers whose words could be learned from. */
static void test_baseline__refuses_items_without_text(void **state) {
    struct world *w = *state;
    make_league(w, false);
    run_program(&w->r, "reward", "baseline", w->db, NULL);
    check_refused(&w->r, 3, "'league' is a set of items without text");
}

#define WORLD_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_fit__chooses_the_model_and_says_why),
        WORLD_TEST(test_fit__of_ties_is_davidson),
        WORLD_TEST(test_fit__gives_a_p_value_only_where_it_is_one),
        WORLD_TEST(test_fit__keeps_what_is_there_unless_told),
        WORLD_TEST(test_fit__by_population_makes_one_for_each),
        WORLD_TEST(test_fit__of_a_crowd_gives_reliabilities),
        WORLD_TEST(test_fit__refuses_what_does_not_go_together),
        WORLD_TEST(test_fit__names_who_never_lost),
        WORLD_TEST(test_rank__shows_order_intervals_and_open_ranks),
        WORLD_TEST(test_rank__takes_a_reference_and_a_top),
        WORLD_TEST(test_rank__draws_a_picture_into_a_file),
        WORLD_TEST(test_rank__shows_what_was_said_in_chats),
        WORLD_TEST(test_predict__mirrors_itself),
        WORLD_TEST(test_predict__refuses_what_it_cannot_compare),
        WORLD_TEST(test_baseline__refuses_items_without_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
