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

#endif
