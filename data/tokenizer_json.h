/* tokenizer_json.h - a tokenizer.json as a tokenizer_spec; for data/tokenizer*.c only.
 *
 * Use:      struct tokenizer_parts parts = TOKENIZER_PARTS_INIT;
 *           TRY(tokenizer_json_read(doc, &parts, err));
 *           TRY(tokenizer_config_read(config, &parts, err));
 *           TRY(tokenizer_parts_finish(&parts, err));
 *           TRY(tokenizer_new(&parts.spec, &tok, err));
 * Refuses:  every type, key and value whose meaning is not known, by name and $.path.
 * Owns:     parts own their arrays; their texts are those of the documents, which must live as
 * long. Threads:  no state.
 */
#ifndef DATA_TOKENIZER_JSON_H
#define DATA_TOKENIZER_JSON_H

#include "base/arena.h"
#include "base/json.h"
#include "data/token_table.h"
#include "data/tokenizer_spec.h"

/* Tokens that the files name for a purpose. */
enum token_role {
    TOKEN_ROLE_BOS,
    TOKEN_ROLE_EOS,
    TOKEN_ROLE_PAD,
    TOKEN_ROLE_UNK,
    TOKEN_ROLE_COUNT
};

struct tokenizer_parts {
    struct tokenizer_spec spec;
    struct arena arena;
    struct token_table index; /* tokens of the model */
    struct added_token *added;
    int64_t added_capacity;
    const char *roles[TOKEN_ROLE_COUNT]; /* NULL: not named */
    /* What the post-processor puts around a text; NULL: nothing. */
    const char *template_bos, *template_eos;
    bool config_says_bos, config_says_eos; /* then add_bos_token, add_eos_token decide */
};

#define TOKENIZER_PARTS_BYTES_MAX ((size_t)1 << 31)
#define TOKENIZER_PARTS_INIT                                                         \
    {                                                                                \
        .spec = TOKENIZER_SPEC_INIT, .arena = ARENA_INIT(TOKENIZER_PARTS_BYTES_MAX), \
        .index = TOKEN_TABLE_INIT                                                    \
    }

void tokenizer_parts_deinit(struct tokenizer_parts *parts);

ERR_NODISCARD enum err_code tokenizer_json_read(const struct json *doc,
                                                struct tokenizer_parts *parts, struct error *err);

/* The vocabulary alone, {"token": id}, and its index. */
ERR_NODISCARD enum err_code tokenizer_json_read_vocab(const struct json *doc,
                                                      const struct json_node *vocab,
                                                      struct tokenizer_parts *parts,
                                                      struct error *err);

/* A merge from its two tokens; `what` and `rank` stand in messages. */
ERR_NODISCARD enum err_code tokenizer_parts_merge(const struct tokenizer_parts *parts,
                                                  struct text_span left, struct text_span right,
                                                  struct token_merge *out, struct error *err);

/* Adds a token, or checks that it is the same as one that is there. */
ERR_NODISCARD enum err_code tokenizer_parts_add(struct tokenizer_parts *parts,
                                                const struct added_token *token, struct error *err);

/* tokenizer_config.json or special_tokens_map.json, of which only what concerns the text of a
 * conversation is read. What is named already stays. */
ERR_NODISCARD enum err_code tokenizer_config_read(const struct json *doc,
                                                  struct tokenizer_parts *parts, struct error *err);

/* Finds the ids of the roles. */
ERR_NODISCARD enum err_code tokenizer_parts_finish(struct tokenizer_parts *parts,
                                                   struct error *err);

static inline void tokenizer_parts_scoped_end(struct tokenizer_parts *parts) {
    tokenizer_parts_deinit(parts);
}

#endif
