/* log_sample.h - random logs of preferences, with everything in them that a log may hold.
 *
 * Use:      SCOPED(log_sample) struct log_sample sample = LOG_SAMPLE_INIT;
 *           log_sample_fill(&sample, seed, 200);
 *           log_sample_append(db, &sample);
 *           for (int64_t i = 0; i < sample.count; i++) { use(&sample.rows[i]); }
 *           assert_preference_equal(&record.row, &sample.rows[i]);
 * Rows:     of all kinds and all kinds of prompts, ties, gaps between ranks, rankings of up to six,
 *           some prompts, answers and annotators again and again; texts with quotes, line ends,
 *           control characters and letters of two to four bytes. As the log gives them back: one
 *           message of the assistant is a text.
 */
#ifndef TESTS_SUPPORT_LOG_SAMPLE_H
#define TESTS_SUPPORT_LOG_SAMPLE_H

#include "base/arena.h"
#include "base/db.h"
#include "data/preference.h"

struct log_sample {
    struct arena arena;
    struct preference *rows; /* [count] in the arena */
    int64_t count;
};

#define LOG_SAMPLE_INIT \
    { .arena = ARENA_INIT(256 * MIB) }

void log_sample_fill(struct log_sample *sample, uint64_t seed, int64_t count);
void log_sample_deinit(struct log_sample *sample);

/* All rows, as one source in one transaction. */
void log_sample_append(struct db *db, const struct log_sample *sample);

/* Fails the test, naming the field and the line of `expected`. Lines are not compared. */
void assert_preference_equal(const struct preference *actual, const struct preference *expected);

static inline void log_sample_scoped_end(struct log_sample *sample) {
    log_sample_deinit(sample);
}

#endif
