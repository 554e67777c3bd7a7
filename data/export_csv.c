/* export_csv.c - judgements as a table: the layouts are described in export.h. */
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/scoped.h"
#include "data/export_internal.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- cells ---- */

/* Quoted where RFC 4180 asks for it, and where a reader may trim. */
static bool needs_quotes(const struct text_span *text) {
    for (size_t i = 0; i < text->count; i++) {
        char c = text->bytes[i];
        if (c == '"' || c == ',' || c == ';' || c == '\t' || c == '\n' || c == '\r') {
            return true;
        }
    }
    return text->count > 0 && (text->bytes[0] == ' ' || text->bytes[text->count - 1] == ' ');
}

void export_csv_text(struct strbuf *out, const struct text_span *text, char separator) {
    if (!needs_quotes(text)) {
        strbuf_add_bytes(out, text->bytes, text->count);
        strbuf_add_char(out, separator);
        return;
    }
    strbuf_add_char(out, '"');
    size_t start = 0;
    for (size_t i = 0; i < text->count; i++) {
        if (text->bytes[i] == '"') {
            strbuf_add_bytes(out, text->bytes + start, i + 1 - start);
            start = i; /* the quote once more */
        }
    }
    strbuf_add_bytes(out, text->bytes + start, text->count - start);
    strbuf_add_char(out, '"');
    strbuf_add_char(out, separator);
}

static void add_f64(struct strbuf *out, bool has, double value) {
    char text[JSON_F64_BYTES];
    strbuf_add(out, has ? json_format_f64(value, text) : "");
    strbuf_add_char(out, ',');
}

static void add_i64(struct strbuf *out, bool has, int64_t value) {
    if (has) {
        strbuf_addf(out, "%" PRId64, value);
    }
    strbuf_add_char(out, ',');
}

const char *export_time_text(int64_t ms, char out[EXPORT_TIME_BYTES]) {
    int64_t ms_max = INT64_MAX / CLOCK_NS_PER_MS;
    if (ms < -ms_max || ms > ms_max) {
        (void)snprintf(out, EXPORT_TIME_BYTES, "%" PRId64, ms);
    } else {
        (void)snprintf(out, EXPORT_TIME_BYTES, "%s", clock_utc_ms_text(ms * CLOCK_NS_PER_MS).text);
    }
    return out;
}

/* ---- which table ---- */

static enum err_code refuse(const char *what, struct error *err) {
    return err_set(err, ERR_DATA, "a table cannot hold %s: use the layout 'trl'", what);
}

static enum err_code check_texts(const struct preference *row, struct error *err) {
    if (row->prompt.kind == PROMPT_CHAT) {
        return refuse("prompts that are lists of messages", err);
    }
    for (int64_t i = 0; i < row->response_count; i++) {
        if (row->responses[i].message_count > 0) {
            return refuse("responses that are lists of messages", err);
        }
    }
    return row->last_unordered ? refuse("choices among responses that were not compared", err)
                               : ERR_OK;
}

/* Positions other than 1 and 2, or only one of them. */
static bool is_odd_pair(const struct preference *row) {
    int64_t a = row->responses[0].position;
    int64_t b = row->responses[1].position;
    bool known = (a == 1 && b == 2) || (a == 2 && b == 1);
    bool unknown = a == 0 && b == 0;
    int64_t low = row->responses[0].rank < row->responses[1].rank ? row->responses[0].rank
                                                                  : row->responses[1].rank;
    int64_t high = row->responses[0].rank + row->responses[1].rank - low;
    return !(known || unknown) || low != 1 || high > 2;
}

static enum err_code look_at(const struct preference *row, bool is_first,
                             struct export_table *table, struct error *err) {
    bool items = row->prompt.kind == PROMPT_ITEMS;
    TRY(check_texts(row, err));
    if (!is_first && items != table->items) {
        return refuse("both texts and items of sets", err);
    }
    table->items = items;
    table->ranking = table->ranking || (row->kind == PREFERENCE_COMPARISON &&
                                        (row->response_count > 2 || is_odd_pair(row)));
    return ERR_OK;
}

enum err_code export_table_choose(struct db *db, const struct export_options *options,
                                  struct export_table *out_table, struct error *err) {
    struct export_table table = {.kind = PREFERENCE_COMPARISON};
    while (table.kind < PREFERENCE_KIND_COUNT && options->filter.kinds != UINT32_C(1)
                                                                              << table.kind) {
        table.kind++;
    }
    if (table.kind == PREFERENCE_KIND_COUNT) {
        return err_set(err, ERR_USAGE, "a table holds judgements of one kind: choose it");
    }
    SCOPED(preference_reader) struct preference_reader *reader = NULL;
    TRY(preference_reader_open(db, &options->filter, &reader, err));
    for (bool is_first = true;;) {
        struct preference_record record;
        bool has_record = false;
        TRY(preference_reader_next(reader, &record, &has_record, err));
        if (!has_record) {
            break;
        }
        if (!options->pairs_only || export_is_pair(&record.row)) {
            TRY(look_at(&record.row, is_first, &table, err));
            is_first = false;
        }
    }
    *out_table = table;
    return ERR_OK;
}

/* ---- columns ---- */

/* Items belong to sets, texts answer prompts written by somebody. */
static void header_of_kind(const struct export_table *table, struct strbuf *out) {
    bool items = table->items;
    switch (table->kind) {
    case PREFERENCE_COMPARISON:
        if (table->ranking) {
            strbuf_add(out, items ? "ranking_id,item,rank,position_shown,"
                                  : "ranking_id,prompt,completion,rank,position_shown,origin,");
        } else {
            strbuf_add(out, items ? "home,away,winner,neutral,"
                                  : "prompt,response_a,response_b,winner,origin_a,origin_b,");
        }
        strbuf_add(out, "margin,");
        break;
    case PREFERENCE_RATING:
        strbuf_add(out, items ? "item,rating,scale_low,scale_high,"
                              : "prompt,completion,rating,scale_low,scale_high,origin,");
        break;
    case PREFERENCE_LABEL:
        strbuf_add(out, items ? "item,label," : "prompt,completion,label,origin,");
        break;
    case PREFERENCE_DEMONSTRATION:
        strbuf_add(out, items ? "item," : "prompt,completion,origin,");
        break;
    case PREFERENCE_PROMPT:
    case PREFERENCE_KIND_COUNT:
        strbuf_add(out, items ? "" : "prompt,");
        break;
    }
}

void export_csv_header(const struct export_table *table, struct strbuf *out) {
    header_of_kind(table, out);
    strbuf_add(out, table->items ? "item_set,topic,aspect,annotator,population,weight,time\n"
                                 : "topic,aspect,annotator,population,weight,time\n");
}

static void add_circumstances(const struct preference *row, struct strbuf *out) {
    if (row->prompt.kind == PROMPT_ITEMS) {
        export_csv_text(out, &row->prompt.text, ',');
    }
    export_csv_text(out, &row->prompt.topic, ',');
    export_csv_text(out, &row->aspect, ',');
    export_csv_text(out, &row->annotator, ',');
    export_csv_text(out, &row->population, ',');
    add_f64(out, true, row->weight);
    char time[EXPORT_TIME_BYTES];
    strbuf_add(out, row->has_asked_at ? export_time_text(row->asked_at_ms, time) : "");
    strbuf_add_char(out, '\n');
}

/* Beside home and away an 'a' is away, as in results written H, D and A. */
static const char *winner_name(int64_t rank_a, int64_t rank_b, bool items) {
    if (rank_a == rank_b) {
        return items ? "draw" : "tie";
    }
    return rank_a < rank_b ? (items ? "home" : "a") : (items ? "away" : "b");
}

static void add_pair(const struct preference *row, struct strbuf *out) {
    bool second_shown_first = row->responses[1].position == 1;
    const struct preference_response *a = &row->responses[second_shown_first ? 1 : 0];
    const struct preference_response *b = &row->responses[second_shown_first ? 0 : 1];
    bool items = row->prompt.kind == PROMPT_ITEMS;
    if (!items) {
        export_csv_text(out, &row->prompt.text, ',');
    }
    export_csv_text(out, &a->text, ',');
    export_csv_text(out, &b->text, ',');
    strbuf_addf(out, "%s,", winner_name(a->rank, b->rank, items));
    if (items) {
        strbuf_add(out, a->position > 0 ? "0," : "1,");
    } else {
        export_csv_text(out, &a->origin, ',');
        export_csv_text(out, &b->origin, ',');
    }
    add_f64(out, row->has_margin, row->margin);
    add_circumstances(row, out);
}

static void add_ranking(const struct preference_record *record, struct strbuf *out) {
    const struct preference *row = &record->row;
    bool items = row->prompt.kind == PROMPT_ITEMS;
    for (int64_t i = 0; i < row->response_count; i++) {
        const struct preference_response *response = &row->responses[i];
        add_i64(out, true, record->id);
        if (!items) {
            export_csv_text(out, &row->prompt.text, ',');
        }
        export_csv_text(out, &response->text, ',');
        add_i64(out, true, response->rank);
        add_i64(out, response->position > 0, response->position);
        if (!items) {
            export_csv_text(out, &response->origin, ',');
        }
        add_f64(out, row->has_margin, row->margin);
        add_circumstances(row, out);
    }
}

static void add_single(const struct preference *row, struct strbuf *out) {
    bool items = row->prompt.kind == PROMPT_ITEMS;
    if (!items) {
        export_csv_text(out, &row->prompt.text, ',');
    }
    if (row->response_count > 0) {
        export_csv_text(out, &row->responses[0].text, ',');
    }
    if (row->kind == PREFERENCE_RATING) {
        add_f64(out, true, row->value);
        add_f64(out, row->has_scale, row->scale_low);
        add_f64(out, row->has_scale, row->scale_high);
    }
    if (row->kind == PREFERENCE_LABEL) {
        strbuf_add(out, row->good ? "true," : "false,");
    }
    if (row->response_count > 0 && !items) {
        export_csv_text(out, &row->responses[0].origin, ',');
    }
    add_circumstances(row, out);
}

enum err_code export_csv_row(const struct export_table *table,
                             const struct preference_record *record, struct strbuf *out,
                             struct error *err) {
    if (table->kind != PREFERENCE_COMPARISON) {
        add_single(&record->row, out);
    } else if (table->ranking) {
        add_ranking(record, out);
    } else {
        add_pair(&record->row, out);
    }
    return strbuf_check(out, "a row of the export", err);
}
