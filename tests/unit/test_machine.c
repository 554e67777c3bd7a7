#include "base/machine.h"

#include "tests/support/test.h"

static const char *const cpuinfo = "processor\t: 0\n"
                                   "model name\t: Example 9000 @ 2.0GHz\n"
                                   "cache size\t: 512 KB\n"
                                   "flags\t\t: fpu sse2 avx avx2 avx512f avx512_vnni fma\n"
                                   "vmx flags\t: amx_bf16\n"
                                   "processor\t: 1\n"
                                   "model name\t: Another\n";

static void test_machine_read_cpuinfo__takes_model_and_whole_flags(void **state) {
    (void)state;
    struct machine machine = {.memory_total_bytes = 0};
    machine_read_cpuinfo(cpuinfo, &machine);
    assert_string_equal(machine.processor, "Example 9000 @ 2.0GHz");
    assert_true(machine.features[MACHINE_FEATURE_AVX2]);
    assert_true(machine.features[MACHINE_FEATURE_FMA]); /* the last word of its line */
    assert_true(machine.features[MACHINE_FEATURE_AVX512]);
    assert_false(machine.features[MACHINE_FEATURE_AVX512_BF16]);
    assert_false(machine.features[MACHINE_FEATURE_AMX_BF16]); /* only in another line */
}

static void test_machine_read_cpuinfo__is_empty_for_strange_text(void **state) {
    (void)state;
    const char *const texts[] = {"", "\n", "model name", "flags\n:avx2", "flags", "avx2\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct machine machine = {.memory_total_bytes = 0};
        machine_read_cpuinfo(texts[i], &machine);
        assert_string_equal(machine.processor, "");
        assert_false(machine.features[MACHINE_FEATURE_AVX2]);
    }
}

static void test_machine_read_meminfo__gives_bytes(void **state) {
    (void)state;
    const char *text = "MemTotal:       24684092 kB\nMemAvailable:   1 kB\n";
    assert_int_equal(machine_read_meminfo(text, "MemTotal"), 24684092LL * 1024);
    assert_int_equal(machine_read_meminfo(text, "MemAvailable"), 1024);
    assert_int_equal(machine_read_meminfo(text, "Mem"), 0);
    assert_int_equal(machine_read_meminfo(text, "SwapTotal"), 0);
}

static void test_machine_look__finds_this_machine(void **state) {
    (void)state;
    struct machine machine;
    machine_look(&machine);
    assert_non_null(strstr(machine.system, "Linux"));
    assert_true(machine.memory_total_bytes > 16 * 1024 * 1024);
    assert_in_range(machine.memory_available_bytes, 1, machine.memory_total_bytes);
}

static void test_machine_disk_free__asks_the_file_system(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    int64_t bytes = -1;
    assert_ok(machine_disk_free(".", &bytes, &err), &err);
    assert_true(bytes >= 0);
    bytes = 7;
    assert_fails(machine_disk_free("no/such/folder", &bytes, &err), ERR_IO, "'no/such/folder'",
                 &err);
    assert_int_equal(bytes, 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machine_read_cpuinfo__takes_model_and_whole_flags),
        cmocka_unit_test(test_machine_read_cpuinfo__is_empty_for_strange_text),
        cmocka_unit_test(test_machine_read_meminfo__gives_bytes),
        cmocka_unit_test(test_machine_look__finds_this_machine),
        cmocka_unit_test(test_machine_disk_free__asks_the_file_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
