/* reward_examples.c - see reward_examples.h; no torch. */
#include "trainer/reward_examples.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "data/comparison_cut.h"

static bool has_all_tokens(const struct reward_data *data, int64_t comparison) {
    const struct comparison_set *set = &data->set;
    for (int64_t m = set->starts[comparison]; m < set->starts[comparison + 1]; m++) {
        if (data->sequence_of_item[set->items[m]] < 0) {
            return false;
        }
    }
    return true;
}

/* Whether it is a label, puts anything before anything, or is a tie that counts. */
static bool says_something(const struct comparison_set *set, int64_t comparison,
                           enum pair_ties ties) {
    const int64_t first = set->starts[comparison];
    const int64_t last = set->starts[comparison + 1] - 1;
    const bool is_open = set->last_unordered && set->last_unordered[comparison];
    return set->good || set->ranks[first] != set->ranks[last] ||
           (ties != PAIR_TIES_DROP && !is_open);
}

static enum err_code choose(const struct reward_data *data, enum prompt_part part,
                            enum pair_ties ties, struct reward_examples *examples,
                            bool **out_is_used, struct error *err) {
    const struct comparison_set *set = &data->set;
    bool *is_used = *out_is_used = mem_array((size_t)set->count, sizeof *is_used);
    if (!is_used) {
        return err_oom(err, "comparisons of a part");
    }
    for (int64_t c = 0; c < set->count; c++) {
        const int32_t block = set->item_blocks[set->items[set->starts[c]]];
        const bool is_in_part = data->part_of_block[block] == part;
        const bool has_tokens = is_in_part && has_all_tokens(data, c);
        is_used[c] = has_tokens && says_something(set, c, ties);
        examples->without_tokens += is_in_part && !has_tokens;
        examples->silent += has_tokens && !is_used[c];
    }
    return ERR_OK;
}

static enum err_code make_objective(const struct reward_examples_plan *plan,
                                    struct reward_examples *examples, struct error *err) {
    const struct reward_loss_config *loss = plan->loss;
    struct reward_terms_options options = REWARD_TERMS_OPTIONS_DEFAULT;
    options.ties = loss->ties;
    options.count = loss->count;
    options.split_rankings = loss->split_rankings;
    options.margin_scale = loss->margin_scale;
    TRY(reward_terms_make(&examples->set, &options, &examples->terms, err));
    if (examples->terms.labels) {
        return ERR_OK;
    }
    const struct reward_objective_options objective = {
        .model = (enum tabular_model)loss->likelihood,
        .label_smoothing = loss->label_smoothing,
        .centring = loss->centre,
        .ties_of = plan->ties_of,
    };
    return reward_objective_new(&examples->terms, &objective, &examples->objective, err);
}

int64_t reward_examples_tokens(const struct reward_examples *examples, int64_t example) {
    int64_t tokens = 0;
    for (int64_t k = 0; k < reward_examples_answers(examples, example); k++) {
        tokens += reward_examples_sequence(examples, example, k).count;
    }
    return tokens;
}

int32_t reward_examples_prompt(const struct reward_examples *examples, int64_t example) {
    const int64_t item = examples->items[examples->terms.item_starts[example]];
    return examples->data->set.item_blocks[item];
}

enum err_code reward_examples_make(const struct reward_data *data, enum prompt_part part,
                                   const struct reward_examples_plan *plan,
                                   struct reward_examples *examples, struct error *err) {
    SCOPED(mem) bool *is_used = NULL;
    SCOPED(comparison_cut)
    struct comparison_cut cut = {.items_max = plan->answers_max, .seed = plan->seed};
    examples->data = data;
    TRY(choose(data, part, plan->loss->ties, examples, &is_used, err));
    TRY(comparison_cut_make(&data->set, is_used, &cut, err));
    examples->count = cut.count;
    TRY(comparison_set_part(&data->set, cut.example_of, cut.count, &examples->set, &examples->items,
                            err));
    if (examples->count > 0) {
        TRY(make_objective(plan, examples, err));
        examples->answers = examples->terms.item_starts[examples->count];
        for (int64_t e = 0; e < examples->count; e++) {
            examples->tokens += reward_examples_tokens(examples, e);
        }
    }
    return ERR_OK;
}

void reward_examples_deinit(struct reward_examples *examples) {
    reward_objective_free(examples->objective);
    reward_terms_deinit(&examples->terms);
    comparison_set_deinit(&examples->set);
    mem_free(examples->items);
    *examples = (struct reward_examples)REWARD_EXAMPLES_INIT;
}

struct token_sequence reward_examples_sequence(const struct reward_examples *examples,
                                               int64_t example, int64_t k) {
    const int64_t item = examples->terms.item_starts[example] + k;
    return reward_data_sequence(examples->data, examples->items[item]);
}

/* --- agreement -------------------------------------------------------------------------------- */

/* `weight` of judgements that put the first of two above the second. */
static void agree(struct reward_agreement *agreement, double weight, double chosen,
                  double rejected) {
    const double difference = chosen - rejected;
    const double share = difference > 0.0 ? 1.0 : difference < 0.0 ? 0.0 : 0.5;
    agreement->right += weight * share;
    agreement->wrong += weight * (1.0 - share);
    agreement->margin += weight * difference;
    agreement->chosen += weight * chosen;
    agreement->rejected += weight * rejected;
    agreement->chosen_weight += weight;
    agreement->rejected_weight += weight;
}

/* Each item with each one ranked below it; those of the last rank may not have been compared. */
static void agree_ranking(const struct comparison_set *rankings, int64_t ranking,
                          const double *scores, struct reward_agreement *agreement) {
    const int64_t end = rankings->starts[ranking + 1];
    for (int64_t above = rankings->starts[ranking]; above < end; above++) {
        for (int64_t below = above + 1; below < end; below++) {
            if (rankings->ranks[above] < rankings->ranks[below]) {
                agree(agreement, rankings->weights[ranking], scores[rankings->items[above]],
                      scores[rankings->items[below]]);
            }
        }
    }
}

static void agree_label(struct reward_agreement *agreement, const struct reward_label *label,
                        double score) {
    agreement->chosen += label->good * score;
    agreement->rejected += label->bad * score;
    agreement->chosen_weight += label->good;
    agreement->rejected_weight += label->bad;
}

void reward_examples_agree(const struct reward_examples *examples, int64_t example,
                           const double *scores, struct reward_agreement *agreement) {
    const struct reward_terms *terms = &examples->terms;
    const int64_t start = terms->item_starts[example];
    for (int64_t k = start; terms->labels && k < terms->item_starts[example + 1]; k++) {
        agree_label(agreement, &terms->labels[k], scores[k - start]);
    }
    for (int64_t p = terms->pair_starts[example]; p < terms->pair_starts[example + 1]; p++) {
        const struct reward_pair *pair = &terms->pairs[p];
        agree(agreement, pair->win, scores[pair->i], scores[pair->j]);
        agree(agreement, pair->loss, scores[pair->j], scores[pair->i]);
    }
    for (int64_t r = terms->ranking_starts[example]; r < terms->ranking_starts[example + 1]; r++) {
        agree_ranking(&terms->rankings, r, scores, agreement);
    }
}
