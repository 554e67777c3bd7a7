/* lora_peft_write.c - writing PEFT's files; see lora_adapter.h. */
#include "policy/lora_adapter_internal.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/file_atomic.h"
#include "base/folder.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "tensor/safetensors.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- writing ---------------------------------------------------------------------------------- */

/* One module of PEFT: a weight of ours, or the up to three that gpt2 joins. */
struct module {
    enum model_role roles[3];
    struct lora_pair parts[3]; /* as the module's parts stand; a NULL: not adapted */
    int64_t parts_count;       /* 1, or 3 */
    int64_t rank;              /* of the module: r, or r for each part with an A of its own */
};

/* Whether all parts that are adapted have the same A. */
static bool shares_a(const struct module *module, int64_t rank) {
    const float *first = NULL;
    for (int64_t p = 0; p < module->parts_count; p++) {
        const struct lora_pair *pair = &module->parts[p];
        if (pair->a && first &&
            memcmp(pair->a, first, (size_t)(rank * pair->in) * sizeof *pair->a) != 0) {
            return false;
        }
        first = first ? first : pair->a;
    }
    return true;
}

/* The module whose first adapted part is this role; false for the others. */
static bool module_of(const struct lora_adapter *adapter, enum model_role role, int64_t layer,
                      struct module *out) {
    static const enum model_role joined[] = {MODEL_Q, MODEL_K, MODEL_V};
    const bool is_joined = lora_part(&adapter->model, role) >= 0;
    *out = (struct module){.parts_count = is_joined ? 3 : 1, .rank = adapter->lora.rank};
    int64_t adapted = 0;
    enum model_role first = MODEL_ROLE_COUNT;
    for (int64_t p = 0; p < out->parts_count; p++) {
        out->roles[p] = is_joined ? joined[p] : role;
        out->parts[p] = lora_adapter_pair(adapter, out->roles[p], layer);
        first = out->parts[p].a && adapted == 0 ? out->roles[p] : first;
        adapted += out->parts[p].a != NULL;
    }
    if (!shares_a(out, adapter->lora.rank)) {
        out->rank = adapted * adapter->lora.rank;
    }
    return first == role;
}

/* A [rank, in]: the shared one, or those of the parts one below the other. */
static void fill_a(const struct module *module, int64_t part_rank, float *a) {
    for (int64_t p = 0; p < module->parts_count; p++) {
        const struct lora_pair *pair = &module->parts[p];
        if (pair->a) {
            const int64_t elements = part_rank * pair->in;
            memcpy(a, pair->a, (size_t)elements * sizeof *a);
            a += module->rank == part_rank ? 0 : elements;
        }
    }
}

/* B [sum of out, rank], zero outside the columns of each part's own A. */
static void fill_b(const struct module *module, int64_t part_rank,
                   const struct model_tensor *weight, float *b) {
    int64_t column = 0;
    for (int64_t p = 0; p < module->parts_count; p++) {
        const struct lora_pair *pair = &module->parts[p];
        for (int64_t i = 0; pair->b && i < pair->out; i++) {
            float *row = b + (p * weight->shape[0] + i) * module->rank + column;
            memcpy(row, pair->b + i * part_rank, (size_t)part_rank * sizeof *row);
        }
        column += pair->b && module->rank != part_rank ? part_rank : 0;
    }
}

/* What is written: tensors, their names and their values. */
struct peft_file {
    struct safetensors_tensor *tensors; /* two a module; the head */
    char (*names)[LORA_KEY_BYTES];
    struct arena values;
    int64_t count;
    int64_t halves; /* of pairs, which come first; then score.weight */
};

static void peft_file_scoped_end(struct peft_file *file) {
    mem_free(file->tensors);
    mem_free(file->names);
    arena_deinit(&file->values);
}

static enum err_code add_tensor(struct peft_file *file, const char *name, int64_t rows,
                                int64_t columns, float **out_values, struct error *err) {
    const size_t elements = (size_t)(rows * columns);
    float *values = arena_array(&file->values, elements, sizeof *values);
    if (!values) {
        return err_oom(err, "adapter");
    }
    memset(values, 0, elements * sizeof *values);
    (void)snprintf(file->names[file->count], LORA_KEY_BYTES, "%s", name);
    file->tensors[file->count] = (struct safetensors_tensor){
        .name = file->names[file->count],
        .dtype = SAFETENSORS_F32,
        .dims = 2,
        .shape = {rows, columns},
        .data = values,
        .bytes = elements * sizeof *values,
    };
    file->count++;
    *out_values = values;
    return ERR_OK;
}

static enum err_code add_module(const struct lora_adapter *adapter, const struct module *module,
                                int64_t layer, struct peft_file *file, struct error *err) {
    const struct model_tensor weight = model_layout_of(&adapter->model, module->roles[0], layer);
    const int64_t part_rank = adapter->lora.rank;
    char key[LORA_KEY_BYTES];
    float *values = NULL;
    lora_key(&adapter->model, module->roles[0], layer, 'A', key);
    TRY(add_tensor(file, key, module->rank, weight.shape[1], &values, err));
    fill_a(module, part_rank, values);
    lora_key(&adapter->model, module->roles[0], layer, 'B', key);
    TRY(add_tensor(file, key, module->parts_count * weight.shape[0], module->rank, &values, err));
    fill_b(module, part_rank, &weight, values);
    return ERR_OK;
}

static enum err_code collect(const struct lora_adapter *adapter, struct peft_file *file,
                             struct error *err) {
    const size_t most = 2 * (size_t)adapter->model.layers * MODEL_ROLE_COUNT + 1;
    file->tensors = mem_array_zero(most, sizeof *file->tensors);
    file->names = mem_array_zero(most, sizeof *file->names);
    if (!file->tensors || !file->names) {
        return err_oom(err, "adapter");
    }
    for (int64_t layer = 0; layer < adapter->model.layers; layer++) {
        for (enum model_role role = 0; role < MODEL_ROLE_COUNT; role++) {
            struct module module;
            if (lora_targets(&adapter->lora, role) && module_of(adapter, role, layer, &module)) {
                TRY(add_module(adapter, &module, layer, file, err));
            }
        }
    }
    file->halves = file->count;
    if (adapter->score) {
        const int64_t hidden = adapter->model.hidden;
        float *values = NULL;
        TRY(add_tensor(file, LORA_SCORE_KEY, 1, hidden, &values, err));
        memcpy(values, adapter->score, (size_t)hidden * sizeof *values);
    }
    return ERR_OK;
}

static void write_number_pattern(struct json_writer *w, const char *key,
                                 const struct lora_adapter *adapter, const struct peft_file *file,
                                 bool is_rank) {
    json_put_object_begin(w, key);
    for (int64_t i = 0; i < file->halves; i += 2) {
        const int64_t rank = file->tensors[i].shape[0];
        if (rank == adapter->lora.rank) {
            continue;
        }
        char module[LORA_KEY_BYTES];
        (void)snprintf(module, sizeof module, "%s", file->names[i] + strlen(LORA_KEY_PREFIX));
        module[strlen(module) - strlen(".lora_A.weight")] = '\0';
        json_write_key(w, module);
        if (is_rank) {
            json_write_i64(w, rank);
        } else {
            const double ratio = (double)rank / (double)adapter->lora.rank;
            json_write_f64(w,
                           adapter->lora.alpha * (adapter->lora.rank_scaled ? sqrt(ratio) : ratio));
        }
    }
    json_write_object_end(w);
}

/* "q_proj" of "model.layers.3.self_attn.q_proj": what target_modules lists. */
static const char *last_part(const char *module) {
    const char *dot = strrchr(module, '.');
    return dot ? dot + 1 : module;
}

/* Names of modules as PEFT matches them: by the end of their path. gpt2 has two modules c_proj, and
 * "attn.c_proj" tells them apart. */
static const char *target_of(const char *module) {
    const char *in_layer = strstr(module, ".h.0.");
    return in_layer ? in_layer + strlen(".h.0.") : last_part(module);
}

/* Each once: in gpt2 the roles q, k and v, neighbours here, are one module. */
static void write_targets(struct json_writer *w, const struct lora_adapter *adapter) {
    char before[MODEL_PUBLISHED_BYTES] = "";
    json_put_array_begin(w, "target_modules");
    for (enum model_role role = 0; role < MODEL_ROLE_COUNT; role++) {
        char module[MODEL_PUBLISHED_BYTES];
        if (!lora_targets(&adapter->lora, role)) {
            continue;
        }
        lora_module_name(&adapter->model, role, 0, module);
        if (strcmp(module, before) != 0) {
            json_write_string(w, target_of(module));
        }
        (void)snprintf(before, sizeof before, "%s", module);
    }
    json_write_array_end(w);
}

/* What PEFT's own SEQ_CLS saves whole. */
static void write_saved(struct json_writer *w, const struct lora_adapter *adapter) {
    if (!adapter->score) {
        json_put_null(w, "modules_to_save");
        return;
    }
    json_put_array_begin(w, "modules_to_save");
    json_write_string(w, "classifier");
    json_write_string(w, "score");
    json_write_array_end(w);
}

static enum err_code write_config(const struct lora_adapter *adapter, const struct peft_file *file,
                                  const char *base, const char *path, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1 * MIB);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_INDENTED);
    json_write_object_begin(&w);
    write_number_pattern(&w, "alpha_pattern", adapter, file, false);
    json_put_string(&w, "base_model_name_or_path", base);
    json_put_string(&w, "bias", "none");
    json_put_bool(&w, "fan_in_fan_out", adapter->model.family == MODEL_FAMILY_GPT2);
    json_put_bool(&w, "inference_mode", true);
    json_put_bool(&w, "init_lora_weights", true);
    json_put_f64(&w, "lora_alpha", adapter->lora.alpha);
    json_put_f64(&w, "lora_dropout", 0.0);
    write_saved(&w, adapter);
    json_put_string(&w, "peft_type", "LORA");
    json_put_i64(&w, "r", adapter->lora.rank);
    write_number_pattern(&w, "rank_pattern", adapter, file, true);
    write_targets(&w, adapter);
    json_put_string(&w, "task_type", adapter->score ? "SEQ_CLS" : "CAUSAL_LM");
    json_put_bool(&w, "use_dora", false);
    json_put_bool(&w, "use_rslora", adapter->lora.rank_scaled);
    json_write_object_end(&w);
    TRY(json_writer_finish(&w, err));
    strbuf_add_char(&text, '\n');
    TRY(strbuf_check(&text, LORA_CONFIG_NAME, err));
    return file_atomic_write_whole(path, text.bytes, text.length, err);
}

enum err_code lora_adapter_write(const struct lora_adapter *adapter, const char *base,
                                 const char *folder, struct error *err) {
    static const struct safetensors_entry metadata[] = {{"format", "pt"}};
    SCOPED(peft_file) struct peft_file file = {.values = ARENA_INIT(64 * GIB)};
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    TRY(collect(adapter, &file, err));
    TRY(file_make_folders(folder, err));
    TRY(folder_path(folder, LORA_MODEL_NAME, &path, err));
    TRY(safetensors_write(strbuf_text(&path), file.tensors, file.count, metadata, 1, err));
    TRY(folder_path(folder, LORA_CONFIG_NAME, &path, err));
    return write_config(adapter, &file, base, strbuf_text(&path), err);
}
