/* Logs made by hand, each with one thing wrong; what is compared is the whole report, so that every
 * other finding is shown to be absent. */
#include "data/check.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/preference_log.h"
#include "data/project.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define REPORT_BYTES ((size_t)64 * 1024)

struct log_fixture {
    struct db *db;
    struct preference_log *log;
    struct db_tx tx;
    bool in_source;
    int64_t sources;
};

static int setup(void **state) {
    static const struct log_fixture empty = {.db = NULL};
    struct log_fixture *f = mem_alloc(sizeof *f);
    struct error err = ERROR_INIT;
    *f = empty;
    *state = f;
    assert_ok(project_open(":memory:", DB_MODE_CREATE, NULL, &f->db, &err), &err);
    assert_ok(preference_log_open(f->db, &f->log, &err), &err);
    return 0;
}

static int teardown(void **state) {
    struct log_fixture *f = *state;
    db_tx_close(&f->tx);
    preference_log_close(f->log);
    db_close(f->db);
    mem_free(f);
    return 0;
}

static void end_source(struct log_fixture *f) {
    struct error err = ERROR_INIT;
    struct preference_source_summary summary = {.bytes = 1, .rows = 1};
    summary.sha256.bytes[0] = (uint8_t)++f->sources;
    assert_ok(preference_log_end_source(f->log, &summary, &err), &err);
    assert_ok(db_tx_commit(&f->tx, &err), &err);
    f->in_source = false;
}

static void begin_source(struct log_fixture *f, const char *path) {
    struct error err = ERROR_INIT;
    if (f->in_source) {
        end_source(f);
    }
    assert_ok(db_tx_open(f->db, &f->tx, &err), &err);
    assert_ok(preference_log_begin_source(f->log, path, "test", "{}", 0, &err), &err);
    f->in_source = true;
}

static void append(struct log_fixture *f, const struct preference *row) {
    struct error err = ERROR_INIT;
    if (!f->in_source) {
        begin_source(f, "a");
    }
    assert_ok(preference_log_append(f->log, row, &err), &err);
}

/* ---- rows ---- */

struct pair {
    int64_t line;
    const char *prompt, *better, *worse;
    const char *annotator;             /* NULL: not known */
    int64_t better_shown, worse_shown; /* 0: not known */
    const char *better_by, *worse_by;  /* origins */
    const char *aspect;
    double weight;                      /* 0: 1 */
    bool is_tie, is_items, worse_first; /* worse_first: it stands first in the source */
};

static void add_pair(struct log_fixture *f, struct pair p) {
    struct preference_response sides[2] = {
        {.text = text_span_of(p.better),
         .origin = text_span_of(p.better_by),
         .rank = 1,
         .position = p.better_shown},
        {.text = text_span_of(p.worse),
         .origin = text_span_of(p.worse_by),
         .rank = p.is_tie ? 1 : 2,
         .position = p.worse_shown},
    };
    if (p.worse_first) {
        struct preference_response first = sides[0];
        sides[0] = sides[1];
        sides[1] = first;
    }
    const struct preference row = {
        .kind = PREFERENCE_COMPARISON,
        .line = p.line,
        .prompt = {.kind = p.is_items ? PROMPT_ITEMS : PROMPT_TEXT, .text = text_span_of(p.prompt)},
        .responses = sides,
        .response_count = 2,
        .annotator = text_span_of(p.annotator),
        .aspect = text_span_of(p.aspect),
        .weight = p.weight > 0.0 ? p.weight : 1.0,
    };
    append(f, &row);
}

/* What follows `worse` names its fields. */
#define ADD_PAIR(f, at, question, preferred, ...) \
    add_pair((f),                                 \
             (struct pair){                       \
                 .line = (at), .prompt = (question), .better = (preferred), .worse = __VA_ARGS__})

/* One response that is rated or labelled. */
static void add_single(struct log_fixture *f, enum preference_kind kind, int64_t line,
                       const char *annotator, double value) {
    const struct preference_response response = {.text = text_span_of("Water."), .rank = 1};
    const struct preference row = {
        .kind = kind,
        .line = line,
        .prompt = {.kind = PROMPT_TEXT, .text = text_span_of("What to drink?")},
        .responses = &response,
        .response_count = 1,
        .annotator = text_span_of(annotator),
        .weight = 1.0,
        .has_scale = true,
        .value = value,
        .scale_low = 1.0,
        .scale_high = 5.0,
        .good = value > 0.0,
    };
    append(f, &row);
}

/* Names best first, one rank each; the last `unordered` share one and were not compared. */
/* NOLINTNEXTLINE(readability-function-size): what a row of the log has */
static void add_ranking(struct log_fixture *f, int64_t line, const char *prompt, bool is_items,
                        const char *const *names, int64_t count, int64_t unordered) {
    struct preference_response sides[8] = {{.rank = 0}};
    for (int64_t i = 0; i < count; i++) {
        sides[i].text = text_span_of(names[i]);
        sides[i].rank = (i < count - unordered ? i : count - unordered) + 1;
    }
    const struct preference row = {
        .kind = PREFERENCE_COMPARISON,
        .line = line,
        .prompt = {.kind = is_items ? PROMPT_ITEMS : PROMPT_TEXT, .text = text_span_of(prompt)},
        .responses = sides,
        .response_count = count,
        .weight = 1.0,
        .last_unordered = unordered > 0,
    };
    append(f, &row);
}

/* ---- reports ---- */

static struct check_options no_test_split(void) {
    struct check_options options = CHECK_OPTIONS_DEFAULT;
    options.shares = (struct split_shares){.validation = 0.0, .test = 0.0};
    return options;
}

static void add_place(struct strbuf *out, const struct check_place *place) {
    strbuf_addf(out, "%s:%" PRId64, place->path ? place->path : "?", place->line);
}

static void describe(const struct check_report *report, struct strbuf *out) {
    for (int f = 0; f < CHECK_FINDING_COUNT; f++) {
        const struct check_result *result = &report->results[f];
        if (result->count == 0) {
            assert_int_equal(result->example_count, 0);
            continue;
        }
        strbuf_addf(out, "%s %" PRId64 "/%" PRId64, check_table[f].key, result->count, result->of);
        for (int64_t i = 0; i < result->example_count; i++) {
            const struct check_example *example = &result->examples[i];
            strbuf_add_char(out, ' ');
            add_place(out, &example->place);
            if (example->other.path) {
                strbuf_add_char(out, '+');
                add_place(out, &example->other);
            }
            if (example->detail[0]) {
                strbuf_addf(out, " [%s]", example->detail);
            }
            if (example->excerpt[0]) {
                strbuf_addf(out, " '%s'", example->excerpt);
            }
        }
        strbuf_add_char(out, '\n');
    }
}

/* What is found is exactly this: a line each, "key count/of place[+other] [detail] 'excerpt' ..."
 */
static void expect_with(struct log_fixture *f, const struct check_options *options,
                        const char *expected) {
    struct error err = ERROR_INIT;
    if (f->in_source) {
        end_source(f);
    }
    SCOPED(check_report) struct check_report report = CHECK_REPORT_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(REPORT_BYTES);
    assert_ok(check_run(f->db, options, &report, &err), &err);
    describe(&report, &text);
    assert_string_equal(strbuf_text(&text), expected);
}

static void expect(struct log_fixture *f, const char *expected) {
    struct check_options options = no_test_split();
    expect_with(f, &options, expected);
}

/* ---- nothing wrong ---- */

static void test_check__empty_project_has_nothing_wrong(void **state) {
    struct log_fixture *f = *state;
    expect(f, "");
}

static void test_check__clean_log_has_nothing_wrong(void **state) {
    struct log_fixture *f = *state;
    ADD_PAIR(f, 1, "Tea or coffee?", "Tea.", "Coffee.", .annotator = "ann");
    ADD_PAIR(f, 2, "Tea or coffee?", "Tea.", "Coffee.", .annotator = "bob");
    ADD_PAIR(f, 3, "Sea or hills?", "The sea.", "Hills.", .annotator = "ann");
    ADD_PAIR(f, 4, "Sea or hills?", "The sea.", "Hills.", .annotator = "bob", .is_tie = true);
    for (int64_t i = 0; i < 4; i++) { /* so that both have at least five */
        char prompt[32];
        (void)snprintf(prompt, sizeof prompt, "Question %" PRId64, i);
        ADD_PAIR(f, 5 + i, prompt, "Yes.", "No.", .annotator = i % 2 ? "bob" : "ann");
        (void)snprintf(prompt, sizeof prompt, "Again %" PRId64, i);
        ADD_PAIR(f, 15 + i, prompt, "Yes.", "No.", .annotator = i % 2 ? "bob" : "ann");
    }
    expect(f, "");
}

/* ---- judgements ---- */

static void test_check__contradiction(void **state) {
    struct log_fixture *f = *state;
    ADD_PAIR(f, 10, "P", "A", "B", .annotator = "ann");
    ADD_PAIR(f, 11, "P", "A", "B", .annotator = "ann",
             .is_tie = true); /* a tie takes nothing back */
    ADD_PAIR(f, 12, "P", "B", "A", .annotator = "ann");
    ADD_PAIR(f, 13, "Q", "B", "A", .annotator = "ann");
    ADD_PAIR(f, 14, "P", "B", "A", .annotator = "ann", .aspect = "style"); /* another question */
    expect(f, "contradiction 1/5 a:12+a:10\n"
              "disagreement 1/2 a:10+a:12 [1 against 1]\n");
}

static void test_check__disagreement_is_no_contradiction(void **state) {
    struct log_fixture *f = *state;
    ADD_PAIR(f, 1, "P", "A", "B");
    ADD_PAIR(f, 2, "P", "B", "A"); /* somebody else, perhaps */
    ADD_PAIR(f, 3, "Q", "A", "B", .annotator = "ann");
    ADD_PAIR(f, 4, "Q", "A", "B", .annotator = "bob");
    ADD_PAIR(f, 5, "Q", "B", "A", .annotator = "cid");
    expect(f, "disagreement 2/5 a:1+a:2 [1 against 1] a:3+a:5 [2 against 1]\n"
              "few-judgements 3/3 a:3 [1 comparisons] 'ann' a:4 [1 comparisons] 'bob'"
              " a:5 [1 comparisons] 'cid'\n");
}

static void test_check__rankings_contradict_and_disagree_pair_by_pair(void **state) {
    struct log_fixture *f = *state;
    static const char *const one[] = {"A", "B", "C"};
    static const char *const two[] = {"A", "C", "B"};
    add_ranking(f, 1, "P", false, one, 3, 0);
    add_ranking(f, 2, "P", false, two, 3, 0);
    add_ranking(f, 3, "P", false, one, 3, 2); /* B and C were not compared */
    /* verdicts: A-B 3, A-C 3, B-C 2 of which one against the other. A always wins. */
    expect(f, "disagreement 1/8 a:1+a:2 [1 against 1]\n"
              "no-estimate 1/1 a:1 [3 answers; never beaten 1, never better 0] 'P'\n");
}

static void test_check__repeated_judgement(void **state) {
    struct log_fixture *f = *state;
    ADD_PAIR(f, 1, "P", "A", "B", .annotator = "ann");
    ADD_PAIR(f, 2, "P", "A", "B", .annotator = "bob");
    ADD_PAIR(f, 3, "P", "A", "B", .annotator = "ann",
             .worse_first = true); /* the order says nothing */
    ADD_PAIR(f, 4, "P", "A", "B", .annotator = "ann", .aspect = "style");
    ADD_PAIR(f, 5, "Q", "A", "B");
    ADD_PAIR(f, 6, "Q", "A", "B");
    ADD_PAIR(f, 7, "Q", "A", "B");
    for (int64_t i = 0; i < 4; i++) {
        char prompt[32];
        (void)snprintf(prompt, sizeof prompt, "Question %" PRId64, i);
        ADD_PAIR(f, 20 + i, prompt, "Yes.", "No.", .annotator = "bob");
        ADD_PAIR(f, 30 + i, prompt, "Yes.", "No.", .annotator = "ann");
    }
    expect(f, "repeated-judgement 3/15 a:3+a:1 a:6+a:5 [annotator not known]"
              " a:7+a:6 [annotator not known]\n");
}

static void test_check__two_sources(void **state) {
    struct log_fixture *f = *state;
    ADD_PAIR(f, 1, "P", "A", "B");
    ADD_PAIR(f, 2, "Q", "A", "B");
    begin_source(f, "b");
    ADD_PAIR(f, 9, "P", "A", "B");
    ADD_PAIR(f, 10, "Q", "B", "A");
    expect(f, "two-sources 1/4 b:9+a:1 [annotator not known]\n"
              "disagreement 1/4 a:2+b:10 [1 against 1]\n");
}

static void test_check__teams_may_meet_again(void **state) {
    struct log_fixture *f = *state;
    ADD_PAIR(f, 1, "league", "Alpha", "Beta", .is_items = true);
    ADD_PAIR(f, 2, "league", "Alpha", "Beta", .is_items = true);
    expect(f, "");
}

static void test_check__identical_pair(void **state) {
    struct log_fixture *f = *state;
    ADD_PAIR(f, 1, "P", "A", "A");
    ADD_PAIR(f, 2, "Q", "Same.", "Same.", .better_by = "m1", .worse_by = "m2");
    ADD_PAIR(f, 3, "R", "Same.", "same", .better_by = "m1", .worse_by = "m2");
    /* "Same." and "same" are the same words: near, but not identical. */
    expect(f, "identical-pair 2/3 a:1 'A' a:2 'Same.'\n"
              "near-answer 2/5 a:2+a:2 [Jaccard 1.00] 'Same.' a:3+a:3 [Jaccard 1.00] 'same'\n");
}

static void add_conversation_pair(struct log_fixture *f, int64_t line, const char *first,
                                  const char *other_first) {
    const struct message better[] = {
        {text_span_of("assistant"), text_span_of(first)},
        {text_span_of("user"), text_span_of("And then?")},
        {text_span_of("assistant"), text_span_of("Then it rained.")},
    };
    const struct message worse[] = {
        {text_span_of("assistant"), text_span_of(other_first)},
        {text_span_of("user"), text_span_of("And then?")},
        {text_span_of("assistant"), text_span_of("Nothing.")},
    };
    const struct preference_response sides[] = {
        {.messages = better, .message_count = 3, .rank = 1},
        {.messages = worse, .message_count = 3, .rank = 2},
    };
    const struct preference row = {.kind = PREFERENCE_COMPARISON,
                                   .line = line,
                                   .prompt = {.kind = PROMPT_TEXT, .text = text_span_of("Go on")},
                                   .responses = sides,
                                   .response_count = 2,
                                   .weight = 1.0};
    append(f, &row);
}

static void test_check__context_differs(void **state) {
    struct log_fixture *f = *state;
    add_conversation_pair(f, 5, "A man came in.", "A man came in.");
    add_conversation_pair(f, 6, "A dog ran out.", "A cat slept.");
    expect(f, "context-differs 1/2 a:6 'A dog ran out. And then? Then it rained.'\n"
              "unconnected-answers 1/1 a:5 [4 answers in 2 parts; the smallest has 2, this among]"
              " 'A man came in. And then? Then it rained.'\n");
}

static void test_check__weight_range(void **state) {
    struct log_fixture *f = *state;
    ADD_PAIR(f, 1, "P", "A", "B", .weight = 100.0);
    ADD_PAIR(f, 2, "Q", "A", "B", .weight = 101.0);
    ADD_PAIR(f, 3, "R", "A", "B", .weight = 0.01);
    ADD_PAIR(f, 4, "S", "A", "B", .weight = 0.001);
    expect(f, "weight-range 2/4 a:2 [weight 101] 'A' a:4 [weight 0.001] 'A'\n");
}

/* ---- graphs ---- */

static void test_check__unconnected_items(void **state) {
    struct log_fixture *f = *state;
    ADD_PAIR(f, 1, "league", "Alpha", "Beta", .is_items = true);
    ADD_PAIR(f, 2, "league", "Beta", "Eta", .is_items = true);
    ADD_PAIR(f, 3, "league", "Gamma", "Delta", .is_items = true);
    ADD_PAIR(f, 4, "cup", "Alpha", "Beta", .is_items = true);
    ADD_PAIR(f, 5, "cup", "Beta", "Gamma", .is_items = true);
    ADD_PAIR(f, 6, "cup", "Gamma", "Alpha", .is_items = true);
    expect(f, "unconnected-items 1/2 a:3 [5 answers in 2 parts; the smallest has 2, this among]"
              " 'Gamma'\n");
}

static void test_check__no_estimate(void **state) {
    struct log_fixture *f = *state;
    ADD_PAIR(f, 1, "cup", "Alpha", "Beta", .is_items = true);
    ADD_PAIR(f, 2, "cup", "Beta", "Alpha", .is_items = true);
    ADD_PAIR(f, 3, "cup", "Alpha", "Gamma", .is_items = true); /* Gamma only loses */
    ADD_PAIR(f, 4, "bowl", "Alpha", "Beta", .is_items = true);
    ADD_PAIR(f, 5, "bowl", "Beta", "Gamma", .is_items = true);
    ADD_PAIR(f, 6, "bowl", "Gamma", "Alpha", .is_items = true, .is_tie = true); /* closes it */
    expect(f, "disagreement 1/2 a:1+a:2 [1 against 1]\n"
              "no-estimate 1/2 a:1 [3 answers; never beaten 0, never better 1] 'cup'\n");
}

static void test_check__unordered_rest_is_no_tie(void **state) {
    struct log_fixture *f = *state;
    static const char *const tie[] = {"A", "B", "C"};
    add_ranking(f, 1, "P", true, tie, 3, 2); /* B and C only lost */
    add_ranking(f, 2, "Q", true, tie, 3, 2);
    ADD_PAIR(f, 3, "Q", "B", "A", .is_items = true);
    ADD_PAIR(f, 4, "Q", "C", "A", .is_items = true);
    expect(f, "disagreement 2/4 a:2+a:3 [1 against 1]\n" /* one example a row */
              "no-estimate 1/2 a:1 [3 answers; never beaten 1, never better 2] 'P'\n");
}

/* ---- annotators ---- */

/* `count` pairs on prompts of their own, of which the one shown first wins in the first `first`. */
static void add_shown(struct log_fixture *f, const char *annotator, int64_t count, int64_t first) {
    for (int64_t i = 0; i < count; i++) {
        char prompt[64];
        (void)snprintf(prompt, sizeof prompt, "%s asks %" PRId64, annotator, i);
        ADD_PAIR(f, i + 1, prompt, "Yes.", "No.", .annotator = annotator,
                 .better_shown = i < first ? 1 : 2, .worse_shown = i < first ? 2 : 1);
    }
}

static void test_check__one_sided_annotator(void **state) {
    struct log_fixture *f = *state;
    add_shown(f, "ann", 30, 15);
    add_shown(f, "bob", 30, 30); /* p = 0.5^30 */
    add_shown(f, "cid", 30, 16);
    add_shown(f, "dan", 9, 9); /* too few to say */
    expect(f, "one-sided-annotator 1/4"
              " a:1 [chose the one shown first in 30 of 30, the others in 58.0 %] 'bob'\n");
}

static void test_check__chosen_column_is_not_a_habit(void **state) {
    struct log_fixture *f = *state;
    for (int64_t i = 0; i < 60; i++) { /* no positions: the better one always stands first */
        char prompt[64];
        (void)snprintf(prompt, sizeof prompt, "Question %" PRId64, i);
        ADD_PAIR(f, i + 1, prompt, "Yes.", "No.", .annotator = i % 2 ? "ann" : "bob");
    }
    expect(f, "");
}

static void test_check__column_counts_where_both_columns_win(void **state) {
    struct log_fixture *f = *state;
    for (int64_t i = 0; i < 90; i++) {
        char prompt[64];
        (void)snprintf(prompt, sizeof prompt, "Question %" PRId64, i);
        const char *annotator = i % 3 == 0 ? "ann" : i % 3 == 1 ? "bob" : "cid";
        ADD_PAIR(f, i + 1, prompt, "Yes.", "No.", .annotator = annotator,
                 .worse_first = i % 3 == 2 || i % 2 == 0);
    }
    expect(f, "one-sided-annotator 1/3"
              " a:3 [chose the second column in 30 of 30, the others in 50.0 %] 'cid'\n");
}

/* Four agree nine times in ten; a fifth throws a coin. */
static void test_check__chance_annotator(void **state) {
    struct log_fixture *f = *state;
    static const char *const names[] = {"ann", "bob", "cid", "dan", "eve"};
    for (int64_t i = 0; i < 40; i++) {
        char prompt[64];
        (void)snprintf(prompt, sizeof prompt, "Question %" PRId64, i);
        for (int64_t a = 0; a < 5; a++) {
            bool against = a == 4 ? i % 2 == 1 : (i + a) % 10 == 0;
            ADD_PAIR(f, 5 * i + a + 1, prompt, against ? "No." : "Yes.", against ? "Yes." : "No.",
                     .annotator = names[a]);
        }
    }
    /* Of ten questions, the minority has 1 vote on four (0, 8 and two of eve's), 2 on two (7 and 9,
     * with eve's) and 1 on 1, 3, 5 (eve's): 9 times 4 in all. Where the other four are two against
     * two, nothing is counted: for ann and cid on 7 and 9, for bob on 7, for dan on 9. What is
     * left of their verdicts is 32 + 36 + 32 + 36, each less 4 slips: 120 of 136. */
    expect(f, "chance-annotator 1/5 a:5 [agreed with the others in 20 of 40, the others in 88.2 %]"
              " 'eve'\n"
              "disagreement 36/200 a:1+a:2 [1 against 4] a:6+a:10 [4 against 1]"
              " a:16+a:20 [4 against 1]\n");
}

static void test_check__few_judgements(void **state) {
    struct log_fixture *f = *state;
    add_shown(f, "ann", 5, 3);
    add_shown(f, "bob", 4, 2);
    expect(f, "few-judgements 1/2 a:1 [4 comparisons] 'bob'\n");
}

/* ---- texts ---- */

static void test_check__empty_answers_and_prompts(void **state) {
    struct log_fixture *f = *state;
    ADD_PAIR(f, 3, "P", "", "B");
    ADD_PAIR(f, 4, "Q", "A", " \n\xC2\xA0");
    ADD_PAIR(f, 5, " ", "A", "B");
    expect(f, "empty-answer 2/6 a:3 [preferred] a:4 [not preferred]\n"
              "empty-prompt 1/3 a:5 ' '\n");
}

static void test_check__characters(void **state) {
    struct log_fixture *f = *state;
    ADD_PAIR(f, 1, "P", "Good \xEF\xBF\xBD", "B");
    ADD_PAIR(f, 2, "Q", "A", "Caf\xC3\x83\xC2\xA9");
    ADD_PAIR(f, 3, "\xEF\xBB\xBFR", "A", "B");
    ADD_PAIR(f, 4, "S", "A\x08", "B");
    ADD_PAIR(f, 5, "T", "A", "A strange and long beginning of it, then.<|im_end|>");
    expect(f,
           "replacement-character 1/15 a:1 [U+FFFD at byte 5 of the answer] 'Good \xEF\xBF\xBD'\n"
           "mojibake 1/15 a:2 [\xC3\x83\xC2\xA9 for \xC3\xA9 at byte 3 of the answer]"
           " 'Caf\xC3\x83\xC2\xA9'\n"
           "byte-order-mark 1/15 a:3 [U+FEFF at byte 0 of the prompt] '\xEF\xBB\xBFR'\n"
           "control-character 1/15 a:4 [U+0008 at byte 1 of the answer] 'A\\u0008'\n"
           "chat-markup 1/15 a:5 [<|im_end|> at byte 41 of the answer]"
           " 'nd long beginning of it, then.<|im_end|>'\n"
           "prefix-answer 1/10 a:5+a:5 [1 bytes of 51] 'A'\n");
}

static void test_check__long_row(void **state) {
    struct log_fixture *f = *state;
    struct check_options options = no_test_split();
    options.long_bytes = 10;
    ADD_PAIR(f, 1, "12345", "abcde", "abcdefg, and so on");
    expect_with(f, &options,
                "long-row 1/2 a:1 [23 bytes, about 5 tokens; the answer has 18]"
                " 'abcdefg, and so on'\n"
                "prefix-answer 1/2 a:1+a:1 [5 bytes of 18] 'abcde'\n");
}

static void test_check__prefix_answer(void **state) {
    struct log_fixture *f = *state;
    ADD_PAIR(f, 1, "P", "It is", "It is so.");
    ADD_PAIR(f, 2, "P", "It is not.", "It");
    ADD_PAIR(f, 3, "Q", "It is so.", "Is it"); /* to another prompt */
    ADD_PAIR(f, 4, "P", "It is so.", "It is not.");
    ADD_PAIR(f, 5, "P", "It", "It is");
    /* ids: 'It is' 1, 'It is so.' 2, 'It is not.' 3, 'It' 4; the next in the order of texts counts
     */
    expect(f, "prefix-answer 2/6 a:2+a:1 [2 bytes of 5] 'It'"
              " a:1+a:2 [5 bytes of 10] 'It is'\n");
}

static void test_check__near_answer(void **state) {
    struct log_fixture *f = *state;
    /* 13 words, 11 shingles, of which 10 are in both: 10 / 12 */
    ADD_PAIR(f, 1, "P", "one two three four five six seven eight nine ten eleven twelve x",
             "one two three four five six seven eight nine ten eleven twelve y");
    /* 12 words, 10 shingles, of which 7: 7 / 13 */
    ADD_PAIR(f, 2, "Q", "one two three four five six seven eight nine ten eleven twelve",
             "one two three four five six seven eight nine x eleven twelve");
    expect(f, "near-answer 1/4 a:1+a:1 [Jaccard 0.83]"
              " 'one two three four five six seven eight nine ten eleven twelve y'\n");
}

#define MANY 100

/* More answers than are compared one by one: through the index, and the same result. */
static void test_check__near_answer_among_many(void **state) {
    struct log_fixture *f = *state;
    for (int64_t i = 0; i < MANY; i++) {
        char better[128], worse[128];
        (void)snprintf(better, sizeof better, "a%d b%d c%d d%d e%d f%d g%d h%d", (int)i, (int)i,
                       (int)i, (int)i, (int)i, (int)i, (int)i, (int)i);
        (void)snprintf(worse, sizeof worse, "A%d %s", (int)i, "is something else");
        ADD_PAIR(f, i + 1, "P", better, worse);
    }
    ADD_PAIR(f, 200, "P", "a7 b7 c7 d7 e7 f7 g7 h7!", "A7 is something else");
    struct check_options options = no_test_split();
    options.some_only = true;
    options.only[CHECK_NEAR_ANSWER] = true;
    expect_with(f, &options,
                "near-answer 1/201 a:200+a:8 [Jaccard 1.00] 'a7 b7 c7 d7 e7 f7 g7 h7!'\n");
}

static void test_check__same_answer(void **state) {
    struct log_fixture *f = *state;
    ADD_PAIR(f, 1, "P", "I am sorry, but I cannot do that.", "B");
    ADD_PAIR(f, 2, "Q", "Yes.", "i am sorry, but  I cannot do that.");
    ADD_PAIR(f, 3, "R", "Yes.", "No.");
    expect(f, "same-answer 1/6 a:2+a:1 'i am sorry, but  I cannot do that.'\n");
}

static void test_check__item_spelling(void **state) {
    struct log_fixture *f = *state;
    ADD_PAIR(f, 1, "league", "Man United", "C", .is_items = true);
    ADD_PAIR(f, 2, "league", "C", "man  united", .is_items = true);
    ADD_PAIR(f, 3, "league", "man  united", "Man United", .is_items = true);
    expect(f, "item-spelling 1/3 a:2+a:1 [like 'Man United'] 'man  united'\n");
}

/* ---- near prompts and splits ---- */

static enum split split_of_text(const char *prompt, const struct split_shares *shares) {
    const struct hash_part parts[] = {{"text", 4}, {prompt, strlen(prompt)}};
    struct error err = ERROR_INIT;
    struct hash_key key;
    assert_ok(hash_key_of(parts, 2, &key, &err), &err);
    return split_of(PROMPT_TEXT, &key, shares);
}

/* A spelling of the text, told apart by case alone, that falls into `wanted`. */
static void spell(char *text, enum split wanted, const struct split_shares *shares) {
    for (int bits = 0; bits < 64; bits++) {
        for (int i = 0; i < 6; i++) {
            text[i] = (char)(bits >> i & 1 ? text[i] & ~0x20 : text[i] | 0x20);
        }
        if (split_of_text(text, shares) == wanted) {
            return;
        }
    }
    fail_msg("no spelling falls into that split");
}

static void test_check__split_leak(void **state) {
    struct log_fixture *f = *state;
    struct check_options options = CHECK_OPTIONS_DEFAULT;
    options.shares = (struct split_shares){.validation = 0.0, .test = 0.5};
    char train[] = "whatis the capital of France", test[] = "whatis the capital of France";
    char alone[] = "wherea are the keys";
    spell(train, SPLIT_TRAIN, &options.shares);
    spell(test, SPLIT_TEST, &options.shares);
    spell(alone, SPLIT_TEST, &options.shares);
    ADD_PAIR(f, 1, test, "Paris.", "Rome.");
    ADD_PAIR(f, 2, train, "Paris.", "Lyon.");
    ADD_PAIR(f, 3, alone, "There.", "Here.");
    char expected[512];
    (void)snprintf(expected, sizeof expected,
                   "split-leak 1/2 a:1+a:2 [test and train split] '%s'\n"
                   "near-prompt 1/3 a:2+a:1 [Jaccard 1.00; train and test split] '%s'\n",
                   test, train);
    expect_with(f, &options, expected);
}

static void test_check__near_leak_and_answer_leak(void **state) {
    struct log_fixture *f = *state;
    struct check_options options = CHECK_OPTIONS_DEFAULT;
    options.shares = (struct split_shares){.validation = 0.5, .test = 0.0};
    char train[] = "whatis two three four five six seven eight nine ten eleven twelve x";
    char test[] = "whatis two three four five six seven eight nine ten eleven twelve y";
    spell(train, SPLIT_TRAIN, &options.shares);
    spell(test, SPLIT_VALIDATION, &options.shares);
    ADD_PAIR(f, 1, train, "I am sorry, but I cannot do that.", "Yes.");
    ADD_PAIR(f, 2, test, "No.", "I am sorry, but I cannot do that.");
    char expected[512];
    (void)snprintf(expected, sizeof expected,
                   "near-leak 1/1 a:2+a:1 [Jaccard 0.83; validation and train split] '%s'\n"
                   "answer-leak 1/2 a:2+a:1 'I am sorry, but I cannot do that.'\n"
                   "near-prompt 1/2 a:2+a:1 [Jaccard 0.83; validation and train split] '%s'\n"
                   "same-answer 1/4 a:2+a:1 'I am sorry, but I cannot do that.'\n",
                   test, test);
    expect_with(f, &options, expected);
    options.near_threshold = 0.84;
    (void)snprintf(expected, sizeof expected,
                   "answer-leak 1/2 a:2+a:1 'I am sorry, but I cannot do that.'\n"
                   "same-answer 1/4 a:2+a:1 'I am sorry, but I cannot do that.'\n");
    expect_with(f, &options, expected);
}

static void add_chat_prompt(struct log_fixture *f, int64_t line, const char *question) {
    const struct message messages[] = {
        {text_span_of("system"), text_span_of("You are a helpful assistant who answers in a long "
                                              "and careful way, and never tells a lie.")},
        {text_span_of("user"), text_span_of(question)},
    };
    const struct preference_response sides[] = {{.text = text_span_of("Yes."), .rank = 1},
                                                {.text = text_span_of("No."), .rank = 2}};
    const struct preference row = {
        .kind = PREFERENCE_COMPARISON,
        .line = line,
        .prompt = {.kind = PROMPT_CHAT, .messages = messages, .message_count = 2},
        .responses = sides,
        .response_count = 2,
        .weight = 1.0};
    append(f, &row);
}

static void test_check__shared_system_message_makes_no_near_prompts(void **state) {
    struct log_fixture *f = *state;
    add_chat_prompt(f, 1, "Is it late?");
    add_chat_prompt(f, 2, "Is it early?");
    add_chat_prompt(f, 3, "is it LATE");
    expect(f, "near-prompt 1/3 a:3+a:1 [Jaccard 1.00; train and train split] 'is it LATE'\n");
}

/* ---- labels, ratings, works ---- */

static void test_check__label_conflict(void **state) {
    struct log_fixture *f = *state;
    add_single(f, PREFERENCE_LABEL, 1, "ann", 1.0);
    add_single(f, PREFERENCE_LABEL, 2, "bob", 0.0);
    expect(f, "");
    add_single(f, PREFERENCE_LABEL, 3, "ann", 0.0);
    expect(f, "label-conflict 1/1 a:3 [good and bad] 'Water.'\n");
}

static void test_check__rating_scale_and_single_answer(void **state) {
    struct log_fixture *f = *state;
    add_single(f, PREFERENCE_RATING, 1, "ann", 5.0);
    struct error err = ERROR_INIT;
    end_source(f);
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    assert_ok(db_stmt_open(f->db, "UPDATE rating SET value = 5.5", &stmt, &err), &err);
    expect(f, "single-answer 1/1 a:1 'What to drink?'\n");
    assert_ok(db_stmt_run(stmt, &err), &err);
    expect(f, "rating-scale 1/1 a:1 [5.5 is outside [1, 5]] 'Water.'\n"
              "single-answer 1/1 a:1 'What to drink?'\n");
}

static void run_sql(struct log_fixture *f, const char *sql) {
    struct error err = ERROR_INIT;
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    assert_ok(db_stmt_open(f->db, sql, &stmt, &err), &err);
    assert_ok(db_stmt_run(stmt, &err), &err);
}

static void test_check__opted_out(void **state) {
    struct log_fixture *f = *state;
    struct error err = ERROR_INIT;
    ADD_PAIR(f, 7, "P", "A", "B");
    const struct preference_work work = {.line = 1,
                                         .owner = text_span_of("Olga"),
                                         .title = text_span_of("Poems"),
                                         .text = text_span_of("A"),
                                         .has_opt_out = true,
                                         .opt_out_at_ms = 1000};
    assert_ok(preference_log_append_work(f->log, &work, &err), &err);
    end_source(f);
    run_sql(f, "UPDATE response SET work_id = 1 WHERE content = 'A'");
    struct check_options options = no_test_split();
    options.now_ms = 999;
    expect_with(f, &options, "");
    options.now_ms = 1000;
    expect_with(f, &options, "opted-out 1/1 a:7 [Poems] 'A'\n");
}

/* ---- options, lengths, failures ---- */

static void test_check__examples_and_only_are_obeyed(void **state) {
    struct log_fixture *f = *state;
    for (int64_t i = 0; i < 5; i++) {
        char prompt[32];
        (void)snprintf(prompt, sizeof prompt, "Question %" PRId64, i);
        ADD_PAIR(f, i + 1, prompt, "", "\x01");
    }
    struct check_options options = no_test_split();
    options.examples = 0;
    expect_with(f, &options, "empty-answer 5/10\ncontrol-character 5/15\n");
    options.examples = 2;
    options.some_only = true;
    options.only[CHECK_EMPTY_ANSWER] = true;
    expect_with(f, &options, "empty-answer 5/10 a:1 [preferred] a:2 [preferred]\n");
}

static void test_check__lengths_are_exact(void **state) {
    struct log_fixture *f = *state;
    struct error err = ERROR_INIT;
    char text[128] = "";
    for (int64_t i = 0; i < 50; i++) { /* answers of 1 to 100 bytes */
        char better[128], worse[128], prompt[32];
        memset(text, 'x', sizeof text);
        (void)snprintf(better, sizeof better, "%.*s", (int)(2 * i + 1), text);
        memset(text, 'y', sizeof text);
        (void)snprintf(worse, sizeof worse, "%.*s", (int)(2 * i + 2), text);
        (void)snprintf(prompt, sizeof prompt, "Question %02" PRId64, i);
        ADD_PAIR(f, i + 1, prompt, better, worse);
    }
    end_source(f);
    SCOPED(check_report) struct check_report report = CHECK_REPORT_INIT;
    struct check_options options = CHECK_OPTIONS_DEFAULT;
    assert_ok(check_run(f->db, &options, &report, &err), &err);
    assert_int_equal(report.answers.count, 100);
    assert_int_equal(report.answers.total, 5050);
    assert_int_equal(report.answers.median, 50);
    assert_int_equal(report.answers.p90, 90);
    assert_int_equal(report.answers.p99, 99);
    assert_int_equal(report.answers.max, 100);
    assert_int_equal(report.prompts.median, 11);
    assert_int_equal(report.comparison_count, 50);
    int64_t rows = 0;
    assert_ok(check_rows(f->db, &rows, &err), &err);
    assert_int_equal(rows, 50 + 100 + 50);
}

static void test_check__refuses_content_that_is_not_of_its_kind(void **state) {
    struct log_fixture *f = *state;
    ADD_PAIR(f, 1, "P", "A", "B");
    end_source(f);
    run_sql(f, "UPDATE prompt SET kind = 'chat'");
    struct check_options options = CHECK_OPTIONS_DEFAULT;
    struct check_report report = CHECK_REPORT_INIT;
    struct error err = ERROR_INIT;
    assert_fails(check_run(f->db, &options, &report, &err), ERR_DATA, "prompt 1", &err);
    assert_null(report.sources);
}

/* With a connection of its own, whose page cache goes with it. */
static enum err_code run_once(void *context, struct error *err) {
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(context, DB_MODE_READ_ONLY, NULL, &db, err));
    SCOPED(check_report) struct check_report report = CHECK_REPORT_INIT;
    struct check_options options = CHECK_OPTIONS_DEFAULT;
    options.shares = (struct split_shares){.validation = 0.0, .test = 0.5};
    return check_run(db, &options, &report, err);
}

static enum err_code only_open(void *context, struct error *err) {
    SCOPED(db) struct db *db = NULL;
    return project_open(context, DB_MODE_READ_ONLY, NULL, &db, err);
}

static void test_check__fails_cleanly_without_memory(void **state) {
    struct log_fixture *f = *state;
    ADD_PAIR(f, 1, "P", "", "B", .annotator = "ann");
    ADD_PAIR(f, 2, "P", "B", "", .annotator = "ann");
    ADD_PAIR(f, 3, "Q one two", "Same", "Same", .annotator = "ann", .better_by = "m");
    ADD_PAIR(f, 4, "q ONE two", "A\x01", "Same", .annotator = "bob");
    add_chat_prompt(f, 5, "Is it late?");
    end_source(f);
    void *scratch = NULL;
    struct error err = ERROR_INIT;
    assert_int_equal(scratch_setup(&scratch), 0);
    char *path = scratch_path(scratch, "p.db");
    assert_ok(db_copy(f->db, path, &err), &err);
    alloc_loop_check_after(only_open, run_once, path);
    assert_int_equal(scratch_teardown(&scratch), 0);
}

static void test_check_table__has_unique_keys_and_full_texts(void **state) {
    (void)state;
    for (int f = 0; f < CHECK_FINDING_COUNT; f++) {
        assert_int_equal(check_find(check_table[f].key), f);
        assert_true(check_table[f].severity < CHECK_SEVERITY_COUNT);
        const char *const texts[] = {check_table[f].title, check_table[f].effect,
                                     check_table[f].remedy};
        for (size_t i = 0; i < 3; i++) {
            assert_true(strlen(texts[i]) > 4);
            assert_true(texts[i][strlen(texts[i]) - 1] != '.');
        }
    }
    assert_int_equal(check_find("nothing"), CHECK_FINDING_COUNT);
}

#define CHECK_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CHECK_TEST(test_check__empty_project_has_nothing_wrong),
        CHECK_TEST(test_check__clean_log_has_nothing_wrong),
        CHECK_TEST(test_check__contradiction),
        CHECK_TEST(test_check__disagreement_is_no_contradiction),
        CHECK_TEST(test_check__rankings_contradict_and_disagree_pair_by_pair),
        CHECK_TEST(test_check__repeated_judgement),
        CHECK_TEST(test_check__two_sources),
        CHECK_TEST(test_check__teams_may_meet_again),
        CHECK_TEST(test_check__identical_pair),
        CHECK_TEST(test_check__context_differs),
        CHECK_TEST(test_check__weight_range),
        CHECK_TEST(test_check__unconnected_items),
        CHECK_TEST(test_check__no_estimate),
        CHECK_TEST(test_check__unordered_rest_is_no_tie),
        CHECK_TEST(test_check__one_sided_annotator),
        CHECK_TEST(test_check__chosen_column_is_not_a_habit),
        CHECK_TEST(test_check__column_counts_where_both_columns_win),
        CHECK_TEST(test_check__chance_annotator),
        CHECK_TEST(test_check__few_judgements),
        CHECK_TEST(test_check__empty_answers_and_prompts),
        CHECK_TEST(test_check__characters),
        CHECK_TEST(test_check__long_row),
        CHECK_TEST(test_check__prefix_answer),
        CHECK_TEST(test_check__near_answer),
        CHECK_TEST(test_check__near_answer_among_many),
        CHECK_TEST(test_check__same_answer),
        CHECK_TEST(test_check__item_spelling),
        CHECK_TEST(test_check__split_leak),
        CHECK_TEST(test_check__near_leak_and_answer_leak),
        CHECK_TEST(test_check__shared_system_message_makes_no_near_prompts),
        CHECK_TEST(test_check__label_conflict),
        CHECK_TEST(test_check__rating_scale_and_single_answer),
        CHECK_TEST(test_check__opted_out),
        CHECK_TEST(test_check__examples_and_only_are_obeyed),
        CHECK_TEST(test_check__lengths_are_exact),
        CHECK_TEST(test_check__refuses_content_that_is_not_of_its_kind),
        CHECK_TEST(test_check__fails_cleanly_without_memory),
        cmocka_unit_test(test_check_table__has_unique_keys_and_full_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
