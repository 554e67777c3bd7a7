/* cmd_tokenizer_decode.c - accord tokenizer decode: token ids as text. */
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/tokenizer.h"
#include "trainer/cmd_tokenizer.h"
#include "trainer/run.h"

#include <inttypes.h>
#include <string.h>

#define BLANKS " \t\r\n,[]" /* also as JSON writes a list */

static enum err_code read_id(const struct tokenizer *tok, const char *word, size_t count,
                             int32_t *out_id, struct error *err) {
    int64_t id = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_digit = word[i] >= '0' && word[i] <= '9';
        if (!is_digit || id >= tokenizer_count(tok)) {
            id = -1;
            break;
        }
        id = 10 * id + (word[i] - '0');
    }
    if (id < 0 || id >= tokenizer_count(tok)) {
        char shown[UTF8_EXCERPT_BYTES];
        return err_set(err, ERR_DATA, "'%s' is no token id in [0, %" PRId64 ")",
                       utf8_excerpt(word, count, shown), tokenizer_count(tok));
    }
    *out_id = (int32_t)id;
    return ERR_OK;
}

/* `text` ends in a NUL behind its `bytes`; a NUL inside is no blank, and so no id. */
static enum err_code read_ids(const struct tokenizer *tok, const char *text, size_t bytes,
                              struct token_list *out, struct error *err) {
    const char *end = text + bytes;
    for (text += strspn(text, BLANKS); text < end; text += strspn(text, BLANKS)) {
        size_t count = strcspn(text, BLANKS);
        count += text[count] == '\0' && text + count < end;
        int32_t id = 0;
        TRY(read_id(tok, text, count, &id, err));
        TRY(token_list_add(out, id, 0, 0, err));
        text += count;
    }
    return ERR_OK;
}

static enum err_code decode_run(struct run *run, const struct command_args *args,
                                struct error *err) {
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    SCOPED(mem) char *text = NULL;
    SCOPED(token_list) struct token_list list = TOKEN_LIST_INIT;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(OUTPUT_BYTES_MAX);
    size_t bytes = 0;
    enum tokenizer_decoding decoding =
        command_args_has(args, "skip-special") ? TOKENIZER_SKIP_SPECIAL : TOKENIZER_KEEP_SPECIAL;
    TRY(tokenizer_open(args->positionals[0], &tok, err));
    TRY(cmd_tokenizer_read(args->positional_count > 1 ? args->positionals[1] : NULL, &text, &bytes,
                           err));
    TRY(read_ids(tok, text, bytes, &list, err));
    TRY(tokenizer_decode(tok, list.ids, list.count, decoding, &out, err));
    return output_document(run->output, &out, err);
}

static const struct command_positional positionals[] = {
    {.name = "model", .kind = OPTION_FOLDER, .help = "a model's folder, or its tokenizer.json"},
    {.name = "file",
     .kind = OPTION_FILE,
     .optional = true,
     .help = "the ids, parted by blanks or commas; else they come from standard input"},
    {.name = NULL},
};

static const struct command_option options[] = {
    {.name = "skip-special", .kind = OPTION_FLAG, .help = "leave special tokens out"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"echo '198 19556' | accord tokenizer decode models/smollm2", "what two tokens say"},
    {NULL, NULL},
};

const struct command cmd_tokenizer_decode = {
    .name = "decode",
    .purpose = "show token ids as text",
    .description = "The text is written as it is, without a line end behind it.",
    .options = options,
    .positionals = positionals,
    .examples = examples,
    .function = decode_run,
};
