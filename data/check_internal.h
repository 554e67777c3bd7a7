/* check_internal.h - what the passes of check.h share: counting, examples, places, texts.
 *
 * Use:      if (check_count(check, CHECK_EMPTY_ANSWER)) {         // false: no example is needed
 *               struct check_example *example = check_example_add(check, CHECK_EMPTY_ANSWER);
 *               TRY(check_place_response(check, prompt, response, &example->place, err));
 *           }
 * Passes:   check_run calls them one after the other; each adds its rows to the progress.
 * Threads:  one.
 */
#ifndef DATA_CHECK_INTERNAL_H
#define DATA_CHECK_INTERNAL_H

#include "base/strbuf.h"
#include "data/check.h"
#include "data/text_span.h"

/* An answer of fewer words is not remarkable when it is given twice. */
#define CHECK_ANSWER_WORDS_MIN 8

/* What few responses have: their id and one value more. */
struct check_marks {
    struct check_mark {
        int64_t response_id;
        uint64_t value;
    } * list; /* [count] owned; by id once sorted */
    int64_t count, capacity;
};

struct check {
    struct db *db;
    const struct check_options *options;
    struct check_report *report;
    int64_t rows_done;
    struct check_marks same_text;   /* id of an earlier answer to the prompt with the same text */
    struct check_marks before_last; /* key of the messages before an answer's last one */
};

/* ---- results ---- */

/* Whether the user wants to hear of it. */
bool check_wants(const struct check *check, enum check_finding finding);

/* Counts one more; true if an example of it is to be added. */
bool check_count(struct check *check, enum check_finding finding);

/* An empty example, whose place is borrowed; after check_count only. */
struct check_example *check_example_add(struct check *check, enum check_finding finding);

/* Whether there is an example at that place: one row may make many judgements. */
bool check_has_example_at(const struct check *check, enum check_finding finding,
                          struct check_place place);

void check_example_set_detail(struct check_example *example, const char *fmt, ...) ERR_FORMAT(2, 3);
void check_example_set_excerpt(struct check_example *example, const char *bytes, size_t count);

/* One row more: progress, and ERR_INTERRUPTED after a signal. */
ERR_NODISCARD enum err_code check_tick(struct check *check, struct error *err);

/* ---- marks ---- */

ERR_NODISCARD enum err_code check_marks_add(struct check_marks *marks, int64_t response_id,
                                            uint64_t value, struct error *err);
void check_marks_sort(struct check_marks *marks);
uint64_t check_marks_find(const struct check_marks *marks, int64_t response_id, uint64_t fallback);
void check_marks_deinit(struct check_marks *marks);

/* ---- places: where the first judgement of something stands ---- */

struct check_place check_place_of(const struct check *check, int64_t source_id, int64_t line);
ERR_NODISCARD enum err_code check_place_prompt(struct check *check, int64_t prompt_id,
                                               struct check_place *out, struct error *err);
ERR_NODISCARD enum err_code check_place_response(struct check *check, int64_t response_id,
                                                 struct check_place *out, struct error *err);

/* ---- texts ---- */

/* What a content column holds, whatever its kind. */
struct check_content {
    struct strbuf all;    /* the messages, a line end between two */
    struct strbuf text;   /* the same without those of the system, which many prompts share */
    struct strbuf last;   /* the last message */
    uint64_t before_last; /* key of all messages before the last; 0: none */
};

#define CHECK_CONTENT_INIT                                                   \
    {                                                                        \
        .text = STRBUF_INIT(SIZE_MAX / 2), .all = STRBUF_INIT(SIZE_MAX / 2), \
        .last = STRBUF_INIT(SIZE_MAX / 2), .before_last = 0                  \
    }

/* Replaces what is there. `kind` is 'text', 'chat' or 'items'; `what` and `id` are for messages. */
ERR_NODISCARD enum err_code check_content_read(struct check_content *content, const char *kind,
                                               struct text_span bytes, const char *what, int64_t id,
                                               struct error *err);

void check_content_deinit(struct check_content *content);

/* The start of a prompt's or a response's text, read again, as excerpt of an example. */
ERR_NODISCARD enum err_code check_excerpt_prompt(struct check *check, int64_t prompt_id,
                                                 struct check_example *example, struct error *err);
ERR_NODISCARD enum err_code check_excerpt_response(struct check *check, int64_t response_id,
                                                   struct check_example *example,
                                                   struct error *err);

/* What is wrong with the characters of a prompt (response_id 0) or an answer. */
ERR_NODISCARD enum err_code check_text_faults(struct check *check, const char *bytes, size_t count,
                                              int64_t prompt_id, int64_t response_id,
                                              struct error *err);

/* ---- lengths ---- */

/* How many texts have how many bytes: exact up to LENGTHS_EXACT, then within 1/64. */
#define LENGTHS_EXACT   65536
#define LENGTHS_BUCKETS (LENGTHS_EXACT + 64 * 32)

struct check_histogram {
    int64_t *buckets; /* [LENGTHS_BUCKETS] owned */
    struct check_lengths sums;
};

ERR_NODISCARD enum err_code check_histogram_init(struct check_histogram *h, struct error *err);
void check_histogram_add(struct check_histogram *h, size_t bytes);
struct check_lengths check_histogram_sum(const struct check_histogram *h);
void check_histogram_deinit(struct check_histogram *h);

/* ---- passes ---- */

ERR_NODISCARD enum err_code check_prompts(struct check *check, struct error *err);
ERR_NODISCARD enum err_code check_answers(struct check *check, struct error *err);
ERR_NODISCARD enum err_code check_judgements(struct check *check, struct error *err);
ERR_NODISCARD enum err_code check_others(struct check *check, struct error *err);

static inline void check_marks_scoped_end(struct check_marks *marks) {
    check_marks_deinit(marks);
}

static inline void check_histogram_scoped_end(struct check_histogram *h) {
    check_histogram_deinit(h);
}

static inline void check_content_scoped_end(struct check_content *content) {
    check_content_deinit(content);
}

#endif
