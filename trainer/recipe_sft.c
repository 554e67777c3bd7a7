/* recipe_sft.c - accord sft: supervised fine-tuning. In the tensor half.
 *
 * One step: the next examples of a shuffled epoch, cut into micro-batches of at most
 * micro_batch_tokens; gradients of the mean loss over all target tokens of the step.
 */
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/epoch_order.h"
#include "policy/micro_batch_plan.h"
#include "policy/packed_batch.h"
#include "trainer/lm_functions.h"
#include "trainer/lm_run.h"
#include "trainer/sft_config.h"
#include "trainer/sft_data.h"
#include "trainer/sft_loss.h"
#include "trainer/train_loop.h"
#include "trainer/train_model.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>

struct sft {
    const struct sft_data *data;
    struct model *model;
    struct epoch_order order;
    int64_t examples_per_step;
    int64_t *places; /* [examples_per_step] in the training set, of one step */
    struct packed_batch batch;
    int64_t micro_batch_tokens;
};

/* --- passes through the model --- */

struct pass {
    struct sft *sft;
    const struct token_set *set;
    const int64_t *places; /* [count] in the set; NULL: 0, 1, ... */
    int64_t count;
    enum tt_grad_mode grad;
    int64_t targets; /* that gradients are a mean over */
    struct sft_sums sums;
};

static struct token_sequence sequence_of(const struct pass *pass, int64_t i) {
    return token_set_at(pass->set, pass->places ? pass->places[i] : i);
}

static int64_t tokens_of(const void *context, int64_t unit, int64_t first) {
    (void)first;
    return sequence_of(context, unit).count;
}

static struct micro_batch_plan plan_of(const struct pass *pass) {
    return (struct micro_batch_plan){.count = pass->count,
                                     .tokens_max = pass->sft->micro_batch_tokens,
                                     .tokens_of = tokens_of,
                                     .context = pass};
}

static enum err_code run_pass(struct pass *pass, struct error *err) {
    const struct micro_batch_plan plan = plan_of(pass);
    struct sft *sft = pass->sft;
    for (int64_t first = 0, last = 0; first < plan.count; first = last) {
        last = micro_batch_end(&plan, first);
        packed_batch_reset(&sft->batch);
        for (int64_t i = first; i < last; i++) {
            const struct token_sequence text = sequence_of(pass, i);
            TRY(packed_batch_add(&sft->batch, text.ids, text.count, text.is_target, err));
        }
        TRY(packed_batch_fill(&sft->batch, PACKED_BATCH_ROWS, model_config_of(sft->model)->context,
                              err));
        TRY(sft_loss_add(sft->model, &sft->batch, pass->targets, pass->grad, &pass->sums, err));
    }
    return ERR_OK;
}

/* --- the recipe --- */

/* The examples of a step. */
static struct pass gather(struct sft *sft, int64_t step) {
    struct pass pass = {.sft = sft,
                        .set = &sft->data->training,
                        .places = sft->places,
                        .count = sft->examples_per_step,
                        .grad = TT_GRAD};
    for (int64_t i = 0; i < pass.count; i++) {
        sft->places[i] = epoch_order_at(&sft->order, step * pass.count + i);
        pass.targets += sequence_of(&pass, i).targets;
    }
    return pass;
}

static int64_t step_tokens(void *context, int64_t step) {
    const struct pass pass = gather(context, step);
    const struct micro_batch_plan plan = plan_of(&pass);
    return micro_batch_most(&plan);
}

static enum err_code gradients(void *context, int64_t step, struct train_row *out_row,
                               struct error *err) {
    struct pass pass = gather(context, step);
    const struct sft_sums *sums = &pass.sums;
    TRY(run_pass(&pass, err));
    train_row_add(out_row, "loss", sums->nll_nats / (double)sums->targets);
    train_row_add(out_row, "mean_token_accuracy", (double)sums->correct / (double)sums->targets);
    train_row_add(out_row, "entropy", sums->entropy_nats / (double)sums->targets);
    train_row_add(out_row, "target_tokens", (double)sums->targets);
    out_row->tokens = sums->tokens;
    return ERR_OK;
}

static enum err_code evaluate(void *context, int64_t examples, struct train_row *out_row,
                              struct error *err) {
    struct sft *sft = context;
    struct pass pass = {.sft = sft,
                        .set = &sft->data->validation,
                        .count = examples,
                        .grad = TT_NO_GRAD,
                        .targets = 1};
    const struct sft_sums *sums = &pass.sums;
    TRY(run_pass(&pass, err));
    const double loss = sums->nll_nats / (double)sums->targets;
    train_row_add(out_row, "eval_loss", loss);
    train_row_add(out_row, "eval_mean_token_accuracy",
                  (double)sums->correct / (double)sums->targets);
    train_row_add(out_row, "eval_entropy", sums->entropy_nats / (double)sums->targets);
    train_row_add(out_row, "eval_target_tokens", (double)sums->targets);
    out_row->tokens = sums->tokens;
    (void)snprintf(out_row->note, sizeof out_row->note, ", perplexity %.2f", exp(loss));
    return ERR_OK;
}

/* --- from beginning to end --- */

static enum err_code sft_init(struct sft *sft, const struct train_config *config,
                              const struct sft_data *data, struct model *model, struct error *err) {
    sft->data = data;
    sft->model = model;
    sft->examples_per_step = config->examples_per_step;
    sft->micro_batch_tokens = train_micro_batch_tokens(config, model);
    sft->places = mem_array((size_t)config->examples_per_step, sizeof *sft->places);
    if (!sft->places) {
        return err_oom(err, "examples of a step");
    }
    return epoch_order_init(&sft->order, data->training.count, config->run.seed, err);
}

static void sft_scoped_end(struct sft *sft) {
    packed_batch_deinit(&sft->batch);
    mem_free(sft->places);
    epoch_order_deinit(&sft->order);
}

enum err_code sft_run(struct run *run, const struct command_args *args, struct error *err) {
    const struct sft_config *config = run->config;
    const struct train_head head = {.kind = MODEL_HEAD_LM};
    struct train_base base;
    struct tt_device device;
    TRY(train_check_request(&config->train, args, err));
    TRY(lm_run_open(run, &device, err));
    SCOPED(tokenizer) struct tokenizer *tokenizer = NULL;
    SCOPED(sft_data) struct sft_data data = SFT_DATA_INIT;
    SCOPED(model) struct model *model = NULL;
    SCOPED(sft) struct sft sft = {.batch = PACKED_BATCH_INIT, .order = EPOCH_ORDER_INIT};
    TRY(train_model_open_tokenizer(&config->train, &tokenizer, err));
    TRY(train_model_look(&config->train, head.kind, &base, err));
    TRY(sft_data_read(run, &config->data, tokenizer, base.context, &data, err));
    const struct train_start start = {
        .config = &config->train, .device = device, .tokenizer = tokenizer, .head = head};
    TRY(train_model_open(run, &start, &model, err));
    TRY(sft_init(&sft, &config->train, &data, model, err));
    SCOPED(strbuf) struct strbuf next = STRBUF_INIT(PATH_MAX);
    if (config->train.train == TRAIN_LORA) {
        strbuf_addf(&next, "accord generate %s \"a question\" --adapter ", config->train.model);
    } else {
        strbuf_add(&next, "accord generate --prompts questions.jsonl ");
    }
    TRY(strbuf_check(&next, "the next command", err));
    const struct train_recipe recipe = {
        .name = "sft",
        .context = &sft,
        .next = strbuf_text(&next),
        .examples = data.training.count,
        .tokens = data.training.tokens,
        .target_tokens = token_set_targets(&data.training),
        .target_text = "are learnt",
        .evaluation_examples = data.validation.count,
        .evaluation_tokens = data.validation.tokens,
        .step_tokens = step_tokens,
        .gradients = gradients,
        .evaluate = evaluate,
    };
    struct train_job job = {
        .run = run,
        .recipe = &recipe,
        .model = model,
        .tokenizer = tokenizer,
        .base_hash = base.hash,
    };
    TRY(sft_data_hash(&data, &job.data_hash, err));
    return train_job_run(&job, args, err);
}
