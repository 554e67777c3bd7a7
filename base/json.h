/* json.h - JSON from outside: read strictly, asked for by type, refused with a place.
 *
 * Use:      SCOPED(json) struct json *doc = NULL;
 *           TRY(json_parse(bytes, count, "policy.json", NULL, &doc, err));
 *           const struct json_node *model = NULL;
 *           int64_t layers = 0;
 *           TRY(json_get_object(doc, json_root(doc), "model", &model, err));
 *           TRY(json_get_i64(doc, model, "layers", &layers, err));
 *
 *           const struct json_node *seed = json_find(doc, model, "seed");   // NULL if missing
 *           if (seed) {
 *               TRY(json_as_u64(doc, seed, &config->seed, err));
 *           }
 *
 *           for (const struct json_node *m = json_first(model); m; m = json_next(m)) {
 *               use(json_key(m), m);
 *           }
 * Accepts:  RFC 8259 in UTF-8 and nothing else: no byte order mark, comments, trailing commas, NaN,
 *           raw control characters, lone surrogates, NUL (\u0000), duplicate keys, and no
 *           numbers beyond double or longer than 63 characters. Keys are case-sensitive.
 * Errors:   ERR_DATA for everything wrong with the text, limits included, and ERR_OOM, with
 *           messages such as
 *               policy.json:3:14: expected ',' or '}', found 'x'
 *               policy.json: $.model.layers: expected integer, found string 'x'
 *           or, of a document made by json_parse_row,
 *               pairs.jsonl:17:23: $.chosen[1].role: expected string, found number 3
 *           Lines and columns count from 1, and columns count code points.
 * Integers: JSON numbers are exact only within +-(2^53 - 1). Larger ones are written and read as
 *           decimal strings; a JSON number beyond is refused with that advice.
 * Owns:     the document owns every node, key and string it hands out; all are borrowed until
 *           json_free. The parsed bytes are not needed any more, but for json_parse_row.
 * Cost:     finding a key O(log n), an array element O(1); parsing O(n log n) even for hostile
 *           input. A path or a position is searched for only when an error is reported.
 * Threads:  safe; a document is read-only and may be shared.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json;      /* a document */
struct json_node; /* a value in it */

struct json_limits {
    size_t bytes_max;   /* of text */
    int64_t depth_max;  /* open arrays and objects at one time, at most JSON_DEPTH_CAP */
    int64_t values_max; /* scalars, arrays and objects; about 120 bytes of memory each */
};

#define JSON_DEPTH_CAP 512
#define JSON_INT_MAX   INT64_C(9007199254740991) /* 2^53 - 1 */

/* Roomy for a tokenizer file, which is the largest JSON that users have. */
#define JSON_LIMITS_DEFAULT \
    { .bytes_max = (size_t)64 * 1024 * 1024, .depth_max = 64, .values_max = 4000 * 1000 }

enum json_kind {
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_NUMBER,
    JSON_KIND_STRING,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT,
};

/* Parses `count` bytes, which need no terminating NUL. `name` stands in messages and is copied;
 * `limits` NULL means the defaults. The document is owned by the caller. */
ERR_NODISCARD enum err_code json_parse(const char *bytes, size_t count, const char *name,
                                       const struct json_limits *limits, struct json **out_doc,
                                       struct error *err);

/* Where a text begins in its file: a row of many, a cell of a table. */
struct json_place {
    const char *name;     /* of the file */
    int64_t line, column; /* of the text's first byte, from 1; a column is a code point */
};

/* As json_parse for a part of a file. Its messages, those of json_refuse and of the typed getters
 * included, say line and column in that file. To find them the bytes are read again when something
 * is refused, so they are borrowed until json_free. */
ERR_NODISCARD enum err_code json_parse_row(const char *bytes, size_t count,
                                           const struct json_place *place,
                                           const struct json_limits *limits, struct json **out_doc,
                                           struct error *err);

/* As json_parse for a whole file, named by its path; also fails as file_read_all does (ERR_IO, and
 * ERR_LIMIT above bytes_max). */
ERR_NODISCARD enum err_code json_parse_file(const char *path, const struct json_limits *limits,
                                            struct json **out_doc, struct error *err);

void json_free(struct json *doc);

const struct json_node *json_root(const struct json *doc);
enum json_kind json_kind_of(const struct json_node *node);

/* Children in document order: of an array its elements, of an object its members; NULL at the end
 * and for a scalar. json_key is NULL for what is not a member. */
const struct json_node *json_first(const struct json_node *node);
const struct json_node *json_next(const struct json_node *node);
const char *json_key(const struct json_node *node);

/* Number of children, 0 for a scalar; the child at `index` of an array, NULL outside [0, count) and
 * when `array` is none; the member `key` of an object, NULL if missing and when `object` is
 * none. */
int64_t json_count(const struct json *doc, const struct json_node *node);
const struct json_node *json_at(const struct json *doc, const struct json_node *array,
                                int64_t index);
const struct json_node *json_find(const struct json *doc, const struct json_node *object,
                                  const char *key);

/* The value of `node`, which must be of that type.
 *   string   NUL-terminated UTF-8 without NULs inside, borrowed
 *   i64 u64  a JSON number whose nearest double is integral and within +-JSON_INT_MAX (1e3, 1.0 and
 *            also 9007199254740991.4 are), or a string such as "18446744073709551615": decimal, no
 *            sign but '-'
 *   f64      a JSON number, rounded to the nearest double; always finite
 *   object   the node itself; so for array
 */
ERR_NODISCARD enum err_code json_as_string(const struct json *doc, const struct json_node *node,
                                           const char **out, struct error *err);
ERR_NODISCARD enum err_code json_as_bool(const struct json *doc, const struct json_node *node,
                                         bool *out, struct error *err);
ERR_NODISCARD enum err_code json_as_i64(const struct json *doc, const struct json_node *node,
                                        int64_t *out, struct error *err);
ERR_NODISCARD enum err_code json_as_u64(const struct json *doc, const struct json_node *node,
                                        uint64_t *out, struct error *err);
ERR_NODISCARD enum err_code json_as_f64(const struct json *doc, const struct json_node *node,
                                        double *out, struct error *err);
ERR_NODISCARD enum err_code json_as_object(const struct json *doc, const struct json_node *node,
                                           const struct json_node **out, struct error *err);
ERR_NODISCARD enum err_code json_as_array(const struct json *doc, const struct json_node *node,
                                          const struct json_node **out, struct error *err);

/* The same for the member `key` of `object`, which must be there. */
ERR_NODISCARD enum err_code json_get_string(const struct json *doc, const struct json_node *object,
                                            const char *key, const char **out, struct error *err);
ERR_NODISCARD enum err_code json_get_bool(const struct json *doc, const struct json_node *object,
                                          const char *key, bool *out, struct error *err);
ERR_NODISCARD enum err_code json_get_i64(const struct json *doc, const struct json_node *object,
                                         const char *key, int64_t *out, struct error *err);
ERR_NODISCARD enum err_code json_get_u64(const struct json *doc, const struct json_node *object,
                                         const char *key, uint64_t *out, struct error *err);
ERR_NODISCARD enum err_code json_get_f64(const struct json *doc, const struct json_node *object,
                                         const char *key, double *out, struct error *err);
ERR_NODISCARD enum err_code json_get_object(const struct json *doc, const struct json_node *object,
                                            const char *key, const struct json_node **out,
                                            struct error *err);
ERR_NODISCARD enum err_code json_get_array(const struct json *doc, const struct json_node *object,
                                           const char *key, const struct json_node **out,
                                           struct error *err);

/* ERR_DATA with "<name>: <path of node>: <message>", the name followed by line and column if they
 * are known, for what only the caller can judge:
 *     return json_refuse(doc, node, err, "%" PRId64 " is outside [1, 64]", layers); */
enum err_code json_refuse(const struct json *doc, const struct json_node *node, struct error *err,
                          const char *fmt, ...) ERR_FORMAT(4, 5);

/* Version of the linked cJSON library, such as "1.7.15". Static. */
const char *json_library_version(void);

static inline void json_scoped_end(struct json **variable) {
    json_free(*variable);
}

#endif
