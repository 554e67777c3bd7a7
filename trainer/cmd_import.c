/* cmd_import.c - accord import: preferences, works and their owners, into the project file. */
#include "base/mem.h"
#include "base/scoped.h"
#include "data/import.h"
#include "data/project.h"
#include "data/table_layout.h"
#include "trainer/command_table.h"
#include "trainer/import_print.h"
#include "trainer/output_path.h"
#include "trainer/run.h"

#include <string.h>

#define BYTES_PER_MB 1000000

/* ---- the command line ---- */

/* Roles and columns point into `texts`. */
struct mapping {
    struct import_map_entry *entries; /* [count] owned */
    char **texts;                     /* [count] owned */
    int64_t count;
};

static void mapping_deinit(struct mapping *mapping) {
    for (int64_t i = 0; i < mapping->count; i++) {
        mem_free(mapping->texts[i]);
    }
    mem_free(mapping->texts);
    mem_free(mapping->entries);
    *mapping = (struct mapping){.count = 0};
}

static inline void mapping_scoped_end(struct mapping *mapping) {
    mapping_deinit(mapping);
}

/* "chosen=better" */
static enum err_code add_entry(struct mapping *mapping, const char *text, struct error *err) {
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        return err_set(err, ERR_USAGE, "--map = '%s' is not of the form ROLE=COLUMN", text);
    }
    char *copy = mem_strdup(text);
    if (!copy) {
        return err_oom(err, "a mapping");
    }
    copy[equals - text] = '\0';
    mapping->texts[mapping->count] = copy;
    mapping->entries[mapping->count++] =
        (struct import_map_entry){.role = copy, .column = copy + (equals - text) + 1};
    return ERR_OK;
}

static enum err_code read_mapping(const struct command_args *args, struct mapping *mapping,
                                  struct error *err) {
    int64_t count = 0;
    while (command_args_repeated(args, "map", count)) {
        count++;
    }
    mapping->entries = mem_array((size_t)count, sizeof *mapping->entries);
    mapping->texts = mem_array((size_t)count, sizeof *mapping->texts);
    if (!mapping->entries || !mapping->texts) {
        return err_oom(err, "a mapping");
    }
    for (int64_t i = 0; i < count; i++) {
        TRY(add_entry(mapping, command_args_repeated(args, "map", i), err));
    }
    return ERR_OK;
}

/* "auto" is no format of its own. */
static const char *read_format(const struct command_args *args) {
    const char *format = command_args_text(args, "format");
    return strcmp(format, "auto") == 0 ? NULL : format;
}

/* ---- doing it ---- */

/* The progress begins with the first word from the import, which knows how much there is. */
struct meter {
    struct run *run;
    struct progress progress;
    bool is_open;
};

static void show(void *context, int64_t done, int64_t total) {
    struct meter *meter = context;
    if (!meter->is_open) {
        bool is_known = total != IMPORT_TOTAL_UNKNOWN;
        int64_t total_mb = total < BYTES_PER_MB ? 1 : total / BYTES_PER_MB;
        run_progress_open(meter->run, "import", "MB", is_known ? total_mb : PROGRESS_TOTAL_UNKNOWN,
                          &meter->progress);
        meter->is_open = true;
    }
    progress_update(&meter->progress, done / BYTES_PER_MB);
}

static enum err_code import_showing(struct run *run, struct db *db, struct import_options *options,
                                    struct import_report *report, struct error *err) {
    struct meter meter = {.run = run, .is_open = false};
    options->on_progress = show;
    options->context = &meter;
    enum err_code code = import_files(db, options, report, err);
    if (meter.is_open && code == ERR_OK) {
        progress_finish(&meter.progress);
    } else if (meter.is_open) {
        progress_close(&meter.progress);
    }
    return code;
}

static enum err_code print(struct run *run, const struct import_print *page, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    if (run->output->json) {
        TRY(import_print_json(page, &text, err));
    } else {
        import_print_text(page, &text);
    }
    return output_text(run->output, &text, err);
}

static enum err_code import_run(struct run *run, const struct command_args *args,
                                struct error *err) {
    SCOPED(mapping) struct mapping mapping = {.count = 0};
    TRY(read_mapping(args, &mapping, err));
    struct import_options options = {
        .paths = args->positionals + 1,
        .path_count = args->positional_count - 1,
        .format = read_format(args),
        .settings = {.map = mapping.entries,
                     .map_count = mapping.count,
                     .texts = command_args_text(args, "texts"),
                     .name = command_args_text(args, "name"),
                     .prompt = command_args_text(args, "prompt"),
                     .topic = command_args_text(args, "topic"),
                     .prefer = command_args_text(args, "prefer")},
        .skip_bad = command_args_text(args, "skip-bad"),
        .dry_run = command_args_has(args, "dry-run"),
        .now_ms = clock_wall_ns(&run->clock) / CLOCK_NS_PER_MS,
    };
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(args->positionals[0], DB_MODE_WRITE, run->log, &db, err));
    if (options.skip_bad) {
        TRY(output_path_check("--skip-bad", options.skip_bad, args->positionals[0], err));
    }
    SCOPED(import_report) struct import_report report = IMPORT_REPORT_INIT;
    int64_t start_ns = clock_monotonic_ns(&run->clock);
    TRY(import_showing(run, db, &options, &report, err));
    const struct import_print page = {
        .project = args->positionals[0],
        .report = &report,
        .skip_bad = options.skip_bad,
        .dry_run = options.dry_run,
        .seconds = (double)(clock_monotonic_ns(&run->clock) - start_ns) * 1e-9,
    };
    return print(run, &page, err);
}

/* ---- table ---- */

static bool format_entry(int64_t index, const char **out_name, const char **out_help) {
    int64_t count = 0;
    const struct import_format *const *formats = import_formats(&count);
    if (index >= count) {
        return false;
    }
    *out_name = formats[index]->name;
    *out_help = formats[index]->title;
    return true;
}

static bool role_entry(int64_t index, const char **out_name, const char **out_help) {
    if (index >= TABLE_ROLE_COUNT) {
        return false;
    }
    *out_name = table_role_word((enum table_role)index);
    *out_help = table_role_meaning((enum table_role)index);
    return true;
}

static const struct command_list lists[] = {
    {.title = "Formats", .entry = format_entry},
    {.title = "Roles of columns (--map)", .entry = role_entry},
    {.title = NULL},
};

static const struct command_positional positionals[] = {
    {.name = "project.db", .kind = OPTION_FILE, .help = "the project file, made by accord init"},
    {.name = "file",
     .repeatable = true,
     .kind = OPTION_FILE,
     .help = "what to import, plain or gzip; a folder where the format knows some; - for standard "
             "input"},
    {.name = NULL},
};

static const char *const preferences[] = {"better", "safer", NULL};

static const struct command_option options[] = {
    {.name = "format",
     .short_name = 'f',
     .kind = OPTION_TEXT,
     .metavar = "NAME",
     .default_text = "auto",
     .help = "one of the formats below; auto recognises it for each file, and says by what"},
    {.name = "map",
     .short_name = 'm',
     .repeatable = true,
     .kind = OPTION_TEXT,
     .metavar = "ROLE=COLUMN",
     .help = "which column or key plays one of the roles below, such as chosen=answer_w"},
    {.name = "texts",
     .kind = OPTION_FILE,
     .metavar = "FILE",
     .help = "the rows hold ids, and this file the texts: JSON lines or a table with id and text"},
    {.name = "name",
     .kind = OPTION_TEXT,
     .metavar = "SET",
     .help = "name of the set, where items are compared without a prompt; else the file's name"},
    {.name = "prompt",
     .kind = OPTION_TEXT,
     .metavar = "TEXT",
     .help = "the prompt of rows that have none"},
    {.name = "topic",
     .kind = OPTION_TEXT,
     .metavar = "TEXT",
     .help = "the topic of rows that have none"},
    {.name = "prefer",
     .kind = OPTION_CHOICE,
     .choices = preferences,
     .help = "which judgement counts where a row has both"},
    {.name = "skip-bad",
     .kind = OPTION_FILE,
     .metavar = "FILE",
     .help = "leave out rows that are wrong, and write them to this file, each with the reason; "
             "else the first one stops the import"},
    {.name = "dry-run", .kind = OPTION_FLAG, .help = "read and check everything, and keep nothing"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord import tea.db pairs.jsonl.gz",
     "the format is recognised, and the output says by what"},
    {"accord import tea.db shards/*.jsonl --skip-bad bad.jsonl",
     "all files or none; rows that are wrong are left out, with the reasons in bad.jsonl"},
    {"accord import tea.db answers.csv --map chosen=answer_w --map rejected=answer_l",
     "a table with column names of its own"},
    {"accord import tea.db votes.tsv --texts arguments.jsonl", "votes on texts that have ids"},
    {"zcat pairs.jsonl.gz | accord import tea.db - --dry-run", "would it work, and what comes in?"},
    {NULL, NULL},
};

const struct command cmd_import = {
    .name = "import",
    .group = COMMAND_GROUP_DATA,
    .purpose = "read preferences, ratings and works into the project file",
    .description =
        "Files are read row by row, whatever their size, and all of them come in together or not "
        "at all: after an error, an interruption or a crash the project is as before. A file that "
        "was imported before, with the same format and mapping, is passed over.\n\n"
        "A row that is wrong is named by file, line and column, and stops the import with status "
        "3, unless --skip-bad is given. No row may be longer than 64 MiB.",
    .options = options,
    .positionals = positionals,
    .lists = lists,
    .examples = examples,
    .function = import_run,
    .interrupt_notice = "stopping; an import is kept whole or not at all; again to stop at once\n",
};
