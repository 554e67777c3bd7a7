/* preference_key.h - finding a prompt or an answer again in the project file by what it says.
 *
 * Use:      SCOPED(strbuf) struct strbuf scratch = STRBUF_INIT(PREFERENCE_KEY_BYTES_MAX);
 *           struct hash_key key;
 *           TRY(preference_key_of_prompt(&prompt, &scratch, &key, err));
 *           // SELECT id FROM prompt WHERE hash = ?1
 * Keys:     those that preference_log_append stores in prompt.hash and response.hash.
 * Owns:     nothing; `scratch` holds the JSON of messages and may be reused.
 * Threads:  no state.
 */
#ifndef DATA_PREFERENCE_KEY_H
#define DATA_PREFERENCE_KEY_H

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/strbuf.h"
#include "data/preference.h"

#define PREFERENCE_KEY_BYTES_MAX (512 * MIB)

/* What a prompt or answer is stored as: its kind ("text", "chat", "items") and its content.
 * Borrowed from the row or from `scratch`. */
struct preference_content {
    const char *kind;
    struct text_span text;
};

/* The order of the prompt's messages counts, its topic does not. */
ERR_NODISCARD enum err_code preference_content_of_prompt(const struct preference_prompt *prompt,
                                                         struct strbuf *scratch,
                                                         struct preference_content *out,
                                                         struct error *err);

/* One message of the assistant is the same as its text. */
ERR_NODISCARD enum err_code
preference_content_of_response(const struct preference_response *response, struct strbuf *scratch,
                               struct preference_content *out, struct error *err);

/* The key of what is stored as `content`; `origin` of a response, which may be absent, or NULL. */
ERR_NODISCARD enum err_code preference_key_of_content(const struct preference_content *content,
                                                      const struct text_span *origin,
                                                      struct hash_key *out_key, struct error *err);

ERR_NODISCARD enum err_code preference_key_of_prompt(const struct preference_prompt *prompt,
                                                     struct strbuf *scratch,
                                                     struct hash_key *out_key, struct error *err);

/* Also of who wrote it, if that is known. */
ERR_NODISCARD enum err_code preference_key_of_response(const struct preference_response *response,
                                                       struct strbuf *scratch,
                                                       struct hash_key *out_key, struct error *err);

#endif
