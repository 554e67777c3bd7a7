/* prompt_parts.h - which prompts are learnt from, which evaluate, and which nobody looks at.
 *
 * Use:      SCOPED(mem) uint8_t *parts = NULL;
 *           const struct fold_prompts prompts = fold_prompts_of(&set);
 *           TRY(prompt_parts_make(db, &config->data, &prompts, &parts, err));
 * Parts:    by the splits of the log, or by folds of groups of these prompts.
 * Threads:  no state.
 */
#ifndef TRAINER_PROMPT_PARTS_H
#define TRAINER_PROMPT_PARTS_H

#include "reward/fold_plan.h"
#include "trainer/reward_fit_config.h"

enum prompt_part { PROMPT_TRAINING, PROMPT_VALIDATION, PROMPT_TEST, PROMPT_PART_COUNT };

/* `*out_parts` [count] holds enum prompt_part; owned (mem_free).
 *   fails    as fold_plan_by_group; ERR_OOM */
ERR_NODISCARD enum err_code prompt_parts_make(struct db *db,
                                              const struct reward_data_config *config,
                                              const struct fold_prompts *prompts,
                                              uint8_t **out_parts, struct error *err);

#endif
