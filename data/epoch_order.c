/* epoch_order.c - see epoch_order.h. */
#include "data/epoch_order.h"

#include "base/mem.h"
#include "base/rng.h"

enum err_code epoch_order_init(struct epoch_order *order, int64_t count, uint64_t seed,
                               struct error *err) {
    order->count = count;
    order->seed = seed;
    order->epoch = -1;
    order->places = mem_array((size_t)count, sizeof *order->places);
    return order->places ? ERR_OK : err_oom(err, "order of examples");
}

void epoch_order_deinit(struct epoch_order *order) {
    mem_free(order->places);
    *order = (struct epoch_order)EPOCH_ORDER_INIT;
}

void epoch_order_shuffle(int64_t count, uint64_t seed, int64_t epoch, int64_t *out_places) {
    struct rng rng = rng_stream(seed, RNG_SHUFFLE, epoch, 0);
    for (int64_t i = 0; i < count; i++) {
        const int64_t j = rng_below(&rng, i + 1); /* in 0 .. i */
        out_places[i] = out_places[j];            /* j == i: overwritten below */
        out_places[j] = i;
    }
}

int64_t epoch_order_at(struct epoch_order *order, int64_t number) {
    const int64_t epoch = number / order->count;
    if (epoch != order->epoch) {
        epoch_order_shuffle(order->count, order->seed, epoch, order->places);
        order->epoch = epoch;
    }
    return order->places[number % order->count];
}
