/* cmd_reward_score.c - accord reward score: what rewards say of the answers that were compared. */
#include "base/arena.h"
#include "base/array.h"
#include "base/file_atomic.h"
#include "base/interrupt.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/text_wrap.h"
#include "data/preference_copy.h"
#include "data/preference_reader.h"
#include "data/project.h"
#include "reward/reward_spec.h"
#include "trainer/cmd_reward.h"
#include "trainer/output_path.h"
#include "trainer/reward_sources.h"
#include "trainer/run.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define REWARDS_MAX 16
#define CHUNK_BYTES (1 * MIB)

/* Answers are scored as many at a time as a language model takes in a few forward passes, where
 * those to one prompt share it; their comparisons wait for it. */
#define ANSWERS_AT_ONCE  64
#define ROWS_WAITING_MAX 4096
#define WAITING_BYTES    ((size_t)8 * GIB)

/* Of the answers that a reward knows. */
struct spread {
    int64_t count, unknown;
    double mean, squares, min, max; /* squares: of the distances from the mean */
};

/* An answer in a comparison. */
struct answer_row {
    int64_t comparison_id, prompt_id, response_id, rank;
};

struct scoring {
    struct run *run;
    const char *path; /* NULL: standard output */
    struct file_atomic file;
    struct strbuf rows, text;
    struct progress progress;
    int64_t reward_count;
    const char *specs[REWARDS_MAX];
    struct reward *rewards[REWARDS_MAX];
    struct spread spreads[REWARDS_MAX + 1]; /* the last used is that of the sums */
    struct answer_row *waiting;             /* [waiting_count]: whose rows are to be written */
    int64_t waiting_count, waiting_capacity;
    /* Answers to be asked about: */
    struct arena texts;
    struct preference_prompt *prompt; /* that of the last */
    int64_t prompt_id;
    struct reward_item *items; /* [item_count] */
    int64_t *item_ids;
    double *values;
    int64_t item_count, item_capacity;
    /* By the response's id: what the rewards said, so that an answer is asked about once, however
     * often it was compared. */
    double *known;  /* [capacity, reward_count] */
    bool *is_asked; /* [capacity] */
    int64_t capacity;
    int64_t answers;
};

static void scoring_scoped_end(struct scoring *s) {
    for (int64_t r = 0; r < s->reward_count; r++) {
        reward_free(s->rewards[r]);
    }
    progress_close(&s->progress);
    file_atomic_close(&s->file);
    strbuf_deinit(&s->rows);
    strbuf_deinit(&s->text);
    arena_deinit(&s->texts);
    mem_free(s->waiting);
    mem_free(s->items);
    mem_free(s->item_ids);
    mem_free(s->values);
    mem_free(s->known);
    mem_free(s->is_asked);
}

/* Welford 1962, "Note on a method for calculating corrected sums of squares and products". */
static void spread_add(struct spread *spread, double value) {
    if (isnan(value)) {
        spread->unknown++;
        return;
    }
    spread->min = spread->count == 0 ? value : fmin(spread->min, value);
    spread->max = spread->count == 0 ? value : fmax(spread->max, value);
    double distance = value - spread->mean;
    spread->mean += distance / (double)++spread->count;
    spread->squares += distance * (value - spread->mean);
}

/* NaN for fewer than two. */
static double spread_sd(const struct spread *spread) {
    return spread->count < 2 ? (double)NAN : sqrt(spread->squares / (double)(spread->count - 1));
}

static double spread_mean(const struct spread *spread) {
    return spread->count < 1 ? (double)NAN : spread->mean;
}

/* ---- a row an answer ------------------------------------------------------------------------ */

static enum err_code add_row(struct scoring *s, const struct answer_row *row, struct error *err) {
    double sum = 0.0;
    struct json_writer w = JSON_WRITER_INIT(&s->rows, JSON_COMPACT);
    json_write_object_begin(&w);
    json_put_i64(&w, "comparison_id", row->comparison_id);
    json_put_i64(&w, "prompt_id", row->prompt_id);
    json_put_i64(&w, "response_id", row->response_id);
    json_put_i64(&w, "rank", row->rank);
    json_put_array_begin(&w, "rewards");
    for (int64_t r = 0; r < s->reward_count; r++) {
        double value = s->known[row->response_id * s->reward_count + r];
        json_write_f64_or_null(&w, value);
        spread_add(&s->spreads[r], value);
        sum += value;
    }
    json_write_array_end(&w);
    json_put_f64_or_null(&w, "reward", sum);
    json_write_object_end(&w);
    strbuf_add_char(&s->rows, '\n');
    spread_add(&s->spreads[s->reward_count], sum);
    return json_writer_finish(&w, err);
}

static enum err_code flush(struct scoring *s, struct error *err) {
    if (s->path) {
        TRY(file_atomic_write(&s->file, strbuf_text(&s->rows), s->rows.length, err));
    } else {
        TRY(output_rows(s->run->output, &s->rows, err));
    }
    strbuf_reset(&s->rows);
    return ERR_OK;
}

static enum err_code know_id(struct scoring *s, int64_t response_id, struct error *err) {
    const int64_t before = s->capacity;
    if (response_id < 0) {
        return err_set(err, ERR_DATA, "response %" PRId64 " has an id that is negative",
                       response_id);
    }
    const struct array_ref arrays[] = {{&s->known, (size_t)s->reward_count * sizeof *s->known},
                                       ARRAY_REF(s->is_asked)};
    TRY(arrays_reserve(arrays, 2, &s->capacity, response_id + 1, "rewards of answers", err));
    if (s->capacity > before) {
        memset(s->is_asked + before, 0, (size_t)(s->capacity - before) * sizeof *s->is_asked);
    }
    return ERR_OK;
}

static enum err_code make_room(struct scoring *s, struct error *err) {
    const struct array_ref arrays[] = {ARRAY_REF(s->items), ARRAY_REF(s->item_ids),
                                       ARRAY_REF(s->values)};
    TRY(array_reserve(ARRAY_REF(s->waiting), &s->waiting_capacity, s->waiting_count + 1,
                      "rows that wait for rewards", err));
    return arrays_reserve(arrays, 3, &s->item_capacity, s->item_count + 1, "answers to score", err);
}

/* The record's prompt, copied unless the last answer has the same. */
static enum err_code keep_prompt(struct scoring *s, const struct preference_record *record,
                                 struct error *err) {
    if (s->prompt && s->prompt_id == record->prompt_id) {
        return ERR_OK;
    }
    struct preference_prompt *prompt = arena_array(&s->texts, 1, sizeof *prompt);
    if (!prompt) {
        return err_oom(err, "answers to score");
    }
    TRY(preference_prompt_copy(&record->row.prompt, &s->texts, prompt, err));
    s->prompt = prompt;
    s->prompt_id = record->prompt_id;
    return ERR_OK;
}

static enum err_code ask_about(struct scoring *s, const struct preference_record *record, int64_t i,
                               struct error *err) {
    struct preference_response *response = arena_array(&s->texts, 1, sizeof *response);
    if (!response) {
        return err_oom(err, "answers to score");
    }
    TRY(keep_prompt(s, record, err));
    TRY(preference_response_copy(&record->row.responses[i], &s->texts, response, err));
    s->items[s->item_count] = (struct reward_item){s->prompt, response};
    s->item_ids[s->item_count++] = record->response_ids[i];
    s->is_asked[record->response_ids[i]] = true;
    return ERR_OK;
}

static enum err_code take_record(struct scoring *s, const struct preference_record *record,
                                 struct error *err) {
    for (int64_t i = 0; i < record->row.response_count; i++) {
        const int64_t id = record->response_ids[i];
        TRY(know_id(s, id, err));
        TRY(make_room(s, err));
        if (!s->is_asked[id]) {
            TRY(ask_about(s, record, i, err));
        }
        s->waiting[s->waiting_count++] =
            (struct answer_row){record->id, record->prompt_id, id, record->row.responses[i].rank};
    }
    return ERR_OK;
}

/* What the rewards say of the answers to be asked about. */
static enum err_code ask(struct scoring *s, struct error *err) {
    for (int64_t r = 0; r < s->reward_count && s->item_count > 0; r++) {
        TRY(err_wrap(err, reward_score(s->rewards[r], s->items, s->item_count, s->values, err),
                     "comparisons %" PRId64 " to %" PRId64, s->waiting[0].comparison_id,
                     s->waiting[s->waiting_count - 1].comparison_id));
        for (int64_t k = 0; k < s->item_count; k++) {
            s->known[s->item_ids[k] * s->reward_count + r] = s->values[k];
        }
    }
    s->item_count = 0;
    s->prompt = NULL;
    arena_reset(&s->texts);
    return ERR_OK;
}

static enum err_code score_waiting(struct scoring *s, struct error *err) {
    TRY(ask(s, err));
    for (int64_t i = 0; i < s->waiting_count; i++) {
        TRY(add_row(s, &s->waiting[i], err));
    }
    s->answers += s->waiting_count;
    s->waiting_count = 0;
    progress_update(&s->progress, s->answers);
    return s->rows.length >= CHUNK_BYTES ? flush(s, err) : ERR_OK;
}

static enum err_code score_all(struct scoring *s, struct db *db, struct error *err) {
    struct preference_filter filter = {.kinds = UINT32_C(1) << PREFERENCE_COMPARISON};
    SCOPED(preference_reader) struct preference_reader *reader = NULL;
    TRY(preference_reader_open(db, &filter, &reader, err));
    for (;;) {
        struct preference_record record;
        bool has_record = false;
        TRY(preference_reader_next(reader, &record, &has_record, err));
        if (!has_record) {
            break;
        }
        if (interrupt_requested()) {
            return err_set(err, ERR_INTERRUPTED, "interrupted after %" PRId64 " answers",
                           s->answers);
        }
        TRY(take_record(s, &record, err));
        if (s->item_count >= ANSWERS_AT_ONCE || s->waiting_count >= ROWS_WAITING_MAX) {
            TRY(score_waiting(s, err));
        }
    }
    TRY(score_waiting(s, err));
    for (int64_t r = 0; r < s->reward_count; r++) {
        TRY(reward_finish(s->rewards[r], err));
    }
    return flush(s, err);
}

/* ---- the summary ---------------------------------------------------------------------------- */

static const char *spread_name(const struct scoring *s, int64_t r) {
    return r < s->reward_count ? s->specs[r] : "sum";
}

static void put_spread(struct json_writer *w, const char *name, const struct spread *spread) {
    json_write_object_begin(w);
    json_put_string(w, "reward", name);
    json_put_i64(w, "n", spread->count);
    json_put_i64(w, "unknown", spread->unknown);
    json_put_f64_or_null(w, "mean", spread_mean(spread));
    json_put_f64_or_null(w, "sd", spread_sd(spread));
    json_put_f64_or_null(w, "min", spread->count ? spread->min : (double)NAN);
    json_put_f64_or_null(w, "max", spread->count ? spread->max : (double)NAN);
    json_write_object_end(w);
}

static enum err_code write_json(const struct scoring *s, struct strbuf *out, struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_string_or_null(&w, "file", s->path);
    json_put_array_begin(&w, "rewards");
    for (int64_t r = 0; r <= s->reward_count; r++) {
        put_spread(&w, spread_name(s, r), &s->spreads[r]);
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}

/* The sums are those of the only reward where there is one. */
static void write_text(const struct scoring *s, struct strbuf *out) {
    int64_t lines = s->reward_count + (s->reward_count > 1);
    strbuf_addf(out, "%10s  %10s  %10s  %10s  %10s  reward\n", "n", "mean", "sd", "min", "max");
    for (int64_t r = 0; r < lines; r++) {
        const struct spread *spread = &s->spreads[r];
        strbuf_addf(out, "%10" PRId64 "  %10.4g  %10.4g  %10.4g  %10.4g  ", spread->count,
                    spread_mean(spread), spread_sd(spread),
                    spread->count ? spread->min : (double)NAN,
                    spread->count ? spread->max : (double)NAN);
        output_add_visible_text(out, spread_name(s, r));
        if (spread->unknown > 0) {
            strbuf_addf(out, " (knows nothing of %" PRId64 " more)", spread->unknown);
        }
        strbuf_add_char(out, '\n');
    }
}

/* Standard output is for the rows, if they go there, and else for the summary. */
static enum err_code report(struct scoring *s, struct error *err) {
    progress_finish(&s->progress);
    if (!s->path) {
        const struct spread *sum = &s->spreads[s->reward_count];
        log_info(s->run->log, "reward",
                 "%" PRId64 " answers: mean %.4g, sd %.4g, min %.4g, max %.4g", sum->count,
                 spread_mean(sum), spread_sd(sum), sum->min, sum->max);
        return ERR_OK;
    }
    TRY(file_atomic_commit(&s->file, err));
    if (s->run->output->json) {
        TRY(write_json(s, &s->text, err));
    } else {
        write_text(s, &s->text);
    }
    return output_text(s->run->output, &s->text, err);
}

/* ---- the command ---------------------------------------------------------------------------- */

static enum err_code open_rewards(struct scoring *s, const struct command_args *args, struct db *db,
                                  struct error *err) {
    const struct reward_sources sources = reward_sources_of(s->run, db);
    const char *spec = NULL;
    for (int64_t r = 0; (spec = command_args_repeated(args, "reward", r)); r++) {
        if (r == REWARDS_MAX) {
            return err_set(err, ERR_USAGE, "--reward: more than %d", REWARDS_MAX);
        }
        s->specs[r] = spec;
        TRY(reward_spec_open(spec, &sources, &s->rewards[r], err));
        s->reward_count = r + 1;
    }
    if (s->reward_count == 0) {
        return err_set(err, ERR_USAGE, "which reward? Give --reward, such as --reward length");
    }
    return ERR_OK;
}

static enum err_code score_run(struct run *run, const struct command_args *args,
                               struct error *err) {
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(args->positionals[0], DB_MODE_READ_ONLY, run->log, &db, err));
    SCOPED(scoring)
    struct scoring scoring = {.run = run,
                              .path = command_args_text(args, "output"),
                              .file = FILE_ATOMIC_INIT,
                              .texts = ARENA_INIT(WAITING_BYTES),
                              .rows = STRBUF_INIT(OUTPUT_BYTES_MAX),
                              .text = STRBUF_INIT(OUTPUT_BYTES_MAX)};
    TRY(open_rewards(&scoring, args, db, err));
    if (scoring.path) {
        TRY(output_path_check("--output", scoring.path, args->positionals[0], err));
        TRY(file_atomic_open(scoring.path, &scoring.file, err));
    }
    run_progress_open(run, "score", "answers", PROGRESS_TOTAL_UNKNOWN, &scoring.progress);
    TRY(score_all(&scoring, db, err));
    return report(&scoring, err);
}

static const struct command_option options[] = {
    {.name = "reward",
     .short_name = 'r',
     .repeatable = true,
     .kind = OPTION_TEXT,
     .metavar = "SPEC",
     .help = "what gives the numbers; may be repeated, and their sum is shown too"},
    {.name = "output",
     .short_name = 'o',
     .kind = OPTION_FILE,
     .metavar = "FILE",
     .help = "write the rows to this file, and a summary to standard output"},
    {.name = NULL},
};

static const struct command_positional positionals[] = {
    {.name = "project.db", .kind = OPTION_FILE, .help = "the project file"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord reward score tea.db --reward length -o lengths.jsonl", "characters of each answer"},
    {"accord reward score tea.db -r 2*json -r 'not-regex:^Sorry'", "two rules and their sum"},
    {"accord reward score tea.db -r 'command:python3 judge.py'", "a program of one's own"},
    {"accord reward score tea.db -r 'worst(fit:a, fit:b, 0.01*length)'", "the least of three"},
    {NULL, NULL},
};

const struct command cmd_reward_score = {
    .name = "score",
    .purpose = "give the answers of comparisons rewards by rule, program or fit",
    .description = REWARD_SPEC_HELP
    "\n\n"
    "Each answer is asked about once, however often it was compared. The rows are JSON lines: "
    "comparison_id, prompt_id, response_id, rank, rewards (one for "
    "each --reward) and reward, their sum; null where a fit does not know the answer.",
    .options = options,
    .positionals = positionals,
    .examples = examples,
    .function = score_run,
    .interrupt_notice = "stopping; again to stop at once\n",
};
