/* check_print.h - what `accord check` found, for people and for programs.
 *
 * Use:      check_print_text(&(struct check_print){.path = path, .options = &options,
 *                            .report = &report, .bold = bold}, &text);
 * Threads:  no state.
 */
#ifndef TRAINER_CHECK_PRINT_H
#define TRAINER_CHECK_PRINT_H

#include "base/strbuf.h"
#include "data/check.h"

struct check_print {
    const char *path; /* of the project; all three are borrowed */
    const struct check_options *options;
    const struct check_report *report;
    bool bold; /* headings in the terminal's bold letters */
};

void check_print_text(const struct check_print *print, struct strbuf *out);

/* fails    as json_writer_finish */
ERR_NODISCARD enum err_code check_print_json(const struct check_print *print, struct strbuf *out,
                                             struct error *err);

/* "1 error and 2 warnings"; "" if there are none of both. */
#define CHECK_PRINT_SUMMARY_BYTES 96
void check_print_summary(const struct check_report *report, char out[CHECK_PRINT_SUMMARY_BYTES]);

#endif
