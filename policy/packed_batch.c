/* packed_batch.c - see packed_batch.h. */
#include "policy/packed_batch.h"

#include "base/array.h"
#include "base/mem.h"

static int64_t count_targets(const bool *is_target, int64_t count) {
    int64_t targets = 0;
    for (int64_t i = 1; i < count; i++) {
        targets += !is_target || is_target[i];
    }
    return targets;
}

static enum err_code make_room(struct packed_batch *batch, int64_t tokens, int64_t targets,
                               struct error *err) {
    const struct array_ref token_arrays[] = {ARRAY_REF(batch->ids), ARRAY_REF(batch->positions)};
    const struct array_ref target_arrays[] = {ARRAY_REF(batch->target_rows),
                                              ARRAY_REF(batch->target_ids),
                                              ARRAY_REF(batch->target_sequences)};
    TRY(arrays_reserve(token_arrays, 2, &batch->tokens_capacity, batch->tokens + tokens,
                       "tokens of a packed batch", err));
    TRY(arrays_reserve(target_arrays, 3, &batch->targets_capacity, batch->targets + targets,
                       "targets of a packed batch", err));
    const struct array_ref sequence_arrays[] = {ARRAY_REF(batch->starts),
                                                ARRAY_REF(batch->last_rows)};
    return arrays_reserve(sequence_arrays, 2, &batch->sequences_capacity, batch->sequences + 2,
                          "sequences of a packed batch", err);
}

static void add_target(struct packed_batch *batch, int64_t row, int64_t id) {
    batch->target_rows[batch->targets] = row;
    batch->target_ids[batch->targets] = id;
    batch->target_sequences[batch->targets] = batch->sequences;
    batch->targets++;
}

enum err_code packed_batch_add(struct packed_batch *batch, const int32_t *ids, int64_t count,
                               const bool *is_target, struct error *err) {
    if (count < 1) {
        return err_set(err, ERR_DATA, "an empty sequence has nothing to predict from");
    }
    TRY(make_room(batch, count, count_targets(is_target, count), err));
    const int64_t start = batch->tokens;
    for (int64_t i = 0; i < count; i++) {
        batch->ids[start + i] = ids[i];
        batch->positions[start + i] = i;
        if (i > 0 && (!is_target || is_target[i])) {
            add_target(batch, start + i - 1, ids[i]);
        }
    }
    batch->tokens += count;
    batch->starts[batch->sequences] = start;
    batch->sequences++;
    batch->starts[batch->sequences] = batch->tokens;
    batch->last_rows[batch->added] = batch->tokens - 1;
    batch->added++;
    return ERR_OK;
}

/* One sequence of token 0, whatever that is. */
static enum err_code add_filler(struct packed_batch *batch, int64_t count, struct error *err) {
    TRY(make_room(batch, count, 0, err));
    for (int64_t i = 0; i < count; i++) {
        batch->ids[batch->tokens + i] = 0;
        batch->positions[batch->tokens + i] = i;
    }
    batch->tokens += count;
    batch->fillers += count;
    batch->sequences++;
    batch->starts[batch->sequences] = batch->tokens;
    return ERR_OK;
}

enum err_code packed_batch_fill(struct packed_batch *batch, int64_t multiple, int64_t longest,
                                struct error *err) {
    while (batch->tokens % multiple != 0) {
        const int64_t missing = multiple - batch->tokens % multiple;
        TRY(add_filler(batch, missing < longest ? missing : longest, err));
    }
    return ERR_OK;
}

void packed_batch_reset(struct packed_batch *batch) {
    batch->tokens = 0;
    batch->fillers = 0;
    batch->sequences = 0;
    batch->added = 0;
    batch->targets = 0;
}

void packed_batch_deinit(struct packed_batch *batch) {
    mem_free(batch->ids);
    mem_free(batch->positions);
    mem_free(batch->starts);
    mem_free(batch->last_rows);
    mem_free(batch->target_rows);
    mem_free(batch->target_ids);
    mem_free(batch->target_sequences);
    *batch = (struct packed_batch)PACKED_BATCH_INIT;
}
