/* token_stream.c - see tokenizer.h. Decoding, which is a stream from the first id to the last. */
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/tokenizer_internal.h"

#include <inttypes.h>

#define HELD_BYTES_MAX ((size_t)1 << 31)

static const char replacement[] = "\uFFFD";

void token_stream_init(struct token_stream *stream, const struct tokenizer *tok,
                       enum tokenizer_decoding decoding) {
    *stream = (struct token_stream){.tok = tok,
                                    .decoding = decoding,
                                    .strip_left = tok->decode.strip_max,
                                    .held = STRBUF_INIT(HELD_BYTES_MAX)};
}

void token_stream_continue(struct token_stream *stream) {
    stream->started = true;
    stream->strip_left = 0;
}

void token_stream_deinit(struct token_stream *stream) {
    strbuf_deinit(&stream->held);
}

/* Gives out text, less what is stripped at the very start. */
static void give(struct token_stream *stream, const char *bytes, size_t count, struct strbuf *out) {
    const struct token_decode *decode = &stream->tok->decode;
    while (stream->strip_left > 0 && count > 0) {
        if (count < decode->strip_bytes || memcmp(bytes, decode->strip, decode->strip_bytes) != 0) {
            stream->strip_left = 0;
            break;
        }
        bytes += decode->strip_bytes;
        count -= decode->strip_bytes;
        stream->strip_left--;
    }
    strbuf_add_bytes(out, bytes, count);
}

static bool is_between(unsigned char byte, unsigned char low, unsigned char high) {
    return byte >= low && byte <= high;
}

/* Bytes of the character that this byte begins; 1 for one that begins none. */
static size_t whole_length(unsigned char first) {
    return is_between(first, 0xC2, 0xDF)   ? 2
           : is_between(first, 0xE0, 0xEF) ? 3
           : is_between(first, 0xF0, 0xF4) ? 4
                                           : 1;
}

/* The length of the longest start of a well-formed character that ill-formed or unfinished bytes
 * begin with, at least 1: what one U+FFFD stands for. The Unicode Standard, table 3-7 and "U+FFFD
 * Substitution of Maximal Subparts". */
static size_t maximal_subpart(const char *bytes, size_t count) {
    const unsigned char *u = (const unsigned char *)bytes;
    unsigned char low = u[0] == 0xE0 ? 0xA0 : u[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = u[0] == 0xED ? 0x9F : u[0] == 0xF4 ? 0x8F : 0xBF;
    size_t length = 1;
    while (length < whole_length(u[0]) && length < count && is_between(u[length], low, high)) {
        length++;
        low = 0x80;
        high = 0xBF;
    }
    return length;
}

/* Gives out held bytes as UTF-8; keeps an unfinished character unless the end is reached. */
static void give_lossy(struct token_stream *stream, bool at_end, struct strbuf *out) {
    const char *bytes = strbuf_text(&stream->held);
    size_t count = stream->held.length;
    if (stream->held.failure) { /* stays, for token_stream_push to report */
        return;
    }
    while (count > 0) {
        size_t valid = utf8_find_invalid(bytes, count);
        give(stream, bytes, valid, out);
        bytes += valid;
        count -= valid;
        if (count == 0) {
            break;
        }
        size_t bad = maximal_subpart(bytes, count);
        bool may_go_on = bad == count && bad < whole_length((unsigned char)bytes[0]);
        if (may_go_on && !at_end) {
            break;
        }
        give(stream, replacement, sizeof replacement - 1, out);
        bytes += bad;
        count -= bad;
    }
    char rest[UTF8_BYTES_MAX];
    memcpy(rest, bytes, count);
    strbuf_reset(&stream->held);
    strbuf_add_bytes(&stream->held, rest, count);
}

/* Gives out a run of byte tokens: as UTF-8 if all of it is, else U+FFFD for each. */
static void give_run(struct token_stream *stream, struct strbuf *out) {
    const char *bytes = strbuf_text(&stream->held);
    size_t count = stream->held.length;
    if (stream->held.failure) {
        return;
    }
    if (utf8_find_invalid(bytes, count) == count) {
        give(stream, bytes, count, out);
    } else {
        for (size_t i = 0; i < count; i++) {
            give(stream, replacement, sizeof replacement - 1, out);
        }
    }
    strbuf_reset(&stream->held);
}

static enum err_code check(const struct token_stream *stream, const struct strbuf *out,
                           struct error *err) {
    TRY(strbuf_check(&stream->held, "decoded text", err));
    return strbuf_check(out, "decoded text", err);
}

enum err_code token_stream_push(struct token_stream *stream, int32_t id, struct strbuf *out,
                                struct error *err) {
    const struct token_decode *decode = &stream->tok->decode;
    struct text_span text = token_decode_text(decode, id, !stream->started);
    if (!text_span_is_set(&text)) {
        return err_set(err, ERR_DATA,
                       "token id %" PRId32 " is not in the vocabulary of %" PRId64 " ids", id,
                       tokenizer_count(stream->tok));
    }
    if (stream->decoding == TOKENIZER_SKIP_SPECIAL && tokenizer_is_special(stream->tok, id)) {
        return ERR_OK;
    }
    if (decode->joins_by_space && stream->started) {
        give(stream, " ", 1, out);
    }
    stream->started = true;
    if (decode->bytes && decode->bytes[id] >= 0) {
        strbuf_add_char(&stream->held, (char)(unsigned char)decode->bytes[id]);
    } else if (decode->is_byte_level) {
        strbuf_add_bytes(&stream->held, text.bytes, text.count);
        give_lossy(stream, false, out);
    } else {
        give_run(stream, out);
        give(stream, text.bytes, text.count, out);
    }
    return check(stream, out, err);
}

enum err_code token_stream_finish(struct token_stream *stream, struct strbuf *out,
                                  struct error *err) {
    if (stream->tok->decode.is_byte_level) {
        give_lossy(stream, true, out);
    } else {
        give_run(stream, out);
    }
    return check(stream, out, err);
}

enum err_code tokenizer_decode(const struct tokenizer *tok, const int32_t *ids, int64_t count,
                               enum tokenizer_decoding decoding, struct strbuf *out,
                               struct error *err) {
    SCOPED(token_stream) struct token_stream stream;
    token_stream_init(&stream, tok, decoding);
    for (int64_t i = 0; i < count; i++) {
        TRY(token_stream_push(&stream, ids[i], out, err));
    }
    return token_stream_finish(&stream, out, err);
}
