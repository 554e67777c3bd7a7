/* token_windows.c - see token_windows.h. */
#include "data/token_windows.h"

#include "base/array.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A work that may be trained on. */
struct planned_work {
    int64_t id, owner_id;
    struct hash_key owner_key, key; /* what the order follows from */
};

/* Tokens [begin, begin + count) of the stream. */
struct stream_part {
    int64_t work_id;
    int64_t begin, count;
};

struct planned_window {
    int64_t begin, count; /* of the stream */
    int64_t owner_id;
    int64_t first_part, part_count;
    struct hash_key key;
};

struct token_windows {
    struct planned_work *works; /* [work_count] while reading */
    int64_t work_count, work_capacity;
    int32_t *ids; /* [id_count]: the stream, owner by owner */
    int64_t id_count, id_capacity;
    struct stream_part *stream; /* [stream_count] a part a work */
    int64_t stream_count, stream_capacity;
    struct planned_window *windows; /* [window_count] in order of training */
    int64_t window_count, window_capacity;
    struct token_window_part *parts; /* [part_count] of all windows */
    int64_t part_count, part_capacity;
    struct token_windows_counts counts;
};

static enum err_code reserve(struct array_ref array, int64_t *capacity, int64_t needed,
                             struct error *err) {
    return array_reserve(array, capacity, needed, "windows of works", err);
}

void token_windows_free(struct token_windows *windows) {
    if (windows) {
        mem_free(windows->works);
        mem_free(windows->ids);
        mem_free(windows->stream);
        mem_free(windows->windows);
        mem_free(windows->parts);
        mem_free(windows);
    }
}

/* ---- which works, in which order ---- */

static bool is_chosen(const struct token_windows_options *options, int64_t owner_id) {
    for (int64_t o = 0; o < options->owner_count; o++) {
        if (options->owner_ids[o] == owner_id) {
            return true;
        }
    }
    return !options->owner_ids;
}

/* Key of two things in this epoch. */
static enum err_code key_of(const struct token_windows_options *options, struct hash_part first,
                            struct hash_part second, struct hash_key *out, struct error *err) {
    const struct hash_part parts[] = {{&options->seed, sizeof options->seed},
                                      {&options->epoch, sizeof options->epoch},
                                      first,
                                      second};
    return hash_key_of(parts, 4, out, err);
}

enum work_column { WORK_ID, WORK_OWNER_ID, WORK_OWNER_NAME, WORK_SHA256, WORK_OPT_OUT };

static const char list_sql[] = "SELECT w.id, w.owner_id, o.name, w.sha256, w.opt_out_at"
                               " FROM work w JOIN owner o ON o.id = w.owner_id ORDER BY w.id";

static enum err_code plan_work(struct token_windows *windows, struct db_stmt *list,
                               const struct token_windows_options *options, struct error *err) {
    struct planned_work work = {.id = 0};
    const struct hash_part none = {"", 0};
    struct hash_part owner, sha256;
    const char *name = NULL;
    TRY(db_column_i64(list, WORK_ID, &work.id, err));
    TRY(db_column_i64(list, WORK_OWNER_ID, &work.owner_id, err));
    if (!is_chosen(options, work.owner_id)) {
        return ERR_OK;
    }
    if (!db_column_is_null(list, WORK_OPT_OUT)) {
        int64_t opt_out_at = 0;
        TRY(db_column_i64(list, WORK_OPT_OUT, &opt_out_at, err));
        if (opt_out_at <= options->now_ms) {
            windows->counts.opted_out_works++;
            return ERR_OK;
        }
    }
    TRY(db_column_text(list, WORK_OWNER_NAME, &name, &owner.count, err));
    TRY(db_column_blob(list, WORK_SHA256, &sha256.bytes, &sha256.count, err));
    owner.bytes = name;
    TRY(key_of(options, owner, none, &work.owner_key, err));
    TRY(key_of(options, owner, sha256, &work.key, err));
    TRY(reserve(ARRAY_REF(windows->works), &windows->work_capacity, windows->work_count + 1, err));
    windows->works[windows->work_count++] = work;
    return ERR_OK;
}

static int compare_works(const void *left, const void *right) {
    const struct planned_work *a = left, *b = right;
    int by_owner = memcmp(a->owner_key.bytes, b->owner_key.bytes, sizeof a->owner_key.bytes);
    return by_owner != 0 ? by_owner : memcmp(a->key.bytes, b->key.bytes, sizeof a->key.bytes);
}

static enum err_code plan_works(struct token_windows *windows, struct db *db,
                                const struct token_windows_options *options, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *list = NULL;
    bool has_row = false;
    TRY(db_stmt_open(db, list_sql, &list, err));
    for (;;) {
        TRY(db_stmt_step(list, &has_row, err));
        if (!has_row) {
            break;
        }
        TRY(plan_work(windows, list, options, err));
    }
    if (windows->work_count == 0) {
        return err_set(err, ERR_DATA,
                       "no work may be trained on: %" PRId64 " have been opted out of it, and the "
                       "project holds no others%s",
                       windows->counts.opted_out_works,
                       options->owner_ids ? " of these owners" : "");
    }
    qsort(windows->works, (size_t)windows->work_count, sizeof *windows->works, compare_works);
    return ERR_OK;
}

/* ---- their tokens ---- */

static const char text_sql[] = "SELECT t.content, w.sha256, w.title, o.name FROM work w"
                               " JOIN work_text t ON t.work_id = w.id"
                               " JOIN owner o ON o.id = w.owner_id WHERE w.id = ?1";

static enum err_code check_digest(struct db_stmt *find, const char *text, size_t bytes,
                                  struct error *err) {
    struct hash_digest digest;
    const void *sha256 = NULL;
    const char *title = NULL;
    const char *owner = NULL;
    size_t count = 0, ignored = 0;
    TRY(hash_bytes(text, bytes, &digest, err));
    TRY(db_column_blob(find, 1, &sha256, &count, err));
    if (count == sizeof digest.bytes && memcmp(sha256, digest.bytes, count) == 0) {
        return ERR_OK;
    }
    TRY(db_column_text(find, 2, &title, &ignored, err));
    TRY(db_column_text(find, 3, &owner, &ignored, err));
    return err_set(err, ERR_DATA,
                   "work '%.100s' of '%.100s': its text is not the one that was imported (SHA-256 "
                   "differs): import it again into a new project",
                   title, owner);
}

static enum err_code encode_work(struct token_windows *windows, const struct tokenizer *tok,
                                 struct text_span text, struct token_list *tokens,
                                 struct error *err) {
    int32_t bos = tokenizer_adds_bos(tok) ? tokenizer_bos(tok) : -1;
    int32_t eos = tokenizer_eos(tok);
    token_list_reset(tokens);
    if (bos >= 0) {
        TRY(token_list_add(tokens, bos, 0, 0, err));
    }
    TRY(tokenizer_encode(tok, text.bytes, text.count, TOKENIZER_SPECIAL_AS_TEXT, tokens, err));
    if (eos >= 0) {
        TRY(token_list_add(tokens, eos, (uint32_t)text.count, (uint32_t)text.count, err));
    }
    TRY(reserve(ARRAY_REF(windows->ids), &windows->id_capacity, windows->id_count + tokens->count,
                err));
    if (tokens->count > 0) {
        memcpy(windows->ids + windows->id_count, tokens->ids,
               (size_t)tokens->count * sizeof *tokens->ids);
    }
    windows->id_count += tokens->count;
    windows->counts.bytes += (int64_t)text.count;
    return ERR_OK;
}

static enum err_code read_work(struct token_windows *windows, const struct tokenizer *tok,
                               struct db_stmt *find, const struct planned_work *work,
                               struct token_list *tokens, struct error *err) {
    const char *text = NULL;
    size_t bytes = 0;
    bool has_row = false;
    db_bind_i64(find, 1, work->id);
    TRY(db_stmt_step(find, &has_row, err));
    if (!has_row) {
        return err_set(err, ERR_DATA, "work %" PRId64 " of the project has no text", work->id);
    }
    TRY(db_column_text(find, 0, &text, &bytes, err));
    TRY(check_digest(find, text, bytes, err));
    int64_t begin = windows->id_count;
    const struct text_span read = text_span_skip_bom((struct text_span){text, bytes});
    TRY(encode_work(windows, tok, read, tokens, err));
    if (tokens->dropped_bytes > 0) {
        return err_set(err, ERR_DATA,
                       "work %" PRId64 ": %" PRId64 " bytes are no token of this tokenizer, which "
                       "has none for what is unknown",
                       work->id, tokens->dropped_bytes);
    }
    db_stmt_reset(find);
    TRY(reserve(ARRAY_REF(windows->stream), &windows->stream_capacity, windows->stream_count + 1,
                err));
    windows->stream[windows->stream_count++] = (struct stream_part){
        .work_id = work->id, .begin = begin, .count = windows->id_count - begin};
    return ERR_OK;
}

static enum err_code read_works(struct token_windows *windows, struct db *db,
                                const struct tokenizer *tok, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *find = NULL;
    SCOPED(token_list) struct token_list tokens = TOKEN_LIST_INIT;
    TRY(db_stmt_open(db, text_sql, &find, err));
    for (int64_t w = 0; w < windows->work_count; w++) {
        if (interrupt_requested()) {
            return err_set(err, ERR_INTERRUPTED, "interrupted after %" PRId64 " works", w);
        }
        TRY(read_work(windows, tok, find, &windows->works[w], &tokens, err));
    }
    windows->counts.works = windows->work_count;
    windows->counts.tokens = windows->id_count;
    return ERR_OK;
}

/* ---- windows ---- */

struct cutter {
    struct token_windows *windows;
    const struct token_windows_options *options;
    const struct planned_work *work; /* the first of the present owner */
    int64_t number;                  /* of the owner's next window */
    int64_t part;                    /* of the stream: the first that may lie in the next window */
};

/* Where the works that lie in a window lie in it. */
static enum err_code add_parts(struct cutter *cutter, struct planned_window *window,
                               struct error *err) {
    struct token_windows *windows = cutter->windows;
    int64_t end = window->begin + window->count;
    window->first_part = windows->part_count;
    for (int64_t p = cutter->part; p < windows->stream_count && windows->stream[p].begin < end;
         p++) {
        const struct stream_part *from = &windows->stream[p];
        int64_t from_end = from->begin + from->count;
        int64_t first = from->begin > window->begin ? from->begin : window->begin;
        int64_t last = from_end < end ? from_end : end;
        cutter->part = p;
        if (first >= last) {
            continue;
        }
        TRY(reserve(ARRAY_REF(windows->parts), &windows->part_capacity, windows->part_count + 1,
                    err));
        windows->parts[windows->part_count++] = (struct token_window_part){
            .work_id = from->work_id, .begin = first - window->begin, .count = last - first};
    }
    window->part_count = windows->part_count - window->first_part;
    return ERR_OK;
}

static enum err_code add_window(struct cutter *cutter, int64_t begin, int64_t count,
                                struct error *err) {
    struct token_windows *windows = cutter->windows;
    const struct hash_key *owner = &cutter->work->owner_key;
    int64_t number = cutter->number++;
    struct planned_window window = {
        .begin = begin, .count = count, .owner_id = cutter->work->owner_id};
    if (count < cutter->options->tokens && cutter->options->drop_tails) {
        windows->counts.dropped_tokens += count;
        return ERR_OK;
    }
    TRY(key_of(cutter->options, (struct hash_part){owner->bytes, sizeof owner->bytes},
               (struct hash_part){&number, sizeof number}, &window.key, err));
    TRY(add_parts(cutter, &window, err));
    TRY(reserve(ARRAY_REF(windows->windows), &windows->window_capacity, windows->window_count + 1,
                err));
    windows->windows[windows->window_count++] = window;
    return ERR_OK;
}

static int compare_windows(const void *left, const void *right) {
    const struct planned_window *a = left, *b = right;
    return memcmp(a->key.bytes, b->key.bytes, sizeof a->key.bytes);
}

static enum err_code cut(struct token_windows *windows, const struct token_windows_options *options,
                         struct error *err) {
    struct cutter cutter = {.windows = windows, .options = options};
    for (int64_t w = 0; w < windows->work_count;) {
        int64_t at = windows->stream[w].begin;
        cutter.work = &windows->works[w];
        cutter.number = 0;
        while (w < windows->work_count && windows->works[w].owner_id == cutter.work->owner_id) {
            w++;
        }
        int64_t end = w < windows->work_count ? windows->stream[w].begin : windows->id_count;
        for (; at < end; at += options->tokens) {
            TRY(add_window(&cutter, at, end - at < options->tokens ? end - at : options->tokens,
                           err));
        }
        windows->counts.owners++;
    }
    if (windows->window_count > 0) {
        qsort(windows->windows, (size_t)windows->window_count, sizeof *windows->windows,
              compare_windows);
    }
    return ERR_OK;
}

/* ---- the face ---- */

enum err_code token_windows_new(struct db *db, const struct tokenizer *tok,
                                const struct token_windows_options *options,
                                struct token_windows **out, struct error *err) {
    if (options->tokens < 2 || options->tokens > TOKEN_WINDOW_MAX) {
        return err_set(err, ERR_USAGE, "windows of %" PRId64 " tokens are outside [2, %d]",
                       options->tokens, TOKEN_WINDOW_MAX);
    }
    SCOPED(token_windows) struct token_windows *windows = mem_array_zero(1, sizeof *windows);
    if (!windows) {
        return err_oom(err, "windows of works");
    }
    TRY(plan_works(windows, db, options, err));
    TRY(read_works(windows, db, tok, err));
    TRY(cut(windows, options, err));
    *out = MOVE(windows);
    return ERR_OK;
}

int64_t token_windows_count(const struct token_windows *windows) {
    return windows->window_count;
}

struct token_window token_windows_at(const struct token_windows *windows, int64_t index) {
    ASSERT(index >= 0 && index < windows->window_count);
    const struct planned_window *window = &windows->windows[index];
    return (struct token_window){.ids = windows->ids + window->begin,
                                 .count = window->count,
                                 .owner_id = window->owner_id,
                                 .parts = windows->parts + window->first_part,
                                 .part_count = window->part_count};
}

struct token_windows_counts token_windows_counts(const struct token_windows *windows) {
    return windows->counts;
}
