/* reference_decoder.h - the forward pass of every model family once more, as plain loops in double.
 *
 * Use:      struct reference_decoder *model = reference_decoder_random(&config, 7);
 *           double *logits = ...[count, V];
 *           reference_decoder_run(model, tokens, count, logits);   // of every position
 *           struct decoder_weights weights = reference_decoder_weights(model);
 *           reference_decoder_free(model);
 *
 * Shares nothing with the code under test but the names of parameters: no cache, no blocks, no
 * approximated functions. Sums are in double; weights are f32, and rope's angles are the f32
 * products that transformers makes.
 */
#ifndef TESTS_SUPPORT_REFERENCE_DECODER_H
#define TESTS_SUPPORT_REFERENCE_DECODER_H

#include "policy/decoder_backend.h"
#include "policy/model_config.h"

#include <stdint.h>

struct reference_decoder {
    struct model_config config;
    int64_t count;
    float **values; /* by index of the layout */
};

/* Zeros, for a caller that fills `values`. */
struct reference_decoder *reference_decoder_new(const struct model_config *config);

/* Normal values of a size that keeps activations near 1; norms near 1. */
struct reference_decoder *reference_decoder_random(const struct model_config *config,
                                                   uint64_t seed);
void reference_decoder_free(struct reference_decoder *model);

/* Every value to the nearest bf16. */
void reference_decoder_round(struct reference_decoder *model);

/* logits [count, V], out */
void reference_decoder_run(const struct reference_decoder *model, const int32_t *tokens,
                           int64_t count, double *out_logits);

/* log softmax(logits)[token] */
double reference_decoder_logp(const double *logits, int64_t vocab, int64_t token);

/* Borrows the model. */
struct decoder_weights reference_decoder_weights(const struct reference_decoder *model);

#endif
