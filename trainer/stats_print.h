/* stats_print.h - what accord stats shows, as text and as JSON.
 *
 * Use:      stats_print_counts(&page, out);
 *           stats_print_judged(&page, &judged, out);      // once for each aspect
 *           stats_print_rated(&page, &rated, out);
 *           The stats_json_ functions do the same inside an open JSON object or array.
 * Threads:  no state.
 */
#ifndef TRAINER_STATS_PRINT_H
#define TRAINER_STATS_PRINT_H

#include "base/json_writer.h"
#include "base/strbuf.h"
#include "data/stats.h"
#include "data/stats_counts.h"
#include "data/stats_ratings.h"
#include "reward/bt_test.h"

#include <stdbool.h>
#include <stdint.h>

struct stats_page {
    const char *path;
    const char *filter; /* "of population 'a'"; "" for everything */
    bool bold;
    int64_t annotators_max, sources_max; /* rows of the tables */
    uint64_t seed;
    const struct stats_counts *counts;
};

struct stats_judged {
    const char *aspect; /* NULL: none */
    bool from_ratings;
    const struct stats *stats;
    const struct bt_test *fit;
};

struct stats_rated {
    const char *aspect; /* NULL: none */
    bool labels;
    const struct stats_ratings *ratings;
};

void stats_print_counts(const struct stats_page *page, struct strbuf *out);
void stats_print_judged(const struct stats_page *page, const struct stats_judged *judged,
                        struct strbuf *out);
void stats_print_rated(const struct stats_page *page, const struct stats_rated *rated,
                       struct strbuf *out);

void stats_json_counts(const struct stats_counts *counts, struct json_writer *w);
void stats_json_judged(const struct stats_page *page, const struct stats_judged *judged,
                       struct json_writer *w);
void stats_json_rated(const struct stats_rated *rated, struct json_writer *w);

#endif
