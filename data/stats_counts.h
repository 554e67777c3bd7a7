/* stats_counts.h - what the project file holds, counted.
 *
 * Use:      struct stats_counts counts;
 *           TRY(stats_counts_load(db, &counts, err));
 *           SCOPED(stats_aspects) struct stats_aspects aspects = STATS_ASPECTS_INIT;
 *           TRY(stats_aspects_load(db, STATS_ASPECTS_OF_COMPARISONS, &aspects, err));
 * Splits:   at the default shares (data/split.h).
 * Threads:  no state.
 */
#ifndef DATA_STATS_COUNTS_H
#define DATA_STATS_COUNTS_H

#include "base/arena.h"
#include "base/db.h"
#include "base/error.h"
#include "data/comparison_set.h"
#include "data/preference.h"
#include "data/split.h"

#include <stdbool.h>
#include <stdint.h>

/* Name in JSON, table, and how its rows lead to a prompt. */
#define STATS_ROWS(X)                           \
    X(RESPONSES, "responses", "response")       \
    X(COMPARISONS, "comparisons", "comparison") \
    X(RATINGS, "ratings", "rating")             \
    X(LABELS, "labels", "label")                \
    X(DEMONSTRATIONS, "demonstrations", "demonstration")

enum stats_rows {
#define STATS_ROWS_ENUM(name, text, table) STATS_##name,
    STATS_ROWS(STATS_ROWS_ENUM)
#undef STATS_ROWS_ENUM
        STATS_ROWS_COUNT
};

struct stats_split_counts {
    int64_t prompts;
    int64_t rows[STATS_ROWS_COUNT];
};

struct stats_counts {
    int64_t prompts;
    int64_t prompts_by_kind[PROMPT_KIND_COUNT];
    int64_t rows[STATS_ROWS_COUNT];
    struct stats_split_counts by_split[SPLIT_COUNT];
    int64_t rankings; /* comparisons of more than two */
    int64_t origins;  /* of responses: models, authors */
    int64_t annotators, populations, sources, works, owners;
};

ERR_NODISCARD enum err_code stats_counts_load(struct db *db, struct stats_counts *out_counts,
                                              struct error *err);

/* "responses". Static. */
const char *stats_rows_name(enum stats_rows rows);

/* ---- aspects ---- */

struct stats_aspect {
    const char *name; /* NULL: rows that name none */
    int64_t count;
};

struct stats_aspects {
    struct arena texts;
    struct stats_aspect *items; /* by count, most first; lives in `texts` */
    int64_t count;
};

#define STATS_ASPECTS_MAX 1024
#define STATS_ASPECTS_INIT \
    { .texts = ARENA_INIT(16 * MIB), .items = NULL, .count = 0 }

enum stats_aspects_of {
    STATS_ASPECTS_OF_COMPARISONS,
    STATS_ASPECTS_OF_RATINGS,
    STATS_ASPECTS_OF_LABELS,
};

/*   fails  ERR_LIMIT beyond STATS_ASPECTS_MAX of them */
ERR_NODISCARD enum err_code stats_aspects_load(struct db *db, enum stats_aspects_of of,
                                               struct stats_aspects *out_aspects,
                                               struct error *err);
void stats_aspects_deinit(struct stats_aspects *aspects);

/* ---- prompts ---- */

/* Which split each prompt is in, by its id. */
struct stats_prompt_splits {
    int8_t *splits; /* [size] by id; -1: no such prompt */
    int64_t size;
};

ERR_NODISCARD enum err_code
stats_prompt_splits_load(struct db *db, struct stats_prompt_splits *out_splits, struct error *err);
void stats_prompt_splits_deinit(struct stats_prompt_splits *splits);

/* ---- lengths ---- */

/* Of each item of a set: its characters (code points), of a chat those of all its messages;
 * STATS_LENGTH_UNKNOWN (stats_bias.h) for items without text. `out_lengths` [I]. */
ERR_NODISCARD enum err_code stats_lengths_load(struct db *db, const struct comparison_set *set,
                                               int64_t *out_lengths, struct error *err);

static inline void stats_aspects_scoped_end(struct stats_aspects *aspects) {
    stats_aspects_deinit(aspects);
}

static inline void stats_prompt_splits_scoped_end(struct stats_prompt_splits *splits) {
    stats_prompt_splits_deinit(splits);
}

#endif
