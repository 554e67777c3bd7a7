/* fuzz_gguf.c - whatever is accepted lies inside the file and is found by name. */
#include "base/scoped.h"
#include "policy/gguf.h"
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

/* Reads every byte, so that an address sanitizer sees a pointer that is off. */
static unsigned sum_of(const void *bytes, size_t count) {
    const unsigned char *at = bytes;
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += at[i];
    }
    return sum;
}

static void check_tensor(const struct gguf *file, const struct gguf_tensor *tensor) {
    int64_t elements = 1;
    for (int64_t i = 0; i < tensor->dims; i++) {
        elements *= tensor->shape[i];
    }
    int64_t blocks = elements / kernel_quant_block_values(tensor->type);
    FUZZ_CHECK((size_t)(blocks * kernel_quant_block_bytes(tensor->type)) == tensor->bytes);
    FUZZ_CHECK(gguf_find_tensor(file, tensor->name) == tensor);
    FUZZ_CHECK(sum_of(tensor->data, tensor->bytes) <= 255U * tensor->bytes);
}

/* The keys that are asked for in earnest. */
static void ask(const struct gguf *file) {
    struct error err = ERROR_INIT;
    const struct gguf_value *array = NULL;
    if (gguf_read_array(file, "tokenizer.ggml.tokens", GGUF_ARRAY_TEXTS, &array, &err) == ERR_OK &&
        array) {
        for (int64_t i = 0; i < gguf_count(array); i++) {
            struct gguf_text text = gguf_text_at(array, i);
            FUZZ_CHECK(sum_of(text.bytes, text.count) <= 255U * text.count);
        }
    }
    array = NULL;
    if (gguf_read_array(file, "tokenizer.ggml.token_type", GGUF_ARRAY_INTEGERS, &array, &err) ==
            ERR_OK &&
        array && gguf_count(array) > 0) {
        (void)gguf_i64_at(array, gguf_count(array) - 1);
    }
    double number = 0.0;
    FUZZ_CHECK(gguf_read_f64(file, "llama.rope.freq_base", &number, &err) == ERR_OK ||
               err.msg[0] != '\0');
    bool flag = false;
    FUZZ_CHECK(gguf_read_bool(file, "tokenizer.ggml.add_bos_token", &flag, &err) == ERR_OK ||
               err.msg[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct error err = ERROR_INIT;
    SCOPED(gguf) struct gguf *file = NULL;
    if (gguf_parse(bytes, count, "fuzz", &file, &err) != ERR_OK) {
        FUZZ_CHECK(file == NULL && err.msg[0] != '\0');
        return 0;
    }
    for (int64_t i = 0; i < gguf_tensors(file); i++) {
        check_tensor(file, gguf_tensor_at(file, i));
    }
    ask(file);
    return 0;
}
