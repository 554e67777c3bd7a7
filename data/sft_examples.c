/* sft_examples.c - see sft_examples.h. */
#include "data/sft_examples.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/conversation.h"
#include "data/json_rows.h"
#include "data/preference_key.h"
#include "data/preference_reader.h"
#include "data/text_fold.h"

#include <inttypes.h>

struct sft_examples {
    struct sft_options options;
    char *origin;                     /* what the options refer to */
    struct preference_reader *reader; /* NULL: a file */
    struct preference_record record;  /* being gone through, from next_response on */
    int64_t next_response;
    bool has_record;
    uint8_t *given; /* [given_bytes], a bit a response */
    size_t given_bytes;
    struct conversation conversation; /* of the last example */

    char *path; /* of a file */
    struct input_stream *in;
    struct json_rows *rows; /* NULL: the whole file is a text */
    char *text;
    bool is_read;

    struct sft_counts counts;
};

/* ---- life ---- */

static enum err_code make(const struct sft_options *options, struct sft_examples **out,
                          struct error *err) {
    struct sft_examples *examples = mem_array_zero(1, sizeof *examples);
    if (!examples) {
        return err_oom(err, "examples");
    }
    examples->options = *options;
    if (options->shares.validation == 0.0 && options->shares.test == 0.0) {
        examples->options.shares = (struct split_shares)SPLIT_SHARES_DEFAULT;
    }
    *out = examples;
    return ERR_OK;
}

enum err_code sft_examples_open(struct db *db, const struct sft_options *options,
                                struct sft_examples **out, struct error *err) {
    SCOPED(sft_examples) struct sft_examples *examples = NULL;
    if (options->choices == 0) {
        return err_set(err, ERR_USAGE, "no answers are chosen: shown, best, good, rated or all");
    }
    TRY(make(options, &examples, err));
    examples->origin = options->origin ? mem_strdup(options->origin) : NULL;
    if (options->origin && !examples->origin) {
        return err_oom(err, "examples");
    }
    const struct preference_filter filter = {
        .kinds = ((1U << PREFERENCE_KIND_COUNT) - 1) & ~(1U << PREFERENCE_PROMPT),
        .one_split = options->one_split,
        .split = options->split,
        .shares = options->shares,
        .aspect = options->aspect,
        .population = options->population,
        .topic = options->topic,
    };
    TRY(preference_reader_open(db, &filter, &examples->reader, err));
    *out = MOVE(examples);
    return ERR_OK;
}

static bool ends_with(const char *name, const char *end) {
    size_t count = strlen(name), end_count = strlen(end);
    return count >= end_count && strcmp(name + count - end_count, end) == 0;
}

static bool holds_rows(const char *path) {
    static const char *const ends[] = {".jsonl", ".json", ".jsonl.gz", ".json.gz"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (ends_with(path, ends[i])) {
            return true;
        }
    }
    return false;
}

enum err_code sft_examples_open_file(const char *path, const struct sft_options *options,
                                     struct sft_examples **out, struct error *err) {
    SCOPED(sft_examples) struct sft_examples *examples = NULL;
    TRY(make(options, &examples, err));
    examples->path = mem_strdup(path);
    if (!examples->path) {
        return err_oom(err, "path of a text");
    }
    if (holds_rows(path)) {
        TRY(input_stream_open(path, &examples->in, err));
        TRY(json_rows_open(examples->in, &examples->rows, err));
    }
    *out = MOVE(examples);
    return ERR_OK;
}

void sft_examples_close(struct sft_examples *examples) {
    if (!examples) {
        return;
    }
    preference_reader_close(examples->reader);
    json_rows_close(examples->rows);
    input_stream_close(examples->in);
    mem_free(examples->origin);
    mem_free(examples->given);
    conversation_deinit(&examples->conversation);
    mem_free(examples->path);
    mem_free(examples->text);
    mem_free(examples);
}

/* ---- which answers ---- */

static bool has(const struct sft_options *options, enum sft_choice choice) {
    return (options->choices >> choice & 1) != 0;
}

static bool has_worse(const struct preference *row) {
    for (int64_t r = 0; r < row->response_count; r++) {
        if (row->responses[r].rank > 1) {
            return true;
        }
    }
    return false;
}

static bool is_approved(const struct sft_options *options, const struct preference *row,
                        const struct preference_response *response) {
    if (has(options, SFT_ALL)) {
        return true;
    }
    switch (row->kind) {
    case PREFERENCE_COMPARISON:
        return has(options, SFT_BEST) && response->rank == 1 && has_worse(row);
    case PREFERENCE_RATING:
        return has(options, SFT_RATED) && row->value >= options->rating_min;
    case PREFERENCE_LABEL:
        return has(options, SFT_GOOD) && row->good;
    case PREFERENCE_DEMONSTRATION:
        return has(options, SFT_SHOWN);
    case PREFERENCE_PROMPT:
    case PREFERENCE_KIND_COUNT:
    default:
        return false;
    }
}

static bool is_of_origin(const struct sft_examples *examples,
                         const struct preference_response *response) {
    const struct text_span wanted = text_span_of(examples->origin);
    return !examples->origin || text_span_equal(&response->origin, &wanted);
}

static bool is_blank(const struct preference_response *response) {
    for (int64_t m = 0; m < response->message_count; m++) {
        if (!text_is_blank(response->messages[m].content.bytes,
                           response->messages[m].content.count)) {
            return false;
        }
    }
    return response->message_count > 0 || text_is_blank(response->text.bytes, response->text.count);
}

/* Marks a response as given; says whether it was before. */
static enum err_code take(struct sft_examples *examples, int64_t response_id, bool *out_was_given,
                          struct error *err) {
    size_t byte = (size_t)(response_id / 8);
    if (byte >= examples->given_bytes) {
        size_t bytes = mem_grown_capacity(examples->given_bytes, byte + 1);
        uint8_t *given = mem_array_resize(examples->given, bytes, 1);
        if (!given) {
            return err_oom(err, "answers given already");
        }
        memset(given + examples->given_bytes, 0, bytes - examples->given_bytes);
        examples->given = given;
        examples->given_bytes = bytes;
    }
    uint8_t bit = (uint8_t)(1U << (response_id % 8));
    *out_was_given = (examples->given[byte] & bit) != 0;
    examples->given[byte] |= bit;
    return ERR_OK;
}

/* ---- conversations ---- */

static enum err_code make_example(struct sft_examples *examples, int64_t index,
                                  struct sft_example *out, struct error *err) {
    const struct preference_record *record = &examples->record;
    struct conversation *conversation = &examples->conversation;
    TRY(conversation_join(conversation, &record->row.prompt, &record->row.responses[index], err));
    examples->counts.examples++;
    *out = (struct sft_example){
        .messages = conversation->messages,
        .message_count = conversation->count,
        .response_from = conversation->response_from,
        .prompt = record->prompt_hash,
        .response_id = record->response_ids[index],
        .source_path = record->source_path,
        .line = record->row.line,
    };
    return ERR_OK;
}

/* The next answer of the present record, if there is one. */
static enum err_code next_of_record(struct sft_examples *examples, struct sft_example *out,
                                    bool *out_has_example, struct error *err) {
    const struct preference *row = &examples->record.row;
    *out_has_example = false;
    while (examples->next_response < row->response_count && !*out_has_example) {
        int64_t index = examples->next_response++;
        const struct preference_response *response = &row->responses[index];
        bool was_given = false;
        if (!is_of_origin(examples, response) || !is_approved(&examples->options, row, response)) {
            continue;
        }
        TRY(take(examples, examples->record.response_ids[index], &was_given, err));
        if (was_given) {
            examples->counts.repeated++;
        } else if (is_blank(response)) {
            examples->counts.blank++;
        } else {
            TRY(make_example(examples, index, out, err));
            *out_has_example = true;
        }
    }
    return ERR_OK;
}

static enum err_code next_of_log(struct sft_examples *examples, struct sft_example *out,
                                 bool *out_has_example, struct error *err) {
    *out_has_example = false;
    for (;;) {
        if (examples->has_record) {
            TRY(next_of_record(examples, out, out_has_example, err));
            if (*out_has_example) {
                return ERR_OK;
            }
        }
        TRY(preference_reader_next(examples->reader, &examples->record, &examples->has_record,
                                   err));
        if (!examples->has_record) {
            return ERR_OK;
        }
        const struct preference *row = &examples->record.row;
        bool is_text = row->prompt.kind != PROMPT_ITEMS;
        examples->counts.items += !is_text;
        examples->counts.all_tied += is_text && row->kind == PREFERENCE_COMPARISON &&
                                     has(&examples->options, SFT_BEST) && !has_worse(row);
        examples->next_response = is_text ? 0 : row->response_count;
    }
}

/* ---- texts ---- */

static enum err_code check_text(const struct text_span *text, const char *path, int64_t line,
                                struct error *err) {
    size_t bad = utf8_find_invalid(text->bytes, text->count);
    if (bad < text->count) {
        return err_set(err, ERR_DATA, "%s: byte %zu is no UTF-8", path, bad);
    }
    if (text->count > PREFERENCE_TEXT_BYTES_MAX) {
        return err_set(err, ERR_LIMIT, "%s:%" PRId64 ": a text of %zu bytes, at most %d", path,
                       line, text->count, PREFERENCE_TEXT_BYTES_MAX);
    }
    return ERR_OK;
}

static enum err_code next_row(struct sft_examples *examples, struct text_span *out_text,
                              int64_t *out_line, bool *out_has_text, struct error *err) {
    struct json_row row;
    const char *text = NULL;
    TRY(json_rows_next(examples->rows, &row, out_has_text, err));
    if (*out_has_text) {
        TRY(json_get_string(row.doc, json_root(row.doc), "text", &text, err));
        *out_text = text_span_of(text);
        *out_line = row.line;
    }
    return ERR_OK;
}

static enum err_code next_whole(struct sft_examples *examples, struct text_span *out_text,
                                int64_t *out_line, bool *out_has_text, struct error *err) {
    size_t count = 0;
    *out_has_text = !examples->is_read;
    if (examples->is_read) {
        return ERR_OK;
    }
    TRY(file_read_all(examples->path, PREFERENCE_TEXT_BYTES_MAX, &examples->text, &count, err));
    examples->is_read = true;
    *out_text = text_span_skip_bom((struct text_span){examples->text, count});
    *out_line = 1;
    return ERR_OK;
}

static enum err_code next_of_file(struct sft_examples *examples, struct sft_example *out,
                                  bool *out_has_example, struct error *err) {
    for (;;) {
        struct text_span text = TEXT_SPAN_NONE;
        struct hash_key key;
        int64_t line = 0;
        TRY(examples->rows ? next_row(examples, &text, &line, out_has_example, err)
                           : next_whole(examples, &text, &line, out_has_example, err));
        if (!*out_has_example) {
            return ERR_OK;
        }
        TRY(check_text(&text, examples->path, line, err));
        const struct preference_content content = {prompt_kind_name(PROMPT_TEXT), text};
        TRY(preference_key_of_content(&content, NULL, &key, err));
        const struct sft_options *options = &examples->options;
        if (options->one_split && split_of(PROMPT_TEXT, &key, &options->shares) != options->split) {
            continue;
        }
        if (text_is_blank(text.bytes, text.count)) {
            examples->counts.blank++;
            continue;
        }
        examples->counts.examples++;
        *out = (struct sft_example){
            .text = text, .prompt = key, .source_path = examples->path, .line = line};
        return ERR_OK;
    }
}

enum err_code sft_examples_next(struct sft_examples *examples, struct sft_example *out_example,
                                bool *out_has_example, struct error *err) {
    return examples->reader ? next_of_log(examples, out_example, out_has_example, err)
                            : next_of_file(examples, out_example, out_has_example, err);
}

struct sft_counts sft_examples_counts(const struct sft_examples *examples) {
    return examples->counts;
}

/* ---- names ---- */

const char *sft_choice_name(enum sft_choice choice) {
    static const char *const names[] = {
#define SFT_NAME(name, text, help) [SFT_##name] = (text),
        SFT_CHOICES(SFT_NAME)
#undef SFT_NAME
    };
    return names[choice];
}

const char *sft_choice_help(enum sft_choice choice) {
    static const char *const helps[] = {
#define SFT_HELP(name, text, help) [SFT_##name] = (help),
        SFT_CHOICES(SFT_HELP)
#undef SFT_HELP
    };
    return helps[choice];
}
