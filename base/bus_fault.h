/* bus_fault.h - a mapped file that is cut short while it is read: a message instead of a crash.
 *
 * Use:      bus_fault_install("accord: a file was cut short\n", 1); // once, at the start of main
 *
 *           Touching a page behind the end of a mapped file raises SIGBUS (base/file.h). From then
 *           on such a fault writes the text to standard error and ends the process with the status.
 *           A SIGBUS of any other cause ends the process as it does without this module.
 * Files:    what file_atomic and db have not committed by then never happened, as after kill -9.
 * Threads:  call it before there are others; the fault may come in any of them.
 */
#ifndef BASE_BUS_FAULT_H
#define BASE_BUS_FAULT_H

#include <stdint.h>

/* `text` must live as long as the process; `status` is an exit status, 0 to 255. */
void bus_fault_install(const char *text, int32_t status);

#endif
