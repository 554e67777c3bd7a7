/* diversity.h - how many different things completions say.
 *
 * Use:      struct distinct_count n2;
 *           TRY(diversity_ngrams(&completions, tokens, 2, &n2, err));
 *           double distinct_2 = (double)n2.distinct / (double)n2.total;
 *           int64_t unique = diversity_unique(&completions, tokens, group);
 * Source:   Li et al. 2016, "A diversity-promoting objective function for neural conversation
 *           models" (distinct-n), arXiv 1510.03055; on tokens, not words. It falls with the number
 *           of n-grams: compare equally many completions, of similar length.
 * Legend:   completions.h.
 * Threads:  no state.
 */
#ifndef TRAINER_DIVERSITY_H
#define TRAINER_DIVERSITY_H

#include "base/error.h"
#include "trainer/completions.h"

#include <stdint.h>

struct distinct_count {
    int64_t distinct, total;
};

/* n-grams within the completions, all of them together.
 *   tokens  [T]
 *   n       >= 1; a completion shorter than that has none
 *   fails   ERR_OOM */
ERR_NODISCARD enum err_code diversity_ngrams(const struct completions *completions,
                                             const int32_t *tokens, int64_t n,
                                             struct distinct_count *out_count, struct error *err);

/* Different completions among the G of a group. */
int64_t diversity_unique(const struct completions *completions, const int32_t *tokens,
                         int64_t group);

#endif
