/* saved_model.c - see saved_model.h. */
#include "trainer/saved_model.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "policy/lora_adapter.h"
#include "policy/weight_source.h"

#include <limits.h>

/* A language model asked for scores would get a new head, whose scores mean nothing. */
static enum err_code open_whole(const char *path, const struct model_options *options,
                                struct model **out, struct error *err) {
    SCOPED(weight_source) struct weight_source *source = NULL;
    TRY(weight_source_open(path, &source, err));
    TRY(err_wrap(err, model_config_need_head(weight_source_config(source), options->head, err),
                 "'%s'", path));
    return model_new(source, options, out, err);
}

/* An adapter merged into what its files say that it was trained on. */
static enum err_code open_adapted(const char *folder, const struct model_options *options,
                                  struct model **out, struct error *err) {
    SCOPED(strbuf) struct strbuf base = STRBUF_INIT(PATH_MAX);
    SCOPED(weight_source) struct weight_source *source = NULL;
    SCOPED(lora_adapter) struct lora_adapter *adapter = NULL;
    TRY(lora_adapter_base(folder, &base, err));
    TRY(err_wrap(err, weight_source_open(strbuf_text(&base), &source, err),
                 "the model that adapter '%s' was trained on", folder));
    TRY(lora_adapter_read(folder, weight_source_config(source), &adapter, err));
    return model_new_merged(source, adapter, options, out, err);
}

enum err_code saved_model_open(const char *path, const struct model_options *options,
                               struct model **out_model, struct error *err) {
    return lora_adapter_is_in(path) ? open_adapted(path, options, out_model, err)
                                    : open_whole(path, options, out_model, err);
}

enum err_code saved_model_hash(const char *path, struct hash_state *state, struct error *err) {
    if (model_preset_of(path)) {
        return ERR_OK;
    }
    if (lora_adapter_is_in(path)) {
        SCOPED(strbuf) struct strbuf adapters = STRBUF_INIT(PATH_MAX);
        struct hash_digest digest;
        TRY(folder_path(path, "adapter_model.safetensors", &adapters, err));
        TRY(hash_file(strbuf_text(&adapters), &digest, err));
        hash_update(state, &digest, sizeof digest);
        return ERR_OK;
    }
    SCOPED(weight_source) struct weight_source *source = NULL;
    TRY(weight_source_open(path, &source, err));
    weight_source_hash(source, state);
    return ERR_OK;
}
