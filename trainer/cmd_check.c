/* cmd_check.c - accord check: what is wrong with the preferences, before training. */
#include "base/scoped.h"
#include "base/suggest.h"
#include "base/utf8.h"
#include "data/check.h"
#include "data/project.h"
#include "trainer/check_print.h"
#include "trainer/command_table.h"
#include "trainer/run.h"

#include <string.h>

#define NS_PER_MS 1000000

static enum err_code refuse_finding(const char *word, size_t length, struct error *err) {
    const char *keys[CHECK_FINDING_COUNT];
    char text[SUGGEST_BYTES_MAX + 1];
    char excerpt[UTF8_EXCERPT_BYTES];
    for (int f = 0; f < CHECK_FINDING_COUNT; f++) {
        keys[f] = check_table[f].key;
    }
    size_t kept = length < sizeof text ? length : sizeof text - 1;
    memcpy(text, word, kept);
    text[kept] = '\0';
    const char *nearest = suggest_nearest(text, keys, CHECK_FINDING_COUNT);
    return err_set(err, ERR_USAGE, "--only: there is no finding '%s'%s%s%s",
                   utf8_excerpt(word, length, excerpt), nearest ? ", did you mean '" : "",
                   nearest ? nearest : ": 'accord check --help' lists them", nearest ? "'?" : "");
}

/* One value of --only: keys parted by commas. */
static enum err_code read_only(const char *list, struct check_options *options, struct error *err) {
    while (*list) {
        size_t length = strcspn(list, ",");
        int found = 0;
        while (found < CHECK_FINDING_COUNT && (strlen(check_table[found].key) != length ||
                                               memcmp(check_table[found].key, list, length) != 0)) {
            found++;
        }
        if (found == CHECK_FINDING_COUNT) {
            return refuse_finding(list, length, err);
        }
        options->some_only = true;
        options->only[found] = true;
        list += length + (list[length] == ',');
    }
    return ERR_OK;
}

static enum err_code read_options(const struct run *run, const struct command_args *args,
                                  struct check_options *options, struct error *err) {
    options->near_threshold = command_args_real(args, "near");
    options->long_bytes = command_args_integer(args, "long-bytes");
    options->examples = command_args_integer(args, "examples");
    options->now_ms = clock_wall_ns(&run->clock) / NS_PER_MS;
    const char *list = NULL;
    for (int64_t n = 0; (list = command_args_repeated(args, "only", n)) != NULL; n++) {
        TRY(read_only(list, options, err));
    }
    return ERR_OK;
}

static enum err_code look(struct run *run, struct db *db, struct check_options *options,
                          struct check_report *report, struct error *err) {
    SCOPED(progress) struct progress progress = {.open = false};
    int64_t rows = 0;
    TRY(check_rows(db, &rows, err));
    run_progress_open(run, "check", "rows", rows, &progress);
    options->progress = &progress;
    enum err_code code = check_run(db, options, report, err);
    options->progress = NULL;
    TRY(code);
    progress_finish(&progress);
    return ERR_OK;
}

static enum err_code print(struct run *run, const char *path, const struct check_options *options,
                           const struct check_report *report, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    const struct check_print page = {
        .path = path, .options = options, .report = report, .bold = run->output->bold};
    if (run->output->json) {
        TRY(check_print_json(&page, &text, err));
    } else {
        check_print_text(&page, &text);
    }
    return output_text(run->output, &text, err);
}

static enum err_code check_command(struct run *run, const struct command_args *args,
                                   struct error *err) {
    const char *path = args->positionals[0];
    struct check_options options = CHECK_OPTIONS_DEFAULT;
    TRY(read_options(run, args, &options, err));
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(path, DB_MODE_READ_ONLY, run->log, &db, err));
    if (!command_args_has(args, "no-integrity")) {
        TRY(db_check_integrity(db, err));
    }
    SCOPED(check_report) struct check_report report = CHECK_REPORT_INIT;
    TRY(look(run, db, &options, &report, err));
    TRY(print(run, path, &options, &report, err));
    char summary[CHECK_PRINT_SUMMARY_BYTES];
    check_print_summary(&report, summary);
    if (command_args_has(args, "strict") && summary[0]) {
        return err_set(err, ERR_DATA, "--strict: '%s' has %s; without it they are only shown", path,
                       summary);
    }
    return ERR_OK;
}

static const struct command_positional positionals[] = {
    {.name = "project.db", .kind = OPTION_FILE, .help = "the project file"},
    {.name = NULL},
};

static const struct command_option options[] = {
    {.name = "strict",
     .kind = OPTION_FLAG,
     .help = "exit with status 3 if there is any error or warning"},
    {.name = "only",
     .repeatable = true,
     .kind = OPTION_TEXT,
     .metavar = "FINDING,...",
     .help = "look only for these, by the names that the report shows"},
    {.name = "examples",
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .default_text = "3",
     .min = 0,
     .max = CHECK_EXAMPLES_MAX,
     .help = "examples of each finding"},
    {.name = "near",
     .kind = OPTION_REAL,
     .metavar = "J",
     .default_text = "0.8",
     .min = 0.3,
     .max = 1.0,
     .help = "Jaccard index from which two texts are near duplicates"},
    {.name = "long-bytes",
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .default_text = "16384",
     .min = 1,
     .max = 9e15,
     .help = "bytes of a prompt and its answer beyond which they are very long"},
    {.name = "no-integrity",
     .kind = OPTION_FLAG,
     .help = "do not read every page of the file first, looking for damage"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord check tea.db", "everything, with three examples of each finding"},
    {"accord check tea.db --strict --json", "for a program that must not train on bad data"},
    {"accord check tea.db --only split-leak,near-leak --examples 20", "leaks alone, in detail"},
    {NULL, NULL},
};

#define FINDING_KEY(name, key, severity, unit, title, effect, remedy) " " key

const struct command cmd_check = {
    .name = "check",
    .group = COMMAND_GROUP_DATA,
    .purpose = "find what is wrong with the preferences, before training",
    .description =
        "Each finding has a count, examples with file and line, what it would do to training, and "
        "the remedy. Errors cannot be right, warnings are probably not meant, notes are good to "
        "know. Nothing is changed.\n\n"
        "Texts are near duplicates when their shingles, three words in a row without regard to "
        "case and punctuation, have a Jaccard index of at least --near; candidates come from "
        "MinHash sketches and every one shown is verified. Which prompts are for testing follows "
        "from their text alone.\n\n"
        "Looked for:" CHECK_FINDINGS(FINDING_KEY) ".",
    .options = options,
    .positionals = positionals,
    .examples = examples,
    .function = check_command,
};
