/* The prompts of the demonstration, from a project that holds its world. Models are asked in
 * tests/cli/test_cli_demo.c. */
#include "trainer/demo_measure.h"

#include "base/scoped.h"
#include "data/project.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"
#include "trainer/command_run.h"

#include <stdlib.h>

static void run_command(const char *const *words, int count) {
    struct error err = ERROR_INIT;
    struct output output = {.place = OUTPUT_NOWHERE};
    assert_ok(command_run(&output, count, words, &err), &err);
}

/* A world of as many names, imported by the commands themselves. */
static void make_world(struct scratch *scratch, int64_t names) {
    const struct demo_size size = {.names = names, .votes_per_prompt = 1};
    const char *project = scratch_path(scratch, "world.db");
    const char *shown = scratch_path(scratch, "shown.jsonl");
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf rows = STRBUF_INIT(1 * MIB);
    assert_ok(demo_world_add_demonstrations(&size, 0, &rows, &err), &err);
    scratch_write(scratch, "shown.jsonl", strbuf_text(&rows));
    run_command((const char *const[]){"accord", "init", project, NULL}, 3);
    run_command((const char *const[]){"accord", "import", project, shown, "--quiet", NULL}, 5);
}

/* 6 topics x 45 pairs of names; where each falls follows from its text. */
static void test_demo_prompts__are_those_of_the_splits(void **state) {
    struct run run = RUN_INIT;
    struct error err = ERROR_INIT;
    SCOPED(demo_prompts) struct demo_prompts prompts = DEMO_PROMPTS_INIT;
    make_world(*state, 10);
    assert_ok(demo_prompts_read(&run, scratch_path(*state, "world.db"), &prompts, &err), &err);
    int64_t training = 0;
    for (int64_t t = 0; t < DEMO_TOPICS; t++) {
        training += prompts.training[t];
    }
    assert_int_equal(training, 208);
    assert_int_equal(prompts.count, 34);
    for (int64_t i = 0; i < prompts.count; i++) {
        const struct demo_prompt *prompt = &prompts.list[i];
        const char *question = demo_world_topic(prompt->topic)->question;
        const size_t bytes = strlen(question);
        assert_true(prompt->text.count > bytes);
        assert_memory_equal(prompt->text.bytes + prompt->text.count - bytes, question, bytes);
    }
}

/* One pair of names makes six prompts. */
static void test_demo_prompts__a_topic_without_any_is_named(void **state) {
    struct run run = RUN_INIT;
    struct error err = ERROR_INIT;
    struct demo_prompts prompts = DEMO_PROMPTS_INIT;
    make_world(*state, 2);
    assert_fails(demo_prompts_read(&run, scratch_path(*state, "world.db"), &prompts, &err),
                 ERR_DATA, "no test prompt of topic '", &err);
    assert_null(prompts.list);
}

static enum err_code open_project(void *context, struct error *err) {
    SCOPED(db) struct db *db = NULL;
    return project_open(context, DB_MODE_READ_ONLY, NULL, &db, err);
}

static enum err_code read_prompts(void *context, struct error *err) {
    struct run run = RUN_INIT;
    SCOPED(demo_prompts) struct demo_prompts prompts = DEMO_PROMPTS_INIT;
    return demo_prompts_read(&run, context, &prompts, err);
}

static void test_demo_prompts__survive_every_failing_allocation(void **state) {
    make_world(*state, 8);
    alloc_loop_check_after(open_project, read_prompts, scratch_path(*state, "world.db"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_demo_prompts__are_those_of_the_splits),
        SCRATCH_TEST(test_demo_prompts__a_topic_without_any_is_named),
        SCRATCH_TEST(test_demo_prompts__survive_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
