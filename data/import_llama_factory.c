/* import_llama_factory.c - LLaMA-Factory's alpaca layout.
 *
 * Keys:     instruction, input (joined with a line end: the user's turn), system, history (a list
 * of [question, answer]); and then chosen, rejected         a comparison; in older files output is
 * a list of the two output, kto_tag          a label output                   a demonstration
 *             nothing                  a prompt
 *           The other layout of LLaMA-Factory is the format 'sharegpt'.
 * Source:   LLaMA-Factory 0.9.5, data/converter.py, AlpacaDatasetConverter.
 * Threads:  no state.
 */
#include "data/import_columns.h"
#include "data/import_format.h"
#include "data/import_messages.h"

#include <stdio.h>
#include <string.h>

/* "instruction\ninput"; of one that is missing or empty the other alone. */
static enum err_code read_question(const struct import_json_row *row, struct import_batch *batch,
                                   struct text_span *out_question, struct error *err) {
    struct text_span instruction = TEXT_SPAN_NONE;
    struct text_span input = TEXT_SPAN_NONE;
    const struct json_node *node = NULL;
    TRY(import_json_need(row, "instruction", "instruction", "the user's turn", &node, err));
    TRY(import_json_text(row, node, &instruction, err));
    TRY(import_json_find_text(row, "input", &input, err));
    if (!text_span_is_set(&input) || input.count == 0) {
        *out_question = instruction;
        return ERR_OK;
    }
    if (instruction.count == 0) {
        *out_question = input;
        return ERR_OK;
    }
    size_t count = instruction.count + 1 + input.count;
    char *text = arena_array(&batch->arena, count, 1);
    if (!text) {
        return err_oom(err, "a question");
    }
    memcpy(text, instruction.bytes, instruction.count);
    text[instruction.count] = '\n';
    memcpy(text + instruction.count + 1, input.bytes, input.count);
    *out_question = (struct text_span){.bytes = text, .count = count};
    return ERR_OK;
}

static enum err_code read_prompt(const struct import_json_row *row, struct import_batch *batch,
                                 struct import_content *out_prompt, struct error *err) {
    struct import_dialogue dialogue = {.history = import_json_find(row, "history", "history")};
    TRY(read_question(row, batch, &dialogue.question, err));
    TRY(import_json_find_text(row, "system", &dialogue.system, err));
    return import_dialogue_read(row, &dialogue, batch, out_prompt, err);
}

static enum err_code add_pair(const struct import_json_row *row, struct import_pair *pair,
                              const struct json_node *chosen, const struct json_node *rejected,
                              struct import_batch *batch, struct error *err) {
    TRY(import_json_text(row, chosen, &pair->chosen.text, err));
    TRY(import_json_text(row, rejected, &pair->rejected.text, err));
    struct import_columns columns;
    TRY(import_columns_read(row, batch, &columns, err));
    return import_pair_add(row, pair, &columns, batch, err);
}

static enum err_code read_output(const struct import_json_row *row, struct import_pair *pair,
                                 const struct json_node *output, struct import_batch *batch,
                                 struct error *err) {
    struct preference *made = NULL;
    const struct json_node *tag = import_json_find(row, "kto_tag", "kto_tag");
    if (json_kind_of(output) == JSON_KIND_ARRAY) {
        if (json_count(row->doc, output) != 2) {
            return json_refuse(row->doc, output, err,
                               "expected text, or a list of the better and the worse answer");
        }
        return add_pair(row, pair, json_at(row->doc, output, 0), json_at(row->doc, output, 1),
                        batch, err);
    }
    struct import_exchange exchange = {.prompt = pair->prompt};
    TRY(import_json_text(row, output, &exchange.answer.text, err));
    TRY(import_answer_add(row, tag ? PREFERENCE_LABEL : PREFERENCE_DEMONSTRATION, &exchange, batch,
                          &made, err));
    return tag ? import_json_flag(row, tag, &made->good, err) : ERR_OK;
}

static enum err_code read_row(void *state, const struct import_json_row *row,
                              struct import_batch *batch, struct error *err) {
    (void)state;
    struct import_pair pair = {.prompt = {.message_count = 0}};
    TRY(import_json_refuse_media(row, err));
    TRY(read_prompt(row, batch, &pair.prompt, err));
    const struct json_node *chosen = import_json_find(row, "chosen", "chosen");
    const struct json_node *rejected = import_json_find(row, "rejected", "rejected");
    if (chosen || rejected) {
        TRY(import_json_need(row, "chosen", "chosen", "the better answer", &chosen, err));
        TRY(import_json_need(row, "rejected", "rejected", "the worse answer", &rejected, err));
        return add_pair(row, &pair, chosen, rejected, batch, err);
    }
    const struct json_node *output = import_json_find(row, "output", "output");
    if (output) {
        return read_output(row, &pair, output, batch, err);
    }
    struct import_exchange exchange = {.prompt = pair.prompt};
    struct preference *made = NULL;
    return import_answer_add(row, PREFERENCE_PROMPT, &exchange, batch, &made, err);
}

static bool recognise(const struct import_json_row *row, char out_why[IMPORT_WHY_BYTES]) {
    static const char *const keys[] = {"chosen", "output", "input", "kto_tag"};
    if (!import_json_find(row, "instruction", "instruction")) {
        return false;
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (import_json_find(row, keys[i], keys[i])) {
            (void)snprintf(out_why, IMPORT_WHY_BYTES, "the keys 'instruction' and '%s'", keys[i]);
            return true;
        }
    }
    return false;
}

const struct import_format import_llama_factory = {
    .name = "llama-factory",
    .title = "LLaMA-Factory, alpaca: instruction, input, chosen and rejected, or output",
    .container = IMPORT_JSON,
    .recognise_json = recognise,
    .read_json = read_row,
};
