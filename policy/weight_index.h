/* weight_index.h - model.safetensors.index.json: which tensor is in which file of a sharded model.
 *
 * Use:      SCOPED(weight_index) struct weight_index *index = NULL;
 *           TRY(weight_index_open("models/x/model.safetensors.index.json", &index, err));
 *           for (int64_t i = 0; i < index->files_count; i++) { open(index->files[i]); }
 *           const char *file = weight_index_find(index, "model.norm.weight");
 * Refused:  names of files that lead out of the folder (with '/' or '\'), that are no .safetensors,
 *           or are empty; an empty map; total_size that is no count. Unknown keys are ignored.
 * Owns:     every text, until weight_index_close.
 * Threads:  no state.
 */
#ifndef POLICY_WEIGHT_INDEX_H
#define POLICY_WEIGHT_INDEX_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct json;

struct weight_index {
    struct json *doc;   /* owns the texts */
    const char **files; /* each once, sorted */
    int64_t files_count;
    int64_t tensors;
    int64_t total_size; /* bytes of all tensors; -1: not stated */
};

ERR_NODISCARD enum err_code weight_index_open(const char *path, struct weight_index **out,
                                              struct error *err);

/* The same for text in memory; `name` stands in messages. */
ERR_NODISCARD enum err_code weight_index_parse(const char *bytes, size_t count, const char *name,
                                               struct weight_index **out, struct error *err);
void weight_index_close(struct weight_index *index);

/* The file of a tensor, one of `files`; NULL: the map does not have it. */
const char *weight_index_find(const struct weight_index *index, const char *tensor);

static inline void weight_index_scoped_end(struct weight_index **variable) {
    weight_index_close(*variable);
}

#endif
