/* weight_hf.c - folders as Hugging Face tools write them; see weight_files.h. */
#include "base/folder.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "policy/weight_files.h"
#include "policy/weight_index.h"

#include <inttypes.h>
#include <string.h>

#define PATH_BYTES_MAX ((size_t)16 * 1024)

/* "<folder>/<name>", owned by the arena. */
static enum err_code join(struct weight_files *files, const char *folder, const char *name,
                          const char **out, struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_BYTES_MAX);
    TRY(folder_path(folder, name, &path, err));
    *out = arena_strndup(&files->texts, strbuf_text(&path), path.length);
    return *out ? ERR_OK : err_oom(err, "a path");
}

#define EXPECTED "expected a Hugging Face folder, a GGUF file or a llama2.c file"

static enum err_code holds_adapter(const char *folder, bool *out, struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_BYTES_MAX);
    TRY(folder_path(folder, "adapter_config.json", &path, err));
    *out = file_exists(strbuf_text(&path));
    return ERR_OK;
}

/* Of a path where no config.json is. */
static enum err_code refuse_place(const char *path, struct error *err) {
    if (model_preset_of(path)) {
        return err_set(err, ERR_DATA,
                       "'%s' is a shape without weights: train it by accord sft; here " EXPECTED,
                       path);
    }
    if (!file_exists(path)) {
        return err_set(err, ERR_DATA, "there is no '%s': " EXPECTED, path);
    }
    bool is_adapter = false;
    TRY(holds_adapter(path, &is_adapter, err));
    if (is_adapter) {
        return err_set(err, ERR_DATA,
                       "'%s' holds an adapter, no model: give 'accord generate' its model and "
                       "--adapter, or merge them by 'accord model merge'",
                       path);
    }
    return err_set(err, ERR_DATA, "'%s' has no config.json: " EXPECTED, path);
}

static enum err_code read_config(const char *folder, struct weight_files *files,
                                 struct error *err) {
    const char *path = NULL;
    TRY(join(files, folder, "config.json", &path, err));
    if (!file_exists(path)) {
        return refuse_place(folder, err);
    }
    SCOPED(json) struct json *doc = NULL;
    TRY(json_parse_file(path, NULL, &doc, err));
    TRY(model_config_from_json(doc, &files->config, err));
    TRY(join(files, folder, "generation_config.json", &path, err));
    if (files->config.head != MODEL_HEAD_LM || !file_exists(path)) {
        return ERR_OK;
    }
    SCOPED(json) struct json *generation = NULL;
    TRY(json_parse_file(path, NULL, &generation, err));
    return model_config_read_generation(generation, &files->config, err);
}

/* ---- tensors ---- */

static struct stored_tensor stored_from(const struct safetensors_tensor *tensor, const char *file) {
    struct stored_tensor stored = {.name = tensor->name,
                                   .file = file,
                                   .type_name = safetensors_dtype_name(tensor->dtype),
                                   .dims = tensor->dims,
                                   .data = tensor->data,
                                   .bytes = tensor->bytes};
    if (tensor->dims == 1 || tensor->dims == 2) {
        stored.shape[0] = tensor->shape[0];
        stored.shape[1] = tensor->dims == 2 ? tensor->shape[1] : 1;
    }
    stored.readable = true;
    if (tensor->dtype == SAFETENSORS_F32) {
        stored.type = KERNEL_QUANT_F32;
    } else if (tensor->dtype == SAFETENSORS_F16) {
        stored.type = KERNEL_QUANT_F16;
    } else if (tensor->dtype == SAFETENSORS_BF16) {
        stored.type = KERNEL_QUANT_BF16;
    } else {
        stored.readable = false;
    }
    return stored;
}

static enum err_code open_shard(const char *folder, const char *name, struct weight_files *files,
                                struct error *err) {
    const char *path = NULL;
    TRY(join(files, folder, name, &path, err));
    int64_t bytes = 0;
    TRY(file_size(path, &bytes, err));
    TRY(safetensors_open(path, &files->shards[files->shards_count], err));
    files->shards_count++;
    files->files++;
    files->bytes += bytes;
    return ERR_OK;
}

static enum err_code reserve_shards(struct weight_files *files, int64_t count, struct error *err) {
    files->shards = mem_array_zero((size_t)count, sizeof *files->shards);
    return files->shards ? ERR_OK : err_oom(err, "files of weights");
}

/* Every tensor of every shard. */
static enum err_code collect(struct weight_files *files, const char *const *names,
                             struct error *err) {
    int64_t count = 0;
    for (int64_t s = 0; s < files->shards_count; s++) {
        count += safetensors_count(files->shards[s]);
    }
    TRY(weight_files_reserve(files, count, err));
    for (int64_t s = 0; s < files->shards_count; s++) {
        const char *file = arena_strndup(&files->texts, names[s], strlen(names[s]));
        if (!file) {
            return err_oom(err, "names of files");
        }
        for (int64_t i = 0; i < safetensors_count(files->shards[s]); i++) {
            files->stored[files->stored_count++] =
                stored_from(safetensors_at(files->shards[s], i), file);
        }
    }
    return ERR_OK;
}

static enum err_code check_index(const char *folder, const struct weight_index *index,
                                 const struct weight_files *files, struct error *err) {
    int64_t total = 0;
    for (int64_t i = 0; i < files->stored_count; i++) {
        const struct stored_tensor *stored = &files->stored[i];
        const char *expected = weight_index_find(index, stored->name);
        if (!expected || strcmp(expected, stored->file) != 0) {
            return err_set(err, ERR_DATA,
                           "'%s': '%s' is in %s, but the index says %s; the files are not of one "
                           "model, fetch it again",
                           folder, stored->name, stored->file, expected ? expected : "nothing");
        }
        total += (int64_t)stored->bytes;
    }
    if (files->stored_count != index->tensors) {
        return err_set(err, ERR_DATA,
                       "'%s': the index names %" PRId64 " tensors, the files hold %" PRId64
                       "; fetch the model again",
                       folder, index->tensors, files->stored_count);
    }
    if (index->total_size >= 0 && index->total_size != total) {
        return err_set(err, ERR_DATA,
                       "'%s': the index states %" PRId64 " bytes of weights, the files hold "
                       "%" PRId64 "; fetch the model again, or remove metadata.total_size if the "
                       "files are known to be right",
                       folder, index->total_size, total);
    }
    return ERR_OK;
}

static enum err_code open_sharded(const char *folder, const char *index_path,
                                  struct weight_files *files, struct error *err) {
    SCOPED(weight_index) struct weight_index *index = NULL;
    TRY(weight_index_open(index_path, &index, err));
    TRY(reserve_shards(files, index->files_count, err));
    for (int64_t i = 0; i < index->files_count; i++) {
        TRY(open_shard(folder, index->files[i], files, err));
    }
    TRY(collect(files, index->files, err));
    return check_index(folder, index, files, err);
}

static enum err_code refuse_folder(const char *folder, struct weight_files *files,
                                   struct error *err) {
    static const char *const pickles[] = {"pytorch_model.bin", "pytorch_model.bin.index.json"};
    for (size_t i = 0; i < sizeof pickles / sizeof *pickles; i++) {
        const char *path = NULL;
        TRY(join(files, folder, pickles[i], &path, err));
        if (file_exists(path)) {
            return err_set(err, ERR_DATA,
                           "'%s' has its weights as %s, a pickle, which is a program: not read. "
                           "Fetch the safetensors of the model, or write them with transformers: "
                           "AutoModelForCausalLM.from_pretrained(a).save_pretrained(b)",
                           folder, pickles[i]);
        }
    }
    return err_set(err, ERR_DATA,
                   "'%s' has neither model.safetensors nor model.safetensors.index.json", folder);
}

enum err_code weight_files_open_folder(const char *folder, struct weight_files *files,
                                       struct error *err) {
    files->names = MODEL_NAMES_HF;
    files->format = "safetensors";
    TRY(read_config(folder, files, err));
    const char *single = "model.safetensors";
    const char *path = NULL;
    TRY(join(files, folder, single, &path, err));
    if (file_exists(path)) {
        TRY(reserve_shards(files, 1, err));
        TRY(open_shard(folder, single, files, err));
        return collect(files, &single, err);
    }
    TRY(join(files, folder, "model.safetensors.index.json", &path, err));
    return file_exists(path) ? open_sharded(folder, path, files, err)
                             : refuse_folder(folder, files, err);
}
