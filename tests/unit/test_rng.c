/* Published vectors: Random123's kat_vectors, lines "philox4x32 10". The pinned stream was computed
 * by a separate Python implementation from the layout in rng.h. Critical values of chi-square are
 * those of probability 0.001 in the usual tables; seeds are fixed, so the verdicts do not vary. */
#include "base/rng.h"

#include "tests/support/test.h"

#include <math.h>

#define SEED UINT64_C(20240607)

static struct rng test_stream(int64_t step, int64_t item) {
    return rng_stream(SEED, RNG_TEST, step, item);
}

static double chi_square(const int64_t *counts, int64_t cells, int64_t draws) {
    double expected = (double)draws / (double)cells;
    double sum = 0.0;
    for (int64_t i = 0; i < cells; i++) {
        double difference = (double)counts[i] - expected;
        sum += difference * difference / expected;
    }
    return sum;
}

static void test_rng_philox4x32__published_vectors(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], words[4];
    } vectors[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint32_t words[RNG_BLOCK_WORDS];
        rng_philox4x32(vectors[i].counter, vectors[i].key, words);
        assert_memory_equal(words, vectors[i].words, sizeof words);
    }
}

/* step 0x12_3456789a, item 0xabcd_ef012345 and purpose 8, laid out by hand. */
static void test_rng_stream__counter_layout(void **state) {
    (void)state;
    assert_int_equal(RNG_TEST, 8);
    struct rng rng =
        rng_stream(UINT64_C(0x0123456789abcdef), RNG_TEST, 0x123456789a, 0xabcdef012345);
    uint32_t counter[] = {0, 0xef012345, 0x789aabcd, 0x08123456};
    const uint32_t key[] = {0x89abcdef, 0x01234567};
    for (uint32_t block = 0; block < 3; block++) {
        uint32_t words[RNG_BLOCK_WORDS];
        counter[0] = block;
        rng_philox4x32(counter, key, words);
        for (int i = 0; i < RNG_BLOCK_WORDS; i++) {
            assert_int_equal(rng_u32(&rng), words[i]);
        }
    }
}

static void test_rng_stream__pinned_numbers(void **state) {
    (void)state;
    static const uint32_t words[] = {0x203b673a, 0xecef9c19, 0x0d350cb5, 0x040ea3f4,
                                     0x5c6022f8, 0xc3831d26, 0x63671325, 0x1b74d1bc};
    static const double uniforms[] = {0.9255311547606033, 0.015848395426662276, 0.7637193888334655,
                                      0.10725127076457519};
    static const double normals[] = {1.4432939246645058, -2.148213599344333, 0.7183180190018971,
                                     -1.241279428176926};
    const struct rng start = rng_stream(42, RNG_SAMPLE, 7, 11);
    struct rng as_words = start;
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(rng_u32(&as_words), words[i]);
    }
    struct rng as_uniforms = start;
    struct rng as_normals = start;
    for (size_t i = 0; i < 4; i++) {
        assert_true(rng_uniform(&as_uniforms) == uniforms[i]);
        assert_true(fabs(rng_normal(&as_normals) - normals[i]) < 1e-14);
    }
    struct rng as_f32 = start;
    assert_true((double)rng_uniform_f32(&as_f32) == 0.12590640783309937);
    assert_true((double)rng_uniform_f32(&as_f32) == 0.9255311489105225);
}

static void test_rng_stream__each_part_of_the_key_matters(void **state) {
    (void)state;
    const struct rng streams[] = {
        rng_stream(0, RNG_INIT, 0, 0),
        rng_stream(1, RNG_INIT, 0, 0),
        rng_stream(UINT64_C(1) << 63, RNG_INIT, 0, 0),
        rng_stream(0, RNG_SHUFFLE, 0, 0),
        rng_stream(0, RNG_TEST, 0, 0),
        rng_stream(0, RNG_INIT, 1, 0),
        rng_stream(0, RNG_INIT, INT64_C(1) << 16, 0),
        rng_stream(0, RNG_INIT, RNG_STEP_MAX, 0),
        rng_stream(0, RNG_INIT, 0, 1),
        rng_stream(0, RNG_INIT, 0, INT64_C(1) << 32),
        rng_stream(0, RNG_INIT, 0, RNG_ITEM_MAX),
        rng_stream(0, RNG_INIT, RNG_STEP_MAX, RNG_ITEM_MAX),
    };
    size_t count = sizeof streams / sizeof streams[0];
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            assert_memory_not_equal(streams[i].words, streams[j].words, sizeof streams[i].words);
        }
    }
}

/* The first numbers of neighbouring streams are as good as the numbers of one stream: uniform, and
 * uncorrelated from one stream to the next. */
static void test_rng_stream__neighbours_are_independent(void **state) {
    (void)state;
    const int64_t draws = 64000;
    int64_t counts[64] = {0};
    double products = 0.0;
    double previous = 0.5;
    for (int64_t item = 0; item < draws; item++) {
        struct rng rng = test_stream(3, item);
        double u = rng_uniform(&rng);
        counts[(int64_t)(u * 64.0)]++;
        products += (u - 0.5) * (previous - 0.5);
        previous = u;
    }
    assert_true(chi_square(counts, 64, draws) < 103.44); /* 63 degrees of freedom */
    /* correlation has standard deviation 1 / sqrt(64000) = 0.00395; four of them */
    assert_true(fabs(products * 12.0 / (double)draws) < 0.0158);
}

static void test_rng_stream__copy_continues_with_the_same_numbers(void **state) {
    (void)state;
    struct rng rng = test_stream(0, 0);
    (void)rng_u32(&rng);
    struct rng copy = rng;
    for (int i = 0; i < 9; i++) {
        assert_int_equal(rng_u32(&rng), rng_u32(&copy));
    }
}

static void test_rng_uniform__stays_in_its_interval(void **state) {
    (void)state;
    /* words chosen by hand: all ones and all zeros */
    struct rng ones = {.words = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}};
    struct rng zeros = {.words = {0, 0, 0, 0}};
    struct rng rng = ones;
    assert_true(rng_uniform(&rng) == 1.0 - 0x1p-53);
    assert_true(rng_uniform_open(&rng) == 1.0 - 0x1p-53);
    rng = zeros;
    assert_true(rng_uniform(&rng) == 0.0);
    assert_true(rng_uniform_open(&rng) == 0x1p-53);
    rng = ones;
    assert_true(rng_uniform_f32(&rng) == 1.0F - 0x1p-24F);
    rng = zeros;
    assert_true(rng_uniform_f32(&rng) == 0.0F);
    rng = zeros;
    assert_true(rng_normal(&rng) < -8.2 && rng_normal(&rng) > -8.3);
}

/* Against the same product in a 128-bit type. Rejection has probability below 2^-20 here. */
static void test_rng_below__high_half_of_the_product(void **state) {
    (void)state;
    __extension__ typedef unsigned __int128 uint128;
    static const int64_t bounds[] = {1, 2, 3, 1000003, INT64_C(0xffffffff), INT64_C(0x123456789ab)};
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        struct rng rng = test_stream(1, (int64_t)i);
        struct rng same = rng;
        for (int n = 0; n < 100; n++) {
            uint128 product = (uint128)rng_u64(&same) * (uint64_t)bounds[i];
            assert_int_equal(rng_below(&rng, bounds[i]), (int64_t)(product >> 64));
        }
    }
}

static void test_rng_below__reaches_every_value_equally(void **state) {
    (void)state;
    const int64_t draws = 100000;
    int64_t counts[100] = {0};
    struct rng rng = test_stream(2, 0);
    for (int64_t i = 0; i < draws; i++) {
        int64_t value = rng_below(&rng, 100);
        assert_in_range(value, 0, 99);
        counts[value]++;
    }
    assert_true(chi_square(counts, 100, draws) < 148.23); /* 99 degrees of freedom */
}

/* With bound 3 * 2^61, a plain remainder would give [0, 2^62) three draws in four instead of two in
 * three; 10000 draws have a standard deviation of 0.0047. */
static void test_rng_below__no_modulo_bias(void **state) {
    (void)state;
    struct rng rng = test_stream(4, 0);
    int64_t low = 0;
    for (int i = 0; i < 10000; i++) {
        low += rng_below(&rng, 3 * (INT64_C(1) << 61)) < (INT64_C(1) << 62);
    }
    assert_true(fabs((double)low / 10000.0 - 2.0 / 3.0) < 0.019);
}

/* n = 200000: standard deviations of mean, variance and fourth moment are sqrt(1/n), sqrt(2/n) and
 * sqrt(96/n); four of each. */
static void test_rng_normal__moments(void **state) {
    (void)state;
    const double n = 200000.0;
    struct rng rng = test_stream(5, 0);
    double first = 0.0;
    double second = 0.0;
    double fourth = 0.0;
    for (int i = 0; i < 200000; i++) {
        double z = rng_normal(&rng);
        first += z / n;
        second += z * z / n;
        fourth += z * z * z * z / n;
    }
    assert_true(fabs(first) < 4.0 * sqrt(1.0 / n));
    assert_true(fabs(second - 1.0) < 4.0 * sqrt(2.0 / n));
    assert_true(fabs(fourth - 3.0) < 4.0 * sqrt(96.0 / n));
}

/* Ten cells of equal probability under the distribution function itself, by erfc. */
static void test_rng_normal__distribution(void **state) {
    (void)state;
    const int64_t draws = 50000;
    int64_t counts[10] = {0};
    struct rng rng = test_stream(6, 0);
    for (int64_t i = 0; i < draws; i++) {
        double p = 0.5 * erfc(-rng_normal(&rng) / sqrt(2.0));
        counts[(int64_t)(p * 10.0)]++;
    }
    assert_true(chi_square(counts, 10, draws) < 27.88); /* 9 degrees of freedom */
}

static void test_rng_fill__same_as_single_calls(void **state) {
    (void)state;
    float uniforms[11];
    float normals[11];
    struct rng rng = test_stream(7, 0);
    struct rng same = rng;
    rng_fill_uniform_f32(&rng, uniforms, 11);
    rng_fill_normal_f32(&rng, normals, 11);
    for (int i = 0; i < 11; i++) {
        assert_true(uniforms[i] == rng_uniform_f32(&same));
    }
    for (int i = 0; i < 11; i++) {
        assert_true(normals[i] == (float)rng_normal(&same));
    }
}

/* An order of {0, 1, 2, 3} as a number below 256. */
static int64_t order_code(const int64_t *indices) {
    return indices[0] * 64 + indices[1] * 16 + indices[2] * 4 + indices[3];
}

static void test_rng_shuffle__every_order_equally_often(void **state) {
    (void)state;
    const int64_t draws = 24000;
    int64_t counts_by_code[256] = {0};
    for (int64_t i = 0; i < draws; i++) {
        struct rng rng = test_stream(8, i);
        int64_t indices[] = {0, 1, 2, 3};
        rng_shuffle(&rng, indices, 4);
        counts_by_code[order_code(indices)]++;
    }
    int64_t counts[24] = {0};
    int64_t orders = 0;
    for (int64_t code = 0; code < 256; code++) {
        if (counts_by_code[code] > 0) {
            assert_true(orders < 24);
            counts[orders++] = counts_by_code[code];
        }
    }
    assert_int_equal(orders, 24);
    assert_true(chi_square(counts, 24, draws) < 49.73); /* 23 degrees of freedom */
}

static void test_rng_shuffle__empty_and_single(void **state) {
    (void)state;
    struct rng rng = test_stream(9, 0);
    const struct rng before = rng;
    int64_t single[] = {17};
    rng_shuffle(&rng, single, 0);
    rng_shuffle(&rng, single, 1);
    assert_int_equal(single[0], 17);
    assert_memory_equal(&rng, &before, sizeof rng); /* nothing was drawn */
}

static void test_rng_purpose_text__of_the_list(void **state) {
    (void)state;
    assert_string_equal(rng_purpose_text(RNG_INIT), "parameter initialisation");
    assert_string_equal(rng_purpose_text(RNG_TEST), "tests");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rng_philox4x32__published_vectors),
        cmocka_unit_test(test_rng_stream__counter_layout),
        cmocka_unit_test(test_rng_stream__pinned_numbers),
        cmocka_unit_test(test_rng_stream__each_part_of_the_key_matters),
        cmocka_unit_test(test_rng_stream__neighbours_are_independent),
        cmocka_unit_test(test_rng_stream__copy_continues_with_the_same_numbers),
        cmocka_unit_test(test_rng_uniform__stays_in_its_interval),
        cmocka_unit_test(test_rng_below__high_half_of_the_product),
        cmocka_unit_test(test_rng_below__reaches_every_value_equally),
        cmocka_unit_test(test_rng_below__no_modulo_bias),
        cmocka_unit_test(test_rng_normal__moments),
        cmocka_unit_test(test_rng_normal__distribution),
        cmocka_unit_test(test_rng_fill__same_as_single_calls),
        cmocka_unit_test(test_rng_shuffle__every_order_equally_often),
        cmocka_unit_test(test_rng_shuffle__empty_and_single),
        cmocka_unit_test(test_rng_purpose_text__of_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
