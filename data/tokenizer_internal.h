/* tokenizer_internal.h - the inside of a tokenizer; for data/tokenizer*.c and token_stream.c only.
 *
 * Threads:  see tokenizer.h.
 */
#ifndef DATA_TOKENIZER_INTERNAL_H
#define DATA_TOKENIZER_INTERNAL_H

#include "base/arena.h"
#include "data/added_tokens.h"
#include "data/bpe.h"
#include "data/token_decode.h"
#include "data/token_split.h"
#include "data/token_table.h"
#include "data/tokenizer.h"
#include "data/tokenizer_spec.h"

/* What one of the files held, to be written back as it was. */
enum tokenizer_file {
    TOKENIZER_FILE_JSON,     /* tokenizer.json */
    TOKENIZER_FILE_CONFIG,   /* tokenizer_config.json */
    TOKENIZER_FILE_SPECIALS, /* special_tokens_map.json */
    TOKENIZER_FILE_TEMPLATE, /* chat_template.jinja */
    TOKENIZER_FILE_COUNT
};

/* Names in the folder; static. */
const char *tokenizer_file_name(enum tokenizer_file file);

struct tokenizer {
    struct arena texts; /* of the spec */
    /* The rules, in `texts`. `tokens` is NULL: they stand in `spelled`. */
    struct tokenizer_spec spec;
    struct token_table spelled; /* every id, added tokens included */
    uint8_t *flags;             /* [spelled.count] TOKEN_IN_MODEL, TOKEN_IS_SPECIAL */
    struct bpe *bpe;
    struct token_splits *splits;
    struct added_set *added;            /* looked for in the text */
    struct added_set *added_normalized; /* looked for in the normalised text */
    struct token_decode decode;
    char *files[TOKENIZER_FILE_COUNT]; /* as read; owned; NULL: there was none */
    size_t file_bytes[TOKENIZER_FILE_COUNT];
};

enum { TOKEN_IN_MODEL = 1, TOKEN_IS_SPECIAL = 2 };

/* Ids beyond are refused: a file of a few bytes must not ask for gigabytes. */
#define TOKENIZER_IDS_MAX (INT64_C(1) << 21)

#endif
