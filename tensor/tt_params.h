/* tt_params.h - named parameters in flat buffers, and AdamW or Adam-mini over them. Include
 * tensor/tt.h.
 *
 * Use:      struct tt_params *params = NULL;
 *           TRY(tt_params_new(device, &params, err));
 *           TRY(tt_params_declare(params, &(struct tt_param_spec){
 *                   .name = "head.weight", .dtype = TT_F32, .shape = TT_SHAPE(V, D),
 *                   .trainable = true, .decay = true}, err));
 *           TRY(tt_params_allocate(params, err));
 *           ... tt_param(s, params, "head.weight") inside formulas, tt_backward ...
 *           TRY(tt_params_grad_norm(params, &norm, err));
 *           TRY(tt_adamw_step(adamw, learning_rate, tt_clip_factor(norm, norm_max), err));
 *           TRY(tt_params_zero_grad(params, err));
 *
 * Layout:   trainable parameters are views of one f32 buffer, and their gradients views of another,
 *           so that the optimiser, clipping and an all-reduce are one pass over flat memory:
 *
 *               values  [ decayed ... | not decayed ... ]   each parameter starts on 64 bytes,
 *               grads   [ decayed ... | not decayed ... ]   gaps stay zero
 *
 *           Backward accumulates into those views; their addresses never change. Frozen parameters
 *           have storage of their own, in any dtype.
 *
 *               shadow  [ decayed ... | not decayed ... ]   on request: bf16, 2 bytes an element
 *
 *           is `values` rounded to nearest even, for products in bf16 (tt_linear_mixed,
 *           tt_head_logp). tt_adamw_step writes it in the same pass, and tt_param_shadow after any
 *           other change, so that what it gives is never out of date.
 * Order:    forward, backward, step. A backward through a formula from before a step, a load or any
 *           other change of values is refused: its gradient would mix old and new values.
 * Owns:     buffers and handles; handles from tt_param are borrowed and live as long as the store.
 * Threads:  one at a time.
 */
#ifndef TENSOR_TT_PARAMS_H
#define TENSOR_TT_PARAMS_H

#include "tensor/safetensors.h"
#include "tensor/tt.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tt_params;

struct tt_param_spec {
    const char *name;    /* copied; unique in the store, 1 to 200 bytes of UTF-8 */
    enum tt_dtype dtype; /* f32 if trainable: master weights */
    struct tt_shape shape;
    bool trainable;
    bool decay; /* weight decay applies (matrices: yes; norms and biases: customarily no) */

    /* For Adam-mini: neighbours, in row-major order, that share one second moment. It divides the
     * number of elements. 0 leaves it open, and such a store is refused by Adam-mini. */
    int64_t block;
};

ERR_NODISCARD enum err_code tt_params_new(struct tt_device device, struct tt_params **out_params,
                                          struct error *err) TT_NOEXCEPT;
void tt_params_free(struct tt_params *params) TT_NOEXCEPT; /* NULL is a no-op */

/* Declares one parameter; before tt_params_allocate. */
ERR_NODISCARD enum err_code tt_params_declare(struct tt_params *params,
                                              const struct tt_param_spec *spec,
                                              struct error *err) TT_NOEXCEPT;

/* Lays out and zeroes every buffer; once, after the last declaration. */
ERR_NODISCARD enum err_code tt_params_allocate(struct tt_params *params,
                                               struct error *err) TT_NOEXCEPT;

int64_t tt_params_count(const struct tt_params *params) TT_NOEXCEPT;
int64_t tt_params_trainable_elements(const struct tt_params *params) TT_NOEXCEPT;

/* The i-th declared parameter; its name is borrowed from the store. */
struct tt_param_spec tt_params_spec(const struct tt_params *params, int64_t i) TT_NOEXCEPT;

/* The parameter, or its gradient, by name; NULL with the scope's error where there is none. */
tt_tensor *tt_param(tt_scope *s, const struct tt_params *params, const char *name) TT_NOEXCEPT;
tt_tensor *tt_param_grad(tt_scope *s, const struct tt_params *params, const char *name) TT_NOEXCEPT;

/* Adds the bf16 shadow of all trainable parameters; after tt_params_allocate, once. */
ERR_NODISCARD enum err_code tt_params_add_shadow(struct tt_params *params,
                                                 struct error *err) TT_NOEXCEPT;

/* The bf16 copy of a trainable parameter, which takes no gradient: each element is the parameter
 * rounded to nearest even, bit for bit. Rounds all again if a value was changed other than by
 * tt_adamw_step. NULL with the scope's error where there is none. */
tt_tensor *tt_param_shadow(tt_scope *s, struct tt_params *params, const char *name) TT_NOEXCEPT;

ERR_NODISCARD enum err_code tt_params_zero_grad(struct tt_params *params,
                                                struct error *err) TT_NOEXCEPT;

/* Euclidean norm over all gradients, summed in double in a fixed order; not finite if any gradient
 * is not: the caller's policy decides what then. */
ERR_NODISCARD enum err_code tt_params_grad_norm(const struct tt_params *params, double *out_norm,
                                                struct error *err) TT_NOEXCEPT;

/* min(1, norm_max / norm): what tt_adamw_step multiplies gradients by so that their norm is at most
 * norm_max (arXiv 1211.5063). NaN, which tt_adamw_step refuses, for a norm that is not finite and a
 * norm_max that is not positive. */
double tt_clip_factor(double norm, double norm_max) TT_NOEXCEPT;

/* Every parameter by name into a safetensors file, atomically. */
ERR_NODISCARD enum err_code tt_params_save(const struct tt_params *params, const char *path,
                                           const struct safetensors_entry *metadata,
                                           int64_t metadata_count, struct error *err) TT_NOEXCEPT;

/* Reads every parameter; a missing, unexpected or differently shaped or typed tensor is named and
 * nothing is changed. */
ERR_NODISCARD enum err_code tt_params_load(struct tt_params *params, const char *path,
                                           struct error *err) TT_NOEXCEPT;

/* --- AdamW (arXiv 1711.05101): decoupled weight decay ----------------------------------------
 *
 * Adam-mini (arXiv 2406.16793) is AdamW with one second moment for each block of a parameter, the
 * running mean of its squared gradients: half of the state, and with blocks of one element the same
 * bits. */

struct tt_adamw;

enum tt_second_moments { TT_MOMENT_EACH /* AdamW */, TT_MOMENT_BLOCK /* Adam-mini */ };

struct tt_adamw_config {
    double beta1;        /* in [0, 1); customarily 0.9 */
    double beta2;        /* in [0, 1); customarily 0.999 */
    double eps;          /* > 0 also as an f32; customarily 1e-8, added after the square root */
    double weight_decay; /* >= 0; per step values shrink by learning_rate * weight_decay */
    enum tt_second_moments second_moments;
};

/* `params` is borrowed, allocated, and outlives the optimiser.
 *   fails    ERR_CONFIG for a number out of range; ERR_INTERNAL where Adam-mini is asked for and a
 *            parameter was declared without a block; ERR_OOM */
ERR_NODISCARD enum err_code tt_adamw_new(struct tt_params *params,
                                         const struct tt_adamw_config *config,
                                         struct tt_adamw **out_adamw,
                                         struct error *err) TT_NOEXCEPT;
void tt_adamw_free(struct tt_adamw *adamw) TT_NOEXCEPT;

/* One step on the accumulated gradients times grad_scale; learning_rate >= 0. Every trainable
 * parameter moves, also one whose gradient stayed zero: it decays, and its moments fade. A shadow
 * moves with its parameters; values are the same bits with and without one. */
ERR_NODISCARD enum err_code tt_adamw_step(struct tt_adamw *adamw, double learning_rate,
                                          double grad_scale, struct error *err) TT_NOEXCEPT;

int64_t tt_adamw_steps_done(const struct tt_adamw *adamw) TT_NOEXCEPT;

/* Numbers that tt_adamw_save writes, f32 each: both moments. */
int64_t tt_adamw_state_elements(const struct tt_adamw *adamw) TT_NOEXCEPT;

/* Both moments by parameter name and the step count, as safetensors; loading continues bit for bit.
 * Those of Adam-mini are [blocks] of each parameter. */
ERR_NODISCARD enum err_code tt_adamw_save(const struct tt_adamw *adamw, const char *path,
                                          struct error *err) TT_NOEXCEPT;
ERR_NODISCARD enum err_code tt_adamw_load(struct tt_adamw *adamw, const char *path,
                                          struct error *err) TT_NOEXCEPT;

static inline void tt_params_scoped_end(struct tt_params **params) {
    tt_params_free(*params);
}

static inline void tt_adamw_scoped_end(struct tt_adamw **adamw) {
    tt_adamw_free(*adamw);
}

#ifdef __cplusplus
}
#endif

#endif
