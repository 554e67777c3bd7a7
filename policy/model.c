/* model.c - see model.h. */
#include "policy/model.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "policy/lora.h"
#include "policy/model_internal.h"
#include "policy/weight_source.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define VALUE_NAME "value.weight"

/* --- parameters ------------------------------------------------------------------------------- */

static struct tt_shape shape_of(const struct model_tensor *tensor) {
    return (struct tt_shape){.rank = tensor->dims, .dim = {tensor->shape[0], tensor->shape[1]}};
}

/* Frozen matrices are kept in the compute dtype; vectors, which cost nothing, in f32, and so is
 * score.weight, of whose products one a text is made. */
static enum tt_dtype dtype_of(const struct model *model, const struct model_tensor *tensor) {
    const bool frozen = model->options.training != MODEL_TRAIN_ALL;
    const bool narrow = frozen && tensor->dims == 2 && tensor->role != MODEL_SCORE;
    return narrow ? model->options.compute : TT_F32;
}

/* A new head is trained with the adapters, and so is in their store. */
static bool is_with_adapters(const struct model *model, const struct model_tensor *tensor) {
    return model->options.training == MODEL_TRAIN_LORA && tensor->role == MODEL_SCORE;
}

static enum err_code declare(const struct model *model, struct tt_params *params,
                             const struct model_tensor *tensor, bool trainable, struct error *err) {
    const struct tt_param_spec spec = {
        .name = tensor->name,
        .dtype = dtype_of(model, tensor),
        .shape = shape_of(tensor),
        .trainable = trainable,
        .decay = tensor->decay,
        .block = tensor->block_rows * tensor->shape[1],
    };
    return tt_params_declare(params, &spec, err);
}

/* Beside what is trained: no part of the layout, and so of no model file. */
static enum err_code declare_value(const struct model *model, struct tt_params *params,
                                   struct error *err) {
    if (!(model->options.value_scale > 0.0)) {
        return ERR_OK;
    }
    const struct tt_param_spec spec = {
        .name = VALUE_NAME,
        .dtype = TT_F32,
        .shape = TT_SHAPE(1, model->config.hidden),
        .trainable = true,
        .decay = true,
        .block = model->config.hidden,
    };
    return tt_params_declare(params, &spec, err);
}

static enum err_code make_params(struct model *model, struct error *err) {
    TRY(tt_params_new(model->options.device, &model->params, err));
    const int64_t count = model_layout_count(&model->config);
    for (int64_t i = 0; i < count; i++) {
        const struct model_tensor tensor = model_layout_at(&model->config, i);
        if (!is_with_adapters(model, &tensor)) {
            const bool trainable = model->options.training == MODEL_TRAIN_ALL;
            TRY(declare(model, model->params, &tensor, trainable, err));
        }
    }
    if (model->options.training == MODEL_TRAIN_ALL) {
        TRY(declare_value(model, model->params, err));
    }
    return tt_params_allocate(model->params, err);
}

/* Adapters have a store of their own, which is all that is then trained. */
static enum err_code make_adapters(struct model *model, struct error *err) {
    if (model->options.training != MODEL_TRAIN_LORA) {
        return ERR_OK;
    }
    const struct lora_config *lora = &model->options.lora;
    TRY(lora_config_check(lora, &model->config, err));
    model->lora_scale = lora_scale_of(lora);
    TRY(tt_params_new(model->options.device, &model->adapters, err));
    TRY(lora_declare(model->adapters, &model->config, lora, err));
    if (model_has_role(&model->config, MODEL_SCORE)) {
        const struct model_tensor score = model_layout_of(&model->config, MODEL_SCORE, -1);
        TRY(declare(model, model->adapters, &score, true, err));
    }
    TRY(declare_value(model, model->adapters, err));
    TRY(tt_params_allocate(model->adapters, err));
    return lora_init(model->adapters, &model->config, lora, model->options.seed, err);
}

/* Trained matrices are f32; products in bf16 read their shadow. */
static bool uses_shadow(const struct model *model) {
    return model->options.training == MODEL_TRAIN_ALL && model->options.compute == TT_BF16;
}

/* Looks the handles up once, so that a forward pass does no searching by name. */
static enum err_code find_handles(struct model *model, struct error *err) {
    SCOPED(tt_scope) tt_scope *s = tt_scope_open_on(TT_NO_GRAD, model->options.device);
    const int64_t count = model_layout_count(&model->config);
    for (int64_t i = 0; i < count; i++) {
        const struct model_tensor tensor = model_layout_at(&model->config, i);
        struct model_handles *handles = model_handles_of(model, tensor.layer);
        const bool with_adapters = is_with_adapters(model, &tensor);
        handles->role[tensor.role] =
            tt_param(s, with_adapters ? model->adapters : model->params, tensor.name);
        if (uses_shadow(model) && tensor.dims == 2) {
            handles->shadow[tensor.role] = tt_param_shadow(s, model->params, tensor.name);
        }
        if (model->options.training == MODEL_TRAIN_LORA && tensor.layer >= 0 &&
            lora_targets(&model->options.lora, tensor.role)) {
            char name[LORA_NAME_BYTES];
            lora_name(name, &tensor, LORA_A);
            handles->lora_a[tensor.role] = tt_param(s, model->adapters, name);
            lora_name(name, &tensor, LORA_B);
            handles->lora_b[tensor.role] = tt_param(s, model->adapters, name);
        }
    }
    if (model->options.value_scale > 0.0) {
        model->value = tt_param(s, model_trained(model), VALUE_NAME);
    }
    return tt_scope_check(s, err);
}

static enum err_code make_rope_table(struct model *model, struct error *err) {
    if (model->config.position != MODEL_POSITION_ROPE) {
        return ERR_OK;
    }
    const int64_t half = model->config.head_dim / 2;
    SCOPED(mem) float *frequencies = mem_array((size_t)half, sizeof *frequencies);
    if (!frequencies) {
        return err_oom(err, "rope frequencies");
    }
    model_rope_frequencies(&model->config, frequencies);
    SCOPED(tt_scope) tt_scope *s = tt_scope_open_on(TT_NO_GRAD, model->options.device);
    model->inverse_frequencies = tt_keep(s, tt_from_f32(s, frequencies, TT_SHAPE(half)));
    return tt_scope_check(s, err);
}

/* A language model may become one of scores; nothing else becomes another. */
static enum err_code set_head(struct model_config *config, const struct model_options *options,
                              struct error *err) {
    const bool may_value = options->training != MODEL_FROZEN && options->head == MODEL_HEAD_LM;
    if (!(options->value_scale >= 0.0) || (options->value_scale > 0.0 && !may_value)) {
        return err_set(err, ERR_CONFIG,
                       "value_scale %g: only language models in training value "
                       "states",
                       options->value_scale);
    }
    if (!isfinite(options->score_init_std) || options->score_init_std < 0.0) {
        return err_set(err, ERR_CONFIG, "score_init_std %g is negative or not finite",
                       options->score_init_std);
    }
    if (config->head == MODEL_HEAD_LM) {
        config->head = options->head;
    }
    return model_config_need_head(config, options->head, err);
}

/* A model whose parameters are all zero. */
static enum err_code make_model(const struct model_config *config,
                                const struct model_options *options, struct model **out_model,
                                struct error *err) {
    if (options->compute != TT_F32 && options->compute != TT_BF16) {
        return err_set(err, ERR_CONFIG, "a model computes in f32 or bf16, not %s",
                       tt_dtype_name(options->compute));
    }
    TRY(model_config_check(config, err));
    SCOPED(model) struct model *model = mem_array_zero(1, sizeof *model);
    if (!model) {
        return err_oom(err, "model");
    }
    model->config = *config;
    model->options = *options;
    TRY(set_head(&model->config, options, err));
    model->layers = mem_array_zero((size_t)config->layers, sizeof *model->layers);
    if (!model->layers) {
        return err_oom(err, "model layers");
    }
    TRY(make_params(model, err));
    if (uses_shadow(model)) {
        TRY(tt_params_add_shadow(model->params, err));
    }
    TRY(make_adapters(model, err));
    TRY(find_handles(model, err));
    TRY(make_rope_table(model, err));
    *out_model = MOVE(model);
    return ERR_OK;
}

void model_free(struct model *model) {
    if (!model) {
        return;
    }
    tt_free(model->inverse_frequencies);
    tt_params_free(model->adapters);
    tt_params_free(model->params);
    mem_free(model->layers);
    mem_free(model);
}

/* --- values ----------------------------------------------------------------------------------- */

/* Copies host values into a parameter. */
static enum err_code put(const struct model *model, tt_tensor *parameter, float *values,
                         struct error *err) {
    SCOPED(tt_scope) tt_scope *s = tt_scope_open(TT_NO_GRAD);
    tt_tensor *host = tt_borrow(s, TT_F32, values, tt_shape_of(parameter));
    tt_tensor *rounded = tt_cast(s, host, tt_dtype_of(parameter));
    tt_copy_inplace(s, parameter, tt_to_device(s, rounded, model->options.device));
    return tt_scope_check(s, err);
}

/* Every tensor of the layout in turn through one buffer. */
typedef enum err_code (*fill_values)(const void *context, const struct model_tensor *tensor,
                                     int64_t index, float *out_values, struct error *err);

static int64_t largest_tensor(const struct model_config *config) {
    int64_t largest = 0;
    for (int64_t i = 0; i < model_layout_count(config); i++) {
        const struct model_tensor tensor = model_layout_at(config, i);
        const int64_t elements = model_tensor_elements(&tensor);
        largest = elements > largest ? elements : largest;
    }
    return largest;
}

static enum err_code fill(struct model *model, fill_values fill_one, const void *context,
                          struct error *err) {
    SCOPED(mem) float *values = mem_array((size_t)largest_tensor(&model->config), sizeof *values);
    if (!values) {
        return err_oom(err, "weights");
    }
    for (int64_t i = 0; i < model_layout_count(&model->config); i++) {
        const struct model_tensor tensor = model_layout_at(&model->config, i);
        tt_tensor *parameter = model_handles_of(model, tensor.layer)->role[tensor.role];
        TRY(fill_one(context, &tensor, i, values, err));
        TRY(put(model, parameter, values, err));
    }
    return ERR_OK;
}

#define WEIGHT_DEVIATION 0.02

/* Deviation of a new matrix's elements. */
static double deviation_of(const struct model *model, const struct model_tensor *tensor) {
    if (tensor->role == MODEL_SCORE) {
        return model->options.score_init_std / sqrt((double)model->config.hidden);
    }
    const bool to_residual = tensor->role == MODEL_ATTN_OUT || tensor->role == MODEL_MLP_DOWN;
    const double scale = to_residual ? 1.0 / sqrt(2.0 * (double)model->config.layers) : 1.0;
    return WEIGHT_DEVIATION * scale;
}

static bool is_bias(const struct model_tensor *tensor) {
    const char *suffix = strrchr(tensor->name, '.');
    return suffix && strcmp(suffix, ".bias") == 0;
}

static enum err_code draw_random(const void *context, const struct model_tensor *tensor,
                                 int64_t index, float *out_values, struct error *err) {
    (void)err;
    const struct model *model = context;
    const int64_t count = model_tensor_elements(tensor);
    const double deviation = deviation_of(model, tensor);
    const float constant = is_bias(tensor) ? 0.0F : 1.0F;
    struct rng rng = rng_stream(model->options.seed, RNG_INIT, 0, index);
    for (int64_t i = 0; i < count; i++) {
        out_values[i] = tensor->dims == 2 ? (float)(rng_normal(&rng) * deviation) : constant;
    }
    return ERR_OK;
}

enum err_code model_new_random(const struct model_config *config,
                               const struct model_options *options, struct model **out_model,
                               struct error *err) {
    SCOPED(model) struct model *model = NULL;
    TRY(make_model(config, options, &model, err));
    TRY(fill(model, draw_random, model, err));
    *out_model = MOVE(model);
    return ERR_OK;
}

struct reading {
    const struct model *model;
    const struct weight_source *source;
    const struct lora_adapter *adapter; /* NULL: none */
};

/* What the source has, with the adapter; a score.weight that neither has is new. */
static enum err_code read_source(const void *context, const struct model_tensor *tensor,
                                 int64_t index, float *out_values, struct error *err) {
    const struct reading *reading = context;
    const struct model_config *config = weight_source_config(reading->source);
    if (!reading->adapter && !model_has_role(config, tensor->role)) {
        return draw_random(reading->model, tensor, index, out_values, err);
    }
    return lora_adapter_read_weight(reading->adapter, reading->source, tensor, tt_threads(),
                                    out_values, err);
}

static enum err_code read_model(const struct weight_source *source,
                                const struct lora_adapter *adapter,
                                const struct model_options *options, struct model **out_model,
                                struct error *err) {
    SCOPED(model) struct model *model = NULL;
    TRY(make_model(weight_source_config(source), options, &model, err));
    const struct reading reading = {.model = model, .source = source, .adapter = adapter};
    TRY(fill(model, read_source, &reading, err));
    *out_model = MOVE(model);
    return ERR_OK;
}

enum err_code model_new(const struct weight_source *source, const struct model_options *options,
                        struct model **out_model, struct error *err) {
    return read_model(source, NULL, options, out_model, err);
}

enum err_code model_new_merged(const struct weight_source *base, const struct lora_adapter *adapter,
                               const struct model_options *options, struct model **out_model,
                               struct error *err) {
    TRY(model_config_need_head(lora_adapter_model(adapter), options->head, err));
    return read_model(base, adapter, options, out_model, err);
}

enum err_code model_open(const char *path, const struct model_options *options,
                         struct model **out_model, struct error *err) {
    const char *preset = model_preset_of(path);
    if (preset) {
        struct model_config config;
        TRY(model_config_from_preset(preset, &config, err));
        return model_new_random(&config, options, out_model, err);
    }
    SCOPED(weight_source) struct weight_source *source = NULL;
    TRY(weight_source_open(path, &source, err));
    return model_new(source, options, out_model, err);
}

/* --- reading ---------------------------------------------------------------------------------- */

const struct model_config *model_config_of(const struct model *model) {
    return &model->config;
}

struct model_options model_options_of(const struct model *model) {
    return model->options;
}

struct tt_device model_device(const struct model *model) {
    return model->options.device;
}

enum err_code model_set_pad(struct model *model, int64_t pad, struct error *err) {
    struct model_config changed = model->config;
    changed.pad = pad;
    TRY(model_config_check(&changed, err));
    TRY(model_config_check_pad(&changed, err));
    model->config = changed;
    return ERR_OK;
}

struct tt_params *model_trained(struct model *model) {
    switch (model->options.training) {
    case MODEL_TRAIN_ALL:
        return model->params;
    case MODEL_TRAIN_LORA:
        return model->adapters;
    case MODEL_FROZEN:
        break;
    }
    return NULL;
}

enum err_code model_read(const struct model *model, enum model_role role, int64_t layer,
                         float *out_values, int64_t count, struct error *err) {
    SCOPED(tt_scope) tt_scope *s = tt_scope_open(TT_NO_GRAD);
    const struct model_handles *handles = layer < 0 ? &model->outside : &model->layers[layer];
    const tt_tensor *parameter = handles->role[role];
    tt_tensor *wide = tt_cast(s, parameter, TT_F32);
    return tt_read_f32(s, tt_to_device(s, wide, (struct tt_device){TT_CPU, 0}), out_values, count,
                       err);
}

/* The weight with what its adapter adds: W + scale B A. */
static tt_tensor *merged(tt_scope *s, const struct model *model,
                         const struct model_handles *handles, enum model_role role) {
    tt_tensor *wide = tt_cast(s, handles->role[role], TT_F32);
    if (!handles->lora_a[role]) {
        return wide;
    }
    tt_tensor *update = tt_matmul(s, handles->lora_b[role], handles->lora_a[role]);
    return tt_add(s, wide, tt_scale(s, update, model->lora_scale));
}

enum err_code model_read_merged(const struct model *model, const struct model_tensor *tensor,
                                float *out_values, struct error *err) {
    SCOPED(tt_scope) tt_scope *s = tt_scope_open_on(TT_NO_GRAD, model->options.device);
    const struct model_handles *handles =
        tensor->layer < 0 ? &model->outside : &model->layers[tensor->layer];
    tt_tensor *values = merged(s, model, handles, tensor->role);
    const int64_t count = model_tensor_elements(tensor);
    return tt_read_f32(s, tt_to_device(s, values, (struct tt_device){TT_CPU, 0}), out_values, count,
                       err);
}

/* --- adapters --------------------------------------------------------------------------------- */

static enum err_code need_adapters(const struct model *model, struct error *err) {
    return model->adapters ? ERR_OK
                           : err_set(err, ERR_INTERNAL, "the model was made without adapters");
}

enum err_code model_take_adapter(struct model *model, struct lora_adapter **out,
                                 struct error *err) {
    TRY(need_adapters(model, err));
    SCOPED(lora_adapter) struct lora_adapter *adapter = NULL;
    TRY(lora_adapter_new(&model->config, &model->options.lora, &adapter, err));
    TRY(lora_take(model->adapters, adapter, err));
    *out = MOVE(adapter);
    return ERR_OK;
}

enum err_code model_put_adapter(struct model *model, const struct lora_adapter *adapter,
                                struct error *err) {
    TRY(need_adapters(model, err));
    TRY(model_config_need_head(lora_adapter_model(adapter), model->config.head, err));
    const struct lora_config have = model->options.lora;
    const struct lora_config given = lora_adapter_config(adapter);
    if (have.rank != given.rank || have.target_roles != given.target_roles ||
        lora_scale_of(&have) != lora_scale_of(&given)) {
        return err_set(err, ERR_CONFIG,
                       "the adapter has rank %" PRId64 " and scale %g, the model's rank %" PRId64
                       " and scale %g, or their targets differ",
                       given.rank, lora_scale_of(&given), have.rank, lora_scale_of(&have));
    }
    return lora_put(model->adapters, adapter, err);
}
