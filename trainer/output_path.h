/* output_path.h - whether a command may write to the file that it was given.
 *
 * Use:      TRY(output_path_check("--output", path, args->positionals[0], err));
 *           TRY(file_atomic_open(path, &file, err));
 * Errors:   ERR_USAGE where the project file or one of the files beside it would be replaced, by
 *           whatever name or link; and for a name that is not UTF-8.
 * Threads:  no state.
 */
#ifndef TRAINER_OUTPUT_PATH_H
#define TRAINER_OUTPUT_PATH_H

#include "base/error.h"

/* `option` is how the user gave `path`, for the message; `project` is there. */
ERR_NODISCARD enum err_code output_path_check(const char *option, const char *path,
                                              const char *project, struct error *err);

#endif
