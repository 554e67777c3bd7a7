/* token_decode.c - see token_decode.h. */
#include "data/token_decode.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "data/byte_alphabet.h"
#include "data/unicode_classes.h"

#include <inttypes.h>

#define TEXTS_BYTES_MAX ((size_t)1 << 31)

/* Replaces every `pattern` in `token` by `text`. */
static void replace(const struct text_span *token, const char *pattern, const char *text,
                    struct strbuf *out) {
    size_t count = strlen(pattern);
    for (size_t at = 0; at < token->count;) {
        if (count > 0 && token->count - at >= count &&
            memcmp(token->bytes + at, pattern, count) == 0) {
            strbuf_add(out, text);
            at += count;
        } else {
            strbuf_add_char(out, token->bytes[at++]);
        }
    }
}

/* One step on one token. */
static void apply(const struct token_decoder *step, bool is_first, const struct text_span *token,
                  struct strbuf *out) {
    if (step->kind == TOKEN_DECODER_METASPACE) {
        bool drops = is_first && step->prepend != TOKEN_PREPEND_NEVER;
        replace(token, step->pattern, drops ? "" : " ", out);
    } else if (step->kind == TOKEN_DECODER_REPLACE) {
        replace(token, step->pattern, step->text, out);
    } else if (step->kind == TOKEN_DECODER_BYTE_LEVEL) {
        strbuf_add_bytes(out, token->bytes, token->count);
        size_t count = out->failure ? BYTE_ALPHABET_NONE
                                    : byte_alphabet_read(out->bytes, out->length, out->bytes);
        if (count != BYTE_ALPHABET_NONE) {
            strbuf_truncate(out, count);
        }
    } else {
        strbuf_add_bytes(out, token->bytes, token->count);
    }
}

/* All steps on all tokens. */
static enum err_code fill(struct token_table *texts, const struct tokenizer_spec *spec,
                          const struct token_table *spelled, bool is_first, struct error *err) {
    size_t growth = 1;
    for (int64_t i = 0; i < spec->decoder_count; i++) {
        size_t text = spec->decoders[i].text ? strlen(spec->decoders[i].text) : 1;
        growth *= text > 1 ? text : 1;
        if (growth > TEXTS_BYTES_MAX / (spelled->bytes_used + 1)) {
            return err_set(err, ERR_LIMIT, "decoders: tokens become too long");
        }
    }
    TRY(token_table_init(texts, spelled->count, growth * spelled->bytes_used, err));
    SCOPED(strbuf) struct strbuf from = STRBUF_INIT(TEXTS_BYTES_MAX);
    SCOPED(strbuf) struct strbuf to = STRBUF_INIT(TEXTS_BYTES_MAX);
    for (int32_t id = 0; id < spelled->count; id++) {
        struct text_span token = token_table_text(spelled, id);
        if (!text_span_is_set(&token)) {
            continue;
        }
        for (int64_t i = 0; i < spec->decoder_count; i++) {
            strbuf_reset(&to);
            apply(&spec->decoders[i], is_first, &token, &to);
            TRY(strbuf_check(&to, "decoded token", err));
            token = (struct text_span){.bytes = strbuf_text(&to), .count = to.length};
            struct strbuf turned = from;
            from = to;
            to = turned;
        }
        token_table_set(texts, id, token.bytes, token.count);
    }
    return ERR_OK;
}

static int16_t hex_digit(char c) {
    return (int16_t)(c >= '0' && c <= '9'   ? c - '0'
                     : c >= 'A' && c <= 'F' ? c - 'A' + 10
                     : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                            : -1);
}

/* The byte that a token spells as <0x0A>, or -1. */
static int16_t byte_of(const struct text_span *token) {
    if (token->count != 6 || memcmp(token->bytes, "<0x", 3) != 0 || token->bytes[5] != '>') {
        return -1;
    }
    int16_t high = hex_digit(token->bytes[3]);
    int16_t low = hex_digit(token->bytes[4]);
    return high < 0 || low < 0 ? -1 : (int16_t)(16 * high + low);
}

static enum err_code find_bytes(struct token_decode *decode, struct error *err) {
    decode->bytes = mem_array((size_t)decode->texts.count, sizeof *decode->bytes);
    if (!decode->bytes) {
        return err_oom(err, "decoders");
    }
    for (int32_t id = 0; id < decode->texts.count; id++) {
        struct text_span token = token_table_text(&decode->texts, id);
        decode->bytes[id] = byte_of(&token);
    }
    return ERR_OK;
}

/* The orders that are understood: steps on single tokens, bytes, fusing, stripping; or bytes of the
 * alphabet alone. */
static int64_t place_of(enum token_decoder_kind kind) {
    switch (kind) {
    case TOKEN_DECODER_BYTE_LEVEL:
    case TOKEN_DECODER_METASPACE:
    case TOKEN_DECODER_REPLACE:
        return 0;
    case TOKEN_DECODER_BYTE_FALLBACK:
        return 1;
    case TOKEN_DECODER_FUSE:
        return 2;
    case TOKEN_DECODER_STRIP:
        return 3;
    }
    return 4;
}

static enum err_code read_plan(struct token_decode *decode, const struct tokenizer_spec *spec,
                               bool *out_has_bytes, bool *out_has_first, struct error *err) {
    int64_t last = 0;
    bool is_fused = false;
    for (int64_t i = 0; i < spec->decoder_count; i++) {
        const struct token_decoder *step = &spec->decoders[i];
        int64_t place = place_of(step->kind);
        bool is_alone = step->kind != TOKEN_DECODER_BYTE_LEVEL || spec->decoder_count == 1;
        bool strips = step->kind == TOKEN_DECODER_STRIP && (step->start > 0 || step->stop > 0);
        if (place < last || !is_alone || (strips && (!is_fused || step->stop > 0)) ||
            (strips && decode->strip_max > 0)) {
            return err_set(err, ERR_DATA,
                           "decoder %" PRId64 ": this order of decoders is not supported", i);
        }
        last = place;
        is_fused = is_fused || step->kind == TOKEN_DECODER_FUSE;
        decode->is_byte_level = decode->is_byte_level || step->kind == TOKEN_DECODER_BYTE_LEVEL;
        *out_has_bytes = *out_has_bytes || step->kind == TOKEN_DECODER_BYTE_FALLBACK;
        *out_has_first = *out_has_first || step->kind == TOKEN_DECODER_METASPACE;
        if (strips) {
            decode->strip_max = step->start;
            decode->strip_bytes = (uint8_t)unicode_bytes_at(step->pattern);
            memcpy(decode->strip, step->pattern, decode->strip_bytes);
        }
    }
    decode->joins_by_space = spec->decoder_count == 0;
    return ERR_OK;
}

static enum err_code build(struct token_decode *decode, const struct tokenizer_spec *spec,
                           const struct token_table *spelled, struct error *err) {
    bool has_bytes = false;
    bool has_first = false;
    TRY(read_plan(decode, spec, &has_bytes, &has_first, err));
    TRY(fill(&decode->texts, spec, spelled, false, err));
    if (has_first) {
        TRY(fill(&decode->firsts, spec, spelled, true, err));
    }
    return has_bytes ? find_bytes(decode, err) : ERR_OK;
}

enum err_code token_decode_init(struct token_decode *decode, const struct tokenizer_spec *spec,
                                const struct token_table *spelled, struct error *err) {
    *decode = (struct token_decode)TOKEN_DECODE_INIT;
    if (build(decode, spec, spelled, err)) {
        token_decode_deinit(decode);
        return err->code;
    }
    return ERR_OK;
}

void token_decode_deinit(struct token_decode *decode) {
    token_table_deinit(&decode->texts);
    token_table_deinit(&decode->firsts);
    mem_free(decode->bytes);
    *decode = (struct token_decode)TOKEN_DECODE_INIT;
}
