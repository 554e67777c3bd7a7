/* import_messages.h - prompts and answers as JSON formats write them: a string, or a list of
 * messages.
 *
 * Use:      struct import_content prompt = {0};
 *           TRY(import_content_read(row, node, batch, &prompt, err));
 *           import_content_to_prompt(&prompt, &made->prompt);
 *
 *           Two whole conversations, one preferred to the other:
 *               struct import_pair pair = {0};
 *               TRY(import_pair_split(row, &chosen, &rejected, &pair, err));
 *               TRY(import_pair_add(row, &pair, &columns, batch, err));
 * Messages: {"role": ..., "content": ...} or {"from": ..., "value": ...}. Roles become system,
 *           user, assistant or tool; other names for them (human, gpt, observation) are known.
 * Refused:  by name: pictures and other parts, tool calls, reasoning beside the content. A list of
 *           one text part is its text.
 * Errors:   ERR_DATA with the place.
 * Owns:     nothing; messages lie in the batch, their text in the row.
 * Threads:  no state.
 */
#ifndef DATA_IMPORT_MESSAGES_H
#define DATA_IMPORT_MESSAGES_H

#include "base/error.h"
#include "base/json.h"
#include "data/import_columns.h"
#include "data/import_format.h"

#include <stdbool.h>
#include <stdint.h>

/* Text, or a conversation of at least one message. */
struct import_content {
    struct text_span text; /* absent if it is a conversation */
    const struct message *messages;
    int64_t message_count;
};

struct import_pair {
    struct import_content prompt, chosen, rejected;
};

struct import_exchange {
    struct import_content prompt, answer;
};

/* A conversation in the pieces in which alpaca formats have it. */
struct import_dialogue {
    struct text_span system;         /* left out if it is absent or empty */
    const struct json_node *history; /* a list of [question, answer]; NULL: none */
    struct text_span question;
};

/* --- reading --- */

/* A string or a list of messages. */
ERR_NODISCARD enum err_code import_content_read(const struct import_json_row *row,
                                                const struct json_node *node,
                                                struct import_batch *batch,
                                                struct import_content *out, struct error *err);

/* A list of messages; `system`, if set, becomes the first unless the list begins with one. */
ERR_NODISCARD enum err_code import_conversation_read(const struct import_json_row *row,
                                                     const struct json_node *node,
                                                     const struct text_span *system,
                                                     struct import_batch *batch,
                                                     struct import_content *out, struct error *err);

ERR_NODISCARD enum err_code import_dialogue_read(const struct import_json_row *row,
                                                 const struct import_dialogue *dialogue,
                                                 struct import_batch *batch,
                                                 struct import_content *out, struct error *err);

/* The member `key` as text, absent if it is missing or null. */
ERR_NODISCARD enum err_code import_json_find_text(const struct import_json_row *row,
                                                  const char *key, struct text_span *out_text,
                                                  struct error *err);

/* One message object. */
ERR_NODISCARD enum err_code import_message_read(const struct import_json_row *row,
                                                const struct json_node *node, struct message *out,
                                                struct error *err);

/* A string; null is refused. */
ERR_NODISCARD enum err_code import_json_text(const struct import_json_row *row,
                                             const struct json_node *node,
                                             struct text_span *out_text, struct error *err);

/* Whether a value looks like a list of messages: for recognising formats. */
bool import_is_conversation(const struct import_json_row *row, const struct json_node *node);

/* --- taking apart --- */

bool import_content_is_chat(const struct import_content *content);

/* Whether the last message is the assistant's. */
bool import_content_ends_answered(const struct import_content *content);

/* The last message apart from those before it, of which there must be one. */
ERR_NODISCARD enum err_code import_answer_split(const struct import_json_row *row,
                                                const struct json_node *node,
                                                const struct import_content *whole,
                                                struct import_exchange *out_exchange,
                                                struct error *err);

/* The messages that two conversations share at their beginning, cut back so that the last of them
 * is not the assistant's and both have an answer left: what is shared is the prompt, what is left
 * are the answers, of several messages where the two part before the last turn. ERR_DATA at the
 * row if nothing is shared. */
ERR_NODISCARD enum err_code import_pair_split(const struct import_json_row *row,
                                              const struct import_content *chosen,
                                              const struct import_content *rejected,
                                              struct import_pair *out_pair, struct error *err);

/* --- making preferences --- */

void import_content_to_prompt(const struct import_content *content,
                              struct preference_prompt *prompt);

/* One message of the assistant becomes its text. */
void import_content_to_response(const struct import_content *content,
                                struct preference_response *response);

/* A comparison in which `chosen` is better, with the columns of the row. */
ERR_NODISCARD enum err_code import_pair_add(const struct import_json_row *row,
                                            const struct import_pair *pair,
                                            const struct import_columns *columns,
                                            struct import_batch *batch, struct error *err);

/* A label, rating or demonstration of one answer, or a prompt, for which no answer is read. */
ERR_NODISCARD enum err_code import_answer_add(const struct import_json_row *row,
                                              enum preference_kind kind,
                                              const struct import_exchange *exchange,
                                              struct import_batch *batch,
                                              struct preference **out_made, struct error *err);

#endif
