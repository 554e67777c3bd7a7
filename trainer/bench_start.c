/* bench_start.c - see bench_start.h. */
#include "trainer/bench_start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ; /* POSIX declares it nowhere */

/* Output to /dev/null, and the signals of writes back to their default (trainer/output.h). */
static int spawn_silently(char *const *argv, pid_t *out_pid) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE);
    (void)sigaddset(&defaults, SIGXFSZ);
    (void)posix_spawn_file_actions_init(&files);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    int failure = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (failure == 0) {
        failure = posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    }
    if (failure == 0) {
        failure = posix_spawn(out_pid, "/proc/self/exe", &files, &attributes, argv, environ);
    }
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&files);
    return failure;
}

enum err_code bench_start_program(void *words, struct error *err) {
    char *const *argv = words;
    pid_t pid = 0;
    int failure = spawn_silently(argv, &pid);
    if (failure != 0) {
        return err_set_errno(err, failure, "cannot start this program again");
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return err_set_errno(err, errno, "cannot wait for '%s'", argv[0]);
        }
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        const char *last = argv[1] && argv[2] ? argv[2] : "";
        return err_set(err, ERR_INTERNAL, "'%s %s%s%s' failed: run it to see why", argv[0], argv[1],
                       *last ? " " : "", last);
    }
    return ERR_OK;
}
