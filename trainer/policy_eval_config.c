/* policy_eval_config.c - see policy_eval_config.h. */
#include "trainer/policy_eval_config.h"

static const char *const split_names[] = {"train", "validation", "test"}; /* enum prompt_part */

static const struct config_field data_fields[] = {REWARD_DATA_FIELDS};

static const struct config_table data_table = CONFIG_TABLE(
    "eval.data", reward_data_config, data_fields, reward_data_config_check, "which prompts");

static const struct config_field fields[] = {
    FIELD_SECTION(policy_eval_config, run, run_config, &run_config_table, "the run"),
    FIELD_STRING_LIST(policy_eval_config, models, "",
                      "policies: folders, files, or folders of adapters"),
    FIELD_STRING(policy_eval_config, reward, "", "what answers are rewarded for"),
    FIELD_STRING(policy_eval_config, held_out, "", "another reward that is shown beside it"),
    FIELD_PATH(policy_eval_config, reference, "",
               "model that distances are measured to; without one, the first policy"),
    FIELD_ENUM(policy_eval_config, split, "test", split_names, "whose prompts are answered"),
    FIELD_SECTION(policy_eval_config, data, reward_data_config, &data_table, "prompts"),
    FIELD_I64(policy_eval_config, prompts, "64", 0, INT64_C(1) << 40,
              "prompts that are answered, the first of the log; 0: all"),
    FIELD_I64(policy_eval_config, samples, "8", 2, 4096, "answers to each"),
    FIELD_I64(policy_eval_config, new_tokens_max, "64", 1, INT64_C(1) << 20,
              "longest answer, in tokens"),
    FIELD_I64(policy_eval_config, slots, "32", 1, 4096, "answers written at a time"),
    FIELD_F64_OPEN(policy_eval_config, beta, "1", 0.0, 1e6,
                   "the odds that are aimed at are exp of a difference of rewards over this"),
};

const struct config_table policy_eval_config_table =
    CONFIG_TABLE("eval", policy_eval_config, fields, NULL, "comparing policies");
