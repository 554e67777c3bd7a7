/* fuzz_weight_index.c - an index of shards from anywhere: every file that is accepted is a plain
 * name, and every tensor is in one of them. */
#include "base/scoped.h"
#include "policy/weight_index.h"
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct error err = ERROR_INIT;
    SCOPED(weight_index) struct weight_index *index = NULL;
    if (weight_index_parse((const char *)bytes, count, "fuzz", &index, &err) != ERR_OK) {
        FUZZ_CHECK(index == NULL && err.msg[0] != '\0');
        return 0;
    }
    FUZZ_CHECK(index->files_count >= 1 && index->files_count <= index->tensors);
    for (int64_t i = 0; i < index->files_count; i++) {
        FUZZ_CHECK(!strpbrk(index->files[i], "/\\") && strlen(index->files[i]) > 12);
        FUZZ_CHECK(i == 0 || strcmp(index->files[i - 1], index->files[i]) < 0);
    }
    FUZZ_CHECK(index->total_size >= -1);
    FUZZ_CHECK(weight_index_find(index, "") == NULL || index->tensors > 0);
    return 0;
}
