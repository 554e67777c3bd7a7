/* mismatched_answers.h - prompts with answers to others: what KTO estimates its KL divergence from.
 *
 * Use:      SCOPED(token_set) struct token_set mismatched = TOKEN_SET_INIT;
 *           TRY(mismatched_answers_make(&examples, &training, tokens_max, &mismatched, err));
 * Source:   Ethayarajh et al. 2024 (arXiv 2402.01306), section 4.1: of pairs (x, y') with y' an
 *           answer to another prompt the mean of ln(pi / ref), at least 0, is biased and cheap, and
 *           needs no samples. Which y' goes with x is settled before the first step, so that ref is
 *           asked once.
 * Threads:  no state.
 */
#ifndef TRAINER_MISMATCHED_ANSWERS_H
#define TRAINER_MISMATCHED_ANSWERS_H

#include "trainer/reward_examples.h"

/* For example e its prompt, up to where answers begin, with an answer of the next one of `partners`
 * from place e + 1 on that is of another prompt; the answers of a partner take turns. Sequences are
 * cut at their end to `tokens_max`.
 *   out_set  one sequence for each example, owned
 *   fails    ERR_DATA where all partners have the example's prompt; ERR_OOM */
ERR_NODISCARD enum err_code mismatched_answers_make(const struct reward_examples *examples,
                                                    const struct reward_examples *partners,
                                                    int64_t tokens_max, struct token_set *out_set,
                                                    struct error *err);

#endif
