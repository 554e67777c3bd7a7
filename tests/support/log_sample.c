/* log_sample.c - see log_sample.h. */
#include "tests/support/log_sample.h"

#include "base/rng.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/preference_log.h"
#include "tests/support/test.h"

#include <inttypes.h>

#define PROMPTS    24
#define ANSWERS    9 /* of each prompt */
#define ANNOTATORS 7

/* ---- making ---- */

static void *take(struct log_sample *sample, int64_t count, size_t bytes) {
    void *block = arena_array(&sample->arena, (size_t)count, bytes);
    assert_non_null(block);
    memset(block, 0, (size_t)count * bytes);
    return block;
}

static struct text_span keep(struct log_sample *sample, const struct strbuf *text) {
    char *copy = arena_strndup(&sample->arena, strbuf_text(text), text->length);
    assert_non_null(copy);
    return (struct text_span){.bytes = copy, .count = text->length};
}

static struct text_span numbered(struct log_sample *sample, const char *word, int64_t number) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(KIB);
    strbuf_addf(&text, "%s%" PRId64, word, number);
    return keep(sample, &text);
}

/* Up to a dozen pieces, none of which a format should trip over. The same for the same key. */
static struct text_span wild_text(struct log_sample *sample, int64_t key) {
    static const char *const pieces[] = {
        "tea",  " ",        "\n",       "\"",           "\\",
        ",",    ";",        "\t",       "\r\n",         "\x01",
        "'",    "{\"a\":[", "\xc3\xbc", "\xe6\x97\xa5", "\xf0\x9f\x98\x80",
        "</s>", "0",        "#"};
    struct rng rng = rng_stream(1, RNG_TEST, 0, key);
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(KIB);
    int64_t count = rng_below(&rng, 12);
    for (int64_t i = 0; i < count; i++) {
        strbuf_add(&text, pieces[rng_below(&rng, sizeof pieces / sizeof *pieces)]);
    }
    return keep(sample, &text);
}

static const struct message *messages_of(struct log_sample *sample, int64_t key, int64_t count,
                                         bool assistant_first) {
    static const char *const roles[] = {"user", "assistant", "system", "tool"};
    struct message *messages = take(sample, count, sizeof *messages);
    for (int64_t i = 0; i < count; i++) {
        messages[i].role = text_span_of(roles[(i + assistant_first) % 2]);
        messages[i].content = wild_text(sample, key * 16 + i);
    }
    return messages;
}

static void make_prompt(struct log_sample *sample, int64_t index, struct preference_prompt *out) {
    out->kind = (enum prompt_kind)(index % PROMPT_KIND_COUNT);
    if (index % 4 == 1) {
        out->topic = numbered(sample, "topic ", index % 3);
    }
    if (out->kind == PROMPT_CHAT) {
        out->message_count = 1 + index % 5;
        out->messages = messages_of(sample, 1000 + index, out->message_count, false);
    } else if (out->kind == PROMPT_ITEMS) {
        out->text = numbered(sample, "set \"", index);
    } else {
        out->text = wild_text(sample, index); /* keys 0 to 23 make no two equal texts */
    }
}

static void make_response(struct log_sample *sample, struct rng *rng, enum prompt_kind kind,
                          struct preference_response *out) {
    int64_t index = rng_below(rng, ANSWERS);
    if (kind == PROMPT_ITEMS) {
        out->text = numbered(sample, "item, ", index);
    } else if (index == 3) {
        out->message_count = 2 + index % 3;
        out->messages = messages_of(sample, 2000 + index, out->message_count, true);
    } else {
        out->text = wild_text(sample, 3000 + index);
    }
    if (rng_below(rng, 3) == 0) {
        out->origin = numbered(sample, "model-", rng_below(rng, 3));
    }
}

static void make_ranks(struct rng *rng, struct preference *row,
                       struct preference_response *responses) {
    int64_t count = row->response_count;
    bool has_positions = rng_below(rng, 2) == 0;
    int64_t first = rng_below(rng, count);
    for (int64_t i = 0; i < count; i++) {
        responses[i].rank = i == first ? 1 : 1 + rng_below(rng, count + 1);
        responses[i].position = has_positions ? 1 + (i + first) % count : 0;
    }
    bool ordered = false;
    for (int64_t i = 0; i < count; i++) {
        ordered = ordered || responses[i].rank != 1;
    }
    row->last_unordered = ordered && rng_below(rng, 6) == 0;
    row->has_margin = rng_below(rng, 3) == 0;
    row->margin = row->has_margin ? rng_normal(rng) : 0.0;
}

static void make_circumstances(struct log_sample *sample, struct rng *rng, struct preference *row) {
    row->weight = rng_below(rng, 3) == 0 ? 0.1 * (double)(1 + rng_below(rng, 30)) : 1.0;
    if (row->kind == PREFERENCE_PROMPT) {
        return; /* of a prompt, nobody and no time is kept */
    }
    if (rng_below(rng, 2) == 0) {
        int64_t who = rng_below(rng, ANNOTATORS);
        row->annotator = numbered(sample, "rater,", who);
        if (who % 2 == 1) {
            row->population = numbered(sample, "people ", who % 3);
        }
    }
    if (row->kind != PREFERENCE_DEMONSTRATION && rng_below(rng, 3) == 0) {
        row->aspect = text_span_of(rng_below(rng, 2) == 0 ? "help" : "harm");
    }
    row->has_asked_at = rng_below(rng, 3) == 0;
    row->asked_at_ms = row->has_asked_at ? rng_below(rng, INT64_C(2000000000000)) : 0;
}

static void make_row(struct log_sample *sample, struct rng *rng, struct preference *row) {
    static const int64_t shares[PREFERENCE_KIND_COUNT] = {6, 2, 2, 1, 1};
    int64_t place = rng_below(rng, 12);
    for (row->kind = PREFERENCE_COMPARISON; place >= shares[row->kind]; row->kind++) {
        place -= shares[row->kind];
    }
    make_prompt(sample, rng_below(rng, PROMPTS), &row->prompt);
    row->response_count = row->kind == PREFERENCE_COMPARISON ? 2 : 1;
    if (row->kind == PREFERENCE_COMPARISON && rng_below(rng, 3) == 0) {
        row->response_count = 2 + rng_below(rng, 5);
    }
    row->response_count = row->kind == PREFERENCE_PROMPT ? 0 : row->response_count;
    struct preference_response *responses = take(sample, row->response_count, sizeof *responses);
    for (int64_t i = 0; i < row->response_count; i++) {
        make_response(sample, rng, row->prompt.kind, &responses[i]);
    }
    row->responses = responses;
    make_circumstances(sample, rng, row);
    if (row->kind == PREFERENCE_COMPARISON) {
        make_ranks(rng, row, responses);
    }
    if (row->kind == PREFERENCE_RATING) {
        row->value = (double)rng_below(rng, 50) / 10.0;
        row->has_scale = rng_below(rng, 2) == 0;
        row->scale_high = row->has_scale ? 5.0 : 0.0;
    }
    row->good = row->kind == PREFERENCE_LABEL && rng_below(rng, 2) == 0;
}

void log_sample_fill(struct log_sample *sample, uint64_t seed, int64_t count) {
    sample->rows = take(sample, count, sizeof *sample->rows);
    sample->count = count;
    for (int64_t i = 0; i < count; i++) {
        struct rng rng = rng_stream(seed, RNG_TEST, 1, i);
        make_row(sample, &rng, &sample->rows[i]);
        sample->rows[i].line = i + 1;
    }
}

void log_sample_deinit(struct log_sample *sample) {
    arena_deinit(&sample->arena);
    *sample = (struct log_sample)LOG_SAMPLE_INIT;
}

void log_sample_append(struct db *db, const struct log_sample *sample) {
    struct error err = ERROR_INIT;
    SCOPED(preference_log) struct preference_log *log = NULL;
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    const struct preference_source_summary summary = {
        .sha256.bytes = {1}, .rows = sample->count, .bytes = 1};
    assert_ok(preference_log_open(db, &log, &err), &err);
    assert_ok(db_tx_open(db, &tx, &err), &err);
    assert_ok(preference_log_begin_source(log, "sample", "sample", "{}", 1, &err), &err);
    for (int64_t i = 0; i < sample->count; i++) {
        assert_ok(preference_log_append(log, &sample->rows[i], &err), &err);
    }
    assert_ok(preference_log_end_source(log, &summary, &err), &err);
    assert_ok(db_tx_commit(&tx, &err), &err);
}

/* ---- comparing ---- */

static void same_text(const struct text_span *actual, const struct text_span *expected,
                      const char *what, int64_t line) {
    if (!text_span_equal(actual, expected)) {
        fail_msg("row %" PRId64 ": %s is '%.*s', expected '%.*s'", line, what, (int)actual->count,
                 actual->bytes ? actual->bytes : "(none)", (int)expected->count,
                 expected->bytes ? expected->bytes : "(none)");
    }
}

static void same_f64(double actual, double expected, const char *what, int64_t line) {
    if (memcmp(&actual, &expected, sizeof actual) != 0) {
        fail_msg("row %" PRId64 ": %s is %.17g, expected %.17g", line, what, actual, expected);
    }
}

static void same_i64(int64_t actual, int64_t expected, const char *what, int64_t line) {
    if (actual != expected) {
        fail_msg("row %" PRId64 ": %s is %" PRId64 ", expected %" PRId64, line, what, actual,
                 expected);
    }
}

static void same_messages(const struct message *actual, const struct message *expected,
                          int64_t count, int64_t line) {
    for (int64_t i = 0; i < count; i++) {
        same_text(&actual[i].role, &expected[i].role, "a role", line);
        same_text(&actual[i].content, &expected[i].content, "a message", line);
    }
}

static void same_response(const struct preference_response *actual,
                          const struct preference_response *expected, int64_t line) {
    same_i64(actual->message_count, expected->message_count, "messages of a response", line);
    same_messages(actual->messages, expected->messages, expected->message_count, line);
    same_text(&actual->text, &expected->text, "a response", line);
    same_text(&actual->origin, &expected->origin, "an origin", line);
    same_i64(actual->rank, expected->rank, "a rank", line);
    same_i64(actual->position, expected->position, "a position", line);
}

void assert_preference_equal(const struct preference *actual, const struct preference *expected) {
    int64_t line = expected->line;
    same_i64((int64_t)actual->kind, (int64_t)expected->kind, "kind", line);
    same_i64((int64_t)actual->prompt.kind, (int64_t)expected->prompt.kind, "prompt kind", line);
    same_text(&actual->prompt.text, &expected->prompt.text, "prompt", line);
    same_text(&actual->prompt.topic, &expected->prompt.topic, "topic", line);
    same_i64(actual->prompt.message_count, expected->prompt.message_count, "messages", line);
    same_messages(actual->prompt.messages, expected->prompt.messages,
                  expected->prompt.message_count, line);
    same_i64(actual->response_count, expected->response_count, "responses", line);
    for (int64_t i = 0; i < expected->response_count; i++) {
        same_response(&actual->responses[i], &expected->responses[i], line);
    }
    same_text(&actual->annotator, &expected->annotator, "annotator", line);
    same_text(&actual->population, &expected->population, "population", line);
    same_text(&actual->aspect, &expected->aspect, "aspect", line);
    same_f64(actual->weight, expected->weight, "weight", line);
    same_i64(actual->has_margin, expected->has_margin, "has_margin", line);
    same_f64(actual->margin, expected->margin, "margin", line);
    same_i64(actual->has_asked_at, expected->has_asked_at, "has_asked_at", line);
    same_i64(actual->asked_at_ms, expected->asked_at_ms, "asked_at", line);
    same_f64(actual->value, expected->value, "rating", line);
    same_i64(actual->has_scale, expected->has_scale, "has_scale", line);
    same_f64(actual->scale_low, expected->scale_low, "low", line);
    same_f64(actual->scale_high, expected->scale_high, "high", line);
    same_i64(actual->good, expected->good, "label", line);
    same_i64(actual->last_unordered, expected->last_unordered, "last_unordered", line);
}
