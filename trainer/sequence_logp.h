/* sequence_logp.h - log-probabilities of whole answers: sums over their target tokens, on the host
 * in double. In the tensor half.
 *
 * Use:      struct sequence_scorer scorer = {.model = model, .tokens_max = 512, ...};
 *           TRY(sequence_logp_all(&scorer, texts, count, sums, err));     // without gradients
 *
 *           with gradients, in a scope of one's own, per micro-batch:
 *           struct token_logp token = model_token_logp(s, model, hidden, &batch);
 *           const struct sequence_targets targets = {.token = token, .log_alpha = log_alpha};
 *           TRY(sequence_logp_read(s, &targets, &batch, sums, err));
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
    double mean_logit; /* of the vocabulary, summed over its targets; 0 where not wanted */
    double top;        /* how many of its targets are the likeliest token there */
};

/* What is known of the targets [M] of a batch. */
struct sequence_targets {
    struct token_logp token;
    const tt_tensor *mean_logit; /* model_mean_logits; NULL: not wanted */
    double log_alpha;            /* -INFINITY: log_weight is 0 */
};

/* Adds up what is known of the targets by sequence.
 *   out      [batch->added] in the order they were added
 *   fails    ERR_OOM; with the scope */
ERR_NODISCARD enum err_code sequence_logp_read(tt_scope *s, const struct sequence_targets *targets,
                                               const struct packed_batch *batch,
                                               struct sequence_logp *out, struct error *err);

struct sequence_scorer {
    struct model *model;
    int64_t tokens_max;        /* of one forward pass; a longer text goes alone */
    double log_alpha;          /* -INFINITY: log_weight is 0 */
    bool has_mean_logit;       /* wanted */
    struct progress *progress; /* of texts; NULL: none */
};

/* Of each text. What those of a pass begin with in common is computed once (text_batches.h); what
 * one has does not depend on the others beyond the rounding of products.
 *   out      [count]; undefined on failure
 *   fails    ERR_INTERRUPTED; ERR_OOM; as model_hidden */
ERR_NODISCARD enum err_code sequence_logp_all(const struct sequence_scorer *scorer,
                                              const struct token_sequence *texts, int64_t count,
                                              struct sequence_logp *out, struct error *err);

#endif
