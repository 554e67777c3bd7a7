/* tt_params_internal.hpp - the parameter store as its own files see it. Layout: tt_params.h. */
#ifndef TENSOR_TT_PARAMS_INTERNAL_HPP
#define TENSOR_TT_PARAMS_INTERNAL_HPP

#include "tensor/tt_internal.hpp"

#include "tensor/kernels/kernel_adam_mini.h"

#include <string>
#include <vector>

namespace tt {

/* A handle whose home is a store; released with its entry. */
struct handle_deleter {
    void operator()(tt_tensor *a) const {
        delete_handle(a);
    }
};
using owned_handle = std::unique_ptr<tt_tensor, handle_deleter>;

struct param_entry {
    std::string name;
    tt_param_spec spec;      /* its name is NULL: see `name` */
    int64_t offset = 0;      /* elements into the flat buffers; trainable only */
    int64_t first_block = 0; /* likewise, into one number for each block of every parameter */
    owned_handle value = {};
    owned_handle grad = {};   /* NULL when frozen */
    owned_handle shadow = {}; /* NULL when frozen, and without shadows */
};

/* Where elements of one weight-decay setting lie in the flat buffers. */
struct flat_range {
    int64_t start;
    int64_t count;
};

/* The number of elements, or -1 when it is negative or overflows. */
int64_t element_count(const tt_shape &shape);

/* Blocks of a trainable parameter; 0 where its spec leaves them open. */
int64_t block_count(const tt_param_spec &spec);

/* The window of a flat buffer that belongs to a trainable parameter, in its shape. */
at::Tensor flat_window(const at::Tensor &flat, const param_entry &entry);

} // namespace tt

struct tt_params {
    tt_device device;
    bool allocated = false;
    std::vector<tt::param_entry> entries = {}; /* in order of declaration */
    at::Tensor values = {};                    /* [flat elements] f32 */
    at::Tensor grads = {};                     /* [flat elements] f32 */
    at::Tensor shadow = {};                    /* [flat elements] bf16, or undefined */
    uint32_t shadow_version = 0;               /* of `values` when `shadow` was made from them */
    int64_t blocks = 0;                        /* of all trainable parameters */
    tt::flat_range decayed = {};
    tt::flat_range plain = {};
};

namespace tt {

/* Counts every change of a value, whether by an op, a load or a step. */
inline uint32_t values_version(const tt_params *params) {
    return params->values.unsafeGetTensorImpl()->version_counter().current_version();
}

} // namespace tt

struct tt_adamw {
    tt_params *params; /* borrowed; outlives the optimiser */
    tt_adamw_config config;
    at::Tensor exp_avg;         /* laid out as params->values */
    at::Tensor exp_avg_sq = {}; /* likewise; for Adam-mini [blocks] */
    int64_t steps_done = 0;
    /* For Adam-mini: the trainable parameters, as the kernel takes them. */
    std::vector<kernel_adam_mini_part> parts_decayed = {};
    std::vector<kernel_adam_mini_part> parts_plain = {};
};

namespace tt {

/* The second moments of a trainable parameter: in its shape, or [blocks]. */
at::Tensor second_moments(const tt_adamw *adamw, const param_entry &entry);

} // namespace tt

#endif
