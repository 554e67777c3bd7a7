/* moments.h - waiting for a random moment, to send a signal in the middle of something.
 *
 * Use:      struct moments moments = MOMENTS_INIT;
 *           int64_t start_us = moments_now_us();
 *           ... the whole thing once ...
 *           int64_t whole_us = moments_now_us() - start_us;
 *           ... start it again ...
 *           moments_wait(&moments, whole_us);
 *           kill(child, SIGINT);
 *
 * The same moments in every run (xorshift64, Marsaglia 2003), so that a failure can be met again.
 */
#ifndef TESTS_SUPPORT_MOMENTS_H
#define TESTS_SUPPORT_MOMENTS_H

#include <stdint.h>

struct moments {
    uint64_t state; /* not 0 */
};

#define MOMENTS_INIT \
    { .state = UINT64_C(88172645463325252) }

int64_t moments_now_us(void);

/* Sleeps for 0 to `below_us` - 1 microseconds; returns how long. */
int64_t moments_wait(struct moments *moments, int64_t below_us);

#endif
