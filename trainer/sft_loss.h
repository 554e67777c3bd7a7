/* sft_loss.h - the loss of supervised fine-tuning on one micro-batch.
 *
 * Maths:    L = -(1 / T) sum over targets of log p(target | what precedes it), with T the targets
 *           of the whole optimiser step: so the gradients of its micro-batches add up to that of
 *           one batch, however it is cut.
 * Threads:  no state.
 */
#ifndef TRAINER_SFT_LOSS_H
#define TRAINER_SFT_LOSS_H

#include "policy/model.h"
#include "policy/packed_batch.h"
#include "tensor/tt.h"

/* Sums over targets. */
struct sft_sums {
    double nll_nats;
    double entropy_nats;
    int64_t correct; /* targets that no other token was likelier than */
    int64_t targets;
    int64_t tokens;
};

/* Adds the sums of a batch; with TT_GRAD also the gradients of L to the model's parameters.
 *   step_targets  T, at least the batch's own
 */
ERR_NODISCARD enum err_code sft_loss_add(struct model *model, const struct packed_batch *batch,
                                         int64_t step_targets, enum tt_grad_mode grad,
                                         struct sft_sums *sums, struct error *err);

#endif
