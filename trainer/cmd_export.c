/* cmd_export.c - accord export: the log of preferences, for other programs. */
#include "base/file_atomic.h"
#include "base/interrupt.h"
#include "base/json_writer.h"
#include "base/scoped.h"
#include "data/export.h"
#include "data/project.h"
#include "trainer/command_table.h"
#include "trainer/output_path.h"
#include "trainer/run.h"

#include <inttypes.h>
#include <string.h>

#define CHUNK_BYTES (1 * MIB)

/* ---- where it goes ---- */

struct target {
    struct run *run;
    const char *path;        /* NULL: standard output */
    struct file_atomic file; /* open if there is a path */
    struct strbuf chunk;     /* else: what is not yet on standard output */
    struct progress progress;
    int64_t rows;
};

static inline void target_scoped_end(struct target *target) {
    progress_close(&target->progress);
    file_atomic_close(&target->file);
    strbuf_deinit(&target->chunk);
}

static enum err_code flush(struct target *target, struct error *err) {
    TRY(output_rows(target->run->output, &target->chunk, err));
    strbuf_reset(&target->chunk);
    return ERR_OK;
}

static enum err_code write_row(void *context, const char *bytes, size_t count, struct error *err) {
    struct target *target = context;
    if (interrupt_requested()) {
        return err_set(err, ERR_INTERRUPTED, "interrupted after %" PRId64 " rows", target->rows);
    }
    progress_update(&target->progress, ++target->rows);
    if (target->path) {
        return file_atomic_write(&target->file, bytes, count, err);
    }
    strbuf_add_bytes(&target->chunk, bytes, count);
    return target->chunk.length >= CHUNK_BYTES ? flush(target, err) : ERR_OK;
}

/* With a file, standard output is for what was done. */
static enum err_code report(struct target *target, const struct export_summary *summary,
                            struct error *err) {
    struct strbuf *text = &target->chunk;
    if (!target->run->output->json) {
        strbuf_addf(text, "wrote %" PRId64 " rows to ", summary->rows);
        output_add_visible_text(text, target->path);
        strbuf_add_char(text, '\n');
        return output_text(target->run->output, text, err);
    }
    struct json_writer w = JSON_WRITER_INIT(text, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_string(&w, "file", target->path);
    json_put_i64(&w, "rows", summary->rows);
    json_put_i64(&w, "left_out", summary->left_out);
    json_write_object_end(&w);
    TRY(json_writer_finish(&w, err));
    strbuf_add_char(text, '\n');
    return output_text(target->run->output, text, err);
}

static enum err_code finish(struct target *target, const struct export_summary *summary,
                            struct error *err) {
    if (!target->path) {
        TRY(flush(target, err));
        progress_finish(&target->progress);
        return ERR_OK;
    }
    TRY(file_atomic_commit(&target->file, err));
    progress_finish(&target->progress);
    return report(target, summary, err);
}

/* ---- what is asked for ---- */

#define KIND_WORKS "works"
#define KIND_PAIRS "pairs"

static const char *const layouts[] = {
#define LAYOUT_TEXT(name, text) (text),
    EXPORT_LAYOUTS(LAYOUT_TEXT)
#undef LAYOUT_TEXT
        NULL};

static const char *const kinds[] = {
#define KIND_TEXT(name, text, plural) (plural),
    PREFERENCE_KINDS(KIND_TEXT)
#undef KIND_TEXT
        KIND_PAIRS,
    KIND_WORKS, NULL};

static const char *const splits[] = {
#define SPLIT_TEXT(name, text) (text),
    SPLITS(SPLIT_TEXT)
#undef SPLIT_TEXT
        NULL};

/* Place of `text`, which is one of `choices`; -1 if it was not given. */
static int choice_of(const char *text, const char *const *choices) {
    for (int i = 0; text && choices[i]; i++) {
        if (strcmp(text, choices[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static void read_options(const struct command_args *args, struct export_options *out) {
    const char *kind_text = command_args_text(args, "kind");
    int kind = choice_of(kind_text, kinds);
    int split = choice_of(command_args_text(args, "split"), splits);
    *out = (struct export_options){
        .layout = (enum export_layout)choice_of(command_args_text(args, "format"), layouts),
        .filter = {.kinds = kind >= 0 && kind < PREFERENCE_KIND_COUNT ? UINT32_C(1) << kind : 0,
                   .one_split = split >= 0,
                   .split = split >= 0 ? (enum split)split : SPLIT_TRAIN,
                   .aspect = command_args_text(args, "aspect"),
                   .population = command_args_text(args, "population"),
                   .topic = command_args_text(args, "topic")},
        .pairs_only = kind_text && strcmp(kind_text, KIND_PAIRS) == 0,
    };
    if (out->layout == EXPORT_CSV && !kind_text) { /* a table is of one kind: what most logs hold */
        out->filter.kinds = UINT32_C(1) << PREFERENCE_COMPARISON;
    }
    if (out->pairs_only) {
        out->filter.kinds = UINT32_C(1) << PREFERENCE_COMPARISON;
    }
}

/* Of works there are no splits, topics and so on. */
static enum err_code check_works(const struct command_args *args, struct error *err) {
    static const char *const others[] = {"split", "aspect", "population", "topic"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (command_args_has(args, others[i])) {
            return err_set(err, ERR_USAGE, "--%s does not go with --kind " KIND_WORKS, others[i]);
        }
    }
    return ERR_OK;
}

/* ---- doing it ---- */

static enum err_code export_to(struct target *target, struct db *db, bool works,
                               const struct export_options *options, struct error *err) {
    const struct export_sink sink = {write_row, target};
    struct export_summary summary = {.rows = 0};
    TRY(works ? export_works(db, options, &sink, &summary, err)
              : export_log(db, options, &sink, &summary, err));
    TRY(finish(target, &summary, err));
    if (summary.left_out > 0) {
        log_warn(target->run->log, "export",
                 "left out %" PRId64 " comparisons that are no pairs of a chosen and a rejected "
                 "response; --kind comparisons has them",
                 summary.left_out);
    }
    return ERR_OK;
}

static enum err_code export_run(struct run *run, const struct command_args *args,
                                struct error *err) {
    const char *kind = command_args_text(args, "kind");
    bool works = kind && strcmp(kind, KIND_WORKS) == 0;
    struct export_options options;
    read_options(args, &options);
    if (works) {
        TRY(check_works(args, err));
    }
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(args->positionals[0], DB_MODE_READ_ONLY, run->log, &db, err));
    SCOPED(target)
    struct target target = {.run = run,
                            .path = command_args_text(args, "output"),
                            .file = FILE_ATOMIC_INIT,
                            .chunk = STRBUF_INIT(OUTPUT_BYTES_MAX)};
    if (target.path) {
        TRY(output_path_check("--output", target.path, args->positionals[0], err));
        TRY(file_atomic_open(target.path, &target.file, err));
    }
    run_progress_open(run, "export", "rows", PROGRESS_TOTAL_UNKNOWN, &target.progress);
    return export_to(&target, db, works, &options, err);
}

/* ---- table ---- */

static const struct command_positional positionals[] = {
    {.name = "project.db", .kind = OPTION_FILE, .help = "the project file"},
    {.name = NULL},
};

static const struct command_option options[] = {
    {.name = "format",
     .short_name = 'f',
     .kind = OPTION_CHOICE,
     .choices = layouts,
     .default_text = "trl",
     .help = "trl: JSON lines, which TRL trains on and import reads back as they were; csv: a "
             "table of one kind, for spreadsheets"},
    {.name = "kind",
     .short_name = 'k',
     .kind = OPTION_CHOICE,
     .choices = kinds,
     .help = "only these; pairs are comparisons without ties and rankings, as DPO wants them"},
    {.name = "split",
     .kind = OPTION_CHOICE,
     .choices = splits,
     .help = "only prompts of this part of the data"},
    {.name = "aspect",
     .kind = OPTION_TEXT,
     .metavar = "NAME",
     .help = "only judgements of this aspect"},
    {.name = "population",
     .kind = OPTION_TEXT,
     .metavar = "NAME",
     .help = "only judgements by annotators of this population"},
    {.name = "topic", .kind = OPTION_TEXT, .metavar = "NAME", .help = "only prompts of this topic"},
    {.name = "output",
     .short_name = 'o',
     .kind = OPTION_FILE,
     .metavar = "FILE",
     .help = "write to this file, which is then whole or as it was; else to standard output"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord export tea.db -o tea.jsonl", "all judgements; accord import reads them back"},
    {"accord export tea.db --kind pairs --split train -o train.jsonl", "what TRL's DPO trains on"},
    {"accord export tea.db --format csv --kind ratings", "a table for a spreadsheet"},
    {NULL, NULL},
};

const struct command cmd_export = {
    .name = "export",
    .group = COMMAND_GROUP_DATA,
    .purpose = "write preferences, ratings and works for other programs",
    .description =
        "Without --kind, all judgements are written: comparisons, ratings, labels, demonstrations, "
        "prompts, each in the order in which they came; as a table, the comparisons. Ties and "
        "rankings are JSON rows of accord's own: --kind pairs leaves them out.\n\n"
        "Importing JSON lines that were exported gives the same log again. A table says less: of "
        "two texts the first is taken to have been shown first. Its cells hold the texts as they "
        "are, so that they can be read back: a spreadsheet should import them as text, since it "
        "runs those that begin with = + - or @.",
    .options = options,
    .positionals = positionals,
    .examples = examples,
    .function = export_run,
    .interrupt_notice = "stopping, and writing no more; again to stop at once\n",
};
