/* chat_encode.c - see chat_encode.h. */
#include "data/chat_encode.h"

#include "base/array.h"
#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "data/token_text.h"

#include <inttypes.h>

/* Everything on the way; released together. */
struct encoding {
    const struct chat_format *format;
    struct chat_text text;
    struct token_list tokens;
    struct token_span *markup; /* [markup_count], in order */
    int64_t markup_count;
};

static void encoding_scoped_end(struct encoding *e) {
    chat_text_deinit(&e->text);
    token_list_deinit(&e->tokens);
    mem_free(e->markup);
}

static void reset(struct chat_tokens *out) {
    out->count = out->prompt_count = out->target_count = out->cut = 0;
    out->border_moved = false;
}

/* ---- what the tokenizer calls things ---- */

static struct text_span text_of(const struct tokenizer *tok, int32_t id) {
    const struct text_span none = TEXT_SPAN_NONE;
    return id >= 0 ? tokenizer_bytes_of(tok, id) : none;
}

static enum err_code render(struct encoding *e, const struct chat_turns *turns, struct error *err) {
    const struct tokenizer *tok = e->format->tok;
    const struct chat_input input = {
        .messages = turns->messages,
        .message_count = turns->count,
        .response_from = turns->response_from,
        .bos = text_of(tok, tokenizer_bos(tok)),
        .eos = text_of(tok, tokenizer_eos(tok)),
    };
    return chat_template_render(e->format->template, &input, &e->text, err);
}

/* ---- tokens ---- */

/* The template's own parts, those next to each other as one. */
static enum err_code find_markup(struct encoding *e, struct error *err) {
    e->markup = mem_array((size_t)e->text.count, sizeof *e->markup);
    e->markup_count = 0;
    if (!e->markup) {
        return err_oom(err, "parts of a conversation");
    }
    for (int64_t s = 0; s < e->text.count; s++) {
        const struct chat_segment *part = &e->text.segments[s];
        struct token_span *last = e->markup_count > 0 ? &e->markup[e->markup_count - 1] : NULL;
        if (!chat_part_is_markup(part->part)) {
            continue;
        }
        if (last && last->end == part->begin) {
            last->end = (uint32_t)part->end;
        } else {
            e->markup[e->markup_count++] =
                (struct token_span){(uint32_t)part->begin, (uint32_t)part->end};
        }
    }
    return ERR_OK;
}

/* Vocabularies of characters may know some characters not at all. */
static enum err_code check_whole(const struct token_list *tokens, struct error *err) {
    return tokens->dropped_bytes == 0
               ? ERR_OK
               : err_set(err, ERR_DATA,
                         "%" PRId64 " bytes of the text are no token of this tokenizer, which has "
                         "none for what is unknown",
                         tokens->dropped_bytes);
}

/* The text up to byte `end`. */
static enum err_code encode_until(struct encoding *e, size_t end, struct token_list *out,
                                  struct error *err) {
    struct tokenizer_input input = {
        .text = strbuf_text(&e->text.text), .bytes = end, .parsed = e->markup};
    while (input.parsed_count < e->markup_count && e->markup[input.parsed_count].begin < end) {
        input.parsed_count++;
    }
    return tokenizer_encode_parsed(e->format->tok, &input, out, err);
}

static bool needs_tokenizers_bos(const struct chat_format *format) {
    return tokenizer_adds_bos(format->tok) && tokenizer_bos(format->tok) >= 0 &&
           chat_template_is_plain(format->template);
}

static enum err_code add_bos(const struct chat_format *format, struct token_list *out,
                             struct error *err) {
    return needs_tokenizers_bos(format) ? token_list_add(out, tokenizer_bos(format->tok), 0, 0, err)
                                        : ERR_OK;
}

static enum err_code check_bos(const struct encoding *e, struct error *err) {
    int32_t bos = tokenizer_bos(e->format->tok);
    if (bos >= 0 && e->tokens.count > 1 && e->tokens.ids[0] == bos && e->tokens.ids[1] == bos) {
        return err_set(err, ERR_DATA,
                       "a conversation that begins with two BOS tokens (id %" PRId32 ")", bos);
    }
    return ERR_OK;
}

/* ---- targets ---- */

/* Room for one more, so that no conversation is without memory. */
static enum err_code reserve(struct chat_tokens *out, int64_t count, struct error *err) {
    const struct array_ref arrays[] = {ARRAY_REF(out->ids), ARRAY_REF(out->is_target)};
    TRY(arrays_reserve(arrays, 2, &out->capacity, count + 1, "tokens of a conversation", err));
    ASSERT(out->ids != NULL && out->is_target != NULL);
    return ERR_OK;
}

/* Both lists go from left to right; a token is a target if it shares a byte with one. */
static void mark_targets(const struct encoding *e, struct chat_tokens *out) {
    int64_t s = 0;
    out->prompt_count = e->tokens.count;
    for (int64_t t = 0; t < e->tokens.count; t++) {
        bool is_target = false;
        while (s < e->text.count && e->text.segments[s].end <= e->tokens.begins[t]) {
            s++;
        }
        for (int64_t u = s; u < e->text.count && e->text.segments[u].begin < e->tokens.ends[t];
             u++) {
            is_target = is_target || chat_part_is_target(e->text.segments[u].part);
        }
        out->ids[t] = e->tokens.ids[t];
        out->is_target[t] = is_target;
        out->target_count += is_target;
        if (is_target && out->prompt_count == e->tokens.count) {
            out->prompt_count = t;
        }
    }
    out->count = e->tokens.count;
}

/* Whether the prompt alone, as it is when an answer is sampled, has the same tokens. */
static enum err_code compare_prompt(struct encoding *e, struct chat_tokens *out,
                                    struct error *err) {
    SCOPED(token_list) struct token_list prompt = TOKEN_LIST_INIT;
    const struct chat_segment *first = e->text.segments;
    while (!chat_part_is_target(first->part)) {
        first++;
    }
    TRY(add_bos(e->format, &prompt, err));
    TRY(encode_until(e, first->begin, &prompt, err));
    out->border_moved = prompt.count != out->prompt_count || !prompt.ids ||
                        memcmp(prompt.ids, out->ids, (size_t)prompt.count * sizeof *out->ids) != 0;
    return ERR_OK;
}

/* ---- the end of a turn ---- */

static enum err_code refuse_end(const struct chat_format *format, const struct text_span *end,
                                struct error *err) {
    return err_set(err, ERR_DATA,
                   "chat template '%s' ends an answer with '%.*s', which is no special token of "
                   "this tokenizer: the model could not stop; name another with --template",
                   chat_template_name(format->template), (int)end->count, end->bytes);
}

/* The last token of every end must be a special one. */
static enum err_code check_ends(const struct encoding *e, struct error *err) {
    int64_t t = 0;
    for (int64_t s = 0; s < e->text.count; s++) {
        const struct chat_segment *part = &e->text.segments[s];
        if (part->part != CHAT_RESPONSE_END) {
            continue;
        }
        while (t < e->tokens.count && e->tokens.ends[t] < part->end) {
            t++;
        }
        if (t == e->tokens.count || e->tokens.ends[t] > part->end ||
            !tokenizer_is_special(e->format->tok, e->tokens.ids[t])) {
            const struct text_span end = {strbuf_text(&e->text.text) + part->begin,
                                          part->end - part->begin};
            return refuse_end(e->format, &end, err);
        }
    }
    return ERR_OK;
}

/* ---- length ---- */

static enum err_code refuse_length(const struct chat_format *format, const struct chat_tokens *out,
                                   struct error *err) {
    int64_t response = out->count - out->prompt_count;
    return err_set(err, ERR_LIMIT,
                   "%" PRId64 " tokens, %" PRId64 " of the prompt and %" PRId64 " of the response, "
                   "where %" PRId64 " fit%s",
                   out->count, out->prompt_count, response, format->tokens_max,
                   response < format->tokens_max - 1 ? ": set a longer context, or have the prompt "
                                                       "cut from the left"
                                                     : ": set a longer context");
}

static enum err_code fit(const struct chat_format *format, struct chat_tokens *out,
                         struct error *err) {
    int64_t excess = out->count - format->tokens_max;
    if (format->tokens_max == 0 || excess <= 0) {
        return ERR_OK;
    }
    ASSERT(out->ids && out->is_target);
    bool keeps_bos = (chat_template_has_bos(format->template) || needs_tokenizers_bos(format)) &&
                     out->ids[0] == tokenizer_bos(format->tok);
    int64_t from = keeps_bos ? 1 : 0;
    if (!format->cut_prompt || from + excess >= out->prompt_count) {
        return refuse_length(format, out, err);
    }
    size_t rest = (size_t)(out->count - from - excess);
    memmove(out->ids + from, out->ids + from + excess, rest * sizeof *out->ids);
    memmove(out->is_target + from, out->is_target + from + excess, rest * sizeof *out->is_target);
    out->count -= excess;
    out->prompt_count -= excess;
    out->cut = excess;
    return ERR_OK;
}

/* ---- both ---- */

static enum err_code encode_all(struct encoding *e, const struct chat_turns *turns,
                                struct chat_tokens *out, struct error *err) {
    TRY(render(e, turns, err));
    TRY(find_markup(e, err));
    TRY(add_bos(e->format, &e->tokens, err));
    TRY(encode_until(e, e->text.text.length, &e->tokens, err));
    TRY(check_whole(&e->tokens, err));
    TRY(check_bos(e, err));
    TRY(check_ends(e, err));
    TRY(reserve(out, e->tokens.count, err));
    mark_targets(e, out);
    if (turns->response_from < turns->count) {
        TRY(compare_prompt(e, out, err));
    }
    return fit(e->format, out, err);
}

enum err_code chat_encode(const struct chat_format *format, const struct chat_turns *turns,
                          struct chat_tokens *out, struct error *err) {
    SCOPED(encoding)
    struct encoding e = {.format = format, .text = CHAT_TEXT_INIT, .tokens = TOKEN_LIST_INIT};
    reset(out);
    enum err_code code = encode_all(&e, turns, out, err);
    if (code != ERR_OK) {
        reset(out);
    }
    return code;
}

static enum err_code encode_text(const struct chat_format *format, const char *text, size_t bytes,
                                 struct chat_tokens *out, struct error *err) {
    SCOPED(token_list) struct token_list tokens = TOKEN_LIST_INIT;
    int32_t bos = tokenizer_adds_bos(format->tok) ? tokenizer_bos(format->tok) : -1;
    int32_t eos = tokenizer_eos(format->tok);
    if (bos >= 0) {
        TRY(token_list_add(&tokens, bos, 0, 0, err));
    }
    TRY(tokenizer_encode(format->tok, text, bytes, TOKENIZER_SPECIAL_AS_TEXT, &tokens, err));
    TRY(check_whole(&tokens, err));
    if (eos >= 0) {
        TRY(token_list_add(&tokens, eos, (uint32_t)bytes, (uint32_t)bytes, err));
    }
    if (format->tokens_max > 0 && tokens.count > format->tokens_max) {
        return err_set(err, ERR_LIMIT, "a text of %" PRId64 " tokens, where %" PRId64 " fit",
                       tokens.count, format->tokens_max);
    }
    TRY(reserve(out, tokens.count, err));
    out->count = tokens.count;
    out->prompt_count = bos >= 0;
    out->target_count = tokens.count - out->prompt_count;
    for (int64_t t = 0; t < tokens.count; t++) {
        out->ids[t] = tokens.ids[t];
        out->is_target[t] = t >= out->prompt_count;
    }
    return ERR_OK;
}

enum err_code chat_encode_text(const struct chat_format *format, const char *text, size_t bytes,
                               struct chat_tokens *out, struct error *err) {
    reset(out);
    return encode_text(format, text, bytes, out, err);
}

enum err_code chat_stop_id(const struct chat_format *format, int32_t *out_id, struct error *err) {
    static const struct message answered[] = {{{"user", 4}, {"a", 1}},
                                              {{"assistant", 9}, {"b", 1}}};
    const struct chat_turns turns = {.messages = answered, .count = 2, .response_from = 1};
    const struct chat_format whole = {.tok = format->tok, .template = format->template};
    SCOPED(chat_tokens) struct chat_tokens tokens = CHAT_TOKENS_INIT;
    TRY(chat_encode(&whole, &turns, &tokens, err));
    int64_t last = tokens.count - 1;
    ASSERT(tokens.ids && tokens.is_target);
    while (!tokens.is_target[last]) { /* markup behind the end */
        last--;
    }
    *out_id = tokens.ids[last];
    return ERR_OK;
}

enum err_code chat_template_choose(const char *name, const struct tokenizer *tok,
                                   const struct chat_template **out, struct error *err) {
    return name ? chat_template_of_name(name, out, err)
                : chat_template_recognise(tokenizer_chat_template(tok), out, err);
}

void chat_tokens_deinit(struct chat_tokens *tokens) {
    mem_free(tokens->ids);
    mem_free(tokens->is_target);
    *tokens = (struct chat_tokens)CHAT_TOKENS_INIT;
}
