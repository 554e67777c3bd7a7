/* message_json.c - see message_json.h. */
#include "data/message_json.h"

#include "base/json.h"
#include "base/scoped.h"

static enum err_code keep_text(const struct json *doc, const struct json_node *node,
                               const char *key, struct arena *arena, struct text_span *out,
                               struct error *err) {
    const char *text = NULL;
    TRY(json_get_string(doc, node, key, &text, err));
    size_t count = strlen(text);
    char *copy = arena_strndup(arena, text, count);
    if (!copy) {
        return err_oom(err, "messages");
    }
    *out = (struct text_span){copy, count};
    return ERR_OK;
}

enum err_code message_json_of(const struct json *doc, const struct json_node *node,
                              struct arena *arena, const struct message **out_messages,
                              int64_t *out_count, struct error *err) {
    const struct json_node *array = NULL;
    TRY(json_as_array(doc, node, &array, err));
    int64_t count = json_count(doc, array);
    struct message *messages = arena_array(arena, (size_t)count, sizeof *messages);
    if (!messages) {
        return err_oom(err, "messages");
    }
    int64_t i = 0;
    for (const struct json_node *m = json_first(array); m; m = json_next(m)) {
        TRY(keep_text(doc, m, "role", arena, &messages[i].role, err));
        TRY(keep_text(doc, m, "content", arena, &messages[i].content, err));
        i++;
    }
    *out_messages = messages;
    *out_count = count;
    return ERR_OK;
}

enum err_code message_json_read(const struct text_span *json, const char *name, struct arena *arena,
                                const struct message **out_messages, int64_t *out_count,
                                struct error *err) {
    const struct json_limits limits = {
        .bytes_max = SIZE_MAX / 2, .depth_max = 4, .values_max = 4 * PREFERENCE_MESSAGES_MAX};
    SCOPED(json) struct json *doc = NULL;
    TRY(json_parse(json->bytes, json->count, name, &limits, &doc, err));
    return message_json_of(doc, json_root(doc), arena, out_messages, out_count, err);
}
