/* leaderboard.c - see leaderboard.h. */
#include "reward/leaderboard.h"

#include "base/mem.h"
#include "base/normal_quantile.h"
#include "base/scoped.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int compare_rows(const void *left, const void *right) {
    const struct leaderboard_row *l = left, *r = right;
    if (l->prompt_id != r->prompt_id) {
        return l->prompt_id < r->prompt_id ? -1 : 1;
    }
    if (l->reward > r->reward || l->reward < r->reward) {
        return l->reward > r->reward ? -1 : 1;
    }
    return l->item < r->item ? -1 : l->item > r->item;
}

static double std_error_of(const struct tabular_stored *stored, int64_t item, int64_t reference) {
    if (reference != LEADERBOARD_NO_REFERENCE) {
        return item == reference ? 0.0
                                 : tabular_fit_contrast_std_error(&stored->fit, item, reference);
    }
    return stored->fit.std_errors ? stored->fit.std_errors[item] : (double)NAN;
}

void leaderboard_set_std_error(struct leaderboard *board, int64_t row, double std_error) {
    double z = normal_quantile(0.5 + board->options.confidence / 2.0);
    struct leaderboard_row *r = &board->rows[row];
    r->std_error = std_error;
    r->low = r->reward - z * std_error;
    r->high = r->reward + z * std_error;
}

static void fill_rows(const struct tabular_stored *stored, struct leaderboard *board) {
    int64_t reference = board->options.reference;
    bool has_reference = reference != LEADERBOARD_NO_REFERENCE;
    double zero = has_reference ? stored->fit.rewards[reference] : 0.0;
    for (int64_t i = 0; i < stored->fit.item_count; i++) {
        if (has_reference && !tabular_stored_comparable(stored, i, reference)) {
            continue;
        }
        board->rows[board->count] = (struct leaderboard_row){
            .item = i,
            .prompt_id = stored->prompt_ids ? stored->prompt_ids[i] : 0,
            .reward = stored->fit.rewards[i] - zero,
        };
        leaderboard_set_std_error(board, board->count++, std_error_of(stored, i, reference));
    }
    qsort(board->rows, (size_t)board->count, sizeof *board->rows, compare_rows);
}

/* Whether `better` is surely better, though it comes first only by its reward. */
static bool is_surely_better(const struct tabular_stored *stored, const struct leaderboard *board,
                             const struct leaderboard_row *better,
                             const struct leaderboard_row *worse) {
    if (board->ranks == LEADERBOARD_RANKS_OVERLAP) {
        return better->low > worse->high;
    }
    double z = normal_quantile(0.5 + board->options.confidence / 2.0);
    double std_error = tabular_fit_contrast_std_error(&stored->fit, better->item, worse->item);
    return better->reward - worse->reward > z * std_error;
}

static void rank_group(const struct tabular_stored *stored, struct leaderboard *board,
                       int64_t begin, int64_t end) {
    struct leaderboard_row *rows = board->rows;
    for (int64_t i = begin; i < end; i++) {
        bool is_equal = i > begin && rows[i].reward == rows[i - 1].reward;
        rows[i].rank = is_equal ? rows[i - 1].rank : i - begin + 1;
        if (board->ranks != LEADERBOARD_RANKS_UNKNOWN) {
            rows[i].rank_best = 1;
            rows[i].rank_worst = end - begin;
        }
    }
    for (int64_t i = begin; i < end && board->ranks != LEADERBOARD_RANKS_UNKNOWN; i++) {
        for (int64_t j = i + 1; j < end; j++) {
            bool surely = is_surely_better(stored, board, &rows[i], &rows[j]);
            rows[j].rank_best += surely;
            rows[i].rank_worst -= surely;
        }
    }
}

bool leaderboard_begins_group(const struct leaderboard *board, int64_t row) {
    return row == 0 || board->rows[row].prompt_id != board->rows[row - 1].prompt_id;
}

/* `stored` may be NULL but by contrasts. */
static void rank_all(const struct tabular_stored *stored, struct leaderboard *board) {
    int64_t end = 0;
    board->group_count = 0;
    for (int64_t begin = 0; begin < board->count; begin = end) {
        for (end = begin + 1; end < board->count && !leaderboard_begins_group(board, end);) {
            end++;
        }
        rank_group(stored, board, begin, end);
        board->group_count++;
    }
}

void leaderboard_rank_by_overlap(struct leaderboard *board) {
    board->ranks = LEADERBOARD_RANKS_OVERLAP;
    rank_all(NULL, board);
}

enum err_code leaderboard_make(const struct tabular_stored *stored,
                               const struct leaderboard_options *options, struct leaderboard *out,
                               struct error *err) {
    SCOPED(leaderboard) struct leaderboard board = {.options = *options};
    board.rows = mem_array_zero((size_t)stored->fit.item_count, sizeof *board.rows);
    if (!board.rows) {
        return err_oom(err, "leaderboard");
    }
    board.ranks = stored->fit.covariance   ? LEADERBOARD_RANKS_CONTRASTS
                  : stored->fit.std_errors ? LEADERBOARD_RANKS_OVERLAP
                                           : LEADERBOARD_RANKS_UNKNOWN;
    if (options->reference != LEADERBOARD_NO_REFERENCE && !stored->fit.covariance) {
        board.ranks = LEADERBOARD_RANKS_UNKNOWN; /* no error of a difference is known */
    }
    fill_rows(stored, &board);
    rank_all(stored, &board);
    *out = board;
    board = (struct leaderboard)LEADERBOARD_INIT;
    return ERR_OK;
}

void leaderboard_format_ranks(const struct leaderboard_row *row, const char *dash,
                              char out[LEADERBOARD_RANKS_BYTES]) {
    if (row->rank_best == 0 || row->rank_best == row->rank_worst) {
        (void)snprintf(out, LEADERBOARD_RANKS_BYTES, "%" PRId64,
                       row->rank_best ? row->rank_best : row->rank);
    } else {
        (void)snprintf(out, LEADERBOARD_RANKS_BYTES, "%" PRId64 "%s%" PRId64, row->rank_best, dash,
                       row->rank_worst);
    }
}

void leaderboard_deinit(struct leaderboard *board) {
    mem_free(board->rows);
    *board = (struct leaderboard)LEADERBOARD_INIT;
}
