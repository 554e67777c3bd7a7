/* split.h - which part of the data a prompt belongs to: training, validation or test.
 *
 * The part follows from the prompt's kind, its hash and the shares alone, is stored nowhere and is
 * the same in every project, so no answer to a test prompt leaks into training, whatever is
 * imported later. A set of items (a league, journals) is one prompt: by its hash all that is known
 * of it would fall into one part, by accident the test. So sets of items are always training.
 *
 * Use:      if (split_of(prompt.kind, &prompt_hash, &shares) == SPLIT_TRAIN) { ... }
 * Threads:  no state.
 */
#ifndef DATA_SPLIT_H
#define DATA_SPLIT_H

#include "base/db.h"
#include "base/hash.h"
#include "data/preference.h"

/* Name, as typed by users and shown to them. */
#define SPLITS(X)               \
    X(TRAIN, "train")           \
    X(VALIDATION, "validation") \
    X(TEST, "test")

enum split {
#define SPLIT_ENUM(name, text) SPLIT_##name,
    SPLITS(SPLIT_ENUM)
#undef SPLIT_ENUM
        SPLIT_COUNT
};

/* Fractions in [0, 1] with a sum of at most 1; the rest is training. */
struct split_shares {
    double validation, test;
};

#define SPLIT_SHARES_DEFAULT \
    { .validation = 0.1, .test = 0.1 }

/* The hash's place u in [0, 1): test below `test`, validation below `test + validation`; training
 * whatever the hash for PROMPT_ITEMS. */
enum split split_of(enum prompt_kind kind, const struct hash_key *prompt,
                    const struct split_shares *shares);

/* That of the prompt whose kind and hash are the columns `column` and `column + 1` of a row. */
ERR_NODISCARD enum err_code split_read(struct db_stmt *row, int column,
                                       const struct split_shares *shares, enum split *out_split,
                                       struct error *err);

/* "train". Static. */
const char *split_name(enum split split);

#endif
