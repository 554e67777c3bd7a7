/* sft_config.h - the keys of `accord sft`.
 *
 * Threads:  constant.
 */
#ifndef TRAINER_SFT_CONFIG_H
#define TRAINER_SFT_CONFIG_H

#include "policy/weight_source.h"
#include "trainer/lr_schedule.h"
#include "trainer/run_config.h"

/* What happens to an example that has more tokens than sequence_tokens_max. */
enum sft_too_long { SFT_DROP_LONG, SFT_CUT_LONG, SFT_REFUSE_LONG };

/* Which weights are trained. */
enum sft_train { SFT_TRAIN_ALL, SFT_TRAIN_LORA };

/* What happens to a step whose gradient is not finite. */
enum sft_nonfinite { SFT_STOP_NONFINITE, SFT_SKIP_NONFINITE };

struct sft_data_config {
    struct config_string_list files; /* project files and texts */
    struct config_string_list choices;
    double rating_min;
    char *origin, *population, *topic, *aspect; /* "": all */
    char *template;                             /* "": the model's own */
    int64_t sequence_tokens_max;
    enum sft_too_long too_long;
    double validation_share; /* of plain texts; a project has splits of its own */
};

struct sft_optimiser_config {
    double learning_rate;
    enum lr_kind schedule;
    double warmup_ratio, min_ratio;
    double beta1, beta2, eps, weight_decay;
    double grad_norm_max;
    enum sft_nonfinite nonfinite;
};

struct sft_lora_config {
    int64_t rank;
    double alpha;
    bool rank_scaled;
    struct config_string_list targets;
};

struct sft_config {
    struct run_config run;
    char *model;
    char *tokenizer; /* "": the model's */
    char *output;
    struct sft_data_config data;
    double epochs;
    int64_t examples_per_step;
    int64_t micro_batch_tokens;
    enum sft_train train;
    struct sft_lora_config lora;
    struct sft_optimiser_config optimiser;
    bool recompute;
    enum weight_dtype save_dtype;
    int64_t log_every, eval_every, checkpoint_every, checkpoints_kept;
};

extern const struct config_table sft_config_table;

#endif
