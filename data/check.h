/* check.h - what is wrong with a preference log, before anything is trained on it.
 *
 * Use:      SCOPED(check_report) struct check_report report = CHECK_REPORT_INIT;
 *           struct check_options options = CHECK_OPTIONS_DEFAULT;
 *           TRY(check_run(db, &options, &report, err));
 *           for (int f = 0; f < CHECK_FINDING_COUNT; f++) {
 *               use(&check_table[f], &report.results[f]);
 *           }
 * Reads:    prompts, responses and judgements once each, in the order of prompts; changes nothing.
 * Near:     near duplicates have a Jaccard index of at least `near_threshold` over shingles of
 *           three words (data/minhash.h, data/near_index.h); every one reported is verified.
 * Memory:   up to 230 bytes a prompt, 40 a response and 100 an annotator, each array's room to
 *           grow included; and at a time the judgements of one prompt (about 150 bytes each, 24
 *           more a response in it) and at most CHECK_GROUP_BYTES of its answers. On top come the
 *           database's cache and its view of the file (base/db.c).
 * Limits:   near duplicates are looked for among the first CHECK_NEAR_TEXTS_MAX prompts and,
 *           within a prompt, among the answers that fit CHECK_GROUP_BYTES; of a ranking, the pairs
 *           among its first CHECK_RANKING_MAX responses are compared with other judgements.
 * Errors:   ERR_DATA for a content that is not what its kind says; ERR_INTERRUPTED after a signal
 *           (base/interrupt.h); what the database reports.
 * Owns:     a report owns its arrays (check_report_deinit).
 * Threads:  one.
 */
#ifndef DATA_CHECK_H
#define DATA_CHECK_H

#include "base/db.h"
#include "base/error.h"
#include "base/progress.h"
#include "data/check_findings.h"
#include "data/split.h"

#include <stdbool.h>
#include <stdint.h>

#define CHECK_EXAMPLES_MAX   100
#define CHECK_NEAR_TEXTS_MAX 4000000
#define CHECK_GROUP_BYTES    ((size_t)64 * 1024 * 1024)
#define CHECK_RANKING_MAX    32

/* How sure it is that something must be done. */
#define CHECK_SEVERITIES(X)                                         \
    X(ERROR, "error", "Errors", "the data cannot be right")         \
    X(WARNING, "warning", "Warnings", "probably not what is meant") \
    X(NOTE, "note", "Notes", "good to know")

enum check_severity {
#define CHECK_SEVERITY_ENUM(name, key, title, help) CHECK_##name,
    CHECK_SEVERITIES(CHECK_SEVERITY_ENUM)
#undef CHECK_SEVERITY_ENUM
        CHECK_SEVERITY_COUNT
};

/* What a finding counts, and so what its count is a share of. */
#define CHECK_UNITS(X)                                                     \
    X(PROMPTS, "prompts")                                                  \
    X(TEST_PROMPTS, "validation and test prompts")                         \
    X(ANSWERS, "answers")                                                  \
    X(TEST_ANSWERS, "answers to validation and test prompts")              \
    X(ITEMS, "items")                                                      \
    X(TEXTS, "texts")                                                      \
    X(COMPARISONS, "comparisons")                                          \
    X(JUDGEMENTS, "judgements")                                            \
    X(REPEATED_PAIRS, "verdicts on pairs that were judged more than once") \
    X(ANNOTATORS, "annotators")                                            \
    X(RATINGS, "ratings")

enum check_unit {
#define CHECK_UNIT_ENUM(name, text) CHECK_OF_##name,
    CHECK_UNITS(CHECK_UNIT_ENUM)
#undef CHECK_UNIT_ENUM
        CHECK_UNIT_COUNT
};

enum check_finding {
#define CHECK_FINDING_ENUM(name, key, severity, unit, title, effect, remedy) CHECK_##name,
    CHECK_FINDINGS(CHECK_FINDING_ENUM)
#undef CHECK_FINDING_ENUM
        CHECK_FINDING_COUNT
};

struct check_entry {
    const char *key; /* "empty-answer" */
    enum check_severity severity;
    enum check_unit unit;
    const char *title;  /* "empty answers" */
    const char *effect; /* what it would do to training */
    const char *remedy;
};

/* By enum check_finding. */
extern const struct check_entry check_table[CHECK_FINDING_COUNT];

/* The finding with that key, or CHECK_FINDING_COUNT. */
enum check_finding check_find(const char *key);

const char *check_severity_key(enum check_severity severity);   /* "error" */
const char *check_severity_title(enum check_severity severity); /* "Errors" */
const char *check_unit_text(enum check_unit unit);              /* "comparisons" */

struct check_options {
    double near_threshold; /* in [0.3, 1] */
    int64_t long_bytes;    /* a prompt with its answer is long beyond this */
    int64_t examples;      /* of each finding, in [0, CHECK_EXAMPLES_MAX] */
    int64_t now_ms;        /* for works whose owners have opted out */
    struct split_shares shares;
    bool some_only; /* look only for the findings that are true in `only` */
    bool only[CHECK_FINDING_COUNT];
    struct progress *progress; /* counts rows; its total is check_rows(); NULL: none */
};

#define CHECK_OPTIONS_DEFAULT                                                           \
    {                                                                                   \
        .near_threshold = 0.8, .long_bytes = 16384, .examples = 3, .now_ms = INT64_MAX, \
        .shares = SPLIT_SHARES_DEFAULT                                                  \
    }

struct check_place {
    const char *path; /* of the source, borrowed from the report; NULL: no judgement refers to it */
    int64_t line;
};

#define CHECK_DETAIL_BYTES  200
#define CHECK_EXCERPT_BYTES 100

struct check_example {
    struct check_place place;
    struct check_place other;          /* what it collides with; path NULL: nothing */
    char detail[CHECK_DETAIL_BYTES];   /* "<|im_end|> at byte 17"; may be empty */
    char excerpt[CHECK_EXCERPT_BYTES]; /* start of the text concerned; may be empty */
};

struct check_result {
    bool looked;       /* it was looked for */
    int64_t count, of; /* of `of` units */
    struct check_example *examples;
    int64_t example_count;
};

/* Bytes of texts. */
struct check_lengths {
    int64_t count, total, median, p90, p99, max;
};

struct check_source {
    int64_t id;
    char *path;
};

struct check_report {
    struct check_result results[CHECK_FINDING_COUNT];
    struct check_lengths prompts, answers; /* without sets of items */
    struct check_source *sources;
    int64_t source_count;
    int64_t prompt_count, response_count, annotator_count;
    int64_t comparison_count, rating_count, label_count, demonstration_count, work_count;
    int64_t near_left_out; /* texts not searched for near duplicates, beyond the limits */
};

#define CHECK_REPORT_INIT \
    { .sources = NULL }

/* Rows that check_run will count in `progress`. */
ERR_NODISCARD enum err_code check_rows(struct db *db, int64_t *out_rows, struct error *err);

/* `out_report` must be CHECK_REPORT_INIT; on failure it is left so. `db` is open and of the project
 * schema. */
ERR_NODISCARD enum err_code check_run(struct db *db, const struct check_options *options,
                                      struct check_report *out_report, struct error *err);

void check_report_deinit(struct check_report *report);

/* Number of findings of a severity with a count above zero. */
int64_t check_report_found(const struct check_report *report, enum check_severity severity);

static inline void check_report_scoped_end(struct check_report *report) {
    check_report_deinit(report);
}

#endif
