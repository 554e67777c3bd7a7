/* utf8.h - strict UTF-8: check, decode, encode, and quote in messages.
 *
 * Use:      size_t bad = utf8_find_invalid(bytes, count);
 *           if (bad < count) { return err_set(err, ERR_DATA, "invalid UTF-8 at byte %zu", bad); }
 * Source:   The Unicode Standard 15.0, table 3-7 "Well-Formed UTF-8 Byte Sequences".
 * Refuses:  overlong forms, surrogates (U+D800 to U+DFFF) and values above U+10FFFF; NUL passes.
 * Threads:  no state.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_BYTES_MAX     4 /* of one code point */
#define UTF8_EXCERPT_BYTES 64

/* Offset in bytes at which the first ill-formed sequence starts; `count` when all is well. */
size_t utf8_find_invalid(const char *bytes, size_t count);

/* Length in bytes of the code point that `bytes` starts with, written to `out_code_point`; 0, and
 * nothing written, when `count` is 0 or the sequence is ill-formed or cut. */
size_t utf8_decode(const char *bytes, size_t count, uint32_t *out_code_point);

/* Number of bytes written to `out` (not NUL-terminated); 0 when `code_point` is a surrogate or
 * above U+10FFFF. */
size_t utf8_encode(uint32_t code_point, char out[UTF8_BYTES_MAX]);

/* Whether a code point steers what displays it: controls (C0, DEL, C1), line and paragraph
 * separators, and the embeddings, overrides and isolates of text direction. */
bool utf8_is_control(uint32_t code_point);

/* The start of a text from outside, made fit for a line of output: control characters become
 * \u001b, ill-formed bytes \xff, and "..." replaces what does not fit `out_bytes`, 4 or more with
 * the NUL. Returns `out`. */
const char *utf8_visible(const char *bytes, size_t count, char *out, size_t out_bytes);

/* The same for a word in a message. */
const char *utf8_excerpt(const char *bytes, size_t count, char out[UTF8_EXCERPT_BYTES]);

#endif
