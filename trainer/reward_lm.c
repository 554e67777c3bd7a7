/* reward_lm.c - see reward_lm.h. */
#include "trainer/reward_lm.h"

#include "base/array.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/answer_tokens.h"
#include "data/token_set.h"
#include "policy/model_scorer.h"
#include "policy/model_tokenizer.h"
#include "reward/reward_file.h"
#include "trainer/lm_run.h"
#include "trainer/saved_model.h"
#include "trainer/train_model.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>

/* Of one forward pass; activations without gradients take little. */
#define SCORER_TOKENS 2048

struct reward_lm {
    struct reward reward; /* first: what callers hold */
    char *folder;
    struct model *model;
    struct tokenizer *tokenizer;
    struct chat_format format;
    struct answer_tokens answer;
    struct model_scorer scorer;
    double temperature;
    /* of one call */
    struct token_set tokens;
    struct token_sequence *texts; /* [texts_capacity] */
    double *scores;
    int64_t *items; /* whose score each is */
    int64_t texts_capacity;
};

/* --- one call --------------------------------------------------------------------------------- */

/* Adds the tokens of an answer; NaN is its reward where it is too long. */
static enum err_code add_item(struct reward_lm *lm, const struct reward_item *item, int64_t index,
                              double *out_reward, struct error *err) {
    *out_reward = (double)NAN;
    const enum err_code code =
        answer_tokens_encode(&lm->format, item->prompt, item->response, &lm->answer, err);
    if (code == ERR_LIMIT) {
        *err = (struct error)ERROR_INIT;
        return ERR_OK;
    }
    if (code != ERR_OK) {
        return code;
    }
    const struct chat_tokens *tokens = &lm->answer.tokens;
    lm->items[lm->tokens.count] = index;
    return token_set_add(&lm->tokens, tokens->ids, tokens->is_target, tokens->count, err);
}

static enum err_code score(struct reward *reward, const struct reward_item *items, int64_t count,
                           double *out_rewards, struct error *err) {
    struct reward_lm *lm = (struct reward_lm *)reward;
    const struct array_ref arrays[] = {ARRAY_REF(lm->texts), ARRAY_REF(lm->scores),
                                       ARRAY_REF(lm->items)};
    TRY(arrays_reserve(arrays, 3, &lm->texts_capacity, count, "answers to score", err));
    token_set_deinit(&lm->tokens);
    for (int64_t i = 0; i < count; i++) {
        TRY(err_wrap(err, add_item(lm, &items[i], i, &out_rewards[i], err),
                     "answer %" PRId64 " of %" PRId64, i + 1, count));
    }
    for (int64_t t = 0; t < lm->tokens.count; t++) {
        lm->texts[t] = token_set_at(&lm->tokens, t);
    }
    TRY(model_scorer_score(&lm->scorer, lm->texts, lm->tokens.count, lm->scores, err));
    for (int64_t t = 0; t < lm->tokens.count; t++) {
        out_rewards[lm->items[t]] = lm->scores[t] / lm->temperature;
    }
    return ERR_OK;
}

/* --- what it follows from --------------------------------------------------------------------- */

static enum err_code hash(struct reward *reward, struct hash_state *state, struct error *err) {
    const struct reward_lm *lm = (const struct reward_lm *)reward;
    hash_update(state, &lm->temperature, sizeof lm->temperature);
    return saved_model_hash(lm->folder, state, err);
}

/* --- life ------------------------------------------------------------------------------------- */

static void free_lm(struct reward *reward) {
    struct reward_lm *lm = (struct reward_lm *)reward;
    model_scorer_deinit(&lm->scorer);
    model_free(lm->model);
    tokenizer_close(lm->tokenizer);
    answer_tokens_deinit(&lm->answer);
    token_set_deinit(&lm->tokens);
    mem_free(lm->texts);
    mem_free(lm->scores);
    mem_free(lm->items);
    mem_free(lm->folder);
    mem_free(lm);
}

static const struct reward_class class = {
    .name = "lm", .score = score, .hash = hash, .free = free_lm};

/* How the scores are to be read; without the file, as they come, in the tokenizer's template. */
static enum err_code read_file(struct run *run, const char *folder, struct reward_file *out,
                               struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    TRY(folder_path(folder, REWARD_FILE_NAME, &path, err));
    *out = reward_file_uncalibrated(TABULAR_BRADLEY_TERRY, (double)NAN);
    if (file_exists(strbuf_text(&path))) {
        TRY(reward_file_read(folder, out, err));
    }
    if (out->kind != REWARD_CALIBRATION_FITTED) {
        log_warn(run->log, "reward", "'%s': %s", folder, reward_calibration_text(out->kind));
    }
    return ERR_OK;
}

static enum err_code open_model(struct run *run, const char *folder, struct reward_lm *lm,
                                struct error *err) {
    struct model_options options = {.training = MODEL_FROZEN, .head = MODEL_HEAD_SCORE};
    TRY(lm_run_open(run, &options.device, err));
    TRY(train_model_compute_dtype(run, options.device, &options.compute, err));
    TRY(model_tokenizer_open(folder, &lm->tokenizer, err));
    TRY(saved_model_open(folder, &options, &lm->model, err));
    lm->scorer = (struct model_scorer){.model = lm->model, .tokens_max = SCORER_TOKENS};
    lm->format = (struct chat_format){.tok = lm->tokenizer,
                                      .tokens_max = model_config_of(lm->model)->context,
                                      .cut_prompt = true};
    struct reward_file file;
    TRY(read_file(run, folder, &file, err));
    lm->temperature = file.temperature;
    return chat_template_choose(file.template[0] ? file.template : NULL, lm->tokenizer,
                                &lm->format.template, err);
}

enum err_code reward_lm_open(struct run *run, const char *folder, struct reward **out_reward,
                             struct error *err) {
    struct reward_lm *lm = mem_array_zero(1, sizeof *lm);
    if (!lm) {
        return err_oom(err, "reward model");
    }
    SCOPED(reward) struct reward *reward = &lm->reward;
    reward->class = &class;
    lm->folder = mem_strdup(folder);
    if (!lm->folder) {
        return err_oom(err, "reward model");
    }
    TRY(open_model(run, folder, lm, err));
    *out_reward = MOVE(reward);
    return ERR_OK;
}
