#include "base/config_check.h"

#include "tests/support/alloc_loop.h"
#include "tests/support/config_sample.h"
#include "tests/support/test.h"

#include <math.h>

struct inner {
    double x;
};

/* Small and full of room for mistakes. */
struct faulty {
    double a;
    double b;
    int64_t n;
    enum sample_kind kind;
    struct inner inner;
    struct config_i64_list list;
};

static const char *const names[] = {"one", "two"};
static const char *const names_with_hole[] = {[0] = "one", [2] = "three"};

static const struct config_field inner_fields[] = {
    FIELD_F64(inner, x, "1", 0.0, 1.0, "a number"),
};

static const struct config_table inner_table =
    CONFIG_TABLE("inner", inner, inner_fields, NULL, "One number.");

static struct config_table table_of(const struct config_field *fields, int64_t count) {
    return (struct config_table){.name = "t",
                                 .help = "For a test.",
                                 .struct_bytes = sizeof(struct faulty),
                                 .fields = fields,
                                 .field_count = count};
}

static void test_config_table_check__good_tables(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    assert_ok(config_table_check(&sample_table, &err), &err);
    assert_ok(config_table_check(&inner_table, &err), &err);
}

static void test_config_table_check__faulty_fields(void **state) {
    (void)state;
    const struct {
        struct config_field field;
        enum err_code code;
        const char *message;
    } cases[] = {
        {FIELD_F64(faulty, a, "1.5", 0.0, 1.0, "h"), ERR_CONFIG,
         "table 't': defaults: $.a = 1.5 is outside [0, 1]"},
        {FIELD_F64(faulty, a, "x", 0.0, 1.0, "h"), ERR_CONFIG, "$.a: expected number"},
        {FIELD_F64_OPEN(faulty, a, "1", 0.0, 1.0, "h"), ERR_CONFIG, "$.a = 1 is outside (0, 1)"},
        {FIELD_I64(faulty, n, "0", 1, 2, "h"), ERR_CONFIG, "$.n = 0 is outside [1, 2]"},
        {FIELD_ENUM(faulty, kind, "three", names, "h"), ERR_CONFIG,
         "$.kind = 'three' is not one of one, two"},
        {FIELD_I64_LIST(faulty, list, "1,9", 0, 5, "h"), ERR_CONFIG, "$.list[1] = 9 is outside"},
        {FIELD_F64(faulty, a, NULL, 0.0, 1.0, "h"), ERR_INTERNAL, "there is no default"},
        {FIELD_F64(faulty, a, "0", 0.0, 1.0, ""), ERR_INTERNAL, "help is not one line"},
        {FIELD_F64(faulty, a, "0", 0.0, 1.0, "h\nh"), ERR_INTERNAL, "help is not one line"},
        {FIELD_F64(faulty, a, "0", 1.0, 0.0, "h"), ERR_INTERNAL, "range is empty or without end"},
        {FIELD_F64(faulty, a, "0", 0.0, HUGE_VAL, "h"), ERR_INTERNAL,
         "range is empty or without end"},
        {FIELD_I64(faulty, n, "1", 2, 1, "h"), ERR_INTERNAL, "range is empty or without end"},
        {FIELD_ENUM(faulty, kind, "one", names_with_hole, "h"), ERR_INTERNAL,
         "there are no choices, or one without a name"},
        {FIELD_SECTION(faulty, inner, inner, &sample_table, "h"), ERR_INTERNAL,
         "the section's table is of another struct"},
        {{.key = "comment", .type = CONFIG_F64, .bytes = 8}, ERR_INTERNAL, "or reserved"},
        {{.key = "camelCase", .type = CONFIG_F64, .bytes = 8}, ERR_INTERNAL, "snake_case"},
        {{.key = "", .type = CONFIG_F64, .bytes = 8}, ERR_INTERNAL, "snake_case"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = ERROR_INIT;
        const struct config_table table = table_of(&cases[i].field, 1);
        assert_fails(config_table_check(&table, &err), cases[i].code, cases[i].message, &err);
    }
}

static void test_config_table_check__faulty_pairs(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const struct config_field twice[] = {
        FIELD_F64(faulty, a, "0", 0.0, 1.0, "h"),
        FIELD_F64(faulty, b, "0", 0.0, 1.0, "h"),
        FIELD_F64(faulty, a, "0", 0.0, 1.0, "h"),
    };
    const struct config_table same_key = table_of(twice, 3);
    assert_fails(config_table_check(&same_key, &err), ERR_INTERNAL,
                 "table 't': field 'a': key is there twice", &err);
    struct config_field overlapping[] = {twice[0], twice[1]};
    overlapping[1].offset = 4;
    const struct config_table overlap = table_of(overlapping, 2);
    assert_fails(config_table_check(&overlap, &err), ERR_INTERNAL, "shares its member", &err);
}

static enum err_code refuse(const void *config, struct error *err) {
    (void)config;
    return err_set(err, ERR_CONFIG, "a needs b");
}

static void test_config_table_check__faulty_tables(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    const struct config_field field = FIELD_F64(faulty, a, "0", 0.0, 1.0, "h");
    struct config_table table = table_of(&field, 1);
    table.help = NULL;
    assert_fails(config_table_check(&table, &err), ERR_INTERNAL, "table 't': help is not", &err);
    table = table_of(&field, CONFIG_FIELDS_MAX + 1);
    assert_fails(config_table_check(&table, &err), ERR_INTERNAL, "more than 64 fields", &err);
    table = table_of(&field, 1);
    table.validate = refuse;
    assert_fails(config_table_check(&table, &err), ERR_CONFIG,
                 "table 't': configuration: a needs b", &err);
}

static enum err_code check_sample(void *context, struct error *err) {
    (void)context;
    return config_table_check(&sample_table, err);
}

static void test_config_table_check__survives_every_failed_allocation(void **state) {
    (void)state;
    alloc_loop_check(check_sample, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_table_check__good_tables),
        cmocka_unit_test(test_config_table_check__faulty_fields),
        cmocka_unit_test(test_config_table_check__faulty_pairs),
        cmocka_unit_test(test_config_table_check__faulty_tables),
        cmocka_unit_test(test_config_table_check__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
