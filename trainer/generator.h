/* generator.h - a model, its tokenizer and a decoder, opened for answering prompts. No torch.
 *
 * Use:      SCOPED(generator) struct generator *generator = NULL;
 *           TRY(generator_open(&(struct generator_options){.model = "models/smollm2", ...},
 *                              &generator, err));
 *           TRY(generator_submit(generator, &prompt, err));               // any number
 *           bool has_answer = false;
 *           struct generator_answer answer;
 *           TRY(generator_next(generator, &answer, &has_answer, err));    // as they finish
 * Stops:    at the ids that end a turn or a text by the model's files, and at stop texts, which are
 *           looked for in the decoded text and are not part of the answer.
 * Texts:    hold nothing for an id that the tokenizer lacks (a model may have more rows than
 * tokens). Streams:  on_text is given whole characters as they come, held back as long as they may
 * be the beginning of a stop text. Owns:     all it opens; an answer is borrowed until the next
 * call. Threads:  one; a step runs a team inside.
 */
#ifndef TRAINER_GENERATOR_H
#define TRAINER_GENERATOR_H

#include "base/error.h"
#include "data/preference.h"
#include "policy/decoder.h"
#include "policy/sampler.h"

#include <stdbool.h>
#include <stdint.h>

struct generator;

#define GENERATOR_STOPS_MAX 16

struct generator_options {
    const char *model;         /* folder or file */
    const char *adapter;       /* PEFT folder that is merged into it; NULL: none */
    const char *template_name; /* NULL: the model's own; "none": prompts are plain text */
    int64_t slots;             /* answers written at a time */
    int64_t context;           /* tokens of a prompt and its answer; 0: the model's, at most 4096 */
    enum kernel_operand weights, cache;
    int64_t threads;
    struct sampler_config sampling;
    int64_t new_tokens_max;
    const char *stops[GENERATOR_STOPS_MAX]; /* texts; borrowed until closed */
    int64_t stops_count;
    uint64_t seed;
    /* Called with the text of the first answer to the first prompt, as it comes; NULL: nothing
     * streams. A false ends the answer. */
    bool (*on_text)(void *context, const char *text, size_t bytes);
    void *on_text_context;
};

struct generator_prompt {
    const struct message *messages; /* with the template; of plain text one message */
    int64_t message_count;
    int64_t samples;
    int64_t number; /* from 0: part of the random key, and handed back */
};

struct generator_answer {
    int64_t number; /* of the prompt */
    int64_t index;  /* of the sample */
    const char *text;
    size_t bytes;
    int64_t prompt_tokens, tokens;
    double logp_nats;       /* of its tokens, summed, in the distribution sampled from */
    double model_logp_nats; /* in the model's own */
    enum decoder_finish finish;
};

/* fails    what opening model, tokenizer, template or adapter fails with; ERR_USAGE for options out
 *          of range */
ERR_NODISCARD enum err_code generator_open(const struct generator_options *options,
                                           struct generator **out, struct error *err);
void generator_close(struct generator *generator);

/* fails    ERR_DATA for a conversation that the template cannot express, an empty prompt, and one
 *          that leaves no room in the context, with the numbers */
ERR_NODISCARD enum err_code generator_submit(struct generator *generator,
                                             const struct generator_prompt *prompt,
                                             struct error *err);

/* The next finished answer, in the order in which they finish; none when all are taken. */
ERR_NODISCARD enum err_code generator_next(struct generator *generator,
                                           struct generator_answer *out, bool *out_has_answer,
                                           struct error *err);

static inline void generator_scoped_end(struct generator **generator) {
    generator_close(*generator);
}

#endif
