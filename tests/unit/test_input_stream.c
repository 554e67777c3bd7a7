#include "data/input_stream.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/gzip_bytes.h"
#include "tests/support/io_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX (8 * MIB)

/* Reads all, so many bytes at a time, into `out`. */
static enum err_code read_all(struct input_stream *in, size_t step, struct strbuf *out,
                              struct error *err) {
    bool has_more = true;
    while (has_more) {
        struct text_span ready = input_stream_ready(in);
        while (ready.count > 0) {
            size_t taken = ready.count < step ? ready.count : step;
            strbuf_add_bytes(out, ready.bytes, taken);
            input_stream_skip(in, taken);
            ready = input_stream_ready(in);
        }
        TRY(input_stream_more(in, &has_more, err));
    }
    return ERR_OK;
}

/* What a file with these bytes reads as, or what is wrong with it. */
static enum err_code read_bytes(const void *bytes, size_t count, struct strbuf *out,
                                struct error *err) {
    SCOPED(input_stream) struct input_stream *in = NULL;
    SCOPED(mem) char *copy = mem_strndup(bytes, count); /* ends where a sanitizer sees it */
    assert_non_null(copy);
    TRY(input_stream_open_bytes(copy, count, "f.txt", &in, err));
    return read_all(in, SIZE_MAX, out, err);
}

static void check_reads_as(const void *bytes, size_t count, const char *text, size_t text_count) {
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(TEXT_MAX);
    struct error err = ERROR_INIT;
    assert_ok(read_bytes(bytes, count, &out, &err), &err);
    assert_int_equal(out.length, text_count);
    assert_memory_equal(strbuf_text(&out), text, text_count);
}

static void check_refused(const void *bytes, size_t count, const char *message) {
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(TEXT_MAX);
    struct error err = ERROR_INIT;
    assert_int_equal(read_bytes(bytes, count, &out, &err), ERR_DATA);
    assert_string_equal(err.msg, message);
}

/* ---- files ---- */

static void write_bytes(const char *path, const void *bytes, size_t count) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, count, f), count);
    assert_int_equal(fclose(f), 0);
}

/* A text of several reads, in which no two lines agree. */
static void add_long_text(struct strbuf *out) {
    for (int i = 0; i < 100000; i++) {
        strbuf_addf(out, "line %d of the text\n", i * 7919);
    }
}

static void check_file(const char *path, const struct strbuf *text, size_t step) {
    struct error err = ERROR_INIT;
    SCOPED(input_stream) struct input_stream *in = NULL;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(TEXT_MAX);
    struct hash_digest digest, expected;
    int64_t bytes = 0, size = 0;
    assert_ok(input_stream_open(path, &in, &err), &err);
    assert_string_equal(input_stream_name(in), path);
    assert_ok(read_all(in, step, &out, &err), &err);
    assert_int_equal(out.length, text->length);
    assert_memory_equal(strbuf_text(&out), strbuf_text(text), text->length);
    assert_ok(input_stream_finish(in, &digest, &bytes, &err), &err);
    assert_ok(hash_file(path, &expected, &err), &err);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    assert_int_equal(fclose(f), 0);
    assert_true(hash_equal(&digest, &expected));
    assert_int_equal(bytes, size);
    assert_int_equal(input_stream_bytes_read(in), size);
}

static void test_input_stream__reads_a_file_and_hashes_it_as_it_lies(void **state) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
    add_long_text(&text);
    const char *path = scratch_path(*state, "f.txt");
    write_bytes(path, text.bytes, text.length);
    check_file(path, &text, SIZE_MAX);
    check_file(path, &text, 1000);
}

static void test_input_stream__reads_gzip_of_several_members(void **state) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
    SCOPED(strbuf) struct strbuf packed = STRBUF_INIT(TEXT_MAX);
    add_long_text(&text);
    size_t third = text.length / 3;
    gzip_bytes_add(&packed, text.bytes, third);
    gzip_bytes_add(&packed, "", 0);
    gzip_bytes_add(&packed, text.bytes + third, text.length - third);
    const char *path = scratch_path(*state, "no extension");
    write_bytes(path, packed.bytes, packed.length);
    check_file(path, &text, SIZE_MAX);
    check_file(path, &text, 777);
}

static void test_input_stream_finish__reads_the_rest(void **state) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
    add_long_text(&text);
    const char *path = scratch_path(*state, "f.txt");
    write_bytes(path, text.bytes, text.length);
    struct error err = ERROR_INIT;
    SCOPED(input_stream) struct input_stream *in = NULL;
    struct hash_digest digest, expected;
    int64_t bytes = 0;
    assert_ok(input_stream_open(path, &in, &err), &err);
    input_stream_skip(in, 10);
    assert_ok(input_stream_finish(in, &digest, &bytes, &err), &err);
    assert_ok(hash_file(path, &expected, &err), &err);
    assert_true(hash_equal(&digest, &expected));
    assert_int_equal(bytes, text.length);
}

static void test_input_stream__names_what_cannot_be_opened(void **state) {
    struct error err = ERROR_INIT;
    struct input_stream *in = NULL;
    assert_fails(input_stream_open(scratch_path(*state, "none"), &in, &err), ERR_IO,
                 "/none': No such file or directory", &err);
    struct scratch *scratch = *state;
    assert_fails(input_stream_open(scratch->folder, &in, &err), ERR_IO, "Is a directory", &err);
    assert_null(in);
}

/* Pipes give little at a time, and cannot go back. */
static void test_input_stream__reads_a_pipe_in_small_pieces(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool written = true;
        for (int i = 0; i < 60 && written; i++) { /* a byte at a time: more than is sniffed at */
            char c = (char)('a' + i % 26);
            written = write(ends[1], &c, 1) == 1;
        }
        _exit(written ? 0 : 1);
    }
    (void)close(ends[1]);
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    struct error err = ERROR_INIT;
    SCOPED(input_stream) struct input_stream *in = NULL;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(TEXT_MAX);
    assert_ok(input_stream_open(path, &in, &err), &err);
    assert_ok(read_all(in, SIZE_MAX, &out, &err), &err);
    assert_string_equal(strbuf_text(&out),
                        "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh");
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

/* ---- marks of encodings and other kinds of files ---- */

#define CHECK_READS_AS(bytes, text) \
    check_reads_as((bytes), sizeof(bytes) - 1, (text), sizeof(text) - 1)
#define CHECK_REFUSED(bytes, message) check_refused((bytes), sizeof(bytes) - 1, (message))

static void test_input_stream__drops_a_byte_order_mark(void **state) {
    (void)state;
    CHECK_READS_AS("", "");
    CHECK_READS_AS("\xEF\xBB\xBF", "");
    CHECK_READS_AS("\xEF\xBB", "\xEF\xBB");
    CHECK_READS_AS("\xEF\xBB\xBF{}", "{}");
    CHECK_READS_AS("\xEF\xBB\xBF\xEF\xBB\xBF", "\xEF\xBB\xBF"); /* one */
    CHECK_READS_AS(" \xEF\xBB\xBF", " \xEF\xBB\xBF");           /* in front only */
    SCOPED(strbuf) struct strbuf packed = STRBUF_INIT(TEXT_MAX);
    gzip_bytes_add(&packed, "\xEF\xBB\xBFx", 4);
    check_reads_as(packed.bytes, packed.length, "x", 1);
}

static void test_input_stream__refuses_what_is_no_text_with_the_remedy(void **state) {
    (void)state;
    CHECK_REFUSED("\xFF\xFE{\0}\0", "f.txt: this is text in UTF-16: save it as UTF-8");
    CHECK_REFUSED("\xFE\xFF\0{", "f.txt: this is text in UTF-16: save it as UTF-8");
    CHECK_REFUSED("\x28\xB5\x2F\xFD....",
                  "f.txt: this is compressed with zstd: decompress it with 'zstd -d'");
    CHECK_REFUSED("\xFD\x37zXZ\0", "f.txt: this is compressed with xz: decompress it with 'unxz'");
    CHECK_REFUSED("BZh91AY&SY....",
                  "f.txt: this is compressed with bzip2: decompress it with 'bunzip2'");
    CHECK_REFUSED("PK\x03\x04....", "f.txt: this is a zip archive or a spreadsheet: unpack it, or "
                                    "save the spreadsheet as CSV in UTF-8");
    CHECK_REFUSED("PAR1\x15\x04", "f.txt: this is a Parquet file: convert it to JSON lines, as "
                                  "pandas' to_json(lines=True) does");
    CHECK_REFUSED("SQLite format 3\0", "f.txt: this is a SQLite database: give the file that it "
                                       "was made from");
    CHECK_READS_AS("PAR1,PAR2\n", "PAR1,PAR2\n"); /* a table */
    CHECK_READS_AS("PK", "PK");
}

/* ---- bad gzip ---- */

static void test_input_stream__refuses_gzip_that_is_cut_anywhere(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf packed = STRBUF_INIT(TEXT_MAX);
    char text[2000];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)('a' + i * i % 23);
    }
    gzip_bytes_add(&packed, text, sizeof text);
    for (size_t count = 2; count < packed.length; count++) {
        char expected[160];
        (void)snprintf(expected, sizeof expected,
                       "f.txt: the gzip data ends in its middle, after %zu bytes: the file was "
                       "cut; copy or download it again",
                       count);
        check_refused(packed.bytes, count, expected);
    }
}

static void test_input_stream__refuses_damaged_gzip(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf packed = STRBUF_INIT(TEXT_MAX);
    gzip_bytes_add(&packed, "hello, hello", 12);
    size_t crc = packed.length - 8;
    packed.bytes[crc] ^= 1;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(TEXT_MAX);
    struct error err = ERROR_INIT;
    assert_fails(read_bytes(packed.bytes, packed.length, &out, &err), ERR_DATA,
                 "f.txt: the gzip data is damaged near byte ", &err);
    assert_non_null(strstr(err.msg, " (incorrect data check): 'gzip -t' says the same; copy or "
                                    "download the file again"));
}

static void test_input_stream__allows_zeros_behind_gzip_and_nothing_else(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf packed = STRBUF_INIT(TEXT_MAX);
    gzip_bytes_add(&packed, "hello", 5);
    size_t length = packed.length;
    strbuf_add_repeated(&packed, '\0', 100000);
    check_reads_as(packed.bytes, packed.length, "hello", 5);
    gzip_bytes_add(&packed, "!", 1);
    check_reads_as(packed.bytes, packed.length, "hello!", 6);
    strbuf_truncate(&packed, length);
    strbuf_add(&packed, "{}");
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(TEXT_MAX);
    struct error err = ERROR_INIT;
    assert_fails(read_bytes(packed.bytes, packed.length, &out, &err), ERR_DATA,
                 "(incorrect header check)", &err);
}

/* ---- the window ---- */

static void test_input_stream_rewind__goes_back_to_the_mark(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
    add_long_text(&text);
    struct error err = ERROR_INIT;
    SCOPED(input_stream) struct input_stream *in = NULL;
    assert_ok(input_stream_open_bytes(text.bytes, text.length, "f", &in, &err), &err);
    input_stream_skip(in, 5);
    for (int turn = 0; turn < 2; turn++) { /* again after going back */
        input_stream_mark(in);
        SCOPED(strbuf) struct strbuf out = STRBUF_INIT(TEXT_MAX);
        assert_ok(read_all(in, 100000, &out, &err), &err);
        assert_int_equal(out.length, text.length - 5);
        input_stream_rewind(in);
    }
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(TEXT_MAX);
    assert_ok(read_all(in, SIZE_MAX, &out, &err), &err);
    assert_int_equal(out.length, text.length - 5);
    assert_memory_equal(strbuf_text(&out), text.bytes + 5, text.length - 5);
}

static void test_input_stream_more__keeps_the_limit_of_a_row(void **state) {
    (void)state;
    size_t count = INPUT_ROW_BYTES_MAX + 4 * MIB;
    char *bytes = calloc(count, 1);
    assert_non_null(bytes);
    struct error err = ERROR_INIT;
    SCOPED(input_stream) struct input_stream *in = NULL;
    assert_ok(input_stream_open_bytes(bytes, count, "f.txt", &in, &err), &err);
    enum err_code code = ERR_OK;
    bool has_more = true;
    while (code == ERR_OK && has_more) {
        code = input_stream_more(in, &has_more, &err);
    }
    assert_int_equal(code, ERR_DATA);
    assert_string_equal(err.msg, "f.txt: a row of more than 64 MiB");
    assert_true(input_stream_ready(in).count > INPUT_ROW_BYTES_MAX);
    free(bytes);
}

/* ---- failures ---- */

static enum err_code read_packed(void *context, struct error *err) {
    const struct strbuf *packed = context;
    SCOPED(input_stream) struct input_stream *in = NULL;
    struct hash_digest digest;
    int64_t bytes = 0;
    TRY(input_stream_open_bytes(packed->bytes, packed->length, "f", &in, err));
    input_stream_mark(in);
    return input_stream_finish(in, &digest, &bytes, err);
}

static void test_input_stream__survives_every_failed_allocation(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
    SCOPED(strbuf) struct strbuf packed = STRBUF_INIT(TEXT_MAX);
    add_long_text(&text);
    gzip_bytes_add(&packed, text.bytes, text.length);
    alloc_loop_check(read_packed, &packed);
}

static enum err_code read_file(void *context, struct error *err) {
    SCOPED(input_stream) struct input_stream *in = NULL;
    struct hash_digest digest;
    int64_t bytes = 0;
    TRY(input_stream_open(context, &in, err));
    return input_stream_finish(in, &digest, &bytes, err);
}

static void test_input_stream__reports_every_failed_read(void **state) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
    add_long_text(&text);
    char *path = scratch_path(*state, "f.txt");
    write_bytes(path, text.bytes, text.length);
    io_loop_check(read_file, NULL, path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_input_stream__reads_a_file_and_hashes_it_as_it_lies),
        SCRATCH_TEST(test_input_stream__reads_gzip_of_several_members),
        SCRATCH_TEST(test_input_stream_finish__reads_the_rest),
        SCRATCH_TEST(test_input_stream__names_what_cannot_be_opened),
        cmocka_unit_test(test_input_stream__reads_a_pipe_in_small_pieces),
        cmocka_unit_test(test_input_stream__drops_a_byte_order_mark),
        cmocka_unit_test(test_input_stream__refuses_what_is_no_text_with_the_remedy),
        cmocka_unit_test(test_input_stream__refuses_gzip_that_is_cut_anywhere),
        cmocka_unit_test(test_input_stream__refuses_damaged_gzip),
        cmocka_unit_test(test_input_stream__allows_zeros_behind_gzip_and_nothing_else),
        cmocka_unit_test(test_input_stream_rewind__goes_back_to_the_mark),
        cmocka_unit_test(test_input_stream_more__keeps_the_limit_of_a_row),
        cmocka_unit_test(test_input_stream__survives_every_failed_allocation),
        SCRATCH_TEST(test_input_stream__reports_every_failed_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
