#include "base/config_text.h"

#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/config_sample.h"
#include "tests/support/test.h"

#include <float.h>

#define TEXT_BYTES 10000

static void sample_scoped_end(struct sample_config *config) {
    config_deinit(&sample_table, config);
}

static void set(struct sample_config *config, const char *assignment) {
    struct error err = ERROR_INIT;
    assert_ok(config_set(&sample_table, config, assignment, &err), &err);
}

static void test_config_help__aligned_and_wrapped(void **state) {
    (void)state;
    static const char expected[] =
        "  shuffle            random order of the data; true or false, default true\n"
        "  steps              optimiser steps; integer in [1, 65536], default 100\n"
        "  seed               seed of everything random; unsigned integer, default\n"
        "                     18446744073709551615\n"
        "  rate               learning rate; number in [0, 1], default 1e-3\n"
        "  title              what the report is called; text, default a run\n"
        "  resume             checkpoint to go on from; path, default empty\n"
        "  layers             layers that are trained; list of integers in [0, 99],\n"
        "                     default 1,2\n"
        "  stops              texts that end a response; list of texts, default empty\n"
        "  regulariser.kind   form of the penalty; one of kl, pm, cpm, default pm\n"
        "  regulariser.beta   strength (arXiv 2305.18290); number in [1e-06, 10], default\n"
        "                     0.1\n"
        "  regulariser.alpha  share kept | of the mass; number in (0, 1), default 0.5\n";
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES);
    assert_ok(config_help(&sample_table, 80, &text, &err), &err);
    assert_string_equal(strbuf_text(&text), expected);
}

static void test_config_dump__every_type(void **state) {
    (void)state;
    static const char expected[] = "{\n"
                                   "  \"shuffle\": true,\n"
                                   "  \"steps\": 100,\n"
                                   "  \"seed\": \"18446744073709551615\",\n"
                                   "  \"rate\": 0.001,\n"
                                   "  \"title\": \"say \\\"x\\\"\",\n"
                                   "  \"resume\": \"\",\n"
                                   "  \"layers\": [\n"
                                   "    1,\n"
                                   "    2\n"
                                   "  ],\n"
                                   "  \"stops\": [],\n"
                                   "  \"regulariser\": {\n"
                                   "    \"kind\": \"pm\",\n"
                                   "    \"beta\": 0.1,\n"
                                   "    \"alpha\": 0.5\n"
                                   "  }\n"
                                   "}\n";
    struct error err = ERROR_INIT;
    SCOPED(sample) struct sample_config config = {.steps = 0};
    assert_ok(config_init(&sample_table, &config, &err), &err);
    set(&config, "title=say \"x\"");
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES);
    assert_ok(config_dump(&sample_table, &config, &text, &err), &err);
    assert_string_equal(strbuf_text(&text), expected);
}

static void assert_same(const struct sample_config *left, const struct sample_config *right) {
    assert_int_equal(left->shuffle, right->shuffle);
    assert_int_equal(left->steps, right->steps);
    assert_true(left->seed == right->seed);
    assert_memory_equal(&left->rate, &right->rate, sizeof left->rate);
    assert_string_equal(left->title, right->title);
    assert_string_equal(left->resume, right->resume);
    assert_int_equal(left->layers.count, right->layers.count);
    for (int64_t i = 0; i < left->layers.count; i++) {
        assert_int_equal(left->layers.items[i], right->layers.items[i]);
    }
    assert_int_equal(left->stops.count, right->stops.count);
    for (int64_t i = 0; i < left->stops.count; i++) {
        assert_string_equal(left->stops.items[i], right->stops.items[i]);
    }
    assert_memory_equal(&left->regulariser, &right->regulariser, sizeof left->regulariser);
}

/* Numbers that need all their digits, and texts that need escapes. */
static void test_config_dump__loads_to_the_same_struct(void **state) {
    (void)state;
    static const double rates[] = {
        0.1 + 0.2, 1.0 / 3.0, DBL_MIN, 4.9406564584124654e-324, -0.0, 1.0 - DBL_EPSILON / 2};
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        SCOPED(sample) struct sample_config config = {.steps = 0};
        assert_ok(config_init(&sample_table, &config, &err), &err);
        set(&config, "title=tab\t line\n \xF0\x9F\x98\x80 \\ \"");
        set(&config, "stops=\n\n,</s>");
        set(&config, "layers=");
        set(&config, "seed=9007199254740993");
        set(&config, "regulariser.kind=cpm");
        config.rate = rates[i];
        SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES);
        assert_ok(config_dump(&sample_table, &config, &text, &err), &err);
        SCOPED(sample) struct sample_config loaded = {.steps = 0};
        assert_ok(config_init(&sample_table, &loaded, &err), &err);
        assert_ok(config_apply_text(&sample_table, &loaded, "dump", strbuf_text(&text), text.length,
                                    &err),
                  &err);
        assert_same(&config, &loaded);
    }
}

static void test_config_markdown__one_row_a_key(void **state) {
    (void)state;
    static const char expected[] =
        "## sample\n"
        "\n"
        "A field of every type.\n"
        "\n"
        "| key | value | default | meaning |\n"
        "|---|---|---|---|\n"
        "| `shuffle` | true or false | `true` | random order of the data |\n"
        "| `steps` | integer in [1, 65536] | `100` | optimiser steps |\n"
        "| `seed` | unsigned integer | `18446744073709551615` | seed of everything random |\n"
        "| `rate` | number in [0, 1] | `1e-3` | learning rate |\n"
        "| `title` | text | `a run` | what the report is called |\n"
        "| `resume` | path | empty | checkpoint to go on from |\n"
        "| `layers` | list of integers in [0, 99] | `1,2` | layers that are trained |\n"
        "| `stops` | list of texts | empty | texts that end a response |\n"
        "| `regulariser.kind` | one of kl, pm, cpm | `pm` | form of the penalty |\n"
        "| `regulariser.beta` | number in [1e-06, 10] | `0.1` | strength (arXiv 2305.18290) |\n"
        "| `regulariser.alpha` | number in (0, 1) | `0.5` | share kept \\| of the mass |\n";
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES);
    assert_ok(config_markdown(&sample_table, &text, &err), &err);
    assert_string_equal(strbuf_text(&text), expected);
}

/* What --set takes back, and nothing that is as it would be anyway. */
static void test_config_settings__those_that_differ(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(sample) struct sample_config config = {.steps = 0};
    assert_ok(config_init(&sample_table, &config, &err), &err);
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES);
    assert_ok(config_settings(&sample_table, "regulariser", &config, &text, &err), &err);
    assert_string_equal(strbuf_text(&text), "");
    set(&config, "regulariser.kind=cpm");
    set(&config, "regulariser.beta=0.25");
    set(&config, "steps=7");
    assert_ok(config_settings(&sample_table, "regulariser", &config, &text, &err), &err);
    assert_string_equal(strbuf_text(&text),
                        " --set regulariser.kind=cpm --set regulariser.beta=0.25");
}

static void test_config_text__full_buffer_is_reported(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    SCOPED(sample) struct sample_config config = {.steps = 0};
    assert_ok(config_init(&sample_table, &config, &err), &err);
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(100);
    assert_fails(config_help(&sample_table, 80, &text, &err), ERR_LIMIT, "100 bytes", &err);
    strbuf_reset(&text);
    assert_fails(config_markdown(&sample_table, &text, &err), ERR_LIMIT, "100 bytes", &err);
    strbuf_reset(&text);
    assert_fails(config_dump(&sample_table, &config, &text, &err), ERR_LIMIT, "100 bytes", &err);
}

static enum err_code write_all(void *context, struct error *err) {
    (void)context;
    SCOPED(sample) struct sample_config config = {.steps = 0};
    TRY(config_init(&sample_table, &config, err));
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(TEXT_BYTES);
    TRY(config_help(&sample_table, 80, &text, err));
    TRY(config_markdown(&sample_table, &text, err));
    TRY(config_settings(&sample_table, "regulariser", &config, &text, err));
    return config_dump(&sample_table, &config, &text, err);
}

static void test_config_text__survives_every_failed_allocation(void **state) {
    (void)state;
    alloc_loop_check(write_all, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_help__aligned_and_wrapped),
        cmocka_unit_test(test_config_dump__every_type),
        cmocka_unit_test(test_config_dump__loads_to_the_same_struct),
        cmocka_unit_test(test_config_markdown__one_row_a_key),
        cmocka_unit_test(test_config_settings__those_that_differ),
        cmocka_unit_test(test_config_text__full_buffer_is_reported),
        cmocka_unit_test(test_config_text__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
