/* align_recipes.h - the recipes behind `accord align`. In the tensor half.
 *
 * Threads:  main thread.
 */
#ifndef TRAINER_ALIGN_RECIPES_H
#define TRAINER_ALIGN_RECIPES_H

#include "trainer/command.h"
#include "trainer/train_loop.h"

/* Answers of the model's own, rewards, policy gradient: recipe_rl.c. */
ERR_NODISCARD enum err_code rl_run(struct run *run, const struct command_args *args,
                                   struct error *err);

/* Comparisons of the log: recipe_direct.c. */
ERR_NODISCARD enum err_code direct_run(struct run *run, const struct command_args *args,
                                       struct error *err);

#endif
