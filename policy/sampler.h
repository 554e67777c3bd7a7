/* sampler.h - from a row of logits to a token, with the log-probability it was drawn with.
 *
 * Use:      SCOPED(sampler) struct sampler sampler = {0};
 *           TRY(sampler_init(vocab, &sampler, err));
 *           struct sampler_choice choice;
 *           TRY(sampler_draw(&sampler, &config, logits, &rng, &choice, err));
 *
 * What is sampled: softmax(logits / temperature), cut in the order of transformers 5 (temperature,
 *           top_k, top_p, min_p) and renormalised:
 *             top_k   the k largest, and all that equal the k-th
 *             top_p   the fewest largest whose sum is at least p: the one that crosses p is kept;
 *                     among equals the lower id goes first (transformers leaves that open)
 *             min_p   those of at least min_p times the probability of the largest
 *           The largest is always kept. `is_greedy` takes the largest itself, the lowest id among
 *           equals, whatever the other members say.
 * Drawing:  by inversion, one rng_uniform a token; sums in double.
 * Source:   top-p: Holtzman et al. 2020 (arXiv 1904.09751); min-p: Nguyen et al. 2024 (arXiv
 *           2407.01082). Deviation: none but the order among equals.
 * Owns:     scratch memory of some 16 bytes a token of the vocabulary.
 * Threads:  a sampler belongs to one thread.
 */
#ifndef POLICY_SAMPLER_H
#define POLICY_SAMPLER_H

#include "base/error.h"
#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>

struct sampler_config {
    bool is_greedy;
    double temperature; /* above 0; 1 samples the model's own distribution */
    int64_t top_k;      /* 0 to vocab; 0 keeps all */
    double top_p;       /* in (0, 1]; 1 keeps all */
    double min_p;       /* in [0, 1]; 0 keeps all */
};

/* Temperature 1, nothing cut: the only sampler whose draws are on-policy. */
struct sampler_config sampler_config_plain(void);

/* fails    ERR_USAGE naming the member and its range */
ERR_NODISCARD enum err_code sampler_config_check(const struct sampler_config *config, int64_t vocab,
                                                 struct error *err);

struct sampler_choice {
    int32_t token;
    double logp_nats;       /* in the distribution that was sampled; 0 when greedy */
    double model_logp_nats; /* in softmax(logits): temperature 1, nothing cut */
};

struct sampler_candidate {
    float logit;
    int32_t token;
};

struct sampler {
    int64_t vocab;
    double *blocks;                       /* sums of weights, by block of tokens */
    struct sampler_candidate *candidates; /* [vocab] */
};

ERR_NODISCARD enum err_code sampler_init(int64_t vocab, struct sampler *out, struct error *err);
void sampler_deinit(struct sampler *sampler);

/* logits [vocab]; `config` has been checked.
 *   fails    ERR_DATA naming the first token whose logit is not finite; `rng` is then untouched */
ERR_NODISCARD enum err_code sampler_draw(struct sampler *sampler,
                                         const struct sampler_config *config, const float *logits,
                                         struct rng *rng, struct sampler_choice *out,
                                         struct error *err);

static inline void sampler_scoped_end(struct sampler *sampler) {
    sampler_deinit(sampler);
}

#endif
