/* bus_fault.c - see bus_fault.h.
 *
 * The mutable globals are what a signal handler can reach: it gets no context.
 */
#define _XOPEN_SOURCE 700 /* BUS_ADRERR */
#include "base/bus_fault.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static const char *fault_text;
static size_t fault_bytes;
static int32_t fault_status;

/* Only async-signal-safe calls: signal, write, _exit. */
static void handle(int signal_number, siginfo_t *info, void *context) {
    (void)context;
    if (info->si_code != BUS_ADRERR) {
        (void)signal(signal_number, SIG_DFL); /* the instruction faults again, and ends us */
        return;
    }
    const ssize_t written = write(STDERR_FILENO, fault_text, fault_bytes);
    (void)written; /* without standard error the status alone must do */
    _exit(fault_status);
}

void bus_fault_install(const char *text, int32_t status) {
    fault_text = text;
    fault_bytes = strlen(text);
    fault_status = status;
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGBUS, &action, NULL);
}
