/* packed_batch.h - sequences laid end to end without padding: what every forward pass takes.
 *
 * Use:      SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
 *           TRY(packed_batch_add(&batch, ids, count, is_target, err));   // once per sequence
 *           ...
 *           tt_tensor *hidden = model_hidden(s, model, &batch);          // [N, D]
 *           struct token_logp logp = model_token_logp(s, model, hidden, &batch);
 *           packed_batch_reset(&batch);
 * Prefixes: answers to one prompt share it, so that it is computed once, forwards and backwards:
 *           TRY(packed_batch_add_prefix(&batch, prompt, prompt_count, &prefix, err));
 *           TRY(packed_batch_add_after(&batch, prefix, ids, count, is_target, err)); // per answer
 * Layout:   N tokens of S sequences; sequence i is tokens starts[i] .. starts[i + 1] - 1, at
 *           positions 0, 1, ..., or, where prefixes[i] is not -1, at those behind the last of
 *           sequence prefixes[i]; M targets, in order: target j is token target_ids[j], predicted
 *           from the hidden state of token target_rows[j], the one before it, and belongs to what
 *           was added as number target_owners[j]. No padding: what a batch gives does not depend on
 *           how sequences are packed, ordered, split into micro-batches or share what they begin
 *           with, beyond the rounding of matrix products; tests say so.
 * Owns:     its arrays; packed_batch_deinit is safe twice.
 * Threads:  no state.
 */
#ifndef POLICY_PACKED_BATCH_H
#define POLICY_PACKED_BATCH_H

#include "base/error.h"
#include "data/token_set.h"

#include <stdbool.h>
#include <stdint.h>

struct packed_batch {
    int64_t *ids;       /* [N] */
    int64_t *positions; /* [N] */
    int64_t tokens;     /* N */
    int64_t tokens_capacity;
    int64_t fillers; /* how many of the tokens packed_batch_fill added */

    int64_t *starts;   /* [S + 1]; NULL while there is none */
    int64_t *prefixes; /* [S]: the sequence that it continues, an earlier one, or -1 */
    int64_t sequences; /* S */
    int64_t sequences_capacity;

    int64_t *last_rows; /* [A] in [0, N): where what was added ends; not prefixes, nor fillers */
    int64_t added;      /* A */
    int64_t added_capacity;

    int64_t *target_rows;   /* [M] in [0, N) */
    int64_t *target_ids;    /* [M] */
    int64_t *target_owners; /* [M] in [0, A) */
    int64_t targets;        /* M */
    int64_t targets_capacity;
};

#define PACKED_BATCH_INIT                                                                \
    {                                                                                    \
        .ids = NULL, .positions = NULL, .tokens = 0, .tokens_capacity = 0, .fillers = 0, \
        .starts = NULL, .prefixes = NULL, .sequences = 0, .sequences_capacity = 0,       \
        .last_rows = NULL, .added = 0, .added_capacity = 0, .target_rows = NULL,         \
        .target_ids = NULL, .target_owners = NULL, .targets = 0, .targets_capacity = 0   \
    }

/* Adds one sequence. is_target [count] says which of its tokens are predicted and scored; the first
 * token has nothing before it and is none. NULL: all but the first.
 *   fails    ERR_DATA for an empty sequence; ERR_OOM; the batch is unchanged then */
ERR_NODISCARD enum err_code packed_batch_add(struct packed_batch *batch, const int32_t *ids,
                                             int64_t count, const bool *is_target,
                                             struct error *err);

/* Adds what others continue: without targets and without an end of its own. `*out_prefix` is its
 * number among the sequences.
 *   fails    as packed_batch_add */
ERR_NODISCARD enum err_code packed_batch_add_prefix(struct packed_batch *batch, const int32_t *ids,
                                                    int64_t count, int64_t *out_prefix,
                                                    struct error *err);

/* Adds one sequence that continues another. Its first token may be a target, predicted from the
 * last of the prefix. is_target NULL: all of them.
 *   fails    ERR_INTERNAL for a prefix that is none of the sequences, or continues one itself; as
 *            packed_batch_add */
ERR_NODISCARD enum err_code packed_batch_add_after(struct packed_batch *batch, int64_t prefix,
                                                   const int32_t *ids, int64_t count,
                                                   const bool *is_target, struct error *err);

/* What texts are computed for: their ends (model_scores), or their targets (model_token_logp). */
enum packed_want { PACKED_ENDS, PACKED_TARGETS };

/* Adds texts, with targets where those are wanted. The tokens that all of them begin with are there
 * once: where targets are wanted those before all targets, of which each is then of one text.
 *   fails    ERR_DATA for an empty text; ERR_OOM; the batch is unchanged then */
ERR_NODISCARD enum err_code packed_batch_add_texts(struct packed_batch *batch,
                                                   enum packed_want want,
                                                   const struct token_sequence *texts,
                                                   int64_t count, struct error *err);

/* How many tokens packed_batch_add_texts adds for them. */
int64_t packed_batch_tokens_of(enum packed_want want, const struct token_sequence *texts,
                               int64_t count);

/* How many of its first tokens a text may share with others that begin likewise. */
int64_t packed_batch_sharable(enum packed_want want, const struct token_sequence *text);

/* How many tokens both begin with. */
int64_t packed_batch_common(const struct token_sequence *a, const struct token_sequence *b);

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
