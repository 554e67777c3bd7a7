/* Golden: tests/golden/chat, by transformers and jinja2 (make_chat.py). */
#include "data/chat_template.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

#include <stdio.h>

#define MESSAGES_MAX 8

struct conversation {
    struct message messages[MESSAGES_MAX];
    int64_t count;
};

static struct conversation conversation_of(const struct json *doc, const struct json_node *array) {
    struct conversation c = {.count = 0};
    struct error err = ERROR_INIT;
    for (const struct json_node *m = json_first(array); m; m = json_next(m)) {
        const char *role = NULL;
        const char *content = NULL;
        assert_true(c.count < MESSAGES_MAX);
        assert_ok(json_get_string(doc, m, "role", &role, &err), &err);
        assert_ok(json_get_string(doc, m, "content", &content, &err), &err);
        c.messages[c.count++] = (struct message){text_span_of(role), text_span_of(content)};
    }
    return c;
}

static struct chat_input input_of(const struct conversation *c, int64_t response_from) {
    return (struct chat_input){.messages = c->messages,
                               .message_count = c->count,
                               .response_from = response_from,
                               .bos = text_span_of("<s>"),
                               .eos = text_span_of("</s>")};
}

/* Every line of a file of JSON rows. */
static void for_each_row(const char *path,
                         void (*check)(const struct json *doc, const struct json_node *row)) {
    struct error err = ERROR_INIT;
    SCOPED(mem) char *text = NULL;
    size_t bytes = 0;
    assert_ok(file_read_all(path, 1 * MIB, &text, &bytes, &err), &err);
    char *rest = NULL;
    int64_t rows = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        SCOPED(json) struct json *doc = NULL;
        assert_ok(json_parse(line, strlen(line), path, NULL, &doc, &err), &err);
        check(doc, json_root(doc));
        rows++;
    }
    assert_true(rows > 0);
}

/* No gaps, no overlaps, none empty. */
static void check_segments(const struct chat_text *text) {
    size_t at = 0;
    for (int64_t s = 0; s < text->count; s++) {
        assert_int_equal(text->segments[s].begin, at);
        assert_true(text->segments[s].end > at);
        at = text->segments[s].end;
    }
    assert_int_equal(at, text->text.length);
}

static const struct chat_segment *first_target(const struct chat_text *text) {
    for (int64_t s = 0; s < text->count; s++) {
        if (chat_part_is_target(text->segments[s].part)) {
            return &text->segments[s];
        }
    }
    return NULL;
}

/* The response begins where the generation prompt ends: what is learnt is what is asked for. */
static void check_response(const struct chat_template *template, const struct conversation *c) {
    struct error err = ERROR_INIT;
    SCOPED(chat_text) struct chat_text whole = CHAT_TEXT_INIT;
    SCOPED(chat_text) struct chat_text prompt = CHAT_TEXT_INIT;
    struct conversation asked = *c;
    asked.count--;
    struct chat_input input = input_of(c, c->count - 1);
    assert_ok(chat_template_render(template, &input, &whole, &err), &err);
    check_segments(&whole);
    if (asked.count == 0) {
        return;
    }
    input = input_of(&asked, asked.count);
    assert_ok(chat_template_render(template, &input, &prompt, &err), &err);
    assert_int_equal(first_target(&whole)->begin, prompt.text.length);
    assert_memory_equal(whole.text.bytes, prompt.text.bytes, prompt.text.length);
    assert_null(first_target(&prompt));
}

static bool is_assistants(const struct message *message) {
    return message->role.count == strlen("assistant");
}

/* What Jinja renders without a system message's place, accord refuses: llama2 drops it. */
static bool is_dropped(const char *name, const struct conversation *c) {
    for (int64_t m = 1; m < c->count; m++) {
        if (c->messages[m].role.count == strlen("system") && strcmp(name, "llama2") == 0) {
            return true;
        }
    }
    return false;
}

static void check_rendered(const struct json *doc, const struct json_node *row) {
    struct error err = ERROR_INIT;
    const char *name = NULL;
    const struct json_node *array = NULL;
    bool ask = false;
    assert_ok(json_get_string(doc, row, "name", &name, &err), &err);
    assert_ok(json_get_array(doc, row, "messages", &array, &err), &err);
    assert_ok(json_get_bool(doc, row, "ask", &ask, &err), &err);
    struct conversation c = conversation_of(doc, array);
    const struct json_node *text = json_find(doc, row, "text");
    bool ends_with_answer = is_assistants(&c.messages[c.count - 1]);
    if (!ask && !ends_with_answer) {
        return; /* neither asks nor answers: nothing to train on or to sample */
    }
    const struct chat_template *template = NULL;
    SCOPED(chat_text) struct chat_text out = CHAT_TEXT_INIT;
    assert_ok(chat_template_of_name(name, &template, &err), &err);
    struct chat_input input = input_of(&c, ask ? c.count : c.count - 1);
    enum err_code code = chat_template_render(template, &input, &out, &err);
    if (json_kind_of(text) == JSON_KIND_NULL || is_dropped(name, &c)) {
        assert_int_equal(code, ERR_DATA);
        assert_int_equal(out.text.length, 0);
        return;
    }
    const char *expected = NULL;
    assert_ok(json_as_string(doc, text, &expected, &err), &err);
    assert_ok(code, &err);
    assert_string_equal(strbuf_text(&out.text), expected);
    if (!ask) {
        check_response(template, &c);
    }
}

static void test_chat_template_render__as_transformers(void **state) {
    (void)state;
    for_each_row(GOLDEN_FOLDER "/chat/rendered.jsonl", check_rendered);
}

static void check_jinja(const struct json *doc, const struct json_node *row) {
    struct error err = ERROR_INIT;
    const char *jinja = NULL;
    const struct chat_template *template = NULL;
    assert_ok(json_get_string(doc, row, "jinja", &jinja, &err), &err);
    const struct json_node *name = json_find(doc, row, "name");
    enum err_code code = chat_template_recognise(jinja, &template, &err);
    if (json_kind_of(name) == JSON_KIND_NULL) {
        assert_int_equal(code, ERR_DATA);
        assert_non_null(strstr(err.msg, "--template, of chatml, smollm2,"));
        assert_null(template);
        return;
    }
    const char *expected = NULL;
    assert_ok(json_as_string(doc, name, &expected, &err), &err);
    assert_ok(code, &err);
    assert_string_equal(chat_template_name(template), expected);
}

static void test_chat_template_recognise__published_texts_only(void **state) {
    (void)state;
    for_each_row(GOLDEN_FOLDER "/chat/jinja.jsonl", check_jinja);
}

static const char zephyr[] =
    "{% for message in messages %}\r\n{% if message['role'] == 'user' %}\r\n"
    "{{ '<|user|>\\n' + message['content'] + eos_token }}\r\n"
    "{% elif message['role'] == 'system' %}\r\n"
    "{{ '<|system|>\\n' + message['content'] + eos_token }}\r\n"
    "{% elif message['role'] == 'assistant' %}\r\n"
    "{{ '<|assistant|>\\n'  + message['content'] + eos_token }}\r\n{% endif %}\r\n"
    "{% if loop.last and add_generation_prompt %}\r\n{{ '<|assistant|>' }}\r\n{% endif %}\r\n"
    "{% endfor %}";

/* Jinja reads \r\n as \n, and drops one line end behind all. */
static void test_chat_template_recognise__line_ends_as_jinja(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const struct chat_template *template = NULL;
    static const struct {
        const char *tail;
        enum err_code expected;
    } cases[] = {
        {"", ERR_OK}, {"\n", ERR_OK}, {"\r\n", ERR_OK}, {"\n\n", ERR_DATA}, {" ", ERR_DATA}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text, "%s%s", zephyr, cases[i].tail);
        assert_int_equal(chat_template_recognise(text, &template, &err), cases[i].expected);
        assert_string_equal(chat_template_name(template), "zephyr");
    }
    assert_fails(chat_template_recognise(NULL, &template, &err), ERR_DATA,
                 "the model has no chat template: name one with --template", &err);
}

static void test_chat_template_of_name__nearest_is_named(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const struct chat_template *template = NULL;
    assert_fails(chat_template_of_name("chatlm", &template, &err), ERR_USAGE,
                 "no chat template 'chatlm', did you mean 'chatml': there are chatml, smollm2, ",
                 &err);
    assert_fails(chat_template_of_name("vicuna", &template, &err), ERR_USAGE,
                 "no chat template 'vicuna': there are", &err);
    for (int64_t i = 0; chat_template_at(i); i++) {
        assert_ok(chat_template_of_name(chat_template_name(chat_template_at(i)), &template, &err),
                  &err);
        assert_ptr_equal(template, chat_template_at(i));
        assert_true(strlen(chat_template_help(template)) > 0);
    }
}

/* What is learnt of an answer:
 *   <s>[INST] Tea? [/INST] Yes. </s>
 *   0                     22 23  27    32
 * the blank at 22 is the lead, "Yes." the content, " </s>" the end. */
static void test_chat_template_render__parts_by_hand(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const struct message messages[] = {
        {text_span_of("user"), text_span_of(" Tea?\n")},
        {text_span_of("assistant"), text_span_of("Yes.")},
    };
    const struct chat_input input = {.messages = messages,
                                     .message_count = 2,
                                     .response_from = 1,
                                     .bos = text_span_of("<s>"),
                                     .eos = text_span_of("</s>")};
    static const struct chat_segment expected[] = {
        {0, 3, CHAT_MARKUP, 0},         {3, 10, CHAT_MARKUP, 0},         {10, 14, CHAT_CONTENT, 0},
        {14, 22, CHAT_MARKUP, 0},       {22, 23, CHAT_RESPONSE_LEAD, 1}, {23, 27, CHAT_RESPONSE, 1},
        {27, 32, CHAT_RESPONSE_END, 1},
    };
    const struct chat_template *template = NULL;
    SCOPED(chat_text) struct chat_text out = CHAT_TEXT_INIT;
    assert_ok(chat_template_of_name("llama2", &template, &err), &err);
    assert_ok(chat_template_render(template, &input, &out, &err), &err);
    assert_string_equal(strbuf_text(&out.text), "<s>[INST] Tea? [/INST] Yes. </s>");
    assert_int_equal(out.count, 6);
    assert_int_equal(out.segments[0].end, 10); /* BOS and [INST] are one piece of markup */
    for (int64_t s = 1; s < out.count; s++) {
        assert_int_equal(out.segments[s].begin, expected[s + 1].begin);
        assert_int_equal(out.segments[s].end, expected[s + 1].end);
        assert_int_equal(out.segments[s].part, expected[s + 1].part);
        assert_int_equal(out.segments[s].message, expected[s + 1].message);
    }
}

/* An answer of several turns: the user's turn in it is not learnt. */
/* Of the answer's bytes only the first, and only where the template writes one. */
static void test_chat_template_lead__is_no_part_of_the_answer(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const struct chat_template *spaced = NULL;
    const struct chat_template *chatml = NULL;
    assert_ok(chat_template_of_name("human-assistant", &spaced, &err), &err);
    assert_ok(chat_template_of_name("chatml", &chatml, &err), &err);
    assert_string_equal(chat_template_lead(spaced), " ");
    assert_string_equal(chat_template_lead(chatml), "");
    assert_int_equal(chat_template_lead_bytes(spaced, " Tea.", 5), 1);
    assert_int_equal(chat_template_lead_bytes(spaced, "  Tea.", 6), 1);
    assert_int_equal(chat_template_lead_bytes(spaced, "Tea.", 4), 0);
    assert_int_equal(chat_template_lead_bytes(spaced, "", 0), 0);
    assert_int_equal(chat_template_lead_bytes(chatml, " Tea.", 5), 0);
}

static void test_chat_template_render__turns_inside_a_response(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const struct message messages[] = {
        {text_span_of("user"), text_span_of("a")},
        {text_span_of("assistant"), text_span_of("b")},
        {text_span_of("user"), text_span_of("c")},
        {text_span_of("assistant"), text_span_of("d")},
    };
    static const char *const learnt[] = {"b", "<|im_end|>", "d", "<|im_end|>"};
    for (int64_t from = 0; from < 4; from++) {
        const struct chat_input input = {
            .messages = messages, .message_count = 4, .response_from = from};
        SCOPED(chat_text) struct chat_text out = CHAT_TEXT_INIT;
        assert_ok(chat_template_render(chat_template_at(0), &input, &out, &err), &err);
        size_t next = from <= 1 ? 0 : 2;
        for (int64_t s = 0; s < out.count; s++) {
            const struct chat_segment *part = &out.segments[s];
            if (chat_part_is_target(part->part)) {
                assert_int_equal(part->end - part->begin, strlen(learnt[next]));
                assert_memory_equal(out.text.bytes + part->begin, learnt[next],
                                    strlen(learnt[next]));
                next++;
            }
        }
        assert_int_equal(next, 4);
    }
}

struct refusal {
    const char *name;
    const char *roles; /* a letter each */
    int64_t response_from;
    const char *message;
};

static const struct refusal refusals[] = {
    {"chatml", "ut", 2, "message 2: role 'tool': chat template 'chatml' knows system, user and"},
    {"chatml", "", 0, "a conversation without messages"},
    {"chatml", "uau", 1, "message 3: role 'user': a response ends with the assistant's turn"},
    {"llama2", "au", 2, "message 1: role 'assistant', expected 'user': in chat template 'llama2'"},
    {"llama2", "sau", 3, "message 2: role 'assistant', expected 'user'"},
    {"llama2", "s", 1, "message 2: role 'assistant', expected 'user'"},
    {"llama2", "uasu", 4, "message 3: a system message: chat template 'llama2' has place for one"},
    {"mistral", "su", 2, "message 1: chat template 'mistral' has no place for a system message"},
    {"mistral", "uu", 2, "message 2: role 'user', expected 'assistant'"},
    {"mistral", "ua", 2, "message 3: role 'assistant', expected 'user'"},
    {"alpaca", "uas", 3, "message 3: a system message: chat template 'alpaca' has place for one"},
    {"human-assistant", "su", 2, "message 1: chat template 'human-assistant' has no place"},
};

static void test_chat_template_render__refuses_what_it_cannot_say(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct error err = ERROR_INIT;
        struct conversation c = {.count = (int64_t)strlen(refusals[i].roles)};
        for (int64_t m = 0; m < c.count; m++) {
            char role = refusals[i].roles[m];
            c.messages[m].role = text_span_of(role == 's'   ? "system"
                                              : role == 'u' ? "user"
                                              : role == 'a' ? "assistant"
                                                            : "tool");
            c.messages[m].content = text_span_of("x");
        }
        const struct chat_template *template = NULL;
        SCOPED(chat_text) struct chat_text out = CHAT_TEXT_INIT;
        struct chat_input input = input_of(&c, refusals[i].response_from);
        assert_ok(chat_template_of_name(refusals[i].name, &template, &err), &err);
        assert_fails(chat_template_render(template, &input, &out, &err), ERR_DATA,
                     refusals[i].message, &err);
    }
}

static void test_chat_template_render__missing_tokens_are_named(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const struct message user = {text_span_of("user"), text_span_of("x")};
    struct conversation c = {.messages = {user}, .count = 1};
    const struct chat_template *template = NULL;
    SCOPED(chat_text) struct chat_text out = CHAT_TEXT_INIT;
    struct chat_input input = input_of(&c, 1);
    input.bos = (struct text_span)TEXT_SPAN_NONE;
    assert_ok(chat_template_of_name("llama3", &template, &err), &err);
    assert_true(chat_template_has_bos(template));
    assert_fails(chat_template_render(template, &input, &out, &err), ERR_DATA,
                 "chat template 'llama3' needs the model's BOS token, and it has none", &err);
    input.eos = (struct text_span)TEXT_SPAN_NONE;
    assert_ok(chat_template_of_name("zephyr", &template, &err), &err);
    assert_false(chat_template_has_bos(template));
    assert_fails(chat_template_render(template, &input, &out, &err), ERR_DATA, "EOS token", &err);
    assert_ok(chat_template_render(chat_template_at(0), &input, &out, &err), &err);
}

static enum err_code render_once(void *context, struct error *err) {
    const struct conversation *c = context;
    SCOPED(chat_text) struct chat_text out = CHAT_TEXT_INIT;
    struct chat_input input = input_of(c, 1);
    return chat_template_render(chat_template_at(1), &input, &out, err);
}

static void test_chat_template_render__without_memory(void **state) {
    (void)state;
    struct conversation c = {.messages = {{text_span_of("user"), text_span_of("Tea?")},
                                          {text_span_of("assistant"), text_span_of("Yes.")}},
                             .count = 2};
    alloc_loop_check(render_once, &c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chat_template_render__as_transformers),
        cmocka_unit_test(test_chat_template_recognise__published_texts_only),
        cmocka_unit_test(test_chat_template_recognise__line_ends_as_jinja),
        cmocka_unit_test(test_chat_template_of_name__nearest_is_named),
        cmocka_unit_test(test_chat_template_render__parts_by_hand),
        cmocka_unit_test(test_chat_template_lead__is_no_part_of_the_answer),
        cmocka_unit_test(test_chat_template_render__turns_inside_a_response),
        cmocka_unit_test(test_chat_template_render__refuses_what_it_cannot_say),
        cmocka_unit_test(test_chat_template_render__missing_tokens_are_named),
        cmocka_unit_test(test_chat_template_render__without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
