/* alloc_loop.c - see alloc_loop.h. */
#include "tests/support/alloc_loop.h"

#include "base/mem.h"
#include "tests/support/test.h"

#include <stdbool.h>

#define ALLOCATIONS_MAX 100000

/* With the allocations up to `first` - 1 left alone. */
static void check(alloc_loop_operation operation, void *context, int64_t first, bool may_succeed) {
    for (int64_t n = first; n <= ALLOCATIONS_MAX; n++) {
        int64_t live_before = mem_live_blocks();
        struct error err = ERROR_INIT;
        mem_fail_nth(n);
        enum err_code code = operation(context, &err);
        int reached = mem_fail_reached();
        mem_fail_nth(0);
        if (mem_live_blocks() != live_before) {
            fail_msg("allocation %lld failing: %lld blocks leaked", (long long)n,
                     (long long)(mem_live_blocks() - live_before));
        }
        if (!reached) {
            if (code != ERR_OK) {
                fail_msg("no allocation failed, yet: %s", err.msg);
            }
            assert_true(n > first); /* an operation that allocates nothing tests nothing */
            return;
        }
        if (code != ERR_OOM && !(may_succeed && code == ERR_OK)) {
            fail_msg("allocation %lld failing: expected OOM, got %s with '%s'", (long long)n,
                     err_name(code), err.msg);
        }
    }
    fail_msg("still failing after %d allocations", ALLOCATIONS_MAX);
}

void alloc_loop_check(alloc_loop_operation operation, void *context) {
    check(operation, context, 1, false);
}

void alloc_loop_check_tolerant(alloc_loop_operation operation, void *context) {
    check(operation, context, 1, true);
}

static bool allocates(alloc_loop_operation operation, void *context, int64_t n) {
    struct error ignored = ERROR_INIT;
    mem_fail_nth(n);
    (void)!operation(context, &ignored);
    bool reached = mem_fail_reached();
    mem_fail_nth(0);
    return reached;
}

/* How many allocations the operation makes, by bisection. */
static int64_t count_allocations(alloc_loop_operation operation, void *context) {
    int64_t low = 0, high = ALLOCATIONS_MAX;
    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2;
        if (allocates(operation, context, middle)) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

void alloc_loop_check_after(alloc_loop_operation prologue, alloc_loop_operation operation,
                            void *context) {
    check(operation, context, count_allocations(prologue, context) + 1, true);
}
