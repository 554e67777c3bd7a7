/* fuzz_import_json.c - any bytes as one row, through every JSON format.
 *
 * A format may refuse a row with ERR_DATA or a limit, and then says where. What it makes must pass
 * preference_check or be refused by it with ERR_DATA, refer only to what is there, and be
 * recognised without changing anything. The first byte of the input, unless it is {, chooses the
 * settings, so that what they change is reached as well.
 */
#include "base/json.h"
#include "base/scoped.h"
#include "data/import_format.h"
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

static const struct import_format *const formats[] = {
    &import_pre_tokenised, &import_arena,    &import_safe_rlhf, &import_nemo,
    &import_llama_factory, &import_sharegpt, &import_swift,     &import_fine_grained,
    &import_judgements,    &import_hh,       &import_trl,
};

#define FORMAT_COUNT (sizeof formats / sizeof formats[0])

static const struct import_map_entry map[] = {{"chosen", "w"}, {"rejected", "l"}, {"prompt", "q"}};

/* By the input's first byte: plain JSON begins with '{'. */
static struct import_settings settings_of(uint8_t first) {
    struct import_settings settings = {.path = "rows.jsonl"};
    switch (first) {
    case 'm':
        settings.map = map;
        settings.map_count = 3;
        break;
    case 'p':
        settings.prompt = "Tea?";
        settings.topic = "drinks";
        break;
    case 's':
        settings.prefer = "safer";
        settings.name = "teas";
        break;
    default:
        break;
    }
    return settings;
}

static size_t count_span(const struct text_span *span) {
    size_t sum = 0;
    for (size_t i = 0; i < span->count; i++) {
        sum += (unsigned char)span->bytes[i];
    }
    return sum;
}

static size_t count_messages(const struct message *messages, int64_t count) {
    size_t sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += count_span(&messages[i].role) + count_span(&messages[i].content);
    }
    return sum;
}

/* Reads every byte that the preference refers to, for the sanitizer. */
static size_t count_preference(const struct preference *made) {
    size_t sum = count_span(&made->prompt.text) + count_span(&made->prompt.topic) +
                 count_span(&made->annotator) + count_span(&made->population) +
                 count_span(&made->aspect) +
                 count_messages(made->prompt.messages, made->prompt.message_count);
    for (int64_t i = 0; i < made->response_count; i++) {
        const struct preference_response *response = &made->responses[i];
        sum += count_span(&response->text) + count_span(&response->origin) +
               count_messages(response->messages, response->message_count);
    }
    return sum;
}

static void check_batch(const struct import_batch *batch) {
    volatile size_t sum = 0;
    for (int64_t i = 0; i < batch->row_count; i++) {
        struct error err = ERROR_INIT;
        sum = sum + count_preference(batch->rows[i]);
        enum err_code code = preference_check(batch->rows[i], &err);
        FUZZ_CHECK(code == ERR_OK || code == ERR_DATA);
        FUZZ_CHECK(batch->rows[i]->line == 1);
    }
    FUZZ_CHECK(batch->work_count == 0);
}

static void check_refusal(enum err_code code, const struct error *err) {
    FUZZ_CHECK(code == ERR_DATA || code == ERR_LIMIT);
    FUZZ_CHECK(err->code == code);
    FUZZ_CHECK(code == ERR_LIMIT || strncmp(err->msg, "rows.jsonl:", 11) == 0);
}

static void read_with(const struct import_format *format, const struct import_json_row *row) {
    struct error err = ERROR_INIT;
    char why[IMPORT_WHY_BYTES] = "";
    SCOPED(import_batch) struct import_batch batch = IMPORT_BATCH_INIT;
    bool is_recognised = format->recognise_json(row, why);
    FUZZ_CHECK(is_recognised == (why[0] != '\0'));
    enum err_code code = format->read_json(NULL, row, &batch, &err);
    if (code == ERR_OK) {
        check_batch(&batch);
    } else {
        check_refusal(code, &err);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct error err = ERROR_INIT;
    struct json_place place = {.name = "rows.jsonl", .line = 1, .column = 1};
    SCOPED(json) struct json *doc = NULL;
    struct import_settings settings = settings_of(count > 0 ? bytes[0] : 0);
    size_t skip = count > 0 && bytes[0] != '{';
    if (json_parse_row((const char *)bytes + skip, count - skip, &place, NULL, &doc, &err) !=
            ERR_OK ||
        json_kind_of(json_root(doc)) != JSON_KIND_OBJECT) {
        return 0;
    }
    struct import_json_row row = {
        .settings = &settings, .doc = doc, .node = json_root(doc), .line = 1};
    for (size_t f = 0; f < FORMAT_COUNT; f++) {
        read_with(formats[f], &row);
    }
    return 0;
}
