/* tabular_case.c - see tabular_case.h. */
#include "tests/support/tabular_case.h"

#include "tests/support/comparison_sample.h"
#include "tests/support/test.h"

#define MEMBERS_MAX 16

static const struct json_node *member(const struct json *doc, const struct json_node *node,
                                      const char *key) {
    const struct json_node *found = json_find(doc, node, key);
    assert_non_null(found);
    return found;
}

static int64_t integers(const struct json *doc, const struct json_node *array, int32_t *out) {
    struct error err = ERROR_INIT;
    int64_t count = 0;
    for (const struct json_node *n = json_first(array); n; n = json_next(n)) {
        int64_t value = 0;
        assert_true(count < MEMBERS_MAX);
        assert_ok(json_as_i64(doc, n, &value, &err), &err);
        out[count++] = (int32_t)value;
    }
    return count;
}

static void add_comparison(const struct json *doc, const struct json_node *row,
                           struct comparison_set *set) {
    struct error err = ERROR_INIT;
    int32_t items[MEMBERS_MAX], ranks[MEMBERS_MAX], positions[MEMBERS_MAX];
    double weight = 0.0;
    bool is_open = false;
    int64_t k = integers(doc, json_at(doc, row, 0), items);
    assert_int_equal(integers(doc, json_at(doc, row, 1), ranks), k);
    assert_int_equal(integers(doc, json_at(doc, row, 2), positions), k);
    assert_ok(json_as_f64(doc, json_at(doc, row, 3), &weight, &err), &err);
    assert_ok(json_as_bool(doc, json_at(doc, row, 4), &is_open, &err), &err);
    comparison_sample_add(set, k, items, ranks);
    comparison_sample_set_positions(set, positions);
    comparison_sample_set_weight(set, weight);
    if (is_open) {
        comparison_sample_set_last_unordered(set);
    }
}

/* The value of the enum that has this name. */
static int named(const char *text, const char *(*name_of)(int), int count) {
    for (int k = 0; k < count; k++) {
        if (strcmp(name_of(k), text) == 0) {
            return k;
        }
    }
    fail_msg("'%s' is no name", text);
    return 0;
}

static const char *model_name(int model) {
    return tabular_model_name((enum tabular_model)model);
}

static const char *estimator_name(int estimator) {
    return tabular_estimator_name((enum tabular_estimator)estimator);
}

static const char *ties_name(int ties) {
    return tabular_ties_name((enum tabular_ties)ties);
}

static const char *text_of(const struct json *doc, const struct json_node *node, const char *key) {
    struct error err = ERROR_INIT;
    const char *text = NULL;
    assert_ok(json_as_string(doc, member(doc, node, key), &text, &err), &err);
    return text;
}

void tabular_case_read(const struct json *doc, const struct json_node *node,
                       struct comparison_set *set, struct tabular_options *options) {
    struct error err = ERROR_INIT;
    int32_t blocks[MEMBERS_MAX];
    int64_t position = 0;
    *options = TABULAR_OPTIONS_DEFAULT;
    options->model =
        (enum tabular_model)named(text_of(doc, node, "model"), model_name, TABULAR_MODEL_COUNT);
    options->estimator = (enum tabular_estimator)named(text_of(doc, node, "estimator"),
                                                       estimator_name, TABULAR_ESTIMATOR_COUNT);
    options->ties =
        (enum tabular_ties)named(text_of(doc, node, "ties"), ties_name, TABULAR_TIES_COUNT);
    assert_ok(json_as_f64(doc, member(doc, node, "ridge"), &options->ridge, &err), &err);
    assert_ok(json_as_i64(doc, member(doc, node, "position"), &position, &err), &err);
    options->position_effect = position != 0;
    int64_t items = integers(doc, member(doc, node, "blocks"), blocks);
    comparison_sample_init(set, items);
    for (int64_t i = 0; i < items; i++) {
        comparison_sample_set_block(set, i, blocks[i]);
    }
    const struct json_node *rows = member(doc, node, "comparisons");
    for (const struct json_node *row = json_first(rows); row; row = json_next(row)) {
        add_comparison(doc, row, set);
    }
}

int64_t tabular_case_numbers(const struct json *doc, const struct json_node *node, const char *key,
                             double *out, int64_t max) {
    struct error err = ERROR_INIT;
    int64_t count = 0;
    for (const struct json_node *n = json_first(member(doc, node, key)); n; n = json_next(n)) {
        assert_true(count < max);
        assert_ok(json_as_f64(doc, n, &out[count++], &err), &err);
    }
    return count;
}
