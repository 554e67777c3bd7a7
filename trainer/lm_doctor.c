/* lm_doctor.c - what only libtorch can tell; see doctor.h. In the tensor half. */
#include "base/arena.h"
#include "base/file.h"
#include "base/scoped.h"
#include "tensor/tt.h"
#include "trainer/doctor.h"
#include "trainer/lm_functions.h"
#include "trainer/lm_module.h"

#include <inttypes.h>
#include <string.h>

#define MAPS_BYTES_MAX (16 * MIB)
#define LIBGOMP        "/libgomp"

/* Below this a thread is far from what any AVX2 core reaches (100 and more): something else is
 * running, or the threads share one core. */
#define F32_GFLOPS_PER_THREAD_SLOW 20.0

/* Different files of libgomp mapped into this process. Lines of one mapping follow each other. */
static int64_t count_libgomp(const char *maps) {
    int64_t count = 0;
    const char *last = "";
    size_t last_length = 0;
    for (const char *hit = strstr(maps, LIBGOMP); hit; hit = strstr(hit + 1, LIBGOMP)) {
        const char *path = hit;
        while (path > maps && path[-1] != ' ' && path[-1] != '\n') {
            path--;
        }
        size_t length = strcspn(path, "\n");
        if (length != last_length || strncmp(path, last, length) != 0) {
            count++;
        }
        last = path;
        last_length = length;
    }
    return count;
}

static enum err_code add_openmp(struct doctor_report *report, struct error *err) {
    SCOPED(mem) char *maps = NULL;
    size_t bytes = 0;
    TRY(file_read_all("/proc/self/maps", MAPS_BYTES_MAX, &maps, &bytes, err));
    int64_t copies = count_libgomp(maps);
    doctor_add(report, DOCTOR_TENSORS, copies == 1 ? DOCTOR_OK : DOCTOR_SLOW, "OpenMP",
               "two OpenMP runtimes keep two pools of threads, which fight for the cores: unset "
               "LD_PRELOAD and LD_LIBRARY_PATH",
               "%" PRId64 " threads, %" PRId64 " libgomp loaded", tt_threads(), copies);
    return ERR_OK;
}

static void add_library(struct doctor_report *report) {
    struct tt_library_info info = tt_library_describe();
    char folder[PATH_MAX] = "";
    struct error ignored = ERROR_INIT;
    if (lm_module_torch_folder(folder, &ignored) != ERR_OK) {
        folder[0] = '\0';
    }
    doctor_add(report, DOCTOR_TENSORS, DOCTOR_OK, "libtorch", "", "%s in %s", info.version, folder);
    doctor_add(report, DOCTOR_TENSORS, DOCTOR_OK, "kernels", "", "%s%s%s", info.cpu_capability,
               info.has_mkldnn ? ", oneDNN" : "", info.has_mkl ? ", MKL" : "");
}

static enum err_code add_rates(struct doctor_report *report, struct error *err) {
    struct tt_device cpu = {.kind = TT_CPU};
    struct tt_device_rates rates = {.f32_gflops = 0.0};
    TRY(tt_device_measure(cpu, &rates, err));
    bool f32_slow = rates.f32_gflops < F32_GFLOPS_PER_THREAD_SLOW * (double)tt_threads();
    doctor_add(report, DOCTOR_TENSORS, f32_slow ? DOCTOR_SLOW : DOCTOR_OK, "f32 products",
               "far below what a core reaches: stop other programs and try again", "%.0f GFLOP/s",
               rates.f32_gflops);
    double ratio = rates.bf16_gflops / rates.f32_gflops;
    doctor_add(report, DOCTOR_TENSORS, ratio < 1.0 ? DOCTOR_SLOW : DOCTOR_OK, "bf16 products",
               "slower than f32 on this processor: dtype=auto computes in f32",
               "%.0f GFLOP/s, %.1f times f32", rates.bf16_gflops, ratio);
    return ERR_OK;
}

static void add_cuda(struct doctor_report *report) {
    struct error reason = ERROR_INIT;
    int64_t devices = tt_cuda_device_count(&reason);
    if (devices > 0) {
        doctor_add(report, DOCTOR_TENSORS, DOCTOR_OK, "GPU", "", "%" PRId64 " CUDA device%s",
                   devices, devices == 1 ? "" : "s");
        return;
    }
    doctor_add(
        report, DOCTOR_TENSORS, DOCTOR_SLOW, "GPU",
        "models of a billion parameters and more want an NVIDIA GPU; smaller ones train here", "%s",
        reason.msg);
}

enum err_code lm_doctor_run(struct run *run, const struct command_args *args, struct error *err) {
    (void)args;
    struct doctor_report report = {.count = 0};
    doctor_look_at_machine(&report, run);
    add_library(&report);
    TRY(add_openmp(&report, err));
    TRY(add_rates(&report, err));
    add_cuda(&report);
    return doctor_finish(&report, run, err);
}
