/* text_fault.h - what is wrong with the characters of a text: signs of a bad conversion, of control
 * characters, and of chat markup that was taken for text.
 *
 * Use:      struct text_faults faults;
 *           text_faults_find(bytes, count, &faults);
 *           if (faults.at[TEXT_FAULT_MARKUP] != TEXT_FAULT_NONE) {
 *               show(faults.what[TEXT_FAULT_MARKUP]);          // "<|im_end|>"
 *           }
 * Finds:    the first of each kind; more in one text are one fault of the text.
 *             replacement  U+FFFD, which stands where somebody's decoder gave up
 *             mojibake     UTF-8 that was read as Windows-1252 or Latin-1 and written as UTF-8
 *                          again: the characters, taken back to bytes, are UTF-8. Pairs of letters
 *                          that real text may hold count only if they follow each other
 *             mark         U+FEFF: a byte order mark of a file that was pasted in
 *             control      C0 but tab and line ends, DEL, C1, and overrides of text direction
 *             markup       special tokens and turn headings of the usual chat templates
 * Threads:  no state.
 */
#ifndef DATA_TEXT_FAULT_H
#define DATA_TEXT_FAULT_H

#include <stddef.h>
#include <stdint.h>

enum text_fault {
    TEXT_FAULT_REPLACEMENT,
    TEXT_FAULT_MOJIBAKE,
    TEXT_FAULT_MARK,
    TEXT_FAULT_CONTROL,
    TEXT_FAULT_MARKUP,
    TEXT_FAULT_COUNT
};

#define TEXT_FAULT_NONE       SIZE_MAX
#define TEXT_FAULT_WHAT_BYTES 48

struct text_faults {
    size_t at[TEXT_FAULT_COUNT]; /* byte offset of the first, or TEXT_FAULT_NONE */
    char what[TEXT_FAULT_COUNT][TEXT_FAULT_WHAT_BYTES]; /* fit to be shown; "" without one */
};

void text_faults_find(const char *bytes, size_t count, struct text_faults *out);

#endif
