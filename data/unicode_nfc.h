/* unicode_nfc.h - canonical composition (NFC) of a text that keeps its places.
 *
 * Use:      if (!unicode_is_nfc(text.bytes, text.count)) {
 *               TRY(unicode_nfc(&text, &edit, err));
 *           }
 * Source:   Unicode Standard Annex 15, with the tables of the tokenizers library (see
 *           unicode_classes.h); places as that library gives them: a composed character stands at
 *           the first of those that it was composed of.
 * Threads:  no state.
 */
#ifndef DATA_UNICODE_NFC_H
#define DATA_UNICODE_NFC_H

#include "base/error.h"
#include "data/token_text.h"

#include <stdbool.h>
#include <stddef.h>

/* Quick check: true only if NFC would change nothing; may be false for text that is NFC. */
bool unicode_is_nfc(const char *bytes, size_t count);

/* Appends NFC of `text`, checked UTF-8, to `out`. O(n) but for the order of marks, which is counted
 * out where there are many. */
ERR_NODISCARD enum err_code unicode_nfc(const struct token_text *text, struct token_edit *out,
                                        struct error *err);

#endif
