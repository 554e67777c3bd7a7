/* preference.c - see preference.h. */
#include "data/preference.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

const char *prompt_kind_name(enum prompt_kind kind) {
    static const char *const names[] = {
#define PROMPT_TEXT_OF(name, text, help) [PROMPT_##name] = (text),
        PROMPT_KINDS(PROMPT_TEXT_OF)
#undef PROMPT_TEXT_OF
    };
    return names[kind];
}

enum err_code prompt_kind_of_name(const char *name, enum prompt_kind *out_kind, struct error *err) {
    for (enum prompt_kind kind = PROMPT_TEXT; kind < PROMPT_KIND_COUNT; kind++) {
        if (strcmp(name, prompt_kind_name(kind)) == 0) {
            *out_kind = kind;
            return ERR_OK;
        }
    }
    char excerpt[UTF8_EXCERPT_BYTES];
    return err_set(err, ERR_DATA, "unknown kind of prompt '%s'",
                   utf8_excerpt(name, strlen(name), excerpt));
}

const char *preference_kind_name(enum preference_kind kind) {
    static const char *const names[] = {
#define PREFERENCE_TEXT_OF(name, text, plural) [PREFERENCE_##name] = (text),
        PREFERENCE_KINDS(PREFERENCE_TEXT_OF)
#undef PREFERENCE_TEXT_OF
    };
    return names[kind];
}

const char *preference_kind_plural(enum preference_kind kind) {
    static const char *const names[] = {
#define PREFERENCE_PLURAL_OF(name, text, plural) [PREFERENCE_##name] = (plural),
        PREFERENCE_KINDS(PREFERENCE_PLURAL_OF)
#undef PREFERENCE_PLURAL_OF
    };
    return names[kind];
}

/* NULs are valid UTF-8, but end a text for SQL's functions, for JSON and for most readers. */
static enum err_code check_bytes(const struct text_span *text, const char *what,
                                 struct error *err) {
    if (text->count > PREFERENCE_TEXT_BYTES_MAX) {
        return err_set(err, ERR_DATA, "%s has %zu bytes; the limit is %d", what, text->count,
                       PREFERENCE_TEXT_BYTES_MAX);
    }
    size_t invalid = utf8_find_invalid(text->bytes, text->count);
    if (invalid < text->count) {
        return err_set(err, ERR_DATA, "%s is not UTF-8: byte %zu is \\x%02x", what, invalid + 1,
                       (unsigned)(unsigned char)text->bytes[invalid]);
    }
    const char *nul = text->count > 0 ? memchr(text->bytes, '\0', text->count) : NULL;
    if (nul) {
        return err_set(err, ERR_DATA, "%s has a NUL at byte %zu", what,
                       (size_t)(nul - text->bytes) + 1);
    }
    return ERR_OK;
}

enum text_need {
    TEXT_NAME,      /* absent, or not empty */
    TEXT_REQUIRED,  /* may be empty */
    TEXT_NOT_EMPTY, /* required and not empty */
};

static enum err_code check_text(const struct text_span *text, const char *what, enum text_need need,
                                struct error *err) {
    if (!text_span_is_set(text)) {
        return need == TEXT_NAME ? ERR_OK : err_set(err, ERR_DATA, "%s is missing", what);
    }
    if ((need == TEXT_NAME || need == TEXT_NOT_EMPTY) && text->count == 0) {
        return err_set(err, ERR_DATA, "%s is empty", what);
    }
    return check_bytes(text, what, err);
}

static enum err_code check_number(double value, const char *what, struct error *err) {
    if (!isfinite(value)) {
        return err_set(err, ERR_DATA, "%s %g is not a finite number", what, value);
    }
    return fabs(value) <= PREFERENCE_NUMBER_MAX
               ? ERR_OK
               : err_set(err, ERR_DATA, "%s %g is outside the limits, -%g to %g", what, value,
                         PREFERENCE_NUMBER_MAX, PREFERENCE_NUMBER_MAX);
}

static enum err_code check_weight(double weight, struct error *err) {
    if (!isfinite(weight) || weight <= 0.0) {
        return err_set(err, ERR_DATA, "weight %g is not a positive, finite number", weight);
    }
    return weight >= PREFERENCE_WEIGHT_MIN && weight <= PREFERENCE_WEIGHT_MAX
               ? ERR_OK
               : err_set(err, ERR_DATA, "weight %g is outside the limits, %g to %g", weight,
                         PREFERENCE_WEIGHT_MIN, PREFERENCE_WEIGHT_MAX);
}

static enum err_code check_messages(const struct message *messages, int64_t count,
                                    struct error *err) {
    if (count < 1 || count > PREFERENCE_MESSAGES_MAX) {
        return err_set(err, ERR_DATA, "%" PRId64 " messages; expected 1 to %d", count,
                       PREFERENCE_MESSAGES_MAX);
    }
    size_t bytes = 0;
    for (int64_t i = 0; i < count; i++) {
        enum err_code code = check_text(&messages[i].role, "the role", TEXT_NOT_EMPTY, err);
        if (code == ERR_OK) {
            code = check_text(&messages[i].content, "the content", TEXT_REQUIRED, err);
        }
        TRY(err_wrap(err, code, "message %" PRId64, i + 1));
        bytes += messages[i].role.count + messages[i].content.count;
    }
    return bytes <= PREFERENCE_TEXT_BYTES_MAX
               ? ERR_OK
               : err_set(err, ERR_DATA, "the messages have %zu bytes; the limit is %d", bytes,
                         PREFERENCE_TEXT_BYTES_MAX);
}

static enum err_code check_prompt(const struct preference_prompt *prompt, struct error *err) {
    TRY(check_text(&prompt->topic, "the topic", TEXT_NAME, err));
    switch (prompt->kind) {
    case PROMPT_TEXT:
        return check_text(&prompt->text, "the prompt", TEXT_REQUIRED, err);
    case PROMPT_ITEMS:
        return check_text(&prompt->text, "the name of the item set", TEXT_NOT_EMPTY, err);
    case PROMPT_CHAT:
        return err_wrap(err, check_messages(prompt->messages, prompt->message_count, err),
                        "prompt");
    case PROMPT_KIND_COUNT:
        break;
    }
    return err_set(err, ERR_INTERNAL, "prompt kind %d", (int)prompt->kind);
}

static enum err_code check_response(const struct preference_response *response,
                                    enum prompt_kind prompt_kind, struct error *err) {
    TRY(check_text(&response->origin, "the origin", TEXT_NAME, err));
    if (response->position < 0) {
        return err_set(err, ERR_DATA, "position %" PRId64 " is below 1", response->position);
    }
    if (response->position > PREFERENCE_PLACE_MAX) {
        return err_set(err, ERR_DATA, "position %" PRId64 " is above %d", response->position,
                       PREFERENCE_PLACE_MAX);
    }
    bool is_item = prompt_kind == PROMPT_ITEMS;
    if (response->message_count == 0) {
        return check_text(&response->text, is_item ? "the name of the item" : "the text",
                          is_item ? TEXT_NOT_EMPTY : TEXT_REQUIRED, err);
    }
    if (is_item) {
        return err_set(err, ERR_DATA, "an item of a set has a name, not messages");
    }
    return check_messages(response->messages, response->message_count, err);
}

static enum err_code check_response_count(const struct preference *row, struct error *err) {
    static const struct {
        int64_t min, max;
    } counts[] = {
        [PREFERENCE_COMPARISON] = {2, PREFERENCE_RESPONSES_MAX},
        [PREFERENCE_RATING] = {1, 1},
        [PREFERENCE_LABEL] = {1, 1},
        [PREFERENCE_DEMONSTRATION] = {1, 1},
        [PREFERENCE_PROMPT] = {0, 0},
    };
    int64_t min = counts[row->kind].min;
    int64_t max = counts[row->kind].max;
    if (row->response_count >= min && row->response_count <= max) {
        return ERR_OK;
    }
    if (min == max) {
        return err_set(err, ERR_DATA, "a %s has %" PRId64 " responses; expected %" PRId64,
                       preference_kind_name(row->kind), row->response_count, min);
    }
    return err_set(err, ERR_DATA,
                   "a %s has %" PRId64 " responses; expected %" PRId64 " to %" PRId64,
                   preference_kind_name(row->kind), row->response_count, min, max);
}

static enum err_code check_responses(const struct preference *row, struct error *err) {
    TRY(check_response_count(row, err));
    for (int64_t i = 0; i < row->response_count; i++) {
        enum err_code code = check_response(&row->responses[i], row->prompt.kind, err);
        TRY(err_wrap(err, code, "response %" PRId64, i + 1));
    }
    return ERR_OK;
}

static enum err_code check_ranks(const struct preference *row, struct error *err) {
    bool has_first = false;
    bool has_other = false;
    for (int64_t i = 0; i < row->response_count; i++) {
        int64_t rank = row->responses[i].rank;
        if (rank < 1) {
            return err_set(err, ERR_DATA, "response %" PRId64 ": rank %" PRId64 " is below 1",
                           i + 1, rank);
        }
        if (rank > PREFERENCE_PLACE_MAX) {
            return err_set(err, ERR_DATA, "response %" PRId64 ": rank %" PRId64 " is above %d",
                           i + 1, rank, PREFERENCE_PLACE_MAX);
        }
        has_first = has_first || rank == 1;
        has_other = has_other || rank != row->responses[0].rank;
    }
    if (!has_first) {
        return err_set(err, ERR_DATA, "no response has rank 1, the best");
    }
    if (row->last_unordered && !has_other) {
        return err_set(err, ERR_DATA,
                       "nothing is ordered: all responses share the last rank, whose responses "
                       "were not compared");
    }
    return ERR_OK;
}

static enum err_code check_rating(const struct preference *row, struct error *err) {
    TRY(check_number(row->value, "rating", err));
    if (!row->has_scale) {
        return ERR_OK;
    }
    TRY(check_number(row->scale_low, "the low end of the scale,", err));
    TRY(check_number(row->scale_high, "the high end of the scale,", err));
    if (row->scale_low >= row->scale_high) {
        return err_set(err, ERR_DATA, "the scale from %g to %g is empty", row->scale_low,
                       row->scale_high);
    }
    if (row->value < row->scale_low || row->value > row->scale_high) {
        return err_set(err, ERR_DATA, "rating %g is outside its scale from %g to %g", row->value,
                       row->scale_low, row->scale_high);
    }
    return ERR_OK;
}

static enum err_code check_annotator(const struct preference *row, struct error *err) {
    TRY(check_text(&row->annotator, "the annotator", TEXT_NAME, err));
    TRY(check_text(&row->population, "the population", TEXT_NAME, err));
    if (text_span_is_set(&row->population) && !text_span_is_set(&row->annotator)) {
        char excerpt[UTF8_EXCERPT_BYTES];
        return err_set(err, ERR_DATA, "population '%s' without an annotator who belongs to it",
                       utf8_excerpt(row->population.bytes, row->population.count, excerpt));
    }
    return ERR_OK;
}

enum err_code preference_check(const struct preference *row, struct error *err) {
    TRY(check_weight(row->weight, err));
    TRY(check_prompt(&row->prompt, err));
    TRY(check_responses(row, err));
    TRY(check_annotator(row, err));
    TRY(check_text(&row->aspect, "the aspect", TEXT_NAME, err));
    if (row->has_margin) {
        TRY(check_number(row->margin, "margin", err));
    }
    if (row->kind == PREFERENCE_COMPARISON) {
        return check_ranks(row, err);
    }
    return row->kind == PREFERENCE_RATING ? check_rating(row, err) : ERR_OK;
}

enum err_code preference_check_work(const struct preference_work *work, struct error *err) {
    TRY(check_text(&work->owner, "the owner", TEXT_NOT_EMPTY, err));
    TRY(check_text(&work->payee_ref, "the payee", TEXT_NAME, err));
    TRY(check_text(&work->cluster, "the cluster", TEXT_NAME, err));
    TRY(check_text(&work->title, "the title", TEXT_NOT_EMPTY, err));
    TRY(check_text(&work->licence, "the licence", TEXT_NAME, err));
    return check_text(&work->text, "the text", TEXT_NOT_EMPTY, err);
}
