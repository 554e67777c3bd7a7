/* direct_sums.c - see direct_sums.h; no torch. */
#include "trainer/direct_sums.h"

#include <math.h>

void direct_sums_add(struct direct_sums *sums, const struct reward_examples *examples,
                     int64_t example, const struct direct_measured *measured) {
    sums->weights += examples->terms.weights[example];
    reward_examples_agree(examples, example, measured->rewards, &sums->rewards);
    reward_examples_agree(examples, example, measured->logps, &sums->logps);
    reward_examples_agree(examples, example, measured->starts, &sums->starts);
    reward_examples_agree(examples, example, measured->mean_logits, &sums->mean_logits);
    reward_examples_agree(examples, example, measured->tops, &sums->tops);
    reward_examples_agree(examples, example, measured->lengths, &sums->lengths);
}

double direct_sums_accuracy(const struct direct_sums *sums) {
    const struct reward_agreement *rewards = &sums->rewards;
    return rewards->right / (rewards->right + rewards->wrong);
}

static double chosen_mean(const struct reward_agreement *agreement) {
    return agreement->chosen / agreement->chosen_weight;
}

static double rejected_mean(const struct reward_agreement *agreement) {
    return agreement->rejected / agreement->rejected_weight;
}

int64_t direct_sums_metrics(const struct direct_sums *sums, const struct direct_metrics_form *form,
                            struct metric out[DIRECT_METRICS_MAX]) {
    const double chosen = chosen_mean(&sums->rewards), rejected = rejected_mean(&sums->rewards);
    const struct {
        const char *names[2]; /* of a step, of an evaluation */
        double value;
        bool is_left_out;
    } metrics[DIRECT_METRICS_MAX] = {
        {{"loss", "eval_loss"}, sums->loss / sums->weights, false},
        {{"rewards/chosen", "eval_rewards/chosen"}, chosen, false},
        {{"rewards/rejected", "eval_rewards/rejected"}, rejected, false},
        {{"rewards/accuracies", "eval_rewards/accuracies"},
         direct_sums_accuracy(sums),
         form->of_labels},
        {{"rewards/margins", "eval_rewards/margins"}, chosen - rejected, false},
        {{"logps/chosen", "eval_logps/chosen"}, chosen_mean(&sums->logps), false},
        {{"logps/rejected", "eval_logps/rejected"}, rejected_mean(&sums->logps), false},
        {{"logits/chosen", "eval_logits/chosen"},
         sums->mean_logits.chosen / sums->lengths.chosen,
         false},
        {{"logits/rejected", "eval_logits/rejected"},
         sums->mean_logits.rejected / sums->lengths.rejected,
         false},
        {{"mean_token_accuracy", "eval_mean_token_accuracy"},
         sums->tops.chosen / sums->lengths.chosen,
         false},
        {{"entropy", "eval_entropy"}, sums->entropy_nats / (double)sums->targets, false},
        {{"kl", "eval_kl"}, form->kl, !form->has_kl},
    };
    int64_t count = 0;
    for (int64_t i = 0; i < DIRECT_METRICS_MAX; i++) {
        if (!metrics[i].is_left_out) {
            out[count++] = (struct metric){.key = metrics[i].names[form->is_evaluation],
                                           .value = metrics[i].value};
        }
    }
    return count;
}

struct direct_fall direct_sums_fall(const struct direct_sums *sums) {
    return (struct direct_fall){
        .chosen = chosen_mean(&sums->starts) - chosen_mean(&sums->logps),
        .rejected = rejected_mean(&sums->starts) - rejected_mean(&sums->logps),
    };
}

#define SMOOTHING 0.1

static void smooth(double *smoothed, double step) {
    if (isfinite(step)) {
        *smoothed += SMOOTHING * (step - *smoothed);
    }
}

void direct_fall_smooth(struct direct_fall *smoothed, const struct direct_fall *step) {
    smooth(&smoothed->chosen, step->chosen);
    smooth(&smoothed->rejected, step->rejected);
}

bool direct_fall_is_of_both(const struct direct_fall *fall) {
    return fall->chosen > 1.0 && fall->rejected > 1.0;
}
