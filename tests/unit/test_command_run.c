#include "trainer/command_run.h"

#include "base/interrupt.h"
#include "tests/support/test.h"

static void test_command_run__runs_what_is_named(void **state) {
    (void)state;
    struct error err = ERROR_INIT;
    struct output output = {.place = OUTPUT_NOWHERE};
    assert_ok(command_run(&output, 2, (const char *const[]){"accord", "version", NULL}, &err),
              &err);
    assert_true(output.printed);
    assert_fails(command_run(&output, 2, (const char *const[]){"accord", "docter", NULL}, &err),
                 ERR_USAGE, "did you mean 'doctor'?", &err);
}

/* Export takes the signals over and gives them back, on its own; within another it does neither. */
static void test_command_run__leaves_signals_to_the_outermost(void **state) {
    (void)state;
    const char *const words[] = {"accord", "export", "/nonexistent/tea.db", NULL};
    struct error err = ERROR_INIT;
    struct output output = {.place = OUTPUT_NOWHERE};
    assert_fails(command_run(&output, 3, words, &err), ERR_IO, "/nonexistent/tea.db", &err);
    assert_false(interrupt_installed());
    assert_ok(interrupt_install(NULL, &err), &err);
    assert_fails(command_run(&output, 3, words, &err), ERR_IO, "/nonexistent/tea.db", &err);
    assert_true(interrupt_installed());
    interrupt_uninstall();
    assert_false(interrupt_installed());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_run__runs_what_is_named),
        cmocka_unit_test(test_command_run__leaves_signals_to_the_outermost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
