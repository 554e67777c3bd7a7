/* file_case.h - a whole table or file of lines through one format, as import.h would drive it.
 *
 * Use:      struct file_case run = {.format = &import_table, .settings = &settings,
 *                                   .text = "winner,loser\na,b\n", .out = &out};
 *           assert_ok(file_case_run(&run, &err), &err);
 *
 *           Rows must pass preference_check, and works preference_check_work. With `skip_bad` a bad
 *           row leaves "! <message>" in `out`, and the next one is read.
 */
#ifndef TESTS_SUPPORT_FILE_CASE_H
#define TESTS_SUPPORT_FILE_CASE_H

#include "base/strbuf.h"
#include "data/import_format.h"

#include <stdbool.h>
#include <stddef.h>

struct file_case {
    const struct import_format *format; /* of a table or of lines */
    const struct import_settings *settings;
    const char *text;  /* NULL: the file settings->path */
    size_t text_bytes; /* 0: `text` ends with its NUL */
    bool skip_bad;
    struct strbuf *out;   /* preference_text of all rows and works; may be NULL */
    struct strbuf *notes; /* may be NULL */
    void (*on_row)(void *context, const struct preference *row); /* may be NULL */
    void (*on_work)(void *context, const struct preference_work *work);
    void *context;
};

ERR_NODISCARD enum err_code file_case_run(const struct file_case *run, struct error *err);

/* Reads a table of text with these settings (NULL: path "t.csv" and nothing else) and compares: the
 * rows, or after "! " the message of the failure. `format` is import_table or another of tables or
 * lines. */
void file_case_check(const struct import_format *format, const struct import_settings *settings,
                     const char *text, const char *expected);

/* Why `format` recognises the beginning of `text`, in `why`; "" if it does not. */
const char *file_case_recognise(const struct import_format *format,
                                const struct import_settings *settings, const char *text,
                                char why[IMPORT_WHY_BYTES]);

extern const struct import_settings file_case_settings;

#endif
