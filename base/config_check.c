/* config_check.c - see config_check.h. */
#include "base/config_check.h"

#include "base/config_internal.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

#define KEY_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789_"
#define KEY_BYTES_MAX  24 /* so that CONFIG_DEPTH_MAX of them, with dots, fit a line */

static bool is_key(const char *key) {
    size_t length = strlen(key);
    return length > 0 && length <= KEY_BYTES_MAX && strspn(key, KEY_CHARACTERS) == length &&
           strcmp(key, CONFIG_COMMENT_KEY) != 0;
}

static bool is_line(const char *text) {
    return text && text[0] != '\0' && !strchr(text, '\n');
}

static bool has_range(const struct config_field *field) {
    if (field->type == CONFIG_I64 || field->type == CONFIG_I64_LIST) {
        return field->i64_min <= field->i64_max;
    }
    if (field->type == CONFIG_F64) {
        return isfinite(field->f64_min) && isfinite(field->f64_max) &&
               field->f64_min < field->f64_max;
    }
    return true;
}

/* An array by enum value has a hole where a value has no name. */
static bool has_choices(const struct config_field *field) {
    for (int64_t i = 0; i < field->choice_count; i++) {
        if (!is_line(field->choices[i])) {
            return false;
        }
    }
    return field->type != CONFIG_ENUM || field->choice_count > 0;
}

/* What is wrong with a field by itself; NULL if nothing. */
static const char *field_fault(const struct config_field *field) {
    bool is_section = field->type == CONFIG_SECTION;
    if (!is_key(field->key)) {
        return "key is not a short name in snake_case, or reserved";
    }
    if (!is_line(field->help)) {
        return "help is not one line";
    }
    if (!is_section && !field->default_text) {
        return "there is no default";
    }
    if (!has_range(field)) {
        return "range is empty or without end";
    }
    if (!has_choices(field)) {
        return "there are no choices, or one without a name";
    }
    if (is_section && field->section->struct_bytes != field->bytes) {
        return "the section's table is of another struct";
    }
    return NULL;
}

/* What is wrong between a field and one after it; NULL if nothing. */
static const char *pair_fault(const struct config_field *field, const struct config_field *other) {
    if (strcmp(field->key, other->key) == 0) {
        return "key is there twice";
    }
    if (field->offset < other->offset + other->bytes &&
        other->offset < field->offset + field->bytes) {
        return "shares its member with another field";
    }
    return NULL;
}

static const char *fault_at(const struct config_table *table, int64_t index) {
    const struct config_field *field = &table->fields[index];
    const char *fault = field_fault(field);
    for (int64_t other = index + 1; other < table->field_count && !fault; other++) {
        fault = pair_fault(field, &table->fields[other]);
    }
    return fault;
}

static enum err_code check_section(const struct config_table *table, int64_t depth,
                                   struct error *err) {
    if (depth > CONFIG_DEPTH_MAX || table->field_count > CONFIG_FIELDS_MAX) {
        return err_set(err, ERR_INTERNAL, "table '%s': more than %d fields, or than %d levels",
                       table->name, CONFIG_FIELDS_MAX, CONFIG_DEPTH_MAX);
    }
    if (!is_line(table->help)) {
        return err_set(err, ERR_INTERNAL, "table '%s': help is not one line", table->name);
    }
    for (int64_t i = 0; i < table->field_count; i++) {
        const struct config_field *field = &table->fields[i];
        const char *fault = fault_at(table, i);
        if (fault) {
            return err_set(err, ERR_INTERNAL, "table '%s': field '%s': %s", table->name, field->key,
                           fault);
        }
        if (field->type == CONFIG_SECTION) {
            TRY(check_section(field->section, depth + 1, err));
        }
    }
    return ERR_OK;
}

static enum err_code check_defaults(const struct config_table *table, struct error *err) {
    void *config = mem_array_zero(1, table->struct_bytes);
    if (!config) {
        return err_oom(err, "configuration");
    }
    const struct config_source no_source = {.path = NULL};
    enum err_code code = config_load(table, &no_source, config, err);
    config_deinit(table, config);
    mem_free(config);
    return err_wrap(err, code, "table '%s'", table->name);
}

enum err_code config_table_check(const struct config_table *table, struct error *err) {
    TRY(check_section(table, 0, err));
    return check_defaults(table, err);
}
