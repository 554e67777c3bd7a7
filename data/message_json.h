/* message_json.h - a list of messages as the project file stores it.
 *
 * Use:      TRY(message_json_read(&text, "messages.json", &arena, &messages, &count, err));
 * Accepts:  a JSON array of objects with the strings "role" and "content"; other members are passed
 *           over.
 * Owns:     nothing: the messages and their texts lie in the caller's arena.
 * Threads:  no state.
 */
#ifndef DATA_MESSAGE_JSON_H
#define DATA_MESSAGE_JSON_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "data/preference.h"

#include <stdint.h>

/* `name` stands in messages. `*out_messages` is [*out_count], borrowed from `arena`.
 *   fails    ERR_DATA naming the place; ERR_OOM, also where the arena is full */
ERR_NODISCARD enum err_code message_json_read(const struct text_span *json, const char *name,
                                              struct arena *arena,
                                              const struct message **out_messages,
                                              int64_t *out_count, struct error *err);

/* The same of a value in a document, which may be freed afterwards. */
ERR_NODISCARD enum err_code message_json_of(const struct json *doc, const struct json_node *node,
                                            struct arena *arena,
                                            const struct message **out_messages, int64_t *out_count,
                                            struct error *err);

#endif
