/* reward_fit_config.c - see reward_fit_config.h. Defaults are TRL's (RewardConfig of 1.16) where it
 * has the key and docs/ARCHITECTURE.md says nothing else. */
#include "trainer/reward_fit_config.h"

#include <inttypes.h>

const char *const reward_from_names[3] = {"comparisons", "ratings", "labels"};
const char *const reward_too_long_names[3] = {"drop", "cut", "refuse"};
const char *const reward_likelihood_names[3] = {"bradley-terry", "davidson", "rao-kupper"};
const char *const reward_ties_names[3] = {"keep", "half", "drop"};

static const struct config_field data_fields[] = {REWARD_DATA_FIELDS};

static enum err_code check_fold(const struct reward_data_config *data, const char *key,
                                int64_t fold, struct error *err) {
    if (fold >= data->folds) {
        return err_set(err, ERR_CONFIG, "data.%s has %" PRId64 ": data.folds makes 0 to %" PRId64,
                       key, fold, data->folds - 1);
    }
    return ERR_OK;
}

enum err_code reward_data_config_check(const void *config, struct error *err) {
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

static const struct config_table data_table =
    CONFIG_TABLE("reward fit.data", reward_data_config, data_fields, reward_data_config_check,
                 "what is learnt from");

#define COUNT_NAME(name, text) text,
const char *const reward_count_names[REWARD_COUNT_KINDS] = {REWARD_COUNTS(COUNT_NAME)};
#undef COUNT_NAME

static const struct config_field loss_fields[] = {
    REWARD_LOSS_FIELDS,
    FIELD_F64(reward_loss_config, centre, "0", 0.0, 1e6,
              "weight of the squared sum of a pair's scores (arXiv 2312.09244)"),
};

enum err_code reward_loss_config_check(const void *config, struct error *err) {
    const struct reward_loss_config *loss = config;
    const bool has_ties = loss->likelihood != REWARD_BRADLEY_TERRY;
    if (has_ties != (loss->ties == PAIR_TIES_KEEP)) {
        return err_set(
            err, ERR_CONFIG, "loss.likelihood=%s goes with loss.ties=%s: %s",
            reward_likelihood_names[loss->likelihood], has_ties ? "keep" : "half or drop",
            has_ties ? "it estimates how likely ties are" : "it gives ties no probability");
    }
    return ERR_OK;
}

static const struct config_table loss_table =
    CONFIG_TABLE("reward fit.loss", reward_loss_config, loss_fields, reward_loss_config_check,
                 "what is minimised");

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

static enum err_code check_reward_fit(const void *config, struct error *err) {
    const struct reward_fit_config *fit = config;
    return fit->data.from != COMPARISON_FROM_LABELS
               ? ERR_OK
               : err_set(err, ERR_CONFIG,
                         "data.from=labels compares nothing: 'accord align --method kto' learns "
                         "from labels");
}

const struct config_table reward_fit_config_table =
    CONFIG_TABLE("reward fit", reward_fit_config, reward_fit_fields, check_reward_fit,
                 "reward models on language models");
