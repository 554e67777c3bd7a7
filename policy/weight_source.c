/* weight_source.c - see weight_source.h. What each format knows of its files: weight_files.h. */
#include "policy/weight_source.h"

#include "base/invariant.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "policy/weight_files.h"
#include "policy/weight_values.h"
#include "tensor/kernels/kernel_dequant.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TEXT_BYTES_MAX (64 * MIB)

/* A tensor of the layout and where it lies. */
struct bound_tensor {
    struct stored_tensor *stored;
    struct weight_place place;
};

struct weight_source {
    char *path;
    struct weight_files files;
    struct bound_tensor *bound; /* by place in the layout */
    char *stored_as;
};

const char *weight_dtype_name(enum weight_dtype dtype) {
    static const char *const names[] = {
        [WEIGHT_F32] = "F32", [WEIGHT_BF16] = "BF16", [WEIGHT_F16] = "F16"};
    return names[dtype];
}

const char *weight_dtype_torch_name(enum weight_dtype dtype) {
    static const char *const names[] = {
        [WEIGHT_F32] = "float32", [WEIGHT_BF16] = "bfloat16", [WEIGHT_F16] = "float16"};
    return names[dtype];
}

int64_t weight_dtype_bytes(enum weight_dtype dtype) {
    return dtype == WEIGHT_F32 ? 4 : 2;
}

/* ---- what the formats share ---- */

enum err_code weight_files_reserve(struct weight_files *files, int64_t count, struct error *err) {
    files->stored = mem_array_zero((size_t)count, sizeof *files->stored);
    return files->stored ? ERR_OK : err_oom(err, "tensors of a model");
}

void weight_files_deinit(struct weight_files *files) {
    for (int64_t i = 0; i < files->shards_count; i++) {
        safetensors_close(files->shards[i]);
    }
    mem_free(files->shards);
    gguf_close(files->gguf);
    file_map_close(&files->map);
    mem_free(files->stored);
    arena_deinit(&files->texts);
    *files = (struct weight_files){.texts = ARENA_INIT(TEXT_BYTES_MAX)};
}

/* ---- binding stored tensors to the layout ---- */

static int compare_stored(const void *left, const void *right) {
    const struct stored_tensor *a = left;
    const struct stored_tensor *b = right;
    return strcmp(a->name, b->name);
}

static struct stored_tensor *find_stored(const struct weight_files *files, const char *name) {
    const struct stored_tensor wanted = {.name = name};
    return bsearch(&wanted, files->stored, (size_t)files->stored_count, sizeof *files->stored,
                   compare_stored);
}

static enum err_code sort_stored(const char *path, struct weight_files *files, struct error *err) {
    qsort(files->stored, (size_t)files->stored_count, sizeof *files->stored, compare_stored);
    for (int64_t i = 1; i < files->stored_count; i++) {
        if (compare_stored(&files->stored[i - 1], &files->stored[i]) == 0) {
            return err_set(err, ERR_DATA, "'%s': '%s' is in %s and again in %s", path,
                           files->stored[i].name, files->stored[i - 1].file, files->stored[i].file);
        }
    }
    return ERR_OK;
}

/* Files of the class without a head leave out the first word of every name. */
static bool is_bare(const struct weight_files *files, const struct model_family_table *table) {
    char name[MODEL_PUBLISHED_BYTES];
    model_family_spell(table, model_family_entry(table, MODEL_EMBED), -1, true, name);
    return find_stored(files, name) != NULL;
}

static enum err_code check_stored(const char *path, const struct bound_tensor *bound,
                                  struct error *err) {
    const struct stored_tensor *stored = bound->stored;
    if (!stored->readable) {
        return err_set(err, ERR_DATA,
                       "'%s': '%s' is stored as %s; F32, F16 and BF16 are read: fetch or write the "
                       "model in one of those",
                       path, stored->name, stored->type_name);
    }
    int64_t shape[2];
    model_family_stored_shape(bound->place.entry, &bound->place.tensor, shape);
    if (stored->dims != bound->place.tensor.dims || stored->shape[0] != shape[0] ||
        stored->shape[1] != shape[1]) {
        return err_set(err, ERR_DATA,
                       "'%s': '%s' (%" PRId64 " dimensions, [%" PRId64 ", %" PRId64
                       "]) should be [%" PRId64 ", %" PRId64 "] by the configuration",
                       path, stored->name, stored->dims, stored->shape[0], stored->shape[1],
                       shape[0], shape[1]);
    }
    return ERR_OK;
}

static enum err_code bind_tensor(struct weight_source *source,
                                 const struct model_family_table *table, bool bare,
                                 struct bound_tensor *bound, struct error *err) {
    const struct model_tensor *tensor = &bound->place.tensor;
    char name[MODEL_PUBLISHED_BYTES];
    bound->place.entry = model_family_entry(table, tensor->role);
    if (!bound->place.entry) {
        return err_set(err, ERR_DATA, "'%s': a %s in %s files has no '%s'", source->path,
                       model_family_name(source->files.config.family), source->files.format,
                       tensor->name);
    }
    model_family_spell(table, bound->place.entry, tensor->layer, bare, name);
    bound->stored = find_stored(&source->files, name);
    if (!bound->stored) {
        return err_set(err, ERR_DATA, "'%s': '%s' is missing%s", source->path, name,
                       tensor->role == MODEL_HEAD
                           ? ": an untied model without its head is no language model"
                           : "; fetch the model again");
    }
    bound->stored->used = true;
    return check_stored(source->path, bound, err);
}

static enum err_code bind_layout(struct weight_source *source, struct error *err) {
    const struct model_config *config = &source->files.config;
    const struct model_family_table *table =
        model_family_table(config->family, source->files.names);
    const bool bare = is_bare(&source->files, table);
    const int64_t count = model_layout_count(config);
    source->bound = mem_array_zero((size_t)count, sizeof *source->bound);
    if (!source->bound) {
        return err_oom(err, "tensors of a model");
    }
    for (int64_t i = 0; i < count; i++) {
        struct bound_tensor *bound = &source->bound[i];
        bound->place.tensor = model_layout_at(config, i);
        bound->place.head_dim = config->head_dim;
        TRY(bind_tensor(source, table, bare, bound, err));
    }
    return ERR_OK;
}

/* A head that is stored although it is the embedding (older writers do). */
static enum err_code check_tied_head(const struct weight_source *source, struct error *err) {
    const struct model_config *config = &source->files.config;
    const struct model_family_table *table =
        model_family_table(config->family, source->files.names);
    char name[MODEL_PUBLISHED_BYTES];
    model_family_spell(table, model_family_entry(table, MODEL_HEAD), -1, false, name);
    const bool is_tied = config->head == MODEL_HEAD_LM && config->tied_head;
    struct stored_tensor *head = is_tied ? find_stored(&source->files, name) : NULL;
    if (!head) {
        return ERR_OK;
    }
    const struct stored_tensor *embed = source->bound[0].stored;
    if (strcmp(head->type_name, embed->type_name) != 0 || head->bytes != embed->bytes ||
        memcmp(head->data, embed->data, head->bytes) != 0) {
        return err_set(
            err, ERR_DATA,
            "'%s': '%s' differs from '%s', but the configuration says that they are one; "
            "set tie_word_embeddings to false if the head is its own",
            source->path, head->name, embed->name);
    }
    head->used = true;
    return ERR_OK;
}

static enum err_code check_unused(const struct weight_source *source, struct error *err) {
    const struct weight_files *files = &source->files;
    int64_t unused = 0;
    const char *first = NULL;
    for (int64_t i = 0; i < files->stored_count; i++) {
        const struct stored_tensor *stored = &files->stored[i];
        if (!stored->used && !model_family_ignores(files->names, stored->name)) {
            first = first ? first : stored->name;
            unused++;
        }
    }
    if (unused == 0) {
        return ERR_OK;
    }
    const bool is_score = strcmp(first, "score.weight") == 0;
    return err_set(err, ERR_DATA,
                   "'%s': a %s with this configuration has no '%s' (%" PRId64 " such tensors): %s",
                   source->path, model_family_name(files->config.family), first, unused,
                   is_score ? "a reward model says what it is in 'architectures' of config.json"
                            : "loading the rest would be another model");
}

/* ---- opening ---- */

static enum err_code open_file(const char *path, struct weight_files *files, struct error *err) {
    SCOPED(file_map) struct file_map map = FILE_MAP_INIT;
    TRY(file_map_open(path, &map, err));
    if (gguf_recognise(map.bytes, map.count)) {
        return weight_files_open_gguf(path, files, err);
    }
    if (weight_files_is_llama2c(map.bytes, map.count)) {
        return weight_files_open_llama2c(path, files, err);
    }
    const bool safetensors = map.count > 9 && map.bytes[8] == '{';
    return err_set(err, ERR_DATA, "'%s' is neither GGUF nor llama2.c (version 0)%s", path,
                   safetensors ? "; for safetensors, name the folder with its config.json" : "");
}

static enum err_code open_files(const char *path, struct weight_files *files, struct error *err) {
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISDIR(status.st_mode)) {
        return open_file(path, files, err);
    }
    return weight_files_open_folder(path, files, err);
}

/* "Q4_1 x 210, F32 x 61", in the order of the formats. */
static enum err_code describe_types(struct weight_source *source, struct error *err) {
    int64_t counts[KERNEL_QUANT_TYPE_COUNT] = {0};
    for (int64_t i = 0; i < source->files.stored_count; i++) {
        const struct stored_tensor *stored = &source->files.stored[i];
        if (stored->used) {
            counts[stored->type]++;
        }
    }
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(KIB);
    for (int t = 0; t < (int)KERNEL_QUANT_TYPE_COUNT; t++) {
        if (counts[t] > 0) {
            strbuf_addf(&text, "%s%s x %" PRId64, text.length > 0 ? ", " : "",
                        kernel_quant_name((enum kernel_quant_type)t), counts[t]);
        }
    }
    TRY(strbuf_check(&text, "stored types", err));
    source->stored_as = strbuf_detach(&text);
    return source->stored_as ? ERR_OK : err_oom(err, "stored types");
}

enum err_code weight_source_open(const char *path, struct weight_source **out, struct error *err) {
    SCOPED(weight_source) struct weight_source *source = mem_array_zero(1, sizeof *source);
    if (!source) {
        return err_oom(err, "a source of weights");
    }
    source->files = (struct weight_files){.texts = ARENA_INIT(TEXT_BYTES_MAX)};
    source->path = mem_strdup(path);
    if (!source->path) {
        return err_oom(err, "a source of weights");
    }
    TRY(open_files(path, &source->files, err));
    TRY(sort_stored(path, &source->files, err));
    TRY(bind_layout(source, err));
    TRY(check_tied_head(source, err));
    TRY(check_unused(source, err));
    TRY(describe_types(source, err));
    *out = MOVE(source);
    return ERR_OK;
}

void weight_source_close(struct weight_source *source) {
    if (source) {
        weight_files_deinit(&source->files);
        mem_free(source->bound);
        mem_free(source->stored_as);
        mem_free(source->path);
        mem_free(source);
    }
}

const struct model_config *weight_source_config(const struct weight_source *source) {
    return &source->files.config;
}

struct weight_source_facts weight_source_describe(const struct weight_source *source) {
    return (struct weight_source_facts){
        .format = source->files.format,
        .stored_as = source->stored_as,
        .files = source->files.files,
        .bytes = source->files.bytes,
        .parameters = model_parameters(&source->files.config),
    };
}

const struct gguf *weight_source_gguf(const struct weight_source *source) {
    return source->files.gguf;
}

void weight_source_hash(const struct weight_source *source, struct hash_state *state) {
    const int64_t count = model_layout_count(&source->files.config);
    for (int64_t i = 0; i < count; i++) {
        const struct stored_tensor *stored = source->bound[i].stored;
        const uint64_t bytes = stored->bytes;
        hash_update(state, stored->name, strlen(stored->name) + 1);
        hash_update(state, stored->type_name, strlen(stored->type_name) + 1);
        hash_update(state, stored->shape, sizeof stored->shape);
        hash_update(state, &bytes, sizeof bytes);
        hash_update(state, stored->data, stored->bytes);
    }
}

/* ---- values ---- */

static enum err_code check_finite(const struct weight_source *source,
                                  const struct bound_tensor *bound, const float *values,
                                  int64_t count, struct error *err) {
    const int64_t bad = weight_values_find_bad(values, count);
    if (bad < 0) {
        return ERR_OK;
    }
    const int64_t columns = bound->place.tensor.shape[1];
    return err_set(err, ERR_DATA,
                   "'%s': '%s', our %s[%" PRId64 ", %" PRId64 "], is %g; the model is damaged",
                   source->path, bound->stored->name, bound->place.tensor.name, bad / columns,
                   bad % columns, (double)values[bad]);
}

/* All values of the stored tensor, in f32. */
static void dequantise(const struct stored_tensor *stored, int64_t elements, int64_t threads,
                       float *out) {
    kernel_dequant_cpu(
        &(struct kernel_dequant_args){
            .type = stored->type, .blocks = stored->data, .values = out, .n = elements},
        (struct kernel_cpu){.threads = (int)threads});
}

static enum err_code read_f32(const struct weight_source *source, const struct bound_tensor *bound,
                              int64_t threads, float *out, int64_t count, struct error *err) {
    if (bound->place.entry->transform == MODEL_PLAIN) {
        dequantise(bound->stored, count, threads, out);
        return check_finite(source, bound, out, count, err);
    }
    const int64_t elements = bound->stored->shape[0] * bound->stored->shape[1];
    SCOPED(mem) float *stored = mem_array((size_t)elements, sizeof *stored);
    if (!stored) {
        return err_oom(err, "values of a tensor");
    }
    dequantise(bound->stored, elements, threads, stored);
    weight_values_place(&bound->place, stored, out);
    return check_finite(source, bound, out, count, err);
}

static enum err_code check_f16(const struct weight_source *source, const struct bound_tensor *bound,
                               const float *values, int64_t count, struct error *err) {
    const int64_t large = weight_values_find_f16(values, count);
    return large < 0
               ? ERR_OK
               : err_set(err, ERR_DATA, "'%s': '%s' holds %g, which f16 cannot: take bf16 or f32",
                         source->path, bound->stored->name, (double)values[large]);
}

enum err_code weight_source_read(const struct weight_source *source,
                                 const struct model_tensor *tensor, enum weight_dtype dtype,
                                 int64_t threads, void *out_values, struct error *err) {
    ASSERT_LE(1, threads);
    const struct bound_tensor *bound =
        &source->bound[model_layout_index(&source->files.config, tensor->role, tensor->layer)];
    const int64_t count = model_tensor_elements(&bound->place.tensor);
    ASSERT_EQ(count, model_tensor_elements(tensor));
    if (dtype == WEIGHT_F32) {
        return read_f32(source, bound, threads, out_values, count, err);
    }
    SCOPED(mem) float *values = mem_array((size_t)count, sizeof *values);
    if (!values) {
        return err_oom(err, "values of a tensor");
    }
    TRY(read_f32(source, bound, threads, values, count, err));
    if (dtype == WEIGHT_F16) {
        TRY(check_f16(source, bound, values, count, err));
    }
    weight_values_round(dtype, values, count, threads, out_values);
    return ERR_OK;
}
