/* cmd_tokenizer_encode.c - accord tokenizer encode: a text, or a conversation, as token ids. */
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "data/chat_encode.h"
#include "data/message_json.h"
#include "trainer/cmd_tokenizer.h"
#include "trainer/run.h"

#include <inttypes.h>
#include <string.h>

struct encoded {
    const struct tokenizer *tok;
    struct chat_tokens tokens;
    int64_t dropped_bytes;
    bool is_chat;
};

static void encoded_scoped_end(struct encoded *encoded) {
    chat_tokens_deinit(&encoded->tokens);
}

/* ---- making ---- */

static enum err_code take_list(const struct token_list *list, struct chat_tokens *out,
                               struct error *err) {
    out->ids = mem_array((size_t)list->count, sizeof *out->ids);
    out->is_target = mem_array_zero((size_t)list->count, sizeof *out->is_target);
    if (!out->ids || !out->is_target) {
        return err_oom(err, "tokens of a text");
    }
    for (int64_t t = 0; t < list->count; t++) {
        out->ids[t] = list->ids[t];
    }
    out->count = out->capacity = list->count;
    return ERR_OK;
}

static enum err_code encode_plain(struct encoded *encoded, const struct command_args *args,
                                  const struct text_span *text, struct error *err) {
    SCOPED(token_list) struct token_list list = TOKEN_LIST_INIT;
    enum tokenizer_encoding encoding =
        command_args_has(args, "special") ? TOKENIZER_PARSE_SPECIAL : TOKENIZER_SPECIAL_AS_TEXT;
    TRY(tokenizer_encode(encoded->tok, text->bytes, text->count, encoding, &list, err));
    encoded->dropped_bytes = list.dropped_bytes;
    return take_list(&list, &encoded->tokens, err);
}

static bool is_answered(const struct message *messages, int64_t count) {
    static const struct text_span assistant = {"assistant", 9};
    return count > 0 && text_span_equal(&messages[count - 1].role, &assistant);
}

static enum err_code encode_chat(struct encoded *encoded, const struct command_args *args,
                                 const struct text_span *text, struct error *err) {
    SCOPED(arena) struct arena arena = ARENA_INIT(4 * GIB);
    struct chat_format format = {.tok = encoded->tok};
    struct chat_turns turns = {.messages = NULL};
    TRY(chat_template_choose(command_args_text(args, "template"), encoded->tok, &format.template,
                             err));
    TRY(message_json_read(text, "messages", &arena, &turns.messages, &turns.count, err));
    turns.response_from = turns.count - is_answered(turns.messages, turns.count);
    return chat_encode(&format, &turns, &encoded->tokens, err);
}

/* ---- showing ---- */

static void write_ids(const struct encoded *encoded, struct strbuf *out) {
    for (int64_t t = 0; t < encoded->tokens.count; t++) {
        strbuf_addf(out, "%s%" PRId32, t > 0 ? " " : "", encoded->tokens.ids[t]);
    }
    strbuf_add_char(out, '\n');
}

/* A line a token; a star for those that are learnt. */
static void write_table(const struct encoded *encoded, struct strbuf *out) {
    for (int64_t t = 0; t < encoded->tokens.count; t++) {
        const struct text_span text = tokenizer_bytes_of(encoded->tok, encoded->tokens.ids[t]);
        strbuf_addf(out, "%8" PRId32 " %c |", encoded->tokens.ids[t],
                    encoded->tokens.is_target[t] ? '*' : ' ');
        output_add_visible(out, text.bytes, text.count);
        strbuf_add(out, "|\n");
    }
}

static enum err_code write_json(const struct encoded *encoded, struct strbuf *out,
                                struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_COMPACT);
    json_write_object_begin(&w);
    json_put_array_begin(&w, "ids");
    for (int64_t t = 0; t < encoded->tokens.count; t++) {
        json_write_i64(&w, encoded->tokens.ids[t]);
    }
    json_write_array_end(&w);
    if (encoded->is_chat) {
        json_put_array_begin(&w, "is_target");
        for (int64_t t = 0; t < encoded->tokens.count; t++) {
            json_write_bool(&w, encoded->tokens.is_target[t]);
        }
        json_write_array_end(&w);
        json_put_bool(&w, "border_moved", encoded->tokens.border_moved);
    }
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}

static enum err_code encode_run(struct run *run, const struct command_args *args,
                                struct error *err) {
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    SCOPED(mem) char *bytes = NULL;
    struct text_span text = TEXT_SPAN_NONE;
    bool is_chat = command_args_has(args, "chat");
    if (command_args_has(args, "template") && !is_chat) {
        return err_set(err, ERR_USAGE, "--template goes with --chat only");
    }
    if (command_args_has(args, "special") && is_chat) {
        return err_set(err, ERR_USAGE,
                       "--special does not go with --chat: the template's own "
                       "parts are read so, and nothing else is");
    }
    TRY(tokenizer_open(args->positionals[0], &tok, err));
    TRY(cmd_tokenizer_read(args->positional_count > 1 ? args->positionals[1] : NULL, &bytes,
                           &text.count, err));
    text.bytes = bytes;
    SCOPED(encoded)
    struct encoded encoded = {.tok = tok, .tokens = CHAT_TOKENS_INIT, .is_chat = is_chat};
    TRY(is_chat ? encode_chat(&encoded, args, &text, err)
                : encode_plain(&encoded, args, &text, err));
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(OUTPUT_BYTES_MAX);
    if (run->output->json) {
        TRY(write_json(&encoded, &out, err));
    } else if (command_args_has(args, "show")) {
        write_table(&encoded, &out);
    } else {
        write_ids(&encoded, &out);
    }
    if (encoded.dropped_bytes > 0) {
        log_warn(run->log, "tokenizer", "%" PRId64 " bytes are no token, and are not there",
                 encoded.dropped_bytes);
    }
    if (encoded.tokens.border_moved) {
        log_warn(run->log, "tokenizer",
                 "prompt and answer share a token: the prompt alone is encoded otherwise");
    }
    return output_text(run->output, &out, err);
}

static const struct command_positional positionals[] = {
    {.name = "model", .kind = OPTION_FOLDER, .help = "a model's folder, or its tokenizer.json"},
    {.name = "file",
     .kind = OPTION_FILE,
     .optional = true,
     .help = "the text, as it is; else it comes from standard input"},
    {.name = NULL},
};

static const struct command_option options[] = {
    {.name = "show", .kind = OPTION_FLAG, .help = "a line a token, with the text it stands for"},
    {.name = "special",
     .kind = OPTION_FLAG,
     .help = "read special tokens in the text; else they are text like any other"},
    {.name = "chat",
     .kind = OPTION_FLAG,
     .help = "the input is a JSON array of messages {\"role\", \"content\"}: render it as the "
             "model's chat template does; with --show, a star marks what training learns"},
    {.name = "template",
     .kind = OPTION_TEXT,
     .metavar = "NAME",
     .help = "with --chat: this template instead of the model's own"},
    {.name = NULL},
};

static const struct command_list lists[] = {
    {"Chat templates", cmd_tokenizer_template_entry},
    {NULL, NULL},
};

static const struct command_example examples[] = {
    {"accord tokenizer encode models/smollm2 letter.txt --show", "the tokens of a text"},
    {"accord tokenizer encode models/smollm2 --chat chat.json --show",
     "a conversation, and what of it is learnt"},
    {NULL, NULL},
};

const struct command cmd_tokenizer_encode = {
    .name = "encode",
    .purpose = "show a text, or a conversation, as tokens",
    .description = "Neither BOS nor EOS is added to a plain text. A conversation that ends with "
                   "the assistant's turn is encoded for training; any other ends in what asks the "
                   "model for an answer.",
    .options = options,
    .positionals = positionals,
    .lists = lists,
    .examples = examples,
    .function = encode_run,
};
