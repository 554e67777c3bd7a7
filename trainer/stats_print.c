/* stats_print.c - see stats_print.h: the text. The JSON is in stats_json.c. */
#include "trainer/stats_print.h"

#include "base/text_wrap.h"
#include "base/utf8.h"
#include "trainer/text_table.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define WIDTH       100
#define LABEL       22 /* columns of the names at the left, with their indent */
#define NUMBER      12
#define BAR         20
#define NAME_COLUMN 26
#define TITLE_BYTES 320

static void add_label(struct strbuf *out, const char *label) {
    strbuf_addf(out, "  %-*s", LABEL - 2, label);
}

static void add_wrapped(struct strbuf *out, const char *text) {
    text_wrap_add(out, text, LABEL, WIDTH);
    strbuf_add_char(out, '\n');
}

static void end_line(struct strbuf *out) {
    size_t length = out->length;
    while (length > 0 && out->bytes[length - 1] == ' ') {
        length--;
    }
    strbuf_truncate(out, length);
    strbuf_add_char(out, '\n');
}

/* A line that explains, below the numbers. */
static void add_note(struct strbuf *out, const char *text) {
    strbuf_add_repeated(out, ' ', LABEL);
    add_wrapped(out, text);
}

/* ---- what the file holds ---- */

static const char *const kind_texts[] = {
#define KIND_TEXT(name, text, help) help,
    PROMPT_KINDS(KIND_TEXT)
#undef KIND_TEXT
};

static void add_count_line(struct strbuf *out, const char *label, int64_t count) {
    if (count > 0) {
        add_label(out, label);
        text_count(out, (double)count, NUMBER);
        strbuf_add_char(out, '\n');
    }
}

static void add_kinds(const struct stats_counts *counts, struct strbuf *out) {
    add_label(out, "prompts");
    text_count(out, (double)counts->prompts, NUMBER);
    for (int k = 0; k < PROMPT_KIND_COUNT; k++) {
        if (counts->prompts_by_kind[k] > 0) {
            strbuf_add(out, "   ");
            text_count(out, (double)counts->prompts_by_kind[k], 0);
            strbuf_addf(out, " %s", kind_texts[k]);
        }
    }
    strbuf_add_char(out, '\n');
}

static void add_split_row(struct strbuf *out, const char *name, const int64_t by_split[SPLIT_COUNT],
                          int64_t total) {
    if (total == 0) {
        return;
    }
    add_label(out, name);
    for (int s = 0; s < SPLIT_COUNT; s++) {
        text_count(out, (double)by_split[s], NUMBER);
    }
    strbuf_add_char(out, '\n');
}

static void add_splits(const struct stats_counts *counts, struct strbuf *out) {
    int64_t by_split[SPLIT_COUNT];
    strbuf_add_char(out, '\n');
    add_label(out, "by split");
    for (int s = 0; s < SPLIT_COUNT; s++) {
        strbuf_addf(out, "%*s", NUMBER, split_name((enum split)s));
        by_split[s] = counts->by_split[s].prompts;
    }
    strbuf_add_char(out, '\n');
    add_split_row(out, "prompts", by_split, counts->prompts);
    for (int r = 0; r < STATS_ROWS_COUNT; r++) {
        for (int s = 0; s < SPLIT_COUNT; s++) {
            by_split[s] = counts->by_split[s].rows[r];
        }
        add_split_row(out, stats_rows_name((enum stats_rows)r), by_split, counts->rows[r]);
    }
}

void stats_print_counts(const struct stats_page *page, struct strbuf *out) {
    const struct stats_counts *counts = page->counts;
    char title[TITLE_BYTES];
    char path[TITLE_BYTES - 32];
    (void)snprintf(title, sizeof title, "%s holds",
                   utf8_visible(page->path, strlen(page->path), path, sizeof path));
    strbuf_addf(out, "%s%s%s\n", page->bold ? "\x1b[1m" : "", title, page->bold ? "\x1b[0m" : "");
    add_kinds(counts, out);
    for (int r = 0; r < STATS_ROWS_COUNT; r++) {
        add_count_line(out, stats_rows_name((enum stats_rows)r), counts->rows[r]);
        if (r == STATS_COMPARISONS && counts->rankings > 0) {
            add_count_line(out, "  of more than 2", counts->rankings);
        }
    }
    add_count_line(out, "origins", counts->origins);
    add_count_line(out, "annotators", counts->annotators);
    add_count_line(out, "populations", counts->populations);
    add_count_line(out, "sources", counts->sources);
    add_count_line(out, "works", counts->works);
    add_count_line(out, "owners", counts->owners);
    if (counts->prompts > 0) {
        add_splits(counts, out);
    }
}

/* ---- rates ---- */

/* "the first wins    54.3 %  ██████████▊   [53.0, 55.6]  6,703 of 12,345 ..." */
static void add_rate(struct strbuf *out, const char *label, const struct stats_rate *rate,
                     const char *of) {
    add_label(out, label);
    if (rate->trials <= 0.0) {
        strbuf_addf(out, "%*s   no %s\n", 8, "-", of);
        return;
    }
    text_percent(out, rate->rate, 8);
    strbuf_add(out, "  ");
    text_bar(out, rate->rate, BAR);
    strbuf_addf(out, "  [%.1f, %.1f]  ", 100.0 * rate->low, 100.0 * rate->high);
    text_count(out, rate->hits, 0);
    strbuf_add(out, " of ");
    text_count(out, rate->trials, 0);
    strbuf_addf(out, " %s\n", of);
}

static void add_ties(const struct stats *s, struct strbuf *out) {
    add_label(out, "strict pairs");
    text_count(out, s->bias.strict, NUMBER);
    strbuf_add_char(out, '\n');
    add_label(out, "tied pairs");
    text_count(out, s->bias.tied, NUMBER);
    strbuf_add_char(out, '\n');
    add_rate(out, "ties", &s->bias.ties, "pairs");
    if (s->item_cap > 0) {
        strbuf_addf(out,
                    "%*s%" PRId64 " rankings are longer than %" PRId64
                    " items: below, so many of them, drawn at random, stand for each\n",
                    LABEL, "", s->capped, s->item_cap);
    }
    if (s->identical > 0) {
        strbuf_addf(out, "%*s%" PRId64 " comparisons hold a response twice and are left out\n",
                    LABEL, "", s->identical);
    }
}

static void add_position(const struct stats *s, struct strbuf *out) {
    add_rate(out, "shown first wins", &s->bias.first, "strict pairs whose order is known");
    if (s->bias.first_tied > 0.0) {
        strbuf_add_repeated(out, ' ', LABEL);
        text_count(out, s->bias.first_tied, 0);
        strbuf_add(out, " ties are left out; with sports, first means at home\n");
    }
}

/* ---- length ---- */

static double largest_share(const struct stats_bias *bias) {
    double largest = 0.0;
    for (int side = 0; side < STATS_SIDES; side++) {
        for (int b = 0; b < STATS_LENGTH_BINS; b++) {
            double share = bias->lengths[side].bins[b] / fmax(bias->lengths[side].count, 1.0);
            largest = fmax(largest, share);
        }
    }
    return largest;
}

/* A bin's range: "100 - 199", "0", "50,000,000 and more". */
static void add_bin_name(struct strbuf *out, int64_t bin) {
    int64_t begin = stats_length_bin_begin(bin);
    int64_t end = bin + 1 < STATS_LENGTH_BINS ? stats_length_bin_begin(bin + 1) - 1 : begin;
    size_t before = out->length;
    strbuf_add(out, "  ");
    text_count(out, (double)begin, 0);
    if (end > begin) {
        strbuf_add(out, " - ");
        text_count(out, (double)end, 0);
    }
    size_t used = out->length - before;
    strbuf_add_repeated(out, ' ', used < LABEL ? LABEL - used : 1);
}

static void add_histogram(const struct stats_bias *bias, struct strbuf *out) {
    int64_t first = 0;
    int64_t last = STATS_LENGTH_BINS - 1;
    const struct stats_length_summary *all = &bias->lengths[STATS_LENGTH_ALL];
    while (first < last && all->bins[first] <= 0.0) {
        first++;
    }
    while (last > first && all->bins[last] <= 0.0) {
        last--;
    }
    double largest = largest_share(bias);
    for (int64_t b = first; b <= last; b++) {
        add_bin_name(out, b);
        for (int side = 0; side < STATS_SIDES; side++) {
            const struct stats_length_summary *l = &bias->lengths[side];
            double share = l->count > 0.0 ? l->bins[b] / l->count : 0.0;
            text_percent(out, share, 7);
            strbuf_add_char(out, ' ');
            text_bar(out, share / largest, 16);
            strbuf_add_char(out, ' ');
        }
        end_line(out);
    }
}

static void add_side_row(struct strbuf *out, const char *label, const struct stats_bias *bias,
                         bool median) {
    add_label(out, label);
    for (int side = 0; side < STATS_SIDES; side++) {
        const struct stats_length_summary *l = &bias->lengths[side];
        text_count(out, round(median ? l->median : l->mean), 7);
        strbuf_add_repeated(out, ' ', 18);
    }
    end_line(out);
}

static void add_lengths(const struct stats *s, struct strbuf *out) {
    const struct stats_bias *bias = &s->bias;
    if (bias->lengths[STATS_LENGTH_ALL].count <= 0.0) {
        return; /* items without text */
    }
    add_rate(out, "the longer wins", &bias->longer, "strict pairs of different length");
    if (bias->equal_length > 0.0) {
        strbuf_add_repeated(out, ' ', LABEL);
        text_count(out, bias->equal_length, 0);
        strbuf_addf(out, " of equal length are left out; of all strict pairs it is %.1f %%\n",
                    100.0 * bias->longer.hits / (bias->longer.trials + bias->equal_length));
    }
    if (bias->longer.trials <= 0.0) {
        return;
    }
    add_label(out, "correlation");
    strbuf_addf(out, "%+8.3f  of winning with the difference in characters, %+.3f in their log\n",
                bias->length_correlation, bias->log_length_correlation);
    strbuf_add_char(out, '\n');
    add_label(out, "characters");
    strbuf_add(out, "   all responses            chosen                   rejected\n");
    add_side_row(out, "mean", bias, false);
    add_side_row(out, "median", bias, true);
    add_histogram(bias, out);
}

/* ---- agreement ---- */

static void add_estimate(struct strbuf *out, const struct stats_estimate *estimate) {
    if (isnan(estimate->value)) {
        strbuf_add(out, "not defined: everybody always says the same");
        return;
    }
    strbuf_addf(out, "%.3f", estimate->value);
    if (!isnan(estimate->low)) {
        strbuf_addf(out, "  [%.3f, %.3f]", estimate->low, estimate->high);
    }
}

static void add_agreement(const struct stats_page *page, const struct stats_agreement *a,
                          struct strbuf *out) {
    add_label(out, "between annotators");
    if (a->units == 0) {
        strbuf_add(out, "no pair of responses was judged by two named annotators\n");
    } else {
        text_count(out, (double)a->units, 0);
        strbuf_add(out, " pairs of responses were judged by two or more, ");
        text_count(out, (double)a->judgements, 0);
        strbuf_add(out, " times in all\n");
        add_label(out, "raw agreement");
        text_percent(out, a->raw.value, 8);
        strbuf_add(out, "  ");
        text_bar(out, a->raw.value, BAR);
        if (!isnan(a->raw.low)) {
            strbuf_addf(out, "  [%.1f, %.1f]", 100.0 * a->raw.low, 100.0 * a->raw.high);
        }
        end_line(out);
        add_label(out, "Krippendorff alpha");
        strbuf_add_repeated(out, ' ', 3);
        add_estimate(out, &a->alpha);
        strbuf_addf(out, "   1: always agree, 0: as by chance; bootstrap of %s, seed %" PRIu64 "\n",
                    a->by_prompt ? "prompts" : "pairs", page->seed);
    }
    if (a->repeated.trials > 0.0) {
        add_rate(out, "same again", &a->repeated, "repeats by the same annotator");
    }
}

/* ---- order ---- */

static void add_cycles(const struct stats_transitivity *t, struct strbuf *out) {
    add_label(out, "triples");
    if (t->triples <= 0.0) {
        strbuf_add(out, "no three responses to a prompt were all compared with each other\n");
        return;
    }
    bool sampled = t->sampled < 1.0;
    const char *about = sampled ? "about " : "";
    text_count(out, round(t->triples), NUMBER);
    strbuf_addf(out, "  with all three pairs judged%s\n", sampled ? ", estimated from a part" : "");
    add_label(out, "cycles");
    text_count(out, round(t->cyclic), NUMBER);
    strbuf_addf(out, "  %s%.3g %%: a beats b, b beats c, c beats a, by majority\n", about,
                100.0 * t->cyclic / t->triples);
    add_label(out, "no weak order");
    text_count(out, round(t->intransitive), NUMBER);
    strbuf_addf(out, "  %s%.3g %%: those, and where ties do not fit in\n", about,
                100.0 * t->intransitive / t->triples);
    if (t->tournaments > 0) {
        add_label(out, "Kendall zeta");
        strbuf_addf(out, "%*.3f  1: no cycles, 0: as many as can be; over ", NUMBER, t->zeta);
        text_count(out, (double)t->tournaments, 0);
        strbuf_add(out, t->tournaments == 1 ? " complete prompt\n" : " complete prompts\n");
    }
}

static void add_p_value(const struct bt_test *test, struct strbuf *out) {
    bool exact = test->replicates > 0;
    bool least = exact && test->exceeded == 0;
    strbuf_addf(out, "p %s %.3g", least ? "<=" : "=", test->p_value);
    if (!exact) {
        strbuf_add(out, ", chi-square");
        return;
    }
    strbuf_addf(out, ", %" PRId64 " of %" PRId64 " simulated %s as far off", test->exceeded,
                test->replicates, test->rankings ? "sets of rankings" : "sets");
}

static const char *verdict_of(const struct bt_test *test) {
    if (test->p_value > 0.05) {
        return "One number per response can explain the pairs: no sign of anything else.";
    }
    return test->rankings
               ? "One number per response and one population do not explain the rankings:"
                 " try fits per population, or expect what people divide on to be lost."
               : "One number per response does not explain the pairs: there are cycles,"
                 " groups of people who differ, or effects that no reward holds.";
}

static void add_fit(const struct bt_test *test, struct strbuf *out) {
    add_label(out, "Bradley-Terry");
    if (test->skipped != BT_TEST_DONE) {
        strbuf_add(out, "not tested: ");
        add_wrapped(out, bt_test_reason_text(test->skipped));
        return;
    }
    strbuf_addf(out, "G2 = %.2f on %" PRId64 " degree%s of freedom, ", test->g2, test->degrees,
                test->degrees == 1 ? "" : "s");
    add_p_value(test, out);
    strbuf_add_char(out, '\n');
    if (!isnan(test->p_chi_square) && test->sparse > 0.2) {
        strbuf_addf(out,
                    "%*s%.0f %% of the cells expect fewer than 5, too few for chi-square"
                    " (which would say %.3g)\n",
                    LABEL, "", 100.0 * test->sparse, test->p_chi_square);
    }
    strbuf_addf(out,
                "%*spairs are %.3f from its probabilities (root mean square, noise taken off)\n",
                LABEL, "", test->distance);
    if (test->position) {
        strbuf_addf(out, "%*sthe order shown counts %+.3f nats in it\n", LABEL, "",
                    test->position_effect);
    }
    if (test->cells_left_out > 0) {
        strbuf_addf(out, "%*stested on the cells judged most; ", LABEL, "");
        text_count(out, (double)test->cells_left_out, 0);
        strbuf_add(out, " others are left out\n");
    }
    if (test->rankings_used < 1.0) {
        strbuf_addf(out, "%*stested on %.3g %% of the rankings, drawn at random\n", LABEL, "",
                    100.0 * test->rankings_used);
    }
    add_note(out, verdict_of(test));
}

/* ---- tables ---- */

static double share_of(double part, double whole) {
    return whole > 0.0 ? part / whole : (double)NAN;
}

static void add_part(struct strbuf *out, const struct stats_part *part) {
    text_count(out, part->comparisons, NUMBER);
    text_percent(out, share_of(part->tied, part->tied + part->strict), 10);
    text_percent(out, share_of(part->first_hits, part->first_trials), 10);
    text_percent(out, share_of(part->longer_hits, part->longer_trials), 10);
}

static void add_table_head(struct strbuf *out, const char *name, const char *rest) {
    strbuf_addf(out, "  %-*s%*s%10s%10s%10s%s\n", NAME_COLUMN, name, NUMBER, "judgements", "ties",
                "first", "longer", rest);
}

static void add_more(struct strbuf *out, int64_t shown, int64_t count) {
    if (count > shown) {
        strbuf_add(out, "  and ");
        text_count(out, (double)(count - shown), 0);
        strbuf_add(out, " more\n");
    }
}

static void add_annotators(const struct stats_page *page, const struct stats_people *people,
                           struct strbuf *out) {
    if (people->annotator_count == 0) {
        return;
    }
    text_heading(out, "Annotators", page->bold);
    add_table_head(out, "", "  with others  seconds");
    int64_t shown = people->annotator_count < page->annotators_max ? people->annotator_count
                                                                   : page->annotators_max;
    for (int64_t a = 0; a < shown; a++) {
        const struct stats_annotator *annotator = &people->annotators[a];
        strbuf_add(out, "  ");
        text_cell(out, annotator->name ? annotator->name : "", NAME_COLUMN);
        add_part(out, &annotator->part);
        text_percent(out, share_of(annotator->agreed, annotator->judged), 13);
        if (isnan(annotator->seconds_median)) {
            strbuf_addf(out, "%9s", "-");
        } else {
            strbuf_addf(out, "%9.1f", annotator->seconds_median);
        }
        strbuf_add_char(out, '\n');
    }
    add_more(out, shown, people->annotator_count);
}

static void add_populations(const struct stats_page *page, const struct stats_people *people,
                            struct strbuf *out) {
    if (people->population_count == 0) {
        return;
    }
    text_heading(out, "Populations", page->bold);
    add_table_head(out, "", "   annotators  alpha");
    int64_t shown = people->population_count < page->annotators_max ? people->population_count
                                                                    : page->annotators_max;
    for (int64_t p = 0; p < shown; p++) {
        const struct stats_population *population = &people->populations[p];
        strbuf_add(out, "  ");
        text_cell(out, population->name, NAME_COLUMN);
        add_part(out, &population->part);
        text_count(out, (double)population->annotators, 13);
        if (isnan(population->agreement.alpha.value)) {
            strbuf_addf(out, "%7s\n", "-");
        } else {
            strbuf_addf(out, "%7.3f\n", population->agreement.alpha.value);
        }
    }
    add_more(out, shown, people->population_count);
}

static void add_sources(const struct stats_page *page, const struct stats_people *people,
                        struct strbuf *out) {
    if (people->source_count == 0) {
        return;
    }
    text_heading(out, "Sources", page->bold);
    add_table_head(out, "", "   rows (rejected)");
    int64_t shown =
        people->source_count < page->sources_max ? people->source_count : page->sources_max;
    for (int64_t i = 0; i < shown; i++) {
        const struct stats_source *source = &people->sources[i];
        const char *slash = strrchr(source->path, '/');
        strbuf_add(out, "  ");
        text_cell(out, slash && slash[1] ? slash + 1 : source->path, NAME_COLUMN);
        add_part(out, &source->part);
        strbuf_add(out, "   ");
        text_count(out, (double)source->rows, 0);
        strbuf_add(out, " (");
        text_count(out, (double)source->rejected, 0);
        strbuf_addf(out, ") %s\n", source->format);
    }
    add_more(out, shown, people->source_count);
}

/* ---- sections ---- */

static void add_title(const struct stats_page *page, const char *what, const char *aspect,
                      struct strbuf *out) {
    char title[TITLE_BYTES];
    char name[128];
    (void)snprintf(title, sizeof title, "%s%s%s%s%s%s", what, aspect ? " of aspect '" : "",
                   aspect ? utf8_visible(aspect, strlen(aspect), name, sizeof name) : "",
                   aspect ? "'" : "", page->filter[0] ? ", " : "", page->filter);
    text_heading(out, title, page->bold);
}

void stats_print_judged(const struct stats_page *page, const struct stats_judged *judged,
                        struct strbuf *out) {
    const struct stats *s = judged->stats;
    add_title(page, judged->from_ratings ? "Comparisons made from ratings" : "Comparisons",
              judged->aspect, out);
    add_label(out, "comparisons");
    text_count(out, (double)s->comparisons, NUMBER);
    strbuf_add(out, "  of ");
    text_count(out, (double)s->items, 0);
    bool items = page->counts->prompts_by_kind[PROMPT_ITEMS] == page->counts->prompts;
    strbuf_add(out, items ? " items in " : " responses to ");
    text_count(out, (double)s->prompts, 0);
    strbuf_addf(out, "%s%s\n", items ? " set" : " prompt", s->prompts == 1 ? "" : "s");
    if (fabs(s->weight - (double)s->comparisons) > 1e-9 * s->weight) {
        add_label(out, "by weight");
        text_count(out, s->weight, NUMBER);
        strbuf_add_char(out, '\n');
    }
    add_ties(s, out);
    text_heading(out, "Order shown and length", page->bold);
    add_position(s, out);
    add_lengths(s, out);
    text_heading(out, "Agreement", page->bold);
    add_agreement(page, &s->agreement, out);
    text_heading(out, "One order?", page->bold);
    add_cycles(&s->transitivity, out);
    add_fit(judged->fit, out);
    add_annotators(page, &s->people, out);
    add_populations(page, &s->people, out);
    add_sources(page, &s->people, out);
}

static void add_levels(const struct stats_ratings *r, struct strbuf *out) {
    int64_t most = 1;
    for (int64_t l = 0; l < r->level_count; l++) {
        most = r->levels[l].count > most ? r->levels[l].count : most;
    }
    for (int64_t l = 0; l < r->level_count; l++) {
        strbuf_addf(out, "  %*.6g", LABEL - 4, r->levels[l].value);
        strbuf_add(out, "  ");
        text_percent(out, (double)r->levels[l].count / (double)r->count, 8);
        strbuf_add(out, "  ");
        text_bar(out, (double)r->levels[l].count / (double)most, BAR);
        text_count(out, (double)r->levels[l].count, NUMBER);
        strbuf_add_char(out, '\n');
    }
}

static void add_reliability(const struct stats_page *page, const struct stats_rated *rated,
                            struct strbuf *out) {
    const struct stats_reliability *rel = &rated->ratings->reliability;
    add_label(out, "Krippendorff alpha");
    if (rel->units == 0) {
        strbuf_add(out, "no response was rated by two named annotators\n");
        return;
    }
    add_estimate(out, &rel->interval);
    if (!rated->labels) {
        strbuf_add(out, " interval, ");
        add_estimate(out, &rel->ordinal);
        strbuf_add(out, " ordinal");
    }
    strbuf_addf(out, "; bootstrap, seed %" PRIu64 "\n", page->seed);
    add_label(out, "");
    strbuf_add(out, "over ");
    text_count(out, (double)rel->units, 0);
    strbuf_add(out, " responses with two or more\n");
}

void stats_print_rated(const struct stats_page *page, const struct stats_rated *rated,
                       struct strbuf *out) {
    const struct stats_ratings *r = rated->ratings;
    add_title(page, rated->labels ? "Labels" : "Ratings", rated->aspect, out);
    add_label(out, rated->labels ? "labels" : "ratings");
    text_count(out, (double)r->count, NUMBER);
    strbuf_add(out, "  of ");
    text_count(out, (double)r->responses, 0);
    strbuf_add(out, " responses\n");
    if (r->count == 0) {
        return;
    }
    if (rated->labels) {
        add_rate(out, "good", &r->good, "labels");
    } else {
        add_label(out, "mean");
        strbuf_addf(out, "%*.4g  standard deviation %.4g, from %.6g to %.6g\n", NUMBER, r->mean,
                    r->sd, r->least, r->greatest);
        add_levels(r, out);
    }
    add_reliability(page, rated, out);
}
