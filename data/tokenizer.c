/* tokenizer.c - see tokenizer.h. Making a tokenizer from its parts, and encoding. */
#include "data/tokenizer.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/token_normalize.h"
#include "data/tokenizer_internal.h"

#include <inttypes.h>

#define TEXTS_BYTES_MAX ((size_t)1 << 31)

/* ---- making ---- */

static enum err_code copy_text(struct arena *arena, const char **text, struct error *err) {
    if (!*text) {
        return ERR_OK;
    }
    const char *copy = arena_strndup(arena, *text, strlen(*text));
    if (!copy) {
        return err_oom(err, "tokenizer");
    }
    *text = copy;
    return ERR_OK;
}

static enum err_code copy_array(struct arena *arena, const void *items, int64_t count,
                                size_t item_bytes, void **out, struct error *err) {
    *out = arena_array(arena, (size_t)count, item_bytes);
    if (!*out) {
        return err_oom(err, "tokenizer");
    }
    if (count > 0) {
        memcpy(*out, items, (size_t)count * item_bytes);
    }
    return ERR_OK;
}

/* A copy of all but the tokens. */
static enum err_code copy_spec(struct tokenizer *tok, const struct tokenizer_spec *from,
                               struct error *err) {
    struct tokenizer_spec *to = &tok->spec;
    *to = *from;
    to->tokens = NULL;
    void *copy = NULL;
    TRY(copy_array(&tok->texts, from->merges, from->merge_count, sizeof *from->merges, &copy, err));
    to->merges = copy;
    TRY(copy_array(&tok->texts, from->added, from->added_count, sizeof *from->added, &copy, err));
    struct added_token *added = copy;
    to->added = added;
    for (int64_t i = 0; i < to->added_count; i++) {
        TRY(copy_text(&tok->texts, &added[i].text, err));
    }
    for (int64_t i = 0; i < to->normalizer_count; i++) {
        TRY(copy_text(&tok->texts, &to->normalizers[i].pattern, err));
        TRY(copy_text(&tok->texts, &to->normalizers[i].text, err));
    }
    for (int64_t i = 0; i < to->splitter_count; i++) {
        TRY(copy_text(&tok->texts, &to->splitters[i].pattern, err));
    }
    for (int64_t i = 0; i < to->decoder_count; i++) {
        TRY(copy_text(&tok->texts, &to->decoders[i].pattern, err));
        TRY(copy_text(&tok->texts, &to->decoders[i].text, err));
    }
    return copy_text(&tok->texts, &to->chat_template, err);
}

static enum err_code check_added(const struct tokenizer_spec *spec, struct error *err) {
    for (int64_t i = 0; i < spec->added_count; i++) {
        const struct added_token *token = &spec->added[i];
        if (token->id < 0 || token->id >= TOKENIZER_IDS_MAX) {
            return err_set(err, ERR_DATA, "added token '%s': id %" PRId32 " is outside [0, 2^21)",
                           token->text, token->id);
        }
        if (!token->text[0]) {
            return err_set(err, ERR_DATA, "added token %" PRId32 " is empty", token->id);
        }
        const char *own = token->id < spec->token_count ? spec->tokens[token->id] : NULL;
        if (own && strcmp(own, token->text) != 0) {
            return err_set(err, ERR_DATA,
                           "added token '%s': its id %" PRId32 " is '%s' in the vocabulary",
                           token->text, token->id, own);
        }
    }
    return ERR_OK;
}

/* Tokens by id as they are spelt, and what is special. */
static enum err_code spell(struct tokenizer *tok, const struct tokenizer_spec *spec,
                           struct error *err) {
    if (spec->token_count > TOKENIZER_IDS_MAX) {
        return err_set(err, ERR_LIMIT, "vocabulary: %" PRId64 " tokens, limit 2^21",
                       spec->token_count);
    }
    TRY(check_added(spec, err));
    int64_t count = spec->token_count;
    size_t bytes = 0;
    for (int64_t id = 0; id < spec->token_count; id++) {
        bytes += spec->tokens[id] ? strlen(spec->tokens[id]) : 0;
    }
    for (int64_t i = 0; i < spec->added_count; i++) {
        count = spec->added[i].id >= count ? spec->added[i].id + 1 : count;
        bytes += strlen(spec->added[i].text);
    }
    TRY(token_table_init(&tok->spelled, count, bytes, err));
    tok->flags = mem_array_zero((size_t)count, sizeof *tok->flags);
    if (!tok->flags) {
        return err_oom(err, "vocabulary");
    }
    for (int32_t id = 0; id < spec->token_count; id++) {
        if (spec->tokens[id]) {
            token_table_set(&tok->spelled, id, spec->tokens[id], strlen(spec->tokens[id]));
            tok->flags[id] |= TOKEN_IN_MODEL;
        }
    }
    for (int64_t i = 0; i < spec->added_count; i++) {
        const struct added_token *token = &spec->added[i];
        tok->flags[token->id] |= token->special ? TOKEN_IS_SPECIAL : 0;
        struct text_span known = token_table_text(&tok->spelled, token->id);
        struct text_span text = text_span_of(token->text);
        if (text_span_is_set(&known) && !text_span_equal(&known, &text)) {
            return err_set(err, ERR_DATA, "added tokens: id %" PRId32 " stands there twice",
                           token->id);
        }
        if (!text_span_is_set(&known)) {
            token_table_set(&tok->spelled, token->id, text.bytes, text.count);
        }
    }
    int32_t twice = -1;
    TRY(token_table_index(&tok->spelled, &twice, err));
    if (twice >= 0) {
        struct text_span text = token_table_text(&tok->spelled, twice);
        return err_set(err, ERR_DATA, "vocabulary: token %" PRId32 ", '%.*s', has another id too",
                       twice, (int)(text.count < 64 ? text.count : 64), text.bytes);
    }
    return ERR_OK;
}

static enum err_code check_ids(const struct tokenizer *tok, struct error *err) {
    const struct tokenizer_spec *spec = &tok->spec;
    const struct {
        const char *name;
        int32_t id;
    } ids[] = {{"bos", spec->bos},
               {"eos", spec->eos},
               {"pad", spec->pad},
               {"unk", spec->unk},
               {"unknown", spec->model_unk}};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct text_span text = token_table_text(&tok->spelled, ids[i].id);
        if (ids[i].id != -1 && !text_span_is_set(&text)) {
            return err_set(err, ERR_DATA, "%s token: id %" PRId32 " is no token of the vocabulary",
                           ids[i].name, ids[i].id);
        }
    }
    return ERR_OK;
}

/* What each added token is looked for as: itself, or normalised. Copies go to the arena. */
static enum err_code added_texts(struct tokenizer *tok, struct text_span *out, struct error *err) {
    const struct tokenizer_spec *spec = &tok->spec;
    SCOPED(token_words) struct token_words room = TOKEN_WORDS_INIT; /* only its edits */
    for (int64_t i = 0; i < spec->added_count; i++) {
        out[i] = text_span_of(spec->added[i].text);
        if (!spec->added[i].normalized) {
            continue;
        }
        struct token_text text = token_text_of(out[i].bytes, (uint32_t)out[i].count, 0);
        TRY(token_normalize(spec->normalizers, spec->normalizer_count, room.edits, &text, err));
        if (text.bytes != out[i].bytes) {
            out[i].bytes = arena_strndup(&tok->texts, text.bytes, text.count);
            out[i].count = text.count;
        }
        if (!out[i].bytes) {
            return err_oom(err, "added tokens");
        }
    }
    return ERR_OK;
}

/* The set of added tokens that are, or are not, looked for in the normalised text. */
static enum err_code make_set(const struct tokenizer *tok, const struct text_span *texts,
                              bool normalized, struct added_set **out, struct error *err) {
    const struct tokenizer_spec *spec = &tok->spec;
    SCOPED(mem) struct text_span *own = mem_array_zero((size_t)spec->added_count, sizeof *own);
    if (!own) {
        return err_oom(err, "added tokens");
    }
    for (int64_t i = 0; i < spec->added_count; i++) {
        if (spec->added[i].normalized == normalized) {
            own[i] = texts[i];
        }
    }
    return added_set_new(spec->added, own, spec->added_count, out, err);
}

static bool any_differs(const struct tokenizer_spec *spec, const struct text_span *texts) {
    for (int64_t i = 0; i < spec->added_count; i++) {
        struct text_span own = text_span_of(spec->added[i].text);
        if (!text_span_equal(&own, &texts[i])) {
            return true;
        }
    }
    return false;
}

/* As the library does, an added token that is looked for normalised is decoded so too. */
static enum err_code make_decode(struct tokenizer *tok, const struct text_span *texts,
                                 struct error *err) {
    const struct tokenizer_spec *spec = &tok->spec;
    if (!any_differs(spec, texts)) {
        return token_decode_init(&tok->decode, spec, &tok->spelled, err);
    }
    size_t bytes = tok->spelled.bytes_used;
    for (int64_t i = 0; i < spec->added_count; i++) {
        bytes += texts[i].count;
    }
    SCOPED(token_table) struct token_table shown = TOKEN_TABLE_INIT;
    TRY(token_table_init(&shown, tok->spelled.count, bytes, err));
    for (int32_t id = 0; id < shown.count; id++) {
        struct text_span text = token_table_text(&tok->spelled, id);
        if (text_span_is_set(&text)) {
            token_table_set(&shown, id, text.bytes, text.count);
        }
    }
    for (int64_t i = 0; i < spec->added_count; i++) {
        token_table_set(&shown, spec->added[i].id, texts[i].bytes, texts[i].count);
    }
    return token_decode_init(&tok->decode, spec, &shown, err);
}

static enum err_code make_added(struct tokenizer *tok, struct error *err) {
    SCOPED(mem)
    struct text_span *texts = mem_array_zero((size_t)tok->spec.added_count, sizeof *texts);
    if (!texts) {
        return err_oom(err, "added tokens");
    }
    TRY(added_texts(tok, texts, err));
    TRY(make_set(tok, texts, false, &tok->added, err));
    TRY(make_set(tok, texts, true, &tok->added_normalized, err));
    return make_decode(tok, texts, err);
}

static enum err_code build(struct tokenizer *tok, const struct tokenizer_spec *spec,
                           struct error *err) {
    TRY(spell(tok, spec, err));
    TRY(copy_spec(tok, spec, err));
    TRY(check_ids(tok, err));
    TRY(token_splits_new(spec->splitters, spec->splitter_count, &tok->splits, err));
    TRY(bpe_new(spec, token_splits_is_byte_level(tok->splits), &tok->bpe, err));
    return make_added(tok, err);
}

enum err_code tokenizer_new(const struct tokenizer_spec *spec, struct tokenizer **out,
                            struct error *err) {
    SCOPED(tokenizer) struct tokenizer *tok = mem_array_zero(1, sizeof *tok);
    if (!tok) {
        return err_oom(err, "tokenizer");
    }
    tok->texts = (struct arena)ARENA_INIT(TEXTS_BYTES_MAX);
    TRY(build(tok, spec, err));
    *out = MOVE(tok);
    return ERR_OK;
}

void tokenizer_close(struct tokenizer *tok) {
    if (!tok) {
        return;
    }
    arena_deinit(&tok->texts);
    token_table_deinit(&tok->spelled);
    mem_free(tok->flags);
    bpe_free(tok->bpe);
    token_splits_free(tok->splits);
    added_set_free(tok->added);
    added_set_free(tok->added_normalized);
    token_decode_deinit(&tok->decode);
    for (int64_t i = 0; i < TOKENIZER_FILE_COUNT; i++) {
        mem_free(tok->files[i]);
    }
    mem_free(tok);
}

/* ---- encoding ---- */

struct encoding {
    const struct tokenizer *tok;
    bool as_text;                    /* special tokens are text */
    const struct token_span *parsed; /* [parsed_count] where they are not; NULL: nowhere */
    int64_t parsed_count;
    struct token_edit edits[2];
    struct token_words words;
    struct token_list *out;
};

static void encoding_scoped_end(struct encoding *e) {
    token_edit_deinit(&e->edits[0]);
    token_edit_deinit(&e->edits[1]);
    token_words_deinit(&e->words);
}

/* Normalised text without added tokens. */
static enum err_code encode_words(struct encoding *e, const struct token_text *text,
                                  struct error *err) {
    if (text->count == 0) {
        return ERR_OK;
    }
    TRY(token_splits_cut(e->tok->splits, text, &e->words, err));
    for (int64_t i = 0; i < e->words.count; i++) {
        TRY(bpe_encode(e->tok->bpe, &e->words.text, e->words.spans[i], e->out, err));
    }
    return ERR_OK;
}

typedef enum err_code (*encode_part)(struct encoding *e, const struct token_text *text,
                                     struct error *err);

/* A text and where in the original special tokens are parsed. */
struct allowed {
    const struct encoding *e;
    const struct token_text *text;
};

static bool is_allowed(const void *context, uint32_t begin, uint32_t end) {
    const struct allowed *allowed = context;
    struct token_place place = token_text_place(allowed->text, (struct token_span){begin, end});
    int64_t low = 0;
    int64_t high = allowed->e->parsed_count;
    while (low < high) { /* the first span that ends at or behind the end */
        int64_t middle = low + (high - low) / 2;
        bool is_behind = allowed->e->parsed[middle].end >= place.end;
        low = is_behind ? low : middle + 1;
        high = is_behind ? middle : high;
    }
    return low < allowed->e->parsed_count && allowed->e->parsed[low].begin <= place.begin;
}

/* Cuts the tokens of `set` out of `text`, and does `part` with what lies between. */
static enum err_code cut(struct encoding *e, const struct added_set *set,
                         const struct token_text *text, encode_part part, struct error *err) {
    const struct allowed allowed = {e, text};
    struct added_search search = {.text = text->bytes,
                                  .count = text->count,
                                  .as_text = e->as_text,
                                  .allows = e->parsed ? is_allowed : NULL,
                                  .context = &allowed};
    struct added_cut found;
    uint32_t done = 0;
    while (added_set_next(set, &search, &found)) {
        if (done < found.begin) {
            struct token_text between =
                token_text_part(text, (struct token_span){done, found.begin});
            TRY(part(e, &between, err));
        }
        struct token_place place =
            token_text_place(text, (struct token_span){found.begin, found.end});
        TRY(token_list_add(e->out, found.id, place.begin, place.end, err));
        done = found.end;
    }
    if (done < text->count) {
        struct token_text rest = token_text_part(text, (struct token_span){done, text->count});
        TRY(part(e, &rest, err));
    }
    return ERR_OK;
}

static enum err_code encode_piece(struct encoding *e, const struct token_text *piece,
                                  struct error *err) {
    struct token_text text = *piece;
    const struct tokenizer_spec *spec = &e->tok->spec;
    TRY(token_normalize(spec->normalizers, spec->normalizer_count, e->edits, &text, err));
    return cut(e, e->tok->added_normalized, &text, encode_words, err);
}

/* `e` says how. */
static enum err_code encode_all(struct encoding *e, const char *text, size_t bytes,
                                struct error *err) {
    if (bytes >= UINT32_MAX) {
        return err_set(err, ERR_LIMIT, "text of %zu bytes, limit 2^32 - 2", bytes);
    }
    size_t invalid = utf8_find_invalid(text, bytes);
    if (invalid < bytes) {
        return err_set(err, ERR_DATA, "text is not UTF-8 at byte %zu", invalid);
    }

    int64_t count = e->out->count;
    int64_t dropped_bytes = e->out->dropped_bytes;
    struct token_text whole = token_text_of(text, (uint32_t)bytes, 0);
    if (cut(e, e->tok->added, &whole, encode_piece, err)) {
        e->out->count = count;
        e->out->dropped_bytes = dropped_bytes;
        return err->code;
    }
    return ERR_OK;
}

enum err_code tokenizer_encode(const struct tokenizer *tok, const char *text, size_t bytes,
                               enum tokenizer_encoding encoding, struct token_list *out,
                               struct error *err) {
    SCOPED(encoding)
    struct encoding e = {.tok = tok,
                         .as_text = encoding == TOKENIZER_SPECIAL_AS_TEXT,
                         .edits = {TOKEN_EDIT_INIT, TOKEN_EDIT_INIT},
                         .words = TOKEN_WORDS_INIT,
                         .out = out};
    return encode_all(&e, text, bytes, err);
}

enum err_code tokenizer_encode_parsed(const struct tokenizer *tok,
                                      const struct tokenizer_input *input, struct token_list *out,
                                      struct error *err) {
    SCOPED(encoding)
    struct encoding e = {.tok = tok,
                         .as_text = input->parsed_count == 0,
                         .parsed = input->parsed,
                         .parsed_count = input->parsed_count,
                         .edits = {TOKEN_EDIT_INIT, TOKEN_EDIT_INIT},
                         .words = TOKEN_WORDS_INIT,
                         .out = out};
    return encode_all(&e, input->text, input->bytes, err);
}

/* ---- asking ---- */

int64_t tokenizer_count(const struct tokenizer *tok) {
    return tok->spelled.count;
}

int32_t tokenizer_find(const struct tokenizer *tok, const char *token) {
    return token_table_find(&tok->spelled, token, strlen(token));
}

struct text_span tokenizer_token(const struct tokenizer *tok, int32_t id) {
    return token_table_text(&tok->spelled, id);
}

struct text_span tokenizer_bytes_of(const struct tokenizer *tok, int32_t id) {
    return token_decode_text(&tok->decode, id, false);
}

bool tokenizer_is_special(const struct tokenizer *tok, int32_t id) {
    return id >= 0 && id < tok->spelled.count && (tok->flags[id] & TOKEN_IS_SPECIAL);
}

int32_t tokenizer_bos(const struct tokenizer *tok) {
    return tok->spec.bos;
}

int32_t tokenizer_eos(const struct tokenizer *tok) {
    return tok->spec.eos;
}

int32_t tokenizer_pad(const struct tokenizer *tok) {
    return tok->spec.pad;
}

void tokenizer_set_pad(struct tokenizer *tok, int32_t id) {
    tok->spec.pad = id;
}

int32_t tokenizer_unk(const struct tokenizer *tok) {
    return tok->spec.unk;
}

bool tokenizer_adds_bos(const struct tokenizer *tok) {
    return tok->spec.adds_bos;
}

bool tokenizer_adds_eos(const struct tokenizer *tok) {
    return tok->spec.adds_eos;
}

const char *tokenizer_chat_template(const struct tokenizer *tok) {
    return tok->spec.chat_template;
}
