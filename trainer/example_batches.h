/* example_batches.h - the examples that training steps learn from, in micro-batches: each example
 * whole, with all its answers, and what they begin with, their prompt, computed once. In the tensor
 * half.
 *
 * Use:      SCOPED(example_batches) struct example_batches batches = EXAMPLE_BATCHES_INIT;
 *           TRY(example_batches_init(&batches, &options, err));
 *           const double weight = example_batches_gather(&batches, step);
 *           for (int64_t first = 0, last = 0; first < batches.count; first = last) {
 *               TRY(example_batches_fill(&batches, first, &last, err));
 *               ... batches.batch: the answers of examples batches.step[first .. last - 1] ...
 *           }
 * Owns:     its arrays and a batch; the examples are borrowed.
 * Threads:  one.
 */
#ifndef TRAINER_EXAMPLE_BATCHES_H
#define TRAINER_EXAMPLE_BATCHES_H

#include "data/epoch_order.h"
#include "policy/packed_batch.h"
#include "trainer/reward_examples.h"

struct example_batches_options {
    const struct reward_examples *examples; /* some */
    enum packed_want want;                  /* of the answers: their ends, or their targets */
    int64_t examples_per_step;
    int64_t tokens_max; /* of a micro-batch; a longer example goes alone */
    int64_t context;    /* of the model: the longest filler */
    uint64_t seed;      /* of the order */
};

struct example_batches {
    struct example_batches_options options;
    struct epoch_order order;
    int64_t *step; /* [count] the examples of the step gathered last */
    int64_t count;
    struct packed_batch batch;
    struct token_sequence *texts; /* [answers] of one example, at most of the longest */
};

#define EXAMPLE_BATCHES_INIT \
    { .order = EPOCH_ORDER_INIT, .batch = PACKED_BATCH_INIT }

/* Fills what EXAMPLE_BATCHES_INIT made.
 *   fails    ERR_OOM */
ERR_NODISCARD enum err_code example_batches_init(struct example_batches *batches,
                                                 const struct example_batches_options *options,
                                                 struct error *err);
void example_batches_deinit(struct example_batches *batches);

/* The next examples of a shuffled epoch; returns what they weigh together. */
double example_batches_gather(struct example_batches *batches, int64_t step);

/* Tokens of the largest micro-batch of a step, which it gathers. */
int64_t example_batches_most(struct example_batches *batches, int64_t step);

/* Fills `batch` with the answers of the examples of the step from place `first` on, as many as fit;
 * `*out_last` is the first place that is not in it.
 *   fails    ERR_OOM */
ERR_NODISCARD enum err_code example_batches_fill(struct example_batches *batches, int64_t first,
                                                 int64_t *out_last, struct error *err);

static inline void example_batches_scoped_end(struct example_batches *batches) {
    example_batches_deinit(batches);
}

#endif
