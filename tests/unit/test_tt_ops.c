/* test_tt_ops.c - runs the boundary tests of every tensor op: right results, with values that would
 * expose swapped arguments, and refusals with the right message. */
#include "tests/unit/test_tt_ops.h"

int main(void) {
    int failed = 0;
    failed += tt_create_tests();
    failed += tt_pointwise_tests();
    failed += tt_inplace_tests();
    failed += tt_reduce_tests();
    failed += tt_arrange_tests();
    failed += tt_network_tests();
    failed += tt_transformer_tests();
    failed += tt_fused_tests();
    failed += tt_head_pair_tests();
    failed += tt_train_rows_tests();
    return failed != 0;
}
