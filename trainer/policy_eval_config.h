/* policy_eval_config.h - the keys of `accord eval`.
 *
 * Threads:  constant.
 */
#ifndef TRAINER_POLICY_EVAL_CONFIG_H
#define TRAINER_POLICY_EVAL_CONFIG_H

#include "trainer/prompt_parts.h"
#include "trainer/run_config.h"

struct policy_eval_config {
    struct run_config run;
    struct config_string_list models; /* policies, the one that others are compared with first */
    char *reward;                     /* reward/reward_spec.h */
    char *held_out;                   /* "": none */
    char *reference;                  /* that distances are measured to; "": the first policy */
    enum prompt_part split;
    struct reward_data_config data;
    int64_t prompts; /* at most; 0: all */
    int64_t samples;
    int64_t new_tokens_max;
    int64_t slots;
    double beta;
};

extern const struct config_table policy_eval_config_table;

#endif
