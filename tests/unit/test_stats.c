/* Statistics of a project file: counts, lengths, people, ratings, and all of it together. */
#include "data/stats.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "data/preference_log.h"
#include "data/project.h"
#include "data/stats_counts.h"
#include "data/stats_ratings.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/near.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdlib.h>

/* ---- a small log ---- */

struct made {
    struct db *db;
    struct preference_log *log;
    struct db_tx tx;
    int64_t line;
};

static int setup(void **state) {
    struct made *m = calloc(1, sizeof *m);
    struct error err = ERROR_INIT;
    *state = m;
    return m && project_open(":memory:", DB_MODE_CREATE, NULL, &m->db, &err) == ERR_OK ? 0 : -1;
}

static int teardown(void **state) {
    struct made *m = *state;
    preference_log_close(m->log);
    db_tx_close(&m->tx);
    db_close(m->db);
    free(m);
    return 0;
}

static void begin_source(struct made *m, const char *path) {
    struct error err = ERROR_INIT;
    assert_ok(preference_log_open(m->db, &m->log, &err), &err);
    assert_ok(db_tx_open(m->db, &m->tx, &err), &err);
    assert_ok(preference_log_begin_source(m->log, path, "trl", "{}", 0, &err), &err);
    m->line = 0;
}

static void end_source(struct made *m, uint8_t mark) {
    struct error err = ERROR_INIT;
    const struct preference_source_summary summary = {
        .sha256.bytes[0] = mark, .bytes = 1, .rows = m->line + mark, .rejected = mark};
    assert_ok(preference_log_end_source(m->log, &summary, &err), &err);
    assert_ok(db_tx_commit(&m->tx, &err), &err);
    preference_log_close(m->log);
    m->log = NULL;
}

static void append(struct made *m, struct preference row) {
    struct error err = ERROR_INIT;
    row.line = ++m->line;
    row.weight = 1.0;
    assert_ok(preference_log_append(m->log, &row, &err), &err);
}

/* What somebody said: `better` was shown first if first > 0, last if < 0. */
struct said {
    const char *better, *worse, *annotator;
    int first;
    int64_t asked_at_ms;
};

static void compare(struct made *m, const struct said *said) {
    const int64_t first = said->first == 0 ? 0 : said->first > 0 ? 1 : 2;
    const struct preference_response sides[] = {
        {.text = text_span_of(said->better), .rank = 1, .position = first},
        {.text = text_span_of(said->worse), .rank = 2, .position = first == 0 ? 0 : 3 - first},
    };
    const char *population = NULL;
    if (said->annotator) {
        population = said->annotator[0] == 'a' ? "Ausländer" : "bakers";
    }
    append(m, (struct preference){.kind = PREFERENCE_COMPARISON,
                                  .prompt = {.kind = PROMPT_TEXT, .text = text_span_of("Tea?")},
                                  .responses = sides,
                                  .response_count = 2,
                                  .annotator = text_span_of(said->annotator),
                                  .population = text_span_of(population),
                                  .has_asked_at = said->asked_at_ms > 0,
                                  .asked_at_ms = said->asked_at_ms});
}

static void rate(struct made *m, const char *response, const char *annotator, double value) {
    const struct preference_response one = {.text = text_span_of(response)};
    append(m, (struct preference){.kind = PREFERENCE_RATING,
                                  .prompt = {.kind = PROMPT_TEXT, .text = text_span_of("Tea?")},
                                  .responses = &one,
                                  .response_count = 1,
                                  .annotator = text_span_of(annotator),
                                  .aspect = text_span_of("taste"),
                                  .value = value});
}

static void label(struct made *m, const char *response, const char *annotator, bool good) {
    const struct preference_response one = {.text = text_span_of(response)};
    append(m, (struct preference){.kind = PREFERENCE_LABEL,
                                  .prompt = {.kind = PROMPT_TEXT, .text = text_span_of("Tea?")},
                                  .responses = &one,
                                  .response_count = 1,
                                  .annotator = text_span_of(annotator),
                                  .good = good});
}

/* Prompt "Tea?" with answers "Yes", "Nö" (2 characters, 3 bytes) and "Perhaps":
 *   1 anna  Yes > Nö       shown first   at 1 s    longer
 *   2 bert  Yes > Nö       shown last    at 5 s    longer
 *   3 bea   Nö > Yes       shown first             shorter
 *   4 anna  Perhaps > Yes  shown first   at 11 s   longer
 *   5 (nobody) Yes > Perhaps                       shorter
 *   6 anna  Nö > Yes       shown last    at 14 s   shorter; she says otherwise than before
 * and in a second file: 1 bea Perhaps > Yes, shown first, longer. */
static void fill(struct made *m) {
    const struct said one[] = {
        {"Yes", "Nö", "anna", 1, 1000}, {"Yes", "Nö", "bert", -1, 5000},
        {"Nö", "Yes", "bea", 1, 0},     {"Perhaps", "Yes", "anna", 1, 11000},
        {"Yes", "Perhaps", NULL, 0, 0}, {"Nö", "Yes", "anna", -1, 14000},
    };
    const struct said two = {"Perhaps", "Yes", "bea", 1, 0};
    begin_source(m, "teas/one.jsonl");
    for (size_t i = 0; i < sizeof one / sizeof *one; i++) {
        compare(m, &one[i]);
    }
    end_source(m, 1);
    begin_source(m, "teas/two.jsonl");
    compare(m, &two);
    end_source(m, 2);
}

static void load(struct made *m, const struct comparison_set_options *options,
                 struct stats *stats) {
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    struct error err = ERROR_INIT;
    assert_ok(comparison_set_load(m->db, options, &set, &err), &err);
    assert_ok(stats_load(m->db, &set, 1, stats, &err), &err);
}

/* ---- tests ---- */

static void test_stats_counts__by_hand(void **state) {
    struct made *m = *state;
    struct error err = ERROR_INIT;
    struct stats_counts counts;
    fill(m);
    assert_ok(stats_counts_load(m->db, &counts, &err), &err);
    assert_int_equal(counts.prompts, 1);
    assert_int_equal(counts.prompts_by_kind[PROMPT_TEXT], 1);
    assert_int_equal(counts.rows[STATS_RESPONSES], 3);
    assert_int_equal(counts.rows[STATS_COMPARISONS], 7);
    assert_int_equal(counts.rows[STATS_RATINGS], 0);
    assert_int_equal(counts.rankings, 0);
    assert_int_equal(counts.annotators, 3);
    assert_int_equal(counts.populations, 2);
    assert_int_equal(counts.sources, 2);
    int64_t by_split = 0;
    for (int s = 0; s < SPLIT_COUNT; s++) {
        by_split += counts.by_split[s].rows[STATS_COMPARISONS];
        assert_int_equal(counts.by_split[s].rows[STATS_COMPARISONS],
                         7 * counts.by_split[s].prompts);
    }
    assert_int_equal(by_split, 7);
}

static void test_stats__of_all_by_hand(void **state) {
    struct made *m = *state;
    SCOPED(stats) struct stats stats = STATS_INIT;
    fill(m);
    load(m, &(struct comparison_set_options){.aspect = NULL}, &stats);
    assert_int_equal(stats.comparisons, 7);
    assert_int_equal(stats.items, 3);
    assert_int_equal(stats.prompts, 1);
    assert_near(stats.bias.first.hits, 4.0, 0.0);
    assert_near(stats.bias.first.trials, 6.0, 0.0);
    assert_near(stats.bias.longer.hits, 4.0, 0.0);
    assert_near(stats.bias.longer.trials, 7.0, 0.0);
    /* lengths 3, 2, 7 */
    assert_near(stats.bias.lengths[STATS_LENGTH_ALL].mean, 4.0, 1e-15);
    assert_near(stats.bias.lengths[STATS_LENGTH_ALL].median, 3.0, 0.0);
    /* (Yes, Nö): anna and bert against bea; (Yes, Perhaps): anna and bea agree */
    assert_int_equal(stats.agreement.units, 2);
    assert_near(stats.agreement.raw.value, 2.0 / 4.0, 1e-15);
    assert_near(stats.agreement.repeated.trials, 1.0, 0.0);
    assert_near(stats.agreement.repeated.hits, 0.0, 0.0);
}

static void test_stats_people__by_hand(void **state) {
    struct made *m = *state;
    SCOPED(stats) struct stats stats = STATS_INIT;
    fill(m);
    load(m, &(struct comparison_set_options){.aspect = NULL}, &stats);
    const struct stats_people *people = &stats.people;
    assert_int_equal(people->annotator_count, 3);
    const struct stats_annotator *anna = &people->annotators[0];
    assert_string_equal(anna->name, "anna");
    assert_string_equal(anna->population, "Ausländer");
    assert_near(anna->part.comparisons, 3.0, 0.0);
    assert_near(anna->part.first_hits, 2.0, 0.0);
    assert_near(anna->part.longer_hits, 2.0, 0.0);
    assert_near(anna->seconds_median, 6.5, 1e-12); /* gaps of 10 and 3 seconds */
    /* with bert and bea divided over (Yes, Nö), only bea on (Yes, Perhaps) says anything */
    assert_near(anna->judged, 1.0, 0.0);
    assert_near(anna->agreed, 1.0, 0.0);
    const struct stats_annotator *bea = &people->annotators[1];
    assert_string_equal(bea->name, "bea");
    assert_near(bea->judged, 2.0, 0.0);
    assert_near(bea->agreed, 1.0, 0.0);
    assert_true(isnan(bea->seconds_median));

    assert_int_equal(people->population_count, 2);
    assert_string_equal(people->populations[0].name, "Ausländer");
    assert_int_equal(people->populations[0].annotators, 1);
    assert_int_equal(people->populations[1].annotators, 2);
    assert_int_equal(people->populations[1].agreement.units, 1);
    assert_near(people->populations[1].agreement.raw.value, 0.0, 0.0);

    assert_int_equal(people->source_count, 2);
    assert_string_equal(people->sources[0].path, "teas/one.jsonl");
    assert_near(people->sources[0].part.comparisons, 6.0, 0.0);
    assert_int_equal(people->sources[1].rows, 3);
    assert_int_equal(people->sources[1].rejected, 2);
    assert_near(people->sources[1].part.longer_hits, 1.0, 0.0);
}

static void test_stats__of_one_population(void **state) {
    struct made *m = *state;
    SCOPED(stats) struct stats stats = STATS_INIT;
    fill(m);
    load(m, &(struct comparison_set_options){.population = "bakers"}, &stats);
    assert_int_equal(stats.comparisons, 3);
    assert_int_equal(stats.people.annotator_count, 2);
    assert_int_equal(stats.people.population_count, 1);
}

/* Code points, of a chat those of its messages. */
static void test_stats_lengths__are_characters(void **state) {
    struct made *m = *state;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    struct error err = ERROR_INIT;
    const struct message turns[] = {
        {.role = text_span_of("assistant"), .content = text_span_of("Tëa")},
        {.role = text_span_of("user"), .content = text_span_of("no\n\"")},
        {.role = text_span_of("assistant"), .content = text_span_of("\xf0\x9f\x8d\xb5")},
    };
    const struct preference_response sides[] = {
        {.messages = turns, .message_count = 3, .rank = 1},
        {.text = text_span_of("ab\u00fccd"), .rank = 2},
        {.text = {.bytes = "", .count = 0}, .rank = 3},
    };
    begin_source(m, "chat.jsonl");
    append(m, (struct preference){.kind = PREFERENCE_COMPARISON,
                                  .prompt = {.kind = PROMPT_TEXT, .text = text_span_of("Hm?")},
                                  .responses = sides,
                                  .response_count = 3});
    end_source(m, 1);
    assert_ok(
        comparison_set_load(m->db, &(struct comparison_set_options){.aspect = NULL}, &set, &err),
        &err);
    int64_t lengths[3];
    assert_ok(stats_lengths_load(m->db, &set, lengths, &err), &err);
    assert_int_equal(lengths[0], 3 + 4 + 1);
    assert_int_equal(lengths[1], 5);
    assert_int_equal(lengths[2], 0);
}

/* Ratings 4 2 | 1 1 | 3 by named, 5 by nobody; anna rates "Yes" again, and the 4 counts.
 *   D_o: ((4-2)^2 * 2 / 1 + 0) / 4 = 2; values 4 2 1 1: mean 2, squares 4 + 0 + 1 + 1 = 6,
 *   D_e = 2 * 6 / 3 = 4; alpha = 1/2 */
static void test_stats_ratings__by_hand(void **state) {
    struct made *m = *state;
    struct error err = ERROR_INIT;
    struct stats_ratings r;
    begin_source(m, "ratings.jsonl");
    rate(m, "Yes", "anna", 1.0);
    rate(m, "Yes", "bea", 2.0);
    rate(m, "Yes", "anna", 4.0);
    rate(m, "No", "anna", 1.0);
    rate(m, "No", "bea", 1.0);
    rate(m, "Well", "bea", 3.0);
    rate(m, "Well", NULL, 5.0);
    end_source(m, 1);
    const struct stats_ratings_options options = {.aspect = "taste", .seed = 1};
    assert_ok(stats_ratings_load(m->db, &options, &r, &err), &err);
    assert_int_equal(r.count, 7);
    assert_int_equal(r.responses, 3);
    assert_near(r.mean, 17.0 / 7.0, 1e-14);
    /* squares: 1 4 16 1 1 9 25 = 57; variance (57 - 289 / 7) / 6 */
    assert_near(r.sd, sqrt((57.0 - 289.0 / 7.0) / 6.0), 1e-14);
    assert_int_equal(r.level_count, 5);
    assert_int_equal(r.levels[0].count, 3);
    assert_near(r.levels[4].value, 5.0, 0.0);
    assert_int_equal(r.reliability.units, 2);
    assert_near(r.reliability.interval.value, 0.5, 1e-14);
    const struct stats_ratings_options other = {.aspect = NULL, .seed = 1};
    assert_ok(stats_ratings_load(m->db, &other, &r, &err), &err);
    assert_int_equal(r.count, 0);
    assert_true(isnan(r.mean));
}

static void test_stats_ratings__labels(void **state) {
    struct made *m = *state;
    struct error err = ERROR_INIT;
    struct stats_ratings r;
    begin_source(m, "labels.jsonl");
    label(m, "Yes", "anna", true);
    label(m, "Yes", "bea", true);
    label(m, "No", "anna", false);
    label(m, "No", "bea", true);
    end_source(m, 1);
    const struct stats_ratings_options options = {.labels = true, .seed = 1};
    assert_ok(stats_ratings_load(m->db, &options, &r, &err), &err);
    assert_int_equal(r.count, 4);
    assert_near(r.good.rate, 0.75, 0.0);
    /* D_o = 2 / 4, D_e = 2 * 3 * 1 / 12 = 1/2 */
    assert_near(r.reliability.interval.value, 0.0, 1e-14);
}

/* A connection of its own each time: one that stays keeps what it learns, its memory too. */
static enum err_code run_all(void *context, struct error *err) {
    SCOPED(db) struct db *db = NULL;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(stats) struct stats stats = STATS_INIT;
    struct stats_counts counts;
    struct stats_ratings ratings;
    const struct stats_ratings_options options = {.labels = true, .one_split = true, .seed = 1};
    TRY(project_open(context, DB_MODE_READ_ONLY, NULL, &db, err));
    TRY(stats_counts_load(db, &counts, err));
    TRY(comparison_set_load(db, &(struct comparison_set_options){.aspect = NULL}, &set, err));
    TRY(stats_load(db, &set, 1, &stats, err));
    return stats_ratings_load(db, &options, &ratings, err);
}

static void test_stats__out_of_memory(void **state) {
    struct made *m = *state;
    struct error err = ERROR_INIT;
    void *scratch = NULL;
    fill(m);
    begin_source(m, "labels.jsonl");
    label(m, "Yes", "anna", true);
    label(m, "Yes", "bea", true);
    end_source(m, 3);
    assert_int_equal(scratch_setup(&scratch), 0);
    char *path = scratch_path(scratch, "tea.db");
    assert_ok(db_copy(m->db, path, &err), &err);
    alloc_loop_check_tolerant(run_all, path);
    assert_int_equal(scratch_teardown(&scratch), 0);
}

#define MADE_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        MADE_TEST(test_stats_counts__by_hand),         MADE_TEST(test_stats__of_all_by_hand),
        MADE_TEST(test_stats_people__by_hand),         MADE_TEST(test_stats__of_one_population),
        MADE_TEST(test_stats_lengths__are_characters), MADE_TEST(test_stats_ratings__by_hand),
        MADE_TEST(test_stats_ratings__labels),         MADE_TEST(test_stats__out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
