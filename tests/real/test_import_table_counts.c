/* What tables, PrefLib files, Polis conversations and novels become, against counts made with
 * Python from the same files (csv.reader, int, set; tests/golden/count_tables.py). */
#include "base/file.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "data/import.h"
#include "data/project.h"
#include "tests/support/file_case.h"
#include "tests/support/real_data.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

#define NAMES_MAX 300000

struct names {
    char *names[NAMES_MAX];
    int64_t count;
};

struct counted {
    int64_t rows, responses, ties, first_wins;
    int64_t with_position, first_wins_with_position;
    double weight, margin, value;
    int64_t works, work_bytes;
    struct names annotators, populations, items;
};

static void add_name(struct names *names, const struct text_span *name) {
    if (text_span_is_set(name)) {
        assert_true(names->count < NAMES_MAX);
        names->names[names->count] = mem_strndup(name->bytes, name->count);
        assert_non_null(names->names[names->count]);
        names->count++;
    }
}

static int compare_names(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* How many are different; none is left. */
static int64_t take_distinct(struct names *names) {
    int64_t distinct = 0;
    qsort(names->names, (size_t)names->count, sizeof names->names[0], compare_names);
    for (int64_t i = 0; i < names->count; i++) {
        distinct += i == 0 || strcmp(names->names[i], names->names[i - 1]) != 0;
    }
    for (int64_t i = 0; i < names->count; i++) {
        mem_free(names->names[i]);
    }
    names->count = 0;
    return distinct;
}

static void count_row(void *context, const struct preference *row) {
    struct counted *counted = context;
    counted->rows++;
    counted->responses += row->response_count;
    counted->weight += row->weight;
    counted->margin += row->margin;
    counted->value += row->value;
    add_name(&counted->annotators, &row->annotator);
    add_name(&counted->populations, &row->population);
    if (row->kind != PREFERENCE_COMPARISON) {
        return;
    }
    bool has_position = row->responses[0].position == 1 && row->responses[1].position == 2;
    int64_t distinct = 0;
    for (int64_t i = 0; i < row->response_count; i++) {
        bool repeats = i > 0 && row->responses[i].rank == row->responses[i - 1].rank;
        distinct += !repeats;
        add_name(&counted->items, &row->responses[i].text);
    }
    counted->ties += distinct < row->response_count;
    counted->with_position += has_position;
    counted->first_wins += row->responses[0].rank < row->responses[1].rank;
    counted->first_wins_with_position +=
        has_position && row->responses[0].rank < row->responses[1].rank;
}

static void count_work(void *context, const struct preference_work *work) {
    struct counted *counted = context;
    counted->works++;
    counted->work_bytes += (int64_t)work->text.count;
    add_name(&counted->annotators, &work->owner);
}

static struct counted *new_counted(void) {
    struct counted *counted = mem_array_zero(1, sizeof *counted);
    assert_non_null(counted);
    return counted;
}

static void free_counted(struct counted *counted) {
    (void)take_distinct(&counted->annotators);
    (void)take_distinct(&counted->populations);
    (void)take_distinct(&counted->items);
    mem_free(counted);
}

static enum err_code run(const struct import_format *format, const struct import_settings *settings,
                         struct counted *counted, struct strbuf *notes, struct error *err) {
    const struct file_case run = {.format = format,
                                  .settings = settings,
                                  .notes = notes,
                                  .on_row = count_row,
                                  .on_work = count_work,
                                  .context = counted};
    return file_case_run(&run, err);
}

/* A copy: real_data_or_skip has room for one path. */
static char *real_path(const char *relative) {
    char *path = mem_strdup(real_data_or_skip(relative));
    assert_non_null(path);
    return path;
}

static struct counted *count_file(const struct import_format *format, const char *relative,
                                  struct strbuf *notes) {
    SCOPED(mem) char *path = real_path(relative);
    const struct import_settings settings = {.path = path};
    struct counted *counted = new_counted();
    struct error err = ERROR_INIT;
    assert_ok(run(format, &settings, counted, notes, &err), &err);
    return counted;
}

static void test_football__matches_ties_and_neutral_grounds(void **state) {
    (void)state;
    struct counted *c = count_file(&import_table, "football-international/results.csv", NULL);
    assert_int_equal(c->rows, 49520);
    assert_int_equal(c->ties, 11258);
    assert_int_equal(c->with_position, 49520 - 13156);
    assert_int_equal(c->first_wins, 24265);
    assert_int_equal(c->first_wins_with_position, 18454);
    assert_true(c->margin == 85042.0);
    assert_int_equal(take_distinct(&c->items), 337);
    free_counted(c);
}

static void test_classics__counts_and_weights(void **state) {
    (void)state;
    struct counted *c = count_file(&import_table, "item-only-classic/beach_preferences.csv", NULL);
    assert_int_equal(c->rows, 1442);
    assert_int_equal(take_distinct(&c->annotators), 60);
    assert_int_equal(take_distinct(&c->items), 15);
    free_counted(c);

    c = count_file(&import_table, "item-only-classic/pudding_ties.csv", NULL);
    assert_int_equal(c->rows, 45);
    assert_int_equal(c->ties, 15);
    assert_true(c->weight == 745.0);
    assert_int_equal(take_distinct(&c->items), 6);
    free_counted(c);

    c = count_file(&import_table, "item-only-classic/baseball_1987.csv", NULL);
    assert_int_equal(c->rows, 80);
    assert_int_equal(c->with_position, 80);
    assert_true(c->weight == 273.0);
    assert_int_equal(take_distinct(&c->items), 7);
    free_counted(c);

    SCOPED(strbuf) struct strbuf notes = STRBUF_INIT(4096);
    c = count_file(&import_table, "item-only-classic/citations.csv", &notes);
    assert_int_equal(c->rows, 12);
    assert_true(c->weight == 3727.0);
    assert_int_equal(take_distinct(&c->items), 4);
    assert_non_null(strstr(strbuf_text(&notes), "4 counts of an item against itself left out"));
    free_counted(c);
}

static void test_nascar__races_by_number_and_by_name(void **state) {
    (void)state;
    struct counted *c =
        count_file(&import_table, "item-only-classic/nascar2002_orderings.csv", NULL);
    assert_int_equal(c->rows, 36);
    assert_int_equal(c->responses, 36 * 43);
    assert_int_equal(take_distinct(&c->items), 87);
    free_counted(c);

    SCOPED(mem) char *path = real_path("item-only-classic/nascar2002_orderings.csv");
    SCOPED(mem) char *names = real_path("item-only-classic/nascar2002_drivers.csv");
    const struct import_settings settings = {.path = path, .texts = names};
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT((size_t)1 << 20);
    struct error err = ERROR_INIT;
    const struct file_case one = {.format = &import_table, .settings = &settings, .out = &out};
    assert_ok(file_case_run(&one, &err), &err);
    const char *start = "2 comparison {nascar2002_orderings} | 1 'Ward Burton' | 2 ";
    assert_memory_equal(strbuf_text(&out), start, strlen(start));
    assert_non_null(strstr(strbuf_text(&out), "| 43 'Tony Stewart'\n3 comparison"));
}

static void test_preflib__every_file(void **state) {
    (void)state;
    static const struct {
        const char *path;
        int64_t rows, weight, responses, ties;
        const char *note;
    } files[] = {
        {"item-only-classic/preflib_cities.soi", 372, 392, 2232, 0, ""},
        {"item-only-classic/preflib_education_qualities.toi", 14, 14, 39, 2,
         "1 orders of one alternative left out: they compare nothing\n"},
        {"item-only-classic/preflib_netflix.soc", 24, 588, 96, 0, ""},
        {"item-only-classic/preflib_skaters.toc", 9, 9, 270, 3, ""},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        SCOPED(strbuf) struct strbuf notes = STRBUF_INIT(4096);
        struct counted *c = count_file(&import_preflib, files[i].path, &notes);
        assert_int_equal(c->rows, files[i].rows);
        assert_true(c->weight == (double)files[i].weight);
        assert_int_equal(c->responses, files[i].responses);
        assert_int_equal(c->ties, files[i].ties);
        assert_string_equal(strbuf_text(&notes), files[i].note);
        free_counted(c);
    }
}

/* Two files were edited by hand, and it shows: of one the sums no longer hold, of the other an
 * alternative has lost its name. */
static void test_preflib__edited_files_are_refused(void **state) {
    (void)state;
    SCOPED(mem) char *cut = real_path("item-only-classic/preflib_education_courses.soi");
    SCOPED(mem) char *unnamed = real_path("item-only-classic/preflib_education_courses.toi");
    struct import_settings settings = {.path = cut};
    struct counted *c = new_counted();
    struct error err = ERROR_INIT;
    assert_fails(run(&import_preflib, &settings, c, NULL, &err), ERR_DATA,
                 "NUMBER VOTERS is 14, but the file holds 12", &err);
    settings.path = unnamed;
    assert_fails(run(&import_preflib, &settings, c, NULL, &err), ERR_DATA,
                 ":28:18: expected an alternative that the header names, found '12'", &err);
    free_counted(c);
}

/* Of the same two, as a user would import them: of 11 orders (12 voters) none is lost to the sums,
 * of 15 the one that names the lost alternative, which explains why no sums can hold. */
static void test_preflib__edited_files_are_kept_but_for_what_is_wrong(void **state) {
    static const struct {
        const char *path, *reason;
        int64_t comparisons, voters;
    } files[] = {
        {"item-only-classic/preflib_education_courses.soi",
         "\"reason\":\"NUMBER VOTERS is 14, but the file holds 12", 11, 12},
        {"item-only-classic/preflib_education_courses.toi",
         "\"line\":28,\"column\":18,\"reason\":\"expected an alternative that the header names", 14,
         14},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct error err = ERROR_INIT;
        SCOPED(mem) char *path = real_path(files[i].path);
        SCOPED(mem) char *bad = mem_strdup(scratch_path(*state, "bad.jsonl"));
        SCOPED(db) struct db *db = NULL;
        assert_ok(project_open(":memory:", DB_MODE_CREATE, NULL, &db, &err), &err);
        const char *const paths[] = {path};
        const struct import_options options = {.paths = paths, .path_count = 1, .skip_bad = bad};
        SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
        assert_ok(import_files(db, &options, &report, &err), &err);
        assert_int_equal(report.files[0].made[PREFERENCE_COMPARISON], files[i].comparisons);
        assert_int_equal(report.files[0].rejected, 1);
        int64_t voters = 0;
        assert_ok(
            db_query_i64(db, "SELECT CAST(sum(weight) AS INTEGER) FROM comparison", &voters, &err),
            &err);
        assert_int_equal(voters, files[i].voters);
        const char *rejected = scratch_read(*state, "bad.jsonl");
        assert_non_null(strstr(rejected, files[i].reason));
        assert_ptr_equal(strchr(rejected, '\n'), rejected + strlen(rejected) - 1); /* one line */
    }
}

static void test_polis__every_conversation(void **state) {
    (void)state;
    static const struct {
        const char *folder;
        int64_t votes, agree_minus_disagree, participants;
    } conversations[] = {
        {"15-per-hour-seattle", 2872, 1358 - 922, 339},
        {"american-assembly.bowling-green", 225524, 109752 - 38647, 2031},
        {"brexit-consensus", 5303, 2685 - 1952, 204},
        {"canadian-electoral-reform", 11950, 7205 - 2831, 448},
        {"football-concussions", 14328, 6637 - 4227, 1487},
        {"scoop-hivemind.affordable-housing", 14995, 8041 - 4549, 381},
        {"scoop-hivemind.biodiversity", 29719, 19229 - 5472, 536},
        {"vtaiwan.uberx", 49443, 31029 - 11894, 1921},
    };
    for (size_t i = 0; i < sizeof conversations / sizeof conversations[0]; i++) {
        char relative[256];
        snprintf(relative, sizeof relative, "polis-opendata/%s/participants-votes.csv",
                 conversations[i].folder);
        SCOPED(strbuf) struct strbuf notes = STRBUF_INIT(4096);
        SCOPED(mem) char *path = real_path(relative);
        const struct import_settings settings = {.path = path};
        struct counted *c = new_counted();
        struct error err = ERROR_INIT;
        assert_ok(run(&import_polis, &settings, c, &notes, &err), &err);
        assert_int_equal(c->rows, conversations[i].votes);
        assert_true(c->value == (double)conversations[i].agree_minus_disagree);
        assert_null(strstr(strbuf_text(&notes), "left out"));
        assert_null(strstr(strbuf_text(&notes), "n-votes"));
        assert_int_equal(take_distinct(&c->populations), 2);
        assert_int_equal(take_distinct(&c->annotators), conversations[i].participants);
        free_counted(c);
    }
}

static void test_ukp__votes_by_worker(void **state) {
    (void)state;
    SCOPED(mem) char *path = real_path("ukpconvarg1/pairs_votes.tsv");
    SCOPED(mem) char *texts = real_path("ukpconvarg1/args.jsonl");
    const struct import_settings settings = {.path = path, .texts = texts};
    struct counted *c = new_counted();
    struct error err = ERROR_INIT;
    assert_ok(run(&import_table, &settings, c, NULL, &err), &err);
    assert_int_equal(c->rows, 84445);
    assert_int_equal(c->ties, 19105);
    assert_int_equal(c->first_wins, 32849);
    assert_int_equal(c->with_position, 84445);
    assert_int_equal(take_distinct(&c->annotators), 3815);
    free_counted(c);
}

static void test_ukp__strict_pairs_of_a_debate(void **state) {
    (void)state;
    struct counted *c = count_file(&import_table,
                                   "ukpconvarg1/UKPConvArg1Strict-CSV/"
                                   "ban-plastic-water-bottles_no-bad-for-the-economy.csv",
                                   NULL);
    assert_int_equal(c->rows, 288);
    assert_int_equal(c->first_wins, 137);
    free_counted(c);
}

/* The manifest lies in a folder of its own and names the novels by their paths. */
static void test_novels__by_a_manifest(void **state) {
    struct scratch *scratch = *state;
    static const char *const novels[] = {
        "Burnett_Garden_1911",  "Chesterton_Napoleon_1904", "Chesterton_Thursday_1908",
        "Conrad_Almayer_1895",  "Dickens_Oliver_1839",      "Doyle_Hound_1902",
        "Doyle_Lost_1912",      "Haggard_Mines_1885",       "Kipling_Captains_1896",
        "Lee_Brown_1884",       "Morris_Wood_1894",         "Schreiner_Trooper_1897",
        "Stevenson_Arrow_1888", "Stevenson_Treasure_1883",  "Ward_Milly_1881",
        "Woolf_Lighthouse_1927"};
    SCOPED(mem) char *folder = real_path("novels");
    SCOPED(strbuf) struct strbuf manifest = STRBUF_INIT(65536);
    strbuf_add(&manifest, "owner,path,licence\n");
    for (size_t i = 0; i < sizeof novels / sizeof novels[0]; i++) {
        strbuf_addf(&manifest, "%.*s,%s/%s.txt,PD\n", (int)strcspn(novels[i], "_"), novels[i],
                    folder, novels[i]);
    }
    scratch_write(scratch, "manifest.csv", strbuf_text(&manifest));
    const struct import_settings settings = {.path = scratch_path(scratch, "manifest.csv")};
    struct counted *c = new_counted();
    struct error err = ERROR_INIT;
    assert_ok(run(&import_works_table, &settings, c, NULL, &err), &err);
    assert_int_equal(c->works, 16);
    assert_int_equal(c->work_bytes, 5947541);
    assert_int_equal(take_distinct(&c->annotators), 13);
    free_counted(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_football__matches_ties_and_neutral_grounds),
        cmocka_unit_test(test_classics__counts_and_weights),
        cmocka_unit_test(test_nascar__races_by_number_and_by_name),
        cmocka_unit_test(test_preflib__every_file),
        cmocka_unit_test(test_preflib__edited_files_are_refused),
        SCRATCH_TEST(test_preflib__edited_files_are_kept_but_for_what_is_wrong),
        cmocka_unit_test(test_polis__every_conversation),
        cmocka_unit_test(test_ukp__votes_by_worker),
        cmocka_unit_test(test_ukp__strict_pairs_of_a_debate),
        SCRATCH_TEST(test_novels__by_a_manifest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
