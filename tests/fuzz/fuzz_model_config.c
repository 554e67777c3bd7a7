/* fuzz_model_config.c - a config.json from anywhere: what is accepted is consistent, has a layout,
 * and is written so that it reads to the same. */
#include "base/json_writer.h"
#include "base/scoped.h"
#include "policy/model_config.h"
#include "policy/model_layout.h"
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

static void check_layout(const struct model_config *config) {
    const int64_t count = model_layout_count(config);
    const int64_t places[] = {0, count / 2, count - 1};
    FUZZ_CHECK(count > 0 && model_parameters(config) > 0);
    for (int i = 0; i < 3; i++) {
        struct model_tensor tensor = model_layout_at(config, places[i]);
        FUZZ_CHECK(model_layout_index(config, tensor.role, tensor.layer) == places[i]);
        FUZZ_CHECK(model_tensor_elements(&tensor) > 0);
    }
}

static void write(const struct model_config *config, struct strbuf *out) {
    struct error err = ERROR_INIT;
    struct json_writer w = JSON_WRITER_INIT(out, JSON_COMPACT);
    model_config_write_json(config, "float32", &w);
    FUZZ_CHECK(json_writer_finish(&w, &err) == ERR_OK);
}

/* Compared as text: two structs that write the same are the same model. */
static void check_rewriting(const struct model_config *config) {
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf first = STRBUF_INIT(1U << 16);
    SCOPED(strbuf) struct strbuf second = STRBUF_INIT(1U << 16);
    SCOPED(json) struct json *doc = NULL;
    struct model_config again;
    write(config, &first);
    FUZZ_CHECK(json_parse(first.bytes, first.length, "again", NULL, &doc, &err) == ERR_OK);
    FUZZ_CHECK(model_config_from_json(doc, &again, &err) == ERR_OK);
    write(&again, &second);
    FUZZ_CHECK(strcmp(strbuf_text(&first), strbuf_text(&second)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct error err = ERROR_INIT;
    SCOPED(json) struct json *doc = NULL;
    struct model_config config;
    if (json_parse((const char *)bytes, count, "fuzz", NULL, &doc, &err) != ERR_OK) {
        return 0;
    }
    if (model_config_from_json(doc, &config, &err) != ERR_OK) {
        FUZZ_CHECK(err.msg[0] != '\0');
        return 0;
    }
    check_layout(&config);
    check_rewriting(&config);
    (void)!model_config_read_generation(doc, &config, &err);
    return 0;
}
