/* accord demo as its users meet it: the whole way in a small world, what it leaves behind, and
 * Ctrl-C on the way. */
#include "base/json.h"
#include "base/scoped.h"
#include "tests/support/run_program.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define SECONDS 600 /* half a minute of two cores that have nothing else to do */

/* Too large for the stack of a test. */
static struct program_result *new_result(void) {
    struct program_result *r = calloc(1, sizeof *r);
    assert_non_null(r);
    return r;
}

/* Makes the scratch folder the place of temporary ones. */
static const char *tmpdir_of(const struct scratch *scratch, char out[512]) {
    (void)snprintf(out, 512, "TMPDIR=%s", scratch->folder);
    return out;
}

static double number_of(const struct json *doc, const struct json_node *object, const char *key) {
    double value = 0.0;
    struct error err = ERROR_INIT;
    assert_ok(json_get_f64(doc, object, key, &value, &err), &err);
    return value;
}

static void check_result(const struct program_result *r) {
    SCOPED(json) struct json *doc = NULL;
    struct error err = ERROR_INIT;
    const struct json_node *distances = NULL;
    const struct json_node *topics = NULL;
    bool is_met = false;
    assert_ok(json_parse(r->out, strlen(r->out), "output", NULL, &doc, &err), &err);
    assert_ok(json_get_bool(doc, json_root(doc), "truth_met", &is_met, &err), &err);
    assert_ok(json_get_array(doc, json_root(doc), "topics", &topics, &err), &err);
    assert_ok(json_get_object(doc, json_root(doc), "distance_mean", &distances, &err), &err);
    assert_true(is_met);
    assert_int_equal(json_count(doc, topics), 6);
    const double matched = number_of(doc, distances, "matched");
    assert_true(3.0 * matched < number_of(doc, distances, "start"));
    assert_true(3.0 * matched < number_of(doc, distances, "kl"));
}

static void test_demo__meets_the_truth_and_leaves_nothing(void **state) {
    struct scratch *scratch = *state;
    struct program_result *r = new_result();
    char variable[512];
    const char *const environment[] = {tmpdir_of(scratch, variable), NULL};
    const struct program_options options = {.environment = environment, .seconds = SECONDS};
    run_program_with(r, &options, (const char *const[]){"demo", "--quick", "--json", NULL});
    if (r->status != 0) {
        fail_msg("status %d: %s", r->status, r->err);
    }
    check_result(r);
    assert_non_null(strstr(r->err, "$ accord import world.db votes.jsonl demonstrations.jsonl\n"));
    assert_string_equal(scratch_list(scratch), "");
    free(r);
}

/* Within a command that stops after its step, and with it all. */
static void test_demo__interrupted_leaves_nothing(void **state) {
    struct scratch *scratch = *state;
    struct program_result *r = new_result();
    char variable[512];
    const char *const environment[] = {tmpdir_of(scratch, variable), NULL};
    const struct program_options options = {.environment = environment, .seconds = SECONDS};
    struct program p = program_start(&options, (const char *const[]){"demo", "--quick", NULL});
    program_wait_for_err(&p, r, "sft: sequences of at most");
    assert_int_equal(kill(p.pid, SIGINT), 0);
    program_wait(&p, r);
    assert_int_equal(r->status, 130);
    assert_false(r->by_signal);
    assert_non_null(strstr(r->err, "stopping after this step; again to stop at once\n"));
    assert_non_null(strstr(r->err, "accord: 'accord sft': stopped "));
    assert_string_equal(scratch_list(scratch), "");
    free(r);
}

static void test_demo__keeps_no_folder_that_is_in_use(void **state) {
    struct scratch *scratch = *state;
    struct program_result *r = new_result();
    scratch_write(scratch, "mine", "mine");
    run_program(r, "demo", "--quick", "-o", scratch->folder, NULL);
    assert_int_equal(r->status, 2);
    assert_non_null(strstr(r->err, "' is there and not empty: choose another, or remove it\n"));
    assert_string_equal(scratch_list(scratch), "mine");
    free(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_demo__meets_the_truth_and_leaves_nothing),
        SCRATCH_TEST(test_demo__interrupted_leaves_nothing),
        SCRATCH_TEST(test_demo__keeps_no_folder_that_is_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
