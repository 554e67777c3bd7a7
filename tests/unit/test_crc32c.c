#include "base/crc32c.h"

#include "tests/support/test.h"

/* RFC 3720, appendix B.4: 32 bytes each. */
static void test_crc32c__published_vectors(void **state) {
    (void)state;
    unsigned char bytes[32];
    memset(bytes, 0x00, sizeof bytes);
    assert_int_equal(crc32c(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(crc32c(bytes, 32), 0x62a8ab43);
    for (unsigned char i = 0; i < 32; i++) {
        bytes[i] = i;
    }
    assert_int_equal(crc32c(bytes, 32), 0x46dd794e);
    for (unsigned char i = 0; i < 32; i++) {
        bytes[i] = (unsigned char)(31 - i);
    }
    assert_int_equal(crc32c(bytes, 32), 0x113fdb5c);
    /* The check value of the catalogue of parametrised CRC algorithms, CRC-32/ISCSI. */
    assert_int_equal(crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(crc32c("", 0), 0);
}

/* Bit by bit, from the definition, over every byte value: covers every table entry. */
static void test_crc32c__equals_the_definition(void **state) {
    (void)state;
    unsigned char bytes[256];
    uint32_t expected = 0xffffffff;
    for (unsigned i = 0; i < 256; i++) {
        bytes[i] = (unsigned char)(i * 167 + 13);
        expected ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            expected = expected >> 1 ^ ((expected & 1) != 0 ? 0x82f63b78 : 0);
        }
        assert_int_equal(crc32c(bytes, i + 1), expected ^ 0xffffffff);
    }
}

/* 0x8a9136aa rotated right by 15 is 0x6d551522; plus 0xa282ead8 is 0x10fd7fffa, cut to 32 bits. */
static void test_crc32c_masked__hand_worked(void **state) {
    (void)state;
    const unsigned char zeros[32] = {0};
    assert_int_equal(crc32c_masked(zeros, 32), 0x0fd7fffa);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c__published_vectors),
        cmocka_unit_test(test_crc32c__equals_the_definition),
        cmocka_unit_test(test_crc32c_masked__hand_worked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
