/* check_answers.c - answers: their characters and lengths, and which repeat each other, within a
 * prompt and over all of them. */
#include "base/arena.h"
#include "base/array.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "data/check_internal.h"
#include "data/near_index.h"
#include "data/text_fold.h"

#include <stdlib.h>
#include <string.h>

/* Up to here all answers to a prompt are compared with each other; beyond, through an index. */
#define ALL_PAIRS_MAX 64

/* One answer to the prompt at hand. */
struct answer {
    int64_t id;
    const char *text; /* borrowed from the arena */
    size_t count;
    uint64_t key; /* text_fold_key */
};

/* One answer among all of them. */
struct answer_key {
    uint64_t key;
    int64_t id;
    int64_t prompt; /* its id twice, and 1 more outside the training split */
};

struct answers {
    struct check *check;
    struct check_content content;
    struct check_histogram lengths;
    struct arena texts;
    struct answer *group; /* [group_count] by id */
    int64_t group_count, group_capacity;
    int64_t prompt_id;
    size_t prompt_bytes;
    bool is_items, held_out;
    struct answer_key *keys; /* [key_count] of answers with CHECK_ANSWER_WORDS_MIN words */
    int64_t key_count, key_capacity;
    int64_t held_out_count, item_count;
    struct near_index near;
    struct shingle_set shingles[ALL_PAIRS_MAX];
};

static void answers_scoped_end(struct answers *a) {
    check_content_deinit(&a->content);
    check_histogram_deinit(&a->lengths);
    arena_deinit(&a->texts);
    mem_free(a->group);
    mem_free(a->keys);
    near_index_deinit(&a->near);
    for (int i = 0; i < ALL_PAIRS_MAX; i++) {
        shingle_set_deinit(&a->shingles[i]);
    }
}

/* ---- within a prompt ---- */

/* Counts an answer that collides with another one to the same prompt. */
static enum err_code count_collision(struct answers *a, enum check_finding finding,
                                     const struct answer *answer, const struct answer *other,
                                     double jaccard, struct error *err) {
    if (!check_count(a->check, finding)) {
        return ERR_OK;
    }
    struct check_example *example = check_example_add(a->check, finding);
    if (jaccard > 0.0) {
        check_example_set_detail(example, "Jaccard %.2f", jaccard);
    } else if (finding == CHECK_PREFIX_ANSWER) {
        check_example_set_detail(example, "%zu bytes of %zu", answer->count, other->count);
    } else {
        char name[48];
        size_t count = other->count < sizeof name ? other->count : sizeof name - 1;
        memcpy(name, other->text, count);
        name[count] = '\0';
        check_example_set_detail(example, "like '%s'", name);
    }
    check_example_set_excerpt(example, answer->text, answer->count);
    TRY(check_place_response(a->check, answer->id, &example->place, err));
    return check_place_response(a->check, other->id, &example->other, err);
}

static int compare_texts(const void *left, const void *right) {
    const struct answer *a = left, *b = right;
    size_t shorter = a->count < b->count ? a->count : b->count;
    int by_bytes = memcmp(a->text, b->text, shorter);
    if (by_bytes != 0) {
        return by_bytes;
    }
    int by_length = (a->count > b->count) - (a->count < b->count);
    return by_length ? by_length : (a->id > b->id) - (a->id < b->id);
}

static int compare_folded(const void *left, const void *right) {
    const struct answer *a = left, *b = right;
    int by_key = (a->key > b->key) - (a->key < b->key);
    return by_key ? by_key : (a->id > b->id) - (a->id < b->id);
}

static int compare_ids(const void *left, const void *right) {
    const struct answer *a = left, *b = right;
    return (a->id > b->id) - (a->id < b->id);
}

static bool starts_with(const struct answer *longer, const struct answer *start) {
    return longer->count > start->count && memcmp(longer->text, start->text, start->count) == 0;
}

/* In the order of texts, what begins with a text follows it directly, after its copies. */
static enum err_code find_same_and_prefixes(struct answers *a, struct error *err) {
    qsort(a->group, (size_t)a->group_count, sizeof *a->group, compare_texts);
    const struct answer *first = &a->group[0]; /* of the same text */
    for (int64_t i = 0; i < a->group_count; i++) {
        const struct answer *one = &a->group[i];
        bool is_copy =
            i > 0 && one->count == first->count && memcmp(one->text, first->text, one->count) == 0;
        if (is_copy) {
            TRY(check_marks_add(&a->check->same_text, one->id, (uint64_t)first->id, err));
        } else {
            first = one;
        }
        const struct answer *next = i + 1 < a->group_count ? one + 1 : NULL;
        if (next && !a->is_items && !text_is_blank(one->text, one->count) &&
            starts_with(next, one)) {
            TRY(count_collision(a, CHECK_PREFIX_ANSWER, one, next, 0.0, err));
        }
    }
    return ERR_OK;
}

static enum err_code find_item_spellings(struct answers *a, struct error *err) {
    qsort(a->group, (size_t)a->group_count, sizeof *a->group, compare_folded);
    for (int64_t i = 1; i < a->group_count; i++) {
        const struct answer *one = &a->group[i], *before = one - 1;
        bool copy = one->count == before->count && memcmp(one->text, before->text, one->count) == 0;
        if (one->key == before->key && !copy) {
            TRY(count_collision(a, CHECK_ITEM_SPELLING, one, before, 0.0, err));
        }
    }
    return ERR_OK;
}

static enum err_code read_shingles(void *context, int64_t text, struct shingle_set *out,
                                   struct error *err) {
    const struct answers *a = context;
    return shingle_set_read(out, a->group[text].text, a->group[text].count, err);
}

static enum err_code find_near_among_few(struct answers *a, struct error *err) {
    for (int64_t i = 0; i < a->group_count; i++) {
        TRY(read_shingles(a, i, &a->shingles[i], err));
        double jaccard = 0.0;
        int64_t j = 0;
        while (j < i && jaccard < a->check->options->near_threshold) {
            jaccard = shingle_set_jaccard(&a->shingles[i], &a->shingles[j++]);
        }
        if (j > 0 && jaccard >= a->check->options->near_threshold) {
            TRY(count_collision(a, CHECK_NEAR_ANSWER, &a->group[i], &a->group[j - 1], jaccard,
                                err));
        }
    }
    return ERR_OK;
}

/* Of a group only its first is new; every other one is found once or more, and counted when its
 * group is known. */
static enum err_code ignore_pair(void *context, int64_t earlier, int64_t later, double jaccard,
                                 struct error *err) {
    (void)context;
    (void)earlier;
    (void)later;
    (void)jaccard;
    (void)err;
    return ERR_OK;
}

static enum err_code find_near_among_many(struct answers *a, struct error *err) {
    near_index_begin(&a->near, a->check->options->near_threshold, CHECK_NEAR_TEXTS_MAX);
    for (int64_t i = 0; i < a->group_count; i++) {
        TRY(read_shingles(a, i, &a->shingles[0], err));
        TRY(near_index_add(&a->near, &a->shingles[0], err));
    }
    const struct near_search search = {.fetch = read_shingles, .found = ignore_pair, .context = a};
    TRY(near_index_search(&a->near, &search, err));
    for (int64_t i = 0; i < a->group_count; i++) {
        int64_t first = near_index_group(&a->near, i);
        if (first == i) {
            continue;
        }
        TRY(read_shingles(a, i, &a->shingles[0], err));
        TRY(read_shingles(a, first, &a->shingles[1], err));
        double jaccard = shingle_set_jaccard(&a->shingles[0], &a->shingles[1]);
        TRY(count_collision(a, CHECK_NEAR_ANSWER, &a->group[i], &a->group[first], jaccard, err));
    }
    return ERR_OK;
}

static enum err_code finish_group(struct answers *a, struct error *err) {
    if (a->group_count > 1) {
        if (a->is_items) {
            TRY(find_item_spellings(a, err));
        }
        TRY(find_same_and_prefixes(a, err));
        qsort(a->group, (size_t)a->group_count, sizeof *a->group, compare_ids);
    }
    if (a->group_count > 1 && !a->is_items && check_wants(a->check, CHECK_NEAR_ANSWER)) {
        TRY(a->group_count <= ALL_PAIRS_MAX ? find_near_among_few(a, err)
                                            : find_near_among_many(a, err));
    }
    a->group_count = 0;
    arena_reset(&a->texts);
    return ERR_OK;
}

/* ---- reading ---- */

static bool has_words(const char *text, size_t count, int64_t words_min) {
    struct text_words words = TEXT_WORDS_INIT(text, count);
    uint64_t word = 0;
    int64_t found = 0;
    while (found < words_min && text_words_next(&words, &word)) {
        found++;
    }
    return found == words_min;
}

static enum err_code keep_answer(struct answers *a, int64_t id, struct error *err) {
    const struct strbuf *text = &a->content.text;
    char *copy = arena_strndup(&a->texts, strbuf_text(text), text->length);
    if (!copy) { /* more than fits: what comes is compared among itself */
        a->check->report->near_left_out += a->group_count;
        TRY(finish_group(a, err));
        copy = arena_strndup(&a->texts, strbuf_text(text), text->length);
    }
    if (!copy) {
        return text->length > CHECK_GROUP_BYTES / 4 ? ERR_OK : err_oom(err, "answers to a prompt");
    }
    TRY(array_reserve(ARRAY_REF(a->group), &a->group_capacity, a->group_count + 1, "answers", err));
    uint64_t key = text_fold_key(copy, text->length);
    a->group[a->group_count++] =
        (struct answer){.id = id, .text = copy, .count = text->length, .key = key};
    if (a->is_items || !has_words(copy, text->length, CHECK_ANSWER_WORDS_MIN)) {
        return ERR_OK;
    }
    TRY(array_reserve(ARRAY_REF(a->keys), &a->key_capacity, a->key_count + 1, "answers", err));
    a->keys[a->key_count++] = (struct answer_key){
        .key = key, .id = id, .prompt = 2 * a->prompt_id + (a->held_out ? 1 : 0)};
    return ERR_OK;
}

static enum err_code look_at_length(struct answers *a, int64_t id, struct error *err) {
    const struct strbuf *text = &a->content.all;
    int64_t bytes = (int64_t)(a->prompt_bytes + text->length);
    if (!a->is_items) {
        check_histogram_add(&a->lengths, text->length);
    }
    if (bytes <= a->check->options->long_bytes || !check_count(a->check, CHECK_LONG_ROW)) {
        return ERR_OK;
    }
    struct check_example *example = check_example_add(a->check, CHECK_LONG_ROW);
    check_example_set_detail(example, "%lld bytes, about %lld tokens; the answer has %zu",
                             (long long)bytes, (long long)(bytes / 4), text->length);
    check_example_set_excerpt(example, strbuf_text(text), text->length);
    return check_place_response(a->check, id, &example->place, err);
}

/* Whether the first judgement of an answer prefers it. */
static enum err_code describe_side(struct check *check, int64_t id, struct check_example *example,
                                   struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(check->db,
                     "SELECT i.rank, (SELECT max(rank) FROM comparison_item"
                     " WHERE comparison_id = c.id) FROM response r"
                     " JOIN comparison c ON c.prompt_id = r.prompt_id JOIN comparison_item i"
                     " ON i.comparison_id = c.id AND i.response_id = r.id"
                     " WHERE r.id = ?1 ORDER BY c.id LIMIT 1",
                     &stmt, err));
    db_bind_i64(stmt, 1, id);
    bool has_row = false;
    int64_t rank = 0, last = 0;
    TRY(db_stmt_step(stmt, &has_row, err));
    if (has_row) {
        TRY(db_column_i64(stmt, 0, &rank, err));
        TRY(db_column_i64(stmt, 1, &last, err));
        check_example_set_detail(example, "%s",
                                 last == 1      ? "in a tie"
                                 : rank == 1    ? "preferred"
                                 : rank == last ? "not preferred"
                                                : "neither best nor last");
    }
    return ERR_OK;
}

static enum err_code look_at_blank(struct answers *a, int64_t id, struct error *err) {
    const struct strbuf *last = &a->content.last;
    if (!text_is_blank(strbuf_text(last), last->length) ||
        !check_count(a->check, CHECK_EMPTY_ANSWER)) {
        return ERR_OK;
    }
    struct check_example *example = check_example_add(a->check, CHECK_EMPTY_ANSWER);
    TRY(describe_side(a->check, id, example, err));
    return check_place_response(a->check, id, &example->place, err);
}

/* Columns: id, kind, content. */
static enum err_code read_answer(struct answers *a, struct db_stmt *row, struct error *err) {
    int64_t id = 0;
    struct text_span kind = TEXT_SPAN_NONE, content = TEXT_SPAN_NONE;
    TRY(db_column_i64(row, 0, &id, err));
    TRY(db_column_text(row, 1, &kind.bytes, &kind.count, err));
    TRY(db_column_text(row, 2, &content.bytes, &content.count, err));
    TRY(check_content_read(&a->content, kind.bytes, content, "response", id, err));
    a->held_out_count += a->held_out && !a->is_items;
    a->item_count += a->is_items;
    if (a->content.before_last != 0) {
        TRY(check_marks_add(&a->check->before_last, id, a->content.before_last, err));
    }
    TRY(look_at_blank(a, id, err));
    TRY(look_at_length(a, id, err));
    const struct strbuf *all = &a->content.all;
    TRY(check_text_faults(a->check, strbuf_text(all), all->length, a->prompt_id, id, err));
    TRY(check_tick(a->check, err));
    return keep_answer(a, id, err);
}

static enum err_code read_group(struct answers *a, struct db_stmt *rows, struct error *err) {
    bool has_row = false;
    db_bind_i64(rows, 1, a->prompt_id);
    TRY(db_stmt_step(rows, &has_row, err));
    while (has_row) {
        TRY(read_answer(a, rows, err));
        TRY(db_stmt_step(rows, &has_row, err));
    }
    return finish_group(a, err);
}

/* Columns: id, kind, hash, bytes. */
static enum err_code read_prompt(struct answers *a, struct db_stmt *row, struct error *err) {
    const char *kind = NULL;
    size_t kind_count = 0;
    enum split split = SPLIT_TRAIN;
    int64_t bytes = 0;
    TRY(db_column_i64(row, 0, &a->prompt_id, err));
    TRY(db_column_text(row, 1, &kind, &kind_count, err));
    a->is_items = strcmp(kind, "items") == 0;
    TRY(split_read(row, 1, &a->check->options->shares, &split, err));
    TRY(db_column_i64(row, 3, &bytes, err));
    a->held_out = split != SPLIT_TRAIN;
    a->prompt_bytes = a->is_items ? 0 : (size_t)bytes;
    return ERR_OK;
}

static enum err_code read_all(struct answers *a, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *prompts = NULL;
    SCOPED(db_stmt) struct db_stmt *rows = NULL;
    TRY(db_stmt_open(a->check->db,
                     "SELECT id, kind, hash, length(CAST(content AS BLOB)) FROM prompt ORDER BY id",
                     &prompts, err));
    TRY(db_stmt_open(a->check->db,
                     "SELECT id, kind, content FROM response WHERE prompt_id = ?1 ORDER BY id",
                     &rows, err));
    bool has_row = false;
    TRY(db_stmt_step(prompts, &has_row, err));
    while (has_row) {
        TRY(read_prompt(a, prompts, err));
        TRY(read_group(a, rows, err));
        TRY(db_stmt_step(prompts, &has_row, err));
    }
    return ERR_OK;
}

/* ---- over all prompts ---- */

static int compare_answer_keys(const void *left, const void *right) {
    const struct answer_key *a = left, *b = right;
    int by_key = (a->key > b->key) - (a->key < b->key);
    return by_key ? by_key : (a->id > b->id) - (a->id < b->id);
}

/* The value of a mark is the id of the answer that it repeats. */
static enum err_code count_across(struct answers *a, enum check_finding finding,
                                  const struct check_mark *mark, struct error *err) {
    if (!check_count(a->check, finding)) {
        return ERR_OK;
    }
    struct check_example *example = check_example_add(a->check, finding);
    TRY(check_excerpt_response(a->check, mark->response_id, example, err));
    TRY(check_place_response(a->check, mark->response_id, &example->place, err));
    return check_place_response(a->check, (int64_t)mark->value, &example->other, err);
}

/* Answers of one text, by id: those to another prompt than the first, and those outside the
 * training split if one is inside. */
static enum err_code look_at_run(const struct answer_key *run, int64_t count,
                                 struct check_marks *same, struct check_marks *leaked,
                                 struct error *err) {
    const struct answer_key *training = NULL;
    for (int64_t i = 0; i < count; i++) {
        training = !training && run[i].prompt % 2 == 0 ? &run[i] : training;
        if (run[i].prompt != run[0].prompt) {
            TRY(check_marks_add(same, run[i].id, (uint64_t)run[0].id, err));
        }
    }
    for (int64_t i = 0; training && i < count; i++) {
        if (run[i].prompt % 2 == 1) {
            TRY(check_marks_add(leaked, run[i].id, (uint64_t)training->id, err));
        }
    }
    return ERR_OK;
}

static enum err_code count_marks(struct answers *a, enum check_finding finding,
                                 struct check_marks *marks, struct error *err) {
    check_marks_sort(marks);
    for (int64_t i = 0; i < marks->count; i++) {
        TRY(count_across(a, finding, &marks->list[i], err));
    }
    return ERR_OK;
}

static enum err_code compare_over_prompts(struct answers *a, struct error *err) {
    SCOPED(check_marks) struct check_marks same = {.list = NULL};
    SCOPED(check_marks) struct check_marks leaked = {.list = NULL};
    if (a->key_count > 1) {
        qsort(a->keys, (size_t)a->key_count, sizeof *a->keys, compare_answer_keys);
    }
    for (int64_t first = 0, last = 0; first < a->key_count; first = last) {
        while (last < a->key_count && a->keys[last].key == a->keys[first].key) {
            last++;
        }
        TRY(look_at_run(a->keys + first, last - first, &same, &leaked, err));
    }
    TRY(count_marks(a, CHECK_SAME_ANSWER, &same, err));
    return count_marks(a, CHECK_ANSWER_LEAK, &leaked, err);
}

static void set_totals(struct answers *a) {
    struct check_report *report = a->check->report;
    report->answers = check_histogram_sum(&a->lengths);
    report->results[CHECK_EMPTY_ANSWER].of = report->response_count;
    report->results[CHECK_LONG_ROW].of = report->response_count;
    report->results[CHECK_NEAR_ANSWER].of = report->answers.count;
    report->results[CHECK_SAME_ANSWER].of = report->answers.count;
    report->results[CHECK_PREFIX_ANSWER].of = report->answers.count;
    report->results[CHECK_ANSWER_LEAK].of = a->held_out_count;
    report->results[CHECK_ITEM_SPELLING].of = a->item_count;
    for (int f = CHECK_REPLACEMENT_CHARACTER; f <= CHECK_CHAT_MARKUP; f++) {
        report->results[f].of = report->prompts.count + report->response_count;
    }
}

enum err_code check_answers(struct check *check, struct error *err) {
    SCOPED(answers)
    struct answers a = {.check = check,
                        .content = CHECK_CONTENT_INIT,
                        .texts = ARENA_INIT(CHECK_GROUP_BYTES),
                        .near = NEAR_INDEX_INIT};
    TRY(check_histogram_init(&a.lengths, err));
    TRY(read_all(&a, err));
    TRY(compare_over_prompts(&a, err));
    set_totals(&a);
    check_marks_sort(&check->same_text);
    check_marks_sort(&check->before_last);
    return ERR_OK;
}
