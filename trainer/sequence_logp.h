/* sequence_logp.h - log-probabilities of whole answers: sums over their target tokens, on the host
 * in double. In the tensor half.
 *
 * Use:      struct sequence_scorer scorer = {.model = model, .tokens_max = 512, ...};
 *           TRY(sequence_logp_all(&scorer, texts, count, sums, err));     // without gradients
 *
 *           with gradients, in a scope of one's own, per micro-batch:
 *           struct token_logp token = model_token_logp(s, model, hidden, &batch);
 *           TRY(sequence_logp_read(s, &token, &batch, log_alpha, sums, err));
 * Threads:  as the model.
 */
#ifndef TRAINER_SEQUENCE_LOGP_H
#define TRAINER_SEQUENCE_LOGP_H

#include "base/progress.h"
#include "data/token_set.h"
#include "policy/model.h"

/* Of one sequence, nats. */
struct sequence_logp {
    double logp;
    double log_weight; /* of its tokens with log-probability at most log_alpha: the sum of ln w */
    double entropy;    /* of the distributions that its targets are from */
};

/* Adds up what is known of the targets [M] of a batch by sequence.
 *   out      [batch->added] in the order they were added
 *   fails    ERR_OOM; with the scope */
ERR_NODISCARD enum err_code sequence_logp_read(tt_scope *s, const struct token_logp *token,
                                               const struct packed_batch *batch, double log_alpha,
                                               struct sequence_logp *out, struct error *err);

struct sequence_scorer {
    struct model *model;
    int64_t tokens_max;        /* of one forward pass; a longer text goes alone */
    double log_alpha;          /* -INFINITY: log_weight is 0 */
    struct progress *progress; /* of texts; NULL: none */
};

/* Of each text. What those of a pass begin with in common is computed once (text_batches.h); what
 * one has does not depend on the others beyond the rounding of products. out      [count];
 * undefined on failure fails    ERR_INTERRUPTED; ERR_OOM; as model_hidden */
ERR_NODISCARD enum err_code sequence_logp_all(const struct sequence_scorer *scorer,
                                              const struct token_sequence *texts, int64_t count,
                                              struct sequence_logp *out, struct error *err);

#endif
