/* pair_scores_json.h - figures of pair_metrics.h as JSON, the same in every report.
 *
 * Use:      pair_score_put(&w, "accuracy", &scores.accuracy);
 *           pair_bins_put(&w, scores.bins);
 * Threads:  no state.
 */
#ifndef TRAINER_PAIR_SCORES_JSON_H
#define TRAINER_PAIR_SCORES_JSON_H

#include "base/json_writer.h"
#include "reward/pair_metrics.h"

/* "name": {"value", "low", "high"}, null where it is not known. */
void pair_score_put(struct json_writer *w, const char *name, const struct pair_score *score);

/* "reliability": the bins that hold judgements. */
void pair_bins_put(struct json_writer *w, const struct pair_bin bins[PAIR_BINS]);

#endif
