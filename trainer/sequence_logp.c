/* sequence_logp.c - see sequence_logp.h. */
#include "trainer/sequence_logp.h"

#include "base/interrupt.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "policy/text_batches.h"

/* Numbers of the targets, on the host. */
struct target_numbers {
    double *logp, *entropy, *top, *mean_logit; /* [M] */
};

static void target_numbers_scoped_end(struct target_numbers *numbers) {
    mem_free(numbers->logp);
    mem_free(numbers->entropy);
    mem_free(numbers->top);
    mem_free(numbers->mean_logit);
}

/* `values` NULL: zeros. */
static enum err_code read_numbers(tt_scope *s, const tt_tensor *values, int64_t count, double **out,
                                  struct error *err) {
    *out = mem_array_zero((size_t)count, sizeof **out);
    if (!*out) {
        return err_oom(err, "log-probabilities");
    }
    return values ? tt_read_f64(s, tt_cast(s, tt_detach(s, values), TT_F64), *out, count, err)
                  : ERR_OK;
}

enum err_code sequence_logp_read(tt_scope *s, const struct sequence_targets *targets,
                                 const struct packed_batch *batch, struct sequence_logp *out,
                                 struct error *err) {
    const struct token_logp *token = &targets->token;
    SCOPED(target_numbers) struct target_numbers numbers = {.logp = NULL};
    TRY(read_numbers(s, token->logp, batch->targets, &numbers.logp, err));
    TRY(read_numbers(s, token->entropy, batch->targets, &numbers.entropy, err));
    TRY(read_numbers(s, token->top, batch->targets, &numbers.top, err));
    TRY(read_numbers(s, targets->mean_logit, batch->targets, &numbers.mean_logit, err));
    for (int64_t k = 0; k < batch->added; k++) {
        out[k] = (struct sequence_logp){.logp = 0.0};
    }
    for (int64_t j = 0; j < batch->targets; j++) {
        struct sequence_logp *sequence = &out[batch->target_owners[j]];
        sequence->logp += numbers.logp[j];
        sequence->log_weight += numbers.logp[j] > targets->log_alpha ? 0.0 : numbers.logp[j];
        sequence->entropy += numbers.entropy[j];
        sequence->mean_logit += numbers.mean_logit[j];
        sequence->top += numbers.logp[j] >= numbers.top[j] ? 1.0 : 0.0;
    }
    return tt_scope_check(s, err);
}

/* Of the batch, into out [batch->added]. */
static enum err_code score_batch(const struct sequence_scorer *scorer,
                                 const struct packed_batch *batch, struct sequence_logp *out,
                                 struct error *err) {
    struct model *model = scorer->model;
    SCOPED(tt_scope) tt_scope *s = tt_scope_open_on(TT_NO_GRAD, model_device(model));
    tt_tensor *hidden = model_hidden(s, model, batch); /* [N, D] */
    const struct sequence_targets targets = {
        .token = model_token_logp(s, model, hidden, batch), /* [M] */
        .mean_logit = scorer->has_mean_logit ? model_mean_logits(s, model, hidden, batch) : NULL,
        .log_alpha = scorer->log_alpha};
    return sequence_logp_read(s, &targets, batch, out, err);
}

enum err_code sequence_logp_all(const struct sequence_scorer *scorer,
                                const struct token_sequence *texts, int64_t count,
                                struct sequence_logp *out, struct error *err) {
    const struct text_batches_options options = {.want = PACKED_TARGETS,
                                                 .tokens_max = scorer->tokens_max,
                                                 .context =
                                                     model_config_of(scorer->model)->context};
    SCOPED(text_batches) struct text_batches batches = TEXT_BATCHES_INIT;
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    SCOPED(mem) struct sequence_logp *sums = mem_array((size_t)count, sizeof *sums);
    if (!sums) {
        return err_oom(err, "log-probabilities");
    }
    TRY(text_batches_init(&batches, &options, texts, count, err));
    while (batches.done < count) {
        TRY(text_batches_next(&batches, &batch, err));
        TRY(score_batch(scorer, &batch, sums, err));
        for (int64_t k = 0; k < batch.added; k++) {
            out[text_batches_place(&batches, k)] = sums[k];
        }
        if (scorer->progress) {
            progress_update(scorer->progress, batches.done);
        }
        if (interrupt_requested()) {
            return err_set(err, ERR_INTERRUPTED, "stopped while answers were read");
        }
    }
    return ERR_OK;
}
