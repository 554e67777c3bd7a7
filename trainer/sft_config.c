/* sft_config.c - see sft_config.h. Defaults are TRL's (SFTConfig of 1.16) where it has the key. */
#include "trainer/sft_config.h"

#include <stdint.h>

static const char *const too_long_names[] = {"drop", "cut", "refuse"};

static const struct config_field data_fields[] = {
    FIELD_STRING_LIST(sft_data_config, files, "",
                      "project files, and plain texts or JSON lines with a member \"text\""),
    FIELD_STRING_LIST(sft_data_config, choices, "shown,best,good",
                      "answers of a project to imitate: shown, best, good, rated, all"),
    FIELD_F64(sft_data_config, rating_min, "0", -1e9, 1e9,
              "least rating of the choice rated, on the source's scale"),
    FIELD_STRING(sft_data_config, origin, "", "only answers written by this one"),
    FIELD_STRING(sft_data_config, population, "", "only judgements of this population"),
    FIELD_STRING(sft_data_config, topic, "", "only prompts of this topic"),
    FIELD_STRING(sft_data_config, aspect, "", "only judgements of this aspect"),
    FIELD_STRING(sft_data_config, template, "",
                 "chat template by name; without one, that of the model's own files"),
    FIELD_I64(
        sft_data_config, sequence_tokens_max, "1024", 2, INT64_C(1) << 24,
        "longest sequence, in tokens, at most the model's context; texts are cut into windows "
        "of it"),
    FIELD_ENUM(
        sft_data_config, too_long, "drop", too_long_names,
        "what happens to an answer that does not fit, and is counted: it is dropped, its end "
        "is cut off, or the run is refused"),
    FIELD_F64(sft_data_config, validation_share, "0.1", 0.0, 0.5,
              "share of plain texts that is kept for evaluation; a project has its own splits"),
};

static const struct config_table data_table =
    CONFIG_TABLE("sft.data", sft_data_config, data_fields, NULL, "what is imitated");

static const struct config_field optimiser_fields[] = {TRAIN_OPTIMISER_FIELDS("2e-5")};

static const struct config_table optimiser_table = CONFIG_TABLE(
    "sft.optimiser", train_optimiser_config, optimiser_fields, NULL, "kind, schedule and clipping");

static const struct config_field sft_fields[] = {
    TRAIN_FIELDS(&optimiser_table, "3", "false", "0"),
    FIELD_SECTION(sft_config, data, sft_data_config, &data_table, "what is imitated"),
};

const struct config_table sft_config_table =
    CONFIG_TABLE("sft", sft_config, sft_fields, NULL, "supervised fine-tuning");
