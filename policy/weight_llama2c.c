/* weight_llama2c.c - version 0 files of llama2.c; see weight_files.h.
 *
 * Format:   seven int32 (dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len), then
 *           f32: each kind of weight for all layers, in the order of `fields`, tables of rope that
 *           nothing reads, and a head where vocab_size is negative.
 * Source:   https://github.com/karpathy/llama2.c, run.c (memory_map_weights) and export.py.
 */
#include "base/scoped.h"
#include "policy/weight_files.h"

#include <inttypes.h>
#include <string.h>

#define HEADER_INTS  7
#define HEADER_BYTES ((int64_t)(HEADER_INTS * sizeof(int32_t)))
#define SIZE_MAX_I32 (1 << 24) /* of each: products of three stay below 2^63 */

static const enum model_role fields[] = {
    MODEL_EMBED,    MODEL_ATTN_NORM, MODEL_Q,        MODEL_K,      MODEL_V,          MODEL_ATTN_OUT,
    MODEL_MLP_NORM, MODEL_MLP_GATE,  MODEL_MLP_DOWN, MODEL_MLP_UP, MODEL_FINAL_NORM,
};

#define FIELD_COUNT (sizeof fields / sizeof *fields)

/* llama2.c fixes what a config.json would say. Its sampling stops at BOS, with which every text of
 * its training begins; 2 is the vocabulary's own EOS. */
static bool read_header(const unsigned char *bytes, size_t count, struct model_config *out) {
    int32_t header[HEADER_INTS];
    if (count < sizeof header) {
        return false;
    }
    memcpy(header, bytes, sizeof header);
    const bool tied = header[5] > 0;
    const int64_t vocab = tied ? header[5] : -(int64_t)header[5];
    struct model_config config = *model_family_defaults(MODEL_FAMILY_LLAMA);
    config.hidden = header[0];
    config.mlp_hidden = header[1];
    config.layers = header[2];
    config.heads = header[3];
    config.kv_heads = header[4];
    config.vocab = vocab;
    config.context = header[6];
    config.norm_eps = 1e-5;
    config.tied_head = tied;
    config.bos = 1;
    config.eos[0] = 2;
    config.eos[1] = 1;
    config.eos_count = 2;
    for (int32_t i = 0; i < HEADER_INTS; i++) {
        if ((header[i] < 1 && i != 5) || header[i] > SIZE_MAX_I32 || header[i] < -SIZE_MAX_I32) {
            return false;
        }
    }
    if (config.hidden % config.heads != 0) {
        return false;
    }
    config.head_dim = config.hidden / config.heads;
    struct error ignored = ERROR_INIT;
    if (model_config_check(&config, &ignored) != ERR_OK) {
        return false;
    }
    *out = config;
    return true;
}

static int64_t rope_bytes(const struct model_config *config) {
    return config->context * config->head_dim * (int64_t)sizeof(float); /* cosines and sines */
}

bool weight_files_is_llama2c(const unsigned char *bytes, size_t count) {
    struct model_config config;
    if (!read_header(bytes, count, &config)) {
        return false;
    }
    int64_t floats = model_parameters(&config) * (int64_t)sizeof(float);
    return (uint64_t)count == (uint64_t)(HEADER_BYTES + floats + rope_bytes(&config));
}

static enum err_code add_stored(struct weight_files *files, enum model_role role, int64_t layer,
                                size_t *offset, struct error *err) {
    const struct model_family_table *table =
        model_family_table(MODEL_FAMILY_LLAMA, MODEL_NAMES_LLAMA2C);
    char name[MODEL_PUBLISHED_BYTES];
    model_family_spell(table, model_family_entry(table, role), layer, false, name);
    struct model_tensor tensor = model_layout_of(&files->config, role, layer);
    struct stored_tensor stored = {.name = arena_strndup(&files->texts, name, strlen(name)),
                                   .file = "",
                                   .type_name = "F32",
                                   .readable = true,
                                   .type = KERNEL_QUANT_F32,
                                   .dims = tensor.dims,
                                   .shape = {tensor.shape[0], tensor.shape[1]},
                                   .data = files->map.bytes + *offset};
    if (!stored.name) {
        return err_oom(err, "names of tensors");
    }
    stored.bytes = (size_t)model_tensor_elements(&tensor) * sizeof(float);
    *offset += stored.bytes;
    files->stored[files->stored_count++] = stored;
    return ERR_OK;
}

enum err_code weight_files_open_llama2c(const char *path, struct weight_files *files,
                                        struct error *err) {
    files->names = MODEL_NAMES_LLAMA2C;
    files->format = "llama2.c";
    TRY(file_map_open(path, &files->map, err));
    if (!weight_files_is_llama2c(files->map.bytes, files->map.count) ||
        !read_header(files->map.bytes, files->map.count, &files->config)) {
        return err_set(err, ERR_DATA, "'%s' is no llama2.c file of version 0", path);
    }
    files->files = 1;
    files->bytes = (int64_t)files->map.count;
    TRY(weight_files_reserve(files, model_layout_count(&files->config), err));
    size_t offset = (size_t)HEADER_BYTES;
    for (size_t f = 0; f < FIELD_COUNT; f++) {
        int64_t layers = model_role_in_layer(fields[f]) ? files->config.layers : 1;
        for (int64_t layer = 0; layer < layers; layer++) {
            TRY(add_stored(files, fields[f], layer, &offset, err));
        }
    }
    offset += (size_t)rope_bytes(&files->config);
    return files->config.tied_head ? ERR_OK : add_stored(files, MODEL_HEAD, -1, &offset, err);
}
