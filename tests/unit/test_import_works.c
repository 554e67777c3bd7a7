#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/file_case.h"
#include "tests/support/io_loop.h"
#include "tests/support/preference_text.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

/* ---- JSON rows ---- */

static enum err_code read_row(const struct import_settings *settings, const char *row,
                              struct strbuf *out, struct error *err) {
    SCOPED(json) struct json *doc = NULL;
    TRY(json_parse(row, strlen(row), "m.jsonl", NULL, &doc, err));
    const struct import_json_row given = {
        .settings = settings, .doc = doc, .node = json_root(doc), .line = 7};
    struct import_batch batch = IMPORT_BATCH_INIT;
    enum err_code code = import_works.read_json(NULL, &given, &batch, err);
    for (int64_t i = 0; code == ERR_OK && i < batch.work_count; i++) {
        code = preference_check_work(batch.works[i], err);
    }
    if (code == ERR_OK && out) {
        preference_text_add_batch(out, &batch);
    }
    import_batch_deinit(&batch);
    return code;
}

static void check_row(const struct import_settings *settings, const char *row,
                      const char *expected) {
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(65536);
    struct error err = ERROR_INIT;
    enum err_code code = read_row(settings, row, &out, &err);
    if (code != ERR_OK) {
        assert_int_equal(code, ERR_DATA);
        strbuf_addf(&out, "! %s", err.msg);
    }
    assert_string_equal(strbuf_text(&out), expected);
}

static void test_works__json_rows_hold_the_text_or_name_a_file(void **state) {
    struct scratch *scratch = *state;
    const struct import_settings settings = {.path = scratch_path(scratch, "m.jsonl")};
    scratch_write(scratch, "Oliver.Twist.txt", "Please, sir.\r\nMore.\n");
    check_row(&settings, "{\"owner\": \"Ann\", \"title\": \"Poem\", \"text\": \"Tea.\"}",
              "7 work 'Poem' of 'Ann' | 'Tea.'\n");
    check_row(
        &settings,
        "{\"owner\": \"Dickens\", \"path\": \"Oliver.Twist.txt\", \"licence\": \"PD\", "
        "\"opt_out\": \"2023-11-14T22:13:20Z\", \"payee\": \"acct-1\", \"cluster\": \"c\"}",
        "7 work 'Oliver.Twist' of 'Dickens' | 'Please, sir.\r\\nMore.\\n' licence PD payee acct-1 "
        "cluster c out at 1700000000000\n");
    check_row(&settings,
              "{\"owner\": \"A\", \"title\": \"T\", \"text\": \"x\", \"opt_out\": true, "
              "\"license\": \"MIT\", \"cluster\": null, \"payee\": \"\"}",
              "7 work 'T' of 'A' | 'x' licence MIT out at 0\n");
    check_row(&settings,
              "{\"owner\": \"A\", \"title\": \"T\", \"text\": \"x\", \"opt_out\": false}",
              "7 work 'T' of 'A' | 'x'\n");
    check_row(&settings,
              "{\"owner\": \"A\", \"title\": \"T\", \"text\": \"x\", \"opt_out\": 1700000000}",
              "7 work 'T' of 'A' | 'x' out at 1700000000000\n");
    const struct import_settings mapped = {
        .path = "m.jsonl",
        .map = (const struct import_map_entry[]){{"owner", "author"}, {"text", "body"}},
        .map_count = 2,
    };
    check_row(&mapped, "{\"author\": \"Ann\", \"title\": \"Poem\", \"body\": \"Tea.\"}",
              "7 work 'Poem' of 'Ann' | 'Tea.'\n");
}

static void test_works__json_rows_say_what_is_wrong(void **state) {
    struct scratch *scratch = *state;
    const struct import_settings settings = {.path = scratch_path(scratch, "m.jsonl")};
    static const struct {
        const char *row, *message;
    } cases[] = {
        {"{\"title\": \"T\", \"text\": \"x\"}", "$: expected an owner"},
        {"{\"owner\": \"\", \"title\": \"T\", \"text\": \"x\"}", "$: expected an owner"},
        {"{\"owner\": \"A\", \"title\": \"T\"}", "$: expected a text, or the path of a file"},
        {"{\"owner\": \"A\", \"title\": \"T\", \"text\": \"x\", \"path\": \"y\"}",
         "$.text: expected a text, or the path of a file, not both"},
        {"{\"owner\": \"A\", \"text\": \"x\"}", "$: expected the title of the work"},
        {"{\"owner\": \"A\", \"title\": \"T\", \"text\": \"\"}", "$.text: the text is empty"},
        {"{\"owner\": 3, \"title\": \"T\", \"text\": \"x\"}",
         "$.owner: expected string, found number 3"},
        {"{\"owner\": \"A\", \"title\": \"T\", \"text\": \"x\", \"opt_out\": \"soon\"}",
         "$.opt_out: expected true, false or a time such as 2023-04-05 from which it is out"},
        {"{\"owner\": \"A\", \"title\": \"T\", \"text\": \"x\", \"opt_out\": 1999}",
         "$.opt_out: expected true, false or a time such as 2023-04-05 from which it is out"},
        {"{\"owner\": \"A\", \"title\": \"T\", \"text\": \"x\", \"opt_out\": [1]}",
         "$.opt_out: expected string, found array"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = ERROR_INIT;
        assert_fails(read_row(&settings, cases[i].row, NULL, &err), ERR_DATA, cases[i].message,
                     &err);
    }
    struct error err = ERROR_INIT;
    assert_fails(read_row(&settings, "{\"owner\": \"A\", \"path\": \"none.txt\"}", NULL, &err),
                 ERR_DATA, "$.path: no file '", &err);
    scratch_write(scratch, "bad.txt", "abc\xff");
    assert_fails(read_row(&settings, "{\"owner\": \"A\", \"path\": \"bad.txt\"}", NULL, &err),
                 ERR_DATA, "bad.txt': byte 4 (\\xff) is not UTF-8: convert the text", &err);
    scratch_write(scratch, "empty.txt", "");
    assert_fails(read_row(&settings, "{\"owner\": \"A\", \"path\": \"empty.txt\"}", NULL, &err),
                 ERR_DATA, "empty.txt': the text is empty", &err);
}

static void test_works__large_files_are_refused_by_a_stated_limit(void **state) {
    struct scratch *scratch = *state;
    const struct import_settings settings = {.path = scratch_path(scratch, "m.jsonl")};
    struct error err = ERROR_INIT;
    int fd = -1;
    const char *path = scratch_path(scratch, "large.txt");
    scratch_write(scratch, "large.txt", "x");
    assert_ok(file_open(path, 1 /* O_WRONLY */, &fd, &err), &err);
    assert_ok(file_resize(fd, path, 64 * 1024 * 1024 + 1, &err), &err);
    assert_ok(file_close(&fd, path, &err), &err);
    assert_fails(read_row(&settings, "{\"owner\": \"A\", \"path\": \"large.txt\"}", NULL, &err),
                 ERR_DATA, "67108865 bytes; the limit is 64 MiB: cut it into parts", &err);
}

static bool recognises(const char *row) {
    SCOPED(json) struct json *doc = NULL;
    struct error err = ERROR_INIT;
    char why[IMPORT_WHY_BYTES];
    assert_ok(json_parse(row, strlen(row), "m.jsonl", NULL, &doc, &err), &err);
    const struct import_json_row given = {
        .settings = &file_case_settings, .doc = doc, .node = json_root(doc), .line = 1};
    return import_works.recognise_json(&given, why);
}

static void test_works__are_recognised_by_owner_and_text(void **state) {
    (void)state;
    char why[IMPORT_WHY_BYTES];
    assert_true(recognises("{\"owner\": \"A\", \"text\": \"x\"}"));
    assert_true(recognises("{\"owner\": \"A\", \"path\": \"x\"}"));
    assert_false(recognises("{\"owner\": \"A\", \"title\": \"x\"}"));
    assert_false(recognises("{\"prompt\": \"A\", \"text\": \"x\"}"));
    assert_string_equal(file_case_recognise(&import_works_table, NULL, "path,owner,title\n", why),
                        "the columns have an owner and a path");
    assert_string_equal(file_case_recognise(&import_works_table, NULL, "title,owner\n", why), "");
}

/* ---- tables ---- */

static void test_works__tables(void **state) {
    struct scratch *scratch = *state;
    const struct import_settings settings = {.path = scratch_path(scratch, "m.csv")};
    scratch_write(scratch, "a.txt", "Tea.\n");
    file_case_check(&import_works_table, &settings,
                    "path,owner,title,licence,opt_out,payee,cluster\n"
                    "a.txt, Ann ,,CC0,2023-11-14,acct,c\na.txt,Bob,T,,,,\n",
                    "2 work 'a' of 'Ann' | 'Tea.\\n' licence CC0 payee acct cluster c out at "
                    "1699920000000\n3 work 'T' of 'Bob' | 'Tea.\\n'\n");
    file_case_check(&import_works_table, &settings, "owner\ttitle\ttext\nAnn\tT\t x \n",
                    "2 work 'T' of 'Ann' | ' x '\n");
    SCOPED(strbuf) struct strbuf expected = STRBUF_INIT(4096);
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"path,owner\n,Ann\n", ":2:1: path = '': expected a text, or the path of a file"},
        {"path,owner\na.txt,\n", ":2:7: owner = '': expected an owner"},
        {"text,owner\nx,Ann\n", ":2:3: owner = 'Ann': expected the title of the work"},
        {"path,owner,opt_out\na.txt,Ann,no way\n",
         ":2:11: opt_out = 'no way': expected true, false or a time such as 2023-04-05 from which "
         "it is out"},
        {"owner,title\nAnn,x\n", ":1: expected a column 'owner' and a column 'text' or 'path'; "
                                 "name them with --map"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        strbuf_reset(&expected);
        strbuf_addf(&expected, "! %s%s", settings.path, cases[i].message);
        file_case_check(&import_works_table, &settings, cases[i].text, strbuf_text(&expected));
    }
    const struct import_settings mapped = {.path = "m.csv",
                                           .map =
                                               (const struct import_map_entry[]){{"owner", "who"}},
                                           .map_count = 1};
    file_case_check(&import_works_table, &mapped, "who,title,text\nAnn,T,x\n",
                    "2 work 'T' of 'Ann' | 'x'\n");
    file_case_check(&import_works_table, &mapped, "owner,title,text\nAnn,T,x\n",
                    "! m.csv: --map owner=who: no column has this name");
}

/* ---- folders ---- */

/* Paths that the folder gives, relative to it, and the formats. */
static enum err_code list_files(const char *folder, struct strbuf *out, struct error *err) {
    const struct import_settings settings = {.path = folder};
    void *state = NULL;
    TRY(import_works_folder.open(&settings, NULL, &state, err));
    bool has_file = true;
    enum err_code code = ERR_OK;
    while (code == ERR_OK && has_file) {
        char *path = NULL;
        const struct import_format *format = NULL;
        code = import_works_folder.next_file(state, &path, &format, &has_file, err);
        if (code == ERR_OK && has_file && out) {
            strbuf_addf(out, "%s %s\n", path + strlen(folder) + 1, format->name);
        }
        mem_free(path);
    }
    if (out) {
        import_works_folder.note(state, out);
    }
    import_works_folder.close(state);
    return code;
}

static void make_folder(struct scratch *scratch, const char *name) {
    struct error err = ERROR_INIT;
    assert_ok(file_make_folders(scratch_path(scratch, name), &err), &err);
}

static void make_owners(struct scratch *scratch) {
    make_folder(scratch, "Bob");
    make_folder(scratch, "Ann");
    scratch_write(scratch, "README", "x");
    scratch_write(scratch, "Ann/b.md", "Two");
    scratch_write(scratch, "Ann/a.txt", "One\r\n");
    scratch_write(scratch, "Ann/.hidden.txt", "no");
    scratch_write(scratch, "Ann/cover.jpg", "no");
    scratch_write(scratch, "Bob/c.txt", "Three");
}

static void test_works_folder__owners_are_folders(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    char why[IMPORT_WHY_BYTES];
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(4096);
    assert_false(import_works_folder.recognise_folder(scratch->folder, why));
    make_owners(scratch);
    assert_ok(list_files(scratch->folder, &out, &err), &err);
    assert_string_equal(strbuf_text(&out),
                        "Ann/a.txt work-file\nAnn/b.md work-file\nBob/c.txt work-file\n"
                        "2 files that are no works passed over\n");
    assert_true(import_works_folder.recognise_folder(scratch->folder, why));
    assert_string_equal(why, "the folder holds folders with texts: <owner>/<title>.txt");
    const struct import_settings one = {.path = scratch_path(scratch, "Ann/a.txt")};
    strbuf_reset(&out);
    const struct file_case run = {.format = &import_work_file, .settings = &one, .out = &out};
    assert_ok(file_case_run(&run, &err), &err);
    assert_string_equal(strbuf_text(&out), "1 work 'a' of 'Ann' | 'One\r\\n'\n");
}

static void test_works_folder__a_manifest_comes_first(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    char why[IMPORT_WHY_BYTES];
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(4096);
    make_owners(scratch);
    scratch_write(scratch, "manifest.csv", "path,owner\n");
    assert_ok(list_files(scratch->folder, &out, &err), &err);
    assert_string_equal(strbuf_text(&out), "manifest.csv works-table\n");
    scratch_write(scratch, "manifest.jsonl", "");
    strbuf_reset(&out);
    assert_ok(list_files(scratch->folder, &out, &err), &err);
    assert_string_equal(strbuf_text(&out), "manifest.jsonl works\n");
    assert_true(import_works_folder.recognise_folder(scratch->folder, why));
    assert_string_equal(why, "the folder holds a manifest");
}

static void test_works_folder__says_what_is_wrong(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    scratch_write(scratch, "a.txt", "x");
    assert_fails(list_files(scratch->folder, NULL, &err), ERR_DATA,
                 "no manifest.jsonl, .json, .csv or .tsv, and no folder of an owner", &err);
    make_folder(scratch, "Ann");
    make_folder(scratch, "Ann/poems");
    assert_fails(list_files(scratch->folder, NULL, &err), ERR_DATA,
                 "Ann/poems' is a folder in the folder of an owner", &err);
    assert_fails(list_files(scratch_path(scratch, "none"), NULL, &err), ERR_IO,
                 "No such file or directory", &err);
    const struct import_settings bare = {.path = "none.txt"};
    const struct file_case run = {.format = &import_work_file, .settings = &bare, .text = "x"};
    assert_fails(file_case_run(&run, &err), ERR_DATA, "expected <owner>/<title>.txt", &err);
}

/* ---- failures ---- */

static enum err_code read_manifest(void *context, struct error *err) {
    const struct import_settings settings = {.path = context};
    const char *row = "{\"owner\": \"A\", \"path\": \"a.txt\", \"licence\": \"MIT\"}";
    TRY(read_row(&settings, row, NULL, err));
    const struct file_case run = {
        .format = &import_works_table, .settings = &settings, .text = "owner,path\nA,a.txt\n"};
    return file_case_run(&run, err);
}

static enum err_code list_folder(void *context, struct error *err) {
    return list_files(context, NULL, err);
}

static void test_works__survive_failing_memory_and_files(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a.txt", "Tea.\n");
    alloc_loop_check(read_manifest, scratch_path(scratch, "m.csv"));
    make_owners(scratch);
    alloc_loop_check(list_folder, scratch->folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_works__json_rows_hold_the_text_or_name_a_file),
        SCRATCH_TEST(test_works__json_rows_say_what_is_wrong),
        SCRATCH_TEST(test_works__large_files_are_refused_by_a_stated_limit),
        cmocka_unit_test(test_works__are_recognised_by_owner_and_text),
        SCRATCH_TEST(test_works__tables),
        SCRATCH_TEST(test_works_folder__owners_are_folders),
        SCRATCH_TEST(test_works_folder__a_manifest_comes_first),
        SCRATCH_TEST(test_works_folder__says_what_is_wrong),
        SCRATCH_TEST(test_works__survive_failing_memory_and_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
