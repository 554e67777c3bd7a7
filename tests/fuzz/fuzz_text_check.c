/* fuzz_text_check.c - what check does with a text, for any bytes: faults lie inside and can be
 * shown; folding ignores blanks at the ends; shingles are a set; a sketch equals itself. */
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "data/minhash.h"
#include "data/text_fault.h"
#include "data/text_fold.h"
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

static void check_faults(const char *text, size_t count) {
    struct text_faults faults;
    text_faults_find(text, count, &faults);
    for (int kind = 0; kind < TEXT_FAULT_COUNT; kind++) {
        size_t length = strlen(faults.what[kind]);
        bool found = faults.at[kind] != TEXT_FAULT_NONE;
        FUZZ_CHECK(found == (length > 0));
        FUZZ_CHECK(!found || faults.at[kind] < count);
        FUZZ_CHECK(utf8_find_invalid(faults.what[kind], length) == length);
    }
}

static void check_folding(const char *text, size_t count) {
    SCOPED(strbuf) struct strbuf padded = STRBUF_INIT(1024 * 1024);
    strbuf_add(&padded, " \t");
    strbuf_add_bytes(&padded, text, count);
    strbuf_add(&padded, "\n ");
    FUZZ_CHECK(text_fold_key(strbuf_text(&padded), padded.length) == text_fold_key(text, count));
    FUZZ_CHECK(text_is_blank(strbuf_text(&padded), padded.length) == text_is_blank(text, count));
}

static void check_shingles(const char *text, size_t count) {
    SCOPED(shingle_set) struct shingle_set set = SHINGLE_SET_INIT;
    struct error err = ERROR_INIT;
    FUZZ_CHECK(shingle_set_read(&set, text, count, &err) == ERR_OK);
    for (int64_t i = 1; i < set.count; i++) {
        FUZZ_CHECK(set.hashes[i - 1] < set.hashes[i]);
    }
    struct minhash sketch = minhash_of(&set);
    FUZZ_CHECK(minhash_jaccard(&sketch, &sketch) == 1.0);
    FUZZ_CHECK(shingle_set_jaccard(&set, &set) == (set.count > 0 ? 1.0 : 0.0));
    FUZZ_CHECK(set.count == 0 || !text_is_blank(text, count));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (count > 64 * 1024) {
        return 0;
    }
    /* Copied, so that a sanitizer sees every byte read beyond. */
    SCOPED(mem) char *text = mem_array(count, 1);
    FUZZ_CHECK(text != NULL);
    memcpy(text, bytes, count);
    check_faults(text, count);
    check_folding(text, count);
    check_shingles(text, count);
    return 0;
}
