/* cmd_reward_list.c - accord reward list: which fits a project file holds. */
#include "base/json.h"
#include "base/json_writer.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/text_wrap.h"
#include "base/utf8.h"
#include "data/project.h"
#include "reward/tabular_store.h"
#include "trainer/cmd_reward.h"
#include "trainer/run.h"

#include <inttypes.h>
#include <string.h>

#define NAME_BYTES (4 * TABULAR_NAME_BYTES_MAX)

/* The number of comparisons that it was fitted to; -1 where that is not said. */
static int64_t comparisons_of(const struct tabular_summary *fit) {
    struct error ignored = ERROR_INIT;
    SCOPED(json) struct json *doc = NULL;
    int64_t count = 0;
    bool read = json_parse(fit->result_json, strlen(fit->result_json), fit->name, NULL, &doc,
                           &ignored) == ERR_OK &&
                json_get_i64(doc, json_root(doc), "comparisons", &count, &ignored) == ERR_OK;
    return read ? count : -1;
}

/* Fits are stored under printable names, but the file may come from elsewhere. */
static const char *visible(const char *name, char out[NAME_BYTES]) {
    return utf8_visible(name, strlen(name), out, NAME_BYTES);
}

static int64_t name_columns(const struct tabular_list *list) {
    int64_t columns = 4;
    char name[NAME_BYTES];
    for (int64_t f = 0; f < list->count; f++) {
        int64_t wide = text_wrap_columns(visible(list->fits[f].name, name));
        columns = wide > columns ? wide : columns;
    }
    return columns;
}

static void write_text(const struct tabular_list *list, struct strbuf *out) {
    if (list->count == 0) {
        strbuf_add(out, "no fit yet: accord reward fit makes one\n");
        return;
    }
    int64_t columns = name_columns(list);
    strbuf_addf(out, "%-*s  %-14s  %9s  %11s  %s\n", (int)columns, "name", "model", "items",
                "comparisons", "made");
    for (int64_t f = 0; f < list->count; f++) {
        const struct tabular_summary *fit = &list->fits[f];
        char name[NAME_BYTES], model[NAME_BYTES];
        strbuf_add(out, visible(fit->name, name));
        strbuf_add_repeated(out, ' ', (size_t)(columns - text_wrap_columns(name)));
        strbuf_addf(out, "  %-14s  %9" PRId64 "  %11" PRId64 "  %s\n", visible(fit->model, model),
                    fit->item_count, comparisons_of(fit),
                    clock_utc_text(fit->created_at_ms * CLOCK_NS_PER_MS).text);
    }
}

static void put_fit(struct json_writer *w, const struct tabular_summary *fit) {
    json_write_object_begin(w);
    json_put_string(w, "name", fit->name);
    json_put_string(w, "model", fit->model);
    json_put_string_or_null(w, "population", fit->population);
    json_put_i64(w, "items", fit->item_count);
    json_put_i64(w, "comparisons", comparisons_of(fit));
    json_put_string(w, "created_at", clock_utc_text(fit->created_at_ms * CLOCK_NS_PER_MS).text);
    json_write_object_end(w);
}

static enum err_code write_json(const struct tabular_list *list, struct strbuf *out,
                                struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_array_begin(&w, "fits");
    for (int64_t f = 0; f < list->count; f++) {
        put_fit(&w, &list->fits[f]);
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}

static enum err_code list_run(struct run *run, const struct command_args *args, struct error *err) {
    SCOPED(db) struct db *db = NULL;
    TRY(project_open(args->positionals[0], DB_MODE_READ_ONLY, run->log, &db, err));
    SCOPED(tabular_list) struct tabular_list list = TABULAR_LIST_INIT;
    TRY(tabular_store_list(db, &list, err));
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
    if (run->output->json) {
        TRY(write_json(&list, &text, err));
    } else {
        write_text(&list, &text);
    }
    return output_text(run->output, &text, err);
}

static const struct command_positional positionals[] = {
    {.name = "project.db", .kind = OPTION_FILE, .help = "the project file"},
    {.name = NULL},
};

const struct command cmd_reward_list = {
    .name = "list",
    .purpose = "list the fits of a project file",
    .positionals = positionals,
    .function = list_run,
};
