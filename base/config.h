/* config.h - plain structs filled from one table each.
 *
 * Use:      struct dpo_config {
 *               double beta;
 *               int64_t pairs_per_step;
 *               enum dpo_loss loss;
 *               char *reference;
 *           };
 *           static const char *const dpo_losses[] = {"sigmoid", "hinge"};   // by enum value
 *           static const struct config_field dpo_fields[] = {
 *               FIELD_F64(dpo_config, beta, "0.1", 1e-6, 10.0,
 *                         "strength of the reference term (arXiv 2305.18290)"),
 *               FIELD_I64(dpo_config, pairs_per_step, "64", 1, 65536, "preference pairs a step"),
 *               FIELD_ENUM(dpo_config, loss, "sigmoid", dpo_losses, "shape of the loss"),
 *               FIELD_PATH(dpo_config, reference, "", "folder of the reference model"),
 *           };
 *           static const struct config_table dpo_table =
 *               CONFIG_TABLE("dpo", dpo_config, dpo_fields, NULL,
 *                            "direct preference optimisation");
 *
 *           struct dpo_config config;
 *           TRY(config_load(&dpo_table, &source, &config, err));
 *           ...
 *           config_deinit(&dpo_table, &config);
 *
 *           The table gives defaults, JSON files, `--set beta=0.2`, and, in base/config_text.h,
 *           help, the effective config and the reference page.
 * Files:    JSON objects. The key "comment" is allowed in every object, with a value of any kind,
 *           and ignored. Missing keys keep their value; unknown and duplicate keys are errors.
 * Errors:   ERR_CONFIG, saying which file, key, value and range:
 *               config 'ppo.json': $.beta = -0.1 is outside [1e-06, 10]
 *               --set: $.regulariser.bta: unknown key, did you mean 'beta'?
 *               --seed: $.run.seed: expected unsigned 64-bit integer, found string 'x'
 *           ERR_IO for a file that cannot be read, ERR_OOM.
 * Owns:     texts and lists belong to the struct, each in a block of base/mem; config_deinit
 *           releases them. Do not copy such a struct by assignment: config_clone. Every member has
 *           its field; members without one are zeroed whenever values change.
 * Threads:  no state.
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Type of a field, and what its value is called in help. The member that each wants:
 *   BOOL bool, I64 int64_t, U64 uint64_t (seeds), F64 double, STRING and PATH char *,
 *   ENUM any enum that counts from 0, I64_LIST struct config_i64_list,
 *   STRING_LIST struct config_string_list, SECTION a struct with a table of its own. */
#define CONFIG_TYPES(X)             \
    X(BOOL, "true or false")        \
    X(I64, "integer")               \
    X(U64, "unsigned integer")      \
    X(F64, "number")                \
    X(STRING, "text")               \
    X(PATH, "path")                 \
    X(ENUM, "one of")               \
    X(I64_LIST, "list of integers") \
    X(STRING_LIST, "list of texts") \
    X(SECTION, "section")

enum config_type {
#define CONFIG_ENUM(name, text) CONFIG_##name,
    CONFIG_TYPES(CONFIG_ENUM)
#undef CONFIG_ENUM
        CONFIG_TYPE_COUNT
};

#define CONFIG_FIELDS_MAX 64 /* of one table */
#define CONFIG_DEPTH_MAX  8  /* of sections in sections */

#define CONFIG_COMMENT_KEY "comment" /* allowed and ignored in every object */

struct config_table;

struct config_i64_list {
    int64_t *items;
    int64_t count;
};

struct config_string_list {
    char **items;
    int64_t count;
};

/* Made by the FIELD macros only; what the type has no use for is zero. */
struct config_field {
    const char *key;
    enum config_type type;
    size_t offset, bytes;     /* of the member */
    const char *default_text; /* as after --set key= ; NULL for a section */
    const char *help;         /* one sentence, with its source in brackets */
    int64_t i64_min, i64_max; /* I64, I64_LIST */
    double f64_min, f64_max;
    bool range_is_open; /* F64: the ends themselves are outside */
    const char *const *choices;
    int64_t choice_count;
    const struct config_table *section;
};

struct config_table {
    const char *name; /* "dpo" */
    const char *help;
    size_t struct_bytes;
    const struct config_field *fields;
    int64_t field_count;
    /* Conditions between fields, or NULL; called by config_validate with the table's own struct,
     * sections before the table that holds them. Refuses with ERR_CONFIG, naming the keys. */
    enum err_code (*validate)(const void *config, struct error *err);
};

/* Offset of a member; one of another type than the field's does not compile. An enum is compatible
 * with int or with unsigned, by the compiler's choice. By hand: clang-format 14 tears _Generic. */
/* clang-format off */
#define CONFIG_OFFSET_(struct_name, member, c_type)                                       \
    _Generic(((struct struct_name *)NULL)->member, c_type: offsetof(struct struct_name, member))
#define CONFIG_OFFSET_ENUM_(struct_name, member)                                          \
    _Generic(((struct struct_name *)NULL)->member, int: offsetof(struct struct_name, member), \
             unsigned: offsetof(struct struct_name, member))
/* clang-format on */

#define CONFIG_FIELD_(struct_name, member, c_type, config_type, ...)       \
    {                                                                      \
        .key = #member, .type = (config_type), .bytes = sizeof(c_type),    \
        .offset = CONFIG_OFFSET_(struct_name, member, c_type), __VA_ARGS__ \
    }

#define FIELD_BOOL(struct_name, member, default_value, help_text)                          \
    CONFIG_FIELD_(struct_name, member, bool, CONFIG_BOOL, .default_text = (default_value), \
                  .help = (help_text))

/* Integers in [min, max]. */
#define FIELD_I64(struct_name, member, default_value, min, max, help_text)                   \
    CONFIG_FIELD_(struct_name, member, int64_t, CONFIG_I64, .default_text = (default_value), \
                  .i64_min = (min), .i64_max = (max), .help = (help_text))

/* All 64 bits; in JSON beyond 2^53 - 1 as a string. */
#define FIELD_U64(struct_name, member, default_value, help_text)                              \
    CONFIG_FIELD_(struct_name, member, uint64_t, CONFIG_U64, .default_text = (default_value), \
                  .help = (help_text))

/* Finite numbers in [min, max], and in (min, max). */
#define FIELD_F64(struct_name, member, default_value, min, max, help_text)                  \
    CONFIG_FIELD_(struct_name, member, double, CONFIG_F64, .default_text = (default_value), \
                  .f64_min = (min), .f64_max = (max), .help = (help_text))
#define FIELD_F64_OPEN(struct_name, member, default_value, min, max, help_text)             \
    CONFIG_FIELD_(struct_name, member, double, CONFIG_F64, .default_text = (default_value), \
                  .f64_min = (min), .f64_max = (max), .range_is_open = true, .help = (help_text))

/* Texts are UTF-8 without NUL, and not NULL once loaded. A path is taken as it stands: a relative
 * one is relative to the working directory, whichever file it came from. */
#define FIELD_STRING(struct_name, member, default_value, help_text)                            \
    CONFIG_FIELD_(struct_name, member, char *, CONFIG_STRING, .default_text = (default_value), \
                  .help = (help_text))
#define FIELD_PATH(struct_name, member, default_value, help_text)                            \
    CONFIG_FIELD_(struct_name, member, char *, CONFIG_PATH, .default_text = (default_value), \
                  .help = (help_text))

/* `names` is an array of texts, indexed by enum value. */
#define FIELD_ENUM(struct_name, member, default_value, names, help_text)                     \
    {                                                                                        \
        .key = #member, .type = CONFIG_ENUM, .bytes = sizeof(unsigned),                      \
        .offset = CONFIG_OFFSET_ENUM_(struct_name, member), .default_text = (default_value), \
        .choices = (names), .choice_count = (int64_t)(sizeof(names) / sizeof(names)[0]),     \
        .help = (help_text)                                                                  \
    }

/* Arrays in JSON, separated by commas after --set and in defaults. A comma at the end adds nothing:
 * "" is the empty list, and "," the list of one empty text. */
#define FIELD_I64_LIST(struct_name, member, default_value, min, max, help_text)        \
    CONFIG_FIELD_(struct_name, member, struct config_i64_list, CONFIG_I64_LIST,        \
                  .default_text = (default_value), .i64_min = (min), .i64_max = (max), \
                  .help = (help_text))
#define FIELD_STRING_LIST(struct_name, member, default_value, help_text)              \
    CONFIG_FIELD_(struct_name, member, struct config_string_list, CONFIG_STRING_LIST, \
                  .default_text = (default_value), .help = (help_text))

/* The member is a struct with the table `section_table`: $.member.key, --set member.key=... */
#define FIELD_SECTION(struct_name, member, section_struct, section_table, help_text) \
    CONFIG_FIELD_(struct_name, member, struct section_struct, CONFIG_SECTION,        \
                  .section = (section_table), .help = (help_text))

#define CONFIG_TABLE(table_name, struct_name, fields_array, validate_hook, help_text)          \
    {                                                                                          \
        .name = (table_name), .help = (help_text), .struct_bytes = sizeof(struct struct_name), \
        .fields = (fields_array),                                                              \
        .field_count = (int64_t)(sizeof(fields_array) / sizeof(fields_array)[0]),              \
        .validate = (validate_hook)                                                            \
    }

/* An option of its own for one key. All borrowed. */
struct config_option {
    const char *name; /* "--seed", for messages */
    const char *key;  /* "run.seed" */
    const char *value;
};

/* Where the values of one run come from, later ones replacing earlier ones. All borrowed. */
struct config_source {
    const char *path;               /* JSON file, or NULL */
    const char *const *assignments; /* "key=value", as given to --set */
    int64_t assignment_count;
    const struct config_option *options;
    int64_t option_count;
};

/* Everything at once: defaults, file, assignments, options, validation. `out_config` needs no
 * preparation and is owned by the caller (config_deinit). */
ERR_NODISCARD enum err_code config_load(const struct config_table *table,
                                        const struct config_source *source, void *out_config,
                                        struct error *err);

/* Defaults, not validated. Owned as above. */
ERR_NODISCARD enum err_code config_init(const struct config_table *table, void *out_config,
                                        struct error *err);

/* Releases texts and lists and zeroes the struct. Safe twice, and on a zeroed struct. */
void config_deinit(const struct config_table *table, void *config);

/* A deep copy. Owned as above. */
ERR_NODISCARD enum err_code config_clone(const struct config_table *table, const void *config,
                                         void *out_config, struct error *err);

/* Replaces the values named in a JSON text or file: all of them or, on failure, none. `source`
 * stands in messages ("config 'ppo.json'"). */
ERR_NODISCARD enum err_code config_apply_text(const struct config_table *table, void *config,
                                              const char *source, const char *bytes, size_t count,
                                              struct error *err);
ERR_NODISCARD enum err_code config_apply_file(const struct config_table *table, void *config,
                                              const char *path, struct error *err);

/* Replaces one value, as `--set` does: "regulariser.beta=0.2". What follows the first '=' is the
 * value, without quotes. */
ERR_NODISCARD enum err_code config_set(const struct config_table *table, void *config,
                                       const char *assignment, struct error *err);

/* Runs the tables' hooks. After the last change, since conditions may fail in between. */
ERR_NODISCARD enum err_code config_validate(const struct config_table *table, const void *config,
                                            struct error *err);

#endif
