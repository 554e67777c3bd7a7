/* bench_fit.c - see bench_fit.h. */
#include "trainer/bench_fit.h"

#include "base/scoped.h"
#include "data/comparison_set.h"
#include "data/project.h"
#include "reward/tabular_fit.h"
#include "trainer/bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct work {
    struct db *db;
    struct comparison_set set;
    struct tabular_options options;
};

static void work_scoped_end(struct work *work) {
    comparison_set_deinit(&work->set);
    db_close(work->db);
}

static enum err_code load(void *context, struct error *err) {
    struct work *work = context;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    const struct comparison_set_options options = {.items = COMPARISON_ITEMS_RESPONSES};
    return comparison_set_load(work->db, &options, &set, err);
}

static enum err_code fit(void *context, struct error *err) {
    struct work *work = context;
    SCOPED(tabular_fit) struct tabular_fit result = TABULAR_FIT_INIT;
    return tabular_fit_run(&work->set, &work->options, &result, err);
}

static enum tabular_model model_named(const char *name) {
    enum tabular_model model = TABULAR_BRADLEY_TERRY;
    while (strcmp(tabular_model_name(model), name) != 0) {
        model++; /* the option admits only names of models */
    }
    return model;
}

enum err_code bench_fit_run(struct run *run, const struct command_args *args, struct error *err) {
    SCOPED(work)
    struct work work = {.set = COMPARISON_SET_INIT, .options = TABULAR_OPTIONS_DEFAULT};
    work.options.model = model_named(command_args_text(args, "model"));
    bool has_ties =
        work.options.model != TABULAR_BRADLEY_TERRY && work.options.model != TABULAR_CROWD_BT;
    work.options.ties = has_ties ? TABULAR_TIES_REFUSE : TABULAR_TIES_HALF;
    work.options.position_effect = command_args_has(args, "position-effect");
    if (command_args_has(args, "map")) {
        work.options.estimator = TABULAR_MAXIMUM_POSTERIOR;
    }
    TRY(project_open(args->positionals[0], DB_MODE_READ_ONLY, run->log, &work.db, err));
    const struct comparison_set_options options = {.items = COMPARISON_ITEMS_RESPONSES};
    TRY(comparison_set_load(work.db, &options, &work.set, err));
    const struct bench_case cases[] = {
        {.name = "load the comparisons", .run = load, .context = &work},
        {.name = "fit", .run = fit, .context = &work},
    };
    struct bench_report report = {.count = 0};
    (void)snprintf(report.title, sizeof report.title,
                   "%s of %" PRId64 " items to %" PRId64 " comparisons",
                   tabular_model_name(work.options.model), work.set.item_count, work.set.count);
    TRY(bench_measure(run, cases, 2, command_args_integer(args, "repeats"), &report, err));
    return bench_finish(&report, run, err);
}
