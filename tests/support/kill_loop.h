/* kill_loop.h - kills a writer at many moments, and looks at what it left.
 *
 * Use:      static void write_for_ever(void *context, struct kill_loop_child *child) {
 *               for (;;) { ...one transaction...; kill_loop_tell(child); }
 *           }
 *           static void check_after(void *context) { ...old or new, never a part... }
 *           kill_loop_check(write_for_ever, check_after, &scratch);
 *
 * Children run the writer and die by SIGKILL, half of them from 1 to 20 ms after their start, half
 * 0 to 5 ms after their first kill_loop_tell, so that early and busy moments are both met and work
 * certainly gets done. A child must not end by itself.
 * Rounds:   KILL_LOOP_ROUNDS children, or as many as ACCORD_KILL_ROUNDS in the environment says.
 */
#ifndef TESTS_SUPPORT_KILL_LOOP_H
#define TESTS_SUPPORT_KILL_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#define KILL_LOOP_ROUNDS 20

struct kill_loop_child {
    int fd;
    bool told;
};

typedef void (*kill_loop_writer)(void *context, struct kill_loop_child *child);
typedef void (*kill_loop_after)(void *context);

void kill_loop_check(kill_loop_writer writer, kill_loop_after after, void *context);

int64_t kill_loop_rounds(void);

/* "A whole unit of work is done." */
void kill_loop_tell(struct kill_loop_child *child);

#endif
