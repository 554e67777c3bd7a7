/* token_list.c - see token_list.h. */
#include "data/token_list.h"

#include "base/array.h"
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
    const struct array_ref arrays[] = {ARRAY_REF(list->ids), ARRAY_REF(list->begins),
                                       ARRAY_REF(list->ends)};
    return arrays_reserve(arrays, 3, &list->capacity, list->count + more, "tokens", err);
}

enum err_code token_list_add(struct token_list *list, int32_t id, uint32_t begin, uint32_t end,
                             struct error *err) {
    TRY(token_list_reserve(list, 1, err));
    token_list_put(list, id, begin, end);
    return ERR_OK;
}
