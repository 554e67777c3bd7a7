/* align_watch.c - see align_watch.h. */
#include "trainer/align_watch.h"

#include <math.h>
#include <stdbool.h>

#define DECAY        0.9
#define ROUNDS_LEAST 5.0 /* before anything is said */

#define ENTROPY_SHARE 0.5 /* of the first */
#define LENGTH_SHARE  1.5
#define CUT_OFF_RISE  0.3
#define HELD_OUT_FALL 0.25 /* of what the reward rose by */

enum { FIRST, RECENT = ALIGN_SIGN_COUNT, ROUNDS = 2 * ALIGN_SIGN_COUNT, SAID };

void align_watch_init(struct align_watch *watch) {
    static const char *const names[ALIGN_WATCH_NUMBERS] = {
#define ALIGN_SIGN_FIRST(name, text) [FIRST + ALIGN_SIGN_##name] = text "_first",
        ALIGN_SIGNS(ALIGN_SIGN_FIRST)
#undef ALIGN_SIGN_FIRST
#define ALIGN_SIGN_RECENT(name, text) [RECENT + ALIGN_SIGN_##name] = text "_recent",
            ALIGN_SIGNS(ALIGN_SIGN_RECENT)
#undef ALIGN_SIGN_RECENT
                [ROUNDS] = "watch_rounds",
        [SAID] = "watch_said",
    };
    for (int64_t i = 0; i < ALIGN_WATCH_NUMBERS; i++) {
        watch->numbers[i] = (struct checkpoint_number){.name = names[i], .value = 0.0};
    }
}

static double first_of(const struct align_watch *watch, enum align_sign sign) {
    return watch->numbers[FIRST + sign].value;
}

static double recent_of(const struct align_watch *watch, enum align_sign sign) {
    return watch->numbers[RECENT + sign].value;
}

/* A sign that was not looked at stays as it was; 0 is the value of one that never was. */
static void remember(struct align_watch *watch, enum align_sign sign, double value) {
    double *first = &watch->numbers[FIRST + sign].value;
    double *recent = &watch->numbers[RECENT + sign].value;
    if (!isfinite(value)) {
        return;
    }
    const bool is_first = *first == 0.0 && *recent == 0.0;
    *first = is_first ? value : *first;
    *recent = is_first ? value : DECAY * *recent + (1.0 - DECAY) * value;
}

/* Whether the sign is seen, and was not said before. */
static bool is_new(struct align_watch *watch, enum align_sign sign, bool is_seen) {
    double *said = &watch->numbers[SAID].value;
    const unsigned bit = 1U << sign;
    if (!is_seen || ((unsigned)*said & bit)) {
        return false;
    }
    *said += bit;
    return true;
}

static void warn_of_answers(struct align_watch *watch, struct log *log) {
    const double entropy = recent_of(watch, ALIGN_SIGN_ENTROPY);
    const double length = recent_of(watch, ALIGN_SIGN_LENGTH);
    const double cut_off = recent_of(watch, ALIGN_SIGN_CUT_OFF);
    const double entropy_first = first_of(watch, ALIGN_SIGN_ENTROPY);
    const double length_first = first_of(watch, ALIGN_SIGN_LENGTH);
    const double cut_off_first = first_of(watch, ALIGN_SIGN_CUT_OFF);
    if (is_new(watch, ALIGN_SIGN_ENTROPY, entropy < ENTROPY_SHARE * entropy_first)) {
        log_warn(log, "align",
                 "entropy fell from %.2f to %.2f nats a token: answers become alike. A larger "
                 "regulariser.beta_in keeps them apart; with kl, preference matching does",
                 entropy_first, entropy);
    }
    if (is_new(watch, ALIGN_SIGN_LENGTH, length > LENGTH_SHARE * length_first)) {
        log_warn(log, "align",
                 "answers grew from %.0f to %.0f tokens: does the reward grow with length? See "
                 "'accord reward eval'; rollout.length_penalty works against it",
                 length_first, length);
    }
    if (is_new(watch, ALIGN_SIGN_CUT_OFF, cut_off > cut_off_first + CUT_OFF_RISE)) {
        log_warn(log, "align",
                 "%.0f %% of answers have no end, at first %.0f %%: the model unlearns to stop. "
                 "Give rollout.missing_eos_penalty, or more rollout.new_tokens_max",
                 100.0 * cut_off, 100.0 * cut_off_first);
    }
}

static void warn_of_rewards(struct align_watch *watch, struct log *log) {
    const double rise = recent_of(watch, ALIGN_SIGN_REWARD) - first_of(watch, ALIGN_SIGN_REWARD);
    const double held_out =
        recent_of(watch, ALIGN_SIGN_HELD_OUT) - first_of(watch, ALIGN_SIGN_HELD_OUT);
    if (is_new(watch, ALIGN_SIGN_HELD_OUT, rise > 0.0 && held_out < -HELD_OUT_FALL * rise)) {
        log_warn(log, "align",
                 "the reward rose by %.3g while the held-out one fell by %.3g: the policy has "
                 "begun to please the reward model, not people. Stop here, or at an earlier "
                 "checkpoint",
                 rise, -held_out);
    }
}

void align_watch_add(struct align_watch *watch, const double *signs, struct log *log) {
    for (int64_t sign = 0; sign < ALIGN_SIGN_COUNT; sign++) {
        remember(watch, (enum align_sign)sign, signs[sign]);
    }
    watch->numbers[ROUNDS].value += isfinite(signs[ALIGN_SIGN_ENTROPY]) ? 1.0 : 0.0;
    if (watch->numbers[ROUNDS].value >= ROUNDS_LEAST) {
        warn_of_answers(watch, log);
        warn_of_rewards(watch, log);
    }
}
