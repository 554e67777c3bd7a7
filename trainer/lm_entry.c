/* lm_entry.c - see lm_entry.h; in the tensor half. */
#include "trainer/lm_entry.h"

#include "trainer/build_id.h"
#include "trainer/lm_functions.h"
#include "trainer/reward_lm.h"
#include "trainer/run.h"

static const struct lm_function functions[] = {
#define LM_FUNCTION_ROW(name, function) {name, function},
    LM_FUNCTIONS(LM_FUNCTION_ROW)
#undef LM_FUNCTION_ROW
        {NULL, NULL},
};

const struct lm_entry *accord_lm_entry(void) {
    static const struct lm_entry entry = {
        .build = BUILD_ID,
        .run_bytes = sizeof(struct run),
        .functions = functions,
        .open_reward = reward_lm_open,
    };
    return &entry;
}
