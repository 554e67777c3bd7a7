/* score_tokens.c - makes a model of scores of a language model, saves it, and scores texts by it:
 * one half of scripts/bench/compare_scores.py.
 *
 * Use:      score_tokens BASE FOLDER all|lora PAD SEED TEXTS
 *           score_tokens models/smollm2 /tmp/out lora 0 1 texts.json
 * Does:     opens BASE in f32 with a random head, and with `lora` random adapters of q and down;
 *           saves the model in f32, or the adapters, to FOLDER, with PAD as pad_token_id.
 * Prints:   the score of each of TEXTS, a JSON array of arrays of token ids, a line each.
 */
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "policy/lora_adapter.h"
#include "policy/model_save.h"
#include "policy/model_scorer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS_MAX 2048

/* B is zero at first, and an adapter then nothing. */
static enum err_code draw_b(struct model *model, uint64_t seed, struct error *err) {
    SCOPED(lora_adapter) struct lora_adapter *adapter = NULL;
    TRY(model_take_adapter(model, &adapter, err));
    const int64_t rank = lora_adapter_config(adapter).rank;
    struct rng rng = rng_stream(seed, RNG_BENCH, 0, 0);
    for (int64_t layer = 0; layer < model_config_of(model)->layers; layer++) {
        for (enum model_role role = 0; role < MODEL_ROLE_COUNT; role++) {
            const struct lora_pair pair = lora_adapter_pair(adapter, role, layer);
            for (int64_t i = 0; pair.b && i < pair.out * rank; i++) {
                pair.b[i] = (float)(0.01 * rng_normal(&rng));
            }
        }
    }
    return model_put_adapter(model, adapter, err);
}

static enum err_code make_model(char **argv, struct model **out, struct error *err) {
    int64_t pad = 0;
    int64_t seed = 0;
    if (!number_parse_i64(argv[4], &pad) || !number_parse_i64(argv[5], &seed)) {
        return err_set(err, ERR_USAGE, "PAD '%s' or SEED '%s' is no number", argv[4], argv[5]);
    }
    const bool lora = strcmp(argv[3], "lora") == 0;
    const struct model_options options = {
        .compute = TT_F32,
        .training = lora ? MODEL_TRAIN_LORA : MODEL_FROZEN,
        .lora = {.rank = 4, .alpha = 8, .target_roles = 1U << MODEL_Q | 1U << MODEL_MLP_DOWN},
        .seed = (uint64_t)seed,
        .head = MODEL_HEAD_SCORE,
        .score_init_std = 1.0,
    };
    SCOPED(model) struct model *model = NULL;
    TRY(model_open(argv[1], &options, &model, err));
    TRY(model_set_pad(model, pad, err));
    if (lora) {
        TRY(draw_b(model, (uint64_t)seed, err));
    }
    const struct model_save_options saving = {
        .folder = argv[2], .dtype = WEIGHT_F32, .base = argv[1]};
    TRY(model_save(model, &saving, err));
    *out = MOVE(model);
    return ERR_OK;
}

static enum err_code read_text(const struct json *doc, const struct json_node *array,
                               int32_t ids[TOKENS_MAX], int64_t *out_count, struct error *err) {
    int64_t count = 0;
    for (const struct json_node *node = json_first(array); node; node = json_next(node)) {
        int64_t id = 0;
        TRY(json_as_i64(doc, node, &id, err));
        if (count == TOKENS_MAX) {
            return json_refuse(doc, array, err, "more than %d tokens", TOKENS_MAX);
        }
        ids[count] = (int32_t)id;
        count++;
    }
    *out_count = count;
    return ERR_OK;
}

static enum err_code run(char **argv, struct error *err) {
    SCOPED(json) struct json *doc = NULL;
    SCOPED(model) struct model *model = NULL;
    TRY(json_parse_file(argv[6], NULL, &doc, err));
    TRY(make_model(argv, &model, err));
    SCOPED(model_scorer) struct model_scorer scorer = {.model = model, .tokens_max = TOKENS_MAX};
    for (const struct json_node *text = json_first(json_root(doc)); text; text = json_next(text)) {
        static int32_t ids[TOKENS_MAX];
        struct token_sequence sequence = {.ids = ids};
        double score = 0.0;
        TRY(read_text(doc, text, ids, &sequence.count, err));
        TRY(model_scorer_score(&scorer, &sequence, 1, &score, err));
        (void)printf("%.9g\n", score);
    }
    return ERR_OK;
}

int main(int argc, char **argv) {
    struct error err = ERROR_INIT;
    if (argc != 7) {
        (void)fprintf(stderr, "usage: score_tokens BASE FOLDER all|lora PAD SEED TEXTS\n");
        return 2;
    }
    if (run(argv, &err) != ERR_OK) {
        (void)fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    return 0;
}
