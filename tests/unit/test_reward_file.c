#include "reward/reward_file.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/io_loop.h"
#include "tests/support/near.h"
#include "tests/support/scratch.h"

#include <math.h>
#include <stdlib.h>

#define HASH "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\""

/* Of a text with these values in the places of what is asked about. */
#define TEXT(version, model, tie, calibration, temperature, low, high, pairs, judgements, hash) \
    "{\"version\":" version ",\"model\":" model ",\"tie_parameter\":" tie                       \
    ",\"calibration\":" calibration ",\"temperature\":" temperature ",\"temperature_low\":" low \
    ",\"temperature_high\":" high ",\"fitted_on\":{\"pairs\":" pairs                            \
    ",\"prompts\":40,\"judgements\":" judgements                                                \
    ",\"nll_before\":0.7,\"nll_after\":0.6,\"data_sha256\":" hash "}}"

static const char good[] =
    TEXT("1", "\"davidson\"", "-0.7", "\"fitted\"", "1.5", "1.25", "1.8", "100", "120.5", HASH);

static enum err_code parse(const char *text, struct reward_file *out, struct error *err) {
    return reward_file_parse(text, strlen(text), REWARD_FILE_NAME, out, err);
}

static void assert_good(const struct reward_file *file) {
    assert_int_equal(file->model, TABULAR_DAVIDSON);
    assert_int_equal(file->kind, REWARD_CALIBRATION_FITTED);
    assert_near(file->tie_parameter, -0.7, 0.0);
    assert_near(file->temperature, 1.5, 0.0);
    assert_near(file->temperature_low, 1.25, 0.0);
    assert_near(file->temperature_high, 1.8, 0.0);
    assert_int_equal(file->pairs, 100);
    assert_int_equal(file->prompts, 40);
    assert_near(file->judgements, 120.5, 0.0);
    assert_near(file->nll_before, 0.7, 0.0);
    assert_near(file->nll_after, 0.6, 0.0);
    assert_int_equal(file->data_hash.bytes[15], 0xff);
}

static void test_parse__reads_every_key(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct reward_file file;
    assert_ok(parse(good, &file, &err), &err);
    assert_good(&file);
}

static void test_write__comes_back(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct reward_file file, again;
    assert_ok(parse(good, &file, &err), &err);
    assert_ok(reward_file_write(scratch->folder, &file, &err), &err);
    assert_string_equal(scratch_list(scratch), REWARD_FILE_NAME);
    assert_ok(reward_file_read(scratch->folder, &again, &err), &err);
    assert_good(&again);
    /* what a calibration says that found no temperature */
    struct reward_calibration c = {
        .model = TABULAR_BRADLEY_TERRY,
        .kind = REWARD_CALIBRATION_CHANCE,
        .temperature = {.value = 100.0, .low = (double)NAN, .high = (double)NAN},
        .tie_parameter = {.value = (double)NAN},
        .nll_before = 0.9,
        .nll_after = 0.69,
        .before = {.pairs = 3, .clusters = 2, .weight = 4.5},
    };
    file = reward_file_of(&c, &file.data_hash);
    assert_ok(reward_file_write(scratch->folder, &file, &err), &err);
    assert_ok(reward_file_read(scratch->folder, &again, &err), &err);
    assert_int_equal(again.model, TABULAR_BRADLEY_TERRY);
    assert_int_equal(again.kind, REWARD_CALIBRATION_CHANCE);
    assert_true(isnan(again.tie_parameter) && isnan(again.temperature_low));
    assert_int_equal(again.prompts, 2);
    assert_near(again.judgements, 4.5, 0.0);
}

/* What could not be read again does not replace what stands there. */
static void test_write__refuses_what_it_could_not_read(void **state) {
    struct scratch *scratch = *state;
    struct error err = ERROR_INIT;
    struct reward_file file;
    assert_ok(parse(good, &file, &err), &err);
    file.temperature = (double)NAN;
    assert_fails(reward_file_write(scratch->folder, &file, &err), ERR_DATA, "temperature", &err);
    file.temperature = 1000.0;
    assert_fails(reward_file_write(scratch->folder, &file, &err), ERR_DATA,
                 "1000 is outside [0.01, 100]", &err);
    assert_string_equal(scratch_list(scratch), "");
}

static void assert_refused(const char *text, const char *part) {
    struct error err = ERROR_INIT;
    struct reward_file file = {.temperature = -7.0};
    assert_fails(parse(text, &file, &err), ERR_DATA, part, &err);
    assert_near(file.temperature, -7.0, 0.0);
}

#define DAVIDSON "\"davidson\""
#define FITTED   "\"fitted\""

static void test_parse__refuses_and_says_why(void **state) {
    (void)state;
    assert_refused("[]", "expected object");
    assert_refused("{}", "version");
    assert_refused(TEXT("2", DAVIDSON, "0", FITTED, "1", "1", "1", "1", "1", HASH),
                   "$.version: 2 is not the version that this program reads, 1");
    assert_refused(TEXT("1", "\"plackett-luce\"", "0", FITTED, "1", "1", "1", "1", "1", HASH),
                   "expected bradley-terry, davidson or rao-kupper, found 'plackett-luce'");
    assert_refused(TEXT("1", DAVIDSON, "null", FITTED, "1", "1", "1", "1", "1", HASH),
                   "$.tie_parameter: expected a number, since the model is davidson");
    assert_refused(TEXT("1", "\"bradley-terry\"", "0", FITTED, "1", "1", "1", "1", "1", HASH),
                   "$.tie_parameter: expected null");
    assert_refused(TEXT("1", "\"rao-kupper\"", "-0.5", FITTED, "1", "1", "1", "1", "1", HASH),
                   "-0.5 is outside");
    assert_refused(TEXT("1", DAVIDSON, "0", "\"well\"", "1", "1", "1", "1", "1", HASH),
                   "no outcome of a calibration is called 'well'");
    assert_refused(TEXT("1", DAVIDSON, "0", FITTED, "0", "0", "1", "1", "1", HASH),
                   "$.temperature: 0 is outside");
    assert_refused(TEXT("1", DAVIDSON, "0", FITTED, "1e999", "0", "1", "1", "1", HASH), "");
    assert_refused(TEXT("1", DAVIDSON, "0", FITTED, "1", "1.5", "2", "1", "1", HASH),
                   "$.temperature_low: 1.5 is outside [0, 1]");
    assert_refused(TEXT("1", DAVIDSON, "0", FITTED, "1", "null", "2", "1", "1", HASH),
                   "both ends of the interval");
    assert_refused(TEXT("1", DAVIDSON, "0", "\"chance\"", "1", "1", "2", "1", "1", HASH),
                   "a temperature that was not fitted has no interval");
    assert_refused(TEXT("1", DAVIDSON, "0", FITTED, "1", "1", "2", "0", "1", HASH),
                   "$.fitted_on.pairs: 0 is not a count");
    assert_refused(TEXT("1", DAVIDSON, "0", FITTED, "1", "1", "2", "1", "-3", HASH),
                   "$.fitted_on.judgements: -3 is outside");
    assert_refused(TEXT("1", DAVIDSON, "0", FITTED, "1", "1", "2", "1", "1", "\"abc\""),
                   "$.fitted_on.data_sha256: expected 64 hexadecimal digits");
    assert_refused(
        TEXT("1", DAVIDSON, "0", FITTED, "1,\"temprature_low\":1", "1", "2", "1", "1", HASH),
        "unknown key, did you mean 'temperature_low'?");
    assert_refused(TEXT("1", DAVIDSON, "0", FITTED, "1", "1", "2", "1,\"x\":1", "1", HASH),
                   "$.fitted_on.x: unknown key");
    assert_refused("{\"version\":1,\"fitted_on\":{}}", "model");
}

static enum err_code parse_good(void *context, struct error *err) {
    struct reward_file file;
    return parse(context, &file, err);
}

static void test_parse__out_of_memory(void **state) {
    (void)state;
    SCOPED(mem) char *text = mem_strdup(good);
    alloc_loop_check(parse_good, text);
}

static enum err_code save(void *context, struct error *err) {
    const struct scratch *scratch = context;
    struct reward_file file;
    TRY(parse(good, &file, err));
    return reward_file_write(scratch->folder, &file, err);
}

static enum err_code load(void *context, struct error *err) {
    const struct scratch *scratch = context;
    struct reward_file file;
    return reward_file_read(scratch->folder, &file, err);
}

static void check_nothing_else(void *context) {
    const char *names = scratch_list(context);
    assert_true(names[0] == '\0' || strcmp(names, REWARD_FILE_NAME) == 0);
}

static void test_files__survive_every_failure(void **state) {
    alloc_loop_check(save, *state);
    alloc_loop_check(load, *state);
    io_loop_check(save, check_nothing_else, *state);
    io_loop_check(load, NULL, *state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse__reads_every_key),
        SCRATCH_TEST(test_write__comes_back),
        SCRATCH_TEST(test_write__refuses_what_it_could_not_read),
        cmocka_unit_test(test_parse__refuses_and_says_why),
        cmocka_unit_test(test_parse__out_of_memory),
        SCRATCH_TEST(test_files__survive_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
