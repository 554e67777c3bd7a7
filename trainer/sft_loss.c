/* sft_loss.c - see sft_loss.h; in the tensor half. */
#include "trainer/sft_loss.h"

#include "base/scoped.h"

enum err_code sft_loss_add(struct model *model, const struct packed_batch *batch,
                           int64_t step_targets, enum tt_grad_mode grad, struct sft_sums *sums,
                           struct error *err) {
    SCOPED(tt_scope) tt_scope *s = tt_scope_open_on(grad, model_device(model));
    tt_tensor *hidden = model_hidden(s, model, batch);                         /* [N, D] */
    const struct token_logp token = model_token_logp(s, model, hidden, batch); /* [M] nats */
    tt_tensor *nll = tt_neg(s, tt_sum(s, token.logp));                         /* [] nats */
    tt_tensor *entropy = tt_sum(s, tt_detach(s, token.entropy));               /* [] nats */
    tt_tensor *is_top = tt_ge(s, tt_detach(s, token.logp), token.top);
    tt_tensor *correct = tt_sum(s, tt_cast(s, is_top, TT_I64)); /* [] targets */
    double nll_nats = 0.0;
    double entropy_nats = 0.0;
    double correct_targets = 0.0;
    TRY(tt_item_f64(s, nll, &nll_nats, err));
    TRY(tt_item_f64(s, entropy, &entropy_nats, err));
    TRY(tt_item_f64(s, correct, &correct_targets, err));
    if (grad == TT_GRAD) {
        TRY(tt_backward(s, tt_scale(s, nll, 1.0 / (double)step_targets), err));
    }
    sums->nll_nats += nll_nats;
    sums->entropy_nats += entropy_nats;
    sums->correct += (int64_t)correct_targets;
    sums->targets += batch->targets;
    sums->tokens += batch->tokens - batch->fillers;
    return ERR_OK;
}
