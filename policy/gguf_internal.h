/* gguf_internal.h - what gguf.c, which reads the file, shares with gguf_values.c, which answers.
 *
 * Threads:  no state.
 */
#ifndef POLICY_GGUF_INTERNAL_H
#define POLICY_GGUF_INTERNAL_H

#include "base/arena.h"
#include "base/file.h"
#include "policy/gguf.h"

/* Types of metadata in the order of their numbers, and the bytes of one; 0: a length comes first.
 */
#define VALUE_TYPES(X) \
    X(U8, 1)           \
    X(I8, 1)           \
    X(U16, 2)          \
    X(I16, 2)          \
    X(U32, 4)          \
    X(I32, 4)          \
    X(F32, 4)          \
    X(BOOL, 1)         \
    X(STRING, 0)       \
    X(ARRAY, 0)        \
    X(U64, 8)          \
    X(I64, 8)          \
    X(F64, 8)

enum value_type {
#define VALUE_ENUM(name, bytes) VALUE_##name,
    VALUE_TYPES(VALUE_ENUM)
#undef VALUE_ENUM
        VALUE_TYPE_COUNT
};

/* Name and bytes of one, by enum value_type. */
struct value_type_facts {
    const char *name;
    size_t bytes;
};

extern const struct value_type_facts gguf_value_types[VALUE_TYPE_COUNT];

struct gguf_value {
    const char *key;
    enum value_type type; /* of an array: its elements' */
    bool is_array;
    int64_t count;              /* elements; 1 outside arrays */
    const unsigned char *bytes; /* of all elements; NULL for strings */
    const struct gguf_text *texts;
};

struct gguf {
    struct file_map map; /* closed when the bytes are borrowed */
    char *name;
    struct arena arena; /* keys, names, values, tensors */
    struct gguf_value *values;
    const struct gguf_value **values_by_key;
    int64_t values_count;
    struct gguf_tensor *tensors;
    const struct gguf_tensor **tensors_by_name;
    int64_t tensors_count;
};

/* Order of values_by_key: arguments are `const struct gguf_value *const *`. */
int gguf_compare_keys(const void *left, const void *right);

#endif
