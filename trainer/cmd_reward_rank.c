/* cmd_reward_rank.c - accord reward rank: a leaderboard of a stored fit. */
#include "base/file_atomic.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/text_wrap.h"
#include "base/utf8.h"
#include "data/project.h"
#include "reward/leaderboard_svg.h"
#include "trainer/cmd_reward.h"
#include "trainer/output_path.h"
#include "trainer/reward_errors.h"
#include "trainer/run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES_TEXT 48
#define NAME_BYTES_DATA (1 << 20) /* in CSV and JSON */
#define TOP_TEXT        20
#define TOP_SVG         40
#define GROUPS_TEXT     10
#define PROMPT_BYTES    72
#define TITLE_BYTES     512
/* Rows whose intervals are computed without --top: at 10,000 items some 30 s of them. */
#define UNASKED_MAX 1000

enum format { FORMAT_TEXT, FORMAT_CSV, FORMAT_JSON, FORMAT_SVG };

/* Which rows are shown: the first `top` of each prompt, of the first `groups` prompts. */
struct page {
    const char *path; /* of the project file */
    struct db *db;
    const struct tabular_stored *stored;
    const struct leaderboard *board;
    enum format format;
    int64_t top;
    char **names;          /* [board rows]; NULL for rows that are not shown */
    bool has_top;          /* it was asked for */
    const char *reference; /* its name as those of rows; NULL: none */
    const struct reward_errors *errors;
    bool bold;
};

static void names_deinit(char **names, int64_t count) {
    for (int64_t r = 0; names && r < count; r++) {
        mem_free(names[r]);
    }
    mem_free(names);
}

static void page_scoped_end(struct page *page) {
    names_deinit(page->names, page->board->count);
}

/* ---- rows shown ---- */

static bool is_shown(const struct page *page, int64_t row, int64_t *io_group, int64_t *io_place) {
    if (leaderboard_begins_group(page->board, row)) {
        ++*io_group;
        *io_place = 0;
    }
    ++*io_place;
    bool in_groups = page->format != FORMAT_TEXT || *io_group <= GROUPS_TEXT;
    return in_groups && *io_place <= page->top;
}

static int64_t name_bytes(enum format format) {
    return format == FORMAT_TEXT ? NAME_BYTES_TEXT : NAME_BYTES_DATA;
}

static enum err_code read_names(struct page *page, struct error *err) {
    page->names = mem_array_zero((size_t)page->board->count, sizeof *page->names);
    if (!page->names) {
        return err_oom(err, "names of items");
    }
    int64_t bytes_max = name_bytes(page->format);
    int64_t group = 0, place = 0;
    for (int64_t r = 0; r < page->board->count; r++) {
        if (is_shown(page, r, &group, &place)) {
            TRY(tabular_stored_item_text(page->db, page->stored, page->board->rows[r].item,
                                         bytes_max, &page->names[r], err));
        }
    }
    return ERR_OK;
}

/* ---- errors that the fit does not hold ---- */

static enum err_code read_error(const struct page *page, struct leaderboard_row *row,
                                double *out_std_error, struct error *err) {
    struct tabular_variance *variance = page->errors->variance;
    int64_t reference = page->board->options.reference;
    return reference == LEADERBOARD_NO_REFERENCE
               ? tabular_variance_item(variance, row->item, out_std_error, err)
               : tabular_variance_contrast(variance, row->item, reference, out_std_error, err);
}

/* Of the rows shown; of all, they say which ranks are open. */
static enum err_code add_errors(struct run *run, const struct page *page, struct leaderboard *board,
                                struct error *err) {
    SCOPED(progress) struct progress progress = {.open = false};
    run_progress_open(run, "intervals", "items", PROGRESS_TOTAL_UNKNOWN, &progress);
    int64_t done = 0, most = page->has_top ? INT64_MAX : UNASKED_MAX;
    bool has_all = true, is_cut = false;
    for (int64_t r = 0; r < board->count; r++) {
        bool is_wanted = page->names[r] && isnan(board->rows[r].std_error);
        is_cut = is_cut || (is_wanted && done == most);
        if (is_wanted && done < most) {
            double std_error = 0.0;
            TRY(read_error(page, &board->rows[r], &std_error, err));
            leaderboard_set_std_error(board, r, std_error);
            progress_update(&progress, ++done);
        }
        has_all = has_all && !isnan(board->rows[r].std_error);
    }
    progress_finish(&progress);
    if (is_cut) {
        log_warn(run->log, "reward",
                 "intervals of the first %d rows: --top %" PRId64 " computes those of all",
                 UNASKED_MAX, board->count);
    }
    if (has_all && !page->reference && board->ranks == LEADERBOARD_RANKS_UNKNOWN) {
        leaderboard_rank_by_overlap(board);
    }
    return ERR_OK;
}

static bool lacks_errors(const struct page *page) {
    for (int64_t r = 0; r < page->board->count; r++) {
        if (page->names[r] && isnan(page->board->rows[r].std_error)) {
            return true;
        }
    }
    return false;
}

static const char *ranks_words(enum leaderboard_ranks ranks) {
    switch (ranks) {
    case LEADERBOARD_RANKS_CONTRASTS:
        return "ranks that the differences between items leave open";
    case LEADERBOARD_RANKS_OVERLAP:
        return "ranks that overlapping intervals leave open";
    case LEADERBOARD_RANKS_UNKNOWN:
        break;
    }
    return "ranks are by reward alone";
}

/* "football: davidson" for the fit davidson of data/football.db. */
static void format_title(const struct page *page, char out[TITLE_BYTES]) {
    const char *slash = strrchr(page->path, '/'), *name = slash ? slash + 1 : page->path;
    size_t bytes = strlen(name);
    bool has_suffix = bytes > 3 && strcmp(name + bytes - 3, ".db") == 0;
    char shown[TITLE_BYTES / 2];
    utf8_visible(name, has_suffix ? bytes - 3 : bytes, shown, sizeof shown);
    char fit[TITLE_BYTES / 2 - 2];
    utf8_visible(page->stored->name, strlen(page->stored->name), fit, sizeof fit);
    (void)snprintf(out, TITLE_BYTES, "%s: %s", shown, fit);
}

/* ---- text ---- */

static int64_t name_columns(const struct page *page) {
    int64_t columns = 4;
    for (int64_t r = 0; r < page->board->count; r++) {
        int64_t wide = page->names[r] ? text_wrap_columns(page->names[r]) : 0;
        columns = wide > columns ? wide : columns;
    }
    return columns;
}

static void add_padded(struct strbuf *out, const char *text, int64_t columns) {
    strbuf_add(out, text);
    int64_t wide = text_wrap_columns(text);
    strbuf_add_repeated(out, ' ', (size_t)(wide < columns ? columns - wide : 0));
}

static void add_row(const struct page *page, int64_t r, int64_t columns, struct strbuf *out) {
    const struct leaderboard_row *row = &page->board->rows[r];
    char ranks[LEADERBOARD_RANKS_BYTES];
    leaderboard_format_ranks(row, "-", ranks);
    strbuf_addf(out, "%9s  ", ranks);
    add_padded(out, page->names[r], columns);
    strbuf_addf(out, "  %8.3f", row->reward);
    if (isfinite(row->std_error)) {
        strbuf_addf(out, "  [%.3f, %.3f]", row->low, row->high);
    }
    strbuf_add_char(out, '\n');
}

static enum err_code add_prompt(const struct page *page, int64_t prompt_id, struct strbuf *out,
                                struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(page->db,
                     "SELECT CASE kind WHEN 'chat' THEN"
                     " coalesce(json_extract(content, '$[#-1].content'), content)"
                     " ELSE content END FROM prompt WHERE id = ?1",
                     &stmt, err));
    db_bind_i64(stmt, 1, prompt_id);
    bool has_row = false;
    const char *text = NULL;
    size_t bytes = 0;
    TRY(db_stmt_step(stmt, &has_row, err));
    if (!has_row) {
        return err_set(err, ERR_DATA, "prompt %" PRId64 " is gone", prompt_id);
    }
    TRY(db_column_text(stmt, 0, &text, &bytes, err));
    char shown[PROMPT_BYTES];
    strbuf_addf(out, "\nprompt %" PRId64 ": %s\n", prompt_id,
                utf8_visible(text, bytes, shown, sizeof shown));
    return ERR_OK;
}

static bool has_intervals(const struct page *page) {
    return page->stored->fit.std_errors || page->errors->variance;
}

static void add_heading(const struct page *page, int64_t columns, struct strbuf *out) {
    char interval[32];
    (void)snprintf(interval, sizeof interval, "%g %% interval",
                   100.0 * page->board->options.confidence);
    strbuf_addf(out, "%s%9s  ", page->bold ? "\x1b[1m" : "",
                page->board->ranks == LEADERBOARD_RANKS_UNKNOWN ? "rank" : "ranks");
    add_padded(out, "item", columns);
    strbuf_addf(out, "  %8s  %s%s\n", "reward", has_intervals(page) ? interval : "",
                page->bold ? "\x1b[0m" : "");
}

static void add_closing(const struct page *page, int64_t left_out, struct strbuf *out) {
    strbuf_add_char(out, '\n');
    if (left_out > 0) {
        strbuf_addf(out, "%" PRId64 " more items: --top N, or --format csv for all\n", left_out);
    }
    strbuf_add(out, "Rewards are in nats; ");
    if (page->reference) {
        strbuf_addf(out, "that of '%s' is 0", page->reference);
    } else {
        strbuf_addf(out, "the mean of %s is 0",
                    page->board->group_count == 1 ? "all" : "each prompt");
    }
    strbuf_addf(out, "; %s.\n", ranks_words(page->board->ranks));
}

static enum err_code write_text(const struct page *page, struct strbuf *out, struct error *err) {
    int64_t columns = name_columns(page), left_out = 0;
    bool several = page->board->group_count > 1;
    char title[TITLE_BYTES];
    format_title(page, title);
    strbuf_addf(out, "%s, %" PRId64 " items\n", title, page->board->count);
    if (!several) {
        strbuf_add_char(out, '\n');
        add_heading(page, columns, out);
    }
    for (int64_t r = 0; r < page->board->count; r++) {
        if (!page->names[r]) {
            left_out++;
            continue;
        }
        if (several && leaderboard_begins_group(page->board, r)) {
            TRY(add_prompt(page, page->board->rows[r].prompt_id, out, err));
            add_heading(page, columns, out);
        }
        add_row(page, r, columns, out);
    }
    add_closing(page, left_out, out);
    return ERR_OK;
}

/* ---- CSV ---- */

/* Whether a spreadsheet would take it for a formula and run it: not so a number. */
static bool is_formula(const char *text) {
    double unused = 0.0;
    return text[0] && strchr("=+-@", text[0]) &&
           !number_parse_f64(text[0] == '+' ? text + 1 : text, &unused);
}

static void add_cell(struct strbuf *out, const char *text) {
    const char *quote = strpbrk(text, ",\"\r\n") ? "\"" : "";
    strbuf_addf(out, "%s%s", quote, is_formula(text) ? "'" : "");
    for (const char *c = text; *c; c++) {
        strbuf_add(out, *c == '"' ? "\"" : ""); /* a quote twice */
        strbuf_add_char(out, *c);
    }
    strbuf_add(out, quote);
}

static void add_number(struct strbuf *out, double value) {
    char text[JSON_F64_BYTES];
    strbuf_add_char(out, ',');
    strbuf_add(out, isfinite(value) ? json_format_f64(value, text) : "");
}

static void write_csv(const struct page *page, struct strbuf *out) {
    bool responses = page->stored->response_ids != NULL;
    strbuf_addf(out, "rank,rank_best,rank_worst,item,reward,std_error,low,high%s\n",
                responses ? ",response_id,prompt_id" : "");
    for (int64_t r = 0; r < page->board->count; r++) {
        const struct leaderboard_row *row = &page->board->rows[r];
        if (!page->names[r]) {
            continue;
        }
        strbuf_addf(out, "%" PRId64 ",", row->rank);
        if (row->rank_best) {
            strbuf_addf(out, "%" PRId64 ",%" PRId64 ",", row->rank_best, row->rank_worst);
        } else {
            strbuf_add(out, ",,");
        }
        add_cell(out, page->names[r]);
        add_number(out, row->reward);
        add_number(out, row->std_error);
        add_number(out, row->low);
        add_number(out, row->high);
        if (responses) {
            strbuf_addf(out, ",%" PRId64 ",%" PRId64, page->stored->response_ids[row->item],
                        row->prompt_id);
        }
        strbuf_add_char(out, '\n');
    }
}

/* ---- JSON ---- */

static void put_rank(struct json_writer *w, const char *key, int64_t rank) {
    if (rank) {
        json_put_i64(w, key, rank);
    } else {
        json_put_null(w, key);
    }
}

static void put_row(struct json_writer *w, const struct page *page, int64_t r) {
    const struct leaderboard_row *row = &page->board->rows[r];
    json_write_object_begin(w);
    put_rank(w, "rank", row->rank);
    put_rank(w, "rank_best", row->rank_best);
    put_rank(w, "rank_worst", row->rank_worst);
    json_put_string(w, "item", page->names[r]);
    if (page->stored->response_ids) {
        put_rank(w, "response_id", page->stored->response_ids[row->item]);
        put_rank(w, "prompt_id", row->prompt_id);
    }
    json_put_f64_or_null(w, "reward", row->reward);
    json_put_f64_or_null(w, "std_error", row->std_error);
    json_put_f64_or_null(w, "low", row->low);
    json_put_f64_or_null(w, "high", row->high);
    json_write_object_end(w);
}

static enum err_code write_json(const struct page *page, struct strbuf *out, struct error *err) {
    static const char *const ranks_by[] = {
        [LEADERBOARD_RANKS_CONTRASTS] = "contrasts",
        [LEADERBOARD_RANKS_OVERLAP] = "overlap",
        [LEADERBOARD_RANKS_UNKNOWN] = "reward",
    };
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_string(&w, "fit", page->stored->name);
    json_put_string(&w, "model", tabular_model_name(page->stored->fit.options.model));
    json_put_f64_or_null(&w, "confidence", page->board->options.confidence);
    json_put_string(&w, "ranks_by", ranks_by[page->board->ranks]);
    json_put_string_or_null(&w, "reference", page->reference);
    reward_errors_put(page->errors, &w);
    json_put_array_begin(&w, "items");
    for (int64_t r = 0; r < page->board->count; r++) {
        if (page->names[r]) {
            put_row(&w, page, r);
        }
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}

/* ---- SVG ---- */

static enum err_code write_svg(const struct page *page, struct strbuf *out, struct error *err) {
    if (page->board->group_count > 1) {
        return err_set(err, ERR_USAGE,
                       "a picture has room for one prompt, and this fit has %" PRId64
                       ": choose one by --reference ITEM, or take --format csv",
                       page->board->group_count);
    }
    char title[TITLE_BYTES], subtitle[192], axis[192];
    format_title(page, title);
    int64_t shown = page->top < page->board->count ? page->top : page->board->count;
    int used = snprintf(subtitle, sizeof subtitle, "%" PRId64 " of %" PRId64 " items; ", shown,
                        page->board->count);
    if (!has_intervals(page)) {
        (void)snprintf(subtitle + used, sizeof subtitle - (size_t)used, "no standard errors");
    } else {
        bool has_ranks = page->board->ranks != LEADERBOARD_RANKS_UNKNOWN;
        (void)snprintf(subtitle + used, sizeof subtitle - (size_t)used,
                       "whiskers: %g %% confidence; %s%s", 100.0 * page->board->options.confidence,
                       ranks_words(page->board->ranks), has_ranks ? "; blue: may be first" : "");
    }
    (void)snprintf(axis, sizeof axis, "reward in nats, %s%s",
                   page->reference ? "against " : "the mean of all is 0",
                   page->reference ? page->reference : "");
    const struct leaderboard_labels labels = {.title = title,
                                              .subtitle = subtitle,
                                              .axis = axis,
                                              .names = (const char *const *)page->names,
                                              .rows = shown};
    return leaderboard_svg_write(page->board, &labels, out, err);
}

/* ---- the command ---- */

static enum err_code read_format(const struct run *run, const struct command_args *args,
                                 enum format *out, struct error *err) {
    static const char *const names[] = {"text", "csv", "json", "svg"};
    const char *text = command_args_text(args, "format");
    *out = FORMAT_TEXT;
    while (strcmp(names[*out], text) != 0) {
        ++*out;
    }
    if (!run->output->json || *out == FORMAT_JSON) {
        return ERR_OK;
    }
    if (command_args_has(args, "format") && !command_args_has(args, "output")) {
        return err_set(err, ERR_USAGE,
                       "--json and --format %s both want standard output: add -o FILE", text);
    }
    *out = command_args_has(args, "format") ? *out : FORMAT_JSON;
    return ERR_OK;
}

static int64_t default_top(enum format format) {
    return format == FORMAT_TEXT ? TOP_TEXT : format == FORMAT_SVG ? TOP_SVG : INT64_MAX;
}

static enum err_code build(const struct page *page, struct strbuf *out, struct error *err) {
    switch (page->format) {
    case FORMAT_CSV:
        write_csv(page, out);
        break;
    case FORMAT_JSON:
        TRY(write_json(page, out, err));
        break;
    case FORMAT_SVG:
        TRY(write_svg(page, out, err));
        break;
    case FORMAT_TEXT:
        TRY(write_text(page, out, err));
        break;
    }
    return strbuf_check(out, "leaderboard", err);
}

static enum err_code write_file(struct run *run, const char *path, const struct strbuf *text,
                                struct error *err) {
    TRY(file_atomic_write_whole(path, strbuf_text(text), text->length, err));
    SCOPED(strbuf) struct strbuf said = STRBUF_INIT(64 * 1024);
    output_add_visible_text(&said, path);
    strbuf_addf(&said, ": %zu bytes\n", text->length);
    return output_document(run->output, &said, err);
}

static enum err_code put_out(struct run *run, const struct command_args *args,
                             const struct page *page, struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    TRY(build(page, &text, err));
    const char *path = command_args_text(args, "output");
    return path ? write_file(run, path, &text, err) : output_text(run->output, &text, err);
}

static enum err_code rank_run(struct run *run, const struct command_args *args, struct error *err) {
    enum format format = FORMAT_TEXT;
    TRY(read_format(run, args, &format, err));
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(args->positionals[0], DB_MODE_READ_ONLY, run->log, &db, err));
    if (command_args_has(args, "output")) {
        TRY(output_path_check("--output", command_args_text(args, "output"), args->positionals[0],
                              err));
    }
    SCOPED(tabular_stored) struct tabular_stored stored = TABULAR_STORED_INIT;
    TRY(tabular_store_load(db, command_args_text(args, "fit"), &stored, err));
    struct leaderboard_options options = {.confidence = command_args_real(args, "confidence"),
                                          .reference = LEADERBOARD_NO_REFERENCE};
    SCOPED(mem) char *reference = NULL;
    if (command_args_has(args, "reference")) {
        TRY(tabular_stored_find_item(db, &stored, command_args_text(args, "reference"),
                                     &options.reference, err));
        TRY(tabular_stored_item_text(db, &stored, options.reference, name_bytes(format), &reference,
                                     err));
    }
    SCOPED(leaderboard) struct leaderboard board = LEADERBOARD_INIT;
    TRY(leaderboard_make(&stored, &options, &board, err));
    SCOPED(reward_errors) struct reward_errors errors = REWARD_ERRORS_INIT;
    SCOPED(page)
    struct page page = {
        .path = args->positionals[0],
        .db = db,
        .stored = &stored,
        .board = &board,
        .format = format,
        .has_top = command_args_has(args, "top"),
        .top =
            command_args_has(args, "top") ? command_args_integer(args, "top") : default_top(format),
        .reference = reference,
        .errors = &errors,
        .bold = run->output->bold && !command_args_has(args, "output"),
    };
    TRY(read_names(&page, err));
    if (lacks_errors(&page)) {
        TRY(reward_errors_open(run, db, &stored, &errors, err));
        TRY(errors.variance ? add_errors(run, &page, &board, err) : ERR_OK);
    }
    return put_out(run, args, &page, err);
}

static const char *const formats[] = {"text", "csv", "json", "svg", NULL};

static const struct command_option options[] = {
    REWARD_OPTION_FIT,
    {.name = "top",
     .short_name = 'n',
     .kind = OPTION_INTEGER,
     .metavar = "N",
     .min = 1,
     .max = 1e9,
     .help = "only the first N items of each prompt (default: 20 as text, 40 as a picture, else "
             "all)"},
    {.name = "reference",
     .kind = OPTION_TEXT,
     .metavar = "ITEM",
     .help = "the item whose reward is zero; '#12' is response 12"},
    {.name = "confidence",
     .kind = OPTION_REAL,
     .metavar = "P",
     .default_text = "0.95",
     .min = 0.5,
     .max = 0.9999,
     .help = "of the intervals, and of a difference that orders two items"},
    {.name = "format",
     .kind = OPTION_CHOICE,
     .choices = formats,
     .default_text = "text",
     .help = "how the table is written"},
    {.name = "output",
     .short_name = 'o',
     .kind = OPTION_FILE,
     .metavar = "FILE",
     .help = "write it there instead of printing it"},
    {.name = NULL},
};

static const struct command_positional positionals[] = {
    {.name = "project.db", .kind = OPTION_FILE, .help = "the project file"},
    {.name = NULL},
};

static const struct command_example examples[] = {
    {"accord reward rank tea.db", "the best twenty, with intervals"},
    {"accord reward rank football.db --reference Brazil", "rewards against one of them"},
    {"accord reward rank tea.db --format svg -o tea.svg", "a picture"},
    {NULL, NULL},
};

const struct command cmd_reward_rank = {
    .name = "rank",
    .purpose = "show the leaderboard of a fit",
    .description =
        "Ranks that the data leave open are shown as a range: an item with 2-4 is surely worse "
        "than one other and surely better than all but three, where surely means that the interval "
        "of "
        "the difference of two rewards leaves out zero. Each pair is judged on its own.\n\n"
        "A fit of more than 2,000 items keeps no covariance: the intervals of the rows shown are "
        "computed from its comparisons, without --top at most 1,000 of them.\n\n"
        "In CSV a name that begins with = + - or @ and is no number has a ' put before it, as "
        "spreadsheets have it: they would run it as a formula.",
    .options = options,
    .positionals = positionals,
    .examples = examples,
    .function = rank_run,
    .interrupt_notice = "stopping; again to stop at once\n",
};
