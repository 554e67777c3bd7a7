/* bench.c - see bench.h. */
#include "trainer/bench.h"

#include "base/invariant.h"
#include "base/json_writer.h"
#include "base/scoped.h"

#include <inttypes.h>
#include <stdio.h>

#define NAME_COLUMNS 34

static const char *const rate_units[] = {
#define BENCH_RATE_TEXT(name, text) text,
    BENCH_RATES(BENCH_RATE_TEXT)
#undef BENCH_RATE_TEXT
};

static double rate_of(const struct bench_case *c, double best_s) {
    switch (c->rate) {
    case BENCH_GB_PER_S:
    case BENCH_GFLOP_PER_S:
        return c->work / best_s * 1e-9;
    case BENCH_NS_EACH:
        return best_s / c->work * 1e9;
    case BENCH_NONE:
    case BENCH_RATE_COUNT:
        break;
    }
    return 0.0;
}

static struct bench_row make_row(const struct bench_case *c, const double *seconds,
                                 const double *first_seconds, int64_t repeats) {
    struct bench_stats stats = bench_stats_of(seconds, repeats);
    return (struct bench_row){
        .name = c->name,
        .seconds = stats,
        .ratios = bench_stats_of_ratios(seconds, first_seconds, repeats),
        .rate = rate_of(c, stats.best),
        .rate_kind = c->rate,
    };
}

static enum err_code time_once(struct run *run, const struct bench_case *c, double *out_seconds,
                               struct error *err) {
    int64_t start_ns = clock_monotonic_ns(&run->clock);
    TRY(err_wrap(err, c->run(c->context, err), "%s", c->name));
    int64_t took_ns = clock_monotonic_ns(&run->clock) - start_ns;
    *out_seconds = (double)(took_ns > 0 ? took_ns : 1) * 1e-9;
    return ERR_OK;
}

/* A duration in three digits with its unit. */
static void format_seconds(double seconds, char *out, size_t bytes) {
    static const struct {
        double factor;
        const char *unit;
    } scales[] = {{1.0, "s"}, {1e3, "ms"}, {1e6, "us"}, {1e9, "ns"}};
    size_t i = 0;
    while (i + 1 < sizeof scales / sizeof *scales && seconds * scales[i].factor < 1.0) {
        i++;
    }
    double value = seconds * scales[i].factor;
    int decimals = value < 10.0 ? 2 : value < 100.0 ? 1 : 0;
    (void)snprintf(out, bytes, "%.*f %s", decimals, value, scales[i].unit);
}

static void add_row(struct strbuf *out, const struct bench_row *row) {
    char best[24], median[24], worst[24], rate[32] = "";
    format_seconds(row->seconds.best, best, sizeof best);
    format_seconds(row->seconds.median, median, sizeof median);
    format_seconds(row->seconds.worst, worst, sizeof worst);
    if (row->rate_kind != BENCH_NONE) {
        (void)snprintf(rate, sizeof rate, "%.1f %s", row->rate, rate_units[row->rate_kind]);
    }
    strbuf_addf(out, "  %-*s %9s %9s %9s %5.1f %% %14s %6.2fx (%.2f to %.2f)\n", NAME_COLUMNS,
                row->name, best, median, worst, 100.0 * row->seconds.spread, rate,
                row->ratios.median, row->ratios.best, row->ratios.worst);
}

static void write_row(struct json_writer *w, const struct bench_row *row) {
    json_write_object_begin(w);
    json_put_string(w, "name", row->name);
    json_put_f64(w, "best_s", row->seconds.best);
    json_put_f64(w, "median_s", row->seconds.median);
    json_put_f64(w, "worst_s", row->seconds.worst);
    json_put_f64(w, "spread", row->seconds.spread);
    json_put_f64(w, "ratio_median", row->ratios.median);
    json_put_f64(w, "ratio_min", row->ratios.best);
    json_put_f64(w, "ratio_max", row->ratios.worst);
    if (row->rate_kind != BENCH_NONE) {
        json_put_f64(w, "rate", row->rate);
        json_put_string(w, "rate_unit", rate_units[row->rate_kind]);
    }
    json_write_object_end(w);
}

enum err_code bench_measure(struct run *run, const struct bench_case *cases, int64_t count,
                            int64_t repeats, struct bench_report *report, struct error *err) {
    double seconds[BENCH_ROWS_MAX][BENCH_REPEATS_MAX];
    ASSERT_LE(report->count + count, BENCH_ROWS_MAX);
    ASSERT_LE(repeats, BENCH_REPEATS_MAX);
    for (int64_t repeat = -1; repeat < repeats; repeat++) { /* -1: unmeasured */
        for (int64_t i = 0; i < count; i++) {
            TRY(time_once(run, &cases[i], &seconds[i][repeat < 0 ? 0 : repeat], err));
        }
    }
    for (int64_t i = 0; i < count; i++) {
        report->rows[report->count++] = make_row(&cases[i], seconds[i], seconds[0], repeats);
    }
    report->repeats = repeats;
    return ERR_OK;
}

void bench_add_text(const struct bench_report *report, bool bold, struct strbuf *out) {
    strbuf_addf(out, "%s%s%s\n", bold ? "\x1b[1m" : "", report->title, bold ? "\x1b[0m" : "");
    strbuf_addf(out, "%" PRId64 " repeats, taking turns\n\n", report->repeats);
    strbuf_addf(out, "  %-*s %9s %9s %9s %7s %14s %7s\n", NAME_COLUMNS, "", "best", "median",
                "worst", "spread", "rate", "time");
    for (int64_t i = 0; i < report->count; i++) {
        add_row(out, &report->rows[i]);
    }
}

enum err_code bench_add_json(const struct bench_report *report, struct strbuf *out,
                             struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_string(&w, "title", report->title);
    json_put_i64(&w, "repeats", report->repeats);
    json_put_array_begin(&w, "rows");
    for (int64_t i = 0; i < report->count; i++) {
        write_row(&w, &report->rows[i]);
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}

enum err_code bench_finish(const struct bench_report *report, struct run *run, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    if (run->output->json) {
        TRY(bench_add_json(report, &text, err));
    } else {
        bench_add_text(report, run->output->bold, &text);
    }
    return output_text(run->output, &text, err);
}
