/* model_scorer.c - see model_scorer.h. */
#include "policy/model_scorer.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "policy/text_batches.h"

#include <inttypes.h>
#include <math.h>

static enum err_code check_text(const struct model_config *config,
                                const struct token_sequence *text, int64_t index,
                                struct error *err) {
    if (text->count < 1 || text->count > config->context) {
        return err_set(err, ERR_DATA,
                       "text %" PRId64 " has %" PRId64 " tokens; the model takes 1 to %" PRId64,
                       index, text->count, config->context);
    }
    for (int64_t t = 0; t < text->count; t++) {
        if (text->ids[t] < 0 || text->ids[t] >= config->vocab) {
            return err_set(err, ERR_DATA,
                           "text %" PRId64 ": token %" PRId64 " has id %" PRId32
                           ", outside the vocabulary of %" PRId64,
                           index, t, text->ids[t], config->vocab);
        }
    }
    return ERR_OK;
}

static enum err_code check_texts(const struct model_config *config,
                                 const struct token_sequence *texts, int64_t count,
                                 struct error *err) {
    for (int64_t i = 0; i < count; i++) {
        TRY(check_text(config, &texts[i], i, err));
    }
    return ERR_OK;
}

/* Scores of the batch [A], in its order. */
static enum err_code score_batch(const struct model_scorer *scorer, double *out,
                                 struct error *err) {
    const struct packed_batch *batch = &scorer->batch;
    SCOPED(tt_scope) tt_scope *s = tt_scope_open_on(TT_NO_GRAD, model_device(scorer->model));
    tt_tensor *hidden = model_hidden(s, scorer->model, batch);         /* [N, D] */
    tt_tensor *scores = model_scores(s, scorer->model, hidden, batch); /* [A] */
    return tt_read_f64(s, tt_cast(s, scores, TT_F64), out, batch->added, err);
}

/* The scores [A] of a batch to where their texts belong. */
static enum err_code hand_out(const struct text_batches *batches, const double *scores,
                              int64_t count, double *out_scores, struct error *err) {
    for (int64_t k = 0; k < count; k++) {
        const int64_t place = text_batches_place(batches, k);
        if (!isfinite(scores[k])) {
            return err_set(err, ERR_DATA, "text %" PRId64 " scores %g: the model is damaged", place,
                           scores[k]);
        }
        out_scores[place] = scores[k];
    }
    return ERR_OK;
}

static enum err_code score_texts(struct model_scorer *scorer, const struct token_sequence *texts,
                                 int64_t count, double *out_scores, struct error *err) {
    const struct text_batches_options options = {.want = PACKED_ENDS,
                                                 .tokens_max = scorer->tokens_max,
                                                 .context =
                                                     model_config_of(scorer->model)->context};
    SCOPED(text_batches) struct text_batches batches = TEXT_BATCHES_INIT;
    SCOPED(mem) double *scores = mem_array((size_t)count, sizeof *scores);
    if (!scores) {
        return err_oom(err, "scores");
    }
    TRY(text_batches_init(&batches, &options, texts, count, err));
    while (batches.done < count) {
        TRY(text_batches_next(&batches, &scorer->batch, err));
        TRY(score_batch(scorer, scores, err));
        TRY(hand_out(&batches, scores, scorer->batch.added, out_scores, err));
    }
    return ERR_OK;
}

enum err_code model_scorer_score(struct model_scorer *scorer, const struct token_sequence *texts,
                                 int64_t count, double *out_scores, struct error *err) {
    const struct model_config *config = model_config_of(scorer->model);
    TRY(model_config_need_head(config, MODEL_HEAD_SCORE, err));
    if (scorer->tokens_max < 1) {
        return err_set(err, ERR_USAGE, "%" PRId64 " tokens in a forward pass", scorer->tokens_max);
    }
    if (count == 0) {
        return ERR_OK;
    }
    TRY(check_texts(config, texts, count, err));
    return score_texts(scorer, texts, count, out_scores, err);
}

void model_scorer_deinit(struct model_scorer *scorer) {
    packed_batch_deinit(&scorer->batch);
    *scorer = (struct model_scorer){.model = NULL};
}
