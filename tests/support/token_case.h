/* token_case.h - texts with the ids and places that the tokenizers library gives them.
 *
 * Use:      struct token_case_counts counts = {0};
 *           TRY(token_cases_compare(tok, path, &counts, stderr, err));
 *           assert_int_equal(counts.ids, 0);
 * File:     "TOKCASE1", then per case, all numbers LEB128: flags (1: special tokens are text; 2:
 * ids to decode, the text is what they decode to; 4: special tokens are skipped), bytes, tokens,
 * the text, and for each token its id and, unless decoding, begin less that of the token before and
 * end less begin, zigzag, in code points. Written by tests/golden/make_tokenizer.py. Threads:  no
 * state.
 */
#ifndef TESTS_SUPPORT_TOKEN_CASE_H
#define TESTS_SUPPORT_TOKEN_CASE_H

#include "base/error.h"
#include "data/tokenizer.h"

#include <stdint.h>
#include <stdio.h>

struct token_case_counts {
    int64_t cases;
    int64_t dropped; /* texts of which bytes left no token: the library's places are then wrong */
    /* How many differ: */
    int64_t ids, places, decoded;
};

/* Differences are also written to `log`, the first twenty. */
ERR_NODISCARD enum err_code token_cases_compare(const struct tokenizer *tok, const char *path,
                                                struct token_case_counts *counts, FILE *log,
                                                struct error *err);

#endif
