/* config_sample.h - a config with a field of every type, for tests and the fuzz target.
 */
#ifndef TESTS_SUPPORT_CONFIG_SAMPLE_H
#define TESTS_SUPPORT_CONFIG_SAMPLE_H

#include "base/config.h"

enum sample_kind {
    SAMPLE_KIND_KL,
    SAMPLE_KIND_PM,
    SAMPLE_KIND_CPM,
};

/* Refused by its hook: kind = cpm with beta above 5. */
struct sample_regulariser {
    enum sample_kind kind;
    double beta;
    double alpha;
};

/* Refused by its hook: a resume path with shuffle. */
struct sample_config {
    bool shuffle;
    int64_t steps;
    uint64_t seed;
    double rate;
    char *title;
    char *resume;
    struct config_i64_list layers;
    struct config_string_list stops;
    struct sample_regulariser regulariser;
};

extern const struct config_table sample_table;

#endif
