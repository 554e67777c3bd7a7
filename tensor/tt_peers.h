/* tt_peers.h - what plain ATen does for the same work: the oracle of tests, the peer of benchmarks.
 *
 * Linked into tests and `accord bench` only.
 */
#ifndef TENSOR_TT_PEERS_H
#define TENSOR_TT_PEERS_H

#include "tensor/kernels/kernel_adamw.h"
#include "tensor/tt.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One step of at::_fused_adamw_ on the same buffers as kernel_adamw_cpu (grad_scale is applied to a
 * copy of the gradient first; param_bf16 is ignored). */
ERR_NODISCARD enum err_code tt_peer_adamw_fused(const struct kernel_adamw_args *args,
                                                struct error *err) TT_NOEXCEPT;

/* One step in the style of torch::optim::AdamW: a handful of ATen ops for each of `tensors` equal
 * pieces of the buffers. The same arithmetic, in another order of operations. */
ERR_NODISCARD enum err_code tt_peer_adamw_per_tensor(const struct kernel_adamw_args *args,
                                                     int64_t tensors,
                                                     struct error *err) TT_NOEXCEPT;

/* `cycles` times ten ops on [1] tensors, called from C++ without any scope. The same ops through
 * the shim: tt_peer_ten_ops_scoped opens and closes a scope in each cycle. */
ERR_NODISCARD enum err_code tt_peer_ten_ops(int64_t cycles, double *out_value,
                                            struct error *err) TT_NOEXCEPT;
ERR_NODISCARD enum err_code tt_peer_ten_ops_scoped(int64_t cycles, double *out_value,
                                                   struct error *err) TT_NOEXCEPT;

/* Every exception class the shim must stop, thrown inside an op of `s`. */
enum tt_peer_exception {
    TT_PEER_C10_ERROR,
    TT_PEER_OUT_OF_MEMORY,
    TT_PEER_BAD_ALLOC,
    TT_PEER_STD_EXCEPTION,
    TT_PEER_INT,
};
tt_tensor *tt_peer_throw(tt_scope *s, enum tt_peer_exception kind) TT_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif
