/* config_sample.c - see config_sample.h. */
#include "tests/support/config_sample.h"

static const char *const kinds[] = {
    [SAMPLE_KIND_KL] = "kl",
    [SAMPLE_KIND_PM] = "pm",
    [SAMPLE_KIND_CPM] = "cpm",
};

static const struct config_field regulariser_fields[] = {
    FIELD_ENUM(sample_regulariser, kind, "pm", kinds, "form of the penalty"),
    FIELD_F64(sample_regulariser, beta, "0.1", 1e-6, 10.0, "strength (arXiv 2305.18290)"),
    FIELD_F64_OPEN(sample_regulariser, alpha, "0.5", 0.0, 1.0, "share kept | of the mass"),
};

static enum err_code validate_regulariser(const void *config, struct error *err) {
    const struct sample_regulariser *r = config;
    if (r->kind == SAMPLE_KIND_CPM && r->beta > 5.0) {
        return err_set(err, ERR_CONFIG, "kind = cpm needs beta of at most 5");
    }
    return ERR_OK;
}

static const struct config_table regulariser_table =
    CONFIG_TABLE("regulariser", sample_regulariser, regulariser_fields, validate_regulariser,
                 "What keeps the policy near its start.");

static const struct config_field fields[] = {
    FIELD_BOOL(sample_config, shuffle, "true", "random order of the data"),
    FIELD_I64(sample_config, steps, "100", 1, 65536, "optimiser steps"),
    FIELD_U64(sample_config, seed, "18446744073709551615", "seed of everything random"),
    FIELD_F64(sample_config, rate, "1e-3", 0.0, 1.0, "learning rate"),
    FIELD_STRING(sample_config, title, "a run", "what the report is called"),
    FIELD_PATH(sample_config, resume, "", "checkpoint to go on from"),
    FIELD_I64_LIST(sample_config, layers, "1,2", 0, 99, "layers that are trained"),
    FIELD_STRING_LIST(sample_config, stops, "", "texts that end a response"),
    FIELD_SECTION(sample_config, regulariser, sample_regulariser, &regulariser_table,
                  "what keeps the policy near its start"),
};

static enum err_code validate(const void *config, struct error *err) {
    const struct sample_config *c = config;
    if (c->shuffle && c->resume[0]) {
        return err_set(err, ERR_CONFIG, "resume needs shuffle = false");
    }
    return ERR_OK;
}

const struct config_table sample_table =
    CONFIG_TABLE("sample", sample_config, fields, validate, "A field of every type.");
