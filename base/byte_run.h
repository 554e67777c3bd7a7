/* byte_run.h - how far a text goes without a byte that needs care, looked at sixteen at a time.
 *
 * Why:      of the texts that are read and written nearly all bytes stand for themselves, and half
 *           a dozen passes over each look for those that do not (UTF-8, JSON).
 * Owns:     nothing.
 * Threads:  no state.
 */
#ifndef BASE_BYTE_RUN_H
#define BASE_BYTE_RUN_H

#include <stddef.h>

/* Number of bytes from the start that are below 0x80. */
size_t byte_run_ascii(const char *bytes, size_t count);

/* Number of bytes from the start that stand for themselves in a JSON string: neither '"' nor '\'
 * nor below 0x20. */
size_t byte_run_plain(const char *bytes, size_t count);

#endif
