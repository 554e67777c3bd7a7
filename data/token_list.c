/* token_list.c - see token_list.h. */
#include "data/token_list.h"

#include "base/mem.h"

void token_list_deinit(struct token_list *list) {
    mem_free(list->ids);
    mem_free(list->begins);
    mem_free(list->ends);
    *list = (struct token_list)TOKEN_LIST_INIT;
}

void token_list_reset(struct token_list *list) {
    list->count = 0;
    list->dropped_bytes = 0;
}

enum err_code token_list_reserve(struct token_list *list, int64_t more, struct error *err) {
    if (list->capacity - list->count >= more) {
        return ERR_OK;
    }
    size_t capacity = mem_grown_capacity((size_t)list->capacity, (size_t)(list->count + more));
    int32_t *ids = mem_array_resize(list->ids, capacity, sizeof *ids);
    list->ids = ids ? ids : list->ids;
    uint32_t *begins = mem_array_resize(list->begins, capacity, sizeof *begins);
    list->begins = begins ? begins : list->begins;
    uint32_t *ends = mem_array_resize(list->ends, capacity, sizeof *ends);
    list->ends = ends ? ends : list->ends;
    if (!ids || !begins || !ends) {
        return err_oom(err, "tokens");
    }
    list->capacity = (int64_t)capacity;
    return ERR_OK;
}

enum err_code token_list_add(struct token_list *list, int32_t id, uint32_t begin, uint32_t end,
                             struct error *err) {
    TRY(token_list_reserve(list, 1, err));
    token_list_put(list, id, begin, end);
    return ERR_OK;
}
