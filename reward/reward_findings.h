/* reward_findings.h - what is odd about the judgements that a reward model is to learn from, and
 * what follows from it: told before a fit, none of it stops one.
 *
 * Use:      struct reward_findings findings;
 *           TRY(reward_findings_of(&set, &terms, &findings, err));
 *           for (enum reward_finding f = 0; f < REWARD_FINDING_COUNT; f++) {
 *               if (findings.counts[f] > 0) { ... reward_finding_text(f) ... }
 *           }
 * Others:   data/check.h looks at the log itself: texts, annotators, prompts.
 * Threads:  no state.
 */
#ifndef REWARD_REWARD_FINDINGS_H
#define REWARD_REWARD_FINDINGS_H

#include "base/error.h"
#include "data/comparison_set.h"
#include "reward/reward_terms.h"

#include <stdint.h>

/* Name, key, what was found: counted things, a colon, what follows. */
#define REWARD_FINDINGS(X)                                                                       \
    X(ONE_SIDE, "one-side",                                                                      \
      "judgements, all for the answer that was shown in the same place: they may follow the "    \
      "place and not the answers; shuffle the order in which answers are shown")                 \
    X(ONE_PROMPT, "one-prompt",                                                                  \
      "prompt holds every judgement: what is learnt can neither be checked on others nor is "    \
      "likely to hold for them; judge answers to more prompts")                                  \
    X(ONLY_TIES, "only-ties",                                                                    \
      "judgements, and all are ties: nothing says which answer is better, and every score is "   \
      "as good as another; judge pairs that differ")                                             \
    X(DIVIDED, "divided-pairs",                                                                  \
      "pairs that are no clear win, by people who differ or by ties read as half a win of "      \
      "either: kept as shares of votes, so the loss stays above their entropy however good the " \
      "model is")                                                                                \
    X(SEPARABLE, "separable",                                                                    \
      "judgements without any contradiction: the likelihood alone asks for ever larger scores; " \
      "label smoothing, one or two epochs and the temperature of calibration keep them honest")

enum reward_finding {
#define REWARD_FINDING_ENUM(name, key, text) REWARD_FINDING_##name,
    REWARD_FINDINGS(REWARD_FINDING_ENUM)
#undef REWARD_FINDING_ENUM
        REWARD_FINDING_COUNT
};

/* Judgements from which on one side alone is told: of a fair coin one run of so many in 128 has one
 * side. */
#define REWARD_ONE_SIDE_MIN 8

struct reward_findings {
    int64_t counts[REWARD_FINDING_COUNT]; /* 0: not found */
    /* The least that the loss of the pairs can be, per unit of weight, without regularisers and
     * margins: the entropy of their votes. NaN without pairs, or with reliabilities of annotators,
     * which allow for errors. */
    double pair_loss_min; /* nats */
};

/* `terms` of that set. */
ERR_NODISCARD enum err_code reward_findings_of(const struct comparison_set *set,
                                               const struct reward_terms *terms,
                                               struct reward_findings *out_findings,
                                               struct error *err);

/* "one-side"; the text above. Static. */
const char *reward_finding_key(enum reward_finding finding);
const char *reward_finding_text(enum reward_finding finding);

#endif
