/* import_hh.c - hh-rlhf: whole transcripts, and the red-team records beside them.
 *
 * Pairs:    chosen, rejected: turns that begin with "\n\nHuman: " or "\n\nAssistant: ". The prompt
 *           is what both share, cut back to a human turn. Pairs that part before the last answer
 *           keep the differing turns in their answers, which are then lists of messages; empty last
 *           answers are kept. Both are found again by `accord check`.
 * Red team: transcript, rating: how successful the attack was, 0 to 4. A preference log rates
 *           answers, so what is stored is 4 - rating, greater is better, of all that follows the
 *           first human turn. red_team_member_id is the annotator, is_upworker the population,
 *           model_type and num_params the origin.
 * Source:   README of hh-rlhf; Ganguli et al. 2022 (arXiv 2209.07858), data sheet.
 * Threads:  no state.
 */
#include "base/utf8.h"
#include "data/import_columns.h"

#include "data/import_format.h"
#include "data/import_messages.h"

#include <stdio.h>
#include <string.h>

#define RATING_MAX 4.0

/* --- transcripts --- */

static const struct {
    const char *text; /* a space may follow */
    size_t length;
    const char *role;
} markers[] = {
    {"\n\nHuman:", sizeof "\n\nHuman:" - 1, "user"},
    {"\n\nAssistant:", sizeof "\n\nAssistant:" - 1, "assistant"},
};

#define MARKER_COUNT (sizeof markers / sizeof markers[0])

/* Most transcripts have no more. */
#define TURNS_USUAL 16

/* The role of the turn that begins at `at`, and where its content does; NULL if none begins. */
static const char *turn_begins(const char *at, const char **out_content) {
    for (size_t m = 0; m < MARKER_COUNT; m++) {
        size_t length = markers[m].length;
        if (strncmp(at, markers[m].text, length) == 0) {
            *out_content = at + length + (at[length] == ' ');
            return markers[m].role;
        }
    }
    return NULL;
}

/* Where the content that begins at `at` ends: at the next turn, whose role and content these are,
 * or with the text, and then the role is NULL. */
static const char *find_turn(const char *at, const char **out_role, const char **out_content) {
    const char *gap = at;
    *out_role = turn_begins(gap, out_content);
    while (!*out_role && (gap = strstr(gap + (gap[0] == '\n'), "\n\n"))) {
        *out_role = turn_begins(gap, out_content);
        at = gap;
    }
    return *out_role ? gap : at + strlen(at);
}

/* How many turns there are; the first `capacity` of them are written. */
static int64_t read_turns(const char *transcript, struct message *messages, int64_t capacity) {
    const char *role = NULL, *content = NULL;
    int64_t count = 0;
    for (role = turn_begins(transcript, &content); role; count++) {
        const char *next_role = NULL, *next_content = NULL;
        const char *end = find_turn(content, &next_role, &next_content);
        if (count < capacity) {
            messages[count].role = text_span_of(role);
            messages[count].content = (struct text_span){content, (size_t)(end - content)};
        }
        role = next_role;
        content = next_content;
    }
    return count;
}

static bool is_transcript(const char *text) {
    const char *content = NULL;
    return turn_begins(text, &content) != NULL;
}

static enum err_code read_transcript(const struct import_json_row *row,
                                     const struct json_node *node, struct import_batch *batch,
                                     struct import_content *out, struct error *err) {
    const char *text = NULL;
    TRY(json_as_string(row->doc, node, &text, err));
    if (!is_transcript(text)) {
        char excerpt[UTF8_EXCERPT_BYTES];
        return json_refuse(row->doc, node, err,
                           "expected a transcript that begins with an empty line and 'Human: ', "
                           "found '%s'",
                           utf8_excerpt(text, strlen(text), excerpt));
    }
    struct message *messages = NULL;
    TRY(import_batch_messages(batch, TURNS_USUAL, &messages, err));
    int64_t count = read_turns(text, messages, TURNS_USUAL);
    if (count > PREFERENCE_MESSAGES_MAX) {
        return json_refuse(row->doc, node, err, "%lld turns: the limit is %d", (long long)count,
                           PREFERENCE_MESSAGES_MAX);
    }
    if (count > TURNS_USUAL) {
        TRY(import_batch_messages(batch, count, &messages, err));
        (void)read_turns(text, messages, count);
    }
    *out = (struct import_content){.messages = messages, .message_count = count};
    return ERR_OK;
}

/* --- pairs --- */

static enum err_code read_side(const struct import_json_row *row, const char *key,
                               const char *expected, struct import_batch *batch,
                               struct import_content *out, struct error *err) {
    const struct json_node *node = NULL;
    TRY(import_json_need(row, key, key, expected, &node, err));
    TRY(read_transcript(row, node, batch, out, err));
    if (!import_content_ends_answered(out)) {
        return json_refuse(row->doc, node, err,
                           "the transcript ends with a human turn: expected an answer");
    }
    return ERR_OK;
}

static enum err_code read_pair(const struct import_json_row *row, struct import_batch *batch,
                               struct error *err) {
    struct import_content chosen = {.message_count = 0};
    struct import_content rejected = {.message_count = 0};
    TRY(read_side(row, "chosen", "the better transcript", batch, &chosen, err));
    TRY(read_side(row, "rejected", "the worse transcript", batch, &rejected, err));
    struct import_pair pair = {.prompt = {.message_count = 0}};
    TRY(import_pair_split(row, &chosen, &rejected, &pair, err));
    struct import_columns columns;
    TRY(import_columns_read(row, batch, &columns, err));
    return import_pair_add(row, &pair, &columns, batch, err);
}

/* --- red team --- */

/* "rlhf 52B" */
static enum err_code read_model(const struct import_json_row *row, struct import_batch *batch,
                                struct text_span *out_origin, struct error *err) {
    struct text_span type = TEXT_SPAN_NONE;
    struct text_span size = TEXT_SPAN_NONE;
    TRY(import_json_name(row, json_find(row->doc, row->node, "model_type"), batch, &type, err));
    TRY(import_json_name(row, json_find(row->doc, row->node, "num_params"), batch, &size, err));
    if (!text_span_is_set(&type) || !text_span_is_set(&size)) {
        *out_origin = type;
        return ERR_OK;
    }
    char name[128];
    int count = snprintf(name, sizeof name, "%.*s %.*s", (int)(type.count < 60 ? type.count : 60),
                         type.bytes, (int)(size.count < 60 ? size.count : 60), size.bytes);
    return import_batch_text(batch, name, (size_t)count, out_origin, err);
}

static enum err_code read_member(const struct import_json_row *row, struct import_batch *batch,
                                 struct preference *made, struct error *err) {
    const struct json_node *member = json_find(row->doc, row->node, "red_team_member_id");
    if (text_span_is_set(&made->annotator) || !member) {
        return ERR_OK;
    }
    TRY(import_json_name(row, member, batch, &made->annotator, err));
    const struct json_node *upworker = import_json_find(row, "is_upworker", "is_upworker");
    if (upworker && text_span_is_set(&made->annotator)) {
        bool is_upworker = false;
        TRY(import_json_flag(row, upworker, &is_upworker, err));
        made->population = text_span_of(is_upworker ? "upwork" : "mturk");
    }
    return ERR_OK;
}

static enum err_code read_rating(const struct import_json_row *row, double *out_rating,
                                 struct error *err) {
    const struct json_node *node = NULL;
    TRY(import_json_need(row, "rating", "rating", "how successful the attack was", &node, err));
    double rating = 0.0;
    TRY(json_as_f64(row->doc, node, &rating, err));
    if (!(rating >= 0.0 && rating <= RATING_MAX)) {
        return json_refuse(row->doc, node, err, "rating %g is outside [0, %g]", rating, RATING_MAX);
    }
    *out_rating = rating;
    return ERR_OK;
}

static enum err_code read_red_team(const struct import_json_row *row,
                                   const struct json_node *transcript, struct import_batch *batch,
                                   struct error *err) {
    struct import_content whole = {.message_count = 0};
    TRY(read_transcript(row, transcript, batch, &whole, err));
    if (whole.message_count < 2) {
        return json_refuse(row->doc, transcript, err,
                           "one turn: expected a human turn and an answer to it");
    }
    struct import_content prompt = {.messages = whole.messages, .message_count = 1};
    struct import_content answer = {.messages = whole.messages + 1,
                                    .message_count = whole.message_count - 1};
    struct preference *made = NULL;
    double rating = 0.0;
    struct text_span origin = TEXT_SPAN_NONE;
    TRY(read_rating(row, &rating, err));
    TRY(read_model(row, batch, &origin, err));
    struct import_columns columns;
    TRY(import_columns_read(row, batch, &columns, err));
    struct preference_response *response = NULL;
    TRY(import_batch_add(batch, PREFERENCE_RATING, 1, &made, &response, err));
    import_content_to_prompt(&prompt, &made->prompt);
    import_content_to_response(&answer, response);
    import_columns_apply(row, &columns, made);
    response->origin = origin;
    made->value = RATING_MAX - rating;
    made->has_scale = true;
    made->scale_high = RATING_MAX;
    made->aspect = text_span_of("withstands attack");
    return read_member(row, batch, made, err);
}

static enum err_code read_row(void *state, const struct import_json_row *row,
                              struct import_batch *batch, struct error *err) {
    (void)state;
    const struct json_node *transcript = json_find(row->doc, row->node, "transcript");
    return transcript ? read_red_team(row, transcript, batch, err) : read_pair(row, batch, err);
}

static bool holds_transcript(const struct import_json_row *row, const char *key) {
    return is_transcript(import_json_peek(row, import_json_find(row, key, key)));
}

static bool recognise(const struct import_json_row *row, char out_why[IMPORT_WHY_BYTES]) {
    if (holds_transcript(row, "transcript") && json_find(row->doc, row->node, "rating")) {
        (void)snprintf(out_why, IMPORT_WHY_BYTES,
                       "the key 'transcript' holds Human and Assistant turns, and there is a "
                       "'rating'");
        return true;
    }
    if (import_json_find(row, "prompt", "prompt") || !holds_transcript(row, "chosen") ||
        !holds_transcript(row, "rejected")) {
        return false;
    }
    (void)snprintf(out_why, IMPORT_WHY_BYTES,
                   "the keys 'chosen' and 'rejected' hold Human and Assistant turns");
    return true;
}

const struct import_format import_hh = {
    .name = "hh",
    .title = "hh-rlhf: transcripts with Human and Assistant turns, and red-team ratings",
    .container = IMPORT_JSON,
    .recognise_json = recognise,
    .read_json = read_row,
};
