/* reward_data.c - see reward_data.h; no torch. */
#include "trainer/reward_data.h"

#include "base/interrupt.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "data/answer_tokens.h"
#include "data/preference_reader.h"
#include "data/project.h"
#include "data/text_fold.h"
#include "trainer/prompt_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct answer_item {
    int64_t response_id, item;
};

#define UNSEEN (-2) /* in sequence_of_item, until the item's answer is met */

struct reading {
    struct run *run;
    const char *project;
    const struct reward_data_config *config;
    int64_t sequence_tokens_max;
    bool ends_with_answer;
    struct db *db;
    struct chat_format format;
    struct answer_tokens answer;
    struct answer_item *answers; /* [I] by response */
    struct progress progress;
    struct reward_data *data;
};

/* --- parts ------------------------------------------------------------------------------------ */

static enum err_code part_blocks(struct reading *reading, struct error *err) {
    struct reward_data *data = reading->data;
    const struct fold_prompts prompts = fold_prompts_of(&data->set);
    TRY(prompt_parts_make(reading->db, reading->config, &prompts, &data->part_of_block, err));
    for (int64_t b = 0; b < data->set.block_count; b++) {
        data->counts.prompts[data->part_of_block[b]]++;
    }
    return ERR_OK;
}

/* --- answers ---------------------------------------------------------------------------------- */

static int compare_answers(const void *left, const void *right) {
    const struct answer_item *l = left;
    const struct answer_item *r = right;
    return (l->response_id > r->response_id) - (l->response_id < r->response_id);
}

static enum err_code index_items(struct reading *reading, struct error *err) {
    struct reward_data *data = reading->data;
    const size_t items = (size_t)data->set.item_count;
    reading->answers = mem_array(items, sizeof *reading->answers);
    data->sequence_of_item = mem_array(items, sizeof *data->sequence_of_item);
    if (!reading->answers || !data->sequence_of_item) {
        return err_oom(err, "answers");
    }
    for (int64_t i = 0; i < data->set.item_count; i++) {
        reading->answers[i] = (struct answer_item){data->set.item_response_ids[i], i};
        data->sequence_of_item[i] = UNSEEN;
    }
    qsort(reading->answers, items, sizeof *reading->answers, compare_answers);
    return ERR_OK;
}

/* The item of a response; -1 for one that the set has not. */
static int64_t item_of(const struct reading *reading, int64_t response_id) {
    const struct answer_item wanted = {.response_id = response_id};
    const struct answer_item *found =
        bsearch(&wanted, reading->answers, (size_t)reading->data->set.item_count,
                sizeof *reading->answers, compare_answers);
    return found ? found->item : -1;
}

static bool is_blank(const struct preference_response *response) {
    bool blank = text_is_blank(response->text.bytes, response->text.count);
    for (int64_t m = 0; m < response->message_count; m++) {
        blank = (m == 0 || blank) && text_is_blank(response->messages[m].content.bytes,
                                                   response->messages[m].content.count);
    }
    return blank;
}

static void drop_answer(struct reward_data *data, int64_t item) {
    data->sequence_of_item[item] = -1;
    data->counts.dropped++;
}

static int64_t answer_end(const struct chat_tokens *tokens) {
    int64_t end = tokens->count;
    while (end > 0 && !tokens->is_target[end - 1]) {
        end--;
    }
    return end;
}

/* Adds the tokens that were encoded, unless they are too many. */
static enum err_code add_tokens(struct reading *reading, int64_t item, struct error *err) {
    struct reward_data *data = reading->data;
    const struct chat_tokens *tokens = &reading->answer.tokens;
    const int64_t count = reading->ends_with_answer ? answer_end(tokens) : tokens->count;
    if (count > reading->sequence_tokens_max) {
        if (reading->config->too_long == REWARD_REFUSE_LONG) {
            return err_set(err, ERR_DATA,
                           "a prompt and its answer have %" PRId64 " tokens, the most is %" PRId64,
                           count, reading->sequence_tokens_max);
        }
        drop_answer(data, item);
        return ERR_OK;
    }
    data->sequence_of_item[item] = data->tokens.count;
    data->counts.answers++;
    data->counts.cut += tokens->cut > 0;
    return token_set_add(&data->tokens, tokens->ids, tokens->is_target, count, err);
}

static enum err_code read_answer(struct reading *reading, const struct preference_record *record,
                                 int64_t index, struct error *err) {
    struct reward_data *data = reading->data;
    const int64_t item = item_of(reading, record->response_ids[index]);
    if (item < 0 || data->sequence_of_item[item] != UNSEEN ||
        data->part_of_block[data->set.item_blocks[item]] == PROMPT_TEST) {
        return ERR_OK;
    }
    const struct preference_response *response = &record->row.responses[index];
    data->counts.blank += is_blank(response);
    const enum err_code code = answer_tokens_encode(&reading->format, &record->row.prompt, response,
                                                    &reading->answer, err);
    if (code == ERR_LIMIT) { /* too long itself: no cut of its prompt helps */
        *err = (struct error)ERROR_INIT;
        drop_answer(data, item);
        return ERR_OK;
    }
    if (code != ERR_OK) {
        return code;
    }
    progress_update(&reading->progress, data->counts.answers);
    return add_tokens(reading, item, err);
}

static enum err_code read_answers(struct reading *reading, struct error *err) {
    static const enum preference_kind kinds[] = {
        [COMPARISON_FROM_COMPARISONS] = PREFERENCE_COMPARISON,
        [COMPARISON_FROM_RATINGS] = PREFERENCE_RATING,
        [COMPARISON_FROM_LABELS] = PREFERENCE_LABEL,
    };
    const struct preference_filter filter = {.kinds = UINT32_C(1) << kinds[reading->config->from]};
    SCOPED(preference_reader) struct preference_reader *reader = NULL;
    TRY(preference_reader_open(reading->db, &filter, &reader, err));
    for (;;) {
        struct preference_record record;
        bool has_record = false;
        TRY(preference_reader_next(reader, &record, &has_record, err));
        if (!has_record) {
            return ERR_OK;
        }
        for (int64_t i = 0; i < record.row.response_count; i++) {
            TRY(err_wrap(err, read_answer(reading, &record, i, err), "'%s', line %" PRId64,
                         record.source_path, record.row.line));
        }
        if (interrupt_requested()) {
            return err_set(err, ERR_INTERRUPTED, "stopped while reading answers");
        }
    }
}

/* --- all of it -------------------------------------------------------------------------------- */

static const char *or_null(const char *text) {
    return text[0] ? text : NULL;
}

static enum err_code load_set(struct reading *reading, struct error *err) {
    const struct reward_data_config *config = reading->config;
    const struct comparison_set_options options = {
        .items = COMPARISON_ITEMS_RESPONSES,
        .from = config->from,
        .aspect = or_null(config->aspect),
        .population = or_null(config->population),
        .topic = or_null(config->topic),
    };
    TRY(comparison_set_load(reading->db, &options, &reading->data->set, err));
    return comparison_set_sort(&reading->data->set, err);
}

static void say_what_was_read(const struct reading *reading) {
    const struct reward_data_counts *counts = &reading->data->counts;
    struct log *log = reading->run->log;
    log_info(log, "reward",
             "prompts: %" PRId64 " for training, %" PRId64 " for evaluation, %" PRId64
             " kept for the test; %" PRId64 " answers",
             counts->prompts[PROMPT_TRAINING], counts->prompts[PROMPT_VALIDATION],
             counts->prompts[PROMPT_TEST], counts->answers);
    if (counts->dropped > 0) {
        log_warn(log, "reward",
                 "%" PRId64 " answers dropped with their comparisons: longer than "
                 "data.sequence_tokens_max or the model's context, %" PRId64 " tokens",
                 counts->dropped, reading->sequence_tokens_max);
    }
    if (counts->cut > 0) {
        log_warn(log, "reward", "%" PRId64 " prompts cut at their beginning to %" PRId64 " tokens",
                 counts->cut, reading->sequence_tokens_max);
    }
    if (counts->blank > 0) {
        log_warn(log, "reward", "%" PRId64 " answers are empty; they are scored as they are",
                 counts->blank);
    }
    if (reading->data->set.identical > 0) {
        log_warn(log, "reward", "%" PRId64 " comparisons of an answer with itself left out",
                 reading->data->set.identical);
    }
}

static enum err_code read_all(struct reading *reading, struct error *err) {
    const struct reward_data_config *config = reading->config;
    TRY(project_open(reading->project, DB_MODE_READ_ONLY, reading->run->log, &reading->db, err));
    TRY(chat_template_choose(or_null(config->template), reading->format.tok,
                             &reading->format.template, err));
    TRY(load_set(reading, err));
    TRY(part_blocks(reading, err));
    TRY(index_items(reading, err));
    run_progress_open(reading->run, "reading", "answers", PROGRESS_TOTAL_UNKNOWN,
                      &reading->progress);
    TRY(read_answers(reading, err));
    progress_finish(&reading->progress);
    say_what_was_read(reading);
    return ERR_OK;
}

static void reading_scoped_end(struct reading *reading) {
    progress_close(&reading->progress);
    answer_tokens_deinit(&reading->answer);
    mem_free(reading->answers);
    db_close(reading->db);
}

enum err_code reward_data_read(struct run *run, const struct reward_data_source *source,
                               struct reward_data *out_data, struct error *err) {
    const struct reward_data_config *config = source->config;
    SCOPED(reward_data) struct reward_data data = REWARD_DATA_INIT;
    SCOPED(reading)
    struct reading reading = {
        .run = run,
        .project = source->project,
        .config = config,
        .answer = ANSWER_TOKENS_INIT,
        .ends_with_answer = source->ends_with_answer,
        .sequence_tokens_max = config->sequence_tokens_max < source->context
                                   ? config->sequence_tokens_max
                                   : source->context,
        .data = &data,
    };
    reading.format = (struct chat_format){.tok = source->tokenizer};
    if (config->too_long == REWARD_CUT_LONG) {
        reading.format.tokens_max = reading.sequence_tokens_max;
        reading.format.cut_prompt = true;
    }
    TRY(read_all(&reading, err));
    *out_data = data;
    data = (struct reward_data)REWARD_DATA_INIT;
    return ERR_OK;
}

struct token_sequence reward_data_sequence(const struct reward_data *data, int64_t item) {
    return token_set_at(&data->tokens, data->sequence_of_item[item]);
}

static void hash_array(struct hash_state *state, const void *array, int64_t count, size_t bytes) {
    hash_update(state, &count, sizeof count);
    if (array && count > 0) {
        hash_update(state, array, (size_t)count * bytes);
    }
}

enum err_code reward_data_hash(const struct reward_data *data, struct hash_digest *out_digest,
                               struct error *err) {
    const struct comparison_set *set = &data->set;
    const int64_t members = set->starts[set->count];
    struct hash_state state;
    TRY(hash_init(&state, err));
    hash_array(&state, data->tokens.ids, data->tokens.tokens, sizeof *data->tokens.ids);
    hash_array(&state, data->tokens.ends, data->tokens.count, sizeof *data->tokens.ends);
    hash_array(&state, data->sequence_of_item, set->item_count, sizeof *data->sequence_of_item);
    hash_array(&state, data->part_of_block, set->block_count, sizeof *data->part_of_block);
    hash_array(&state, set->item_blocks, set->item_count, sizeof *set->item_blocks);
    hash_array(&state, set->starts, set->count + 1, sizeof *set->starts);
    hash_array(&state, set->items, members, sizeof *set->items);
    hash_array(&state, set->ranks, members, sizeof *set->ranks);
    hash_array(&state, set->weights, set->count, sizeof *set->weights);
    hash_array(&state, set->margins, set->margins ? set->count : 0, sizeof *set->margins);
    hash_array(&state, set->last_unordered, set->last_unordered ? set->count : 0,
               sizeof *set->last_unordered);
    if (set->good) {
        hash_array(&state, set->good, set->count, sizeof *set->good);
    }
    *out_digest = hash_final(&state);
    return ERR_OK;
}

void reward_data_deinit(struct reward_data *data) {
    comparison_set_deinit(&data->set);
    mem_free(data->part_of_block);
    token_set_deinit(&data->tokens);
    mem_free(data->sequence_of_item);
    *data = (struct reward_data)REWARD_DATA_INIT;
}
