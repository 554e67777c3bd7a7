/* check_prompts.c - prompts: their characters, and which are the same or nearly so across splits.
 */
#include "base/array.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "data/check_internal.h"
#include "data/near_index.h"
#include "data/text_fold.h"

#include <stdlib.h>
#include <string.h>

struct prompt_entry {
    int64_t id;
    uint64_t key; /* text_fold_key */
    enum split split;
    bool leaked;                 /* it stands, or nearly stands, in the training split too */
    int32_t near, near_training; /* in the list: an earlier one, one of training; or NONE */
    float jaccard, jaccard_training;
};

#define NONE (-1)

struct prompts {
    struct check *check;
    struct prompt_entry *list; /* [count] by id; blank ones and sets of items are left out */
    int64_t count, capacity;
    struct near_index near;
    struct check_content content;
    struct shingle_set shingles;
    struct check_histogram lengths;
    struct db_stmt *by_id; /* one prompt */
    bool look_near;
};

static void prompts_scoped_end(struct prompts *p) {
    mem_free(p->list);
    near_index_deinit(&p->near);
    check_content_deinit(&p->content);
    shingle_set_deinit(&p->shingles);
    check_histogram_deinit(&p->lengths);
    db_stmt_close(p->by_id);
}

/* ---- reading ---- */

static enum err_code add_entry(struct prompts *p, struct prompt_entry entry, struct error *err) {
    TRY(array_reserve(ARRAY_REF(p->list), &p->capacity, p->count + 1, "prompts", err));
    p->list[p->count++] = entry;
    if (!p->look_near) {
        return ERR_OK;
    }
    const struct strbuf *text = &p->content.text;
    TRY(shingle_set_read(&p->shingles, strbuf_text(text), text->length, err));
    return near_index_add(&p->near, &p->shingles, err);
}

static enum err_code count_blank(struct prompts *p, int64_t id, struct error *err) {
    if (!check_count(p->check, CHECK_EMPTY_PROMPT)) {
        return ERR_OK;
    }
    struct check_example *example = check_example_add(p->check, CHECK_EMPTY_PROMPT);
    check_example_set_excerpt(example, strbuf_text(&p->content.all), p->content.all.length);
    return check_place_prompt(p->check, id, &example->place, err);
}

/* Of all statements here. */
enum column { COLUMN_ID, COLUMN_KIND, COLUMN_HASH, COLUMN_CONTENT };

static enum err_code read_content(struct prompts *p, struct db_stmt *row, int64_t id,
                                  struct error *err) {
    struct text_span kind = TEXT_SPAN_NONE, content = TEXT_SPAN_NONE;
    TRY(db_column_text(row, COLUMN_KIND, &kind.bytes, &kind.count, err));
    TRY(db_column_text(row, COLUMN_CONTENT, &content.bytes, &content.count, err));
    return check_content_read(&p->content, kind.bytes, content, "prompt", id, err);
}

static enum err_code read_prompt(struct prompts *p, struct db_stmt *row, struct error *err) {
    struct prompt_entry entry = {.near = NONE, .near_training = NONE};
    const char *kind = NULL;
    size_t kind_count = 0;
    TRY(db_column_i64(row, COLUMN_ID, &entry.id, err));
    TRY(db_column_text(row, COLUMN_KIND, &kind, &kind_count, err));
    if (strcmp(kind, "items") == 0) {
        return ERR_OK;
    }
    TRY(read_content(p, row, entry.id, err));
    const struct strbuf *all = &p->content.all, *text = &p->content.text;
    check_histogram_add(&p->lengths, all->length);
    TRY(check_text_faults(p->check, strbuf_text(all), all->length, entry.id, 0, err));
    if (text_is_blank(strbuf_text(text), text->length)) {
        return count_blank(p, entry.id, err);
    }
    TRY(split_read(row, COLUMN_KIND, &p->check->options->shares, &entry.split, err));
    entry.key = text_fold_key(strbuf_text(text), text->length);
    return add_entry(p, entry, err);
}

static enum err_code read_prompts(struct prompts *p, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *rows = NULL;
    TRY(db_stmt_open(p->check->db, "SELECT id, kind, hash, content FROM prompt ORDER BY id", &rows,
                     err));
    bool has_row = false;
    TRY(db_stmt_step(rows, &has_row, err));
    while (has_row) {
        TRY(read_prompt(p, rows, err));
        TRY(check_tick(p->check, err));
        TRY(db_stmt_step(rows, &has_row, err));
    }
    return ERR_OK;
}

/* ---- the same text in two splits ---- */

/* Text of a prompt again, into p->content. */
static enum err_code fetch_text(struct prompts *p, int64_t id, struct error *err) {
    bool has_row = false;
    db_bind_i64(p->by_id, 1, id);
    TRY(db_stmt_step(p->by_id, &has_row, err));
    if (!has_row) {
        return err_set(err, ERR_INTERNAL, "prompt %lld has gone", (long long)id);
    }
    enum err_code code = read_content(p, p->by_id, id, err);
    db_stmt_reset(p->by_id);
    return code;
}

static enum err_code add_pair_example(struct prompts *p, enum check_finding finding,
                                      const struct prompt_entry *prompt,
                                      const struct prompt_entry *other, double jaccard,
                                      struct error *err) {
    struct check_example *example = check_example_add(p->check, finding);
    if (jaccard > 0.0) {
        check_example_set_detail(example, "Jaccard %.2f; %s and %s split", jaccard,
                                 split_name(prompt->split), split_name(other->split));
    } else {
        check_example_set_detail(example, "%s and %s split", split_name(prompt->split),
                                 split_name(other->split));
    }
    TRY(fetch_text(p, prompt->id, err));
    check_example_set_excerpt(example, strbuf_text(&p->content.text), p->content.text.length);
    TRY(check_place_prompt(p->check, prompt->id, &example->place, err));
    return check_place_prompt(p->check, other->id, &example->other, err);
}

static int compare_keys(const void *left, const void *right) {
    const struct prompt_entry *a = left, *b = right;
    int by_key = (a->key > b->key) - (a->key < b->key);
    return by_key ? by_key : (a->id > b->id) - (a->id < b->id);
}

static int compare_ids(const void *left, const void *right) {
    const struct prompt_entry *a = left, *b = right;
    return (a->id > b->id) - (a->id < b->id);
}

/* Entries of one text: those outside the training split, if one is inside. */
static void mark_leaks(struct prompts *p, struct prompt_entry *run, int64_t count) {
    bool in_training = false;
    for (int64_t i = 0; i < count; i++) {
        in_training = in_training || run[i].split == SPLIT_TRAIN;
    }
    for (int64_t i = 0; in_training && i < count; i++) {
        run[i].leaked = run[i].split != SPLIT_TRAIN;
        p->check->report->results[CHECK_SPLIT_LEAK].count +=
            run[i].leaked && check_wants(p->check, CHECK_SPLIT_LEAK);
    }
}

static const struct prompt_entry *find_twin(const struct prompts *p,
                                            const struct prompt_entry *leaked) {
    for (int64_t i = 0; i < p->count; i++) {
        if (p->list[i].key == leaked->key && p->list[i].split == SPLIT_TRAIN) {
            return &p->list[i];
        }
    }
    return leaked;
}

static enum err_code find_leaks(struct prompts *p, struct error *err) {
    if (p->count < 2) {
        return ERR_OK;
    }
    qsort(p->list, (size_t)p->count, sizeof *p->list, compare_keys);
    for (int64_t first = 0, last = 0; first < p->count; first = last) {
        while (last < p->count && p->list[last].key == p->list[first].key) {
            last++;
        }
        mark_leaks(p, p->list + first, last - first);
    }
    qsort(p->list, (size_t)p->count, sizeof *p->list, compare_ids);
    const struct check_result *result = &p->check->report->results[CHECK_SPLIT_LEAK];
    for (int64_t i = 0; i < p->count && result->example_count < p->check->options->examples &&
                        result->example_count < result->count;
         i++) {
        if (p->list[i].leaked) {
            TRY(add_pair_example(p, CHECK_SPLIT_LEAK, &p->list[i], find_twin(p, &p->list[i]), 0.0,
                                 err));
        }
    }
    return ERR_OK;
}

/* ---- nearly the same ---- */

static enum err_code fetch_shingles(void *context, int64_t text, struct shingle_set *out,
                                    struct error *err) {
    struct prompts *p = context;
    TRY(fetch_text(p, p->list[text].id, err));
    return shingle_set_read(out, strbuf_text(&p->content.text), p->content.text.length, err);
}

/* Which of two, if one, stands outside the training split and the other inside. */
static struct prompt_entry *leaking(struct prompt_entry *left, struct prompt_entry *right) {
    bool left_trains = left->split == SPLIT_TRAIN, right_trains = right->split == SPLIT_TRAIN;
    return left_trains == right_trains ? NULL : left_trains ? right : left;
}

static bool wants_pair(void *context, int64_t earlier, int64_t later) {
    struct prompts *p = context;
    const struct prompt_entry *test = leaking(&p->list[earlier], &p->list[later]);
    return test && !test->leaked;
}

/* Only noted, so that examples come in the order of the log. */
static enum err_code note_pair(void *context, int64_t earlier, int64_t later, double jaccard,
                               struct error *err) {
    (void)err;
    struct prompts *p = context;
    struct prompt_entry *a = &p->list[earlier], *b = &p->list[later];
    if (b->near == NONE) {
        b->near = (int32_t)earlier;
        b->jaccard = (float)jaccard;
    }
    struct prompt_entry *test = leaking(a, b);
    if (test && !test->leaked) {
        test->leaked = true;
        test->near_training = (int32_t)(test == a ? later : earlier);
        test->jaccard_training = (float)jaccard;
    }
    return ERR_OK;
}

static enum err_code count_near(struct prompts *p, struct error *err) {
    for (int64_t i = 0; i < p->count; i++) {
        const struct prompt_entry *one = &p->list[i];
        if (one->near != NONE && check_count(p->check, CHECK_NEAR_PROMPT)) {
            TRY(add_pair_example(p, CHECK_NEAR_PROMPT, one, &p->list[one->near],
                                 (double)one->jaccard, err));
        }
        if (one->near_training != NONE && check_count(p->check, CHECK_NEAR_LEAK)) {
            TRY(add_pair_example(p, CHECK_NEAR_LEAK, one, &p->list[one->near_training],
                                 (double)one->jaccard_training, err));
        }
    }
    return ERR_OK;
}

static void set_totals(struct prompts *p) {
    struct check_report *report = p->check->report;
    int64_t held_out = 0;
    for (int64_t i = 0; i < p->count; i++) {
        held_out += p->list[i].split != SPLIT_TRAIN;
    }
    report->prompts = check_histogram_sum(&p->lengths);
    report->near_left_out += p->near.left_out;
    report->results[CHECK_EMPTY_PROMPT].of = report->prompts.count;
    report->results[CHECK_NEAR_PROMPT].of = report->prompts.count;
    report->results[CHECK_SPLIT_LEAK].of = held_out;
    report->results[CHECK_NEAR_LEAK].of = held_out;
}

enum err_code check_prompts(struct check *check, struct error *err) {
    SCOPED(prompts)
    struct prompts p = {.check = check, .near = NEAR_INDEX_INIT, .content = CHECK_CONTENT_INIT};
    p.look_near = check_wants(check, CHECK_NEAR_PROMPT) || check_wants(check, CHECK_NEAR_LEAK);
    near_index_begin(&p.near, check->options->near_threshold, CHECK_NEAR_TEXTS_MAX);
    TRY(check_histogram_init(&p.lengths, err));
    TRY(db_stmt_open(check->db, "SELECT id, kind, hash, content FROM prompt WHERE id = ?1",
                     &p.by_id, err));
    TRY(read_prompts(&p, err));
    TRY(find_leaks(&p, err));
    if (p.look_near) {
        const struct near_search search = {
            .fetch = fetch_shingles, .wanted = wants_pair, .found = note_pair, .context = &p};
        TRY(near_index_search(&p.near, &search, err));
        TRY(count_near(&p, err));
    }
    set_totals(&p);
    return ERR_OK;
}
