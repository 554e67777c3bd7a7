/* kernel_norm_internal.h - the order of summation that both twins follow (kernel_norm.h). */
#ifndef TENSOR_KERNELS_KERNEL_NORM_INTERNAL_H
#define TENSOR_KERNELS_KERNEL_NORM_INTERNAL_H

#define NORM_LANES          32   /* a warp, and four 512-bit registers */
#define NORM_BLOCK_ELEMENTS 4096 /* a multiple of NORM_LANES */
#define NORM_SCRATCH_MIN    2    /* doubles: the CUDA twin counts non-finite elements in them */

#endif
