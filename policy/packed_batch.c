/* packed_batch.c - see packed_batch.h. */
#include "policy/packed_batch.h"

#include "base/array.h"
#include "base/mem.h"

#include <inttypes.h>

/* A sequence to be added. */
struct addition {
    const int32_t *ids;    /* [count]; NULL: token 0 each */
    const bool *is_target; /* [count]; NULL: what all_targets says of all */
    int64_t count;
    bool all_targets;
    int64_t prefix; /* -1: none */
};

/* The first token of a text has nothing before it that could predict it. */
static bool is_predicted(const struct addition *sequence, int64_t i) {
    const bool is_target = sequence->is_target ? sequence->is_target[i] : sequence->all_targets;
    return is_target && (i > 0 || sequence->prefix >= 0);
}

static int64_t count_targets(const struct addition *sequence) {
    int64_t targets = 0;
    for (int64_t i = 0; i < sequence->count; i++) {
        targets += is_predicted(sequence, i);
    }
    return targets;
}

static enum err_code make_room(struct packed_batch *batch, int64_t tokens, int64_t targets,
                               struct error *err) {
    const struct array_ref token_arrays[] = {ARRAY_REF(batch->ids), ARRAY_REF(batch->positions)};
    const struct array_ref target_arrays[] = {ARRAY_REF(batch->target_rows),
                                              ARRAY_REF(batch->target_ids),
                                              ARRAY_REF(batch->target_owners)};
    TRY(arrays_reserve(token_arrays, 2, &batch->tokens_capacity, batch->tokens + tokens,
                       "tokens of a packed batch", err));
    TRY(arrays_reserve(target_arrays, 3, &batch->targets_capacity, batch->targets + targets,
                       "targets of a packed batch", err));
    const struct array_ref sequence_arrays[] = {ARRAY_REF(batch->starts),
                                                ARRAY_REF(batch->prefixes)};
    TRY(arrays_reserve(sequence_arrays, 2, &batch->sequences_capacity, batch->sequences + 2,
                       "sequences of a packed batch", err));
    return array_reserve(ARRAY_REF(batch->last_rows), &batch->added_capacity, batch->added + 1,
                         "ends of a packed batch", err);
}

static void add_target(struct packed_batch *batch, int64_t row, int64_t id) {
    batch->target_rows[batch->targets] = row;
    batch->target_ids[batch->targets] = id;
    batch->target_owners[batch->targets] = batch->added;
    batch->targets++;
}

/* Where a sequence ends: the row behind its last. */
static int64_t end_of(const struct packed_batch *batch, int64_t sequence) {
    return batch->starts[sequence + 1];
}

/* The sequence, without an end that is wanted. */
static enum err_code append(struct packed_batch *batch, const struct addition *sequence,
                            struct error *err) {
    if (sequence->count < 1) {
        return err_set(err, ERR_DATA, "an empty sequence has nothing to predict from");
    }
    TRY(make_room(batch, sequence->count, count_targets(sequence), err));
    const int64_t prefix = sequence->prefix;
    const int64_t start = batch->tokens;
    const int64_t row_before = prefix < 0 ? -1 : end_of(batch, prefix) - 1;
    const int64_t position = prefix < 0 ? 0 : batch->positions[row_before] + 1;
    for (int64_t i = 0; i < sequence->count; i++) {
        const int64_t id = sequence->ids ? sequence->ids[i] : 0;
        batch->ids[start + i] = id;
        batch->positions[start + i] = position + i;
        if (is_predicted(sequence, i)) {
            add_target(batch, i > 0 ? start + i - 1 : row_before, id);
        }
    }
    batch->tokens += sequence->count;
    batch->starts[batch->sequences] = start;
    batch->prefixes[batch->sequences] = prefix;
    batch->sequences++;
    batch->starts[batch->sequences] = batch->tokens;
    return ERR_OK;
}

/* append made the room. */
static void add_end(struct packed_batch *batch) {
    batch->last_rows[batch->added] = batch->tokens - 1;
    batch->added++;
}

enum err_code packed_batch_add(struct packed_batch *batch, const int32_t *ids, int64_t count,
                               const bool *is_target, struct error *err) {
    const struct addition sequence = {
        .ids = ids, .is_target = is_target, .count = count, .all_targets = true, .prefix = -1};
    TRY(append(batch, &sequence, err));
    add_end(batch);
    return ERR_OK;
}

enum err_code packed_batch_add_prefix(struct packed_batch *batch, const int32_t *ids, int64_t count,
                                      int64_t *out_prefix, struct error *err) {
    const struct addition sequence = {.ids = ids, .count = count, .prefix = -1};
    TRY(append(batch, &sequence, err));
    *out_prefix = batch->sequences - 1;
    return ERR_OK;
}

enum err_code packed_batch_add_after(struct packed_batch *batch, int64_t prefix, const int32_t *ids,
                                     int64_t count, const bool *is_target, struct error *err) {
    const struct addition sequence = {
        .ids = ids, .is_target = is_target, .count = count, .all_targets = true, .prefix = prefix};
    if (prefix < 0 || prefix >= batch->sequences || batch->prefixes[prefix] >= 0) {
        return err_set(err, ERR_INTERNAL,
                       "sequence %" PRId64 " cannot be continued: there are %" PRId64
                       ", and it must not continue one itself",
                       prefix, batch->sequences);
    }
    TRY(append(batch, &sequence, err));
    add_end(batch);
    return ERR_OK;
}

/* --- texts ------------------------------------------------------------------------------------ */

int64_t packed_batch_common(const struct token_sequence *a, const struct token_sequence *b) {
    const int64_t shorter = a->count < b->count ? a->count : b->count;
    int64_t i = 0;
    while (i < shorter && a->ids[i] == b->ids[i]) {
        i++;
    }
    return i;
}

int64_t packed_batch_sharable(enum packed_want want, const struct token_sequence *text) {
    int64_t i = 0;
    if (want == PACKED_ENDS) {
        return text->count;
    }
    while (i < text->count && (text->is_target ? !text->is_target[i] : i == 0)) {
        i++;
    }
    return i;
}

static int64_t shared_by_all(enum packed_want want, const struct token_sequence *texts,
                             int64_t count) {
    int64_t shared = count > 0 ? texts[0].count : 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t common = packed_batch_common(&texts[0], &texts[i]);
        const int64_t sharable = packed_batch_sharable(want, &texts[i]);
        shared = common < shared ? common : shared;
        shared = sharable < shared ? sharable : shared;
    }
    return shared;
}

int64_t packed_batch_tokens_of(enum packed_want want, const struct token_sequence *texts,
                               int64_t count) {
    const int64_t shared = shared_by_all(want, texts, count);
    int64_t tokens = shared;
    for (int64_t i = 0; i < count; i++) {
        tokens += texts[i].count - shared;
    }
    return tokens;
}

/* What follows the first `shared` tokens, which are sequence `prefix`, or none; and its end. */
static enum err_code add_rest(struct packed_batch *batch, enum packed_want want,
                              const struct token_sequence *text, int64_t shared, int64_t prefix,
                              struct error *err) {
    const bool has_targets = want == PACKED_TARGETS;
    const struct addition rest = {
        .ids = text->ids + shared,
        .is_target = has_targets && text->is_target ? text->is_target + shared : NULL,
        .all_targets = has_targets,
        .count = text->count - shared,
        .prefix = prefix};
    if (prefix >= 0 && rest.count == 0) {
        TRY(make_room(batch, 0, 0, err));
        batch->last_rows[batch->added] = end_of(batch, prefix) - 1;
        batch->added++;
        return ERR_OK;
    }
    TRY(append(batch, &rest, err));
    add_end(batch);
    return ERR_OK;
}

static enum err_code add_texts(struct packed_batch *batch, enum packed_want want,
                               const struct token_sequence *texts, int64_t count,
                               struct error *err) {
    const int64_t shared = shared_by_all(want, texts, count);
    int64_t prefix = -1;
    if (count > 1 && shared > 0) {
        TRY(packed_batch_add_prefix(batch, texts[0].ids, shared, &prefix, err));
    }
    for (int64_t i = 0; i < count; i++) {
        TRY(add_rest(batch, want, &texts[i], prefix < 0 ? 0 : shared, prefix, err));
    }
    return ERR_OK;
}

enum err_code packed_batch_add_texts(struct packed_batch *batch, enum packed_want want,
                                     const struct token_sequence *texts, int64_t count,
                                     struct error *err) {
    const struct packed_batch before = *batch;
    const enum err_code code = add_texts(batch, want, texts, count, err);
    if (code != ERR_OK) {
        batch->tokens = before.tokens;
        batch->sequences = before.sequences;
        batch->added = before.added;
        batch->targets = before.targets;
    }
    return code;
}

/* --- fillers ---------------------------------------------------------------------------------- */

/* One sequence of token 0, whatever that is. */
static enum err_code add_filler(struct packed_batch *batch, int64_t count, struct error *err) {
    TRY(append(batch, &(struct addition){.count = count, .prefix = -1}, err));
    batch->fillers += count;
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
    mem_free(batch->prefixes);
    mem_free(batch->last_rows);
    mem_free(batch->target_rows);
    mem_free(batch->target_ids);
    mem_free(batch->target_owners);
    *batch = (struct packed_batch)PACKED_BATCH_INIT;
}
