/* token_decode.h - the decoders of a tokenizer as a table: the text of every id, and what remains
 * to be done where texts meet.
 *
 * Use:      TRY(token_decode_new(&spec, &decode, err));
 *           struct text_span text = token_decode_text(decode, id, is_first);
 * Plan:     steps that look at one token are done here, once per id. What is left is of four kinds,
 *           and a stream (data/token_stream.c) can do all of them as ids come.
 * Threads:  read-only once made.
 */
#ifndef DATA_TOKEN_DECODE_H
#define DATA_TOKEN_DECODE_H

#include "base/error.h"
#include "data/text_span.h"
#include "data/token_table.h"
#include "data/tokenizer_spec.h"

#include <stdbool.h>
#include <stdint.h>

struct token_decode {
    struct token_table texts;  /* by id */
    struct token_table firsts; /* by id, of the first token; without texts: no difference */
    int16_t *bytes;            /* [texts.count] the byte that a token is; -1: a text. NULL: none */
    bool is_byte_level;        /* texts are bytes: together UTF-8, what is not becomes U+FFFD */
    bool joins_by_space;       /* there is no decoder: the library puts blanks between tokens */
    int64_t strip_max;         /* of `strip` at the start of the text */
    char strip[5];             /* one character */
    uint8_t strip_bytes;
};

#define TOKEN_DECODE_INIT                                                              \
    {                                                                                  \
        .texts = TOKEN_TABLE_INIT, .firsts = TOKEN_TABLE_INIT, .bytes = NULL,          \
        .is_byte_level = false, .joins_by_space = false, .strip_max = 0, .strip = {0}, \
        .strip_bytes = 0                                                               \
    }

/* `spelled` holds the token of every id, added tokens included; only read for the call.
 *   fails    ERR_OOM; ERR_DATA for decoders in an order that is not known */
ERR_NODISCARD enum err_code token_decode_init(struct token_decode *decode,
                                              const struct tokenizer_spec *spec,
                                              const struct token_table *spelled, struct error *err);
void token_decode_deinit(struct token_decode *decode);

/* Absent for an id that is no token. Borrowed. */
static inline struct text_span token_decode_text(const struct token_decode *decode, int32_t id,
                                                 bool is_first) {
    return token_table_text(is_first && decode->firsts.count > 0 ? &decode->firsts : &decode->texts,
                            id);
}

#endif
