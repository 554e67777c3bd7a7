/* chat_template.h - a conversation as the text that a model was trained on.
 *
 * Use:      const struct chat_template *template = NULL;
 *           TRY(chat_template_recognise(tokenizer_chat_template(tok), &template, err));
 *           SCOPED(chat_text) struct chat_text text = CHAT_TEXT_INIT;
 *           TRY(chat_template_render(template, &(struct chat_input){
 *                   .messages = messages, .message_count = 3, .response_from = 2,
 *                   .bos = bos, .eos = eos}, &text, err));
 * Names:    a template is known by name ("chatml"), or recognised from the Jinja text that a model
 *           brings by its SHA-256: a text that differs in one byte may render differently, and is
 *           not guessed at.
 * Oracle:   apply_chat_template of transformers, byte for byte (tests/golden/make_chat.py).
 * Turns:    a turn of the assistant that is a response falls into four parts: the markup that asks
 *           for it, which is the generation prompt; the lead, which belongs to the answer (the
 *           blank behind Llama 2's [/INST]); the content; and the end that the model must learn to
 *           say. So prompt and response are the two parts of one text.
 * Refuses:  what a template cannot say: roles other than system, user and assistant; two turns of
 *           one role or an assistant who begins, where turns must alternate; a system message
 *           where there is no place for one. Messages are counted from 1.
 * Threads:  no state.
 */
#ifndef DATA_CHAT_TEMPLATE_H
#define DATA_CHAT_TEMPLATE_H

#include "base/error.h"
#include "base/strbuf.h"
#include "data/preference.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chat_template;

#define CHAT_TEXT_BYTES_MAX ((size_t)256 * 1024 * 1024)

/* What a part of the text is. */
enum chat_part {
    CHAT_MARKUP,        /* of the template; may be spelled with special tokens */
    CHAT_CONTENT,       /* written by people; nothing in it is markup */
    CHAT_RESPONSE_LEAD, /* markup; this and what follows is what a model learns to say */
    CHAT_RESPONSE,      /* content */
    CHAT_RESPONSE_END,  /* markup */
};

struct chat_segment {
    size_t begin, end; /* bytes of the text */
    enum chat_part part;
    int64_t message; /* from 0; -1: what stands before all messages, or asks for an answer */
};

struct chat_text {
    struct strbuf text;
    struct chat_segment *segments; /* [count], in order, without gaps, none empty; owned */
    int64_t count, capacity;
};

#define CHAT_TEXT_INIT \
    { .text = STRBUF_INIT(CHAT_TEXT_BYTES_MAX), .segments = NULL, .count = 0, .capacity = 0 }

struct chat_input {
    const struct message *messages;
    int64_t message_count;
    /* Turns of the assistant from this message on are responses. With none there, response_from ==
     * message_count, the text ends in the generation prompt. */
    int64_t response_from;
    /* As the tokenizer spells them; absent where it has none. */
    struct text_span bos, eos;
};

/* The template of that name.
 *   fails    ERR_USAGE naming the nearest and all others */
ERR_NODISCARD enum err_code
chat_template_of_name(const char *name, const struct chat_template **out, struct error *err);

/* The template that a Jinja text is; NULL is a model without one.
 *   fails    ERR_DATA, saying how to name one */
ERR_NODISCARD enum err_code
chat_template_recognise(const char *jinja, const struct chat_template **out, struct error *err);

/* All of them, from 0; NULL behind the last. */
const struct chat_template *chat_template_at(int64_t index);

/* Static. */
const char *chat_template_name(const struct chat_template *template);
const char *chat_template_help(const struct chat_template *template);

/* What stands between the generation prompt and an answer, and is said by the model: "" or " ". No
 * part of the answer's text. Static. */
const char *chat_template_lead(const struct chat_template *template);

/* The bytes of `text` that are the lead: all of it where it is there, else none. */
size_t chat_template_lead_bytes(const struct chat_template *template, const char *text,
                                size_t bytes);

/* Whether it writes a BOS itself; no other may then be added. */
bool chat_template_has_bos(const struct chat_template *template);

/* Whether nobody publishes it as Jinja, so that no text says whether a BOS comes first. */
bool chat_template_is_plain(const struct chat_template *template);

/* Replaces `out` by the text of a conversation; on failure it is empty.
 *   fails    ERR_DATA as said above; ERR_DATA for a BOS or EOS that is needed and absent; ERR_LIMIT
 *            above CHAT_TEXT_BYTES_MAX; ERR_OOM */
ERR_NODISCARD enum err_code chat_template_render(const struct chat_template *template,
                                                 const struct chat_input *input,
                                                 struct chat_text *out, struct error *err);

/* Whether a part is what a model learns to say; whether it is the template's own. */
static inline bool chat_part_is_target(enum chat_part part) {
    return part >= CHAT_RESPONSE_LEAD;
}

static inline bool chat_part_is_markup(enum chat_part part) {
    return part != CHAT_CONTENT && part != CHAT_RESPONSE;
}

void chat_text_deinit(struct chat_text *text);

static inline void chat_text_scoped_end(struct chat_text *text) {
    chat_text_deinit(text);
}

#endif
