/* decoder.h - continuations of prompts, many at a time.
 *
 * Use:      struct decoder_options options = decoder_options_of(&config);
 *           SCOPED(decoder) struct decoder *decoder = NULL;
 *           TRY(decoder_open(&config, &weights, &options, &decoder, err));
 *           TRY(decoder_submit(decoder, &request, err));           // any number, at any time
 *           while (decoder_pending(decoder) > 0) {
 *               TRY(decoder_step(decoder, err));
 *               struct decoder_sample sample;
 *               while (decoder_take(decoder, &sample)) { ...; decoder_sample_deinit(&sample); }
 *           }
 *
 * Step:     one token for every sample in a slot. Finished samples leave and waiting ones enter at
 *           every step; prompts are read in pieces beside them, each prompt once for all of its
 *           samples, which share the pages of the cache that it fills.
 * Repeats:  tokens and log-probabilities of a sample depend on the weights, its prompt, its
 * sampling and its key (seed, rng_step, rng_item + index): not on slots, batch, order of submission
 *           or threads, bit for bit. They do depend on the instruction set (kernel_matmul.h).
 * Failing:  after ERR_INTERRUPTED the next step goes on; after any other error of decoder_step only
 *           decoder_close is left.
 * Source:   batching by steps: Yu et al. 2022 (Orca, OSDI 22); prompts in pieces: Agrawal et al.
 *           2023 (Sarathi, arXiv 2308.16369); shared pages: Kwon et al. 2023 (arXiv 2309.06180).
 * Owns:     packed weights, cache, what is submitted, and samples until they are taken.
 * Threads:  a decoder is used by one thread; a step runs a team inside.
 */
#ifndef POLICY_DECODER_H
#define POLICY_DECODER_H

#include "base/error.h"
#include "policy/decoder_backend.h"
#include "policy/model_config.h"
#include "policy/sampler.h"

#include <stdbool.h>
#include <stdint.h>

struct decoder;

struct decoder_options {
    int64_t slots;        /* samples decoded at a time, 1 to DECODER_SLOTS_MAX */
    int64_t context;      /* tokens of a prompt and its continuation, 2 to the model's context */
    int64_t cache_tokens; /* over all slots; at least one whole context */
    int64_t prompt_rows;  /* prompt tokens read in one step, at least 1 */
    enum kernel_operand weights;
    enum kernel_operand cache;
    struct kernel_cpu cpu;
    bool finishes; /* interrupts are the caller's to look for: no step fails with ERR_INTERRUPTED */
};

#define DECODER_SLOTS_MAX       4096
#define DECODER_PROMPT_ROWS_MAX 65536
#define DECODER_THREADS_MAX     1024
#define DECODER_SAMPLES_MAX     1048576 /* of one prompt */

/* 16 slots of the model's whole context, 128 prompt tokens a step, bf16, one thread. */
struct decoder_options decoder_options_of(const struct model_config *config);

enum decoder_finish {
    DECODER_FINISH_STOP_ID,   /* the last token is one of the request's stops */
    DECODER_FINISH_STOP_TEXT, /* on_token said so */
    DECODER_FINISH_LENGTH,    /* new_tokens_max */
    DECODER_FINISH_CONTEXT,   /* prompt and continuation fill the context */
};

/* "stop id", "stop text", "length", "context". Static. */
const char *decoder_finish_name(enum decoder_finish finish);

/* One new token, as it comes. */
struct decoder_token {
    int64_t tag;
    int64_t index; /* of the sample among those of its request */
    int64_t place; /* 0 for the first new token */
    struct sampler_choice choice;
};

/* Returns whether the sample ends with this token: where stop strings, which live in decoded text,
 * are looked for. */
typedef bool (*decoder_on_token)(void *context, const struct decoder_token *token);

struct decoder_request {
    const int32_t *prompt; /* [prompt_count] ids; copied */
    int64_t prompt_count;  /* 1 to context - 1 */
    int64_t samples;       /* G, 1 to DECODER_SAMPLES_MAX */
    struct sampler_config sampling;
    int64_t new_tokens_max; /* at least 1 */
    const int32_t *stops;   /* [stop_count] ids that end a sample; copied */
    int64_t stop_count;
    uint64_t seed; /* sample i draws from rng_stream(seed, RNG_SAMPLE, rng_step, rng_item + i) */
    int64_t rng_step;
    int64_t rng_item;
    int64_t tag;               /* the caller's, handed back */
    decoder_on_token on_token; /* or NULL */
    void *on_token_context;    /* borrowed until the samples are finished */
};

struct decoder_sample {
    int64_t tag;
    int64_t index;
    int64_t count;           /* new tokens, with the stop id if there is one */
    int32_t *tokens;         /* [count]; owned */
    double *logp_nats;       /* [count], in the distribution sampled from (policy/sampler.h) */
    double *model_logp_nats; /* [count], in the model's own */
    enum decoder_finish finish;
};

void decoder_sample_deinit(struct decoder_sample *sample);

/* On the CPU.
 *   fails    ERR_USAGE naming the option and its range; ERR_DATA for a model of scores; ERR_OOM;
 *            what `weights` fails with */
ERR_NODISCARD enum err_code decoder_open(const struct model_config *config,
                                         const struct decoder_weights *weights,
                                         const struct decoder_options *options,
                                         struct decoder **out, struct error *err);

/* On another backend, made for these options; moved, closed on failure too. */
ERR_NODISCARD enum err_code decoder_open_on(const struct model_config *config,
                                            const struct decoder_options *options,
                                            struct decoder_backend backend, struct decoder **out,
                                            struct error *err);

void decoder_close(struct decoder *decoder);

/* How a backend for these options is sized: pages, rows_max, wanted_max. */
struct decoder_cpu_options;
struct decoder_cpu_options decoder_backend_sizes(const struct decoder_options *options);

/* New weights of the same model, while nothing is pending.
 *   fails    ERR_USAGE when samples are pending; what `weights` fails with */
ERR_NODISCARD enum err_code
decoder_refresh(struct decoder *decoder, const struct decoder_weights *weights, struct error *err);

/* fails    ERR_USAGE naming what is wrong with the request: an empty prompt, one that leaves no
 * room in the context, an id outside the vocabulary, sampling out of range */
ERR_NODISCARD enum err_code
decoder_submit(struct decoder *decoder, const struct decoder_request *request, struct error *err);

/* Samples submitted and not yet finished. */
int64_t decoder_pending(const struct decoder *decoder);

/* What has been done since opening. */
struct decoder_stats {
    int64_t steps;
    int64_t prompt_tokens; /* read: each prompt counts once, whatever its samples */
    int64_t new_tokens;
    int64_t samples; /* finished */
};

struct decoder_stats decoder_stats(const struct decoder *decoder);

/* Does nothing when nothing is pending.
 *   fails    ERR_INTERRUPTED, before anything is done; ERR_DATA for logits that are not finite,
 *            naming step, tag and sample; ERR_OOM; ERR_BACKEND */
ERR_NODISCARD enum err_code decoder_step(struct decoder *decoder, struct error *err);

/* A finished sample, moved to the caller; false when there is none. In the order in which they
 * finished. */
bool decoder_take(struct decoder *decoder, struct decoder_sample *out);

static inline void decoder_scoped_end(struct decoder **decoder) {
    decoder_close(*decoder);
}

#endif
