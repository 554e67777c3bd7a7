/* weight_files.h - what a format knows of its files, handed to weight_source.c; internal to
 * policy/.
 *
 * Each opener fills a zeroed struct: the configuration, and every tensor in the files under its
 * published name. weight_source.c binds them to the layout.
 * Owns:     the maps and texts behind every pointer, until weight_files_deinit.
 */
#ifndef POLICY_WEIGHT_FILES_H
#define POLICY_WEIGHT_FILES_H

#include "base/arena.h"
#include "base/file.h"
#include "policy/gguf.h"
#include "policy/model_family.h"
#include "tensor/safetensors.h"

struct stored_tensor {
    const char *name;
    const char *file;      /* for messages */
    const char *type_name; /* "BF16" */
    bool readable;         /* whether `type` is set: other dtypes are refused when needed */
    enum kernel_quant_type type;
    int64_t dims;
    int64_t shape[2]; /* with one dimension [n, 1]; with none or more than two not set */
    const unsigned char *data;
    size_t bytes;
    bool used;
};

struct weight_files {
    struct model_config config;
    enum model_names names;
    const char *format;
    struct stored_tensor *stored; /* sorted by name after opening */
    int64_t stored_count;
    int64_t files, bytes;
    struct safetensors **shards;
    int64_t shards_count;
    struct gguf *gguf;
    struct file_map map;
    struct arena texts;
};

/* A folder with config.json and safetensors; a GGUF file; a llama2.c version 0 file. */
ERR_NODISCARD enum err_code weight_files_open_folder(const char *path, struct weight_files *files,
                                                     struct error *err);
ERR_NODISCARD enum err_code weight_files_open_gguf(const char *path, struct weight_files *files,
                                                   struct error *err);
ERR_NODISCARD enum err_code weight_files_open_llama2c(const char *path, struct weight_files *files,
                                                      struct error *err);

/* Whether the first bytes of a file and its size are those of llama2.c. */
bool weight_files_is_llama2c(const unsigned char *bytes, size_t count);

/* The configuration that the metadata of a GGUF file state.
 *   fails    ERR_DATA naming the file, key and value */
ERR_NODISCARD enum err_code gguf_model_config(const struct gguf *file, struct model_config *out,
                                              struct error *err);

/* Room for `count` tensors in files->stored, none yet. */
ERR_NODISCARD enum err_code weight_files_reserve(struct weight_files *files, int64_t count,
                                                 struct error *err);

void weight_files_deinit(struct weight_files *files);

#endif
