/* accord import as its users meet it, above all with files that are wrong. */
#include "base/arena.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/project.h"
#include "tests/support/gzip_bytes.h"
#include "tests/support/moments.h"
#include "tests/support/run_program.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX (64 * MIB)
#define NOBODY   65534

/* Every kind of moment of an import is met by these many kills; ACCORD_KILL_ROUNDS says otherwise.
 */
#define KILL_ROUNDS      25
#define KILL_ROWS        1500
#define KILL_TOO_LATE_MS 30

struct import_cli {
    struct program_result r;
    struct scratch *scratch;
    char project[300], file[300], bad[300];
};

/* ---- a project and a file ---- */

static void make_project(struct import_cli *c) {
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = NULL;
    assert_ok(project_open(c->project, DB_MODE_CREATE, NULL, &db, &err), &err);
}

static int setup(void **state) {
    struct import_cli *c = calloc(1, sizeof *c);
    void *scratch = NULL;
    *state = c;
    if (!c || scratch_setup(&scratch) != 0) {
        return -1;
    }
    c->scratch = scratch;
    (void)snprintf(c->project, sizeof c->project, "%s", scratch_path(scratch, "tea.db"));
    (void)snprintf(c->file, sizeof c->file, "%s", scratch_path(scratch, "pairs"));
    (void)snprintf(c->bad, sizeof c->bad, "%s", scratch_path(scratch, "bad.jsonl"));
    make_project(c);
    return 0;
}

static int teardown(void **state) {
    struct import_cli *c = *state;
    void *scratch = c->scratch;
    int failed = scratch_teardown(&scratch);
    free(c);
    return failed;
}

static void write_file(const char *path, const void *bytes, size_t count) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, count, f), count);
    assert_int_equal(fclose(f), 0);
}

static int64_t count_of(const struct import_cli *c, const char *sql) {
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = NULL;
    int64_t count = 0;
    assert_ok(project_open(c->project, DB_MODE_READ_ONLY, NULL, &db, &err), &err);
    assert_ok(db_query_i64(db, sql, &count, &err), &err);
    return count;
}

static int64_t comparisons(const struct import_cli *c) {
    return count_of(c, "SELECT count(*) FROM comparison");
}

/* The program fails with this status and one line, and the project is as it was: empty. */
static void check_failure(struct import_cli *c, int status, const char *message) {
    char expected[4096];
    (void)snprintf(expected, sizeof expected, "accord: %s\n", message);
    assert_string_equal(c->r.err, expected);
    assert_string_equal(c->r.out, "");
    assert_int_equal(c->r.status, status);
}

#define ROW(prompt) "{\"prompt\":\"" prompt "\",\"chosen\":\"Tea.\",\"rejected\":\"No.\"}"

/* ---- good runs ---- */

static void test_cli_import__says_what_was_recognised_and_kept(void **state) {
    struct import_cli *c = *state;
    static const char text[] = ROW("a") "\n" ROW("b") "\n";
    write_file(c->file, text, sizeof text - 1);
    run_program(&c->r, "import", "-q", c->project, c->file, NULL);
    char expected[1024];
    (void)snprintf(expected, sizeof expected,
                   "%s: recognised as trl: the keys 'prompt', 'chosen', 'rejected': preference\n"
                   "  2 rows: 2 comparisons\n"
                   "new in %s: 2 prompts, 4 responses\n",
                   c->file, c->project);
    assert_string_equal(c->r.err, "");
    assert_string_equal(c->r.out, expected);
    assert_int_equal(c->r.status, 0);
    run_program(&c->r, "import", "-q", c->project, c->file, NULL);
    (void)snprintf(expected, sizeof expected, "%s: imported before, as trl at 2", c->file);
    assert_memory_equal(c->r.out, expected, strlen(expected));
    assert_non_null(strstr(c->r.out, "Z; nothing to do\n"));
    assert_int_equal(c->r.status, 0);
    assert_int_equal(comparisons(c), 2);
}

static void test_cli_import__answers_programs_in_json(void **state) {
    struct import_cli *c = *state;
    static const char text[] = ROW("a") "\n{}\n";
    write_file(c->file, text, sizeof text - 1);
    run_program(&c->r, "import", "-q", "--json", c->project, c->file, "--skip-bad", c->bad, NULL);
    assert_int_equal(c->r.status, 0);
    struct error err = ERROR_INIT;
    SCOPED(json) struct json *doc = NULL;
    const struct json_node *files = NULL, *file = NULL;
    int64_t rows = 0, rejected = 0, made = 0;
    assert_ok(json_parse(c->r.out, strlen(c->r.out), "output", NULL, &doc, &err), &err);
    assert_ok(json_get_array(doc, json_root(doc), "files", &files, &err), &err);
    file = json_at(doc, files, 0);
    assert_ok(json_get_i64(doc, file, "rows", &rows, &err), &err);
    assert_ok(json_get_i64(doc, file, "rejected", &rejected, &err), &err);
    assert_ok(json_get_i64(doc, file, "comparisons", &made, &err), &err);
    assert_int_equal(rows, 2);
    assert_int_equal(rejected, 1);
    assert_int_equal(made, 1);
    run_program(&c->r, "import", "-q", "--json", c->project, "none", NULL);
    assert_non_null(strstr(c->r.out, "\"code\": \"IO\""));
    assert_non_null(strstr(c->r.out, "cannot open 'none': No such file or directory"));
    assert_int_equal(c->r.status, 1);
}

static void test_cli_import__lists_every_format_in_its_help(void **state) {
    struct import_cli *c = *state;
    static const char *const names[] = {
        "\n  hh  ", "\n  trl  ", "\n  arena  ", "\n  table  ", "\n  preflib  ", "\n  works  ",
    };
    run_program(&c->r, "help", "import", NULL);
    const char *formats = strstr(c->r.out, "\nFormats\n");
    assert_non_null(formats);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_non_null(strstr(formats, names[i]));
    }
}

/* The same rows, however they are written, come in as the same. */
static void test_cli_import__reads_every_wrapping(void **state) {
    struct import_cli *c = *state;
    SCOPED(strbuf) struct strbuf packed = STRBUF_INIT(TEXT_MAX);
    gzip_bytes_add(&packed, ROW("a") "\n", sizeof ROW("a"));
    gzip_bytes_add(&packed, ROW("b"), sizeof ROW("b") - 1);
    const struct {
        const char *bytes;
        size_t count;
    } texts[] = {
#define TEXT(text) {(text), sizeof(text) - 1}
        TEXT(ROW("a") "\r\n" ROW("b") "\r\n"),
        TEXT("\xEF\xBB\xBF" ROW("a") "\n" ROW("b")),
        TEXT("[" ROW("a") "," ROW("b") "]"),
        TEXT("prompt,chosen,rejected\r\na,Tea.,No.\r\nb,\"Tea.\",No."),
        TEXT("prompt\tchosen\trejected\na\tTea.\tNo.\nb\tTea.\tNo.\n"),
        TEXT("prompt;chosen;rejected\na;Tea.;No.\nb;Tea.;No.\n"),
        {packed.bytes, packed.length},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_file(c->file, texts[i].bytes, texts[i].count);
        run_program(&c->r, "import", "-q", c->project, c->file, NULL);
        assert_string_equal(c->r.err, "");
        assert_non_null(strstr(c->r.out, "  2 rows: 2 comparisons\n"));
        assert_int_equal(comparisons(c), 2 * (int64_t)(i + 1));
    }
    assert_int_equal(count_of(c, "SELECT count(*) FROM prompt"), 2);
    assert_int_equal(count_of(c, "SELECT count(*) FROM response"), 4);
}

static void test_cli_import__reads_standard_input_once(void **state) {
    struct import_cli *c = *state;
    static const char text[] = ROW("a") "\n";
    write_file(c->file, text, sizeof text - 1);
    const struct program_options options = {.in_path = c->file};
    const char *const words[] = {"import", "-q", c->project, "-", NULL};
    run_program_with(&c->r, &options, words);
    assert_string_equal(c->r.err, "");
    assert_memory_equal(c->r.out, "-: recognised as trl: ", strlen("-: recognised as trl: "));
    run_program_with(&c->r, &options, words);
    assert_string_equal(c->r.err, "");
    assert_memory_equal(c->r.out, "-: imported before", strlen("-: imported before"));
    assert_int_equal(comparisons(c), 1);
    write_file(c->file, "{\"prompt\":7}\n", 13);
    run_program_with(&c->r, &options,
                     (const char *const[]){"import", "-q", c->project, "-", "-f", "trl", NULL});
    check_failure(c, 3, "standard input:1:11: $.prompt: expected string, found number 7");
}

/* ---- bad rows ---- */

struct bad_file {
    const char *text;
    size_t count; /* 0: up to its NUL */
    const char *format, *message;
};

static void check_bad(struct import_cli *c, const struct bad_file *bad) {
    char message[2048];
    write_file(c->file, bad->text, bad->count ? bad->count : strlen(bad->text));
    run_program(&c->r, "import", "-q", c->project, c->file, "-f", bad->format, NULL);
    (void)snprintf(message, sizeof message, "%s%s", c->file, bad->message);
    check_failure(c, 3, message);
    assert_int_equal(comparisons(c), 0);
}

static void test_cli_import__names_the_place_of_bad_json(void **state) {
    struct import_cli *c = *state;
    static const char nul[] = ROW("a") "\n{\"prompt\":\"x\0y\"}\n";
    static const struct bad_file files[] = {
        {ROW("a") "\n{\"prompt\":\"b\",\"chosen\":1,\"rejected\":\"x\"}", 0, "trl",
         ":2:24: $.chosen: expected string, found number 1"},
        {ROW("a") "\n{\"prompt\":\"b\",\"chosen\":\"x\"}", 0, "trl",
         ":2:1: $: missing key 'rejected', expected the worse answer"},
        {ROW("a") "\n{\"prompt\":\"b\"\n", 0, "trl",
         ":2:14: expected ',' or '}', found the end of the text"},
        {ROW("a") "\nnot JSON\n", 0, "trl", ":2:1: expected a value, found 'not'"},
        {ROW("a") "\n[1]\n", 0, "trl", ":2:1: $: expected object, found array"},
        {ROW("a") "\n{\"a\":1,\"a\":2}\n", 0, "trl", ":2:12: $.a: duplicate key"},
        {ROW("a") "\n{\"a\":\"\xC3(\"}\n", 0, "trl", ":2:7: invalid UTF-8 at byte 0xc3"},
        {nul, sizeof nul - 1, "trl", ":2:13: control character in a string; write it as '\\u0000'"},
        {"[" ROW("a") ",\n " ROW("b") "\n " ROW("c") "]", 0, "trl",
         ":3:2: expected ',' or ']' behind a row, found '{'"},
        {"[" ROW("a"), 0, "trl",
         ":1:49: expected ',' or ']' behind a row, found the end of the file"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        check_bad(c, &files[i]);
    }
}

static void test_cli_import__names_the_place_of_bad_tables(void **state) {
    struct import_cli *c = *state;
    static const char nul[] = "prompt,chosen,rejected\na,x,\0\n";
    static const struct bad_file files[] = {
        {"prompt,chosen,rejected\na,x\n", 0, "table",
         ":2:4: a record of 2 cells, but the header has 3 columns"},
        {"prompt,chosen,rejected\na,x,y,z\n", 0, "table",
         ":2:7: a record of 4 cells, but the header has 3 columns"},
        {"prompt,chosen,rejected\na,\"x\n,y\n", 0, "table",
         ":2:3: the quote that opens here is never closed; a quote that is part of the text is "
         "written twice, in a cell in quotes"},
        {"prompt,chosen,rejected\na,x\"x\",y\n", 0, "table",
         ":2:4: a quote inside a cell; write the cell in quotes, and this one twice"},
        {"prompt,chosen,rejected\na,\"x\"x,y\n", 0, "table",
         ":2:6: text behind a closing quote; a quote that is part of the text is written twice"},
        {nul, sizeof nul - 1, "table", ":2:5: a NUL byte, which no text holds"},
        {"prompt,chosen,rejected\na,\xFF,y\n", 0, "table",
         ":2:3: invalid UTF-8 at byte 0xff: save the file as UTF-8"},
        {"winner,loser,weight\na,b,heavy\n", 0, "table",
         ":2:5: weight = 'heavy': expected a number"},
        {"", 0, "table", ": the file is empty, expected a line of column names first"},
        {"\xFF\xFEp\0", 4, "table", ": this is text in UTF-16: save it as UTF-8"},
        {"PK\x03\x04", 0, "table",
         ": this is a zip archive or a spreadsheet: unpack it, or save the spreadsheet as CSV in "
         "UTF-8"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        check_bad(c, &files[i]);
    }
}

static void test_cli_import__refuses_damaged_gzip(void **state) {
    struct import_cli *c = *state;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
    SCOPED(strbuf) struct strbuf packed = STRBUF_INIT(TEXT_MAX);
    for (int i = 0; i < 2000; i++) {
        strbuf_addf(&text, "{\"prompt\":\"%d\",\"chosen\":\"%d\",\"rejected\":\"x\"}\n", i, i * i);
    }
    gzip_bytes_add(&packed, text.bytes, text.length);
    struct bad_file bad = {.text = packed.bytes, .count = packed.length / 2, .format = "trl"};
    char message[256];
    (void)snprintf(message, sizeof message,
                   ": the gzip data ends in its middle, after %zu bytes: the file was cut; copy or "
                   "download it again",
                   bad.count);
    bad.message = message;
    check_bad(c, &bad);
    run_program(&c->r, "import", "-q", c->project, c->file, "-f", "trl", "--skip-bad", c->bad,
                NULL);
    assert_int_equal(c->r.status, 3); /* no row of it is bad: the rest of the file is missing */
    assert_int_equal(comparisons(c), 0);
}

static void test_cli_import__leaves_out_bad_rows_if_asked(void **state) {
    struct import_cli *c = *state;
    static const char text[] = ROW("a") "\n{\"prompt\":7}\n" ROW("b") "\n";
    write_file(c->file, text, sizeof text - 1);
    run_program(&c->r, "import", "-q", c->project, c->file, "--skip-bad", c->bad, NULL);
    assert_string_equal(c->r.err, "");
    assert_int_equal(c->r.status, 0);
    assert_non_null(strstr(c->r.out, "  3 rows: 2 comparisons; 1 left out\n"));
    assert_non_null(strstr(c->r.out, "rows left out, each with the reason: "));
    char expected[1024];
    (void)snprintf(expected, sizeof expected,
                   "{\"file\":\"%s\",\"line\":2,\"column\":11,\"reason\":\"$.prompt: expected "
                   "string, found number 7\",\"row\":\"{\\\"prompt\\\":7}\"}\n",
                   c->file);
    assert_string_equal(scratch_read(c->scratch, "bad.jsonl"), expected);
    assert_int_equal(comparisons(c), 2);
}

/* ---- size ---- */

static void test_cli_import__reads_lines_of_a_megabyte(void **state) {
    struct import_cli *c = *state;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
    for (int i = 0; i < 5; i++) {
        strbuf_addf(&text, "{\"prompt\":\"%d\",\"chosen\":\"", i);
        strbuf_add_repeated(&text, 'x', 1 * MIB);
        strbuf_add(&text, "\",\"rejected\":\"y\"}\n");
    }
    write_file(c->file, text.bytes, text.length);
    run_program(&c->r, "import", "-q", c->project, c->file, NULL);
    assert_string_equal(c->r.err, "");
    assert_int_equal(comparisons(c), 5);
    assert_int_equal(count_of(c, "SELECT max(length(content)) FROM response"), 1 * MIB);
}

static void test_cli_import__states_the_limit_of_responses(void **state) {
    struct import_cli *c = *state;
    static const int counts[] = {4096, 10000};
    for (size_t i = 0; i < 2; i++) {
        SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
        strbuf_add(&text, "{\"context\":[{\"role\":\"user\",\"content\":\"q\"}],\"completions\":[");
        for (int k = 0; k < counts[i]; k++) {
            strbuf_addf(&text,
                        "%s{\"rank\":%d,\"completion\":[{\"role\":\"assistant\",\"content\":\"%d\"}"
                        "]}",
                        k > 0 ? "," : "", k, k);
        }
        strbuf_add(&text, "]}\n");
        write_file(c->file, text.bytes, text.length);
        run_program(&c->r, "import", "-q", c->project, c->file, NULL);
        assert_int_equal(c->r.status, i == 0 ? 0 : 3);
    }
    assert_non_null(strstr(c->r.err, ":1:"));
    assert_non_null(strstr(c->r.err, "10000 "));
    assert_non_null(strstr(c->r.err, "4096"));
    assert_int_equal(count_of(c, "SELECT count(*) FROM comparison_item"), 4096);
}

/* Input beyond a limit is bad input; a file that is not there is a failure to read. */
static void test_cli_import__tells_bad_input_from_failure_by_status(void **state) {
    struct import_cli *c = *state;
    static const char table[] = "winner,loser\n1,2\n";
    write_file(c->file, table, sizeof table - 1);
    const struct {
        const char *words[8];
        int status;
        const char *message;
    } cases[] = {
        {{"/dev/zero"}, 3, "/dev/zero:1: a line of more than 64 MiB, the limit of a row"},
        {{"/dev/zero", "--format", "table"},
         3,
         "the record is longer than 64 MiB, the limit of a row"},
        {{c->file, "--texts", "/dev/zero"}, 1, "--texts: '/dev/zero' is not a regular file"},
        {{c->bad}, 1, "cannot open"},
        {{c->file, "--texts", c->bad}, 1, "--texts: cannot read"},
        {{c->file, "--format", "nonsense"}, 2, "unknown format 'nonsense'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *words[PROGRAM_WORDS_MAX] = {"import", "-q", c->project};
        for (size_t w = 0; cases[i].words[w]; w++) {
            words[3 + w] = cases[i].words[w];
        }
        run_program_with(&c->r, &(struct program_options){.out_path = NULL}, words);
        assert_non_null(strstr(c->r.err, cases[i].message));
        assert_int_equal(c->r.status, cases[i].status);
        assert_int_equal(comparisons(c), 0);
    }
}

/* ---- what is wrong with the project ---- */

static void write_good(struct import_cli *c) {
    static const char text[] = ROW("a") "\n" ROW("b") "\n";
    write_file(c->file, text, sizeof text - 1);
}

static void test_cli_import__wants_a_project(void **state) {
    struct import_cli *c = *state;
    write_good(c);
    run_program(&c->r, "import", "-q", "none.db", c->file, NULL);
    check_failure(c, 1, "no project file 'none.db'; make one with: accord init none.db");
    run_program(&c->r, "import", "-q", c->file, c->file, NULL);
    char message[1024];
    (void)snprintf(message, sizeof message, "'%s' is not a SQLite database", c->file);
    check_failure(c, 3, message);
}

/* Offsets in the header of a SQLite file. */
#define USER_VERSION_AT   60
#define APPLICATION_ID_AT 68

static void patch(const char *path, long offset, const char *bytes, size_t count) {
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, offset, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, count, f), count);
    assert_int_equal(fclose(f), 0);
}

static void check_project_refused(struct import_cli *c, const char *message) {
    char expected[1024];
    write_good(c);
    run_program(&c->r, "import", "-q", c->project, c->file, NULL);
    (void)snprintf(expected, sizeof expected, "'%s' %s", c->project, message);
    check_failure(c, 3, expected);
}

static void test_cli_import__refuses_a_project_of_a_newer_program(void **state) {
    struct import_cli *c = *state;
    patch(c->project, USER_VERSION_AT, "\0\0\0\x63", 4);
    check_project_refused(c, "is a project file of version 99, and this program knows "
                             "versions up to 1: use a newer program");
}

static void test_cli_import__refuses_a_database_of_others(void **state) {
    struct import_cli *c = *state;
    patch(c->project, APPLICATION_ID_AT, "\0\0\0\x07", 4);
    check_project_refused(c, "is no project file (application id 7, expected 1094927172)");
}

static void test_cli_import__refuses_a_damaged_project(void **state) {
    struct import_cli *c = *state;
    struct stat before, after;
    char junk[4096];
    memset(junk, 0xAA, sizeof junk);
    assert_int_equal(stat(c->project, &before), 0);
    for (long at = 16384; at < before.st_size; at += (long)sizeof junk) {
        patch(c->project, at, junk, sizeof junk);
    }
    write_good(c);
    run_program(&c->r, "import", "-q", c->project, c->file, NULL);
    assert_non_null(strstr(c->r.err, "database disk image is malformed"));
    assert_int_equal(c->r.status, 3);
    assert_int_equal(stat(c->project, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
}

static void test_cli_import__waits_its_turn_at_a_locked_project(void **state) {
    struct import_cli *c = *state;
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = NULL;
    assert_ok(project_open(c->project, DB_MODE_WRITE, NULL, &db, &err), &err);
    write_good(c);
    run_program(&c->r, "import", "-q", c->project, c->file, NULL);
    char message[1024];
    (void)snprintf(message, sizeof message,
                   "'%s' is open for writing in another process; let it finish first", c->project);
    check_failure(c, 1, message);
}

/* False, and nothing is changed, where nobody may not start the program, as below /root, or may not
 * read the file. */
static bool become_nobody(const char *file) {
    if (seteuid(NOBODY) != 0) {
        return false;
    }
    const bool may = faccessat(AT_FDCWD, ACCORD_PROGRAM, X_OK, AT_EACCESS) == 0 &&
                     faccessat(AT_FDCWD, file, R_OK, AT_EACCESS) == 0;
    assert_true(may || seteuid(0) == 0);
    return may;
}

/* As root everything can be written, so the program is started as nobody. */
static void test_cli_import__refuses_a_project_it_may_not_write(void **state) {
    struct import_cli *c = *state;
    write_good(c);
    assert_int_equal(chmod(c->scratch->folder, 0555), 0);
    assert_int_equal(chmod(c->project, 0444), 0);
    const bool is_root = geteuid() == 0;
    if (is_root && !become_nobody(c->file)) {
        skip();
    }
    run_program(&c->r, "import", "-q", c->project, c->file, NULL);
    assert_true(!is_root || seteuid(0) == 0);
    assert_int_equal(chmod(c->scratch->folder, 0755), 0);
    assert_non_null(strstr(c->r.err, "Permission denied"));
    assert_int_equal(c->r.status, 1);
    assert_int_equal(comparisons(c), 0);
}

/* A limit on the size of files stands for a disk that is full. */
static void test_cli_import__keeps_nothing_when_the_disk_is_full(void **state) {
    struct import_cli *c = *state;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
    for (int i = 0; i < 5000; i++) {
        strbuf_addf(&text, "{\"prompt\":\"%d\",\"chosen\":\"", i);
        strbuf_add_repeated(&text, 'x', 1000);
        strbuf_add(&text, "\",\"rejected\":\"y\"}\n");
    }
    write_file(c->file, text.bytes, text.length);
    struct rlimit unlimited, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
    limit = (struct rlimit){.rlim_cur = 2 * MIB, .rlim_max = unlimited.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    run_program(&c->r, "import", "-q", c->project, c->file, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
    assert_int_equal(c->r.status, 1);
    assert_non_null(strstr(c->r.err, c->project));
    assert_int_equal(comparisons(c), 0);
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = NULL;
    assert_ok(project_open(c->project, DB_MODE_WRITE, NULL, &db, &err), &err);
    assert_ok(db_check_integrity(db, &err), &err);
}

/* ---- killed ---- */

/* Rows that are in no other file. */
static void write_round(struct import_cli *c, int64_t round) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_MAX);
    for (int i = 0; i < KILL_ROWS; i++) {
        strbuf_addf(&text, "{\"prompt\":\"%" PRId64 "/%d\",\"chosen\":\"", round, i);
        strbuf_add_repeated(&text, 'x', 500);
        strbuf_add(&text, "\",\"rejected\":\"y\"}\n");
    }
    write_file(c->file, text.bytes, text.length);
}

/* Starts an import of the file and kills it at a moment of its time; true if it was done by then.
 */
static bool import_and_kill(struct import_cli *c, struct moments *moments, int64_t whole_us) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(STDOUT_FILENO);
        (void)open("/dev/null", O_WRONLY);
        (void)execl(ACCORD_PROGRAM, "accord", "import", "-q", c->project, c->file, (char *)NULL);
        _exit(127);
    }
    (void)moments_wait(moments, whole_us);
    (void)kill(child, SIGKILL);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) {
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    return WIFEXITED(status);
}

/* The project opens, is whole, and holds every source with all of its rows and nothing else. */
static int64_t check_whole(struct import_cli *c) {
    struct error err = ERROR_INIT;
    SCOPED(db) struct db *db = NULL;
    int64_t sources = 0, rows = 0, prompts = 0, responses = 0;
    assert_ok(project_open(c->project, DB_MODE_WRITE, NULL, &db, &err), &err);
    assert_ok(db_check_integrity(db, &err), &err);
    assert_ok(db_query_i64(db, "SELECT count(*) FROM source", &sources, &err), &err);
    assert_ok(db_query_i64(db, "SELECT count(*) FROM comparison", &rows, &err), &err);
    assert_ok(db_query_i64(db, "SELECT count(*) FROM prompt", &prompts, &err), &err);
    assert_ok(db_query_i64(db, "SELECT count(*) FROM response", &responses, &err), &err);
    assert_int_equal(rows, sources * KILL_ROWS);
    assert_int_equal(prompts, rows);
    assert_int_equal(responses, 2 * rows);
    return sources;
}

static void test_cli_import__killed_at_any_moment_keeps_all_or_nothing(void **state) {
    struct import_cli *c = *state;
    const char *wanted = getenv("ACCORD_KILL_ROUNDS");
    int64_t rounds = KILL_ROUNDS;
    assert_true(!wanted || number_parse_i64(wanted, &rounds));
    write_round(c, 0);
    int64_t start_us = moments_now_us();
    run_program(&c->r, "import", "-q", c->project, c->file, NULL);
    assert_int_equal(c->r.status, 0);
    int64_t whole_us = moments_now_us() - start_us + KILL_TOO_LATE_MS * 1000;
    int64_t sources = check_whole(c), kept = 0, killed = 0;
    struct moments moments = MOMENTS_INIT;
    for (int64_t round = 1; round <= rounds; round++) {
        write_round(c, round);
        bool ended = import_and_kill(c, &moments, whole_us);
        int64_t now = check_whole(c);
        assert_true(now == sources + 1 || (now == sources && !ended));
        killed += ended ? 0 : 1;
        kept += now - sources;
        sources = now;
    }
    print_message("%" PRId64 " rounds: %" PRId64 " killed, %" PRId64 " imports kept\n", rounds,
                  killed, kept);
    assert_true(killed > rounds / 4);
}

static void test_cli_import__interrupted_keeps_nothing(void **state) {
    struct import_cli *c = *state;
    write_good(c);
    char fifo[300];
    (void)snprintf(fifo, sizeof fifo, "%s", scratch_path(c->scratch, "fifo"));
    assert_int_equal(mkfifo(fifo, 0600), 0);
    struct program program = program_start(
        &(struct program_options){.out_path = NULL},
        (const char *const[]){"import", "-q", c->project, c->file, fifo, "-f", "trl", NULL});
    int fd = open(fifo, O_WRONLY); /* from here on the program waits for us */
    assert_true(fd >= 0);
    static const char row[] = ROW("c") "\n";
    assert_int_equal(write(fd, row, sizeof row - 1), sizeof row - 1);
    assert_int_equal(kill(program.pid, SIGINT), 0);
    program_wait_for_err(&program, &c->r, "stopping; an import is kept whole or not at all");
    (void)signal(SIGPIPE, SIG_IGN);                   /* it may have gone already */
    ssize_t written = write(fd, row, sizeof row - 1); /* ends its read */
    assert_true(written == -1 || written == (ssize_t)sizeof row - 1);
    assert_int_equal(close(fd), 0);
    program_wait(&program, &c->r);
    assert_non_null(strstr(c->r.err, "fifo': nothing of this import was kept\n"));
    assert_int_equal(c->r.status, 130);
    assert_int_equal(comparisons(c), 0);
}

#define IMPORT_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IMPORT_TEST(test_cli_import__says_what_was_recognised_and_kept),
        IMPORT_TEST(test_cli_import__answers_programs_in_json),
        IMPORT_TEST(test_cli_import__lists_every_format_in_its_help),
        IMPORT_TEST(test_cli_import__reads_every_wrapping),
        IMPORT_TEST(test_cli_import__reads_standard_input_once),
        IMPORT_TEST(test_cli_import__names_the_place_of_bad_json),
        IMPORT_TEST(test_cli_import__names_the_place_of_bad_tables),
        IMPORT_TEST(test_cli_import__refuses_damaged_gzip),
        IMPORT_TEST(test_cli_import__leaves_out_bad_rows_if_asked),
        IMPORT_TEST(test_cli_import__reads_lines_of_a_megabyte),
        IMPORT_TEST(test_cli_import__states_the_limit_of_responses),
        IMPORT_TEST(test_cli_import__tells_bad_input_from_failure_by_status),
        IMPORT_TEST(test_cli_import__wants_a_project),
        IMPORT_TEST(test_cli_import__refuses_a_project_of_a_newer_program),
        IMPORT_TEST(test_cli_import__refuses_a_database_of_others),
        IMPORT_TEST(test_cli_import__refuses_a_damaged_project),
        IMPORT_TEST(test_cli_import__waits_its_turn_at_a_locked_project),
        IMPORT_TEST(test_cli_import__refuses_a_project_it_may_not_write),
        IMPORT_TEST(test_cli_import__keeps_nothing_when_the_disk_is_full),
        IMPORT_TEST(test_cli_import__killed_at_any_moment_keeps_all_or_nothing),
        IMPORT_TEST(test_cli_import__interrupted_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
