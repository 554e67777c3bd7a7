/* import_case.h - JSON rows through a format, compared as text: tests/cases/import/<format>.txt.
 *
 * Use:      import_cases_check(&import_trl, CASES_FOLDER "/trl.txt");
 * File:     # a comment
 *           @ map chosen answer_w        settings for what follows: map, path, name, prompt, topic,
 *           @ prompt Drink?              prefer; a bare @ takes all of them back
 *           == name of a case
 *           {"chosen": "Yes.", ...}      a row, which is line 7 of rows.jsonl, in one line
 *           7 comparison ...             the preferences it makes (preference_text.h), which must
 *                                        also pass preference_check; or "! " and the message of the
 *                                        failure, of which ERR_DATA must be the code ("!! " if not)
 *           and an empty line.
 * Memory:   every row that makes something is read again with each of its allocations failing.
 */
#ifndef TESTS_SUPPORT_IMPORT_CASE_H
#define TESTS_SUPPORT_IMPORT_CASE_H

#include "base/strbuf.h"
#include "data/import_format.h"

#include <stddef.h>

void import_cases_check(const struct import_format *format, const char *path);

/* In this file each row is followed by "<format>: <why>" of the first of `formats` that recognises
 * it, or "none". */
void import_cases_check_recognised(const struct import_format *const *formats, size_t count,
                                   const char *path);

/* One row, for what is too long to write down. Appends the preferences to `out`. */
ERR_NODISCARD enum err_code import_case_read(const struct import_format *format,
                                             const struct import_settings *settings,
                                             const char *row, struct strbuf *out,
                                             struct error *err);

#endif
