/* import_trl.c - the layouts of TRL 1.16, which OpenRLHF reads too with its keys named by --map.
 *
 * Keys:     prompt, chosen, rejected, margin   preference, the prompt explicit; text or messages
 *           chosen, rejected                   the prompt is what both begin with (below)
 *           prompt, completion, label          unpaired: one answer, good or bad
 *           prompt, completion                 a demonstration
 *           prompt                             a prompt to sample from
 *           messages, or text                  language modelling: a demonstration whose answer is
 *                                              the last turn, or the whole text after an empty
 *                                              prompt; a conversation without an answer is a prompt
 *           prompt, completions, labels        stepwise: refused, a log keeps whole answers
 *           Each is a role that --map can give another key, which every row must have then. Other
 *           columns: import_columns.h.
 * Implicit: of messages, those that both share at the beginning, cut back to end before an answer
 *           (import_pair_split). Of text, as TRL: up to the first difference, and a space before it
 *           belongs to the answers. TRL then cuts words in two ("bl|ue", "bl|ack"), and loses a
 *           whole answer but for a letter where one text begins with the other; here a cut inside a
 *           word goes back to its beginning, and further where an answer would be left empty.
 * Mixed:    a text prompt beside whole conversations is not read, as in TRL: they contain it.
 * Before answers that are one turn of the assistant it is the user's turn. Messages of the prompt
 *           that both answers repeat at their beginning are taken once.
 * Source:   trl/data_utils.py, extract_prompt and maybe_extract_prompt.
 * Threads:  no state.
 */
#include "base/utf8.h"
#include "data/import_columns.h"
#include "data/import_format.h"
#include "data/import_messages.h"

#include <stdio.h>
#include <string.h>

/* --- where the prompt of two texts ends --- */

static bool is_continuation(const struct text_span *text, size_t at) {
    return at < text->count && ((unsigned char)text->bytes[at] & 0xC0u) == 0x80u;
}

/* Bytes of the longest prefix of whole code points that both share. */
static size_t shared_bytes(const struct text_span *left, const struct text_span *right) {
    size_t limit = left->count < right->count ? left->count : right->count;
    size_t shared = 0;
    while (shared < limit && left->bytes[shared] == right->bytes[shared]) {
        shared++;
    }
    while (shared > 0 && (is_continuation(left, shared) || is_continuation(right, shared))) {
        shared--;
    }
    return shared;
}

/* Letters and digits of scripts that put spaces between words: Latin, Greek, Cyrillic, Arabic, ...
 * up to U+1FFF. Others are cut where they differ. */
static bool is_word_char(uint32_t c) {
    bool is_ascii_word =
        (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
    return is_ascii_word || (c >= 0xC0 && c < 0x2000 && c != 0xD7 && c != 0xF7);
}

static bool is_word_at(const struct text_span *text, size_t at) {
    uint32_t c = 0;
    return utf8_decode(text->bytes + at, text->count - at, &c) > 0 && is_word_char(c);
}

static size_t step_back(const struct text_span *text, size_t at) {
    do {
        at--;
    } while (at > 0 && is_continuation(text, at));
    return at;
}

static bool is_space_before(const struct text_span *text, size_t at) {
    return at > 0 && strchr(" \t\n\r", text->bytes[at - 1]) && text->bytes[at - 1] != '\0';
}

/* Bytes of the prompt that both texts begin with. */
static size_t prompt_bytes(const struct text_span *chosen, const struct text_span *rejected) {
    size_t cut = shared_bytes(chosen, rejected);
    if (is_word_at(chosen, cut) || is_word_at(rejected, cut)) {
        while (cut > 0 && is_word_at(chosen, step_back(chosen, cut))) {
            cut = step_back(chosen, cut);
        }
    }
    if (cut == chosen->count || cut == rejected->count) {
        while (is_space_before(chosen, cut)) {
            cut--;
        }
        while (cut > 0 && !is_space_before(chosen, cut)) {
            cut--;
        }
    }
    return cut > 0 && chosen->bytes[cut - 1] == ' ' ? cut - 1 : cut;
}

static struct text_span behind(const struct text_span *text, size_t bytes) {
    return (struct text_span){.bytes = text->bytes + bytes, .count = text->count - bytes};
}

/* The prompt for rows that have none: of --prompt, or empty. */
static struct text_span default_prompt(const struct import_json_row *row) {
    return text_span_of(row->settings->prompt ? row->settings->prompt : "");
}

static void split_texts(const struct import_json_row *row, struct import_pair *pair) {
    size_t cut = prompt_bytes(&pair->chosen.text, &pair->rejected.text);
    pair->prompt.text = cut > 0 ? (struct text_span){.bytes = pair->chosen.text.bytes, .count = cut}
                                : default_prompt(row);
    pair->chosen.text = behind(&pair->chosen.text, cut);
    pair->rejected.text = behind(&pair->rejected.text, cut);
}

/* --- preferences --- */

static bool begins_with(const struct import_content *whole, const struct import_content *start) {
    if (whole->message_count <= start->message_count) {
        return false;
    }
    for (int64_t i = 0; i < start->message_count; i++) {
        if (!text_span_equal(&whole->messages[i].role, &start->messages[i].role) ||
            !text_span_equal(&whole->messages[i].content, &start->messages[i].content)) {
            return false;
        }
    }
    return true;
}

static void drop_repeated_prompt(struct import_pair *pair) {
    int64_t count = pair->prompt.message_count;
    if (begins_with(&pair->chosen, &pair->prompt) && begins_with(&pair->rejected, &pair->prompt)) {
        pair->chosen.messages += count;
        pair->chosen.message_count -= count;
        pair->rejected.messages += count;
        pair->rejected.message_count -= count;
    }
}

static bool is_one_answer(const struct import_content *content) {
    return content->message_count == 1 && import_content_ends_answered(content);
}

/* A text prompt before an answer that is a turn: the user's. */
static enum err_code prompt_as_turn(struct import_content *prompt, struct import_batch *batch,
                                    struct error *err) {
    struct message *message = NULL;
    TRY(import_batch_messages(batch, 1, &message, err));
    *message = (struct message){.role = text_span_of("user"), .content = prompt->text};
    *prompt = (struct import_content){.messages = message, .message_count = 1};
    return ERR_OK;
}

/* The prompt of a pair whose answers are read. `node` is NULL without a prompt. */
static enum err_code settle_prompt(const struct import_json_row *row, const struct json_node *node,
                                   struct import_pair *pair, struct import_batch *batch,
                                   struct error *err) {
    bool is_chat = import_content_is_chat(&pair->chosen);
    if (!node) {
        if (is_chat) {
            return import_pair_split(row, &pair->chosen, &pair->rejected, pair, err);
        }
        split_texts(row, pair);
        return ERR_OK;
    }
    TRY(import_content_read(row, node, batch, &pair->prompt, err));
    if (!is_chat) {
        return ERR_OK;
    }
    if (import_content_is_chat(&pair->prompt)) {
        drop_repeated_prompt(pair);
        return ERR_OK;
    }
    if (is_one_answer(&pair->chosen) && is_one_answer(&pair->rejected)) {
        return prompt_as_turn(&pair->prompt, batch, err);
    }
    return import_pair_split(row, &pair->chosen, &pair->rejected, pair, err);
}

static enum err_code read_preference(const struct import_json_row *row, struct import_batch *batch,
                                     struct error *err) {
    const struct json_node *chosen = NULL;
    const struct json_node *rejected = NULL;
    TRY(import_json_need(row, "chosen", "chosen", "the better answer", &chosen, err));
    TRY(import_json_need(row, "rejected", "rejected", "the worse answer", &rejected, err));
    struct import_pair pair = {.prompt = {.message_count = 0}};
    TRY(import_content_read(row, chosen, batch, &pair.chosen, err));
    TRY(import_content_read(row, rejected, batch, &pair.rejected, err));
    bool is_chat = import_content_is_chat(&pair.chosen);
    if (is_chat != import_content_is_chat(&pair.rejected)) {
        return json_refuse(row->doc, rejected, err, "expected %s, as the better answer is",
                           is_chat ? "a list of messages" : "text");
    }
    struct import_columns columns;
    TRY(import_columns_read(row, batch, &columns, err));
    TRY(settle_prompt(row, import_json_find(row, "prompt", "prompt"), &pair, batch, err));
    return import_pair_add(row, &pair, &columns, batch, err);
}

/* --- the other layouts --- */

static enum err_code read_completion(const struct import_json_row *row,
                                     const struct json_node *completion, struct import_batch *batch,
                                     struct error *err) {
    struct import_exchange exchange = {.prompt = {.text = default_prompt(row)}};
    const struct json_node *node = import_json_find(row, "prompt", "prompt");
    if (!node && !row->settings->prompt) {
        TRY(import_json_need(row, "prompt", "prompt", "what 'completion' answers", &node, err));
    }
    if (node) {
        TRY(import_content_read(row, node, batch, &exchange.prompt, err));
    }
    TRY(import_content_read(row, completion, batch, &exchange.answer, err));
    if (!import_content_is_chat(&exchange.prompt) && import_content_is_chat(&exchange.answer)) {
        TRY(prompt_as_turn(&exchange.prompt, batch, err));
    }
    const struct json_node *label = import_json_find(row, "label", "label");
    struct preference *made = NULL;
    TRY(import_answer_add(row, label ? PREFERENCE_LABEL : PREFERENCE_DEMONSTRATION, &exchange,
                          batch, &made, err));
    return label ? import_json_flag(row, label, &made->good, err) : ERR_OK;
}

static enum err_code read_messages(const struct import_json_row *row,
                                   const struct json_node *messages, struct import_batch *batch,
                                   struct error *err) {
    struct import_content whole = {.message_count = 0};
    struct import_exchange exchange = {.prompt = {.message_count = 0}};
    struct preference *made = NULL;
    static const struct text_span no_system = TEXT_SPAN_NONE;
    TRY(import_conversation_read(row, messages, &no_system, batch, &whole, err));
    bool is_answered = import_content_ends_answered(&whole);
    if (!is_answered) {
        exchange.prompt = whole;
    } else if (whole.message_count == 1) {
        exchange.prompt.text = default_prompt(row);
        exchange.answer = whole;
    } else {
        TRY(import_answer_split(row, messages, &whole, &exchange, err));
    }
    return import_answer_add(row, is_answered ? PREFERENCE_DEMONSTRATION : PREFERENCE_PROMPT,
                             &exchange, batch, &made, err);
}

static enum err_code read_text(const struct import_json_row *row, const struct json_node *text,
                               struct import_batch *batch, struct error *err) {
    struct import_exchange exchange = {.prompt = {.text = default_prompt(row)}};
    struct preference *made = NULL;
    TRY(import_json_text(row, text, &exchange.answer.text, err));
    return import_answer_add(row, PREFERENCE_DEMONSTRATION, &exchange, batch, &made, err);
}

static enum err_code read_prompt(const struct import_json_row *row, struct import_batch *batch,
                                 struct error *err) {
    const struct json_node *node = import_json_find(row, "prompt", "prompt");
    if (!node) {
        return json_refuse(
            row->doc, row->node, err,
            "expected 'prompt', 'chosen' and 'rejected', or 'prompt', 'completion' and 'label', or "
            "'messages', or 'text'; other keys are named with --map chosen=...");
    }
    struct import_exchange exchange = {.prompt = {.message_count = 0}};
    struct preference *made = NULL;
    TRY(import_content_read(row, node, batch, &exchange.prompt, err));
    return import_answer_add(row, PREFERENCE_PROMPT, &exchange, batch, &made, err);
}

/* A key that the user has named and the row lacks is a mistake: without it the row would be read
 * as of another layout, its prompt guessed and its margin lost. null is there, and says nothing. */
static enum err_code check_mapped(const struct import_json_row *row, struct error *err) {
    const struct import_settings *settings = row->settings;
    for (int64_t i = 0; i < settings->map_count; i++) {
        const struct import_map_entry *entry = &settings->map[i];
        if (entry->column[0] && !json_find(row->doc, row->node, entry->column)) {
            return json_refuse(row->doc, row->node, err, "--map %s=%s: the row has no key '%s'",
                               entry->role, entry->column, entry->column);
        }
    }
    const char *chosen = import_settings_column(settings, "chosen", "chosen");
    if (strcmp(chosen, import_settings_column(settings, "rejected", "rejected")) == 0) {
        return err_set(err, ERR_USAGE,
                       "--map: the key '%s' cannot be both the chosen and the rejected answer",
                       chosen);
    }
    return ERR_OK;
}

static enum err_code read_row(void *state, const struct import_json_row *row,
                              struct import_batch *batch, struct error *err) {
    (void)state;
    TRY(check_mapped(row, err));
    TRY(import_json_refuse_media(row, err));
    if (import_json_find(row, "chosen", "chosen") ||
        import_json_find(row, "rejected", "rejected")) {
        return read_preference(row, batch, err);
    }
    const struct json_node *node = import_json_find(row, "completions", "completions");
    if (node && import_json_find(row, "labels", "labels")) {
        return json_refuse(row->doc, node, err,
                           "labels of single steps: a log keeps judgements of whole answers; give "
                           "'completion' and 'label'");
    }
    node = import_json_find(row, "completion", "completion");
    if (node) {
        return read_completion(row, node, batch, err);
    }
    node = import_json_find(row, "messages", "messages");
    if (node) {
        return read_messages(row, node, batch, err);
    }
    node = import_json_find(row, "text", "text");
    return node ? read_text(row, node, batch, err) : read_prompt(row, batch, err);
}

/* --- recognising --- */

#define LAYOUT_KEYS_MAX 3

/* The first whose keys are all there. */
static const struct layout {
    const char *keys[LAYOUT_KEYS_MAX + 1];
    const char *name;
} layouts[] = {
    {{"prompt", "chosen", "rejected"}, "preference"},
    {{"chosen", "rejected"}, "preference, the prompt is what both begin with"},
    {{"prompt", "completions", "labels"}, "stepwise supervision"},
    {{"prompt", "completion", "label"}, "unpaired preference"},
    {{"prompt", "completion"}, "prompt and completion"},
    {{"messages"}, "language modelling"},
    {{"text"}, "language modelling"},
    {{"prompt"}, "prompts only"},
};

static bool has_layout(const struct import_json_row *row, const struct layout *layout) {
    for (int i = 0; layout->keys[i]; i++) {
        if (!import_json_find(row, layout->keys[i], layout->keys[i])) {
            return false;
        }
    }
    return true;
}

static bool recognise(const struct import_json_row *row, char out_why[IMPORT_WHY_BYTES]) {
    for (size_t l = 0; l < sizeof layouts / sizeof layouts[0]; l++) {
        if (!has_layout(row, &layouts[l])) {
            continue;
        }
        char keys[96] = "";
        size_t used = 0;
        for (int i = 0; layouts[l].keys[i]; i++) {
            const char *key =
                import_settings_column(row->settings, layouts[l].keys[i], layouts[l].keys[i]);
            int wanted =
                snprintf(keys + used, sizeof keys - used, "%s'%.24s'", i == 0 ? "" : ", ", key);
            used += (size_t)wanted;
        }
        (void)snprintf(out_why, IMPORT_WHY_BYTES, "the keys %s: %s", keys, layouts[l].name);
        return true;
    }
    return false;
}

const struct import_format import_trl = {
    .name = "trl",
    .title = "TRL: prompt, chosen, rejected and its other layouts; OpenRLHF with its keys in --map",
    .container = IMPORT_JSON,
    .recognise_json = recognise,
    .read_json = read_row,
};
