/* weight_writer.c - see weight_writer.h. */
#include "policy/weight_writer.h"

#include "base/file_atomic.h"
#include "base/folder.h"
#include "base/hash.h"
#include "base/json_writer.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "policy/model_family.h"
#include "policy/weight_values.h"
#include "tensor/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES_MAX  ((size_t)16 * 1024)
#define JSON_BYTES_MAX  ((size_t)64 * 1024 * 1024)
#define SHARDS_MAX      99999
#define FILE_NAME_BYTES 64

/* A tensor of the file, and those of ours that it holds: three where q, k and v are joined. */
struct written_tensor {
    char name[MODEL_PUBLISHED_BYTES];
    int64_t parts[3]; /* places in the layout */
    int64_t parts_count;
    int64_t shape[2];
    int64_t dims;
    int64_t bytes;
    int64_t shard; /* from 0 */
    struct hash_key hash;
};

struct plan {
    const struct weight_writer_job *job;
    const struct model_family_table *table;
    struct written_tensor *tensors;
    int64_t count;
    int64_t shards;
    int64_t total_bytes;
    int64_t first_of_shard; /* of the shard being written */
};

static void plan_scoped_end(struct plan *plan) {
    mem_free(plan->tensors);
}

/* ---- what goes where ---- */

static struct written_tensor *find_written(struct plan *plan, const char *name) {
    /* Parts of a joined tensor are neighbours but for their biases: few steps back suffice. */
    for (int64_t i = plan->count - 1; i >= 0 && i >= plan->count - 8; i--) {
        if (strcmp(plan->tensors[i].name, name) == 0) {
            return &plan->tensors[i];
        }
    }
    return NULL;
}

static void add_tensor(struct plan *plan, int64_t index) {
    const struct model_config *config = plan->job->config;
    const struct model_tensor tensor = model_layout_at(config, index);
    const struct model_family_entry *entry = model_family_entry(plan->table, tensor.role);
    char name[MODEL_PUBLISHED_BYTES];
    model_family_spell(plan->table, entry, tensor.layer, false, name);
    struct written_tensor *written = find_written(plan, name);
    if (!written) {
        written = &plan->tensors[plan->count++];
        memcpy(written->name, name, sizeof name);
        model_family_stored_shape(entry, &tensor, written->shape);
        written->dims = tensor.dims;
        written->bytes =
            written->shape[0] * written->shape[1] * weight_dtype_bytes(plan->job->dtype);
    }
    written->parts[written->parts_count++] = index;
}

/* In the order of the layout; a shard ends before the tensor with which it would grow too large. */
static void cut_shards(struct plan *plan) {
    int64_t in_shard = 0;
    plan->shards = 1;
    for (int64_t i = 0; i < plan->count; i++) {
        struct written_tensor *tensor = &plan->tensors[i];
        if (in_shard > 0 && in_shard + tensor->bytes > plan->job->shard_bytes_max) {
            plan->shards++;
            in_shard = 0;
        }
        in_shard += tensor->bytes;
        tensor->shard = plan->shards - 1;
        plan->total_bytes += tensor->bytes;
    }
}

static enum err_code make_plan(const struct weight_writer_job *job, struct plan *plan,
                               struct error *err) {
    TRY(model_config_check_pad(job->config, err));
    plan->job = job;
    plan->table = model_family_table(job->config->family, MODEL_NAMES_HF);
    const int64_t count = model_layout_count(job->config);
    plan->tensors = mem_array_zero((size_t)count, sizeof *plan->tensors);
    if (!plan->tensors) {
        return err_oom(err, "tensors to write");
    }
    for (int64_t i = 0; i < count; i++) {
        add_tensor(plan, i);
    }
    cut_shards(plan);
    if (plan->shards > SHARDS_MAX) {
        return err_set(err, ERR_LIMIT,
                       "%" PRId64 " files of at most %" PRId64
                       " bytes, limit %d: allow larger ones",
                       plan->shards, job->shard_bytes_max, SHARDS_MAX);
    }
    return ERR_OK;
}

static void name_shard(const struct plan *plan, int64_t shard, char out[FILE_NAME_BYTES]) {
    if (plan->shards == 1) {
        (void)snprintf(out, FILE_NAME_BYTES, "model.safetensors");
    } else {
        (void)snprintf(out, FILE_NAME_BYTES, "model-%05" PRId64 "-of-%05" PRId64 ".safetensors",
                       shard + 1, plan->shards);
    }
}

/* ---- values ---- */

static enum err_code check_values(const struct plan *plan, const struct model_tensor *tensor,
                                  const float *values, struct error *err) {
    const int64_t count = model_tensor_elements(tensor);
    const int64_t bad = weight_values_find_bad(values, count);
    if (bad >= 0) {
        return err_set(err, ERR_DATA, "%s[%" PRId64 ", %" PRId64 "] is %g: nothing was written",
                       tensor->name, bad / tensor->shape[1], bad % tensor->shape[1],
                       (double)values[bad]);
    }
    const int64_t large =
        plan->job->dtype == WEIGHT_F16 ? weight_values_find_f16(values, count) : -1;
    if (large >= 0) {
        return err_set(err, ERR_DATA, "%s holds %g, which f16 cannot: write bf16 or f32",
                       tensor->name, (double)values[large]);
    }
    return ERR_OK;
}

static enum err_code read_part(const struct plan *plan, int64_t part, float *stored,
                               struct error *err) {
    const struct model_config *config = plan->job->config;
    const struct model_tensor tensor = model_layout_at(config, part);
    SCOPED(mem) float *ours = mem_array((size_t)model_tensor_elements(&tensor), sizeof *ours);
    if (!ours) {
        return err_oom(err, "values of a tensor");
    }
    TRY(plan->job->read(plan->job->context, &tensor, ours, err));
    TRY(check_values(plan, &tensor, ours, err));
    const struct weight_place place = {
        .entry = model_family_entry(plan->table, tensor.role),
        .tensor = tensor,
        .head_dim = config->head_dim,
    };
    weight_values_store(&place, ours, stored);
    return ERR_OK;
}

/* A safetensors_fill: `index` counts from the shard's first tensor. */
static enum err_code fill_tensor(void *context, int64_t index, void *out_bytes, struct error *err) {
    struct plan *plan = context;
    struct written_tensor *written = &plan->tensors[plan->first_of_shard + index];
    const int64_t count = written->shape[0] * written->shape[1];
    SCOPED(mem) float *stored = mem_array((size_t)count, sizeof *stored);
    if (!stored) {
        return err_oom(err, "values of a tensor");
    }
    for (int64_t p = 0; p < written->parts_count; p++) {
        TRY(read_part(plan, written->parts[p], stored, err));
    }
    const int64_t threads = plan->job->threads > 0 ? plan->job->threads : 1;
    weight_values_round(plan->job->dtype, stored, count, threads, out_bytes);
    const struct hash_part part = {.bytes = out_bytes, .count = (size_t)written->bytes};
    return hash_key_of(&part, 1, &written->hash, err);
}

/* ---- files ---- */

static enum safetensors_dtype stored_dtype(enum weight_dtype dtype) {
    if (dtype == WEIGHT_F32) {
        return SAFETENSORS_F32;
    }
    return dtype == WEIGHT_BF16 ? SAFETENSORS_BF16 : SAFETENSORS_F16;
}

static int64_t count_in_shard(const struct plan *plan, int64_t shard) {
    int64_t count = 0;
    for (int64_t i = 0; i < plan->count; i++) {
        count += plan->tensors[i].shard == shard;
    }
    return count;
}

static enum err_code write_shard(const char *folder, struct plan *plan, int64_t shard,
                                 struct error *err) {
    const int64_t count = count_in_shard(plan, shard);
    SCOPED(mem)
    struct safetensors_tensor *tensors = mem_array_zero((size_t)count, sizeof *tensors);
    if (!tensors) {
        return err_oom(err, "tensors of a file");
    }
    for (int64_t i = 0; i < count; i++) {
        const struct written_tensor *written = &plan->tensors[plan->first_of_shard + i];
        tensors[i] = (struct safetensors_tensor){
            .name = written->name,
            .dtype = stored_dtype(plan->job->dtype),
            .dims = written->dims,
            .shape = {written->shape[0], written->shape[1]},
            .bytes = (size_t)written->bytes,
        };
    }
    const struct safetensors_entry format = {.key = "format", .value = "pt"};
    const struct safetensors_content content = {
        .tensors = tensors,
        .tensors_count = count,
        .metadata = &format,
        .metadata_count = 1,
        .fill = fill_tensor,
        .context = plan,
    };
    char name[FILE_NAME_BYTES];
    name_shard(plan, shard, name);
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_BYTES_MAX);
    TRY(folder_path(folder, name, &path, err));
    TRY(safetensors_write_filled(strbuf_text(&path), &content, err));
    plan->first_of_shard += count;
    return ERR_OK;
}

static enum err_code write_json(const char *folder, const char *name, struct json_writer *w,
                                struct error *err) {
    TRY(json_writer_finish(w, err));
    strbuf_add_char(w->out, '\n');
    TRY(strbuf_check(w->out, name, err));
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_BYTES_MAX);
    TRY(folder_path(folder, name, &path, err));
    return file_atomic_write_whole(strbuf_text(&path), strbuf_text(w->out), w->out->length, err);
}

static enum err_code write_index(const char *folder, const struct plan *plan, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(JSON_BYTES_MAX);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_object_begin(&w, "metadata");
    json_put_i64(&w, "total_size", plan->total_bytes);
    json_write_object_end(&w);
    json_put_object_begin(&w, "weight_map");
    for (int64_t i = 0; i < plan->count; i++) {
        char name[FILE_NAME_BYTES];
        name_shard(plan, plan->tensors[i].shard, name);
        json_put_string(&w, plan->tensors[i].name, name);
    }
    json_write_object_end(&w);
    json_write_object_end(&w);
    return write_json(folder, "model.safetensors.index.json", &w, err);
}

static enum err_code write_generation(const char *folder, const struct model_config *config,
                                      struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(JSON_BYTES_MAX);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_INDENTED);
    model_config_write_generation(config, &w);
    return write_json(folder, "generation_config.json", &w, err);
}

static enum err_code write_configs(const char *folder, const struct weight_writer_job *job,
                                   struct error *err) {
    if (job->config->head == MODEL_HEAD_LM) {
        TRY(write_generation(folder, job->config, err));
    }
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(JSON_BYTES_MAX);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_INDENTED);
    model_config_write_json(job->config, weight_dtype_torch_name(job->dtype), &w);
    return write_json(folder, "config.json", &w, err);
}

/* ---- reading back ---- */

static enum err_code compare_shard(const char *folder, const struct plan *plan, int64_t shard,
                                   struct error *err) {
    char name[FILE_NAME_BYTES];
    name_shard(plan, shard, name);
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_BYTES_MAX);
    TRY(folder_path(folder, name, &path, err));
    SCOPED(safetensors) struct safetensors *file = NULL;
    TRY(safetensors_open(strbuf_text(&path), &file, err));
    for (int64_t i = 0; i < plan->count; i++) {
        const struct written_tensor *written = &plan->tensors[i];
        if (written->shard != shard) {
            continue;
        }
        const struct safetensors_tensor *tensor = safetensors_find(file, written->name);
        struct hash_key hash = {{0}};
        if (tensor) {
            const struct hash_part part = {.bytes = tensor->data, .count = tensor->bytes};
            TRY(hash_key_of(&part, 1, &hash, err));
        }
        if (!tensor || memcmp(&hash, &written->hash, sizeof hash) != 0) {
            return err_set(err, ERR_VERIFY,
                           "'%s': '%s' reads back differently; the disk or memory is faulty",
                           strbuf_text(&path), written->name);
        }
    }
    return ERR_OK;
}

/* Opening it as any reader does finds every tensor by the configuration just written. */
static enum err_code compare(const char *folder, const struct plan *plan, struct error *err) {
    for (int64_t shard = 0; shard < plan->shards; shard++) {
        TRY(compare_shard(folder, plan, shard, err));
    }
    SCOPED(weight_source) struct weight_source *source = NULL;
    if (err_wrap(err, weight_source_open(folder, &source, err), "reading back")) {
        return err->code;
    }
    const int64_t parameters = weight_source_describe(source).parameters;
    const int64_t expected = model_parameters(plan->job->config);
    if (parameters != expected) {
        return err_set(err, ERR_VERIFY,
                       "'%s' reads back with %" PRId64 " parameters, %" PRId64 " were written",
                       folder, parameters, expected);
    }
    return ERR_OK;
}

enum err_code weight_writer_fill(const char *folder, const struct weight_writer_job *job,
                                 struct error *err) {
    SCOPED(plan) struct plan plan = {.job = job};
    TRY(make_plan(job, &plan, err));
    for (int64_t shard = 0; shard < plan.shards; shard++) {
        TRY(write_shard(folder, &plan, shard, err));
    }
    if (plan.shards > 1) {
        TRY(write_index(folder, &plan, err));
    }
    TRY(write_configs(folder, job, err));
    return compare(folder, &plan, err);
}
