/* model_scorer.h - the scores of many texts, as tokens, by a model of scores.
 *
 * Use:      SCOPED(model_scorer) struct model_scorer scorer = {.model = model, .tokens_max = 8192};
 *           const struct token_sequence texts[] = {{.ids = ids, .count = count}, ...};
 *           TRY(model_scorer_score(&scorer, texts, texts_count, scores, err));
 * Does:     forward passes without gradients over texts laid end to end. What texts begin with in
 *           common, such as the prompt of several answers, is computed once (text_batches.h): the
 *           more texts a call brings, the more they share. What a text scores does not depend on
 * the others beyond the rounding of matrix products (policy/packed_batch.h). Memory:   of the
 * activations of tokens_max tokens, or of the longest text. Owns:     a batch, whose room is kept
 * for the next call, until model_scorer_deinit, which is safe twice; the model is borrowed.
 * Threads:  as the model.
 */
#ifndef POLICY_MODEL_SCORER_H
#define POLICY_MODEL_SCORER_H

#include "data/token_set.h"
#include "policy/model.h"

struct model_scorer {
    struct model *model;
    int64_t tokens_max; /* of one forward pass; a longer text goes alone */
    struct packed_batch batch;
};

/* The score of each text, out of model_scores.
 *   out_scores  [count] f64, in the order of the texts; f32 numbers; undefined on failure
 *   fails    ERR_DATA for a language model, naming a text that is empty or longer than the model's
 *            context, that has an id outside the vocabulary, or whose score is not finite;
 *            ERR_USAGE for tokens_max < 1; ERR_OOM */
ERR_NODISCARD enum err_code model_scorer_score(struct model_scorer *scorer,
                                               const struct token_sequence *texts, int64_t count,
                                               double *out_scores, struct error *err);

void model_scorer_deinit(struct model_scorer *scorer);

static inline void model_scorer_scoped_end(struct model_scorer *scorer) {
    model_scorer_deinit(scorer);
}

#endif
