/* recipe_rl.c - accord align on answers of the model's own. In the tensor half.
 *
 * One round: the next prompts of a shuffled epoch are answered G times each; an answer's reward and
 * its regulariser make one number; how much that is above the other answers to the prompt is the
 * weight that the answer's log-probability is raised with. rl.h says where what is.
 */
#include "base/config_text.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/shell_word.h"
#include "base/strbuf.h"
#include "data/project.h"
#include "trainer/align_recipes.h"
#include "trainer/lm_run.h"
#include "trainer/objective_logvar.h"
#include "trainer/reward_sources.h"
#include "trainer/rl.h"
#include "trainer/saved_model.h"
#include "trainer/train_model.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>

#define NEXT_BYTES_MAX ((size_t)64 * KIB) /* of the command that is shown at the end */
#define SLOTS_MAX      64

/* logvar has no advantages; those of rloo are what its metrics show. */
static const enum advantage_kind advantage_kinds[ALIGN_DPO] = {
    [ALIGN_RLOO] = ADVANTAGE_RLOO,       [ALIGN_GRPO] = ADVANTAGE_GRPO,
    [ALIGN_DR_GRPO] = ADVANTAGE_DR_GRPO, [ALIGN_REINFORCE] = ADVANTAGE_REINFORCE,
    [ALIGN_PPO] = ADVANTAGE_GAE,         [ALIGN_LOGVAR] = ADVANTAGE_RLOO,
};

static struct advantage_options advantage_of(const struct align_config *config) {
    struct advantage_options options = advantage_defaults(advantage_kinds[config->method]);
    options.whiten = config->method == ALIGN_PPO ? config->policy.whiten : options.whiten;
    options.gamma = config->policy.gamma;
    options.lambda = config->policy.gae_lambda;
    return options;
}

/* rloo and reinforce are sequence sums; grpo and dr-grpo as their papers have them. One update
 * needs no ratio, which would be 1. */
static struct policy_options policy_of(const struct align_config *config) {
    struct policy_options options = policy_options_defaults();
    options.clip_low = config->policy.clip_low;
    options.clip_high = config->policy.clip_high;
    if (config->policy.updates > 1) {
        options.ratio = config->method == ALIGN_RLOO ? POLICY_RATIO_SEQUENCE : POLICY_RATIO_TOKEN;
    }
    if (config->method == ALIGN_GRPO) {
        options.aggregation = POLICY_SEQUENCE_MEAN;
    } else if (config->method == ALIGN_PPO) {
        options.aggregation = POLICY_TOKENS; /* as the critic's loss */
    } else if (config->method == ALIGN_DR_GRPO) {
        options.aggregation = POLICY_CONSTANT;
        options.constant_length = (double)config->rollout.new_tokens_max;
    }
    return options;
}

static enum err_code check_method(const struct rl *rl, struct error *err) {
    const struct align_config *config = rl->config;
    TRY(regulariser_check(&rl->regulariser, err));
    if (config->method == ALIGN_LOGVAR) {
        return logvar_check(&rl->regulariser, config->rollout.samples, err);
    }
    TRY(policy_options_check(&rl->policy, err));
    return advantage_check(&rl->advantage, config->rollout.samples, err);
}

static enum err_code open_rewards(struct rl *rl, const char *project, struct error *err) {
    if (!rl->config->reward[0]) {
        return err_set(err, ERR_USAGE,
                       "what are answers rewarded for? give --reward, such as "
                       "lm:runs/reward/final");
    }
    TRY(project_open(project, DB_MODE_READ_ONLY, rl->run->log, &rl->db, err));
    struct reward_sources sources = reward_sources_of(rl->run, rl->db);
    sources.finishes = true; /* a step is finished, and a checkpoint made, before an end */
    TRY(reward_spec_open(rl->config->reward, &sources, &rl->reward, err));
    if (rl->config->watch.held_out[0]) {
        TRY(reward_spec_open(rl->config->watch.held_out, &sources, &rl->held_out, err));
    }
    return ERR_OK;
}

/* Another model, frozen. */
static enum err_code open_other_reference(struct rl *rl, const char *path, struct error *err) {
    const struct model_options options = {.device = model_device(rl->model),
                                          .compute = model_options_of(rl->model).compute,
                                          .training = MODEL_FROZEN};
    TRY(err_wrap(err, saved_model_open(path, &options, &rl->own_reference, err), "the reference"));
    const int64_t vocab = model_config_of(rl->model)->vocab;
    if (model_config_of(rl->own_reference)->vocab != vocab) {
        return err_set(err, ERR_DATA,
                       "the reference '%s' has a vocabulary of %" PRId64 " tokens, the model of "
                       "%" PRId64 ": their probabilities cannot be compared",
                       path, model_config_of(rl->own_reference)->vocab, vocab);
    }
    rl->reference = rl->own_reference;
    return ERR_OK;
}

/* None where the regulariser reads none; adapters have theirs below them. */
static enum err_code open_reference(struct rl *rl, struct error *err) {
    const bool has_adapters = rl->config->train.train == TRAIN_LORA;
    if (!regulariser_needs_reference(&rl->regulariser)) {
        return ERR_OK;
    }
    if (rl->config->reference[0] || !has_adapters) {
        return open_other_reference(rl, align_reference_path(rl->config), err);
    }
    rl->reference = rl->model;
    return ERR_OK;
}

/* Inside is where the reference gives more than alpha: for kl nowhere. */
static struct policy_matching matching_form(const struct rl *rl) {
    const struct regulariser *reg = &rl->regulariser;
    const bool is_cpm = reg->kind == REGULARISER_CPM;
    return (struct policy_matching){
        .reference = rl->reference,
        .reference_is_base = rl->reference == rl->model,
        .form = {.beta_in = reg->beta_in,
                 .beta_out = is_cpm ? reg->beta_out : reg->beta_in,
                 .log_alpha = is_cpm ? log(reg->alpha) : 0.0},
    };
}

static int64_t longest_prompt(const struct align_prompts *prompts) {
    int64_t most = 0;
    for (int64_t part = 0; part < PROMPT_TEST; part++) {
        for (int64_t i = 0; i < prompts->count[part]; i++) {
            const int64_t count = prompts->list[part][i].count;
            most = count > most ? count : most;
        }
    }
    return most;
}

static enum err_code open_rollout(struct rl *rl, const struct chat_template *template,
                                  struct error *err) {
    const struct align_config *config = rl->config;
    const int64_t answers = config->train.examples_per_step * config->rollout.samples;
    const int64_t most = answers < SLOTS_MAX ? answers : SLOTS_MAX;
    struct thread_count threads = {.threads = 0};
    TRY(run_threads(rl->run, &threads, err));
    const struct rollout_options options = {
        .tokenizer = rl->tokenizer,
        .template = template,
        .slots = config->rollout.slots > 0 ? config->rollout.slots : most,
        .context = longest_prompt(&rl->prompts) + config->rollout.new_tokens_max,
        .new_tokens_max = config->rollout.new_tokens_max,
        .threads = threads.threads,
        .seed = config->train.run.seed,
        .finishes = true,
    };
    return rollout_open(rl->model, &options, &rl->rollout, err);
}

static enum err_code rl_init(struct rl *rl, struct error *err) {
    const struct train_config *train = &rl->config->train;
    rl->pass = (struct policy_pass){.model = rl->model,
                                    .tokens_max = train_micro_batch_tokens(train, rl->model),
                                    .has_values = rl_has_critic(rl),
                                    .whole_groups = rl->config->method == ALIGN_LOGVAR,
                                    .batch = PACKED_BATCH_INIT};
    if (rl_is_exact(rl) && rl->reference) {
        rl->matching = matching_form(rl);
        rl->pass.matching = &rl->matching;
    }
    rl->reference_pass =
        (struct policy_pass){.is_base = rl->reference && rl->reference == rl->model,
                             .model = rl->reference,
                             .tokens_max = rl->pass.tokens_max,
                             .batch = PACKED_BATCH_INIT};
    rl->round.prompts = mem_array((size_t)train->examples_per_step, sizeof(struct align_prompt *));
    if (!rl->round.prompts) {
        return err_oom(err, "prompts of a step");
    }
    align_watch_init(&rl->watch);
    return epoch_order_init(&rl->order, rl->prompts.count[PROMPT_TRAINING], train->run.seed, err);
}

static void rl_scoped_end(struct rl *rl) {
    policy_pass_deinit(&rl->pass);
    policy_pass_deinit(&rl->reference_pass);
    rollout_answers_deinit(&rl->round.answers);
    arena_deinit(&rl->round.arena);
    mem_free(rl->round.prompts);
    epoch_order_deinit(&rl->order);
    rollout_close(rl->rollout);
    reward_free(rl->held_out);
    reward_free(rl->reward);
    db_close(rl->db);
    align_prompts_deinit(&rl->prompts);
    model_free(rl->own_reference);
}

/* Of what checkpoints do not hold: the base, and what answers are measured by. */
static enum err_code hash_base(const struct rl *rl, const struct hash_digest *base,
                               struct hash_digest *out, struct error *err) {
    struct hash_state state;
    TRY(hash_init(&state, err));
    hash_update(&state, base, sizeof *base);
    TRY(reward_hash(rl->reward, &state, err));
    if (rl->held_out) {
        TRY(reward_hash(rl->held_out, &state, err));
    }
    if (rl->own_reference) {
        TRY(err_wrap(err, saved_model_hash(align_reference_path(rl->config), &state, err),
                     "reference"));
    }
    *out = hash_final(&state);
    return ERR_OK;
}

/* The policies side by side, on the prompts that this run has left out. */
static enum err_code add_next(const struct align_config *config, const char *project,
                              struct strbuf *out, struct error *err) {
    strbuf_add(out, "accord eval ");
    shell_word_add(out, project);
    strbuf_add(out, " --reward ");
    shell_word_add(out, config->reward);
    TRY(config_settings(&align_config_table, "data", config, out, err));
    strbuf_add(out, " -m ");
    shell_word_add(out, config->train.model);
    strbuf_add(out, " -m ");
    return strbuf_check(out, "the next command", err);
}

static enum err_code run_recipe(struct rl *rl, const struct hash_digest *base_hash,
                                const struct command_args *args, struct error *err) {
    const struct align_config *config = rl->config;
    const int64_t kept = rl->prompts.count[PROMPT_VALIDATION];
    const int64_t watched = kept < config->watch.prompts ? kept : config->watch.prompts;
    const int64_t per_prompt = config->rollout.samples * config->rollout.new_tokens_max;
    const int64_t training = rl->prompts.count[PROMPT_TRAINING];
    if (config->train.examples_per_step > training) {
        return err_set(err, ERR_CONFIG,
                       "examples_per_step=%" PRId64 ", and there are %" PRId64
                       " prompts to learn from: a step would answer some of them twice",
                       config->train.examples_per_step, training);
    }
    SCOPED(strbuf) struct strbuf next = STRBUF_INIT(NEXT_BYTES_MAX);
    TRY(add_next(config, args->positionals[0], &next, err));
    const struct train_recipe recipe = {
        .name = "align",
        .context = rl,
        .next = strbuf_text(&next),
        .examples = training,
        .updates = config->policy.updates,
        .tokens = config->rollout.samples * align_prompts_tokens(&rl->prompts, PROMPT_TRAINING) +
                  training * per_prompt,
        .target_tokens = training * per_prompt,
        .target_text = "are answers, at most",
        .evaluation_examples = watched,
        .evaluation_tokens = watched * config->watch.samples * config->rollout.new_tokens_max,
        .evaluates_start = true,
        .numbers = rl->watch.numbers,
        .numbers_count = ALIGN_WATCH_NUMBERS,
        .step_tokens = rl_step_tokens,
        .gradients = rl_gradients,
        .evaluate = rl_evaluate,
    };
    struct train_job job = {
        .run = rl->run,
        .recipe = &recipe,
        .model = rl->model,
        .tokenizer = rl->tokenizer,
    };
    TRY(hash_base(rl, base_hash, &job.base_hash, err));
    TRY(align_prompts_hash(&rl->prompts, &job.data_hash, err));
    return train_job_run(&job, args, err);
}

enum err_code rl_run(struct run *run, const struct command_args *args, struct error *err) {
    const struct align_config *config = run->config;
    const bool is_ppo = config->method == ALIGN_PPO;
    const struct train_head head = {.kind = MODEL_HEAD_LM,
                                    .value_scale = is_ppo ? config->policy.value_rate : 0.0};
    struct train_base base;
    struct tt_device device;
    const struct chat_template *template = NULL;
    TRY(lm_run_open(run, &device, err));
    SCOPED(tokenizer) struct tokenizer *tokenizer = NULL;
    SCOPED(model) struct model *model = NULL;
    SCOPED(rl)
    struct rl rl = {
        .run = run,
        .config = config,
        .prompts = ALIGN_PROMPTS_INIT,
        .order = EPOCH_ORDER_INIT,
        .regulariser = {.kind = config->regulariser.kind,
                        .alpha = config->regulariser.alpha,
                        .beta_in = config->regulariser.beta_in,
                        .beta_out = config->regulariser.beta_out,
                        .estimator = config->regulariser.estimator},
        .advantage = advantage_of(config),
        .policy = policy_of(config),
        .round = {.answers = ROLLOUT_ANSWERS_INIT, .arena = ARENA_INIT(SIZE_MAX)},
    };
    TRY(check_method(&rl, err));
    TRY(train_model_open_tokenizer(&config->train, &tokenizer, err));
    TRY(train_model_look(&config->train, head.kind, &base, err));
    TRY(chat_template_choose(config->data.template[0] ? config->data.template : NULL, tokenizer,
                             &template, err));
    const struct align_prompts_source source = {.project = args->positionals[0],
                                                .config = &config->data,
                                                .tokenizer = tokenizer,
                                                .template = template,
                                                .parts =
                                                    1U << PROMPT_TRAINING | 1U << PROMPT_VALIDATION,
                                                .needed = PROMPT_TRAINING,
                                                .context = base.context,
                                                .new_tokens_max = config->rollout.new_tokens_max};
    TRY(align_prompts_read(run, &source, &rl.prompts, err));
    TRY(open_rewards(&rl, args->positionals[0], err));
    const struct train_start start = {
        .config = &config->train, .device = device, .tokenizer = tokenizer, .head = head};
    TRY(train_model_open(run, &start, &model, err));
    rl.model = model;
    rl.tokenizer = tokenizer;
    TRY(open_reference(&rl, err));
    TRY(open_rollout(&rl, template, err));
    TRY(rl_init(&rl, err));
    return run_recipe(&rl, &base.hash, args, err);
}
