#include "data/epoch_order.h"

#include "tests/support/alloc_loop.h"
#include "tests/support/test.h"

/* Every number once; each of the six orders of three about as often as the others: 6,000 epochs,
 * 1,000 expected, chi-squared with five degrees of freedom below 20.5 (p = 0.001). */
static void test_shuffle__is_a_uniform_permutation(void **state) {
    (void)state;
    int64_t counts[27] = {0};
    for (int64_t epoch = 0; epoch < 6000; epoch++) {
        int64_t order[3];
        epoch_order_shuffle(3, 1, epoch, order);
        assert_int_equal((1 << order[0]) | (1 << order[1]) | (1 << order[2]), 7);
        counts[9 * order[0] + 3 * order[1] + order[2]]++;
    }
    const int places[] = {5, 7, 11, 15, 19, 21}; /* 012 021 102 120 201 210 in base three */
    double chi_squared = 0;
    for (int i = 0; i < 6; i++) {
        const double off = (double)counts[places[i]] - 1000;
        chi_squared += off * off / 1000;
    }
    assert_true(chi_squared < 20.5);
}

static void test_shuffle__follows_from_seed_and_epoch(void **state) {
    (void)state;
    int64_t first[50];
    int64_t again[50];
    int64_t later[50];
    epoch_order_shuffle(50, 3, 7, first);
    epoch_order_shuffle(50, 3, 7, again);
    epoch_order_shuffle(50, 3, 8, later);
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, later, sizeof first);
}

/* Two epochs of five: each example once in either, and the same again from the middle on, as where
 * a run is resumed. */
static void test_at__goes_through_epochs(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct epoch_order order = EPOCH_ORDER_INIT;
    struct epoch_order resumed = EPOCH_ORDER_INIT;
    assert_ok(epoch_order_init(&order, 5, 11, &err), &err);
    assert_ok(epoch_order_init(&resumed, 5, 11, &err), &err);
    for (int64_t epoch = 0; epoch < 2; epoch++) {
        int64_t seen = 0;
        for (int64_t i = 0; i < 5; i++) {
            const int64_t place = epoch_order_at(&order, 5 * epoch + i);
            seen |= INT64_C(1) << place;
            if (5 * epoch + i >= 7) {
                assert_int_equal(epoch_order_at(&resumed, 5 * epoch + i), place);
            }
        }
        assert_int_equal(seen, 31);
    }
    epoch_order_deinit(&order);
    epoch_order_deinit(&resumed);
}

static enum err_code make_one(void *context, struct error *err) {
    (void)context;
    struct epoch_order order = EPOCH_ORDER_INIT;
    enum err_code code = epoch_order_init(&order, 3, 1, err);
    epoch_order_deinit(&order);
    return code;
}

static void test_init__survives_every_failing_allocation(void **state) {
    (void)state;
    alloc_loop_check(make_one, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shuffle__is_a_uniform_permutation),
        cmocka_unit_test(test_shuffle__follows_from_seed_and_epoch),
        cmocka_unit_test(test_at__goes_through_epochs),
        cmocka_unit_test(test_init__survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
