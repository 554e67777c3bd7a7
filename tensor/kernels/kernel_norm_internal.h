/* kernel_norm_internal.h - the order in which both twins of kernel_norm.h and of kernel_adam_mini.h
 * add squares. */
#ifndef TENSOR_KERNELS_KERNEL_NORM_INTERNAL_H
#define TENSOR_KERNELS_KERNEL_NORM_INTERNAL_H

#define NORM_LANES          32   /* a warp, and four 512-bit registers */
#define NORM_BLOCK_ELEMENTS 4096 /* a multiple of NORM_LANES */
#define NORM_SCRATCH_MIN    2    /* doubles: the CUDA twin counts non-finite elements in them */

/* The sum of the lanes as a binary tree: widths 16, 8, 4, 2, 1. */
#ifdef __CUDACC__
/* Of a warp's lanes; lane 0 has it. */
__device__ __forceinline__ double norm_add_lanes(double lane) {
    for (int width = NORM_LANES / 2; width > 0; width /= 2) {
        lane += __shfl_down_sync(0xFFFFFFFFU, lane, width);
    }
    return lane;
}
#else
#include "tensor/kernels/kernel_cpu_internal.h"

static KERNEL_INLINE double norm_add_lanes(double lane[NORM_LANES]) {
    for (int width = NORM_LANES / 2; width > 0; width /= 2) {
        for (int l = 0; l < width; l++) {
            lane[l] += lane[l + width];
        }
    }
    return lane[0];
}
#endif

#endif
