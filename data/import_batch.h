/* import_batch.h - the preferences and works that one row of a file makes.
 *
 * Use:      in a format's read function:
 *               TRY(import_batch_add(batch, PREFERENCE_COMPARISON, 2, &made, &sides, err));
 *               made->line = row->line;
 *               sides[0].text = text_span_of(chosen);
 *           in the driver: import_batch_reset before each row.
 * Owns:     an arena for rows, responses, messages and made-up text; all of it is borrowed until
 *           the next reset. What rows borrow from elsewhere (the parsed JSON, the cells) lives as
 *           long by the driver's care.
 * Threads:  no state.
 */
#ifndef DATA_IMPORT_BATCH_H
#define DATA_IMPORT_BATCH_H

#include "base/arena.h"
#include "base/error.h"
#include "data/preference.h"

#include <stdint.h>

/* Largest memory that one row may take, apart from its own text. */
#define IMPORT_BATCH_BYTES_MAX (256 * MIB)

struct import_batch {
    struct arena arena;
    struct preference **rows; /* [row_count] in the arena */
    int64_t row_count, row_capacity;
    struct preference_work **works; /* [work_count] in the arena */
    int64_t work_count, work_capacity;
};

#define IMPORT_BATCH_INIT \
    { .arena = ARENA_INIT(IMPORT_BATCH_BYTES_MAX) }

void import_batch_deinit(struct import_batch *batch);

/* Empty, memory kept. */
void import_batch_reset(struct import_batch *batch);

/* A zeroed preference with weight 1 and `response_count` zeroed responses (rank 0), which it
 * already refers to. ERR_LIMIT beyond PREFERENCE_RESPONSES_MAX or the memory. */
ERR_NODISCARD enum err_code import_batch_add(struct import_batch *batch, enum preference_kind kind,
                                             int64_t response_count, struct preference **out_row,
                                             struct preference_response **out_responses,
                                             struct error *err);

ERR_NODISCARD enum err_code import_batch_add_work(struct import_batch *batch,
                                                  struct preference_work **out_work,
                                                  struct error *err);

/* `count` zeroed messages. ERR_LIMIT beyond PREFERENCE_MESSAGES_MAX. */
ERR_NODISCARD enum err_code import_batch_messages(struct import_batch *batch, int64_t count,
                                                  struct message **out_messages, struct error *err);

/* A copy of some text. */
ERR_NODISCARD enum err_code import_batch_text(struct import_batch *batch, const char *bytes,
                                              size_t count, struct text_span *out_text,
                                              struct error *err);

static inline void import_batch_scoped_end(struct import_batch *batch) {
    import_batch_deinit(batch);
}

#endif
