/* tokenizer_json.c - see tokenizer_json.h. The rules of a tokenizer.json. */
#include "data/tokenizer_json.h"

#include "base/utf8.h"
#include "data/tokenizer_internal.h"

#include <inttypes.h>

/* ---- small things ---- */

/* Refuses keys that are not among `known`, a NULL-terminated list: their meaning would be lost. */
static enum err_code check_keys(const struct json *doc, const struct json_node *object,
                                const char *const *known, struct error *err) {
    for (const struct json_node *m = json_first(object); m; m = json_next(m)) {
        int64_t i = 0;
        while (known[i] && strcmp(known[i], json_key(m)) != 0) {
            i++;
        }
        if (!known[i]) {
            return json_refuse(doc, m, err, "this key is not known");
        }
    }
    return ERR_OK;
}

static bool is_set(const struct json_node *node) {
    return node && json_kind_of(node) != JSON_KIND_NULL;
}

/* A bool that may be missing. */
static enum err_code get_bool_or(const struct json *doc, const struct json_node *object,
                                 const char *key, bool otherwise, bool *out, struct error *err) {
    const struct json_node *node = json_find(doc, object, key);
    if (!node) {
        *out = otherwise;
        return ERR_OK;
    }
    return json_as_bool(doc, node, out, err);
}

/* One of a list of words; its index. */
static enum err_code get_choice(const struct json *doc, const struct json_node *node,
                                const char *const *words, int64_t count, int64_t *out,
                                struct error *err) {
    const char *text = NULL;
    TRY(json_as_string(doc, node, &text, err));
    for (int64_t i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i;
            return ERR_OK;
        }
    }
    return json_refuse(doc, node, err, "'%s' is not supported", text);
}

/* A string of exactly one character. */
static enum err_code get_character(const struct json *doc, const struct json_node *object,
                                   const char *key, const char **out, struct error *err) {
    TRY(json_get_string(doc, object, key, out, err));
    uint32_t code_point = 0;
    size_t bytes = utf8_decode(*out, strlen(*out), &code_point);
    if (bytes == 0 || (*out)[bytes]) {
        return json_refuse(doc, json_find(doc, object, key), err,
                           "expected one character, found '%s'", *out);
    }
    return ERR_OK;
}

/* {"String": ...} or {"Regex": ...}. */
static enum err_code get_pattern(const struct json *doc, const struct json_node *object,
                                 const char **out, bool *out_is_regex, struct error *err) {
    static const char *const keys[] = {"String", "Regex", NULL};
    const struct json_node *pattern = NULL;
    TRY(json_get_object(doc, object, "pattern", &pattern, err));
    TRY(check_keys(doc, pattern, keys, err));
    *out_is_regex = json_find(doc, pattern, "Regex") != NULL;
    return json_get_string(doc, pattern, *out_is_regex ? "Regex" : "String", out, err);
}

static enum err_code check_step_count(const struct json *doc, const struct json_node *node,
                                      int64_t count, struct error *err) {
    return count < TOKENIZER_STEPS_MAX
               ? ERR_OK
               : json_refuse(doc, node, err, "more than %d steps", TOKENIZER_STEPS_MAX);
}

typedef enum err_code (*read_step)(const struct json *doc, const struct json_node *node,
                                   const char *type, struct tokenizer_parts *parts,
                                   struct error *err);

/* A step, or a Sequence of steps under `list_key`; null is none. */
static enum err_code read_steps(const struct json *doc, const struct json_node *node,
                                const char *list_key, read_step read, struct tokenizer_parts *parts,
                                struct error *err) {
    if (!is_set(node)) {
        return ERR_OK;
    }
    const char *type = NULL;
    TRY(json_get_string(doc, node, "type", &type, err));
    if (strcmp(type, "Sequence") != 0) {
        return read(doc, node, type, parts, err);
    }
    const char *const keys[] = {"type", list_key, NULL};
    TRY(check_keys(doc, node, keys, err));
    const struct json_node *list = NULL;
    TRY(json_get_array(doc, node, list_key, &list, err));
    for (const struct json_node *step = json_first(list); step; step = json_next(step)) {
        TRY(json_get_string(doc, step, "type", &type, err));
        TRY(read(doc, step, type, parts, err));
    }
    return ERR_OK;
}

/* ---- normalisers ---- */

static enum err_code read_normalizer(const struct json *doc, const struct json_node *node,
                                     const char *type, struct tokenizer_parts *parts,
                                     struct error *err) {
    static const char *const keys[] = {"type", "prepend", "pattern", "content", NULL};
    TRY(check_step_count(doc, node, parts->spec.normalizer_count, err));
    TRY(check_keys(doc, node, keys, err));
    struct token_normalizer *step = &parts->spec.normalizers[parts->spec.normalizer_count++];
    if (strcmp(type, "NFC") == 0) {
        step->kind = TOKEN_NORMALIZER_NFC;
        return ERR_OK;
    }
    if (strcmp(type, "Prepend") == 0) {
        step->kind = TOKEN_NORMALIZER_PREPEND;
        return json_get_string(doc, node, "prepend", &step->text, err);
    }
    if (strcmp(type, "Replace") == 0) {
        bool is_regex = false;
        step->kind = TOKEN_NORMALIZER_REPLACE;
        TRY(get_pattern(doc, node, &step->pattern, &is_regex, err));
        if (is_regex) {
            return json_refuse(doc, node, err, "replacing a regular expression is not supported");
        }
        return json_get_string(doc, node, "content", &step->text, err);
    }
    return json_refuse(doc, node, err, "normalizer '%s' is not supported", type);
}

/* ---- pre-tokenisers ---- */

static const char *const behaviors[] = {
    [TOKEN_SPLIT_REMOVED] = "Removed",
    [TOKEN_SPLIT_ISOLATED] = "Isolated",
    [TOKEN_SPLIT_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
    [TOKEN_SPLIT_MERGED_WITH_NEXT] = "MergedWithNext",
    [TOKEN_SPLIT_CONTIGUOUS] = "Contiguous",
};

static const char *const prepend_schemes[] = {
    [TOKEN_PREPEND_ALWAYS] = "always",
    [TOKEN_PREPEND_NEVER] = "never",
    [TOKEN_PREPEND_FIRST] = "first",
};

static enum err_code get_behavior(const struct json *doc, const struct json_node *node,
                                  enum token_split_behavior *out, struct error *err) {
    int64_t choice = 0;
    TRY(get_choice(doc, node, behaviors, sizeof behaviors / sizeof *behaviors, &choice, err));
    *out = (enum token_split_behavior)choice;
    return ERR_OK;
}

/* prepend_scheme, or what stood for it before: add_prefix_space. */
static enum err_code get_prepend(const struct json *doc, const struct json_node *node,
                                 enum token_prepend *out, struct error *err) {
    const struct json_node *scheme = json_find(doc, node, "prepend_scheme");
    if (scheme) {
        int64_t choice = 0;
        TRY(get_choice(doc, scheme, prepend_schemes,
                       sizeof prepend_schemes / sizeof *prepend_schemes, &choice, err));
        *out = (enum token_prepend)choice;
        return ERR_OK;
    }
    bool prefix = false;
    TRY(get_bool_or(doc, node, "add_prefix_space", true, &prefix, err));
    *out = prefix ? TOKEN_PREPEND_ALWAYS : TOKEN_PREPEND_NEVER;
    return ERR_OK;
}

static const char *const metaspace_keys[] = {
    "type", "replacement", "prepend_scheme", "split", "str_rep", "add_prefix_space", NULL};
static const char *const byte_level_keys[] = {"type", "add_prefix_space", "trim_offsets",
                                              "use_regex", NULL};
static const char *const type_keys[] = {"type", NULL};

static enum err_code read_split(const struct json *doc, const struct json_node *node,
                                struct token_splitter *step, struct error *err) {
    static const char *const keys[] = {"type", "pattern", "behavior", "invert", NULL};
    bool is_regex = false;
    TRY(check_keys(doc, node, keys, err));
    TRY(get_pattern(doc, node, &step->pattern, &is_regex, err));
    step->kind = is_regex ? TOKEN_SPLITTER_REGEX : TOKEN_SPLITTER_TEXT;
    const char *text = NULL;
    TRY(json_get_string(doc, node, "behavior", &text, err));
    TRY(get_behavior(doc, json_find(doc, node, "behavior"), &step->behavior, err));
    return json_get_bool(doc, node, "invert", &step->invert, err);
}

static enum err_code read_metaspace(const struct json *doc, const struct json_node *node,
                                    struct token_splitter *step, struct error *err) {
    step->kind = TOKEN_SPLITTER_METASPACE;
    TRY(check_keys(doc, node, metaspace_keys, err));
    TRY(get_character(doc, node, "replacement", &step->pattern, err));
    TRY(get_prepend(doc, node, &step->prepend, err));
    return get_bool_or(doc, node, "split", true, &step->split, err);
}

static enum err_code read_byte_level(const struct json *doc, const struct json_node *node,
                                     struct token_splitter *step, struct error *err) {
    step->kind = TOKEN_SPLITTER_BYTE_LEVEL;
    TRY(check_keys(doc, node, byte_level_keys, err));
    TRY(json_get_bool(doc, node, "add_prefix_space", &step->prefix_space, err));
    return get_bool_or(doc, node, "use_regex", true, &step->gpt2_pattern, err);
}

static enum err_code read_digits(const struct json *doc, const struct json_node *node,
                                 struct token_splitter *step, struct error *err) {
    static const char *const keys[] = {"type", "individual_digits", NULL};
    step->kind = TOKEN_SPLITTER_DIGITS;
    TRY(check_keys(doc, node, keys, err));
    return json_get_bool(doc, node, "individual_digits", &step->individual, err);
}

static enum err_code read_punctuation(const struct json *doc, const struct json_node *node,
                                      struct token_splitter *step, struct error *err) {
    static const char *const keys[] = {"type", "behavior", NULL};
    step->kind = TOKEN_SPLITTER_PUNCTUATION;
    step->behavior = TOKEN_SPLIT_ISOLATED;
    TRY(check_keys(doc, node, keys, err));
    const struct json_node *behavior = json_find(doc, node, "behavior");
    return behavior ? get_behavior(doc, behavior, &step->behavior, err) : ERR_OK;
}

static enum err_code read_splitter(const struct json *doc, const struct json_node *node,
                                   const char *type, struct tokenizer_parts *parts,
                                   struct error *err) {
    TRY(check_step_count(doc, node, parts->spec.splitter_count, err));
    struct token_splitter *step = &parts->spec.splitters[parts->spec.splitter_count++];
    if (strcmp(type, "ByteLevel") == 0) {
        return read_byte_level(doc, node, step, err);
    }
    if (strcmp(type, "Split") == 0) {
        return read_split(doc, node, step, err);
    }
    if (strcmp(type, "Digits") == 0) {
        return read_digits(doc, node, step, err);
    }
    if (strcmp(type, "Metaspace") == 0) {
        return read_metaspace(doc, node, step, err);
    }
    if (strcmp(type, "Punctuation") == 0) {
        return read_punctuation(doc, node, step, err);
    }
    if (strcmp(type, "Whitespace") == 0 || strcmp(type, "WhitespaceSplit") == 0) {
        step->kind = type[sizeof "Whitespace" - 1] ? TOKEN_SPLITTER_WHITESPACE_ONLY
                                                   : TOKEN_SPLITTER_WHITESPACE;
        return check_keys(doc, node, type_keys, err);
    }
    return json_refuse(doc, node, err, "pre-tokenizer '%s' is not supported", type);
}

/* ---- decoders ---- */

static enum err_code read_strip(const struct json *doc, const struct json_node *node,
                                struct token_decoder *step, struct error *err) {
    static const char *const keys[] = {"type", "content", "start", "stop", NULL};
    step->kind = TOKEN_DECODER_STRIP;
    TRY(check_keys(doc, node, keys, err));
    TRY(get_character(doc, node, "content", &step->pattern, err));
    TRY(json_get_i64(doc, node, "start", &step->start, err));
    return json_get_i64(doc, node, "stop", &step->stop, err);
}

static enum err_code read_replace(const struct json *doc, const struct json_node *node,
                                  struct token_decoder *step, struct error *err) {
    static const char *const keys[] = {"type", "pattern", "content", NULL};
    bool is_regex = false;
    step->kind = TOKEN_DECODER_REPLACE;
    TRY(check_keys(doc, node, keys, err));
    TRY(get_pattern(doc, node, &step->pattern, &is_regex, err));
    if (is_regex) {
        return json_refuse(doc, node, err, "replacing a regular expression is not supported");
    }
    return json_get_string(doc, node, "content", &step->text, err);
}

static enum err_code read_decoder(const struct json *doc, const struct json_node *node,
                                  const char *type, struct tokenizer_parts *parts,
                                  struct error *err) {
    TRY(check_step_count(doc, node, parts->spec.decoder_count, err));
    struct token_decoder *step = &parts->spec.decoders[parts->spec.decoder_count++];
    if (strcmp(type, "ByteLevel") == 0) {
        step->kind = TOKEN_DECODER_BYTE_LEVEL;
        return check_keys(doc, node, byte_level_keys, err);
    }
    if (strcmp(type, "Metaspace") == 0) {
        step->kind = TOKEN_DECODER_METASPACE;
        TRY(check_keys(doc, node, metaspace_keys, err));
        TRY(get_character(doc, node, "replacement", &step->pattern, err));
        return get_prepend(doc, node, &step->prepend, err);
    }
    if (strcmp(type, "Replace") == 0) {
        return read_replace(doc, node, step, err);
    }
    if (strcmp(type, "Strip") == 0) {
        return read_strip(doc, node, step, err);
    }
    if (strcmp(type, "ByteFallback") == 0 || strcmp(type, "Fuse") == 0) {
        step->kind = type[0] == 'B' ? TOKEN_DECODER_BYTE_FALLBACK : TOKEN_DECODER_FUSE;
        return check_keys(doc, node, type_keys, err);
    }
    return json_refuse(doc, node, err, "decoder '%s' is not supported", type);
}

/* ---- post-processors: only whether they add a token before or behind a text ---- */

static enum err_code read_template(const struct json *doc, const struct json_node *node,
                                   struct tokenizer_parts *parts, struct error *err) {
    static const char *const keys[] = {"type", "single", "pair", "special_tokens", NULL};
    static const char *const part_keys[] = {"SpecialToken", "Sequence", NULL};
    TRY(check_keys(doc, node, keys, err));
    const struct json_node *single = NULL;
    TRY(json_get_array(doc, node, "single", &single, err));
    bool has_text = false;
    for (const struct json_node *part = json_first(single); part; part = json_next(part)) {
        const struct json_node *token = NULL;
        TRY(check_keys(doc, part, part_keys, err));
        if (json_find(doc, part, "Sequence")) {
            has_text = true;
            continue;
        }
        TRY(json_get_object(doc, part, "SpecialToken", &token, err));
        const char **place = has_text ? &parts->template_eos : &parts->template_bos;
        if (*place) {
            return json_refuse(doc, part, err, "more than one token on a side of the text");
        }
        TRY(json_get_string(doc, token, "id", place, err));
    }
    return ERR_OK;
}

static enum err_code read_processor(const struct json *doc, const struct json_node *node,
                                    const char *type, struct tokenizer_parts *parts,
                                    struct error *err) {
    if (strcmp(type, "ByteLevel") == 0) {
        return check_keys(doc, node, byte_level_keys, err);
    }
    if (strcmp(type, "TemplateProcessing") == 0) {
        return read_template(doc, node, parts, err);
    }
    return json_refuse(doc, node, err, "post-processor '%s' is not supported", type);
}

/* ---- the model ---- */

enum err_code tokenizer_json_read_vocab(const struct json *doc, const struct json_node *vocab,
                                        struct tokenizer_parts *parts, struct error *err) {
    int64_t count = 0;
    size_t bytes = 0;
    for (const struct json_node *m = json_first(vocab); m; m = json_next(m)) {
        int64_t id = 0;
        TRY(json_as_i64(doc, m, &id, err));
        if (id < 0 || id >= TOKENIZER_IDS_MAX) {
            return json_refuse(doc, m, err, "id %" PRId64 " is outside [0, 2^21)", id);
        }
        count = id >= count ? id + 1 : count;
        bytes += strlen(json_key(m));
    }
    const char **tokens = arena_array(&parts->arena, (size_t)count, sizeof *tokens);
    if (!tokens) {
        return err_oom(err, "vocabulary");
    }
    for (int64_t id = 0; id < count; id++) {
        tokens[id] = NULL;
    }
    TRY(token_table_init(&parts->index, count, bytes, err));
    for (const struct json_node *m = json_first(vocab); m; m = json_next(m)) {
        int64_t id = 0;
        TRY(json_as_i64(doc, m, &id, err));
        if (tokens[id]) {
            return json_refuse(doc, m, err, "id %" PRId64 " is that of '%s' too", id, tokens[id]);
        }
        tokens[id] = json_key(m);
        token_table_set(&parts->index, (int32_t)id, json_key(m), strlen(json_key(m)));
    }
    parts->spec.tokens = tokens;
    parts->spec.token_count = count;
    int32_t twice = -1;
    return token_table_index(&parts->index, &twice, err); /* keys of an object differ */
}

enum err_code tokenizer_parts_merge(const struct tokenizer_parts *parts, struct text_span left,
                                    struct text_span right, struct token_merge *out,
                                    struct error *err) {
    out->left = token_table_find(&parts->index, left.bytes, left.count);
    out->right = token_table_find(&parts->index, right.bytes, right.count);
    if (out->left < 0 || out->right < 0) {
        const struct text_span *missing = out->left < 0 ? &left : &right;
        char excerpt[UTF8_EXCERPT_BYTES];
        return err_set(err, ERR_DATA, "merges '%s', which is no token of the vocabulary",
                       utf8_excerpt(missing->bytes, missing->count, excerpt));
    }
    return ERR_OK;
}

/* "left right", or ["left", "right"]. */
static enum err_code read_merge(const struct json *doc, const struct json_node *node,
                                const struct tokenizer_parts *parts, struct token_merge *out,
                                struct error *err) {
    struct text_span left = TEXT_SPAN_NONE;
    struct text_span right = TEXT_SPAN_NONE;
    if (json_kind_of(node) == JSON_KIND_ARRAY && json_count(doc, node) == 2) {
        const char *texts[2] = {NULL, NULL};
        TRY(json_as_string(doc, json_at(doc, node, 0), &texts[0], err));
        TRY(json_as_string(doc, json_at(doc, node, 1), &texts[1], err));
        left = text_span_of(texts[0]);
        right = text_span_of(texts[1]);
    } else {
        const char *text = NULL;
        TRY(json_as_string(doc, node, &text, err));
        const char *blank = strchr(text, ' ');
        if (!blank || strchr(blank + 1, ' ')) {
            return json_refuse(doc, node, err, "expected two tokens with a blank between");
        }
        left = (struct text_span){.bytes = text, .count = (size_t)(blank - text)};
        right = text_span_of(blank + 1);
    }
    struct error reason = ERROR_INIT;
    if (tokenizer_parts_merge(parts, left, right, out, &reason)) {
        return json_refuse(doc, node, err, "%s", reason.msg);
    }
    return ERR_OK;
}

static enum err_code read_merges(const struct json *doc, const struct json_node *list,
                                 struct tokenizer_parts *parts, struct error *err) {
    int64_t count = json_count(doc, list);
    struct token_merge *merges = arena_array(&parts->arena, (size_t)count, sizeof *merges);
    if (!merges) {
        return err_oom(err, "merges");
    }
    int64_t rank = 0;
    for (const struct json_node *node = json_first(list); node; node = json_next(node)) {
        TRY(read_merge(doc, node, parts, &merges[rank++], err));
    }
    parts->spec.merges = merges;
    parts->spec.merge_count = count;
    return ERR_OK;
}

/* Settings that must be off: what they do is not done here. */
static enum err_code check_off(const struct json *doc, const struct json_node *model,
                               struct error *err) {
    static const char *const keys[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct json_node *node = json_find(doc, model, keys[i]);
        const char *text = "";
        if (is_set(node)) {
            TRY(json_as_string(doc, node, &text, err));
        }
        if (text[0]) {
            return json_refuse(doc, node, err, "'%s' is not supported", text);
        }
    }
    const struct json_node *dropout = json_find(doc, model, "dropout");
    double rate = 0.0;
    if (is_set(dropout)) {
        TRY(json_as_f64(doc, dropout, &rate, err));
    }
    return rate > 0.0 ? json_refuse(doc, dropout, err, "dropout is not supported") : ERR_OK;
}

static enum err_code read_model(const struct json *doc, const struct json_node *model,
                                struct tokenizer_parts *parts, struct error *err) {
    static const char *const keys[] = {"type",
                                       "dropout",
                                       "unk_token",
                                       "continuing_subword_prefix",
                                       "end_of_word_suffix",
                                       "fuse_unk",
                                       "byte_fallback",
                                       "ignore_merges",
                                       "vocab",
                                       "merges",
                                       NULL};
    const char *type = "BPE"; /* what had no type was one */
    const struct json_node *node = json_find(doc, model, "type");
    if (node) {
        TRY(json_as_string(doc, node, &type, err));
    }
    if (strcmp(type, "BPE") != 0) {
        return json_refuse(doc, node, err, "model '%s' is not supported, only 'BPE'", type);
    }
    TRY(check_keys(doc, model, keys, err));
    TRY(check_off(doc, model, err));
    struct tokenizer_spec *spec = &parts->spec;
    TRY(get_bool_or(doc, model, "fuse_unk", false, &spec->fuse_unk, err));
    TRY(get_bool_or(doc, model, "byte_fallback", false, &spec->byte_fallback, err));
    TRY(get_bool_or(doc, model, "ignore_merges", false, &spec->ignore_merges, err));
    const struct json_node *vocab = NULL;
    const struct json_node *merges = NULL;
    TRY(json_get_object(doc, model, "vocab", &vocab, err));
    TRY(json_get_array(doc, model, "merges", &merges, err));
    TRY(tokenizer_json_read_vocab(doc, vocab, parts, err));
    TRY(read_merges(doc, merges, parts, err));
    node = json_find(doc, model, "unk_token");
    if (is_set(node)) {
        const char *unk = NULL;
        TRY(json_as_string(doc, node, &unk, err));
        spec->model_unk = token_table_find(&parts->index, unk, strlen(unk));
        if (spec->model_unk < 0) {
            return json_refuse(doc, node, err, "'%s' is no token of the vocabulary", unk);
        }
    }
    return ERR_OK;
}

/* ---- the whole ---- */

static enum err_code read_added(const struct json *doc, const struct json_node *list,
                                struct tokenizer_parts *parts, struct error *err) {
    static const char *const keys[] = {"id",     "content",    "single_word", "lstrip",
                                       "rstrip", "normalized", "special",     NULL};
    for (const struct json_node *node = json_first(list); node; node = json_next(node)) {
        struct added_token token = {.id = -1};
        int64_t id = 0;
        TRY(check_keys(doc, node, keys, err));
        TRY(json_get_i64(doc, node, "id", &id, err));
        TRY(json_get_string(doc, node, "content", &token.text, err));
        TRY(json_get_bool(doc, node, "single_word", &token.single_word, err));
        TRY(json_get_bool(doc, node, "lstrip", &token.lstrip, err));
        TRY(json_get_bool(doc, node, "rstrip", &token.rstrip, err));
        TRY(json_get_bool(doc, node, "normalized", &token.normalized, err));
        TRY(json_get_bool(doc, node, "special", &token.special, err));
        if (id < 0 || id >= TOKENIZER_IDS_MAX) {
            return json_refuse(doc, node, err, "id %" PRId64 " is outside [0, 2^21)", id);
        }
        token.id = (int32_t)id;
        TRY(tokenizer_parts_add(parts, &token, err));
    }
    return ERR_OK;
}

static enum err_code check_version(const struct json *doc, struct error *err) {
    const char *version = NULL;
    TRY(json_get_string(doc, json_root(doc), "version", &version, err));
    if (strcmp(version, "1.0") != 0) {
        return json_refuse(doc, json_find(doc, json_root(doc), "version"), err,
                           "version '%s' is not supported, only '1.0'", version);
    }
    return ERR_OK;
}

enum err_code tokenizer_json_read(const struct json *doc, struct tokenizer_parts *parts,
                                  struct error *err) {
    static const char *const keys[] = {
        "version",       "truncation", "padding", "added_tokens",   "normalizer",
        "pre_tokenizer", "decoder",    "model",   "post_processor", NULL};
    const struct json_node *root = NULL;
    TRY(json_as_object(doc, json_root(doc), &root, err));
    TRY(check_keys(doc, root, keys, err));
    TRY(check_version(doc, err));
    const struct json_node *model = NULL;
    const struct json_node *added = NULL;
    TRY(json_get_object(doc, root, "model", &model, err));
    TRY(json_get_array(doc, root, "added_tokens", &added, err));
    TRY(read_model(doc, model, parts, err));
    TRY(read_added(doc, added, parts, err));
    TRY(read_steps(doc, json_find(doc, root, "normalizer"), "normalizers", read_normalizer, parts,
                   err));
    TRY(read_steps(doc, json_find(doc, root, "pre_tokenizer"), "pretokenizers", read_splitter,
                   parts, err));
    TRY(read_steps(doc, json_find(doc, root, "decoder"), "decoders", read_decoder, parts, err));
    return read_steps(doc, json_find(doc, root, "post_processor"), "processors", read_processor,
                      parts, err);
}
