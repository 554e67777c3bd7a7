/* model_scorer.c - see model_scorer.h. */
#include "policy/model_scorer.h"

#include "base/mem.h"
#include "base/scoped.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* A text's place among those given, and its tokens. */
struct ranked_text {
    int64_t index;
    int64_t tokens;
};

/* Longest first; equally long ones in the order given. */
static int compare_texts(const void *left, const void *right) {
    const struct ranked_text *a = left;
    const struct ranked_text *b = right;
    if (a->tokens != b->tokens) {
        return a->tokens > b->tokens ? -1 : 1;
    }
    return a->index < b->index ? -1 : 1;
}

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

static enum err_code rank_texts(const struct model_config *config,
                                const struct token_sequence *texts, int64_t count,
                                struct ranked_text *ranked, struct error *err) {
    for (int64_t i = 0; i < count; i++) {
        TRY(check_text(config, &texts[i], i, err));
        ranked[i] = (struct ranked_text){.index = i, .tokens = texts[i].count};
    }
    qsort(ranked, (size_t)count, sizeof *ranked, compare_texts);
    return ERR_OK;
}

/* Scores of the batch [A], in its order. */
static enum err_code score_batch(struct model_scorer *scorer, double *out, struct error *err) {
    struct packed_batch *batch = &scorer->batch;
    SCOPED(tt_scope) tt_scope *s = tt_scope_open_on(TT_NO_GRAD, model_device(scorer->model));
    TRY(packed_batch_fill(batch, PACKED_BATCH_ROWS, model_config_of(scorer->model)->context, err));
    tt_tensor *hidden = model_hidden(s, scorer->model, batch);         /* [N, D] */
    tt_tensor *scores = model_scores(s, scorer->model, hidden, batch); /* [A] */
    return tt_read_f64(s, tt_cast(s, scores, TT_F64), out, batch->added, err);
}

/* One call's work. */
struct scoring {
    const struct token_sequence *texts;
    struct ranked_text *ranked; /* [count] */
    int64_t count;
    double *scores; /* room for those of a batch: [count] */
};

/* As many texts from the `first` on as fit one pass, into the batch; at least one. */
static enum err_code pack(struct model_scorer *scorer, const struct scoring *scoring, int64_t first,
                          struct error *err) {
    struct packed_batch *batch = &scorer->batch;
    packed_batch_reset(batch);
    for (int64_t i = first; i < scoring->count; i++) {
        const struct token_sequence *text = &scoring->texts[scoring->ranked[i].index];
        if (i > first && batch->tokens + text->count > scorer->tokens_max) {
            break;
        }
        TRY(packed_batch_add(batch, text->ids, text->count, NULL, err));
    }
    return ERR_OK;
}

static enum err_code score_ranked(struct model_scorer *scorer, const struct scoring *scoring,
                                  double *out_scores, struct error *err) {
    for (int64_t first = 0; first < scoring->count; first += scorer->batch.added) {
        TRY(pack(scorer, scoring, first, err));
        TRY(score_batch(scorer, scoring->scores, err));
        for (int64_t i = 0; i < scorer->batch.added; i++) {
            const int64_t index = scoring->ranked[first + i].index;
            const double score = scoring->scores[i];
            if (!isfinite(score)) {
                return err_set(err, ERR_DATA, "text %" PRId64 " scores %g: the model is damaged",
                               index, score);
            }
            out_scores[index] = score;
        }
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
    SCOPED(mem) struct ranked_text *ranked = mem_array((size_t)count, sizeof *ranked);
    SCOPED(mem) double *scores = mem_array((size_t)count, sizeof *scores);
    if (!ranked || !scores) {
        return err_oom(err, "scores");
    }
    TRY(rank_texts(config, texts, count, ranked, err));
    const struct scoring scoring = {texts, ranked, count, scores};
    return score_ranked(scorer, &scoring, out_scores, err);
}

void model_scorer_deinit(struct model_scorer *scorer) {
    packed_batch_deinit(&scorer->batch);
    *scorer = (struct model_scorer){.model = NULL};
}
