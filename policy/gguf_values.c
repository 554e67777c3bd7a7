/* gguf_values.c - metadata, by type; see gguf.h. */
#include "base/invariant.h"
#include "policy/gguf.h"
#include "policy/gguf_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct value_type_facts gguf_value_types[VALUE_TYPE_COUNT] = {
#define VALUE_ROW(name, bytes) {#name, bytes},
    VALUE_TYPES(VALUE_ROW)
#undef VALUE_ROW
};

int gguf_compare_keys(const void *left, const void *right) {
    const struct gguf_value *const *a = left;
    const struct gguf_value *const *b = right;
    return strcmp((*a)->key, (*b)->key);
}

const struct gguf_value *gguf_find(const struct gguf *file, const char *key) {
    const struct gguf_value wanted = {.key = key};
    const struct gguf_value *wanted_at = &wanted;
    const struct gguf_value **found =
        bsearch(&wanted_at, file->values_by_key, (size_t)file->values_count,
                sizeof *file->values_by_key, gguf_compare_keys);
    return found ? *found : NULL;
}

static enum err_code refuse_type(const struct gguf *file, const struct gguf_value *value,
                                 const char *expected, struct error *err) {
    return err_set(err, ERR_DATA, "%s: '%s': expected %s, found %s%s", file->name, value->key,
                   expected, value->is_array ? "an array of " : "",
                   gguf_value_types[value->type].name);
}

static bool is_integer(enum value_type type) {
    return gguf_value_types[type].bytes > 0 && type != VALUE_BOOL && type != VALUE_F32 &&
           type != VALUE_F64;
}

static bool is_signed(enum value_type type) {
    return type == VALUE_I8 || type == VALUE_I16 || type == VALUE_I32 || type == VALUE_I64;
}

/* Little-endian, sign extended; an unsigned 64-bit value past 2^63 - 1 comes out negative. */
static int64_t integer_at(const struct gguf_value *value, int64_t index) {
    size_t bytes = gguf_value_types[value->type].bytes;
    uint64_t bits = 0;
    memcpy(&bits, value->bytes + (size_t)index * bytes, bytes);
    if (is_signed(value->type) && bytes < sizeof bits && (bits >> (8 * bytes - 1) & 1U)) {
        bits |= UINT64_MAX << (8 * bytes);
    }
    return (int64_t)bits;
}

static double float_at(const struct gguf_value *value, int64_t index) {
    if (value->type == VALUE_F64) {
        double number;
        memcpy(&number, value->bytes + (size_t)index * sizeof number, sizeof number);
        return number;
    }
    float number;
    memcpy(&number, value->bytes + (size_t)index * sizeof number, sizeof number);
    return (double)number;
}

enum err_code gguf_read_i64(const struct gguf *file, const char *key, int64_t *in_out,
                            struct error *err) {
    const struct gguf_value *value = gguf_find(file, key);
    if (!value) {
        return ERR_OK;
    }
    if (value->is_array || !is_integer(value->type)) {
        return refuse_type(file, value, "an integer", err);
    }
    int64_t number = integer_at(value, 0);
    if (value->type == VALUE_U64 && number < 0) {
        return err_set(err, ERR_DATA, "%s: '%s': %" PRIu64 " passes 2^63 - 1", file->name, key,
                       (uint64_t)number);
    }
    *in_out = number;
    return ERR_OK;
}

static enum err_code refuse_absence(const struct gguf *file, const char *key, struct error *err) {
    return err_set(err, ERR_DATA, "%s: the key '%s' is missing", file->name, key);
}

enum err_code gguf_get_i64(const struct gguf *file, const char *key, int64_t *out,
                           struct error *err) {
    return gguf_find(file, key) ? gguf_read_i64(file, key, out, err)
                                : refuse_absence(file, key, err);
}

enum err_code gguf_read_f64(const struct gguf *file, const char *key, double *in_out,
                            struct error *err) {
    const struct gguf_value *value = gguf_find(file, key);
    if (!value) {
        return ERR_OK;
    }
    if (value->is_array || (value->type != VALUE_F32 && value->type != VALUE_F64)) {
        return refuse_type(file, value, "a float", err);
    }
    double number = float_at(value, 0);
    if (!isfinite(number)) {
        return err_set(err, ERR_DATA, "%s: '%s': %g is no number", file->name, key, number);
    }
    *in_out = number;
    return ERR_OK;
}

enum err_code gguf_read_bool(const struct gguf *file, const char *key, bool *in_out,
                             struct error *err) {
    const struct gguf_value *value = gguf_find(file, key);
    if (!value) {
        return ERR_OK;
    }
    if (value->is_array || value->type != VALUE_BOOL || value->bytes[0] > 1) {
        return refuse_type(file, value, "a boolean, 0 or 1", err);
    }
    *in_out = value->bytes[0] == 1;
    return ERR_OK;
}

enum err_code gguf_read_text(const struct gguf *file, const char *key, struct gguf_text *in_out,
                             struct error *err) {
    const struct gguf_value *value = gguf_find(file, key);
    if (!value) {
        return ERR_OK;
    }
    if (value->is_array || value->type != VALUE_STRING) {
        return refuse_type(file, value, "a string", err);
    }
    *in_out = value->texts[0];
    return ERR_OK;
}

enum err_code gguf_get_text(const struct gguf *file, const char *key, struct gguf_text *out,
                            struct error *err) {
    return gguf_find(file, key) ? gguf_read_text(file, key, out, err)
                                : refuse_absence(file, key, err);
}

static bool has_kind(const struct gguf_value *value, enum gguf_array_kind kind) {
    if (!value->is_array) {
        return false;
    }
    switch (kind) {
    case GGUF_ARRAY_INTEGERS:
        return is_integer(value->type);
    case GGUF_ARRAY_FLOATS:
        return value->type == VALUE_F32 || value->type == VALUE_F64;
    case GGUF_ARRAY_TEXTS:
        return value->type == VALUE_STRING;
    }
    return false;
}

static const char *kind_name(enum gguf_array_kind kind) {
    if (kind == GGUF_ARRAY_TEXTS) {
        return "an array of strings";
    }
    return kind == GGUF_ARRAY_FLOATS ? "an array of floats" : "an array of integers";
}

enum err_code gguf_read_array(const struct gguf *file, const char *key, enum gguf_array_kind kind,
                              const struct gguf_value **out, struct error *err) {
    const struct gguf_value *value = gguf_find(file, key);
    if (value && !has_kind(value, kind)) {
        return refuse_type(file, value, kind_name(kind), err);
    }
    *out = value;
    return ERR_OK;
}

int64_t gguf_count(const struct gguf_value *array) {
    return array->count;
}

int64_t gguf_i64_at(const struct gguf_value *array, int64_t index) {
    ASSERT(index >= 0 && index < array->count);
    return integer_at(array, index);
}

double gguf_f64_at(const struct gguf_value *array, int64_t index) {
    ASSERT(index >= 0 && index < array->count);
    return float_at(array, index);
}

struct gguf_text gguf_text_at(const struct gguf_value *array, int64_t index) {
    ASSERT(index >= 0 && index < array->count);
    return array->texts[index];
}

bool gguf_text_equals(struct gguf_text text, const char *other) {
    return text.count == strlen(other) && memcmp(text.bytes, other, text.count) == 0;
}
