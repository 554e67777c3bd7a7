/* suggest.h - "did you mean": the known word nearest to a mistyped one.
 *
 * Use:      const char *nearest = suggest_nearest(key, known_keys, known_count);
 *           if (nearest) { ...", did you mean '%s'?"... }
 * Source:   edits are counted as optimal string alignment: Damerau 1964, "A technique for computer
 *           detection and correction of spelling errors"; no letter is edited twice.
 * Threads:  no state.
 */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>
#include <stdint.h>

/* Longer words get no suggestion and are no suggestion. */
#define SUGGEST_BYTES_MAX 64

/* Fewest single-byte insertions, deletions, replacements and swaps of neighbours that turn one word
 * into the other; INT64_MAX when one is longer than SUGGEST_BYTES_MAX. */
int64_t suggest_distance(const char *left, const char *right);

/* The nearest of `candidates`, the first of several; borrowed from there. NULL when none is near:
 * at most one edit in three letters, and one in short words. A beginning of three letters or more
 * ("temp" for "temperature") counts as one edit. */
const char *suggest_nearest(const char *word, const char *const *candidates, size_t count);

#endif
