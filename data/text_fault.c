/* text_fault.c - see text_fault.h. */
#include "data/text_fault.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Found anywhere, beside all of the form <|word|>, as ChatML, Llama 3, GPT, Phi and Zephyr have. */
static const char *const tokens[] = {"<<SYS>>",
                                     "<</SYS>>",
                                     "[INST]",
                                     "[/INST]", /* Llama 2, Mistral */
                                     "<start_of_turn>",
                                     "<end_of_turn>", /* Gemma */
                                     "<s>",
                                     "</s>",
                                     "<bos>",
                                     "<eos>",
                                     "<pad>",
                                     "[PAD]",
                                     "[CLS]",
                                     "[SEP]"};

/* Found where a line begins. */
static const char *const headings[] = {
    "Human:",        "Assistant:", "User:",         "### Instruction:",
    "### Response:", "### Human:", "### Assistant:"};

static bool starts_with(const char *bytes, size_t count, const char *word) {
    size_t length = strlen(word);
    return count >= length && memcmp(bytes, word, length) == 0;
}

static const char *match(const char *const *words, size_t word_count, const char *bytes,
                         size_t count) {
    for (size_t i = 0; i < word_count; i++) {
        if (starts_with(bytes, count, words[i])) {
            return words[i];
        }
    }
    return NULL;
}

/* Length of "<|word|>" at `bytes`, or 0. */
static size_t special_token_length(const char *bytes, size_t count) {
    size_t at = 2;
    if (count < 2 || bytes[0] != '<' || bytes[1] != '|') {
        return 0;
    }
    while (at < count && at < TEXT_FAULT_WHAT_BYTES - 4 &&
           ((bytes[at] >= 'a' && bytes[at] <= 'z') || (bytes[at] >= '0' && bytes[at] <= '9') ||
            bytes[at] == '_')) {
        at++;
    }
    return at > 2 && starts_with(bytes + at, count - at, "|>") ? at + 2 : 0;
}

/* Windows-1252 has printable characters at 0x80 to 0x9F; five places are empty, and there Latin-1's
 * control characters come through. */
static const uint16_t windows_1252[32] = {
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

/* The byte that was misread as this character, or -1. */
static int byte_of(uint32_t code_point) {
    if (code_point >= 0x80 && code_point <= 0xFF) {
        return (int)code_point;
    }
    for (int i = 0; i < 32; i++) {
        if (windows_1252[i] == code_point) {
            return 0x80 + i;
        }
    }
    return -1;
}

/* Takes the characters at `bytes` back to the bytes of one character. Returns how many bytes of the
 * text that is, or 0. */
static size_t decode_twice(const char *bytes, size_t count, uint32_t *out_code_point) {
    char original[UTF8_BYTES_MAX];
    size_t used = 0, at = 0;
    while (used < UTF8_BYTES_MAX && at < count) {
        uint32_t code_point = 0;
        size_t length = utf8_decode(bytes + at, count - at, &code_point);
        int byte = length > 1 ? byte_of(code_point) : -1;
        if (byte < 0) {
            return 0;
        }
        original[used++] = (char)byte;
        at += length;
        if (used > 1 && utf8_decode(original, used, out_code_point) == used) {
            return at;
        }
    }
    return 0;
}

/* Length of mojibake at `bytes`, or 0. One pair of letters is enough where it stands for a letter
 * of Latin-1 (an A with a circumflex or tilde and then a symbol is no language), and so is
 * anything of three bytes or more; other pairs, such as a capital and a closing guillemet, may be
 * meant. */
static size_t mojibake_length(const char *bytes, size_t count, uint32_t *out_code_point) {
    size_t length = decode_twice(bytes, count, out_code_point);
    if (length == 0 || *out_code_point < 0x100 || *out_code_point >= 0x800) {
        return length;
    }
    uint32_t next = 0;
    return decode_twice(bytes + length, count - length, &next) > 0 ? length : 0;
}

static void note(struct text_faults *out, enum text_fault kind, size_t at, const char *what,
                 size_t what_count) {
    if (out->at[kind] == TEXT_FAULT_NONE) {
        out->at[kind] = at;
        (void)utf8_visible(what, what_count, out->what[kind], TEXT_FAULT_WHAT_BYTES);
    }
}

static void note_code_point(struct text_faults *out, enum text_fault kind, size_t at,
                            uint32_t code_point) {
    char name[16];
    (void)snprintf(name, sizeof name, "U+%04" PRIX32, code_point);
    note(out, kind, at, name, strlen(name));
}

static void look_at_ascii(const char *bytes, size_t count, size_t at, struct text_faults *out) {
    unsigned char c = (unsigned char)bytes[at];
    if (c == 0x7F || (c < 0x20 && c != '\n' && c != '\t' && c != '\r')) {
        note_code_point(out, TEXT_FAULT_CONTROL, at, c);
        return;
    }
    size_t special = special_token_length(bytes + at, count - at);
    if (special > 0) {
        note(out, TEXT_FAULT_MARKUP, at, bytes + at, special);
        return;
    }
    const char *found = NULL;
    if (c == '<' || c == '[') {
        found = match(tokens, sizeof tokens / sizeof *tokens, bytes + at, count - at);
    }
    bool at_line_start = at == 0 || bytes[at - 1] == '\n';
    if (!found && at_line_start) {
        found = match(headings, sizeof headings / sizeof *headings, bytes + at, count - at);
    }
    if (found) {
        note(out, TEXT_FAULT_MARKUP, at, found, strlen(found));
    }
}

/* Returns how many bytes it has seen. */
static size_t look_at_other(const char *bytes, size_t count, size_t at, struct text_faults *out) {
    uint32_t code_point = 0;
    size_t length = mojibake_length(bytes + at, count - at, &code_point);
    if (length > 0) {
        char was[UTF8_BYTES_MAX];
        char what[TEXT_FAULT_WHAT_BYTES];
        size_t was_count = utf8_encode(code_point, was);
        (void)snprintf(what, sizeof what, "%.*s for %.*s", (int)length, bytes + at, (int)was_count,
                       was);
        note(out, TEXT_FAULT_MOJIBAKE, at, what, strlen(what));
        return length;
    }
    length = utf8_decode(bytes + at, count - at, &code_point);
    if (length == 0) {
        return 1;
    }
    if (code_point == 0xFFFD) {
        note_code_point(out, TEXT_FAULT_REPLACEMENT, at, code_point);
    } else if (code_point == 0xFEFF) {
        note_code_point(out, TEXT_FAULT_MARK, at, code_point);
    } else if (code_point < 0xA0 || code_point == 0x202D || code_point == 0x202E) {
        note_code_point(out, TEXT_FAULT_CONTROL, at, code_point);
    }
    return length;
}

void text_faults_find(const char *bytes, size_t count, struct text_faults *out) {
    for (int kind = 0; kind < TEXT_FAULT_COUNT; kind++) {
        out->at[kind] = TEXT_FAULT_NONE;
        out->what[kind][0] = '\0';
    }
    bool at_line_start = true;
    for (size_t at = 0; at < count;) {
        unsigned char c = (unsigned char)bytes[at];
        bool plain = c >= 0x20 && c < 0x7F && c != '<' && c != '[';
        if (plain && !at_line_start) {
            at++;
            continue;
        }
        at_line_start = c == '\n';
        if (c >= 0x80) {
            at += look_at_other(bytes, count, at, out);
            continue;
        }
        look_at_ascii(bytes, count, at, out);
        at++;
    }
}
