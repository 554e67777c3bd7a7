#include "data/comparison_set.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "data/aspect_list.h"
#include "data/preference_log.h"
#include "data/project.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdio.h>

/* A log in memory: rows are appended in one source. */
struct fixture {
    struct db *db;
    struct preference_log *log;
    struct db_tx tx;
};

static void fixture_open(struct fixture *f) {
    struct error err = ERROR_INIT;
    *f = (struct fixture){.db = NULL};
    const struct db_options options = {
        .path = ":memory:", .mode = DB_MODE_CREATE, .schema = project_schema()};
    assert_ok(db_open(&options, &f->db, &err), &err);
    assert_ok(preference_log_open(f->db, &f->log, &err), &err);
    assert_ok(db_tx_open(f->db, &f->tx, &err), &err);
    assert_ok(preference_log_begin_source(f->log, "a.jsonl", "test", "{}", 0, &err), &err);
}

static void end_source(struct fixture *f, uint8_t sum) {
    struct error err = ERROR_INIT;
    const struct preference_source_summary summary = {.sha256 = {.bytes = {sum}}, .rows = 1};
    assert_ok(preference_log_end_source(f->log, &summary, &err), &err);
}

/* What follows is of another file. */
static void next_source(struct fixture *f) {
    struct error err = ERROR_INIT;
    end_source(f, 2);
    assert_ok(preference_log_begin_source(f->log, "b.jsonl", "test", "{}", 0, &err), &err);
}

/* Ends writing. */
static void fixture_commit(struct fixture *f) {
    struct error err = ERROR_INIT;
    end_source(f, 1);
    assert_ok(db_tx_commit(&f->tx, &err), &err);
    preference_log_close(f->log);
    f->log = NULL;
}

static void fixture_close(struct fixture *f) {
    preference_log_close(f->log);
    db_tx_close(&f->tx);
    db_close(f->db);
}

struct row {
    const char *prompt, *annotator, *population, *aspect;
    const char *texts[4];   /* NULL ends */
    const char *origins[4]; /* NULL: none */
    int64_t ranks[4], positions[4];
    double weight; /* 0: 1 */
    double margin; /* 0: none */
    bool last_unordered, is_items;
};

static void append(struct fixture *f, const struct row *row) {
    struct error err = ERROR_INIT;
    struct preference_response responses[4] = {{.rank = 0}};
    int64_t count = 0;
    for (; count < 4 && row->texts[count]; count++) {
        responses[count] = (struct preference_response){
            .text = text_span_of(row->texts[count]),
            .origin = text_span_of(row->origins[count]),
            .rank = row->ranks[count],
            .position = row->positions[count],
        };
    }
    const struct preference preference = {
        .kind = PREFERENCE_COMPARISON,
        .line = 1,
        .prompt = {.kind = row->is_items ? PROMPT_ITEMS : PROMPT_TEXT,
                   .text = text_span_of(row->prompt)},
        .responses = responses,
        .response_count = count,
        .annotator = text_span_of(row->annotator),
        .population = text_span_of(row->population),
        .aspect = text_span_of(row->aspect),
        .weight = row->weight > 0.0 ? row->weight : 1.0,
        .has_margin = row->margin > 0.0,
        .margin = row->margin,
        .last_unordered = row->last_unordered,
    };
    assert_ok(preference_log_append(f->log, &preference, &err), &err);
}

static void rate_weighted(struct fixture *f, const char *text, const char *annotator, double value,
                          double weight) {
    struct error err = ERROR_INIT;
    const struct preference_response response = {.text = text_span_of(text)};
    const struct preference preference = {
        .kind = PREFERENCE_RATING,
        .line = 1,
        .prompt = {.kind = PROMPT_TEXT, .text = text_span_of("q")},
        .responses = &response,
        .response_count = 1,
        .annotator = text_span_of(annotator),
        .weight = weight,
        .value = value,
    };
    assert_ok(preference_log_append(f->log, &preference, &err), &err);
}

static void rate(struct fixture *f, const char *text, const char *annotator, double value) {
    rate_weighted(f, text, annotator, value, 1.0);
}

struct label {
    const char *prompt, *text, *annotator, *population;
    bool is_good;
    double weight; /* 0: 1 */
};

static void put_label(struct fixture *f, const struct label *label) {
    struct error err = ERROR_INIT;
    const struct preference_response response = {.text = text_span_of(label->text)};
    const struct preference preference = {
        .kind = PREFERENCE_LABEL,
        .line = 1,
        .prompt = {.kind = PROMPT_TEXT, .text = text_span_of(label->prompt)},
        .responses = &response,
        .response_count = 1,
        .annotator = text_span_of(label->annotator),
        .population = text_span_of(label->population),
        .weight = label->weight > 0.0 ? label->weight : 1.0,
        .good = label->is_good,
    };
    assert_ok(preference_log_append(f->log, &preference, &err), &err);
}

/* "A>B=C" of comparison c, by the texts of the items; the ranks decide the signs. */
static const char *shown(struct fixture *f, const struct comparison_set *set, int64_t c) {
    static char text[256];
    struct error err = ERROR_INIT;
    size_t used = 0;
    for (int64_t m = set->starts[c]; m < set->starts[c + 1]; m++) {
        SCOPED(mem) char *name = NULL;
        assert_ok(comparison_set_item_text(f->db, set, set->items[m], 40, &name, &err), &err);
        const char *sign = m == set->starts[c]                  ? ""
                           : set->ranks[m] == set->ranks[m - 1] ? "="
                                                                : ">";
        int added = snprintf(text + used, sizeof text - used, "%s%s", sign, name);
        used += (size_t)added;
    }
    return text;
}

static void test_load__pairs_rankings_and_ties(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    append(&f, &(struct row){.prompt = "q",
                             .texts = {"A", "B"},
                             .ranks = {2, 1},
                             .positions = {1, 2},
                             .annotator = "ann"});
    append(&f, &(struct row){.prompt = "p", .texts = {"X", "Y"}, .ranks = {1, 1}, .weight = 2.5});
    /* Gaps in ranks go; ties keep their order in the source. */
    append(&f, &(struct row){.prompt = "q",
                             .texts = {"C", "B", "A", "D"},
                             .ranks = {7, 1, 1, 9},
                             .last_unordered = true,
                             .annotator = "bob"});
    fixture_commit(&f);
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    assert_ok(
        comparison_set_load(f.db, &(struct comparison_set_options){.aspect = NULL}, &set, &err),
        &err);
    assert_int_equal(set.count, 3);
    assert_int_equal(set.item_count, 6);
    assert_int_equal(set.block_count, 2); /* q came first */
    assert_string_equal(shown(&f, &set, 0), "B>A");
    assert_string_equal(shown(&f, &set, 1), "B=A>C>D");
    assert_string_equal(shown(&f, &set, 2), "X=Y");
    const int32_t ranks[] = {1, 2, 1, 1, 2, 3, 1, 1};
    assert_memory_equal(set.ranks, ranks, sizeof ranks);
    const int32_t positions[] = {2, 1, 0, 0, 0, 0, 0, 0};
    assert_memory_equal(set.positions, positions, sizeof positions);
    const double weights[] = {1.0, 1.0, 2.5};
    assert_memory_equal(set.weights, weights, sizeof weights);
    const int32_t annotators[] = {0, 1, -1};
    assert_memory_equal(set.annotators, annotators, sizeof annotators);
    assert_int_equal(set.annotator_count, 2);
    const bool unordered[] = {false, true, false};
    assert_memory_equal(set.last_unordered, unordered, sizeof unordered);
    assert_int_equal(set.item_blocks[set.items[0]], 0);
    assert_int_equal(set.item_blocks[set.items[6]], 1);
    assert_int_equal(set.identical, 0);
    fixture_close(&f);
}

/* Comparisons of two prompts in turn: those of one prompt come together, in their order, and so do
 * their items. */
static void test_load__prompts_in_turn(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    append(&f, &(struct row){.prompt = "q", .texts = {"A", "B"}, .ranks = {2, 1}});
    append(&f, &(struct row){.prompt = "p",
                             .texts = {"X", "Y", "Z"},
                             .ranks = {1, 3, 2},
                             .positions = {3, 2, 1},
                             .weight = 2.0,
                             .annotator = "ann"});
    append(&f,
           &(struct row){
               .prompt = "q", .texts = {"A", "C"}, .ranks = {1, 2}, .weight = 3.0, .margin = 0.5});
    append(&f, &(struct row){.prompt = "p", .texts = {"Y", "X"}, .ranks = {1, 2}, .weight = 4.0});
    fixture_commit(&f);
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    assert_ok(
        comparison_set_load(f.db, &(struct comparison_set_options){.aspect = NULL}, &set, &err),
        &err);
    static const char *const expected[] = {"B>A", "A>C", "X>Z>Y", "Y>X"};
    static const double weights[] = {1.0, 3.0, 2.0, 4.0};
    static const int64_t ids[] = {1, 3, 2, 4};
    static const int32_t annotators[] = {-1, -1, 0, -1};
    assert_int_equal(set.count, 4);
    for (int64_t c = 0; c < 4; c++) {
        assert_string_equal(shown(&f, &set, c), expected[c]);
    }
    assert_memory_equal(set.weights, weights, sizeof weights);
    assert_true(isnan(set.margins[0]) && isnan(set.margins[2]) && isnan(set.margins[3]));
    assert_true(set.margins[1] == 0.5);
    assert_memory_equal(set.comparison_ids, ids, sizeof ids);
    assert_memory_equal(set.annotators, annotators, sizeof annotators);
    const int32_t blocks[] = {0, 0, 0, 1, 1, 1};
    assert_memory_equal(set.item_blocks, blocks, sizeof blocks);
    const int32_t positions[] = {0, 0, 0, 0, 3, 1, 2, 0, 0};
    assert_memory_equal(set.positions, positions, sizeof positions);
    fixture_close(&f);
}

/* An answer compared with itself says nothing, and makes no item. */
static void test_load__identical_sides_are_left_out(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    append(&f, &(struct row){.prompt = "q", .texts = {"A", "A"}, .ranks = {1, 2}});
    append(&f, &(struct row){.prompt = "q", .texts = {"B", "C"}, .ranks = {1, 2}});
    append(&f, &(struct row){.prompt = "q", .texts = {"B", "C"}, .ranks = {2, 1}});
    fixture_commit(&f);
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    assert_ok(
        comparison_set_load(f.db, &(struct comparison_set_options){.aspect = NULL}, &set, &err),
        &err);
    assert_int_equal(set.identical, 1);
    assert_int_equal(set.count, 2);
    assert_int_equal(set.item_count, 2);
    fixture_close(&f);
}

static void test_load__several_aspects_must_be_chosen(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    append(&f,
           &(struct row){.prompt = "q", .texts = {"A", "B"}, .ranks = {1, 2}, .aspect = "safe"});
    append(&f,
           &(struct row){.prompt = "q", .texts = {"A", "B"}, .ranks = {2, 1}, .aspect = "kind"});
    append(&f,
           &(struct row){.prompt = "q", .texts = {"A", "C"}, .ranks = {2, 1}, .aspect = "kind"});
    fixture_commit(&f);
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    assert_fails(
        comparison_set_load(f.db, &(struct comparison_set_options){.aspect = NULL}, &set, &err),
        ERR_DATA, "'kind' (2), 'safe' (1); choose one", &err);
    assert_ok(
        comparison_set_load(f.db, &(struct comparison_set_options){.aspect = "kind"}, &set, &err),
        &err);
    assert_int_equal(set.count, 2);
    assert_string_equal(shown(&f, &set, 0), "B>A");
    fixture_close(&f);
}

static void test_load__one_population(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    append(&f, &(struct row){.prompt = "q",
                             .texts = {"A", "B"},
                             .ranks = {1, 2},
                             .annotator = "ann",
                             .population = "north"});
    append(&f, &(struct row){.prompt = "q",
                             .texts = {"A", "B"},
                             .ranks = {2, 1},
                             .annotator = "bob",
                             .population = "south"});
    append(&f, &(struct row){.prompt = "q", .texts = {"A", "C"}, .ranks = {2, 1}});
    fixture_commit(&f);
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    assert_ok(comparison_set_load(f.db, &(struct comparison_set_options){.population = "south"},
                                  &set, &err),
              &err);
    assert_int_equal(set.count, 1);
    assert_int_equal(set.annotator_count, 1);
    assert_int_equal(set.annotators[0], 0);
    assert_string_equal(shown(&f, &set, 0), "B>A");
    comparison_set_deinit(&set);
    assert_fails(comparison_set_load(f.db, &(struct comparison_set_options){.population = "west"},
                                     &set, &err),
                 ERR_DATA, "'west'", &err);
    fixture_close(&f);
}

/* Every prompt is in one of the splits, and the splits together are the log. */
static void test_load__splits_part_the_log(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    char prompt[16];
    for (int i = 0; i < 200; i++) {
        snprintf(prompt, sizeof prompt, "q%d", i);
        append(&f, &(struct row){.prompt = prompt, .texts = {"A", "B"}, .ranks = {1, 2}});
    }
    fixture_commit(&f);
    struct error err = ERROR_INIT;
    int64_t total = 0;
    for (enum split split = 0; split < SPLIT_COUNT; split++) {
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        const struct comparison_set_options options = {.one_split = true, .split = split};
        assert_ok(comparison_set_load(f.db, &options, &set, &err), &err);
        assert_int_equal(set.block_count, set.count);
        assert_int_equal(set.item_count, 2 * set.count);
        total += set.count;
        /* 160, 20 and 20 expected; four standard deviations are 23 and 17. */
        assert_in_range(set.count, split == SPLIT_TRAIN ? 137 : 3, split == SPLIT_TRAIN ? 183 : 37);
    }
    assert_int_equal(total, 200);
    fixture_close(&f);
}

static void test_load__origins_as_items(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    append(&f,
           &(struct row){
               .prompt = "q", .texts = {"A", "B"}, .ranks = {1, 2}, .origins = {"tiny", "huge"}});
    append(&f, &(struct row){.prompt = "p",
                             .texts = {"A", "A"},
                             .ranks = {2, 1},
                             .origins = {"tiny", "huge"}}); /* the same text of two writers */
    append(&f, &(struct row){.prompt = "p",
                             .texts = {"C", "D"},
                             .ranks = {1, 2},
                             .origins = {"huge", "huge"}}); /* one writer twice */
    fixture_commit(&f);
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    const struct comparison_set_options options = {.items = COMPARISON_ITEMS_ORIGINS};
    assert_ok(comparison_set_load(f.db, &options, &set, &err), &err);
    assert_int_equal(set.count, 2);
    assert_int_equal(set.identical, 1);
    assert_int_equal(set.item_count, 2);
    assert_int_equal(set.block_count, 1);
    assert_string_equal(shown(&f, &set, 0), "tiny>huge");
    assert_string_equal(shown(&f, &set, 1), "huge>tiny");
    assert_null(set.item_response_ids);
    fixture_close(&f);
}

static void test_load__responses_without_origin_are_refused(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    append(&f, &(struct row){
                   .prompt = "q", .texts = {"A", "B"}, .ranks = {1, 2}, .origins = {"tiny", NULL}});
    fixture_commit(&f);
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    const struct comparison_set_options options = {.items = COMPARISON_ITEMS_ORIGINS};
    assert_fails(comparison_set_load(f.db, &options, &set, &err), ERR_DATA, "no origin", &err);
    assert_int_equal(set.item_count, 0);
    fixture_close(&f);
}

/* Two people: one ranks A over B = C, the other, who changed her mind about B, B over A; a lone
 * rating compares nothing. */
static void test_load__ratings_make_rankings(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    rate(&f, "B", "ann", 2.0);
    rate(&f, "A", "ann", 5.0);
    rate(&f, "B", "bob", 1.0);
    rate(&f, "C", "ann", 2.0);
    rate(&f, "A", "bob", 3.0);
    rate(&f, "B", "bob", 4.0);
    rate(&f, "A", "cay", 4.0);
    fixture_commit(&f);
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    const struct comparison_set_options options = {.from = COMPARISON_FROM_RATINGS};
    assert_ok(comparison_set_load(f.db, &options, &set, &err), &err);
    assert_int_equal(set.count, 2);
    assert_string_equal(shown(&f, &set, 0), "A>B=C");
    assert_string_equal(shown(&f, &set, 1), "B>A");
    assert_int_equal(set.comparison_ids[0], 0);
    fixture_close(&f);
}

/* What she gave in one file, of five, is not put beside what she gave in another, of a hundred. */
static void test_load__ratings_of_two_sources_stay_apart(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    rate(&f, "A", "ann", 5.0);
    rate(&f, "B", "ann", 4.0);
    next_source(&f);
    rate(&f, "B", "ann", 90.0);
    rate(&f, "C", "ann", 20.0);
    rate(&f, "D", "ann", 20.0);
    fixture_commit(&f);
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    const struct comparison_set_options options = {.from = COMPARISON_FROM_RATINGS};
    assert_ok(comparison_set_load(f.db, &options, &set, &err), &err);
    assert_int_equal(set.count, 2);
    assert_string_equal(shown(&f, &set, 0), "A>B");
    assert_string_equal(shown(&f, &set, 1), "B>C=D");
    fixture_close(&f);
}

/* Nobody said who gave them: A has (3 * 1 + 1 * 5) / 4 = 2, B 2 as well, C 1.5; the weights are 4,
 * 1 and 2, and the least counts. The last ratings alone would say A > B = C. */
static void test_load__ratings_of_nobody_are_averaged(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    rate_weighted(&f, "A", NULL, 1.0, 3.0);
    rate_weighted(&f, "C", NULL, 1.0, 1.0);
    rate_weighted(&f, "B", NULL, 2.0, 1.0);
    rate_weighted(&f, "A", NULL, 5.0, 1.0);
    rate_weighted(&f, "C", NULL, 2.0, 1.0);
    fixture_commit(&f);
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    const struct comparison_set_options options = {.from = COMPARISON_FROM_RATINGS};
    assert_ok(comparison_set_load(f.db, &options, &set, &err), &err);
    assert_int_equal(set.count, 1);
    assert_string_equal(shown(&f, &set, 0), "A=B>C");
    assert_true(set.weights[0] == 1.0);
    assert_int_equal(set.annotators[0], -1);
    fixture_close(&f);
}

/* Every label by itself, those of one prompt together. */
static void test_load__labels_are_of_single_answers(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    append(&f, &(struct row){.prompt = "q", .texts = {"A", "B"}, .ranks = {2, 1}});
    put_label(&f, &(struct label){"q", "A", "ann", "north", true, 0.0});
    put_label(&f, &(struct label){"p", "X", NULL, NULL, false, 2.5});
    put_label(&f, &(struct label){"q", "C", "bob", "south", true, 0.0});
    put_label(&f, &(struct label){"q", "A", "bob", "south", false, 0.0});
    fixture_commit(&f);
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    struct comparison_set_options options = {.from = COMPARISON_FROM_LABELS};
    assert_ok(comparison_set_load(f.db, &options, &set, &err), &err);
    static const char *const texts[] = {"A", "C", "A", "X"};
    static const bool good[] = {true, true, false, false};
    assert_true(set.count == 4 && set.item_count == 3 && set.block_count == 2);
    for (int64_t c = 0; c < 4; c++) {
        assert_string_equal(shown(&f, &set, c), texts[c]);
        assert_int_equal(set.good[c], good[c]);
        assert_true(set.weights[c] == (c == 3 ? 2.5 : 1.0));
        assert_int_equal(set.annotators[c], c == 3 ? -1 : c > 0);
    }
    /* the last two in the order of their blocks, the second alone */
    SCOPED(comparison_set) struct comparison_set part = COMPARISON_SET_INIT;
    SCOPED(mem) int64_t *sources = NULL;
    assert_ok(comparison_set_part(&set, (int32_t[]){-1, -1, 1, 0}, 2, &part, &sources, &err), &err);
    assert_true(part.count == 2 && !part.good[0] && !part.good[1]);
    assert_true(sources[0] == 2 && sources[1] == 0);
    comparison_set_deinit(&set);
    options.population = "north";
    assert_ok(comparison_set_load(f.db, &options, &set, &err), &err);
    assert_true(set.count == 1 && set.good[0]);
    comparison_set_deinit(&set);
    options.topic = "tea";
    assert_fails(comparison_set_load(f.db, &options, &set, &err), ERR_DATA,
                 "none of 4 labels is left, by population 'north', on topic 'tea'", &err);
    fixture_close(&f);
}

/* Where there is nothing but labels, comparisons are refused with the way to those. */
static void test_load__says_that_there_are_labels(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    put_label(&f, &(struct label){"q", "A", NULL, NULL, true, 0.0});
    fixture_commit(&f);
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    struct comparison_set_options options = {.from = COMPARISON_FROM_COMPARISONS};
    assert_fails(comparison_set_load(f.db, &options, &set, &err), ERR_DATA,
                 "no comparisons, but 1 labels of single answers", &err);
    options.from = COMPARISON_FROM_RATINGS;
    assert_fails(comparison_set_load(f.db, &options, &set, &err), ERR_DATA,
                 "the log has no comparisons from ratings; accord import brings some in", &err);
    fixture_close(&f);
}

/* 40 sets of one comparison each: by their hashes some would be held out. */
static void test_load__sets_of_items_are_training(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    char prompt[16];
    for (int i = 0; i < 40; i++) {
        snprintf(prompt, sizeof prompt, "league %d", i);
        append(&f, &(struct row){
                       .prompt = prompt, .texts = {"A", "B"}, .ranks = {1, 2}, .is_items = true});
    }
    fixture_commit(&f);
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    struct comparison_set_options options = {.one_split = true, .split = SPLIT_TRAIN};
    assert_ok(comparison_set_load(f.db, &options, &set, &err), &err);
    assert_int_equal(set.count, 40);
    comparison_set_deinit(&set);
    options.split = SPLIT_TEST;
    assert_fails(comparison_set_load(f.db, &options, &set, &err), ERR_DATA,
                 "none of 40 comparisons is between two different responses, in split 'test' "
                 "(where sets of items never are)",
                 &err);
    fixture_close(&f);
}

static void test_load__what_names_no_aspect_can_be_chosen(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    append(&f, &(struct row){.prompt = "q", .texts = {"A", "B"}, .ranks = {1, 2}});
    append(&f,
           &(struct row){.prompt = "q", .texts = {"A", "B"}, .ranks = {2, 1}, .aspect = "kind"});
    fixture_commit(&f);
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    struct comparison_set_options options = {.aspect = NULL};
    assert_fails(comparison_set_load(f.db, &options, &set, &err), ERR_DATA,
                 "'(none)' (1), 'kind' (1); choose one", &err);
    options.aspect = ASPECT_NONE;
    assert_ok(comparison_set_load(f.db, &options, &set, &err), &err);
    assert_int_equal(set.count, 1);
    assert_string_equal(shown(&f, &set, 0), "A>B");
    comparison_set_deinit(&set);
    options.aspect = "safe";
    assert_fails(comparison_set_load(f.db, &options, &set, &err), ERR_DATA,
                 "nothing is judged in aspect 'safe'; there is '(none)' (1), 'kind' (1)", &err);
    fixture_close(&f);
}

static void test_load__says_which_filters_leave_nothing(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    append(&f, &(struct row){.prompt = "q",
                             .texts = {"A", "B"},
                             .ranks = {1, 2},
                             .annotator = "ann",
                             .population = "north"});
    append(&f, &(struct row){.prompt = "q", .texts = {"A", "A"}, .ranks = {1, 2}});
    fixture_commit(&f);
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    const struct comparison_set_options options = {
        .aspect = ASPECT_NONE, .population = "north", .topic = "tea"};
    assert_fails(comparison_set_load(f.db, &options, &set, &err), ERR_DATA,
                 "none of 2 comparisons is between two different responses, of aspect '(none)', by "
                 "population 'north', on topic 'tea'",
                 &err);
    fixture_close(&f);
}

/* A damaged file is refused, not read past the end of an array. */
static void test_load__names_what_is_missing_from_the_file(void **state) {
    (void)state;
    static const struct {
        const char *sql, *expected;
    } damages[] = {
        {"UPDATE comparison SET prompt_id = 99", "prompt 99"},
        {"UPDATE comparison SET annotator_id = 99", "annotator 99"},
        {"UPDATE comparison_item SET response_id = -5 WHERE slot = 1", "response -5"},
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        struct fixture f;
        fixture_open(&f);
        append(&f, &(struct row){
                       .prompt = "q", .texts = {"A", "B"}, .ranks = {1, 2}, .annotator = "ann"});
        struct error err = ERROR_INIT;
        SCOPED(db_stmt) struct db_stmt *damage = NULL; /* while references are not checked */
        end_source(&f, 1);
        assert_ok(db_tx_commit(&f.tx, &err), &err);
        assert_ok(db_stmt_open(f.db, damages[i].sql, &damage, &err), &err);
        assert_ok(db_stmt_run(damage, &err), &err);
        SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
        assert_fails(
            comparison_set_load(f.db, &(struct comparison_set_options){.aspect = NULL}, &set, &err),
            ERR_DATA, damages[i].expected, &err);
        db_stmt_close(damage);
        damage = NULL;
        fixture_close(&f);
    }
}

static void test_load__nothing_is_an_error(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    fixture_commit(&f);
    struct error err = ERROR_INIT;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    assert_fails(
        comparison_set_load(f.db, &(struct comparison_set_options){.aspect = NULL}, &set, &err),
        ERR_DATA, "no comparisons; accord import", &err);
    fixture_close(&f);
}

static enum err_code open_and_load(void *context, struct error *err) {
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(context, DB_MODE_READ_ONLY, NULL, &db, err));
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    const struct comparison_set_options options = {.items = COMPARISON_ITEMS_ORIGINS,
                                                   .one_split = true};
    return comparison_set_load(db, &options, &set, err);
}

static enum err_code only_open(void *context, struct error *err) {
    SCOPED(db) struct db *db = NULL;
    return project_open(context, DB_MODE_READ_ONLY, NULL, &db, err);
}

static void test_load__out_of_memory(void **state) {
    char *path = scratch_path(*state, "p.db");
    struct fixture f;
    fixture_open(&f);
    char prompt[16];
    for (int i = 0; i < 20; i++) {
        snprintf(prompt, sizeof prompt, "q%d", i);
        append(&f, &(struct row){.prompt = prompt,
                                 .texts = {"A", "B"},
                                 .ranks = {1, 2},
                                 .origins = {"tiny", "huge"},
                                 .annotator = "ann"});
    }
    fixture_commit(&f);
    struct error err = ERROR_INIT;
    assert_ok(db_copy(f.db, path, &err), &err);
    fixture_close(&f);
    alloc_loop_check_after(only_open, open_and_load, path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load__pairs_rankings_and_ties),
        cmocka_unit_test(test_load__prompts_in_turn),
        cmocka_unit_test(test_load__identical_sides_are_left_out),
        cmocka_unit_test(test_load__several_aspects_must_be_chosen),
        cmocka_unit_test(test_load__one_population),
        cmocka_unit_test(test_load__splits_part_the_log),
        cmocka_unit_test(test_load__origins_as_items),
        cmocka_unit_test(test_load__responses_without_origin_are_refused),
        cmocka_unit_test(test_load__ratings_make_rankings),
        cmocka_unit_test(test_load__ratings_of_two_sources_stay_apart),
        cmocka_unit_test(test_load__ratings_of_nobody_are_averaged),
        cmocka_unit_test(test_load__labels_are_of_single_answers),
        cmocka_unit_test(test_load__says_that_there_are_labels),
        cmocka_unit_test(test_load__sets_of_items_are_training),
        cmocka_unit_test(test_load__what_names_no_aspect_can_be_chosen),
        cmocka_unit_test(test_load__says_which_filters_leave_nothing),
        cmocka_unit_test(test_load__names_what_is_missing_from_the_file),
        cmocka_unit_test(test_load__nothing_is_an_error),
        SCRATCH_TEST(test_load__out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
