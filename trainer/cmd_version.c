/* cmd_version.c - accord version: what this build is. */
#include "base/json_writer.h"
#include "base/scoped.h"
#include "trainer/command_table.h"
#include "trainer/run.h"
#include "trainer/version.h"

static void write_libraries(struct json_writer *w) {
    struct version_library libraries[VERSION_LIBRARY_COUNT];
    version_libraries(libraries);
    json_put_object_begin(w, "libraries");
    for (size_t i = 0; i < VERSION_LIBRARY_COUNT; i++) {
        json_put_string(w, libraries[i].name, libraries[i].version);
    }
    json_write_object_end(w);
}

static enum err_code build_json(struct strbuf *out, struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_string(&w, "version", version_text());
    json_put_string(&w, "git", version_git());
    json_put_string(&w, "compiler", version_compiler());
    json_put_string(&w, "build_type", version_build_type());
    write_libraries(&w);
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}

static void build_text(struct strbuf *out) {
    strbuf_addf(out, "accord %s (%s)\n", version_text(), version_git());
    strbuf_addf(out, "%s, %s\n", version_compiler(), version_build_type());
    struct version_library libraries[VERSION_LIBRARY_COUNT];
    version_libraries(libraries);
    for (size_t i = 0; i < VERSION_LIBRARY_COUNT; i++) {
        strbuf_addf(out, "%s%s %s", i > 0 ? ", " : "", libraries[i].name, libraries[i].version);
    }
    strbuf_add_char(out, '\n');
}

static enum err_code version_run(struct run *run, const struct command_args *args,
                                 struct error *err) {
    (void)args;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    if (run->output->json) {
        TRY(build_json(&text, err));
    } else {
        build_text(&text);
    }
    return output_text(run->output, &text, err);
}

static const struct command_example examples[] = {
    {"accord version --json", "for a program"},
    {NULL, NULL},
};

const struct command cmd_version = {
    .name = "version",
    .group = COMMAND_GROUP_HELP,
    .purpose = "say which accord this is, and what it was built with",
    .description = "The version of libtorch is not among the libraries, since only commands that "
                   "need tensors load it: 'accord doctor' asks it.",
    .examples = examples,
    .function = version_run,
};
