/* model_scorer.c - see model_scorer.h. */
#include "policy/model_scorer.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "policy/prefix_groups.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* A group's place among those made, and the tokens to compute for it. */
struct ranked_group {
    int64_t group;
    int64_t tokens;
};

/* Longest first. */
static int compare_groups(const void *left, const void *right) {
    const struct ranked_group *a = left;
    const struct ranked_group *b = right;
    if (a->tokens != b->tokens) {
        return a->tokens > b->tokens ? -1 : 1;
    }
    return a->group < b->group ? -1 : 1;
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

static enum err_code check_texts(const struct model_config *config,
                                 const struct token_sequence *texts, int64_t count,
                                 struct error *err) {
    for (int64_t i = 0; i < count; i++) {
        TRY(check_text(config, &texts[i], i, err));
    }
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
    struct prefix_groups groups;
    struct ranked_group *ranked; /* [groups.count] */
    double *scores;              /* room for those of a batch: [texts] */
};

static void scoring_scoped_end(struct scoring *scoring) {
    prefix_groups_deinit(&scoring->groups);
    mem_free(scoring->ranked);
    mem_free(scoring->scores);
}

static enum err_code prepare(const struct model_scorer *scorer, const struct token_sequence *texts,
                             int64_t count, struct scoring *scoring, struct error *err) {
    struct prefix_groups *groups = &scoring->groups;
    TRY(prefix_groups_make(texts, count, scorer->tokens_max, groups, err));
    scoring->ranked = mem_array((size_t)groups->count, sizeof *scoring->ranked);
    scoring->scores = mem_array((size_t)count, sizeof *scoring->scores);
    if (!scoring->ranked || !scoring->scores) {
        return err_oom(err, "scores");
    }
    for (int64_t g = 0; g < groups->count; g++) {
        const struct token_sequence *first = &groups->texts[groups->starts[g]];
        const int64_t members = groups->starts[g + 1] - groups->starts[g];
        scoring->ranked[g] =
            (struct ranked_group){.group = g, .tokens = packed_batch_tokens_of(first, members)};
    }
    qsort(scoring->ranked, (size_t)groups->count, sizeof *scoring->ranked, compare_groups);
    return ERR_OK;
}

/* As many groups from the `begin`th on as fit one pass, into the batch; at least one. */
static enum err_code pack(struct model_scorer *scorer, const struct scoring *scoring, int64_t begin,
                          int64_t *out_end, struct error *err) {
    struct packed_batch *batch = &scorer->batch;
    const struct prefix_groups *groups = &scoring->groups;
    int64_t end = begin;
    packed_batch_reset(batch);
    for (; end < groups->count; end++) {
        const struct ranked_group *next = &scoring->ranked[end];
        const int64_t first = groups->starts[next->group];
        if (end > begin && batch->tokens + next->tokens > scorer->tokens_max) {
            break;
        }
        TRY(packed_batch_add_texts(batch, groups->texts + first,
                                   groups->starts[next->group + 1] - first, err));
    }
    *out_end = end;
    return ERR_OK;
}

/* The scores of a batch, of the groups [begin, end), to where their texts belong. */
static enum err_code hand_out(const struct scoring *scoring, int64_t begin, int64_t end,
                              double *out_scores, struct error *err) {
    const struct prefix_groups *groups = &scoring->groups;
    const double *score = scoring->scores;
    for (int64_t r = begin; r < end; r++) {
        const int64_t group = scoring->ranked[r].group;
        for (int64_t t = groups->starts[group]; t < groups->starts[group + 1]; t++, score++) {
            if (!isfinite(*score)) {
                return err_set(err, ERR_DATA, "text %" PRId64 " scores %g: the model is damaged",
                               groups->indices[t], *score);
            }
            out_scores[groups->indices[t]] = *score;
        }
    }
    return ERR_OK;
}

enum err_code model_scorer_score(struct model_scorer *scorer, const struct token_sequence *texts,
                                 int64_t count, double *out_scores, struct error *err) {
    const struct model_config *config = model_config_of(scorer->model);
    SCOPED(scoring) struct scoring scoring = {.groups = PREFIX_GROUPS_INIT};
    TRY(model_config_need_head(config, MODEL_HEAD_SCORE, err));
    if (scorer->tokens_max < 1) {
        return err_set(err, ERR_USAGE, "%" PRId64 " tokens in a forward pass", scorer->tokens_max);
    }
    if (count == 0) {
        return ERR_OK;
    }
    TRY(check_texts(config, texts, count, err));
    TRY(prepare(scorer, texts, count, &scoring, err));
    for (int64_t begin = 0, end = 0; begin < scoring.groups.count; begin = end) {
        TRY(pack(scorer, &scoring, begin, &end, err));
        TRY(score_batch(scorer, scoring.scores, err));
        TRY(hand_out(&scoring, begin, end, out_scores, err));
    }
    return ERR_OK;
}

void model_scorer_deinit(struct model_scorer *scorer) {
    packed_batch_deinit(&scorer->batch);
    *scorer = (struct model_scorer){.model = NULL};
}
