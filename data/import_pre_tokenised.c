/* import_pre_tokenised.c - preference data as token ids, which is recognised to be refused.
 *
 * Names:    of TRL 1.16 (chosen_ids), before it (chosen_input_ids), and of the first versions
 *           (input_ids_chosen; input_ids_j and input_ids_k).
 * Why:      ids without their tokenizer are not text again, and preferences between texts of two
 *           tokenizers could not be compared.
 * Threads:  no state.
 */
#include "data/import_columns.h"
#include "data/import_format.h"

#include <stdio.h>

static const char *const id_keys[] = {
    "chosen_ids",       "rejected_ids",       "chosen_input_ids", "rejected_input_ids",
    "input_ids_chosen", "input_ids_rejected", "input_ids_j",      "input_ids_k",
    "completion_ids",   "input_ids",
};

static const struct json_node *find_ids(const struct import_json_row *row, const char **out_key) {
    for (size_t i = 0; i < sizeof id_keys / sizeof id_keys[0]; i++) {
        const struct json_node *node = json_find(row->doc, row->node, id_keys[i]);
        if (node && json_kind_of(node) == JSON_KIND_ARRAY) {
            *out_key = id_keys[i];
            return node;
        }
    }
    return NULL;
}

/* Rows that have the text as well are read by what names the text. */
static bool has_text(const struct import_json_row *row) {
    static const char *const keys[] = {"chosen", "rejected", "completion", "messages", "text"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (import_json_find(row, keys[i], keys[i])) {
            return true;
        }
    }
    return false;
}

static bool recognise(const struct import_json_row *row, char out_why[IMPORT_WHY_BYTES]) {
    const char *key = NULL;
    if (has_text(row) || !find_ids(row, &key)) {
        return false;
    }
    (void)snprintf(out_why, IMPORT_WHY_BYTES, "the key '%s' holds token ids", key);
    return true;
}

static enum err_code read_row(void *state, const struct import_json_row *row,
                              struct import_batch *batch, struct error *err) {
    (void)state;
    (void)batch;
    const char *key = NULL;
    const struct json_node *ids = find_ids(row, &key);
    return json_refuse(row->doc, ids ? ids : row->node, err,
                       "token ids cannot be read back without their tokenizer: give the text, as "
                       "'prompt', 'chosen' and 'rejected'");
}

const struct import_format import_pre_tokenised = {
    .name = "pre-tokenised",
    .title = "token ids: recognised and refused",
    .container = IMPORT_JSON,
    .recognise_json = recognise,
    .read_json = read_row,
};
