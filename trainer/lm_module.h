/* lm_module.h - opening the tensor half, and with it libtorch, when a command needs it.
 *
 * Use:      command_function function = NULL;
 *           TRY(lm_module_find(command->lm_function, &function, err));
 *           return function(run, args, err);
 *
 * Order:    1. the system's libgomp.so.1: the wheel ships an older copy, and two OpenMP runtimes in
 *              one process fight for the cores; the first one loaded serves everybody
 *           2. libc10.so and libtorch_cpu.so by absolute path, from lm_module_torch_folder
 *           3. the version of that libtorch, asked by a C function, before any C++ meets it
 *           4. ../lib/accord/libaccord_lm.so, seen from the program; its need for libtorch is
 *              already met by the names loaded in 2
 * Owns:     nothing is ever closed: libtorch does not survive dlclose (pytorch#36408).
 * Threads:  main thread, before any other is started.
 */
#ifndef TRAINER_LM_MODULE_H
#define TRAINER_LM_MODULE_H

#include "base/error.h"
#include "reward/reward.h"
#include "trainer/command.h"

#include <limits.h>

/* Opens the module (again: the same one) and finds one of its functions.
 *   fails  ERR_UNAVAILABLE with the path and the remedy: built without libtorch, no libtorch found,
 *          another version, module missing or from another build */
ERR_NODISCARD enum err_code lm_module_find(const char *name, command_function *out_function,
                                           struct error *err);

/* The reward that the model of scores in a folder gives (trainer/reward_lm.h), for `sources` of
 * reward/reward_spec.h; `run` is a struct run and outlives it.
 *   fails  as lm_module_find and reward_lm_open */
ERR_NODISCARD enum err_code lm_module_open_reward(void *run, const char *folder,
                                                  struct reward **out_reward, struct error *err);

/* The torch package folder that would be used: $ACCORD_TORCH_DIR if set, else the folder of the
 * build, else the user's cache, where scripts/setup.sh puts it. Says nothing about the contents.
 *   fails  ERR_UNAVAILABLE when this program was built without libtorch or none is found */
ERR_NODISCARD enum err_code lm_module_torch_folder(char out_path[PATH_MAX], struct error *err);

#endif
