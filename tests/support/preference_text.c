/* preference_text.c - see preference_text.h. */
#include "tests/support/preference_text.h"

#include "base/json_writer.h"

#include <inttypes.h>

static void add_span(struct strbuf *out, const struct text_span *span) {
    if (!text_span_is_set(span)) {
        strbuf_add(out, "-");
        return;
    }
    strbuf_add_bytes(out, span->bytes, span->count);
}

static void add_quoted(struct strbuf *out, const struct text_span *span) {
    if (!text_span_is_set(span)) {
        strbuf_add(out, "-");
        return;
    }
    strbuf_add_char(out, '\'');
    for (size_t i = 0; i < span->count; i++) {
        switch (span->bytes[i]) {
        case '\n':
            strbuf_add(out, "\\n");
            break;
        case '\t':
            strbuf_add(out, "\\t");
            break;
        case '\'':
            strbuf_add(out, "\\'");
            break;
        default:
            strbuf_add_char(out, span->bytes[i]);
        }
    }
    strbuf_add_char(out, '\'');
}

static void add_number(struct strbuf *out, const char *before, double value) {
    char number[JSON_F64_BYTES];
    strbuf_addf(out, "%s%s", before, json_format_f64(value, number));
}

static void add_messages(struct strbuf *out, const struct message *messages, int64_t count) {
    strbuf_add_char(out, '[');
    for (int64_t i = 0; i < count; i++) {
        strbuf_add(out, i > 0 ? "; " : "");
        add_span(out, &messages[i].role);
        strbuf_add_char(out, ' ');
        add_quoted(out, &messages[i].content);
    }
    strbuf_add_char(out, ']');
}

static void add_prompt(struct strbuf *out, const struct preference_prompt *prompt) {
    if (prompt->kind == PROMPT_CHAT) {
        add_messages(out, prompt->messages, prompt->message_count);
    } else if (prompt->kind == PROMPT_ITEMS) {
        strbuf_add_char(out, '{');
        add_span(out, &prompt->text);
        strbuf_add_char(out, '}');
    } else {
        add_quoted(out, &prompt->text);
    }
    if (text_span_is_set(&prompt->topic)) {
        strbuf_add(out, " #");
        add_span(out, &prompt->topic);
    }
}

static void add_response(struct strbuf *out, const struct preference_response *response) {
    strbuf_add(out, " | ");
    if (response->rank != 0) {
        strbuf_addf(out, "%" PRId64, response->rank);
    }
    if (response->position != 0) {
        strbuf_addf(out, "@%" PRId64, response->position);
    }
    strbuf_add(out, response->rank != 0 || response->position != 0 ? " " : "");
    if (response->message_count > 0) {
        add_messages(out, response->messages, response->message_count);
    } else {
        add_quoted(out, &response->text);
    }
    if (text_span_is_set(&response->origin)) {
        strbuf_add(out, " ~");
        add_span(out, &response->origin);
    }
}

static void add_judgement(struct strbuf *out, const struct preference *row) {
    if (row->kind == PREFERENCE_RATING) {
        add_number(out, " value ", row->value);
    }
    if (row->has_scale) {
        add_number(out, " of [", row->scale_low);
        add_number(out, ", ", row->scale_high);
        strbuf_add_char(out, ']');
    }
    if (row->kind == PREFERENCE_LABEL) {
        strbuf_add(out, row->good ? " good" : " bad");
    }
    strbuf_add(out, row->last_unordered ? " unordered" : "");
}

static void add_circumstances(struct strbuf *out, const struct preference *row) {
    if (text_span_is_set(&row->annotator)) {
        strbuf_add(out, " by ");
        add_span(out, &row->annotator);
    }
    if (text_span_is_set(&row->population)) {
        strbuf_add(out, " (");
        add_span(out, &row->population);
        strbuf_add_char(out, ')');
    }
    if (text_span_is_set(&row->aspect)) {
        strbuf_add(out, " aspect ");
        add_span(out, &row->aspect);
    }
    if (row->weight != 1.0) {
        add_number(out, " weight ", row->weight);
    }
    if (row->has_margin) {
        add_number(out, " margin ", row->margin);
    }
    if (row->has_asked_at) {
        strbuf_addf(out, " at %" PRId64, row->asked_at_ms);
    }
}

void preference_text_add(struct strbuf *out, const struct preference *row) {
    strbuf_addf(out, "%" PRId64 " %s ", row->line, preference_kind_name(row->kind));
    add_prompt(out, &row->prompt);
    for (int64_t i = 0; i < row->response_count; i++) {
        add_response(out, &row->responses[i]);
    }
    add_judgement(out, row);
    add_circumstances(out, row);
}

static void add_optional(struct strbuf *out, const char *before, const struct text_span *span) {
    if (text_span_is_set(span)) {
        strbuf_add(out, before);
        add_span(out, span);
    }
}

void preference_text_add_work(struct strbuf *out, const struct preference_work *work) {
    strbuf_addf(out, "%" PRId64 " work ", work->line);
    add_quoted(out, &work->title);
    strbuf_add(out, " of ");
    add_quoted(out, &work->owner);
    strbuf_add(out, " | ");
    add_quoted(out, &work->text);
    add_optional(out, " licence ", &work->licence);
    add_optional(out, " payee ", &work->payee_ref);
    add_optional(out, " cluster ", &work->cluster);
    if (work->has_opt_out) {
        strbuf_addf(out, " out at %" PRId64, work->opt_out_at_ms);
    }
}

void preference_text_add_batch(struct strbuf *out, const struct import_batch *batch) {
    for (int64_t i = 0; i < batch->row_count; i++) {
        preference_text_add(out, batch->rows[i]);
        strbuf_add_char(out, '\n');
    }
    for (int64_t i = 0; i < batch->work_count; i++) {
        preference_text_add_work(out, batch->works[i]);
        strbuf_add_char(out, '\n');
    }
}
