/* sft_config.h - the keys of `accord sft`.
 *
 * Threads:  constant.
 */
#ifndef TRAINER_SFT_CONFIG_H
#define TRAINER_SFT_CONFIG_H

#include "trainer/train_config.h"

/* What happens to an example that has more tokens than sequence_tokens_max. */
enum sft_too_long { SFT_DROP_LONG, SFT_CUT_LONG, SFT_REFUSE_LONG };

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

struct sft_config {
    struct train_config train;
    struct sft_data_config data;
};

extern const struct config_table sft_config_table;

#endif
