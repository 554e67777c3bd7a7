/* policy_table.c - see policy_table.h. */
#include "trainer/policy_table.h"

#include "base/json_writer.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "trainer/text_table.h"

#include <math.h>
#include <stdio.h>

enum { SUM, COUNT, COLUMNS_PER_MEASURE };

enum err_code policy_table_init(struct policy_table *table, const char *const *names,
                                int64_t policies, int64_t prompts, struct error *err) {
    const size_t count = (size_t)(policies * prompts) * POLICY_MEASURE_COUNT;
    *table = (struct policy_table){.names = names, .policies = policies, .prompts = prompts};
    table->values = mem_array(count, sizeof *table->values);
    table->summaries = mem_array((size_t)policies, sizeof *table->summaries);
    if (!table->values || !table->summaries) {
        policy_table_deinit(table);
        return err_oom(err, "measures of policies");
    }
    for (size_t i = 0; i < count; i++) {
        table->values[i] = (double)NAN;
    }
    return ERR_OK;
}

void policy_table_deinit(struct policy_table *table) {
    mem_free(table->values);
    mem_free(table->summaries);
    *table = (struct policy_table)POLICY_TABLE_INIT;
}

double *policy_table_row(struct policy_table *table, int64_t policy, int64_t prompt) {
    return table->values + (policy * table->prompts + prompt) * POLICY_MEASURE_COUNT;
}

/* --- intervals -------------------------------------------------------------------------------- */

static int64_t column_of(int64_t policy, int64_t measure) {
    return (policy * POLICY_MEASURE_COUNT + measure) * COLUMNS_PER_MEASURE;
}

static double mean_in(const double *sums, int64_t column) {
    return sums[column + SUM] / sums[column + COUNT]; /* NaN of nothing */
}

static enum err_code add_up(struct policy_table *table, uint64_t seed, struct cluster_sums *sums,
                            struct error *err) {
    const int64_t columns = table->policies * POLICY_MEASURE_COUNT * COLUMNS_PER_MEASURE;
    SCOPED(mem) bool *is_used = mem_array((size_t)table->prompts, sizeof *is_used);
    if (!is_used) {
        return err_oom(err, "prompts");
    }
    for (int64_t p = 0; p < table->prompts; p++) {
        is_used[p] = true;
    }
    TRY(cluster_sums_init(sums, is_used, table->prompts, columns, seed, err));
    for (int64_t policy = 0; policy < table->policies; policy++) {
        for (int64_t p = 0; p < table->prompts; p++) {
            const double *row = policy_table_row(table, policy, p);
            for (int64_t m = 0; m < POLICY_MEASURE_COUNT; m++) {
                const int64_t column = column_of(policy, m);
                cluster_sums_add(sums, p, column + SUM, isnan(row[m]) ? 0.0 : row[m]);
                cluster_sums_add(sums, p, column + COUNT, isnan(row[m]) ? 0.0 : 1.0);
            }
        }
    }
    return ERR_OK;
}

/* The mean of a column less that of another (-1: none), with its interval. */
static struct policy_estimate estimate_of(const double *total, const double *resamples,
                                          int64_t columns, int64_t column, int64_t other) {
    double values[CLUSTER_RESAMPLES];
    for (int64_t b = 0; b < CLUSTER_RESAMPLES; b++) {
        const double *sums = resamples + b * columns;
        values[b] = mean_in(sums, column) - (other < 0 ? 0.0 : mean_in(sums, other));
    }
    return (struct policy_estimate){
        .mean = mean_in(total, column) - (other < 0 ? 0.0 : mean_in(total, other)),
        .interval = cluster_interval_of(values, CLUSTER_RESAMPLES),
    };
}

enum err_code policy_table_summarise(struct policy_table *table, uint64_t seed, struct error *err) {
    SCOPED(cluster_sums) struct cluster_sums sums = CLUSTER_SUMS_INIT;
    SCOPED(mem) double *resamples = NULL;
    TRY(add_up(table, seed, &sums, err));
    SCOPED(mem) double *total = mem_array((size_t)sums.column_count, sizeof *total);
    if (!total) {
        return err_oom(err, "sums of measures");
    }
    cluster_sums_total(&sums, total);
    TRY(cluster_sums_resample(&sums, seed, &resamples, err));
    for (int64_t policy = 0; policy < table->policies; policy++) {
        struct policy_summary *summary = &table->summaries[policy];
        for (int64_t m = 0; m < POLICY_MEASURE_COUNT; m++) {
            const int64_t column = column_of(policy, m);
            summary->measures[m] = estimate_of(total, resamples, sums.column_count, column, -1);
            summary->differences[m] =
                estimate_of(total, resamples, sums.column_count, column, column_of(0, m));
        }
    }
    return ERR_OK;
}

/* --- what is said ----------------------------------------------------------------------------- */

#define NAME_COLUMNS     30
#define MEAN_COLUMNS     10
#define INTERVAL_COLUMNS 22 /* of [-0.000383, -0.000383]; a line of both has 98 */

static const char *const titles[POLICY_MEASURE_COUNT] = {
    [POLICY_MEASURE_REWARD] = "reward, nats",
    [POLICY_MEASURE_HELD_OUT] = "held-out reward",
    [POLICY_MEASURE_LENGTH] = "length, tokens",
    [POLICY_MEASURE_CUT_OFF] = "answers without an end, share",
    [POLICY_MEASURE_ENTROPY] = "entropy, nats a token",
    [POLICY_MEASURE_KL] = "KL to the reference, nats",
    [POLICY_MEASURE_UNIQUE] = "different answers, share",
    [POLICY_MEASURE_DISTINCT_2] = "distinct-2",
    [POLICY_MEASURE_DIVERGENCE] = "PM divergence, own answers",
    [POLICY_MEASURE_BOUNDED] = "  bounded",
    [POLICY_MEASURE_NEAR_DIVERGENCE] = "  of close lengths",
    [POLICY_MEASURE_NEAR_BOUNDED] = "  of close lengths, bounded",
    [POLICY_MEASURE_POOL_DIVERGENCE] = "PM divergence, all answers",
    [POLICY_MEASURE_POOL_BOUNDED] = "  bounded",
    [POLICY_MEASURE_POOL_NEAR_DIVERGENCE] = "  of close lengths",
    [POLICY_MEASURE_POOL_NEAR_BOUNDED] = "  of close lengths, bounded",
};

/* The interval is filled up to `columns`. */
static void print_estimate(const struct policy_estimate *estimate, bool is_difference, int columns,
                           struct strbuf *out) {
    char mean[32] = "-";
    char interval[48] = "";
    if (!isnan(estimate->mean)) {
        (void)snprintf(mean, sizeof mean, is_difference ? "%+.4g" : "%.4g", estimate->mean);
        (void)snprintf(interval, sizeof interval, "[%.3g, %.3g]", estimate->interval.low,
                       estimate->interval.high);
    }
    strbuf_addf(out, " %*s %-*s", MEAN_COLUMNS, mean, columns, interval);
}

static bool is_measured(const struct policy_table *table, int64_t measure) {
    for (int64_t policy = 0; policy < table->policies; policy++) {
        if (!isnan(table->summaries[policy].measures[measure].mean)) {
            return true;
        }
    }
    return false;
}

static void print_policy(const struct policy_table *table, int64_t policy, struct strbuf *out) {
    const struct policy_summary *summary = &table->summaries[policy];
    const int columns = policy > 0 ? INTERVAL_COLUMNS : 0;
    text_heading(out, table->names[policy], false);
    strbuf_addf(out, "%-*s %*s %-*s%s\n", NAME_COLUMNS, "", MEAN_COLUMNS, "mean", columns, "95 %",
                policy > 0 ? "  less the first" : "");
    for (int64_t m = 0; m < POLICY_MEASURE_COUNT; m++) {
        if (!is_measured(table, m)) {
            continue;
        }
        strbuf_addf(out, "%-*s", NAME_COLUMNS, titles[m]);
        print_estimate(&summary->measures[m], false, columns, out);
        if (policy > 0) {
            print_estimate(&summary->differences[m], true, 0, out);
        }
        strbuf_add_char(out, '\n');
    }
}

void policy_table_print(const struct policy_table *table, struct strbuf *out) {
    for (int64_t policy = 0; policy < table->policies; policy++) {
        print_policy(table, policy, out);
    }
}

static void put_estimate(struct json_writer *w, const struct policy_estimate *estimate) {
    json_write_object_begin(w);
    json_put_f64_or_null(w, "mean", estimate->mean);
    json_put_f64_or_null(w, "low", estimate->interval.low);
    json_put_f64_or_null(w, "high", estimate->interval.high);
    json_write_object_end(w);
}

static void put_estimates(struct json_writer *w, const char *key,
                          const struct policy_estimate *estimates) {
    json_put_object_begin(w, key);
    for (int64_t m = 0; m < POLICY_MEASURE_COUNT; m++) {
        json_write_key(w, policy_measure_names[m]);
        put_estimate(w, &estimates[m]);
    }
    json_write_object_end(w);
}

enum err_code policy_table_json(const struct policy_table *table, struct strbuf *out,
                                struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_i64(&w, "prompts", table->prompts);
    json_put_array_begin(&w, "policies");
    for (int64_t policy = 0; policy < table->policies; policy++) {
        json_write_object_begin(&w);
        json_put_string(&w, "policy", table->names[policy]);
        put_estimates(&w, "measures", table->summaries[policy].measures);
        put_estimates(&w, "less_the_first", table->summaries[policy].differences);
        json_write_object_end(&w);
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}
