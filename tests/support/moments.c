/* moments.c - see moments.h. */
#include "tests/support/moments.h"

#include <time.h>

int64_t moments_now_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t moments_wait(struct moments *moments, int64_t below_us) {
    uint64_t x = moments->state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    moments->state = x;
    int64_t wait_us = (int64_t)(x % (uint64_t)below_us);
    const struct timespec span = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
    (void)nanosleep(&span, NULL);
    return wait_us;
}
