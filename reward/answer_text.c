/* answer_text.c - see answer_text.h. */
#include "reward/answer_text.h"

#include "base/utf8.h"

#include <inttypes.h>

static enum err_code join_turns(const struct preference_response *response, struct strbuf *scratch,
                                struct text_span *out, struct error *err) {
    const struct text_span assistant = text_span_of("assistant");
    int64_t turns = 0;
    strbuf_reset(scratch);
    for (int64_t i = 0; i < response->message_count; i++) {
        const struct message *message = &response->messages[i];
        if (text_span_equal(&message->role, &assistant)) {
            strbuf_add(scratch, turns++ > 0 ? "\n\n" : "");
            strbuf_add_bytes(scratch, message->content.bytes, message->content.count);
        }
    }
    if (turns == 0) {
        return err_set(err, ERR_DATA, "none of its %" PRId64 " messages is the assistant's",
                       response->message_count);
    }
    TRY(strbuf_check(scratch, "text of an answer", err));
    *out = (struct text_span){.bytes = strbuf_text(scratch), .count = scratch->length};
    return ERR_OK;
}

enum err_code answer_text(const struct preference_response *response, struct strbuf *scratch,
                          struct text_span *out, struct error *err) {
    struct text_span text = response->text;
    if (response->message_count > 0) {
        TRY(join_turns(response, scratch, &text, err));
    }
    size_t invalid = utf8_find_invalid(text.bytes, text.count);
    if (invalid < text.count) {
        return err_set(err, ERR_DATA, "its text is not UTF-8 at byte %zu", invalid);
    }
    *out = text;
    return ERR_OK;
}

enum err_code answer_wrap(struct error *err, enum err_code code, int64_t index, int64_t count) {
    return err_wrap(err, code, "answer %" PRId64 " of %" PRId64, index + 1, count);
}
