/* align_watch.h - what goes wrong in alignment, said in plain words while it happens.
 *
 * Use:      struct align_watch watch = ALIGN_WATCH_INIT;
 *           align_watch_add(&watch, &sign, log);          // after each round
 * Signs:    entropy of a token falling to half, answers growing by half, ends of answers
 *           vanishing, the reward rising while a reward that is not learnt from falls. Each is
 *           compared with the first round's, as a running mean of the last ten or so, and said
 *           once.
 * Resuming: what is remembered is `numbers`, which a checkpoint keeps.
 * Threads:  no state but the caller's.
 */
#ifndef TRAINER_ALIGN_WATCH_H
#define TRAINER_ALIGN_WATCH_H

#include "base/log.h"
#include "trainer/checkpoint.h"

#define ALIGN_SIGNS(X)                         \
    X(ENTROPY, "watch_entropy")   /* nats */   \
    X(LENGTH, "watch_length")     /* tokens */ \
    X(CUT_OFF, "watch_cut_off")   /* share */  \
    X(REWARD, "watch_reward")     /* nats */   \
    X(HELD_OUT, "watch_held_out") /* its own unit */

enum align_sign {
#define ALIGN_SIGN_ENUM(name, text) ALIGN_SIGN_##name,
    ALIGN_SIGNS(ALIGN_SIGN_ENUM)
#undef ALIGN_SIGN_ENUM
        ALIGN_SIGN_COUNT
};

/* Of each sign the first value and the running mean; how many rounds; which were said, as bits. */
#define ALIGN_WATCH_NUMBERS (2 * ALIGN_SIGN_COUNT + 2)

struct align_watch {
    struct checkpoint_number numbers[ALIGN_WATCH_NUMBERS];
};

void align_watch_init(struct align_watch *watch);

/* One round's [ALIGN_SIGN_COUNT]; NaN for what was not looked at. */
void align_watch_add(struct align_watch *watch, const double *signs, struct log *log);

#endif
