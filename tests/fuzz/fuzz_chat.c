/* fuzz_chat.c - messages as JSON through every template: segments tile the text; content stands in
 * it as it was given, but for blanks that are trimmed; an answer begins where the generation prompt
 * ends. The first byte chooses where the response begins. */
#include "base/scoped.h"
#include "data/chat_template.h"
#include "data/message_json.h"
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

static void check_segments(const struct chat_text *text, const struct message *messages) {
    size_t at = 0;
    for (int64_t s = 0; s < text->count; s++) {
        const struct chat_segment *part = &text->segments[s];
        FUZZ_CHECK(part->begin == at && part->end > at);
        at = part->end;
        if (part->part == CHAT_CONTENT || part->part == CHAT_RESPONSE) {
            const struct text_span *content = &messages[part->message].content;
            size_t count = part->end - part->begin;
            size_t from = 0;
            while (from + count <= content->count &&
                   memcmp(content->bytes + from, text->text.bytes + part->begin, count) != 0) {
                from++;
            }
            FUZZ_CHECK(from + count <= content->count);
        }
    }
    FUZZ_CHECK(at == text->text.length);
}

static void check_prompt(const struct chat_template *template, const struct chat_input *input,
                         const struct chat_text *whole) {
    struct error err = ERROR_INIT;
    SCOPED(chat_text) struct chat_text prompt = CHAT_TEXT_INIT;
    struct chat_input asked = *input;
    int64_t first = 0;
    asked.message_count = input->response_from;
    if (asked.message_count == 0 ||
        chat_template_render(template, &asked, &prompt, &err) != ERR_OK) {
        return;
    }
    while (first < whole->count && !chat_part_is_target(whole->segments[first].part)) {
        first++;
    }
    /* A turn of nothing but blanks, whose end is no token, may have no target of its own. */
    FUZZ_CHECK(first < whole->count);
    if (whole->segments[first].message == input->response_from) {
        FUZZ_CHECK(whole->segments[first].begin == prompt.text.length);
        FUZZ_CHECK(memcmp(whole->text.bytes, prompt.text.bytes, prompt.text.length) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct error err = ERROR_INIT;
    SCOPED(arena) struct arena arena = ARENA_INIT(64 * MIB);
    struct chat_input input = {.bos = text_span_of("<s>"), .eos = text_span_of("</s>")};
    if (count < 1 || count > 16 * 1024) {
        return 0;
    }
    const struct text_span json = {(const char *)bytes + 1, count - 1};
    if (message_json_read(&json, "m", &arena, &input.messages, &input.message_count, &err) !=
        ERR_OK) {
        FUZZ_CHECK(err.code == ERR_DATA);
        return 0;
    }
    input.response_from = bytes[0] % (input.message_count + 1);
    for (int64_t t = 0; chat_template_at(t); t++) {
        SCOPED(chat_text) struct chat_text text = CHAT_TEXT_INIT;
        enum err_code code = chat_template_render(chat_template_at(t), &input, &text, &err);
        FUZZ_CHECK(code == ERR_OK || (code == ERR_DATA && text.text.length == 0));
        if (code == ERR_OK) {
            check_segments(&text, input.messages);
            if (input.response_from < input.message_count) {
                check_prompt(chat_template_at(t), &input, &text);
            }
        }
    }
    return 0;
}
