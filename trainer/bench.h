/* bench.h - timing cases against each other, and the table that `accord bench` prints.
 *
 * Use:      const struct bench_case cases[] = {
 *               {.name = "ours", .run = run_ours, .context = &work, .work = bytes,
 *                .rate = BENCH_GB_PER_S},
 *               {.name = "peer", .run = run_peer, .context = &work, .work = bytes,
 *                .rate = BENCH_GB_PER_S},
 *           };
 *           struct bench_report report = {.title = "..."};
 *           TRY(bench_measure(run, cases, 2, 7, &report, err));
 *           return bench_finish(&report, run, err);
 *
 * Method:   each case runs once unmeasured; then all cases take turns (A B A B ...), `repeats`
 *           times, so that a disturbance of the machine meets them alike. The best time says what
 *           the machine can do; median, worst and spread say how disturbed it was. The last column
 *           is the median over the turns of the time against the first case's in the same turn,
 *           with the least and the greatest of them.
 * Threads:  main thread.
 */
#ifndef TRAINER_BENCH_H
#define TRAINER_BENCH_H

#include "base/error.h"
#include "trainer/bench_stats.h"
#include "trainer/run.h"

#define BENCH_ROWS_MAX    8
#define BENCH_TITLE_BYTES 160

/* What `work` counts, and how the best time is told as a rate. */
#define BENCH_RATES(X)        \
    X(NONE, "")               \
    X(GB_PER_S, "GB/s")       \
    X(GFLOP_PER_S, "GFLOP/s") \
    X(NS_EACH, "ns each")

enum bench_rate {
#define BENCH_RATE_ENUM(name, text) BENCH_##name,
    BENCH_RATES(BENCH_RATE_ENUM)
#undef BENCH_RATE_ENUM
        BENCH_RATE_COUNT
};

struct bench_case {
    const char *name;
    enum err_code (*run)(void *context, struct error *err);
    void *context;
    double work; /* bytes, operations or pieces in one run */
    enum bench_rate rate;
};

struct bench_row {
    const char *name;           /* borrowed from the case */
    struct bench_stats seconds; /* of one run */
    struct bench_stats ratios;  /* to the first case measured with it */
    double rate;                /* of the best run, in the unit of `rate_kind`; 0 for none */
    enum bench_rate rate_kind;
};

struct bench_report {
    char title[BENCH_TITLE_BYTES];
    int64_t repeats;
    int64_t count;
    struct bench_row rows[BENCH_ROWS_MAX];
};

/* Measures `count` cases and appends their rows. A failing case ends it with its error. */
ERR_NODISCARD enum err_code bench_measure(struct run *run, const struct bench_case *cases,
                                          int64_t count, int64_t repeats,
                                          struct bench_report *report, struct error *err);

/* The report as a table, with or without bold letters, and as one JSON value and a line end.
 *   fails  ERR_DATA for a name that is not UTF-8; ERR_OOM */
void bench_add_text(const struct bench_report *report, bool bold, struct strbuf *out);
ERR_NODISCARD enum err_code bench_add_json(const struct bench_report *report, struct strbuf *out,
                                           struct error *err);

/* Prints the report, as text or JSON. */
ERR_NODISCARD enum err_code bench_finish(const struct bench_report *report, struct run *run,
                                         struct error *err);

#endif
