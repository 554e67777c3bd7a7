#include "base/config.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/config_sample.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void sample_scoped_end(struct sample_config *config) {
    config_deinit(&sample_table, config);
}

static struct sample_config new_sample(void) {
    struct error err = ERROR_INIT;
    struct sample_config config;
    assert_ok(config_init(&sample_table, &config, &err), &err);
    return config;
}

static enum err_code apply(struct sample_config *config, const char *text, struct error *err) {
    return config_apply_text(&sample_table, config, "config 'a.json'", text, strlen(text), err);
}

static void assert_defaults(const struct sample_config *config) {
    assert_true(config->shuffle);
    assert_int_equal(config->steps, 100);
    assert_true(config->seed == UINT64_MAX);
    assert_true(config->rate == 0.001);
    assert_string_equal(config->title, "a run");
    assert_string_equal(config->resume, "");
    assert_int_equal(config->layers.count, 2);
    assert_int_equal(config->layers.items[0], 1);
    assert_int_equal(config->layers.items[1], 2);
    assert_int_equal(config->stops.count, 0);
    assert_int_equal(config->regulariser.kind, SAMPLE_KIND_PM);
    assert_true(config->regulariser.beta == 0.1);
    assert_true(config->regulariser.alpha == 0.5);
}

static void test_config_init__defaults(void **state) {
    (void)state;
    SCOPED(sample) struct sample_config config = new_sample();
    assert_defaults(&config);
}

static void test_config_apply__replaces_what_is_named(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(sample) struct sample_config config = new_sample();
    assert_ok(apply(&config, "{}", &err), &err);
    assert_defaults(&config);
    assert_ok(apply(&config,
                    "{\"shuffle\": false, \"steps\": 1e3, \"seed\": 7, \"rate\": 0,"
                    " \"title\": \"\\u00e9 = x\", \"resume\": \"runs/7\", \"layers\": [],"
                    " \"stops\": [\"a,b\", \"\"], \"regulariser\": {\"kind\": \"cpm\"}}",
                    &err),
              &err);
    assert_false(config.shuffle);
    assert_int_equal(config.steps, 1000);
    assert_int_equal(config.seed, 7);
    assert_true(config.rate == 0.0);
    assert_string_equal(config.title, "\xC3\xA9 = x");
    assert_string_equal(config.resume, "runs/7");
    assert_int_equal(config.layers.count, 0);
    assert_int_equal(config.stops.count, 2);
    assert_string_equal(config.stops.items[0], "a,b");
    assert_string_equal(config.stops.items[1], "");
    assert_int_equal(config.regulariser.kind, SAMPLE_KIND_CPM);
    assert_true(config.regulariser.beta == 0.1); /* not named: kept */
}

static void test_config_apply__ends_of_ranges(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(sample) struct sample_config config = new_sample();
    assert_ok(apply(&config, "{\"steps\": 1, \"layers\": [0, 99]}", &err), &err);
    assert_ok(apply(&config, "{\"steps\": 65536, \"rate\": 1}", &err), &err);
    assert_ok(apply(&config, "{\"regulariser\": {\"beta\": 1e-6, \"alpha\": 1e-300}}", &err), &err);
    assert_ok(apply(&config, "{\"seed\": \"18446744073709551615\"}", &err), &err);
    assert_ok(apply(&config, "{\"seed\": \"0\"}", &err), &err);
}

static void test_config_apply__comments_are_ignored(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(sample) struct sample_config config = new_sample();
    assert_ok(apply(&config,
                    "{\"comment\": {\"reward\": [0.7, 0.8]}, \"steps\": 5,"
                    " \"regulariser\": {\"comment\": \"of a section\"}}",
                    &err),
              &err);
    assert_int_equal(config.steps, 5);
    assert_fails(apply(&config, "{\"comments\": 1}", &err), ERR_CONFIG, "unknown key", &err);
    assert_fails(apply(&config, "{\"comment\": 1, \"comment\": 2}", &err), ERR_CONFIG,
                 "duplicate key", &err);
}

/* Whole messages: they are what the user sees. */
static void test_config_apply__says_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"rate\": -0.1}", "config 'a.json': $.rate = -0.1 is outside [0, 1]"},
        {"{\"regulariser\": {\"beta\": -0.1}}",
         "config 'a.json': $.regulariser.beta = -0.1 is outside [1e-06, 10]"},
        {"{\"regulariser\": {\"alpha\": 1}}",
         "config 'a.json': $.regulariser.alpha = 1 is outside (0, 1)"},
        {"{\"regulariser\": {\"alpha\": 0}}",
         "config 'a.json': $.regulariser.alpha = 0 is outside (0, 1)"},
        {"{\"steps\": 0}", "config 'a.json': $.steps = 0 is outside [1, 65536]"},
        {"{\"steps\": 65537}", "config 'a.json': $.steps = 65537 is outside [1, 65536]"},
        {"{\"layers\": [1, 100]}", "config 'a.json': $.layers[1] = 100 is outside [0, 99]"},
        {"{\"regulariser\": {\"kind\": \"pmm\"}}",
         "config 'a.json': $.regulariser.kind = 'pmm' is not one of kl, pm, cpm, did you mean "
         "'pm'?"},
        {"{\"regulariser\": {\"kind\": \"\\u001b[2J\"}}",
         "config 'a.json': $.regulariser.kind = '\\u001b[2J' is not one of kl, pm, cpm"},
        {"{\"step\": 5}", "config 'a.json': $.step: unknown key, did you mean 'steps'?"},
        {"{\"regulariser\": {\"gamma\": 5}}",
         "config 'a.json': $.regulariser.gamma: unknown key; known here: kind, beta, alpha"},
        {"{\"steps\": 5, \"steps\": 6}", "config 'a.json': $.steps: duplicate key"},
        {"{\"steps\": \"many\"}",
         "config 'a.json': $.steps: expected 64-bit integer, found string 'many'"},
        {"{\"steps\": 1.5}", "config 'a.json': $.steps: expected integer, found number 1.5"},
        {"{\"rate\": \"0.1\"}", "config 'a.json': $.rate: expected number, found string '0.1'"},
        {"{\"title\": null}", "config 'a.json': $.title: expected string, found null"},
        {"{\"layers\": 3}", "config 'a.json': $.layers: expected array, found number 3"},
        {"{\"regulariser\": 3}", "config 'a.json': $.regulariser: expected object, found number 3"},
        {"[]", "config 'a.json': $: expected object, found array"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error err = ERROR_INIT;
        SCOPED(sample) struct sample_config config = new_sample();
        assert_int_equal(apply(&config, cases[i].text, &err), ERR_CONFIG);
        assert_int_equal(err.code, ERR_CONFIG);
        assert_string_equal(err.msg, cases[i].message);
        assert_defaults(&config);
    }
}

static void test_config_apply__broken_json_is_bad_configuration(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        "{",
                                        "{\"steps\": 5,}",
                                        "{\"steps\": 5} x",
                                        "{\"title\": \"\\ud800\"}",
                                        "{'steps': 5}",
                                        "{\"seed\": 9007199254740993}"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct error err = ERROR_INIT;
        SCOPED(sample) struct sample_config config = new_sample();
        assert_fails(apply(&config, texts[i], &err), ERR_CONFIG, "config 'a.json'", &err);
        assert_defaults(&config);
    }
}

/* The first keys are good, the last one is not: nothing at all changes. */
static void test_config_apply__all_or_nothing(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(sample) struct sample_config config = new_sample();
    assert_fails(apply(&config,
                       "{\"steps\": 5, \"title\": \"b\", \"layers\": [7], \"stops\": [\"x\"],"
                       " \"regulariser\": {\"kind\": \"kl\", \"beta\": 11}}",
                       &err),
                 ERR_CONFIG, "$.regulariser.beta = 11 is outside", &err);
    assert_defaults(&config);
    assert_fails(apply(&config, "{\"stops\": [\"x\", 3]}", &err), ERR_CONFIG,
                 "$.stops[1]: expected string", &err);
    assert_defaults(&config);
}

static void test_config_set__every_type(void **state) {
    (void)state;
    static const char *const assignments[] = {
        "shuffle=false",
        "steps=12",
        "seed=18446744073709551614",
        "rate=.25",
        "title=b = c ",
        "resume=",
        "layers=3,4,5",
        "stops=\"x\",,",
        "regulariser.kind=cpm",
        "regulariser.beta=2e-1",
    };
    struct error err = ERROR_INIT;
    SCOPED(sample) struct sample_config config = new_sample();
    for (size_t i = 0; i < COUNT(assignments); i++) {
        assert_ok(config_set(&sample_table, &config, assignments[i], &err), &err);
    }
    assert_false(config.shuffle);
    assert_int_equal(config.steps, 12);
    assert_true(config.seed == UINT64_MAX - 1);
    assert_true(config.rate == 0.25);
    assert_string_equal(config.title, "b = c "); /* the first '=' is the one that counts */
    assert_string_equal(config.resume, "");
    assert_int_equal(config.layers.count, 3);
    assert_int_equal(config.layers.items[2], 5);
    assert_int_equal(config.stops.count, 2);
    assert_string_equal(config.stops.items[0], "\"x\"");
    assert_string_equal(config.stops.items[1], "");
    assert_int_equal(config.regulariser.kind, SAMPLE_KIND_CPM);
    assert_true(config.regulariser.beta == 0.2);
    assert_ok(config_set(&sample_table, &config, "layers=", &err), &err);
    assert_int_equal(config.layers.count, 0);
}

static void test_config_set__says_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *assignment, *message;
    } cases[] = {
        {"regulariser.bta=0.2", "--set: $.regulariser.bta: unknown key, did you mean 'beta'?"},
        {"beta=0.2", "--set: $.beta: unknown key; known here: shuffle, steps, seed, rate, title, "
                     "resume, layers, stops, regulariser"},
        {"regulariser.beta=-0.1", "--set: $.regulariser.beta = -0.1 is outside [1e-06, 10]"},
        {"regulariser.beta=0.1, \"alpha\": 0.3",
         "--set: $.regulariser.beta: expected number, found string '0.1, \"alpha\": 0.3'"},
        {"regulariser.beta=nan", "--set: $.regulariser.beta: expected number, found string 'nan'"},
        {"regulariser=kl", "--set: $.regulariser: expected object, found string 'kl'"},
        {"steps.x=3", "--set: $.steps: expected integer, found object"},
        {"steps=", "--set: $.steps: expected 64-bit integer, found string ''"},
        {"steps=1e3", "--set: $.steps: expected 64-bit integer, found string '1e3'"},
        {"layers=1,x", "--set: $.layers[1]: expected 64-bit integer, found string 'x'"},
        {"shuffle=yes", "--set: $.shuffle: expected boolean, found string 'yes'"},
        {"seed=-1", "--set: $.seed: expected unsigned 64-bit integer, found string '-1'"},
        {"steps", "--set 'steps': expected key=value"},
        {"=3", "--set '=3': expected key=value"},
        {"title=\xFF", "--set 'title=\\xff': not UTF-8 at byte 6"},
        {"a.a.a.a.a.a.a.a.a.a=1", "--set 'a.a.a.a.a.a.a.a.a.a=1': key with more than 8 dots"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error err = ERROR_INIT;
        SCOPED(sample) struct sample_config config = new_sample();
        assert_int_equal(config_set(&sample_table, &config, cases[i].assignment, &err), ERR_CONFIG);
        assert_string_equal(err.msg, cases[i].message);
        assert_defaults(&config);
    }
}

static void test_config_clone__shares_nothing(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(sample) struct sample_config config = new_sample();
    assert_ok(config_set(&sample_table, &config, "stops=x,y", &err), &err);
    struct sample_config copy;
    assert_ok(config_clone(&sample_table, &config, &copy, &err), &err);
    SCOPED(sample) struct sample_config kept = copy;
    assert_ok(config_set(&sample_table, &config, "title=changed", &err), &err);
    assert_ok(config_set(&sample_table, &config, "stops=", &err), &err);
    assert_string_equal(kept.title, "a run");
    assert_int_equal(kept.stops.count, 2);
    assert_string_equal(kept.stops.items[1], "y");
    assert_int_equal(kept.layers.items[1], 2);
    assert_ptr_not_equal(kept.layers.items, config.layers.items);
    assert_true(kept.regulariser.beta == 0.1);
}

static void test_config_deinit__zeroes_and_is_safe_twice(void **state) {
    (void)state;
    static const struct sample_config zero;
    int64_t live = mem_live_blocks();
    struct sample_config config = new_sample();
    config_deinit(&sample_table, &config);
    assert_int_equal(mem_live_blocks(), live);
    assert_memory_equal(&config, &zero, sizeof config);
    config_deinit(&sample_table, &config);
    assert_memory_equal(&config, &zero, sizeof config);
}

static void test_config_validate__hooks_of_sections_and_whole(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(sample) struct sample_config config = new_sample();
    assert_ok(config_validate(&sample_table, &config, &err), &err);
    assert_ok(apply(&config, "{\"regulariser\": {\"kind\": \"cpm\", \"beta\": 6}}", &err), &err);
    assert_fails(config_validate(&sample_table, &config, &err), ERR_CONFIG,
                 "configuration: regulariser: kind = cpm needs beta of at most 5", &err);
    assert_ok(config_set(&sample_table, &config, "regulariser.beta=5", &err), &err);
    assert_ok(config_validate(&sample_table, &config, &err), &err);
    assert_ok(config_set(&sample_table, &config, "resume=runs/7", &err), &err);
    assert_fails(config_validate(&sample_table, &config, &err), ERR_CONFIG,
                 "configuration: resume needs shuffle = false", &err);
}

static void test_config_load__file_then_assignments_then_options(void **state) {
    struct error err = ERROR_INIT;
    struct scratch *scratch = *state;
    scratch_write(scratch, "a.json", "{\"steps\": 5, \"rate\": 0.5, \"resume\": \"runs/7\"}\n");
    static const char *const assignments[] = {"steps=6", "title=s", "shuffle=false", "steps=7"};
    static const struct config_option options[] = {{"--title", "title", "t"}};
    const struct config_source source = {.path = scratch_path(scratch, "a.json"),
                                         .assignments = assignments,
                                         .assignment_count = COUNT(assignments),
                                         .options = options,
                                         .option_count = COUNT(options)};
    SCOPED(sample) struct sample_config config = {.steps = 0};
    assert_ok(config_load(&sample_table, &source, &config, &err), &err);
    assert_int_equal(config.steps, 7);      /* the last assignment */
    assert_true(config.rate == 0.5);        /* the file */
    assert_string_equal(config.title, "t"); /* the option, over the assignment */
    assert_true(config.seed == UINT64_MAX); /* the default */

    struct sample_config untouched = {.steps = 3};
    const struct config_source file_only = {.path = source.path};
    assert_fails(config_load(&sample_table, &file_only, &untouched, &err), ERR_CONFIG,
                 "configuration: resume needs shuffle = false", &err);
    assert_int_equal(untouched.steps, 3);
}

static void test_config_apply_file__what_cannot_be_read(void **state) {
    struct error err = ERROR_INIT;
    SCOPED(sample) struct sample_config config = new_sample();
    assert_fails(config_apply_file(&sample_table, &config, "no/such.json", &err), ERR_IO,
                 "--config: cannot open 'no/such.json'", &err);
    struct scratch *scratch = *state;
    scratch_write(scratch, "a.json", "{\"steps\": 0}");
    assert_fails(config_apply_file(&sample_table, &config, scratch_path(scratch, "a.json"), &err),
                 ERR_CONFIG, "a.json': $.steps = 0 is outside [1, 65536]", &err);
    assert_fails(config_apply_file(&sample_table, &config, "/dev/zero", &err), ERR_CONFIG,
                 "/dev/zero", &err);
    assert_defaults(&config);
}

static enum err_code load_and_clone(void *context, struct error *err) {
    static const char *const assignments[] = {"stops=a,b", "regulariser.kind=kl"};
    const struct config_source source = {
        .path = context, .assignments = assignments, .assignment_count = COUNT(assignments)};
    SCOPED(sample) struct sample_config config = {.steps = 0};
    TRY(config_load(&sample_table, &source, &config, err));
    SCOPED(sample) struct sample_config copy = {.steps = 0};
    return config_clone(&sample_table, &config, &copy, err);
}

static void test_config__survives_every_failed_allocation(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "a.json", "{\"title\": \"b\", \"layers\": [1], \"stops\": [\"x\"]}");
    alloc_loop_check(load_and_clone, scratch_path(scratch, "a.json"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_init__defaults),
        cmocka_unit_test(test_config_apply__replaces_what_is_named),
        cmocka_unit_test(test_config_apply__ends_of_ranges),
        cmocka_unit_test(test_config_apply__comments_are_ignored),
        cmocka_unit_test(test_config_apply__says_what_is_wrong),
        cmocka_unit_test(test_config_apply__broken_json_is_bad_configuration),
        cmocka_unit_test(test_config_apply__all_or_nothing),
        cmocka_unit_test(test_config_set__every_type),
        cmocka_unit_test(test_config_set__says_what_is_wrong),
        cmocka_unit_test(test_config_clone__shares_nothing),
        cmocka_unit_test(test_config_deinit__zeroes_and_is_safe_twice),
        cmocka_unit_test(test_config_validate__hooks_of_sections_and_whole),
        SCRATCH_TEST(test_config_load__file_then_assignments_then_options),
        SCRATCH_TEST(test_config_apply_file__what_cannot_be_read),
        SCRATCH_TEST(test_config__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
