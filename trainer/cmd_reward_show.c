/* cmd_reward_show.c - accord reward show: what accord reward fit said of a stored fit. */
#include "base/scoped.h"
#include "data/project.h"
#include "reward/tabular_store.h"
#include "trainer/cmd_reward.h"
#include "trainer/reward_report.h"

static enum err_code show_run(struct run *run, const struct command_args *args, struct error *err) {
    const char *path = args->positionals[0];
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(path, DB_MODE_READ_ONLY, run->log, &db, err));
    SCOPED(tabular_stored) struct tabular_stored stored = TABULAR_STORED_INIT;
    TRY(tabular_store_load(db, command_args_text(args, "fit"), &stored, err));
    const struct reward_report_fit fit = {stored.name, stored.population, stored.why_model,
                                          &stored.fit};
    const struct reward_report report = {.path = path, .fits = &fit, .count = 1};
    return reward_report_print(run, &report, err);
}

static const struct command_option options[] = {
    REWARD_OPTION_FIT,
    {.name = NULL},
};

static const struct command_positional positionals[] = {
    {.name = "project.db", .kind = OPTION_FILE, .help = "the project file"},
    {.name = NULL},
};

const struct command cmd_reward_show = {
    .name = "show",
    .purpose = "say again what a fit said when it was made",
    .options = options,
    .positionals = positionals,
    .function = show_run,
};
