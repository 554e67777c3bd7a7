#include "data/line_rows.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "tests/support/test.h"

#include <inttypes.h>

#define TEXT_MAX (200 * MIB)

/* "1[first] 2[]"; a refusal as "! message". */
static void check(const char *text, size_t count, const char *expected) {
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(TEXT_MAX);
    SCOPED(mem) char *copy = mem_strndup(text, count);
    SCOPED(input_stream) struct input_stream *in = NULL;
    assert_ok(input_stream_open_bytes(copy, count, "f", &in, &err), &err);
    struct line_rows rows = LINE_ROWS_INIT(in);
    bool has_line = true;
    while (has_line) {
        struct line_row line = {.number = 0};
        enum err_code code = line_rows_next(&rows, &line, &has_line, &err);
        if (code != ERR_OK) {
            assert_int_equal(code, ERR_DATA);
            assert_true(rows.was_long);
            strbuf_addf(&out, "! %s ", err.msg);
            has_line = true;
        } else if (has_line) {
            strbuf_addf(&out, "%" PRId64 "[", line.number);
            strbuf_add_bytes(&out, line.text.bytes, line.text.count < 9 ? line.text.count : 9);
            strbuf_add(&out, "] ");
        }
    }
    assert_string_equal(strbuf_text(&out), expected);
}

static void test_line_rows__ends_lines_at_either_kind_of_end(void **state) {
    (void)state;
    check("", 0, "");
    check("\n", 1, "1[] ");
    check("a", 1, "1[a] ");
    check("a\nb\r\n\nc", 7, "1[a] 2[b] 3[] 4[c] ");
    check("a\r\r\nb\rc\r", 8, "1[a\r] 2[b\rc\r] ");
}

static void test_line_rows__skips_a_line_beyond_the_limit(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
    strbuf_add(&text, "a\n");
    strbuf_add_repeated(&text, 'x', INPUT_ROW_BYTES_MAX);
    strbuf_add(&text, "\n");
    strbuf_add_repeated(&text, 'y', INPUT_ROW_BYTES_MAX + 1);
    strbuf_add(&text, "\nb");
    check(text.bytes, text.length,
          "1[a] 2[xxxxxxxxx] ! f:3: a line of more than 64 MiB, the limit "
          "of a row 4[b] ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_rows__ends_lines_at_either_kind_of_end),
        cmocka_unit_test(test_line_rows__skips_a_line_beyond_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
