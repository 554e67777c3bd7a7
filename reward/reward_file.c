/* reward_file.c - see reward_file.h. */
#include "reward/reward_file.h"

#include "base/file_atomic.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/suggest.h"
#include "reward/pair_outcome.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct json_limits limits = {.bytes_max = 64 * 1024, .depth_max = 4, .values_max = 64};

struct reward_file reward_file_of(const struct reward_calibration *calibration,
                                  const struct hash_digest *data_hash) {
    return (struct reward_file){
        .model = calibration->model,
        .tie_parameter = calibration->tie_parameter.value,
        .kind = calibration->kind,
        .temperature = calibration->temperature.value,
        .temperature_low = calibration->temperature.low,
        .temperature_high = calibration->temperature.high,
        .pairs = calibration->before.pairs,
        .prompts = calibration->before.clusters,
        .judgements = calibration->before.weight,
        .nll_before = calibration->nll_before,
        .nll_after = calibration->nll_after,
        .data_hash = *data_hash,
    };
}

struct reward_file reward_file_uncalibrated(enum tabular_model model, double tie_parameter) {
    return (struct reward_file){
        .model = model,
        .tie_parameter = tie_parameter,
        .kind = REWARD_CALIBRATION_NONE,
        .temperature = 1.0,
        .temperature_low = (double)NAN,
        .temperature_high = (double)NAN,
    };
}

/* ---- reading ---- */

struct document {
    const struct json *doc;
    const struct json_node *root, *fitted_on; /* NULL: on nothing */
};

static enum err_code refuse_strangers(const struct json *doc, const struct json_node *object,
                                      const char *const *known, size_t count, struct error *err) {
    for (const struct json_node *m = json_first(object); m; m = json_next(m)) {
        bool is_known = false;
        for (size_t k = 0; k < count; k++) {
            is_known = is_known || strcmp(json_key(m), known[k]) == 0;
        }
        const char *nearest = is_known ? NULL : suggest_nearest(json_key(m), known, count);
        if (!is_known) {
            return json_refuse(doc, m, err, "unknown key%s%s%s", nearest ? ", did you mean '" : "",
                               nearest ? nearest : "", nearest ? "'?" : "");
        }
    }
    return ERR_OK;
}

static enum err_code open_document(const struct json *doc, struct document *out,
                                   struct error *err) {
    static const char *const keys[] = {"version",          "model",       "tie_parameter",
                                       "calibration",      "temperature", "temperature_low",
                                       "temperature_high", "fitted_on",   "template"};
    static const char *const fitted_keys[] = {"pairs",      "prompts",   "judgements",
                                              "nll_before", "nll_after", "data_sha256"};
    struct document d = {.doc = doc};
    int64_t version = 0;
    TRY(json_as_object(doc, json_root(doc), &d.root, err));
    TRY(json_get_i64(doc, d.root, "version", &version, err));
    if (version != REWARD_FILE_VERSION) {
        return json_refuse(doc, json_find(doc, d.root, "version"), err,
                           "%" PRId64 " is not the version that this program reads, %d", version,
                           REWARD_FILE_VERSION);
    }
    TRY(refuse_strangers(doc, d.root, keys, sizeof keys / sizeof *keys, err));
    *out = d;
    const struct json_node *fitted_on = json_find(doc, d.root, "fitted_on");
    if (fitted_on && json_kind_of(fitted_on) == JSON_KIND_NULL) {
        return ERR_OK;
    }
    TRY(json_get_object(doc, d.root, "fitted_on", &out->fitted_on, err));
    return refuse_strangers(doc, out->fitted_on, fitted_keys,
                            sizeof fitted_keys / sizeof *fitted_keys, err);
}

struct range {
    double low, high;
};

/* A number in a range, its ends included. */
static enum err_code read_number(const struct document *d, const struct json_node *object,
                                 const char *key, struct range range, double *out,
                                 struct error *err) {
    double value = 0.0;
    TRY(json_get_f64(d->doc, object, key, &value, err));
    if (value < range.low || value > range.high) {
        return json_refuse(d->doc, json_find(d->doc, object, key), err, "%g is outside [%g, %g]",
                           value, range.low, range.high);
    }
    *out = value;
    return ERR_OK;
}

/* The same, or null, which is NaN. */
static enum err_code read_optional(const struct document *d, const char *key, struct range range,
                                   double *out, struct error *err) {
    const struct json_node *node = json_find(d->doc, d->root, key);
    if (node && json_kind_of(node) == JSON_KIND_NULL) {
        *out = (double)NAN;
        return ERR_OK;
    }
    return read_number(d, d->root, key, range, out, err);
}

static enum err_code read_count(const struct document *d, const char *key, int64_t *out,
                                struct error *err) {
    int64_t count = 0;
    TRY(json_get_i64(d->doc, d->fitted_on, key, &count, err));
    if (count < 1) {
        return json_refuse(d->doc, json_find(d->doc, d->fitted_on, key), err,
                           "%" PRId64 " is not a count of 1 or more", count);
    }
    *out = count;
    return ERR_OK;
}

static enum err_code read_model(const struct document *d, struct reward_file *out,
                                struct error *err) {
    static const enum tabular_model models[] = {TABULAR_BRADLEY_TERRY, TABULAR_DAVIDSON,
                                                TABULAR_RAO_KUPPER};
    const char *name = NULL;
    TRY(json_get_string(d->doc, d->root, "model", &name, err));
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        if (strcmp(name, tabular_model_name(models[m])) == 0) {
            out->model = models[m];
            return ERR_OK;
        }
    }
    return json_refuse(d->doc, json_find(d->doc, d->root, "model"), err,
                       "expected bradley-terry, davidson or rao-kupper, found '%.40s'", name);
}

static enum err_code read_tie(const struct document *d, struct reward_file *out,
                              struct error *err) {
    const bool is_positive = out->model == TABULAR_RAO_KUPPER;
    const struct range range = {.low = is_positive ? 1e-300 : -1e6, .high = 1e6};
    TRY(read_optional(d, "tie_parameter", range, &out->tie_parameter, err));
    if (isnan(out->tie_parameter) == pair_has_ties(out->model)) {
        return json_refuse(d->doc, json_find(d->doc, d->root, "tie_parameter"), err,
                           pair_has_ties(out->model) ? "expected a number, since the model is %s"
                                                     : "expected null, since the model is %s",
                           tabular_model_name(out->model));
    }
    return ERR_OK;
}

static enum err_code read_kind(const struct document *d, struct reward_file *out,
                               struct error *err) {
    const char *key = NULL;
    TRY(json_get_string(d->doc, d->root, "calibration", &key, err));
    for (enum reward_calibration_kind k = 0; k < REWARD_CALIBRATION_KINDS; k++) {
        if (strcmp(key, reward_calibration_key(k)) == 0) {
            out->kind = k;
            return ERR_OK;
        }
    }
    return json_refuse(d->doc, json_find(d->doc, d->root, "calibration"), err,
                       "no outcome of a calibration is called '%.40s'", key);
}

/* The interval: both ends or neither, and about the temperature. */
static enum err_code read_temperature(const struct document *d, struct reward_file *out,
                                      struct error *err) {
    const struct range allowed = {REWARD_TEMPERATURE_MIN, REWARD_TEMPERATURE_MAX};
    TRY(read_number(d, d->root, "temperature", allowed, &out->temperature, err));
    const struct range below = {0.0, out->temperature}, above = {out->temperature, 1e300};
    TRY(read_optional(d, "temperature_low", below, &out->temperature_low, err));
    TRY(read_optional(d, "temperature_high", above, &out->temperature_high, err));
    if (isnan(out->temperature_low) != isnan(out->temperature_high)) {
        return json_refuse(d->doc, json_find(d->doc, d->root, "temperature_low"), err,
                           "expected both ends of the interval, or null for both");
    }
    if (!isnan(out->temperature_low) && out->kind != REWARD_CALIBRATION_FITTED) {
        return json_refuse(d->doc, json_find(d->doc, d->root, "temperature_low"), err,
                           "expected null: a temperature that was not fitted has no interval");
    }
    return ERR_OK;
}

/* Nothing, and temperature 1, of what nobody calibrated. */
static enum err_code read_uncalibrated(const struct document *d, const struct reward_file *file,
                                       struct error *err) {
    if (d->fitted_on) {
        return json_refuse(d->doc, d->fitted_on, err, "expected null, since nobody calibrated");
    }
    if (file->temperature != 1.0) {
        return json_refuse(d->doc, json_find(d->doc, d->root, "temperature"), err,
                           "expected 1, since nobody calibrated");
    }
    return ERR_OK;
}

static enum err_code read_fitted_on(const struct document *d, struct reward_file *out,
                                    struct error *err) {
    if (out->kind == REWARD_CALIBRATION_NONE) {
        return read_uncalibrated(d, out, err);
    }
    if (!d->fitted_on) {
        return json_refuse(d->doc, json_find(d->doc, d->root, "fitted_on"), err,
                           "expected what it was calibrated on");
    }
    const struct range positive = {1e-300, 1e300}, loss = {0.0, 1e300};
    const char *hex = NULL;
    TRY(read_count(d, "pairs", &out->pairs, err));
    TRY(read_count(d, "prompts", &out->prompts, err));
    TRY(read_number(d, d->fitted_on, "judgements", positive, &out->judgements, err));
    TRY(read_number(d, d->fitted_on, "nll_before", loss, &out->nll_before, err));
    TRY(read_number(d, d->fitted_on, "nll_after", loss, &out->nll_after, err));
    TRY(json_get_string(d->doc, d->fitted_on, "data_sha256", &hex, err));
    struct error ignored = ERROR_INIT;
    if (hash_from_hex(hex, &out->data_hash, &ignored) != ERR_OK) {
        return json_refuse(d->doc, json_find(d->doc, d->fitted_on, "data_sha256"), err,
                           "expected 64 hexadecimal digits, found '%.80s'", hex);
    }
    return ERR_OK;
}

static enum err_code read_template(const struct document *d, struct reward_file *out,
                                   struct error *err) {
    const struct json_node *node = json_find(d->doc, d->root, "template");
    const char *name = "";
    if (node) {
        TRY(json_get_string(d->doc, d->root, "template", &name, err));
    }
    if (snprintf(out->template, sizeof out->template, "%s", name) >= (int)sizeof out->template) {
        return json_refuse(d->doc, node, err, "'%.40s...' is no template's name", name);
    }
    return ERR_OK;
}

static enum err_code read_document(const struct json *doc, struct reward_file *out_file,
                                   struct error *err) {
    struct document d = {.doc = doc};
    struct reward_file file = {.temperature = 0.0};
    TRY(open_document(doc, &d, err));
    TRY(read_model(&d, &file, err));
    TRY(read_tie(&d, &file, err));
    TRY(read_kind(&d, &file, err));
    TRY(read_temperature(&d, &file, err));
    TRY(read_fitted_on(&d, &file, err));
    TRY(read_template(&d, &file, err));
    *out_file = file;
    return ERR_OK;
}

enum err_code reward_file_parse(const char *bytes, size_t count, const char *name,
                                struct reward_file *out_file, struct error *err) {
    SCOPED(json) struct json *doc = NULL;
    TRY(json_parse(bytes, count, name, &limits, &doc, err));
    return read_document(doc, out_file, err);
}

enum err_code reward_file_read(const char *folder, struct reward_file *out_file,
                               struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    SCOPED(json) struct json *doc = NULL;
    TRY(folder_path(folder, REWARD_FILE_NAME, &path, err));
    TRY(json_parse_file(strbuf_text(&path), &limits, &doc, err));
    return read_document(doc, out_file, err);
}

/* ---- writing ---- */

static void write_fitted_on(const struct reward_file *file, struct json_writer *w) {
    if (file->kind == REWARD_CALIBRATION_NONE) {
        json_put_null(w, "fitted_on");
        return;
    }
    char hex[HASH_HEX_BYTES];
    hash_to_hex(&file->data_hash, hex);
    json_put_object_begin(w, "fitted_on");
    json_put_i64(w, "pairs", file->pairs);
    json_put_i64(w, "prompts", file->prompts);
    json_put_f64(w, "judgements", file->judgements);
    json_put_f64(w, "nll_before", file->nll_before);
    json_put_f64(w, "nll_after", file->nll_after);
    json_put_string(w, "data_sha256", hex);
    json_write_object_end(w);
}

enum err_code reward_file_format(const struct reward_file *file, struct strbuf *out,
                                 struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_i64(&w, "version", REWARD_FILE_VERSION);
    json_put_string(&w, "model", tabular_model_name(file->model));
    json_put_f64_or_null(&w, "tie_parameter", file->tie_parameter);
    json_put_string(&w, "calibration", reward_calibration_key(file->kind));
    json_put_f64(&w, "temperature", file->temperature);
    json_put_f64_or_null(&w, "temperature_low", file->temperature_low);
    json_put_f64_or_null(&w, "temperature_high", file->temperature_high);
    write_fitted_on(file, &w);
    if (file->template[0]) {
        json_put_string(&w, "template", file->template);
    }
    json_write_object_end(&w);
    TRY(json_writer_finish(&w, err));
    strbuf_add_char(out, '\n');
    return strbuf_check(out, REWARD_FILE_NAME, err);
}

/* Read back before it is written: what it would refuse must not stand beside a model. */
enum err_code reward_file_write(const char *folder, const struct reward_file *file,
                                struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(64 * 1024);
    struct reward_file again;
    TRY(reward_file_format(file, &text, err));
    TRY(reward_file_parse(text.bytes, text.length, REWARD_FILE_NAME " to be written", &again, err));
    TRY(folder_path(folder, REWARD_FILE_NAME, &path, err));
    return file_atomic_write_whole(strbuf_text(&path), text.bytes, text.length, err);
}
