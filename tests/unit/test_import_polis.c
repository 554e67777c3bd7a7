#include "base/file.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/file_case.h"
#include "tests/support/io_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#define COMMENTS                                                                        \
    "timestamp,datetime,comment-id,author-id,agrees,disagrees,moderated,comment-body\n" \
    "1,x,1,77,2,0,1,\"Tea, please.\"\n1,x,0,78,2,0,-1,Coffee!\n1,x,10,77,0,0,0,\n"
#define HEADER "participant,group-id,n-comments,n-votes,n-agree,n-disagree,0,1,10\n"

static void write_beside(struct scratch *scratch, const char *topic) {
    scratch_write(scratch, "comments.csv", COMMENTS);
    if (topic) {
        scratch_write(scratch, "summary.csv", topic);
    }
}

static struct import_settings settings_of(struct scratch *scratch) {
    return (struct import_settings){.path = scratch_path(scratch, "participants-votes.csv"),
                                    .name = "drinks"};
}

static void test_polis__votes_are_ratings(void **state) {
    struct scratch *scratch = *state;
    struct import_settings settings = settings_of(scratch);
    write_beside(scratch, "topic,\"What, then?\"\nurl,x\nvoters,2\n");
    file_case_check(
        &import_polis, &settings, HEADER "0,1,0,2,1,1,1,-1,\n5,,0,2,0,0,,0,1\n",
        "2 rating 'What, then?' #drinks | 'Coffee!' ~78 value 1 of [-1, 1] by drinks/p0 "
        "(drinks/group-1)\n"
        "2 rating 'What, then?' #drinks | 'Tea, please.' ~77 value -1 of [-1, 1] by drinks/p0 "
        "(drinks/group-1)\n"
        "3 rating 'What, then?' #drinks | 'Tea, please.' ~77 value 0 of [-1, 1] by drinks/p5\n"
        "3 rating 'What, then?' #drinks | '' ~77 value 1 of [-1, 1] by drinks/p5\n");
}

static void test_polis__the_conversation_is_its_folder(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    assert_ok(file_make_folders(scratch_path(scratch, "tea.time"), &err), &err);
    scratch_write(scratch, "tea.time/comments.csv", COMMENTS);
    struct import_settings settings = {
        .path = scratch_path(scratch, "tea.time/participants-votes.csv")};
    file_case_check(&import_polis, &settings, HEADER "0,1,0,1,1,0,1,,\n",
                    "2 rating 'tea.time' #tea.time | 'Coffee!' ~78 value 1 of [-1, 1] by "
                    "tea.time/p0 (tea.time/group-1)\n");
    settings.prompt = "Well?";
    settings.topic = "T";
    file_case_check(&import_polis, &settings, HEADER "0,1,0,1,1,0,1,,\n",
                    "2 rating 'Well?' #T | 'Coffee!' ~78 value 1 of [-1, 1] by tea.time/p0 "
                    "(tea.time/group-1)\n");
}

static void test_polis__what_does_not_fit_is_told(void **state) {
    struct scratch *scratch = *state;
    struct import_settings settings = settings_of(scratch);
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(4096);
    SCOPED(strbuf) struct strbuf notes = STRBUF_INIT(4096);
    struct error err = ERROR_INIT;
    write_beside(scratch, "topic,Q\n");
    const struct file_case run = {
        .format = &import_polis,
        .settings = &settings,
        .text = "participant,group-id,n-votes,0,99\n0,1,2,1,1\n1,1,2,1,\n2,0,1,,-1\n",
        .out = &out,
        .notes = &notes,
    };
    assert_ok(file_case_run(&run, &err), &err);
    assert_string_equal(strbuf_text(&out),
                        "2 rating 'Q' #drinks | 'Coffee!' ~78 value 1 of [-1, 1] by drinks/p0 "
                        "(drinks/group-1)\n"
                        "3 rating 'Q' #drinks | 'Coffee!' ~78 value 1 of [-1, 1] by drinks/p1 "
                        "(drinks/group-1)\n");
    assert_string_equal(strbuf_text(&notes),
                        "conversation 'drinks' of 3 statements\n"
                        "2 votes on 1 statements left out: comments.csv lacks their texts\n"
                        "1 participants whose n-votes is not the number of their votes\n");
}

static void test_polis__says_what_is_wrong(void **state) {
    struct scratch *scratch = *state;
    struct import_settings settings = settings_of(scratch);
    SCOPED(strbuf) struct strbuf expected = STRBUF_INIT(4096);
    strbuf_addf(&expected,
                "! %s: the statements are missing: put comments.csv of the same export beside it, "
                "or name it with --texts FILE",
                settings.path);
    file_case_check(&import_polis, &settings, HEADER, strbuf_text(&expected));
    write_beside(scratch, NULL);
    static const struct {
        const char *text, *message;
    } cases[] = {
        {HEADER "0,1,0,1,1,0,2,,\n", "2:13: comment 0 = '2': expected 1 (agree), 0 (pass), -1 "
                                     "(disagree) or nothing"},
        {HEADER "0,1,0,1,1,0,,1.0,\n", "2:14: comment 1 = '1.0': expected 1 (agree), 0 (pass), -1 "
                                       "(disagree) or nothing"},
        {HEADER ",1,0,1,1,0,1,,\n", "2:1: participant = '': expected the number of a participant"},
        {HEADER "0,1,0,x,1,0,1,,\n", "2:7: n-votes = 'x': expected a number"},
        {"group-id,0\n1,1\n", "1: expected a column 'participant'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        strbuf_reset(&expected);
        strbuf_addf(&expected, "! %s:%s", settings.path, cases[i].message);
        file_case_check(&import_polis, &settings, cases[i].text, strbuf_text(&expected));
    }
}

static void test_polis__a_file_without_folder_needs_a_name(void **state) {
    struct scratch *scratch = *state;
    write_beside(scratch, NULL);
    struct import_settings settings = {.path = "no-such-votes.csv",
                                       .texts = scratch_path(scratch, "comments.csv")};
    file_case_check(&import_polis, &settings, HEADER,
                    "! no-such-votes.csv: participants of different conversations have the same "
                    "numbers: name this one with --name NAME");
}

static void test_polis__is_recognised_by_columns_and_folder(void **state) {
    struct scratch *scratch = *state;
    char why[IMPORT_WHY_BYTES];
    assert_string_equal(file_case_recognise(&import_polis, NULL, HEADER, why),
                        "the columns are participant, group-id and numbered statements");
    assert_string_equal(file_case_recognise(&import_polis, NULL, "participant,group-id,x\n", why),
                        "");
    assert_string_equal(file_case_recognise(&import_polis, NULL, "participant,1,2\n", why), "");
    assert_false(import_polis_folder.recognise_folder(scratch->folder, why));
    scratch_write(scratch, "participants-votes.csv", HEADER);
    assert_false(import_polis_folder.recognise_folder(scratch->folder, why));
    write_beside(scratch, NULL);
    assert_true(import_polis_folder.recognise_folder(scratch->folder, why));
    assert_string_equal(why, "the folder holds participants-votes.csv and comments.csv");
}

static void test_polis_folder__gives_the_votes_once(void **state) {
    struct scratch *scratch = *state;
    const struct import_settings settings = {.path = scratch->folder};
    struct error err = ERROR_INIT;
    void *folder = NULL;
    char *path = NULL;
    const struct import_format *format = NULL;
    bool has_file = false;
    assert_ok(import_polis_folder.open(&settings, NULL, &folder, &err), &err);
    assert_ok(import_polis_folder.next_file(folder, &path, &format, &has_file, &err), &err);
    assert_true(has_file);
    assert_ptr_equal(format, &import_polis);
    assert_string_equal(path, scratch_path(scratch, "participants-votes.csv"));
    mem_free(path);
    assert_ok(import_polis_folder.next_file(folder, &path, &format, &has_file, &err), &err);
    assert_false(has_file);
    import_polis_folder.close(folder);
}

static enum err_code read_some(void *context, struct error *err) {
    const struct file_case run = {.format = &import_polis,
                                  .settings = context,
                                  .text = HEADER "0,1,0,2,1,1,1,-1,\n5,,0,2,0,0,,0,1\n"};
    return file_case_run(&run, err);
}

static void test_polis__survives_failing_memory_and_files(void **state) {
    struct scratch *scratch = *state;
    struct import_settings settings = settings_of(scratch);
    write_beside(scratch, "url,x\ntopic,Q\n");
    alloc_loop_check(read_some, &settings);
    io_loop_check(read_some, NULL, &settings);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_polis__votes_are_ratings),
        SCRATCH_TEST(test_polis__the_conversation_is_its_folder),
        SCRATCH_TEST(test_polis__what_does_not_fit_is_told),
        SCRATCH_TEST(test_polis__says_what_is_wrong),
        SCRATCH_TEST(test_polis__a_file_without_folder_needs_a_name),
        SCRATCH_TEST(test_polis__is_recognised_by_columns_and_folder),
        SCRATCH_TEST(test_polis_folder__gives_the_votes_once),
        SCRATCH_TEST(test_polis__survives_failing_memory_and_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
