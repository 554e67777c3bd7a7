/* gguf.h - a GGUF file: metadata and tensors as llama.cpp's tools write them.
 *
 * Use:      SCOPED(gguf) struct gguf *file = NULL;
 *           TRY(gguf_open("model.gguf", &file, err));
 *           int64_t layers = 0;
 *           TRY(gguf_get_i64(file, "llama.block_count", &layers, err));
 *           const struct gguf_tensor *embed = gguf_find_tensor(file, "token_embd.weight");
 *
 *           const struct gguf_value *tokens = gguf_find(file, "tokenizer.ggml.tokens");
 *           for (int64_t i = 0; tokens && i < gguf_count(tokens); i++) {
 *               struct gguf_text token = gguf_text_at(tokens, i);
 *           }
 * Format:   "GGUF", version, counts of tensors and of metadata; metadata: key, type, value;
 * tensors: name, dimensions (fastest first), type, offset; padding to general.alignment (32 if not
 *           stated); data. https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 * Refused:  versions but 2 and 3 (which differ in byte order only) and big-endian files; counts and
 *           lengths that pass the end of the file; keys and names that are twice there, empty, not
 *           UTF-8 or hold a NUL; unknown value types; arrays of arrays; an alignment that is no
 *           power of two from 8; more than four dimensions, zero ones, and shapes whose size passes
 *           2^63 - 1; rows that are no whole blocks; tensors that are misaligned, overlap or pass
 *           the end; tensor types that kernel_dequant.h does not have, by their name in ggml.
 * Owns:     the file's map and everything handed out, until gguf_close.
 * Caution:  see file_map in base/file.h for what happens when the file is truncated while open.
 * Threads:  safe to read from many.
 */
#ifndef POLICY_GGUF_H
#define POLICY_GGUF_H

#include "base/error.h"
#include "tensor/kernels/kernel_dequant.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GGUF_DIMS_MAX 4

struct gguf;
struct gguf_value;

/* Bytes of the file, not NUL-terminated; any bytes. */
struct gguf_text {
    const char *bytes;
    size_t count;
};

struct gguf_tensor {
    const char *name;
    enum kernel_quant_type type;
    int64_t dims;
    int64_t
        shape[GGUF_DIMS_MAX]; /* slowest first, [out, in] of a weight; the file has it reversed */
    const unsigned char *data;
    size_t bytes;
};

/* Maps and checks a file; tensor data are not touched. `*out` is owned (gguf_close).
 *   fails    ERR_IO; ERR_OOM; ERR_DATA naming the file, the key or tensor, and the values */
ERR_NODISCARD enum err_code gguf_open(const char *path, struct gguf **out, struct error *err);

/* The same for `count` bytes in memory, borrowed until gguf_close; `name` stands in messages. */
ERR_NODISCARD enum err_code gguf_parse(const void *bytes, size_t count, const char *name,
                                       struct gguf **out, struct error *err);
void gguf_close(struct gguf *file);

/* Whether these first bytes of a file say that it is GGUF. */
bool gguf_recognise(const void *bytes, size_t count);

/* As given at opening. */
const char *gguf_name(const struct gguf *file);

/* ---- tensors, in the order of the file ---- */

int64_t gguf_tensors(const struct gguf *file);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *file, int64_t index);
const struct gguf_tensor *gguf_find_tensor(const struct gguf *file, const char *name);

/* ---- metadata ---- */

/* NULL when there is no such key. */
const struct gguf_value *gguf_find(const struct gguf *file, const char *key);

/* The value of a key that must be there; gguf_read_*: that may be absent, and then `*in_out` stays.
 *   i64      any integer type, of at most 2^63 - 1
 *   f64      any float type, finite
 *   text     a string
 *   fails    ERR_DATA naming the file, the key and the types */
ERR_NODISCARD enum err_code gguf_get_i64(const struct gguf *file, const char *key, int64_t *out,
                                         struct error *err);
ERR_NODISCARD enum err_code gguf_get_text(const struct gguf *file, const char *key,
                                          struct gguf_text *out, struct error *err);
ERR_NODISCARD enum err_code gguf_read_i64(const struct gguf *file, const char *key, int64_t *in_out,
                                          struct error *err);
ERR_NODISCARD enum err_code gguf_read_f64(const struct gguf *file, const char *key, double *in_out,
                                          struct error *err);
ERR_NODISCARD enum err_code gguf_read_bool(const struct gguf *file, const char *key, bool *in_out,
                                           struct error *err);
ERR_NODISCARD enum err_code gguf_read_text(const struct gguf *file, const char *key,
                                           struct gguf_text *in_out, struct error *err);

enum gguf_array_kind { GGUF_ARRAY_INTEGERS, GGUF_ARRAY_FLOATS, GGUF_ARRAY_TEXTS };

/* The array of that kind at a key that may be absent: then `*out` is NULL.
 *   fails    ERR_DATA when something else stands there */
ERR_NODISCARD enum err_code gguf_read_array(const struct gguf *file, const char *key,
                                            enum gguf_array_kind kind,
                                            const struct gguf_value **out, struct error *err);

/* Elements of an array; `index` in [0, count). The kind must be the one asked for above. */
int64_t gguf_count(const struct gguf_value *array);
int64_t gguf_i64_at(const struct gguf_value *array, int64_t index);
double gguf_f64_at(const struct gguf_value *array, int64_t index);
struct gguf_text gguf_text_at(const struct gguf_value *array, int64_t index);

bool gguf_text_equals(struct gguf_text text, const char *other);

static inline void gguf_scoped_end(struct gguf **variable) {
    gguf_close(*variable);
}

#endif
