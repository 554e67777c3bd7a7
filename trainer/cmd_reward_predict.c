/* cmd_reward_predict.c - accord reward predict: how a comparison of two items would go. */
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/text_wrap.h"
#include "data/project.h"
#include "reward/tabular_predict.h"
#include "reward/tabular_store.h"
#include "trainer/cmd_reward.h"
#include "trainer/reward_errors.h"
#include "trainer/run.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define NAME_BYTES 48

struct answer {
    const struct tabular_stored *stored;
    struct reward_errors errors;
    struct tabular_question question;
    struct tabular_prediction prediction;
    const char *position; /* as typed */
    char *item, *other;   /* names, owned */
};

static void answer_scoped_end(struct answer *answer) {
    reward_errors_close(&answer->errors);
    mem_free(answer->item);
    mem_free(answer->other);
}

static bool has_ties(const struct answer *answer) {
    return answer->prediction.tie.value > 0.0;
}

/* ---- text ---- */

static void add_share(struct strbuf *out, const char *what, int64_t columns,
                      const struct tabular_share *share) {
    strbuf_add(out, "  ");
    strbuf_add(out, what);
    strbuf_add_repeated(out, ' ', (size_t)(columns - text_wrap_columns(what)));
    strbuf_addf(out, "  %.4f", share->value);
    if (isfinite(share->low)) {
        strbuf_addf(out, "  [%.4f, %.4f]", share->low, share->high);
    }
    strbuf_add_char(out, '\n');
}

static void write_text(const struct answer *answer, struct strbuf *out) {
    SCOPED(strbuf) struct strbuf wins = STRBUF_INIT(NAME_BYTES + 16);
    SCOPED(strbuf) struct strbuf loses = STRBUF_INIT(NAME_BYTES + 16);
    strbuf_addf(&wins, "%s wins", answer->item);
    strbuf_addf(&loses, "%s wins", answer->other);
    strbuf_take_failure(out, &wins);
    strbuf_take_failure(out, &loses);
    int64_t left = text_wrap_columns(strbuf_text(&wins));
    int64_t right = text_wrap_columns(strbuf_text(&loses));
    int64_t columns = left > right ? left : right;
    const struct tabular_prediction *p = &answer->prediction;
    strbuf_add(out, "fit ");
    output_add_visible_text(out, answer->stored->name);
    strbuf_add(out, "\n\n");
    add_share(out, strbuf_text(&wins), columns, &p->win);
    if (has_ties(answer)) {
        add_share(out, "a tie", columns, &p->tie);
    }
    add_share(out, strbuf_text(&loses), columns, &p->loss);
    strbuf_addf(out, "\nThe difference is %.4f", p->difference);
    if (isfinite(p->std_error)) {
        strbuf_addf(out, " +- %.4f", p->std_error);
    }
    const struct tabular_parameter *position =
        tabular_fit_parameter(&answer->stored->fit, "position");
    strbuf_add(out, " nats");
    if (position && answer->question.side != 0) {
        strbuf_addf(out, ", %.4f of it for being shown first, or at home",
                    position->value * answer->question.side);
    }
    if (isfinite(p->win.low)) {
        strbuf_addf(out, "; intervals of %g %%", 100.0 * answer->question.level);
    }
    strbuf_add(out, ".\n");
}

/* ---- JSON ---- */

static void put_share(struct json_writer *w, const char *key, const struct tabular_share *share) {
    json_put_object_begin(w, key);
    json_put_f64_or_null(w, "value", share->value);
    json_put_f64_or_null(w, "low", share->low);
    json_put_f64_or_null(w, "high", share->high);
    json_write_object_end(w);
}

static enum err_code write_json(const struct answer *answer, struct strbuf *out,
                                struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_string(&w, "fit", answer->stored->name);
    json_put_string(&w, "model", tabular_model_name(answer->stored->fit.options.model));
    json_put_string(&w, "item", answer->item);
    json_put_string(&w, "other", answer->other);
    json_put_string(&w, "position", answer->position);
    json_put_f64_or_null(&w, "confidence", answer->question.level);
    json_put_f64_or_null(&w, "difference", answer->prediction.difference);
    json_put_f64_or_null(&w, "std_error", answer->prediction.std_error);
    put_share(&w, "win", &answer->prediction.win);
    put_share(&w, "tie", &answer->prediction.tie);
    put_share(&w, "loss", &answer->prediction.loss);
    reward_errors_put(&answer->errors, &w);
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}

/* ---- the command ---- */

static enum err_code find_answer(struct run *run, struct db *db, struct answer *answer,
                                 struct error *err) {
    const struct tabular_fit *fit = &answer->stored->fit;
    tabular_predict(fit, &answer->question, &answer->prediction);
    if (fit->covariance) {
        return ERR_OK;
    }
    TRY(reward_errors_open(run, db, answer->stored, &answer->errors, err));
    if (answer->errors.variance) {
        struct tabular_spread spread;
        TRY(tabular_variance_spread(answer->errors.variance, &answer->question, &spread, err));
        tabular_predict_with(fit, &answer->question, &spread, &answer->prediction);
    }
    return ERR_OK;
}

static enum err_code ask(struct db *db, const struct command_args *args,
                         const struct tabular_stored *stored, struct answer *answer,
                         struct error *err) {
    struct tabular_question *question = &answer->question;
    TRY(tabular_stored_find_item(db, stored, args->positionals[1], &question->item, err));
    TRY(tabular_stored_find_item(db, stored, args->positionals[2], &question->other, err));
    if (question->item == question->other) {
        return err_set(err, ERR_USAGE, "both items are '%s'", args->positionals[1]);
    }
    if (!tabular_stored_comparable(stored, question->item, question->other)) {
        return err_set(err, ERR_USAGE,
                       "the two are answers to different prompts, whose rewards have no common "
                       "zero");
    }
    answer->position = command_args_text(args, "position");
    question->side = strcmp(answer->position, "first") == 0    ? 1
                     : strcmp(answer->position, "second") == 0 ? -1
                                                               : 0;
    if (question->side != 0 && !tabular_fit_parameter(&stored->fit, "position")) {
        return err_set(err, ERR_USAGE,
                       "--position: fit '%s' has no position effect; fit with --position-effect",
                       stored->name);
    }
    question->level = command_args_real(args, "confidence");
    TRY(tabular_stored_item_text(db, stored, question->item, NAME_BYTES, &answer->item, err));
    return tabular_stored_item_text(db, stored, question->other, NAME_BYTES, &answer->other, err);
}

static enum err_code predict_run(struct run *run, const struct command_args *args,
                                 struct error *err) {
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(args->positionals[0], DB_MODE_READ_ONLY, run->log, &db, err));
    SCOPED(tabular_stored) struct tabular_stored stored = TABULAR_STORED_INIT;
    TRY(tabular_store_load(db, command_args_text(args, "fit"), &stored, err));
    SCOPED(answer) struct answer answer = {.stored = &stored};
    TRY(ask(db, args, &stored, &answer, err));
    TRY(find_answer(run, db, &answer, err));
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    if (run->output->json) {
        TRY(write_json(&answer, &text, err));
    } else {
        write_text(&answer, &text);
    }
    return output_text(run->output, &text, err);
}

static const char *const positions[] = {"first", "second", "unknown", NULL};

static const struct command_option options[] = {
    REWARD_OPTION_FIT,
    {.name = "position",
     .kind = OPTION_CHOICE,
     .choices = positions,
     .default_text = "unknown",
     .help = "where the first item is shown, or first: at home"},
    {.name = "confidence",
     .kind = OPTION_REAL,
     .metavar = "P",
     .default_text = "0.95",
     .min = 0.5,
     .max = 0.9999,
     .help = "of the intervals"},
    {.name = NULL},
};

static const struct command_positional positionals[] = {
    {.name = "project.db", .kind = OPTION_FILE, .help = "the project file"},
    {.name = "item", .kind = OPTION_TEXT, .help = "its name or whole text; '#12' is response 12"},
    {.name = "other", .kind = OPTION_TEXT, .help = "what it is compared with"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord reward predict football.db Brazil Germany", "on neutral ground"},
    {"accord reward predict football.db Brazil Germany --position first", "in Brazil"},
    {NULL, NULL},
};

const struct command cmd_reward_predict = {
    .name = "predict",
    .purpose = "say how a comparison of two items would go",
    .description = "The intervals say how sure the fit is of the probabilities; they do not allow "
                   "for the model being wrong.",
    .options = options,
    .positionals = positionals,
    .examples = examples,
    .function = predict_run,
    .interrupt_notice = "stopping; again to stop at once\n",
};
