/* import_judgement_lists.c - judgements as people write them down: lists that point at responses.
 *
 * Keys:     what was judged: import_slate.h. What was said of it, one or several of
 *             ranking   [[2], [0, 1]]: groups, the best first, of responses that are tied; an
 *                       element that is no list is a group by itself. last_unordered: true says
 * that those of the last group were not compared with each other ranks     [2, 2, 1]: of each
 * response, 1 is the best; or a 'rank' in each response winner    with 'loser', or 'among' (a
 * list): the best of them. The others were not compared with each other, so it is no tie between
 * them votes     [{"annotator": "ann", "choice": "a"}, ...] or ["a", "tie", ...]; a choice points
 * at a response, or is 'tie'. One comparison each ratings   [3, 5, null]: of each response, or
 * [{"response": 0, "rating": 3, "annotator": "ann"}, ...]; "scale": [1, 5] labels    [true, false]:
 * likewise, or [{"response": 0, "label": true}, ...] Objects in these lists may have annotator,
 * population, weight, asked_at and aspect of their own; what they do not have is the row's.
 * Threads:  no state.
 */
#include "data/import_judgements_internal.h"

#include "data/import_columns.h"
#include "data/import_format.h"
#include "data/import_slate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A row being read. */
struct reading {
    const struct import_json_row *row;
    struct import_batch *batch;
    struct import_slate slate;
    struct import_columns columns;
    int64_t *ranks; /* [slate.count] scratch */
};

static enum err_code take_ranks(struct reading *r, struct error *err) {
    r->ranks = arena_array(&r->batch->arena, (size_t)r->slate.count, sizeof r->ranks[0]);
    if (!r->ranks) {
        return err_oom(err, "ranks");
    }
    for (int64_t i = 0; i < r->slate.count; i++) {
        r->ranks[i] = 0;
    }
    return ERR_OK;
}

/* What an entry of a list says of its own, over what the row says. */
static enum err_code entry_columns(const struct reading *r, const struct json_node *entry,
                                   struct import_columns *out_columns, struct error *err) {
    *out_columns = r->columns;
    if (json_kind_of(entry) != JSON_KIND_OBJECT) {
        return ERR_OK;
    }
    struct import_json_row inner = *r->row;
    inner.node = entry;
    struct import_columns own;
    TRY(import_columns_read(&inner, r->batch, &own, err));
    if (text_span_is_set(&own.annotator)) {
        out_columns->annotator = own.annotator;
        out_columns->population = own.population;
    }
    if (text_span_is_set(&own.aspect)) {
        out_columns->aspect = own.aspect;
    }
    if (import_json_find(&inner, "weight", "weight")) {
        out_columns->weight = own.weight;
    }
    if (own.has_asked_at) {
        out_columns->has_asked_at = true;
        out_columns->asked_at_ms = own.asked_at_ms;
    }
    return ERR_OK;
}

static enum err_code add_comparison(struct reading *r, const struct json_node *node,
                                    const struct import_columns *columns, bool last_unordered,
                                    struct error *err) {
    if (r->slate.count < 2) {
        return json_refuse(r->row->doc, node, err, "one response: expected two or more");
    }
    struct preference *made = NULL;
    TRY(import_slate_compare(&r->slate, r->ranks, r->batch, &made, err));
    made->last_unordered = last_unordered;
    import_columns_apply(r->row, columns, made);
    return ERR_OK;
}

static enum err_code read_last_unordered(const struct reading *r, bool *out_flag,
                                         struct error *err) {
    const struct json_node *node = import_json_find(r->row, "last_unordered", "last_unordered");
    *out_flag = false;
    return node ? import_json_flag(r->row, node, out_flag, err) : ERR_OK;
}

/* --- rankings --- */

static int64_t count_ranked(const struct json *doc, const struct json_node *ranking) {
    int64_t count = 0;
    for (const struct json_node *group = json_first(ranking); group; group = json_next(group)) {
        count += json_kind_of(group) == JSON_KIND_ARRAY ? json_count(doc, group) : 1;
    }
    return count;
}

/* Elements in order, best first, and the rank of each. */
static void flatten(const struct json_node *ranking, const struct json_node **elements,
                    int64_t *ranks) {
    int64_t next = 0;
    for (const struct json_node *group = json_first(ranking); group; group = json_next(group)) {
        bool is_list = json_kind_of(group) == JSON_KIND_ARRAY;
        int64_t rank = next + 1;
        const struct json_node *element = is_list ? json_first(group) : group;
        while (element) {
            elements[next] = element;
            ranks[next++] = rank;
            element = is_list ? json_next(element) : NULL;
        }
    }
}

static enum err_code place_ranks(struct reading *r, const struct json_node *const *elements,
                                 const int64_t *ranks, struct error *err) {
    for (int64_t i = 0; i < r->slate.count; i++) {
        int64_t index = 0;
        TRY(import_slate_find(r->row, &r->slate, elements[i], &index, err));
        if (r->ranks[index] != 0) {
            return json_refuse(r->row->doc, elements[i], err,
                               "the same response stands in the ranking twice");
        }
        r->ranks[index] = ranks[i];
    }
    return ERR_OK;
}

static enum err_code read_ranking(struct reading *r, const struct json_node *ranking,
                                  struct error *err) {
    TRY(json_as_array(r->row->doc, ranking, &ranking, err));
    int64_t count = count_ranked(r->row->doc, ranking);
    if (count < 2 || count > PREFERENCE_RESPONSES_MAX) {
        return json_refuse(r->row->doc, ranking, err, "%" PRId64 " responses: expected 2 to %d",
                           count, PREFERENCE_RESPONSES_MAX);
    }
    const struct json_node **elements =
        arena_array(&r->batch->arena, (size_t)count, sizeof(struct json_node *));
    int64_t *ranks = arena_array(&r->batch->arena, (size_t)count, sizeof *ranks);
    if (!elements || !ranks) {
        return err_oom(err, "a ranking");
    }
    flatten(ranking, elements, ranks);
    bool last_unordered = false;
    TRY(read_last_unordered(r, &last_unordered, err));
    if (r->slate.count == 0) {
        TRY(import_slate_name(r->row, elements, count, r->batch, &r->slate, err));
        r->ranks = ranks;
        return add_comparison(r, ranking, &r->columns, last_unordered, err);
    }
    if (count != r->slate.count) {
        return json_refuse(r->row->doc, ranking, err,
                           "it ranks %" PRId64 " of %" PRId64
                           " responses: leave out those that were not compared",
                           count, r->slate.count);
    }
    TRY(take_ranks(r, err));
    TRY(place_ranks(r, elements, ranks, err));
    return add_comparison(r, ranking, &r->columns, last_unordered, err);
}

static enum err_code read_ranks(struct reading *r, const struct json_node *list,
                                struct error *err) {
    TRY(json_as_array(r->row->doc, list, &list, err));
    if (json_count(r->row->doc, list) != r->slate.count) {
        return json_refuse(r->row->doc, list, err,
                           "%" PRId64 " ranks: expected one for each of %" PRId64 " responses",
                           json_count(r->row->doc, list), r->slate.count);
    }
    TRY(take_ranks(r, err));
    for (int64_t i = 0; i < r->slate.count; i++) {
        const struct json_node *node = json_at(r->row->doc, list, i);
        TRY(json_as_i64(r->row->doc, node, &r->ranks[i], err));
        if (r->ranks[i] < 1) {
            return json_refuse(r->row->doc, node, err, "rank %" PRId64 " is below 1, the best",
                               r->ranks[i]);
        }
    }
    bool last_unordered = false;
    TRY(read_last_unordered(r, &last_unordered, err));
    return add_comparison(r, list, &r->columns, last_unordered, err);
}

/* Ranks that stand in the responses. */
static enum err_code read_own_ranks(struct reading *r, struct error *err) {
    TRY(take_ranks(r, err));
    for (int64_t i = 0; i < r->slate.count; i++) {
        r->ranks[i] = r->slate.responses[i].rank;
    }
    bool last_unordered = false;
    TRY(read_last_unordered(r, &last_unordered, err));
    return add_comparison(r, r->row->node, &r->columns, last_unordered, err);
}

/* --- choices --- */

static enum err_code add_choice(struct reading *r, const struct json_node *node, int64_t winner,
                                const struct import_columns *columns, struct error *err) {
    TRY(take_ranks(r, err));
    for (int64_t i = 0; i < r->slate.count; i++) {
        r->ranks[i] = i == winner || winner < 0 ? 1 : 2;
    }
    return add_comparison(r, node, columns, winner >= 0 && r->slate.count > 2, err);
}

/* Whether two elements name the same item. */
static bool same_name(const struct import_json_row *row, const struct json_node *left,
                      const struct json_node *right) {
    struct error ignored = ERROR_INIT;
    const char *l = "";
    const char *r = "";
    double left_number = 0.0;
    double right_number = 0.0;
    if (json_as_string(row->doc, left, &l, &ignored) == ERR_OK &&
        json_as_string(row->doc, right, &r, &ignored) == ERR_OK) {
        return strcmp(l, r) == 0;
    }
    return json_as_f64(row->doc, left, &left_number, &ignored) == ERR_OK &&
           json_as_f64(row->doc, right, &right_number, &ignored) == ERR_OK &&
           left_number == right_number;
}

/* The winner, then the others of `among`, in which the winner may stand as well. */
static enum err_code name_among(struct reading *r, const struct json_node *winner,
                                const struct json_node *among, struct error *err) {
    bool is_list = json_kind_of(among) == JSON_KIND_ARRAY;
    int64_t listed = is_list ? json_count(r->row->doc, among) : 1;
    if (listed < 1 || listed >= PREFERENCE_RESPONSES_MAX) {
        return json_refuse(r->row->doc, among, err, "%" PRId64 " items: expected 1 to %d", listed,
                           PREFERENCE_RESPONSES_MAX - 1);
    }
    const struct json_node **names =
        arena_array(&r->batch->arena, (size_t)listed + 1, sizeof(struct json_node *));
    if (!names) {
        return err_oom(err, "items");
    }
    int64_t count = 0;
    names[count++] = winner;
    const struct json_node *item = is_list ? json_first(among) : among;
    while (item) {
        if (!same_name(r->row, item, winner)) {
            names[count++] = item;
        }
        item = is_list ? json_next(item) : NULL;
    }
    return import_slate_name(r->row, names, count, r->batch, &r->slate, err);
}

static enum err_code read_winner(struct reading *r, const struct json_node *winner,
                                 struct error *err) {
    int64_t index = 0;
    if (r->slate.count > 0) {
        TRY(import_slate_find(r->row, &r->slate, winner, &index, err));
        return add_choice(r, winner, index, &r->columns, err);
    }
    const struct json_node *others = import_json_find(r->row, "among", "among");
    others = others ? others : import_json_find(r->row, "loser", "loser");
    if (!others) {
        return json_refuse(r->row->doc, r->row->node, err,
                           "missing key 'among' or 'loser', expected what the winner was compared "
                           "with");
    }
    TRY(name_among(r, winner, others, err));
    return add_choice(r, winner, 0, &r->columns, err);
}

static enum err_code read_vote(struct reading *r, const struct json_node *vote, struct error *err) {
    const struct json_node *choice = vote;
    struct import_columns columns;
    TRY(entry_columns(r, vote, &columns, err));
    if (json_kind_of(vote) == JSON_KIND_OBJECT) {
        choice = json_find(r->row->doc, vote, "choice");
        if (!choice) {
            return json_refuse(r->row->doc, vote, err,
                               "missing key 'choice', expected a response or 'tie'");
        }
    }
    int64_t winner = -1;
    if (strcmp(import_json_peek(r->row, choice), "tie") != 0) {
        TRY(import_slate_find(r->row, &r->slate, choice, &winner, err));
    }
    return add_choice(r, vote, winner, &columns, err);
}

static enum err_code read_votes(struct reading *r, const struct json_node *votes,
                                struct error *err) {
    TRY(json_as_array(r->row->doc, votes, &votes, err));
    if (r->slate.count < 2) {
        return json_refuse(r->row->doc, r->row->node, err,
                           "expected 'responses', or 'response_a' and 'response_b', to vote on");
    }
    for (const struct json_node *vote = json_first(votes); vote; vote = json_next(vote)) {
        TRY(read_vote(r, vote, err));
    }
    return ERR_OK;
}

/* --- ratings and labels --- */

static enum err_code read_scale(const struct reading *r, struct preference *made,
                                struct error *err) {
    const struct json_node *scale = import_json_find(r->row, "scale", "scale");
    if (!scale) {
        return ERR_OK;
    }
    if (json_kind_of(scale) != JSON_KIND_ARRAY || json_count(r->row->doc, scale) != 2) {
        return json_refuse(r->row->doc, scale, err,
                           "expected a list of the lowest and the "
                           "highest rating, as [1, 5]");
    }
    TRY(json_as_f64(r->row->doc, json_at(r->row->doc, scale, 0), &made->scale_low, err));
    TRY(json_as_f64(r->row->doc, json_at(r->row->doc, scale, 1), &made->scale_high, err));
    made->has_scale = true;
    return ERR_OK;
}

static enum err_code add_judgement(struct reading *r, enum preference_kind kind, int64_t index,
                                   const struct json_node *value,
                                   const struct import_columns *columns, struct error *err) {
    struct preference *made = NULL;
    TRY(import_slate_judge(&r->slate, index, kind, r->batch, &made, err));
    import_columns_apply(r->row, columns, made);
    if (kind == PREFERENCE_LABEL) {
        return import_json_flag(r->row, value, &made->good, err);
    }
    TRY(json_as_f64(r->row->doc, value, &made->value, err));
    return read_scale(r, made, err);
}

/* {"response": 0, "rating": 3, ...} */
static enum err_code read_entry(struct reading *r, enum preference_kind kind,
                                const struct json_node *entry, struct error *err) {
    const char *key = kind == PREFERENCE_LABEL ? "label" : "rating";
    const struct json_node *value = json_find(r->row->doc, entry, key);
    const struct json_node *response = json_find(r->row->doc, entry, "response");
    if (!value || !response) {
        return json_refuse(r->row->doc, entry, err, "missing key '%s', expected %s",
                           value ? "response" : key,
                           value ? "the response that is judged" : "what was said of a response");
    }
    int64_t index = 0;
    TRY(import_slate_find(r->row, &r->slate, response, &index, err));
    struct import_columns columns;
    TRY(entry_columns(r, entry, &columns, err));
    return add_judgement(r, kind, index, value, &columns, err);
}

static enum err_code read_each(struct reading *r, enum preference_kind kind,
                               const struct json_node *list, struct error *err) {
    TRY(json_as_array(r->row->doc, list, &list, err));
    if (r->slate.count == 0) {
        return json_refuse(r->row->doc, r->row->node, err, "missing key 'responses'");
    }
    const struct json_node *first = json_first(list);
    bool is_entries = first && json_kind_of(first) == JSON_KIND_OBJECT;
    if (!is_entries && json_count(r->row->doc, list) != r->slate.count) {
        return json_refuse(r->row->doc, list, err,
                           "%" PRId64 " values: expected one for each of %" PRId64 " responses",
                           json_count(r->row->doc, list), r->slate.count);
    }
    int64_t index = 0;
    for (const struct json_node *item = first; item; item = json_next(item), index++) {
        if (is_entries) {
            TRY(read_entry(r, kind, item, err));
        } else if (json_kind_of(item) != JSON_KIND_NULL) {
            TRY(add_judgement(r, kind, index, item, &r->columns, err));
        }
    }
    return ERR_OK;
}

/* --- rows --- */

/* What orders the responses as a whole; one of them at most is read. */
static enum err_code read_order(struct reading *r, bool *out_found, struct error *err) {
    const struct json_node *ranking = import_json_find(r->row, "ranking", "ranking");
    const struct json_node *ranks = import_json_find(r->row, "ranks", "ranks");
    const struct json_node *winner = import_json_find(r->row, "winner", "winner");
    *out_found = ranking || ranks || winner || r->slate.has_ranks;
    if (ranking) {
        return read_ranking(r, ranking, err);
    }
    if (ranks) {
        return read_ranks(r, ranks, err);
    }
    if (winner) {
        return read_winner(r, winner, err);
    }
    return r->slate.has_ranks ? read_own_ranks(r, err) : ERR_OK;
}

enum err_code import_judgement_lists_read(const struct import_json_row *row,
                                          struct import_batch *batch, struct error *err) {
    struct reading r = {.row = row, .batch = batch};
    bool has_order = false;
    TRY(import_slate_read(row, batch, &r.slate, err));
    TRY(import_columns_read(row, batch, &r.columns, err));
    TRY(read_order(&r, &has_order, err));
    const struct json_node *votes = import_json_find(row, "votes", "votes");
    const struct json_node *ratings = import_json_find(row, "ratings", "ratings");
    const struct json_node *labels = import_json_find(row, "labels", "labels");
    if (votes) {
        TRY(read_votes(&r, votes, err));
    }
    if (ratings) {
        TRY(read_each(&r, PREFERENCE_RATING, ratings, err));
    }
    if (labels) {
        TRY(read_each(&r, PREFERENCE_LABEL, labels, err));
    }
    if (!has_order && !votes && !ratings && !labels) {
        return json_refuse(row->doc, row->node, err,
                           "expected 'ranking', 'ranks', 'winner', 'votes', 'ratings' or 'labels'");
    }
    return ERR_OK;
}

bool import_judgement_lists_recognise(const struct import_json_row *row,
                                      char out_why[IMPORT_WHY_BYTES]) {
    static const char *const said[] = {"ranking", "ranks", "winner", "votes", "ratings", "labels"};
    static const char *const judged[] = {"responses", "response_a", "items", "among", "loser"};
    const char *what = NULL;
    for (size_t i = 0; !what && i < sizeof judged / sizeof judged[0]; i++) {
        what = import_json_find(row, judged[i], judged[i]) ? judged[i] : NULL;
    }
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        const struct json_node *node = import_json_find(row, said[i], said[i]);
        bool is_alone = strcmp(said[i], "ranking") == 0; /* it can name what it orders */
        if (!node || (!what && !(is_alone && json_kind_of(node) == JSON_KIND_ARRAY))) {
            continue;
        }
        (void)snprintf(out_why, IMPORT_WHY_BYTES, "the key%s '%s'%s%s%s", what ? "s" : "", said[i],
                       what ? " and '" : "", what ? what : "", what ? "'" : "");
        return true;
    }
    const struct json_node *list = import_json_find(row, "responses", "responses");
    const struct json_node *first = list ? json_at(row->doc, list, 0) : NULL;
    if (first && json_find(row->doc, first, "rank")) {
        (void)snprintf(out_why, IMPORT_WHY_BYTES, "the key 'responses', which have a 'rank' each");
        return true;
    }
    return false;
}
