/* reward_sources.h - where a command's rewards come from: its project file, and the tensor half.
 *
 * Use:      const struct reward_sources sources = reward_sources_of(run, db);
 *           TRY(reward_spec_open("lm:runs/reward/final", &sources, &reward, err));
 * Threads:  main thread.
 */
#ifndef TRAINER_REWARD_SOURCES_H
#define TRAINER_REWARD_SOURCES_H

#include "reward/reward_spec.h"
#include "trainer/run.h"

/* Borrows both. */
struct reward_sources reward_sources_of(struct run *run, struct db *db);

#endif
