/* sequence_logp.c - see sequence_logp.h. */
#include "trainer/sequence_logp.h"

#include "base/interrupt.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "policy/text_batches.h"

enum err_code sequence_logp_read(tt_scope *s, const struct token_logp *token,
                                 const struct packed_batch *batch, double log_alpha,
                                 struct sequence_logp *out, struct error *err) {
    SCOPED(mem) double *logp = mem_array((size_t)batch->targets, sizeof *logp);
    SCOPED(mem) double *entropy = mem_array((size_t)batch->targets, sizeof *entropy);
    if (!logp || !entropy) {
        return err_oom(err, "log-probabilities");
    }
    TRY(tt_read_f64(s, tt_cast(s, tt_detach(s, token->logp), TT_F64), logp, batch->targets, err));
    TRY(tt_read_f64(s, tt_cast(s, tt_detach(s, token->entropy), TT_F64), entropy, batch->targets,
                    err));
    for (int64_t k = 0; k < batch->added; k++) {
        out[k] = (struct sequence_logp){.logp = 0.0};
    }
    for (int64_t j = 0; j < batch->targets; j++) {
        struct sequence_logp *sequence = &out[batch->target_owners[j]];
        sequence->logp += logp[j];
        sequence->log_weight += logp[j] > log_alpha ? 0.0 : logp[j];
        sequence->entropy += entropy[j];
    }
    return ERR_OK;
}

/* Of the batch, into out [batch->added]. */
static enum err_code score_batch(const struct sequence_scorer *scorer,
                                 const struct packed_batch *batch, struct sequence_logp *out,
                                 struct error *err) {
    SCOPED(tt_scope) tt_scope *s = tt_scope_open_on(TT_NO_GRAD, model_device(scorer->model));
    tt_tensor *hidden = model_hidden(s, scorer->model, batch);                         /* [N, D] */
    const struct token_logp token = model_token_logp(s, scorer->model, hidden, batch); /* [M] */
    return sequence_logp_read(s, &token, batch, scorer->log_alpha, out, err);
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
