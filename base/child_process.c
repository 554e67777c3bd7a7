/* child_process.c - see child_process.h. */
#include "base/child_process.h"

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_BYTES      ((size_t)64 * 1024)
#define POLL_MS          100  /* a signal that another thread handles wakes no poll here */
#define CLOSE_GRACE_MS   1000 /* to end by itself */
#define STATUS_GRACE_MS  1000 /* between the end of its output and that of itself */
#define WAIT_INTERVAL_MS 5

extern char **environ; /* POSIX declares it nowhere */

enum pipe_end { PIPE_INPUT, PIPE_OUTPUT, PIPE_ERRORS, PIPE_COUNT };

struct child_process {
    pid_t pid;
    int fds[PIPE_COUNT]; /* our ends; -1 when closed */
    bool failed;
    char line[CHILD_PROCESS_WORDS_BYTES]; /* of standard error, being read: its beginning */
    size_t line_count;
    char last_line[CHILD_PROCESS_WORDS_BYTES]; /* the last whole one that is not empty */
    size_t last_line_count;
    char words[CHILD_PROCESS_WORDS_BYTES]; /* one of the two, fit to be shown */
    char chunk[CHUNK_BYTES];
};

/* ---- starting ------------------------------------------------------------------------------- */

struct pipes {
    int ours[PIPE_COUNT], theirs[PIPE_COUNT];
};

static void close_fd(int *fd) {
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

static void pipes_scoped_end(struct pipes *pipes) {
    for (int32_t i = 0; i < PIPE_COUNT; i++) {
        close_fd(&pipes->ours[i]);
        close_fd(&pipes->theirs[i]);
    }
}

/* Closed in other programs, and above the three standard ones: where this process has none of
 * those, a pipe's end would be one and be lost when the child's are set up. */
static bool move_out_of_the_way(int *fd) {
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    (void)close(*fd);
    *fd = moved;
    return moved >= 0;
}

static enum err_code open_pipes(struct pipes *pipes, struct error *err) {
    for (int32_t i = 0; i < PIPE_COUNT; i++) {
        int ends[2];
        if (pipe(ends) != 0) {
            return err_set_errno(err, errno, "cannot open a pipe");
        }
        int *reading = i == PIPE_INPUT ? &pipes->theirs[i] : &pipes->ours[i];
        int *writing = i == PIPE_INPUT ? &pipes->ours[i] : &pipes->theirs[i];
        *reading = ends[0];
        *writing = ends[1];
        if (!move_out_of_the_way(reading) || !move_out_of_the_way(writing) ||
            fcntl(pipes->ours[i], F_SETFL, O_NONBLOCK) != 0) {
            return err_set_errno(err, errno, "cannot set up a pipe");
        }
    }
    return ERR_OK;
}

/* Signals that this process ignores for the sake of its own writes, the program expects as usual.
 * Returns 0 or an errno value. */
static int spawn(const char *const *argv, const struct pipes *pipes, pid_t *out_pid) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE);
    (void)sigaddset(&defaults, SIGXFSZ);
    (void)posix_spawn_file_actions_init(&files);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
    (void)posix_spawnattr_setpgroup(&attributes, 0);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    int failure = 0;
    for (int32_t i = 0; i < PIPE_COUNT && failure == 0; i++) {
        failure = posix_spawn_file_actions_adddup2(&files, pipes->theirs[i], i);
    }
    if (failure == 0) {
        /* posix_spawn does not write to the words; its type is older than const. */
        char *const *words = NULL;
        memcpy(&words, &argv, sizeof words);
        failure = posix_spawn(out_pid, argv[0], &files, &attributes, words, environ);
    }
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&files);
    return failure;
}

/* ---- the end -------------------------------------------------------------------------------- */

static int64_t now_ms(void) {
    struct clock clock = clock_real();
    return clock_monotonic_ns(&clock) / CLOCK_NS_PER_MS;
}

/* Whether it has ended, within `ms`. It stays unreaped, so that its number stays its own. */
static bool has_ended(const struct child_process *child, int64_t ms) {
    for (int64_t end_ms = now_ms() + ms;;) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
            return errno != EINTR; /* ECHILD: somebody ignores SIGCHLD; it is gone */
        }
        if (info.si_pid != 0 || now_ms() >= end_ms) {
            return info.si_pid != 0;
        }
        (void)poll(NULL, 0, WAIT_INTERVAL_MS);
    }
}

/* Also ends what it has started. Returns the status of waitpid. */
static int reap(struct child_process *child) {
    int status = 0;
    (void)kill(-child->pid, SIGKILL);
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
    }
    child->pid = 0;
    return status;
}

static void close_pipes(struct child_process *child) {
    for (int32_t i = 0; i < PIPE_COUNT; i++) {
        close_fd(&child->fds[i]);
    }
}

void child_process_close(struct child_process *child) {
    if (!child) {
        return;
    }
    close_pipes(child);
    if (child->pid > 0) {
        (void)has_ended(child, CLOSE_GRACE_MS);
        (void)reap(child);
    }
    mem_free(child);
}

enum err_code child_process_start(const char *const *argv, struct child_process **out,
                                  struct error *err) {
    SCOPED(pipes) struct pipes pipes = {{-1, -1, -1}, {-1, -1, -1}};
    SCOPED(child_process) struct child_process *child = mem_array_zero(1, sizeof *child);
    if (!child) {
        return err_oom(err, "child process");
    }
    memcpy(child->fds, pipes.ours, sizeof child->fds); /* none yet */
    TRY(open_pipes(&pipes, err));
    int failure = spawn(argv, &pipes, &child->pid);
    if (failure != 0) {
        child->pid = 0;
        return err_set_errno(err, failure, "cannot start '%s'", argv[0]);
    }
    for (int32_t i = 0; i < PIPE_COUNT; i++) {
        child->fds[i] = pipes.ours[i];
        pipes.ours[i] = -1;
    }
    *out = MOVE(child);
    return ERR_OK;
}

/* ---- standard error ------------------------------------------------------------------------- */

static void keep_last_line(struct child_process *child, const char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != '\n' && bytes[i] != '\r') {
            if (child->line_count < sizeof child->line) {
                child->line[child->line_count++] = bytes[i];
            }
        } else if (child->line_count > 0) {
            memcpy(child->last_line, child->line, child->line_count);
            child->last_line_count = child->line_count;
            child->line_count = 0;
        }
    }
}

/* Bytes read into `chunk`; 0 when there are none now, and also at the end, which closes the
 * pipe. */
static size_t read_chunk(struct child_process *child, enum pipe_end end) {
    if (child->fds[end] < 0) {
        return 0;
    }
    ssize_t got = read(child->fds[end], child->chunk, sizeof child->chunk);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        close_fd(&child->fds[end]);
    }
    return got > 0 ? (size_t)got : 0;
}

static void read_errors(struct child_process *child) {
    size_t count = read_chunk(child, PIPE_ERRORS);
    keep_last_line(child, child->chunk, count);
}

const char *child_process_last_words(struct child_process *child) {
    read_errors(child);
    bool has_begun = child->line_count > 0;
    return utf8_visible(has_begun ? child->line : child->last_line,
                        has_begun ? child->line_count : child->last_line_count, child->words,
                        sizeof child->words);
}

/* What is still on its way when the output has ended; a bounded wait, since what the program has
 * started may hold the pipe open. */
static void read_last_errors(struct child_process *child) {
    int64_t end_ms = now_ms() + STATUS_GRACE_MS;
    while (child->fds[PIPE_ERRORS] >= 0 && now_ms() < end_ms) {
        struct pollfd ready = {.fd = child->fds[PIPE_ERRORS], .events = POLLIN};
        (void)poll(&ready, 1, WAIT_INTERVAL_MS);
        read_errors(child);
    }
}

/* ---- failures ------------------------------------------------------------------------------- */

/* `err` says what went wrong; the program's last words follow. */
static enum err_code give_up(struct child_process *child, struct error *err) {
    child->failed = true;
    const char *words = child_process_last_words(child);
    struct error cause = *err;
    if (*words) {
        (void)err_set(err, cause.code, "%s; its last words: '%s'", cause.msg, words);
    }
    close_pipes(child);
    if (child->pid > 0) {
        (void)reap(child);
    }
    return err->code;
}

static enum err_code too_many(struct error *err) {
    return err_set(err, ERR_DATA, "the program writes more lines than it was asked for");
}

/* Its output has ended. */
static enum err_code say_how_it_ended(struct child_process *child, const char *when,
                                      struct error *err) {
    read_last_errors(child);
    if (!has_ended(child, STATUS_GRACE_MS)) {
        (void)err_set(err, ERR_IO, "the program closed its output %s", when);
        return give_up(child, err);
    }
    int status = reap(child);
    if (WIFSIGNALED(status)) {
        (void)err_set(err, ERR_IO, "the program was killed by signal %d %s", WTERMSIG(status),
                      when);
    } else {
        (void)err_set(err, ERR_IO, "the program ended with status %d %s", WEXITSTATUS(status),
                      when);
    }
    return give_up(child, err);
}

/* ---- asking --------------------------------------------------------------------------------- */

struct asking {
    const struct child_question *question;
    struct strbuf *out;
    int64_t end_ms;
    size_t written;
    int64_t lines;
    bool in_line; /* the answer ends within a line */
};

/* write() that raises no SIGPIPE in a thread that does not ignore it. */
static ssize_t write_without_signal(int fd, const char *bytes, size_t count) {
    sigset_t pipe_signal, former, pending;
    (void)sigemptyset(&pipe_signal);
    (void)sigaddset(&pipe_signal, SIGPIPE);
    (void)sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE) == 1;
    (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, &former);
    ssize_t written = write(fd, bytes, count);
    int failure = errno;
    if (written < 0 && failure == EPIPE && !was_pending) {
        struct timespec at_once = {.tv_sec = 0};
        (void)sigtimedwait(&pipe_signal, NULL, &at_once);
    }
    (void)pthread_sigmask(SIG_SETMASK, &former, NULL);
    errno = failure;
    return written;
}

static void write_some(struct child_process *child, struct asking *asking) {
    const struct child_question *question = asking->question;
    ssize_t written =
        write_without_signal(child->fds[PIPE_INPUT], question->bytes + asking->written,
                             question->count - asking->written);
    if (written >= 0) {
        asking->written += (size_t)written;
    } else if (errno != EAGAIN && errno != EINTR) {
        close_fd(&child->fds[PIPE_INPUT]); /* how it ended, its output will tell */
    }
}

static void read_answers(struct child_process *child, struct asking *asking) {
    size_t count = read_chunk(child, PIPE_OUTPUT);
    for (size_t i = 0; i < count; i++) {
        asking->in_line = child->chunk[i] != '\n';
        asking->lines += !asking->in_line;
    }
    if (child->fds[PIPE_OUTPUT] < 0 && asking->in_line) {
        asking->in_line = false;
        asking->lines++;
        child->chunk[count++] = '\n'; /* the end: count is 0 */
    }
    strbuf_add_bytes(asking->out, child->chunk, count);
}

static bool is_answered(const struct asking *asking) {
    return asking->written == asking->question->count && asking->lines == asking->question->lines &&
           !asking->in_line;
}

static enum err_code check_time(int64_t end_ms, bool finishes, const char *when,
                                struct error *err) {
    if (!finishes && interrupt_requested()) {
        return err_set(err, ERR_INTERRUPTED, "interrupted %s", when);
    }
    if (now_ms() >= end_ms) {
        return err_set(err, ERR_LIMIT, "the program's time was up %s", when);
    }
    return ERR_OK;
}

/* A pipe for writing is nearly always ready, so it is looked at only where there is something to
 * write. */
static void wait_ready(const struct child_process *child, bool writes,
                       struct pollfd ready[PIPE_COUNT]) {
    ready[PIPE_INPUT] =
        (struct pollfd){.fd = writes ? child->fds[PIPE_INPUT] : -1, .events = POLLOUT};
    ready[PIPE_OUTPUT] = (struct pollfd){.fd = child->fds[PIPE_OUTPUT], .events = POLLIN};
    ready[PIPE_ERRORS] = (struct pollfd){.fd = child->fds[PIPE_ERRORS], .events = POLLIN};
    if (poll(ready, PIPE_COUNT, POLL_MS) < 0) {
        memset(ready, 0, PIPE_COUNT * sizeof *ready); /* EINTR: look again */
    }
}

/* One turn of reading and writing, waiting a moment at most. */
static enum err_code exchange_some(struct child_process *child, struct asking *asking,
                                   struct error *err) {
    struct pollfd ready[PIPE_COUNT];
    wait_ready(child, asking->written < asking->question->count, ready);
    if (ready[PIPE_INPUT].revents) {
        write_some(child, asking);
    }
    if (ready[PIPE_ERRORS].revents) {
        read_errors(child);
    }
    if (ready[PIPE_OUTPUT].revents) {
        read_answers(child, asking);
    }
    TRY(strbuf_check(asking->out, "answer of a program", err));
    if (asking->lines + asking->in_line > asking->question->lines) {
        return too_many(err);
    }
    return ERR_OK;
}

static enum err_code ask(struct child_process *child, struct asking *asking, struct error *err) {
    if (read_chunk(child, PIPE_OUTPUT) > 0) {
        (void)too_many(err);
        return give_up(child, err);
    }
    char progress[96];
    while (!is_answered(asking)) {
        (void)snprintf(progress, sizeof progress, "after %" PRId64 " of %" PRId64 " answers",
                       asking->lines, asking->question->lines);
        if (child->fds[PIPE_OUTPUT] < 0) {
            return say_how_it_ended(child, progress, err);
        }
        if (check_time(asking->end_ms, asking->question->finishes, progress, err) != ERR_OK ||
            exchange_some(child, asking, err) != ERR_OK) {
            return give_up(child, err);
        }
    }
    return ERR_OK;
}

/* Until its output ends or the time is up. */
static enum err_code expect_silence(struct child_process *child, int64_t end_ms,
                                    struct error *err) {
    while (child->fds[PIPE_OUTPUT] >= 0 && now_ms() < end_ms && !interrupt_requested()) {
        struct pollfd ready[PIPE_COUNT];
        wait_ready(child, false, ready);
        read_errors(child);
        if (read_chunk(child, PIPE_OUTPUT) > 0) {
            (void)too_many(err);
            return give_up(child, err);
        }
    }
    return ERR_OK;
}

static enum err_code check_usable(const struct child_process *child, struct error *err) {
    return child->failed ? err_set(err, ERR_IO, "the program has failed before") : ERR_OK;
}

enum err_code child_process_ask(struct child_process *child, const struct child_question *question,
                                struct strbuf *out, struct error *err) {
    TRY(check_usable(child, err));
    struct asking asking = {
        .question = question, .out = out, .end_ms = now_ms() + question->timeout_ms};
    TRY(ask(child, &asking, err));
    return expect_silence(child, now_ms() + question->silence_ms, err);
}

enum err_code child_process_finish(struct child_process *child, int64_t timeout_ms,
                                   struct error *err) {
    TRY(check_usable(child, err));
    int64_t end_ms = now_ms() + timeout_ms;
    close_fd(&child->fds[PIPE_INPUT]);
    TRY(expect_silence(child, end_ms, err));
    if (child->fds[PIPE_OUTPUT] >= 0 &&
        check_time(end_ms, false, "before it ended", err) != ERR_OK) {
        return give_up(child, err);
    }
    read_last_errors(child);
    int64_t left_ms = end_ms - now_ms();
    if (!has_ended(child, left_ms > STATUS_GRACE_MS ? left_ms : STATUS_GRACE_MS)) {
        (void)err_set(err, ERR_LIMIT, "the program did not end in time");
        return give_up(child, err);
    }
    int status = reap(child);
    child->failed = true; /* no more questions */
    if (status != 0) {
        (void)err_set(err, ERR_IO, "the program ended with %s %d after its last answer",
                      WIFSIGNALED(status) ? "signal" : "status",
                      WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        return give_up(child, err);
    }
    return ERR_OK;
}
