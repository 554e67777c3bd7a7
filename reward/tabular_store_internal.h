/* tabular_store_internal.h - how tabular_store.c and tabular_store_load.c put a fit into tables.
 *
 * Threads:  no state.
 */
#ifndef REWARD_TABULAR_STORE_INTERNAL_H
#define REWARD_TABULAR_STORE_INTERNAL_H

#include "reward/tabular_store.h"

#include <string.h>

#define TABULAR_STORE_RESPONSES   "responses"
#define TABULAR_STORE_ORIGINS     "origins"
#define TABULAR_STORE_RATINGS     "ratings"
#define TABULAR_STORE_EVERY_SPLIT "all"
#define TABULAR_STORE_RELIABILITY "reliability"
#define TABULAR_STORE_WHY_MODEL   "model_chosen_because"

/* Fields of struct tabular_fit that result_json holds; a number that is not finite is null. */
#define TABULAR_STORE_F64(X)    \
    X(weight)                   \
    X(log_likelihood)           \
    X(log_likelihood_null)      \
    X(log_likelihood_saturated) \
    X(deviance)                 \
    X(null_deviance)            \
    X(aic)                      \
    X(aic_counts)               \
    X(gradient_max)

#define TABULAR_STORE_I64(X) \
    X(comparisons)           \
    X(blocks)                \
    X(identical)             \
    X(degrees_of_freedom)    \
    X(free_parameters)       \
    X(iterations)            \
    X(ties_dropped)          \
    X(rankings_split)

#define TABULAR_STORE_F64_BYTES 8

/* Little-endian on every machine. */
static inline void tabular_store_put_f64(uint8_t *bytes, double value) {
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < TABULAR_STORE_F64_BYTES; i++) {
        bytes[i] = (uint8_t)(bits >> (8 * i));
    }
}

static inline double tabular_store_get_f64(const uint8_t *bytes) {
    uint64_t bits = 0;
    for (int i = 0; i < TABULAR_STORE_F64_BYTES; i++) {
        bits |= (uint64_t)bytes[i] << (8 * i);
    }
    double value = 0.0;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
