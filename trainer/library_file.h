/* library_file.h - whether a shared library is all there, asked before it is loaded.
 *
 * Use:      TRY(library_file_check(path, "fetch it again", err));
 *           void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
 *
 * The dynamic linker maps what the file's headers announce. A file that was cut short then ends the
 * process by SIGBUS, and a named pipe makes it wait for ever.
 *
 * Threads:  no state.
 */
#ifndef TRAINER_LIBRARY_FILE_H
#define TRAINER_LIBRARY_FILE_H

#include "base/error.h"

/* Of a file that is missing, or is no library at all, dlopen says so itself: such pass.
 *   fails  ERR_UNAVAILABLE, with `remedy`, for what is no regular file, cannot be read, or ends
 *          before the segments that its headers announce */
ERR_NODISCARD enum err_code library_file_check(const char *path, const char *remedy,
                                               struct error *err);

#endif
