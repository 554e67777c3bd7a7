/* safetensors.c - reading; see safetensors.h. Writing is in safetensors_write.c. */
#include "tensor/safetensors.h"

#include "base/file.h"
#include "base/invariant.h"
#include "base/json.h"
#include "base/scoped.h"
#include "tensor/safetensors_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct placed_tensor {
    struct safetensors_tensor tensor;
    const struct json_node *node; /* its member of the header, for messages */
    int64_t begin, end;           /* data_offsets */
    int64_t rank;                 /* in the header: empty tensors may share one place */
};

struct safetensors {
    struct file_map map; /* closed when the bytes are borrowed */
    struct json *header; /* owns names and metadata */
    struct placed_tensor *tensors;
    const struct safetensors_tensor **by_name;
    int64_t tensors_count;
    struct safetensors_entry *metadata;
    int64_t metadata_count;
};

struct span {
    const unsigned char *bytes;
    size_t count;
};

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {
#define DTYPE_ROW(name, bytes) {#name, bytes},
    SAFETENSORS_DTYPES(DTYPE_ROW)
#undef DTYPE_ROW
};

static const char dtype_list[] =
#define DTYPE_TEXT(name, bytes) " " #name
    SAFETENSORS_DTYPES(DTYPE_TEXT)
#undef DTYPE_TEXT
    ;

/* --- the file: length, header, data --- */

static uint64_t read_u64(const unsigned char *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static enum err_code split_file(struct span file, const char *name, struct span *out_header,
                                struct span *out_data, struct error *err) {
    if (file.count < SAFETENSORS_LENGTH_BYTES) {
        return err_set(err, ERR_DATA,
                       "%s: %zu bytes are too short for a safetensors file, which starts with 8 "
                       "bytes of header length; fetch or write it again",
                       name, file.count);
    }
    uint64_t length = read_u64(file.bytes);
    size_t rest = file.count - SAFETENSORS_LENGTH_BYTES;
    if (length > SAFETENSORS_HEADER_BYTES_MAX) {
        return err_set(err, ERR_DATA,
                       "%s: header length %" PRIu64 " is above the limit of %zu bytes; this is not "
                       "a safetensors file, or it is damaged",
                       name, length, SAFETENSORS_HEADER_BYTES_MAX);
    }
    if (length > rest) {
        return err_set(err, ERR_DATA,
                       "%s: header length %" PRIu64 ", but only %zu bytes follow; the file is cut "
                       "short, fetch it again",
                       name, length, rest);
    }
    const unsigned char *header = file.bytes + SAFETENSORS_LENGTH_BYTES;
    if (length == 0 || header[0] != '{') {
        return err_set(err, ERR_DATA,
                       "%s: the header of %" PRIu64 " bytes does not start with '{'; this is not a "
                       "safetensors file, or it is damaged",
                       name, length);
    }
    *out_header = (struct span){.bytes = header, .count = (size_t)length};
    *out_data = (struct span){.bytes = header + length, .count = rest - (size_t)length};
    return ERR_OK;
}

/* --- one member of the header --- */

static bool is_metadata(const struct json_node *member) {
    return strcmp(json_key(member), SAFETENSORS_METADATA_KEY) == 0;
}

/* base/json.h also takes integers in quotes, which the format does not know. */
static enum err_code read_natural(const struct json *doc, const struct json_node *node,
                                  int64_t *out, struct error *err) {
    if (json_kind_of(node) != JSON_KIND_NUMBER) {
        return json_refuse(doc, node, err, "expected a number");
    }
    int64_t value = 0;
    TRY(json_as_i64(doc, node, &value, err));
    if (value < 0) {
        return json_refuse(doc, node, err, "%" PRId64 " is negative", value);
    }
    *out = value;
    return ERR_OK;
}

static bool is_smaller_than_a_byte(const char *dtype) {
    return strcmp(dtype, "F4") == 0 || strcmp(dtype, "F6_E2M3") == 0 ||
           strcmp(dtype, "F6_E3M2") == 0;
}

static enum err_code read_dtype(const struct json *doc, const struct json_node *member,
                                enum safetensors_dtype *out, struct error *err) {
    const char *name = NULL;
    TRY(json_get_string(doc, member, "dtype", &name, err));
    for (int i = 0; i < SAFETENSORS_DTYPE_COUNT; i++) {
        if (strcmp(dtypes[i].name, name) == 0) {
            *out = (enum safetensors_dtype)i;
            return ERR_OK;
        }
    }
    if (is_smaller_than_a_byte(name)) {
        return json_refuse(doc, member, err,
                           "dtype %s packs elements smaller than a byte, which accord does not "
                           "read; convert the file to BF16",
                           name);
    }
    return json_refuse(doc, member, err, "dtype '%.32s' is none of%s", name, dtype_list);
}

static enum err_code read_shape(const struct json *doc, const struct json_node *member,
                                struct safetensors_tensor *tensor, struct error *err) {
    const struct json_node *shape = NULL;
    TRY(json_get_array(doc, member, "shape", &shape, err));
    int64_t dims = json_count(doc, shape);
    if (dims > SAFETENSORS_DIMS_MAX) {
        return json_refuse(doc, shape, err, "%" PRId64 " dimensions, limit %d", dims,
                           SAFETENSORS_DIMS_MAX);
    }
    for (int64_t i = 0; i < dims; i++) {
        TRY(read_natural(doc, json_at(doc, shape, i), &tensor->shape[i], err));
    }
    tensor->dims = dims;
    return ERR_OK;
}

static enum err_code read_offsets(const struct json *doc, const struct json_node *member,
                                  struct placed_tensor *placed, struct error *err) {
    const struct json_node *offsets = NULL;
    TRY(json_get_array(doc, member, "data_offsets", &offsets, err));
    if (json_count(doc, offsets) != 2) {
        return json_refuse(doc, offsets, err, "expected [begin, end], found %" PRId64 " elements",
                           json_count(doc, offsets));
    }
    TRY(read_natural(doc, json_at(doc, offsets, 0), &placed->begin, err));
    TRY(read_natural(doc, json_at(doc, offsets, 1), &placed->end, err));
    if (placed->begin > placed->end) {
        return json_refuse(doc, offsets, err, "begin %" PRId64 " is behind end %" PRId64,
                           placed->begin, placed->end);
    }
    return ERR_OK;
}

static enum err_code check_size(const struct json *doc, const struct json_node *member,
                                struct placed_tensor *placed, struct error *err) {
    char type[SAFETENSORS_TYPE_BYTES];
    int64_t needed = 0;
    if (!safetensors_bytes_needed(&placed->tensor, &needed)) {
        return json_refuse(doc, member, err, "%s takes more than 2^63 - 1 bytes",
                           safetensors_format_type(&placed->tensor, type));
    }
    int64_t given = placed->end - placed->begin;
    if (needed != given) {
        return json_refuse(doc, member, err,
                           "%s takes %" PRId64 " bytes, and data_offsets [%" PRId64 ", %" PRId64
                           "] give %" PRId64,
                           safetensors_format_type(&placed->tensor, type), needed, placed->begin,
                           placed->end, given);
    }
    placed->tensor.bytes = (size_t)given;
    return ERR_OK;
}

static enum err_code read_tensor(const struct json *doc, const struct json_node *member,
                                 struct placed_tensor *placed, struct error *err) {
    placed->node = member;
    placed->tensor.name = json_key(member);
    TRY(read_dtype(doc, member, &placed->tensor.dtype, err));
    TRY(read_shape(doc, member, &placed->tensor, err));
    TRY(read_offsets(doc, member, placed, err));
    return check_size(doc, member, placed, err);
}

/* --- the whole header --- */

/* The document has found duplicate names already. */
static enum err_code read_tensors(struct safetensors *st, struct error *err) {
    const struct json_node *root = json_root(st->header);
    size_t capacity = (size_t)json_count(st->header, root);
    st->tensors = mem_array_zero(capacity, sizeof *st->tensors);
    st->by_name = mem_array_zero(capacity, sizeof *st->by_name);
    if (!st->tensors || !st->by_name) {
        return err_oom(err, "safetensors header");
    }
    for (const struct json_node *member = json_first(root); member; member = json_next(member)) {
        if (!is_metadata(member)) {
            struct placed_tensor *placed = &st->tensors[st->tensors_count];
            TRY(read_tensor(st->header, member, placed, err));
            placed->rank = st->tensors_count++;
        }
    }
    return ERR_OK;
}

static enum err_code read_metadata(struct safetensors *st, struct error *err) {
    const struct json_node *object =
        json_find(st->header, json_root(st->header), SAFETENSORS_METADATA_KEY);
    if (!object) {
        return ERR_OK;
    }
    TRY(json_as_object(st->header, object, &object, err));
    st->metadata = mem_array((size_t)json_count(st->header, object), sizeof *st->metadata);
    if (!st->metadata) {
        return err_oom(err, "safetensors metadata");
    }
    for (const struct json_node *text = json_first(object); text; text = json_next(text)) {
        struct safetensors_entry *entry = &st->metadata[st->metadata_count];
        entry->key = json_key(text);
        TRY(json_as_string(st->header, text, &entry->value, err));
        st->metadata_count++;
    }
    return ERR_OK;
}

static int compare_i64(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

static int compare_places(const void *left, const void *right) {
    const struct placed_tensor *a = left;
    const struct placed_tensor *b = right;
    if (a->begin != b->begin) {
        return compare_i64(a->begin, b->begin);
    }
    if (a->end != b->end) {
        return compare_i64(a->end, b->end);
    }
    return compare_i64(a->rank, b->rank);
}

static int compare_names(const void *left, const void *right) {
    const struct safetensors_tensor *const *a = left;
    const struct safetensors_tensor *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

static enum err_code check_place(const struct safetensors *st, const struct placed_tensor *placed,
                                 int64_t expected_begin, size_t data_bytes, struct error *err) {
    if (placed->begin > expected_begin) {
        return json_refuse(st->header, placed->node, err,
                           "bytes [%" PRId64 ", %" PRId64 ") before it belong to no tensor",
                           expected_begin, placed->begin);
    }
    if (placed->begin < expected_begin) {
        return json_refuse(st->header, placed->node, err,
                           "begins at byte %" PRId64
                           " inside another tensor, which ends at %" PRId64,
                           placed->begin, expected_begin);
    }
    if ((uint64_t)placed->end > data_bytes) {
        return json_refuse(st->header, placed->node, err,
                           "ends at byte %" PRId64
                           ", and the file has %zu bytes of data; it is cut "
                           "short, fetch it again",
                           placed->end, data_bytes);
    }
    return ERR_OK;
}

/* Orders the tensors by place, checks that they cover the data exactly, and points them at it. */
static enum err_code place_tensors(struct safetensors *st, struct span data, const char *name,
                                   struct error *err) {
    size_t count = (size_t)st->tensors_count;
    qsort(st->tensors, count, sizeof *st->tensors, compare_places);
    int64_t end = 0;
    for (size_t i = 0; i < count; i++) {
        struct placed_tensor *placed = &st->tensors[i];
        TRY(check_place(st, placed, end, data.count, err));
        placed->tensor.data = data.bytes + placed->begin;
        st->by_name[i] = &placed->tensor;
        end = placed->end;
    }
    if ((uint64_t)end != data.count) {
        return err_set(err, ERR_DATA,
                       "%s: the last tensor ends at byte %" PRId64 " of the data, and %zu bytes "
                       "follow that belong to no tensor",
                       name, end, data.count - (size_t)end);
    }
    qsort(st->by_name, count, sizeof *st->by_name, compare_names);
    return ERR_OK;
}

/* --- what both halves use --- */

const char *safetensors_dtype_name(enum safetensors_dtype dtype) {
    ASSERT_LT(dtype, SAFETENSORS_DTYPE_COUNT);
    return dtypes[dtype].name;
}

size_t safetensors_dtype_bytes(enum safetensors_dtype dtype) {
    ASSERT_LT(dtype, SAFETENSORS_DTYPE_COUNT);
    return dtypes[dtype].bytes;
}

bool safetensors_bytes_needed(const struct safetensors_tensor *tensor, int64_t *out_bytes) {
    int64_t elements = 1;
    for (int64_t i = 0; i < tensor->dims; i++) {
        if (tensor->shape[i] < 0 || __builtin_mul_overflow(elements, tensor->shape[i], &elements)) {
            return false;
        }
    }
    int64_t element_bytes = (int64_t)safetensors_dtype_bytes(tensor->dtype);
    return !__builtin_mul_overflow(elements, element_bytes, out_bytes);
}

const char *safetensors_format_type(const struct safetensors_tensor *tensor,
                                    char out[SAFETENSORS_TYPE_BYTES]) {
    int used = snprintf(out, SAFETENSORS_TYPE_BYTES, "%s [", dtypes[tensor->dtype].name);
    for (int64_t i = 0; i < tensor->dims; i++) {
        used += snprintf(out + used, SAFETENSORS_TYPE_BYTES - (size_t)used, "%s%" PRId64,
                         i > 0 ? ", " : "", tensor->shape[i]);
    }
    (void)snprintf(out + used, SAFETENSORS_TYPE_BYTES - (size_t)used, "]");
    return out;
}

/* --- public --- */

enum err_code safetensors_open(const char *path, struct safetensors **out, struct error *err) {
    SCOPED(file_map) struct file_map map = FILE_MAP_INIT;
    TRY(file_map_open(path, &map, err));
    TRY(safetensors_parse(map.bytes, map.count, path, out, err));
    (*out)->map = map;
    map = (struct file_map)FILE_MAP_INIT;
    return ERR_OK;
}

enum err_code safetensors_parse(const void *bytes, size_t count, const char *name,
                                struct safetensors **out, struct error *err) {
    /* Three open containers: the header, a tensor, its shape. Two million values are the headers of
     * 200,000 tensors, in 240 MB of memory. */
    static const struct json_limits limits = {
        .bytes_max = SAFETENSORS_HEADER_BYTES_MAX, .depth_max = 3, .values_max = 2000 * 1000};
    struct span header = {.bytes = NULL, .count = 0};
    struct span data = {.bytes = NULL, .count = 0};
    TRY(split_file((struct span){.bytes = bytes, .count = count}, name, &header, &data, err));
    SCOPED(safetensors) struct safetensors *st = mem_array_zero(1, sizeof *st);
    if (!st) {
        return err_oom(err, "safetensors header");
    }
    TRY(json_parse((const char *)header.bytes, header.count, name, &limits, &st->header, err));
    TRY(read_tensors(st, err));
    TRY(read_metadata(st, err));
    TRY(place_tensors(st, data, name, err));
    *out = MOVE(st);
    return ERR_OK;
}

void safetensors_close(struct safetensors *st) {
    if (st) {
        mem_free(st->tensors);
        mem_free(st->by_name);
        mem_free(st->metadata);
        json_free(st->header);
        file_map_close(&st->map);
        mem_free(st);
    }
}

int64_t safetensors_count(const struct safetensors *st) {
    return st->tensors_count;
}

const struct safetensors_tensor *safetensors_at(const struct safetensors *st, int64_t index) {
    ASSERT_LE(0, index);
    ASSERT_LT(index, st->tensors_count);
    return &st->tensors[index].tensor;
}

const struct safetensors_tensor *safetensors_find(const struct safetensors *st, const char *name) {
    const struct safetensors_tensor wanted = {.name = name};
    const struct safetensors_tensor *key = &wanted;
    const struct safetensors_tensor *const *found =
        bsearch(&key, st->by_name, (size_t)st->tensors_count, sizeof *st->by_name, compare_names);
    return found ? *found : NULL;
}

int64_t safetensors_metadata_count(const struct safetensors *st) {
    return st->metadata_count;
}

struct safetensors_entry safetensors_metadata_at(const struct safetensors *st, int64_t index) {
    ASSERT_LE(0, index);
    ASSERT_LT(index, st->metadata_count);
    return st->metadata[index];
}

const char *safetensors_metadata_find(const struct safetensors *st, const char *key) {
    for (int64_t i = 0; i < st->metadata_count; i++) {
        if (strcmp(st->metadata[i].key, key) == 0) {
            return st->metadata[i].value;
        }
    }
    return NULL;
}
