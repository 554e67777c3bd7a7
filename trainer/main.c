/* main.c - the program: the process set up, its command run, and its error made an exit status. */
#include "base/bus_fault.h"
#include "trainer/command_run.h"
#include "trainer/exit_status.h"

#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>

/* Keeps large blocks in the heap and the heap mapped. Otherwise glibc maps every result tensor
 * above its threshold afresh, and each of its pages faults: three times the time of a 64 MiB sum.
 * One arena, since other threads' arenas would still map large blocks (glibc 2.36). */
static void tune_allocator(void) {
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
    (void)mallopt(M_TRIM_THRESHOLD, INT_MAX);
    (void)mallopt(M_ARENA_MAX, 1);
}

/* A reader that goes away (`accord help | head`), or a file that reaches `ulimit -f`, is then an
 * error of the write that met it, not the end of the process. */
static void ignore_signals_of_writes(void) {
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGXFSZ, &ignore, NULL);
}

/* Started with a standard file closed, the next file opened would take its number, and a result or
 * a message would be written into it. /dev/null opened the wrong way round keeps the number and
 * lets the use fail as it did. */
static void fill_closed_standard_files(void) {
    static const int wrong_ways[] = {O_WRONLY, O_RDONLY, O_RDONLY}; /* of 0, 1 and 2 */
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", wrong_ways[fd]) != fd) {
            return; /* without /dev/null there is nothing more to do */
        }
    }
}

/* Whether errors are wanted as JSON; asked of the words, since parsing them may be what fails. */
static bool wants_json(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv) {
    tune_allocator();
    ignore_signals_of_writes();
    fill_closed_standard_files();
    bus_fault_install("accord: a file became shorter while it was read, or its disk failed: "
                      "nothing was finished; put the file back whole and start again\n",
                      EXIT_STATUS_FAILED);
    struct output output = output_make(wants_json(argc, argv));
    struct error err = ERROR_INIT;
    enum err_code code = command_run(&output, argc, (const char *const *)argv, &err);
    if (code != ERR_OK) {
        output_error(&output, &err);
    }
    return (int)exit_status_of(code);
}
