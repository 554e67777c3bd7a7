/* reward_data.h - the comparisons of a project file and the tokens of their answers: what a reward
 * model on a language model is fitted to.
 *
 * Use:      SCOPED(reward_data) struct reward_data data = REWARD_DATA_INIT;
 *           const struct reward_data_source source = {.project = "tea.db", ...};
 *           TRY(reward_data_read(run, &source, &data, err));
 *           use(reward_data_sequence(&data, item));           // of the set
 * Parts:    prompts are for training, for evaluation, or for the test, by the splits of the log or
 *           by folds of groups. Answers of the test are not even tokenised.
 * Text:     prompt and answer in the chat template, as a conversation that is over.
 * Counted:  what is left out, and why; nothing is lost silently.
 * Owns:     the set and the sequences.
 * Threads:  main thread.
 */
#ifndef TRAINER_REWARD_DATA_H
#define TRAINER_REWARD_DATA_H

#include "base/hash.h"
#include "data/comparison_set.h"
#include "data/token_set.h"
#include "data/tokenizer.h"
#include "trainer/prompt_parts.h"
#include "trainer/reward_fit_config.h"
#include "trainer/run.h"

struct reward_data_counts {
    int64_t prompts[PROMPT_PART_COUNT];
    int64_t answers; /* tokenised */
    int64_t dropped; /* answers longer than sequence_tokens_max or context */
    int64_t cut;     /* answers whose prompt was cut to it */
    int64_t blank;   /* answers that say nothing; they are scored like others */
};

struct reward_data {
    struct comparison_set set;
    uint8_t *part_of_block; /* [B] enum prompt_part */
    struct token_set tokens;
    int64_t *sequence_of_item; /* [I] in `tokens`; -1: the item has none */
    struct reward_data_counts counts;
};

#define REWARD_DATA_INIT \
    { .set = COMPARISON_SET_INIT, .tokens = TOKEN_SET_INIT }

struct reward_data_source {
    const char *project;
    const struct reward_data_config *config;
    const struct tokenizer *tokenizer;
    int64_t context; /* tokens that the model takes */
    /* Sequences end with the last token of the answer, not with what the template writes behind it:
     * for log-probabilities, where that would be computed for nothing. */
    bool ends_with_answer;
};

/*   fails    ERR_DATA for a set of items without texts, and for an answer that is too long where
 *            those are refused; as comparison_set_load, fold_plan_by_group, templates and
 *            tokenizers */
ERR_NODISCARD enum err_code reward_data_read(struct run *run,
                                             const struct reward_data_source *source,
                                             struct reward_data *out_data, struct error *err);
void reward_data_deinit(struct reward_data *data);

/* The tokens of an item that has some. */
struct token_sequence reward_data_sequence(const struct reward_data *data, int64_t item);

/* Of tokens, comparisons and parts: the same for the same training. */
ERR_NODISCARD enum err_code reward_data_hash(const struct reward_data *data,
                                             struct hash_digest *out_digest, struct error *err);

static inline void reward_data_scoped_end(struct reward_data *data) {
    reward_data_deinit(data);
}

#endif
