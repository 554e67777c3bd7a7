/* prompt_parts.c - see prompt_parts.h. */
#include "trainer/prompt_parts.h"

#include "base/mem.h"
#include "base/scoped.h"

static bool holds(const struct config_i64_list *list, int64_t value) {
    for (int64_t i = 0; i < list->count; i++) {
        if (list->items[i] == value) {
            return true;
        }
    }
    return false;
}

/* fold_plan_by_split calls the test 0, training 1 and validation -1. */
static enum prompt_part part_of(const struct reward_data_config *config, int32_t fold) {
    if (config->folds == 0) {
        return fold == 0 ? PROMPT_TEST : fold == 1 ? PROMPT_TRAINING : PROMPT_VALIDATION;
    }
    return holds(&config->test_folds, fold)         ? PROMPT_TEST
           : holds(&config->validation_folds, fold) ? PROMPT_VALIDATION
                                                    : PROMPT_TRAINING;
}

enum err_code prompt_parts_make(struct db *db, const struct reward_data_config *config,
                                const struct fold_prompts *prompts, uint8_t **out_parts,
                                struct error *err) {
    const struct split_shares shares = SPLIT_SHARES_DEFAULT;
    const char *group = config->group[0] ? config->group : NULL;
    SCOPED(mem) int32_t *folds = NULL;
    TRY(config->folds == 0 ? fold_plan_by_split(db, prompts, &shares, &folds, err)
                           : fold_plan_by_group(db, prompts, config->folds, group, &folds, err));
    uint8_t *parts = mem_array((size_t)prompts->count, sizeof *parts);
    if (!parts) {
        return err_oom(err, "parts of the log");
    }
    for (int64_t i = 0; i < prompts->count; i++) {
        parts[i] = (uint8_t)part_of(config, folds[i]);
    }
    *out_parts = parts;
    return ERR_OK;
}
