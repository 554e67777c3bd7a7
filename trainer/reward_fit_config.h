/* reward_fit_config.h - the keys of `accord reward fit` on a language model.
 *
 * Threads:  constant.
 */
#ifndef TRAINER_REWARD_FIT_CONFIG_H
#define TRAINER_REWARD_FIT_CONFIG_H

#include "data/comparison_set.h"
#include "reward/reward_terms.h"
#include "reward/tabular_fit.h"
#include "trainer/train_config.h"

/* What happens to an answer that, with its prompt, has more tokens than sequence_tokens_max. */
enum reward_too_long { REWARD_DROP_LONG, REWARD_CUT_LONG, REWARD_REFUSE_LONG };

/* How wins, losses and ties follow from a difference of scores: places of TABULAR_MODELS. */
enum reward_likelihood { REWARD_BRADLEY_TERRY, REWARD_DAVIDSON, REWARD_RAO_KUPPER };

struct reward_data_config {
    enum comparison_from from;
    char *aspect, *population, *topic; /* "": all */
    char *template;                    /* "": the model's own */
    int64_t sequence_tokens_max;
    enum reward_too_long too_long;
    int64_t answers_max; /* of a prompt in one example; 0: all */
    int64_t folds;       /* 0: the splits of the log */
    char *group;         /* regular expression; "": the prompt's topic, or the prompt */
    struct config_i64_list validation_folds, test_folds;
};

struct reward_loss_config {
    enum reward_likelihood likelihood;
    enum pair_ties ties;
    enum reward_count count;
    bool split_rankings;
    double margin_scale;
    double label_smoothing;
    double centre;
};

struct reward_fit_config {
    struct train_config train;
    struct reward_data_config data;
    struct reward_loss_config loss;
    double score_init_std;
    bool calibrate;
};

extern const struct config_table reward_fit_config_table;
extern const char *const reward_from_names[3];
extern const char *const reward_too_long_names[3];
extern const char *const reward_likelihood_names[3];
extern const char *const reward_ties_names[3]; /* enum pair_ties */
extern const char *const reward_count_names[REWARD_COUNT_KINDS];

/* Of struct reward_data_config, for the tables of all that learn from comparisons; their check. */
#define REWARD_DATA_FIELDS                                                                         \
    FIELD_ENUM(reward_data_config, from, "comparisons", reward_from_names,                         \
               "what is fitted: comparisons, rankings made of each annotator's ratings, or, by "   \
               "align.method=kto, labels of single answers"),                                      \
        FIELD_STRING(reward_data_config, aspect, "", "only judgements of this aspect"),            \
        FIELD_STRING(reward_data_config, population, "", "only judgements of this population"),    \
        FIELD_STRING(reward_data_config, topic, "", "only prompts of this topic"),                 \
        FIELD_STRING(reward_data_config, template, "",                                             \
                     "chat template by name; without one, that of the model's own files"),         \
        FIELD_I64(reward_data_config, sequence_tokens_max, "1024", 2, INT64_C(1) << 24,            \
                  "longest prompt and answer together, in tokens, at most the model's context"),   \
        FIELD_ENUM(reward_data_config, too_long, "drop", reward_too_long_names,                    \
                   "what happens to a longer one, and is counted: comparisons with it are "        \
                   "dropped; the oldest tokens of its prompt are cut off, where its answer fits; " \
                   "or the run is refused"),                                                       \
        FIELD_I64(reward_data_config, answers_max, "8", 0, 4096,                                   \
                  "a prompt with more answers is cut, by the seed, into examples of so many and "  \
                  "the comparisons among them; 0 takes all at once"),                              \
        FIELD_I64(reward_data_config, folds, "0", 0, 10000,                                        \
                  "deal the prompts' groups, sorted by name, into so many folds; 0 takes the "     \
                  "splits of the log"),                                                            \
        FIELD_STRING(reward_data_config, group, "",                                                \
                     "regular expression whose first match in a prompt names its group; without "  \
                     "one, the prompt's topic, or the prompt"),                                    \
        FIELD_I64_LIST(reward_data_config, validation_folds, "", 0, 9999, "folds for evaluation"), \
        FIELD_I64_LIST(reward_data_config, test_folds, "", 0, 9999,                                \
                       "folds that are not looked at")
ERR_NODISCARD enum err_code reward_data_config_check(const void *config, struct error *err);

/* The same of struct reward_loss_config, but for `centre`. */
#define REWARD_LOSS_FIELDS                                                                     \
    FIELD_ENUM(reward_loss_config, likelihood, "bradley-terry", reward_likelihood_names,       \
               "how wins, losses and ties follow from a difference of scores; rankings are "   \
               "Plackett-Luce's"),                                                             \
        FIELD_ENUM(reward_loss_config, ties, "half", reward_ties_names,                        \
                   "what becomes of ties: kept for a likelihood that has them, half a win of " \
                   "either, or dropped"),                                                      \
        FIELD_ENUM(reward_loss_config, count, "judgement", reward_count_names,                 \
                   "what counts one: each judgement, each pair with its votes' shares, each "  \
                   "prompt"),                                                                  \
        FIELD_BOOL(reward_loss_config, split_rankings, "false",                                \
                   "make rankings their pairs, of as much weight together"),                   \
        FIELD_F64(reward_loss_config, margin_scale, "0", 0.0, 1e9,                             \
                  "nats of margin for 1 on the log's own scale (arXiv 2307.09288)"),           \
        FIELD_F64(reward_loss_config, label_smoothing, "0", 0.0, 0.499,                        \
                  "share of each judgement that counts for its opposite")
ERR_NODISCARD enum err_code reward_loss_config_check(const void *config, struct error *err);

#endif
