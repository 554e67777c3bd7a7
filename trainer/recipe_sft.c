/* recipe_sft.c - accord sft: supervised fine-tuning. In the tensor half.
 *
 * One step: the next examples of a shuffled epoch, cut into micro-batches of at most
 * micro_batch_tokens; gradients of the mean loss over all target tokens of the step; clip; AdamW.
 */
#include "base/arena.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/interrupt.h"
#include "base/json_writer.h"
#include "base/machine.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/tokenizer.h"
#include "policy/model.h"
#include "policy/model_save.h"
#include "tensor/kernels/kernel_cpu.h"
#include "trainer/checkpoint.h"
#include "trainer/lm_functions.h"
#include "trainer/lm_run.h"
#include "trainer/lr_schedule.h"
#include "trainer/run_folder.h"
#include "trainer/sft_config.h"
#include "trainer/sft_data.h"
#include "trainer/sft_loss.h"
#include "trainer/sft_model.h"
#include "trainer/text_table.h"
#include "trainer/version.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct sft {
    struct run *run;
    const struct sft_config *config;
    const struct sft_data *data;
    struct hash_digest data_hash;
    struct hash_digest base_hash; /* of what checkpoints leave out */
    struct model *model;
    struct tt_params *params; /* what is trained, borrowed from the model */
    struct tt_adamw *adamw;
    struct lr_schedule schedule;
    int64_t *order; /* of the epoch `order_epoch` */
    int64_t order_epoch;
    struct token_sequence *sequences; /* [examples_per_step], of one step */
    struct packed_batch batch;
    int64_t micro_batch_tokens;
    struct run_folder *folder;
    struct metrics *metrics;
    struct metrics *eval_metrics;
    int64_t tokens_seen;
    int64_t started_ns; /* monotonic, and tokens_seen then: for the rate */
    int64_t tokens_at_start;
};

/* --- the examples of a step --- */

static int64_t step_begin(const struct sft *sft, int64_t step) {
    return step * sft->config->examples_per_step;
}

/* The number-th sequence that training sees, over all epochs. */
static struct token_sequence sequence_at(struct sft *sft, int64_t number) {
    const int64_t count = sft->data->training.count;
    const int64_t epoch = number / count;
    if (epoch != sft->order_epoch) {
        token_set_order(count, sft->run->settings->seed, epoch, sft->order);
        sft->order_epoch = epoch;
    }
    return token_set_at(&sft->data->training, sft->order[number % count]);
}

/* Into sft->sequences; returns how many targets they have together. */
static int64_t gather(struct sft *sft, int64_t step) {
    int64_t targets = 0;
    for (int64_t i = 0; i < sft->config->examples_per_step; i++) {
        sft->sequences[i] = sequence_at(sft, step_begin(sft, step) + i);
        targets += sft->sequences[i].targets;
    }
    return targets;
}

/* --- one step --- */

/* Of the tokens of a micro-batch, so that products have few shapes (policy/packed_batch.h). */
#define ROWS_MULTIPLE 32

static enum err_code flush(struct sft *sft, int64_t step_targets, enum tt_grad_mode grad,
                           struct sft_sums *sums, struct error *err) {
    if (sft->batch.sequences == 0) {
        return ERR_OK;
    }
    TRY(packed_batch_fill(&sft->batch, ROWS_MULTIPLE, model_config_of(sft->model)->context, err));
    TRY(sft_loss_add(sft->model, &sft->batch, step_targets, grad, sums, err));
    packed_batch_reset(&sft->batch);
    return ERR_OK;
}

/* Adds a sequence to the micro-batch, computing first what is in it where both are too much. */
static enum err_code take(struct sft *sft, const struct token_sequence *sequence,
                          int64_t step_targets, enum tt_grad_mode grad, struct sft_sums *sums,
                          struct error *err) {
    if (sft->batch.tokens + sequence->count > sft->micro_batch_tokens) {
        TRY(flush(sft, step_targets, grad, sums, err));
    }
    return packed_batch_add(&sft->batch, sequence->ids, sequence->count, sequence->is_target, err);
}

static enum err_code accumulate(struct sft *sft, int64_t step, struct sft_sums *sums,
                                struct error *err) {
    const int64_t targets = gather(sft, step);
    TRY(tt_params_zero_grad(sft->params, err));
    for (int64_t i = 0; i < sft->config->examples_per_step; i++) {
        TRY(take(sft, &sft->sequences[i], targets, TT_GRAD, sums, err));
    }
    return flush(sft, targets, TT_GRAD, sums, err);
}

/* Clips and steps; a gradient that is not finite follows the policy of the configuration. */
static enum err_code update(struct sft *sft, int64_t step, double learning_rate,
                            double *out_grad_norm, struct error *err) {
    const struct sft_optimiser_config *optimiser = &sft->config->optimiser;
    TRY(tt_params_grad_norm(sft->params, out_grad_norm, err));
    if (!isfinite(*out_grad_norm)) {
        if (optimiser->nonfinite == SFT_STOP_NONFINITE) {
            return err_set(err, ERR_DATA,
                           "step %" PRId64 ": the gradient norm is not finite; lower "
                           "optimiser.learning_rate, or set optimiser.nonfinite=skip_step",
                           step + 1);
        }
        log_warn(sft->run->log, "sft", "step %" PRId64 " skipped: its gradient is not finite",
                 step + 1);
        return ERR_OK;
    }
    return tt_adamw_step(sft->adamw, learning_rate,
                         tt_clip_factor(*out_grad_norm, optimiser->grad_norm_max), err);
}

/* --- watching --- */

static double epoch_of(const struct sft *sft, int64_t steps_done) {
    return (double)step_begin(sft, steps_done) / (double)sft->data->training.count;
}

static double tokens_per_second(const struct sft *sft) {
    const int64_t elapsed_ns = clock_monotonic_ns(&sft->run->clock) - sft->started_ns;
    return elapsed_ns > 0 ? (double)(sft->tokens_seen - sft->tokens_at_start) /
                                ((double)elapsed_ns / (double)CLOCK_NS_PER_S)
                          : 0.0;
}

/* TRL's names where the meaning is TRL's. */
static enum err_code report_step(struct sft *sft, int64_t step, const struct sft_sums *sums,
                                 double learning_rate, double grad_norm, struct error *err) {
    const double targets = (double)sums->targets;
    const struct metric row[] = {
        {"loss", sums->nll_nats / targets},
        {"mean_token_accuracy", (double)sums->correct / targets},
        {"entropy", sums->entropy_nats / targets},
        {"grad_norm", grad_norm},
        {"learning_rate", learning_rate},
        {"epoch", epoch_of(sft, step + 1)},
        {"num_tokens", (double)sft->tokens_seen},
        {"target_tokens", targets},
        {"tokens_per_second", tokens_per_second(sft)},
    };
    log_info(sft->run->log, "sft",
             "step %" PRId64 "/%" PRId64 ": loss %.4f nats, grad norm %.3f, %.0f tokens/s",
             step + 1, sft->schedule.total_steps, row[0].value, grad_norm, tokens_per_second(sft));
    return metrics_add(sft->metrics, step + 1, row, sizeof row / sizeof *row, err);
}

/* Sums over the first `count` sequences that are kept for evaluation. */
static enum err_code evaluate_first(struct sft *sft, int64_t count, struct sft_sums *sums,
                                    struct error *err) {
    for (int64_t i = 0; i < count; i++) {
        const struct token_sequence sequence = token_set_at(&sft->data->validation, i);
        TRY(take(sft, &sequence, 1, TT_NO_GRAD, sums, err));
    }
    return flush(sft, 1, TT_NO_GRAD, sums, err);
}

static enum err_code evaluate(struct sft *sft, int64_t steps_done, struct error *err) {
    const int64_t count = sft->data->validation.count;
    if (count == 0) {
        return ERR_OK;
    }
    struct sft_sums sums = {.targets = 0};
    TRY(evaluate_first(sft, count, &sums, err));
    const double targets = (double)sums.targets;
    const struct metric row[] = {
        {"eval_loss", sums.nll_nats / targets},
        {"eval_mean_token_accuracy", (double)sums.correct / targets},
        {"eval_entropy", sums.entropy_nats / targets},
        {"eval_target_tokens", targets},
    };
    log_info(sft->run->log, "sft",
             "evaluation after step %" PRId64 ": loss %.4f nats, perplexity %.2f", steps_done,
             row[0].value, exp(row[0].value));
    return metrics_add(sft->eval_metrics, steps_done, row, sizeof row / sizeof *row, err);
}

/* --- going on after a kill --- */

#define NUM_TOKENS_MAX 0x1p53 /* beyond it a double is no count */

static struct checkpoint_state state_of(const struct sft *sft, int64_t steps_done) {
    struct checkpoint_state state = {
        .step = steps_done,
        .config = sft->folder->config,
        .data = sft->data_hash,
        .model = sft->base_hash,
        .threads = tt_threads(),
        .compute = tt_dtype_name(model_options_of(sft->model).compute),
        .numbers = {{"num_tokens", (double)sft->tokens_seen}},
        .numbers_count = 1,
    };
    (void)snprintf(state.build, sizeof state.build, "%s", version_build_id());
    (void)snprintf(state.device, sizeof state.device, "%s", sft->run->settings->device);
    (void)snprintf(state.processor, sizeof state.processor, "%s, %s",
                   tt_library_describe().cpu_capability, kernel_isa_name(kernel_isa_best()));
    return state;
}

static enum err_code save_checkpoint(struct sft *sft, int64_t steps_done, struct error *err) {
    const struct checkpoint_state state = state_of(sft, steps_done);
    TRY(metrics_sync(sft->metrics, err));
    TRY(metrics_sync(sft->eval_metrics, err));
    TRY(checkpoint_save(sft->folder->path, &state, sft->params, sft->adamw, err));
    return checkpoint_keep_newest(sft->folder->path, sft->config->checkpoints_kept, err);
}

/* Steps done by the run so far: 0 for a new one. */
static enum err_code take_up(struct sft *sft, bool resume, int64_t *out_steps_done,
                             struct error *err) {
    int64_t step = -1;
    if (resume) {
        TRY(checkpoint_newest(sft->folder->path, &step, err));
    }
    if (step < 0) {
        *out_steps_done = 0;
        return ERR_OK;
    }
    const struct checkpoint_state expected = state_of(sft, step);
    double tokens_seen = 0.0;
    TRY(checkpoint_load(sft->folder->path, &expected, sft->params, sft->adamw, &tokens_seen, err));
    if (!(tokens_seen >= 0.0 && tokens_seen <= NUM_TOKENS_MAX)) {
        return err_set(err, ERR_DATA, "the checkpoint of step %" PRId64 " has num_tokens %g", step,
                       tokens_seen);
    }
    sft->tokens_seen = (int64_t)tokens_seen;
    log_info(sft->run->log, "sft", "resumed after step %" PRId64, step);
    *out_steps_done = step;
    return ERR_OK;
}

/* --- the loop --- */

static bool every(int64_t steps_done, int64_t interval, int64_t total) {
    return steps_done % interval == 0 || steps_done == total;
}

static enum err_code train_step(struct sft *sft, int64_t step, struct error *err) {
    const int64_t total = sft->schedule.total_steps;
    const double learning_rate = lr_schedule_at(&sft->schedule, step);
    struct sft_sums sums = {.targets = 0};
    double grad_norm = 0.0;
    TRY(accumulate(sft, step, &sums, err));
    TRY(update(sft, step, learning_rate, &grad_norm, err));
    sft->tokens_seen += sums.tokens;
    const int64_t done = step + 1;
    if (every(done, sft->config->log_every, total)) {
        TRY(report_step(sft, step, &sums, learning_rate, grad_norm, err));
    }
    if (every(done, sft->config->eval_every, total)) {
        TRY(evaluate(sft, done, err));
    }
    if (every(done, sft->config->checkpoint_every, total)) {
        TRY(save_checkpoint(sft, done, err));
    }
    return ERR_OK;
}

static enum err_code train(struct sft *sft, int64_t steps_done, struct error *err) {
    const int64_t total = sft->schedule.total_steps;
    SCOPED(progress) struct progress progress;
    run_progress_resume(sft->run, "sft", "steps", total, steps_done, &progress);
    sft->started_ns = clock_monotonic_ns(&sft->run->clock);
    sft->tokens_at_start = sft->tokens_seen;
    for (int64_t step = steps_done; step < total; step++) {
        TRY(train_step(sft, step, err));
        progress_update(&progress, step + 1);
        if (interrupt_requested() && step + 1 < total) {
            if (!every(step + 1, sft->config->checkpoint_every, total)) { /* else it is saved */
                TRY(save_checkpoint(sft, step + 1, err));
            }
            return err_set(err, ERR_INTERRUPTED,
                           "stopped after step %" PRId64 " of %" PRId64 "; go on with --resume",
                           step + 1, total);
        }
    }
    progress_finish(&progress);
    return ERR_OK;
}

/* --- what it will take --- */

struct sft_plan {
    int64_t parameters, trained;
    int64_t examples, validation_examples;
    int64_t tokens_per_epoch, target_tokens_per_epoch;
    int64_t steps;
    int64_t evaluations;
    double tokens;            /* over all steps */
    double evaluation_tokens; /* over all evaluations */
};

static struct sft_plan plan_of(const struct sft *sft) {
    const struct token_set *set = &sft->data->training;
    struct sft_plan plan = {
        .parameters = model_parameters(model_config_of(sft->model)),
        .trained = tt_params_trainable_elements(sft->params),
        .examples = set->count,
        .validation_examples = sft->data->validation.count,
        .tokens_per_epoch = set->tokens,
        .steps = sft->schedule.total_steps,
    };
    for (int64_t i = 0; i < set->count; i++) {
        plan.target_tokens_per_epoch += set->targets[i];
    }
    plan.tokens = (double)set->tokens * epoch_of(sft, plan.steps);
    if (plan.validation_examples > 0) {
        plan.evaluations = (plan.steps + sft->config->eval_every - 1) / sft->config->eval_every;
    }
    plan.evaluation_tokens = (double)sft->data->validation.tokens * (double)plan.evaluations;
    return plan;
}

/* What a dry run measures: two steps, of which the second is timed, and the evaluation of as many
 * examples as a step has. */
struct sft_probe {
    double tokens_per_second;
    double evaluation_tokens_per_second; /* 0 without examples for evaluation */
    int64_t memory_peak_bytes;
};

static double rate_since(const struct sft *sft, int64_t start_ns, int64_t tokens) {
    const int64_t elapsed_ns = clock_monotonic_ns(&sft->run->clock) - start_ns;
    return (double)tokens * (double)CLOCK_NS_PER_S / (double)elapsed_ns;
}

static enum err_code probe_evaluation(struct sft *sft, struct sft_probe *out, struct error *err) {
    const int64_t kept = sft->data->validation.count;
    if (kept == 0) {
        return ERR_OK;
    }
    const int64_t step = sft->config->examples_per_step;
    const int64_t count = kept < step ? kept : step;
    struct sft_sums sums = {.targets = 0};
    const int64_t start_ns = clock_monotonic_ns(&sft->run->clock);
    TRY(evaluate_first(sft, count, &sums, err));
    out->evaluation_tokens_per_second = rate_since(sft, start_ns, sums.tokens);
    return ERR_OK;
}

static enum err_code probe(struct sft *sft, struct sft_probe *out, struct error *err) {
    double grad_norm = 0.0;
    for (int64_t step = 0; step < 2; step++) {
        struct sft_sums sums = {.targets = 0};
        const int64_t start_ns = clock_monotonic_ns(&sft->run->clock);
        TRY(accumulate(sft, step, &sums, err));
        TRY(update(sft, step, 0.0, &grad_norm, err)); /* learning rate 0: nothing moves */
        out->tokens_per_second = rate_since(sft, start_ns, sums.tokens);
    }
    TRY(probe_evaluation(sft, out, err));
    out->memory_peak_bytes = machine_memory_peak();
    return ERR_OK;
}

static double training_seconds(const struct sft_plan *plan, const struct sft_probe *probe) {
    return plan->tokens / probe->tokens_per_second;
}

static double evaluation_seconds(const struct sft_plan *plan, const struct sft_probe *probe) {
    return plan->evaluations > 0 ? plan->evaluation_tokens / probe->evaluation_tokens_per_second
                                 : 0.0;
}

static struct clock_text duration_of(double seconds) {
    return clock_duration_text((int64_t)(seconds * (double)CLOCK_NS_PER_S));
}

static void add_counts(struct strbuf *out, const char *label, int64_t first, const char *middle,
                       int64_t second, const char *end) {
    strbuf_addf(out, "%-12s ", label);
    text_count(out, (double)first, 0);
    strbuf_add(out, middle);
    text_count(out, (double)second, 0);
    strbuf_addf(out, "%s\n", end);
}

static void build_plan_text(const struct sft_plan *plan, const struct sft_probe *probe,
                            struct strbuf *out) {
    add_counts(out, "parameters", plan->parameters, ", of which ", plan->trained, " are trained");
    add_counts(out, "examples", plan->examples, " for training, ", plan->validation_examples,
               " for evaluation");
    add_counts(out, "tokens", plan->tokens_per_epoch, " an epoch, of which ",
               plan->target_tokens_per_epoch, " are learnt");
    add_counts(out, "steps", plan->steps, ", and ", plan->evaluations,
               plan->evaluations == 1 ? " evaluation" : " evaluations");
    strbuf_addf(out, "%-12s %s at %.0f tokens/s, measured on one step\n", "training",
                duration_of(training_seconds(plan, probe)).text, probe->tokens_per_second);
    if (plan->evaluations > 0) {
        strbuf_addf(out, "%-12s %s at %.0f tokens/s\n", "evaluation",
                    duration_of(evaluation_seconds(plan, probe)).text,
                    probe->evaluation_tokens_per_second);
    }
    strbuf_addf(out, "%-12s %.2f GiB at the peak, measured on two steps\n", "memory",
                (double)probe->memory_peak_bytes / (double)GIB);
}

static enum err_code build_plan_json(const struct sft_plan *plan, const struct sft_probe *probe,
                                     struct strbuf *out, struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_i64(&w, "parameters", plan->parameters);
    json_put_i64(&w, "parameters_trained", plan->trained);
    json_put_i64(&w, "examples", plan->examples);
    json_put_i64(&w, "validation_examples", plan->validation_examples);
    json_put_i64(&w, "tokens_per_epoch", plan->tokens_per_epoch);
    json_put_i64(&w, "target_tokens_per_epoch", plan->target_tokens_per_epoch);
    json_put_i64(&w, "steps", plan->steps);
    json_put_f64(&w, "tokens_per_second", probe->tokens_per_second);
    json_put_i64(&w, "evaluations", plan->evaluations);
    json_put_f64(&w, "seconds", training_seconds(plan, probe) + evaluation_seconds(plan, probe));
    json_put_f64(&w, "evaluation_seconds", evaluation_seconds(plan, probe));
    json_put_i64(&w, "memory_peak_bytes", probe->memory_peak_bytes);
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}

static enum err_code show_plan(struct sft *sft, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    const struct sft_plan plan = plan_of(sft);
    struct sft_probe measured = {.tokens_per_second = 0.0};
    TRY(probe(sft, &measured, err));
    if (sft->run->output->json) {
        TRY(build_plan_json(&plan, &measured, &text, err));
    } else {
        build_plan_text(&plan, &measured, &text);
    }
    return output_text(sft->run->output, &text, err);
}

/* --- from beginning to end --- */

static void sft_scoped_end(struct sft *sft) {
    metrics_close(sft->eval_metrics);
    metrics_close(sft->metrics);
    packed_batch_deinit(&sft->batch);
    mem_free(sft->sequences);
    mem_free(sft->order);
    tt_adamw_free(sft->adamw);
}

static struct lr_schedule schedule_of(const struct sft_config *config, int64_t examples) {
    const double steps =
        ceil(config->epochs * (double)examples / (double)config->examples_per_step);
    return (struct lr_schedule){
        .kind = config->optimiser.schedule,
        .peak = config->optimiser.learning_rate,
        .min_ratio = config->optimiser.min_ratio,
        .warmup_steps = (int64_t)ceil(config->optimiser.warmup_ratio * steps),
        .total_steps = (int64_t)steps,
    };
}

/* Large enough for products to run at their full rate; more takes memory alone. */
#define MICRO_BATCH_TOKENS_CPU 512
#define MICRO_BATCH_TOKENS_GPU 8192

static int64_t micro_batch_tokens(const struct sft_config *config, const struct model *model) {
    if (config->micro_batch_tokens > 0) {
        return config->micro_batch_tokens;
    }
    return model_device(model).kind == TT_CPU ? MICRO_BATCH_TOKENS_CPU : MICRO_BATCH_TOKENS_GPU;
}

static enum err_code prepare(struct run *run, const struct sft_data *data, struct model *model,
                             struct sft *out, struct error *err) {
    const struct sft_config *config = run->config;
    const struct sft_optimiser_config *optimiser = &config->optimiser;
    out->run = run;
    out->config = config;
    out->data = data;
    out->model = model;
    out->params = model_trained(model);
    out->schedule = schedule_of(config, data->training.count);
    out->micro_batch_tokens = micro_batch_tokens(config, model);
    out->order_epoch = -1;
    out->order = mem_array((size_t)data->training.count, sizeof *out->order);
    out->sequences = mem_array((size_t)config->examples_per_step, sizeof *out->sequences);
    if (!out->order || !out->sequences) {
        return err_oom(err, "order of examples");
    }
    TRY(sft_data_hash(data, &out->data_hash, err));
    return tt_adamw_new(out->params,
                        &(struct tt_adamw_config){.beta1 = optimiser->beta1,
                                                  .beta2 = optimiser->beta2,
                                                  .eps = optimiser->eps,
                                                  .weight_decay = optimiser->weight_decay},
                        &out->adamw, err);
}

static enum err_code save_model(struct sft *sft, const char *folder,
                                const struct tokenizer *tokenizer, struct error *err) {
    const struct model_save_options options = {
        .folder = folder,
        .dtype = sft->config->save_dtype,
        .tokenizer = tokenizer,
        .base = sft->config->model,
    };
    TRY(model_save(sft->model, &options, err));
    log_info(sft->run->log, "sft", "saved '%s', read back and compared", folder);
    return ERR_OK;
}

/* Whether it holds what this run saves; a folder of the final name is whole. */
static enum err_code is_saved(const struct sft *sft, const char *folder, bool *out_is_saved,
                              struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    const bool adapters = sft->config->train == SFT_TRAIN_LORA;
    TRY(folder_path(folder, adapters ? "adapter_config.json" : "config.json", &path, err));
    *out_is_saved = file_exists(strbuf_text(&path));
    return ERR_OK;
}

static enum err_code train_in_folder(struct sft *sft, struct run_folder *folder, bool resume,
                                     const struct tokenizer *tokenizer, struct error *err) {
    int64_t steps_done = 0;
    SCOPED(strbuf) struct strbuf final = STRBUF_INIT(PATH_MAX);
    TRY(folder_path(folder->path, "final", &final, err));
    bool finished = false;
    TRY(is_saved(sft, strbuf_text(&final), &finished, err));
    if (finished) {
        log_info(sft->run->log, "sft", "the run is finished: '%s'", strbuf_text(&final));
        return ERR_OK;
    }
    TRY(folder_check_free(strbuf_text(&final), err)); /* now, not behind all the work */
    sft->folder = folder;
    TRY(take_up(sft, resume, &steps_done, err));
    TRY(run_folder_metrics(folder, "metrics.jsonl", steps_done + 1, &sft->metrics, err));
    TRY(run_folder_metrics(folder, "eval_metrics.jsonl", steps_done + 1, &sft->eval_metrics, err));
    TRY(train(sft, steps_done, err));
    tt_adamw_free(MOVE(sft->adamw)); /* the saved model is read back in its place */
    mem_trim();
    return save_model(sft, strbuf_text(&final), tokenizer, err);
}

enum err_code sft_run(struct run *run, const struct command_args *args, struct error *err) {
    const struct sft_config *config = run->config;
    const bool dry_run = command_args_has(args, "dry-run");
    const bool resume = command_args_has(args, "resume");
    if (!config->output[0] && !dry_run) {
        return err_set(err, ERR_USAGE, "where to? give --output FOLDER, or --dry-run");
    }
    struct sft_base base;
    struct tt_device device;
    TRY(lm_run_open(run, &device, err));
    SCOPED(tokenizer) struct tokenizer *tokenizer = NULL;
    SCOPED(sft_data) struct sft_data data = SFT_DATA_INIT;
    SCOPED(model) struct model *model = NULL;
    SCOPED(sft) struct sft sft = {.batch = PACKED_BATCH_INIT};
    TRY(sft_model_open_tokenizer(config, &tokenizer, err));
    TRY(sft_model_look(config, &base, err));
    TRY(sft_data_read(run, &config->data, tokenizer, base.context, &data, err));
    TRY(sft_model_open(run, config, device, tokenizer, &model, err));
    sft.base_hash = base.hash;
    TRY(prepare(run, &data, model, &sft, err));
    if (dry_run) {
        return show_plan(&sft, err);
    }
    SCOPED(run_folder) struct run_folder folder = RUN_FOLDER_INIT;
    const struct run_folder_options options = {.path = config->output,
                                               .resume = resume,
                                               .args = args,
                                               .torch = tt_library_describe().version};
    TRY(run_folder_open(run, &options, &folder, err));
    return train_in_folder(&sft, &folder, resume, tokenizer, err);
}
