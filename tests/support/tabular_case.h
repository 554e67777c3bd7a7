/* tabular_case.h - sets of comparisons and options from a golden file of tests/golden/tabular.
 *
 * Use:      SCOPED(json) struct json *doc = NULL;
 *           ... json_parse_file ...
 *           for (const struct json_node *node = json_first(json_root(doc)); node;
 *                node = json_next(node)) {
 *               SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
 *               struct tabular_options options;
 *               tabular_case_read(doc, node, &set, &options);
 *           }
 *
 * A file that is not as make_tabular.py writes it fails the test.
 */
#ifndef TESTS_SUPPORT_TABULAR_CASE_H
#define TESTS_SUPPORT_TABULAR_CASE_H

#include "base/json.h"
#include "reward/tabular_fit.h"

void tabular_case_read(const struct json *doc, const struct json_node *node,
                       struct comparison_set *set, struct tabular_options *options);

/* Member `key` of `node` as numbers; returns how many, at most `max`. */
int64_t tabular_case_numbers(const struct json *doc, const struct json_node *node, const char *key,
                             double *out, int64_t max);

#endif
