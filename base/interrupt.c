/* interrupt.c - see interrupt.h.
 *
 * The mutable globals are what a signal handler can reach: it gets no context.
 */
#include "base/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SIGNAL_COUNT 2

static const int signals[SIGNAL_COUNT] = {SIGINT, SIGTERM};

static volatile sig_atomic_t requested;
static volatile sig_atomic_t installed;
static const char *notice_text;
static size_t notice_bytes;
static struct sigaction former[SIGNAL_COUNT];

/* Only async-signal-safe calls from here on: signal, write, _exit. Both signals are blocked while
 * it runs, so it does not meet itself within a thread; between threads the worst case is a second
 * notice. */
static void handle(int signal_number) {
    (void)signal_number;
    int saved_errno = errno;
    if (requested) {
        for (int i = 0; i < SIGNAL_COUNT; i++) {
            (void)signal(signals[i], SIG_DFL); /* a third one needs nobody's help */
        }
        _exit(INTERRUPT_EXIT_STATUS);
    }
    requested = 1;
    if (notice_text && write(STDERR_FILENO, notice_text, notice_bytes) < 0) {
        requested = 1; /* standard error is gone: the flag alone must do */
    }
    errno = saved_errno;
}

enum err_code interrupt_install(const char *notice, struct error *err) {
    interrupt_uninstall();
    requested = 0;
    notice_text = notice;
    notice_bytes = notice ? strlen(notice) : 0;
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        (void)sigaddset(&action.sa_mask, signals[i]);
    }
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        if (sigaction(signals[i], NULL, &former[i]) != 0 ||
            (former[i].sa_handler != SIG_IGN && sigaction(signals[i], &action, NULL) != 0)) {
            return err_set_errno(err, errno, "cannot handle signal %d", signals[i]);
        }
    }
    installed = 1;
    return ERR_OK;
}

void interrupt_uninstall(void) {
    if (!installed) {
        return;
    }
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        (void)sigaction(signals[i], &former[i], NULL);
    }
    installed = 0;
}

enum err_code interrupt_end(enum err_code code) {
    if (code != ERR_INTERRUPTED) {
        interrupt_uninstall();
    }
    return code;
}

bool interrupt_installed(void) {
    return installed != 0;
}

bool interrupt_requested(void) {
    return requested != 0;
}
