/* weight_writer.h - a model as a Hugging Face folder: weights, config.json, and of a language model
 * generation_config.json.
 *
 * Use:      const struct weight_writer_job job = {
 *               .config = &config,
 *               .dtype = WEIGHT_BF16,
 *               .shard_bytes_max = WEIGHT_SHARD_BYTES,
 *               .read = read_parameter,      // gives f32 values by role and layer
 *               .context = model,
 *           };
 *           TRY(weight_writer_fill(folder, &job, err));      // within folder_write_whole
 * Layout:   model.safetensors, or model-0000i-of-0000n.safetensors with an index when the weights
 *           pass shard_bytes_max; names, orientation and joined tensors as transformers has them; a
 *           tied head is left out; metadata format "pt".
 * Atomic:   the caller makes the folder whole or absent (base/folder.h). In it each file is whole
 * or absent, and config.json, without which nothing loads the folder, comes last. Checked:  the
 * folder is opened again (policy/weight_source.h), and every tensor's bytes are compared with what
 * was handed over, by hash. Memory:   three copies of one tensor. Threads:  no state.
 */
#ifndef POLICY_WEIGHT_WRITER_H
#define POLICY_WEIGHT_WRITER_H

#include "base/error.h"
#include "policy/model_config.h"
#include "policy/model_layout.h"
#include "policy/weight_source.h"

#include <stdint.h>

#define WEIGHT_SHARD_BYTES \
    INT64_C(5000000000) /* the default of transformers' save_pretrained, 4.x */

/* The values of one tensor of the layout, in f32 and our orientation. */
typedef enum err_code (*weight_writer_read)(void *context, const struct model_tensor *tensor,
                                            float *out_values, struct error *err);

struct weight_writer_job {
    const struct model_config *config;
    enum weight_dtype dtype;
    int64_t shard_bytes_max;
    int64_t threads; /* 0 is 1 */
    weight_writer_read read;
    void *context;
};

/* `folder` must be there, and hold no other model.
 *   fails    ERR_IO; ERR_OOM; ERR_DATA for a value that is not finite or does not fit f16, and for
 *            a model of scores whose pad id hides the end of texts (model_config_check_pad);
 *            ERR_VERIFY when what was read back differs */
ERR_NODISCARD enum err_code
weight_writer_fill(const char *folder, const struct weight_writer_job *job, struct error *err);

#endif
