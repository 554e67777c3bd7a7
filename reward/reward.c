/* reward.c - see reward.h. */
#include "reward/reward.h"

enum err_code reward_score(struct reward *reward, const struct reward_item *items, int64_t count,
                           double *out_rewards, struct error *err) {
    return reward->class->score(reward, items, count, out_rewards, err);
}

enum err_code reward_finish(struct reward *reward, struct error *err) {
    return reward->class->finish ? reward->class->finish(reward, err) : ERR_OK;
}

enum err_code reward_hash(struct reward *reward, struct hash_state *state, struct error *err) {
    return reward->class->hash ? reward->class->hash(reward, state, err) : ERR_OK;
}

void reward_free(struct reward *reward) {
    if (reward) {
        reward->class->free(reward);
    }
}
