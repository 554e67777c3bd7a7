/* json.c - see json.h. The only caller of cJSON.
 *
 * A document is cJSON's tree and an index over it: for every array and object its children in one
 * run of pointers, those of an object sorted by key. The index puts duplicate keys side by side,
 * finds a key by bisection and an element by its number, where cJSON alone walks a list for each.
 * It is built breadth first: the array of containers is also the queue of those yet to be indexed.
 *
 * `struct json_node` is never defined: a pointer to one is a pointer to a cJSON item.
 */
#include "base/json.h"

#include "base/file.h"
#include "base/invariant.h"
#include "base/json_scan.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/scoped.h"
#include "base/utf8.h"

#include <assert.h>
#include <cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES        192 /* a longer path shows its end */
#define DESCRIPTION_BYTES (UTF8_EXCERPT_BYTES + 16)

static_assert(JSON_DEPTH_CAP <= CJSON_NESTING_LIMIT, "cJSON must follow as deep as the scan");

struct container {
    const cJSON *item;
    const cJSON **children; /* `count` of json.children */
    int64_t count;
};

/* A text to be parsed. */
struct source {
    const char *bytes;
    size_t count;
    struct json_place place;
    bool is_row; /* of a file: `bytes` is kept, to find the places of what is refused later */
};

struct json {
    char *name; /* also source.place.name */
    struct source source;
    cJSON *root;
    struct container *containers; /* numbered in `valueint`, a field cJSON leaves to numbers */
    const cJSON **children;
};

static const cJSON *item_of(const struct json_node *node) {
    return (const cJSON *)node;
}

static const struct json_node *node_of(const cJSON *item) {
    return (const struct json_node *)item;
}

static bool is_container(const cJSON *item) {
    return cJSON_IsArray(item) || cJSON_IsObject(item);
}

/* --- paths, for messages --- */

/* Filled from the end, while the search returns from the node to the root. */
struct path {
    char text[PATH_BYTES];
    size_t start;
    bool is_cut;
    int64_t visited; /* values in the order of the text, up to the node */
};

#define PATH_CUT "..."

static void path_prepend(struct path *path, const char *step) {
    size_t length = strlen(step);
    path->is_cut = path->is_cut || path->start < length + strlen(PATH_CUT);
    if (!path->is_cut) {
        path->start -= length;
        memcpy(path->text + path->start, step, length);
    }
}

static bool is_plain_key(const char *key) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return key[0] != '\0' && key[strspn(key, plain)] == '\0' && strlen(key) < UTF8_EXCERPT_BYTES;
}

static void path_prepend_child(struct path *path, const cJSON *child, int64_t index) {
    char step[UTF8_EXCERPT_BYTES + 8];
    if (!child->string) {
        (void)snprintf(step, sizeof step, "[%" PRId64 "]", index);
    } else if (is_plain_key(child->string)) {
        (void)snprintf(step, sizeof step, ".%s", child->string);
    } else {
        char key[UTF8_EXCERPT_BYTES];
        (void)snprintf(step, sizeof step, "[\"%s\"]",
                       utf8_excerpt(child->string, strlen(child->string), key));
    }
    path_prepend(path, step);
}

/* Recursion ends after JSON_DEPTH_CAP levels. */
static bool path_find(const cJSON *item, const cJSON *target, struct path *path) {
    path->visited++;
    if (item == target) {
        return true;
    }
    int64_t index = 0;
    for (const cJSON *child = item->child; child; child = child->next) {
        if (path_find(child, target, path)) {
            path_prepend_child(path, child, index);
            return true;
        }
        index++;
    }
    return false;
}

/* "$.model.layers[3]", borrowed from `path`. */
static const char *path_of(const struct json *doc, const cJSON *target, struct path *path) {
    *path = (struct path){.start = PATH_BYTES - 1};
    bool found = path_find(doc->root, target, path);
    ASSERT(found);
    const char *head = path->is_cut ? PATH_CUT : "$";
    path->start -= strlen(head);
    memcpy(path->text + path->start, head, strlen(head));
    return path->text + path->start;
}

/* --- parsing --- */

static pthread_once_t hooks_once = PTHREAD_ONCE_INIT;

/* cJSON keeps the place of the last error in a global, so only one thread parses at a time; the
 * same lock guards our flag, which tells a failed allocation from a refused text. */
static pthread_mutex_t parse_lock = PTHREAD_MUTEX_INITIALIZER;
static bool parse_lacked_memory;

static void *hook_alloc(size_t bytes) {
    void *block = mem_alloc(bytes);
    parse_lacked_memory = parse_lacked_memory || !block;
    return block;
}

static void install_hooks(void) {
    cJSON_Hooks hooks = {.malloc_fn = hook_alloc, .free_fn = mem_free};
    cJSON_InitHooks(&hooks);
}

static enum err_code err_no_memory(struct error *err, const char *name, size_t count) {
    return err_set(err, ERR_OOM, "%s: out of memory for %zu bytes of JSON", name, count);
}

static enum err_code parse_tree(const char *bytes, size_t count, struct json *doc,
                                struct error *err) {
    (void)pthread_once(&hooks_once, install_hooks);
    (void)pthread_mutex_lock(&parse_lock);
    parse_lacked_memory = false;
    doc->root = cJSON_ParseWithLengthOpts(bytes, count, NULL, false);
    bool lacked_memory = parse_lacked_memory;
    (void)pthread_mutex_unlock(&parse_lock);
    if (doc->root) {
        return ERR_OK;
    }
    return lacked_memory ? err_no_memory(err, doc->name, count)
                         : err_set(err, ERR_INTERNAL, "%s: cJSON refused what is JSON", doc->name);
}

static int compare_keys(const void *left, const void *right) {
    const cJSON *const *l = left;
    const cJSON *const *r = right;
    return strcmp((*l)->string, (*r)->string);
}

static enum err_code sort_members(const struct json *doc, const struct container *object,
                                  struct error *err) {
    qsort(object->children, (size_t)object->count, sizeof object->children[0], compare_keys);
    for (int64_t i = 1; i < object->count; i++) {
        if (compare_keys(&object->children[i - 1], &object->children[i]) == 0) {
            return json_refuse(doc, node_of(object->children[i]), err, "duplicate key");
        }
    }
    return ERR_OK;
}

/* How much of the index is built, of how much the scan has counted. */
struct index_progress {
    int64_t containers, children;
    int64_t containers_max, children_max;
};

static void enqueue_container(struct json *doc, cJSON *item, struct index_progress *done) {
    if (is_container(item)) {
        ASSERT_LT(done->containers, done->containers_max);
        item->valueint = (int)done->containers;
        doc->containers[done->containers++] = (struct container){.item = item};
    }
}

static enum err_code index_children(struct json *doc, struct container *container,
                                    struct index_progress *done, struct error *err) {
    container->children = doc->children + done->children;
    for (cJSON *child = container->item->child; child; child = child->next) {
        enqueue_container(doc, child, done);
        ASSERT_LT(done->children, done->children_max);
        doc->children[done->children++] = child;
        container->count++;
    }
    return cJSON_IsObject(container->item) ? sort_members(doc, container, err) : ERR_OK;
}

static enum err_code build_index(struct json *doc, const struct json_counts *counts,
                                 struct error *err) {
    struct index_progress done = {
        .containers_max = counts->containers,
        .children_max = counts->values - 1,
    };
    enqueue_container(doc, doc->root, &done);
    for (int64_t i = 0; i < done.containers; i++) {
        TRY(index_children(doc, &doc->containers[i], &done, err));
    }
    return ERR_OK;
}

static struct json *doc_new(const struct source *source, const struct json_counts *counts) {
    SCOPED(json) struct json *doc = mem_array_zero(1, sizeof *doc);
    if (!doc) {
        return NULL;
    }
    doc->name = mem_strdup(source->place.name);
    doc->source = *source;
    doc->source.place.name = doc->name;
    doc->containers = mem_array((size_t)counts->containers, sizeof doc->containers[0]);
    doc->children = mem_array((size_t)counts->values - 1, sizeof doc->children[0]);
    return doc->name && doc->containers && doc->children ? MOVE(doc) : NULL;
}

static const struct json_limits limits_default = JSON_LIMITS_DEFAULT;

static enum err_code parse_source(const struct source *source, const struct json_limits *limits,
                                  struct json **out_doc, struct error *err) {
    struct json_counts counts = {0};
    TRY(json_scan(source->bytes, source->count, &source->place, limits ? limits : &limits_default,
                  &counts, err));
    SCOPED(json) struct json *doc = doc_new(source, &counts);
    if (!doc) {
        return err_no_memory(err, source->place.name, source->count);
    }
    TRY(parse_tree(source->bytes, source->count, doc, err));
    TRY(build_index(doc, &counts, err));
    *out_doc = MOVE(doc);
    return ERR_OK;
}

enum err_code json_parse(const char *bytes, size_t count, const char *name,
                         const struct json_limits *limits, struct json **out_doc,
                         struct error *err) {
    const struct source source = {
        .bytes = bytes, .count = count, .place = {.name = name, .line = 1, .column = 1}};
    return parse_source(&source, limits, out_doc, err);
}

enum err_code json_parse_row(const char *bytes, size_t count, const struct json_place *place,
                             const struct json_limits *limits, struct json **out_doc,
                             struct error *err) {
    const struct source source = {.bytes = bytes, .count = count, .place = *place, .is_row = true};
    return parse_source(&source, limits, out_doc, err);
}

enum err_code json_parse_file(const char *path, const struct json_limits *limits,
                              struct json **out_doc, struct error *err) {
    SCOPED(mem) char *text = NULL;
    size_t count = 0;
    TRY(file_read_all(path, (limits ? limits : &limits_default)->bytes_max, &text, &count, err));
    return json_parse(text, count, path, limits, out_doc, err);
}

void json_free(struct json *doc) {
    if (doc) {
        cJSON_Delete(doc->root);
        mem_free(doc->children);
        mem_free(doc->containers);
        mem_free(doc->name);
        mem_free(doc);
    }
}

/* --- walking --- */

static const struct container *container_of(const struct json *doc, const cJSON *item) {
    return is_container(item) ? &doc->containers[item->valueint] : NULL;
}

const struct json_node *json_root(const struct json *doc) {
    return node_of(doc->root);
}

enum json_kind json_kind_of(const struct json_node *node) {
    const cJSON *item = item_of(node);
    if (cJSON_IsObject(item)) {
        return JSON_KIND_OBJECT;
    }
    if (cJSON_IsArray(item)) {
        return JSON_KIND_ARRAY;
    }
    if (cJSON_IsString(item)) {
        return JSON_KIND_STRING;
    }
    if (cJSON_IsNumber(item)) {
        return JSON_KIND_NUMBER;
    }
    return cJSON_IsBool(item) ? JSON_KIND_BOOL : JSON_KIND_NULL;
}

const struct json_node *json_first(const struct json_node *node) {
    return node_of(item_of(node)->child);
}

const struct json_node *json_next(const struct json_node *node) {
    return node_of(item_of(node)->next);
}

const char *json_key(const struct json_node *node) {
    return item_of(node)->string;
}

int64_t json_count(const struct json *doc, const struct json_node *node) {
    const struct container *container = container_of(doc, item_of(node));
    return container ? container->count : 0;
}

const struct json_node *json_at(const struct json *doc, const struct json_node *array,
                                int64_t index) {
    const struct container *container = container_of(doc, item_of(array));
    if (!container || !cJSON_IsArray(container->item) || index < 0 || index >= container->count) {
        return NULL;
    }
    return node_of(container->children[index]);
}

static int compare_key_to_member(const void *key, const void *member) {
    const cJSON *const *item = member;
    return strcmp(key, (*item)->string);
}

const struct json_node *json_find(const struct json *doc, const struct json_node *object,
                                  const char *key) {
    const struct container *container = container_of(doc, item_of(object));
    if (!container || !cJSON_IsObject(container->item)) {
        return NULL;
    }
    const cJSON *const *member = bsearch(key, container->children, (size_t)container->count,
                                         sizeof container->children[0], compare_key_to_member);
    return member ? node_of(*member) : NULL;
}

/* --- typed access --- */

enum err_code json_refuse(const struct json *doc, const struct json_node *node, struct error *err,
                          const char *fmt, ...) {
    char message[ERR_MSG_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    struct path path;
    const char *path_text = path_of(doc, item_of(node), &path);
    if (!doc->source.is_row) {
        return err_set(err, ERR_DATA, "%s: %s: %s", doc->name, path_text, message);
    }
    struct json_place place = json_scan_place_of_value(doc->source.bytes, doc->source.count,
                                                       &doc->source.place, path.visited - 1);
    return err_set(err, ERR_DATA, "%s:%" PRId64 ":%" PRId64 ": %s: %s", doc->name, place.line,
                   place.column, path_text, message);
}

/* "string 'abc'", "number 1.5", "array". */
static const char *describe(const cJSON *item, char out[DESCRIPTION_BYTES]) {
    static const char *const kinds[] = {
        [JSON_KIND_NULL] = "null",     [JSON_KIND_BOOL] = "boolean", [JSON_KIND_NUMBER] = "number",
        [JSON_KIND_STRING] = "string", [JSON_KIND_ARRAY] = "array",  [JSON_KIND_OBJECT] = "object",
    };
    const char *kind = kinds[json_kind_of(node_of(item))];
    char value[UTF8_EXCERPT_BYTES];
    if (cJSON_IsString(item)) {
        const char *text = item->valuestring;
        (void)snprintf(out, DESCRIPTION_BYTES, "%s '%s'", kind,
                       utf8_excerpt(text, strlen(text), value));
    } else if (cJSON_IsNumber(item)) {
        (void)snprintf(out, DESCRIPTION_BYTES, "%s %s", kind,
                       json_format_f64(item->valuedouble, value));
    } else if (cJSON_IsBool(item)) {
        (void)snprintf(out, DESCRIPTION_BYTES, "%s %s", kind,
                       cJSON_IsTrue(item) ? "true" : "false");
    } else {
        (void)snprintf(out, DESCRIPTION_BYTES, "%s", kind);
    }
    return out;
}

static enum err_code refuse_kind(const struct json *doc, const struct json_node *node,
                                 const char *expected, struct error *err) {
    char found[DESCRIPTION_BYTES];
    return json_refuse(doc, node, err, "expected %s, found %s", expected,
                       describe(item_of(node), found));
}

enum err_code json_as_string(const struct json *doc, const struct json_node *node, const char **out,
                             struct error *err) {
    if (!cJSON_IsString(item_of(node))) {
        return refuse_kind(doc, node, "string", err);
    }
    *out = item_of(node)->valuestring;
    return ERR_OK;
}

enum err_code json_as_bool(const struct json *doc, const struct json_node *node, bool *out,
                           struct error *err) {
    if (!cJSON_IsBool(item_of(node))) {
        return refuse_kind(doc, node, "boolean", err);
    }
    *out = cJSON_IsTrue(item_of(node));
    return ERR_OK;
}

/* A JSON number that is an integer which the double holds exactly. */
static enum err_code read_exact_integer(const struct json *doc, const struct json_node *node,
                                        double *out, struct error *err) {
    double value = item_of(node)->valuedouble;
    if (!cJSON_IsNumber(item_of(node)) || value != trunc(value)) {
        return refuse_kind(doc, node, "integer", err);
    }
    if (fabs(value) > (double)JSON_INT_MAX) {
        return json_refuse(doc, node, err,
                           "integer near %.3g is beyond +-%" PRId64
                           " and would be rounded; write it as a string, in double quotes",
                           value, JSON_INT_MAX);
    }
    *out = value;
    return ERR_OK;
}

enum err_code json_as_i64(const struct json *doc, const struct json_node *node, int64_t *out,
                          struct error *err) {
    const cJSON *item = item_of(node);
    if (cJSON_IsString(item)) {
        return number_parse_i64(item->valuestring, out)
                   ? ERR_OK
                   : refuse_kind(doc, node, "64-bit integer", err);
    }
    double value = 0.0;
    TRY(read_exact_integer(doc, node, &value, err));
    *out = (int64_t)value;
    return ERR_OK;
}

enum err_code json_as_u64(const struct json *doc, const struct json_node *node, uint64_t *out,
                          struct error *err) {
    const cJSON *item = item_of(node);
    if (cJSON_IsString(item)) {
        return number_parse_u64(item->valuestring, out)
                   ? ERR_OK
                   : refuse_kind(doc, node, "unsigned 64-bit integer", err);
    }
    double value = 0.0;
    TRY(read_exact_integer(doc, node, &value, err));
    if (value < 0.0) {
        return refuse_kind(doc, node, "unsigned integer", err);
    }
    *out = (uint64_t)value;
    return ERR_OK;
}

enum err_code json_as_f64(const struct json *doc, const struct json_node *node, double *out,
                          struct error *err) {
    if (!cJSON_IsNumber(item_of(node))) {
        return refuse_kind(doc, node, "number", err);
    }
    *out = item_of(node)->valuedouble;
    return ERR_OK;
}

enum err_code json_as_object(const struct json *doc, const struct json_node *node,
                             const struct json_node **out, struct error *err) {
    if (!cJSON_IsObject(item_of(node))) {
        return refuse_kind(doc, node, "object", err);
    }
    *out = node;
    return ERR_OK;
}

enum err_code json_as_array(const struct json *doc, const struct json_node *node,
                            const struct json_node **out, struct error *err) {
    if (!cJSON_IsArray(item_of(node))) {
        return refuse_kind(doc, node, "array", err);
    }
    *out = node;
    return ERR_OK;
}

static enum err_code require_member(const struct json *doc, const struct json_node *object,
                                    const char *key, const char *expected,
                                    const struct json_node **out, struct error *err) {
    TRY(json_as_object(doc, object, &object, err));
    const struct json_node *member = json_find(doc, object, key);
    if (!member) {
        return json_refuse(doc, object, err, "missing key '%s', expected %s", key, expected);
    }
    *out = member;
    return ERR_OK;
}

/* json_get_<kind>: the member, then its value. */
#define DEFINE_GET(kind, type, expected)                                                  \
    enum err_code json_get_##kind(const struct json *doc, const struct json_node *object, \
                                  const char *key, type *out, struct error *err) {        \
        const struct json_node *member = NULL;                                            \
        TRY(require_member(doc, object, key, expected, &member, err));                    \
        return json_as_##kind(doc, member, out, err);                                     \
    }

DEFINE_GET(string, const char *, "string")
DEFINE_GET(bool, bool, "boolean")
DEFINE_GET(i64, int64_t, "integer")
DEFINE_GET(u64, uint64_t, "unsigned integer")
DEFINE_GET(f64, double, "number")
DEFINE_GET(object, const struct json_node *, "object")
DEFINE_GET(array, const struct json_node *, "array")

const char *json_library_version(void) {
    return cJSON_Version();
}
