/* train_model.c - see train_model.h; in the tensor half. */
#include "trainer/train_model.h"

#include "base/json_writer.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "policy/model_tokenizer.h"
#include "policy/weight_source.h"

#include <string.h>

enum err_code train_model_open_tokenizer(const struct train_config *config, struct tokenizer **out,
                                         struct error *err) {
    if (!config->model[0]) {
        return err_set(err, ERR_USAGE, "start from what? give --model FOLDER, FILE or preset:NAME");
    }
    if (config->tokenizer[0]) {
        return model_tokenizer_open(config->tokenizer, out, err);
    }
    if (model_preset_of(config->model)) {
        return err_set(err, ERR_USAGE,
                       "'%s' has no tokenizer: train one by accord tokenizer train, and give "
                       "--tokenizer FOLDER",
                       config->model);
    }
    return model_tokenizer_open(config->model, out, err);
}

/* --- a look at the model ---------------------------------------------------------------------- */

static enum err_code hash_base(const struct model_config *model, const struct weight_source *frozen,
                               struct hash_digest *out, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(MIB);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
    struct hash_state state;
    model_config_write_json(model, "", &w);
    TRY(json_writer_finish(&w, err));
    TRY(hash_init(&state, err));
    hash_update(&state, text.bytes, text.length);
    if (frozen) {
        weight_source_hash(frozen, &state);
    }
    *out = hash_final(&state);
    return ERR_OK;
}

enum err_code train_model_look(const struct train_config *config, enum model_head_kind head,
                               struct train_base *out_base, struct error *err) {
    const char *name = model_preset_of(config->model);
    struct model_config preset;
    const struct model_config *model = &preset;
    SCOPED(weight_source) struct weight_source *source = NULL;
    if (name) {
        TRY(model_config_from_preset(name, &preset, err));
    } else {
        TRY(weight_source_open(config->model, &source, err));
        model = weight_source_config(source);
        if (head == MODEL_HEAD_LM) { /* scores are learnt from either */
            TRY(err_wrap(err, model_config_need_head(model, head, err), "'%s'", config->model));
        }
    }
    out_base->context = model->context;
    /* A preset's weights follow from its configuration and the run's. */
    return hash_base(model, config->train == TRAIN_LORA ? source : NULL, &out_base->hash, err);
}

/* --- adapters --------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum model_role role;
} targets[] = {
    {"q", MODEL_Q},           {"k", MODEL_K},           {"v", MODEL_V},
    {"out", MODEL_ATTN_OUT},  {"gate", MODEL_MLP_GATE}, {"up", MODEL_MLP_UP},
    {"down", MODEL_MLP_DOWN},
};

static enum err_code add_target(const char *name, const struct model_config *model, uint32_t *roles,
                                struct error *err) {
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        if (strcmp(targets[i].name, name) == 0) {
            /* "gate" of a model without one is passed over: the default names all. */
            *roles |= lora_can_target(model, targets[i].role) ? 1U << targets[i].role : 0;
            return ERR_OK;
        }
    }
    return err_set(err, ERR_CONFIG, "lora.targets: '%s' is not one of q, k, v, out, gate, up, down",
                   name);
}

static enum err_code lora_of(const struct train_config *config, const struct model_config *model,
                             struct lora_config *out, struct error *err) {
    *out = (struct lora_config){
        .rank = config->lora.rank,
        .alpha = config->lora.alpha,
        .rank_scaled = config->lora.rank_scaled,
    };
    for (int64_t i = 0; i < config->lora.targets.count; i++) {
        TRY(add_target(config->lora.targets.items[i], model, &out->target_roles, err));
    }
    return ERR_OK;
}

/* --- the model -------------------------------------------------------------------------------- */

enum err_code train_model_compute_dtype(const struct run *run, struct tt_device device,
                                        enum tt_dtype *out, struct error *err) {
    switch (run->settings->dtype) {
    case RUN_DTYPE_F32:
        *out = TT_F32;
        return ERR_OK;
    case RUN_DTYPE_BF16:
        *out = TT_BF16;
        return ERR_OK;
    case RUN_DTYPE_AUTO:
        break;
    }
    TRY(tt_device_matmul_dtype(device, out, err));
    log_info(run->log, "train", "computing in %s, the faster one on this device",
             tt_dtype_name(*out));
    return ERR_OK;
}

static enum err_code open_preset(const struct train_config *config, struct model_options *options,
                                 const struct tokenizer *tokenizer, struct model **out,
                                 struct error *err) {
    struct model_config model;
    TRY(model_config_from_preset(model_preset_of(config->model), &model, err));
    TRY(lora_of(config, &model, &options->lora, err));
    if (options->training == MODEL_TRAIN_LORA) {
        return err_set(
            err, ERR_USAGE,
            "train=lora saves adapters only, and nobody would have the random weights of "
            "'%s' that they belong to: use train=all",
            config->model);
    }
    model.vocab = tokenizer_count(tokenizer);
    model.bos = tokenizer_bos(tokenizer);
    model.pad = tokenizer_pad(tokenizer);
    model.eos_count = tokenizer_eos(tokenizer) >= 0 ? 1 : 0;
    model.eos[0] = tokenizer_eos(tokenizer);
    return model_new_random(&model, options, out, err);
}

enum err_code train_model_open(struct run *run, const struct train_start *start, struct model **out,
                               struct error *err) {
    const struct train_config *config = start->config;
    const struct tokenizer *tokenizer = start->tokenizer;
    struct model_options options = {
        .device = start->device,
        .training = config->train == TRAIN_LORA ? MODEL_TRAIN_LORA : MODEL_TRAIN_ALL,
        .recompute = config->recompute,
        .seed = run->settings->seed,
        .head = start->head.kind,
        .score_init_std = start->head.score_init_std,
        .value_scale = start->head.value_scale,
    };
    TRY(train_model_compute_dtype(run, start->device, &options.compute, err));
    if (model_preset_of(config->model)) {
        return open_preset(config, &options, tokenizer, out, err);
    }
    SCOPED(weight_source) struct weight_source *source = NULL;
    TRY(weight_source_open(config->model, &source, err));
    TRY(model_tokenizer_check(tokenizer, weight_source_config(source), err));
    TRY(lora_of(config, weight_source_config(source), &options.lora, err));
    return model_new(source, &options, out, err);
}
