/* sft_config.c - see sft_config.h. Defaults are TRL's (SFTConfig of 1.16) where it has the key. */
#include "trainer/sft_config.h"

#include <stdint.h>

static const char *const too_long_names[] = {"drop", "cut", "refuse"};
static const char *const train_names[] = {"all", "lora"};
static const char *const save_dtype_names[] = {"f32", "bf16", "f16"}; /* enum weight_dtype */
static const char *const nonfinite_names[] = {"stop", "skip_step"};

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

static const struct config_field lora_fields[] = {
    FIELD_I64(sft_lora_config, rank, "16", 1, 65536, "rank of the update (arXiv 2106.09685)"),
    FIELD_F64_OPEN(sft_lora_config, alpha, "32", 0.0, 1e6, "the update is scaled by alpha / rank"),
    FIELD_BOOL(sft_lora_config, rank_scaled, "false",
               "scale by alpha / sqrt(rank) instead (arXiv 2312.03732)"),
    FIELD_STRING_LIST(sft_lora_config, targets, "q,k,v,out,gate,up,down",
                      "linear weights that get an adapter, where the model has them"),
};

static const struct config_table lora_table =
    CONFIG_TABLE("sft.lora", sft_lora_config, lora_fields, NULL, "adapters, with train = lora");

static const struct config_field optimiser_fields[] = {
    FIELD_F64_OPEN(sft_optimiser_config, learning_rate, "2e-5", 0.0, 10.0, "peak of the schedule"),
    FIELD_ENUM(sft_optimiser_config, schedule, "linear", lr_kind_names,
               "how the learning rate falls behind the warm-up"),
    FIELD_F64(sft_optimiser_config, warmup_ratio, "0", 0.0, 1.0, "share of all steps that warm up"),
    FIELD_F64(sft_optimiser_config, min_ratio, "0", 0.0, 1.0,
              "learning rate of the end, as a share of the peak"),
    FIELD_F64(sft_optimiser_config, beta1, "0.9", 0.0, 0.9999999,
              "decay of the first moment (arXiv 1711.05101)"),
    FIELD_F64(sft_optimiser_config, beta2, "0.999", 0.0, 0.9999999, "decay of the second moment"),
    FIELD_F64_OPEN(sft_optimiser_config, eps, "1e-8", 0.0, 1.0,
                   "added to the root of the second moment"),
    FIELD_F64(sft_optimiser_config, weight_decay, "0", 0.0, 10.0,
              "decoupled, of matrices only (arXiv 1711.05101)"),
    FIELD_F64_OPEN(sft_optimiser_config, grad_norm_max, "1", 0.0, 1e9,
                   "gradients are scaled down to this norm (arXiv 1211.5063)"),
    FIELD_ENUM(sft_optimiser_config, nonfinite, "stop", nonfinite_names,
               "what happens where a gradient is not finite"),
};

static const struct config_table optimiser_table = CONFIG_TABLE(
    "sft.optimiser", sft_optimiser_config, optimiser_fields, NULL, "AdamW, schedule and clipping");

static const struct config_field sft_fields[] = {
    FIELD_SECTION(sft_config, run, run_config, &run_config_table, "the run"),
    FIELD_PATH(sft_config, model, "",
               "Hugging Face folder, GGUF file or preset:NAME to start from"),
    FIELD_PATH(sft_config, tokenizer, "",
               "folder or file of a tokenizer; without one, the model's own"),
    FIELD_PATH(sft_config, output, "", "run folder to write"),
    FIELD_SECTION(sft_config, data, sft_data_config, &data_table, "what is imitated"),
    FIELD_F64_OPEN(sft_config, epochs, "3", 0.0, 100000.0,
                   "times that each example is seen, rounded up to whole steps"),
    FIELD_I64(sft_config, examples_per_step, "8", 1, 1000000, "examples of an optimiser step"),
    FIELD_I64(sft_config, micro_batch_tokens, "0", 0, INT64_C(1) << 24,
              "tokens computed at once, or one longer sequence, which memory is proportional to; "
              "changes no result beyond rounding; 0 takes 512 on a CPU, 8192 on a GPU"),
    FIELD_ENUM(sft_config, train, "all", train_names, "all weights, or adapters"),
    FIELD_SECTION(sft_config, lora, sft_lora_config, &lora_table, "adapters"),
    FIELD_SECTION(sft_config, optimiser, sft_optimiser_config, &optimiser_table, "the optimiser"),
    FIELD_BOOL(
        sft_config, recompute, "false",
        "compute layers again in backward instead of keeping them: less memory, a third more "
        "time (arXiv 1604.06174)"),
    FIELD_ENUM(sft_config, save_dtype, "bf16", save_dtype_names,
               "type of the weights in final/; adapters are f32"),
    FIELD_I64(sft_config, log_every, "10", 1, 1000000, "steps between rows of metrics"),
    FIELD_I64(sft_config, eval_every, "100", 1, 1000000000, "steps between evaluations"),
    FIELD_I64(sft_config, checkpoint_every, "500", 1, 1000000000, "steps between checkpoints"),
    FIELD_I64(sft_config, checkpoints_kept, "2", 1, 1000000, "newest checkpoints that stay"),
};

const struct config_table sft_config_table =
    CONFIG_TABLE("sft", sft_config, sft_fields, NULL, "supervised fine-tuning");
