/* align_prompts.h - the prompts of a project file that a policy answers, as texts and as tokens.
 *
 * Use:      SCOPED(align_prompts) struct align_prompts prompts = ALIGN_PROMPTS_INIT;
 *           TRY(align_prompts_read(run, &source, &prompts, err));
 *           const struct align_prompt *prompt = &prompts.list[PROMPT_TRAINING][i];
 * Which:    each prompt of the log once, whatever it was asked for, of the parts that are wanted;
 *           the others are counted and left alone, as are sets of items, which ask for nothing.
 * Tokens:   up to where the answer begins, in the chat template.
 * Counted:  what is left out, and why; nothing is lost silently.
 * Owns:     the prompts, until align_prompts_deinit, which is safe twice.
 * Threads:  main thread.
 */
#ifndef TRAINER_ALIGN_PROMPTS_H
#define TRAINER_ALIGN_PROMPTS_H

#include "base/arena.h"
#include "base/hash.h"
#include "data/chat_encode.h"
#include "data/preference.h"
#include "trainer/prompt_parts.h"
#include "trainer/run.h"

struct align_prompt {
    int64_t id;                      /* in the project file */
    struct preference_prompt prompt; /* what rewards are asked with */
    const int32_t *ids;              /* [count] */
    int64_t count;
};

struct align_prompts {
    struct align_prompt *list[PROMPT_PART_COUNT]; /* in the order of the log */
    int64_t count[PROMPT_PART_COUNT];
    int64_t dropped; /* too long */
    int64_t cut;     /* at their beginning */
    int64_t items;   /* sets of items */
    struct arena arena;
};

#define ALIGN_PROMPTS_INIT \
    { .arena = ARENA_INIT(SIZE_MAX) }

struct align_prompts_source {
    const char *project;
    const struct reward_data_config *config;
    const struct tokenizer *tokenizer;
    const struct chat_template *template;
    uint32_t parts;          /* bits 1 << PROMPT_...: those that are wanted, with tokens */
    enum prompt_part needed; /* of which there must be some */
    int64_t context;         /* tokens that the model takes */
    int64_t new_tokens_max;  /* that each prompt must leave room for */
};

/* fails    ERR_DATA without a prompt of the part that is needed, with the counts, and for one that
 * is too long where those are refused; as preference_reader, prompt_parts_make and chat_encode */
ERR_NODISCARD enum err_code align_prompts_read(struct run *run,
                                               const struct align_prompts_source *source,
                                               struct align_prompts *out_prompts,
                                               struct error *err);

/* Of all tokens and parts: the same for the same training. */
ERR_NODISCARD enum err_code align_prompts_hash(const struct align_prompts *prompts,
                                               struct hash_digest *out_digest, struct error *err);

/* Of the part. */
int64_t align_prompts_tokens(const struct align_prompts *prompts, enum prompt_part part);
void align_prompts_deinit(struct align_prompts *prompts);

static inline void align_prompts_scoped_end(struct align_prompts *prompts) {
    align_prompts_deinit(prompts);
}

#endif
