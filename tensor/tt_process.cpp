/* tt_process.cpp - see tt_process.hpp, and the process and device sections of tt.h.
 *
 * These statics exist because what they describe exists once per process: libtorch's thread pool
 * and flags, and a loaded shared library. They hold no tensors, so nothing is destroyed at exit.
 */
#include "tensor/tt_process.hpp"
#include "tensor/tt_product.hpp"

#include "tensor/tt_internal.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <c10/core/Allocator.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/headeronly/version.h>

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#define CUDA_HALF_LIBRARY "libaccord_cuda.so"

namespace tt {
namespace {

constexpr size_t CPU_ALIGNMENT = 64; /* libtorch's own: a line of cache, a vector of AVX-512 */

/* Before the data of a tensor lies where its block begins. */
void *allocate_aligned(size_t bytes) {
    const size_t space = bytes + CPU_ALIGNMENT; /* blocks of malloc are aligned to 16 */
    auto *block = static_cast<char *>(space > bytes ? std::malloc(space) : nullptr);
    TORCH_CHECK_WITH(OutOfMemoryError, block, "can't allocate memory: ", bytes,
                     " bytes for a tensor");
    const size_t past = reinterpret_cast<uintptr_t>(block) % CPU_ALIGNMENT;
    void **data = reinterpret_cast<void **>(block + CPU_ALIGNMENT - past);
    data[-1] = block;
    return data;
}

void release_aligned(void *data) {
    if (data) {
        std::free(static_cast<void **>(data)[-1]);
    }
}

/* Tensors on the CPU, within blocks of malloc. libtorch takes posix_memalign, and that of glibc
 * before 2.38 looks for a block larger than what it returns, so that a freed tensor leaves a hole
 * that the next one of its size does not fit in. */
class aligned_allocator final : public c10::Allocator {
  public:
    c10::DataPtr allocate(size_t bytes) override {
        void *data = bytes > 0 ? allocate_aligned(bytes) : nullptr;
        return {data, data, &release_aligned, c10::Device(c10::DeviceType::CPU)};
    }

    c10::DeleterFnPtr raw_deleter() const override {
        return &release_aligned;
    }

    void copy_data(void *to, const void *from, size_t bytes) const override {
        default_copy_data(to, from, bytes);
    }
};

aligned_allocator cpu_allocator;
REGISTER_ALLOCATOR(c10::DeviceType::CPU, &cpu_allocator)

void (*trace_sink)(void *context, const char *line);
void *trace_sink_context;

std::mutex cuda_half_mutex;
bool cuda_half_tried;
const struct cuda_half *cuda_half_table;
struct error cuda_half_reason;

/* Whether the folder part of `path` with `suffix` behind it names an existing file; written to
 * `out`. */
bool library_beside(const char *path, const char *suffix, char *out, size_t bytes) {
    const char *slash = strrchr(path, '/');
    const int folder = slash ? static_cast<int>(slash - path) : 0;
    const int written = snprintf(out, bytes, "%.*s/%s", folder, path, suffix);
    return written > 0 && static_cast<size_t>(written) < bytes && access(out, R_OK) == 0;
}

/* The CUDA half lies beside the module that this code is in (installed and built programs), or in
 * lib/accord beside the folder of a test program. */
bool find_cuda_half(char *out, size_t bytes) {
    Dl_info self = {};
    if (dladdr(reinterpret_cast<const void *>(&find_cuda_half), &self) == 0 || !self.dli_fname) {
        return false;
    }
    return library_beside(self.dli_fname, CUDA_HALF_LIBRARY, out, bytes) ||
           library_beside(self.dli_fname, "../lib/accord/" CUDA_HALF_LIBRARY, out, bytes);
}

/* Libraries of CUDA may be there without a driver, and then say less plainly what is missing. */
enum err_code check_driver(struct error *err) {
    if (dlopen("libcuda.so.1", RTLD_LAZY | RTLD_GLOBAL)) {
        return ERR_OK;
    }
    return err_set(err, ERR_UNAVAILABLE,
                   "CUDA: no NVIDIA driver on this machine (libcuda.so.1 is not found)");
}

enum err_code load_cuda_half(const struct cuda_half **out_half, struct error *err) {
    char path[PATH_MAX];
    TRY(check_driver(err));
    if (!find_cuda_half(path, sizeof path)) {
        return err_set(err, ERR_UNAVAILABLE,
                       "CUDA: this build has no CUDA half (" CUDA_HALF_LIBRARY
                       "); build it with -DACCORD_CUDA=on and a CUDA 13 toolkit");
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        return err_set(err, ERR_UNAVAILABLE,
                       "CUDA: cannot load its libraries: %s; point ACCORD_TORCH_DIR at a torch "
                       "installed with its CUDA packages",
                       dlerror());
    }
    auto entry = reinterpret_cast<accord_cuda_half_fn>(dlsym(library, "accord_cuda_half"));
    const struct cuda_half *half = entry ? entry() : nullptr;
    if (!half || half->version != CUDA_HALF_VERSION) {
        return err_set(err, ERR_UNAVAILABLE, "CUDA: '%s' is of another build of accord", path);
    }
    int64_t devices = 0;
    TRY(half->device_count(&devices, err));
    if (devices < 1) {
        return err_set(err, ERR_UNAVAILABLE, "CUDA: the driver reports no device");
    }
    *out_half = half;
    return ERR_OK;
}

} // namespace

struct kernel_cpu process_kernel_cpu() noexcept {
    return {.threads = at::get_num_threads(), .isa = KERNEL_ISA_BEST};
}

void process_trace_line(const char *line) noexcept {
    if (trace_sink) {
        trace_sink(trace_sink_context, line);
    }
}

enum err_code process_cuda_half(const struct cuda_half **out_half, struct error *err) noexcept {
    const std::lock_guard<std::mutex> lock(cuda_half_mutex);
    if (!cuda_half_tried) {
        cuda_half_tried = true;
        (void)guarded_status("CUDA", &cuda_half_reason,
                             [] { return load_cuda_half(&cuda_half_table, &cuda_half_reason); });
    }
    if (!cuda_half_table) {
        *err = cuda_half_reason;
        return err->code;
    }
    *out_half = cuda_half_table;
    return ERR_OK;
}

} // namespace tt

using namespace tt;

enum err_code tt_runtime_set(const struct tt_runtime *runtime, struct error *err) noexcept {
    if (runtime->threads < 0 || runtime->threads > 4096) {
        return err_set(err, ERR_CONFIG, "threads = %lld is outside [0, 4096]",
                       static_cast<long long>(runtime->threads));
    }
    return guarded_status("runtime", err, [&] {
        if (runtime->threads > 0) {
            at::set_num_threads(static_cast<int>(runtime->threads));
        }
        at::globalContext().setDeterministicAlgorithms(runtime->deterministic, /*warn_only=*/false);
        /* Filling fresh memory with NaN is for debugging, and costs a pass over it. */
        at::globalContext().setDeterministicFillUninitializedMemory(false);
        trace_level = runtime->trace;
        trace_sink = runtime->trace_line;
        trace_sink_context = runtime->trace_context;
        return ERR_OK;
    });
}

int64_t tt_threads(void) noexcept {
    return at::get_num_threads();
}

struct tt_library_info tt_library_describe(void) noexcept {
    static const std::string version = [] {
        const uint64_t abi = aoti_torch_abi_version();
        return std::to_string(abi >> 56) + "." + std::to_string((abi >> 48) & 0xFF) + "." +
               std::to_string((abi >> 40) & 0xFF);
    }();
    static const std::string capability = at::get_cpu_capability();
    return tt_library_info{
        .version = version.c_str(),
        .cpu_capability = capability.c_str(),
        .has_mkldnn = at::globalContext().hasMKLDNN(),
        .has_mkl = at::globalContext().hasMKL(),
    };
}

/* --- devices ---------------------------------------------------------------------------------- */

enum err_code tt_device_parse(const char *text, struct tt_device *out_device,
                              struct error *err) noexcept {
    if (strcmp(text, "cpu") == 0) {
        *out_device = tt_device{TT_CPU, 0};
        return ERR_OK;
    }
    if (strcmp(text, "cuda") == 0) {
        *out_device = tt_device{TT_CUDA, 0};
        return ERR_OK;
    }
    const char *digits = strncmp(text, "cuda:", 5) == 0 ? text + 5 : "";
    const size_t length = strspn(digits, "0123456789");
    if (length < 1 || length > 2 || digits[length] != '\0') {
        return err_set(err, ERR_USAGE, "device '%s' is not known; use cpu, cuda or cuda:N", text);
    }
    *out_device = tt_device{TT_CUDA, static_cast<int32_t>(strtol(digits, nullptr, 10))};
    return ERR_OK;
}

enum err_code tt_device_open(struct tt_device device, struct error *err) noexcept {
    if (device.kind == TT_CPU) {
        return ERR_OK;
    }
    const struct cuda_half *half = nullptr;
    int64_t devices = 0;
    TRY(process_cuda_half(&half, err));
    TRY(half->device_count(&devices, err));
    if (device.index >= devices) {
        return err_set(err, ERR_UNAVAILABLE, "CUDA: no device %d; there are %lld, counted from 0",
                       device.index, static_cast<long long>(devices));
    }
    return ERR_OK;
}

int64_t tt_cuda_device_count(struct error *reason) noexcept {
    const struct cuda_half *half = nullptr;
    int64_t devices = 0;
    if (process_cuda_half(&half, reason) != ERR_OK ||
        half->device_count(&devices, reason) != ERR_OK) {
        return 0;
    }
    return devices;
}

namespace {

/* A product of the size that layers of small models have; big enough to reach a steady rate. */
constexpr int64_t PROBE_ROWS = 512;
constexpr int64_t PROBE_INNER = 1024;
constexpr int64_t PROBE_COLUMNS = 1024;
constexpr int PROBE_REPEATS = 10;

enum err_code wait_for(struct tt_device device, struct error *err) {
    if (device.kind == TT_CPU) {
        return ERR_OK;
    }
    const struct cuda_half *half = nullptr;
    TRY(process_cuda_half(&half, err));
    return half->synchronize(device.index, err);
}

/* The fastest of a few products, in GFLOP/s: on a shared machine the minimum is the machine's, the
 * rest is the neighbours'. */
enum err_code probe_rate(struct tt_device device, at::ScalarType type, double *out_gflops,
                         struct error *err) {
    const at::AutoGradMode mode(false);
    const at::TensorOptions where = at::TensorOptions().dtype(type).device(to_device(device));
    const at::Tensor left = at::ones({PROBE_ROWS, PROBE_INNER}, where);
    const at::Tensor right = at::ones({PROBE_INNER, PROBE_COLUMNS}, where);
    double fastest_s = HUGE_VAL;
    for (int i = 0; i <= PROBE_REPEATS; i++) {
        const int64_t started_ns = trace_clock_ns();
        const at::Tensor product = at::mm(left, right);
        TRY(wait_for(device, err));
        const double spent_s = static_cast<double>(trace_clock_ns() - started_ns) * 1e-9;
        /* The first product pays for choosing and compiling a kernel. */
        fastest_s = i > 0 ? std::min(fastest_s, spent_s) : fastest_s;
    }
    *out_gflops = 2e-9 * PROBE_ROWS * PROBE_INNER * PROBE_COLUMNS / fastest_s;
    return ERR_OK;
}

constexpr int PROBED_DEVICES_MAX = 65; /* the CPU, and cuda:0 to cuda:63 */
std::mutex probe_mutex;
bool probed[PROBED_DEVICES_MAX];
struct tt_device_rates probed_rates[PROBED_DEVICES_MAX];

} // namespace

enum err_code tt_device_measure(struct tt_device device, struct tt_device_rates *out_rates,
                                struct error *err) noexcept {
    const int slot = device.kind == TT_CPU ? 0 : device.index + 1;
    if (slot < 0 || slot >= PROBED_DEVICES_MAX) {
        return err_set(err, ERR_UNAVAILABLE, "CUDA: device %d is beyond the %d supported",
                       device.index, PROBED_DEVICES_MAX - 1);
    }
    TRY(tt_device_open(device, err));
    return guarded_status("matrix product", err, [&] {
        const std::lock_guard<std::mutex> lock(probe_mutex);
        if (!probed[slot]) {
            TRY(probe_rate(device, at::kFloat, &probed_rates[slot].f32_gflops, err));
            TRY(probe_rate(device, at::kBFloat16, &probed_rates[slot].bf16_gflops, err));
            probed[slot] = true;
        }
        *out_rates = probed_rates[slot];
        return ERR_OK;
    });
}

enum err_code tt_device_matmul_dtype(struct tt_device device, enum tt_dtype *out_dtype,
                                     struct error *err) noexcept {
    if (device.kind == TT_CPU) {
        *out_dtype = product_has_bf16() ? TT_BF16 : TT_F32;
        return ERR_OK;
    }
    struct tt_device_rates rates = {};
    TRY(tt_device_measure(device, &rates, err));
    *out_dtype = rates.bf16_gflops > rates.f32_gflops ? TT_BF16 : TT_F32;
    return ERR_OK;
}
