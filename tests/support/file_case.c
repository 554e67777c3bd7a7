/* file_case.c - see file_case.h. */
#include "tests/support/file_case.h"

#include "base/scoped.h"
#include "data/input_stream.h"
#include "data/line_rows.h"
#include "data/table_rows.h"
#include "tests/support/preference_text.h"
#include "tests/support/test.h"

const struct import_settings file_case_settings = {.path = "t.csv"};

struct running {
    const struct file_case *run;
    void *state;
    struct import_batch batch;
};

static void running_scoped_end(struct running *running) {
    if (running->run->format->close) {
        running->run->format->close(running->state);
    }
    import_batch_deinit(&running->batch);
}

static enum err_code take_batch(struct running *running, struct error *err) {
    const struct file_case *run = running->run;
    for (int64_t i = 0; i < running->batch.row_count; i++) {
        TRY(preference_check(running->batch.rows[i], err));
    }
    for (int64_t i = 0; i < running->batch.work_count; i++) {
        TRY(preference_check_work(running->batch.works[i], err));
    }
    for (int64_t i = 0; run->on_row && i < running->batch.row_count; i++) {
        run->on_row(run->context, running->batch.rows[i]);
    }
    for (int64_t i = 0; run->on_work && i < running->batch.work_count; i++) {
        run->on_work(run->context, running->batch.works[i]);
    }
    if (run->out) {
        preference_text_add_batch(run->out, &running->batch);
    }
    return ERR_OK;
}

/* What reading one row gave: its batch, or, when bad rows are skipped, its message. */
static enum err_code take_row(struct running *running, enum err_code code, struct error *err) {
    code = code == ERR_OK ? take_batch(running, err) : code;
    if (code == ERR_DATA && running->run->skip_bad) {
        if (running->run->out) {
            strbuf_addf(running->run->out, "! %s\n", err->msg);
        }
        code = ERR_OK;
    }
    import_batch_reset(&running->batch);
    return code;
}

static struct import_table_row row_of(const struct file_case *run, const char *place,
                                      const struct table_record *record) {
    return (struct import_table_row){
        .settings = run->settings,
        .place = place,
        .cells = record->cells,
        .columns = record->columns,
        .lines = record->lines,
        .cell_count = record->count,
        .line = record->line,
    };
}

static enum err_code run_table(struct running *running, struct input_stream *in,
                               struct error *err) {
    const struct file_case *run = running->run;
    const char *place = input_stream_name(in);
    SCOPED(table_rows) struct table_rows *rows = NULL;
    TRY(table_rows_open(in, TABLE_DELIMITER_FROM_HEADER, &rows, err));
    struct import_table_row header = row_of(run, place, table_rows_header(rows));
    TRY(run->format->open(run->settings, &header, &running->state, err));
    for (;;) {
        struct table_record record;
        bool has_record = true;
        enum err_code code = table_rows_next(rows, &record, &has_record, err);
        if (code == ERR_OK && !has_record) {
            return ERR_OK;
        }
        if (code == ERR_OK) {
            struct import_table_row row = row_of(run, place, &record);
            code = run->format->read_cells(running->state, &row, &running->batch, err);
        } else if (!table_rows_can_go_on(rows)) {
            return code;
        }
        TRY(take_row(running, code, err));
    }
}

static enum err_code run_lines(struct running *running, struct input_stream *in,
                               struct error *err) {
    const struct file_case *run = running->run;
    struct line_rows rows = LINE_ROWS_INIT(in);
    TRY(run->format->open(run->settings, NULL, &running->state, err));
    for (;;) {
        struct line_row line;
        bool has_line = true;
        TRY(line_rows_next(&rows, &line, &has_line, err));
        if (!has_line) {
            return ERR_OK;
        }
        enum err_code code =
            run->format->read_line(running->state, line.number, &line.text, &running->batch, err);
        TRY(take_row(running, code, err));
    }
}

static enum err_code open_stream(const struct file_case *run, struct input_stream **out_in,
                                 struct error *err) {
    if (!run->text) {
        return input_stream_open(run->settings->path, out_in, err);
    }
    size_t count = run->text_bytes > 0 ? run->text_bytes : strlen(run->text);
    return input_stream_open_bytes(run->text, count, run->settings->path, out_in, err);
}

enum err_code file_case_run(const struct file_case *run, struct error *err) {
    SCOPED(input_stream) struct input_stream *in = NULL;
    SCOPED(running) struct running running = {.run = run, .batch = IMPORT_BATCH_INIT};
    TRY(open_stream(run, &in, err));
    TRY(run->format->container == IMPORT_TABLE ? run_table(&running, in, err)
                                               : run_lines(&running, in, err));
    if (run->format->finish) {
        TRY(run->format->finish(running.state, &running.batch, err));
        TRY(take_batch(&running, err));
    }
    if (run->format->note && run->notes) {
        run->format->note(running.state, run->notes);
    }
    return ERR_OK;
}

void file_case_check(const struct import_format *format, const struct import_settings *settings,
                     const char *text, const char *expected) {
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT((size_t)1024 * 1024);
    struct error err = ERROR_INIT;
    const struct file_case run = {.format = format,
                                  .settings = settings ? settings : &file_case_settings,
                                  .text = text,
                                  .out = &out};
    enum err_code code = file_case_run(&run, &err);
    if (strncmp(expected, "! ", 2) == 0) {
        if (code == ERR_OK) {
            fail_msg("read without a failure:\n%s\nexpected: %s", text, expected);
        }
        assert_string_equal(err.msg, expected + 2);
        return;
    }
    if (code != ERR_OK) {
        fail_msg("%s (%s):\n%s", err.msg, err_name(err.code), text);
    }
    assert_string_equal(strbuf_text(&out), expected);
}

const char *file_case_recognise(const struct import_format *format,
                                const struct import_settings *settings, const char *text,
                                char why[IMPORT_WHY_BYTES]) {
    const struct file_case run = {.settings = settings ? settings : &file_case_settings,
                                  .text = text};
    SCOPED(input_stream) struct input_stream *in = NULL;
    struct error err = ERROR_INIT;
    why[0] = '\0';
    assert_ok(open_stream(&run, &in, &err), &err);
    bool found = false;
    if (format->container == IMPORT_TABLE) {
        SCOPED(table_rows) struct table_rows *rows = NULL;
        assert_ok(table_rows_open(in, TABLE_DELIMITER_FROM_HEADER, &rows, &err), &err);
        struct import_table_row header = row_of(&run, "t.csv", table_rows_header(rows));
        found = format->recognise_table(&header, why);
    } else {
        struct line_rows rows = LINE_ROWS_INIT(in);
        struct line_row line;
        bool has_line = true;
        assert_ok(line_rows_next(&rows, &line, &has_line, &err), &err);
        found = has_line && format->recognise_line(&line.text, why);
    }
    assert_true(found == (why[0] != '\0'));
    return why;
}
