/* cmd_backup.c - accord backup: a copy of the project file, taken while others use it. */
#include "base/file.h"
#include "base/json_writer.h"
#include "base/scoped.h"
#include "data/project.h"
#include "trainer/command_table.h"
#include "trainer/run.h"

static enum err_code print(struct run *run, const char *path, const char *copy, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    if (!run->output->json) {
        strbuf_add(&text, "copied ");
        output_add_visible_text(&text, path);
        strbuf_add(&text, " to ");
        output_add_visible_text(&text, copy);
        strbuf_add_char(&text, '\n');
        return output_text(run->output, &text, err);
    }
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_string(&w, "project", path);
    json_put_string(&w, "copy", copy);
    json_write_object_end(&w);
    TRY(json_writer_finish(&w, err));
    strbuf_add_char(&text, '\n');
    return output_text(run->output, &text, err);
}

static enum err_code backup_run(struct run *run, const struct command_args *args,
                                struct error *err) {
    const char *path = args->positionals[0];
    const char *copy = args->positionals[1];
    TRY(project_check_path(copy, err));
    if (file_exists(copy) && !command_args_has(args, "replace")) {
        return err_set(err, ERR_IO, "'%s' exists already: choose another name, or add --replace",
                       copy);
    }
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(path, DB_MODE_READ_ONLY, run->log, &db, err));
    log_info(run->log, "backup", "copying '%s'", path);
    TRY(db_copy(db, copy, err));
    return print(run, path, copy, err);
}

static const struct command_positional positionals[] = {
    {.name = "project.db", .kind = OPTION_FILE, .help = "the project file"},
    {.name = "copy", .kind = OPTION_FILE, .help = "the file to make"},
    {.name = NULL},
};

static const struct command_option options[] = {
    {.name = "replace", .kind = OPTION_FLAG, .help = "replace the copy if it exists"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord backup tea.db tea-monday.db", "a compact copy of the whole project"},
    {NULL, NULL},
};

const struct command cmd_backup = {
    .name = "backup",
    .group = COMMAND_GROUP_DATA,
    .purpose = "copy a project file, even while it is in use",
    .description =
        "The copy is what the project was at one moment, compact, and whole or not there. Copying "
        "the file by other means may miss what is still in the log beside it (-wal).",
    .options = options,
    .positionals = positionals,
    .examples = examples,
    .function = backup_run,
    .interrupt_notice = "stopping; a copy is whole or not there; again to stop at once\n",
};
