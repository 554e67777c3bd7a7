/* run_files.c - see run_files.h. */
#include "tests/support/run_files.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/scoped.h"
#include "tests/support/test.h"

#include <stdbool.h>
#include <string.h>

#define BYTES_MAX (64 * MIB)

char *run_files_read(struct project_case *p, const char *name, size_t *out_bytes) {
    char *bytes = NULL;
    struct error err = ERROR_INIT;
    assert_ok(file_read_all(scratch_path(p->scratch, name), BYTES_MAX, &bytes, out_bytes, &err),
              &err);
    return bytes;
}

void run_files_check_same(struct project_case *p, const char *a, const char *b) {
    size_t a_bytes = 0;
    size_t b_bytes = 0;
    SCOPED(mem) char *left = run_files_read(p, a, &a_bytes);
    SCOPED(mem) char *right = run_files_read(p, b, &b_bytes);
    assert_int_equal(a_bytes, b_bytes);
    assert_memory_equal(left, right, a_bytes);
}

static double number_in(const char *text, const char *key, bool is_last) {
    const char *found = NULL;
    for (const char *at = text; (at = strstr(at, key)) != NULL && (is_last || !found);
         at += strlen(key)) {
        found = at + strlen(key);
    }
    assert_non_null(found);
    char digits[40] = "";
    const size_t length = strcspn(found, ",}\n");
    assert_true(length < sizeof digits);
    memcpy(digits, found, length);
    double value = 0.0;
    assert_true(number_parse_f64(digits, &value));
    return value;
}

double run_files_number(const char *text, const char *key) {
    return number_in(text, key, false);
}

static double number_of(struct project_case *p, const char *name, const char *key, bool is_last) {
    size_t bytes = 0;
    SCOPED(mem) char *text = run_files_read(p, name, &bytes);
    return number_in(text, key, is_last);
}

double run_files_first(struct project_case *p, const char *name, const char *key) {
    return number_of(p, name, key, false);
}

double run_files_last(struct project_case *p, const char *name, const char *key) {
    return number_of(p, name, key, true);
}

double run_files_last_mean(struct project_case *p, const char *name, const char *key, int rows) {
    size_t bytes = 0;
    double sum = 0.0;
    SCOPED(mem) char *text = run_files_read(p, name, &bytes);
    for (int row = 0; row < rows; row++) {
        sum += number_in(text, key, true);
        char *last = strrchr(text, '{');
        assert_non_null(last);
        *last = '\0';
    }
    return sum / rows;
}
