/* alloc_loop.c - see alloc_loop.h. */
#include "tests/support/alloc_loop.h"

#include "base/mem.h"
#include "tests/support/test.h"

#include <stdbool.h>

#define ALLOCATIONS_MAX 100000

static void check(alloc_loop_operation operation, void *context, bool may_succeed) {
    for (int64_t n = 1; n <= ALLOCATIONS_MAX; n++) {
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
            assert_true(n > 1); /* an operation that allocates nothing tests nothing */
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
    check(operation, context, false);
}

void alloc_loop_check_tolerant(alloc_loop_operation operation, void *context) {
    check(operation, context, true);
}
