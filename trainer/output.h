/* output.h - results on standard output and the one error line: the program's only printing.
 *
 * Use:      SCOPED(strbuf) struct strbuf text = STRBUF_INIT(OUTPUT_BYTES_MAX);
 *           ... build the whole result ...
 *           return output_text(run->output, &text, err);
 *
 * Results:  for people, or with --json exactly one JSON value per run, and then nothing else on
 *           standard output. Progress and the log go to standard error and are not made here.
 * Failing:  nothing is buffered, so a full disk or a reader that went away is reported by the call
 *           that met it. main.c ignores SIGPIPE and SIGXFSZ for that; whoever starts another
 *           program must give them back their default.
 * Threads:  main thread.
 */
#ifndef TRAINER_OUTPUT_H
#define TRAINER_OUTPUT_H

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"

#include <stdbool.h>

/* Largest result that is built in memory before it is printed. */
#define OUTPUT_BYTES_MAX (64 * MIB)

/* Where results go. Those of a command within another (trainer/command_run.h) are no results of the
 * process. */
enum output_place { OUTPUT_STANDARD, OUTPUT_STANDARD_ERROR, OUTPUT_NOWHERE };

struct output {
    bool json;    /* --json: results and errors as JSON */
    bool bold;    /* headings may use the terminal's bold letters */
    bool printed; /* something has been written to `place` */
    enum output_place place;
};

/* Bold if standard output is a terminal that can, and NO_COLOR (no-color.org) is not set. */
struct output output_make(bool json);

/* Writes a finished text, checking the buffer first. Of JSON, what would steer a terminal (C1, DEL,
 * text direction) is escaped. */
ERR_NODISCARD enum err_code output_text(struct output *output, const struct strbuf *text,
                                        struct error *err);

/* Writes rows of data, such as an export's, as they are. */
ERR_NODISCARD enum err_code output_rows(struct output *output, const struct strbuf *rows,
                                        struct error *err);

/* As output_text for a text that is no JSON: with JSON, as {"text": "..."}. */
ERR_NODISCARD enum err_code output_document(struct output *output, const struct strbuf *text,
                                            struct error *err);

/* Appends a text from outside, such as a file's name, so that it can neither break the line nor
 * steer the terminal: bytes of control characters, and ill-formed ones, are shown as \x1b is. */
void output_add_visible(struct strbuf *out, const char *bytes, size_t count);

/* The same for a whole string. */
void output_add_visible_text(struct strbuf *out, const char *text);

/* Writes "accord: <message>" to standard error. With JSON, and nothing printed yet, writes instead
 * {"error": {"code": "USAGE", "exit_status": 2, "message": "..."}} to standard output. Bytes that
 * would break the line are made visible. */
void output_error(struct output *output, const struct error *failure);

#endif
