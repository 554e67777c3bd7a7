#include "tensor/kernels/kernel_pack.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "tests/support/kernel_ways.h"
#include "tests/support/test.h"

#define GUARD 0xDEADBEEFU

/* Every element says where it came from; nothing outside is written. Sizes around the 16 rows read
 * side by side, with strides beyond the rows. */
static void check_transpose(int64_t rows, int64_t columns, enum kernel_isa isa) {
    int64_t from_stride = columns + 3, to_stride = rows + 2;
    SCOPED(mem) uint32_t *from = mem_array((size_t)(rows * from_stride), sizeof *from);
    SCOPED(mem) uint32_t *to = mem_array((size_t)(columns * to_stride), sizeof *to);
    for (int64_t i = 0; i < rows * from_stride; i++) {
        from[i] = (uint32_t)i;
    }
    for (int64_t i = 0; i < columns * to_stride; i++) {
        to[i] = GUARD;
    }
    kernel_pack_transpose(
        &(struct kernel_pack_args){from, from_stride, rows, columns, to, to_stride}, isa);
    for (int64_t c = 0; c < columns; c++) {
        for (int64_t r = 0; r < to_stride; r++) {
            uint32_t expected = r < rows ? (uint32_t)(r * from_stride + c) : GUARD;
            assert_int_equal(to[c * to_stride + r], expected);
        }
    }
}

static void check_pairs(int64_t rows, int64_t columns, enum kernel_isa isa) {
    int64_t from_stride = columns + 3, to_stride = columns + 2, pairs = (rows + 1) / 2;
    SCOPED(mem) uint16_t *from = mem_array((size_t)(rows * from_stride), sizeof *from);
    SCOPED(mem) uint32_t *to = mem_array((size_t)(pairs * to_stride), sizeof *to);
    for (int64_t i = 0; i < rows * from_stride; i++) {
        from[i] = (uint16_t)i;
    }
    for (int64_t i = 0; i < pairs * to_stride; i++) {
        to[i] = GUARD;
    }
    kernel_pack_pairs(&(struct kernel_pack_args){from, from_stride, rows, columns, to, to_stride},
                      isa);
    for (int64_t p = 0; p < pairs; p++) {
        for (int64_t c = 0; c < to_stride; c++) {
            uint32_t low = from[2 * p * from_stride + (c < columns ? c : 0)];
            uint32_t high = 2 * p + 1 < rows ? from[(2 * p + 1) * from_stride + c] : 0;
            assert_int_equal(to[p * to_stride + c], c < columns ? low | high << 16 : GUARD);
        }
    }
}

static void test_kernel_pack__every_element_in_its_place(void **state) {
    (void)state;
    static const int64_t sizes[] = {1, 2, 15, 16, 17, 33, 256};
    struct kernel_cpu ways[KERNEL_WAYS_MAX];
    int count = kernel_ways_list(ways);
    for (int w = 0; w < count; w++) {
        for (int i = 0; i < 7; i++) {
            for (int j = 0; j < 7; j++) {
                check_transpose(sizes[i], sizes[j], ways[w].isa);
                check_pairs(sizes[i], sizes[j], ways[w].isa);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_pack__every_element_in_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
