/* cmd_init.c - accord init: a new project file. */
#include "base/file.h"
#include "base/json_writer.h"
#include "base/scoped.h"
#include "data/project.h"
#include "trainer/command_table.h"
#include "trainer/run.h"

static enum err_code print_json(struct run *run, const char *path, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_string(&w, "project", path);
    json_put_i64(&w, "version", project_schema()->step_count);
    json_write_object_end(&w);
    TRY(json_writer_finish(&w, err));
    strbuf_add_char(&text, '\n');
    return output_text(run->output, &text, err);
}

static enum err_code print_text(struct run *run, const char *path, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    SCOPED(strbuf) struct strbuf name = STRBUF_INIT(OUTPUT_BYTES_MAX);
    output_add_visible_text(&name, path);
    TRY(strbuf_check(&name, "output", err));
    const char *shown = strbuf_text(&name);
    strbuf_addf(&text,
                "made %s\n\n"
                "next:\n"
                "  accord import %s FILE...   read preferences into it\n"
                "  accord check %s            what is wrong with them\n"
                "  accord stats %s            what they say\n",
                shown, shown, shown, shown);
    return output_text(run->output, &text, err);
}

static enum err_code init_run(struct run *run, const struct command_args *args, struct error *err) {
    const char *path = args->positionals[0];
    if (file_exists(path)) {
        return err_set(err, ERR_IO,
                       "'%s' exists already, and is left as it is: choose another name, or remove "
                       "it first",
                       path);
    }
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(path, DB_MODE_CREATE, run->log, &db, err));
    return run->output->json ? print_json(run, path, err) : print_text(run, path, err);
}

static const struct command_positional positionals[] = {
    {.name = "project.db", .kind = OPTION_FILE, .help = "the file to make"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord init tea.db", "an empty project in the present folder"},
    {NULL, NULL},
};

const struct command cmd_init = {
    .name = "init",
    .group = COMMAND_GROUP_DATA,
    .purpose = "make a new project file",
    .description = "A project is one SQLite file that holds preferences, works, rewards and "
                   "everything computed from them. A file that exists is never overwritten.",
    .positionals = positionals,
    .examples = examples,
    .function = init_run,
};
