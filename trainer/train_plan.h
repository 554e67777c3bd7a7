/* train_plan.h - what a training run will take: time, memory, disk; measured on three of its steps.
 *
 * Use:      TRY(train_plan_show(&loop, err));       // accord sft --dry-run
 * Measured: three steps at learning rate 0: one half way through an epoch and that with its largest
 *           micro-batch, for memory, then the first, which is timed; and the evaluation of as many
 *           examples as a step has. Nothing is written, and no weight moves.
 * Threads:  main thread.
 */
#ifndef TRAINER_TRAIN_PLAN_H
#define TRAINER_TRAIN_PLAN_H

#include "trainer/train_loop.h"

/* Prints the plan, as text or JSON. */
ERR_NODISCARD enum err_code train_plan_show(struct train_loop *loop, struct error *err);

#endif
