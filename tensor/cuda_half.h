/* cuda_half.h - what the CUDA half of the program offers the CPU half.
 *
 * libaccord_cuda.so links libtorch_cuda and the CUDA twins of our kernels, and exports one
 * function, accord_cuda_half. It is opened when a CUDA device is first asked for, so a machine
 * without a driver runs everything else. Loading it also registers CUDA with ATen's dispatcher,
 * after which ordinary ops work on CUDA tensors.
 */
#ifndef TENSOR_CUDA_HALF_H
#define TENSOR_CUDA_HALF_H

#include "base/error.h"
#include "tensor/kernels/kernel_adam_mini.h"
#include "tensor/kernels/kernel_adamw.h"
#include "tensor/kernels/kernel_logp.h"
#include "tensor/kernels/kernel_norm.h"
#include "tensor/kernels/kernel_random.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever the table changes: both halves are built together, but may be installed apart. */
#define CUDA_HALF_VERSION 3

struct cuda_half {
    int64_t version;

    /* Devices that the driver reports. fails ERR_UNAVAILABLE with the driver's reason. */
    enum err_code (*device_count)(int64_t *out_count, struct error *err);

    /* Makes the device current for the calling thread, and returns libtorch's stream on it, a
     * cudaStream_t, for the kernels below. */
    void *(*current_stream)(int32_t device);

    /* Waits until everything queued on the device is done. */
    enum err_code (*synchronize)(int32_t device, struct error *err);

    enum err_code (*adamw)(const struct kernel_adamw_args *args, void *stream, struct error *err);
    enum err_code (*adam_mini)(const struct kernel_adam_mini_args *args, void *stream,
                               struct error *err);
    enum err_code (*norm)(const struct kernel_norm_args *args, void *stream,
                          struct kernel_norm_result *out_result, struct error *err);
    enum err_code (*random_uniform)(const struct kernel_random_args *args, void *stream,
                                    struct error *err);
    enum err_code (*random_normal)(const struct kernel_random_args *args, void *stream,
                                   struct error *err);
    enum err_code (*logp)(const struct kernel_logp_block *block,
                          const struct kernel_logp_result *result, void *stream, struct error *err);
    enum err_code (*logp_grad)(const struct kernel_logp_block *block,
                               const struct kernel_logp_upstream *upstream,
                               const struct kernel_logp_grad *grad, void *stream,
                               struct error *err);
};

/* The table; static. The one symbol that the library shows. */
__attribute__((visibility("default"))) const struct cuda_half *accord_cuda_half(void);
typedef const struct cuda_half *(*accord_cuda_half_fn)(void);

#ifdef __cplusplus
}
#endif

#endif
