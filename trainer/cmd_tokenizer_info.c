/* cmd_tokenizer_info.c - accord tokenizer info: what a model's tokenizer and chat template are. */
#include "base/json_writer.h"
#include "base/scoped.h"
#include "data/chat_encode.h"
#include "trainer/cmd_tokenizer.h"
#include "trainer/run.h"

#include <inttypes.h>

static const struct {
    const char *name;
    int32_t (*id)(const struct tokenizer *tok);
} specials[] = {
    {"bos", tokenizer_bos}, {"eos", tokenizer_eos}, {"pad", tokenizer_pad}, {"unk", tokenizer_unk}};

#define SPECIAL_COUNT (sizeof specials / sizeof *specials)

struct info {
    const struct tokenizer *tok;
    const struct chat_template *template; /* NULL: none, or none that is known */
    int32_t stop;                         /* -1: no answer ends */
    struct error why;                     /* of the template, or of the stop token */
};

static void find_template(struct info *info) {
    struct chat_format format = {.tok = info->tok};
    info->stop = -1;
    if (chat_template_recognise(tokenizer_chat_template(info->tok), &info->template, &info->why) ==
        ERR_OK) {
        format.template = info->template;
        if (chat_stop_id(&format, &info->stop, &info->why) != ERR_OK) {
            info->stop = -1;
        }
    }
}

static void add_token(struct strbuf *out, const struct info *info, const char *name, int32_t id) {
    strbuf_addf(out, "%-14s  ", name);
    if (id < 0) {
        strbuf_add(out, "none\n");
        return;
    }
    const struct text_span text = tokenizer_bytes_of(info->tok, id);
    strbuf_addf(out, "%" PRId32 "  ", id);
    output_add_visible(out, text.bytes, text.count);
    strbuf_add_char(out, '\n');
}

static void write_text(const struct info *info, struct strbuf *out) {
    strbuf_addf(out, "%-14s  %" PRId64 "\n", "tokens", tokenizer_count(info->tok));
    for (size_t s = 0; s < SPECIAL_COUNT; s++) {
        add_token(out, info, specials[s].name, specials[s].id(info->tok));
    }
    strbuf_addf(out, "%-14s  %s\n", "adds bos", tokenizer_adds_bos(info->tok) ? "yes" : "no");
    strbuf_addf(out, "%-14s  %s\n", "chat template",
                info->template                               ? chat_template_name(info->template)
                : tokenizer_chat_template(info->tok) != NULL ? "unknown"
                                                             : "none");
    if (info->template) {
        add_token(out, info, "ends a turn", info->stop);
    }
    if (info->why.code != ERR_OK) {
        strbuf_add_char(out, '\n');
        output_add_visible_text(out, info->why.msg);
        strbuf_add_char(out, '\n');
    }
}

static void put_id(struct json_writer *w, const char *name, int32_t id) {
    json_write_key(w, name);
    if (id < 0) {
        json_write_null(w);
    } else {
        json_write_i64(w, id);
    }
}

static enum err_code write_json(const struct info *info, struct strbuf *out, struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_i64(&w, "tokens", tokenizer_count(info->tok));
    for (size_t s = 0; s < SPECIAL_COUNT; s++) {
        put_id(&w, specials[s].name, specials[s].id(info->tok));
    }
    json_put_bool(&w, "adds_bos", tokenizer_adds_bos(info->tok));
    json_put_string_or_null(&w, "chat_template",
                            info->template ? chat_template_name(info->template) : NULL);
    put_id(&w, "ends_turn", info->stop);
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}

static enum err_code info_run(struct run *run, const struct command_args *args, struct error *err) {
    SCOPED(tokenizer) struct tokenizer *tok = NULL;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    TRY(tokenizer_open(args->positionals[0], &tok, err));
    struct info info = {.tok = tok, .why = ERROR_INIT};
    find_template(&info);
    if (run->output->json) {
        TRY(write_json(&info, &text, err));
    } else {
        write_text(&info, &text);
    }
    return output_text(run->output, &text, err);
}

static const struct command_positional positionals[] = {
    {.name = "model", .kind = OPTION_FOLDER, .help = "a model's folder, or its tokenizer.json"},
    {.name = NULL},
};

const struct command cmd_tokenizer_info = {
    .name = "info",
    .purpose = "show the special tokens and the chat template of a model",
    .positionals = positionals,
    .function = info_run,
};
