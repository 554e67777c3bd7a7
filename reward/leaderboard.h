/* leaderboard.h - items of a tabular fit in order, with what their errors leave open.
 *
 * Use:      SCOPED(leaderboard) struct leaderboard board = LEADERBOARD_INIT;
 *           TRY(leaderboard_make(&stored, &(struct leaderboard_options){.confidence = 0.95,
 *                                .reference = LEADERBOARD_NO_REFERENCE}, &board, err));
 * Ranks:    An item is surely better than another if the confidence interval of the difference of
 *           their rewards lies above zero. So many items are surely better than it and so many
 *           surely worse: its rank lies between. Each pair is judged on its own; there is no
 *           correction for there being many.
 * Owns:     its rows.
 * Threads:  no state.
 */
#ifndef REWARD_LEADERBOARD_H
#define REWARD_LEADERBOARD_H

#include "base/error.h"
#include "reward/tabular_store.h"

#include <stdbool.h>
#include <stdint.h>

#define LEADERBOARD_NO_REFERENCE (-1)

/* What the ranks that are possible come from. */
enum leaderboard_ranks {
    LEADERBOARD_RANKS_CONTRASTS, /* intervals of differences, by the covariance */
    LEADERBOARD_RANKS_OVERLAP,   /* whether the items' own intervals overlap: wider than need be */
    LEADERBOARD_RANKS_UNKNOWN,   /* nothing: there are no standard errors, or of some items only */
};

struct leaderboard_options {
    double confidence; /* in (0, 1) */
    int64_t reference; /* item whose reward is zero; only what can be compared with it is shown */
};

struct leaderboard_row {
    int64_t item;
    int64_t prompt_id; /* 0: all items can be compared */
    int64_t rank;      /* among the items of its prompt, from 1; equal rewards share one */
    int64_t rank_best, rank_worst; /* 0 with LEADERBOARD_RANKS_UNKNOWN */
    double reward;                 /* nats, against the mean of the prompt or the reference */
    double std_error, low, high;   /* NaN where not known */
};

struct leaderboard {
    struct leaderboard_row *rows; /* [count] by prompt, then best first */
    int64_t count;
    int64_t group_count; /* prompts */
    enum leaderboard_ranks ranks;
    struct leaderboard_options options;
};

#define LEADERBOARD_INIT \
    { .rows = NULL, .count = 0 }

/* `out` is owned. Takes time in the square of the items of a prompt. */
ERR_NODISCARD enum err_code leaderboard_make(const struct tabular_stored *stored,
                                             const struct leaderboard_options *options,
                                             struct leaderboard *out, struct error *err);
void leaderboard_deinit(struct leaderboard *board);

/* Fills in the error of a row that has none (tabular_variance.h), and with it the interval. */
void leaderboard_set_std_error(struct leaderboard *board, int64_t row, double std_error);

/* Ranks by whether intervals overlap; once every row has one. */
void leaderboard_rank_by_overlap(struct leaderboard *board);

/* Whether the rows of the next prompt begin at `row`, the first row included. */
bool leaderboard_begins_group(const struct leaderboard *board, int64_t row);

#define LEADERBOARD_RANKS_BYTES 48

/* "2-4" with that dash, "3" where the range is one rank, or the rank where no range is known. */
void leaderboard_format_ranks(const struct leaderboard_row *row, const char *dash,
                              char out[LEADERBOARD_RANKS_BYTES]);

static inline void leaderboard_scoped_end(struct leaderboard *board) {
    leaderboard_deinit(board);
}

#endif
