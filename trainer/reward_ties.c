/* reward_ties.c - see reward_ties.h. */
#include "trainer/reward_ties.h"

#include <inttypes.h>
#include <math.h>

enum tie_state { TIE_RAW, TIE_FIRST_MOMENT, TIE_SECOND_MOMENT };

static const char *const tie_state_names[] = {
    "tie_1", "tie_1_m", "tie_1_v", "tie_2", "tie_2_m", "tie_2_v",
    "tie_3", "tie_3_m", "tie_3_v", "tie_4", "tie_4_m", "tie_4_v",
};

#define TIE_LEARNING_RATE 0.01

static double value_of(const struct reward_ties *ties, int64_t t, double *out_slope) {
    return reward_tie_of(ties->model, ties->state[t * REWARD_TIE_STATES + TIE_RAW].value,
                         out_slope);
}

void reward_ties_values(const struct reward_ties *ties, double out[REWARD_TIES_MAX]) {
    for (int64_t t = 0; t < ties->count; t++) {
        double slope = 0.0;
        out[t] = value_of(ties, t, &slope);
    }
}

enum err_code reward_ties_init(struct reward_ties *ties, const struct reward_objective *objective,
                               enum tabular_model model, struct error *err) {
    double start[REWARD_TIES_MAX] = {0.0};
    ties->model = model;
    ties->count = objective ? reward_objective_tie_count(objective) : 0;
    if (ties->count > REWARD_TIES_MAX) {
        return err_set(err, ERR_LIMIT,
                       "rankings with ties of %" PRId64 " sizes, at most %d are supported: set "
                       "loss.split_rankings=true",
                       ties->count, REWARD_TIES_MAX);
    }
    if (ties->count > 0) {
        reward_objective_start(objective, start);
    }
    for (int64_t i = 0; i < ties->count * REWARD_TIE_STATES; i++) {
        ties->state[i] = (struct checkpoint_number){.name = tie_state_names[i]};
    }
    for (int64_t t = 0; t < ties->count; t++) {
        ties->state[t * REWARD_TIE_STATES + TIE_RAW].value = reward_tie_raw(model, start[t]);
    }
    return ERR_OK;
}

void reward_ties_step(struct reward_ties *ties, int64_t step, const double *slopes) {
    for (int64_t t = 0; t < ties->count; t++) {
        struct checkpoint_number *state = &ties->state[t * REWARD_TIE_STATES];
        double raw_slope = 0.0;
        (void)value_of(ties, t, &raw_slope);
        const double g = slopes[t] * raw_slope;
        if (!isfinite(g)) {
            continue;
        }
        double *m = &state[TIE_FIRST_MOMENT].value;
        double *v = &state[TIE_SECOND_MOMENT].value;
        *m = 0.9 * *m + 0.1 * g;
        *v = 0.999 * *v + 0.001 * g * g;
        const double m_hat = *m / (1.0 - pow(0.9, (double)(step + 1)));
        const double v_hat = *v / (1.0 - pow(0.999, (double)(step + 1)));
        state[TIE_RAW].value -= TIE_LEARNING_RATE * m_hat / (sqrt(v_hat) + 1e-8);
    }
}
