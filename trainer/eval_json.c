/* eval_json.c - see eval_print.h: the JSON. */
#include "base/json_writer.h"
#include "base/scoped.h"
#include "trainer/eval_print.h"
#include "trainer/pair_scores_json.h"

static void put_slices(struct json_writer *w, const struct reward_evaluation *e, int64_t reward) {
    json_put_array_begin(w, "slices");
    for (int64_t s = 0; s < e->slices.count; s++) {
        const struct eval_slice_score *score = &e->eval.rows[reward].slices[s];
        if (score->weight > 0.0) {
            json_write_object_begin(w);
            json_put_string(w, "family", eval_family_key(e->slices.list[s].family));
            json_put_string(w, "name", e->slices.list[s].name);
            json_put_f64(w, "decided", score->decided);
            json_put_f64(w, "judgements", score->weight);
            pair_score_put(w, "accuracy", &score->accuracy);
            pair_score_put(w, "nll_nats", &score->nll);
            json_write_object_end(w);
        }
    }
    json_write_array_end(w);
}

/* Sets of three answers or more. */
static void put_sets(struct json_writer *w, const struct reward_eval_row *row) {
    json_put_f64(w, "choices", row->choices);
    pair_score_put(w, "best_of_n", &row->choice);
    json_put_f64(w, "orders", row->orders);
    pair_score_put(w, "order_nll_nats", &row->order_nll);
    json_put_f64(w, "tied_sets", row->tied);
    pair_score_put(w, "tied_accurate", &row->tied_accurate);
    pair_score_put(w, "tied_apart", &row->tied_apart);
    json_put_i64(w, "ties_pairs", row->ties_pairs);
    json_put_f64_or_null(w, "ties_score", row->ties_score);
}

static void put_differences(struct json_writer *w, const struct reward_evaluation *e,
                            int64_t reward) {
    json_put_array_begin(w, "differences");
    for (int64_t other = 0; other < e->reward_count; other++) {
        if (other != reward) {
            json_write_object_begin(w);
            json_put_string(w, "from", reward_evaluation_name(e, other));
            pair_score_put(w, "accuracy", reward_eval_difference(&e->eval, reward, other));
            pair_score_put(w, "nll_nats", &e->eval.nll_gaps[reward * e->reward_count + other]);
            json_write_object_end(w);
        }
    }
    json_write_array_end(w);
}

static void put_reward(struct json_writer *w, const struct reward_evaluation *e, int64_t reward,
                       struct strbuf *verdict) {
    const struct reward_eval_row *row = &e->eval.rows[reward];
    const bool is_baseline = reward >= e->options.spec_count;
    json_write_object_begin(w);
    json_put_string(w, "reward", reward_evaluation_name(e, reward));
    json_put_bool(w, "baseline", is_baseline);
    json_put_bool(w, "fitted_to_these", !is_baseline && e->has_fit[reward]);
    if (!is_baseline) {
        strbuf_reset(verdict);
        reward_evaluation_verdict(e, reward, verdict);
        json_put_string(w, "verdict", strbuf_text(verdict));
    }
    json_put_i64(w, "pairs", row->scores.pairs);
    json_put_i64(w, "pairs_unknown", row->pairs_unknown);
    json_put_i64(w, "answers_unknown", row->answers_unknown);
    json_put_f64(w, "decided_pairs", row->scores.decided);
    pair_score_put(w, "accuracy", &row->scores.accuracy);
    pair_score_put(w, "nll_nats", &row->scores.nll);
    pair_score_put(w, "brier", &row->scores.brier);
    pair_score_put(w, "ece", &row->scores.ece);
    json_put_f64_or_null(w, "temperature", row->temperature);
    json_put_f64_or_null(w, "calibrated_nll_nats", row->calibrated_nll);
    pair_score_put(w, "length_adjusted_accuracy", &row->length_adjusted);
    pair_score_put(w, "length_matched_accuracy", &row->length_matched);
    json_put_f64(w, "length_matched_pairs", row->matched_pairs);
    pair_score_put(w, "length_pearson", &row->pearson);
    pair_score_put(w, "length_spearman", &row->spearman);
    put_sets(w, row);
    put_differences(w, e, reward);
    put_slices(w, e, reward);
    pair_bins_put(w, row->scores.bins);
    json_write_object_end(w);
}

static void put_notes(struct json_writer *w, const struct reward_evaluation *e,
                      struct strbuf *note) {
    json_put_array_begin(w, "notes");
    strbuf_reset(note);
    for (int64_t n = 0; reward_evaluation_note(e, n, note); n++) {
        json_write_string(w, strbuf_text(note));
        strbuf_reset(note);
    }
    json_write_array_end(w);
}

/* The split, or the folds that are tested. */
static void put_where(struct json_writer *w, const struct reward_evaluation_options *options) {
    if (options->fold_count == 0) {
        json_put_string(w, "split", options->all_splits ? "all" : split_name(options->split));
        return;
    }
    json_put_i64(w, "folds", options->fold_count);
    json_put_array_begin(w, "test_folds");
    for (int64_t fold = 0; fold < options->fold_count; fold++) {
        if (options->is_crossed || options->is_test_fold[fold]) {
            json_write_i64(w, fold);
        }
    }
    json_write_array_end(w);
}

enum err_code eval_json(const struct reward_evaluation *e, struct strbuf *out, struct error *err) {
    SCOPED(strbuf) struct strbuf words = STRBUF_INIT(OUTPUT_BYTES_MAX);
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    const int64_t best = reward_evaluation_best(e);
    json_write_object_begin(&w);
    put_where(&w, &e->options);
    json_put_u64(&w, "seed", e->seed);
    json_put_i64(&w, "pairs", e->eval.pairs);
    json_put_i64(&w, "pairs_known_to_all", e->eval.common_pairs);
    json_put_f64(&w, "judgements", e->eval.judgements);
    json_put_i64(&w, "prompts", e->eval.prompts);
    json_put_i64(&w, "answers", e->eval.answers);
    json_put_i64(&w, "baseline_train_pairs", e->train_pairs);
    json_put_f64_or_null(&w, "longer_preferred", e->eval.longer_preferred);
    json_put_f64(&w, "length_match_factor", e->options.match_factor);
    json_put_f64_or_null(&w, "best_of_n_chance", e->eval.choice_chance);
    json_put_f64_or_null(&w, "tied_accurate_chance", e->eval.tied_chance);
    json_put_string_or_null(&w, "best", best >= 0 ? reward_evaluation_name(e, best) : NULL);
    json_put_array_begin(&w, "rewards");
    for (int64_t r = 0; r < e->reward_count; r++) {
        put_reward(&w, e, r, &words);
    }
    json_write_array_end(&w);
    put_notes(&w, e, &words);
    json_write_object_end(&w);
    TRY(strbuf_check(&words, "notes", err));
    TRY(json_writer_finish(&w, err));
    strbuf_add_char(out, '\n');
    return ERR_OK;
}
