/* cmd_reward_fit.c - accord reward fit: rewards from comparisons, into the project file. */
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/project.h"
#include "reward/tabular_store.h"
#include "trainer/cmd_reward.h"
#include "trainer/lm_module.h"
#include "trainer/reward_fit_config.h"
#include "trainer/reward_report.h"

#include <inttypes.h>
#include <string.h>

#define POPULATIONS_MAX 1000
#define ITEM_NAME_BYTES 64

/* What the command line asks for. */
struct request {
    struct comparison_set_options read;
    struct tabular_options model;
    bool choose_model;
    const char *name; /* NULL: that of the model */
    bool replace;
    int64_t now_ms;
    struct log *log;
};

/* ---- the command line ---- */

/* Place of the option's value among its choices, which stand in the order of the enum. */
static int choice_of(const struct command_args *args, const char *name) {
    const struct command_option *option = command_option_find(command_path_leaf(&args->path), name);
    const char *text = command_args_text(args, name);
    int place = 0;
    while (option->choices[place] && strcmp(option->choices[place], text) != 0) {
        place++;
    }
    return place;
}

static enum err_code read_model(const struct command_args *args, struct request *request,
                                struct error *err) {
    request->model = TABULAR_OPTIONS_DEFAULT;
    request->choose_model = !command_args_has(args, "model");
    if (!request->choose_model) {
        request->model.model = (enum tabular_model)choice_of(args, "model");
    }
    request->model.estimator = (enum tabular_estimator)choice_of(args, "estimator");
    request->model.ties = (enum tabular_ties)choice_of(args, "ties");
    request->model.position_effect = command_args_has(args, "position-effect");
    request->model.ridge = command_args_real(args, "ridge");
    request->model.reliability_good = command_args_real(args, "reliability-good");
    request->model.reliability_bad = command_args_real(args, "reliability-bad");
    if (command_args_has(args, "ridge") && request->model.estimator != TABULAR_MAXIMUM_POSTERIOR) {
        return err_set(err, ERR_USAGE, "--ridge is the precision of a prior: add --estimator map");
    }
    return ERR_OK;
}

static enum err_code read_request(const struct run *run, const struct command_args *args,
                                  struct request *request, struct error *err) {
    TRY(read_model(args, request, err));
    const char *split = command_args_text(args, "split");
    request->read = (struct comparison_set_options){
        .items = (enum comparison_items)choice_of(args, "items"),
        .from = (enum comparison_from)choice_of(args, "from"),
        .aspect = command_args_text(args, "aspect"),
        .population = command_args_text(args, "population"),
        .topic = command_args_text(args, "topic"),
        .one_split = strcmp(split, "all") != 0,
        .split = (enum split)choice_of(args, "split"),
    };
    request->name = command_args_text(args, "name");
    request->replace = command_args_has(args, "replace");
    request->log = run->log;
    request->now_ms = clock_wall_ns(&run->clock) / CLOCK_NS_PER_MS;
    if (command_args_has(args, "by-population") && request->read.population) {
        return err_set(err, ERR_USAGE, "--population fits one, --by-population each: choose");
    }
    return ERR_OK;
}

/* ---- populations ---- */

struct names {
    char **names;
    int64_t count;
};

static void names_scoped_end(struct names *names) {
    for (int64_t n = 0; n < names->count; n++) {
        mem_free(names->names[n]);
    }
    mem_free(names->names);
}

static enum err_code read_populations(struct db *db, struct names *out, struct error *err) {
    out->names = mem_array_zero(POPULATIONS_MAX, sizeof *out->names);
    if (!out->names) {
        return err_oom(err, "populations");
    }
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db,
                     "SELECT DISTINCT population FROM annotator WHERE population IS NOT NULL"
                     " ORDER BY population",
                     &stmt, err));
    for (;;) {
        bool has_row = false;
        const char *text = NULL;
        size_t bytes = 0;
        TRY(db_stmt_step(stmt, &has_row, err));
        if (!has_row) {
            break;
        }
        if (out->count == POPULATIONS_MAX) {
            return err_set(err, ERR_LIMIT, "more than %d populations", POPULATIONS_MAX);
        }
        TRY(db_column_text(stmt, 0, &text, &bytes, err));
        out->names[out->count] = mem_strndup(text, bytes);
        if (!out->names[out->count]) {
            return err_oom(err, "populations");
        }
        out->count++;
    }
    if (out->count == 0) {
        return err_set(err, ERR_DATA,
                       "no annotator has a population; --by-population needs them in the data");
    }
    return ERR_OK;
}

/* ---- one fit ---- */

struct job {
    char *name;
    const char *population; /* NULL: everybody; borrowed */
    const char *why_model;  /* NULL: the user chose it */
    struct comparison_set set;
    struct tabular_fit fit;
};

static void job_deinit(struct job *job) {
    mem_free(job->name);
    comparison_set_deinit(&job->set);
    tabular_fit_deinit(&job->fit);
}

static bool has_ties(const struct comparison_set *set) {
    for (int64_t c = 0; c < set->count; c++) {
        int64_t end = set->starts[c + 1];
        bool unordered = set->last_unordered && set->last_unordered[c];
        for (int64_t m = set->starts[c] + 1; m < end; m++) {
            bool is_tie = set->ranks[m] == set->ranks[m - 1];
            if (is_tie && !(unordered && set->ranks[m] == set->ranks[end - 1])) {
                return true;
            }
        }
    }
    return false;
}

static const char *choose_model(const struct comparison_set *set, struct tabular_options *options) {
    bool rankings = comparison_set_has_rankings(set);
    if (rankings && !options->position_effect && options->estimator != TABULAR_FIRTH) {
        options->model = TABULAR_PLACKETT_LUCE;
        return "some comparisons rank more than two items";
    }
    if (has_ties(set) && options->ties == TABULAR_TIES_REFUSE &&
        options->estimator != TABULAR_FIRTH) {
        options->model = TABULAR_DAVIDSON;
        return rankings ? "there are ties, and rankings have no position effect"
                        : "the comparisons hold ties";
    }
    options->model = TABULAR_BRADLEY_TERRY;
    return rankings ? "rankings have no position effect and no Firth estimate"
                    : "the comparisons are pairs";
}

static enum err_code make_name(const struct request *request, const struct tabular_options *options,
                               bool by_population, char **out_name, struct error *err) {
    SCOPED(strbuf) struct strbuf name = STRBUF_INIT(4 * TABULAR_NAME_BYTES_MAX);
    strbuf_add(&name, request->name ? request->name : tabular_model_name(options->model));
    if (by_population) { /* which may hold what the name of a fit may not */
        strbuf_add_char(&name, '/');
        output_add_visible_text(&name, request->read.population);
    }
    TRY(strbuf_check(&name, "name of a fit", err));
    *out_name = strbuf_detach(&name);
    return *out_name ? ERR_OK : err_oom(err, "name of a fit");
}

static enum err_code is_item_set(struct db *db, int64_t prompt_id, bool *out, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db, "SELECT kind = 'items' FROM prompt WHERE id = ?1", &stmt, err));
    db_bind_i64(stmt, 1, prompt_id);
    bool has_row = false;
    int64_t is = 0;
    TRY(db_stmt_step(stmt, &has_row, err));
    if (has_row) {
        TRY(db_column_i64(stmt, 0, &is, err));
    }
    *out = is != 0;
    return ERR_OK;
}

/* So that messages about one set of items say their names; answers to prompts stay numbers. */
static enum err_code name_items(struct db *db, struct comparison_set *set, struct error *err) {
    bool is_set = false;
    if (set->block_count != 1 || set->item_names) {
        return ERR_OK;
    }
    TRY(is_item_set(db, set->block_prompt_ids[0], &is_set, err));
    if (!is_set) {
        return ERR_OK;
    }
    set->item_names = mem_array_zero((size_t)set->item_count, sizeof *set->item_names);
    if (!set->item_names) {
        return err_oom(err, "names of items");
    }
    for (int64_t i = 0; i < set->item_count; i++) {
        TRY(comparison_set_item_text(db, set, i, ITEM_NAME_BYTES, &set->item_names[i], err));
    }
    return ERR_OK;
}

static enum err_code load_one(struct db *db, const struct request *request, struct job *job,
                              struct error *err) {
    job->population = request->read.population;
    TRY(comparison_set_load(db, &request->read, &job->set, err));
    return name_items(db, &job->set, err);
}

/* Of the set loaded. `options` are as asked for, and with the model chosen when it returns. */
static enum err_code name_one(struct db *db, const struct request *request, bool by_population,
                              struct tabular_options *options, struct job *job, struct error *err) {
    if (request->choose_model) {
        job->why_model = choose_model(&job->set, options);
    }
    TRY(make_name(request, options, by_population, &job->name, err));
    return tabular_store_check_name(db, job->name, request->replace, err);
}

static enum err_code run_one(const struct request *request, const struct tabular_options *options,
                             struct job *job, struct error *err) {
    log_info(request->log, "reward", "fitting '%s' to %" PRId64 " comparisons of %" PRId64 " items",
             job->name, job->set.count, job->set.item_count);
    return tabular_fit_run(&job->set, options, &job->fit, err);
}

static enum err_code fit_one(struct db *db, const struct request *request, struct job *job,
                             struct error *err) {
    struct tabular_options options = request->model;
    TRY(load_one(db, request, job, err));
    TRY(name_one(db, request, false, &options, job, err));
    return run_one(request, &options, job, err);
}

/* Whether the data are why there is no fit, so that those of other populations may have one. */
static bool is_of_data(enum err_code code) {
    return code == ERR_DATA || code == ERR_LIMIT;
}

/* The fit of a population, or why its data have none, in `out_why`. */
static enum err_code try_population(struct db *db, const struct request *request, struct job *job,
                                    struct error *out_why, struct error *err) {
    struct tabular_options options = request->model;
    enum err_code code = load_one(db, request, job, out_why);
    if (code == ERR_OK) {
        TRY(name_one(db, request, true, &options, job, err));
        code = run_one(request, &options, job, out_why);
    }
    return code == ERR_OK || is_of_data(code) ? ERR_OK : err_set(err, code, "%s", out_why->msg);
}

static enum err_code store_one(struct db *db, const struct request *request, const struct job *job,
                               struct error *err) {
    struct comparison_set_options read = request->read;
    read.population = job->population;
    const struct tabular_record record = {.name = job->name,
                                          .why_model = job->why_model,
                                          .replace = request->replace,
                                          .read = &read,
                                          .now_ms = request->now_ms};
    return tabular_store_save(db, &job->set, &job->fit, &record, err);
}

/* ---- all ---- */

struct jobs {
    struct job *jobs;
    struct reward_report_fit *reports; /* of the jobs */
    int64_t count;
    struct reward_report_gap *gaps; /* populations without a fit */
    int64_t gap_count;
};

static void jobs_scoped_end(struct jobs *jobs) {
    for (int64_t j = 0; jobs->jobs && j < jobs->count; j++) {
        job_deinit(&jobs->jobs[j]);
    }
    mem_free(jobs->jobs);
    mem_free(jobs->reports);
    mem_free(jobs->gaps);
}

static enum err_code make_room(struct jobs *jobs, int64_t count, struct error *err) {
    jobs->jobs = mem_array_zero((size_t)count, sizeof *jobs->jobs);
    jobs->reports = mem_array_zero((size_t)count, sizeof *jobs->reports);
    jobs->gaps = mem_array_zero((size_t)count, sizeof *jobs->gaps);
    return jobs->jobs && jobs->reports && jobs->gaps ? ERR_OK : err_oom(err, "fits");
}

static enum err_code fit_populations(struct db *db, struct request *request,
                                     const struct names *names, struct jobs *jobs,
                                     struct error *err) {
    for (int64_t n = 0; n < names->count; n++) {
        struct job *job = &jobs->jobs[jobs->count];
        struct reward_report_gap *gap = &jobs->gaps[jobs->gap_count];
        *gap = (struct reward_report_gap){.population = names->names[n]};
        request->read.population = names->names[n];
        jobs->count++; /* first, so that a half-made one is released */
        enum err_code code = try_population(db, request, job, &gap->why, err);
        if (err_wrap(err, code, "population '%s'", names->names[n]) != ERR_OK) {
            return code;
        }
        if (gap->why.code != ERR_OK) {
            job_deinit(job);
            *job = (struct job){.name = NULL};
            jobs->count--;
            jobs->gap_count++;
        }
    }
    if (jobs->count == 0) {
        return err_set(err, jobs->gaps[0].why.code,
                       "none of %" PRId64 " populations has a fit; '%s': %s", names->count,
                       names->names[0], jobs->gaps[0].why.msg);
    }
    return ERR_OK;
}

static enum err_code fit_all(struct db *db, struct request *request, const struct names *names,
                             struct jobs *jobs, struct error *err) {
    TRY(make_room(jobs, names->count > 0 ? names->count : 1, err));
    if (names->count > 0) {
        return fit_populations(db, request, names, jobs, err);
    }
    jobs->count = 1; /* first, so that a half-made one is released */
    return fit_one(db, request, &jobs->jobs[0], err);
}

static enum err_code store_all(struct run *run, const char *path, const struct request *request,
                               struct jobs *jobs, struct error *err) {
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(path, DB_MODE_WRITE, run->log, &db, err));
    SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
    TRY(db_tx_open(db, &tx, err));
    for (int64_t j = 0; j < jobs->count; j++) {
        TRY(store_one(db, request, &jobs->jobs[j], err));
        const struct job *job = &jobs->jobs[j];
        jobs->reports[j] =
            (struct reward_report_fit){job->name, job->population, job->why_model, &job->fit};
    }
    if (interrupt_requested()) {
        return err_set(err, ERR_INTERRUPTED, "interrupted before the fit was stored");
    }
    return db_tx_commit(&tx, err);
}

static enum err_code fit_tabular(struct run *run, const struct command_args *args,
                                 struct error *err) {
    const char *path = args->positionals[0];
    struct request request;
    TRY(read_request(run, args, &request, err));
    SCOPED(names) struct names names = {.names = NULL};
    SCOPED(jobs) struct jobs jobs = {.jobs = NULL};
    {
        SCOPED(db) struct db *db = NULL;
        TRY(project_open(path, DB_MODE_READ_ONLY, run->log, &db, err));
        if (command_args_has(args, "by-population")) {
            TRY(read_populations(db, &names, err));
        }
        TRY(fit_all(db, &request, &names, &jobs, err));
    }
    TRY(store_all(run, path, &request, &jobs, err));
    const struct reward_report report = {.path = path,
                                         .fits = jobs.reports,
                                         .count = jobs.count,
                                         .gaps = jobs.gaps,
                                         .gap_count = jobs.gap_count};
    return reward_report_print(run, &report, err);
}

/* ---- which kind ---- */

static const char *const only_lm[] = {"trunk",  "tokenizer", "output",
                                      "epochs", "resume",    "dry-run"};
static const char *const only_tabular[] = {
    "model", "estimator",      "ridge", "ties", "position-effect", "reliability-good", "items",
    "from",  "by-population",  "split", "name", "replace",         "aspect",           "population",
    "topic", "reliability-bad"};

/* Refuses an option that was given and that the kind does not know. */
static enum err_code refuse_any(const struct command_args *args, const char *const *names,
                                size_t count, const char *remedy, struct error *err) {
    for (size_t i = 0; i < count; i++) {
        if (command_args_has(args, names[i])) {
            return err_set(err, ERR_USAGE, "--%s is not for this kind of reward: %s", names[i],
                           remedy);
        }
    }
    return ERR_OK;
}

static enum err_code fit_run(struct run *run, const struct command_args *args, struct error *err) {
    const struct reward_fit_config *config = run->config;
    const bool has_trunk = config->train.model[0];
    const char *kind = command_args_text(args, "kind");
    if (kind ? strcmp(kind, "lm") != 0 : !has_trunk) {
        TRY(refuse_any(args, only_lm, sizeof only_lm / sizeof *only_lm, "give --kind lm", err));
        return fit_tabular(run, args, err);
    }
    TRY(refuse_any(args, only_tabular, sizeof only_tabular / sizeof *only_tabular,
                   "a language model is fitted by the keys below 'reward fit' in 'accord config'",
                   err));
    if (!has_trunk) {
        return err_set(err, ERR_USAGE, "start from what? give --trunk FOLDER, FILE or preset:NAME");
    }
    command_function fit_lm = NULL;
    TRY(lm_module_find("reward fit", &fit_lm, err));
    return fit_lm(run, args, err);
}

/* ---- the table ---- */

#define NAME_OF(name, text) text,
static const char *const kinds[] = {"tabular", "lm", NULL};
static const char *const models[] = {TABULAR_MODELS(NAME_OF) NULL};
static const char *const estimators[] = {TABULAR_ESTIMATORS(NAME_OF) NULL};
static const char *const tie_ways[] = {TABULAR_TIES(NAME_OF) NULL};
static const char *const item_kinds[] = {"responses", "origins", NULL};
static const char *const sources[] = {"comparisons", "ratings", NULL};
static const char *const splits[] = {SPLITS(NAME_OF) "all", NULL};
#undef NAME_OF

static const struct command_option options[] = {
    {.name = "kind",
     .kind = OPTION_CHOICE,
     .choices = kinds,
     .help =
         "what gives rewards: tabular, one number an item, or lm, a language model with a score; "
         "lm where there is a --trunk, or the configuration names a model"},
    {.name = "trunk",
     .kind = OPTION_FILE,
     .metavar = "PATH",
     .config_key = "model",
     .help = "lm: Hugging Face folder, GGUF file or preset:NAME to start from"},
    {.name = "tokenizer",
     .kind = OPTION_FILE,
     .metavar = "PATH",
     .config_key = "tokenizer",
     .help = "lm: folder or file of a tokenizer, for a model from nothing"},
    {.name = "output",
     .short_name = 'o',
     .kind = OPTION_FOLDER,
     .metavar = "FOLDER",
     .config_key = "output",
     .help = "lm: run folder to write; the model is saved in its final/"},
    {.name = "epochs",
     .kind = OPTION_TEXT,
     .metavar = "N",
     .config_key = "epochs",
     .help = "lm: times that each comparison is seen"},
    {.name = "resume",
     .kind = OPTION_FLAG,
     .help = "lm: go on where a stopped or killed run left off, bit for bit"},
    {.name = "dry-run",
     .kind = OPTION_FLAG,
     .help = "lm: measure a little, and print the plan: time, memory, tokens"},
    {.name = "model",
     .short_name = 'm',
     .kind = OPTION_CHOICE,
     .choices = models,
     .help = "how rewards make comparisons; by default plackett-luce where more than two items are "
             "ranked, davidson where pairs hold ties, else bradley-terry"},
    {.name = "estimator",
     .kind = OPTION_CHOICE,
     .choices = estimators,
     .default_text = "ml",
     .help = "maximum likelihood, maximum posterior with a normal prior, or Firth's bias reduction "
             "(bradley-terry)"},
    {.name = "ridge",
     .kind = OPTION_REAL,
     .metavar = "X",
     .default_text = "0.1",
     .min = 1e-9,
     .max = 1e9,
     .help = "precision of the prior on each reward, nats^-2, with --estimator map"},
    {.name = "ties",
     .kind = OPTION_CHOICE,
     .choices = tie_ways,
     .default_text = "refuse",
     .help = "what models without ties make of them: half counts half a win for each side"},
    {.name = "position-effect",
     .kind = OPTION_FLAG,
     .help = "also fit the advantage of being shown first, or at home"},
    {.name = "reliability-good",
     .kind = OPTION_REAL,
     .metavar = "X",
     .default_text = "4",
     .min = 1e-6,
     .max = 1e12,
     .help = "crowd-bt: right answers that every annotator is given in advance"},
    {.name = "reliability-bad",
     .kind = OPTION_REAL,
     .metavar = "X",
     .default_text = "1",
     .min = 1e-6,
     .max = 1e12,
     .help = "crowd-bt: wrong answers likewise; fewer than the right ones"},
    {.name = "items",
     .kind = OPTION_CHOICE,
     .choices = item_kinds,
     .default_text = "responses",
     .help = "what gets a reward: each answer, or who wrote the answers"},
    {.name = "from",
     .kind = OPTION_CHOICE,
     .choices = sources,
     .default_text = "comparisons",
     .help = "what is fitted: comparisons, or rankings made of each annotator's ratings"},
    {.name = "aspect", .kind = OPTION_TEXT, .metavar = "NAME", .help = "only this aspect"},
    {.name = "population",
     .kind = OPTION_TEXT,
     .metavar = "NAME",
     .help = "only judgements of this population"},
    {.name = "by-population",
     .kind = OPTION_FLAG,
     .help = "one fit for each population, stored as NAME/POPULATION; one without comparisons, or "
             "without a fit, is reported and the others go on"},
    {.name = "topic", .kind = OPTION_TEXT, .metavar = "NAME", .help = "only prompts of this topic"},
    {.name = "split",
     .kind = OPTION_CHOICE,
     .choices = splits,
     .default_text = "all",
     .help = "only prompts of this split"},
    {.name = "name",
     .short_name = 'n',
     .kind = OPTION_TEXT,
     .metavar = "NAME",
     .help = "what the fit is stored as; by default the model's name"},
    {.name = "replace", .kind = OPTION_FLAG, .help = "overwrite a fit of that name"},
    {.name = NULL},
};

static const struct command_positional positionals[] = {
    {.name = "project.db", .kind = OPTION_FILE, .help = "the project file"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord reward fit tea.db", "the model that suits the data, by maximum likelihood"},
    {"accord reward fit football.db --position-effect", "with an advantage of the home side"},
    {"accord reward fit arena.db --items origins", "a leaderboard of models"},
    {"accord reward fit crowd.db -m crowd-bt", "and how reliable each annotator is"},
    {"accord reward fit hh.db --trunk models/smollm2 -o runs/reward",
     "a reward model that judges any text, calibrated"},
    {NULL, NULL},
};

const struct command cmd_reward_fit = {
    .name = "fit",
    .purpose = "fit rewards to comparisons, and store them",
    .description =
        "A tabular fit gives each item one number, its reward in nats: the larger the difference "
        "of two, the surer the first is preferred. Answers are compared within their prompt, and "
        "the mean reward of a prompt is zero.\n\n"
        "Where maximum likelihood has no answer, because some items never lost or were never "
        "compared with the rest, the command says which and stops; --estimator map always has "
        "one. With --by-population it stops only where no population has a fit; what was stored "
        "for one that has none now stays as it was.\n\n"
        "With --trunk a language model gets a score at the end of its answer, fitted by "
        "Bradley-Terry or a model with ties, rankings by Plackett-Luce, to all judgements of the "
        "training prompts; several of one pair are one term. The weights of the evaluation with "
        "the least NLL are kept, and their temperature is fitted to the judgements kept for "
        "evaluation and stored with the model, which transformers loads. The run folder is that "
        "of 'accord sft'; the project file stays as it was.",
    .config = &reward_fit_config_table,
    .options = options,
    .positionals = positionals,
    .examples = examples,
    .function = fit_run,
    .interrupt_notice = "stopping; the project file stays as it was; again to stop at once\n",
};
