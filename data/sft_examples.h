/* sft_examples.h - what supervised fine-tuning imitates: answers that people approved of, and plain
 * texts.
 *
 * Use:      SCOPED(sft_examples) struct sft_examples *examples = NULL;
 *           TRY(sft_examples_open(db, &(struct sft_options){
 *                   .choices = SFT_CHOICES_DEFAULT, .one_split = true, .split = SPLIT_TRAIN},
 *                   &examples, err));
 *           struct sft_example example;
 *           bool has_example = false;
 *           for (;;) {
 *               TRY(sft_examples_next(examples, &example, &has_example, err));
 *               if (!has_example) { break; }
 *               use(&example);
 *           }
 *           report(sft_examples_counts(examples));
 * Choice:   each answer that one of the choices names is given once, however often it was judged:
 *           an answer that won twenty comparisons is one example. Of a comparison the best are
 *           those of rank 1 if another is ranked below them; where all tie, none is best.
 * Left out: sets of items, which are no texts, answers that show nothing, and answers given before;
 *           all are counted.
 * Order:    as preference_reader.h gives them; of several best, as they stood in the source.
 * Owns:     its reader or file. All that an example refers to is borrowed until the next call.
 * Threads:  one.
 */
#ifndef DATA_SFT_EXAMPLES_H
#define DATA_SFT_EXAMPLES_H

#include "base/db.h"
#include "base/error.h"
#include "data/preference.h"
#include "data/split.h"

#include <stdbool.h>
#include <stdint.h>

/* Name, as typed by users; what it chooses. */
#define SFT_CHOICES(X)                                           \
    X(SHOWN, "shown", "demonstrations")                          \
    X(BEST, "best", "the best of each comparison")               \
    X(GOOD, "good", "answers labelled good")                     \
    X(RATED, "rated", "answers rated at least as high as asked") \
    X(ALL, "all", "every answer in the log")

enum sft_choice {
#define SFT_ENUM(name, text, help) SFT_##name,
    SFT_CHOICES(SFT_ENUM)
#undef SFT_ENUM
        SFT_CHOICE_COUNT
};

/* What nobody needs to set a threshold for. */
#define SFT_CHOICES_DEFAULT (1U << SFT_SHOWN | 1U << SFT_BEST | 1U << SFT_GOOD)

struct sft_options {
    uint32_t choices;   /* bits 1 << SFT_...; an answer needs one of them */
    double rating_min;  /* SFT_RATED, on the source's own scale */
    const char *origin; /* only answers written by this one; NULL: all; so below */
    const char *aspect, *population, *topic;
    bool one_split;
    enum split split;
    struct split_shares shares; /* all zero: the defaults */
};

/* A conversation whose last part is to be learnt, or a text that is learnt as a whole. */
struct sft_example {
    const struct message *messages; /* [message_count] */
    int64_t message_count;
    int64_t response_from;   /* messages from this one on are the response */
    struct text_span text;   /* a text: then message_count is 0 */
    struct hash_key prompt;  /* of the prompt, or of the text: what the split follows from */
    int64_t response_id;     /* in the project file; 0: a text */
    const char *source_path; /* where it came from */
    int64_t line;
};

struct sft_counts {
    int64_t examples;
    int64_t repeated; /* chosen again; given the first time only */
    int64_t blank;    /* answers, or texts, that show nothing */
    int64_t items;    /* sets of items */
    int64_t all_tied; /* comparisons without a best */
};

struct sft_examples;

/* Of a project file; `db` is borrowed until closed, the texts of `options` are copied.
 *   fails    ERR_USAGE without a choice; as preference_reader_open */
ERR_NODISCARD enum err_code sft_examples_open(struct db *db, const struct sft_options *options,
                                              struct sft_examples **out, struct error *err);

/* Texts of a file: of JSON lines ("*.jsonl", "*.json", with or without ".gz") the member "text" of
 * each object, else the whole file, which is one text (without a byte order mark). Of `options`
 * only the split counts; there is no db to borrow. fails    ERR_IO; ERR_DATA naming file, line and
 * $.path, or the byte that is no UTF-8; ERR_LIMIT for a text beyond PREFERENCE_TEXT_BYTES_MAX */
ERR_NODISCARD enum err_code sft_examples_open_file(const char *path,
                                                   const struct sft_options *options,
                                                   struct sft_examples **out, struct error *err);
void sft_examples_close(struct sft_examples *examples);

/* `*out_example` is written only if there is one. */
ERR_NODISCARD enum err_code sft_examples_next(struct sft_examples *examples,
                                              struct sft_example *out_example,
                                              bool *out_has_example, struct error *err);

/* What has been met so far. */
struct sft_counts sft_examples_counts(const struct sft_examples *examples);

/* "best", "the best of each comparison". Static. */
const char *sft_choice_name(enum sft_choice choice);
const char *sft_choice_help(enum sft_choice choice);

static inline void sft_examples_scoped_end(struct sft_examples **examples) {
    sft_examples_close(*examples);
}

#endif
