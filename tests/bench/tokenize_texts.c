/* tokenize_texts.c - encodes, or compares with an oracle; for scripts/bench/bench_tokenizer.py and
 * tests/golden/make_tokenizer.py.
 *
 * Use:      tokenize_texts time TOKENIZER FILE
 *           tokenize_texts compare TOKENIZER CASES
 *           tokenize_texts save TOKENIZER FOLDER
 * Cases:    little-endian; see tests/support/token_case.h.
 */
#include "base/arena.h"
#include "base/file.h"
#include "base/scoped.h"
#include "data/tokenizer.h"
#include "tests/support/token_case.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define REPEATS 5

/* Of the processor, not of the wall: the machine may be shared. */
static double cpu_seconds(void) {
    struct timespec t = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static enum err_code run_time(const char *tokenizer, const char *file, struct error *err) {
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    SCOPED(mem) char *text = NULL;
    size_t bytes = 0;
    double start = cpu_seconds();
    TRY(tokenizer_open(tokenizer, &tok, err));
    double load = cpu_seconds() - start;
    TRY(file_read_all(file, GIB, &text, &bytes, err));
    SCOPED(token_list) struct token_list list = TOKEN_LIST_INIT;
    double best = 1e30;
    for (int64_t i = 0; i < REPEATS; i++) {
        token_list_reset(&list);
        start = cpu_seconds();
        TRY(tokenizer_encode(tok, text, bytes, TOKENIZER_PARSE_SPECIAL, &list, err));
        double seconds = cpu_seconds() - start;
        best = seconds < best ? seconds : best;
    }
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(GIB);
    start = cpu_seconds();
    TRY(tokenizer_decode(tok, list.ids, list.count, TOKENIZER_KEEP_SPECIAL, &out, err));
    double decode = cpu_seconds() - start;
    printf("{\"load_s\": %.4f, \"encode_mb_s\": %.2f, \"decode_mb_s\": %.2f, \"tokens\": %" PRId64
           ", \"bytes\": %zu}\n",
           load, (double)bytes / best * 1e-6, (double)bytes / decode * 1e-6, list.count, bytes);
    return ERR_OK;
}

static enum err_code run_compare(const char *tokenizer, const char *file, struct error *err) {
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    TRY(tokenizer_open(tokenizer, &tok, err));
    struct token_case_counts counts = {0};
    TRY(token_cases_compare(tok, file, &counts, stderr, err));
    printf("%" PRId64 " cases, %" PRId64 " with dropped bytes, differ: %" PRId64 " in ids, %" PRId64
           " in places, %" PRId64 " decoded\n",
           counts.cases, counts.dropped, counts.ids, counts.places, counts.decoded);
    bool same = counts.ids + counts.places + counts.decoded == 0;
    return same ? ERR_OK : err_set(err, ERR_VERIFY, "'%s' and the oracle differ", tokenizer);
}

static enum err_code run_save(const char *tokenizer, const char *folder, struct error *err) {
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    TRY(tokenizer_open(tokenizer, &tok, err));
    return tokenizer_save(tok, folder, err);
}

static enum err_code run(int argc, char **argv, struct error *err) {
    if (argc == 4 && strcmp(argv[1], "time") == 0) {
        return run_time(argv[2], argv[3], err);
    }
    if (argc == 4 && strcmp(argv[1], "compare") == 0) {
        return run_compare(argv[2], argv[3], err);
    }
    if (argc == 4 && strcmp(argv[1], "save") == 0) {
        return run_save(argv[2], argv[3], err);
    }
    return err_set(err, ERR_USAGE, "see the head of tests/bench/tokenize_texts.c");
}

int main(int argc, char **argv) {
    struct error err = ERROR_INIT;
    if (run(argc, argv, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    return 0;
}
