/* cmd_reward_baseline.c - accord reward baseline: what length and words alone predict. */
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "data/comparison_set.h"
#include "data/project.h"
#include "reward/baseline_eval.h"
#include "reward/fold_plan.h"
#include "trainer/cmd_reward.h"
#include "trainer/pair_scores_json.h"
#include "trainer/run.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

struct baseline_run {
    struct comparison_set set;
    struct pair_texts texts;
    int32_t *fold_of_block;
    struct baseline_eval eval;
    bool has_folds;
};

static void baseline_run_scoped_end(struct baseline_run *b) {
    comparison_set_deinit(&b->set);
    pair_texts_deinit(&b->texts);
    mem_free(b->fold_of_block);
    baseline_eval_deinit(&b->eval);
}

static enum err_code plan_folds(struct db *db, const struct command_args *args,
                                struct baseline_run *b, struct error *err) {
    const struct fold_prompts prompts = fold_prompts_of(&b->set);
    b->has_folds = command_args_has(args, "folds");
    if (b->has_folds) {
        return fold_plan_by_group(db, &prompts, command_args_integer(args, "folds"),
                                  command_args_text(args, "group"), &b->fold_of_block, err);
    }
    if (command_args_has(args, "group")) {
        return err_set(err, ERR_USAGE, "--group says what stays together in a fold: give --folds");
    }
    const struct split_shares shares = SPLIT_SHARES_DEFAULT;
    return fold_plan_by_split(db, &prompts, &shares, &b->fold_of_block, err);
}

/* ---- what is printed ---- */

static void add_score(struct strbuf *out, const struct pair_score *score, double scale,
                      int decimals) {
    if (isnan(score->value)) {
        strbuf_addf(out, "  %-22s", "-");
        return;
    }
    char text[64];
    int used = snprintf(text, sizeof text, "%.*f", decimals, scale * score->value);
    if (!isnan(score->low) && used > 0) {
        (void)snprintf(text + used, sizeof text - (size_t)used, " [%.*f, %.*f]", decimals,
                       scale * score->low, decimals, scale * score->high);
    }
    strbuf_addf(out, "  %-22s", text);
}

static void add_row(struct strbuf *out, const char *place, enum baseline_kind kind,
                    const struct pair_scores *scores) {
    strbuf_addf(out, "%-8s  %-28s", place, baseline_title(kind));
    add_score(out, &scores->accuracy, 100.0, 1);
    add_score(out, &scores->nll, 1.0, 4);
    add_score(out, &scores->brier, 1.0, 4);
    while (out->length > 0 && out->bytes[out->length - 1] == ' ') {
        strbuf_truncate(out, out->length - 1);
    }
    strbuf_add_char(out, '\n');
}

static void add_rows(struct strbuf *out, const char *place,
                     const struct pair_scores scores[BASELINE_COUNT]) {
    for (enum baseline_kind kind = 0; kind < BASELINE_COUNT; kind++) {
        add_row(out, kind == 0 ? place : "", kind, &scores[kind]);
    }
}

/* What the margins said beside what people said, of all that was tested. */
static void add_reliability(struct strbuf *out, enum baseline_kind kind,
                            const struct pair_scores *scores) {
    strbuf_addf(out, "\n%s: calibration error %.3f", baseline_title(kind), scores->ece.value);
    if (!isnan(scores->ece.low)) {
        strbuf_addf(out, " [%.3f, %.3f]", scores->ece.low, scores->ece.high);
    }
    strbuf_addf(out, "\n  %12s  %14s  %10s\n", "it said, %", "people said, %", "judgements");
    for (int b = 0; b < PAIR_BINS; b++) {
        const struct pair_bin *bin = &scores->bins[b];
        if (bin->weight > 0.0) {
            strbuf_addf(out, "  %12.1f  %14.1f  %10.0f\n", 100.0 * bin->said, 100.0 * bin->share,
                        bin->weight);
        }
    }
}

static void write_text(const struct baseline_run *b, struct strbuf *out) {
    const struct baseline_eval *eval = &b->eval;
    const struct pair_scores *pooled = &eval->pooled[0];
    strbuf_addf(out,
                "Baselines on %" PRId64 " pairs of %" PRId64
                " prompts, tested on prompts that they "
                "were not fitted to\n\n",
                pooled->pairs, pooled->clusters);
    strbuf_addf(out, "%-8s  %-28s  %-22s  %-22s  %s\n", b->has_folds ? "fold" : "split",
                "reward from", "accuracy, %", "NLL, nats", "Brier");
    for (int64_t fold = 0; b->has_folds && fold < eval->fold_count; fold++) {
        char place[24];
        (void)snprintf(place, sizeof place, "%" PRId64, fold);
        add_rows(out, place, eval->folds[fold].scores);
    }
    add_rows(out, b->has_folds ? "all" : "test", eval->pooled);
    strbuf_addf(out,
                "\nIntervals: 95 %%, by resampling prompts. A coin has accuracy 50 %%, NLL 0.6931 "
                "and Brier 0.25.\nAccuracy counts the %.0f pairs on which more people prefer one "
                "side.\n",
                pooled->decided);
    for (enum baseline_kind kind = 0; kind < BASELINE_COUNT; kind++) {
        add_reliability(out, kind, &eval->pooled[kind]);
    }
}

static void write_scores(struct json_writer *w, const struct pair_scores scores[BASELINE_COUNT]) {
    for (enum baseline_kind kind = 0; kind < BASELINE_COUNT; kind++) {
        json_put_object_begin(w, baseline_name(kind));
        json_put_i64(w, "pairs", scores[kind].pairs);
        json_put_f64(w, "decided_pairs", scores[kind].decided);
        json_put_f64(w, "judgements", scores[kind].weight);
        json_put_i64(w, "prompts", scores[kind].clusters);
        pair_score_put(w, "accuracy", &scores[kind].accuracy);
        pair_score_put(w, "nll_nats", &scores[kind].nll);
        pair_score_put(w, "brier", &scores[kind].brier);
        pair_score_put(w, "ece", &scores[kind].ece);
        pair_bins_put(w, scores[kind].bins);
        json_write_object_end(w);
    }
}

static enum err_code write_json(const struct baseline_run *b, struct strbuf *out,
                                struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_array_begin(&w, "folds");
    for (int64_t fold = 0; fold < b->eval.fold_count; fold++) {
        json_write_object_begin(&w);
        json_put_i64(&w, "train_pairs", b->eval.folds[fold].train_pairs);
        write_scores(&w, b->eval.folds[fold].scores);
        json_write_object_end(&w);
    }
    json_write_array_end(&w);
    json_put_object_begin(&w, "pooled");
    write_scores(&w, b->eval.pooled);
    json_write_object_end(&w);
    json_write_object_end(&w);
    TRY(json_writer_finish(&w, err));
    strbuf_add_char(out, '\n');
    return ERR_OK;
}

/* ---- the command ---- */

static enum err_code measure(struct run *run, const struct command_args *args,
                             struct baseline_run *b, struct error *err) {
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(args->positionals[0], DB_MODE_READ_ONLY, run->log, &db, err));
    const struct comparison_set_options options = {
        .aspect = command_args_text(args, "aspect"),
        .population = command_args_text(args, "population"),
        .topic = command_args_text(args, "topic"),
    };
    TRY(comparison_set_load(db, &options, &b->set, err));
    TRY(pair_texts_load(db, &b->set, &b->texts, err));
    TRY(plan_folds(db, args, b, err));
    const struct baseline_plan plan = {
        .fold_count = b->has_folds ? command_args_integer(args, "folds") : 1,
        .fold_of_block = b->fold_of_block,
        .ridge = command_args_real(args, "ridge"),
        .seed = run->settings->seed,
    };
    return baseline_eval_run(&b->set, &b->texts, &plan, &b->eval, err);
}

static enum err_code baseline_command(struct run *run, const struct command_args *args,
                                      struct error *err) {
    SCOPED(baseline_run)
    struct baseline_run b = {.set = COMPARISON_SET_INIT, .texts = PAIR_TEXTS_INIT};
    TRY(measure(run, args, &b, err));
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    if (run->output->json) {
        TRY(write_json(&b, &text, err));
    } else {
        write_text(&b, &text);
    }
    return output_text(run->output, &text, err);
}

static const struct command_option options[] = {
    {.name = "folds",
     .short_name = 'k',
     .kind = OPTION_INTEGER,
     .metavar = "K",
     .min = 2,
     .max = BASELINE_FOLDS_MAX,
     .help = "cross-validate in K folds of whole groups, instead of testing on the test split"},
    {.name = "group",
     .kind = OPTION_TEXT,
     .metavar = "REGEX",
     .help = "prompts in which this matches the same text stay in one fold (default: the topic, or "
             "the prompt)"},
    {.name = "ridge",
     .kind = OPTION_REAL,
     .metavar = "X",
     .default_text = "100",
     .min = 1e-6,
     .max = 1e9,
     .help = "precision of the normal prior on the weight of a word, nats^-2"},
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
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord reward baseline tea.db", "fitted to the training split, tested on the test split"},
    {"accord reward baseline tea.db --folds 5", "every prompt, or topic, tested once"},
    {NULL, NULL},
};

const struct command cmd_reward_baseline = {
    .name = "baseline",
    .purpose = "measure what length and words alone predict",
    .description =
        "Fits two simple rewards to pairs of texts and tests them on prompts that they have not "
        "seen: one from the length of an answer, one from its words, pairs of neighbouring words "
        "and length. A reward model that does not beat both has learned little about answers.",
    .options = options,
    .positionals = positionals,
    .examples = examples,
    .function = baseline_command,
    .interrupt_notice = "stopping; again to stop at once\n",
};
