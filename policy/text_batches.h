/* text_batches.h - many texts in few forward passes: what they begin with in common, such as the
 * prompt of several answers, is computed once.
 *
 * Use:      SCOPED(text_batches) struct text_batches batches = TEXT_BATCHES_INIT;
 *           TRY(text_batches_init(&batches, &options, texts, count, err));
 *           while (batches.done < count) {
 *               TRY(text_batches_next(&batches, &batch, err));
 *               ... values [batch.added] ...
 *               for (int64_t k = 0; k < batch.added; k++) {
 *                   out[text_batches_place(&batches, k)] = values[k];
 *               }
 *           }
 * Order:    groups (prefix_groups.h) go longest first, so that a lack of memory shows at once; the
 *           more texts a call brings, the more they share.
 * Owns:     its arrays; the ids are borrowed from the texts.
 * Threads:  no state.
 */
#ifndef POLICY_TEXT_BATCHES_H
#define POLICY_TEXT_BATCHES_H

#include "policy/prefix_groups.h"

struct text_batches_options {
    enum packed_want want;
    int64_t tokens_max; /* of one forward pass; a longer text goes alone */
    int64_t context;    /* of the model: the longest filler */
};

struct ranked_group;

struct text_batches {
    struct text_batches_options options;
    struct prefix_groups groups;
    struct ranked_group *ranked; /* [groups.count] */
    int64_t *places;             /* [texts] in the order they are computed in */
    int64_t next;                /* group that no batch has had yet, among those ranked */
    int64_t begin, done;         /* texts in the batches before this one; and with it */
};

#define TEXT_BATCHES_INIT \
    { .groups = PREFIX_GROUPS_INIT }

/* Fills what TEXT_BATCHES_INIT made.
 *   fails    ERR_OOM */
ERR_NODISCARD enum err_code text_batches_init(struct text_batches *batches,
                                              const struct text_batches_options *options,
                                              const struct token_sequence *texts, int64_t count,
                                              struct error *err);
void text_batches_deinit(struct text_batches *batches);

/* Fills `batch`, which may be of any state before, with as many groups as fit, at least one.
 *   fails    ERR_DATA for an empty text; ERR_OOM */
ERR_NODISCARD enum err_code text_batches_next(struct text_batches *batches,
                                              struct packed_batch *batch, struct error *err);

/* The place among the texts given of what was added to the batch as number k. */
static inline int64_t text_batches_place(const struct text_batches *batches, int64_t k) {
    return batches->places[batches->begin + k];
}

static inline void text_batches_scoped_end(struct text_batches *batches) {
    text_batches_deinit(batches);
}

#endif
