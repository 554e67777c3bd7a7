/* lm_entry.h - the one symbol that the tensor half shows to the program.
 *
 * Halves:   the program holds base, data, attribution and the command tables, and starts in
 *           milliseconds. The tensor half, libaccord_lm.so, holds everything that needs libtorch.
 *           It calls into the program (one copy of base, of the log, of the memory census); the
 *           program calls into it through this table only.
 * Match:    both halves must come from one build, since they share structs; lm_module.c compares
 *           `build` and `run_bytes` before it calls anything.
 * Threads:  the table is constant.
 */
#ifndef TRAINER_LM_ENTRY_H
#define TRAINER_LM_ENTRY_H

#include "reward/reward.h"
#include "trainer/command.h"

#include <stddef.h>

struct lm_function {
    const char *name; /* as in `lm_function` of a command's table entry */
    command_function function;
};

struct lm_entry {
    const char *build;                   /* BUILD_ID as this half was compiled with */
    size_t run_bytes;                    /* sizeof(struct run) */
    const struct lm_function *functions; /* ends with an entry without a name */
    /* As reward_lm_open (trainer/reward_lm.h). */
    enum err_code (*open_reward)(struct run *run, const char *folder, struct reward **out_reward,
                                 struct error *err);
};

#define LM_ENTRY_SYMBOL "accord_lm_entry"
typedef const struct lm_entry *(*lm_entry_getter)(void);

/* The function named by LM_ENTRY_SYMBOL; defined in the tensor half. */
__attribute__((visibility("default"))) const struct lm_entry *accord_lm_entry(void);

#endif
