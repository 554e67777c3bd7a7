/* byte_alphabet.h - the alphabet in which byte-level vocabularies spell bytes.
 *
 * Use:      size_t count = byte_alphabet_read(token, strlen(token), bytes);
 *           if (count == BYTE_ALPHABET_NONE) { the token is no text of this alphabet }
 * Source:   GPT-2's bytes_to_unicode: bytes that show, ! to ~, ¡ to ¬ and ® to ÿ, stand for
 *           themselves; the other 68, in order, are U+0100 to U+0143 (a space is U+0120, "Ġ").
 * Threads:  no state.
 */
#ifndef DATA_BYTE_ALPHABET_H
#define DATA_BYTE_ALPHABET_H

#include <stddef.h>
#include <stdint.h>

#define BYTE_ALPHABET_NONE SIZE_MAX

/* The letter for a byte. */
uint32_t byte_alphabet_letter(uint8_t byte);

/* Writes the bytes that `count` bytes of text spell, at most `count`; returns their number, or
 * BYTE_ALPHABET_NONE, and nothing is written, where a character is no letter of the alphabet. `out`
 * may be `text`. */
size_t byte_alphabet_read(const char *text, size_t count, char *out);

#endif
