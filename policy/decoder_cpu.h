/* decoder_cpu.h - the decoder's backend on the CPU: own kernels, weights packed once.
 *
 * Use:      struct decoder_backend backend;
 *           TRY(decoder_cpu_open(&config, &weights, &options, &backend, err));
 *           ... moved into decoder_open_on, or backend.functions->close(backend.self)
 * Numbers:  products of bf16 or f32 operands with f32 sums, everything else f32. Bits depend on the
 *           instruction set, and on nothing else (kernel_matmul.h).
 * Memory:   the packed weights (2 or 4 bytes a parameter), the cache (2 L H_kv d values a position,
 *           touched as it fills), and some [rows_max, D + 3 D_mlp] of scratch.
 * Threads:  an OpenMP team for the length of a forward pass.
 */
#ifndef POLICY_DECODER_CPU_H
#define POLICY_DECODER_CPU_H

#include "policy/decoder_backend.h"

/* Parts of a forward pass, for the question of where the time goes. */
#define DECODER_CPU_PARTS(X)          \
    X(EMBED, "embedding")             \
    X(NORM, "norms")                  \
    X(QKV, "query, key, value")       \
    X(ROTATE, "rotation, cache")      \
    X(ATTEND, "attention")            \
    X(ATTN_OUT, "attention's output") \
    X(MLP_UP, "gate, up, activation") \
    X(MLP_DOWN, "down")               \
    X(HEAD, "head")

enum decoder_cpu_part {
#define DECODER_CPU_PART_ENUM(name, text) DECODER_CPU_##name,
    DECODER_CPU_PARTS(DECODER_CPU_PART_ENUM)
#undef DECODER_CPU_PART_ENUM
        DECODER_CPU_PART_COUNT
};

/* "attention". Static. */
const char *decoder_cpu_part_name(enum decoder_cpu_part part);

struct decoder_cpu_options {
    int64_t context;  /* positions of a sequence, up to the model's own */
    int64_t pages;    /* of the cache, together */
    int64_t rows_max; /* of a batch */
    int64_t wanted_max;
    enum kernel_operand weights;
    enum kernel_operand cache;
    struct kernel_cpu cpu;
    /* [layers + 1, DECODER_CPU_PART_COUNT], or NULL: nanoseconds as the first member of the team
     * sees them, waiting included, added up; what is outside the layers in the last row. Borrowed
     * until close. */
    int64_t *profile_ns;
};

/* fails    ERR_LIMIT for heads wider than KERNEL_HEAD_DIM_MAX; ERR_OOM; what `weights` fails with
 */
ERR_NODISCARD enum err_code decoder_cpu_open(const struct model_config *config,
                                             const struct decoder_weights *weights,
                                             const struct decoder_cpu_options *options,
                                             struct decoder_backend *out, struct error *err);

#endif
