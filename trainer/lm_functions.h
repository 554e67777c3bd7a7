/* lm_functions.h - the command functions of the tensor half, listed in lm_entry.c.
 *
 * Threads:  main thread.
 */
#ifndef TRAINER_LM_FUNCTIONS_H
#define TRAINER_LM_FUNCTIONS_H

#include "trainer/command.h"

/* Name as in `lm_function` of the command's table entry, and the function. */
#define LM_FUNCTIONS(X)                 \
    X("align", align_run)               \
    X("bench adamw", bench_adamw_run)   \
    X("bench head", bench_head_run)     \
    X("bench linear", bench_linear_run) \
    X("bench scope", bench_scope_run)   \
    X("bench one-op", bench_one_op_run) \
    X("doctor", lm_doctor_run)          \
    X("eval", policy_eval_run)          \
    X("reward fit", reward_fit_lm_run)  \
    X("sft", sft_run)

#define LM_FUNCTION_DECLARE(name, function) \
    enum err_code function(struct run *run, const struct command_args *args, struct error *err);
LM_FUNCTIONS(LM_FUNCTION_DECLARE)
#undef LM_FUNCTION_DECLARE

#endif
