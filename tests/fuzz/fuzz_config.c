/* fuzz_config.c - a config file and assignments from anywhere: what is refused changes nothing, and
 * what is accepted is dumped so that it loads to the same.
 *
 * An input is lines as for --set, an empty line, and the text of a JSON file. */
#include "base/config_text.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/config_sample.h"

#include <string.h>

#define DUMP_BYTES_MAX ((size_t)64 * 1024 * 1024)

static void sample_scoped_end(struct sample_config *config) {
    config_deinit(&sample_table, config);
}

static void dump(const struct sample_config *config, struct strbuf *out) {
    struct error err = ERROR_INIT;
    strbuf_reset(out);
    FUZZ_CHECK(config_dump(&sample_table, config, out, &err) == ERR_OK);
}

/* After a change that returned `code`: refused with a message, it left everything as it was. */
static void check_outcome(enum err_code code, const struct error *err,
                          const struct sample_config *config, struct strbuf *before) {
    SCOPED(strbuf) struct strbuf after = STRBUF_INIT(DUMP_BYTES_MAX);
    dump(config, &after);
    if (code != ERR_OK) {
        FUZZ_CHECK(code == ERR_CONFIG && err->code == ERR_CONFIG && err->msg[0] != '\0');
        FUZZ_CHECK(strcmp(strbuf_text(before), strbuf_text(&after)) == 0);
    }
    dump(config, before);
}

static void apply_assignment(struct sample_config *config, const char *line, size_t count,
                             struct strbuf *dumped) {
    struct error err = ERROR_INIT;
    SCOPED(mem) char *assignment = mem_strndup(line, count);
    FUZZ_CHECK(assignment);
    enum err_code code = config_set(&sample_table, config, assignment, &err);
    check_outcome(code, &err, config, dumped);
}

/* Returns where the JSON text starts. */
static size_t apply_assignments(struct sample_config *config, const char *text, size_t count,
                                struct strbuf *dumped) {
    size_t at = 0;
    while (at < count && text[at] != '\n') {
        const char *end = memchr(text + at, '\n', count - at);
        size_t length = end ? (size_t)(end - (text + at)) : count - at;
        apply_assignment(config, text + at, length, dumped);
        at += length + (end ? 1 : 0);
    }
    return at < count ? at + 1 : at;
}

static void check_reload(const struct strbuf *dumped) {
    struct error err = ERROR_INIT;
    SCOPED(sample) struct sample_config loaded = {.steps = 0};
    FUZZ_CHECK(config_init(&sample_table, &loaded, &err) == ERR_OK);
    FUZZ_CHECK(config_apply_text(&sample_table, &loaded, "dump", strbuf_text(dumped),
                                 dumped->length, &err) == ERR_OK);
    SCOPED(strbuf) struct strbuf again = STRBUF_INIT(DUMP_BYTES_MAX);
    dump(&loaded, &again);
    FUZZ_CHECK(strcmp(strbuf_text(dumped), strbuf_text(&again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct error err = ERROR_INIT;
    const char *text = (const char *)bytes;
    SCOPED(sample) struct sample_config config = {.steps = 0};
    FUZZ_CHECK(config_init(&sample_table, &config, &err) == ERR_OK);
    SCOPED(strbuf) struct strbuf dumped = STRBUF_INIT(DUMP_BYTES_MAX);
    dump(&config, &dumped);
    size_t at = apply_assignments(&config, text, count, &dumped);
    enum err_code code =
        config_apply_text(&sample_table, &config, "config 'a.json'", text + at, count - at, &err);
    check_outcome(code, &err, &config, &dumped);
    check_reload(&dumped);
    return 0;
}
