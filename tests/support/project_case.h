/* project_case.h - a project file of its own for each test of the built program, and looks at what
 * the program printed.
 *
 * Use:      cmocka_unit_test_setup_teardown(test_x, project_case_setup, project_case_teardown)
 *
 *           struct project_case *p = *state;
 *           project_case_import(p, path);
 *           run_program(&p->r, "reward", "fit", p->db, "--json", NULL);
 *           SCOPED(json) struct json *doc = program_json(&p->r);
 *           assert_near(program_number(doc, json_root(doc), "aic"), 12.5, 1e-9);
 *
 * Whatever is not as expected fails the test, with what the program said.
 */
#ifndef TESTS_SUPPORT_PROJECT_CASE_H
#define TESTS_SUPPORT_PROJECT_CASE_H

#include "base/json.h"
#include "tests/support/run_program.h"
#include "tests/support/scratch.h"

struct project_case {
    struct scratch *scratch;
    struct program_result r;
    char db[320]; /* the project, not made yet */
};

int project_case_setup(void **state);
int project_case_teardown(void **state);

/* Makes the project if there is none, and imports a file into it. */
void project_case_import(struct project_case *p, const char *path);

/* The same of rows of JSON. */
void project_case_import_rows(struct project_case *p, const char *rows);

void program_check_ok(const struct program_result *r);
void program_check_refused(const struct program_result *r, int status, const char *part_of_err);

/* What a successful run printed. Owned by the caller (json_free). */
struct json *program_json(const struct program_result *r);

double program_number(const struct json *doc, const struct json_node *object, const char *key);
const char *program_text(const struct json *doc, const struct json_node *object, const char *key);

/* The member of an array of objects whose `key` is this text. */
const struct json_node *program_find(const struct json *doc, const struct json_node *array,
                                     const char *key, const char *text);

#endif
