/* import_batch.c - see import_batch.h. */
#include "data/import_batch.h"

#include <inttypes.h>
#include <string.h>

#define ROWS_MIN 4

void import_batch_deinit(struct import_batch *batch) {
    arena_deinit(&batch->arena);
    *batch = (struct import_batch){.arena = batch->arena};
}

void import_batch_reset(struct import_batch *batch) {
    arena_reset(&batch->arena);
    *batch = (struct import_batch){.arena = batch->arena};
}

/* Why the arena gave nothing: it has reached its maximum, or memory is gone. */
static enum err_code refuse_memory(const struct arena *arena, size_t bytes, const char *what,
                                   struct error *err) {
    if (bytes > arena->bytes_max - arena->bytes_reserved) {
        return err_set(err, ERR_LIMIT, "one row makes %s of more than %zu MiB", what,
                       arena->bytes_max / MIB);
    }
    return err_oom(err, what);
}

/* `count` zeroed items; `count` is within some limit, so the product does not overflow. */
static enum err_code take_zeroed(struct import_batch *batch, int64_t count, size_t item_bytes,
                                 const char *what, void **out_items, struct error *err) {
    size_t bytes = (size_t)count * item_bytes;
    void *items = arena_array(&batch->arena, (size_t)count, item_bytes);
    if (!items) {
        return refuse_memory(&batch->arena, bytes, what, err);
    }
    memset(items, 0, bytes);
    *out_items = items;
    return ERR_OK;
}

/* Room for one more pointer in a list of them; the old list stays behind in the arena. */
static enum err_code reserve_pointer(struct import_batch *batch, void *list, int64_t count,
                                     int64_t *capacity, void **out_list, struct error *err) {
    if (count < *capacity) {
        *out_list = list;
        return ERR_OK;
    }
    int64_t grown = *capacity > 0 ? *capacity * 2 : ROWS_MIN;
    void *moved = NULL;
    TRY(take_zeroed(batch, grown, sizeof(void *), "preferences", &moved, err));
    if (count > 0) {
        memcpy(moved, list, (size_t)count * sizeof(void *));
    }
    *capacity = grown;
    *out_list = moved;
    return ERR_OK;
}

enum err_code import_batch_add(struct import_batch *batch, enum preference_kind kind,
                               int64_t response_count, struct preference **out_row,
                               struct preference_response **out_responses, struct error *err) {
    if (response_count < 0 || response_count > PREFERENCE_RESPONSES_MAX) {
        return err_set(err, ERR_LIMIT, "%" PRId64 " responses; the limit is %d", response_count,
                       PREFERENCE_RESPONSES_MAX);
    }
    void *list = NULL;
    TRY(reserve_pointer(batch, batch->rows, batch->row_count, &batch->row_capacity, &list, err));
    batch->rows = list;
    void *row = NULL;
    void *responses = NULL;
    TRY(take_zeroed(batch, 1, sizeof(struct preference), "a preference", &row, err));
    TRY(take_zeroed(batch, response_count, sizeof(struct preference_response), "responses",
                    &responses, err));
    struct preference *made = row;
    *made = (struct preference){
        .kind = kind, .weight = 1.0, .responses = responses, .response_count = response_count};
    batch->rows[batch->row_count++] = made;
    *out_row = made;
    *out_responses = responses;
    return ERR_OK;
}

enum err_code import_batch_add_work(struct import_batch *batch, struct preference_work **out_work,
                                    struct error *err) {
    void *list = NULL;
    TRY(reserve_pointer(batch, batch->works, batch->work_count, &batch->work_capacity, &list, err));
    batch->works = list;
    void *work = NULL;
    TRY(take_zeroed(batch, 1, sizeof(struct preference_work), "a work", &work, err));
    batch->works[batch->work_count++] = work;
    *out_work = work;
    return ERR_OK;
}

enum err_code import_batch_messages(struct import_batch *batch, int64_t count,
                                    struct message **out_messages, struct error *err) {
    if (count < 0 || count > PREFERENCE_MESSAGES_MAX) {
        return err_set(err, ERR_LIMIT, "%" PRId64 " messages; the limit is %d", count,
                       PREFERENCE_MESSAGES_MAX);
    }
    void *messages = NULL;
    TRY(take_zeroed(batch, count, sizeof(struct message), "messages", &messages, err));
    *out_messages = messages;
    return ERR_OK;
}

enum err_code import_batch_text(struct import_batch *batch, const char *bytes, size_t count,
                                struct text_span *out_text, struct error *err) {
    char *copy = arena_strndup(&batch->arena, bytes, count);
    if (!copy) {
        return refuse_memory(&batch->arena, count + 1, "text", err);
    }
    *out_text = (struct text_span){.bytes = copy, .count = count};
    return ERR_OK;
}
