/* kernel_openmp.h - teams of threads from libgomp's one pool, opened when a team is first wanted.
 *
 * Use:      kernel_openmp_run(2, body, &job);   // body(&job, 0, 2) and body(&job, 1, 2), at once
 *
 * Why not pragmas: code compiled with -fopenmp is linked with libgomp, which then starts with the
 *           program and reads its environment before anything can be set. Its threads wait by
 *           spinning unless told otherwise, and on a busy machine a spinning team takes ten times
 *           as long as one that sleeps. Opened late, it can be told (OMP_WAIT_POLICY; the user's
 *           own choice stands), commands that compute nothing do not load it, and whatever compiler
 *           made this, it is the pool that libtorch uses.
 * Without:  where there is no libgomp.so.1, a team is the calling thread.
 * Threads:  safe; opened once for the process.
 */
#ifndef TENSOR_KERNELS_KERNEL_OPENMP_H
#define TENSOR_KERNELS_KERNEL_OPENMP_H

#ifdef __cplusplus
extern "C" {
#endif

/* `index` in [0, count); count is at most the threads asked for. */
typedef void (*kernel_openmp_body)(void *context, int index, int count);

/* Returns when every member has. `threads` >= 1; with one the caller alone runs, without a team. */
void kernel_openmp_run(int threads, kernel_openmp_body body, void *context);

/* Opens libgomp before another library does: the first decides how its threads wait. */
void kernel_openmp_open(void);

#ifdef __cplusplus
}
#endif

#endif
