/* stats_counts.h - what the project file holds, counted.
 *
 * Use:      struct stats_counts counts;
 *           TRY(stats_counts_load(db, &counts, err));
 * Splits:   at the default shares (data/split.h).
 * Threads:  no state.
 */
#ifndef DATA_STATS_COUNTS_H
#define DATA_STATS_COUNTS_H

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

static inline void stats_prompt_splits_scoped_end(struct stats_prompt_splits *splits) {
    stats_prompt_splits_deinit(splits);
}

#endif
