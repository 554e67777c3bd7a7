/* stats_json.c - see stats_print.h: the JSON. */
#include "trainer/stats_print.h"

#include <math.h>

static void write_i64(struct json_writer *w, const char *key, int64_t value) {
    json_write_key(w, key);
    json_write_i64(w, value);
}

static void write_f64(struct json_writer *w, const char *key, double value) {
    json_write_key(w, key);
    json_write_f64_or_null(w, value);
}

static void write_text(struct json_writer *w, const char *key, const char *text) {
    json_write_key(w, key);
    if (text) {
        json_write_string(w, text);
    } else {
        json_write_null(w);
    }
}

static void write_bool(struct json_writer *w, const char *key, bool value) {
    json_write_key(w, key);
    json_write_bool(w, value);
}

static void begin(struct json_writer *w, const char *key) {
    json_write_key(w, key);
    json_write_object_begin(w);
}

static void write_rate(struct json_writer *w, const char *key, const struct stats_rate *rate) {
    begin(w, key);
    write_f64(w, "rate", rate->rate);
    write_f64(w, "low", rate->low);
    write_f64(w, "high", rate->high);
    write_f64(w, "hits", rate->hits);
    write_f64(w, "trials", rate->trials);
    write_i64(w, "prompts", rate->clusters);
    write_f64(w, "design_effect", rate->design_effect);
    json_write_object_end(w);
}

static void write_estimate(struct json_writer *w, const char *key,
                           const struct stats_estimate *estimate) {
    begin(w, key);
    write_f64(w, "value", estimate->value);
    write_f64(w, "low", estimate->low);
    write_f64(w, "high", estimate->high);
    write_i64(w, "clusters", estimate->clusters);
    write_i64(w, "replicates", estimate->replicates);
    json_write_object_end(w);
}

/* ---- counts ---- */

void stats_json_counts(const struct stats_counts *counts, struct json_writer *w) {
    begin(w, "counts");
    write_i64(w, "prompts", counts->prompts);
    begin(w, "prompts_by_kind");
    for (int k = 0; k < PROMPT_KIND_COUNT; k++) {
        write_i64(w, prompt_kind_name((enum prompt_kind)k), counts->prompts_by_kind[k]);
    }
    json_write_object_end(w);
    for (int r = 0; r < STATS_ROWS_COUNT; r++) {
        write_i64(w, stats_rows_name((enum stats_rows)r), counts->rows[r]);
    }
    write_i64(w, "rankings", counts->rankings);
    write_i64(w, "origins", counts->origins);
    write_i64(w, "annotators", counts->annotators);
    write_i64(w, "populations", counts->populations);
    write_i64(w, "sources", counts->sources);
    write_i64(w, "works", counts->works);
    write_i64(w, "owners", counts->owners);
    begin(w, "by_split");
    for (int s = 0; s < SPLIT_COUNT; s++) {
        begin(w, split_name((enum split)s));
        write_i64(w, "prompts", counts->by_split[s].prompts);
        for (int r = 0; r < STATS_ROWS_COUNT; r++) {
            write_i64(w, stats_rows_name((enum stats_rows)r), counts->by_split[s].rows[r]);
        }
        json_write_object_end(w);
    }
    json_write_object_end(w);
    json_write_object_end(w);
}

/* ---- comparisons ---- */

static void write_length_side(struct json_writer *w, const char *key,
                              const struct stats_length_summary *l) {
    begin(w, key);
    write_f64(w, "count", l->count);
    write_f64(w, "mean", l->mean);
    write_f64(w, "median", l->median);
    json_write_key(w, "bins");
    json_write_array_begin(w);
    for (int b = 0; b < STATS_LENGTH_BINS; b++) {
        json_write_f64(w, l->bins[b]);
    }
    json_write_array_end(w);
    json_write_object_end(w);
}

static void write_length(struct json_writer *w, const struct stats_bias *bias) {
    begin(w, "length");
    write_rate(w, "longer_wins", &bias->longer);
    write_f64(w, "equal_length_left_out", bias->equal_length);
    write_f64(w, "correlation", bias->length_correlation);
    write_f64(w, "log_correlation", bias->log_length_correlation);
    json_write_key(w, "bin_begins_characters");
    json_write_array_begin(w);
    for (int b = 0; b < STATS_LENGTH_BINS; b++) {
        json_write_i64(w, stats_length_bin_begin(b));
    }
    json_write_array_end(w);
    write_length_side(w, "all", &bias->lengths[STATS_LENGTH_ALL]);
    write_length_side(w, "chosen", &bias->lengths[STATS_LENGTH_CHOSEN]);
    write_length_side(w, "rejected", &bias->lengths[STATS_LENGTH_REJECTED]);
    json_write_object_end(w);
}

static void write_agreement(struct json_writer *w, const struct stats_agreement *a) {
    begin(w, "agreement");
    write_i64(w, "pairs", a->units);
    write_i64(w, "judgements", a->judgements);
    write_estimate(w, "raw", &a->raw);
    write_estimate(w, "alpha", &a->alpha);
    write_text(w, "bootstrap_of", a->by_prompt ? "prompts" : "pairs");
    write_rate(w, "repeated", &a->repeated);
    json_write_object_end(w);
}

static void write_transitivity(struct json_writer *w, const struct stats_transitivity *t) {
    begin(w, "transitivity");
    write_i64(w, "pairs", t->pairs);
    write_i64(w, "tied_pairs", t->tied_pairs);
    write_f64(w, "triples", t->triples);
    write_f64(w, "cyclic", t->cyclic);
    write_f64(w, "intransitive", t->intransitive);
    write_f64(w, "sampled", t->sampled);
    write_i64(w, "tournaments", t->tournaments);
    write_f64(w, "zeta", t->zeta);
    json_write_object_end(w);
}

static void write_fit(struct json_writer *w, const struct bt_test *test) {
    begin(w, "bradley_terry");
    write_text(w, "not_tested",
               test->skipped == BT_TEST_DONE ? NULL : bt_test_reason_text(test->skipped));
    if (test->skipped == BT_TEST_DONE) {
        write_f64(w, "g2", test->g2);
        write_i64(w, "degrees_of_freedom", test->degrees);
        write_f64(w, "p_value", test->p_value);
        write_f64(w, "p_chi_square", test->p_chi_square);
        write_text(w, "method", test->replicates > 0 ? "bootstrap" : "chi-square");
        write_i64(w, "replicates", test->replicates);
        write_i64(w, "exceeded", test->exceeded);
        write_f64(w, "g2_expected", test->g2_expected);
        write_f64(w, "sparse", test->sparse);
        write_f64(w, "distance", test->distance);
        write_bool(w, "rankings", test->rankings);
        write_f64(w, "rankings_used", test->rankings_used);
        write_f64(w, "position_effect", test->position ? test->position_effect : (double)NAN);
        write_f64(w, "judgements", test->judgements);
        write_f64(w, "settled", test->settled);
        write_i64(w, "cells", test->cells);
        write_i64(w, "cells_left_out", test->cells_left_out);
    }
    json_write_object_end(w);
}

/* ---- tables ---- */

static void write_part(struct json_writer *w, const struct stats_part *part) {
    write_f64(w, "comparisons", part->comparisons);
    write_f64(w, "strict", part->strict);
    write_f64(w, "tied", part->tied);
    write_f64(w, "first_wins", part->first_hits);
    write_f64(w, "first_known", part->first_trials);
    write_f64(w, "longer_wins", part->longer_hits);
    write_f64(w, "longer_known", part->longer_trials);
}

static void write_annotators(struct json_writer *w, const struct stats_people *people,
                             int64_t most) {
    json_write_key(w, "annotators");
    json_write_array_begin(w);
    for (int64_t a = 0; a < people->annotator_count && a < most; a++) {
        const struct stats_annotator *annotator = &people->annotators[a];
        json_write_object_begin(w);
        write_text(w, "name", annotator->name);
        write_text(w, "population", annotator->population);
        write_part(w, &annotator->part);
        write_f64(w, "agreed_with_others", annotator->agreed);
        write_f64(w, "judged_with_others", annotator->judged);
        write_f64(w, "seconds_median", annotator->seconds_median);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    write_i64(w, "annotator_count", people->annotator_count);
}

static void write_populations(struct json_writer *w, const struct stats_people *people) {
    json_write_key(w, "populations");
    json_write_array_begin(w);
    for (int64_t p = 0; p < people->population_count; p++) {
        const struct stats_population *population = &people->populations[p];
        json_write_object_begin(w);
        write_text(w, "name", population->name);
        write_i64(w, "annotators", population->annotators);
        write_part(w, &population->part);
        write_agreement(w, &population->agreement);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void write_sources(struct json_writer *w, const struct stats_people *people, int64_t most) {
    json_write_key(w, "sources");
    json_write_array_begin(w);
    for (int64_t s = 0; s < people->source_count && s < most; s++) {
        const struct stats_source *source = &people->sources[s];
        json_write_object_begin(w);
        write_text(w, "path", source->path);
        write_text(w, "format", source->format);
        write_i64(w, "rows", source->rows);
        write_i64(w, "rejected", source->rejected);
        write_part(w, &source->part);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    write_i64(w, "source_count", people->source_count);
}

void stats_json_judged(const struct stats_page *page, const struct stats_judged *judged,
                       struct json_writer *w) {
    const struct stats *s = judged->stats;
    json_write_object_begin(w);
    write_text(w, "aspect", judged->aspect);
    write_bool(w, "from_ratings", judged->from_ratings);
    write_i64(w, "comparisons", s->comparisons);
    write_i64(w, "rankings", s->rankings);
    write_i64(w, "prompts", s->prompts);
    write_i64(w, "responses", s->items);
    write_f64(w, "weight", s->weight);
    write_i64(w, "identical_left_out", s->identical);
    write_i64(w, "ranking_item_cap", s->item_cap);
    write_i64(w, "rankings_capped", s->capped);
    write_f64(w, "strict_pairs", s->bias.strict);
    write_f64(w, "tied_pairs", s->bias.tied);
    write_rate(w, "ties", &s->bias.ties);
    write_rate(w, "first_wins", &s->bias.first);
    write_f64(w, "first_ties_left_out", s->bias.first_tied);
    write_length(w, &s->bias);
    write_agreement(w, &s->agreement);
    write_transitivity(w, &s->transitivity);
    write_fit(w, judged->fit);
    write_annotators(w, &s->people, page->annotators_max);
    write_populations(w, &s->people);
    write_sources(w, &s->people, page->sources_max);
    json_write_object_end(w);
}

/* ---- ratings ---- */

void stats_json_rated(const struct stats_rated *rated, struct json_writer *w) {
    const struct stats_ratings *r = rated->ratings;
    json_write_object_begin(w);
    write_text(w, "aspect", rated->aspect);
    write_i64(w, "count", r->count);
    write_i64(w, "responses", r->responses);
    if (rated->labels) {
        write_rate(w, "good", &r->good);
    } else {
        write_f64(w, "mean", r->mean);
        write_f64(w, "standard_deviation", r->sd);
        write_f64(w, "least", r->least);
        write_f64(w, "greatest", r->greatest);
        json_write_key(w, "levels");
        json_write_array_begin(w);
        for (int64_t l = 0; l < r->level_count; l++) {
            json_write_object_begin(w);
            write_f64(w, "value", r->levels[l].value);
            write_i64(w, "count", r->levels[l].count);
            json_write_object_end(w);
        }
        json_write_array_end(w);
    }
    write_i64(w, "responses_with_several", r->reliability.units);
    write_estimate(w, rated->labels ? "alpha" : "alpha_interval", &r->reliability.interval);
    if (!rated->labels) {
        write_estimate(w, "alpha_ordinal", &r->reliability.ordinal);
    }
    json_write_object_end(w);
}
