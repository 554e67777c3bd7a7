/* run_program.c - see run_program.h. The program's path is compiled in: ACCORD_PROGRAM. */
#include "tests/support/run_program.h"

#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 100

static double now_s(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- in the child ---- */

static void change_environment(const char *const *environment) {
    for (; environment && *environment; environment++) {
        const char *equals = strchr(*environment, '=');
        char name[128];
        size_t length = equals ? (size_t)(equals - *environment) : strlen(*environment);
        if (length >= sizeof name) {
            _exit(126);
        }
        memcpy(name, *environment, length);
        name[length] = '\0';
        if ((equals ? setenv(name, equals + 1, 1) : unsetenv(name)) != 0) {
            _exit(126);
        }
    }
}

static void become_program(const struct program_options *options, const char *const *words,
                           int out_fd, int err_fd) {
    char *argv[PROGRAM_WORDS_MAX + 2] = {(char *)(uintptr_t) "accord"};
    for (int i = 0; words[i]; i++) {
        if (i >= PROGRAM_WORDS_MAX) {
            _exit(126);
        }
        argv[i + 1] = (char *)(uintptr_t)words[i];
    }
    if (options->out_path) {
        out_fd = open(options->out_path, O_WRONLY | O_CREAT, 0666);
    }
    int in_fd = open(options->in_path ? options->in_path : "/dev/null", O_RDONLY);
    if (dup2(in_fd, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0 ||
        dup2(err_fd, STDERR_FILENO) < 0) {
        _exit(126);
    }
    change_environment(options->environment);
    (void)signal(SIGINT, SIG_DFL); /* ignored by what a shell has put into the background */
    (void)signal(SIGTERM, SIG_DFL);
    (void)execv(options->program ? options->program : ACCORD_PROGRAM, argv);
    _exit(127);
}

/* ---- in the test ---- */

static size_t append_available(int fd, char *text, size_t used) {
    ssize_t got = read(fd, text + used, PROGRAM_TEXT_BYTES - 1 - used);
    if (got > 0) {
        used += (size_t)got;
        text[used] = '\0';
    }
    return got > 0 ? used : SIZE_MAX; /* SIZE_MAX: the end */
}

static void read_one(int *fd, char *text) {
    size_t used = append_available(*fd, text, strlen(text));
    if (used == SIZE_MAX) {
        (void)close(*fd);
        *fd = -1;
    } else if (used == PROGRAM_TEXT_BYTES - 1) {
        fail_msg("the program prints more than %d bytes", PROGRAM_TEXT_BYTES);
    }
}

/* Reads what there is on both, waiting a moment at most. */
static void read_some(struct program *p, struct program_result *result) {
    struct pollfd fds[2] = {{.fd = p->out_fd, .events = POLLIN},
                            {.fd = p->err_fd, .events = POLLIN}};
    if (poll(fds, 2, POLL_MS) < 0 && errno != EINTR) {
        fail_msg("poll: %s", strerror(errno));
    }
    if (p->out_fd >= 0 && fds[0].revents) {
        read_one(&p->out_fd, result->out);
    }
    if (p->err_fd >= 0 && fds[1].revents) {
        read_one(&p->err_fd, result->err);
    }
}

static void give_up_after(double start_s, struct program *p, const struct program_result *result) {
    if (now_s() - start_s > (double)p->seconds) {
        (void)kill(p->pid, SIGKILL);
        fail_msg("still running after %d s; its standard error: %s", (int)p->seconds, result->err);
    }
}

struct program program_start(const struct program_options *options, const char *const *words) {
    int out[2], err[2];
    if (pipe(out) != 0 || pipe(err) != 0) {
        fail_msg("pipe: %s", strerror(errno));
    }
    if (options->close_reader) { /* before the child starts, so that it never finds one */
        (void)close(out[0]);
        out[0] = -1;
    }
    pid_t pid = fork();
    if (pid < 0) {
        fail_msg("fork: %s", strerror(errno));
    }
    if (pid == 0) {
        if (out[0] >= 0) {
            (void)close(out[0]);
        }
        (void)close(err[0]);
        become_program(options, words, out[1], err[1]);
    }
    (void)close(out[1]);
    (void)close(err[1]);
    return (struct program){.pid = pid,
                            .out_fd = out[0],
                            .err_fd = err[0],
                            .seconds = options->seconds > 0 ? options->seconds : PROGRAM_SECONDS};
}

void program_wait_for_err(struct program *p, struct program_result *result, const char *text) {
    double start_s = now_s();
    while (!strstr(result->err, text)) {
        if (p->err_fd < 0) {
            fail_msg("standard error ended without '%s': %s", text, result->err);
        }
        give_up_after(start_s, p, result);
        read_some(p, result);
    }
}

void program_wait(struct program *p, struct program_result *result) {
    double start_s = now_s();
    while (p->out_fd >= 0 || p->err_fd >= 0) {
        give_up_after(start_s, p, result);
        read_some(p, result);
    }
    int status = 0;
    if (waitpid(p->pid, &status, 0) != p->pid) {
        fail_msg("waitpid: %s", strerror(errno));
    }
    result->by_signal = WIFSIGNALED(status);
    result->status = result->by_signal ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (!result->by_signal && (result->status == 126 || result->status == 127)) {
        fail_msg("cannot run the program; built is '%s'", ACCORD_PROGRAM);
    }
}

void run_program_with(struct program_result *result, const struct program_options *options,
                      const char *const *words) {
    result->out[0] = '\0';
    result->err[0] = '\0';
    struct program p = program_start(options, words);
    program_wait(&p, result);
}
