/* import_messages.c - see import_messages.h. */
#include "data/import_messages.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <string.h>

/* --- roles --- */

/* What data sets call the four roles. */
static const char *const role_names[][2] = {
    {"user", "user"},     {"assistant", "assistant"}, {"system", "system"},
    {"human", "user"},    {"gpt", "assistant"},       {"tool", "tool"},
    {"prompter", "user"}, {"chatgpt", "assistant"},   {"developer", "system"},
    {"bot", "assistant"}, {"model", "assistant"},     {"observation", "tool"},
    {"ipython", "tool"},  {"function", "tool"},       {"tool_response", "tool"},
};

static enum err_code read_role(const struct import_json_row *row, const struct json_node *node,
                               struct text_span *out_role, struct error *err) {
    const char *name = NULL;
    TRY(json_as_string(row->doc, node, &name, err));
    for (size_t i = 0; i < sizeof role_names / sizeof role_names[0]; i++) {
        if (strcmp(name, role_names[i][0]) == 0) {
            *out_role = text_span_of(role_names[i][1]);
            return ERR_OK;
        }
    }
    char excerpt[UTF8_EXCERPT_BYTES];
    (void)utf8_excerpt(name, strlen(name), excerpt);
    if (strcmp(name, "function_call") == 0 || strcmp(name, "tool_call") == 0) {
        return json_refuse(row->doc, node, err, "a '%s' cannot be kept: tool calls are not text",
                           excerpt);
    }
    return json_refuse(row->doc, node, err,
                       "role '%s': expected 'system', 'user', 'assistant' or 'tool'", excerpt);
}

static bool role_is(const struct message *message, const char *role) {
    struct text_span wanted = text_span_of(role);
    return text_span_equal(&message->role, &wanted);
}

/* --- one message --- */

enum err_code import_json_text(const struct import_json_row *row, const struct json_node *node,
                               struct text_span *out_text, struct error *err) {
    const char *text = NULL;
    TRY(json_as_string(row->doc, node, &text, err));
    *out_text = text_span_of(text);
    return ERR_OK;
}

static enum err_code read_parts(const struct import_json_row *row, const struct json_node *parts,
                                struct text_span *out_text, struct error *err) {
    for (const struct json_node *part = json_first(parts); part; part = json_next(part)) {
        const char *kind = import_json_peek(row, json_find(row->doc, part, "type"));
        if (strcmp(kind, "text") != 0) {
            char excerpt[UTF8_EXCERPT_BYTES];
            return json_refuse(row->doc, part, err,
                               "a part of kind '%s' cannot be kept: expected text",
                               utf8_excerpt(kind, strlen(kind), excerpt));
        }
    }
    int64_t count = json_count(row->doc, parts);
    if (count != 1) {
        return json_refuse(row->doc, parts, err, "a list of %" PRId64 " parts: expected one text",
                           count);
    }
    const char *text = NULL;
    TRY(json_get_string(row->doc, json_first(parts), "text", &text, err));
    *out_text = text_span_of(text);
    return ERR_OK;
}

static bool holds_something(const struct json_node *node) {
    return node && json_kind_of(node) != JSON_KIND_NULL &&
           !(json_kind_of(node) == JSON_KIND_ARRAY && !json_first(node));
}

/* What stands in a message beside its content and would be lost. */
static enum err_code refuse_extras(const struct import_json_row *row,
                                   const struct json_node *message, struct error *err) {
    static const char *const calls[] = {"tool_calls", "function_call"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        const struct json_node *node = json_find(row->doc, message, calls[i]);
        if (holds_something(node)) {
            return json_refuse(row->doc, node, err, "'%s' cannot be kept: tool calls are not text",
                               calls[i]);
        }
    }
    static const char *const thoughts[] = {"reasoning_content", "thinking"};
    for (size_t i = 0; i < sizeof thoughts / sizeof thoughts[0]; i++) {
        const struct json_node *node = json_find(row->doc, message, thoughts[i]);
        const char *text = "";
        if (!holds_something(node)) {
            continue;
        }
        TRY(json_as_string(row->doc, node, &text, err));
        if (text[0] != '\0') {
            return json_refuse(row->doc, node, err,
                               "'%s' stands beside the content and would be lost: write it into "
                               "the content",
                               thoughts[i]);
        }
    }
    return ERR_OK;
}

enum err_code import_message_read(const struct import_json_row *row, const struct json_node *node,
                                  struct message *out, struct error *err) {
    TRY(json_as_object(row->doc, node, &node, err));
    const struct json_node *role = json_find(row->doc, node, "role");
    bool is_sharegpt = !role && json_find(row->doc, node, "from");
    role = is_sharegpt ? json_find(row->doc, node, "from") : role;
    if (!role) {
        return json_refuse(row->doc, node, err,
                           "expected a message with 'role' and 'content' (or 'from' and 'value')");
    }
    TRY(refuse_extras(row, node, err));
    const char *content_key = is_sharegpt ? "value" : "content";
    const struct json_node *content = json_find(row->doc, node, content_key);
    if (!content) {
        return json_refuse(row->doc, node, err, "missing key '%s', expected text", content_key);
    }
    struct message message = {0};
    TRY(read_role(row, role, &message.role, err));
    if (json_kind_of(content) == JSON_KIND_ARRAY) {
        TRY(read_parts(row, content, &message.content, err));
    } else {
        TRY(import_json_text(row, content, &message.content, err));
    }
    *out = message;
    return ERR_OK;
}

/* --- conversations --- */

bool import_is_conversation(const struct import_json_row *row, const struct json_node *node) {
    if (!node || json_kind_of(node) != JSON_KIND_ARRAY) {
        return false;
    }
    const struct json_node *first = json_first(node);
    return json_find(row->doc, first, "role") || json_find(row->doc, first, "from");
}

/* Whether the list begins with a system message; what is wrong with it is said on reading it. */
static bool begins_with_system(const struct import_json_row *row, const struct json_node *list) {
    struct error ignored = ERROR_INIT;
    struct message first = {0};
    return import_message_read(row, json_first(list), &first, &ignored) == ERR_OK &&
           role_is(&first, "system");
}

enum err_code import_conversation_read(const struct import_json_row *row,
                                       const struct json_node *node, const struct text_span *system,
                                       struct import_batch *batch, struct import_content *out,
                                       struct error *err) {
    TRY(json_as_array(row->doc, node, &node, err));
    int64_t count = json_count(row->doc, node);
    bool is_led = text_span_is_set(system) && system->count > 0 && count > 0 &&
                  !begins_with_system(row, node);
    if (count < 1 || count > PREFERENCE_MESSAGES_MAX - is_led) {
        return json_refuse(row->doc, node, err, "%" PRId64 " messages: expected 1 to %d", count,
                           PREFERENCE_MESSAGES_MAX - is_led);
    }
    struct message *messages = NULL;
    TRY(import_batch_messages(batch, count + is_led, &messages, err));
    struct message *next = messages;
    if (is_led) {
        *next++ = (struct message){.role = text_span_of("system"), .content = *system};
    }
    for (const struct json_node *item = json_first(node); item; item = json_next(item)) {
        TRY(import_message_read(row, item, next++, err));
    }
    *out = (struct import_content){.messages = messages, .message_count = next - messages};
    return ERR_OK;
}

enum err_code import_content_read(const struct import_json_row *row, const struct json_node *node,
                                  struct import_batch *batch, struct import_content *out,
                                  struct error *err) {
    static const struct text_span no_system = TEXT_SPAN_NONE;
    if (json_kind_of(node) == JSON_KIND_ARRAY) {
        return import_conversation_read(row, node, &no_system, batch, out, err);
    }
    struct import_content content = {.message_count = 0};
    TRY(import_json_text(row, node, &content.text, err));
    *out = content;
    return ERR_OK;
}

enum err_code import_json_find_text(const struct import_json_row *row, const char *key,
                                    struct text_span *out_text, struct error *err) {
    const struct json_node *node = import_json_find(row, key, key);
    *out_text = (struct text_span)TEXT_SPAN_NONE;
    return node ? import_json_text(row, node, out_text, err) : ERR_OK;
}

/* One [question, answer] of a history. */
static enum err_code read_exchange(const struct import_json_row *row, const struct json_node *pair,
                                   struct message messages[2], struct error *err) {
    if (json_kind_of(pair) != JSON_KIND_ARRAY || json_count(row->doc, pair) != 2) {
        return json_refuse(row->doc, pair, err, "expected a list of a question and its answer");
    }
    static const char *const roles[] = {"user", "assistant"};
    for (int i = 0; i < 2; i++) {
        messages[i].role = text_span_of(roles[i]);
        TRY(import_json_text(row, json_at(row->doc, pair, i), &messages[i].content, err));
    }
    return ERR_OK;
}

enum err_code import_dialogue_read(const struct import_json_row *row,
                                   const struct import_dialogue *dialogue,
                                   struct import_batch *batch, struct import_content *out,
                                   struct error *err) {
    const struct json_node *history = dialogue->history;
    if (history && json_kind_of(history) != JSON_KIND_ARRAY) {
        return json_refuse(row->doc, history, err, "expected a list of questions with answers");
    }
    int64_t past = json_count(row->doc, history);
    if (past > PREFERENCE_MESSAGES_MAX / 2 - 1) {
        return json_refuse(row->doc, history, err,
                           "%" PRId64 " questions with answers: the limit is %d", past,
                           PREFERENCE_MESSAGES_MAX / 2 - 1);
    }
    bool is_led = dialogue->system.count > 0;
    struct message *messages = NULL;
    TRY(import_batch_messages(batch, is_led + 2 * past + 1, &messages, err));
    struct message *next = messages;
    if (is_led) {
        *next++ = (struct message){.role = text_span_of("system"), .content = dialogue->system};
    }
    const struct json_node *pair = history ? json_first(history) : NULL;
    for (; pair; pair = json_next(pair)) {
        TRY(read_exchange(row, pair, next, err));
        next += 2;
    }
    *next++ = (struct message){.role = text_span_of("user"), .content = dialogue->question};
    *out = (struct import_content){.messages = messages, .message_count = next - messages};
    return ERR_OK;
}

/* --- taking apart --- */

bool import_content_is_chat(const struct import_content *content) {
    return content->message_count > 0;
}

bool import_content_ends_answered(const struct import_content *content) {
    return content->message_count > 0 &&
           role_is(&content->messages[content->message_count - 1], "assistant");
}

static struct import_content part_of(const struct import_content *whole, int64_t first,
                                     int64_t count) {
    return (struct import_content){.messages = whole->messages + first, .message_count = count};
}

enum err_code import_answer_split(const struct import_json_row *row, const struct json_node *node,
                                  const struct import_content *whole,
                                  struct import_exchange *out_exchange, struct error *err) {
    if (!import_content_ends_answered(whole)) {
        return json_refuse(row->doc, node, err,
                           "the last message is not the assistant's: expected an answer");
    }
    if (whole->message_count < 2) {
        return json_refuse(row->doc, node, err, "one message: expected a question before it");
    }
    *out_exchange = (struct import_exchange){
        .prompt = part_of(whole, 0, whole->message_count - 1),
        .answer = part_of(whole, whole->message_count - 1, 1),
    };
    return ERR_OK;
}

static bool messages_equal(const struct message *left, const struct message *right) {
    return text_span_equal(&left->role, &right->role) &&
           text_span_equal(&left->content, &right->content);
}

enum err_code import_pair_split(const struct import_json_row *row,
                                const struct import_content *chosen,
                                const struct import_content *rejected, struct import_pair *out_pair,
                                struct error *err) {
    int64_t shorter = chosen->message_count < rejected->message_count ? chosen->message_count
                                                                      : rejected->message_count;
    int64_t shared = 0;
    while (shared < shorter - 1 &&
           messages_equal(&chosen->messages[shared], &rejected->messages[shared])) {
        shared++;
    }
    while (shared > 0 && role_is(&chosen->messages[shared - 1], "assistant")) {
        shared--;
    }
    if (shared == 0) {
        return json_refuse(row->doc, row->node, err,
                           "the two conversations do not begin with the same question: there is "
                           "no prompt that both answer");
    }
    *out_pair = (struct import_pair){
        .prompt = part_of(chosen, 0, shared),
        .chosen = part_of(chosen, shared, chosen->message_count - shared),
        .rejected = part_of(rejected, shared, rejected->message_count - shared),
    };
    return ERR_OK;
}

/* --- making preferences --- */

void import_content_to_prompt(const struct import_content *content,
                              struct preference_prompt *prompt) {
    prompt->kind = import_content_is_chat(content) ? PROMPT_CHAT : PROMPT_TEXT;
    prompt->text = content->text;
    prompt->messages = content->messages;
    prompt->message_count = content->message_count;
}

void import_content_to_response(const struct import_content *content,
                                struct preference_response *response) {
    bool is_plain = content->message_count == 1 && role_is(&content->messages[0], "assistant");
    response->text = is_plain ? content->messages[0].content : content->text;
    response->messages = is_plain ? NULL : content->messages;
    response->message_count = is_plain ? 0 : content->message_count;
}

enum err_code import_pair_add(const struct import_json_row *row, const struct import_pair *pair,
                              const struct import_columns *columns, struct import_batch *batch,
                              struct error *err) {
    struct preference *made = NULL;
    struct preference_response *sides = NULL;
    TRY(import_batch_add(batch, PREFERENCE_COMPARISON, 2, &made, &sides, err));
    import_content_to_prompt(&pair->prompt, &made->prompt);
    import_content_to_response(&pair->chosen, &sides[0]);
    import_content_to_response(&pair->rejected, &sides[1]);
    sides[0].rank = 1;
    sides[1].rank = 2;
    import_columns_apply(row, columns, made);
    return import_json_pair_origins(row, batch, sides, err);
}

enum err_code import_answer_add(const struct import_json_row *row, enum preference_kind kind,
                                const struct import_exchange *exchange, struct import_batch *batch,
                                struct preference **out_made, struct error *err) {
    struct import_columns columns = {.weight = 1.0};
    TRY(import_columns_read(row, batch, &columns, err));
    struct preference *made = NULL;
    struct preference_response *response = NULL;
    bool has_answer = kind != PREFERENCE_PROMPT;
    TRY(import_batch_add(batch, kind, has_answer, &made, &response, err));
    import_content_to_prompt(&exchange->prompt, &made->prompt);
    import_columns_apply(row, &columns, made);
    if (has_answer) {
        import_content_to_response(&exchange->answer, response);
        TRY(import_json_origin(row, batch, response, err));
    }
    *out_made = made;
    return ERR_OK;
}
