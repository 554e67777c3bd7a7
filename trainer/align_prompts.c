/* align_prompts.c - see align_prompts.h; no torch. */
#include "trainer/align_prompts.h"

#include "base/array.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "data/preference_reader.h"
#include "data/project.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The log's prompts as they are met, before their parts are known. */
struct met {
    struct align_prompt *list; /* [count] */
    int64_t count, capacity;
    uint8_t *is_met; /* [id_capacity], by id */
    int64_t id_capacity;
};

struct reading {
    struct run *run;
    const struct align_prompts_source *source;
    int64_t tokens_max; /* of a prompt */
    struct db *db;
    struct met met;
    struct chat_tokens tokens;
    struct align_prompts *prompts;
};

/* --- texts ------------------------------------------------------------------------------------ */

static bool copy_span(struct arena *arena, struct text_span *span) {
    if (!text_span_is_set(span)) {
        return true;
    }
    const char *copy = arena_strndup(arena, span->bytes, span->count);
    span->bytes = copy;
    return copy != NULL;
}

/* A prompt that is text becomes one message of the user's beside it: what templates are given. */
static enum err_code copy_prompt(struct arena *arena, const struct preference_prompt *from,
                                 struct preference_prompt *out, struct error *err) {
    const int64_t count = from->kind == PROMPT_CHAT ? from->message_count : 1;
    struct message *messages = arena_array(arena, (size_t)count, sizeof *messages);
    *out = *from;
    bool copied = messages && copy_span(arena, &out->text) && copy_span(arena, &out->topic);
    if (messages && from->kind != PROMPT_CHAT) {
        messages[0] = (struct message){text_span_of("user"), out->text};
    }
    for (int64_t m = 0; copied && from->kind == PROMPT_CHAT && m < count; m++) {
        messages[m] = from->messages[m];
        copied = copy_span(arena, &messages[m].role) && copy_span(arena, &messages[m].content);
    }
    out->messages = messages;
    out->message_count = count;
    return copied ? ERR_OK : err_oom(err, "prompts");
}

static enum err_code is_new(struct met *met, int64_t id, bool *out_is_new, struct error *err) {
    const int64_t before = met->id_capacity;
    if (id < 0) {
        return err_set(err, ERR_DATA, "a prompt has the id %" PRId64 ", which is negative", id);
    }
    TRY(array_reserve(ARRAY_REF(met->is_met), &met->id_capacity, id + 1, "prompts", err));
    memset(met->is_met + before, 0, (size_t)(met->id_capacity - before));
    *out_is_new = !met->is_met[id];
    met->is_met[id] = 1;
    return ERR_OK;
}

static enum err_code meet(struct reading *reading, const struct preference_record *record,
                          struct error *err) {
    struct met *met = &reading->met;
    bool is_first = false;
    TRY(is_new(met, record->prompt_id, &is_first, err));
    if (!is_first) {
        return ERR_OK;
    }
    if (record->row.prompt.kind == PROMPT_ITEMS) {
        reading->prompts->items++;
        return ERR_OK;
    }
    TRY(array_reserve(ARRAY_REF(met->list), &met->capacity, met->count + 1, "prompts", err));
    struct align_prompt *prompt = &met->list[met->count++];
    *prompt = (struct align_prompt){.id = record->prompt_id};
    return copy_prompt(&reading->prompts->arena, &record->row.prompt, &prompt->prompt, err);
}

static const char *or_null(const char *text) {
    return text[0] ? text : NULL;
}

static enum err_code read_texts(struct reading *reading, struct error *err) {
    const struct reward_data_config *config = reading->source->config;
    const struct preference_filter filter = {.aspect = or_null(config->aspect),
                                             .population = or_null(config->population),
                                             .topic = or_null(config->topic)};
    SCOPED(preference_reader) struct preference_reader *reader = NULL;
    TRY(preference_reader_open(reading->db, &filter, &reader, err));
    for (;;) {
        struct preference_record record;
        bool has_record = false;
        TRY(preference_reader_next(reader, &record, &has_record, err));
        if (!has_record) {
            return ERR_OK;
        }
        TRY(meet(reading, &record, err));
        if (interrupt_requested()) {
            return err_set(err, ERR_INTERRUPTED, "stopped while reading prompts");
        }
    }
}

/* --- tokens ----------------------------------------------------------------------------------- */

static enum err_code encode(struct reading *reading, const struct preference_prompt *prompt,
                            struct error *err) {
    const bool cuts = reading->source->config->too_long == REWARD_CUT_LONG;
    const struct chat_format format = {.tok = reading->source->tokenizer,
                                       .template = reading->source->template,
                                       .tokens_max = cuts ? reading->tokens_max : 0,
                                       .cut_prompt = cuts};
    const struct chat_turns turns = {.messages = prompt->messages,
                                     .count = prompt->message_count,
                                     .response_from = prompt->message_count};
    return chat_encode(&format, &turns, &reading->tokens, err);
}

/* Of a prompt that is wanted; none where it is dropped. */
static enum err_code add_tokens(struct reading *reading, struct align_prompt *prompt,
                                struct error *err) {
    const struct chat_tokens *tokens = &reading->tokens;
    TRY(err_wrap(err, encode(reading, &prompt->prompt, err), "prompt %" PRId64, prompt->id));
    if (tokens->count > reading->tokens_max &&
        reading->source->config->too_long == REWARD_REFUSE_LONG) {
        return err_set(err, ERR_DATA,
                       "prompt %" PRId64 " has %" PRId64 " tokens, the most is %" PRId64,
                       prompt->id, tokens->count, reading->tokens_max);
    }
    if (tokens->count > reading->tokens_max || tokens->count == 0) {
        reading->prompts->dropped++;
        return ERR_OK;
    }
    int32_t *ids = arena_array(&reading->prompts->arena, (size_t)tokens->count, sizeof *ids);
    if (!ids) {
        return err_oom(err, "tokens of prompts");
    }
    memcpy(ids, tokens->ids, (size_t)tokens->count * sizeof *ids);
    prompt->ids = ids;
    prompt->count = tokens->count;
    reading->prompts->cut += tokens->cut > 0;
    return ERR_OK;
}

/* --- parts ------------------------------------------------------------------------------------ */

static enum err_code deal(struct reading *reading, struct error *err) {
    struct align_prompts *prompts = reading->prompts;
    const struct met *met = &reading->met;
    SCOPED(mem) int64_t *ids = mem_array((size_t)met->count, sizeof *ids);
    SCOPED(mem) uint8_t *parts = NULL;
    for (int64_t part = 0; part < PROMPT_PART_COUNT; part++) {
        prompts->list[part] =
            arena_array(&prompts->arena, (size_t)met->count, sizeof *prompts->list[part]);
    }
    if (!ids || !prompts->list[PROMPT_TEST]) {
        return err_oom(err, "prompts");
    }
    for (int64_t i = 0; i < met->count; i++) {
        ids[i] = met->list[i].id;
    }
    const struct fold_prompts all = {.ids = ids, .count = met->count};
    TRY(prompt_parts_make(reading->db, reading->source->config, &all, &parts, err));
    for (int64_t i = 0; i < met->count; i++) {
        struct align_prompt *prompt = &met->list[i];
        const enum prompt_part part = (enum prompt_part)parts[i];
        const bool is_wanted = reading->source->parts >> part & 1U;
        if (is_wanted) {
            TRY(add_tokens(reading, prompt, err));
        }
        if (!is_wanted || prompt->count > 0) {
            prompts->list[part][prompts->count[part]++] = *prompt;
        }
    }
    return ERR_OK;
}

/* --- all of it -------------------------------------------------------------------------------- */

static const char *const part_texts[PROMPT_PART_COUNT] = {
    [PROMPT_TRAINING] = "to learn from",
    [PROMPT_VALIDATION] = "for evaluation",
    [PROMPT_TEST] = "for the test",
};

static enum err_code report(const struct reading *reading, struct error *err) {
    const struct align_prompts *prompts = reading->prompts;
    struct log *log = reading->run->log;
    log_info(log, "align",
             "prompts: %" PRId64 " for training, %" PRId64 " for evaluation, %" PRId64
             " for the test",
             prompts->count[PROMPT_TRAINING], prompts->count[PROMPT_VALIDATION],
             prompts->count[PROMPT_TEST]);
    if (prompts->dropped > 0) {
        log_warn(log, "align",
                 "%" PRId64 " prompts dropped: with an answer of %" PRId64
                 " tokens they are longer than data.sequence_tokens_max or the model's context",
                 prompts->dropped, reading->source->new_tokens_max);
    }
    if (prompts->cut > 0) {
        log_warn(log, "align", "%" PRId64 " prompts cut at their beginning to %" PRId64 " tokens",
                 prompts->cut, reading->tokens_max);
    }
    if (prompts->items > 0) {
        log_warn(log, "align", "%" PRId64 " sets of items left out: they ask for nothing",
                 prompts->items);
    }
    if (prompts->count[reading->source->needed] == 0) {
        return err_set(err, ERR_DATA,
                       "no prompts %s: %" PRId64 " are for training, %" PRId64
                       " for evaluation, %" PRId64 " for the test, %" PRId64 " too long, %" PRId64
                       " sets of items",
                       part_texts[reading->source->needed], prompts->count[PROMPT_TRAINING],
                       prompts->count[PROMPT_VALIDATION], prompts->count[PROMPT_TEST],
                       prompts->dropped, prompts->items);
    }
    return ERR_OK;
}

static enum err_code read_all(struct reading *reading, struct error *err) {
    const struct align_prompts_source *source = reading->source;
    TRY(project_open(source->project, DB_MODE_READ_ONLY, reading->run->log, &reading->db, err));
    TRY(read_texts(reading, err));
    if (reading->met.count > 0) {
        TRY(deal(reading, err));
    }
    return report(reading, err);
}

static void reading_scoped_end(struct reading *reading) {
    mem_free(reading->met.list);
    mem_free(reading->met.is_met);
    chat_tokens_deinit(&reading->tokens);
    db_close(reading->db);
}

enum err_code align_prompts_read(struct run *run, const struct align_prompts_source *source,
                                 struct align_prompts *out_prompts, struct error *err) {
    const int64_t most = source->config->sequence_tokens_max < source->context
                             ? source->config->sequence_tokens_max
                             : source->context;
    if (source->new_tokens_max >= most) {
        return err_set(err, ERR_CONFIG,
                       "rollout.new_tokens_max is %" PRId64 ", and prompt and answer together have "
                       "at most %" PRId64 " tokens: there is no room for a prompt",
                       source->new_tokens_max, most);
    }
    SCOPED(reading)
    struct reading reading = {.run = run,
                              .source = source,
                              .tokens_max = most - source->new_tokens_max,
                              .tokens = CHAT_TOKENS_INIT,
                              .prompts = out_prompts};
    return read_all(&reading, err);
}

int64_t align_prompts_tokens(const struct align_prompts *prompts, enum prompt_part part) {
    int64_t tokens = 0;
    for (int64_t i = 0; i < prompts->count[part]; i++) {
        tokens += prompts->list[part][i].count;
    }
    return tokens;
}

enum err_code align_prompts_hash(const struct align_prompts *prompts,
                                 struct hash_digest *out_digest, struct error *err) {
    struct hash_state state;
    TRY(hash_init(&state, err));
    for (int64_t part = 0; part < PROMPT_TEST; part++) { /* which is not looked at */
        hash_update(&state, &prompts->count[part], sizeof prompts->count[part]);
        for (int64_t i = 0; i < prompts->count[part]; i++) {
            const struct align_prompt *prompt = &prompts->list[part][i];
            hash_update(&state, &prompt->count, sizeof prompt->count);
            hash_update(&state, prompt->ids, (size_t)prompt->count * sizeof *prompt->ids);
        }
    }
    *out_digest = hash_final(&state);
    return ERR_OK;
}

void align_prompts_deinit(struct align_prompts *prompts) {
    arena_deinit(&prompts->arena);
    *prompts = (struct align_prompts)ALIGN_PROMPTS_INIT;
}
