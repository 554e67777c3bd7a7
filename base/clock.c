/* clock.c - see clock.h. */
#include "base/clock.h"

#include "base/invariant.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define NS_PER_DS (CLOCK_NS_PER_S / 10) /* tenth of a second */
#define S_PER_M   INT64_C(60)
#define M_PER_H   INT64_C(60)
#define H_PER_D   INT64_C(24)

static int64_t read_clock(clockid_t id) {
    struct timespec now = {0};
    int result = clock_gettime(id, &now);
    ASSERT(result == 0); /* both clocks exist on every Linux */
    return (int64_t)now.tv_sec * CLOCK_NS_PER_S + now.tv_nsec;
}

struct clock clock_real(void) {
    return (struct clock){.kind = CLOCK_KIND_REAL};
}

struct clock clock_manual(int64_t wall_ns) {
    return (struct clock){.kind = CLOCK_KIND_MANUAL, .manual_wall_ns = wall_ns};
}

void clock_advance(struct clock *manual, int64_t ns) {
    ASSERT(manual->kind == CLOCK_KIND_MANUAL);
    ASSERT(ns >= 0);
    manual->manual_wall_ns += ns;
    manual->manual_monotonic_ns += ns;
}

int64_t clock_wall_ns(const struct clock *clock) {
    return clock->kind == CLOCK_KIND_MANUAL ? clock->manual_wall_ns : read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic_ns(const struct clock *clock) {
    return clock->kind == CLOCK_KIND_MANUAL ? clock->manual_monotonic_ns
                                            : read_clock(CLOCK_MONOTONIC);
}

/* In two parts: nanoseconds since 1970 have more digits than a double. */
double clock_wall_seconds(const struct clock *clock) {
    int64_t ns = clock_wall_ns(clock);
    int64_t whole = ns / CLOCK_NS_PER_S;
    int64_t rest_ns = ns % CLOCK_NS_PER_S;
    return (double)whole + (double)rest_ns / (double)CLOCK_NS_PER_S;
}

/* Quotient towards minus infinity, so that times before 1970 keep a positive fraction. */
static int64_t floor_divide(int64_t value, int64_t divisor) {
    return value / divisor - (value % divisor < 0);
}

static struct tm utc_fields(int64_t wall_ns) {
    time_t seconds = (time_t)floor_divide(wall_ns, CLOCK_NS_PER_S);
    struct tm fields = {0};
    (void)gmtime_r(&seconds, &fields); /* fails for years beyond an int only: not in 64-bit ns */
    return fields;
}

struct clock_text clock_utc_text(int64_t wall_ns) {
    struct clock_text out = {0};
    struct tm fields = utc_fields(wall_ns);
    (void)strftime(out.text, sizeof out.text, "%Y-%m-%dT%H:%M:%SZ", &fields);
    return out;
}

struct clock_text clock_utc_ms_text(int64_t wall_ns) {
    struct clock_text out = {0};
    struct tm fields = utc_fields(wall_ns);
    size_t used = strftime(out.text, sizeof out.text, "%Y-%m-%dT%H:%M:%S", &fields);
    int64_t ms = floor_divide(wall_ns, CLOCK_NS_PER_MS) -
                 floor_divide(wall_ns, CLOCK_NS_PER_S) * (CLOCK_NS_PER_S / CLOCK_NS_PER_MS);
    (void)snprintf(out.text + used, sizeof out.text - used, ".%03" PRId64 "Z", ms);
    return out;
}

static int64_t round_divide(int64_t value, int64_t divisor) {
    return value / divisor + (value % divisor >= (divisor + 1) / 2);
}

/* `units` is "ms" for minutes and seconds; `count` is in the smaller one. */
static void format_pair(struct clock_text *out, const char *sign, int64_t count, int64_t per_unit,
                        const char *units) {
    (void)snprintf(out->text, sizeof out->text, "%s%" PRId64 " %c %02" PRId64 " %c", sign,
                   count / per_unit, units[0], count % per_unit, units[1]);
}

/* Each range ends where rounding would show one of the next unit: 59.96 s is "1 m 00 s". */
struct clock_text clock_duration_text(int64_t ns) {
    struct clock_text out = {0};
    const char *sign = ns < 0 ? "-" : "";
    int64_t size = ns == INT64_MIN ? INT64_MAX : ns < 0 ? -ns : ns;
    int64_t ms = round_divide(size, CLOCK_NS_PER_MS);
    int64_t tenths = round_divide(size, NS_PER_DS);
    int64_t s = round_divide(size, CLOCK_NS_PER_S);
    int64_t m = round_divide(s, S_PER_M);
    int64_t h = round_divide(s, S_PER_M * M_PER_H);
    if (ms < 1000) {
        (void)snprintf(out.text, sizeof out.text, "%s%" PRId64 " ms", sign, ms);
    } else if (tenths < 600) {
        (void)snprintf(out.text, sizeof out.text, "%s%" PRId64 ".%" PRId64 " s", sign, tenths / 10,
                       tenths % 10);
    } else if (s < S_PER_M * M_PER_H) {
        format_pair(&out, sign, s, S_PER_M, "ms");
    } else if (m < M_PER_H * H_PER_D) {
        format_pair(&out, sign, m, M_PER_H, "hm");
    } else {
        format_pair(&out, sign, h, H_PER_D, "dh");
    }
    return out;
}
