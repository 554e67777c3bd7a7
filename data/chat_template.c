/* chat_template.c - see chat_template.h. */
#include "data/chat_template.h"

#include "base/array.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/suggest.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>

enum chat_role { ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT, ROLE_COUNT };

static const char *const role_names[ROLE_COUNT] = {"system", "user", "assistant"};

enum system_place {
    SYSTEM_NOWHERE,
    SYSTEM_FIRST,
    SYSTEM_IN_USER, /* first, and written into the turn of the user that follows */
    SYSTEM_ANYWHERE,
};

/* Markup; {bos} and {eos} stand for the tokens of the model. */
struct chat_turn {
    const char *before; /* the assistant's asks for an answer */
    const char *lead, *end;
    const char *after; /* of the assistant: what it need not say */
};

struct chat_template {
    const char *name, *help;
    const char *start;
    const char *default_system; /* NULL: none */
    struct chat_turn turns[ROLE_COUNT];
    enum system_place system_place;
    bool alternates; /* user first, then in turn; a system message does not count */
    bool trims;      /* blanks at both ends of what people wrote */
    bool is_plain;   /* a form that is older than Jinja templates */
};

#define CHATML_TURN(role) \
    { "<|im_start|>" role "\n", "", "<|im_end|>", "\n" }
#define CHATML_TURNS \
    { CHATML_TURN("system"), CHATML_TURN("user"), CHATML_TURN("assistant") }
#define CHATML(its_name, its_help, system)                                               \
    {                                                                                    \
        .name = (its_name), .help = (its_help), .start = "", .default_system = (system), \
        .turns = CHATML_TURNS, .system_place = SYSTEM_ANYWHERE, .alternates = false,     \
        .trims = false                                                                   \
    }
#define LLAMA3_TURN(role) \
    { "<|start_header_id|>" role "<|end_header_id|>\n\n", "", "<|eot_id|>", "" }
#define ZEPHYR_TURN(role) \
    { "<|" role "|>\n", "", "{eos}", "\n" }
#define NO_TURN \
    { "", "", "", "" }

static const struct chat_template templates[] = {
    CHATML("chatml", "<|im_start|>role ... <|im_end|>", NULL),
    CHATML("smollm2", "chatml with the system message of SmolLM2-Instruct",
           "You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
    CHATML("qwen2", "chatml with the system message of Qwen2", "You are a helpful assistant."),
    CHATML("qwen2.5", "chatml with the system message of Qwen2.5",
           "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
    {
        .name = "llama2",
        .help = "[INST] <<SYS>> ... [/INST], of Llama 2 Chat",
        .start = "",
        .turns = {{"<<SYS>>\n", "", "\n<</SYS>>", "\n\n"},
                  {"{bos}[INST] ", "", " [/INST]", ""},
                  {"", " ", " {eos}", ""}},
        .system_place = SYSTEM_IN_USER,
        .alternates = true,
        .trims = true,
    },
    {
        .name = "llama3",
        .help = "<|start_header_id|>role<|end_header_id|> ... <|eot_id|>, of Llama 3 Instruct",
        .start = "{bos}",
        .turns = {LLAMA3_TURN("system"), LLAMA3_TURN("user"), LLAMA3_TURN("assistant")},
        .system_place = SYSTEM_ANYWHERE,
        .trims = true,
    },
    {
        .name = "mistral",
        .help = "[INST] ... [/INST], of Mistral Instruct v0.2 and Mixtral",
        .start = "{bos}",
        .turns = {NO_TURN, {"[INST] ", "", " [/INST]", ""}, {"", "", "{eos}", ""}},
        .system_place = SYSTEM_NOWHERE,
        .alternates = true,
    },
    {
        .name = "mistral-v0.1",
        .help = "the same with a blank behind each answer, of Mistral Instruct v0.1",
        .start = "{bos}",
        .turns = {NO_TURN, {"[INST] ", "", " [/INST]", ""}, {"", "", "{eos}", " "}},
        .system_place = SYSTEM_NOWHERE,
        .alternates = true,
    },
    {
        .name = "zephyr",
        .help = "<|role|> ... , of Zephyr and TinyLlama Chat",
        .start = "",
        .turns = {ZEPHYR_TURN("system"), ZEPHYR_TURN("user"), ZEPHYR_TURN("assistant")},
        .system_place = SYSTEM_ANYWHERE,
    },
    {
        .name = "alpaca",
        .help = "### Instruction: ... ### Response: ..., of Stanford Alpaca",
        .start = "",
        .default_system = "Below is an instruction that describes a task. Write a response that "
                          "appropriately completes the request.",
        .turns = {NO_TURN,
                  {"\n\n### Instruction:\n", "", "", ""},
                  {"\n\n### Response:\n", "", "{eos}", ""}},
        .system_place = SYSTEM_FIRST,
        .alternates = true,
        .is_plain = true,
    },
    {
        .name = "human-assistant",
        .help = "Human: ... Assistant: ..., of the hh-rlhf data",
        .start = "",
        .turns = {NO_TURN, {"\n\nHuman: ", "", "", ""}, {"\n\nAssistant:", " ", "{eos}", ""}},
        .system_place = SYSTEM_NOWHERE,
        .alternates = true,
        .is_plain = true,
    },
};

#define TEMPLATE_COUNT ((int64_t)(sizeof templates / sizeof *templates))

/* SHA-256 of published Jinja texts, those with a line end in their strings where others write \n
 * among them. By tests/golden/make_chat.py, which also renders each. */
static const struct {
    const char *sha256;
    const char *name;
} published[] = {
    {"fcf7a096fe99a48fd9ad2b250bf9237e96e8f48bffec1c7ea4d3f225176cd40e", "chatml"},
    {"153280e3ff55d19da1398bdb3914ee2a51b80429bfaedde11d7d216c39db80f3", "chatml"},
    {"d7b5b8c7b58f7a6bf868aa46a5f73ee976d7292f40fcb9c3e7a1defd8d235cfb", "chatml"},
    {"58c1a1f04baa7adaeaba1f90267c3d57d9396f0c1f0129bdde9e76d3c6784af7", "chatml"},
    {"81693fe4b9b493936757765507bb74421ffb200593bb75d179cee623be224ba1", "chatml"},
    {"e9a55165c917b5ca690dd6547ab7ac75bd627fd038ad90bcd5e388fe9197b1ab", "chatml"},
    {"17762d2e5131cb2a950db7dd5700c50095547773d3302b52baebe9ae32257a55", "chatml"},
    {"f950548988e50713a9975a11be0eaf1d29c4fe4be0ba22a57daeebbc27a7adb9", "chatml"},
    {"de9cde7d1b0ca0cc87459a6673e0d12fb89c070bdb24e4a30b6e4d187b226221", "smollm2"},
    {"872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788", "smollm2"},
    {"f0206845c9ebc3abb4735d44f286eb81ce99238ad2accc710c6fc60e6cb8ccc8", "qwen2"},
    {"793202280c0910ab26bc6eb57c8212c2417324c6d8c4efd0d10d59092ab3e3eb", "qwen2"},
    {"55b2f4a26ac9ee719330a61a0c39d9e538b0e9322212f048326318cff4f8674a", "qwen2.5"},
    {"a18cc698dd45623eb707279d08e66f7bb8d76afc89ead84016b88487b395b5cc", "qwen2.5"},
    {"e8d5b5a546d3f19df16a5320c614fab05bdc4edd50e850f1afd947b503ea41cf", "llama2"},
    {"9780fae5bfea3cfd7be37d328c6edfd296a8869be8131495bbe7eb37e780c88c", "llama2"},
    {"4f46ecd43418f216df8c26936c60e5d04bcc81db47db5d86fbe889f64212dd4c", "llama3"},
    {"ba03a121d097859c7b5b9cd03af99aafe95275210d2876f642ad9929a150f122", "llama3"},
    {"25d9364ce09288ed874ade392dfd082b81d3ea3b4d887f008fdcfd8427c7186b", "llama3"},
    {"47d5a7b4840c2ff2dfa0828b2465a654bef3a6cdfe032e5e105f395e4ceee812", "llama3"},
    {"26a59556925c987317ce5291811ba3b7f32ec4c647c400c6cc7e3a9993007ba7", "mistral"},
    {"7e995b379ec01747807246483647cd99030abf331653f1119e16d7ac041a3495", "mistral-v0.1"},
    {"4f39e3a4b9e3d369b42fd00d93a78f171914bb4e58ec84fc420433d7a153288a", "zephyr"},
    {"66291cf0045c2425a3a667cf3cbb7af2b11f09e025c02f97245323ab79119362", "zephyr"},
    {"aa313d6df2f0d0a874ab94234190edf60094a8c0149c1ed0c375a0110e413087", "alpaca"},
    {"f788adf1215e87a87df7ca68f867d29a74868859d062effbfe759e1a8266debc", "alpaca"},
    {"90e690ef28a25520590a34b7a248af44f1ac5e7b684f1173ce8ff3a685d3d427", "human-assistant"},
    {"edb67838edd4914e06cb67a9fcb75e50ac20f32986f8f9fdc40ae98c7c863935", "human-assistant"},
};

/* ---- which ---- */

const struct chat_template *chat_template_at(int64_t index) {
    return index >= 0 && index < TEMPLATE_COUNT ? &templates[index] : NULL;
}

const char *chat_template_name(const struct chat_template *template) {
    return template->name;
}

const char *chat_template_help(const struct chat_template *template) {
    return template->help;
}

const char *chat_template_lead(const struct chat_template *template) {
    return template->turns[ROLE_ASSISTANT].lead;
}

size_t chat_template_lead_bytes(const struct chat_template *template, const char *text,
                                size_t bytes) {
    const char *lead = chat_template_lead(template);
    const size_t count = strlen(lead);
    return bytes >= count && memcmp(text, lead, count) == 0 ? count : 0;
}

bool chat_template_has_bos(const struct chat_template *template) {
    return strstr(template->start, "{bos}") || strstr(template->turns[ROLE_USER].before, "{bos}");
}

bool chat_template_is_plain(const struct chat_template *template) {
    return template->is_plain;
}

static const struct chat_template *find(const char *name) {
    for (int64_t i = 0; i < TEMPLATE_COUNT; i++) {
        if (strcmp(templates[i].name, name) == 0) {
            return &templates[i];
        }
    }
    return NULL;
}

#define NAMES_BYTES 160

/* "chatml, smollm2, ..." */
static const char *list_names(char out[NAMES_BYTES]) {
    size_t used = 0;
    for (int64_t i = 0; i < TEMPLATE_COUNT; i++) {
        used += (size_t)snprintf(out + used, NAMES_BYTES - used, "%s%s", i > 0 ? ", " : "",
                                 templates[i].name);
        ASSERT(used < NAMES_BYTES);
    }
    return out;
}

enum err_code chat_template_of_name(const char *name, const struct chat_template **out,
                                    struct error *err) {
    const char *names[TEMPLATE_COUNT];
    char list[NAMES_BYTES];
    const struct chat_template *found = find(name);
    if (found) {
        *out = found;
        return ERR_OK;
    }
    for (int64_t i = 0; i < TEMPLATE_COUNT; i++) {
        names[i] = templates[i].name;
    }
    const char *near = suggest_nearest(name, names, (size_t)TEMPLATE_COUNT);
    return err_set(err, ERR_USAGE, "no chat template '%s'%s%s%s: there are %s", name,
                   near ? ", did you mean '" : "", near ? near : "", near ? "'" : "",
                   list_names(list));
}

/* As Jinja reads a text: \r\n is a line end, and one at the end of all is dropped. */
static enum err_code hash_of(const char *jinja, struct hash_digest *out, struct error *err) {
    struct hash_state state;
    size_t count = strlen(jinja);
    TRY(hash_init(&state, err));
    count -= count > 0 && jinja[count - 1] == '\n';
    count -= count > 0 && jinja[count] == '\n' && jinja[count - 1] == '\r';
    for (size_t begin = 0, end = 0; begin < count; begin = end + 1) {
        for (end = begin; end < count && !(jinja[end] == '\r' && jinja[end + 1] == '\n'); end++) {
        }
        hash_update(&state, jinja + begin, end - begin);
    }
    *out = hash_final(&state);
    return ERR_OK;
}

enum err_code chat_template_recognise(const char *jinja, const struct chat_template **out,
                                      struct error *err) {
    struct hash_digest digest;
    char hex[HASH_HEX_BYTES];
    char list[NAMES_BYTES];
    if (!jinja) {
        return err_set(err, ERR_DATA,
                       "the model has no chat template: name one with --template, of %s",
                       list_names(list));
    }
    TRY(hash_of(jinja, &digest, err));
    hash_to_hex(&digest, hex);
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        if (strcmp(published[i].sha256, hex) == 0) {
            *out = find(published[i].name);
            ASSERT(*out != NULL);
            return ERR_OK;
        }
    }
    return err_set(err, ERR_DATA,
                   "the model's chat template (SHA-256 %.12s...) is none that accord knows: name "
                   "the one that it is like with --template, of %s",
                   hex, list_names(list));
}

/* ---- blanks, as Python's str.strip() and Jinja's trim know them ---- */

static bool is_blank(uint32_t c) {
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

static struct text_span trim_left(struct text_span text) {
    uint32_t c = 0;
    size_t bytes = 0;
    while ((bytes = utf8_decode(text.bytes, text.count, &c)) > 0 && is_blank(c)) {
        text.bytes += bytes;
        text.count -= bytes;
    }
    return text;
}

static struct text_span trim_right(struct text_span text) {
    while (text.count > 0) {
        size_t begin = text.count - 1;
        uint32_t c = 0;
        while (begin > 0 && ((unsigned char)text.bytes[begin] & 0xC0) == 0x80) {
            begin--;
        }
        if (utf8_decode(text.bytes + begin, text.count - begin, &c) == 0 || !is_blank(c)) {
            break;
        }
        text.count = begin;
    }
    return text;
}

/* ---- what can be said ---- */

static enum err_code read_role(const struct chat_template *template, const struct chat_input *input,
                               int64_t message, enum chat_role *out, struct error *err) {
    const struct text_span *name = &input->messages[message].role;
    for (int role = 0; role < ROLE_COUNT; role++) {
        const struct text_span known = text_span_of(role_names[role]);
        if (text_span_equal(name, &known)) {
            *out = (enum chat_role)role;
            return ERR_OK;
        }
    }
    char shown[UTF8_EXCERPT_BYTES];
    return err_set(err, ERR_DATA,
                   "message %" PRId64 ": role '%s': chat template '%s' knows system, user and "
                   "assistant",
                   message + 1, utf8_excerpt(name->bytes, name->count, shown), template->name);
}

static enum err_code check_system(const struct chat_template *template, int64_t message,
                                  struct error *err) {
    if (template->system_place == SYSTEM_NOWHERE) {
        return err_set(err, ERR_DATA,
                       "message %" PRId64 ": chat template '%s' has no place for a system message",
                       message + 1, template->name);
    }
    if (message > 0 && template->system_place != SYSTEM_ANYWHERE) {
        return err_set(err, ERR_DATA,
                       "message %" PRId64 ": a system message: chat template '%s' has place for "
                       "one as the first message only",
                       message + 1, template->name);
    }
    return ERR_OK;
}

/* `expected` is whose turn it is. */
static enum err_code check_turn(const struct chat_template *template, int64_t message,
                                enum chat_role role, enum chat_role expected, struct error *err) {
    if (!template->alternates || role == expected) {
        return ERR_OK;
    }
    return err_set(err, ERR_DATA,
                   "message %" PRId64 ": role '%s', expected '%s': in chat template '%s' turns "
                   "alternate, beginning with the user's",
                   message + 1, role_names[role], role_names[expected], template->name);
}

static enum err_code check_messages(const struct chat_template *template,
                                    const struct chat_input *input, struct error *err) {
    enum chat_role role = ROLE_SYSTEM;
    enum chat_role expected = ROLE_USER;
    ASSERT(input->response_from >= 0 && input->response_from <= input->message_count);
    for (int64_t m = 0; m < input->message_count; m++) {
        TRY(read_role(template, input, m, &role, err));
        if (role == ROLE_SYSTEM) {
            TRY(check_system(template, m, err));
            continue;
        }
        TRY(check_turn(template, m, role, expected, err));
        expected = role == ROLE_USER ? ROLE_ASSISTANT : ROLE_USER;
    }
    if (input->message_count == 0) {
        return err_set(err, ERR_DATA, "a conversation without messages");
    }
    if (input->response_from == input->message_count) {
        return check_turn(template, input->message_count, ROLE_ASSISTANT, expected, err);
    }
    if (role != ROLE_ASSISTANT) {
        return err_set(err, ERR_DATA,
                       "message %" PRId64 ": role '%s': a response ends with the assistant's turn",
                       input->message_count, role_names[role]);
    }
    return ERR_OK;
}

/* ---- text ---- */

struct writer {
    const struct chat_template *template;
    const struct chat_input *input;
    struct chat_text *out;
    int64_t message; /* being written */
};

static enum err_code add(struct writer *w, struct text_span text, enum chat_part part,
                         struct error *err) {
    struct chat_text *out = w->out;
    size_t begin = out->text.length;
    if (text.count == 0) {
        return ERR_OK;
    }
    strbuf_add_bytes(&out->text, text.bytes, text.count);
    TRY(strbuf_check(&out->text, "text of a conversation", err));
    struct chat_segment *last = out->count > 0 ? &out->segments[out->count - 1] : NULL;
    if (last && last->part == part && last->message == w->message) {
        last->end = out->text.length;
        return ERR_OK;
    }
    TRY(array_reserve(ARRAY_REF(out->segments), &out->capacity, out->count + 1,
                      "segments of a conversation", err));
    ASSERT(out->segments != NULL);
    out->segments[out->count++] = (struct chat_segment){
        .begin = begin, .end = out->text.length, .part = part, .message = w->message};
    return ERR_OK;
}

static enum err_code add_token(struct writer *w, const struct text_span *token, const char *name,
                               enum chat_part part, struct error *err) {
    if (!text_span_is_set(token)) {
        return err_set(err, ERR_DATA, "chat template '%s' needs the model's %s, and it has none",
                       w->template->name, name);
    }
    return add(w, *token, part, err);
}

static enum err_code add_markup(struct writer *w, const char *markup, enum chat_part part,
                                struct error *err) {
    while (*markup) {
        size_t plain = strcspn(markup, "{");
        TRY(add(w, (struct text_span){markup, plain}, part, err));
        markup += plain;
        if (strncmp(markup, "{bos}", 5) == 0) {
            TRY(add_token(w, &w->input->bos, "BOS token", part, err));
            markup += 5;
        } else if (strncmp(markup, "{eos}", 5) == 0) {
            TRY(add_token(w, &w->input->eos, "EOS token", part, err));
            markup += 5;
        } else {
            ASSERT(*markup == '\0');
        }
    }
    return ERR_OK;
}

static bool folds_system(const struct writer *w) {
    return w->template->system_place == SYSTEM_IN_USER && w->message == 1 &&
           w->input->messages[0].role.count == strlen(role_names[ROLE_SYSTEM]);
}

/* Blanks are trimmed from the whole, so those before the user's text stay, and those before nothing
 * go. */
static enum err_code add_folded_system(struct writer *w, const struct text_span *content,
                                       struct error *err) {
    const struct chat_turn *turn = &w->template->turns[ROLE_SYSTEM];
    w->message = 0;
    TRY(add_markup(w, turn->before, CHAT_MARKUP, err));
    TRY(add(w, w->input->messages[0].content, CHAT_CONTENT, err));
    TRY(add_markup(w, turn->end, CHAT_MARKUP, err));
    if (content->count > 0) {
        TRY(add_markup(w, turn->after, CHAT_MARKUP, err));
    }
    w->message = 1;
    return ERR_OK;
}

static enum err_code add_message(struct writer *w, enum chat_role role, struct error *err) {
    const struct chat_turn *turn = &w->template->turns[role];
    struct text_span content = w->input->messages[w->message].content;
    bool is_response = role == ROLE_ASSISTANT && w->message >= w->input->response_from;
    if (role == ROLE_SYSTEM && w->template->system_place == SYSTEM_IN_USER) {
        return ERR_OK; /* with the next message */
    }
    TRY(add_markup(w, turn->before, CHAT_MARKUP, err));
    if (w->template->trims) {
        content = trim_right(content);
    }
    if (folds_system(w)) {
        TRY(add_folded_system(w, &content, err));
    } else if (w->template->trims) {
        content = trim_left(content);
    }
    TRY(add_markup(w, turn->lead, is_response ? CHAT_RESPONSE_LEAD : CHAT_MARKUP, err));
    TRY(add(w, content, is_response ? CHAT_RESPONSE : CHAT_CONTENT, err));
    TRY(add_markup(w, turn->end, is_response ? CHAT_RESPONSE_END : CHAT_MARKUP, err));
    return add_markup(w, turn->after, CHAT_MARKUP, err);
}

static enum err_code add_default_system(struct writer *w, struct error *err) {
    const struct chat_turn *turn = &w->template->turns[ROLE_SYSTEM];
    TRY(add_markup(w, turn->before, CHAT_MARKUP, err));
    TRY(add_markup(w, w->template->default_system, CHAT_MARKUP, err));
    TRY(add_markup(w, turn->end, CHAT_MARKUP, err));
    return add_markup(w, turn->after, CHAT_MARKUP, err);
}

static enum err_code add_all(struct writer *w, struct error *err) {
    const struct chat_input *input = w->input;
    enum chat_role role = ROLE_SYSTEM;
    TRY(add_markup(w, w->template->start, CHAT_MARKUP, err));
    TRY(read_role(w->template, input, 0, &role, err));
    if (w->template->default_system && role != ROLE_SYSTEM) {
        TRY(add_default_system(w, err));
    }
    for (w->message = 0; w->message < input->message_count; w->message++) {
        TRY(read_role(w->template, input, w->message, &role, err));
        TRY(add_message(w, role, err));
    }
    w->message = -1;
    return input->response_from < input->message_count
               ? ERR_OK
               : add_markup(w, w->template->turns[ROLE_ASSISTANT].before, CHAT_MARKUP, err);
}

static void reset(struct chat_text *text) {
    strbuf_reset(&text->text);
    text->count = 0;
}

enum err_code chat_template_render(const struct chat_template *template,
                                   const struct chat_input *input, struct chat_text *out,
                                   struct error *err) {
    struct writer writer = {.template = template, .input = input, .out = out, .message = -1};
    reset(out);
    TRY(check_messages(template, input, err));
    enum err_code code = add_all(&writer, err);
    if (code != ERR_OK) {
        reset(out);
    }
    return code;
}

void chat_text_deinit(struct chat_text *text) {
    strbuf_deinit(&text->text);
    mem_free(text->segments);
    *text = (struct chat_text)CHAT_TEXT_INIT;
}
