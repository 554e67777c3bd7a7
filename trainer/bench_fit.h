/* bench_fit.h - times loading the comparisons of a project, and fitting a tabular reward to them.
 *
 * Threads:  main thread.
 */
#ifndef TRAINER_BENCH_FIT_H
#define TRAINER_BENCH_FIT_H

#include "trainer/run.h"

/* accord bench fit. */
ERR_NODISCARD enum err_code bench_fit_run(struct run *run, const struct command_args *args,
                                          struct error *err);

#endif
