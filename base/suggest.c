/* suggest.c - see suggest.h. */
#include "base/suggest.h"

#include <stdbool.h>
#include <string.h>

#define LETTERS_PER_EDIT 3
#define PREFIX_BYTES_MIN 3

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static bool swapped(const char *left, size_t i, const char *right, size_t j) {
    return i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
}

/* Row i of the table holds the distances of the first i letters of `left` to every beginning of
 * `right`; a row needs the two before it. */
int64_t suggest_distance(const char *left, const char *right) {
    size_t left_length = strlen(left);
    size_t right_length = strlen(right);
    if (left_length > SUGGEST_BYTES_MAX || right_length > SUGGEST_BYTES_MAX) {
        return INT64_MAX;
    }
    int64_t rows[3][SUGGEST_BYTES_MAX + 1];
    for (size_t j = 0; j <= right_length; j++) {
        rows[0][j] = (int64_t)j;
    }
    for (size_t i = 1; i <= left_length; i++) {
        int64_t *row = rows[i % 3];
        const int64_t *above = rows[(i + 2) % 3];
        const int64_t *above_twice = rows[(i + 1) % 3];
        row[0] = (int64_t)i;
        for (size_t j = 1; j <= right_length; j++) {
            int64_t replaced = above[j - 1] + (left[i - 1] != right[j - 1]);
            row[j] = smaller(replaced, smaller(above[j], row[j - 1]) + 1);
            if (swapped(left, i, right, j)) {
                row[j] = smaller(row[j], above_twice[j - 2] + 1);
            }
        }
    }
    return rows[left_length % 3][right_length];
}

static bool is_beginning(const char *word, const char *candidate) {
    size_t length = strlen(word);
    return length >= PREFIX_BYTES_MIN && strncmp(word, candidate, length) == 0;
}

static int64_t edits_between(const char *word, const char *candidate) {
    int64_t edits = suggest_distance(word, candidate);
    bool is_abbreviation = edits < INT64_MAX && is_beginning(word, candidate);
    return is_abbreviation ? smaller(edits, 1) : edits;
}

/* Most edits at which `candidate` still looks like the word that was meant: never all letters. */
static int64_t edits_max(const char *word, const char *candidate) {
    int64_t shorter = smaller((int64_t)strlen(word), (int64_t)strlen(candidate));
    int64_t edits = shorter / LETTERS_PER_EDIT;
    return smaller(edits > 1 ? edits : 1, shorter - 1);
}

const char *suggest_nearest(const char *word, const char *const *candidates, size_t count) {
    const char *nearest = NULL;
    int64_t nearest_edits = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        int64_t edits = edits_between(word, candidates[i]);
        if (edits < nearest_edits && edits <= edits_max(word, candidates[i])) {
            nearest = candidates[i];
            nearest_edits = edits;
        }
    }
    return nearest;
}
