/* token_windows.h - the works of owners as training windows, of which each belongs to one owner.
 *
 * Use:      SCOPED(token_windows) struct token_windows *windows = NULL;
 *           TRY(token_windows_new(db, tok, &(struct token_windows_options){
 *                   .tokens = 1024, .seed = run->settings->seed, .now_ms = now}, &windows, err));
 *           for (int64_t w = 0; w < token_windows_count(windows); w++) {
 *               struct token_window window = token_windows_at(windows, w);
 *               use(window.ids, window.count, window.owner_id);
 *           }
 * Works:    BOS where the tokenizer adds one, the text without special tokens (and without a byte
 *           order mark), EOS where there is one. The works of an owner stand one behind the other,
 * and are cut into windows: a window may hold the end of one work and the beginning of another of
 * the same owner, and says where each of them lies. No window holds tokens of two owners. Tails:
 * what is left of an owner is a shorter window, so that every token is in one window and in one
 * only; or it is dropped (drop_tails), and counted. Order:    works within an owner, and windows of
 * all, by keyed hashes of the seed, the epoch, the owner's name and the work's digest. So it is the
 * same in every project, and leaving an owner out, as coalitions do, leaves the order of all others
 * as it was. Opt-outs: works whose owner has opted out by now_ms are not read, and are counted.
 * Changed:  a text whose SHA-256 is not the one that was imported is refused.
 * Owns:     all tokens: 4 bytes each, and 4 more while they are made.
 * Threads:  read-only once made, and may be shared.
 */
#ifndef DATA_TOKEN_WINDOWS_H
#define DATA_TOKEN_WINDOWS_H

#include "base/db.h"
#include "base/error.h"
#include "data/tokenizer.h"

#include <stdbool.h>
#include <stdint.h>

#define TOKEN_WINDOW_MAX (1024 * 1024)

struct token_windows_options {
    int64_t tokens; /* of a window; in [2, TOKEN_WINDOW_MAX] */
    uint64_t seed;
    int64_t epoch;
    int64_t now_ms;
    bool drop_tails;
    const int64_t *owner_ids; /* [owner_count], only these; NULL: all */
    int64_t owner_count;
};

/* A part of a window that comes from one work. */
struct token_window_part {
    int64_t work_id;
    int64_t begin, count; /* tokens of the window */
};

/* All borrowed from the windows. */
struct token_window {
    const int32_t *ids; /* [count] */
    int64_t count;
    int64_t owner_id;
    const struct token_window_part *parts; /* [part_count], in order, without gaps */
    int64_t part_count;
};

struct token_windows_counts {
    int64_t owners, works, bytes, tokens; /* that are in windows, or dropped */
    int64_t dropped_tokens;               /* of tails */
    int64_t opted_out_works;
};

struct token_windows;

/* Reads all works. `*out` is owned.
 *   fails    ERR_USAGE for `tokens` out of range; ERR_DATA for a text that has changed, for one
 * with bytes that leave no token, or where no work is left to train on; ERR_INTERRUPTED; ERR_OOM;
 * as base/db.h */
ERR_NODISCARD enum err_code token_windows_new(struct db *db, const struct tokenizer *tok,
                                              const struct token_windows_options *options,
                                              struct token_windows **out, struct error *err);
void token_windows_free(struct token_windows *windows);

int64_t token_windows_count(const struct token_windows *windows);

/* `index` in [0, count). */
struct token_window token_windows_at(const struct token_windows *windows, int64_t index);

struct token_windows_counts token_windows_counts(const struct token_windows *windows);

static inline void token_windows_scoped_end(struct token_windows **windows) {
    token_windows_free(*windows);
}

#endif
