/* recipe_sft.c - accord sft: supervised fine-tuning. In the tensor half.
 *
 * One step: the next examples of a shuffled epoch, cut into micro-batches of at most
 * micro_batch_tokens; gradients of the mean loss over all target tokens of the step.
 */
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/epoch_order.h"
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
    struct token_sequence *sequences; /* [examples_per_step], of one step */
    struct packed_batch batch;
    int64_t micro_batch_tokens;
};

/* --- micro-batches --- */

static enum err_code flush(struct sft *sft, int64_t step_targets, enum tt_grad_mode grad,
                           struct sft_sums *sums, struct error *err) {
    if (sft->batch.sequences == 0) {
        return ERR_OK;
    }
    TRY(packed_batch_fill(&sft->batch, PACKED_BATCH_ROWS, model_config_of(sft->model)->context,
                          err));
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

/* --- the recipe --- */

/* Into sft->sequences; returns how many targets they have together. */
static int64_t gather(struct sft *sft, int64_t step) {
    int64_t targets = 0;
    for (int64_t i = 0; i < sft->examples_per_step; i++) {
        const int64_t place = epoch_order_at(&sft->order, step * sft->examples_per_step + i);
        sft->sequences[i] = token_set_at(&sft->data->training, place);
        targets += sft->sequences[i].targets;
    }
    return targets;
}

static int64_t step_tokens(void *context, int64_t step) {
    struct sft *sft = context;
    int64_t tokens = 0;
    int64_t most = 0;
    (void)gather(sft, step);
    for (int64_t i = 0; i < sft->examples_per_step; i++) {
        const int64_t count = sft->sequences[i].count;
        tokens = tokens + count > sft->micro_batch_tokens ? count : tokens + count;
        most = tokens > most ? tokens : most;
    }
    return most;
}

static enum err_code gradients(void *context, int64_t step, struct train_row *out_row,
                               struct error *err) {
    struct sft *sft = context;
    struct sft_sums sums = {.targets = 0};
    const int64_t targets = gather(sft, step);
    for (int64_t i = 0; i < sft->examples_per_step; i++) {
        TRY(take(sft, &sft->sequences[i], targets, TT_GRAD, &sums, err));
    }
    TRY(flush(sft, targets, TT_GRAD, &sums, err));
    train_row_add(out_row, "loss", sums.nll_nats / (double)sums.targets);
    train_row_add(out_row, "mean_token_accuracy", (double)sums.correct / (double)sums.targets);
    train_row_add(out_row, "entropy", sums.entropy_nats / (double)sums.targets);
    train_row_add(out_row, "target_tokens", (double)sums.targets);
    out_row->tokens = sums.tokens;
    return ERR_OK;
}

static enum err_code evaluate(void *context, int64_t examples, struct train_row *out_row,
                              struct error *err) {
    struct sft *sft = context;
    struct sft_sums sums = {.targets = 0};
    for (int64_t i = 0; i < examples; i++) {
        const struct token_sequence sequence = token_set_at(&sft->data->validation, i);
        TRY(take(sft, &sequence, 1, TT_NO_GRAD, &sums, err));
    }
    TRY(flush(sft, 1, TT_NO_GRAD, &sums, err));
    const double loss = sums.nll_nats / (double)sums.targets;
    train_row_add(out_row, "eval_loss", loss);
    train_row_add(out_row, "eval_mean_token_accuracy", (double)sums.correct / (double)sums.targets);
    train_row_add(out_row, "eval_entropy", sums.entropy_nats / (double)sums.targets);
    train_row_add(out_row, "eval_target_tokens", (double)sums.targets);
    out_row->tokens = sums.tokens;
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
    sft->sequences = mem_array((size_t)config->examples_per_step, sizeof *sft->sequences);
    if (!sft->sequences) {
        return err_oom(err, "sequences of a step");
    }
    return epoch_order_init(&sft->order, data->training.count, config->run.seed, err);
}

static void sft_scoped_end(struct sft *sft) {
    packed_batch_deinit(&sft->batch);
    mem_free(sft->sequences);
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
