/* import_slate.c - see import_slate.h. */
#include "data/import_slate.h"

#include "base/invariant.h"

#include "base/utf8.h"
#include "data/import_messages.h"
#include "data/import_path.h"

#include <inttypes.h>
#include <string.h>

/* --- the prompt --- */

/* Of a set of items: --name, or the name of the file. */
static struct text_span set_name(const struct import_json_row *row) {
    return row->settings->name ? text_span_of(row->settings->name)
                               : import_path_stem(row->settings->path);
}

static enum err_code read_prompt(const struct import_json_row *row, struct import_batch *batch,
                                 struct preference_prompt *prompt, struct error *err) {
    const struct json_node *node = import_json_find(row, "prompt", "prompt");
    const struct json_node *items = import_json_find(row, "items", "items");
    if (node) {
        struct import_content content = {.message_count = 0};
        TRY(import_content_read(row, node, batch, &content, err));
        import_content_to_prompt(&content, prompt);
        return ERR_OK;
    }
    if (!items && row->settings->prompt) {
        prompt->kind = PROMPT_TEXT;
        prompt->text = text_span_of(row->settings->prompt);
        return ERR_OK;
    }
    prompt->kind = PROMPT_ITEMS;
    if (items && json_kind_of(items) != JSON_KIND_ARRAY) {
        TRY(import_json_name(row, items, batch, &prompt->text, err));
    }
    if (!text_span_is_set(&prompt->text)) {
        prompt->text = set_name(row);
    }
    return ERR_OK;
}

/* --- the responses --- */

static enum err_code allocate(const struct import_json_row *row, const struct json_node *node,
                              int64_t count, struct import_batch *batch, struct import_slate *slate,
                              struct error *err) {
    if (count < 1 || count > PREFERENCE_RESPONSES_MAX) {
        return json_refuse(row->doc, node, err, "%" PRId64 " responses: expected 1 to %d", count,
                           PREFERENCE_RESPONSES_MAX);
    }
    struct preference_response *responses =
        arena_array(&batch->arena, (size_t)count, sizeof *responses);
    if (!responses) {
        return err_oom(err, "responses");
    }
    memset(responses, 0, (size_t)count * sizeof *responses);
    slate->responses = responses;
    slate->count = count;
    return ERR_OK;
}

/* Members that an object among `responses` may have beside its text. */
static enum err_code read_details(const struct import_json_row *row, const struct json_node *node,
                                  struct import_batch *batch, struct import_slate *slate,
                                  struct preference_response *response, struct error *err) {
    ASSERT(response);
    const struct json_node *origin = json_find(row->doc, node, "origin");
    origin = origin ? origin : json_find(row->doc, node, "model");
    TRY(import_json_name(row, origin, batch, &response->origin, err));
    const struct json_node *position = json_find(row->doc, node, "position");
    if (position) {
        TRY(json_as_i64(row->doc, position, &response->position, err));
    }
    if (response->position < 0) {
        return json_refuse(row->doc, position, err, "position %" PRId64 " is below 1",
                           response->position);
    }
    const struct json_node *rank = json_find(row->doc, node, "rank");
    if (!rank) {
        slate->has_ranks = false;
        return ERR_OK;
    }
    TRY(json_as_i64(row->doc, rank, &response->rank, err));
    return response->rank >= 1
               ? ERR_OK
               : json_refuse(row->doc, rank, err, "rank %" PRId64 " is below 1, the best",
                             response->rank);
}

static enum err_code read_response(const struct import_json_row *row, const struct json_node *node,
                                   struct import_batch *batch, struct import_slate *slate,
                                   struct preference_response *response, struct error *err) {
    bool is_object = json_kind_of(node) == JSON_KIND_OBJECT;
    const struct json_node *said = node;
    if (is_object) {
        TRY(read_details(row, node, batch, slate, response, err));
        said = json_find(row->doc, node, "text");
        said = said ? said : json_find(row->doc, node, "messages");
        if (!said) {
            return json_refuse(row->doc, node, err, "expected 'text' or 'messages'");
        }
    }
    slate->has_ranks = slate->has_ranks && is_object;
    if (slate->prompt.kind == PROMPT_ITEMS) {
        return import_json_name(row, said, batch, &response->text, err);
    }
    struct import_content content = {.message_count = 0};
    TRY(import_content_read(row, said, batch, &content, err));
    import_content_to_response(&content, response);
    return ERR_OK;
}

static enum err_code read_list(const struct import_json_row *row, const struct json_node *list,
                               struct import_batch *batch, struct import_slate *slate,
                               struct error *err) {
    TRY(json_as_array(row->doc, list, &list, err));
    TRY(allocate(row, list, json_count(row->doc, list), batch, slate, err));
    struct preference_response *next = slate->responses;
    slate->has_ranks = true;
    for (const struct json_node *item = json_first(list); item; item = json_next(item)) {
        TRY(read_response(row, item, batch, slate, next++, err));
    }
    return ERR_OK;
}

static enum err_code read_ab(const struct import_json_row *row, const struct json_node *a,
                             struct import_batch *batch, struct import_slate *slate,
                             struct error *err) {
    static const char *const model_keys[] = {"model_a", "model_b"};
    const struct json_node *sides[2] = {a, NULL};
    TRY(import_json_need(row, "response_b", "response_b", "the other answer", &sides[1], err));
    TRY(allocate(row, row->node, 2, batch, slate, err));
    slate->is_ab = true;
    for (int i = 0; i < 2; i++) {
        struct preference_response *side = &slate->responses[i];
        TRY(read_response(row, sides[i], batch, slate, side, err));
        side->position = side->position > 0 ? side->position : i + 1;
        if (!text_span_is_set(&side->origin)) {
            const struct json_node *model = json_find(row->doc, row->node, model_keys[i]);
            TRY(import_json_name(row, model, batch, &side->origin, err));
        }
    }
    slate->has_ranks = false;
    return ERR_OK;
}

enum err_code import_slate_read(const struct import_json_row *row, struct import_batch *batch,
                                struct import_slate *out_slate, struct error *err) {
    struct import_slate slate = {.count = 0};
    TRY(read_prompt(row, batch, &slate.prompt, err));
    const struct json_node *list = import_json_find(row, "responses", "responses");
    const struct json_node *items = import_json_find(row, "items", "items");
    const struct json_node *a = import_json_find(row, "response_a", "response_a");
    if (!list && items && json_kind_of(items) == JSON_KIND_ARRAY) {
        list = items;
    }
    if (list) {
        TRY(read_list(row, list, batch, &slate, err));
    } else if (a) {
        TRY(read_ab(row, a, batch, &slate, err));
    }
    *out_slate = slate;
    return ERR_OK;
}

enum err_code import_slate_name(const struct import_json_row *row,
                                const struct json_node *const *names, int64_t count,
                                struct import_batch *batch, struct import_slate *slate,
                                struct error *err) {
    TRY(allocate(row, row->node, count, batch, slate, err));
    for (int64_t i = 0; i < count; i++) {
        TRY(import_json_name(row, names[i], batch, &slate->responses[i].text, err));
        if (!text_span_is_set(&slate->responses[i].text)) {
            return json_refuse(row->doc, names[i], err, "expected the name of an item");
        }
    }
    return ERR_OK;
}

/* --- pointing and judging --- */

/* 'a' and 'b', as they are called; -1 for another word. */
static int64_t letter_index(const char *word) {
    static const char *const words[][2] = {
        {"a", "b"}, {"A", "B"}, {"response_a", "response_b"}, {"model_a", "model_b"}};
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
        for (int64_t i = 0; i < 2; i++) {
            if (strcmp(word, words[w][i]) == 0) {
                return i;
            }
        }
    }
    return -1;
}

static enum err_code find_word(const struct import_json_row *row, const struct import_slate *slate,
                               const struct json_node *node, int64_t *out_index,
                               struct error *err) {
    const char *word = NULL;
    TRY(json_as_string(row->doc, node, &word, err));
    struct text_span wanted = text_span_of(word);
    int64_t letter = slate->is_ab ? letter_index(word) : -1;
    for (int64_t i = 0; i < slate->count; i++) {
        if (i == letter || text_span_equal(&slate->responses[i].text, &wanted)) {
            *out_index = i;
            return ERR_OK;
        }
    }
    char excerpt[UTF8_EXCERPT_BYTES];
    return json_refuse(row->doc, node, err, "'%s' is none of the %" PRId64 " responses",
                       utf8_excerpt(word, strlen(word), excerpt), slate->count);
}

enum err_code import_slate_find(const struct import_json_row *row, const struct import_slate *slate,
                                const struct json_node *node, int64_t *out_index,
                                struct error *err) {
    if (json_kind_of(node) != JSON_KIND_NUMBER) {
        return find_word(row, slate, node, out_index, err);
    }
    int64_t index = 0;
    TRY(json_as_i64(row->doc, node, &index, err));
    if (index < 0 || index >= slate->count) {
        return json_refuse(row->doc, node, err,
                           "index %" PRId64 " is outside [0, %" PRId64 "]: responses count from 0",
                           index, slate->count - 1);
    }
    *out_index = index;
    return ERR_OK;
}

enum err_code import_slate_compare(const struct import_slate *slate, const int64_t *ranks,
                                   struct import_batch *batch, struct preference **out_made,
                                   struct error *err) {
    struct preference *made = NULL;
    struct preference_response *responses = NULL;
    TRY(import_batch_add(batch, PREFERENCE_COMPARISON, slate->count, &made, &responses, err));
    made->prompt = slate->prompt;
    for (int64_t i = 0; i < slate->count; i++) {
        responses[i] = slate->responses[i];
        responses[i].rank = ranks[i];
    }
    *out_made = made;
    return ERR_OK;
}

enum err_code import_slate_judge(const struct import_slate *slate, int64_t index,
                                 enum preference_kind kind, struct import_batch *batch,
                                 struct preference **out_made, struct error *err) {
    struct preference *made = NULL;
    struct preference_response *response = NULL;
    TRY(import_batch_add(batch, kind, 1, &made, &response, err));
    made->prompt = slate->prompt;
    *response = slate->responses[index];
    response->rank = 0;
    response->position = 0;
    *out_made = made;
    return ERR_OK;
}
