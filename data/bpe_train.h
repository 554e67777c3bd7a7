/* bpe_train.h - a byte-level BPE vocabulary from the user's own text.
 *
 * Use:      SCOPED(bpe_trainer) struct bpe_trainer *trainer = NULL;
 *           TRY(bpe_trainer_new(&(struct bpe_train_options)BPE_TRAIN_DEFAULT, &trainer, err));
 *           for (...) { TRY(bpe_trainer_add(trainer, text, bytes, err)); }
 *           struct bpe_train_report report;
 *           TRY(bpe_trainer_finish(trainer, &tok, &report, err));
 * Method:   Sennrich, Haddow, Birch 2016 (arXiv 1508.07909) on bytes (Radford et al. 2019): the
 * most frequent pair of neighbours inside words becomes a token, again and again. Of equally
 *           frequent pairs the one with the lower left id goes first, then the lower right id.
 * Ids:      special tokens in the order given, then the 256 bytes by their letter in GPT-2's
 *           alphabet, then merges in the order in which they were made.
 * Oracle:   BpeTrainer of the tokenizers library with ByteLevel's alphabet: the same vocabulary and
 *           merges. Deviation: no merge spells a special token. The library, where a text holds
 *           "<|im_end|>", learns merges that end in the special token's own id, and then anybody
 *           can type it.
 * Cost:     counts are kept up to date and the best pair is taken from a heap, so a merge costs as
 *           much as the words that it changes. Memory: the distinct words, not the text.
 * Repeats:  the result depends on the text and the options alone, not on how it is cut into calls
 *           of bpe_trainer_add between words.
 * Threads:  one.
 */
#ifndef DATA_BPE_TRAIN_H
#define DATA_BPE_TRAIN_H

#include "base/error.h"
#include "data/tokenizer.h"
#include "data/tokenizer_spec.h"

#include <stddef.h>
#include <stdint.h>

#define BPE_SPECIAL_MAX    1024
#define BPE_VOCABULARY_MIN 256
#define BPE_VOCABULARY_MAX (1000 * 1000)

struct bpe_train_options {
    int64_t vocabulary;         /* tokens in all, special ones and the 256 bytes included */
    int64_t min_frequency;      /* rarer pairs are not merged; 1 and 0 are the same */
    enum token_pattern pattern; /* what a word is */
    const char *const *special; /* [special_count]; borrowed until bpe_trainer_finish */
    int64_t special_count;
    int32_t bos, eos, pad;     /* places in `special`; -1: none */
    const char *chat_template; /* Jinja; NULL: none; borrowed likewise */
};

#define BPE_TRAIN_DEFAULT                                                                  \
    {                                                                                      \
        .vocabulary = 32000, .min_frequency = 2, .pattern = TOKEN_PATTERN_GPT2, .bos = -1, \
        .eos = -1, .pad = -1                                                               \
    }

struct bpe_train_report {
    int64_t bytes;          /* of text */
    int64_t words;          /* in it */
    int64_t distinct_words; /* */
    int64_t merges;
    int64_t last_frequency; /* of the last pair merged; 0: none was */
    bool ran_out;           /* no pair was frequent enough: fewer tokens than asked for */
};

struct bpe_trainer;

/* `*out` is owned.
 *   fails    ERR_USAGE for a vocabulary that cannot hold the special tokens and the bytes, or is
 *            above BPE_VOCABULARY_MAX; for special tokens that are empty, double or one byte */
ERR_NODISCARD enum err_code bpe_trainer_new(const struct bpe_train_options *options,
                                            struct bpe_trainer **out, struct error *err);
void bpe_trainer_free(struct bpe_trainer *trainer);

/* Counts the words of a text, UTF-8. A word ends with the text: whole documents are best.
 *   fails    ERR_DATA at the first byte that is no UTF-8; ERR_OOM */
ERR_NODISCARD enum err_code bpe_trainer_add(struct bpe_trainer *trainer, const char *text,
                                            size_t bytes, struct error *err);

/* Counts a word as often as `count` says. */
ERR_NODISCARD enum err_code bpe_trainer_add_word(struct bpe_trainer *trainer, const char *word,
                                                 size_t bytes, int64_t count, struct error *err);

/* Makes the merges. The trainer is used up. `*out_tok` is owned.
 *   fails    ERR_DATA where there is no text; ERR_INTERRUPTED; ERR_OOM */
ERR_NODISCARD enum err_code bpe_trainer_finish(struct bpe_trainer *trainer,
                                               struct tokenizer **out_tok,
                                               struct bpe_train_report *out_report,
                                               struct error *err);

static inline void bpe_trainer_scoped_end(struct bpe_trainer **trainer) {
    bpe_trainer_free(*trainer);
}

#endif
