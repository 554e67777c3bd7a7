/* comparison_set.h - comparisons without their texts, in arrays: what statistics and tabular models
 * read.
 *
 * Use:      SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
 *           TRY(comparison_set_load(db, &(struct comparison_set_options){0}, &set, err));
 *           for (int64_t c = 0; c < set.count; c++) {
 *               for (int64_t m = set.starts[c]; m < set.starts[c + 1]; m++) {
 *                   use(set.items[m], set.ranks[m]);
 *               }
 *           }
 *
 *           Tests and importers of other things fill the arrays themselves.
 * Legend:   C comparisons, M members of all of them, I items, B blocks, A annotators.
 * Items:    are compared within their block (the prompt) only; with items from origins, all
 *           comparisons are one block.
 * Owns:     its arrays (comparison_set_deinit).
 * Threads:  read-only once loaded.
 */
#ifndef DATA_COMPARISON_SET_H
#define DATA_COMPARISON_SET_H

#include "base/db.h"
#include "base/error.h"
#include "data/split.h"

#include <stdbool.h>
#include <stdint.h>

enum comparison_items {
    COMPARISON_ITEMS_RESPONSES, /* an item is a response to a prompt */
    COMPARISON_ITEMS_ORIGINS,   /* an item is who wrote it: a leaderboard of models */
};

enum comparison_from {
    COMPARISON_FROM_COMPARISONS,
    /* What one annotator, in one source and on one scale, gave the responses to one prompt is a
     * ranking; of several ratings of one response the last counts. Those of nobody in particular
     * are taken together: of several the mean counts. */
    COMPARISON_FROM_RATINGS,
    /* Every label is a "comparison" of one response, with nothing: `good` says what it was called.
     */
    COMPARISON_FROM_LABELS,
};

struct comparison_set_options {
    enum comparison_items items;
    enum comparison_from from;
    const char *aspect;     /* or ASPECT_NONE; NULL: the only one in the log, else an error */
    const char *population; /* NULL: everybody */
    const char *topic;      /* NULL: every prompt */
    bool one_split;         /* only prompts of `split` */
    enum split split;
    struct split_shares shares; /* all zero: the defaults */
};

struct comparison_set {
    /* items */
    int64_t item_count;
    int64_t *item_response_ids; /* [I]; NULL with items from origins */
    char **item_names;          /* [I] owned; NULL unless items from origins, or made by a test */
    int32_t *item_blocks;       /* [I] in [0, B) */
    int64_t block_count;
    int64_t *block_prompt_ids; /* [B]; NULL with items from origins */
    /* comparisons, by block and then by id */
    int64_t count;
    int64_t *comparison_ids; /* [C]; 0 where made from ratings or labels */
    int64_t *starts;         /* [C + 1] */
    int32_t *items;          /* [M] best first */
    int32_t *ranks;          /* [M] 1, 2, ... without gaps, ascending; equal is a tie */
    int32_t *positions;      /* [M] order shown, from 1; 0: not known */
    double *weights;         /* [C] */
    double *margins;         /* [C] how much better the first is, on the source's own scale; NaN:
                                not known; NULL: none is */
    bool *last_unordered;    /* [C] items of the last rank were not compared: no tie; NULL: none */
    bool *good;              /* [C] of labels, which have one item each; NULL: no labels */
    int32_t *annotators;     /* [C] in [0, A), or -1 */
    int64_t annotator_count;
    int64_t *annotator_ids; /* [A] */
    /* left out */
    int64_t identical; /* comparisons that hold one item twice */
};

#define COMPARISON_SET_INIT \
    { .item_count = 0 }

/* ERR_DATA if what is asked for is of several aspects and none is chosen, or there is nothing of
 * it, saying what there is; ERR_LIMIT beyond 2^31 - 1 items. */
ERR_NODISCARD enum err_code comparison_set_load(struct db *db,
                                                const struct comparison_set_options *options,
                                                struct comparison_set *out_set, struct error *err);

/* Puts items and comparisons into the order of their blocks, else as they are; for those who fill a
 * set themselves, and need not keep that order. */
ERR_NODISCARD enum err_code comparison_set_sort(struct comparison_set *set, struct error *err);

/* Some of the comparisons in blocks of their own, each of comparisons of one old block; an item is
 * in each block that has a comparison of it. For parts of a log, and of prompts with many answers.
 *   block_of_comparison  [C] in [0, block_count), or -1: left out
 *   out_part             owned, in the order of its blocks; its annotators are those of `set`
 *   out_sources          [items of the part] which item of `set` each is; owned (mem_free)
 *   fails                ERR_OOM */
ERR_NODISCARD enum err_code comparison_set_part(const struct comparison_set *set,
                                                const int32_t *block_of_comparison,
                                                int64_t block_count,
                                                struct comparison_set *out_part,
                                                int64_t **out_sources, struct error *err);

void comparison_set_deinit(struct comparison_set *set);

/* Whether a comparison is of more than two items; whether every weight is a whole number, as where
 * it counts repetitions. */
bool comparison_set_has_rankings(const struct comparison_set *set);
bool comparison_set_has_counts(const struct comparison_set *set);

/* Text to show for an item, on one line of at most `bytes_max` bytes, >= 3: the start of the
 * response's text, or of its first message, or the origin's name. Owned by the caller (mem_free).
 */
ERR_NODISCARD enum err_code comparison_set_item_text(struct db *db,
                                                     const struct comparison_set *set, int64_t item,
                                                     int64_t bytes_max, char **out_text,
                                                     struct error *err);

static inline void comparison_set_scoped_end(struct comparison_set *set) {
    comparison_set_deinit(set);
}

#endif
