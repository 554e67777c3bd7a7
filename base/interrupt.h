/* interrupt.h - Ctrl-C and kill: once to stop in good order, twice to stop at once.
 *
 * Use:      TRY(interrupt_install("stopping after this step; again to stop at once\n", err));
 *           for (...) {
 *               step();
 *               if (interrupt_requested()) { save(); return err_set(err, ERR_INTERRUPTED, ...); }
 *           }
 *           interrupt_uninstall();
 *
 *           The first SIGINT or SIGTERM sets a flag and writes the notice; the second ends the
 *           process with status 130, whatever it is doing. What file_atomic and db have not
 *           committed by then never happened.
 * Ignored:  a signal that whoever started the process had ignored stays so, as a job in the
 *           background of a shell script expects of SIGINT.
 * Calls:    are restarted (SA_RESTART), so a signal does not fail a read or a write.
 * Threads:  safe. One installation per process, since signals are per process.
 */
#ifndef BASE_INTERRUPT_H
#define BASE_INTERRUPT_H

#include "base/error.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define INTERRUPT_EXIT_STATUS 130 /* 128 + SIGINT, as shells report it */

/* Clears the flag and takes over both signals. `notice` goes to standard error on the first
 * signal; it must live until interrupt_uninstall; NULL for none.
 *   fails    ERR_IO when the system refuses */
ERR_NODISCARD enum err_code interrupt_install(const char *notice, struct error *err);

/* Gives the signals back to the handlers found by interrupt_install. Safe without one. */
void interrupt_uninstall(void);

/* As interrupt_uninstall, and passes `code` through; but after ERR_INTERRUPTED it leaves the
 * signals be, so that a second one on the way out ends with the same status. For the end of a
 * command. */
enum err_code interrupt_end(enum err_code code);

/* Whether the signals are taken over at present. */
bool interrupt_installed(void);

/* Whether a signal has come since interrupt_install. */
bool interrupt_requested(void);

#ifdef __cplusplus
}
#endif

#endif
