#include "base/byte_run.h"

#include "tests/support/test.h"

#include <stdbool.h>
#include <string.h>

#define BYTES_MAX 40 /* two lots of sixteen, and a rest */

/* From the definitions in the header. */
static bool is_ascii(unsigned byte) {
    return byte < 0x80;
}

static bool is_plain(unsigned byte) {
    return byte != '"' && byte != '\\' && byte >= 0x20;
}

/* Every byte at every place of texts of every length, the rest being plain. */
static void test_byte_run__stops_at_the_byte_itself(void **state) {
    (void)state;
    char text[BYTES_MAX];
    for (size_t count = 0; count <= BYTES_MAX; count++) {
        for (size_t at = 0; at < count; at++) {
            for (unsigned byte = 0; byte <= 0xFF; byte++) {
                memset(text, 'a', sizeof text);
                text[at] = (char)byte;
                assert_int_equal(byte_run_ascii(text, count), is_ascii(byte) ? count : at);
                assert_int_equal(byte_run_plain(text, count), is_plain(byte) ? count : at);
            }
        }
    }
}

static void test_byte_run__stops_at_the_first_of_several(void **state) {
    (void)state;
    const char text[] = "0123456789abcdef0123\xC3\xBC\n\"56789abcdef\\";
    assert_int_equal(byte_run_ascii(text, sizeof text - 1), 20);
    assert_int_equal(byte_run_plain(text, sizeof text - 1), 22);
    assert_int_equal(byte_run_plain(text + 24, sizeof text - 25), 11);
}

static void test_byte_run__of_nothing_is_nothing(void **state) {
    (void)state;
    assert_int_equal(byte_run_ascii("\x80", 0), 0);
    assert_int_equal(byte_run_plain("\"", 0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_byte_run__stops_at_the_byte_itself),
        cmocka_unit_test(test_byte_run__stops_at_the_first_of_several),
        cmocka_unit_test(test_byte_run__of_nothing_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
