/* recipe_direct.c - accord align by a direct method: a policy learns straight from the judgements
 * of the log. In the tensor half.
 *
 * Before the first step every answer's reference is measured, once. One step: the next examples of
 * a shuffled epoch, each with all its answers in one micro-batch, where their prompt is computed
 * once; log-probabilities by the model, loss and slopes by objective_direct.h on the host in
 * double, and the model backwards with the sum of log-probability times slope: the gradients of the
 * mean loss by weight.
 */
#include "base/array.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "trainer/align_recipes.h"
#include "trainer/direct_reference.h"
#include "trainer/direct_sums.h"
#include "trainer/example_batches.h"
#include "trainer/lm_run.h"
#include "trainer/objective_direct.h"
#include "trainer/reward_parts.h"
#include "trainer/reward_ties.h"
#include "trainer/sequence_logp.h"
#include "trainer/train_model.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>

struct direct {
    struct run *run;
    const struct align_config *config;
    struct direct_objective objective;
    const struct tokenizer *tokenizer;
    const struct reward_data *data;
    struct model *model;
    struct reward_examples training, validation;
    struct direct_reference reference;
    struct example_batches batches;
    struct reward_ties ties;
    bool has_warned;         /* that both sides fall */
    struct direct_fall fall; /* smoothed over steps */
    double *target_slopes;   /* [targets of a micro-batch] */
    int64_t target_capacity;
    struct sequence_logp *sums; /* [answers] and so are those below */
    double *logp, *references, *starts, *rewards, *scores, *slopes;
    double *mean_logits, *tops, *lengths; /* direct_sums.h */
    int64_t *answer_tokens;
    int64_t answer_capacity;
};

/* A pass over examples. */
struct pass {
    const struct reward_examples *examples;
    double ties[REWARD_TIES_MAX];
    double tie_slopes[REWARD_TIES_MAX];
    double step_weight; /* of all examples of the step, where slopes are wanted */
    struct direct_sums sums;
};

/* --- one example, its log-probabilities known --- */

static enum err_code make_room(struct direct *direct, int64_t answers, struct error *err) {
    const struct array_ref arrays[] = {
        ARRAY_REF(direct->sums),          ARRAY_REF(direct->logp),
        ARRAY_REF(direct->references),    ARRAY_REF(direct->starts),
        ARRAY_REF(direct->scores),        ARRAY_REF(direct->slopes),
        ARRAY_REF(direct->rewards),       ARRAY_REF(direct->tops),
        ARRAY_REF(direct->answer_tokens), ARRAY_REF(direct->mean_logits),
        ARRAY_REF(direct->lengths),
    };
    return arrays_reserve(arrays, sizeof arrays / sizeof *arrays, &direct->answer_capacity, answers,
                          "answers of a micro-batch", err);
}

/* What is known of the answers of an example, the first at place `begin` of the arrays. */
static void look_up(struct direct *direct, const struct reward_examples *examples, int64_t example,
                    int64_t begin) {
    for (int64_t k = 0; k < reward_examples_answers(examples, example); k++) {
        const int64_t item = examples->items[examples->terms.item_starts[example] + k];
        const int64_t at = begin + k;
        direct->logp[at] = direct->sums[at].logp;
        direct->references[at] = direct->reference.logp[item];
        direct->starts[at] = direct->reference.start[item];
        direct->mean_logits[at] = direct->sums[at].mean_logit;
        direct->tops[at] = direct->sums[at].top;
        direct->answer_tokens[at] = reward_examples_sequence(examples, example, k).targets;
        direct->lengths[at] = (double)direct->answer_tokens[at];
        direct->rewards[at] = direct_reward(&direct->objective, direct->logp[at],
                                            direct->references[at], direct->answer_tokens[at]);
    }
}

/* Adds the example's loss, and leaves its slopes. A log-probability that is not finite gives a
 * gradient that is not: what then happens is optimiser.nonfinite's to say. */
static void judge(struct direct *direct, struct pass *pass, int64_t example, int64_t begin) {
    const struct reward_examples *examples = pass->examples;
    const struct direct_judged judged = {.terms = &examples->terms,
                                         .likelihood = examples->objective,
                                         .block = example,
                                         .ties = pass->ties};
    look_up(direct, examples, example, begin);
    struct direct_answers answers = {.logp = direct->logp + begin,
                                     .reference = direct->references + begin,
                                     .tokens = direct->answer_tokens + begin,
                                     .scores = direct->scores + begin,
                                     .slopes = direct->slopes + begin,
                                     .count = reward_examples_answers(examples, example)};
    const struct direct_measured measured = {.rewards = direct->rewards + begin,
                                             .logps = direct->logp + begin,
                                             .starts = direct->starts + begin,
                                             .mean_logits = direct->mean_logits + begin,
                                             .tops = direct->tops + begin,
                                             .lengths = direct->lengths + begin};
    pass->sums.loss += direct_loss(&direct->objective, &judged, &answers, pass->tie_slopes);
    direct_sums_add(&pass->sums, examples, example, &measured);
    for (int64_t k = 0; k < answers.count; k++) {
        pass->sums.entropy_nats += direct->sums[begin + k].entropy;
        pass->sums.targets += answers.tokens[k];
        answers.slopes[k] += isfinite(answers.logp[k]) ? 0.0 : (double)NAN;
    }
}

/* --- gradients of a micro-batch --- */

/* Of the examples at places first .. last - 1 of the step; leaves the slopes of its mean loss in
 * the targets. */
static void judge_batch(struct direct *direct, struct pass *pass, int64_t first, int64_t last) {
    const struct packed_batch *batch = &direct->batches.batch;
    int64_t begin = 0;
    for (int64_t i = first; i < last; i++) {
        const int64_t example = direct->batches.step[i];
        judge(direct, pass, example, begin);
        begin += reward_examples_answers(pass->examples, example);
        pass->sums.tokens += reward_examples_tokens(pass->examples, example);
    }
    for (int64_t j = 0; j < batch->targets; j++) {
        direct->target_slopes[j] = direct->slopes[batch->target_owners[j]] / pass->step_weight;
    }
}

/* Backwards with the sum of log-probability times slope. */
static enum err_code learn(struct direct *direct, struct pass *pass, int64_t first, int64_t last,
                           struct error *err) {
    const struct packed_batch *batch = &direct->batches.batch;
    TRY(make_room(direct, batch->added, err));
    TRY(array_reserve(ARRAY_REF(direct->target_slopes), &direct->target_capacity, batch->targets,
                      "targets of a micro-batch", err));
    SCOPED(tt_scope) tt_scope *s = tt_scope_open_on(TT_GRAD, model_device(direct->model));
    tt_tensor *hidden = model_hidden(s, direct->model, batch); /* [N, D] */
    const struct sequence_targets targets = {
        .token = model_token_logp(s, direct->model, hidden, batch),       /* [M] */
        .mean_logit = model_mean_logits(s, direct->model, hidden, batch), /* [M] */
        .log_alpha = -(double)INFINITY};
    TRY(sequence_logp_read(s, &targets, batch, direct->sums, err));
    judge_batch(direct, pass, first, last);
    tt_tensor *slopes = tt_from_f64(s, direct->target_slopes, TT_SHAPE(batch->targets)); /* [M] */
    tt_tensor *sum = tt_sum(s, tt_mul(s, targets.token.logp, tt_cast(s, slopes, TT_F32)));
    return tt_backward(s, sum, err);
}

/* --- what KTO compares with --- */

/* The mean of ln(pi / ref) over answers to other prompts, of `count` examples, at least 0. */
static enum err_code estimate_kl(struct direct *direct, enum direct_part part,
                                 const int64_t *examples, int64_t count, struct pass *pass,
                                 struct error *err) {
    const struct direct_reference *reference = &direct->reference;
    if (direct->objective.form != DIRECT_PROSPECT) {
        return ERR_OK;
    }
    const struct sequence_scorer scorer = {.model = direct->model,
                                           .tokens_max = direct->batches.options.tokens_max,
                                           .log_alpha = -(double)INFINITY};
    SCOPED(mem) struct token_sequence *texts = mem_array((size_t)count, sizeof *texts);
    SCOPED(mem) struct sequence_logp *sums = mem_array((size_t)count, sizeof *sums);
    if (!texts || !sums) {
        return err_oom(err, "mismatched answers");
    }
    for (int64_t i = 0; i < count; i++) {
        texts[i] = token_set_at(&reference->mismatched[part], examples ? examples[i] : i);
        pass->sums.tokens += texts[i].count;
    }
    TRY(sequence_logp_all(&scorer, texts, count, sums, err));
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        sum += sums[i].logp - reference->mismatched_logp[part][examples ? examples[i] : i];
    }
    direct->objective.kl = fmax(sum / (double)count, 0.0);
    return ERR_OK;
}

/* --- what is watched --- */

/* Both sides below where they started is how direct methods lose what nobody wrote: probability
 * goes to answers that are in no comparison (Razin et al. 2024, arXiv 2410.08847). */
static void warn_of_falling(struct direct *direct, const struct direct_fall *fall,
                            const char *where) {
    if (direct->has_warned || !direct_fall_is_of_both(fall)) {
        return;
    }
    direct->has_warned = true;
    log_warn(direct->run->log, "align",
             "chosen and rejected answers both became less likely %s, by %.1f and %.1f nats: what "
             "they lose goes to answers that nobody compared; a greater direct.beta, a lower "
             "learning rate or direct.sft_weight holds it",
             where, fall->chosen, fall->rejected);
}

/* Where it is known what the step's answers started from. */
static void watch_step(struct direct *direct, const struct direct_sums *sums) {
    const struct direct_fall fall = direct_sums_fall(sums);
    if (direct->reference.has_training_starts) {
        direct_fall_smooth(&direct->fall, &fall);
        warn_of_falling(direct, &direct->fall, "over the last steps");
    }
}

/* --- the recipe --- */

static void add_metrics(const struct direct *direct, const struct pass *pass, bool is_evaluation,
                        struct train_row *row) {
    const double accuracy = direct_sums_accuracy(&pass->sums);
    const struct direct_metrics_form form = {.is_evaluation = is_evaluation,
                                             .of_labels = direct->data->set.good != NULL,
                                             .has_kl = direct->objective.form == DIRECT_PROSPECT,
                                             .kl = direct->objective.kl};
    struct metric metrics[DIRECT_METRICS_MAX];
    const int64_t count = direct_sums_metrics(&pass->sums, &form, metrics);
    for (int64_t i = 0; i < count; i++) {
        train_row_add(row, metrics[i].key, metrics[i].value);
    }
    row->tokens = pass->sums.tokens;
    if (isfinite(accuracy)) { /* not where all are ties, or labels */
        (void)snprintf(row->note, sizeof row->note, ", accuracy %.1f %%", 100.0 * accuracy);
    }
}

static int64_t step_tokens(void *context, int64_t step) {
    struct direct *direct = context;
    return example_batches_most(&direct->batches, step);
}

static enum err_code gradients(void *context, int64_t step, struct train_row *out_row,
                               struct error *err) {
    struct direct *direct = context;
    struct example_batches *batches = &direct->batches;
    struct pass pass = {.examples = &direct->training,
                        .step_weight = example_batches_gather(batches, step)};
    reward_ties_values(&direct->ties, pass.ties);
    TRY(estimate_kl(direct, DIRECT_TRAINING, batches->step, batches->count, &pass, err));
    for (int64_t first = 0, last = 0; first < batches->count; first = last) {
        TRY(example_batches_fill(batches, first, &last, err));
        TRY(learn(direct, &pass, first, last, err));
    }
    for (int64_t t = 0; t < direct->ties.count; t++) {
        pass.tie_slopes[t] /= pass.step_weight;
    }
    reward_ties_step(&direct->ties, step, pass.tie_slopes);
    add_metrics(direct, &pass, false, out_row);
    watch_step(direct, &pass.sums);
    return ERR_OK;
}

/* --- evaluation --- */

/* Log-probabilities of the answers of the first `count` examples, into sums. */
static enum err_code score_first(struct direct *direct, int64_t count, int64_t *out_tokens,
                                 struct error *err) {
    const struct reward_examples *examples = &direct->validation;
    const int64_t answers = examples->terms.item_starts[count];
    const struct sequence_scorer scorer = {.model = direct->model,
                                           .tokens_max = direct->batches.options.tokens_max,
                                           .log_alpha = -(double)INFINITY,
                                           .has_mean_logit = true};
    SCOPED(mem) struct token_sequence *texts = mem_array((size_t)answers, sizeof *texts);
    if (!texts) {
        return err_oom(err, "answers of an evaluation");
    }
    int64_t text = 0;
    for (int64_t e = 0; e < count; e++) {
        for (int64_t k = 0; k < reward_examples_answers(examples, e); k++) {
            texts[text++] = reward_examples_sequence(examples, e, k);
        }
        *out_tokens += reward_examples_tokens(examples, e);
    }
    TRY(make_room(direct, answers, err));
    return sequence_logp_all(&scorer, texts, answers, direct->sums, err);
}

static enum err_code evaluate(void *context, int64_t examples, struct train_row *out_row,
                              struct error *err) {
    struct direct *direct = context;
    struct pass pass = {.examples = &direct->validation};
    TRY(score_first(direct, examples, &pass.sums.tokens, err));
    TRY(estimate_kl(direct, DIRECT_VALIDATION, NULL, examples, &pass, err));
    reward_ties_values(&direct->ties, pass.ties);
    for (int64_t e = 0; e < examples; e++) {
        judge(direct, &pass, e, direct->validation.terms.item_starts[e]);
    }
    add_metrics(direct, &pass, true, out_row);
    if (direct->reference.is_measured) {
        const struct direct_fall fall = direct_sums_fall(&pass.sums);
        warn_of_falling(direct, &fall, "in evaluation");
    }
    return ERR_OK;
}

/* --- from beginning to end --- */

static enum err_code begin(void *context, struct error *err) {
    struct direct *direct = context;
    const struct direct_reference_source source = {.run = direct->run,
                                                   .model = direct->model,
                                                   .tokenizer = direct->tokenizer,
                                                   .tokens_max =
                                                       direct->batches.options.tokens_max};
    return direct_reference_measure(&direct->reference, &source, err);
}

/* Both kinds should weigh about the same: the good ones 1 to 4/3 times what the bad ones do
 * (Ethayarajh et al. 2024, section 4.2). */
static void say_balance(const struct direct *direct, double good, double bad) {
    const double desirable = direct->objective.desirable;
    const double undesirable = direct->objective.undesirable;
    const double ratio = desirable * good / (undesirable * bad);
    struct log *log = direct->run->log;
    if (good == 0.0 || bad == 0.0) {
        log_warn(log, "align", "all labels are %s: nothing says what to %s",
                 good == 0.0 ? "bad" : "good", good == 0.0 ? "say instead" : "avoid");
    } else if (!(ratio >= 1.0 && ratio <= 4.0 / 3.0)) {
        log_warn(log, "align",
                 "good answers weigh %.3g times what bad ones do, where 1 to 1.33 is advised: "
                 "direct.desirable=%.3g or direct.undesirable=%.3g makes it 1",
                 ratio, desirable / ratio, undesirable * ratio);
    }
}

static void say_labels(const struct direct *direct) {
    const struct reward_examples *examples = &direct->training;
    double good = 0.0;
    double bad = 0.0;
    for (int64_t k = 0; k < examples->answers; k++) {
        good += examples->terms.labels[k].good;
        bad += examples->terms.labels[k].bad;
    }
    log_info(direct->run->log, "align",
             "%" PRId64 " answers to learn from, by labels that weigh %g good, %g bad",
             examples->answers, good, bad);
    say_balance(direct, good, bad);
}

static enum err_code make_examples(struct direct *direct, struct error *err) {
    const struct align_config *config = direct->config;
    const struct reward_loss_config loss = direct_loss_config(config);
    const struct reward_parts_options parts = {
        .loss = &loss,
        .keys = "direct.loss",
        .area = "align",
        .answers_max = config->data.answers_max,
        .seed = config->train.run.seed,
    };
    TRY(reward_parts_make(direct->run, direct->data, &parts, &direct->training, &direct->validation,
                          err));
    if (direct->training.terms.labels) {
        say_labels(direct);
    }
    direct_objective_add_margins(&direct->objective, &direct->training.terms);
    direct_objective_add_margins(&direct->objective, &direct->validation.terms);
    return reward_ties_init(&direct->ties, direct->training.objective,
                            (enum tabular_model)loss.likelihood, err);
}

static enum err_code direct_init(struct direct *direct, struct error *err) {
    const struct align_config *config = direct->config;
    direct->objective = direct_objective_of(config);
    const struct example_batches_options batches = {
        .examples = &direct->training,
        .want = PACKED_TARGETS,
        .examples_per_step = config->train.examples_per_step,
        .tokens_max = train_micro_batch_tokens(&config->train, direct->model),
        .context = model_config_of(direct->model)->context,
        .seed = config->train.run.seed,
    };
    TRY(make_examples(direct, err));
    TRY(direct_reference_init(&direct->reference, config, batches.context, &direct->training,
                              &direct->validation, err));
    return example_batches_init(&direct->batches, &batches, err);
}

static void direct_scoped_end(struct direct *direct) {
    reward_examples_deinit(&direct->training);
    reward_examples_deinit(&direct->validation);
    direct_reference_deinit(&direct->reference);
    example_batches_deinit(&direct->batches);
    mem_free(direct->target_slopes);
    mem_free(direct->sums);
    mem_free(direct->logp);
    mem_free(direct->references);
    mem_free(direct->starts);
    mem_free(direct->rewards);
    mem_free(direct->scores);
    mem_free(direct->slopes);
    mem_free(direct->answer_tokens);
    mem_free(direct->mean_logits);
    mem_free(direct->tops);
    mem_free(direct->lengths);
}

/* Of what checkpoints do not hold: the base, and what it is measured against. */
static enum err_code hash_base(const struct direct *direct, const struct hash_digest *base,
                               struct hash_digest *out, struct error *err) {
    struct hash_state state;
    TRY(hash_init(&state, err));
    hash_update(&state, base, sizeof *base);
    TRY(direct_reference_hash(&direct->reference, &state, err));
    *out = hash_final(&state);
    return ERR_OK;
}

/* Tokens of answers, of which the log-probabilities are. */
static int64_t target_tokens(const struct reward_examples *examples) {
    int64_t targets = 0;
    for (int64_t e = 0; e < examples->count; e++) {
        for (int64_t k = 0; k < reward_examples_answers(examples, e); k++) {
            targets += reward_examples_sequence(examples, e, k).targets;
        }
    }
    return targets;
}

static enum err_code run_direct(struct direct *direct, const struct hash_digest *base_hash,
                                const struct command_args *args, struct error *err) {
    const struct train_config *train = &direct->config->train;
    SCOPED(strbuf) struct strbuf next = STRBUF_INIT(PATH_MAX);
    if (train->train == TRAIN_LORA) {
        strbuf_addf(&next, "accord generate %s \"a question\" --adapter ", train->model);
    } else {
        strbuf_add(&next, "accord generate --prompts questions.jsonl ");
    }
    TRY(strbuf_check(&next, "the next command", err));
    const struct train_recipe recipe = {
        .name = "align",
        .context = direct,
        .next = strbuf_text(&next),
        .examples = direct->training.count,
        .tokens = direct->training.tokens,
        .target_tokens = target_tokens(&direct->training),
        .target_text = "are of answers",
        .evaluation_examples = direct->validation.count,
        .evaluation_tokens = direct->validation.tokens,
        .begin = begin,
        .step_tokens = step_tokens,
        .gradients = gradients,
        .evaluate = evaluate,
        .numbers = direct->ties.state,
        .numbers_count = reward_ties_numbers(&direct->ties),
    };
    struct train_job job = {
        .run = direct->run,
        .recipe = &recipe,
        .model = direct->model,
        .tokenizer = direct->tokenizer,
    };
    TRY(reward_data_hash(direct->data, &job.data_hash, err));
    TRY(hash_base(direct, base_hash, &job.base_hash, err));
    log_info(direct->run->log, "align", "%s: %" PRId64 " tokens are read before the first step",
             align_method_names[direct->config->method],
             direct_reference_tokens(&direct->reference));
    return train_job_run(&job, args, err);
}

enum err_code direct_run(struct run *run, const struct command_args *args, struct error *err) {
    const struct align_config *config = run->config;
    const struct train_head head = {.kind = MODEL_HEAD_LM};
    struct train_base base;
    struct tt_device device;
    TRY(lm_run_open(run, &device, err));
    SCOPED(tokenizer) struct tokenizer *tokenizer = NULL;
    SCOPED(reward_data) struct reward_data data = REWARD_DATA_INIT;
    SCOPED(model) struct model *model = NULL;
    SCOPED(direct)
    struct direct direct = {.run = run,
                            .config = config,
                            .data = &data,
                            .training = REWARD_EXAMPLES_INIT,
                            .validation = REWARD_EXAMPLES_INIT,
                            .reference = DIRECT_REFERENCE_INIT,
                            .batches = EXAMPLE_BATCHES_INIT};
    TRY(train_model_open_tokenizer(&config->train, &tokenizer, err));
    TRY(train_model_look(&config->train, head.kind, &base, err));
    const struct reward_data_source source = {.project = args->positionals[0],
                                              .config = &config->data,
                                              .tokenizer = tokenizer,
                                              .context = base.context,
                                              .ends_with_answer = true};
    TRY(reward_data_read(run, &source, &data, err));
    const struct train_start start = {
        .config = &config->train, .device = device, .tokenizer = tokenizer, .head = head};
    TRY(train_model_open(run, &start, &model, err));
    direct.model = model;
    direct.tokenizer = tokenizer;
    TRY(direct_init(&direct, err));
    return run_direct(&direct, &base.hash, args, err);
}
