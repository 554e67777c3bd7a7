/* packed_batch.c - see packed_batch.h. */
#include "policy/packed_batch.h"

#include "base/mem.h"

#include <inttypes.h>

/* Room for `needed` elements in each of `arrays`, which share one capacity. */
static enum err_code reserve(int64_t **const *arrays, int64_t arrays_count, int64_t *capacity,
                             int64_t needed, struct error *err) {
    if (needed <= *capacity) {
        return ERR_OK;
    }
    const size_t grown = mem_grown_capacity((size_t)*capacity, (size_t)needed);
    for (int64_t i = 0; i < arrays_count; i++) {
        int64_t *larger = mem_array_resize(*arrays[i], grown, sizeof *larger);
        if (!larger) {
            return err_set(err, ERR_OOM, "packed batch: out of memory for %" PRId64 " tokens",
                           needed);
        }
        *arrays[i] = larger; /* larger than `capacity` says until all are: no harm */
    }
    *capacity = (int64_t)grown;
    return ERR_OK;
}

static int64_t count_targets(const bool *is_target, int64_t count) {
    int64_t targets = 0;
    for (int64_t i = 1; i < count; i++) {
        targets += !is_target || is_target[i];
    }
    return targets;
}

static enum err_code make_room(struct packed_batch *batch, int64_t tokens, int64_t targets,
                               struct error *err) {
    int64_t **const token_arrays[] = {&batch->ids, &batch->positions};
    int64_t **const target_arrays[] = {&batch->target_rows, &batch->target_ids,
                                       &batch->target_sequences};
    int64_t **const sequence_arrays[] = {&batch->starts};
    TRY(reserve(token_arrays, 2, &batch->tokens_capacity, batch->tokens + tokens, err));
    TRY(reserve(target_arrays, 3, &batch->targets_capacity, batch->targets + targets, err));
    return reserve(sequence_arrays, 1, &batch->sequences_capacity, batch->sequences + 2, err);
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
    return ERR_OK;
}

void packed_batch_reset(struct packed_batch *batch) {
    batch->tokens = 0;
    batch->sequences = 0;
    batch->targets = 0;
}

void packed_batch_deinit(struct packed_batch *batch) {
    mem_free(batch->ids);
    mem_free(batch->positions);
    mem_free(batch->starts);
    mem_free(batch->target_rows);
    mem_free(batch->target_ids);
    mem_free(batch->target_sequences);
    *batch = (struct packed_batch)PACKED_BATCH_INIT;
}
