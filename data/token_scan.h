/* token_scan.h - the patterns by which well-known byte-level tokenizers cut words, by hand.
 *
 * Use:      enum token_scan scan = token_scan_find(pattern);
 *           while (at < end) {
 *               uint32_t next = token_scan_next(scan, bytes, at, end);    // a word is [at, next)
 *               at = next;
 *           }
 * Why:      PCRE2 knows Unicode 14 and takes 10 to 20 ns a character; see docs/BENCHMARKS.md.
 * Oracle:   Oniguruma, as the tokenizers library runs it, on every code point.
 * Threads:  no state.
 */
#ifndef DATA_TOKEN_SCAN_H
#define DATA_TOKEN_SCAN_H

#include <stdint.h>

enum token_scan {
    TOKEN_SCAN_NONE, /* unknown: left to base/regex.h */
    TOKEN_SCAN_GPT2,
    TOKEN_SCAN_LLAMA3, /* digits by three */
    TOKEN_SCAN_QWEN2,  /* the same with single digits */
    TOKEN_SCAN_COUNT
};

/* The regular expression that a scan stands for; static. */
const char *token_scan_pattern(enum token_scan scan);

/* The scan of a pattern that is spelt exactly so. */
enum token_scan token_scan_find(const char *pattern);

/* The end of the match that begins at `at`; these patterns match everywhere. `bytes` is checked
 * UTF-8, and what lies beyond `end` is not looked at. */
uint32_t token_scan_next(enum token_scan scan, const char *bytes, uint32_t at, uint32_t end);

#endif
