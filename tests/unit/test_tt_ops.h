/* test_tt_ops.h - the parts of the one test program for tensor ops: one file for each section of
 * tensor/tt_ops.h. Loading libtorch takes half a second, so they share a process. */
#ifndef TESTS_UNIT_TEST_TT_OPS_H
#define TESTS_UNIT_TEST_TT_OPS_H

/* Each runs its tests and returns how many failed. */
int tt_create_tests(void);
int tt_pointwise_tests(void);
int tt_inplace_tests(void);
int tt_reduce_tests(void);
int tt_arrange_tests(void);
int tt_network_tests(void);
int tt_transformer_tests(void);
int tt_fused_tests(void);
int tt_head_pair_tests(void);
int tt_train_rows_tests(void);

#endif
