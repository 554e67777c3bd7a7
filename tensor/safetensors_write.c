/* safetensors_write.c - writing; see safetensors.h. */
#include "base/file_atomic.h"
#include "base/json_writer.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "tensor/safetensors.h"
#include "tensor/safetensors_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Pointers to the caller's tensors and entries, put into the order of the file. */
struct file_order {
    const struct safetensors_tensor **tensors;
    size_t tensors_count;
    const struct safetensors_entry **metadata;
    size_t metadata_count;
};

static void file_order_scoped_end(struct file_order *order) {
    mem_free(order->tensors);
    mem_free(order->metadata);
}

static int compare_tensor_names(const void *left, const void *right) {
    const struct safetensors_tensor *const *a = left;
    const struct safetensors_tensor *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

/* The reference's order: the widest dtype first, so that everything stays aligned to its size. */
static int compare_tensors(const void *left, const void *right) {
    const struct safetensors_tensor *const *a = left;
    const struct safetensors_tensor *const *b = right;
    if ((*a)->dtype != (*b)->dtype) {
        return (*a)->dtype > (*b)->dtype ? -1 : 1;
    }
    return compare_tensor_names(left, right);
}

static int compare_keys(const void *left, const void *right) {
    const struct safetensors_entry *const *a = left;
    const struct safetensors_entry *const *b = right;
    return strcmp((*a)->key, (*b)->key);
}

static enum err_code check_tensor(const char *path, const struct safetensors_tensor *tensor,
                                  struct error *err) {
    if (strcmp(tensor->name, SAFETENSORS_METADATA_KEY) == 0) {
        return err_set(err, ERR_DATA, "%s: a tensor cannot be named '%s'", path, tensor->name);
    }
    if (tensor->dims < 0 || tensor->dims > SAFETENSORS_DIMS_MAX) {
        return err_set(err, ERR_SHAPE, "%s: tensor '%s' has %" PRId64 " dimensions, limit %d", path,
                       tensor->name, tensor->dims, SAFETENSORS_DIMS_MAX);
    }
    int64_t needed = 0;
    if (!safetensors_bytes_needed(tensor, &needed) || (size_t)needed != tensor->bytes) {
        char type[SAFETENSORS_TYPE_BYTES];
        return err_set(err, ERR_SHAPE, "%s: tensor '%s' of %zu bytes cannot be %s", path,
                       tensor->name, tensor->bytes, safetensors_format_type(tensor, type));
    }
    return ERR_OK;
}

static enum err_code order_tensors(const char *path, struct file_order *order, struct error *err) {
    const struct safetensors_tensor **tensors = order->tensors;
    size_t count = order->tensors_count;
    qsort(tensors, count, sizeof *tensors, compare_tensor_names);
    for (size_t i = 0; i < count; i++) {
        TRY(check_tensor(path, tensors[i], err));
        if (i > 0 && strcmp(tensors[i - 1]->name, tensors[i]->name) == 0) {
            return err_set(err, ERR_DATA, "%s: two tensors are named '%s'", path, tensors[i]->name);
        }
    }
    qsort(tensors, count, sizeof *tensors, compare_tensors);
    return ERR_OK;
}

static enum err_code order_metadata(const char *path, struct file_order *order, struct error *err) {
    const struct safetensors_entry **metadata = order->metadata;
    qsort(metadata, order->metadata_count, sizeof *metadata, compare_keys);
    for (size_t i = 1; i < order->metadata_count; i++) {
        if (strcmp(metadata[i - 1]->key, metadata[i]->key) == 0) {
            return err_set(err, ERR_DATA, "%s: two metadata entries are named '%s'", path,
                           metadata[i]->key);
        }
    }
    return ERR_OK;
}

static enum err_code allocate_order(const struct safetensors_content *content,
                                    struct file_order *order, struct error *err) {
    const size_t tensors_count = (size_t)content->tensors_count;
    const size_t metadata_count = (size_t)content->metadata_count;
    order->tensors = mem_array(tensors_count, sizeof *order->tensors);
    order->metadata = mem_array(metadata_count, sizeof *order->metadata);
    if (!order->tensors || !order->metadata) {
        return err_oom(err, "order of tensors");
    }
    order->tensors_count = tensors_count;
    order->metadata_count = metadata_count;
    for (size_t i = 0; i < tensors_count; i++) {
        order->tensors[i] = &content->tensors[i];
    }
    for (size_t i = 0; i < metadata_count; i++) {
        order->metadata[i] = &content->metadata[i];
    }
    return ERR_OK;
}

static void write_metadata(struct json_writer *w, const struct file_order *order) {
    json_write_key(w, SAFETENSORS_METADATA_KEY);
    json_write_object_begin(w);
    for (size_t i = 0; i < order->metadata_count; i++) {
        json_write_key(w, order->metadata[i]->key);
        json_write_string(w, order->metadata[i]->value);
    }
    json_write_object_end(w);
}

static void write_tensor(struct json_writer *w, const struct safetensors_tensor *tensor,
                         uint64_t begin) {
    json_write_key(w, tensor->name);
    json_write_object_begin(w);
    json_write_key(w, "dtype");
    json_write_string(w, safetensors_dtype_name(tensor->dtype));
    json_write_key(w, "shape");
    json_write_array_begin(w);
    for (int64_t i = 0; i < tensor->dims; i++) {
        json_write_i64(w, tensor->shape[i]);
    }
    json_write_array_end(w);
    json_write_key(w, "data_offsets");
    json_write_array_begin(w);
    json_write_u64(w, begin);
    json_write_u64(w, begin + tensor->bytes);
    json_write_array_end(w);
    json_write_object_end(w);
}

/* JSON, then spaces up to a multiple of 8, so that the data start aligned. */
static enum err_code build_header(const struct file_order *order, struct strbuf *header,
                                  struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(header, JSON_COMPACT);
    json_write_object_begin(&w);
    if (order->metadata_count > 0) {
        write_metadata(&w, order);
    }
    uint64_t begin = 0;
    for (size_t i = 0; i < order->tensors_count; i++) {
        write_tensor(&w, order->tensors[i], begin);
        begin += order->tensors[i]->bytes;
    }
    json_write_object_end(&w);
    TRY(json_writer_finish(&w, err));
    strbuf_add_repeated(header, ' ', (8 - header->length % 8) % 8);
    return strbuf_check(header, "safetensors header", err);
}

/* Every tensor through one buffer, as large as the largest. */
static enum err_code write_filled(struct file_atomic *f, const struct safetensors_content *content,
                                  const struct file_order *order, struct error *err) {
    size_t largest = 0;
    for (size_t i = 0; i < order->tensors_count; i++) {
        largest = order->tensors[i]->bytes > largest ? order->tensors[i]->bytes : largest;
    }
    SCOPED(mem) unsigned char *bytes = mem_alloc(largest);
    if (!bytes) {
        return err_oom(err, "bytes of a tensor");
    }
    for (size_t i = 0; i < order->tensors_count; i++) {
        const struct safetensors_tensor *tensor = order->tensors[i];
        TRY(content->fill(content->context, tensor - content->tensors, bytes, err));
        TRY(file_atomic_write(f, bytes, tensor->bytes, err));
    }
    return ERR_OK;
}

static enum err_code write_given(struct file_atomic *f, const struct file_order *order,
                                 struct error *err) {
    for (size_t i = 0; i < order->tensors_count; i++) {
        TRY(file_atomic_write(f, order->tensors[i]->data, order->tensors[i]->bytes, err));
    }
    return ERR_OK;
}

static enum err_code write_file(const char *path, const struct strbuf *header,
                                const struct safetensors_content *content,
                                const struct file_order *order, struct error *err) {
    SCOPED(file_atomic) struct file_atomic f = FILE_ATOMIC_INIT;
    TRY(file_atomic_open(path, &f, err));
    uint64_t length = header->length;
    TRY(file_atomic_write(&f, &length, sizeof length, err));
    TRY(file_atomic_write(&f, header->bytes, header->length, err));
    TRY(content->fill ? write_filled(&f, content, order, err) : write_given(&f, order, err));
    return file_atomic_commit(&f, err);
}

enum err_code safetensors_write_filled(const char *path, const struct safetensors_content *content,
                                       struct error *err) {
    SCOPED(file_order) struct file_order order = {0};
    TRY(allocate_order(content, &order, err));
    TRY(order_tensors(path, &order, err));
    TRY(order_metadata(path, &order, err));
    SCOPED(strbuf) struct strbuf header = STRBUF_INIT(SAFETENSORS_HEADER_BYTES_MAX);
    if (err_wrap(err, build_header(&order, &header, err), "%s", path)) {
        return err->code;
    }
    return write_file(path, &header, content, &order, err);
}

enum err_code safetensors_write(const char *path, const struct safetensors_tensor *tensors,
                                int64_t tensors_count, const struct safetensors_entry *metadata,
                                int64_t metadata_count, struct error *err) {
    const struct safetensors_content content = {
        .tensors = tensors,
        .tensors_count = tensors_count,
        .metadata = metadata,
        .metadata_count = metadata_count,
    };
    return safetensors_write_filled(path, &content, err);
}
