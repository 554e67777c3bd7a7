/* align_config.c - see align_config.h. */
#include "trainer/align_config.h"

#define ALIGN_NAME(name, text, help) text,
const char *const align_method_names[ALIGN_METHOD_COUNT] = {ALIGN_METHODS(ALIGN_NAME)};
#undef ALIGN_NAME

static const struct config_field data_fields[] = {REWARD_DATA_FIELDS};

static const struct config_table data_table =
    CONFIG_TABLE("align.data", reward_data_config, data_fields, reward_data_config_check,
                 "which prompts, and what was said of answers to them");

static const struct config_field rollout_fields[] = {
    FIELD_I64(align_rollout_config, samples, "4", 1, 4096, "answers to each prompt, from 2 on"),
    FIELD_I64(align_rollout_config, new_tokens_max, "64", 1, INT64_C(1) << 20,
              "longest answer, in tokens"),
    FIELD_I64(align_rollout_config, slots, "0", 0, 4096,
              "answers written at a time; 0: those of a step, at most 64"),
    FIELD_F64(align_rollout_config, missing_eos_penalty, "0", 0.0, 1e6,
              "nats off the reward of an answer that was cut off at new_tokens_max"),
    FIELD_F64(align_rollout_config, length_penalty, "0", -1e3, 1e3,
              "nats off the reward for each token"),
    FIELD_I64(align_rollout_config, length_penalty_from, "0", 0, INT64_C(1) << 20,
              "tokens of an answer that length_penalty does not count"),
};

static const struct config_table rollout_table =
    CONFIG_TABLE("align.rollout", align_rollout_config, rollout_fields, NULL,
                 "answers of the model's own, at temperature 1 and uncut");

static const struct config_field regulariser_fields[] = {
    FIELD_ENUM(align_regulariser_config, kind, "cpm", regulariser_kind_names,
               "what the reward is balanced with: the distance to the reference; the entropy, so "
               "that odds become those of the reward; that where the reference gives a token more "
               "than alpha, and elsewhere the distance"),
    FIELD_F64_OPEN(align_regulariser_config, alpha, "0.05", 0.0, 1.0,
                   "cpm: probability from which on a token is one of the language"),
    FIELD_F64(align_regulariser_config, beta_in, "1", 0.0, 1e6,
              "weight of the penalty; of cpm, for tokens above alpha"),
    FIELD_F64(align_regulariser_config, beta_out, "1", 0.0, 1e6,
              "weight for the other tokens; pm has none"),
    FIELD_ENUM(align_regulariser_config, estimator, "sampled", regulariser_estimator_names,
               "the penalty of the tokens that were drawn, or its mean over the vocabulary"),
};

static const struct config_table regulariser_table = CONFIG_TABLE(
    "align.regulariser", align_regulariser_config, regulariser_fields, NULL, "what keeps the odds");

static const struct config_field policy_fields[] = {
    FIELD_I64(align_policy_config, updates, "1", 1, 1000,
              "steps of the optimiser with the answers of one"),
    FIELD_F64_OPEN(align_policy_config, clip_low, "0.2", 0.0, 1.0,
                   "ratios below 1 minus this move no further"),
    FIELD_F64_OPEN(align_policy_config, clip_high, "0.2", 0.0, 100.0,
                   "ratios above 1 plus this move no further"),
    FIELD_F64(align_policy_config, gamma, "1", 0.001, 1.0,
              "reinforce, ppo: what a nat of the next token counts; below 1 moves the optimum"),
    FIELD_BOOL(align_policy_config, whiten, "false",
               "ppo: advantages over their deviation in a step, as is customary; near a matched "
               "policy, where they vanish, that makes noise of them"),
    FIELD_F64(align_policy_config, gae_lambda, "0.95", 0.0, 1.0,
              "ppo: 1 believes what was sampled, 0 what the critic expects (arXiv 1506.02438)"),
    FIELD_F64_OPEN(align_policy_config, value_clip, "0.2", 0.0, 1e6,
                   "ppo: nats that a round moves a value at most"),
    FIELD_F64(align_policy_config, value_weight, "0.1", 0.0, 1e6,
              "ppo: weight of the critic's loss beside the policy's"),
    FIELD_F64_OPEN(align_policy_config, value_rate, "10", 0.0, 1e6,
                   "ppo: learning rate of the critic's own weights, over that of the others"),
};

static const struct config_table policy_table =
    CONFIG_TABLE("align.policy", align_policy_config, policy_fields, NULL, "the policy gradient");

static const struct config_field direct_loss_fields[] = {REWARD_LOSS_FIELDS};

static const struct config_table direct_loss_table =
    CONFIG_TABLE("align.direct.loss", reward_loss_config, direct_loss_fields,
                 reward_loss_config_check, "what judgements say of differences");

static const struct config_field direct_fields[] = {
    FIELD_F64_OPEN(align_direct_config, beta, "0.1", 0.0, 1e6,
                   "dpo, cdpo, robust-dpo, ipo, kto: what a nat from the reference counts; of "
                   "pm-dpo that is regulariser.beta_in"),
    FIELD_F64_OPEN(align_direct_config, simpo_beta, "2", 0.0, 1e6,
                   "simpo: what a nat of the mean token counts"),
    FIELD_F64(align_direct_config, simpo_gamma, "1", 0.0, 1e6,
              "simpo: nats by which the better answer is to lead"),
    FIELD_F64_OPEN(align_direct_config, orpo_lambda, "0.1", 0.0, 1e6,
                   "orpo: weight of the odds ratio beside imitation"),
    FIELD_F64(align_direct_config, desirable, "1", 0.0, 1e6, "kto: weight of good answers"),
    FIELD_F64(align_direct_config, undesirable, "1", 0.0, 1e6, "kto: weight of bad answers"),
    FIELD_F64(align_direct_config, sft_weight, "0", 0.0, 1e6,
              "weight of imitating the better answer, by its mean token, beside the objective "
              "(arXiv 2404.19733)"),
    FIELD_SECTION(align_direct_config, loss, reward_loss_config, &direct_loss_table,
                  "what judgements say of differences"),
};

static const struct config_table direct_table =
    CONFIG_TABLE("align.direct", align_direct_config, direct_fields, NULL,
                 "methods that learn straight from the log");

static const struct config_field watch_fields[] = {
    FIELD_I64(align_watch_config, prompts, "16", 0, 1000000,
              "prompts of the evaluation that are answered each time"),
    FIELD_I64(align_watch_config, samples, "8", 2, 4096, "answers to each"),
    FIELD_STRING(align_watch_config, held_out, "",
                 "a reward that nothing is learnt from: the run warns when it falls while the "
                 "reward rises"),
};

static const struct config_table watch_table =
    CONFIG_TABLE("align.watch", align_watch_config, watch_fields, NULL, "what is watched");

static const struct config_field optimiser_fields[] = {TRAIN_OPTIMISER_FIELDS("1e-6")};

static const struct config_table optimiser_table =
    CONFIG_TABLE("align.optimiser", train_optimiser_config, optimiser_fields, NULL,
                 "AdamW, schedule and clipping");

static const struct config_field align_fields[] = {
    TRAIN_FIELDS(&optimiser_table, "1", "false", "0"),
    FIELD_ENUM(align_config, method, "rloo", align_method_names, "how it learns"),
    FIELD_PATH(align_config, reference, "",
               "model that distances are measured to; without one, the model that training starts "
               "from"),
    FIELD_SECTION(align_config, data, reward_data_config, &data_table, "prompts"),
    FIELD_STRING(align_config, reward, "", "what answers are rewarded for, as in 'reward score'"),
    FIELD_SECTION(align_config, rollout, align_rollout_config, &rollout_table, "answers"),
    FIELD_SECTION(align_config, regulariser, align_regulariser_config, &regulariser_table,
                  "what keeps the odds"),
    FIELD_SECTION(align_config, policy, align_policy_config, &policy_table, "policy gradient"),
    FIELD_SECTION(align_config, direct, align_direct_config, &direct_table, "direct methods"),
    FIELD_SECTION(align_config, watch, align_watch_config, &watch_table, "what is watched"),
};

/* --- keys that a direct method cannot take --- */

static enum err_code check_smoothing(const struct align_config *config, struct error *err) {
    const bool takes_it = config->method == ALIGN_CDPO || config->method == ALIGN_ROBUST_DPO;
    if (takes_it == (config->direct.loss.label_smoothing > 0.0)) {
        return ERR_OK;
    }
    return err_set(err, ERR_CONFIG,
                   takes_it
                       ? "method=%s needs direct.loss.label_smoothing, which is 0: it would be "
                         "dpo"
                       : "direct.loss.label_smoothing goes with cdpo and robust-dpo, not "
                         "with method=%s",
                   align_method_names[config->method]);
}

static enum err_code check_pm_dpo(const struct align_config *config, struct error *err) {
    const struct align_regulariser_config *regulariser = &config->regulariser;
    if (regulariser->kind == REGULARISER_KL) {
        return err_set(err, ERR_CONFIG,
                       "method=pm-dpo goes with regulariser.kind=pm or cpm; with kl it is dpo");
    }
    if (!(regulariser->beta_in > 0.0)) {
        return err_set(err, ERR_CONFIG, "method=pm-dpo needs regulariser.beta_in above 0");
    }
    if (regulariser->kind == REGULARISER_CPM && regulariser->beta_in != regulariser->beta_out) {
        return err_set(err, ERR_CONFIG,
                       "method=pm-dpo has no form for regulariser.beta_in=%g beside beta_out=%g: "
                       "make them equal",
                       regulariser->beta_in, regulariser->beta_out);
    }
    return ERR_OK;
}

static enum err_code check_direct(const struct align_config *config, struct error *err) {
    const char *method = align_method_names[config->method];
    const bool is_binary =
        config->method == ALIGN_IPO || config->method == ALIGN_KTO || config->method == ALIGN_ORPO;
    TRY(check_smoothing(config, err));
    if (is_binary && config->direct.loss.likelihood != REWARD_BRADLEY_TERRY) {
        return err_set(err, ERR_CONFIG,
                       "method=%s has no probability for ties: direct.loss.likelihood=%s goes with "
                       "dpo, cdpo, robust-dpo, simpo and pm-dpo",
                       method, reward_likelihood_names[config->direct.loss.likelihood]);
    }
    if (config->reference[0] && !align_direct_has_reference(config)) {
        return err_set(err, ERR_CONFIG, "method=%s%s has no reference", method,
                       config->method == ALIGN_PM_DPO ? " with regulariser.kind=pm" : "");
    }
    if (config->reward[0]) {
        return err_set(err, ERR_CONFIG,
                       "method=%s learns from the judgements of the log, not from rewards: leave "
                       "--reward away",
                       method);
    }
    return config->method == ALIGN_PM_DPO ? check_pm_dpo(config, err) : ERR_OK;
}

static enum err_code check_align(const void *config, struct error *err) {
    const struct align_config *align = config;
    if (align->data.from == COMPARISON_FROM_LABELS && align->method != ALIGN_KTO) {
        return err_set(err, ERR_CONFIG,
                       "data.from=labels goes with method=kto: labels of single answers compare "
                       "nothing");
    }
    return align_is_on_policy(align->method) ? ERR_OK : check_direct(align, err);
}

const struct config_table align_config_table =
    CONFIG_TABLE("align", align_config, align_fields, check_align, "alignment");
