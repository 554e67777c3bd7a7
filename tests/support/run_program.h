/* run_program.h - running the built program in a process of its own and looking at all it did.
 *
 * Use:      struct program_result r;
 *           run_program(&r, "doctor", "--no-torch", NULL);
 *           assert_int_equal(r.status, 0);
 *           assert_string_equal(r.err, "");
 *
 *           run_program_with(&r, &(struct program_options){.environment = env}, words);
 *
 * Fails the test, with a message, when the program cannot be started or outlives its time.
 */
#ifndef TESTS_SUPPORT_RUN_PROGRAM_H
#define TESTS_SUPPORT_RUN_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROGRAM_WORDS_MAX  32
#define PROGRAM_TEXT_BYTES (256 * 1024)
#define PROGRAM_SECONDS    60

struct program_result {
    int status;     /* exit status; 128 + the signal that ended it, as a shell has it */
    bool by_signal; /* ended by a signal, not by exit */
    char out[PROGRAM_TEXT_BYTES]; /* standard output, NUL-terminated */
    char err[PROGRAM_TEXT_BYTES]; /* standard error */
};

/* All may be left out. */
struct program_options {
    const char *const
        *environment;     /* "NAME=value" added to ours, NULL-terminated; "NAME" removes */
    const char *out_path; /* standard output goes to this file instead of `out` */
    const char *in_path;  /* standard input comes from this file, else it is empty */
    const char *program;  /* another copy of the program than the built one */
    bool close_reader;    /* nobody reads standard output: a broken pipe */
    int64_t seconds;      /* it may take; 0: PROGRAM_SECONDS */
};

/* `words` is NULL-terminated and without the program's own name. */
void run_program_with(struct program_result *result, const struct program_options *options,
                      const char *const *words);

/* The same with default options and the words as arguments, the last one NULL. */
#define run_program(result, ...)                                            \
    run_program_with((result), &(struct program_options){.out_path = NULL}, \
                     (const char *const[]){__VA_ARGS__})

/* In two parts, for signals in between: the child must be ended by program_wait. */
struct program {
    pid_t pid;
    int out_fd, err_fd;
    int64_t seconds;
};
struct program program_start(const struct program_options *options, const char *const *words);
void program_wait(struct program *program, struct program_result *result);

/* Reads standard error until `text` has come; what is read is kept in `result->err`. */
void program_wait_for_err(struct program *program, struct program_result *result, const char *text);

#endif
