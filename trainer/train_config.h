/* train_config.h - the keys that every trainer has: what it starts from, how it steps, what it
 * keeps.
 *
 * Use:      struct sft_config {
 *               struct train_config train;           // first: its keys are the recipe's own
 *               struct sft_data_config data;
 *           };
 *           static const struct config_field optimiser_fields[] = {TRAIN_OPTIMISER_FIELDS("2e-5")};
 *           static const struct config_table optimiser_table = CONFIG_TABLE("sft.optimiser",
 *               train_optimiser_config, optimiser_fields, NULL, "kind, schedule and clipping");
 *           static const struct config_field fields[] = {
 *               TRAIN_FIELDS(&optimiser_table, "3", "false", "0"),
 *               FIELD_SECTION(sft_config, data, ...),
 *           };
 * Defaults: are TRL's (1.16) where it has the key and the recipes agree.
 * Threads:  constant.
 */
#ifndef TRAINER_TRAIN_CONFIG_H
#define TRAINER_TRAIN_CONFIG_H

#include "policy/weight_source.h"
#include "trainer/lr_schedule.h"
#include "trainer/run_config.h"

/* Which weights are trained. */
enum train_weights { TRAIN_ALL, TRAIN_LORA };

enum train_optimiser { TRAIN_ADAMW, TRAIN_ADAM_MINI };

/* What happens to a step whose gradient is not finite. */
enum train_nonfinite { TRAIN_STOP_NONFINITE, TRAIN_SKIP_NONFINITE };

struct train_optimiser_config {
    enum train_optimiser kind;
    double learning_rate;
    enum lr_kind schedule;
    double warmup_ratio, min_ratio;
    double beta1, beta2, eps, weight_decay;
    double grad_norm_max;
    enum train_nonfinite nonfinite;
};

struct train_lora_config {
    int64_t rank;
    double alpha;
    bool rank_scaled;
    struct config_string_list targets;
};

struct train_config {
    struct run_config run;
    char *model;
    char *tokenizer; /* "": the model's */
    char *output;
    double epochs;
    int64_t steps_max; /* 0: epochs say */
    int64_t examples_per_step;
    int64_t micro_batch_tokens;
    enum train_weights train;
    struct train_lora_config lora;
    struct train_optimiser_config optimiser;
    bool recompute;
    enum weight_dtype save_dtype;
    int64_t log_every, eval_every, checkpoint_every, checkpoints_kept;
    bool keep_best;
    int64_t patience; /* evaluations; 0: no end to it */
};

extern const struct config_table train_lora_table;
extern const char *const train_optimiser_names[2];
extern const char *const train_weights_names[2];
extern const char *const train_nonfinite_names[2];
extern const char *const train_save_dtype_names[3];

#define TRAIN_OPTIMISER_FIELDS(learning_rate_default)                                           \
    FIELD_ENUM(train_optimiser_config, kind, "adamw", train_optimiser_names,                    \
               "adam-mini has one second moment for each head or row of a weight: half of "     \
               "the optimiser's memory (arXiv 2406.16793)"),                                    \
        FIELD_F64_OPEN(train_optimiser_config, learning_rate, learning_rate_default, 0.0, 10.0, \
                       "peak of the schedule"),                                                 \
        FIELD_ENUM(train_optimiser_config, schedule, "linear", lr_kind_names,                   \
                   "how the learning rate falls behind the warm-up"),                           \
        FIELD_F64(train_optimiser_config, warmup_ratio, "0", 0.0, 1.0,                          \
                  "share of all steps that warm up"),                                           \
        FIELD_F64(train_optimiser_config, min_ratio, "0", 0.0, 1.0,                             \
                  "learning rate of the end, as a share of the peak"),                          \
        FIELD_F64(train_optimiser_config, beta1, "0.9", 0.0, 0.9999999,                         \
                  "decay of the first moment (arXiv 1711.05101)"),                              \
        FIELD_F64(train_optimiser_config, beta2, "0.999", 0.0, 0.9999999,                       \
                  "decay of the second moment"),                                                \
        FIELD_F64_OPEN(train_optimiser_config, eps, "1e-8", 0.0, 1.0,                           \
                       "added to the root of the second moment"),                               \
        FIELD_F64(train_optimiser_config, weight_decay, "0", 0.0, 10.0,                         \
                  "decoupled, of matrices only (arXiv 1711.05101)"),                            \
        FIELD_F64_OPEN(train_optimiser_config, grad_norm_max, "1", 0.0, 1e9,                    \
                       "gradients are scaled down to this norm (arXiv 1211.5063)"),             \
        FIELD_ENUM(train_optimiser_config, nonfinite, "stop", train_nonfinite_names,            \
                   "what happens where a gradient is not finite")

#define TRAIN_FIELDS(optimiser_table, epochs_default, keep_best_default, patience_default)         \
    FIELD_SECTION(train_config, run, run_config, &run_config_table, "the run"),                    \
        FIELD_PATH(train_config, model, "",                                                        \
                   "Hugging Face folder, GGUF file or preset:NAME to start from"),                 \
        FIELD_PATH(train_config, tokenizer, "",                                                    \
                   "folder or file of a tokenizer; without one, the model's own"),                 \
        FIELD_PATH(train_config, output, "", "run folder to write"),                               \
        FIELD_F64_OPEN(train_config, epochs, epochs_default, 0.0, 100000.0,                        \
                       "times that each example is seen, rounded up to whole steps"),              \
        FIELD_I64(train_config, steps_max, "0", 0, 1000000000,                                     \
                  "ends the run, and its schedule, after so many steps, whatever epochs says; 0: " \
                  "epochs say"),                                                                   \
        FIELD_I64(train_config, examples_per_step, "8", 1, 1000000,                                \
                  "examples of an optimiser step"),                                                \
        FIELD_I64(                                                                                 \
            train_config, micro_batch_tokens, "0", 0, INT64_C(1) << 24,                            \
            "tokens computed at once, or one longer sequence, which memory is proportional to; "   \
            "changes no result beyond rounding; 0 takes 512 on a CPU, 8192 on a GPU"),             \
        FIELD_ENUM(train_config, train, "all", train_weights_names, "all weights, or adapters"),   \
        FIELD_SECTION(train_config, lora, train_lora_config, &train_lora_table, "adapters"),       \
        FIELD_SECTION(train_config, optimiser, train_optimiser_config, optimiser_table,            \
                      "the optimiser"),                                                            \
        FIELD_BOOL(                                                                                \
            train_config, recompute, "false",                                                      \
            "compute layers again in backward instead of keeping them: less memory, a third more " \
            "time (arXiv 1604.06174)"),                                                            \
        FIELD_ENUM(train_config, save_dtype, "bf16", train_save_dtype_names,                       \
                   "type of the weights in final/; adapters are f32"),                             \
        FIELD_I64(train_config, log_every, "10", 1, 1000000, "steps between rows of metrics"),     \
        FIELD_I64(train_config, eval_every, "100", 1, 1000000000, "steps between evaluations"),    \
        FIELD_I64(train_config, checkpoint_every, "500", 1, 1000000000,                            \
                  "steps between checkpoints"),                                                    \
        FIELD_I64(train_config, checkpoints_kept, "2", 1, 1000000,                                 \
                  "newest checkpoints that stay"),                                                 \
        FIELD_BOOL(train_config, keep_best, keep_best_default,                                     \
                   "save the weights of the evaluation with the least loss, not the last ones"),   \
        FIELD_I64(train_config, patience, patience_default, 0, 1000000,                            \
                  "evaluations without a better one that end the run early; 0: none do")

#endif
