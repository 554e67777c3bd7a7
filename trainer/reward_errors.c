/* reward_errors.c - see reward_errors.h. */
#include "trainer/reward_errors.h"

#include "base/utf8.h"

#include <string.h>

#define VISIBLE_BYTES (4 * ERR_MSG_BYTES)

static const char *visible(const struct error *why, char out[VISIBLE_BYTES]) {
    return utf8_visible(why->msg, strlen(why->msg), out, VISIBLE_BYTES);
}

static enum err_code open_variance(struct db *db, const struct tabular_stored *stored,
                                   struct reward_errors *errors, struct error *err) {
    TRY(tabular_stored_load_set(db, stored, &errors->set, err));
    return tabular_variance_open(&errors->set, &stored->fit, &errors->variance, err);
}

enum err_code reward_errors_open(struct run *run, struct db *db,
                                 const struct tabular_stored *stored, struct reward_errors *errors,
                                 struct error *err) {
    enum err_code code = open_variance(db, stored, errors, &errors->why_not);
    if (code == ERR_DATA || code == ERR_LIMIT) {
        char why[VISIBLE_BYTES];
        log_warn(run->log, "reward", "no intervals: %s; 'accord reward fit' makes the fit again",
                 visible(&errors->why_not, why));
        return ERR_OK;
    }
    return code == ERR_OK ? ERR_OK : err_set(err, code, "%s", errors->why_not.msg);
}

void reward_errors_close(struct reward_errors *errors) {
    tabular_variance_close(errors->variance);
    comparison_set_deinit(&errors->set);
    *errors = (struct reward_errors)REWARD_ERRORS_INIT;
}

void reward_errors_put(const struct reward_errors *errors, struct json_writer *w) {
    char why[VISIBLE_BYTES];
    bool has_reason = errors->why_not.code != ERR_OK;
    json_put_string_or_null(w, "no_intervals_because",
                            has_reason ? visible(&errors->why_not, why) : NULL);
}
