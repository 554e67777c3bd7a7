/* tensorboard.h - event files that TensorBoard shows.
 *
 * Use:      SCOPED(tensorboard) struct tensorboard *tb = NULL;
 *           TRY(tensorboard_open("runs/7", &clock, &tb, err));
 *           TRY(tensorboard_add_scalars(tb, step, metrics, count, err));
 *           TRY(tensorboard_sync(tb, err));
 *
 * Format:   TFRecord framing (length, masked CRC32C of it, bytes, masked CRC32C of them) around
 *           `Event` protocol buffers, encoded by hand: tensorflow/core/util/event.proto,
 *           tensorflow/core/framework/summary.proto.
 * Numbers:  are float32 there; the exact doubles are in metrics.jsonl. Not-a-number and infinities
 *           pass, and TensorBoard marks them.
 * Failure:  each event leaves in one write, so a killed run loses none. After a failed write the
 *           writer refuses more.
 * Threads:  one writer belongs to one thread.
 */
#ifndef BASE_TENSORBOARD_H
#define BASE_TENSORBOARD_H

#include "base/clock.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct metric; /* base/metrics.h: key and value */
struct tensorboard;

/* Makes `folder` if missing and a new file `events.out.tfevents.<seconds>.<host>.<pid>.<n>` in it:
 * TensorBoard joins all of a folder. `clock` is borrowed until closed. `*out_tb` is owned
 * (tensorboard_close).
 *   fails    ERR_IO, ERR_OOM */
ERR_NODISCARD enum err_code tensorboard_open(const char *folder, const struct clock *clock,
                                             struct tensorboard **out_tb, struct error *err);

/* For a resumed run: what older files of the folder say about `step` and later is void. */
ERR_NODISCARD enum err_code tensorboard_restart(struct tensorboard *tb, int64_t step,
                                                struct error *err);

/* All of them as one event. */
ERR_NODISCARD enum err_code tensorboard_add_scalars(struct tensorboard *tb, int64_t step,
                                                    const struct metric *metrics, size_t count,
                                                    struct error *err);

/* `text` is Markdown, at most a megabyte; shown under the tab "text". */
ERR_NODISCARD enum err_code tensorboard_add_text(struct tensorboard *tb, int64_t step,
                                                 const char *tag, const char *text,
                                                 struct error *err);

/* Waits for the disk: at checkpoints and before closing. */
ERR_NODISCARD enum err_code tensorboard_sync(struct tensorboard *tb, struct error *err);

/* Path of the file; borrowed. */
const char *tensorboard_path(const struct tensorboard *tb);

void tensorboard_close(struct tensorboard *tb);

static inline void tensorboard_scoped_end(struct tensorboard **tb) {
    tensorboard_close(*tb);
}

#endif
