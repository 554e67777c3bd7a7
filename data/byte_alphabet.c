/* byte_alphabet.c - see byte_alphabet.h. */
#include "data/byte_alphabet.h"

#include "base/utf8.h"

/* Bytes that do not show, in order: 0x00-0x20, 0x7F-0xA0, 0xAD. */
enum { FIRST_HIDDEN_LETTER = 0x100, HIDDEN_LOW = 0x21, HIDDEN_HIGH = 0xA1 - 0x7F };

uint32_t byte_alphabet_letter(uint8_t byte) {
    if (byte < 0x21) {
        return FIRST_HIDDEN_LETTER + byte;
    }
    if (byte >= 0x7F && byte < 0xA1) {
        return FIRST_HIDDEN_LETTER + HIDDEN_LOW + byte - 0x7FU;
    }
    return byte == 0xAD ? FIRST_HIDDEN_LETTER + HIDDEN_LOW + HIDDEN_HIGH : byte;
}

/* The byte of a letter, or -1. */
static int32_t byte_of(uint32_t letter) {
    if (letter >= FIRST_HIDDEN_LETTER) {
        uint32_t hidden = letter - FIRST_HIDDEN_LETTER;
        if (hidden < HIDDEN_LOW) {
            return (int32_t)hidden;
        }
        hidden -= HIDDEN_LOW;
        if (hidden < HIDDEN_HIGH) {
            return (int32_t)(0x7F + hidden);
        }
        return hidden == HIDDEN_HIGH ? 0xAD : -1;
    }
    return byte_alphabet_letter((uint8_t)letter) == letter ? (int32_t)letter : -1;
}

/* Reads `text`, and writes if `out` is not NULL. */
static size_t read_letters(const char *text, size_t count, char *out) {
    size_t letters = 0;
    for (size_t at = 0; at < count; letters++) {
        uint32_t letter = 0;
        size_t bytes = utf8_decode(text + at, count - at, &letter);
        int32_t byte = bytes > 0 ? byte_of(letter) : -1;
        if (byte < 0) {
            return BYTE_ALPHABET_NONE;
        }
        if (out) {
            out[letters] = (char)(unsigned char)byte;
        }
        at += bytes;
    }
    return letters;
}

size_t byte_alphabet_read(const char *text, size_t count, char *out) {
    return read_letters(text, count, NULL) == BYTE_ALPHABET_NONE ? BYTE_ALPHABET_NONE
                                                                 : read_letters(text, count, out);
}
