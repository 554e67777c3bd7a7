/* reward_fit_config.c - see reward_fit_config.h. Defaults are TRL's (RewardConfig of 1.16) where it
 * has the key and docs/ARCHITECTURE.md says nothing else. */
#include "trainer/reward_fit_config.h"

#include <inttypes.h>

static const char *const from_names[] = {"comparisons", "ratings"};
static const char *const too_long_names[] = {"drop", "cut", "refuse"};
static const char *const likelihood_names[] = {"bradley-terry", "davidson", "rao-kupper"};
static const char *const ties_names[] = {"keep", "half", "drop"}; /* enum pair_ties */

static const struct config_field data_fields[] = {
    FIELD_ENUM(reward_data_config, from, "comparisons", from_names,
               "what is fitted: comparisons, or rankings made of each annotator's ratings"),
    FIELD_STRING(reward_data_config, aspect, "", "only judgements of this aspect"),
    FIELD_STRING(reward_data_config, population, "", "only judgements of this population"),
    FIELD_STRING(reward_data_config, topic, "", "only prompts of this topic"),
    FIELD_STRING(reward_data_config, template, "",
                 "chat template by name; without one, that of the model's own files"),
    FIELD_I64(reward_data_config, sequence_tokens_max, "1024", 2, INT64_C(1) << 24,
              "longest prompt and answer together, in tokens, at most the model's context"),
    FIELD_ENUM(reward_data_config, too_long, "drop", too_long_names,
               "what happens to a longer one, and is counted: comparisons with it are dropped; the "
               "oldest tokens of its prompt are cut off, where its answer fits; or the run is "
               "refused"),
    FIELD_I64(reward_data_config, answers_max, "8", 0, 4096,
              "a prompt with more answers is cut, by the seed, into examples of so many and the "
              "comparisons among them; 0 takes all at once"),
    FIELD_I64(reward_data_config, folds, "0", 0, 10000,
              "deal the prompts' groups, sorted by name, into so many folds; 0 takes the splits of "
              "the log"),
    FIELD_STRING(reward_data_config, group, "",
                 "regular expression whose first match in a prompt names its group; without one, "
                 "the prompt's topic, or the prompt"),
    FIELD_I64_LIST(reward_data_config, validation_folds, "", 0, 9999, "folds for evaluation"),
    FIELD_I64_LIST(reward_data_config, test_folds, "", 0, 9999, "folds that are not looked at"),
};

static enum err_code check_fold(const struct reward_data_config *data, const char *key,
                                int64_t fold, struct error *err) {
    if (fold >= data->folds) {
        return err_set(err, ERR_CONFIG, "data.%s has %" PRId64 ": data.folds makes 0 to %" PRId64,
                       key, fold, data->folds - 1);
    }
    return ERR_OK;
}

static enum err_code check_data(const void *config, struct error *err) {
    const struct reward_data_config *data = config;
    if (data->folds == 0 &&
        (data->group[0] || data->validation_folds.count + data->test_folds.count > 0)) {
        return err_set(err, ERR_CONFIG,
                       "data.%s needs data.folds, which is 0: the splits of the log are taken",
                       data->group[0]                     ? "group"
                       : data->validation_folds.count > 0 ? "validation_folds"
                                                          : "test_folds");
    }
    for (int64_t v = 0; v < data->validation_folds.count; v++) {
        const int64_t fold = data->validation_folds.items[v];
        TRY(check_fold(data, "validation_folds", fold, err));
        for (int64_t t = 0; t < data->test_folds.count; t++) {
            if (data->test_folds.items[t] == fold) {
                return err_set(err, ERR_CONFIG,
                               "fold %" PRId64 " is in data.validation_folds and data.test_folds",
                               fold);
            }
        }
    }
    for (int64_t t = 0; t < data->test_folds.count; t++) {
        TRY(check_fold(data, "test_folds", data->test_folds.items[t], err));
    }
    return ERR_OK;
}

static const struct config_table data_table = CONFIG_TABLE(
    "reward fit.data", reward_data_config, data_fields, check_data, "what is learnt from");

#define COUNT_NAME(name, text) text,
static const char *const count_names[] = {REWARD_COUNTS(COUNT_NAME)};
#undef COUNT_NAME

static const struct config_field loss_fields[] = {
    FIELD_ENUM(reward_loss_config, likelihood, "bradley-terry", likelihood_names,
               "how wins, losses and ties follow from a difference of scores; rankings are "
               "Plackett-Luce's"),
    FIELD_ENUM(reward_loss_config, ties, "half", ties_names,
               "what becomes of ties: kept for a likelihood that has them, half a win of either, "
               "or dropped"),
    FIELD_ENUM(reward_loss_config, count, "judgement", count_names,
               "what counts one: each judgement, each pair with its votes' shares, each prompt"),
    FIELD_BOOL(reward_loss_config, split_rankings, "false",
               "make rankings their pairs, of as much weight together"),
    FIELD_F64(reward_loss_config, margin_scale, "0", 0.0, 1e9,
              "nats of margin for 1 on the log's own scale (arXiv 2307.09288)"),
    FIELD_F64(reward_loss_config, label_smoothing, "0", 0.0, 0.499,
              "share of each judgement that counts for its opposite"),
    FIELD_F64(reward_loss_config, centre, "0", 0.0, 1e6,
              "weight of the squared sum of a pair's scores (arXiv 2312.09244)"),
};

static enum err_code check_loss(const void *config, struct error *err) {
    const struct reward_loss_config *loss = config;
    const bool has_ties = loss->likelihood != REWARD_BRADLEY_TERRY;
    if (has_ties != (loss->ties == PAIR_TIES_KEEP)) {
        return err_set(err, ERR_CONFIG, "loss.likelihood=%s goes with loss.ties=%s: %s",
                       likelihood_names[loss->likelihood], has_ties ? "keep" : "half or drop",
                       has_ties ? "it estimates how likely ties are"
                                : "it gives ties no probability");
    }
    return ERR_OK;
}

static const struct config_table loss_table = CONFIG_TABLE(
    "reward fit.loss", reward_loss_config, loss_fields, check_loss, "what is minimised");

static const struct config_field optimiser_fields[] = {TRAIN_OPTIMISER_FIELDS("2e-5")};

static const struct config_table optimiser_table =
    CONFIG_TABLE("reward fit.optimiser", train_optimiser_config, optimiser_fields, NULL,
                 "kind, schedule and clipping");

static const struct config_field reward_fit_fields[] = {
    TRAIN_FIELDS(&optimiser_table, "1", "true", "0"),
    FIELD_SECTION(reward_fit_config, data, reward_data_config, &data_table, "what is learnt from"),
    FIELD_SECTION(reward_fit_config, loss, reward_loss_config, &loss_table, "what is minimised"),
    FIELD_F64(reward_fit_config, score_init_std, "1", 0.0, 1e3,
              "deviation of a new head's elements, times the root of the width; 0: every text "
              "scores 0 at first"),
    FIELD_BOOL(reward_fit_config, calibrate, "true",
               "fit the temperature of the scores to the judgements kept for evaluation, and store "
               "it with the model"),
};

const struct config_table reward_fit_config_table = CONFIG_TABLE(
    "reward fit", reward_fit_config, reward_fit_fields, NULL, "reward models on language models");
