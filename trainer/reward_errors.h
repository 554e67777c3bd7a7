/* reward_errors.h - standard errors of a stored fit that was too large to keep its covariance.
 *
 * Use:      SCOPED(reward_errors) struct reward_errors errors = REWARD_ERRORS_INIT;
 *           TRY(reward_errors_open(run, db, &stored, &errors, err));
 *           if (errors.variance) {
 *               TRY(tabular_variance_item(errors.variance, item, &std_error, err));
 *           }
 * Method:   reads the fit's comparisons again (tabular_variance.h). Where they are no longer those
 *           of the fit there are no errors: a warning says so, and `why_not` keeps the reason.
 * Owns:     set and variance; the fit is borrowed.
 * Threads:  main thread.
 */
#ifndef TRAINER_REWARD_ERRORS_H
#define TRAINER_REWARD_ERRORS_H

#include "base/json_writer.h"
#include "reward/tabular_store.h"
#include "reward/tabular_variance.h"
#include "trainer/run.h"

struct reward_errors {
    struct comparison_set set;
    struct tabular_variance *variance; /* NULL: there are none */
    struct error why_not;              /* ERR_OK: there are, or nobody has asked */
};

#define REWARD_ERRORS_INIT \
    { .variance = NULL }

/* `errors` is REWARD_ERRORS_INIT, stays where it is, and is closed by the caller, also after a
 * failure. */
ERR_NODISCARD enum err_code reward_errors_open(struct run *run, struct db *db,
                                               const struct tabular_stored *stored,
                                               struct reward_errors *errors, struct error *err);
void reward_errors_close(struct reward_errors *errors);

/* Member `no_intervals_because`: the reason, or null. */
void reward_errors_put(const struct reward_errors *errors, struct json_writer *w);

static inline void reward_errors_scoped_end(struct reward_errors *errors) {
    reward_errors_close(errors);
}

#endif
