#include "data/table_rows.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/gzip_bytes.h"
#include "tests/support/test.h"

#include <inttypes.h>
#include <stdio.h>

#define OUT_MAX  (4 * MIB)
#define TEXT_MAX (200 * MIB)

/* "2:1[a] 2:3[b]": each cell with its place. */
static void add_record(const struct table_record *record, struct strbuf *out) {
    for (int64_t i = 0; i < record->count; i++) {
        strbuf_addf(out, "%s%" PRId64 ":%" PRId64 "[", i > 0 ? " " : "", record->lines[i],
                    record->columns[i]);
        strbuf_add_bytes(out, record->cells[i].bytes, record->cells[i].count);
        strbuf_add_char(out, ']');
    }
    strbuf_add_char(out, '\n');
}

/* The records behind the header; refusals as "! message", and "stop" where it is not known how to
 * go on. */
static enum err_code read_records(const char *text, size_t count, char delimiter,
                                  struct strbuf *out, struct error *err) {
    SCOPED(mem) char *copy = mem_strndup(text, count);
    SCOPED(input_stream) struct input_stream *in = NULL;
    SCOPED(table_rows) struct table_rows *rows = NULL;
    if (!copy) {
        return err_oom(err, "a copy");
    }
    TRY(input_stream_open_bytes(copy, count, "f.csv", &in, err));
    TRY(table_rows_open(in, delimiter, &rows, err));
    bool has_record = true;
    while (has_record) {
        struct table_record record;
        struct error bad = ERROR_INIT;
        enum err_code code = table_rows_next(rows, &record, &has_record, &bad);
        if (code == ERR_DATA) {
            strbuf_addf(out, "! %s\n", bad.msg);
            has_record = table_rows_can_go_on(rows);
            strbuf_add(out, has_record ? "" : "stop\n");
        } else if (code != ERR_OK) {
            *err = bad;
            return code;
        } else if (has_record) {
            add_record(&record, out);
        }
    }
    return ERR_OK;
}

static void check_with(const char *text, size_t count, char delimiter, const char *expected) {
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(OUT_MAX);
    struct error err = ERROR_INIT;
    if (read_records(text, count, delimiter, &out, &err) != ERR_OK) {
        strbuf_addf(&out, "!! %s\n", err.msg);
    }
    if (strcmp(strbuf_text(&out), expected) != 0) {
        fail_msg("%.200s\nexpected\n%sgot\n%s", text, expected, strbuf_text(&out));
    }
}

static void check(const char *text, const char *expected) {
    check_with(text, strlen(text), TABLE_DELIMITER_FROM_HEADER, expected);
}

/* ---- CSV ---- */

static void test_table_rows__reads_plain_records(void **state) {
    (void)state;
    check("a,b\n1,2\n3,4\n", "2:1[1] 2:3[2]\n3:1[3] 3:3[4]\n");
    check("a,b\r\n1,2\r\n3,4", "2:1[1] 2:3[2]\n3:1[3] 3:3[4]\n");
    check("a,b\n1,2\r", "2:1[1] 2:3[2]\n");
    check("a,b,c\n,,\n 1 ,, \n", "2:1[] 2:2[] 2:3[]\n3:1[ 1 ] 3:5[] 3:6[ ]\n");
    check("\n\r\na,b\n\n1,2\n\r\n\n", "5:1[1] 5:3[2]\n");
    check("a\nx\n\ny\n", "2:1[x]\n4:1[y]\n");
    check("a,b", "");
    check("\xEF\xBB\xBF"
          "a,b\n1,2\n",
          "2:1[1] 2:3[2]\n");
}

static void test_table_rows__reads_quoted_cells(void **state) {
    (void)state;
    check("a,b\n\"1\",\"2\"\n", "2:1[1] 2:5[2]\n");
    check("a,b\n\"x,\"\"y\"\"\",\"\"\n", "2:1[x,\"y\"] 2:11[]\n");
    check("a,b\n\"\"\"\",\"\"\"\"\"\"\n", "2:1[\"] 2:6[\"\"]\n");
    check("a,b\r\n\"1\"\r\n", "! f.csv:2:4: a record of 1 cells, but the header has 2 columns\n");
    check("a,b\r\n\"1\",\"2\"\r\n", "2:1[1] 2:5[2]\n");
    check("a,b\n1,\"2\"", "2:1[1] 2:3[2]\n");
    check("\"a\nb\",\"c,\"\n1,2\n", "3:1[1] 3:3[2]\n");
}

/* The cell behind a line break stands in the next line, where it is counted from. */
static void test_table_rows__counts_lines_inside_records(void **state) {
    (void)state;
    check("a,b\n\"x\r\ny\",2\n3,4\n", "2:1[x\r\ny] 3:4[2]\n4:1[3] 4:3[4]\n");
    check("a,b\n\"\n\n\",\"\n\"\n3,4\n", "2:1[\n\n] 4:3[\n]\n6:1[3] 6:3[4]\n");
    check("a,b\n\xC3\xA9\xE2\x82\xAC,2\n", "2:1[\xC3\xA9\xE2\x82\xAC] 2:4[2]\n"); /* characters */
    check("a,b,c\n\xC3\xA9,\"\xC3\xA9\n\",3\n", "2:1[\xC3\xA9] 2:3[\xC3\xA9\n] 3:3[3]\n");
}

static void test_table_rows__finds_the_delimiter(void **state) {
    (void)state;
    check("a;b,c\n1;2\n", "! f.csv:2:4: a record of 1 cells, but the header has 2 columns\n");
    check("a;b;c,d\n1;2;3\n", "2:1[1] 2:3[2] 2:5[3]\n");
    check("\"a;b;c\",d\n1,2\n", "2:1[1] 2:3[2]\n");
    check("a,b\tc\n1,2\t3\n", "2:1[1,2] 2:5[3]\n");
    check_with("a,b;c\n1,2;3\n", 12, ';', "2:1[1,2] 2:5[3]\n");
}

static void test_table_rows__keeps_the_header(void **state) {
    (void)state;
    static const char text[] = "\nx,\"y\n\"\"z\"\"\",\xC3\xA9\n1,2,3\n";
    struct error err = ERROR_INIT;
    SCOPED(input_stream) struct input_stream *in = NULL;
    SCOPED(table_rows) struct table_rows *rows = NULL;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(OUT_MAX);
    struct table_record record;
    bool has_record = false;
    assert_ok(input_stream_open_bytes(text, sizeof text - 1, "f", &in, &err), &err);
    assert_ok(table_rows_open(in, TABLE_DELIMITER_FROM_HEADER, &rows, &err), &err);
    assert_ok(table_rows_next(rows, &record, &has_record, &err), &err);
    add_record(table_rows_header(rows), &out);
    assert_string_equal(strbuf_text(&out), "2:1[x] 2:3[y\n\"z\"] 3:8[\xC3\xA9]\n");
    assert_int_equal(table_rows_delimiter(rows), ',');
    assert_int_equal(record.line, 4);
    assert_int_equal(record.text.count, strlen("1,2,3"));
    assert_memory_equal(record.text.bytes, "1,2,3", 5);
}

/* ---- TSV ---- */

static void test_table_rows__takes_quotes_in_tsv_as_they_stand(void **state) {
    (void)state;
    check("a\tb\nhe said \"x\"\t\"y\" he said\n", "2:1[he said \"x\"] 2:13[\"y\" he said]\n");
    check("a\tb\n\"\t\"x\n", "2:1[\"] 2:3[\"x]\n");
    check("a\tb\n\"x\" and \"y\"\t\"x\"y\"\n", "2:1[\"x\" and \"y\"] 2:13[\"x\"y\"]\n");
    check("a\tb\n\"x\"\"\"\t\"\"\"\n", "2:1[x\"] 2:7[\"\"\"]\n");
    check("a\tb\n\"x\"\t\"\"\n", "2:1[x] 2:5[]\n"); /* as a spreadsheet writes them */
    check(
        "a\tb\n\"x\ny\"\t2\n",
        "! f.csv:2:3: a record of 1 cells, but the header has 2 columns; in TSV a cell has no tab "
        "or line break\n3:1[y\"] 3:4[2]\n");
}

/* ---- bad records ---- */

static void test_table_rows__refuses_bad_quoting_and_goes_on(void **state) {
    (void)state;
    check("a,b\nx\"y,2\n3,4\n", "! f.csv:2:2: a quote inside a cell; write the cell in quotes, and "
                                "this one twice\n3:1[3] 3:3[4]\n");
    check("a,b\n\"x\"y,2\n3,4\n", "! f.csv:2:4: text behind a closing quote; a quote that is part "
                                  "of the text is written twice\n3:1[3] 3:3[4]\n");
    check("a,b\n\"1\n2\"x,2\n3,4\n", "! f.csv:3:3: text behind a closing quote; a quote that is "
                                     "part of the text is written twice\n4:1[3] 4:3[4]\n");
    check("a,b\n1,2\n3,\"4\n5,6\n",
          "2:1[1] 2:3[2]\n! f.csv:3:3: the quote that opens here is never closed; a quote that is "
          "part of the text is written twice, in a cell in quotes\nstop\n");
}

static void test_table_rows__refuses_ragged_records_and_goes_on(void **state) {
    (void)state;
    check("a,b\n1\n1,2,3\n1,2\n", "! f.csv:2:2: a record of 1 cells, but the header has 2 columns\n"
                                  "! f.csv:3:5: a record of 3 cells, but the header has 2 columns\n"
                                  "4:1[1] 4:3[2]\n");
    check("a,b\n1,2,\"3\n4\"\n1,2\n", "! f.csv:2:6: a record of 3 cells, but the header has 2 "
                                      "columns\n4:1[1] 4:3[2]\n");
}

static void test_table_rows__refuses_encodings_with_their_place(void **state) {
    (void)state;
    check("a,b\n\xC3\xA9,x\xFFy\n1,2\n",
          "! f.csv:2:4: invalid UTF-8 at byte 0xff: save the file as UTF-8\n3:1[1] 3:3[2]\n");
    const char nul[] = "a,b\n\"x\n\0\",2\n1,2\n";
    check_with(nul, sizeof nul - 1, TABLE_DELIMITER_FROM_HEADER,
               "! f.csv:3:1: a NUL byte, which no text holds\n4:1[1] 4:3[2]\n");
    check("a,b\n1\r2,3\n4,5\n", "! f.csv:2:2: a carriage return without a line feed; lines end in "
                                "one\n3:1[4] 3:3[5]\n");
    check("a,b\r1,2\r", "!! f.csv:1:4: a carriage return without a line feed; lines end in one\n");
}

static void test_table_rows_open__refuses_a_file_without_header(void **state) {
    (void)state;
    check("", "!! f.csv: the file is empty, expected a line of column names first\n");
    check("\n\r\n\n", "!! f.csv: the file is empty, expected a line of column names first\n");
}

/* A file that breaks between two records has no further one, however often it is asked. */
static void test_table_rows__end_where_the_stream_breaks(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf packed = STRBUF_INIT(TEXT_MAX);
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
    strbuf_add(&text, "a,b\n");
    for (int i = 0; i < 64; i++) {
        strbuf_add(&text, "1,2\n");
    }
    gzip_bytes_add(&packed, text.bytes, text.length);
    packed.bytes[packed.length - 1] ^= 1; /* of the length that gzip keeps at the end */
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(OUT_MAX);
    struct error err = ERROR_INIT;
    assert_ok(read_records(packed.bytes, packed.length, ',', &out, &err), &err);
    const char *bad = strchr(strbuf_text(&out), '!');
    assert_non_null(bad);
    assert_memory_equal(bad, "! f.csv: the gzip data is damaged near byte ", 44);
    assert_string_equal(strchr(bad, '\n'), "\nstop\n");
}

/* ---- size ---- */

static void test_table_rows__keeps_the_limits(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
    strbuf_add(&text, "a,b\n");
    strbuf_add_repeated(&text, ',', TABLE_CELLS_MAX);
    strbuf_add(&text, "\n1,2\n");
    check_with(text.bytes, text.length, ',',
               "! f.csv:2:65537: more than 65536 cells in a record, which is the limit\n"
               "3:1[1] 3:3[2]\n");
    strbuf_reset(&text);
    strbuf_add(&text, "a,b\n1,");
    strbuf_add_repeated(&text, 'x', INPUT_ROW_BYTES_MAX);
    strbuf_add(&text, "\n1,2\n");
    check_with(text.bytes, text.length, ',',
               "! f.csv:2:1: the record is longer than 64 MiB, the limit of a row\nstop\n");
    strbuf_reset(&text);
    strbuf_add(&text, "a,b\n1,\"");
    strbuf_add_repeated(&text, 'x', INPUT_ROW_BYTES_MAX);
    check_with(
        text.bytes, text.length, ',',
        "! f.csv:2:3: the quote that opens here is never closed; a quote that is part of the "
        "text is written twice, in a cell in quotes\nstop\n");
}

/* A text in memory is read in two halves (input_stream.c): the records move over the middle, with
 * everything that looks ahead. */
static void test_table_rows__do_not_depend_on_where_reads_end(void **state) {
    (void)state;
    static const char middle[] = "\"p\"\"q\",\"r\ns\"\r\n\"\",t\r\n";
    for (size_t padding = 300; padding < 500; padding++) {
        SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
        strbuf_add(&text, "a,b\r\nx,");
        strbuf_add_repeated(&text, 'y', padding);
        strbuf_addf(&text, "\r\n%s", middle);
        strbuf_add_repeated(&text, 'z', 400);
        strbuf_add(&text, ",");
        SCOPED(strbuf) struct strbuf out = STRBUF_INIT(OUT_MAX);
        struct error err = ERROR_INIT;
        assert_ok(read_records(text.bytes, text.length, ',', &out, &err), &err);
        const char *second = strchr(strbuf_text(&out), '\n') + 1;
        static const char expected[] = "3:1[p\"q] 3:8[r\ns]\n5:1[] 5:4[t]\n6:1[zzz";
        assert_memory_equal(second, expected, sizeof expected - 1);
    }
}

/* ---- failures ---- */

static enum err_code read_some(void *context, struct error *err) {
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(OUT_MAX);
    TRY(read_records(context, strlen(context), TABLE_DELIMITER_FROM_HEADER, &out, err));
    return strbuf_check(&out, "output", err);
}

static void test_table_rows__survive_every_failed_allocation(void **state) {
    (void)state;
    char text[] = "a,b\n1,2\nx\"y,2\n\"p\"\"q\",\"\"\"\"\n1\n";
    alloc_loop_check(read_some, text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_rows__reads_plain_records),
        cmocka_unit_test(test_table_rows__reads_quoted_cells),
        cmocka_unit_test(test_table_rows__counts_lines_inside_records),
        cmocka_unit_test(test_table_rows__finds_the_delimiter),
        cmocka_unit_test(test_table_rows__keeps_the_header),
        cmocka_unit_test(test_table_rows__takes_quotes_in_tsv_as_they_stand),
        cmocka_unit_test(test_table_rows__refuses_bad_quoting_and_goes_on),
        cmocka_unit_test(test_table_rows__refuses_ragged_records_and_goes_on),
        cmocka_unit_test(test_table_rows__refuses_encodings_with_their_place),
        cmocka_unit_test(test_table_rows_open__refuses_a_file_without_header),
        cmocka_unit_test(test_table_rows__end_where_the_stream_breaks),
        cmocka_unit_test(test_table_rows__keeps_the_limits),
        cmocka_unit_test(test_table_rows__do_not_depend_on_where_reads_end),
        cmocka_unit_test(test_table_rows__survive_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
