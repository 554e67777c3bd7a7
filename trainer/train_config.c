/* train_config.c - see train_config.h. */
#include "trainer/train_config.h"

const char *const train_optimiser_names[2] = {"adamw", "adam-mini"}; /* enum train_optimiser */
const char *const train_weights_names[2] = {"all", "lora"};
const char *const train_nonfinite_names[2] = {"stop", "skip_step"};
const char *const train_save_dtype_names[3] = {"f32", "bf16", "f16"}; /* enum weight_dtype */

static const struct config_field lora_fields[] = {
    FIELD_I64(train_lora_config, rank, "16", 1, 65536, "rank of the update (arXiv 2106.09685)"),
    FIELD_F64_OPEN(train_lora_config, alpha, "32", 0.0, 1e6,
                   "the update is scaled by alpha / rank"),
    FIELD_BOOL(train_lora_config, rank_scaled, "false",
               "scale by alpha / sqrt(rank) instead (arXiv 2312.03732)"),
    FIELD_STRING_LIST(train_lora_config, targets, "q,k,v,out,gate,up,down",
                      "linear weights that get an adapter, where the model has them"),
};

const struct config_table train_lora_table =
    CONFIG_TABLE("train.lora", train_lora_config, lora_fields, NULL, "adapters, with train = lora");
