/* direct_reference.h - what a direct method measures log-probabilities against: of every answer one
 * number, found before the first step, so that no second model stays in memory. In the tensor half.
 *
 * Use:      SCOPED(direct_reference) struct direct_reference reference = DIRECT_REFERENCE_INIT;
 *           TRY(direct_reference_init(&reference, config, &training, &validation, err));
 *           TRY(direct_reference_measure(&reference, &source, err));   // with the first weights
 *           double r = reference.logp[item];
 * Owns:     its arrays; configuration and examples are borrowed.
 * Threads:  main thread.
 */
#ifndef TRAINER_DIRECT_REFERENCE_H
#define TRAINER_DIRECT_REFERENCE_H

#include "base/hash.h"
#include "policy/model.h"
#include "trainer/align_config.h"
#include "trainer/reward_examples.h"
#include "trainer/run.h"

enum direct_part { DIRECT_TRAINING, DIRECT_VALIDATION, DIRECT_PART_COUNT };

struct direct_reference {
    const struct align_config *config;
    const struct reward_examples *parts[DIRECT_PART_COUNT];
    bool is_measured;         /* false: all below are 0, or false */
    double *logp;             /* [items of the data] R (objective_direct.h) */
    double *start;            /* [items] S of the first weights, of answers for evaluation; of
                               * those to learn from where ... */
    bool has_training_starts; /* the reference is what training starts from */
    /* kto: for each example an answer to another prompt, and its R; else none */
    struct token_set mismatched[DIRECT_PART_COUNT];
    double *mismatched_logp[DIRECT_PART_COUNT];
};

#define DIRECT_REFERENCE_INIT                            \
    {                                                    \
        .mismatched = { TOKEN_SET_INIT, TOKEN_SET_INIT } \
    }

/*   fails    as mismatched_answers_make; ERR_OOM */
ERR_NODISCARD enum err_code
direct_reference_init(struct direct_reference *reference, const struct align_config *config,
                      int64_t context, const struct reward_examples *training,
                      const struct reward_examples *validation, struct error *err);
void direct_reference_deinit(struct direct_reference *reference);

/* Tokens that are read to measure it. */
int64_t direct_reference_tokens(const struct direct_reference *reference);

struct direct_reference_source {
    struct run *run;
    struct model *model; /* with the weights that training starts from */
    const struct tokenizer *tokenizer;
    int64_t tokens_max; /* of a forward pass */
};

/* Opens the model that config->reference names, where it names one, and frees it again.
 *   fails    ERR_DATA for a model that the tokenizer is not of, and for a log-probability that is
 *            not finite; as model_open and sequence_logp_all */
ERR_NODISCARD enum err_code direct_reference_measure(struct direct_reference *reference,
                                                     const struct direct_reference_source *source,
                                                     struct error *err);

/* Adds to a digest what is measured against: a resumed run must find the same.
 *   fails    as weight_source_open */
ERR_NODISCARD enum err_code direct_reference_hash(const struct direct_reference *reference,
                                                  struct hash_state *state, struct error *err);

static inline void direct_reference_scoped_end(struct direct_reference *reference) {
    direct_reference_deinit(reference);
}

#endif
