/* bench_start.h - how long the program takes from exec to exit; cases of `accord bench`.
 *
 * Threads:  main thread, before any other is started (it forks).
 */
#ifndef TRAINER_BENCH_START_H
#define TRAINER_BENCH_START_H

#include "base/error.h"

/* Runs this program with the NULL-terminated words `words` (a `const char *const *`, the first
 * being argv[0]), output to /dev/null, and waits for it: the `run` of a bench_case. fails  ERR_IO
 * if it cannot be started, ERR_INTERNAL if it fails */
ERR_NODISCARD enum err_code bench_start_program(void *words, struct error *err);

#endif
