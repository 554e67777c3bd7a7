/* kernel_stream.c - see kernel_stream.h. */
#include "tensor/kernels/kernel_stream.h"

#include "tensor/kernels/kernel_cpu_internal.h"

static KERNEL_INLINE void stream_range(const struct kernel_stream_args *args, int64_t begin,
                                       int64_t end) {
    const float *read = args->read;
    float *a = args->a;
    float *b = args->b;
    float *c = args->c;
    KERNEL_SIMD
    for (int64_t i = begin; i < end; i++) {
        a[i] = 0.5F * (a[i] + read[i]);
        b[i] = 0.5F * (b[i] + read[i]);
        c[i] = 0.5F * (c[i] + read[i]);
    }
}

KERNEL_VARIANTS(stream, struct kernel_stream_args)

void kernel_stream_cpu(const struct kernel_stream_args *args, struct kernel_cpu cpu) {
    kernel_run(&stream_variants, args, args->n, cpu);
}
