/* unicode_nfc_table.h - canonical decompositions, compositions and combining classes; for
 * unicode_nfc.c only.
 *
 * Threads:  no state.
 */
#ifndef DATA_UNICODE_NFC_TABLE_H
#define DATA_UNICODE_NFC_TABLE_H

#include <stdint.h>

struct nfc_class_run {
    uint32_t first, last;
    uint8_t combining_class;
};

struct nfc_decomposition {
    uint32_t whole, first, second; /* `second` 0: a single character */
};

extern const int64_t nfc_class_run_count; /* ascending */
extern const struct nfc_class_run nfc_class_runs[];
extern const int64_t nfc_decomposition_count; /* ascending by `whole`; Hangul is reckoned */
extern const struct nfc_decomposition nfc_decompositions[];
extern const int64_t nfc_composition_count; /* decompositions that compose, by (first, second) */
extern const uint16_t nfc_compositions[];

#endif
