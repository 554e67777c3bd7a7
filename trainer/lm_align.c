/* lm_align.c - accord align: which recipe a method belongs to. In the tensor half. */
#include "trainer/align_config.h"
#include "trainer/align_recipes.h"
#include "trainer/lm_functions.h"

enum err_code align_run(struct run *run, const struct command_args *args, struct error *err) {
    const struct align_config *config = run->config;
    TRY(train_check_request(&config->train, args, err));
    return align_is_on_policy(config->method) ? rl_run(run, args, err) : direct_run(run, args, err);
}
