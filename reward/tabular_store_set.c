/* tabular_store_set.c - see tabular_store.h: the comparisons behind a stored fit. */
#include "reward/tabular_store_internal.h"

#include "base/json.h"
#include "base/scoped.h"

#include <string.h>

/* A member that is a text or null. Borrowed from the document. */
static enum err_code read_text(const struct json *doc, const char *key, const char **out,
                               struct error *err) {
    const struct json_node *node = json_find(doc, json_root(doc), key);
    *out = NULL;
    return !node || json_kind_of(node) == JSON_KIND_NULL ? ERR_OK
                                                         : json_as_string(doc, node, out, err);
}

static enum err_code read_options(const struct json *doc, enum comparison_items items,
                                  struct comparison_set_options *out, struct error *err) {
    const char *from = NULL, *split = NULL;
    *out = (struct comparison_set_options){.items = items};
    TRY(read_text(doc, "aspect", &out->aspect, err));
    TRY(read_text(doc, "population", &out->population, err));
    TRY(read_text(doc, "topic", &out->topic, err));
    TRY(json_get_string(doc, json_root(doc), "from", &from, err));
    TRY(json_get_string(doc, json_root(doc), "split", &split, err));
    bool ratings = strcmp(from, TABULAR_STORE_RATINGS) == 0;
    out->from = ratings ? COMPARISON_FROM_RATINGS : COMPARISON_FROM_COMPARISONS;
    out->one_split = strcmp(split, TABULAR_STORE_EVERY_SPLIT) != 0;
    for (int s = 0; out->one_split && s < SPLIT_COUNT; s++) {
        out->split = (enum split)s;
        if (strcmp(split, split_name(out->split)) == 0) {
            return ERR_OK;
        }
    }
    return out->one_split ? err_set(err, ERR_DATA, "its split '%s' is none", split) : ERR_OK;
}

static bool is_same_set(const struct tabular_stored *stored, const struct comparison_set *set) {
    if (set->item_count != stored->fit.item_count) {
        return false;
    }
    for (int64_t i = 0; i < set->item_count; i++) {
        bool same = stored->origins ? strcmp(set->item_names[i], stored->origins[i]) == 0
                                    : set->item_response_ids[i] == stored->response_ids[i];
        if (!same) {
            return false;
        }
    }
    bool same = !stored->annotator_ids || set->annotator_count == stored->fit.annotator_count;
    for (int64_t a = 0; same && stored->annotator_ids && a < set->annotator_count; a++) {
        same = set->annotator_ids[a] == stored->annotator_ids[a];
    }
    return same && set->count == stored->fit.comparisons;
}

enum err_code tabular_stored_load_set(struct db *db, const struct tabular_stored *stored,
                                      struct comparison_set *out_set, struct error *err) {
    SCOPED(json) struct json *doc = NULL;
    struct comparison_set_options options;
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    const char *text = stored->config_json;
    TRY(json_parse(text, strlen(text), stored->name, NULL, &doc, err));
    TRY(read_options(doc, stored->items, &options, err));
    TRY(comparison_set_load(db, &options, &set, err));
    if (!is_same_set(stored, &set)) {
        return err_set(err, ERR_DATA, "the preferences have changed since fit '%s' was made",
                       stored->name);
    }
    *out_set = set;
    set = (struct comparison_set)COMPARISON_SET_INIT;
    return ERR_OK;
}
