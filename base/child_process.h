/* child_process.h - another program, asked and answered in lines through pipes.
 *
 * Use:      SCOPED(child_process) struct child_process *child = NULL;
 *           TRY(child_process_start((const char *[]){"/bin/sh", "-c", line, NULL}, &child, err));
 *           struct child_question question = {
 *               .bytes = "2 + 3\n", .count = 6, .lines = 1, .timeout_ms = 10000};
 *           TRY(child_process_ask(child, &question, &answer, err));   // "5\n"
 *           TRY(child_process_finish(child, 10000, err));             // and it agrees it is done
 * Pipes:    all three are read and written as they become ready, so neither side waits for the
 *           other; of standard error the last line is kept, for messages. A write to a program that
 *           is gone raises no SIGPIPE.
 * Group:    the program leads a process group of its own: it does not get the terminal's Ctrl-C,
 *           and what it has started ends with it. Should this process be killed, the program finds
 *           the end of its standard input.
 * Errors:   ERR_IO when the program is gone, ERR_DATA for answers it was not asked for, ERR_LIMIT
 *           when its time is up, ERR_INTERRUPTED (base/interrupt.h). After any of them it is
 *           killed, since questions and answers no longer match.
 * Owns:     the process and the pipes; child_process_close ends both.
 * Threads:  one. Another thread that starts a program by other means within the few instructions
 *           of child_process_start may hand that one our end of a pipe.
 */
#ifndef BASE_CHILD_PROCESS_H
#define BASE_CHILD_PROCESS_H

#include "base/error.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct child_process;

struct child_question {
    const char *bytes; /* `count` bytes for standard input */
    size_t count;
    int64_t lines;      /* that it answers, each with its line end; the last answer of a program
                           that then ends may lack it */
    int64_t timeout_ms; /* for all of them */
    bool finishes;      /* the answers are waited for to the end, whoever interrupts */
    int64_t silence_ms; /* so long after the last one there must be no other; 0: not waited for */
};

/* Starts the program `argv[0]`, a path, with its NULL-terminated words. `*out` is owned.
 *   fails    ERR_IO if there is no such program or the system refuses, ERR_OOM */
ERR_NODISCARD enum err_code child_process_start(const char *const *argv, struct child_process **out,
                                                struct error *err);

/* Writes the question and appends exactly its `lines` lines to `out`, whose maximum is the most the
 * program may answer (ERR_LIMIT). Lines that came since the last question are lines too many. */
ERR_NODISCARD enum err_code child_process_ask(struct child_process *child,
                                              const struct child_question *question,
                                              struct strbuf *out, struct error *err);

/* Ends its standard input and waits until it has ended, which must be in time, without a further
 * line and with status 0. For the last question: too many lines are not seen before. */
ERR_NODISCARD enum err_code child_process_finish(struct child_process *child, int64_t timeout_ms,
                                                 struct error *err);

#define CHILD_PROCESS_WORDS_BYTES 200

/* The last line of its standard error so far, fit for a message; "" if there is none. Borrowed
 * until the next call. */
const char *child_process_last_words(struct child_process *child);

/* Closes the pipes, gives it a second to end by itself, then kills it and its group. */
void child_process_close(struct child_process *child);

static inline void child_process_scoped_end(struct child_process **variable) {
    child_process_close(*variable);
}

#endif
