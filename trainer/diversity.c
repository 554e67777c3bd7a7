/* diversity.c - see diversity.h. */
#include "trainer/diversity.h"

#include "base/mem.h"
#include "base/scoped.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct ngram {
    const int32_t *tokens;
    size_t bytes;
};

static int compare_ngrams(const void *left, const void *right) {
    const struct ngram *a = left, *b = right;
    return memcmp(a->tokens, b->tokens, a->bytes);
}

enum err_code diversity_ngrams(const struct completions *completions, const int32_t *tokens,
                               int64_t n, struct distinct_count *out_count, struct error *err) {
    SCOPED(mem)
    struct ngram *ngrams = mem_array((size_t)completions_tokens(completions), sizeof *ngrams);
    if (!ngrams) {
        return err_oom(err, "n-grams");
    }
    struct distinct_count count = {.total = 0};
    for (int64_t i = 0; i < completions->count; i++) {
        for (int64_t t = completions->starts[i]; t + n <= completions->starts[i + 1]; t++) {
            ngrams[count.total++] =
                (struct ngram){.tokens = tokens + t, .bytes = (size_t)n * sizeof *tokens};
        }
    }
    qsort(ngrams, (size_t)count.total, sizeof *ngrams, compare_ngrams);
    for (int64_t k = 0; k < count.total; k++) {
        count.distinct += k == 0 || compare_ngrams(&ngrams[k - 1], &ngrams[k]) != 0;
    }
    *out_count = count;
    return ERR_OK;
}

static bool is_equal(const struct completions *c, const int32_t *tokens, int64_t i, int64_t j) {
    const int64_t length = completions_length(c, i);
    return length == completions_length(c, j) &&
           memcmp(tokens + c->starts[i], tokens + c->starts[j], (size_t)length * sizeof *tokens) ==
               0;
}

int64_t diversity_unique(const struct completions *completions, const int32_t *tokens,
                         int64_t group) {
    const int64_t first = group * completions->group_size;
    int64_t unique = 0;
    for (int64_t i = first; i < first + completions->group_size; i++) {
        bool is_new = true;
        for (int64_t j = first; j < i && is_new; j++) {
            is_new = !is_equal(completions, tokens, i, j);
        }
        unique += is_new;
    }
    return unique;
}
