/* reward_sources.c - see reward_sources.h. */
#include "trainer/reward_sources.h"

#include "trainer/lm_module.h"

struct reward_sources reward_sources_of(struct run *run, struct db *db) {
    return (struct reward_sources){.db = db, .open_lm = lm_module_open_reward, .context = run};
}
