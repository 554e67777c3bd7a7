/* metrics.h - numbers for programs: one JSON line a step, and TensorBoard.
 *
 * Use:      SCOPED(metrics) struct metrics *metrics = NULL;
 *           TRY(metrics_open(&(struct metrics_options){.path = "runs/7/metrics.jsonl",
 *                            .tensorboard_folder = "runs/7", .clock = &clock}, &metrics, err));
 *           const struct metric row[] = {{"loss_nats", loss}, {"kl_nats_mean", kl}};
 *           TRY(metrics_add(metrics, step, row, 2, err));
 *           TRY(metrics_sync(metrics, err));
 *
 * Row:      {"step":12,"time":1763781845.123,"loss_nats":0.5,"kl_nats_mean":null,
 *            "kl_nats_mean_nonfinite":"nan"}     (one line; time in seconds since 1970, UTC)
 * Keys:     are fixed by the first row, in its order; later rows must have the same, in any order.
 *           The unit stands in the name. Letters, digits and "_-./", at most METRICS_KEY_BYTES.
 * Nonfinite: JSON has no such numbers: the value is null, and `<key>_nonfinite`, "nan", "inf" or
 *           "-inf", follows in that row only. No metric's own key may end so.
 * Failure:  each row leaves in one write, so a killed run loses none; metrics_sync makes them
 *           survive a loss of power. After a failed write there are no more rows.
 * Resuming: metrics_open cuts off an unfinished last line and all rows from `first_step` on, which
 *           the resumed run writes again; the rows that stay fix the keys.
 * Threads:  one writer belongs to one thread.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/clock.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define METRICS_KEYS_MAX  256
#define METRICS_KEY_BYTES 128

struct metric {
    const char *key;
    double value;
};

struct metrics;

struct metrics_options {
    const char *path;               /* the JSON-lines file, made if missing */
    const char *tensorboard_folder; /* NULL for none */
    const struct clock *clock;      /* borrowed until closed */
    int64_t first_step;             /* of this process: 0 for a new run, more when resuming */
};

/* `*out_metrics` is owned (metrics_close).
 *   fails    ERR_IO; ERR_OOM; ERR_DATA when the file holds something that is no row of ours */
ERR_NODISCARD enum err_code metrics_open(const struct metrics_options *options,
                                         struct metrics **out_metrics, struct error *err);

/* One row. Steps increase.
 *   fails    ERR_INTERNAL for a key that is new, missing, double or misspelt, and for a step that
 *            does not increase, naming it; ERR_IO */
ERR_NODISCARD enum err_code metrics_add(struct metrics *metrics, int64_t step,
                                        const struct metric *row, size_t count, struct error *err);

/* Waits for the disk: at checkpoints and before closing. */
ERR_NODISCARD enum err_code metrics_sync(struct metrics *metrics, struct error *err);

void metrics_close(struct metrics *metrics);

static inline void metrics_scoped_end(struct metrics **metrics) {
    metrics_close(*metrics);
}

#endif
