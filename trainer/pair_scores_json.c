/* pair_scores_json.c - see pair_scores_json.h. */
#include "trainer/pair_scores_json.h"

void pair_score_put(struct json_writer *w, const char *name, const struct pair_score *score) {
    json_put_object_begin(w, name);
    json_put_f64_or_null(w, "value", score->value);
    json_put_f64_or_null(w, "low", score->low);
    json_put_f64_or_null(w, "high", score->high);
    json_write_object_end(w);
}

void pair_bins_put(struct json_writer *w, const struct pair_bin bins[PAIR_BINS]) {
    json_put_array_begin(w, "reliability");
    for (int b = 0; b < PAIR_BINS; b++) {
        if (bins[b].weight > 0.0) {
            json_write_object_begin(w);
            json_put_f64(w, "said", bins[b].said);
            json_put_f64(w, "share", bins[b].share);
            json_put_f64(w, "judgements", bins[b].weight);
            json_write_object_end(w);
        }
    }
    json_write_array_end(w);
}
