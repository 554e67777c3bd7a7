/* gguf_image.h - a GGUF file put together in memory, right or wrong.
 *
 * Use:      struct gguf_image image = {.count = 0};
 *           gguf_image_header(&image, 3, 1, 0);    // version, tensors, keys
 *           gguf_image_tensor(&image, "w", 2, (uint64_t[]){4, 2}, 0, 0);
 *           gguf_image_pad(&image, 32);
 *           gguf_image_zeros(&image, 32);
 *           gguf_parse(image.bytes, image.count, "test", &file, &err);
 */
#ifndef TESTS_SUPPORT_GGUF_IMAGE_H
#define TESTS_SUPPORT_GGUF_IMAGE_H

#include "tests/support/test.h"

#define GGUF_IMAGE_BYTES 65536

struct gguf_image {
    unsigned char bytes[GGUF_IMAGE_BYTES];
    size_t count;
};

static inline void gguf_image_add(struct gguf_image *image, const void *bytes, size_t count) {
    assert_true(count <= sizeof image->bytes - image->count);
    memcpy(image->bytes + image->count, bytes, count);
    image->count += count;
}

static inline void gguf_image_u32(struct gguf_image *image, uint32_t value) {
    gguf_image_add(image, &value, sizeof value);
}

static inline void gguf_image_u64(struct gguf_image *image, uint64_t value) {
    gguf_image_add(image, &value, sizeof value);
}

static inline void gguf_image_text(struct gguf_image *image, const char *text) {
    gguf_image_u64(image, strlen(text));
    gguf_image_add(image, text, strlen(text));
}

static inline void gguf_image_zeros(struct gguf_image *image, size_t count) {
    assert_true(count <= sizeof image->bytes - image->count);
    memset(image->bytes + image->count, 0, count);
    image->count += count;
}

static inline void gguf_image_pad(struct gguf_image *image, size_t alignment) {
    gguf_image_zeros(image, (alignment - image->count % alignment) % alignment);
}

static inline void gguf_image_header(struct gguf_image *image, uint32_t version, uint64_t tensors,
                                     uint64_t keys) {
    image->count = 0;
    gguf_image_add(image, "GGUF", 4);
    gguf_image_u32(image, version);
    gguf_image_u64(image, tensors);
    gguf_image_u64(image, keys);
}

/* Types: 4 u32, 5 i32, 6 f32, 7 bool, 8 string, 9 array, 10 u64, 12 f64. */
static inline void gguf_image_key(struct gguf_image *image, const char *key, uint32_t type) {
    gguf_image_text(image, key);
    gguf_image_u32(image, type);
}

/* `sizes` fastest first; types: 0 f32, 1 f16, 2 q4_0, 8 q8_0, 10 q2_k. */
static inline void gguf_image_tensor(struct gguf_image *image, const char *name, uint32_t dims,
                                     const uint64_t *sizes, uint32_t type, uint64_t offset) {
    gguf_image_text(image, name);
    gguf_image_u32(image, dims);
    for (uint32_t i = 0; i < dims; i++) {
        gguf_image_u64(image, sizes[i]);
    }
    gguf_image_u32(image, type);
    gguf_image_u64(image, offset);
}

#endif
