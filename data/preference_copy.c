/* preference_copy.c - see preference_copy.h. */
#include "data/preference_copy.h"

static enum err_code copy_text(struct arena *arena, struct text_span *text, struct error *err) {
    if (!text_span_is_set(text)) {
        return ERR_OK;
    }
    text->bytes = arena_strndup(arena, text->bytes, text->count);
    return text->bytes ? ERR_OK : err_oom(err, "a copy of a preference");
}

static enum err_code copy_messages(struct arena *arena, int64_t count,
                                   const struct message **messages, struct error *err) {
    if (count == 0) {
        return ERR_OK;
    }
    struct message *copies = arena_array(arena, (size_t)count, sizeof *copies);
    if (!copies) {
        return err_oom(err, "a copy of a preference");
    }
    for (int64_t m = 0; m < count; m++) {
        copies[m] = (*messages)[m];
        TRY(copy_text(arena, &copies[m].role, err));
        TRY(copy_text(arena, &copies[m].content, err));
    }
    *messages = copies;
    return ERR_OK;
}

enum err_code preference_prompt_copy(const struct preference_prompt *prompt, struct arena *arena,
                                     struct preference_prompt *out, struct error *err) {
    struct preference_prompt copy = *prompt;
    TRY(copy_text(arena, &copy.text, err));
    TRY(copy_text(arena, &copy.topic, err));
    TRY(copy_messages(arena, copy.message_count, &copy.messages, err));
    *out = copy;
    return ERR_OK;
}

enum err_code preference_response_copy(const struct preference_response *response,
                                       struct arena *arena, struct preference_response *out,
                                       struct error *err) {
    struct preference_response copy = *response;
    TRY(copy_text(arena, &copy.text, err));
    TRY(copy_text(arena, &copy.origin, err));
    TRY(copy_messages(arena, copy.message_count, &copy.messages, err));
    *out = copy;
    return ERR_OK;
}
