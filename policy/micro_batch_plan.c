/* micro_batch_plan.c - see micro_batch_plan.h. */
#include "policy/micro_batch_plan.h"

/* `*out_tokens` is what the micro-batch has. */
static int64_t find_end(const struct micro_batch_plan *plan, int64_t first, int64_t *out_tokens) {
    int64_t tokens = plan->tokens_of(plan->context, first, first);
    int64_t end = first + 1;
    for (; end < plan->count; end++) {
        const int64_t more = plan->tokens_of(plan->context, end, first);
        if (tokens + more > plan->tokens_max) {
            break;
        }
        tokens += more;
    }
    *out_tokens = tokens;
    return end;
}

int64_t micro_batch_end(const struct micro_batch_plan *plan, int64_t first) {
    int64_t tokens = 0;
    return find_end(plan, first, &tokens);
}

int64_t micro_batch_most(const struct micro_batch_plan *plan) {
    int64_t most = 0;
    for (int64_t first = 0; first < plan->count;) {
        int64_t tokens = 0;
        first = find_end(plan, first, &tokens);
        most = tokens > most ? tokens : most;
    }
    return most;
}
