/* check_internal.c - see check_internal.h. */
#include "data/check_internal.h"
#include "base/array.h"
#include "base/interrupt.h"
#include "base/invariant.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/text_fault.h"
#include "data/text_fold.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- results ---- */

bool check_wants(const struct check *check, enum check_finding finding) {
    return !check->options->some_only || check->options->only[finding];
}

bool check_count(struct check *check, enum check_finding finding) {
    if (!check_wants(check, finding)) {
        return false;
    }
    struct check_result *result = &check->report->results[finding];
    result->count++;
    return result->example_count < check->options->examples;
}

struct check_example *check_example_add(struct check *check, enum check_finding finding) {
    struct check_result *result = &check->report->results[finding];
    ASSERT_LT(result->example_count, check->options->examples);
    struct check_example *example = &result->examples[result->example_count++];
    memset(example, 0, sizeof *example);
    return example;
}

bool check_has_example_at(const struct check *check, enum check_finding finding,
                          struct check_place place) {
    const struct check_result *result = &check->report->results[finding];
    for (int64_t i = 0; i < result->example_count; i++) {
        const struct check_place *other = &result->examples[i].place;
        if (other->line == place.line && other->path == place.path) {
            return true;
        }
    }
    return false;
}

void check_example_set_detail(struct check_example *example, const char *fmt, ...) {
    char text[CHECK_DETAIL_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)utf8_visible(text, strlen(text), example->detail, sizeof example->detail);
}

void check_example_set_excerpt(struct check_example *example, const char *bytes, size_t count) {
    char start[CHECK_EXCERPT_BYTES];
    size_t kept = count < sizeof start ? count : sizeof start;
    for (size_t i = 0; i < kept; i++) {
        start[i] = bytes[i] == '\n' ? ' ' : bytes[i]; /* shown on one line, and easier to read */
    }
    (void)utf8_visible(start, kept, example->excerpt, sizeof example->excerpt);
}

enum err_code check_tick(struct check *check, struct error *err) {
    check->rows_done++;
    if (check->rows_done % 256 != 0) {
        return ERR_OK;
    }
    if (check->options->progress) {
        progress_update(check->options->progress, check->rows_done);
    }
    if (interrupt_requested()) {
        return err_set(err, ERR_INTERRUPTED, "stopped after %" PRId64 " rows; nothing was changed",
                       check->rows_done);
    }
    return ERR_OK;
}

/* ---- marks ---- */

enum err_code check_marks_add(struct check_marks *marks, int64_t response_id, uint64_t value,
                              struct error *err) {
    TRY(array_reserve(ARRAY_REF(marks->list), &marks->capacity, marks->count + 1,
                      "marks of answers", err));
    marks->list[marks->count++] = (struct check_mark){response_id, value};
    return ERR_OK;
}

static int compare_marks(const void *left, const void *right) {
    const struct check_mark *a = left, *b = right;
    return (a->response_id > b->response_id) - (a->response_id < b->response_id);
}

void check_marks_sort(struct check_marks *marks) {
    if (marks->count > 1) {
        qsort(marks->list, (size_t)marks->count, sizeof *marks->list, compare_marks);
    }
}

uint64_t check_marks_find(const struct check_marks *marks, int64_t response_id, uint64_t fallback) {
    if (marks->count == 0) {
        return fallback;
    }
    const struct check_mark key = {.response_id = response_id};
    const struct check_mark *found =
        bsearch(&key, marks->list, (size_t)marks->count, sizeof key, compare_marks);
    return found ? found->value : fallback;
}

void check_marks_deinit(struct check_marks *marks) {
    mem_free(marks->list);
    *marks = (struct check_marks){.list = NULL};
}

/* ---- lengths ---- */

enum err_code check_histogram_init(struct check_histogram *h, struct error *err) {
    *h = (struct check_histogram){.buckets = mem_array_zero(LENGTHS_BUCKETS, sizeof *h->buckets)};
    return h->buckets ? ERR_OK : err_oom(err, "histogram of lengths");
}

/* Beyond the exact ones, 64 buckets for each doubling. */
static int64_t bucket_of(uint64_t bytes) {
    if (bytes < LENGTHS_EXACT) {
        return (int64_t)bytes;
    }
    int octave = 63 - __builtin_clzll(bytes);
    int64_t bucket = LENGTHS_EXACT + (octave - 16) * 64 + (int64_t)(bytes >> (octave - 6) & 63);
    return bucket < LENGTHS_BUCKETS ? bucket : LENGTHS_BUCKETS - 1;
}

/* The least length of a bucket. */
static int64_t bucket_start(int64_t bucket) {
    if (bucket < LENGTHS_EXACT) {
        return bucket;
    }
    int64_t beyond = bucket - LENGTHS_EXACT;
    return (64 + beyond % 64) << (beyond / 64 + 16 - 6);
}

void check_histogram_add(struct check_histogram *h, size_t bytes) {
    int64_t length = (int64_t)bytes;
    h->buckets[bucket_of(bytes)]++;
    h->sums.count++;
    h->sums.total += length;
    h->sums.max = length > h->sums.max ? length : h->sums.max;
}

/* The least length that at least `share` of the texts do not exceed. */
static int64_t quantile(const struct check_histogram *h, double share) {
    int64_t below = 0;
    for (int64_t bucket = 0; bucket < LENGTHS_BUCKETS; bucket++) {
        below += h->buckets[bucket];
        if (below > 0 && (double)below >= share * (double)h->sums.count) {
            return bucket_start(bucket);
        }
    }
    return 0;
}

struct check_lengths check_histogram_sum(const struct check_histogram *h) {
    struct check_lengths sums = h->sums;
    sums.median = quantile(h, 0.5);
    sums.p90 = quantile(h, 0.9);
    sums.p99 = quantile(h, 0.99);
    return sums;
}

void check_histogram_deinit(struct check_histogram *h) {
    mem_free(h->buckets);
    *h = (struct check_histogram){.buckets = NULL};
}

/* ---- places ---- */

struct check_place check_place_of(const struct check *check, int64_t source_id, int64_t line) {
    int64_t low = 0, high = check->report->source_count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (check->report->sources[middle].id < source_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < check->report->source_count && check->report->sources[low].id == source_id;
    return (struct check_place){.path = found ? check->report->sources[low].path : NULL,
                                .line = line};
}

/* The first place that one of these queries, asked in turn, knows. */
static enum err_code find_place(struct check *check, const char *const *queries, int64_t id,
                                struct check_place *out, struct error *err) {
    struct check_place place = {.path = NULL};
    for (int64_t i = 0; queries[i] && !place.path; i++) {
        SCOPED(db_stmt) struct db_stmt *stmt = NULL;
        TRY(db_stmt_open(check->db, queries[i], &stmt, err));
        db_bind_i64(stmt, 1, id);
        bool has_row = false;
        int64_t source_id = 0, line = 0;
        TRY(db_stmt_step(stmt, &has_row, err));
        if (has_row) {
            TRY(db_column_i64(stmt, 0, &source_id, err));
            TRY(db_column_i64(stmt, 1, &line, err));
            place = check_place_of(check, source_id, line);
        }
    }
    *out = place;
    return ERR_OK;
}

enum err_code check_place_prompt(struct check *check, int64_t prompt_id, struct check_place *out,
                                 struct error *err) {
    static const char by_rating[] =
        "SELECT g.source_id, g.line FROM response r JOIN rating g ON g.response_id = r.id"
        " WHERE r.prompt_id = ?1 ORDER BY g.id LIMIT 1";
    static const char by_label[] =
        "SELECT g.source_id, g.line FROM response r JOIN label g ON g.response_id = r.id"
        " WHERE r.prompt_id = ?1 ORDER BY g.id LIMIT 1";
    static const char by_demonstration[] =
        "SELECT source_id, line FROM demonstration WHERE response_id IN"
        " (SELECT id FROM response WHERE prompt_id = ?1) ORDER BY id LIMIT 1";
    static const char *const queries[] = {
        "SELECT source_id, line FROM comparison WHERE prompt_id = ?1 ORDER BY id LIMIT 1",
        by_rating,
        by_label,
        by_demonstration,
        NULL,
    };
    return find_place(check, queries, prompt_id, out, err);
}

enum err_code check_place_response(struct check *check, int64_t response_id,
                                   struct check_place *out, struct error *err) {
    /* Comparisons by their prompt: there is no index of their members. */
    static const char by_comparison[] =
        "SELECT c.source_id, c.line FROM response r JOIN comparison c ON c.prompt_id = r.prompt_id"
        " JOIN comparison_item i ON i.comparison_id = c.id AND i.response_id = r.id"
        " WHERE r.id = ?1 ORDER BY c.id LIMIT 1";
    static const char *const queries[] = {
        by_comparison,
        "SELECT source_id, line FROM rating WHERE response_id = ?1 ORDER BY id LIMIT 1",
        "SELECT source_id, line FROM label WHERE response_id = ?1 ORDER BY id LIMIT 1",
        "SELECT source_id, line FROM demonstration WHERE response_id = ?1 ORDER BY id LIMIT 1",
        NULL,
    };
    return find_place(check, queries, response_id, out, err);
}

/* ---- texts ---- */

void check_content_deinit(struct check_content *content) {
    strbuf_deinit(&content->text);
    strbuf_deinit(&content->all);
    strbuf_deinit(&content->last);
}

static void add_line(struct strbuf *out, const char *text) {
    if (out->length > 0) {
        strbuf_add_char(out, '\n');
    }
    strbuf_add(out, text);
}

static enum err_code read_message(struct check_content *content, const struct json *doc,
                                  const struct json_node *message, struct error *err) {
    const char *role = NULL, *text = NULL;
    TRY(json_get_string(doc, message, "role", &role, err));
    TRY(json_get_string(doc, message, "content", &text, err));
    add_line(&content->all, text);
    if (strcmp(role, "system") != 0) {
        add_line(&content->text, text);
    }
    if (json_next(message)) {
        content->before_last =
            text_fold_mix(content->before_last ^ text_fold_key(role, strlen(role)));
        content->before_last =
            text_fold_mix(content->before_last + text_fold_key(text, strlen(text)));
    } else {
        strbuf_add(&content->last, text);
    }
    return ERR_OK;
}

static enum err_code read_messages(struct check_content *content, struct text_span bytes,
                                   const char *name, struct error *err) {
    SCOPED(json) struct json *doc = NULL;
    TRY(json_parse(bytes.bytes, bytes.count, name, NULL, &doc, err));
    const struct json_node *list = NULL;
    TRY(json_as_array(doc, json_root(doc), &list, err));
    for (const struct json_node *m = json_first(list); m; m = json_next(m)) {
        TRY(read_message(content, doc, m, err));
    }
    return ERR_OK;
}

enum err_code check_content_read(struct check_content *content, const char *kind,
                                 struct text_span bytes, const char *what, int64_t id,
                                 struct error *err) {
    strbuf_reset(&content->text);
    strbuf_reset(&content->all);
    strbuf_reset(&content->last);
    content->before_last = 0;
    if (strcmp(kind, "chat") == 0) {
        char name[64];
        (void)snprintf(name, sizeof name, "%s %" PRId64, what, id);
        TRY(read_messages(content, bytes, name, err));
    } else {
        strbuf_add_bytes(&content->all, bytes.bytes, bytes.count);
        strbuf_add_bytes(&content->text, bytes.bytes, bytes.count);
        strbuf_add_bytes(&content->last, bytes.bytes, bytes.count);
    }
    strbuf_take_failure(&content->text, &content->all);
    strbuf_take_failure(&content->text, &content->last);
    return strbuf_check(&content->text, what, err);
}

static enum err_code read_excerpt(struct check *check, const char *sql, const char *what,
                                  int64_t id, struct check_example *example, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    SCOPED(check_content) struct check_content content = CHECK_CONTENT_INIT;
    struct text_span kind = TEXT_SPAN_NONE, bytes = TEXT_SPAN_NONE;
    bool has_row = false;
    TRY(db_stmt_open(check->db, sql, &stmt, err));
    db_bind_i64(stmt, 1, id);
    TRY(db_stmt_step(stmt, &has_row, err));
    if (!has_row) {
        return ERR_OK;
    }
    TRY(db_column_text(stmt, 0, &kind.bytes, &kind.count, err));
    TRY(db_column_text(stmt, 1, &bytes.bytes, &bytes.count, err));
    TRY(check_content_read(&content, kind.bytes, bytes, what, id, err));
    check_example_set_excerpt(example, strbuf_text(&content.all), content.all.length);
    return ERR_OK;
}

enum err_code check_excerpt_prompt(struct check *check, int64_t prompt_id,
                                   struct check_example *example, struct error *err) {
    return read_excerpt(check, "SELECT kind, content FROM prompt WHERE id = ?1", "prompt",
                        prompt_id, example, err);
}

enum err_code check_excerpt_response(struct check *check, int64_t response_id,
                                     struct check_example *example, struct error *err) {
    return read_excerpt(check, "SELECT kind, content FROM response WHERE id = ?1", "response",
                        response_id, example, err);
}

static const enum check_finding finding_of_fault[TEXT_FAULT_COUNT] = {
    [TEXT_FAULT_REPLACEMENT] = CHECK_REPLACEMENT_CHARACTER,
    [TEXT_FAULT_MOJIBAKE] = CHECK_MOJIBAKE,
    [TEXT_FAULT_MARK] = CHECK_BYTE_ORDER_MARK,
    [TEXT_FAULT_CONTROL] = CHECK_CONTROL_CHARACTER,
    [TEXT_FAULT_MARKUP] = CHECK_CHAT_MARKUP,
};

#define CONTEXT_BYTES 30 /* shown before a fault */

/* Start of an excerpt around `at`: whole characters. */
static size_t excerpt_start(const char *bytes, size_t at) {
    size_t start = at > CONTEXT_BYTES ? at - CONTEXT_BYTES : 0;
    while (start < at && ((unsigned char)bytes[start] & 0xC0) == 0x80) {
        start++;
    }
    return start;
}

enum err_code check_text_faults(struct check *check, const char *bytes, size_t count,
                                int64_t prompt_id, int64_t response_id, struct error *err) {
    struct text_faults faults;
    text_faults_find(bytes, count, &faults);
    for (int kind = 0; kind < TEXT_FAULT_COUNT; kind++) {
        size_t at = faults.at[kind];
        if (at == TEXT_FAULT_NONE || !check_count(check, finding_of_fault[kind])) {
            continue;
        }
        struct check_example *example = check_example_add(check, finding_of_fault[kind]);
        check_example_set_detail(example, "%s at byte %zu of the %s", faults.what[kind], at,
                                 response_id > 0 ? "answer" : "prompt");
        size_t start = excerpt_start(bytes, at);
        check_example_set_excerpt(example, bytes + start, count - start);
        if (response_id > 0) {
            TRY(check_place_response(check, response_id, &example->place, err));
        } else {
            TRY(check_place_prompt(check, prompt_id, &example->place, err));
        }
    }
    return ERR_OK;
}
