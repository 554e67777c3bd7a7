/* kernel_operand.h - what is multiplied: the two types that kernels take for operands of products.
 *
 * Threads:  constant.
 */
#ifndef TENSOR_KERNELS_KERNEL_OPERAND_H
#define TENSOR_KERNELS_KERNEL_OPERAND_H

enum kernel_operand {
    KERNEL_OPERAND_F32,  /* float */
    KERNEL_OPERAND_BF16, /* uint16_t */
};

#endif
