/* tokenizer.h - text to token ids and back, exactly as the model's own tokenizer does it.
 *
 * Use:      SCOPED(tokenizer) struct tokenizer *tok = NULL;
 *           TRY(tokenizer_open("models/smollm2", &tok, err));
 *           SCOPED(token_list) struct token_list tokens = TOKEN_LIST_INIT;
 *           TRY(tokenizer_encode(tok, text, bytes, TOKENIZER_PARSE_SPECIAL, &tokens, err));
 *           TRY(tokenizer_decode(tok, tokens.ids, tokens.count, TOKENIZER_SKIP_SPECIAL, &out,
 *                                err));
 *
 *           Text that comes from people is encoded with TOKENIZER_SPECIAL_AS_TEXT, so that nobody
 *           can type a turn marker into a prompt; templates use TOKENIZER_PARSE_SPECIAL for their
 *           own parts only (data/chat_template.h).
 * Never adds: encode adds no BOS and no EOS by itself; tokenizer_bos and friends say what the model
 *           expects, and the caller adds it once. (Double BOS is the classic silent error.)
 * Oracle:   the tokenizers library (Hugging Face): ids, and offsets with trim_offsets off.
 * Owns:     its tables; encode and decode borrow.
 * Threads:  one tokenizer may be used by many threads at once. What it learns from texts, whether a
 *           word is a token of its own, is an atomic byte a token; patterns wait in an atomic pool.
 */
#ifndef DATA_TOKENIZER_H
#define DATA_TOKENIZER_H

#include "base/error.h"
#include "base/strbuf.h"
#include "data/text_span.h"
#include "data/token_list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tokenizer;
struct token_span;     /* data/token_text.h */
struct tokenizer_spec; /* data/tokenizer_spec.h: vocabulary, merges and rules, from any source */

/* A tokenizer.json, or the folder that holds one or an older vocab.json and merges.txt; with
 * tokenizer_config.json, special_tokens_map.json and chat_template.jinja where they are beside it.
 * What only cuts and pads whole rows (truncation, padding) is left to the caller, as transformers
 * does.
 *   fails    ERR_IO; ERR_OOM; ERR_DATA naming the file, the $.path and the part that is unknown */
ERR_NODISCARD enum err_code tokenizer_open(const char *path, struct tokenizer **out,
                                           struct error *err);

/* From parts already in memory: a vocabulary inside a GGUF, one just trained. `spec` is borrowed.
 *   fails    ERR_OOM; ERR_LIMIT; ERR_DATA for parts that do not fit each other */
ERR_NODISCARD enum err_code tokenizer_new(const struct tokenizer_spec *spec, struct tokenizer **out,
                                          struct error *err);
void tokenizer_close(struct tokenizer *tok);

enum tokenizer_encoding { TOKENIZER_SPECIAL_AS_TEXT, TOKENIZER_PARSE_SPECIAL };
enum tokenizer_decoding { TOKENIZER_KEEP_SPECIAL, TOKENIZER_SKIP_SPECIAL };

/* Appends to `out`, places in bytes of `text`. Text is UTF-8; invalid bytes are refused with their
 * offset (ERR_DATA), as the oracle's strings cannot hold them. Texts of 2^32 - 1 bytes and more are
 * ERR_LIMIT. */
ERR_NODISCARD enum err_code tokenizer_encode(const struct tokenizer *tok, const char *text,
                                             size_t bytes, enum tokenizer_encoding encoding,
                                             struct token_list *out, struct error *err);

/* A text that people and a template wrote together (data/chat_encode.h). */
struct tokenizer_input {
    const char *text;
    size_t bytes;
    const struct token_span *parsed; /* [parsed_count] bytes, in order: the template's parts */
    int64_t parsed_count;
};

/* As tokenizer_encode, with special tokens parsed in these places only. One that does not lie in a
 * single span as a whole is text, and hides none that does. */
ERR_NODISCARD enum err_code tokenizer_encode_parsed(const struct tokenizer *tok,
                                                    const struct tokenizer_input *input,
                                                    struct token_list *out, struct error *err);

/* Appends the text; bytes that form no UTF-8 become U+FFFD, as the oracle does.
 *   fails    ERR_DATA for an id outside the vocabulary */
ERR_NODISCARD enum err_code tokenizer_decode(const struct tokenizer *tok, const int32_t *ids,
                                             int64_t count, enum tokenizer_decoding decoding,
                                             struct strbuf *out, struct error *err);

/* Decoding id by id for a terminal: gives out only whole characters, and in sum the same text as
 * tokenizer_decode of all ids. What may yet become a character is held back, so an end needs
 * token_stream_finish. Fields are for token_stream.c. */
struct token_stream {
    const struct tokenizer *tok; /* borrowed */
    enum tokenizer_decoding decoding;
    bool started;       /* a token has been decoded */
    int64_t strip_left; /* blanks at the start that are still to be dropped */
    struct strbuf held; /* bytes that are no whole character yet; owned */
};
void token_stream_init(struct token_stream *stream, const struct tokenizer *tok,
                       enum tokenizer_decoding decoding);
/* The ids go on with a text that is there already, so that the blank in front of the first stays.
 * Before the first push. */
void token_stream_continue(struct token_stream *stream);
void token_stream_deinit(struct token_stream *stream);
ERR_NODISCARD enum err_code token_stream_push(struct token_stream *stream, int32_t id,
                                              struct strbuf *out, struct error *err);
ERR_NODISCARD enum err_code token_stream_finish(struct token_stream *stream, struct strbuf *out,
                                                struct error *err);

/* Ids are 0 .. count - 1, added tokens included. */
int64_t tokenizer_count(const struct tokenizer *tok);

/* The id of a token as the vocabulary spells it ("<|im_start|>", "Ġthe"); -1: none. */
int32_t tokenizer_find(const struct tokenizer *tok, const char *token);

/* The token of an id as the vocabulary spells it; absent for an id that is none. Borrowed. */
struct text_span tokenizer_token(const struct tokenizer *tok, int32_t id);

/* The bytes that an id stands for inside a text: " the", or a part of a character; absent as above.
 * Borrowed. */
struct text_span tokenizer_bytes_of(const struct tokenizer *tok, int32_t id);
bool tokenizer_is_special(const struct tokenizer *tok, int32_t id);

/* Ids that the tokenizer's own files state; -1: none. PAD is never guessed from EOS. */
int32_t tokenizer_bos(const struct tokenizer *tok);
int32_t tokenizer_eos(const struct tokenizer *tok);
int32_t tokenizer_pad(const struct tokenizer *tok);
int32_t tokenizer_unk(const struct tokenizer *tok);

/* Makes `id`, a token, the PAD that saved files will state: that of a reward model must end no
 * text. */
void tokenizer_set_pad(struct tokenizer *tok, int32_t id);

/* Whether the model was trained with a BOS before every text, an EOS behind it (add_bos_token, or a
 * post-processor). */
bool tokenizer_adds_bos(const struct tokenizer *tok);
bool tokenizer_adds_eos(const struct tokenizer *tok);
/* The Jinja text of the model's chat template, or NULL. Borrowed. */
const char *tokenizer_chat_template(const struct tokenizer *tok);

/* Writes tokenizer.json, tokenizer_config.json and special_tokens_map.json (and chat_template.jinja
 * where there is one) into a folder, such that transformers loads an equal tokenizer. What was read
 * from such files is written back byte for byte. */
ERR_NODISCARD enum err_code tokenizer_save(const struct tokenizer *tok, const char *folder,
                                           struct error *err);

static inline void tokenizer_scoped_end(struct tokenizer **tok) {
    tokenizer_close(*tok);
}

static inline void token_stream_scoped_end(struct token_stream *stream) {
    token_stream_deinit(stream);
}

#endif
