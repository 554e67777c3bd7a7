/* train_plan.h - what a training run will take: time, memory, disk; measured on two of its steps.
 *
 * Use:      TRY(train_plan_show(&loop, err));       // accord sft --dry-run
 * Measured: two steps at learning rate 0, that with the largest micro-batch of an epoch, for
 * memory, and the first, which is timed, and the evaluation of as many examples as a step has.
 * Nothing is written, and no weight moves. Threads:  main thread.
 */
#ifndef TRAINER_TRAIN_PLAN_H
#define TRAINER_TRAIN_PLAN_H

#include "trainer/train_loop.h"

/* Prints the plan, as text or JSON. */
ERR_NODISCARD enum err_code train_plan_show(struct train_loop *loop, struct error *err);

#endif
