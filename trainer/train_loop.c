/* train_loop.c - see train_loop.h; in the tensor half. */
#include "trainer/train_loop.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/interrupt.h"
#include "base/invariant.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "policy/model_save.h"
#include "tensor/kernels/kernel_cpu.h"
#include "tensor/safetensors.h"
#include "trainer/train_plan.h"
#include "trainer/version.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>

void train_row_add(struct train_row *row, const char *key, double value) {
    ASSERT_LT(row->count, (size_t)TRAIN_METRICS_MAX);
    row->metrics[row->count++] = (struct metric){key, value};
}

static double loss_of(const struct train_row *row) {
    return row->metrics[0].value;
}

static struct log *log_of(const struct train_loop *loop) {
    return loop->job->run->log;
}

static const char *name_of(const struct train_loop *loop) {
    return loop->job->recipe->name;
}

/* --- one step --- */

/* A gradient that is not finite follows the policy of the configuration. */
static enum err_code update(struct train_loop *loop, int64_t step, double learning_rate,
                            double grad_norm, struct error *err) {
    const struct train_optimiser_config *optimiser = &loop->config->optimiser;
    if (isfinite(grad_norm)) {
        return tt_adamw_step(loop->adamw, learning_rate,
                             tt_clip_factor(grad_norm, optimiser->grad_norm_max), err);
    }
    if (optimiser->nonfinite == TRAIN_STOP_NONFINITE) {
        return err_set(err, ERR_DATA,
                       "step %" PRId64 ": the gradient norm is not finite; lower "
                       "optimiser.learning_rate, or set optimiser.nonfinite=skip_step",
                       step + 1);
    }
    log_warn(log_of(loop), name_of(loop), "step %" PRId64 " skipped: its gradient is not finite",
             step + 1);
    return ERR_OK;
}

enum err_code train_loop_step(struct train_loop *loop, int64_t step, double learning_rate,
                              struct train_row *out_row, double *out_grad_norm, struct error *err) {
    const struct train_recipe *recipe = loop->job->recipe;
    TRY(tt_params_zero_grad(loop->params, err));
    TRY(recipe->gradients(recipe->context, step, out_row, err));
    TRY(tt_params_grad_norm(loop->params, out_grad_norm, err));
    return update(loop, step, learning_rate, *out_grad_norm, err);
}

/* --- watching --- */

static int64_t updates_of(const struct train_recipe *recipe) {
    return recipe->updates > 0 ? recipe->updates : 1;
}

double train_loop_epochs(const struct train_loop *loop, int64_t steps) {
    const struct train_recipe *recipe = loop->job->recipe;
    return (double)(steps * loop->config->examples_per_step) /
           (double)(recipe->examples * updates_of(recipe));
}

static double tokens_per_second(const struct train_loop *loop) {
    const int64_t elapsed_ns = clock_monotonic_ns(&loop->job->run->clock) - loop->started_ns;
    return elapsed_ns > 0 ? (double)(loop->tokens_seen - loop->tokens_at_start) /
                                ((double)elapsed_ns / (double)CLOCK_NS_PER_S)
                          : 0.0;
}

/* TRL's names where the meaning is TRL's. */
static enum err_code report_step(struct train_loop *loop, int64_t step, struct train_row *row,
                                 double learning_rate, double grad_norm, struct error *err) {
    const double rate = tokens_per_second(loop);
    train_row_add(row, "grad_norm", grad_norm);
    train_row_add(row, "learning_rate", learning_rate);
    train_row_add(row, "epoch", train_loop_epochs(loop, step + 1));
    train_row_add(row, "num_tokens", (double)loop->tokens_seen);
    train_row_add(row, "tokens_per_second", rate);
    log_info(log_of(loop), name_of(loop),
             "step %" PRId64 "/%" PRId64 ": loss %.4f nats%s, grad norm %.3f, %.0f tokens/s",
             step + 1, loop->schedule.total_steps, loss_of(row), row->note, grad_norm, rate);
    return metrics_add(loop->metrics, step + 1, row->metrics, row->count, err);
}

/* --- evaluation --- */

#define BEST_NAME "best.safetensors"

static enum err_code best_path(const struct train_loop *loop, struct strbuf *out,
                               struct error *err) {
    return folder_path(loop->folder.path, BEST_NAME, out, err);
}

/* With the recipe's numbers, which belong to the weights. */
static enum err_code save_best(const struct train_loop *loop, struct error *err) {
    const struct train_recipe *recipe = loop->job->recipe;
    struct safetensors_entry numbers[CHECKPOINT_NUMBERS_MAX];
    char texts[CHECKPOINT_NUMBERS_MAX][32];
    ASSERT_LE(recipe->numbers_count, (int64_t)CHECKPOINT_NUMBERS_MAX);
    for (int64_t i = 0; i < recipe->numbers_count; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "%.17g", recipe->numbers[i].value);
        numbers[i] = (struct safetensors_entry){recipe->numbers[i].name, texts[i]};
    }
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    TRY(best_path(loop, &path, err));
    return tt_params_save(loop->params, strbuf_text(&path), numbers, recipe->numbers_count, err);
}

static enum err_code load_best_numbers(const struct train_loop *loop, const char *path,
                                       struct error *err) {
    const struct train_recipe *recipe = loop->job->recipe;
    SCOPED(safetensors) struct safetensors *file = NULL;
    TRY(safetensors_open(path, &file, err));
    for (int64_t i = 0; i < recipe->numbers_count; i++) {
        const char *text = safetensors_metadata_find(file, recipe->numbers[i].name);
        if (!text || !number_parse_f64(text, &recipe->numbers[i].value)) {
            return err_set(err, ERR_DATA, "'%s': metadata '%s' is %s, expected a number", path,
                           recipe->numbers[i].name, text ? text : "missing");
        }
    }
    return ERR_OK;
}

/* A loss that is not a number is no better than any. */
static enum err_code compare_with_best(struct train_loop *loop, int64_t steps_done, double loss,
                                       struct error *err) {
    loop->evaluations_since++;
    if (!isfinite(loss) || (loop->best_step >= 0 && loss >= loop->best_loss)) {
        return ERR_OK;
    }
    loop->best_loss = loss;
    loop->best_step = steps_done;
    loop->evaluations_since = 0;
    return loop->config->keep_best ? save_best(loop, err) : ERR_OK;
}

static enum err_code evaluate(struct train_loop *loop, int64_t steps_done, struct error *err) {
    const struct train_recipe *recipe = loop->job->recipe;
    if (recipe->evaluation_examples == 0) {
        return ERR_OK;
    }
    struct train_row row = {.count = 0};
    TRY(recipe->evaluate(recipe->context, recipe->evaluation_examples, &row, err));
    log_info(log_of(loop), name_of(loop), "evaluation after step %" PRId64 ": loss %.4f nats%s",
             steps_done, loss_of(&row), row.note);
    TRY(metrics_add(loop->eval_metrics, steps_done, row.metrics, row.count, err));
    return compare_with_best(loop, steps_done, loss_of(&row), err);
}

static bool has_lost_patience(const struct train_loop *loop) {
    return loop->config->patience > 0 && loop->evaluations_since >= loop->config->patience;
}

/* The weights of the best evaluation, where they are kept and others have come since. */
static enum err_code take_best(struct train_loop *loop, struct error *err) {
    if (!loop->config->keep_best || loop->best_step < 0) {
        return ERR_OK;
    }
    if (loop->evaluations_since > 0) {
        SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
        TRY(best_path(loop, &path, err));
        TRY(tt_params_load(loop->params, strbuf_text(&path), err));
        TRY(load_best_numbers(loop, strbuf_text(&path), err));
    }
    log_info(log_of(loop), name_of(loop),
             "taking the weights of step %" PRId64 ", whose evaluation was the best: loss %.4f",
             loop->best_step, loop->best_loss);
    return ERR_OK;
}

/* --- going on after a kill --- */

#define NUM_TOKENS_MAX 0x1p53 /* beyond it a double is no count */

enum number { NUM_TOKENS, BEST_LOSS, BEST_STEP, EVALUATIONS_SINCE, NUMBER_COUNT };

static struct checkpoint_state state_of(const struct train_loop *loop, int64_t steps_done) {
    const struct train_job *job = loop->job;
    struct checkpoint_state state = {
        .step = steps_done,
        .config = loop->folder.config,
        .data = job->data_hash,
        .model = job->base_hash,
        .threads = tt_threads(),
        .compute = tt_dtype_name(model_options_of(job->model).compute),
        .numbers = {[NUM_TOKENS] = {"num_tokens", (double)loop->tokens_seen},
                    [BEST_LOSS] = {"best_eval_loss", loop->best_loss},
                    [BEST_STEP] = {"best_global_step", (double)loop->best_step},
                    [EVALUATIONS_SINCE] = {"evaluations_since_best",
                                           (double)loop->evaluations_since}},
        .numbers_count = NUMBER_COUNT,
    };
    const struct train_recipe *recipe = job->recipe;
    ASSERT_LE(NUMBER_COUNT + recipe->numbers_count, (int64_t)CHECKPOINT_NUMBERS_MAX);
    for (int64_t i = 0; i < recipe->numbers_count; i++) {
        state.numbers[state.numbers_count++] = recipe->numbers[i];
    }
    (void)snprintf(state.build, sizeof state.build, "%s", version_build_id());
    (void)snprintf(state.device, sizeof state.device, "%s", job->run->settings->device);
    (void)snprintf(state.processor, sizeof state.processor, "%s, %s",
                   tt_library_describe().cpu_capability, kernel_isa_name(kernel_isa_best()));
    return state;
}

static enum err_code save_checkpoint(struct train_loop *loop, int64_t steps_done,
                                     struct error *err) {
    const struct checkpoint_state state = state_of(loop, steps_done);
    TRY(metrics_sync(loop->metrics, err));
    TRY(metrics_sync(loop->eval_metrics, err));
    TRY(checkpoint_save(loop->folder.path, &state, loop->params, loop->adamw, err));
    return checkpoint_keep_newest(loop->folder.path, loop->config->checkpoints_kept, err);
}

static enum err_code take_number(const struct checkpoint_state *state, const double *numbers,
                                 enum number number, double least, double *out, struct error *err) {
    if (!(numbers[number] >= least && numbers[number] <= NUM_TOKENS_MAX)) {
        return err_set(err, ERR_DATA, "the checkpoint of step %" PRId64 " has %s %g", state->step,
                       state->numbers[number].name, numbers[number]);
    }
    *out = numbers[number];
    return ERR_OK;
}

static enum err_code take_numbers(struct train_loop *loop, const struct checkpoint_state *state,
                                  const double *numbers, struct error *err) {
    double tokens = 0.0;
    double best_step = 0.0;
    double since = 0.0;
    TRY(take_number(state, numbers, NUM_TOKENS, 0.0, &tokens, err));
    TRY(take_number(state, numbers, BEST_LOSS, -NUM_TOKENS_MAX, &loop->best_loss, err));
    TRY(take_number(state, numbers, BEST_STEP, -1.0, &best_step, err));
    TRY(take_number(state, numbers, EVALUATIONS_SINCE, 0.0, &since, err));
    loop->tokens_seen = (int64_t)tokens;
    loop->best_step = (int64_t)best_step;
    loop->evaluations_since = (int64_t)since;
    const struct train_recipe *recipe = loop->job->recipe;
    for (int64_t i = 0; i < recipe->numbers_count; i++) {
        recipe->numbers[i].value = numbers[NUMBER_COUNT + i];
    }
    return ERR_OK;
}

static enum err_code check_best_is_there(const struct train_loop *loop, struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    TRY(best_path(loop, &path, err));
    if (loop->config->keep_best && loop->best_step >= 0 && !file_exists(strbuf_text(&path))) {
        return err_set(err, ERR_DATA,
                       "'%s', the best weights so far, is missing: without it the run cannot end "
                       "as it would have",
                       strbuf_text(&path));
    }
    return ERR_OK;
}

/* Steps done by the run so far: 0 for a new one. */
static enum err_code take_up(struct train_loop *loop, bool resume, int64_t *out_steps_done,
                             struct error *err) {
    int64_t step = -1;
    if (resume) {
        TRY(checkpoint_newest(loop->folder.path, &step, err));
    }
    if (step < 0) {
        *out_steps_done = 0;
        return ERR_OK;
    }
    const struct checkpoint_state expected = state_of(loop, step);
    double numbers[CHECKPOINT_NUMBERS_MAX] = {0.0};
    TRY(checkpoint_load(loop->folder.path, &expected, loop->params, loop->adamw, numbers, err));
    TRY(take_numbers(loop, &expected, numbers, err));
    TRY(check_best_is_there(loop, err));
    log_info(log_of(loop), name_of(loop), "resumed after step %" PRId64, step);
    *out_steps_done = step;
    return ERR_OK;
}

/* --- the loop --- */

static bool every(int64_t steps_done, int64_t interval, int64_t total) {
    return steps_done % interval == 0 || steps_done == total;
}

/* Whether a checkpoint is due: between rounds of updates. */
static bool checkpoint_is_due(const struct train_loop *loop, int64_t steps_done) {
    const int64_t updates = updates_of(loop->job->recipe);
    const int64_t rounds = (loop->config->checkpoint_every + updates - 1) / updates;
    return every(steps_done, rounds * updates, loop->schedule.total_steps);
}

static enum err_code train_step(struct train_loop *loop, int64_t step, struct error *err) {
    const int64_t total = loop->schedule.total_steps;
    const double learning_rate = lr_schedule_at(&loop->schedule, step);
    struct train_row row = {.count = 0};
    double grad_norm = 0.0;
    TRY(train_loop_step(loop, step, learning_rate, &row, &grad_norm, err));
    loop->tokens_seen += row.tokens;
    const int64_t done = step + 1;
    if (every(done, loop->config->log_every, total)) {
        TRY(report_step(loop, step, &row, learning_rate, grad_norm, err));
    }
    if (every(done, loop->config->eval_every, total)) {
        TRY(evaluate(loop, done, err));
    }
    if (checkpoint_is_due(loop, done)) {
        TRY(save_checkpoint(loop, done, err));
    }
    return ERR_OK;
}

static enum err_code stop_here(struct train_loop *loop, int64_t steps_done, struct error *err) {
    const int64_t total = loop->schedule.total_steps;
    if (!checkpoint_is_due(loop, steps_done)) { /* else it is saved */
        TRY(save_checkpoint(loop, steps_done, err));
    }
    return err_set(err, ERR_INTERRUPTED,
                   "stopped after step %" PRId64 " of %" PRId64 "; go on with --resume", steps_done,
                   total);
}

static enum err_code train(struct train_loop *loop, int64_t steps_done, struct error *err) {
    const int64_t total = loop->schedule.total_steps;
    SCOPED(progress) struct progress progress;
    run_progress_resume(loop->job->run, name_of(loop), "steps", total, steps_done, &progress);
    loop->started_ns = clock_monotonic_ns(&loop->job->run->clock);
    loop->tokens_at_start = loop->tokens_seen;
    int64_t step = steps_done;
    if (step == 0 && loop->job->recipe->evaluates_start) {
        TRY(evaluate(loop, 0, err));
    }
    for (; step < total && !has_lost_patience(loop); step++) {
        TRY(train_step(loop, step, err));
        progress_update(&progress, step + 1);
        const bool round_is_over = (step + 1) % updates_of(loop->job->recipe) == 0;
        if (interrupt_requested() && round_is_over && step + 1 < total) {
            return stop_here(loop, step + 1, err);
        }
    }
    progress_finish(&progress);
    if (step < total) {
        log_info(log_of(loop), name_of(loop),
                 "ended after step %" PRId64 ": %" PRId64 " evaluations were not better than that "
                 "of step %" PRId64,
                 step, loop->evaluations_since, loop->best_step);
    }
    return take_best(loop, err);
}

/* --- from beginning to end --- */

static void train_loop_scoped_end(struct train_loop *loop) {
    metrics_close(loop->eval_metrics);
    metrics_close(loop->metrics);
    tt_adamw_free(loop->adamw);
    run_folder_close(&loop->folder);
}

static struct lr_schedule schedule_of(const struct train_config *config,
                                      const struct train_recipe *recipe) {
    const double rounds =
        ceil(config->epochs * (double)recipe->examples / (double)config->examples_per_step);
    const double steps =
        config->steps_max > 0 ? (double)config->steps_max : rounds * (double)updates_of(recipe);
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

int64_t train_micro_batch_tokens(const struct train_config *config, const struct model *model) {
    if (config->micro_batch_tokens > 0) {
        return config->micro_batch_tokens;
    }
    return model_device(model).kind == TT_CPU ? MICRO_BATCH_TOKENS_CPU : MICRO_BATCH_TOKENS_GPU;
}

static enum err_code train_loop_init(struct train_loop *loop, const struct train_job *job,
                                     struct error *err) {
    const struct train_config *config = job->run->config;
    const struct train_optimiser_config *optimiser = &config->optimiser;
    const struct tt_adamw_config adamw = {
        .beta1 = optimiser->beta1,
        .beta2 = optimiser->beta2,
        .eps = optimiser->eps,
        .weight_decay = optimiser->weight_decay,
        .second_moments = optimiser->kind == TRAIN_ADAM_MINI ? TT_MOMENT_BLOCK : TT_MOMENT_EACH,
    };
    loop->job = job;
    loop->config = config;
    loop->params = model_trained(job->model);
    loop->schedule = schedule_of(config, job->recipe);
    loop->best_step = -1;
    return tt_adamw_new(loop->params, &adamw, &loop->adamw, err);
}

static enum err_code save_model(const struct train_loop *loop, const char *folder,
                                struct error *err) {
    const struct train_job *job = loop->job;
    const struct model_save_options options = {
        .folder = folder,
        .dtype = loop->config->save_dtype,
        .tokenizer = job->tokenizer,
        .base = loop->config->model,
        .add_files = job->recipe->add_files,
        .context = job->recipe->context,
    };
    TRY(model_save(job->model, &options, err));
    log_info(log_of(loop), name_of(loop), "saved '%s', read back and compared", folder);
    log_info(log_of(loop), name_of(loop), "next: %s%s", job->recipe->next, folder);
    return ERR_OK;
}

/* Whether it holds what this run saves; a folder of the final name is whole. */
static enum err_code is_saved(const struct train_loop *loop, const char *folder, bool *out_is_saved,
                              struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    const bool adapters = loop->config->train == TRAIN_LORA;
    TRY(folder_path(folder, adapters ? "adapter_config.json" : "config.json", &path, err));
    *out_is_saved = file_exists(strbuf_text(&path));
    return ERR_OK;
}

static enum err_code train_and_save(struct train_loop *loop, bool resume, const char *final,
                                    struct error *err) {
    const struct train_recipe *recipe = loop->job->recipe;
    int64_t steps_done = 0;
    if (recipe->begin) {
        TRY(recipe->begin(recipe->context, err));
    }
    TRY(take_up(loop, resume, &steps_done, err));
    const int64_t first_step =
        steps_done > 0 ? steps_done + 1 : 0; /* 0: an evaluation before all */
    TRY(run_folder_metrics(&loop->folder, "metrics.jsonl", first_step, &loop->metrics, err));
    TRY(run_folder_metrics(&loop->folder, "eval_metrics.jsonl", first_step, &loop->eval_metrics,
                           err));
    TRY(train(loop, steps_done, err));
    tt_adamw_free(MOVE(loop->adamw)); /* the saved model is read back in its place */
    mem_trim();
    if (recipe->finish) {
        TRY(recipe->finish(recipe->context, err));
    }
    return save_model(loop, final, err);
}

static enum err_code train_in_folder(struct train_loop *loop, const struct command_args *args,
                                     struct error *err) {
    const bool resume = command_args_has(args, "resume");
    const struct run_folder_options options = {.path = loop->config->output,
                                               .resume = resume,
                                               .args = args,
                                               .torch = tt_library_describe().version};
    SCOPED(strbuf) struct strbuf final = STRBUF_INIT(PATH_MAX);
    bool finished = false;
    TRY(run_folder_open(loop->job->run, &options, &loop->folder, err));
    TRY(folder_path(loop->folder.path, "final", &final, err));
    TRY(is_saved(loop, strbuf_text(&final), &finished, err));
    if (finished) {
        log_info(log_of(loop), name_of(loop), "the run is finished: '%s'", strbuf_text(&final));
        return ERR_OK;
    }
    TRY(folder_check_free(strbuf_text(&final), err)); /* now, not behind all the work */
    return train_and_save(loop, resume, strbuf_text(&final), err);
}

enum err_code train_check_request(const struct train_config *config,
                                  const struct command_args *args, struct error *err) {
    if (!config->output[0] && !command_args_has(args, "dry-run")) {
        return err_set(err, ERR_USAGE, "where to? give --output FOLDER, or --dry-run");
    }
    return ERR_OK;
}

enum err_code train_job_run(const struct train_job *job, const struct command_args *args,
                            struct error *err) {
    SCOPED(train_loop) struct train_loop loop = {.folder = RUN_FOLDER_INIT};
    TRY(train_loop_init(&loop, job, err));
    return command_args_has(args, "dry-run") ? train_plan_show(&loop, err)
                                             : train_in_folder(&loop, args, err);
}
