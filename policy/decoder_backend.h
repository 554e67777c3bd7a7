/* decoder_backend.h - what a decoder asks of the machine it runs on.
 *
 * Use:      the scheduler (decoder.c) says which token stands at which position of which pages; the
 *           backend runs the model and answers logits. It knows neither prompts nor samples.
 *           policy/decoder_cpu.h makes one; another (ATen, CUDA) needs the functions below only.
 * Repeats:  a backend must be batch-invariant: the logits of a row depend on its own sequence only,
 *           bit for bit. The tests of the scheduler rely on it.
 * Threads:  one at a time.
 */
#ifndef POLICY_DECODER_BACKEND_H
#define POLICY_DECODER_BACKEND_H

#include "base/error.h"
#include "policy/model_config.h"
#include "policy/model_layout.h"
#include "policy/weight_source.h"
#include "tensor/kernels/kernel_decode_attention.h"

#include <stdint.h>

/* Where weights come from: `read` fills one tensor of the layout as f32, row-major. */
struct decoder_weights {
    enum err_code (*read)(void *context, const struct model_tensor *tensor, float *out_values,
                          struct error *err);
    void *context; /* borrowed */
};

/* Those of a model's files; `source` is borrowed for as long as weights are read. */
struct decoder_weights decoder_weights_of(struct weight_source *source);

/* One forward pass. All borrowed for the call. */
struct decoder_batch {
    int64_t rows;
    const int32_t *tokens;           /* [rows] */
    const struct kernel_kv_row *row; /* [rows]: position and pages; written before they are read */
    const struct kernel_attention_run *runs; /* cover all rows, in order */
    int64_t run_count;
    const int64_t *wanted; /* [wanted_count]: rows whose logits are asked for */
    int64_t wanted_count;
};

struct decoder_backend_functions {
    /* Takes over new weights; the cache's contents become meaningless. */
    enum err_code (*refresh)(void *self, const struct decoder_weights *weights, struct error *err);
    void (*page_clear)(void *self, int32_t page);
    void (*page_copy)(void *self, int32_t from, int32_t to);
    /* out_logits [wanted_count, V] f32, host memory */
    enum err_code (*forward)(void *self, const struct decoder_batch *batch, float *out_logits,
                             struct error *err);
    void (*close)(void *self);
};

struct decoder_backend {
    const struct decoder_backend_functions *functions;
    void *self;         /* owned; close */
    int64_t pages;      /* of the cache, KERNEL_PAGE_POSITIONS positions each */
    int64_t rows_max;   /* of a batch */
    int64_t wanted_max; /* of a batch */
};

#endif
