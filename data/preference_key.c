/* preference_key.c - see preference_key.h. */
#include "data/preference_key.h"

#include "base/json_writer.h"

#include <string.h>

static enum err_code write_messages(const struct message *messages, int64_t count,
                                    struct strbuf *scratch, struct text_span *out_text,
                                    struct error *err) {
    strbuf_reset(scratch);
    struct json_writer w = JSON_WRITER_INIT(scratch, JSON_COMPACT);
    json_write_array_begin(&w);
    for (int64_t i = 0; i < count; i++) {
        json_write_object_begin(&w);
        json_write_key(&w, "role");
        json_write_string_bytes(&w, messages[i].role.bytes, messages[i].role.count);
        json_write_key(&w, "content");
        json_write_string_bytes(&w, messages[i].content.bytes, messages[i].content.count);
        json_write_object_end(&w);
    }
    json_write_array_end(&w);
    TRY(json_writer_finish(&w, err));
    *out_text = (struct text_span){.bytes = strbuf_text(scratch), .count = scratch->length};
    return ERR_OK;
}

enum err_code preference_content_of_prompt(const struct preference_prompt *prompt,
                                           struct strbuf *scratch, struct preference_content *out,
                                           struct error *err) {
    struct preference_content content = {prompt_kind_name(prompt->kind), prompt->text};
    if (prompt->kind == PROMPT_CHAT) {
        TRY(write_messages(prompt->messages, prompt->message_count, scratch, &content.text, err));
    }
    *out = content;
    return ERR_OK;
}

enum err_code preference_content_of_response(const struct preference_response *response,
                                             struct strbuf *scratch, struct preference_content *out,
                                             struct error *err) {
    static const struct text_span assistant = {"assistant", sizeof "assistant" - 1};
    struct preference_content content = {"text", response->text};
    if (response->message_count == 1 && text_span_equal(&response->messages[0].role, &assistant)) {
        content.text = response->messages[0].content;
    } else if (response->message_count > 0) {
        content.kind = "chat";
        TRY(write_messages(response->messages, response->message_count, scratch, &content.text,
                           err));
    }
    *out = content;
    return ERR_OK;
}

enum err_code preference_key_of_content(const struct preference_content *content,
                                        const struct text_span *origin, struct hash_key *out_key,
                                        struct error *err) {
    bool has_origin = origin && text_span_is_set(origin);
    const struct hash_part parts[] = {
        {content->kind, strlen(content->kind)},
        {content->text.bytes, content->text.count},
        {has_origin ? origin->bytes : NULL, has_origin ? origin->count : 0}};
    return hash_key_of(parts, has_origin ? 3 : 2, out_key, err);
}

enum err_code preference_key_of_prompt(const struct preference_prompt *prompt,
                                       struct strbuf *scratch, struct hash_key *out_key,
                                       struct error *err) {
    struct preference_content content;
    TRY(preference_content_of_prompt(prompt, scratch, &content, err));
    return preference_key_of_content(&content, NULL, out_key, err);
}

enum err_code preference_key_of_response(const struct preference_response *response,
                                         struct strbuf *scratch, struct hash_key *out_key,
                                         struct error *err) {
    struct preference_content content;
    TRY(preference_content_of_response(response, scratch, &content, err));
    return preference_key_of_content(&content, &response->origin, out_key, err);
}
