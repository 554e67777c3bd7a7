/* gguf.c - reading the file; see gguf.h. Metadata are asked for in gguf_values.c. */
#include "policy/gguf.h"

#include "base/invariant.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "policy/gguf_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "GGUF files are little-endian");

#define MAGIC             "GGUF"
#define MAGIC_BYTES       4
#define ALIGNMENT_DEFAULT 32
#define ALIGNMENT_MAX     (1U << 20)
#define NAME_BYTES_MAX    1024
#define KEY_BYTES_MAX     65535 /* of the specification */
#define TENSOR_BYTES_MIN  (8 + 1 + 4 + 8 + 4 + 8)
#define KEY_BYTES_MIN     (8 + 1 + 4 + 1)

/* Types of tensors by their numbers in ggml; gaps are types that ggml has given up. */
static const struct {
    const char *name;
    bool known;
    enum kernel_quant_type type;
} tensor_types[] = {
    [0] = {"F32", true, KERNEL_QUANT_F32},
    [1] = {"F16", true, KERNEL_QUANT_F16},
    [2] = {"Q4_0", true, KERNEL_QUANT_Q4_0},
    [3] = {"Q4_1", true, KERNEL_QUANT_Q4_1},
    [6] = {"Q5_0", true, KERNEL_QUANT_Q5_0},
    [7] = {"Q5_1", true, KERNEL_QUANT_Q5_1},
    [8] = {"Q8_0", true, KERNEL_QUANT_Q8_0},
    [9] = {.name = "Q8_1"},
    [10] = {.name = "Q2_K"},
    [11] = {.name = "Q3_K"},
    [12] = {"Q4_K", true, KERNEL_QUANT_Q4_K},
    [13] = {.name = "Q5_K"},
    [14] = {"Q6_K", true, KERNEL_QUANT_Q6_K},
    [15] = {.name = "Q8_K"},
    [16] = {.name = "IQ2_XXS"},
    [17] = {.name = "IQ2_XS"},
    [18] = {.name = "IQ3_XXS"},
    [19] = {.name = "IQ1_S"},
    [20] = {.name = "IQ4_NL"},
    [21] = {.name = "IQ3_S"},
    [22] = {.name = "IQ2_S"},
    [23] = {.name = "IQ4_XS"},
    [24] = {.name = "I8"},
    [25] = {.name = "I16"},
    [26] = {.name = "I32"},
    [27] = {.name = "I64"},
    [28] = {.name = "F64"},
    [29] = {.name = "IQ1_M"},
    [30] = {"BF16", true, KERNEL_QUANT_BF16},
    [34] = {.name = "TQ1_0"},
    [35] = {.name = "TQ2_0"},
    [39] = {.name = "MXFP4"},
    [40] = {.name = "NVFP4"},
    [41] = {.name = "Q1_0"},
};

#define TENSOR_TYPE_COUNT (sizeof tensor_types / sizeof tensor_types[0])

/* What is left of the file. */
struct cursor {
    const char *name;
    const unsigned char *begin, *at, *end;
    struct arena *arena;
};

/* ---- bytes ---- */

static size_t bytes_left(const struct cursor *c) {
    return (size_t)(c->end - c->at);
}

static enum err_code fail_short(const struct cursor *c, const char *what, struct error *err) {
    return err_set(err, ERR_DATA,
                   "%s: the file ends at byte %td inside %s; it is cut short or damaged, fetch it "
                   "again",
                   c->name, c->end - c->begin, what);
}

static enum err_code take(struct cursor *c, size_t count, const char *what,
                          const unsigned char **out, struct error *err) {
    if (count > bytes_left(c)) {
        return fail_short(c, what, err);
    }
    *out = c->at;
    c->at += count;
    return ERR_OK;
}

static enum err_code take_u32(struct cursor *c, const char *what, uint32_t *out,
                              struct error *err) {
    const unsigned char *bytes = NULL;
    TRY(take(c, sizeof *out, what, &bytes, err));
    memcpy(out, bytes, sizeof *out);
    return ERR_OK;
}

static enum err_code take_u64(struct cursor *c, const char *what, uint64_t *out,
                              struct error *err) {
    const unsigned char *bytes = NULL;
    TRY(take(c, sizeof *out, what, &bytes, err));
    memcpy(out, bytes, sizeof *out);
    return ERR_OK;
}

static enum err_code take_text(struct cursor *c, const char *what, struct gguf_text *out,
                               struct error *err) {
    uint64_t count = 0;
    TRY(take_u64(c, what, &count, err));
    if (count > bytes_left(c)) {
        return err_set(err, ERR_DATA, "%s: %s of %" PRIu64 " bytes, but only %zu are left", c->name,
                       what, count, bytes_left(c));
    }
    *out = (struct gguf_text){.bytes = (const char *)c->at, .count = (size_t)count};
    c->at += count;
    return ERR_OK;
}

/* A key or a name: not empty, UTF-8, no NUL; copied with one behind it. */
static enum err_code take_name(struct cursor *c, const char *what, size_t bytes_max,
                               const char **out, struct error *err) {
    struct gguf_text text = {.bytes = NULL};
    TRY(take_text(c, what, &text, err));
    char excerpt[UTF8_EXCERPT_BYTES];
    if (text.count == 0 || text.count > bytes_max || memchr(text.bytes, 0, text.count) ||
        utf8_find_invalid(text.bytes, text.count) < text.count) {
        return err_set(
            err, ERR_DATA, "%s: %s '%s' of %zu bytes must be UTF-8 without NUL, of 1 to %zu bytes",
            c->name, what, utf8_excerpt(text.bytes, text.count, excerpt), text.count, bytes_max);
    }
    *out = arena_strndup(c->arena, text.bytes, text.count);
    return *out ? ERR_OK : err_oom(err, what);
}

/* ---- metadata ---- */

static enum err_code take_type(struct cursor *c, const char *key, enum value_type *out,
                               struct error *err) {
    uint32_t type = 0;
    TRY(take_u32(c, "the type of a value", &type, err));
    if (type >= VALUE_TYPE_COUNT) {
        return err_set(err, ERR_DATA, "%s: '%s' has the unknown type %" PRIu32, c->name, key, type);
    }
    *out = (enum value_type)type;
    return ERR_OK;
}

static enum err_code take_texts(struct cursor *c, struct gguf_value *value, struct error *err) {
    struct gguf_text *texts = arena_array(c->arena, (size_t)value->count, sizeof *texts);
    if (!texts) {
        return err_oom(err, "strings of a GGUF file");
    }
    for (int64_t i = 0; i < value->count; i++) {
        TRY(take_text(c, "a string", &texts[i], err));
    }
    value->texts = texts;
    return ERR_OK;
}

/* Every element takes a byte at least, a string eight: a count that passes what is left is a lie,
 * and nothing is allocated for it. */
static enum err_code check_count(const struct cursor *c, const char *what, uint64_t count,
                                 size_t each, struct error *err) {
    if (count > bytes_left(c) / each) {
        return err_set(err, ERR_DATA, "%s: %" PRIu64 " %s cannot be in the %zu bytes left", c->name,
                       count, what, bytes_left(c));
    }
    return ERR_OK;
}

static enum err_code take_elements(struct cursor *c, struct gguf_value *value, struct error *err) {
    if (value->type == VALUE_STRING) {
        return take_texts(c, value, err);
    }
    return take(c, (size_t)value->count * gguf_value_types[value->type].bytes, "a value",
                &value->bytes, err);
}

static enum err_code take_value(struct cursor *c, struct gguf_value *out, struct error *err) {
    struct gguf_value value = {.count = 1};
    TRY(take_name(c, "a key", KEY_BYTES_MAX, &value.key, err));
    TRY(take_type(c, value.key, &value.type, err));
    if (value.type == VALUE_ARRAY) {
        value.is_array = true;
        TRY(take_type(c, value.key, &value.type, err));
        if (value.type == VALUE_ARRAY) {
            return err_set(err, ERR_DATA, "%s: '%s' is an array of arrays, which is not supported",
                           c->name, value.key);
        }
        uint64_t count = 0;
        TRY(take_u64(c, "the length of an array", &count, err));
        size_t each =
            value.type == VALUE_STRING ? sizeof(uint64_t) : gguf_value_types[value.type].bytes;
        TRY(check_count(c, "elements of an array", count, each, err));
        value.count = (int64_t)count;
    }
    TRY(take_elements(c, &value, err));
    *out = value;
    return ERR_OK;
}

static enum err_code take_values(struct cursor *c, struct gguf *file, struct error *err) {
    size_t count = (size_t)file->values_count;
    file->values = arena_array(c->arena, count, sizeof *file->values);
    file->values_by_key = arena_array(c->arena, count, sizeof *file->values_by_key);
    if (!file->values || !file->values_by_key) {
        return err_oom(err, "metadata of a GGUF file");
    }
    for (size_t i = 0; i < count; i++) {
        TRY(take_value(c, &file->values[i], err));
        file->values_by_key[i] = &file->values[i];
    }
    qsort(file->values_by_key, count, sizeof *file->values_by_key, gguf_compare_keys);
    for (size_t i = 1; i < count; i++) {
        if (gguf_compare_keys(&file->values_by_key[i - 1], &file->values_by_key[i]) == 0) {
            return err_set(err, ERR_DATA, "%s: the key '%s' is twice there", c->name,
                           file->values_by_key[i]->key);
        }
    }
    return ERR_OK;
}

/* ---- tensors ---- */

static enum err_code take_tensor_type(struct cursor *c, struct gguf_tensor *tensor,
                                      struct error *err) {
    uint32_t type = 0;
    TRY(take_u32(c, "the type of a tensor", &type, err));
    if (type >= TENSOR_TYPE_COUNT || !tensor_types[type].name) {
        return err_set(err, ERR_DATA, "%s: tensor '%s' has the unknown type %" PRIu32, c->name,
                       tensor->name, type);
    }
    if (!tensor_types[type].known) {
        return err_set(err, ERR_DATA,
                       "%s: tensor '%s' is stored as %s, which is not read here; F32, F16, BF16, "
                       "Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K and Q6_K are: fetch the model in one of "
                       "those",
                       c->name, tensor->name, tensor_types[type].name);
    }
    tensor->type = tensor_types[type].type;
    return ERR_OK;
}

/* Bytes from the shape, and that rows are whole blocks. */
static enum err_code size_tensor(const struct cursor *c, struct gguf_tensor *tensor,
                                 struct error *err) {
    const int64_t block = kernel_quant_block_values(tensor->type);
    int64_t row = tensor->shape[tensor->dims - 1];
    if (row % block != 0) {
        return err_set(err, ERR_DATA,
                       "%s: rows of %" PRId64 " values in tensor '%s' are no whole blocks of %s",
                       c->name, row, tensor->name, kernel_quant_name(tensor->type));
    }
    int64_t bytes = 0;
    bool overflow =
        __builtin_mul_overflow(row / block, kernel_quant_block_bytes(tensor->type), &bytes);
    int64_t elements = row;
    for (int64_t i = 0; i + 1 < tensor->dims; i++) {
        overflow |= __builtin_mul_overflow(bytes, tensor->shape[i], &bytes);
        overflow |= __builtin_mul_overflow(elements, tensor->shape[i], &elements);
    }
    if (overflow) {
        return err_set(err, ERR_DATA, "%s: the size of tensor '%s' passes 2^63 - 1", c->name,
                       tensor->name);
    }
    tensor->bytes = (size_t)bytes;
    return ERR_OK;
}

/* `out_offset` is from the beginning of the data, which is known only after the last tensor. */
static enum err_code take_tensor(struct cursor *c, struct gguf_tensor *out, uint64_t *out_offset,
                                 struct error *err) {
    struct gguf_tensor tensor = {.dims = 0};
    TRY(take_name(c, "a tensor's name", NAME_BYTES_MAX, &tensor.name, err));
    uint32_t dims = 0;
    TRY(take_u32(c, "the dimensions of a tensor", &dims, err));
    if (dims < 1 || dims > GGUF_DIMS_MAX) {
        return err_set(err, ERR_DATA, "%s: tensor '%s' has %" PRIu32 " dimensions, not 1 to %d",
                       c->name, tensor.name, dims, GGUF_DIMS_MAX);
    }
    tensor.dims = (int64_t)dims;
    for (uint32_t i = 0; i < dims; i++) {
        uint64_t size = 0;
        TRY(take_u64(c, "the dimensions of a tensor", &size, err));
        if (size < 1 || size > INT64_MAX) {
            return err_set(err, ERR_DATA, "%s: dimension %" PRIu32 " of tensor '%s' is %" PRIu64,
                           c->name, i, tensor.name, size);
        }
        tensor.shape[dims - 1 - i] = (int64_t)size;
    }
    TRY(take_tensor_type(c, &tensor, err));
    TRY(size_tensor(c, &tensor, err));
    TRY(take_u64(c, "the offset of a tensor", out_offset, err));
    *out = tensor;
    return ERR_OK;
}

static int compare_names(const void *left, const void *right) {
    const struct gguf_tensor *const *a = left;
    const struct gguf_tensor *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

static int compare_data(const void *left, const void *right) {
    const struct gguf_tensor *const *a = left;
    const struct gguf_tensor *const *b = right;
    if ((*a)->data != (*b)->data) {
        return (*a)->data < (*b)->data ? -1 : 1;
    }
    return compare_names(left, right);
}

static enum err_code read_alignment(const struct gguf *file, uint64_t *out, struct error *err) {
    int64_t alignment = ALIGNMENT_DEFAULT;
    TRY(gguf_read_i64(file, "general.alignment", &alignment, err));
    if (alignment < 8 || alignment > ALIGNMENT_MAX || (alignment & (alignment - 1)) != 0) {
        return err_set(err, ERR_DATA,
                       "%s: general.alignment %" PRId64 " is no power of two from 8 to 2^20",
                       file->name, alignment);
    }
    *out = (uint64_t)alignment;
    return ERR_OK;
}

static enum err_code place_tensor(const struct cursor *c, struct gguf_tensor *tensor,
                                  uint64_t offset, uint64_t alignment, struct error *err) {
    if (offset % alignment != 0) {
        return err_set(err, ERR_DATA,
                       "%s: offset %" PRIu64 " of tensor '%s' is no multiple of the alignment "
                       "%" PRIu64,
                       c->name, offset, tensor->name, alignment);
    }
    size_t left = bytes_left(c);
    if (offset > left || tensor->bytes > left - (size_t)offset) {
        return err_set(err, ERR_DATA,
                       "%s: tensor '%s' of %zu bytes at offset %" PRIu64 " passes the end of the "
                       "data, which have %zu bytes; the file is cut short, fetch it again",
                       c->name, tensor->name, tensor->bytes, offset, left);
    }
    tensor->data = c->at + offset;
    return ERR_OK;
}

static enum err_code check_overlaps(const struct gguf *file, struct error *err) {
    const struct gguf_tensor **sorted = file->tensors_by_name; /* sorted by name afterwards */
    size_t count = (size_t)file->tensors_count;
    qsort(sorted, count, sizeof *sorted, compare_data);
    for (size_t i = 1; i < count; i++) {
        if (sorted[i - 1]->data + sorted[i - 1]->bytes > sorted[i]->data) {
            return err_set(err, ERR_DATA, "%s: the tensors '%s' and '%s' overlap", file->name,
                           sorted[i - 1]->name, sorted[i]->name);
        }
    }
    qsort(sorted, count, sizeof *sorted, compare_names);
    for (size_t i = 1; i < count; i++) {
        if (compare_names(&sorted[i - 1], &sorted[i]) == 0) {
            return err_set(err, ERR_DATA, "%s: two tensors are named '%s'", file->name,
                           sorted[i]->name);
        }
    }
    return ERR_OK;
}

static enum err_code take_tensors(struct cursor *c, struct gguf *file, struct error *err) {
    size_t count = (size_t)file->tensors_count;
    file->tensors = arena_array(c->arena, count, sizeof *file->tensors);
    file->tensors_by_name = arena_array(c->arena, count, sizeof *file->tensors_by_name);
    SCOPED(mem) uint64_t *offsets = mem_array(count, sizeof *offsets);
    if (!file->tensors || !file->tensors_by_name || !offsets) {
        return err_oom(err, "tensors of a GGUF file");
    }
    for (size_t i = 0; i < count; i++) {
        TRY(take_tensor(c, &file->tensors[i], &offsets[i], err));
        file->tensors_by_name[i] = &file->tensors[i];
    }
    uint64_t alignment = ALIGNMENT_DEFAULT;
    TRY(read_alignment(file, &alignment, err));
    size_t padding = (size_t)(-(uint64_t)(c->at - c->begin) & (alignment - 1));
    c->at = padding > bytes_left(c) ? c->end : c->at + padding;
    for (size_t i = 0; i < count; i++) {
        TRY(place_tensor(c, &file->tensors[i], offsets[i], alignment, err));
    }
    return check_overlaps(file, err);
}

/* ---- the file ---- */

bool gguf_recognise(const void *bytes, size_t count) {
    return count >= MAGIC_BYTES && memcmp(bytes, MAGIC, MAGIC_BYTES) == 0;
}

static enum err_code take_header(struct cursor *c, struct gguf *file, struct error *err) {
    if (!gguf_recognise(c->at, bytes_left(c))) {
        return err_set(err, ERR_DATA, "%s: no GGUF file, which starts with the bytes '%s'", c->name,
                       MAGIC);
    }
    c->at += MAGIC_BYTES;
    uint32_t version = 0;
    TRY(take_u32(c, "the version", &version, err));
    if (version != 2 && version != 3) {
        return err_set(err, ERR_DATA,
                       "%s: GGUF version %" PRIu32 "%s is not read; versions 2 and 3, "
                       "little-endian, are",
                       c->name, version, (version & 0xFFFFU) == 0 ? " (a big-endian file)" : "");
    }
    uint64_t tensors = 0;
    uint64_t values = 0;
    TRY(take_u64(c, "the number of tensors", &tensors, err));
    TRY(take_u64(c, "the number of keys", &values, err));
    TRY(check_count(c, "tensors", tensors, TENSOR_BYTES_MIN, err));
    TRY(check_count(c, "keys", values, KEY_BYTES_MIN, err));
    file->tensors_count = (int64_t)tensors;
    file->values_count = (int64_t)values;
    return ERR_OK;
}

static enum err_code parse(struct gguf *file, const unsigned char *bytes, size_t count,
                           struct error *err) {
    struct cursor c = {.name = file->name,
                       .begin = bytes,
                       .at = bytes,
                       .end = bytes + count,
                       .arena = &file->arena};
    TRY(take_header(&c, file, err));
    TRY(take_values(&c, file, err));
    return take_tensors(&c, file, err);
}

static enum err_code new_file(const char *name, size_t bytes, struct gguf **out,
                              struct error *err) {
    SCOPED(gguf) struct gguf *file = mem_array_zero(1, sizeof *file);
    if (!file) {
        return err_oom(err, "a GGUF file");
    }
    /* What is kept of a value or tensor is at most some ten times its bytes in the file. */
    file->arena = (struct arena)ARENA_INIT(bytes < SIZE_MAX / 32 ? 16 * bytes + MIB : SIZE_MAX);
    file->name = mem_strdup(name);
    if (!file->name) {
        return err_oom(err, "a GGUF file");
    }
    *out = MOVE(file);
    return ERR_OK;
}

enum err_code gguf_parse(const void *bytes, size_t count, const char *name, struct gguf **out,
                         struct error *err) {
    SCOPED(gguf) struct gguf *file = NULL;
    TRY(new_file(name, count, &file, err));
    TRY(parse(file, bytes, count, err));
    *out = MOVE(file);
    return ERR_OK;
}

enum err_code gguf_open(const char *path, struct gguf **out, struct error *err) {
    SCOPED(file_map) struct file_map map = FILE_MAP_INIT;
    TRY(file_map_open(path, &map, err));
    SCOPED(gguf) struct gguf *file = NULL;
    TRY(gguf_parse(map.bytes, map.count, path, &file, err));
    file->map = map;
    map = (struct file_map)FILE_MAP_INIT;
    *out = MOVE(file);
    return ERR_OK;
}

void gguf_close(struct gguf *file) {
    if (file) {
        file_map_close(&file->map);
        arena_deinit(&file->arena);
        mem_free(file->name);
        mem_free(file);
    }
}

const char *gguf_name(const struct gguf *file) {
    return file->name;
}

int64_t gguf_tensors(const struct gguf *file) {
    return file->tensors_count;
}

const struct gguf_tensor *gguf_tensor_at(const struct gguf *file, int64_t index) {
    ASSERT(index >= 0 && index < file->tensors_count);
    return &file->tensors[index];
}

const struct gguf_tensor *gguf_find_tensor(const struct gguf *file, const char *name) {
    const struct gguf_tensor wanted = {.name = name};
    const struct gguf_tensor *key = &wanted;
    const struct gguf_tensor **found =
        bsearch(&key, file->tensors_by_name, (size_t)file->tensors_count,
                sizeof *file->tensors_by_name, compare_names);
    return found ? *found : NULL;
}
