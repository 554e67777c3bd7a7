/* item_rewards.c - see item_rewards.h. */
#include "reward/item_rewards.h"

#include "base/arena.h"
#include "base/interrupt.h"
#include "base/scoped.h"
#include "data/message_json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define BATCH_BYTES_MAX ((size_t)8 * GIB)

static const char sql_prompt[] = "SELECT kind, content, topic FROM prompt WHERE id = ?1";
static const char sql_response[] = "SELECT kind, content, origin FROM response WHERE id = ?1";

struct batch {
    const struct comparison_set *set;
    struct reward *reward;
    struct db_stmt *prompts, *responses;
    struct arena arena;
    int64_t prompt_block; /* that of `prompt`, or -1 */
    struct preference_prompt *prompt;
    struct preference_response answers[ITEM_REWARDS_BATCH];
    struct reward_item items[ITEM_REWARDS_BATCH];
    int64_t indices[ITEM_REWARDS_BATCH]; /* of the set's items */
    int64_t count;
};

static void batch_scoped_end(struct batch *batch) {
    db_stmt_close(batch->prompts);
    db_stmt_close(batch->responses);
    arena_deinit(&batch->arena);
}

/* ---- rows ---- */

/* To the row with this id; db_stmt_reset when done. */
static enum err_code find_row(struct db_stmt *stmt, int64_t id, const char *what,
                              struct error *err) {
    bool has_row = false;
    db_bind_i64(stmt, 1, id);
    TRY(db_stmt_step(stmt, &has_row, err));
    return has_row ? ERR_OK
                   : err_set(err, ERR_DATA, "%s %" PRId64 " is missing from the project file", what,
                             id);
}

/* A copy in the batch's arena, or absent. */
static enum err_code keep_column(struct batch *batch, struct db_stmt *stmt, int column,
                                 struct text_span *out, struct error *err) {
    struct text_span text = TEXT_SPAN_NONE;
    if (!db_column_is_null(stmt, column)) {
        TRY(db_column_text(stmt, column, &text.bytes, &text.count, err));
        text.bytes = arena_strndup(&batch->arena, text.bytes, text.count);
        if (!text.bytes) {
            return err_oom(err, "texts to be scored");
        }
    }
    *out = text;
    return ERR_OK;
}

static enum err_code load_prompt(struct batch *batch, int64_t block, struct error *err) {
    struct preference_prompt *prompt = arena_array(&batch->arena, 1, sizeof *prompt);
    const char *kind = NULL;
    size_t bytes = 0;
    if (!prompt) {
        return err_oom(err, "texts to be scored");
    }
    *prompt = (struct preference_prompt){.kind = PROMPT_TEXT};
    TRY(find_row(batch->prompts, batch->set->block_prompt_ids[block], "prompt", err));
    TRY(db_column_text(batch->prompts, 0, &kind, &bytes, err));
    TRY(prompt_kind_of_name(kind, &prompt->kind, err));
    TRY(keep_column(batch, batch->prompts, 1, &prompt->text, err));
    TRY(keep_column(batch, batch->prompts, 2, &prompt->topic, err));
    db_stmt_reset(batch->prompts);
    if (prompt->kind == PROMPT_CHAT) {
        TRY(message_json_read(&prompt->text, "messages of a prompt", &batch->arena,
                              &prompt->messages, &prompt->message_count, err));
        prompt->text = (struct text_span)TEXT_SPAN_NONE;
    }
    batch->prompt = prompt;
    batch->prompt_block = block;
    return ERR_OK;
}

static enum err_code load_answer(struct batch *batch, int64_t item, struct error *err) {
    struct preference_response *answer = &batch->answers[batch->count];
    const char *kind = NULL;
    size_t bytes = 0;
    *answer = (struct preference_response){.rank = 0};
    TRY(find_row(batch->responses, batch->set->item_response_ids[item], "response", err));
    TRY(db_column_text(batch->responses, 0, &kind, &bytes, err));
    const bool has_turns = strcmp(kind, "chat") == 0;
    TRY(keep_column(batch, batch->responses, 1, &answer->text, err));
    TRY(keep_column(batch, batch->responses, 2, &answer->origin, err));
    db_stmt_reset(batch->responses);
    if (has_turns) {
        TRY(message_json_read(&answer->text, "messages of an answer", &batch->arena,
                              &answer->messages, &answer->message_count, err));
        answer->text = (struct text_span)TEXT_SPAN_NONE;
    }
    batch->items[batch->count] = (struct reward_item){.prompt = batch->prompt, .response = answer};
    batch->indices[batch->count++] = item;
    return ERR_OK;
}

/* ---- scoring ---- */

static enum err_code flush(struct batch *batch, const struct item_rewards_options *options,
                           double *out_rewards, struct error *err) {
    double rewards[ITEM_REWARDS_BATCH];
    if (batch->count == 0) {
        return ERR_OK;
    }
    if (interrupt_requested()) {
        return err_set(err, ERR_INTERRUPTED, "interrupted before answer %" PRId64 " of %" PRId64,
                       batch->indices[0] + 1, batch->set->item_count);
    }
    TRY(err_wrap(err, reward_score(batch->reward, batch->items, batch->count, rewards, err),
                 "answers from response %" PRId64 " on",
                 batch->set->item_response_ids[batch->indices[0]]));
    for (int64_t i = 0; i < batch->count; i++) {
        out_rewards[batch->indices[i]] = rewards[i];
    }
    if (options->advance) {
        options->advance(options->context, batch->count);
    }
    batch->count = 0;
    batch->prompt_block = -1;
    arena_reset(&batch->arena);
    return ERR_OK;
}

enum err_code item_rewards_score(struct db *db, const struct comparison_set *set,
                                 const struct item_rewards_options *options, struct reward *reward,
                                 double *out_rewards, struct error *err) {
    SCOPED(batch)
    struct batch batch = {
        .set = set, .reward = reward, .arena = ARENA_INIT(BATCH_BYTES_MAX), .prompt_block = -1};
    TRY(db_stmt_open(db, sql_prompt, &batch.prompts, err));
    TRY(db_stmt_open(db, sql_response, &batch.responses, err));
    for (int64_t i = 0; i < set->item_count; i++) {
        out_rewards[i] = (double)NAN;
        if (!options->is_wanted[i]) {
            continue;
        }
        if (batch.prompt_block != set->item_blocks[i]) {
            TRY(load_prompt(&batch, set->item_blocks[i], err));
        }
        TRY(load_answer(&batch, i, err));
        if (batch.count == ITEM_REWARDS_BATCH) {
            TRY(flush(&batch, options, out_rewards, err));
        }
    }
    TRY(flush(&batch, options, out_rewards, err));
    return reward_finish(reward, err);
}
