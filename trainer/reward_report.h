/* reward_report.h - what `accord reward fit` and `show` say of fits, for people and as JSON.
 *
 * Use:      struct reward_report report = {.path = path, .fits = fits, .count = count};
 *           TRY(reward_report_print(run, &report, err));
 * Threads:  main thread.
 */
#ifndef TRAINER_REWARD_REPORT_H
#define TRAINER_REWARD_REPORT_H

#include "reward/tabular_fit.h"
#include "trainer/run.h"

struct reward_report_fit {
    const char *name;              /* it is stored under; borrowed */
    const char *population;        /* NULL: everybody; borrowed */
    const char *why_model;         /* "the comparisons hold ties"; NULL: the user chose it */
    const struct tabular_fit *fit; /* borrowed */
};

/* A population that was to have a fit, and why it has none. */
struct reward_report_gap {
    const char *population; /* borrowed */
    struct error why;
};

struct reward_report {
    const char *path; /* of the project file */
    const struct reward_report_fit *fits;
    int64_t count;
    const struct reward_report_gap *gaps;
    int64_t gap_count;
};

ERR_NODISCARD enum err_code reward_report_print(struct run *run, const struct reward_report *report,
                                                struct error *err);

#endif
