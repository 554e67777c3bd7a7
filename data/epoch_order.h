/* epoch_order.h - the shuffled order in which training sees its examples, epoch after epoch.
 *
 * Use:      SCOPED(epoch_order) struct epoch_order order = EPOCH_ORDER_INIT;
 *           TRY(epoch_order_init(&order, count, seed, err));
 *           for (int64_t number = 0; ; number++) {
 *               use(example[epoch_order_at(&order, number)]);
 *           }
 * Order:    of an epoch follows from seed and epoch alone (Fisher and Yates, stream RNG_SHUFFLE):
 *           a resumed run goes on in it.
 * Threads:  one.
 */
#ifndef DATA_EPOCH_ORDER_H
#define DATA_EPOCH_ORDER_H

#include "base/error.h"

#include <stdint.h>

struct epoch_order {
    int64_t count;
    uint64_t seed;
    int64_t epoch;   /* that of `places`; -1: none yet */
    int64_t *places; /* [count] */
};

#define EPOCH_ORDER_INIT \
    { .places = NULL }

/* For `count` >= 1 examples. Owned (epoch_order_deinit).
 *   fails    ERR_OOM */
ERR_NODISCARD enum err_code epoch_order_init(struct epoch_order *order, int64_t count,
                                             uint64_t seed, struct error *err);
void epoch_order_deinit(struct epoch_order *order);

/* The number-th example that training sees, over all epochs: in 0 .. count - 1. Each change of the
 * epoch costs a shuffle. */
int64_t epoch_order_at(struct epoch_order *order, int64_t number);

/* A permutation of 0 .. count - 1, the same for the same seed and epoch. */
void epoch_order_shuffle(int64_t count, uint64_t seed, int64_t epoch, int64_t *out_places);

static inline void epoch_order_scoped_end(struct epoch_order *order) {
    epoch_order_deinit(order);
}

#endif
