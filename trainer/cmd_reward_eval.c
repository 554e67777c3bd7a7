/* cmd_reward_eval.c - accord reward eval: how well rewards say what people prefer. */
#include "base/file_atomic.h"
#include "base/number.h"
#include "base/scoped.h"
#include "trainer/cmd_reward.h"
#include "trainer/eval_html.h"
#include "trainer/eval_print.h"
#include "trainer/output_path.h"
#include "trainer/reward_evaluation.h"

#include <inttypes.h>
#include <string.h>

#define ALL_SPLITS "all"

/* --fold N, once for each that is tested. */
static enum err_code read_folds(const struct command_args *args,
                                struct reward_evaluation_options *out, struct error *err) {
    const char *fold_text = NULL;
    out->fold_count = command_args_has(args, "folds") ? command_args_integer(args, "folds") : 0;
    out->group = command_args_text(args, "group");
    for (int64_t i = 0; (fold_text = command_args_repeated(args, "fold", i)); i++) {
        int64_t fold = -1;
        if (!number_parse_i64(fold_text, &fold) || fold < 0 || fold >= out->fold_count) {
            return err_set(err, ERR_USAGE, "--fold %s: --folds makes 0 to %" PRId64, fold_text,
                           out->fold_count - 1);
        }
        out->is_test_fold[fold] = true;
    }
    const bool has_folds = out->fold_count > 0;
    const bool has_fold = command_args_repeated(args, "fold", 0) != NULL;
    out->is_crossed = has_folds && !has_fold;
    if (has_fold && !has_folds) {
        return err_set(err, ERR_USAGE, "--fold says which of --folds K to judge by");
    }
    if (out->group && !has_folds) {
        return err_set(err, ERR_USAGE, "--group says what stays together in a fold: give --folds");
    }
    if (has_folds && command_args_has(args, "split")) {
        return err_set(err, ERR_USAGE, "--split or --folds: choose");
    }
    return ERR_OK;
}

static enum err_code read_options(const struct command_args *args,
                                  struct reward_evaluation_options *out, struct error *err) {
    const char *split = command_args_text(args, "split");
    *out = (struct reward_evaluation_options){
        .project = args->positionals[0],
        .specs = args->positionals + 1,
        .spec_count = args->positional_count - 1,
        .comparisons = {.aspect = command_args_text(args, "aspect"),
                        .population = command_args_text(args, "population"),
                        .topic = command_args_text(args, "topic")},
        .all_splits = strcmp(split, ALL_SPLITS) == 0,
        .match_factor = command_args_real(args, "match"),
    };
    for (enum split s = 0; s < SPLIT_COUNT; s++) {
        out->split = strcmp(split, split_name(s)) == 0 ? s : out->split;
    }
    if (out->spec_count > REWARD_EVALUATION_SPECS_MAX) {
        return err_set(err, ERR_USAGE, "%d rewards at most", REWARD_EVALUATION_SPECS_MAX);
    }
    return read_folds(args, out, err);
}

static enum err_code write_page(const struct reward_evaluation *e, const char *path,
                                struct error *err) {
    SCOPED(strbuf) struct strbuf page = STRBUF_INIT(OUTPUT_BYTES_MAX);
    TRY(eval_html(e, &page, err));
    return file_atomic_write_whole(path, strbuf_text(&page), page.length, err);
}

static enum err_code eval_command(struct run *run, const struct command_args *args,
                                  struct error *err) {
    struct reward_evaluation_options options;
    SCOPED(reward_evaluation) struct reward_evaluation e = REWARD_EVALUATION_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    const char *page_path = command_args_text(args, "html");
    TRY(read_options(args, &options, err));
    if (page_path) {
        TRY(output_path_check("--html", page_path, options.project, err));
    }
    TRY(reward_evaluation_run(run, &options, &e, err));
    if (page_path) {
        TRY(write_page(&e, page_path, err));
    }
    if (run->output->json) {
        TRY(eval_json(&e, &text, err));
    } else {
        eval_print(&e, run->output->bold, &text);
    }
    return output_text(run->output, &text, err);
}

static const char *const splits[] = {
#define SPLIT_WORD(name, text) text,
    SPLITS(SPLIT_WORD)
#undef SPLIT_WORD
        ALL_SPLITS,
    NULL};

static const struct command_option options[] = {
    {.name = "split",
     .kind = OPTION_CHOICE,
     .default_text = "test",
     .choices = splits,
     .help = "judge by the prompts of this split"},
    {.name = "folds",
     .kind = OPTION_INTEGER,
     .metavar = "K",
     .min = 2,
     .max = REWARD_EVALUATION_FOLDS_MAX,
     .help = "deal whole groups of prompts, sorted by name, into K folds, instead of splits; "
             "\"{fold}\" in a SPEC is the number of a prompt's fold"},
    {.name = "fold",
     .repeatable = true,
     .kind = OPTION_TEXT,
     .metavar = "N",
     .help = "judge by this fold, with baselines fitted to the others; none: each by what was "
             "fitted to the others"},
    {.name = "group",
     .kind = OPTION_TEXT,
     .metavar = "PATTERN",
     .help = "regular expression whose first match in a prompt names its group; without one, the "
             "prompt's topic, or the prompt"},
    {.name = "html",
     .kind = OPTION_FILE,
     .metavar = "FILE",
     .help = "also write a page with figures: one file that needs nothing else"},
    {.name = "match",
     .kind = OPTION_REAL,
     .metavar = "FACTOR",
     .default_text = "1.1",
     .min = 1.0,
     .max = 100.0,
     .help = "lengths match if one is at most so many times the other"},
    {.name = "aspect", .kind = OPTION_TEXT, .metavar = "NAME", .help = "only this aspect"},
    {.name = "population",
     .kind = OPTION_TEXT,
     .metavar = "NAME",
     .help = "only judgements of this population"},
    {.name = "topic", .kind = OPTION_TEXT, .metavar = "NAME", .help = "only prompts of this topic"},
    {.name = NULL},
};

static const struct command_positional positionals[] = {
    {.name = "project.db", .kind = OPTION_FILE, .help = "the project file"},
    {.name = "spec", .repeatable = true, .kind = OPTION_TEXT, .help = "a reward, see above"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord reward eval tea.db length", "is longer better?"},
    {"accord reward eval tea.db fit:a fit:b 'mean(fit:a, fit:b)'", "two fits and their mean"},
    {"accord reward eval tea.db length --html rewards.html", "a page to look at"},
    {"accord reward eval tea.db 'command:python3 judge.py' --split all", "a program, by all pairs"},
    {"accord reward eval tea.db 'lm:runs/{fold}/final' --folds 5",
     "five models, each by the fold that it was not fitted to"},
    {NULL, NULL},
};

const struct command cmd_reward_eval = {
    .name = "eval",
    .purpose = "judge rewards by what people prefer, beside length and words alone",
    .description =
        "Each SPEC scores the answers that were compared, once each; then it is judged by the "
        "comparisons: accuracy, negative log-likelihood, Brier score and calibration, against the "
        "votes of people where there are several, with intervals by resampling prompts; by slices "
        "(length, agreement, ties, source, population, annotator); by sets of three answers or "
        "more; and by how it goes with length. Beside it stand two baselines fitted to the "
        "training split: the length of an answer alone, and its words. A reward that does not beat "
        "length has not been shown to know anything else.\n\n" REWARD_SPEC_HELP,
    .options = options,
    .positionals = positionals,
    .examples = examples,
    .function = eval_command,
    .interrupt_notice = "stopping; again to stop at once\n",
};
