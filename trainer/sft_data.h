/* sft_data.h - what is imitated, read and tokenised: training and evaluation sequences in memory.
 *
 * Use:      SCOPED(sft_data) struct sft_data data = SFT_DATA_INIT;
 *           TRY(sft_data_read(run, &config->data, tokenizer, &data, err));
 * Sources:  a project file gives conversations, whose responses are learnt (data/sft_examples.h);
 *           texts are learnt whole, with BOS before them where the model has one and EOS behind,
 *           cut into windows of sequence_tokens_max, at most the model's context.
 * Counted:  what is left out or cut, and why; nothing is lost silently.
 * Owns:     the sequences.
 * Threads:  main thread.
 */
#ifndef TRAINER_SFT_DATA_H
#define TRAINER_SFT_DATA_H

#include "base/error.h"
#include "base/hash.h"
#include "data/token_set.h"
#include "data/tokenizer.h"
#include "trainer/run.h"
#include "trainer/sft_config.h"

struct sft_data_counts {
    int64_t examples;                         /* read */
    int64_t repeated, blank, items, all_tied; /* left out: data/sft_examples.h */
    int64_t dropped;                          /* longer than sequence_tokens_max or context */
    int64_t cut;                              /* to it */
    int64_t border_moved;                     /* data/chat_encode.h */
};

struct sft_data {
    struct token_set training;
    struct token_set validation;
    struct sft_data_counts counts;
};

#define SFT_DATA_INIT \
    { .training = TOKEN_SET_INIT, .validation = TOKEN_SET_INIT }

/*   context  tokens that the model takes: no sequence is longer, whatever sequence_tokens_max says
 *   fails    ERR_USAGE without files; ERR_DATA when nothing is left to learn, with the counts; what
 *          readers, templates and tokenizers fail with */
ERR_NODISCARD enum err_code sft_data_read(struct run *run, const struct sft_data_config *config,
                                          const struct tokenizer *tokenizer, int64_t context,
                                          struct sft_data *out_data, struct error *err);

/* Of the tokens, targets and borders of all sequences: the same for the same training. */
ERR_NODISCARD enum err_code sft_data_hash(const struct sft_data *data,
                                          struct hash_digest *out_digest, struct error *err);
void sft_data_deinit(struct sft_data *data);

static inline void sft_data_scoped_end(struct sft_data *data) {
    sft_data_deinit(data);
}

#endif
