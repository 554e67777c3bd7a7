/* recipe_reward.c - accord reward fit on a language model: a score of prompt and answer, fitted to
 * what people preferred, and calibrated. In the tensor half.
 *
 * One step: the next examples of a shuffled epoch, each with all its answers in one micro-batch,
 * where what they begin with, their prompt, is computed once; scores by the model, loss and slopes
 * by reward/reward_objective.h on the host in double, and the model backwards with the sum of score
 * times slope: the gradients of the mean loss by weight.
 */
#include "base/array.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "policy/model_scorer.h"
#include "reward/reward_file.h"
#include "trainer/example_batches.h"
#include "trainer/lm_functions.h"
#include "trainer/lm_run.h"
#include "trainer/reward_examples.h"
#include "trainer/reward_fit_config.h"
#include "trainer/reward_pad.h"
#include "trainer/reward_parts.h"
#include "trainer/reward_ties.h"
#include "trainer/train_loop.h"
#include "trainer/train_model.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>

struct fit {
    struct run *run;
    const struct reward_fit_config *config;
    const struct reward_data *data;
    struct model *model;
    struct reward_examples training, validation;
    struct example_batches batches;
    struct reward_ties ties;
    double *scores, *slopes; /* [answers] of a micro-batch */
    int64_t answer_capacity;
    struct reward_file file; /* what will stand beside the weights */
    struct hash_digest data_hash;
};

/* What a pass over examples adds up. */
struct pass {
    const struct reward_examples *examples;
    double ties[REWARD_TIES_MAX];
    double tie_slopes[REWARD_TIES_MAX];
    double loss;        /* nats, times weight */
    double weights;     /* of the examples */
    double step_weight; /* of all examples of the step, where slopes are wanted */
    int64_t answers;    /* scored */
    double reward_sum, reward_min, reward_max;
    int64_t tokens;
    struct reward_agreement agreement;
};

/* --- one example, scored --- */

static void add_rewards(struct pass *pass, const double *scores, int64_t count) {
    for (int64_t k = 0; k < count; k++) {
        const bool is_first = pass->answers + k == 0;
        pass->reward_sum += scores[k];
        pass->reward_min = is_first ? scores[k] : fmin(pass->reward_min, scores[k]);
        pass->reward_max = is_first ? scores[k] : fmax(pass->reward_max, scores[k]);
    }
    pass->answers += count;
}

/* Adds the example's loss, with its slopes [answers] unless they are NULL: then it is the NLL
 * alone. */
static void judge(struct pass *pass, int64_t example, const double *scores, double *slopes) {
    const struct reward_examples *examples = pass->examples;
    pass->loss += slopes ? reward_objective_block(examples->objective, example, scores, pass->ties,
                                                  slopes, pass->tie_slopes)
                         : reward_objective_nll(examples->objective, example, scores, pass->ties);
    pass->weights += examples->terms.weights[example];
    reward_examples_agree(examples, example, scores, &pass->agreement);
    add_rewards(pass, scores, reward_examples_answers(examples, example));
}

/* --- gradients of a micro-batch --- */

/* Leaves the slopes of the step's mean loss of the examples at places first .. last - 1. A score
 * that is not finite gives a gradient that is not: what then happens is optimiser.nonfinite's to
 * say. */
static void judge_batch(struct fit *fit, struct pass *pass, int64_t first, int64_t last) {
    const int64_t answers = fit->batches.batch.added;
    int64_t begin = 0;
    for (int64_t k = 0; k < answers; k++) {
        fit->slopes[k] = isfinite(fit->scores[k]) ? 0.0 : (double)NAN;
    }
    for (int64_t i = first; i < last; i++) {
        const int64_t example = fit->batches.step[i];
        judge(pass, example, fit->scores + begin, fit->slopes + begin);
        begin += reward_examples_answers(pass->examples, example);
        pass->tokens += reward_examples_tokens(pass->examples, example);
    }
    for (int64_t k = 0; k < answers; k++) {
        fit->slopes[k] /= pass->step_weight;
    }
}

static enum err_code make_room(struct fit *fit, struct error *err) {
    const struct array_ref arrays[] = {ARRAY_REF(fit->scores), ARRAY_REF(fit->slopes)};
    return arrays_reserve(arrays, 2, &fit->answer_capacity, fit->batches.batch.added,
                          "scores of a micro-batch", err);
}

/* Backwards with the sum of score times slope. */
static enum err_code learn(struct fit *fit, struct pass *pass, int64_t first, int64_t last,
                           struct error *err) {
    const struct packed_batch *batch = &fit->batches.batch;
    TRY(make_room(fit, err));
    SCOPED(tt_scope) tt_scope *s = tt_scope_open_on(TT_GRAD, model_device(fit->model));
    tt_tensor *hidden = model_hidden(s, fit->model, batch);         /* [N, D] */
    tt_tensor *scores = model_scores(s, fit->model, hidden, batch); /* [A] */
    tt_tensor *values = tt_cast(s, tt_detach(s, scores), TT_F64);
    TRY(tt_read_f64(s, values, fit->scores, batch->added, err));
    judge_batch(fit, pass, first, last);
    tt_tensor *slopes = tt_from_f64(s, fit->slopes, TT_SHAPE(batch->added));
    tt_tensor *sum = tt_sum(s, tt_mul(s, scores, tt_cast(s, slopes, TT_F32))); /* [] */
    return tt_backward(s, sum, err);
}

/* --- the recipe --- */

static void add_metrics(const struct pass *pass, const char *const names[6],
                        struct train_row *row) {
    const struct reward_agreement *agreement = &pass->agreement;
    const double judged = agreement->right + agreement->wrong;
    const double values[6] = {
        pass->loss / pass->weights, agreement->right / judged,
        agreement->margin / judged, pass->reward_sum / (double)pass->answers,
        pass->reward_min,           pass->reward_max,
    };
    for (int64_t i = 0; i < 6; i++) {
        train_row_add(row, names[i], values[i]);
    }
    row->tokens = pass->tokens;
    if (judged > 0.0) { /* not where all are ties */
        (void)snprintf(row->note, sizeof row->note, ", accuracy %.1f %%", 100.0 * values[1]);
    }
}

static int64_t step_tokens(void *context, int64_t step) {
    struct fit *fit = context;
    return example_batches_most(&fit->batches, step);
}

static enum err_code gradients(void *context, int64_t step, struct train_row *out_row,
                               struct error *err) {
    static const char *const names[6] = {"loss",        "accuracy",   "margin",
                                         "mean_reward", "min_reward", "max_reward"};
    struct fit *fit = context;
    struct pass pass = {.examples = &fit->training,
                        .step_weight = example_batches_gather(&fit->batches, step)};
    reward_ties_values(&fit->ties, pass.ties);
    for (int64_t first = 0, last = 0; first < fit->batches.count; first = last) {
        TRY(example_batches_fill(&fit->batches, first, &last, err));
        TRY(learn(fit, &pass, first, last, err));
    }
    for (int64_t t = 0; t < fit->ties.count; t++) {
        pass.tie_slopes[t] /= pass.step_weight;
    }
    reward_ties_step(&fit->ties, step, pass.tie_slopes);
    add_metrics(&pass, names, out_row);
    return ERR_OK;
}

/* --- evaluation --- */

struct scored {
    struct token_sequence *texts; /* [answers] of the examples, one after the other */
    double *scores;               /* [answers] */
};

static void scored_scoped_end(struct scored *scored) {
    mem_free(scored->texts);
    mem_free(scored->scores);
}

/* The scores of the answers of the first `count` examples; adds up their tokens. */
static enum err_code score_first(struct fit *fit, const struct reward_examples *examples,
                                 int64_t count, struct scored *out, int64_t *out_tokens,
                                 struct error *err) {
    const int64_t answers = examples->terms.item_starts[count];
    SCOPED(model_scorer)
    struct model_scorer scorer = {.model = fit->model,
                                  .tokens_max = fit->batches.options.tokens_max};
    out->texts = mem_array((size_t)answers, sizeof *out->texts);
    out->scores = mem_array((size_t)answers, sizeof *out->scores);
    if (!out->texts || !out->scores) {
        return err_oom(err, "scores of answers");
    }
    int64_t text = 0;
    for (int64_t e = 0; e < count; e++) {
        for (int64_t k = 0; k < reward_examples_answers(examples, e); k++) {
            out->texts[text++] = reward_examples_sequence(examples, e, k);
        }
        *out_tokens += reward_examples_tokens(examples, e);
    }
    return model_scorer_score(&scorer, out->texts, answers, out->scores, err);
}

static enum err_code evaluate(void *context, int64_t examples, struct train_row *out_row,
                              struct error *err) {
    static const char *const names[6] = {"eval_loss",        "eval_accuracy",   "eval_margin",
                                         "eval_mean_reward", "eval_min_reward", "eval_max_reward"};
    struct fit *fit = context;
    struct pass pass = {.examples = &fit->validation};
    SCOPED(scored) struct scored scored = {.texts = NULL};
    TRY(score_first(fit, &fit->validation, examples, &scored, &pass.tokens, err));
    reward_ties_values(&fit->ties, pass.ties);
    for (int64_t e = 0; e < examples; e++) {
        judge(&pass, e, scored.scores + fit->validation.terms.item_starts[e], NULL);
    }
    add_metrics(&pass, names, out_row);
    return ERR_OK;
}

/* --- calibration --- */

static void say_calibration(const struct fit *fit, const struct reward_calibration *calibration) {
    struct log *log = fit->run->log;
    if (calibration->kind != REWARD_CALIBRATION_FITTED) {
        log_warn(log, "reward", "calibration: %s", reward_calibration_text(calibration->kind));
    }
    const struct pair_score *temperature = &calibration->temperature;
    char interval[48] = "";
    if (isfinite(temperature->low)) {
        (void)snprintf(interval, sizeof interval, " [%.3f, %.3f]", temperature->low,
                       temperature->high);
    }
    log_info(log, "reward",
             "temperature %.3f%s; on the judgements kept for evaluation NLL %.4f -> %.4f nats, "
             "calibration error %.3f -> %.3f",
             temperature->value, interval, calibration->nll_before, calibration->nll_after,
             calibration->before.ece.value, calibration->after.ece.value);
}

/* Rankings as their pairs: a temperature is of differences. */
static enum err_code calibrate(struct fit *fit, struct error *err) {
    struct reward_loss_config loss = fit->config->loss;
    loss.split_rankings = true;
    const struct reward_examples_plan plan = {.loss = &loss};
    SCOPED(reward_examples) struct reward_examples examples = REWARD_EXAMPLES_INIT;
    SCOPED(pair_metrics) struct pair_metrics pairs = PAIR_METRICS_INIT;
    SCOPED(scored) struct scored scored = {.texts = NULL};
    struct reward_calibration calibration;
    int64_t tokens = 0;
    TRY(reward_examples_make(fit->data, PROMPT_VALIDATION, &plan, &examples, err));
    TRY(pair_metrics_init(&pairs, fit->data->set.block_count,
                          examples.terms.pair_starts[examples.count], err));
    TRY(score_first(fit, &examples, examples.count, &scored, &tokens, err));
    for (int64_t e = 0; e < examples.count; e++) {
        reward_calibration_add(&examples.terms, e, reward_examples_prompt(&examples, e),
                               scored.scores + examples.terms.item_starts[e], &pairs);
    }
    TRY(reward_calibration_fit(&pairs, fit->ties.model, fit->config->train.run.seed, &calibration,
                               err));
    say_calibration(fit, &calibration);
    fit->file = reward_file_of(&calibration, &fit->data_hash);
    return ERR_OK;
}

/* Where the judgements do not say what a temperature takes, as without any tie, the model is saved
 * as it is: a run that has trained must not be lost for it. */
static enum err_code try_to_calibrate(struct fit *fit, struct error *err) {
    struct error why = ERROR_INIT;
    const enum err_code code = calibrate(fit, &why);
    if (code == ERR_DATA || code == ERR_LIMIT) {
        log_warn(fit->run->log, "reward", "not calibrated: %s", why.msg);
        return ERR_OK;
    }
    return code == ERR_OK ? ERR_OK : err_set(err, code, "%s", why.msg);
}

static enum err_code finish(void *context, struct error *err) {
    struct fit *fit = context;
    double ties[REWARD_TIES_MAX] = {(double)NAN};
    reward_ties_values(&fit->ties, ties);
    fit->file = reward_file_uncalibrated(fit->ties.model, ties[0]);
    if (fit->config->calibrate && fit->validation.count > 0) {
        TRY(try_to_calibrate(fit, err));
    } else {
        log_warn(fit->run->log, "reward",
                 "not calibrated%s: preference matching copies the scale of rewards",
                 fit->config->calibrate ? ", since no judgements are kept for evaluation" : "");
    }
    (void)snprintf(fit->file.template, sizeof fit->file.template, "%s", fit->config->data.template);
    return ERR_OK;
}

static enum err_code add_files(void *context, const char *folder, struct error *err) {
    const struct fit *fit = context;
    return reward_file_write(folder, &fit->file, err);
}

/* --- from beginning to end --- */

static enum err_code fit_init(struct fit *fit, struct error *err) {
    const struct train_config *train = &fit->config->train;
    const struct reward_parts_options parts = {
        .loss = &fit->config->loss,
        .keys = "loss",
        .area = "reward",
        .answers_max = fit->config->data.answers_max,
        .seed = train->run.seed,
    };
    TRY(reward_parts_make(fit->run, fit->data, &parts, &fit->training, &fit->validation, err));
    const struct example_batches_options batches = {
        .examples = &fit->training,
        .want = PACKED_ENDS,
        .examples_per_step = train->examples_per_step,
        .tokens_max = train_micro_batch_tokens(train, fit->model),
        .context = model_config_of(fit->model)->context,
        .seed = train->run.seed,
    };
    TRY(reward_ties_init(&fit->ties, fit->training.objective,
                         (enum tabular_model)fit->config->loss.likelihood, err));
    TRY(reward_data_hash(fit->data, &fit->data_hash, err));
    return example_batches_init(&fit->batches, &batches, err);
}

static void fit_scoped_end(struct fit *fit) {
    reward_examples_deinit(&fit->training);
    reward_examples_deinit(&fit->validation);
    example_batches_deinit(&fit->batches);
    mem_free(fit->scores);
    mem_free(fit->slopes);
}

/* transformers reads the score at the last token that is not PAD: which must then end no text. */
static enum err_code set_pad(const struct fit *fit, struct tokenizer *tokenizer,
                             struct error *err) {
    const struct model_config *model = model_config_of(fit->model);
    int32_t pad = -1;
    TRY(reward_pad_choose(tokenizer, model->eos, model->eos_count, &fit->data->tokens, &pad, err));
    if (pad != model->pad) {
        const struct text_span token = tokenizer_token(tokenizer, pad);
        log_info(fit->run->log, "reward", "PAD becomes '%.*s' (%" PRId32 "), which ends no text",
                 (int)token.count, token.bytes, pad);
    }
    tokenizer_set_pad(tokenizer, pad);
    return model_set_pad(fit->model, pad, err);
}

static enum err_code run_fit(struct fit *fit, const struct tokenizer *tokenizer,
                             const struct hash_digest *base_hash, const struct command_args *args,
                             struct error *err) {
    SCOPED(strbuf) struct strbuf next = STRBUF_INIT(PATH_MAX);
    strbuf_addf(&next, "accord reward eval %s lm:", args->positionals[0]);
    TRY(strbuf_check(&next, "the next command", err));
    const struct train_recipe recipe = {
        .name = "reward",
        .context = fit,
        .next = strbuf_text(&next),
        .examples = fit->training.count,
        .tokens = fit->training.tokens,
        .target_tokens = fit->training.answers,
        .target_text = "give a score",
        .evaluation_examples = fit->validation.count,
        .evaluation_tokens = fit->validation.tokens,
        .step_tokens = step_tokens,
        .gradients = gradients,
        .evaluate = evaluate,
        .finish = finish,
        .add_files = add_files,
        .numbers = fit->ties.state,
        .numbers_count = reward_ties_numbers(&fit->ties),
    };
    const struct train_job job = {
        .run = fit->run,
        .recipe = &recipe,
        .model = fit->model,
        .tokenizer = tokenizer,
        .data_hash = fit->data_hash,
        .base_hash = *base_hash,
    };
    return train_job_run(&job, args, err);
}

enum err_code reward_fit_lm_run(struct run *run, const struct command_args *args,
                                struct error *err) {
    const struct reward_fit_config *config = run->config;
    const struct train_head head = {.kind = MODEL_HEAD_SCORE,
                                    .score_init_std = config->score_init_std};
    struct train_base base;
    struct tt_device device;
    TRY(train_check_request(&config->train, args, err));
    TRY(lm_run_open(run, &device, err));
    SCOPED(tokenizer) struct tokenizer *tokenizer = NULL;
    SCOPED(reward_data) struct reward_data data = REWARD_DATA_INIT;
    SCOPED(model) struct model *model = NULL;
    SCOPED(fit)
    struct fit fit = {.run = run,
                      .config = config,
                      .data = &data,
                      .training = REWARD_EXAMPLES_INIT,
                      .validation = REWARD_EXAMPLES_INIT,
                      .batches = EXAMPLE_BATCHES_INIT};
    TRY(train_model_open_tokenizer(&config->train, &tokenizer, err));
    TRY(train_model_look(&config->train, head.kind, &base, err));
    const struct reward_data_source source = {.project = args->positionals[0],
                                              .config = &config->data,
                                              .tokenizer = tokenizer,
                                              .context = base.context};
    TRY(reward_data_read(run, &source, &data, err));
    const struct train_start start = {
        .config = &config->train, .device = device, .tokenizer = tokenizer, .head = head};
    TRY(train_model_open(run, &start, &model, err));
    fit.model = model;
    TRY(set_pad(&fit, tokenizer, err));
    TRY(fit_init(&fit, err));
    return run_fit(&fit, tokenizer, &base.hash, args, err);
}
