/* stats_json.c - see stats_print.h: the JSON. */
#include "trainer/stats_print.h"

#include <math.h>

static void write_rate(struct json_writer *w, const char *key, const struct stats_rate *rate) {
    json_put_object_begin(w, key);
    json_put_f64_or_null(w, "rate", rate->rate);
    json_put_f64_or_null(w, "low", rate->low);
    json_put_f64_or_null(w, "high", rate->high);
    json_put_f64_or_null(w, "hits", rate->hits);
    json_put_f64_or_null(w, "trials", rate->trials);
    json_put_i64(w, "prompts", rate->clusters);
    json_put_f64_or_null(w, "design_effect", rate->design_effect);
    json_write_object_end(w);
}

static void write_estimate(struct json_writer *w, const char *key,
                           const struct stats_estimate *estimate) {
    json_put_object_begin(w, key);
    json_put_f64_or_null(w, "value", estimate->value);
    json_put_f64_or_null(w, "low", estimate->low);
    json_put_f64_or_null(w, "high", estimate->high);
    json_put_i64(w, "clusters", estimate->clusters);
    json_put_i64(w, "replicates", estimate->replicates);
    json_write_object_end(w);
}

/* ---- counts ---- */

void stats_json_counts(const struct stats_counts *counts, struct json_writer *w) {
    json_put_object_begin(w, "counts");
    json_put_i64(w, "prompts", counts->prompts);
    json_put_object_begin(w, "prompts_by_kind");
    for (int k = 0; k < PROMPT_KIND_COUNT; k++) {
        json_put_i64(w, prompt_kind_name((enum prompt_kind)k), counts->prompts_by_kind[k]);
    }
    json_write_object_end(w);
    for (int r = 0; r < STATS_ROWS_COUNT; r++) {
        json_put_i64(w, stats_rows_name((enum stats_rows)r), counts->rows[r]);
    }
    json_put_i64(w, "rankings", counts->rankings);
    json_put_i64(w, "origins", counts->origins);
    json_put_i64(w, "annotators", counts->annotators);
    json_put_i64(w, "populations", counts->populations);
    json_put_i64(w, "sources", counts->sources);
    json_put_i64(w, "works", counts->works);
    json_put_i64(w, "owners", counts->owners);
    json_put_object_begin(w, "by_split");
    for (int s = 0; s < SPLIT_COUNT; s++) {
        json_put_object_begin(w, split_name((enum split)s));
        json_put_i64(w, "prompts", counts->by_split[s].prompts);
        for (int r = 0; r < STATS_ROWS_COUNT; r++) {
            json_put_i64(w, stats_rows_name((enum stats_rows)r), counts->by_split[s].rows[r]);
        }
        json_write_object_end(w);
    }
    json_write_object_end(w);
    json_write_object_end(w);
}

/* ---- comparisons ---- */

static void write_length_side(struct json_writer *w, const char *key,
                              const struct stats_length_summary *l) {
    json_put_object_begin(w, key);
    json_put_f64_or_null(w, "count", l->count);
    json_put_f64_or_null(w, "mean", l->mean);
    json_put_f64_or_null(w, "median", l->median);
    json_put_array_begin(w, "bins");
    for (int b = 0; b < STATS_LENGTH_BINS; b++) {
        json_write_f64(w, l->bins[b]);
    }
    json_write_array_end(w);
    json_write_object_end(w);
}

static void write_length(struct json_writer *w, const struct stats_bias *bias) {
    json_put_object_begin(w, "length");
    write_rate(w, "longer_wins", &bias->longer);
    json_put_f64_or_null(w, "equal_length_left_out", bias->equal_length);
    json_put_f64_or_null(w, "correlation", bias->length_correlation);
    json_put_f64_or_null(w, "log_correlation", bias->log_length_correlation);
    json_put_array_begin(w, "bin_begins_characters");
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
    json_put_object_begin(w, "agreement");
    json_put_i64(w, "pairs", a->units);
    json_put_i64(w, "judgements", a->judgements);
    write_estimate(w, "raw", &a->raw);
    write_estimate(w, "alpha", &a->alpha);
    json_put_string(w, "bootstrap_of", a->by_prompt ? "prompts" : "pairs");
    write_rate(w, "repeated", &a->repeated);
    json_write_object_end(w);
}

static void write_transitivity(struct json_writer *w, const struct stats_transitivity *t) {
    json_put_object_begin(w, "transitivity");
    json_put_i64(w, "pairs", t->pairs);
    json_put_i64(w, "tied_pairs", t->tied_pairs);
    json_put_f64_or_null(w, "triples", t->triples);
    json_put_f64_or_null(w, "cyclic", t->cyclic);
    json_put_f64_or_null(w, "intransitive", t->intransitive);
    json_put_f64_or_null(w, "sampled", t->sampled);
    json_put_i64(w, "tournaments", t->tournaments);
    json_put_f64_or_null(w, "zeta", t->zeta);
    json_write_object_end(w);
}

static void write_fit(struct json_writer *w, const struct bt_test *test) {
    json_put_object_begin(w, "bradley_terry");
    json_put_string_or_null(
        w, "not_tested", test->skipped == BT_TEST_DONE ? NULL : bt_test_reason_text(test->skipped));
    if (test->skipped == BT_TEST_DONE) {
        json_put_f64_or_null(w, "g2", test->g2);
        json_put_i64(w, "degrees_of_freedom", test->degrees);
        json_put_f64_or_null(w, "p_value", test->p_value);
        json_put_f64_or_null(w, "p_chi_square", test->p_chi_square);
        json_put_string(w, "method", test->replicates > 0 ? "bootstrap" : "chi-square");
        json_put_i64(w, "replicates", test->replicates);
        json_put_i64(w, "exceeded", test->exceeded);
        json_put_f64_or_null(w, "g2_expected", test->g2_expected);
        json_put_f64_or_null(w, "sparse", test->sparse);
        json_put_f64_or_null(w, "distance", test->distance);
        json_put_bool(w, "rankings", test->rankings);
        json_put_f64_or_null(w, "rankings_used", test->rankings_used);
        json_put_f64_or_null(w, "position_effect",
                             test->position ? test->position_effect : (double)NAN);
        json_put_f64_or_null(w, "judgements", test->judgements);
        json_put_f64_or_null(w, "settled", test->settled);
        json_put_i64(w, "cells", test->cells);
        json_put_i64(w, "cells_left_out", test->cells_left_out);
    }
    json_write_object_end(w);
}

/* ---- tables ---- */

static void write_part(struct json_writer *w, const struct stats_part *part) {
    json_put_f64_or_null(w, "comparisons", part->comparisons);
    json_put_f64_or_null(w, "strict", part->strict);
    json_put_f64_or_null(w, "tied", part->tied);
    json_put_f64_or_null(w, "first_wins", part->first_hits);
    json_put_f64_or_null(w, "first_known", part->first_trials);
    json_put_f64_or_null(w, "longer_wins", part->longer_hits);
    json_put_f64_or_null(w, "longer_known", part->longer_trials);
}

static void write_annotators(struct json_writer *w, const struct stats_people *people,
                             int64_t most) {
    json_put_array_begin(w, "annotators");
    for (int64_t a = 0; a < people->annotator_count && a < most; a++) {
        const struct stats_annotator *annotator = &people->annotators[a];
        json_write_object_begin(w);
        json_put_string(w, "name", annotator->name);
        json_put_string_or_null(w, "population", annotator->population);
        write_part(w, &annotator->part);
        json_put_f64_or_null(w, "agreed_with_others", annotator->agreed);
        json_put_f64_or_null(w, "judged_with_others", annotator->judged);
        json_put_f64_or_null(w, "seconds_median", annotator->seconds_median);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_put_i64(w, "annotator_count", people->annotator_count);
}

static void write_populations(struct json_writer *w, const struct stats_people *people) {
    json_put_array_begin(w, "populations");
    for (int64_t p = 0; p < people->population_count; p++) {
        const struct stats_population *population = &people->populations[p];
        json_write_object_begin(w);
        json_put_string(w, "name", population->name);
        json_put_i64(w, "annotators", population->annotators);
        write_part(w, &population->part);
        write_agreement(w, &population->agreement);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void write_sources(struct json_writer *w, const struct stats_people *people, int64_t most) {
    json_put_array_begin(w, "sources");
    for (int64_t s = 0; s < people->source_count && s < most; s++) {
        const struct stats_source *source = &people->sources[s];
        json_write_object_begin(w);
        json_put_string_or_null(w, "path", source->path);
        json_put_string(w, "format", source->format);
        json_put_i64(w, "rows", source->rows);
        json_put_i64(w, "rejected", source->rejected);
        write_part(w, &source->part);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_put_i64(w, "source_count", people->source_count);
}

void stats_json_judged(const struct stats_page *page, const struct stats_judged *judged,
                       struct json_writer *w) {
    const struct stats *s = judged->stats;
    json_write_object_begin(w);
    json_put_string_or_null(w, "aspect", judged->aspect);
    json_put_bool(w, "from_ratings", judged->from_ratings);
    json_put_i64(w, "comparisons", s->comparisons);
    json_put_i64(w, "rankings", s->rankings);
    json_put_i64(w, "prompts", s->prompts);
    json_put_i64(w, "responses", s->items);
    json_put_f64_or_null(w, "weight", s->weight);
    json_put_i64(w, "identical_left_out", s->identical);
    json_put_i64(w, "ranking_item_cap", s->item_cap);
    json_put_i64(w, "rankings_capped", s->capped);
    json_put_f64_or_null(w, "strict_pairs", s->bias.strict);
    json_put_f64_or_null(w, "tied_pairs", s->bias.tied);
    write_rate(w, "ties", &s->bias.ties);
    write_rate(w, "first_wins", &s->bias.first);
    json_put_f64_or_null(w, "first_ties_left_out", s->bias.first_tied);
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
    json_put_string_or_null(w, "aspect", rated->aspect);
    json_put_i64(w, "count", r->count);
    json_put_i64(w, "responses", r->responses);
    if (rated->labels) {
        write_rate(w, "good", &r->good);
    } else {
        json_put_f64_or_null(w, "mean", r->mean);
        json_put_f64_or_null(w, "standard_deviation", r->sd);
        json_put_f64_or_null(w, "least", r->least);
        json_put_f64_or_null(w, "greatest", r->greatest);
        json_put_array_begin(w, "levels");
        for (int64_t l = 0; l < r->level_count; l++) {
            json_write_object_begin(w);
            json_put_f64_or_null(w, "value", r->levels[l].value);
            json_put_i64(w, "count", r->levels[l].count);
            json_write_object_end(w);
        }
        json_write_array_end(w);
    }
    json_put_i64(w, "responses_with_several", r->reliability.units);
    write_estimate(w, rated->labels ? "alpha" : "alpha_interval", &r->reliability.interval);
    if (!rated->labels) {
        write_estimate(w, "alpha_ordinal", &r->reliability.ordinal);
    }
    json_write_object_end(w);
}
