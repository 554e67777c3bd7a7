/* import_print.h - what `accord import` did, for people and for programs.
 *
 * Use:      import_print_text(&(struct import_print){.project = path, .report = &report, ...},
 * &text); Threads:  no state.
 */
#ifndef TRAINER_IMPORT_PRINT_H
#define TRAINER_IMPORT_PRINT_H

#include "base/strbuf.h"
#include "data/import.h"

struct import_print {
    const char *project; /* path; all are borrowed */
    const struct import_report *report;
    const char *skip_bad; /* NULL: none */
    bool dry_run;
    double seconds;
};

void import_print_text(const struct import_print *print, struct strbuf *out);

/* fails    as json_writer_finish */
ERR_NODISCARD enum err_code import_print_json(const struct import_print *print, struct strbuf *out,
                                              struct error *err);

#endif
