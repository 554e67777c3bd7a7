/* model_save.c - see model_save.h. */
#include "policy/model_save.h"

#include "base/folder.h"
#include "base/rng.h"
#include "base/scoped.h"
#include "data/tokenizer.h"
#include "policy/lora_adapter.h"
#include "policy/weight_writer.h"

#include <math.h>
#include <string.h>

#define PROBE_TOKENS 32

static enum err_code read_parameter(void *context, const struct model_tensor *tensor,
                                    float *out_values, struct error *err) {
    return model_read(context, tensor->role, tensor->layer, out_values,
                      model_tensor_elements(tensor), err);
}

/* --- a whole model --- */

/* Some tokens of the vocabulary, always the same: one sequence for logits, each of its beginnings
 * for scores. */
static enum err_code make_probe(const struct model_config *config, struct packed_batch *out,
                                struct error *err) {
    int32_t ids[PROBE_TOKENS];
    const int64_t count = config->context < PROBE_TOKENS ? config->context : PROBE_TOKENS;
    struct rng rng = rng_stream(0, RNG_BENCH, 0, 0);
    for (int64_t i = 0; i < count; i++) {
        ids[i] = (int32_t)rng_below(&rng, config->vocab);
    }
    for (int64_t length = 1; config->head == MODEL_HEAD_SCORE && length < count; length++) {
        TRY(packed_batch_add(out, ids, length, NULL, err));
    }
    return packed_batch_add(out, ids, count, NULL, err);
}

/* Logits behind the last token of the probe [1, V], or scores [A]. */
static tt_tensor *probe(tt_scope *s, struct model *model, const struct packed_batch *batch) {
    tt_tensor *hidden = model_hidden(s, model, batch);
    const int64_t last = batch->tokens - 1;
    return model_config_of(model)->head == MODEL_HEAD_SCORE
               ? model_scores(s, model, hidden, batch)
               : model_logits(s, model, hidden, &last, 1);
}

static enum err_code compare_outputs(struct model *model, struct model *again,
                                     enum weight_dtype dtype, const char *folder,
                                     struct error *err) {
    SCOPED(packed_batch) struct packed_batch batch = PACKED_BATCH_INIT;
    SCOPED(tt_scope) tt_scope *s = tt_scope_open_on(TT_NO_GRAD, model_device(model));
    double largest = 0.0;
    double difference = 0.0;
    TRY(make_probe(model_config_of(model), &batch, err));
    tt_tensor *expected = probe(s, model, &batch);
    tt_tensor *got = probe(s, again, &batch);
    TRY(tt_item_f64(s, tt_max(s, tt_abs(s, expected)), &largest, err));
    TRY(tt_item_f64(s, tt_max(s, tt_abs(s, tt_sub(s, got, expected))), &difference, err));
    const bool exact = dtype == WEIGHT_F32 && model_options_of(model).compute == TT_F32;
    const double allowed = exact ? 0.0 : MODEL_SAVE_TOLERANCE * largest;
    if (!(difference <= allowed)) { /* also when not a number */
        return err_set(err, ERR_VERIFY,
                       "'%s' was written, but read back it gives other %s: %g apart, largest %g",
                       folder,
                       model_config_of(model)->head == MODEL_HEAD_SCORE ? "scores" : "logits",
                       difference, largest);
    }
    return ERR_OK;
}

static enum err_code write_whole(struct model *model, const char *folder,
                                 const struct model_save_options *options, struct error *err) {
    const struct weight_writer_job job = {
        .config = model_config_of(model),
        .dtype = options->dtype,
        .shard_bytes_max = WEIGHT_SHARD_BYTES,
        .threads = tt_threads(),
        .read = read_parameter,
        .context = model,
    };
    TRY(weight_writer_fill(folder, &job, err));
    struct model_options reading = model_options_of(model);
    reading.training = MODEL_FROZEN;
    reading.value_scale = 0.0;
    SCOPED(model) struct model *again = NULL;
    TRY(model_open(folder, &reading, &again, err));
    return compare_outputs(model, again, options->dtype, folder, err);
}

/* --- adapters --- */

/* What an adapter adds to a weight, scale B A: in `out` [elements]. */
static void update_of(const struct lora_adapter *adapter, const struct model_tensor *weight,
                      float *out) {
    memset(out, 0, (size_t)model_tensor_elements(weight) * sizeof *out);
    lora_adapter_merge(adapter, weight->role, weight->layer, out);
}

/* By what they do, since gpt2's parts come back with the rank of the module that joins them. Sums
 * of more terms round otherwise: 1e-6 of the largest element. */
static enum err_code compare_update(const struct lora_adapter *adapter,
                                    const struct lora_adapter *again,
                                    const struct model_tensor *weight, const char *folder,
                                    struct error *err) {
    const int64_t count = model_tensor_elements(weight);
    SCOPED(mem) float *expected = mem_array((size_t)count, sizeof *expected);
    SCOPED(mem) float *got = mem_array((size_t)count, sizeof *got);
    if (!expected || !got) {
        return err_oom(err, "comparison of adapters");
    }
    update_of(adapter, weight, expected);
    update_of(again, weight, got);
    double largest = 0.0;
    double difference = 0.0;
    for (int64_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs((double)expected[i]));
        difference = fmax(difference, fabs((double)got[i] - (double)expected[i]));
    }
    if (!(difference <= 1e-6 * largest)) {
        return err_set(err, ERR_VERIFY,
                       "'%s' was written, but read back it changes %s otherwise: %g apart, largest "
                       "%g",
                       folder, weight->name, difference, largest);
    }
    return ERR_OK;
}

static enum err_code compare_adapters(const struct lora_adapter *adapter,
                                      const struct lora_adapter *again, const char *folder,
                                      struct error *err) {
    const struct model_config *config = lora_adapter_model(adapter);
    const float *score = lora_adapter_score(adapter);
    if (score &&
        memcmp(lora_adapter_score(again), score, (size_t)config->hidden * sizeof *score) != 0) {
        return err_set(err, ERR_VERIFY,
                       "'%s' was written, but reads back with another score.weight", folder);
    }
    for (int64_t i = 0; i < model_layout_count(config); i++) {
        const struct model_tensor weight = model_layout_at(config, i);
        if (weight.layer >= 0 && lora_adapter_pair(adapter, weight.role, weight.layer).a) {
            TRY(compare_update(adapter, again, &weight, folder, err));
        }
    }
    return ERR_OK;
}

static enum err_code write_adapter(struct model *model, const char *folder,
                                   const struct model_save_options *options, struct error *err) {
    SCOPED(lora_adapter) struct lora_adapter *adapter = NULL;
    SCOPED(lora_adapter) struct lora_adapter *again = NULL;
    TRY(model_take_adapter(model, &adapter, err));
    TRY(lora_adapter_write(adapter, options->base, folder, err));
    TRY(lora_adapter_read(folder, model_config_of(model), &again, err));
    return compare_adapters(adapter, again, folder, err);
}

/* --- either --- */

struct saving {
    struct model *model;
    const struct model_save_options *options;
};

static enum err_code fill(void *context, const char *folder, struct error *err) {
    const struct saving *saving = context;
    const struct model_save_options *options = saving->options;
    if (options->tokenizer) {
        TRY(tokenizer_save(options->tokenizer, folder, err));
    }
    if (options->add_files) {
        TRY(options->add_files(options->context, folder, err));
    }
    return model_options_of(saving->model).training == MODEL_TRAIN_LORA
               ? write_adapter(saving->model, folder, options, err)
               : write_whole(saving->model, folder, options, err);
}

enum err_code model_save(struct model *model, const struct model_save_options *options,
                         struct error *err) {
    struct saving saving = {.model = model, .options = options};
    return folder_write_whole(options->folder, fill, &saving, err);
}
