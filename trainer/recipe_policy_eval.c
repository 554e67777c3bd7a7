/* recipe_policy_eval.c - accord eval: what policies answer, side by side. In the tensor half.
 *
 * Each policy answers the same prompts; then each gives the answers of all policies its
 * log-probabilities, so that odds are compared on a pool that no policy has chosen alone.
 */
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/project.h"
#include "policy/model_tokenizer.h"
#include "trainer/align_prompts.h"
#include "trainer/lm_functions.h"
#include "trainer/lm_run.h"
#include "trainer/output.h"
#include "trainer/policy_eval_config.h"
#include "trainer/policy_pass.h"
#include "trainer/policy_table.h"
#include "trainer/reward_sources.h"
#include "trainer/rollout.h"
#include "trainer/saved_model.h"
#include "trainer/train_model.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define PASS_TOKENS 2048 /* of a forward pass without gradients */

/* One policy's answers. */
struct policy {
    struct rollout_answers answers;
    double *rewards, *held_out; /* [S] */
    double *reference_logp;     /* [T] */
};

struct evaluation {
    struct run *run;
    const struct policy_eval_config *config;
    struct model_options options;
    struct tokenizer *tokenizer; /* of all policies */
    const struct chat_template *template;
    struct db *db;
    struct reward *reward, *held_out;
    struct align_prompts prompts;
    const struct align_prompt **asked; /* [asked_count] */
    int64_t asked_count;
    struct rollout_request request;
    struct policy *policies; /* [policy_count] */
    int64_t policy_count;
    struct rollout_answers
        pool; /* of each prompt all answers of the first policy, the second ... */
    struct policy_table table;
};

static const char *name_of(const struct evaluation *e, int64_t policy) {
    return e->config->models.items[policy];
}

static bool has_reference(const struct evaluation *e) {
    return e->config->reference[0] != 0 || e->policy_count > 1;
}

/* --- one tokenizer ---------------------------------------------------------------------------- */

static bool same_tokens(const struct tokenizer *left, const struct tokenizer *right) {
    bool same = tokenizer_count(left) == tokenizer_count(right);
    for (int64_t id = 0; same && id < tokenizer_count(left); id++) {
        const struct text_span l = tokenizer_token(left, (int32_t)id);
        const struct text_span r = tokenizer_token(right, (int32_t)id);
        same = text_span_equal(&l, &r);
    }
    return same;
}

/* Answers are handed from policy to policy as tokens. */
static enum err_code open_tokenizer(struct evaluation *e, struct error *err) {
    const char *template = e->config->data.template;
    TRY(model_tokenizer_open(name_of(e, 0), &e->tokenizer, err));
    for (int64_t policy = 1; policy < e->policy_count; policy++) {
        SCOPED(tokenizer) struct tokenizer *other = NULL;
        TRY(model_tokenizer_open(name_of(e, policy), &other, err));
        if (!same_tokens(e->tokenizer, other)) {
            return err_set(err, ERR_DATA,
                           "'%s' and '%s' have different tokens: the probabilities of their "
                           "answers cannot be compared",
                           name_of(e, 0), name_of(e, policy));
        }
    }
    return chat_template_choose(template[0] ? template : NULL, e->tokenizer, &e->template, err);
}

/* --- prompts ---------------------------------------------------------------------------------- */

static int64_t context_of(const struct evaluation *e) {
    int64_t most = 0;
    for (int64_t i = 0; i < e->asked_count; i++) {
        most = e->asked[i]->count > most ? e->asked[i]->count : most;
    }
    return most + e->config->new_tokens_max;
}

static enum err_code choose_prompts(struct evaluation *e, const char *project, int64_t context,
                                    struct error *err) {
    const struct policy_eval_config *config = e->config;
    const struct align_prompts_source source = {.project = project,
                                                .config = &config->data,
                                                .tokenizer = e->tokenizer,
                                                .template = e->template,
                                                .parts = 1U << config->split,
                                                .needed = config->split,
                                                .context = context,
                                                .new_tokens_max = config->new_tokens_max};
    TRY(align_prompts_read(e->run, &source, &e->prompts, err));
    const int64_t count = e->prompts.count[config->split];
    e->asked_count = config->prompts > 0 && config->prompts < count ? config->prompts : count;
    e->asked = mem_array((size_t)e->asked_count, sizeof(struct align_prompt *));
    if (!e->asked) {
        return err_oom(err, "prompts");
    }
    for (int64_t i = 0; i < e->asked_count; i++) {
        e->asked[i] = &e->prompts.list[config->split][i];
    }
    e->request = (struct rollout_request){
        .prompts = e->asked, .prompt_count = e->asked_count, .samples = config->samples};
    return ERR_OK;
}

static enum err_code open_rewards(struct evaluation *e, const char *project, struct error *err) {
    if (!e->config->reward[0]) {
        return err_set(err, ERR_USAGE,
                       "what are answers rewarded for? give --reward, such as "
                       "lm:runs/reward/final");
    }
    TRY(project_open(project, DB_MODE_READ_ONLY, e->run->log, &e->db, err));
    const struct reward_sources sources = reward_sources_of(e->run, e->db);
    TRY(reward_spec_open(e->config->reward, &sources, &e->reward, err));
    if (e->config->held_out[0]) {
        TRY(reward_spec_open(e->config->held_out, &sources, &e->held_out, err));
    }
    return ERR_OK;
}

/* --- answers ---------------------------------------------------------------------------------- */

/* Log-probabilities [T] of answers, by forward passes: the same way under every model. */
static enum err_code logp_under(struct model *model, const struct policy_texts *texts,
                                const struct policy_numbers *out, struct error *err) {
    SCOPED(policy_pass)
    struct policy_pass pass = {
        .model = model, .tokens_max = PASS_TOKENS, .batch = PACKED_BATCH_INIT};
    return policy_pass_logp(&pass, texts, out, err);
}

static enum err_code draw(struct evaluation *e, int64_t policy, struct error *err) {
    const int64_t slots = e->config->slots;
    const int64_t count = e->asked_count * e->config->samples;
    struct thread_count threads = {.threads = 0};
    SCOPED(model) struct model *model = NULL;
    SCOPED(rollout) struct rollout *rollout = NULL;
    SCOPED(progress) struct progress progress;
    TRY(run_threads(e->run, &threads, err));
    TRY(saved_model_open(name_of(e, policy), &e->options, &model, err));
    run_progress_open(e->run, "answering", "answers", count, &progress);
    const struct rollout_options options = {
        .tokenizer = e->tokenizer,
        .template = e->template,
        .slots = slots < count ? slots : count,
        .context = context_of(e),
        .new_tokens_max = e->config->new_tokens_max,
        .threads = threads.threads,
        .seed = e->config->run.seed,
        .progress = &progress,
    };
    TRY(rollout_open(model, &options, &rollout, err));
    struct rollout_answers *answers = &e->policies[policy].answers;
    TRY(rollout_draw(rollout, &e->request, answers, err));
    progress_finish(&progress);
    const struct policy_texts texts = {&e->request, answers};
    return logp_under(model, &texts, &(struct policy_numbers){.logp_nats = answers->logp_nats},
                      err);
}

static enum err_code reward_policy(struct evaluation *e, struct policy *policy, struct error *err) {
    const struct rollout_answers *answers = &policy->answers;
    const size_t count = (size_t)answers->count;
    policy->rewards = mem_array(count, sizeof *policy->rewards);
    policy->held_out = mem_array(count, sizeof *policy->held_out);
    if (!policy->rewards || !policy->held_out) {
        return err_oom(err, "rewards");
    }
    TRY(rollout_reward(e->reward, &e->request, answers, policy->rewards, err));
    return e->held_out ? rollout_reward(e->held_out, &e->request, answers, policy->held_out, err)
                       : ERR_OK;
}

static enum err_code refer(struct evaluation *e, struct error *err) {
    const char *path = e->config->reference[0] ? e->config->reference : name_of(e, 0);
    if (!has_reference(e)) {
        return ERR_OK;
    }
    SCOPED(model) struct model *model = NULL;
    TRY(saved_model_open(path, &e->options, &model, err));
    for (int64_t p = 0; p < e->policy_count; p++) {
        struct policy *policy = &e->policies[p];
        const struct policy_texts texts = {&e->request, &policy->answers};
        const int64_t tokens = rollout_answers_tokens(&policy->answers);
        policy->reference_logp = mem_array((size_t)tokens, sizeof *policy->reference_logp);
        if (!policy->reference_logp) {
            return err_oom(err, "log-probabilities under the reference");
        }
        const struct policy_numbers numbers = {.logp_nats = policy->reference_logp};
        TRY(logp_under(model, &texts, &numbers, err));
    }
    return ERR_OK;
}

static enum err_code measure(struct evaluation *e, int64_t index, struct error *err) {
    const struct policy *policy = &e->policies[index];
    const struct policy_sample sample = {
        .completions = {.starts = policy->answers.starts,
                        .count = policy->answers.count,
                        .group_size = e->config->samples},
        .ids = policy->answers.ids,
        .ended = policy->answers.ended,
        .logp = policy->answers.logp_nats,
        .reference_logp = policy->reference_logp,
        .rewards = policy->rewards,
        .held_out = e->held_out ? policy->held_out : NULL,
        .beta = e->config->beta,
    };
    for (int64_t prompt = 0; prompt < e->asked_count; prompt++) {
        TRY(policy_measures_of(&sample, prompt, policy_table_row(&e->table, index, prompt), err));
    }
    return ERR_OK;
}

/* --- the pool --------------------------------------------------------------------------------- */

static int64_t pool_answers(const struct evaluation *e) { /* of a prompt */
    return e->policy_count * e->config->samples;
}

static enum err_code pool_make(struct evaluation *e, struct error *err) {
    struct rollout_answers *pool = &e->pool;
    int64_t tokens = 0;
    for (int64_t p = 0; p < e->policy_count; p++) {
        tokens += rollout_answers_tokens(&e->policies[p].answers);
    }
    pool->count = e->asked_count * pool_answers(e);
    pool->starts = arena_array(&pool->arena, (size_t)pool->count + 1, sizeof *pool->starts);
    pool->ids = arena_array(&pool->arena, (size_t)tokens, sizeof *pool->ids);
    if (!pool->starts || !pool->ids) {
        return err_oom(err, "the answers of all policies");
    }
    int64_t end = 0;
    pool->starts[0] = 0;
    for (int64_t i = 0; i < pool->count; i++) {
        const int64_t prompt = i / pool_answers(e);
        const int64_t place = i % pool_answers(e);
        const struct rollout_answers *from = &e->policies[place / e->config->samples].answers;
        const int64_t answer = prompt * e->config->samples + place % e->config->samples;
        const int64_t count = from->starts[answer + 1] - from->starts[answer];
        memcpy(pool->ids + end, from->ids + from->starts[answer],
               (size_t)count * sizeof *pool->ids);
        end += count;
        pool->starts[i + 1] = end;
    }
    return ERR_OK;
}

static bool is_repeated(const struct rollout_answers *pool, int64_t first, int64_t answer) {
    const int64_t count = pool->starts[answer + 1] - pool->starts[answer];
    for (int64_t i = first; i < answer; i++) {
        if (pool->starts[i + 1] - pool->starts[i] == count &&
            memcmp(pool->ids + pool->starts[i], pool->ids + pool->starts[answer],
                   (size_t)count * sizeof *pool->ids) == 0) {
            return true;
        }
    }
    return false;
}

struct pool_numbers {
    double *rewards, *logp; /* [answers of a prompt] */
    int64_t *lengths;
};

static void pool_numbers_scoped_end(struct pool_numbers *numbers) {
    mem_free(numbers->rewards);
    mem_free(numbers->logp);
    mem_free(numbers->lengths);
}

static double reward_in_pool(const struct evaluation *e, int64_t prompt, int64_t place) {
    const struct policy *policy = &e->policies[place / e->config->samples];
    return policy->rewards[prompt * e->config->samples + place % e->config->samples];
}

/* Each different answer once, with what the policy thinks of it. */
static void measure_prompt(struct evaluation *e, int64_t policy, int64_t prompt, const double *logp,
                           struct pool_numbers *numbers) {
    const int64_t first = prompt * pool_answers(e);
    int64_t count = 0;
    for (int64_t place = 0; place < pool_answers(e); place++) {
        if (is_repeated(&e->pool, first, first + place)) {
            continue;
        }
        const int64_t begin = e->pool.starts[first + place];
        const int64_t end = e->pool.starts[first + place + 1];
        numbers->rewards[count] = reward_in_pool(e, prompt, place) / e->config->beta;
        numbers->lengths[count] = end - begin;
        numbers->logp[count] = 0.0;
        for (int64_t t = begin; t < end; t++) {
            numbers->logp[count] += logp[t];
        }
        count++;
    }
    const struct matching_pool pool = {.count = count,
                                       .rewards = numbers->rewards,
                                       .logp = numbers->logp,
                                       .lengths = numbers->lengths};
    policy_measures_of_pool(&pool, policy_table_row(&e->table, policy, prompt));
}

static enum err_code measure_on_pool(struct evaluation *e, int64_t policy, struct error *err) {
    const size_t count = (size_t)pool_answers(e);
    SCOPED(model) struct model *model = NULL;
    SCOPED(mem) double *logp = mem_array((size_t)rollout_answers_tokens(&e->pool), sizeof *logp);
    SCOPED(pool_numbers)
    struct pool_numbers numbers = {.rewards = mem_array(count, sizeof *numbers.rewards),
                                   .logp = mem_array(count, sizeof *numbers.logp),
                                   .lengths = mem_array(count, sizeof *numbers.lengths)};
    if (!logp || !numbers.rewards || !numbers.logp || !numbers.lengths) {
        return err_oom(err, "the answers of all policies");
    }
    struct rollout_request request = e->request;
    request.samples = pool_answers(e);
    const struct policy_texts texts = {&request, &e->pool};
    TRY(saved_model_open(name_of(e, policy), &e->options, &model, err));
    const struct policy_numbers numbers_of_pool = {.logp_nats = logp};
    TRY(logp_under(model, &texts, &numbers_of_pool, err));
    for (int64_t prompt = 0; prompt < e->asked_count; prompt++) {
        measure_prompt(e, policy, prompt, logp, &numbers);
    }
    return ERR_OK;
}

/* --- from beginning to end -------------------------------------------------------------------- */

static void evaluation_scoped_end(struct evaluation *e) {
    for (int64_t p = 0; e->policies && p < e->policy_count; p++) {
        rollout_answers_deinit(&e->policies[p].answers);
        mem_free(e->policies[p].rewards);
        mem_free(e->policies[p].held_out);
        mem_free(e->policies[p].reference_logp);
    }
    mem_free(e->policies);
    mem_free(e->asked);
    rollout_answers_deinit(&e->pool);
    policy_table_deinit(&e->table);
    align_prompts_deinit(&e->prompts);
    reward_free(e->held_out);
    reward_free(e->reward);
    db_close(e->db);
    tokenizer_close(e->tokenizer);
}

static enum err_code answer_all(struct evaluation *e, struct error *err) {
    for (int64_t p = 0; p < e->policy_count; p++) {
        TRY(err_wrap(err, draw(e, p, err), "'%s'", name_of(e, p)));
        TRY(reward_policy(e, &e->policies[p], err));
    }
    TRY(refer(e, err));
    TRY(policy_table_init(&e->table, (const char *const *)e->config->models.items, e->policy_count,
                          e->asked_count, err));
    for (int64_t p = 0; p < e->policy_count; p++) {
        TRY(measure(e, p, err));
    }
    return ERR_OK;
}

static enum err_code compare_on_pool(struct evaluation *e, struct error *err) {
    if (e->policy_count < 2) {
        return ERR_OK;
    }
    TRY(pool_make(e, err));
    for (int64_t p = 0; p < e->policy_count; p++) {
        TRY(err_wrap(err, measure_on_pool(e, p, err), "'%s'", name_of(e, p)));
    }
    return ERR_OK;
}

static enum err_code show(struct evaluation *e, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    if (e->run->output->json) {
        TRY(policy_table_json(&e->table, &text, err));
    } else {
        strbuf_addf(&text, "%" PRId64 " prompts, %" PRId64 " answers to each\n", e->asked_count,
                    e->config->samples);
        policy_table_print(&e->table, &text);
    }
    return output_text(e->run->output, &text, err);
}

static enum err_code evaluation_init(struct evaluation *e, struct error *err) {
    e->policy_count = e->config->models.count;
    if (e->policy_count == 0) {
        return err_set(err, ERR_USAGE, "which policies? give --model, once for each");
    }
    e->policies = mem_array_zero((size_t)e->policy_count, sizeof *e->policies);
    if (!e->policies) {
        return err_oom(err, "policies");
    }
    for (int64_t p = 0; p < e->policy_count; p++) {
        e->policies[p].answers = (struct rollout_answers)ROLLOUT_ANSWERS_INIT;
    }
    e->options = (struct model_options){.training = MODEL_FROZEN, .head = MODEL_HEAD_LM};
    TRY(lm_run_open(e->run, &e->options.device, err));
    return train_model_compute_dtype(e->run, e->options.device, &e->options.compute, err);
}

/* Of the first policy; another with less says so when it answers. */
static enum err_code model_context(const struct evaluation *e, int64_t *out_context,
                                   struct error *err) {
    SCOPED(model) struct model *model = NULL;
    TRY(saved_model_open(name_of(e, 0), &e->options, &model, err));
    *out_context = model_config_of(model)->context;
    return ERR_OK;
}

enum err_code policy_eval_run(struct run *run, const struct command_args *args, struct error *err) {
    const char *project = args->positionals[0];
    int64_t context = 0;
    SCOPED(evaluation)
    struct evaluation e = {.run = run,
                           .config = run->config,
                           .prompts = ALIGN_PROMPTS_INIT,
                           .pool = ROLLOUT_ANSWERS_INIT,
                           .table = POLICY_TABLE_INIT};
    TRY(evaluation_init(&e, err));
    TRY(open_tokenizer(&e, err));
    TRY(model_context(&e, &context, err));
    TRY(choose_prompts(&e, project, context, err));
    TRY(open_rewards(&e, project, err));
    TRY(answer_all(&e, err));
    TRY(compare_on_pool(&e, err));
    TRY(policy_table_summarise(&e.table, run->settings->seed, err));
    return show(&e, err);
}
