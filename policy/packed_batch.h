/* packed_batch.h - sequences laid end to end without padding: what every forward pass takes.
 *
 * Use:      SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
 *           TRY(packed_batch_add(&batch, ids, count, is_target, err));   // once per sequence
 *           ...
 *           tt_tensor *hidden = model_hidden(s, model, &batch);          // [N, D]
 *           struct token_logp logp = model_token_logp(s, model, hidden, &batch);
 *           packed_batch_reset(&batch);
 * Layout:   N tokens of S sequences; sequence i is tokens starts[i] .. starts[i + 1] - 1, at
 *           positions 0, 1, ...; M targets, in order: target j is token target_ids[j], predicted
 *           from the hidden state of token target_rows[j], the one before it, and belongs to
 * sequence target_sequences[j]. No padding: what a batch gives does not depend on how sequences are
 * packed, ordered or split into micro-batches, beyond the rounding of matrix products; a test says
 * so. Owns:     its arrays; packed_batch_deinit is safe twice. Threads:  no state.
 */
#ifndef POLICY_PACKED_BATCH_H
#define POLICY_PACKED_BATCH_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct packed_batch {
    int64_t *ids;       /* [N] */
    int64_t *positions; /* [N] */
    int64_t tokens;     /* N */
    int64_t tokens_capacity;
    int64_t fillers; /* how many of the tokens packed_batch_fill added */

    int64_t *starts;   /* [S + 1]; NULL while there is none */
    int64_t sequences; /* S */
    int64_t sequences_capacity;

    int64_t *last_rows; /* [A] in [0, N): last tokens of the sequences added, of fillers none */
    int64_t added;      /* A */

    int64_t *target_rows;      /* [M] in [0, N) */
    int64_t *target_ids;       /* [M] */
    int64_t *target_sequences; /* [M] in [0, S) */
    int64_t targets;           /* M */
    int64_t targets_capacity;
};

#define PACKED_BATCH_INIT                                                                       \
    {                                                                                           \
        .ids = NULL, .positions = NULL, .tokens = 0, .tokens_capacity = 0, .fillers = 0,        \
        .starts = NULL, .sequences = 0, .sequences_capacity = 0, .last_rows = NULL, .added = 0, \
        .target_rows = NULL, .target_ids = NULL, .target_sequences = NULL, .targets = 0,        \
        .targets_capacity = 0                                                                   \
    }

/* Adds one sequence. is_target [count] says which of its tokens are predicted and scored; the first
 * token has nothing before it and is none. NULL: all but the first.
 *   fails    ERR_DATA for an empty sequence; ERR_OOM; the batch is unchanged then */
ERR_NODISCARD enum err_code packed_batch_add(struct packed_batch *batch, const int32_t *ids,
                                             int64_t count, const bool *is_target,
                                             struct error *err);

/* What forward passes fill to: few shapes, and at 512 tokens 3 % more of them on average. */
#define PACKED_BATCH_ROWS 32

/* Makes the number of tokens a multiple, by sequences of at most `longest` tokens without targets.
 * They change nothing but the shapes of matrix products, of which there are then few: oneDNN makes
 * kernels for every number of rows that it meets, and keeps them.
 *   fails    ERR_OOM */
ERR_NODISCARD enum err_code packed_batch_fill(struct packed_batch *batch, int64_t multiple,
                                              int64_t longest, struct error *err);

/* Empty, capacity kept. */
void packed_batch_reset(struct packed_batch *batch);
void packed_batch_deinit(struct packed_batch *batch);

static inline void packed_batch_scoped_end(struct packed_batch *batch) {
    packed_batch_deinit(batch);
}

#endif
