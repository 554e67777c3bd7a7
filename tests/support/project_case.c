/* project_case.c - see project_case.h. */
#include "tests/support/project_case.h"

#include "base/file.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int project_case_setup(void **state) {
    struct project_case *p = calloc(1, sizeof *p);
    if (!p || scratch_setup((void **)&p->scratch) != 0) {
        free(p);
        return -1;
    }
    (void)snprintf(p->db, sizeof p->db, "%s", scratch_path(p->scratch, "p.db"));
    *state = p;
    return 0;
}

int project_case_teardown(void **state) {
    struct project_case *p = *state;
    int result = scratch_teardown((void **)&p->scratch);
    free(p);
    return result;
}

void program_check_ok(const struct program_result *r) {
    if (r->status != 0) {
        fail_msg("status %d: %s%s", r->status, r->out, r->err);
    }
}

void program_check_refused(const struct program_result *r, int status, const char *part_of_err) {
    if (r->status != status || !strstr(r->err, part_of_err)) {
        fail_msg("expected %d and '%s', got %d: %s%s", status, part_of_err, r->status, r->out,
                 r->err);
    }
}

void project_case_import(struct project_case *p, const char *path) {
    if (!file_exists(p->db)) {
        run_program(&p->r, "init", p->db, NULL);
        program_check_ok(&p->r);
    }
    run_program(&p->r, "import", p->db, path, NULL);
    program_check_ok(&p->r);
}

void project_case_import_rows(struct project_case *p, const char *rows) {
    scratch_write(p->scratch, "rows.jsonl", rows);
    project_case_import(p, scratch_path(p->scratch, "rows.jsonl"));
}

struct json *program_json(const struct program_result *r) {
    struct json *doc = NULL;
    struct error err = ERROR_INIT;
    program_check_ok(r);
    assert_ok(json_parse(r->out, strlen(r->out), "output", NULL, &doc, &err), &err);
    return doc;
}

double program_number(const struct json *doc, const struct json_node *object, const char *key) {
    double value = 0.0;
    struct error err = ERROR_INIT;
    assert_ok(json_get_f64(doc, object, key, &value, &err), &err);
    return value;
}

const char *program_text(const struct json *doc, const struct json_node *object, const char *key) {
    const char *text = NULL;
    struct error err = ERROR_INIT;
    assert_ok(json_get_string(doc, object, key, &text, &err), &err);
    return text;
}

const struct json_node *program_find(const struct json *doc, const struct json_node *array,
                                     const char *key, const char *text) {
    for (const struct json_node *n = json_first(array); n; n = json_next(n)) {
        if (strcmp(program_text(doc, n, key), text) == 0) {
            return n;
        }
    }
    fail_msg("no '%s' in the output", text);
    return NULL;
}
