/* fuzz_safetensors.c - whatever is accepted covers its data exactly and is found by name. */
#include "base/scoped.h"
#include "tensor/safetensors.h"
#include "tests/fuzz/fuzz_target.h"

#include <stdbool.h>
#include <string.h>

/* Reads every byte, so that an address sanitizer sees a pointer that is off. */
static bool is_inside(const struct safetensors_tensor *tensor, const uint8_t *data_end) {
    const uint8_t *data = tensor->data;
    unsigned sum = 0;
    for (size_t i = 0; i < tensor->bytes; i++) {
        sum += data[i];
    }
    return data + tensor->bytes <= data_end && sum <= 255U * tensor->bytes;
}

static void check_tensor(const struct safetensors_tensor *tensor) {
    size_t bytes = safetensors_dtype_bytes(tensor->dtype);
    for (int64_t i = 0; i < tensor->dims; i++) {
        bytes *= (size_t)tensor->shape[i];
    }
    FUZZ_CHECK(bytes == tensor->bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct error err = ERROR_INIT;
    SCOPED(safetensors) struct safetensors *st = NULL;
    if (safetensors_parse(bytes, count, "fuzz", &st, &err) != ERR_OK) {
        FUZZ_CHECK(st == NULL && err.msg[0] != '\0');
        return 0;
    }
    const uint8_t *end = NULL;
    for (int64_t i = 0; i < safetensors_count(st); i++) {
        const struct safetensors_tensor *tensor = safetensors_at(st, i);
        check_tensor(tensor);
        FUZZ_CHECK(safetensors_find(st, tensor->name) == tensor);
        FUZZ_CHECK(end == NULL || tensor->data == end);
        FUZZ_CHECK(is_inside(tensor, bytes + count));
        end = (const uint8_t *)tensor->data + tensor->bytes;
    }
    FUZZ_CHECK(end == NULL || end == bytes + count);
    for (int64_t i = 0; i < safetensors_metadata_count(st); i++) {
        struct safetensors_entry entry = safetensors_metadata_at(st, i);
        FUZZ_CHECK(strcmp(safetensors_metadata_find(st, entry.key), entry.value) == 0);
    }
    return 0;
}
