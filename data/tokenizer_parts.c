/* tokenizer_parts.c - see tokenizer_json.h. What stands beside a tokenizer.json: which token has
 * which role, and further added tokens. */
#include "base/array.h"
#include "base/mem.h"
#include "base/number.h"
#include "data/tokenizer_internal.h"
#include "data/tokenizer_json.h"

#include <inttypes.h>

void tokenizer_parts_deinit(struct tokenizer_parts *parts) {
    arena_deinit(&parts->arena);
    token_table_deinit(&parts->index);
    mem_free(parts->added);
    *parts = (struct tokenizer_parts)TOKENIZER_PARTS_INIT;
}

static bool same_token(const struct added_token *a, const struct added_token *b) {
    return strcmp(a->text, b->text) == 0 && a->special == b->special && a->lstrip == b->lstrip &&
           a->rstrip == b->rstrip && a->single_word == b->single_word &&
           a->normalized == b->normalized;
}

enum err_code tokenizer_parts_add(struct tokenizer_parts *parts, const struct added_token *token,
                                  struct error *err) {
    for (int64_t i = 0; i < parts->spec.added_count; i++) {
        const struct added_token *other = &parts->added[i];
        if (other->id != token->id) {
            continue;
        }
        if (!same_token(other, token)) {
            return err_set(err, ERR_DATA,
                           "added token %" PRId32 ": '%s' here, '%s' with other text or flags "
                           "before",
                           token->id, token->text, other->text);
        }
        return ERR_OK;
    }
    TRY(array_reserve(ARRAY_REF(parts->added), &parts->added_capacity, parts->spec.added_count + 1,
                      "added tokens", err));
    parts->added[parts->spec.added_count++] = *token;
    parts->spec.added = parts->added;
    return ERR_OK;
}

/* ---- tokenizer_config.json and special_tokens_map.json ---- */

static const char *const role_keys[TOKEN_ROLE_COUNT] = {
    [TOKEN_ROLE_BOS] = "bos_token",
    [TOKEN_ROLE_EOS] = "eos_token",
    [TOKEN_ROLE_PAD] = "pad_token",
    [TOKEN_ROLE_UNK] = "unk_token",
};

static bool is_set(const struct json_node *node) {
    return node && json_kind_of(node) != JSON_KIND_NULL;
}

static enum err_code read_flag(const struct json *doc, const struct json_node *object,
                               const char *key, bool *out, struct error *err) {
    const struct json_node *node = json_find(doc, object, key);
    return is_set(node) ? json_as_bool(doc, node, out, err) : ERR_OK;
}

/* {"content": ..., "lstrip": ...}; flags that are missing stay. */
static enum err_code read_token(const struct json *doc, const struct json_node *node,
                                struct added_token *out, struct error *err) {
    TRY(json_get_string(doc, node, "content", &out->text, err));
    TRY(read_flag(doc, node, "single_word", &out->single_word, err));
    TRY(read_flag(doc, node, "lstrip", &out->lstrip, err));
    TRY(read_flag(doc, node, "rstrip", &out->rstrip, err));
    TRY(read_flag(doc, node, "normalized", &out->normalized, err));
    return read_flag(doc, node, "special", &out->special, err);
}

/* "bos_token": a text, or an object with one. */
static enum err_code read_role(const struct json *doc, const struct json_node *root,
                               enum token_role role, struct tokenizer_parts *parts,
                               struct error *err) {
    const struct json_node *node = json_find(doc, root, role_keys[role]);
    if (!is_set(node) || parts->roles[role]) {
        return ERR_OK;
    }
    struct added_token token = {.special = true};
    if (json_kind_of(node) == JSON_KIND_OBJECT) {
        TRY(read_token(doc, node, &token, err));
    } else {
        TRY(json_as_string(doc, node, &token.text, err));
    }
    parts->roles[role] = token.text;
    return ERR_OK;
}

static enum err_code read_added(const struct json *doc, const struct json_node *root,
                                struct tokenizer_parts *parts, struct error *err) {
    const struct json_node *list = json_find(doc, root, "added_tokens_decoder");
    for (const struct json_node *node = list ? json_first(list) : NULL; node;
         node = json_next(node)) {
        struct added_token token = {.id = -1};
        int64_t id = -1;
        if (!number_parse_i64(json_key(node), &id) || id < 0 || id >= TOKENIZER_IDS_MAX) {
            return json_refuse(doc, node, err, "'%s' is no id in [0, 2^21)", json_key(node));
        }
        token.id = (int32_t)id;
        TRY(read_token(doc, node, &token, err));
        TRY(tokenizer_parts_add(parts, &token, err));
    }
    return ERR_OK;
}

/* A text, or a list of {"name", "template"} of which that named "default" counts. */
static enum err_code read_template(const struct json *doc, const struct json_node *root,
                                   struct tokenizer_parts *parts, struct error *err) {
    const struct json_node *node = json_find(doc, root, "chat_template");
    if (!is_set(node) || parts->spec.chat_template) {
        return ERR_OK;
    }
    if (json_kind_of(node) != JSON_KIND_ARRAY) {
        return json_as_string(doc, node, &parts->spec.chat_template, err);
    }
    for (const struct json_node *item = json_first(node); item; item = json_next(item)) {
        const char *name = NULL;
        TRY(json_get_string(doc, item, "name", &name, err));
        if (strcmp(name, "default") == 0) {
            return json_get_string(doc, item, "template", &parts->spec.chat_template, err);
        }
    }
    return json_refuse(doc, node, err, "no template is named 'default'");
}

/* transformers sets add_prefix_space of a byte-level pre-tokeniser to what the configuration says,
 * so the two must agree. */
static enum err_code check_prefix(const struct json *doc, const struct json_node *root,
                                  const struct tokenizer_parts *parts, struct error *err) {
    const struct json_node *node = json_find(doc, root, "add_prefix_space");
    bool prefix = false;
    if (!is_set(node)) {
        return ERR_OK;
    }
    TRY(json_as_bool(doc, node, &prefix, err));
    for (int64_t i = 0; i < parts->spec.splitter_count; i++) {
        const struct token_splitter *splitter = &parts->spec.splitters[i];
        if (splitter->kind == TOKEN_SPLITTER_BYTE_LEVEL && splitter->prefix_space != prefix) {
            return json_refuse(doc, node, err, "contradicts the pre_tokenizer");
        }
    }
    return ERR_OK;
}

enum err_code tokenizer_config_read(const struct json *doc, struct tokenizer_parts *parts,
                                    struct error *err) {
    const struct json_node *root = NULL;
    TRY(json_as_object(doc, json_root(doc), &root, err));
    for (enum token_role role = 0; role < TOKEN_ROLE_COUNT; role++) {
        TRY(read_role(doc, root, role, parts, err));
    }
    parts->config_says_bos =
        parts->config_says_bos || is_set(json_find(doc, root, "add_bos_token"));
    parts->config_says_eos =
        parts->config_says_eos || is_set(json_find(doc, root, "add_eos_token"));
    TRY(read_flag(doc, root, "add_bos_token", &parts->spec.adds_bos, err));
    TRY(read_flag(doc, root, "add_eos_token", &parts->spec.adds_eos, err));
    TRY(check_prefix(doc, root, parts, err));
    TRY(read_added(doc, root, parts, err));
    return read_template(doc, root, parts, err);
}

/* ---- roles ---- */

static int32_t id_of(const struct tokenizer_parts *parts, const char *text) {
    for (int64_t i = 0; i < parts->spec.added_count; i++) {
        if (strcmp(parts->added[i].text, text) == 0) {
            return parts->added[i].id;
        }
    }
    return token_table_find(&parts->index, text, strlen(text));
}

/* A token of the vocabulary that has a role is cut out like any special token. */
static enum err_code add_role(struct tokenizer_parts *parts, const char *text, int32_t id,
                              struct error *err) {
    for (int64_t i = 0; i < parts->spec.added_count; i++) {
        if (parts->added[i].id == id) {
            return ERR_OK;
        }
    }
    const struct added_token token = {.text = text, .id = id, .special = true};
    return tokenizer_parts_add(parts, &token, err);
}

/* What a post-processor adds must be the token that the files name for that role. */
static enum err_code check_template(struct tokenizer_parts *parts, enum token_role role,
                                    const char *added, struct error *err) {
    if (added && !parts->roles[role]) {
        parts->roles[role] = added;
    }
    if (added && strcmp(added, parts->roles[role]) != 0) {
        return err_set(err, ERR_DATA, "post_processor adds '%s', but %s is '%s'", added,
                       role_keys[role], parts->roles[role]);
    }
    return ERR_OK;
}

enum err_code tokenizer_parts_finish(struct tokenizer_parts *parts, struct error *err) {
    struct tokenizer_spec *spec = &parts->spec;
    if (!parts->config_says_bos) {
        spec->adds_bos = parts->template_bos != NULL;
        TRY(check_template(parts, TOKEN_ROLE_BOS, parts->template_bos, err));
    }
    if (!parts->config_says_eos) {
        spec->adds_eos = parts->template_eos != NULL;
        TRY(check_template(parts, TOKEN_ROLE_EOS, parts->template_eos, err));
    }
    int32_t *const ids[TOKEN_ROLE_COUNT] = {&spec->bos, &spec->eos, &spec->pad, &spec->unk};
    for (enum token_role role = 0; role < TOKEN_ROLE_COUNT; role++) {
        const char *text = parts->roles[role];
        if (!text) {
            continue;
        }
        *ids[role] = id_of(parts, text);
        if (*ids[role] < 0) {
            return err_set(err, ERR_DATA, "%s '%s' is no token of the vocabulary", role_keys[role],
                           text);
        }
        TRY(add_role(parts, text, *ids[role], err));
    }
    return ERR_OK;
}
