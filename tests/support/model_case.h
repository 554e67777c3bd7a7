/* model_case.h - golden models (tests/golden/make_models.py) and how to compare with them.
 *
 * Use:      assert_weights_of(source, "llama3");    // every tensor, bit for bit in f32
 */
#ifndef TESTS_SUPPORT_MODEL_CASE_H
#define TESTS_SUPPORT_MODEL_CASE_H

#include "policy/weight_source.h"

/* Folder of a golden model; valid until the next call. */
const char *model_case_path(const char *model);

/* Every tensor of the source against the digests in the model's weights.txt; no more and no fewer.
 */
void assert_weights_of(const struct weight_source *source, const char *model);

/* The same sizes, kinds, rope and ids. */
void assert_same_config(const struct model_config *a, const struct model_config *b);

#endif
