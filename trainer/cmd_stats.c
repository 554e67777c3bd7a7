/* cmd_stats.c - accord stats: what a log of preferences says, before any model is trained. */
#include "base/json_writer.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/aspect_list.h"
#include "data/comparison_set.h"
#include "data/project.h"
#include "data/stats.h"
#include "data/stats_counts.h"
#include "data/stats_ratings.h"
#include "reward/bt_test.h"
#include "trainer/command_table.h"
#include "trainer/run.h"
#include "trainer/stats_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FILTER_BYTES 256
#define EVERYTHING   INT64_MAX

/* Bootstraps of ratings, one pair of streams after the other. */
#define STREAM_RATINGS 2000

/* One asking: what is wanted, and where the answer grows. */
struct asking {
    struct run *run;
    struct db *db;
    struct comparison_set_options options;
    char filter[FILTER_BYTES];
    struct stats_page page;
    struct strbuf *out;
    struct json_writer *json; /* NULL: text */
    struct progress progress;
    int64_t steps;
    int64_t answers; /* parts of the log that fit what is asked for */
};

static void step_done(struct asking *a) {
    progress_update(&a->progress, ++a->steps);
}

/* ---- options ---- */

static void describe_filter(struct asking *a) {
    const struct comparison_set_options *o = &a->options;
    char population[96];
    const char *split = o->one_split ? split_name(o->split) : "";
    (void)snprintf(a->filter, sizeof a->filter, "%s%s%s%s%s%s", o->one_split ? "split " : "", split,
                   o->one_split && o->population ? ", " : "", o->population ? "population '" : "",
                   o->population ? utf8_visible(o->population, strlen(o->population), population,
                                                sizeof population)
                                 : "",
                   o->population ? "'" : "");
}

static int64_t rows_wanted(const struct asking *a, const struct command_args *args,
                           const char *name) {
    bool all = a->run->output->json && !command_args_has(args, name);
    return all ? EVERYTHING : command_args_integer(args, name);
}

static void read_options(struct asking *a, const struct command_args *args) {
    const char *split = command_args_text(args, "split");
    for (int s = 0; split && s < SPLIT_COUNT; s++) {
        if (strcmp(split, split_name((enum split)s)) == 0) {
            a->options.one_split = true;
            a->options.split = (enum split)s;
        }
    }
    a->options.population = command_args_text(args, "population");
    a->options.aspect = command_args_text(args, "aspect");
    a->options.from = command_args_has(args, "from-ratings") ? COMPARISON_FROM_RATINGS
                                                             : COMPARISON_FROM_COMPARISONS;
    describe_filter(a);
    a->page.path = args->positionals[0];
    a->page.filter = a->filter;
    a->page.bold = a->run->output->bold;
    a->page.seed = a->run->settings->seed;
    a->page.annotators_max = rows_wanted(a, args, "annotators");
    a->page.sources_max = rows_wanted(a, args, "sources");
}

/* ---- comparisons ---- */

static enum err_code add_judged(struct asking *a, const char *aspect, struct error *err) {
    struct comparison_set_options options = a->options;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(stats) struct stats stats = STATS_INIT;
    struct bt_test fit;
    options.aspect = aspect;
    a->answers++;
    if (err_wrap(err, comparison_set_load(a->db, &options, &set, err), "'%s'%s%s", a->page.path,
                 a->filter[0] ? ", " : "", a->filter)) {
        return err->code;
    }
    step_done(a);
    TRY(stats_load(a->db, &set, a->page.seed, &stats, err));
    step_done(a);
    TRY(bt_test_run(&set, &(struct bt_test_options){.seed = a->page.seed}, &fit, err));
    step_done(a);
    const struct stats_judged judged = {.aspect = aspect,
                                        .from_ratings = options.from == COMPARISON_FROM_RATINGS,
                                        .stats = &stats,
                                        .fit = &fit};
    if (a->json) {
        stats_json_judged(&a->page, &judged, a->json);
    } else {
        stats_print_judged(&a->page, &judged, a->out);
    }
    return ERR_OK;
}

static bool is_wanted(const struct asking *a, const char *aspect) {
    return !a->options.aspect || strcmp(aspect ? aspect : ASPECT_NONE, a->options.aspect) == 0;
}

/* Each aspect by itself, and by themselves the rows that name none. */
static enum err_code add_comparisons(struct asking *a, struct error *err) {
    bool ratings = a->options.from == COMPARISON_FROM_RATINGS;
    SCOPED(aspect_list) struct aspect_list aspects = ASPECT_LIST_INIT;
    TRY(aspect_list_load(a->db, ratings ? ASPECTS_OF_RATINGS : ASPECTS_OF_COMPARISONS, &aspects,
                         err));
    for (int64_t i = 0; i < aspects.count; i++) {
        const char *aspect = aspects.items[i].name;
        bool unnamed = aspects.count > 1 && !aspect;
        if (is_wanted(a, aspect)) {
            TRY(add_judged(a, unnamed ? ASPECT_NONE : aspect, err));
        }
    }
    return ERR_OK;
}

/* ---- ratings and labels ---- */

static enum err_code add_rated(struct asking *a, const char *aspect, bool labels, int64_t stream,
                               struct error *err) {
    const struct stats_ratings_options options = {
        .labels = labels,
        .aspect = aspect,
        .population = a->options.population,
        .one_split = a->options.one_split,
        .split = a->options.split,
        .seed = a->page.seed,
        .stream = STREAM_RATINGS + stream,
    };
    struct stats_ratings ratings;
    a->answers++;
    TRY(stats_ratings_load(a->db, &options, &ratings, err));
    step_done(a);
    const struct stats_rated rated = {.aspect = aspect, .labels = labels, .ratings = &ratings};
    if (a->json) {
        stats_json_rated(&rated, a->json);
    } else {
        stats_print_rated(&a->page, &rated, a->out);
    }
    return ERR_OK;
}

static enum err_code add_ratings(struct asking *a, bool labels, struct error *err) {
    SCOPED(aspect_list) struct aspect_list aspects = ASPECT_LIST_INIT;
    TRY(aspect_list_load(a->db, labels ? ASPECTS_OF_LABELS : ASPECTS_OF_RATINGS, &aspects, err));
    for (int64_t i = 0; i < aspects.count; i++) {
        if (is_wanted(a, aspects.items[i].name)) {
            TRY(add_rated(a, aspects.items[i].name, labels, 2 * i + labels, err));
        }
    }
    return ERR_OK;
}

/* ---- all of it ---- */

static enum err_code answer_text(struct asking *a, struct error *err) {
    stats_print_counts(&a->page, a->out);
    TRY(add_comparisons(a, err));
    TRY(add_ratings(a, false, err));
    return add_ratings(a, true, err);
}

static enum err_code add_object(struct asking *a, struct error *err) {
    struct json_writer *w = a->json;
    json_write_object_begin(w);
    json_put_u64(w, "seed", a->page.seed);
    stats_json_counts(a->page.counts, w);
    json_put_array_begin(w, "comparisons");
    TRY(add_comparisons(a, err));
    json_write_array_end(w);
    json_put_array_begin(w, "ratings");
    TRY(add_ratings(a, false, err));
    json_write_array_end(w);
    json_put_array_begin(w, "labels");
    TRY(add_ratings(a, true, err));
    json_write_array_end(w);
    json_write_object_end(w);
    return ERR_OK;
}

static enum err_code answer_json(struct asking *a, struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(a->out, JSON_INDENTED);
    a->json = &w;
    enum err_code code = add_object(a, err);
    a->json = NULL;
    TRY(code);
    strbuf_add_char(a->out, '\n');
    return json_writer_finish(&w, err);
}

static inline void asking_scoped_end(struct asking *a) {
    progress_close(&a->progress);
}

static enum err_code stats_run(struct run *run, const struct command_args *args,
                               struct error *err) {
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(args->positionals[0], DB_MODE_READ_ONLY, run->log, &db, err));
    SCOPED(db_tx) struct db_tx snapshot = DB_TX_INIT;
    TRY(db_tx_open(db, &snapshot, err));
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(OUTPUT_BYTES_MAX);
    struct stats_counts counts;
    SCOPED(asking) struct asking a = {.run = run, .db = db, .out = &out};
    read_options(&a, args);
    run_progress_open(run, "stats", "steps", PROGRESS_TOTAL_UNKNOWN, &a.progress);
    TRY(stats_counts_load(db, &counts, err));
    step_done(&a);
    a.page.counts = &counts;
    TRY(run->output->json ? answer_json(&a, err) : answer_text(&a, err));
    progress_close(&a.progress);
    if (a.answers == 0 && (a.options.aspect || a.options.from == COMPARISON_FROM_RATINGS)) {
        return err_set(err, ERR_DATA, "'%s': %s%s%s", a.page.path,
                       a.options.aspect ? "nothing is judged in aspect '" : "there are no ratings",
                       a.options.aspect ? a.options.aspect : "",
                       a.options.aspect ? "'; without --aspect all are shown" : "");
    }
    return output_text(run->output, &out, err);
}

static const char *const split_choices[] = {
#define SPLIT_CHOICE(name, text) text,
    SPLITS(SPLIT_CHOICE)
#undef SPLIT_CHOICE
        NULL,
};

static const struct command_option options[] = {
    {.name = "aspect",
     .kind = OPTION_TEXT,
     .metavar = "NAME",
     .help = "only what was judged in this respect"},
    {.name = "population",
     .kind = OPTION_TEXT,
     .metavar = "NAME",
     .help = "only annotators of this population"},
    {.name = "split", .kind = OPTION_CHOICE, .choices = split_choices, .help = "only its prompts"},
    {.name = "from-ratings",
     .kind = OPTION_FLAG,
     .help = "take what one annotator gave the responses to a prompt as a ranking"},
    {.name = "annotators",
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .default_text = "10",
     .min = 0,
     .max = 1e9,
     .help = "rows in the table of annotators and of populations; all with --json"},
    {.name = "sources",
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .default_text = "10",
     .min = 0,
     .max = 1e9,
     .help = "rows in the table of sources; all with --json"},
    {.name = NULL},
};

static const struct command_positional positionals[] = {
    {.name = "project.db", .kind = OPTION_FILE, .help = "the project file"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord stats tea.db", "all of it"},
    {"accord stats tea.db --split train --annotators 50", "only what will be trained on"},
    {"accord stats tea.db --json", "every number, for a program"},
    {NULL, NULL},
};

const struct command cmd_stats = {
    .name = "stats",
    .group = COMMAND_GROUP_DATA,
    .purpose = "say what the preferences say: ties, biases, agreement, cycles",
    .description =
        "Counts what the project file holds, and how people judged: ties, whether the answer shown "
        "first or the longer one wins, how far annotators agree (raw, and Krippendorff's alpha), "
        "whether judgements run in circles, and whether one number per response could explain "
        "them (the G2 test of Bradley-Terry).\n\n"
        "Intervals are 95 %. Those of rates are Wilson's, with judgements on one prompt taken as "
        "related; others are bootstraps, which follow from --seed. Rows of a weight count so "
        "often, but agreement counts named annotators once.",
    .options = options,
    .positionals = positionals,
    .examples = examples,
    .function = stats_run,
};
