/* clock.h - time, real or set by hand, so that tests of anything timed are exact.
 *
 * Use:      struct clock clock = clock_real();
 *           int64_t start_ns = clock_monotonic_ns(&clock);
 *           ...
 *           log_info(log, "align", "done in %s",
 *                    clock_duration_text(clock_monotonic_ns(&clock) - start_ns).text);
 * Meaning:  wall time is nanoseconds since 1970-01-01T00:00:00Z, and jumps when somebody sets the
 *           machine's clock; monotonic time never goes back and is for durations only.
 * Threads:  a real clock has no state; a manual one belongs to one thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CLOCK_NS_PER_MS INT64_C(1000000)
#define CLOCK_NS_PER_S  INT64_C(1000000000)

enum clock_kind { CLOCK_KIND_REAL, CLOCK_KIND_MANUAL };

struct clock {
    enum clock_kind kind;
    int64_t manual_wall_ns;
    int64_t manual_monotonic_ns;
};

/* Fixed room for a time as text, returned by value: use `.text` within the same expression. */
struct clock_text {
    char text[40];
};

struct clock clock_real(void);

/* Starts at this wall time, and at monotonic time 0; moves by clock_advance only. */
struct clock clock_manual(int64_t wall_ns);
void clock_advance(struct clock *manual, int64_t ns);

int64_t clock_wall_ns(const struct clock *clock);
int64_t clock_monotonic_ns(const struct clock *clock);

/* Wall time in seconds, as metrics and TensorBoard want it. */
double clock_wall_seconds(const struct clock *clock);

/* ISO 8601, UTC: "2025-11-22T03:24:05Z", and "2025-11-22T03:24:05.123Z" (cut, not rounded). */
struct clock_text clock_utc_text(int64_t wall_ns);
struct clock_text clock_utc_ms_text(int64_t wall_ns);

/* For people, two units at most: "850 ms", "12.3 s", "2 m 05 s", "3 h 07 m", "2 d 04 h"; rounded to
 * the last unit shown. "-" before a negative one. */
struct clock_text clock_duration_text(int64_t ns);

#ifdef __cplusplus
}
#endif

#endif
