/* accord reward eval, as its users meet it. tests/golden/make_reward_eval.py has the figures. */
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/near.h"
#include "tests/support/project_case.h"
#include "tests/support/xml_check.h"

#include <stdio.h>

#define GOLDEN(name) SOURCE_FOLDER "/tests/golden/reward_eval/" name
#define TOL          1e-12

static const char first_reward[] = "0.01*length";
static const char third_reward[] = "-0.05*length";
static const char second_reward[] = "sum(1.5*'regex:ee|ea', -0.004*length)";

static const struct json_node *member(const struct json *doc, const struct json_node *object,
                                      const char *key) {
    const struct json_node *node = json_find(doc, object, key);
    if (!node) {
        fail_msg("no '%s'", key);
    }
    return node;
}

static double value_of(const struct json *doc, const struct json_node *reward, const char *key) {
    return program_number(doc, member(doc, reward, key), "value");
}

static struct json *read_expected(void) {
    struct error err = ERROR_INIT;
    struct json *doc = NULL;
    assert_ok(json_parse_file(GOLDEN("expected.json"), NULL, &doc, &err), &err);
    return doc;
}

/* The slice that is called "family: name" in what is expected. */
static const struct json_node *find_slice(const struct json *doc, const struct json_node *reward,
                                          const char *label) {
    const struct json_node *slice = json_first(member(doc, reward, "slices"));
    for (; slice; slice = json_next(slice)) {
        char name[256];
        (void)snprintf(name, sizeof name, "%s: %s", program_text(doc, slice, "family"),
                       program_text(doc, slice, "name"));
        if (strcmp(name, label) == 0) {
            return slice;
        }
    }
    fail_msg("no slice '%s'", label);
    return NULL;
}

static void check_slices(const struct json *doc, const struct json_node *reward,
                         const struct json *expected, const struct json_node *slices) {
    for (const struct json_node *want = json_first(slices); want; want = json_next(want)) {
        const struct json_node *slice = find_slice(doc, reward, json_key(want));
        struct error err = ERROR_INIT;
        double figures[4];
        const struct json_node *figure = json_first(want);
        for (int f = 0; f < 4; f++, figure = json_next(figure)) {
            figures[f] = (double)NAN;
            if (json_kind_of(figure) != JSON_KIND_NULL) {
                assert_ok(json_as_f64(expected, figure, &figures[f], &err), &err);
            }
        }
        if (!isnan(figures[0])) {
            assert_near(value_of(doc, slice, "accuracy"), figures[0], TOL);
        }
        assert_near(value_of(doc, slice, "nll_nats"), figures[1], TOL);
        assert_near(program_number(doc, slice, "decided"), figures[2], TOL);
        assert_near(program_number(doc, slice, "judgements"), figures[3], TOL);
    }
}

/* A search on the NLL knows its minimum to the root of a rounding. */
static void check_temperature(const struct json *doc, const struct json_node *reward,
                              const struct json *expected, const struct json_node *want) {
    const bool is_null = json_kind_of(member(expected, want, "temperature")) == JSON_KIND_NULL;
    assert_int_equal(json_kind_of(member(doc, reward, "temperature")) == JSON_KIND_NULL, is_null);
    if (!is_null) {
        assert_near(program_number(doc, reward, "temperature"),
                    program_number(expected, want, "temperature"), 1e-6);
        assert_near(program_number(doc, reward, "calibrated_nll_nats"),
                    program_number(expected, want, "calibrated_nll_nats"), TOL);
    }
}

static void check_reward(const struct json *doc, const struct json_node *reward,
                         const struct json *expected, const struct json_node *want) {
    static const char *const with_interval[] = {
        "accuracy",
        "nll_nats",
        "brier",
        "best_of_n",
        "order_nll_nats",
        "tied_accurate",
        "tied_apart",
        "length_pearson",
        "length_spearman",
        "length_adjusted_accuracy",
        "length_matched_accuracy",
    };
    static const char *const plain[] = {
        "decided_pairs", "length_matched_pairs", "choices",   "orders",
        "tied_sets",     "ties_score",           "ties_pairs"};
    for (size_t i = 0; i < sizeof with_interval / sizeof with_interval[0]; i++) {
        const struct json_node *score = member(doc, reward, with_interval[i]);
        const double value = program_number(doc, score, "value");
        assert_near(value, program_number(expected, want, with_interval[i]), TOL);
        assert_true(program_number(doc, score, "low") <= value + TOL);
        assert_true(program_number(doc, score, "high") >= value - TOL);
    }
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        assert_near(program_number(doc, reward, plain[i]), program_number(expected, want, plain[i]),
                    TOL);
    }
    check_temperature(doc, reward, expected, want);
    check_slices(doc, reward, expected, member(expected, want, "slices"));
}

static void test_eval__agrees_with_the_definitions(void **state) {
    struct project_case *p = *state;
    project_case_import(p, GOLDEN("judgements.jsonl"));
    run_program(&p->r, "reward", "eval", p->db, "--split", "all", "--match", "1.25", "--json",
                "--quiet", "--", first_reward, second_reward, third_reward, NULL);
    program_check_ok(&p->r);
    SCOPED(json) struct json *doc = program_json(&p->r);
    SCOPED(json) struct json *expected = read_expected();
    const struct json_node *root = json_root(doc), *wanted = json_root(expected);
    assert_near(program_number(doc, root, "pairs"), program_number(expected, wanted, "pairs"), 0.0);
    assert_near(program_number(doc, root, "judgements"),
                program_number(expected, wanted, "judgements"), 0.0);
    const struct json_node *want = json_first(member(expected, wanted, "rewards"));
    for (; want; want = json_next(want)) {
        const struct json_node *reward = program_find(doc, member(doc, root, "rewards"), "reward",
                                                      program_text(expected, want, "reward"));
        check_reward(doc, reward, expected, want);
    }
    /* Both baselines stand beside them, and have seen part of what they are judged by. */
    program_find(doc, member(doc, root, "rewards"), "reward", "length only");
    program_find(doc, member(doc, root, "rewards"), "reward", "bag of words");
    assert_non_null(strstr(p->r.out, "have seen part of these pairs"));
}

/* NLL of a reward, summed over the judgements of one fold, or of all. */
static double summed_nll(struct project_case *p, const char *reward, const char *fold) {
    run_program(&p->r, "reward", "eval", p->db, reward, "--json", "--quiet", "--folds", "2",
                fold ? "--fold" : NULL, fold, NULL);
    program_check_ok(&p->r);
    SCOPED(json) struct json *doc = program_json(&p->r);
    const struct json_node *root = json_root(doc);
    const struct json_node *row = program_find(doc, member(doc, root, "rewards"), "reward", reward);
    return value_of(doc, row, "nll_nats") * program_number(doc, root, "judgements");
}

/* Folds that are judged together: each answer by the reward of its own fold, each baseline as
 * accord reward baseline judges it, fitted to the other folds. */
static void test_eval__judges_each_fold_by_its_own(void **state) {
    struct project_case *p = *state;
    project_case_import(p, GOLDEN("judgements.jsonl"));
    assert_near(summed_nll(p, "0.0{fold}1*length", NULL),
                summed_nll(p, "0.001*length", "0") + summed_nll(p, "0.011*length", "1"), 1e-9);
    run_program(&p->r, "reward", "baseline", p->db, "--folds", "2", "--json", NULL);
    program_check_ok(&p->r);
    SCOPED(json) struct json *doc = program_json(&p->r);
    const struct json_node *pooled = member(doc, json_root(doc), "pooled");
    const double judgements = program_number(doc, member(doc, pooled, "words"), "judgements");
    const double length = value_of(doc, member(doc, pooled, "length"), "nll_nats");
    const double words = value_of(doc, member(doc, pooled, "words"), "nll_nats");
    run_program(&p->r, "reward", "eval", p->db, "length", "--folds", "2", "--json", "--quiet",
                NULL);
    SCOPED(json) struct json *eval = program_json(&p->r);
    const struct json_node *root = json_root(eval), *rows = member(eval, root, "rewards");
    assert_near(program_number(eval, root, "judgements"), judgements, 0.0);
    assert_near(value_of(eval, program_find(eval, rows, "reward", "length only"), "nll_nats"),
                length, TOL);
    assert_near(value_of(eval, program_find(eval, rows, "reward", "bag of words"), "nll_nats"),
                words, TOL);
    run_program(&p->r, "reward", "eval", p->db, "0.0{fold}*length", NULL);
    program_check_refused(&p->r, 2, "{fold} is the fold of a prompt: say how many with --folds K");
}

/* The same seed gives the same bytes, another one other intervals; a reward and itself do not
 * differ in any resample. */
static void test_eval__is_reproducible_and_paired(void **state) {
    struct project_case *p = *state;
    static char first[PROGRAM_TEXT_BYTES];
    project_case_import(p, GOLDEN("judgements.jsonl"));
    run_program(&p->r, "reward", "eval", p->db, first_reward, "0.02*length", "--split", "all",
                "--json", "--quiet", NULL);
    program_check_ok(&p->r);
    memcpy(first, p->r.out, sizeof first);
    run_program(&p->r, "reward", "eval", p->db, first_reward, "0.02*length", "--split", "all",
                "--json", "--quiet", NULL);
    assert_string_equal(p->r.out, first);
    SCOPED(json) struct json *doc = program_json(&p->r);
    const struct json_node *reward =
        program_find(doc, member(doc, json_root(doc), "rewards"), "reward", first_reward);
    const struct json_node *difference =
        program_find(doc, member(doc, reward, "differences"), "from", "0.02*length");
    const struct json_node *accuracy = member(doc, difference, "accuracy");
    assert_near(program_number(doc, accuracy, "low"), 0.0, 0.0);
    assert_near(program_number(doc, accuracy, "high"), 0.0, 0.0);
    run_program(&p->r, "reward", "eval", p->db, first_reward, "0.02*length", "--split", "all",
                "--json", "--quiet", "--seed", "1", NULL);
    assert_string_not_equal(p->r.out, first);
}

/* Two names that begin alike are cut alike: letters tell them apart, and a legend says which. */
static void test_eval__tells_long_names_apart(void **state) {
    struct project_case *p = *state;
    static const char one[] = "sum(0.001*length, 0.002*length, 1*length)";
    static const char other[] = "sum(0.001*length, 0.002*length, -1*length)";
    project_case_import(p, GOLDEN("judgements.jsonl"));
    run_program(&p->r, "reward", "eval", p->db, one, other, "--split", "all", "-q", NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, "\n  A  sum(0.001*length, 0.002*length, 1*length)\n"));
    assert_non_null(strstr(p->r.out, "\n  B  sum(0.001*length, 0.002*length, -1*length)\n"));
    assert_non_null(strstr(p->r.out, "A sum(0.001*length, 0.0..."));
    assert_non_null(strstr(p->r.out, "B sum(0.001*length, 0.0..."));
    run_program(&p->r, "reward", "eval", p->db, "length", "--split", "all", "-q", NULL);
    assert_null(strstr(p->r.out, "A length")); /* where all names fit, they are enough */
}

/* A fit of one topic knows the answers of that topic alone: pairs are counted and left out. */
static void test_eval__says_what_a_reward_does_not_know(void **state) {
    struct project_case *p = *state;
    project_case_import_rows(
        p, "{\"prompt\":\"Q1\",\"responses\":[\"aa\",\"b\"],\"votes\":[0,0,1],"
           "\"topic\":\"x\"}\n"
           "{\"prompt\":\"Q2\",\"responses\":[\"aa\",\"bcd\"],\"votes\":[0,1]}\n");
    run_program(&p->r, "reward", "fit", p->db, "--topic", "x", "--name", "x", "--quiet", NULL);
    program_check_ok(&p->r);
    run_program(&p->r, "reward", "eval", p->db, "fit:x", "length", "--split", "all", "--quiet",
                NULL);
    program_check_ok(&p->r);
    assert_non_null(strstr(p->r.out, "1 of 2 pairs that all know. Unknown: 1 pairs to fit:x."));
    assert_non_null(strstr(p->r.out, "A fit knows only answers that it was fitted to"));
}

/* Names that would be markup, in the spec, the prompt's topic, the annotators and the source. */
static const char hostile_rows[] =
    "{\"prompt\":\"Q1\",\"responses\":[\"aa\",\"b\"],\"votes\":["
    "{\"annotator\":\"<img src=x>\",\"choice\":0},{\"annotator\":\"&amp\",\"choice\":1},"
    "{\"annotator\":\"\\\"q\\u0007\",\"choice\":\"tie\"}]}\n"
    "{\"prompt\":\"Q2\",\"responses\":[\"aa\",\"bcd\",\"e\"],\"ranking\":[[0],[1],[2]]}\n"
    "{\"prompt\":\"Q3\",\"responses\":[\"aa\",\"bcd\",\"e\"],\"ranking\":[[0,1],[2]]}\n";

/* What the page holds, owned by the caller (mem_free), if it is sound. */
static char *make_page(struct project_case *p, const char *spec) {
    struct error err = ERROR_INIT;
    size_t bytes = 0;
    char *page = NULL;
    const char *path = scratch_path(p->scratch, "page.html");
    run_program(&p->r, "reward", "eval", p->db, "--split", "all", "--html", path, "--quiet", "--",
                spec, "length", NULL);
    program_check_ok(&p->r);
    assert_ok(file_read_all(path, 1 << 22, &page, &bytes, &err), &err);
    xml_check(page);
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "<img"));
    assert_null(strstr(page, "nan"));
    assert_null(strstr(page, "inf"));
    /* nothing is fetched: the only address is the name of XHTML */
    const char *address = strstr(page, "http");
    assert_non_null(strstr(address, "http://www.w3.org/1999/xhtml"));
    assert_null(strstr(address + 4, "http"));
    assert_ptr_equal(strstr(page, "url("), strstr(page, "url(#hatch)"));
    return page;
}

static void test_html__is_well_formed_whatever_the_names(void **state) {
    struct project_case *p = *state;
    project_case_import_rows(p, hostile_rows);
    SCOPED(mem) char *page = make_page(p, "regex:<script>alert(\"&amp;\")</script>");
    assert_non_null(
        strstr(page, "regex:&lt;script&gt;alert(&quot;&amp;amp;&quot;)&lt;/script&gt;"));
    SCOPED(mem) char *flat = make_page(p, "0*length"); /* margins of zero everywhere */
    assert_non_null(strstr(flat, "no margin: "));
}

/* One pair, one prompt: no intervals, no baselines unless it is in the training split; choices and
 * no ties. */
static void test_html__holds_together_with_next_to_nothing(void **state) {
    struct project_case *p = *state;
    project_case_import_rows(
        p,
        "{\"prompt\":\"Q1\",\"responses\":[\"aa\",\"b\",\"c\"],\"winner\":0,\"among\":[0,1,2]}\n");
    SCOPED(mem) char *page = make_page(p, "json");
    assert_non_null(strstr(page, "The chosen one is top-scored: by chance in 33.3 %."));
    assert_null(strstr(page, "Several equally good ones are"));
}

static void test_html__holds_all_rewards_and_figures(void **state) {
    struct project_case *p = *state;
    project_case_import(p, GOLDEN("judgements.jsonl"));
    SCOPED(mem) char *page = make_page(p, second_reward);
    static const char *const parts[] = {"Table 1.",  "Table 2.",  "Table 3.",    "Table 4.",
                                        "Figure 1.", "Figure 2.", "Figure 3.",   "Figure 4.",
                                        "Figure 5.", "all agree", "length only", "bag of words"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        assert_non_null(strstr(page, parts[i]));
    }
    run_program(&p->r, "reward", "eval", p->db, "length", "--html", p->db, NULL);
    program_check_refused(&p->r, 2, "--html");
}

static void test_eval__refuses_in_one_line(void **state) {
    struct project_case *p = *state;
    project_case_import_rows(p, "{\"prompt\":\"Q\",\"chosen\":\"a\",\"rejected\":\"b\"}\n");
    run_program(&p->r, "reward", "eval", p->db, NULL);
    program_check_refused(&p->r, 2, "spec");
    run_program(&p->r, "reward", "eval", p->db, "mean(length, json", NULL);
    program_check_refused(&p->r, 2, "at byte 18: a ')' is missing");
    run_program(&p->r, "reward", "eval", p->db, "lenght", NULL);
    program_check_refused(&p->r, 2, "did you mean 'length'");
    run_program(&p->r, "reward", "eval", p->db, "length", "--split", "some", NULL);
    program_check_refused(&p->r, 2, "split");
    run_program(&p->r, "reward", "eval", p->db, "command:read -r x; exit 3", "--split", "all",
                NULL);
    program_check_refused(&p->r, 1, "the program ended with status 3");
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, project_case_setup, project_case_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_eval__agrees_with_the_definitions),
        CASE(test_eval__judges_each_fold_by_its_own),
        CASE(test_eval__is_reproducible_and_paired),
        CASE(test_eval__tells_long_names_apart),
        CASE(test_eval__says_what_a_reward_does_not_know),
        CASE(test_html__is_well_formed_whatever_the_names),
        CASE(test_html__holds_together_with_next_to_nothing),
        CASE(test_html__holds_all_rewards_and_figures),
        CASE(test_eval__refuses_in_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
