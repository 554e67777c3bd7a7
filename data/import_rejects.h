/* import_rejects.h - the file of rows that were left out, each with the reason.
 *
 * Use:      SCOPED(import_rejects) struct import_rejects rejects = IMPORT_REJECTS_INIT;
 *           TRY(import_rejects_open("bad.jsonl", &rejects, err));
 *           TRY(import_rejects_add(&rejects, &(struct import_reject){...}, err));
 *           TRY(import_rejects_commit(&rejects, err));
 * Format:   JSON lines: {"file": "pairs.jsonl", "line": 17, "column": 23, "reason": "...",
 *           "row": "..."}. The row is its text as it stands in the file, as one string: what is not
 *           UTF-8, and NUL, is replaced by U+FFFD; it is cut after IMPORT_REJECT_BYTES_MAX bytes,
 *           and null if it was longer than a row may be, or if it is the file as a whole that is
 *           wrong. Line and column are left out where there is none.
 * Failure:  the file is whole or not there (base/file_atomic.h).
 * Threads:  one.
 */
#ifndef DATA_IMPORT_REJECTS_H
#define DATA_IMPORT_REJECTS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/file_atomic.h"
#include "base/strbuf.h"
#include "data/text_span.h"

#include <stdint.h>

#define IMPORT_REJECT_BYTES_MAX (1 * MIB)

struct import_rejects {
    struct file_atomic file;
    struct strbuf line, row;
};

/* A line: six characters for each control character of the row, and the rest. */
#define IMPORT_REJECTS_INIT                                                               \
    {                                                                                     \
        .file = FILE_ATOMIC_INIT, .line = STRBUF_INIT(6 * IMPORT_REJECT_BYTES_MAX + MIB), \
        .row = STRBUF_INIT(3 * IMPORT_REJECT_BYTES_MAX)                                   \
    }

struct import_reject {
    const char *file;
    int64_t line;        /* 0: of no line */
    const char *message; /* of the error; "<file>:<line>:<column>: " in front is taken off */
    struct text_span row;
};

ERR_NODISCARD enum err_code import_rejects_open(const char *path, struct import_rejects *out,
                                                struct error *err);
ERR_NODISCARD enum err_code import_rejects_add(struct import_rejects *rejects,
                                               const struct import_reject *reject,
                                               struct error *err);
ERR_NODISCARD enum err_code import_rejects_commit(struct import_rejects *rejects,
                                                  struct error *err);
void import_rejects_close(struct import_rejects *rejects);

static inline void import_rejects_scoped_end(struct import_rejects *rejects) {
    import_rejects_close(rejects);
}

#endif
