/* safetensors.h - named tensors in one file, as Hugging Face tools read and write them.
 *
 * Use:      SCOPED(safetensors) struct safetensors *weights = NULL;
 *           TRY(safetensors_open("model.safetensors", &weights, err));
 *           const struct safetensors_tensor *norm = safetensors_find(weights, "model.norm.weight");
 *
 *           for (int64_t i = 0; i < safetensors_count(weights); i++) {
 *               use(safetensors_at(weights, i));
 *           }
 * Format:   8 bytes of header length, little-endian; that many bytes of JSON, which map each name
 *           to dtype, shape and data_offsets [begin, end), and "__metadata__" to texts; data.
 *           https://huggingface.co/docs/safetensors, checked against the reference implementation
 *           0.8.0.
 * Refused:  a header that is longer than the file or than 100,000,000 bytes, does not start with
 *           '{', or nests deeper than a shape; duplicate names; shapes whose size in bytes passes
 *           2^63 - 1; sizes that differ from their offsets; overlaps, holes and bytes that belong
 *           to no tensor; elements smaller than a byte (F4, F6_E2M3, F6_E3M2). Unknown keys of a
 *           tensor are ignored, as the reference does.
 * Owns:     the file's mapping and every name, text and pointer handed out, until
 *           safetensors_close.
 * Caution:  data may be unaligned for its type: copy it (memcpy), never cast the pointer. And see
 *           file_map in base/file.h for what happens when another process truncates the file.
 * Threads:  safe to read from many.
 */
#ifndef TENSOR_SAFETENSORS_H
#define TENSOR_SAFETENSORS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Name in the header and bytes of an element, in the order of the reference implementation's enum:
 * files hold the tensors of the last dtype first. */
#define SAFETENSORS_DTYPES(X) \
    X(BOOL, 1)                \
    X(U8, 1)                  \
    X(I8, 1)                  \
    X(F8_E5M2, 1)             \
    X(F8_E4M3, 1)             \
    X(F8_E8M0, 1)             \
    X(F8_E4M3FNUZ, 1)         \
    X(F8_E5M2FNUZ, 1)         \
    X(I16, 2)                 \
    X(U16, 2)                 \
    X(F16, 2)                 \
    X(BF16, 2)                \
    X(I32, 4)                 \
    X(U32, 4)                 \
    X(F32, 4)                 \
    X(C64, 8)                 \
    X(F64, 8)                 \
    X(I64, 8)                 \
    X(U64, 8)

enum safetensors_dtype {
#define SAFETENSORS_ENUM(name, bytes) SAFETENSORS_##name,
    SAFETENSORS_DTYPES(SAFETENSORS_ENUM)
#undef SAFETENSORS_ENUM
        SAFETENSORS_DTYPE_COUNT
};

#define SAFETENSORS_DIMS_MAX         8
#define SAFETENSORS_HEADER_BYTES_MAX ((size_t)100000000)

struct safetensors_tensor {
    const char *name; /* UTF-8 */
    enum safetensors_dtype dtype;
    int64_t dims; /* 0 for a scalar */
    int64_t shape[SAFETENSORS_DIMS_MAX];
    const void *data; /* row-major, little-endian, perhaps unaligned */
    size_t bytes;     /* of data */
};

struct safetensors_entry {
    const char *key;
    const char *value;
};

struct safetensors;

/* "BF16"; static. */
const char *safetensors_dtype_name(enum safetensors_dtype dtype);

/* Bytes of one element. */
size_t safetensors_dtype_bytes(enum safetensors_dtype dtype);

/* Maps and checks a file; tensor data are not touched. `*out` is owned (safetensors_close).
 *   fails    ERR_IO; ERR_OOM; ERR_DATA naming the file, the tensor and the values
 */
ERR_NODISCARD enum err_code safetensors_open(const char *path, struct safetensors **out,
                                             struct error *err);

/* The same for `count` bytes in memory, borrowed until safetensors_close; `name` stands in
 * messages. */
ERR_NODISCARD enum err_code safetensors_parse(const void *bytes, size_t count, const char *name,
                                              struct safetensors **out, struct error *err);
void safetensors_close(struct safetensors *st);

/* Tensors in the order of their data; `index` in [0, count). */
int64_t safetensors_count(const struct safetensors *st);
const struct safetensors_tensor *safetensors_at(const struct safetensors *st, int64_t index);

/* NULL when there is none of that name. */
const struct safetensors_tensor *safetensors_find(const struct safetensors *st, const char *name);

/* The texts of "__metadata__", in the order of the file; the value of `key`, or NULL. */
int64_t safetensors_metadata_count(const struct safetensors *st);
struct safetensors_entry safetensors_metadata_at(const struct safetensors *st, int64_t index);
const char *safetensors_metadata_find(const struct safetensors *st, const char *key);

/* Writes a file that is whole or absent (base/file_atomic.h). Tensors are ordered by falling dtype,
 * then by name, and the header is padded to 8 bytes with spaces: the same bytes as the reference
 * implementation's. Metadata are ordered by key, where the reference leaves the order to chance.
 *   fails    ERR_DATA for a name or key that is twice there, is not UTF-8 or is "__metadata__";
 *            ERR_SHAPE for a size that does not follow from dtype and shape; ERR_LIMIT for a header
 *            above 100,000,000 bytes; ERR_IO; ERR_OOM
 */
ERR_NODISCARD enum err_code safetensors_write(const char *path,
                                              const struct safetensors_tensor *tensors,
                                              int64_t tensors_count,
                                              const struct safetensors_entry *metadata,
                                              int64_t metadata_count, struct error *err);

/* The bytes of tensors[index], when it is their turn in the file. */
typedef enum err_code (*safetensors_fill)(void *context, int64_t index, void *out_bytes,
                                          struct error *err);

/* As safetensors_write, with the bytes of one tensor in memory at a time: `data` are not looked at.
 */
struct safetensors_content {
    const struct safetensors_tensor *tensors;
    int64_t tensors_count;
    const struct safetensors_entry *metadata;
    int64_t metadata_count;
    safetensors_fill fill;
    void *context;
};
ERR_NODISCARD enum err_code safetensors_write_filled(const char *path,
                                                     const struct safetensors_content *content,
                                                     struct error *err);

static inline void safetensors_scoped_end(struct safetensors **variable) {
    safetensors_close(*variable);
}

#ifdef __cplusplus
}
#endif

#endif
