/* weight_values.h - bulk work on weights: rows into order, a search for what is no number,
 * rounding.
 *
 * Use:      weight_values_place(&place, stored, values);
 *           int64_t bad = weight_values_find_bad(values, count);    // -1: all finite
 * Threads:  no state.
 */
#ifndef POLICY_WEIGHT_VALUES_H
#define POLICY_WEIGHT_VALUES_H

#include "policy/model_family.h"
#include "policy/weight_source.h"

#include <stdint.h>

/* How a tensor of ours and the stored one that holds it relate. */
struct weight_place {
    const struct model_family_entry *entry;
    struct model_tensor tensor;
    int64_t head_dim;
};

/* From all values of the stored tensor to ours. */
void weight_values_place(const struct weight_place *place, const float *stored, float *ours);

/* From ours into the stored tensor: the part of it that is ours. */
void weight_values_store(const struct weight_place *place, const float *ours, float *stored);

/* Index of the first value that is NaN or infinite; -1: none. */
int64_t weight_values_find_bad(const float *values, int64_t count);

/* Index of the first value that becomes infinite in f16; -1: none. */
int64_t weight_values_find_f16(const float *values, int64_t count);

/* Rounds to the dtype (F32: copies). */
void weight_values_round(enum weight_dtype dtype, const float *values, int64_t count,
                         int64_t threads, void *out_values);

#endif
