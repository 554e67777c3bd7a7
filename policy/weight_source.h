/* weight_source.h - a model's weights in files, of whatever format, read by our names.
 *
 * Use:      SCOPED(weight_source) struct weight_source *source = NULL;
 *           TRY(weight_source_open("models/smollm2", &source, err));
 *           const struct model_config *config = weight_source_config(source);
 *           struct model_tensor tensor = model_layout_of(config, MODEL_Q, 3);
 *           TRY(weight_source_read(source, &tensor, WEIGHT_F32, threads, values, err));
 * Formats:  a Hugging Face folder (model.safetensors, or shards with model.safetensors.index.json),
 *           a GGUF file (F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q4_K Q6_K), a llama2.c file of
 *           version 0. Recognised by what the bytes say, not by the file's name.
 * generation_config's token ids go before those of config.json, but for models of scores, which
 * generate nothing. Checked:  at opening every tensor
 * of the layout is found with its shape, and every tensor in the files is used or known to change
 * nothing (rope tables, causal masks, a stored head that is the embedding): a missing, unused or
 * misshapen tensor is named. Values are checked when read: a NaN or infinity is an error with the
 * tensor's name and place. Owns:     maps of the files until weight_source_close; nothing read is
 * borrowed from them. Threads:  weight_source_read may run on several threads at once.
 */
#ifndef POLICY_WEIGHT_SOURCE_H
#define POLICY_WEIGHT_SOURCE_H

#include "base/error.h"
#include "base/hash.h"
#include "policy/model_config.h"
#include "policy/model_layout.h"

#include <stdint.h>

struct weight_source;

enum weight_dtype { WEIGHT_F32, WEIGHT_BF16, WEIGHT_F16 };

/* What `accord model info` says of the files. */
struct weight_source_facts {
    const char *format;    /* "safetensors", "GGUF", "llama2.c"; static */
    const char *stored_as; /* "Q4_1 x 210, F32 x 61, Q8_0 x 1"; owned by the source */
    int64_t files;
    int64_t bytes;
    int64_t parameters;
};

/* `*out` is owned (weight_source_close).
 *   fails    ERR_DATA naming the file, what is wrong and the remedy; ERR_IO; ERR_OOM */
ERR_NODISCARD enum err_code weight_source_open(const char *path, struct weight_source **out,
                                               struct error *err);
void weight_source_close(struct weight_source *source);

const struct model_config *weight_source_config(const struct weight_source *source);
struct weight_source_facts weight_source_describe(const struct weight_source *source);

/* One tensor of the config's layout into `out_values`, room for its elements: row-major, in our
 * orientation and order. Quantised values are dequantised as ggml does (in f32); f32 is rounded to
 * bf16 or f16 to nearest even. On several threads inside (`threads` >= 1).
 *   fails    ERR_DATA for a value that is not finite, also when it becomes so in f16; ERR_OOM */
ERR_NODISCARD enum err_code weight_source_read(const struct weight_source *source,
                                               const struct model_tensor *tensor,
                                               enum weight_dtype dtype, int64_t threads,
                                               void *out_values, struct error *err);

/* Adds every tensor of the layout to a digest, as it is stored: names, types, shapes, values. Other
 * weights give another digest; so do the same weights in another format. */
void weight_source_hash(const struct weight_source *source, struct hash_state *state);

/* The GGUF file behind the source, whose metadata hold a tokenizer; NULL for other formats. */
struct gguf;
const struct gguf *weight_source_gguf(const struct weight_source *source);

/* "BF16", as safetensors spell it, and "bfloat16", as torch does; static. Bytes of one value. */
const char *weight_dtype_name(enum weight_dtype dtype);
const char *weight_dtype_torch_name(enum weight_dtype dtype);
int64_t weight_dtype_bytes(enum weight_dtype dtype);

static inline void weight_source_scoped_end(struct weight_source **source) {
    weight_source_close(*source);
}

#endif
