#include "data/export.h"

#include "base/file.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/import.h"
#include "data/preference_log.h"
#include "data/project.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/log_sample.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <fcntl.h>

#define TEXT_BYTES_MAX (16 * MIB)

/* ---- writing a log of few rows, and its export ---- */

static enum err_code collect(void *context, const char *bytes, size_t count, struct error *err) {
    struct strbuf *text = context;
    strbuf_add_bytes(text, bytes, count);
    return strbuf_check(text, "the export", err);
}

static struct export_summary must_export(struct db *db, const struct export_options *options,
                                         struct strbuf *out) {
    struct error err = ERROR_INIT;
    struct export_summary summary = {.rows = -1};
    strbuf_reset(out);
    assert_ok(export_log(db, options, &(struct export_sink){collect, out}, &summary, &err), &err);
    return summary;
}

static struct db *new_project(const char *path) {
    struct error err = ERROR_INIT;
    struct db *db = NULL;
    assert_ok(project_open(path, DB_MODE_CREATE, NULL, &db, &err), &err);
    return db;
}

static void check_json(const struct preference *row, const char *expected) {
    SCOPED(db) struct db *db = new_project(":memory:");
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES_MAX);
    struct preference copy = *row;
    copy.line = 1;
    copy.weight = copy.weight == 0.0 ? 1.0 : copy.weight;
    log_sample_append(db, &(struct log_sample){.rows = &copy, .count = 1});
    struct export_summary summary = must_export(db, &(struct export_options){0}, &text);
    assert_string_equal(strbuf_text(&text), expected);
    assert_int_equal(summary.rows, 1);
}

#define TEXT(literal) \
    { .bytes = (literal), .count = sizeof(literal) - 1 }

static const struct message user = {TEXT("user"), TEXT("Hi \"you\"\n")};
static const struct message turns[] = {
    {TEXT("assistant"), TEXT("a")}, {TEXT("user"), TEXT("b")}, {TEXT("assistant"), TEXT("c")}};

/* ---- JSON lines ---- */

static void test_json__pair_is_chosen_and_rejected(void **state) {
    (void)state;
    const struct preference_response sides[] = {
        {.text = TEXT("coffee"), .rank = 2, .position = 1, .origin = TEXT("m1")},
        {.text = TEXT("tea"), .rank = 1, .position = 2}};
    check_json(&(struct preference){.prompt = {.text = TEXT("What?"), .topic = TEXT("drinks")},
                                    .responses = sides,
                                    .response_count = 2,
                                    .annotator = TEXT("ann"),
                                    .population = TEXT("uk"),
                                    .aspect = TEXT("taste"),
                                    .weight = 2.5,
                                    .has_margin = true,
                                    .margin = 0.1,
                                    .has_asked_at = true,
                                    .asked_at_ms = 1700000000000},
               "{\"judgement\":\"comparison\",\"prompt\":\"What?\",\"topic\":\"drinks\","
               "\"chosen\":\"tea\",\"rejected\":\"coffee\",\"rejected_origin\":\"m1\","
               "\"chosen_position\":2,\"rejected_position\":1,\"rejected_first\":true,"
               "\"margin\":0.1,\"aspect\":\"taste\",\"annotator\":\"ann\",\"population\":\"uk\","
               "\"weight\":2.5,\"asked_at\":1700000000000}\n");
}

static void test_json__beside_messages_an_answer_is_messages(void **state) {
    (void)state;
    const struct preference_response sides[] = {{.text = TEXT("x"), .rank = 1},
                                                {.messages = turns, .message_count = 3, .rank = 2}};
    check_json(
        &(struct preference){.prompt = {.kind = PROMPT_CHAT, .messages = &user, .message_count = 1},
                             .responses = sides,
                             .response_count = 2},
        "{\"judgement\":\"comparison\","
        "\"prompt\":[{\"role\":\"user\",\"content\":\"Hi \\\"you\\\"\\n\"}],"
        "\"chosen\":[{\"role\":\"assistant\",\"content\":\"x\"}],"
        "\"rejected\":[{\"role\":\"assistant\",\"content\":\"a\"},"
        "{\"role\":\"user\",\"content\":\"b\"},{\"role\":\"assistant\",\"content\":\"c\"}]}"
        "\n");
}

/* What TRL has no columns for: ties, rankings, items, messages that answer a text. */
static void test_json__everything_else_is_a_list_of_responses(void **state) {
    (void)state;
    const struct preference_response tie[] = {{.text = TEXT("a"), .rank = 1},
                                              {.text = TEXT("b"), .rank = 1}};
    check_json(
        &(struct preference){.prompt.text = TEXT("?"), .responses = tie, .response_count = 2},
        "{\"judgement\":\"comparison\",\"prompt\":\"?\",\"responses\":"
        "[{\"text\":\"a\",\"rank\":1},{\"text\":\"b\",\"rank\":1}]}\n");
    const struct preference_response three[] = {
        {.text = TEXT("a"), .rank = 1, .position = 3},
        {.text = TEXT("b"), .rank = 3},
        {.text = TEXT("c"), .rank = 3, .origin = TEXT("m")}};
    check_json(&(struct preference){.prompt = {.kind = PROMPT_ITEMS, .text = TEXT("set")},
                                    .responses = three,
                                    .response_count = 3,
                                    .last_unordered = true},
               "{\"judgement\":\"comparison\",\"items\":\"set\",\"responses\":"
               "[{\"text\":\"a\",\"rank\":1,\"position\":3},{\"text\":\"b\",\"rank\":3},"
               "{\"text\":\"c\",\"origin\":\"m\",\"rank\":3}],\"last_unordered\":true}\n");
    const struct preference_response mixed[] = {{.text = TEXT("a"), .rank = 1},
                                                {.messages = turns, .message_count = 3, .rank = 2}};
    check_json(
        &(struct preference){.prompt.text = TEXT("?"), .responses = mixed, .response_count = 2},
        "{\"judgement\":\"comparison\",\"prompt\":\"?\",\"responses\":[{\"text\":\"a\",\"rank\":1},"
        "{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\"},"
        "{\"role\":\"user\",\"content\":\"b\"},{\"role\":\"assistant\",\"content\":\"c\"}],"
        "\"rank\":2}]}\n");
}

static void test_json__single_responses_and_prompts(void **state) {
    (void)state;
    const struct preference_response one = {.text = TEXT("tea"), .origin = TEXT("m")};
    struct preference row = {.kind = PREFERENCE_RATING,
                             .prompt.text = TEXT("?"),
                             .responses = &one,
                             .response_count = 1,
                             .value = 3.5,
                             .has_scale = true,
                             .scale_low = 1,
                             .scale_high = 5};
    check_json(&row, "{\"judgement\":\"rating\",\"prompt\":\"?\",\"response\":\"tea\","
                     "\"origin\":\"m\",\"rating\":3.5,\"low\":1,\"high\":5}\n");
    row.kind = PREFERENCE_LABEL;
    check_json(&row, "{\"judgement\":\"label\",\"prompt\":\"?\",\"completion\":\"tea\","
                     "\"origin\":\"m\",\"label\":false}\n");
    row.kind = PREFERENCE_DEMONSTRATION;
    check_json(&row, "{\"judgement\":\"demonstration\",\"prompt\":\"?\",\"completion\":\"tea\","
                     "\"origin\":\"m\"}\n");
    row.kind = PREFERENCE_PROMPT;
    row.response_count = 0;
    check_json(&row, "{\"judgement\":\"prompt\",\"prompt\":\"?\"}\n");
}

/* ---- tables ---- */

static void check_csv(const struct preference *rows, int64_t count, enum preference_kind kind,
                      const char *expected) {
    SCOPED(db) struct db *db = new_project(":memory:");
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES_MAX);
    struct preference copies[4];
    for (int64_t i = 0; i < count; i++) {
        copies[i] = rows[i];
        copies[i].line = i + 1;
        copies[i].weight = 1.0;
    }
    log_sample_append(db, &(struct log_sample){.rows = copies, .count = count});
    (void)must_export(
        db, &(struct export_options){.layout = EXPORT_CSV, .filter.kinds = 1U << kind}, &text);
    assert_string_equal(strbuf_text(&text), expected);
}

static void test_csv__two_texts_in_the_order_shown(void **state) {
    (void)state;
    const struct preference_response known[] = {
        {.text = TEXT("a, \"b\""), .rank = 1, .position = 2},
        {.text = TEXT("c\nd"), .rank = 2, .position = 1}};
    const struct preference_response unknown[] = {{.text = TEXT("e"), .rank = 1},
                                                  {.text = TEXT(""), .rank = 1}};
    const struct preference rows[] = {{.prompt.text = TEXT("?"),
                                       .responses = known,
                                       .response_count = 2,
                                       .has_asked_at = true,
                                       .asked_at_ms = 1700000000123,
                                       .annotator = TEXT("ann")},
                                      {.prompt = {.text = TEXT("?"), .topic = TEXT("t")},
                                       .responses = unknown,
                                       .response_count = 2,
                                       .has_margin = true,
                                       .margin = -1.5}};
    check_csv(rows, 2, PREFERENCE_COMPARISON,
              "prompt,response_a,response_b,winner,origin_a,origin_b,margin,topic,aspect,annotator,"
              "population,weight,time\n"
              "?,\"c\nd\",\"a, \"\"b\"\"\",b,,,,t,,ann,,1,2023-11-14T22:13:20.123Z\n"
              "?,e,,tie,,,-1.5,t,,,,1,\n");
}

static void test_csv__two_items_and_whether_the_ground_was_neutral(void **state) {
    (void)state;
    const struct preference_response known[] = {
        {.text = TEXT("Scotland"), .rank = 2, .position = 1},
        {.text = TEXT("England"), .rank = 1, .position = 2}};
    const struct preference_response unknown[] = {{.text = TEXT("Wales"), .rank = 1},
                                                  {.text = TEXT("England"), .rank = 2}};
    const struct preference_prompt set = {.kind = PROMPT_ITEMS, .text = TEXT("football")};
    const struct preference rows[] = {{.prompt = set, .responses = known, .response_count = 2},
                                      {.prompt = set, .responses = unknown, .response_count = 2}};
    check_csv(rows, 2, PREFERENCE_COMPARISON,
              "home,away,winner,neutral,margin,item_set,topic,aspect,annotator,population,weight,"
              "time\nScotland,England,away,0,,football,,,,,1,\n"
              "Wales,England,home,1,,football,,,,,1,\n");
}

static void test_csv__rankings_have_a_line_a_response(void **state) {
    (void)state;
    const struct preference_response three[] = {{.text = TEXT("a"), .rank = 1, .position = 3},
                                                {.text = TEXT("b"), .rank = 2, .position = 1},
                                                {.text = TEXT("c"), .rank = 2, .position = 2}};
    const struct preference rows[] = {
        {.prompt.text = TEXT("?"), .responses = three, .response_count = 3}};
    check_csv(
        rows, 1, PREFERENCE_COMPARISON,
        "ranking_id,prompt,completion,rank,position_shown,origin,margin,topic,aspect,annotator,"
        "population,weight,time\n"
        "1,?,a,1,3,,,,,,,1,\n"
        "1,?,b,2,1,,,,,,,1,\n"
        "1,?,c,2,2,,,,,,,1,\n");
}

static void test_csv__other_kinds(void **state) {
    (void)state;
    const struct preference_response one = {.text = TEXT("tea")};
    struct preference row = {.kind = PREFERENCE_RATING,
                             .prompt.text = TEXT("?"),
                             .responses = &one,
                             .response_count = 1,
                             .value = 3.5};
    check_csv(&row, 1, PREFERENCE_RATING,
              "prompt,completion,rating,scale_low,scale_high,origin,topic,aspect,annotator,"
              "population,weight,time\n?,tea,3.5,,,,,,,,1,\n");
    row.kind = PREFERENCE_LABEL;
    row.good = true;
    check_csv(&row, 1, PREFERENCE_LABEL,
              "prompt,completion,label,origin,topic,aspect,annotator,population,weight,time\n"
              "?,tea,true,,,,,,1,\n");
    row.kind = PREFERENCE_PROMPT;
    row.response_count = 0;
    check_csv(&row, 1, PREFERENCE_PROMPT,
              "prompt,topic,aspect,annotator,population,weight,time\n?,,,,,1,\n");
}

static void check_csv_refused(const struct preference *rows, int64_t count, const char *part) {
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = new_project(":memory:");
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES_MAX);
    struct preference copies[2];
    for (int64_t i = 0; i < count; i++) {
        copies[i] = rows[i];
        copies[i].line = i + 1;
        copies[i].weight = 1.0;
    }
    log_sample_append(db, &(struct log_sample){.rows = copies, .count = count});
    const struct export_options options = {.layout = EXPORT_CSV, .filter.kinds = 1};
    struct export_summary summary;
    assert_fails(export_log(db, &options, &(struct export_sink){collect, &text}, &summary, &err),
                 ERR_DATA, part, &err);
    assert_int_equal(text.length, 0);
}

static void test_csv__refuses_what_a_table_cannot_hold(void **state) {
    (void)state;
    const struct preference_response two[] = {{.text = TEXT("a"), .rank = 1},
                                              {.text = TEXT("b"), .rank = 2}};
    const struct preference_response chat[] = {{.text = TEXT("a"), .rank = 1},
                                               {.messages = turns, .message_count = 3, .rank = 2}};
    const struct preference text = {
        .prompt.text = TEXT("?"), .responses = two, .response_count = 2};
    const struct preference items = {
        .prompt = {.kind = PROMPT_ITEMS, .text = TEXT("s")}, .responses = two, .response_count = 2};
    struct preference row = text;
    row.prompt =
        (struct preference_prompt){.kind = PROMPT_CHAT, .messages = &user, .message_count = 1};
    check_csv_refused(&row, 1, "prompts that are lists of messages: use the layout 'trl'");
    row = text;
    row.responses = chat;
    check_csv_refused(&row, 1, "responses that are lists of messages");
    row = text;
    row.last_unordered = true;
    check_csv_refused(&row, 1, "responses that were not compared");
    const struct preference both[] = {text, items};
    check_csv_refused(both, 2, "both texts and items of sets");
}

static void test_csv__needs_one_kind(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct export_summary summary;
    SCOPED(db) struct db *db = new_project(":memory:");
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES_MAX);
    assert_fails(export_log(db, &(struct export_options){.layout = EXPORT_CSV},
                            &(struct export_sink){collect, &text}, &summary, &err),
                 ERR_USAGE, "a table holds judgements of one kind", &err);
}

/* ---- there and back ---- */

static void write_file(const char *path, const struct strbuf *text) {
    struct error err = ERROR_INIT;
    SCOPED(file_fd) int fd = -1;
    assert_ok(file_open(path, O_WRONLY | O_CREAT | O_TRUNC, &fd, &err), &err);
    assert_ok(file_write(fd, path, strbuf_text(text), text->length, &err), &err);
}

static void must_import(struct db *db, const char *path, const struct import_settings *settings) {
    struct error err = ERROR_INIT;
    const char *const paths[] = {path};
    SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
    struct import_options options = {.paths = paths, .path_count = 1, .now_ms = 1};
    if (settings) {
        options.settings = *settings;
    }
    assert_ok(import_files(db, &options, &report, &err), &err);
}

/* Both logs hold the same rows in the same order. Returns how many. */
static int64_t check_same_logs(struct db *left, struct db *right) {
    struct error err = ERROR_INIT;
    SCOPED(preference_reader) struct preference_reader *a = NULL;
    SCOPED(preference_reader) struct preference_reader *b = NULL;
    assert_ok(preference_reader_open(left, &(struct preference_filter){0}, &a, &err), &err);
    assert_ok(preference_reader_open(right, &(struct preference_filter){0}, &b, &err), &err);
    for (int64_t count = 0;; count++) {
        struct preference_record one;
        struct preference_record two;
        bool has_one = false;
        bool has_two = false;
        assert_ok(preference_reader_next(a, &one, &has_one, &err), &err);
        assert_ok(preference_reader_next(b, &two, &has_two, &err), &err);
        assert_int_equal(has_one, has_two);
        if (!has_one) {
            return count;
        }
        assert_preference_equal(&two.row, &one.row);
        assert_memory_equal(one.prompt_hash.bytes, two.prompt_hash.bytes, HASH_KEY_BYTES);
    }
}

static void test_json__import_of_an_export_is_the_same_log(void **state) {
    const char *path = scratch_path(*state, "export.jsonl");
    SCOPED(strbuf) struct strbuf first = STRBUF_INIT(TEXT_BYTES_MAX);
    SCOPED(strbuf) struct strbuf second = STRBUF_INIT(TEXT_BYTES_MAX);
    for (uint64_t seed = 100; seed < 125; seed++) {
        SCOPED(log_sample) struct log_sample sample = LOG_SAMPLE_INIT;
        SCOPED(db) struct db *db = new_project(":memory:");
        SCOPED(db) struct db *again = new_project(":memory:");
        log_sample_fill(&sample, seed, 120);
        log_sample_append(db, &sample);
        (void)must_export(db, &(struct export_options){0}, &first);
        write_file(path, &first);
        must_import(again, path, NULL);
        assert_int_equal(check_same_logs(db, again), 120);
        (void)must_export(again, &(struct export_options){0}, &second);
        assert_string_equal(strbuf_text(&second), strbuf_text(&first));
    }
}

static bool fits_text_table(const struct preference *row) {
    return row->kind == PREFERENCE_COMPARISON && row->prompt.kind == PROMPT_TEXT &&
           row->response_count == 2 && !row->last_unordered &&
           row->responses[0].message_count == 0 && row->responses[1].message_count == 0 &&
           row->responses[0].position == 1 && row->responses[0].rank < 3 &&
           row->responses[1].rank < 3 &&
           (row->responses[0].rank == 1 || row->responses[1].rank == 1);
}

/* Texts that the table's reader takes as they are; what it trims or unifies is left out. */
static bool is_tame(const struct preference *row) {
    const struct text_span *texts[] = {&row->prompt.text, &row->responses[0].text,
                                       &row->responses[1].text};
    for (size_t i = 0; i < 3; i++) {
        if (texts[i]->count == 0) {
            return false;
        }
    }
    return true;
}

static void test_csv__import_of_an_export_is_the_same_log(void **state) {
    const char *path = scratch_path(*state, "export.csv");
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES_MAX);
    int64_t total = 0;
    for (uint64_t seed = 200; seed < 210; seed++) {
        SCOPED(log_sample) struct log_sample sample = LOG_SAMPLE_INIT;
        SCOPED(db) struct db *db = new_project(":memory:");
        SCOPED(db) struct db *again = new_project(":memory:");
        log_sample_fill(&sample, seed, 2000);
        int64_t kept = 0;
        for (int64_t i = 0; i < sample.count; i++) {
            if (fits_text_table(&sample.rows[i]) && is_tame(&sample.rows[i])) {
                sample.rows[kept] = sample.rows[i];
                sample.rows[kept].prompt.topic = text_span_of("a topic"); /* else the file's name */
                kept++;
            }
        }
        sample.count = kept;
        log_sample_append(db, &sample);
        const struct export_options options = {.layout = EXPORT_CSV,
                                               .filter.kinds = 1U << PREFERENCE_COMPARISON};
        (void)must_export(db, &options, &text);
        write_file(path, &text);
        must_import(again, path, NULL);
        total += check_same_logs(db, again);
    }
    assert_true(total > 100);
}

static void test_works__import_of_an_export_is_the_same(void **state) {
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf first = STRBUF_INIT(TEXT_BYTES_MAX);
    SCOPED(strbuf) struct strbuf second = STRBUF_INIT(TEXT_BYTES_MAX);
    SCOPED(db) struct db *db = new_project(":memory:");
    const struct preference_work works[] = {
        {.line = 1,
         .owner = TEXT("Ann \"A\""),
         .payee_ref = TEXT("IBAN 7"),
         .cluster = TEXT("c"),
         .title = TEXT("Tea"),
         .licence = TEXT("CC0-1.0"),
         .text = TEXT("A poem,\nof \"two\" lines"),
         .has_opt_out = true,
         .opt_out_at_ms = 1700000000123},
        {.line = 2, .owner = TEXT("Bob"), .title = TEXT("Mine"), .text = TEXT("x")}};
    {
        SCOPED(preference_log) struct preference_log *log = NULL;
        assert_ok(preference_log_open(db, &log, &err), &err);
        assert_ok(preference_log_begin_source(log, "a", "b", "{}", 1, &err), &err);
        assert_ok(preference_log_append_work(log, &works[0], &err), &err);
        assert_ok(preference_log_append_work(log, &works[1], &err), &err);
    }
    for (int layout = 0; layout < EXPORT_LAYOUT_COUNT; layout++) {
        const struct export_options options = {.layout = (enum export_layout)layout};
        const char *path = scratch_path(*state, layout == EXPORT_CSV ? "w.csv" : "w.jsonl");
        struct export_summary summary;
        SCOPED(db) struct db *again = new_project(":memory:");
        strbuf_reset(&first);
        strbuf_reset(&second);
        assert_ok(
            export_works(db, &options, &(struct export_sink){collect, &first}, &summary, &err),
            &err);
        assert_int_equal(summary.rows, 2);
        write_file(path, &first);
        must_import(again, path, NULL);
        assert_ok(
            export_works(again, &options, &(struct export_sink){collect, &second}, &summary, &err),
            &err);
        assert_string_equal(strbuf_text(&second), strbuf_text(&first));
    }
}

/* ---- filters and failures ---- */

static void test_pairs_only__leaves_out_and_counts_the_rest(void **state) {
    (void)state;
    SCOPED(log_sample) struct log_sample sample = LOG_SAMPLE_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES_MAX);
    SCOPED(db) struct db *db = new_project(":memory:");
    log_sample_fill(&sample, 4, 200);
    log_sample_append(db, &sample);
    int64_t comparisons = 0;
    for (int64_t i = 0; i < sample.count; i++) {
        comparisons += sample.rows[i].kind == PREFERENCE_COMPARISON;
    }
    struct export_summary summary =
        must_export(db, &(struct export_options){.pairs_only = true}, &text);
    assert_int_equal(summary.rows + summary.left_out, comparisons);
    assert_true(summary.rows > 0 && summary.left_out > 0);
    assert_null(strstr(strbuf_text(&text), "\"responses\""));
    int64_t chosen = 0;
    for (const char *at = strbuf_text(&text); (at = strstr(at, ",\"chosen\":")) != NULL; at++) {
        chosen++;
    }
    assert_int_equal(chosen, summary.rows);
}

static enum err_code full(void *context, const char *bytes, size_t count, struct error *err) {
    int64_t *left = context;
    (void)bytes;
    (void)count;
    return (*left)-- > 0 ? ERR_OK : err_set(err, ERR_IO, "the disk is full");
}

static void test_export__stops_at_the_sinks_first_failure(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(log_sample) struct log_sample sample = LOG_SAMPLE_INIT;
    SCOPED(db) struct db *db = new_project(":memory:");
    log_sample_fill(&sample, 4, 20);
    log_sample_append(db, &sample);
    for (int64_t rows = 0; rows < 20; rows++) {
        int64_t left = rows;
        struct export_summary summary = {.rows = -1};
        assert_fails(export_log(db, &(struct export_options){0}, &(struct export_sink){full, &left},
                                &summary, &err),
                     ERR_IO, "the disk is full", &err);
        assert_int_equal(left, -1);
        assert_int_equal(summary.rows, -1);
    }
}

static enum err_code export_both(void *context, struct error *err) {
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(context, DB_MODE_READ_ONLY, NULL, &db, err));
    for (int layout = 0; layout < EXPORT_LAYOUT_COUNT; layout++) {
        SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES_MAX);
        const struct export_sink sink = {collect, &text};
        const struct export_options options = {.layout = (enum export_layout)layout,
                                               .filter.kinds = 1U << PREFERENCE_PROMPT};
        struct export_summary summary;
        TRY(export_log(db, &options, &sink, &summary, err));
        TRY(export_works(db, &options, &sink, &summary, err));
    }
    return ERR_OK;
}

static void test_export__survives_every_allocation_failing(void **state) {
    char *path = scratch_path(*state, "p.db");
    struct preference rows[] = {
        {.kind = PREFERENCE_PROMPT, .line = 1, .weight = 1.0, .prompt.text = TEXT("?")}};
    struct db *db = new_project(path);
    log_sample_append(db, &(struct log_sample){.rows = rows, .count = 1});
    db_close(db);
    alloc_loop_check_tolerant(export_both, path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json__pair_is_chosen_and_rejected),
        cmocka_unit_test(test_json__beside_messages_an_answer_is_messages),
        cmocka_unit_test(test_json__everything_else_is_a_list_of_responses),
        cmocka_unit_test(test_json__single_responses_and_prompts),
        cmocka_unit_test(test_csv__two_texts_in_the_order_shown),
        cmocka_unit_test(test_csv__two_items_and_whether_the_ground_was_neutral),
        cmocka_unit_test(test_csv__rankings_have_a_line_a_response),
        cmocka_unit_test(test_csv__other_kinds),
        cmocka_unit_test(test_csv__refuses_what_a_table_cannot_hold),
        cmocka_unit_test(test_csv__needs_one_kind),
        SCRATCH_TEST(test_json__import_of_an_export_is_the_same_log),
        SCRATCH_TEST(test_csv__import_of_an_export_is_the_same_log),
        SCRATCH_TEST(test_works__import_of_an_export_is_the_same),
        cmocka_unit_test(test_pairs_only__leaves_out_and_counts_the_rest),
        cmocka_unit_test(test_export__stops_at_the_sinks_first_failure),
        SCRATCH_TEST(test_export__survives_every_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
