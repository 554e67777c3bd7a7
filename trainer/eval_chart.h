/* eval_chart.h - small pictures of an evaluation, each an SVG of fixed size within a page.
 *
 * Use:      eval_chart_strip(out, scores, count, &range);
 * Style:    classes of eval_html.c's style sheet colour them; shapes, hatching and letters say the
 *           same without colour. The same bytes for the same input.
 * Threads:  no state.
 */
#ifndef TRAINER_EVAL_CHART_H
#define TRAINER_EVAL_CHART_H

#include "base/strbuf.h"
#include "reward/reward_eval.h"

#include <stdint.h>

/* Of an axis of shares, in per cent. */
struct eval_chart_range {
    int64_t low, high; /* multiples of 10 */
};

/* Holds all values and intervals, and 50. */
struct eval_chart_range eval_chart_range_of(const struct pair_score *const *scores, int64_t count);

/* Letter of a reward: A, B, ... */
char eval_chart_letter(int64_t reward);

/* A row: one line a score, with its letter, dot and interval, over a coin's 50 %. `scores` [count],
 * of which letters[i] names the i-th. NULL leaves a line out. */
void eval_chart_strip(struct strbuf *out, const struct pair_score *const *scores, int64_t count,
                      const struct eval_chart_range *range);

/* The axis above such rows. */
void eval_chart_axis(struct strbuf *out, const struct eval_chart_range *range);

/* What margins said beside what people said, with the judgements of each bin below. */
void eval_chart_reliability(struct strbuf *out, const struct pair_scores *scores);

/* Histogram of margins towards what people prefer; those below zero, which are wrong, are hatched.
 */
void eval_chart_margins(struct strbuf *out, const struct eval_margins *margins);

/* Margins of the longer side over the ratio of lengths, with means of ten groups. */
void eval_chart_lengths(struct strbuf *out, const struct reward_eval_row *row);

#endif
