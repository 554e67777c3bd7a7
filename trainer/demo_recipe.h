/* demo_recipe.h - what `accord demo` does (recipe_demo.c).
 *
 * Threads:  main thread.
 */
#ifndef TRAINER_DEMO_RECIPE_H
#define TRAINER_DEMO_RECIPE_H

#include "trainer/command_parse.h"
#include "trainer/run.h"

/* fails  ERR_LIMIT where the truth was missed, after printing all; as the commands that it runs;
 *        ERR_INTERRUPTED */
ERR_NODISCARD enum err_code demo_run(struct run *run, const struct command_args *args,
                                     struct error *err);

#endif
