/* lm_module.c - see lm_module.h. */
#include "trainer/lm_module.h"

#include "base/file.h"
#include "base/thread_count.h"
#include "tensor/kernels/kernel_openmp.h"
#include "trainer/cache_folder.h"
#include "trainer/library_file.h"
#include "trainer/lm_entry.h"
#include "trainer/run.h"
#include "trainer/version.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TORCH_VERSION_FUNCTION "aoti_torch_abi_version"
#define MODULE_FROM_PROGRAM    "../lib/accord/libaccord_lm.so"
#define SETUP_REMEDY                                                                        \
    "run 'bash scripts/setup.sh', or set ACCORD_TORCH_DIR to a torch " ACCORD_TORCH_VERSION \
    " package folder"

/* ---- paths ---- */

static enum err_code join_path(const char *folder, const char *name, char out[PATH_MAX],
                               struct error *err) {
    if (snprintf(out, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX) {
        return err_set(err, ERR_UNAVAILABLE, "path too long: '%s/%s'", folder, name);
    }
    return ERR_OK;
}

static enum err_code module_path(char out[PATH_MAX], struct error *err) {
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program);
    if (length < 0 || length >= PATH_MAX) {
        return err_set(err, ERR_UNAVAILABLE,
                       "cannot tell where this program is: /proc/self/exe is not readable: "
                       "mount /proc");
    }
    program[length] = '\0';
    *strrchr(program, '/') = '\0';
    return join_path(program, MODULE_FROM_PROGRAM, out, err);
}

static bool holds_torch(const char *folder) {
    char library[PATH_MAX];
    struct error ignored = ERROR_INIT;
    return join_path(folder, "lib/libtorch_cpu.so", library, &ignored) == ERR_OK &&
           file_exists(library);
}

/* Where scripts/setup.sh puts libtorch for this user; "" when there is no such place. */
static void cached_torch_folder(char out[PATH_MAX]) {
    char cache[PATH_MAX];
    struct error ignored = ERROR_INIT;
    cache_folder(cache);
    if (join_path(cache, "libtorch-" ACCORD_TORCH_VERSION "/torch", out, &ignored) != ERR_OK) {
        out[0] = '\0';
    }
}

/* ---- libraries ---- */

/* A library for good: never closed. */
static enum err_code load(const char *path, const char *remedy, void **out_library,
                          struct error *err) {
    *out_library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!*out_library) {
        return err_set(err, ERR_UNAVAILABLE, "cannot load %s: %s", dlerror(), remedy);
    }
    return ERR_OK;
}

/* The same for a library at a path, where a damaged one may lie. */
static enum err_code load_file(const char *path, const char *remedy, void **out_library,
                               struct error *err) {
    TRY(library_file_check(path, remedy, err));
    return load(path, remedy, out_library, err);
}

/* Before libtorch, which would load it with threads that spin (kernel_openmp.h): a 0.57 ms loop
 * beside one busy process takes up to 12 ms that way and 0.84 ms with passive waiting. What is
 * wrong in any other of its variables (OMP_SCHEDULE=x) libgomp says in a line of its own, and takes
 * its default. */
static enum err_code load_openmp(struct error *err) {
    void *library = NULL;
    struct thread_count_inputs inputs = thread_count_look();
    struct thread_count ignored;
    TRY(thread_count_choose(&inputs, &ignored, err)); /* else libgomp complains on its own */
    kernel_openmp_open();
    return load("libgomp.so.1", "install the package libgomp1", &library, err);
}

/* The function is C and its meaning is fixed: major, minor and patch in the three top bytes
 * (torch/headeronly/version.h). */
static enum err_code check_torch_version(void *torch_cpu, const char *folder, struct error *err) {
    void *symbol = dlsym(torch_cpu, TORCH_VERSION_FUNCTION);
    if (!symbol) {
        return err_set(err, ERR_UNAVAILABLE,
                       "libtorch in '%s' does not tell its version, and accord is compiled for "
                       "%s: unset ACCORD_TORCH_DIR or run 'bash scripts/setup.sh'",
                       folder, ACCORD_TORCH_VERSION);
    }
    uint64_t (*get_version)(void) = NULL;
    memcpy(&get_version, &symbol, sizeof get_version); /* POSIX: the same representation */
    uint64_t version = get_version();
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRIu64 ".%" PRIu64 ".%" PRIu64, version >> 56,
                   version >> 48 & 0xFF, version >> 40 & 0xFF);
    if (strcmp(text, ACCORD_TORCH_VERSION) != 0) {
        return err_set(err, ERR_UNAVAILABLE,
                       "libtorch in '%s' is version %s, and accord is compiled for %s: unset "
                       "ACCORD_TORCH_DIR or run 'bash scripts/setup.sh'",
                       folder, text, ACCORD_TORCH_VERSION);
    }
    return ERR_OK;
}

/* MKL, within libtorch, looks for itself by the current folder, and ends the process without
 * one. */
static enum err_code check_current_folder(struct error *err) {
    char folder[PATH_MAX];
    if (!getcwd(folder, sizeof folder)) {
        return err_set_errno(err, errno,
                             "libtorch cannot start in the current folder, change to another");
    }
    return ERR_OK;
}

/* Two caches within libtorch keep 252 KiB for each shape of a matrix product in bf16, for up to
 * 1024 shapes: oneDNN's the kernel, and ideep's, in front of it, a description that oneDNN has as
 * well. Texts of all lengths make some 300 shapes. Without ideep's a product takes as long; a
 * kernel that oneDNN makes again takes 0.2 ms, and the passes of a micro-batch need some 20. The
 * user's own choice stands. */
static void limit_kernel_caches(void) {
    (void)setenv("LRU_CACHE_CAPACITY", "1", 0);
    (void)setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64", 0);
}

static enum err_code load_torch(struct error *err) {
    char folder[PATH_MAX], path[PATH_MAX];
    void *c10 = NULL, *torch_cpu = NULL;
    TRY(check_current_folder(err));
    TRY(lm_module_torch_folder(folder, err));
    TRY(load_openmp(err));
    limit_kernel_caches();
    TRY(join_path(folder, "lib/libc10.so", path, err));
    TRY(load_file(path, SETUP_REMEDY, &c10, err));
    TRY(join_path(folder, "lib/libtorch_cpu.so", path, err));
    TRY(load_file(path, SETUP_REMEDY, &torch_cpu, err));
    return check_torch_version(torch_cpu, folder, err);
}

static enum err_code load_entry(const struct lm_entry **out_entry, struct error *err) {
    char path[PATH_MAX];
    void *module = NULL;
    TRY(module_path(path, err));
    TRY(load_file(path, "build the target 'accord_lm', or install accord again", &module, err));
    void *symbol = dlsym(module, LM_ENTRY_SYMBOL);
    if (!symbol) {
        return err_set(err, ERR_UNAVAILABLE, "'%s' is no tensor half of accord: %s", path,
                       dlerror());
    }
    lm_entry_getter get_entry = NULL;
    memcpy(&get_entry, &symbol, sizeof get_entry);
    const struct lm_entry *entry = get_entry();
    if (strcmp(entry->build, version_build_id()) != 0 || entry->run_bytes != sizeof(struct run)) {
        return err_set(err, ERR_UNAVAILABLE,
                       "'%s' is from build '%s', and this program from '%s': run "
                       "'cmake --build' on the whole, or install accord again",
                       path, entry->build, version_build_id());
    }
    *out_entry = entry;
    return ERR_OK;
}

enum err_code lm_module_find(const char *name, command_function *out_function, struct error *err) {
    const struct lm_entry *entry = NULL;
    TRY(load_torch(err));
    TRY(load_entry(&entry, err));
    for (const struct lm_function *f = entry->functions; f->name; f++) {
        if (strcmp(f->name, name) == 0) {
            *out_function = f->function;
            return ERR_OK;
        }
    }
    return err_set(err, ERR_INTERNAL, "the tensor half has no function '%s'", name);
}

enum err_code lm_module_open_reward(void *run, const char *folder, struct reward **out_reward,
                                    struct error *err) {
    const struct lm_entry *entry = NULL;
    TRY(load_torch(err));
    TRY(load_entry(&entry, err));
    return entry->open_reward(run, folder, out_reward, err);
}

enum err_code lm_module_torch_folder(char out_path[PATH_MAX], struct error *err) {
    const char *chosen = getenv("ACCORD_TORCH_DIR");
    char cached[PATH_MAX];
    cached_torch_folder(cached);
    if (!chosen || !*chosen) {
        chosen = holds_torch(ACCORD_TORCH_DIR) ? ACCORD_TORCH_DIR : cached;
        if (!holds_torch(chosen)) {
            return err_set(err, ERR_UNAVAILABLE, "no libtorch in '%s' or '%s': " SETUP_REMEDY,
                           ACCORD_TORCH_DIR, cached);
        }
    }
    if (snprintf(out_path, PATH_MAX, "%s", chosen) >= PATH_MAX) {
        return err_set(err, ERR_UNAVAILABLE, "ACCORD_TORCH_DIR is longer than a path can be");
    }
    return ERR_OK;
}
