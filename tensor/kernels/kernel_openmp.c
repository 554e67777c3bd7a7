/* kernel_openmp.c - see kernel_openmp.h. The calls are those that gcc makes for `omp parallel`
 * (GOMP_parallel, since GOMP_4.0), and two of the OpenMP standard. */
#include "tensor/kernels/kernel_openmp.h"

#include <assert.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct openmp {
    void (*parallel)(void (*body)(void *context), void *context, unsigned threads, unsigned flags);
    int (*thread_num)(void);
    int (*num_threads)(void);
};

/* libgomp is one for the process by its nature, and so is what was found of it. */
static struct openmp openmp;
static pthread_once_t openmp_once = PTHREAD_ONCE_INIT;

/* POSIX has data pointers of functions; ISO C has no cast for them. */
static void find(void *library, const char *name, void *out_function) {
    void *symbol = dlsym(library, name);
    memcpy(out_function, &symbol, sizeof symbol);
}
static_assert(sizeof(void *) == sizeof(int (*)(void)), "dlsym gives functions as pointers");

static void open_openmp(void) {
    (void)setenv("OMP_WAIT_POLICY", "passive", 0);
    void *library = dlopen("libgomp.so.1", RTLD_NOW | RTLD_GLOBAL);
    if (!library) {
        return;
    }
    struct openmp found;
    find(library, "GOMP_parallel", &found.parallel);
    find(library, "omp_get_thread_num", &found.thread_num);
    find(library, "omp_get_num_threads", &found.num_threads);
    if (found.parallel && found.thread_num && found.num_threads) {
        openmp = found;
    }
}

void kernel_openmp_open(void) {
    (void)pthread_once(&openmp_once, open_openmp);
}

struct team {
    kernel_openmp_body body;
    void *context;
};

static void run_member(void *context) {
    const struct team *team = context;
    team->body(team->context, openmp.thread_num(), openmp.num_threads());
}

void kernel_openmp_run(int threads, kernel_openmp_body body, void *context) {
    if (threads > 1) {
        kernel_openmp_open();
    }
    if (threads <= 1 || !openmp.parallel) {
        body(context, 0, 1);
        return;
    }
    struct team team = {.body = body, .context = context};
    openmp.parallel(run_member, &team, (unsigned)threads, 0);
}
