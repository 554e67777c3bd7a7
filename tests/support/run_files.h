/* run_files.h - what runs of the program left in the scratch folder of a test.
 *
 * Use:      run_files_check_same(p, "a/final/model.safetensors", "b/final/model.safetensors");
 *           assert_near(run_files_first(p, "a/metrics.jsonl", "\"loss\":"), log(2.0), 1e-6);
 *
 * Names lie below the scratch folder. Whatever is not as expected fails the test.
 */
#ifndef TESTS_SUPPORT_RUN_FILES_H
#define TESTS_SUPPORT_RUN_FILES_H

#include "tests/support/project_case.h"

#include <stddef.h>

/* Owned by the caller (mem_free); NUL-terminated. */
char *run_files_read(struct project_case *p, const char *name, size_t *out_bytes);

/* The same bytes. */
void run_files_check_same(struct project_case *p, const char *a, const char *b);

/* The JSON number behind the first `key` in a text. */
double run_files_number(const char *text, const char *key);

/* The JSON number of a file behind the first or the last `key`, which is given as `"loss":`. */
double run_files_first(struct project_case *p, const char *name, const char *key);
double run_files_last(struct project_case *p, const char *name, const char *key);

/* Mean of those behind `key` in the last `rows` JSON lines. */
double run_files_last_mean(struct project_case *p, const char *name, const char *key, int rows);

#endif
