/* export_json.c - one judgement as JSON: the layout is described in export.h. */
#include "base/json_writer.h"
#include "data/export_internal.h"

void export_put_text(struct json_writer *w, const char *key, const struct text_span *text) {
    if (text_span_is_set(text)) {
        json_write_key(w, key);
        json_write_string_bytes(w, text->bytes, text->count);
    }
}

static void write_message(struct json_writer *w, const struct text_span *role,
                          const struct text_span *content) {
    json_write_object_begin(w);
    export_put_text(w, "role", role);
    export_put_text(w, "content", content);
    json_write_object_end(w);
}

static void write_messages(struct json_writer *w, const struct message *messages, int64_t count) {
    json_write_array_begin(w);
    for (int64_t i = 0; i < count; i++) {
        write_message(w, &messages[i].role, &messages[i].content);
    }
    json_write_array_end(w);
}

static void write_prompt(struct json_writer *w, const struct preference_prompt *prompt) {
    if (prompt->kind == PROMPT_CHAT) {
        json_write_key(w, "prompt");
        write_messages(w, prompt->messages, prompt->message_count);
    } else {
        export_put_text(w, prompt->kind == PROMPT_ITEMS ? "items" : "prompt", &prompt->text);
    }
    export_put_text(w, "topic", &prompt->topic);
}

/* A response under a key of its own: messages beside a prompt of messages, else as it is. */
static void write_answer(struct json_writer *w, const char *key, const struct preference *row,
                         const struct preference_response *response) {
    json_write_key(w, key);
    if (response->message_count > 0) {
        write_messages(w, response->messages, response->message_count);
    } else if (row->prompt.kind == PROMPT_CHAT) {
        const struct text_span role = text_span_of("assistant");
        json_write_array_begin(w);
        write_message(w, &role, &response->text);
        json_write_array_end(w);
    } else {
        json_write_string_bytes(w, response->text.bytes, response->text.count);
    }
}

static void write_position(struct json_writer *w, const char *key, int64_t position) {
    if (position > 0) {
        json_put_i64(w, key, position);
    }
}

static void write_pair(struct json_writer *w, const struct preference *row) {
    bool rejected_first = row->responses[0].rank != 1;
    const struct preference_response *chosen = &row->responses[rejected_first ? 1 : 0];
    const struct preference_response *rejected = &row->responses[rejected_first ? 0 : 1];
    write_answer(w, "chosen", row, chosen);
    write_answer(w, "rejected", row, rejected);
    export_put_text(w, "chosen_origin", &chosen->origin);
    export_put_text(w, "rejected_origin", &rejected->origin);
    write_position(w, "chosen_position", chosen->position);
    write_position(w, "rejected_position", rejected->position);
    if (rejected_first) {
        json_put_bool(w, "rejected_first", true);
    }
}

static void write_ranking(struct json_writer *w, const struct preference *row) {
    json_put_array_begin(w, "responses");
    for (int64_t i = 0; i < row->response_count; i++) {
        const struct preference_response *response = &row->responses[i];
        json_write_object_begin(w);
        if (response->message_count > 0) {
            json_write_key(w, "messages");
            write_messages(w, response->messages, response->message_count);
        } else {
            export_put_text(w, "text", &response->text);
        }
        export_put_text(w, "origin", &response->origin);
        json_put_i64(w, "rank", response->rank);
        write_position(w, "position", response->position);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    if (row->last_unordered) {
        json_put_bool(w, "last_unordered", true);
    }
}

static void write_rating(struct json_writer *w, const struct preference *row) {
    write_answer(w, "response", row, &row->responses[0]);
    export_put_text(w, "origin", &row->responses[0].origin);
    json_put_f64(w, "rating", row->value);
    if (row->has_scale) {
        json_put_f64(w, "low", row->scale_low);
        json_put_f64(w, "high", row->scale_high);
    }
}

static void write_completion(struct json_writer *w, const struct preference *row) {
    write_answer(w, "completion", row, &row->responses[0]);
    export_put_text(w, "origin", &row->responses[0].origin);
    if (row->kind == PREFERENCE_LABEL) {
        json_put_bool(w, "label", row->good);
    }
}

static void write_judgement(struct json_writer *w, const struct preference *row) {
    switch (row->kind) {
    case PREFERENCE_COMPARISON:
        if (export_is_pair(row)) {
            write_pair(w, row);
        } else {
            write_ranking(w, row);
        }
        if (row->has_margin) {
            json_put_f64(w, "margin", row->margin);
        }
        break;
    case PREFERENCE_RATING:
        write_rating(w, row);
        break;
    case PREFERENCE_LABEL:
    case PREFERENCE_DEMONSTRATION:
        write_completion(w, row);
        break;
    case PREFERENCE_PROMPT:
    case PREFERENCE_KIND_COUNT:
        break;
    }
}

static void write_circumstances(struct json_writer *w, const struct preference *row) {
    export_put_text(w, "aspect", &row->aspect);
    export_put_text(w, "annotator", &row->annotator);
    export_put_text(w, "population", &row->population);
    if (row->weight != 1.0) {
        json_put_f64(w, "weight", row->weight);
    }
    if (row->has_asked_at) {
        json_put_i64(w, "asked_at", row->asked_at_ms);
    }
}

enum err_code export_json_row(const struct preference *row, struct strbuf *out, struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_COMPACT);
    json_write_object_begin(&w);
    json_put_string(&w, "judgement", preference_kind_name(row->kind));
    write_prompt(&w, &row->prompt);
    write_judgement(&w, row);
    write_circumstances(&w, row);
    json_write_object_end(&w);
    TRY(json_writer_finish(&w, err));
    strbuf_add_char(out, '\n');
    return strbuf_check(out, "a row of the export", err);
}
